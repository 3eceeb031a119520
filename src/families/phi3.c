/* ==== families/phi3 (private): Phi-3 and Phi-4-mini ===============================================================
   After models/phi3/modeling_phi3.py: Llama with fused projections; a part of each head may be rotated. */

HFM__PRIVATE hfm__causal *hfm__phi3_configure(hfm__builder *b) {
  const char *type = hfm__rope_type(b);
  hfm__decoder *self = hfm__decoder_make(b, "hidden_act");
  if (!self) return NULL;
  self->fused = 1;
  self->rope_sources[HFM__ROPE_FULL].partial = 1;
  if (hfm__equal(type, "su") || hfm__equal(type, "yarn")) /* old names of it */
    self->rope_sources[HFM__ROPE_FULL].type = "longrope";
  else if (!hfm__equal(type, "default") && !hfm__equal(type, "longrope"))
    hfm__refuse(b, "rope_type", type, "this model type has default and longrope");
  return &self->base;
}

HFM__PRIVATE void hfm__phi3_layer_init(hfm__builder *b, hfm__decoder *self, int64_t index) {
  const char *resid_pdrop = hfm__probability(b, "resid_pdrop");
  hfm__decoder_layer_init(b, self, index);
  (void)hfm__dropout(b, "resid_attn_dropout", resid_pdrop);
  (void)hfm__dropout(b, "resid_mlp_dropout", resid_pdrop);
  if (!hfm__is_null(b, "sliding_window"))
    self->layers[index].self_attn.window = hfm__window(b, hfm__size(b, "sliding_window"));
}

static const hfm__decoder_layer_class hfm__phi3_layer = {hfm__phi3_layer_init, hfm__decoder_layer_forward};
static const hfm__decoder_traits hfm__phi3_traits = HFM__DECODER(phi3, NULL);

static const hfm__head hfm__phi3_heads[] = {
    HFM__CAUSAL_BASE_HEAD,
    HFM__CAUSAL_LM_HEAD("ForCausalLM"),
    HFM__CAUSAL_SEQUENCE_HEAD,
    HFM__CAUSAL_TOKEN_HEAD,
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__phi3_family = {"model", HFM__IN_input_ids, hfm__phi3_heads, NULL, NULL,
                                             "original_max_position_embeddings"};

/* ---- The configuration class ---- */

static const hfm__config_pair hfm__phi3_defaults[] = {
  {"attention_dropout", "0.0"}, {"bos_token_id", "1"}, {"embd_pdrop", "0.0"}, {"eos_token_id", "32000"},
  {"hidden_act", "\"silu\""}, {"hidden_size", "3072"}, {"initializer_range", "0.02"}, {"intermediate_size", "8192"},
  {"max_position_embeddings", "4096"}, {"num_attention_heads", "32"}, {"num_hidden_layers", "32"},
  {"num_key_value_heads", "\"=num_attention_heads\""}, {"original_max_position_embeddings", "4096"},
  {"pad_token_id", "32000"}, {"resid_pdrop", "0.0"}, {"rms_norm_eps", "1e-05"},
  {"rope_parameters", HFM__ROPE_DEFAULT("10000.0, \"partial_rotary_factor\": 1.0")},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"vocab_size", "32064"}, {NULL, NULL}};

static const hfm__config_class hfm__phi3_config_class = {NULL, hfm__phi3_defaults, hfm__rope_names, NULL};
