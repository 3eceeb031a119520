/* ==== cpu/vec_strict (private): the vocabulary of vec_scalar.h, one double wide ==================================
   options.strict: every machine computes the same bits. A vector is one double; what is stored is rounded to float. A
   product of two floats is exact in double, so a machine that fuses it with the sum gets the same sum; other products
   are kept apart from sums by hfm__exact. */

#define HFM__W 1
#define HFM__NV 4
#define HFM__MR 4
#define HFM__TALL 4
#define hfm__vf double
#define hfm__v_zero() 0.0
#define hfm__v_set1(x) ((double)(x))
#define hfm__v_load(p) ((double)*(p))
#define hfm__v_load_n(p, n) ((void)(p), (void)(n), 0.0) /* there is no tail at this width */
#define hfm__v_load_f16(p) ((double)hfm__half_bits(hfm__load_u16(p)))
#define hfm__v_load_bf16(p) ((double)hfm__bf16_bits(hfm__load_u16(p)))
#define hfm__v_store(p, x) (void)(*(p) = (float)(x))
#define hfm__v_store_n(p, x, n) ((void)(p), (void)(x), (void)(n))
#define hfm__v_add(a, b) ((a) + (b))
#define hfm__v_sub(a, b) ((a) - (b))
#define hfm__v_mul(a, b) hfm__exact((a) * (b))
#define hfm__v_div(a, b) ((a) / (b))
#define hfm__v_fma(a, b, c) hfm__exact_madd(a, b, c)
#define hfm__v_float_fma(a, b, c) ((a) * (b) + (c))
#define hfm__v_max(a, b) hfm__vd_max(a, b)
#define hfm__v_min(a, b) hfm__vd_min(a, b)
#define hfm__v_round(x) floor((x) + 0.5)
#define hfm__v_scale(x, n) hfm__vd_scale(x, n)
#define hfm__v_scale_down(x, n) hfm__vd_scale(x, n)
#define hfm__v_scale_to_zero (-200.0f)
#define hfm__v_select_lt(a, b, x, y) ((a) < (b) ? (x) : (y))
#define hfm__v_sum(x) ((float)(x))
#define hfm__v_hmax(x) ((float)(x))
#define hfm__v_transpose(r) (void)(r)
#define hfm__v_prefetch(p) (void)(p)

HFM__INLINE double hfm__vd_max(double a, double b) { return a > b ? a : b; }
HFM__INLINE double hfm__vd_min(double a, double b) { return a < b ? a : b; }
HFM__LONG_INLINE double hfm__vd_scale(double x, double n) {
  return x * hfm__power_of_two(n > -200 ? (n < 200 ? (int64_t)n : 200) : -200);
}
