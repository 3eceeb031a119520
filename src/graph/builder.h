/* ==== graph/builder (private): what a family file talks to =======================================================
   One builder serves both halves of a description: while modules are registered it has a tree and a scope; while a
   forward is traced it has a graph. Errors stick: after the first one every call does nothing, so that families need no
   checks, only loops that end when hfm__ok says no. */

/* What a call asks for besides its shapes. Each such question has a trace of its own. Only 32-bit fields: compared as
   bytes. */
typedef struct hfm__question {
  uint32_t present; /* bit HFM__IN_...: inputs that the caller gives */
  int32_t hidden_states, attentions;
  int32_t use_cache;      /* the call goes on where the session's states end */
  int32_t logits_to_keep; /* of the last positions; 0: all */
} hfm__question;

/* What an encoder, a decoder, or a model that has only one side takes, what its positions are, and what it records. */
typedef struct hfm__side {
  int32_t ids, mask, embeds;         /* HFM__IN_... */
  int32_t length, total;             /* HFM__SYM_...: of its positions; with those cached, where there is a cache */
  int32_t hidden_states, attentions; /* HFM__OUT_... */
} hfm__side;

static const hfm__side hfm__only_side = {
    HFM__IN_input_ids, HFM__IN_attention_mask, HFM__IN_inputs_embeds, HFM__SYM_LENGTH, HFM__SYM_TOTAL,
    HFM__OUT_hidden_states, HFM__OUT_attentions};

static const hfm__side hfm__encoder_side = {
    HFM__IN_input_ids, HFM__IN_attention_mask,        HFM__IN_inputs_embeds, HFM__SYM_LENGTH,
    HFM__SYM_LENGTH,   HFM__OUT_encoder_hidden_states, HFM__OUT_encoder_attentions};
static const hfm__side hfm__decoder_side = {
    HFM__IN_decoder_input_ids, HFM__IN_decoder_attention_mask, HFM__IN_decoder_inputs_embeds, HFM__SYM_TARGET,
    HFM__SYM_TOTAL,            HFM__OUT_decoder_hidden_states, HFM__OUT_decoder_attentions};

typedef struct hfm__builder {
  hfm_allocator mem;
  hfm_error *error;
  hfm_result result; /* the first failure */
  const hfm_config *config;
  const char *prefix; /* of torch class names: "Bert" for "*Layer" */
  const char *base;   /* attribute that holds the base model in models with a head: "bert" */
  const void *traits; /* the registry line's own: what sets this model type apart in its family */
  hfm_task task;      /* the head's */
  hfm__tree *tree;
  /* Registering. Limits come from the files: what they hold, plus what may be newly initialised. */
  int32_t scope;
  uint64_t parameter_budget, element_budget;
  int32_t from_files; /* 1: these are what the weights files hold; 0: what no model needs */
  double initializer_range;
  const char *rope_layer; /* the type of layer whose rope parameters are read; NULL: they are the model's */
  /* Tracing. */
  hfm__graph *graph;
  hfm__question asked;
  const hfm__side *side;
  int32_t attention;      /* HFM_ATTN_... */
  const int64_t *binding; /* of the symbols, for guards */
  int32_t module;         /* whose forward runs */
} hfm__builder;

HFM__PRIVATE int hfm__ok(const hfm__builder *b) { return b->result == HFM_OK; }

HFM__PRIVATE void hfm__builder_memory(hfm__builder *b) {
  if (hfm__ok(b)) b->result = hfm__fail_memory(b->error, "the description of a model", 0);
}

/* Memory that lives as long as the model, zeroed. Never NULL while hfm__ok. */
HFM__PRIVATE void *hfm__new(hfm__builder *b, uint64_t count, uint64_t size) {
  uint64_t bytes = 0;
  void *p = hfm__ok(b) && hfm__mul64(count, size, &bytes) ? hfm__arena_alloc(&b->tree->arena, bytes) : NULL;
  if (!p) hfm__builder_memory(b);
  return p;
}
#define HFM__NEW(b, type, count) ((type *)hfm__new(b, (uint64_t)(count), sizeof(type)))

/* ---- What the configuration says ---- */

/* A size: an integer of at least 1. */
HFM__PRIVATE int64_t hfm__size(hfm__builder *b, const char *key) {
  int64_t value = 0;
  if (hfm__ok(b)) b->result = hfm__config_need_int(b->config, key, 1, INT32_MAX, &value, b->error);
  return hfm__ok(b) ? value : 1;
}

HFM__PRIVATE int hfm__is_null(const hfm__builder *b, const char *key) {
  return hfm__config_is_null(b->config, key);
}

/* The same, where null or nothing stands for something else. */
HFM__PRIVATE int64_t hfm__size_or(hfm__builder *b, const char *key, int64_t fallback) {
  return hfm__is_null(b, key) ? fallback : hfm__size(b, key);
}

HFM__PRIVATE double hfm__positive(hfm__builder *b, const char *key) {
  double value = 1;
  if (hfm__ok(b)) b->result = hfm__config_need_float(b->config, key, 1e-300, 1e300, &value, b->error);
  return hfm__ok(b) ? value : 1;
}

/* What a norm adds to the variance: 0 or more. */
HFM__PRIVATE double hfm__epsilon(hfm__builder *b, const char *key) {
  double value = 0;
  if (hfm__ok(b)) b->result = hfm__config_need_float(b->config, key, 0, 1e300, &value, b->error);
  return value;
}

/* Any finite number. */
HFM__PRIVATE double hfm__real(hfm__builder *b, const char *key) {
  double value = 0;
  if (hfm__ok(b)) b->result = hfm__config_need_float(b->config, key, -1e300, 1e300, &value, b->error);
  return value;
}

/* Yes or no; null or nothing is no. */
HFM__PRIVATE int hfm__flag(hfm__builder *b, const char *key) {
  int32_t value = 0;
  if (hfm__ok(b)) b->result = hfm__config_opt_bool(b->config, key, &value, b->error);
  return value;
}

HFM__PRIVATE const char *hfm__string(hfm__builder *b, const char *key, const char *fallback) {
  const char *value = fallback;
  if (hfm__ok(b)) b->result = hfm__config_opt_string(b->config, key, fallback, &value, b->error);
  return value;
}

/* Refuses what would change results if it were ignored. */
HFM__PRIVATE void hfm__refuse(hfm__builder *b, const char *key, const char *value, const char *advice) {
  if (hfm__ok(b))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_VALUE, b->config->file, key, 0, "%q is %q, which is not supported: %s",
                          key, value, advice);
}

typedef struct hfm__activation_row {
  const char *name, *torch_class, *repr;
  int32_t kernel;
} hfm__activation_row;
static const hfm__activation_row hfm__activations[] = {
#define HFM__ACTIVATION_ROW(name, kernel, torch, repr) {#name, torch, repr, HFM__ACT_##kernel},
    HFM__ACTIVATION_LIST(HFM__ACTIVATION_ROW)
#undef HFM__ACTIVATION_ROW
};

/* The activation `name`, which `key` asks for: HFM__ACTIVATION_... */
HFM__PRIVATE int32_t hfm__activation_named(hfm__builder *b, const char *key, const char *name) {
  char advice[300];
  hfm__text t = hfm__text_to(advice, sizeof advice);
  for (size_t i = 0; name && i < HFM__COUNT(hfm__activations); i++)
    if (hfm__equal(name, hfm__activations[i].name)) return (int32_t)i;
  hfm__text_str(&t, "use one of");
  for (size_t i = 0; i < HFM__COUNT(hfm__activations); i++) hfm__text_format(&t, " %s", hfm__activations[i].name);
  if (hfm__ok(b) && !name)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_MISSING, b->config->file, key, 0,
                          "%q is needed, the name of an activation, but is null or absent: %s", key, advice);
  if (hfm__ok(b)) hfm__refuse(b, key, name, advice);
  return HFM__ACTIVATION_gelu;
}

HFM__PRIVATE int32_t hfm__activation_key(hfm__builder *b, const char *key) {
  return hfm__activation_named(b, key, hfm__string(b, key, NULL));
}

/* A number of layers, checked against what the files hold before anything is sized by it. */
HFM__PRIVATE int64_t hfm__layer_count(hfm__builder *b, const char *key) {
  int64_t layers = 0;
  if (hfm__ok(b)) b->result = hfm__config_need_int(b->config, key, 0, INT32_MAX, &layers, b->error);
  if (hfm__ok(b) && (uint64_t)layers > b->parameter_budget)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_LIMIT, b->config->file, key, 0,
                          b->from_files ? "%q asks for %i layers, but the weights files hold too few tensors for them"
                                        : "%q asks for %i layers, more than any model has",
                          key, layers);
  return hfm__ok(b) ? layers : 0;
}

enum { HFM__NO_PADDING = INT32_MIN };

/* pad_token_id; a negative one is an id that no text has, null is none. */
HFM__PRIVATE int64_t hfm__padding_id(hfm__builder *b) {
  int64_t id = HFM__NO_PADDING;
  if (hfm__ok(b) && !hfm__is_null(b, "pad_token_id"))
    b->result = hfm__config_need_int(b->config, "pad_token_id", -INT32_MAX, INT32_MAX, &id, b->error);
  return id;
}

HFM__PRIVATE int64_t hfm__labels(hfm__builder *b) {
  const int64_t labels = hfm__config_num_labels(b->config);
  if (hfm__ok(b) && (labels < 1 || labels > INT32_MAX))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "num_labels", 0,
                          "num_labels is %i, but must be at least 1", labels);
  return hfm__ok(b) ? labels : 1;
}

/* `whole` must be a multiple of `part`. */
HFM__PRIVATE void hfm__divides(hfm__builder *b, const char *part_key, int64_t part, const char *whole_key,
                               int64_t whole) {
  if (hfm__ok(b) && whole % part)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, whole_key, 0,
                          "%q is %i, but must be a multiple of %q, which is %i", whole_key, whole, part_key, part);
}
