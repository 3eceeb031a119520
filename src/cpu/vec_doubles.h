/* amalgamate: repeat */
/* ==== cpu/vec_doubles (private): the sums of a strict GEMM tile, HFM__LANES doubles in a vector ==================
   Each output keeps its chain of additions; several columns go side by side. A product of two floats is exact in
   double, so it makes no difference whether it is fused with the sum. MR is the same for all, because a step of so many
   rows of attention reads what any of them sees. */

#define HFM__MR 4
#define HFM__TALL HFM__MR

#if HFM__LANES == 8
#define HFM__NV 4
#define hfm__vt __m512d
#define hfm__t_zero() _mm512_setzero_pd()
#define hfm__t_set1(x) _mm512_maskz_cvtps_pd(0xff, _mm256_set1_ps(x))
#define hfm__t_load(p) _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(p))
#define hfm__t_store(p, x) _mm256_storeu_ps(p, _mm512_maskz_cvtpd_ps(0xff, x))
#define hfm__t_fma(a, b, c) _mm512_fmadd_pd(a, b, c)
#elif HFM__LANES == 4
#define HFM__NV 2
#define hfm__vt __m256d
#define hfm__t_zero() _mm256_setzero_pd()
#define hfm__t_set1(x) _mm256_cvtps_pd(_mm_set1_ps(x))
#define hfm__t_load(p) _mm256_cvtps_pd(_mm_loadu_ps(p))
#define hfm__t_store(p, x) _mm_storeu_ps(p, _mm256_cvtpd_ps(x))
#define hfm__t_fma(a, b, c) _mm256_fmadd_pd(a, b, c)
#elif HFM__LANES == 2 && HFM__X86
#define HFM__NV 2
#define hfm__vt __m128d
#define hfm__t_zero() _mm_setzero_pd()
#define hfm__t_set1(x) _mm_set1_pd((double)(x))
#define hfm__t_load(p) _mm_cvtps_pd(_mm_castpd_ps(_mm_load_sd((const double *)(const void *)(p))))
#define hfm__t_store(p, x) _mm_store_sd((double *)(void *)(p), _mm_castps_pd(_mm_cvtpd_ps(x)))
#define hfm__t_fma(a, b, c) _mm_add_pd(_mm_mul_pd(a, b), c)
#elif HFM__LANES == 2
#define HFM__NV 4
#define hfm__vt float64x2_t
#define hfm__t_zero() vdupq_n_f64(0.0)
#define hfm__t_set1(x) vdupq_n_f64((double)(x))
#define hfm__t_load(p) vcvt_f64_f32(vld1_f32(p))
#define hfm__t_store(p, x) vst1_f32(p, vcvt_f32_f64(x))
#define hfm__t_fma(a, b, c) vfmaq_f64(c, a, b)
#else
#define HFM__NV 4
#define hfm__vt double
#define hfm__t_zero() 0.0
#define hfm__t_set1(x) ((double)(x))
#define hfm__t_load(p) ((double)*(p))
#define hfm__t_store(p, x) (void)(*(p) = (float)(x))
#define hfm__t_fma(a, b, c) ((a) * (b) + (c))
#endif
