/* What the kernel tests share: tiers, random data, buffers between guard pages, operands, and running an op on any
   number of workers. Included after hfmodel.h and check.h. */

#include "tools/bench/operand.h"

#include <stdlib.h>
#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#define GUARD_PAGES 1
#else
#define GUARD_PAGES 0
#endif

static const int32_t weight_types[] = {HFM_F32, HFM_F16, HFM_BF16};
static const int32_t every_tier[] = {HFM_ISA_SCALAR, HFM_ISA_SSE2, HFM_ISA_AVX2, HFM_ISA_AVX512, HFM_ISA_NEON,
                                     HFM_ISA_WASM_SIMD128};

/* Runs the test on every tier that this build and machine have. A tier of this kind of processor that is missing is
   counted as skipped; those of other processors are not spoken of. */
static void each_tier(void (*test)(const hfm__cpu *cpu)) {
  size_t i;
  for (i = 0; i < HFM__COUNT(every_tier); i++) {
    hfm_error error;
    hfm__cpu cpu;
    if (hfm__cpu_select(every_tier[i], &cpu, &error) == HFM_OK) {
      test(&cpu);
    } else if (HFM__X86 && every_tier[i] <= HFM_ISA_AVX512) {
      printf("  tier %s is not on this machine\n", hfm__isa_name(every_tier[i]));
    }
  }
}

/* Under a user's -ffast-math there is no NaN, no infinity, no subnormal and no order of additions; what remains is that
   masks are right and that nothing is out of bounds. */
#ifdef __FAST_MATH__
enum { FAST_MATH = 1 };
#else
enum { FAST_MATH = 0 };
#endif
static void each_tier_exactly(void (*test)(const hfm__cpu *cpu)) {
  if (FAST_MATH) SKIP("not promised under -ffast-math");
  else each_tier(test);
}

static uint64_t random_state = 88172645463325252u;
static uint32_t random_u32(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (uint32_t)(random_state >> 32);
}
/* In [-1, 1). */
static float random_float(void) { return (float)(int32_t)random_u32() / 2147483648.0f; }
static void random_fill(float *x, int64_t n) {
  int64_t i;
  for (i = 0; i < n; i++) x[i] = random_float();
}

static uint32_t bits_of(float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  return u;
}
static float float_of(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}
static int is_nan(float f) { return (bits_of(f) & 0x7fffffffu) > 0x7f800000u; }

/* bf16 or f16 bits of a value that has few enough digits, or of the nearest below; f16: |f| in [2^-14, 65504] or 0. */
static uint16_t narrow(int32_t dtype, float f) {
  const uint32_t u = bits_of(f);
  if (dtype == HFM_BF16) return (uint16_t)(u >> 16);
  if ((u & 0x7fffffffu) < 0x38800000u) return (uint16_t)(u >> 16 & 0x8000u);
  return (uint16_t)((u >> 16 & 0x8000u) | (((u & 0x7fffffffu) - 0x38000000u) >> 13));
}
static float wide(int32_t dtype, uint16_t h) {
  return dtype == HFM_BF16 ? float_of((uint32_t)h << 16) : hfm__half_bits(h);
}

/* `size` bytes that end (or, with at_start, begin) at a page nobody may touch. Without such pages, plain memory. */
typedef struct guarded {
  void *data;
  void *block;
  size_t size;
} guarded;

static guarded guarded_alloc(size_t size, int at_start) {
  guarded g;
#if GUARD_PAGES
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size + page) / page * page;
  g.size = inner + 2 * page;
  g.block = mmap(NULL, g.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (g.block == MAP_FAILED) exit(99);
  if (mprotect(g.block, page, PROT_NONE) || mprotect((char *)g.block + page + inner, page, PROT_NONE)) exit(99);
  g.data = (char *)g.block + page + (at_start ? 0 : inner - size);
#else
  (void)at_start;
  g.size = size + 1;
  g.block = g.data = malloc(g.size);
#endif
  return g;
}
static void guarded_free(guarded *g) {
#if GUARD_PAGES
  (void)munmap(g->block, g->size);
#else
  free(g->block);
#endif
}

typedef struct op_job {
  const hfm__op_args *args;
  const hfm__op_impl *impl;
  hfm__worker *workers;
} op_job;
static void op_chunk(void *ctx, int64_t chunk, int32_t worker) {
  op_job *job = (op_job *)ctx;
  job->impl->run(job->args, chunk, &job->workers[worker]);
}

static int32_t one_row_way; /* HFM__ROW_...: how one row is multiplied; two streams are of 16-bit weights only */

/* Runs an op as the executor does. Scratch is as small as the op says and ends at a guard page (rounded to 64). */
static void run_op(int op, hfm__op_args *args, int32_t threads) {
  static uint64_t serial = 1;
  enum { MOST = 8 };
  hfm_allocator mem;
  hfm__worker workers[MOST];
  guarded scratch[MOST];
  op_job job;
  hfm__pool *pool;
  int64_t chunks;
  int32_t i;
  if (!hfm__resolve_allocator(NULL, &mem)) exit(99);
  pool = hfm__pool_create(&mem, threads, 0, NULL);
  args->serial = serial++;
  args->one_row[0] = HFM__MIN(one_row_way, HFM__ROW_FETCHED);
  args->one_row[1] = one_row_way;
  job.args = args;
  job.impl = &hfm__cpu_ops[op];
  job.workers = workers;
  for (i = 0; i < threads; i++) {
    const size_t bytes = (size_t)(job.impl->scratch(args) + 63) / 64 * 64;
    memset(&workers[i], 0, sizeof workers[i]);
    scratch[i] = guarded_alloc(bytes, 0);
    workers[i].scratch = (uint8_t *)scratch[i].data;
    memset(workers[i].scratch, 0xff, bytes);
  }
  chunks = job.impl->chunks(args);
  CHECK_INT(hfm__pool_run(pool, op_chunk, &job, 0, chunks, 0), chunks);
  for (i = 0; i < threads; i++) guarded_free(&scratch[i]);
  hfm__pool_free(pool);
}
