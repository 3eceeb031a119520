/* ==== cpu/vec_avx2 (private): the vocabulary of vec_scalar.h on AVX2 + FMA + F16C =============================== */

#define HFM__W 8
#define HFM__NV 2
#define HFM__MR 6
#define HFM__TALL 6
#define HFM__PACE 2
#define HFM__NARROW_TILES 1
#define HFM__PACKED_PACE 4
#define HFM__BLOCK 65536 /* a strip is narrow: with less, its tiles begin and end too often */
#define hfm__vf __m256
#define hfm__v_zero() _mm256_setzero_ps()
#define hfm__v_set1(x) _mm256_set1_ps(x)
#define hfm__v_load(p) _mm256_loadu_ps(p)
#define hfm__v_load_n(p, n) _mm256_maskload_ps(p, hfm__v8_mask(n))
#define hfm__v_load_f16(p) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define hfm__v_load_bf16(p) hfm__v8_load_bf16(p)
#define hfm__v_store(p, x) _mm256_storeu_ps(p, x)
#define hfm__v_store_n(p, x, n) _mm256_maskstore_ps(p, hfm__v8_mask(n), x)
#define hfm__v_add(a, b) _mm256_add_ps(a, b)
#define hfm__v_sub(a, b) _mm256_sub_ps(a, b)
#define hfm__v_mul(a, b) _mm256_mul_ps(a, b)
#define hfm__v_div(a, b) _mm256_div_ps(a, b)
#define hfm__v_sqrt(a) _mm256_sqrt_ps(a)
#define hfm__v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) _mm256_max_ps(a, b)
#define hfm__v_min(a, b) _mm256_min_ps(a, b)
#define hfm__v_round(x) _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define hfm__v_scale(x, n) hfm__v8_scale(x, n)
#define hfm__v_scale_down(x, n, t) hfm__v8_scale_down(x, n)
#define hfm__v_bound_power(t) hfm__v_max(hfm__v_set1(-127.0f), t)
#define hfm__v_select_lt(a, b, x, y) _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ))
#define hfm__v_sum(x) hfm__v8_sum(x)
#define hfm__v_hmax(x) hfm__v8_hmax(x)
#define hfm__v_transpose(r) hfm__v8_transpose(r)
#define hfm__v_prefetch(p, level) _mm_prefetch((const char *)(p), (level) == 1 ? _MM_HINT_T0 : _MM_HINT_T1)

/* The first n lanes; n in 0..8. */
HFM__TARGET HFM__INLINE __m256i hfm__v8_mask(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
HFM__TARGET HFM__INLINE __m256 hfm__v8_load_bf16(const uint16_t *p) {
  const __m256i from = _mm256_setr_epi8(-1, -1, 0, 1, -1, -1, 2, 3, -1, -1, 4, 5, -1, -1, 6, 7,
                                        -1, -1, 8, 9, -1, -1, 10, 11, -1, -1, 12, 13, -1, -1, 14, 15);
  const __m256i narrow = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p));
  return _mm256_castsi256_ps(_mm256_shuffle_epi8(narrow, from));
}
HFM__TARGET HFM__LONG_INLINE __m256 hfm__v8_scale(__m256 x, __m256 n) {
  const __m256i bias = _mm256_set1_epi32(127), whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
  const __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const __m256 second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return _mm256_mul_ps(_mm256_mul_ps(x, first), second);
}
HFM__TARGET HFM__LONG_INLINE __m256 hfm__v8_scale_down(__m256 x, __m256 n) {
  const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(x, _mm256_castsi256_ps(power));
}
HFM__TARGET HFM__LONG_INLINE float hfm__v8_sum(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
HFM__TARGET HFM__LONG_INLINE float hfm__v8_hmax(__m256 v) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}
HFM__TARGET HFM__INLINE void hfm__v8_transpose(__m256 *r) {
  const __m256 t0 = _mm256_unpacklo_ps(r[0], r[1]), t1 = _mm256_unpackhi_ps(r[0], r[1]);
  const __m256 t2 = _mm256_unpacklo_ps(r[2], r[3]), t3 = _mm256_unpackhi_ps(r[2], r[3]);
  const __m256 t4 = _mm256_unpacklo_ps(r[4], r[5]), t5 = _mm256_unpackhi_ps(r[4], r[5]);
  const __m256 t6 = _mm256_unpacklo_ps(r[6], r[7]), t7 = _mm256_unpackhi_ps(r[6], r[7]);
  const __m256 u0 = _mm256_shuffle_ps(t0, t2, 0x44), u1 = _mm256_shuffle_ps(t0, t2, 0xee);
  const __m256 u2 = _mm256_shuffle_ps(t1, t3, 0x44), u3 = _mm256_shuffle_ps(t1, t3, 0xee);
  const __m256 u4 = _mm256_shuffle_ps(t4, t6, 0x44), u5 = _mm256_shuffle_ps(t4, t6, 0xee);
  const __m256 u6 = _mm256_shuffle_ps(t5, t7, 0x44), u7 = _mm256_shuffle_ps(t5, t7, 0xee);
  r[0] = _mm256_permute2f128_ps(u0, u4, 0x20);
  r[1] = _mm256_permute2f128_ps(u1, u5, 0x20);
  r[2] = _mm256_permute2f128_ps(u2, u6, 0x20);
  r[3] = _mm256_permute2f128_ps(u3, u7, 0x20);
  r[4] = _mm256_permute2f128_ps(u0, u4, 0x31);
  r[5] = _mm256_permute2f128_ps(u1, u5, 0x31);
  r[6] = _mm256_permute2f128_ps(u2, u6, 0x31);
  r[7] = _mm256_permute2f128_ps(u3, u7, 0x31);
}
