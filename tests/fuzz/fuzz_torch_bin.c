/* The bytes are a whole .bin file: a zip archive or a legacy stream. */
#include "fuzz_weights.h"

FUZZ_TARGET(torch_bin) {
  fuzz_weights("x.bin", data, size);
  return 0;
}
