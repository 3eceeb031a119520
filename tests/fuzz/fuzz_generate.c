/* The bytes are a model's generation_config.json behind a recipe: which model, how the calls say to generate, prompts,
   callbacks, what is done with the cache in between. Texts begin with their prompts and go on with tokens; in slices
   or at once, again or not, they are the same. */
#include "fuzz_cache.h"
#include "fuzz_model.h"
#include "fuzz_words.h"
#include "write_directory.h"

enum { FUZZ_RECIPE = 96, FUZZ_GENERATIONS = 3, FUZZ_TEXT = 14, FUZZ_PROMPTS = 3, FUZZ_PROMPT = 6, FUZZ_WORDS_MOST = 3 };

typedef struct fuzz_generation {
  fuzz_bytes bytes;
  hfm_session *session;
  hfm_generation_config config;
  hfm_inputs inputs;
  int encodes; /* the texts are the decoder's */
  int64_t ids[FUZZ_PROMPTS * FUZZ_PROMPT], positions[FUZZ_PROMPTS * FUZZ_PROMPT];
  uint8_t mask[FUZZ_PROMPTS * FUZZ_PROMPT];
  int64_t lists[12][4]; /* ids that the options point to */
  size_t list_count;
  hfm_token_ids words[FUZZ_WORDS_MOST];
  int64_t allowed[3], allowed_count;
  float score;     /* what the caller's processor puts in the place of one */
  int64_t stop_at; /* a text's length */
  int64_t streamed;
  double file_max_time; /* what generation_config.json says */
} fuzz_generation;

/* ---- The call's options ---- */

static int64_t fuzz_count(fuzz_bytes *b) {
  static const int64_t odd[] = {INT64_MAX, INT64_MIN, INT32_MAX, (int64_t)INT32_MAX + 1, -2, 1000, 1 << 20, 1 << 27};
  const uint8_t choice = (uint8_t)fuzz_take(b, 1);
  return choice < 150 ? 0 : choice < 236 ? choice % 8 + 1 : choice < 246 ? -1 : odd[choice % 8];
}

static double fuzz_number(fuzz_bytes *b) {
  static const double odd[] = {HFM_ZERO, -1, 1e30, 1e31, -1e300, 1e-40, -HFM_ZERO};
  const uint8_t choice = (uint8_t)fuzz_take(b, 1);
  if (choice < 150) return 0;
  return choice < 240 ? (choice - 148) / 40.0 : choice < 242 ? nan("") : odd[choice % 7];
}

/* One of the first tokens, or what is none. */
static int64_t fuzz_any_id(fuzz_bytes *b) {
  const uint8_t choice = (uint8_t)fuzz_take(b, 1);
  return choice < 240 ? choice % 6 : choice < 248 ? (int8_t)choice : (int64_t)choice << 40;
}

static hfm_token_ids fuzz_ids(fuzz_generation *g) {
  const uint8_t choice = (uint8_t)fuzz_take(&g->bytes, 1);
  hfm_token_ids ids = {NULL, 0};
  if (choice < 170) return ids;
  ids.count = choice < 245 ? choice % 4 : choice % 2 ? -1 : -2;
  ids.data = g->lists[g->list_count++ % FUZZ_COUNT(g->lists)];
  for (int64_t i = 0; i < ids.count; i++) ((int64_t *)(uintptr_t)ids.data)[i] = fuzz_any_id(&g->bytes);
  return ids;
}

static int32_t fuzz_switch(fuzz_bytes *b) {
  const uint8_t choice = (uint8_t)fuzz_take(b, 1);
  return choice < 120 ? 0 : choice < 230 ? 1 : choice < 250 ? -1 : choice % 5;
}

static int32_t fuzz_is_done(void *ctx, int64_t row, const int64_t *ids, int64_t length) {
  const fuzz_generation *g = (const fuzz_generation *)ctx;
  FUZZ_REQUIRE(row >= 0 && ids[0] == ids[0] && ids[length - 1] == ids[length - 1], "a text that can't be read");
  return length >= g->stop_at;
}

static void fuzz_process(void *ctx, int64_t row, const int64_t *ids, int64_t length, float *scores, int64_t count) {
  const fuzz_generation *g = (const fuzz_generation *)ctx;
  scores[(row + ids[0] + length) % count] = g->score;
}

static int64_t fuzz_allow(void *ctx, int64_t prompt, const int64_t *ids, int64_t length, const int64_t **allowed) {
  const fuzz_generation *g = (const fuzz_generation *)ctx;
  FUZZ_REQUIRE(prompt >= 0 && ids[0] == ids[0] && ids[length - 1] == ids[length - 1], "a text that can't be read");
  *allowed = g->allowed;
  return g->allowed_count;
}

static void fuzz_put(void *ctx, const int64_t *tokens, int64_t rows) {
  fuzz_generation *g = (fuzz_generation *)ctx;
  FUZZ_REQUIRE(tokens[0] == tokens[rows - 1] || rows > 1, "tokens that can't be read");
  g->streamed++;
}

static void fuzz_callbacks(fuzz_generation *g) {
  static const float scores[] = {0, -1, 1e30f, -3e38f, 50};
  fuzz_bytes *b = &g->bytes;
  const uint8_t which = (uint8_t)fuzz_take(b, 1), value = (uint8_t)fuzz_take(b, 1);
  hfm_generation_config *c = &g->config;
  c->stopping_criteria.ctx = c->logits_processor.ctx = c->prefix_constraint.ctx = c->streamer.ctx = g;
  c->stopping_criteria.is_done = fuzz_is_done; /* always: what a file asks for may be a day's work */
  if (which % 8 == 1) c->logits_processor.process = fuzz_process;
  if (which / 8 % 8 == 1) c->prefix_constraint.allowed_tokens = fuzz_allow;
  if (which / 64 == 1) c->streamer.put = fuzz_put;
  g->score = value < 240 ? scores[value % 5] : value < 248 ? -HUGE_VALF : value % 2 ? HUGE_VALF : (float)nan("");
  g->allowed_count = value < 250 ? value % 3 + 1 : value - 253;
  for (size_t i = 0; i < FUZZ_COUNT(g->allowed); i++)
    g->allowed[i] = which / 8 % 8 == 1 ? fuzz_any_id(b) : 0;
}

/* About half of the recipe's bytes say nothing: what is 0 leaves it to the files. */
static void fuzz_generation_options(fuzz_generation *g) {
  hfm_generation_config *c = &g->config;
  fuzz_bytes *b = &g->bytes;
  memset(c, 0, sizeof *c);
  g->list_count = 0;
  g->stop_at = FUZZ_TEXT;
  c->max_new_tokens = fuzz_count(b);
  c->max_length = fuzz_count(b);
  c->min_new_tokens = fuzz_count(b);
  c->num_beams = fuzz_count(b);
  c->num_return_sequences = fuzz_count(b);
  c->do_sample = fuzz_switch(b);
  c->early_stopping = fuzz_switch(b);
  c->eos_token_id = fuzz_ids(g);
  c->pad_token_id = fuzz_ids(g);
  c->length_penalty = fuzz_number(b);
  c->prompt_lookup_num_tokens = fuzz_count(b);
  c->max_matching_ngram_size = fuzz_count(b);
  c->output_scores = fuzz_switch(b) > 0;
  fuzz_callbacks(g);
  if (fuzz_take(b, 1) % 2) { /* the rest */
    c->min_length = fuzz_count(b);
    c->repetition_penalty = fuzz_number(b);
    c->no_repeat_ngram_size = fuzz_count(b);
    c->bad_words_count = fuzz_count(b);
    if (c->bad_words_count > 0) c->bad_words_count = c->bad_words_count % FUZZ_WORDS_MOST + 1;
    for (int i = 0; i < FUZZ_WORDS_MOST && c->bad_words_count; i++) g->words[i] = fuzz_ids(g);
    c->bad_words_ids = c->bad_words_count ? g->words : NULL;
    c->forced_bos_token_id = fuzz_ids(g);
    c->forced_eos_token_id = fuzz_ids(g);
    c->suppress_tokens = fuzz_ids(g);
    c->begin_suppress_tokens = fuzz_ids(g);
    c->remove_invalid_values = fuzz_switch(b);
    c->renormalize_logits = fuzz_switch(b);
    c->temperature = fuzz_number(b);
    c->top_k = fuzz_count(b);
    c->top_p = fuzz_number(b);
    c->min_p = fuzz_number(b);
    c->typical_p = fuzz_number(b);
    c->epsilon_cutoff = fuzz_number(b);
    c->eta_cutoff = fuzz_number(b);
    c->seed = fuzz_take(b, 1);
    c->max_time = fuzz_number(b);
  }
}

static void fuzz_prompts(fuzz_generation *g) {
  fuzz_bytes *b = &g->bytes;
  const uint8_t present = (uint8_t)fuzz_take(b, 1), shape = (uint8_t)fuzz_take(b, 1);
  const int64_t count = 1 + shape % FUZZ_PROMPTS, length = 1 + shape / 4 % FUZZ_PROMPT, more = shape >> 7;
  hfm_inputs *in = &g->inputs;
  for (int64_t i = 0; i < count * length; i++) {
    g->ids[i] = fuzz_any_id(b);
    g->mask[i] = present & 4 ? (uint8_t)(g->ids[i] != 0) : 1;
    g->positions[i] = present & 8 ? i % length : i % 3;
  }
  memset(in, 0, sizeof *in);
  in->input_ids = hfm_tensor_i64(g->ids, count, length);
  if (present & 1) {
    in->attention_mask = hfm_tensor_i64(NULL, count, length - (present >> 5 == 7));
    in->attention_mask.data = g->mask;
    in->attention_mask.dtype = HFM_U8;
  }
  if (g->encodes && present & 2) in->decoder_input_ids = hfm_tensor_i64(g->ids, count, present & 16 ? 1 : length);
  else if (present & 2) in->position_ids = hfm_tensor_i64(g->positions, present & 16 ? 1 : count, length);
  in->use_cache = (int32_t)more;
}

/* ---- What comes out ---- */

/* Prompts, then tokens; what fills a text that has ended is one and the same id. */
static uint64_t fuzz_read_texts_of(const fuzz_generation *g, const hfm_generated *out, int64_t vocab_size) {
  const hfm_tensor *t = &out->sequences, *ids = &g->inputs.input_ids, *given = &g->inputs.decoder_input_ids;
  const int64_t rows = t->shape[0], length = t->shape[1], begin = out->prompt_length;
  const int64_t *text = (const int64_t *)t->data, *padding = NULL;
  FUZZ_REQUIRE(t->rank == 2 && t->dtype == HFM_I64 && text && rows > 0 && rows % ids->shape[0] == 0, "texts");
  FUZZ_REQUIRE(length == begin + out->steps && out->steps >= 0, "lengths");
  if (!g->encodes) given = ids;
  FUZZ_REQUIRE(begin == given->shape[1] || (g->encodes && begin == given->shape[1] + 1), "a beginning");
  for (int64_t r = 0; r < rows; r++) {
    const int64_t from = given->data ? begin - given->shape[1] : begin; /* a decoder_start_token_id stands before it */
    FUZZ_REQUIRE(memcmp(text + r * length + from, g->ids + r / (rows / ids->shape[0]) * (begin - from),
                        (size_t)(begin - from) * sizeof *text) == 0, "a text that does not begin with its prompt");
    for (int64_t i = begin; i < length; i++) {
      const int64_t *id = &text[r * length + i];
      if (*id >= 0 && *id < vocab_size) continue;
      FUZZ_REQUIRE(!padding || *padding == *id, "a token that is none");
      padding = id;
    }
  }
  if (out->scores.data) (void)fuzz_read_tensor(&out->scores);
  if (out->sequences_scores.data) (void)fuzz_read_tensor(&out->sequences_scores);
  if (out->beam_indices.data) (void)fuzz_read_tensor(&out->beam_indices);
  return fuzz_hash((const uint8_t *)text, (size_t)(rows * length) * sizeof *text);
}

/* In slices: to the end, or given up on the way. 0: there is nothing to compare with. */
static uint64_t fuzz_generate_in_slices(fuzz_generation *g, int64_t vocab_size, uint8_t how) {
  hfm_generation *generation = NULL;
  hfm_generated out;
  hfm_error error;
  int32_t done = 0, steps = how % 64;
  uint64_t hash = 0;
  hfm_result result = hfm_generation_begin(g->session, &g->inputs, &g->config, &generation, &error);
  fuzz_verdict(result, &error, generation);
  if (!generation) return 0;
  while (result == HFM_OK && !done && (how < 192 || steps-- > 0)) {
    result = hfm_generation_next(generation, how % 2 ? 0 : 1e-5, &done, &error);
    fuzz_reason(result, &error);
    if (hfm_generation_outputs(generation, &out, &error) == HFM_OK)
      hash = fuzz_read_texts_of(g, &out, vocab_size);
  }
  if (!done && how % 4 == 3) { /* somebody else's turn: then it can't go on */
    const int crops = hfm_cache_crop(g->session, 0, &error) == HFM_OK;
    result = hfm_generation_next(generation, 0, &done, &error);
    FUZZ_REQUIRE(!crops || result != HFM_OK, "a generation goes on behind another's call");
  }
  if (!done || g->config.max_time > 0 || g->file_max_time > 0) hash = 0;
  hfm_generation_free(generation);
  return hash;
}

static void fuzz_generate_once(fuzz_generation *g, int64_t vocab_size) {
  const uint8_t how = (uint8_t)fuzz_take(&g->bytes, 1);
  const int64_t cached = hfm_cache_length(g->session), batch = hfm_cache_batch(g->session);
  uint64_t before, hash = 0;
  hfm_generated out;
  hfm_error error;
  hfm_result result;
  fuzz_generation_options(g);
  fuzz_prompts(g);
  before = fuzz_generate_in_slices(g, vocab_size, how);
  if (hfm_cache_crop(g->session, g->inputs.use_cache ? cached : 0, &error) != HFM_OK ||
      (g->inputs.use_cache && batch != hfm_cache_batch(g->session)))
    return; /* the cache can't be as it was */
  g->streamed = 0;
  result = hfm_generate(g->session, &g->inputs, &g->config, &out, &error);
  fuzz_reason(result, &error);
  if (result == HFM_OK) hash = fuzz_read_texts_of(g, &out, vocab_size);
  else FUZZ_REQUIRE(!out.sequences.data && !out.scores.data && !out.steps, "a failed call's outputs");
  FUZZ_REQUIRE(!before || hash == before, "the same call gives another text");
  FUZZ_REQUIRE(result != HFM_OK || !g->config.streamer.put || g->streamed == out.steps, "streamed");
}

/* ---- The model ---- */

/* A tiny model's configuration and weights as files, made once. */
static size_t fuzz_tiny_files(size_t which, hfm_memory_file *files) {
  static uint8_t bytes[FUZZ_TINY_COUNT][FUZZ_DIRECTORY_ROOM];
  static size_t sizes[FUZZ_TINY_COUNT];
  if (!sizes[which]) {
    fuzz_edit file = fuzz_edit_begin(bytes[which], 0, FUZZ_DIRECTORY_ROOM, 0);
    fuzz_write_tensors(&file, fuzz_tiny_model(which)->model, 0, 1);
    sizes[which] = file.size;
  }
  memset(files, 0, 2 * sizeof *files);
  files[0].name = "config.json";
  files[0].data = fuzz_tiny_configs[which];
  files[0].size = strlen(fuzz_tiny_configs[which]);
  files[1].name = "model.safetensors";
  files[1].data = bytes[which];
  files[1].size = sizes[which];
  return files[0].size + files[1].size;
}

FUZZ_TARGET(generate) {
  static const size_t decoders[] = {1, 2, 8, 9, 10, 11, 2, 0}; /* of fuzz_tiny_configs; the last does not generate */
  fuzz_generation g;
  fuzz_memory memory;
  hfm_memory_file files[3];
  hfm_options options;
  hfm_session_options session_options;
  hfm_config *said = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  hfm_result result;
  size_t bytes;
  memset(&g, 0, sizeof g);
  memset(&session_options, 0, sizeof session_options);
  g.bytes.data = data;
  g.bytes.size = FUZZ_MIN(size, (size_t)FUZZ_RECIPE);
  bytes = fuzz_tiny_files(decoders[fuzz_take(&g.bytes, 1) % FUZZ_COUNT(decoders)], files);
  files[2].name = "generation_config.json";
  files[2].data = data + g.bytes.size;
  files[2].size = size - g.bytes.size;
  options = fuzz_options(&memory, bytes + files[2].size);
  options.task = HFM_TASK_FROM_CONFIG;
  options.strict = 0;
  memory.may_refuse = 1;
  memory.cap = bytes + (2 << 20); /* what is larger only takes longer */
  result = hfm_from_memory(files, size > FUZZ_RECIPE ? 3 : 2, &options, &model, &error);
  fuzz_verdict(result, &error, model);
  session_options.threads = 1;
  if (model) {
    g.encodes = hfm_config_get_bool(hfm_model_config(model), "is_encoder_decoder", 0);
    result = hfm_session_create(model, &session_options, &g.session, &error);
    fuzz_verdict(result, &error, g.session);
    if (hfm_config_parse((const char *)files[2].data, files[2].size, NULL, &said, &error) == HFM_OK)
      g.file_max_time = hfm_config_get_float(said, "max_time", 0);
    hfm_config_free(said);
  }
  for (int32_t calls = 0; g.session && calls < FUZZ_GENERATIONS && g.bytes.pos < g.bytes.size; calls++) {
    const uint8_t between = (uint8_t)fuzz_take(&g.bytes, 1);
    if (calls && between % 2) (void)fuzz_use_cache(&g.bytes, g.session, between >> 1);
    fuzz_generate_once(&g, 6);
  }
  hfm_session_free(g.session);
  hfm_model_free(model);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
  return 0;
}

/* A byte of the recipe, or a value of the file. */
FUZZ_MUTATOR(generate) {
  fuzz_edit e = fuzz_edit_begin(data, size, max_size, seed);
  if (size < FUZZ_RECIPE && max_size >= FUZZ_RECIPE) {
    memset(data + size, 0, FUZZ_RECIPE - size);
    e.size = FUZZ_RECIPE;
  }
  if (e.size < FUZZ_RECIPE) return FUZZ_MUTATE_BYTES(data, size, max_size);
  if (e.size == FUZZ_RECIPE && fuzz_below(&e, 4) == 0) fuzz_append_text(&e, "{\"max_new_tokens\":4}");
  else if (e.size == FUZZ_RECIPE || fuzz_below(&e, 2))
    e.data[fuzz_below(&e, FUZZ_RECIPE)] = (uint8_t)fuzz_below(&e, 256);
  else (void)fuzz_mutate_json(&e, FUZZ_RECIPE, e.size, &fuzz_generation_words);
  return e.size;
}
