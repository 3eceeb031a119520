/* load.h: a model as the command line asks for it. */

/* Colours are for a terminal that has a screen, and not for who sets NO_COLOR to anything (no-color.org). */
static int stderr_has_colors(void) {
  const char *no_color = getenv("NO_COLOR");
  return stderr_is_screen() && !(no_color && *no_color);
}

/* Names that could steer a terminal: warned of one by one, cleaned, since in the table they would stand as they are.
   0 if there are none. */
static int warn_of_steering_names(const hfm_model *model) {
  const hfm_load_entry *entry;
  int found = 0;
  for (size_t i = 0; (entry = hfm_load_report_at(model, i)) != NULL; i++) {
    const char *at = entry->key;
    uint32_t code = ' ';
    while (*at && !hfm_companion_steers(code)) at += hfm_companion_character(at, &code);
    if (!hfm_companion_steers(code) || found++ >= 8) continue;
    say_warning("a tensor's name has control characters in it: '%s'", entry->key);
  }
  if (found > 8) say_warning("%d more such names", found - 8);
  return found;
}

/* The table that Transformers prints when keys were missing, unexpected or mismatched. */
static void print_load_report(const hfm_model *model, const char *path) {
  if (warn_of_steering_names(model)) return;
  const int32_t color = stderr_has_colors();
  const size_t length = hfm_load_report_text(model, path, color, NULL, 0);
  char *text = length ? (char *)malloc(length + 1) : NULL;
  if (!text) return;
  hfm_load_report_text(model, path, color, text, length + 1);
  fprintf(stderr, "%s\n", text);
  free(text);
}

/* `log`: who hears of warnings; NULL: nobody. */
static hfm_result load_model_quietly(const arguments *args, void (*log)(void *, int32_t, int32_t, const char *),
                                     hfm_model **model, hfm_error *error) {
  hfm_options options = args->load;
  progress_bar bar = progress_start();
  options.log.write = log;
  options.progress.ctx = &bar;
  options.progress.update = progress_update;
  const hfm_result result = hfm_from_pretrained(args->path, &options, model, error);
  progress_end(&bar);
  return result;
}

/* 0, or the exit code after a message. */
static int load_model(const arguments *args, hfm_model **model) {
  hfm_error error;
  if (!load_model_quietly(args, log_warning, model, &error)) return EXIT_OK;
  if (error.item != HFM_E_ISA_MISSING) return say_library_error(&error);
  return say_error(EXIT_USAGE, "--isa %s: this machine or build has no such instructions; without --isa the best that "
                   "it has are taken", name_of_choice(isa_choices, args->load.isa));
}
