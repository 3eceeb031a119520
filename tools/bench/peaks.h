/* peaks.h: what this machine can do right now: multiply-adds in registers, and bytes read from memory in four streams.
   Included after hfmodel.h by what measures against them: tools/bench.c, tools/bench/generation.c. */
#ifndef BENCH_PEAKS_H
#define BENCH_PEAKS_H

#include "doubles.h"

#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

typedef struct machine_peaks {
  hfm__pool *pool;
  int32_t isa;
  uint8_t *arena; /* memory that no cache holds as a whole */
  uint64_t arena_bytes, at;
} machine_peaks;

static double seconds(void) { return (double)hfm__clock_ns() * 1e-9; }

enum { FMA_ROUNDS = 300000 };
static long fma_rounds; /* of one chunk */
static double fma_work; /* its flops */

enum { DOT_PRODUCTS = -1, TILE_PRODUCTS = -2 }; /* of pairs of bf16, in vectors or in tiles */

/* Independent multiply-adds in registers; ctx says of which tier, or what products. */
static void fma_chunk(void *ctx, int64_t chunk, int32_t worker) {
  const int32_t isa = *(const int32_t *)ctx;
  long n = fma_rounds;
#if HFM__X86 && (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#define TIMES12(X) X("0") X("1") X("2") X("3") X("4") X("5") X("6") X("7") X("8") X("9") X("10") X("11")
#define DOT(i) "vdpbf16ps %%zmm14, %%zmm15, %%zmm" i "\n"
#define ZMM(i) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" i "\n"
#define YMM(i) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" i "\n"
#define XMM(i) "mulps %%xmm14, %%xmm13\naddps %%xmm13, %%xmm" i "\n"
#define PEAK_LOOP(zero, body, end) \
  __asm__ volatile(zero ".p2align 5\n1:\n" TIMES12(body) "dec %0\njnz 1b\n" end \
                   : "+r"(n)::"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
                     "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc")
  double width = 4;
#if HFM__WITH_AMX
  if (isa == TILE_PRODUCTS) {
    hfm__tiles_shape(32);
    __asm__ volatile("1:\ntdpbf16ps %%tmm6, %%tmm4, %%tmm0\ntdpbf16ps %%tmm6, %%tmm5, %%tmm1\n"
                     "tdpbf16ps %%tmm7, %%tmm4, %%tmm2\ntdpbf16ps %%tmm7, %%tmm5, %%tmm3\n"
                     "dec %0\njnz 1b\ntilerelease\n" : "+r"(n)::"cc");
    if (worker == 0) fma_work = (double)fma_rounds * 4 * 16384;
    return;
  }
#endif
  if (isa == DOT_PRODUCTS) {
    width = 32;
    PEAK_LOOP("vzeroall\n", DOT, "vzeroupper\n");
  } else if (isa >= HFM_ISA_AVX512) {
    width = 16;
    PEAK_LOOP("vzeroall\n", ZMM, "vzeroupper\n");
  } else if (isa >= HFM_ISA_AVX2) {
    width = 8;
    PEAK_LOOP("vzeroall\n", YMM, "vzeroupper\n");
  } else {
    PEAK_LOOP("xorps %%xmm14, %%xmm14\nxorps %%xmm13, %%xmm13\n", XMM, "");
  }
  if (worker == 0) fma_work = (double)fma_rounds * 24.0 * width;
#else
  float a[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  volatile float one = 1.0f;
  int j;
  for (; n > 0; n--)
    for (j = 0; j < 8; j++) a[j] = a[j] * one + one;
  one = a[0];
  if (worker == 0) fma_work = (double)fma_rounds * 16.0;
  (void)isa;
#endif
  (void)chunk;
}

/* Seconds of all threads together for `rounds` each, of float32 or, with `products`, of those; *flops: of all. */
static double fma_seconds(const machine_peaks *m, int32_t products, long rounds, double *flops) {
  int32_t isa = products ? products : m->isa;
  double t = seconds();
  fma_rounds = rounds;
  (void)hfm__pool_run(m->pool, fma_chunk, &isa, 0, m->pool->threads, 0);
  *flops = fma_work * m->pool->threads;
  return seconds() - t;
}

/* Flops per second of all threads together. */
static double fma_peak(const machine_peaks *m, int32_t products) {
  double best = 0;
  int round;
  for (round = 0; round < 3; round++) {
    double flops, t = fma_seconds(m, products, FMA_ROUNDS, &flops);
    best = HFM__MAX(best, flops / t);
  }
  return best;
}

static volatile uint64_t read_sink;
enum { READ_PIECE = 2 << 20 }; /* bytes: as much as a small weight has */

/* All bytes of four streams of `quarter` bytes each: an exclusive or of them. */
static uint64_t read_streams(const uint8_t *p, size_t quarter) {
  size_t i, s;
  uint64_t x = 0;
  for (i = 0; i < quarter; i += 64)
    for (s = 0; s < 4; s++) {
      const uint64_t *line = (const uint64_t *)(const void *)(p + s * quarter + i);
      x ^= (line[0] ^ line[1] ^ line[2] ^ line[3]) ^ (line[4] ^ line[5] ^ line[6] ^ line[7]);
    }
  return x;
}

#if HFM__WITH_AVX2
/* The same in vectors, as kernels read: a tenth faster on a Zen 3. */
HFM__ATTRIBUTE_TARGET("avx2") static uint64_t read_streams_avx2(const uint8_t *p, size_t quarter) {
  __m256i x[4];
  uint64_t sums[4] = {0, 0, 0, 0};
  size_t i;
  x[0] = x[1] = x[2] = x[3] = _mm256_setzero_si256();
#define READ_LINE(s) { \
    const __m256i *line = (const __m256i *)(const void *)(p + (s) * quarter + i); \
    x[s] = _mm256_xor_si256(x[s], _mm256_xor_si256(_mm256_loadu_si256(line), _mm256_loadu_si256(line + 1))); \
  }
  for (i = 0; i < quarter; i += 64) {
    READ_LINE(0)
    READ_LINE(1)
    READ_LINE(2)
    READ_LINE(3)
  }
#undef READ_LINE
  x[0] = _mm256_xor_si256(_mm256_xor_si256(x[0], x[1]), _mm256_xor_si256(x[2], x[3]));
  _mm256_storeu_si256((__m256i *)(void *)sums, x[0]);
  return sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
}
#endif

/* Reads its piece of the arena. */
static void read_chunk(void *ctx, int64_t chunk, int32_t worker) {
  const machine_peaks *m = (const machine_peaks *)ctx;
  const uint8_t *p = m->arena + m->at + chunk * READ_PIECE;
  (void)worker;
#if HFM__WITH_AVX2
  if (m->isa >= HFM_ISA_AVX2) {
    read_sink = read_sink ^ read_streams_avx2(p, READ_PIECE / 4);
    return;
  }
#endif
  read_sink = read_sink ^ read_streams(p, READ_PIECE / 4);
}

/* Seconds for a piece by each thread, `step` bytes in all. The window moves so that no cache helps. */
static double read_seconds(machine_peaks *m, uint64_t *step) {
  double t;
  *step = (uint64_t)m->pool->threads * READ_PIECE;
  if (m->at + *step > m->arena_bytes) m->at = 0;
  t = seconds();
  (void)hfm__pool_run(m->pool, read_chunk, m, 0, m->pool->threads, 0);
  t = seconds() - t;
  m->at += *step;
  return t;
}

static uint8_t *cold_memory(uint64_t size) {
  uint8_t *p;
  uint64_t i, r = 88172645463325252u;
#if defined(__linux__)
  p = (uint8_t *)mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == (uint8_t *)MAP_FAILED) exit(1);
  (void)madvise(p, (size_t)size, MADV_HUGEPAGE);
#else
  p = (uint8_t *)malloc((size_t)size);
  if (!p) exit(1);
#endif
  for (i = 0; i < size; i += 4) { /* small normal numbers, as f32 and as two 16-bit floats */
    uint32_t bits;
    r ^= r << 13;
    r ^= r >> 7;
    r ^= r << 17;
    bits = ((uint32_t)r & 0x83ff83ffu) | 0x3c003c00u;
    memcpy(p + i, &bits, sizeof bits);
  }
  return p;
}

#endif
