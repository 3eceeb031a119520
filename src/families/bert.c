/* ==== families/bert (private): BERT ==============================================================================
   After models/bert/modeling_bert.py, over families/encoder.c. */

HFM__PRIVATE void hfm__bert_embeddings_init(hfm__builder *b, hfm__bert_embeddings *self, const hfm__bert_config *c) {
  hfm__begin(b, "embeddings", "*Embeddings");
  self->word_embeddings = hfm__embedding(b, "word_embeddings", c->vocab_size, c->hidden_size, c->pad_token_id);
  self->position_embeddings =
      hfm__embedding(b, "position_embeddings", c->max_position_embeddings, c->hidden_size, HFM__NO_PADDING);
  self->token_type_embeddings =
      hfm__embedding(b, "token_type_embeddings", c->type_vocab_size, c->hidden_size, HFM__NO_PADDING);
  self->LayerNorm = hfm__layer_norm(b, "LayerNorm", c->hidden_size, c->layer_norm_eps);
  self->dropout = hfm__dropout(b, "dropout", c->hidden_dropout_prob);
  hfm__buffer_add(b, "position_ids", HFM_I64, c->max_position_embeddings);
  hfm__buffer_add(b, "token_type_ids", HFM_I64, c->max_position_embeddings);
  hfm__end(b);
}

HFM__PRIVATE hfm__val hfm__bert_positions(hfm__builder *b, const hfm__bert_config *c) {
  return hfm__position_ids(b, c->max_position_embeddings, 0);
}

static const hfm__bert_traits hfm__bert_itself = {hfm__bert_embeddings_init, hfm__bert_positions, 0};

HFM__PRIVATE void *hfm__bert_sequence_init(hfm__builder *b) {
  return hfm__bert_with_head(b, HFM__WITH_POOLER, hfm__bert_classifier);
}
HFM__PRIVATE void hfm__bert_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  const hfm__val pooled = hfm__bert_pool(b, self, hfm__bert_model_forward(b, self));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->classifier, hfm__call(b, self->dropout, pooled)));
}

HFM__PRIVATE void hfm__bert_lm_head(hfm__builder *b, hfm__bert *self) {
  const hfm__bert_config *c = &self->config;
  hfm__par bias, tied_bias;
  hfm__bert_warn_of_head(b, c);
  hfm__begin(b, "cls", "*OnlyMLMHead");
  hfm__begin(b, "predictions", "*LMPredictionHead");
  bias = hfm__parameter1(b, "bias", c->vocab_size, HFM__INIT_ZEROS);
  hfm__begin(b, "transform", "*PredictionHeadTransform");
  self->transform_dense = hfm__linear(b, "dense", c->hidden_size, c->hidden_size, 1);
  self->transform_act_fn = hfm__activation(b, "transform_act_fn", c->hidden_act);
  self->transform_LayerNorm = hfm__layer_norm(b, "LayerNorm", c->hidden_size, c->layer_norm_eps);
  hfm__end(b);
  self->decoder = hfm__linear(b, "decoder", c->hidden_size, c->vocab_size, 1);
  tied_bias = hfm__bias_of(b, self->decoder);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->decoder), hfm__weight_of(b, self->embeddings.word_embeddings));
  hfm__tie_embeddings(b, tied_bias, bias);
  hfm__end(b);
  hfm__end(b);
}
HFM__PRIVATE void *hfm__bert_lm_init(hfm__builder *b) {
  return hfm__bert_with_head(b, HFM__WITHOUT_POOLER, hfm__bert_lm_head);
}
/* ForMaskedLM and LMHeadModel have the same modules; what sets a decoder apart is in the configuration. */
HFM__PRIVATE void hfm__bert_lm_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  hfm__val x = hfm__call(b, self->transform_dense, hfm__kept_positions(b, hfm__bert_model_forward(b, self)));
  x = hfm__call(b, self->transform_LayerNorm, hfm__call(b, self->transform_act_fn, x));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->decoder, x));
}

static const hfm__head hfm__bert_heads[] = {
    {HFM_BASE, "Model", hfm__bert_base_init, hfm__bert_base_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__bert_sequence_init, hfm__bert_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__bert_token_init, hfm__bert_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__bert_question_init, hfm__bert_question_forward},
    {HFM_CAUSAL_LM, "LMHeadModel", hfm__bert_lm_init, hfm__bert_lm_forward},
    {HFM_MASKED_LM, "ForMaskedLM", hfm__bert_lm_init, hfm__bert_lm_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__bert_family = {"bert", HFM__IN_input_ids, hfm__bert_heads, NULL, NULL, NULL};

/* ---- The configuration class ---- */

static const hfm__config_pair hfm__bert_defaults[] = {
  {"add_cross_attention", "false"}, {"attention_probs_dropout_prob", "0.1"}, {"hidden_act", "\"gelu\""},
  {"hidden_dropout_prob", "0.1"}, {"hidden_size", "768"}, {"initializer_range", "0.02"},
  {"intermediate_size", "3072"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-12"},
  {"max_position_embeddings", "512"}, {"num_attention_heads", "12"}, {"num_hidden_layers", "12"},
  {"pad_token_id", "0"}, {"tie_word_embeddings", "true"}, {"type_vocab_size", "2"}, {"use_cache", "true"},
  {"vocab_size", "30522"}, {NULL, NULL}};

static const hfm__config_class hfm__bert_config_class = {NULL, hfm__bert_defaults, NULL, NULL};
