/* hfm_check_file: one file, judged by the rules that its name says. */
#include "hfmodel.h"

#include "check.h"
#include "memory_io.h"
#include <stdlib.h>
#include <time.h>

typedef struct check_case {
  const char *name, *text;
  int32_t item;
} check_case;

/* Verdict of a file; `other`, if given, is a second one. */
static int32_t verdict(const char *name, const void *bytes, size_t size, const hfm_memory_file *other,
                       hfm_limits limits, hfm_error *error) {
  hfm_memory_file list[2];
  memory_files files;
  hfm_options options;
  memset(list, 0, sizeof list);
  list[0].name = name;
  list[0].data = bytes;
  list[0].size = size;
  if (other) list[1] = *other;
  files.files = list;
  files.count = other ? 2 : 1;
  memset(&options, 0, sizeof options);
  options.io = memory_io(&files);
  options.limits = limits;
  return hfm_check_file(name, &options, error) == HFM_OK ? (int32_t)HFM_E_NONE : error->item;
}

/* J7: NaN only in configurations, which are objects. The file's name counts, not that of a folder above it. */
static void test_kinds(void) {
  static const check_case cases[] = {
      {"config.json", "{\"a\": NaN}", HFM_E_NONE},
      {"m/generation_config.json", "{\"a\": -Infinity}", HFM_E_NONE},
      {"config.json", "[]", HFM_E_JSON_TYPE},
      {"config.json", "5", HFM_E_JSON_TYPE},
      {"config.json", "\"x\"", HFM_E_JSON_TYPE},
      {"config.json", "{\"a\": 1,}", HFM_E_JSON_SYNTAX},
      {"tokenizer.json", "{\"a\": NaN}", HFM_E_JSON_SYNTAX},
      {"tokenizer.json", "[1]", HFM_E_NONE},
      {"m/tokenizer.json", "{\"a\": 1, \"a\": 2}", HFM_E_JSON_DUPLICATE_KEY},
      {"x.safetensors.index.d/config.json", "{}", HFM_E_NONE},
      {"x.bin.index.d/vocab.json", "{}", HFM_E_NONE},
      {"m/model.safetensors.index.json", "{}", HFM_E_INDEX_STRUCTURE},
      {"m/pytorch_model.bin.index.fp16.json", "{}", HFM_E_INDEX_STRUCTURE},
      {"m.json/model.safetensors", "{}", HFM_E_SAFETENSORS_TRUNCATED},
      {"m.json/pytorch_model.bin", "{}", HFM_E_FILE_KIND},
  };
  hfm_limits limits;
  memset(&limits, 0, sizeof limits);
  for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
    hfm_error error;
    if (!CHECK_INT(verdict(cases[i].name, cases[i].text, strlen(cases[i].text), NULL, limits, &error), cases[i].item))
      printf("    %s %s: %s\n", cases[i].name, cases[i].text, error.message);
    if (cases[i].item == HFM_E_JSON_TYPE) CHECK_CONTAINS(error.message, ", found ");
  }
}

/* A config.json is judged by what its family reads, before anything is sized by it (C1 to C4); without a model type, by
   what every model reads. A generation_config.json is judged by its options' types and ranges. */
static void test_configurations(void) {
#define BERT "{\"model_type\": \"bert\", \"hidden_size\": 8, \"num_attention_heads\": 2, \"intermediate_size\": 8"
  static const check_case cases[] = {
      {"config.json", BERT "}", HFM_E_NONE},
      {"config.json", BERT ", \"architectures\": [\"BertForPreTraining\"]}", HFM_E_NONE},
      {"m/config.json", BERT ", \"num_hidden_layers\": -1}", HFM_E_CONFIG_RANGE},
      {"config.json", BERT ", \"num_hidden_layers\": 1000000000}", HFM_E_CONFIG_LIMIT},
      {"config.json", BERT ", \"num_hidden_layers\": 1000000}", HFM_E_FILE_STRUCTURE},
      {"config.json", BERT ", \"num_hidden_layers\": \"2\"}", HFM_E_CONFIG_TYPE},
      {"config.json", BERT ", \"hidden_act\": \"gelo\"}", HFM_E_CONFIG_VALUE},
      {"config.json", BERT ", \"layer_norm_eps\": NaN}", HFM_E_CONFIG_TYPE},
      {"config.json", BERT ", \"is_decoder\": \"no\"}", HFM_E_CONFIG_TYPE},
      {"config.json",
       "{\"model_type\": \"phi3\", \"hidden_size\": 8, \"num_attention_heads\": 2147483647, "
       "\"num_key_value_heads\": 2147483647, \"head_dim\": 2147483647}",
       HFM_E_CONFIG_RANGE}, /* F6: three times their product is more than 2^63 */
      {"config.json", "{\"model_type\": \"none\"}", HFM_E_MODEL_TYPE_UNKNOWN},
      {"config.json", BERT ", \"architectures\": [\"GPT2Model\"]}", HFM_E_NONE}, /* the base model is asked for */
      {"config.json", BERT ", \"quantization_config\": {\"quant_method\": \"gptq\"}}", HFM_E_CONFIG_VALUE},
      {"config.json", "{\"word_embedding_dimension\": 384}", HFM_E_NONE}, /* not of a model */
      {"config.json", "{\"num_labels\": \"3\"}", HFM_E_CONFIG_TYPE},
      {"config.json", "{\"id2label\": {\"a\": \"x\"}}", HFM_E_CONFIG_TYPE},
      {"config.json", "{\"id2label\": {\"0\": []}}", HFM_E_CONFIG_TYPE},
      {"config.json", "{\"id2label\": {\"0\": 5, \"1\": \"x\"}}", HFM_E_NONE},
      {"config.json", "version https://git-lfs.github.com/spec/v1\n", HFM_E_JSON_SYNTAX},
      {"config.json", "{\"model_type\": 5}", HFM_E_CONFIG_TYPE},
      {"generation_config.json", "{\"num_labels\": \"3\", \"guidance_scale\": 1.5}", HFM_E_NONE},
      {"generation_config.json", "{\"top_k\": \"50\"}", HFM_E_CONFIG_TYPE},
      {"m/generation_config.json", "{\"do_sample\": true, \"temperature\": -1.0}", HFM_E_CONFIG_RANGE},
      {"generation_config.json", "{\"temperature\": 0.0}", HFM_E_NONE}, /* counts for nothing without do_sample */
      {"generation_config.json", "{\"eos_token_id\": [1, \"2\"]}", HFM_E_CONFIG_TYPE},
      {"generation_config.json", "{\"num_return_sequences\": 2}", HFM_E_ARGUMENT_VALUE}, /* greedy search has one */
      {"generation_config.json", "{\"forced_eos_token_id\": 2, \"suppress_tokens\": [2]}", HFM_E_ARGUMENT_VALUE},
      {"generation_config.json", "{\"forced_eos_token_id\": 2, \"suppress_tokens\": [3], \"max_length\": 1}",
       HFM_E_NONE},
  };
#undef BERT
  hfm_limits limits;
  memset(&limits, 0, sizeof limits);
  for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
    hfm_error error;
    if (!CHECK_INT(verdict(cases[i].name, cases[i].text, strlen(cases[i].text), NULL, limits, &error), cases[i].item))
      printf("    %s: %s\n", cases[i].text, error.message);
    if (cases[i].item == HFM_E_NONE) continue;
    CHECK(strstr(error.message, "weights files") == NULL);
    CHECK_CONTAINS(error.message, cases[i].name);
    if (cases[i].item == HFM_E_JSON_SYNTAX) CHECK_CONTAINS(error.message, "found 'v' (it looks like a Git LFS pointer");
  }
}

/* C2: a list that every layer looks into is read once: so many steps, not as many for each of the layers. */
static void test_long_list(void) {
  static const char head[] = "{\"model_type\": \"qwen3_moe\", \"hidden_size\": 2, \"intermediate_size\": 1, "
                             "\"moe_intermediate_size\": 1, \"num_attention_heads\": 1, \"num_key_value_heads\": 1, "
                             "\"head_dim\": 2, \"vocab_size\": 1, \"num_experts\": 1, \"num_experts_per_tok\": 1, "
                             "\"num_hidden_layers\": 2000, \"mlp_only_layers\": [0";
  enum { NUMBERS = 200000 };
  const size_t size = sizeof head - 1 + 2 * NUMBERS + 2;
  char *text = (char *)malloc(size);
  const clock_t before = clock();
  hfm_limits limits;
  hfm_error error;
  if (!CHECK(text != NULL)) return;
  memset(&limits, 0, sizeof limits);
  memcpy(text, head, sizeof head - 1);
  for (size_t i = 0; i < NUMBERS; i++) memcpy(text + sizeof head - 1 + 2 * i, ",7", 2);
  memcpy(text + size - 2, "]}", 2);
  if (!CHECK_INT(verdict("config.json", text, size, NULL, limits, &error), HFM_E_NONE))
    printf("    %s\n", error.message);
  CHECK((double)(clock() - before) < 2.0 * CLOCKS_PER_SEC);
  free(text);
}

/* F3: a configuration has the cap of configurations, any other JSON file that of an index. */
static void test_caps(void) {
  hfm_limits limits;
  hfm_error error;
  memset(&limits, 0, sizeof limits);
  limits.max_config_bytes = 8;
  limits.max_index_bytes = 16;
  CHECK_INT(verdict("config.json", "{\"a\": 1}", 8, NULL, limits, &error), HFM_E_NONE);
  CHECK_INT(verdict("config.json", "{\"a\":  1}", 9, NULL, limits, &error), HFM_E_FILE_TOO_LARGE);
  CHECK_INT(verdict("tokenizer.json", "{\"a\":         1}", 16, NULL, limits, &error), HFM_E_NONE);
  CHECK_INT(verdict("tokenizer.json", "{\"a\":          1}", 17, NULL, limits, &error), HFM_E_FILE_TOO_LARGE);
}

/* I4: an index is judged with its shards, which lie beside it. */
static void test_index(void) {
  static const char index[] = "{\"weight_map\": {\"w\": \"1.safetensors\"}}", header[] = "{\"w\":{\"dtype\":\"F32\","
                              "\"shape\":[0],\"data_offsets\":[0,0]}}";
  static const char *const names[][2] = {{"model.safetensors.index.json", "1.safetensors"},
                                         {"m/model.safetensors.index.json", "m/1.safetensors"},
                                         {"/model.safetensors.index.json", "/1.safetensors"},
                                         {"/m/model.safetensors.index.json", "/m/1.safetensors"}};
  uint8_t bytes[8 + sizeof header] = {sizeof header - 1};
  hfm_limits limits;
  hfm_error error;
  memset(&limits, 0, sizeof limits);
  memcpy(bytes + 8, header, sizeof header - 1);
  for (size_t i = 0; i < CHECK_COUNT(names); i++) {
    hfm_memory_file shard;
    memset(&shard, 0, sizeof shard);
    shard.name = names[i][1];
    shard.data = bytes;
    shard.size = 8 + sizeof header - 1;
    if (!CHECK_INT(verdict(names[i][0], index, sizeof index - 1, &shard, limits, &error), HFM_E_NONE))
      printf("    %s\n", error.message);
    shard.name = "elsewhere";
    CHECK_INT(verdict(names[i][0], index, sizeof index - 1, &shard, limits, &error), HFM_E_FILE_NOT_FOUND);
  }
}

int main(void) {
  TEST(test_kinds);
  TEST(test_configurations);
  TEST(test_long_list);
  TEST(test_caps);
  TEST(test_index);
  return check_report("test_check");
}
