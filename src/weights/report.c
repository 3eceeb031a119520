/* ==== weights/report (private): the table that Transformers prints after a load ===================================
   After utils/loading_report.py: keys that differ only in numbers share a row, {0, 1, 2} or {0...11}; one width for each
   column; what each status means underneath. */

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

HFM__PRIVATE int64_t hfm__number(const char *s, size_t n) {
  int64_t v = 0;
  for (size_t i = 0; i < n; i++) v = v * 10 + (s[i] - '0');
  return v;
}

/* Are two keys equal but for numbers between dots? */
HFM__PRIVATE int hfm__same_pattern(const char *a, const char *b) {
  for (;;) {
    const size_t n = hfm__key_part(a), m = hfm__key_part(b);
    const int numbers = hfm__is_number(a, n) && hfm__is_number(b, m);
    if (!numbers && (n != m || memcmp(a, b, n) != 0)) return 0;
    if (!a[n] || !b[m]) return a[n] == b[m];
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

HFM__PRIVATE int hfm__same_row(const hfm_load_entry *a, const hfm_load_entry *b) {
  return a->status == b->status && hfm__same_pattern(a->key, b->key);
}

/* The values that one numeric part takes in the row of entry `first`, ascending: "3", "{0, 1, 2}" or "{0...11}". */
HFM__PRIVATE void hfm__text_numbers(hfm__text *t, const hfm_model *model, size_t first, int32_t part) {
  int64_t low = -1, shown[10];
  size_t count = 0;
  for (;;) { /* the next larger value, until there is none: rows are short, or their numbers dense */
    int64_t next = INT64_MAX;
    for (size_t i = first; i < model->report_count; i++) {
      size_t n;
      const char *s;
      int64_t value;
      if (!hfm__same_row(&model->report[first], &model->report[i])) continue;
      s = hfm__key_at(model->report[i].key, part, &n);
      value = hfm__number(s, n);
      if (value > low && value < next) next = value;
    }
    if (next == INT64_MAX) break;
    if (count < HFM__COUNT(shown)) shown[count] = next;
    low = next;
    count++;
  }
  if (count == 1) {
    hfm__text_i64(t, shown[0]);
    return;
  }
  hfm__text_char(t, '{');
  if (count > HFM__COUNT(shown)) {
    hfm__text_format(t, "%i...%i", shown[0], low);
  } else {
    for (size_t i = 0; i < count; i++) hfm__text_format(t, "%s%i", i ? ", " : "", shown[i]);
  }
  hfm__text_char(t, '}');
}

HFM__PRIVATE void hfm__text_folded(hfm__text *t, const hfm_model *model, size_t first) {
  const char *key = model->report[first].key;
  for (int32_t part = 0;; part++) {
    const size_t n = hfm__key_part(key);
    if (hfm__is_number(key, n)) hfm__text_numbers(t, model, first, part);
    else hfm__text_bytes(t, key, n);
    if (!key[n]) return;
    hfm__text_char(t, '.');
    key += n + 1;
  }
}

HFM__PRIVATE int hfm__starts_row(const hfm_model *model, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (hfm__same_row(&model->report[i], &model->report[index])) return 0;
  return 1;
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

HFM__PRIVATE void hfm__text_pad(hfm__text *t, size_t from, size_t width) {
  while (t->length - from < width) hfm__text_char(t, ' ');
}

HFMODEL_API size_t hfm_load_report_text(const hfm_model *model, const char *source, int32_t color, char *buffer,
                                        size_t size) {
  hfm__text t = hfm__text_to(buffer, buffer ? size : 0);
  size_t widths[3] = {3, 6, 0};
  int32_t only_unexpected = 1;
  if (!model || !model->report_count) return 0;
  for (size_t i = 0; i < model->report_count; i++) {
    hfm__text cell = hfm__text_to(NULL, 0);
    if (model->report[i].status != HFM_KEY_UNEXPECTED) only_unexpected = 0;
    if (!hfm__starts_row(model, i)) continue;
    hfm__text_folded(&cell, model, i);
    widths[0] = HFM__MAX(widths[0], cell.length);
    widths[1] = HFM__MAX(widths[1], strlen(hfm__statuses[model->report[i].status].name));
    cell = hfm__text_to(NULL, 0);
    hfm__text_details(&cell, &model->report[i]);
    widths[2] = HFM__MAX(widths[2], cell.length);
  }
  hfm__text_format(&t, "\x1b[1m%s LOAD REPORT\x1b[0m from: %s\nKey", model->architecture, source ? source : "");
  for (size_t i = 3; i < widths[0]; i++) hfm__text_char(&t, ' ');
  hfm__text_str(&t, " | Status");
  for (size_t i = 6; i < widths[1]; i++) hfm__text_char(&t, ' ');
  hfm__text_str(&t, only_unexpected ? " |  | \n" : " | ");
  if (!only_unexpected) {
    for (size_t i = 0; i < widths[2]; i++) hfm__text_char(&t, ' ');
    hfm__text_char(&t, '\n');
  }
  for (size_t column = 0; column < 3; column++) {
    for (size_t i = 0; i < widths[column]; i++) hfm__text_char(&t, '-');
    if (column < 2) hfm__text_str(&t, "-+-");
  }
  hfm__text_str(&t, only_unexpected ? "-+-\n" : "\n");
  for (size_t i = 0; i < model->report_count; i++) {
    size_t start = t.length;
    if (!hfm__starts_row(model, i)) continue;
    hfm__text_folded(&t, model, i);
    hfm__text_pad(&t, start, widths[0]);
    hfm__text_str(&t, " | ");
    start = t.length + (color ? strlen(hfm__statuses[model->report[i].status].color) + 4 : 0);
    hfm__text_styled(&t, hfm__statuses[model->report[i].status].color, hfm__statuses[model->report[i].status].name, "",
                     color);
    hfm__text_pad(&t, start, widths[1]);
    hfm__text_str(&t, " | ");
    start = t.length;
    hfm__text_details(&t, &model->report[i]);
    hfm__text_pad(&t, start, widths[2]);
    hfm__text_str(&t, only_unexpected ? " | \n" : "\n");
  }
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
