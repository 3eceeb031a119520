/* The fuzz targets of files, replayed: see replay.h. */
#define FUZZ_REPLAY
#define HFMODEL_IMPLEMENTATION
#include "fuzz_gguf.c"
#include "fuzz_index.c"
#include "fuzz_json.c"
#include "fuzz_legacy.c"
#include "fuzz_pickle.c"
#include "fuzz_safetensors.c"
#include "fuzz_torch_bin.c"
#include "fuzz_zip.c"
#include "weights.c"
#include "check.h"
#include "replay.h"

static void test_json(void) {
  replay("tests/models/bert_sequence/config.json", fuzz_json, fuzz_mutator_json, rounds());
  replay("tests/fuzz/index.json", fuzz_json, NULL, rounds());
  CORPUS(json, NULL);
}
static void test_gguf(void) {
  replay("tests/hostile/gguf/values.gguf", fuzz_gguf, NULL, rounds());
  replay("tests/hostile/gguf/types.gguf", fuzz_gguf, NULL, rounds());
  CORPUS(gguf, NULL);
}
static void test_safetensors(void) {
  replay("tests/hostile/torch/zip_dtypes.safetensors", fuzz_safetensors, NULL, rounds());
  replay("tests/hostile/torch/zip_views.safetensors", fuzz_safetensors, fuzz_mutator_safetensors, rounds());
  CORPUS(safetensors, fuzz_mutator_safetensors);
}
static void test_index(void) {
  replay("tests/fuzz/index.json", fuzz_index, NULL, rounds());
  CORPUS(index, fuzz_mutator_index);
}
static void test_zip(void) { CORPUS(zip, NULL); }
static void test_pickle(void) {
  replay("tests/fuzz/checkpoint.pkl", fuzz_pickle, fuzz_mutator_pickle, rounds());
  CORPUS(pickle, fuzz_mutator_pickle);
}
static void test_legacy(void) {
  replay("tests/fuzz/legacy_untyped_view.bin", fuzz_legacy, fuzz_mutator_legacy, rounds());
  CORPUS(legacy, fuzz_mutator_legacy);
}
static void test_torch_bin(void) {
  replay("tests/hostile/torch/zip_checkpoint.bin", fuzz_torch_bin, NULL, rounds());
  replay("tests/hostile/torch/zip_views_4.bin", fuzz_torch_bin, NULL, rounds());
  replay("tests/hostile/torch/legacy_views.bin", fuzz_torch_bin, NULL, rounds());
  CORPUS(torch_bin, NULL);
}

int main(void) {
  TEST(test_json);
  TEST(test_gguf);
  TEST(test_safetensors);
  TEST(test_index);
  TEST(test_zip);
  TEST(test_pickle);
  TEST(test_legacy);
  TEST(test_torch_bin);
  return check_report("test_replay");
}
