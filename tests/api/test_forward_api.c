/* The forward's contract: what is refused and how, what defaults mean, who owns outputs, slices, cancelling, order. */
#include "hfmodel.h"
#include "check.h"
#include "support.h"

static int64_t ids[2 * 64];
static kept_output first, second;

/* BERT with 61 words, 40 positions, 2 token types. */
static hfm_model *bert(void) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.task = HFM_SEQUENCE_CLASSIFICATION;
  return load_fixture(FIXTURE("bert_sequence"), &options);
}

static hfm_inputs plain(int64_t batch, int64_t length) {
  hfm_inputs in;
  memset(&in, 0, sizeof in);
  fill_ids(ids, batch * length, 1);
  in.input_ids = hfm_tensor_i64(ids, batch, length);
  return in;
}

/* ---- What is refused ---- */

static hfm_session *used;   /* by the refusals */
static kept_output before;  /* what it gives for plain(2, 7) */

/* The call fails so, its message has these parts, and the session then works as before. */
static void refused(const hfm_inputs *in, int32_t item, const char *what, const char *part1, const char *part2) {
  hfm_error error;
  hfm_outputs out;
  hfm_inputs good;
  hfm_result result;
  memset(&error, 0x55, sizeof error);
  memset(&out, 0x55, sizeof out);
  result = hfm_forward(used, in, &out, &error);
  CHECK(result != HFM_OK);
  CHECK_INT(error.code, result);
  if (!CHECK_INT(error.item, item)) printf("  %s\n", error.message);
  CHECK_STR(error.what, what);
  CHECK_CONTAINS(error.message, what);
  CHECK_CONTAINS(error.message, part1);
  CHECK_CONTAINS(error.message, part2);
  CHECK(out.logits.data == NULL && out.items == NULL && out.items_count == 0);
  CHECK(hfm_forward(used, in, &out, NULL) == result);
  CHECK(hfm_session_outputs(used, &out, &error) == HFM_ERROR_STATE);
  good = plain(2, 7);
  forward_kept(used, &good, &second);
  CHECK(same_bits(&before, &second));
}

/* X1: every id lies in its table before a row is looked up. X2: positions beyond the table are an error, never
   wrapped. */
static void test_refusals(void) {
  static float pixels[2 * 3 * 14 * 14];
  static int64_t many[100];
  static float floats[14];
  const int64_t shape3[3] = {2, 7, 17};
  static float embeds[2 * 7 * 18];
  hfm_model *model = bert();
  hfm_inputs in, base = plain(2, 7);
  uint64_t memory;
  used = new_session(model, 1);
  forward_kept(used, &base, &before);
  memory = hfm_session_memory(used);

  in = base;
  in.input_ids.rank = 1;
  refused(&in, HFM_E_INPUT_RANK, "input_ids", "1 dim", "2");
  in.input_ids.rank = 1000000;
  refused(&in, HFM_E_INPUT_RANK, "input_ids", "1000000", "2");
  in.input_ids.rank = -1;
  refused(&in, HFM_E_INPUT_RANK, "input_ids", "-1", "2");
  in = base;
  in.input_ids.shape[1] = 0;
  refused(&in, HFM_E_INPUT_SHAPE, "input_ids", "[2, 0]", "1");
  in.input_ids.shape[1] = -7;
  refused(&in, HFM_E_INPUT_SHAPE, "input_ids", "-7", "1");
  in.input_ids.shape[1] = INT64_MAX;
  refused(&in, HFM_E_INPUT_SHAPE, "input_ids", "9223372036854775807", "");
  in = base;
  in.attention_mask = hfm_tensor_i64(many, 3, 7);
  refused(&in, HFM_E_INPUT_SHAPE, "attention_mask", "[3, 7]", "[2, 7]");
  in.attention_mask = hfm_tensor_i64(many, 2, 8);
  refused(&in, HFM_E_INPUT_SHAPE, "attention_mask", "[2, 8]", "[2, 7]");
  in = base;
  in.token_type_ids = hfm_tensor_i64(many, 1, 7);
  refused(&in, HFM_E_INPUT_SHAPE, "token_type_ids", "[1, 7]", "[2, 7]");
  in = base;
  in.position_ids = hfm_tensor_i64(many, 3, 7);
  refused(&in, HFM_E_INPUT_SHAPE, "position_ids", "[3, 7]", "[2, 7]");
  in = plain(2, 7);
  ids[9] = 61;
  refused(&in, HFM_E_INPUT_RANGE, "input_ids", "[1][2] is 61", "60");
  in = plain(2, 7);
  ids[0] = -1;
  refused(&in, HFM_E_INPUT_RANGE, "input_ids", "[0][0] is -1", "vocab_size");
  in = plain(2, 7);
  ids[13] = INT64_MIN;
  refused(&in, HFM_E_INPUT_RANGE, "input_ids", "[1][6]", "60");
  in = plain(2, 7);
  many[3] = 2;
  in.token_type_ids = hfm_tensor_i64(many, 2, 7);
  refused(&in, HFM_E_INPUT_RANGE, "token_type_ids", "[0][3] is 2", "type_vocab_size");
  in = plain(2, 7);
  many[3] = 40;
  in.position_ids = hfm_tensor_i64(many, 2, 7);
  refused(&in, HFM_E_INPUT_RANGE, "position_ids", "40", "max_position_embeddings");
  in = plain(1, 41);
  refused(&in, HFM_E_INPUT_TOO_LONG, "input_ids", "41", "40");
  in = plain(2, 7);
  in.input_ids = tensor_of(floats, HFM_F32, 2, 7);
  refused(&in, HFM_E_INPUT_DTYPE, "input_ids", "float32", "integer");
  in.input_ids.dtype = 0;
  refused(&in, HFM_E_INPUT_DTYPE, "input_ids", "dtype 0, which is none", "integer");
  in.input_ids.dtype = 12345;
  refused(&in, HFM_E_INPUT_DTYPE, "input_ids", "dtype 12345, which is none", "integer");
  in = base;
  in.attention_mask = tensor_of(floats, HFM_C64, 2, 7);
  refused(&in, HFM_E_INPUT_DTYPE, "attention_mask", "complex64", "bool");
  in = base;
  in.pixel_values = tensor_of(pixels, HFM_F32, 2, 3);
  in.pixel_values.rank = 4;
  in.pixel_values.shape[2] = in.pixel_values.shape[3] = 14;
  refused(&in, HFM_E_INPUT_UNEXPECTED, "pixel_values", "BertForSequenceClassification", "not take");
  memset(&in, 0, sizeof in);
  refused(&in, HFM_E_INPUT_MISSING, "input_ids", "BertForSequenceClassification", "needs");
  in.attention_mask = hfm_tensor_i64(many, 2, 7);
  refused(&in, HFM_E_INPUT_MISSING, "input_ids", "needs", "");
  in = base;
  in.inputs_embeds = hfm_tensor_f32(embeds, 3, shape3);
  refused(&in, HFM_E_INPUT_UNEXPECTED, "inputs_embeds", "input_ids", "one of them");
  memset(&in, 0, sizeof in);
  in.inputs_embeds = hfm_tensor_f32(embeds, 3, shape3);
  refused(&in, HFM_E_INPUT_SHAPE, "inputs_embeds", "[2, 7, 17]", "[2, 7, 18]");
  in = base;
  in.labels = hfm_tensor_i64(ids, 2, 1);
  refused(&in, HFM_E_LABELS_UNSUPPORTED, "labels", "losses", "logits");

  /* Hundreds of refused calls leave nothing behind. */
  memory = hfm_session_memory(used);
  memset(&in, 0, sizeof in);
  for (int i = 0; i < 200; i++) {
    hfm_outputs out;
    CHECK_INT(hfm_forward(used, &in, &out, NULL), HFM_ERROR_ARGUMENT);
  }
  CHECK_INT(hfm_session_memory(used), memory);
  hfm_session_free(used);
  hfm_model_free(model);
}

static void test_image_refusals(void) {
  static float pixels[4 * 3 * 20 * 20];
  hfm_options options;
  hfm_model *model;
  hfm_session *session;
  hfm_inputs in;
  hfm_outputs out;
  hfm_error error;
  const int64_t good[4] = {2, 3, 14, 14}, channels[4] = {2, 4, 14, 14}, size[4] = {2, 3, 14, 15},
                tall[4] = {2, 3, 13, 14};
  memset(&options, 0, sizeof options);
  options.task = HFM_IMAGE_CLASSIFICATION;
  model = load_fixture(FIXTURE("vit_image"), &options);
  session = new_session(model, 1);
  memset(&in, 0, sizeof in);
  for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++) pixels[i] = (float)(i % 17) * 0.1f;
  in.pixel_values = hfm_tensor_f32(pixels, 4, good);
  forward_kept(session, &in, &first);
  in.pixel_values = hfm_tensor_f32(pixels, 4, channels);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  CHECK_INT(error.item, HFM_E_INPUT_SHAPE);
  CHECK_STR(error.what, "pixel_values");
  CHECK_CONTAINS(error.message, "[2, 4, 14, 14]");
  CHECK_CONTAINS(error.message, "[2, 3, 14, 14]");
  in.pixel_values = hfm_tensor_f32(pixels, 4, size);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  CHECK_CONTAINS(error.message, "[2, 3, 14, 15]");
  in.pixel_values = hfm_tensor_f32(pixels, 4, tall);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  in.pixel_values = hfm_tensor_f32(pixels, 3, good);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  CHECK_INT(error.item, HFM_E_INPUT_RANK);
  in.pixel_values = hfm_tensor_f32(pixels, 4, good);
  in.pixel_values.dtype = HFM_F64;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  CHECK_INT(error.item, HFM_E_INPUT_DTYPE);
  CHECK_CONTAINS(error.message, "float64");
  CHECK_CONTAINS(error.message, "float32");
  /* A batch that nobody has memory for is refused by its shape, before anything is planned for it. */
  in.pixel_values = hfm_tensor_f32(pixels, 4, channels);
  in.pixel_values.shape[0] = INT32_MAX;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
  in.pixel_values = hfm_tensor_f32(pixels, 4, good);
  forward_kept(session, &in, &second);
  CHECK(same_bits(&first, &second));
  hfm_session_free(session);
  hfm_model_free(model);
}

/* X5: sizes are computed with checked sums; what no address space holds is an error before anything is allocated. */
static void test_reserve_too_much(void) {
  hfm_model *model = load_fixture(FIXTURE("llama_base"), NULL); /* no table of positions: any length may be asked for */
  hfm_session *session = new_session(model, 1);
  hfm_inputs in = plain(2, 7);
  hfm_error error;
  uint64_t memory;
  forward_kept(session, &in, &first);
  memory = hfm_session_memory(session);
  CHECK_INT(hfm_session_reserve(session, INT32_MAX, INT32_MAX, NULL, &error), HFM_ERROR_LIMIT);
  CHECK_INT(error.item, HFM_E_ADDRESS_SPACE);
  CHECK(hfm_session_reserve(session, 1 << 20, INT32_MAX, NULL, &error) != HFM_OK);
  CHECK_INT(hfm_session_reserve(session, 0, 1, NULL, &error), HFM_ERROR_ARGUMENT);
  CHECK_STR(error.what, "batch");
  CHECK_INT(hfm_session_reserve(session, 1, (int64_t)INT32_MAX + 1, NULL, &error), HFM_ERROR_ARGUMENT);
  CHECK_STR(error.what, "length");
  forward_kept(session, &in, &second);
  CHECK(same_bits(&first, &second));
  CHECK(hfm_session_memory(session) <= memory + (1 << 16));
  in.position_ids = hfm_tensor_i64(ids, 2, 7); /* positions may be anything */
  ids[5] = INT64_MAX;
  ids[6] = INT64_MIN;
  in.input_ids.data = ids + 64;
  fill_ids(ids + 64, 14, 2);
  forward_kept(session, &in, &second);
  hfm_session_free(session);
  hfm_model_free(model);
}

/* ---- What is accepted ---- */

static void test_dtypes(void) {
  hfm_model *model = bert();
  hfm_session *session = new_session(model, 1);
  hfm_inputs in = plain(2, 7), other;
  int32_t i32[14];
  int16_t i16[14];
  int8_t i8[14];
  uint8_t u8[14], booleans[14];
  uint16_t u16[14], half[14];
  uint32_t u32[14];
  uint64_t u64[14];
  int64_t mask[14];
  float f32[14];
  double f64[14];
  for (int i = 0; i < 14; i++) {
    i32[i] = (int32_t)ids[i];
    i16[i] = (int16_t)ids[i];
    i8[i] = (int8_t)ids[i];
    u8[i] = (uint8_t)ids[i];
    u16[i] = (uint16_t)ids[i];
    u32[i] = (uint32_t)ids[i];
    u64[i] = (uint64_t)ids[i];
    mask[i] = i % 7 < 5;
    booleans[i] = i % 7 < 5;
    f32[i] = i % 7 < 5 ? 0.25f : -0.0f;
    f64[i] = i % 7 < 5 ? 1e-300 : -0.0;
    half[i] = i % 7 < 5 ? 0x3c00 : 0x8000;
  }
  forward_kept(session, &in, &first);
  other = in;
#define SAME_IDS(array, type) \
  other.input_ids = tensor_of(array, type, 2, 7); \
  forward_kept(session, &other, &second); \
  CHECK(same_bits(&first, &second));
  SAME_IDS(i32, HFM_I32) SAME_IDS(i16, HFM_I16) SAME_IDS(i8, HFM_I8) SAME_IDS(u8, HFM_U8) SAME_IDS(u16, HFM_U16)
  SAME_IDS(u32, HFM_U32) SAME_IDS(u64, HFM_U64)
#undef SAME_IDS
  in.attention_mask = hfm_tensor_i64(mask, 2, 7);
  forward_kept(session, &in, &second);
  CHECK(!same_bits(&first, &second));
  first = second;
  other = in;
#define SAME_MASK(array, type) \
  other.attention_mask = tensor_of(array, type, 2, 7); \
  forward_kept(session, &other, &second); \
  CHECK(same_bits(&first, &second));
  SAME_MASK(booleans, HFM_BOOL)
  SAME_MASK(f32, HFM_F32)
  SAME_MASK(f64, HFM_F64)
  SAME_MASK(half, HFM_F16)
  SAME_MASK(half, HFM_BF16)
#undef SAME_MASK
  u64[3] = UINT64_MAX;
  in.input_ids = tensor_of(u64, HFM_U64, 2, 7);
  {
    hfm_outputs out;
    hfm_error error;
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_SHAPE);
    CHECK_INT(error.item, HFM_E_INPUT_RANGE);
  }
  hfm_session_free(session);
  hfm_model_free(model);
}

static void test_defaults(void) {
  hfm_model *model = bert();
  hfm_session *session = new_session(model, 1);
  hfm_inputs in = plain(2, 7), explicit_ones;
  int64_t zeros[14] = {0}, ones[14], positions[14];
  for (int i = 0; i < 14; i++) {
    ones[i] = 1;
    positions[i] = i % 7;
  }
  forward_kept(session, &in, &first);
  explicit_ones = in;
  explicit_ones.token_type_ids = hfm_tensor_i64(zeros, 2, 7);
  forward_kept(session, &explicit_ones, &second);
  CHECK(same_bits(&first, &second));
  explicit_ones.attention_mask = hfm_tensor_i64(ones, 2, 7);
  forward_kept(session, &explicit_ones, &second);
  CHECK(same_bits(&first, &second));
  explicit_ones.position_ids = hfm_tensor_i64(positions, 2, 7);
  forward_kept(session, &explicit_ones, &second);
  CHECK(same_bits(&first, &second));
  explicit_ones.position_ids = hfm_tensor_i64(positions, 1, 7);
  forward_kept(session, &explicit_ones, &second);
  CHECK(same_bits(&first, &second));
  positions[2] = 9;
  forward_kept(session, &explicit_ones, &second);
  CHECK(!same_bits(&first, &second));
  hfm_session_free(session);
  hfm_model_free(model);
}

/* ---- NULL, zero, ownership ---- */

static void test_null(void) {
  hfm_options none;
  hfm_session_options no_session_options;
  hfm_model *model, *no_model = (hfm_model *)1;
  hfm_session *session = (hfm_session *)1;
  hfm_inputs in = plain(1, 3);
  hfm_outputs out;
  hfm_error error;
  int32_t done = 7;
  memset(&none, 0, sizeof none);
  memset(&no_session_options, 0, sizeof no_session_options);
  CHECK_INT(hfm_from_pretrained(NULL, NULL, &no_model, &error), HFM_ERROR_ARGUMENT);
  CHECK(no_model == NULL);
  CHECK_INT(error.item, HFM_E_ARGUMENT_NULL);
  CHECK_INT(hfm_from_pretrained(FIXTURE("bert_sequence"), NULL, NULL, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_from_config(NULL, NULL, &no_model, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_from_memory(NULL, 0, NULL, &no_model, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_check_file(NULL, NULL, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_estimate_memory(NULL, NULL, 1, 1, NULL, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_session_create(NULL, NULL, &session, &error), HFM_ERROR_ARGUMENT);
  CHECK(session == NULL);
  model = load_fixture(FIXTURE("bert_sequence"), &none);
  CHECK_INT(hfm_session_create(model, NULL, NULL, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_session_create(model, NULL, &session, NULL), HFM_OK);
  hfm_session_free(session);
  CHECK_INT(hfm_session_create(model, &no_session_options, &session, NULL), HFM_OK);
  CHECK_INT(hfm_forward(NULL, &in, &out, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_forward(NULL, NULL, NULL, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_forward(session, NULL, &out, &error), HFM_ERROR_ARGUMENT);
  CHECK_STR(error.what, "inputs");
  CHECK_INT(hfm_forward(session, &in, NULL, &error), HFM_ERROR_ARGUMENT);
  CHECK_STR(error.what, "outputs");
  CHECK_INT(hfm_session_begin(NULL, &in, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_session_begin(session, NULL, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_session_step(NULL, 0, &done, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(done, 0);
  CHECK_INT(hfm_session_step(session, 0, NULL, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_session_outputs(session, NULL, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_session_outputs(NULL, &out, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_session_reserve(NULL, 1, 1, NULL, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_session_memory(NULL), 0);
  CHECK_INT(hfm_session_threads(NULL), 0);
  hfm_session_free(NULL);
  hfm_model_free(NULL);
  hfm_config_free(NULL);
  CHECK(hfm_model_config(NULL) == NULL && hfm_model_type(NULL) == NULL && hfm_model_architecture(NULL) == NULL);
  CHECK(hfm_model_main_input_name(NULL) == NULL);
  CHECK(hfm_model_isa(NULL) == NULL && hfm_model_file(NULL, 0) == NULL && hfm_label(NULL, 0) == NULL);
  CHECK_INT(hfm_num_parameters(NULL, 0, 0) + hfm_memory_footprint(NULL, 1) + hfm_num_labels(NULL), 0);
  CHECK_INT(hfm_print(NULL, NULL, 0) + hfm_state_dict_size(NULL) + hfm_load_report_size(NULL), 0);
  CHECK_INT(hfm_load_report_text(NULL, NULL, 0, NULL, 0), 0);
  CHECK(hfm_load_report_at(NULL, 0) == NULL && hfm_load_report_at(model, 1000) == NULL);
  CHECK_INT(hfm_state_dict_at(model, 0, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_registry(0, NULL), 0);
  CHECK(hfm_forward(session, &in, &out, NULL) == HFM_OK); /* no error wanted */
  hfm_session_free(session);
  hfm_model_free(model);
}

static void test_ownership(void) {
  hfm_model *model = bert();
  hfm_session *session = new_session(model, 1);
  hfm_inputs in = plain(2, 7);
  hfm_outputs out;
  hfm_error error;
  in.output_hidden_states = in.output_attentions = 1;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK_INT(out.hidden_states_count, 3);
  CHECK_INT(out.attentions_count, 2);
  CHECK_INT(out.items_count, 6);
  for (int i = 0; i < 6; i++) {
    const hfm_named_tensor *item = &out.items[i];
    if (!strcmp(item->name, "logits")) CHECK(item->tensor.data == out.logits.data);
    else if (!strncmp(item->name, "hidden_states.", 14))
      CHECK(item->tensor.data == out.hidden_states[item->name[14] - '0'].data);
    else CHECK(item->tensor.data == out.attentions[item->name[11] - '0'].data);
  }
  keep_output(&out, &first);
  CHECK_INT(hfm_session_outputs(session, &out, &error), HFM_OK); /* again, and still the same */
  keep_output(&out, &second);
  CHECK(same_bits(&first, &second));
  hfm_model_free(model); /* the session keeps it */
  forward_kept(session, &in, &second);
  CHECK(same_bits(&first, &second));
  memset(ids, 0, sizeof ids); /* outputs do not show the inputs */
  CHECK_INT(hfm_session_outputs(session, &out, &error), HFM_OK);
  keep_output(&out, &second);
  CHECK(same_bits(&first, &second));
  hfm_session_free(session);
}

/* ---- Slices, cancelling, order ---- */

static void test_slices(void) {
  hfm_model *model = bert();
  hfm_session *session = new_session(model, 2);
  const double budgets[] = {0.0, -1.0, 1e-9, 1e-4, 1e300};
  hfm_inputs in = plain(2, 33);
  hfm_outputs out;
  hfm_error error;
  forward_kept(session, &in, &first);
  for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
    int32_t done = 0, steps = 0;
    in = plain(2, 33);
    CHECK_INT(hfm_session_begin(session, &in, &error), HFM_OK);
    CHECK_INT(hfm_session_outputs(session, &out, &error), HFM_ERROR_STATE);
    CHECK_INT(error.item, HFM_E_SESSION_ORDER);
    while (!done && steps < 100000) {
      CHECK_INT(hfm_session_step(session, budgets[i], &done, &error), HFM_OK);
      steps++;
    }
    CHECK(done == 1);
    CHECK(budgets[i] > 1 ? steps == 1 : budgets[i] > 0 || steps > 20);
    CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_OK); /* nothing left to do */
    CHECK(done == 1);
    CHECK_INT(hfm_session_outputs(session, &out, &error), HFM_OK);
    keep_output(&out, &second);
    CHECK(same_bits(&first, &second));
  }
  hfm_session_free(session);
  hfm_model_free(model);
}

static void test_order(void) {
  hfm_model *model = bert();
  hfm_session *session = new_session(model, 1);
  hfm_inputs in = plain(2, 7), bad = plain(2, 7);
  hfm_outputs out;
  hfm_error error;
  int32_t done = 5;
  CHECK_INT(hfm_session_step(session, 1, &done, &error), HFM_ERROR_STATE);
  CHECK_INT(error.item, HFM_E_SESSION_ORDER);
  CHECK_INT(done, 0);
  CHECK_CONTAINS(error.message, "hfm_session_begin");
  CHECK_INT(hfm_session_outputs(session, &out, &error), HFM_ERROR_STATE);
  forward_kept(session, &in, &first);
  CHECK_INT(hfm_session_begin(session, &in, &error), HFM_OK);
  CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_OK);
  CHECK_INT(done, 0);
  forward_kept(session, &in, &second); /* a forward in the middle of another: that one is over */
  CHECK(same_bits(&first, &second));
  CHECK_INT(hfm_session_begin(session, &in, &error), HFM_OK);
  bad.input_ids.rank = 3;
  CHECK_INT(hfm_session_begin(session, &bad, &error), HFM_ERROR_SHAPE);
  CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_ERROR_STATE);
  CHECK_INT(hfm_session_begin(session, &in, &error), HFM_OK);
  CHECK_INT(hfm_session_reserve(session, 3, 9, NULL, &error), HFM_OK); /* ends a forward, too */
  CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_ERROR_STATE);
  CHECK_INT(hfm_session_begin(session, &in, &error), HFM_OK);
  hfm_session_free(session); /* in the middle */
  hfm_model_free(model);
}

static int32_t calls, stop_at;
static int32_t stopping(void *ctx, const char *stage, uint64_t done, uint64_t total, const char *unit) {
  CHECK_STR((const char *)ctx, stage);
  CHECK(done <= total && total > 0 && unit && *unit);
  return ++calls == stop_at;
}

static void test_cancel(void) {
  static char forward[] = "forward", loading[] = "load";
  hfm_model *model = bert(), *cancelled = (hfm_model *)1;
  hfm_session_options options;
  hfm_session *session = NULL;
  hfm_options load;
  hfm_inputs in = plain(2, 33);
  hfm_outputs out;
  hfm_error error;
  int32_t done;
  memset(&options, 0, sizeof options);
  options.threads = 1;
  options.progress.ctx = forward;
  options.progress.update = stopping;
  CHECK_INT(hfm_session_create(model, &options, &session, &error), HFM_OK);
  calls = stop_at = 0;
  forward_kept(session, &in, &first);
  CHECK(calls >= 1);
  calls = 0;
  stop_at = 1;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_CANCELLED);
  CHECK_INT(error.item, HFM_E_CANCELLED);
  CHECK(out.items == NULL);
  calls = 0;
  stop_at = 3;
  CHECK_INT(hfm_session_begin(session, &in, &error), HFM_OK);
  CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_OK);
  CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_OK);
  CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_ERROR_CANCELLED);
  CHECK_INT(done, 0);
  CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_ERROR_STATE);
  stop_at = 0;
  forward_kept(session, &in, &second);
  CHECK(same_bits(&first, &second));
  hfm_session_free(session);
  hfm_model_free(model);
  memset(&load, 0, sizeof load);
  load.progress.ctx = loading;
  load.progress.update = stopping;
  calls = 0;
  stop_at = 5;
  CHECK_INT(hfm_from_pretrained(FIXTURE("bert_sequence"), &load, &cancelled, &error), HFM_ERROR_CANCELLED);
  CHECK(cancelled == NULL);
}

int main(void) {
  TEST(test_refusals);
  TEST(test_image_refusals);
  TEST(test_reserve_too_much);
  TEST(test_dtypes);
  TEST(test_defaults);
  TEST(test_null);
  TEST(test_ownership);
  TEST(test_slices);
  TEST(test_order);
  TEST(test_cancel);
  return check_report("test_forward_api");
}
