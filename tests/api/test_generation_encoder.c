/* hfm_generate where the model has an encoder: what it takes, what it refuses, what stays in the cache, and what it
   allocates. What comes out is compared with Transformers in models/test_generate.c. */
#include "hfmodel.h"
#include "check.h"
#include "failing_alloc.h"
#include "support.h"

enum { ROWS = 2, SOURCE = 6, NEW = 12 };

static const int64_t source[ROWS * SOURCE] = {5, 17, 9, 33, 2, 41, 8, 3, 21, 4, 0, 0};
static const int64_t source_mask[ROWS * SOURCE] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0};
static hfm_error error;
static hfm_model *model;
static hfm_session *session;

static void setup(const char *dir, const hfm_allocator *allocator) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.task = HFM_SEQ2SEQ_LM;
  options.batch_invariant = 1;
  if (allocator) options.allocator = *allocator;
  model = load_fixture(dir, &options);
  session = new_session(model, 2);
}

static void teardown(void) {
  hfm_session_free(session);
  hfm_model_free(model);
}

static hfm_inputs sources(int64_t rows) {
  hfm_inputs in = hfm_input_ids(source, rows, SOURCE);
  in.attention_mask = hfm_tensor_i64(source_mask, rows, SOURCE);
  return in;
}

static hfm_generation_config plain(void) {
  hfm_generation_config config;
  memset(&config, 0, sizeof config);
  config.max_new_tokens = NEW;
  config.eos_token_id.count = -1;
  config.forced_eos_token_id.count = -1;
  return config;
}

/* Generates; the ids are copied to `ids`. Returns how many a row has. */
static int64_t run(const hfm_inputs *in, const hfm_generation_config *config, int64_t *ids) {
  hfm_generated out;
  const hfm_result result = hfm_generate(session, in, config, &out, &error);
  if (result) printf("  %s\n", error.message);
  if (!CHECK_INT(result, HFM_OK)) return 0;
  memcpy(ids, out.sequences.data, (size_t)(out.sequences.shape[0] * out.sequences.shape[1]) * sizeof *ids);
  return out.sequences.shape[1];
}

static void refused(const hfm_inputs *in, const hfm_generation_config *config, int32_t item, const char *message) {
  hfm_generation *g = NULL;
  CHECK(hfm_generation_begin(session, in, config, &g, &error) != HFM_OK && !g);
  CHECK_STR(hfm_error_item_name(error.item), hfm_error_item_name(item));
  CHECK_CONTAINS(error.message, message);
}

#define T5 FIXTURE("t5_two_layers")
#define BART FIXTURE("bart_generation")

static void test_refused(void) {
  static const int64_t ids[] = {5, 61, 3};
  static const float embeds[21] = {0};
  hfm_generation_config config = plain();
  hfm_inputs in = sources(ROWS);
  int64_t first[64], again[64];
  setup(T5, NULL);
  (void)run(&in, &config, first);
  in.decoder_input_ids = hfm_tensor_i64(ids, 1, 3);
  refused(&in, &config, HFM_E_INPUT_RANGE, "decoder_input_ids[0][1] is 61");
  in.decoder_input_ids = hfm_tensor_i64(ids, 1, 1);
  refused(&in, &config, HFM_E_INPUT_SHAPE, "decoder_input_ids has 1 prompts, but input_ids has 2");
  in.decoder_input_ids = hfm_tensor_i64(ids, 2, 1);
  in.decoder_input_ids.rank = 1;
  refused(&in, &config, HFM_E_INPUT_RANK, "decoder_input_ids has 1 dimensions");
  in = sources(ROWS);
  in.decoder_attention_mask = hfm_tensor_i64(ids, 2, 1);
  refused(&in, &config, HFM_E_INPUT_SHAPE, "decoder_attention_mask has shape [2, 1]");
  in = sources(ROWS);
  in.attention_mask.shape[1] = 5;
  refused(&in, &config, HFM_E_INPUT_SHAPE, "attention_mask has shape [2, 5], but needs [2, 6], that of input_ids");
  in = sources(ROWS);
  in.position_ids = in.input_ids;
  refused(&in, &config, HFM_E_INPUT_UNEXPECTED, "decoder_attention_mask, but not position_ids");
  in = sources(ROWS);
  in.decoder_inputs_embeds.data = embeds;
  refused(&in, &config, HFM_E_INPUT_UNEXPECTED, "but not decoder_inputs_embeds");
  memset(&in, 0, sizeof in);
  refused(&in, &config, HFM_E_INPUT_MISSING, "generation needs input_ids");
  in.decoder_input_ids = hfm_tensor_i64(ids, 1, 1);
  refused(&in, &config, HFM_E_INPUT_MISSING, "generation needs input_ids"); /* no cache is asked for */
  in = sources(ROWS);
  in.attention_mask = hfm_tensor_i64(source_mask + SOURCE - 2, ROWS, SOURCE);
  in.attention_mask.shape[0] = 1;
  in.input_ids.shape[0] = 1;
  in.input_ids.shape[1] = in.attention_mask.shape[1] = 1;
  in.attention_mask.data = source_mask + ROWS * SOURCE - 1;
  refused(&in, &config, HFM_E_INPUT_RANGE, "prompt 0 is padding only");
  in = sources(ROWS);
  config.decoder_start_token_id.data = ids;
  config.decoder_start_token_id.count = 3;
  refused(&in, &config, HFM_E_ARGUMENT_VALUE, "decoder_start_token_id has 3 ids");
  config.decoder_start_token_id.count = 2;
  refused(&in, &config, HFM_E_INPUT_RANGE, "decoder_start_token_id is 61");
  config.decoder_start_token_id.count = -1;
  refused(&in, &config, HFM_E_CONFIG_MISSING, "Neither decoder_start_token_id nor bos_token_id is given");
  config = plain();
  config.max_length = 1;
  config.max_new_tokens = 0;
  refused(&in, &config, HFM_E_INPUT_TOO_LONG, "the prompt has length 1, but max_length is 1");
  config = plain();
  CHECK_INT(run(&in, &config, again), NEW + 1); /* the session is as it was */
  CHECK(!memcmp(first, again, ROWS * (NEW + 1) * sizeof *first));
  teardown();
}

/* BART's positions come from a table, of 96. */
static void test_too_long(void) {
  hfm_generation_config config = plain();
  const hfm_inputs in = sources(1);
  int64_t ids[128];
  setup(BART, NULL);
  config.max_new_tokens = 97;
  refused(&in, &config, HFM_E_INPUT_TOO_LONG, "at most 96 (max_position_embeddings)");
  config.max_new_tokens = 96;
  CHECK_INT(run(&in, &config, ids), 97);
  teardown();
}

/* The text goes on from the cache, which has what was encoded; no source is given again. */
static void test_goes_on(void) {
  static const char *const dirs[] = {T5, BART};
  for (int d = 0; d < 2; d++) {
    const hfm_generation_config config = plain();
    hfm_generation_config shorter = plain();
    hfm_inputs in = sources(ROWS), on;
    int64_t whole[ROWS * 32], part[ROWS * 32], rest[ROWS * 32];
    setup(dirs[d], NULL);
    CHECK_INT(run(&in, &config, whole), NEW + 1);
    shorter.max_new_tokens = 5;
    CHECK_INT(run(&in, &shorter, part), 6);
    CHECK_INT(hfm_cache_length(session), 5);
    memset(&on, 0, sizeof on);
    on.use_cache = 1;
    on.decoder_input_ids = hfm_tensor_i64(part, ROWS, 6);
    on.attention_mask = in.attention_mask;
    shorter.max_new_tokens = NEW - 5;
    CHECK_INT(run(&on, &shorter, rest), NEW + 1);
    CHECK(!memcmp(whole, rest, ROWS * (NEW + 1) * sizeof *whole));
    on.attention_mask.shape[1] = 3;
    refused(&on, &shorter, HFM_E_INPUT_SHAPE, "[2, 6], that of the encoded texts in the cache");
    in.use_cache = 1;
    in.decoder_input_ids = hfm_tensor_i64(rest, ROWS, NEW + 1);
    refused(&in, &shorter, HFM_E_INPUT_UNEXPECTED, "the cache holds an encoded text already");
    in.decoder_input_ids = hfm_tensor_i64(rest, ROWS, 2);
    refused(&in, &shorter, HFM_E_INPUT_SHAPE, "decoder_input_ids has length 2, but the cache has 12 positions");
    CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK);
    refused(&on, &shorter, HFM_E_INPUT_MISSING, "generation needs input_ids");
    teardown();
  }
}

/* A text among others, padded, gives what it gives alone, bit for bit; beams as well. */
static void test_alone(void) {
  for (int beams = 1; beams < 4; beams += 2) {
    hfm_generation_config config = plain();
    const hfm_inputs both = sources(ROWS);
    hfm_inputs alone = hfm_input_ids(source + SOURCE, 1, 4);
    hfm_generated out;
    int64_t together[ROWS * (NEW + 1)];
    float score;
    setup(T5, NULL);
    config.num_beams = beams;
    CHECK_INT(hfm_generate(session, &both, &config, &out, &error), HFM_OK);
    memcpy(together, out.sequences.data, sizeof together);
    score = beams > 1 ? ((const float *)out.sequences_scores.data)[1] : 0;
    CHECK_INT(hfm_generate(session, &alone, &config, &out, &error), HFM_OK);
    CHECK(!memcmp(together + NEW + 1, out.sequences.data, (NEW + 1) * sizeof *together));
    if (beams > 1) CHECK(!memcmp(&score, out.sequences_scores.data, sizeof score));
    teardown();
  }
}

/* After the beginning nothing is allocated. */
static void test_no_allocation(void) {
  const hfm_inputs in = sources(ROWS);
  for (int beams = 1; beams < 4; beams += 2) {
    hfm_generation_config config = plain();
    hfm_generation *g = NULL;
    failing_alloc memory;
    int32_t done = 0;
    failing_alloc_begin(&memory, -1);
    setup(T5, &memory.allocator);
    config.num_beams = beams;
    CHECK_INT(hfm_generation_begin(session, &in, &config, &g, &error), HFM_OK);
    memory.calls = memory.fail_at = 0;
    CHECK_INT(hfm_generation_next(g, 100, &done, &error), HFM_OK);
    CHECK(done && !memory.failed);
    hfm_generation_free(g);
    teardown();
    CHECK(failing_alloc_clean(&memory));
  }
}

/* Any allocation may fail: an error, nothing lost, and the session goes on. */
static void test_failing_allocations(void) {
  const hfm_inputs in = sources(ROWS);
  failing_alloc memory;
  hfm_generation_config config = plain();
  config.num_beams = 2;
  failing_alloc_begin(&memory, -1);
  setup(T5, &memory.allocator);
  hfm_session_free(session);
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

int main(void) {
  TEST(test_refused);
  TEST(test_too_long);
  TEST(test_goes_on);
  TEST(test_alone);
  TEST(test_no_allocation);
  TEST(test_failing_allocations);
  return check_report("test_generation_encoder");
}
