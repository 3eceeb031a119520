/* ==== families/bloom (private): BLOOM ==============================================================================
   After models/bloom/modeling_bloom.py: no positions but ALiBi; a norm over the embeddings; q, k and v of a head lie
   side by side in one projection. */

typedef struct hfm__bloom_block {
  hfm__mod input_layernorm, query_key_value, dense, post_attention_layernorm;
  hfm__mod dense_h_to_4h, gelu_impl, dense_4h_to_h; /* mlp */
} hfm__bloom_block;

typedef struct hfm__bloom {
  hfm__causal base;
  int64_t n_layer, n_head;
  int32_t apply_residual_connection_post_layernorm;
  double layer_norm_epsilon;
  const char *attention_dropout;
  hfm__mod word_embeddings_layernorm, ln_f;
  hfm__bloom_block *h;
} hfm__bloom;

HFM__PRIVATE hfm__causal *hfm__bloom_configure(hfm__builder *b) {
  hfm__bloom *self = HFM__NEW(b, hfm__bloom, 1);
  if (!self) return NULL;
  hfm__causal_configure(b, &self->base, "hidden_size");
  self->n_layer = hfm__layer_count(b, "n_layer");
  self->n_head = hfm__size(b, "n_head");
  self->apply_residual_connection_post_layernorm = hfm__flag(b, "apply_residual_connection_post_layernorm");
  self->layer_norm_epsilon = hfm__positive(b, "layer_norm_epsilon");
  self->attention_dropout = hfm__probability(b, "attention_dropout");
  hfm__divides(b, "n_head", self->n_head, "hidden_size", self->base.width);
  if (hfm__flag(b, "slow_but_exact") && hfm__size(b, "pretraining_tp") > 1)
    hfm__refuse(b, "slow_but_exact", "true", "with pretraining_tp above 1 it leaves out biases; use false");
  return &self->base;
}

HFM__PRIVATE void hfm__bloom_block_init(hfm__builder *b, const hfm__bloom *self, hfm__bloom_block *block) {
  const int64_t size = self->base.width;
  block->input_layernorm = hfm__layer_norm(b, "input_layernorm", size, self->layer_norm_epsilon);
  hfm__begin(b, "self_attention", "BloomAttention");
  block->query_key_value = hfm__linear(b, "query_key_value", size, 3 * size, 1);
  block->dense = hfm__linear(b, "dense", size, size, 1);
  (void)hfm__dropout(b, "attention_dropout", self->attention_dropout);
  hfm__end(b);
  block->post_attention_layernorm = hfm__layer_norm(b, "post_attention_layernorm", size, self->layer_norm_epsilon);
  hfm__begin(b, "mlp", "BloomMLP");
  block->dense_h_to_4h = hfm__linear(b, "dense_h_to_4h", size, 4 * size, 1);
  block->gelu_impl = hfm__as_class(b, hfm__activation(b, "gelu_impl", HFM__ACTIVATION_gelu_new), "BloomGelu");
  block->dense_4h_to_h = hfm__linear(b, "dense_4h_to_h", 4 * size, size, 1);
  hfm__end(b);
}

HFM__PRIVATE void hfm__bloom_init(hfm__builder *b, hfm__causal *base) {
  hfm__bloom *self = (hfm__bloom *)base;
  base->words = hfm__embedding(b, "word_embeddings", base->vocab_size, base->width, HFM__NO_PADDING);
  self->word_embeddings_layernorm =
      hfm__layer_norm(b, "word_embeddings_layernorm", base->width, self->layer_norm_epsilon);
  self->h = HFM__NEW(b, hfm__bloom_block, self->n_layer);
  hfm__begin_list(b, "h");
  for (int64_t i = 0; i < self->n_layer && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "BloomBlock");
    hfm__bloom_block_init(b, self, &self->h[i]);
    hfm__end(b);
  }
  hfm__end(b);
  self->ln_f = hfm__layer_norm(b, "ln_f", base->width, self->layer_norm_epsilon);
}

HFM__PRIVATE hfm__val hfm__bloom_attention(hfm__builder *b, const hfm__bloom *self, int64_t index, hfm__val x,
                                           const hfm__scores *scores) {
  const hfm__bloom_block *block = &self->h[index];
  const hfm__val qkv = hfm__call(b, block->query_key_value, x), q = hfm__head_part(b, qkv, self->n_head, 3, 0);
  const hfm__val k = hfm__cached(b, index, "key", hfm__head_part(b, qkv, self->n_head, 3, 1));
  const hfm__val v = hfm__cached(b, index, "value", hfm__head_part(b, qkv, self->n_head, 3, 2));
  return hfm__call(b, block->dense, hfm__attend_by(b, q, k, v, scores));
}

HFM__PRIVATE hfm__val hfm__bloom_block_forward(hfm__builder *b, const hfm__bloom *self, int64_t index, hfm__val x,
                                               const hfm__scores *scores) {
  const hfm__bloom_block *block = &self->h[index];
  const int32_t normed = self->apply_residual_connection_post_layernorm;
  hfm__val y = hfm__call(b, block->input_layernorm, x);
  x = hfm__add(b, hfm__bloom_attention(b, self, index, y, scores), normed ? y : x);
  y = hfm__call(b, block->post_attention_layernorm, x);
  if (normed) x = y;
  y = hfm__call(b, block->gelu_impl, hfm__call(b, block->dense_h_to_4h, y));
  return hfm__add(b, hfm__call(b, block->dense_4h_to_h, y), x);
}

/* Positions are taken, and count for nothing, as in Transformers. */
HFM__PRIVATE hfm__val hfm__bloom_forward(hfm__builder *b, const hfm__causal *base) {
  const hfm__bloom *self = (const hfm__bloom *)base;
  hfm__val x = hfm__word_embeddings(b, base->words, base->vocab_size, base->width);
  hfm__scores scores;
  if (hfm__given(b, HFM__IN_position_ids)) (void)hfm__position_ids(b, 0, 0);
  memset(&scores, 0, sizeof scores);
  scores.scale = 1.0 / sqrt((double)(base->width / self->n_head));
  scores.keep = hfm__input_mask(b);
  scores.causal = base->is_causal;
  scores.bias = hfm__alibi(b, hfm__positions_by_mask(b, 0), self->n_head, 1, HFM_F32);
  x = hfm__call(b, self->word_embeddings_layernorm, x);
  for (int64_t i = 0; i < self->n_layer && hfm__ok(b); i++) {
    hfm__hidden_state(b, x);
    x = hfm__bloom_block_forward(b, self, i, x, &scores);
  }
  x = hfm__call(b, self->ln_f, x);
  hfm__hidden_state(b, x);
  return x;
}

static const hfm__causal_class hfm__bloom_class = {hfm__bloom_configure, hfm__bloom_init, hfm__bloom_forward,
                                                   NULL, "classifier", NULL, 0};

static const hfm__family hfm__bloom_family = {"transformer", HFM__IN_input_ids, hfm__causal_heads, NULL, NULL, NULL};

static const hfm__config_pair hfm__bloom_aliases[] = {
  {"num_attention_heads", "n_head"}, {"num_hidden_layers", "n_layer"}, {NULL, NULL}};

static const hfm__config_pair hfm__bloom_defaults[] = {
  {"apply_residual_connection_post_layernorm", "false"}, {"attention_dropout", "0.0"}, {"bos_token_id", "1"},
  {"eos_token_id", "2"}, {"hidden_dropout", "0.0"}, {"hidden_size", "64"}, {"initializer_range", "0.02"},
  {"layer_norm_epsilon", "1e-05"}, {"n_head", "8"}, {"n_layer", "2"}, {"pretraining_tp", "1"},
  {"slow_but_exact", "false"}, {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "250880"},
  {NULL, NULL}};

static const hfm__config_rule hfm__bloom_rules[] = {{"hidden_size", 1, NULL, hfm__width_of_n_embed},
                                                    {NULL, 0, NULL, NULL}};

static const hfm__config_class hfm__bloom_config_class = {
    hfm__bloom_aliases, hfm__bloom_defaults, NULL, hfm__bloom_rules};
