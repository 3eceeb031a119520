/* The bytes are a shard index beside two sound shards. */
#include "fuzz_words.h"

#include "tests/memory_io.h"

FUZZ_TARGET(index) {
  static const char header1[] = "{\"pooler.dense.bias\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}";
  static const char header2[] = "{\"pooler.dense.weight\":{\"dtype\":\"F16\",\"shape\":[4,4],\"data_offsets\":[0,32]}}";
  static const char name[] = "model.safetensors.index.json";
  static uint8_t shards[2][256];
  fuzz_memory memory;
  hfm_options options = fuzz_options(&memory, size);
  hfm_memory_file files[3] = {{name, data, size},
                              {"model-00001-of-00002.safetensors", shards[0], 8 + sizeof header1 - 1 + 16},
                              {"model-00002-of-00002.safetensors", shards[1], 8 + sizeof header2 - 1 + 32}};
  memory_files all = {files, 3};
  hfm_error error;
  hfm_result result;
  shards[0][0] = (uint8_t)(sizeof header1 - 1);
  shards[1][0] = (uint8_t)(sizeof header2 - 1);
  memcpy(shards[0] + 8, header1, sizeof header1 - 1);
  memcpy(shards[1] + 8, header2, sizeof header2 - 1);
  options.io = memory_io(&all);
  result = hfm_check_file(name, &options, &error);
  fuzz_verdict(result, &error, result == HFM_OK ? name : NULL);
  FUZZ_REQUIRE(result == HFM_OK || error.offset <= size || strcmp(error.file, name) != 0, error.message);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
  return 0;
}

FUZZ_MUTATOR(index) {
  fuzz_edit e = fuzz_edit_begin(data, size, max_size, seed);
  (void)fuzz_mutate_json(&e, 0, size, &fuzz_index_words);
  return e.size;
}
