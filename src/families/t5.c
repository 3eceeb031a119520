/* ==== families/t5 (private): T5, with mT5 and FLAN ================================================================
   After models/t5/modeling_t5.py: encoder and decoder of the same blocks over one embedding; positions are a bias of
   the scores by distance, which the first block of each side has and all share. */

typedef struct hfm__t5_traits {
  int32_t scales_outputs;
} hfm__t5_traits;

static const hfm__t5_traits hfm__t5_itself = {1}, hfm__mt5_traits = {0};

typedef struct hfm__t5_attention {
  hfm__mod q, k, v, o;
} hfm__t5_attention;

typedef struct hfm__t5_block {
  hfm__t5_attention self, cross; /* cross: in decoders */
  hfm__mod self_norm, cross_norm;
  hfm__mod wi, wi_gate, wo, act, ff_dropout; /* wi_gate: in gated ones the half without activation */
  hfm__mod ff_norm;
  hfm__mod self_dropout, cross_dropout, dropout;
} hfm__t5_block;

/* T5Stack */
typedef struct hfm__t5_stack {
  hfm__mod embed_tokens, final_layer_norm, dropout;
  hfm__par relative_attention_bias;
  hfm__t5_block *block;
  int64_t layers;
} hfm__t5_stack;

typedef struct hfm__t5 {
  int64_t vocab_size, d_model, d_kv, d_ff, num_layers, num_decoder_layers, num_heads, buckets, max_distance;
  double layer_norm_epsilon, initializer_factor;
  int32_t dense_act, gated, scales_outputs;
  const char *dropout_rate;
  hfm__mod shared, lm_head, dense, head_dropout, classifier;
  hfm__sentence_head sentence;
  hfm__t5_stack encoder, decoder;
} hfm__t5;

enum { HFM__T5_MOST = 1 << 16 }; /* a table is made for it, whatever the files hold */

/* What Transformers works out of feed_forward_proj stands in files that it has written, too, and counts for more. */
HFM__PRIVATE void hfm__t5_feed_forward_proj(hfm__builder *b, hfm__t5 *self) {
  const int worked_out = hfm__config_find(b->config, "dense_act_fn").worked_out;
  (void)hfm__string(b, "feed_forward_proj", NULL);
  self->gated = hfm__flag(b, "is_gated_act");
  self->dense_act = hfm__activation_named(b, worked_out ? "feed_forward_proj" : "dense_act_fn",
                                          hfm__string(b, "dense_act_fn", NULL));
}

HFM__PRIVATE hfm__t5 *hfm__t5_new(hfm__builder *b) {
  hfm__t5 *self = HFM__NEW(b, hfm__t5, 1);
  if (!self) return NULL;
  self->scales_outputs = ((const hfm__t5_traits *)b->traits)->scales_outputs && hfm__flag(b, "scale_decoder_outputs");
  self->vocab_size = hfm__size(b, "vocab_size");
  self->d_model = hfm__size(b, "d_model");
  self->d_kv = hfm__size(b, "d_kv");
  self->d_ff = hfm__size(b, "d_ff");
  self->num_layers = hfm__layer_count(b, "num_layers");
  self->num_decoder_layers = hfm__layer_count(b, "num_decoder_layers");
  self->num_heads = hfm__size(b, "num_heads");
  self->buckets = hfm__size(b, "relative_attention_num_buckets");
  self->max_distance = hfm__size(b, "relative_attention_max_distance");
  self->layer_norm_epsilon = hfm__positive(b, "layer_norm_epsilon");
  self->initializer_factor = hfm__positive(b, "initializer_factor");
  self->dropout_rate = hfm__probability(b, "dropout_rate");
  hfm__t5_feed_forward_proj(b, self);
  if (hfm__ok(b) && (self->buckets < 4 || self->max_distance <= self->buckets / 2))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "relative_attention_num_buckets", 0,
                          "relative_attention_num_buckets is %i, relative_attention_max_distance %i, but must be at "
                          "least 4, and more than half of that",
                          self->buckets, self->max_distance);
  if (hfm__ok(b) && self->max_distance > HFM__T5_MOST)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_LIMIT, b->config->file, "relative_attention_max_distance", 0,
                          "relative_attention_max_distance is %i: more than %d is not believable", self->max_distance,
                          (int)HFM__T5_MOST);
  return self;
}

/* Initialised with that deviation times initializer_factor. */
HFM__PRIVATE hfm__mod hfm__t5_spread(hfm__builder *b, const hfm__t5 *self, hfm__mod module, double deviation) {
  if (hfm__ok(b))
    b->tree->parameters[hfm__weight_of(b, module).id].deviation = (float)(self->initializer_factor * deviation);
  return module;
}

/* A Linear without bias; its deviation is 1 / sqrt(fan). */
HFM__PRIVATE hfm__mod hfm__t5_linear(hfm__builder *b, const hfm__t5 *self, const char *name, int64_t in, int64_t out,
                                     int64_t fan) {
  return hfm__t5_spread(b, self, hfm__linear(b, name, in, out, 0), 1 / sqrt((double)fan));
}

HFM__PRIVATE hfm__mod hfm__t5_norm(hfm__builder *b, const hfm__t5 *self, const char *name) {
  const hfm__mod module = hfm__rms_norm(b, name, "*LayerNorm", self->d_model, self->layer_norm_epsilon);
  hfm__describe(b, module, "");
  return module;
}

HFM__PRIVATE void hfm__t5_attention_init(hfm__builder *b, const hfm__t5 *self, const char *name,
                                         hfm__t5_attention *attention, hfm__par *bias) {
  const int64_t inner = self->num_heads * self->d_kv;
  hfm__begin(b, name, "*Attention");
  attention->q = hfm__t5_linear(b, self, "q", self->d_model, inner, self->d_model * self->d_kv);
  attention->k = hfm__t5_linear(b, self, "k", self->d_model, inner, self->d_model);
  attention->v = hfm__t5_linear(b, self, "v", self->d_model, inner, self->d_model);
  attention->o = hfm__t5_linear(b, self, "o", inner, self->d_model, inner);
  if (bias) {
    const hfm__mod table =
        hfm__embedding(b, "relative_attention_bias", self->buckets, self->num_heads, HFM__NO_PADDING);
    *bias = hfm__weight_of(b, hfm__t5_spread(b, self, table, 1 / sqrt((double)self->d_model)));
  }
  hfm__end(b);
}

HFM__PRIVATE void hfm__t5_ff_init(hfm__builder *b, const hfm__t5 *self, hfm__t5_block *block) {
  hfm__begin(b, "DenseReluDense", self->gated ? "*DenseGatedActDense" : "*DenseActDense");
  block->wi = hfm__t5_linear(b, self, self->gated ? "wi_0" : "wi", self->d_model, self->d_ff, self->d_model);
  if (self->gated) block->wi_gate = hfm__t5_linear(b, self, "wi_1", self->d_model, self->d_ff, self->d_model);
  block->wo = hfm__t5_linear(b, self, "wo", self->d_ff, self->d_model, self->d_ff);
  hfm__keep_in_fp32(b, hfm__weight_of(b, block->wo));
  block->ff_dropout = hfm__dropout(b, "dropout", self->dropout_rate);
  block->act = hfm__activation(b, "act", self->dense_act);
  hfm__end(b);
  block->ff_norm = hfm__t5_norm(b, self, "layer_norm");
  block->dropout = hfm__dropout(b, "dropout", self->dropout_rate);
}

/* T5Block: its parts are elements of a ModuleList of their own. */
HFM__PRIVATE void hfm__t5_block_init(hfm__builder *b, const hfm__t5 *self, hfm__t5_block *block, int decodes,
                                     hfm__par *bias) {
  hfm__begin_list(b, "layer");
  hfm__begin_item(b, 0, "*LayerSelfAttention");
  hfm__t5_attention_init(b, self, "SelfAttention", &block->self, bias);
  block->self_norm = hfm__t5_norm(b, self, "layer_norm");
  block->self_dropout = hfm__dropout(b, "dropout", self->dropout_rate);
  hfm__end(b);
  if (decodes) {
    hfm__begin_item(b, 1, "*LayerCrossAttention");
    hfm__t5_attention_init(b, self, "EncDecAttention", &block->cross, NULL);
    block->cross_norm = hfm__t5_norm(b, self, "layer_norm");
    block->cross_dropout = hfm__dropout(b, "dropout", self->dropout_rate);
    hfm__end(b);
  }
  hfm__begin_item(b, decodes ? 2 : 1, "*LayerFF");
  hfm__t5_ff_init(b, self, block);
  hfm__end(b);
  hfm__end(b);
}

HFM__PRIVATE hfm__mod hfm__t5_embedding(hfm__builder *b, const hfm__t5 *self, const char *name) {
  return hfm__t5_spread(b, self, hfm__embedding(b, name, self->vocab_size, self->d_model, HFM__NO_PADDING), 1);
}

HFM__PRIVATE void hfm__t5_stack_init(hfm__builder *b, const hfm__t5 *self, const char *name, hfm__t5_stack *stack,
                                     int64_t layers, int decodes) {
  hfm__begin(b, name, "*Stack");
  stack->embed_tokens = hfm__t5_embedding(b, self, "embed_tokens");
  hfm__tie(b, hfm__weight_of(b, stack->embed_tokens), hfm__weight_of(b, self->shared));
  stack->layers = layers;
  stack->block = HFM__NEW(b, hfm__t5_block, layers);
  hfm__begin_list(b, "block");
  for (int64_t i = 0; i < layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "*Block");
    hfm__t5_block_init(b, self, &stack->block[i], decodes, i == 0 ? &stack->relative_attention_bias : NULL);
    hfm__end(b);
  }
  hfm__end(b);
  stack->final_layer_norm = hfm__t5_norm(b, self, "final_layer_norm");
  stack->dropout = hfm__dropout(b, "dropout", self->dropout_rate);
  hfm__end(b);
}

HFM__PRIVATE void hfm__t5_model_init(hfm__builder *b, hfm__t5 *self, int decodes) {
  self->shared = hfm__t5_embedding(b, self, "shared");
  hfm__t5_stack_init(b, self, "encoder", &self->encoder, self->num_layers, 0);
  if (decodes) hfm__t5_stack_init(b, self, "decoder", &self->decoder, self->num_decoder_layers, 1);
  else if (hfm__ok(b)) b->tree->left_out = "decoder";
}

/* ---- Forward ---- */

/* Attention of x's queries; the bias, if any, is by distance. No scaling: it is part of the initialisation. */
HFM__PRIVATE hfm__val hfm__t5_attend(hfm__builder *b, const hfm__t5 *self, const hfm__t5_attention *attention,
                                     hfm__val x, hfm__val k, hfm__val v, const hfm__scores *rule) {
  const hfm__val q = hfm__split_heads(b, hfm__call(b, attention->q, x), self->num_heads);
  return hfm__call(b, attention->o, hfm__attend_by(b, q, k, v, rule));
}

HFM__PRIVATE hfm__val hfm__t5_heads_of(hfm__builder *b, const hfm__t5 *self, hfm__mod projection, hfm__val x) {
  return x.id ? hfm__split_heads(b, hfm__call(b, projection, x), self->num_heads) : x;
}

HFM__PRIVATE hfm__val hfm__t5_feed_forward(hfm__builder *b, const hfm__t5_block *block, hfm__val x) {
  hfm__val y = hfm__call(b, block->act, hfm__call(b, block->wi, x));
  if (block->wi_gate.id) y = hfm__mul(b, y, hfm__call(b, block->wi_gate, x));
  return hfm__call(b, block->wo, hfm__call(b, block->ff_dropout, y));
}

/* One side over its words. `encoded` is what its cross attention looks at, if it has any: no value where
   that is in the cache. */
HFM__PRIVATE hfm__val hfm__t5_stack_forward(hfm__builder *b, const hfm__t5 *self, const hfm__t5_stack *stack,
                                            hfm__val x, hfm__val encoded, hfm__val encoded_mask) {
  const int decodes = stack == &self->decoder;
  hfm__scores own, cross;
  hfm__val y;
  memset(&own, 0, sizeof own);
  own.scale = 1;
  own.causal = decodes && hfm__is_causal(b);
  own.keep = hfm__input_mask(b);
  if (stack->layers) /* the first layer's, which all share */
    own.bias = hfm__relative_bias(b, stack->relative_attention_bias, self->num_heads, decodes, self->max_distance);
  memset(&cross, 0, sizeof cross);
  cross.scale = 1;
  cross.keep = encoded_mask;
  cross.recorded = HFM__OUT_cross_attentions;
  for (int64_t i = 0; i < stack->layers && hfm__ok(b); i++) {
    const hfm__t5_block *block = &stack->block[i];
    hfm__val k, v;
    hfm__hidden_state(b, x);
    y = hfm__call(b, block->self_norm, x);
    k = hfm__t5_heads_of(b, self, block->self.k, y);
    v = hfm__t5_heads_of(b, self, block->self.v, y);
    if (decodes) k = hfm__cached(b, i, "decoder.key", k);
    if (decodes) v = hfm__cached(b, i, "decoder.value", v);
    x = hfm__add(b, hfm__t5_attend(b, self, &block->self, y, k, v, &own), x);
    if (decodes) {
      y = hfm__call(b, block->cross_norm, x);
      k = hfm__t5_heads_of(b, self, block->cross.k, encoded);
      v = hfm__t5_heads_of(b, self, block->cross.v, encoded);
      k = hfm__cached_once(b, i, "encoder.key", k, self->num_heads, self->d_kv);
      v = hfm__cached_once(b, i, "encoder.value", v, self->num_heads, self->d_kv);
      x = hfm__add(b, hfm__t5_attend(b, self, &block->cross, y, k, v, &cross), x);
    }
    y = hfm__t5_feed_forward(b, block, hfm__call(b, block->ff_norm, x));
    x = hfm__add(b, y, x);
  }
  y = hfm__call(b, stack->final_layer_norm, x);
  hfm__last_hidden_state(b, x, y, 1);
  return y;
}

HFM__PRIVATE hfm__val hfm__t5_encode(hfm__builder *b, const hfm__t5 *self) {
  const hfm__val x = hfm__word_embeddings(b, self->encoder.embed_tokens, self->vocab_size, self->d_model);
  return hfm__t5_stack_forward(b, self, &self->encoder, x, hfm__no_value, hfm__no_value);
}

/* Encodes, unless an earlier call has left the text in the cache (then *encoded is no value), and decodes. */
HFM__PRIVATE hfm__val hfm__t5_model_forward(hfm__builder *b, const hfm__t5 *self, int32_t shift, hfm__val *encoded) {
  hfm__val x, mask;
  b->side = &hfm__encoder_side;
  *encoded = hfm__encodes(b) ? hfm__t5_encode(b, self) : hfm__no_value;
  mask = hfm__input_mask(b);
  x = hfm__decoder_begin(b, shift, self->decoder.embed_tokens, self->vocab_size, self->d_model);
  return hfm__t5_stack_forward(b, self, &self->decoder, x, *encoded, mask);
}

/* ---- Heads ---- */

HFM__PRIVATE void *hfm__t5_base_init(hfm__builder *b) {
  hfm__t5 *self = hfm__t5_new(b);
  if (self) hfm__t5_model_init(b, self, 1);
  return self;
}
HFM__PRIVATE void hfm__t5_base_forward(hfm__builder *b, const void *model) {
  hfm__val encoded;
  hfm__output(b, HFM__OUT_last_hidden_state,
              hfm__t5_model_forward(b, (const hfm__t5 *)model, HFM__SHIFT_NONE, &encoded));
  hfm__encoder_output(b, encoded);
}

HFM__PRIVATE void *hfm__t5_encoder_init(hfm__builder *b) {
  hfm__t5 *self = hfm__t5_new(b);
  if (self) hfm__t5_model_init(b, self, 0);
  return self;
}
HFM__PRIVATE void hfm__t5_encoder_forward(hfm__builder *b, const void *model) {
  hfm__output(b, HFM__OUT_last_hidden_state, hfm__t5_encode(b, (const hfm__t5 *)model));
}

HFM__PRIVATE void *hfm__t5_generation_init(hfm__builder *b) {
  hfm__t5 *self = hfm__t5_new(b);
  if (!self) return NULL;
  hfm__t5_model_init(b, self, 1);
  self->lm_head = hfm__t5_spread(b, self, hfm__linear(b, "lm_head", self->d_model, self->vocab_size, 0), 1);
  hfm__tie(b, hfm__weight_of(b, self->lm_head), hfm__weight_of(b, self->shared));
  return self;
}
HFM__PRIVATE void hfm__t5_generation_forward(hfm__builder *b, const void *model) {
  const hfm__t5 *self = (const hfm__t5 *)model;
  hfm__val encoded, x = hfm__kept_positions(b, hfm__t5_model_forward(b, self, HFM__SHIFT_NONE, &encoded));
  if (self->scales_outputs) x = hfm__scaled(b, x, 1 / sqrt((double)self->d_model));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->lm_head, x));
  hfm__encoder_output(b, encoded);
}

HFM__PRIVATE void *hfm__t5_token_init(hfm__builder *b) {
  hfm__t5 *self = hfm__t5_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*EncoderModel");
  hfm__t5_model_init(b, self, 0);
  hfm__end(b);
  self->head_dropout = hfm__dropout(b, "dropout", hfm__probability(b, "classifier_dropout"));
  self->classifier = hfm__t5_spread(b, self, hfm__linear(b, "classifier", self->d_model, hfm__labels(b), 1), 1);
  return self;
}
HFM__PRIVATE void hfm__t5_token_forward(hfm__builder *b, const void *model) {
  const hfm__t5 *self = (const hfm__t5 *)model;
  hfm__output(b, HFM__OUT_logits,
              hfm__call(b, self->classifier, hfm__call(b, self->head_dropout, hfm__t5_encode(b, self))));
}

HFM__PRIVATE void *hfm__t5_question_init(hfm__builder *b) {
  hfm__t5 *self = hfm__t5_new(b);
  if (!self) return NULL;
  hfm__t5_model_init(b, self, 1);
  self->classifier = hfm__t5_spread(b, self, hfm__linear(b, "qa_outputs", self->d_model, hfm__labels(b), 1),
                                    1 / sqrt((double)self->d_model));
  return self;
}
HFM__PRIVATE void hfm__t5_question_forward(hfm__builder *b, const void *model) {
  const hfm__t5 *self = (const hfm__t5 *)model;
  hfm__val encoded;
  hfm__span_outputs(b, hfm__call(b, self->classifier, hfm__t5_model_forward(b, self, HFM__SHIFT_START, &encoded)));
  hfm__encoder_output(b, encoded);
}

HFM__PRIVATE void *hfm__t5_sequence_init(hfm__builder *b) {
  hfm__t5 *self = hfm__t5_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*Model");
  hfm__t5_model_init(b, self, 1);
  hfm__end(b);
  hfm__sentence_head_init(b, &self->sentence, self->d_model);
  hfm__t5_spread(b, self, self->sentence.dense, 1 / sqrt((double)self->d_model));
  hfm__t5_spread(b, self, self->sentence.out_proj, 1 / sqrt((double)self->d_model));
  return self;
}
HFM__PRIVATE void hfm__t5_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__t5 *self = (const hfm__t5 *)model;
  hfm__val encoded, x = hfm__t5_model_forward(b, self, HFM__SHIFT_START, &encoded);
  hfm__sentence_outputs(b, &self->sentence, hfm__sentence_end(b, x, self->vocab_size));
  hfm__encoder_output(b, encoded);
}

static const hfm__head hfm__t5_heads[] = {
    {HFM_BASE, "Model", hfm__t5_base_init, hfm__t5_base_forward},
    {HFM_BASE, "EncoderModel", hfm__t5_encoder_init, hfm__t5_encoder_forward},
    {HFM_SEQ2SEQ_LM, "ForConditionalGeneration", hfm__t5_generation_init, hfm__t5_generation_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__t5_sequence_init, hfm__t5_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__t5_token_init, hfm__t5_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__t5_question_init, hfm__t5_question_forward},
    {0, NULL, NULL, NULL}};

static const char *const hfm__t5_ignored[] = {
    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", NULL}; /* of old files */

static const hfm__family hfm__t5_family = {"transformer", HFM__IN_input_ids, hfm__t5_heads, NULL, hfm__t5_ignored,
                                           NULL};

/* ---- Configuration classes ---- */

static const hfm__config_pair hfm__t5_aliases[] = {{"hidden_size", "d_model"}, {"num_attention_heads", "num_heads"},
                                                   {"num_hidden_layers", "num_layers"}, {"head_dim", "d_kv"},
                                                   {NULL, NULL}};

static const hfm__config_pair hfm__t5_defaults[] = {
  {"classifier_dropout", "0.0"}, {"d_ff", "2048"}, {"d_kv", "64"}, {"d_model", "512"}, {"dropout_rate", "0.1"},
  {"eos_token_id", "1"}, {"feed_forward_proj", "\"relu\""}, {"initializer_factor", "1.0"}, {"is_decoder", "false"},
  {"is_encoder_decoder", "true"}, {"layer_norm_epsilon", "1e-06"}, {"num_decoder_layers", "\"=num_layers\""},
  {"num_heads", "8"}, {"num_layers", "6"}, {"pad_token_id", "0"}, {"relative_attention_max_distance", "128"},
  {"relative_attention_num_buckets", "32"}, {"tie_word_embeddings", "true"}, {"use_cache", "true"},
  {"vocab_size", "32128"}, {NULL, NULL}};

static const hfm__config_pair hfm__mt5_defaults[] = {
  {"classifier_dropout", "0.0"}, {"d_ff", "1024"}, {"d_kv", "64"}, {"d_model", "512"}, {"decoder_start_token_id", "0"},
  {"dropout_rate", "0.1"}, {"eos_token_id", "1"}, {"feed_forward_proj", "\"gated-gelu\""},
  {"initializer_factor", "1.0"}, {"is_decoder", "false"}, {"is_encoder_decoder", "true"},
  {"layer_norm_epsilon", "1e-06"}, {"num_decoder_layers", "\"=num_layers\""}, {"num_heads", "6"}, {"num_layers", "8"},
  {"pad_token_id", "0"}, {"relative_attention_max_distance", "128"}, {"relative_attention_num_buckets", "32"},
  {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "250112"}, {NULL, NULL}};

/* feed_forward_proj is "relu", or "gated-" and an activation; gated-gelu means gelu_new. */
HFM__PRIVATE hfm__config_value hfm__t5_is_gated_act(const hfm_config *config, int64_t i) {
  const char *name = hfm_config_get_string(config, "feed_forward_proj", "relu");
  (void)i;
  return hfm__config_worked_out(config, HFM__JSON_BOOL, hfm__starts_with(name, "gated-"), NULL);
}

HFM__PRIVATE hfm__config_value hfm__t5_dense_act_fn(const hfm_config *config, int64_t i) {
  const char *name = hfm_config_get_string(config, "feed_forward_proj", "relu");
  (void)i;
  if (hfm__starts_with(name, "gated-")) name = hfm__equal(name, "gated-gelu") ? "gelu_new" : name + 6;
  return hfm__config_worked_out(config, HFM__JSON_STRING, 0, name);
}

/* Embeddings are tied whatever the file says; what it says means that outputs are not scaled. */
HFM__PRIVATE hfm__config_value hfm__t5_tie_word_embeddings(const hfm_config *config, int64_t i) {
  (void)i;
  return hfm__config_worked_out(config, HFM__JSON_BOOL, 1, NULL);
}

HFM__PRIVATE hfm__config_value hfm__t5_scale_decoder_outputs(const hfm_config *config, int64_t i) {
  const hfm__config_value said = hfm__config_said(config, "tie_word_embeddings");
  int32_t tied = 1;
  (void)hfm__value_bool(&said, &tied);
  (void)i;
  return hfm__config_worked_out(config, HFM__JSON_BOOL, tied, NULL);
}

static const hfm__config_rule hfm__t5_rules[] = {{"scale_decoder_outputs", 0, NULL, hfm__t5_scale_decoder_outputs},
                                                 {"tie_word_embeddings", 1, NULL, hfm__t5_tie_word_embeddings},
                                                 {"is_gated_act", 0, NULL, hfm__t5_is_gated_act},
                                                 {"dense_act_fn", 0, NULL, hfm__t5_dense_act_fn},
                                                 {NULL, 0, NULL, NULL}};

static const hfm__config_class hfm__t5_config_class = {hfm__t5_aliases, hfm__t5_defaults, NULL, hfm__t5_rules};
static const hfm__config_class hfm__mt5_config_class = {
    hfm__t5_aliases, hfm__mt5_defaults, NULL, hfm__t5_rules + 1 /* outputs are never scaled */};
