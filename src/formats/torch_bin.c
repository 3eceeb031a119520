/* ==== formats/torch_bin (private): pytorch_model.bin, in both of its forms =====================================
   A zip archive with data.pkl and one entry per storage (since torch 1.6), or the legacy stream: five pickles, then the
   storages. Both are read in place: a tensor is a strided view of a range of the file. The pickle says which; every
   number of it is checked against the bytes that are there. */

/* A storage as a persistent id names it. */
typedef struct hfm__torch_storage {
  const char *key;
  size_t key_size;
  hfm_dtype dtype;   /* 0: untyped, the tensor says it */
  uint64_t itemsize; /* of the elements that these count: dtype's; 1 if untyped */
  uint64_t numel;
  int32_t is_view; /* the part of it that is meant: only in legacy files */
  uint64_t view_offset, view_numel;
} hfm__torch_storage;

/* Where storages lie: a function of the container. */
struct hfm__torch;
typedef hfm_result (*hfm__torch_locate)(struct hfm__torch *t, const hfm__torch_storage *storage, const char *name,
                                        uint64_t bytes, uint64_t *offset);

/* A storage of the legacy stream. */
typedef struct hfm__torch_record {
  hfm__json_span key;
  uint64_t offset, numel, itemsize; /* itemsize: 0 until the object is seen to refer to it */
} hfm__torch_record;

typedef struct hfm__torch {
  const hfm__file *file;
  uint32_t index; /* of the file in the checkpoint */
  hfm__pickle pickle;
  hfm__tensor_list *list;
  hfm__torch_locate locate;
  int32_t big_endian;
  uint64_t at;            /* byte in the file of the instruction that made the tensor in question, for errors */
  const hfm__zip *zip;    /* or: */
  const void **by_key;   /* the records of a legacy stream, sorted */
  size_t record_count;
  hfm_error *error;
} hfm__torch;

HFM__PRIVATE hfm_result hfm__torch_bad(const hfm__torch *t, int32_t item, const char *name, const char *format, ...) {
  char problem[320];
  hfm__text text = hfm__text_to(problem, sizeof problem);
  va_list args;
  va_start(args, format);
  hfm__text_vformat(&text, format, args);
  va_end(args);
  return hfm__fail(t->error, item, t->file->name, name, t->at, "byte %u: tensor %q: %s", t->at, name, problem);
}

HFM__PRIVATE uint64_t hfm__torch_int(const hfm__torch *t, uint32_t object) {
  return (uint64_t)t->pickle.objects[object].u.integer; /* checked to be an integer >= 0 when it was built */
}

HFM__PRIVATE hfm__torch_storage hfm__torch_storage_of(const hfm__torch *t, uint32_t object) {
  const hfm__pickle *p = &t->pickle;
  const uint32_t id = p->objects[object].a;
  const hfm__pickle_object *key = &p->objects[hfm__pickle_element(p, id, 2)];
  hfm__torch_storage storage;
  memset(&storage, 0, sizeof storage);
  storage.dtype = hfm__pickle_globals[p->objects[hfm__pickle_element(p, id, 1)].a].dtype;
  storage.itemsize = storage.dtype > 0 ? (uint64_t)hfm_dtype_bits(storage.dtype) / 8 : storage.dtype < 0 ? 16 : 1;
  storage.key = (const char *)p->data + key->a;
  storage.key_size = key->b;
  storage.numel = storage.view_numel = hfm__torch_int(t, hfm__pickle_element(p, id, 4));
  if (p->persistent == HFM__PK_PERSISTENT_VIEW) {
    const uint32_t view = hfm__pickle_element(p, id, 5);
    if (hfm__pickle_is(p, view, HFM__PK_TUPLE)) {
      storage.is_view = 1;
      storage.view_offset = hfm__torch_int(t, hfm__pickle_element(p, view, 1));
      storage.view_numel = hfm__torch_int(t, hfm__pickle_element(p, view, 2));
    }
  }
  return storage;
}

/* ---- One tensor ---- */

/* *end: one more than the largest element that the strides reach from `first` on, checked in every step; `first` where
   there are no elements. */
HFM__PRIVATE int hfm__torch_reach(const hfm__file_tensor *tensor, const int64_t *stride, uint64_t first,
                                  uint64_t *end) {
  uint64_t reach;
  *end = first;
  for (int32_t i = 0; i < tensor->rank; i++)
    if (tensor->shape[i] == 0) return 1;
  for (int32_t i = 0; i < tensor->rank; i++)
    if (!hfm__mul64((uint64_t)tensor->shape[i] - 1, (uint64_t)stride[i], &reach) ||
        !hfm__add64(*end, reach, end))
      return 0;
  return hfm__add64(*end, 1, end);
}

/* Row-major without gaps; strides of dimensions of one element say nothing. */
HFM__PRIVATE int hfm__torch_is_contiguous(const hfm__file_tensor *tensor, const int64_t *stride) {
  uint64_t expected = 1;
  for (int32_t i = 0; i < tensor->rank; i++)
    if (tensor->shape[i] == 0) return 1;
  for (int32_t i = tensor->rank - 1; i >= 0; i--) {
    if (tensor->shape[i] == 1) continue;
    if ((uint64_t)stride[i] != expected) return 0;
    expected *= (uint64_t)tensor->shape[i];
  }
  return 1;
}

HFM__PRIVATE void hfm__torch_dims(const hfm__torch *t, uint32_t tuple, int64_t *dims) {
  const hfm__pickle *p = &t->pickle;
  int32_t i = 0;
  for (uint32_t cell = p->objects[tuple].a; cell; cell = p->cells[cell].next)
    dims[i++] = p->objects[p->cells[cell].value].u.integer;
}

/* The tensor that `object` describes, checked against its storage; *tensor has its name already. */
HFM__PRIVATE hfm_result hfm__torch_tensor(hfm__torch *t, uint32_t object, hfm__file_tensor *tensor) {
  const hfm__pickle *p = &t->pickle;
  const uint32_t args = p->objects[object].a;
  const hfm__torch_storage storage = hfm__torch_storage_of(t, hfm__pickle_element(p, args, 0));
  const uint32_t size = hfm__pickle_element(p, args, 2);
  const uint64_t first = hfm__torch_int(t, hfm__pickle_element(p, args, 1));
  const int32_t is_v3 = p->objects[object].b == HFM__PK_CALL_TENSOR_V3;
  uint64_t itemsize, elements, bytes, numel, end = 0, offset = 0;
  int64_t stride[HFM_MAX_RANK];
  hfm_result result;
  t->at = p->base + p->objects[object].u.count;
  if (storage.dtype < 0 || (is_v3 && hfm__pickle_globals[p->objects[hfm__pickle_element(p, args, 6)].a].dtype < 0))
    return hfm__torch_bad(t, HFM_E_WEIGHT_DTYPE, tensor->name, "complex128 and packed float4 are not read");
  tensor->dtype = is_v3 ? hfm__pickle_globals[p->objects[hfm__pickle_element(p, args, 6)].a].dtype : storage.dtype;
  if (!tensor->dtype || (is_v3 && storage.dtype && storage.dtype != tensor->dtype))
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name,
                          "its storage does not fit its dtype: expected %s, found %s",
                          tensor->dtype ? hfm_dtype_name(tensor->dtype) : "a dtype",
                          storage.dtype ? hfm_dtype_name(storage.dtype) : "bytes");
  itemsize = (uint64_t)hfm_dtype_bits(tensor->dtype) / 8;
  if (!hfm__mul64(storage.numel, storage.itemsize, &bytes))
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name, "its storage of %u elements is larger than any file",
                          storage.numel);
  if (storage.view_offset > storage.numel || storage.view_numel > storage.numel - storage.view_offset)
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name,
                          "found a view of %u elements from element %u on, outside of its storage of %u",
                          storage.view_numel, storage.view_offset, storage.numel);
  numel = storage.view_numel * storage.itemsize / itemsize;
  tensor->rank = (int32_t)p->objects[size].u.count;
  hfm__torch_dims(t, size, tensor->shape);
  hfm__torch_dims(t, hfm__pickle_element(p, args, 3), stride);
  if (!hfm__torch_reach(tensor, stride, first, &end) || end > numel)
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name,
                          "shape %t, strides %t and offset %u reach beyond the %u elements of its storage",
                          (const int64_t *)tensor->shape, (int)tensor->rank, (const int64_t *)stride, (int)tensor->rank,
                          first, numel);
  if (!hfm__checked_elements(tensor->shape, tensor->rank, &elements) ||
      !hfm__mul64(elements, itemsize, &tensor->bytes) || tensor->bytes > (uint64_t)INT64_MAX)
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name, "its shape %t has more than 2^63 bytes",
                          (const int64_t *)tensor->shape, (int)tensor->rank);
  if (hfm__torch_is_contiguous(tensor, stride)) {
    hfm__row_major(tensor);
  } else if (!hfm__add64(t->list->strided_bytes, tensor->bytes, &t->list->strided_bytes) ||
             (t->list->strided_bytes > t->list->file_bytes &&
              t->list->strided_bytes - t->list->file_bytes > t->file->ctx->limits.max_new_bytes)) {
    return hfm__torch_bad(t, HFM_E_NEW_WEIGHTS_LIMIT, tensor->name,
                          "views of the files take %u bytes as dense tensors, more than the files and "
                          "options.limits.max_new_bytes together",
                          t->list->strided_bytes);
  } else {
    int64_t *kept = (int64_t *)hfm__arena_alloc(t->list->names, (uint64_t)tensor->rank * sizeof *kept);
    if (!kept) return hfm__fail_memory(t->error, "the table of tensors", 0);
    memcpy(kept, stride, (size_t)tensor->rank * sizeof *kept);
    tensor->stride = kept;
  }
  result = t->locate(t, &storage, tensor->name, bytes, &offset);
  if (result != HFM_OK) return result;
  /* What lies in the storage can't overflow: it lies in the file. That it does is what all of the above is about. */
  tensor->offset = elements ? offset + storage.view_offset * storage.itemsize + first * itemsize : offset;
  if (tensor->offset > t->file->size || (elements && (end - first) * itemsize > t->file->size - tensor->offset))
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name, "%u bytes from byte %u on, but the file has only %u",
                          (end - first) * itemsize, tensor->offset, t->file->size);
  tensor->file = t->index;
  tensor->big_endian = t->big_endian && itemsize > 1;
  return HFM_OK;
}

/* ---- The result: a dict of tensors ---- */

/* Walks the members of a dict, whichever way it was made. */
typedef struct hfm__torch_members {
  const hfm__pickle *pickle;
  uint32_t cell;
  int32_t listed;
  uint64_t left; /* cells: a list may have grown after a dict was made of it */
} hfm__torch_members;

HFM__PRIVATE hfm__torch_members hfm__torch_members_of(const hfm__pickle *p, uint32_t dict) {
  hfm__torch_members m;
  m.pickle = p;
  m.listed = p->objects[dict].listed;
  m.cell = m.listed ? p->objects[p->objects[dict].a].a : p->objects[dict].a;
  m.left = p->objects[dict].u.count;
  return m;
}

/* The next member; what is no pair in a list of pairs is passed over. */
HFM__PRIVATE int hfm__torch_next_member(hfm__torch_members *m, uint32_t *key, uint32_t *value) {
  const hfm__pickle *p = m->pickle;
  while (m->left) {
    const hfm__pickle_cell *cell = &p->cells[m->cell];
    m->cell = cell->next;
    m->left--;
    if (!m->listed) {
      *key = cell->key;
      *value = cell->value;
      return 1;
    }
    if ((hfm__pickle_is(p, cell->value, HFM__PK_TUPLE) || hfm__pickle_is(p, cell->value, HFM__PK_LIST)) &&
        p->objects[cell->value].u.count == 2) {
      *key = hfm__pickle_element(p, cell->value, 0);
      *value = hfm__pickle_element(p, cell->value, 1);
      return 1;
    }
  }
  return 0;
}

HFM__PRIVATE int hfm__torch_has_tensors(const hfm__pickle *p, uint32_t dict) {
  hfm__torch_members m = hfm__torch_members_of(p, dict);
  uint32_t key, value;
  while (hfm__torch_next_member(&m, &key, &value))
    if (hfm__pickle_is(p, value, HFM__PK_TENSOR)) return 1;
  return 0;
}

/* The dict with the tensors: a state dict inside of a training checkpoint, else the root. A state dict holds no dicts,
   so that one under such a name settles it, whatever tensors lie beside it. */
HFM__PRIVATE uint32_t hfm__torch_state_dict(const hfm__pickle *p, uint32_t root) {
  static const char *const wrappers[] = {"state_dict", "model_state_dict", "model", "module"};
  uint32_t found[HFM__COUNT(wrappers)], key, value;
  hfm__torch_members m = hfm__torch_members_of(p, root);
  memset(found, 0, sizeof found); /* None */
  while (hfm__torch_next_member(&m, &key, &value))
    for (size_t i = 0; i < HFM__COUNT(wrappers); i++)
      if (hfm__pickle_text_is(p, key, wrappers[i])) found[i] = value;
  for (size_t i = 0; i < HFM__COUNT(wrappers); i++)
    if (hfm__pickle_is(p, found[i], HFM__PK_DICT) && hfm__torch_has_tensors(p, found[i])) return found[i];
  return root;
}

/* A member whose key is a string. */
typedef struct hfm__torch_item {
  const char *key;
  uint32_t size, value;
} hfm__torch_item;

HFM__PRIVATE int hfm__torch_item_order(const void *a, const void *b) {
  const hfm__torch_item *x = (const hfm__torch_item *)a, *y = (const hfm__torch_item *)b;
  const uint32_t n = HFM__MIN(x->size, y->size);
  const int order = n ? memcmp(x->key, y->key, n) : 0;
  return order || x->size == y->size ? order : x->size < y->size ? -1 : 1;
}

/* A tensor's name: UTF-8 without NUL. NULL with *result filled. */
HFM__PRIVATE char *hfm__torch_name(hfm__torch *t, const hfm__torch_item *item, hfm_result *result) {
  char *name;
  for (size_t i = 0; i < item->size;) {
    const size_t length = item->key[i] ? hfm__utf8_length(item->key + i, item->size - i) : 0;
    if (!length) {
      const uint64_t at = t->pickle.base + (uint64_t)(item->key + i - (const char *)t->pickle.data);
      *result = hfm__fail(t->error, HFM_E_PICKLE_RESULT, t->file->name, NULL, at,
                          "byte %u: a tensor's name must be UTF-8 without a NUL character", at);
      return NULL;
    }
    i += length;
  }
  name = hfm__arena_copy(t->list->names, item->key, item->size);
  if (!name) *result = hfm__fail_memory(t->error, "the table of tensors", 0);
  return name;
}

/* DataParallel puts "module." before every name: dropped where all have it. */
HFM__PRIVATE void hfm__torch_drop_module(hfm__tensor_list *list, size_t first) {
  static const char prefix[] = "module.";
  for (size_t i = first; i < list->count; i++)
    if (!hfm__starts_with(list->items[i].name, prefix)) return;
  for (size_t i = first; i < list->count; i++) list->items[i].name += sizeof prefix - 1;
}

/* The table's row for one member; what is no tensor (a step count, a version) has none. */
HFM__PRIVATE hfm_result hfm__torch_add(hfm__torch *t, const hfm__torch_item *item) {
  hfm_result result = HFM_OK;
  hfm__file_tensor *tensor;
  char *name;
  if (!hfm__pickle_is(&t->pickle, item->value, HFM__PK_TENSOR)) return HFM_OK;
  name = hfm__torch_name(t, item, &result);
  if (!name) return result;
  tensor = hfm__tensor_list_add(t->list);
  if (!tensor) return hfm__fail_memory(t->error, "the table of tensors", 0);
  tensor->name = name;
  return hfm__torch_tensor(t, item->value, tensor);
}

/* The tensors of a state dict. Of members of one name the last counts, as in Python, also where it is no tensor. */
HFM__PRIVATE hfm_result hfm__torch_members_to_list(hfm__torch *t, uint32_t dict) {
  const hfm__pickle *p = &t->pickle;
  const hfm_allocator *mem = &t->file->ctx->mem;
  const uint64_t room = p->objects[dict].u.count, item_bytes = room * sizeof(hfm__torch_item);
  const uint64_t sorted_bytes = room * 2 * sizeof(void *);
  hfm__torch_item *items = (hfm__torch_item *)hfm__alloc(mem, item_bytes);
  const void **sorted = (const void **)hfm__alloc(mem, sorted_bytes);
  hfm_result result = HFM_OK;
  hfm__torch_members m = hfm__torch_members_of(p, dict);
  const hfm__torch_item *first_float = NULL;
  size_t count = 0;
  uint32_t key, value;
  if (room && (!items || !sorted)) result = hfm__fail_memory(t->error, "the table of tensors", item_bytes);
  while (result == HFM_OK && hfm__torch_next_member(&m, &key, &value)) {
    if (hfm__pickle_is(p, key, HFM__PK_STRING)) {
      items[count].key = (const char *)p->data + p->objects[key].a;
      items[count].size = p->objects[key].b;
      items[count].value = value;
      sorted[count] = &items[count];
      count++;
    } else if (hfm__pickle_is(p, value, HFM__PK_TENSOR)) {
      t->at = p->base + p->objects[value].u.count;
      result = hfm__fail(t->error, HFM_E_PICKLE_RESULT, t->file->name, NULL, t->at,
                         "byte %u: a tensor without a name: the keys of a state dict must be strings", t->at);
    }
  }
  if (count) hfm__sort(sorted, sorted + count, count, hfm__torch_item_order);
  for (size_t i = 0; i < count && result == HFM_OK; i++) {
    const hfm__torch_item *item = (const hfm__torch_item *)sorted[i];
    const size_t at = t->list->count;
    if (i + 1 < count && hfm__torch_item_order(item, sorted[i + 1]) == 0) continue;
    result = hfm__torch_add(t, item);
    if (result != HFM_OK || t->list->count == at || !hfm__is_float(t->list->items[at].dtype)) continue;
    if (first_float && item > first_float) continue;
    first_float = item;
    t->list->first_float = t->list->items[at].dtype;
  }
  hfm__free(mem, items, item_bytes);
  hfm__free(mem, (void *)sorted, sorted_bytes);
  return result;
}

HFM__PRIVATE hfm_result hfm__torch_result(hfm__torch *t, uint32_t root) {
  const size_t first = t->list->count;
  hfm_result result;
  if (!hfm__pickle_is(&t->pickle, root, HFM__PK_DICT))
    return hfm__fail(t->error, HFM_E_PICKLE_RESULT, t->file->name, NULL, t->pickle.base,
                     "byte %u: the pickle must hold a state dict, a dict of names and tensors, found %s",
                     t->pickle.base, hfm__pickle_kinds[t->pickle.objects[root].kind]);
  result = hfm__torch_members_to_list(t, hfm__torch_state_dict(&t->pickle, root));
  if (result == HFM_OK) hfm__torch_drop_module(t->list, first);
  return result;
}

/* ---- Zip ---- */

HFM__PRIVATE hfm_result hfm__torch_locate_entry(hfm__torch *t, const hfm__torch_storage *storage, const char *name,
                                                uint64_t bytes, uint64_t *offset) {
  const hfm__zip_entry *entry = memchr(storage->key, 0, storage->key_size)
                                    ? NULL
                                    : hfm__zip_find(t->zip, "data/", storage->key, storage->key_size);
  if (!entry)
    return hfm__torch_bad(t, HFM_E_TORCH_ENTRY, name, "its storage is not in the archive (is the file complete?)");
  if (entry->size != bytes)
    return hfm__fail(t->error, HFM_E_TORCH_ENTRY, t->file->name, name, entry->offset,
                     "byte %u: tensor %q: its storage should have %u bytes, but zip entry %q has %u", entry->offset,
                     name, bytes, entry->name, entry->size);
  *offset = entry->offset;
  return HFM_OK;
}

/* "little" or "big"; little where nothing is said. */
HFM__PRIVATE hfm_result hfm__torch_byte_order(hfm__torch *t) {
  const hfm__zip_entry *entry = hfm__zip_find(t->zip, "", "byteorder", 9);
  char order[8];
  hfm_result result;
  if (!entry) return HFM_OK;
  memset(order, 0, sizeof order);
  result = hfm__file_read(t->file, entry->offset, order, HFM__MIN(entry->size, (uint64_t)sizeof order - 1), t->error);
  if (result != HFM_OK) return result;
  t->big_endian = hfm__equal(order, "big");
  if ((t->big_endian || hfm__equal(order, "little")) && entry->size == strlen(order)) return HFM_OK;
  return hfm__fail(t->error, HFM_E_TORCH_ENTRY, t->file->name, entry->name, entry->offset,
                   "byte %u: the entry \"byteorder\" must say \"little\" or \"big\", found %u bytes, %q", entry->offset,
                   entry->size, order);
}

HFM__PRIVATE hfm_result hfm__torch_run_entry(hfm__torch *t, const hfm__zip_entry *entry) {
  const uint64_t cap = t->file->ctx->limits.max_header_bytes;
  const uint8_t *data;
  uint8_t *owned;
  uint32_t root;
  hfm_result result;
  if (entry->size > HFM__MIN(cap, (uint64_t)UINT32_MAX))
    return hfm__fail(t->error, HFM_E_FILE_TOO_LARGE, t->file->name, entry->name, entry->offset,
                     "zip entry %q has %u bytes; at most %u are read (options.limits.max_header_bytes)", entry->name,
                     entry->size, cap);
  result = hfm__file_bytes(t->file, entry->offset, entry->size, &data, &owned, t->error);
  if (result != HFM_OK) return result;
  hfm__pickle_begin(&t->pickle, &t->file->ctx->mem, t->file->name, data, (size_t)entry->size, entry->offset,
                    HFM__PK_PERSISTENT, t->error);
  result = hfm__pickle_run(&t->pickle, &root);
  if (result == HFM_OK && t->pickle.pos != t->pickle.size)
    result = hfm__fail(t->error, HFM_E_PICKLE_RESULT, t->file->name, entry->name, entry->offset + t->pickle.pos,
                       "byte %u: %u bytes follow the pickle's STOP", entry->offset + t->pickle.pos,
                       (uint64_t)(t->pickle.size - t->pickle.pos));
  if (result == HFM_OK) result = hfm__torch_result(t, root);
  hfm__pickle_end(&t->pickle);
  hfm__free(&t->file->ctx->mem, owned, entry->size);
  return result;
}

HFM__PRIVATE hfm_result hfm__torch_read_zip(hfm__torch *t) {
  hfm__zip zip;
  const hfm__zip_entry *entry;
  hfm_result result = hfm__zip_open(t->file, &zip, t->error);
  int32_t is_script = 0;
  if (result != HFM_OK) return result;
  t->zip = &zip;
  t->locate = hfm__torch_locate_entry;
  for (size_t i = 0; i < zip.count; i++)
    if (hfm__starts_with(zip.entries[i].name + strlen(zip.root) + 1, "code/")) is_script = 1;
  entry = hfm__zip_find(&zip, "", "data.pkl", 8);
  if (is_script || hfm__zip_find(&zip, "", "constants.pkl", 13))
    result = hfm__fail(t->error, HFM_E_TORCH_UNSUPPORTED, t->file->name, NULL, 0,
                       "a TorchScript archive, which holds code: save the model's state_dict() instead");
  else if (!entry)
    result = hfm__fail(t->error, HFM_E_TORCH_ENTRY, t->file->name, "data.pkl", 0,
                       "a zip archive without data.pkl: torch.save did not write this");
  else
    result = hfm__torch_byte_order(t);
  if (result == HFM_OK) result = hfm__torch_run_entry(t, entry);
  hfm__zip_close(&zip);
  return result;
}

/* ---- Legacy stream ---- */

/* "byte N: legacy .bin file: storage 'key': problem"; `storage` NULL: of the whole file. */
HFM__PRIVATE hfm_result hfm__torch_legacy_bad(const hfm__torch *t, const hfm__torch_record *storage, uint64_t offset,
                                              const char *format, ...) {
  char problem[512];
  hfm__text text = hfm__text_to(problem, sizeof problem);
  va_list args;
  if (storage) {
    hfm__text_str(&text, "storage ");
    hfm__text_quoted(&text, storage->key.text, storage->key.size);
    hfm__text_str(&text, ": ");
  }
  va_start(args, format);
  hfm__text_vformat(&text, format, args);
  va_end(args);
  return hfm__fail(t->error, HFM_E_TORCH_LEGACY, t->file->name, NULL, offset, "byte %u: legacy .bin file: %s", offset,
                   problem);
}

/* The same, where a pickle holds something else. */
HFM__PRIVATE hfm_result hfm__torch_legacy_found(const hfm__torch *t, uint32_t object, const char *expected) {
  return hfm__torch_legacy_bad(t, NULL, t->pickle.op, "%s expected, found %s", expected,
                               hfm__pickle_kinds[t->pickle.objects[object].kind]);
}

HFM__PRIVATE int hfm__torch_record_order(const void *a, const void *b) {
  return hfm__json_order(&((const hfm__torch_record *)a)->key, &((const hfm__torch_record *)b)->key);
}

HFM__PRIVATE hfm__torch_record *hfm__torch_find_record(const hfm__torch *t, const char *key, size_t key_size) {
  hfm__torch_record wanted;
  size_t low = 0, high = t->record_count;
  wanted.key.text = key;
  wanted.key.size = key_size;
  wanted.key.escaped = 0;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const int order = hfm__torch_record_order(t->by_key[middle], &wanted);
    if (order == 0) return (hfm__torch_record *)t->by_key[middle];
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return NULL;
}

HFM__PRIVATE hfm_result hfm__torch_locate_record(hfm__torch *t, const hfm__torch_storage *storage, const char *name,
                                                 uint64_t bytes, uint64_t *offset) {
  const hfm__torch_record *record = hfm__torch_find_record(t, storage->key, storage->key_size);
  if (!record || record->numel * record->itemsize != bytes)
    return hfm__torch_bad(t, HFM_E_TORCH_LEGACY, name, "its storage of %u bytes is not in the file", bytes);
  *offset = record->offset;
  return HFM_OK;
}

/* Magic number, protocol, and system of the first three pickles. */
HFM__PRIVATE hfm_result hfm__torch_legacy_head(hfm__torch *t) {
  static const uint8_t magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  hfm__pickle *p = &t->pickle;
  hfm__torch_members m;
  uint32_t root, key, value;
  int32_t little = 0;
  hfm_result result = hfm__pickle_run(p, &root);
  if (result != HFM_OK) return result;
  if (!hfm__pickle_is(p, root, HFM__PK_OPAQUE) || p->objects[root].b != sizeof magic ||
      memcmp(p->data + p->objects[root].a, magic, sizeof magic) != 0)
    return hfm__fail(t->error, HFM_E_FILE_KIND, t->file->name, NULL, 0,
                     "byte 0: a pickle, but not one that torch.save wrote, which begins with a magic number: save the "
                     "model's state_dict() with torch.save");
  result = hfm__pickle_run(p, &root);
  if (result != HFM_OK) return result;
  if (!hfm__pickle_is(p, root, HFM__PK_INT)) return hfm__torch_legacy_found(t, root, "the protocol's version");
  if (p->objects[root].u.integer != 1001)
    return hfm__torch_legacy_bad(t, NULL, p->op, "version 1001 of the protocol expected, found %i",
                                 p->objects[root].u.integer);
  result = hfm__pickle_run(p, &root);
  if (result != HFM_OK) return result;
  if (!hfm__pickle_is(p, root, HFM__PK_DICT)) return hfm__torch_legacy_found(t, root, "a dict of the system");
  m = hfm__torch_members_of(p, root);
  while (hfm__torch_next_member(&m, &key, &value))
    if (hfm__pickle_text_is(p, key, "little_endian"))
      little = hfm__pickle_is(p, value, HFM__PK_BOOL) && p->objects[value].u.integer;
  if (!little)
    return hfm__fail(t->error, HFM_E_TORCH_UNSUPPORTED, t->file->name, "little_endian", p->op,
                     "byte %u: saved on a big-endian machine in the legacy format: save it again", (uint64_t)p->op);
  return HFM_OK;
}

/* The keys in the order of their storages; each must be one that the object refers to, and the reverse. */
HFM__PRIVATE hfm_result hfm__torch_legacy_keys(hfm__torch *t, uint32_t list, hfm__torch_record *records) {
  const hfm__pickle *p = &t->pickle;
  size_t n = 0;
  for (uint32_t cell = p->objects[list].a; cell; cell = p->cells[cell].next) {
    const hfm__pickle_object *key = &p->objects[p->cells[cell].value];
    if (key->kind != HFM__PK_STRING)
      return hfm__torch_legacy_found(t, p->cells[cell].value, "strings as the storages' keys");
    records[n].key.text = (const char *)p->data + key->a;
    records[n].key.size = key->b;
    t->by_key[n] = &records[n];
    n++;
  }
  hfm__sort(t->by_key, t->by_key + n, n, hfm__torch_record_order);
  for (size_t i = 1; i < n; i++)
    if (hfm__torch_record_order(t->by_key[i - 1], t->by_key[i]) == 0)
      return hfm__torch_legacy_bad(t, (const hfm__torch_record *)t->by_key[i], p->op,
                                   "must be listed once, found twice");
  for (uint32_t i = 0; i < p->object_count; i++) {
    hfm__torch_storage storage;
    hfm__torch_record *record;
    if (p->objects[i].kind != HFM__PK_STORAGE) continue;
    storage = hfm__torch_storage_of(t, i);
    record = hfm__torch_find_record(t, storage.key, storage.key_size);
    if (!record) {
      hfm__torch_record absent;
      memset(&absent, 0, sizeof absent);
      absent.key.text = storage.key;
      absent.key.size = storage.key_size;
      return hfm__torch_legacy_bad(t, &absent, p->op, "is a tensor's, but not in the list of storages");
    }
    if (record->itemsize && (record->itemsize != storage.itemsize || record->numel != storage.numel))
      return hfm__torch_legacy_bad(t, record, p->op, "has %u elements of %u bytes for one tensor, %u of %u for another",
                                   record->numel, record->itemsize, storage.numel, storage.itemsize);
    record->itemsize = storage.itemsize;
    record->numel = storage.numel;
  }
  for (size_t i = 0; i < n; i++)
    if (!records[i].itemsize) return hfm__torch_legacy_bad(t, &records[i], p->op, "is listed, but no tensor uses it");
  return HFM_OK;
}

/* int64 number of elements, elements; one after the other, to the file's last byte. */
HFM__PRIVATE hfm_result hfm__torch_legacy_storages(hfm__torch *t, hfm__torch_record *records) {
  const uint64_t size = t->file->size;
  uint64_t at = t->pickle.pos;
  for (size_t i = 0; i < t->record_count; i++) {
    uint8_t count[8];
    uint64_t bytes;
    hfm_result result;
    if (size - at < 8)
      return hfm__torch_legacy_bad(
          t, &records[i], at, "expected, but the file has only %u more bytes (is the download complete?)", size - at);
    result = hfm__file_read(t->file, at, count, 8, t->error);
    if (result != HFM_OK) return result;
    if (hfm__le64(count) != records[i].numel)
      return hfm__torch_legacy_bad(t, &records[i], at, "must have %u elements, as its tensors say, found %u",
                                   records[i].numel, hfm__le64(count));
    at += 8;
    if (!hfm__mul64(records[i].numel, records[i].itemsize, &bytes) || bytes > size - at)
      return hfm__torch_legacy_bad(t, &records[i], at,
                                   "%u elements of %u bytes expected, but the file has only %u bytes more (is the "
                                   "download complete?)",
                                   records[i].numel, records[i].itemsize, size - at);
    records[i].offset = at;
    at += bytes;
  }
  return at == size
             ? HFM_OK
             : hfm__torch_legacy_bad(t, NULL, at, "nothing after the last storage expected, found %u bytes", size - at);
}

HFM__PRIVATE hfm_result hfm__torch_legacy_body(hfm__torch *t) {
  const hfm_allocator *mem = &t->file->ctx->mem;
  hfm__pickle *p = &t->pickle;
  hfm__torch_record *records = NULL;
  uint64_t count = 0;
  uint32_t object = 0, list = 0;
  hfm_result result = hfm__torch_legacy_head(t);
  if (result == HFM_OK) result = hfm__pickle_run(p, &object);
  if (result == HFM_OK) result = hfm__pickle_run(p, &list);
  if (result != HFM_OK) return result;
  if (!hfm__pickle_is(p, list, HFM__PK_LIST)) return hfm__torch_legacy_found(t, list, "a list of storages");
  count = p->objects[list].u.count;
  if (count) {
    records = (hfm__torch_record *)hfm__alloc_zero(mem, count * sizeof *records);
    t->by_key = (const void **)hfm__alloc(mem, count * 2 * sizeof *t->by_key);
    if (!records || !t->by_key) result = hfm__fail_memory(t->error, "a list of storages", count * sizeof *records);
  }
  t->record_count = (size_t)count;
  t->locate = hfm__torch_locate_record;
  if (result == HFM_OK && count) result = hfm__torch_legacy_keys(t, list, records);
  if (result == HFM_OK) result = hfm__torch_legacy_storages(t, records);
  if (result == HFM_OK) result = hfm__torch_result(t, object);
  hfm__free(mem, records, count * sizeof *records);
  hfm__free(mem, (void *)t->by_key, count * 2 * sizeof *t->by_key);
  return result;
}

/* The five pickles must lie in the first max_header_bytes of the file; storages may lie anywhere after them. */
HFM__PRIVATE hfm_result hfm__torch_read_legacy(hfm__torch *t) {
  const uint64_t window = HFM__MIN(t->file->size, t->file->ctx->limits.max_header_bytes);
  const uint8_t *data;
  uint8_t *owned;
  hfm_result result = hfm__file_bytes(t->file, 0, window, &data, &owned, t->error);
  if (result != HFM_OK) return result;
  hfm__pickle_begin(&t->pickle, &t->file->ctx->mem, t->file->name, data, (size_t)window, 0,
                    HFM__PK_PERSISTENT_VIEW, t->error);
  result = hfm__torch_legacy_body(t);
  hfm__pickle_end(&t->pickle);
  hfm__free(&t->file->ctx->mem, owned, window);
  return result;
}

/* ---- Both ---- */

/* Appends the tensors of an opened .bin file, which is files[index] of the checkpoint. */
HFM__PRIVATE hfm_result hfm__torch_read(const hfm__file *file, uint32_t index, hfm__tensor_list *list,
                                        hfm_error *error) {
  uint8_t magic[4] = {0, 0, 0, 0};
  char found[24];
  hfm__text t_found = hfm__text_to(found, sizeof found);
  hfm__torch t;
  hfm_result result = hfm__file_read(file, 0, magic, HFM__MIN(file->size, (uint64_t)4), error);
  int is_tar = 0;
  if (result == HFM_OK) result = hfm__file_is_tar(file, &is_tar, error);
  if (result != HFM_OK) return result;
  memset(&t, 0, sizeof t);
  t.file = file;
  t.index = index;
  t.list = list;
  t.error = error;
  if (hfm__le32(magic) == HFM__ZIP_LOCAL) return hfm__torch_read_zip(&t);
  if (magic[0] == 0x80) return hfm__torch_read_legacy(&t);
  if (is_tar)
    return hfm__fail(error, HFM_E_TORCH_UNSUPPORTED, file->name, NULL, 257,
                     "a tar archive, as torch before 0.1.10 wrote: load it with such a torch and save it again");
  hfm__text_quoted(&t_found, (const char *)magic, (size_t)HFM__MIN(file->size, (uint64_t)4));
  return hfm__fail(error, HFM_E_FILE_KIND, file->name, NULL, 0,
                   "byte 0: a zip archive or a pickle, as torch.save writes them, expected, found %s%s", found,
                   hfm__file_guess(magic));
}
