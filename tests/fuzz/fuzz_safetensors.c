/* The bytes are a whole safetensors file, without a model around it. */
#include "fuzz_weights.h"
#include "mutate_safetensors.h"

FUZZ_TARGET(safetensors) {
  fuzz_weights("x.safetensors", data, size);
  return 0;
}

FUZZ_MUTATOR(safetensors) {
  fuzz_edit e = fuzz_edit_begin(data, size, max_size, seed);
  fuzz_mutate_safetensors(&e);
  return e.size;
}
