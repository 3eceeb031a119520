/* ==== graph/register (private): the first half of a description, as __init__ ===================================== */

/* The class name with '*' replaced by the family's prefix. */
HFM__PRIVATE const char *hfm__class_name(hfm__builder *b, const char *pattern) {
  const char *star = strchr(pattern, '*');
  const size_t size = strlen(pattern) + strlen(b->prefix) + 1;
  char *name;
  hfm__text t;
  if (!star) return pattern;
  name = HFM__NEW(b, char, size);
  if (!name) return pattern;
  t = hfm__text_to(name, size);
  hfm__text_bytes(&t, pattern, (size_t)(star - pattern));
  hfm__text_str(&t, b->prefix);
  hfm__text_str(&t, star + 1);
  return name;
}

/* A formatted string that lives as long as the model. */
HFM__PRIVATE const char *hfm__own_text(hfm__builder *b, const char *format, ...) {
  char buffer[256];
  hfm__text t = hfm__text_to(buffer, sizeof buffer);
  char *copy = NULL;
  va_list args;
  va_start(args, format);
  hfm__text_vformat(&t, format, args);
  va_end(args);
  if (hfm__ok(b)) copy = hfm__arena_copy(&b->tree->arena, buffer, HFM__MIN(t.length, sizeof buffer - 1));
  if (!copy) hfm__builder_memory(b);
  return copy ? copy : "";
}

/* A dropout's probability, which only print(model) shows, where the torch code makes a float of it. */
HFM__PRIVATE const char *hfm__float_probability(hfm__builder *b, const char *key) {
  double value = 0;
  if (hfm__ok(b) && !hfm__is_null(b, key)) b->result = hfm__config_need_float(b->config, key, 0, 1, &value, b->error);
  return hfm__own_text(b, "%g", value);
}

/* The same where it doesn't: 0 where the configuration has 0, 0.0 where it has 0.0. */
HFM__PRIVATE const char *hfm__probability(hfm__builder *b, const char *key) {
  const hfm__config_value written = hfm__config_find(b->config, key);
  const char *text = hfm__float_probability(b, key);
  int64_t whole;
  return hfm__json_int(written.doc, written.node, &whole) ? hfm__own_text(b, "%i", whole) : text;
}

/* A module in the current scope. `name` and `torch_class` must live as long as the model. */
HFM__PRIVATE hfm__mod hfm__module_add(hfm__builder *b, const char *name, const char *torch_class, int32_t kind) {
  hfm__tree *tree = b->tree;
  hfm__mod handle = {0};
  hfm__module *module;
  void *grown;
  if (!hfm__ok(b)) return handle;
  grown = hfm__grow(&b->mem, tree->modules, tree->module_count, &tree->module_capacity, sizeof *tree->modules);
  if (!grown) {
    hfm__builder_memory(b);
    return handle;
  }
  tree->modules = (hfm__module *)grown;
  if (tree->module_count == 0) memset(&tree->modules[tree->module_count++], 0, sizeof *tree->modules);
  handle.id = (int32_t)tree->module_count++;
  module = &tree->modules[handle.id];
  memset(module, 0, sizeof *module);
  module->name = name;
  module->torch_class = hfm__class_name(b, torch_class);
  module->kind = kind;
  module->parent = b->scope;
  if (b->scope) {
    hfm__module *parent = &tree->modules[b->scope];
    if (parent->last_child) tree->modules[parent->last_child].next = handle.id;
    else parent->first_child = handle.id;
    parent->last_child = handle.id;
  }
  return handle;
}

/* Opens a submodule: what is registered until hfm__end belongs to it. */
HFM__PRIVATE hfm__mod hfm__begin(hfm__builder *b, const char *name, const char *torch_class) {
  const hfm__mod module = hfm__module_add(b, name, torch_class, HFM__MODULE_CONTAINER);
  if (module.id) b->scope = module.id;
  return module;
}

HFM__PRIVATE hfm__mod hfm__begin_list(hfm__builder *b, const char *name) {
  const hfm__mod module = hfm__module_add(b, name, "ModuleList", HFM__MODULE_LIST);
  if (module.id) b->scope = module.id;
  return module;
}

/* The i-th element of a ModuleList. */
HFM__PRIVATE hfm__mod hfm__begin_item(hfm__builder *b, int64_t i, const char *torch_class) {
  return hfm__begin(b, hfm__own_text(b, "%i", i), torch_class);
}

HFM__PRIVATE void hfm__end(hfm__builder *b) {
  if (hfm__ok(b)) b->scope = b->tree->modules[b->scope].parent;
}

/* A parameter of `module`, initialised with zeros until told otherwise. */
HFM__PRIVATE hfm__par hfm__parameter_of(hfm__builder *b, int32_t module, const char *name, int32_t rank,
                                        const int64_t *shape, int32_t init) {
  hfm__tree *tree = b->tree;
  hfm__par handle = {0};
  hfm__parameter *p;
  uint64_t elements;
  void *grown;
  if (!hfm__ok(b)) return handle;
  if (!hfm__checked_elements(shape, rank, &elements) || elements > b->element_budget ||
      tree->parameter_count > b->parameter_budget) {
    char path[160];
    hfm__text t = hfm__text_to(path, sizeof path);
    hfm__text_member(&t, tree, module, name);
    b->result = hfm__fail(b->error, HFM_E_CONFIG_LIMIT, b->config->file, path, 0,
                          b->from_files ? "the configuration asks for more than the weights files hold: %q, %t, is "
                                          "beyond them: is it the right one? (options.limits.max_new_bytes is what may "
                                          "be new)"
                                        : "the configuration asks for more than any model has: %q, %t, is beyond that",
                          path, shape, (int)rank);
    return handle;
  }
  b->element_budget -= elements;
  grown =
      hfm__grow(&b->mem, tree->parameters, tree->parameter_count, &tree->parameter_capacity, sizeof *tree->parameters);
  if (!grown) {
    hfm__builder_memory(b);
    return handle;
  }
  tree->parameters = (hfm__parameter *)grown;
  if (tree->parameter_count == 0) memset(&tree->parameters[tree->parameter_count++], 0, sizeof *tree->parameters);
  handle.id = (int32_t)tree->parameter_count++;
  p = &tree->parameters[handle.id];
  memset(p, 0, sizeof *p);
  p->name = name;
  p->module = module;
  p->rank = rank;
  memcpy(p->shape, shape, (size_t)rank * sizeof *shape);
  p->init = init;
  p->deviation = (float)b->initializer_range;
  p->padding = -1;
  if (tree->modules[module].last_parameter) tree->parameters[tree->modules[module].last_parameter].next = handle.id;
  else tree->modules[module].first_parameter = handle.id;
  tree->modules[module].last_parameter = handle.id;
  return handle;
}

/* A parameter of the current scope: nn.Parameter. */
HFM__PRIVATE hfm__par hfm__parameter3(hfm__builder *b, const char *name, int64_t d0, int64_t d1, int64_t d2,
                                      int32_t init) {
  int64_t shape[3];
  shape[0] = d0;
  shape[1] = d1;
  shape[2] = d2;
  return hfm__parameter_of(b, b->scope, name, 3, shape, init);
}
HFM__PRIVATE hfm__par hfm__parameter1(hfm__builder *b, const char *name, int64_t d0, int32_t init) {
  return hfm__parameter_of(b, b->scope, name, 1, &d0, init);
}

#ifdef HFM__WITH_EXPERTS
/* A stack of `count` matrices, such as the weights of experts. Files may hold it in pieces, each matrix by itself or in
   `parts` equal parts of its rows: the family's compositions say under which names. */
HFM__PRIVATE hfm__par hfm__stack(hfm__builder *b, const char *name, int64_t count, int64_t rows, int64_t columns,
                                 int32_t parts) {
  const hfm__par handle = hfm__parameter3(b, name, count, rows, columns, HFM__INIT_NORMAL);
  if (hfm__ok(b)) b->tree->parameters[handle.id].parts = parts;
  return handle;
}
#endif

/* Transformers' _keep_in_fp32_modules. */
HFM__PRIVATE void hfm__keep_in_fp32(hfm__builder *b, hfm__par parameter) {
  if (hfm__ok(b)) b->tree->parameters[parameter.id].keep_in_fp32 = 1;
}

/* A buffer that files hold, [d0, d1] of the current scope; zeros where they don't. */
HFM__PRIVATE hfm__par hfm__stored_buffer(hfm__builder *b, const char *name, int64_t d0, int64_t d1) {
  int64_t shape[2];
  hfm__par handle;
  shape[0] = d0;
  shape[1] = d1;
  handle = hfm__parameter_of(b, b->scope, name, 2, shape, HFM__INIT_ZEROS);
  if (hfm__ok(b)) b->tree->parameters[handle.id].is_buffer = b->tree->parameters[handle.id].optional = 1;
  return handle;
}

/* A buffer of the current scope that is computed. */
HFM__PRIVATE void hfm__buffer_add(hfm__builder *b, const char *name, hfm_dtype dtype, int64_t elements) {
  hfm__tree *tree = b->tree;
  void *grown;
  if (!hfm__ok(b)) return;
  grown = hfm__grow(&b->mem, tree->buffers, tree->buffer_count, &tree->buffer_capacity, sizeof *tree->buffers);
  if (!grown) {
    hfm__builder_memory(b);
    return;
  }
  tree->buffers = (hfm__buffer *)grown;
  tree->buffers[tree->buffer_count].name = name;
  tree->buffers[tree->buffer_count].module = b->scope;
  tree->buffers[tree->buffer_count].dtype = dtype;
  tree->buffers[tree->buffer_count++].elements = elements;
}

/* One tensor under two names: `name` stands for `source`, and has stood for no other. Names of one source come in the
   order of Transformers' list: it decides where files hold several that differ. */
HFM__PRIVATE void hfm__tie(hfm__builder *b, hfm__par name, hfm__par source) {
  hfm__tree *tree = b->tree;
  if (!hfm__ok(b)) return;
  HFMODEL_ASSERT(!tree->parameters[name.id].tied_to);
  tree->parameters[name.id].tied_to = source.id;
  if (tree->last_tied) tree->parameters[tree->last_tied].next_tied = name.id;
  else tree->first_tied = name.id;
  tree->last_tied = name.id;
}

/* The same where the configuration says tie_word_embeddings. */
HFM__PRIVATE void hfm__tie_embeddings(hfm__builder *b, hfm__par name, hfm__par source) {
  if (hfm__flag(b, "tie_word_embeddings")) hfm__tie(b, name, source);
}

/* ---- Modules that compute ---- */

/* A module with a weight of that shape, and a bias of `bias` elements unless that is 0. */
HFM__PRIVATE hfm__mod hfm__weighted(hfm__builder *b, const char *name, const char *torch_class, int32_t kind,
                                    int32_t rank, const int64_t *shape, int32_t init, int64_t bias) {
  const hfm__mod module = hfm__module_add(b, name, torch_class, kind);
  hfm__par weight, bias_parameter = {0};
  if (!hfm__ok(b)) return module;
  weight = hfm__parameter_of(b, module.id, "weight", rank, shape, init);
  if (bias) bias_parameter = hfm__parameter_of(b, module.id, "bias", 1, &bias, HFM__INIT_ZEROS);
  if (!hfm__ok(b)) return module;
  b->tree->modules[module.id].weight = weight;
  b->tree->modules[module.id].bias = bias_parameter;
  return module;
}

HFM__PRIVATE void hfm__describe(hfm__builder *b, hfm__mod module, const char *repr) {
  if (hfm__ok(b)) b->tree->modules[module.id].repr = repr;
}

/* A module that is a subclass of the one it was registered as. */
HFM__PRIVATE hfm__mod hfm__as_class(hfm__builder *b, hfm__mod module, const char *torch_class) {
  const char *name = hfm__class_name(b, torch_class);
  if (hfm__ok(b)) b->tree->modules[module.id].torch_class = name;
  return module;
}

HFM__PRIVATE hfm__mod hfm__linear(hfm__builder *b, const char *name, int64_t in, int64_t out, int bias) {
  int64_t shape[2];
  hfm__mod module;
  shape[0] = out;
  shape[1] = in;
  module = hfm__weighted(b, name, "Linear", HFM__MODULE_LINEAR, 2, shape, HFM__INIT_NORMAL, bias ? out : 0);
  hfm__describe(b, module,
                hfm__own_text(b, "in_features=%i, out_features=%i, bias=%s", in, out, bias ? "True" : "False"));
  return module;
}

/* GPT-2's Conv1D: a Linear whose weight is stored [in, out]. */
HFM__PRIVATE hfm__mod hfm__conv1d(hfm__builder *b, const char *name, int64_t nf, int64_t nx) {
  int64_t shape[2];
  hfm__mod module;
  shape[0] = nx;
  shape[1] = nf;
  module = hfm__weighted(b, name, "Conv1D", HFM__MODULE_CONV1D, 2, shape, HFM__INIT_NORMAL, nf);
  hfm__describe(b, module, hfm__own_text(b, "nf=%i, nx=%i", nf, nx));
  return module;
}

#ifdef HFM__WITH_IMAGES
/* Conv2d with a stride and no padding, as patch embeddings have it. */
HFM__PRIVATE hfm__mod hfm__conv2d(hfm__builder *b, const char *name, int64_t in, int64_t out, int64_t kernel_h,
                                  int64_t kernel_w) {
  int64_t shape[4];
  hfm__mod module;
  shape[0] = out;
  shape[1] = in;
  shape[2] = kernel_h;
  shape[3] = kernel_w;
  module = hfm__weighted(b, name, "Conv2d", HFM__MODULE_CONV2D, 4, shape, HFM__INIT_NORMAL, out);
  hfm__describe(b, module,
                hfm__own_text(b, "%i, %i, kernel_size=(%i, %i), stride=(%i, %i)", in, out, kernel_h, kernel_w, kernel_h,
                              kernel_w));
  if (hfm__ok(b)) {
    b->tree->modules[module.id].attrs.stride[0] = (int32_t)kernel_h;
    b->tree->modules[module.id].attrs.stride[1] = (int32_t)kernel_w;
  }
  return module;
}
#endif

/* padding_idx: the row that is initialised to zero, counted from the end if negative; or HFM__NO_PADDING. */
HFM__PRIVATE hfm__mod hfm__embedding(hfm__builder *b, const char *name, int64_t count, int64_t size,
                                     int64_t padding_idx) {
  int64_t shape[2];
  hfm__mod module;
  shape[0] = count;
  shape[1] = size;
  if (padding_idx != HFM__NO_PADDING) {
    const int64_t id = padding_idx;
    if (padding_idx < 0) padding_idx += count;
    if (hfm__ok(b) && (padding_idx < 0 || padding_idx >= count))
      b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "pad_token_id", 0,
                            "'pad_token_id' must name one of the %i rows of %q, found %i", count, name, id);
  }
  module = hfm__weighted(b, name, "Embedding", HFM__MODULE_EMBEDDING, 2, shape, HFM__INIT_NORMAL, 0);
  hfm__describe(b, module,
                padding_idx == HFM__NO_PADDING ? hfm__own_text(b, "%i, %i", count, size)
                                : hfm__own_text(b, "%i, %i, padding_idx=%i", count, size, padding_idx));
  if (hfm__ok(b)) {
    hfm__parameter *weight = &b->tree->parameters[b->tree->modules[module.id].weight.id];
    weight->is_embedding = 1;
    weight->padding = padding_idx == HFM__NO_PADDING ? -1 : (int32_t)padding_idx;
  }
  return module;
}

#ifdef HFM__WITH_MUL
/* An Embedding whose rows are multiplied by `scale`, rounded as its weight is. */
HFM__PRIVATE hfm__mod hfm__scaled_embedding(hfm__builder *b, const char *name, const char *torch_class, int64_t count,
                                            int64_t size, int64_t padding_idx, double scale) {
  const hfm__mod module = hfm__as_class(b, hfm__embedding(b, name, count, size, padding_idx), torch_class);
  if (!hfm__ok(b)) return module;
  b->tree->modules[module.id].embed_scale = scale;
  b->scope = module.id;
  hfm__buffer_add(b, "embed_scale", HFM_DTYPE_AUTO, 1);
  hfm__end(b);
  return module;
}
#endif

HFM__PRIVATE hfm__mod hfm__layer_norm(hfm__builder *b, const char *name, int64_t size, double epsilon) {
  const hfm__mod module = hfm__weighted(b, name, "LayerNorm", HFM__MODULE_LAYER_NORM, 1, &size, HFM__INIT_ONES, size);
  hfm__describe(b, module, hfm__own_text(b, "(%i,), eps=%g, elementwise_affine=True, bias=True", size, epsilon));
  if (hfm__ok(b)) b->tree->modules[module.id].attrs.epsilon = (float)epsilon;
  return module;
}

/* A LayerNorm with elementwise_affine=False. */
HFM__PRIVATE hfm__mod hfm__layer_norm_plain(hfm__builder *b, const char *name, int64_t size, double epsilon) {
  const hfm__mod module = hfm__module_add(b, name, "LayerNorm", HFM__MODULE_LAYER_NORM);
  hfm__describe(b, module, hfm__own_text(b, "(%i,), eps=%g, elementwise_affine=False, bias=False", size, epsilon));
  if (hfm__ok(b)) b->tree->modules[module.id].attrs.epsilon = (float)epsilon;
  return module;
}

#ifdef HFM__WITH_RMS_NORM
HFM__PRIVATE hfm__mod hfm__rms_norm(hfm__builder *b, const char *name, const char *torch_class, int64_t size,
                                    double epsilon) {
  const hfm__mod module = hfm__weighted(b, name, torch_class, HFM__MODULE_RMS_NORM, 1, &size, HFM__INIT_ONES, 0);
  hfm__describe(b, module, hfm__own_text(b, "(%i,), eps=%g", size, epsilon));
  if (hfm__ok(b)) b->tree->modules[module.id].attrs.epsilon = (float)epsilon;
  return module;
}

/* An RMSNorm whose weight is stored as its difference from 1. */
HFM__PRIVATE hfm__mod hfm__rms_norm_from_one(hfm__builder *b, const char *name, const char *torch_class, int64_t size,
                                             double epsilon) {
  const hfm__mod module = hfm__rms_norm(b, name, torch_class, size, epsilon);
  if (!hfm__ok(b)) return module;
  b->tree->parameters[b->tree->modules[module.id].weight.id].init = HFM__INIT_ZEROS;
  b->tree->modules[module.id].attrs.offset = 1;
  return module;
}
#endif

HFM__PRIVATE hfm__mod hfm__dropout(hfm__builder *b, const char *name, const char *p) {
  const hfm__mod module = hfm__module_add(b, name, "Dropout", HFM__MODULE_DROPOUT);
  hfm__describe(b, module, hfm__own_text(b, "p=%s, inplace=False", p));
  return module;
}

/* `activation`: HFM__ACTIVATION_... */
HFM__PRIVATE hfm__mod hfm__activation(hfm__builder *b, const char *name, int32_t activation) {
  const hfm__activation_row *row = &hfm__activations[activation];
  const hfm__mod module = hfm__module_add(b, name, row->torch_class, HFM__MODULE_ACTIVATION);
  hfm__describe(b, module, row->repr);
  if (hfm__ok(b)) b->tree->modules[module.id].attrs.activation = row->kernel;
  return module;
}

/* A module without weights that prints as "Class()" and computes nothing here. */
HFM__PRIVATE void hfm__placeholder(hfm__builder *b, const char *name, const char *torch_class) {
  hfm__describe(b, hfm__module_add(b, name, torch_class, HFM__MODULE_CONTAINER), "");
}

/* The parameters of a module that computes. */
HFM__PRIVATE hfm__par hfm__weight_of(const hfm__builder *b, hfm__mod module) {
  const hfm__par none = {0};
  return hfm__ok(b) ? b->tree->modules[module.id].weight : none;
}
HFM__PRIVATE hfm__par hfm__bias_of(const hfm__builder *b, hfm__mod module) {
  const hfm__par none = {0};
  return hfm__ok(b) ? b->tree->modules[module.id].bias : none;
}
