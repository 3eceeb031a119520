/* hfm_generate and the steppable form: ownership, slices, the cache that stays, callbacks, and everything that a caller
   can get wrong, after which the session still works. What comes out is compared with Transformers in
   models/test_generate.c. */
#include "hfmodel.h"
#include "check.h"
#include "failing_alloc.h"
#include "support.h"

#include "generation.h"

/* ---- What can be wrong ---- */

/* It fails with that item and says so; the session still gives what it gave before. */
static void refused(const hfm_inputs *in, const hfm_generation_config *config, int32_t item, const char *what,
                    const char *message) {
  const hfm_inputs good = inputs_of(prompt, 1, LENGTH);
  const hfm_generation_config good_config = plain();
  hfm_generated out;
  kept again;
  memset(&out, 1, sizeof out);
  CHECK(hfm_generate(session, in, config, &out, &error) != HFM_OK);
  CHECK_STR(hfm_error_item_name(error.item), hfm_error_item_name(item));
  CHECK_STR(error.what, what);
  CHECK_CONTAINS(error.message, message);
  CHECK(!out.sequences.data && !out.steps);
  CHECK(generate(session, &good, &good_config, &again) && same(&again, &right));
}

#define REFUSED_OPTION(assignment, what, message) \
  do { \
    hfm_generation_config config = plain(); \
    assignment; \
    refused(&in, &config, HFM_E_ARGUMENT_VALUE, what, message); \
  } while (0)

static void test_options(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  static const int64_t ids[] = {3, 4}, big[] = {3, 61};
  const double nan_value = strtod("nan", NULL);
  hfm_token_ids words[2];
  setup();
  REFUSED_OPTION(config.max_new_tokens = -2, "max_new_tokens", "is -2, but must be from 1");
  REFUSED_OPTION(config.max_new_tokens = INT64_MAX, "max_new_tokens", "9223372036854775807"); /* F6: no sum of it */
  REFUSED_OPTION(config.min_new_tokens = INT64_MAX, "min_new_tokens", "9223372036854775807");
  REFUSED_OPTION(config.min_length = -7, "min_length", "is -7");
  REFUSED_OPTION(config.num_beams = INT64_MAX, "num_beams", "9223372036854775807");
  REFUSED_OPTION(config.do_sample = 2, "do_sample", "must be 1 for yes, -1 for no");
  REFUSED_OPTION(config.early_stopping = 3, "early_stopping", "HFM_EARLY_STOPPING_");
  REFUSED_OPTION(config.num_return_sequences = 2, "num_return_sequences", "greedy search has one result");
  REFUSED_OPTION((config.num_beams = 2, config.num_return_sequences = 3), "num_return_sequences", "at most num_beams");
  REFUSED_OPTION((config.do_sample = 1, config.temperature = -1), "temperature", "is -1.0");
  REFUSED_OPTION((config.do_sample = 1, config.temperature = HFM_ZERO), "temperature", "is 0.0");
  REFUSED_OPTION((config.do_sample = 1, config.top_p = 1.5), "top_p", "from 0.0 to 1.0");
  REFUSED_OPTION(config.top_p = nan_value, "top_p", "NaN");
  REFUSED_OPTION((config.do_sample = 1, config.min_p = -0.5), "min_p", "-0.5");
  REFUSED_OPTION((config.do_sample = 1, config.typical_p = 2), "typical_p", "2.0");
  REFUSED_OPTION((config.do_sample = 1, config.epsilon_cutoff = 1), "epsilon_cutoff", "1.0");
  REFUSED_OPTION((config.do_sample = 1, config.eta_cutoff = -1), "eta_cutoff", "-1.0");
  REFUSED_OPTION((config.do_sample = 1, config.top_k = -2), "top_k", "is -2");
  REFUSED_OPTION(config.repetition_penalty = -1.2, "repetition_penalty", "-1.2");
  REFUSED_OPTION(config.eos_token_id.count = -5, "eos_token_id", "count of -5");
  REFUSED_OPTION((config.eos_token_id.count = 2, config.eos_token_id.data = NULL), "eos_token_id", "no data");
  REFUSED_OPTION((config.pad_token_id.count = 2, config.pad_token_id.data = ids), "pad_token_id", "must be one");
  REFUSED_OPTION(config.bad_words_count = 3, "bad_words_ids", "bad_words_count is 3");
  memset(words, 0, sizeof words);
  REFUSED_OPTION((config.bad_words_count = 1, config.bad_words_ids = words), "bad_words_ids", "is empty");
  REFUSED_OPTION((config.prompt_lookup_num_tokens = 3, config.num_beams = 2), "prompt_lookup_num_tokens",
                 "one sequence");
  words[0].data = ids;
  words[0].count = 2;
  words[1].data = big;
  words[1].count = 2;
  {
    hfm_generation_config config = plain();
    config.bad_words_ids = words;
    config.bad_words_count = 2;
    refused(&in, &config, HFM_E_INPUT_RANGE, "bad_words_ids", "bad_words_ids[1][1] is 61");
    config = plain();
    config.forced_eos_token_id = words[1];
    refused(&in, &config, HFM_E_INPUT_RANGE, "forced_eos_token_id", "is 61, but must be from 0 to 60");
    config = plain();
    config.forced_eos_token_id = config.suppress_tokens = words[0];
    refused(&in, &config, HFM_E_ARGUMENT_VALUE, "forced_eos_token_id", "also in suppress_tokens");
    config = plain();
    config.num_beams = INT32_MAX;
    refused(&in, &config, HFM_E_CONFIG_LIMIT, "max_length", "are too many");
    config = plain();
    config.do_sample = 1;
    config.num_return_sequences = INT32_MAX;
    refused(&in, &config, HFM_E_CONFIG_LIMIT, "max_length", "num_return_sequences 2147483647");
    config = plain();
    config.max_new_tokens = INT32_MAX;
    refused(&in, &config, HFM_E_CONFIG_LIMIT, "max_length", "max_length 2147483647");
    config = plain();
    config.max_new_tokens = -1;
    config.max_length = LENGTH;
    refused(&in, &config, HFM_E_INPUT_TOO_LONG, "max_length", "nothing would be generated");
  }
  teardown();
}

static void test_inputs(void) {
  static const int64_t bad[] = {5, 61, 3}, negative[] = {5, -1, 3}, far[] = {5, -1, INT64_MAX};
  static const int64_t mask[] = {1, 1, 1, 0, 0, 0}, ids[] = {3, 4, 5, 6, 7, 8};
  static const float floats[6] = {0};
  const int64_t shape[] = {1, 6};
  const hfm_generation_config config = plain();
  hfm_inputs in;
  kept any;
  setup();
  memset(&in, 0, sizeof in);
  refused(&in, &config, HFM_E_INPUT_MISSING, "input_ids", "needs input_ids");
  in = inputs_of(ids, 1, 0);
  refused(&in, &config, HFM_E_INPUT_SHAPE, "input_ids", "at least one token");
  in = inputs_of(bad, 1, 3);
  refused(&in, &config, HFM_E_INPUT_RANGE, "input_ids", "input_ids[0][1] is 61");
  in = inputs_of(negative, 1, 3);
  refused(&in, &config, HFM_E_INPUT_RANGE, "input_ids", "is -1");
  in = inputs_of(ids, 2, 3);
  in.attention_mask = hfm_tensor_i64(mask, 2, 3);
  refused(&in, &config, HFM_E_INPUT_RANGE, "attention_mask", "prompt 1 is padding only");
  in.attention_mask = hfm_tensor_i64(mask, 1, 6);
  refused(&in, &config, HFM_E_INPUT_SHAPE, "attention_mask", "[1, 6], but needs [2, 3]");
  in = inputs_of(ids, 1, 6);
  in.input_ids = hfm_tensor_f32(floats, 2, shape);
  refused(&in, &config, HFM_E_INPUT_DTYPE, "input_ids", "float32");
  in = inputs_of(ids, 1, 6);
  in.position_ids = hfm_tensor_i64(negative, 1, 3);
  refused(&in, &config, HFM_E_INPUT_SHAPE, "position_ids", "[1, 3], but needs [1, 6]");
  in = inputs_of(negative, 1, 3);
  in.input_ids = hfm_tensor_i64(ids, 1, 3);
  in.position_ids = hfm_tensor_i64(far, 1, 3); /* they go round where there is no table */
  CHECK(generate(session, &in, &config, &any));
  in = inputs_of(ids, 1, 6);
  in.token_type_ids = hfm_tensor_i64(ids, 1, 6);
  refused(&in, &config, HFM_E_INPUT_UNEXPECTED, "token_type_ids", "but not token_type_ids");
  CHECK_INT(hfm_generate(NULL, &in, &config, NULL, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_generate(session, NULL, &config, NULL, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_generate(session, &in, &config, NULL, &error), HFM_ERROR_ARGUMENT);
  teardown();
}

/* All of a prompt is padding in the ids alone, too. */
static void test_padding_only(void) {
  static const int64_t ids[] = {0, 0, 0, 3, 4, 5};
  const hfm_inputs in = inputs_of(ids, 2, 3);
  hfm_generation_config config;
  memset(&config, 0, sizeof config);
  setup();
  refused(&in, &config, HFM_E_INPUT_RANGE, "input_ids", "prompt 0 is padding only");
  teardown();
}

/* A model that does not generate; positions from a table, of which there are 40. */
static void test_models(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  hfm_generation_config config = plain();
  hfm_options options;
  hfm_generated out;
  memset(&options, 0, sizeof options);
  model = load_fixture(FIXTURE("llama_base"), &options);
  session = new_session(model, 1);
  CHECK_INT(hfm_generate(session, &in, &config, &out, &error), HFM_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(error.message, "LlamaModel does not generate: load the model with task HFM_CAUSAL_LM, or");
  teardown();
  options.task = HFM_CAUSAL_LM;
  model = load_fixture(FIXTURE("gpt2_causal"), &options);
  session = new_session(model, 1);
  config.max_new_tokens = 35;
  CHECK_INT(hfm_generate(session, &in, &config, &out, &error), HFM_ERROR_SHAPE);
  CHECK_INT(error.item, HFM_E_INPUT_TOO_LONG);
  CHECK_CONTAINS(error.message, "max_length 42 can't be generated: its last position would be 40");
  config.max_new_tokens = 34;
  CHECK_INT(hfm_generate(session, &in, &config, &out, &error), HFM_OK);
  CHECK_INT(out.sequences.shape[1], 41);
  teardown();
}

/* A step's positions don't depend on what padding is, so RoBERTa generates without a pad_token_id. */
static void test_no_padding(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  const hfm_generation_config config = plain();
  hfm_config *edited;
  hfm_options options;
  kept k[2];
  memset(&options, 0, sizeof options);
  options.task = HFM_CAUSAL_LM;
  CHECK_INT(hfm_config_from_pretrained(FIXTURE("roberta_causal"), &options, &edited, &error), HFM_OK);
  for (int i = 0; i < 2; i++) {
    if (i) CHECK_INT(hfm_config_set_json(edited, "pad_token_id", "null", &error), HFM_OK);
    options.config = edited;
    model = load_fixture(FIXTURE("roberta_causal"), &options);
    session = new_session(model, 1);
    CHECK(generate(session, &in, &config, &k[i]));
    teardown();
  }
  CHECK(same(&k[0], &k[1]));
  hfm_config_free(edited);
}

/* Dynamic RoPE changes with the length of a step: guesses would change the ids. */
static void test_lookup_of_dynamic_rope(void) {
  static float scores[2][NEW * VOCAB];
  static const int64_t again[] = {5, 6, 7, 5, 6, 7, 5, 6, 7};
  const hfm_inputs in = inputs_of(again, 1, 9);
  hfm_generation_config config = plain();
  hfm_config *edited;
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.task = HFM_CAUSAL_LM;
  CHECK_INT(hfm_config_from_pretrained(FIXTURE("llama_causal"), &options, &edited, &error), HFM_OK);
  CHECK_INT(hfm_config_set_json(edited, "rope_parameters", "{\"rope_type\": \"dynamic\", \"factor\": 8.0, "
                                "\"rope_theta\": 100.0}", &error), HFM_OK);
  CHECK_INT(hfm_config_set_int(edited, "max_position_embeddings", 10, &error), HFM_OK);
  options.config = edited;
  model = load_fixture(FIXTURE("llama_causal"), &options);
  config.output_scores = 1;
  for (int i = 0; i < 2; i++) {
    hfm_generated out;
    config.prompt_lookup_num_tokens = i * 4;
    session = new_session(model, 1);
    CHECK_INT(hfm_generate(session, &in, &config, &out, &error), HFM_OK);
    CHECK_INT(out.steps, NEW);
    memcpy(scores[i], out.scores.data, sizeof scores[i]);
    if (!i) hfm_session_free(session);
  }
  CHECK(!memcmp(scores[0], scores[1], sizeof scores[0]));
  teardown();
  hfm_config_free(edited);
}

/* ---- Callbacks ---- */

typedef struct notes {
  int64_t put[64], count, rows;
  int64_t calls, fail_at;
  int64_t allowed;
} notes;

static void put(void *ctx, const int64_t *tokens, int64_t rows) {
  notes *n = (notes *)ctx;
  n->rows = rows;
  for (int64_t r = 0; r < rows && n->count < 64; r++) n->put[n->count++] = tokens[r];
}

static void write_nan(void *ctx, int64_t row, const int64_t *ids, int64_t length, float *scores, int64_t vocab_size) {
  notes *n = (notes *)ctx;
  (void)row;
  (void)ids;
  (void)length;
  if (n->calls++ == n->fail_at) scores[vocab_size / 2] = (float)strtod("nan", NULL);
}

static void forbid_all(void *ctx, int64_t row, const int64_t *ids, int64_t length, float *scores, int64_t vocab_size) {
  (void)ctx;
  (void)row;
  (void)ids;
  (void)length;
  for (int64_t i = 0; i < vocab_size; i++) scores[i] = (float)-strtod("inf", NULL);
}

static int64_t allow(void *ctx, int64_t which, const int64_t *ids, int64_t length, const int64_t **allowed) {
  notes *n = (notes *)ctx;
  (void)which;
  (void)ids;
  (void)length;
  *allowed = &n->allowed;
  return n->allowed == 7 ? 0 : 1;
}

static void test_bad_callbacks(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  hfm_generation_config config = plain();
  notes n;
  memset(&n, 0, sizeof n);
  setup();
  config.logits_processor.ctx = config.prefix_constraint.ctx = &n;
  config.logits_processor.process = write_nan;
  refused(&in, &config, HFM_E_SCORES, "scores",
          "the score of token 30 at position 7 of sequence 0 is NaN: logits_processor");
  config.num_beams = 3;
  n.calls = 0;
  n.fail_at = 7;
  refused(&in, &config, HFM_E_SCORES, "scores", "is NaN");
  config.num_beams = 0;
  config.do_sample = 1;
  n.calls = 0;
  n.fail_at = 2;
  refused(&in, &config, HFM_E_SCORES, "scores", "at position 9");
  config.logits_processor.process = forbid_all;
  refused(&in, &config, HFM_E_SCORES, "scores", "every token is forbidden at position 7");
  config.do_sample = 0;
  refused(&in, &config, HFM_E_SCORES, "scores", "every token is forbidden");
  config.logits_processor.process = NULL;
  config.prefix_constraint.allowed_tokens = allow;
  n.allowed = 7;
  refused(&in, &config, HFM_E_SCORES, "prefix_constraint", "allows no token for prompt 0");
  n.allowed = 61;
  refused(&in, &config, HFM_E_INPUT_RANGE, "prefix_constraint", "allows token 61");
  config = plain();
  config.num_beams = 2;
  config.streamer.put = put;
  refused(&in, &config, HFM_E_ARGUMENT_VALUE, "streamer", "num_beams must be 1");
  teardown();
}

/* X3: after the NaN the same generation goes on as if there had been none. */
static void test_nan_and_on(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  hfm_generation_config config = plain();
  hfm_generation *g;
  hfm_generated out;
  int32_t done = 0, failures = 0;
  kept k;
  notes n;
  memset(&n, 0, sizeof n);
  n.fail_at = 5;
  setup();
  config.logits_processor.ctx = &n;
  config.logits_processor.process = write_nan;
  CHECK_INT(hfm_generation_begin(session, &in, &config, &g, &error), HFM_OK);
  for (int i = 0; i < 100 && !done; i++) failures += hfm_generation_next(g, 1, &done, &error) != HFM_OK;
  CHECK_INT(failures, 1);
  CHECK_INT(hfm_generation_outputs(g, &out, &error), HFM_OK);
  CHECK(done && keep(&out, &k) && same(&k, &right));
  hfm_generation_free(g);
  teardown();
}

/* Every token, once, in order, of every row. */
static void test_streamer(void) {
  static const int64_t two[] = {5, 6, 7, 8};
  const hfm_inputs in = inputs_of(two, 2, 2);
  hfm_generation_config config = plain();
  notes n;
  kept k;
  memset(&n, 0, sizeof n);
  setup();
  config.streamer.ctx = &n;
  config.streamer.put = put;
  if (generate(session, &in, &config, &k)) {
    CHECK_INT(n.rows, 2);
    CHECK_INT(n.count, 2 * NEW);
    for (int64_t i = 0; i < n.count; i++) CHECK_INT(n.put[i], k.ids[i % 2 * k.length + 2 + i / 2]);
  }
  teardown();
}

static int32_t never_done(void *ctx, int64_t row, const int64_t *ids, int64_t length) {
  (void)row;
  (void)ids;
  (void)length;
  ((notes *)ctx)->calls++;
  for (volatile int i = 0; i < 3000000; i++) {}
  return 0;
}

/* A row that has ended is filled with pad_token_id, which need not be a token; the others go on. */
static void test_foreign_pad(void) {
  static const int64_t two[] = {5, 6, 7, 8}, pad = 100;
  const hfm_inputs in = inputs_of(two, 2, 2);
  hfm_generation_config config = plain();
  int64_t eos;
  kept k, padded;
  setup();
  CHECK(generate(session, &in, &config, &k));
  eos = k.ids[3]; /* of the first row */
  config.eos_token_id.data = &eos;
  config.eos_token_id.count = 1;
  config.pad_token_id.data = &pad;
  config.pad_token_id.count = 1;
  if (CHECK(generate(session, &in, &config, &padded)) && padded.length > 4)
    for (int64_t i = 0; i < padded.length; i++) {
      const int64_t first = 2 + (k.ids[2] != eos);
      CHECK_INT(padded.ids[i], i > first ? pad : k.ids[i]);
    }
  teardown();
}

/* max_time ends a generation after the token under way. */
static void test_max_time(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  hfm_generation_config config = plain();
  kept k;
  notes n;
  memset(&n, 0, sizeof n);
  setup();
  config.max_time = 1e-5;
  config.stopping_criteria.ctx = &n;
  config.stopping_criteria.is_done = never_done;
  CHECK(generate(session, &in, &config, &k));
  CHECK_INT(k.length, LENGTH + 1);
  CHECK_INT(n.calls, 1);
  teardown();
}

/* ---- Slices, sampling, lookup ---- */

/* Outputs at any time are the beginning of those at the end. */
static void test_outputs_on_the_way(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  const hfm_generation_config config = plain();
  hfm_generation *g;
  hfm_generated out;
  int32_t done = 0;
  int64_t length = 0;
  setup();
  CHECK_INT(hfm_generation_begin(session, &in, &config, &g, &error), HFM_OK);
  while (!done) {
    if (!CHECK_INT(hfm_generation_next(g, 0, &done, &error), HFM_OK)) break;
    CHECK_INT(hfm_generation_outputs(g, &out, &error), HFM_OK);
    CHECK(out.sequences.shape[1] >= length && out.sequences.shape[1] == LENGTH + out.steps);
    length = out.sequences.shape[1];
    CHECK(!memcmp(out.sequences.data, right.ids, (size_t)length * sizeof(int64_t)));
  }
  CHECK_INT(length, LENGTH + NEW);
  CHECK(out.prompt_seconds > 0 && out.decode_seconds > 0);
  CHECK_INT(hfm_generation_next(g, 1, &done, &error), HFM_OK); /* and once more */
  CHECK(done);
  hfm_generation_free(g);
  teardown();
}

/* Between the steps nobody else may use the session; who does is told, and nothing worse. */
static void test_session_is_taken(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  const hfm_generation_config config = plain();
  hfm_generation *g;
  hfm_outputs out;
  int32_t done = 0;
  kept k;
  setup();
  CHECK_INT(hfm_generation_begin(session, &in, &config, &g, &error), HFM_OK);
  for (int i = 0; i < 40; i++) CHECK_INT(hfm_generation_next(g, 0, &done, &error), HFM_OK);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK_INT(hfm_generation_next(g, 1, &done, &error), HFM_ERROR_STATE);
  CHECK_CONTAINS(error.message, "used for something else");
  CHECK(!done);
  CHECK(generate(session, &in, &config, &k) && same(&k, &right));
  CHECK_INT(hfm_generation_next(g, 1, &done, &error), HFM_ERROR_STATE);
  hfm_generation_free(g);
  hfm_generation_free(NULL);
  CHECK_INT(hfm_generation_next(NULL, 1, &done, &error), HFM_ERROR_ARGUMENT);
  teardown();
}

/* The same seed gives the same ids; sequences have streams of their own, whatever is beside them. */
static void test_seeds(void) {
  static const int64_t three[] = {5, 17, 9, 5, 17, 9, 5, 17, 9};
  const hfm_inputs one = inputs_of(three, 1, 3), all = inputs_of(three, 3, 3);
  hfm_generation_config config = plain();
  kept a, b, c, d;
  setup();
  config.do_sample = 1;
  config.top_k = -1;
  config.seed = 7;
  CHECK(generate(session, &one, &config, &a) && generate(session, &one, &config, &b) && same(&a, &b));
  CHECK(generate(session, &all, &config, &c));
  CHECK(!memcmp(a.ids, c.ids, (size_t)a.length * sizeof *a.ids));
  CHECK(memcmp(c.ids, c.ids + c.length, (size_t)c.length * sizeof *c.ids));
  config.num_return_sequences = 3;
  CHECK(generate(session, &one, &config, &d) && same(&c, &d));
  config.num_return_sequences = 0;
  config.seed = 8;
  CHECK(generate(session, &one, &config, &b) && !same(&a, &b));
  config.top_k = 1; /* leaves the likeliest */
  config.do_sample = 1;
  CHECK(generate(session, &one, &config, &a));
  config.do_sample = 0;
  CHECK(generate(session, &one, &config, &b) && same(&a, &b));
  teardown();
}

/* Beams that are drawn: a run can be repeated, and the texts are ranked. */
static void test_drawn_beams(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  hfm_generation_config config = plain();
  hfm_generated out;
  kept a, b;
  setup();
  config.do_sample = 1;
  config.num_beams = config.num_return_sequences = 4;
  config.seed = 3;
  CHECK(generate(session, &in, &config, &a));
  CHECK_INT(hfm_generate(session, &in, &config, &out, &error), HFM_OK);
  CHECK(keep(&out, &b) && same(&a, &b));
  for (int i = 0; i < 3 && out.sequences_scores.data; i++)
    CHECK(((const float *)out.sequences_scores.data)[i] >= ((const float *)out.sequences_scores.data)[i + 1]);
  config.seed = 4;
  CHECK(generate(session, &in, &config, &b) && !same(&a, &b));
  teardown();
}

/* The same as generate, chunk by chunk: how many there were. */
static int64_t generate_counted(const hfm_inputs *in, const hfm_generation_config *config, kept *k) {
  hfm_generation *g = NULL;
  hfm_generated out;
  int32_t done = 0;
  int64_t chunks = 0;
  CHECK_INT(hfm_generation_begin(session, in, config, &g, &error), HFM_OK);
  while (!done && CHECK_INT(hfm_generation_next(g, 0, &done, &error), HFM_OK)) chunks++;
  CHECK(hfm_generation_outputs(g, &out, &error) == HFM_OK && keep(&out, k));
  hfm_generation_free(g);
  return chunks;
}

/* Guessing changes nothing but the number of steps: a text that repeats itself takes fewer. Drawn texts, too. */
static void test_prompt_lookup(void) {
  static const int64_t again[] = {5, 17, 9, 33, 5, 17, 9, 33, 5, 17};
  const hfm_inputs in = inputs_of(again, 1, 10);
  hfm_generation_config config = plain();
  hfm_options options;
  kept a, b;
  memset(&options, 0, sizeof options);
  options.task = HFM_CAUSAL_LM;
  options.batch_invariant = 1; /* a token by itself and several at once have the same bits */
  model = load_fixture(FIXTURE("llama_causal"), &options);
  session = new_session(model, 1);
  config.max_new_tokens = 60;
  for (int32_t sample = 0; sample < 2; sample++) {
    int64_t plain_chunks, chunks;
    config.do_sample = sample;
    config.temperature = 0.4;
    config.prompt_lookup_num_tokens = 0;
    plain_chunks = generate_counted(&in, &config, &a);
    config.prompt_lookup_num_tokens = 4;
    chunks = generate_counted(&in, &config, &b);
    CHECK(same(&a, &b));
    if (!sample) CHECK(chunks < plain_chunks);
    CHECK_INT(hfm_cache_length(session), 10 + 60 - 1);
  }
  teardown();
}

/* ---- The cache ---- */

/* A chat goes on from what the cache has: the same ids as without it, and only what is new is computed. */
static void test_chat(void) {
  int64_t text[64];
  hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  const hfm_generation_config config = plain();
  kept first, fresh, more;
  hfm_generated out;
  setup();
  CHECK(generate(session, &in, &config, &first));
  CHECK_INT(hfm_cache_length(session), LENGTH + NEW - 1);
  memcpy(text, first.ids, sizeof(int64_t) * (LENGTH + NEW));
  for (int i = 0; i < 5; i++) text[LENGTH + NEW + i] = 20 + i;
  in = inputs_of(text, 1, LENGTH + NEW + 5);
  in.use_cache = 1;
  CHECK_INT(hfm_generate(session, &in, &config, &out, &error), HFM_OK);
  CHECK(keep(&out, &more));
  in.use_cache = 0;
  CHECK(generate(session, &in, &config, &fresh) && same(&fresh, &more));
  in.use_cache = 1; /* nothing new */
  in.input_ids = hfm_tensor_i64(more.ids, 1, hfm_cache_length(session));
  CHECK_INT(hfm_generate(session, &in, &config, &out, &error), HFM_ERROR_SHAPE);
  CHECK_CONTAINS(error.message, "at least one token must be new");
  in.input_ids = hfm_tensor_i64(more.ids, 2, 18); /* another batch */
  CHECK_INT(hfm_generate(session, &in, &config, &out, &error), HFM_ERROR_SHAPE);
  CHECK_CONTAINS(error.message, "the cache holds 1 sequences");
  teardown();
}

/* Beams go on from a cache, too, and leave none. */
static void test_beams_and_cache(void) {
  hfm_inputs in = inputs_of(prompt, 1, LENGTH - 2);
  hfm_generation_config config = plain();
  hfm_outputs out;
  kept a, b;
  setup();
  config.num_beams = 3;
  in.use_cache = 1;
  CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  in = inputs_of(prompt, 1, LENGTH);
  in.use_cache = 1;
  CHECK(generate(session, &in, &config, &a));
  CHECK_INT(hfm_cache_length(session), 0);
  in.use_cache = 0;
  CHECK(generate(session, &in, &config, &b) && same(&a, &b));
  teardown();
}

/* ---- Memory ---- */

/* After the beginning nothing is allocated, whatever the way of choosing. */
static void test_no_allocation(void) {
  static const int64_t batch[] = {5, 17, 9, 33, 2, 41};
  const hfm_inputs in = inputs_of(batch, 2, 3), one = inputs_of(batch, 1, 6);
  for (int way = 0; way < 5; way++) {
    hfm_generation_config config = plain();
    hfm_generation *g = NULL;
    hfm_generated out;
    failing_alloc memory;
    int32_t done = 0;
    failing_alloc_begin(&memory, -1);
    model = load(&memory.allocator);
    session = new_session(model, 1);
    config.max_new_tokens = 40;
    config.output_scores = 1;
    config.no_repeat_ngram_size = 5;
    config.repetition_penalty = 1.1;
    if (way == 1) config.do_sample = 1, config.top_p = 0.9, config.typical_p = 0.9, config.num_return_sequences = 3;
    if (way == 2) config.num_beams = 3;
    if (way == 3) config.num_beams = 3, config.do_sample = 1;
    if (way == 4) config.prompt_lookup_num_tokens = 3;
    CHECK_INT(hfm_generation_begin(session, way == 4 ? &one : &in, &config, &g, &error), HFM_OK);
    memory.calls = memory.fail_at = 0;
    CHECK_INT(hfm_generation_next(g, 100, &done, &error), HFM_OK);
    CHECK_INT(hfm_generation_outputs(g, &out, &error), HFM_OK);
    if (!CHECK(done && !memory.failed)) printf("  way %d: %d allocations\n", way, (int)memory.calls);
    hfm_generation_free(g);
    teardown();
    CHECK(failing_alloc_clean(&memory));
  }
}

/* Any allocation may fail: an error, nothing lost, and the session goes on. */
static void test_failing_allocations(void) {
  static const int64_t ids[] = {5, 17, 9};
  const hfm_inputs in = inputs_of(ids, 1, 3);
  failing_alloc memory;
  hfm_generation_config config = plain();
  config.num_beams = 2;
  config.do_sample = 1;
  config.output_scores = 1;
  failing_alloc_begin(&memory, -1);
  model = load(&memory.allocator);
  for (int64_t n = 0; n < 1000; n++) {
    hfm_generated out;
    hfm_result result;
    session = new_session(model, 1);
    memory.calls = memory.failed = 0;
    memory.fail_at = n;
    result = hfm_generate(session, &in, &config, &out, &error);
    memory.fail_at = -1;
    CHECK_INT(result, memory.failed ? HFM_ERROR_MEMORY : HFM_OK);
    CHECK_INT(hfm_generate(session, &in, &config, &out, &error), HFM_OK);
    hfm_session_free(session);
    if (!memory.failed) break;
  }
  hfm_model_free(model);
  CHECK(failing_alloc_clean(&memory));
}

/* A session counts what hfm_generate keeps for it. */
static void test_session_memory(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  hfm_generation_config config = plain();
  uint64_t before;
  kept k;
  setup();
  before = hfm_session_memory(session);
  config.output_scores = 1;
  config.max_new_tokens = 400;
  CHECK(generate(session, &in, &config, &k));
  CHECK(hfm_session_memory(session) + (1 << 15) >= before + 400 * VOCAB * sizeof(float));
  teardown();
}

int main(void) {
  TEST(test_options);
  TEST(test_inputs);
  TEST(test_padding_only);
  TEST(test_models);
  TEST(test_no_padding);
  TEST(test_lookup_of_dynamic_rope);
  TEST(test_bad_callbacks);
  TEST(test_nan_and_on);
  TEST(test_streamer);
  TEST(test_foreign_pad);
  TEST(test_max_time);
  TEST(test_outputs_on_the_way);
  TEST(test_session_is_taken);
  TEST(test_seeds);
  TEST(test_drawn_beams);
  TEST(test_prompt_lookup);
  TEST(test_chat);
  TEST(test_beams_and_cache);
  TEST(test_no_allocation);
  TEST(test_failing_allocations);
  TEST(test_session_memory);
  return check_report("test_generation");
}
