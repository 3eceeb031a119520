/* ==== families/roberta (private): RoBERTa, XLM-RoBERTa, CamemBERT =================================================
   After models/roberta/modeling_roberta.py: over families/encoder.c; positions are counted over tokens that are not
   padding. */

HFM__PRIVATE void hfm__roberta_embeddings_init(hfm__builder *b, hfm__bert_embeddings *self, const hfm__bert_config *c) {
  hfm__begin(b, "embeddings", "*Embeddings");
  self->word_embeddings = hfm__embedding(b, "word_embeddings", c->vocab_size, c->hidden_size, c->pad_token_id);
  self->token_type_embeddings =
      hfm__embedding(b, "token_type_embeddings", c->type_vocab_size, c->hidden_size, HFM__NO_PADDING);
  self->LayerNorm = hfm__layer_norm(b, "LayerNorm", c->hidden_size, c->layer_norm_eps);
  self->dropout = hfm__dropout(b, "dropout", c->hidden_dropout_prob);
  self->position_embeddings =
      hfm__embedding(b, "position_embeddings", c->max_position_embeddings, c->hidden_size, c->pad_token_id);
  hfm__buffer_add(b, "position_ids", HFM_I64, c->max_position_embeddings);
  hfm__buffer_add(b, "token_type_ids", HFM_I64, c->max_position_embeddings);
  hfm__end(b);
}

/* Positions from the padding of input_ids; from inputs_embeds, where no padding can be seen, as if there were none. */
HFM__PRIVATE hfm__val hfm__roberta_positions(hfm__builder *b, const hfm__bert_config *c) {
  const int64_t pad = c->pad_token_id;
  hfm__val ids;
  if (hfm__ok(b) && pad < -1 && !hfm__given(b, HFM__IN_position_ids))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "pad_token_id", 0,
                          pad == HFM__NO_PADDING
                              ? "'pad_token_id' is null, but positions are counted from it: give position_ids"
                              : "'pad_token_id' is %i, but positions are counted from the one after it, which must be "
                                "0 or more: give position_ids",
                          pad);
  if (hfm__ok(b) && b->asked.use_cache && hfm__given(b, HFM__IN_inputs_embeds) && !hfm__given(b, HFM__IN_position_ids))
    b->result = hfm__fail(b->error, HFM_E_INPUT_MISSING, NULL, "position_ids", 0,
                          "position_ids are needed with inputs_embeds and use_cache: without them Transformers counts "
                          "from the first position again in every call");
  if (hfm__given(b, HFM__IN_position_ids) || hfm__given(b, HFM__IN_inputs_embeds))
    return hfm__position_ids(b, c->max_position_embeddings, pad + 1);
  ids = hfm__input_ids(b, HFM__IN_input_ids, c->vocab_size, "vocab_size");
  hfm__require(b, hfm__total_length(b), c->max_position_embeddings - pad - 1, HFM__IN_input_ids,
               "max_position_embeddings - pad_token_id - 1");
  return hfm__padded_positions(b, ids, pad);
}

/* XLM-RoBERTa and CamemBERT register the head before the base model, RoBERTa after it. */
static const hfm__bert_traits hfm__roberta_itself = {hfm__roberta_embeddings_init, hfm__roberta_positions, 0};
static const hfm__bert_traits hfm__xlm_roberta_traits = {hfm__roberta_embeddings_init, hfm__roberta_positions, 1};

HFM__PRIVATE void hfm__roberta_sequence_head(hfm__builder *b, hfm__bert *self) {
  hfm__begin(b, "classifier", "*ClassificationHead");
  self->transform_dense = hfm__linear(b, "dense", self->config.hidden_size, self->config.hidden_size, 1);
  self->dropout = hfm__dropout(b, "dropout", self->config.classifier_dropout);
  self->classifier = hfm__linear(b, "out_proj", self->config.hidden_size, hfm__labels(b), 1);
  hfm__end(b);
}
HFM__PRIVATE void *hfm__roberta_sequence_init(hfm__builder *b) {
  return hfm__bert_with_head(b, HFM__WITHOUT_POOLER, hfm__roberta_sequence_head);
}
HFM__PRIVATE void hfm__roberta_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  hfm__val x = hfm__select_row(b, hfm__bert_model_forward(b, self), 0);
  x = hfm__call(b, self->transform_dense, hfm__call(b, self->dropout, x));
  x = hfm__call(b, self->dropout, hfm__activate(b, HFM__ACT_tanh, x));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->classifier, x));
}

HFM__PRIVATE void hfm__roberta_lm_head(hfm__builder *b, hfm__bert *self) {
  const hfm__bert_config *c = &self->config;
  hfm__par bias;
  hfm__bert_warn_of_head(b, c);
  hfm__begin(b, "lm_head", "*LMHead");
  bias = hfm__parameter1(b, "bias", c->vocab_size, HFM__INIT_ZEROS);
  self->transform_dense = hfm__linear(b, "dense", c->hidden_size, c->hidden_size, 1);
  self->transform_LayerNorm = hfm__layer_norm(b, "layer_norm", c->hidden_size, c->layer_norm_eps);
  self->decoder = hfm__linear(b, "decoder", c->hidden_size, c->vocab_size, 1);
  hfm__tie_embeddings(b, hfm__bias_of(b, self->decoder), bias);
  hfm__end(b);
}
HFM__PRIVATE void *hfm__roberta_lm_init(hfm__builder *b) {
  hfm__bert *self = hfm__bert_with_head(b, HFM__WITHOUT_POOLER, hfm__roberta_lm_head);
  if (self)
    hfm__tie_embeddings(b, hfm__weight_of(b, self->decoder), hfm__weight_of(b, self->embeddings.word_embeddings));
  return self;
}
HFM__PRIVATE void hfm__roberta_lm_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  hfm__val x = hfm__call(b, self->transform_dense, hfm__kept_positions(b, hfm__bert_model_forward(b, self)));
  x = hfm__call(b, self->transform_LayerNorm, hfm__activate(b, HFM__ACT_gelu, x));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->decoder, x));
}

static const hfm__head hfm__roberta_heads[] = {
    {HFM_BASE, "Model", hfm__bert_base_init, hfm__bert_base_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__roberta_sequence_init,
     hfm__roberta_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__bert_token_init, hfm__bert_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__bert_question_init, hfm__bert_question_forward},
    {HFM_CAUSAL_LM, "ForCausalLM", hfm__roberta_lm_init, hfm__roberta_lm_forward},
    {HFM_MASKED_LM, "ForMaskedLM", hfm__roberta_lm_init, hfm__roberta_lm_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__roberta_family = {"roberta", HFM__IN_input_ids, hfm__roberta_heads, NULL, NULL, NULL};

/* ---- Configuration classes ---- */

static const hfm__config_pair hfm__roberta_defaults[] = {
  {"add_cross_attention", "false"}, {"attention_probs_dropout_prob", "0.1"}, {"bos_token_id", "0"},
  {"eos_token_id", "2"}, {"hidden_act", "\"gelu\""}, {"hidden_dropout_prob", "0.1"}, {"hidden_size", "768"},
  {"initializer_range", "0.02"}, {"intermediate_size", "3072"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-12"},
  {"max_position_embeddings", "512"}, {"num_attention_heads", "12"}, {"num_hidden_layers", "12"},
  {"pad_token_id", "1"}, {"tie_word_embeddings", "true"}, {"type_vocab_size", "2"}, {"use_cache", "true"},
  {"vocab_size", "50265"}, {NULL, NULL}};

static const hfm__config_pair hfm__xlm_roberta_defaults[] = {
  {"add_cross_attention", "false"}, {"attention_probs_dropout_prob", "0.1"}, {"bos_token_id", "0"},
  {"eos_token_id", "2"}, {"hidden_act", "\"gelu\""}, {"hidden_dropout_prob", "0.1"}, {"hidden_size", "768"},
  {"initializer_range", "0.02"}, {"intermediate_size", "3072"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-12"},
  {"max_position_embeddings", "512"}, {"num_attention_heads", "12"}, {"num_hidden_layers", "12"},
  {"pad_token_id", "1"}, {"tie_word_embeddings", "true"}, {"type_vocab_size", "2"}, {"use_cache", "true"},
  {"vocab_size", "30522"}, {NULL, NULL}};

static const hfm__config_class hfm__roberta_config_class = {NULL, hfm__roberta_defaults, NULL, NULL};
static const hfm__config_class hfm__xlm_roberta_config_class = {NULL, hfm__xlm_roberta_defaults, NULL, NULL};
