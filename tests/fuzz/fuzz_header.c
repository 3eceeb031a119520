/* The bytes are a whole safetensors file: only its header is looked at. */
#include "fuzz_weights.h"

FUZZ_TARGET(header) {
  fuzz_weights("x.safetensors", data, size);
  return 0;
}
