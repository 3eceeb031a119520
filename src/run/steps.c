/* ==== run/steps (private): tokens in, the next token's logits out ===================================================
   All that generation knows of a model. The tokens of all sequences go in, a few at a time; their keys and values stay
   in the session's cache; the logits after them come out. Mask and positions are as Transformers makes them: the mask
   grows by one with each token, positions count what the mask keeps. */

typedef struct hfm__steps {
  hfm_session *session;
  uint64_t calls;      /* the session's, after the last of ours */
  int64_t prompts, rows, expand; /* prompts become `expand` sequences each; rows: how many the cache has now */
  int64_t prompt_length, fed;    /* tokens of a prompt; positions in the cache */
  int64_t most_fed;              /* tokens of one step after the prompt */
  int64_t vocab_size;
  int64_t *ids, *positions;   /* of a step */
  uint8_t *mask;
  int64_t *prompt_positions;  /* [prompts, prompt_length] */
  uint8_t *prompt_mask;
  int64_t *order;
  hfm_inputs inputs;
  int32_t is_begun; /* a step is in progress */
  const float *logits;
  int64_t kept; /* positions that `logits` has of each row: the last ones */
} hfm__steps;

HFM__PRIVATE hfm_result hfm__steps_room(hfm__steps *d, hfm__arena *arena, int64_t most_length, hfm_error *error) {
  const uint64_t rows = (uint64_t)(d->prompts * d->expand), prompt = (uint64_t)(d->prompts * d->prompt_length);
  const uint64_t step = HFM__MAX(prompt, rows * (uint64_t)d->most_fed);
  d->ids = (int64_t *)hfm__arena_alloc(arena, step * sizeof *d->ids);
  d->positions = (int64_t *)hfm__arena_alloc(arena, step * sizeof *d->positions);
  d->prompt_mask = (uint8_t *)hfm__arena_alloc(arena, prompt);
  d->prompt_positions = (int64_t *)hfm__arena_alloc(arena, prompt * sizeof *d->prompt_positions);
  d->mask = (uint8_t *)hfm__arena_alloc(arena, rows * (uint64_t)most_length);
  d->order = (int64_t *)hfm__arena_alloc(arena, rows * sizeof *d->order);
  if (d->ids && d->positions && d->prompt_mask && d->mask && d->prompt_positions && d->order) return HFM_OK;
  return hfm__fail_memory(error, "a generation", 0);
}

/* Begins to feed `count` tokens of each row, behind what the cache has. ids[row * stride] is a row's first. */
HFM__PRIVATE hfm_result hfm__steps_begin(hfm__steps *d, const int64_t *ids, int64_t stride, int64_t count,
                                           hfm_error *error) {
  const int64_t total = d->fed + count, known = HFM__MIN(total, d->prompt_length), expand = d->rows / d->prompts;
  hfm_result result;
  for (int64_t r = 0; r < d->rows; r++) {
    const int64_t *positions = d->prompt_positions + r / expand * d->prompt_length;
    uint8_t *mask = d->mask + r * total;
    memcpy(mask, d->prompt_mask + r / expand * d->prompt_length, (size_t)known);
    memset(mask + known, 1, (size_t)(total - known));
    for (int64_t i = 0; i < count; i++) {
      const int64_t beyond = d->fed + i - (d->prompt_length - 1); /* the prompt's last position */
      const int64_t id = ids[r * stride + i];
      d->ids[r * count + i] = id >= 0 && id < d->vocab_size ? id : 0; /* a pad_token_id that is no token */
      d->positions[r * count + i] = beyond <= 0 ? positions[d->fed + i] : positions[d->prompt_length - 1] + beyond;
    }
  }
  d->inputs.input_ids = hfm_tensor_i64(d->ids, d->rows, count);
  d->inputs.position_ids = hfm_tensor_i64(d->positions, d->rows, count);
  d->inputs.attention_mask = hfm_tensor_i64(NULL, d->rows, total);
  d->inputs.attention_mask.data = d->mask;
  d->inputs.attention_mask.dtype = HFM_BOOL;
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
  d->fed = d->inputs.attention_mask.shape[1];
  d->logits = (const float *)outputs.logits.data;
  d->kept = outputs.logits.shape[1];
  HFMODEL_ASSERT(outputs.logits.shape[2] == d->vocab_size);
  return HFM_OK;
}

/* Logits of a sequence after position `back` before the last one that was fed (0: the last). Until the cache is
   expanded the sequences of a prompt share them. */
HFM__PRIVATE const float *hfm__steps_logits(const hfm__steps *d, int64_t sequence, int64_t back) {
  const int64_t row = d->rows == d->prompts ? sequence / d->expand : sequence;
  return d->logits + (row * d->kept + d->kept - 1 - back) * d->vocab_size;
}

/* The cache's rows become those of the sequences `from`, all of them; NULL: as they are, one for each. */
HFM__PRIVATE hfm_result hfm__steps_reorder(hfm__steps *d, const int64_t *from, hfm_error *error) {
  const int64_t rows = d->prompts * d->expand;
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
  if (result == HFM_OK) d->rows = rows;
  return result;
}

/* The cache keeps its first `length` positions. */
HFM__PRIVATE hfm_result hfm__steps_crop(hfm__steps *d, int64_t length, hfm_error *error) {
  const hfm_result result = length < d->fed ? hfm_cache_crop(d->session, length, error) : HFM_OK;
  d->calls = d->session->calls;
  if (result == HFM_OK) d->fed = HFM__MIN(d->fed, length);
  return result;
}

/* Where positions come from a table, the text must not be longer than that. */
HFM__PRIVATE hfm_result hfm__steps_positions(const hfm__steps *d, const hfm__program *program, int64_t most_length,
                                               hfm_error *error) {
  const hfm__graph_input *declared = &program->graph.inputs[HFM__IN_position_ids];
  for (int64_t p = 0; p < d->prompts && declared->limit; p++) {
    const int64_t last = d->prompt_positions[(p + 1) * d->prompt_length - 1] + most_length - 1 - d->prompt_length;
    if (last >= declared->limit)
      return hfm__fail(error, HFM_E_INPUT_TOO_LONG, NULL, "max_length", 0,
                       "a text of max_length %i can't be generated: its last position would be %i, but must be from 0 "
                       "to %i (%s is %i)",
                       most_length, last, declared->limit - 1, declared->limit_reason, declared->limit);
  }
  return HFM_OK;
}

/* Plans the prompt and every later step, for texts of at most `most_length` tokens. */
HFM__PRIVATE hfm_result hfm__steps_plan(hfm__steps *d, int64_t most_length, hfm_error *error) {
  const int64_t batch[2] = {d->prompts, d->prompts * d->expand};
  const int64_t length[2] = {d->prompt_length - d->fed, d->most_fed};
  hfm_result result = HFM_OK;
  hfm__session_stop(d->session);
  for (int32_t i = 0; i < 2 && result == HFM_OK; i++) {
    hfm__request request = hfm__usual_request(d->session->model);
    hfm__program *program = NULL;
    result = hfm__question_from(&d->inputs, &request.asked, error);
    request.asked.present = 1u << HFM__IN_input_ids | 1u << HFM__IN_attention_mask | 1u << HFM__IN_position_ids;
    request.binding[HFM__SYM_BATCH] = request.binding[HFM__SYM_POSITION_ROWS] = batch[i];
    request.binding[HFM__SYM_LENGTH] = request.binding[HFM__SYM_TARGET] = length[i];
    request.binding[HFM__SYM_TOTAL] = most_length - 1; /* the last token is not fed */
    if (result == HFM_OK) result = hfm__session_plan(d->session, &request, 0, &program, error);
    if (result == HFM_OK) result = hfm__steps_positions(d, program, most_length, error);
  }
  d->calls = d->session->calls;
  return result;
}
