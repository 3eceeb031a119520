/* parity.h: the cases of cases.txt, which say what Transformers gave for a model: reading a line, loading the model,
   running it, comparing. Included after hfmodel.h, hfm_tensors.h and check.h. */
#ifndef MODELS_PARITY_H
#define MODELS_PARITY_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../said.h"
#include "cases.h"

static const char *root = "tests/models";
static int quiet; /* while a difference is what is hoped for */

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

/* What it warns of is in `said`. */
static hfm_result load(const parity_case *c, int32_t attention, hfm_model **model, hfm_error *error) {
  char path[512];
  hfm_config *config = NULL;
  hfm_options options;
  hfm_result result;
  memset(&options, 0, sizeof options);
  options.attn_implementation = attention;
  options.task = hfm_task_from_name(c->task);
  options.dtype = hfm_dtype_from_name(c->dtype);
  options.variant = c->variant;
  options.subfolder = c->subfolder;
  options.num_labels = c->num_labels;
  options.ignore_mismatched_sizes = c->ignore_mismatched_sizes;
  listen_to(&options);
  if (c->config) {
    char *text = read_text(c->dir, c->config);
    CHECK(text != NULL);
    if (!text) return HFM_ERROR_IO;
    result = hfm_config_parse(text, strlen(text), NULL, &config, error);
    free(text);
    if (result) return result;
    options.config = config;
  }
  snprintf(path, sizeof path, "%s/%s", root, c->dir);
  result = hfm_from_pretrained(path, &options, model, error);
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

/* The inputs and the expected outputs of a case; 0 if they can't be read. */
static int read_tensors(const parity_case *c, hfm_tensors *inputs, hfm_tensors *expected) {
  char path[512];
  hfm_error error;
  snprintf(path, sizeof path, "%s/%s/%s", root, c->dir, c->inputs);
  if (!CHECK_INT(hfm_tensors_read(path, inputs, &error), HFM_OK)) return 0;
  snprintf(path, sizeof path, "%s/%s/%s", root, c->dir, c->expected);
  if (CHECK_INT(hfm_tensors_read(path, expected, &error), HFM_OK)) return 1;
  hfm_tensors_free(inputs);
  return 0;
}

/* Does the case speak of this implementation of attention? */
static int is_for(const parity_case *c, int32_t attention) {
  return !c->attention || (attention == HFM_ATTN_EAGER) == !strcmp(c->attention, "eager");
}

static parity_case current;

#endif
