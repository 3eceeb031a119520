/* tensors.h: the elements of an hfm_tensor, float32 or float16. */
#ifndef TENSORS_H
#define TENSORS_H

#include <math.h>
#include <string.h>

CHECK_UNUSED static int is_little_endian(void) {
  const uint16_t one = 1;
  uint8_t first;
  memcpy(&first, &one, 1);
  return first;
}

CHECK_UNUSED static int64_t elements_of(const hfm_tensor *t) {
  int64_t n = 1;
  for (int32_t d = 0; d < t->rank; d++) n *= t->shape[d];
  return n;
}

CHECK_UNUSED static double element_of(const hfm_tensor *t, int64_t index) {
  const char *at = (const char *)t->data + index * hfm_dtype_bits(t->dtype) / 8;
  float value;
  uint16_t half;
  if (t->dtype == HFM_F32) {
    memcpy(&value, at, sizeof value);
    return (double)value;
  }
  CHECK_INT(t->dtype, HFM_F16);
  memcpy(&half, at, sizeof half);
  { /* finite ones */
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const double size = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return half >> 15 ? -size : size;
  }
}

#endif
