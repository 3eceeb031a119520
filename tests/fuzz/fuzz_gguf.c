/* The bytes are a whole GGUF file. */
#include "fuzz_weights.h"

FUZZ_TARGET(gguf) {
  fuzz_weights("x.gguf", data, size);
  return 0;
}
