/* bench: how near the kernels are to what this machine can do.

     cc -O2 -Isrc tools/bench.c -o build/kernels -lm -pthread
     build/kernels [--quick] [--json] [--threads N] [--isa NAME] [--rounds N] [FILTER...]

   Every case is measured once a round, and rounds are interleaved. A line gives the best rate with its share of the
   peak beside it, and the medians of rates and shares. What multiplies takes turns with its peak, FMA throughput in
   registers, of as many threads: a core's clock follows what it does within a millisecond, and is up to a tenth higher
   where nothing is loaded (the first line has the peak alone). For what reads, the peak is the greater bandwidth of
   four streams right before and after it. Both change from one second to the next where others share the machine.
   Weights are cold: each call takes the next of many copies; "of read" is how fast they are read. FILTER: only cases
   whose name contains one. */
#define _GNU_SOURCE
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "bench/isa.h"
#include "bench/operand.h"
#include "bench/peaks.h"
#include "bench/turns.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_CASES = 256, MAX_ROUNDS = 64 };
enum { UNIT_FLOPS = 0, UNIT_BYTES = 1, UNIT_PAIRS = 2, UNIT_ELEMENTS = 3, PEAKS = 3 }; /* elements have no peak */

typedef struct bench_case {
  char name[64];
  int unit;
  double work; /* of one call, in units */
  void (*run)(struct bench_case *c);
  int op;
  hfm__op_args args;
  hfm__attrs attrs;
  int32_t kept; /* weights are kept panels */
  uint64_t weight_bytes;
  int64_t turn;
  double rate[MAX_ROUNDS], share[MAX_ROUNDS], of_read[MAX_ROUNDS], best_share, best_of_read;
} bench_case;

static struct {
  hfm__cpu cpu, pairs; /* pairs: where bf16 is multiplied as such */
  hfm__packing packing;
  machine_peaks peaks; /* with the threads, and cold weights in its arena */
  hfm__worker workers[64];
  int32_t threads;
  uint64_t serial;
  double least[PEAKS], most[PEAKS]; /* of each peak that was measured */
} bench;

static bench_case cases[MAX_CASES];
static int case_count;

/* What the products of a unit are made of. */
static int32_t products_of(int unit) {
  if (unit != UNIT_PAIRS) return 0;
  return bench.pairs.isa == HFM_ISA_AMX_BF16 ? TILE_PRODUCTS : DOT_PRODUCTS;
}

/* Bytes per second of all threads together: the median over pieces, as that of calls is what counts for an op. */
static double read_peak(machine_peaks *m) {
  enum { PIECES = 32 };
  double spent[PIECES];
  uint64_t step = 0;
  int i;
  for (i = 0; i < PIECES; i++) spent[i] = read_seconds(m, &step);
  qsort(spent, PIECES, sizeof *spent, compare);
  return (double)step / spent[PIECES / 2];
}

static double peak_now(int unit) {
  const double peak = unit == UNIT_BYTES ? read_peak(&bench.peaks) : fma_peak(&bench.peaks, products_of(unit));
  bench.most[unit] = HFM__MAX(bench.most[unit], peak);
  bench.least[unit] = bench.least[unit] > 0 ? HFM__MIN(bench.least[unit], peak) : peak;
  return peak;
}

/* ---- Running ops ---- */

static void run_chunk(void *ctx, int64_t chunk, int32_t worker) {
  bench_case *c = (bench_case *)ctx;
  bench.workers[worker].stride = hfm__pool_stride(bench.peaks.pool);
  hfm__cpu_ops[c->op].run(&c->args, chunk, &bench.workers[worker]);
}

static void run_op(bench_case *c) {
  int32_t i;
  c->args.serial = ++bench.serial;
  hfm__one_row_ways(c->args.cpu, c->args.serial, c->args.one_row);
  for (i = 0; i < bench.threads; i++) bench.workers[i].tag = 0;
  (void)hfm__pool_run(bench.peaks.pool, run_chunk, c, 0, hfm__cpu_ops[c->op].chunks(&c->args), 0);
}

/* One product with the next copy of the weight. */
static void run_linear(bench_case *c) {
  const uint64_t copies = (bench.peaks.arena_bytes - (1 << 20)) / c->weight_bytes;
  uint8_t *weight = bench.peaks.arena + (uint64_t)(c->turn++) % copies * c->weight_bytes;
  c->args.in[1].data = weight;
  if (c->kept) c->args.in[1].weight->panels->data = weight;
  run_op(c);
}

/* Bytes that begin a cache line, in huge pages if they are many, as a session's do. */
static void *lines(size_t size) {
  hfm_allocator mem;
  uint8_t *p = hfm__resolve_allocator(NULL, &mem) ? (uint8_t *)hfm__alloc_in_huge_pages(&mem, size + 63) : NULL;
  if (!p) exit(1);
  return hfm__align64(p);
}

static float *floats(int64_t n) {
  float *x = (float *)lines((size_t)n * sizeof(float));
  uint32_t r = 1;
  int64_t i;
  for (i = 0; i < n; i++) {
    r = r * 1664525u + 1013904223u;
    x[i] = (float)(int32_t)r / 2147483648.0f;
  }
  return x;
}

static bench_case *add_case(int op, int unit, double work, void (*run)(bench_case *)) {
  bench_case *c = &cases[case_count++];
  if (case_count > MAX_CASES) exit(1);
  c->op = op;
  c->unit = unit;
  c->work = work;
  c->run = run;
  c->args.cpu = &bench.cpu;
  c->args.attrs = &c->attrs;
  return c;
}

static void add_linear(int64_t m, int64_t n, int64_t k, int32_t dtype, int32_t kept, int dot, float *x, float *y) {
  const double size = dtype == HFM_F32 ? 4 : 2;
  const int32_t nr = bench.cpu.kernels->nr;
  const int few = m <= HFM__FEW_ROWS;
  const double work = few ? (double)(n * k) * size : 2.0 * (double)(m * n * k);
  bench_case *c = add_case(HFM__OP_linear, few ? UNIT_BYTES : dot ? UNIT_PAIRS : UNIT_FLOPS, work, run_linear);
  snprintf(c->name, sizeof c->name, "linear %s%s %ldx%ld M=%ld %s", hfm_dtype_name(dtype), dot ? " products" : "",
           (long)n, (long)k, (long)m,
           few ? "rows"
           : kept ? "kept"
                  : "per call");
  if (dot) c->args.cpu = &bench.pairs;
  c->kept = kept;
  c->weight_bytes = (uint64_t)((n + nr - 1) / nr * nr * k) * (uint64_t)size;
  c->args.in[0] = operand(x, HFM_F32, 2, m, k, 0, 0);
  c->args.in[1] = operand(bench.peaks.arena, dtype, 2, n, k, 0, 0);
  c->args.out[0] = operand(y, HFM_F32, 2, m, n, 0, 0);
  if (kept) { /* panels that are ready; run_linear points them at one copy after the other */
    const int64_t count = hfm__panel_count(n, nr);
    hfm__weight *weight = (hfm__weight *)calloc(1, sizeof *weight);
    struct hfm__panels *panels = (struct hfm__panels *)calloc(1, sizeof *panels + (size_t)count * sizeof(hfm__atomic));
    int64_t p;
    if (!weight || !panels) exit(1);
    panels->n = n;
    panels->k = dot ? k / 2 : k;
    panels->nr = nr;
    panels->dtype = dot ? HFM_F32 : dtype;
    panels->states = (hfm__atomic *)(panels + 1);
    for (p = 0; p < count; p++) hfm__atomic_store(&panels->states[p], HFM__PANEL_READY);
    weight->panels = panels;
    c->args.in[1].weight = weight;
  }
}

/* `padding`: so many of the last keys are masked. The work is that of the others. */
static void add_attention(int64_t length, int64_t padding, int32_t implementation) {
  const char *names[] = {"", "eager", "sdpa", "flash"};
  const int64_t heads = 12, head = 64, n = length * heads * head;
  bench_case *c =
      add_case(HFM__OP_attention, UNIT_FLOPS, 4.0 * (double)(length * (length - padding) * head * heads), run_op);
  snprintf(c->name, sizeof c->name, "attention %s S=%ld%s", names[implementation], (long)length,
           padding ? " padded" : "");
  c->attrs.implementation = implementation;
  c->attrs.scale = 0.125f;
  c->args.in[0] = operand(floats(n), HFM_F32, 4, 1, length, heads, head);
  c->args.in[1] = operand(floats(n), HFM_F32, 4, 1, length, heads, head);
  c->args.in[2] = operand(floats(n), HFM_F32, 4, 1, length, heads, head);
  c->args.out[0] = operand(floats(n), HFM_F32, 4, 1, length, heads, head);
  if (padding) {
    uint8_t *keep = (uint8_t *)calloc(1, (size_t)length);
    if (!keep) exit(1);
    memset(keep, 1, (size_t)(length - padding));
    c->args.in[3] = operand(keep, HFM_U8, 2, 1, length, 0, 0);
  }
}

/* ViT-B/16's patches; the weight is cold once a call and small. */
static void add_patches(void) {
  bench_case *c = add_case(HFM__OP_conv2d, UNIT_FLOPS, 2.0 * 196 * 768 * 768, run_op);
  snprintf(c->name, sizeof c->name, "conv2d 224x224 patches of 16");
  c->attrs.stride[0] = c->attrs.stride[1] = 16;
  c->args.in[0] = operand(floats(3 * 224 * 224), HFM_F32, 4, 1, 3, 224, 224);
  c->args.in[1] = operand(floats(768 * 768), HFM_F32, 4, 768, 3, 16, 16);
  c->args.out[0] = operand(floats(196 * 768), HFM_F32, 4, 1, 14, 14, 768);
}

static void run_softmax(bench_case *c) {
  const int64_t n = c->args.in[0].shape[1];
  int64_t r;
  for (r = 0; r < c->args.in[0].shape[0]; r++)
    bench.cpu.kernels->softmax((float *)c->args.in[0].data + r * n, (float *)c->args.out[0].data + r * n, n);
}

static void add_rows(const char *name, int op, int32_t activation, int64_t rows, int64_t n) {
  bench_case *c = add_case(op, UNIT_ELEMENTS, (double)(rows * n), op == HFM__OP_COUNT ? run_softmax : run_op);
  snprintf(c->name, sizeof c->name, "%s %ldx%ld", name, (long)rows, (long)n);
  c->attrs.activation = activation;
  c->attrs.epsilon = 1e-12f;
  c->args.in[0] = operand(floats(rows * n), HFM_F32, 2, rows, n, 0, 0);
  c->args.in[1] = operand(floats(n), HFM_F32, 1, n, 0, 0, 0);
  c->args.in[2] = operand(floats(n), HFM_F32, 1, n, 0, 0, 0);
  c->args.out[0] = operand(floats(rows * n), HFM_F32, 2, rows, n, 0, 0);
}

static void add_all_cases(void) {
  static const int64_t shapes[][2] = {{768, 768}, {3072, 768}, {768, 3072}, {1536, 576}}; /* BERT's, ViT's; SmolLM2's */
  static const int64_t ms[] = {1, 2, 4, 8, 16, 32, 128, 512};
  static const int32_t types[] = {HFM_F32, HFM_BF16, HFM_F16};
  const int products = bench.pairs.gemm_bf16 && bench.pairs.isa != HFM_ISA_SCALAR;
  float *x = floats(512 * 3072), *y = floats(512 * 3072);
  size_t s, m, t;
  int32_t kept;
  for (t = 0; t < HFM__COUNT(types); t++)
    for (m = 0; m < HFM__COUNT(ms); m++)
      for (s = 0; s < HFM__COUNT(shapes); s++)
        for (kept = ms[m] > HFM__FEW_ROWS; kept >= 0; kept--)
          add_linear(ms[m], shapes[s][0], shapes[s][1], types[t], kept, 0, x, y);
  for (m = 3; m < HFM__COUNT(ms) && products; m++)
    for (s = 0; s < HFM__COUNT(shapes); s++)
      for (kept = 1; kept >= 0; kept--) add_linear(ms[m], shapes[s][0], shapes[s][1], HFM_BF16, kept, 1, x, y);
  add_attention(128, 0, HFM_ATTN_SDPA);
  add_attention(512, 0, HFM_ATTN_SDPA);
  add_attention(512, 256, HFM_ATTN_SDPA);
  add_attention(1500, 0, HFM_ATTN_SDPA);
  add_attention(512, 0, HFM_ATTN_EAGER);
  add_attention(1500, 0, HFM_ATTN_FLASH_ATTENTION_2);
  add_patches();
  add_rows("softmax", HFM__OP_COUNT, 0, 128, 128);
  add_rows("softmax", HFM__OP_COUNT, 0, 128, 1500);
  add_rows("gelu", HFM__OP_unary, HFM__ACT_gelu, 128, 3072);
  add_rows("gelu_new", HFM__OP_unary, HFM__ACT_gelu_tanh, 128, 3072);
  add_rows("silu", HFM__OP_unary, HFM__ACT_silu, 128, 3072);
  add_rows("layer_norm", HFM__OP_layer_norm, 0, 128, 768);
  add_rows("rms_norm", HFM__OP_rms_norm, 0, 128, 768);
}

/* ---- Measuring and printing ---- */

enum { TURN_ROUNDS = 30000, MAX_CALLS = 100 }; /* multiply-adds after each call: some 60 us */

/* Calls for at least 6 ms, and the median of them; in turns with the peak of what multiplies, if *peak isn't NULL. */
static double rate_of(bench_case *c, double *peak) {
  double spent[MAX_CALLS], at_peak[MAX_CALLS], total = 0, flops = 0;
  int calls = 0;
  c->run(c);
  while (total < 0.006 && calls < MAX_CALLS) {
    const double t = seconds();
    c->run(c);
    spent[calls] = seconds() - t;
    total += spent[calls];
    if (peak) at_peak[calls] = fma_seconds(&bench.peaks, products_of(c->unit), TURN_ROUNDS, &flops);
    calls++;
  }
  qsort(spent, (size_t)calls, sizeof(double), compare);
  if (peak) {
    qsort(at_peak, (size_t)calls, sizeof(double), compare);
    *peak = flops / at_peak[calls / 2];
  }
  return c->work / spent[calls / 2];
}

/* One round of a case, with its peaks. */
static void sample(bench_case *c, int round) {
  const int multiplies = c->unit == UNIT_FLOPS || c->unit == UNIT_PAIRS;
  double peak = 0, read = 0;
  if (c->weight_bytes) read = peak_now(UNIT_BYTES);
  if (multiplies) (void)peak_now(c->unit);
  c->rate[round] = rate_of(c, multiplies ? &peak : NULL);
  if (c->weight_bytes) read = HFM__MAX(read, peak_now(UNIT_BYTES));
  if (c->unit < PEAKS) c->share[round] = c->rate[round] / (multiplies ? peak : read);
  if (multiplies && c->weight_bytes) c->of_read[round] = c->rate[round] / c->work * (double)c->weight_bytes / read;
}

static int wanted(const char *name, char **filters, int count) {
  int i;
  for (i = 0; i < count; i++)
    if (strstr(name, filters[i])) return 1;
  return count == 0;
}

/* The best rate of the case of this name, or 0. */
static double best_of(const char *name, int rounds) {
  int i;
  for (i = 0; i < case_count; i++)
    if (strcmp(cases[i].name, name) == 0) return cases[i].rate[rounds - 1];
  return 0;
}

/* What is not a product, as a share of BERT-base with 128 tokens: 12 layers of GELU, softmax and two norms. */
static void report_elementwise(int rounds) {
  const double gelu = best_of("gelu 128x3072", rounds), softmax = best_of("softmax 128x128", rounds);
  const double norm = best_of("layer_norm 128x768", rounds),
               product = best_of("linear float32 3072x768 M=128 kept", rounds);
  double rest;
  if (!(gelu > 0 && softmax > 0 && norm > 0 && product > 0)) return;
  rest = 12 * (128.0 * 3072 / gelu + 12 * 128.0 * 128 / softmax + 2 * 128.0 * 768 / norm);
  printf("norms, softmax and activations of BERT-base, 128 tokens: %.2f ms, %.1f %% of the time with its products\n",
         rest * 1e3, 100 * rest / (rest + 22.35e9 / product));
}

static void report(int rounds, int json) {
  static const char *units[] = {"GF/s", "GB/s", "GF/s", "Gelem/s"};
  int i;
  for (i = 0; i < case_count; i++) {
    bench_case *c = &cases[i];
    int round, best = 0;
    for (round = 1; round < rounds; round++)
      if (c->rate[round] > c->rate[best]) best = round;
    c->best_share = c->share[best];
    c->best_of_read = c->of_read[best];
    qsort(c->rate, (size_t)rounds, sizeof(double), compare);
    qsort(c->share, (size_t)rounds, sizeof(double), compare);
    qsort(c->of_read, (size_t)rounds, sizeof(double), compare);
  }
  if (json)
    printf("{\"isa\": \"%s\", \"threads\": %d, \"rounds\": %d, \"fma_gflops\": %.1f, \"read_gbytes\": %.1f, "
           "\"cases\": [",
           bench.cpu.name, (int)bench.threads, rounds, bench.most[UNIT_FLOPS] * 1e-9, bench.most[UNIT_BYTES] * 1e-9);
  else
    printf("isa %s, threads %d, rounds %d: FMA peak %.1f to %.1f GF/s, of bf16 pairs %.1f to %.1f, "
           "read %.1f to %.1f GB/s\n",
           bench.cpu.name, (int)bench.threads, rounds, bench.least[UNIT_FLOPS] * 1e-9, bench.most[UNIT_FLOPS] * 1e-9,
           bench.least[UNIT_PAIRS] * 1e-9, bench.most[UNIT_PAIRS] * 1e-9, bench.least[UNIT_BYTES] * 1e-9,
           bench.most[UNIT_BYTES] * 1e-9);
  for (i = 0; i < case_count; i++) {
    const bench_case *c = &cases[i];
    const double best = c->rate[rounds - 1], median = c->rate[rounds / 2];
    const double middle = c->share[rounds / 2];
    if (json) {
      printf("%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"best\": %.3f, \"median\": %.3f", i ? "," : "", c->name,
             units[c->unit], best * 1e-9, median * 1e-9);
      if (c->unit < PEAKS) printf(", \"best_share\": %.3f, \"median_share\": %.3f", c->best_share, middle);
      printf("}");
    } else if (c->unit < PEAKS) {
      printf("%-40s best %8.2f %-7s %5.1f %%   median %8.2f %5.1f %%", c->name, best * 1e-9, units[c->unit],
             100 * c->best_share, median * 1e-9, 100 * middle);
      if (c->of_read[0] > 0)
        printf("   of read %5.1f %%, %5.1f %%", 100 * c->best_of_read, 100 * c->of_read[rounds / 2]);
      printf("\n");
    } else {
      printf("%-40s best %8.2f %-7s           median %8.2f\n", c->name, best * 1e-9, units[c->unit], median * 1e-9);
    }
  }
  if (json) printf("\n]}\n");
  else if (bench.threads == 1) report_elementwise(rounds);
}

/* Everything that runs a case: 0, or the exit status after a message. */
static int set_up(int32_t isa, char **filters, int count) {
  hfm_allocator mem;
  hfm_error error;
  uint64_t scratch = 64;
  int i, kept = 0;
  if (bench.threads < 1 || bench.threads > (int32_t)HFM__COUNT(bench.workers)) {
    fprintf(stderr, "bench: threads must be 1..%d\n", (int)HFM__COUNT(bench.workers));
    return 2;
  }
  if (hfm__cpu_select(isa, &bench.cpu, &error) || !hfm__resolve_allocator(NULL, &mem)) {
    fprintf(stderr, "bench: %s\n", error.message);
    return 1;
  }
  hfm__packing_init(&bench.packing, &mem, HFM_PACK_LAZY, 0);
  bench.cpu.packing = &bench.packing;
  bench.pairs = bench.cpu;
  if (isa == HFM_ISA_AUTO) hfm__cpu_prefer_tiles(&bench.pairs);
  (void)hfm__cpu_multiply_bf16(&bench.pairs);
  bench.peaks.pool = hfm__pool_create(&mem, bench.threads, 1, NULL);
  bench.peaks.isa = bench.cpu.isa;
  bench.peaks.arena_bytes = (uint64_t)256 << 20;
  bench.peaks.arena = cold_memory(bench.peaks.arena_bytes);
  add_all_cases();
  for (i = 0; i < case_count; i++)
    if (wanted(cases[i].name, filters, count)) cases[kept++] = cases[i];
  case_count = kept;
  for (i = 0; i < case_count; i++) {
    cases[i].args.attrs = &cases[i].attrs;
    if (cases[i].op < HFM__OP_COUNT) scratch = HFM__MAX(scratch, hfm__cpu_ops[cases[i].op].scratch(&cases[i].args));
  }
  for (i = 0; i < bench.threads; i++) {
    bench.workers[i].scratch = (uint8_t *)lines((size_t)scratch);
    memset(bench.workers[i].scratch, 0, (size_t)scratch);
  }
  return 0;
}

/* ---- As a shared object, for tools/bench/turns.c ---- */

int turns_open(int threads, const char *isa, char **filters, int count) {
  bench.threads = threads;
  return set_up(isa_from_name(isa), filters, count) ? -1 : case_count;
}

const char *turns_name(int i) { return cases[i].name; }

double turns_call(int i) {
  const double begun = seconds();
  cases[i].run(&cases[i]);
  return seconds() - begun;
}

int main(int argc, char **argv) {
  int rounds = 15, json = 0, filters = 0, i, round, status;
  int32_t isa = HFM_ISA_AUTO;
  bench.threads = 1;
  for (i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--quick") == 0) rounds = 3;
    else if (strcmp(argv[i], "--json") == 0) json = 1;
    else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) bench.threads = atoi(argv[++i]);
    else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) rounds = atoi(argv[++i]);
    else if (strcmp(argv[i], "--isa") == 0 && i + 1 < argc) isa = isa_from_name(argv[++i]);
    else argv[1 + filters++] = argv[i];
  }
  if (rounds < 1 || rounds > MAX_ROUNDS) {
    fprintf(stderr, "bench: rounds must be 1..%d\n", MAX_ROUNDS);
    return 2;
  }
  status = set_up(isa, argv + 1, filters);
  if (status) return status;
  for (round = 0; round < rounds; round++) {
    for (i = 0; i < case_count; i++) sample(&cases[i], round);
  }
  report(rounds, json);
  hfm__pool_free(bench.peaks.pool);
  return 0;
}
