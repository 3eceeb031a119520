/* ==== families/gpt2 (private): GPT-2 ==============================================================================
   After models/gpt2/modeling_gpt2.py: pre-norm decoder; q, k and v come from one Conv1D. */

typedef struct hfm__gpt2_block {
  hfm__mod ln_1, c_attn, attn_c_proj, attn_dropout, resid_dropout, ln_2, c_fc, mlp_c_proj, act, mlp_dropout;
} hfm__gpt2_block;

typedef struct hfm__gpt2 {
  int64_t vocab_size, n_embd, n_layer, n_head, n_inner, n_positions, pad_token_id;
  int32_t activation, scales, scales_by_layer;
  double epsilon;
  const char *attn_pdrop, *embd_pdrop, *resid_pdrop;
  hfm__mod wte, wpe, drop, ln_f;
  hfm__gpt2_block *h;
  hfm__mod head, head_dropout;
} hfm__gpt2;

HFM__PRIVATE hfm__gpt2 *hfm__gpt2_new(hfm__builder *b) {
  hfm__gpt2 *self = HFM__NEW(b, hfm__gpt2, 1);
  if (!self) return NULL;
  self->vocab_size = hfm__size(b, "vocab_size");
  self->n_embd = hfm__size(b, "n_embd");
  self->n_layer = hfm__layer_count(b, "n_layer");
  self->n_head = hfm__size(b, "n_head");
  self->n_inner = hfm__size_or(b, "n_inner", 4 * self->n_embd);
  self->n_positions = hfm__size(b, "n_positions");
  self->pad_token_id = hfm__padding_id(b);
  self->activation = hfm__activation_key(b, "activation_function");
  self->scales = hfm__flag(b, "scale_attn_weights");
  self->scales_by_layer = hfm__flag(b, "scale_attn_by_inverse_layer_idx");
  self->epsilon = hfm__epsilon(b, "layer_norm_epsilon");
  self->attn_pdrop = hfm__probability(b, "attn_pdrop");
  self->embd_pdrop = hfm__probability(b, "embd_pdrop");
  self->resid_pdrop = hfm__probability(b, "resid_pdrop");
  hfm__divides(b, "n_head", self->n_head, "n_embd", self->n_embd);
  if (hfm__flag(b, "add_cross_attention"))
    hfm__refuse(b, "add_cross_attention", "true", "only decoders without an encoder are");
  return self;
}

/* GPT-2 initialises the projections into the residual stream with a smaller deviation. */
HFM__PRIVATE void hfm__gpt2_scale_init(hfm__builder *b, hfm__mod projection, int64_t layers) {
  if (hfm__ok(b)) b->tree->parameters[hfm__weight_of(b, projection).id].deviation /= (float)sqrt(2.0 * (double)layers);
}

HFM__PRIVATE void hfm__gpt2_block_init(hfm__builder *b, const hfm__gpt2 *self, hfm__gpt2_block *block) {
  block->ln_1 = hfm__layer_norm(b, "ln_1", self->n_embd, self->epsilon);
  hfm__begin(b, "attn", "GPT2Attention");
  block->c_attn = hfm__conv1d(b, "c_attn", 3 * self->n_embd, self->n_embd);
  block->attn_c_proj = hfm__conv1d(b, "c_proj", self->n_embd, self->n_embd);
  block->attn_dropout = hfm__dropout(b, "attn_dropout", self->attn_pdrop);
  block->resid_dropout = hfm__dropout(b, "resid_dropout", self->resid_pdrop);
  hfm__end(b);
  block->ln_2 = hfm__layer_norm(b, "ln_2", self->n_embd, self->epsilon);
  hfm__begin(b, "mlp", "GPT2MLP");
  block->c_fc = hfm__conv1d(b, "c_fc", self->n_inner, self->n_embd);
  block->mlp_c_proj = hfm__conv1d(b, "c_proj", self->n_embd, self->n_inner);
  block->act = hfm__activation(b, "act", self->activation);
  block->mlp_dropout = hfm__dropout(b, "dropout", self->resid_pdrop);
  hfm__end(b);
  hfm__gpt2_scale_init(b, block->attn_c_proj, self->n_layer);
  hfm__gpt2_scale_init(b, block->mlp_c_proj, self->n_layer);
}

HFM__PRIVATE void hfm__gpt2_model_init(hfm__builder *b, hfm__gpt2 *self) {
  self->wte = hfm__embedding(b, "wte", self->vocab_size, self->n_embd, HFM__NO_PADDING);
  self->wpe = hfm__embedding(b, "wpe", self->n_positions, self->n_embd, HFM__NO_PADDING);
  self->drop = hfm__dropout(b, "drop", self->embd_pdrop);
  self->h = HFM__NEW(b, hfm__gpt2_block, self->n_layer);
  hfm__begin_list(b, "h");
  for (int64_t i = 0; i < self->n_layer && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "GPT2Block");
    hfm__gpt2_block_init(b, self, &self->h[i]);
    hfm__end(b);
  }
  hfm__end(b);
  self->ln_f = hfm__layer_norm(b, "ln_f", self->n_embd, self->epsilon);
}

HFM__PRIVATE hfm__val hfm__gpt2_attention(hfm__builder *b, const hfm__gpt2 *self, const hfm__gpt2_block *block,
                                          int64_t index, hfm__val x, hfm__val mask) {
  const hfm__val qkv = hfm__call(b, block->c_attn, x);
  const hfm__dim width = hfm__fixed(b, self->n_embd);
  const hfm__val q = hfm__split_heads(b, hfm__slice(b, qkv, -1, 0, width), self->n_head);
  const hfm__val k =
      hfm__cached(b, index, "key", hfm__split_heads(b, hfm__slice(b, qkv, -1, self->n_embd, width), self->n_head));
  const hfm__val v =
      hfm__cached(b, index, "value",
                  hfm__split_heads(b, hfm__slice(b, qkv, -1, 2 * self->n_embd, width), self->n_head));
  double scale = self->scales ? 1.0 / sqrt((double)(self->n_embd / self->n_head)) : 1.0;
  if (self->scales_by_layer) scale /= (double)(index + 1);
  return hfm__call(b, block->resid_dropout,
                   hfm__call(b, block->attn_c_proj, hfm__attend(b, q, k, v, mask, scale, hfm__is_causal(b), 0)));
}

HFM__PRIVATE hfm__val hfm__gpt2_model_forward(hfm__builder *b, const hfm__gpt2 *self) {
  const hfm__val words = hfm__word_embeddings(b, self->wte, self->vocab_size, self->n_embd);
  const hfm__val positions = hfm__position_ids(b, self->n_positions, 0);
  const hfm__val mask = hfm__decoder_mask(b, positions);
  hfm__val x = hfm__add(b, words, hfm__call(b, self->wpe, positions)), y;
  if (hfm__given(b, HFM__IN_token_type_ids)) /* token types share the words' table */
    x = hfm__add(b, x,
                 hfm__call(b, self->wte, hfm__input_ids(b, HFM__IN_token_type_ids, self->vocab_size, "vocab_size")));
  x = hfm__call(b, self->drop, x);
  for (int64_t i = 0; i < self->n_layer && hfm__ok(b); i++) {
    const hfm__gpt2_block *block = &self->h[i];
    hfm__hidden_state(b, x);
    x = hfm__add(b, hfm__gpt2_attention(b, self, block, i, hfm__call(b, block->ln_1, x), mask), x);
    y = hfm__call(b, block->act, hfm__call(b, block->c_fc, hfm__call(b, block->ln_2, x)));
    x = hfm__add(b, hfm__call(b, block->mlp_dropout, hfm__call(b, block->mlp_c_proj, y)), x);
  }
  y = hfm__call(b, self->ln_f, x);
  hfm__last_hidden_state(b, x, y, 1);
  return y;
}

HFM__PRIVATE hfm__gpt2 *hfm__gpt2_with_base(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*Model");
  hfm__gpt2_model_init(b, self);
  hfm__end(b);
  return self;
}

HFM__PRIVATE void *hfm__gpt2_base_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_new(b);
  if (self) hfm__gpt2_model_init(b, self);
  return self;
}
HFM__PRIVATE void hfm__gpt2_base_forward(hfm__builder *b, const void *model) {
  hfm__output(b, HFM__OUT_last_hidden_state, hfm__gpt2_model_forward(b, (const hfm__gpt2 *)model));
}

HFM__PRIVATE void *hfm__gpt2_causal_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_with_base(b);
  if (!self) return NULL;
  self->head = hfm__linear(b, "lm_head", self->n_embd, self->vocab_size, 0);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->head), hfm__weight_of(b, self->wte));
  return self;
}
HFM__PRIVATE void hfm__gpt2_causal_forward(hfm__builder *b, const void *model) {
  const hfm__gpt2 *self = (const hfm__gpt2 *)model;
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head, hfm__kept_positions(b, hfm__gpt2_model_forward(b, self))));
}

HFM__PRIVATE void *hfm__gpt2_sequence_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_with_base(b);
  if (self) self->head = hfm__linear(b, "score", self->n_embd, hfm__labels(b), 0);
  return self;
}
HFM__PRIVATE void hfm__gpt2_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__gpt2 *self = (const hfm__gpt2 *)model;
  const hfm__val last = hfm__last_real_token(b, hfm__gpt2_model_forward(b, self), self->vocab_size, self->pad_token_id);
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head, last));
}

HFM__PRIVATE void *hfm__gpt2_token_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_with_base(b);
  if (!self) return NULL;
  self->head_dropout = hfm__dropout(b, "dropout", hfm__decoder_classifier_dropout(b));
  self->head = hfm__linear(b, "classifier", self->n_embd, hfm__labels(b), 1);
  return self;
}
HFM__PRIVATE void hfm__gpt2_token_forward(hfm__builder *b, const void *model) {
  const hfm__gpt2 *self = (const hfm__gpt2 *)model;
  hfm__output(b, HFM__OUT_logits,
              hfm__call(b, self->head, hfm__call(b, self->head_dropout, hfm__gpt2_model_forward(b, self))));
}

HFM__PRIVATE void *hfm__gpt2_question_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_with_base(b);
  if (self) self->head = hfm__linear(b, "qa_outputs", self->n_embd, 2, 1);
  return self;
}
HFM__PRIVATE void hfm__gpt2_question_forward(hfm__builder *b, const void *model) {
  const hfm__gpt2 *self = (const hfm__gpt2 *)model;
  hfm__span_outputs(b, hfm__call(b, self->head, hfm__gpt2_model_forward(b, self)));
}

static const hfm__head hfm__gpt2_heads[] = {
    {HFM_BASE, "Model", hfm__gpt2_base_init, hfm__gpt2_base_forward},
    {HFM_CAUSAL_LM, "LMHeadModel", hfm__gpt2_causal_init, hfm__gpt2_causal_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__gpt2_sequence_init, hfm__gpt2_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__gpt2_token_init, hfm__gpt2_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__gpt2_question_init, hfm__gpt2_question_forward},
    {0, NULL, NULL, NULL}};

static const char *const hfm__gpt2_ignored[] = {"attn.bias", "crossattention.bias", NULL}; /* old causal masks */

static const hfm__family hfm__gpt2_family = {"transformer", hfm__gpt2_heads, NULL, hfm__gpt2_ignored};

/* ---- The configuration class ---- */

static const hfm__config_pair hfm__gpt2_aliases[] = {
  {"hidden_size", "n_embd"}, {"max_position_embeddings", "n_positions"}, {"num_attention_heads", "n_head"},
  {"num_hidden_layers", "n_layer"}, {NULL, NULL}};

static const hfm__config_pair hfm__gpt2_defaults[] = {
  {"activation_function", "\"gelu_new\""}, {"add_cross_attention", "false"}, {"attn_pdrop", "0.1"},
  {"bos_token_id", "50256"}, {"embd_pdrop", "0.1"}, {"eos_token_id", "50256"}, {"initializer_range", "0.02"},
  {"layer_norm_epsilon", "1e-05"}, {"n_embd", "768"}, {"n_head", "12"}, {"n_layer", "12"}, {"n_positions", "1024"},
  {"reorder_and_upcast_attn", "false"}, {"resid_pdrop", "0.1"}, {"scale_attn_by_inverse_layer_idx", "false"},
  {"scale_attn_weights", "true"}, {"summary_first_dropout", "0.1"}, {"summary_proj_to_labels", "true"},
  {"summary_type", "\"cls_index\""}, {"summary_use_proj", "true"}, {"tie_word_embeddings", "true"},
  {"use_cache", "true"}, {"vocab_size", "50257"}, {NULL, NULL}};

static const hfm__config_class hfm__gpt2_config_class = {hfm__gpt2_aliases, hfm__gpt2_defaults};
