/* ==== families/olmo2 (private): OLMo 2 ============================================================================
   After models/olmo2/modeling_olmo2.py: Llama whose layers norm what attention and MLP give, not what they get, and
   queries and keys over their whole width. */

HFM__PRIVATE hfm__causal *hfm__olmo2_configure(hfm__builder *b) {
  const int32_t bias = hfm__flag(b, "attention_bias");
  hfm__decoder *self = hfm__decoder_make(b, "hidden_act");
  if (!self) return NULL;
  self->qkv_bias = self->o_bias = bias;
  self->qk_norm = HFM__QK_NORM_WIDTH;
  return &self->base;
}

HFM__PRIVATE void hfm__olmo2_layer_init(hfm__builder *b, hfm__decoder *self, int64_t index) {
  hfm__decoder_layer *layer = &self->layers[index];
  hfm__decoder_attention_init(b, self, &layer->self_attn);
  hfm__decoder_mlp_init(b, self, &layer->mlp);
  layer->post_attention_layernorm = hfm__decoder_norm(b, self, "post_attention_layernorm", self->base.width);
  layer->post_feedforward_layernorm = hfm__decoder_norm(b, self, "post_feedforward_layernorm", self->base.width);
}

HFM__PRIVATE hfm__val hfm__olmo2_layer_forward(hfm__builder *b, const hfm__decoder *self, int64_t index, hfm__val x,
                                               const hfm__decoder_call *call) {
  const hfm__decoder_layer *layer = &self->layers[index];
  hfm__val y = hfm__decoder_attention_forward(b, self, index, x, call);
  x = hfm__add(b, hfm__call(b, layer->post_attention_layernorm, y), x);
  y = hfm__decoder_mlp_forward(b, &layer->mlp, x);
  return hfm__add(b, hfm__call(b, layer->post_feedforward_layernorm, y), x);
}

static const hfm__decoder_layer_class hfm__olmo2_layer = {hfm__olmo2_layer_init, hfm__olmo2_layer_forward};
static const hfm__decoder_traits hfm__olmo2_traits = HFM__DECODER(olmo2, NULL);

static const hfm__head hfm__olmo2_heads[] = {
    HFM__CAUSAL_BASE_HEAD,
    HFM__CAUSAL_LM_HEAD("ForCausalLM"),
    HFM__CAUSAL_SEQUENCE_HEAD,
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__olmo2_family = {"model", HFM__IN_input_ids, hfm__olmo2_heads, NULL, NULL, NULL};

static const hfm__config_pair hfm__olmo2_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"eos_token_id", "50279"}, {"hidden_act", "\"silu\""},
  {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "11008"},
  {"max_position_embeddings", "2048"}, {"num_attention_heads", "32"}, {"num_hidden_layers", "32"},
  {"num_key_value_heads", "\"=num_attention_heads\""}, {"pad_token_id", "1"}, {"rms_norm_eps", "1e-05"},
  {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")}, {"tie_word_embeddings", "false"},
  {"use_cache", "true"}, {"vocab_size", "50304"}, {NULL, NULL}};

static const hfm__config_class hfm__olmo2_config_class = {NULL, hfm__olmo2_defaults, hfm__rope_names, NULL};
