/* Sampling: what each filter keeps, and how often each token is drawn, against the distribution that Transformers'
   definition gives, computed here another way (sorted, in double). The seeds are fixed, so a result never changes. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include "check.h"
#include <math.h>
#include <stdlib.h>

enum { VOCAB = 37, DRAWS = CHECK_SLOW > 1 ? 1000 : 40000, SCORES = 12 }; /* fewer under an emulator */

static double keys[VOCAB];
static int32_t heap[VOCAB];
static hfm__generation_options options;

static hfm__sampler sampler(int64_t keep) {
  hfm__sampler s;
  s.options = &options;
  s.vocab_size = VOCAB;
  s.min_tokens_to_keep = keep;
  s.keys = keys;
  s.heap = heap;
  return s;
}

/* Off, all of them. */
static void reset(void) {
  memset(&options, 0, sizeof options);
  options.temperature = options.top_p = options.typical_p = 1;
}

/* Flat and sharp ones, some tokens forbidden, some equal. */
static void fill(float *scores, int which) {
  hfm__random r = hfm__random_stream(77, which);
  for (int i = 0; i < VOCAB; i++) {
    scores[i] = (float)(hfm__random_fraction(&r) * (which % 4 + 1) * 2 - 3);
    if (which % 3 == 1 && i % 5 == 2) scores[i] = hfm__forbidden();
    if (which % 3 == 2 && i % 4 == 1) scores[i] = scores[i - 1];
  }
}

/* ---- The definitions, by sorting ---- */

typedef struct ranked {
  int token;
  double score, p;
} ranked;

static int by_score(const void *a, const void *b) {
  const ranked *x = (const ranked *)a, *y = (const ranked *)b;
  if (x->score != y->score) return x->score > y->score ? -1 : 1;
  return x->token - y->token;
}

/* The tokens, likeliest first, with softmax; p = 0 where forbidden. */
static void rank(const float *scores, ranked *out) {
  double sum = 0;
  for (int i = 0; i < VOCAB; i++) {
    out[i].token = i;
    out[i].score = hfm__is_forbidden(scores[i]) ? -1e30 : (double)scores[i];
  }
  qsort(out, VOCAB, sizeof *out, by_score);
  for (int i = 0; i < VOCAB; i++) {
    out[i].p = exp(out[i].score - out[0].score);
    sum += out[i].p;
  }
  for (int i = 0; i < VOCAB; i++) out[i].p /= sum;
}

typedef void (*reference)(ranked *r, double limit, int keep, uint8_t *kept);

static void ref_top_k(ranked *r, double limit, int keep, uint8_t *kept) {
  const int k = limit > keep ? (int)limit : keep;
  for (int i = 0; i < VOCAB; i++) kept[r[i].token] = r[i].score >= r[(k < VOCAB ? k : VOCAB) - 1].score;
}

/* From the unlikeliest up: what sums up to 1 - p goes. */
static void ref_top_p(ranked *r, double limit, int keep, uint8_t *kept) {
  double sum = 0;
  for (int i = VOCAB - 1; i >= 0; i--) {
    sum += r[i].p;
    kept[r[i].token] = sum > 1 - limit || i < keep;
  }
}

static void ref_min_p(ranked *r, double limit, int keep, uint8_t *kept) {
  for (int i = 0; i < VOCAB; i++) kept[r[i].token] = r[i].p >= limit * r[0].p || i < keep;
}

static void ref_epsilon(ranked *r, double limit, int keep, uint8_t *kept) {
  for (int i = 0; i < VOCAB; i++) kept[r[i].token] = r[i].p >= limit || r[i].score >= r[keep - 1].score;
}

static double entropy_of(const ranked *r) {
  double entropy = 0;
  for (int i = 0; i < VOCAB; i++)
    if (r[i].p > 0) entropy -= r[i].p * log(r[i].p);
  return entropy;
}

static void ref_eta(ranked *r, double limit, int keep, uint8_t *kept) {
  const double eta = sqrt(limit) * exp(-entropy_of(r));
  ref_epsilon(r, limit < eta ? limit : eta, keep, kept);
}

static void ref_typical(ranked *r, double limit, int keep, uint8_t *kept) {
  const double entropy = entropy_of(r);
  double sum = 0, last = 0;
  int i, count = 0;
  for (i = 0; i < VOCAB; i++) r[i].score = r[i].p > 0 ? -fabs(-log(r[i].p) - entropy) : -1e30;
  qsort(r, VOCAB, sizeof *r, by_score);
  for (i = 0; i < VOCAB; i++) {
    if (sum < limit) last = r[i].score;
    sum += r[i].p;
  }
  for (i = 0; i < VOCAB; i++, count++) kept[r[i].token] = r[i].score >= last - 1e-12 || count < keep;
}

/* ---- Filters ---- */

static double *limit_of(hfm__generation_options *o, int which) {
  double *fields[] = {&o->top_p, &o->min_p, &o->epsilon_cutoff, &o->eta_cutoff, &o->typical_p};
  return fields[which];
}

/* Chi-square of how often tokens came against how often they should. Rare ones are put together. */
static void check_draws(const float *scores, uint64_t seed) {
  ranked r[VOCAB];
  int64_t counts[VOCAB];
  double statistic = 0, rare = 0, rare_count = 0;
  int degrees = -1;
  hfm__random random = hfm__random_stream(seed, 3);
  memset(counts, 0, sizeof counts);
  for (int i = 0; i < DRAWS; i++) {
    const int64_t token = hfm__draw(scores, VOCAB, &random);
    if (!CHECK(token >= 0 && token < VOCAB)) return;
    counts[token]++;
  }
  rank(scores, r);
  for (int i = 0; i < VOCAB; i++) {
    const double wanted = r[i].p * DRAWS, off = (double)counts[r[i].token] - wanted;
    if (hfm__is_forbidden(scores[r[i].token])) CHECK_INT(counts[r[i].token], 0);
    if (wanted >= 10) {
      statistic += off * off / wanted;
      degrees++;
    } else {
      rare += wanted;
      rare_count += (double)counts[r[i].token];
    }
  }
  if (rare >= 10) {
    statistic += (rare_count - rare) * (rare_count - rare) / rare;
    degrees++;
  }
  /* mean n, deviation sqrt(2 n): four of them and a bit */
  if (!CHECK(degrees <= 0 ? statistic < 1e-9 : statistic < degrees + 4.5 * sqrt(2.0 * degrees) + 4))
    printf("  chi-square %g with %d degrees of freedom\n", statistic, degrees);
}

static void check_filter(reference ref, double limit, int64_t keep) {
  for (int which = 0; which < SCORES; which++) {
    const hfm__sampler s = sampler(keep);
    float scores[VOCAB], before[VOCAB];
    uint8_t kept[VOCAB];
    ranked r[VOCAB];
    fill(before, which);
    memcpy(scores, before, sizeof scores);
    rank(before, r);
    ref(r, limit, (int)keep, kept);
    hfm__warp_logits(&s, scores);
    for (int i = 0; i < VOCAB; i++) {
      const int want = kept[i] && !hfm__is_forbidden(before[i]);
      if (!CHECK_INT(!hfm__is_forbidden(scores[i]), want)) printf("  scores %d, token %d, limit %g\n", which, i, limit);
      if (want) CHECK(!memcmp(&scores[i], &before[i], sizeof scores[i]));
    }
    check_draws(scores, (uint64_t)(which * 31 + keep));
  }
}

static void check_limits(int field, reference ref, const double *limits, int count) {
  for (int i = 0; i < count; i++)
    for (int64_t keep = 1; keep <= 3; keep += 2) {
      reset();
      *limit_of(&options, field) = limits[i];
      check_filter(ref, limits[i], keep);
    }
}

static void test_top_k(void) {
  static const int64_t ks[] = {1, 2, 5, 36};
  for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
    reset();
    options.top_k = ks[i];
    check_filter(ref_top_k, (double)ks[i], 1);
    check_filter(ref_top_k, (double)ks[i], 3);
  }
}
static void test_top_p(void) {
  static const double limits[] = {0, 0.1, 0.5, 0.9, 0.999};
  check_limits(0, ref_top_p, limits, 5);
}
static void test_min_p(void) {
  static const double limits[] = {0.01, 0.2, 0.7, 1};
  check_limits(1, ref_min_p, limits, 4);
}
static void test_epsilon_cutoff(void) {
  static const double limits[] = {0.001, 0.02, 0.3};
  check_limits(2, ref_epsilon, limits, 3);
}
static void test_eta_cutoff(void) {
  static const double limits[] = {0.001, 0.02, 0.3};
  check_limits(3, ref_eta, limits, 3);
}
static void test_typical_p(void) {
  static const double limits[] = {0.05, 0.4, 0.8, 0.99};
  check_limits(4, ref_typical, limits, 4);
}

/* Temperature comes first, then the filters in Transformers' order, each on what the one before left. */
static void test_together(void) {
  for (int which = 0; which < SCORES; which++) {
    const hfm__sampler s = sampler(1);
    float scores[VOCAB], want[VOCAB];
    const double limits[] = {0.8, 0.1, 0.01, 0.02, 0.9};
    static const reference refs[] = {ref_top_p, ref_min_p, ref_typical, ref_epsilon, ref_eta};
    static const int order[] = {0, 1, 4, 2, 3};
    ranked r[VOCAB];
    uint8_t kept[VOCAB];
    fill(want, which);
    memcpy(scores, want, sizeof scores);
    reset();
    options.temperature = 1.7;
    options.top_k = 20;
    for (int i = 0; i < 5; i++) *limit_of(&options, i) = limits[i];
    for (int i = 0; i < VOCAB; i++) /* 1.7f would have the bits of a double where FLT_EVAL_METHOD is not 0 */
      if (!hfm__is_forbidden(want[i])) want[i] /= (float)options.temperature;
    rank(want, r);
    ref_top_k(r, 20, 1, kept);
    for (int i = 0; i <= 5; i++) {
      for (int t = 0; t < VOCAB; t++)
        if (!kept[t]) want[t] = hfm__forbidden();
      rank(want, r);
      if (i < 5) refs[i](r, limits[order[i]], 1, kept);
    }
    hfm__warp_logits(&s, scores);
    CHECK(!memcmp(scores, want, sizeof want));
    check_draws(scores, (uint64_t)which);
  }
}

/* Two tokens without replacement: the pairs come as often as they should. */
static void test_draw_several(void) {
  enum { FEW = 5 };
  const float scores[FEW] = {0.5f, -1, 1.2f, 0, 0.3f};
  double weights[FEW], p[FEW], sum = 0, statistic = 0;
  int64_t counts[FEW][FEW], drawn[FEW];
  hfm__random random = hfm__random_stream(5, 0);
  memset(counts, 0, sizeof counts);
  for (int i = 0; i < FEW; i++) sum += p[i] = exp((double)scores[i]);
  for (int i = 0; i < FEW; i++) p[i] /= sum;
  for (int n = 0; n < DRAWS; n++) {
    hfm__draw_several(scores, weights, FEW, 2, &random, drawn);
    counts[drawn[0]][drawn[1]]++;
  }
  for (int i = 0; i < FEW; i++)
    for (int k = 0; k < FEW; k++) {
      const double wanted = i == k ? 0 : DRAWS * p[i] * p[k] / (1 - p[i]);
      if (i == k) CHECK_INT(counts[i][k], 0);
      else statistic += ((double)counts[i][k] - wanted) * ((double)counts[i][k] - wanted) / wanted;
    }
  CHECK(statistic < 19 + 4.5 * sqrt(2.0 * 19));
  hfm__draw_several(scores, weights, FEW, FEW, &random, drawn); /* all of them, each once */
  for (int i = 0, seen = 0; i < FEW; i++) {
    seen |= 1 << drawn[i];
    if (i == FEW - 1) CHECK_INT(seen, (1 << FEW) - 1);
  }
}

/* What can't come comes last, and once. */
static void test_draw_more_than_there_are(void) {
  float scores[4];
  double weights[4];
  int64_t drawn[4];
  hfm__random random = hfm__random_stream(1, 0);
  for (int i = 0; i < 4; i++) scores[i] = hfm__forbidden();
  scores[2] = 1;
  hfm__draw_several(scores, weights, 4, 4, &random, drawn);
  CHECK_INT(drawn[0], 2);
  CHECK_INT(drawn[0] + drawn[1] + drawn[2] + drawn[3], 6);
}

/* The stream of a seed is the same everywhere and for good: texts can be told by their seed. */
static void test_streams(void) {
  hfm__random a = hfm__random_stream(0, 0), b = hfm__random_stream(0, 1), c = hfm__random_stream(1, 0);
  const uint64_t first = hfm__random_next(&a);
  CHECK(first != hfm__random_next(&b) && first != hfm__random_next(&c));
  a = hfm__random_stream(42, 7);
  CHECK(hfm__random_next(&a) == UINT64_C(0x6eab8625df268fbc));
  for (int i = 0; i < 1000; i++) {
    const double x = hfm__random_fraction(&a);
    CHECK(x >= 0 && x < 1);
  }
}

static void test_log_softmax(void) {
  for (int which = 0; which < SCORES; which++) {
    float scores[VOCAB];
    ranked r[VOCAB];
    fill(scores, which);
    rank(scores, r);
    hfm__log_softmax(scores, VOCAB);
    for (int i = 0; i < VOCAB; i++)
      if (hfm__is_forbidden(scores[r[i].token])) CHECK(!(r[i].p > 0));
      else CHECK_NEAR(scores[r[i].token], log(r[i].p), 1e-6);
  }
}

int main(void) {
  TEST(test_top_k);
  TEST(test_top_p);
  TEST(test_min_p);
  TEST(test_epsilon_cutoff);
  TEST(test_eta_cutoff);
  TEST(test_typical_p);
  TEST(test_together);
  TEST(test_draw_several);
  TEST(test_draw_more_than_there_are);
  TEST(test_streams);
  TEST(test_log_softmax);
  return check_report("test_sampling");
}
