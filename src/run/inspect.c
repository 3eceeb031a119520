/* ==== run/inspect (private): what a model says about itself ======================================================= */

HFMODEL_API const hfm_config *hfm_model_config(const hfm_model *model) { return model ? model->config : NULL; }
HFMODEL_API const char *hfm_model_type(const hfm_model *model) { return model ? model->arch->model_type : NULL; }
HFMODEL_API const char *hfm_model_architecture(const hfm_model *model) { return model ? model->architecture : NULL; }
HFMODEL_API const char *hfm_model_main_input_name(const hfm_model *model) {
  return model ? hfm__input_rows[model->arch->family->main_input].name : NULL;
}
HFMODEL_API hfm_task hfm_model_task(const hfm_model *model) { return model ? model->head->task : HFM_BASE; }
HFMODEL_API hfm_dtype hfm_model_dtype(const hfm_model *model) { return model ? model->dtype : HFM_DTYPE_AUTO; }
HFMODEL_API const char *hfm_model_isa(const hfm_model *model) { return model ? model->cpu.name : NULL; }
HFMODEL_API int64_t hfm_num_labels(const hfm_model *model) { return model ? model->label_count : 0; }

HFMODEL_API const char *hfm_label(const hfm_model *model, int64_t id) {
  return model && model->labels && id >= 0 && id < model->label_count ? model->labels[id] : NULL;
}

HFMODEL_API const char *hfm_model_file(const hfm_model *model, size_t index) {
  return model && index < model->checkpoint.file_count ? model->checkpoint.files[index].name : NULL;
}

/* torch knows a tied tensor by the name that was registered first: a head's, where it comes before the Embedding. */
HFM__PRIVATE int hfm__counts_as_embedding(const hfm__tree *tree, int32_t parameter) {
  if (!tree->parameters[parameter].is_embedding) return 0;
  for (int32_t i = 1; i < parameter; i++)
    if (tree->parameters[i].tied_to == parameter) return 0;
  return 1;
}

HFMODEL_API int64_t hfm_num_parameters(const hfm_model *model, int32_t only_trainable, int32_t exclude_embeddings) {
  int64_t sum = 0;
  (void)only_trainable; /* nothing is frozen by a load */
  for (size_t i = 1; model && i < model->tree.parameter_count; i++) {
    const hfm__parameter *p = &model->tree.parameters[i];
    if (!p->tied_to && !p->is_buffer && !(exclude_embeddings && hfm__counts_as_embedding(&model->tree, (int32_t)i)))
      sum += hfm__parameter_elements(p);
  }
  return sum;
}

/* Adds what a tensor takes. What a configuration asks for may be more than can be counted: INT64_MAX then. */
HFM__PRIVATE void hfm__footprint_add(int64_t *sum, int64_t elements, hfm_dtype dtype) {
  uint64_t bytes;
  if (hfm__mul64((uint64_t)elements, (uint64_t)hfm_dtype_bits(dtype) / 8, &bytes) &&
      bytes <= (uint64_t)(INT64_MAX - *sum))
    *sum += (int64_t)bytes;
  else *sum = INT64_MAX;
}

HFMODEL_API int64_t hfm_memory_footprint(const hfm_model *model, int32_t return_buffers) {
  int64_t sum = 0;
  for (size_t i = 1; model && i < model->tree.parameter_count; i++) {
    const hfm__parameter *p = &model->tree.parameters[i];
    if (!p->tied_to && (return_buffers || !p->is_buffer))
      hfm__footprint_add(&sum, hfm__parameter_elements(p), p->dtype);
  }
  for (size_t i = 0; model && return_buffers && i < model->tree.buffer_count; i++)
    hfm__footprint_add(&sum, model->tree.buffers[i].elements, model->tree.buffers[i].dtype);
  return sum;
}

HFMODEL_API uint64_t hfm_packed_bytes(const hfm_model *model) {
  uint64_t sum = 0;
  for (size_t i = 1; model && i < model->tree.parameter_count; i++) sum += hfm__panels_kept_bytes(&model->weights[i]);
  return sum;
}

/* ---- state_dict(): own parameters first, then those of the children, in registration order ---- */

HFMODEL_API size_t hfm_state_dict_size(const hfm_model *model) {
  return model && model->tree.parameter_count ? model->tree.parameter_count - 1 : 0;
}

HFMODEL_API hfm_result hfm_state_dict_at(const hfm_model *model, size_t index, hfm_named_tensor *entry) {
  if (!model || !entry) return HFM_ERROR_ARGUMENT;
  memset(entry, 0, sizeof *entry);
  if (index >= hfm_state_dict_size(model)) return HFM_ERROR_NOT_FOUND;
  {
    const int32_t parameter = model->state_order[index];
    const hfm__weight *weight = hfm__weight_for(model, parameter);
    entry->name = model->state_names[index];
    entry->tensor.data = weight->data;
    entry->tensor.dtype = weight->dtype;
    entry->tensor.rank = weight->rank;
    memcpy(entry->tensor.shape, weight->shape, sizeof entry->tensor.shape);
  }
  return HFM_OK;
}

HFMODEL_API hfm_result hfm_state_dict_piece(const hfm_model *model, size_t index, size_t piece, hfm_tensor *tensor) {
  hfm_named_tensor entry;
  const hfm__weight *weight;
  hfm_result result;
  if (!tensor) return HFM_ERROR_ARGUMENT;
  memset(tensor, 0, sizeof *tensor);
  result = hfm_state_dict_at(model, index, &entry);
  if (result != HFM_OK) return result;
  weight = hfm__weight_for(model, model->state_order[index]);
  if (piece >= (weight->data ? 1 : (size_t)weight->piece_count)) return HFM_ERROR_NOT_FOUND;
  *tensor = entry.tensor;
  if (weight->data) return HFM_OK;
  tensor->data = weight->pieces[piece];
  tensor->rank = 2;
  tensor->shape[0] = weight->shape[0] * weight->shape[1] / weight->piece_count;
  tensor->shape[1] = weight->shape[2];
  tensor->shape[2] = 0;
  return HFM_OK;
}

/* Fixes the order and the names once, so that reading them later is free. */
HFM__PRIVATE hfm_result hfm__state_dict_prepare(hfm_model *model, hfm_error *error) {
  const size_t count = hfm_state_dict_size(model);
  size_t n = 0;
  model->state_order = (int32_t *)hfm__arena_alloc(&model->tree.arena, (uint64_t)count * sizeof *model->state_order);
  model->state_names =
      (const char **)hfm__arena_alloc(&model->tree.arena, (uint64_t)count * sizeof *model->state_names);
  if (!model->state_order || !model->state_names) return hfm__fail_memory(error, "names of parameters", 0);
  for (int32_t module = 1; module && n < count; module = hfm__tree_next(&model->tree, module)) {
    for (int32_t p = model->tree.modules[module].first_parameter; p; p = model->tree.parameters[p].next, n++) {
      model->state_order[n] = p;
      model->state_names[n] = hfm__path_text(&model->tree.arena, &model->tree, module, model->tree.parameters[p].name);
      if (!model->state_names[n]) return hfm__fail_memory(error, "names of parameters", 0);
    }
  }
  return HFM_OK;
}

/* ---- print(model) ---- */

/* Do two subtrees print alike? */
HFM__PRIVATE int hfm__same_module(const hfm__tree *tree, int32_t a, int32_t b) {
  int32_t x = a, y = b;
  for (;;) {
    const hfm__module *m = &tree->modules[x], *n = &tree->modules[y];
    const int same_name = x == a || hfm__equal(m->name, n->name);
    if (!same_name || !hfm__equal(m->torch_class, n->torch_class) || !m->repr != !n->repr ||
        (m->repr && !hfm__equal(m->repr, n->repr)) || !m->first_child != !n->first_child)
      return 0;
    if (m->first_child) {
      x = m->first_child;
      y = n->first_child;
      continue;
    }
    while (x != a && !tree->modules[x].next) {
      if (tree->modules[y].next) return 0;
      x = tree->modules[x].parent;
      y = tree->modules[y].parent;
    }
    if (x == a) return 1;
    x = tree->modules[x].next;
    y = tree->modules[y].next;
    if (!y) return 0;
  }
}

HFM__PRIVATE void hfm__text_indent(hfm__text *t, int32_t depth) {
  hfm__text_char(t, '\n');
  for (int32_t i = 0; i < depth; i++) hfm__text_str(t, "  ");
}

/* The last of the equal neighbours that are printed as one; only lists do that. */
HFM__PRIVATE int32_t hfm__last_equal(const hfm__tree *tree, int32_t module) {
  int32_t last = module;
  if (tree->modules[tree->modules[module].parent].kind != HFM__MODULE_LIST) return module;
  while (tree->modules[last].next && hfm__same_module(tree, module, tree->modules[last].next))
    last = tree->modules[last].next;
  return last;
}

/* One module's opening: "Class(repr)" complete, or "Class(" when children follow. */
HFM__PRIVATE void hfm__text_module(hfm__text *t, const hfm__module *m) {
  hfm__text_format(t, "%s(", m->torch_class);
  if (m->repr) hfm__text_str(t, m->repr);
  if (m->repr || !m->first_child) hfm__text_char(t, ')');
}

HFMODEL_API size_t hfm_print(const hfm_model *model, char *buffer, size_t size) {
  hfm__text t = hfm__text_to(buffer, buffer ? size : 0);
  const hfm__tree *tree;
  int32_t module, depth = 1;
  if (!model) return 0;
  tree = &model->tree;
  hfm__text_module(&t, &tree->modules[1]);
  module = tree->modules[1].first_child;
  while (module) {
    const hfm__module *m = &tree->modules[module];
    const int32_t last = hfm__last_equal(tree, module);
    hfm__text_indent(&t, depth);
    if (last == module) {
      hfm__text_format(&t, "(%s): ", m->name);
    } else {
      const hfm__module *final = &tree->modules[last];
      const int64_t from = hfm__number(m->name, strlen(m->name)), to = hfm__number(final->name, strlen(final->name));
      hfm__text_format(&t, "(%s-%s): %i x ", m->name, final->name, to - from + 1);
    }
    hfm__text_module(&t, m);
    if (m->first_child && !m->repr) {
      module = m->first_child;
      depth++;
      continue;
    }
    module = last;
    while (module != 1 && !tree->modules[module].next) {
      module = tree->modules[module].parent;
      hfm__text_indent(&t, --depth);
      hfm__text_char(&t, ')');
      if (module != 1) module = hfm__last_equal(tree, module); /* its equals have been printed with it */
    }
    module = module == 1 ? 0 : tree->modules[module].next;
  }
  return t.length;
}
