/* ==== families/mixtral (private): Mixtral and Qwen3-MoE ===========================================================
   After models/mixtral/modeling_mixtral.py and models/qwen3_moe/modeling_qwen3_moe.py: decoders after Llama in whose
   layers a router chooses among experts, each an MLP, for every token. */

typedef struct hfm__mixtral_traits {
  hfm__decoder_traits decoder;
  const char *intermediate_key; /* the size of an expert */
  int32_t router_first;         /* registered before the experts */
  int32_t qwen;                 /* heads have norms, some layers may be dense, and more is left to the configuration */
} hfm__mixtral_traits;

/* Marks the layers of the list mlp_only_layers. */
HFM__PRIVATE void hfm__qwen3_moe_mark(hfm__builder *b, hfm__decoder *self) {
  const hfm__config_value list = hfm__config_find(b->config, "mlp_only_layers");
  const int32_t kind = hfm__json_kind(list.doc, list.node);
  int wrong = kind > HFM__JSON_NULL && kind != HFM__JSON_ARRAY;
  for (uint32_t node = wrong ? 0 : hfm__json_first(list.doc, list.node); node && !wrong;
       node = hfm__json_following(list.doc, node)) {
    int64_t layer;
    wrong = !hfm__json_int(list.doc, node, &layer);
    if (!wrong && layer >= 0 && layer < self->num_hidden_layers) self->layers[layer].mlp.only = 1;
  }
  if (wrong && hfm__ok(b))
    b->result = hfm__config_wrong(b->config, "mlp_only_layers", "a list of numbers of layers", b->error);
}

HFM__PRIVATE hfm__causal *hfm__mixtral_configure(hfm__builder *b) {
  const hfm__mixtral_traits *traits = (const hfm__mixtral_traits *)b->traits;
  hfm__decoder *self = hfm__decoder_make(b, "hidden_act");
  if (!self) return NULL;
  if (!traits->qwen) return &self->base;
  self->qkv_bias = self->o_bias = hfm__flag(b, "attention_bias");
  self->qk_norm = HFM__QK_NORM_HEADS;
  (void)hfm__flag(b, "use_sliding_window");
  hfm__qwen3_moe_mark(b, self);
  return &self->base;
}

HFM__PRIVATE int hfm__mixtral_is_sparse(hfm__builder *b, const hfm__decoder *self, int64_t i) {
  int64_t experts = 1;
  if (!((const hfm__mixtral_traits *)b->traits)->qwen) return 1;
  if (hfm__ok(b)) b->result = hfm__config_need_int(b->config, "num_experts", 0, INT32_MAX, &experts, b->error);
  return !self->layers[i].mlp.only && experts > 0 && (i + 1) % hfm__size(b, "decoder_sparse_step") == 0;
}

HFM__PRIVATE void hfm__mixtral_router_init(hfm__builder *b, const hfm__decoder *self, hfm__decoder_mlp *mlp,
                                           int64_t experts) {
  int64_t shape[2];
  shape[0] = experts;
  shape[1] = self->base.width;
  mlp->router = hfm__weighted(b, "gate", "*TopKRouter", HFM__MODULE_LINEAR, 2, shape, HFM__INIT_NORMAL, 0);
  hfm__describe(b, mlp->router, "");
}

HFM__PRIVATE void hfm__mixtral_experts_init(hfm__builder *b, const hfm__decoder *self, hfm__decoder_mlp *mlp,
                                            int64_t experts) {
  const int64_t size = hfm__size(b, ((const hfm__mixtral_traits *)b->traits)->intermediate_key);
  hfm__begin(b, "experts", "*Experts");
  mlp->experts_gate_up = hfm__stack(b, "gate_up_proj", experts, 2 * size, self->base.width, 2);
  mlp->experts_down = hfm__stack(b, "down_proj", experts, self->base.width, size, 1);
  mlp->act_fn = hfm__activation(b, "act_fn", self->hidden_act);
  hfm__end(b);
}

HFM__PRIVATE void hfm__mixtral_mlp_init(hfm__builder *b, const hfm__decoder *self, hfm__decoder_mlp *mlp) {
  const hfm__mixtral_traits *traits = (const hfm__mixtral_traits *)b->traits;
  const int64_t experts = hfm__size(b, "num_experts");
  mlp->choices = hfm__size(b, "num_experts_per_tok");
  mlp->normalized = !traits->qwen || hfm__flag(b, "norm_topk_prob");
  if (hfm__ok(b) && mlp->choices > experts)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "num_experts_per_tok", 0,
                          "'num_experts_per_tok' is %i, but there are %i experts", mlp->choices, experts);
  hfm__begin(b, "mlp", "*SparseMoeBlock");
  if (traits->router_first) hfm__mixtral_router_init(b, self, mlp, experts);
  hfm__mixtral_experts_init(b, self, mlp, experts);
  if (!traits->router_first) hfm__mixtral_router_init(b, self, mlp, experts);
  hfm__end(b);
}

HFM__PRIVATE void hfm__mixtral_layer_init(hfm__builder *b, hfm__decoder *self, int64_t index) {
  hfm__decoder_layer *layer = &self->layers[index];
  hfm__decoder_attention_init(b, self, &layer->self_attn);
  if (!hfm__is_null(b, "sliding_window"))
    layer->self_attn.window = hfm__window(b, hfm__size(b, "sliding_window"));
  if (hfm__mixtral_is_sparse(b, self, index)) hfm__mixtral_mlp_init(b, self, &layer->mlp);
  else hfm__decoder_mlp_init(b, self, &layer->mlp);
  layer->input_layernorm = hfm__decoder_norm(b, self, "input_layernorm", self->base.width);
  layer->post_attention_layernorm = hfm__decoder_norm(b, self, "post_attention_layernorm", self->base.width);
}

HFM__PRIVATE hfm__val hfm__mixtral_mlp_forward(hfm__builder *b, const hfm__decoder_mlp *mlp, hfm__val x) {
  hfm__val chosen, weights, y;
  if (!mlp->router.id) return hfm__decoder_mlp_forward(b, mlp, x);
  weights = hfm__top_k(b, hfm__call(b, mlp->router, x), mlp->choices, mlp->normalized, &chosen);
  y = hfm__decoder_gated(b, mlp->act_fn, hfm__experts(b, x, chosen, mlp->experts_gate_up));
  return hfm__weighted_sum(b, hfm__experts(b, y, chosen, mlp->experts_down), weights);
}

HFM__PRIVATE hfm__val hfm__mixtral_layer_forward(hfm__builder *b, const hfm__decoder *self, int64_t index, hfm__val x,
                                                 const hfm__decoder_call *call) {
  const hfm__decoder_layer *layer = &self->layers[index];
  hfm__val y = hfm__call(b, layer->input_layernorm, x);
  x = hfm__add(b, hfm__decoder_attention_forward(b, self, index, y, call), x);
  y = hfm__call(b, layer->post_attention_layernorm, x);
  return hfm__add(b, hfm__mixtral_mlp_forward(b, &layer->mlp, y), x);
}

static const hfm__decoder_layer_class hfm__mixtral_layer = {hfm__mixtral_layer_init, hfm__mixtral_layer_forward};
static const hfm__mixtral_traits hfm__mixtral_itself = {HFM__DECODER(mixtral, "model"),
                                                        "intermediate_size", 1, 0};
static const hfm__mixtral_traits hfm__qwen3_moe_traits = {HFM__DECODER(mixtral, "transformer"),
                                                          "moe_intermediate_size", 0, 1};

/* Files have the experts one by one; save_pretrained writes them so, too. */
static const hfm__rename hfm__mixtral_renames[] = {{"block_sparse_moe", "mlp", 0, NULL},
                                                   {"experts.*.w1.weight", "experts.gate_up_proj", 1, NULL},
                                                   {"experts.*.w3.weight", "experts.gate_up_proj", 2, NULL},
                                                   {"experts.*.w2.weight", "experts.down_proj", 1, NULL},
                                                   {NULL, NULL, 0, NULL}};
static const hfm__rename hfm__qwen3_moe_renames[] = {
    {"mlp.experts.*.gate_proj.weight", "mlp.experts.gate_up_proj", 1, NULL},
    {"mlp.experts.*.up_proj.weight", "mlp.experts.gate_up_proj", 2, NULL},
    {"mlp.experts.*.down_proj.weight", "mlp.experts.down_proj", 1, NULL},
    {NULL, NULL, 0, NULL}};

static const hfm__family hfm__mixtral_family = {"model", HFM__IN_input_ids, hfm__causal_heads, hfm__mixtral_renames,
                                                NULL, NULL};
static const hfm__family hfm__qwen3_moe_family = {"model", HFM__IN_input_ids, hfm__causal_heads,
                                                  hfm__qwen3_moe_renames, NULL, NULL};

/* ---- Configuration classes ---- */

static const hfm__config_pair hfm__mixtral_aliases[] = {{"num_experts", "num_local_experts"}, {NULL, NULL}};

static const hfm__config_pair hfm__mixtral_defaults[] = {
  {"attention_dropout", "0.0"}, {"bos_token_id", "1"}, {"eos_token_id", "2"}, {"hidden_act", "\"silu\""},
  {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "14336"},
  {"max_position_embeddings", "131072"}, {"num_attention_heads", "32"}, {"num_experts_per_tok", "2"},
  {"num_hidden_layers", "32"}, {"num_key_value_heads", "8"}, {"num_local_experts", "8"},
  {"output_router_logits", "false"}, {"rms_norm_eps", "1e-05"},
  {"rope_parameters", HFM__ROPE_DEFAULT("1000000.0")}, {"router_aux_loss_coef", "0.001"},
  {"router_jitter_noise", "0.0"}, {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"vocab_size", "32000"},
  {NULL, NULL}};

static const hfm__config_pair hfm__qwen3_moe_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"decoder_sparse_step", "1"}, {"hidden_act", "\"silu\""},
  {"hidden_size", "2048"}, {"initializer_range", "0.02"}, {"intermediate_size", "6144"},
  {"max_position_embeddings", "32768"}, {"mlp_only_layers", "[]"}, {"moe_intermediate_size", "768"},
  {"norm_topk_prob", "false"}, {"num_attention_heads", "32"}, {"num_experts_per_tok", "8"}, {"num_hidden_layers", "24"},
  {"num_key_value_heads", "4"}, {"num_local_experts", "128"}, {"output_router_logits", "false"},
  {"rms_norm_eps", "1e-06"}, {"rope_parameters", HFM__ROPE_DEFAULT("10000.0")},
  {"router_aux_loss_coef", "0.001"}, {"sliding_window", "4096"}, {"tie_word_embeddings", "false"},
  {"use_cache", "true"}, {"use_sliding_window", "false"}, {"vocab_size", "151936"}, {NULL, NULL}};

static const hfm__config_rule hfm__mixtral_rules[] = {{"num_key_value_heads", 0, NULL, hfm__all_heads},
                                                      {NULL, 0, NULL, NULL}};
static const hfm__config_rule hfm__qwen3_moe_rules[] = {{"sliding_window", 1, NULL, hfm__window_in_use},
                                                        {NULL, 0, NULL, NULL}};

static const hfm__config_class hfm__mixtral_config_class =
    {hfm__mixtral_aliases, hfm__mixtral_defaults, hfm__rope_names, hfm__mixtral_rules};
static const hfm__config_class hfm__qwen3_moe_config_class =
    {hfm__mixtral_aliases, hfm__qwen3_moe_defaults, hfm__rope_names, hfm__qwen3_moe_rules};
