/* ==== families/llama (private): Llama, Mistral, Ministral, Qwen2, Qwen3, SmolLM3 ==================================
   After models/llama/modeling_llama.py and the files that derive from it. What differs stands in traits. */

/* Which layers have the sliding_window: none; all; those that layer_types says, and there must be a window for the mask
   that is made for every model; those that layer_types says. */
enum { HFM__WINDOW_NONE, HFM__WINDOW_EVERY_LAYER, HFM__WINDOW_NEEDED, HFM__WINDOW_BY_LAYER_TYPE };
enum { HFM__BIAS_NEVER, HFM__BIAS_ALWAYS, HFM__BIAS_BY_CONFIG };

typedef struct hfm__llama_traits {
  hfm__decoder_traits decoder;
  int32_t qkv_bias, o_bias; /* HFM__BIAS_... */
  int32_t mlp_bias;         /* 1: by the configuration's mlp_bias */
  int32_t qk_norm;          /* HFM__QK_NORM_... */
  int32_t window;           /* HFM__WINDOW_... */
  int32_t no_rope_layers;   /* 1: the layers that no_rope_layers says have no rotary embeddings */
  int32_t even_heads;       /* 1: hidden_size must be a multiple of num_attention_heads */
} hfm__llama_traits;

/* What layers' types are worked out of must be what it is taken for. */
HFM__PRIVATE void hfm__llama_check_windows(hfm__builder *b, const hfm__decoder *self) {
  const hfm__llama_traits *traits = (const hfm__llama_traits *)b->traits;
  int64_t first;
  hfm__check_layer_types(b, self);
  (void)hfm__flag(b, "use_sliding_window");
  if (traits->window == HFM__WINDOW_NEEDED) (void)hfm__size(b, "sliding_window");
  if (traits->no_rope_layers && hfm__is_null(b, "no_rope_layers")) (void)hfm__size(b, "no_rope_layer_interval");
  if (hfm__ok(b) && hfm__is_null(b, "layer_types") && hfm__config_find(b->config, "max_window_layers").node)
    b->result = hfm__config_need_int(b->config, "max_window_layers", -INT32_MAX, INT32_MAX, &first, b->error);
}

HFM__PRIVATE hfm__causal *hfm__llama_configure(hfm__builder *b) {
  const hfm__llama_traits *traits = (const hfm__llama_traits *)b->traits;
  const int32_t bias = hfm__flag(b, "attention_bias");
  hfm__decoder *self = hfm__decoder_make(b, "hidden_act");
  if (!self) return NULL;
  if (traits->even_heads)
    hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->base.width);
  self->qkv_bias = traits->qkv_bias == HFM__BIAS_ALWAYS || (traits->qkv_bias == HFM__BIAS_BY_CONFIG && bias);
  self->o_bias = traits->o_bias == HFM__BIAS_BY_CONFIG && bias;
  self->mlp_bias = traits->mlp_bias && hfm__flag(b, "mlp_bias");
  self->qk_norm = traits->qk_norm;
  if (traits->window >= HFM__WINDOW_NEEDED) hfm__llama_check_windows(b, self);
  return &self->base;
}

/* Has layer i rotary embeddings? */
HFM__PRIVATE int32_t hfm__llama_has_rope(hfm__builder *b, int64_t i) {
  int64_t flag = 1;
  char key[40];
  hfm__text t = hfm__text_to(key, sizeof key);
  if (!((const hfm__llama_traits *)b->traits)->no_rope_layers) return 1;
  hfm__text_format(&t, "no_rope_layers.%i", i);
  if (hfm__ok(b)) b->result = hfm__config_need_int(b->config, key, -INT32_MAX, INT32_MAX, &flag, b->error);
  return flag != 0;
}

/* How far layer i sees; 0: to the end. */
HFM__PRIVATE int64_t hfm__llama_window(hfm__builder *b, int64_t i) {
  const int32_t rule = ((const hfm__llama_traits *)b->traits)->window;
  const int32_t given = !hfm__is_null(b, "sliding_window");
  if (rule == HFM__WINDOW_NONE) return 0;
  if (rule == HFM__WINDOW_EVERY_LAYER ? !given : !hfm__is_sliding(b, i)) return 0;
  if (!given) {
    const int32_t dropped = hfm__config_find(b->config, "sliding_window").worked_out;
    hfm__refuse(b, "layer_types", "sliding_attention",
                dropped ? "use_sliding_window does not allow it" : "there is no sliding_window");
  }
  return hfm__window(b, hfm__size(b, "sliding_window"));
}

HFM__PRIVATE void hfm__llama_layer_init(hfm__builder *b, hfm__decoder *self, int64_t index) {
  hfm__decoder_layer_init(b, self, index);
  self->layers[index].self_attn.window = hfm__llama_window(b, index);
  if (!hfm__llama_has_rope(b, index)) self->layers[index].self_attn.rope = HFM__ROPE_NONE;
}

static const hfm__decoder_layer_class hfm__llama_layer = {hfm__llama_layer_init, hfm__decoder_layer_forward};

/* Traits: decoder; biases of q, k and v, of o, of the MLP; qk_norm; window; no_rope_layers; even_heads. */
static const hfm__llama_traits hfm__llama_itself = {
    HFM__DECODER(llama, "transformer"), HFM__BIAS_BY_CONFIG, HFM__BIAS_BY_CONFIG, 1,
    HFM__QK_NORM_NONE, HFM__WINDOW_NONE, 0, 1};
static const hfm__llama_traits hfm__mistral_traits = {
    HFM__DECODER(llama, "model"), HFM__BIAS_NEVER, HFM__BIAS_NEVER, 0,
    HFM__QK_NORM_NONE, HFM__WINDOW_EVERY_LAYER, 0, 0};
static const hfm__llama_traits hfm__ministral_traits = {
    HFM__DECODER(llama, "transformer"), HFM__BIAS_NEVER, HFM__BIAS_NEVER, 0,
    HFM__QK_NORM_NONE, HFM__WINDOW_NEEDED, 0, 0};
static const hfm__llama_traits hfm__qwen2_traits = {
    HFM__DECODER(llama, "transformer"), HFM__BIAS_ALWAYS, HFM__BIAS_NEVER, 0,
    HFM__QK_NORM_NONE, HFM__WINDOW_BY_LAYER_TYPE, 0, 0};
static const hfm__llama_traits hfm__qwen3_traits = {
    HFM__DECODER(llama, "transformer"), HFM__BIAS_BY_CONFIG, HFM__BIAS_BY_CONFIG, 0,
    HFM__QK_NORM_HEADS, HFM__WINDOW_BY_LAYER_TYPE, 0, 0};
static const hfm__llama_traits hfm__smollm3_traits = {
    HFM__DECODER(llama, "transformer"), HFM__BIAS_BY_CONFIG, HFM__BIAS_BY_CONFIG, 1,
    HFM__QK_NORM_NONE, HFM__WINDOW_BY_LAYER_TYPE, 1, 0};

/* ---- What configurations work out ---- */

HFM__PRIVATE hfm__config_value hfm__ministral_layer_type(const hfm_config *config, int64_t i) {
  (void)i;
  return hfm__layer_type(config, !hfm__config_is_null(config, "sliding_window"));
}

HFM__PRIVATE hfm__config_value hfm__qwen2_layer_type(const hfm_config *config, int64_t i) {
  return hfm__layer_type(config, !hfm__config_is_null(config, "sliding_window") &&
                                     i >= hfm_config_get_int(config, "max_window_layers", 0));
}

/* 1: the layer has rotary embeddings, whatever the list's name says. */
HFM__PRIVATE hfm__config_value hfm__smollm3_no_rope_layer(const hfm_config *config, int64_t i) {
  const int64_t interval = hfm_config_get_int(config, "no_rope_layer_interval", 0);
  return hfm__config_worked_out(config, interval > 0 ? HFM__JSON_NUMBER : 0, interval > 0 && (i + 1) % interval, NULL);
}

HFM__PRIVATE hfm__config_value hfm__smollm3_layer_type(const hfm_config *config, int64_t i) {
  char key[40];
  hfm__text t = hfm__text_to(key, sizeof key);
  hfm__text_format(&t, "no_rope_layers.%i", i);
  return hfm__layer_type(config, hfm__config_truth(config, "use_sliding_window") &&
                                     !hfm__config_is_null(config, "sliding_window") &&
                                     !hfm_config_get_int(config, key, 1));
}

/* A mistral whose file has that key is a ministral. */
HFM__PRIVATE int64_t hfm__mistral_layers(const hfm_config *config) {
  return hfm__config_said(config, "layer_types").node ? hfm__layers_of(config) : -1;
}

static const hfm__config_rule hfm__mistral_rules[] = {
    {"num_key_value_heads", 0, NULL, hfm__all_heads},
    {"layer_types", 0, hfm__mistral_layers, hfm__ministral_layer_type},
    {NULL, 0, NULL, NULL}};
static const hfm__config_rule hfm__ministral_rules[] = {{"num_key_value_heads", 0, NULL, hfm__all_heads},
                                                        {"layer_types", 0, hfm__layers_of, hfm__ministral_layer_type},
                                                        {NULL, 0, NULL, NULL}};
static const hfm__config_rule hfm__qwen2_rules[] = {{"num_key_value_heads", 0, NULL, hfm__all_heads},
                                                    {"sliding_window", 1, NULL, hfm__window_in_use},
                                                    {"layer_types", 0, hfm__layers_of, hfm__qwen2_layer_type},
                                                    {NULL, 0, NULL, NULL}};
static const hfm__config_rule hfm__smollm3_rules[] = {{"num_key_value_heads", 0, NULL, hfm__all_heads},
                                                      {"no_rope_layers", 0, hfm__layers_of, hfm__smollm3_no_rope_layer},
                                                      {"layer_types", 0, hfm__layers_of, hfm__smollm3_layer_type},
                                                      {NULL, 0, NULL, NULL}};

/* ---- Configuration classes: Ministral's has Mistral's defaults, but for head_dim ---- */

static const hfm__config_pair hfm__llama_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"bos_token_id", "1"}, {"eos_token_id", "2"},
  {"head_dim", HFM__HEAD_DIM}, {"hidden_act", "\"silu\""}, {"hidden_size", "4096"}, {"initializer_range", "0.02"},
  {"intermediate_size", "11008"},
  {"max_position_embeddings", "2048"}, {"mlp_bias", "false"}, {"num_attention_heads", "32"},
  {"num_hidden_layers", "32"}, {"num_key_value_heads", "\"=num_attention_heads\""}, {"pretraining_tp", "1"},
  {"rms_norm_eps", "1e-06"}, {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"vocab_size", "32000"}, {NULL, NULL}};

#define HFM__MINISTRAL_DEFAULTS                                                                                     \
  {"attention_dropout", "0.0"}, {"bos_token_id", "1"}, {"eos_token_id", "2"}, {"hidden_act", "\"silu\""},           \
      {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "14336"},                       \
      {"max_position_embeddings", "131072"}, {"num_attention_heads", "32"}, {"num_hidden_layers", "32"},            \
      {"num_key_value_heads", "8"}, {"rms_norm_eps", "1e-06"}, {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")},   \
      {"sliding_window", "4096"}, {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"vocab_size", "32000"}, \
      {NULL, NULL}
static const hfm__config_pair hfm__mistral_defaults[] = {{"head_dim", HFM__HEAD_DIM}, HFM__MINISTRAL_DEFAULTS};
static const hfm__config_pair hfm__ministral_defaults[] = {HFM__MINISTRAL_DEFAULTS};

static const hfm__config_pair hfm__qwen2_defaults[] = {
  {"attention_dropout", "0.0"}, {"hidden_act", "\"silu\""}, {"hidden_size", "4096"}, {"initializer_range", "0.02"},
  {"intermediate_size", "22016"}, {"max_position_embeddings", "32768"}, {"max_window_layers", "28"},
  {"num_attention_heads", "32"}, {"num_hidden_layers", "32"}, {"num_key_value_heads", "32"}, {"rms_norm_eps", "1e-06"},
  {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")}, {"sliding_window", "4096"},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"use_sliding_window", "false"}, {"vocab_size", "151936"},
  {NULL, NULL}};

static const hfm__config_pair hfm__qwen3_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"head_dim", "128"}, {"hidden_act", "\"silu\""},
  {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "22016"},
  {"max_position_embeddings", "32768"}, {"max_window_layers", "28"}, {"num_attention_heads", "32"},
  {"num_hidden_layers", "32"}, {"num_key_value_heads", "32"}, {"rms_norm_eps", "1e-06"},
  {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")}, {"sliding_window", "4096"},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"use_sliding_window", "false"}, {"vocab_size", "151936"},
  {NULL, NULL}};

static const hfm__config_pair hfm__smollm3_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"bos_token_id", "128000"}, {"eos_token_id", "128001"},
  {"hidden_act", "\"silu\""}, {"hidden_size", "2048"}, {"initializer_range", "0.02"}, {"intermediate_size", "11008"},
  {"max_position_embeddings", "32768"}, {"mlp_bias", "false"}, {"no_rope_layer_interval", "4"},
  {"num_attention_heads", "16"}, {"num_hidden_layers", "36"}, {"num_key_value_heads", "4"}, {"pad_token_id", "128004"},
  {"rms_norm_eps", "1e-06"}, {"rope_parameters", HFM__ROPE_DEFAULT("2000000.0")},
  {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"use_sliding_window", "false"}, {"vocab_size", "128256"},
  {NULL, NULL}};

static const hfm__config_class hfm__llama_config_class = {NULL, hfm__llama_defaults, hfm__rope_names, NULL};
static const hfm__config_class hfm__mistral_config_class = {
    NULL, hfm__mistral_defaults, hfm__rope_names, hfm__mistral_rules};
static const hfm__config_class hfm__ministral_config_class = {
    NULL, hfm__ministral_defaults, hfm__rope_names, hfm__ministral_rules};
static const hfm__config_class hfm__qwen2_config_class = {
    NULL, hfm__qwen2_defaults, hfm__rope_names, hfm__qwen2_rules};
static const hfm__config_class hfm__qwen3_config_class = {
    NULL, hfm__qwen3_defaults, hfm__rope_names, hfm__qwen2_rules};
static const hfm__config_class hfm__smollm3_config_class = {
    NULL, hfm__smollm3_defaults, hfm__rope_names, hfm__smollm3_rules};
