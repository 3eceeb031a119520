/* amalgamate: repeat */
/* ==== cpu/kernels (private): every kernel, for one tier =========================================================
   Expanded once per tier: before it stand that tier's vec_*.h and the macros
     HFM__SUFFIX  ends the names of this expansion
     HFM__TARGET  the function attribute that lets the compiler use the tier's instructions
     HFM__ROW_SUFFIX, where the tier's kernels on rows are those of another expansion, that one's suffix: what has no
       tiles is the same then
   A kernel is written once, over the vocabulary; nothing here asks which tier it is. Everything is undefined again at
   the end. */

#ifndef hfm__vt /* the sums of a GEMM tile are vectors like any other, but in strict mode */
#define HFM__LANES HFM__W
#define hfm__vt hfm__vf
#define hfm__t_zero() hfm__v_zero()
#define hfm__t_set1(x) hfm__v_set1(x)
#define hfm__t_load(p) hfm__v_load(p)
#define hfm__t_store(p, x) hfm__v_store(p, x)
#define hfm__t_fma(a, b, c) hfm__v_fma(a, b, c)
#endif
#if HFM__SMALL
#undef HFM__PACE
#undef HFM__PACKED_PACE
#undef HFM__NARROW_TILES
#endif
#ifndef HFM__PACE
#define HFM__PACE 1
#endif
#ifndef HFM__PACKED_PACE
#define HFM__PACKED_PACE 0
#endif
#ifndef HFM__NARROW_TILES
#define HFM__NARROW_TILES 0
#endif
#ifndef HFM__BLOCK
#define HFM__BLOCK 32768
#endif
#define HFM__NR (HFM__LANES * HFM__NV)
#define HFM__STRIP (HFM__LANES * 2)

#ifndef HFM__ROW_SUFFIX
#define HFM__ROW_SUFFIX HFM__SUFFIX
#include "kernel_math.h"
#include "kernel_rows.h"
#include "kernel_gemv.h"
#endif
#include "kernel_gemm.h"
#include "kernel_attention.h"

static const hfm__kernels HFM__FN(kernels) = {
  HFM__MR, HFM__NR, HFM__STRIP, HFM__NARROW_TILES ? 3 * HFM__TALL : 0, /* for more, widening them once is cheaper */
#define HFM__KERNEL_ENTRY(name, parameters) HFM__FN(name),
  HFM__TILE_KERNEL_LIST(HFM__KERNEL_ENTRY)
#undef HFM__KERNEL_ENTRY
#define HFM__KERNEL_ENTRY(name, parameters) HFM__ROW_FN(name),
  HFM__ROW_KERNEL_LIST(HFM__KERNEL_ENTRY)
#undef HFM__KERNEL_ENTRY
#ifdef hfm__v_dot_bf16
  HFM__FN(gemm_bf16), HFM__FN(narrow_bf16),
#else
  NULL, NULL,
#endif
#if HFM__PACKED_PACE
  HFM__FN(pack_x)
#else
  NULL
#endif
};

#undef HFM__NR
#undef HFM__STRIP
#undef HFM__W
#undef HFM__NV
#undef HFM__MR
#undef HFM__TALL
#undef HFM__PACE
#undef HFM__PACKED_PACE
#undef HFM__NARROW_TILES
#undef HFM__BLOCK
#undef HFM__SUFFIX
#undef HFM__ROW_SUFFIX
#undef HFM__LANES
#undef hfm__vt
#undef hfm__t_zero
#undef hfm__t_set1
#undef hfm__t_load
#undef hfm__t_store
#undef hfm__t_fma
#undef HFM__TARGET
#undef hfm__vf
#undef hfm__v_zero
#undef hfm__v_set1
#undef hfm__v_load
#undef hfm__v_load_n
#undef hfm__v_load_f16
#undef hfm__v_load_bf16
#undef hfm__v_store
#undef hfm__v_store_n
#undef hfm__v_add
#undef hfm__v_sub
#undef hfm__v_mul
#undef hfm__v_div
#undef hfm__v_sqrt
#undef hfm__v_fma
#undef hfm__v_float_fma
#undef hfm__v_max
#undef hfm__v_min
#undef hfm__v_round
#undef hfm__v_scale
#undef hfm__v_scale_down
#undef hfm__v_bound_power
#undef hfm__v_select_lt
#undef hfm__v_sum
#undef hfm__v_hmax
#undef hfm__v_transpose
#undef hfm__v_dot_bf16
#undef hfm__v_store_bf16
#undef HFM__TARGET_BF16
#undef hfm__v_prefetch
