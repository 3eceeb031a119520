/* ==== families/gemma (private): Gemma =============================================================================
   After models/gemma/modeling_gemma.py: Llama with scaled embeddings, and norms whose weights are told from 1. */

HFM__PRIVATE hfm__decoder *hfm__gemma_configure(hfm__builder *b) {
  const int32_t bias = hfm__flag(b, "attention_bias");
  hfm__decoder *self = hfm__decoder_make(b, "hidden_act");
  if (!self) return NULL;
  if (self->hidden_act == HFM__ACTIVATION_gelu) self->hidden_act = HFM__ACTIVATION_gelu_pytorch_tanh; /* was meant */
  self->qkv_bias = self->o_bias = bias;
  self->norm_from_one = 1;
  self->embed_scale = sqrt((double)self->hidden_size);
  if (hfm__flag(b, "use_bidirectional_attention"))
    hfm__refuse(b, "use_bidirectional_attention", "true",
                "for this model type Transformers heeds it with some implementations of attention only");
  return self;
}

static const hfm__decoder_class hfm__gemma_class = {hfm__gemma_configure, hfm__decoder_layer_init,
                                                    hfm__decoder_layer_forward};
static const hfm__decoder_traits hfm__gemma_itself = {&hfm__gemma_class, NULL, 10000.0};

static const hfm__head hfm__gemma_heads[] = {
    {HFM_BASE, "Model", hfm__decoder_base_init, hfm__decoder_base_forward},
    {HFM_CAUSAL_LM, "ForCausalLM", hfm__decoder_causal_init, hfm__decoder_causal_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__decoder_sequence_init,
     hfm__decoder_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__decoder_token_init, hfm__decoder_token_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__gemma_family = {"model", hfm__gemma_heads, NULL, NULL};

/* ---- Configuration classes ---- */

static const hfm__config_pair hfm__gemma_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"bos_token_id", "2"}, {"eos_token_id", "1"},
  {"head_dim", "256"}, {"hidden_act", "\"gelu_pytorch_tanh\""}, {"hidden_size", "3072"}, {"initializer_range", "0.02"},
  {"intermediate_size", "24576"}, {"max_position_embeddings", "8192"}, {"num_attention_heads", "16"},
  {"num_hidden_layers", "28"}, {"num_key_value_heads", "16"}, {"pad_token_id", "0"}, {"rms_norm_eps", "1e-06"},
  {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "256000"}, {NULL, NULL}};

static const hfm__config_class hfm__gemma_config_class = {NULL, hfm__gemma_defaults};
