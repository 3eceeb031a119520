/* The bytes are a whole model.safetensors for a small BERT; weights that do not fit are newly initialised. */
#include "fuzz.h"

FUZZ_TARGET(safetensors) {
  static const char config[] =
    "{\"model_type\":\"bert\",\"hidden_size\":36,\"intermediate_size\":52,\"max_position_embeddings\":40,"
    "\"num_attention_heads\":3,\"num_hidden_layers\":2,\"vocab_size\":97}";
  fuzz_memory memory;
  hfm_options options = fuzz_options(&memory);
  hfm_memory_file files[2];
  hfm_model *model = NULL;
  hfm_error error;
  hfm_result result;
  options.ignore_mismatched_sizes = 1;
  files[0].name = "config.json";
  files[0].data = config;
  files[0].size = sizeof config - 1;
  files[1].name = "model.safetensors";
  files[1].data = data;
  files[1].size = size;
  result = hfm_from_memory(files, 2, &options, &model, &error);
  fuzz_verdict(result, &error, model);
  if (model) fuzz_read_all(model);
  hfm_model_free(model);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
  return 0;
}
