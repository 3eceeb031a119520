/* The bytes are a config.json: parsed, read, written, parsed again; then a model is made from it, and run if it is
   small enough for that. */
#include "fuzz_model.h"
#include "fuzz_words.h"

static void fuzz_config_text(const hfm_config *config, const hfm_options *options) {
  const size_t length = hfm_config_to_json(config, NULL, 0);
  char *text = (char *)malloc(length + 1);
  char *again = (char *)malloc(length + 1);
  hfm_config *copy = NULL;
  hfm_error error;
  if (text && again) {
    FUZZ_REQUIRE(hfm_config_to_json(config, text, length + 1) == length, "to_json counts otherwise than it writes");
    FUZZ_REQUIRE(strlen(text) == length, "to_json");
    FUZZ_REQUIRE(hfm_config_parse(text, length, options, &copy, &error) == HFM_OK, error.message);
    FUZZ_REQUIRE(hfm_config_to_json(copy, again, length + 1) == length, text);
    FUZZ_REQUIRE(strcmp(text, again) == 0, text);
  }
  hfm_config_free(copy);
  free(text);
  free(again);
}

/* Every way to change it, under a key that the text may have. */
static void fuzz_config_edit(hfm_config *config, const hfm_options *options, uint64_t choice) {
  static const char *const texts[] = {"3", "{\"a\": [1, {}]}", "[", "\"x\"", "NaN", "[[[[[[[[]]]]]]]]", ""};
  const char *key = fuzz_config_keys[choice % (sizeof fuzz_config_keys / sizeof fuzz_config_keys[0])];
  char path[160];
  hfm_error error;
  hfm_result result;
  snprintf(path, sizeof path, choice >> 8 & 1 ? "%s" : choice >> 9 & 1 ? "rope_parameters.%s" : "%s.0.a", key);
  switch (choice >> 10 & 7) {
    case 0: result = hfm_config_set_int(config, path, (int64_t)choice, &error); break;
    case 1: result = hfm_config_set_float(config, path, (double)(int64_t)choice * 1e-300, &error); break;
    case 2: result = hfm_config_set_bool(config, path, (int32_t)(choice & 1), &error); break;
    case 3: result = hfm_config_set_string(config, path, choice & 1 ? "\"\\\xc3\xa9" : "bert", &error); break;
    case 4: result = hfm_config_set_json(config, path, texts[choice % (sizeof texts / sizeof texts[0])], &error); break;
    case 5: result = hfm_config_remove(config, path, &error); break;
    default: return;
  }
  FUZZ_REQUIRE(error.code == result && (result == HFM_OK || error.message[0] != 0), "an edit without a verdict");
  fuzz_config_text(config, options);
}

FUZZ_TARGET(config) {
  static const char *const keys[] = {"model_type", "hidden_size", "rope_parameters.rope_theta", "id2label.0", "dtype"};
  fuzz_memory memory;
  hfm_options options = fuzz_options(&memory, size);
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  hfm_result result = hfm_config_parse((const char *)data, size, &options, &config, &error);
  fuzz_verdict(result, &error, config);
  if (config) {
    size_t i;
    for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
      const char *text = hfm_config_get_string(config, keys[i], "");
      FUZZ_REQUIRE(strlen(text) <= size * 3, keys[i]);
      hfm_config_get_int(config, keys[i], 0);
      hfm_config_get_float(config, keys[i], 0);
      hfm_config_get_bool(config, keys[i], 0);
      hfm_config_has(config, keys[i]);
    }
    fuzz_config_text(config, &options);
    fuzz_config_edit(config, &options, fuzz_hash(data, size) >> 7);
    fuzz_choose_options(&options, fuzz_hash(data, size));
    memory.may_refuse = 1;
    memory.cap = 1 << 20; /* what is larger only takes longer */
    result = hfm_from_config(config, &options, &model, &error);
    fuzz_verdict(result, &error, model);
    if (model) fuzz_use_model(model);
  }
  hfm_model_free(model);
  hfm_config_free(config);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
  return 0;
}

FUZZ_MUTATOR(config) {
  fuzz_edit e = fuzz_edit_begin(data, size, max_size, seed);
  (void)fuzz_mutate_json(&e, 0, size, &fuzz_config_words);
  return e.size;
}
