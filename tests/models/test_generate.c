/* Parity of generation with Transformers: every line of generation/cases.txt; see there for what a line says. Ids are
   equal; so are beams, whatever the tier, the number of threads and the slices of time. */
#include "hfmodel.h"

#define HFM_TENSORS_IMPLEMENTATION
#include "../../tools/hfm_tensors.h"

#include "../check.h"

#include <float.h>
#include <stdlib.h>

#include "cases.h"

static const char *root = "tests/models";

/* ---- cases.txt ---- */

enum { MOST_IDS = 64, MOST_LISTS = 64 };

typedef struct generation_case {
  char text[1024];
  const char *name, *dir, *config, *generation_config;
  hfm_task task;
  hfm_generation_config options;
  int64_t ids[MOST_LISTS][MOST_IDS];
  hfm_token_ids lists[MOST_LISTS];
  int list_count;
} generation_case;

/* "3,4,5"; "none" is a count of -1. */
static hfm_token_ids read_ids(generation_case *c, const char *text) {
  int64_t *ids = c->ids[c->list_count];
  hfm_token_ids list;
  list.data = ids;
  list.count = 0;
  c->list_count++;
  if (!strcmp(text, "none")) list.count = -1;
  while (list.count >= 0 && *text && *text != ';') {
    char *end;
    ids[list.count++] = strtoll(text, &end, 10);
    text = *end == ',' ? end + 1 : end;
  }
  return list;
}

static void read_bad_words(generation_case *c, const char *text) {
  const int first = c->list_count;
  while (text) {
    const hfm_token_ids word = read_ids(c, text);
    c->lists[c->list_count - 1] = word;
    text = strchr(text, ';');
    if (text) text++;
  }
  c->options.bad_words_ids = c->lists + first;
  c->options.bad_words_count = c->list_count - first;
}

static int64_t read_int(const char *text) { return strcmp(text, "none") ? strtoll(text, NULL, 10) : -1; }
static int32_t read_switch(const char *text) { return strcmp(text, "true") ? -1 : 1; }
static double read_number(const char *text) {
  const double number = strtod(text, NULL);
  return number < 0 || number > 0 ? number : HFM_ZERO;
}

static void read_option(generation_case *c, const char *key, const char *value) {
  hfm_generation_config *o = &c->options;
#define INT(name) else if (!strcmp(key, #name)) o->name = read_int(value)
#define NUMBER(name) else if (!strcmp(key, #name)) o->name = read_number(value)
#define SWITCH(name) else if (!strcmp(key, #name)) o->name = read_switch(value)
#define IDS(name) else if (!strcmp(key, #name)) o->name = read_ids(c, value)
  if (!strcmp(key, "bad_words_ids")) read_bad_words(c, value);
  else if (!strcmp(key, "early_stopping"))
    o->early_stopping = strcmp(value, "never") ? read_switch(value) : HFM_EARLY_STOPPING_NEVER;
  INT(max_new_tokens);
  INT(max_length);
  INT(min_new_tokens);
  INT(min_length);
  INT(num_beams);
  INT(num_return_sequences);
  INT(no_repeat_ngram_size);
  INT(prompt_lookup_num_tokens);
  INT(max_matching_ngram_size);
  NUMBER(length_penalty);
  NUMBER(repetition_penalty);
  SWITCH(do_sample);
  SWITCH(renormalize_logits);
  SWITCH(remove_invalid_values);
  SWITCH(output_scores);
  IDS(eos_token_id);
  IDS(pad_token_id);
  IDS(decoder_start_token_id);
  IDS(forced_bos_token_id);
  IDS(forced_eos_token_id);
  IDS(suppress_tokens);
  IDS(begin_suppress_tokens);
  else {
    printf("cases.txt: unknown key %s\n", key);
    CHECK(0);
  }
#undef INT
#undef NUMBER
#undef SWITCH
#undef IDS
}

/* ---- Callbacks: the same stand in make_generation.py ---- */

static int64_t allowed_tokens(void *ctx, int64_t prompt, const int64_t *ids, int64_t length, const int64_t **allowed) {
  int64_t *list = (int64_t *)ctx, count = 0, token;
  (void)ids;
  for (token = 0; token < 61; token++)
    if (token % 3 == (prompt + length) % 3) list[count++] = token;
  *allowed = list;
  return count;
}

static void process(void *ctx, int64_t row, const int64_t *ids, int64_t length, float *scores, int64_t vocab_size) {
  (void)ctx;
  (void)row;
  scores[(ids[length - 1] * 7 + length) % vocab_size] += 2.5f;
}

static int32_t is_done(void *ctx, int64_t row, const int64_t *ids, int64_t length) {
  (void)ctx;
  (void)row;
  return ids[length - 1] % 11 == 4;
}

static int64_t allowed_list[61];

static int read_case(char *line, generation_case *c) {
  char *word, *value;
  memset(c, 0, sizeof *c);
  c->task = HFM_CAUSAL_LM;
  if (!case_line(line)) return 0;
  strcpy(c->text, line);
  for (word = case_word(c->text, &value); word; word = case_word(NULL, &value)) {
    if (!value) c->name = word;
    else if (!strcmp(word, "dir")) c->dir = value;
    else if (!strcmp(word, "seq2seq")) c->task = HFM_SEQ2SEQ_LM;
    else if (!strcmp(word, "config")) c->config = value;
    else if (!strcmp(word, "generation_config")) c->generation_config = value;
    else if (!strcmp(word, "prefix")) {
      c->options.prefix_constraint.allowed_tokens = allowed_tokens;
      c->options.prefix_constraint.ctx = allowed_list;
    } else if (!strcmp(word, "processor")) c->options.logits_processor.process = process;
    else if (!strcmp(word, "stopping")) c->options.stopping_criteria.is_done = is_done;
    else read_option(c, word, value);
  }
  return 1;
}

/* ---- Models: the directory's files, some of them replaced ---- */

static char *read_file(const char *dir, const char *name, size_t *size) {
  char path[512];
  FILE *f;
  char *bytes = (char *)malloc(1 << 20);
  snprintf(path, sizeof path, "%s/%s/%s", root, dir, name);
  f = fopen(path, "rb");
  *size = f && bytes ? fread(bytes, 1, 1 << 20, f) : 0;
  if (f) fclose(f);
  return bytes;
}

/* With its files, which must live as long. */
typedef struct loaded {
  hfm_model *model;
  char *files[3];
} loaded;

static void load(const generation_case *c, const hfm_options *how, loaded *out) {
  static const char *const names[] = {"config.json", "model.safetensors", "generation_config.json"};
  const char *const instead[] = {c->config, NULL, c->generation_config};
  hfm_options options = *how;
  hfm_memory_file files[3];
  hfm_error error;
  size_t count = 0, i;
  memset(out, 0, sizeof *out);
  options.task = c->task;
  if (!c->config && !c->generation_config) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, c->dir);
    if (hfm_from_pretrained(path, &options, &out->model, &error)) printf("  %s\n", error.message);
    return;
  }
  for (i = 0; i < 3; i++) {
    size_t size;
    if (instead[i] && !strcmp(instead[i], "none")) continue;
    out->files[i] = read_file(instead[i] ? "generation" : c->dir, instead[i] ? instead[i] : names[i], &size);
    files[count].name = names[i];
    files[count].data = out->files[i];
    files[count++].size = size;
  }
  if (hfm_from_memory(files, count, &options, &out->model, &error)) printf("  %s\n", error.message);
}

static void unload(loaded *l) {
  int i;
  hfm_model_free(l->model);
  for (i = 0; i < 3; i++) free(l->files[i]);
}

/* ---- Comparing ---- */

static int64_t elements(const hfm_tensor *t) {
  int64_t n = 1;
  int32_t i;
  for (i = 0; i < t->rank; i++) n *= t->shape[i];
  return n;
}

static int same_shape(const hfm_tensor *a, const hfm_tensor *b) {
  return a->data && a->rank == b->rank && a->dtype == b->dtype &&
         !memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape);
}

static int same_ids(const generation_case *c, const char *what, const hfm_tensor *got, const hfm_tensor *want) {
  const int64_t *a = (const int64_t *)got->data, *b = (const int64_t *)want->data;
  int64_t i;
  if (!CHECK(same_shape(got, want))) {
    if (got->data)
      printf("  %s: %s is [%d, %d], not [%d, %d]\n", c->name, what, (int)got->shape[0], (int)got->shape[1],
             (int)want->shape[0], (int)want->shape[1]);
    return 0;
  }
  for (i = 0; i < elements(want) && a[i] == b[i]; i++) {}
  if (CHECK(i == elements(want))) return 1;
  printf("  %s: %s[%d][%d] is %d, not %d\n", c->name, what, (int)(i / want->shape[1]), (int)(i % want->shape[1]),
         (int)a[i], (int)b[i]);
  return 0;
}

/* Scores agree within the rounding of the logits that they come from; what is forbidden is so on both sides. Zeros
   stand where a sequence had ended, and Transformers has something there. */
static int same_scores(const hfm_tensor *got, const hfm_tensor *want) {
  const float *a = (const float *)got->data, *b = (const float *)want->data;
  const int64_t n = elements(want), width = want->shape[want->rank - 1];
  double largest = 10;
  int64_t i, k;
  if (!CHECK(same_shape(got, want))) return 0;
  for (i = 0; i < n; i++)
    if (b[i] > -FLT_MAX && -(double)b[i] > largest) largest = -(double)b[i];
  for (i = 0; i < n; i += width) {
    int is_zero = 1;
    for (k = 0; k < width; k++) is_zero = is_zero && !(a[i + k] < 0) && !(a[i + k] > 0);
    for (k = 0; k < width && !is_zero; k++)
      if (!check_close((double)a[i + k], (double)b[i + k], 5e-6 * largest)) {
        printf("  scores[%d] is %g, not %g\n", (int)(i + k), (double)a[i + k], (double)b[i + k]);
        return CHECK(0);
      }
  }
  return 1;
}

static void compare(const generation_case *c, const hfm_generated *got, const hfm_tensors *want) {
  const hfm_tensor *scores = hfm_tensors_find(want, "sequences_scores");
  if (!same_ids(c, "sequences", &got->sequences, hfm_tensors_find(want, "sequences"))) return;
  CHECK_INT(got->sequences.shape[1], got->prompt_length + got->steps);
  if (scores) {
    (void)same_ids(c, "beam_indices", &got->beam_indices, hfm_tensors_find(want, "beam_indices"));
    CHECK(same_scores(&got->sequences_scores, scores));
  }
  if (hfm_tensors_find(want, "scores")) CHECK(same_scores(&got->scores, hfm_tensors_find(want, "scores")));
}

/* ---- Running ---- */

static hfm_inputs inputs_of(const hfm_tensors *file) {
  hfm_inputs in;
  memset(&in, 0, sizeof in);
#define GIVEN(name) if (hfm_tensors_find(file, #name)) in.name = *hfm_tensors_find(file, #name)
  GIVEN(input_ids);
  GIVEN(attention_mask);
  GIVEN(position_ids);
  GIVEN(decoder_input_ids);
  GIVEN(decoder_attention_mask);
#undef GIVEN
  return in;
}

static int cancel_countdown;

static int32_t cancel_sometimes(void *ctx, const char *stage, uint64_t done, uint64_t total, const char *unit) {
  (void)ctx;
  (void)stage;
  (void)done;
  (void)total;
  (void)unit;
  return --cancel_countdown == 0;
}

/* One chunk at a time on two threads, cancelled again and again: the same bits as `want`. */
static void run_in_slices(const generation_case *c, hfm_model *model, const hfm_inputs *in, const hfm_generated *want) {
  hfm_session_options options;
  hfm_session *session = NULL;
  hfm_generation *generation = NULL;
  hfm_generated got;
  hfm_error error;
  int32_t done = 0;
  int64_t calls = 0, cancelled = 0;
  memset(&options, 0, sizeof options);
  options.threads = 2;
  options.progress.update = cancel_sometimes;
  cancel_countdown = 11;
  if (!CHECK_INT(hfm_session_create(model, &options, &session, &error), HFM_OK)) return;
  if (!CHECK_INT(hfm_generation_begin(session, in, &c->options, &generation, &error), HFM_OK)) return;
  for (; !done && calls < 1000000; calls++) {
    const hfm_result result = hfm_generation_next(generation, 0, &done, &error);
    cancelled += result == HFM_ERROR_CANCELLED;
    if (result != HFM_ERROR_CANCELLED && !CHECK_INT(result, HFM_OK)) break;
    if (result == HFM_ERROR_CANCELLED) cancel_countdown = 997; /* not again in the same forward */
  }
  CHECK(done && cancelled > 0);
  CHECK_INT(hfm_generation_outputs(generation, &got, &error), HFM_OK);
  if (same_ids(c, "sequences", &got.sequences, &want->sequences) && want->sequences_scores.data)
    CHECK(!memcmp(got.sequences_scores.data, want->sequences_scores.data,
                  (size_t)elements(&want->sequences_scores) * sizeof(float)));
  if (want->scores.data)
    CHECK(!memcmp(got.scores.data, want->scores.data, (size_t)elements(&want->scores) * sizeof(float)));
  hfm_generation_free(generation);
  hfm_session_free(session);
}

static generation_case current;

/* On the best tier and the portable one; on the best only where programs run slowly. */
static void check_case(void) {
  static const int32_t tiers[] = {HFM_ISA_AUTO, HFM_ISA_SCALAR};
  static int32_t cases;
  const generation_case *c = &current;
  hfm_tensors expected;
  hfm_inputs in;
  hfm_error error;
  char path[512];
  size_t i;
  snprintf(path, sizeof path, "%s/generation/%s.safetensors", root, c->name);
  if (!CHECK_INT(hfm_tensors_read(path, &expected, &error), HFM_OK)) return;
  in = inputs_of(&expected);
  for (i = 0; i < (CHECK_SLOW ? 1 : CHECK_COUNT(tiers)); i++) {
    hfm_options options;
    hfm_session *session = NULL;
    hfm_generated got;
    loaded l;
    hfm_result result;
    memset(&options, 0, sizeof options);
    options.isa = tiers[i];
    load(c, &options, &l);
    if (!CHECK(l.model != NULL) || !CHECK_INT(hfm_session_create(l.model, NULL, &session, &error), HFM_OK)) return;
    result = hfm_generate(session, &in, &c->options, &got, &error);
    if (result) printf("  %s: %s\n", c->name, error.message);
    if (CHECK_INT(result, HFM_OK)) {
      compare(c, &got, &expected);
      if (!i && (!CHECK_SLOW || cases % 5 == 0)) run_in_slices(c, l.model, &in, &got);
    }
    hfm_session_free(session);
    unload(&l);
  }
  hfm_tensors_free(&expected);
  cases++;
}

/* An emulator takes as long for each as the machine for a hundred. */
static const char *read_current(char *line) {
  return read_case(line, &current) && (CHECK_SLOW < 2 || check_turn()) ? current.name : NULL;
}

int main(int argc, char **argv) {
  return run_cases(argc, argv, &root, "generation/cases.txt", read_current, check_case, "test_generate");
}
