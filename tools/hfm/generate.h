/* generate.h: hfm generate: ids in, ids out, as they come. */

/* A generation's options, with the lists that the command line has as text. */
typedef struct generate_options {
  hfm_generation_config config;
  int64_t *ids; /* of all lists */
  hfm_token_ids *bad_words;
} generate_options;

/* Ids of a list behind `at`; 0, or the exit code after a message. NULL: not said; "none": a count of -1. */
static int read_id_list(const char *flag, const char *text, int64_t **at, hfm_token_ids *list) {
  const char *rest = text;
  int status;
  if (!text) return EXIT_OK;
  list->data = *at;
  list->count = 0;
  if (strcmp(text, "none") == 0) {
    list->count = -1;
    return EXIT_OK;
  }
  while ((status = next_id(&rest, *at)) > 0) {
    (*at)++;
    list->count++;
  }
  if (!status && list->count) return EXIT_OK;
  return say_error(EXIT_USAGE, "'%s' is no value for %s: token ids, such as 2,32000, or none", text, flag);
}

static int read_generate_options(const arguments *args, generate_options *out) {
  const struct {
    const char *option, *text;
    hfm_token_ids *list;
  } lists[] = {
    { "--eos-token-id", args->eos, &out->config.eos_token_id },
    { "--pad-token-id", args->pad, &out->config.pad_token_id },
    { "--decoder-start-token-id", args->decoder_start, &out->config.decoder_start_token_id },
    { "--forced-bos-token-id", args->forced_bos, &out->config.forced_bos_token_id },
    { "--forced-eos-token-id", args->forced_eos, &out->config.forced_eos_token_id },
    { "--suppress-tokens", args->suppress, &out->config.suppress_tokens },
    { "--begin-suppress-tokens", args->begin_suppress, &out->config.begin_suppress_tokens },
  };
  size_t letters = 1, i;
  int status = EXIT_OK;
  memset(out, 0, sizeof *out);
  out->config = args->generation;
  out->config.seed = args->load.seed;
  for (i = 0; i < sizeof lists / sizeof lists[0]; i++) letters += lists[i].text ? strlen(lists[i].text) + 1 : 0;
  for (int k = 0; k < args->bad_words.count; k++) letters += strlen(args->bad_words.items[k]) + 1;
  out->ids = (int64_t *)malloc(letters * sizeof *out->ids); /* no text has more ids than letters */
  out->bad_words = (hfm_token_ids *)calloc((size_t)args->bad_words.count + 1, sizeof *out->bad_words);
  if (!out->ids || !out->bad_words) return out_of_memory();
  int64_t *at = out->ids;
  for (i = 0; !status && i < sizeof lists / sizeof lists[0]; i++) {
    status = read_id_list(lists[i].option, lists[i].text, &at, lists[i].list);
  }
  for (int k = 0; !status && k < args->bad_words.count; k++) {
    status = read_id_list("--bad-words-ids", args->bad_words.items[k], &at, &out->bad_words[k]);
  }
  if (args->bad_words.count == 1 && out->bad_words[0].count < 0) {
    out->config.bad_words_count = -1;
  } else if (args->bad_words.count) {
    out->config.bad_words_ids = out->bad_words;
    out->config.bad_words_count = args->bad_words.count;
  }
  return status;
}

/* The id of a single text, as soon as it is known. */
static void print_token(void *ctx, const int64_t *tokens, int64_t rows) {
  int *printed = (int *)ctx;
  if (rows != 1) return;
  printf("%s%" PRId64, (*printed)++ ? " " : "", tokens[0]);
  fflush(stdout);
}

static void print_texts(const hfm_generated *out) {
  const int64_t rows = out->sequences.shape[0], length = out->sequences.shape[1];
  const int64_t *ids = (const int64_t *)out->sequences.data;
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t i = out->prompt_length; i < length; i++) {
      printf("%s%" PRId64, i > out->prompt_length ? " " : "", ids[row * length + i]);
    }
    putchar('\n');
  }
}

static void say_speed(const char *what, int64_t tokens, double seconds) {
  fprintf(stderr, "%s: %" PRId64 " token%s in %.3f s", what, tokens, tokens == 1 ? "" : "s", seconds);
  if (seconds > 0) fprintf(stderr, ", %.1f tokens/s", (double)tokens / seconds);
  fputc('\n', stderr);
}

static hfm_result write_generated(const char *path, const hfm_generated *out, hfm_error *error) {
  const hfm_named_tensor all[] = { { "sequences", out->sequences },
                                   { "sequences_scores", out->sequences_scores },
                                   { "scores", out->scores },
                                   { "beam_indices", out->beam_indices } };
  hfm_named_tensor items[4];
  size_t count = 0;
  for (size_t i = 0; i < 4; i++) {
    if (all[i].tensor.data) items[count++] = all[i];
  }
  return hfm_tensors_write(path, items, count, error);
}

static int run_generate(const arguments *args, const generate_options *options, hfm_model *model,
                        const hfm_inputs *in) {
  hfm_generation_config config = options->config;
  hfm_session *session = NULL;
  hfm_generated out;
  hfm_error error;
  int printed = 0;
  config.streamer.ctx = &printed;
  config.streamer.put = config.num_beams > 1 ? NULL : print_token;
  hfm_result result = hfm_session_create(model, &args->session, &session, &error);
  if (!result) {
    result = hfm_generate(session, in, &config, &out, &error);
    if (result && strcmp(error.what, "streamer") == 0) { /* the beams are generation_config.json's */
      config.streamer.put = NULL;
      result = hfm_generate(session, in, &config, &out, &error);
    }
  }
  if (printed) putchar('\n');
  else if (!result) print_texts(&out);
  if (!result) {
    const int64_t rows = out.sequences.shape[0];
    fflush(stdout);
    say_speed("prompt", in->input_ids.shape[0] * in->input_ids.shape[1], out.prompt_seconds);
    say_speed("decode", rows * (out.steps - 1), out.decode_seconds);
    if (args->output) result = write_generated(args->output, &out, &error);
  }
  hfm_session_free(session);
  return result ? say_library_error(&error) : EXIT_OK;
}

static int command_generate(const arguments *args) {
  generate_options options;
  hfm_model *model = NULL;
  model_inputs inputs;
  memset(&inputs, 0, sizeof inputs);
  if ((args->ids.count > 0) + (args->inputs != NULL) != 1) {
    return say_error(EXIT_USAGE, "from what to go on? Give one of --ids and --inputs");
  }
  int status = read_generate_options(args, &options);
  if (!status) status = load_model(args, &model);
  if (!status) {
    print_load_report(model, args->path);
    status = read_inputs(args, hfm_model_task(model) != HFM_SEQ2SEQ_LM, model, &inputs);
  }
  if (!status) status = run_generate(args, &options, model, &inputs.in);
  free_inputs(&inputs);
  hfm_model_free(model);
  free(options.ids);
  free(options.bad_words);
  return status;
}
