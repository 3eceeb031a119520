/* ==== families/encoder (private): what BERT and RoBERTa share ====================================================
   After models/bert/modeling_bert.py, which modeling_roberta.py copies under another prefix: the encoder, and the
   heads that both have. A family's file has what sets it apart: its embeddings and positions, its other heads. */

typedef struct hfm__bert_config {
  int64_t vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size;
  int64_t max_position_embeddings, type_vocab_size;
  int32_t hidden_act;
  double layer_norm_eps;
  const char *hidden_dropout_prob, *attention_probs_dropout_prob, *classifier_dropout;
  int64_t pad_token_id; /* HFM__NO_PADDING: none */
  int32_t is_decoder;   /* keys and values may be cached */
  int32_t causal;       /* tokens see only what is before them */
} hfm__bert_config;

typedef struct hfm__bert_embeddings {
  hfm__mod word_embeddings, position_embeddings, token_type_embeddings, LayerNorm, dropout;
} hfm__bert_embeddings;

/* BertSelfOutput and BertOutput. */
typedef struct hfm__bert_output {
  hfm__mod dense, LayerNorm, dropout;
} hfm__bert_output;

typedef struct hfm__bert_layer {
  hfm__mod query, key, value, attention_dropout; /* attention.self */
  hfm__bert_output attention_output, output;
  hfm__mod intermediate_dense, intermediate_act_fn;
} hfm__bert_layer;

/* What sets a family apart below its heads. */
typedef struct hfm__bert_traits {
  void (*embeddings)(hfm__builder *b, hfm__bert_embeddings *self, const hfm__bert_config *c); /* registers them */
  hfm__val (*positions)(hfm__builder *b, const hfm__bert_config *c);
  int32_t head_first; /* heads are registered before the base model */
} hfm__bert_traits;

typedef struct hfm__bert {
  const hfm__bert_traits *traits;
  hfm__bert_config config;
  hfm__bert_embeddings embeddings;
  hfm__bert_layer *layer;
  hfm__mod pooler_dense, pooler_activation; /* none without a pooler */
  /* Heads use some of these. */
  hfm__mod dropout, classifier;
  hfm__mod transform_dense, transform_act_fn, transform_LayerNorm, decoder;
} hfm__bert;

HFM__PRIVATE void hfm__bert_configure(hfm__builder *b, hfm__bert_config *c) {
  const char *positions = hfm__string(b, "position_embedding_type", "absolute");
  c->vocab_size = hfm__size(b, "vocab_size");
  c->hidden_size = hfm__size(b, "hidden_size");
  c->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  c->num_attention_heads = hfm__size(b, "num_attention_heads");
  c->intermediate_size = hfm__size(b, "intermediate_size");
  c->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  c->type_vocab_size = hfm__size(b, "type_vocab_size");
  c->hidden_act = hfm__activation_key(b, "hidden_act");
  c->layer_norm_eps = hfm__epsilon(b, "layer_norm_eps");
  c->hidden_dropout_prob = hfm__probability(b, "hidden_dropout_prob");
  c->attention_probs_dropout_prob = hfm__probability(b, "attention_probs_dropout_prob");
  c->classifier_dropout =
      hfm__is_null(b, "classifier_dropout") ? c->hidden_dropout_prob : hfm__probability(b, "classifier_dropout");
  c->pad_token_id = hfm__padding_id(b);
  hfm__divides(b, "num_attention_heads", c->num_attention_heads, "hidden_size", c->hidden_size);
  if (!hfm__equal(positions, "absolute"))
    hfm__refuse(b, "position_embedding_type", positions, "only absolute position embeddings give the right results");
  if (hfm__flag(b, "add_cross_attention"))
    hfm__refuse(b, "add_cross_attention", "true", "decoders of this family that read an encoder are not here yet");
  c->is_decoder = hfm__flag(b, "is_decoder");
  c->causal = c->is_decoder && hfm__is_causal(b);
}

/* ---- Embeddings ---- */

/* token_type_ids as given; without them every token is of type 0. */
HFM__PRIVATE hfm__val hfm__bert_token_types(hfm__builder *b, const hfm__bert_embeddings *self,
                                            const hfm__bert_config *c) {
  hfm__val types;
  if (hfm__given(b, HFM__IN_token_type_ids))
    return hfm__call(b, self->token_type_embeddings,
                     hfm__input_ids(b, HFM__IN_token_type_ids, c->type_vocab_size, "type_vocab_size"));
  types = hfm__iota(b, hfm__fixed(b, 1), hfm__fixed(b, 0));
  return hfm__call(b, self->token_type_embeddings, types);
}

HFM__PRIVATE hfm__val hfm__bert_embed(hfm__builder *b, const hfm__bert_embeddings *self, const hfm__bert_config *c,
                                      hfm__val words, hfm__val positions) {
  hfm__val x = hfm__add(b, words, hfm__bert_token_types(b, self, c));
  x = hfm__add(b, x, hfm__call(b, self->position_embeddings, positions));
  return hfm__call(b, self->dropout, hfm__call(b, self->LayerNorm, x));
}

/* ---- Encoder ---- */

HFM__PRIVATE void hfm__bert_output_init(hfm__builder *b, hfm__bert_output *self, const char *class_name, int64_t size,
                                        const hfm__bert_config *c) {
  hfm__begin(b, "output", class_name);
  self->dense = hfm__linear(b, "dense", size, c->hidden_size, 1);
  self->LayerNorm = hfm__layer_norm(b, "LayerNorm", c->hidden_size, c->layer_norm_eps);
  self->dropout = hfm__dropout(b, "dropout", c->hidden_dropout_prob);
  hfm__end(b);
}

HFM__PRIVATE hfm__val hfm__bert_output_forward(hfm__builder *b, const hfm__bert_output *self, hfm__val x,
                                               hfm__val residual) {
  x = hfm__call(b, self->dropout, hfm__call(b, self->dense, x));
  return hfm__call(b, self->LayerNorm, hfm__add(b, x, residual));
}

HFM__PRIVATE void hfm__bert_layer_init(hfm__builder *b, hfm__bert_layer *self, const hfm__bert_config *c) {
  hfm__begin(b, "attention", "*Attention");
  hfm__begin(b, "self", "*SelfAttention");
  self->query = hfm__linear(b, "query", c->hidden_size, c->hidden_size, 1);
  self->key = hfm__linear(b, "key", c->hidden_size, c->hidden_size, 1);
  self->value = hfm__linear(b, "value", c->hidden_size, c->hidden_size, 1);
  self->attention_dropout = hfm__dropout(b, "dropout", c->attention_probs_dropout_prob);
  hfm__end(b);
  hfm__bert_output_init(b, &self->attention_output, "*SelfOutput", c->hidden_size, c);
  hfm__end(b);
  hfm__begin(b, "intermediate", "*Intermediate");
  self->intermediate_dense = hfm__linear(b, "dense", c->hidden_size, c->intermediate_size, 1);
  self->intermediate_act_fn = hfm__activation(b, "intermediate_act_fn", c->hidden_act);
  hfm__end(b);
  hfm__bert_output_init(b, &self->output, "*Output", c->intermediate_size, c);
}

HFM__PRIVATE hfm__val hfm__bert_layer_forward(hfm__builder *b, const hfm__bert *model, int64_t index, hfm__val x,
                                              hfm__val mask) {
  const hfm__bert_config *c = &model->config;
  const hfm__bert_layer *self = &model->layer[index];
  const int64_t heads = c->num_attention_heads;
  const double scale = 1.0 / sqrt((double)(c->hidden_size / heads));
  const hfm__val q = hfm__split_heads(b, hfm__call(b, self->query, x), heads);
  hfm__val k = hfm__split_heads(b, hfm__call(b, self->key, x), heads);
  hfm__val v = hfm__split_heads(b, hfm__call(b, self->value, x), heads), attention, y;
  if (c->is_decoder) {
    k = hfm__cached(b, index, "key", k);
    v = hfm__cached(b, index, "value", v);
  }
  attention = hfm__attend(b, q, k, v, mask, scale, c->causal);
  attention = hfm__bert_output_forward(b, &self->attention_output, attention, x);
  y = hfm__call(b, self->intermediate_act_fn, hfm__call(b, self->intermediate_dense, attention));
  return hfm__bert_output_forward(b, &self->output, y, attention);
}

HFM__PRIVATE void hfm__bert_encoder_init(hfm__builder *b, hfm__bert *self) {
  const hfm__bert_config *c = &self->config;
  self->layer = HFM__NEW(b, hfm__bert_layer, c->num_hidden_layers);
  hfm__begin(b, "encoder", "*Encoder");
  hfm__begin_list(b, "layer");
  for (int64_t i = 0; i < c->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "*Layer");
    hfm__bert_layer_init(b, &self->layer[i], c);
    hfm__end(b);
  }
  hfm__end(b);
  hfm__end(b);
}

HFM__PRIVATE hfm__val hfm__bert_encode(hfm__builder *b, const hfm__bert *self, hfm__val x) {
  const hfm__val mask = hfm__input_mask(b);
  hfm__hidden_state(b, x);
  for (int64_t i = 0; i < self->config.num_hidden_layers && hfm__ok(b); i++) {
    x = hfm__bert_layer_forward(b, self, i, x, mask);
    hfm__hidden_state(b, x);
  }
  return x;
}

HFM__PRIVATE void hfm__bert_pooler_init(hfm__builder *b, hfm__bert *self) {
  hfm__begin(b, "pooler", "*Pooler");
  self->pooler_dense = hfm__linear(b, "dense", self->config.hidden_size, self->config.hidden_size, 1);
  self->pooler_activation = hfm__activation(b, "activation", HFM__ACTIVATION_tanh);
  hfm__end(b);
}

HFM__PRIVATE hfm__val hfm__bert_pool(hfm__builder *b, const hfm__bert *self, hfm__val x) {
  return hfm__call(b, self->pooler_activation, hfm__call(b, self->pooler_dense, hfm__select_row(b, x, 0)));
}

/* ---- The model, and heads that all have alike ---- */

enum { HFM__WITHOUT_POOLER = 0, HFM__WITH_POOLER = 1 };

HFM__PRIVATE void hfm__bert_model_init(hfm__builder *b, hfm__bert *self, int pooler) {
  self->traits->embeddings(b, &self->embeddings, &self->config);
  hfm__bert_encoder_init(b, self);
  if (pooler) hfm__bert_pooler_init(b, self);
}

HFM__PRIVATE hfm__val hfm__bert_model_forward(hfm__builder *b, const hfm__bert *self) {
  const hfm__bert_config *c = &self->config;
  const hfm__val words = hfm__word_embeddings(b, self->embeddings.word_embeddings, c->vocab_size, c->hidden_size);
  const hfm__val positions = self->traits->positions(b, c);
  return hfm__bert_encode(b, self, hfm__bert_embed(b, &self->embeddings, c, words, positions));
}

HFM__PRIVATE hfm__bert *hfm__bert_new(hfm__builder *b) {
  hfm__bert *self = HFM__NEW(b, hfm__bert, 1);
  if (!self) return NULL;
  self->traits = (const hfm__bert_traits *)b->traits;
  hfm__bert_configure(b, &self->config);
  return self;
}

/* A model with a head: the base model under its name. NULL after an error. */
HFM__PRIVATE hfm__bert *hfm__bert_with_head(hfm__builder *b, int pooler,
                                            void (*head)(hfm__builder *b, hfm__bert *self)) {
  hfm__bert *self = hfm__bert_new(b);
  if (!self) return NULL;
  if (self->traits->head_first) head(b, self);
  hfm__begin(b, b->base, "*Model");
  hfm__bert_model_init(b, self, pooler);
  hfm__end(b);
  if (!self->traits->head_first) head(b, self);
  return self;
}

HFM__PRIVATE void *hfm__bert_base_init(hfm__builder *b) {
  hfm__bert *self = hfm__bert_new(b);
  if (self) hfm__bert_model_init(b, self, HFM__WITH_POOLER);
  return self;
}
HFM__PRIVATE void hfm__bert_base_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  const hfm__val x = hfm__bert_model_forward(b, self);
  hfm__output(b, HFM__OUT_last_hidden_state, x);
  hfm__output(b, HFM__OUT_pooler_output, hfm__bert_pool(b, self, x));
}

HFM__PRIVATE void hfm__bert_classifier(hfm__builder *b, hfm__bert *self) {
  self->dropout = hfm__dropout(b, "dropout", self->config.classifier_dropout);
  self->classifier = hfm__linear(b, "classifier", self->config.hidden_size, hfm__labels(b), 1);
}
HFM__PRIVATE void *hfm__bert_token_init(hfm__builder *b) {
  return hfm__bert_with_head(b, HFM__WITHOUT_POOLER, hfm__bert_classifier);
}
HFM__PRIVATE void hfm__bert_token_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  const hfm__val x = hfm__bert_model_forward(b, self);
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->classifier, hfm__call(b, self->dropout, x)));
}

HFM__PRIVATE void hfm__bert_question_head(hfm__builder *b, hfm__bert *self) {
  self->classifier = hfm__linear(b, "qa_outputs", self->config.hidden_size, hfm__labels(b), 1);
}
HFM__PRIVATE void *hfm__bert_question_init(hfm__builder *b) {
  return hfm__bert_with_head(b, HFM__WITHOUT_POOLER, hfm__bert_question_head);
}
HFM__PRIVATE void hfm__bert_question_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  hfm__span_outputs(b, hfm__call(b, self->classifier, hfm__bert_model_forward(b, self)));
}

/* In Transformers' words. */
HFM__PRIVATE void hfm__bert_warn_of_head(hfm__builder *b, const hfm__bert_config *c) {
  const int32_t causal = b->task == HFM_CAUSAL_LM;
  if (!hfm__ok(b) || c->is_decoder == causal) return;
  hfm__log(&b->config->ctx, HFM_LOG_WARNING, 0,
           causal ? "If you want to use `%sLMHeadModel` as a standalone, add `is_decoder=True.`"
                  : "If you want to use `%sForMaskedLM` make sure `config.is_decoder=False` for bi-directional "
                    "self-attention.",
           b->prefix);
}
