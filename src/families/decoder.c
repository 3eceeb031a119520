/* ==== families/decoder (private): what the decoders after Llama share =============================================
   Most decoder-only models derive from modeling_llama.py, by name or by copy: its attention, its gated MLP, the model
   around the layers are here, the heads in families/causal.c. A family's file has what sets it apart: its layer, and
   what its configuration says. */

enum { HFM__QK_NORM_NONE, HFM__QK_NORM_HEADS, HFM__QK_NORM_WIDTH }; /* of each head by itself, or over all of them */

/* Which rotary embedding a layer has: the model's; or, where there is one for each type of layer, that of full or of
   sliding attention; or none. */
enum { HFM__ROPE_FULL, HFM__ROPE_SLIDING, HFM__ROPE_NONE, HFM__ROPE_KINDS };

struct hfm__decoder;

/* What a layer needs besides its input. */
typedef struct hfm__decoder_call {
  hfm__val angles[HFM__ROPE_KINDS], mask;
} hfm__decoder_call;

/* A family's own layer. */
typedef struct hfm__decoder_layer_class {
  void (*init)(hfm__builder *b, struct hfm__decoder *self, int64_t index);
  hfm__val (*forward)(hfm__builder *b, const struct hfm__decoder *self, int64_t index, hfm__val x,
                      const hfm__decoder_call *call);
} hfm__decoder_layer_class;

/* How the traits of every decoder begin. */
typedef struct hfm__decoder_traits {
  hfm__causal_class causal; /* its configure adds to what hfm__decoder_make has made */
  const hfm__decoder_layer_class *layer;
} hfm__decoder_traits;

typedef struct hfm__decoder_attention {
  hfm__mod q_proj, k_proj, v_proj, o_proj, q_norm, k_norm;
  hfm__mod qkv_proj; /* instead of the first three */
  int64_t window; /* how far a token sees, itself included; 0: to the end */
  int32_t rope;   /* HFM__ROPE_... */
} hfm__decoder_attention;

typedef struct hfm__decoder_mlp {
  hfm__mod gate_proj, up_proj, down_proj, act_fn;
  hfm__mod gate_up_proj; /* instead of the first two */
  /* A mixture of experts has a router, which makes `choices` for each token, and stacks of weights. */
  hfm__mod router;
  hfm__par experts_gate_up, experts_down;
  int64_t choices;
  int32_t normalized; /* 1: the weights of a token's choices sum up to 1 */
  int32_t only;       /* 1: no mixture, whatever other layers have */
} hfm__decoder_mlp;

/* Each family has those of the norms that its layer registers. */
typedef struct hfm__decoder_layer {
  hfm__decoder_attention self_attn;
  hfm__decoder_mlp mlp;
  hfm__mod input_layernorm, post_attention_layernorm, pre_feedforward_layernorm, post_feedforward_layernorm;
} hfm__decoder_layer;

typedef struct hfm__decoder {
  hfm__causal base; /* its width is hidden_size */
  const hfm__decoder_traits *traits;
  int64_t intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads;
  int64_t head_dim, max_position_embeddings;
  int32_t hidden_act;
  double rms_norm_eps;
  /* What a family may set: Llama has none of these, but for the first two. */
  double scaling;                                /* of the attention's scores: 1 / sqrt(head_dim) */
  hfm__rope_source rope_sources[HFM__ROPE_NONE]; /* the model's; or, if they have a layer_type, those of each type */
  int32_t qkv_bias, o_bias, mlp_bias;
  int32_t qk_norm;       /* HFM__QK_NORM_... */
  int32_t norm_from_one; /* the weights of norms are stored as their difference from 1 */
  int32_t fused;         /* queries, keys and values come from one projection, gate and up from another */
  double embed_scale;    /* what embeddings are multiplied by; 0: nothing */
  double input_scale, residual_scale, logits_scale; /* the same for what goes into the layers, is added, or comes out */
  double attn_logit_softcapping, final_logit_softcapping; /* 0: none */
  hfm__mod norm;
  hfm__decoder_layer *layers;
  hfm__rope rotary_emb[HFM__ROPE_NONE];
} hfm__decoder;

/* With what all configurations have in common; `activation` is the key of the MLP's. NULL after an error. */
HFM__PRIVATE hfm__decoder *hfm__decoder_make(hfm__builder *b, const char *activation) {
  hfm__decoder *self = HFM__NEW(b, hfm__decoder, 1);
  if (!self) return NULL;
  self->traits = (const hfm__decoder_traits *)b->traits;
  hfm__causal_configure(b, &self->base, "hidden_size");
  self->intermediate_size = hfm__size(b, "intermediate_size");
  self->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  self->num_attention_heads = hfm__size(b, "num_attention_heads");
  self->num_key_value_heads = hfm__size(b, "num_key_value_heads");
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->hidden_act = hfm__activation_key(b, activation);
  self->rms_norm_eps = hfm__epsilon(b, "rms_norm_eps");
  self->head_dim = hfm__head_dim(b, &self->base, self->num_attention_heads);
  if (hfm__ok(b) && self->head_dim > INT32_MAX / self->num_attention_heads)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "head_dim", 0,
                          "'head_dim' is %i, but %i heads of it together must not be more than %d", self->head_dim,
                          self->num_attention_heads, (int)INT32_MAX);
  hfm__divides(b, "num_key_value_heads", self->num_key_value_heads, "num_attention_heads", self->num_attention_heads);
  self->scaling = 1.0 / sqrt((double)self->head_dim);
  self->layers = HFM__NEW(b, hfm__decoder_layer, self->num_hidden_layers);
  return hfm__ok(b) ? self : NULL;
}

/* ---- What configurations work out ---- */

/* Where null stands: as many as there are heads. */
HFM__PRIVATE hfm__config_value hfm__all_heads(const hfm_config *config, int64_t i) {
  (void)i;
  return hfm__config_find(config, "num_attention_heads");
}

HFM__PRIVATE int64_t hfm__layers_of(const hfm_config *config) {
  return HFM__MAX(hfm_config_get_int(config, "num_hidden_layers", 0), 0);
}

HFM__PRIVATE hfm__config_value hfm__layer_type(const hfm_config *config, int is_sliding) {
  return hfm__config_worked_out(config, HFM__JSON_STRING, 0, is_sliding ? "sliding_attention" : "full_attention");
}

/* Qwen's: no window where it isn't used. */
HFM__PRIVATE hfm__config_value hfm__window_in_use(const hfm_config *config, int64_t i) {
  (void)i;
  return hfm__config_worked_out(config, hfm__config_truth(config, "use_sliding_window") ? 0 : HFM__JSON_NULL, 0, NULL);
}

/* ---- Attention ---- */

/* Refuses a list of layers' types that goes on after the last layer; where it is too short is found at that layer. */
HFM__PRIVATE void hfm__check_layer_types(hfm__builder *b, const hfm__decoder *self) {
  const int64_t count = hfm_config_length(b->config, "layer_types");
  if (hfm__ok(b) && count > self->num_hidden_layers)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "layer_types", 0,
                          "'layer_types' is for %i layers, but 'num_hidden_layers' is %i", count,
                          self->num_hidden_layers);
}

/* Is layer i a sliding one? */
HFM__PRIVATE int32_t hfm__is_sliding(hfm__builder *b, int64_t i) {
  const char *type;
  char key[40];
  hfm__text t = hfm__text_to(key, sizeof key);
  hfm__text_format(&t, "layer_types.%i", i);
  type = hfm__string(b, key, NULL);
  if (hfm__ok(b) && !type)
    b->result = hfm__config_wrong(b->config, key, "full_attention or sliding_attention, for every layer", b->error);
  if (type && hfm__equal(type, "attention")) type = "full_attention"; /* its old name */
  if (type && !hfm__equal(type, "sliding_attention") && !hfm__equal(type, "full_attention"))
    hfm__refuse(b, "layer_types", type, "use full_attention or sliding_attention");
  return type && hfm__equal(type, "sliding_attention");
}

/* A window as attention takes it: with is_causal: false it reaches to both sides, and its end counts. */
HFM__PRIVATE int64_t hfm__window(hfm__builder *b, int64_t sliding_window) {
  return hfm__is_causal(b) ? sliding_window : sliding_window + 1;
}

HFM__PRIVATE hfm__mod hfm__decoder_norm(hfm__builder *b, const hfm__decoder *self, const char *name, int64_t size) {
  return self->norm_from_one ? hfm__rms_norm_from_one(b, name, "*RMSNorm", size, self->rms_norm_eps)
                             : hfm__rms_norm(b, name, "*RMSNorm", size, self->rms_norm_eps);
}

HFM__PRIVATE void hfm__decoder_attention_init(hfm__builder *b, const hfm__decoder *self,
                                              hfm__decoder_attention *attention) {
  const int64_t queries = self->num_attention_heads * self->head_dim, keys = self->num_key_value_heads * self->head_dim;
  hfm__begin(b, "self_attn", "*Attention");
  if (self->fused) {
    attention->o_proj = hfm__linear(b, "o_proj", queries, self->base.width, self->o_bias);
    attention->qkv_proj = hfm__linear(b, "qkv_proj", self->base.width, queries + 2 * keys, self->qkv_bias);
    hfm__end(b);
    return;
  }
  attention->q_proj = hfm__linear(b, "q_proj", self->base.width, queries, self->qkv_bias);
  attention->k_proj = hfm__linear(b, "k_proj", self->base.width, keys, self->qkv_bias);
  attention->v_proj = hfm__linear(b, "v_proj", self->base.width, keys, self->qkv_bias);
  attention->o_proj = hfm__linear(b, "o_proj", queries, self->base.width, self->o_bias);
  if (self->qk_norm) {
    const int whole = self->qk_norm == HFM__QK_NORM_WIDTH;
    attention->q_norm = hfm__decoder_norm(b, self, "q_norm", whole ? queries : self->head_dim);
    attention->k_norm = hfm__decoder_norm(b, self, "k_norm", whole ? keys : self->head_dim);
  }
  hfm__end(b);
}

/* `heads` heads of what a fused projection gives, from head `first` on. */
HFM__PRIVATE hfm__val hfm__decoder_heads_from(hfm__builder *b, const hfm__decoder *self, hfm__val qkv, int64_t first,
                                              int64_t heads) {
  const hfm__dim width = hfm__fixed(b, heads * self->head_dim);
  return hfm__split_heads(b, hfm__slice(b, qkv, -1, first * self->head_dim, width), heads);
}

/* A projection's heads, with their norm where there is one. */
HFM__PRIVATE hfm__val hfm__decoder_heads_of(hfm__builder *b, const hfm__decoder *self, hfm__mod projection,
                                            hfm__mod norm, hfm__val x, int64_t heads) {
  hfm__val y = hfm__call(b, projection, x);
  if (norm.id && self->qk_norm == HFM__QK_NORM_WIDTH) y = hfm__call(b, norm, y);
  y = hfm__split_heads(b, y, heads);
  return norm.id && self->qk_norm == HFM__QK_NORM_HEADS ? hfm__call(b, norm, y) : y;
}

/* The attention of layer `index`. */
HFM__PRIVATE hfm__val hfm__decoder_attention_forward(hfm__builder *b, const hfm__decoder *self, int64_t index,
                                                     hfm__val x, const hfm__decoder_call *call) {
  const hfm__decoder_attention *attention = &self->layers[index].self_attn;
  const int64_t heads = self->num_attention_heads, key_heads = self->num_key_value_heads;
  const hfm__val angles = call->angles[attention->rope];
  const hfm__mod no_norm = {0};
  hfm__scores scores;
  hfm__val q, k, v;
  if (self->fused) {
    const hfm__val qkv = hfm__call(b, attention->qkv_proj, x);
    q = hfm__decoder_heads_from(b, self, qkv, 0, heads);
    k = hfm__decoder_heads_from(b, self, qkv, heads, key_heads);
    v = hfm__decoder_heads_from(b, self, qkv, heads + key_heads, key_heads);
  } else {
    q = hfm__decoder_heads_of(b, self, attention->q_proj, attention->q_norm, x, heads);
    k = hfm__decoder_heads_of(b, self, attention->k_proj, attention->k_norm, x, key_heads);
    v = hfm__decoder_heads_of(b, self, attention->v_proj, no_norm, x, key_heads);
  }
  if (angles.id) {
    q = hfm__rotary(b, q, angles);
    k = hfm__rotary(b, k, angles);
  }
  k = hfm__cached(b, index, "key", k);
  v = hfm__cached(b, index, "value", v);
  memset(&scores, 0, sizeof scores);
  scores.scale = self->scaling;
  scores.softcap = self->attn_logit_softcapping;
  scores.keep = call->mask;
  scores.causal = self->base.is_causal;
  scores.window = attention->window;
  return hfm__call(b, attention->o_proj, hfm__attend_by(b, q, k, v, &scores));
}

/* ---- MLP ---- */

HFM__PRIVATE void hfm__decoder_mlp_init(hfm__builder *b, const hfm__decoder *self, hfm__decoder_mlp *mlp) {
  hfm__begin(b, "mlp", "*MLP");
  if (self->fused) {
    mlp->gate_up_proj = hfm__linear(b, "gate_up_proj", self->base.width, 2 * self->intermediate_size, self->mlp_bias);
    mlp->down_proj = hfm__linear(b, "down_proj", self->intermediate_size, self->base.width, self->mlp_bias);
    mlp->act_fn = hfm__activation(b, "activation_fn", self->hidden_act);
    hfm__end(b);
    return;
  }
  mlp->gate_proj = hfm__linear(b, "gate_proj", self->base.width, self->intermediate_size, self->mlp_bias);
  mlp->up_proj = hfm__linear(b, "up_proj", self->base.width, self->intermediate_size, self->mlp_bias);
  mlp->down_proj = hfm__linear(b, "down_proj", self->intermediate_size, self->base.width, self->mlp_bias);
  mlp->act_fn = hfm__activation(b, "act_fn", self->hidden_act);
  hfm__end(b);
}

/* The first half of the last dimension, activated, times the second. */
HFM__PRIVATE hfm__val hfm__decoder_gated(hfm__builder *b, hfm__mod act_fn, hfm__val gate_up) {
  const hfm__dim half = hfm__dim_op(b, HFM__DIM_floordiv, hfm__dim_of(b, gate_up, -1), hfm__fixed(b, 2));
  const hfm__val gate = hfm__call(b, act_fn, hfm__slice(b, gate_up, -1, 0, half));
  return hfm__mul(b, gate, hfm__slice_from(b, gate_up, -1, half, half));
}

HFM__PRIVATE hfm__val hfm__decoder_mlp_forward(hfm__builder *b, const hfm__decoder_mlp *mlp, hfm__val x) {
  hfm__val gate;
  if (mlp->gate_up_proj.id)
    return hfm__call(b, mlp->down_proj, hfm__decoder_gated(b, mlp->act_fn, hfm__call(b, mlp->gate_up_proj, x)));
  gate = hfm__call(b, mlp->act_fn, hfm__call(b, mlp->gate_proj, x));
  return hfm__call(b, mlp->down_proj, hfm__mul(b, gate, hfm__call(b, mlp->up_proj, x)));
}

/* ---- Llama's layer ---- */

/* x and what a block makes of it. */
HFM__PRIVATE hfm__val hfm__decoder_add(hfm__builder *b, const hfm__decoder *self, hfm__val x, hfm__val y) {
  return hfm__add(b, self->residual_scale != 0 ? hfm__scaled(b, y, self->residual_scale) : y, x);
}

HFM__PRIVATE void hfm__decoder_layer_init(hfm__builder *b, hfm__decoder *self, int64_t index) {
  hfm__decoder_layer *layer = &self->layers[index];
  hfm__decoder_attention_init(b, self, &layer->self_attn);
  hfm__decoder_mlp_init(b, self, &layer->mlp);
  layer->input_layernorm = hfm__decoder_norm(b, self, "input_layernorm", self->base.width);
  layer->post_attention_layernorm = hfm__decoder_norm(b, self, "post_attention_layernorm", self->base.width);
}

HFM__PRIVATE hfm__val hfm__decoder_layer_forward(hfm__builder *b, const hfm__decoder *self, int64_t index, hfm__val x,
                                                 const hfm__decoder_call *call) {
  const hfm__decoder_layer *layer = &self->layers[index];
  hfm__val y = hfm__call(b, layer->input_layernorm, x);
  x = hfm__decoder_add(b, self, x, hfm__decoder_attention_forward(b, self, index, y, call));
  y = hfm__call(b, layer->post_attention_layernorm, x);
  return hfm__decoder_add(b, self, x, hfm__decoder_mlp_forward(b, &layer->mlp, y));
}

/* ---- The model around the layers ---- */

/* Does a layer have this one? */
HFM__PRIVATE int hfm__decoder_uses_rope(const hfm__decoder *self, int32_t rope) {
  for (int64_t i = 0; i < self->num_hidden_layers; i++)
    if (self->layers[i].self_attn.rope == rope) return 1;
  return 0;
}

/* The model's, or one for each type of layer that there is. */
HFM__PRIVATE void hfm__decoder_ropes_init(hfm__builder *b, hfm__decoder *self) {
  hfm__describe(b, hfm__begin(b, "rotary_emb", "*RotaryEmbedding"), "");
  for (int32_t i = HFM__ROPE_FULL; i < HFM__ROPE_NONE && hfm__ok(b); i++) {
    const hfm__rope_source *source = &self->rope_sources[i];
    if (source->layer_type ? hfm__decoder_uses_rope(self, i) : i == HFM__ROPE_FULL)
      hfm__rope_read(b, &self->rotary_emb[i], source, self->head_dim, self->max_position_embeddings);
  }
  hfm__end(b);
}

HFM__PRIVATE void hfm__decoder_model_init(hfm__builder *b, hfm__causal *base) {
  hfm__decoder *self = (hfm__decoder *)base;
  base->words =
      self->embed_scale != 0
          ? hfm__scaled_embedding(b, "embed_tokens", "*TextScaledWordEmbedding", base->vocab_size, base->width,
                                  base->pad_token_id, self->embed_scale)
          : hfm__embedding(b, "embed_tokens", base->vocab_size, base->width, base->pad_token_id);
  hfm__begin_list(b, "layers");
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "*DecoderLayer");
    self->traits->layer->init(b, self, i);
    hfm__end(b);
  }
  hfm__end(b);
  self->norm = hfm__decoder_norm(b, self, "norm", self->base.width);
  hfm__decoder_ropes_init(b, self);
}

/* RoPE has no table to run out of: lengths beyond max_position_embeddings are allowed, as in Transformers. */
HFM__PRIVATE hfm__val hfm__decoder_model_forward(hfm__builder *b, const hfm__causal *base) {
  const hfm__decoder *self = (const hfm__decoder *)base;
  hfm__val x = hfm__word_embeddings(b, base->words, base->vocab_size, base->width), y;
  const hfm__val positions = hfm__position_ids(b, 0, 0);
  hfm__decoder_call call;
  memset(&call, 0, sizeof call);
  for (int32_t i = HFM__ROPE_FULL; i < HFM__ROPE_NONE; i++)
    if (hfm__decoder_uses_rope(self, i)) call.angles[i] = hfm__rope_angles(b, &self->rotary_emb[i], positions);
  call.mask = hfm__decoder_mask(b, positions);
  if (self->input_scale != 0) x = hfm__scaled(b, x, self->input_scale);
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__hidden_state(b, x);
    x = self->traits->layer->forward(b, self, i, x, &call);
  }
  y = hfm__call(b, self->norm, x);
  hfm__last_hidden_state(b, x, y, 1);
  return y;
}

/* What becomes of the logits. */
HFM__PRIVATE hfm__val hfm__decoder_logits(hfm__builder *b, const hfm__causal *base, hfm__val x) {
  const hfm__decoder *self = (const hfm__decoder *)base;
  const double cap = self->final_logit_softcapping;
  if (self->logits_scale != 0) x = hfm__scaled(b, x, self->logits_scale);
  if (cap != 0) x = hfm__scaled(b, hfm__activate(b, HFM__ACT_tanh, hfm__scaled(b, x, 1 / cap)), cap);
  return x;
}

/* hfm__decoder_traits of a family with hfm__X_configure and hfm__X_layer. */
#define HFM__DECODER(x, question_base) \
  {{hfm__##x##_configure, hfm__decoder_model_init, hfm__decoder_model_forward, hfm__decoder_logits, "score", \
    question_base, 0}, &hfm__##x##_layer}

static const hfm__family hfm__decoder_family = {"model", HFM__IN_input_ids, hfm__causal_heads, NULL, NULL, NULL};
