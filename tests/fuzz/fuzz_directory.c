/* The bytes are the files of a model's directory ("NAME SIZE\n", bytes, ...), served by an hfm_io that may read short,
   fail at some call, or tell another size each time. The file "options" says how that is, and how the model is
   loaded. */
#include "fuzz_files.h"
#include "fuzz_model.h"
#include "mutate_pickle.h"
#include "mutate_safetensors.h"
#include "write_directory.h"

typedef struct fuzz_served {
  const fuzz_file *files;
  uint8_t *bytes[FUZZ_FILES]; /* each file in a block of its own, of its size */
  size_t count;
  uint32_t calls, fail_at; /* 0: no call fails */
  uint32_t flags;
  int32_t open;
} fuzz_served;
enum {
  FUZZ_IO_NO_MAP = 1,
  FUZZ_IO_SHORT = 2,
  FUZZ_IO_GROWS = 4,
  FUZZ_IO_SHRINKS = 8,
  FUZZ_IO_NO_MEMORY = 16,
  FUZZ_ALLOC_FAILS = 32 /* an allocation does, not a call of the io */
};

static int fuzz_io_fails(fuzz_served *d) { return ++d->calls == d->fail_at && !(d->flags & FUZZ_ALLOC_FAILS); }

static hfm_result fuzz_io_open(void *ctx, const char *name, void **file) {
  fuzz_served *d = (fuzz_served *)ctx;
  if (fuzz_io_fails(d)) return d->flags & FUZZ_IO_NO_MEMORY ? HFM_ERROR_MEMORY : 77;
  for (size_t i = 0; i < d->count; i++) {
    if (strncmp(name, "d/", 2) != 0 || strcmp(d->files[i].name, name + 2) != 0) continue;
    *file = (void *)(uintptr_t)&d->files[i];
    d->open++;
    return HFM_OK;
  }
  return HFM_ERROR_NOT_FOUND;
}

static uint64_t fuzz_io_size(void *ctx, void *handle) {
  fuzz_served *d = (fuzz_served *)ctx;
  const fuzz_file *file = (const fuzz_file *)handle;
  const uint64_t size = file->end - file->begin;
  if (!fuzz_io_fails(d)) return size;
  return d->flags & FUZZ_IO_GROWS ? size + 1000 : d->flags & FUZZ_IO_SHRINKS ? size / 2 : size;
}

static hfm_result fuzz_io_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size, size_t *got) {
  fuzz_served *d = (fuzz_served *)ctx;
  const fuzz_file *file = (const fuzz_file *)handle;
  const size_t end = file->end - file->begin;
  if (fuzz_io_fails(d)) return HFM_ERROR_IO;
  *got = offset < end ? FUZZ_MIN(size, end - (size_t)offset) : 0;
  if (d->flags & FUZZ_IO_SHORT && *got > 1) *got = 1 + *got / 2;
  if (*got) memcpy(dst, d->bytes[file - d->files] + offset, *got);
  return HFM_OK;
}

static const void *fuzz_io_map(void *ctx, void *handle) {
  fuzz_served *d = (fuzz_served *)ctx;
  return fuzz_io_fails(d) ? NULL : d->bytes[(const fuzz_file *)handle - d->files];
}

static void fuzz_io_close(void *ctx, void *handle) {
  (void)handle;
  ((fuzz_served *)ctx)->open--;
}

/* Copies the files to blocks of their own, and takes the options from theirs. */
static uint64_t fuzz_serve(fuzz_served *d, const fuzz_file *files, size_t count, const uint8_t *data) {
  uint64_t choice = 0;
  memset(d, 0, sizeof *d);
  d->files = files;
  for (d->count = 0; d->count < count; d->count++) {
    const size_t size = files[d->count].end - files[d->count].begin;
    uint8_t *copy = (uint8_t *)malloc(size + !size);
    if (!copy) break;
    memcpy(copy, data + files[d->count].begin, size);
    d->bytes[d->count] = copy;
    if (strcmp(files[d->count].name, "options") != 0 || size < 8) continue;
    d->flags = copy[0];
    d->fail_at = copy[1];
    choice = fuzz_le64(copy) >> 16;
  }
  return choice;
}

FUZZ_TARGET(directory) {
  fuzz_file files[FUZZ_FILES];
  const size_t count = fuzz_files_read(data, size, files);
  fuzz_served d;
  const uint64_t choice = fuzz_serve(&d, files, count, data);
  fuzz_memory memory;
  hfm_options options = fuzz_options(&memory, size);
  hfm_model *model = NULL;
  hfm_error error;
  hfm_result result;
  fuzz_choose_options(&options, choice ^ 1); /* zeros: the class that the configuration names */
  options.use_safetensors = (int32_t)(choice >> 40 & 3) - (choice >> 40 & 3 ? 2 : 0);
  options.subfolder = choice >> 42 & 15 ? NULL : choice ? "sub" : NULL;
  options.variant = choice >> 46 & 3 ? NULL : choice ? "fp16" : NULL;
  if (d.flags & FUZZ_ALLOC_FAILS) memory.refuse_at = d.fail_at * 4;
  options.io.ctx = &d;
  options.io.open = fuzz_io_open;
  options.io.size = fuzz_io_size;
  options.io.read = fuzz_io_read;
  /* A map has the size that it says, so there is none where sizes grow. */
  options.io.map = d.flags & (FUZZ_IO_NO_MAP | FUZZ_IO_GROWS) ? NULL : fuzz_io_map;
  options.io.close = fuzz_io_close;
  result = hfm_from_pretrained("d", &options, &model, &error);
  fuzz_verdict(result, &error, model);
  if (model) fuzz_use_model(model);
  hfm_model_free(model);
  FUZZ_REQUIRE(d.open == 0, "a file was left open");
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
  for (size_t i = 0; i < d.count; i++) {
    hfm_error reason;
    char path[FUZZ_FILE_NAME + 2];
    snprintf(path, sizeof path, "d/%s", files[i].name);
    result = hfm_check_file(path, &options, &reason);
    fuzz_verdict(result, &reason, result == HFM_OK ? path : NULL);
  }
  FUZZ_REQUIRE(d.open == 0 && memory.used == 0, "a check left something over");
  for (size_t i = 0; i < d.count; i++) free(d.bytes[i]);
  return 0;
}

static int fuzz_ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

static void fuzz_mutate_by_name(fuzz_edit *file, const char *name) {
  if (fuzz_ends_with(name, ".index.json")) (void)fuzz_mutate_json(file, 0, file->size, &fuzz_index_words);
  else if (fuzz_ends_with(name, ".json")) (void)fuzz_mutate_json(file, 0, file->size, &fuzz_config_words);
  else if (fuzz_ends_with(name, ".safetensors")) fuzz_mutate_safetensors(file);
  else if (file->size > 8 && file->data[0] == 0x80 && fuzz_below(file, 8))
    fuzz_mutate_pickle(file, sizeof fuzz_legacy_head - 1, 2);
  else (void)fuzz_mutate_range(file, 0, file->size);
}

/* One file changed, renamed, dropped or written twice. */
static void fuzz_mutate_directory(fuzz_edit *e) {
  static const char *const names[] = {
    "options", "config.json", "model.safetensors", "model.safetensors.index.json", "a.safetensors", "b.safetensors",
    "pytorch_model.bin", "pytorch_model.bin.index.json", "generation_config.json", "x.bin", "sub/config.json",
    "model.fp16.safetensors"};
  static uint8_t bytes[2 * FUZZ_DIRECTORY_ROOM];
  fuzz_file files[FUZZ_FILES];
  const size_t count = fuzz_files_read(e->data, e->size, files);
  const fuzz_file *file = count ? &files[fuzz_below(e, count)] : NULL;
  const size_t size = file ? file->end - file->begin : 0, tail = file ? e->size - file->end : 0;
  const char *name = file ? file->name : NULL;
  fuzz_edit one = fuzz_edit_begin(bytes, size, FUZZ_DIRECTORY_ROOM, fuzz_below(e, 1u << 30));
  if (!file || size > FUZZ_DIRECTORY_ROOM || tail > FUZZ_DIRECTORY_ROOM) return;
  memcpy(bytes, e->data + file->begin, size);
  memcpy(bytes + FUZZ_DIRECTORY_ROOM, e->data + file->end, tail);
  e->size = file->line;
  switch (fuzz_below(e, 24)) {
    case 0: name = FUZZ_PICK(e, names); break;
    case 1: name = NULL; break;
    case 2:
      e->size = file->end;
      name = FUZZ_PICK(e, names);
      break;
    default: fuzz_mutate_by_name(&one, name); break;
  }
  if (name) fuzz_write_file(e, name, one.data, one.size);
  if (e->room - e->size < tail) return;
  memcpy(e->data + e->size, bytes + FUZZ_DIRECTORY_ROOM, tail);
  e->size += tail;
}

FUZZ_MUTATOR(directory) {
  fuzz_edit e = fuzz_edit_begin(data, size, max_size, seed);
  if (size < 16 || fuzz_below(&e, 256) == 0) fuzz_write_directory(&e);
  else if (fuzz_below(&e, 64) == 0) return FUZZ_MUTATE_BYTES(data, size, max_size);
  else fuzz_mutate_directory(&e);
  return e.size;
}
