/* ==== families/opt (private): OPT ==================================================================================
   After models/opt/modeling_opt.py: a decoder with learned positions, counted over the tokens that are not padding;
   norms before the blocks or (350m) after them. */

typedef struct hfm__opt_layer {
  hfm__mod k_proj, v_proj, q_proj, out_proj; /* self_attn */
  hfm__mod activation_fn, self_attn_layer_norm, fc1, fc2, final_layer_norm;
} hfm__opt_layer;

typedef struct hfm__opt {
  hfm__causal base; /* width: word_embed_proj_dim */
  int64_t hidden_size, num_hidden_layers, num_attention_heads, ffn_dim, max_position_embeddings;
  int32_t activation_function, do_layer_norm_before, enable_bias, layer_norm_elementwise_affine;
  hfm__mod embed_positions, project_out, project_in, final_layer_norm;
  hfm__opt_layer *layers;
} hfm__opt;

enum { HFM__OPT_FIRST_POSITION = 2 }; /* two rows come before that of position 0; padding has position -1 */

HFM__PRIVATE hfm__causal *hfm__opt_configure(hfm__builder *b) {
  hfm__opt *self = HFM__NEW(b, hfm__opt, 1);
  if (!self) return NULL;
  hfm__causal_configure(b, &self->base, "hidden_size");
  self->hidden_size = self->base.width;
  self->base.width = hfm__size(b, "word_embed_proj_dim");
  self->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  self->num_attention_heads = hfm__size(b, "num_attention_heads");
  self->ffn_dim = hfm__size(b, "ffn_dim");
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->activation_function = hfm__activation_key(b, "activation_function");
  self->do_layer_norm_before = hfm__flag(b, "do_layer_norm_before");
  self->enable_bias = hfm__flag(b, "enable_bias");
  self->layer_norm_elementwise_affine = hfm__flag(b, "layer_norm_elementwise_affine");
  hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->hidden_size);
  return &self->base;
}

HFM__PRIVATE hfm__mod hfm__opt_norm(hfm__builder *b, const hfm__opt *self, const char *name) {
  return self->layer_norm_elementwise_affine ? hfm__layer_norm(b, name, self->hidden_size, 1e-5)
                                             : hfm__layer_norm_plain(b, name, self->hidden_size, 1e-5);
}

HFM__PRIVATE void hfm__opt_layer_init(hfm__builder *b, const hfm__opt *self, hfm__opt_layer *layer) {
  const int64_t size = self->hidden_size;
  hfm__begin(b, "self_attn", "OPTAttention");
  layer->k_proj = hfm__linear(b, "k_proj", size, size, self->enable_bias);
  layer->v_proj = hfm__linear(b, "v_proj", size, size, self->enable_bias);
  layer->q_proj = hfm__linear(b, "q_proj", size, size, self->enable_bias);
  layer->out_proj = hfm__linear(b, "out_proj", size, size, self->enable_bias);
  hfm__end(b);
  layer->activation_fn = hfm__activation(b, "activation_fn", self->activation_function);
  layer->self_attn_layer_norm = hfm__opt_norm(b, self, "self_attn_layer_norm");
  layer->fc1 = hfm__linear(b, "fc1", size, self->ffn_dim, self->enable_bias);
  layer->fc2 = hfm__linear(b, "fc2", self->ffn_dim, size, self->enable_bias);
  layer->final_layer_norm = hfm__opt_norm(b, self, "final_layer_norm");
}

HFM__PRIVATE void hfm__opt_init(hfm__builder *b, hfm__causal *base) {
  hfm__opt *self = (hfm__opt *)base;
  const int64_t size = self->hidden_size, width = base->width;
  hfm__begin(b, "decoder", "OPTDecoder");
  base->words = hfm__embedding(b, "embed_tokens", base->vocab_size, width, base->pad_token_id);
  self->embed_positions = hfm__as_class(
      b,
      hfm__embedding(b, "embed_positions", self->max_position_embeddings + HFM__OPT_FIRST_POSITION, size,
                     HFM__NO_PADDING),
      "OPTLearnedPositionalEmbedding");
  if (hfm__ok(b)) b->tree->modules[self->embed_positions.id].attrs.first_row = HFM__OPT_FIRST_POSITION;
  if (width != size) {
    self->project_out = hfm__linear(b, "project_out", size, width, 0);
    self->project_in = hfm__linear(b, "project_in", width, size, 0);
  }
  if (self->do_layer_norm_before && !hfm__flag(b, "_remove_final_layer_norm"))
    self->final_layer_norm = hfm__opt_norm(b, self, "final_layer_norm");
  self->layers = HFM__NEW(b, hfm__opt_layer, self->num_hidden_layers);
  hfm__begin_list(b, "layers");
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "OPTDecoderLayer");
    hfm__opt_layer_init(b, self, &self->layers[i]);
    hfm__end(b);
  }
  hfm__end(b);
  hfm__end(b);
}

/* position_ids as given, or counted over the tokens that attention_mask keeps, the cached ones included. */
HFM__PRIVATE hfm__val hfm__opt_positions(hfm__builder *b, const hfm__opt *self) {
  const hfm__dim length = hfm__symbol(b, HFM__SYM_LENGTH);
  if (hfm__given(b, HFM__IN_position_ids) || !hfm__given(b, HFM__IN_attention_mask))
    return hfm__position_ids(b, self->max_position_embeddings, 0);
  hfm__require(b, hfm__total_length(b), self->max_position_embeddings, HFM__IN_attention_mask,
               "max_position_embeddings");
  return hfm__slice_from(b, hfm__positions_by_mask(b, -1), 1, hfm__past_length(b), length);
}

HFM__PRIVATE hfm__val hfm__opt_attention(hfm__builder *b, const hfm__opt *self, int64_t index, hfm__val x,
                                         hfm__val mask) {
  const hfm__opt_layer *layer = &self->layers[index];
  const int64_t heads = self->num_attention_heads;
  const double scale = 1.0 / sqrt((double)(self->hidden_size / heads));
  const hfm__val q = hfm__split_heads(b, hfm__call(b, layer->q_proj, x), heads);
  const hfm__val k = hfm__cached(b, index, "key", hfm__split_heads(b, hfm__call(b, layer->k_proj, x), heads));
  const hfm__val v = hfm__cached(b, index, "value", hfm__split_heads(b, hfm__call(b, layer->v_proj, x), heads));
  return hfm__call(b, layer->out_proj, hfm__attend(b, q, k, v, mask, scale, self->base.is_causal));
}

HFM__PRIVATE hfm__val hfm__opt_layer_forward(hfm__builder *b, const hfm__opt *self, int64_t index, hfm__val x,
                                             hfm__val mask) {
  const hfm__opt_layer *layer = &self->layers[index];
  const int32_t before = self->do_layer_norm_before;
  hfm__val y = before ? hfm__call(b, layer->self_attn_layer_norm, x) : x;
  x = hfm__add(b, hfm__opt_attention(b, self, index, y, mask), x);
  if (!before) x = hfm__call(b, layer->self_attn_layer_norm, x);
  y = before ? hfm__call(b, layer->final_layer_norm, x) : x;
  y = hfm__call(b, layer->activation_fn, hfm__call(b, layer->fc1, y));
  x = hfm__add(b, hfm__call(b, layer->fc2, y), x);
  return before ? x : hfm__call(b, layer->final_layer_norm, x);
}

HFM__PRIVATE hfm__val hfm__opt_forward(hfm__builder *b, const hfm__causal *base) {
  const hfm__opt *self = (const hfm__opt *)base;
  const hfm__val mask = hfm__input_mask(b);
  const hfm__val positions = hfm__call(b, self->embed_positions, hfm__opt_positions(b, self));
  hfm__val x = hfm__word_embeddings(b, base->words, base->vocab_size, base->width), y;
  if (self->project_in.id) x = hfm__call(b, self->project_in, x);
  x = hfm__add(b, x, positions);
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__hidden_state(b, x);
    x = hfm__opt_layer_forward(b, self, i, x, mask);
  }
  y = self->final_layer_norm.id ? hfm__call(b, self->final_layer_norm, x) : x;
  if (self->project_out.id) y = hfm__call(b, self->project_out, y);
  hfm__last_hidden_state(b, x, y, 1);
  return y;
}

static const hfm__head hfm__opt_heads[] = {HFM__CAUSAL_BASE_HEAD, HFM__CAUSAL_LM_HEAD("ForCausalLM"),
                                           HFM__CAUSAL_SEQUENCE_HEAD, HFM__CAUSAL_QUESTION_HEAD,
                                           {0, NULL, NULL, NULL}};

static const hfm__causal_class hfm__opt_class = {hfm__opt_configure, hfm__opt_init, hfm__opt_forward,
                                                 NULL, NULL, NULL, 0};

static const hfm__family hfm__opt_family = {"model", HFM__IN_input_ids, hfm__opt_heads, NULL, NULL, NULL};

static const hfm__config_pair hfm__opt_defaults[] = {
  {"_remove_final_layer_norm", "false"}, {"activation_function", "\"relu\""}, {"attention_dropout", "0.0"},
  {"bos_token_id", "2"}, {"do_layer_norm_before", "true"}, {"dropout", "0.1"}, {"enable_bias", "true"},
  {"eos_token_id", "2"}, {"ffn_dim", "3072"}, {"hidden_size", "768"}, {"init_std", "0.02"},
  {"layer_norm_elementwise_affine", "true"}, {"layerdrop", "0.0"}, {"max_position_embeddings", "2048"},
  {"num_attention_heads", "12"}, {"num_hidden_layers", "12"}, {"pad_token_id", "1"}, {"tie_word_embeddings", "true"},
  {"use_cache", "true"}, {"vocab_size", "50272"}, {"word_embed_proj_dim", "\"=hidden_size\""}, {NULL, NULL}};

static const hfm__config_class hfm__opt_config_class = {NULL, hfm__opt_defaults, NULL, NULL};
