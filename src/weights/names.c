/* ==== weights/names (private): a file's names as the model's ======================================================
   In Transformers' order: the family's renames and the legacy ones, then the prefix of the base model is added or
   stripped where that makes the name known; a name that was known before it was renamed is kept. A rule may say that
   what the file has is a piece of what the model has. */

enum { HFM__NAME_MAX = 512 };

/* The value of n decimal digits. */
HFM__PRIVATE int64_t hfm__number(const char *s, size_t n) {
  int64_t v = 0;
  for (size_t i = 0; i < n; i++) v = v * 10 + (s[i] - '0');
  return v;
}

/* Length of the text at `s` that `pattern` matches ("*": digits), or 0. */
HFM__PRIVATE size_t hfm__rename_match(const char *s, const char *pattern, const char **number, size_t *digits) {
  size_t i = 0;
  for (; *pattern; pattern++) {
    if (*pattern == '*') {
      *number = s + i;
      for (*digits = 0; s[i] >= '0' && s[i] <= '9'; i++) ++*digits;
      if (!*digits) return 0;
    } else if (s[i++] != *pattern) {
      return 0;
    }
  }
  return s[i] == 0 || s[i] == '.' ? i : 0;
}

/* Replaces the first occurrence of rule->file that stands between dots (or the ends); 0: there is none. `*index` is the
   number that "*" stood for; one of many digits is larger than any. */
HFM__PRIVATE int hfm__rename_apply(char name[HFM__NAME_MAX], const hfm__rename *rule, int64_t *index) {
  for (size_t at = 0; name[at]; at++) {
    const char *number = "";
    size_t digits = 0, length;
    char result[HFM__NAME_MAX];
    hfm__text t;
    if (at && name[at - 1] != '.') continue;
    length = hfm__rename_match(name + at, rule->file, &number, &digits);
    if (!length) continue;
    t = hfm__text_to(result, sizeof result);
    hfm__text_bytes(&t, name, at);
    for (const char *p = rule->module; *p; p++) {
      if (*p == '*') hfm__text_bytes(&t, number, digits);
      else hfm__text_char(&t, *p);
    }
    hfm__text_str(&t, name + at + length);
    if (t.length >= sizeof result) return 0;
    *index = digits < 10 ? hfm__number(number, digits) : INT64_MAX;
    memcpy(name, result, t.length + 1);
    return 1;
  }
  return 0;
}

static const hfm__rename hfm__legacy_renames[] = {
    {"LayerNorm.gamma", "LayerNorm.weight", 0, NULL}, {"LayerNorm.beta", "LayerNorm.bias", 0, NULL},
    {NULL, NULL, 0, NULL}};

/* ---- The model's names, sorted ---- */

typedef struct hfm__name_entry {
  const char *name;
  int32_t parameter;
} hfm__name_entry;

typedef struct hfm__name_table {
  const hfm__name_entry **entries;
  size_t count;
} hfm__name_table;

HFM__PRIVATE int hfm__name_entry_order(const void *a, const void *b) {
  return strcmp(((const hfm__name_entry *)a)->name, ((const hfm__name_entry *)b)->name);
}

/* The name of a parameter or buffer in an arena; NULL when out of memory. */
HFM__PRIVATE const char *hfm__path_text(hfm__arena *arena, const hfm__tree *tree, int32_t module, const char *leaf) {
  hfm__text t = hfm__text_to(NULL, 0);
  char *name;
  hfm__text_member(&t, tree, module, leaf);
  name = (char *)hfm__arena_alloc(arena, (uint64_t)t.length + 1);
  if (!name) return NULL;
  t = hfm__text_to(name, t.length + 1);
  hfm__text_member(&t, tree, module, leaf);
  return name;
}

HFM__PRIVATE hfm_result hfm__name_table_make(hfm__arena *arena, const hfm__tree *tree, hfm__name_table *table,
                                             hfm_error *error) {
  const size_t count = tree->parameter_count ? tree->parameter_count - 1 : 0;
  hfm__name_entry *entries = (hfm__name_entry *)hfm__arena_alloc(arena, (uint64_t)count * sizeof *entries);
  const void **pointers = (const void **)hfm__arena_alloc(arena, (uint64_t)count * 2 * sizeof *pointers);
  if (!entries || !pointers) return hfm__fail_memory(error, "names of parameters", 0);
  for (size_t i = 0; i < count; i++) {
    const hfm__parameter *p = &tree->parameters[i + 1];
    hfm__name_entry *entry = &entries[i];
    pointers[i] = entry;
    entry->name = hfm__path_text(arena, tree, p->module, p->name);
    entry->parameter = (int32_t)i + 1;
    if (!entry->name) return hfm__fail_memory(error, "names of parameters", 0);
  }
  hfm__sort(pointers, pointers + count, count, hfm__name_entry_order);
  table->entries = (const hfm__name_entry **)pointers;
  table->count = count;
  return HFM_OK;
}

HFM__PRIVATE const hfm__name_entry *hfm__name_find(const hfm__name_table *table, const char *name) {
  size_t low = 0, high = table->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const int order = strcmp(table->entries[middle]->name, name);
    if (order == 0) return table->entries[middle];
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return NULL;
}

/* Stripping or adding "base." where that makes the name known. */
HFM__PRIVATE const hfm__name_entry *hfm__name_find_prefixed(const hfm__name_table *table, const char *name,
                                                            const char *base) {
  const size_t n = strlen(base);
  const hfm__name_entry *found = NULL;
  char prefixed[HFM__NAME_MAX];
  hfm__text t = hfm__text_to(prefixed, sizeof prefixed);
  if (hfm__starts_with(name, base) && name[n] == '.') found = hfm__name_find(table, name + n + 1);
  if (found) return found;
  hfm__text_format(&t, "%s.%s", base, name);
  return t.length < sizeof prefixed ? hfm__name_find(table, prefixed) : NULL;
}

HFM__PRIVATE const hfm__name_entry *hfm__name_known(const hfm__name_table *table, const char *name, const char *base) {
  const hfm__name_entry *found = hfm__name_find(table, name);
  return found ? found : hfm__name_find_prefixed(table, name, base);
}

/* What a file's tensor is in the model. */
typedef struct hfm__resolved {
  const hfm__name_entry *entry; /* NULL: nothing */
  char name[HFM__NAME_MAX];     /* its name there, or what reports call it */
  int32_t part;                 /* as hfm__rename has it; 0: it is all of the entry */
  int64_t index;                /* of the matrix that it is a part of */
} hfm__resolved;

HFM__PRIVATE void hfm__name_rename(hfm__resolved *found, const hfm__rename *rules, const char *suffix) {
  for (const hfm__rename *rule = rules; rule && rule->file; rule++) {
    int64_t number;
    if (rule->suffix && !hfm__equal(rule->suffix, suffix)) continue;
    if (!hfm__rename_apply(found->name, rule, &number) || !HFM__HAS_STACKS || !rule->part) continue;
    found->part = rule->part;
    found->index = number;
  }
}

HFM__PRIVATE void hfm__name_resolve(const hfm__name_table *table, const hfm__family *family, const char *suffix,
                                    const char *base, const char *name, hfm__resolved *found) {
  hfm__text t = hfm__text_to(found->name, sizeof found->name);
  hfm__text_str(&t, name);
  found->entry = NULL;
  found->part = 0;
  found->index = 0;
  if (t.length >= sizeof found->name) return;
  hfm__name_rename(found, family->renames, suffix);
  hfm__name_rename(found, hfm__legacy_renames, suffix);
  found->entry = hfm__name_known(table, found->name, base);
  if (found->entry) return;
  found->entry = hfm__name_known(table, name, base);
  if (found->entry) found->part = 0;
}
