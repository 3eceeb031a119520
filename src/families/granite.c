/* ==== families/granite (private): Granite =========================================================================
   After models/granite/modeling_granite.py: Llama with multipliers of the embeddings, the attention's scores, what each
   block adds, and the logits. */

HFM__PRIVATE hfm__causal *hfm__granite_configure(hfm__builder *b) {
  hfm__decoder *self = hfm__decoder_make(b, "hidden_act");
  if (!self) return NULL;
  self->qkv_bias = self->o_bias = hfm__flag(b, "attention_bias");
  self->mlp_bias = hfm__flag(b, "mlp_bias");
  self->input_scale = hfm__real(b, "embedding_multiplier");
  self->scaling = hfm__real(b, "attention_multiplier");
  self->residual_scale = hfm__real(b, "residual_multiplier");
  self->logits_scale = 1.0 / hfm__positive(b, "logits_scaling");
  return &self->base;
}

static const hfm__decoder_layer_class hfm__granite_layer = {hfm__decoder_layer_init, hfm__decoder_layer_forward};
static const hfm__decoder_traits hfm__granite_traits = HFM__DECODER(granite, NULL);

static const hfm__head hfm__granite_heads[] = {
    HFM__CAUSAL_BASE_HEAD,
    HFM__CAUSAL_LM_HEAD("ForCausalLM"),
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__granite_family = {"model", HFM__IN_input_ids, hfm__granite_heads, NULL, NULL, NULL};

/* ---- The configuration class ---- */

static const hfm__config_pair hfm__granite_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"attention_multiplier", "1.0"}, {"bos_token_id", "1"},
  {"embedding_multiplier", "1.0"}, {"eos_token_id", "2"}, {"hidden_act", "\"silu\""}, {"hidden_size", "4096"},
  {"initializer_range", "0.02"}, {"intermediate_size", "11008"}, {"logits_scaling", "1.0"},
  {"max_position_embeddings", "2048"}, {"mlp_bias", "false"}, {"num_attention_heads", "32"},
  {"num_hidden_layers", "32"}, {"num_key_value_heads", "\"=num_attention_heads\""}, {"residual_multiplier", "1.0"},
  {"rms_norm_eps", "1e-06"}, {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"vocab_size", "32000"}, {NULL, NULL}};

static const hfm__config_class hfm__granite_config_class = {NULL, hfm__granite_defaults, hfm__rope_names, NULL};
