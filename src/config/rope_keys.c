/* ==== config/rope_keys (private): rope parameters, in both spellings ===============================================
   New files have all parameters in "rope_parameters", in a member for each type of layer where those differ; old files
   have "rope_scaling", and rope_theta beside it. "rope_scaling" counts if it says anything, as users add it to new
   files, too. Where each type of layer has its own, what it says is for full attention, but its "type" is heard only
   where the file has parameters for full attention without a "rope_type": otherwise they have one by then. */

enum { HFM__ROPE_PATH = 128 };

#ifdef HFM__WITH_ROPE
#define HFM__ROPE_PARAMETERS "rope_parameters."
#define HFM__ROPE_SCALING "rope_scaling."

typedef struct hfm__rope_key {
  const char *asked; /* HFM__ROPE_PARAMETERS or HFM__ROPE_SCALING */
  const char *layer; /* type of layer, or NULL */
  const char *path;  /* "factor", "long_factor.3" */
} hfm__rope_key;

/* 1 if `key` stands for a rope parameter: "rope_parameters.factor", "rope_parameters.full_attention.factor",
   "rope_scaling.factor", "rope_theta". */
HFM__PRIVATE int hfm__rope_key_parse(const hfm_config *config, const char *key, hfm__rope_key *out) {
  const hfm__rope_name *names = config->class_known ? config->class_known->rope_names : NULL, *at;
  if (!names) return 0;
  out->asked = hfm__starts_with(key, HFM__ROPE_SCALING) ? HFM__ROPE_SCALING : HFM__ROPE_PARAMETERS;
  out->path = hfm__starts_with(key, out->asked) ? key + strlen(out->asked) : NULL;
  out->layer = NULL;
  for (at = names; at->name; at++) {
    const size_t size = at->layer_type ? strlen(at->layer_type) : 0;
    if (hfm__equal(key, at->beside)) {
      out->layer = at->layer_type;
      out->path = at->name;
      return 1;
    }
    if (out->path && size && hfm__starts_with(out->path, at->layer_type) && out->path[size] == '.') {
      out->layer = at->layer_type;
      out->path += size + 1;
      return 1;
    }
  }
  return out->path && !names->layer_type;
}

/* As new files have it: "rope_parameters.factor", or of a type of layer "rope_parameters.full_attention.factor". */
HFM__PRIVATE void hfm__text_rope_key(hfm__text *t, const char *layer, const char *path) {
  hfm__text_format(t, HFM__ROPE_PARAMETERS "%s%s%s", layer ? layer : "", layer ? "." : "", path);
}

/* Does the document's node, which may be 0, have the member that `path` begins with? */
HFM__PRIVATE int hfm__rope_has(const hfm__json *doc, uint32_t object, const char *path) {
  return hfm__json_kind(doc, object) == HFM__JSON_OBJECT &&
         hfm__json_find_key(doc, object, path, hfm__config_part(path)) != 0;
}

/* What the parameter is called beside the others, if the document has it there or `key` calls it so; else NULL. */
HFM__PRIVATE const char *hfm__rope_beside(const hfm_config *config, const char *key, const hfm__rope_key *rope) {
  const hfm__rope_name *at;
  for (at = config->class_known->rope_names; at->name; at++)
    if (hfm__equal(rope->path, at->name) && (!rope->layer || hfm__equal(rope->layer, at->layer_type)) &&
        (hfm__equal(key, at->beside) || hfm__rope_has(&config->document, config->document.root, at->beside)))
      return at->beside;
  return NULL;
}

/* The one that counts beside the others wherever it is there (Phi-3, whose class has a default for it). */
HFM__PRIVATE const char *hfm__rope_outside(const hfm_config *config, const hfm__rope_key *rope) {
  static const char key[] = "original_max_position_embeddings";
  const hfm__json *doc = &config->document, *defaults = &config->defaults;
  if (rope->layer || !hfm__equal(rope->path, key)) return NULL;
  return hfm__json_kind(doc, hfm__json_member_of(doc, doc->root, key)) > HFM__JSON_NULL ||
                 hfm__rope_has(defaults, defaults->root, key)
             ? key
             : NULL;
}

/* Is what counts in "rope_scaling"? Else it is in `object`. A rope_type may become the "type" that stands for it. */
HFM__PRIVATE int hfm__rope_scales(const hfm__json *doc, uint32_t scaling, uint32_t object, hfm__rope_key *rope) {
  int old_type;
  if (!rope->layer) return hfm__json_first(doc, scaling) != 0;
  if (!hfm__equal(rope->layer, "full_attention")) return 0;
  old_type = hfm__json_kind(doc, object) == HFM__JSON_OBJECT && !hfm__rope_has(doc, object, "rope_type") &&
             hfm__rope_has(doc, scaling, "type") && !hfm__rope_has(doc, scaling, "rope_type");
  if (old_type && hfm__equal(rope->path, "rope_type")) rope->path = "type";
  return hfm__rope_has(doc, scaling, rope->path) && (old_type || !hfm__equal(rope->path, "type"));
}

/* Where the document has the parameter, or would have it, into `path` [HFM__ROPE_PATH]. 0: `key` is none, and stands
   for itself. */
HFM__PRIVATE int hfm__rope_written_as(const hfm_config *config, const char *key, char *path) {
  const hfm__json *doc = &config->document;
  const uint32_t scaling = hfm__json_member_of(doc, doc->root, "rope_scaling");
  const uint32_t parameters = hfm__json_member_of(doc, doc->root, "rope_parameters");
  hfm__text t = hfm__text_to(path, HFM__ROPE_PATH);
  const char *beside;
  hfm__rope_key rope;
  uint32_t object;
  int scales;
  if (!hfm__rope_key_parse(config, key, &rope)) return 0;
  beside = hfm__rope_outside(config, &rope);
  if (beside) return hfm__text_format(&t, "%s", beside), 1;
  object = rope.layer ? hfm__json_member_of(doc, parameters, rope.layer) : parameters;
  scales = hfm__rope_scales(doc, scaling, object, &rope);
  if (scales) object = scaling;
  if (hfm__equal(rope.path, "type") && hfm__rope_has(doc, object, "rope_type")) rope.path = "rope_type"; /* it counts */
  if (!hfm__rope_has(doc, object, rope.path)) {
    beside = hfm__rope_beside(config, key, &rope);
    if (hfm__equal(rope.path, "rope_type") && hfm__rope_has(doc, object, "type")) rope.path = "type";
    else if (beside) return hfm__text_format(&t, "%s", beside), 1;
  }
  if (scales) hfm__text_format(&t, HFM__ROPE_SCALING "%s", rope.path);
  else if (rope.layer || hfm__json_first(doc, parameters)) hfm__text_rope_key(&t, rope.layer, rope.path);
  else hfm__text_format(&t, "%s%s", rope.asked, rope.path);
  return t.length < HFM__ROPE_PATH;
}

/* The same among the class's defaults, which are in the new spelling. */
HFM__PRIVATE int hfm__rope_default_as(const hfm_config *config, const char *key, char *path) {
  hfm__text t = hfm__text_to(path, HFM__ROPE_PATH);
  hfm__rope_key rope;
  if (!hfm__rope_key_parse(config, key, &rope)) return 0;
  if (hfm__rope_outside(config, &rope)) hfm__text_format(&t, "%s", rope.path);
  else hfm__text_rope_key(&t, rope.layer, hfm__equal(rope.path, "type") ? "rope_type" : rope.path);
  return t.length < HFM__ROPE_PATH;
}

/* Before `key` is made: types of layers without parameters get what Transformers takes for them. It means the same;
   without it "rope_scaling" beside parameters of one type would be an error there, or a "type" in it be heard. */
HFM__PRIVATE hfm_result hfm__rope_make_types(hfm_config *config, const char *key, hfm_error *error) {
  static const char name[] = "rope_parameters", otherwise[] = "{\"rope_type\": \"default\"}";
  const hfm__rope_name *at = config->class_known ? config->class_known->rope_names : NULL;
  hfm__json *doc = &config->document;
  uint32_t object = hfm__json_member_of(doc, doc->root, name), node = 1;
  hfm_result result = HFM_OK;
  if (!at || !at->layer_type) return HFM_OK;
  if (!hfm__starts_with(key, HFM__ROPE_PARAMETERS) &&
      (hfm__json_kind(doc, object) <= HFM__JSON_NULL ||
       (!hfm__equal(key, "rope_scaling") && !hfm__starts_with(key, "rope_scaling."))))
    return HFM_OK;
  if (!object) object = node = hfm__json_insert(doc, doc->root, name, strlen(name));
  if (object && hfm__json_kind(doc, object) == HFM__JSON_NULL)
    result = hfm__json_set_text(doc, object, "{}", 2, 0, error);
  for (; node && result == HFM_OK && hfm__json_kind(doc, object) == HFM__JSON_OBJECT && at->name; at++) {
    node = hfm__json_insert(doc, object, at->layer_type, strlen(at->layer_type));
    if (node && hfm__json_kind(doc, node) == HFM__JSON_NULL)
      result = hfm__json_set_text(doc, node, otherwise, strlen(otherwise), 0, error);
  }
  return node ? result : hfm__fail_memory(error, "a configuration", 0);
}
#else
/* No model type of this build has any: every key stands for itself. */
HFM__PRIVATE int hfm__rope_written_as(const hfm_config *config, const char *key, char *path) {
  (void)config, (void)key, (void)path;
  return 0;
}

HFM__PRIVATE int hfm__rope_default_as(const hfm_config *config, const char *key, char *path) {
  return hfm__rope_written_as(config, key, path);
}

HFM__PRIVATE hfm_result hfm__rope_make_types(hfm_config *config, const char *key, hfm_error *error) {
  (void)config, (void)key, (void)error;
  return HFM_OK;
}
#endif
