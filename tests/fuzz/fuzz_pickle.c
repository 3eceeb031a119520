/* The bytes are data.pkl in an archive that is otherwise good, with storages "0" and "1" of 24 bytes. */
#include "fuzz_weights.h"

typedef struct fuzz_zip {
  uint8_t *bytes;
  size_t size;
} fuzz_zip;

static void fuzz_put(fuzz_zip *zip, uint64_t value, int width) {
  for (int i = 0; i < width; i++) zip->bytes[zip->size++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

static void fuzz_copy(fuzz_zip *zip, const void *data, size_t size) {
  if (size) memcpy(zip->bytes + zip->size, data, size);
  zip->size += size;
}

FUZZ_TARGET(pickle) {
  static const char *const names[3] = {"m/data.pkl", "m/data/0", "m/data/1"};
  static const uint8_t storage[24] = {1, 2, 3};
  uint64_t local[3], directory, length;
  fuzz_zip zip;
  zip.bytes = (uint8_t *)malloc(size + 1024);
  zip.size = 0;
  if (!zip.bytes) return 0;
  for (int i = 0; i < 3; i++) {
    local[i] = zip.size;
    fuzz_put(&zip, 0x04034b50, 4);
    fuzz_put(&zip, 0, 22);
    fuzz_put(&zip, strlen(names[i]), 4);
    fuzz_copy(&zip, names[i], strlen(names[i]));
    fuzz_copy(&zip, i ? storage : data, i ? sizeof storage : size);
  }
  directory = zip.size;
  for (int i = 0; i < 3; i++) {
    fuzz_put(&zip, 0x02014b50, 4);
    fuzz_put(&zip, 0, 16);
    fuzz_put(&zip, i ? sizeof storage : size, 4);
    fuzz_put(&zip, i ? sizeof storage : size, 4);
    fuzz_put(&zip, strlen(names[i]), 4);
    fuzz_put(&zip, 0, 10);
    fuzz_put(&zip, local[i], 4);
    fuzz_copy(&zip, names[i], strlen(names[i]));
  }
  length = zip.size - directory;
  fuzz_put(&zip, 0x06054b50, 4);
  fuzz_put(&zip, 0, 4);
  fuzz_put(&zip, 3, 2);
  fuzz_put(&zip, 3, 2);
  fuzz_put(&zip, length, 4);
  fuzz_put(&zip, directory, 4);
  fuzz_put(&zip, 0, 2);
  fuzz_weights("x.bin", zip.bytes, zip.size);
  free(zip.bytes);
  return 0;
}
