/* The fuzz targets of models and sessions, replayed: see replay.h. */
#define FUZZ_REPLAY
#include "fuzz_binding.c"
#include "fuzz_config.c"
#include "fuzz_directory.c"
#include "fuzz_forward.c"
#include "fuzz_generate.c"
#include "check.h"
#include "replay.h"

static void test_config(void) {
  replay("tests/models/bert_sequence/config.json", fuzz_config, NULL, rounds() / MODEL_SHARE);
  replay("tests/models/llama_base/config_llama_rope_longrope_right7.json", fuzz_config, NULL, rounds() / MODEL_SHARE);
  CORPUS(config, fuzz_mutator_config);
}
static void test_binding(void) {
  replay("tests/models/bert_sequence/config.json", fuzz_binding, fuzz_mutator_binding, rounds() / MODEL_SHARE);
  replay("tests/models/gpt2_causal/config.json", fuzz_binding, fuzz_mutator_binding, rounds() / MODEL_SHARE);
  CORPUS(binding, fuzz_mutator_binding);
}
static void test_directory(void) { /* of nothing, the mutator makes a whole directory */
  replay_bytes("a new directory", (const uint8_t *)"", 0, fuzz_directory, fuzz_mutator_directory, rounds() / 2);
  CORPUS(directory, fuzz_mutator_directory);
}
static void test_forward(void) { CORPUS(forward, NULL); }
static void test_generate(void) {
  replay_bytes("a new recipe", (const uint8_t *)"", 0, fuzz_generate, fuzz_mutator_generate, rounds() / MODEL_SHARE);
  CORPUS(generate, fuzz_mutator_generate);
}

int main(void) {
  TEST(test_config);
  TEST(test_binding);
  TEST(test_directory);
  TEST(test_forward);
  TEST(test_generate);
  return check_report("test_replay_models");
}
