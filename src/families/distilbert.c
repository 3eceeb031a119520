/* ==== families/distilbert (private): DistilBERT ===================================================================
   After models/distilbert/modeling_distilbert.py: BERT without token types and pooler, under names of its own. */

typedef struct hfm__distilbert_layer {
  hfm__mod q_lin, k_lin, v_lin, out_lin, attention_dropout, sa_layer_norm;
  hfm__mod ffn_dropout, lin1, lin2, ffn_activation, output_layer_norm;
} hfm__distilbert_layer;

typedef struct hfm__distilbert {
  int64_t vocab_size, dim, n_layers, n_heads, hidden_dim, max_position_embeddings, pad_token_id;
  int32_t activation;
  const char *dropout, *attention_dropout;
  hfm__mod word_embeddings, position_embeddings, LayerNorm, embeddings_dropout;
  hfm__distilbert_layer *layer;
  hfm__mod head_activation, pre_classifier, classifier, head_dropout, vocab_transform, vocab_layer_norm,
      vocab_projector;
} hfm__distilbert;

static const double hfm__distilbert_eps = 1e-12; /* not configurable */

HFM__PRIVATE hfm__distilbert *hfm__distilbert_new(hfm__builder *b) {
  hfm__distilbert *self = HFM__NEW(b, hfm__distilbert, 1);
  if (!self) return NULL;
  self->vocab_size = hfm__size(b, "vocab_size");
  self->dim = hfm__size(b, "dim");
  self->n_layers = hfm__layer_count(b, "n_layers");
  self->n_heads = hfm__size(b, "n_heads");
  self->hidden_dim = hfm__size(b, "hidden_dim");
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->pad_token_id = hfm__padding_id(b);
  self->activation = hfm__activation_key(b, "activation");
  self->dropout = hfm__probability(b, "dropout");
  self->attention_dropout = hfm__probability(b, "attention_dropout");
  hfm__divides(b, "n_heads", self->n_heads, "dim", self->dim);
  return self;
}

HFM__PRIVATE void hfm__distilbert_block_init(hfm__builder *b, const hfm__distilbert *self,
                                             hfm__distilbert_layer *layer) {
  hfm__begin(b, "attention", "DistilBertSelfAttention");
  layer->q_lin = hfm__linear(b, "q_lin", self->dim, self->dim, 1);
  layer->k_lin = hfm__linear(b, "k_lin", self->dim, self->dim, 1);
  layer->v_lin = hfm__linear(b, "v_lin", self->dim, self->dim, 1);
  layer->out_lin = hfm__linear(b, "out_lin", self->dim, self->dim, 1);
  layer->attention_dropout = hfm__dropout(b, "dropout", self->attention_dropout);
  hfm__end(b);
  layer->sa_layer_norm = hfm__layer_norm(b, "sa_layer_norm", self->dim, hfm__distilbert_eps);
  hfm__begin(b, "ffn", "FFN");
  layer->ffn_dropout = hfm__dropout(b, "dropout", self->dropout);
  layer->lin1 = hfm__linear(b, "lin1", self->dim, self->hidden_dim, 1);
  layer->lin2 = hfm__linear(b, "lin2", self->hidden_dim, self->dim, 1);
  layer->ffn_activation = hfm__activation(b, "activation", self->activation);
  hfm__end(b);
  layer->output_layer_norm = hfm__layer_norm(b, "output_layer_norm", self->dim, hfm__distilbert_eps);
}

HFM__PRIVATE void hfm__distilbert_model_init(hfm__builder *b, hfm__distilbert *self) {
  hfm__begin(b, "embeddings", "Embeddings");
  self->word_embeddings = hfm__embedding(b, "word_embeddings", self->vocab_size, self->dim, self->pad_token_id);
  self->position_embeddings =
      hfm__embedding(b, "position_embeddings", self->max_position_embeddings, self->dim, HFM__NO_PADDING);
  if (hfm__ok(b) && hfm__flag(b, "sinusoidal_pos_embds"))
    b->tree->parameters[hfm__weight_of(b, self->position_embeddings).id].init = HFM__INIT_SINUSOIDAL;
  self->LayerNorm = hfm__layer_norm(b, "LayerNorm", self->dim, hfm__distilbert_eps);
  self->embeddings_dropout = hfm__dropout(b, "dropout", self->dropout);
  hfm__buffer_add(b, "position_ids", HFM_I64, self->max_position_embeddings);
  hfm__end(b);
  self->layer = HFM__NEW(b, hfm__distilbert_layer, self->n_layers);
  hfm__begin(b, "transformer", "Transformer");
  hfm__begin_list(b, "layer");
  for (int64_t i = 0; i < self->n_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "TransformerBlock");
    hfm__distilbert_block_init(b, self, &self->layer[i]);
    hfm__end(b);
  }
  hfm__end(b);
  hfm__end(b);
}

HFM__PRIVATE hfm__val hfm__distilbert_block_forward(hfm__builder *b, const hfm__distilbert *self,
                                                    const hfm__distilbert_layer *layer, hfm__val x, hfm__val mask) {
  const double scale = 1.0 / sqrt((double)(self->dim / self->n_heads));
  const hfm__val q = hfm__split_heads(b, hfm__call(b, layer->q_lin, x), self->n_heads);
  const hfm__val k = hfm__split_heads(b, hfm__call(b, layer->k_lin, x), self->n_heads);
  const hfm__val v = hfm__split_heads(b, hfm__call(b, layer->v_lin, x), self->n_heads);
  hfm__val attention = hfm__call(b, layer->out_lin, hfm__attend(b, q, k, v, mask, scale, 0)), output;
  attention = hfm__call(b, layer->sa_layer_norm, hfm__add(b, attention, x));
  output = hfm__call(b, layer->lin2, hfm__call(b, layer->ffn_activation, hfm__call(b, layer->lin1, attention)));
  output = hfm__call(b, layer->ffn_dropout, output);
  return hfm__call(b, layer->output_layer_norm, hfm__add(b, output, attention));
}

HFM__PRIVATE hfm__val hfm__distilbert_model_forward(hfm__builder *b, const hfm__distilbert *self) {
  const hfm__val words = hfm__word_embeddings(b, self->word_embeddings, self->vocab_size, self->dim);
  const hfm__val positions =
      hfm__call(b, self->position_embeddings, hfm__position_ids(b, self->max_position_embeddings, 0));
  const hfm__val mask = hfm__input_mask(b);
  hfm__val x = hfm__call(b, self->LayerNorm, hfm__add(b, words, positions));
  x = hfm__call(b, self->embeddings_dropout, x);
  hfm__hidden_state(b, x);
  for (int64_t i = 0; i < self->n_layers && hfm__ok(b); i++) {
    x = hfm__distilbert_block_forward(b, self, &self->layer[i], x, mask);
    hfm__hidden_state(b, x);
  }
  return x;
}

HFM__PRIVATE void hfm__distilbert_attach_base(hfm__builder *b, hfm__distilbert *self) {
  hfm__begin(b, b->base, "*Model");
  hfm__distilbert_model_init(b, self);
  hfm__end(b);
}

HFM__PRIVATE void *hfm__distilbert_base_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (self) hfm__distilbert_model_init(b, self);
  return self;
}
HFM__PRIVATE void hfm__distilbert_base_forward(hfm__builder *b, const void *model) {
  hfm__output(b, HFM__OUT_last_hidden_state, hfm__distilbert_model_forward(b, (const hfm__distilbert *)model));
}

HFM__PRIVATE void *hfm__distilbert_sequence_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (!self) return NULL;
  hfm__distilbert_attach_base(b, self);
  self->pre_classifier = hfm__linear(b, "pre_classifier", self->dim, self->dim, 1);
  self->classifier = hfm__linear(b, "classifier", self->dim, hfm__labels(b), 1);
  self->head_dropout = hfm__dropout(b, "dropout", hfm__probability(b, "seq_classif_dropout"));
  return self;
}
HFM__PRIVATE void hfm__distilbert_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__distilbert *self = (const hfm__distilbert *)model;
  const hfm__val pooled = hfm__select_row(b, hfm__distilbert_model_forward(b, self), 0);
  const hfm__val x = hfm__activate(b, HFM__ACT_relu, hfm__call(b, self->pre_classifier, pooled));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->classifier, hfm__call(b, self->head_dropout, x)));
}

HFM__PRIVATE void *hfm__distilbert_token_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (!self) return NULL;
  hfm__distilbert_attach_base(b, self);
  self->head_dropout = hfm__dropout(b, "dropout", self->dropout);
  self->classifier = hfm__linear(b, "classifier", self->dim, hfm__labels(b), 1);
  return self;
}
HFM__PRIVATE void hfm__distilbert_token_forward(hfm__builder *b, const void *model) {
  const hfm__distilbert *self = (const hfm__distilbert *)model;
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->classifier, hfm__distilbert_model_forward(b, self)));
}

HFM__PRIVATE void *hfm__distilbert_question_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (!self) return NULL;
  if (hfm__labels(b) != 2)
    hfm__refuse(b, "num_labels", hfm__own_text(b, "%i", hfm__labels(b)),
                "DistilBertForQuestionAnswering has 2, a start and an end");
  hfm__distilbert_attach_base(b, self);
  self->classifier = hfm__linear(b, "qa_outputs", self->dim, 2, 1);
  self->head_dropout = hfm__dropout(b, "dropout", hfm__probability(b, "qa_dropout"));
  return self;
}
HFM__PRIVATE void hfm__distilbert_question_forward(hfm__builder *b, const void *model) {
  const hfm__distilbert *self = (const hfm__distilbert *)model;
  hfm__span_outputs(b, hfm__call(b, self->classifier, hfm__distilbert_model_forward(b, self)));
}

HFM__PRIVATE void *hfm__distilbert_masked_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (!self) return NULL;
  self->head_activation = hfm__activation(b, "activation", self->activation);
  hfm__distilbert_attach_base(b, self);
  self->vocab_transform = hfm__linear(b, "vocab_transform", self->dim, self->dim, 1);
  self->vocab_layer_norm = hfm__layer_norm(b, "vocab_layer_norm", self->dim, hfm__distilbert_eps);
  self->vocab_projector = hfm__linear(b, "vocab_projector", self->dim, self->vocab_size, 1);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->vocab_projector), hfm__weight_of(b, self->word_embeddings));
  hfm__placeholder(b, "mlm_loss_fct", "CrossEntropyLoss");
  return self;
}
HFM__PRIVATE void hfm__distilbert_masked_forward(hfm__builder *b, const void *model) {
  const hfm__distilbert *self = (const hfm__distilbert *)model;
  hfm__val x = hfm__call(b, self->vocab_transform, hfm__distilbert_model_forward(b, self));
  x = hfm__call(b, self->vocab_layer_norm, hfm__call(b, self->head_activation, x));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->vocab_projector, x));
}

static const hfm__head hfm__distilbert_heads[] = {
    {HFM_BASE, "Model", hfm__distilbert_base_init, hfm__distilbert_base_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__distilbert_sequence_init,
     hfm__distilbert_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__distilbert_token_init, hfm__distilbert_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__distilbert_question_init, hfm__distilbert_question_forward},
    {HFM_MASKED_LM, "ForMaskedLM", hfm__distilbert_masked_init, hfm__distilbert_masked_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__distilbert_family = {"distilbert", HFM__IN_input_ids, hfm__distilbert_heads, NULL, NULL,
                                                   NULL};

/* ---- The configuration class ---- */

static const hfm__config_pair hfm__distilbert_aliases[] = {
  {"hidden_size", "dim"}, {"num_attention_heads", "n_heads"}, {"num_hidden_layers", "n_layers"}, {NULL, NULL}};

static const hfm__config_pair hfm__distilbert_defaults[] = {
  {"activation", "\"gelu\""}, {"attention_dropout", "0.1"}, {"dim", "768"}, {"dropout", "0.1"},
  {"hidden_dim", "3072"}, {"initializer_range", "0.02"}, {"max_position_embeddings", "512"}, {"n_heads", "12"},
  {"n_layers", "6"}, {"pad_token_id", "0"}, {"qa_dropout", "0.1"}, {"seq_classif_dropout", "0.2"},
  {"sinusoidal_pos_embds", "false"}, {"tie_word_embeddings", "true"}, {"vocab_size", "30522"}, {NULL, NULL}};

static const hfm__config_class hfm__distilbert_config_class =
    {hfm__distilbert_aliases, hfm__distilbert_defaults, NULL, NULL};
