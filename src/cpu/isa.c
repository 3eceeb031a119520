/* ==== cpu/isa (private): what this machine can run ==============================================================
   Own CPUID and XGETBV: __builtin_cpu_supports is missing on some compilers and does not know F16C on others. A tier
   counts only if the operating system also saves its registers. */

#if (defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)) && !defined(HFMODEL_NO_SIMD) && \
    !defined(__CUDACC__) && (defined(__GNUC__) || defined(__clang__) || defined(_MSC_VER))
#define HFM__X86 1
#else
#define HFM__X86 0
#endif

#if HFM__X86 && !defined(HFMODEL_NO_AVX2)
#define HFM__WITH_AVX2 1
#else
#define HFM__WITH_AVX2 0
#endif
#if HFM__WITH_AVX2 && !defined(HFMODEL_NO_AVX512)
#define HFM__WITH_AVX512 1
#else
#define HFM__WITH_AVX512 0
#endif
#if HFM__WITH_AVX512 && !defined(_MSC_VER) && (defined(__clang__) ? __clang_major__ >= 9 : __GNUC__ >= 10)
#define HFM__WITH_AVX512_BF16 1
#else
#define HFM__WITH_AVX512_BF16 0
#endif
/* Tile registers, which Linux gives a program that asks for them. */
#if HFM__WITH_AVX512_BF16 && defined(__x86_64__) && defined(__LP64__) && defined(__linux__) && \
    (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define HFM__WITH_AMX 1
#else
#define HFM__WITH_AMX 0
#endif
#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(HFMODEL_NO_SIMD)
#include <arm_neon.h>
#define HFM__WITH_NEON 1
#else
#define HFM__WITH_NEON 0
#endif
#if defined(__wasm_simd128__) && !defined(HFMODEL_NO_SIMD)
#define HFM__WITH_WASM 1
#else
#define HFM__WITH_WASM 0
#endif

/* The portable kernels can be left out where the compiler is told that every machine has those of another tier. */
#if defined(HFMODEL_NO_SCALAR) && \
    ((HFM__X86 && (defined(__SSE2__) || defined(_M_X64))) || HFM__WITH_NEON || HFM__WITH_WASM)
#define HFM__WITH_SCALAR 0
#else
#define HFM__WITH_SCALAR 1
#endif

#include <float.h>

/* options.strict needs arithmetic that is what was written: not the x87's, not -ffast-math's. */
#if !defined(HFMODEL_NO_STRICT) && defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 0 && \
    !defined(__FAST_MATH__) && !defined(_M_FP_FAST)
#define HFM__WITH_STRICT 1
#else
#define HFM__WITH_STRICT 0
#endif

#if HFM__X86
#if defined(__GNUC__) || defined(__clang__)
#include <cpuid.h>
#define HFM__ATTRIBUTE_TARGET(features) __attribute__((target(features)))
#else
#include <intrin.h>
#define HFM__ATTRIBUTE_TARGET(features)
#endif
#include <immintrin.h>
#if defined(__clang__) && defined(_MSC_VER) /* clang in MSVC's dress leaves these out of immintrin.h */
#include <smmintrin.h>
#include <avxintrin.h>
#include <avx2intrin.h>
#include <fmaintrin.h>
#include <f16cintrin.h>
#include <avx512fintrin.h>
#include <avx512vlintrin.h>
#include <avx512bwintrin.h>
#include <avx512vlbwintrin.h>
#include <avx512dqintrin.h>
#include <avx512vldqintrin.h>
#endif

HFM__PRIVATE void hfm__cpuid(uint32_t leaf, uint32_t sub, uint32_t regs[4]) {
#if defined(__GNUC__) || defined(__clang__)
  __cpuid_count(leaf, sub, regs[0], regs[1], regs[2], regs[3]);
#else
  int out[4];
  int i;
  __cpuidex(out, (int)leaf, (int)sub);
  for (i = 0; i < 4; i++) regs[i] = (uint32_t)out[i];
#endif
}

/* Which register files the operating system saves. */
HFM__PRIVATE uint32_t hfm__xcr0(void) {
#if defined(__GNUC__) || defined(__clang__)
  uint32_t low, high;
  __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0)); /* xgetbv, spelled for any -march */
  return low;
#else
  return (uint32_t)_xgetbv(0);
#endif
}
#endif

/* The best tier of this machine among those that this build has. */
HFM__PRIVATE int32_t hfm__isa_best(void) {
#if HFM__X86
  uint32_t r[4], most, features, ymm, zmm;
  hfm__cpuid(0, 0, r);
  most = r[0];
  if (most < 1) return HFM_ISA_SCALAR;
  hfm__cpuid(1, 0, r);
  features = r[2];
  if (!(r[3] >> 26 & 1)) return HFM_ISA_SCALAR;
  if (most < 7 || !(features >> 27 & 1)) return HFM_ISA_SSE2;
  ymm = (hfm__xcr0() & 0x06) == 0x06;
#if defined(__APPLE__)
  zmm = ymm; /* macOS enables the wide registers at their first use */
#else
  zmm = (hfm__xcr0() & 0xe6) == 0xe6;
#endif
  hfm__cpuid(7, 0, r);
  ymm = ymm && (features >> 28 & 1) && (features >> 12 & 1) && (features >> 29 & 1) && (r[1] >> 5 & 1);
  zmm = zmm && ymm && (r[1] >> 16 & 1) && (r[1] >> 17 & 1) && (r[1] >> 30 & 1) && (r[1] >> 31 & 1);
  if (zmm && HFM__WITH_AVX512) {
    const uint32_t vnni = r[2] >> 11 & 1, leaves = r[0];
    if (vnni && leaves >= 1 && HFM__WITH_AVX512_BF16) {
      hfm__cpuid(7, 1, r);
      if (r[0] >> 5 & 1) return HFM_ISA_AVX512_BF16;
    }
    return vnni ? HFM_ISA_AVX512_VNNI : HFM_ISA_AVX512;
  }
  if (ymm && HFM__WITH_AVX2) return HFM_ISA_AVX2;
  return HFM_ISA_SSE2;
#elif HFM__WITH_NEON
  return HFM_ISA_NEON;
#elif HFM__WITH_WASM
  return HFM_ISA_WASM_SIMD128;
#else
  return HFM_ISA_SCALAR;
#endif
}

#if HFM__WITH_AMX
/* Has the processor AMX-BF16, and does the operating system let this process use it? That is asked for here, for good:
   from then on a signal's stack has to be larger, which is why a program that doesn't want it isn't given it.
   arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA), https://docs.kernel.org/arch/x86/xstate.html */
HFM__PRIVATE int hfm__amx_permitted(void) {
  uint32_t r[4];
  long result = 158;
  if (hfm__isa_best() != HFM_ISA_AVX512_BF16 || (hfm__xcr0() >> 17 & 3) != 3) return 0;
  hfm__cpuid(7, 0, r);
  if (!(r[3] >> 22 & 1) || !(r[3] >> 24 & 1)) return 0;
  __asm__ volatile("syscall" : "+a"(result) : "D"(0x1023L), "S"(18L) : "rcx", "r11", "memory");
  return result == 0;
}
#else
HFM__PRIVATE int hfm__amx_permitted(void) { return 0; }
#endif

HFM__PRIVATE const char *hfm__isa_name(int32_t isa) {
  switch (isa) {
    case HFM_ISA_AUTO: return "auto";
    case HFM_ISA_SCALAR: return "scalar";
    case HFM_ISA_SSE2: return "sse2";
    case HFM_ISA_AVX2: return "avx2";
    case HFM_ISA_AVX512: return "avx512";
    case HFM_ISA_AVX512_VNNI: return "avx512_vnni";
    case HFM_ISA_AVX512_BF16: return "avx512_bf16";
    case HFM_ISA_AMX_BF16: return "amx_bf16";
    case HFM_ISA_NEON: return "neon";
    case HFM_ISA_WASM_SIMD128: return "wasm_simd128";
    default: return "unknown";
  }
}
