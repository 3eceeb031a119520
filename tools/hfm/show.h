/* show.h: the outputs of a model, as a person wants to read them: labels and probabilities, spans, tokens. */

typedef struct show {
  const hfm_model *model;
  const hfm_inputs *in;
  const hfm_outputs *out;
  const float *kept; /* 1 where the attention_mask keeps a position, else 0; NULL: all are kept */
  int64_t top;
  int64_t mask_id; /* -1: not known */
} show;

enum { MAX_TOP = 100 };

/* An element of a tensor of integers, such as input_ids: the library takes no others. */
static int64_t integer_at(const hfm_tensor *tensor, int64_t index) {
  switch (tensor->dtype) {
    case HFM_I64: return ((const int64_t *)tensor->data)[index];
    case HFM_U64: return (int64_t)((const uint64_t *)tensor->data)[index];
    case HFM_I32: return ((const int32_t *)tensor->data)[index];
    case HFM_U32: return ((const uint32_t *)tensor->data)[index];
    case HFM_I16: return ((const int16_t *)tensor->data)[index];
    case HFM_U16: return ((const uint16_t *)tensor->data)[index];
    case HFM_I8: return ((const int8_t *)tensor->data)[index];
    default: return ((const uint8_t *)tensor->data)[index]; /* U8, BOOL */
  }
}

/* What show.kept wants (free it). A mask may have any dtype: the library itself says what is nonzero in it, by the mean
   over one position each. NULL where there is no mask. */
static float *kept_positions(const hfm_tensor *attention_mask, hfm_result *result, hfm_error *error) {
  const size_t count = tensor_elements(attention_mask);
  float *ones = attention_mask->data ? (float *)malloc(2 * count * sizeof(float)) : NULL;
  const int64_t shape[3] = { (int64_t)count, 1, 1 };
  hfm_tensor mask = *attention_mask;
  hfm_tensor hidden = hfm_tensor_f32(ones, 3, shape);
  *result = HFM_OK;
  if (!attention_mask->data) return NULL;
  if (!ones) {
    *result = hfm_companion_fail(error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, "", "", "out of memory");
    return NULL;
  }
  for (size_t i = 0; i < count; i++) ones[i] = 1;
  mask.rank = 2;
  mask.shape[0] = (int64_t)count;
  mask.shape[1] = 1;
  *result = hfm_mean_pool(&hidden, &mask, ones + count, error);
  memmove(ones, ones + count, count * sizeof(float));
  return ones;
}

static int is_real(const show *s, int64_t row, int64_t i) {
  return !s->kept || s->kept[row * s->in->attention_mask.shape[1] + i] > 0;
}

static const char *label_of(const hfm_model *model, int64_t id, char *buffer, size_t size) {
  const char *label = hfm_label(model, id);
  if (label) return label;
  snprintf(buffer, size, "LABEL_%" PRId64, id);
  return buffer;
}

static void print_token_of(const show *s, int64_t row, int64_t i) {
  const hfm_tensor *ids = &s->in->input_ids;
  if (ids->data) printf("%8" PRId64, integer_at(ids, row * ids->shape[1] + i));
  else printf("%8s", "-");
}

/* The probability, and a bar of up to 24 marks. */
static void print_part(double part) {
  printf("  %6.2f %%", part * 100);
  for (double i = 0.5; i < part * 24; i++) printf(i < 1 ? "  #" : "#");
  putchar('\n');
}

/* The most probable labels of one row of logits. */
static void show_labels(const show *s, const float *logits, int64_t count) {
  const char *problem = hfm_config_get_string(hfm_model_config(s->model), "problem_type", "");
  const int multi = strcmp(problem, "multi_label_classification") == 0;
  int64_t ids[MAX_TOP];
  float best[MAX_TOP];
  char buffer[32];
  int width = 8;
  if (count == 1) { /* a regression, or a cross-encoder's score */
    printf("  score %.6g\n", (double)logits[0]);
    return;
  }
  double sum = 0;
  const int64_t shown = hfm_top_k(logits, count, s->top, ids, best);
  for (int64_t i = 0; i < count; i++) sum += exp((double)logits[i] - (double)best[0]);
  for (int64_t k = 0; k < shown; k++) {
    const int length = (int)strlen(label_of(s->model, ids[k], buffer, sizeof buffer));
    if (length > width) width = length < 40 ? length : 40;
  }
  for (int64_t k = 0; k < shown; k++) {
    const double logit = (double)best[k];
    const double part = multi ? 1 / (1 + exp(-logit)) : exp(logit - (double)best[0]) / sum;
    printf("  ");
    print_text(label_of(s->model, ids[k], buffer, sizeof buffer), width);
    print_part(part);
  }
}

/* The most probable tokens of one row of logits, on one line. */
static void show_tokens(const show *s, const float *logits, int64_t count) {
  int64_t ids[MAX_TOP];
  float best[MAX_TOP];
  double sum = 0;
  const int64_t shown = hfm_top_k(logits, count, s->top, ids, best);
  for (int64_t i = 0; i < count; i++) sum += exp((double)logits[i] - (double)best[0]);
  for (int64_t k = 0; k < shown; k++) {
    printf("  %" PRId64 " (%.1f %%)", ids[k], exp((double)best[k] - (double)best[0]) / sum * 100);
  }
  putchar('\n');
}

static const float *logits_at(const show *s, int64_t row, int64_t i) {
  const hfm_tensor *logits = &s->out->logits; /* [batch, length, n] */
  return (const float *)logits->data + (row * logits->shape[1] + i) * logits->shape[2];
}

static void show_sequence_classification(const show *s, int64_t row) {
  const int64_t labels = s->out->logits.shape[1];
  show_labels(s, (const float *)s->out->logits.data + row * labels, labels);
}

static void show_token_classification(const show *s, int64_t row) {
  const int64_t length = s->out->logits.shape[1], labels = s->out->logits.shape[2];
  printf("  position   token  label\n");
  for (int64_t i = 0; i < length; i++) {
    const float *logits = logits_at(s, row, i);
    const int64_t best = hfm_argmax(logits, labels);
    double sum = 0;
    char buffer[32];
    if (!is_real(s, row, i)) continue;
    for (int64_t k = 0; k < labels; k++) sum += exp((double)logits[k] - (double)logits[best]);
    printf("  %8" PRId64, i);
    print_token_of(s, row, i);
    printf("  ");
    print_text(label_of(s->model, best, buffer, sizeof buffer), 16);
    printf("  %6.2f %%\n", 100 / sum);
  }
}

/* The best answer: start before end, both real, at most 30 tokens, as the pipeline of Transformers searches it. */
static void show_question_answering(const show *s, int64_t row) {
  const int64_t length = s->out->start_logits.shape[1];
  const float *start = (const float *)s->out->start_logits.data + row * length;
  const float *end = (const float *)s->out->end_logits.data + row * length;
  int64_t from = 0, to = 0;
  float best = 0;
  int found = 0;
  for (int64_t i = 0; i < length; i++) {
    for (int64_t j = i; is_real(s, row, i) && j < length && j < i + 30 && is_real(s, row, j); j++) {
      if (found && start[i] + end[j] <= best) continue;
      best = start[i] + end[j];
      from = i;
      to = j;
      found = 1;
    }
  }
  printf("  answer: positions %" PRId64 " to %" PRId64 ", score %.4g\n  tokens:", from, to, (double)best);
  for (int64_t i = from; i <= to; i++) print_token_of(s, row, i);
  putchar('\n');
}

static void show_causal_lm(const show *s, int64_t row) {
  int64_t last = s->out->logits.shape[1] - 1;
  while (last > 0 && !is_real(s, row, last)) last--;
  printf("  next token:");
  show_tokens(s, logits_at(s, row, last), s->out->logits.shape[2]);
}

static void show_masked_lm(const show *s, int64_t row) {
  const hfm_tensor *ids = &s->in->input_ids;
  for (int64_t i = 0; i < s->out->logits.shape[1]; i++) {
    if (!is_real(s, row, i)) continue;
    if (s->mask_id >= 0 && (!ids->data || integer_at(ids, row * ids->shape[1] + i) != s->mask_id)) continue;
    printf("  position %" PRId64 ":", i);
    show_tokens(s, logits_at(s, row, i), s->out->logits.shape[2]);
  }
}

/* Anything else: each output's shape and its first values. */
static void show_tensors(const show *s) {
  for (size_t i = 0; i < s->out->items_count; i++) {
    const hfm_tensor *tensor = &s->out->items[i].tensor;
    const size_t count = tensor_elements(tensor);
    printf("%-18s ", s->out->items[i].name);
    print_shape(tensor);
    for (size_t k = 0; k < count && k < 5; k++) printf("  %.6g", (double)((const float *)tensor->data)[k]);
    puts(count > 5 ? "  ..." : "");
  }
}

static void show_outputs(const show *s) {
  const hfm_outputs *out = s->out;
  const hfm_task task = hfm_model_task(s->model);
  void (*row_of)(const show *, int64_t) = NULL;
  int64_t rows = 0;
  if (out->start_logits.data) row_of = show_question_answering, rows = out->start_logits.shape[0];
  else if (out->logits.data) rows = out->logits.shape[0];
  if (out->logits.rank == 2) row_of = show_sequence_classification;
  if (out->logits.rank == 3) {
    row_of = task == HFM_TOKEN_CLASSIFICATION ? show_token_classification
             : task == HFM_CAUSAL_LM ? show_causal_lm : task == HFM_MASKED_LM ? show_masked_lm : NULL;
  }
  for (int64_t row = 0; row_of && row < rows; row++) {
    if (rows > 1) printf("row %" PRId64 "\n", row);
    row_of(s, row);
  }
  if (!row_of) show_tensors(s);
}
