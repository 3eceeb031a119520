/* One reduction order: the same bits whatever the threads, slices, packing, history and place in a batch; with
   batch_invariant also whatever the batch. Tiers and attention implementations agree within tolerance. */
#include "hfmodel.h"
#include "check.h"
#include "support.h"

typedef struct subject {
  const char *dir;
  hfm_task task;
  int64_t length;
} subject;

/* bert_wide and llama_wide are wide enough for several panels and more than one row of chunks. */
static const subject subjects[] = {{FIXTURE("bert_wide"), HFM_BASE, 33},
                                   {FIXTURE("llama_wide"), HFM_BASE, 24},
                                   {FIXTURE("gpt2_causal"), HFM_CAUSAL_LM, 29},
                                   {FIXTURE("bert_bf16"), HFM_BASE, 19},
                                   {FIXTURE("mistral_base"), HFM_BASE, 24},
                                   {FIXTURE("mixtral_base"), HFM_BASE, 24},
                                   {FIXTURE("qwen3_moe_causal"), HFM_CAUSAL_LM, 21}};
enum { SUBJECTS = sizeof subjects / sizeof *subjects, MOST = 8 * 64 };

static int64_t ids[MOST], mask[MOST];
static kept_output reference, other;

static hfm_inputs some_inputs(int64_t batch, int64_t length) {
  hfm_inputs in;
  memset(&in, 0, sizeof in);
  for (int64_t b = 0; b < batch; b++) fill_ids(ids + b * length, length, b);
  in.input_ids = hfm_tensor_i64(ids, batch, length);
  return in;
}

static hfm_model *load(const subject *s, int32_t packing, int32_t attention, int32_t invariant, int32_t isa) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.task = s->task;
  options.packing = packing;
  options.attn_implementation = attention;
  options.batch_invariant = invariant;
  options.isa = isa;
  return load_fixture(s->dir, &options);
}

static void run_once(const subject *s, int32_t packing, int32_t attention, int32_t isa, int32_t threads,
                     kept_output *kept) {
  hfm_model *model = load(s, packing, attention, 0, isa);
  hfm_session *session = new_session(model, threads);
  const hfm_inputs in = some_inputs(3, s->length);
  forward_kept(session, &in, kept);
  hfm_session_free(session);
  hfm_model_free(model);
}

static void test_threads_packing_history(void) {
  for (int i = 0; i < SUBJECTS; i++) {
    const subject *s = &subjects[i];
    run_once(s, HFM_PACK_NEVER, 0, 0, 1, &reference);
    for (int32_t packing = HFM_PACK_LAZY; packing <= HFM_PACK_EAGER; packing++) {
      for (int32_t threads = 1; threads <= 3; threads++) {
        hfm_model *model = load(s, packing, 0, 0, 0);
        hfm_session *session = new_session(model, threads);
        const hfm_inputs in = some_inputs(3, s->length);
        hfm_outputs out;
        hfm_error error;
        int32_t done = 0;
        for (int call = 0; call < 30; call++) { /* lazily packed weights are promoted on the way */
          forward_kept(session, &in, &other);
          if (!CHECK(same_bits(&reference, &other))) break;
        }
        CHECK_INT(hfm_session_begin(session, &in, &error), HFM_OK);
        while (!done) CHECK_INT(hfm_session_step(session, 0, &done, &error), HFM_OK);
        CHECK_INT(hfm_session_outputs(session, &out, &error), HFM_OK);
        keep_output(&out, &other);
        CHECK(same_bits(&reference, &other));
        CHECK_INT(hfm_session_reserve(session, 8, s->length, NULL, &error), HFM_OK); /* other bounds, same bits */
        forward_kept(session, &in, &other);
        CHECK(same_bits(&reference, &other));
        hfm_session_free(session);
        hfm_model_free(model);
      }
    }
  }
}

/* Row `row` of [rows, ...] in both outputs. */
static int same_row(const kept_output *a, int64_t rows_a, int64_t row_a, const kept_output *b, int64_t rows_b,
                    int64_t row_b) {
  const size_t n = a->count / (size_t)rows_a;
  return n > 0 && n == b->count / (size_t)rows_b &&
         memcmp(a->values + (size_t)row_a * n, b->values + (size_t)row_b * n, n * sizeof(float)) == 0;
}

static void test_place_in_batch(void) {
  for (int i = 0; i < SUBJECTS; i++) {
    const subject *s = &subjects[i];
    hfm_model *model = load(s, HFM_PACK_LAZY, 0, 0, 0);
    hfm_session *session = new_session(model, 2);
    hfm_inputs in = some_inputs(5, 7);
    forward_kept(session, &in, &reference);
    memmove(ids, ids + 7, 4 * 7 * sizeof *ids); /* rows 1 to 4 become 0 to 3 */
    in.input_ids.shape[0] = 4;
    forward_kept(session, &in, &other);
    for (int64_t row = 0; row < 4; row++) CHECK(same_row(&reference, 5, row + 1, &other, 4, row));
    hfm_session_free(session);
    hfm_model_free(model);
  }
}

static void test_batch_invariant(void) {
  for (int i = 0; i < SUBJECTS; i++) {
    const subject *s = &subjects[i];
    hfm_model *model = load(s, HFM_PACK_LAZY, 0, 1, 0);
    hfm_session *session = new_session(model, 2);
    const int64_t lengths[] = {1, 2, 7, 17};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
      const int64_t length = lengths[l];
      hfm_inputs in = some_inputs(5, length);
      forward_kept(session, &in, &reference);
      for (int64_t row = 0; row < 5; row++) {
        hfm_inputs alone = in;
        alone.input_ids = hfm_tensor_i64(ids + row * length, 1, length);
        forward_kept(session, &alone, &other);
        CHECK(same_row(&reference, 5, row, &other, 1, 0));
      }
    }
    hfm_session_free(session);
    hfm_model_free(model);
  }
}

/* The same row alone, and padded on the right in a batch: the tokens that are real have the same bits. */
static void test_batch_invariant_padding(void) {
  for (int i = 0; i < SUBJECTS; i++) {
    const subject *s = &subjects[i];
    hfm_model *model = load(s, HFM_PACK_LAZY, 0, 1, 0);
    hfm_session *session = new_session(model, 1);
    hfm_inputs in = some_inputs(2, 18), alone;
    size_t width;
    for (int j = 0; j < 36; j++) mask[j] = j < 18 || j < 18 + 5;
    in.attention_mask = hfm_tensor_i64(mask, 2, 18);
    forward_kept(session, &in, &reference);
    memset(&alone, 0, sizeof alone);
    alone.input_ids = hfm_tensor_i64(ids + 18, 1, 5);
    forward_kept(session, &alone, &other);
    width = other.count / 5;
    CHECK(width > 0 && memcmp(reference.values + 18 * width, other.values, other.count * sizeof(float)) == 0);
    hfm_session_free(session);
    hfm_model_free(model);
  }
}

static void test_tiers_agree(void) {
  const int32_t tiers[] = {HFM_ISA_SSE2,        HFM_ISA_AVX2, HFM_ISA_AVX512,      HFM_ISA_AVX512_VNNI,
                           HFM_ISA_AVX512_BF16, HFM_ISA_NEON, HFM_ISA_WASM_SIMD128};
  int found = 0;
  for (int i = 0; i < SUBJECTS; i++) {
    run_once(&subjects[i], 0, 0, HFM_ISA_SCALAR, 1, &reference);
    for (size_t t = 0; t < sizeof tiers / sizeof *tiers; t++) {
      hfm_options options;
      hfm_model *model = NULL;
      hfm_error error;
      memset(&options, 0, sizeof options);
      options.isa = tiers[t];
      if (hfm_from_pretrained(subjects[i].dir, &options, &model, &error)) {
        CHECK_INT(error.item, HFM_E_ISA_MISSING);
        continue;
      }
      hfm_model_free(model);
      found++;
      run_once(&subjects[i], 0, 0, tiers[t], 2, &other);
      CHECK_INT(other.count, reference.count);
      CHECK_ALL_NEAR(other.values, reference.values, reference.count, 1e-5, 1e-4);
    }
  }
  if (!found) SKIP("this machine has the portable tier alone");
}

static void test_attention_implementations_agree(void) {
  for (int i = 0; i < SUBJECTS; i++) {
    run_once(&subjects[i], 0, HFM_ATTN_EAGER, 0, 1, &reference);
    run_once(&subjects[i], 0, HFM_ATTN_SDPA, 0, 1, &other);
    CHECK_INT(other.count, reference.count);
    CHECK_ALL_NEAR(other.values, reference.values, reference.count, 1e-5, 1e-4);
    run_once(&subjects[i], 0, HFM_ATTN_FLASH_ATTENTION_2, 0, 1, &other);
    CHECK_INT(other.count, reference.count);
    CHECK_ALL_NEAR(other.values, reference.values, reference.count, 1e-5, 1e-4);
  }
}

static void run_computed(const char *dir, int32_t isa, hfm_dtype compute_dtype, int32_t threads, kept_output *kept) {
  hfm_options options;
  hfm_model *model;
  hfm_session *session;
  const hfm_inputs in = some_inputs(3, 17);
  memset(&options, 0, sizeof options);
  options.isa = isa;
  options.compute_dtype = compute_dtype;
  model = load_fixture(dir, &options);
  session = new_session(model, threads);
  forward_kept(session, &in, kept);
  hfm_session_free(session);
  hfm_model_free(model);
}

/* bf16 products are within 2 % of the largest output of float32's, whatever the number of threads; they touch nothing
   but bf16 weights. */
static void test_compute_dtype(void) {
  const char *const dirs[] = {FIXTURE("bert_bf16"), FIXTURE("llama_bf16_sharded")};
  const int32_t tiers[] = {HFM_ISA_SCALAR, HFM_ISA_AVX512_BF16, HFM_ISA_AMX_BF16};
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  for (size_t t = 0; t < sizeof tiers / sizeof *tiers; t++) {
    memset(&options, 0, sizeof options);
    options.isa = tiers[t];
    if (hfm_from_pretrained(dirs[0], &options, &model, &error)) {
      SKIP("this machine has no AVX-512 BF16, or no AMX");
      continue;
    }
    hfm_model_free(model);
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
      static kept_output again;
      double largest = 0;
      run_computed(dirs[i], tiers[t], HFM_F32, 1, &reference);
      run_computed(dirs[i], tiers[t], HFM_BF16, 1, &other);
      run_computed(dirs[i], tiers[t], HFM_BF16, 3, &again);
      CHECK(same_bits(&other, &again));
      CHECK(!same_bits(&other, &reference));
      for (size_t j = 0; j < reference.count; j++) {
        const double v = (double)reference.values[j] < 0 ? -(double)reference.values[j] : (double)reference.values[j];
        largest = v > largest ? v : largest;
      }
      CHECK_ALL_NEAR(other.values, reference.values, reference.count, 0.02 * largest, 0);
    }
    run_computed(FIXTURE("bert_wide"), tiers[t], HFM_F32, 1, &reference);
    run_computed(FIXTURE("bert_wide"), tiers[t], HFM_BF16, 1, &other);
    CHECK(same_bits(&other, &reference));
  }
  options.isa = 0;
  options.compute_dtype = HFM_F16;
  CHECK_INT(hfm_from_pretrained(dirs[0], &options, &model, &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "compute_dtype");
}

int main(void) {
  TEST(test_threads_packing_history);
  TEST(test_place_in_batch);
  TEST(test_batch_invariant);
  TEST(test_batch_invariant_padding);
  TEST(test_tiers_agree);
  TEST(test_attention_implementations_agree);
  TEST(test_compute_dtype);
  return check_report("test_bits");
}
