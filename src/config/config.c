/* ==== config/config (private): config.json as a document with typed, named access ==============================
   One place knows that a key may have two names (attribute_map), two spellings (dtype, torch_dtype) or no value at
   all (the model type's default), so that families ask for Transformers' names only. */

typedef struct hfm__config_pair {
  const char *key, *value;
} hfm__config_pair;

/* A rope parameter that old files have beside the others: of which type of layer (NULL: the model's), its name, and
   what it is called there. */
typedef struct hfm__rope_name {
  const char *layer_type, *name, *beside;
} hfm__rope_name;

/* A value: which document, which node (0: none); or what the configuration class works out. */
typedef struct hfm__config_value {
  const hfm__json *doc;
  uint32_t node;
  int32_t worked_out; /* HFM__JSON_..., of a scalar; 0: it is a node's value */
  int64_t number;     /* of HFM__JSON_NUMBER, or 0 and 1 of HFM__JSON_BOOL */
  const char *text;   /* of HFM__JSON_STRING */
} hfm__config_value;

/* A key that the class works out of others, when a configuration is made; here when it is asked for. Rules may read
   other keys by getters, and so by their rules, but not in a circle. */
typedef struct hfm__config_rule {
  const char *key;
  int32_t overrides;                                               /* 1: the file's own value counts for less */
  int64_t (*length)(const hfm_config *config);                     /* of the list, -1: none; NULL: it is a scalar */
  hfm__config_value (*value)(const hfm_config *config, int64_t i); /* the scalar, or element i; of no kind: none */
} hfm__config_rule;

/* What Transformers' configuration class knows besides the file. */
typedef struct hfm__config_class {
  const hfm__config_pair *attribute_map; /* {"hidden_size", "n_embd"}; ends with NULLs */
  const hfm__config_pair *defaults;      /* {"hidden_act", "\"gelu\""}: JSON texts, or "\"=num_attention_heads\"":
                                            what that key says, or HFM__HEAD_DIM: what two keys give; ends with NULLs */
  const hfm__rope_name *rope_names;      /* ends with NULLs; NULL: no rope */
  const hfm__config_rule *rules;         /* ends with NULLs; NULL: none */
} hfm__config_class;

/* What PreTrainedConfig says for every model type. */
static const hfm__config_pair hfm__config_defaults[] = {
    {"chunk_size_feed_forward", "0"}, {"is_encoder_decoder", "false"}, {"output_attentions", "false"},
    {"output_hidden_states", "false"}, {"return_dict", "true"}, {NULL, NULL}};

/* A default that is a quotient. */
#define HFM__HEAD_DIM "\"=hidden_size/num_attention_heads\""

HFM__PRIVATE const hfm__config_class *hfm__config_class_find(const char *model_type); /* families/registry.c */
HFM__PRIVATE hfm_result hfm__config_calculate(hfm_config *config, hfm_error *error);  /* config/values.c */

struct hfm_config {
  hfm__context ctx;
  char *file;                          /* config.json's name, for errors; NULL if it was parsed from text */
  char *generation_file;               /* generation_config.json's, where there is one */
  hfm__json document;
  hfm__json generation;                /* generation_config.json; root 0 if there is none */
  hfm__json defaults;                  /* the class's, as an object */
  const hfm__config_class *class_known; /* NULL: an unknown model_type, or none */
};

enum { HFM__CONFIG_MAX_PARTS = 64, HFM__CONFIG_MAX_LABELS = 1 << 24, HFM__CONFIG_LISTED_LABELS = 1 << 16 };

HFMODEL_API void hfm_config_free(hfm_config *config) {
  if (!config) return;
  hfm__json_free(&config->document);
  hfm__json_free(&config->generation);
  hfm__json_free(&config->defaults);
  hfm__free_text(&config->ctx.mem, config->file);
  hfm__free_text(&config->ctx.mem, config->generation_file);
  {
    const hfm_allocator mem = config->ctx.mem;
    hfm__free(&mem, config, sizeof *config);
  }
}

HFM__PRIVATE hfm_result hfm__config_default(hfm__json *defaults, const hfm__config_pair *pair, hfm_error *error) {
  const uint32_t found = hfm__json_find_key(defaults, defaults->root, pair->key, strlen(pair->key));
  const uint32_t node =
      found ? found + 1 : hfm__json_insert(defaults, defaults->root, pair->key, strlen(pair->key));
  return node ? hfm__json_set_text(defaults, node, pair->value, strlen(pair->value), 0, error)
              : hfm__fail_memory(error, "a configuration", 0);
}

/* Finds the class of the document's model_type and parses its defaults. */
HFM__PRIVATE hfm_result hfm__config_bind(hfm_config *config, hfm_error *error) {
  const hfm__json *doc = &config->document;
  const char *model_type = hfm__json_text(doc, hfm__json_member_of(doc, doc->root, "model_type"));
  const hfm__config_pair *pair;
  hfm_result result;
  hfm__json_free(&config->defaults);
  config->class_known = model_type ? hfm__config_class_find(model_type) : NULL;
  if (!config->class_known) return HFM_OK;
  result = hfm__json_parse(&config->defaults, &config->ctx.mem, NULL, "{}", 2, 0, error);
  for (pair = hfm__config_defaults; result == HFM_OK && pair->key; pair++)
    result = hfm__config_default(&config->defaults, pair, error);
  for (pair = config->class_known->defaults; result == HFM_OK && pair->key; pair++)
    result = hfm__config_default(&config->defaults, pair, error);
  return result == HFM_OK ? hfm__config_calculate(config, error) : result;
}

/* Everything but the document, which is the caller's next step. NULL: out of memory. */
HFM__PRIVATE hfm_config *hfm__config_new(const hfm__context *ctx, const char *file, hfm_error *error) {
  hfm_config *config = (hfm_config *)hfm__alloc_zero(&ctx->mem, sizeof *config);
  if (config) config->ctx = *ctx;
  if (config && file) config->file = hfm__join_path(&ctx->mem, file, "");
  if (config && (!file || config->file)) return config;
  hfm_config_free(config);
  (void)hfm__fail_memory(error, "a configuration", sizeof *config);
  return NULL;
}

HFM__PRIVATE hfm_result hfm__config_create(const hfm__context *ctx, const char *file, const char *json, size_t size,
                                           hfm_config **out, hfm_error *error) {
  hfm_config *config = hfm__config_new(ctx, file, error);
  hfm_result result;
  if (!config) return HFM_ERROR_MEMORY;
  result = hfm__json_parse(&config->document, &ctx->mem, file, json, size, HFM__JSON_NONFINITE, error);
  if (result == HFM_OK) result = hfm__json_need_object(&config->document, file, error);
  if (result == HFM_OK) result = hfm__config_bind(config, error);
  if (result == HFM_OK) *out = config;
  else hfm_config_free(config);
  return result;
}

/* What was read within the budget of `limited` belongs to the caller now, and so does the memory that it takes later;
   `config` is NULL where the reading failed. */
HFM__PRIVATE hfm_result hfm__config_hand_over(hfm_config *config, const hfm__context *ctx, const hfm__context *limited,
                                              hfm_result result, const char *file, hfm_error *error) {
  if (config) {
    config->ctx = *ctx;
    config->document.mem = config->generation.mem = config->defaults.mem = ctx->mem;
  }
  return hfm__budget_verdict(limited, result, file, error);
}

HFMODEL_API hfm_result hfm_config_parse(const char *json, size_t size, const hfm_options *options, hfm_config **config,
                                        hfm_error *error) {
  hfm__context ctx, limited;
  hfm__budget budget;
  hfm_result result;
  hfm__clear_error(error);
  if (config) *config = NULL;
  if (!json || !config)
    return hfm__fail_null(error, json ? "config" : "json");
  result = hfm__context_init(options, &ctx, error);
  if (result != HFM_OK) return result;
  if (size > ctx.limits.max_config_bytes)
    return hfm__fail(error, HFM_E_FILE_TOO_LARGE, NULL, NULL, 0, "a configuration of %u bytes; at most %u are read",
                     (uint64_t)size, ctx.limits.max_config_bytes);
  limited = ctx;
  hfm__budget_begin(&budget, &limited, 0);
  result = hfm__config_create(&limited, NULL, json, size, config, error);
  return hfm__config_hand_over(*config, &ctx, &limited, result, NULL, error);
}

/* Reads a JSON side file; *text is the caller's (*size + 1 bytes). */
HFM__PRIVATE hfm_result hfm__config_text(const hfm__context *ctx, const char *folder, const char *name, char **path,
                                         char **text, size_t *size, hfm_error *error) {
  *text = NULL;
  *size = 0;
  *path = hfm__join_path(&ctx->mem, folder, name);
  if (!*path) return hfm__fail_memory(error, "a file name", 0);
  return hfm__file_load(ctx, *path, ctx->limits.max_config_bytes, text, size, error);
}

/* generation_config.json, if there is one. As in Transformers, a broken one does not stop a load: it is logged. */
HFM__PRIVATE hfm_result hfm__config_load_generation(hfm_config *config, const char *dir, const char *subfolder,
                                                    hfm_error *error) {
  const hfm__context *ctx = &config->ctx;
  char *folder = hfm__join_path(&ctx->mem, dir, subfolder ? subfolder : ""), *path, *text;
  hfm_error reason;
  size_t size;
  hfm_result result;
  if (!folder) return hfm__fail_memory(error, "a directory name", 0);
  result = hfm__config_text(ctx, folder, "generation_config.json", &path, &text, &size, &reason);
  if (result == HFM_OK)
    result = hfm__json_parse(&config->generation, &ctx->mem, path, text, size, HFM__JSON_NONFINITE, &reason);
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  if (result == HFM_OK) config->generation_file = path;
  else hfm__free_text(&ctx->mem, path);
  hfm__free_text(&ctx->mem, folder);
  if (result == HFM_ERROR_MEMORY) {
    if (error) *error = reason;
    return result;
  }
  if (result != HFM_OK && result != HFM_ERROR_NOT_FOUND)
    hfm__log(ctx, HFM_LOG_WARNING, reason.item, "ignored: %s", reason.message);
  return HFM_OK;
}

/* A folder without config.json may be another thing that looks like a model. */
HFM__PRIVATE hfm_result hfm__config_missing(const hfm__context *ctx, const char *folder, const char *config,
                                            hfm_error *error) {
  char *path, *text;
  hfm_error reason;
  size_t size;
  const hfm_result result = hfm__config_text(ctx, folder, "adapter_config.json", &path, &text, &size, &reason);
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  hfm__free_text(&ctx->mem, path);
  if (result != HFM_OK) return HFM_ERROR_NOT_FOUND;
  return hfm__fail(error, HFM_E_FILE_NOT_FOUND, config, NULL, 0,
                   "no such file, only adapter_config.json: a PEFT adapter is no model; merge it into its base model "
                   "(merge_and_unload() in Python) and save that");
}

/* config.json and generation_config.json of a directory. */
HFM__PRIVATE hfm_result hfm__config_load(const hfm__context *ctx, const char *dir, const char *subfolder,
                                         hfm_config **config, hfm_error *error) {
  char *folder = hfm__join_path(&ctx->mem, dir, subfolder ? subfolder : ""), *path = NULL, *text = NULL;
  size_t size = 0;
  hfm_result result;
  *config = NULL;
  if (!folder) return hfm__fail_memory(error, "a directory name", 0);
  result = hfm__config_text(ctx, folder, "config.json", &path, &text, &size, error);
  if (result == HFM_ERROR_NOT_FOUND) result = hfm__config_missing(ctx, folder, path, error);
  if (result == HFM_OK) result = hfm__config_create(ctx, path, text, size, config, error);
  if (result == HFM_OK) result = hfm__config_load_generation(*config, dir, subfolder, error);
  if (result != HFM_OK) {
    hfm_config_free(*config);
    *config = NULL;
  }
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  hfm__free_text(&ctx->mem, path);
  hfm__free_text(&ctx->mem, folder);
  return result;
}

/* ---- Finding a key ---- */

HFM__PRIVATE hfm__config_value hfm__config_node(const hfm__json *doc, uint32_t node) {
  hfm__config_value value = {NULL, 0, 0, 0, NULL};
  value.doc = doc;
  value.node = node;
  return value;
}

/* What rules return. */
HFM__PRIVATE hfm__config_value hfm__config_worked_out(const hfm_config *config, int32_t kind, int64_t number,
                                                      const char *text) {
  hfm__config_value value = hfm__config_node(&config->document, 0);
  value.worked_out = kind;
  value.number = number;
  value.text = text;
  return value;
}

/* HFM__JSON_..., HFM__JSON_FAILED where there is none. */
HFM__PRIVATE int32_t hfm__value_kind(const hfm__config_value *value) {
  return value->worked_out ? value->worked_out : hfm__json_kind(value->doc, value->node);
}

HFM__PRIVATE int hfm__value_int(const hfm__config_value *value, int64_t *number) {
  if (!value->worked_out) return hfm__json_int(value->doc, value->node, number);
  *number = value->number;
  return value->worked_out == HFM__JSON_NUMBER;
}

HFM__PRIVATE int hfm__value_double(const hfm__config_value *value, double *number) {
  if (!value->worked_out) return hfm__json_double(value->doc, value->node, number);
  *number = (double)value->number;
  return value->worked_out == HFM__JSON_NUMBER;
}

HFM__PRIVATE int hfm__value_bool(const hfm__config_value *value, int32_t *truth) {
  if (!value->worked_out) return hfm__json_bool(value->doc, value->node, truth);
  *truth = value->number != 0;
  return value->worked_out == HFM__JSON_BOOL;
}

/* NULL where it is no text. */
HFM__PRIVATE const char *hfm__value_text(const hfm__config_value *value) {
  return value->worked_out ? value->text : hfm__json_text(value->doc, value->node);
}

/* Is that part of a path this name? */
HFM__PRIVATE int hfm__is_part(const char *part, size_t size, const char *name) {
  return strlen(name) == size && memcmp(name, part, size) == 0;
}

/* The pair of names that `name` is one of: the common one, and the one that the model type's own files use. NULL: it
   has no other. */
HFM__PRIVATE const hfm__config_pair *hfm__config_names(const hfm__config_class *known, const char *name, size_t size) {
  const hfm__config_pair *pair = known ? known->attribute_map : NULL;
  for (; pair && pair->key; pair++)
    if (hfm__is_part(name, size, pair->key) || hfm__is_part(name, size, pair->value)) return pair;
  return NULL;
}

/* Key node of a member under any of its names, or 0; of two the common one counts, as in Transformers. `known` is the
   class of that object. */
HFM__PRIVATE uint32_t hfm__config_key(const hfm__json *doc, uint32_t object, const hfm__config_class *known,
                                      const char *name, size_t size) {
  const hfm__config_pair *pair = hfm__config_names(known, name, size);
  uint32_t key;
  if (pair) {
    key = hfm__json_find_key(doc, object, pair->key, strlen(pair->key));
    return key ? key : hfm__json_find_key(doc, object, pair->value, strlen(pair->value));
  }
  key = hfm__json_find_key(doc, object, name, size);
  if (!key && hfm__is_part(name, size, "dtype")) key = hfm__json_find_key(doc, object, "torch_dtype", 11);
  if (!key && hfm__is_part(name, size, "torch_dtype")) key = hfm__json_find_key(doc, object, "dtype", 5);
  return key;
}

HFM__PRIVATE size_t hfm__config_part(const char *key) {
  size_t n = 0;
  while (key[n] && key[n] != '.') n++;
  return n;
}

/* The class of an object below the root: by its own model_type. */
HFM__PRIVATE const hfm__config_class *hfm__config_class_of(const hfm_config *config, uint32_t object) {
  const hfm__json *doc = &config->document;
  const char *model_type;
  if (object == doc->root) return config->class_known;
  model_type = hfm__json_text(doc, hfm__json_member_of(doc, object, "model_type"));
  return model_type ? hfm__config_class_find(model_type) : NULL;
}

/* Element `index` (decimal digits) of a list, 0 where there is none. */
HFM__PRIVATE uint32_t hfm__config_element(const hfm__json *doc, uint32_t list, const char *index, size_t size) {
  uint32_t node = hfm__json_first(doc, list);
  uint64_t n;
  if (!hfm__json_u64(index, size, &n)) return 0;
  while (node && n--) node = hfm__json_following(doc, node);
  return node;
}

HFM__PRIVATE hfm__config_value hfm__config_walk(const hfm__json *doc, const hfm_config *config, const char *key) {
  hfm__config_value value = hfm__config_node(doc, doc->root);
  for (;;) {
    const size_t size = hfm__config_part(key);
    const hfm__config_class *known =
        doc == &config->document ? hfm__config_class_of(config, value.node) : config->class_known;
    if (hfm__json_kind(doc, value.node) == HFM__JSON_ARRAY) {
      value.node = hfm__config_element(doc, value.node, key, size);
    } else {
      const uint32_t found = hfm__config_key(doc, value.node, known, key, size);
      value.node = found ? found + 1 : 0;
    }
    if (!value.node || !key[size]) return value;
    key += size + 1;
  }
}
