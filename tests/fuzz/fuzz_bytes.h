/* fuzz_bytes.h: an input that is a recipe, taken piece by piece. What is no longer there is 0. */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include "fuzz.h"

typedef struct fuzz_bytes {
  const uint8_t *data;
  size_t size, pos;
} fuzz_bytes;

static uint64_t fuzz_take(fuzz_bytes *b, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; i++)
    if (b->pos < b->size) value |= (uint64_t)b->data[b->pos++] << 8 * i;
  return value;
}

/* Up to `size` bytes as they are; *taken: how many there were. */
static const uint8_t *fuzz_take_bytes(fuzz_bytes *b, size_t size, size_t *taken) {
  const uint8_t *bytes = b->data + b->pos;
  *taken = FUZZ_MIN(size, b->size - b->pos);
  b->pos += *taken;
  return bytes;
}

#endif
