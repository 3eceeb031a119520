/* ==== graph/trace (private): the second half of a description, as forward ========================================= */

/* ---- Dimensions ---- */

HFM__PRIVATE hfm__dim hfm__dim_make(hfm__builder *b, int32_t kind, int64_t value, hfm__dim x, hfm__dim y,
                                    int64_t traced) {
  hfm__graph *g = b->graph;
  hfm__dim d = {0};
  void *grown;
  if (!hfm__ok(b)) return d;
  for (size_t i = 0; i < g->dim_count; i++) {
    const hfm__dim_expression *e = &g->dims[i];
    if (e->kind == kind && e->value == value && e->a.id == x.id && e->b.id == y.id) {
      d.id = (int32_t)i;
      return d;
    }
  }
  grown = hfm__grow(&b->mem, g->dims, g->dim_count, &g->dim_capacity, sizeof *g->dims);
  if (!grown) {
    hfm__builder_memory(b);
    return d;
  }
  g->dims = (hfm__dim_expression *)grown;
  d.id = (int32_t)g->dim_count++;
  g->dims[d.id].kind = kind;
  g->dims[d.id].value = value;
  g->dims[d.id].a = x;
  g->dims[d.id].b = y;
  g->dims[d.id].traced = traced;
  return d;
}

HFM__PRIVATE hfm__dim hfm__fixed(hfm__builder *b, int64_t value) {
  const hfm__dim none = {0};
  return hfm__dim_make(b, HFM__DIM_constant, value, none, none, value);
}

HFM__PRIVATE hfm__dim hfm__symbol(hfm__builder *b, int32_t symbol) {
  const hfm__dim none = {0};
  return hfm__dim_make(b, HFM__DIM_symbol, symbol, none, none, b->binding[symbol]);
}

/* kind: HFM__DIM_add, ... Constants fold. */
HFM__PRIVATE hfm__dim hfm__dim_op(hfm__builder *b, int32_t kind, hfm__dim x, hfm__dim y) {
  int64_t now;
  if (!hfm__ok(b)) return x;
  now = hfm__dim_apply(kind, b->graph->dims[x.id].traced, b->graph->dims[y.id].traced);
  if (b->graph->dims[x.id].kind == HFM__DIM_constant && b->graph->dims[y.id].kind == HFM__DIM_constant)
    return hfm__fixed(b, now);
  return hfm__dim_make(b, kind, 0, x, y, now);
}

/* Is x < y in this call? A branch of the description: recorded, so that a call where it differs is traced anew. */
HFM__PRIVATE int hfm__dim_less(hfm__builder *b, hfm__dim x, hfm__dim y) {
  hfm__graph *g = b->graph;
  hfm__guard *guard;
  void *grown;
  if (!hfm__ok(b)) return 0;
  grown = hfm__grow(&b->mem, g->guards, g->guard_count, &g->guard_capacity, sizeof *g->guards);
  if (!grown) {
    hfm__builder_memory(b);
    return 0;
  }
  g->guards = (hfm__guard *)grown;
  guard = &g->guards[g->guard_count++];
  guard->x = x;
  guard->y = y;
  guard->less = g->dims[x.id].traced < g->dims[y.id].traced;
  return guard->less;
}

/* x <= limit in every call, or the error names the input and the reason. */
HFM__PRIVATE void hfm__require(hfm__builder *b, hfm__dim x, int64_t limit, int32_t input, const char *reason) {
  hfm__graph *g = b->graph;
  void *grown;
  if (!hfm__ok(b)) return;
  grown = hfm__grow(&b->mem, g->requirements, g->requirement_count, &g->requirement_capacity, sizeof *g->requirements);
  if (!grown) {
    hfm__builder_memory(b);
    return;
  }
  g->requirements = (hfm__requirement *)grown;
  g->requirements[g->requirement_count].x = x;
  g->requirements[g->requirement_count].limit = limit;
  g->requirements[g->requirement_count].input = input;
  g->requirements[g->requirement_count++].reason = reason;
}

/* ---- Values ---- */

HFM__PRIVATE hfm__val hfm__value_add(hfm__builder *b, int32_t kind, int32_t source, hfm_dtype dtype, int32_t rank,
                                     const hfm__dim *shape) {
  hfm__graph *g = b->graph;
  hfm__val handle = {0};
  hfm__value *v;
  void *grown;
  if (!hfm__ok(b)) return handle;
  grown = hfm__grow(&b->mem, g->values, g->value_count, &g->value_capacity, sizeof *g->values);
  if (!grown) {
    hfm__builder_memory(b);
    return handle;
  }
  g->values = (hfm__value *)grown;
  if (g->value_count == 0) memset(&g->values[g->value_count++], 0, sizeof *g->values);
  handle.id = (int32_t)g->value_count++;
  v = &g->values[handle.id];
  memset(v, 0, sizeof *v);
  v->kind = kind;
  v->source = source;
  v->base = handle.id;
  v->contiguous = 1;
  v->dtype = dtype;
  v->rank = rank;
  for (int32_t i = 0; i < rank; i++) v->shape[i] = shape[i];
  return handle;
}

HFM__PRIVATE const hfm__value *hfm__value_of(const hfm__builder *b, hfm__val v) { return &b->graph->values[v.id]; }

/* Dimension `axis` of a value; negative counts from the end. */
HFM__PRIVATE hfm__dim hfm__dim_of(const hfm__builder *b, hfm__val v, int32_t axis) {
  const hfm__dim none = {0};
  const hfm__value *value;
  if (!hfm__ok(b)) return none;
  value = hfm__value_of(b, v);
  return value->shape[axis < 0 ? value->rank + axis : axis];
}

HFM__PRIVATE int32_t hfm__rank_of(const hfm__builder *b, hfm__val v) {
  return hfm__ok(b) ? hfm__value_of(b, v)->rank : 0;
}

/* An empty node of the running module; NULL after an error. */
HFM__PRIVATE hfm__node *hfm__node_add(hfm__builder *b, int32_t op) {
  hfm__graph *g = b->graph;
  void *grown;
  if (!hfm__ok(b)) return NULL;
  grown = hfm__grow(&b->mem, g->nodes, g->node_count, &g->node_capacity, sizeof *g->nodes);
  if (!grown) {
    hfm__builder_memory(b);
    return NULL;
  }
  g->nodes = (hfm__node *)grown;
  memset(&g->nodes[g->node_count], 0, sizeof *g->nodes);
  g->nodes[g->node_count].op = op;
  g->nodes[g->node_count].module = b->module;
  return &g->nodes[g->node_count++];
}

/* An op with one output of that shape. */
HFM__PRIVATE hfm__val hfm__emit(hfm__builder *b, int32_t op, const hfm__attrs *attrs, hfm_dtype dtype, int32_t rank,
                                const hfm__dim *shape, hfm__val in0, hfm__val in1, hfm__val in2, hfm__val in3) {
  hfm__node *node = hfm__node_add(b, op);
  const hfm__val out = hfm__value_add(b, HFM__VALUE_NODE, (int32_t)b->graph->node_count - 1, dtype, rank, shape);
  if (!hfm__ok(b)) return out;
  if (attrs) node->attrs = *attrs;
  node->in[0] = in0.id;
  node->in[1] = in1.id;
  node->in[2] = in2.id;
  node->in[3] = in3.id;
  node->out[0] = out.id;
  return out;
}

/* A view of x: the same memory under another shape. */
HFM__PRIVATE hfm__val hfm__view(hfm__builder *b, int32_t op, const hfm__attrs *attrs, int32_t contiguous, int32_t rank,
                                const hfm__dim *shape, hfm__val x) {
  const hfm__val none = {0};
  const int32_t base = hfm__ok(b) ? hfm__value_of(b, x)->base : 0;
  const hfm_dtype dtype = hfm__ok(b) ? hfm__value_of(b, x)->dtype : 0;
  const hfm__val out = hfm__emit(b, op, attrs, dtype, rank, shape, x, none, none, none);
  if (hfm__ok(b)) {
    hfm__value *v = &b->graph->values[out.id];
    v->kind = HFM__VALUE_VIEW;
    v->base = base;
    v->contiguous = contiguous;
  }
  return out;
}

static const hfm__val hfm__no_value = {0};

/* ---- Inputs and outputs of the graph ---- */

HFM__PRIVATE int hfm__given(const hfm__builder *b, int32_t input) { return (b->asked.present >> input & 1) != 0; }

/* The argument of that name, which the caller gives. */
HFM__PRIVATE hfm__val hfm__input(hfm__builder *b, int32_t input, hfm_dtype dtype, int32_t rank, hfm__dim d0,
                                 hfm__dim d1, hfm__dim d2, hfm__dim d3) {
  hfm__dim shape[4];
  hfm__val value;
  shape[0] = d0;
  shape[1] = d1;
  shape[2] = d2;
  shape[3] = d3;
  if (hfm__ok(b) && b->graph->inputs[input].value) {
    value.id = b->graph->inputs[input].value;
    return value;
  }
  value = hfm__value_add(b, HFM__VALUE_INPUT, input, dtype, rank, shape);
  if (hfm__ok(b)) b->graph->inputs[input].value = value.id;
  return value;
}

/* Positions of this call in the side that is being traced. */
HFM__PRIVATE hfm__dim hfm__length(hfm__builder *b) { return hfm__symbol(b, b->side->length); }

/* An argument [batch, length] of integers in 0 .. limit - 1; `reason` says what the limit is. */
HFM__PRIVATE hfm__val hfm__input_ids(hfm__builder *b, int32_t input, int64_t limit, const char *reason) {
  const hfm__dim none = {0};
  const hfm__val value =
      hfm__input(b, input, HFM_I64, 2, hfm__symbol(b, HFM__SYM_BATCH), hfm__length(b), none, none);
  if (hfm__ok(b)) {
    b->graph->inputs[input].limit = limit;
    b->graph->inputs[input].limit_reason = reason;
  }
  return value;
}

/* How many positions attention reaches over: this call's, and the cached ones before them. */
HFM__PRIVATE hfm__dim hfm__total_length(hfm__builder *b) {
  return hfm__symbol(b, b->asked.use_cache ? b->side->total : b->side->length);
}

/* How many positions are cached. */
HFM__PRIVATE hfm__dim hfm__past_length(hfm__builder *b) {
  if (!b->asked.use_cache || b->side->total == b->side->length) return hfm__fixed(b, 0);
  return hfm__dim_op(b, HFM__DIM_sub, hfm__total_length(b), hfm__length(b));
}

/* The side's attention mask as "keep" flags [batch, total length], or nothing where the caller gives none: all ones. */
HFM__PRIVATE hfm__val hfm__input_mask(hfm__builder *b) {
  const hfm__dim none = {0};
  if (!hfm__given(b, b->side->mask)) return hfm__no_value;
  return hfm__input(b, b->side->mask, HFM_U8, 2, hfm__symbol(b, HFM__SYM_BATCH), hfm__total_length(b), none, none);
}

HFM__PRIVATE void hfm__output(hfm__builder *b, int32_t kind, hfm__val value);

/* ---- Movement ---- */

HFM__PRIVATE hfm__val hfm__copy(hfm__builder *b, hfm__val x) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  return hfm__emit(b, HFM__OP_copy, NULL, HFM_F32, rank, shape, x, hfm__no_value, hfm__no_value, hfm__no_value);
}

HFM__PRIVATE hfm__val hfm__contiguous(hfm__builder *b, hfm__val x) {
  return hfm__ok(b) && !hfm__value_of(b, x)->contiguous ? hfm__copy(b, x) : x;
}

/* A new shape over the same elements in order; copies only what is not contiguous. */
HFM__PRIVATE hfm__val hfm__reshape(hfm__builder *b, hfm__val x, int32_t rank, const hfm__dim *shape) {
  return hfm__view(b, HFM__VIEW_reshape, NULL, 1, rank, shape, hfm__contiguous(b, x));
}

/* [..., heads * size] as [..., heads, size]: splits the last dimension, so any strides will do. */
HFM__PRIVATE hfm__val hfm__split_heads(hfm__builder *b, hfm__val x, int64_t heads) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b)) return x;
  for (int32_t i = 0; i < rank - 1; i++) shape[i] = hfm__dim_of(b, x, i);
  shape[rank - 1] = hfm__fixed(b, heads);
  shape[rank] = hfm__dim_op(b, HFM__DIM_floordiv, hfm__dim_of(b, x, rank - 1), shape[rank - 1]);
  return hfm__view(b, HFM__VIEW_reshape, NULL, hfm__value_of(b, x)->contiguous, rank + 1, shape, x);
}

/* [..., heads, size] as [..., heads * size]. */
HFM__PRIVATE hfm__val hfm__merge_heads(hfm__builder *b, hfm__val x) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b)) return x;
  for (int32_t i = 0; i < rank - 2; i++) shape[i] = hfm__dim_of(b, x, i);
  shape[rank - 2] = hfm__dim_op(b, HFM__DIM_mul, hfm__dim_of(b, x, rank - 2), hfm__dim_of(b, x, rank - 1));
  return hfm__reshape(b, x, rank - 1, shape);
}

/* x[..., start : start + size, ...] along an axis. */
HFM__PRIVATE hfm__val hfm__slice_from(hfm__builder *b, hfm__val x, int32_t axis, hfm__dim start, hfm__dim size) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__attrs attrs;
  hfm__val out;
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b)) return x;
  memset(&attrs, 0, sizeof attrs);
  attrs.axis = axis < 0 ? rank + axis : axis;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  shape[attrs.axis] = size;
  out = hfm__view(b, HFM__VIEW_slice, &attrs, attrs.axis == 0, rank, shape, x);
  if (hfm__ok(b)) b->graph->nodes[hfm__value_of(b, out)->source].dims[0] = start;
  return out;
}

HFM__PRIVATE hfm__val hfm__slice(hfm__builder *b, hfm__val x, int32_t axis, int64_t start, hfm__dim size) {
  return hfm__slice_from(b, x, axis, hfm__fixed(b, start), size);
}

/* x[:, index] of [batch, length, size]: [batch, size]. */
HFM__PRIVATE hfm__val hfm__select_row(hfm__builder *b, hfm__val x, int64_t index) {
  hfm__dim shape[2];
  const hfm__val row = hfm__slice(b, x, 1, index, hfm__fixed(b, 1));
  shape[0] = hfm__dim_of(b, row, 0);
  shape[1] = hfm__dim_of(b, row, 2);
  return hfm__view(b, HFM__VIEW_reshape, NULL, 0, 2, shape, row);
}

/* x[..., index]: one element of the last dimension. */
HFM__PRIVATE hfm__val hfm__select_last(hfm__builder *b, hfm__val x, int64_t index) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  const hfm__val piece = hfm__copy(b, hfm__slice(b, x, rank - 1, index, hfm__fixed(b, 1)));
  for (int32_t i = 0; i < rank - 1; i++) shape[i] = hfm__dim_of(b, x, i);
  return hfm__reshape(b, piece, rank - 1, shape);
}

/* x of [1, ...] repeated along the first axis. */
HFM__PRIVATE hfm__val hfm__expand_batch(hfm__builder *b, hfm__val x) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  for (int32_t i = 0; i < rank; i++) shape[i] = i ? hfm__dim_of(b, x, i) : hfm__symbol(b, HFM__SYM_BATCH);
  return hfm__view(b, HFM__VIEW_expand, NULL, 0, rank, shape, x);
}

#ifdef HFM__WITH_IMAGES
HFM__PRIVATE hfm__val hfm__concat(hfm__builder *b, hfm__val x, hfm__val y, int32_t axis) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__attrs attrs;
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b)) return x;
  memset(&attrs, 0, sizeof attrs);
  attrs.axis = axis;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  shape[axis] = hfm__dim_op(b, HFM__DIM_add, shape[axis], hfm__dim_of(b, y, axis));
  return hfm__emit(b, HFM__OP_concat, &attrs, HFM_F32, rank, shape, x, y, hfm__no_value, hfm__no_value);
}
#endif

/* ---- Parameters and constants as values ---- */

/* The parameter as it is stored: for ops that read weights. A tied name shows its source. */
HFM__PRIVATE hfm__val hfm__stored(hfm__builder *b, hfm__par parameter) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__graph *g = b->graph;
  if (!hfm__ok(b) || !parameter.id) return hfm__no_value;
  if (b->tree->parameters[parameter.id].tied_to) parameter.id = b->tree->parameters[parameter.id].tied_to;
  for (size_t i = 1; i < g->value_count; i++) {
    hfm__val found;
    found.id = (int32_t)i;
    if (g->values[i].kind == HFM__VALUE_PARAMETER && g->values[i].source == parameter.id) return found;
  }
  for (int32_t i = 0; i < b->tree->parameters[parameter.id].rank; i++)
    shape[i] = hfm__fixed(b, b->tree->parameters[parameter.id].shape[i]);
  return hfm__value_add(b, HFM__VALUE_PARAMETER, parameter.id, HFM_DTYPE_AUTO, b->tree->parameters[parameter.id].rank,
                        shape);
}

/* The parameter as f32, for arithmetic. */
HFM__PRIVATE hfm__val hfm__param(hfm__builder *b, hfm__par parameter) {
  return hfm__copy(b, hfm__stored(b, parameter));
}

/* A vector that lives as long as the graph. */
HFM__PRIVATE hfm__val hfm__vector(hfm__builder *b, const float *data, int64_t elements) {
  hfm__graph *g = b->graph;
  hfm__dim shape;
  void *grown;
  if (!hfm__ok(b)) return hfm__no_value;
  grown = hfm__grow(&b->mem, g->constants, g->constant_count, &g->constant_capacity, sizeof *g->constants);
  if (!grown) {
    hfm__builder_memory(b);
    return hfm__no_value;
  }
  g->constants = (hfm__constant *)grown;
  g->constants[g->constant_count].data = data;
  g->constants[g->constant_count++].elements = elements;
  shape = hfm__fixed(b, elements);
  return hfm__value_add(b, HFM__VALUE_CONSTANT, (int32_t)g->constant_count - 1, HFM_F32, 1, &shape);
}

/* ---- Arithmetic ---- */

/* Broadcast shape of two values whose dimensions are equal or 1. */
HFM__PRIVATE hfm__val hfm__binary(hfm__builder *b, int32_t op, hfm__val x, hfm__val y) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rx = hfm__rank_of(b, x), ry = hfm__rank_of(b, y), rank = HFM__MAX(rx, ry);
  if (!hfm__ok(b)) return x;
  for (int32_t i = 0; i < rank; i++) {
    const hfm__dim one = hfm__fixed(b, 1);
    const hfm__dim dx = i < rank - rx ? one : hfm__dim_of(b, x, i - (rank - rx));
    const hfm__dim dy = i < rank - ry ? one : hfm__dim_of(b, y, i - (rank - ry));
    shape[i] = dx.id == one.id ? dy : dx;
  }
  return hfm__emit(b, op, NULL, HFM_F32, rank, shape, x, y, hfm__no_value, hfm__no_value);
}
HFM__PRIVATE hfm__val hfm__add(hfm__builder *b, hfm__val x, hfm__val y) { return hfm__binary(b, HFM__OP_add, x, y); }
#ifdef HFM__WITH_MUL
HFM__PRIVATE hfm__val hfm__mul(hfm__builder *b, hfm__val x, hfm__val y) { return hfm__binary(b, HFM__OP_mul, x, y); }

/* x times a number. */
HFM__PRIVATE hfm__val hfm__scaled(hfm__builder *b, hfm__val x, double factor) {
  float *constant = hfm__ok(b) ? (float *)hfm__arena_alloc(&b->graph->arena, sizeof *constant) : NULL;
  if (!constant) {
    hfm__builder_memory(b);
    return x;
  }
  *constant = (float)factor;
  return hfm__mul(b, x, hfm__vector(b, constant, 1));
}
#endif

/* An op that keeps the shape of its first input. */
HFM__PRIVATE hfm__val hfm__same_shape(hfm__builder *b, int32_t op, const hfm__attrs *attrs, hfm__val x, hfm__val in1,
                                      hfm__val in2) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  return hfm__emit(b, op, attrs, HFM_F32, rank, shape, x, in1, in2, hfm__no_value);
}

HFM__PRIVATE hfm__val hfm__activate(hfm__builder *b, int32_t activation, hfm__val x) {
  hfm__attrs attrs;
  memset(&attrs, 0, sizeof attrs);
  attrs.activation = activation;
  return hfm__same_shape(b, HFM__OP_unary, &attrs, x, hfm__no_value, hfm__no_value);
}

HFM__PRIVATE void hfm__output(hfm__builder *b, int32_t kind, hfm__val value) {
  hfm__graph *g = b->graph;
  void *grown;
  value = hfm__contiguous(b, value);
  if (!hfm__ok(b)) return;
  grown = hfm__grow(&b->mem, g->outputs, g->output_count, &g->output_capacity, sizeof *g->outputs);
  if (!grown) {
    hfm__builder_memory(b);
    return;
  }
  g->outputs = (hfm__graph_output *)grown;
  g->outputs[g->output_count].kind = kind;
  g->outputs[g->output_count++].value = value.id;
}

/* One more of hidden_states, if they are asked for. */
HFM__PRIVATE void hfm__hidden_state(hfm__builder *b, hfm__val x) {
  if (b->asked.hidden_states) hfm__output(b, b->side->hidden_states, x);
}

/* ---- Calling modules: the module's kind decides the op ---- */

HFM__PRIVATE hfm__val hfm__call_linear(hfm__builder *b, const hfm__module *m, hfm__val x, int32_t transposed,
                                       hfm__val residual) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__attrs attrs;
  const int32_t rank = hfm__rank_of(b, x);
  const hfm__par weight = m->weight, bias = m->bias;
  memset(&attrs, 0, sizeof attrs);
  attrs.transposed = transposed;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  if (!hfm__ok(b)) return x;
  shape[rank - 1] = hfm__fixed(b, b->tree->parameters[weight.id].shape[transposed ? 1 : 0]);
  return hfm__emit(b, HFM__OP_linear, &attrs, HFM_F32, rank, shape, x, hfm__stored(b, weight), hfm__stored(b, bias),
                   residual);
}

HFM__PRIVATE hfm__val hfm__call_embedding(hfm__builder *b, const hfm__module *m, hfm__val ids) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__val rows;
  const int32_t rank = hfm__rank_of(b, ids);
  const hfm__par weight = m->weight;
  const hfm__attrs attrs = m->attrs;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, ids, i);
  if (!hfm__ok(b)) return ids;
  shape[rank] = hfm__fixed(b, b->tree->parameters[weight.id].shape[1]);
  rows = hfm__emit(b, HFM__OP_embedding, &attrs, HFM_F32, rank + 1, shape, ids, hfm__stored(b, weight), hfm__no_value,
                   hfm__no_value);
#ifdef HFM__WITH_MUL
  if (hfm__ok(b) && m->embed_scale != 0)
    rows = hfm__scaled(b, rows, hfm__rounded(b->tree->parameters[weight.id].dtype, m->embed_scale));
#endif
  return rows;
}

#ifdef HFM__WITH_IMAGES
/* x [batch, channels, height, width] -> [batch, out height, out width, out channels]. */
HFM__PRIVATE hfm__val hfm__call_conv2d(hfm__builder *b, const hfm__module *m, hfm__val x) {
  hfm__dim shape[4];
  const hfm__par weight = m->weight, bias = m->bias;
  const hfm__attrs attrs = m->attrs;
  const int64_t *w;
  if (!hfm__ok(b)) return x;
  w = b->tree->parameters[weight.id].shape;
  shape[0] = hfm__dim_of(b, x, 0);
  for (int32_t i = 0; i < 2; i++) { /* (size + 2 padding - kernel) / stride + 1 */
    const int64_t reach = 2 * attrs.padding[i] - w[2 + i] + attrs.stride[i];
    const hfm__dim room = hfm__dim_op(b, HFM__DIM_add, hfm__dim_of(b, x, 2 + i), hfm__fixed(b, reach));
    shape[1 + i] = hfm__dim_op(b, HFM__DIM_floordiv, room, hfm__fixed(b, attrs.stride[i]));
  }
  shape[3] = hfm__fixed(b, w[0]);
  return hfm__emit(b, HFM__OP_conv2d, &attrs, HFM_F32, 4, shape, x, hfm__stored(b, weight), hfm__stored(b, bias),
                   hfm__no_value);
}
#endif

HFM__PRIVATE hfm__val hfm__call(hfm__builder *b, hfm__mod module, hfm__val x) {
  hfm__module m;
  if (!hfm__ok(b)) return x;
  m = b->tree->modules[module.id];
  b->module = module.id;
  switch (m.kind) {
    case HFM__MODULE_LINEAR:
      return hfm__call_linear(b, &m, x, 0, hfm__no_value);
    case HFM__MODULE_CONV1D:
      return hfm__call_linear(b, &m, x, 1, hfm__no_value);
#ifdef HFM__WITH_IMAGES
    case HFM__MODULE_CONV2D:
      return hfm__call_conv2d(b, &m, x);
#endif
    case HFM__MODULE_EMBEDDING:
      return hfm__call_embedding(b, &m, x);
    case HFM__MODULE_LAYER_NORM:
      return hfm__same_shape(b, HFM__OP_layer_norm, &m.attrs, x, hfm__stored(b, m.weight), hfm__stored(b, m.bias));
#ifdef HFM__WITH_RMS_NORM
    case HFM__MODULE_RMS_NORM:
      return hfm__same_shape(b, HFM__OP_rms_norm, &m.attrs, x, hfm__stored(b, m.weight), hfm__no_value);
#endif
    case HFM__MODULE_ACTIVATION:
      return hfm__activate(b, m.attrs.activation, x);
    default:
      return x; /* dropout: identity, models are in eval mode */
  }
}

#ifdef HFM__WITH_EXPERTS
/* ---- Mixture of experts ---- */

/* The `count` most probable of the last dimension: their probabilities, normalized or not, and which they are. */
HFM__PRIVATE hfm__val hfm__top_k(hfm__builder *b, hfm__val logits, int64_t count, int32_t normalized,
                                 hfm__val *chosen) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__attrs attrs;
  hfm__val out;
  const int32_t rank = hfm__rank_of(b, logits);
  *chosen = hfm__no_value;
  if (!hfm__ok(b)) return logits;
  memset(&attrs, 0, sizeof attrs);
  attrs.count = (int32_t)count;
  attrs.normalized = normalized;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, logits, i);
  shape[rank - 1] = hfm__fixed(b, count);
  out = hfm__emit(b, HFM__OP_top_k, &attrs, HFM_F32, rank, shape, logits, hfm__no_value, hfm__no_value, hfm__no_value);
  if (!hfm__ok(b)) return out;
  *chosen = hfm__value_add(b, HFM__VALUE_NODE, hfm__value_of(b, out)->source, HFM_I64, rank, shape);
  if (hfm__ok(b)) b->graph->nodes[hfm__value_of(b, out)->source].out[1] = chosen->id;
  return out;
}

/* x, a row for each token or for each of its choices, times the weights of the chosen experts: [..., choices, rows]. */
HFM__PRIVATE hfm__val hfm__experts(hfm__builder *b, hfm__val x, hfm__val chosen, hfm__par stack) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__attrs attrs;
  const int32_t rank = hfm__rank_of(b, chosen);
  if (!hfm__ok(b)) return x;
  memset(&attrs, 0, sizeof attrs);
  attrs.parts = b->tree->parameters[stack.id].parts;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, chosen, i);
  shape[rank] = hfm__fixed(b, b->tree->parameters[stack.id].shape[1]);
  return hfm__emit(b, HFM__OP_experts, &attrs, HFM_F32, rank + 1, shape, x, chosen, hfm__stored(b, stack),
                   hfm__no_value);
}

/* x [..., choices, size] and a weight for each choice: [..., size]. */
HFM__PRIVATE hfm__val hfm__weighted_sum(hfm__builder *b, hfm__val x, hfm__val weights) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b)) return x;
  for (int32_t i = 0; i < rank - 2; i++) shape[i] = hfm__dim_of(b, x, i);
  shape[rank - 2] = hfm__dim_of(b, x, rank - 1);
  return hfm__emit(b, HFM__OP_weighted_sum, NULL, HFM_F32, rank - 1, shape, x, weights, hfm__no_value, hfm__no_value);
}
#endif
