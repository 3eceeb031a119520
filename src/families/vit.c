/* ==== families/vit (private): ViT, DeiT ===========================================================================
   After models/vit/modeling_vit.py and models/deit/modeling_deit.py. DeiT is ViT with a second, distillation token. */

typedef struct hfm__vit_layer {
  hfm__mod q_proj, k_proj, v_proj, o_proj; /* attention */
  hfm__mod layernorm_before, layernorm_after, activation_fn, fc1, fc2, dropout;
} hfm__vit_layer;

typedef struct hfm__vit {
  int64_t hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, num_channels, pooler_output_size;
  int64_t image_size[2], patch_size[2]; /* height, width */
  int32_t hidden_act, pooler_act, qkv_bias, distillation;
  double layer_norm_eps;
  const char *hidden_dropout_prob;
  hfm__par cls_token, distillation_token, position_embeddings;
  hfm__mod projection, embeddings_dropout, layernorm, pooler_dense, pooler_activation;
  hfm__vit_layer *layers;
  hfm__mod classifier, distillation_classifier;
} hfm__vit;

typedef struct hfm__vit_traits {
  int32_t distillation; /* has a distillation token */
} hfm__vit_traits;

static const hfm__vit_traits hfm__vit_itself = {0};
static const hfm__vit_traits hfm__deit_traits = {1};

/* image_size and patch_size: one number, or [height, width]. */
HFM__PRIVATE void hfm__vit_size_pair(hfm__builder *b, const char *key, int64_t pair[2]) {
  const hfm__config_value value = hfm__config_find(b->config, key);
  for (int32_t i = 0; i < 2; i++) {
    char element[40];
    hfm__text t = hfm__text_to(element, sizeof element);
    hfm__text_format(&t, "%s.%d", key, (int)i);
    pair[i] = hfm__size(b, hfm__json_kind(value.doc, value.node) == HFM__JSON_ARRAY ? element : key);
  }
}

HFM__PRIVATE hfm__vit *hfm__vit_new(hfm__builder *b) {
  hfm__vit *self = HFM__NEW(b, hfm__vit, 1);
  if (!self) return NULL;
  self->hidden_size = hfm__size(b, "hidden_size");
  self->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  self->num_attention_heads = hfm__size(b, "num_attention_heads");
  self->intermediate_size = hfm__size(b, "intermediate_size");
  self->num_channels = hfm__size(b, "num_channels");
  self->pooler_output_size = hfm__size(b, "pooler_output_size");
  self->hidden_act = hfm__activation_key(b, "hidden_act");
  self->pooler_act = hfm__activation_key(b, "pooler_act");
  self->qkv_bias = hfm__flag(b, "qkv_bias");
  self->layer_norm_eps = hfm__epsilon(b, "layer_norm_eps");
  self->hidden_dropout_prob = hfm__probability(b, "hidden_dropout_prob");
  self->distillation = ((const hfm__vit_traits *)b->traits)->distillation;
  hfm__vit_size_pair(b, "image_size", self->image_size);
  hfm__vit_size_pair(b, "patch_size", self->patch_size);
  hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->hidden_size);
  return self;
}

HFM__PRIVATE void hfm__vit_embeddings_init(hfm__builder *b, hfm__vit *self) {
  const int64_t tokens = 1 + self->distillation;
  const int64_t patches = (self->image_size[0] / self->patch_size[0]) * (self->image_size[1] / self->patch_size[1]);
  const int32_t init = self->distillation ? HFM__INIT_ZEROS : HFM__INIT_TRUNCATED;
  hfm__begin(b, "embeddings", "*Embeddings");
  self->cls_token = hfm__parameter3(b, "cls_token", 1, 1, self->hidden_size, init);
  self->position_embeddings = hfm__parameter3(b, "position_embeddings", 1, patches + tokens, self->hidden_size, init);
  if (self->distillation)
    self->distillation_token = hfm__parameter3(b, "distillation_token", 1, 1, self->hidden_size, init);
  hfm__begin(b, "patch_embeddings", "*PatchEmbeddings");
  self->projection =
      hfm__conv2d(b, "projection", self->num_channels, self->hidden_size, self->patch_size[0], self->patch_size[1]);
  hfm__end(b);
  self->embeddings_dropout = hfm__dropout(b, "dropout", self->hidden_dropout_prob);
  hfm__end(b);
}

HFM__PRIVATE void hfm__vit_layer_init(hfm__builder *b, const hfm__vit *self, hfm__vit_layer *layer) {
  hfm__begin(b, "attention", "*Attention");
  layer->q_proj = hfm__linear(b, "q_proj", self->hidden_size, self->hidden_size, self->qkv_bias);
  layer->k_proj = hfm__linear(b, "k_proj", self->hidden_size, self->hidden_size, self->qkv_bias);
  layer->v_proj = hfm__linear(b, "v_proj", self->hidden_size, self->hidden_size, self->qkv_bias);
  layer->o_proj = hfm__linear(b, "o_proj", self->hidden_size, self->hidden_size, 1);
  hfm__end(b);
  layer->layernorm_before = hfm__layer_norm(b, "layernorm_before", self->hidden_size, self->layer_norm_eps);
  layer->layernorm_after = hfm__layer_norm(b, "layernorm_after", self->hidden_size, self->layer_norm_eps);
  hfm__begin(b, "mlp", "*MLP");
  layer->activation_fn = hfm__activation(b, "activation_fn", self->hidden_act);
  layer->fc1 = hfm__linear(b, "fc1", self->hidden_size, self->intermediate_size, 1);
  layer->fc2 = hfm__linear(b, "fc2", self->intermediate_size, self->hidden_size, 1);
  hfm__end(b);
  layer->dropout = hfm__dropout(b, "dropout", self->hidden_dropout_prob);
}

HFM__PRIVATE void hfm__vit_model_init(hfm__builder *b, hfm__vit *self, int pooler) {
  hfm__vit_embeddings_init(b, self);
  self->layers = HFM__NEW(b, hfm__vit_layer, self->num_hidden_layers);
  hfm__begin_list(b, "layers");
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "*Layer");
    hfm__vit_layer_init(b, self, &self->layers[i]);
    hfm__end(b);
  }
  hfm__end(b);
  self->layernorm = hfm__layer_norm(b, "layernorm", self->hidden_size, self->layer_norm_eps);
  if (!pooler) return;
  hfm__begin(b, "pooler", "*Pooler");
  self->pooler_dense = hfm__linear(b, "dense", self->hidden_size, self->pooler_output_size, 1);
  self->pooler_activation = hfm__activation(b, "activation", self->pooler_act);
  hfm__end(b);
}

/* Patches as tokens [batch, patches, hidden], then the tokens that the model adds in front, then positions. */
HFM__PRIVATE hfm__val hfm__vit_embed(hfm__builder *b, const hfm__vit *self) {
  const hfm__val pixels =
      hfm__input(b, HFM__IN_pixel_values, HFM_F32, 4, hfm__symbol(b, HFM__SYM_BATCH), hfm__fixed(b, self->num_channels),
                 hfm__fixed(b, self->image_size[0]), hfm__fixed(b, self->image_size[1]));
  const hfm__val patches = hfm__call(b, self->projection, pixels);
  hfm__dim shape[3];
  hfm__val x;
  shape[0] = hfm__dim_of(b, patches, 0);
  shape[1] = hfm__dim_op(b, HFM__DIM_mul, hfm__dim_of(b, patches, 1), hfm__dim_of(b, patches, 2));
  shape[2] = hfm__dim_of(b, patches, 3);
  x = hfm__reshape(b, patches, 3, shape);
  if (self->distillation) x = hfm__concat(b, hfm__expand_batch(b, hfm__param(b, self->distillation_token)), x, 1);
  x = hfm__concat(b, hfm__expand_batch(b, hfm__param(b, self->cls_token)), x, 1);
  return hfm__call(b, self->embeddings_dropout, hfm__add(b, x, hfm__param(b, self->position_embeddings)));
}

HFM__PRIVATE hfm__val hfm__vit_layer_forward(hfm__builder *b, const hfm__vit *self, const hfm__vit_layer *layer,
                                             hfm__val x) {
  const int64_t heads = self->num_attention_heads;
  const double scale = 1.0 / sqrt((double)(self->hidden_size / heads));
  hfm__val y = hfm__call(b, layer->layernorm_before, x);
  const hfm__val q = hfm__split_heads(b, hfm__call(b, layer->q_proj, y), heads);
  const hfm__val k = hfm__split_heads(b, hfm__call(b, layer->k_proj, y), heads);
  const hfm__val v = hfm__split_heads(b, hfm__call(b, layer->v_proj, y), heads);
  y = hfm__call(b, layer->o_proj, hfm__attend(b, q, k, v, hfm__no_value, scale, 0));
  x = hfm__add(b, hfm__call(b, layer->dropout, y), x);
  y = hfm__call(b, layer->activation_fn, hfm__call(b, layer->fc1, hfm__call(b, layer->layernorm_after, x)));
  return hfm__add(b, hfm__call(b, layer->dropout, hfm__call(b, layer->fc2, y)), x);
}

HFM__PRIVATE hfm__val hfm__vit_model_forward(hfm__builder *b, const hfm__vit *self) {
  hfm__val x = hfm__vit_embed(b, self), y;
  hfm__hidden_state(b, x);
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    if (i) hfm__hidden_state(b, x);
    x = hfm__vit_layer_forward(b, self, &self->layers[i], x);
  }
  y = hfm__call(b, self->layernorm, x);
  if (self->num_hidden_layers) hfm__last_hidden_state(b, x, y, 0);
  return y;
}

HFM__PRIVATE hfm__vit *hfm__vit_with_base(hfm__builder *b) {
  hfm__vit *self = hfm__vit_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*Model");
  hfm__vit_model_init(b, self, 0);
  hfm__end(b);
  return self;
}

HFM__PRIVATE void *hfm__vit_base_init(hfm__builder *b) {
  hfm__vit *self = hfm__vit_new(b);
  if (self) hfm__vit_model_init(b, self, 1);
  return self;
}
HFM__PRIVATE void hfm__vit_base_forward(hfm__builder *b, const void *model) {
  const hfm__vit *self = (const hfm__vit *)model;
  const hfm__val x = hfm__vit_model_forward(b, self);
  hfm__output(b, HFM__OUT_last_hidden_state, x);
  hfm__output(b, HFM__OUT_pooler_output,
              hfm__call(b, self->pooler_activation, hfm__call(b, self->pooler_dense, hfm__select_row(b, x, 0))));
}

HFM__PRIVATE void *hfm__vit_image_init(hfm__builder *b) {
  hfm__vit *self = hfm__vit_with_base(b);
  if (self) self->classifier = hfm__linear(b, "classifier", self->hidden_size, hfm__labels(b), 1);
  return self;
}
HFM__PRIVATE void hfm__vit_image_forward(hfm__builder *b, const void *model) {
  const hfm__vit *self = (const hfm__vit *)model;
  hfm__output(b, HFM__OUT_logits,
              hfm__call(b, self->classifier, hfm__select_row(b, hfm__vit_model_forward(b, self), 0)));
}

HFM__PRIVATE void *hfm__deit_teacher_init(hfm__builder *b) {
  hfm__vit *self = hfm__vit_with_base(b);
  if (!self) return NULL;
  self->classifier = hfm__linear(b, "cls_classifier", self->hidden_size, hfm__labels(b), 1);
  self->distillation_classifier = hfm__linear(b, "distillation_classifier", self->hidden_size, hfm__labels(b), 1);
  return self;
}
/* logits: the mean of what the two tokens say. */
HFM__PRIVATE void hfm__deit_teacher_forward(hfm__builder *b, const void *model) {
  static const float half = 0.5f;
  const hfm__vit *self = (const hfm__vit *)model;
  const hfm__val x = hfm__vit_model_forward(b, self);
  const hfm__val cls = hfm__call(b, self->classifier, hfm__select_row(b, x, 0));
  const hfm__val distillation = hfm__call(b, self->distillation_classifier, hfm__select_row(b, x, 1));
  hfm__output(b, HFM__OUT_logits, hfm__mul(b, hfm__add(b, cls, distillation), hfm__vector(b, &half, 1)));
  hfm__output(b, HFM__OUT_cls_logits, cls);
  hfm__output(b, HFM__OUT_distillation_logits, distillation);
}

static const hfm__head hfm__vit_heads[] = {
    {HFM_BASE, "Model", hfm__vit_base_init, hfm__vit_base_forward},
    {HFM_IMAGE_CLASSIFICATION, "ForImageClassification", hfm__vit_image_init, hfm__vit_image_forward},
    {0, NULL, NULL, NULL}};

static const hfm__head hfm__deit_heads[] = {
    {HFM_BASE, "Model", hfm__vit_base_init, hfm__vit_base_forward},
    {HFM_IMAGE_CLASSIFICATION, "ForImageClassification", hfm__vit_image_init, hfm__vit_image_forward},
    {HFM_IMAGE_CLASSIFICATION, "ForImageClassificationWithTeacher", hfm__deit_teacher_init, hfm__deit_teacher_forward},
    {0, NULL, NULL, NULL}};

/* Files keep the names that Transformers had before version 5. */
static const hfm__rename hfm__vit_renames[] = {{"encoder.layer.*", "layers.*", 0, NULL},
                                               {"attention.attention.query", "attention.q_proj", 0, NULL},
                                               {"attention.attention.key", "attention.k_proj", 0, NULL},
                                               {"attention.attention.value", "attention.v_proj", 0, NULL},
                                               {"attention.output.dense", "attention.o_proj", 0, NULL},
                                               {"intermediate.dense", "mlp.fc1", 0, NULL},
                                               {"output.dense", "mlp.fc2", 0, NULL},
                                               {NULL, NULL, 0, NULL}};

static const hfm__family hfm__vit_family = {"vit", HFM__IN_pixel_values, hfm__vit_heads, hfm__vit_renames, NULL, NULL};
static const hfm__family hfm__deit_family = {"deit", HFM__IN_pixel_values, hfm__deit_heads, hfm__vit_renames, NULL,
                                             NULL};

/* ---- The configuration class ---- */

static const hfm__config_pair hfm__vit_defaults[] = {
  {"attention_probs_dropout_prob", "0.0"}, {"encoder_stride", "16"}, {"hidden_act", "\"gelu\""},
  {"hidden_dropout_prob", "0.0"}, {"hidden_size", "768"}, {"image_size", "224"}, {"initializer_range", "0.02"},
  {"intermediate_size", "3072"}, {"layer_norm_eps", "1e-12"}, {"num_attention_heads", "12"}, {"num_channels", "3"},
  {"num_hidden_layers", "12"}, {"patch_size", "16"}, {"pooler_act", "\"tanh\""},
  {"pooler_output_size", "\"=hidden_size\""}, {"qkv_bias", "true"}, {NULL, NULL}};

static const hfm__config_class hfm__vit_config_class = {NULL, hfm__vit_defaults, NULL, NULL};
