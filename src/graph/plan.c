/* ==== graph/plan (private): where every value lies ================================================================
   Made once for upper bounds: offsets come from the bounds, sizes from each call's binding. Values whose lives don't
   overlap share memory; outputs live to the end. */

enum { HFM__PLAN_ALIGN = 64 };
/* No machine has more: half of a 32-bit address space, or the 47 bits that 64-bit systems give a process. */
static const uint64_t hfm__plan_most =
    (uint64_t)PTRDIFF_MAX / 2 < (uint64_t)1 << 46 ? (uint64_t)PTRDIFF_MAX / 2 : (uint64_t)1 << 46;

typedef struct hfm__plan {
  int64_t bounds[HFM__SYM_COUNT];
  uint64_t *offsets; /* of each value in the session's arena; UINT64_MAX: it needs no memory there */
  uint64_t arena_bytes;
} hfm__plan;

/* Bytes of a value under some dimension values, aligned; 0 where it overflows or needs none. */
HFM__PRIVATE int hfm__value_bytes(const hfm__value *v, const int64_t *dims, uint64_t *bytes) {
  uint64_t n = (uint64_t)hfm_dtype_bits(v->dtype) / 8;
  for (int32_t i = 0; i < v->rank; i++) {
    const int64_t d = dims[v->shape[i].id];
    if (d < 0 || !hfm__mul64(n, (uint64_t)d, &n)) return 0;
  }
  if (n > hfm__plan_most) return 0;
  *bytes = (n + HFM__PLAN_ALIGN - 1) / HFM__PLAN_ALIGN * HFM__PLAN_ALIGN;
  return 1;
}

/* ---- Groups: nodes that follow each other and need nothing of each other, as the products of q, k and v, run as one
   list of chunks. ---- */

HFM__PRIVATE int hfm__shares(const hfm__graph *g, const int32_t *a, int32_t count, const int32_t *b, int32_t others) {
  for (int32_t i = 0; i < count; i++)
    for (int32_t j = 0; j < others; j++)
      if (a[i] && b[j] && g->values[a[i]].base == g->values[b[j]].base) return 1;
  return 0;
}

/* Does either node write what the other reads or writes? */
HFM__PRIVATE int hfm__depends(const hfm__graph *g, const hfm__node *a, const hfm__node *b) {
  return hfm__shares(g, a->out, HFM__MAX_OP_OUTPUTS, b->in, HFM__MAX_OP_INPUTS) ||
         hfm__shares(g, a->in, HFM__MAX_OP_INPUTS, b->out, HFM__MAX_OP_OUTPUTS) ||
         hfm__shares(g, a->out, HFM__MAX_OP_OUTPUTS, b->out, HFM__MAX_OP_OUTPUTS);
}

HFM__PRIVATE void hfm__group_nodes(hfm__graph *g) {
  int32_t group = 0, members = 0;
  for (size_t i = 0, first = 0; i < g->node_count; i++) {
    hfm__node *node = &g->nodes[i];
    if (node->op < HFM__OP_COUNT) {
      int joins = members < HFM__MAX_GROUP;
      for (size_t j = first; joins && j < i; j++)
        joins = g->nodes[j].op >= HFM__OP_COUNT || !hfm__depends(g, &g->nodes[j], node);
      if (!joins) {
        group++;
        first = i;
        members = 0;
      }
      members++;
    }
    node->group = group;
  }
}

typedef struct hfm__life {
  int32_t first, last; /* groups of nodes between which the memory is taken */
} hfm__life;

HFM__PRIVATE void hfm__lives(const hfm__graph *g, hfm__life *lives) {
  for (size_t i = 0; i < g->value_count; i++) {
    lives[i].first = INT32_MAX;
    lives[i].last = -1;
  }
  for (size_t i = 0; i < g->node_count; i++) {
    const hfm__node *node = &g->nodes[i];
    for (int32_t j = 0; j < HFM__MAX_OP_INPUTS; j++) {
      const int32_t base = g->values[node->in[j]].base;
      lives[base].last = HFM__MAX(lives[base].last, node->group);
    }
    for (int32_t j = 0; j < HFM__MAX_OP_OUTPUTS; j++) {
      const int32_t base = g->values[node->out[j]].base;
      lives[base].first = HFM__MIN(lives[base].first, node->group);
      lives[base].last = HFM__MAX(lives[base].last, node->group);
    }
  }
  for (size_t i = 0; i < g->value_count; i++) { /* the caller's inputs are copied first, even one that nothing reads */
    if (g->values[i].kind != HFM__VALUE_INPUT) continue;
    lives[i].first = -1;
    lives[i].last = HFM__MAX(lives[i].last, 0);
  }
  for (size_t i = 0; i < g->output_count; i++) lives[g->values[g->outputs[i].value].base].last = INT32_MAX;
}

HFM__PRIVATE int hfm__overlap(hfm__life a, hfm__life b) { return a.first <= b.last && b.first <= a.last; }

/* The lowest place where `bytes` fit beside all values placed before that live at the same time. */
HFM__PRIVATE uint64_t hfm__place(const hfm__graph *g, const hfm__plan *plan, const uint64_t *sizes,
                                 const hfm__life *lives, size_t value) {
  uint64_t at = 0;
  for (;;) {
    uint64_t beyond = 0;
    for (size_t i = 1; i < g->value_count; i++) {
      const uint64_t offset = plan->offsets[i];
      if (i == value || offset == UINT64_MAX || !hfm__overlap(lives[i], lives[value])) continue;
      if (offset < at + sizes[value] && at < offset + sizes[i]) beyond = HFM__MAX(beyond, offset + sizes[i]);
    }
    if (!beyond) return at;
    at = beyond;
  }
}

HFM__PRIVATE hfm_result hfm__plan_too_large(const int64_t bounds[HFM__SYM_COUNT], hfm_error *error) {
  return hfm__fail(error, HFM_E_ADDRESS_SPACE, NULL, NULL, 0,
                   "the activations of batch %i, length %i don't fit this machine's address space",
                   bounds[HFM__SYM_BATCH], bounds[HFM__SYM_LENGTH]);
}

/* Plans a graph for bounds; everything it needs is in the graph's arena. `error` names what is too large. */
HFM__PRIVATE hfm_result hfm__plan_make(hfm__graph *g, const int64_t bounds[HFM__SYM_COUNT], hfm__plan *plan,
                                       hfm_error *error) {
  int64_t *dims = (int64_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->dim_count * sizeof *dims);
  uint64_t *sizes = (uint64_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *sizes);
  hfm__life *lives = (hfm__life *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *lives);
  memset(plan, 0, sizeof *plan);
  plan->offsets = (uint64_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *plan->offsets);
  if (!dims || !sizes || !lives || !plan->offsets) return hfm__fail_memory(error, "a plan", 0);
  memcpy(plan->bounds, bounds, sizeof plan->bounds);
  hfm__dims_evaluate(g, bounds, dims);
  hfm__group_nodes(g);
  hfm__lives(g, lives);
  for (size_t i = 0; i < g->value_count; i++) plan->offsets[i] = UINT64_MAX;
  for (size_t i = 1; i < g->value_count; i++) {
    const hfm__value *v = &g->values[i];
    if ((v->kind != HFM__VALUE_NODE && v->kind != HFM__VALUE_INPUT) || lives[i].last < 0) continue;
    if (!hfm__value_bytes(v, dims, &sizes[i]) || !hfm__add64(plan->arena_bytes, sizes[i], &plan->arena_bytes))
      return hfm__plan_too_large(bounds, error);
  }
  plan->arena_bytes = 0;
  for (size_t i = 1; i < g->value_count; i++) {
    const hfm__value *v = &g->values[i];
    if ((v->kind != HFM__VALUE_NODE && v->kind != HFM__VALUE_INPUT) || lives[i].last < 0) continue;
    plan->offsets[i] = hfm__place(g, plan, sizes, lives, i);
    plan->arena_bytes = HFM__MAX(plan->arena_bytes, plan->offsets[i] + sizes[i]);
  }
  if (plan->arena_bytes > hfm__plan_most) return hfm__plan_too_large(bounds, error);
  return HFM_OK;
}
