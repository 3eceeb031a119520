/* ==== families/phi (private): Phi-1, Phi-1.5, Phi-2 ================================================================
   After models/phi/modeling_phi.py: one norm, then attention and MLP beside each other; a part of each head is
   rotated; everything has biases. */

typedef struct hfm__phi_layer {
  hfm__mod q_proj, k_proj, v_proj, dense, q_layernorm, k_layernorm; /* self_attn */
  hfm__mod activation_fn, fc1, fc2;                                 /* mlp */
  hfm__mod input_layernorm, resid_dropout;
} hfm__phi_layer;

typedef struct hfm__phi {
  hfm__causal base;
  int64_t num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim, intermediate_size;
  int64_t max_position_embeddings;
  int32_t hidden_act, qk_layernorm;
  double layer_norm_eps;
  const char *resid_pdrop;
  hfm__mod embed_dropout, final_layernorm;
  hfm__phi_layer *layers;
  hfm__rope rotary_emb;
} hfm__phi;

HFM__PRIVATE hfm__causal *hfm__phi_configure(hfm__builder *b) {
  hfm__phi *self = HFM__NEW(b, hfm__phi, 1);
  if (!self) return NULL;
  hfm__causal_configure(b, &self->base, "hidden_size");
  self->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  self->num_attention_heads = hfm__size(b, "num_attention_heads");
  self->num_key_value_heads = hfm__size(b, "num_key_value_heads");
  self->intermediate_size = hfm__size(b, "intermediate_size");
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->hidden_act = hfm__activation_key(b, "hidden_act");
  self->qk_layernorm = hfm__flag(b, "qk_layernorm");
  self->layer_norm_eps = hfm__positive(b, "layer_norm_eps");
  self->resid_pdrop = hfm__probability(b, "resid_pdrop");
  if (self->qk_layernorm)
    hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->base.width);
  self->head_dim = hfm__head_dim(b, &self->base, self->num_attention_heads);
  hfm__divides(b, "num_key_value_heads", self->num_key_value_heads, "num_attention_heads", self->num_attention_heads);
  if (self->qk_layernorm && self->head_dim != self->base.width / self->num_attention_heads)
    hfm__refuse(b, "qk_layernorm", "true", "its norms are as wide as hidden_size / num_attention_heads, not head_dim");
  return &self->base;
}

HFM__PRIVATE void hfm__phi_layer_init(hfm__builder *b, const hfm__phi *self, hfm__phi_layer *layer) {
  const int64_t size = self->base.width;
  const int64_t queries = self->num_attention_heads * self->head_dim, keys = self->num_key_value_heads * self->head_dim;
  hfm__begin(b, "self_attn", "PhiAttention");
  layer->q_proj = hfm__linear(b, "q_proj", size, queries, 1);
  layer->k_proj = hfm__linear(b, "k_proj", size, keys, 1);
  layer->v_proj = hfm__linear(b, "v_proj", size, keys, 1);
  layer->dense = hfm__linear(b, "dense", queries, size, 1);
  if (self->qk_layernorm) {
    layer->q_layernorm = hfm__layer_norm(b, "q_layernorm", self->head_dim, self->layer_norm_eps);
    layer->k_layernorm = hfm__layer_norm(b, "k_layernorm", self->head_dim, self->layer_norm_eps);
  }
  hfm__end(b);
  hfm__begin(b, "mlp", "PhiMLP");
  layer->activation_fn = hfm__activation(b, "activation_fn", self->hidden_act);
  layer->fc1 = hfm__linear(b, "fc1", size, self->intermediate_size, 1);
  layer->fc2 = hfm__linear(b, "fc2", self->intermediate_size, size, 1);
  hfm__end(b);
  layer->input_layernorm = hfm__layer_norm(b, "input_layernorm", size, self->layer_norm_eps);
  layer->resid_dropout = hfm__dropout(b, "resid_dropout", self->resid_pdrop);
}

/* The part of a head that partial_rotary_factor cuts off must have as many elements as there are cosines: not an odd
   number, nor less than the whole where the type of the rope is one for whole heads. */
HFM__PRIVATE void hfm__phi_check_rotated(hfm__builder *b, const hfm__phi *self) {
  const double part = hfm__rope_partial(b);
  const int64_t rotated = (int64_t)((double)self->head_dim * part);
  if (hfm__ok(b) && rotated != 2 * hfm__rope_half(&self->rotary_emb))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "partial_rotary_factor", 0,
                          "'partial_rotary_factor' is %g, which makes %i elements of each head rotate, but there are "
                          "rotary embeddings for %i",
                          part, rotated, 2 * hfm__rope_half(&self->rotary_emb));
}

HFM__PRIVATE void hfm__phi_init(hfm__builder *b, hfm__causal *base) {
  static const hfm__rope_source source = {NULL, 1, NULL};
  hfm__phi *self = (hfm__phi *)base;
  base->words = hfm__embedding(b, "embed_tokens", base->vocab_size, base->width, base->pad_token_id);
  self->layers = HFM__NEW(b, hfm__phi_layer, self->num_hidden_layers);
  hfm__begin_list(b, "layers");
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "PhiDecoderLayer");
    hfm__phi_layer_init(b, self, &self->layers[i]);
    hfm__end(b);
  }
  hfm__end(b);
  hfm__rope_init(b, &self->rotary_emb, "PhiRotaryEmbedding", &source, self->head_dim, self->max_position_embeddings);
  hfm__phi_check_rotated(b, self);
  self->embed_dropout = hfm__dropout(b, "embed_dropout", hfm__probability(b, "embd_pdrop"));
  self->final_layernorm = hfm__layer_norm(b, "final_layernorm", base->width, self->layer_norm_eps);
}

/* A projection's heads, normalised where there is a norm. */
HFM__PRIVATE hfm__val hfm__phi_heads(hfm__builder *b, hfm__mod projection, hfm__mod norm, hfm__val x, int64_t heads) {
  const hfm__val y = hfm__split_heads(b, hfm__call(b, projection, x), heads);
  return norm.id ? hfm__call(b, norm, y) : y;
}

HFM__PRIVATE hfm__val hfm__phi_layer_forward(hfm__builder *b, const hfm__phi *self, int64_t index, hfm__val x,
                                             hfm__val angles, hfm__val mask) {
  const hfm__phi_layer *layer = &self->layers[index];
  const int64_t key_heads = self->num_key_value_heads;
  const double scale = 1.0 / sqrt((double)self->head_dim);
  const hfm__mod no_norm = {0};
  const hfm__val y = hfm__call(b, layer->input_layernorm, x);
  const hfm__val q = hfm__phi_heads(b, layer->q_proj, layer->q_layernorm, y, self->num_attention_heads);
  hfm__val k = hfm__phi_heads(b, layer->k_proj, layer->k_layernorm, y, key_heads);
  hfm__val v = hfm__phi_heads(b, layer->v_proj, no_norm, y, key_heads), attention, mlp;
  k = hfm__cached(b, index, "key", hfm__rotary(b, k, angles));
  v = hfm__cached(b, index, "value", v);
  attention = hfm__attend(b, hfm__rotary(b, q, angles), k, v, mask, scale, self->base.is_causal);
  attention = hfm__call(b, layer->resid_dropout, hfm__call(b, layer->dense, attention));
  mlp = hfm__call(b, layer->fc2, hfm__call(b, layer->activation_fn, hfm__call(b, layer->fc1, y)));
  return hfm__add(b, hfm__add(b, attention, hfm__call(b, layer->resid_dropout, mlp)), x);
}

HFM__PRIVATE hfm__val hfm__phi_forward(hfm__builder *b, const hfm__causal *base) {
  const hfm__phi *self = (const hfm__phi *)base;
  const hfm__val positions = hfm__position_ids(b, 0, 0);
  const hfm__val angles = hfm__rope_angles(b, &self->rotary_emb, positions);
  const hfm__val mask = hfm__decoder_mask(b, positions);
  hfm__val x = hfm__word_embeddings(b, base->words, base->vocab_size, base->width), y;
  x = hfm__call(b, self->embed_dropout, x);
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__hidden_state(b, x);
    x = hfm__phi_layer_forward(b, self, i, x, angles, mask);
  }
  y = hfm__call(b, self->final_layernorm, x);
  hfm__last_hidden_state(b, x, y, 1);
  return y;
}

static const hfm__head hfm__phi_heads_list[] = {HFM__CAUSAL_BASE_HEAD, HFM__CAUSAL_LM_HEAD("ForCausalLM"),
                                                HFM__CAUSAL_SEQUENCE_HEAD, HFM__CAUSAL_TOKEN_HEAD,
                                                {0, NULL, NULL, NULL}};

static const hfm__causal_class hfm__phi_class = {hfm__phi_configure, hfm__phi_init, hfm__phi_forward,
                                                 NULL, "score", NULL, 1};

static const hfm__family hfm__phi_family = {"model", HFM__IN_input_ids, hfm__phi_heads_list, NULL, NULL, NULL};

static const hfm__config_pair hfm__phi_defaults[] = {
  {"attention_dropout", "0.0"}, {"bos_token_id", "1"}, {"embd_pdrop", "0.0"}, {"eos_token_id", "2"},
  {"hidden_act", "\"gelu_new\""}, {"hidden_size", "2048"}, {"initializer_range", "0.02"}, {"intermediate_size", "8192"},
  {"layer_norm_eps", "1e-05"}, {"max_position_embeddings", "2048"}, {"num_attention_heads", "32"},
  {"num_hidden_layers", "24"}, {"num_key_value_heads", "\"=num_attention_heads\""}, {"qk_layernorm", "false"},
  {"resid_pdrop", "0.0"},
  {"rope_parameters", HFM__ROPE_DEFAULT("10000.0, \"partial_rotary_factor\": 0.5")},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"vocab_size", "51200"}, {NULL, NULL}};

static const hfm__config_class hfm__phi_config_class = {NULL, hfm__phi_defaults, hfm__rope_names, NULL};
