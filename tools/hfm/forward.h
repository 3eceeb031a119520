/* forward.h: hfm forward: load, run once, show or write what comes out. */

/* The id of [MASK]: the token in the input that tokenizer_config.json calls by mask_token's name; -1 if nobody says. */
static int64_t find_mask_id(const arguments *args, const hfm_model *model, const hfm_tensor *ids) {
  hfm_config *config = NULL;
  hfm_error error;
  int64_t mask = -1;
  if (args->mask_id >= 0 || !ids->data || hfm_model_task(model) != HFM_MASKED_LM) return args->mask_id;
  char *path = beside_the_weights(model, args->path, "tokenizer_config.json");
  const hfm_result result = path ? hfm_companion_load_json(path, &config, &error) : HFM_OK;
  if (result && result != HFM_ERROR_NOT_FOUND) say_warning("%s: every position is shown", error.message);
  if (config) {
    const char *wanted = hfm_config_get_string(config, "mask_token.content",
                                               hfm_config_get_string(config, "mask_token", ""));
    for (size_t i = 0; mask < 0 && i < tensor_elements(ids); i++) {
      char key[64];
      const int64_t id = integer_at(ids, (int64_t)i);
      snprintf(key, sizeof key, "added_tokens_decoder.%" PRId64 ".content", id);
      if (*wanted && strcmp(hfm_config_get_string(config, key, ""), wanted) == 0) mask = id;
    }
  }
  hfm_config_free(config);
  free(path);
  return mask;
}

/* What outputs for each position are of: the decoder's text, where it is given one of its own. */
static hfm_inputs text_of_outputs(const hfm_inputs *in) {
  hfm_inputs text = *in;
  if (!in->decoder_input_ids.data && !in->decoder_inputs_embeds.data) return text;
  text.input_ids = in->decoder_input_ids;
  text.attention_mask = in->decoder_attention_mask;
  return text;
}

static hfm_result show_result(const arguments *args, const hfm_model *model, const hfm_inputs *in,
                              const hfm_outputs *out, hfm_error *error) {
  show s;
  hfm_result result;
  const hfm_inputs text = text_of_outputs(in);
  float *kept = kept_positions(&text.attention_mask, &result, error);
  s.model = model;
  s.in = &text;
  s.out = out;
  s.kept = kept;
  s.top = args->top < 1 ? 5 : args->top < MAX_TOP ? args->top : (int64_t)MAX_TOP;
  s.mask_id = find_mask_id(args, model, &in->input_ids);
  if (!result) show_outputs(&s);
  free(kept);
  if (result || !args->output) return result;
  print_text(args->output, 0);
  putchar(':');
  for (size_t i = 0; i < out->items_count; i++) {
    printf(" %s ", out->items[i].name);
    print_shape(&out->items[i].tensor);
  }
  putchar('\n');
  return HFM_OK;
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
  if (!result) result = show_result(args, model, in, &out, &error);
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
  status = read_inputs(args, 0, model, &inputs);
  if (!status) status = run_forward(args, model, &inputs.in);
  free_inputs(&inputs);
  hfm_model_free(model);
  return status;
}
