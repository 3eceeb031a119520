/* ==== run/prompt (private): what generation begins from ============================================================
   The caller's prompts, checked and copied: the tokens that texts go on from, which of them count, where they stand;
   and what the encoder reads, where there is one. Masks and positions are as Transformers' generate makes them. */

typedef struct hfm__prompt {
  const hfm__side *side;  /* that the tokens go into: the decoder's, where there is an encoder */
  int64_t count, length;  /* prompts; tokens of each, padding included */
  int64_t *ids;           /* [count, length] */
  uint8_t *mask;          /* [count, length]: which of them count */
  int64_t *positions;     /* [count, length]; NULL: the model counts by itself */
  int32_t is_masked;      /* 1: the model is given the mask */
  int64_t vocab_size;     /* of these, and of what is generated */
  int32_t started;        /* tokens that stand before the caller's: decoder_start_token_id, or none */
  int64_t source_length;  /* of the encoded texts; 0: the model has no encoder */
  int64_t *source_ids;    /* [count, source_length]; NULL: they are encoded already, in the session's cache */
  uint8_t *source_mask;   /* [count, source_length]; NULL: all of it counts */
} hfm__prompt;

HFM__PRIVATE int hfm__prompt_encodes(const hfm__prompt *p) { return HFM__HAS_SEQ2SEQ && p->side == &hfm__decoder_side; }

/* ---- What the caller gives ---- */

/* The arguments that generation knows; the rest has no meaning for the tokens to come. */
HFM__PRIVATE hfm_result hfm__prompt_known(const hfm_model *model, const hfm__prompt *p, const hfm_inputs *inputs,
                                          hfm_error *error) {
  const uint32_t ids = 1u << HFM__IN_input_ids | 1u << HFM__IN_attention_mask;
  const uint32_t known = hfm__prompt_encodes(p) ? ids | 1u << p->side->ids | 1u << p->side->mask
                                                : ids | 1u << HFM__IN_position_ids;
  for (int32_t i = 0; i < HFM__IN_COUNT; i++)
    if (hfm__input_tensor(inputs, i)->data && !(known >> i & 1))
      return hfm__fail(error, HFM_E_INPUT_UNEXPECTED, NULL, hfm__input_rows[i].name, 0,
                       "%s: generation takes %s, but not %s", model->architecture,
                       hfm__prompt_encodes(p)
                           ? "input_ids, attention_mask, decoder_input_ids and decoder_attention_mask"
                           : "input_ids, attention_mask and position_ids",
                       hfm__input_rows[i].name);
  return HFM_OK;
}

/* Ids of texts, [prompts, length]. */
HFM__PRIVATE hfm_result hfm__prompt_ids(const hfm_inputs *inputs, int32_t input, int64_t vocab_size,
                                        hfm_error *error) {
  const hfm_tensor *ids = hfm__input_tensor(inputs, input);
  const char *name = hfm__input_rows[input].name;
  if (!ids->data) return hfm__fail(error, HFM_E_INPUT_MISSING, NULL, name, 0, "generation needs %s", name);
  if (ids->rank != 2)
    return hfm__fail(error, HFM_E_INPUT_RANK, NULL, name, 0, "%s has %d dimensions, but needs 2: [prompts, length]",
                     name, (int)ids->rank);
  if (ids->shape[0] < 1 || ids->shape[1] < 1 || ids->shape[0] > INT32_MAX || ids->shape[1] >= INT32_MAX)
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, name, 0,
                     "%s has shape %t: a prompt has at least one token (the model's bos_token_id, if nothing else)",
                     name, ids->shape, 2);
  if (!hfm__is_integer(ids->dtype))
    return hfm__input_bad_dtype(input, ids, "an integer type (int64, int32, ...)", error);
  for (int64_t i = 0; i < ids->shape[0] * ids->shape[1]; i++) {
    const int64_t id = hfm__integer_at(ids, i);
    if (id < 0 || id >= vocab_size)
      return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, name, 0,
                       "%s[%i][%i] is %i, but must be from 0 to %i (vocab_size is %i)", name, i / ids->shape[1],
                       i % ids->shape[1], id, vocab_size - 1, vocab_size);
  }
  return HFM_OK;
}

/* An optional input of the shape [rows, length] that `like` has. */
HFM__PRIVATE hfm_result hfm__prompt_like(const hfm_inputs *inputs, int32_t input, int64_t rows, int64_t length,
                                         const char *like, hfm_error *error) {
  const hfm_tensor *t = hfm__input_tensor(inputs, input);
  const char *name = hfm__input_rows[input].name;
  const int64_t needed[2] = {rows, length};
  const int is_positions = input == HFM__IN_position_ids;
  const int one_row = is_positions && t->rank == 2 && t->shape[0] == 1;
  if (!t->data) return HFM_OK;
  if (t->rank != 2 || (t->shape[0] != rows && !one_row) || t->shape[1] != length)
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, name, 0, "%s has shape %t, but needs %t, that of %s", name,
                     t->shape, (int)t->rank, needed, 2, like);
  if (!hfm__is_integer(t->dtype) && (is_positions || !hfm__is_float(t->dtype)))
    return hfm__input_bad_dtype(input, t, "an integer type (int64, int32, ...)", error);
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__prompt_padding_only(const char *name, int64_t prompt, hfm_error *error) {
  return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, name, 0,
                   "prompt %i is padding only: at least one token must count", prompt);
}

/* ---- What the encoder reads ---- */

/* input_ids and their attention_mask; or what the cache has of an earlier call, and its attention_mask. */
HFM__PRIVATE hfm_result hfm__prompt_source(const hfm_session *session, const hfm_inputs *inputs, hfm__prompt *p,
                                           hfm__arena *arena, hfm_error *error) {
  const hfm_tensor *ids = &inputs->input_ids, *mask = &inputs->attention_mask;
  uint64_t elements;
  hfm_result result;
  p->source_length = ids->data ? ids->shape[1] : session->cache.source;
  result = hfm__prompt_like(inputs, HFM__IN_attention_mask, p->count, p->source_length,
                            ids->data ? "input_ids" : "the encoded texts in the cache", error);
  if (result != HFM_OK) return result;
  elements = (uint64_t)(p->count * p->source_length);
  if (ids->data) p->source_ids = (int64_t *)hfm__arena_alloc(arena, elements * sizeof *p->source_ids);
  if (mask->data) p->source_mask = (uint8_t *)hfm__arena_alloc(arena, elements);
  if ((ids->data && !p->source_ids) || (mask->data && !p->source_mask))
    return hfm__fail_memory(error, "a generation", 0);
  for (uint64_t i = 0; i < elements; i++) {
    if (p->source_ids) p->source_ids[i] = hfm__integer_at(ids, (int64_t)i);
    if (p->source_mask) p->source_mask[i] = (uint8_t)hfm__is_nonzero(mask, (int64_t)i);
  }
  for (int64_t row = 0; row < p->count && p->source_mask; row++)
    if (!memchr(p->source_mask + row * p->source_length, 1, (size_t)p->source_length))
      return hfm__prompt_padding_only("attention_mask", row, error);
  return HFM_OK;
}

/* ---- What the texts go on from ---- */

/* The caller's ids, behind decoder_start_token_id where the model has an encoder and no prompt begins with it:
   _prepare_decoder_input_ids_for_generation. */
HFM__PRIVATE hfm_result hfm__prompt_tokens(const hfm_inputs *inputs, hfm_token_ids start, hfm__prompt *p,
                                           hfm__arena *arena, hfm_error *error) {
  const hfm_tensor *ids = hfm__input_tensor(inputs, p->side->ids);
  const int64_t given = ids->data ? ids->shape[1] : 0;
  p->started = start.count > 0;
  for (int64_t row = 0; row < p->count && given && p->started; row++)
    if (hfm__integer_at(ids, row * given) == start.data[start.count > 1 ? row : 0]) p->started = 0;
  p->length = p->started + given;
  p->ids = (int64_t *)hfm__arena_alloc(arena, (uint64_t)(p->count * p->length) * sizeof *p->ids);
  if (!p->ids) return hfm__fail_memory(error, "a generation", 0);
  for (int64_t row = 0; row < p->count; row++) {
    int64_t *to = p->ids + row * p->length;
    if (p->started) *to++ = start.data[start.count > 1 ? row : 0];
    for (int64_t i = 0; i < given; i++) to[i] = hfm__integer_at(ids, row * given + i);
  }
  return HFM_OK;
}

/* Which tokens count: _prepare_attention_mask_for_generation. Of a decoder with an encoder all do, unless the caller
   says otherwise. */
HFM__PRIVATE hfm_result hfm__prompt_mask(const hfm_model *model, const hfm_inputs *inputs,
                                         const hfm__generation_options *options, hfm__prompt *p, hfm_error *error) {
  const hfm_tensor *given = hfm__input_tensor(inputs, p->side->mask);
  const int64_t length = p->length - p->started;
  const int infer = !given->data && !hfm__prompt_encodes(p) && options->pad >= 0 &&
                    !hfm__ids_have(options->eos, options->pad);
  const char *names[2];
  int right = 0;
  hfm_result result;
  names[0] = hfm__input_rows[p->side->ids].name;
  names[1] = hfm__input_rows[p->side->mask].name;
  result = hfm__prompt_like(inputs, p->side->mask, p->count, length, names[0], error);
  if (result != HFM_OK) return result;
  p->is_masked = given->data || !hfm__prompt_encodes(p);
  for (int64_t row = 0; row < p->count; row++) {
    uint8_t *mask = p->mask + row * p->length;
    if (p->started) *mask++ = 1;
    for (int64_t i = 0; i < length; i++)
      mask[i] = given->data ? (uint8_t)hfm__is_nonzero(given, row * length + i)
                            : (uint8_t)(!infer || p->ids[row * p->length + p->started + i] != options->pad);
    if (!memchr(p->mask + row * p->length, 1, (size_t)p->length))
      return hfm__prompt_padding_only(names[given->data != NULL], row, error);
    right |= !p->mask[(row + 1) * p->length - 1];
  }
  if (right && !hfm__prompt_encodes(p))
    hfm__log(&model->ctx, HFM_LOG_WARNING, 0,
             "A decoder-only architecture is being used, but right-padding was detected! For correct generation "
             "results, pad prompts on the left.");
  return HFM_OK;
}

/* cumsum(mask) - 1, padding 0; or as the caller says. */
HFM__PRIVATE hfm_result hfm__prompt_positions(const hfm_inputs *inputs, hfm__prompt *p, hfm_error *error) {
  const hfm_tensor *given = &inputs->position_ids;
  const hfm_result result =
      hfm__prompt_like(inputs, HFM__IN_position_ids, p->count, p->length, "input_ids", error);
  if (result != HFM_OK) return result;
  for (int64_t row = 0; row < p->count; row++) {
    int64_t kept = 0;
    for (int64_t i = 0; i < p->length; i++) {
      const int64_t at = row * p->length + i;
      if (given->data) p->positions[at] = hfm__integer_at(given, given->shape[0] == 1 ? i : at);
      else p->positions[at] = p->mask[at] ? kept++ : 0;
    }
  }
  return HFM_OK;
}

/* ---- The vocabulary ---- */

/* The width of the logits that a forward gives; 0: it gives none. */
HFM__PRIVATE int64_t hfm__logits_width(const hfm__graph *g) {
  for (size_t i = 0; i < g->output_count; i++) {
    const hfm__value *v = &g->values[g->outputs[i].value];
    if (g->outputs[i].kind == HFM__OUT_logits) return g->dims[v->shape[v->rank - 1].id].value;
  }
  return 0;
}

/* How many tokens there are to choose from, which may be other ones than an encoder reads: what a forward says, one
   that the session has, or one that is traced for that. */
HFM__PRIVATE hfm_result hfm__prompt_vocabulary(const hfm_session *session, const hfm__prompt *prompt, int64_t *size,
                                               hfm_error *error) {
  hfm__request request = hfm__usual_request(session->model);
  hfm__graph graph;
  hfm_result result;
  for (const hfm__program *p = session->programs; p; p = p->next) {
    *size = hfm__logits_width(&p->graph);
    if (*size) return HFM_OK;
  }
  memset(&graph, 0, sizeof graph);
  request.asked.present |= 1u << prompt->side->ids; /* a decoder's are never left to what the encoder reads */
  if (!hfm__prompt_encodes(prompt)) request.asked.present |= 1u << HFM__IN_position_ids; /* as every step has them */
  result = hfm__trace(session->model, &request, &graph, error);
  if (result == HFM_OK) *size = hfm__logits_width(&graph);
  hfm__graph_free(&graph);
  return result;
}

/* ---- In two steps: how to generate depends on how long the prompts are, and what counts on how to generate ---- */

HFM__PRIVATE hfm_result hfm__prompt_begin(const hfm_session *session, const hfm_inputs *inputs,
                                          const hfm_generation_config *said, hfm__arena *arena, hfm__prompt *p,
                                          hfm_error *error) {
  const hfm_model *model = session->model;
  const hfm_tensor *ids = &inputs->input_ids, *decoder_ids = &inputs->decoder_input_ids;
  const int encodes = HFM__HAS_SEQ2SEQ && model->head->task == HFM_SEQ2SEQ_LM;
  const int is_cached = encodes && inputs->use_cache && session->cache.source && decoder_ids->data;
  hfm_token_ids start = hfm__no_ids();
  hfm_result result;
  p->side = encodes ? &hfm__decoder_side : &hfm__only_side;
  if (!encodes && model->head->task != HFM_CAUSAL_LM)
    return hfm__fail(error, HFM_E_TASK_UNSUPPORTED, NULL, "task", 0,
                     "%s does not generate: load the model with task HFM_CAUSAL_LM, or HFM_SEQ2SEQ_LM where it has an "
                     "encoder",
                     model->architecture);
  result = hfm__prompt_known(model, p, inputs, error);
  if (result == HFM_OK) result = hfm__prompt_vocabulary(session, p, &p->vocab_size, error);
  if (result == HFM_OK && (ids->data || !is_cached))
    result = hfm__prompt_ids(inputs, HFM__IN_input_ids, hfm_config_get_int(model->config, "vocab_size", 0), error);
  if (result == HFM_OK && encodes && decoder_ids->data)
    result = hfm__prompt_ids(inputs, HFM__IN_decoder_input_ids, p->vocab_size, error);
  if (result != HFM_OK) return result;
  p->count = encodes && !ids->data ? decoder_ids->shape[0] : ids->shape[0];
  if (encodes && decoder_ids->data && decoder_ids->shape[0] != p->count)
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, "decoder_input_ids", 0,
                     "decoder_input_ids has %i prompts, but input_ids has %i", decoder_ids->shape[0], p->count);
  if (encodes) {
    result = hfm__generation_decoder_start(model->config, said, p->count, p->vocab_size, arena, &start, error);
    if (result == HFM_OK) result = hfm__prompt_source(session, inputs, p, arena, error);
  }
  return result == HFM_OK ? hfm__prompt_tokens(inputs, start, p, arena, error) : result;
}

HFM__PRIVATE hfm_result hfm__prompt_finish(const hfm_model *model, const hfm_inputs *inputs,
                                           const hfm__generation_options *options, hfm__arena *arena, hfm__prompt *p,
                                           hfm_error *error) {
  const uint64_t tokens = (uint64_t)(p->count * p->length);
  hfm_result result;
  p->mask = (uint8_t *)hfm__arena_alloc(arena, tokens);
  if (!hfm__prompt_encodes(p)) p->positions = (int64_t *)hfm__arena_alloc(arena, tokens * sizeof *p->positions);
  if (!p->mask || (!hfm__prompt_encodes(p) && !p->positions)) return hfm__fail_memory(error, "a generation", 0);
  result = hfm__prompt_mask(model, inputs, options, p, error);
  return result == HFM_OK && p->positions ? hfm__prompt_positions(inputs, p, error) : result;
}
