/* Forwards that go on from the session's cache give what one forward of the whole text gives: past_key_values. */
#include "hfmodel.h"
#include "check.h"
#include "failing_alloc.h"
#include "support.h"
#include <math.h>

enum { LENGTH = 24, BATCH = 3, WIDTH = 256 };

typedef struct subject {
  const char *dir;
  hfm_task task;
} subject;

static const subject subjects[] = {
    {FIXTURE("gpt2_causal"), HFM_CAUSAL_LM},   {FIXTURE("gpt2_base"), HFM_BASE},
    {FIXTURE("llama_causal"), HFM_CAUSAL_LM},  {FIXTURE("llama_wide"), HFM_BASE},
    {FIXTURE("llama_no_gqa"), HFM_BASE},       {FIXTURE("mistral_causal"), HFM_CAUSAL_LM},
    {FIXTURE("qwen2_causal"), HFM_CAUSAL_LM},  {FIXTURE("qwen3_causal"), HFM_CAUSAL_LM},
    {FIXTURE("mistral_base"), HFM_BASE},       {FIXTURE("llama_bf16_sharded"), HFM_BASE},
    {FIXTURE("gemma_causal"), HFM_CAUSAL_LM},  {FIXTURE("gemma_bf16"), HFM_CAUSAL_LM},
    {FIXTURE("gemma2_causal"), HFM_CAUSAL_LM}, {FIXTURE("gemma3_causal"), HFM_CAUSAL_LM},
    {FIXTURE("smollm3_base"), HFM_BASE},       {FIXTURE("olmo2_causal"), HFM_CAUSAL_LM},
    {FIXTURE("granite_causal"), HFM_CAUSAL_LM},  {FIXTURE("phi3_causal"), HFM_CAUSAL_LM},
    {FIXTURE("mixtral_base"), HFM_BASE},       {FIXTURE("qwen3_moe_causal"), HFM_CAUSAL_LM},
    {FIXTURE("mixtral_bf16_sharded"), HFM_CAUSAL_LM},
    {FIXTURE("bert_causal"), HFM_CAUSAL_LM},   {FIXTURE("roberta_causal"), HFM_CAUSAL_LM},
    {FIXTURE("ministral_base"), HFM_BASE},
    {FIXTURE("opt_causal"), HFM_CAUSAL_LM},    {FIXTURE("gpt_neox_causal"), HFM_CAUSAL_LM},
    {FIXTURE("gpt_neo_base"), HFM_BASE},       {FIXTURE("phi_causal"), HFM_CAUSAL_LM},
    {FIXTURE("falcon_40b"), HFM_BASE},         {FIXTURE("falcon_rw"), HFM_CAUSAL_LM},
    {FIXTURE("bloom_causal"), HFM_CAUSAL_LM}};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

static int64_t ids[BATCH * LENGTH], mask[BATCH * LENGTH];
static float whole[BATCH * LENGTH * WIDTH];
static int64_t width;

static hfm_model *load(const subject *s, int32_t attention, int32_t invariant) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.task = s->task;
  options.attn_implementation = attention;
  options.batch_invariant = invariant;
  return load_fixture(s->dir, &options);
}

/* Columns [from, to) of the ids, until the next call; the mask covers everything before them, too. */
static hfm_inputs piece(int64_t from, int64_t to, int masked) {
  static int64_t some[BATCH * LENGTH], kept[BATCH * LENGTH];
  hfm_inputs in;
  memset(&in, 0, sizeof in);
  for (int64_t b = 0; b < BATCH; b++) {
    memcpy(some + b * (to - from), ids + b * LENGTH + from, (size_t)(to - from) * sizeof *some);
    memcpy(kept + b * to, mask + b * LENGTH, (size_t)to * sizeof *kept);
  }
  in.input_ids = hfm_tensor_i64(some, BATCH, to - from);
  if (masked) in.attention_mask = hfm_tensor_i64(kept, BATCH, to);
  in.use_cache = 1;
  return in;
}

/* Left padding, as batches of prompts have it: row b begins after 2 b pads. */
static void prepare(void) {
  for (int64_t b = 0; b < BATCH; b++) {
    fill_ids(ids + b * LENGTH, LENGTH, b);
    for (int64_t i = 0; i < LENGTH; i++) mask[b * LENGTH + i] = i >= 2 * b;
  }
}

static const float *first_output(const hfm_outputs *out) {
  width = out->items_count ? out->items[0].tensor.shape[2] : 0;
  return out->items_count ? (const float *)out->items[0].tensor.data : NULL;
}

static int run_whole(hfm_session *session, int masked) {
  hfm_inputs in = piece(0, LENGTH, masked);
  hfm_outputs out;
  hfm_error error;
  in.use_cache = 0;
  if (!CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK)) return 0;
  if (!CHECK(first_output(&out) && width <= WIDTH)) return 0;
  memcpy(whole, out.items[0].tensor.data, (size_t)(BATCH * LENGTH * width) * sizeof(float));
  return 1;
}

/* The rows of columns [from, to) against those of the whole text, where the mask keeps them. */
static int same_rows(const hfm_outputs *out, int64_t from, int64_t to, int masked, int exact) {
  const float *got = first_output(out);
  for (int64_t b = 0; b < BATCH; b++) {
    for (int64_t i = from; i < to; i++) {
      if (masked && !mask[b * LENGTH + i]) continue;
      for (int64_t j = 0; j < width; j++) {
        const float x = got[(b * (to - from) + i - from) * width + j], y = whole[(b * LENGTH + i) * width + j];
        if (exact ? memcmp(&x, &y, sizeof x) != 0 : !(fabs((double)x - (double)y) <= 2e-5 + 1e-4 * fabs((double)y))) {
          printf("  row %d, position %d, element %d: %.9g, in one piece %.9g\n", (int)b, (int)i, (int)j, (double)x,
                 (double)y);
          return 0;
        }
      }
    }
  }
  return 1;
}

static void in_pieces(hfm_session *session, int masked, int exact) {
  static const int64_t ends[] = {5, 6, 7, 12, 13, 23, LENGTH};
  int64_t from = 0;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    const hfm_inputs in = piece(from, ends[i], masked);
    hfm_outputs out;
    hfm_error error;
    const hfm_result result = hfm_forward(session, &in, &out, &error);
    if (result) printf("  %s\n", error.message);
    if (!CHECK_INT(result, HFM_OK) || !CHECK(same_rows(&out, from, ends[i], masked, exact))) return;
    CHECK_INT(hfm_cache_length(session), ends[i]);
    from = ends[i];
  }
}

static void test_pieces(void) {
  prepare();
  for (int s = 0; s < SUBJECTS; s++) {
    for (int32_t attention = HFM_ATTN_EAGER; attention <= HFM_ATTN_FLASH_ATTENTION_2; attention++) {
      for (int masked = 0; masked < 2; masked++) {
        hfm_model *model = load(&subjects[s], attention, 0);
        hfm_session *session = new_session(model, 2);
        hfm_error error;
        if (run_whole(session, masked)) in_pieces(session, masked, 0);
        CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK);
        in_pieces(session, masked, 0);
        hfm_session_free(session);
        hfm_model_free(model);
      }
    }
  }
}

/* batch_invariant: a step has the bits that the same position has in the whole text. */
static void test_same_bits(void) {
  prepare();
  for (int s = 0; s < SUBJECTS; s++) {
    hfm_model *model = load(&subjects[s], 0, 1);
    hfm_session *session = new_session(model, 2);
    if (run_whole(session, 1)) in_pieces(session, 1, 1);
    hfm_session_free(session);
    hfm_model_free(model);
  }
}

/* Going back and on again gives the same bits as before. */
static void test_crop(void) {
  hfm_model *model = load(&subjects[2], 0, 0);
  hfm_session *session = new_session(model, 1);
  static float first[BATCH * LENGTH * WIDTH];
  hfm_outputs out;
  hfm_inputs in;
  hfm_error error;
  prepare();
  for (int round = 0; round < 3; round++) {
    in = piece(0, 9, 1);
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    in = piece(9, 17, 1);
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    if (!CHECK(first_output(&out) != NULL)) return;
    if (round == 0) memcpy(first, first_output(&out), (size_t)(BATCH * 8 * width) * sizeof(float));
    CHECK(memcmp(first, first_output(&out), (size_t)(BATCH * 8 * width) * sizeof(float)) == 0);
    CHECK_INT(hfm_cache_crop(session, 9, &error), HFM_OK);
    CHECK_INT(hfm_cache_length(session), 9);
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    CHECK(memcmp(first, first_output(&out), (size_t)(BATCH * 8 * width) * sizeof(float)) == 0);
    CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK);
  }
  hfm_session_free(session);
  hfm_model_free(model);
}

/* Within what was reserved nothing is allocated; beyond it the cache moves and keeps what it holds. */
static void test_memory(void) {
  failing_alloc memory;
  hfm_options options;
  hfm_model *model;
  hfm_session *session;
  hfm_inputs like = piece(0, 1, 1);
  hfm_outputs out;
  hfm_error error;
  int64_t calls;
  prepare();
  failing_alloc_begin(&memory, -1);
  memset(&options, 0, sizeof options);
  options.task = HFM_CAUSAL_LM;
  options.allocator = memory.allocator;
  model = load_fixture(subjects[2].dir, &options);
  session = new_session(model, 1);
  CHECK_INT(hfm_session_reserve(session, BATCH, 16, &like, &error), HFM_OK);
  calls = memory.calls;
  for (int64_t i = 0; i < 16; i++) {
    const hfm_inputs in = piece(i, i + 1, 1);
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  }
  CHECK_INT(memory.calls, calls);
  for (int64_t i = 16; i < LENGTH; i++) {
    const hfm_inputs in = piece(i, i + 1, 1);
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  }
  CHECK(memory.calls > calls);
  if (run_whole(session, 1)) {
    const hfm_inputs in = piece(LENGTH - 1, LENGTH, 1);
    CHECK_INT(hfm_cache_crop(session, LENGTH - 1, &error), HFM_OK);
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    CHECK(same_rows(&out, LENGTH - 1, LENGTH, 1, 0));
  }
  hfm_session_free(session);
  hfm_model_free(model);
  CHECK(failing_alloc_clean(&memory));
}

/* Every allocation of growing fails in turn: an error, and the session goes on as if nothing had happened. */
static void test_failing_growth(void) {
  prepare();
  for (int64_t at = 0; at < 200; at++) {
    failing_alloc memory;
    hfm_options options;
    hfm_model *model;
    hfm_session *session;
    hfm_inputs in;
    hfm_outputs out;
    hfm_error error;
    hfm_result result;
    failing_alloc_begin(&memory, -1);
    memset(&options, 0, sizeof options);
    options.task = HFM_CAUSAL_LM;
    options.allocator = memory.allocator;
    model = load_fixture(subjects[2].dir, &options);
    session = new_session(model, 1);
    CHECK(run_whole(session, 1));
    in = piece(0, 5, 1);
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    in = piece(5, 20, 1);
    memory.fail_at = memory.calls + at;
    result = hfm_forward(session, &in, &out, &error);
    memory.fail_at = -1;
    if (result) {
      CHECK_INT(result, HFM_ERROR_MEMORY);
      CHECK_INT(hfm_cache_length(session), 5);
      CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    }
    CHECK(same_rows(&out, 5, 20, 1, 0));
    hfm_session_free(session);
    hfm_model_free(model);
    CHECK(failing_alloc_clean(&memory));
    if (!result) {
      CHECK(at > 3);
      return;
    }
  }
  CHECK(0);
}

static int32_t cancel_now(void *ctx, const char *stage, uint64_t done, uint64_t total, const char *unit) {
  (void)stage;
  (void)done;
  (void)total;
  (void)unit;
  return *(int32_t *)ctx;
}

/* A forward that does not finish adds nothing. */
static void test_unfinished(void) {
  hfm_model *model = load(&subjects[2], 0, 0);
  hfm_session_options so;
  hfm_session *session = NULL;
  hfm_outputs out;
  hfm_inputs in;
  hfm_error error;
  int32_t cancel = 0, done = 0;
  memset(&so, 0, sizeof so);
  so.threads = 1;
  so.progress.update = cancel_now;
  so.progress.ctx = &cancel;
  prepare();
  CHECK_INT(hfm_session_create(model, &so, &session, &error), HFM_OK);
  CHECK(run_whole(session, 1));
  in = piece(0, 9, 1);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  in = piece(9, LENGTH, 1);
  cancel = 1;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_CANCELLED);
  CHECK_INT(hfm_cache_length(session), 9);
  cancel = 0;
  CHECK_INT(hfm_session_begin(session, &in, &error), HFM_OK);
  CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_OK);
  CHECK_INT(hfm_cache_length(session), 9);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK(same_rows(&out, 9, LENGTH, 1, 0));
  hfm_session_free(session);
  hfm_model_free(model);
}

/* A reservation for other shapes than those in the cache leaves it as it is, whatever else was reserved before. */
static void test_reserved_between(void) {
  static const int64_t shapes[][2] = {{1, 40}, {8, 3}, {1, 300}, {BATCH, LENGTH}, {2, 2}};
  static float alone[BATCH * WIDTH];
  for (int32_t reserved = 0; reserved < 2; reserved++) {
    hfm_model *model = load(&subjects[2], HFM_ATTN_DEFAULT, 0);
    hfm_session *session = new_session(model, 1);
    hfm_outputs out;
    hfm_error error;
    for (int64_t at = 0; at < 10; at += 2) {
      hfm_inputs in = piece(at, at + 2, 1);
      const size_t bytes = BATCH * 8 * sizeof(float);
      if (reserved)
        CHECK_INT(hfm_session_reserve(session, shapes[at / 2][0], shapes[at / 2][1], &in, &error), HFM_OK);
      CHECK_INT(hfm_cache_length(session), at);
      if (!CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK)) break;
      if (at < 8) continue;
      if (reserved) CHECK(memcmp(alone, first_output(&out), bytes) == 0);
      else memcpy(alone, first_output(&out), bytes);
    }
    hfm_session_free(session);
    hfm_model_free(model);
  }
}

/* Only the last positions' logits: the same numbers, and all of them where more are asked for than there are. */
static void test_logits_to_keep(void) {
  static const int32_t kept[] = {1, 5, LENGTH, 1000};
  prepare();
  for (int s = 0; s < 2; s++) {
    hfm_model *model = load(&subjects[s ? 2 : 0], 0, 1);
    hfm_session *session = new_session(model, 2);
    hfm_outputs out;
    hfm_error error;
    hfm_inputs in;
    CHECK(run_whole(session, 1));
    for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) {
      const int64_t rows = kept[k] < LENGTH ? kept[k] : LENGTH;
      in = piece(0, LENGTH, 1);
      in.use_cache = 0;
      in.logits_to_keep = kept[k];
      CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
      CHECK_INT(out.logits.shape[1], rows);
      CHECK(same_rows(&out, LENGTH - rows, LENGTH, 1, 1));
    }
    in.logits_to_keep = -1;
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_ARGUMENT);
    CHECK_CONTAINS(error.message, "logits_to_keep");
    hfm_session_free(session);
    hfm_model_free(model);
  }
}

/* What has no logits of a next token says so, rather than to give all of its outputs. */
static void test_logits_to_keep_refused(void) {
  static const struct {
    const char *dir, *architecture;
  } others[] = {{FIXTURE("llama_base"), "LlamaModel"},
                {FIXTURE("gpt2_token"), "GPT2ForTokenClassification"},
                {FIXTURE("llama_question"), "LlamaForQuestionAnswering"},
                {FIXTURE("bert_masked"), "BertForMaskedLM"},
                {FIXTURE("bert_sequence"), "BertForSequenceClassification"}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    hfm_options options;
    hfm_model *model;
    hfm_session *session;
    hfm_outputs out;
    hfm_error error;
    hfm_inputs in = piece(0, 7, 1);
    memset(&options, 0, sizeof options);
    options.task = HFM_TASK_FROM_CONFIG;
    model = load_fixture(others[i].dir, &options);
    session = new_session(model, 1);
    in.use_cache = 0;
    in.logits_to_keep = 1;
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_ARGUMENT);
    CHECK_INT(error.item, HFM_E_INPUT_UNEXPECTED);
    CHECK_STR(error.what, "logits_to_keep");
    CHECK_CONTAINS(error.message, others[i].architecture);
    in.logits_to_keep = 0;
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    hfm_session_free(session);
    hfm_model_free(model);
  }
}

/* X2: what is cached and what is new together fit the positions. X4: lengths are not counted below 0. */
static void test_refused(void) {
  hfm_options options;
  hfm_model *model = load(&subjects[0], 0, 0), *bert, *roberta;
  hfm_session *session = new_session(model, 1);
  hfm_inputs in = piece(0, 9, 1);
  hfm_outputs out;
  hfm_error error;
  static int64_t many[64];
  const float embeds[2 * 18] = {0};
  const int64_t shape[3] = {1, 2, 18}, positions[2] = {2, 3};
  prepare();
  CHECK_INT(hfm_cache_length(NULL), 0);
  CHECK_INT(hfm_cache_crop(NULL, 0, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_cache_crop(session, 1, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_cache_crop(session, -1, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  in = piece(9, 12, 1); /* the mask must cover the cache */
  in.attention_mask.shape[1] = 3;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  CHECK_CONTAINS(error.message, "attention_mask has shape [3, 3], but needs [3, 12]");
  in = piece(9, 12, 0);
  in.input_ids.shape[0] = 1;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  CHECK_CONTAINS(error.message, "the cache holds 3 sequences; empty it with hfm_cache_crop");
  CHECK_INT(hfm_cache_length(session), 9);
  CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK);
  memset(&in, 0, sizeof in);
  in.use_cache = 1;
  for (int64_t i = 0; i < 64; i++) many[i] = 1; /* beyond the position table, by and by */
  in.input_ids = hfm_tensor_i64(many, 1, 16);
  while (hfm_forward(session, &in, &out, &error) == HFM_OK) {
    if (!CHECK(hfm_cache_length(session) < 2048)) break;
  }
  CHECK_CONTAINS(error.message, "with the cache, but this model takes at most");
  in.input_ids = hfm_tensor_i64(many, 1, 1); /* and the session can still be used */
  CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  hfm_session_free(session);
  hfm_model_free(model);
  memset(&options, 0, sizeof options);
  bert = load_fixture(FIXTURE("bert_base"), &options);
  session = new_session(bert, 1);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "keeps no keys and values");
  hfm_session_free(session);
  hfm_model_free(bert);
  options.task = HFM_CAUSAL_LM; /* RoBERTa's decoder forgets, for embeddings, at which position the cache ends */
  roberta = load_fixture(FIXTURE("roberta_causal"), &options);
  session = new_session(roberta, 1);
  memset(&in, 0, sizeof in);
  in.use_cache = 1;
  in.inputs_embeds = hfm_tensor_f32(embeds, 3, shape);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(error.item, HFM_E_INPUT_MISSING);
  CHECK_CONTAINS(error.message, "position_ids are needed with inputs_embeds and use_cache");
  in.position_ids = hfm_tensor_i64(positions, 1, 2);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  hfm_session_free(session);
  hfm_model_free(roberta);
}

int main(void) {
  TEST(test_pieces);
  TEST(test_same_bits);
  TEST(test_crop);
  TEST(test_memory);
  TEST(test_failing_growth);
  TEST(test_unfinished);
  TEST(test_reserved_between);
  TEST(test_logits_to_keep);
  TEST(test_logits_to_keep_refused);
  TEST(test_refused);
  return check_report("test_cache");
}
