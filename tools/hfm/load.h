/* load.h: a model as the command line asks for it. */

/* NO_COLOR (no-color.org) and terminals that are none get plain text. */
static int stderr_has_colors(void) {
  const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
  return stderr_is_terminal() && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

/* The table that Transformers prints when keys were missing, unexpected or mismatched. */
static void print_load_report(const hfm_model *model, const char *path) {
  const int32_t color = stderr_has_colors();
  const size_t length = hfm_load_report_text(model, path, color, NULL, 0);
  char *text = length ? (char *)malloc(length + 1) : NULL;
  if (!text) return;
  hfm_load_report_text(model, path, color, text, length + 1);
  fprintf(stderr, "%s\n", text);
  free(text);
}

/* 0, or the exit code after a message. */
static int load_model(const arguments *args, hfm_model **model) {
  hfm_options options = args->load;
  hfm_error error;
  progress_bar bar = progress_start();
  options.log.write = say_warning;
  options.progress.ctx = &bar;
  options.progress.update = progress_update;
  const hfm_result result = hfm_from_pretrained(args->path, &options, model, &error);
  progress_end(&bar);
  return result ? say_library_error(&error) : EXIT_OK;
}
