/* ==== config/config (private): config.json as a document with typed, named access ==============================
   One place knows that a key may have two names (attribute_map), two spellings (dtype, torch_dtype) or no value at
   all (the model type's default), so that families ask for Transformers' names only. */

typedef struct hfm__config_pair {
  const char *key, *value;
} hfm__config_pair;

/* What Transformers' configuration class knows besides the file. */
typedef struct hfm__config_class {
  const hfm__config_pair *attribute_map; /* {"hidden_size", "n_embd"}; ends with NULLs */
  const hfm__config_pair *defaults;      /* {"hidden_act", "\"gelu\""}: JSON texts; ends with NULLs */
} hfm__config_class;

HFM__PRIVATE const hfm__config_class *hfm__config_class_find(const char *model_type); /* families/registry.c */

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

/* Finds the class of the document's model_type and parses its defaults. */
HFM__PRIVATE hfm_result hfm__config_bind(hfm_config *config, hfm_error *error) {
  const hfm__json *doc = &config->document;
  const char *model_type = hfm__json_text(doc, hfm__json_member_of(doc, doc->root, "model_type"));
  const hfm__config_pair *pair;
  hfm_result result = HFM_OK;
  hfm__json_free(&config->defaults);
  config->class_known = model_type ? hfm__config_class_find(model_type) : NULL;
  if (!config->class_known || !config->class_known->defaults) return HFM_OK;
  result = hfm__json_parse(&config->defaults, &config->ctx.mem, NULL, "{}", 2, 0, error);
  for (pair = config->class_known->defaults; result == HFM_OK && pair->key; pair++) {
    const uint32_t node =
        hfm__json_insert(&config->defaults, config->defaults.root, pair->key, strlen(pair->key));
    result = node ? hfm__json_set_text(&config->defaults, node, pair->value, strlen(pair->value), 0, error)
                  : hfm__fail_memory(error, "a configuration", 0);
  }
  return result;
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

/* config.json and generation_config.json of a directory. */
HFM__PRIVATE hfm_result hfm__config_load(const hfm__context *ctx, const char *dir, const char *subfolder,
                                         hfm_config **config, hfm_error *error) {
  char *folder = hfm__join_path(&ctx->mem, dir, subfolder ? subfolder : ""), *path = NULL, *text = NULL;
  size_t size = 0;
  hfm_result result;
  *config = NULL;
  if (!folder) return hfm__fail_memory(error, "a directory name", 0);
  result = hfm__config_text(ctx, folder, "config.json", &path, &text, &size, error);
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

/* A value: which document, which node (0: none). */
typedef struct hfm__config_value {
  const hfm__json *doc;
  uint32_t node;
} hfm__config_value;

/* The pair of names that `name` is one of: the common one, and the one that the model type's own files use. NULL: it
   has no other. */
HFM__PRIVATE const hfm__config_pair *hfm__config_names(const hfm__config_class *known, const char *name, size_t size) {
  const hfm__config_pair *pair = known ? known->attribute_map : NULL;
  for (; pair && pair->key; pair++)
    if ((strlen(pair->key) == size && memcmp(pair->key, name, size) == 0) ||
        (strlen(pair->value) == size && memcmp(pair->value, name, size) == 0))
      return pair;
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
  if (!key && size == 5 && memcmp(name, "dtype", 5) == 0) key = hfm__json_find_key(doc, object, "torch_dtype", 11);
  if (!key && size == 11 && memcmp(name, "torch_dtype", 11) == 0) key = hfm__json_find_key(doc, object, "dtype", 5);
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
  hfm__config_value value;
  value.doc = doc;
  value.node = doc->root;
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

#define HFM__GENERATION_KEY "generation_config."

/* The document's value (which may be null); the model type's default where the key is absent. "generation_config.x" is
   x in generation_config.json. */
HFM__PRIVATE hfm__config_value hfm__config_find(const hfm_config *config, const char *key) {
  hfm__config_value value;
  if (hfm__starts_with(key, HFM__GENERATION_KEY))
    return hfm__config_walk(&config->generation, config, key + sizeof HFM__GENERATION_KEY - 1);
  value = hfm__config_walk(&config->document, config, key);
  if (value.node || !config->defaults.root) return value;
  return hfm__config_walk(&config->defaults, config, key);
}

/* The file that a key stands in, for errors. */
HFM__PRIVATE const char *hfm__config_file(const hfm_config *config, const char *key) {
  return config->generation_file && hfm__starts_with(key, HFM__GENERATION_KEY) ? config->generation_file : config->file;
}

/* ---- Getters ---- */

/* Labels that id2label lists, or 0. */
HFM__PRIVATE int64_t hfm__config_label_count(const hfm_config *config) {
  const hfm__config_value labels = hfm__config_find(config, "id2label");
  return hfm__json_kind(labels.doc, labels.node) == HFM__JSON_OBJECT ? (int64_t)labels.doc->nodes[labels.node].size : 0;
}

/* Transformers' rule: "num_labels" in the file beats id2label; two labels if there is neither. */
HFM__PRIVATE int64_t hfm__config_num_labels(const hfm_config *config) {
  const hfm__config_value written = hfm__config_walk(&config->document, config, "num_labels");
  const int64_t listed = hfm__config_label_count(config);
  hfm__config_value value;
  int64_t count;
  if (hfm__json_int(written.doc, written.node, &count)) return count;
  if (listed) return listed;
  value = hfm__config_find(config, "num_labels");
  return hfm__json_int(value.doc, value.node, &count) ? count : 2;
}

/* Calls for each pair of id2label, until a call fails; a number is a name, too, its digits. `name` lives as long as the
   call. None if "num_labels" overruled the list: then Transformers names them LABEL_i. */
HFM__PRIVATE hfm_result hfm__config_each_label(const hfm_config *config, void *ctx,
                                               hfm_result (*label)(void *ctx, int64_t id, const char *name)) {
  const hfm__config_value labels = hfm__config_find(config, "id2label");
  hfm_result result = HFM_OK;
  uint32_t key = hfm__json_first(labels.doc, labels.node);
  int64_t id;
  if (hfm__config_label_count(config) != hfm__config_num_labels(config)) return HFM_OK;
  for (; key && result == HFM_OK; key = hfm__json_following(labels.doc, key)) {
    const hfm__json_node *node = &labels.doc->nodes[key];
    const hfm__json_node *value = &labels.doc->nodes[key + 1];
    const char *name = hfm__json_text(labels.doc, key + 1);
    char digits[64];
    hfm__text t = hfm__text_to(digits, sizeof digits);
    if (value->kind == HFM__JSON_NUMBER) hfm__text_bytes(&t, labels.doc->text + value->start, value->size);
    if (hfm__json_i64(labels.doc->text + node->start, node->size, &id)) result = label(ctx, id, name ? name : digits);
  }
  return result;
}

HFMODEL_API int64_t hfm_config_get_int(const hfm_config *config, const char *key, int64_t fallback) {
  hfm__config_value value;
  int64_t number;
  if (!config || !key) return fallback;
  if (hfm__equal(key, "num_labels")) return hfm__config_num_labels(config);
  value = hfm__config_find(config, key);
  return hfm__json_int(value.doc, value.node, &number) ? number : fallback;
}

HFMODEL_API double hfm_config_get_float(const hfm_config *config, const char *key, double fallback) {
  hfm__config_value value;
  double number;
  if (!config || !key) return fallback;
  value = hfm__config_find(config, key);
  return hfm__json_double(value.doc, value.node, &number) ? number : fallback;
}

HFMODEL_API int32_t hfm_config_get_bool(const hfm_config *config, const char *key, int32_t fallback) {
  hfm__config_value value;
  int32_t truth;
  if (!config || !key) return fallback;
  value = hfm__config_find(config, key);
  return hfm__json_bool(value.doc, value.node, &truth) ? truth : fallback;
}

HFMODEL_API const char *hfm_config_get_string(const hfm_config *config, const char *key, const char *fallback) {
  hfm__config_value value;
  const char *text;
  if (!config || !key) return fallback;
  value = hfm__config_find(config, key);
  text = hfm__json_text(value.doc, value.node);
  return text ? text : fallback;
}

HFMODEL_API int32_t hfm_config_has(const hfm_config *config, const char *key) {
  hfm__config_value value;
  if (!config || !key) return 0;
  value = hfm__starts_with(key, HFM__GENERATION_KEY) ? hfm__config_find(config, key)
                                                     : hfm__config_walk(&config->document, config, key);
  return hfm__json_kind(value.doc, value.node) > HFM__JSON_NULL;
}

/* ---- Getters that insist ---- */

/* A value of another type than was expected. */
HFM__PRIVATE hfm_result hfm__config_wrong(const hfm_config *config, const char *key, const char *expected,
                                          hfm_error *error) {
  const hfm__config_value value = hfm__config_find(config, key);
  char found[HFM__JSON_SHOWN];
  hfm__text t = hfm__text_to(found, sizeof found);
  hfm__json_found(value.doc, value.node, &t);
  return hfm__fail(error, HFM_E_CONFIG_TYPE, hfm__config_file(config, key), key, 0, "%q must be %s, found %s", key,
                   expected, found);
}

/* An integer in [low, high]; absent, null, of another type or outside is an error that names file, key and value. */
HFM__PRIVATE hfm_result hfm__config_need_int(const hfm_config *config, const char *key, int64_t low, int64_t high,
                                             int64_t *out, hfm_error *error) {
  const hfm__config_value value = hfm__config_find(config, key);
  *out = 0;
  if (hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL)
    return hfm__fail(error, HFM_E_CONFIG_MISSING, hfm__config_file(config, key), key, 0,
                     "%q is needed, an integer from %i to %i, but is null or absent", key, low, high);
  if (!hfm__json_int(value.doc, value.node, out)) {
    char expected[80];
    hfm__text t = hfm__text_to(expected, sizeof expected);
    hfm__text_format(&t, "an integer from %i to %i", low, high);
    return hfm__config_wrong(config, key, expected, error);
  }
  if (*out < low || *out > high) {
    const int64_t found = *out;
    *out = 0;
    return hfm__fail(error, HFM_E_CONFIG_RANGE, hfm__config_file(config, key), key, 0,
                     "%q is %i, but must be from %i to %i", key, found,
                     low, high);
  }
  return HFM_OK;
}

/* A finite number in [low, high]; the same errors. */
HFM__PRIVATE hfm_result hfm__config_need_float(const hfm_config *config, const char *key, double low, double high,
                                               double *out, hfm_error *error) {
  const hfm__config_value value = hfm__config_find(config, key);
  double number = 0;
  *out = 0;
  if (hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL)
    return hfm__fail(error, HFM_E_CONFIG_MISSING, hfm__config_file(config, key), key, 0,
                     "%q is needed, a number from %g to %g, but is null or absent", key, low, high);
  if (!hfm__json_double(value.doc, value.node, &number)) {
    char expected[96];
    hfm__text t = hfm__text_to(expected, sizeof expected);
    hfm__text_format(&t, "a finite number from %g to %g", low, high);
    return hfm__config_wrong(config, key, expected, error);
  }
  if (!(number >= low && number <= high))
    return hfm__fail(error, HFM_E_CONFIG_RANGE, hfm__config_file(config, key), key, 0,
                     "%q is %g, but must be from %g to %g", key,
                     number, low, high);
  *out = number;
  return HFM_OK;
}

/* Yes or no, and Python's 1 and 0 for them; null and nothing are no, as Python takes them. */
HFM__PRIVATE hfm_result hfm__config_opt_bool(const hfm_config *config, const char *key, int32_t *out,
                                             hfm_error *error) {
  const hfm__config_value value = hfm__config_find(config, key);
  int64_t number;
  *out = 0;
  if (hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL) return HFM_OK;
  if (hfm__json_bool(value.doc, value.node, out)) return HFM_OK;
  if (!hfm__json_int(value.doc, value.node, &number) || number < 0 || number > 1)
    return hfm__config_wrong(config, key, "true or false", error);
  *out = (int32_t)number;
  return HFM_OK;
}

/* A text, `fallback` where there is null or nothing. */
HFM__PRIVATE hfm_result hfm__config_opt_string(const hfm_config *config, const char *key, const char *fallback,
                                               const char **out, hfm_error *error) {
  const hfm__config_value value = hfm__config_find(config, key);
  *out = fallback;
  if (hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL) return HFM_OK;
  *out = hfm__json_text(value.doc, value.node);
  if (*out) return HFM_OK;
  *out = fallback;
  return hfm__config_wrong(config, key, "a string (without a NUL character)", error);
}

/* What every model reads, whatever its family: a value of another type would silently count for nothing. */
HFM__PRIVATE hfm_result hfm__config_check_types(const hfm_config *config, hfm_error *error) {
  static const struct {
    const char *key;
    int32_t kind;
    const char *expected;
  } types[] = {{"model_type", HFM__JSON_STRING, "a string"},
               {"architectures", HFM__JSON_ARRAY, "a list of class names"},
               {"dtype", HFM__JSON_STRING, "the name of a dtype"},
               {"id2label", HFM__JSON_OBJECT, "an object of numbers and names"}};
  const hfm__config_value labels = hfm__config_walk(&config->document, config, "num_labels");
  const hfm__config_value classes = hfm__config_find(config, "architectures");
  const hfm__config_value names = hfm__config_find(config, "id2label");
  int64_t count;
  for (size_t i = 0; i < HFM__COUNT(types); i++) {
    const hfm__config_value value = hfm__config_find(config, types[i].key);
    const int32_t kind = hfm__json_kind(value.doc, value.node);
    if (kind > HFM__JSON_NULL &&
        (kind != types[i].kind || (kind == HFM__JSON_STRING && !hfm__json_text(value.doc, value.node))))
      return hfm__config_wrong(config, types[i].key, types[i].expected, error);
  }
  for (uint32_t key = hfm__json_first(names.doc, names.node); key; key = hfm__json_following(names.doc, key)) {
    const hfm__json_node *id = &names.doc->nodes[key];
    if (!hfm__json_i64(names.doc->text + id->start, id->size, &count) ||
        (names.doc->nodes[key + 1].kind != HFM__JSON_NUMBER && !hfm__json_text(names.doc, key + 1)))
      return hfm__config_wrong(config, "id2label", "an object of numbers and names", error);
  }
  for (uint32_t node = hfm__json_first(classes.doc, classes.node); node;
       node = hfm__json_following(classes.doc, node))
    if (!hfm__json_text(classes.doc, node))
      return hfm__config_wrong(config, "architectures", "a list of class names", error);
  if (hfm__json_kind(labels.doc, labels.node) > HFM__JSON_NULL && !hfm__json_int(labels.doc, labels.node, &count))
    return hfm__config_wrong(config, "num_labels", "an integer", error);
  return HFM_OK;
}

/* ---- RoPE, in both spellings ---- */

/* A rope parameter. The model's are in "rope_scaling" if it says anything, as old files and users who add it to new
   ones have it, else in "rope_parameters". Where each type of layer has its own (`layer_type` is not NULL), they are in
   that member of "rope_parameters"; what "rope_scaling" says is for full attention, but its "type" is not heard, since
   each type of layer has a "rope_type" by then. */
HFM__PRIVATE hfm__config_value hfm__config_rope_member(const hfm_config *config, const char *layer_type,
                                                       const char *key) {
  const hfm__config_value scaling = hfm__config_find(config, "rope_scaling");
  const int scales = layer_type ? hfm__equal(layer_type, "full_attention") && !hfm__equal(key, "type") &&
                                      hfm__json_member_of(scaling.doc, scaling.node, key) != 0
                                : hfm__json_first(scaling.doc, scaling.node) != 0;
  hfm__config_value value = scales ? scaling : hfm__config_find(config, "rope_parameters");
  if (layer_type && !scales) value.node = hfm__json_member_of(value.doc, value.node, layer_type);
  value.node = hfm__json_member_of(value.doc, value.node, key);
  return value;
}

/* "default", "linear", "llama3", ...: "rope_type", or "type" in old files. */
HFM__PRIVATE const char *hfm__config_rope_type(const hfm_config *config, const char *layer_type) {
  hfm__config_value value = hfm__config_rope_member(config, layer_type, "rope_type");
  const char *text = hfm__json_text(value.doc, value.node);
  if (text) return text;
  value = hfm__config_rope_member(config, layer_type, "type");
  text = hfm__json_text(value.doc, value.node);
  return text ? text : "default";
}

/* ---- Setters ---- */

HFM__PRIVATE uint32_t hfm__config_no_place(const hfm_config *config, const char *key, const char *problem,
                                           hfm_result *result, hfm_error *error) {
  *result = hfm__fail(error, HFM_E_ARGUMENT_VALUE, config->file, key, 0, "%q: %s", key, problem);
  return 0;
}

HFM__PRIVATE int hfm__config_is_path(const char *key) {
  for (int32_t parts = 0; parts < HFM__CONFIG_MAX_PARTS; parts++) {
    const size_t size = hfm__config_part(key);
    if (size == 0 || !key[size]) return size != 0;
    key += size + 1;
  }
  return 0;
}

/* The node that `key` stands for: made if it isn't there (but no element of a list), or, with `make` 0, looked for to
   be removed from `*object`, the object it is in. */
HFM__PRIVATE uint32_t hfm__config_place(hfm_config *config, const char *key, uint32_t *object, const char **name,
                                        size_t *name_size, int make, hfm_result *result, hfm_error *error) {
  hfm__json *doc = &config->document;
  const char *const whole = key;
  uint32_t node = doc->root;
  *result = HFM_OK;
  if (!hfm__config_is_path(key))
    return hfm__config_no_place(config, key, "a key has 1 to 64 parts, none of them empty", result, error);
  if (hfm__starts_with(key, HFM__GENERATION_KEY))
    return hfm__config_no_place(config, key, "generation_config.json is only read: say it in hfm_generation_config",
                                result, error);
  for (;;) {
    const size_t size = hfm__config_part(key);
    uint32_t found;
    if (hfm__json_kind(doc, node) == HFM__JSON_ARRAY) {
      node = hfm__config_element(doc, node, key, size);
      if (!make && !key[size])
        return hfm__config_no_place(config, whole, "elements are not removed one by one: set the list with "
                                                   "hfm_config_set_json", result, error);
      if (!node && !make) return 0;
      if (!node)
        return hfm__config_no_place(config, whole, "the list has no such element: set the list with "
                                                   "hfm_config_set_json", result, error);
      if (!key[size]) return node;
      key += size + 1;
      continue;
    }
    if (hfm__json_kind(doc, node) != HFM__JSON_OBJECT) {
      if (!make) return 0;
      if (hfm__json_kind(doc, node) != HFM__JSON_NULL) break;
      doc->nodes[node].kind = HFM__JSON_OBJECT;
      doc->nodes[node].start = doc->nodes[node].size = 0;
    }
    *object = node;
    found = hfm__config_key(doc, node, hfm__config_class_of(config, node), key, size);
    *name = found ? doc->text + doc->nodes[found].start : key;
    *name_size = found ? doc->nodes[found].size : size;
    if (!found && !make) return 0;
    if (!found) {
      const hfm__config_pair *pair = hfm__config_names(hfm__config_class_of(config, node), key, size);
      found = pair ? hfm__json_insert(doc, node, pair->value, strlen(pair->value))
                   : hfm__json_insert(doc, node, key, size);
      if (!found) {
        *result = hfm__fail_memory(error, "a configuration", 0);
        return 0;
      }
      found--;
    }
    node = found + 1;
    if (!key[size]) return node;
    key += size + 1;
  }
  return hfm__config_no_place(config, whole, "a part of it is neither object nor list", result, error);
}

/* num_labels is not stored: Transformers writes LABEL_0 ... into id2label and label2id, and nothing for two labels.
   Where such lists would be absurd the number stands for them, which Transformers reads, too. */
HFM__PRIVATE hfm_result hfm__config_set_labels(hfm_config *config, int64_t count, hfm_error *error) {
  static const char *const names[2] = {"id2label", "label2id"};
  hfm__json *doc = &config->document;
  if (count < 1 || count > HFM__CONFIG_MAX_LABELS)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, config->file, "num_labels", 0,
                     "num_labels is %i, but must be from 1 to %d", count, (int)HFM__CONFIG_MAX_LABELS);
  hfm__json_remove(doc, doc->root, "num_labels", 10);
  if (hfm__config_label_count(config) == count) return HFM_OK;
  for (int32_t i = 0; i < 2; i++) hfm__json_remove(doc, doc->root, names[i], 8);
  if (hfm__config_num_labels(config) == count) return HFM_OK;
  if (count > HFM__CONFIG_LISTED_LABELS) {
    char number[24];
    hfm__text t = hfm__text_to(number, sizeof number);
    const uint32_t node = hfm__json_insert(doc, doc->root, "num_labels", 10);
    hfm__text_i64(&t, count);
    return node && hfm__json_set_scalar(doc, node, HFM__JSON_NUMBER, number, t.length)
               ? HFM_OK
               : hfm__fail_memory(error, "a configuration", 0);
  }
  for (int32_t reverse = 0; reverse < 2; reverse++) {
    const uint64_t room = (uint64_t)count * 40 + 3;
    char *json = (char *)hfm__alloc(&config->ctx.mem, room);
    hfm__text t;
    uint32_t node = 0;
    hfm_result result;
    if (!json) return hfm__fail_memory(error, "labels", room);
    t = hfm__text_to(json, (size_t)room);
    hfm__text_char(&t, '{');
    for (int64_t i = 0; i < count; i++)
      hfm__text_format(&t, reverse ? "%s\"LABEL_%i\":%i" : "%s\"%i\":\"LABEL_%i\"", i ? "," : "", i, i);
    hfm__text_char(&t, '}');
    node = hfm__json_insert(doc, doc->root, names[reverse], 8);
    result = node ? hfm__json_set_text(doc, node, json, t.length, 0, error)
                  : hfm__fail_memory(error, "a configuration", 0);
    hfm__free(&config->ctx.mem, json, room);
    if (result != HFM_OK) return result;
  }
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__config_set(hfm_config *config, const char *key, int32_t kind, const char *text,
                                        size_t size, hfm_error *error) {
  uint32_t object, node;
  const char *name;
  size_t name_size;
  hfm_result result;
  hfm__clear_error(error);
  if (!config || !key || !text)
    return hfm__fail_null(error, !config ? "config" : !key ? "key" : "value");
  node = hfm__config_place(config, key, &object, &name, &name_size, 1, &result, error);
  if (!node) return result;
  if (kind == HFM__JSON_FAILED) /* any JSON text */
    result = hfm__json_set_text(&config->document, node, text, size, HFM__JSON_NONFINITE, error);
  else if (!hfm__json_set_scalar(&config->document, node, kind, text, size))
    result = hfm__fail_memory(error, "a configuration", 0);
  if (result == HFM_OK && hfm__equal(key, "model_type")) result = hfm__config_bind(config, error);
  return result;
}

HFMODEL_API hfm_result hfm_config_set_int(hfm_config *config, const char *key, int64_t value, hfm_error *error) {
  char text[24];
  hfm__text t = hfm__text_to(text, sizeof text);
  hfm__text_i64(&t, value);
  if (config && key && hfm__equal(key, "num_labels")) {
    hfm__clear_error(error);
    return hfm__config_set_labels(config, value, error);
  }
  return hfm__config_set(config, key, HFM__JSON_NUMBER, text, t.length, error);
}

HFMODEL_API hfm_result hfm_config_set_float(hfm_config *config, const char *key, double value, hfm_error *error) {
  const uint64_t bits = hfm__double_bits(value);
  char text[40];
  hfm__text t = hfm__text_to(text, sizeof text);
  if ((bits >> 52 & 0x7ff) != 0x7ff) hfm__text_double(&t, value);
  else hfm__text_str(&t, bits << 12 ? "NaN" : bits >> 63 ? "-Infinity" : "Infinity");
  return hfm__config_set(config, key, HFM__JSON_NUMBER, text, t.length, error);
}

HFMODEL_API hfm_result hfm_config_set_bool(hfm_config *config, const char *key, int32_t value, hfm_error *error) {
  return hfm__config_set(config, key, HFM__JSON_BOOL, value ? "true" : "false", value ? 4 : 5, error);
}

HFMODEL_API hfm_result hfm_config_set_string(hfm_config *config, const char *key, const char *value, hfm_error *error) {
  const size_t size = value ? strlen(value) : 0;
  for (size_t i = 0; i < size;) {
    const size_t length = hfm__utf8_length(value + i, size - i);
    if (!length)
      return hfm__fail(error, HFM_E_JSON_UTF8, NULL, key, (uint64_t)i, "byte %u of the value for %q is not UTF-8",
                       (uint64_t)i, key ? key : "");
    i += length;
  }
  return hfm__config_set(config, key, HFM__JSON_STRING, value, size, error);
}

HFMODEL_API hfm_result hfm_config_set_json(hfm_config *config, const char *key, const char *json, hfm_error *error) {
  return hfm__config_set(config, key, HFM__JSON_FAILED, json, json ? strlen(json) : 0, error);
}

HFMODEL_API hfm_result hfm_config_remove(hfm_config *config, const char *key, hfm_error *error) {
  uint32_t object = 0;
  const char *name = NULL;
  size_t name_size = 0;
  hfm_result result;
  hfm__clear_error(error);
  if (!config || !key)
    return hfm__fail_null(error, config ? "key" : "config");
  if (hfm__config_place(config, key, &object, &name, &name_size, 0, &result, error))
    hfm__json_remove(&config->document, object, name, name_size);
  if (result == HFM_OK && hfm__equal(key, "model_type")) result = hfm__config_bind(config, error);
  return result;
}

HFMODEL_API size_t hfm_config_to_json(const hfm_config *config, char *buffer, size_t size) {
  hfm__text t = hfm__text_to(buffer, buffer ? size : 0);
  if (!config) return 0;
  hfm__json_write(&config->document, config->document.root, &t);
  hfm__text_char(&t, '\n');
  return t.length;
}

/* A copy that is the caller's, without generation_config.json. */
HFM__PRIVATE hfm_result hfm__config_copy(const hfm_config *config, const hfm__context *ctx, hfm_config **out,
                                         hfm_error *error) {
  hfm_config *copy = hfm__config_new(ctx, config->file, error);
  hfm_result result;
  *out = NULL;
  if (!copy) return HFM_ERROR_MEMORY;
  if (hfm__json_copy(&copy->document, &config->document, &ctx->mem)) result = hfm__config_bind(copy, error);
  else result = hfm__fail_memory(error, "a configuration", 0);
  if (result == HFM_OK) *out = copy;
  else hfm_config_free(copy);
  return result;
}
