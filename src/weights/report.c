/* ==== weights/report (private): the table that Transformers prints after a load ===================================
   After utils/loading_report.py: keys that differ only in numbers share a row, {0, 1, 2} or {0...11}; one width for
   each column; what each status means underneath. */

HFMODEL_API size_t hfm_load_report_size(const hfm_model *model) { return model ? model->report_count : 0; }

HFMODEL_API const hfm_load_entry *hfm_load_report_at(const hfm_model *model, size_t index) {
  return model && index < model->report_count ? &model->report[index] : NULL;
}

HFM__PRIVATE size_t hfm__key_part(const char *key) {
  size_t n = 0;
  while (key[n] && key[n] != '.') n++;
  return n;
}

HFM__PRIVATE int hfm__is_number(const char *s, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (s[i] < '0' || s[i] > '9') return 0;
  return n > 0 && n < 10;
}

/* Orders keys by their parts; all numbers between dots are alike. 0: the same but for such numbers. */
HFM__PRIVATE int hfm__pattern_order(const char *a, const char *b) {
  for (;;) {
    const size_t n = hfm__key_part(a), m = hfm__key_part(b);
    const int a_number = hfm__is_number(a, n), b_number = hfm__is_number(b, m);
    if (a_number != b_number) return a_number ? -1 : 1;
    if (!a_number) {
      const int order = memcmp(a, b, HFM__MIN(n, m));
      if (order) return order;
      if (n != m) return n < m ? -1 : 1;
    }
    if (!a[n] || !b[m]) return (a[n] != 0) - (b[m] != 0);
    a += n + 1;
    b += m + 1;
  }
}

/* Part number `index` of a key. */
HFM__PRIVATE const char *hfm__key_at(const char *key, int32_t index, size_t *size) {
  for (; index > 0; index--) key += hfm__key_part(key) + 1;
  *size = hfm__key_part(key);
  return key;
}

/* ---- Rows ---- */

/* Entries of the report that share a row: a run of `sorted`. */
typedef struct hfm__report_row {
  size_t first, count;
} hfm__report_row;

typedef struct hfm__report_rows {
  hfm_allocator mem;
  size_t entries, count;
  const void **sorted;   /* entries, row after row; twice the room, for sorting */
  hfm__report_row *rows; /* in the order in which the report has their first entries */
} hfm__report_rows;

HFM__PRIVATE int hfm__row_order(const void *a, const void *b) {
  const hfm_load_entry *x = (const hfm_load_entry *)a, *y = (const hfm_load_entry *)b;
  return x->status != y->status ? x->status - y->status : hfm__pattern_order(x->key, y->key);
}

HFM__PRIVATE void hfm__report_rows_free(hfm__report_rows *r) {
  hfm__free(&r->mem, (void *)r->sorted, (uint64_t)r->entries * 2 * sizeof *r->sorted);
  hfm__free(&r->mem, r->rows, (uint64_t)r->entries * sizeof *r->rows);
}

/* 0 when out of memory. */
HFM__PRIVATE int hfm__report_rows_make(const hfm_model *model, hfm__report_rows *r) {
  const size_t n = model->report_count;
  memset(r, 0, sizeof *r);
  r->mem = model->ctx.mem;
  r->entries = n;
  r->sorted = (const void **)hfm__alloc(&r->mem, (uint64_t)n * 2 * sizeof *r->sorted);
  r->rows = (hfm__report_row *)hfm__alloc_zero(&r->mem, (uint64_t)n * sizeof *r->rows);
  if (!r->sorted || !r->rows) return 0;
  for (size_t i = 0; i < n; i++) r->sorted[i] = &model->report[i];
  hfm__sort(r->sorted, r->sorted + n, n, hfm__row_order); /* stable: a row begins with its first entry */
  for (size_t i = 0, first = 0; i < n; i++) {
    const size_t place = (size_t)((const hfm_load_entry *)r->sorted[first] - model->report);
    r->rows[place].first = first;
    r->rows[place].count++;
    if (i + 1 < n && hfm__row_order(r->sorted[i], r->sorted[i + 1]) != 0) first = i + 1;
  }
  for (size_t i = 0; i < n; i++)
    if (r->rows[i].count) r->rows[r->count++] = r->rows[i];
  return 1;
}

/* The values that one numeric part takes in a row, ascending: "3", "{0, 1, 2}" or "{0...11}". */
HFM__PRIVATE void hfm__text_numbers(hfm__text *t, const hfm__report_rows *r, const hfm__report_row *row, int32_t part) {
  enum { LISTED = 10 };
  int64_t smallest[LISTED + 1], largest = 0;
  size_t count = 0;
  for (size_t i = row->first; i < row->first + row->count; i++) {
    size_t n, place = 0;
    const char *s = hfm__key_at(((const hfm_load_entry *)r->sorted[i])->key, part, &n);
    const int64_t value = hfm__number(s, n);
    largest = HFM__MAX(largest, value);
    while (place < count && smallest[place] < value) place++;
    if (place > LISTED || (place < count && smallest[place] == value)) continue;
    if (count <= LISTED) count++;
    for (size_t k = count - 1; k > place; k--) smallest[k] = smallest[k - 1];
    smallest[place] = value;
  }
  if (count == 1) {
    hfm__text_i64(t, largest);
    return;
  }
  hfm__text_char(t, '{');
  if (count > LISTED) {
    hfm__text_format(t, "%i...%i", smallest[0], largest);
  } else {
    for (size_t i = 0; i < count; i++) hfm__text_format(t, "%s%i", i ? ", " : "", smallest[i]);
  }
  hfm__text_char(t, '}');
}

/* A name from a file, readable: only what a terminal would obey is escaped, and what is no UTF-8. */
HFM__PRIVATE void hfm__text_name(hfm__text *t, const char *s, size_t n) {
  for (size_t i = 0; i < n;) {
    const size_t length = hfm__utf8_length(s + i, n - i);
    if (length && s[i] != '\\' && !hfm__is_control((const uint8_t *)s + i, length))
      hfm__text_bytes(t, s + i, length);
    else
      hfm__text_escaped(t, s + i, HFM__MAX(length, 1));
    i += HFM__MAX(length, 1);
  }
}

HFM__PRIVATE void hfm__text_folded(hfm__text *t, const hfm__report_rows *r, const hfm__report_row *row) {
  const char *key = ((const hfm_load_entry *)r->sorted[row->first])->key;
  for (int32_t part = 0;; part++) {
    const size_t n = hfm__key_part(key);
    if (hfm__is_number(key, n)) hfm__text_numbers(t, r, row, part);
    else hfm__text_name(t, key, n);
    if (!key[n]) return;
    hfm__text_char(t, '.');
    key += n + 1;
  }
}

HFM__PRIVATE void hfm__text_torch_size(hfm__text *t, const int64_t *shape, int32_t rank) {
  hfm__text_format(t, "torch.Size(%t)", shape, (int)rank);
}

HFM__PRIVATE void hfm__text_details(hfm__text *t, const hfm_load_entry *entry) {
  if (entry->status != HFM_KEY_MISMATCHED) return;
  hfm__text_str(t, "Reinit due to size mismatch - ckpt: ");
  hfm__text_torch_size(t, entry->found_shape, entry->found_rank);
  hfm__text_str(t, " vs model:");
  hfm__text_torch_size(t, entry->expected_shape, entry->expected_rank);
}

typedef struct hfm__status_row {
  const char *name, *color, *note;
} hfm__status_row;

static const hfm__status_row hfm__statuses[] = {
    {"", "", ""},
    {"UNEXPECTED", "\x1b[38;5;208m",
     "can be ignored when loading from different task/architecture; not ok if you expect identical arch."},
    {"MISSING", "\x1b[31m",
     "those params were newly initialized because missing from the checkpoint. Consider training on your downstream "
     "task."},
    {"MISMATCH", "\x1b[33m", "ckpt weights were loaded, but they did not match the original empty weight shapes."}};

/* `text` between an escape and its end, where colours are wanted. */
HFM__PRIVATE void hfm__text_styled(hfm__text *t, const char *escape, const char *text, const char *more,
                                   int32_t color) {
  hfm__text_format(t, "%s%s%s%s", color ? escape : "", text, more, color ? "\x1b[0m" : "");
}

HFM__PRIVATE void hfm__text_repeat(hfm__text *t, char c, size_t count) {
  for (size_t i = 0; i < count; i++) hfm__text_char(t, c);
}

/* Fills what began at `from` up to the width of its column. */
HFM__PRIVATE void hfm__text_pad(hfm__text *t, size_t from, size_t width) {
  while (t->length - from < width) hfm__text_char(t, ' ');
}

HFMODEL_API size_t hfm_load_report_text(const hfm_model *model, const char *source, int32_t color, char *buffer,
                                        size_t size) {
  hfm__text t = hfm__text_to(buffer, buffer ? size : 0);
  size_t widths[3] = {3, 6, 0};
  int32_t only_unexpected = 1;
  hfm__report_rows r;
  if (!model || !model->report_count) return 0;
  if (!hfm__report_rows_make(model, &r)) {
    hfm__report_rows_free(&r);
    return 0;
  }
  for (size_t i = 0; i < r.count; i++) {
    const hfm_load_entry *entry = (const hfm_load_entry *)r.sorted[r.rows[i].first];
    hfm__text cell = hfm__text_to(NULL, 0);
    if (entry->status != HFM_KEY_UNEXPECTED) only_unexpected = 0;
    hfm__text_folded(&cell, &r, &r.rows[i]);
    widths[0] = HFM__MAX(widths[0], cell.length);
    widths[1] = HFM__MAX(widths[1], strlen(hfm__statuses[entry->status].name));
    cell = hfm__text_to(NULL, 0);
    hfm__text_details(&cell, entry);
    widths[2] = HFM__MAX(widths[2], cell.length);
  }
  hfm__text_format(&t, "\x1b[1m%s LOAD REPORT\x1b[0m from: %s\nKey", model->architecture, source ? source : "");
  hfm__text_repeat(&t, ' ', widths[0] - 3);
  hfm__text_str(&t, " | Status");
  hfm__text_repeat(&t, ' ', widths[1] - 6);
  hfm__text_str(&t, only_unexpected ? " |  | " : " | ");
  if (!only_unexpected) hfm__text_repeat(&t, ' ', widths[2]);
  hfm__text_char(&t, '\n');
  for (size_t column = 0; column < 3; column++) {
    hfm__text_repeat(&t, '-', widths[column]);
    if (column < 2) hfm__text_str(&t, "-+-");
  }
  hfm__text_str(&t, only_unexpected ? "-+-\n" : "\n");
  for (size_t i = 0; i < r.count; i++) {
    const hfm_load_entry *entry = (const hfm_load_entry *)r.sorted[r.rows[i].first];
    const hfm__status_row *status = &hfm__statuses[entry->status];
    size_t start = t.length;
    hfm__text_folded(&t, &r, &r.rows[i]);
    hfm__text_pad(&t, start, widths[0]);
    hfm__text_str(&t, " | ");
    start = t.length + (color ? strlen(status->color) + 4 : 0);
    hfm__text_styled(&t, status->color, status->name, "", color);
    hfm__text_pad(&t, start, widths[1]);
    hfm__text_str(&t, " | ");
    start = t.length;
    hfm__text_details(&t, entry);
    hfm__text_pad(&t, start, widths[2]);
    hfm__text_str(&t, only_unexpected ? " | \n" : "\n");
  }
  hfm__report_rows_free(&r);
  hfm__text_str(&t, "\nNotes:");
  for (int32_t status = HFM_KEY_UNEXPECTED; status <= HFM_KEY_MISMATCHED; status++) {
    for (size_t i = 0; i < model->report_count; i++) {
      if (model->report[i].status != status) continue;
      hfm__text_str(&t, "\n- ");
      hfm__text_styled(&t, hfm__statuses[status].color, hfm__statuses[status].name, ":", color);
      hfm__text_char(&t, '\t');
      hfm__text_styled(&t, "\x1b[3m", hfm__statuses[status].note, "", color);
      break;
    }
  }
  return t.length;
}
