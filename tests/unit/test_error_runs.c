/* Every error of forwards, caches and generation: error_table.h. */
#include "hfmodel.h"

#include "check.h"
#include "error_table.h"
#include "memory_io.h"

#include <math.h>

/* A model and its session; what its configuration says instead. */
typedef struct run {
  hfm_model *model;
  hfm_session *session;
  hfm_error error;
} run;

static int run_begin(run *r, const change *c) {
  hfm_session_options one;
  hfm_options options;
  memset(r, 0, sizeof *r);
  memset(&one, 0, sizeof one);
  memset(&options, 0, sizeof options);
  one.threads = 1;
  return CHECK_INT(open_changed(c, options, 1, &r->model, &r->error), HFM_OK) &&
         CHECK_INT(hfm_session_create(r->model, &one, &r->session, &r->error), HFM_OK);
}

static void run_end(run *r) {
  hfm_session_free(r->session);
  hfm_model_free(r->model);
}

static void run_forward(run *r, const hfm_inputs *in) {
  hfm_outputs out;
  CHECK_INT(hfm_forward(r->session, in, &out, &r->error), HFM_OK);
}

static const int64_t ids[128] = {3, 9, 2, 4};
static const float floats[128];

/* ---- Forwards ---- */

static void forward(run *r, const hfm_inputs *in) {
  hfm_outputs out;
  row(hfm_forward(r->session, in, &out, &r->error), &r->error);
}

static void forward_row(const change *c, const hfm_inputs *in) {
  run r;
  if (run_begin(&r, c)) forward(&r, in);
  run_end(&r);
}

static void input_rows(void) {
  static const change bert = {"bert_base", {NULL}, HFM_BASE};
  static const int64_t four[4] = {1, 2, 2, 2};
  static const int64_t far[4] = {1, 2, 3, 99};
  const hfm_inputs usual = hfm_input_ids(ids, 1, 3);
  hfm_inputs in;
  run r;
  if (!run_begin(&r, &bert)) return;
#define INPUT(field, value) in = usual, in.field = value, forward(&r, &in)
  INPUT(input_ids.data, NULL);
  INPUT(pixel_values, hfm_tensor_f32(floats, 4, four));
  INPUT(pixel_values, hfm_tensor_f32(floats, 2, four));
  INPUT(inputs_embeds, hfm_tensor_f32(floats, 2, four));
  INPUT(labels, usual.input_ids);
  INPUT(attention_mask, hfm_tensor_i64(ids, 1, 2));
  INPUT(input_ids, hfm_tensor_i64(far, 1, 4));
  INPUT(input_ids, hfm_tensor_i64(ids, 1, 80));
  INPUT(input_ids.dtype, HFM_F32);
  INPUT(input_ids.dtype, 99);
  INPUT(input_ids.rank, 1);
  INPUT(input_ids.shape[1], 0);
  in = usual;
  in.attention_mask = usual.input_ids;
  in.attention_mask.dtype = HFM_C64;
  forward(&r, &in);
  INPUT(logits_to_keep, -1);
  INPUT(logits_to_keep, 1);
  INPUT(use_cache, 1);
#undef INPUT
  run_end(&r);
}

static void family_rows(void) {
  static const change bert = {"bert_base", {NULL}, HFM_BASE},
                      question = {"bert_question", {"num_labels", "3"}, HFM_TASK_FROM_CONFIG},
                      no_padding = {"llama_sequence", {"pad_token_id", "null"}, HFM_TASK_FROM_CONFIG},
                      roberta = {"roberta_base", {NULL}, HFM_BASE},
                      roberta_null = {"roberta_base", {"pad_token_id", "null"}, HFM_BASE},
                      roberta_negative = {"roberta_base", {"pad_token_id", "-5"}, HFM_BASE},
                      roberta_causal = {"roberta_causal", {NULL}, HFM_TASK_FROM_CONFIG},
                      bart_null = {"bart_base", {"pad_token_id", "null"}, HFM_BASE},
                      bart_sequence = {"bart_sequence", {NULL}, HFM_TASK_FROM_CONFIG},
                      mbart = {"mbart_base", {NULL}, HFM_BASE};
  static const int64_t embeds_shape[3] = {1, 3, 36}, causal_shape[3] = {1, 3, 18};
  static const int64_t ends[6] = {2, 4, 5, 2, 2, 5}, padding[3] = {1, 1, 1};
  hfm_inputs in = hfm_input_ids(ids, 1, 3);
  forward_row(&question, &in);
  forward_row(&roberta_null, &in);
  forward_row(&roberta_negative, &in);
  forward_row(&bart_null, &in);
  in.token_type_ids = in.input_ids;
  forward_row(&bert, &in);
  in.inputs_embeds = hfm_tensor_f32(floats, 3, embeds_shape);
  forward_row(&bert, &in);
  in = hfm_input_ids(ids, 1, 3);
  in.decoder_input_ids = hfm_tensor_i64(ids, 1, 4);
  forward_row(&bart_sequence, &in);
  in = hfm_input_ids(ends, 2, 3);
  forward_row(&bart_sequence, &in);
  forward_row(&no_padding, &in);
  in = hfm_input_ids(padding, 1, 3);
  forward_row(&mbart, &in);
  in = hfm_input_ids(ids, 1, 64);
  forward_row(&roberta, &in);
  memset(&in, 0, sizeof in);
  in.inputs_embeds = hfm_tensor_f32(floats, 3, causal_shape);
  in.use_cache = 1;
  forward_row(&roberta_causal, &in);
  in = hfm_input_ids(ids, 1, 64);
  in.use_cache = 1;
  forward_row(&roberta_causal, &in);
}

/* ---- Sessions ---- */

static void session_rows(void) {
  static const change llama = {"llama_base", {NULL}, HFM_BASE};
  const hfm_inputs in = hfm_input_ids(ids, 1, 3);
  hfm_session_options options;
  hfm_session *session;
  hfm_outputs outputs;
  hfm_memory_estimate estimate;
  int32_t done;
  run r;
  if (!run_begin(&r, &llama)) return;
  memset(&options, 0, sizeof options);
  options.cache_dtype = 99;
  row(hfm_session_create(NULL, NULL, &session, &r.error), &r.error);
  row(hfm_session_create(r.model, NULL, NULL, &r.error), &r.error);
  row(hfm_session_create(r.model, &options, &session, &r.error), &r.error);
  options.threads = -5;
  row(hfm_session_create(r.model, &options, &session, &r.error), &r.error);
  options.threads = 1;
  options.spin = 42;
  row(hfm_session_create(r.model, &options, &session, &r.error), &r.error);
  row(hfm_session_reserve(NULL, 1, 1, NULL, &r.error), &r.error);
  row(hfm_session_reserve(r.session, 0, 1, NULL, &r.error), &r.error);
  row(hfm_session_reserve(r.session, INT32_MAX, INT32_MAX, NULL, &r.error), &r.error);
  row(hfm_session_begin(NULL, &in, &r.error), &r.error);
  row(hfm_session_begin(r.session, NULL, &r.error), &r.error);
  row(hfm_session_step(NULL, 0, &done, &r.error), &r.error);
  row(hfm_session_step(r.session, 0, NULL, &r.error), &r.error);
  row(hfm_session_step(r.session, 0, &done, &r.error), &r.error);
  row(hfm_session_outputs(NULL, &outputs, &r.error), &r.error);
  row(hfm_session_outputs(r.session, NULL, &r.error), &r.error);
  row(hfm_session_outputs(r.session, &outputs, &r.error), &r.error);
  row(hfm_forward(r.session, &in, NULL, &r.error), &r.error);
  row(hfm_estimate_memory("tests/models/llama_base", NULL, 1, 1, NULL, &r.error), &r.error);
  row(hfm_estimate_memory("tests/models/llama_base", NULL, 0, 1, &estimate, &r.error), &r.error);
  row(hfm_read_contents("tests/models/llama_base/model.safetensors", NULL, NULL, &r.error), &r.error);
  run_end(&r);
}

static void helper_rows(void) {
  static const int64_t shape[3] = {1, 2, 2};
  hfm_tensor hidden = hfm_tensor_f32(floats, 3, shape), mask = hfm_tensor_i64(ids, 1, 3);
  float out[2];
  hfm_error error;
  row(hfm_mean_pool(NULL, NULL, out, &error), &error);
  row(hfm_mean_pool(&hidden, NULL, NULL, &error), &error);
  row(hfm_mean_pool(&hidden, &mask, out, &error), &error);
  hidden.rank = 2;
  row(hfm_mean_pool(&hidden, NULL, out, &error), &error);
}

/* ---- Caches ---- */

static void cache_rows(void) {
  static const change mistral = {"mistral_causal", {NULL}, HFM_CAUSAL_LM};
  static const int64_t rows[1] = {9};
  static uint8_t saved[65536];
  hfm_inputs in = hfm_input_ids(ids, 1, 100);
  uint64_t size;
  run r;
  in.use_cache = 1;
  if (!run_begin(&r, &mistral)) return;
  row(hfm_cache_crop(NULL, 0, &r.error), &r.error);
  row(hfm_cache_reorder(NULL, rows, 1, &r.error), &r.error);
  row(hfm_cache_reorder(r.session, NULL, 1, &r.error), &r.error);
  row(hfm_cache_reorder(r.session, rows, 1, &r.error), &r.error);
  row(hfm_cache_save(NULL, saved, 1, &r.error), &r.error);
  row(hfm_cache_save(r.session, NULL, 1, &r.error), &r.error);
  row(hfm_cache_save(r.session, saved, 1, &r.error), &r.error);
  row(hfm_cache_load(NULL, saved, 1, &r.error), &r.error);
  row(hfm_cache_load(r.session, NULL, 1, &r.error), &r.error);
  row(hfm_cache_load(r.session, saved, 1, &r.error), &r.error);
  for (int call = 0; call < 4; call++) run_forward(&r, &in);
  row(hfm_cache_crop(r.session, 401, &r.error), &r.error);
  row(hfm_cache_crop(r.session, 1, &r.error), &r.error);
  row(hfm_cache_reorder(r.session, rows, 0, &r.error), &r.error);
  row(hfm_cache_reorder(r.session, rows, 1, &r.error), &r.error);
  row(hfm_cache_save(r.session, saved, 1, &r.error), &r.error);
  size = hfm_cache_size(r.session);
  if (CHECK(size < sizeof saved) && CHECK_INT(hfm_cache_save(r.session, saved, size, &r.error), HFM_OK)) {
    row(hfm_cache_load(r.session, saved, size - 1, &r.error), &r.error);
    saved[8] = 2;
    row(hfm_cache_load(r.session, saved, size, &r.error), &r.error);
  }
  in.input_ids = hfm_tensor_i64(ids, 2, 3);
  forward(&r, &in);
  in.input_ids = hfm_tensor_i64(ids, 1, INT32_MAX); /* which are not looked at */
  forward(&r, &in);
  run_end(&r);
}

static void encoded_rows(void) {
  static const change bart = {"bart_base", {NULL}, HFM_BASE};
  hfm_inputs in = hfm_input_ids(ids, 1, 3);
  run r;
  in.decoder_input_ids = hfm_tensor_i64(ids, 1, 1);
  in.use_cache = 1;
  if (!run_begin(&r, &bart)) return;
  memset(&in.input_ids, 0, sizeof in.input_ids);
  forward(&r, &in);
  in.input_ids = hfm_tensor_i64(ids, 1, 3);
  run_forward(&r, &in);
  forward(&r, &in);
  run_end(&r);
}

/* ---- Generation ---- */

static int64_t allow_nothing(void *ctx, int64_t prompt, const int64_t *input_ids, int64_t length,
                             const int64_t **allowed) {
  (void)ctx;
  (void)prompt;
  (void)length;
  *allowed = input_ids;
  return 0;
}

static int64_t allow_too_much(void *ctx, int64_t prompt, const int64_t *input_ids, int64_t length,
                              const int64_t **allowed) {
  static const int64_t too_much[1] = {99};
  (void)ctx;
  (void)prompt;
  (void)input_ids;
  (void)length;
  *allowed = too_much;
  return 1;
}

static void make_nan(void *ctx, int64_t sequence, const int64_t *input_ids, int64_t length, float *scores,
                     int64_t vocab_size) {
  (void)ctx;
  (void)sequence;
  (void)input_ids;
  (void)length;
  scores[vocab_size - 1] = (float)NAN;
}

static void ignore_tokens(void *ctx, const int64_t *tokens, int64_t rows) {
  (void)ctx;
  (void)tokens;
  (void)rows;
}

static void generate(run *r, const hfm_inputs *in, const hfm_generation_config *config) {
  hfm_generated out;
  row(hfm_generate(r->session, in, config, &out, &r->error), &r->error);
}

/* Options; GENERATE says one, or two, that are wrong. */
#define GENERATE(...) memset(&config, 0, sizeof config), __VA_ARGS__, generate(&r, &in, &config)
static hfm_token_ids tokens(const int64_t *data, int64_t count) {
  hfm_token_ids list;
  list.data = data;
  list.count = count;
  return list;
}

static void option_rows(void) {
  static const change llama = {"llama_causal", {NULL}, HFM_CAUSAL_LM};
  static const int64_t far[2] = {99, 99};
  static int64_t all[61];
  const hfm_token_ids none = {NULL, 0}, outside = {far, 1};
  hfm_inputs in = hfm_input_ids(ids, 1, 3);
  hfm_generation_config config;
  run r;
  for (int64_t i = 0; i < 61; i++) all[i] = i;
  if (!run_begin(&r, &llama)) return;
  GENERATE(config.max_new_tokens = -5);
  GENERATE(config.max_length = 2);
  GENERATE(config.max_length = INT32_MAX);
  GENERATE(config.do_sample = 1, config.temperature = -1);
  GENERATE(config.do_sample = 1, config.temperature = NAN);
  GENERATE(config.do_sample = 7);
  GENERATE(config.early_stopping = 7);
  GENERATE(config.suppress_tokens = tokens(ids, INT32_MAX));
  GENERATE(config.suppress_tokens = tokens(ids, -2));
  GENERATE(config.suppress_tokens = tokens(NULL, 2));
  GENERATE(config.suppress_tokens = tokens(all, 61));
  GENERATE(config.pad_token_id = tokens(ids, 2));
  GENERATE(config.bad_words_count = -2);
  GENERATE(config.bad_words_ids = &none, config.bad_words_count = 1);
  GENERATE(config.bad_words_ids = &outside, config.bad_words_count = 1);
  GENERATE(config.forced_bos_token_id = tokens(far, 1));
  GENERATE(config.forced_bos_token_id = tokens(ids, 1), config.suppress_tokens = tokens(ids, 1));
  GENERATE(config.num_return_sequences = 2);
  GENERATE(config.num_beams = 2, config.num_return_sequences = 3);
  GENERATE(config.num_beams = 2, config.prompt_lookup_num_tokens = 2);
  GENERATE(config.num_beams = 2, config.streamer.put = ignore_tokens);
  GENERATE(config.num_beams = 2, config.eos_token_id = tokens(all, 61));
  GENERATE(config.prefix_constraint.allowed_tokens = allow_nothing);
  GENERATE(config.prefix_constraint.allowed_tokens = allow_too_much);
  GENERATE(config.logits_processor.process = make_nan);
  in.input_ids = hfm_tensor_i64(ids, 2, 3);
  GENERATE(config.prompt_lookup_num_tokens = 2);
  run_end(&r);
}

static void prompt_rows(void) {
  static const change llama = {"llama_causal", {NULL}, HFM_CAUSAL_LM}, gpt2 = {"gpt2_causal", {NULL}, HFM_CAUSAL_LM},
                      bert = {"bert_base", {NULL}, HFM_BASE};
  static const int64_t padding[3] = {0, 0, 0};
  const hfm_inputs usual = hfm_input_ids(ids, 1, 3);
  hfm_inputs in;
  hfm_generation_config config;
  hfm_generation *generation;
  hfm_generated out;
  int32_t done;
  run r;
  memset(&config, 0, sizeof config);
  config.max_new_tokens = 1;
  if (run_begin(&r, &llama)) {
#define PROMPT(field, value) in = usual, in.field = value, generate(&r, &in, &config)
    PROMPT(input_ids.data, NULL);
    PROMPT(input_ids.rank, 1);
    PROMPT(input_ids.shape[1], 0);
    PROMPT(token_type_ids, usual.input_ids);
    PROMPT(attention_mask, hfm_tensor_i64(ids, 1, 2));
    PROMPT(attention_mask, hfm_tensor_i64(padding, 1, 3));
#undef PROMPT
    in = usual;
    in.use_cache = 1;
    CHECK_INT(hfm_generate(r.session, &in, &config, &out, &r.error), HFM_OK);
    in.input_ids = hfm_tensor_i64(ids, 1, 2);
    generate(&r, &in, &config);
    in.input_ids = hfm_tensor_i64(ids, 2, 3);
    generate(&r, &in, &config);
    row(hfm_generate(NULL, &usual, &config, &out, &r.error), &r.error);
    row(hfm_generate(r.session, NULL, &config, &out, &r.error), &r.error);
    row(hfm_generate(r.session, &usual, &config, NULL, &r.error), &r.error);
    row(hfm_generation_begin(r.session, &usual, &config, NULL, &r.error), &r.error);
    row(hfm_generation_next(NULL, 0, &done, &r.error), &r.error);
    row(hfm_generation_outputs(NULL, &out, &r.error), &r.error);
    if (CHECK_INT(hfm_generation_begin(r.session, &usual, &config, &generation, &r.error), HFM_OK)) {
      row(hfm_generation_next(generation, 0, NULL, &r.error), &r.error);
      row(hfm_generation_outputs(generation, NULL, &r.error), &r.error);
      CHECK_INT(hfm_cache_crop(r.session, 0, &r.error), HFM_OK);
      row(hfm_generation_next(generation, 0, &done, &r.error), &r.error);
      hfm_generation_free(generation);
    }
  }
  run_end(&r);
  in = usual;
  if (run_begin(&r, &gpt2)) GENERATE(config.max_length = 99);
  run_end(&r);
  if (run_begin(&r, &bert)) generate(&r, &in, &config);
  run_end(&r);
}

/* What texts begin with, where there is an encoder. */
static void start_rows(void) {
  static const change bart = {"bart_generation", {NULL}, HFM_SEQ2SEQ_LM},
                      nothing = {"mbart_generation", {"decoder_start_token_id", "null", "bos_token_id", "null"},
                                 HFM_SEQ2SEQ_LM};
  static const int64_t far[1] = {99};
  hfm_inputs in = hfm_input_ids(ids, 1, 3);
  hfm_generation_config config;
  hfm_generated out;
  run r;
  memset(&config, 0, sizeof config);
  if (run_begin(&r, &nothing)) generate(&r, &in, &config);
  run_end(&r);
  if (run_begin(&r, &bart)) {
    GENERATE(config.decoder_start_token_id = tokens(ids, 3));
    GENERATE(config.decoder_start_token_id = tokens(far, 1));
    in.position_ids = in.input_ids;
    generate(&r, &in, &config);
    memset(&in.position_ids, 0, sizeof in.position_ids);
    in.decoder_input_ids = hfm_tensor_i64(ids, 2, 1);
    generate(&r, &in, &config);
    in.decoder_input_ids = hfm_tensor_i64(ids, 1, 1);
    in.use_cache = 1;
    config.decoder_start_token_id = tokens(ids, 1);
    config.max_new_tokens = 1;
    CHECK_INT(hfm_generate(r.session, &in, &config, &out, &r.error), HFM_OK);
    memset(&in.input_ids, 0, sizeof in.input_ids);
    in.attention_mask = hfm_tensor_i64(ids, 1, 2);
    generate(&r, &in, &config);
  }
  run_end(&r);
}
#undef GENERATE

static void generation_file_row(const char *key, const char *json) {
  change llama = {"llama_causal", {NULL}, HFM_CAUSAL_LM};
  const hfm_inputs in = hfm_input_ids(ids, 1, 3);
  run r;
  llama.changes[0] = key;
  llama.changes[1] = json;
  if (run_begin(&r, &llama)) generate(&r, &in, NULL);
  run_end(&r);
}

/* Options that the files say. */
static void generation_file_rows(void) {
  static char list[2 * ((1 << 20) + 2)]; /* "[0,0 ...": a little more than a million */
  generation_file_row("guidance_scale", "2");
  generation_file_row("max_length", "100000000");
  generation_file_row("suppress_tokens", "\"x\"");
  generation_file_row("bad_words_ids", "5");
  for (size_t i = 0; i < sizeof list - 1; i += 2) memcpy(list + i, ",0", 2);
  list[0] = '[';
  list[sizeof list - 2] = ']';
  list[sizeof list - 1] = 0;
  generation_file_row("bad_words_ids", list);
  memcpy(list + 2 * 5000, "]", 2);
  generation_file_row("eos_token_id", list);
}

/* A model whose last weight is no number. */
static void nan_row(void) {
  const hfm_inputs in = hfm_input_ids(ids, 1, 3);
  hfm_memory_file files[2];
  hfm_options options;
  char *config, *weights;
  run r;
  memset(&r, 0, sizeof r);
  memset(&options, 0, sizeof options);
  options.task = HFM_CAUSAL_LM;
  config = load_as(&files[0], "config.json", "tests/models/llama_causal/config.json");
  weights = load_as(&files[1], "model.safetensors", "tests/models/llama_causal/model.safetensors");
  if (weights && files[1].size > 4) memset(weights + files[1].size - 4, 0xff, 4);
  if (CHECK_INT(hfm_from_memory(files, 2, &options, &r.model, &r.error), HFM_OK) &&
      CHECK_INT(hfm_session_create(r.model, NULL, &r.session, &r.error), HFM_OK))
    generate(&r, &in, NULL);
  run_end(&r);
  free(config);
  free(weights);
}

static void test_table(void) {
  input_rows();
  family_rows();
  session_rows();
  helper_rows();
  cache_rows();
  encoded_rows();
  option_rows();
  prompt_rows();
  start_rows();
  generation_file_rows();
  nan_row();
  compare_table("error_runs");
}

int main(void) {
  TEST(test_table);
  return check_report("test_error_runs");
}
