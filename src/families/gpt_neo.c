/* ==== families/gpt_neo (private): GPT Neo ==========================================================================
   After models/gpt_neo/modeling_gpt_neo.py: GPT-2 with layers that see a window in turn with layers that see all, and
   scores that are not scaled. */

typedef struct hfm__gpt_neo_block {
  hfm__mod ln_1, k_proj, v_proj, q_proj, out_proj, resid_dropout, ln_2, c_fc, c_proj, act, mlp_dropout;
  int64_t window; /* 0: none */
} hfm__gpt_neo_block;

typedef struct hfm__gpt_neo {
  hfm__causal base;
  int64_t num_layers, num_heads, intermediate_size, max_position_embeddings, window_size;
  int32_t activation_function;
  double layer_norm_epsilon;
  const char *attention_dropout, *embed_dropout, *resid_dropout;
  hfm__mod wpe, drop, ln_f;
  hfm__gpt_neo_block *h;
} hfm__gpt_neo;

HFM__PRIVATE hfm__causal *hfm__gpt_neo_configure(hfm__builder *b) {
  hfm__gpt_neo *self = HFM__NEW(b, hfm__gpt_neo, 1);
  if (!self) return NULL;
  hfm__causal_configure(b, &self->base, "hidden_size");
  self->num_layers = hfm__layer_count(b, "num_layers");
  self->num_heads = hfm__size(b, "num_heads");
  self->intermediate_size = hfm__size_or(b, "intermediate_size", 4 * self->base.width);
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->window_size = hfm__size(b, "window_size");
  self->activation_function = hfm__activation_key(b, "activation_function");
  self->layer_norm_epsilon = hfm__positive(b, "layer_norm_epsilon");
  self->attention_dropout = hfm__float_probability(b, "attention_dropout");
  self->embed_dropout = hfm__float_probability(b, "embed_dropout");
  self->resid_dropout = hfm__float_probability(b, "resid_dropout");
  hfm__divides(b, "num_heads", self->num_heads, "hidden_size", self->base.width);
  return &self->base;
}

/* An item of attention_types is [types, how often]: returns how often, and *types, a list that isn't empty. 0: it is
   something else. */
HFM__PRIVATE int64_t hfm__gpt_neo_times(const hfm__json *doc, uint32_t item, uint32_t *types) {
  int64_t times = 0;
  *types = hfm__json_first(doc, item);
  if (hfm__json_kind(doc, *types) != HFM__JSON_ARRAY || !hfm__json_first(doc, *types)) return 0;
  (void)hfm__json_int(doc, hfm__json_following(doc, *types), &times);
  return HFM__MAX(times, 0);
}

/* Refuses what is no list of such items. */
HFM__PRIVATE void hfm__gpt_neo_check_types(hfm__builder *b, const hfm__json *doc, uint32_t list) {
  uint32_t types;
  for (uint32_t item = hfm__json_first(doc, list); item && hfm__ok(b); item = hfm__json_following(doc, item))
    if (!hfm__gpt_neo_times(doc, item, &types))
      b->result = hfm__config_wrong(b->config, "attention_types", "a list such as [[[\"global\", \"local\"], 12]]",
                                    b->error);
}

/* Gives the layers from `layer` on their windows, by a list of types; returns the next layer. */
HFM__PRIVATE int64_t hfm__gpt_neo_windows(hfm__builder *b, const hfm__gpt_neo *self, const char *key,
                                          hfm__config_value list, int64_t layer) {
  for (uint32_t node = hfm__json_first(list.doc, list.node); node && hfm__ok(b);
       node = hfm__json_following(list.doc, node)) {
    const char *text = hfm__json_text(list.doc, node), *type = text ? text : "no text";
    if (hfm__equal(type, "local")) self->h[layer].window = self->window_size;
    else if (!hfm__equal(type, "global")) hfm__refuse(b, key, type, "use global or local");
    layer++;
  }
  return layer;
}

/* Gives layers their windows, in one walk, as lists may be long: attention_layers names each one's type, or
   attention_types says them in short. */
HFM__PRIVATE void hfm__gpt_neo_layer_types(hfm__builder *b, const hfm__gpt_neo *self) {
  const int listed = !hfm__is_null(b, "attention_layers");
  const char *key = listed ? "attention_layers" : "attention_types";
  const hfm__config_value list = hfm__config_find(b->config, key);
  const int64_t layers = hfm_config_length(b->config, "attention_layers");
  int64_t layer = 0;
  if (hfm__ok(b) && hfm__json_kind(list.doc, list.node) != HFM__JSON_ARRAY)
    b->result = hfm__config_wrong(b->config, key, "a list of the layers' types", b->error);
  if (!listed) hfm__gpt_neo_check_types(b, list.doc, list.node);
  if (hfm__ok(b) && layers != self->num_layers)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, key, 0,
                          "%q is for %s %i layers, but 'num_layers' is %i", key,
                          layers > self->num_layers ? "more than" : "only",
                          layers > self->num_layers ? self->num_layers : layers, self->num_layers);
  if (listed) (void)hfm__gpt_neo_windows(b, self, key, list, 0);
  for (uint32_t item = listed ? 0 : hfm__json_first(list.doc, list.node); item && hfm__ok(b);
       item = hfm__json_following(list.doc, item)) {
    uint32_t types;
    for (int64_t times = hfm__gpt_neo_times(list.doc, item, &types); times > 0 && hfm__ok(b); times--)
      layer = hfm__gpt_neo_windows(b, self, key, hfm__config_node(list.doc, types), layer);
  }
}

HFM__PRIVATE void hfm__gpt_neo_block_init(hfm__builder *b, const hfm__gpt_neo *self, hfm__gpt_neo_block *block) {
  const int64_t size = self->base.width, positions = self->max_position_embeddings;
  block->ln_1 = hfm__layer_norm(b, "ln_1", size, self->layer_norm_epsilon);
  hfm__begin(b, "attn", "GPTNeoAttention");
  hfm__begin(b, "attention", "GPTNeoSelfAttention");
  hfm__buffer_add(b, "bias", HFM_BOOL, positions * positions); /* its causal mask */
  (void)hfm__dropout(b, "attn_dropout", self->attention_dropout);
  block->resid_dropout = hfm__dropout(b, "resid_dropout", self->resid_dropout);
  block->k_proj = hfm__linear(b, "k_proj", size, size, 0);
  block->v_proj = hfm__linear(b, "v_proj", size, size, 0);
  block->q_proj = hfm__linear(b, "q_proj", size, size, 0);
  block->out_proj = hfm__linear(b, "out_proj", size, size, 1);
  hfm__end(b);
  hfm__end(b);
  block->ln_2 = hfm__layer_norm(b, "ln_2", size, self->layer_norm_epsilon);
  hfm__begin(b, "mlp", "GPTNeoMLP");
  block->c_fc = hfm__linear(b, "c_fc", size, self->intermediate_size, 1);
  block->c_proj = hfm__linear(b, "c_proj", self->intermediate_size, size, 1);
  block->act = hfm__activation(b, "act", self->activation_function);
  block->mlp_dropout = hfm__dropout(b, "dropout", self->resid_dropout);
  hfm__end(b);
}

HFM__PRIVATE void hfm__gpt_neo_init(hfm__builder *b, hfm__causal *base) {
  hfm__gpt_neo *self = (hfm__gpt_neo *)base;
  base->words = hfm__embedding(b, "wte", base->vocab_size, base->width, HFM__NO_PADDING);
  self->wpe = hfm__embedding(b, "wpe", self->max_position_embeddings, base->width, HFM__NO_PADDING);
  self->drop = hfm__dropout(b, "drop", self->embed_dropout);
  self->h = HFM__NEW(b, hfm__gpt_neo_block, self->num_layers);
  hfm__gpt_neo_layer_types(b, self);
  hfm__begin_list(b, "h");
  for (int64_t i = 0; i < self->num_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "GPTNeoBlock");
    hfm__gpt_neo_block_init(b, self, &self->h[i]);
    hfm__end(b);
  }
  hfm__end(b);
  self->ln_f = hfm__layer_norm(b, "ln_f", base->width, self->layer_norm_epsilon);
}

/* Always causal: its own mask says so, whatever is_causal is. */
HFM__PRIVATE hfm__val hfm__gpt_neo_attention(hfm__builder *b, const hfm__gpt_neo *self, int64_t index, hfm__val x,
                                             hfm__val mask) {
  const hfm__gpt_neo_block *block = &self->h[index];
  const hfm__val q = hfm__split_heads(b, hfm__call(b, block->q_proj, x), self->num_heads);
  const hfm__val k = hfm__cached(b, index, "key", hfm__split_heads(b, hfm__call(b, block->k_proj, x), self->num_heads));
  const hfm__val v =
      hfm__cached(b, index, "value", hfm__split_heads(b, hfm__call(b, block->v_proj, x), self->num_heads));
  hfm__scores scores;
  hfm__val y;
  memset(&scores, 0, sizeof scores);
  scores.scale = 1;
  scores.keep = mask;
  scores.causal = 1;
  scores.window = block->window;
  y = hfm__attend_by(b, q, k, v, &scores);
  return hfm__call(b, block->resid_dropout, hfm__call(b, block->out_proj, y));
}

HFM__PRIVATE hfm__val hfm__gpt_neo_forward(hfm__builder *b, const hfm__causal *base) {
  const hfm__gpt_neo *self = (const hfm__gpt_neo *)base;
  const hfm__val words = hfm__word_embeddings(b, base->words, base->vocab_size, base->width);
  const hfm__val positions = hfm__position_ids(b, self->max_position_embeddings, 0);
  const hfm__val mask = hfm__decoder_mask(b, positions);
  hfm__val x = hfm__add_token_types(b, base, hfm__add(b, words, hfm__call(b, self->wpe, positions)));
  if (hfm__given(b, HFM__IN_position_ids)) /* its mask ends where the positions do */
    hfm__require(b, hfm__total_length(b), self->max_position_embeddings, HFM__IN_position_ids,
                 "max_position_embeddings");
  x = hfm__call(b, self->drop, x);
  for (int64_t i = 0; i < self->num_layers && hfm__ok(b); i++) {
    const hfm__gpt_neo_block *block = &self->h[i];
    hfm__val y;
    hfm__hidden_state(b, x);
    x = hfm__add(b, hfm__gpt_neo_attention(b, self, i, hfm__call(b, block->ln_1, x), mask), x);
    y = hfm__call(b, block->act, hfm__call(b, block->c_fc, hfm__call(b, block->ln_2, x)));
    x = hfm__add(b, hfm__call(b, block->mlp_dropout, hfm__call(b, block->c_proj, y)), x);
  }
  x = hfm__call(b, self->ln_f, x);
  hfm__hidden_state(b, x);
  return x;
}

static const hfm__causal_class hfm__gpt_neo_class = {hfm__gpt_neo_configure, hfm__gpt_neo_init, hfm__gpt_neo_forward,
                                                     NULL, "classifier", NULL, 0};

static const hfm__family hfm__gpt_neo_family = {"transformer", HFM__IN_input_ids, hfm__causal_heads, NULL, NULL, NULL};

static const hfm__config_pair hfm__gpt_neo_aliases[] = {
  {"num_attention_heads", "num_heads"}, {"num_hidden_layers", "num_layers"}, {NULL, NULL}};

static const hfm__config_pair hfm__gpt_neo_defaults[] = {
  {"activation_function", "\"gelu_new\""}, {"attention_dropout", "0.0"},
  {"attention_types", "[[[\"global\", \"local\"], 12]]"}, {"bos_token_id", "50256"}, {"classifier_dropout", "0.1"},
  {"embed_dropout", "0.0"}, {"eos_token_id", "50256"}, {"hidden_size", "2048"}, {"initializer_range", "0.02"},
  {"layer_norm_epsilon", "1e-05"}, {"max_position_embeddings", "2048"}, {"num_heads", "16"}, {"num_layers", "24"},
  {"resid_dropout", "0.0"}, {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "50257"},
  {"window_size", "256"}, {NULL, NULL}};

/* How many layers attention_types is for; *type: the type of layer i. */
HFM__PRIVATE int64_t hfm__gpt_neo_spread(const hfm_config *config, int64_t i, const char **type) {
  const hfm__config_value list = hfm__config_find(config, "attention_types");
  const hfm__json *doc = list.doc;
  int64_t layers = 0;
  for (uint32_t item = hfm__json_first(doc, list.node); item; item = hfm__json_following(doc, item)) {
    uint32_t types;
    const int64_t times = hfm__gpt_neo_times(doc, item, &types);
    const int64_t each = times ? (int64_t)doc->nodes[types].size : 1;
    if (i >= layers && (i - layers) / each < times) {
      uint32_t node = hfm__json_first(doc, types);
      for (int64_t at = (i - layers) % each; at > 0; at--) node = hfm__json_following(doc, node);
      *type = hfm__json_text(doc, node);
    }
    layers = times > (INT32_MAX - layers) / each ? INT32_MAX : layers + each * times;
  }
  return layers;
}

HFM__PRIVATE int64_t hfm__gpt_neo_attention_layers(const hfm_config *config) {
  const char *none;
  return hfm__gpt_neo_spread(config, -1, &none);
}

HFM__PRIVATE hfm__config_value hfm__gpt_neo_attention_layer(const hfm_config *config, int64_t i) {
  const char *type = NULL;
  (void)hfm__gpt_neo_spread(config, i, &type);
  return hfm__config_worked_out(config, type ? HFM__JSON_STRING : 0, 0, type);
}

static const hfm__config_rule hfm__gpt_neo_rules[] = {
    {"attention_layers", 0, hfm__gpt_neo_attention_layers, hfm__gpt_neo_attention_layer}, {NULL, 0, NULL, NULL}};

static const hfm__config_class hfm__gpt_neo_config_class = {
    hfm__gpt_neo_aliases, hfm__gpt_neo_defaults, NULL, hfm__gpt_neo_rules};
