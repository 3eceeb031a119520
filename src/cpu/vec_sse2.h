/* ==== cpu/vec_sse2 (private): the vocabulary of vec_scalar.h on SSE2 ============================================ */

#define HFM__W 4
#define HFM__NV 2
#define HFM__MR 4
#define HFM__TALL 4
#define hfm__vf __m128
#define hfm__v_zero() _mm_setzero_ps()
#define hfm__v_set1(x) _mm_set1_ps(x)
#define hfm__v_load(p) _mm_loadu_ps(p)
#define hfm__v_load_n(p, n) hfm__v4_load_n(p, n)
#define hfm__v_load_f16(p) hfm__v4_load_f16(p)
#define hfm__v_load_bf16(p) hfm__v4_load_bf16(p)
#define hfm__v_store(p, x) _mm_storeu_ps(p, x)
#define hfm__v_store_n(p, x, n) hfm__v4_store_n(p, x, n)
#define hfm__v_add(a, b) _mm_add_ps(a, b)
#define hfm__v_sub(a, b) _mm_sub_ps(a, b)
#define hfm__v_mul(a, b) _mm_mul_ps(a, b)
#define hfm__v_div(a, b) _mm_div_ps(a, b)
#define hfm__v_sqrt(a) _mm_sqrt_ps(a)
#define hfm__v_fma(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) _mm_max_ps(a, b)
#define hfm__v_min(a, b) _mm_min_ps(a, b)
#define hfm__v_round(x) _mm_cvtepi32_ps(_mm_cvtps_epi32(x))
#define hfm__v_scale(x, n) hfm__v4_scale(x, n)
#define hfm__v_scale_down(x, n, t) hfm__v4_scale_down(x, n)
#define hfm__v_bound_power(t) hfm__v_max(hfm__v_set1(-127.0f), t)
#define hfm__v_select_lt(a, b, x, y) hfm__v4_select(_mm_cmplt_ps(a, b), x, y)
#define hfm__v_sum(x) hfm__v4_sum(x)
#define hfm__v_hmax(x) hfm__v4_hmax(x)
#define hfm__v_transpose(r) _MM_TRANSPOSE4_PS((r)[0], (r)[1], (r)[2], (r)[3])
#define hfm__v_prefetch(p, level) _mm_prefetch((const char *)(p), (level) == 1 ? _MM_HINT_T0 : _MM_HINT_T1)

HFM__TARGET HFM__LONG_INLINE __m128 hfm__v4_load_n(const float *p, int64_t n) {
  float t[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  int64_t i;
  for (i = 0; i < n; i++) t[i] = p[i];
  return _mm_loadu_ps(t);
}
HFM__TARGET HFM__LONG_INLINE void hfm__v4_store_n(float *p, __m128 x, int64_t n) {
  float t[4];
  int64_t i;
  _mm_storeu_ps(t, x);
  for (i = 0; i < n; i++) p[i] = t[i];
}
HFM__TARGET HFM__INLINE __m128 hfm__v4_load_bf16(const uint16_t *p) {
  const __m128i narrow = _mm_loadl_epi64((const __m128i *)(const void *)p);
  return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), narrow));
}
/* Exact, as hfm__half_bits: a multiplication by 2^112 moves the exponent; infinity and NaN get theirs by hand. */
HFM__TARGET HFM__LONG_INLINE __m128 hfm__v4_load_f16(const uint16_t *p) {
  const __m128i h = _mm_unpacklo_epi16(_mm_loadl_epi64((const __m128i *)(const void *)p), _mm_setzero_si128());
  const __m128i rest = _mm_and_si128(h, _mm_set1_epi32(0x7fff));
  const __m128i sign = _mm_slli_epi32(_mm_and_si128(h, _mm_set1_epi32(0x8000)), 16);
  const __m128i special = _mm_and_si128(_mm_cmpgt_epi32(rest, _mm_set1_epi32(0x7bff)), _mm_set1_epi32(0x7f800000));
  const __m128 value = _mm_mul_ps(_mm_castsi128_ps(_mm_slli_epi32(rest, 13)), _mm_set1_ps(5.192296858534828e33f));
  return _mm_or_ps(_mm_or_ps(value, _mm_castsi128_ps(sign)), _mm_castsi128_ps(special));
}
HFM__TARGET HFM__LONG_INLINE __m128 hfm__v4_scale(__m128 x, __m128 n) {
  const __m128i bias = _mm_set1_epi32(127), whole = _mm_cvtps_epi32(n);
  const __m128i half = _mm_srai_epi32(whole, 1), rest = _mm_sub_epi32(whole, half);
  const __m128 first = _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(half, bias), 23));
  const __m128 second = _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(rest, bias), 23));
  return _mm_mul_ps(_mm_mul_ps(x, first), second);
}
HFM__TARGET HFM__LONG_INLINE __m128 hfm__v4_scale_down(__m128 x, __m128 n) {
  const __m128i power = _mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127)), 23);
  return _mm_mul_ps(x, _mm_castsi128_ps(power));
}
HFM__TARGET HFM__INLINE __m128 hfm__v4_select(__m128 mask, __m128 x, __m128 y) {
  return _mm_or_ps(_mm_and_ps(mask, x), _mm_andnot_ps(mask, y));
}
HFM__TARGET HFM__LONG_INLINE float hfm__v4_sum(__m128 s) {
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
HFM__TARGET HFM__LONG_INLINE float hfm__v4_hmax(__m128 s) {
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}
