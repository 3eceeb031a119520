/* ==== families/gemma (private): Gemma, Gemma 2, Gemma 3 (text) ====================================================
   After models/gemma*: Llama with scaled embeddings, and norms whose weights are told from 1. Gemma 2 norms before and
   after attention and MLP, caps scores and logits, and alternates full and sliding attention; Gemma 3 norms queries and
   keys instead of capping scores, and each type of its layers has rotary embeddings of its own. */

/* What the three have in common; `activation` is its key. */
HFM__PRIVATE hfm__decoder *hfm__gemma_make(hfm__builder *b, const char *activation) {
  const int32_t bias = hfm__flag(b, "attention_bias");
  hfm__decoder *self = hfm__decoder_make(b, activation);
  if (!self) return NULL;
  self->qkv_bias = self->o_bias = bias;
  self->norm_from_one = 1;
  self->embed_scale = sqrt((double)self->base.width);
  return self;
}

HFM__PRIVATE void hfm__gemma_refuse_bidirectional(hfm__builder *b) {
  if (hfm__flag(b, "use_bidirectional_attention"))
    hfm__refuse(b, "use_bidirectional_attention", "true",
                "for this model type Transformers heeds it with some implementations of attention only");
}

/* ---- Gemma ---- */

HFM__PRIVATE hfm__causal *hfm__gemma_configure(hfm__builder *b) {
  hfm__decoder *self = hfm__gemma_make(b, "hidden_act");
  if (!self) return NULL;
  hfm__gemma_refuse_bidirectional(b);
  return &self->base;
}

static const hfm__decoder_layer_class hfm__gemma_layer = {hfm__decoder_layer_init, hfm__decoder_layer_forward};
static const hfm__decoder_traits hfm__gemma_itself = HFM__DECODER(gemma, NULL);

/* ---- Gemma 2 ---- */

/* A bound that values approach, 0 where there is none. */
HFM__PRIVATE double hfm__softcapping(hfm__builder *b, const char *key) {
  double cap = 0;
  if (hfm__ok(b) && !hfm__is_null(b, key))
    b->result = hfm__config_need_float(b->config, key, 1e-30, 1e30, &cap, b->error);
  return cap;
}

HFM__PRIVATE hfm__decoder *hfm__gemma2_make(hfm__builder *b) {
  hfm__decoder *self = hfm__gemma_make(b, "hidden_activation");
  if (!self) return NULL;
  hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->base.width);
  self->scaling = 1.0 / sqrt((double)hfm__size(b, "query_pre_attn_scalar"));
  self->final_logit_softcapping = hfm__softcapping(b, "final_logit_softcapping");
  hfm__check_layer_types(b, self);
  return self;
}

HFM__PRIVATE hfm__causal *hfm__gemma2_configure(hfm__builder *b) {
  hfm__decoder *self = hfm__gemma2_make(b);
  if (!self) return NULL;
  self->attn_logit_softcapping = hfm__softcapping(b, "attn_logit_softcapping");
  hfm__gemma_refuse_bidirectional(b);
  return &self->base;
}

/* With norms before and after attention and MLP. */
HFM__PRIVATE void hfm__gemma2_norms_init(hfm__builder *b, hfm__decoder *self, int64_t index) {
  hfm__decoder_layer *layer = &self->layers[index];
  hfm__decoder_layer_init(b, self, index);
  layer->pre_feedforward_layernorm = hfm__decoder_norm(b, self, "pre_feedforward_layernorm", self->base.width);
  layer->post_feedforward_layernorm = hfm__decoder_norm(b, self, "post_feedforward_layernorm", self->base.width);
}

HFM__PRIVATE void hfm__gemma2_layer_init(hfm__builder *b, hfm__decoder *self, int64_t index) {
  hfm__gemma2_norms_init(b, self, index);
  if (hfm__is_sliding(b, index))
    self->layers[index].self_attn.window = hfm__window(b, hfm__size(b, "sliding_window"));
}

HFM__PRIVATE hfm__val hfm__gemma2_layer_forward(hfm__builder *b, const hfm__decoder *self, int64_t index, hfm__val x,
                                                const hfm__decoder_call *call) {
  const hfm__decoder_layer *layer = &self->layers[index];
  hfm__val y = hfm__call(b, layer->input_layernorm, x);
  y = hfm__decoder_attention_forward(b, self, index, y, call);
  x = hfm__add(b, hfm__call(b, layer->post_attention_layernorm, y), x);
  y = hfm__call(b, layer->pre_feedforward_layernorm, x);
  y = hfm__decoder_mlp_forward(b, &layer->mlp, y);
  return hfm__add(b, hfm__call(b, layer->post_feedforward_layernorm, y), x);
}

static const hfm__decoder_layer_class hfm__gemma2_layer = {hfm__gemma2_layer_init, hfm__gemma2_layer_forward};
static const hfm__decoder_traits hfm__gemma2_traits = HFM__DECODER(gemma2, NULL);

/* ---- Gemma 3 ---- */

/* attn_logit_softcapping is in its configuration, but not in its forward. */
HFM__PRIVATE hfm__causal *hfm__gemma3_configure(hfm__builder *b) {
  static const hfm__rope_source full = {"full_attention", 0, NULL};
  static const hfm__rope_source sliding = {"sliding_attention", 0, NULL};
  hfm__decoder *self = hfm__gemma2_make(b);
  if (!self) return NULL;
  self->qk_norm = HFM__QK_NORM_HEADS;
  self->rope_sources[HFM__ROPE_FULL] = full;
  self->rope_sources[HFM__ROPE_SLIDING] = sliding;
  self->base.model_class = "*TextModel";
  if (hfm__flag(b, "use_bidirectional_attention")) self->base.is_causal = 0;
  (void)hfm__size_or(b, "sliding_window_pattern", 1);
  return &self->base;
}

HFM__PRIVATE void hfm__gemma3_layer_init(hfm__builder *b, hfm__decoder *self, int64_t index) {
  hfm__decoder_attention *attention = &self->layers[index].self_attn;
  hfm__gemma2_norms_init(b, self, index);
  if (!hfm__is_sliding(b, index)) return;
  attention->window = hfm__window(b, hfm__size(b, "sliding_window"));
  attention->rope = HFM__ROPE_SLIDING;
}

static const hfm__decoder_layer_class hfm__gemma3_layer = {hfm__gemma3_layer_init, hfm__gemma2_layer_forward};
static const hfm__decoder_traits hfm__gemma3_traits = HFM__DECODER(gemma3, NULL);

/* ---- Heads ---- */

static const hfm__head hfm__gemma_heads[] = {
    HFM__CAUSAL_BASE_HEAD,
    HFM__CAUSAL_LM_HEAD("ForCausalLM"),
    HFM__CAUSAL_SEQUENCE_HEAD,
    HFM__CAUSAL_TOKEN_HEAD,
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__gemma_family = {"model", HFM__IN_input_ids, hfm__gemma_heads, NULL, NULL, NULL};

static const hfm__head hfm__gemma3_heads[] = {
    {HFM_BASE, "TextModel", hfm__causal_base_init, hfm__causal_base_forward},
    HFM__CAUSAL_LM_HEAD("ForCausalLM"),
    {HFM_SEQUENCE_CLASSIFICATION, "TextForSequenceClassification", hfm__causal_sequence_init,
     hfm__causal_sequence_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__gemma3_family = {"model", HFM__IN_input_ids, hfm__gemma3_heads, NULL, NULL, NULL};

/* ---- What configurations work out ---- */

/* Old files say "gelu" and mean the other. */
HFM__PRIVATE hfm__config_value hfm__gemma_hidden_act(const hfm_config *config, int64_t i) {
  const hfm__config_value said = hfm__config_said(config, "hidden_act");
  const char *name = hfm__value_text(&said);
  (void)i;
  return hfm__config_worked_out(config, name && hfm__equal(name, "gelu") ? HFM__JSON_STRING : 0, 0,
                                "gelu_pytorch_tanh");
}

HFM__PRIVATE hfm__config_value hfm__gemma2_layer_type(const hfm_config *config, int64_t i) {
  return hfm__layer_type(config, (i + 1) % 2 != 0);
}

HFM__PRIVATE hfm__config_value hfm__gemma3_layer_type(const hfm_config *config, int64_t i) {
  return hfm__layer_type(config, (i + 1) % HFM__MAX(hfm_config_get_int(config, "sliding_window_pattern", 6), 1) != 0);
}

/* To both sides, half of sliding_window is for each. */
HFM__PRIVATE hfm__config_value hfm__gemma3_window(const hfm_config *config, int64_t i) {
  const hfm__config_value whole = hfm__config_said(config, "sliding_window");
  int64_t window = 0;
  const int halved = hfm__config_truth(config, "use_bidirectional_attention") && hfm__value_int(&whole, &window);
  (void)i;
  return hfm__config_worked_out(config, halved && window >= 0 ? HFM__JSON_NUMBER : 0, window / 2 + 1, NULL);
}

static const hfm__config_rule hfm__gemma_rules[] = {{"hidden_act", 1, NULL, hfm__gemma_hidden_act},
                                                    {NULL, 0, NULL, NULL}};
static const hfm__config_rule hfm__gemma2_rules[] = {{"layer_types", 0, hfm__layers_of, hfm__gemma2_layer_type},
                                                     {NULL, 0, NULL, NULL}};
static const hfm__config_rule hfm__gemma3_rules[] = {{"layer_types", 0, hfm__layers_of, hfm__gemma3_layer_type},
                                                     {"sliding_window", 1, NULL, hfm__gemma3_window},
                                                     {NULL, 0, NULL, NULL}};

/* ---- Configuration classes ---- */

static const hfm__config_pair hfm__gemma_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"bos_token_id", "2"}, {"eos_token_id", "1"},
  {"head_dim", "256"}, {"hidden_act", "\"gelu_pytorch_tanh\""}, {"hidden_size", "3072"}, {"initializer_range", "0.02"},
  {"intermediate_size", "24576"}, {"max_position_embeddings", "8192"}, {"num_attention_heads", "16"},
  {"num_hidden_layers", "28"}, {"num_key_value_heads", "16"}, {"pad_token_id", "0"}, {"rms_norm_eps", "1e-06"},
  {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")}, {"tie_word_embeddings", "true"},
  {"use_cache", "true"}, {"vocab_size", "256000"}, {NULL, NULL}};

static const hfm__config_pair hfm__gemma2_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"attn_logit_softcapping", "50.0"}, {"bos_token_id", "2"},
  {"eos_token_id", "1"}, {"final_logit_softcapping", "30.0"}, {"head_dim", "256"},
  {"hidden_activation", "\"gelu_pytorch_tanh\""}, {"hidden_size", "2304"}, {"initializer_range", "0.02"},
  {"intermediate_size", "9216"}, {"max_position_embeddings", "8192"}, {"num_attention_heads", "8"},
  {"num_hidden_layers", "26"}, {"num_key_value_heads", "4"}, {"pad_token_id", "0"}, {"query_pre_attn_scalar", "256"},
  {"rms_norm_eps", "1e-06"}, {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")},
  {"sliding_window", "4096"}, {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "256000"},
  {NULL, NULL}};

static const hfm__config_pair hfm__gemma3_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"bos_token_id", "2"}, {"eos_token_id", "1"},
  {"head_dim", "256"}, {"hidden_activation", "\"gelu_pytorch_tanh\""}, {"hidden_size", "2304"},
  {"initializer_range", "0.02"}, {"intermediate_size", "9216"}, {"max_position_embeddings", "131072"},
  {"num_attention_heads", "8"}, {"num_hidden_layers", "26"}, {"num_key_value_heads", "4"}, {"pad_token_id", "0"},
  {"query_pre_attn_scalar", "256"}, {"rms_norm_eps", "1e-06"},
  {"rope_parameters", "{\"full_attention\": " HFM__ROPE_DEFAULT("1000000.0") ", \"sliding_attention\": "
                      HFM__ROPE_DEFAULT("10000.0") "}"},
  {"sliding_window", "4096"}, {"tie_word_embeddings", "true"}, {"use_bidirectional_attention", "false"},
  {"use_cache", "true"}, {"vocab_size", "262208"}, {NULL, NULL}};

static const hfm__rope_name hfm__gemma3_rope_names[] = {
  {"full_attention", "rope_theta", "rope_theta"}, {"sliding_attention", "rope_theta", "rope_local_base_freq"},
  {"full_attention", "partial_rotary_factor", "partial_rotary_factor"},
  {"sliding_attention", "partial_rotary_factor", "partial_rotary_factor"},
  {NULL, NULL, NULL}};

static const hfm__config_class hfm__gemma_config_class = {
    NULL, hfm__gemma_defaults, hfm__rope_names, hfm__gemma_rules};
static const hfm__config_class hfm__gemma2_config_class = {
    NULL, hfm__gemma2_defaults, hfm__rope_names, hfm__gemma2_rules};
static const hfm__config_class hfm__gemma3_config_class = {
    NULL, hfm__gemma3_defaults, hfm__gemma3_rope_names, hfm__gemma3_rules};
