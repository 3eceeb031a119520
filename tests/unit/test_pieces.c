/* Parameters that files hold in pieces, the weights of experts: used where they lie, read one by one, or refused with
   what is wrong with them. */
#include "hfmodel.h"

#include "check.h"
#include "said.h"
#include "tensors.h"

#include <stdlib.h>

enum { ROOM = 1 << 20 };
static uint8_t config[1 << 14];
static union {
  uint8_t bytes[ROOM];
  double aligned;
} weights;
static hfm_memory_file files[2];

static size_t read_file(const char *dir, const char *name, uint8_t *bytes, size_t room) {
  char path[256];
  FILE *f;
  size_t n;
  snprintf(path, sizeof path, "tests/models/%s/%s", dir, name);
  f = fopen(path, "rb");
  n = f ? fread(bytes, 1, room, f) : 0;
  CHECK(f != NULL && n > 0 && n < room);
  if (f) fclose(f);
  return n;
}

static void open_fixture(const char *dir) {
  files[0].name = "config.json";
  files[0].data = config;
  files[0].size = read_file(dir, "config.json", config, sizeof config);
  files[1].name = "model.safetensors";
  files[1].data = weights.bytes;
  files[1].size = read_file(dir, "model.safetensors", weights.bytes, sizeof weights.bytes);
}

/* Puts one text of the header in the place of another one of the same length. */
static void edit(const char *from, const char *to) {
  const size_t n = strlen(from), end = 8 + (size_t)weights.bytes[0] + ((size_t)weights.bytes[1] << 8);
  size_t i = 8;
  CHECK_INT((long)strlen(to), (long)n);
  while (i + n <= end && memcmp(weights.bytes + i, from, n) != 0) i++;
  if (!CHECK(i + n <= end)) printf("    no %s\n", from);
  else memcpy(weights.bytes + i, to, n);
}

static hfm_result load(const hfm_options *given, hfm_model **model, hfm_error *error) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  if (given) options = *given;
  options.task = HFM_TASK_FROM_CONFIG;
  memset(error, 0, sizeof *error);
  return hfm_from_memory(files, 2, &options, model, error);
}

static size_t index_of(const hfm_model *model, const char *name) {
  hfm_named_tensor entry;
  for (size_t i = 0; hfm_state_dict_at(model, i, &entry) == HFM_OK; i++)
    if (!strcmp(entry.name, name)) return i;
  CHECK(0);
  return 0;
}

static int is_inside(const hfm_tensor *t) {
  const uint8_t *at = (const uint8_t *)t->data;
  return at >= weights.bytes && at < weights.bytes + files[1].size;
}

/* The sum of a stack's elements, each times its place: the same however it is stored. */
static double fingerprint(const hfm_model *model, size_t index, size_t *pieces) {
  double sum = 0;
  int64_t at = 0;
  hfm_tensor piece;
  for (*pieces = 0; hfm_state_dict_piece(model, index, *pieces, &piece) == HFM_OK; ++*pieces)
    for (int64_t i = 0; i < elements_of(&piece); i++, at++)
      sum += element_of(&piece, i) * (double)(at % 1009 + 1);
  return sum;
}

/* Where they lie, if they can be computed from as they are; otherwise one behind the other. */
static void test_in_place(void) {
  static const struct {
    hfm_dtype dtype;
    int32_t in_place;
  } rows[] = {{HFM_DTYPE_AUTO, 1}, {HFM_F16, 1}, {HFM_F32, 0}};
  double first = 0;
  open_fixture("mixtral_f16");
  for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
    const int32_t in_place = rows[i].in_place && is_little_endian();
    hfm_options options;
    hfm_model *model = NULL;
    hfm_named_tensor entry;
    hfm_tensor piece;
    hfm_error error;
    size_t stack, pieces;
    memset(&options, 0, sizeof options);
    options.dtype = rows[i].dtype;
    if (!CHECK_INT(load(&options, &model, &error), HFM_OK)) return;
    stack = index_of(model, "layers.0.mlp.experts.gate_up_proj");
    CHECK_INT(hfm_state_dict_at(model, stack, &entry), HFM_OK);
    CHECK_INT(entry.tensor.rank, 3);
    CHECK_INT(entry.tensor.shape[0] * 100 + entry.tensor.shape[1], 326);
    CHECK_INT(entry.tensor.data == NULL, in_place);
    CHECK_INT(hfm_state_dict_piece(model, stack, 0, &piece), HFM_OK);
    CHECK_INT(is_inside(&piece), in_place);
    CHECK_INT(piece.rank, in_place ? 2 : 3);
    if (in_place) CHECK_INT(piece.shape[0] * 100 + piece.shape[1], 1320);
    if (!i) first = fingerprint(model, stack, &pieces);
    CHECK(fingerprint(model, stack, &pieces) == first);
    CHECK_INT((long)pieces, in_place ? 6 : 1);
    CHECK_INT(hfm_state_dict_piece(model, stack, pieces, &piece), HFM_ERROR_NOT_FOUND);
    CHECK_INT(hfm_state_dict_piece(model, index_of(model, "norm.weight"), 0, &piece), HFM_OK);
    CHECK_INT(piece.rank, 1);
    CHECK_INT(hfm_state_dict_piece(model, 1000, 0, &piece), HFM_ERROR_NOT_FOUND);
    CHECK_INT(hfm_state_dict_piece(model, stack, 0, NULL), HFM_ERROR_ARGUMENT);
    hfm_model_free(model);
  }
}

/* Stacked in the file, they are one piece. */
static void test_stacked(void) {
  hfm_model *model = NULL;
  hfm_tensor piece;
  hfm_error error;
  size_t stack, pieces;
  open_fixture("mixtral_fused");
  if (!CHECK_INT(load(NULL, &model, &error), HFM_OK)) return;
  stack = index_of(model, "model.layers.0.mlp.experts.down_proj");
  CHECK_INT(hfm_state_dict_piece(model, stack, 0, &piece), HFM_OK);
  CHECK_INT(piece.rank, 3);
  CHECK_INT(is_inside(&piece), is_little_endian());
  (void)fingerprint(model, stack, &pieces);
  CHECK_INT((long)pieces, 1);
  hfm_model_free(model);
}

/* What is wrong with the pieces, and what the message says of it. */
static void test_wrong(void) {
  static const struct {
    const char *dir, *from, *to, *part;
  } rows[] = {
      {"mixtral_f16", "experts.1.w1", "experts.1.w9", "but there are 5 of them, not 6"},
      {"mixtral_f16", "experts.1.w1", "experts.7.w1", "but part 1 of number 1 is not there"},
      {"mixtral_f16", "experts.2.w3", "experts.9.w1", "but part 2 of number 2 is not there"},
      {"mixtral_f16", "experts.2.w2", "experts.2.w9", "experts.down_proj' has shape [2, 20, 13]"},
      {"mixtral_f16", "experts.0.w1.weight\":{\"dtype\":\"F16\",\"shape\":[13,20]",
       "experts.0.w1.weight\":{\"dtype\":\"F16\",\"shape\":[20,13]", "shape is [20, 13]"},
      {"mixtral_f16", "experts.0.w2.weight\":{\"dtype\":\"F16\",\"shape\":[20,13]",
       "experts.0.w2.weight\":{\"dtype\":\"F16\",\"shape\":[26,10]", "has shape [2"},
      {"mixtral_f16", "layers.0.self_attn.o_proj.weight", "layers.0.mlp.experts.2.w2.weight",
       "but 'layers.0.mlp.experts.2.w2.weight' has shape [20, 30]"},
      {"mixtral_fused", "model.layers.0.self_attn.o_proj.weight", "model.layers.0.mlp.experts.0.w1.weight",
       "but it is also there as a whole, 'model.layers.0.mlp.experts.gate_up_proj'"},
      {"mixtral_fused", "model.layers.0.mlp.experts.gate_up_proj", "model.layers.0.mlp.experts.12.w1.weight",
       "has shape [3, 26, 20], but"}};
  for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
    hfm_model *model = NULL;
    hfm_error error;
    open_fixture(rows[i].dir);
    edit(rows[i].from, rows[i].to);
    (void)load(NULL, &model, &error);
    if (!CHECK_INT(error.item, HFM_E_WEIGHT_MISMATCH)) printf("    %s: %s\n", rows[i].to, error.message);
    CHECK_CONTAINS(error.message, rows[i].part);
    CHECK_CONTAINS(error.file, "model.safetensors");
    CHECK(model == NULL);
    hfm_model_free(model);
  }
}

/* The report of a refused load has what pieces make, too, beside tensors that are whole: as Transformers' has. */
static void test_refused_report(void) {
  static const char *const keys[] = {"intermediate_size", "vocab_size"};
  for (size_t i = 0; i <= CHECK_COUNT(keys); i++) {
    hfm_options options;
    hfm_config *changed = NULL;
    hfm_model *model = NULL;
    hfm_error error;
    memset(&options, 0, sizeof options);
    listen_to(&options);
    if (!CHECK_INT(hfm_config_from_pretrained("tests/models/mixtral_f16", NULL, &changed, &error), HFM_OK)) return;
    for (size_t k = 0; k < CHECK_COUNT(keys); k++)
      if (i != 1 - k) CHECK_INT(hfm_config_set_int(changed, keys[k], 15, &error), HFM_OK);
    options.config = changed;
    CHECK(hfm_from_pretrained("tests/models/mixtral_f16", &options, &model, &error) != HFM_OK);
    CHECK_INT(error.item, HFM_E_WEIGHT_MISMATCH);
    CHECK((strstr(said, "mlp.experts.gate_up_proj") != NULL) == (i != 1));
    CHECK((strstr(said, "mlp.experts.down_proj") != NULL) == (i != 1));
    CHECK((strstr(said, "embed_tokens.weight") != NULL) == (i != 0));
    CHECK(strstr(said, "MISSING") == NULL);
    hfm_config_free(changed);
  }
}

/* A stack of another size is initialised anew where that is allowed; a piece with too large a number is no piece. */
static void test_ignored(void) {
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  options.ignore_mismatched_sizes = 1;
  open_fixture("mixtral_f16");
  edit("experts.1.w2", "experts.1.w9");
  if (CHECK_INT(load(&options, &model, &error), HFM_OK)) {
    const hfm_load_entry *entry = hfm_load_report_at(model, 1);
    CHECK_INT((long)hfm_load_report_size(model), 2);
    CHECK_STR(hfm_load_report_at(model, 0)->key, "layers.0.mlp.experts.1.w9.weight");
    CHECK_STR(entry->key, "layers.0.mlp.experts.down_proj");
    CHECK_INT(entry->status, HFM_KEY_MISMATCHED);
    CHECK_INT(entry->found_shape[0] * 10 + entry->expected_shape[0], 23);
  }
  hfm_model_free(model);
  model = NULL;
  open_fixture("mixtral_f16");
  edit("block_sparse_moe.experts.1.w2", "mlp.experts.99999999999999.w2");
  (void)load(NULL, &model, &error);
  hfm_model_free(model);
}

int main(void) {
  TEST(test_in_place);
  TEST(test_stacked);
  TEST(test_wrong);
  TEST(test_refused_report);
  TEST(test_ignored);
  return check_report("test_pieces");
}
