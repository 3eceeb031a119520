/* ==== base/platform (private): what the compiler and the machine are ========================================== */

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#ifndef HFMODEL_NO_STDLIB
#include <stdlib.h>
#endif

#if defined(__GNUC__) || defined(__clang__)
#define HFM__STATIC static __attribute__((unused))
#define HFM__STATIC_RARE static __attribute__((unused, cold))
#define HFM__INLINE static inline __attribute__((unused, always_inline))
#define HFM__NOINLINE static __attribute__((unused, noinline))
#elif defined(_MSC_VER)
#define HFM__STATIC static
#define HFM__STATIC_RARE static
#define HFM__INLINE static __forceinline
#define HFM__NOINLINE static __declspec(noinline)
#else
#define HFM__STATIC static
#define HFM__STATIC_RARE static
#define HFM__INLINE static inline
#define HFM__NOINLINE static
#endif
#define HFM__PRIVATE HFM__STATIC

/* Where the compiler is asked for small code (-Os), long formulas are called instead of repeated, and a loop is not
   written out for every constant that it could know. Results are the same. */
#ifdef __OPTIMIZE_SIZE__
#define HFM__SMALL 1
#define HFM__LONG_INLINE HFM__PRIVATE
#else
#define HFM__SMALL 0
#define HFM__LONG_INLINE HFM__INLINE
#endif

#ifndef HFMODEL_ASSERT
#define HFMODEL_ASSERT(condition) ((void)0) /* internal invariants only, never a judgement of input */
#endif

#define HFM__COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HFM__MIN(a, b) ((a) < (b) ? (a) : (b))
#define HFM__MAX(a, b) ((a) > (b) ? (a) : (b))

/* Files are little-endian; a big-endian host copies and swaps. Unknown compilers fall back to a run-time test. */
#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#define HFM__BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#else
#define HFM__BIG_ENDIAN 0
#endif

HFM__INLINE uint16_t hfm__le16(const void *p) {
  const uint8_t *b = (const uint8_t *)p;
  return (uint16_t)(b[0] | b[1] << 8);
}
HFM__INLINE uint32_t hfm__le32(const void *p) {
  return (uint32_t)hfm__le16(p) | (uint32_t)hfm__le16((const uint8_t *)p + 2) << 16;
}
HFM__INLINE uint64_t hfm__le64(const void *p) {
  return (uint64_t)hfm__le32(p) | (uint64_t)hfm__le32((const uint8_t *)p + 4) << 32;
}
