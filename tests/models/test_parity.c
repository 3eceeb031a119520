/* Parity with Transformers: every line of cases.txt is loaded, run and compared; see there for what a line says. One
   changed weight, of any kind in any layer, must turn each of them red. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#define HFM_TENSORS_IMPLEMENTATION
#include "../../tools/hfm_tensors.h"

#include "../check.h"

#include <stdio.h>

#include "cases.h"

static const char *root = "tests/models";
static int quiet; /* while a difference is what is hoped for */

/* ---- cases.txt ---- */

typedef struct parity_case {
  char text[2048];
  const char *name, *dir, *task, *config, *dtype, *variant, *subfolder, *inputs, *expected, *print, *info, *report,
      *fails;
  const char *attention; /* NULL: what is expected holds for every implementation */
  int num_labels, ignore_mismatched_sizes, eager_pads, no_pads, partial, color;
  double tolerance;
} parity_case;

static int read_case(char *line, parity_case *c) {
  char *word, *value;
  memset(c, 0, sizeof *c);
  if (!case_line(line)) return 0;
  strcpy(c->text, line);
  c->task = "base";
  for (word = case_word(c->text, &value); word; word = case_word(NULL, &value)) {
    if (!value) c->name = word;
    else if (!strcmp(word, "dir")) c->dir = value;
    else if (!strcmp(word, "task")) c->task = value;
    else if (!strcmp(word, "config")) c->config = value;
    else if (!strcmp(word, "dtype")) c->dtype = value;
    else if (!strcmp(word, "variant")) c->variant = value;
    else if (!strcmp(word, "subfolder")) c->subfolder = value;
    else if (!strcmp(word, "inputs")) c->inputs = value;
    else if (!strcmp(word, "expected")) c->expected = value;
    else if (!strcmp(word, "print")) c->print = value;
    else if (!strcmp(word, "info")) c->info = value;
    else if (!strcmp(word, "report")) c->report = value;
    else if (!strcmp(word, "fails")) c->fails = value;
    else if (!strcmp(word, "num_labels")) c->num_labels = atoi(value);
    else if (!strcmp(word, "ignore_mismatched_sizes")) c->ignore_mismatched_sizes = atoi(value);
    else if (!strcmp(word, "eager_pads")) c->eager_pads = atoi(value);
    else if (!strcmp(word, "no_pads")) c->no_pads = atoi(value);
    else if (!strcmp(word, "attention")) c->attention = value;
    else if (!strcmp(word, "partial")) c->partial = atoi(value);
    else if (!strcmp(word, "color")) c->color = atoi(value);
    else if (!strcmp(word, "tol")) c->tolerance = atof(value);
    else {
      printf("cases.txt: unknown key %s\n", word);
      CHECK(0);
    }
  }
  return 1;
}

static char *read_text(const char *dir, const char *name) {
  char path[512];
  FILE *f;
  char *text;
  size_t n;
  snprintf(path, sizeof path, "%s/%s/%s", root, dir, name);
  f = fopen(path, "rb");
  if (!f) return NULL;
  text = (char *)calloc(1, 1 << 20);
  n = text ? fread(text, 1, (1 << 20) - 1, f) : 0;
  if (n && text[n - 1] == '\n') text[n - 1] = 0; /* a text file's last newline is not part of the text */
  fclose(f);
  return text;
}

/* What the last load warned of, a line each. */
static char said[8192];

static void listen(void *ctx, int32_t level, int32_t item, const char *message) {
  const size_t length = strlen(said);
  (void)ctx;
  (void)item;
  if (level >= HFM_LOG_WARNING) snprintf(said + length, sizeof said - length, "%s\n", message);
}

static hfm_result load(const parity_case *c, hfm_options *options, hfm_model **model, hfm_error *error) {
  char path[512];
  hfm_config *config = NULL;
  hfm_result result;
  memset(options, 0, sizeof *options);
  options->task = hfm_task_from_name(c->task);
  options->dtype = hfm_dtype_from_name(c->dtype);
  options->variant = c->variant;
  options->subfolder = c->subfolder;
  options->num_labels = c->num_labels;
  options->ignore_mismatched_sizes = c->ignore_mismatched_sizes;
  options->log.write = listen;
  said[0] = 0;
  if (c->config) {
    char *text = read_text(c->dir, c->config);
    CHECK(text != NULL);
    if (!text) return HFM_ERROR_IO;
    result = hfm_config_parse(text, strlen(text), NULL, &config, error);
    free(text);
    if (result) return result;
    options->config = config;
  }
  snprintf(path, sizeof path, "%s/%s", root, c->dir);
  result = hfm_from_pretrained(path, options, model, error);
  hfm_config_free(config);
  return result;
}

/* ---- Comparing ---- */

/* Largest excess over the tolerance of the cases, or a NaN or wrong shape: 1 if the tensors agree. Rows of hidden
   states whose mask is 0 are left out where `skip` says so. */
static int agree(const hfm_tensor *got, const hfm_tensor *want, double tolerance, const hfm_tensor *skip,
                 const char *what) {
  const float *a = (const float *)got->data, *b = (const float *)want->data;
  int64_t n = 1, width = 1, i;
  double top = 0;
  if (got->rank != want->rank || got->dtype != want->dtype ||
      memcmp(got->shape, want->shape, (size_t)want->rank * 8) != 0) {
    printf("  %s: another shape or dtype\n", what);
    return 0;
  }
  for (i = 0; i < want->rank; i++) n *= want->shape[i];
  for (i = 2; i < want->rank; i++) width *= want->shape[i];
  for (i = 0; i < n; i++) top = fabs((double)b[i]) > top ? fabs((double)b[i]) : top;
  for (i = 0; i < n; i++) {
    const double d = fabs((double)a[i] - (double)b[i]);
    if (skip && skip->data && want->rank >= 2 && want->shape[1] == skip->shape[1] &&
        ((const int64_t *)skip->data)[i / width] == 0)
      continue;
    if (!(d <= tolerance * top + 1e-5 * fabs((double)b[i]))) {
      if (!quiet)
        printf("  %s[%d] is %.9g, expected %.9g (largest %.3g)\n", what, (int)i, (double)a[i], (double)b[i], top);
      return 0;
    }
  }
  return 1;
}

static hfm_inputs inputs_of(const hfm_tensors *file) {
  hfm_inputs in;
  memset(&in, 0, sizeof in);
#define TAKE(field) { const hfm_tensor *t = hfm_tensors_find(file, #field); if (t) in.field = *t; }
  TAKE(input_ids) TAKE(attention_mask) TAKE(token_type_ids) TAKE(position_ids) TAKE(inputs_embeds) TAKE(pixel_values)
  TAKE(decoder_input_ids) TAKE(decoder_attention_mask) TAKE(decoder_inputs_embeds)
#undef TAKE
  return in;
}

static int compare_outputs(const hfm_outputs *out, const hfm_tensors *expected, double tolerance,
                           const hfm_tensor *skip) {
  int same = 1;
  for (size_t i = 0; i < expected->count; i++) {
    const hfm_named_tensor *want = &expected->items[i];
    const hfm_tensor *got = NULL;
    for (size_t j = 0; j < out->items_count; j++)
      if (!strcmp(out->items[j].name, want->name)) got = &out->items[j].tensor;
    if (!got) {
      printf("  no output %s\n", want->name);
      same = 0;
    } else if (!agree(got, &want->tensor, tolerance, skip, want->name)) {
      same = 0;
    }
  }
  return same;
}

static int has_part(const hfm_tensors *file, const char *part) {
  for (size_t i = 0; i < file->count; i++)
    if (strstr(file->items[i].name, part)) return 1;
  return 0;
}

/* Runs one case; 1 if every expected output agrees. */
static int run_case(hfm_model *model, const parity_case *c, int32_t attention, int threads, const hfm_tensors *inputs,
                    const hfm_tensors *expected) {
  hfm_session_options so;
  hfm_session *session = NULL;
  hfm_outputs out;
  hfm_inputs in = inputs_of(inputs);
  const int skips = c->no_pads || (attention != HFM_ATTN_EAGER && c->eager_pads);
  const hfm_tensor *skip = skips ? &in.attention_mask : NULL;
  hfm_error error;
  int same;
  memset(&so, 0, sizeof so);
  so.threads = threads;
  in.output_hidden_states = has_part(expected, "hidden_states.");
  in.output_attentions = attention == HFM_ATTN_EAGER && has_part(expected, "attentions.");
  if (hfm_session_create(model, &so, &session, &error) || hfm_forward(session, &in, &out, &error)) {
    printf("  %s\n", error.message);
    hfm_session_free(session);
    return 0;
  }
  if (attention != HFM_ATTN_EAGER &&
      has_part(expected, "attentions.")) { /* attentions need eager: compare the rest */
    hfm_tensors rest = *expected;
    hfm_named_tensor kept[64];
    rest.count = 0;
    rest.items = kept;
    for (size_t i = 0; i < expected->count && rest.count < 64; i++)
      if (!strstr(expected->items[i].name, "attentions.")) kept[rest.count++] = expected->items[i];
    same = compare_outputs(&out, &rest, c->tolerance, skip);
  } else {
    same = compare_outputs(&out, expected, c->tolerance, skip);
  }
  hfm_session_free(session);
  return same;
}

/* ---- What a model says about itself ---- */

static void check_text(const parity_case *c, const char *what, const char *file, const char *text) {
  char *want = read_text(c->dir, file);
  CHECK(want != NULL);
  if (want && strcmp(want, text) != 0) {
    size_t i = 0;
    while (want[i] && want[i] == text[i]) i++;
    printf("  %s of %s differs at byte %d: expected \"%.40s\", found \"%.40s\"\n", what, c->name, (int)i, want + i,
           text + i);
  }
  CHECK(want && strcmp(want, text) == 0);
  free(want);
}

/* The load warned of what Transformers warns of, in its words. */
static void check_notes(const hfm_config *info) {
  char notes[sizeof said] = "", key[32];
  const char *note;
  for (int i = 0;; i++) {
    const size_t length = strlen(notes);
    snprintf(key, sizeof key, "notes.%d", i);
    note = hfm_config_get_string(info, key, NULL);
    if (!note) break;
    snprintf(notes + length, sizeof notes - length, "%s\n", note);
  }
  CHECK_STR(said, notes);
}

static void check_info(const parity_case *c, const hfm_model *model) {
  char *text = read_text(c->dir, c->info);
  hfm_config *info = NULL;
  hfm_error error;
  CHECK(text && hfm_config_parse(text, strlen(text), NULL, &info, &error) == HFM_OK);
  if (info) {
    CHECK_STR(hfm_model_architecture(model), hfm_config_get_string(info, "architecture", ""));
    CHECK_STR(hfm_model_type(model), hfm_config_get_string(info, "model_type", ""));
    CHECK_INT(hfm_num_parameters(model, 0, 0), hfm_config_get_int(info, "num_parameters", -1));
    CHECK_INT(hfm_num_parameters(model, 1, 1), hfm_config_get_int(info, "num_parameters_no_embeddings", -1));
    CHECK_STR(hfm_dtype_name(hfm_model_dtype(model)), hfm_config_get_string(info, "dtype", ""));
    CHECK_INT(hfm_memory_footprint(model, 1), hfm_config_get_int(info, "memory_footprint", -1));
    CHECK_INT(hfm_memory_footprint(model, 0), hfm_config_get_int(info, "memory_footprint_no_buffers", -1));
    for (size_t i = 0; i <= hfm_state_dict_size(model); i++) {
      hfm_named_tensor entry;
      char key[64];
      snprintf(key, sizeof key, "state_dict.%d.0", (int)i);
      if (hfm_state_dict_at(model, i, &entry) == HFM_OK)
        CHECK_STR(entry.name, hfm_config_get_string(info, key, "(none)"));
      else CHECK(hfm_config_get_string(info, key, NULL) == NULL);
    }
    check_notes(info);
  }
  hfm_config_free(info);
  free(text);
}

static void check_description(const parity_case *c, const hfm_model *model) {
  static char text[1 << 16];
  CHECK(hfm_print(model, text, sizeof text) < sizeof text);
  check_text(c, "print", c->print, text);
  (void)hfm_load_report_text(model, c->dir, c->color, text, sizeof text);
  if (c->report) check_text(c, "report", c->report, text);
  else CHECK_INT((long)hfm_load_report_size(model), 0);
  check_info(c, model);
}

/* ---- One flipped weight ---- */

enum { KINDS = 6, LAYERS = 64, GROUPS = KINDS * LAYERS }; /* layer 0: the rest of the base model, 1: the head */

/* Which group a parameter belongs to: what kind it is (table, matrix, norm, bias, three or four dimensions), and
   where. */
static int group_of(const hfm_model *model, const hfm__parameter *p) {
  const hfm__tree *tree = &model->tree;
  const int kind = p->is_embedding ? 0 : p->rank > 1 ? p->rank - 1 : strcmp(p->name, "bias") ? 4 : 5;
  int layer = -1, has_base = 0;
  int32_t m = p->module;
  for (; m > 1 && tree->modules[m].parent > 1; m = tree->modules[m].parent)
    if (tree->modules[tree->modules[m].parent].kind == HFM__MODULE_LIST) layer = atoi(tree->modules[m].name) + 2;
  if (m > 1 && tree->modules[tree->modules[p->module].parent].kind == HFM__MODULE_LIST && layer < 0)
    layer = atoi(tree->modules[p->module].name) + 2;
  if (layer >= 0) return kind * LAYERS + layer;
  for (int32_t top = tree->modules[1].first_child; top; top = tree->modules[top].next)
    has_base |= !strcmp(tree->modules[top].name, model->base);
  return kind * LAYERS + (has_base && (m <= 1 || strcmp(tree->modules[m].name, model->base)));
}

/* No file has it: what it holds is compared with nothing. */
static int is_new(const hfm_model *model, const hfm__parameter *p) {
  char name[256];
  hfm__text t = hfm__text_to(name, sizeof name);
  hfm__text_member(&t, &model->tree, p->module, p->name);
  for (size_t i = 0; i < model->report_count; i++)
    if (model->report[i].status != HFM_KEY_UNEXPECTED && !strcmp(model->report[i].key, name)) return 1;
  return 0;
}

/* Changes one element of a weight, 1 / `part` of the way through it; of a table of embeddings that of every row, as
   only some rows are looked up (up and down, as softmax only sees differences), and of a stack that of every matrix, as
   only some experts are chosen: 1 if the comparison notices. */
static int notices_change(hfm_model *model, size_t parameter, int part, const parity_case *c, const hfm_tensors *inputs,
                          const hfm_tensors *expected) {
  hfm__weight *w = &model->weights[parameter], before = *w;
  const int64_t n = hfm__elements(w->shape, w->rank), pieces = w->pieces ? w->piece_count : 1, each = n / pieces;
  const int64_t row = model->tree.parameters[parameter].is_embedding ? w->shape[1] : w->pieces ? n / w->shape[0] : n;
  float *changed = (float *)malloc((size_t)n * sizeof *changed);
  const void **table = (const void **)malloc((size_t)pieces * sizeof *table);
  int noticed;
  CHECK(changed && table);
  for (int64_t j = 0; changed && j < n; j++)
    changed[j] = (float)hfm__element(w->pieces ? w->pieces[j / each] : w->data, w->dtype, j % each, HFM__BIG_ENDIAN) +
                 (j % row == row / part ? (j / row % 2 ? -3.0f : 3.0f) : 0.0f);
  for (int64_t i = 0; table && i < pieces; i++) table[i] = changed + i * each;
  w->data = changed;
  if (w->pieces) w->pieces = table;
  w->dtype = HFM_F32;
  w->panels = NULL; /* kept panels still hold the old values */
  model->packing.policy = HFM_PACK_NEVER;
  quiet = 1;
  noticed = !run_case(model, c, HFM_ATTN_EAGER, 1, inputs, expected);
  quiet = 0;
  *w = before;
  free(changed);
  free((void *)table);
  return noticed;
}

/* In each layer, in the rest of the base model and in the head there are weights of each kind that can't change
   unnoticed. (Each single one is too much to ask: the bias of keys, say, cancels out. What is newly initialised counts
   for nothing, nor do the tables that inputs_embeds stands for.) */
static int notices_flips(hfm_model *model, const parity_case *c, const hfm_tensors *inputs,
                         const hfm_tensors *expected) {
  char state[GROUPS]; /* 0: no such group, 1: unnoticed, 2: noticed */
  const int embeds = hfm_tensors_find(inputs, "inputs_embeds") != NULL;
  int all = 1;
  memset(state, 0, sizeof state);
  for (size_t i = 1; i < model->tree.parameter_count; i++) {
    const hfm__parameter *p = &model->tree.parameters[i];
    const int group = group_of(model, p);
    if (!model->weights[i].storage || state[group] == 2 || (c->partial && group % LAYERS < 2)) continue;
    if ((embeds && p->is_embedding) || is_new(model, p)) continue;
    state[group] = 1;
    for (int part = 2; part < 12 && state[group] == 1; part++) /* a ReLU may hide one */
      if (notices_change(model, i, part, c, inputs, expected)) state[group] = 2;
  }
  for (int group = 0; group < GROUPS; group++) {
    if (state[group] == 1) printf("  %s: kind %d, layer %d: unnoticed\n", c->name, group / LAYERS, group % LAYERS - 2);
    all &= state[group] != 1;
  }
  return all;
}

static parity_case current;

static void check_case(void) {
  const parity_case *c = &current;
  static const int32_t kinds[] = {HFM_ATTN_EAGER, HFM_ATTN_SDPA, HFM_ATTN_FLASH_ATTENTION_2};
  static size_t first;
  char path[512];
  hfm_options options;
  hfm_model *model = NULL;
  hfm_tensors inputs, expected;
  hfm_error error;
  const hfm_result result = load(c, &options, &model, &error);
  if (c->fails) {
    CHECK(result != HFM_OK && model == NULL);
    CHECK_STR(hfm_error_item_name(error.item), c->fails);
    return;
  }
  if (result) printf("  %s: %s\n", c->name, error.message);
  CHECK_INT(result, HFM_OK);
  if (result) return;
  check_description(c, model);
  snprintf(path, sizeof path, "%s/%s/%s", root, c->dir, c->inputs);
  CHECK_INT(hfm_tensors_read(path, &inputs, &error), HFM_OK);
  snprintf(path, sizeof path, "%s/%s/%s", root, c->dir, c->expected);
  CHECK_INT(hfm_tensors_read(path, &expected, &error), HFM_OK);
  for (size_t i = 0, ran = 0; i < CHECK_COUNT(kinds) && (!CHECK_SLOW || !ran); i++) {
    const int32_t kind = kinds[(i + first) % CHECK_COUNT(kinds)]; /* where one has to do, each in its turn */
    if (c->attention && (kind == HFM_ATTN_EAGER) != !strcmp(c->attention, "eager")) continue;
    model->attention = kind;
    CHECK(run_case(model, c, kind, 1 + (int)i, &inputs, &expected));
    ran++;
  }
  first++;
  if (!CHECK_SLOW) CHECK(notices_flips(model, c, &inputs, &expected));
  hfm_tensors_free(&inputs);
  hfm_tensors_free(&expected);
  hfm_model_free(model);
}

static const char *read_current(char *line) { return read_case(line, &current) ? current.name : NULL; }

int main(int argc, char **argv) {
  return run_cases(argc, argv, &root, "cases.txt", read_current, check_case, "test_parity");
}
