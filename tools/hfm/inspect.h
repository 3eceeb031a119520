/* inspect.h: hfm info, print, check and registry: what a model is, without running it. */

static void print_json_keys(const hfm_model *model, const char *name, int32_t status) {
  const char *separator = "";
  printf("  \"%s\": [", name);
  for (size_t i = 0; i < hfm_load_report_size(model); i++) {
    const hfm_load_entry *entry = hfm_load_report_at(model, i);
    if (entry->status != status) continue;
    printf("%s", separator);
    print_json_text(entry->key);
    separator = ", ";
  }
  puts("],");
}

static void info_as_json(const arguments *args, const hfm_model *model) {
  puts("{");
  print_json_field("model_type", hfm_model_type(model));
  print_json_field("architecture", hfm_model_architecture(model));
  print_json_field("task", hfm_task_name(hfm_model_task(model)));
  print_json_field("dtype", hfm_dtype_name(hfm_model_dtype(model)));
  print_json_field("isa", hfm_model_isa(model));
  printf("  \"num_parameters\": %" PRId64 ",\n", hfm_num_parameters(model, 0, 0));
  printf("  \"num_parameters_no_embeddings\": %" PRId64 ",\n", hfm_num_parameters(model, 0, 1));
  printf("  \"memory_footprint\": %" PRId64 ",\n", hfm_memory_footprint(model, 1));
  printf("  \"memory_footprint_no_buffers\": %" PRId64 ",\n", hfm_memory_footprint(model, 0));
  print_json_field("packing", name_of_choice(packing_choices, args->load.packing));
  printf("  \"packed_bytes\": %" PRIu64 ",\n", hfm_packed_bytes(model));
  printf("  \"num_labels\": %" PRId64 ",\n", hfm_num_labels(model));
  printf("  \"id2label\": [");
  for (int64_t i = 0; i < hfm_num_labels(model); i++) {
    char buffer[32];
    if (i) printf(", ");
    print_json_text(label_of(model, i, buffer, sizeof buffer));
  }
  puts("],");
  print_json_keys(model, "missing_keys", HFM_KEY_MISSING);
  print_json_keys(model, "unexpected_keys", HFM_KEY_UNEXPECTED);
  print_json_keys(model, "mismatched_keys", HFM_KEY_MISMATCHED);
  printf("  \"files\": [");
  for (size_t i = 0; hfm_model_file(model, i); i++) {
    if (i) printf(", ");
    print_json_text(base_name(hfm_model_file(model, i)));
  }
  puts("]\n}");
}

static void print_labels(const hfm_model *model) {
  const int64_t count = hfm_num_labels(model);
  printf("labels            %" PRId64 ":", count);
  for (int64_t i = 0; i < count && i < 8; i++) {
    char buffer[32];
    printf(i ? ", " : " ");
    print_text(label_of(model, i, buffer, sizeof buffer), 0);
  }
  puts(count > 8 ? ", ..." : "");
}

/* What --packing means. */
static const char *packing_rule(int32_t packing) {
  switch (packing) {
    case HFM_PACK_EAGER: return "the weights of products are packed at the load, and kept";
    case HFM_PACK_NEVER: return "weights are packed for each product anew, in scratch";
    default: return "weights are packed in scratch at first, and kept when they are used again and again";
  }
}

static void info_for_a_person(const arguments *args, const hfm_model *model) {
  const hfm_task task = hfm_model_task(model);
  hfm_memory_estimate need;
  char a[40], b[40], c[40];
  printf("model type        ");
  print_text(hfm_model_type(model), 0);
  printf("\narchitecture      %s\n", hfm_model_architecture(model));
  printf("task              %s\n", hfm_task_name(task));
  printf("dtype             %s\n", hfm_dtype_name(hfm_model_dtype(model)));
  printf("parameters        %s (%s without embeddings)\n", with_commas(hfm_num_parameters(model, 0, 0), a, sizeof a),
         with_commas(hfm_num_parameters(model, 0, 1), b, sizeof b));
  printf("memory footprint  %s\n", human_bytes((uint64_t)hfm_memory_footprint(model, 1), a, sizeof a));
  if (!hfm_estimate_memory(args->path, &args->load, 1, 128, &need, NULL)) {
    printf("to run it         %s weights + %s activations (one row, %s) + at most %s packed copies\n",
           human_bytes(need.weight_bytes, a, sizeof a), human_bytes(need.activation_bytes, b, sizeof b),
           task == HFM_IMAGE_CLASSIFICATION ? "a picture" : "128 tokens", human_bytes(need.packed_bytes, c, sizeof c));
    printf("packing           %s: %s\n", name_of_choice(packing_choices, args->load.packing),
           packing_rule(args->load.packing));
    printf("packed and kept   %s now\n", human_bytes(hfm_packed_bytes(model), a, sizeof a));
    if (need.cache_bytes)
      printf("key-value cache   %s for each 128 tokens\n", human_bytes(need.cache_bytes, a, sizeof a));
  }
  printf("instructions      %s\n", hfm_model_isa(model));
  if (task == HFM_SEQUENCE_CLASSIFICATION || task == HFM_TOKEN_CLASSIFICATION || task == HFM_IMAGE_CLASSIFICATION) {
    print_labels(model);
  }
  for (size_t i = 0; hfm_model_file(model, i); i++) {
    printf(i ? "                  " : "files             ");
    print_text(base_name(hfm_model_file(model, i)), 0);
    putchar('\n');
  }
}

static int ends_with(const char *path, const char *ending) {
  const size_t length = strlen(path), n = strlen(ending);
  return length >= n && strcmp(path + length - n, ending) == 0;
}

/* Is that the name of a file rather than a repository's? */
static int names_a_file(const char *path) {
  return ends_with(path, ".safetensors") || ends_with(path, ".bin") || ends_with(path, ".gguf") ||
         ends_with(path, ".json");
}

static int command_info(const arguments *args) {
  hfm_model *model = NULL;
  const int kind = hfm_companion_kind(args->path);
  if (kind == HFM_COMPANION_ABSENT && names_a_file(args->path)) {
    return say_error(EXIT_BAD_INPUT, "%s: no such file", args->path);
  }
  if (kind == HFM_COMPANION_FILE && ends_with(args->path, ".json")) {
    return say_error(EXIT_BAD_INPUT, "%s: expected a model directory or a weights file, found JSON; 'hfm info DIR' "
                     "describes the model in its directory, 'hfm check FILE' validates it", args->path);
  }
  if (kind == HFM_COMPANION_FILE) return info_of_file(args);
  const int status = load_model(args, &model);
  if (status) return status;
  print_load_report(model, args->path);
  if (args->json) info_as_json(args, model);
  else info_for_a_person(args, model);
  hfm_model_free(model);
  return EXIT_OK;
}

static int command_print(const arguments *args) {
  hfm_model *model = NULL;
  int status = load_model(args, &model);
  if (status) return status;
  const size_t length = hfm_print(model, NULL, 0);
  char *text = (char *)malloc(length + 1);
  if (text) {
    hfm_print(model, text, length + 1);
    puts(text);
  } else {
    status = out_of_memory();
  }
  free(text);
  hfm_model_free(model);
  return status;
}

/* ---- check: 0, or 1 and one line on stderr ---------------------------------------------------------------------- */

static int say_checked(const char *path, const char *verdict) {
  print_text(path, 0);
  printf(": %s\n", verdict);
  return EXIT_OK;
}

/* The files hold every weight of the model, in the right shape. */
static int check_report(const arguments *args, const hfm_model *model) {
  const hfm_load_entry *entry;
  for (size_t i = 0; (entry = hfm_load_report_at(model, i)) != NULL; i++) {
    if (entry->status == HFM_KEY_UNEXPECTED) continue;
    return say_error(EXIT_BAD_INPUT, "%s: '%s', a weight of %s, %s", args->path, entry->key,
                     hfm_model_architecture(model),
                     entry->status == HFM_KEY_MISSING ? "is in none of the files" : "has another shape in the files");
  }
  return EXIT_OK;
}

/* What the library or this tool reads beside the weights, where it is there. */
static int check_side_files(const arguments *args, const hfm_model *model) {
  static const char *const names[] = { "generation_config.json", "preprocessor_config.json", "tokenizer_config.json" };
  int status = EXIT_OK;
  for (size_t i = 0; !status && i < sizeof names / sizeof names[0]; i++) {
    char *path = beside_the_weights(model, args->path, names[i]);
    hfm_config *document = NULL;
    hfm_error error;
    const hfm_result result = path ? hfm_companion_load_json(path, &document, &error) : HFM_OK;
    if (!path) status = out_of_memory();
    else if (result && result != HFM_ERROR_NOT_FOUND) status = say_error(EXIT_BAD_INPUT, "%s", error.message);
    hfm_config_free(document);
    free(path);
  }
  return status;
}

/* preprocessor_config.json is one that pictures can be prepared by, where the model takes any: where it makes one size
   of all, that is the model's. */
static int check_image_processor(const arguments *args, const hfm_model *model) {
  const hfm_config *config = hfm_model_config(model);
  hfm_image_processor processor;
  hfm_image square, wide;
  hfm_error error;
  int64_t model_size[2], of_square[2], of_wide[2];
  if (!takes_pictures(model)) return EXIT_OK;
  model_image_size(config, &model_size[0], &model_size[1]);
  char *folder = model_folder(model, args->path, 0);
  if (!folder) return out_of_memory();
  const int32_t channels = (int32_t)hfm_config_get_int(config, "num_channels", 3);
  const hfm_result result = hfm_image_processor_from_pretrained(folder, channels, &processor, &error);
  free(folder);
  if (result == HFM_ERROR_NOT_FOUND) return EXIT_OK;
  if (result) return say_error(EXIT_BAD_INPUT, "%s", error.message);
  memset(&square, 0, sizeof square);
  square.width = square.height = 1;
  wide = square;
  wide.width = 2;
  hfm_image_prepared_size(&processor, &square, &of_square[0], &of_square[1]);
  hfm_image_prepared_size(&processor, &wide, &of_wide[0], &of_wide[1]);
  if (memcmp(of_square, of_wide, sizeof of_wide) != 0 || memcmp(of_square, model_size, sizeof model_size) == 0) {
    return EXIT_OK;
  }
  return say_error(EXIT_BAD_INPUT, "%s: preprocessor_config.json makes pictures %" PRId64 " x %" PRId64 " (height x "
                   "width), but the model's image_size is %" PRId64 " x %" PRId64, args->path, of_square[0],
                   of_square[1], model_size[0], model_size[1]);
}

static int check_directory(const arguments *args) {
  hfm_model *model = NULL;
  hfm_error error;
  char verdict[160];
  if (load_model_quietly(args, NULL, &model, &error)) return say_error(EXIT_BAD_INPUT, "%s", error.message);
  int status = check_report(args, model);
  if (!status) status = check_side_files(args, model);
  if (!status) status = check_image_processor(args, model);
  snprintf(verdict, sizeof verdict, "sound, %s with %lu weights", hfm_model_architecture(model),
           (unsigned long)hfm_state_dict_size(model));
  if (!status) status = say_checked(args->path, verdict);
  hfm_model_free(model);
  return status;
}

static int command_check(const arguments *args) {
  const int kind = hfm_companion_kind(args->path);
  hfm_error error;
  if (kind == HFM_COMPANION_ABSENT && names_a_file(args->path)) {
    return say_error(EXIT_BAD_INPUT, "%s: no such file", args->path);
  }
  if (kind == HFM_COMPANION_OTHER) {
    return say_error(EXIT_BAD_INPUT, "%s: expected a regular file or a directory, found something else", args->path);
  }
  if (kind != HFM_COMPANION_FILE) return check_directory(args);
  if (hfm_check_file(args->path, &args->load, &error)) return say_error(EXIT_BAD_INPUT, "%s", error.message);
  return say_checked(args->path, "sound");
}

/* ---- registry -------------------------------------------------------------------------------------------------- */

static int registry_has(const char *model_type, hfm_task task) {
  hfm_registry_entry entry;
  for (size_t i = 0; hfm_registry(i, &entry); i++) {
    if (entry.task == task && (!model_type || strcmp(entry.model_type, model_type) == 0)) return 1;
  }
  return 0;
}

/* Is this the first row of its model type? */
static int registry_begins(size_t index) {
  hfm_registry_entry entry, earlier;
  if (!hfm_registry(index, &entry)) return 0;
  for (size_t i = 0; i < index && hfm_registry(i, &earlier); i++) {
    if (strcmp(earlier.model_type, entry.model_type) == 0) return 0;
  }
  return 1;
}

static void registry_as_markdown(void) {
  hfm_registry_entry entry;
  hfm_task task;
  printf("| model_type |");
  for (task = HFM_BASE; task < HFM_TASK_FROM_CONFIG; task++) {
    if (registry_has(NULL, task)) printf(" %s |", hfm_task_name(task));
  }
  printf("\n|---|");
  for (task = HFM_BASE; task < HFM_TASK_FROM_CONFIG; task++) {
    if (registry_has(NULL, task)) printf(":-:|");
  }
  for (size_t i = 0; hfm_registry(i, &entry); i++) {
    if (!registry_begins(i)) continue;
    printf("\n| %s |", entry.model_type);
    for (task = HFM_BASE; task < HFM_TASK_FROM_CONFIG; task++) {
      if (registry_has(NULL, task)) printf(registry_has(entry.model_type, task) ? " yes |" : " |");
    }
  }
  putchar('\n');
}

static int command_registry(const arguments *args) {
  hfm_registry_entry entry;
  if (args->markdown) {
    registry_as_markdown();
    return EXIT_OK;
  }
  printf("%-14s  %-24s  %s\n", "model_type", "--task", "architecture");
  for (size_t i = 0; hfm_registry(i, &entry); i++) {
    printf("%-14s  %-24s  %s\n", entry.model_type, hfm_task_name(entry.task), entry.architecture);
  }
  return EXIT_OK;
}
