/* ==== cpu/vec_neon (private): the vocabulary of vec_scalar.h on AArch64 NEON ==================================== */

#define HFM__W 4
#define HFM__NV 2
#define HFM__MR 8
#define HFM__TALL 8
#define hfm__vf float32x4_t
#define hfm__v_zero() vdupq_n_f32(0.0f)
#define hfm__v_set1(x) vdupq_n_f32(x)
#define hfm__v_load(p) vld1q_f32(p)
#define hfm__v_load_n(p, n) hfm__v4_load_n(p, n)
#define hfm__v_load_f16(p) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))
#define hfm__v_load_bf16(p) vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))
#define hfm__v_store(p, x) vst1q_f32(p, x)
#define hfm__v_store_n(p, x, n) hfm__v4_store_n(p, x, n)
#define hfm__v_add(a, b) vaddq_f32(a, b)
#define hfm__v_sub(a, b) vsubq_f32(a, b)
#define hfm__v_mul(a, b) vmulq_f32(a, b)
#define hfm__v_div(a, b) vdivq_f32(a, b)
#define hfm__v_sqrt(a) vsqrtq_f32(a)
#define hfm__v_fma(a, b, c) vfmaq_f32(c, a, b)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) hfm__v4_max(a, b)
#define hfm__v_min(a, b) hfm__v4_min(a, b)
#define hfm__v_round(x) vrndnq_f32(x)
#define hfm__v_scale(x, n) hfm__v4_scale(x, n)
#define hfm__v_scale_down(x, n, t) hfm__v4_scale_down(x, n)
#define hfm__v_bound_power(t) hfm__v_max(hfm__v_set1(-127.0f), t)
#define hfm__v_select_lt(a, b, x, y) vbslq_f32(vcltq_f32(a, b), x, y)
#define hfm__v_sum(x) vaddvq_f32(x)
#define hfm__v_hmax(x) vmaxvq_f32(x)
#define hfm__v_transpose(r) hfm__v4_transpose(r)
#define hfm__v_prefetch(p, level) __builtin_prefetch(p, 0, 4 - (level))

HFM__INLINE float32x4_t hfm__v4_max(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
HFM__INLINE float32x4_t hfm__v4_min(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
HFM__LONG_INLINE float32x4_t hfm__v4_load_n(const float *p, int64_t n) {
  float t[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  int64_t i;
  for (i = 0; i < n; i++) t[i] = p[i];
  return vld1q_f32(t);
}
HFM__LONG_INLINE void hfm__v4_store_n(float *p, float32x4_t x, int64_t n) {
  float t[4];
  int64_t i;
  vst1q_f32(t, x);
  for (i = 0; i < n; i++) p[i] = t[i];
}
/* 2^n, n in -126..127 */
HFM__INLINE float32x4_t hfm__v4_power(int32x4_t n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
HFM__LONG_INLINE float32x4_t hfm__v4_scale(float32x4_t x, float32x4_t n) {
  const int32x4_t whole = vcvtnq_s32_f32(n), half = vshrq_n_s32(whole, 1);
  return vmulq_f32(vmulq_f32(x, hfm__v4_power(half)), hfm__v4_power(vsubq_s32(whole, half)));
}
HFM__LONG_INLINE float32x4_t hfm__v4_scale_down(float32x4_t x, float32x4_t n) {
  return vmulq_f32(x, hfm__v4_power(vcvtnq_s32_f32(n)));
}
HFM__INLINE void hfm__v4_transpose(float32x4_t *r) {
  const float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
  r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
  r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
  r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
  r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}
