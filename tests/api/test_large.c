/* Files beyond 4 GiB: bert_base behind 5 GiB of a tensor that nobody asks for, through a caller's hfm_io that makes the
   bytes up, and in a sparse file of the file system. Every number on the way has 64 bits, also where pointers have
   32. */
#include "posix.h"

#include "hfmodel.h"

#include "check.h"
#include "load_file.h"
#include "support.h"

enum { ROWS = 37283000 };
static const uint64_t filler = (uint64_t)ROWS * 36 * 4;
static const char table[] = "embeddings.word_embeddings.weight";
static const char fixture[] = FIXTURE("bert_base");

/* The header of the large file, and the bytes behind the filler. */
typedef struct large {
  char *config, *weights;
  size_t config_size, weights_size, header, tail;
  char *front;
} large;

/* Appends an entry of the header: a tensor of float32, `bytes` from `at` on. */
static void add_entry(large *l, size_t room, const char *name, const int64_t *shape, int32_t rank, uint64_t at,
                      uint64_t bytes) {
  char *text = l->front + 8;
  l->header += (size_t)snprintf(text + l->header, room - l->header, "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[",
                                l->header ? ',' : '{', name);
  for (int32_t d = 0; d < rank; d++)
    l->header += (size_t)snprintf(text + l->header, room - l->header, "%s%lld", d ? "," : "", (long long)shape[d]);
  l->header += (size_t)snprintf(text + l->header, room - l->header, "],\"data_offsets\":[%llu,%llu]}",
                                (unsigned long long)at, (unsigned long long)(at + bytes));
}

/* `needed`: the filler is the model's first table, not a tensor beside it. */
static int make(large *l, int needed) {
  static const int64_t filler_shape[] = {ROWS, 36};
  const size_t room = 65536;
  hfm_contents *contents = NULL;
  hfm_error error;
  uint64_t begin; /* of the data in the small file */
  memset(l, 0, sizeof *l);
  l->config = load_file(FIXTURE("bert_base/config.json"), &l->config_size);
  l->weights = load_file(FIXTURE("bert_base/model.safetensors"), &l->weights_size);
  l->front = (char *)calloc(room + 8, 1);
  if (!CHECK(l->config && l->weights && l->front) ||
      !CHECK_INT(hfm_read_contents(FIXTURE("bert_base/model.safetensors"), NULL, &contents, &error), HFM_OK))
    return 0;
  begin = contents->tensors[0].offset; /* they are in the order of the file */
  l->tail = l->weights_size - (size_t)begin;
  add_entry(l, room, needed ? table : "filler", filler_shape, 2, 0, filler);
  for (size_t i = 0; i < contents->tensor_count; i++) {
    const hfm_stored_tensor *t = &contents->tensors[i];
    CHECK_INT(t->dtype, HFM_F32);
    add_entry(l, room, needed && strcmp(t->name, table) == 0 ? "filler" : t->name, t->shape, t->rank,
              filler + t->offset - begin, t->bytes);
  }
  l->front[8 + l->header++] = '}';
  CHECK(l->header < room);
  for (int i = 0; i < 8; i++) l->front[i] = (char)((uint64_t)l->header >> 8 * i);
  hfm_contents_free(contents);
  return 1;
}

static void unmake(large *l) {
  free(l->config);
  free(l->weights);
  free(l->front);
}

static uint64_t size_of(const large *l) { return 8 + l->header + filler + l->tail; }

static hfm_result large_open(void *ctx, const char *name, void **file) {
  large *l = (large *)ctx;
  const char *end = strrchr(name, '/');
  if (!end || (strcmp(end, "/config.json") != 0 && strcmp(end, "/model.safetensors") != 0)) return HFM_ERROR_NOT_FOUND;
  *file = strcmp(end, "/config.json") == 0 ? (void *)l->config : (void *)l->weights;
  return HFM_OK;
}
static uint64_t large_size(void *ctx, void *file) {
  const large *l = (const large *)ctx;
  return file == (void *)l->config ? l->config_size : size_of(l);
}
static hfm_result large_read(void *ctx, void *file, uint64_t offset, void *dst, size_t size, size_t *got) {
  const large *l = (const large *)ctx;
  const uint64_t tail = 8 + l->header + filler;
  const char *from;
  uint64_t left;
  if (file == (void *)l->config) from = l->config + offset, left = l->config_size - offset;
  else if (offset < 8 + l->header) from = l->front + offset, left = 8 + l->header - offset;
  else if (offset < tail) return HFM_ERROR_IO; /* nobody has a reason to read the filler */
  else from = l->weights + l->weights_size - l->tail + (offset - tail), left = l->tail - (offset - tail);
  *got = size < left ? size : (size_t)left;
  memcpy(dst, from, *got);
  return HFM_OK;
}
static void large_close(void *ctx, void *file) {
  (void)ctx;
  (void)file;
}

static hfm_io large_io(large *l) {
  hfm_io io;
  memset(&io, 0, sizeof io);
  io.ctx = l;
  io.open = large_open;
  io.size = large_size;
  io.read = large_read;
  io.close = large_close;
  return io;
}

/* The model of a directory, run. */
static int run(const char *dir, const hfm_options *options, kept_output *kept) {
  static const int64_t ids[5] = {1, 5, 3, 60, 2};
  hfm_model *model = load_fixture(dir, options);
  hfm_session *session = model ? new_session(model, 1) : NULL;
  hfm_inputs in;
  memset(&in, 0, sizeof in);
  in.input_ids = hfm_tensor_i64(ids, 1, 5);
  kept->count = 0;
  if (session) (void)forward_kept(session, &in, kept);
  hfm_session_free(session);
  hfm_model_free(model);
  return kept->count != 0;
}

static kept_output want, got;

static void test_virtual(void) {
  large l;
  hfm_options options;
  hfm_error error;
  if (!make(&l, 0) || !run(fixture, NULL, &want)) return;
  memset(&options, 0, sizeof options);
  options.io = large_io(&l);
  CHECK(run("dir", &options, &got));
  CHECK(same_bits(&want, &got));
  CHECK_INT(hfm_check_file("dir/model.safetensors", &options, &error), HFM_OK);
  l.front[8 + 41] = '9'; /* a digit of the filler's size: still far beyond 32 bits, and now wrong */
  CHECK_INT(hfm_check_file("dir/model.safetensors", &options, &error), HFM_ERROR_FORMAT);
  unmake(&l);
}

/* The weights of a model that no address space of 32 bits holds, new ones and those of a file: said before anything is
   allocated for them or read. */
static void test_address_space(void) {
  hfm_config *config = NULL;
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  large l;
  if (sizeof(void *) > 4) {
    SKIP("the address space holds what a configuration can ask for");
    return;
  }
  memset(&options, 0, sizeof options);
  CHECK_INT(hfm_config_from_pretrained(fixture, NULL, &config, &error), HFM_OK);
  CHECK_INT(hfm_config_set_int(config, "vocab_size", 50000000, &error), HFM_OK);
  CHECK_INT(hfm_from_config(config, &options, &model, &error), HFM_ERROR_LIMIT);
  CHECK_INT(error.item, HFM_E_ADDRESS_SPACE);
  CHECK(model == NULL);
  CHECK_INT(hfm_config_set_int(config, "vocab_size", ROWS, &error), HFM_OK);
  options.config = config;
  for (options.local_copy = 0; options.local_copy < 2 && make(&l, 1); options.local_copy++) {
    options.io = large_io(&l);
    CHECK_INT(hfm_from_pretrained("dir", &options, &model, &error), HFM_ERROR_LIMIT);
    CHECK_INT(error.item, HFM_E_ADDRESS_SPACE);
    CHECK_CONTAINS(error.message, table);
    unmake(&l);
  }
  hfm_config_free(config);
}

static void test_sparse(void) {
#if HAS_POSIX
  static const char dir[] = "build/test_large", path[] = "build/test_large/model.safetensors";
  large l;
  int file, ok;
  FILE *config;
  if (sizeof(off_t) < 8) { /* such a build can't open the file, and says what to do */
    hfm_error error;
    (void)mkdir("build", 0777);
    (void)mkdir(dir, 0777);
    if (system("truncate -s 5G build/test_large/model.safetensors 2>/dev/null") == 0) {
      CHECK_INT(hfm_check_file(path, NULL, &error), HFM_ERROR_LIMIT);
      CHECK_INT(error.item, HFM_E_FILE_TOO_LARGE);
      CHECK_CONTAINS(error.message, "compile with 64-bit file offsets (-D_FILE_OFFSET_BITS=64)");
    } else {
      SKIP("no file of 5 GiB can be made");
    }
    remove(path);
    (void)rmdir(dir);
    return;
  }
  if (!make(&l, 0) || !run(fixture, NULL, &want)) return;
  (void)mkdir("build", 0777);
  (void)mkdir(dir, 0777);
  file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ok = file >= 0 && write(file, l.front, 8 + l.header) == (ssize_t)(8 + l.header) &&
       lseek(file, (off_t)(8 + l.header + filler), SEEK_SET) == (off_t)(8 + l.header + filler) &&
       write(file, l.weights + l.weights_size - l.tail, l.tail) == (ssize_t)l.tail;
  if (file >= 0) close(file);
  config = fopen("build/test_large/config.json", "wb");
  if (config) {
    CHECK_INT(fwrite(l.config, 1, l.config_size, config), l.config_size);
    fclose(config);
  }
  if (ok) {
    for (int32_t copied = 0; copied < 2; copied++) {
      hfm_options options;
      memset(&options, 0, sizeof options);
      options.local_copy = copied;
      CHECK(run(dir, &options, &got));
      CHECK(same_bits(&want, &got));
    }
  } else {
    SKIP("the file system has no sparse files of 5 GiB");
  }
  remove(path);
  remove("build/test_large/config.json");
  (void)rmdir(dir);
  unmake(&l);
#else
  SKIP("no POSIX files here");
#endif
}

int main(void) {
  TEST(test_virtual);
  TEST(test_address_space);
  TEST(test_sparse);
  return check_report("test_large");
}
