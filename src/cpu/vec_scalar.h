/* ==== cpu/vec_scalar (private): the vector vocabulary, one float wide ============================================
   The specification of the vocabulary: every other vec_*.h defines the same names for its registers.
     HFM__W floats in a vector; a GEMM tile is HFM__MR rows by HFM__NR = HFM__W * HFM__NV columns, or up to HFM__TALL
     rows by HFM__STRIP = 2 * HFM__W: as many as there are registers. It takes HFM__PACE steps along K, 1 or 2 (1 where
     it isn't defined), without a branch between them: 2 where instructions are what is short. Where HFM__PACKED_PACE
     is defined, products of packed rows take so many steps; where HFM__NARROW_TILES is, 16-bit weights are widened
     as they are multiplied, for each step of few rows, for the first one of many. HFM__BLOCK (32768 where it isn't
     defined): bytes of a strip in memory that all of few rows are multiplied by before the next
     load_n reads only the first n (< W) floats and gives zeros after them; store_n writes only those
     float_fma(a, b, c): fma where a and b are values that a float can hold
     max(a, b), min(a, b) give b where a comparison with NaN decides, so clamp as max(bound, x)
     scale(x, n) = x * 2^n for integral n, to zero and to infinity where it must
     bound_power(t) keeps t <= 0 in the range of scale_down(x, n, t), which is x * 2^n for the integer n next to t,
     where x is about 1: 0 where 2^n is smaller than a normal number
     select_lt(a, b, x, y) = a < b ? x : y
     dot_bf16(x, w, c): lanes are two bf16; c + high(x) * high(w), then + low(x) * low(w); store_bf16 rounds to nearest,
     ties to even. A tier without such products leaves both out
     prefetch(p, level) into the cache of that level, 1 or 2
     transpose(r): the W vectors r[0..W-1] as a square matrix, in place */

#if HFM__WITH_SCALAR
#define HFM__W 1
#define HFM__NV 4
#define HFM__MR 4
#define HFM__TALL 4
#define hfm__vf float
#define hfm__v_zero() 0.0f
#define hfm__v_set1(x) (x)
#define hfm__v_load(p) (*(p))
#define hfm__v_load_n(p, n) ((void)(p), (void)(n), 0.0f) /* there is no tail at this width */
#define hfm__v_load_f16(p) hfm__half_bits(hfm__load_u16(p))
#define hfm__v_load_bf16(p) hfm__bf16_bits(hfm__load_u16(p))
#define hfm__v_store(p, x) (void)(*(p) = (x))
#define hfm__v_store_n(p, x, n) ((void)(p), (void)(x), (void)(n))
#define hfm__v_add(a, b) ((a) + (b))
#define hfm__v_sub(a, b) ((a) - (b))
#define hfm__v_mul(a, b) ((a) * (b))
#define hfm__v_div(a, b) ((a) / (b))
#define hfm__v_sqrt(a) sqrtf(a)
#define hfm__v_fma(a, b, c) ((a) * (b) + (c))
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) hfm__v1_max(a, b)
#define hfm__v_min(a, b) hfm__v1_min(a, b)
#define hfm__v_round(x) hfm__v1_round(x)
#define hfm__v_scale(x, n) hfm__v1_scale(x, n)
#define hfm__v_scale_down(x, n, t) hfm__v1_scale(x, n)
#define hfm__v_bound_power(t) hfm__v_max(hfm__v_set1(-200.0f), t)
#define hfm__v_select_lt(a, b, x, y) ((a) < (b) ? (x) : (y))
#define hfm__v_sum(x) (x)
#define hfm__v_hmax(x) (x)
#define hfm__v_transpose(r) (void)(r)
#define hfm__v_prefetch(p, level) (void)(p)
#if HFM__WITH_AVX512_BF16 /* the specification of an instruction that no other tier has */
#define HFM__TARGET_BF16
#define hfm__v_dot_bf16(x, w, c) hfm__v1_dot_bf16(x, w, c)
#define hfm__v_store_bf16(p, x) hfm__store_bf16(p, x)
#endif
#endif

/* ---- 16-bit floats, one at a time: shared by all tiers for what is left over ---- */

HFM__INLINE uint16_t hfm__load_u16(const uint16_t *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
HFM__INLINE float hfm__load_f32(const float *p) {
  float v;
  memcpy(&v, p, sizeof v);
  return v;
}
HFM__INLINE float hfm__bf16_bits(uint16_t h) {
  const uint32_t bits = (uint32_t)h << 16;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}
HFM__LONG_INLINE void hfm__store_bf16(uint16_t *p, float x) {
  uint32_t bits;
  uint16_t h;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) bits |= 0x400000u; /* a NaN stays one */
  else bits += 0x7fffu + (bits >> 16 & 1u);
  h = (uint16_t)(bits >> 16);
  memcpy(p, &h, sizeof h);
}
/* Exact: the exponent is moved by a multiplication, which also makes subnormals normal. */
HFM__LONG_INLINE float hfm__half_bits(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = (uint32_t)(h & 0x7fffu);
  const uint32_t bits = sign | (rest << 13);
  const uint32_t special = bits | 0x7f800000u; /* infinity and NaN keep their payload */
  float f;
  if (rest >= 0x7c00u) {
    memcpy(&f, &special, sizeof f);
    return f;
  }
  memcpy(&f, &bits, sizeof f);
  return f * 5.192296858534828e33f; /* 2^112 */
}

HFM__INLINE float hfm__v1_dot_bf16(float x, float w, float c) {
  uint32_t a, b;
  memcpy(&a, &x, sizeof a);
  memcpy(&b, &w, sizeof b);
  c += hfm__bf16_bits((uint16_t)(a >> 16)) * hfm__bf16_bits((uint16_t)(b >> 16));
  return c + hfm__bf16_bits((uint16_t)a) * hfm__bf16_bits((uint16_t)b);
}
HFM__INLINE float hfm__v1_max(float a, float b) { return a > b ? a : b; }
HFM__INLINE float hfm__v1_min(float a, float b) { return a < b ? a : b; }
/* Halves go up, which exp and its relatives don't mind. */
HFM__INLINE float hfm__v1_round(float x) { return floorf(x + 0.5f); }
/* In two steps, because 2^n alone may be out of range. n in [-200, 200]; a NaN passes through x. */
HFM__LONG_INLINE float hfm__v1_scale(float x, float n) {
  const int32_t whole = n > -200.0f ? (n < 200.0f ? (int32_t)n : 200) : -200;
  const int32_t half = whole / 2;
  const uint32_t first = (uint32_t)(half + 127) << 23, second = (uint32_t)(whole - half + 127) << 23;
  float a, b;
  memcpy(&a, &first, sizeof a);
  memcpy(&b, &second, sizeof b);
  return x * a * b;
}
