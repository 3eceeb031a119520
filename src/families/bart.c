/* ==== families/bart (private): BART, and with it mBART, Marian, PEGASUS and M2M-100 ===============================
   After models/bart/modeling_bart.py, whose layers the others have, too: encoder and decoder over one embedding. They
   differ in their positions, in where the norms are, and in what the decoder gets where it is given nothing. */

/* What is added to words. */
enum {
  HFM__BART_LEARNED, /* rows of a table that has two more before that of position 0 */
  HFM__BART_STATIC,  /* rows of a table of sines and cosines, which files may hold */
  HFM__BART_COMPUTED /* sines and cosines, of any length; what is not padding is counted, from pad_token_id on */
};

typedef struct hfm__bart_traits {
  int32_t positions;             /* HFM__BART_... */
  int32_t norm_first;            /* norms before attention and MLP, and one after all layers; or after each of them */
  int32_t layernorm_embedding;   /* one after the embeddings */
  int32_t scaled_words;          /* scaling is the embedding's; or the forward's, that of decoder_inputs_embeds, too */
  int32_t shift;                 /* HFM__SHIFT_... */
  int32_t final_logits_bias;
  int32_t may_have_vocabularies; /* two of them, if share_encoder_decoder_embeddings says no */
} hfm__bart_traits;

static const hfm__bart_traits hfm__bart_itself = {HFM__BART_LEARNED, 0, 1, 1, HFM__SHIFT_START, 1, 0};
static const hfm__bart_traits hfm__mbart_traits = {HFM__BART_LEARNED, 1, 1, 1, HFM__SHIFT_WRAPPED, 1, 0};
static const hfm__bart_traits hfm__marian_traits = {HFM__BART_STATIC, 0, 0, 0, HFM__SHIFT_NONE, 1, 1};
static const hfm__bart_traits hfm__pegasus_traits = {HFM__BART_STATIC, 1, 0, 0, HFM__SHIFT_NONE, 1, 0};
static const hfm__bart_traits hfm__m2m_100_traits = {HFM__BART_COMPUTED, 1, 0, 1, HFM__SHIFT_NONE, 0, 0};

typedef struct hfm__bart_attention {
  hfm__mod k_proj, v_proj, q_proj, out_proj;
} hfm__bart_attention;

typedef struct hfm__bart_layer {
  hfm__bart_attention self_attn, encoder_attn; /* encoder_attn: in decoders */
  hfm__mod self_attn_layer_norm, encoder_attn_layer_norm, activation_fn, fc1, fc2, final_layer_norm;
} hfm__bart_layer;

typedef struct hfm__bart_stack {
  int64_t vocab_size, layer_count, heads, ffn_dim;
  hfm__mod embed_tokens, embed_positions, layernorm_embedding, layer_norm;
  hfm__bart_layer *layers;
} hfm__bart_stack;

typedef struct hfm__bart {
  const hfm__bart_traits *traits;
  int64_t vocab_size, d_model, max_position_embeddings, pad_token_id;
  int32_t activation_function, scale_embedding, shares; /* shares: both sides have one embedding */
  float *frequencies;                                   /* of computed positions */
  hfm__mod shared, lm_head, qa_outputs;
  hfm__par final_logits_bias;
  hfm__sentence_head sentence;
  hfm__bart_stack encoder, decoder;
} hfm__bart;

enum { HFM__BART_FIRST_POSITION = 2 }; /* two rows come before that of position 0 */

/* Two vocabularies, of which the decoder's may have a size of its own. */
HFM__PRIVATE void hfm__bart_vocabularies(hfm__builder *b, hfm__bart *self) {
  self->vocab_size = self->encoder.vocab_size = self->decoder.vocab_size = hfm__size(b, "vocab_size");
  self->shares = 1;
  if (!self->traits->may_have_vocabularies) return;
  self->shares = hfm__flag(b, "share_encoder_decoder_embeddings");
  self->decoder.vocab_size = hfm__size_or(b, "decoder_vocab_size", self->vocab_size);
  if (hfm__ok(b) && self->shares && self->decoder.vocab_size != self->vocab_size && hfm__flag(b, "tie_word_embeddings"))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "decoder_vocab_size", 0,
                          "decoder_vocab_size is %i, vocab_size %i, but embeddings that are shared and tied have one "
                          "size",
                          self->decoder.vocab_size, self->vocab_size);
}

/* Computed positions begin after padding's, and have at least two frequencies. */
HFM__PRIVATE void hfm__bart_check_computed(hfm__builder *b, const hfm__bart *self) {
  int64_t pad = 0;
  if (hfm__ok(b))
    b->result = hfm__config_need_int(b->config, "pad_token_id", 0, self->vocab_size - 1, &pad, b->error);
  if (hfm__ok(b) && self->d_model < 4)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "d_model", 0,
                          "d_model is %i, but positions of sines and cosines need at least 4", self->d_model);
}

HFM__PRIVATE hfm__bart *hfm__bart_new(hfm__builder *b) {
  hfm__bart *self = HFM__NEW(b, hfm__bart, 1);
  if (!self) return NULL;
  self->traits = (const hfm__bart_traits *)b->traits;
  hfm__bart_vocabularies(b, self);
  self->d_model = hfm__size(b, "d_model");
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->pad_token_id = hfm__padding_id(b);
  self->activation_function = hfm__activation_key(b, "activation_function");
  self->scale_embedding = hfm__flag(b, "scale_embedding");
  self->encoder.layer_count = hfm__layer_count(b, "encoder_layers");
  self->encoder.heads = hfm__size(b, "encoder_attention_heads");
  self->encoder.ffn_dim = hfm__size(b, "encoder_ffn_dim");
  self->decoder.layer_count = hfm__layer_count(b, "decoder_layers");
  self->decoder.heads = hfm__size(b, "decoder_attention_heads");
  self->decoder.ffn_dim = hfm__size(b, "decoder_ffn_dim");
  if (self->traits->positions == HFM__BART_COMPUTED) hfm__bart_check_computed(b, self);
  hfm__divides(b, "encoder_attention_heads", self->encoder.heads, "d_model", self->d_model);
  hfm__divides(b, "decoder_attention_heads", self->decoder.heads, "d_model", self->d_model);
  return self;
}

HFM__PRIVATE void hfm__bart_attention_init(hfm__builder *b, const char *name, hfm__bart_attention *attention,
                                           int64_t size) {
  hfm__begin(b, name, "*Attention");
  attention->k_proj = hfm__linear(b, "k_proj", size, size, 1);
  attention->v_proj = hfm__linear(b, "v_proj", size, size, 1);
  attention->q_proj = hfm__linear(b, "q_proj", size, size, 1);
  attention->out_proj = hfm__linear(b, "out_proj", size, size, 1);
  hfm__end(b);
}

HFM__PRIVATE hfm__mod hfm__bart_norm(hfm__builder *b, const hfm__bart *self, const char *name) {
  return hfm__layer_norm(b, name, self->d_model, 1e-5);
}

HFM__PRIVATE void hfm__bart_layer_init(hfm__builder *b, const hfm__bart *self, hfm__bart_layer *layer, int decodes,
                                       int64_t ffn_dim) {
  hfm__bart_attention_init(b, "self_attn", &layer->self_attn, self->d_model);
  if (decodes) {
    layer->activation_fn = hfm__activation(b, "activation_fn", self->activation_function);
    layer->self_attn_layer_norm = hfm__bart_norm(b, self, "self_attn_layer_norm");
    hfm__bart_attention_init(b, "encoder_attn", &layer->encoder_attn, self->d_model);
    layer->encoder_attn_layer_norm = hfm__bart_norm(b, self, "encoder_attn_layer_norm");
  } else {
    layer->self_attn_layer_norm = hfm__bart_norm(b, self, "self_attn_layer_norm");
    layer->activation_fn = hfm__activation(b, "activation_fn", self->activation_function);
  }
  layer->fc1 = hfm__linear(b, "fc1", self->d_model, ffn_dim, 1);
  layer->fc2 = hfm__linear(b, "fc2", ffn_dim, self->d_model, 1);
  layer->final_layer_norm = hfm__bart_norm(b, self, "final_layer_norm");
}

HFM__PRIVATE hfm__mod hfm__bart_words(hfm__builder *b, const hfm__bart *self, const char *name, int64_t vocab_size) {
  const hfm__mod module = hfm__embedding(b, name, vocab_size, self->d_model, self->pad_token_id);
  return self->traits->scaled_words ? hfm__as_class(b, module, "*ScaledWordEmbedding") : module;
}

HFM__PRIVATE hfm__mod hfm__bart_positions(hfm__builder *b, const hfm__bart *self) {
  const char *name = "embed_positions", *sinusoidal = "*SinusoidalPositionalEmbedding";
  const int learned = self->traits->positions == HFM__BART_LEARNED;
  const int64_t rows = self->max_position_embeddings + HFM__BART_FIRST_POSITION;
  hfm__mod module;
  if (self->traits->positions == HFM__BART_COMPUTED) {
    module = hfm__begin(b, name, sinusoidal);
    hfm__describe(b, module, "");
    hfm__buffer_add(b, "weights", HFM_DTYPE_AUTO, rows * self->d_model); /* the table that Transformers begins with */
    hfm__end(b);
    return module;
  }
  module = hfm__embedding(b, name, learned ? rows : self->max_position_embeddings, self->d_model, HFM__NO_PADDING);
  if (!hfm__ok(b)) return module;
  if (learned) b->tree->modules[module.id].attrs.first_row = HFM__BART_FIRST_POSITION;
  else b->tree->parameters[hfm__weight_of(b, module).id].init = HFM__INIT_SINUSOIDAL_HALVES;
  return hfm__as_class(b, module, learned ? "*LearnedPositionalEmbedding" : sinusoidal);
}

/* 10000^(-i / (size / 2 - 1)), with torch's roundings. */
HFM__PRIVATE void hfm__bart_frequencies(hfm__builder *b, hfm__bart *self) {
  const int64_t half = self->d_model / 2;
  const float step = (float)-(hfm__exact_log(10000.0) / (double)(half - 1));
  self->frequencies = HFM__NEW(b, float, half);
  for (int64_t i = 0; i < half && hfm__ok(b); i++)
    self->frequencies[i] = (float)hfm__exact_exp((double)(float)((float)i * step));
}

HFM__PRIVATE void hfm__bart_stack_init(hfm__builder *b, const hfm__bart *self, hfm__bart_stack *stack) {
  const int decodes = stack == &self->decoder;
  hfm__begin(b, decodes ? "decoder" : "encoder", decodes ? "*Decoder" : "*Encoder");
  stack->embed_tokens = hfm__bart_words(b, self, "embed_tokens", stack->vocab_size);
  stack->embed_positions = hfm__bart_positions(b, self);
  stack->layers = HFM__NEW(b, hfm__bart_layer, stack->layer_count);
  hfm__begin_list(b, "layers");
  for (int64_t i = 0; i < stack->layer_count && hfm__ok(b); i++) {
    hfm__begin_item(b, i, decodes ? "*DecoderLayer" : "*EncoderLayer");
    hfm__bart_layer_init(b, self, &stack->layers[i], decodes, stack->ffn_dim);
    hfm__end(b);
  }
  hfm__end(b);
  if (self->traits->layernorm_embedding) stack->layernorm_embedding = hfm__bart_norm(b, self, "layernorm_embedding");
  if (self->traits->norm_first) stack->layer_norm = hfm__bart_norm(b, self, "layer_norm");
  hfm__end(b);
}

HFM__PRIVATE void hfm__bart_model_init(hfm__builder *b, hfm__bart *self) {
  if (self->shares) self->shared = hfm__bart_words(b, self, "shared", self->vocab_size);
  hfm__bart_stack_init(b, self, &self->encoder);
  hfm__bart_stack_init(b, self, &self->decoder);
  if (self->traits->positions == HFM__BART_COMPUTED) hfm__bart_frequencies(b, self);
}

/* Shared embeddings. A head that has the words' is first. */
HFM__PRIVATE void hfm__bart_tie(hfm__builder *b, const hfm__bart *self) {
  const hfm__par source = hfm__weight_of(b, self->shares ? self->shared : self->decoder.embed_tokens);
  if (self->lm_head.id) hfm__tie_embeddings(b, hfm__weight_of(b, self->lm_head), source);
  if (!self->shares) return;
  hfm__tie_embeddings(b, hfm__weight_of(b, self->decoder.embed_tokens), source);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->encoder.embed_tokens), source);
}

/* ---- Forward ---- */

HFM__PRIVATE hfm__val hfm__bart_heads_of(hfm__builder *b, const hfm__bart_stack *stack, hfm__mod projection,
                                         hfm__val x) {
  return x.id ? hfm__split_heads(b, hfm__call(b, projection, x), stack->heads) : x;
}

HFM__PRIVATE hfm__val hfm__bart_attend(hfm__builder *b, const hfm__bart_stack *stack,
                                       const hfm__bart_attention *attention, hfm__val x, hfm__val k, hfm__val v,
                                       const hfm__scores *rule) {
  const hfm__val q = hfm__bart_heads_of(b, stack, attention->q_proj, x);
  return hfm__call(b, attention->out_proj, hfm__attend_by(b, q, k, v, rule));
}

/* The keys and values of the decoder's own text, with the cached ones, or of the encoder's. */
HFM__PRIVATE hfm__val hfm__bart_self(hfm__builder *b, const hfm__bart *self, const hfm__bart_stack *stack, int64_t i,
                                     hfm__val x, const hfm__scores *rule) {
  const hfm__bart_attention *attention = &stack->layers[i].self_attn;
  hfm__val k = hfm__bart_heads_of(b, stack, attention->k_proj, x);
  hfm__val v = hfm__bart_heads_of(b, stack, attention->v_proj, x);
  if (stack == &self->decoder) k = hfm__cached(b, i, "decoder.key", k);
  if (stack == &self->decoder) v = hfm__cached(b, i, "decoder.value", v);
  return hfm__bart_attend(b, stack, attention, x, k, v, rule);
}

HFM__PRIVATE hfm__val hfm__bart_cross(hfm__builder *b, const hfm__bart *self, int64_t i, hfm__val x, hfm__val encoded,
                                      const hfm__scores *rule) {
  const hfm__bart_stack *stack = &self->decoder;
  const hfm__bart_attention *attention = &stack->layers[i].encoder_attn;
  const int64_t head = self->d_model / stack->heads;
  hfm__val k = hfm__bart_heads_of(b, stack, attention->k_proj, encoded);
  hfm__val v = hfm__bart_heads_of(b, stack, attention->v_proj, encoded);
  k = hfm__cached_once(b, i, "encoder.key", k, stack->heads, head);
  v = hfm__cached_once(b, i, "encoder.value", v, stack->heads, head);
  return hfm__bart_attend(b, stack, attention, x, k, v, rule);
}

HFM__PRIVATE hfm__val hfm__bart_embed_positions(hfm__builder *b, const hfm__bart *self, const hfm__bart_stack *stack) {
  const int32_t ids = b->side->ids;
  hfm__val positions;
  if (self->traits->positions != HFM__BART_COMPUTED)
    return hfm__call(b, stack->embed_positions, hfm__counted_positions(b, self->max_position_embeddings, 0));
  positions = hfm__given(b, b->side->embeds)
                  ? hfm__counted_positions(b, 0, self->pad_token_id + 1)
                  : hfm__padded_positions(b, hfm__input_ids(b, ids, stack->vocab_size, "vocab_size"),
                                          self->pad_token_id);
  if (!hfm__ok(b)) return positions;
  return hfm__sinusoids(b, positions, self->frequencies, self->d_model, self->pad_token_id,
                        b->tree->parameters[hfm__weight_of(b, self->shared).id].dtype);
}

/* x goes into attention or an MLP, and y comes out of it. */
HFM__PRIVATE hfm__val hfm__bart_before(hfm__builder *b, const hfm__bart *self, hfm__mod norm, hfm__val x) {
  return self->traits->norm_first ? hfm__call(b, norm, x) : x;
}
HFM__PRIVATE hfm__val hfm__bart_after(hfm__builder *b, const hfm__bart *self, hfm__mod norm, hfm__val x, hfm__val y) {
  x = hfm__add(b, y, x);
  return self->traits->norm_first ? x : hfm__call(b, norm, x);
}

/* One side over its words. `encoded` is what its cross attention looks at, if it has any: no value where that is in the
   cache. */
HFM__PRIVATE hfm__val hfm__bart_stack_forward(hfm__builder *b, const hfm__bart *self, const hfm__bart_stack *stack,
                                              hfm__val x, hfm__val encoded, hfm__val encoded_mask) {
  const int decodes = stack == &self->decoder;
  const int scales_given = decodes && !self->traits->scaled_words;
  hfm__scores own, cross;
  hfm__val y;
  if (self->scale_embedding && (scales_given || !hfm__given(b, b->side->embeds)))
    x = hfm__scaled(b, x, sqrt((double)self->d_model));
  memset(&own, 0, sizeof own);
  own.scale = 1 / sqrt((double)(self->d_model / stack->heads));
  own.causal = decodes && hfm__is_causal(b);
  own.keep = hfm__input_mask(b);
  memset(&cross, 0, sizeof cross);
  cross.scale = own.scale;
  cross.keep = encoded_mask;
  cross.recorded = HFM__OUT_cross_attentions;
  x = hfm__add(b, x, hfm__bart_embed_positions(b, self, stack));
  if (self->traits->layernorm_embedding) x = hfm__call(b, stack->layernorm_embedding, x);
  for (int64_t i = 0; i < stack->layer_count && hfm__ok(b); i++) {
    const hfm__bart_layer *layer = &stack->layers[i];
    hfm__hidden_state(b, x);
    y = hfm__bart_before(b, self, layer->self_attn_layer_norm, x);
    y = hfm__bart_self(b, self, stack, i, y, &own);
    x = hfm__bart_after(b, self, layer->self_attn_layer_norm, x, y);
    if (decodes) {
      y = hfm__bart_before(b, self, layer->encoder_attn_layer_norm, x);
      y = hfm__bart_cross(b, self, i, y, encoded, &cross);
      x = hfm__bart_after(b, self, layer->encoder_attn_layer_norm, x, y);
    }
    y = hfm__bart_before(b, self, layer->final_layer_norm, x);
    y = hfm__call(b, layer->fc2, hfm__call(b, layer->activation_fn, hfm__call(b, layer->fc1, y)));
    x = hfm__bart_after(b, self, layer->final_layer_norm, x, y);
  }
  y = hfm__bart_before(b, self, stack->layer_norm, x);
  hfm__last_hidden_state(b, x, y, 1);
  return y;
}

/* Encodes, unless an earlier call has left the text in the cache (then *encoded is no value), and decodes. */
HFM__PRIVATE hfm__val hfm__bart_model_forward(hfm__builder *b, const hfm__bart *self, hfm__val *encoded) {
  const hfm__bart_stack *encoder = &self->encoder, *decoder = &self->decoder;
  hfm__val x, mask;
  b->side = &hfm__encoder_side;
  *encoded = hfm__no_value;
  if (hfm__encodes(b)) {
    x = hfm__word_embeddings(b, encoder->embed_tokens, encoder->vocab_size, self->d_model);
    *encoded = hfm__bart_stack_forward(b, self, encoder, x, hfm__no_value, hfm__no_value);
  }
  mask = hfm__input_mask(b);
  x = hfm__decoder_begin(b, self->traits->shift, decoder->embed_tokens, decoder->vocab_size, self->d_model);
  return hfm__bart_stack_forward(b, self, decoder, x, *encoded, mask);
}

/* ---- Heads ---- */

HFM__PRIVATE void *hfm__bart_base_init(hfm__builder *b) {
  hfm__bart *self = hfm__bart_new(b);
  if (!self) return NULL;
  hfm__bart_model_init(b, self);
  hfm__bart_tie(b, self);
  return self;
}
HFM__PRIVATE void hfm__bart_base_forward(hfm__builder *b, const void *model) {
  hfm__val encoded;
  hfm__output(b, HFM__OUT_last_hidden_state, hfm__bart_model_forward(b, (const hfm__bart *)model, &encoded));
  hfm__encoder_output(b, encoded);
}

/* The base model, below a head. */
HFM__PRIVATE hfm__bart *hfm__bart_below(hfm__builder *b) {
  hfm__bart *self = hfm__bart_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*Model");
  hfm__bart_model_init(b, self);
  hfm__end(b);
  return self;
}

HFM__PRIVATE void *hfm__bart_generation_init(hfm__builder *b) {
  hfm__bart *self = hfm__bart_below(b);
  int64_t words;
  if (!self) return NULL;
  words = self->shares ? self->vocab_size : self->decoder.vocab_size;
  if (self->traits->final_logits_bias)
    self->final_logits_bias = hfm__stored_buffer(b, "final_logits_bias", 1, words);
  self->lm_head = hfm__linear(b, "lm_head", self->d_model, words, 0);
  hfm__bart_tie(b, self);
  return self;
}

/* Marian's files lack the positions of models with this head. */
HFM__PRIVATE void *hfm__marian_generation_init(hfm__builder *b) {
  hfm__bart *self = (hfm__bart *)hfm__bart_generation_init(b);
  if (!self || !hfm__ok(b)) return self;
  b->tree->parameters[hfm__weight_of(b, self->encoder.embed_positions).id].optional = 1;
  b->tree->parameters[hfm__weight_of(b, self->decoder.embed_positions).id].optional = 1;
  return self;
}

HFM__PRIVATE void hfm__bart_generation_forward(hfm__builder *b, const void *model) {
  const hfm__bart *self = (const hfm__bart *)model;
  hfm__val encoded, x = hfm__kept_positions(b, hfm__bart_model_forward(b, self, &encoded));
  x = hfm__call(b, self->lm_head, x);
  if (self->traits->final_logits_bias) x = hfm__add(b, x, hfm__param(b, self->final_logits_bias));
  hfm__output(b, HFM__OUT_logits, x);
  hfm__encoder_output(b, encoded);
}

HFM__PRIVATE void *hfm__bart_sequence_init(hfm__builder *b) {
  hfm__bart *self = hfm__bart_below(b);
  if (!self) return NULL;
  hfm__sentence_head_init(b, &self->sentence, self->d_model);
  hfm__bart_tie(b, self);
  return self;
}
HFM__PRIVATE void hfm__bart_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__bart *self = (const hfm__bart *)model;
  hfm__val encoded, x = hfm__bart_model_forward(b, self, &encoded);
  hfm__sentence_outputs(b, &self->sentence, hfm__sentence_end(b, x, self->vocab_size));
  hfm__encoder_output(b, encoded);
}

HFM__PRIVATE void *hfm__bart_question_init(hfm__builder *b) {
  hfm__bart *self = hfm__bart_below(b);
  if (!self) return NULL;
  self->qa_outputs = hfm__linear(b, "qa_outputs", self->d_model, 2, 1);
  hfm__bart_tie(b, self);
  return self;
}
HFM__PRIVATE void hfm__bart_question_forward(hfm__builder *b, const void *model) {
  const hfm__bart *self = (const hfm__bart *)model;
  hfm__val encoded, x = hfm__bart_model_forward(b, self, &encoded);
  hfm__span_outputs(b, hfm__call(b, self->qa_outputs, x));
  hfm__encoder_output(b, encoded);
}

static const hfm__head hfm__bart_model_heads[] = {
    {HFM_BASE, "Model", hfm__bart_base_init, hfm__bart_base_forward},
    {HFM_SEQ2SEQ_LM, "ForConditionalGeneration", hfm__bart_generation_init, hfm__bart_generation_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__bart_sequence_init, hfm__bart_sequence_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__bart_question_init, hfm__bart_question_forward},
    {0, NULL, NULL, NULL}};

static const hfm__head hfm__marian_heads[] = {
    {HFM_BASE, "Model", hfm__bart_base_init, hfm__bart_base_forward},
    {HFM_SEQ2SEQ_LM, "MTModel", hfm__marian_generation_init, hfm__bart_generation_forward},
    {0, NULL, NULL, NULL}};

static const hfm__head hfm__pegasus_heads[] = { /* and M2M-100's */
    {HFM_BASE, "Model", hfm__bart_base_init, hfm__bart_base_forward},
    {HFM_SEQ2SEQ_LM, "ForConditionalGeneration", hfm__bart_generation_init, hfm__bart_generation_forward},
    {0, NULL, NULL, NULL}};

static const char *const hfm__bart_ignored[] = {"encoder.version", "decoder.version", NULL}; /* of old files */

static const hfm__family hfm__bart_family = {"model", HFM__IN_input_ids, hfm__bart_model_heads, NULL,
                                             hfm__bart_ignored, NULL};
static const hfm__family hfm__mbart_family = {"model", HFM__IN_input_ids, hfm__bart_model_heads, NULL, NULL, NULL};
static const hfm__family hfm__marian_family = {"model", HFM__IN_input_ids, hfm__marian_heads, NULL, NULL, NULL};
/* And M2M-100's. */
static const hfm__family hfm__pegasus_family = {"model", HFM__IN_input_ids, hfm__pegasus_heads, NULL, NULL, NULL};

/* ---- Configuration classes ---- */

static const hfm__config_pair hfm__bart_aliases[] = {{"hidden_size", "d_model"},
                                                     {"num_attention_heads", "encoder_attention_heads"},
                                                     {"num_hidden_layers", "encoder_layers"}, {NULL, NULL}};

static const hfm__config_pair hfm__bart_defaults[] = {
  {"activation_dropout", "0.0"}, {"activation_function", "\"gelu\""}, {"attention_dropout", "0.0"},
  {"bos_token_id", "0"}, {"classifier_dropout", "0.0"}, {"d_model", "1024"}, {"decoder_attention_heads", "16"},
  {"decoder_ffn_dim", "4096"}, {"decoder_layerdrop", "0.0"}, {"decoder_layers", "12"},
  {"decoder_start_token_id", "2"}, {"dropout", "0.1"}, {"encoder_attention_heads", "16"},
  {"encoder_ffn_dim", "4096"}, {"encoder_layerdrop", "0.0"}, {"encoder_layers", "12"}, {"eos_token_id", "2"},
  {"forced_eos_token_id", "2"}, {"id2label", "{\"0\": \"LABEL_0\", \"1\": \"LABEL_1\", \"2\": \"LABEL_2\"}"},
  {"init_std", "0.02"}, {"is_decoder", "false"}, {"is_encoder_decoder", "true"},
  {"max_position_embeddings", "1024"}, {"pad_token_id", "1"}, {"scale_embedding", "false"},
  {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "50265"}, {NULL, NULL}};

static const hfm__config_pair hfm__mbart_defaults[] = {
  {"activation_dropout", "0.0"}, {"activation_function", "\"gelu\""}, {"attention_dropout", "0.0"},
  {"bos_token_id", "0"}, {"classifier_dropout", "0.0"}, {"d_model", "1024"}, {"decoder_attention_heads", "16"},
  {"decoder_ffn_dim", "4096"}, {"decoder_layerdrop", "0.0"}, {"decoder_layers", "12"}, {"dropout", "0.1"},
  {"encoder_attention_heads", "16"}, {"encoder_ffn_dim", "4096"}, {"encoder_layerdrop", "0.0"},
  {"encoder_layers", "12"}, {"eos_token_id", "2"}, {"forced_eos_token_id", "2"}, {"init_std", "0.02"},
  {"is_decoder", "false"}, {"is_encoder_decoder", "true"}, {"max_position_embeddings", "1024"}, {"pad_token_id", "1"},
  {"scale_embedding", "false"}, {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "50265"},
  {NULL, NULL}};

static const hfm__config_pair hfm__marian_defaults[] = {
  {"activation_dropout", "0.0"}, {"activation_function", "\"gelu\""}, {"attention_dropout", "0.0"}, {"d_model", "1024"},
  {"decoder_attention_heads", "16"}, {"decoder_ffn_dim", "4096"}, {"decoder_layerdrop", "0.0"},
  {"decoder_layers", "12"}, {"decoder_start_token_id", "58100"}, {"decoder_vocab_size", "\"=vocab_size\""},
  {"dropout", "0.1"}, {"encoder_attention_heads", "16"}, {"encoder_ffn_dim", "4096"}, {"encoder_layerdrop", "0.0"},
  {"encoder_layers", "12"}, {"eos_token_id", "0"}, {"forced_eos_token_id", "0"}, {"init_std", "0.02"},
  {"is_decoder", "false"}, {"is_encoder_decoder", "true"}, {"max_position_embeddings", "1024"},
  {"pad_token_id", "58100"}, {"scale_embedding", "false"}, {"share_encoder_decoder_embeddings", "true"},
  {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "58101"}, {NULL, NULL}};

static const hfm__config_pair hfm__pegasus_defaults[] = {
  {"activation_dropout", "0.0"}, {"activation_function", "\"gelu\""}, {"attention_dropout", "0.0"},
  {"d_model", "1024"}, {"decoder_attention_heads", "16"}, {"decoder_ffn_dim", "4096"}, {"decoder_layerdrop", "0.0"},
  {"decoder_layers", "12"}, {"decoder_start_token_id", "0"}, {"dropout", "0.1"}, {"encoder_attention_heads", "16"},
  {"encoder_ffn_dim", "4096"}, {"encoder_layerdrop", "0.0"}, {"encoder_layers", "12"}, {"eos_token_id", "1"},
  {"forced_eos_token_id", "1"}, {"init_std", "0.02"}, {"is_decoder", "false"}, {"is_encoder_decoder", "true"},
  {"max_position_embeddings", "1024"}, {"pad_token_id", "0"}, {"scale_embedding", "false"},
  {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "50265"}, {NULL, NULL}};

static const hfm__config_pair hfm__m2m_100_defaults[] = {
  {"activation_dropout", "0.0"}, {"activation_function", "\"relu\""}, {"attention_dropout", "0.1"},
  {"bos_token_id", "0"}, {"d_model", "1024"}, {"decoder_attention_heads", "16"}, {"decoder_ffn_dim", "4096"},
  {"decoder_layerdrop", "0.05"}, {"decoder_layers", "12"}, {"decoder_start_token_id", "2"}, {"dropout", "0.1"},
  {"encoder_attention_heads", "16"}, {"encoder_ffn_dim", "4096"}, {"encoder_layerdrop", "0.05"},
  {"encoder_layers", "12"}, {"eos_token_id", "2"}, {"init_std", "0.02"}, {"is_encoder_decoder", "true"},
  {"max_position_embeddings", "1024"}, {"pad_token_id", "1"}, {"scale_embedding", "true"},
  {"tie_word_embeddings", "true"}, {"use_cache", "true"}, {"vocab_size", "128112"}, {NULL, NULL}};

static const hfm__config_class hfm__bart_config_class = {hfm__bart_aliases, hfm__bart_defaults, NULL, NULL};
static const hfm__config_class hfm__mbart_config_class = {hfm__bart_aliases, hfm__mbart_defaults, NULL, NULL};
static const hfm__config_class hfm__marian_config_class = {hfm__bart_aliases, hfm__marian_defaults, NULL, NULL};
static const hfm__config_class hfm__pegasus_config_class = {hfm__bart_aliases, hfm__pegasus_defaults, NULL, NULL};
static const hfm__config_class hfm__m2m_100_config_class = {hfm__bart_aliases, hfm__m2m_100_defaults, NULL, NULL};
