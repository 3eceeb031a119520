/* ==== families/gpt_neox (private): GPT-NeoX, Pythia ================================================================
   After models/gpt_neox/modeling_gpt_neox.py: q, k and v of a head lie side by side in one projection; a part of each
   head is rotated; attention and MLP run beside each other. */

typedef struct hfm__gpt_neox_layer {
  hfm__mod input_layernorm, post_attention_layernorm, post_attention_dropout, post_mlp_dropout;
  hfm__mod query_key_value, dense;           /* attention */
  hfm__mod dense_h_to_4h, dense_4h_to_h, act; /* mlp */
} hfm__gpt_neox_layer;

typedef struct hfm__gpt_neox {
  hfm__causal base;
  int64_t num_hidden_layers, num_attention_heads, intermediate_size, max_position_embeddings;
  int32_t hidden_act, use_parallel_residual, attention_bias;
  double layer_norm_eps;
  const char *hidden_dropout;
  hfm__mod emb_dropout, final_layer_norm;
  hfm__gpt_neox_layer *layers;
  hfm__rope rotary_emb;
} hfm__gpt_neox;

HFM__PRIVATE hfm__causal *hfm__gpt_neox_configure(hfm__builder *b) {
  hfm__gpt_neox *self = HFM__NEW(b, hfm__gpt_neox, 1);
  if (!self) return NULL;
  hfm__causal_configure(b, &self->base, "hidden_size");
  self->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  self->num_attention_heads = hfm__size(b, "num_attention_heads");
  self->intermediate_size = hfm__size(b, "intermediate_size");
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->hidden_act = hfm__activation_key(b, "hidden_act");
  self->use_parallel_residual = hfm__flag(b, "use_parallel_residual");
  self->attention_bias = hfm__flag(b, "attention_bias");
  self->layer_norm_eps = hfm__positive(b, "layer_norm_eps");
  self->hidden_dropout = hfm__probability(b, "hidden_dropout");
  hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->base.width);
  return &self->base;
}

HFM__PRIVATE void hfm__gpt_neox_layer_init(hfm__builder *b, const hfm__gpt_neox *self, hfm__gpt_neox_layer *layer) {
  const int64_t size = self->base.width;
  layer->input_layernorm = hfm__layer_norm(b, "input_layernorm", size, self->layer_norm_eps);
  layer->post_attention_layernorm = hfm__layer_norm(b, "post_attention_layernorm", size, self->layer_norm_eps);
  layer->post_attention_dropout = hfm__dropout(b, "post_attention_dropout", self->hidden_dropout);
  layer->post_mlp_dropout = hfm__dropout(b, "post_mlp_dropout", self->hidden_dropout);
  hfm__begin(b, "attention", "*Attention");
  layer->query_key_value = hfm__linear(b, "query_key_value", size, 3 * size, self->attention_bias);
  layer->dense = hfm__linear(b, "dense", size, size, self->attention_bias);
  hfm__end(b);
  hfm__begin(b, "mlp", "*MLP");
  layer->dense_h_to_4h = hfm__linear(b, "dense_h_to_4h", size, self->intermediate_size, 1);
  layer->dense_4h_to_h = hfm__linear(b, "dense_4h_to_h", self->intermediate_size, size, 1);
  layer->act = hfm__activation(b, "act", self->hidden_act);
  hfm__end(b);
}

HFM__PRIVATE void hfm__gpt_neox_init(hfm__builder *b, hfm__causal *base) {
  static const hfm__rope_source source = {NULL, 1, NULL};
  hfm__gpt_neox *self = (hfm__gpt_neox *)base;
  base->words = hfm__embedding(b, "embed_in", base->vocab_size, base->width, HFM__NO_PADDING);
  self->emb_dropout = hfm__dropout(b, "emb_dropout", self->hidden_dropout);
  self->layers = HFM__NEW(b, hfm__gpt_neox_layer, self->num_hidden_layers);
  hfm__begin_list(b, "layers");
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "*Layer");
    hfm__gpt_neox_layer_init(b, self, &self->layers[i]);
    hfm__end(b);
  }
  hfm__end(b);
  self->final_layer_norm = hfm__layer_norm(b, "final_layer_norm", base->width, self->layer_norm_eps);
  hfm__rope_init(b, &self->rotary_emb, "*RotaryEmbedding", &source, base->width / self->num_attention_heads,
                 self->max_position_embeddings);
}

HFM__PRIVATE hfm__val hfm__gpt_neox_attention(hfm__builder *b, const hfm__gpt_neox *self, int64_t index, hfm__val x,
                                              hfm__val angles, hfm__val mask) {
  const hfm__gpt_neox_layer *layer = &self->layers[index];
  const int64_t heads = self->num_attention_heads;
  const double scale = 1.0 / sqrt((double)(self->base.width / heads));
  const hfm__val qkv = hfm__call(b, layer->query_key_value, x);
  const hfm__val q = hfm__rotary(b, hfm__head_part(b, qkv, heads, 3, 0), angles);
  const hfm__val k = hfm__cached(b, index, "key", hfm__rotary(b, hfm__head_part(b, qkv, heads, 3, 1), angles));
  const hfm__val v = hfm__cached(b, index, "value", hfm__head_part(b, qkv, heads, 3, 2));
  const hfm__val y = hfm__attend(b, q, k, v, mask, scale, self->base.is_causal);
  return hfm__call(b, layer->post_attention_dropout, hfm__call(b, layer->dense, y));
}

HFM__PRIVATE hfm__val hfm__gpt_neox_layer_forward(hfm__builder *b, const hfm__gpt_neox *self, int64_t index, hfm__val x,
                                                  hfm__val angles, hfm__val mask) {
  const hfm__gpt_neox_layer *layer = &self->layers[index];
  const hfm__val attention =
      hfm__gpt_neox_attention(b, self, index, hfm__call(b, layer->input_layernorm, x), angles, mask);
  const hfm__val between = hfm__add(b, attention, x);
  hfm__val y = hfm__call(b, layer->post_attention_layernorm, self->use_parallel_residual ? x : between);
  y = hfm__call(b, layer->act, hfm__call(b, layer->dense_h_to_4h, y));
  y = hfm__call(b, layer->post_mlp_dropout, hfm__call(b, layer->dense_4h_to_h, y));
  return hfm__add(b, y, between);
}

HFM__PRIVATE hfm__val hfm__gpt_neox_forward(hfm__builder *b, const hfm__causal *base) {
  const hfm__gpt_neox *self = (const hfm__gpt_neox *)base;
  const hfm__val positions = hfm__position_ids(b, 0, 0);
  const hfm__val angles = hfm__rope_angles(b, &self->rotary_emb, positions);
  const hfm__val mask = hfm__decoder_mask(b, positions);
  hfm__val x = hfm__word_embeddings(b, base->words, base->vocab_size, base->width), y;
  x = hfm__call(b, self->emb_dropout, x);
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__hidden_state(b, x);
    x = hfm__gpt_neox_layer_forward(b, self, i, x, angles, mask);
  }
  y = hfm__call(b, self->final_layer_norm, x);
  hfm__last_hidden_state(b, x, y, 1);
  return y;
}

static const hfm__causal_class hfm__gpt_neox_class = {hfm__gpt_neox_configure, hfm__gpt_neox_init,
                                                      hfm__gpt_neox_forward, NULL, "classifier", NULL, 0};

static const hfm__rename hfm__gpt_neox_renames[] = {{"embed_out.weight", "lm_head.weight", 0, "ForCausalLM"},
                                                     {NULL, NULL, 0, NULL}};
static const char *const hfm__gpt_neox_ignored[] = {"attention.bias", "attention.masked_bias", NULL}; /* old masks */

static const hfm__family hfm__gpt_neox_family = {"gpt_neox", HFM__IN_input_ids, hfm__causal_heads,
                                                 hfm__gpt_neox_renames, hfm__gpt_neox_ignored, NULL};

static const hfm__config_pair hfm__gpt_neox_defaults[] = {
  {"attention_bias", "true"}, {"attention_dropout", "0.0"}, {"bos_token_id", "0"}, {"classifier_dropout", "0.1"},
  {"eos_token_id", "2"}, {"hidden_act", "\"gelu\""}, {"hidden_dropout", "0.0"}, {"hidden_size", "6144"},
  {"initializer_range", "0.02"}, {"intermediate_size", "24576"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-05"},
  {"max_position_embeddings", "2048"}, {"num_attention_heads", "64"}, {"num_hidden_layers", "44"},
  {"rope_parameters", HFM__ROPE_DEFAULT("10000.0, \"partial_rotary_factor\": 0.25")},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"use_parallel_residual", "true"}, {"vocab_size", "50432"},
  {NULL, NULL}};

static const hfm__rope_name hfm__gpt_neox_rope_names[] = {
  {NULL, "rope_theta", "rotary_emb_base"}, {NULL, "partial_rotary_factor", "rotary_pct"}, {NULL, NULL, NULL}};
static const hfm__config_class hfm__gpt_neox_config_class =
    {NULL, hfm__gpt_neox_defaults, hfm__gpt_neox_rope_names, NULL};
