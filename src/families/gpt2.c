/* ==== families/gpt2 (private): GPT-2 ==============================================================================
   After models/gpt2/modeling_gpt2.py: pre-norm decoder; q, k and v come from one Conv1D. */

typedef struct hfm__gpt2_block {
  hfm__mod ln_1, c_attn, attn_c_proj, attn_dropout, resid_dropout, ln_2, c_fc, mlp_c_proj, act, mlp_dropout;
} hfm__gpt2_block;

typedef struct hfm__gpt2 {
  hfm__causal base;
  int64_t n_embd, n_layer, n_head, n_inner, n_positions;
  int32_t activation, scales, scales_by_layer;
  double epsilon;
  const char *attn_pdrop, *embd_pdrop, *resid_pdrop;
  hfm__mod wpe, drop, ln_f;
  hfm__gpt2_block *h;
} hfm__gpt2;

HFM__PRIVATE hfm__causal *hfm__gpt2_configure(hfm__builder *b) {
  hfm__gpt2 *self = HFM__NEW(b, hfm__gpt2, 1);
  if (!self) return NULL;
  hfm__causal_configure(b, &self->base, "n_embd");
  self->n_embd = self->base.width;
  self->n_layer = hfm__layer_count(b, "n_layer");
  self->n_head = hfm__size(b, "n_head");
  self->n_inner = hfm__size_or(b, "n_inner", 4 * self->n_embd);
  self->n_positions = hfm__size(b, "n_positions");
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
  return &self->base;
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

HFM__PRIVATE void hfm__gpt2_init(hfm__builder *b, hfm__causal *base) {
  hfm__gpt2 *self = (hfm__gpt2 *)base;
  base->words = hfm__embedding(b, "wte", base->vocab_size, self->n_embd, HFM__NO_PADDING);
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
                   hfm__call(b, block->attn_c_proj, hfm__attend(b, q, k, v, mask, scale, self->base.is_causal)));
}

HFM__PRIVATE hfm__val hfm__gpt2_forward(hfm__builder *b, const hfm__causal *base) {
  const hfm__gpt2 *self = (const hfm__gpt2 *)base;
  const hfm__val words = hfm__word_embeddings(b, base->words, base->vocab_size, self->n_embd);
  const hfm__val positions = hfm__position_ids(b, self->n_positions, 0);
  const hfm__val mask = hfm__decoder_mask(b, positions);
  hfm__val x = hfm__add_token_types(b, base, hfm__add(b, words, hfm__call(b, self->wpe, positions))), y;
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

static const hfm__head hfm__gpt2_heads[] = {HFM__CAUSAL_BASE_HEAD,  HFM__CAUSAL_LM_HEAD("LMHeadModel"),
                                            HFM__CAUSAL_SEQUENCE_HEAD, HFM__CAUSAL_TOKEN_HEAD,
                                            HFM__CAUSAL_QUESTION_HEAD, {0, NULL, NULL, NULL}};

static const hfm__causal_class hfm__gpt2_class = {hfm__gpt2_configure, hfm__gpt2_init, hfm__gpt2_forward,
                                                  NULL, "classifier", NULL, 0};

static const char *const hfm__gpt2_ignored[] = {"attn.bias", "crossattention.bias", NULL}; /* old causal masks */

static const hfm__family hfm__gpt2_family = {"transformer", HFM__IN_input_ids, hfm__gpt2_heads, NULL,
                                             hfm__gpt2_ignored, NULL};

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

static const hfm__config_class hfm__gpt2_config_class = {hfm__gpt2_aliases, hfm__gpt2_defaults, NULL, NULL};
