/* amalgamate: repeat */
/* ==== cpu/vec_strict (private): the vocabulary of vec_scalar.h, one double wide ==================================
   options.strict: every machine computes the same bits. A vector is one double; what is stored is rounded to float. A
   product of two floats is exact in double, so a machine that fuses it with the sum gets the same sum; other products
   are kept apart from sums by hfm__exact. The tiles of a GEMM have vectors of their own: vec_doubles.h. */

#define HFM__W 1
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
#define hfm__v_sqrt(a) sqrt(a)
#define hfm__v_fma(a, b, c) hfm__exact_madd(a, b, c)
#define hfm__v_float_fma(a, b, c) ((a) * (b) + (c))
#define hfm__v_max(a, b) hfm__exact_max(a, b)
#define hfm__v_min(a, b) hfm__exact_min(a, b)
#define hfm__v_round(x) floor((x) + 0.5)
#define hfm__v_scale(x, n) hfm__exact_scale(x, n)
#define hfm__v_scale_down(x, n, t) hfm__exact_scale(x, n)
#define hfm__v_bound_power(t) hfm__v_max(hfm__v_set1(-200.0f), t)
#define hfm__v_select_lt(a, b, x, y) ((a) < (b) ? (x) : (y))
#define hfm__v_sum(x) ((float)(x))
#define hfm__v_hmax(x) ((float)(x))
#define hfm__v_transpose(r) (void)(r)
#define hfm__v_prefetch(p, level) (void)(p)

#include "vec_doubles.h"
