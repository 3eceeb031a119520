/* models: whole forwards of models of real sizes with random weights, as a shared object for tools/bench/turns.c.
   A step is one more token for each sequence of a batch, whose caches hold the 256 before it. */
#define _GNU_SOURCE
#define HFMODEL_STATIC
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "isa.h"
#include "turns.h"

#include <stdio.h>

static const struct one {
  const char *name, *model;
  hfm_dtype dtype;
  int64_t batch, length;
  int32_t cached; /* positions before these `length` */
} known[] = {
    {"bert-base 8", "bert-base", HFM_F32, 1, 8, 0},
    {"bert-base 128", "bert-base", HFM_F32, 1, 128, 0},
    {"bert-base 512", "bert-base", HFM_F32, 1, 512, 0},
    {"bert-base bfloat16 128", "bert-base", HFM_BF16, 1, 128, 0},
    {"smollm2-135m float32 prompt", "smollm2-135m", HFM_F32, 1, 256, 0},
    {"smollm2-135m float32 step", "smollm2-135m", HFM_F32, 1, 1, 256},
    {"smollm2-135m float32 step of 4", "smollm2-135m", HFM_F32, 4, 1, 256},
    {"smollm2-135m bfloat16 prompt", "smollm2-135m", HFM_BF16, 1, 256, 0},
    {"smollm2-135m bfloat16 step", "smollm2-135m", HFM_BF16, 1, 1, 256},
    {"smollm2-135m bfloat16 step of 4", "smollm2-135m", HFM_BF16, 4, 1, 256},
};

static struct chosen {
  const struct one *what;
  hfm_session *session;
  int64_t *ids;
} cases[HFM__COUNT(known)];
static int case_count;

static int says(const hfm_error *error) {
  fprintf(stderr, "models: %s\n", error->message);
  return -1;
}

static int forward(const struct chosen *c, int64_t length, hfm_error *error) {
  hfm_inputs in;
  hfm_outputs out;
  memset(&in, 0, sizeof in);
  in.input_ids = hfm_tensor_i64(c->ids, c->what->batch, length);
  in.use_cache = c->what->cached > 0;
  in.logits_to_keep = strcmp(c->what->model, "bert-base") != 0;
  return hfm_forward(c->session, &in, &out, error) == HFM_OK;
}

/* One model serves all cases of its dtype. */
static hfm_model *model_of(const struct one *what, const char *isa, hfm_error *error) {
  static struct { const char *name; hfm_dtype dtype; hfm_model *model; } loaded[HFM__COUNT(known)];
  static size_t count;
  hfm_options options;
  char path[64];
  size_t i;
  for (i = 0; i < count; i++)
    if (!strcmp(loaded[i].name, what->model) && loaded[i].dtype == what->dtype) return loaded[i].model;
  memset(&options, 0, sizeof options);
  options.task = HFM_TASK_FROM_CONFIG;
  options.packing = HFM_PACK_EAGER;
  options.random_weights = 1;
  options.isa = isa_from_name(isa);
  options.dtype = what->dtype;
  snprintf(path, sizeof path, "tools/bench/%s", what->model);
  if (hfm_from_pretrained(path, &options, &loaded[count].model, error)) return NULL;
  loaded[count].name = what->model;
  loaded[count].dtype = what->dtype;
  return loaded[count++].model;
}

static int set_up(struct chosen *c, int threads, const char *isa) {
  hfm_session_options options;
  hfm_error error;
  hfm_model *model;
  int64_t i, count = c->what->batch * HFM__MAX(c->what->length, (int64_t)c->what->cached);
  memset(&options, 0, sizeof options);
  memset(&error, 0, sizeof error);
  options.threads = threads;
  model = model_of(c->what, isa, &error);
  c->ids = (int64_t *)malloc((size_t)count * sizeof *c->ids);
  if (!model || !c->ids || hfm_session_create(model, &options, &c->session, &error)) return says(&error);
  for (i = 0; i < count; i++) c->ids[i] = 3 + i * 7919 % 20000;
  if (c->what->cached && !forward(c, c->what->cached, &error)) return says(&error);
  return forward(c, c->what->length, &error) ? 0 : says(&error);
}

int turns_open(int threads, const char *isa, char **filters, int count) {
  size_t i;
  int f, wanted;
  for (i = 0; i < HFM__COUNT(known); i++) {
    for (f = 0, wanted = !count; f < count; f++) wanted |= strstr(known[i].name, filters[f]) != NULL;
    if (!wanted) continue;
    cases[case_count].what = &known[i];
    if (set_up(&cases[case_count], threads, isa)) return -1;
    case_count++;
  }
  return case_count;
}

const char *turns_name(int i) { return cases[i].what->name; }

double turns_call(int i) {
  const struct chosen *c = &cases[i];
  hfm_error error;
  uint64_t begun;
  if (c->what->cached && hfm_cache_crop(c->session, c->what->cached, &error)) exit(1);
  begun = hfm__clock_ns();
  if (!forward(c, c->what->length, &error)) exit(1);
  return (double)(hfm__clock_ns() - begun) * 1e-9;
}
