/* ==== run/steps (private): tokens in, the next token's logits out ===================================================
   All that generation knows of a model. The tokens of all sequences go in, a few at a time; their keys and values stay
   in the session's cache; the logits after them come out. Mask and positions are as Transformers makes them: the mask
   grows by one with each token, positions count what the mask keeps. */

typedef struct hfm__steps {
  hfm_session *session;
  const hfm__prompt *prompt;
  uint64_t calls;         /* the session's, after the last of ours */
  int64_t rows, expand;   /* prompts become `expand` sequences each; rows: how many the cache has now */
  int64_t fed, total;     /* positions in the cache; with those of the step in progress */
  int64_t most_fed;       /* tokens of one step after the prompt */
  int64_t anew;           /* once a text is longer, it is fed from its beginning, once; 0: never */
  int64_t vocab_size;
  int64_t *ids, *positions; /* of a step */
  uint8_t *mask;
  uint8_t *source_mask;   /* [rows, source_length]; NULL: all that the encoder reads counts */
  int64_t *order;
  hfm_inputs inputs;
  int32_t is_begun; /* a step is in progress */
  const float *logits;
  int64_t kept; /* positions that `logits` has of each row: the last ones */
} hfm__steps;

/* Tokens of the step that feeds a text of at most `most_length` anew; 0: there is none. */
HFM__PRIVATE int64_t hfm__steps_anew(const hfm__steps *d, int64_t most_length) {
  const int is_crossed = d->prompt->length <= d->anew && d->anew < most_length - 1;
  return is_crossed ? HFM__MIN(d->anew + d->most_fed, most_length - 1) : 0;
}

HFM__PRIVATE hfm_result hfm__steps_room(hfm__steps *d, hfm__arena *arena, int64_t most_length, hfm_error *error) {
  const hfm__prompt *p = d->prompt;
  const uint64_t rows = (uint64_t)(p->count * d->expand);
  const uint64_t later = (uint64_t)HFM__MAX(d->most_fed, hfm__steps_anew(d, most_length));
  const uint64_t step = HFM__MAX((uint64_t)(p->count * p->length), rows * later);
  d->ids = (int64_t *)hfm__arena_alloc(arena, step * sizeof *d->ids);
  d->positions = (int64_t *)hfm__arena_alloc(arena, step * sizeof *d->positions);
  d->mask = (uint8_t *)hfm__arena_alloc(arena, rows * (uint64_t)most_length);
  d->order = (int64_t *)hfm__arena_alloc(arena, rows * sizeof *d->order);
  if (!d->ids || !d->positions || !d->mask || !d->order) return hfm__fail_memory(error, "a generation", 0);
  if (!p->source_mask) return HFM_OK;
  d->source_mask = (uint8_t *)hfm__arena_alloc(arena, rows * (uint64_t)p->source_length);
  if (!d->source_mask) return hfm__fail_memory(error, "a generation", 0);
  memcpy(d->source_mask, p->source_mask, (size_t)(p->count * p->source_length));
  return HFM_OK;
}

/* ---- A step's inputs ---- */

HFM__PRIVATE void hfm__steps_give(hfm__steps *d, int32_t input, const void *data, hfm_dtype dtype, int64_t length) {
  hfm_tensor *t = (hfm_tensor *)(uintptr_t)hfm__input_tensor(&d->inputs, input);
  *t = hfm_tensor_i64(NULL, d->rows, length);
  t->data = data;
  t->dtype = dtype;
}

/* All inputs of a step of `count` tokens; the first one encodes. */
HFM__PRIVATE void hfm__steps_inputs(hfm__steps *d, int64_t count, int is_first) {
  const hfm__prompt *p = d->prompt;
  hfm__steps_give(d, HFM__IN_input_ids, is_first ? p->source_ids : NULL, HFM_I64, p->source_length);
  hfm__steps_give(d, HFM__IN_attention_mask, d->source_mask, HFM_BOOL, p->source_length);
  hfm__steps_give(d, p->side->ids, d->ids, HFM_I64, count);
  hfm__steps_give(d, p->side->mask, p->is_masked ? d->mask : NULL, HFM_BOOL, d->total);
  hfm__steps_give(d, HFM__IN_position_ids, p->positions ? d->positions : NULL, HFM_I64, count);
}

/* Begins to feed `count` tokens of each row, behind what the cache has. ids[row * stride] is a row's first. */
HFM__PRIVATE hfm_result hfm__steps_begin(hfm__steps *d, const int64_t *ids, int64_t stride, int64_t count,
                                         hfm_error *error) {
  const hfm__prompt *p = d->prompt;
  const int64_t total = d->fed + count, known = HFM__MIN(total, p->length), expand = d->rows / p->count;
  hfm_result result;
  for (int64_t r = 0; r < d->rows; r++) {
    const int64_t prompt = r / expand * p->length;
    uint8_t *mask = d->mask + r * total;
    memcpy(mask, p->mask + prompt, (size_t)known);
    memset(mask + known, 1, (size_t)(total - known));
    for (int64_t i = 0; i < count; i++) {
      const int64_t beyond = d->fed + i - (p->length - 1); /* the prompt's last position */
      const int64_t id = ids[r * stride + i];
      d->ids[r * count + i] = id >= 0 && id < d->vocab_size ? id : 0; /* a pad_token_id that is no token */
      if (!p->positions) continue;
      d->positions[r * count + i] =
          beyond <= 0 ? p->positions[prompt + d->fed + i]
                      : (int64_t)((uint64_t)p->positions[prompt + p->length - 1] + (uint64_t)beyond);
    }
  }
  d->total = total;
  hfm__steps_inputs(d, count, d->fed == 0);
  result = hfm_session_begin(d->session, &d->inputs, error);
  d->calls = d->session->calls;
  d->is_begun = result == HFM_OK;
  return result;
}

/* Has nobody else used the session since? */
HFM__PRIVATE hfm_result hfm__steps_check(const hfm__steps *d, hfm_error *error) {
  if (d->calls == d->session->calls) return HFM_OK;
  return hfm__fail(error, HFM_E_SESSION_ORDER, NULL, "hfm_generation_next", 0,
                   "hfm_generation_next: the session was used for something else since: begin a new generation");
}

/* Goes on with the step until the deadline (0: to its end); *done when the logits are there. */
HFM__PRIVATE hfm_result hfm__steps_run(hfm__steps *d, uint64_t deadline, int32_t *done, hfm_error *error) {
  hfm_outputs outputs;
  hfm_result result = hfm__session_slices(d->session, deadline, error);
  *done = result == HFM_OK && d->session->done;
  if (*done) result = hfm_session_outputs(d->session, &outputs, error);
  d->calls = d->session->calls;
  if (result != HFM_OK) d->is_begun = 0;
  if (result != HFM_OK || !*done) return result;
  d->is_begun = 0;
  d->fed = d->total;
  d->logits = (const float *)outputs.logits.data;
  d->kept = outputs.logits.shape[1];
  HFMODEL_ASSERT(outputs.logits.shape[2] == d->vocab_size);
  return HFM_OK;
}

/* Logits of a sequence after position `back` before the last one that was fed (0: the last). Until the cache is
   expanded the sequences of a prompt share them. */
HFM__PRIVATE const float *hfm__steps_logits(const hfm__steps *d, int64_t sequence, int64_t back) {
  const int64_t row = d->rows == d->prompt->count ? sequence / d->expand : sequence;
  return d->logits + (row * d->kept + d->kept - 1 - back) * d->vocab_size;
}

/* The cache's rows become those of the sequences `from`, all of them; NULL: as they are, one for each. */
HFM__PRIVATE hfm_result hfm__steps_reorder(hfm__steps *d, const int64_t *from, hfm_error *error) {
  const int64_t rows = d->prompt->count * d->expand, source = d->prompt->source_length;
  hfm_result result;
  int is_same = d->rows == rows;
  for (int64_t i = 0; i < rows; i++) {
    const int64_t sequence = from ? from[i] : i;
    d->order[i] = d->rows == rows ? sequence : sequence / d->expand;
    is_same = is_same && d->order[i] == i;
  }
  if (is_same) return HFM_OK;
  result = hfm_cache_reorder(d->session, d->order, rows, error);
  d->calls = d->session->calls;
  if (result != HFM_OK) return result;
  for (int64_t i = rows - 1; i > 0 && d->rows < rows && d->source_mask; i--) /* each from one that is still as it was */
    memcpy(d->source_mask + i * source, d->source_mask + i / d->expand * source, (size_t)source);
  d->rows = rows;
  return HFM_OK;
}

/* The cache keeps its first `length` positions. */
HFM__PRIVATE hfm_result hfm__steps_crop(hfm__steps *d, int64_t length, hfm_error *error) {
  const hfm_result result = length < d->fed ? hfm_cache_crop(d->session, length, error) : HFM_OK;
  d->calls = d->session->calls;
  if (result == HFM_OK) d->fed = HFM__MIN(d->fed, length);
  return result;
}

/* All of the text, with so many tokens, is about to be longer than cached keys are good for: the cache is emptied.
   Phi3ForCausalLM.prepare_inputs_for_generation. */
HFM__PRIVATE hfm_result hfm__steps_begin_anew(hfm__steps *d, int64_t length, int is_expanded, hfm_error *error) {
  hfm_result result;
  if (!d->anew || length <= d->anew || d->fed > d->anew || d->fed == 0) return HFM_OK;
  result = hfm__steps_crop(d, 0, error);
  if (result == HFM_OK && is_expanded) d->rows = d->prompt->count * d->expand;
  return result;
}

/* Where positions come from a table, the text must not be longer than that. */
HFM__PRIVATE hfm_result hfm__steps_positions(const hfm__steps *d, const hfm__program *program, int64_t most_length,
                                               hfm_error *error) {
  const hfm__graph_input *declared = &program->graph.inputs[HFM__IN_position_ids];
  const hfm__prompt *p = d->prompt;
  for (int64_t row = 0; row < p->count && declared->limit; row++) {
    const int64_t last = p->positions[(row + 1) * p->length - 1] + most_length - 1 - p->length;
    if (last >= declared->limit)
      return hfm__fail(error, HFM_E_INPUT_TOO_LONG, NULL, "max_length", 0,
                       "a text of max_length %i can't be generated: its last position would be %i, but must be from 0 "
                       "to %i (%s is %i)",
                       most_length, last, declared->limit - 1, declared->limit_reason, declared->limit);
  }
  return HFM_OK;
}

/* Plans the prompt (`length` 0), or a later step of at most `length` tokens. */
HFM__PRIVATE hfm_result hfm__steps_plan_one(hfm__steps *d, int64_t length, int64_t most_length, hfm_error *error) {
  const hfm__prompt *p = d->prompt;
  const int is_later = length > 0;
  const int64_t batch = is_later ? p->count * d->expand : p->count;
  hfm__request request = hfm__usual_request(d->session->model);
  hfm__program *program = NULL;
  hfm_result result;
  if (!is_later) length = p->length - d->fed;
  hfm__steps_inputs(d, 1, !is_later);
  result = hfm__question_from(&d->inputs, &request.asked, error);
  request.binding[HFM__SYM_BATCH] = request.binding[HFM__SYM_POSITION_ROWS] = batch;
  request.binding[HFM__SYM_TARGET] = length;
  request.binding[HFM__SYM_LENGTH] = hfm__prompt_encodes(p) ? p->source_length : length;
  if (result == HFM_OK && !is_later) result = hfm__continue_cache(d->session, &request, error);
  request.binding[HFM__SYM_TOTAL] = most_length - 1; /* the last token is not fed */
  if (result == HFM_OK) result = hfm__session_plan(d->session, &request, 0, &program, error);
  return result == HFM_OK ? hfm__steps_positions(d, program, most_length, error) : result;
}

/* Plans all of it, for texts of at most `most_length` tokens. */
HFM__PRIVATE hfm_result hfm__steps_plan(hfm__steps *d, int64_t most_length, hfm_error *error) {
  const int64_t anew = hfm__steps_anew(d, most_length);
  const int64_t lengths[] = {anew, 0, d->most_fed, 0}; /* again: what came after it may have widened the bounds */
  hfm_result result = HFM_OK;
  hfm__session_stop(d->session);
  for (size_t i = anew ? 0 : 1; i < HFM__COUNT(lengths) && result == HFM_OK; i++)
    result = hfm__steps_plan_one(d, lengths[i], most_length, error);
  d->calls = d->session->calls;
  return result;
}
