/* ==== cpu/vec_avx512 (private): the vocabulary of vec_scalar.h on AVX-512 F, BW, DQ, VL =========================
   The _maskz_ forms with a full mask stand where g++ 12 reports its own header's uninitialised register otherwise;
   they compile to the same instructions. */

#define HFM__W 16
#define HFM__NV 4
#define HFM__MR 6
#define HFM__TALL 12
#define HFM__PACE 2
#define HFM__NARROW_TILES 1
#define hfm__vf __m512
#define hfm__v_zero() _mm512_setzero_ps()
#define hfm__v_set1(x) _mm512_set1_ps(x)
#define hfm__v_load(p) _mm512_loadu_ps(p)
#define hfm__v_load_n(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1u), p)
#define hfm__v_load_f16(p) _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define hfm__v_load_bf16(p) hfm__v16_load_bf16(p)
#define hfm__v_store(p, x) _mm512_storeu_ps(p, x)
#define hfm__v_store_n(p, x, n) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1u), x)
#define hfm__v_add(a, b) _mm512_add_ps(a, b)
#define hfm__v_sub(a, b) _mm512_sub_ps(a, b)
#define hfm__v_mul(a, b) _mm512_mul_ps(a, b)
#define hfm__v_div(a, b) _mm512_div_ps(a, b)
#define hfm__v_sqrt(a) _mm512_maskz_sqrt_ps(0xffff, a)
#define hfm__v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) _mm512_maskz_max_ps(0xffff, a, b)
#define hfm__v_min(a, b) _mm512_maskz_min_ps(0xffff, a, b)
#define hfm__v_round(x) hfm__v16_round(x)
#define hfm__v_scale(x, n) _mm512_maskz_scalef_ps(0xffff, x, n)
#define hfm__v_bound_power(t) (t) /* lanes beyond are not scaled: one that underflows takes an Intel core 150 cycles */
#define hfm__v_scale_down(x, n, t) \
  _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(t, _mm512_set1_ps(-126.0f), _CMP_NLT_UQ), x, n)
#define hfm__v_select_lt(a, b, x, y) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x)
#define hfm__v_sum(x) hfm__v16_sum(x)
#define hfm__v_hmax(x) hfm__v16_hmax(x)
#define hfm__v_transpose(r) hfm__v16_transpose(r)
#define hfm__v_prefetch(p, level) _mm_prefetch((const char *)(p), (level) == 1 ? _MM_HINT_T0 : _MM_HINT_T1)
#if HFM__WITH_AVX512_BF16
#define HFM__TARGET_BF16 HFM__ATTRIBUTE_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c")
#define hfm__v_dot_bf16(x, w, c) hfm__v16_dot_bf16(x, w, c)
#define hfm__v_store_bf16(p, x) hfm__v16_store_bf16(p, x)

/* In assembly: the intrinsics' types changed between versions of gcc, and gcc 12 moves registers about around them. */
HFM__TARGET_BF16 HFM__INLINE __m512 hfm__v16_dot_bf16(__m512 x, __m512 w, __m512 c) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(c) : "v"(x), "v"(w));
  return c;
}
HFM__TARGET_BF16 HFM__INLINE void hfm__v16_store_bf16(uint16_t *p, __m512 x) {
  __m256i narrow;
  __asm__("vcvtneps2bf16 %1, %0" : "=v"(narrow) : "v"(x));
  _mm256_storeu_si256((__m256i *)(void *)p, narrow);
}
#endif

/* In assembly where gcc's own header for it doesn't compile without warnings, whichever form is taken. */
HFM__TARGET HFM__INLINE __m512 hfm__v16_round(__m512 x) {
#if defined(__GNUC__)
  __asm__("vrndscaleps {$0, %1, %0|%0, %1, 0}" : "=v"(x) : "v"(x));
  return x;
#else
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT);
#endif
}

/* In one instruction: the fewer there are, the more lines of memory a core has under way at a time. */
HFM__TARGET HFM__INLINE __m512 hfm__v16_load_bf16(const uint16_t *p) {
  const __m512i from = _mm512_setr_epi32(0, 1 << 16, 2 << 16, 3 << 16, 4 << 16, 5 << 16, 6 << 16, 7 << 16, 8 << 16,
                                         9 << 16, 10 << 16, 11 << 16, 12 << 16, 13 << 16, 14 << 16, 15 << 16);
  const __m512i narrow = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)p));
  return _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, from, narrow));
}
HFM__TARGET HFM__LONG_INLINE float hfm__v16_sum(__m512 v) {
  const __m256 h = _mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xff, v, 0), _mm512_maskz_extractf32x8_ps(0xff, v, 1));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
HFM__TARGET HFM__LONG_INLINE float hfm__v16_hmax(__m512 v) {
  const __m256 h = _mm256_max_ps(_mm512_maskz_extractf32x8_ps(0xff, v, 0), _mm512_maskz_extractf32x8_ps(0xff, v, 1));
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

/* Pairs, then quads within 128-bit lanes, then the lanes themselves. */
HFM__TARGET HFM__INLINE void hfm__v16_transpose(__m512 *r) {
  __m512 t[16];
  int i;
  HFM__UNROLL
  for (i = 0; i < 16; i += 4) {
    const __m512 a = _mm512_maskz_unpacklo_ps(0xffff, r[i], r[i + 1]);
    const __m512 b = _mm512_maskz_unpackhi_ps(0xffff, r[i], r[i + 1]);
    const __m512 c = _mm512_maskz_unpacklo_ps(0xffff, r[i + 2], r[i + 3]);
    const __m512 d = _mm512_maskz_unpackhi_ps(0xffff, r[i + 2], r[i + 3]);
    t[i] = _mm512_maskz_shuffle_ps(0xffff, a, c, 0x44);
    t[i + 1] = _mm512_maskz_shuffle_ps(0xffff, a, c, 0xee);
    t[i + 2] = _mm512_maskz_shuffle_ps(0xffff, b, d, 0x44);
    t[i + 3] = _mm512_maskz_shuffle_ps(0xffff, b, d, 0xee);
  }
  HFM__UNROLL
  for (i = 0; i < 4; i++) {
    const __m512 a = _mm512_maskz_shuffle_f32x4(0xffff, t[i], t[i + 4], 0x88);
    const __m512 b = _mm512_maskz_shuffle_f32x4(0xffff, t[i], t[i + 4], 0xdd);
    const __m512 c = _mm512_maskz_shuffle_f32x4(0xffff, t[i + 8], t[i + 12], 0x88);
    const __m512 d = _mm512_maskz_shuffle_f32x4(0xffff, t[i + 8], t[i + 12], 0xdd);
    r[i] = _mm512_maskz_shuffle_f32x4(0xffff, a, c, 0x88);
    r[i + 4] = _mm512_maskz_shuffle_f32x4(0xffff, b, d, 0x88);
    r[i + 8] = _mm512_maskz_shuffle_f32x4(0xffff, a, c, 0xdd);
    r[i + 12] = _mm512_maskz_shuffle_f32x4(0xffff, b, d, 0xdd);
  }
}
