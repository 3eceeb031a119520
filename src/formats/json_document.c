/* ==== formats/json_document (private): a JSON value that can be edited and written =============================
   A flat array of 16-byte nodes over one text buffer; links are indices, strings are unescaped in place. Members of
   an object are kept sorted by key, which is how Python's json.dumps(sort_keys=True) writes them, with links over 1, 2,
   4, ... of them, so that finding one among a million costs a few hundred steps. */

enum {
  HFM__JSON_NUMERIC_KEYS = 1, /* node flag: the keys of an object in this place are numbers (id2label) */
  HFM__JSON_REMOVED = 2       /* of a key: no longer a member, whatever still jumps to it */
};

typedef struct hfm__json_node {
  uint32_t start; /* scalars: first byte in doc->text; containers: the first child, 0 if none */
  uint32_t size;  /* scalars: bytes; containers: children */
  uint32_t next;  /* the next child of the same container, 0 at the end; of a member's value: some key further on */
  uint16_t kind;  /* HFM__JSON_NULL ... HFM__JSON_OBJECT */
  uint16_t flags; /* HFM__JSON_NUMERIC_KEYS; of strings while parsing: 1 if escaped */
} hfm__json_node;

/* An object's children are its keys (strings); the value of key k is node k + 1. Node 0 is not used. */
typedef struct hfm__json {
  hfm_allocator mem;
  char *text;
  size_t text_size, text_capacity;
  hfm__json_node *nodes;
  size_t count, capacity;
  uint32_t root;
} hfm__json;

HFM__PRIVATE void hfm__json_free(hfm__json *doc) {
  hfm__free(&doc->mem, doc->text, doc->text_capacity);
  hfm__free(&doc->mem, doc->nodes, (uint64_t)doc->capacity * sizeof *doc->nodes);
  doc->text = NULL;
  doc->nodes = NULL;
  doc->text_size = doc->text_capacity = doc->count = doc->capacity = 0;
  doc->root = 0;
}

/* A new node, or 0 when out of memory. */
HFM__PRIVATE uint32_t hfm__json_add(hfm__json *doc, int32_t kind, uint32_t start, uint32_t size) {
  hfm__json_node *node;
  void *grown = doc->count < UINT32_MAX - 2
                    ? hfm__grow(&doc->mem, doc->nodes, doc->count + 1, &doc->capacity, sizeof *doc->nodes)
                    : NULL;
  if (!grown) return 0;
  doc->nodes = (hfm__json_node *)grown;
  if (doc->count == 0) memset(&doc->nodes[doc->count++], 0, sizeof *doc->nodes);
  node = &doc->nodes[doc->count];
  memset(node, 0, sizeof *node);
  node->kind = (uint16_t)kind;
  node->start = start;
  node->size = size;
  return (uint32_t)doc->count++;
}

/* Room for `size` more bytes of text and a NUL; their position, or UINT32_MAX. */
HFM__PRIVATE uint32_t hfm__json_reserve(hfm__json *doc, size_t size) {
  const uint64_t wanted = (uint64_t)doc->text_size + size + 1;
  if (wanted >= UINT32_MAX) return UINT32_MAX;
  if (wanted > doc->text_capacity) {
    const uint64_t capacity = HFM__MAX(wanted, (uint64_t)doc->text_capacity * 2);
    char *grown = (char *)hfm__realloc(&doc->mem, doc->text, doc->text_capacity, capacity);
    if (!grown) return UINT32_MAX;
    doc->text = grown;
    doc->text_capacity = (size_t)capacity;
  }
  return (uint32_t)doc->text_size;
}

HFM__PRIVATE uint32_t hfm__json_store(hfm__json *doc, const char *text, size_t size) {
  const uint32_t start = hfm__json_reserve(doc, size);
  if (start == UINT32_MAX) return UINT32_MAX;
  if (size) memcpy(doc->text + start, text, size);
  doc->text[start + size] = 0;
  doc->text_size += size + 1;
  return start;
}

/* *doc is empty on failure, which is out of memory. */
HFM__PRIVATE int hfm__json_copy(hfm__json *doc, const hfm__json *from, const hfm_allocator *mem) {
  const uint64_t bytes = (uint64_t)from->count * sizeof *from->nodes;
  memset(doc, 0, sizeof *doc);
  doc->mem = *mem;
  doc->nodes = (hfm__json_node *)hfm__alloc(mem, bytes);
  if (doc->nodes) doc->capacity = from->count;
  doc->text = (char *)hfm__alloc(mem, from->text_size);
  if (doc->text) doc->text_capacity = from->text_size;
  if (!doc->nodes || !doc->text) {
    hfm__json_free(doc);
    return 0;
  }
  memcpy(doc->nodes, from->nodes, (size_t)bytes);
  memcpy(doc->text, from->text, from->text_size);
  doc->count = from->count;
  doc->text_size = from->text_size;
  doc->root = from->root;
  return 1;
}

/* ---- Order of members ---- */

HFM__PRIVATE int hfm__json_all_digits(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] < '0' || text[i] > '9') return 0;
  return size > 0;
}

/* Is the key before a name? Bytes of UTF-8 order as code points do, which is how Python compares strings. */
HFM__PRIVATE int hfm__json_key_before(const hfm__json *doc, uint32_t key, const char *name, size_t size, int numeric) {
  const hfm__json_node *node = &doc->nodes[key];
  const char *text = doc->text + node->start;
  const size_t n = HFM__MIN((size_t)node->size, size);
  int order;
  if (numeric) { /* numbers first; those that Python writes have no leading zeros */
    const int digits = hfm__json_all_digits(text, node->size), name_digits = hfm__json_all_digits(name, size);
    if (digits != name_digits) return digits;
    if (digits && node->size != size) return node->size < size;
  }
  order = n ? memcmp(text, name, n) : 0;
  return order ? order < 0 : node->size < size;
}

HFM__PRIVATE int hfm__json_key_less(const hfm__json *doc, uint32_t a, uint32_t b, int numeric) {
  return hfm__json_key_before(doc, a, doc->text + doc->nodes[b].start, doc->nodes[b].size, numeric);
}

/* Links each key to the one that is as many further on as its own number, counted from 1, has as its lowest bit. */
HFM__PRIVATE void hfm__json_link_members(hfm__json *doc, uint32_t object) {
  uint32_t waiting[32]; /* of each lowest bit the latest key, whose link is still to come */
  uint32_t number = 0;
  for (uint32_t key = doc->nodes[object].start; key; key = doc->nodes[key].next) {
    int32_t bit = 0;
    for (number++; !(number >> bit & 1); bit++) doc->nodes[waiting[bit] + 1].next = key;
    waiting[bit] = key;
    doc->nodes[key + 1].next = 0;
  }
}

/* Merge sort of the list of an object's keys, in place: runs of 1, 2, 4, ... are merged until one is left. */
HFM__PRIVATE void hfm__json_sort_members(hfm__json *doc, uint32_t object, int numeric) {
  hfm__json_node *nodes = doc->nodes;
  uint32_t head = nodes[object].start;
  for (uint32_t width = 1; width < nodes[object].size; width *= 2) {
    uint32_t left = head, tail = 0;
    head = 0;
    while (left) {
      uint32_t right = left, left_count = 0, right_count = width;
      for (; left_count < width && right; left_count++) right = nodes[right].next;
      while (left_count || (right_count && right)) {
        uint32_t taken;
        if (left_count && !(right_count && right && hfm__json_key_less(doc, right, left, numeric))) {
          taken = left;
          left = nodes[left].next;
          left_count--;
        } else {
          taken = right;
          right = nodes[right].next;
          right_count--;
        }
        if (tail) nodes[tail].next = taken;
        else head = taken;
        tail = taken;
      }
      left = right;
    }
    nodes[tail].next = 0;
  }
  nodes[object].start = head;
  hfm__json_link_members(doc, object);
}

HFM__PRIVATE int hfm__json_key_is(const hfm__json *doc, uint32_t key, const char *name, size_t size) {
  const hfm__json_node *node = &doc->nodes[key];
  return node->size == size && memcmp(doc->text + node->start, name, size) == 0;
}

/* Unescapes the strings of nodes first..count-1 and sorts the objects among them. */
HFM__PRIVATE void hfm__json_finish(hfm__json *doc, size_t first) {
  for (size_t i = first; i < doc->count; i++) {
    hfm__json_node *node = &doc->nodes[i];
    hfm__json_span span;
    if (node->kind != HFM__JSON_STRING) continue;
    span.text = doc->text + node->start;
    span.size = node->size;
    span.escaped = node->flags;
    node->size = (uint32_t)hfm__json_unescape(&span, doc->text + node->start);
    node->flags = 0;
    doc->text[node->start + node->size] = 0; /* the closing quote was there */
  }
  for (size_t i = first; i < doc->count; i++) {
    if (doc->nodes[i].kind != HFM__JSON_OBJECT) continue;
    hfm__json_sort_members(doc, (uint32_t)i, 0);
    for (uint32_t key = doc->nodes[i].start; key; key = doc->nodes[key].next) {
      if (hfm__json_key_is(doc, key, "id2label", 8)) doc->nodes[key + 1].flags = HFM__JSON_NUMERIC_KEYS;
    }
  }
  for (size_t i = first; i < doc->count; i++)
    if (doc->nodes[i].kind == HFM__JSON_OBJECT && (doc->nodes[i].flags & HFM__JSON_NUMERIC_KEYS))
      hfm__json_sort_members(doc, (uint32_t)i, 1);
}

/* ---- Parsing ---- */

/* Adds the value of a text that lies in doc->text at `start`; its node, or 0 on error. */
HFM__PRIVATE uint32_t hfm__json_build(hfm__json *doc, const char *file, size_t start, size_t size, int32_t flags,
                                      hfm_error *error, hfm_result *result) {
  uint32_t open[HFM__JSON_MAX_DEPTH + 1], last[HFM__JSON_MAX_DEPTH + 1], root = 0;
  const size_t first = doc->count;
  int32_t depth = 0, kind;
  hfm__json_reader reader;
  hfm__json_begin(&reader, &doc->mem, file, doc->text + start, size, 0, flags, error);
  while ((kind = hfm__json_next(&reader)) != HFM__JSON_FAILED && kind != HFM__JSON_DONE) {
    uint32_t link = 0, node;
    if (kind == HFM__JSON_END) {
      depth--;
      continue;
    }
    if (depth && doc->nodes[open[depth]].kind == HFM__JSON_OBJECT) {
      link = hfm__json_add(doc, HFM__JSON_STRING, (uint32_t)(reader.key.text - doc->text), (uint32_t)reader.key.size);
      if (!link) break;
      doc->nodes[link].flags = (uint16_t)reader.key.escaped;
    }
    node = kind == HFM__JSON_ARRAY || kind == HFM__JSON_OBJECT
               ? hfm__json_add(doc, kind, 0, 0)
               : hfm__json_add(doc, kind, (uint32_t)(reader.value.text - doc->text), (uint32_t)reader.value.size);
    if (!node) break;
    if (kind == HFM__JSON_STRING) doc->nodes[node].flags = (uint16_t)reader.value.escaped;
    if (!link) link = node;
    if (depth) {
      if (last[depth]) doc->nodes[last[depth]].next = link;
      else doc->nodes[open[depth]].start = link;
      last[depth] = link;
      doc->nodes[open[depth]].size++;
    } else {
      root = node;
    }
    if (kind == HFM__JSON_ARRAY || kind == HFM__JSON_OBJECT) {
      depth++;
      open[depth] = node;
      last[depth] = 0;
    }
  }
  *result = reader.result;
  hfm__json_end(&reader);
  if (kind == HFM__JSON_DONE) {
    hfm__json_finish(doc, first);
    return root;
  }
  if (*result == HFM_OK) *result = hfm__fail_memory(error, "a JSON document", 0);
  doc->count = first;
  return 0;
}

/* Parses `size` bytes, which are copied. On failure *doc is empty. `flags`: HFM__JSON_NONFINITE. */
HFM__PRIVATE hfm_result hfm__json_parse(hfm__json *doc, const hfm_allocator *mem, const char *file, const char *text,
                                        size_t size, int32_t flags, hfm_error *error) {
  hfm_result result = HFM_OK;
  memset(doc, 0, sizeof *doc);
  doc->mem = *mem;
  if (size >= UINT32_MAX / 2)
    return hfm__fail(error, HFM_E_FILE_TOO_LARGE, file, NULL, 0, "%u bytes; a JSON document has less than 2 GiB",
                     (uint64_t)size);
  if (hfm__json_store(doc, text, size) == UINT32_MAX)
    return hfm__fail_memory(error, "a JSON document", (uint64_t)size + 1);
  doc->root = hfm__json_build(doc, file, 0, size, flags, error, &result);
  if (!doc->root) hfm__json_free(doc);
  return result;
}

/* ---- Reading ---- */

HFM__PRIVATE int32_t hfm__json_kind(const hfm__json *doc, uint32_t node) {
  return node ? (int32_t)doc->nodes[node].kind : HFM__JSON_FAILED;
}

/* The last key of an object that comes before `name`, 0 if there is none. */
HFM__PRIVATE uint32_t hfm__json_last_before(const hfm__json *doc, uint32_t object, const char *name, size_t size) {
  const int numeric = doc->nodes[object].flags & HFM__JSON_NUMERIC_KEYS;
  uint32_t before = 0, next = doc->nodes[object].start;
  while (next && hfm__json_key_before(doc, next, name, size, numeric)) {
    const uint32_t far_on = doc->nodes[next + 1].next;
    before = next;
    next = doc->nodes[before].next;
    if (far_on && !(doc->nodes[far_on].flags & HFM__JSON_REMOVED) &&
        hfm__json_key_before(doc, far_on, name, size, numeric))
      next = far_on;
  }
  return before;
}

/* The key after that one; the first where it is 0. */
HFM__PRIVATE uint32_t hfm__json_key_after(const hfm__json *doc, uint32_t object, uint32_t before) {
  return before ? doc->nodes[before].next : doc->nodes[object].start;
}

/* Key node of a member, or 0: its value is the next node. */
HFM__PRIVATE uint32_t hfm__json_find_key(const hfm__json *doc, uint32_t object, const char *name, size_t size) {
  uint32_t key;
  if (hfm__json_kind(doc, object) != HFM__JSON_OBJECT) return 0;
  key = hfm__json_key_after(doc, object, hfm__json_last_before(doc, object, name, size));
  return key && hfm__json_key_is(doc, key, name, size) ? key : 0;
}

/* Value of a member, or 0. */
HFM__PRIVATE uint32_t hfm__json_member_of(const hfm__json *doc, uint32_t object, const char *name) {
  const uint32_t key = hfm__json_find_key(doc, object, name, strlen(name));
  return key ? key + 1 : 0;
}

/* First child (of an object: first key) and the one after; 0 at the end. */
HFM__PRIVATE uint32_t hfm__json_first(const hfm__json *doc, uint32_t node) {
  const int32_t kind = hfm__json_kind(doc, node);
  return kind == HFM__JSON_ARRAY || kind == HFM__JSON_OBJECT ? doc->nodes[node].start : 0;
}
HFM__PRIVATE uint32_t hfm__json_following(const hfm__json *doc, uint32_t child) { return doc->nodes[child].next; }

/* NUL-terminated; NULL if it is no string, or one with a NUL inside, which C text can't carry. */
HFM__PRIVATE const char *hfm__json_text(const hfm__json *doc, uint32_t node) {
  const char *text;
  if (hfm__json_kind(doc, node) != HFM__JSON_STRING) return NULL;
  text = doc->text + doc->nodes[node].start;
  return strlen(text) == doc->nodes[node].size ? text : NULL;
}

HFM__PRIVATE int hfm__json_int(const hfm__json *doc, uint32_t node, int64_t *value) {
  return hfm__json_kind(doc, node) == HFM__JSON_NUMBER &&
         hfm__json_i64(doc->text + doc->nodes[node].start, doc->nodes[node].size, value);
}

/* Any number, integers too. NaN and the infinities are not numbers here. */
HFM__PRIVATE int hfm__json_double(const hfm__json *doc, uint32_t node, double *value) {
  double v;
  if (hfm__json_kind(doc, node) != HFM__JSON_NUMBER) return 0;
  if (!hfm__parse_double(doc->text + doc->nodes[node].start, doc->nodes[node].size, &v)) return 0;
  if ((hfm__double_bits(v) >> 52 & 0x7ff) == 0x7ff) return 0;
  *value = v;
  return 1;
}

HFM__PRIVATE int hfm__json_bool(const hfm__json *doc, uint32_t node, int32_t *value) {
  if (hfm__json_kind(doc, node) != HFM__JSON_BOOL) return 0;
  *value = doc->text[doc->nodes[node].start] == 't';
  return 1;
}

/* What a node is, for errors. */
HFM__PRIVATE void hfm__json_found(const hfm__json *doc, uint32_t node, hfm__text *t) {
  const hfm__json_node *n = &doc->nodes[node];
  const int32_t kind = hfm__json_kind(doc, node);
  const int is_scalar = kind >= HFM__JSON_NULL && kind <= HFM__JSON_STRING;
  hfm__json_show(t, kind, is_scalar ? doc->text + n->start : "", is_scalar ? n->size : 0);
}

HFM__PRIVATE hfm_result hfm__json_need_object(const hfm__json *doc, const char *file, hfm_error *error) {
  const hfm__json_node *root = &doc->nodes[doc->root];
  const int32_t kind = hfm__json_kind(doc, doc->root);
  if (kind == HFM__JSON_OBJECT) return HFM_OK;
  if (kind == HFM__JSON_ARRAY) return hfm__json_not_object(file, kind, NULL, 0, error);
  return hfm__json_not_object(file, kind, doc->text + root->start, root->size, error);
}

/* ---- Editing ---- */

/* Member `name` of an object, made (as null, in its place) if it isn't there; the value's node, or 0 when out of
   memory. */
HFM__PRIVATE uint32_t hfm__json_insert(hfm__json *doc, uint32_t object, const char *name, size_t size) {
  const uint32_t before = hfm__json_last_before(doc, object, name, size);
  const uint32_t after = hfm__json_key_after(doc, object, before);
  uint32_t key, start;
  if (after && hfm__json_key_is(doc, after, name, size)) return after + 1;
  start = hfm__json_store(doc, name, size);
  if (start == UINT32_MAX) return 0;
  key = hfm__json_add(doc, HFM__JSON_STRING, start, (uint32_t)size);
  if (!key) return 0;
  if (!hfm__json_add(doc, HFM__JSON_NULL, 0, 0)) {
    doc->count--;
    return 0;
  }
  doc->nodes[key].next = after;
  if (before) doc->nodes[before].next = key;
  else doc->nodes[object].start = key;
  doc->nodes[object].size++;
  if (size == 8 && memcmp(name, "id2label", 8) == 0) doc->nodes[key + 1].flags = HFM__JSON_NUMERIC_KEYS;
  return key + 1;
}

/* Makes `node` a scalar with this text (a string: unescaped). Text of the same kind is overwritten where it fits, and
   what is last in the document gives its room back, so that setting a value again and again does not grow it. */
HFM__PRIVATE int hfm__json_set_scalar(hfm__json *doc, uint32_t node, int32_t kind, const char *text, size_t size) {
  hfm__json_node *value = &doc->nodes[node];
  const size_t end = doc->text_size;
  const int is_last = value->kind <= HFM__JSON_STRING && (size_t)value->start + value->size + 1 == end;
  if (value->kind == kind && value->size >= size) {
    if (size) memmove(doc->text + value->start, text, size);
    if (is_last) doc->text_size = (size_t)value->start + size + 1;
    if (is_last || kind == HFM__JSON_STRING) doc->text[value->start + size] = 0;
  } else {
    uint32_t start;
    if (is_last) doc->text_size = value->start;
    start = hfm__json_store(doc, text, size);
    if (start == UINT32_MAX) {
      doc->text_size = end;
      return 0;
    }
    value->start = start;
  }
  value->size = (uint32_t)size;
  value->kind = (uint16_t)kind;
  return 1;
}

HFM__PRIVATE void hfm__json_remove(hfm__json *doc, uint32_t object, const char *name, size_t size) {
  const uint32_t before = hfm__json_last_before(doc, object, name, size);
  const uint32_t key = hfm__json_key_after(doc, object, before);
  if (!key || !hfm__json_key_is(doc, key, name, size)) return;
  if (before) doc->nodes[before].next = doc->nodes[key].next;
  else doc->nodes[object].start = doc->nodes[key].next;
  doc->nodes[key].flags |= HFM__JSON_REMOVED;
  doc->nodes[object].size--;
}

/* Makes `node` the value of a JSON text. On failure it is unchanged. */
HFM__PRIVATE hfm_result hfm__json_set_text(hfm__json *doc, uint32_t node, const char *text, size_t size, int32_t flags,
                                           hfm_error *error) {
  hfm_result result = HFM_OK;
  const size_t old_size = doc->text_size;
  const uint32_t start = hfm__json_store(doc, text, size);
  uint32_t value;
  if (start == UINT32_MAX) return hfm__fail_memory(error, "a JSON document", (uint64_t)size + 1);
  value = hfm__json_build(doc, NULL, start, size, flags, error, &result);
  if (!value) {
    doc->text_size = old_size;
    return result;
  }
  doc->nodes[value].next = doc->nodes[node].next;
  doc->nodes[value].flags = doc->nodes[node].flags;
  if (doc->nodes[value].kind == HFM__JSON_OBJECT)
    hfm__json_sort_members(doc, value, doc->nodes[value].flags & HFM__JSON_NUMERIC_KEYS);
  doc->nodes[node] = doc->nodes[value];
  return HFM_OK;
}

/* ---- Writing ---- */

HFM__PRIVATE void hfm__json_write_string(hfm__text *t, const char *s, size_t n) {
  static const char hex[] = "0123456789abcdef", letters[] = "\"\\bfnrt", bytes[] = "\"\\\b\f\n\r\t";
  hfm__text_char(t, '"');
  for (size_t i = 0; i < n;) {
    const size_t length = hfm__utf8_length(s + i, n - i);
    uint32_t code = (uint8_t)s[i], units[2];
    int32_t unit_count = 1;
    const char *special = code && code < 0x80 ? strchr(bytes, (int)code) : NULL;
    if (special) {
      hfm__text_char(t, '\\');
      hfm__text_char(t, letters[special - bytes]);
    } else if (code >= 0x20 && code < 0x7f) {
      hfm__text_char(t, s[i]);
    } else {
      if (length > 1) code &= length == 2 ? 0x1f : length == 3 ? 0x0f : 0x07;
      for (size_t k = 1; k < length; k++) code = code << 6 | ((uint8_t)s[i + k] & 0x3f);
      units[0] = code;
      units[1] = 0;
      if (code >= 0x10000) {
        units[0] = 0xd800 + ((code - 0x10000) >> 10);
        units[1] = 0xdc00 + ((code - 0x10000) & 0x3ff);
        unit_count = 2;
      }
      if (code == 0x7f) {
        hfm__text_char(t, (char)code);
      } else {
        for (int32_t k = 0; k < unit_count; k++) {
          hfm__text_str(t, "\\u");
          for (int32_t shift = 12; shift >= 0; shift -= 4) hfm__text_char(t, hex[units[k] >> shift & 15]);
        }
      }
    }
    i += length ? length : 1;
  }
  hfm__text_char(t, '"');
}

HFM__PRIVATE void hfm__json_indent(hfm__text *t, int32_t depth) {
  hfm__text_char(t, '\n');
  for (int32_t i = 0; i < depth; i++) hfm__text_str(t, "  ");
}

/* As Python reads a number and writes it again: integers in full, floats shortest. What has no JSON (NaN, the
   infinities) becomes {"__float__": "Infinity"}, as Transformers writes it. */
HFM__PRIVATE void hfm__json_write_number(hfm__text *t, const char *s, size_t n, int32_t depth) {
  int32_t is_float = s[n - 1] == 'y' || s[n - 1] == 'N';
  double value;
  for (size_t i = 0; i < n; i++)
    if (s[i] == '.' || s[i] == 'e' || s[i] == 'E') is_float = 1;
  if (!is_float) {
    if (n == 2 && s[0] == '-' && s[1] == '0') hfm__text_char(t, '0');
    else hfm__text_bytes(t, s, n);
    return;
  }
  if (hfm__parse_double(s, n, &value) && (hfm__double_bits(value) >> 52 & 0x7ff) != 0x7ff) {
    hfm__text_double(t, value);
    return;
  }
  hfm__text_char(t, '{');
  hfm__json_indent(t, depth + 1);
  hfm__text_str(t, "\"__float__\": ");
  hfm__text_str(t, s[n - 1] == 'N' ? "\"NaN\"" : s[0] == '-' ? "\"-Infinity\"" : "\"Infinity\"");
  hfm__json_indent(t, depth);
  hfm__text_char(t, '}');
}

/* As Python's json.dumps(value, indent=2, sort_keys=True). */
HFM__PRIVATE void hfm__json_write(const hfm__json *doc, uint32_t root, hfm__text *t) {
  uint32_t open[HFM__JSON_MAX_DEPTH * 2 + 1], child[HFM__JSON_MAX_DEPTH * 2 + 1], at = root;
  int32_t depth = 0;
  for (;;) {
    const hfm__json_node *node = &doc->nodes[at];
    const char *text = doc->text + node->start;
    if (node->kind == HFM__JSON_ARRAY || node->kind == HFM__JSON_OBJECT) {
      hfm__text_char(t, node->kind == HFM__JSON_ARRAY ? '[' : '{');
      depth++;
      open[depth] = at;
      child[depth] = node->start;
    } else if (node->kind == HFM__JSON_STRING) {
      hfm__json_write_string(t, text, node->size);
    } else if (node->kind == HFM__JSON_NUMBER) {
      hfm__json_write_number(t, text, node->size, depth);
    } else if (node->kind == HFM__JSON_BOOL) {
      hfm__text_str(t, *text == 't' ? "true" : "false");
    } else {
      hfm__text_str(t, "null");
    }
    while (depth && child[depth] == 0) { /* the innermost container is complete */
      const hfm__json_node *container = &doc->nodes[open[depth]];
      depth--;
      if (container->size) hfm__json_indent(t, depth);
      hfm__text_char(t, container->kind == HFM__JSON_ARRAY ? ']' : '}');
    }
    if (depth == 0) return;
    at = child[depth];
    child[depth] = doc->nodes[at].next;
    if (at != doc->nodes[open[depth]].start) hfm__text_char(t, ',');
    hfm__json_indent(t, depth);
    if (doc->nodes[open[depth]].kind == HFM__JSON_OBJECT) {
      hfm__json_write_string(t, doc->text + doc->nodes[at].start, doc->nodes[at].size);
      hfm__text_str(t, ": ");
      at++;
    }
  }
}
