/* ==== families/config_classes (private): defaults and aliases of the configuration classes =======================
   What Transformers assumes where config.json says nothing, and the second names of keys. Values are JSON. */

static const hfm__config_pair hfm__bert_defaults[] = {
  {"add_cross_attention", "false"}, {"attention_probs_dropout_prob", "0.1"}, {"hidden_act", "\"gelu\""},
  {"hidden_dropout_prob", "0.1"}, {"hidden_size", "768"}, {"initializer_range", "0.02"},
  {"intermediate_size", "3072"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-12"},
  {"max_position_embeddings", "512"}, {"num_attention_heads", "12"}, {"num_hidden_layers", "12"},
  {"pad_token_id", "0"}, {"tie_word_embeddings", "true"}, {"type_vocab_size", "2"}, {"use_cache", "true"},
  {"vocab_size", "30522"}, {NULL, NULL}};

static const hfm__config_pair hfm__roberta_defaults[] = {
  {"add_cross_attention", "false"}, {"attention_probs_dropout_prob", "0.1"}, {"bos_token_id", "0"},
  {"eos_token_id", "2"}, {"hidden_act", "\"gelu\""}, {"hidden_dropout_prob", "0.1"}, {"hidden_size", "768"},
  {"initializer_range", "0.02"}, {"intermediate_size", "3072"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-12"},
  {"max_position_embeddings", "512"}, {"num_attention_heads", "12"}, {"num_hidden_layers", "12"},
  {"pad_token_id", "1"}, {"tie_word_embeddings", "true"}, {"type_vocab_size", "2"}, {"use_cache", "true"},
  {"vocab_size", "50265"}, {NULL, NULL}};

static const hfm__config_pair hfm__xlm_roberta_defaults[] = {
  {"add_cross_attention", "false"}, {"attention_probs_dropout_prob", "0.1"}, {"bos_token_id", "0"},
  {"eos_token_id", "2"}, {"hidden_act", "\"gelu\""}, {"hidden_dropout_prob", "0.1"}, {"hidden_size", "768"},
  {"initializer_range", "0.02"}, {"intermediate_size", "3072"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-12"},
  {"max_position_embeddings", "512"}, {"num_attention_heads", "12"}, {"num_hidden_layers", "12"},
  {"pad_token_id", "1"}, {"tie_word_embeddings", "true"}, {"type_vocab_size", "2"}, {"use_cache", "true"},
  {"vocab_size", "30522"}, {NULL, NULL}};

static const hfm__config_pair hfm__distilbert_defaults[] = {
  {"activation", "\"gelu\""}, {"attention_dropout", "0.1"}, {"dim", "768"}, {"dropout", "0.1"},
  {"hidden_dim", "3072"}, {"initializer_range", "0.02"}, {"max_position_embeddings", "512"}, {"n_heads", "12"},
  {"n_layers", "6"}, {"pad_token_id", "0"}, {"qa_dropout", "0.1"}, {"seq_classif_dropout", "0.2"},
  {"sinusoidal_pos_embds", "false"}, {"tie_word_embeddings", "true"}, {"vocab_size", "30522"}, {NULL, NULL}};

static const hfm__config_pair hfm__gpt2_defaults[] = {
  {"activation_function", "\"gelu_new\""}, {"add_cross_attention", "false"}, {"attn_pdrop", "0.1"},
  {"bos_token_id", "50256"}, {"embd_pdrop", "0.1"}, {"eos_token_id", "50256"}, {"initializer_range", "0.02"},
  {"layer_norm_epsilon", "1e-05"}, {"n_embd", "768"}, {"n_head", "12"}, {"n_layer", "12"}, {"n_positions", "1024"},
  {"reorder_and_upcast_attn", "false"}, {"resid_pdrop", "0.1"}, {"scale_attn_by_inverse_layer_idx", "false"},
  {"scale_attn_weights", "true"}, {"summary_first_dropout", "0.1"}, {"summary_proj_to_labels", "true"},
  {"summary_type", "\"cls_index\""}, {"summary_use_proj", "true"}, {"tie_word_embeddings", "true"},
  {"use_cache", "true"}, {"vocab_size", "50257"}, {NULL, NULL}};

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

static const hfm__config_pair hfm__vit_defaults[] = {
  {"attention_probs_dropout_prob", "0.0"}, {"encoder_stride", "16"}, {"hidden_act", "\"gelu\""},
  {"hidden_dropout_prob", "0.0"}, {"hidden_size", "768"}, {"image_size", "224"}, {"initializer_range", "0.02"},
  {"intermediate_size", "3072"}, {"layer_norm_eps", "1e-12"}, {"num_attention_heads", "12"}, {"num_channels", "3"},
  {"num_hidden_layers", "12"}, {"patch_size", "16"}, {"pooler_act", "\"tanh\""}, {"qkv_bias", "true"},
  {NULL, NULL}};

static const hfm__config_pair hfm__distilbert_aliases[] = {
  {"hidden_size", "dim"}, {"num_attention_heads", "n_heads"}, {"num_hidden_layers", "n_layers"}, {NULL, NULL}};

static const hfm__config_pair hfm__gpt2_aliases[] = {
  {"hidden_size", "n_embd"}, {"max_position_embeddings", "n_positions"}, {"num_attention_heads", "n_head"},
  {"num_hidden_layers", "n_layer"}, {NULL, NULL}};

static const hfm__config_class hfm__config_classes[] = {
  {"bert", NULL, hfm__bert_defaults},
  {"roberta", NULL, hfm__roberta_defaults},
  {"xlm-roberta", NULL, hfm__xlm_roberta_defaults},
  {"camembert", NULL, hfm__xlm_roberta_defaults},
  {"distilbert", hfm__distilbert_aliases, hfm__distilbert_defaults},
  {"gpt2", hfm__gpt2_aliases, hfm__gpt2_defaults},
  {"llama", NULL, hfm__llama_defaults},
  {"mistral", NULL, hfm__mistral_defaults},
  {"qwen2", NULL, hfm__qwen2_defaults},
  {"qwen3", NULL, hfm__qwen3_defaults},
  {"vit", NULL, hfm__vit_defaults},
  {"deit", NULL, hfm__vit_defaults},
};

HFM__PRIVATE const hfm__config_class *hfm__config_class_find(const char *model_type) {
  for (size_t i = 0; i < HFM__COUNT(hfm__config_classes); i++)
    if (hfm__equal(hfm__config_classes[i].model_type, model_type)) return &hfm__config_classes[i];
  return NULL;
}
