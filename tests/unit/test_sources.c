/* Every source of bytes, seen from the public API: an io that fails at each of its calls in turn while each kind of
   file is read (F9), what lies where a file should (F1), files that change after they were opened (F4), read-only ones,
   links. */
#include "posix.h"

#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include "load_file.h"
#include "memory_io.h"

/* ---- An io that fails at its n-th call ---- */

enum { FINE, FAILS, SHORT, NOTHING, LIES, SIZE_HALF, SIZE_MORE, SIZE_NONE, SIZE_ENDLESS, NO_MAP, FAULTS };

typedef struct broken_io {
  hfm_memory_file files[8]; /* names are full paths */
  size_t count;
  int64_t calls, at;
  int32_t fault, hit, open, maps;
} broken_io;

static int32_t fault_now(broken_io *io) {
  const int32_t now = io->calls++ == io->at ? io->fault : FINE;
  if (now) io->hit = 1;
  return now;
}

static hfm_result broken_open(void *ctx, const char *name, void **file) {
  broken_io *io = (broken_io *)ctx;
  if (fault_now(io) == FAILS) return HFM_ERROR_IO;
  for (size_t i = 0; i < io->count; i++) {
    if (strcmp(io->files[i].name, name) != 0) continue;
    *file = &io->files[i];
    io->open++;
    return HFM_OK;
  }
  return HFM_ERROR_NOT_FOUND;
}
static uint64_t broken_size(void *ctx, void *file) {
  const uint64_t size = ((const hfm_memory_file *)file)->size;
  switch (fault_now((broken_io *)ctx)) {
    case SIZE_HALF: return size / 2;
    case SIZE_MORE: return size + 1000;
    case SIZE_NONE: return 0;
    case SIZE_ENDLESS: return UINT64_MAX;
    default: return size;
  }
}
static hfm_result broken_read(void *ctx, void *file, uint64_t offset, void *dst, size_t size, size_t *got) {
  const hfm_memory_file *f = (const hfm_memory_file *)file;
  const int32_t fault = fault_now((broken_io *)ctx);
  const uint64_t left = offset < f->size ? f->size - offset : 0;
  *got = size < left ? size : (size_t)left;
  if (fault == FAILS) return -5;
  if (fault == SHORT) *got = (*got + 2) / 3;
  if (fault == NOTHING) *got = 0;
  if (*got) memcpy(dst, (const char *)f->data + offset, *got);
  if (fault == LIES) *got = size + 1;
  return HFM_OK;
}
static const void *broken_map(void *ctx, void *file) {
  broken_io *io = (broken_io *)ctx;
  if (fault_now(io) == NO_MAP || !io->maps) return NULL;
  if (io->hit && (io->fault == SIZE_MORE || io->fault == SIZE_ENDLESS))
    return NULL; /* a map is as long as size() said */
  return ((const hfm_memory_file *)file)->data;
}
static void broken_close(void *ctx, void *file) {
  (void)file;
  ((broken_io *)ctx)->open--;
}

static int add_file(broken_io *io, const char *path) {
  hfm_memory_file *file = &io->files[io->count];
  size_t size;
  file->data = load_file(path, &size);
  if (!file->data) return 0;
  file->name = path;
  file->size = size;
  io->count++;
  return 1;
}

/* Checks files[0] with each fault at each call: a sound file stays sound where the fault costs nothing, else it is an
   error; nothing is left open or allocated, and memory stays within the true size of the files and 64 MiB. */
static void check_every_call(broken_io *io) {
  hfm_options options;
  hfm_error error;
  int64_t bytes = 64 << 20;
  for (size_t i = 0; i < io->count; i++) bytes += (int64_t)io->files[i].size + 1;
  memset(&options, 0, sizeof options);
  options.io.ctx = io;
  options.io.open = broken_open;
  options.io.size = broken_size;
  options.io.read = broken_read;
  options.io.map = broken_map;
  options.io.close = broken_close;
  for (io->maps = 0; io->maps < 2; io->maps++) {
    for (io->fault = FINE; io->fault < FAULTS; io->fault++) {
      for (io->at = 0; io->at < 10000; io->at++) {
        failing_alloc memory;
        hfm_result result;
        io->calls = io->hit = 0;
        failing_alloc_begin(&memory, -1);
        options.allocator = memory.allocator;
        result = hfm_check_file(io->files[0].name, &options, &error);
        CHECK(failing_alloc_clean(&memory));
        /* what the io claims is all that is known of a file: then the limit on headers counts */
        CHECK(memory.peak_bytes < bytes + (io->fault == SIZE_ENDLESS ? 100000000 : 0));
        CHECK_INT(io->open, 0);
        CHECK(result == HFM_OK || (error.item != HFM_E_NONE && error.message[0] && error.file[0]));
        if (!io->hit || io->fault == SHORT || io->fault == NO_MAP) {
          if (!CHECK_INT(result, HFM_OK)) printf("    %s: %s\n", io->files[0].name, error.message);
        }
        if (io->calls <= io->at) break;
      }
      CHECK(io->at > 2);
    }
  }
  for (size_t i = 0; i < io->count; i++) free((void *)(uintptr_t)io->files[i].data);
}

static void test_every_call(void) {
  static const char *const files[][5] = {
      {"tests/models/bert_base/config.json", NULL},
      {"tests/models/llama_causal/generation_config.json", NULL},
      {"tests/fuzz/index.json", NULL},
      {"tests/models/bert_mixed/model.safetensors", NULL},
      {"tests/models/bert_sharded/model.safetensors.index.json",
       "tests/models/bert_sharded/model-00001-of-00003.safetensors",
       "tests/models/bert_sharded/model-00002-of-00003.safetensors",
       "tests/models/bert_sharded/model-00003-of-00003.safetensors", NULL},
      {"tests/hostile/torch/zip_checkpoint.bin", NULL},
      {"tests/hostile/torch/zip_big_endian.bin", NULL},
      {"tests/hostile/torch/zip_many.bin", NULL},
      {"tests/hostile/torch/legacy_checkpoint.bin", NULL},
      {"tests/hostile/torch/legacy_views.bin", NULL},
      {"tests/hostile/gguf/values.gguf", NULL},
      {"tests/hostile/gguf/types.gguf", NULL},
      {"tests/hostile/gguf/aligned.gguf", NULL},
  };
  for (size_t i = 0; i < CHECK_COUNT(files); i++) {
    broken_io io;
    memset(&io, 0, sizeof io);
    for (size_t k = 0; files[i][k]; k++)
      if (!add_file(&io, files[i][k])) return;
    check_every_call(&io);
  }
}

/* ---- Files that end too early ---- */

/* Every prefix of each kind of file: refused, but for white space at the end of JSON and padding at the end of GGUF;
   nothing is left. */
static void test_every_prefix(void) {
  static const char *const paths[] = {
      "tests/models/bert_base/config.json", "tests/models/llama_causal/generation_config.json",
      "tests/models/bert_sharded/model.safetensors.index.json", "tests/hostile/torch/zip_stream.safetensors",
      "tests/hostile/torch/zip_stream.bin", "tests/hostile/torch/legacy_checkpoint.bin",
      "tests/hostile/gguf/values.gguf", "tests/hostile/gguf/aligned.gguf"};
  for (size_t i = 0; i < CHECK_COUNT(paths); i++) {
    broken_io io;
    failing_alloc memory;
    hfm_memory_file file;
    memory_files files;
    hfm_options options;
    memset(&io, 0, sizeof io);
    memset(&options, 0, sizeof options);
    if (!add_file(&io, paths[i])) return;
    file = io.files[0];
    files.files = &file;
    files.count = 1;
    options.io = memory_io(&files);
    for (file.size = 0; file.size < io.files[0].size; file.size++) {
      char *exact = (char *)malloc(file.size ? file.size : 1); /* so that a sanitizer sees a read past the end */
      hfm_error error;
      hfm_result result;
      if (!CHECK(exact != NULL)) return;
      memcpy(exact, io.files[0].data, file.size);
      file.data = exact;
      failing_alloc_begin(&memory, -1);
      options.allocator = memory.allocator;
      options.local_copy = (int32_t)(file.size & 1);
      result = hfm_check_file(paths[i], &options, &error);
      if (result == HFM_OK) {
        for (size_t k = file.size; k < io.files[0].size; k++) {
          const char left = ((const char *)io.files[0].data)[k];
          const char *end = strrchr(paths[i], '.');
          CHECK(!strcmp(end, ".gguf") ? left == 0 : !strcmp(end, ".json") && (left == ' ' || left == '\n'));
        }
      } else {
        CHECK(error.item != HFM_E_NONE && error.message[0] && error.offset <= file.size);
        CHECK_CONTAINS(error.message, error.file);
      }
      CHECK(failing_alloc_clean(&memory));
      free(exact);
    }
    free((void *)(uintptr_t)io.files[0].data);
  }
}

/* ---- The file system ---- */

#if HAS_POSIX
#define DIR "build/test_sources"

static int copy_file(const char *from, const char *to) {
  char buffer[4096];
  size_t n;
  FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
  if (!CHECK(in != NULL && out != NULL)) return 0;
  while ((n = fread(buffer, 1, sizeof buffer, in)) > 0) CHECK_INT(fwrite(buffer, 1, n, out), n);
  fclose(in);
  return fclose(out) == 0;
}

/* A directory of our own with a copy of bert_sharded. */
static const char *const names[] = {"config.json", "model.safetensors.index.json", "model-00001-of-00003.safetensors",
                                    "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"};
static int fresh_model(void) {
  char from[128], to[128];
  (void)system("rm -rf " DIR);
  (void)mkdir("build", 0777);
  if (!CHECK_INT(mkdir(DIR, 0777), 0)) return 0;
  for (size_t i = 0; i < CHECK_COUNT(names); i++) {
    snprintf(from, sizeof from, "tests/models/bert_sharded/%s", names[i]);
    snprintf(to, sizeof to, DIR "/%s", names[i]);
    if (!copy_file(from, to)) return 0;
  }
  return 1;
}

static hfm_result load(hfm_model **model, hfm_error *error) {
  memset(error, -1, sizeof *error);
  return hfm_from_pretrained(DIR, NULL, model, error);
}

/* F1: something else in the place of each file of a model, or nothing, or an empty one. Never a hang, never a part of a
   model, and the error names what is in the way. */
static void test_in_place_of_a_file(void) {
  enum { DIRECTORY, FIFO, DEVICE, EMPTY, DANGLING, LOOP, ABSENT, KINDS };
  for (size_t i = 0; i < CHECK_COUNT(names); i++) {
    for (int kind = 0; kind < KINDS; kind++) {
      char path[128];
      hfm_model *model = NULL;
      hfm_error error;
      FILE *file;
      snprintf(path, sizeof path, DIR "/%s", names[i]);
      if (!fresh_model() || !CHECK_INT(remove(path), 0)) return;
      if (kind == DIRECTORY) CHECK_INT(mkdir(path, 0777), 0);
      if (kind == FIFO) CHECK_INT(mkfifo(path, 0600), 0);
      if (kind == DEVICE) CHECK_INT(symlink("/dev/zero", path), 0);
      if (kind == DANGLING) CHECK_INT(symlink("nowhere", path), 0);
      if (kind == LOOP) CHECK_INT(symlink(names[i], path), 0);
      if (kind == EMPTY && (file = fopen(path, "wb")) != NULL) fclose(file);
      if (!CHECK(load(&model, &error) != HFM_OK)) printf("    %s, %d\n", path, kind);
      CHECK(model == NULL && error.message[0] != 0);
      if (kind == ABSENT || kind == DANGLING) CHECK_INT(error.code, HFM_ERROR_NOT_FOUND);
      if (kind == DIRECTORY || kind == FIFO || kind == DEVICE) CHECK_INT(error.item, HFM_E_FILE_NOT_REGULAR);
      if (kind == EMPTY) CHECK_INT(error.code, HFM_ERROR_FORMAT);
      if (kind == LOOP) CHECK_INT(error.item, HFM_E_FILE_NAME);
      if (kind != ABSENT && kind != DANGLING) CHECK_STR(error.file, path);
      if (i > 0 && (kind == ABSENT || kind == DANGLING)) CHECK_CONTAINS(error.message, "model");
    }
  }
}

/* Links as the hub cache has them, read-only files in a read-only directory: a model like any other. */
static void test_links_and_read_only(void) {
  char path[128], target[128];
  hfm_model *model = NULL;
  hfm_error error;
  if (!fresh_model() || !CHECK_INT(mkdir(DIR "/blobs", 0777), 0)) return;
  for (size_t i = 0; i < CHECK_COUNT(names); i++) {
    snprintf(path, sizeof path, DIR "/%s", names[i]);
    snprintf(target, sizeof target, DIR "/blobs/%d", (int)i);
    CHECK_INT(rename(path, target), 0);
    CHECK_INT(chmod(target, 0444), 0);
    snprintf(target, sizeof target, "blobs/%d", (int)i);
    CHECK_INT(symlink(target, path), 0);
  }
  CHECK_INT(chmod(DIR, 0555), 0);
  if (!CHECK_INT(load(&model, &error), HFM_OK)) printf("    %s\n", error.message);
  hfm_model_free(model);
  CHECK_INT(chmod(DIR, 0777), 0);
}

/* F4: a file that is cut or grows while it is open is noticed when the next session is made, before anything of it is
   read; with local_copy nothing is mapped, and the weights are the ones that were there. */
static void test_changed_while_open(void) {
  for (int32_t copied = 0; copied < 2; copied++) {
    for (int32_t grows = 0; grows < 2; grows++) {
      hfm_options options;
      hfm_model *model = NULL;
      hfm_session *session = NULL, *before = NULL;
      hfm_error error;
      struct stat status;
      if (!fresh_model()) return;
      memset(&options, 0, sizeof options);
      options.local_copy = copied;
      if (!CHECK_INT(hfm_from_pretrained(DIR, &options, &model, &error), HFM_OK)) return;
      CHECK_INT(hfm_session_create(model, NULL, &before, &error), HFM_OK);
      CHECK_INT(stat(DIR "/model-00002-of-00003.safetensors", &status), 0);
      CHECK_INT(truncate(DIR "/model-00002-of-00003.safetensors", grows ? status.st_size + 1 : status.st_size - 1), 0);
      CHECK_INT(hfm_session_create(model, NULL, &session, &error), HFM_ERROR_IO);
      CHECK(session == NULL);
      CHECK_INT(error.item, HFM_E_FILE_CHANGED);
      CHECK_CONTAINS(error.message, "when the model was loaded: load it again");
      CHECK_STR(error.file, DIR "/model-00002-of-00003.safetensors");
      hfm_session_free(before);
      hfm_model_free(model);
      CHECK(hfm_from_pretrained(DIR, &options, &model, &error) != HFM_OK);
    }
  }
  (void)system("rm -rf " DIR);
}
#endif

int main(void) {
  TEST(test_every_call);
  TEST(test_every_prefix);
#if HAS_POSIX
  TEST(test_in_place_of_a_file);
  TEST(test_links_and_read_only);
  TEST(test_changed_while_open);
#else
  SKIP("no POSIX files here");
#endif
  return check_report("test_sources");
}
