/* hfm_argmax, softmax, top_k, mean_pool, normalize and the names, against values worked out by hand; hfm_load and
   hfm_packed_bytes. */
#include "hfmodel.h"
#include "check.h"
#include "support.h"

static float bits(uint32_t pattern) {
  float v;
  memcpy(&v, &pattern, sizeof v);
  return v;
}
static float nan_value(void) { return bits(0x7fc00000u); }
static float infinity(void) { return bits(0x7f800000u); }
static int is_nan(float v) {
  uint32_t pattern;
  memcpy(&pattern, &v, sizeof pattern);
  return (pattern & 0x7fffffffu) > 0x7f800000u;
}

static void test_argmax(void) {
  const float values[] = {1, 5, -3, 5, 4};
  float with_nan[] = {1, 0, 9, 0};
  CHECK_INT(hfm_argmax(values, 5), 1); /* the first of equals */
  CHECK_INT(hfm_argmax(values, 1), 0);
  CHECK_INT(hfm_argmax(values, 0), -1);
  CHECK_INT(hfm_argmax(values, -4), -1);
  CHECK_INT(hfm_argmax(NULL, 5), -1);
  with_nan[1] = with_nan[3] = nan_value();
  CHECK_INT(hfm_argmax(with_nan, 4), 1); /* as torch: NaN is the largest */
  with_nan[0] = -infinity();
  with_nan[1] = -infinity();
  CHECK_INT(hfm_argmax(with_nan, 2), 0);
}

static void test_softmax(void) {
  float v[] = {0, 0.6931472f, -100000, 1.0986123f}; /* log 1, log 2, -, log 3 */
  float large[] = {3e38f, 3e38f}, one[] = {-5}, untouched[] = {7};
  hfm_softmax(v, 4, v); /* in place */
  CHECK_NEAR(v[0], 1.0 / 6, 1e-7);
  CHECK_NEAR(v[1], 2.0 / 6, 1e-7);
  CHECK_NEAR(v[2], 0, 0);
  CHECK_NEAR(v[3], 3.0 / 6, 1e-7);
  hfm_softmax(large, 2, large);
  CHECK_NEAR(large[0], 0.5, 0);
  CHECK_NEAR(large[1], 0.5, 0);
  hfm_softmax(one, 1, one);
  CHECK_NEAR(one[0], 1, 0);
  hfm_softmax(untouched, 0, untouched);
  hfm_softmax(NULL, 1, untouched);
  hfm_softmax(untouched, 1, NULL);
  CHECK_NEAR(untouched[0], 7, 0);
  v[2] = nan_value();
  hfm_softmax(v, 4, v);
  for (int i = 0; i < 4; i++) CHECK(is_nan(v[i]));
}

/* X4: a negative count is none. */
static void test_top_k(void) {
  float values[] = {2, 7, 7, -1, 9, 3};
  float top[8];
  int64_t at[8];
  CHECK_INT(hfm_top_k(values, 6, 3, at, top), 3);
  CHECK_INT(at[0], 4);
  CHECK_INT(at[1], 1); /* the first of equals first */
  CHECK_INT(at[2], 2);
  CHECK_NEAR(top[0], 9, 0);
  CHECK_NEAR(top[2], 7, 0);
  CHECK_INT(hfm_top_k(values, 6, 8, at, top), 6); /* no more than there are */
  CHECK_INT(at[5], 3);
  CHECK_NEAR(top[5], -1, 0);
  CHECK_INT(hfm_top_k(values, 6, 1, at, top), 1);
  CHECK_INT(at[0], 4);
  CHECK_INT(hfm_top_k(values, 0, 3, at, top), 0);
  CHECK_INT(hfm_top_k(values, 6, 0, at, top), 0);
  CHECK_INT(hfm_top_k(values, 6, -1, at, top), 0);
  CHECK_INT(hfm_top_k(NULL, 6, 3, at, top), 0);
  CHECK_INT(hfm_top_k(values, 6, 3, NULL, top), 0);
  CHECK_INT(hfm_top_k(values, 6, 3, at, NULL), 0);
  values[3] = nan_value();
  CHECK_INT(hfm_top_k(values, 6, 2, at, top), 2);
  CHECK_INT(at[0], 3);
  CHECK(is_nan(top[0]));
  CHECK_INT(at[1], 4);
}

static void test_mean_pool(void) {
  const int64_t shape[3] = {2, 3, 2};
  const float values[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const int64_t mask[6] = {1, 0, 1, 0, 0, 0};
  const float weights[6] = {0.5f, 0, 0, -0.0f, 1, 2}; /* non-zero keeps, whatever it is */
  float out[4] = {-1, -1, -1, -1};
  hfm_tensor hidden = hfm_tensor_f32(values, 3, shape), none, masked = hfm_tensor_i64(mask, 2, 3), floats;
  hfm_error error;
  memset(&none, 0, sizeof none);
  CHECK_INT(hfm_mean_pool(&hidden, &masked, out, &error), HFM_OK);
  CHECK_NEAR(out[0], 3, 0);
  CHECK_NEAR(out[1], 4, 0);
  CHECK_NEAR(out[2], 0, 0); /* a row without any position */
  CHECK_NEAR(out[3], 0, 0);
  CHECK_INT(hfm_mean_pool(&hidden, NULL, out, &error), HFM_OK);
  CHECK_NEAR(out[0], 3, 0);
  CHECK_NEAR(out[2], 9, 0);
  CHECK_INT(hfm_mean_pool(&hidden, &none, out, &error), HFM_OK);
  CHECK_NEAR(out[3], 10, 0);
  floats = tensor_of(weights, HFM_F32, 2, 3);
  CHECK_INT(hfm_mean_pool(&hidden, &floats, out, &error), HFM_OK);
  CHECK_NEAR(out[0], 1, 0);
  CHECK_NEAR(out[2], 10, 0);
  CHECK_INT(hfm_mean_pool(NULL, NULL, out, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_mean_pool(&none, NULL, out, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_mean_pool(&hidden, NULL, NULL, NULL), HFM_ERROR_ARGUMENT);
  masked.shape[1] = 4;
  CHECK_INT(hfm_mean_pool(&hidden, &masked, out, &error), HFM_ERROR_SHAPE);
  CHECK_CONTAINS(error.message, "[2, 4]");
  CHECK_CONTAINS(error.message, "[2, 3]");
  masked.rank = 100;
  CHECK_INT(hfm_mean_pool(&hidden, &masked, out, &error), HFM_ERROR_SHAPE);
  hidden.rank = 100;
  CHECK_INT(hfm_mean_pool(&hidden, NULL, out, &error), HFM_ERROR_SHAPE);
  hidden.rank = -3;
  CHECK_INT(hfm_mean_pool(&hidden, NULL, out, &error), HFM_ERROR_SHAPE);
  hidden = hfm_tensor_f32(values, 3, shape);
  hidden.shape[2] = -1;
  CHECK_INT(hfm_mean_pool(&hidden, NULL, out, &error), HFM_ERROR_SHAPE);
  hidden = hfm_tensor_f32(values, 3, shape);
  hidden.dtype = HFM_F64;
  CHECK_INT(hfm_mean_pool(&hidden, NULL, out, &error), HFM_ERROR_SHAPE);
}

static void test_normalize(void) {
  float v[] = {3, 4, 0, 0, 1e-30f, 0};
  hfm_normalize(v, 3, 2);
  CHECK_NEAR(v[0], 0.6, 1e-7);
  CHECK_NEAR(v[1], 0.8, 1e-7);
  CHECK_NEAR(v[2], 0, 0); /* nothing to normalise */
  CHECK_NEAR(v[3], 0, 0);
  CHECK_NEAR(v[4], 1e-18, 1e-24); /* divided by 1e-12, as torch */
  hfm_normalize(v, 0, 2);
  hfm_normalize(v, -1, 2);
  hfm_normalize(v, 1, 0);
  hfm_normalize(NULL, 1, 2);
  CHECK_NEAR(v[0], 0.6, 1e-7);
}

static void test_names(void) {
  hfm_registry_entry entry;
  char text[32];
  size_t count = 0;
  snprintf(text, sizeof text, "%d.%d.%d", HFM_VERSION_MAJOR, HFM_VERSION_MINOR, HFM_VERSION_PATCH);
  CHECK_STR(hfm_version(), text);
  CHECK_STR(HFM_VERSION, text);
  CHECK_STR(hfm_result_name(HFM_OK), "HFM_OK");
  CHECK_STR(hfm_result_name(HFM_ERROR_CANCELLED), "HFM_ERROR_CANCELLED");
  CHECK(hfm_result_name(-1) != NULL && hfm_result_name(INT32_MAX) != NULL && hfm_result_name(INT32_MIN) != NULL);
  CHECK_STR(hfm_error_item_name(HFM_E_INPUT_RANGE), "INPUT_RANGE");
  CHECK(hfm_error_item_name(-1) != NULL && hfm_error_item_name(INT32_MAX) != NULL && hfm_error_item_name(0) != NULL);
  CHECK_STR(hfm_dtype_name(HFM_BF16), "bfloat16");
  CHECK(hfm_dtype_name(0) == NULL && hfm_dtype_name(-1) == NULL && hfm_dtype_name(1000) == NULL);
  CHECK_INT(hfm_dtype_bits(HFM_F4), 4);
  CHECK_INT(hfm_dtype_bits(-1) + hfm_dtype_bits(1000) + hfm_dtype_bits(0), 0);
  CHECK_INT(hfm_dtype_from_name(NULL), 0);
  CHECK_INT(hfm_dtype_from_name("torch.float16"), HFM_F16);
  for (hfm_task task = HFM_BASE; task < HFM_TASK_FROM_CONFIG; task++)
    CHECK_INT(hfm_task_from_name(hfm_task_name(task)), task);
  CHECK(hfm_task_name(-1) == NULL && hfm_task_name(1000) == NULL);
  CHECK_INT(hfm_task_from_name("poetry"), -1);
  CHECK_INT(hfm_task_from_name(NULL), -1);
  while (hfm_registry(count, &entry)) {
    CHECK(entry.model_type && *entry.model_type && entry.architecture[0] && hfm_task_name(entry.task));
    count++;
  }
  CHECK(count > 40);
  CHECK(entry.model_type == NULL && entry.architecture[0] == 0);
  CHECK_INT(hfm_registry((size_t)-1, &entry), 0);
}

static void test_labels(void) {
  hfm_options options;
  hfm_model *model;
  memset(&options, 0, sizeof options);
  options.task = HFM_SEQUENCE_CLASSIFICATION;
  model = load_fixture(FIXTURE("bert_sequence"), &options);
  CHECK_INT(hfm_num_labels(model), 3);
  CHECK_STR(hfm_label(model, 0), "no");
  CHECK_STR(hfm_label(model, 2), "maybe");
  CHECK(hfm_label(model, -1) == NULL && hfm_label(model, 3) == NULL && hfm_label(model, INT64_MAX) == NULL);
  hfm_model_free(model);
  options.num_labels = 5; /* other names than the configuration's are needed then */
  options.ignore_mismatched_sizes = 1;
  model = load_fixture(FIXTURE("bert_sequence"), &options);
  CHECK_INT(hfm_num_labels(model), 5);
  CHECK_STR(hfm_label(model, 4), "LABEL_4");
  hfm_model_free(model);
}

/* hfm_load: the short way, with one handle for both objects. */
static void test_load(void) {
  const int64_t ids[6] = {5, 6, 7, 8, 9, 10};
  const hfm_inputs in = hfm_input_ids(ids, 2, 3);
  hfm_inputs nothing_else = in;
  hfm_outputs out;
  hfm_session *session = NULL;
  hfm_error error;
  CHECK(in.input_ids.data == ids && in.input_ids.dtype == HFM_I64 && in.input_ids.rank == 2);
  CHECK(in.input_ids.shape[0] == 2 && in.input_ids.shape[1] == 3);
  memset(&nothing_else.input_ids, 0, sizeof nothing_else.input_ids);
  for (size_t i = 0; i < sizeof in; i++) CHECK(((const char *)&nothing_else)[i] == 0);
  if (!CHECK_INT(hfm_load(FIXTURE("bert_sequence"), HFM_SEQUENCE_CLASSIFICATION, &session, &error), HFM_OK)) return;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK(out.logits.rank == 2 && out.logits.shape[0] == 2 && out.logits.shape[1] == 3);
  CHECK_STR(hfm_model_architecture(hfm_session_model(session)), "BertForSequenceClassification");
  CHECK_STR(hfm_model_main_input_name(hfm_session_model(session)), "input_ids");
  CHECK_STR(hfm_label(hfm_session_model(session), 1), "yes");
  hfm_session_free(session);
  CHECK_INT(hfm_load("org/none", HFM_BASE, &session, &error), HFM_ERROR_NOT_FOUND);
  CHECK(session == NULL && strstr(error.message, "org/none"));
  CHECK_INT(hfm_load(FIXTURE("bert_sequence"), HFM_CTC, &session, &error), HFM_ERROR_UNSUPPORTED);
  CHECK_INT(hfm_load(NULL, HFM_BASE, &session, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_load(FIXTURE("bert_sequence"), HFM_BASE, NULL, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_load("org/none", HFM_BASE, &session, NULL), HFM_ERROR_NOT_FOUND);
  CHECK(hfm_session_model(NULL) == NULL);
}

/* Whether or not a decoder could be given the encoder's ids: weights are packed at load, memory is estimated, a session
   reserves. */
static void test_usual_inputs_without_padding(void) {
  hfm_config *config = NULL;
  hfm_options options;
  hfm_model *model = NULL;
  hfm_session *session;
  hfm_memory_estimate estimate;
  hfm_error error;
  memset(&options, 0, sizeof options);
  CHECK_INT(hfm_config_from_pretrained(FIXTURE("bart_generation"), NULL, &config, &error), HFM_OK);
  CHECK_INT(hfm_config_set_json(config, "pad_token_id", "null", &error), HFM_OK);
  options.config = config;
  options.task = HFM_SEQ2SEQ_LM;
  options.packing = HFM_PACK_EAGER;
  CHECK_INT(hfm_from_pretrained(FIXTURE("bart_generation"), &options, &model, &error), HFM_OK);
  CHECK_STR(error.message, "");
  CHECK(hfm_packed_bytes(model) > 0);
  session = new_session(model, 1);
  CHECK_INT(hfm_session_reserve(session, 2, 9, NULL, &error), HFM_OK);
  CHECK_INT(hfm_estimate_memory(FIXTURE("bart_generation"), &options, 2, 9, &estimate, &error), HFM_OK);
  CHECK(estimate.activation_bytes > 0);
  hfm_session_free(session);
  hfm_model_free(model);
  hfm_config_free(config);
}

/* What is kept packed: never nothing; eagerly all, at once; lazily what is used again and again. */
static void test_packed_bytes(void) {
  static const int64_t ids[2 * 33] = {1, 2, 3};
  const hfm_inputs in = hfm_input_ids(ids, 2, 33);
  uint64_t eager = 0;
  CHECK_INT(hfm_packed_bytes(NULL), 0);
  for (int32_t packing = HFM_PACK_EAGER; packing >= HFM_PACK_LAZY; packing--) {
    hfm_options options;
    hfm_model *model;
    hfm_session *session;
    hfm_outputs out;
    hfm_error error;
    memset(&options, 0, sizeof options);
    options.packing = packing;
    model = load_fixture(FIXTURE("bert_base"), &options);
    session = new_session(model, 1);
    if (packing == HFM_PACK_EAGER) CHECK((eager = hfm_packed_bytes(model)) > 0);
    else CHECK_INT(hfm_packed_bytes(model), 0);
    for (int i = 0; i < 2000 && (i < 3 || hfm_packed_bytes(model) == 0); i++) {
      CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
      if (packing == HFM_PACK_NEVER && i == 9) break;
    }
    if (packing == HFM_PACK_NEVER) CHECK_INT(hfm_packed_bytes(model), 0);
    else CHECK(hfm_packed_bytes(model) > 0 && hfm_packed_bytes(model) <= eager);
    hfm_session_free(session);
    hfm_model_free(model);
  }
}

int main(void) {
  TEST(test_load);
  TEST(test_packed_bytes);
  TEST(test_usual_inputs_without_padding);
  TEST(test_argmax);
  TEST(test_softmax);
  TEST(test_top_k);
  TEST(test_mean_pool);
  TEST(test_normalize);
  TEST(test_names);
  TEST(test_labels);
  return check_report("test_helpers");
}
