/* That the parity with Transformers can fail: one changed weight, of any kind in any layer, must turn each case of
   tests/models/cases.txt red. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#define HFM_TENSORS_IMPLEMENTATION
#include "../../tools/hfm_tensors.h"

#include "../check.h"

#include "../models/parity.h"

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
  noticed = !run_case(model, c, model->attention, 1, inputs, expected);
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

static void check_case(void) {
  const parity_case *c = &current;
  const int32_t attention = is_for(c, HFM_ATTN_EAGER) ? HFM_ATTN_EAGER : HFM_ATTN_SDPA;
  hfm_tensors inputs, expected;
  hfm_model *model = NULL;
  hfm_error error;
  if (!read_tensors(c, &inputs, &expected)) return;
  if (CHECK_INT(load(c, attention, &model, &error), HFM_OK)) CHECK(notices_flips(model, c, &inputs, &expected));
  hfm_model_free(model);
  hfm_tensors_free(&inputs);
  hfm_tensors_free(&expected);
}

static const char *read_sound(char *line) { return read_case(line, &current) && !current.fails ? current.name : NULL; }

int main(int argc, char **argv) {
  return run_cases(argc, argv, &root, "cases.txt", read_sound, check_case, "test_flips");
}
