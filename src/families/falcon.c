/* ==== families/falcon (private): Falcon ============================================================================
   After models/falcon/modeling_falcon.py: one projection for q, k and v, laid out in three ways; rotary embeddings or
   ALiBi; attention and MLP beside each other, with one norm or two, or after each other. */

typedef struct hfm__falcon_layer {
  hfm__mod query_key_value, dense;            /* self_attention */
  hfm__mod dense_h_to_4h, act, dense_4h_to_h; /* mlp */
  hfm__mod input_layernorm, post_attention_layernorm, ln_attn, ln_mlp;
} hfm__falcon_layer;

typedef struct hfm__falcon {
  hfm__causal base;
  int64_t num_hidden_layers, num_attention_heads, num_kv_heads, head_dim, ffn_hidden_size, max_position_embeddings;
  int32_t activation, alibi, new_decoder_architecture, multi_query, parallel_attn, bias, two_norms;
  double layer_norm_epsilon;
  const char *attention_dropout;
  hfm__mod ln_f;
  hfm__falcon_layer *h;
  hfm__rope rotary_emb;
} hfm__falcon;

/* The combinations that have no forward in Transformers either. */
HFM__PRIVATE void hfm__falcon_check(hfm__builder *b, const hfm__falcon *self, int64_t norms, int64_t kv_heads) {
  if (self->new_decoder_architecture && !self->parallel_attn)
    hfm__refuse(b, "parallel_attn", "false", "with new_decoder_architecture it must be true");
  if (self->new_decoder_architecture ? norms < 1 || norms > 2 : self->parallel_attn && norms == 2)
    hfm__refuse(b, "num_ln_in_parallel_attn", hfm__own_text(b, "%i", norms),
                "use 1 or 2 with new_decoder_architecture, and not 2 without it");
  if (!self->new_decoder_architecture && !self->multi_query && kv_heads != self->num_attention_heads)
    hfm__refuse(b, "num_kv_heads", hfm__own_text(b, "%i", kv_heads),
                "without multi_query and new_decoder_architecture every head has its own");
}

HFM__PRIVATE hfm__causal *hfm__falcon_configure(hfm__builder *b) {
  hfm__falcon *self = HFM__NEW(b, hfm__falcon, 1);
  int64_t norms, kv_heads;
  if (!self) return NULL;
  hfm__causal_configure(b, &self->base, "hidden_size");
  self->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  self->num_attention_heads = hfm__size(b, "num_attention_heads");
  self->ffn_hidden_size = hfm__size(b, "ffn_hidden_size");
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->activation = hfm__activation_key(b, "activation");
  self->alibi = hfm__flag(b, "alibi");
  self->new_decoder_architecture = hfm__flag(b, "new_decoder_architecture");
  self->multi_query = hfm__flag(b, "multi_query");
  self->parallel_attn = hfm__flag(b, "parallel_attn");
  self->bias = hfm__flag(b, "bias");
  self->layer_norm_epsilon = hfm__positive(b, "layer_norm_epsilon");
  self->attention_dropout = hfm__probability(b, "attention_dropout");
  hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->base.width);
  self->head_dim = HFM__MAX(self->base.width / self->num_attention_heads, 1);
  norms = hfm__size_or(b, "num_ln_in_parallel_attn", self->new_decoder_architecture ? 2 : 1);
  kv_heads = hfm__size(b, "num_kv_heads");
  hfm__falcon_check(b, self, norms, kv_heads);
  self->two_norms = self->new_decoder_architecture && norms == 2;
  self->num_kv_heads = self->new_decoder_architecture ? kv_heads : self->multi_query ? 1 : self->num_attention_heads;
  hfm__divides(b, "num_kv_heads", self->num_kv_heads, "num_attention_heads", self->num_attention_heads);
  return &self->base;
}

HFM__PRIVATE hfm__mod hfm__falcon_linear(hfm__builder *b, const hfm__falcon *self, const char *name, int64_t in,
                                         int64_t out) {
  return hfm__as_class(b, hfm__linear(b, name, in, out, self->bias), "FalconLinear");
}

HFM__PRIVATE hfm__mod hfm__falcon_norm(hfm__builder *b, const hfm__falcon *self, const char *name) {
  return hfm__layer_norm(b, name, self->base.width, self->layer_norm_epsilon);
}

HFM__PRIVATE void hfm__falcon_layer_init(hfm__builder *b, const hfm__falcon *self, hfm__falcon_layer *layer) {
  const int64_t size = self->base.width;
  hfm__begin(b, "self_attention", "FalconAttention");
  layer->query_key_value =
      hfm__falcon_linear(b, self, "query_key_value", size, size + 2 * self->num_kv_heads * self->head_dim);
  layer->dense = hfm__falcon_linear(b, self, "dense", size, size);
  (void)hfm__dropout(b, "attention_dropout", self->attention_dropout);
  hfm__end(b);
  hfm__begin(b, "mlp", "FalconMLP");
  layer->dense_h_to_4h = hfm__falcon_linear(b, self, "dense_h_to_4h", size, self->ffn_hidden_size);
  layer->act = hfm__activation(b, "act", self->activation);
  layer->dense_4h_to_h = hfm__falcon_linear(b, self, "dense_4h_to_h", self->ffn_hidden_size, size);
  hfm__end(b);
  if (!self->parallel_attn) layer->post_attention_layernorm = hfm__falcon_norm(b, self, "post_attention_layernorm");
  if (self->two_norms) {
    layer->ln_attn = hfm__falcon_norm(b, self, "ln_attn");
    layer->ln_mlp = hfm__falcon_norm(b, self, "ln_mlp");
  } else {
    layer->input_layernorm = hfm__falcon_norm(b, self, "input_layernorm");
  }
}

HFM__PRIVATE void hfm__falcon_init(hfm__builder *b, hfm__causal *base) {
  static const hfm__rope_source source = {NULL, 0, NULL};
  hfm__falcon *self = (hfm__falcon *)base;
  base->words = hfm__embedding(b, "word_embeddings", base->vocab_size, base->width, HFM__NO_PADDING);
  self->h = HFM__NEW(b, hfm__falcon_layer, self->num_hidden_layers);
  hfm__begin_list(b, "h");
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "FalconDecoderLayer");
    hfm__falcon_layer_init(b, self, &self->h[i]);
    hfm__end(b);
  }
  hfm__end(b);
  self->ln_f = hfm__falcon_norm(b, self, "ln_f");
  hfm__rope_init(b, &self->rotary_emb, "FalconRotaryEmbedding", &source, self->head_dim,
                 self->max_position_embeddings);
}

/* q, k and v [batch, length, heads, head_dim] out of one projection. Each key head comes after the query heads that
   share it; without sharing each head has its three parts. */
HFM__PRIVATE void hfm__falcon_split(hfm__builder *b, const hfm__falcon *self, hfm__val qkv, hfm__val part[3]) {
  const int64_t heads = self->num_attention_heads, kv = self->num_kv_heads, queries = heads / kv;
  const hfm__val groups = hfm__split_heads(b, qkv, kv);
  for (int32_t i = 0; i < 3; i++) {
    const int64_t first = i ? queries + i - 1 : 0, count = i ? 1 : queries;
    const hfm__val x = hfm__slice(b, groups, -1, first * self->head_dim, hfm__fixed(b, count * self->head_dim));
    hfm__dim shape[4];
    for (int32_t d = 0; d < 2; d++) shape[d] = hfm__dim_of(b, x, d);
    shape[2] = hfm__fixed(b, heads);
    shape[3] = hfm__fixed(b, self->head_dim);
    part[i] = count == 1 ? x : hfm__reshape(b, x, 4, shape);
  }
}

/* ALiBi is added before the scores are scaled. Transformers' eager attention adds it a second time, with the mask. */
HFM__PRIVATE hfm__val hfm__falcon_bias(hfm__builder *b, const hfm__falcon *self) {
  const double scale = 1.0 / sqrt((double)self->head_dim);
  const int32_t twice = hfm__attention_implementation(b) == HFM_ATTN_EAGER;
  return hfm__alibi(b, hfm__positions_by_mask(b, 0), self->num_attention_heads, twice ? 2 * scale : scale, HFM_BF16);
}

HFM__PRIVATE hfm__val hfm__falcon_attention(hfm__builder *b, const hfm__falcon *self, int64_t index, hfm__val x,
                                            hfm__val angles, const hfm__scores *scores) {
  const hfm__falcon_layer *layer = &self->h[index];
  hfm__val part[3];
  hfm__falcon_split(b, self, hfm__call(b, layer->query_key_value, x), part);
  if (!self->alibi) {
    part[0] = hfm__rotary(b, part[0], angles);
    part[1] = hfm__rotary(b, part[1], angles);
  }
  part[1] = hfm__cached(b, index, "key", part[1]);
  part[2] = hfm__cached(b, index, "value", part[2]);
  return hfm__call(b, layer->dense, hfm__attend_by(b, part[0], part[1], part[2], scores));
}

HFM__PRIVATE hfm__val hfm__falcon_layer_forward(hfm__builder *b, const hfm__falcon *self, int64_t index, hfm__val x,
                                                hfm__val angles, const hfm__scores *scores) {
  const hfm__falcon_layer *layer = &self->h[index];
  hfm__val y = hfm__call(b, self->two_norms ? layer->ln_attn : layer->input_layernorm, x);
  const hfm__val between = hfm__add(b, hfm__falcon_attention(b, self, index, y, angles, scores), x);
  if (self->two_norms) y = hfm__call(b, layer->ln_mlp, x);
  if (!self->parallel_attn) y = hfm__call(b, layer->post_attention_layernorm, between);
  y = hfm__call(b, layer->act, hfm__call(b, layer->dense_h_to_4h, y));
  return hfm__add(b, hfm__call(b, layer->dense_4h_to_h, y), between);
}

/* Positions are taken, and count for nothing, where ALiBi has its own, and by the heads that don't hand them on. */
HFM__PRIVATE hfm__val hfm__falcon_positions(hfm__builder *b) {
  const hfm__val given = hfm__position_ids(b, 0, 0);
  return b->task == HFM_BASE || b->task == HFM_CAUSAL_LM ? given : hfm__counted_positions(b, 0, 0);
}

HFM__PRIVATE hfm__val hfm__falcon_forward(hfm__builder *b, const hfm__causal *base) {
  const hfm__falcon *self = (const hfm__falcon *)base;
  const hfm__val positions = hfm__falcon_positions(b);
  hfm__val x = hfm__word_embeddings(b, base->words, base->vocab_size, base->width), angles = hfm__no_value;
  hfm__scores scores;
  memset(&scores, 0, sizeof scores);
  scores.scale = 1.0 / sqrt((double)self->head_dim);
  scores.keep = hfm__input_mask(b);
  scores.causal = base->is_causal;
  if (self->alibi) scores.bias = hfm__falcon_bias(b, self);
  else angles = hfm__rope_angles(b, &self->rotary_emb, positions);
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__hidden_state(b, x);
    x = hfm__falcon_layer_forward(b, self, i, x, angles, &scores);
  }
  x = hfm__call(b, self->ln_f, x);
  hfm__hidden_state(b, x);
  return x;
}

static const hfm__causal_class hfm__falcon_class = {hfm__falcon_configure, hfm__falcon_init, hfm__falcon_forward,
                                                    NULL, "classifier", NULL, 0};

static const hfm__family hfm__falcon_family = {"transformer", HFM__IN_input_ids, hfm__causal_heads, NULL, NULL, NULL};

static const hfm__config_pair hfm__falcon_defaults[] = {
  {"activation", "\"gelu\""}, {"alibi", "false"}, {"attention_dropout", "0.0"}, {"bias", "false"},
  {"bos_token_id", "11"}, {"eos_token_id", "11"}, {"hidden_dropout", "0.0"}, {"hidden_size", "4544"},
  {"initializer_range", "0.02"}, {"layer_norm_epsilon", "1e-05"}, {"max_position_embeddings", "2048"},
  {"multi_query", "true"}, {"new_decoder_architecture", "false"}, {"num_attention_heads", "71"},
  {"num_hidden_layers", "32"}, {"num_kv_heads", "\"=num_attention_heads\""}, {"parallel_attn", "true"},
  {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")}, {"tie_word_embeddings", "true"},
  {"use_cache", "true"}, {"vocab_size", "65024"}, {NULL, NULL}};

HFM__PRIVATE hfm__config_value hfm__falcon_ffn_hidden_size(const hfm_config *config, int64_t i) {
  const int64_t size = hfm_config_get_int(config, "hidden_size", 0);
  const int fits = size > 0 && size <= INT32_MAX;
  (void)i;
  return hfm__config_worked_out(config, fits ? HFM__JSON_NUMBER : 0, fits ? size * 4 : 0, NULL);
}

HFM__PRIVATE hfm__config_value hfm__falcon_head_dim(const hfm_config *config, int64_t i) {
  const int64_t heads = hfm_config_get_int(config, "num_attention_heads", 0);
  (void)i;
  return hfm__config_worked_out(config, heads > 0 ? HFM__JSON_NUMBER : 0,
                                hfm_config_get_int(config, "hidden_size", 0) / HFM__MAX(heads, 1), NULL);
}

HFM__PRIVATE hfm__config_value hfm__falcon_rotary(const hfm_config *config, int64_t i) {
  (void)i;
  return hfm__config_worked_out(config, HFM__JSON_BOOL, !hfm__config_truth(config, "alibi"), NULL);
}

static const hfm__config_rule hfm__falcon_rules[] = {{"hidden_size", 1, NULL, hfm__width_of_n_embed},
                                                     {"ffn_hidden_size", 0, NULL, hfm__falcon_ffn_hidden_size},
                                                     {"head_dim", 1, NULL, hfm__falcon_head_dim},
                                                     {"rotary", 1, NULL, hfm__falcon_rotary},
                                                     {NULL, 0, NULL, NULL}};

static const hfm__config_class hfm__falcon_config_class = {
    NULL, hfm__falcon_defaults, hfm__rope_names, hfm__falcon_rules};
