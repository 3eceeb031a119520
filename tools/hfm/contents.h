/* contents.h: hfm info FILE: what one weights file holds, without a model around it. */

/* "uint32", "text", "text[32000]" */
static const char *value_type(const hfm_metadata *m, char *buffer, size_t size) {
  const char *name = m->dtype ? hfm_dtype_name(m->dtype) : "text";
  if (m->is_list) snprintf(buffer, size, "%s[%" PRIu64 "]", name, m->count);
  else snprintf(buffer, size, "%s", name);
  return buffer;
}

/* A number by itself, as many digits as tell it from its neighbours. */
static const char *number_text(const hfm_metadata *m, char *buffer, size_t size) {
  switch (m->dtype) {
    case HFM_BOOL: snprintf(buffer, size, m->integer ? "true" : "false"); break;
    case HFM_U64: snprintf(buffer, size, "%" PRIu64, (uint64_t)m->integer); break;
    case HFM_F32: snprintf(buffer, size, "%.9g", m->number); break;
    case HFM_F64: snprintf(buffer, size, "%.17g", m->number); break;
    default: snprintf(buffer, size, "%" PRId64, m->integer); break;
  }
  return buffer;
}

static const hfm_metadata *find_metadata(const hfm_contents *contents, const char *key) {
  for (size_t i = 0; i < contents->metadata_count; i++) {
    if (strcmp(contents->metadata[i].key, key) == 0) return &contents->metadata[i];
  }
  return NULL;
}

/* How many bytes and tensors there are of one type; by its name, which is the same pointer for the same type. */
typedef struct type_total {
  const char *type;
  uint64_t tensors, bytes;
} type_total;
enum { MOST_TYPES = 64 };

static int type_totals(const hfm_contents *contents, type_total *totals) {
  int count = 0;
  for (size_t i = 0; i < contents->tensor_count; i++) {
    const hfm_stored_tensor *t = &contents->tensors[i];
    int at = 0;
    while (at < count && strcmp(totals[at].type, t->type) != 0) at++;
    if (at == MOST_TYPES) continue;
    if (at == count) {
      memset(&totals[count], 0, sizeof totals[count]);
      totals[count++].type = t->type;
    }
    totals[at].tensors++;
    totals[at].bytes += t->bytes;
  }
  return count;
}

static void print_stored_shape(const hfm_stored_tensor *stored) {
  hfm_tensor tensor;
  memset(&tensor, 0, sizeof tensor);
  tensor.rank = stored->rank;
  memcpy(tensor.shape, stored->shape, sizeof tensor.shape);
  print_shape(&tensor);
}

static void contents_as_json(const hfm_contents *contents) {
  type_total totals[MOST_TYPES];
  const int types = type_totals(contents, totals);
  char buffer[64];
  puts("{");
  print_json_field("format", contents->format);
  printf("  \"version\": %d,\n  \"alignment\": %u,\n  \"metadata\": [", contents->version,
         (unsigned)contents->alignment);
  for (size_t i = 0; i < contents->metadata_count; i++) {
    const hfm_metadata *m = &contents->metadata[i];
    printf(i ? ",\n    {\"key\": " : "\n    {\"key\": ");
    print_json_text(m->key);
    printf(", \"type\": \"%s\"", m->dtype ? hfm_dtype_name(m->dtype) : "text");
    if (m->is_list) {
      printf(", \"count\": %" PRIu64 "}", m->count);
      continue;
    }
    printf(", \"value\": ");
    if (m->text) print_json_bytes(m->text, m->text_size);
    else
      printf("%s", m->number - m->number == 0 ? number_text(m, buffer, sizeof buffer) : "null"); /* JSON has no NaN */
    putchar('}');
  }
  printf("\n  ],\n  \"tensors\": [");
  for (size_t i = 0; i < contents->tensor_count; i++) {
    const hfm_stored_tensor *t = &contents->tensors[i];
    printf(i ? ",\n    {\"name\": " : "\n    {\"name\": ");
    print_json_text(t->name);
    printf(", \"type\": \"%s\", \"shape\": ", t->type);
    print_stored_shape(t);
    printf(", \"offset\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", t->offset, t->bytes);
  }
  printf("\n  ],\n  \"types\": [");
  for (int i = 0; i < types; i++) {
    printf("%s\n    {\"type\": \"%s\", \"tensors\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", i ? "," : "", totals[i].type,
           totals[i].tensors, totals[i].bytes);
  }
  puts("\n  ]\n}");
}

static int wider(int width, const char *name) {
  const size_t length = strlen(name);
  return length > 56 ? 56 : (int)length > width ? (int)length : width;
}

static void print_metadata(const hfm_metadata *m, int width) {
  char buffer[64];
  printf("  ");
  print_text(m->key, width);
  printf(m->is_list ? "  %s" : "  %-10s", value_type(m, buffer, sizeof buffer));
  if (m->text) {
    print_beginning(m->text, m->text_size, 60);
  } else if (!m->is_list) {
    printf("%s", number_text(m, buffer, sizeof buffer));
  }
  putchar('\n');
}

/* A line such as "architecture  llama", where the file says it. */
static void print_key(const hfm_contents *contents, const char *label, const char *key) {
  const hfm_metadata *m = find_metadata(contents, key);
  if (!m || !m->text) return;
  printf("%-18s", label);
  print_beginning(m->text, m->text_size, 60);
  putchar('\n');
}

static void contents_for_a_person(const hfm_contents *contents) {
  type_total totals[MOST_TYPES];
  const int types = type_totals(contents, totals);
  uint64_t bytes = 0;
  int key_width = 0, name_width = 0;
  char buffer[40];
  for (size_t i = 0; i < contents->metadata_count; i++) key_width = wider(key_width, contents->metadata[i].key);
  for (size_t i = 0; i < contents->tensor_count; i++) name_width = wider(name_width, contents->tensors[i].name);
  printf("%-18s%s", "format", contents->format);
  if (contents->version) printf(", version %d", contents->version);
  putchar('\n');
  print_key(contents, "architecture", "general.architecture");
  print_key(contents, "name", "general.name");
  if (contents->alignment) printf("%-18s%u bytes\n", "alignment", (unsigned)contents->alignment);
  printf("%-18s%lu\n", "metadata", (unsigned long)contents->metadata_count);
  for (size_t i = 0; i < contents->metadata_count; i++) print_metadata(&contents->metadata[i], key_width);
  for (int i = 0; i < types; i++) bytes += totals[i].bytes;
  printf("%-18s%lu, %s\n", "tensors", (unsigned long)contents->tensor_count, human_bytes(bytes, buffer, sizeof buffer));
  for (size_t i = 0; i < contents->tensor_count; i++) {
    const hfm_stored_tensor *t = &contents->tensors[i];
    printf("  ");
    print_text(t->name, name_width);
    printf("  %-8s  %12" PRIu64 " bytes  ", t->type, t->bytes);
    print_stored_shape(t);
    putchar('\n');
  }
  for (int i = 0; i < types; i++) {
    printf("%-18s%-8s  %" PRIu64 " tensor%s, %s\n", i ? "" : "types", totals[i].type, totals[i].tensors,
           totals[i].tensors == 1 ? "" : "s", human_bytes(totals[i].bytes, buffer, sizeof buffer));
  }
}

static int info_of_file(const arguments *args) {
  hfm_contents *contents = NULL;
  hfm_error error;
  if (hfm_read_contents(args->path, &args->load, &contents, &error)) return say_library_error(&error);
  if (args->json) contents_as_json(contents);
  else contents_for_a_person(contents);
  hfm_contents_free(contents);
  return EXIT_OK;
}
