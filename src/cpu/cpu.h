/* ==== cpu/cpu (private): what a model knows about its processor ================================================= */

/* Ways to do the same, each tried for some runs while they are new: whether and how it pays to fetch weights ahead of
   use differs from core to core. Afterwards the one with the least median time for its bytes is used, where that is a
   32nd less than the first one's: whatever else stops a thread for a while spoils single runs. The first runs of all
   don't count, for which the system may still map the weights. */
enum { HFM__MAX_WAYS = 3, HFM__TRIAL_RUNS = 31 /* of each */, HFM__TRIAL_EARLY = 256 };

typedef struct hfm__trial {
  hfm__atomic found; /* the way, plus 1; 0: none yet */
  hfm__atomic ended, runs[HFM__MAX_WAYS]; /* of all ways; of each, that count */
  hfm__atomic taken[HFM__MAX_WAYS][HFM__TRIAL_RUNS]; /* picoseconds for a byte */
} hfm__trial;

/* Which of `ways` ways is taken by the run, or by all runs that belong together, of number `turn`: as if by chance,
   since those of one kind may come in step with a model's layers. */
HFM__PRIVATE int32_t hfm__trial_way(hfm__trial *trial, int32_t ways, uint64_t turn) {
  const intptr_t found = hfm__atomic_load(&trial->found);
  uint32_t bits = (uint32_t)turn * 2654435769u;
  if (found) return (int32_t)found - 1;
  bits = (bits ^ bits >> 15) * 2246822519u;
  return (int32_t)((bits >> 16) * (uint32_t)ways >> 16);
}

/* The number of a run that belongs to no others. */
HFM__PRIVATE uint64_t hfm__trial_turn(hfm__trial *trial) { return (uint64_t)hfm__atomic_load(&trial->ended); }

/* The time where a run that begins now counts, or 0. */
HFM__PRIVATE uint64_t hfm__trial_begin(hfm__trial *trial) {
  return hfm__atomic_load(&trial->found) ? 0 : hfm__clock_ns();
}

HFM__PRIVATE intptr_t hfm__trial_median(hfm__trial *trial, int32_t way) {
  intptr_t sorted[HFM__TRIAL_RUNS];
  int32_t i, at;
  for (i = 0; i < HFM__TRIAL_RUNS; i++) {
    const intptr_t taken = hfm__atomic_load(&trial->taken[way][i]);
    for (at = i; at > 0 && sorted[at - 1] > taken; at--) sorted[at] = sorted[at - 1];
    sorted[at] = taken;
  }
  return sorted[HFM__TRIAL_RUNS / 2];
}

HFM__PRIVATE void hfm__trial_end(hfm__trial *trial, int32_t ways, int32_t way, uint64_t begun, int64_t bytes) {
  const uint64_t most = 1000000, ns = begun ? hfm__clock_ns() - begun : 0;
  intptr_t run, least;
  int32_t best = 0, other;
  if (!begun || bytes == 0) return;
  if (hfm__atomic_add(&trial->ended, 1) < HFM__TRIAL_EARLY) return;
  run = hfm__atomic_add(&trial->runs[way], 1);
  if (run >= HFM__TRIAL_RUNS) return;
  hfm__atomic_store(&trial->taken[way][run],
                    (intptr_t)(ns < most * most ? HFM__MIN(ns * 1000 / (uint64_t)bytes, most) : most));
  for (other = 0; other < ways; other++)
    if (hfm__atomic_load(&trial->runs[other]) < HFM__TRIAL_RUNS) return;
  least = hfm__trial_median(trial, 0);
  least -= least / 32;
  for (other = 1; other < ways; other++) {
    const intptr_t median = hfm__trial_median(trial, other);
    if (median >= least) continue;
    least = median;
    best = other;
  }
  hfm__atomic_store(&trial->found, best + 1);
}

/* Kept panels, shared by all sessions of a model: see cpu/panels.c. A model calls hfm__packing_init; where a session is
   planned, hfm__panels_reserve for each weight of a linear or conv2d, so that no forward allocates;
   hfm__panels_pack_all on top of it for HFM_PACK_EAGER; in the end hfm__panels_free for each weight and
   hfm__packing_free. */
typedef struct hfm__packing {
  hfm_allocator mem;
  int32_t policy;       /* HFM_PACK_... */
  uint64_t limit;       /* bytes that panels may take */
  uint64_t reserved;    /* bytes they take, under the lock */
  hfm__lock lock;
  hfm__atomic credit;   /* nanoseconds that promotion may take now */
  /* Of float32 weights, and of 16-bit ones: */
  hfm__trial one_row[2];  /* products of one row, HFM__ROW_...; and */
  hfm__trial in_order[2]; /* whether panels are fetched in order in those of few rows by kept ones */
} hfm__packing;

/* Ways to multiply one row of x: four streams of the weight, which the processor fetches, or we; or, if it is 16-bit,
   two that we fetch. */
enum { HFM__ROW_NOT_FETCHED, HFM__ROW_FETCHED, HFM__ROW_OF_TWO };

/* How many of these there are for f32 weights (0) and for those of 16 bits (1). */
HFM__INLINE int32_t hfm__row_ways(int32_t narrow) { return narrow ? HFM__ROW_OF_TWO + 1 : HFM__ROW_FETCHED + 1; }

typedef struct hfm__cpu {
  const char *name;             /* "avx512" */
  int32_t isa;                  /* HFM_ISA_... */
  int32_t batch_invariant;      /* 1: one row is computed in the order of many */
  void (*gemm_bf16)(const hfm__gemm *g); /* multiplies pairs: of bf16 weights and x rounded to bf16; NULL: in f32 */
  const hfm__kernels *kernels;
  hfm__packing *packing;        /* NULL: nothing is kept */
} hfm__cpu;

/* How the node of number `serial` multiplies one row by a weight, of f32 and of 16 bits. Small code leaves fetching to
   the processor. */
HFM__PRIVATE void hfm__one_row_ways(const hfm__cpu *cpu, uint64_t serial, int32_t ways[2]) {
  int32_t i;
  for (i = 0; i < 2; i++) {
    ways[i] = HFM__ROW_NOT_FETCHED;
    if (HFM__SMALL || !cpu->packing) continue;
    ways[i] = hfm__trial_way(&cpu->packing->one_row[i], hfm__row_ways(i), serial);
  }
}

HFM__PRIVATE const hfm__kernels *hfm__kernels_of(int32_t isa) {
  switch (isa) {
#if HFM__WITH_SCALAR
    case HFM_ISA_SCALAR: return &hfm__kernels_scalar;
#endif
#if HFM__X86
    case HFM_ISA_SSE2: return &hfm__kernels_sse2;
#endif
#if HFM__WITH_AVX2
    case HFM_ISA_AVX2: return &hfm__kernels_avx2;
#endif
#if HFM__WITH_AVX512
    case HFM_ISA_AVX512:
    case HFM_ISA_AVX512_VNNI:
    case HFM_ISA_AVX512_BF16:
    case HFM_ISA_AMX_BF16: return &hfm__kernels_avx512;
#endif
#if HFM__WITH_NEON
    case HFM_ISA_NEON: return &hfm__kernels_neon;
#endif
#if HFM__WITH_WASM
    case HFM_ISA_WASM_SIMD128: return &hfm__kernels_wasm;
#endif
    default: return NULL;
  }
}

/* Fills *cpu for a tier, HFM_ISA_AUTO for the best. A machine has every tier below its best, of its own kind. */
HFM__PRIVATE hfm_result hfm__cpu_select(int32_t isa, hfm__cpu *cpu, hfm_error *error) {
  const int32_t best = hfm__isa_best(), wanted = isa == HFM_ISA_AUTO ? best : isa;
  memset(cpu, 0, sizeof *cpu);
  if (wanted <= best || (wanted == HFM_ISA_AMX_BF16 && hfm__amx_permitted())) cpu->kernels = hfm__kernels_of(wanted);
  if (!cpu->kernels)
    return hfm__fail(error, HFM_E_ISA_MISSING, NULL, "isa", 0,
                     "isa: '%s' was asked for, but the best that this machine and build have is '%s'; use HFM_ISA_AUTO",
                     hfm__isa_name(isa), hfm__isa_name(best));
  cpu->isa = wanted;
  cpu->name = hfm__isa_name(wanted);
  return HFM_OK;
}

/* compute_dtype=bfloat16, where that is an instruction; the scalar tier shows what it means, but for numbers below the
   normal ones, which processors take for 0. 0: not here. */
HFM__PRIVATE int32_t hfm__cpu_multiply_bf16(hfm__cpu *cpu) {
  if (cpu->isa == HFM_ISA_AVX512_BF16 || cpu->isa == HFM_ISA_SCALAR) cpu->gemm_bf16 = cpu->kernels->gemm_bf16;
#if HFM__WITH_AMX
  if (cpu->isa == HFM_ISA_AMX_BF16) cpu->gemm_bf16 = hfm__gemm_amx;
#endif
  return cpu->gemm_bf16 != NULL;
}

/* For compute_dtype=bfloat16 a machine's best tier may be one that is not its best otherwise. */
HFM__PRIVATE void hfm__cpu_prefer_tiles(hfm__cpu *cpu) {
  if (cpu->isa != HFM_ISA_AVX512_BF16 || !hfm__amx_permitted()) return;
  cpu->isa = HFM_ISA_AMX_BF16;
  cpu->name = hfm__isa_name(cpu->isa);
}

/* options.strict: the same bits on every machine, with its instructions. */
HFM__PRIVATE hfm_result hfm__cpu_make_strict(hfm__cpu *cpu, hfm_error *error) {
#if HFM__WITH_STRICT
  (void)error;
  cpu->kernels = &hfm__kernels_strict;
#if HFM__WITH_AVX2
  if (cpu->isa >= HFM_ISA_AVX2) cpu->kernels = &hfm__kernels_strict_avx2;
#endif
#if HFM__WITH_AVX512
  if (cpu->isa >= HFM_ISA_AVX512) cpu->kernels = &hfm__kernels_strict_avx512;
#endif
  cpu->name = "strict";
  return HFM_OK;
#else
  (void)cpu;
  return hfm__fail(error, HFM_E_STRICT_MISSING, NULL, "strict", 0,
                   "strict: this build can't promise the same bits everywhere: it was made with HFMODEL_NO_STRICT, "
                   "with -ffast-math, or for the x87 (on 32-bit x86 use -msse2 -mfpmath=sse)");
#endif
}
