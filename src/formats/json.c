/* ==== formats/json (private): RFC 8259, strictly ===============================================================
   Two layers. The reader hands out one value after another and allocates nothing but the list of open objects' keys
   (for duplicates): large files (safetensors headers, shard indexes) are consumed as they are read. The document
   above it (config.json) is a flat array of nodes that can be edited and written as Python writes it.
   Nothing recurses: depth is bounded, and walks keep their own stack. */

enum { HFM__JSON_MAX_DEPTH = 128, HFM__JSON_SHOWN = 168 /* room for a value in an error */ };

enum {
  HFM__JSON_FAILED = 0,
  HFM__JSON_NULL,
  HFM__JSON_BOOL,
  HFM__JSON_NUMBER,
  HFM__JSON_STRING,
  HFM__JSON_ARRAY,  /* begins; its values follow, then HFM__JSON_END */
  HFM__JSON_OBJECT, /* begins; its members follow, then HFM__JSON_END */
  HFM__JSON_END,    /* of the innermost array or object */
  HFM__JSON_DONE    /* the one value of the text is complete, and only white space followed */
};

enum { HFM__JSON_NONFINITE = 1 }; /* reader flag: NaN, Infinity and -Infinity are numbers, as in Python's configs */

/* Bytes of the text; strings without their quotes, escapes still in them if `escaped`. */
typedef struct hfm__json_span {
  const char *text;
  size_t size;
  int32_t escaped;
} hfm__json_span;

/* A key of an open object: its span, small, since there may be millions. */
typedef struct hfm__json_key {
  const char *text;
  unsigned size : 31, escaped : 1;
  uint32_t hash; /* of the unescaped bytes */
} hfm__json_key;

typedef struct hfm__json_reader {
  const hfm_allocator *mem;
  const char *file; /* for errors; may be NULL */
  uint64_t base;    /* of text[0] in the file, for errors */
  const char *text;
  size_t size, pos;
  int32_t flags;
  int32_t depth;
  int32_t after_value; /* a value precedes: a comma or the end of the container must follow */
  uint8_t is_object[HFM__JSON_MAX_DEPTH + 1];
  size_t first_key[HFM__JSON_MAX_DEPTH + 1]; /* where the keys of each open object begin in `keys` */
  hfm__json_key *keys;
  size_t key_count, key_capacity;
  hfm_error *error;
  hfm_result result; /* of the first error */
  hfm__json_span key;   /* of the value just returned, where it is a member of an object */
  hfm__json_span value; /* its text: string, number, or the literal's letters */
  size_t at;            /* byte in the text where it begins */
} hfm__json_reader;

HFM__PRIVATE void hfm__json_begin(hfm__json_reader *r, const hfm_allocator *mem, const char *file, const char *text,
                                  size_t size, uint64_t base, int32_t flags, hfm_error *error) {
  memset(r, 0, sizeof *r);
  r->mem = mem;
  r->file = file;
  r->text = text;
  r->size = size;
  r->base = base;
  r->flags = flags;
  r->error = error;
}

HFM__PRIVATE void hfm__json_end(hfm__json_reader *r) {
  hfm__free(r->mem, r->keys, (uint64_t)r->key_capacity * sizeof *r->keys);
  r->keys = NULL;
  r->key_count = r->key_capacity = 0;
}

/* A JSON error at byte `at` of the text: what was expected, and what is there. */
HFM__PRIVATE int32_t hfm__json_fail(hfm__json_reader *r, int32_t item, size_t at, const char *expected) {
  const uint64_t offset = r->base + at;
  if (r->result != HFM_OK) return HFM__JSON_FAILED;
  if (at >= r->size) {
    r->result = hfm__fail(r->error, item, r->file, NULL, offset, "byte %u: %s expected, but the text ends", offset,
                          expected);
  } else {
    char found[24];
    hfm__text t = hfm__text_to(found, sizeof found);
    hfm__text_quoted(&t, r->text + at, 1);
    r->result = hfm__fail(r->error, item, r->file, NULL, offset, "byte %u: %s expected, found %s%s", offset, expected,
                          found, offset || r->size < 4 ? "" : hfm__file_guess((const uint8_t *)r->text));
  }
  return HFM__JSON_FAILED;
}

/* What a value is, for errors: a scalar as it is written, its beginning if it is long. */
HFM__PRIVATE void hfm__json_show(hfm__text *t, int32_t kind, const char *text, size_t size) {
  if (kind == HFM__JSON_OBJECT) hfm__text_str(t, "an object");
  else if (kind == HFM__JSON_ARRAY) hfm__text_str(t, "a list");
  else if (kind == HFM__JSON_END || kind == HFM__JSON_FAILED) hfm__text_str(t, "nothing");
  else hfm__text_quoted(t, text, HFM__MIN(size, (size_t)40));
}

HFM__PRIVATE hfm_result hfm__json_not_object(const char *file, int32_t kind, const char *text, size_t size,
                                             hfm_error *error) {
  char found[HFM__JSON_SHOWN];
  hfm__text t = hfm__text_to(found, sizeof found);
  hfm__json_show(&t, kind, text, size);
  return hfm__fail(error, HFM_E_JSON_TYPE, file, NULL, 0, "a configuration must be a JSON object, found %s", found);
}

/* ---- Strings ---- */

HFM__PRIVATE int32_t hfm__hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* Four hexadecimal digits, or -1. */
HFM__PRIVATE int32_t hfm__hex4(const char *s) {
  int32_t value = 0;
  for (int32_t i = 0; i < 4; i++) {
    const int32_t digit = hfm__hex_digit(s[i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

HFM__PRIVATE size_t hfm__utf8_write(uint32_t code, char *dst) {
  if (code < 0x80) {
    dst[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    dst[0] = (char)(0xc0 | code >> 6);
    dst[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  if (code < 0x10000) {
    dst[0] = (char)(0xe0 | code >> 12);
    dst[1] = (char)(0x80 | (code >> 6 & 0x3f));
    dst[2] = (char)(0x80 | (code & 0x3f));
    return 3;
  }
  dst[0] = (char)(0xf0 | code >> 18);
  dst[1] = (char)(0x80 | (code >> 12 & 0x3f));
  dst[2] = (char)(0x80 | (code >> 6 & 0x3f));
  dst[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

/* The next character of a checked string: bytes to dst[4] and their number; *pos moves over it. */
HFM__PRIVATE size_t hfm__json_char(const hfm__json_span *s, size_t *pos, char dst[4]) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  uint32_t code;
  if (!s->escaped || s->text[*pos] != '\\') { /* a literal's backslash is one */
    dst[0] = s->text[(*pos)++];
    return 1;
  }
  if (s->text[*pos + 1] != 'u') {
    dst[0] = meanings[strchr(letters, s->text[*pos + 1]) - letters];
    *pos += 2;
    return 1;
  }
  code = (uint32_t)hfm__hex4(s->text + *pos + 2);
  *pos += 6;
  if (code >= 0xd800 && code < 0xdc00) {
    code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)hfm__hex4(s->text + *pos + 2) - 0xdc00);
    *pos += 6;
  }
  return hfm__utf8_write(code, dst);
}

/* Writes the unescaped bytes (never more than s->size) and returns their number. dst may be s->text. */
HFM__PRIVATE size_t hfm__json_unescape(const hfm__json_span *s, char *dst) {
  size_t n = 0;
  if (!s->escaped) {
    if (s->size) memmove(dst, s->text, s->size);
    return s->size;
  }
  for (size_t pos = 0; pos < s->size;) {
    char bytes[4];
    const size_t count = hfm__json_char(s, &pos, bytes);
    memcpy(dst + n, bytes, count);
    n += count;
  }
  return n;
}

/* Of the unescaped bytes, as memcmp; a prefix comes first. */
HFM__PRIVATE int hfm__json_order(const hfm__json_span *a, const hfm__json_span *b) {
  char x[4] = {0, 0, 0, 0}, y[4] = {0, 0, 0, 0};
  size_t i = 0, j = 0, x_count = 0, y_count = 0, x_at = 0, y_at = 0;
  if (!a->escaped && !b->escaped) {
    const size_t n = HFM__MIN(a->size, b->size);
    const int order = n ? memcmp(a->text, b->text, n) : 0;
    return order ? order : a->size == b->size ? 0 : a->size < b->size ? -1 : 1;
  }
  for (;; x_at++, y_at++) {
    if (x_at == x_count) {
      x_count = i < a->size ? hfm__json_char(a, &i, x) : 0;
      x_at = 0;
    }
    if (y_at == y_count) {
      y_count = j < b->size ? hfm__json_char(b, &j, y) : 0;
      y_at = 0;
    }
    if (x_count == 0 || y_count == 0) return x_count == y_count ? 0 : x_count ? 1 : -1;
    if (x[x_at] != y[y_at]) return (uint8_t)x[x_at] < (uint8_t)y[y_at] ? -1 : 1;
  }
}

HFM__PRIVATE hfm__json_span hfm__json_literal(const char *text) {
  hfm__json_span span;
  span.text = text;
  span.size = strlen(text);
  span.escaped = 0;
  return span;
}

HFM__PRIVATE int hfm__json_is(const hfm__json_span *span, const char *text) {
  const hfm__json_span other = hfm__json_literal(text);
  return hfm__json_order(span, &other) == 0;
}

HFM__PRIVATE uint32_t hfm__json_hash(const hfm__json_span *s) {
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (size_t pos = 0; pos < s->size;) {
    char bytes[4];
    const size_t count = hfm__json_char(s, &pos, bytes);
    for (size_t i = 0; i < count; i++) hash = (hash ^ (uint8_t)bytes[i]) * 16777619u;
  }
  return hash;
}

/* One escape at r->pos, the backslash. */
HFM__PRIVATE int hfm__json_escape(hfm__json_reader *r) {
  const size_t at = r->pos, left = r->size - at;
  int32_t code;
  if (left < 2) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->size, "an escape");
  if (r->text[at + 1] != 'u') {
    if (r->text[at + 1] == 0 || !strchr("\"\\/bfnrt", r->text[at + 1]))
      return hfm__json_fail(r, HFM_E_JSON_SYNTAX, at + 1, "one of \" \\ / b f n r t u after a backslash");
    r->pos = at + 2;
    return 1;
  }
  code = left < 6 ? -1 : hfm__hex4(r->text + at + 2);
  if (code < 0) {
    size_t wrong = at + 2;
    while (wrong < r->size && hfm__hex_digit(r->text[wrong]) >= 0) wrong++;
    return hfm__json_fail(r, HFM_E_JSON_SYNTAX, wrong, "four hexadecimal digits");
  }
  r->pos = at + 6;
  if (code < 0xd800 || code > 0xdfff) return 1;
  if (code < 0xdc00 && left >= 12 && r->text[at + 6] == '\\' && r->text[at + 7] == 'u') {
    const int32_t low = hfm__hex4(r->text + at + 8);
    if (low >= 0xdc00 && low <= 0xdfff) {
      r->pos = at + 12;
      return 1;
    }
  }
  return hfm__json_fail(r, HFM_E_JSON_UTF8, at, "a pair of surrogates (one alone is no character)");
}

/* A string at r->pos, the opening quote. */
HFM__PRIVATE int hfm__json_string(hfm__json_reader *r, hfm__json_span *span) {
  span->text = r->text + ++r->pos;
  span->escaped = 0;
  while (r->pos < r->size) {
    const uint8_t c = (uint8_t)r->text[r->pos];
    if (c == '"') {
      span->size = (size_t)(r->text + r->pos++ - span->text);
      return 1;
    }
    if (c == '\\') {
      span->escaped = 1;
      if (!hfm__json_escape(r)) return 0;
    } else if (c < 0x20) {
      return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "no control character in a string (write \\u0000 for one)");
    } else {
      const size_t length = hfm__utf8_length(r->text + r->pos, r->size - r->pos);
      if (!length) return hfm__json_fail(r, HFM_E_JSON_UTF8, r->pos, "UTF-8");
      r->pos += length;
    }
  }
  return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->size, "the closing quote of a string");
}

/* ---- Duplicate keys ---- */

HFM__PRIVATE hfm__json_span hfm__json_key_span(const hfm__json_key *key) {
  hfm__json_span span;
  span.text = key->text;
  span.size = key->size;
  span.escaped = key->escaped;
  return span;
}

/* By hash, which settles nearly all pairs at once; then by the bytes, so that chosen collisions cost no more. */
HFM__PRIVATE int hfm__json_key_order(const void *a, const void *b) {
  const hfm__json_key *x = (const hfm__json_key *)a, *y = (const hfm__json_key *)b;
  const hfm__json_span a_span = hfm__json_key_span(x), b_span = hfm__json_key_span(y);
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return hfm__json_order(&a_span, &b_span);
}

/* Closes an object: none of its keys may repeat. */
HFM__PRIVATE int hfm__json_check_keys(hfm__json_reader *r) {
  const size_t count = r->key_count - r->first_key[r->depth];
  const hfm__json_key *first, *repeated = NULL;
  const uint64_t bytes = (uint64_t)count * 2 * sizeof(void *);
  const void *few[16], **sorted = few;
  r->key_count -= count;
  if (count < 2) return 1;
  first = r->keys + r->key_count;
  if (count * 2 > HFM__COUNT(few)) {
    sorted = (const void **)hfm__alloc(r->mem, bytes);
    if (!sorted) {
      r->result = hfm__fail_memory(r->error, "checking a JSON object's keys", bytes);
      return 0;
    }
  }
  for (size_t i = 0; i < count; i++) sorted[i] = first + i;
  hfm__sort(sorted, sorted + count, count, hfm__json_key_order);
  for (size_t i = 1; i < count && !repeated; i++)
    if (hfm__json_key_order(sorted[i - 1], sorted[i]) == 0) repeated = (const hfm__json_key *)sorted[i];
  if (sorted != few) hfm__free(r->mem, (void *)sorted, bytes);
  if (repeated) {
    const uint64_t offset = r->base + (uint64_t)(repeated->text - r->text) - 1;
    char name[192];
    hfm__text t = hfm__text_to(name, sizeof name);
    hfm__text_quoted(&t, repeated->text, repeated->size);
    r->result = hfm__fail(r->error, HFM_E_JSON_DUPLICATE_KEY, r->file, NULL, offset,
                          "byte %u: each key of an object once expected, found %s again", offset, name);
  }
  return !repeated;
}

/* ---- Values ---- */

HFM__PRIVATE int hfm__json_is_digit(const hfm__json_reader *r) {
  return r->pos < r->size && r->text[r->pos] >= '0' && r->text[r->pos] <= '9';
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
HFM__PRIVATE int32_t hfm__json_number(hfm__json_reader *r) {
  if (r->text[r->pos] == '-') r->pos++;
  if (!hfm__json_is_digit(r)) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a digit");
  if (r->text[r->pos] == '0') r->pos++;
  else
    while (hfm__json_is_digit(r)) r->pos++;
  if (hfm__json_is_digit(r)) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "no digit after a leading zero");
  if (r->pos < r->size && r->text[r->pos] == '.') {
    r->pos++;
    if (!hfm__json_is_digit(r)) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a digit after the point");
    while (hfm__json_is_digit(r)) r->pos++;
  }
  if (r->pos < r->size && (r->text[r->pos] == 'e' || r->text[r->pos] == 'E')) {
    r->pos++;
    if (r->pos < r->size && (r->text[r->pos] == '+' || r->text[r->pos] == '-')) r->pos++;
    if (!hfm__json_is_digit(r)) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a digit of the exponent");
    while (hfm__json_is_digit(r)) r->pos++;
  }
  return HFM__JSON_NUMBER;
}

HFM__PRIVATE int hfm__json_word(hfm__json_reader *r, const char *word) {
  const size_t n = strlen(word);
  if (r->size - r->pos < n || memcmp(r->text + r->pos, word, n) != 0) return 0;
  r->pos += n;
  return 1;
}

HFM__PRIVATE int32_t hfm__json_scalar(hfm__json_reader *r) {
  int32_t kind = HFM__JSON_FAILED;
  const int python = r->flags & HFM__JSON_NONFINITE;
  r->value.text = r->text + r->pos;
  r->value.escaped = 0;
  if (r->text[r->pos] == '"') {
    if (!hfm__json_string(r, &r->value)) return HFM__JSON_FAILED;
    return HFM__JSON_STRING;
  }
  if (hfm__json_word(r, "null")) kind = HFM__JSON_NULL;
  else if (hfm__json_word(r, "true") || hfm__json_word(r, "false")) kind = HFM__JSON_BOOL;
  else if (python && (hfm__json_word(r, "NaN") || hfm__json_word(r, "Infinity") || hfm__json_word(r, "-Infinity")))
    kind = HFM__JSON_NUMBER;
  else if (r->text[r->pos] == '-' || hfm__json_is_digit(r)) kind = hfm__json_number(r);
  else return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a value");
  r->value.size = (size_t)(r->text + r->pos - r->value.text);
  return kind;
}

HFM__PRIVATE void hfm__json_space(hfm__json_reader *r) {
  while (r->pos < r->size && (r->text[r->pos] == ' ' || r->text[r->pos] == '\n' || r->text[r->pos] == '\r' ||
                              r->text[r->pos] == '\t'))
    r->pos++;
}

/* `"key" :` at r->pos */
HFM__PRIVATE int hfm__json_member(hfm__json_reader *r) {
  hfm__json_key *key;
  void *grown;
  if (r->pos >= r->size || r->text[r->pos] != '"') return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a quoted key");
  if (!hfm__json_string(r, &r->key)) return 0;
  if (r->key.size > INT32_MAX) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->at, "a key of less than 2 GiB");
  grown = hfm__grow(r->mem, r->keys, r->key_count, &r->key_capacity, sizeof *r->keys);
  if (!grown) {
    r->result = hfm__fail_memory(r->error, "the keys of a JSON object", 0);
    return 0;
  }
  r->keys = (hfm__json_key *)grown;
  key = r->keys + r->key_count++;
  key->text = r->key.text;
  key->size = (unsigned)r->key.size & INT32_MAX;
  key->escaped = r->key.escaped != 0;
  key->hash = hfm__json_hash(&r->key);
  hfm__json_space(r);
  if (r->pos >= r->size || r->text[r->pos] != ':') return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "':'");
  r->pos++;
  hfm__json_space(r);
  return 1;
}

/* The next thing in the text; after HFM__JSON_FAILED the error is filled and r->result says which. */
HFM__PRIVATE int32_t hfm__json_next(hfm__json_reader *r) {
  int32_t kind, in_object;
  if (r->result != HFM_OK) return HFM__JSON_FAILED;
  hfm__json_space(r);
  r->at = r->pos;
  if (r->depth == 0 && r->after_value) {
    if (r->pos < r->size) return hfm__json_fail(r, HFM_E_JSON_TRAILING, r->pos, "nothing after the value");
    return HFM__JSON_DONE;
  }
  in_object = r->depth > 0 && r->is_object[r->depth];
  if (r->depth > 0) {
    const char closing = in_object ? '}' : ']';
    if (r->pos < r->size && r->text[r->pos] == closing) {
      r->pos++;
      if (in_object && !hfm__json_check_keys(r)) return HFM__JSON_FAILED;
      r->depth--;
      r->after_value = 1;
      return HFM__JSON_END;
    }
    if (r->after_value) {
      if (r->pos >= r->size || r->text[r->pos] != ',')
        return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, in_object ? "',' or '}'" : "',' or ']'");
      r->pos++;
      hfm__json_space(r);
    }
    if (in_object && !hfm__json_member(r)) return HFM__JSON_FAILED;
  }
  r->at = r->pos;
  if (r->pos >= r->size) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a value");
  if (r->text[r->pos] != '{' && r->text[r->pos] != '[') {
    kind = hfm__json_scalar(r);
    r->after_value = 1;
    return kind;
  }
  if (r->depth == HFM__JSON_MAX_DEPTH)
    return hfm__json_fail(r, HFM_E_JSON_DEPTH, r->pos, "at most 128 levels of nesting");
  kind = r->text[r->pos++] == '{' ? HFM__JSON_OBJECT : HFM__JSON_ARRAY;
  r->depth++;
  r->is_object[r->depth] = kind == HFM__JSON_OBJECT;
  r->first_key[r->depth] = r->key_count;
  r->after_value = 0;
  return kind;
}

/* After ARRAY or OBJECT: passes over the rest of it. 0 on error. */
HFM__PRIVATE int hfm__json_skip(hfm__json_reader *r, int32_t kind) {
  const int32_t outside = r->depth - 1;
  if (kind != HFM__JSON_ARRAY && kind != HFM__JSON_OBJECT) return kind != HFM__JSON_FAILED;
  while (r->depth > outside)
    if (hfm__json_next(r) == HFM__JSON_FAILED) return 0;
  return 1;
}

/* ---- Numbers ---- */

/* Only -?(0|[1-9][0-9]*) without "-0": 4.0 and 4e0 are not integers. */
HFM__PRIVATE int hfm__json_u64(const char *text, size_t size, uint64_t *value) {
  uint64_t v = 0;
  if (size == 0) return 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') return 0;
    if (!hfm__mul64(v, 10, &v) || !hfm__add64(v, (uint64_t)(text[i] - '0'), &v)) return 0;
  }
  *value = v;
  return 1;
}

HFM__PRIVATE int hfm__json_i64(const char *text, size_t size, int64_t *value) {
  const int negative = size > 0 && text[0] == '-';
  uint64_t v;
  if (!hfm__json_u64(text + negative, size - (size_t)negative, &v)) return 0;
  if (v > (uint64_t)INT64_MAX + (uint64_t)negative || (negative && v == 0)) return 0;
  *value = negative ? -(int64_t)(v - 1) - 1 : (int64_t)v;
  return 1;
}
