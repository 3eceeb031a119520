/* ==== formats/gguf (private): metadata and tensor table of ggml's files ==========================================
   "GGUF", version, counts, key-value pairs, tensor table, padding, data; numbers are little-endian. The header has no
   stated length: it is read front to back through a small window, each byte once, and what is kept of it is copied, so
   that a file that changes meanwhile can't come between a check and the use of what was checked. */

typedef struct hfm__ggml_type {
  const char *name;         /* ggml's, without GGML_TYPE_ */
  hfm_dtype dtype;          /* 0: quantised */
  uint16_t elements, bytes; /* of a block, which lies within a row; no elements: ggml has removed the type */
} hfm__ggml_type;

/* The index is the number in the file. */
static const hfm__ggml_type hfm__ggml_types[] = {
    {"F32", HFM_F32, 1, 4}, {"F16", HFM_F16, 1, 2}, {"Q4_0", 0, 32, 18}, {"Q4_1", 0, 32, 20}, {"Q4_2", 0, 0, 0},
    {"Q4_3", 0, 0, 0}, {"Q5_0", 0, 32, 22}, {"Q5_1", 0, 32, 24}, {"Q8_0", 0, 32, 34}, {"Q8_1", 0, 32, 36},
    /* 10 */
    {"Q2_K", 0, 256, 84}, {"Q3_K", 0, 256, 110}, {"Q4_K", 0, 256, 144}, {"Q5_K", 0, 256, 176}, {"Q6_K", 0, 256, 210},
    {"Q8_K", 0, 256, 292}, {"IQ2_XXS", 0, 256, 66}, {"IQ2_XS", 0, 256, 74}, {"IQ3_XXS", 0, 256, 98},
    {"IQ1_S", 0, 256, 50},
    /* 20 */
    {"IQ4_NL", 0, 32, 18}, {"IQ3_S", 0, 256, 110}, {"IQ2_S", 0, 256, 82}, {"IQ4_XS", 0, 256, 136}, {"I8", HFM_I8, 1, 1},
    {"I16", HFM_I16, 1, 2}, {"I32", HFM_I32, 1, 4}, {"I64", HFM_I64, 1, 8}, {"F64", HFM_F64, 1, 8},
    {"IQ1_M", 0, 256, 56},
    /* 30 */
    {"BF16", HFM_BF16, 1, 2}, {"Q4_0_4_4", 0, 0, 0}, {"Q4_0_4_8", 0, 0, 0}, {"Q4_0_8_8", 0, 0, 0},
    {"TQ1_0", 0, 256, 54}, {"TQ2_0", 0, 256, 66}, {"IQ4_NL_4_4", 0, 0, 0}, {"IQ4_NL_4_8", 0, 0, 0},
    {"IQ4_NL_8_8", 0, 0, 0}, {"MXFP4", 0, 32, 17},
    /* 40 */
    {"NVFP4", 0, 64, 36}, {"Q1_0", 0, 128, 18}, {"Q2_0", 0, 64, 18}};

/* Types of metadata values; the index is the number in the file. Those without a dtype: */
enum { HFM__GGUF_STRING = 8, HFM__GGUF_LIST = 9 };
static const hfm_dtype hfm__gguf_dtypes[] = {HFM_U8, HFM_I8, HFM_U16, HFM_I16, HFM_U32, HFM_I32, HFM_F32, HFM_BOOL,
                                             HFM_DTYPE_AUTO, HFM_DTYPE_AUTO, HFM_U64, HFM_I64, HFM_F64};

enum { HFM__GGUF_WINDOW = 1024, HFM__GGUF_KEY_MAX = 65535, HFM__GGUF_NAME_MAX = 1024, HFM__GGUF_DIMENSIONS = 4 };

/* A key's or a tensor's name, and the byte in the file where it stands. */
typedef struct hfm__gguf_name {
  const char *text;
  uint64_t at;
} hfm__gguf_name;

typedef struct hfm__gguf {
  const hfm__file *file;
  uint32_t file_index;      /* in the checkpoint's files */
  hfm__tensor_list *list;
  hfm_error *error;
  hfm_result result;        /* of what failed */
  uint64_t at;              /* the next byte */
  uint64_t end;             /* where the header has to end: of the file, or of what is read of one */
  const char *kind, *name;  /* "key" or "tensor", and its name once it is known: what an error is about */
  uint64_t number;          /* which one it is */
  uint64_t data_end;        /* of the tensors so far, padded, from the first one's beginning */
  hfm__gguf_name *names;    /* all so far of that kind */
  size_t name_count, name_capacity;
  uint64_t window_at;
  size_t window_size;
  uint8_t window[HFM__GGUF_WINDOW];
} hfm__gguf;

/* ---- Bytes ---- */

HFM__PRIVATE int hfm__gguf_fail(hfm__gguf *g, int32_t item, uint64_t at, const char *format, ...) {
  char problem[320], subject[200];
  hfm__text t = hfm__text_to(problem, sizeof problem), s = hfm__text_to(subject, sizeof subject);
  va_list args;
  va_start(args, format);
  hfm__text_vformat(&t, format, args);
  va_end(args);
  if (g->name) hfm__text_format(&s, "%s %q: ", g->kind, g->name);
  else if (g->kind) hfm__text_format(&s, "%s number %u: ", g->kind, g->number);
  g->result = hfm__fail(g->error, item, g->file->name, g->name, at, "byte %u: %s%s", at, subject, problem);
  return 0;
}

/* 1 if the next `size` bytes are there; `at` is where the file says that they should be. */
HFM__PRIVATE int hfm__gguf_need(hfm__gguf *g, uint64_t at, uint64_t size, const char *what) {
  if (size <= g->end - g->at) return 1;
  if (size > g->file->size - g->at)
    return hfm__gguf_fail(g, HFM_E_GGUF_TRUNCATED, at,
                          "%s takes %u bytes, but the file has only %u more (is the download complete?)", what, size,
                          g->file->size - g->at);
  return hfm__gguf_fail(g, HFM_E_GGUF_HEADER_SIZE, at,
                        "%s reaches beyond byte %u, to where the metadata and the table of tensors are read at most "
                        "(options.limits.max_header_bytes)",
                        what, g->end);
}

/* The next `size` bytes, which are known to be there. Many of them don't go through the window. */
HFM__PRIVATE int hfm__gguf_take(hfm__gguf *g, void *dst, uint64_t size) {
  uint8_t *out = (uint8_t *)dst;
  while (size) {
    const uint64_t in = g->at - g->window_at;
    if (in < g->window_size) {
      const size_t n = (size_t)HFM__MIN(size, g->window_size - in);
      memcpy(out, g->window + in, n);
      out += n;
      g->at += n;
      size -= n;
    } else if (size >= sizeof g->window) {
      g->result = hfm__file_read(g->file, g->at, out, size, g->error);
      g->at += size;
      return g->result == HFM_OK;
    } else {
      g->window_at = g->at;
      g->window_size = (size_t)HFM__MIN((uint64_t)sizeof g->window, g->end - g->at);
      g->result = hfm__file_read(g->file, g->at, g->window, g->window_size, g->error);
      if (g->result != HFM_OK) return 0;
    }
  }
  return 1;
}

/* A number of `size` bytes, at most 8. */
HFM__PRIVATE int hfm__gguf_number(hfm__gguf *g, uint64_t size, uint64_t *value, const char *what) {
  uint8_t bytes[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  *value = 0;
  if (!hfm__gguf_need(g, g->at, size, what) || !hfm__gguf_take(g, bytes, size)) return 0;
  *value = hfm__le64(bytes);
  return 1;
}

/* The length of a string, whose bytes come next and are there. */
HFM__PRIVATE int hfm__gguf_length(hfm__gguf *g, uint64_t *length, const char *what) {
  const uint64_t at = g->at;
  return hfm__gguf_number(g, 8, length, what) && hfm__gguf_need(g, at, *length, what);
}

HFM__PRIVATE int hfm__gguf_no_memory(hfm__gguf *g, const char *what) {
  g->result = hfm__fail_memory(g->error, what, 0);
  return 0;
}

/* ---- Names ---- */

/* A key (of at least one byte) or a tensor's name, into g->name and g->names. UTF-8 without NUL characters. */
HFM__PRIVATE int hfm__gguf_read_name(hfm__gguf *g, uint64_t least, uint64_t most) {
  const uint64_t at = g->at;
  uint64_t length;
  size_t step;
  void *grown;
  char *name;
  g->name = NULL;
  if (!hfm__gguf_length(g, &length, "its name")) return 0;
  if (length < least || length > most)
    return hfm__gguf_fail(g, HFM_E_GGUF_NAME, at, "its name has %u bytes: %u to %u expected", length, least, most);
  name = (char *)hfm__arena_alloc(g->list->names, length + 1);
  grown = hfm__grow(&g->list->mem, g->names, g->name_count, &g->name_capacity, sizeof *g->names);
  if (grown) g->names = (hfm__gguf_name *)grown;
  if (!name || !grown) return hfm__gguf_no_memory(g, "names");
  if (!hfm__gguf_take(g, name, length)) return 0;
  for (size_t i = 0; i < length; i += step) {
    char found[40];
    hfm__text t = hfm__text_to(found, sizeof found);
    step = name[i] ? hfm__utf8_length(name + i, (size_t)length - i) : 0;
    if (step) continue;
    hfm__text_quoted(&t, name + i, 1);
    return hfm__gguf_fail(g, HFM_E_GGUF_NAME, at + 8 + i, "its name must be UTF-8 without NUL characters, found %s",
                          found);
  }
  g->name = g->names[g->name_count].text = name;
  g->names[g->name_count++].at = at;
  return 1;
}

HFM__PRIVATE int hfm__gguf_name_order(const void *a, const void *b) {
  return strcmp(((const hfm__gguf_name *)a)->text, ((const hfm__gguf_name *)b)->text);
}

/* No two names are equal. Sorting is stable: of two equal ones the second in the file comes second. */
HFM__PRIVATE int hfm__gguf_unique(hfm__gguf *g) {
  const uint64_t bytes = (uint64_t)g->name_count * 2 * sizeof(void *);
  const void **sorted;
  int unique = 1;
  if (g->name_count < 2) return 1;
  sorted = (const void **)hfm__alloc(&g->list->mem, bytes);
  if (!sorted) return hfm__gguf_no_memory(g, "sorting names");
  for (size_t i = 0; i < g->name_count; i++) sorted[i] = &g->names[i];
  hfm__sort(sorted, sorted + g->name_count, g->name_count, hfm__gguf_name_order);
  for (size_t i = 1; i < g->name_count && unique; i++) {
    const hfm__gguf_name *first = (const hfm__gguf_name *)sorted[i - 1], *second = (const hfm__gguf_name *)sorted[i];
    if (!hfm__equal(first->text, second->text)) continue;
    g->name = second->text;
    unique = hfm__gguf_fail(g, HFM_E_GGUF_DUPLICATE, second->at, "a second one of this name, the first is at byte %u",
                            first->at);
  }
  hfm__free(&g->list->mem, (void *)sorted, bytes);
  return unique;
}

/* ---- Metadata ---- */

/* The elements of a list are checked and passed over. */
HFM__PRIVATE int hfm__gguf_list(hfm__gguf *g, uint64_t type, uint64_t count, uint64_t at) {
  const uint64_t width = type == HFM__GGUF_STRING ? 8 : (uint64_t)hfm_dtype_bits(hfm__gguf_dtypes[type]) / 8;
  uint64_t bytes, value;
  if (!hfm__mul64(count, width, &bytes)) bytes = UINT64_MAX;
  if (!hfm__gguf_need(g, at, bytes, "a list")) return 0;
  if (type != HFM__GGUF_STRING && hfm__gguf_dtypes[type] != HFM_BOOL) {
    g->at += bytes;
    return 1;
  }
  for (; count; count--) {
    at = g->at;
    if (type == HFM__GGUF_STRING) {
      if (!hfm__gguf_length(g, &value, "a string of a list")) return 0;
      g->at += value;
    } else if (!hfm__gguf_number(g, 1, &value, "a bool") || value > 1) {
      return g->result ? 0 : hfm__gguf_fail(g, HFM_E_GGUF_VALUE, at, "a bool is 0 or 1, found %u", value);
    }
  }
  return 1;
}

/* One value by itself; `value` is its bits. */
HFM__PRIVATE int hfm__gguf_scalar(hfm__gguf *g, uint64_t value, uint64_t at, hfm_metadata *entry) {
  const int32_t unused = 64 - hfm_dtype_bits(entry->dtype);
  const uint32_t bits = (uint32_t)value;
  float single;
  if (entry->dtype == HFM_F64) {
    memcpy(&entry->number, &value, sizeof value);
  } else if (entry->dtype == HFM_F32) {
    memcpy(&single, &bits, sizeof bits);
    entry->number = single;
  } else if (entry->dtype == HFM_I8 || entry->dtype == HFM_I16 || entry->dtype == HFM_I32 || entry->dtype == HFM_I64) {
    const uint64_t sign = (uint64_t)1 << (63 - unused);
    entry->integer = (int64_t)((value ^ sign) - sign);
    entry->number = (double)entry->integer;
  } else {
    entry->integer = (int64_t)value;
    entry->number = (double)value;
    if (entry->dtype == HFM_BOOL && value > 1)
      return hfm__gguf_fail(g, HFM_E_GGUF_VALUE, at, "a bool is 0 or 1, found %u", value);
  }
  return 1;
}

HFM__PRIVATE int hfm__gguf_text(hfm__gguf *g, hfm_metadata *entry) {
  uint64_t length;
  char *text;
  if (!hfm__gguf_length(g, &length, "a string")) return 0;
  if (!g->list->want_metadata) {
    g->at += length;
    return 1;
  }
  text = (char *)hfm__arena_alloc(g->list->names, length + 1);
  if (!text) return hfm__gguf_no_memory(g, "metadata");
  if (!hfm__gguf_take(g, text, length)) return 0;
  entry->text = text;
  entry->text_size = (size_t)length;
  return 1;
}

HFM__PRIVATE int hfm__gguf_value(hfm__gguf *g, hfm_metadata *entry) {
  uint64_t at = g->at, type, value;
  entry->count = 1;
  if (!hfm__gguf_number(g, 4, &type, "the type of its value")) return 0;
  if (type == HFM__GGUF_LIST) {
    entry->is_list = 1;
    at = g->at;
    if (!hfm__gguf_number(g, 4, &type, "the type of its list")) return 0;
    if (type == HFM__GGUF_LIST) return hfm__gguf_fail(g, HFM_E_GGUF_VALUE, at, "a list of lists, which ggml has not");
  }
  if (type >= HFM__COUNT(hfm__gguf_dtypes))
    return hfm__gguf_fail(g, HFM_E_GGUF_VALUE, at, "its value has type %u: 0 to 12 expected", type);
  entry->dtype = hfm__gguf_dtypes[type];
  at = g->at;
  if (entry->is_list)
    return hfm__gguf_number(g, 8, &entry->count, "the length of its list") && hfm__gguf_list(g, type, entry->count, at);
  if (type == HFM__GGUF_STRING) return hfm__gguf_text(g, entry);
  return hfm__gguf_number(g, (uint64_t)hfm_dtype_bits(entry->dtype) / 8, &value, "its value") &&
         hfm__gguf_scalar(g, value, at, entry);
}

/* The one key that says how the rest is to be read. */
HFM__PRIVATE int hfm__gguf_alignment(hfm__gguf *g, const hfm_metadata *entry, uint64_t at) {
  const int64_t value = entry->integer;
  if (!hfm__equal(entry->key, "general.alignment")) return 1;
  if (entry->dtype != HFM_U32 || entry->is_list)
    return hfm__gguf_fail(g, HFM_E_GGUF_ALIGNMENT, at, "must be one uint32, found %s%s",
                          entry->is_list ? "a list of " : "one ",
                          entry->dtype ? hfm_dtype_name(entry->dtype) : "string");
  if (value < 8 || (value & (value - 1)) != 0)
    return hfm__gguf_fail(g, HFM_E_GGUF_ALIGNMENT, at + 4, "must be a power of two from 8 on, found %i", value);
  g->list->alignment = (uint32_t)value;
  return 1;
}

HFM__PRIVATE int hfm__gguf_metadata(hfm__gguf *g, uint64_t count) {
  g->kind = "key";
  for (g->number = 0; g->number < count; g->number++) {
    hfm_metadata *entry = hfm__metadata_add(g->list);
    uint64_t at;
    if (!entry) return hfm__gguf_no_memory(g, "metadata");
    if (!hfm__gguf_read_name(g, 1, HFM__GGUF_KEY_MAX)) return 0;
    entry->key = g->name;
    at = g->at;
    if (!hfm__gguf_value(g, entry) || !hfm__gguf_alignment(g, entry, at)) return 0;
  }
  return hfm__gguf_unique(g);
}

/* ---- Tensors ---- */

/* *value rounded up to the alignment; 0 if there is no such number. */
HFM__PRIVATE int hfm__gguf_pad(const hfm__gguf *g, uint64_t *value) {
  const uint64_t mask = g->list->alignment - 1;
  if (!hfm__add64(*value, mask, value)) return 0;
  *value &= ~mask;
  return 1;
}

/* Dimensions, innermost first in the file, and type: *elements is their product, *row the innermost one. */
HFM__PRIVATE int hfm__gguf_shape(hfm__gguf *g, hfm__file_tensor *tensor, uint64_t *elements, uint64_t *row) {
  uint64_t at = g->at, rank, size;
  *elements = *row = 1;
  if (!hfm__gguf_number(g, 4, &rank, "its number of dimensions")) return 0;
  if (rank > HFM__GGUF_DIMENSIONS)
    return hfm__gguf_fail(g, HFM_E_GGUF_SHAPE, at, "%u dimensions: at most 4 expected", rank);
  tensor->rank = (int32_t)rank;
  for (uint64_t i = 0; i < rank; i++) {
    at = g->at;
    if (!hfm__gguf_number(g, 8, &size, "a dimension")) return 0;
    if (size > (uint64_t)INT64_MAX)
      return hfm__gguf_fail(g, HFM_E_GGUF_SHAPE, at, "dimension %u is negative, or more than 2^63 - 1: found %u",
                            i, size);
    if (!hfm__mul64(*elements, size, elements))
      return hfm__gguf_fail(g, HFM_E_GGUF_SHAPE, at, "its dimensions up to number %u multiply to more than 2^64", i);
    tensor->shape[rank - 1 - i] = (int64_t)size;
    if (i == 0) *row = size;
  }
  return 1;
}

HFM__PRIVATE int hfm__gguf_type(hfm__gguf *g, hfm__file_tensor *tensor, uint64_t elements, uint64_t row) {
  const uint64_t at = g->at;
  const hfm__ggml_type *type;
  uint64_t number;
  if (!hfm__gguf_number(g, 4, &number, "its type")) return 0;
  if (number >= HFM__COUNT(hfm__ggml_types))
    return hfm__gguf_fail(g, HFM_E_GGUF_TYPE, at, "type %u is none that is known (0 to %u)", number,
                          (uint64_t)HFM__COUNT(hfm__ggml_types) - 1);
  type = &hfm__ggml_types[number];
  if (type->elements == 0)
    return hfm__gguf_fail(g, HFM_E_GGUF_TYPE, at, "type %u, %s, was removed from ggml: convert the model anew", number,
                          type->name);
  if (row % type->elements)
    return hfm__gguf_fail(g, HFM_E_GGUF_SHAPE, at, "rows of %u elements, but %s has blocks of %u", row, type->name,
                          (uint64_t)type->elements);
  if (!hfm__mul64(elements / type->elements, type->bytes, &tensor->bytes))
    return hfm__gguf_fail(g, HFM_E_GGUF_SHAPE, at, "its shape %t takes more than 2^64 bytes", tensor->shape,
                          (int)tensor->rank);
  tensor->dtype = type->dtype;
  tensor->blocks = type;
  hfm__row_major(tensor);
  return 1;
}

/* One row of the table. Tensors follow each other in its order, each padded to the alignment. */
HFM__PRIVATE int hfm__gguf_tensor(hfm__gguf *g, hfm__file_tensor *tensor) {
  uint64_t at, elements, row, offset;
  if (!hfm__gguf_read_name(g, 0, HFM__GGUF_NAME_MAX)) return 0;
  tensor->name = g->name;
  if (!hfm__gguf_shape(g, tensor, &elements, &row) || !hfm__gguf_type(g, tensor, elements, row)) return 0;
  at = g->at;
  if (!hfm__gguf_number(g, 8, &offset, "its offset")) return 0;
  if (offset != g->data_end)
    return hfm__gguf_fail(g, HFM_E_GGUF_OFFSET, at,
                          "begins at byte %u of the data, but must follow the one before, at byte %u", offset,
                          g->data_end);
  tensor->offset = offset;
  if (!hfm__add64(g->data_end, tensor->bytes, &g->data_end) || !hfm__gguf_pad(g, &g->data_end))
    return hfm__gguf_fail(g, HFM_E_GGUF_OFFSET, at, "ends beyond 2^64 bytes");
  return 1;
}

/* The data begins behind the table; offsets count from there, and become those in the file. */
HFM__PRIVATE int hfm__gguf_place(hfm__gguf *g, size_t first) {
  const uint64_t size = g->file->size;
  uint64_t data = g->at;
  const int overflow = !hfm__gguf_pad(g, &data);
  for (size_t i = first; i < g->list->count; i++) {
    hfm__file_tensor *tensor = &g->list->items[i];
    if (overflow || !hfm__add64(data, tensor->offset, &tensor->offset) || tensor->offset > size ||
        tensor->bytes > size - tensor->offset) {
      g->result = hfm__fail(g->error, HFM_E_GGUF_TRUNCATED, g->file->name, tensor->name, size,
                            "byte %u: the file ends before tensor %q does, which has %u bytes from byte %u on (is the "
                            "download complete?)",
                            size, tensor->name, tensor->bytes, tensor->offset);
      return 0;
    }
  }
  return 1;
}

HFM__PRIVATE int hfm__gguf_tensors(hfm__gguf *g, uint64_t count) {
  const size_t first = g->list->count;
  g->kind = "tensor";
  g->name_count = 0;
  for (g->number = 0; g->number < count; g->number++) {
    hfm__file_tensor *tensor = hfm__tensor_list_add(g->list);
    if (!tensor) return hfm__gguf_no_memory(g, "the table of tensors");
    tensor->file = g->file_index;
    if (!hfm__gguf_tensor(g, tensor)) return 0;
  }
  return hfm__gguf_unique(g) && hfm__gguf_place(g, first);
}

/* ---- The file ---- */

HFM__PRIVATE int hfm__gguf_begin(hfm__gguf *g, uint64_t *tensors, uint64_t *keys) {
  enum { LEAST_TENSOR = 24, LEAST_KEY = 13 }; /* bytes of one in the file */
  char magic[5] = {0, 0, 0, 0, 0};
  uint64_t version;
  if (!hfm__gguf_need(g, 0, 4, "the word \"GGUF\"") || !hfm__gguf_take(g, magic, 4)) return 0;
  if (memcmp(magic, "GGUF", 4) != 0)
    return hfm__gguf_fail(g, HFM_E_FILE_KIND, 0, "a GGUF file begins with \"GGUF\", found %q", magic);
  if (!hfm__gguf_number(g, 4, &version, "the version")) return 0;
  if (version && (version & 0xffff) == 0)
    return hfm__gguf_fail(g, HFM_E_GGUF_VERSION, 4,
                          "a big-endian file, which is not read: convert it to little-endian (gguf-convert-endian)");
  if (version < 2 || version > 3)
    return hfm__gguf_fail(g, HFM_E_GGUF_VERSION, 4, "version %u, but 2 and 3 are read: convert the model anew",
                          version);
  g->list->version = (int32_t)version;
  if (!hfm__gguf_number(g, 8, tensors, "the number of tensors")) return 0;
  if (*tensors > (g->file->size - g->at) / LEAST_TENSOR)
    return hfm__gguf_fail(g, HFM_E_GGUF_TRUNCATED, 8,
                          "%u tensors, but the file has only %u more bytes (is the download complete?)",
                          *tensors, g->file->size - g->at);
  if (!hfm__gguf_number(g, 8, keys, "the number of keys")) return 0;
  if (*keys > (g->file->size - g->at) / LEAST_KEY)
    return hfm__gguf_fail(g, HFM_E_GGUF_TRUNCATED, 16,
                          "%u keys, but the file has only %u more bytes (is the download complete?)",
                          *keys, g->file->size - g->at);
  return 1;
}

/* Appends the tensors of an opened file, which is files[index] of the checkpoint, and its metadata. */
HFM__PRIVATE hfm_result hfm__gguf_read(const hfm__file *file, uint32_t index, hfm__tensor_list *list,
                                       hfm_error *error) {
  uint64_t tensors, keys;
  hfm__gguf g;
  memset(&g, 0, sizeof g);
  g.file = file;
  g.file_index = index;
  g.list = list;
  g.error = error;
  g.end = HFM__MIN(file->size, file->ctx->limits.max_header_bytes);
  list->format = "gguf";
  list->alignment = 32;
  if (hfm__gguf_begin(&g, &tensors, &keys) && hfm__gguf_metadata(&g, keys)) (void)hfm__gguf_tensors(&g, tensors);
  hfm__free(&list->mem, g.names, (uint64_t)g.name_capacity * sizeof *g.names);
  return g.result;
}
