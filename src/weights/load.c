/* ==== weights/load (private): file tensors become parameters ======================================================
   Each tensor finds its parameter by name, or the one that it is a piece of; ties are settled; what is left over or
   absent goes into the report. Weights are used where they lie in the file unless another type is asked for, or they
   can't be read there. */

/* What a file's tensor is a piece of; the pieces of a parameter are a list. */
typedef struct hfm__piece {
  int64_t index; /* of the matrix */
  int32_t part;  /* of its rows, from 0 */
  const hfm__file_tensor *tensor;
  struct hfm__piece *next;
} hfm__piece;

typedef struct hfm__pieces_of_one {
  hfm__piece *found;                /* those that were found last first; NULL: none */
  const hfm__file_tensor **settled; /* in order, once they make what they should */
} hfm__pieces_of_one;

typedef struct hfm__loader {
  hfm_model *model;
  const hfm_options *options;
  hfm_error *error;
  hfm__arena arena; /* names, gone after the load */
  hfm__name_table names;
  const hfm__file_tensor **tensors; /* of each parameter; NULL: none */
  hfm__pieces_of_one *pieces;       /* of each parameter, where models have such */
  uint8_t *mismatched;              /* of each parameter: it is in the report as such */
  size_t refused;                   /* of these, where that is an error; the first of them: */
  hfm__file_tensor refused_tensor;
  int32_t refused_parameter;
  const char *refused_name;
  uint64_t new_bytes;
  uint64_t allocated, most; /* bytes of all weights that are not used where they lie */
  uint8_t *room;            /* for the next of these, in the newest block, */
  uint64_t room_bytes;      /* which has so many bytes left */
  hfm_dtype dtype;          /* what Transformers would hold nearly every parameter in */
} hfm__loader;

HFM__PRIVATE const char *hfm__weights_file(const hfm_model *model) {
  return model->checkpoint.file_count ? model->checkpoint.files[0].name : NULL;
}

/* ---- Which tensor is which parameter ---- */

/* Old files hold buffers that are computed now; Transformers drops them where the model has such a buffer at all. */
HFM__PRIVATE int hfm__is_ignored(const hfm_model *model, const char *name) {
  if (model->tree.left_out && strstr(name, model->tree.left_out)) return 1;
  for (const char *const *part = model->arch->family->ignored; part && *part; part++)
    if (strstr(name, *part)) return 1;
  for (size_t i = 0; i < model->tree.buffer_count; i++) {
    const char *buffer = model->tree.buffers[i].name;
    if (hfm__equal(buffer, "position_ids") && (hfm__equal(name, buffer) || hfm__ends_with(name, ".position_ids")))
      return 1;
    if (hfm__equal(buffer, "inv_freq") && strstr(name, "rotary_emb.inv_freq")) return 1;
  }
  return 0;
}

HFM__PRIVATE int hfm__same_shape_as(const hfm__file_tensor *tensor, const hfm__parameter *p) {
  return tensor->rank == p->rank && memcmp(tensor->shape, p->shape, (size_t)p->rank * sizeof *p->shape) == 0;
}

/* A tensor, or what its pieces make together, has another shape than the parameter. */
HFM__PRIVATE hfm_result hfm__mismatch(hfm__loader *l, int32_t parameter, const char *name,
                                      const hfm__file_tensor *found) {
  if (!(l->options && l->options->ignore_mismatched_sizes) && !l->refused++) {
    l->refused_tensor = *found;
    l->refused_parameter = parameter;
    l->refused_name = name;
  }
  l->mismatched[parameter] = 1;
  return hfm__report_add(l->model, name, HFM_KEY_MISMATCHED, found, &l->model->tree.parameters[parameter], l->error);
}

HFM__PRIVATE hfm_result hfm__match_piece(hfm__loader *l, const hfm__resolved *found, const hfm__file_tensor *tensor) {
  hfm__piece *piece = (hfm__piece *)hfm__arena_alloc(&l->arena, sizeof *piece);
  if (!piece) return hfm__fail_memory(l->error, "a table of weights", 0);
  piece->index = found->index;
  piece->part = found->part - 1;
  piece->tensor = tensor;
  piece->next = l->pieces[found->entry->parameter].found;
  l->pieces[found->entry->parameter].found = piece;
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__match_tensors(hfm__loader *l) {
  hfm_model *model = l->model;
  hfm_result result = HFM_OK;
  for (size_t i = 0; i < model->checkpoint.count && result == HFM_OK; i++) {
    const hfm__file_tensor *tensor = &model->checkpoint.tensors[i];
    hfm__resolved found;
    hfm__name_resolve(&l->names, model->arch->family, model->head->suffix, model->base, tensor->name, &found);
    if (!found.entry) {
      if (!hfm__is_ignored(model, found.name))
        result = hfm__report_add(model, found.name, HFM_KEY_UNEXPECTED, NULL, NULL, l->error);
    } else if (HFM__HAS_STACKS && found.part) {
      result = hfm__match_piece(l, &found, tensor);
    } else if (l->tensors[found.entry->parameter] || l->mismatched[found.entry->parameter]) {
      continue; /* the same under another name: the first by name counts, as in Transformers */
    } else if (hfm__same_shape_as(tensor, &model->tree.parameters[found.entry->parameter])) {
      l->tensors[found.entry->parameter] = tensor;
    } else {
      result = hfm__mismatch(l, found.entry->parameter, found.entry->name, tensor);
    }
  }
  return result;
}

/* ---- Pieces ---- */

HFM__PRIVATE hfm_result hfm__pieces_wrong(hfm__loader *l, const char *name, const hfm__file_tensor *tensor,
                                          const char *format, ...) {
  char problem[160];
  hfm__text t = hfm__text_to(problem, sizeof problem);
  va_list args;
  va_start(args, format);
  hfm__text_vformat(&t, format, args);
  va_end(args);
  return hfm__fail(l->error, HFM_E_WEIGHT_MISMATCH, l->model->checkpoint.files[tensor->file].name, name, tensor->offset,
                   "%s is made of several tensors, one of them %q, %s", name, tensor->name, problem);
}

/* The pieces of a parameter in order. What they make must have its shape; *table is NULL where it has not, and that is
   no error. */
HFM__PRIVATE hfm_result hfm__pieces_settle(hfm__loader *l, int32_t parameter, const char *name,
                                           const hfm__file_tensor ***table) {
  const hfm__parameter *p = &l->model->tree.parameters[parameter];
  const hfm__file_tensor *first = l->pieces[parameter].found->tensor;
  const int64_t needed = hfm__parameter_pieces(p);
  hfm__file_tensor whole = *first;
  int64_t count = 0;
  *table = NULL;
  if (first->rank != 2 || first->shape[0] > INT64_MAX / p->parts) return hfm__mismatch(l, parameter, name, first);
  for (const hfm__piece *piece = l->pieces[parameter].found; piece; piece = piece->next, count++)
    if (piece->tensor->rank != 2 || memcmp(piece->tensor->shape, first->shape, 2 * sizeof *first->shape) != 0)
      return hfm__pieces_wrong(l, name, piece->tensor, "whose shape is %t; but %q has shape %t", piece->tensor->shape,
                               (int)piece->tensor->rank, first->name, first->shape, 2);
  if (l->tensors[parameter])
    return hfm__pieces_wrong(l, name, first, "but it is also there as a whole, %q", l->tensors[parameter]->name);
  whole.name = name;
  whole.rank = 3;
  whole.shape[0] = count / p->parts;
  whole.shape[1] = first->shape[0] * p->parts;
  whole.shape[2] = first->shape[1];
  if (count % p->parts == 0 && !hfm__same_shape_as(&whole, p)) return hfm__mismatch(l, parameter, name, &whole);
  if (count != needed) return hfm__pieces_wrong(l, name, first, "but there are %i of them, not %i", count, needed);
  *table = (const hfm__file_tensor **)hfm__arena_alloc(&l->arena, (uint64_t)needed * sizeof **table);
  if (!*table) return hfm__fail_memory(l->error, "a table of weights", 0);
  for (const hfm__piece *piece = l->pieces[parameter].found; piece; piece = piece->next)
    if (piece->index < p->shape[0]) (*table)[piece->index * p->parts + piece->part] = piece->tensor;
  for (int64_t i = 0; i < needed; i++)
    if (!(*table)[i])
      return hfm__pieces_wrong(l, name, first, "but part %i of number %i is not there", i % p->parts + 1, i / p->parts);
  return HFM_OK;
}

/* ---- The dtype ---- */

/* dtype="auto", first part: as config.json says. 0: it does not. */
HFM__PRIVATE hfm_dtype hfm__stated_dtype(const hfm_model *model, const hfm_options *options) {
  const char *name = hfm_config_get_string(model->config, "dtype", NULL);
  const hfm_dtype stated = hfm_dtype_from_name(name ? name : hfm_config_get_string(model->config, "torch_dtype", ""));
  if (options && options->dtype) return options->dtype;
  return hfm__is_float(stated) ? stated : HFM_DTYPE_AUTO;
}

/* Second part: as the first float tensor of the first file; float32 where there is none. */
HFM__PRIVATE hfm_dtype hfm__target_dtype(const hfm_model *model, const hfm_options *options) {
  const hfm_dtype stated = hfm__stated_dtype(model, options);
  if (stated) return stated;
  return model->checkpoint.first_float ? model->checkpoint.first_float : HFM_F32;
}

/* What a parameter is stored in: Transformers' dtype of it, if that is one that kernels read. */
HFM__PRIVATE hfm_dtype hfm__target_storage(const hfm__loader *l, const hfm__parameter *p) {
  const hfm_dtype dtype = hfm__parameter_dtype(p, l->dtype);
  return hfm__is_native(dtype) ? dtype : HFM_F32;
}

/* How a tensor is stored for a target that was not asked for by the caller: 16-bit floats stay as they are where the
   target holds their values too, since nothing is computed in less than float32. */
HFM__PRIVATE hfm_dtype hfm__storage_dtype(const hfm__loader *l, const hfm__parameter *p, hfm_dtype found) {
  const hfm_dtype target = hfm__target_storage(l, p);
  const int asked = l->options && l->options->dtype && l->options->dtype != HFM_F16; /* nobody asks for F32 by F16 */
  return !asked && target == HFM_F32 && hfm__is_native(found) ? found : target;
}

/* ---- Bytes ---- */

/* The tensor's bytes in memory, or NULL where they must be read. */
HFM__PRIVATE const uint8_t *hfm__tensor_mapped(const hfm_model *model, const hfm__file_tensor *tensor) {
  const hfm__file *file = &model->checkpoint.files[tensor->file];
  return file->map ? file->map + tensor->offset : NULL;
}

/* ---- One parameter ---- */

/* What copies and conversions may take in all: float32 of a byte each, once, and what may be new. Files can name the
   same bytes again and again, or one element a million times. */
HFM__PRIVATE uint64_t hfm__most_allocated(const hfm__loader *l) {
  const hfm__checkpoint *checkpoint = &l->model->checkpoint;
  uint64_t sum = 0;
  if (l->options && l->options->random_weights) return UINT64_MAX;
  for (uint32_t i = 0; i < checkpoint->file_count; i++)
    if (!hfm__add64(sum, checkpoint->files[i].size, &sum)) return UINT64_MAX;
  return hfm__mul64(sum, 4, &sum) && hfm__add64(sum, l->model->ctx.limits.max_new_bytes, &sum) ? sum : UINT64_MAX;
}

/* This weight gets memory of its own. */
HFM__PRIVATE hfm_result hfm__weight_own(hfm__loader *l, hfm__weight *weight, const char *name) {
  if (!hfm__add64(l->allocated, weight->bytes, &l->allocated) || l->allocated > l->most)
    return hfm__fail(l->error, HFM_E_NEW_WEIGHTS_LIMIT, hfm__weights_file(l->model), name, 0,
                     "%q needs %u bytes of its own: with it all weights that can't be used where they lie would take "
                     "more than %u, four times the files and options.limits.max_new_bytes",
                     name, weight->bytes, l->most);
  if (weight->bytes > (uint64_t)PTRDIFF_MAX)
    return hfm__fail(l->error, HFM_E_ADDRESS_SPACE, hfm__weights_file(l->model), name, 0,
                     "%q needs %u bytes, more than the address space of this machine or build has: use a 64-bit one",
                     name, weight->bytes);
  weight->storage = &hfm__storage_owned;
  return HFM_OK;
}

/* What a weight takes in a block: no line of a cache is two weights'. */
HFM__PRIVATE uint64_t hfm__weight_room(const hfm__weight *weight) {
  return weight->storage == &hfm__storage_owned ? hfm__aligned(HFM__MAX(weight->bytes, 1)) : 0;
}

/* The memory of a weight of its own. Those that follow each other share a block: most have less than a huge page. */
HFM__PRIVATE hfm_result hfm__weight_allocate(hfm__loader *l, int32_t parameter, const char *name) {
  enum { BLOCK_BYTES = 64 << 20 };
  hfm_model *model = l->model;
  hfm__weight *weight = &model->weights[parameter];
  const uint64_t needed = hfm__weight_room(weight);
  if (needed > l->room_bytes) {
    const uint64_t head = sizeof(hfm__weight_block) + 64;
    uint64_t bytes = needed;
    hfm__weight_block *block;
    for (size_t i = (size_t)parameter + 1; i < model->tree.parameter_count; i++) {
      const uint64_t more = hfm__weight_room(&model->weights[i]);
      if (bytes + more > BLOCK_BYTES) break;
      bytes += more;
    }
    hfm__budget_extend(&model->ctx, head + bytes);
    for (;; bytes = needed) { /* where there is no room for so many, there may be for this one */
      block = (hfm__weight_block *)hfm__alloc_in_huge_pages(&model->ctx.mem, head + bytes);
      if (block) break;
      if (bytes == needed) return hfm__fail_memory(l->error, name, bytes);
    }
    block->bytes = head + bytes;
    block->next = model->blocks;
    model->blocks = block;
    l->room = hfm__align64((uint8_t *)(block + 1));
    l->room_bytes = bytes;
  }
  weight->data = l->room;
  l->room += needed;
  l->room_bytes -= needed;
  return HFM_OK;
}

/* Elements `first` to first + count of a tensor, as another type. */
HFM__PRIVATE hfm_result hfm__tensor_convert_part(const hfm_model *model, const hfm__file_tensor *tensor, int64_t first,
                                                 int64_t count, hfm_dtype dtype, uint8_t *out, hfm_error *error) {
  const hfm__file *file = &model->checkpoint.files[tensor->file];
  const int64_t size = hfm_dtype_bits(tensor->dtype) / 8;
  hfm_result result = HFM_OK;
  if (tensor->contiguous) {
    uint8_t piece[4096];
    const int64_t step = (int64_t)sizeof piece / size;
    for (int64_t at = 0; at < count && result == HFM_OK; at += step) {
      const int64_t n = HFM__MIN(step, count - at);
      result = hfm__file_read(file, tensor->offset + (uint64_t)((first + at) * size), piece, (uint64_t)(n * size),
                              error);
      for (int64_t i = 0; i < n && result == HFM_OK; i++)
        hfm__store(out, dtype, at + i, hfm__element(piece, tensor->dtype, i, tensor->big_endian));
    }
    return result;
  }
  for (int64_t i = 0; i < count && result == HFM_OK; i++) {
    uint8_t element[8];
    int64_t offset = 0, rest = first + i;
    for (int32_t d = tensor->rank - 1; d >= 0; d--) {
      offset += rest % tensor->shape[d] * tensor->stride[d];
      rest /= tensor->shape[d];
    }
    result = hfm__file_read(file, tensor->offset + (uint64_t)(offset * size), element, (uint64_t)size, error);
    if (result == HFM_OK) hfm__store(out, dtype, i, hfm__element(element, tensor->dtype, 0, tensor->big_endian));
  }
  return result;
}

/* Reads a tensor into memory of another type, or one that can't be used where it lies: strided, unaligned, of another
   byte order, or not mapped. */
HFM__PRIVATE hfm_result hfm__tensor_convert(hfm__loader *l, const hfm__file_tensor *tensor, hfm_dtype dtype,
                                            uint8_t *out) {
  const int64_t size = hfm_dtype_bits(tensor->dtype) / 8, elements = hfm__elements(tensor->shape, tensor->rank);
  const int plain = tensor->contiguous && tensor->dtype == dtype && tensor->big_endian == HFM__BIG_ENDIAN;
  if (!plain) return hfm__tensor_convert_part(l->model, tensor, 0, elements, dtype, out, l->error);
  return hfm__file_read(&l->model->checkpoint.files[tensor->file], tensor->offset, out, (uint64_t)(elements * size),
                        l->error);
}

/* Where a tensor's elements can be used as they are, or NULL. */
HFM__PRIVATE const uint8_t *hfm__tensor_in_place(const hfm_model *model, const hfm__file_tensor *tensor,
                                                 hfm_dtype dtype) {
  const uint8_t *mapped = hfm__tensor_mapped(model, tensor);
  const int usable = mapped && tensor->contiguous && tensor->dtype == dtype && tensor->big_endian == HFM__BIG_ENDIAN &&
                     (uintptr_t)mapped % (uintptr_t)(hfm_dtype_bits(dtype) / 8) == 0;
  return usable ? mapped : NULL;
}

HFM__PRIVATE hfm_result hfm__check_convertible(hfm__loader *l, const hfm__file_tensor *tensor, const char *name) {
  if (hfm__convertible(tensor->dtype)) return HFM_OK;
  return hfm__fail(
      l->error, HFM_E_WEIGHT_DTYPE, l->model->checkpoint.files[tensor->file].name, name, tensor->offset,
      "tensor %q has dtype %s, which can't be run: float32, float16, bfloat16, float64, float8 and integers can",
      tensor->name, hfm_dtype_name(tensor->dtype));
}

HFM__PRIVATE void hfm__weight_type(const hfm__loader *l, hfm__weight *weight, hfm__parameter *p, hfm_dtype dtype) {
  p->dtype = hfm__parameter_dtype(p, l->dtype);
  weight->dtype = dtype;
  weight->bytes = (uint64_t)hfm__parameter_elements(p) * (uint64_t)hfm_dtype_bits(dtype) / 8;
}

HFM__PRIVATE hfm_result hfm__weight_from_file(hfm__loader *l, hfm__weight *weight, hfm__parameter *p,
                                              const hfm__file_tensor *tensor, const char *name) {
  hfm_result result = hfm__check_convertible(l, tensor, name);
  if (result != HFM_OK) return result;
  hfm__weight_type(l, weight, p, hfm__storage_dtype(l, p, tensor->dtype));
  weight->data = hfm__tensor_in_place(l->model, tensor, weight->dtype);
  weight->storage = &hfm__storage_mapped;
  return weight->data ? HFM_OK : hfm__weight_own(l, weight, name);
}

/* ---- Ties ---- */

HFM__PRIVATE int hfm__same_bytes(const hfm_model *model, const hfm__file_tensor *a, const hfm__file_tensor *b) {
  uint8_t piece[2][1024];
  if (a->dtype != b->dtype || a->big_endian != b->big_endian || !a->contiguous || !b->contiguous) return 0;
  if (a->file == b->file && a->offset == b->offset) return 1;
  for (uint64_t at = 0; at < a->bytes; at += sizeof piece[0]) {
    const uint64_t n = HFM__MIN(a->bytes - at, (uint64_t)sizeof piece[0]);
    if (hfm__file_read(&model->checkpoint.files[a->file], a->offset + at, piece[0], n, NULL) != HFM_OK ||
        hfm__file_read(&model->checkpoint.files[b->file], b->offset + at, piece[1], n, NULL) != HFM_OK ||
        memcmp(piece[0], piece[1], (size_t)n) != 0)
      return 0;
  }
  return 1;
}

/* Do two tensors of one shape hold the same values in the model's dtype, which Transformers compares them in?
   Unreadable ones don't. */
HFM__PRIVATE int hfm__same_values(const hfm__loader *l, const hfm__file_tensor *a, const hfm__file_tensor *b) {
  enum { STEP = 256 };
  const hfm_dtype dtype = hfm__is_native(l->dtype) ? l->dtype : HFM_F32;
  const int64_t elements = hfm__elements(a->shape, a->rank);
  uint8_t piece[2][STEP * sizeof(float)];
  if (!hfm__convertible(a->dtype) || !hfm__convertible(b->dtype)) return 0;
  if (hfm__same_bytes(l->model, a, b)) return 1;
  for (int64_t at = 0; at < elements; at += STEP) {
    const int64_t n = HFM__MIN((int64_t)STEP, elements - at);
    if (hfm__tensor_convert_part(l->model, a, at, n, dtype, piece[0], NULL) != HFM_OK ||
        hfm__tensor_convert_part(l->model, b, at, n, dtype, piece[1], NULL) != HFM_OK ||
        memcmp(piece[0], piece[1], (size_t)(n * hfm_dtype_bits(dtype) / 8)) != 0)
      return 0;
  }
  return 1;
}

HFM__PRIVATE const char *hfm__parameter_name(hfm__loader *l, int32_t parameter) {
  const hfm__parameter *p = &l->model->tree.parameters[parameter];
  const char *name = hfm__path_text(&l->arena, &l->model->tree, p->module, p->name);
  if (!name) (void)hfm__fail_memory(l->error, "names of parameters", 0);
  return name;
}

/* Transformers ties symmetrically: where the files have one of the names, that serves both, and so does one whose shape
   is another. Two that don't agree are not tied, with a warning in its words. */
HFM__PRIVATE hfm_result hfm__settle_ties(hfm__loader *l) {
  hfm__tree *tree = &l->model->tree;
  for (int32_t i = tree->first_tied; i; i = tree->parameters[i].next_tied) {
    const int32_t source = tree->parameters[i].tied_to;
    const hfm__file_tensor *tensor = l->tensors[i], *other = l->tensors[source];
    const char *from, *to;
    if (!tensor && !l->mismatched[i]) continue;
    if (!other && !l->mismatched[source]) {
      l->tensors[source] = tensor;
      l->mismatched[source] = l->mismatched[i];
      continue;
    }
    if (tensor && other ? hfm__same_values(l, tensor, other) : !tensor && !other) continue;
    tree->parameters[i].tied_to = 0;
    from = hfm__parameter_name(l, source);
    to = hfm__parameter_name(l, i);
    if (!from || !to) return HFM_ERROR_MEMORY;
    hfm__log(&l->model->ctx, HFM_LOG_WARNING, 0,
             "The tied weights mapping and config for this model specifies to tie %s to %s, but both are present in "
             "the checkpoints with different values, so we will NOT tie them. You should update the config with "
             "`tie_word_embeddings=False` to silence this warning.",
             from, to);
  }
  return HFM_OK;
}

/* ---- A parameter in pieces: used where they lie if all can be, else copied one behind the other ---- */

HFM__PRIVATE hfm_result hfm__weight_from_pieces(hfm__loader *l, hfm__weight *weight, hfm__parameter *p,
                                                const hfm__file_tensor **tensors, const char *name) {
  const int64_t count = weight->piece_count;
  hfm_dtype found = tensors[0]->dtype;
  hfm_result result = HFM_OK;
  int in_place = 1;
  for (int64_t i = 0; i < count && result == HFM_OK; i++) {
    result = hfm__check_convertible(l, tensors[i], name);
    if (tensors[i]->dtype != found) found = HFM_F32;
  }
  if (result != HFM_OK) return result;
  hfm__weight_type(l, weight, p, hfm__storage_dtype(l, p, found));
  for (int64_t i = 0; i < count; i++) {
    weight->pieces[i] = hfm__tensor_in_place(l->model, tensors[i], weight->dtype);
    in_place &= weight->pieces[i] != NULL;
  }
  weight->storage = &hfm__storage_mapped;
  return in_place ? HFM_OK : hfm__weight_own(l, weight, name);
}

/* A table of pieces for what may lie in some. */
HFM__PRIVATE hfm_result hfm__weight_table(hfm__loader *l, hfm__weight *weight, const hfm__parameter *p) {
  weight->piece_count = hfm__parameter_pieces(p);
  if (!weight->piece_count) return HFM_OK;
  weight->pieces = (const void **)hfm__arena_alloc(&l->model->tree.arena,
                                                   (uint64_t)weight->piece_count * sizeof *weight->pieces);
  return weight->pieces ? HFM_OK : hfm__fail_memory(l->error, "a table of weights", 0);
}

/* The pieces of what lies in one block. */
HFM__PRIVATE void hfm__weight_cut(hfm__weight *weight) {
  for (int64_t i = 0; HFM__HAS_STACKS && i < weight->piece_count && weight->data; i++)
    weight->pieces[i] = (const uint8_t *)weight->data + weight->bytes / (uint64_t)weight->piece_count * (uint64_t)i;
}

HFM__PRIVATE hfm_result hfm__weight_new(hfm__loader *l, hfm__weight *weight, hfm__parameter *p, const char *name) {
  const int32_t random = l->options && l->options->random_weights;
  hfm__weight_type(l, weight, p, hfm__target_storage(l, p));
  if (!random && !hfm__add64(l->new_bytes, weight->bytes, &l->new_bytes)) l->new_bytes = UINT64_MAX;
  if (l->new_bytes > l->model->ctx.limits.max_new_bytes)
    return hfm__fail(l->error, HFM_E_NEW_WEIGHTS_LIMIT, hfm__weights_file(l->model), name, 0,
                     "the files lack %q and others: newly initialised weights would take more than %u bytes "
                     "(options.limits.max_new_bytes)",
                     name, l->model->ctx.limits.max_new_bytes);
  return hfm__weight_own(l, weight, name);
}

HFM__PRIVATE hfm_result hfm__report_missing(hfm__loader *l, int32_t parameter, const char *name) {
  if (l->mismatched[parameter] || l->model->tree.parameters[parameter].optional) return HFM_OK;
  return hfm__report_add(l->model, name, HFM_KEY_MISSING, NULL, NULL, l->error);
}

/* A tied weight that the files have under neither of its names: reported under both, as it is initialised anew. */
HFM__PRIVATE hfm_result hfm__report_tied_missing(hfm__loader *l, int32_t parameter, const char *name) {
  const char *source = hfm__parameter_name(l, l->model->tree.parameters[parameter].tied_to);
  if (!source) return HFM_ERROR_MEMORY;
  hfm__log(&l->model->ctx, HFM_LOG_WARNING, 0,
           "This checkpoint seem corrupted. The tied weights mapping for this model specifies to tie %s to %s, but "
           "both are absent from the checkpoint, and we could not find another related tied weight for those keys",
           source, name);
  return hfm__report_missing(l, parameter, name);
}

/* Where a parameter's weight is to be: in the files, or in memory of its own that hfm__fill_parameter gives it. */
HFM__PRIVATE hfm_result hfm__place_parameter(hfm__loader *l, int32_t parameter) {
  hfm_model *model = l->model;
  hfm__parameter *p = &model->tree.parameters[parameter];
  hfm__weight *weight = &model->weights[parameter];
  const hfm__file_tensor **pieces = NULL;
  const char *name;
  hfm_result result;
  name = hfm__parameter_name(l, parameter);
  if (!name) return HFM_ERROR_MEMORY;
  if (p->tied_to)
    return l->tensors[p->tied_to] || l->mismatched[p->tied_to] || (l->options && l->options->random_weights)
               ? HFM_OK
               : hfm__report_tied_missing(l, parameter, name);
  if (HFM__HAS_STACKS && l->pieces[parameter].found) {
    result = hfm__pieces_settle(l, parameter, name, &pieces);
    if (result != HFM_OK) return result;
    l->pieces[parameter].settled = pieces;
  }
  if (l->refused) /* only the report is still to be made */
    return pieces || l->tensors[parameter] ? HFM_OK : hfm__report_missing(l, parameter, name);
  weight->rank = p->rank;
  memcpy(weight->shape, p->shape, sizeof weight->shape);
  result = hfm__weight_table(l, weight, p);
  if (result != HFM_OK) return result;
  if (pieces) return hfm__weight_from_pieces(l, weight, p, pieces, name);
  if (l->tensors[parameter]) return hfm__weight_from_file(l, weight, p, l->tensors[parameter], name);
  if (!(l->options && l->options->random_weights)) result = hfm__report_missing(l, parameter, name);
  return result == HFM_OK ? hfm__weight_new(l, weight, p, name) : result;
}

/* Reads, converts or initialises what was not used where it lies. */
HFM__PRIVATE hfm_result hfm__fill_parameter(hfm__loader *l, int32_t parameter) {
  const hfm__parameter *p = &l->model->tree.parameters[parameter];
  hfm__weight *weight = &l->model->weights[parameter];
  const hfm__file_tensor **pieces = HFM__HAS_STACKS ? l->pieces[parameter].settled : NULL;
  const char *name;
  hfm_result result;
  if (weight->storage != &hfm__storage_owned) {
    hfm__weight_cut(weight);
    return HFM_OK;
  }
  name = hfm__parameter_name(l, parameter);
  if (!name) return HFM_ERROR_MEMORY;
  result = hfm__weight_allocate(l, parameter, name);
  if (result != HFM_OK) return result;
  hfm__weight_cut(weight);
  if (!pieces && l->tensors[parameter])
    return hfm__tensor_convert(l, l->tensors[parameter], weight->dtype, (uint8_t *)(uintptr_t)weight->data);
  if (!pieces)
    hfm__initialise(p, name, l->options ? l->options->seed : 0, weight->dtype, (void *)(uintptr_t)weight->data);
  for (int64_t i = 0; pieces && i < weight->piece_count && result == HFM_OK; i++)
    result = hfm__tensor_convert(l, pieces[i], weight->dtype, (uint8_t *)(uintptr_t)weight->pieces[i]);
  return result;
}

/* ---- The report ---- */

HFM__PRIVATE int hfm__report_order(const void *a, const void *b) {
  const hfm_load_entry *x = (const hfm_load_entry *)a, *y = (const hfm_load_entry *)b;
  return x->status != y->status ? x->status - y->status : strcmp(x->key, y->key);
}

/* By status, then by name; Transformers' own order within a status is random. Each once: pieces share a name. */
HFM__PRIVATE hfm_result hfm__report_sort(hfm__loader *l) {
  hfm_model *model = l->model;
  const size_t count = model->report_count;
  size_t kept = 0;
  const void **pointers = (const void **)hfm__arena_alloc(&l->arena, (uint64_t)count * 2 * sizeof *pointers);
  if (!pointers) return hfm__fail_memory(l->error, "the load report", 0);
  hfm__sort_items(model->report, count, sizeof *model->report, pointers, hfm__report_order);
  for (size_t i = 0; i < count; i++)
    if (!kept || hfm__report_order(&model->report[kept - 1], &model->report[i]) != 0)
      model->report[kept++] = model->report[i];
  model->report_count = kept;
  return HFM_OK;
}

/* The table that Transformers prints, where there are messages at all. */
HFM__PRIVATE hfm_result hfm__log_report(hfm__loader *l) {
#ifndef HFMODEL_NO_MESSAGES
  const hfm_model *model = l->model;
  const char *file = hfm__weights_file(model);
  const uint64_t room = hfm_load_report_text(model, file, 0, NULL, 0) + 1;
  char *table = (char *)hfm__arena_alloc(&l->arena, room);
  if (!table) return hfm__fail_memory(l->error, "the load report", room);
  if (!hfm_load_report_text(model, file, 0, table, (size_t)room))
    return hfm__fail_memory(l->error, "the load report", 0);
  (model->ctx.log.write)(model->ctx.log.ctx, HFM_LOG_WARNING, HFM_E_WEIGHT_MISMATCH, table);
#else
  (void)l;
#endif
  return HFM_OK;
}

/* As Transformers does, the whole report is logged before the load fails: an error names one tensor only. */
HFM__PRIVATE hfm_result hfm__refuse_mismatches(hfm__loader *l) {
  const hfm_model *model = l->model;
  const hfm__file_tensor *found = &l->refused_tensor;
  const hfm__parameter *p = &model->tree.parameters[l->refused_parameter];
  char more[64] = "";
  hfm__text t = hfm__text_to(more, sizeof more);
  hfm_result result = hfm__report_sort(l);
  if (result == HFM_OK && model->ctx.log.write) result = hfm__log_report(l);
  if (result != HFM_OK) return result;
  if (l->refused > 1) hfm__text_format(&t, "; %u more differ (the log has them)", (uint64_t)(l->refused - 1));
  return hfm__fail(l->error, HFM_E_WEIGHT_MISMATCH, model->checkpoint.files[found->file].name, l->refused_name,
                   found->offset,
                   "tensor %q has shape %t, but the model's %s needs %t%s: is this the right configuration? "
                   "(options.ignore_mismatched_sizes initialises such weights anew)",
                   found->name, found->shape, (int)found->rank, l->refused_name, p->shape, (int)p->rank, more);
}

/* ---- All of them ---- */

HFM__PRIVATE hfm_result hfm__progress(const hfm__context *ctx, const char *stage, uint64_t done, uint64_t total,
                                      const char *unit, hfm_error *error) {
  if (!ctx->progress.update || !ctx->progress.update(ctx->progress.ctx, stage, done, total, unit)) return HFM_OK;
  return hfm__fail(error, HFM_E_CANCELLED, NULL, stage, 0, "cancelled by the caller at %u of %u %s (%s)", done, total,
                   unit, stage);
}

/* Fills model->weights and the report. */
HFM__PRIVATE hfm_result hfm__load_weights(hfm_model *model, const hfm_options *options, hfm_error *error) {
  hfm__tree *tree = &model->tree;
  hfm__loader l;
  hfm_result result;
  memset(&l, 0, sizeof l);
  l.model = model;
  l.options = options;
  l.error = error;
  l.arena.mem = model->ctx.mem;
  l.dtype = hfm__target_dtype(model, options);
  hfm__tree_settle_buffers(tree, l.dtype);
  l.tensors =
      (const hfm__file_tensor **)hfm__arena_alloc(&l.arena, (uint64_t)(tree->parameter_count + 1) * sizeof *l.tensors);
  if (HFM__HAS_STACKS)
    l.pieces =
        (hfm__pieces_of_one *)hfm__arena_alloc(&l.arena, (uint64_t)(tree->parameter_count + 1) * sizeof *l.pieces);
  l.most = hfm__most_allocated(&l);
  l.mismatched = (uint8_t *)hfm__arena_alloc(&l.arena, (uint64_t)tree->parameter_count + 1);
  model->weights =
      (hfm__weight *)hfm__alloc_zero(&model->ctx.mem, (uint64_t)(tree->parameter_count + 1) * sizeof *model->weights);
  if (l.tensors && (l.pieces || !HFM__HAS_STACKS) && l.mismatched && model->weights)
    result = hfm__name_table_make(&l.arena, tree, &l.names, error);
  else result = hfm__fail_memory(error, "a table of weights", 0);
  if (result == HFM_OK) result = hfm__match_tensors(&l);
  if (result == HFM_OK) result = hfm__settle_ties(&l);
  for (size_t i = 1; i < tree->parameter_count && result == HFM_OK; i++) result = hfm__place_parameter(&l, (int32_t)i);
  for (size_t i = 1; i < tree->parameter_count && result == HFM_OK; i++) {
    if (!l.refused) result = hfm__fill_parameter(&l, (int32_t)i);
    if (result == HFM_OK)
      result = hfm__progress(&model->ctx, options && options->random_weights ? "init" : "load", i,
                             tree->parameter_count - 1, "tensors", error);
  }
  if (result == HFM_OK) result = l.refused ? hfm__refuse_mismatches(&l) : hfm__report_sort(&l);
  hfm__arena_free(&l.arena);
  return result;
}
