/* Files beyond 4 GiB: bert_base behind 5 GiB of a tensor that nobody asks for, through a caller's hfm_io that makes the
   bytes up, and in a sparse file of the file system. Every number on the way has 64 bits, also where pointers have
   32. */
#include "posix.h"

#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
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
  hfm__context ctx;
} large;

/* `needed`: the filler is the model's first table, not a tensor beside it. */
static int make(large *l, int needed) {
  hfm_error error;
  hfm__checkpoint ckpt;
  hfm__text t;
  const size_t room = 65536;
  memset(l, 0, sizeof *l);
  if (!CHECK_INT(hfm__context_init(NULL, &l->ctx, &error), HFM_OK) ||
      !CHECK_INT(hfm__file_load(&l->ctx, FIXTURE("bert_base/config.json"), room, &l->config, &l->config_size, &error),
                 HFM_OK) ||
      !CHECK_INT(hfm__file_load(&l->ctx, FIXTURE("bert_base/model.safetensors"), 1 << 20, &l->weights, &l->weights_size,
                                &error),
                 HFM_OK) ||
      !CHECK_INT(hfm__checkpoint_open_file(&l->ctx, FIXTURE("bert_base/model.safetensors"), NULL, &ckpt, &error),
                 HFM_OK))
    return 0;
  l->header = (size_t)hfm__le64((const uint8_t *)l->weights);
  l->tail = l->weights_size - 8 - l->header;
  l->front = (char *)malloc(room);
  if (!CHECK(l->front != NULL)) return 0;
  t = hfm__text_to(l->front + 8, room - 8);
  hfm__text_format(&t, "{\"%s\":{\"dtype\":\"F32\",\"shape\":[%u,36],\"data_offsets\":[0,%u]}",
                   needed ? table : "filler", (uint64_t)ROWS, filler);
  for (size_t i = 0; i < ckpt.count; i++) {
    const hfm__file_tensor *tensor = &ckpt.tensors[i];
    const uint64_t at = filler + tensor->offset - 8 - l->header;
    hfm__text_format(&t, ",\"%s\":{\"dtype\":\"F32\",\"shape\":%t,\"data_offsets\":[%u,%u]}",
                     needed && hfm__equal(tensor->name, table) ? "filler" : tensor->name, tensor->shape,
                     (int)tensor->rank, at, at + tensor->bytes);
    CHECK_INT(tensor->dtype, HFM_F32);
  }
  hfm__text_str(&t, "}");
  CHECK(t.length < room - 8);
  l->header = t.length;
  for (int i = 0; i < 8; i++) l->front[i] = (char)((uint64_t)t.length >> 8 * i);
  hfm__checkpoint_close(&ckpt);
  return 1;
}

static void unmake(large *l) {
  hfm__free(&l->ctx.mem, l->config, (uint64_t)l->config_size + 1);
  hfm__free(&l->ctx.mem, l->weights, (uint64_t)l->weights_size + 1);
  free(l->front);
}

static uint64_t size_of(const large *l) { return 8 + l->header + filler + l->tail; }

static hfm_result large_open(void *ctx, const char *name, void **file) {
  large *l = (large *)ctx;
  *file = hfm__ends_with(name, "/config.json") ? (void *)l->config : (void *)l->weights;
  return hfm__ends_with(name, "/config.json") || hfm__ends_with(name, "/model.safetensors") ? HFM_OK
                                                                                            : HFM_ERROR_NOT_FOUND;
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
  *got = (size_t)HFM__MIN((uint64_t)size, left);
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
