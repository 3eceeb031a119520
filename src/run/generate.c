/* ==== run/generate (private): from prompts to texts, a step at a time =============================================
   A step feeds the last tokens (run/steps.c), then chooses the next ones: for each prompt its scores are processed
   (run/logits_process.c), and a token is taken, drawn (run/sampling.c) or searched for (run/beam_search.c). Time is
   looked at in between chunks of the former and prompts of the latter. */

enum { HFM__GENERATION_FEED, HFM__GENERATION_CHOOSE, HFM__GENERATION_FINISH, HFM__GENERATION_DONE };

struct hfm_generation {
  hfm_session *session;
  hfm__arena arena;
  hfm_generation_config said; /* the callbacks, and the seed; its lists are copied into `options` */
  hfm__generation_options options;
  hfm__steps steps;
  hfm__processors processors;
  hfm__sampler sampler;
  hfm__beams beams;
  hfm__prompt prompt;
  int64_t rows, group;    /* sequences under way; `group` of them are chosen for together */
  int64_t length, vocab_size;
  int64_t *ids;           /* [rows, max_length]; with beams they are in `beams` */
  int64_t *tokens;        /* of this step, one for each row */
  uint8_t *ended;         /* of each row */
  hfm__random *random;    /* of each group */
  hfm__sequence *sequences; /* of a group */
  float *scores;          /* of a group */
  int64_t *sorted;        /* outputs: rows without gaps */
  int64_t *sorted_indices;
  float *sorted_scores, *all_scores;
  int32_t phase;
  int32_t is_moved;       /* 1: the cache's rows must follow the beams, or become as many as there are sequences */
  int64_t guessed, checked; /* prompt lookup: tokens fed on trial behind the last one; how many of them are right */
  int64_t at;             /* group that is chosen for next */
  uint64_t begun, mark;   /* clock: of the beginning, of what is not in `seconds` yet */
  double seconds[2];      /* up to the first token, after it */
};

HFMODEL_API void hfm_generation_free(hfm_generation *generation) {
  hfm__arena arena;
  if (!generation) return;
  arena = generation->arena; /* which it lies in */
  hfm__arena_free(&arena);
}

/* 0 for NULL. */
HFM__PRIVATE uint64_t hfm__generation_bytes(const hfm_generation *generation) {
  return generation ? hfm__arena_bytes(&generation->arena) : 0;
}

/* ---- Beginning ---- */

/* Where the cache ends: all of it belongs to these prompts, or none. */
HFM__PRIVATE hfm_result hfm__generation_cache(hfm_generation *g, const hfm_inputs *inputs, hfm_error *error) {
  hfm_session *session = g->session;
  if (!inputs->use_cache) return hfm_cache_crop(session, 0, error);
  if (session->cache.length && session->cache.rows != g->prompt.count)
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, "use_cache", 0,
                     "there are %i prompts, but the cache holds %i sequences; empty it with hfm_cache_crop(session, 0, "
                     "...)",
                     g->prompt.count, session->cache.rows);
  if (session->cache.length >= g->prompt.length)
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, "use_cache", 0,
                     "%s has length %i, but the cache has %i positions already: at least one token must be new "
                     "(hfm_cache_crop goes back)",
                     hfm__input_rows[g->prompt.side->ids].name, g->prompt.length, session->cache.length);
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__generation_room(hfm_generation *g, hfm_error *error) {
  const uint64_t rows = (uint64_t)g->rows, length = (uint64_t)g->options.max_length, vocab = (uint64_t)g->vocab_size;
  const uint64_t group = (uint64_t)g->group, steps = length - (uint64_t)g->prompt.length;
  hfm__arena *arena = &g->arena;
  uint64_t all = 0;
  int ok;
  if (g->said.output_scores && (!hfm__mul64(steps * rows, vocab, &all) || !hfm__mul64(all, sizeof(float), &all)))
    return hfm__fail_memory(error, "output_scores", 0);
  g->ids = g->group > 1 ? NULL : (int64_t *)hfm__arena_alloc(arena, rows * length * sizeof *g->ids);
  g->tokens = (int64_t *)hfm__arena_alloc(arena, rows * sizeof *g->tokens);
  g->ended = (uint8_t *)hfm__arena_alloc(arena, rows);
  g->random = (hfm__random *)hfm__arena_alloc(arena, rows * sizeof *g->random);
  g->sequences = (hfm__sequence *)hfm__arena_alloc(arena, group * sizeof *g->sequences);
  g->scores = (float *)hfm__arena_alloc(arena, group * vocab * sizeof *g->scores);
  g->sorted = (int64_t *)hfm__arena_alloc(arena, rows * length * sizeof *g->sorted);
  g->processors.seen = (uint8_t *)hfm__arena_alloc(arena, vocab);
  ok = (g->ids || g->group > 1) && g->tokens && g->ended && g->random && g->sequences && g->scores && g->sorted &&
       g->processors.seen;
  if (ok && g->options.do_sample) {
    g->sampler.keys = (double *)hfm__arena_alloc(arena, vocab * sizeof *g->sampler.keys);
    g->sampler.heap = (int32_t *)hfm__arena_alloc(arena, vocab * sizeof *g->sampler.heap);
    ok = g->sampler.keys && g->sampler.heap;
  }
  if (ok && g->group > 1) {
    g->sorted_indices = (int64_t *)hfm__arena_alloc(arena, rows * steps * sizeof *g->sorted_indices);
    g->sorted_scores = (float *)hfm__arena_alloc(arena, rows * sizeof *g->sorted_scores);
    ok = g->sorted_indices && g->sorted_scores;
  }
  if (ok && g->said.output_scores) {
    g->all_scores = (float *)hfm__arena_alloc(arena, all);
    ok = g->all_scores != NULL;
  }
  return ok ? HFM_OK : hfm__fail_memory(error, "a generation", 0);
}

/* Who does what, now that the options are known. */
HFM__PRIVATE void hfm__generation_parts(hfm_generation *g) {
  const hfm__family *family = g->session->model->arch->family;
  const hfm__generation_options *o = &g->options;
  g->group = o->num_beams;
  g->rows = g->prompt.count * HFM__MAX(o->num_beams, o->num_return_sequences);
  g->processors.options = o;
  g->processors.said = &g->said;
  g->processors.vocab_size = g->vocab_size;
  g->processors.prompt_length = g->prompt.length;
  g->sampler.options = o;
  g->sampler.vocab_size = g->vocab_size;
  g->sampler.min_tokens_to_keep = o->num_beams == 1 ? 1 : o->eos.count ? o->eos.count + 1 : 2;
  g->beams.options = o;
  g->beams.prompts = g->prompt.count;
  g->beams.beams = o->num_beams;
  g->beams.prompt_length = g->prompt.length;
  g->beams.vocab_size = g->vocab_size;
  g->beams.candidate_count = HFM__MAX(2, 1 + o->eos.count) * o->num_beams;
  g->steps.session = g->session;
  g->steps.prompt = &g->prompt;
  g->steps.rows = g->prompt.count;
  g->steps.expand = g->rows / g->prompt.count;
  g->steps.vocab_size = g->vocab_size;
  g->steps.most_fed = 1 + o->prompt_lookup_num_tokens;
  if (family->cache_until) g->steps.anew = hfm_config_get_int(g->session->model->config, family->cache_until, 0);
  g->steps.inputs.use_cache = 1;
  g->steps.inputs.logits_to_keep = hfm__prompt_encodes(&g->prompt) ? 0 : (int32_t)g->steps.most_fed;
}

/* What is kept of one prompt's texts and scores until the end, but for output_scores. */
HFM__PRIVATE uint64_t hfm__generation_kept(const hfm_generation *g) {
  enum { OF_TEXT = 2, OF_BEAM = 10 }; /* arrays of ids: as they are and as they are given; 4 sets and their indices */
  const uint64_t texts = (uint64_t)(g->rows / g->prompt.count) * (uint64_t)g->options.max_length;
  const uint64_t scores = (uint64_t)(g->group * g->vocab_size);
  if (g->group == 1) return texts * (OF_TEXT * sizeof(int64_t) + 1) + scores * sizeof(float);
  return texts * (OF_BEAM * sizeof(int64_t) + 1) + scores * (sizeof(float) + sizeof(double)) +
         (uint64_t)g->beams.candidate_count * (sizeof(hfm__candidate) + sizeof(int64_t) + sizeof(float));
}

/* What can't be for these prompts and this vocabulary. */
HFM__PRIVATE hfm_result hfm__generation_fits(const hfm_generation *g, hfm_error *error) {
  enum { MOST_IDS = 1 << 27, MOST_SCORES = 1 << 28 }; /* of all texts, of a prompt's beams: a gigabyte of each */
  const hfm__generation_options *o = &g->options;
  const uint64_t limit = g->session->model->ctx.limits.max_structure_bytes;
  const char *file = hfm__config_file(g->session->model->config, HFM__GENERATION_KEY);
  if (g->rows > MOST_IDS / o->max_length || o->num_beams > MOST_SCORES / g->vocab_size)
    return hfm__fail(error, HFM_E_CONFIG_LIMIT, NULL, "max_length", 0,
                     "%i texts of max_length %i (num_beams %i, num_return_sequences %i, %i prompts) are too many: at "
                     "most %d ids in all, and %d scores of a prompt's beams",
                     g->rows, o->max_length, o->num_beams, o->num_return_sequences, g->prompt.count, (int)MOST_IDS,
                     (int)MOST_SCORES);
  if (o->sized_by_files && hfm__generation_kept(g) > limit)
    return hfm__fail(error, HFM_E_CONFIG_LIMIT, file, "max_length", 0,
                     "the model's files ask for texts of max_length %i (num_beams %i, num_return_sequences %i), which "
                     "take %u bytes of memory, but may take at most %u: options.limits.max_structure_bytes. Say "
                     "max_new_tokens and num_beams in the call",
                     o->max_length, o->num_beams, o->num_return_sequences, hfm__generation_kept(g), limit);
  if (o->prompt_lookup_num_tokens && g->prompt.count > 1)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "prompt_lookup_num_tokens", 0,
                     "prompt_lookup_num_tokens guesses for one sequence, but there are %i prompts", g->prompt.count);
  if (o->num_beams > 1 && g->said.streamer.put)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "streamer", 0,
                     "streamer can't be used with beams, which may still change what they said: num_beams must be 1");
  if (g->beams.candidate_count > o->num_beams * g->vocab_size)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "eos_token_id", 0,
                     "eos_token_id has %i ids, too many for a vocabulary of %i", o->eos.count, g->vocab_size);
  if (o->min_length > o->max_length)
    hfm__log(&g->session->model->ctx, HFM_LOG_WARNING, 0,
             "Unfeasible length constraints: `min_length` (%i) is larger than the maximum possible length (%i).",
             o->min_length, o->max_length);
  return HFM_OK;
}

HFM__PRIVATE void hfm__generation_start(hfm_generation *g) {
  const int64_t expand = g->rows / g->prompt.count, most = g->options.max_length, length = g->prompt.length;
  for (int64_t r = 0; r < g->rows && g->ids; r++)
    memcpy(g->ids + r * most, g->prompt.ids + r / expand * length, (size_t)length * sizeof *g->ids);
  for (int64_t r = 0; r < g->rows; r++) g->random[r] = hfm__random_stream(g->said.seed, r);
  g->length = g->prompt.length;
  g->begun = hfm__clock_ns();
}

HFM__PRIVATE hfm_result hfm__generation_prepare(hfm_generation *g, const hfm_inputs *inputs, hfm_error *error) {
  const hfm_model *model = g->session->model;
  hfm_result result = hfm__prompt_begin(g->session, inputs, &g->said, &g->arena, &g->prompt, error);
  g->vocab_size = g->prompt.vocab_size;
  if (result == HFM_OK)
    result = hfm__generation_resolve(model->config, &g->said, g->prompt.length, g->vocab_size, &g->arena, &g->options,
                                     error);
  if (result == HFM_OK) result = hfm__generation_refuse(model->config, &g->options, error);
  if (result != HFM_OK) return result;
  hfm__generation_parts(g);
  result = hfm__generation_fits(g, error);
  if (result == HFM_OK) result = hfm__prompt_finish(model, inputs, &g->options, &g->arena, &g->prompt, error);
  if (result == HFM_OK) result = hfm__generation_cache(g, inputs, error);
  if (result == HFM_OK) result = hfm__steps_room(&g->steps, &g->arena, g->options.max_length, error);
  if (result == HFM_OK) result = hfm__generation_room(g, error);
  if (result != HFM_OK) return result;
  hfm__generation_start(g);
  if (g->group > 1) result = hfm__beams_init(&g->beams, g->prompt.ids, &g->arena, error);
  g->steps.fed = g->session->cache.length;
  if (result == HFM_OK) result = hfm__steps_plan(&g->steps, g->options.max_length, error);
  return result;
}

HFMODEL_API hfm_result hfm_generation_begin(hfm_session *session, const hfm_inputs *inputs,
                                            const hfm_generation_config *config, hfm_generation **generation,
                                            hfm_error *error) {
  hfm_generation *g;
  hfm__arena arena;
  hfm_result result;
  hfm__clear_error(error);
  if (generation) *generation = NULL;
  if (!session || !inputs || !generation)
    return hfm__fail_null(error, !session ? "session" : !inputs ? "inputs" : "generation");
  memset(&arena, 0, sizeof arena);
  arena.mem = session->model->ctx.mem;
  g = (hfm_generation *)hfm__arena_alloc(&arena, sizeof *g);
  if (!g) return hfm__fail_memory(error, "a generation", sizeof *g);
  g->session = session;
  g->arena = arena;
  if (config) g->said = *config;
  result = hfm__generation_prepare(g, inputs, error);
  if (result == HFM_OK) *generation = g;
  else hfm_generation_free(g);
  return result;
}

/* ---- Feeding ---- */

/* What came after the same words before: PromptLookupCandidateGenerator. Returns how many tokens it put behind the
   text; they stand where the next ones will. */
HFM__PRIVATE int64_t hfm__generation_guess(const hfm_generation *g) {
  const hfm__generation_options *o = &g->options;
  int64_t *ids = g->ids;
  for (int64_t n = HFM__MIN(o->max_matching_ngram_size, g->length - 1); n > 0; n--)
    for (int64_t i = 0; i + n < g->length; i++) {
      const int64_t from = i + n;
      int64_t count = HFM__MIN(HFM__MIN(o->prompt_lookup_num_tokens, g->length - from),
                               o->max_length - 1 - g->length); /* the last token needs no logits after it */
      if (!hfm__ids_equal(ids + i, ids + g->length - n, n)) continue;
      for (int64_t k = 0; k < count; k++)
        if (hfm__ids_have(o->eos, ids[from + k])) count = k;
      if (count <= 0) return 0;
      memcpy(ids + g->length, ids + from, (size_t)count * sizeof *ids);
      return count;
    }
  return 0;
}

/* Begins the next step: all of the prompt that is not cached, or the last token. Before that the cache becomes what the
   texts are now. */
HFM__PRIVATE hfm_result hfm__generation_feed(hfm_generation *g, hfm_error *error) {
  hfm__steps *d = &g->steps;
  const int64_t *ids = g->group > 1 ? g->beams.running[g->beams.now].ids : g->ids;
  int64_t stride = g->options.max_length;
  hfm_result result = hfm__steps_crop(d, g->length - 1, error);
  g->guessed = g->options.prompt_lookup_num_tokens && g->length > g->prompt.length ? hfm__generation_guess(g) : 0;
  if (result == HFM_OK) result = hfm__steps_begin_anew(d, g->length + g->guessed, g->is_moved, error);
  if (result == HFM_OK && g->is_moved && d->fed)
    result = hfm__steps_reorder(d, g->group > 1 ? g->beams.order : NULL, error);
  if (result != HFM_OK) return result;
  g->is_moved = 0;
  if (d->rows == g->prompt.count) stride *= d->expand;
  return hfm__steps_begin(d, ids + d->fed, stride, g->length + g->guessed - d->fed, error);
}

/* ---- Choosing ---- */

/* Time is up, for those that max_time is for. */
HFM__PRIVATE int hfm__generation_too_late(const hfm_generation *g) {
  return g->options.max_time > 0 && (double)(hfm__clock_ns() - g->begun) * 1e-9 > g->options.max_time;
}

/* Does a text end with its last token? */
HFM__PRIVATE int hfm__generation_ends(const hfm_generation *g, int64_t row, const int64_t *ids, int64_t length) {
  const hfm_stopping_criteria *criteria = &g->said.stopping_criteria;
  if (length >= g->options.max_length || hfm__ids_have(g->options.eos, ids[length - 1])) return 1;
  if (criteria->is_done && criteria->is_done(criteria->ctx, row, ids, length)) return 1;
  return hfm__generation_too_late(g);
}

/* A row's logits become its scores: a chunk for the workers, since a sum over a vocabulary takes a millisecond. */
HFM__PRIVATE void hfm__generation_row_scores(void *generation, int64_t k, int32_t worker) {
  const hfm_generation *g = (const hfm_generation *)generation;
  const hfm__sequence *s = &g->sequences[k];
  (void)worker;
  memcpy(s->scores, hfm__steps_logits(&g->steps, s->row, g->guessed - g->checked),
         (size_t)g->vocab_size * sizeof(float));
  if (g->group > 1) hfm__log_softmax(s->scores, g->vocab_size);
}

/* The scores of a group's next tokens: from the logits to what a token is chosen by. */
HFM__PRIVATE hfm_result hfm__generation_scores(hfm_generation *g, int64_t group, hfm_error *error) {
  const int64_t *ids = g->group > 1 ? g->beams.running[g->beams.now].ids : g->ids;
  const size_t row_bytes = (size_t)g->vocab_size * sizeof(float);
  hfm_result result;
  for (int64_t k = 0; k < g->group; k++) {
    const int64_t row = group * g->group + k, length = g->prompt.length;
    const uint8_t *mask = g->prompt.mask + row / (g->rows / g->prompt.count) * length;
    hfm__sequence *s = &g->sequences[k];
    s->ids = ids + row * g->options.max_length;
    s->length = g->length;
    s->first = 0;
    while (!mask[s->first]) s->first++;
    s->scores = g->scores + k * g->vocab_size;
    s->row = row;
  }
  (void)hfm__pool_run(g->session->pool, hfm__generation_row_scores, g, 0, g->group, 0);
  result = hfm__process_logits(&g->processors, g->sequences, g->group, error);
  for (int64_t k = 0; k < g->group && result == HFM_OK; k++) {
    float *scores = g->sequences[k].scores;
    if (g->group == 1 && hfm__all_forbidden(scores, g->vocab_size))
      return hfm__fail(error, HFM_E_SCORES, NULL, "scores", 0,
                       "every token is forbidden at position %i of sequence %i: by suppress_tokens, bad_words_ids, a "
                       "callback, ...",
                       g->length, group);
    if (g->options.do_sample && !hfm__all_forbidden(scores, g->vocab_size)) hfm__warp_logits(&g->sampler, scores);
    if (g->options.renormalize_logits) hfm__log_softmax(scores, g->vocab_size);
  }
  if (result == HFM_OK && g->all_scores)
    memcpy(g->all_scores + ((g->length - g->prompt.length) * g->rows + group * g->group) * g->vocab_size, g->scores,
           row_bytes * (size_t)g->group);
  return result;
}

/* A sequence by itself gets its next token. */
HFM__PRIVATE hfm_result hfm__generation_choose_one(hfm_generation *g, int64_t row, hfm_error *error) {
  hfm_result result;
  if (g->ended[row] && g->options.eos.count) {
    g->tokens[row] = g->options.pad;
    return HFM_OK;
  }
  result = hfm__generation_scores(g, row, error);
  if (result != HFM_OK) return result;
  g->tokens[row] = g->options.do_sample ? hfm__draw(g->scores, g->vocab_size, &g->random[row])
                                        : hfm_argmax(g->scores, g->vocab_size);
  return HFM_OK;
}

/* The beams of a prompt get theirs. */
HFM__PRIVATE hfm_result hfm__generation_choose_beams(hfm_generation *g, int64_t prompt, hfm_error *error) {
  hfm__beams *b = &g->beams;
  const hfm_result result = hfm__generation_scores(g, prompt, error);
  if (result != HFM_OK) return result;
  hfm__beams_choose(b, prompt, g->scores, &g->random[prompt]);
  for (int64_t k = 0; k < b->candidate_count; k++) {
    const int64_t *text = hfm__beams_text(b, prompt, &b->candidates[k], g->length);
    b->candidates[k].ends = hfm__generation_ends(g, prompt * b->candidate_count + k, text, g->length + 1);
  }
  hfm__beams_update(b, prompt, g->length);
  return HFM_OK;
}

/* All have their token: the texts grow by it. Returns 1 if they go on. */
HFM__PRIVATE int hfm__generation_append(hfm_generation *g) {
  int goes_on = 0;
  g->length++;
  if (g->group > 1) return hfm__beams_advance(&g->beams, g->length);
  for (int64_t r = 0; r < g->rows; r++) g->ids[r * g->options.max_length + g->length - 1] = g->tokens[r];
  if (g->said.streamer.put) g->said.streamer.put(g->said.streamer.ctx, g->tokens, g->rows);
  for (int64_t r = 0; r < g->rows; r++) {
    if (!g->ended[r])
      g->ended[r] = (uint8_t)hfm__generation_ends(g, r, g->ids + r * g->options.max_length, g->length);
    goes_on |= !g->ended[r];
  }
  return goes_on;
}

/* Between the choice of a token and the next one. */
HFM__PRIVATE void hfm__generation_turn(hfm_generation *g) {
  const int64_t guess = g->guessed > g->checked ? g->ids[g->length] : -1; /* which the token takes the place of */
  const int goes_on = hfm__generation_append(g);
  g->at = 0;
  if (goes_on && guess >= 0 && g->tokens[0] == guess) {
    g->checked++; /* the logits after it are there already */
    return;
  }
  g->guessed = g->checked = 0;
  g->is_moved = 1;
  g->phase = goes_on ? HFM__GENERATION_FEED : HFM__GENERATION_FINISH;
}

/* What was spent since the last look at the clock goes to the prompt, or to what came after it. */
HFM__PRIVATE void hfm__generation_clock(hfm_generation *g, int is_later) {
  const uint64_t now = hfm__clock_ns();
  g->seconds[is_later] += (double)(now - g->mark) * 1e-9;
  g->mark = now;
}

/* *is_over: the step ends before its phase does, for the deadline's sake. */
HFM__PRIVATE hfm_result hfm__generation_step(hfm_generation *g, uint64_t deadline, int32_t *is_over,
                                             hfm_error *error) {
  hfm_result result = HFM_OK;
  if (g->phase == HFM__GENERATION_FEED) {
    int32_t done = 0;
    if (!g->steps.is_begun) result = hfm__generation_feed(g, error);
    if (result == HFM_OK) result = hfm__steps_run(&g->steps, deadline, &done, error);
    if (done) g->phase = HFM__GENERATION_CHOOSE;
    *is_over = !done;
  } else if (g->phase == HFM__GENERATION_CHOOSE) {
    const int is_first = g->length == g->prompt.length;
    result = g->group > 1 ? hfm__generation_choose_beams(g, g->at, error) : hfm__generation_choose_one(g, g->at, error);
    if (result != HFM_OK || ++g->at * g->group < g->rows) return result;
    hfm__generation_turn(g);
    if (is_first) hfm__generation_clock(g, 0);
  } else {
    result = hfm__steps_crop(&g->steps, g->group > 1 ? 0 : g->length - 1, error);
    if (result == HFM_OK) g->phase = HFM__GENERATION_DONE;
  }
  return result;
}

/* Runs until the deadline (0: to the end). */
HFM__PRIVATE hfm_result hfm__generation_run(hfm_generation *g, uint64_t deadline, hfm_error *error) {
  hfm_result result = g->phase == HFM__GENERATION_DONE ? HFM_OK : hfm__steps_check(&g->steps, error);
  int32_t is_over = 0;
  g->mark = hfm__clock_ns();
  while (result == HFM_OK && g->phase != HFM__GENERATION_DONE && !is_over) {
    result = hfm__generation_step(g, deadline, &is_over, error);
    is_over |= deadline && hfm__clock_ns() >= deadline;
  }
  hfm__generation_clock(g, g->length > g->prompt.length);
  return result;
}

HFMODEL_API hfm_result hfm_generation_next(hfm_generation *generation, double budget_seconds, int32_t *done,
                                           hfm_error *error) {
  hfm_result result;
  hfm__clear_error(error);
  if (done) *done = 0;
  if (!generation || !done) return hfm__fail_null(error, generation ? "done" : "generation");
  result = hfm__generation_run(generation, hfm__deadline(budget_seconds), error);
  *done = result == HFM_OK && generation->phase == HFM__GENERATION_DONE;
  return result;
}

/* ---- What came out ---- */

HFM__PRIVATE void hfm__generation_tensor(hfm_tensor *t, const void *data, hfm_dtype dtype, int32_t rank, int64_t a,
                                         int64_t b, int64_t c) {
  t->data = data;
  t->dtype = dtype;
  t->rank = rank;
  t->shape[0] = a;
  t->shape[1] = b;
  t->shape[2] = c;
}

/* The best texts of each prompt, as long as the longest of them; while they are under way, the best of those. */
HFM__PRIVATE void hfm__generation_best(hfm_generation *g, hfm_generated *outputs) {
  const hfm__beams *b = &g->beams;
  const int is_done = g->phase == HFM__GENERATION_DONE;
  const hfm__hypotheses *from = is_done ? &b->best[b->now] : &b->running[b->now];
  const int64_t most = g->options.max_length, returned = g->options.num_return_sequences;
  const int64_t rows = g->prompt.count * returned, room = most - g->prompt.length;
  int64_t steps = 0;
  for (int64_t r = 0; r < rows; r++) {
    const int64_t *indices = from->beam_indices + (r / returned * b->beams + r % returned) * room;
    int64_t count = 0;
    while (count < room && indices[count] >= 0) count++;
    steps = HFM__MAX(steps, count);
  }
  for (int64_t r = 0; r < rows; r++) {
    const int64_t text = r / returned * b->beams + r % returned, length = g->prompt.length + steps;
    memcpy(g->sorted + r * length, from->ids + text * most, (size_t)length * sizeof *g->sorted);
    memcpy(g->sorted_indices + r * steps, from->beam_indices + text * room, (size_t)steps * sizeof *g->sorted);
    g->sorted_scores[r] = from->scores[text];
  }
  outputs->steps = steps;
  hfm__generation_tensor(&outputs->sequences, g->sorted, HFM_I64, 2, rows, g->prompt.length + steps, 0);
  if (!is_done) return;
  hfm__generation_tensor(&outputs->beam_indices, g->sorted_indices, HFM_I64, 2, rows, steps, 0);
  hfm__generation_tensor(&outputs->sequences_scores, g->sorted_scores, HFM_F32, 1, rows, 0, 0);
}

HFM__PRIVATE void hfm__generation_collect(hfm_generation *g, hfm_generated *outputs) {
  const int64_t steps = g->length - g->prompt.length;
  outputs->prompt_length = g->prompt.length;
  outputs->prompt_seconds = g->seconds[0];
  outputs->decode_seconds = g->seconds[1];
  if (g->all_scores && steps)
    hfm__generation_tensor(&outputs->scores, g->all_scores, HFM_F32, 3, steps, g->rows, g->vocab_size);
  if (g->group > 1) {
    hfm__generation_best(g, outputs);
    return;
  }
  for (int64_t r = 0; r < g->rows; r++)
    memcpy(g->sorted + r * g->length, g->ids + r * g->options.max_length, (size_t)g->length * sizeof *g->sorted);
  outputs->steps = steps;
  hfm__generation_tensor(&outputs->sequences, g->sorted, HFM_I64, 2, g->rows, g->length, 0);
}

HFMODEL_API hfm_result hfm_generation_outputs(hfm_generation *generation, hfm_generated *outputs, hfm_error *error) {
  hfm__clear_error(error);
  if (outputs) memset(outputs, 0, sizeof *outputs);
  if (!generation || !outputs) return hfm__fail_null(error, generation ? "outputs" : "generation");
  hfm__generation_collect(generation, outputs);
  return HFM_OK;
}

HFMODEL_API hfm_result hfm_generate(hfm_session *session, const hfm_inputs *inputs, const hfm_generation_config *config,
                                    hfm_generated *outputs, hfm_error *error) {
  hfm_generation *g;
  hfm_result result;
  if (outputs) memset(outputs, 0, sizeof *outputs);
  if (session && inputs && !outputs) return hfm__fail_null(error, "outputs");
  result = hfm_generation_begin(session, inputs, config, &g, error);
  if (result != HFM_OK) return result;
  result = hfm__generation_run(g, 0, error);
  if (result != HFM_OK) {
    hfm_generation_free(g);
    return result;
  }
  hfm_generation_free(session->generation);
  session->generation = g;
  hfm__generation_collect(g, outputs);
  return HFM_OK;
}
