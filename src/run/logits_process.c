/* ==== run/logits_process (private): what changes scores before a token is chosen ==================================
   Transformers' LogitsProcessors in the order of _get_logits_processor. Each one sees the ids of a sequence and the
   scores of its next token. float32 as there, one operation after the other. */

typedef struct hfm__sequence {
  const int64_t *ids;
  int64_t length;
  int64_t first; /* of the ids: those before it are padding */
  float *scores; /* vocab_size */
  int64_t row;
} hfm__sequence;

typedef struct hfm__processors {
  const hfm__generation_options *options;
  const hfm_generation_config *said; /* the callbacks */
  int64_t vocab_size, prompt_length;
  uint8_t *seen; /* vocab_size, all 0 between uses */
} hfm__processors;

/* Minus infinity, by its bits: a user's -ffast-math knows none. */
HFM__INLINE float hfm__forbidden(void) { return hfm__float_from_bits(0xff800000u); }
HFM__INLINE int hfm__is_forbidden(float score) { return hfm__float_bits(score) == 0xff800000u; }

HFM__PRIVATE void hfm__forbid(float *scores, int64_t vocab_size, hfm_token_ids ids) {
  for (int64_t i = 0; i < ids.count; i++)
    if (ids.data[i] >= 0 && ids.data[i] < vocab_size) scores[ids.data[i]] = hfm__forbidden();
}

/* Nothing but these, all alike. */
HFM__PRIVATE void hfm__force(float *scores, int64_t vocab_size, hfm_token_ids ids) {
  for (int64_t i = 0; i < vocab_size; i++) scores[i] = hfm__forbidden();
  for (int64_t i = 0; i < ids.count; i++) scores[ids.data[i]] = 0;
}

/* Each token once, however often it is there. */
HFM__PRIVATE void hfm__penalize_repetition(const hfm__processors *p, const hfm__sequence *s) {
  const float penalty = (float)p->options->repetition_penalty;
  for (int64_t i = s->first; i < s->length; i++) {
    const int64_t id = s->ids[i];
    if (p->seen[id]) continue;
    p->seen[id] = 1;
    s->scores[id] = s->scores[id] < 0 ? s->scores[id] * penalty : s->scores[id] / penalty;
  }
  for (int64_t i = s->first; i < s->length; i++) p->seen[s->ids[i]] = 0;
}

HFM__PRIVATE int hfm__ids_equal(const int64_t *a, const int64_t *b, int64_t count) {
  return !memcmp(a, b, (size_t)count * sizeof *a);
}

/* What would complete words that are there already. */
HFM__PRIVATE void hfm__forbid_ngrams(const hfm__processors *p, const hfm__sequence *s) {
  const int64_t before = p->options->no_repeat_ngram_size - 1;
  const int64_t *last = s->ids + s->length - before;
  for (int64_t i = 0; i + before < s->length; i++)
    if (hfm__ids_equal(s->ids + i, last, before)) s->scores[s->ids[i + before]] = hfm__forbidden();
}

/* A bad word that is one of eos_token_id alone is left out, as in Transformers. */
HFM__PRIVATE void hfm__forbid_bad_words(const hfm__processors *p, const hfm__sequence *s) {
  for (int64_t i = 0; i < p->options->bad_word_count; i++) {
    const hfm_token_ids word = p->options->bad_words[i];
    const int64_t before = word.count - 1, last = word.data[before];
    if (before == 0 && hfm__ids_have(p->options->eos, last)) continue;
    if (before <= s->length && hfm__ids_equal(s->ids + s->length - before, word.data, before))
      s->scores[last] = hfm__forbidden();
  }
}

HFM__PRIVATE void hfm__remove_invalid(float *scores, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (hfm__is_nan(scores[i])) scores[i] = 0;
    else if ((hfm__float_bits(scores[i]) & 0x7fffffffu) == 0x7f800000u)
      scores[i] = hfm__is_forbidden(scores[i]) ? -FLT_MAX : FLT_MAX;
  }
}

HFM__PRIVATE int hfm__all_forbidden(const float *scores, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (!hfm__is_forbidden(scores[i])) return 0;
  return 1;
}

/* The caller's prefix constraint, on all beams of a prompt. What it allows is marked in `seen`. If that leaves none of
   them anything, everything that it allows is as good. */
HFM__PRIVATE hfm_result hfm__constrain_prefix(const hfm__processors *p, const hfm__sequence *s, int64_t count,
                                              hfm_error *error) {
  const hfm_prefix_constraint *constraint = &p->said->prefix_constraint;
  int satisfiable = 0;
  for (int pass = 0; pass < 2 && !satisfiable; pass++)
    for (int64_t k = 0; k < count; k++) {
      const int64_t prompt = s[k].row / p->options->num_beams;
      const int64_t *allowed = NULL;
      const int64_t allowed_count =
          constraint->allowed_tokens(constraint->ctx, prompt, s[k].ids, s[k].length, &allowed);
      if (allowed_count <= 0 || !allowed)
        return hfm__fail(error, HFM_E_SCORES, NULL, "prefix_constraint", 0,
                         "prefix_constraint allows no token for prompt %i: it can't be satisfied", prompt);
      for (int64_t i = 0; i < allowed_count; i++)
        if (allowed[i] < 0 || allowed[i] >= p->vocab_size)
          return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, "prefix_constraint", 0,
                           "prefix_constraint allows token %i, but ids are from 0 to %i (vocab_size is %i)", allowed[i],
                           p->vocab_size - 1, p->vocab_size);
      for (int64_t i = 0; i < allowed_count; i++) p->seen[allowed[i]] = 1;
      for (int64_t i = 0; i < p->vocab_size; i++) {
        if (!p->seen[i]) s[k].scores[i] = hfm__forbidden();
        else if (pass) s[k].scores[i] = 0;
      }
      for (int64_t i = 0; i < allowed_count; i++) p->seen[allowed[i]] = 0;
      satisfiable |= !hfm__all_forbidden(s[k].scores, p->vocab_size);
    }
  return HFM_OK;
}

/* All processors on the sequences of a prompt that are under way: its beams, or one. */
HFM__PRIVATE hfm_result hfm__process_logits(const hfm__processors *p, const hfm__sequence *s, int64_t count,
                                            hfm_error *error) {
  const hfm__generation_options *o = p->options;
  const int64_t length = s[0].length, vocab_size = p->vocab_size;
  const int64_t begin = p->prompt_length + (p->prompt_length <= 1 && o->forced_bos.count);
  const int penalize = o->repetition_penalty < 1 || o->repetition_penalty > 1;
  for (int64_t k = 0; k < count; k++) {
    if (penalize) hfm__penalize_repetition(p, &s[k]);
    if (o->no_repeat_ngram_size > 0 && length >= o->no_repeat_ngram_size) hfm__forbid_ngrams(p, &s[k]);
    hfm__forbid_bad_words(p, &s[k]);
    if (length < o->min_length) hfm__forbid(s[k].scores, vocab_size, o->eos);
  }
  if (p->said->prefix_constraint.allowed_tokens) {
    const hfm_result result = hfm__constrain_prefix(p, s, count, error);
    if (result != HFM_OK) return result;
  }
  for (int64_t k = 0; k < count; k++) {
    if (o->forced_bos.count && length == 1) hfm__force(s[k].scores, vocab_size, o->forced_bos);
    if (o->forced_eos.count && length == o->max_length - 1) hfm__force(s[k].scores, vocab_size, o->forced_eos);
    if (o->remove_invalid_values) hfm__remove_invalid(s[k].scores, vocab_size);
    hfm__forbid(s[k].scores, vocab_size, o->suppress);
    if (length == begin) hfm__forbid(s[k].scores, vocab_size, o->begin_suppress);
    if (p->said->logits_processor.process)
      p->said->logits_processor.process(p->said->logits_processor.ctx, s[k].row, s[k].ids, length, s[k].scores,
                                        vocab_size);
    for (int64_t i = 0; i < vocab_size; i++)
      if (hfm__is_nan(s[k].scores[i]))
        return hfm__fail(error, HFM_E_SCORES, NULL, "scores", 0,
                         "the score of token %i at position %i of sequence %i is NaN: %s", i, length, s[k].row,
                         p->said->logits_processor.process ? "logits_processor, or the model, made it so"
                                                           : "the model made it so");
  }
  return HFM_OK;
}
