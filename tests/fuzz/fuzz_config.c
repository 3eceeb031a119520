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
