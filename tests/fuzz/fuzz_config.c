/* The bytes are a config.json: parsed, read, written, parsed again; then a model is made from it, and run if it is
   small enough for that. */
#include "fuzz.h"

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

static void fuzz_config_forward(hfm_model *model) {
  static const int64_t ids[3] = {1, 0, 2};
  hfm_session_options session_options;
  hfm_session *session = NULL;
  hfm_inputs inputs;
  hfm_outputs outputs;
  hfm_error error;
  hfm_result result;
  memset(&inputs, 0, sizeof inputs);
  memset(&session_options, 0, sizeof session_options);
  session_options.threads = 1;
  inputs.input_ids = hfm_tensor_i64(ids, 1, 3);
  result = hfm_session_create(model, &session_options, &session, &error);
  fuzz_verdict(result, &error, session);
  if (!session) return;
  if (hfm_forward(session, &inputs, &outputs, &error) == HFM_OK) FUZZ_REQUIRE(outputs.items_count > 0, "no outputs");
  else FUZZ_REQUIRE(error.item != HFM_E_NONE && error.message[0] != 0, "no reason");
  hfm_session_free(session);
}

FUZZ_TARGET(config) {
  static const char *const keys[] = {"model_type", "hidden_size", "rope_parameters.rope_theta", "id2label.0", "dtype"};
  fuzz_memory memory;
  hfm_options options = fuzz_options(&memory);
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
    options.task = HFM_TASK_FROM_CONFIG;
    result = hfm_from_config(config, &options, &model, &error);
    fuzz_verdict(result, &error, model);
    if (model && hfm_num_parameters(model, 0, 0) < 500000 && hfm_state_dict_size(model) < 200)
      fuzz_config_forward(model);
  }
  hfm_model_free(model);
  hfm_config_free(config);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
  return 0;
}
