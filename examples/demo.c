/* Three small trained models, saved by Transformers and run as they are: one reads handwriting, one knows languages,
   one writes. make demo, or in the repository's root: cc -O2 -I. examples/demo.c -lm -pthread && ./a.out
   ./a.out "your own words" says in which language they are; ./a.out --write "There was a king" writes on. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "tools/hfm_tensors.h"
#include <time.h>

enum { ACROSS = 5, SIDE = 8, PIXELS = SIDE * SIDE };

static void check(hfm_result result, const hfm_error *error) {
  if (!result) return;
  fprintf(stderr, "%s\n", error->message);
  exit(1);
}

static hfm_model *load(const char *dir, hfm_session **session) {
  hfm_options options = {0};
  hfm_session_options one_thread = {0}; /* these models are too small to share out */
  hfm_model *model;
  hfm_error error;
  options.task = HFM_TASK_FROM_CONFIG;
  one_thread.threads = 1;
  check(hfm_from_pretrained(dir, &options, &model, &error), &error);
  check(hfm_session_create(model, &one_thread, session, &error), &error);
  printf("\n%s: %s, %lld parameters\n\n", dir, hfm_model_architecture(model),
         (long long)hfm_num_parameters(model, 0, 0));
  return model;
}

/* The most probable label of a row of logits. */
static int64_t decide(const hfm_model *model, const float *logits, double *percent) {
  const int64_t count = hfm_num_labels(model), best = hfm_argmax(logits, count);
  float probabilities[64];
  hfm_softmax(logits, count < 64 ? count : 64, probabilities);
  *percent = best < 64 ? (double)probabilities[best] * 100 : 0;
  return best;
}

/* ---- Handwriting ----------------------------------------------------------------------------------------- */

/* Pictures side by side, what the model says below, and where `labels` are given what it should have said. */
static void draw(const hfm_model *model, const float *pixels, const float *logits, const int64_t *labels,
                 const int *which, int count) {
  static const char *const shades[] = { " ", "\xe2\x96\x91", "\xe2\x96\x92", "\xe2\x96\x93", "\xe2\x96\x88" };
  for (int y = 0; y < SIDE; y++) {
    for (int i = 0; i < count; i++) {
      for (int x = 0; x < SIDE; x++) {
        const float ink = pixels[which[i] * PIXELS + y * SIDE + x]; /* -1 paper, 1 ink */
        const char *shade = shades[(int)((ink + 1) * 2.2f)];
        printf("%s%s", shade, shade);
      }
      printf(i + 1 < count ? "   " : "\n");
    }
  }
  for (int i = 0; i < count; i++) {
    double percent;
    const int64_t label = decide(model, logits + which[i] * 10, &percent);
    char text[64];
    if (labels) snprintf(text, sizeof text, "%s? a %s", hfm_label(model, label), hfm_label(model, labels[which[i]]));
    else snprintf(text, sizeof text, "%s, %.0f %%", hfm_label(model, label), percent);
    printf("%-*s", 2 * SIDE + 3, text);
  }
  printf("\n\n");
}

static void read_digits(void) {
  hfm_session *session;
  hfm_model *model = load("examples/models/digits-vit", &session);
  hfm_tensors heldout;
  hfm_inputs inputs = {0};
  hfm_outputs outputs;
  hfm_error error;
  int shown[ACROSS], wrong[ACROSS], wrongs = 0;
  check(hfm_tensors_read("examples/models/digits-vit/heldout.safetensors", &heldout, &error), &error);
  inputs.pixel_values = *hfm_tensors_find(&heldout, "pixel_values"); /* [360, 1, 8, 8] */
  const int64_t *labels = (const int64_t *)hfm_tensors_find(&heldout, "labels")->data;
  const float *pixels = (const float *)inputs.pixel_values.data;
  const int count = (int)inputs.pixel_values.shape[0];

  clock_t taken = clock();
  check(hfm_forward(session, &inputs, &outputs, &error), &error);
  taken = clock() - taken;

  const float *logits = (const float *)outputs.logits.data; /* [360, 10] */
  for (int i = 0; i < count; i++) {
    if (hfm_argmax(logits + i * 10, 10) == labels[i]) continue;
    if (wrongs < ACROSS) wrong[wrongs] = i;
    wrongs++;
  }
  for (int i = 0; i < ACROSS; i++) { /* others each time; unsigned, whatever the clock says */
    shown[i] = (int)(((uint64_t)time(NULL) + (uint64_t)i * 73) % (uint64_t)count);
  }
  draw(model, pixels, logits, NULL, shown, ACROSS);
  printf("%d of %d digits that it never saw are right, %.3f ms each. These are the ones that it got wrong:\n\n",
         count - wrongs, count, (double)taken * 1000 / CLOCKS_PER_SEC / count);
  draw(model, pixels, logits, labels, wrong, wrongs < ACROSS ? wrongs : ACROSS);

  hfm_tensors_free(&heldout);
  hfm_session_free(session);
  hfm_model_free(model);
}

/* ---- Languages -------------------------------------------------------------------------------------------- */

/* The model reads bytes: 1, then 3 + each byte, then 2. */
static const char *language_of(const hfm_model *model, hfm_session *session, const char *text, double *percent) {
  const int64_t most = hfm_config_get_int(hfm_model_config(model), "max_position_embeddings", 0) - 2;
  int64_t ids[512], n = 0;
  hfm_inputs inputs = {0};
  hfm_outputs outputs;
  hfm_error error;
  ids[n++] = 1;
  while (*text && n <= most && n < 511) ids[n++] = 3 + (unsigned char)*text++;
  ids[n++] = 2;
  inputs.input_ids = hfm_tensor_i64(ids, 1, n);
  check(hfm_forward(session, &inputs, &outputs, &error), &error);
  return hfm_label(model, decide(model, (const float *)outputs.logits.data, percent));
}

/* Lines "code, tab, text": how many are recognised? Shows the first so many of them. */
static void try_lines(const hfm_model *model, hfm_session *session, const char *path, int64_t shown) {
  FILE *file = fopen(path, "r");
  char line[2048];
  int lines = 0, right = 0;
  while (file && fgets(line, sizeof line, file)) {
    char *text = strchr(line, '\t');
    double percent;
    if (!text) continue;
    *text++ = 0;
    text[strcspn(text, "\n")] = 0;
    const char *language = language_of(model, session, text, &percent);
    const int ok = strcmp(language, line) == 0;
    if (lines++ < shown) printf("  %-3s %3.0f %%  %s%s\n", language, percent, text, ok ? "" : "   <- wrong");
    right += ok;
  }
  if (file) fclose(file);
  printf("%s%d of %d sentences in %s are right.\n", shown ? "\n" : "", right, lines, path);
}

static void know_languages(char **texts, int count) {
  hfm_session *session;
  hfm_model *model = load("examples/models/langid-bert", &session);
  if (!count) {
    try_lines(model, session, "examples/models/langid-bert/everyday.txt", hfm_num_labels(model)); /* one of each */
    try_lines(model, session, "examples/models/langid-bert/heldout.txt", 0);
    puts("Try your own: build/demo \"Ich h\xc3\xa4tte gern eine Tasse Tee.\" \"Hvor er biblioteket?\"");
  }
  for (int i = 0; i < count; i++) {
    double percent;
    const char *language = language_of(model, session, texts[i], &percent);
    printf("  %-3s %3.0f %%  %s\n", language, percent, texts[i]);
  }
  hfm_session_free(session);
  hfm_model_free(model);
}

/* ---- Writing ---------------------------------------------------------------------------------------------- */

/* A token a line; the first line is empty, and its token ends a paragraph. */
typedef struct vocabulary {
  char tokens[1024][32];
  int count;
} vocabulary;

static void read_vocabulary(vocabulary *v, const char *path) {
  FILE *file = fopen(path, "r");
  for (v->count = 0; file && v->count < 1024 && fgets(v->tokens[v->count], 32, file); v->count++)
    v->tokens[v->count][strcspn(v->tokens[v->count], "\n")] = 0;
  if (file) fclose(file);
}

/* The ids of a paragraph's beginning: the longest token that the text begins with, again and again. What no token
   begins with (letters beyond ASCII) is left out. */
static int64_t tokenize(const vocabulary *v, const char *text, int64_t *ids, int64_t most) {
  int64_t n = 0;
  ids[n++] = 0;
  while (*text && n < most) {
    size_t longest = 0;
    for (int i = 1; i < v->count; i++) {
      const size_t length = strlen(v->tokens[i]);
      if (length <= longest || strncmp(text, v->tokens[i], length)) continue;
      longest = length;
      ids[n] = i;
    }
    n += longest > 0;
    text += longest ? longest : 1;
  }
  return n;
}

typedef struct page {
  vocabulary words;
  int column;
} page;

/* The streamer: each token is printed as it comes; a word that begins far to the right goes to the next line. */
static void print_token(void *ctx, const int64_t *tokens, int64_t rows) {
  page *p = (page *)ctx;
  const char *token = tokens[0] < p->words.count ? p->words.tokens[tokens[0]] : "";
  (void)rows;
  if (*token == ' ' && p->column > 84) {
    printf("\n ");
    p->column = 1;
  }
  p->column += printf("%s", token);
  fflush(stdout);
}

static void write_on(char **texts, int count) {
  static const char *const beginnings[] = {"David went out", "The king said to him",
                                          "The angel of the Lord said to her"};
  static page paper;
  hfm_session *session;
  hfm_model *model = load("examples/models/bible-llama", &session);
  hfm_generation_config config = {0}; /* the rest is in generation_config.json */
  int64_t ids[256], tokens = 0;
  hfm_inputs inputs = {0};
  hfm_generated generated;
  hfm_error error;
  read_vocabulary(&paper.words, "examples/models/bible-llama/vocab.txt");
  config.seed = 1; /* the same words each time */
  config.streamer.put = print_token;
  config.streamer.ctx = &paper;
  clock_t taken = clock();
  for (int i = 0; i < (count ? count : 3); i++) {
    const char *text = count ? texts[i] : beginnings[i];
    inputs.input_ids = hfm_tensor_i64(ids, 1, tokenize(&paper.words, text, ids, 256));
    paper.column = printf("  %s", text);
    check(hfm_generate(session, &inputs, &config, &generated, &error), &error);
    const int64_t *written = (const int64_t *)generated.sequences.data;
    printf("%s\n\n", written[generated.sequences.shape[1] - 1] ? " ..." : ""); /* 0: the paragraph is at its end */
    tokens += generated.steps;
  }
  taken = clock() - taken;
  printf("The beginnings are given, the rest is the model's: %lld tokens, %.0f a second.\n", (long long)tokens,
         (double)tokens * CLOCKS_PER_SEC / (double)(taken > 0 ? taken : 1));
  if (!count) puts("Give it another: build/demo --write \"There was a king\"");
  hfm_session_free(session);
  hfm_model_free(model);
}

int main(int argc, char **argv) {
  const int writes = argc > 2 && !strcmp(argv[1], "--write");
  if (argc == 1) read_digits();
  if (!writes) know_languages(argv + 1, argc - 1);
  if (writes || argc == 1) write_on(argv + 2, writes ? argc - 2 : 0);
  return 0;
}
