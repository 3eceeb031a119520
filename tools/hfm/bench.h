/* bench.h: hfm bench: how fast does a model run here? */

typedef struct measurement {
  double *ms;                /* of each forward */
  int64_t runs, room;
  double load_ms, first_ms;  /* the load; the first forward, which traces and plans */
  int64_t slices;            /* with --budget-ms, of the last forward */
  double longest_slice_ms, least_longest_ms; /* of all forwards; of the one whose longest slice was the shortest */
} measurement;

/* The tokens in a row when nobody says: 128, or what the position table has. */
static int64_t default_length(const hfm_config *config) {
  const int64_t most = hfm_config_get_int(config, "max_position_embeddings", 128);
  return most < 1 || most > 128 ? 128 : most;
}

/* Ids that an encoder and the decoder, which gets the same ones shifted, both have. */
static int64_t bench_vocabulary(const hfm_config *config) {
  const int64_t encoders = hfm_config_get_int(config, "vocab_size", 1);
  const int64_t decoders = hfm_config_get_int(config, "decoder_vocab_size", encoders);
  return decoders >= 1 && decoders < encoders ? decoders : encoders;
}

/* Random ids or pixels in the shape that was asked for: the same ones each time. Rows of ids end with eos_token_id, and
   have it nowhere else: BART's classifier looks for it. */
static int bench_inputs(const arguments *args, const hfm_model *model, model_inputs *inputs) {
  const hfm_config *config = hfm_model_config(model);
  const int64_t vocabulary = bench_vocabulary(config), batch = args->batch ? args->batch : 1;
  const int64_t eos = hfm_config_get_int(config, "eos_token_id", -1);
  uint64_t state = 88172645463325252u;
  int64_t shape[4];
  int32_t rank;
  memset(inputs, 0, sizeof *inputs);
  shape[0] = batch;
  if (takes_pictures(model)) {
    rank = 4;
    shape[1] = hfm_config_get_int(config, "num_channels", 3);
    model_image_size(config, &shape[2], &shape[3]);
  } else {
    rank = 2;
    shape[1] = args->length ? args->length : args->past ? 1 : default_length(config);
  }
  const size_t most = SIZE_MAX / 16 < UINT32_MAX ? SIZE_MAX / 16 : UINT32_MAX;
  size_t count = 1;
  for (int32_t i = 0; i < rank; i++) {
    if (shape[i] < 1 || (uint64_t)shape[i] > most / count) {
      return say_error(EXIT_USAGE, "an input of that batch and length is too large to try");
    }
    count *= (size_t)shape[i];
  }
  if (rank == 2) inputs->ids = (int64_t *)malloc(count * sizeof(int64_t));
  else inputs->pixels = (float *)malloc(count * sizeof(float));
  if (!inputs->ids && !inputs->pixels) return out_of_memory();
  for (size_t i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    if (rank == 2) {
      int64_t id = (int64_t)((state >> 11) % (uint64_t)vocabulary);
      if (id == eos) id = (id + 1) % vocabulary;
      inputs->ids[i] = eos >= 0 && eos < vocabulary && (int64_t)(i + 1) % shape[1] == 0 ? eos : id;
    } else inputs->pixels[i] = (float)((double)(state >> 11) / 4503599627370496.0 - 1);
  }
  if (rank == 2) inputs->in.input_ids = hfm_tensor_i64(inputs->ids, batch, shape[1]);
  else inputs->in.pixel_values = hfm_tensor_f32(inputs->pixels, 4, shape);
  return EXIT_OK;
}

/* Fills the cache with --past tokens; every forward goes on from there. */
static hfm_result bench_past(const arguments *args, hfm_session *session, hfm_inputs *in, hfm_error *error) {
  const int64_t batch = in->input_ids.shape[0];
  hfm_inputs past = *in;
  hfm_outputs out;
  hfm_result result;
  if (!args->past) return HFM_OK;
  in->use_cache = past.use_cache = 1;
  if (!in->input_ids.data) return HFM_OK; /* the first forward says why not */
  result = hfm_session_reserve(session, batch, args->past + in->input_ids.shape[1], in, error);
  past.input_ids.shape[1] = 1;
  for (int64_t i = 0; !result && i < args->past; i++) result = hfm_forward(session, &past, &out, error);
  return result;
}

/* One forward, whole or in slices. */
static hfm_result bench_once(const arguments *args, hfm_session *session, const hfm_inputs *in, measurement *m,
                             hfm_error *error) {
  hfm_outputs out;
  hfm_result result;
  double longest = 0;
  int32_t done = 0;
  if (args->past && (result = hfm_cache_crop(session, args->past, error)) != HFM_OK) return result;
  if (!(args->budget_ms > 0)) return hfm_forward(session, in, &out, error);
  result = hfm_session_begin(session, in, error);
  for (m->slices = 0; !result && !done; m->slices++) {
    const double started = seconds();
    result = hfm_session_step(session, args->budget_ms / 1000, &done, error);
    const double ms = (seconds() - started) * 1000;
    if (ms > longest) longest = ms;
  }
  if (longest > m->longest_slice_ms) m->longest_slice_ms = longest;
  if (!(m->least_longest_ms > 0) || longest < m->least_longest_ms) m->least_longest_ms = longest;
  return result;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Warms up, then measures for a second, or as often as was asked for. A decoder that needs a text beside the encoder's
   gets the same one. */
static hfm_result bench_runs(const arguments *args, hfm_session *session, hfm_inputs *in, measurement *m,
                             hfm_error *error) {
  const int64_t least = args->runs ? args->runs : 10;
  progress_bar bar = progress_start();
  hfm_result result = bench_past(args, session, in, error);
  const double begun = seconds();
  for (int i = 0; !result && i < 3 && (i < 1 || seconds() - begun < 1); i++) {
    const double now = seconds();
    result = bench_once(args, session, in, m, error);
    if (result && error->item == HFM_E_INPUT_MISSING && strcmp(error->what, "decoder_input_ids") == 0) {
      in->decoder_input_ids = in->input_ids;
      result = bench_once(args, session, in, m, error);
    }
    if (i == 0) m->first_ms = (seconds() - now) * 1000;
    progress_update(&bar, "warm up", (uint64_t)i + 1, 3, "runs");
  }
  m->longest_slice_ms = m->least_longest_ms = 0;
  const double started = seconds();
  for (m->runs = 0; !result && m->runs < m->room; m->runs++) {
    const double now = seconds();
    if (!args->runs && m->runs >= least && now - started > 1) break;
    result = bench_once(args, session, in, m, error);
    m->ms[m->runs] = (seconds() - now) * 1000;
    progress_update(&bar, "measure", (uint64_t)m->runs + 1, (uint64_t)least, "runs");
  }
  progress_end(&bar);
  if (!result) qsort(m->ms, (size_t)m->runs, sizeof *m->ms, by_value);
  return result;
}

static void bench_report(const arguments *args, const hfm_model *model, const hfm_session *session,
                         const hfm_inputs *in, const measurement *m) {
  const hfm_tensor *input = in->input_ids.data ? &in->input_ids : &in->pixel_values;
  const int text = input == &in->input_ids;
  const double median = m->runs % 2 ? m->ms[m->runs / 2] : (m->ms[m->runs / 2 - 1] + m->ms[m->runs / 2]) / 2;
  const double per_second = (double)(text ? input->shape[0] * input->shape[1] : input->shape[0]) * 1000 / median;
  const char *unit = text ? "tokens_per_second" : "images_per_second";
  char a[40], b[40];
  if (args->json) {
    puts("{");
    print_json_field("model_type", hfm_model_type(model));
    print_json_field("architecture", hfm_model_architecture(model));
    print_json_field("task", hfm_task_name(hfm_model_task(model)));
    print_json_field("dtype", hfm_dtype_name(hfm_model_dtype(model)));
    print_json_field("isa", hfm_model_isa(model));
    printf("  \"threads\": %d,\n  \"batch\": %" PRId64 ",\n", (int)hfm_session_threads(session), input->shape[0]);
    if (text) printf("  \"length\": %" PRId64 ",\n  \"past\": %" PRId64 ",\n", input->shape[1], args->past);
    printf("  \"load_ms\": %.3f,\n  \"first_ms\": %.3f,\n  \"session_bytes\": %" PRIu64 ",\n", m->load_ms, m->first_ms,
           hfm_session_memory(session));
    printf("  \"packing\": \"%s\",\n  \"packed_bytes\": %" PRIu64 ",\n",
           name_of_choice(packing_choices, args->load.packing), hfm_packed_bytes(model));
    if (args->budget_ms > 0) {
      printf("  \"budget_ms\": %.3f,\n  \"slices\": %" PRId64 ",\n  \"longest_slice_ms\": %.3f,\n"
             "  \"least_longest_slice_ms\": %.3f,\n",
             args->budget_ms, m->slices, m->longest_slice_ms, m->least_longest_ms);
    }
    printf("  \"runs\": %" PRId64 ",\n  \"median_ms\": %.4f,\n  \"min_ms\": %.4f,\n  \"max_ms\": %.4f,\n", m->runs,
           median, m->ms[0], m->ms[m->runs - 1]);
    printf("  \"%s\": %.1f\n}\n", unit, per_second);
    return;
  }
  printf("%s, %s, %s, %d thread%s, input ", hfm_model_architecture(model), hfm_dtype_name(hfm_model_dtype(model)),
         hfm_model_isa(model), (int)hfm_session_threads(session), hfm_session_threads(session) == 1 ? "" : "s");
  print_shape(input);
  if (in->decoder_input_ids.data) printf(", and the decoder's of that shape");
  if (args->past) printf(" after %" PRId64 " cached", args->past);
  printf("\nmedian %.3f ms, fastest %.3f ms, slowest %.3f ms of %" PRId64 " runs: %.*f %s per second\n", median,
         m->ms[0], m->ms[m->runs - 1], m->runs, per_second < 100, per_second, text ? "tokens" : "pictures");
  if (args->budget_ms > 0) {
    printf("in %" PRId64 " slices of %.3f ms; the longest of a run: %.3f to %.3f ms\n", m->slices, args->budget_ms,
           m->least_longest_ms, m->longest_slice_ms);
  }
  printf("load %.2f ms, first forward %.2f ms, session %s, packed and kept %s (%s)\n", m->load_ms, m->first_ms,
         human_bytes(hfm_session_memory(session), a, sizeof a), human_bytes(hfm_packed_bytes(model), b, sizeof b),
         name_of_choice(packing_choices, args->load.packing));
}

static int command_bench(const arguments *args) {
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  model_inputs inputs;
  measurement m;
  hfm_error error;
  const double started = seconds();
  int status = load_model(args, &model);
  if (status) return status;
  memset(&m, 0, sizeof m);
  m.load_ms = (seconds() - started) * 1000;
  m.room = args->runs ? args->runs : 10000;
  m.ms = (double *)malloc((size_t)m.room * sizeof *m.ms);
  status = m.ms ? bench_inputs(args, model, &inputs) : out_of_memory();
  if (!status) {
    if (hfm_session_create(model, &args->session, &session, &error) ||
        bench_runs(args, session, &inputs.in, &m, &error)) {
      status = say_library_error(&error);
    } else {
      bench_report(args, model, session, &inputs.in, &m);
    }
    free_inputs(&inputs);
  }
  hfm_session_free(session);
  hfm_model_free(model);
  free(m.ms);
  return status;
}
