/* ==== families/llama (private): Llama, Mistral, Qwen2, Qwen3 ======================================================
   After models/llama/modeling_llama.py and the files that derive from it. What differs stands in traits. */

enum { HFM__WINDOW_NONE, HFM__WINDOW_EVERY_LAYER, HFM__WINDOW_BY_LAYER_TYPE };
enum { HFM__BIAS_NEVER, HFM__BIAS_ALWAYS, HFM__BIAS_BY_CONFIG };

typedef struct hfm__llama_traits {
  hfm__decoder_traits decoder;
  int32_t qkv_bias, o_bias; /* HFM__BIAS_... */
  int32_t mlp_bias;         /* 1: by the configuration's mlp_bias */
  int32_t qk_norm;          /* HFM__QK_NORM_... */
  int32_t window;           /* HFM__WINDOW_... */
} hfm__llama_traits;

HFM__PRIVATE hfm__decoder *hfm__llama_configure(hfm__builder *b) {
  const hfm__llama_traits *traits = (const hfm__llama_traits *)b->traits;
  const int32_t bias = hfm__flag(b, "attention_bias");
  hfm__decoder *self = hfm__decoder_make(b, "hidden_act");
  if (!self) return NULL;
  self->qkv_bias = traits->qkv_bias == HFM__BIAS_ALWAYS || (traits->qkv_bias == HFM__BIAS_BY_CONFIG && bias);
  self->o_bias = traits->o_bias == HFM__BIAS_BY_CONFIG && bias;
  self->mlp_bias = traits->mlp_bias && hfm__flag(b, "mlp_bias");
  self->qk_norm = traits->qk_norm;
  if (traits->window == HFM__WINDOW_EVERY_LAYER && hfm__config_find(b->config, "layer_types").node)
    hfm__refuse(b, "model_type", "mistral",
                "with layer_types Transformers takes it for ministral, which is not here yet");
  return self;
}

/* How far layer i sees: layer_types where the file lists them, else Qwen's rule of max_window_layers. */
HFM__PRIVATE int64_t hfm__llama_window(hfm__builder *b, int64_t i) {
  const int32_t rule = ((const hfm__llama_traits *)b->traits)->window;
  const char *type;
  char key[40];
  hfm__text t = hfm__text_to(key, sizeof key);
  int64_t first = INT32_MAX;
  if (rule == HFM__WINDOW_EVERY_LAYER)
    return hfm__is_null(b, "sliding_window") ? 0 : hfm__size(b, "sliding_window");
  if (rule == HFM__WINDOW_NONE || !hfm__flag(b, "use_sliding_window") || hfm__is_null(b, "sliding_window"))
    return 0;
  if (hfm__is_null(b, "layer_types")) {
    if (hfm__ok(b))
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

HFM__PRIVATE void hfm__llama_layer_init(hfm__builder *b, hfm__decoder *self, int64_t index) {
  hfm__decoder_layer_init(b, self, index);
  self->layers[index].self_attn.window = hfm__llama_window(b, index);
}

static const hfm__decoder_class hfm__llama_class = {hfm__llama_configure, hfm__llama_layer_init,
                                                    hfm__decoder_layer_forward};

#define HFM__LLAMA(question_base) {&hfm__llama_class, question_base, 10000.0}
static const hfm__llama_traits hfm__llama_itself = {
    HFM__LLAMA("transformer"), HFM__BIAS_BY_CONFIG, HFM__BIAS_BY_CONFIG, 1, HFM__QK_NORM_NONE, HFM__WINDOW_NONE};
static const hfm__llama_traits hfm__mistral_traits = {
    HFM__LLAMA("model"), HFM__BIAS_NEVER, HFM__BIAS_NEVER, 0, HFM__QK_NORM_NONE, HFM__WINDOW_EVERY_LAYER};
static const hfm__llama_traits hfm__qwen2_traits = {
    HFM__LLAMA("transformer"), HFM__BIAS_ALWAYS, HFM__BIAS_NEVER, 0, HFM__QK_NORM_NONE, HFM__WINDOW_BY_LAYER_TYPE};
static const hfm__llama_traits hfm__qwen3_traits = {
    HFM__LLAMA("transformer"), HFM__BIAS_BY_CONFIG, HFM__BIAS_BY_CONFIG, 0, HFM__QK_NORM_HEADS,
    HFM__WINDOW_BY_LAYER_TYPE};
#undef HFM__LLAMA

/* ---- Configuration classes ---- */

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
