/* ==== tensor/convert (private): elements of one type as another =================================================
   Used where a conversion is asked for, or a type that kernels don't read is stored. Rounds to nearest, ties to even.
   Bit patterns only: no float compare decides about NaN, so -ffast-math changes nothing. */

HFM__INLINE float hfm__float_from_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}
HFM__INLINE uint32_t hfm__float_bits(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

/* IEEE-like formats of at most 16 bits: sign, `exponent` bits, `mantissa` bits; infinities and NaN as IEEE. */
HFM__PRIVATE float hfm__small_float(uint32_t v, int32_t exponent, int32_t mantissa) {
  const uint32_t sign = v >> (exponent + mantissa) << 31, fraction_mask = (1u << mantissa) - 1;
  const int32_t bias = (1 << (exponent - 1)) - 1;
  const uint32_t e = v >> mantissa & ((1u << exponent) - 1), f = v & fraction_mask;
  if (e == (1u << exponent) - 1) return hfm__float_from_bits(sign | 0x7f800000u | f << (23 - mantissa));
  if (e == 0) {
    float value = (float)f * hfm__float_from_bits((uint32_t)(127 + 1 - bias - mantissa) << 23);
    return hfm__float_from_bits(hfm__float_bits(value) | sign);
  }
  return hfm__float_from_bits(sign | (uint32_t)((int32_t)e + 127 - bias) << 23 | f << (23 - mantissa));
}

HFM__PRIVATE float hfm__f16_to_f32(uint16_t v) { return hfm__small_float(v, 5, 10); }
HFM__PRIVATE float hfm__bf16_to_f32(uint16_t v) { return hfm__float_from_bits((uint32_t)v << 16); }

HFM__PRIVATE uint16_t hfm__f32_to_bf16(float value) {
  const uint32_t bits = hfm__float_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40); /* a NaN stays one */
  return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

HFM__PRIVATE uint16_t hfm__f32_to_f16(float value) {
  const uint32_t bits = hfm__float_bits(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  uint32_t mantissa, shift, half, rest;
  if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
  if (magnitude >= 0x47800000u) return (uint16_t)(sign | 0x7c00u); /* 2^16 and more; rounding up to it comes below */
  if (magnitude < 0x33000000u) return (uint16_t)sign;              /* less than half of the smallest */
  if (magnitude >= 0x38800000u) {                                  /* normal */
    half = (magnitude - 0x38000000u) >> 13;
    rest = magnitude & 0x1fffu;
    shift = 13;
  } else {
    shift = 126 - (magnitude >> 23);
    mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    half = mantissa >> shift;
    rest = mantissa & ((1u << shift) - 1);
  }
  if (rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && (half & 1))) half++;
  return (uint16_t)(sign | half);
}

/* 1 where hfm__to_f32 knows the type. */
HFM__PRIVATE int hfm__convertible(hfm_dtype dtype) {
  return hfm__is_float(dtype) || (dtype >= HFM_I64 && dtype <= HFM_BOOL) || dtype == HFM_F8_E5M2 ||
         dtype == HFM_F8_E4M3;
}

/* Element i of file bytes in little-endian order (big: the other order), as a double: exact for every type but I64 and
   U64 beyond 2^53. */
HFM__PRIVATE double hfm__element(const void *data, hfm_dtype dtype, int64_t i, int32_t big) {
  const int32_t size = hfm_dtype_bits(dtype) / 8;
  const uint8_t *p = (const uint8_t *)data + i * size;
  uint64_t v = 0;
  for (int32_t b = 0; b < size; b++) v |= (uint64_t)p[big ? size - 1 - b : b] << 8 * b;
  switch (dtype) {
    case HFM_F32:
      return (double)hfm__float_from_bits((uint32_t)v);
    case HFM_F64:
      return hfm__double_from_bits(v);
    case HFM_F16:
      return (double)hfm__f16_to_f32((uint16_t)v);
    case HFM_BF16:
      return (double)hfm__bf16_to_f32((uint16_t)v);
    case HFM_F8_E5M2:
      return (double)hfm__small_float((uint32_t)v, 5, 2);
    case HFM_F8_E4M3: /* no infinities: only all ones is NaN, and the top exponent is a number */
      if ((v & 0x7f) == 0x7f) return (double)hfm__float_from_bits(0x7fc00000u);
      if ((v >> 3 & 15) == 15) return ((v & 0x80) ? -1.0 : 1.0) * 256.0 * (1.0 + (double)(v & 7) / 8.0);
      return (double)hfm__small_float((uint32_t)v, 4, 3);
    case HFM_I64:
      return (double)(int64_t)v;
    case HFM_I32:
      return (double)(int32_t)(uint32_t)v;
    case HFM_I16:
      return (double)(int16_t)(uint16_t)v;
    case HFM_I8:
      return (double)(int8_t)(uint8_t)v;
    case HFM_BOOL:
      return v ? 1.0 : 0.0;
    default:
      return (double)v;
  }
}

/* Stores a value in the host's byte order; dtype is F32, F16 or BF16. */
HFM__PRIVATE void hfm__store(void *data, hfm_dtype dtype, int64_t i, double value) {
  const float f = (float)value;
  if (dtype == HFM_F32) ((float *)data)[i] = f;
  else ((uint16_t *)data)[i] = dtype == HFM_F16 ? hfm__f32_to_f16(f) : hfm__f32_to_bf16(f);
}

/* `value` as that dtype holds it: rounded to 16 bits or, for every other one, to float32. */
HFM__PRIVATE float hfm__rounded(hfm_dtype dtype, double value) {
  if (dtype == HFM_F16) return hfm__f16_to_f32(hfm__f32_to_f16((float)value));
  return dtype == HFM_BF16 ? hfm__bf16_to_f32(hfm__f32_to_bf16((float)value)) : (float)value;
}
