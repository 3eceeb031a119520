/* A model directory with pytorch_model.bin instead of model.safetensors gives the same bits. The .bin files are made
   here from a fixture's weights: in one piece, sharded with an index, and with every matrix stored transposed, as
   torch.save writes a view. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include "find_tensor.h"

static const char folder[] = "tests/models/llama_token";
enum { ROOM = 1 << 18, LENGTH = 9, LABELS = 64 };

/* A stored zip archive under construction: local entries first, the directory at the end. */
typedef struct archive {
  uint8_t bytes[ROOM], directory[ROOM / 8];
  size_t size, directory_size, count;
} archive;

static void append(uint8_t *to, size_t *size, const void *data, size_t n) {
  if (n) memcpy(to + *size, data, n);
  *size += n;
}

static void append_number(uint8_t *to, size_t *size, uint64_t value, int width) {
  for (int i = 0; i < width; i++) to[(*size)++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

static void add_entry(archive *a, const char *name, const void *data, size_t n) {
  const size_t length = strlen(name), local = a->size;
  append_number(a->bytes, &a->size, 0x04034b50, 4);
  append_number(a->bytes, &a->size, 0, 22);
  append_number(a->bytes, &a->size, length, 4);
  append(a->bytes, &a->size, name, length);
  append(a->bytes, &a->size, data, n);
  append_number(a->directory, &a->directory_size, 0x02014b50, 4);
  append_number(a->directory, &a->directory_size, 0, 16);
  append_number(a->directory, &a->directory_size, n, 4);
  append_number(a->directory, &a->directory_size, n, 4);
  append_number(a->directory, &a->directory_size, length, 4);
  append_number(a->directory, &a->directory_size, 0, 10);
  append_number(a->directory, &a->directory_size, local, 4);
  append(a->directory, &a->directory_size, name, length);
  a->count++;
}

static void end_archive(archive *a) {
  const size_t at = a->size;
  append(a->bytes, &a->size, a->directory, a->directory_size);
  append_number(a->bytes, &a->size, 0x06054b50, 4);
  append_number(a->bytes, &a->size, 0, 4);
  append_number(a->bytes, &a->size, a->count, 2);
  append_number(a->bytes, &a->size, a->count, 2);
  append_number(a->bytes, &a->size, a->directory_size, 4);
  append_number(a->bytes, &a->size, at, 4);
  append_number(a->bytes, &a->size, 0, 2);
}

static void pickle_text(uint8_t *pickle, size_t *size, const char *text) {
  pickle[(*size)++] = 'X';
  append_number(pickle, size, strlen(text), 4);
  append(pickle, size, text, strlen(text));
}

static void pickle_int(uint8_t *pickle, size_t *size, int64_t value) {
  pickle[(*size)++] = 'J';
  append_number(pickle, size, (uint64_t)value, 4);
}

/* Instructions and globals, as they are. */
#define PICKLE(text) append(pickle, &n, text, sizeof(text) - 1)

/* The tensors of a checkpoint whose index is `part` modulo `parts`, as an archive. */
static void make_bin(archive *a, const hfm__checkpoint *ckpt, size_t part, size_t parts, int transposed) {
  static uint8_t pickle[ROOM / 4], data[ROOM];
  size_t n = 0;
  char key[24], entry[40];
  memset(a, 0, sizeof *a);
  PICKLE("\x80\2}");
  for (size_t i = part; i < ckpt->count; i += parts) {
    const hfm__file_tensor *t = &ckpt->tensors[i];
    const int turn = transposed && t->rank == 2;
    const int64_t rows = t->rank == 2 ? t->shape[0] : 1, columns = t->shape[t->rank - 1];
    CHECK_INT(t->dtype, HFM_F32);
    snprintf(key, sizeof key, "%d", (int)i);
    pickle_text(pickle, &n, t->name);
    PICKLE("ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(pickle, &n, "storage");
    PICKLE("ctorch\nFloatStorage\n");
    pickle_text(pickle, &n, key);
    pickle_text(pickle, &n, "cpu");
    pickle_int(pickle, &n, rows * columns);
    PICKLE("tQK\0(");
    for (int32_t d = 0; d < t->rank; d++) pickle_int(pickle, &n, t->shape[d]);
    PICKLE("t(");
    for (int32_t d = 0; d < t->rank; d++) pickle_int(pickle, &n, turn ? (d ? rows : 1) : stride_of(t, d));
    PICKLE("t\x89}tRs");
  }
  PICKLE(".");
  add_entry(a, "m/data.pkl", pickle, n);
  for (size_t i = part; i < ckpt->count; i += parts) {
    const hfm__file_tensor *t = &ckpt->tensors[i];
    const int64_t rows = t->rank == 2 ? t->shape[0] : 1, columns = t->shape[t->rank - 1];
    hfm_error error;
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = 0; c < columns; c++) {
        const int64_t from = r * columns + c, to = transposed && t->rank == 2 ? c * rows + r : from;
        const uint64_t offset = t->offset + (uint64_t)from * 4;
        CHECK_INT(hfm__file_read(&ckpt->files[0], offset, data + to * 4, 4, &error), HFM_OK);
      }
    snprintf(entry, sizeof entry, "m/data/%d", (int)i);
    add_entry(a, entry, data, (size_t)t->bytes);
  }
  end_archive(a);
}

/* The same tensors' shapes, all of them int8 and over the bytes of one storage. */
static void make_aliased(archive *a, const hfm__checkpoint *ckpt) {
  static uint8_t pickle[ROOM / 4], data[ROOM / 16];
  size_t n = 0;
  uint64_t largest = 0;
  memset(a, 0, sizeof *a);
  for (size_t i = 0; i < ckpt->count; i++) largest = HFM__MAX(largest, ckpt->tensors[i].bytes / 4);
  CHECK(largest <= sizeof data);
  PICKLE("\x80\2}");
  for (size_t i = 0; i < ckpt->count; i++) {
    const hfm__file_tensor *t = &ckpt->tensors[i];
    pickle_text(pickle, &n, t->name);
    PICKLE("ctorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nCharStorage\nU\1" "0U\3cpu");
    pickle_int(pickle, &n, (int64_t)largest);
    PICKLE("tQK\0(");
    for (int32_t d = 0; d < t->rank; d++) pickle_int(pickle, &n, t->shape[d]);
    PICKLE("t(");
    for (int32_t d = 0; d < t->rank; d++) pickle_int(pickle, &n, stride_of(t, d));
    PICKLE("t\x89}tRs");
  }
  PICKLE(".");
  add_entry(a, "m/data.pkl", pickle, n);
  add_entry(a, "m/data/0", data, (size_t)largest);
  end_archive(a);
}

/* Logits of a model made of these files; their number. */
static size_t run(const hfm_memory_file *files, size_t count, float *logits) {
  static const int64_t ids[LENGTH] = {1, 5, 3, 2, 7, 4, 6, 8, 9};
  hfm_options options;
  hfm_inputs inputs;
  hfm_outputs outputs;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  size_t n = 0;
  memset(&options, 0, sizeof options);
  memset(&inputs, 0, sizeof inputs);
  options.task = HFM_TASK_FROM_CONFIG;
  inputs.input_ids = hfm_tensor_i64(ids, 1, LENGTH);
  if (CHECK_INT(hfm_from_memory(files, count, &options, &model, &error), HFM_OK)) {
    CHECK_INT(hfm_load_report_size(model), 0);
    if (CHECK_INT(hfm_session_create(model, NULL, &session, &error), HFM_OK) &&
        CHECK_INT(hfm_forward(session, &inputs, &outputs, &error), HFM_OK)) {
      n = (size_t)(outputs.logits.shape[1] * outputs.logits.shape[2]);
      if (CHECK(n && n <= LENGTH * LABELS)) memcpy(logits, outputs.logits.data, n * sizeof *logits);
    }
  } else {
    printf("    %s\n", error.message);
  }
  hfm_session_free(session);
  hfm_model_free(model);
  return n;
}

static void test_same_bits(void) {
  static archive whole, turned, shards[2];
  static float want[LENGTH * LABELS], got[LENGTH * LABELS];
  static char index[ROOM / 8];
  char path[256], *config = NULL, *weights = NULL;
  size_t config_size, weights_size, n;
  hfm_memory_file files[4];
  hfm__text t = hfm__text_to(index, sizeof index);
  archive *last;
  size_t tensors;
  hfm__context ctx;
  hfm__checkpoint ckpt;
  hfm_error error;
  CHECK_INT(hfm__context_init(NULL, &ctx, &error), HFM_OK);
  snprintf(path, sizeof path, "%s/config.json", folder);
  if (!CHECK_INT(hfm__file_load(&ctx, path, 1 << 16, &config, &config_size, &error), HFM_OK)) return;
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  if (!CHECK_INT(hfm__file_load(&ctx, path, ROOM / 2, &weights, &weights_size, &error), HFM_OK) ||
      !CHECK_INT(hfm__checkpoint_open_file(&ctx, path, NULL, &ckpt, &error), HFM_OK))
    return;
  make_bin(&whole, &ckpt, 0, 1, 0);
  make_bin(&turned, &ckpt, 0, 1, 1);
  hfm__text_str(&t, "{\"metadata\":{},\"weight_map\":");
  for (size_t i = 0; i < ckpt.count; i++)
    hfm__text_format(&t, "%s\"%s\":\"pytorch_model-0000%d-of-00002.bin\"", i ? "," : "{", ckpt.tensors[i].name,
                     (int)(i % 2 + 1));
  hfm__text_str(&t, "}}");
  for (size_t i = 0; i < 2; i++) make_bin(&shards[i], &ckpt, i, 2, 0);
  tensors = ckpt.count;
  CHECK_STR(ckpt.tensors[tensors - 1].name, "score.weight");
  hfm__checkpoint_close(&ckpt);
  files[0].name = "config.json";
  files[0].data = config;
  files[0].size = config_size;
  files[1].name = "model.safetensors";
  files[1].data = weights;
  files[1].size = weights_size;
  n = run(files, 2, want);
  files[1].name = "pytorch_model.bin";
  files[1].data = whole.bytes;
  files[1].size = whole.size;
  CHECK_INT(run(files, 2, got), n);
  CHECK(memcmp(want, got, n * sizeof *want) == 0);
  files[1].data = turned.bytes;
  files[1].size = turned.size;
  CHECK_INT(run(files, 2, got), n);
  CHECK(memcmp(want, got, n * sizeof *want) == 0);
  files[1].name = "pytorch_model.bin.index.json";
  files[1].data = index;
  files[1].size = t.length;
  for (size_t i = 0; i < 2; i++) {
    files[2 + i].name = i ? "pytorch_model-00002-of-00002.bin" : "pytorch_model-00001-of-00002.bin";
    files[2 + i].data = shards[i].bytes;
    files[2 + i].size = shards[i].size;
  }
  CHECK_INT(run(files, 4, got), n);
  CHECK(memcmp(want, got, n * sizeof *want) == 0);
  /* one flipped bit is seen: in the last element of the last tensor, the head's weight */
  last = &shards[(tensors - 1) % 2];
  last->bytes[last->size - 22 - last->directory_size - 1] ^= 0x40;
  CHECK(run(files, 4, got) != n || memcmp(want, got, n * sizeof *want) != 0);
  hfm__free(&ctx.mem, config, (uint64_t)config_size + 1);
  hfm__free(&ctx.mem, weights, (uint64_t)weights_size + 1);
}

/* What a load allocates is bounded by the files, however often the same bytes of them are named. */
static void test_aliases(void) {
  static archive aliased;
  char path[256], *config = NULL;
  size_t config_size;
  hfm_memory_file files[2];
  hfm_options options;
  hfm__context ctx;
  hfm__checkpoint ckpt;
  hfm_error error;
  CHECK_INT(hfm__context_init(NULL, &ctx, &error), HFM_OK);
  snprintf(path, sizeof path, "%s/config.json", folder);
  if (!CHECK_INT(hfm__file_load(&ctx, path, 1 << 16, &config, &config_size, &error), HFM_OK)) return;
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  if (!CHECK_INT(hfm__checkpoint_open_file(&ctx, path, NULL, &ckpt, &error), HFM_OK)) return;
  make_aliased(&aliased, &ckpt);
  hfm__checkpoint_close(&ckpt);
  files[0].name = "config.json";
  files[0].data = config;
  files[0].size = config_size;
  files[1].name = "pytorch_model.bin";
  files[1].data = aliased.bytes;
  files[1].size = aliased.size;
  memset(&options, 0, sizeof options);
  options.task = HFM_TASK_FROM_CONFIG;
  for (int small = 0; small < 2; small++) {
    failing_alloc memory;
    hfm_model *model = NULL;
    failing_alloc_begin(&memory, -1);
    options.allocator = memory.allocator;
    options.limits.max_new_bytes = small ? 1 : 0;
    CHECK_INT(hfm_from_memory(files, 2, &options, &model, &error), small ? HFM_ERROR_LIMIT : HFM_OK);
    if (small) CHECK_INT(error.item, HFM_E_NEW_WEIGHTS_LIMIT);
    else CHECK(memory.peak_bytes > (int64_t)(4 * aliased.size));
    hfm_model_free(model);
    CHECK(failing_alloc_clean(&memory));
  }
  hfm__free(&ctx.mem, config, (uint64_t)config_size + 1);
}

int main(void) {
  TEST(test_aliases);
  TEST(test_same_bits);
  return check_report("test_torch_model");
}
