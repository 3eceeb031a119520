/* generation: how fast text comes out, beside what this machine can do.

     cc -O2 -I. tools/bench/generation.c -o build/bench/generation -lm -pthread
     build/bench/generation DIR [--threads N] [--rounds N] [--length N] [--new N] [--dtype NAME] [--random-weights]

   A round generates greedily, then with four beams. Multiply-adds in registers are measured before and after it, and
   the prompt's share is of the greater. Between any two tokens as many threads read from memory, and a token's share is
   of the median of that, since others on the machine change from one moment to the next what it can do. Decoding reads
   every weight of a step and the keys and values of all positions; both count as bytes read. Weights are packed when
   they are loaded, as they are by and by in a program that goes on. */
#define _GNU_SOURCE
#define HFMODEL_STATIC
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "peaks.h"

#include <stdio.h>

enum { MAX_ROUNDS = 64, MAX_STEPS = 1024, BEAMS = 4 };

typedef struct setting {
  const char *path;
  hfm_options load;
  hfm_session_options session;
  int64_t length, steps;
  int rounds;
} setting;

static struct {
  double prompt[MAX_ROUNDS], prompt_share[MAX_ROUNDS];     /* seconds; of the FMA peak */
  double step[MAX_ROUNDS], step_share[MAX_ROUNDS];         /* seconds; of what is read from memory */
  double beams[MAX_ROUNDS];                                /* a step's time with beams over one without */
  double products[MAX_ROUNDS];                             /* their share of the prompt's time */
} found;

static void fail(const char *message) {
  fprintf(stderr, "generation: %s\n", message);
  exit(1);
}

/* What a forward of a program reads: the weights of its products. *flops: what they take for a prompt of `length`
   tokens, of which the last one alone gets logits. */
static double program_bytes(const hfm_session *session, const hfm__program *program, int64_t length, double *flops) {
  const hfm__graph *g = &program->graph;
  const int64_t vocab_size = hfm_config_get_int(hfm_model_config(session->model), "vocab_size", 0);
  double bytes = 0;
  size_t i;
  *flops = 0;
  for (i = 0; i < g->node_count; i++) {
    const hfm__weight *weight;
    if (g->nodes[i].op != HFM__OP_linear) continue;
    weight = program->operands[g->nodes[i].in[1]].weight;
    if (!weight) continue;
    bytes += (double)weight->bytes;
    *flops += 2.0 * (double)hfm__elements(weight->shape, weight->rank) *
              (double)(weight->shape[0] == vocab_size ? 1 : length);
  }
  return bytes;
}

/* A step's program is the one that reads the least: it has no encoder. */
static double step_bytes(const hfm_session *session, int64_t length, double *flops) {
  const hfm__program *p = session->programs;
  double least = program_bytes(session, p, length, flops);
  for (p = p->next; p; p = p->next) {
    double its_flops;
    const double bytes = program_bytes(session, p, length, &its_flops);
    if (bytes >= least) continue;
    least = bytes;
    *flops = its_flops;
  }
  return least;
}

/* Keys and values of `positions` positions, and of the encoded text. */
static double cache_bytes(const hfm_session *session, double positions) {
  const hfm__cache *cache = &session->cache;
  double bytes = 0;
  size_t i;
  for (i = 0; i < cache->state_count; i++) {
    const hfm__cached_state *s = &cache->states[i];
    bytes += (double)(s->heads * s->head) * hfm_dtype_bits(cache->dtype) / 8 *
             (cache->sets[s->set].once ? (double)cache->source : positions);
  }
  return bytes;
}

/* A forward, node by node: the share of its time that goes into products. */
static double share_of_products(hfm_session *session, const hfm_inputs *prompt) {
  double products = 0, all = seconds();
  hfm_inputs in = *prompt;
  hfm_error error;
  in.use_cache = in.logits_to_keep = 1;
  if (hfm_cache_crop(session, 0, &error) || hfm_session_begin(session, &in, &error)) fail(error.message);
  while (session->node < session->running->graph.node_count) {
    const hfm__graph *g = &session->running->graph;
    const size_t end = hfm__group_end(g, session->node);
    const int is_product = g->nodes[session->node].op == HFM__OP_linear;
    const double begun = seconds();
    session->chunk = session->chunks = 0;
    for (; session->node < end; session->node++)
      if (hfm__is_op(&g->nodes[session->node]) && hfm__node_start(session, &g->nodes[session->node], &error))
        fail(error.message);
    (void)hfm__pool_run(session->pool, hfm__run_chunk, session, 0, session->chunks, 0);
    hfm__group_release(session);
    if (is_product) products += seconds() - begun;
  }
  all = seconds() - all;
  if (hfm_cache_crop(session, 0, &error)) fail(error.message);
  return products / all;
}

static hfm_generation_config config_of(const setting *s, int64_t beams) {
  hfm_generation_config config;
  memset(&config, 0, sizeof config);
  config.max_new_tokens = config.min_new_tokens = s->steps;
  config.num_beams = beams;
  return config;
}

static void generate(hfm_session *session, const hfm_inputs *in, const setting *s, const hfm_generation_config *config,
                     hfm_generated *out) {
  hfm_error error;
  if (hfm_cache_crop(session, 0, &error) || hfm_generate(session, in, config, out, &error)) fail(error.message);
  if (out->steps != s->steps) fail("other tokens than asked for");
}

/* Seconds of a later token. */
static double generate_freely(hfm_session *session, const hfm_inputs *in, const setting *s, int64_t beams) {
  const hfm_generation_config config = config_of(s, beams);
  hfm_generated out;
  generate(session, in, s, &config, &out);
  return out.decode_seconds / (double)(s->steps - 1);
}

static double middle(const double *x, int count) { return x[count / 2]; }

/* A generation that stops after each token to see what memory gives. */
enum { READS = 4 };
typedef struct token_times {
  machine_peaks *peaks;
  double begun, steps[MAX_STEPS], reads[READS * MAX_STEPS]; /* seconds; of each read `bytes` */
  uint64_t bytes;
  int count; /* of tokens but the prompt's own */
} token_times;

static void time_token(void *ctx, const int64_t *tokens, int64_t rows) {
  token_times *t = (token_times *)ctx;
  int i;
  if (t->begun > 0) t->steps[t->count++] = seconds() - t->begun;
  for (i = 0; i < READS; i++) t->reads[READS * t->count + i] = read_seconds(t->peaks, &t->bytes);
  t->begun = seconds();
  (void)tokens;
  (void)rows;
}

/* *step, *read: the medians of a token's seconds, and of the bytes per second that memory gives. */
static void generate_in_turns(hfm_session *session, const hfm_inputs *in, const setting *s, machine_peaks *peaks,
                              hfm_generated *out, double *step, double *read) {
  static token_times times;
  hfm_generation_config config = config_of(s, 1);
  memset(&times, 0, sizeof times);
  times.peaks = peaks;
  config.streamer.ctx = &times;
  config.streamer.put = time_token;
  generate(session, in, s, &config, out);
  qsort(times.steps, (size_t)times.count, sizeof(double), compare);
  qsort(times.reads, (size_t)(READS * times.count), sizeof(double), compare);
  *step = middle(times.steps, times.count);
  *read = (double)times.bytes / middle(times.reads, READS * times.count);
}

static void measure(hfm_session *session, const hfm_inputs *in, const setting *s, machine_peaks *peaks, int round) {
  double fma = fma_peak(peaks, 0), read, flops, bytes, greedy;
  hfm_generated out;
  generate_in_turns(session, in, s, peaks, &out, &found.step[round], &read);
  fma = HFM__MAX(fma, fma_peak(peaks, 0));
  bytes = step_bytes(session, s->length, &flops);
  bytes += cache_bytes(session, (double)out.prompt_length + (double)(s->steps - 1) / 2);
  found.prompt[round] = out.prompt_seconds;
  found.prompt_share[round] = flops / out.prompt_seconds / fma;
  found.step_share[round] = bytes / found.step[round] / read;
  greedy = generate_freely(session, in, s, 1);
  found.beams[round] = generate_freely(session, in, s, BEAMS) / greedy;
  if (hfm_model_task(session->model) == HFM_CAUSAL_LM) found.products[round] = share_of_products(session, in);
}

static void report(const hfm_model *model, const hfm_session *session, const setting *s) {
  double *lists[] = {found.prompt, found.prompt_share, found.step, found.step_share, found.beams, found.products};
  const char *name = strrchr(s->path, '/');
  const int last = s->rounds - 1;
  size_t i;
  for (i = 0; i < HFM__COUNT(lists); i++) qsort(lists[i], (size_t)s->rounds, sizeof(double), compare);
  printf("%-14s %-8s %2d threads, %s: ", name ? name + 1 : s->path, hfm_dtype_name(hfm_model_dtype(model)),
         (int)hfm_session_threads(session), hfm_model_isa(model));
  printf("prompt %d: %7.1f tokens/s", (int)s->length, (double)s->length / middle(found.prompt, s->rounds));
  if (hfm_model_task(model) == HFM_CAUSAL_LM)
    printf(" (%.0f %% of FMA peak, best %.0f; products %.0f %% of the time)",
           100 * middle(found.prompt_share, s->rounds), 100 * found.prompt_share[last],
           100 * middle(found.products, s->rounds));
  printf("; decode %6.1f tokens/s, best %6.1f, %.0f %% of read, best %.0f; %d beams: %.2f times a greedy step\n",
         1 / middle(found.step, s->rounds), 1 / found.step[0], 100 * middle(found.step_share, s->rounds),
         100 * found.step_share[last], (int)BEAMS, middle(found.beams, s->rounds));
}

int main(int argc, char **argv) {
  setting s;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_inputs in;
  hfm_error error;
  machine_peaks peaks;
  int64_t *ids, vocab_size, i;
  int a, round;
  memset(&s, 0, sizeof s);
  memset(&in, 0, sizeof in);
  memset(&peaks, 0, sizeof peaks);
  s.length = 256;
  s.steps = 64;
  s.rounds = 5;
  s.load.task = HFM_TASK_FROM_CONFIG;
  s.load.packing = HFM_PACK_EAGER;
  s.session.threads = 1;
  for (a = 1; a < argc; a++) {
    const char *value = a + 1 < argc ? argv[a + 1] : "";
    if (!strcmp(argv[a], "--random-weights")) s.load.random_weights = 1;
    else if (argv[a][0] != '-') s.path = argv[a];
    else if (!strcmp(argv[a], "--threads")) s.session.threads = atoi(value), a++;
    else if (!strcmp(argv[a], "--rounds")) s.rounds = atoi(value), a++;
    else if (!strcmp(argv[a], "--length")) s.length = atoi(value), a++;
    else if (!strcmp(argv[a], "--new")) s.steps = atoi(value), a++;
    else if (!strcmp(argv[a], "--dtype")) s.load.dtype = !strcmp(value, "bfloat16") ? HFM_BF16 : HFM_F32, a++;
    else s.rounds = 0;
  }
  if (!s.path || s.rounds < 1 || s.rounds > MAX_ROUNDS || s.length < 1 || s.steps < 2 || s.steps > MAX_STEPS ||
      s.session.threads < 1)
    fail("DIR [--threads N] [--rounds 1..64] [--length N] [--new 2..1024] [--dtype float32|bfloat16] "
         "[--random-weights]");
  if (hfm_from_pretrained(s.path, &s.load, &model, &error) ||
      hfm_session_create(model, &s.session, &session, &error))
    fail(error.message);
  vocab_size = hfm_config_get_int(hfm_model_config(model), "vocab_size", 0);
  ids = (int64_t *)malloc((size_t)s.length * sizeof *ids);
  if (!ids) fail("out of memory");
  for (i = 0; i < s.length; i++) ids[i] = 3 + i * 7919 % (vocab_size - 3);
  in.input_ids = hfm_tensor_i64(ids, 1, s.length);
  peaks.pool = session->pool;
  peaks.isa = model->cpu.isa;
  peaks.arena_bytes = (uint64_t)512 << 20;
  peaks.arena = cold_memory(peaks.arena_bytes);
  (void)generate_freely(session, &in, &s, 1);
  (void)generate_freely(session, &in, &s, BEAMS);
  for (round = 0; round < s.rounds; round++) measure(session, &in, &s, &peaks, round);
  report(model, session, &s);
  hfm_session_free(session);
  hfm_model_free(model);
  free(ids);
  return 0;
}
