/* ==== run/beam_search (private): the best of several texts at once ================================================
   GenerationMixin._beam_search, in float32 as there. For each prompt num_beams texts are under way; each step their
   best continuations, twice as many or more, are the candidates. Those that end compete with the ones that ended
   before, by their score per length; the best of the others go on. */

typedef struct hfm__hypotheses { /* [prompts * beams] texts */
  int64_t *ids;          /* [..., max_length] */
  int64_t *beam_indices; /* [..., max_length - prompt_length]: where each token came from; -1 after the end */
  float *scores;
  uint8_t *finished;
} hfm__hypotheses;

typedef struct hfm__candidate {
  int64_t beam, token; /* of the prompt's beams */
  float score;
  int32_t ends;
} hfm__candidate;

typedef struct hfm__beams {
  const hfm__generation_options *options;
  int64_t prompts, beams, prompt_length, vocab_size;
  int64_t candidate_count;
  hfm__hypotheses running[2], best[2]; /* of this step, and of the next */
  int32_t now;           /* which of the two */
  uint8_t *improvable;   /* of each prompt: can a running text still become one of the best? */
  hfm__candidate *candidates;
  int64_t *order;        /* of the next step's running texts: the rows of this one */
  int64_t *indices, *text; /* scratch: a candidate each; a text */
  float *top;
  double *weights;       /* beams * vocab_size, where candidates are drawn */
  int32_t any_goes_on;   /* has a candidate of this step not ended? */
} hfm__beams;

static const float hfm__beam_worst = -1e9f;

HFM__PRIVATE int hfm__hypotheses_room(hfm__hypotheses *h, const hfm__beams *b, hfm__arena *arena) {
  const uint64_t count = (uint64_t)(b->prompts * b->beams), length = (uint64_t)b->options->max_length;
  h->ids = (int64_t *)hfm__arena_alloc(arena, count * length * sizeof *h->ids);
  h->beam_indices = (int64_t *)hfm__arena_alloc(
      arena, count * (length - (uint64_t)b->prompt_length) * sizeof *h->beam_indices);
  h->scores = (float *)hfm__arena_alloc(arena, count * sizeof *h->scores);
  h->finished = (uint8_t *)hfm__arena_alloc(arena, count);
  return h->ids && h->beam_indices && h->scores && h->finished;
}

/* What stands behind the end of a text. A pad_token_id of 0 counts for nothing, as in Transformers. */
HFM__PRIVATE int64_t hfm__beams_padding(const hfm__generation_options *o) {
  return !o->eos.count ? -1 : o->pad ? o->pad : o->eos.data[0];
}

/* Room and the beginning: all beams of a prompt are the prompt, of which one counts. `ids` is [prompts, length]. */
HFM__PRIVATE hfm_result hfm__beams_init(hfm__beams *b, const int64_t *ids, hfm__arena *arena, hfm_error *error) {
  const int64_t length = b->options->max_length, rows = b->prompts * b->beams, steps = length - b->prompt_length;
  const uint64_t count = (uint64_t)b->candidate_count;
  int ok = 1;
  for (int32_t i = 0; i < 2 && ok; i++)
    ok = hfm__hypotheses_room(&b->running[i], b, arena) && hfm__hypotheses_room(&b->best[i], b, arena);
  b->improvable = (uint8_t *)hfm__arena_alloc(arena, (uint64_t)b->prompts);
  b->candidates = (hfm__candidate *)hfm__arena_alloc(arena, count * sizeof *b->candidates);
  b->order = (int64_t *)hfm__arena_alloc(arena, (uint64_t)rows * sizeof *b->order);
  b->indices = (int64_t *)hfm__arena_alloc(arena, count * sizeof *b->indices);
  b->top = (float *)hfm__arena_alloc(arena, count * sizeof *b->top);
  b->text = (int64_t *)hfm__arena_alloc(arena, (uint64_t)length * sizeof *b->text);
  if (b->options->do_sample)
    b->weights = (double *)hfm__arena_alloc(arena, (uint64_t)(b->beams * b->vocab_size) * sizeof *b->weights);
  if (!ok || !b->improvable || !b->candidates || !b->order || !b->indices || !b->top || !b->text ||
      (b->options->do_sample && !b->weights))
    return hfm__fail_memory(error, "beams", 0);
  memset(b->improvable, 1, (size_t)b->prompts);
  for (int64_t r = 0; r < rows; r++) {
    int64_t *text = b->running[0].ids + r * length;
    memcpy(text, ids + r / b->beams * b->prompt_length, (size_t)b->prompt_length * sizeof *text);
    for (int64_t i = b->prompt_length; i < length; i++) text[i] = hfm__beams_padding(b->options);
    for (int64_t i = 0; i < steps; i++) b->running[0].beam_indices[r * steps + i] = -1;
    b->running[0].scores[r] = r % b->beams ? hfm__beam_worst : 0;
    b->best[0].scores[r] = hfm__beam_worst;
  }
  memcpy(b->best[0].ids, b->running[0].ids, (size_t)(rows * length) * sizeof *b->best[0].ids);
  memcpy(b->best[0].beam_indices, b->running[0].beam_indices, (size_t)(rows * steps) * sizeof(int64_t));
  return HFM_OK;
}

HFM__PRIVATE float hfm__length_divisor(int64_t length, double penalty) {
  return (float)hfm__exact_pow((double)length, penalty);
}

/* The candidates of a prompt, the best first, or in the order of their drawing. scores[beams * vocab_size] are its
   beams' log-probabilities, and become those of whole texts. */
HFM__PRIVATE void hfm__beams_choose(hfm__beams *b, int64_t prompt, float *scores, hfm__random *random) {
  const float *running = b->running[b->now].scores + prompt * b->beams;
  const int64_t all = b->beams * b->vocab_size;
  for (int64_t k = 0; k < b->beams; k++)
    for (int64_t i = 0; i < b->vocab_size; i++) scores[k * b->vocab_size + i] += running[k];
  if (b->options->do_sample) hfm__draw_several(scores, b->weights, all, b->candidate_count, random, b->indices);
  else (void)hfm_top_k(scores, all, b->candidate_count, b->indices, b->top);
  for (int64_t k = 0; k < b->candidate_count; k++) {
    b->candidates[k].beam = b->indices[k] / b->vocab_size;
    b->candidates[k].token = b->indices[k] % b->vocab_size;
    b->candidates[k].score = scores[b->indices[k]];
    b->candidates[k].ends = 0;
  }
}

/* The text of a candidate, of length + 1 tokens; until the next call. */
HFM__PRIVATE const int64_t *hfm__beams_text(hfm__beams *b, int64_t prompt, const hfm__candidate *c, int64_t length) {
  const int64_t row = prompt * b->beams + c->beam;
  memcpy(b->text, b->running[b->now].ids + row * b->options->max_length, (size_t)length * sizeof *b->text);
  b->text[length] = c->token;
  return b->text;
}

/* Text `to` of the next step becomes text `from` of this one. */
HFM__PRIVATE void hfm__hypothesis_copy(const hfm__beams *b, const hfm__hypotheses *next, int64_t to,
                                       const hfm__hypotheses *last, int64_t from) {
  const int64_t length = b->options->max_length, steps = length - b->prompt_length;
  memcpy(next->ids + to * length, last->ids + from * length, (size_t)length * sizeof *next->ids);
  memcpy(next->beam_indices + to * steps, last->beam_indices + from * steps,
         (size_t)steps * sizeof *next->beam_indices);
}

/* The same, with the token of a candidate behind it. */
HFM__PRIVATE void hfm__hypothesis_extend(const hfm__beams *b, const hfm__hypotheses *next, int64_t to, int64_t prompt,
                                         const hfm__candidate *c, int64_t length) {
  const int64_t from = prompt * b->beams + c->beam, steps = b->options->max_length - b->prompt_length;
  hfm__hypothesis_copy(b, next, to, &b->running[b->now], from);
  next->ids[to * b->options->max_length + length] = c->token;
  next->beam_indices[to * steps + length - b->prompt_length] = from;
}

/* Those that go on: the best that don't end. */
HFM__PRIVATE void hfm__beams_continue(hfm__beams *b, int64_t prompt, int64_t length) {
  const hfm__hypotheses *next = &b->running[!b->now];
  for (int64_t k = 0; k < b->candidate_count; k++)
    b->top[k] = b->candidates[k].score + (b->candidates[k].ends ? hfm__beam_worst : 0);
  for (int64_t i = 0; i < b->beams; i++) {
    const int64_t to = prompt * b->beams + i, best = hfm_argmax(b->top, b->candidate_count);
    const hfm__candidate *c = &b->candidates[best];
    hfm__hypothesis_extend(b, next, to, prompt, c, length);
    next->scores[to] = b->top[best];
    b->order[to] = prompt * b->beams + c->beam;
    b->top[best] = hfm__forbidden();
  }
}

/* The best that ended: the ones before, and this step's, of which only the first num_beams candidates count. */
HFM__PRIVATE void hfm__beams_finish(hfm__beams *b, int64_t prompt, int64_t length) {
  const hfm__hypotheses *last = &b->best[b->now], *next = &b->best[!b->now];
  const float divisor = hfm__length_divisor(length + 1 - b->prompt_length, b->options->length_penalty);
  const int64_t first = prompt * b->beams;
  int64_t full = 1, taken = 0;
  for (int64_t i = 0; i < b->beams; i++) full &= last->finished[first + i];
  for (int64_t k = 0; k < b->candidate_count; k++) {
    b->top[k] = b->candidates[k].score / divisor;
    if (full && b->options->early_stopping == HFM_EARLY_STOPPING_TRUE) b->top[k] += hfm__beam_worst;
    if (!b->improvable[prompt]) b->top[k] += hfm__beam_worst;
    if (!b->candidates[k].ends || k >= b->beams) b->top[k] += hfm__beam_worst;
  }
  for (int64_t i = 0; i < b->beams; i++) { /* those of before are in order */
    const int64_t best = hfm_argmax(b->top, b->candidate_count);
    if (taken < b->beams && !(b->top[best] > last->scores[first + taken])) {
      hfm__hypothesis_copy(b, next, first + i, last, first + taken);
      next->scores[first + i] = last->scores[first + taken];
      next->finished[first + i] = last->finished[first + taken++];
    } else {
      hfm__hypothesis_extend(b, next, first + i, prompt, &b->candidates[best], length);
      next->scores[first + i] = b->top[best];
      next->finished[first + i] = b->candidates[best].ends && best < b->beams;
      b->top[best] = hfm__forbidden();
    }
  }
}

/* A prompt's candidates are judged: what they make of the next step. */
HFM__PRIVATE void hfm__beams_update(hfm__beams *b, int64_t prompt, int64_t length) {
  for (int64_t k = 0; k < b->candidate_count; k++) b->any_goes_on |= !b->candidates[k].ends;
  hfm__beams_continue(b, prompt, length);
  hfm__beams_finish(b, prompt, length);
}

/* All prompts are: the next step is this one, with texts of `length` tokens. Returns 1 if it is needed. */
HFM__PRIVATE int hfm__beams_advance(hfm__beams *b, int64_t length) {
  const hfm__generation_options *o = b->options;
  const int never = o->early_stopping == HFM_EARLY_STOPPING_NEVER && o->length_penalty > 0;
  const float divisor =
      hfm__length_divisor((never ? o->max_length : length) - b->prompt_length, o->length_penalty);
  int improvable = 0, all_finished = 1, goes_on = b->any_goes_on;
  b->now = !b->now;
  b->any_goes_on = 0;
  for (int64_t prompt = 0; prompt < b->prompts; prompt++) {
    const hfm__hypotheses *best = &b->best[b->now];
    const int64_t first = prompt * b->beams;
    const float possible = b->running[b->now].scores[first] / divisor;
    const float worst = best->scores[first + b->beams - 1];
    int better = 0;
    for (int64_t i = 0; i < b->beams; i++) {
      better |= possible > (best->finished[first + i] ? worst : hfm__beam_worst);
      all_finished = all_finished && best->finished[first + i];
    }
    b->improvable[prompt] = (uint8_t)(b->improvable[prompt] && better);
    improvable |= b->improvable[prompt];
  }
  return improvable && goes_on && !(all_finished && o->early_stopping == HFM_EARLY_STOPPING_TRUE);
}
