/* ==== run/program (private): a traced, fused and planned forward ==================================================
   A program belongs to one combination of inputs given and outputs asked for; it serves every shape within its bounds
   for which its guards hold. */

typedef struct hfm__program {
  struct hfm__program *next;
  int32_t apart, reserved; /* 1: its bounds are its own, not the session's; made by hfm_session_reserve */
  hfm__question asked; /* `present` says which inputs it takes */
  hfm__graph graph;
  uint32_t symbols; /* bit HFM__SYM_...: those that the graph's dimensions depend on */
  hfm__plan plan;
  int64_t *dims;          /* values of the dimension expressions in this call */
  hfm__operand *operands; /* of each value in this call */
  hfm_tensor *lists[HFM__OUT_LISTS];
  size_t list_counts[HFM__OUT_LISTS];
  hfm_named_tensor *items;
  uint64_t scratch; /* bytes for each worker */
} hfm__program;

HFM__PRIVATE void hfm__program_free(const hfm_allocator *mem, hfm__program *program) {
  if (!program) return;
  hfm__graph_free(&program->graph);
  hfm__free(mem, program, sizeof *program);
}

/* ---- Binding: from dimension values to operands ---- */

HFM__PRIVATE void hfm__row_major_strides(hfm__operand *o) {
  int64_t stride = 1;
  for (int32_t i = o->rank - 1; i >= 0; i--) {
    o->stride[i] = stride;
    stride *= HFM__MAX(o->shape[i], 1);
  }
}

/* Strides of a new shape over the same elements. Dimensions are matched in groups of equal size; a group of several old
   dimensions is contiguous in itself, which the builder has made sure of. Dimensions of size 1 have any stride. */
HFM__PRIVATE void hfm__reshape_strides(const hfm__operand *from, hfm__operand *to) {
  int32_t f = from->rank - 1, t = to->rank - 1;
  for (int32_t i = 0; i < to->rank; i++) to->stride[i] = 1;
  while (t >= 0) {
    int64_t stride, old_size, new_size;
    while (f >= 0 && from->shape[f] == 1) f--;
    while (t >= 0 && to->shape[t] == 1) t--;
    if (t < 0 || f < 0) return;
    stride = from->stride[f];
    old_size = from->shape[f--];
    to->stride[t] = stride;
    new_size = to->shape[t--];
    while (old_size != new_size) {
      if (new_size < old_size && t >= 0) {
        to->stride[t] = stride * new_size;
        new_size *= to->shape[t--];
      } else if (old_size < new_size && f >= 0) {
        old_size *= from->shape[f--];
      } else {
        return; /* only where a dimension is 0 */
      }
    }
  }
}

HFM__PRIVATE void hfm__bind_view(const hfm__program *program, const hfm__node *node, hfm__operand *out) {
  const hfm__operand *in = &program->operands[node->in[0]];
  const int64_t start = program->dims[node->dims[0].id];
  const int32_t axis = node->attrs.axis;
  int64_t offset = 0;
  if (node->op == HFM__VIEW_reshape) {
    hfm__reshape_strides(in, out);
  } else if (node->op == HFM__VIEW_slice) {
    memcpy(out->stride, in->stride, sizeof out->stride);
    offset = start * in->stride[axis];
  } else if (node->op == HFM__VIEW_expand) { /* the same element again and again */
    for (int32_t i = 0; i < out->rank; i++) out->stride[i] = in->shape[i] == out->shape[i] ? in->stride[i] : 0;
  } else { /* an op that writes into its first input and shows all of it */
    *out = *in;
  }
  out->data = in->data ? (uint8_t *)in->data + offset * (hfm_dtype_bits(out->dtype) / 8) : NULL;
}

HFM__PRIVATE uint64_t hfm__bytes_of(const hfm__operand *o) {
  return (uint64_t)hfm__elements(o->shape, o->rank) * (uint64_t)hfm_dtype_bits(o->dtype) / 8;
}

/* Shapes, strides and addresses of all values under the dimensions in program->dims. `arena` NULL: shapes only. */
HFM__PRIVATE void hfm__program_bind(hfm__program *program, const hfm_model *model, uint8_t *arena,
                                    const hfm__cache *cache) {
  const hfm__graph *g = &program->graph;
  for (size_t i = 1; i < g->value_count; i++) {
    const hfm__value *v = &g->values[i];
    hfm__operand *o = &program->operands[i];
    memset(o, 0, sizeof *o);
    o->dtype = v->dtype;
    o->rank = v->rank;
    for (int32_t d = 0; d < v->rank; d++) o->shape[d] = program->dims[v->shape[d].id];
    hfm__row_major_strides(o);
    if (v->kind == HFM__VALUE_VIEW) {
      hfm__bind_view(program, &g->nodes[v->source], o);
    } else if (v->kind == HFM__VALUE_PARAMETER) {
      if (model->weights) {
        o->weight = hfm__weight_for(model, v->source);
        o->dtype = o->weight->dtype;
      } else { /* an estimate: as the weight would be loaded */
        const hfm_dtype dtype = model->tree.parameters[v->source].dtype;
        o->dtype = hfm__is_native(dtype) ? dtype : HFM_F32;
      }
    } else if (v->kind == HFM__VALUE_CONSTANT) {
      o->data = (void *)(uintptr_t)g->constants[v->source].data;
    } else if (HFM__HAS_STATES && v->kind == HFM__VALUE_STATE) {
      if (cache) hfm__cache_bind(cache, v->source, o);
    } else if (arena && program->plan.offsets[i] != UINT64_MAX) {
      HFMODEL_ASSERT(hfm__bytes_of(o) <= program->plan.arena_bytes - program->plan.offsets[i]);
      o->data = arena + program->plan.offsets[i];
    }
  }
}

HFM__PRIVATE int hfm__is_op(const hfm__node *node) { return node->op < HFM__OP_COUNT; }

/* What an op sees, weights apart. */
HFM__PRIVATE void hfm__node_args(const hfm__program *program, const hfm_model *model, const hfm__node *node,
                                 hfm__op_args *args) {
  memset(args, 0, sizeof *args);
  args->cpu = &model->cpu;
  args->attrs = &node->attrs;
  args->dims = &program->dims[node->dims[0].id];
  for (int32_t i = 0; i < HFM__MAX_OP_INPUTS; i++)
    if (node->in[i]) args->in[i] = program->operands[node->in[i]];
  for (int32_t i = 0; i < HFM__MAX_OP_OUTPUTS; i++)
    if (node->out[i]) args->out[i] = program->operands[node->out[i]];
}

/* ---- Making a program ---- */

typedef struct hfm__request {
  hfm__question asked;
  int64_t binding[HFM__SYM_COUNT];
} hfm__request;

HFM__PRIVATE hfm_result hfm__trace(const hfm_model *model, const hfm__request *request, hfm__graph *graph,
                                   hfm_error *error) {
  hfm__builder b;
  memset(&b, 0, sizeof b);
  b.mem = model->ctx.mem;
  b.error = error;
  b.config = model->config;
  b.task = model->head->task;
  b.tree = (hfm__tree *)&model->tree;
  b.graph = graph;
  b.side = &hfm__only_side;
  b.asked = request->asked;
  b.attention = model->attention;
  b.binding = request->binding;
  graph->arena.mem = model->ctx.mem;
  model->head->forward(&b, model->self);
  return b.result;
}

/* Room for operands, dimensions and the lists of outputs. */
HFM__PRIVATE hfm_result hfm__program_tables(hfm__program *program, hfm_error *error) {
  hfm__graph *g = &program->graph;
  for (size_t i = 0; i < g->output_count; i++)
    if (g->outputs[i].kind >= HFM__OUT_SINGLE) program->list_counts[g->outputs[i].kind - HFM__OUT_SINGLE]++;
  program->dims = (int64_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->dim_count * sizeof *program->dims);
  program->operands = (hfm__operand *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *program->operands);
  program->items = (hfm_named_tensor *)hfm__arena_alloc(&g->arena, (uint64_t)g->output_count * sizeof *program->items);
  if (!program->dims || !program->operands || !program->items) return hfm__fail_memory(error, "a forward", 0);
  for (int32_t list = 0; list < HFM__OUT_LISTS; list++) {
    program->lists[list] =
        (hfm_tensor *)hfm__arena_alloc(&g->arena, (uint64_t)program->list_counts[list] * sizeof **program->lists);
    if (!program->lists[list]) return hfm__fail_memory(error, "a forward", 0);
  }
  for (size_t i = 0, counts[HFM__OUT_LISTS] = {0}; i < g->output_count; i++) {
    const int32_t kind = g->outputs[i].kind;
    char text[40];
    hfm__text t = hfm__text_to(text, sizeof text);
    hfm__text_str(&t, hfm__output_rows[kind].name);
    if (kind >= HFM__OUT_SINGLE) hfm__text_format(&t, ".%u", (uint64_t)counts[kind - HFM__OUT_SINGLE]++);
    program->items[i].name = hfm__arena_copy(&g->arena, text, t.length);
    if (!program->items[i].name) return hfm__fail_memory(error, "a forward", 0);
  }
  return HFM_OK;
}

/* The weight of a product, or NULL: what can be kept in panels. */
HFM__PRIVATE hfm__weight *hfm__product_weight(const hfm__program *program, size_t node) {
  const hfm__node *n = &program->graph.nodes[node];
  return n->op == HFM__OP_linear ? program->operands[n->in[1]].weight : NULL;
}

/* Room for the kept panels of all products. */
HFM__PRIVATE void hfm__program_panels(const hfm__program *program, const hfm_model *model) {
  for (size_t i = 0; i < program->graph.node_count; i++)
    hfm__panels_reserve(&model->cpu, hfm__product_weight(program, i), program->graph.nodes[i].attrs.transposed);
}

/* Traces, fuses and plans a forward for bounds. *out is NULL on failure. */
HFM__PRIVATE hfm_result hfm__program_create(hfm_model *model, const hfm__request *request,
                                            const int64_t bounds[HFM__SYM_COUNT], hfm__program **out,
                                            hfm_error *error) {
  hfm__program *program = (hfm__program *)hfm__alloc_zero(&model->ctx.mem, sizeof *program);
  hfm_result result;
  *out = NULL;
  if (!program) return hfm__fail_memory(error, "a forward", sizeof *program);
  program->asked = request->asked;
  program->asked.present = 0;
  result = hfm__trace(model, request, &program->graph, error);
  for (int32_t i = 0; i < HFM__IN_COUNT; i++)
    if (program->graph.inputs[i].value) program->asked.present |= 1u << i;
  if (result == HFM_OK && request->asked.use_cache && !hfm__state_count(&program->graph))
    result = hfm__fail(error, HFM_E_INPUT_UNEXPECTED, NULL, "use_cache", 0,
                       "use_cache: %s keeps no keys and values; only decoders do", model->architecture);
  if (result == HFM_OK && request->asked.logits_to_keep && model->head->task != HFM_CAUSAL_LM)
    result = hfm__fail(error, HFM_E_INPUT_UNEXPECTED, NULL, "logits_to_keep", 0,
                       "logits_to_keep: %s has no logits of every position to keep the last of; only models for "
                       "causal-lm take it",
                       model->architecture);
  for (size_t i = 0; i < program->graph.dim_count; i++)
    if (program->graph.dims[i].kind == HFM__DIM_symbol) program->symbols |= 1u << program->graph.dims[i].value;
  if (result == HFM_OK) result = hfm__fuse(&program->graph, error);
  if (result == HFM_OK) result = hfm__plan_make(&program->graph, bounds, &program->plan, error);
  if (result == HFM_OK) result = hfm__program_tables(program, error);
  if (result == HFM_OK) {
    hfm__dims_evaluate(&program->graph, bounds, program->dims);
    hfm__program_bind(program, model, NULL, NULL);
    for (size_t i = 0; i < program->graph.node_count; i++) {
      hfm__op_args args;
      if (!hfm__is_op(&program->graph.nodes[i])) continue;
      hfm__node_args(program, model, &program->graph.nodes[i], &args);
      program->scratch = HFM__MAX(program->scratch, hfm__cpu_ops[program->graph.nodes[i].op].scratch(&args));
    }
    if (model->weights) hfm__program_panels(program, model);
  }
  if (result == HFM_OK) *out = program;
  else hfm__program_free(&model->ctx.mem, program);
  return result;
}

/* Does a program serve this request? Its bounds and guards must include it. */
HFM__PRIVATE int hfm__program_serves(const hfm__program *program, const hfm__request *request) {
  if (memcmp(&program->asked, &request->asked, sizeof program->asked) != 0) return 0;
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++)
    if ((program->symbols >> i & 1) && request->binding[i] > program->plan.bounds[i]) return 0;
  hfm__dims_evaluate(&program->graph, request->binding, program->dims);
  for (size_t i = 0; i < program->graph.guard_count; i++) {
    const hfm__guard *guard = &program->graph.guards[i];
    if ((program->dims[guard->x.id] < program->dims[guard->y.id]) != guard->less) return 0;
  }
  return 1;
}
