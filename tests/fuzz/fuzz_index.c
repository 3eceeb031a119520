/* The bytes are a model.safetensors.index.json beside two sound shards. */
#include "fuzz.h"

FUZZ_TARGET(index) {
  static const char config[] =
    "{\"model_type\":\"bert\",\"hidden_size\":4,\"intermediate_size\":4,\"max_position_embeddings\":4,"
    "\"num_attention_heads\":2,\"num_hidden_layers\":1,\"vocab_size\":4}";
  static const char header1[] = "{\"pooler.dense.bias\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}";
  static const char header2[] = "{\"pooler.dense.weight\":{\"dtype\":\"F16\",\"shape\":[4,4],\"data_offsets\":[0,32]}}";
  static uint8_t shards[2][256];
  fuzz_memory memory;
  hfm_options options = fuzz_options(&memory);
  hfm_memory_file files[4];
  hfm_model *model = NULL;
  hfm_error error;
  hfm_result result;
  memset(shards, 0, sizeof shards);
  shards[0][0] = (uint8_t)(sizeof header1 - 1);
  shards[1][0] = (uint8_t)(sizeof header2 - 1);
  memcpy(shards[0] + 8, header1, sizeof header1 - 1);
  memcpy(shards[1] + 8, header2, sizeof header2 - 1);
  files[0].name = "config.json";
  files[0].data = config;
  files[0].size = sizeof config - 1;
  files[1].name = "model.safetensors.index.json";
  files[1].data = data;
  files[1].size = size;
  files[2].name = "model-00001-of-00002.safetensors";
  files[2].data = shards[0];
  files[2].size = 8 + sizeof header1 - 1 + 16;
  files[3].name = "model-00002-of-00002.safetensors";
  files[3].data = shards[1];
  files[3].size = 8 + sizeof header2 - 1 + 32;
  result = hfm_from_memory(files, 4, &options, &model, &error);
  fuzz_verdict(result, &error, model);
  if (model) fuzz_read_all(model);
  hfm_model_free(model);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
  return 0;
}
