/* ==== families/causal (private): the heads over decoders ==========================================================
   From GPT-2 on, models have the same heads over a base model of their own. A family writes the base model; its class
   says what its heads are called. */

struct hfm__causal_class;

/* How the description of such a base model begins. */
typedef struct hfm__causal {
  const struct hfm__causal_class *family;
  int64_t vocab_size, pad_token_id;
  int64_t width; /* of input embeddings and of last_hidden_state */
  int32_t is_causal;
  const char *model_class; /* of the base model in a head's: "*Model" */
  hfm__mod words;          /* what lm_head is tied to */
  hfm__mod head, head_dropout;
} hfm__causal;

/* The traits of a family's models begin with it. */
typedef struct hfm__causal_class {
  hfm__causal *(*configure)(hfm__builder *b);                     /* what the configuration says; NULL after an error */
  void (*init)(hfm__builder *b, hfm__causal *self);               /* registers the base model's modules */
  hfm__val (*forward)(hfm__builder *b, const hfm__causal *self);  /* to last_hidden_state */
  hfm__val (*logits)(hfm__builder *b, const hfm__causal *self, hfm__val x); /* what becomes of lm_head's; or NULL */
  const char *token_head;    /* what ForTokenClassification calls its classifier */
  const char *question_base; /* what ForQuestionAnswering calls the base model; NULL: as all do */
  int32_t lm_head_bias;
} hfm__causal_class;

/* What all configurations have; `width` is the key of the hidden size. */
HFM__PRIVATE void hfm__causal_configure(hfm__builder *b, hfm__causal *self, const char *width) {
  self->family = (const hfm__causal_class *)b->traits;
  self->vocab_size = hfm__size(b, "vocab_size");
  self->width = hfm__size(b, width);
  self->pad_token_id = hfm__padding_id(b);
  self->is_causal = hfm__is_causal(b);
  self->model_class = "*Model";
}

/* A rule of configurations: n_embed, hidden_size's old name, counts for more. */
HFM__PRIVATE hfm__config_value hfm__width_of_n_embed(const hfm_config *config, int64_t i) {
  (void)i;
  return hfm__config_is_null(config, "n_embed") ? hfm__config_node(&config->document, 0)
                                                : hfm__config_said(config, "n_embed");
}

/* Elements of a head, where a model may say how many. Most configuration classes leave it to the model to divide; those
   that do it themselves have that default. What is left over is nobody's: the heads are narrower than hidden_size. */
HFM__PRIVATE int64_t hfm__head_dim(hfm__builder *b, const hfm__causal *self, int64_t heads) {
  if (!hfm__is_null(b, "head_dim")) return hfm__size(b, "head_dim");
  if (heads > self->width) hfm__divides(b, "num_attention_heads", heads, "hidden_size", self->width);
  return HFM__MAX(self->width / heads, 1);
}

/* One of `parts` that each head has side by side in x [batch, length, heads * parts * size]: [batch, length, heads,
   size]. */
HFM__PRIVATE hfm__val hfm__head_part(hfm__builder *b, hfm__val x, int64_t heads, int64_t parts, int64_t part) {
  const hfm__val y = hfm__split_heads(b, x, heads);
  const hfm__dim size = hfm__dim_op(b, HFM__DIM_floordiv, hfm__dim_of(b, y, -1), hfm__fixed(b, parts));
  return hfm__slice_from(b, y, -1, hfm__dim_op(b, HFM__DIM_mul, size, hfm__fixed(b, part)), size);
}

/* Token types share the words' table (GPT-2, GPT Neo). */
HFM__PRIVATE hfm__val hfm__add_token_types(hfm__builder *b, const hfm__causal *self, hfm__val x) {
  if (!hfm__given(b, HFM__IN_token_type_ids)) return x;
  return hfm__add(b, x,
                  hfm__call(b, self->words,
                            hfm__input_ids(b, HFM__IN_token_type_ids, self->vocab_size, "vocab_size")));
}

HFM__PRIVATE hfm__causal *hfm__causal_new(hfm__builder *b) {
  return ((const hfm__causal_class *)b->traits)->configure(b);
}

HFM__PRIVATE hfm__causal *hfm__causal_with_base(hfm__builder *b) {
  hfm__causal *self = hfm__causal_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, self->model_class);
  self->family->init(b, self);
  hfm__end(b);
  return self;
}

HFM__PRIVATE void *hfm__causal_base_init(hfm__builder *b) {
  hfm__causal *self = hfm__causal_new(b);
  if (self) self->family->init(b, self);
  return self;
}
HFM__PRIVATE void hfm__causal_base_forward(hfm__builder *b, const void *model) {
  const hfm__causal *self = (const hfm__causal *)model;
  hfm__output(b, HFM__OUT_last_hidden_state, self->family->forward(b, self));
}

HFM__PRIVATE void *hfm__causal_lm_init(hfm__builder *b) {
  hfm__causal *self = hfm__causal_with_base(b);
  if (!self) return NULL;
  self->head = hfm__linear(b, "lm_head", self->width, self->vocab_size, self->family->lm_head_bias);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->head), hfm__weight_of(b, self->words));
  return self;
}
HFM__PRIVATE void hfm__causal_lm_forward(hfm__builder *b, const void *model) {
  const hfm__causal *self = (const hfm__causal *)model;
  const hfm__val x = hfm__kept_positions(b, self->family->forward(b, self)), logits = hfm__call(b, self->head, x);
  hfm__output(b, HFM__OUT_logits, self->family->logits ? self->family->logits(b, self, logits) : logits);
}

HFM__PRIVATE void *hfm__causal_sequence_init(hfm__builder *b) {
  hfm__causal *self = hfm__causal_with_base(b);
  if (self) self->head = hfm__linear(b, "score", self->width, hfm__labels(b), 0);
  return self;
}
HFM__PRIVATE void hfm__causal_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__causal *self = (const hfm__causal *)model;
  const hfm__val x = self->family->forward(b, self);
  hfm__output(b, HFM__OUT_logits,
              hfm__call(b, self->head, hfm__last_real_token(b, x, self->vocab_size, self->pad_token_id)));
}

/* The generic head is called "score" and has a bias unless the configuration says no; older ones always have it. */
HFM__PRIVATE void *hfm__causal_token_init(hfm__builder *b) {
  const char *key = "token_classification_bias", *name;
  hfm__causal *self = hfm__causal_with_base(b);
  if (!self) return NULL;
  name = self->family->token_head;
  self->head_dropout = hfm__dropout(b, "dropout", hfm__decoder_classifier_dropout(b));
  self->head = hfm__linear(b, name, self->width, hfm__labels(b),
                           !hfm__equal(name, "score") || !hfm__config_find(b->config, key).node || hfm__flag(b, key));
  return self;
}
HFM__PRIVATE void hfm__causal_token_forward(hfm__builder *b, const void *model) {
  const hfm__causal *self = (const hfm__causal *)model;
  const hfm__val x = hfm__call(b, self->head_dropout, self->family->forward(b, self));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head, x));
}

HFM__PRIVATE void *hfm__causal_question_init(hfm__builder *b) {
  const char *base = ((const hfm__causal_class *)b->traits)->question_base;
  hfm__causal *self;
  if (base) b->base = base;
  self = hfm__causal_with_base(b);
  if (self) self->head = hfm__linear(b, "qa_outputs", self->width, 2, 1);
  return self;
}
HFM__PRIVATE void hfm__causal_question_forward(hfm__builder *b, const void *model) {
  const hfm__causal *self = (const hfm__causal *)model;
  hfm__span_outputs(b, hfm__call(b, self->head, self->family->forward(b, self)));
}

/* Rows of a family's heads; ForCausalLM is LMHeadModel in GPT-2. */
#define HFM__CAUSAL_BASE_HEAD {HFM_BASE, "Model", hfm__causal_base_init, hfm__causal_base_forward}
#define HFM__CAUSAL_LM_HEAD(suffix) {HFM_CAUSAL_LM, suffix, hfm__causal_lm_init, hfm__causal_lm_forward}
#define HFM__CAUSAL_SEQUENCE_HEAD \
  {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__causal_sequence_init, hfm__causal_sequence_forward}
#define HFM__CAUSAL_TOKEN_HEAD \
  {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__causal_token_init, hfm__causal_token_forward}
#define HFM__CAUSAL_QUESTION_HEAD \
  {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__causal_question_init, hfm__causal_question_forward}

/* What most of them have. */
static const hfm__head hfm__causal_heads[] = {
    HFM__CAUSAL_BASE_HEAD, HFM__CAUSAL_LM_HEAD("ForCausalLM"), HFM__CAUSAL_SEQUENCE_HEAD, HFM__CAUSAL_TOKEN_HEAD,
    HFM__CAUSAL_QUESTION_HEAD, {0, NULL, NULL, NULL}};
