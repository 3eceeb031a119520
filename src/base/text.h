/* ==== base/text (private): bounded, locale-free text ===========================================================
   The library formats its own text: snprintf needs stdio, follows the user's locale, and can't escape. */

typedef struct hfm__text {
  char *data;     /* may be NULL with size 0: then only the length is counted */
  size_t size;    /* room in data, the NUL included */
  size_t length;  /* of the full text, also where it did not fit */
} hfm__text;

HFM__PRIVATE void hfm__text_char(hfm__text *t, char c) {
  if (t->length + 1 < t->size) {
    t->data[t->length] = c;
    t->data[t->length + 1] = 0;
  } else if (t->size && t->length < t->size) {
    t->data[t->length] = 0;
  }
  t->length++;
}

HFM__PRIVATE void hfm__text_bytes(hfm__text *t, const char *s, size_t n) {
  size_t i;
  for (i = 0; i < n; i++) hfm__text_char(t, s[i]);
}

HFM__PRIVATE void hfm__text_str(hfm__text *t, const char *s) {
  hfm__text_bytes(t, s, strlen(s));
}

HFM__PRIVATE void hfm__text_u64(hfm__text *t, uint64_t v) {
  char digits[24];
  size_t n = 0;
  do {
    digits[n++] = (char)('0' + v % 10);
    v /= 10;
  } while (v);
  while (n) hfm__text_char(t, digits[--n]);
}

HFM__PRIVATE void hfm__text_i64(hfm__text *t, int64_t v) {
  if (v < 0) hfm__text_char(t, '-');
  hfm__text_u64(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* Length of the well-formed UTF-8 sequence at s (n > 0 bytes are left), or 0. */
HFM__PRIVATE size_t hfm__utf8_length(const char *s, size_t n) {
  const uint8_t *b = (const uint8_t *)s;
  size_t length;
  uint8_t low = 0x80, high = 0xbf;
  if (b[0] < 0x80) return 1;
  if (b[0] < 0xc2 || b[0] > 0xf4) return 0;
  length = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
  if (b[0] == 0xe0) low = 0xa0;  /* no overlong forms, */
  if (b[0] == 0xed) high = 0x9f; /* no surrogates, */
  if (b[0] == 0xf0) low = 0x90;
  if (b[0] == 0xf4) high = 0x8f; /* nothing beyond U+10FFFF */
  if (n < length || b[1] < low || b[1] > high) return 0;
  for (size_t i = 2; i < length; i++)
    if (b[i] < 0x80 || b[i] > 0xbf) return 0;
  return length;
}

/* Does a character order the terminal about: a control of C0 or C1, or one that turns the direction of text? */
HFM__PRIVATE int hfm__is_control(const uint8_t *s, size_t length) {
  if (length == 1) return s[0] < 0x20 || s[0] == 0x7f;
  if (length == 2) return (s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xd8 && s[1] == 0x9c);
  return length == 3 && s[0] == 0xe2 &&
         ((s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
          (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

/* Bytes as \xNN. */
HFM__PRIVATE void hfm__text_escaped(hfm__text *t, const char *s, size_t n) {
  static const char hex[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++) {
    hfm__text_str(t, "\\x");
    hfm__text_char(t, hex[(uint8_t)s[i] >> 4]);
    hfm__text_char(t, hex[(uint8_t)s[i] & 15]);
  }
}

/* Bytes from a file: quoted, control and non-ASCII bytes escaped, at most 128 of them, and in about as many letters. */
HFM__PRIVATE void hfm__text_quoted(hfm__text *t, const char *s, size_t n) {
  const size_t shown = n > 128 ? 125 : n, start = t->length;
  size_t i;
  hfm__text_char(t, '\'');
  for (i = 0; i < shown && t->length - start < 160; i++) {
    const uint8_t c = (uint8_t)s[i];
    if (c >= 0x20 && c < 0x7f && c != '\\') hfm__text_char(t, (char)c);
    else hfm__text_escaped(t, s + i, 1);
  }
  if (i < n) hfm__text_str(t, "...");
  hfm__text_char(t, '\'');
}

/* "[2, 128, 768]"; a caller's rank may be anything. */
HFM__PRIVATE void hfm__text_shape(hfm__text *t, const int64_t *shape, int32_t rank) {
  int32_t i;
  rank = HFM__MIN(rank, (int32_t)HFM_MAX_RANK);
  hfm__text_char(t, '[');
  for (i = 0; i < rank; i++) {
    if (i) hfm__text_str(t, ", ");
    hfm__text_i64(t, shape[i]);
  }
  hfm__text_char(t, ']');
}

/* The conversions: %s text of our own, %q NUL-terminated text from outside (quoted, escaped), %d int, %i int64_t,
   %u uint64_t, %g double (as Python's repr), %t (const int64_t *shape, int rank), %%. Arguments must have exactly
   these types. */
HFM__PRIVATE void hfm__text_double(hfm__text *t, double number); /* base/decimal.c */

HFM__PRIVATE void hfm__text_vformat(hfm__text *t, const char *format, va_list args) {
  for (; *format; format++) {
    if (*format != '%') {
      hfm__text_char(t, *format);
      continue;
    }
    format++;
    if (*format == 's' || *format == 'q') {
      const char *s = va_arg(args, const char *);
      if (*format == 's') hfm__text_str(t, s);
      else hfm__text_quoted(t, s, strlen(s));
    } else if (*format == 'd') {
      hfm__text_i64(t, va_arg(args, int));
    } else if (*format == 'i') {
      hfm__text_i64(t, va_arg(args, int64_t));
    } else if (*format == 'u') {
      hfm__text_u64(t, va_arg(args, uint64_t));
    } else if (*format == 'g') {
      hfm__text_double(t, va_arg(args, double));
    } else if (*format == 't') {
      const int64_t *shape = va_arg(args, const int64_t *);
      hfm__text_shape(t, shape, va_arg(args, int));
    } else {
      hfm__text_char(t, '%');
    }
  }
}

HFM__PRIVATE void hfm__text_format(hfm__text *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  hfm__text_vformat(t, format, args);
  va_end(args);
}

HFM__PRIVATE hfm__text hfm__text_to(char *data, size_t size) {
  hfm__text t;
  t.data = data;
  t.size = size;
  t.length = 0;
  if (size) data[0] = 0;
  return t;
}

HFM__INLINE int hfm__equal(const char *a, const char *b) { return strcmp(a, b) == 0; }
HFM__PRIVATE int hfm__starts_with(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }
HFM__PRIVATE int hfm__ends_with(const char *s, const char *suffix) {
  const size_t n = strlen(s), m = strlen(suffix);
  return n >= m && memcmp(s + n - m, suffix, m) == 0;
}
