/* The fuzz targets without a fuzzer: every seed, and thousands of mutations of each, the same ones in each run.
   A broken invariant aborts and names the seed and the number of the mutation. FUZZ_ROUNDS in the environment makes it
   longer. */
#define FUZZ_REPLAY
#include "fuzz_config.c"
#include "fuzz_gguf.c"
#include "fuzz_header.c"
#include "fuzz_index.c"
#include "fuzz_json.c"
#include "fuzz_pickle.c"
#include "fuzz_safetensors.c"
#include "fuzz_torch_bin.c"
#include "check.h"

typedef int (*fuzz_target)(const uint8_t *data, size_t size);

static uint64_t random_state;
static uint32_t random_below(uint32_t n) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)((random_state >> 33) % n);
}

static uint8_t *read_seed(const char *name, size_t *size) {
  FILE *f = fopen(name, "rb");
  uint8_t *data = NULL;
  long end;
  if (!f) return NULL;
  if (fseek(f, 0, SEEK_END) == 0 && (end = ftell(f)) > 0 && fseek(f, 0, SEEK_SET) == 0) {
    data = (uint8_t *)malloc((size_t)end);
    *size = data ? fread(data, 1, (size_t)end, f) : 0;
  }
  fclose(f);
  return data;
}

/* Changes a copy in 1 to 4 places among its first `text` bytes: where all the structure is. */
static size_t mutate(uint8_t *data, size_t size, size_t text) {
  static const char *const tokens[] = {"-1", "0", "null", "[]", "{}", "1e999", "18446744073709551616", "\"\"", "[[[[",
                                       "../", "\\u0000", "9223372036854775807", "true", "4294967296", "0.5", "\xff"};
  uint32_t changes = 1 + random_below(4);
  while (changes--) {
    const size_t at = random_below((uint32_t)text);
    const char *token = tokens[random_below(sizeof tokens / sizeof tokens[0])];
    const size_t length = strlen(token);
    switch (random_below(6)) {
      case 0: data[at] ^= (uint8_t)(1u << random_below(8)); break;
      case 1: data[at] = (uint8_t)random_below(256); break;
      case 2:
        if (at + length <= size) memcpy(data + at, token, length);
        break;
      case 3: data[at] = (uint8_t)('0' + random_below(10)); break;
      case 4:
        memmove(data + at, data + at + 1, size - at - 1);
        break;
      default:
        if (random_below(4) == 0) size = at + 1;
        break;
    }
    if (text > size) text = size;
  }
  return size;
}

static void replay(const char *seed, fuzz_target target, int32_t rounds, size_t text) {
  static char where[300];
  size_t size = 0;
  uint8_t *data = read_seed(seed, &size);
  int32_t i;
  if (!CHECK(data != NULL)) return;
  if (text == 0 || text > size) text = size;
  random_state = 1;
  fuzz_input = where;
  for (i = 0; i <= rounds; i++) {
    /* An exact copy each time: a read past its end is then seen by a sanitizer. */
    uint8_t *copy = (uint8_t *)malloc(size);
    size_t copy_size = size;
    if (!CHECK(copy != NULL)) break;
    memcpy(copy, data, size);
    if (i) copy_size = mutate(copy, size, text);
    snprintf(where, sizeof where, "%s, mutation %d", seed, (int)i);
    if (copy_size < size) {
      uint8_t *shorter = (uint8_t *)realloc(copy, copy_size);
      if (shorter) copy = shorter;
    }
    target(copy, copy_size);
    free(copy);
  }
  free(data);
}

static int32_t rounds(void) {
  const char *wanted = getenv("FUZZ_ROUNDS");
  return wanted ? atoi(wanted) : 2000;
}

static void test_safetensors(void) {
  replay("tests/models/bert_base/model.safetensors", fuzz_safetensors, rounds(), 3000);
  replay("tests/models/bert_mixed/model.safetensors", fuzz_safetensors, rounds(), 3000);
}
static void test_config(void) {
  replay("tests/models/bert_sequence/config.json", fuzz_config, rounds(), 0);
  replay("tests/models/gpt2_sequence/config.json", fuzz_config, rounds(), 0);
  replay("tests/models/llama_causal/config.json", fuzz_config, rounds(), 0);
  replay("tests/models/llama_base/config_llama_rope_longrope_right7.json", fuzz_config, rounds(), 0);
  replay("tests/models/llama_base/config_llama_rope_yarn_right7.json", fuzz_config, rounds(), 0);
}
static void test_index(void) {
  replay("tests/fuzz/index.json", fuzz_index, rounds(), 0);
}

static void test_json(void) {
  replay("tests/models/bert_sequence/config.json", fuzz_json, rounds(), 0);
  replay("tests/fuzz/index.json", fuzz_json, rounds(), 0);
}
static void test_header(void) {
  replay("tests/hostile/torch/zip_dtypes.safetensors", fuzz_header, rounds(), 0);
  replay("tests/hostile/torch/zip_views.safetensors", fuzz_header, rounds(), 0);
}
static void test_gguf(void) {
  replay("tests/hostile/gguf/values.gguf", fuzz_gguf, rounds(), 0);
  replay("tests/hostile/gguf/types.gguf", fuzz_gguf, rounds(), 2048);
}
static void test_torch_bin(void) {
  replay("tests/hostile/torch/zip_checkpoint.bin", fuzz_torch_bin, rounds(), 0);
  replay("tests/hostile/torch/zip_views_4.bin", fuzz_torch_bin, rounds(), 0);
  replay("tests/hostile/torch/legacy_views.bin", fuzz_torch_bin, rounds(), 0);
  replay("tests/fuzz/legacy_untyped_view.bin", fuzz_torch_bin, rounds(), 0);
}
static void test_pickle(void) {
  replay("tests/fuzz/checkpoint.pkl", fuzz_pickle, rounds(), 0);
}

int main(void) {
  TEST(test_json);
  TEST(test_header);
  TEST(test_gguf);
  TEST(test_torch_bin);
  TEST(test_pickle);
  TEST(test_config);
  TEST(test_index);
  TEST(test_safetensors);
  return check_report("test_replay");
}
