/* ==== run/sampling (private): temperature, filters, and the draw ==================================================
   Transformers' LogitsWarpers in their order, and torch.multinomial by a generator of our own. Probabilities are
   double, by functions with the same bits everywhere: the same seed and the same scores draw the same token on every
   machine. Where torch rounds to float32, what lies exactly on a filter's edge may fall to the other side. */

typedef struct hfm__sampler {
  const hfm__generation_options *options;
  int64_t vocab_size, min_tokens_to_keep;
  /* scratch, vocab_size each */
  double *keys;
  int32_t *heap;
} hfm__sampler;

/* A stream for each sequence, whatever the others draw. */
HFM__PRIVATE hfm__random hfm__random_stream(uint64_t seed, int64_t stream) {
  hfm__random r;
  r.state = (uint64_t)stream;
  r.state = seed ^ hfm__random_next(&r);
  return r;
}

/* In [0, 1). */
HFM__PRIVATE double hfm__random_fraction(hfm__random *r) {
  return (double)(hfm__random_next(r) >> 11) * (1.0 / 9007199254740992.0);
}

/* ---- Probabilities ---- */

/* exp(score - top); what is forbidden, or too small for a double, is 0. */
HFM__PRIVATE double hfm__relative_weight(float score, float top) {
  const double x = (double)score - (double)top;
  return hfm__is_forbidden(score) || x < -700 ? 0.0 : hfm__exact_exp_shorter(HFM__MIN(x, 0));
}

HFM__PRIVATE double hfm__weights_sum(const float *scores, int64_t count, float top) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++)
    if (!hfm__is_forbidden(scores[i])) sum += hfm__relative_weight(scores[i], top);
  return sum;
}

HFM__PRIVATE float hfm__largest(const float *scores, int64_t count) {
  float top = scores[0];
  for (int64_t i = 1; i < count; i++)
    if (scores[i] > top) top = scores[i];
  return top;
}

/* torch.log_softmax, in place. */
HFM__PRIVATE void hfm__log_softmax(float *scores, int64_t count) {
  const float top = hfm__largest(scores, count);
  const double log_sum = hfm__exact_log(hfm__weights_sum(scores, count, top));
  for (int64_t i = 0; i < count; i++)
    if (!hfm__is_forbidden(scores[i])) scores[i] = (float)((double)scores[i] - (double)top - log_sum);
}

/* ---- The best first ---- */

/* Of equal keys the earlier token is the better one. */
HFM__PRIVATE int hfm__heap_above(const double *keys, int32_t a, int32_t b) {
  return keys[a] > keys[b] || (!(keys[a] < keys[b]) && a < b);
}

HFM__PRIVATE void hfm__heap_sink(const double *keys, int32_t *heap, int64_t count, int64_t at) {
  const int32_t token = heap[at];
  for (;;) {
    int64_t child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count && hfm__heap_above(keys, heap[child + 1], heap[child])) child++;
    if (!hfm__heap_above(keys, heap[child], token)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = token;
}

/* Takes the best of `count` tokens out; it lies behind the others then. */
HFM__PRIVATE int32_t hfm__heap_take(const double *keys, int32_t *heap, int64_t count) {
  const int32_t best = heap[0];
  heap[0] = heap[count - 1];
  heap[count - 1] = best;
  if (count > 2) hfm__heap_sink(keys, heap, count - 1, 0);
  return best;
}

/* All tokens that are not forbidden, by their keys; returns how many they are. */
HFM__PRIVATE int64_t hfm__heap_fill(const hfm__sampler *s, const float *scores) {
  int64_t count = 0;
  for (int64_t i = 0; i < s->vocab_size; i++)
    if (!hfm__is_forbidden(scores[i])) s->heap[count++] = (int32_t)i;
  for (int64_t i = count / 2; i > 0; i--) hfm__heap_sink(s->keys, s->heap, count, i - 1);
  return count;
}

/* ---- Filters: each keeps the best tokens by some order, as long as a rule says so ---- */

typedef struct hfm__filter {
  float top;
  double sum; /* of the weights */
  double sum_before, probability, last_key; /* of those that were kept; of the next one; of the last one kept */
  double limit;
  int64_t kept;
} hfm__filter;

typedef int (*hfm__keeps)(const hfm__filter *f, double key);

HFM__PRIVATE int hfm__keeps_top_k(const hfm__filter *f, double key) { /* and all that equal the last */
  return (double)f->kept < f->limit || !(key < f->last_key);
}
HFM__PRIVATE int hfm__keeps_top_p(const hfm__filter *f, double key) {
  (void)key;
  return f->sum_before < f->limit;
}
HFM__PRIVATE int hfm__keeps_likely(const hfm__filter *f, double key) {
  (void)key;
  return !(f->probability < f->limit);
}
HFM__PRIVATE int hfm__keeps_likely_or_equal(const hfm__filter *f, double key) { /* to the last one kept */
  return !(f->probability < f->limit) || !(key < f->last_key);
}
HFM__PRIVATE int hfm__keeps_typical(const hfm__filter *f, double key) { /* and all that equal the last */
  return f->sum_before < f->limit || !(key < f->last_key);
}

/* Forbids what the rule does not keep, but keeps the best min_tokens_to_keep. Keys are in s->keys. */
HFM__PRIVATE void hfm__filter_scores(const hfm__sampler *s, float *scores, hfm__keeps keeps, double limit) {
  int64_t left = hfm__heap_fill(s, scores);
  hfm__filter f;
  memset(&f, 0, sizeof f);
  f.top = hfm__largest(scores, s->vocab_size);
  f.sum = keeps == hfm__keeps_top_k ? 1 : hfm__weights_sum(scores, s->vocab_size, f.top); /* it asks for none */
  f.limit = limit;
  while (left) {
    const int32_t next = s->heap[0];
    f.probability = hfm__relative_weight(scores[next], f.top) / f.sum;
    if (f.kept >= s->min_tokens_to_keep && !keeps(&f, s->keys[next])) break;
    f.sum_before += f.probability;
    f.last_key = s->keys[next];
    f.kept++;
    (void)hfm__heap_take(s->keys, s->heap, left--);
  }
  for (int64_t i = 0; i < left; i++) scores[s->heap[i]] = hfm__forbidden();
}

HFM__PRIVATE void hfm__filter_by_score(const hfm__sampler *s, float *scores, hfm__keeps keeps, double limit) {
  for (int64_t i = 0; i < s->vocab_size; i++) s->keys[i] = (double)scores[i];
  hfm__filter_scores(s, scores, keeps, limit);
}

/* -sum p log p */
HFM__PRIVATE double hfm__entropy(const float *scores, int64_t count, float top, double log_sum) {
  double entropy = 0;
  for (int64_t i = 0; i < count; i++) {
    const double log_p = (double)scores[i] - (double)top - log_sum;
    if (!hfm__is_forbidden(scores[i]) && log_p > -700) entropy -= hfm__exact_exp(HFM__MIN(log_p, 0)) * log_p;
  }
  return entropy;
}

/* How far a token's information is from the expected one decides. */
HFM__PRIVATE void hfm__filter_typical(const hfm__sampler *s, float *scores, double limit) {
  const float top = hfm__largest(scores, s->vocab_size);
  const double log_sum = hfm__exact_log(hfm__weights_sum(scores, s->vocab_size, top));
  const double entropy = hfm__entropy(scores, s->vocab_size, top, log_sum);
  for (int64_t i = 0; i < s->vocab_size; i++) {
    const double surprise = -((double)scores[i] - (double)top - log_sum) - entropy;
    s->keys[i] = surprise < 0 ? surprise : -surprise;
  }
  hfm__filter_scores(s, scores, hfm__keeps_typical, limit);
}

HFM__PRIVATE void hfm__filter_eta(const hfm__sampler *s, float *scores, double epsilon) {
  const float top = hfm__largest(scores, s->vocab_size);
  const double log_sum = hfm__exact_log(hfm__weights_sum(scores, s->vocab_size, top));
  const double entropy = hfm__entropy(scores, s->vocab_size, top, log_sum);
  const double eta = sqrt(epsilon) * hfm__exact_exp(-HFM__MIN(entropy, 700));
  hfm__filter_by_score(s, scores, hfm__keeps_likely_or_equal, HFM__MIN(epsilon, eta));
}

/* What sampling does to the scores; greedy search leaves them alone. At least one is not forbidden. */
HFM__PRIVATE void hfm__warp_logits(const hfm__sampler *s, float *scores) {
  const hfm__generation_options *o = s->options;
  if (o->temperature < 1 || o->temperature > 1)
    for (int64_t i = 0; i < s->vocab_size; i++)
      if (!hfm__is_forbidden(scores[i])) scores[i] /= (float)o->temperature;
  if (o->top_k > 0 && o->top_k < s->vocab_size) hfm__filter_by_score(s, scores, hfm__keeps_top_k, (double)o->top_k);
  if (o->top_p < 1) hfm__filter_by_score(s, scores, hfm__keeps_top_p, o->top_p);
  if (o->min_p > 0) {
    const float top = hfm__largest(scores, s->vocab_size);
    hfm__filter_by_score(s, scores, hfm__keeps_likely, o->min_p / hfm__weights_sum(scores, s->vocab_size, top));
  }
  if (o->typical_p < 1) hfm__filter_typical(s, scores, o->typical_p);
  if (o->epsilon_cutoff > 0)
    hfm__filter_by_score(s, scores, hfm__keeps_likely_or_equal, o->epsilon_cutoff);
  if (o->eta_cutoff > 0) hfm__filter_eta(s, scores, o->eta_cutoff);
}

/* ---- The draw ---- */

/* torch.multinomial(softmax(scores), 1). */
HFM__PRIVATE int64_t hfm__draw(const float *scores, int64_t count, hfm__random *random) {
  const float top = hfm__largest(scores, count);
  double left = hfm__random_fraction(random) * hfm__weights_sum(scores, count, top);
  int64_t last = 0;
  for (int64_t i = 0; i < count; i++) {
    const double weight = hfm__is_forbidden(scores[i]) ? 0 : hfm__relative_weight(scores[i], top);
    if (!(weight > 0)) continue;
    last = i;
    left -= weight;
    if (left < 0) break;
  }
  return last;
}

/* torch.multinomial(softmax(scores), wanted) without replacement. `weights` has room for `count`. What can't come comes
   last. */
HFM__PRIVATE void hfm__draw_several(const float *scores, double *weights, int64_t count, int64_t wanted,
                                    hfm__random *random, int64_t *drawn) {
  const float top = hfm__largest(scores, count);
  for (int64_t i = 0; i < count; i++) weights[i] = hfm__relative_weight(scores[i], top);
  for (int64_t k = 0; k < wanted; k++) {
    double sum = 0, left;
    int64_t last = -1;
    for (int64_t i = 0; i < count; i++) sum += HFM__MAX(weights[i], 0);
    left = hfm__random_fraction(random) * sum;
    for (int64_t i = 0; i < count && left >= 0; i++) {
      if (!(weights[i] > 0)) continue;
      last = i;
      left -= weights[i];
    }
    for (int64_t i = 0; i < count && last < 0; i++)
      if (weights[i] >= 0) last = i;
    weights[last] = -1;
    drawn[k] = last;
  }
}
