/* ==== config/values (private): what a configuration says, and saying it ===========================================
   Getters for everybody, getters that insist for families, setters. */

#define HFM__GENERATION_KEY "generation_config."

/* What the document, or generation_config.json, says. */
HFM__PRIVATE hfm__config_value hfm__config_written(const hfm_config *config, const char *key) {
  char path[HFM__ROPE_PATH];
  if (hfm__starts_with(key, HFM__GENERATION_KEY))
    return hfm__config_walk(&config->generation, config, key + sizeof HFM__GENERATION_KEY - 1);
  return hfm__config_walk(&config->document, config, hfm__rope_written_as(config, key, path) ? path : key);
}

/* The document's value (which may be null); the model type's default where the key is absent, or null and Transformers
   takes another key's value then. "generation_config.x" is x in generation_config.json. */
HFM__PRIVATE hfm__config_value hfm__config_said(const hfm_config *config, const char *key) {
  hfm__config_value value, otherwise;
  char path[HFM__ROPE_PATH];
  for (;;) {
    const char *same_as;
    value = hfm__config_written(config, key);
    if (hfm__json_kind(value.doc, value.node) > HFM__JSON_NULL || !config->defaults.root ||
        value.doc == &config->generation)
      return value;
    otherwise = hfm__config_walk(&config->defaults, config, hfm__rope_default_as(config, key, path) ? path : key);
    same_as = hfm__json_text(otherwise.doc, otherwise.node);
    if (!same_as || same_as[0] != '=') return value.node ? value : otherwise;
    key = same_as + 1;
    if (strchr(key, '/')) return hfm__config_walk(&config->defaults, config, key); /* a quotient, no file's key */
  }
}

/* The class's rule for a key, or for the list that it is an element of; NULL: it has none. */
HFM__PRIVATE const hfm__config_rule *hfm__config_rule_of(const hfm_config *config, const char *key) {
  const size_t size = hfm__config_part(key);
  const hfm__config_rule *rule = config->class_known ? config->class_known->rules : NULL;
  while (rule && rule->key && !hfm__is_part(key, size, rule->key)) rule++;
  return rule && rule->key && (rule->length || !key[size]) ? rule : NULL;
}

/* By that rule; of a list that stands in the file no element is worked out. */
HFM__PRIVATE hfm__config_value hfm__config_by_rule(const hfm_config *config, const hfm__config_rule *rule,
                                                   const char *key) {
  const hfm__config_value none = hfm__config_node(&config->document, 0);
  const char *index = key + strlen(rule->key) + 1;
  hfm__config_value list;
  uint64_t i;
  if (!rule->length) return rule->value(config, 0);
  if (!index[-1] || !hfm__json_u64(index, strlen(index), &i)) return none;
  list = hfm__config_said(config, rule->key);
  if (hfm__value_kind(&list) > HFM__JSON_NULL || i > INT64_MAX || (int64_t)i >= rule->length(config)) return none;
  return rule->value(config, (int64_t)i);
}

/* What counts for Transformers: what is said, and what the class works out where nothing is, or whatever is. */
HFM__PRIVATE hfm__config_value hfm__config_find(const hfm_config *config, const char *key) {
  const hfm__config_rule *rule = hfm__config_rule_of(config, key);
  const hfm__config_value said = hfm__config_said(config, key);
  hfm__config_value worked_out;
  if (!rule || (!rule->overrides && hfm__value_kind(&said) > HFM__JSON_NULL)) return said;
  worked_out = hfm__config_by_rule(config, rule, key);
  return hfm__value_kind(&worked_out) ? worked_out : said;
}

HFM__PRIVATE int hfm__config_is_null(const hfm_config *config, const char *key) {
  const hfm__config_value value = hfm__config_find(config, key);
  return hfm__value_kind(&value) <= HFM__JSON_NULL;
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
  return hfm__value_int(&value, &number) ? number : fallback;
}

HFMODEL_API double hfm_config_get_float(const hfm_config *config, const char *key, double fallback) {
  hfm__config_value value;
  double number;
  if (!config || !key) return fallback;
  value = hfm__config_find(config, key);
  return hfm__value_double(&value, &number) ? number : fallback;
}

HFMODEL_API int32_t hfm_config_get_bool(const hfm_config *config, const char *key, int32_t fallback) {
  hfm__config_value value;
  int32_t truth;
  if (!config || !key) return fallback;
  value = hfm__config_find(config, key);
  return hfm__value_bool(&value, &truth) ? truth : fallback;
}

HFMODEL_API const char *hfm_config_get_string(const hfm_config *config, const char *key, const char *fallback) {
  hfm__config_value value;
  const char *text;
  if (!config || !key) return fallback;
  value = hfm__config_find(config, key);
  text = hfm__value_text(&value);
  return text ? text : fallback;
}

HFMODEL_API int64_t hfm_config_length(const hfm_config *config, const char *key) {
  const hfm__config_rule *rule;
  hfm__config_value value;
  int32_t kind;
  if (!config || !key) return -1;
  value = hfm__config_find(config, key);
  kind = hfm__value_kind(&value);
  if (kind == HFM__JSON_ARRAY || kind == HFM__JSON_OBJECT) return (int64_t)value.doc->nodes[value.node].size;
  rule = kind > HFM__JSON_NULL ? NULL : hfm__config_rule_of(config, key);
  return rule && rule->length && hfm__equal(rule->key, key) ? rule->length(config) : -1;
}

HFMODEL_API int32_t hfm_config_has(const hfm_config *config, const char *key) {
  hfm__config_value value;
  if (!config || !key) return 0;
  value = hfm__config_written(config, key);
  return hfm__value_kind(&value) > HFM__JSON_NULL;
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
  if (hfm__value_kind(&value) <= HFM__JSON_NULL)
    return hfm__fail(error, HFM_E_CONFIG_MISSING, hfm__config_file(config, key), key, 0,
                     "%q is needed, an integer from %i to %i, but is null or absent", key, low, high);
  if (!hfm__value_int(&value, out)) {
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
  if (hfm__value_kind(&value) <= HFM__JSON_NULL)
    return hfm__fail(error, HFM_E_CONFIG_MISSING, hfm__config_file(config, key), key, 0,
                     "%q is needed, a number from %g to %g, but is null or absent", key, low, high);
  if (!hfm__value_double(&value, &number)) {
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
  if (hfm__value_kind(&value) <= HFM__JSON_NULL) return HFM_OK;
  if (hfm__value_bool(&value, out)) return HFM_OK;
  if (!hfm__value_int(&value, &number) || number < 0 || number > 1)
    return hfm__config_wrong(config, key, "true or false", error);
  *out = (int32_t)number;
  return HFM_OK;
}

/* The same for rules: what is neither yes nor no is refused elsewhere, and no here. */
HFM__PRIVATE int32_t hfm__config_truth(const hfm_config *config, const char *key) {
  int32_t truth;
  (void)hfm__config_opt_bool(config, key, &truth, NULL);
  return truth;
}

/* A text, `fallback` where there is null or nothing. */
HFM__PRIVATE hfm_result hfm__config_opt_string(const hfm_config *config, const char *key, const char *fallback,
                                               const char **out, hfm_error *error) {
  const hfm__config_value value = hfm__config_find(config, key);
  *out = fallback;
  if (hfm__value_kind(&value) <= HFM__JSON_NULL) return HFM_OK;
  *out = hfm__value_text(&value);
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
    const int32_t kind = hfm__value_kind(&value);
    if (kind > HFM__JSON_NULL &&
        (kind != types[i].kind || (kind == HFM__JSON_STRING && !hfm__value_text(&value))))
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
  count = hfm__config_label_count(config);
  if ((count ? count : hfm__config_num_labels(config)) == 1 &&
      hfm__equal(hfm_config_get_string(config, "problem_type", ""), "single_label_classification"))
    return hfm__fail(error, HFM_E_CONFIG_VALUE, config->file, "problem_type", 0,
                     "'problem_type' is 'single_label_classification', which needs more than the one label that there "
                     "is: use 'regression', or 2 labels");
  return HFM_OK;
}

/* ---- Setters ---- */

/* A quotient among the defaults, "=a/b", is a default of its own, "a/b": of what the keys say now, its whole part; null
   where one isn't above 0. Transformers divides once, when a configuration is made; here the quotient follows its keys,
   until what it is the default of is set. */
HFM__PRIVATE hfm_result hfm__config_calculate(hfm_config *config, hfm_error *error) {
  const hfm__config_pair *pair = config->class_known ? config->class_known->defaults : NULL;
  for (; pair && pair->key; pair++) {
    const char *slash = pair->value[1] == '=' ? strchr(pair->value, '/') : NULL;
    char name[80], number[24] = "";
    hfm__text t = hfm__text_to(name, sizeof name), quotient = hfm__text_to(number, sizeof number);
    int64_t whole, part;
    uint32_t node;
    if (!slash) continue;
    hfm__text_bytes(&t, pair->value + 2, strlen(pair->value) - 3); /* without quotes and "=" */
    node = hfm__json_insert(&config->defaults, config->defaults.root, name, t.length);
    name[slash - pair->value - 2] = 0;
    whole = hfm_config_get_int(config, name, 0);
    part = hfm_config_get_int(config, name + strlen(name) + 1, 0);
    if (whole > 0 && part > 0) hfm__text_i64(&quotient, whole / part);
    if (!node || !hfm__json_set_scalar(&config->defaults, node, quotient.length ? HFM__JSON_NUMBER : HFM__JSON_NULL,
                                       number, quotient.length))
      return hfm__fail_memory(error, "a configuration", 0);
  }
  return HFM_OK;
}

/* What follows from a change of `key`. */
HFM__PRIVATE hfm_result hfm__config_changed(hfm_config *config, const char *key, hfm_error *error) {
  return hfm__equal(key, "model_type") ? hfm__config_bind(config, error) : hfm__config_calculate(config, error);
}

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
  char path[HFM__ROPE_PATH];
  *result = HFM_OK;
  if (!hfm__config_is_path(key))
    return hfm__config_no_place(config, key, "a key has 1 to 64 parts, none of them empty", result, error);
  if (hfm__starts_with(key, HFM__GENERATION_KEY))
    return hfm__config_no_place(config, key, "generation_config.json is only read: say it in hfm_generation_config",
                                result, error);
  if (hfm__rope_written_as(config, key, path)) key = path;
  if (make) *result = hfm__rope_make_types(config, key, error);
  if (*result != HFM_OK) return 0;
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
    found = hfm__config_key(doc, node, hfm__config_class_of(config, node), key, size);
    if (!found && !make) return 0;
    if (found) {
      *object = node;
      *name = doc->text + doc->nodes[found].start;
      *name_size = doc->nodes[found].size;
    }
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
  return result == HFM_OK ? hfm__config_changed(config, key, error) : result;
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
  return result == HFM_OK ? hfm__config_changed(config, key, error) : result;
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
