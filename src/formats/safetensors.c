/* ==== formats/safetensors (private): the header becomes a table of tensors =====================================
   u64 header length, JSON header, data. The tensors must tile the data exactly: that one rule excludes holes,
   overlaps, offsets outside of the file, and bombs made of aliases. */

/* A tensor in a file. Every field has been checked against the file's size. */
typedef struct hfm__file_tensor {
  const char *name;
  hfm_dtype dtype;                     /* 0: quantised, see `blocks` */
  const struct hfm__ggml_type *blocks; /* only in GGUF: what its elements are stored in; else NULL */
  int32_t rank;
  int64_t shape[HFM_MAX_RANK];
  const int64_t *stride; /* in elements; where it is contiguous NULL, since there may be millions of tensors */
  uint32_t file;         /* index in the checkpoint's files */
  int32_t contiguous;    /* row-major without gaps */
  int32_t big_endian;    /* of the elements; only old .bin files are */
  uint64_t offset;       /* byte in the file of element 0 */
  uint64_t bytes;        /* of all elements */
} hfm__file_tensor;

/* A growing table of tensors; names and strides live in `names`, and so do the keys and texts of the metadata. */
typedef struct hfm__tensor_list {
  hfm_allocator mem;
  hfm__arena *names;
  hfm__file_tensor *items;
  size_t count, capacity;
  uint64_t file_bytes;    /* of all files so far */
  uint64_t strided_bytes; /* what all tensors that are not contiguous would take as dense ones */
  int32_t want_metadata;  /* texts are kept: a model has no use for them */
  hfm_metadata *metadata; /* of the file, in its order */
  size_t metadata_count, metadata_capacity;
  hfm_dtype first_float;  /* of the first float tensor in a .bin's own order, which the table does not keep; else 0 */
  const char *format;     /* of the file that was read last, for hfm_contents; with GGUF's version and alignment */
  int32_t version;
  uint32_t alignment;
} hfm__tensor_list;

HFM__PRIVATE hfm__file_tensor *hfm__tensor_list_add(hfm__tensor_list *list) {
  void *grown = hfm__grow(&list->mem, list->items, list->count, &list->capacity, sizeof *list->items);
  if (!grown) return NULL;
  list->items = (hfm__file_tensor *)grown;
  memset(&list->items[list->count], 0, sizeof *list->items);
  return &list->items[list->count++];
}

/* A new entry of the metadata, all zero; NULL when out of memory. */
HFM__PRIVATE hfm_metadata *hfm__metadata_add(hfm__tensor_list *list) {
  void *grown = hfm__grow(&list->mem, list->metadata, list->metadata_count, &list->metadata_capacity,
                          sizeof *list->metadata);
  if (!grown) return NULL;
  list->metadata = (hfm_metadata *)grown;
  memset(&list->metadata[list->metadata_count], 0, sizeof *list->metadata);
  return &list->metadata[list->metadata_count++];
}

HFM__PRIVATE void hfm__tensor_list_free(hfm__tensor_list *list) {
  hfm__free(&list->mem, list->items, (uint64_t)list->capacity * sizeof *list->items);
  hfm__free(&list->mem, list->metadata, (uint64_t)list->metadata_capacity * sizeof *list->metadata);
  list->items = NULL;
  list->metadata = NULL;
  list->count = list->capacity = list->metadata_count = list->metadata_capacity = 0;
}

/* Number of elements into *elements, every partial product checked in order. */
HFM__PRIVATE int hfm__checked_elements(const int64_t *shape, int32_t rank, uint64_t *elements) {
  *elements = 1;
  for (int32_t i = 0; i < rank; i++)
    if (shape[i] < 0 || !hfm__mul64(*elements, (uint64_t)shape[i], elements)) return 0;
  return 1;
}

HFM__PRIVATE void hfm__row_major(hfm__file_tensor *tensor) {
  tensor->contiguous = 1;
  tensor->stride = NULL;
}

/* ---- The header ---- */

/* Where in the header an error is: the reader's text, offset and error belong together. */
HFM__PRIVATE hfm_result hfm__safetensors_bad(hfm__json_reader *r, int32_t item, const char *name, size_t at,
                                             const char *problem) {
  const uint64_t offset = r->base + at;
  if (name)
    return hfm__fail(r->error, item, r->file, name, offset, "byte %u: tensor %q: %s", offset, name, problem);
  return hfm__fail(r->error, item, r->file, NULL, offset, "byte %u: %s", offset, problem);
}

/* The value just read is another than what was expected. */
HFM__PRIVATE hfm_result hfm__safetensors_wrong(hfm__json_reader *r, int32_t item, const char *name, int32_t kind,
                                               const char *expected) {
  const uint64_t offset = r->base + r->at;
  char found[HFM__JSON_SHOWN];
  hfm__text t = hfm__text_to(found, sizeof found);
  if (kind == HFM__JSON_FAILED) return r->result;
  hfm__json_show(&t, kind, r->value.text, r->value.size);
  if (name)
    return hfm__fail(r->error, item, r->file, name, offset, "byte %u: tensor %q: %s, found %s", offset, name, expected,
                     found);
  return hfm__fail(r->error, item, r->file, NULL, offset, "byte %u: %s, found %s", offset, expected, found);
}

HFM__PRIVATE hfm_dtype hfm__safetensors_dtype(const hfm__json_span *name) {
  for (size_t i = 0; i < HFM__COUNT(hfm__dtypes); i++)
    if (hfm__json_is(name, hfm__dtypes[i].safetensors)) return hfm__dtypes[i].dtype;
  return HFM_DTYPE_AUTO;
}

HFM__PRIVATE hfm_result hfm__safetensors_shape(hfm__json_reader *r, hfm__file_tensor *tensor) {
  for (;;) {
    const int32_t kind = hfm__json_next(r);
    uint64_t dimension = 0;
    if (kind == HFM__JSON_END) return HFM_OK;
    if (kind != HFM__JSON_NUMBER || !hfm__json_u64(r->value.text, r->value.size, &dimension) ||
        dimension > (uint64_t)INT64_MAX)
      return hfm__safetensors_wrong(r, HFM_E_SAFETENSORS_SHAPE, tensor->name, kind,
                                    "each dimension of \"shape\" must be an integer from 0 to 2^63 - 1");
    if (tensor->rank == HFM_MAX_RANK)
      return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_SHAPE, tensor->name, r->at,
                                  "has more than the 8 dimensions that this library reads");
    tensor->shape[tensor->rank++] = (int64_t)dimension;
  }
}

HFM__PRIVATE hfm_result hfm__safetensors_offsets(hfm__json_reader *r, const char *name, uint64_t range[2]) {
  for (int32_t i = 0;; i++) {
    const int32_t kind = hfm__json_next(r);
    if (kind == HFM__JSON_END && i == 2) return HFM_OK;
    if (i == 2 || kind != HFM__JSON_NUMBER || !hfm__json_u64(r->value.text, r->value.size, &range[i]))
      return hfm__safetensors_wrong(r, HFM_E_SAFETENSORS_OFFSETS, name, kind,
                                    i == 2 ? "\"data_offsets\" must end after two integers, [begin, end]"
                                           : "\"data_offsets\" must be two integers, [begin, end]");
  }
}

/* The members of one entry; r stands after its opening brace. `data` is where the data begins in the file. */
HFM__PRIVATE hfm_result hfm__safetensors_entry(hfm__json_reader *r, hfm__file_tensor *tensor, uint64_t data,
                                               uint64_t data_size) {
  const size_t at = r->at;
  uint64_t range[2] = {0, 0}, elements, bits;
  int32_t has_dtype = 0, has_shape = 0, has_offsets = 0;
  size_t offsets_at = 0, shape_at = 0;
  for (;;) {
    const int32_t kind = hfm__json_next(r);
    hfm_result result = HFM_OK;
    if (kind == HFM__JSON_FAILED) return r->result;
    if (kind == HFM__JSON_END) break;
    if (hfm__json_is(&r->key, "dtype")) {
      has_dtype = 1;
      tensor->dtype = kind == HFM__JSON_STRING ? hfm__safetensors_dtype(&r->value) : HFM_DTYPE_AUTO;
      if (!tensor->dtype)
        return hfm__safetensors_wrong(r, HFM_E_SAFETENSORS_DTYPE, tensor->name, kind,
                                      "\"dtype\" must be one of F32, F16, BF16, F64, I64, I32, I16, I8, U64, U32, U16, "
                                      "U8, BOOL, C64, F8_E4M3, F8_E5M2 and so on");
    } else if (hfm__json_is(&r->key, "shape")) {
      has_shape = 1;
      shape_at = r->at;
      result = kind == HFM__JSON_ARRAY ? hfm__safetensors_shape(r, tensor)
                                       : hfm__safetensors_wrong(r, HFM_E_SAFETENSORS_SHAPE, tensor->name, kind,
                                                                "\"shape\" must be a list");
    } else if (hfm__json_is(&r->key, "data_offsets")) {
      has_offsets = 1;
      offsets_at = r->at;
      result = kind == HFM__JSON_ARRAY ? hfm__safetensors_offsets(r, tensor->name, range)
                                       : hfm__safetensors_wrong(r, HFM_E_SAFETENSORS_OFFSETS, tensor->name, kind,
                                                                "\"data_offsets\" must be a list");
    } else if (!hfm__json_skip(r, kind)) {
      result = r->result;
    }
    if (result != HFM_OK) return result;
  }
  if (!has_dtype || !has_shape || !has_offsets)
    return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_ENTRY, tensor->name, at,
                                !has_dtype   ? "an entry needs \"dtype\", \"shape\" and \"data_offsets\": no dtype"
                                : !has_shape ? "an entry needs \"dtype\", \"shape\" and \"data_offsets\": no shape"
                                             : "an entry needs \"dtype\", \"shape\" and \"data_offsets\": no offsets");
  if (!hfm__checked_elements(tensor->shape, tensor->rank, &elements) ||
      !hfm__mul64(elements, (uint64_t)hfm_dtype_bits(tensor->dtype), &bits))
    return hfm__fail(r->error, HFM_E_SAFETENSORS_SHAPE, r->file, tensor->name, r->base + shape_at,
                     "byte %u: tensor %q: \"shape\" %t has more than 2^64 bits", r->base + (uint64_t)shape_at,
                     tensor->name, (const int64_t *)tensor->shape, (int)tensor->rank);
  if (bits % 8)
    return hfm__fail(r->error, HFM_E_SAFETENSORS_SHAPE, r->file, tensor->name, r->base + shape_at,
                     "byte %u: tensor %q: \"shape\" %t must fill whole bytes, but has %u bits in its dtype",
                     r->base + (uint64_t)shape_at, tensor->name, (const int64_t *)tensor->shape, (int)tensor->rank,
                     bits);
  if (range[0] > range[1] || range[1] - range[0] != bits / 8)
    return hfm__fail(r->error, HFM_E_SAFETENSORS_OFFSETS, r->file, tensor->name, r->base + offsets_at,
                     "byte %u: tensor %q: \"data_offsets\" [%u, %u] must span the %u bytes of its shape and dtype",
                     r->base + (uint64_t)offsets_at, tensor->name, range[0], range[1], bits / 8);
  if (range[1] > data_size)
    return hfm__fail(r->error, HFM_E_SAFETENSORS_TRUNCATED, r->file, tensor->name, r->base + offsets_at,
                     "byte %u: tensor %q: ends at byte %u of the data, but the file holds only %u (is the download "
                     "complete?)",
                     r->base + (uint64_t)offsets_at, tensor->name, range[1], data_size);
  tensor->offset = data + range[0];
  tensor->bytes = bits / 8;
  hfm__row_major(tensor);
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__safetensors_keep(hfm__json_reader *r, hfm__tensor_list *list) {
  char *key = (char *)hfm__arena_alloc(list->names, (uint64_t)r->key.size + 1);
  char *text = (char *)hfm__arena_alloc(list->names, (uint64_t)r->value.size + 1);
  hfm_metadata *entry = key && text ? hfm__metadata_add(list) : NULL;
  if (!entry) return hfm__fail_memory(r->error, "metadata", 0);
  (void)hfm__json_unescape(&r->key, key);
  entry->key = key;
  entry->text = text;
  entry->text_size = hfm__json_unescape(&r->value, text);
  entry->count = 1;
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__safetensors_metadata(hfm__json_reader *r, int32_t kind, hfm__tensor_list *list) {
  hfm_result result = HFM_OK;
  if (kind != HFM__JSON_OBJECT)
    return hfm__safetensors_wrong(r, HFM_E_SAFETENSORS_METADATA, NULL, kind, "\"__metadata__\" must be an object");
  while (result == HFM_OK) {
    kind = hfm__json_next(r);
    if (kind == HFM__JSON_FAILED) return r->result;
    if (kind == HFM__JSON_END) break;
    if (kind != HFM__JSON_STRING)
      return hfm__safetensors_wrong(r, HFM_E_SAFETENSORS_METADATA, NULL, kind, "\"__metadata__\" holds only strings");
    if (list->want_metadata) result = hfm__safetensors_keep(r, list);
  }
  return result;
}

HFM__PRIVATE hfm_result hfm__safetensors_header(hfm__json_reader *r, uint32_t file, uint64_t data, uint64_t data_size,
                                                hfm__tensor_list *list) {
  int32_t kind = hfm__json_next(r);
  if (kind != HFM__JSON_OBJECT)
    return hfm__safetensors_wrong(r, HFM_E_SAFETENSORS_ENTRY, NULL, kind, "the header must be a JSON object");
  while ((kind = hfm__json_next(r)) != HFM__JSON_END) {
    hfm__file_tensor *tensor;
    hfm_result result;
    char *name;
    size_t length;
    if (kind == HFM__JSON_FAILED) return r->result;
    if (hfm__json_is(&r->key, "__metadata__")) {
      result = hfm__safetensors_metadata(r, kind, list);
      if (result != HFM_OK) return result;
      continue;
    }
    name = (char *)hfm__arena_alloc(list->names, (uint64_t)r->key.size + 1);
    tensor = name ? hfm__tensor_list_add(list) : NULL;
    if (!tensor) return hfm__fail_memory(r->error, "the table of tensors", 0);
    length = hfm__json_unescape(&r->key, name);
    tensor->name = name;
    tensor->file = file;
    if (strlen(name) != length)
      return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_ENTRY, name, (size_t)(r->key.text - r->text),
                                  "a tensor's name must not hold a NUL character");
    if (kind != HFM__JSON_OBJECT)
      return hfm__safetensors_wrong(r, HFM_E_SAFETENSORS_ENTRY, name, kind, "an entry must be a JSON object");
    result = hfm__safetensors_entry(r, tensor, data, data_size);
    if (result != HFM_OK) return result;
  }
  kind = hfm__json_next(r);
  return kind == HFM__JSON_FAILED ? r->result : HFM_OK;
}

/* ---- Coverage ---- */

HFM__PRIVATE int hfm__tensor_offset_order(const void *a, const void *b) {
  const hfm__file_tensor *x = (const hfm__file_tensor *)a, *y = (const hfm__file_tensor *)b;
  if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
  return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* The tensors of the list from `first` on must tile [data, size) of the file without hole or overlap. */
HFM__PRIVATE hfm_result hfm__safetensors_coverage(const hfm__file *file, const hfm__tensor_list *list, size_t first,
                                                  uint64_t data, hfm_error *error) {
  const hfm_allocator *mem = &file->ctx->mem;
  const size_t count = list->count - first;
  const uint64_t scratch_bytes = (uint64_t)count * 2 * sizeof(void *);
  const void **sorted;
  uint64_t end = data;
  hfm_result result = HFM_OK;
  if (count) {
    sorted = (const void **)hfm__alloc(mem, scratch_bytes);
    if (!sorted) return hfm__fail_memory(error, "sorting tensors", scratch_bytes);
    for (size_t i = 0; i < count; i++) sorted[i] = list->items + first + i;
    hfm__sort(sorted, sorted + count, count, hfm__tensor_offset_order);
    for (size_t i = 0; i < count && result == HFM_OK; i++) {
      const hfm__file_tensor *tensor = (const hfm__file_tensor *)sorted[i];
      if (tensor->offset != end)
        result = hfm__fail(error, HFM_E_SAFETENSORS_COVERAGE, file->name, tensor->name, tensor->offset,
                           "tensor %q begins at byte %u of the data, but the one before ends at byte %u: tensors must "
                           "follow each other without gap or overlap",
                           tensor->name, tensor->offset - data, end - data);
      else
        end += tensor->bytes;
    }
    hfm__free(mem, (void *)sorted, scratch_bytes);
  }
  if (result == HFM_OK && end != file->size)
    result = hfm__fail(error, HFM_E_SAFETENSORS_COVERAGE, file->name, NULL, end,
                       "the tensors end at byte %u, but the file has %u bytes: nothing may follow them", end,
                       file->size);
  return result;
}

/* Appends the tensors of an opened file, which is files[index] of the checkpoint. */
HFM__PRIVATE hfm_result hfm__safetensors_read(const hfm__file *file, uint32_t index, hfm__tensor_list *list,
                                              hfm_error *error) {
  const hfm_allocator *mem = &file->ctx->mem;
  const uint64_t cap = HFM__MIN(file->ctx->limits.max_header_bytes, (uint64_t)100000000);
  const size_t first = list->count;
  hfm__json_reader reader;
  hfm_result result;
  uint8_t prefix[8], *owned;
  const uint8_t *header;
  uint64_t size;
  if (file->size < 8)
    return hfm__fail(error, HFM_E_SAFETENSORS_TRUNCATED, file->name, NULL, file->size,
                     "a safetensors file begins with 8 bytes of header length, but this has %u bytes", file->size);
  result = hfm__file_read(file, 0, prefix, 8, error);
  if (result != HFM_OK) return result;
  size = hfm__le64(prefix);
  if (size > cap)
    return hfm__fail(error, HFM_E_SAFETENSORS_HEADER_SIZE, file->name, NULL, 0,
                     "the header claims %u bytes, at most %u are read: not a safetensors file, or a broken one%s", size,
                     cap, hfm__file_guess(prefix));
  if (size > file->size - 8)
    return hfm__fail(error, HFM_E_SAFETENSORS_TRUNCATED, file->name, NULL, 0,
                     "the header claims %u bytes, but the file has only %u after the first 8 (is the download "
                     "complete?)",
                     size, file->size - 8);
  result = hfm__file_bytes(file, 8, size, &header, &owned, error);
  if (result != HFM_OK) return result;
  hfm__json_begin(&reader, mem, file->name, (const char *)header, (size_t)size, 8, 0, error);
  result = hfm__safetensors_header(&reader, index, 8 + size, file->size - 8 - size, list);
  hfm__json_end(&reader);
  hfm__free(mem, owned, size);
  if (result != HFM_OK) return result;
  return hfm__safetensors_coverage(file, list, first, 8 + size, error);
}
