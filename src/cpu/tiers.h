/* ==== cpu/tiers (private): the kernels, once per instruction-set tier ===========================================*/

#include "vec_scalar.h"
#if HFM__WITH_SCALAR
#define HFM__SUFFIX scalar
#define HFM__TARGET
#include "kernels.h"
#endif

#if HFM__WITH_STRICT
#define HFM__SUFFIX strict
#define HFM__TARGET
#define HFM__LANES (HFM__X86 || HFM__WITH_NEON ? 2 : 1)
#include "vec_strict.h"
#include "kernels.h"

#if HFM__WITH_AVX2
#define HFM__SUFFIX strict_avx2
#define HFM__ROW_SUFFIX strict
#define HFM__TARGET HFM__ATTRIBUTE_TARGET("avx2,fma")
#define HFM__LANES 4
#include "vec_strict.h"
#include "kernels.h"
#endif

#if HFM__WITH_AVX512
#define HFM__SUFFIX strict_avx512
#define HFM__ROW_SUFFIX strict
#define HFM__TARGET HFM__ATTRIBUTE_TARGET("avx512f,avx512bw,avx512vl,avx512dq,fma")
#define HFM__LANES 8
#include "vec_strict.h"
#include "kernels.h"
#endif
#endif

#if HFM__X86
#define HFM__SUFFIX sse2
#define HFM__TARGET HFM__ATTRIBUTE_TARGET("sse2")
#include "vec_sse2.h"
#include "kernels.h"
#endif

#if HFM__WITH_AVX2
#define HFM__SUFFIX avx2
#define HFM__TARGET HFM__ATTRIBUTE_TARGET("avx2,fma,f16c")
#include "vec_avx2.h"
#include "kernels.h"
#endif

#if HFM__WITH_AVX512
#define HFM__SUFFIX avx512
#define HFM__TARGET HFM__ATTRIBUTE_TARGET("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c")
#include "vec_avx512.h"
#include "kernels.h"
#endif
#if HFM__WITH_AMX
#include "kernel_amx.h"
#endif

#if HFM__WITH_NEON
#define HFM__SUFFIX neon
#define HFM__TARGET
#include "vec_neon.h"
#include "kernels.h"
#endif

#if HFM__WITH_WASM
#define HFM__SUFFIX wasm
#define HFM__TARGET
#include "vec_wasm.h"
#include "kernels.h"
#endif
