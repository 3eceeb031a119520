/* support.h: what the tests of the API share: fixtures by name, sessions, forwards whose first output is kept. */
#ifndef API_SUPPORT_H
#define API_SUPPORT_H

#define FIXTURE(name) "tests/models/" name

/* The first output of a forward, copied. */
typedef struct kept_output {
  float values[65536];
  size_t count;
} kept_output;

CHECK_UNUSED static hfm_model *load_fixture(const char *dir, const hfm_options *options) {
  hfm_model *model = NULL;
  hfm_error error;
  if (hfm_from_pretrained(dir, options, &model, &error)) printf("  %s\n", error.message);
  CHECK(model != NULL);
  return model;
}

CHECK_UNUSED static hfm_session *new_session(hfm_model *model, int32_t threads) {
  hfm_session_options options;
  hfm_session *session = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  options.threads = threads;
  CHECK_INT(hfm_session_create(model, &options, &session, &error), HFM_OK);
  return session;
}

CHECK_UNUSED static void keep_output(const hfm_outputs *out, kept_output *kept) {
  const hfm_tensor *t = out->items_count ? &out->items[0].tensor : NULL;
  size_t n = 1;
  int32_t i;
  kept->count = 0;
  if (!CHECK(t && t->data && t->dtype == HFM_F32)) return;
  for (i = 0; i < t->rank; i++) n *= (size_t)t->shape[i];
  if (!CHECK(n <= sizeof kept->values / sizeof kept->values[0])) return;
  memcpy(kept->values, t->data, n * sizeof(float));
  kept->count = n;
}

CHECK_UNUSED static hfm_result forward_kept(hfm_session *session, const hfm_inputs *in, kept_output *kept) {
  hfm_outputs out;
  hfm_error error;
  const hfm_result result = hfm_forward(session, in, &out, &error);
  kept->count = 0;
  if (result) printf("  %s\n", error.message);
  if (CHECK_INT(result, HFM_OK)) keep_output(&out, kept);
  return result;
}

CHECK_UNUSED static int same_bits(const kept_output *a, const kept_output *b) {
  return a->count > 0 && a->count == b->count && memcmp(a->values, b->values, a->count * sizeof(float)) == 0;
}

/* Ids 1, 2, ... that stay below every fixture's vocabulary, different for each seed. */
CHECK_UNUSED static void fill_ids(int64_t *ids, int64_t count, int64_t seed) {
  int64_t i;
  for (i = 0; i < count; i++) ids[i] = 3 + (i * 7 + seed * 11) % 50;
}

CHECK_UNUSED static hfm_tensor tensor_of(const void *data, int32_t dtype, int64_t rows, int64_t columns) {
  hfm_tensor t;
  memset(&t, 0, sizeof t);
  t.data = data;
  t.dtype = dtype;
  t.rank = 2;
  t.shape[0] = rows;
  t.shape[1] = columns;
  return t;
}

#endif
