/* ==== cpu/vec_wasm (private): the vocabulary of vec_scalar.h on WebAssembly SIMD128 =============================
   There is no fused multiply-add in the base proposal. More than 9 accumulators spill in today's engines. */

#include <wasm_simd128.h>

#define HFM__W 4
#define HFM__NV 2
#define HFM__MR 4
#define HFM__TALL 4
#define hfm__vf v128_t
#define hfm__v_zero() wasm_f32x4_const(0.0f, 0.0f, 0.0f, 0.0f)
#define hfm__v_set1(x) wasm_f32x4_splat(x)
#define hfm__v_load(p) wasm_v128_load(p)
#define hfm__v_load_n(p, n) hfm__v4_load_n(p, n)
#define hfm__v_load_f16(p) hfm__v4_load_f16(p)
#define hfm__v_load_bf16(p) wasm_i32x4_shl(wasm_u32x4_load16x4(p), 16)
#define hfm__v_store(p, x) wasm_v128_store(p, x)
#define hfm__v_store_n(p, x, n) hfm__v4_store_n(p, x, n)
#define hfm__v_add(a, b) wasm_f32x4_add(a, b)
#define hfm__v_sub(a, b) wasm_f32x4_sub(a, b)
#define hfm__v_mul(a, b) wasm_f32x4_mul(a, b)
#define hfm__v_div(a, b) wasm_f32x4_div(a, b)
#define hfm__v_sqrt(a) wasm_f32x4_sqrt(a)
#define hfm__v_fma(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) wasm_f32x4_pmax(b, a)
#define hfm__v_min(a, b) wasm_f32x4_pmin(b, a)
#define hfm__v_round(x) wasm_f32x4_nearest(x)
#define hfm__v_scale(x, n) hfm__v4_scale(x, n)
#define hfm__v_scale_down(x, n, t) hfm__v4_scale_down(x, n)
#define hfm__v_bound_power(t) hfm__v_max(hfm__v_set1(-127.0f), t)
#define hfm__v_select_lt(a, b, x, y) wasm_v128_bitselect(x, y, wasm_f32x4_lt(a, b))
#define hfm__v_sum(x) hfm__v4_sum(x)
#define hfm__v_hmax(x) hfm__v4_hmax(x)
#define hfm__v_transpose(r) hfm__v4_transpose(r)
#define hfm__v_prefetch(p, level) (void)(p)

HFM__LONG_INLINE v128_t hfm__v4_load_n(const float *p, int64_t n) {
  float t[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  int64_t i;
  for (i = 0; i < n; i++) t[i] = p[i];
  return wasm_v128_load(t);
}
HFM__LONG_INLINE void hfm__v4_store_n(float *p, v128_t x, int64_t n) {
  float t[4];
  int64_t i;
  wasm_v128_store(t, x);
  for (i = 0; i < n; i++) p[i] = t[i];
}
/* As hfm__half_bits. */
HFM__LONG_INLINE v128_t hfm__v4_load_f16(const uint16_t *p) {
  const v128_t h = wasm_u32x4_load16x4(p), rest = wasm_v128_and(h, wasm_i32x4_const_splat(0x7fff));
  const v128_t sign = wasm_i32x4_shl(wasm_v128_and(h, wasm_i32x4_const_splat(0x8000)), 16);
  const v128_t special = wasm_v128_and(wasm_i32x4_gt(rest, wasm_i32x4_const_splat(0x7bff)),
                                       wasm_i32x4_const_splat(0x7f800000));
  const v128_t value = wasm_f32x4_mul(wasm_i32x4_shl(rest, 13), wasm_f32x4_splat(5.192296858534828e33f));
  return wasm_v128_or(wasm_v128_or(value, sign), special);
}
/* 2^n, n in -126..127 */
HFM__INLINE v128_t hfm__v4_power(v128_t n) {
  return wasm_i32x4_shl(wasm_i32x4_add(n, wasm_i32x4_const_splat(127)), 23);
}
HFM__LONG_INLINE v128_t hfm__v4_scale(v128_t x, v128_t n) {
  const v128_t whole = wasm_i32x4_trunc_sat_f32x4(n), half = wasm_i32x4_shr(whole, 1);
  return wasm_f32x4_mul(wasm_f32x4_mul(x, hfm__v4_power(half)), hfm__v4_power(wasm_i32x4_sub(whole, half)));
}
HFM__LONG_INLINE v128_t hfm__v4_scale_down(v128_t x, v128_t n) {
  return wasm_f32x4_mul(x, hfm__v4_power(wasm_i32x4_trunc_sat_f32x4(n)));
}
HFM__LONG_INLINE float hfm__v4_sum(v128_t v) {
  const v128_t s = wasm_f32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(s, 0) + wasm_f32x4_extract_lane(s, 1);
}
HFM__LONG_INLINE float hfm__v4_hmax(v128_t v) {
  const v128_t s = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return HFM__MAX(wasm_f32x4_extract_lane(s, 0), wasm_f32x4_extract_lane(s, 1));
}
HFM__INLINE void hfm__v4_transpose(v128_t *r) {
  const v128_t a = wasm_i32x4_shuffle(r[0], r[1], 0, 4, 1, 5), b = wasm_i32x4_shuffle(r[0], r[1], 2, 6, 3, 7);
  const v128_t c = wasm_i32x4_shuffle(r[2], r[3], 0, 4, 1, 5), d = wasm_i32x4_shuffle(r[2], r[3], 2, 6, 3, 7);
  r[0] = wasm_i32x4_shuffle(a, c, 0, 1, 4, 5);
  r[1] = wasm_i32x4_shuffle(a, c, 2, 3, 6, 7);
  r[2] = wasm_i32x4_shuffle(b, d, 0, 1, 4, 5);
  r[3] = wasm_i32x4_shuffle(b, d, 2, 3, 6, 7);
}
