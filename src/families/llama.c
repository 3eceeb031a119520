/* ==== families/llama (private): Llama, Mistral, Ministral, Qwen2, Qwen3 ===========================================
   After models/llama/modeling_llama.py and the files that derive from it. What differs stands in traits. */

/* Which layers have the sliding_window: none; all; those that layer_types names, all without it; the same where
   use_sliding_window allows it, without layer_types those from max_window_layers on. */
enum { HFM__WINDOW_NONE, HFM__WINDOW_EVERY_LAYER, HFM__WINDOW_BY_LAYER_TYPE, HFM__WINDOW_OPTIONAL };
enum { HFM__BIAS_NEVER, HFM__BIAS_ALWAYS, HFM__BIAS_BY_CONFIG };

typedef struct hfm__llama_traits {
  int32_t qkv_bias, o_bias;  /* HFM__BIAS_... */
  int32_t mlp_bias;          /* 1: by the configuration's mlp_bias */
  int32_t qk_norm;           /* q_norm and k_norm on every head */
  int32_t window;            /* HFM__WINDOW_... */
  const char *question_base; /* what ForQuestionAnswering calls the base model */
} hfm__llama_traits;

static const hfm__llama_traits hfm__llama_itself = {HFM__BIAS_BY_CONFIG, HFM__BIAS_BY_CONFIG, 1, 0,
                                                    HFM__WINDOW_NONE,    "transformer"};
static const hfm__llama_traits hfm__mistral_traits = {HFM__BIAS_NEVER,         HFM__BIAS_NEVER, 0, 0,
                                                      HFM__WINDOW_EVERY_LAYER, "model"};
static const hfm__llama_traits hfm__ministral_traits = {HFM__BIAS_NEVER,           HFM__BIAS_NEVER, 0, 0,
                                                        HFM__WINDOW_BY_LAYER_TYPE, "transformer"};
static const hfm__llama_traits hfm__qwen2_traits = {HFM__BIAS_ALWAYS,     HFM__BIAS_NEVER, 0, 0,
                                                    HFM__WINDOW_OPTIONAL, "transformer"};
static const hfm__llama_traits hfm__qwen3_traits = {HFM__BIAS_BY_CONFIG,  HFM__BIAS_BY_CONFIG, 0, 1,
                                                    HFM__WINDOW_OPTIONAL, "transformer"};

typedef struct hfm__llama_layer {
  hfm__mod q_proj, k_proj, v_proj, o_proj, q_norm, k_norm; /* self_attn */
  hfm__mod gate_proj, up_proj, down_proj, act_fn;          /* mlp */
  hfm__mod input_layernorm, post_attention_layernorm;
  int64_t window; /* 0: none */
} hfm__llama_layer;

typedef struct hfm__llama {
  const hfm__llama_traits *traits;
  int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads;
  int64_t head_dim, max_position_embeddings, pad_token_id;
  int32_t hidden_act, qkv_bias, o_bias, mlp_bias, causal;
  double rms_norm_eps;
  hfm__mod embed_tokens, norm, head, head_dropout;
  hfm__llama_layer *layers;
  hfm__rope rotary_emb;
} hfm__llama;

HFM__PRIVATE hfm__llama *hfm__llama_new(hfm__builder *b) {
  hfm__llama *self = HFM__NEW(b, hfm__llama, 1);
  const hfm__llama_traits *traits = (const hfm__llama_traits *)b->traits;
  int32_t bias;
  if (!self) return NULL;
  self->traits = traits;
  self->vocab_size = hfm__size(b, "vocab_size");
  self->hidden_size = hfm__size(b, "hidden_size");
  self->intermediate_size = hfm__size(b, "intermediate_size");
  self->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  self->num_attention_heads = hfm__size(b, "num_attention_heads");
  self->num_key_value_heads = hfm__size_or(b, "num_key_value_heads", self->num_attention_heads);
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->pad_token_id = hfm__padding_id(b);
  self->hidden_act = hfm__activation_key(b, "hidden_act");
  self->rms_norm_eps = hfm__epsilon(b, "rms_norm_eps");
  if (hfm__is_null(b, "head_dim"))
    hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->hidden_size);
  self->head_dim = hfm__size_or(b, "head_dim", HFM__MAX(self->hidden_size / self->num_attention_heads, 1));
  hfm__divides(b, "num_key_value_heads", self->num_key_value_heads, "num_attention_heads", self->num_attention_heads);
  bias = hfm__flag(b, "attention_bias");
  self->qkv_bias = traits->qkv_bias == HFM__BIAS_ALWAYS || (traits->qkv_bias == HFM__BIAS_BY_CONFIG && bias);
  self->o_bias = traits->o_bias == HFM__BIAS_BY_CONFIG && bias;
  self->mlp_bias = traits->mlp_bias && hfm__flag(b, "mlp_bias");
  self->causal = hfm__is_causal(b);
  return self;
}

/* How far layer i sees; 0: to the end. */
HFM__PRIVATE int64_t hfm__llama_window(hfm__builder *b, const hfm__llama *self, int64_t i) {
  const int32_t rule = self->traits->window;
  const char *type;
  char key[40];
  hfm__text t = hfm__text_to(key, sizeof key);
  int64_t first = 0;
  if (rule == HFM__WINDOW_NONE || (rule == HFM__WINDOW_OPTIONAL && !hfm__flag(b, "use_sliding_window")) ||
      hfm__is_null(b, "sliding_window"))
    return 0;
  if (rule == HFM__WINDOW_EVERY_LAYER || hfm__is_null(b, "layer_types")) {
    if (hfm__ok(b) && rule == HFM__WINDOW_OPTIONAL)
      b->result = hfm__config_need_int(b->config, "max_window_layers", -INT32_MAX, INT32_MAX, &first, b->error);
    return i >= first ? hfm__size(b, "sliding_window") : 0;
  }
  hfm__text_format(&t, "layer_types.%i", i);
  type = hfm__string(b, key, NULL);
  if (hfm__ok(b) && !type)
    b->result = hfm__config_wrong(b->config, key, "full_attention or sliding_attention, for every layer", b->error);
  if (type && hfm__equal(type, "sliding_attention")) return hfm__size(b, "sliding_window");
  if (type && !hfm__equal(type, "full_attention"))
    hfm__refuse(b, "layer_types", type, "use full_attention or sliding_attention");
  return 0;
}

HFM__PRIVATE void hfm__llama_layer_init(hfm__builder *b, const hfm__llama *self, hfm__llama_layer *layer) {
  const int64_t queries = self->num_attention_heads * self->head_dim, keys = self->num_key_value_heads * self->head_dim;
  hfm__begin(b, "self_attn", "*Attention");
  layer->q_proj = hfm__linear(b, "q_proj", self->hidden_size, queries, self->qkv_bias);
  layer->k_proj = hfm__linear(b, "k_proj", self->hidden_size, keys, self->qkv_bias);
  layer->v_proj = hfm__linear(b, "v_proj", self->hidden_size, keys, self->qkv_bias);
  layer->o_proj = hfm__linear(b, "o_proj", queries, self->hidden_size, self->o_bias);
  if (self->traits->qk_norm) {
    layer->q_norm = hfm__rms_norm(b, "q_norm", "*RMSNorm", self->head_dim, self->rms_norm_eps);
    layer->k_norm = hfm__rms_norm(b, "k_norm", "*RMSNorm", self->head_dim, self->rms_norm_eps);
  }
  hfm__end(b);
  hfm__begin(b, "mlp", "*MLP");
  layer->gate_proj = hfm__linear(b, "gate_proj", self->hidden_size, self->intermediate_size, self->mlp_bias);
  layer->up_proj = hfm__linear(b, "up_proj", self->hidden_size, self->intermediate_size, self->mlp_bias);
  layer->down_proj = hfm__linear(b, "down_proj", self->intermediate_size, self->hidden_size, self->mlp_bias);
  layer->act_fn = hfm__activation(b, "act_fn", self->hidden_act);
  hfm__end(b);
  layer->input_layernorm = hfm__rms_norm(b, "input_layernorm", "*RMSNorm", self->hidden_size, self->rms_norm_eps);
  layer->post_attention_layernorm =
      hfm__rms_norm(b, "post_attention_layernorm", "*RMSNorm", self->hidden_size, self->rms_norm_eps);
}

HFM__PRIVATE void hfm__llama_model_init(hfm__builder *b, hfm__llama *self) {
  self->embed_tokens = hfm__embedding(b, "embed_tokens", self->vocab_size, self->hidden_size, self->pad_token_id);
  self->layers = HFM__NEW(b, hfm__llama_layer, self->num_hidden_layers);
  hfm__begin_list(b, "layers");
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "*DecoderLayer");
    hfm__llama_layer_init(b, self, &self->layers[i]);
    self->layers[i].window = hfm__llama_window(b, self, i);
    if (self->layers[i].window && !self->causal) self->layers[i].window++; /* to both sides, and inclusive */
    hfm__end(b);
  }
  hfm__end(b);
  self->norm = hfm__rms_norm(b, "norm", "*RMSNorm", self->hidden_size, self->rms_norm_eps);
  hfm__rope_init(b, &self->rotary_emb, "*RotaryEmbedding", self->head_dim, self->max_position_embeddings);
}

HFM__PRIVATE hfm__val hfm__llama_heads_of(hfm__builder *b, hfm__mod projection, hfm__mod norm, hfm__val x,
                                          int64_t heads) {
  const hfm__val y = hfm__split_heads(b, hfm__call(b, projection, x), heads);
  return norm.id ? hfm__call(b, norm, y) : y;
}

HFM__PRIVATE hfm__val hfm__llama_layer_forward(hfm__builder *b, const hfm__llama *self, int64_t index, hfm__val x,
                                               hfm__val angles, hfm__val mask) {
  const hfm__llama_layer *layer = &self->layers[index];
  const double scale = 1.0 / sqrt((double)self->head_dim);
  const hfm__mod no_norm = {0};
  hfm__val y = hfm__call(b, layer->input_layernorm, x), gate;
  const hfm__val q = hfm__llama_heads_of(b, layer->q_proj, layer->q_norm, y, self->num_attention_heads);
  hfm__val k = hfm__llama_heads_of(b, layer->k_proj, layer->k_norm, y, self->num_key_value_heads);
  hfm__val v = hfm__llama_heads_of(b, layer->v_proj, no_norm, y, self->num_key_value_heads);
  k = hfm__cached(b, index, "key", hfm__rotary(b, k, angles));
  v = hfm__cached(b, index, "value", v);
  y = hfm__attend(b, hfm__rotary(b, q, angles), k, v, mask, scale, self->causal, layer->window);
  x = hfm__add(b, hfm__call(b, layer->o_proj, y), x);
  y = hfm__call(b, layer->post_attention_layernorm, x);
  gate = hfm__call(b, layer->act_fn, hfm__call(b, layer->gate_proj, y));
  y = hfm__mul(b, gate, hfm__call(b, layer->up_proj, y));
  return hfm__add(b, hfm__call(b, layer->down_proj, y), x);
}

/* RoPE has no table to run out of: lengths beyond max_position_embeddings are allowed, as in Transformers. */
HFM__PRIVATE hfm__val hfm__llama_model_forward(hfm__builder *b, const hfm__llama *self) {
  hfm__val x = hfm__word_embeddings(b, self->embed_tokens, self->vocab_size, self->hidden_size), y;
  const hfm__val positions = hfm__position_ids(b, 0, 0);
  const hfm__val angles = hfm__rope_angles(b, &self->rotary_emb, positions);
  const hfm__val mask = hfm__decoder_mask(b, positions);
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__hidden_state(b, x);
    x = hfm__llama_layer_forward(b, self, i, x, angles, mask);
  }
  y = hfm__call(b, self->norm, x);
  hfm__last_hidden_state(b, x, y, 1);
  return y;
}

HFM__PRIVATE hfm__llama *hfm__llama_with_base(hfm__builder *b) {
  hfm__llama *self = hfm__llama_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*Model");
  hfm__llama_model_init(b, self);
  hfm__end(b);
  return self;
}

HFM__PRIVATE void *hfm__llama_base_init(hfm__builder *b) {
  hfm__llama *self = hfm__llama_new(b);
  if (self) hfm__llama_model_init(b, self);
  return self;
}
HFM__PRIVATE void hfm__llama_base_forward(hfm__builder *b, const void *model) {
  hfm__output(b, HFM__OUT_last_hidden_state, hfm__llama_model_forward(b, (const hfm__llama *)model));
}

HFM__PRIVATE void *hfm__llama_causal_init(hfm__builder *b) {
  hfm__llama *self = hfm__llama_with_base(b);
  if (!self) return NULL;
  self->head = hfm__linear(b, "lm_head", self->hidden_size, self->vocab_size, 0);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->head), hfm__weight_of(b, self->embed_tokens));
  return self;
}
HFM__PRIVATE void hfm__llama_causal_forward(hfm__builder *b, const void *model) {
  const hfm__llama *self = (const hfm__llama *)model;
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head, hfm__kept_positions(b, hfm__llama_model_forward(b, self))));
}

HFM__PRIVATE void *hfm__llama_sequence_init(hfm__builder *b) {
  hfm__llama *self = hfm__llama_with_base(b);
  if (self) self->head = hfm__linear(b, "score", self->hidden_size, hfm__labels(b), 0);
  return self;
}
HFM__PRIVATE void hfm__llama_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__llama *self = (const hfm__llama *)model;
  const hfm__val last =
      hfm__last_real_token(b, hfm__llama_model_forward(b, self), self->vocab_size, self->pad_token_id);
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head, last));
}

HFM__PRIVATE void *hfm__llama_token_init(hfm__builder *b) {
  hfm__llama *self = hfm__llama_with_base(b);
  if (!self) return NULL;
  self->head_dropout = hfm__dropout(b, "dropout", hfm__decoder_classifier_dropout(b));
  self->head = hfm__linear(b, "score", self->hidden_size, hfm__labels(b),
                           !hfm__config_find(b->config, "token_classification_bias").node ||
                               hfm__flag(b, "token_classification_bias"));
  return self;
}
HFM__PRIVATE void hfm__llama_token_forward(hfm__builder *b, const void *model) {
  const hfm__llama *self = (const hfm__llama *)model;
  hfm__output(b, HFM__OUT_logits,
              hfm__call(b, self->head, hfm__call(b, self->head_dropout, hfm__llama_model_forward(b, self))));
}

HFM__PRIVATE void *hfm__llama_question_init(hfm__builder *b) {
  hfm__llama *self;
  b->base = ((const hfm__llama_traits *)b->traits)->question_base;
  self = hfm__llama_with_base(b);
  if (self) self->head = hfm__linear(b, "qa_outputs", self->hidden_size, 2, 1);
  return self;
}
HFM__PRIVATE void hfm__llama_question_forward(hfm__builder *b, const void *model) {
  const hfm__llama *self = (const hfm__llama *)model;
  hfm__span_outputs(b, hfm__call(b, self->head, hfm__llama_model_forward(b, self)));
}

static const hfm__head hfm__llama_heads[] = {
    {HFM_BASE, "Model", hfm__llama_base_init, hfm__llama_base_forward},
    {HFM_CAUSAL_LM, "ForCausalLM", hfm__llama_causal_init, hfm__llama_causal_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__llama_sequence_init, hfm__llama_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__llama_token_init, hfm__llama_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__llama_question_init, hfm__llama_question_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__llama_family = {"model", hfm__llama_heads, NULL, NULL};

/* ---- Configuration classes: Ministral's has Mistral's defaults ---- */

static const hfm__config_pair hfm__llama_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"bos_token_id", "1"}, {"eos_token_id", "2"},
  {"hidden_act", "\"silu\""}, {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "11008"},
  {"max_position_embeddings", "2048"}, {"mlp_bias", "false"}, {"num_attention_heads", "32"},
  {"num_hidden_layers", "32"}, {"rms_norm_eps", "1e-06"}, {"tie_word_embeddings", "false"}, {"use_cache", "true"},
  {"vocab_size", "32000"}, {NULL, NULL}};

static const hfm__config_pair hfm__mistral_defaults[] = {
  {"attention_dropout", "0.0"}, {"bos_token_id", "1"}, {"eos_token_id", "2"}, {"hidden_act", "\"silu\""},
  {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "14336"},
  {"max_position_embeddings", "131072"}, {"num_attention_heads", "32"}, {"num_hidden_layers", "32"},
  {"num_key_value_heads", "8"}, {"rms_norm_eps", "1e-06"}, {"sliding_window", "4096"},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"vocab_size", "32000"}, {NULL, NULL}};

static const hfm__config_pair hfm__qwen2_defaults[] = {
  {"attention_dropout", "0.0"}, {"hidden_act", "\"silu\""}, {"hidden_size", "4096"}, {"initializer_range", "0.02"},
  {"intermediate_size", "22016"}, {"max_position_embeddings", "32768"}, {"max_window_layers", "28"},
  {"num_attention_heads", "32"}, {"num_hidden_layers", "32"}, {"num_key_value_heads", "32"},
  {"rms_norm_eps", "1e-06"}, {"sliding_window", "4096"}, {"tie_word_embeddings", "false"}, {"use_cache", "true"},
  {"use_sliding_window", "false"}, {"vocab_size", "151936"}, {NULL, NULL}};

static const hfm__config_pair hfm__qwen3_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"head_dim", "128"}, {"hidden_act", "\"silu\""},
  {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "22016"},
  {"max_position_embeddings", "32768"}, {"max_window_layers", "28"}, {"num_attention_heads", "32"},
  {"num_hidden_layers", "32"}, {"num_key_value_heads", "32"}, {"rms_norm_eps", "1e-06"}, {"sliding_window", "4096"},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"use_sliding_window", "false"}, {"vocab_size", "151936"},
  {NULL, NULL}};

static const hfm__config_class hfm__llama_config_class = {NULL, hfm__llama_defaults};
static const hfm__config_class hfm__mistral_config_class = {NULL, hfm__mistral_defaults};
static const hfm__config_class hfm__qwen2_config_class = {NULL, hfm__qwen2_defaults};
static const hfm__config_class hfm__qwen3_config_class = {NULL, hfm__qwen3_defaults};
