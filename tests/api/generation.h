/* generation.h: a prompt, a model and a session, and what they generate. Included after hfmodel.h, check.h and
   support.h. */
#ifndef API_GENERATION_H
#define API_GENERATION_H

enum { LENGTH = 7, NEW = 12, VOCAB = 61 };

static const int64_t prompt[LENGTH] = {5, 17, 9, 33, 2, 41, 8};
static hfm_error error;

CHECK_UNUSED static hfm_model *load(const hfm_allocator *allocator) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.task = HFM_CAUSAL_LM;
  if (allocator) options.allocator = *allocator;
  return load_fixture(FIXTURE("llama_causal"), &options);
}

CHECK_UNUSED static hfm_inputs inputs_of(const int64_t *ids, int64_t rows, int64_t length) {
  hfm_inputs in;
  memset(&in, 0, sizeof in);
  in.input_ids = hfm_tensor_i64(ids, rows, length);
  return in;
}

/* No end but the number of tokens. */
CHECK_UNUSED static hfm_generation_config plain(void) {
  hfm_generation_config config;
  memset(&config, 0, sizeof config);
  config.max_new_tokens = NEW;
  config.eos_token_id.count = -1;
  return config;
}

/* The ids of a generation, copied. */
typedef struct kept {
  int64_t ids[1024], rows, length;
} kept;

CHECK_UNUSED static int keep(const hfm_generated *out, kept *k) {
  k->rows = out->sequences.shape[0];
  k->length = out->sequences.shape[1];
  if (!CHECK(out->sequences.data && k->rows * k->length <= 1024)) return 0;
  memcpy(k->ids, out->sequences.data, (size_t)(k->rows * k->length) * sizeof *k->ids);
  return 1;
}

CHECK_UNUSED static int generate(hfm_session *session, const hfm_inputs *in, const hfm_generation_config *config,
                                 kept *k) {
  hfm_generated out;
  const hfm_result result = hfm_generate(session, in, config, &out, &error);
  if (result) printf("  %s\n", error.message);
  return CHECK_INT(result, HFM_OK) && keep(&out, k);
}

CHECK_UNUSED static int same(const kept *a, const kept *b) {
  return a->rows == b->rows && a->length == b->length &&
         !memcmp(a->ids, b->ids, (size_t)(a->rows * a->length) * sizeof *a->ids);
}

static hfm_model *model;
static hfm_session *session;
static kept right;

CHECK_UNUSED static void setup(void) {
  const hfm_inputs in = inputs_of(prompt, 1, LENGTH);
  const hfm_generation_config config = plain();
  model = load(NULL);
  session = new_session(model, 1);
  CHECK(generate(session, &in, &config, &right));
}

CHECK_UNUSED static void teardown(void) {
  hfm_session_free(session);
  hfm_model_free(model);
}

#endif
