/* Where weights are once a model is loaded, what of them may be new, and what a load warns of. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "config_of.h"
#include "failing_alloc.h"
#include "said.h"

#include <stdlib.h>

#define FIXTURE(name) "tests/models/" name

static hfm_model *load(const char *dir, const hfm_options *options) {
  hfm_model *model = NULL;
  hfm_error error;
  if (!CHECK_INT(hfm_from_pretrained(dir, options, &model, &error), HFM_OK)) printf("    %s\n", error.message);
  return model;
}

/* The bytes of a fixture's file; `room` of them at most. */
static size_t read_file(const char *path, uint8_t *bytes, size_t room) {
  FILE *f = fopen(path, "rb");
  const size_t n = f ? fread(bytes, 1, room, f) : 0;
  CHECK(f != NULL && n > 0 && n < room);
  if (f) fclose(f);
  return n;
}

/* How many weights lie inside of [start, start + size), and how many do not. */
static void count_inside(const hfm_model *model, const uint8_t *start, size_t size, int64_t counts[2]) {
  counts[0] = counts[1] = 0;
  for (size_t i = 0; i < hfm_state_dict_size(model); i++) {
    hfm_named_tensor entry;
    uintptr_t at, bytes;
    if (!CHECK_INT(hfm_state_dict_at(model, i, &entry), HFM_OK)) return;
    at = (uintptr_t)entry.tensor.data;
    bytes = (uintptr_t)hfm__elements(entry.tensor.shape, entry.tensor.rank) *
            (uintptr_t)hfm_dtype_bits(entry.tensor.dtype) / 8;
    counts[at < (uintptr_t)start || at + bytes > (uintptr_t)start + size]++;
  }
}

/* Weights in the type and byte order that they are computed from are the caller's bytes, or the mapped file's
   (safetensors are little-endian); all others are copies. */
static void test_in_place(void) {
  static const struct {
    const char *dir;
    hfm_dtype dtype;
    int32_t local_copy, inside;
  } rows[] = {{FIXTURE("bert_base"), HFM_DTYPE_AUTO, 0, 1},    {FIXTURE("bert_f16"), HFM_DTYPE_AUTO, 0, 1},
              {FIXTURE("bert_bf16"), HFM_DTYPE_AUTO, 0, 1},    {FIXTURE("bert_bf16"), HFM_BF16, 0, 1},
              {FIXTURE("gpt2_causal"), HFM_DTYPE_AUTO, 0, 1},  {FIXTURE("llama_causal_tied"), HFM_F32, 0, 1},
              {FIXTURE("vit_image"), HFM_DTYPE_AUTO, 0, 1},    {FIXTURE("bert_base"), HFM_F16, 0, 0},
              {FIXTURE("bert_bf16"), HFM_F32, 0, 0},           {FIXTURE("bert_f64"), HFM_DTYPE_AUTO, 0, 0},
              {FIXTURE("bert_base"), HFM_DTYPE_AUTO, 1, 0}};
  static uint8_t config[1 << 14];
  static union {
    uint8_t bytes[1 << 20];
    double aligned;
  } weights;
  for (size_t i = 0; i < HFM__COUNT(rows); i++) {
    hfm_memory_file files[2];
    hfm_options options;
    hfm_model *model = NULL;
    hfm_error error;
    char path[256];
    int64_t counts[2];
    const int32_t inside = rows[i].inside && !HFM__BIG_ENDIAN;
    memset(&options, 0, sizeof options);
    options.dtype = rows[i].dtype;
    options.local_copy = rows[i].local_copy;
    options.task = HFM_TASK_FROM_CONFIG;
    snprintf(path, sizeof path, "%s/config.json", rows[i].dir);
    files[0].name = "config.json";
    files[0].data = config;
    files[0].size = read_file(path, config, sizeof config);
    snprintf(path, sizeof path, "%s/model.safetensors", rows[i].dir);
    files[1].name = "model.safetensors";
    files[1].data = weights.bytes;
    files[1].size = read_file(path, weights.bytes, sizeof weights.bytes);
    if (CHECK_INT(hfm_from_memory(files, 2, &options, &model, &error), HFM_OK)) {
      count_inside(model, weights.bytes, files[1].size, counts);
      if (!CHECK(counts[inside] == 0 && counts[!inside] > 0))
        printf("    %s from memory: %d inside, %d not\n", rows[i].dir, (int)counts[0], (int)counts[1]);
    }
    hfm_model_free(model);
    model = load(rows[i].dir, &options);
    if (model && model->checkpoint.files[0].map) {
      count_inside(model, model->checkpoint.files[0].map, (size_t)model->checkpoint.files[0].size, counts);
      if (!CHECK(counts[inside] == 0 && counts[!inside] > 0))
        printf("    %s mapped: %d inside, %d not\n", rows[i].dir, (int)counts[0], (int)counts[1]);
    } else if (model) {
      CHECK(rows[i].local_copy || !inside); /* nothing of it is mapped */
    }
    hfm_model_free(model);
  }
}

/* Weights that have memory of their own lie in order in as few blocks as hold them, each at a cache line's beginning;
   a block has no byte more. */
static void check_blocks(const hfm_model *model, int64_t expected) {
  uint64_t bytes = 0, needed = 0;
  const hfm__weight_block *block;
  const uint8_t *before = NULL;
  int64_t blocks = 0, apart = 0;
  for (block = model->blocks; block; block = block->next) {
    bytes += block->bytes - sizeof *block - 64;
    blocks++;
  }
  for (size_t i = 1; i < model->tree.parameter_count; i++) {
    const hfm__weight *weight = &model->weights[i];
    const uint8_t *at = (const uint8_t *)weight->data;
    int inside = 0;
    if (weight->storage != &hfm__storage_owned) continue;
    for (block = model->blocks; block; block = block->next)
      inside |= at >= (const uint8_t *)(block + 1) && at + weight->bytes <= (const uint8_t *)block + block->bytes;
    CHECK(inside);
    CHECK_INT((uintptr_t)at % 64, 0);
    apart += at != before;
    before = at + (weight->bytes + 63) / 64 * 64;
    needed += (weight->bytes + 63) / 64 * 64;
  }
  CHECK_INT(blocks, expected);
  CHECK_INT(apart, expected);
  CHECK_INT((int64_t)bytes, (int64_t)needed);
}

static void test_blocks(void) {
  /* 72 million bytes are more than the 64 << 20 that weights share. */
  static const char *const wide =
      "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], \"hidden_size\": 16, "
      "\"num_attention_heads\": 2, \"num_hidden_layers\": 1, \"intermediate_size\": 8, \"vocab_size\": %s, "
      "\"max_position_embeddings\": 8}";
  static const struct { const char *vocab; int64_t blocks; } rows[] = {{"100", 1}, {"1120000", 2}};
  size_t refused = 0;
  failing_alloc memory;
  hfm_options options;
  hfm_model *model = load(FIXTURE("bert_base"), NULL);
  memset(&options, 0, sizeof options);
  failing_alloc_begin(&memory, -1);
  if (model) check_blocks(model, HFM__BIG_ENDIAN || !model->checkpoint.files[0].map ? 1 : 0);
  hfm_model_free(model);
  options.dtype = HFM_F32;
  model = load(FIXTURE("llama_bf16_sharded"), &options);
  if (model) {
    check_blocks(model, 1);
    refused = (size_t)model->blocks->bytes;
  }
  hfm_model_free(model);
  /* Where there is no room for all of them, the first has a block of its own. */
  memory.refused = refused;
  options.allocator = memory.allocator;
  model = load(FIXTURE("llama_bf16_sharded"), &options);
  if (model) check_blocks(model, 2);
  CHECK(memory.failed);
  hfm_model_free(model);
  CHECK(failing_alloc_clean(&memory));
  memset(&options, 0, sizeof options);
  options.task = HFM_TASK_FROM_CONFIG;
  for (size_t i = 0; i < HFM__COUNT(rows); i++) {
    char json[512];
    hfm_config *config;
    hfm_error error;
    if (CHECK_SLOW > 1 && i > 0) continue; /* many numbers to draw */
    snprintf(json, sizeof json, wide, rows[i].vocab);
    config = config_of(json);
    model = NULL;
    options.random_weights = 1;
    if (config && CHECK_INT(hfm_from_config(config, &options, &model, &error), HFM_OK))
      check_blocks(model, rows[i].blocks);
    hfm_model_free(model);
    hfm_config_free(config);
  }
}

/* limits.max_new_bytes is what newly initialised weights may take, to the byte: a head of 5 x 36 + 5 floats here. */
static void test_new_bytes(void) {
  static const struct {
    uint64_t most;
    hfm_dtype dtype;
    int32_t random, item;
  } rows[] = {{740, HFM_F32, 0, HFM_E_NONE}, {739, HFM_F32, 0, HFM_E_NEW_WEIGHTS_LIMIT},
              {370, HFM_F16, 0, HFM_E_NONE}, {369, HFM_F16, 0, HFM_E_CONFIG_LIMIT},
              {0, HFM_F32, 0, HFM_E_NONE} /* 256 MiB */, {1, HFM_F32, 1, HFM_E_NONE}};
  for (size_t i = 0; i < HFM__COUNT(rows); i++) {
    hfm_options options;
    hfm_model *model = NULL;
    hfm_error error;
    memset(&options, 0, sizeof options);
    options.task = HFM_SEQUENCE_CLASSIFICATION;
    options.num_labels = 5;
    options.dtype = rows[i].dtype;
    options.random_weights = rows[i].random;
    options.limits.max_new_bytes = rows[i].most;
    memset(&error, 0, sizeof error);
    (void)hfm_from_pretrained(FIXTURE("bert_base"), &options, &model, &error);
    if (!CHECK_INT(error.item, rows[i].item)) printf("    %s\n", error.message);
    if (rows[i].item) CHECK_CONTAINS(error.message, "limits.max_new_bytes");
    CHECK_INT(model != NULL, rows[i].item == HFM_E_NONE);
    hfm_model_free(model);
  }
}

/* ---- Warnings ---- */

/* What a load of that directory says, with one key of the configuration set. */
static const char *warnings(const char *dir, hfm_task task, const char *key, const char *json) {
  hfm_options options;
  hfm_config *config = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  options.task = task;
  listen_to(&options);
  if (CHECK_INT(hfm_config_from_pretrained(dir, NULL, &config, &error), HFM_OK) &&
      (!key || CHECK_INT(hfm_config_set_json(config, key, json, &error), HFM_OK))) {
    options.config = config;
    hfm_model_free(load(dir, &options));
  }
  hfm_config_free(config);
  return said;
}

/* In Transformers' words, where there are words. */
static void test_warnings(void) {
  CHECK_STR(warnings(FIXTURE("bert_base"), HFM_BASE, NULL, NULL), "");
  CHECK_STR(warnings(FIXTURE("bert_sequence"), HFM_SEQUENCE_CLASSIFICATION, NULL, NULL), "");
  CHECK_STR(warnings(FIXTURE("bert_sequence"), HFM_SEQUENCE_CLASSIFICATION, "num_labels", "3"), "");
  CHECK_STR(warnings(FIXTURE("bert_base"), HFM_BASE, "num_labels", "5"), ""); /* names are made up then */
  CHECK_STR(warnings(FIXTURE("bert_sequence"), HFM_BASE, "num_labels", "4"),
            "You passed `num_labels=4` which is incompatible to the `id2label` map of length `3`.\n");
  CHECK_STR(warnings(FIXTURE("bert_masked"), HFM_MASKED_LM, NULL, NULL), "");
  CHECK_STR(warnings(FIXTURE("bert_tied_present"), HFM_MASKED_LM, NULL, NULL), "");
  CHECK_CONTAINS(warnings(FIXTURE("bert_tied_differs"), HFM_MASKED_LM, NULL, NULL), "we will NOT tie them");
  CHECK_STR(warnings(FIXTURE("bert_base"), HFM_MASKED_LM, NULL, NULL), /* the embeddings are there, the bias is not */
            "This checkpoint seem corrupted. The tied weights mapping for this model specifies to tie "
            "cls.predictions.bias to cls.predictions.decoder.bias, but both are absent from the checkpoint, "
            "and we could not find another related tied weight for those keys\n");
  CHECK_STR(warnings(FIXTURE("llama_base"), HFM_CAUSAL_LM, "tie_word_embeddings", "true"), "");
}

/* A load that is refused for sizes says all that it found in the log, as Transformers does; the error has the first. */
static void test_refused_sizes(void) {
  hfm_options options;
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  options.task = HFM_SEQUENCE_CLASSIFICATION;
  listen_to(&options);
  if (!CHECK_INT(hfm_config_from_pretrained(FIXTURE("bert_base"), NULL, &config, &error), HFM_OK)) return;
  CHECK_INT(hfm_config_set_int(config, "intermediate_size", 50, &error), HFM_OK);
  options.config = config;
  CHECK(hfm_from_pretrained(FIXTURE("bert_base"), &options, &model, &error) != HFM_OK);
  CHECK(model == NULL);
  CHECK_INT(error.item, HFM_E_WEIGHT_MISMATCH);
  CHECK_CONTAINS(error.message, "has shape [52], but");
  CHECK_CONTAINS(error.message, "; 5 more differ (the log has them)");
  CHECK_CONTAINS(said, "BertForSequenceClassification LOAD REPORT");
  CHECK_CONTAINS(said, "bert.encoder.layer.{0, 1}.intermediate.dense.weight | MISMATCH | Reinit due to size mismatch - "
                       "ckpt: torch.Size([52, 36]) vs model:torch.Size([50, 36])");
  CHECK_CONTAINS(said, "bert.encoder.layer.{0, 1}.output.dense.weight       | MISMATCH | ");
  CHECK_CONTAINS(said, "classifier.weight                                   | MISSING  | ");
  options.ignore_mismatched_sizes = 1;
  listen_to(&options);
  CHECK_INT(hfm_from_pretrained(FIXTURE("bert_base"), &options, &model, &error), HFM_OK);
  CHECK_STR(said, ""); /* the report is the caller's to print: hfm_load_report_text */
  hfm_model_free(model);
  hfm_config_free(config);
}

/* B1: bitsandbytes packs two elements into a byte, [n / 2, 1] of U8. Where the configuration does not say so, they
   still never stand for the weight. */
static void test_packed_by_bitsandbytes(void) {
  static const char shape[] = "\"F32\",\"shape\":[36,36]", packed[] = "\"U8\",\"shape\":[5184,1]";
  static uint8_t config[1 << 14], weights[1 << 20];
  hfm_memory_file files[2];
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  size_t at = 8;
  memset(&options, 0, sizeof options);
  files[0].name = "config.json";
  files[0].data = config;
  files[0].size = read_file(FIXTURE("bert_base/config.json"), config, sizeof config);
  files[1].name = "model.safetensors";
  files[1].data = weights;
  files[1].size = read_file(FIXTURE("bert_base/model.safetensors"), weights, sizeof weights);
  CHECK_INT(sizeof shape, sizeof packed);
  while (at + sizeof shape < files[1].size && memcmp(weights + at, shape, sizeof shape - 1) != 0) at++;
  if (!CHECK(at + sizeof shape < files[1].size)) return;
  memcpy(weights + at, packed, sizeof packed - 1);
  CHECK(hfm_from_memory(files, 2, &options, &model, &error) != HFM_OK);
  CHECK(model == NULL);
  CHECK_INT(error.item, HFM_E_WEIGHT_MISMATCH);
  CHECK_CONTAINS(error.message, "has shape [5184, 1], but the model's");
}

/* ---- Names that meet ---- */

/* A tensor of a file, all of one value. */
typedef struct file_tensor {
  const char *name, *dtype, *shape;
  int32_t elements;
  float value;
} file_tensor;

enum { MOST_TENSORS = 8 };

static size_t put(uint8_t *bytes, size_t at, const char *dtype, float value) {
  const size_t size = strcmp(dtype, "F64") == 0 ? 8 : strcmp(dtype, "F32") == 0 ? 4 : 2;
  const uint64_t bits = size == 8   ? hfm__double_bits((double)value)
                        : size == 4 ? hfm__float_bits(value)
                                    : hfm__float_bits(value) >> 16; /* BF16, of values that it has */
  for (size_t i = 0; i < size; i++) bytes[at + i] = (uint8_t)(bits >> 8 * i);
  return size;
}

/* A GPT-2 without layers, of 3 ids and a width of 2, loaded from these tensors. What it warns of is in `said`. */
static hfm_model *load_tensors(const file_tensor *tensors, hfm_options *options) {
  static const char config[] = "{\"model_type\":\"gpt2\",\"vocab_size\":3,\"n_embd\":2,\"n_layer\":0,\"n_head\":1,"
                               "\"n_positions\":2}";
  static uint8_t file[4096], data[512];
  char header[2048];
  hfm__text t = hfm__text_to(header, sizeof header);
  hfm_memory_file files[2];
  hfm_model *model = NULL;
  hfm_error error;
  size_t size = 0;
  for (int i = 0; i < MOST_TENSORS && tensors[i].name; i++) {
    const size_t begin = size;
    for (int32_t n = 0; n < tensors[i].elements; n++) size += put(data, size, tensors[i].dtype, tensors[i].value);
    hfm__text_format(&t, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%u,%u]}", i ? "," : "{",
                     tensors[i].name, tensors[i].dtype, tensors[i].shape, (uint64_t)begin, (uint64_t)size);
  }
  hfm__text_char(&t, '}');
  for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)t.length >> 8 * i);
  memcpy(file + 8, header, t.length);
  memcpy(file + 8 + t.length, data, size);
  files[0].name = "config.json";
  files[0].data = config;
  files[0].size = sizeof config - 1;
  files[1].name = "model.safetensors";
  files[1].data = file;
  files[1].size = 8 + t.length + size;
  listen_to(options);
  if (!CHECK_INT(hfm_from_memory(files, 2, options, &model, &error), HFM_OK)) printf("    %s\n", error.message);
  return model;
}

#define GPT2_REST                                                                                                      \
  {"transformer.ln_f.bias", "F32", "[2]", 2, 0}, {"transformer.ln_f.weight", "F32", "[2]", 2, 1},                      \
  {"transformer.wpe.weight", "F32", "[2,2]", 4, 0}
enum { GPT2_OWN = 14 }; /* its parameters, the head tied */

/* Tied weights are compared as the model holds them; a name whose tensor has another shape is there, too. */
static void test_ties(void) {
  static const struct {
    file_tensor tensors[MOST_TENSORS];
    hfm_dtype dtype;
    int32_t tied;
    const char *mismatched[2];
  } rows[] = {
      {{GPT2_REST, {"transformer.wte.weight", "F32", "[3,2]", 6, 1.5f}, {"lm_head.weight", "F64", "[3,2]", 6, 1.5f}},
       HFM_DTYPE_AUTO, 1, {NULL}},
      {{GPT2_REST, {"transformer.wte.weight", "F32", "[3,2]", 6, 1.5f}, {"lm_head.weight", "BF16", "[3,2]", 6, 1.5f}},
       HFM_DTYPE_AUTO, 1, {NULL}},
      {{GPT2_REST, {"transformer.wte.weight", "F32", "[3,2]", 6, 1.5f},
        {"lm_head.weight", "F32", "[3,2]", 6, 1.5000001f}}, HFM_DTYPE_AUTO, 0, {NULL}},
      {{GPT2_REST, {"transformer.wte.weight", "F32", "[3,2]", 6, 1.5f},
        {"lm_head.weight", "F32", "[3,2]", 6, 1.5000001f}}, HFM_BF16, 1, {NULL}},
      {{GPT2_REST, {"transformer.wte.weight", "F32", "[4,2]", 8, 1.5f}}, HFM_DTYPE_AUTO, 1,
       {"transformer.wte.weight"}},
      {{GPT2_REST, {"lm_head.weight", "F32", "[3,1]", 3, 1.5f}}, HFM_DTYPE_AUTO, 1, {"lm_head.weight"}},
      {{GPT2_REST, {"lm_head.weight", "F32", "[3,1]", 3, 1.5f}, {"wte.weight", "F32", "[3,3]", 9, 1.5f}},
       HFM_DTYPE_AUTO, 1, {"lm_head.weight", "transformer.wte.weight"}},
      {{GPT2_REST, {"lm_head.weight", "F32", "[3,1]", 3, 1.5f}, {"wte.weight", "F32", "[3,2]", 6, 1.5f}},
       HFM_DTYPE_AUTO, 0, {"lm_head.weight"}},
      {{GPT2_REST, {"lm_head.weight", "F32", "[3,2]", 6, 1.5f}, {"wte.weight", "F32", "[3,1]", 3, 1.5f}},
       HFM_DTYPE_AUTO, 0, {"transformer.wte.weight"}}};
  for (size_t i = 0; i < HFM__COUNT(rows); i++) {
    const size_t found = rows[i].mismatched[1] ? 2 : rows[i].mismatched[0] != NULL;
    hfm_options options;
    hfm_model *model;
    memset(&options, 0, sizeof options);
    options.task = HFM_CAUSAL_LM;
    options.dtype = rows[i].dtype;
    options.ignore_mismatched_sizes = 1;
    model = load_tensors(rows[i].tensors, &options);
    if (!model) continue;
    if (!CHECK_INT(hfm_num_parameters(model, 0, 0), rows[i].tied ? GPT2_OWN : GPT2_OWN + 6))
      printf("    row %d\n", (int)i);
    CHECK_INT(strstr(said, "we will NOT tie them") != NULL, !rows[i].tied);
    CHECK(rows[i].tied == !said[0]);
    CHECK_INT(hfm_load_report_size(model), found);
    for (size_t k = 0; k < found && k < hfm_load_report_size(model); k++) {
      CHECK_INT(hfm_load_report_at(model, k)->status, HFM_KEY_MISMATCHED);
      CHECK_STR(hfm_load_report_at(model, k)->key, rows[i].mismatched[k]);
    }
    hfm_model_free(model);
  }
}

/* Of two tensors that are one parameter the first by name counts; the other is not even looked at. */
static void test_twins(void) {
  static const file_tensor rows[2][MOST_TENSORS] = {
      {GPT2_REST, {"transformer.wte.weight", "F32", "[3,2]", 6, 1}, {"wte.weight", "F32", "[3,2]", 6, 2}},
      {GPT2_REST, {"transformer.wte.weight", "F32", "[3,2]", 6, 1}, {"wte.weight", "F32", "[7]", 7, 2}}};
  for (size_t i = 0; i < 2; i++) {
    hfm_named_tensor entry;
    hfm_options options;
    hfm_model *model;
    memset(&options, 0, sizeof options);
    model = load_tensors(rows[i], &options);
    if (!model) continue;
    CHECK_INT(hfm_load_report_size(model), 0);
    if (CHECK_INT(hfm_state_dict_at(model, 0, &entry), HFM_OK) && CHECK_STR(entry.name, "wte.weight"))
      CHECK(((const float *)entry.tensor.data)[5] == 1);
    hfm_model_free(model);
  }
}

/* dtype="auto" without a word in config.json: the first float's by name, in a .bin the first one's. */
static void test_first_float(void) {
  static const struct {
    const char *file;
    hfm_dtype dtype;
  } rows[] = {{"tests/hostile/torch/zip_dtypes.safetensors", HFM_BF16}, {"tests/hostile/torch/zip_dtypes.bin", HFM_F32},
              {"tests/hostile/torch/legacy_dtypes.bin", HFM_F32}};
  for (size_t i = 0; i < HFM__COUNT(rows); i++) {
    hfm__context ctx;
    hfm__checkpoint ckpt;
    hfm_error error;
    CHECK_INT(hfm__context_init(NULL, &ctx, &error), HFM_OK);
    if (!CHECK_INT(hfm__checkpoint_open_file(&ctx, rows[i].file, NULL, &ckpt, &error), HFM_OK)) continue;
    if (!CHECK_INT(ckpt.first_float, rows[i].dtype)) printf("    %s\n", rows[i].file);
    hfm__checkpoint_close(&ckpt);
  }
}

int main(void) {
  TEST(test_ties);
  TEST(test_twins);
  TEST(test_first_float);
  TEST(test_in_place);
  TEST(test_blocks);
  TEST(test_new_bytes);
  TEST(test_warnings);
  TEST(test_refused_sizes);
  TEST(test_packed_by_bitsandbytes);
  return check_report("test_weights");
}
