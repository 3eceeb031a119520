/* forward.h: hfm forward: load, run once, show or write what comes out. */

/* The id of [MASK]: the token in the input that tokenizer_config.json calls by mask_token's name; -1 if nobody says. */
static int64_t find_mask_id(const arguments *args, const hfm_model *model, const hfm_tensor *ids) {
  char *folder = model_folder(model, args->path), *path = NULL;
  static const char name[] = "/tokenizer_config.json";
  unsigned char *text = NULL;
  hfm_config *config = NULL;
  size_t size = 0;
  int64_t mask = args->mask_id;
  if (folder) path = (char *)malloc(strlen(folder) + sizeof name);
  if (mask < 0 && ids->data && path && !hfm_companion_load(strcat(strcpy(path, folder), name), &text, &size, NULL) &&
      !hfm_config_parse((const char *)text, size, NULL, &config, NULL)) {
    const char *wanted = hfm_config_get_string(config, "mask_token.content",
                                               hfm_config_get_string(config, "mask_token", ""));
    for (size_t i = 0; mask < 0 && i < tensor_elements(ids); i++) {
      char key[64];
      const int64_t id = element_at(ids, (int64_t)i);
      snprintf(key, sizeof key, "added_tokens_decoder.%" PRId64 ".content", id);
      if (*wanted && strcmp(hfm_config_get_string(config, key, ""), wanted) == 0) mask = id;
    }
  }
  hfm_config_free(config);
  free(text);
  free(path);
  free(folder);
  return mask;
}

static void show_result(const arguments *args, const hfm_model *model, const hfm_inputs *in, const hfm_outputs *out) {
  show s;
  s.model = model;
  s.in = in;
  s.out = out;
  s.top = args->top < 1 ? 5 : args->top < MAX_TOP ? args->top : (int64_t)MAX_TOP;
  s.mask_id = find_mask_id(args, model, &in->input_ids);
  show_outputs(&s);
  if (!args->output) return;
  printf("%s:", args->output);
  for (size_t i = 0; i < out->items_count; i++) {
    printf(" %s ", out->items[i].name);
    print_shape(&out->items[i].tensor);
  }
  putchar('\n');
}

static int run_forward(const arguments *args, hfm_model *model, const hfm_inputs *in) {
  hfm_session_options options = args->session;
  hfm_session *session = NULL;
  hfm_outputs out;
  hfm_error error;
  progress_bar bar = progress_start();
  options.progress.ctx = &bar;
  options.progress.update = progress_update;
  hfm_result result = hfm_session_create(model, &options, &session, &error);
  if (!result) result = hfm_forward(session, in, &out, &error);
  progress_end(&bar);
  if (!result && args->output) result = hfm_tensors_write(args->output, out.items, out.items_count, &error);
  if (!result) show_result(args, model, in, &out);
  hfm_session_free(session);
  return result ? say_library_error(&error) : EXIT_OK;
}

static int command_forward(const arguments *args) {
  const int sources = (args->ids.count > 0) + (args->images.count > 0) + (args->inputs != NULL);
  hfm_model *model = NULL;
  model_inputs inputs;
  if (sources != 1) return say_error(EXIT_USAGE, "what to run? Give one of --ids, --image and --inputs");
  int status = load_model(args, &model);
  if (status) return status;
  print_load_report(model, args->path);
  status = read_inputs(args, model, &inputs);
  if (!status) status = run_forward(args, model, &inputs.in);
  free_inputs(&inputs);
  hfm_model_free(model);
  return status;
}
