/* Models with an encoder: its text is encoded once, in the first call with a cache, and what the decoder says piece by
   piece is what it says in one piece. */
#include "hfmodel.h"
#include "check.h"
#include "support.h"
#include <math.h>
#include <stdlib.h>

enum { SOURCE = 70, TARGET = 80, BATCH = 3, MOST = 90 };

static const struct {
  const char *dir;
  hfm_task task;
} subjects[] = {{FIXTURE("t5_generation"), HFM_SEQ2SEQ_LM},
                {FIXTURE("t5_base"), HFM_BASE},
                {FIXTURE("mt5_bf16"), HFM_SEQ2SEQ_LM},
                {FIXTURE("bart_generation"), HFM_SEQ2SEQ_LM},
                {FIXTURE("bart_base"), HFM_BASE},
                {FIXTURE("bart_bf16"), HFM_SEQ2SEQ_LM},
                {FIXTURE("mbart_generation"), HFM_SEQ2SEQ_LM},
                {FIXTURE("marian_generation"), HFM_SEQ2SEQ_LM},
                {FIXTURE("pegasus_base"), HFM_BASE},
                {FIXTURE("m2m_100_bf16"), HFM_SEQ2SEQ_LM}};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

static int64_t source[BATCH * SOURCE], source_mask[BATCH * SOURCE], target[BATCH * TARGET];
static float whole[BATCH * TARGET * MOST];
static int64_t width;

static void prepare(void) {
  fill_ids(source, BATCH * SOURCE, 1);
  fill_ids(target, BATCH * TARGET, 2);
  for (int64_t b = 0; b < BATCH; b++)
    for (int64_t i = 0; i < SOURCE; i++) source_mask[b * SOURCE + i] = i < SOURCE - 9 * b;
}

static hfm_model *load(int subject, int32_t attention) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.task = subjects[subject].task;
  options.attn_implementation = attention;
  options.batch_invariant = 1;
  return load_fixture(subjects[subject].dir, &options);
}

/* Columns [from, to) of the decoder's text, until the next call; the source only with the first. */
static hfm_inputs piece(int64_t from, int64_t to) {
  static int64_t some[BATCH * TARGET];
  hfm_inputs in;
  memset(&in, 0, sizeof in);
  for (int64_t b = 0; b < BATCH; b++)
    memcpy(some + b * (to - from), target + b * TARGET + from, (size_t)(to - from) * sizeof *some);
  if (from == 0) in.input_ids = hfm_tensor_i64(source, BATCH, SOURCE);
  in.attention_mask = hfm_tensor_i64(source_mask, BATCH, SOURCE);
  in.decoder_input_ids = hfm_tensor_i64(some, BATCH, to - from);
  in.use_cache = 1;
  return in;
}

static const hfm_tensor *result_of(const hfm_outputs *out) {
  return out->logits.data ? &out->logits : &out->last_hidden_state;
}

static void run_whole(hfm_session *session) {
  hfm_inputs in = piece(0, TARGET);
  hfm_outputs out;
  hfm_error error;
  in.use_cache = 0;
  if (!CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK)) return;
  CHECK_INT(out.encoder_last_hidden_state.shape[1], SOURCE);
  width = result_of(&out)->shape[2];
  if (CHECK(width <= MOST))
    memcpy(whole, result_of(&out)->data, (size_t)(BATCH * TARGET * width) * sizeof *whole);
}

/* Runs columns [from, to) of rows rows[0], rows[1], ... of the text against the whole. */
static int go_on(hfm_session *session, int64_t from, int64_t to, const int64_t *rows, int64_t count) {
  static int64_t some[BATCH * TARGET], kept[BATCH * SOURCE];
  hfm_inputs in = piece(from, to);
  hfm_outputs out;
  hfm_error error;
  hfm_result result;
  const float *got;
  for (int64_t b = 0; b < count; b++) {
    memcpy(some + b * (to - from), target + rows[b] * TARGET + from, (size_t)(to - from) * sizeof *some);
    memcpy(kept + b * SOURCE, source_mask + rows[b] * SOURCE, SOURCE * sizeof *kept);
  }
  in.decoder_input_ids = hfm_tensor_i64(some, count, to - from);
  in.attention_mask = hfm_tensor_i64(kept, count, SOURCE);
  result = hfm_forward(session, &in, &out, &error);
  if (result) printf("  %s\n", error.message);
  if (!CHECK_INT(result, HFM_OK)) return 0;
  CHECK((out.encoder_last_hidden_state.data != NULL) == (from == 0));
  got = (const float *)result_of(&out)->data;
  for (int64_t b = 0; b < count; b++)
    if (!CHECK(memcmp(got + b * (to - from) * width, whole + (rows[b] * TARGET + from) * width,
                      (size_t)((to - from) * width) * sizeof *got) == 0)) {
      printf("  row %d, positions %d to %d\n", (int)b, (int)from, (int)to);
      return 0;
    }
  return 1;
}

static const int64_t all[] = {0, 1, 2};

static void test_pieces(void) {
  static const int64_t ends[] = {1, 2, 5, 63, 64, 66, TARGET};
  prepare();
  for (int s = 0; s < SUBJECTS; s++)
    for (int32_t attention = HFM_ATTN_EAGER; attention <= HFM_ATTN_FLASH_ATTENTION_2; attention++) {
      hfm_model *model = load(s, attention);
      hfm_session *session = new_session(model, 2);
      hfm_error error;
      run_whole(session);
      for (int round = 0; round < 2; round++) {
        int64_t from = 0;
        for (size_t i = 0; i < sizeof ends / sizeof *ends && go_on(session, from, ends[i], all, BATCH); i++)
          from = ends[i];
        CHECK_INT(hfm_cache_length(session), TARGET);
        CHECK_INT(hfm_cache_crop(session, 5, &error), HFM_OK); /* the encoded text stays */
        go_on(session, 5, 9, all, BATCH);
        CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK); /* and goes */
      }
      hfm_session_free(session);
      hfm_model_free(model);
    }
}

/* Rows of the encoded text go with their sequences; saved caches hold it. */
static void test_rows(void) {
  static const int64_t chosen[] = {2, 0}, once[] = {1}, last[] = {0};
  hfm_model *model = load(0, 0);
  hfm_session *session = new_session(model, 1), *other = new_session(model, 1);
  hfm_error error;
  uint64_t size;
  uint8_t *bytes;
  prepare();
  run_whole(session);
  go_on(session, 0, 10, all, BATCH);
  CHECK_INT(hfm_cache_reorder(session, chosen, 2, &error), HFM_OK);
  go_on(session, 10, 11, chosen, 2);
  CHECK_INT(hfm_cache_reorder(session, once, 1, &error), HFM_OK);
  go_on(session, 11, 12, last, 1);
  size = hfm_cache_size(session); /* 2 layers; 3 heads of 7; decoder's and encoder's keys and values */
  CHECK_INT((long long)size, 56 + 24 * 8 + 4 * (12 + SOURCE) * 3 * 7 * 4);
  bytes = (uint8_t *)malloc((size_t)size);
  if (CHECK(bytes != NULL)) {
    CHECK_INT(hfm_cache_save(session, bytes, size, &error), HFM_OK);
    CHECK_INT(hfm_cache_load(other, bytes, size, &error), HFM_OK);
    go_on(other, 12, 20, last, 1);
    bytes[48] = 0;
    bytes[49] = 1; /* another encoded length */
    CHECK_INT(hfm_cache_load(other, bytes, size, &error), HFM_ERROR_ARGUMENT);
    CHECK_INT(hfm_cache_length(other), 20);
  }
  free(bytes);
  hfm_session_free(session);
  hfm_session_free(other);
  hfm_model_free(model);
}

/* What does not fit says so, and the session can be used as before. */
static void test_refused(void) {
  hfm_model *model = load(0, 0);
  hfm_session *session = new_session(model, 1);
  hfm_inputs in, like;
  hfm_outputs out;
  hfm_error error;
  prepare();
  run_whole(session);
  in = piece(5, 9);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_ARGUMENT); /* nothing is encoded yet */
  CHECK_CONTAINS(error.message, "needs input_ids");
  in.use_cache = 0;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "needs input_ids");
  in = piece(0, 5);
  in.decoder_input_ids.data = NULL;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "needs decoder_input_ids");
  go_on(session, 0, 5, all, BATCH);
  in = piece(0, 5); /* a second text on top of the first */
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "the cache holds an encoded text already");
  in = piece(5, 9);
  in.attention_mask.shape[1] = SOURCE - 1;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  CHECK_CONTAINS(error.message, "attention_mask has shape [3, 69], but needs [3, 70]");
  go_on(session, 5, 9, all, BATCH);
  like = piece(0, 1);
  CHECK_INT(hfm_session_reserve(session, BATCH, TARGET, &like, &error), HFM_OK);
  CHECK_INT(hfm_session_reserve(session, BATCH, TARGET, NULL, &error), HFM_OK);
  go_on(session, 9, 12, all, BATCH);
  hfm_session_free(session);
  hfm_model_free(model);
}

/* mBART's decoder begins with the last token that is not padding: there must be one. */
static void test_nothing_but_padding(void) {
  static const int64_t ids[] = {5, 6, 1, 1, 1, 1}, decoder[] = {3, 4};
  hfm_model *model = load_fixture(FIXTURE("mbart_base"), NULL);
  hfm_session *session = new_session(model, 1);
  hfm_inputs in = hfm_input_ids(ids, 2, 3);
  hfm_outputs out;
  hfm_error error;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  CHECK_INT(error.item, HFM_E_INPUT_RANGE);
  CHECK_CONTAINS(error.message, "input_ids[1] has nothing but pad_token_id, which is 1");
  in.decoder_input_ids = hfm_tensor_i64(decoder, 2, 1); /* then it needs none */
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  in = hfm_input_ids(ids, 1, 3);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  hfm_session_free(session);
  hfm_model_free(model);
}

/* An encoder without layers has no table of relative positions either. */
static void test_no_layers(void) {
  static const char config[] = "{\"model_type\": \"t5\", \"vocab_size\": 61, \"d_model\": 12, \"d_kv\": 4, "
                               "\"d_ff\": 8, \"num_heads\": 3, \"num_layers\": 0, \"num_decoder_layers\": 2}";
  hfm_memory_file file;
  hfm_options options;
  hfm_model *model = NULL;
  hfm_session *session;
  hfm_inputs in;
  hfm_outputs out;
  hfm_error error;
  file.name = "config.json";
  file.data = config;
  file.size = sizeof config - 1;
  memset(&options, 0, sizeof options);
  options.task = HFM_SEQ2SEQ_LM;
  options.random_weights = 1;
  if (!CHECK_INT(hfm_from_memory(&file, 1, &options, &model, &error), HFM_OK)) return;
  session = new_session(model, 1);
  in = hfm_input_ids(source, 1, 5);
  in.decoder_input_ids = hfm_tensor_i64(target, 1, 3);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK_INT(out.logits.shape[1], 3);
  hfm_session_free(session);
  hfm_model_free(model);
}

int main(void) {
  TEST(test_nothing_but_padding);
  TEST(test_pieces);
  TEST(test_rows);
  TEST(test_refused);
  TEST(test_no_layers);
  return check_report("test_encoder_decoder");
}
