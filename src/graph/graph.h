/* ==== graph/graph (private): the computation, traced over symbolic dimensions ====================================
   Nodes in the order in which they run, over values; a value's shape is made of dimension expressions, so one trace
   serves every batch and length. Plain data with indices. */

/* Dimensions that a call binds. */
enum {
  HFM__SYM_BATCH,
  HFM__SYM_LENGTH,
  HFM__SYM_HEIGHT,
  HFM__SYM_WIDTH,
  HFM__SYM_POSITION_ROWS, /* of position_ids: the batch, or 1 */
  HFM__SYM_TARGET,        /* positions of the decoder's own input; in models without an encoder the length */
  HFM__SYM_TOTAL,         /* positions with this call's: what the session's cache holds, then TARGET */
  HFM__SYM_COUNT
};

#define HFM__DIM_LIST(X) X(constant) X(symbol) X(add) X(sub) X(mul) X(floordiv) X(ceildiv) X(mod) X(min) X(max)
#define HFM__DIM_ENUM(name) HFM__DIM_##name,
enum { HFM__DIM_LIST(HFM__DIM_ENUM) HFM__DIM_KINDS };
#undef HFM__DIM_ENUM

typedef struct hfm__dim_expression {
  int32_t kind;   /* HFM__DIM_... */
  int64_t value;  /* constant: itself; symbol: HFM__SYM_... */
  hfm__dim a, b;  /* operands, always defined earlier */
  int64_t traced; /* what it was when this graph was traced: decides branches */
} hfm__dim_expression;

/* x < y held when this was traced: a binding where it does not needs another trace. */
typedef struct hfm__guard {
  hfm__dim x, y;
  int32_t less;
} hfm__guard;

/* A bound on a call that no shape expresses: x <= limit, or the error names `input` and says why. */
typedef struct hfm__requirement {
  hfm__dim x;
  int64_t limit;
  int32_t input;
  const char *reason;
} hfm__requirement;

/* Inputs of a forward, in hfm_inputs' order: X(name). */
#define HFM__INPUT_LIST(X) \
  X(input_ids) X(attention_mask) X(token_type_ids) X(position_ids) X(inputs_embeds) X(pixel_values) X(labels) \
  X(decoder_input_ids) X(decoder_attention_mask) X(decoder_inputs_embeds)
#define HFM__INPUT_ENUM(name) HFM__IN_##name,
enum { HFM__INPUT_LIST(HFM__INPUT_ENUM) HFM__IN_COUNT };
#undef HFM__INPUT_ENUM

typedef struct hfm__input_row {
  const char *name;
  size_t offset; /* in hfm_inputs */
} hfm__input_row;
static const hfm__input_row hfm__input_rows[] = {
#define HFM__INPUT_ROW(name) {#name, offsetof(hfm_inputs, name)},
    HFM__INPUT_LIST(HFM__INPUT_ROW)
#undef HFM__INPUT_ROW
};

/* Single outputs, in hfm_outputs' order, then those that are lists. */
#define HFM__OUTPUT_LIST(X) \
  X(last_hidden_state) X(pooler_output) X(logits) X(start_logits) X(end_logits) X(cls_logits) X(distillation_logits) \
  X(encoder_last_hidden_state)
#define HFM__OUTPUT_LISTS(X) \
  X(hidden_states) X(attentions) X(encoder_hidden_states) X(encoder_attentions) X(decoder_hidden_states) \
  X(decoder_attentions) X(cross_attentions)
#define HFM__OUTPUT_ENUM(name) HFM__OUT_##name,
enum {
  HFM__OUTPUT_LIST(HFM__OUTPUT_ENUM) HFM__OUT_SINGLE,
  HFM__OUT_BEFORE_LISTS = HFM__OUT_SINGLE - 1,
  HFM__OUTPUT_LISTS(HFM__OUTPUT_ENUM) HFM__OUT_COUNT,
  HFM__OUT_LISTS = HFM__OUT_COUNT - HFM__OUT_SINGLE
};
#undef HFM__OUTPUT_ENUM

typedef struct hfm__output_row {
  const char *name;
  uint16_t offset, count_offset; /* in hfm_outputs */
} hfm__output_row;
static const hfm__output_row hfm__output_rows[] = {
#define HFM__OUTPUT_ROW(name) {#name, (uint16_t)offsetof(hfm_outputs, name), 0},
#define HFM__OUTPUT_LIST_ROW(name) \
  {#name, (uint16_t)offsetof(hfm_outputs, name), (uint16_t)offsetof(hfm_outputs, name##_count)},
    HFM__OUTPUT_LIST(HFM__OUTPUT_ROW) HFM__OUTPUT_LISTS(HFM__OUTPUT_LIST_ROW)
#undef HFM__OUTPUT_ROW
#undef HFM__OUTPUT_LIST_ROW
};

enum {
  HFM__VALUE_NODE,
  HFM__VALUE_VIEW,
  HFM__VALUE_INPUT,
  HFM__VALUE_PARAMETER,
  HFM__VALUE_CONSTANT,
  HFM__VALUE_STATE
};

typedef struct hfm__value {
  int32_t kind;       /* HFM__VALUE_... */
  int32_t source;     /* node; input HFM__IN_...; parameter; of constants and states the index in their list */
  int32_t base;       /* of a view: the value whose memory it shows (never a view itself); otherwise itself */
  int32_t contiguous; /* row-major without gaps, whatever the binding */
  hfm_dtype dtype;    /* of a parameter: known when it is acquired */
  int32_t rank;
  hfm__dim shape[HFM_MAX_RANK];
} hfm__value;

typedef struct hfm__node {
  int32_t op;                                               /* HFM__OP_..., or a view */
  int32_t module;                                           /* whose forward made it, for messages */
  int32_t group;                                            /* nodes of one group run together (graph/plan.c) */
  int32_t in[HFM__MAX_OP_INPUTS], out[HFM__MAX_OP_OUTPUTS]; /* values, 0: none */
  hfm__dim dims[1];                                         /* iota, slice: where it starts */
  hfm__attrs attrs;
} hfm__node;

/* What an input must look like. */
typedef struct hfm__graph_input {
  int32_t value;            /* 0: this graph does not take it */
  int64_t limit;            /* integers must be below this; 0: any */
  const char *limit_reason; /* "the vocabulary", for the message */
  int64_t marker;           /* with marker_name: an id that each row has as often as the others, once at least */
  const char *marker_name;  /* NULL: there is none */
  int64_t filler;           /* with filler_name: an id that no row consists of */
  const char *filler_name;  /* NULL: there is none */
} hfm__graph_input;

typedef struct hfm__graph_output {
  int32_t kind; /* HFM__OUT_... */
  int32_t value;
} hfm__graph_output;

typedef struct hfm__constant {
  const float *data;
  int64_t elements;
} hfm__constant;

/* What outlives a call and is read by the next one: the keys or values of an attention, [batch, positions, heads,
   head]. Each call adds its positions after those of the calls before; or those of the encoded text are put there once.
   How a session keeps, crops and copies it (run/cache.c) follows from what the attention that reads it can see. */
enum { HFM__MAX_WINDOWS = 4 }; /* different ones in a model's states */

typedef struct hfm__state {
  const char *name; /* "past_key_values.0.key" */
  int32_t value;
  int32_t values;   /* 1: laid out as values of attention, 0: as keys */
  int32_t once;     /* 1: keys or values of the encoded text, which every later call sees */
  int64_t window;   /* a position is seen by so many, from itself on, then it may go; 0: by all */
} hfm__state;

typedef struct hfm__graph {
  hfm__arena arena;
  hfm__dim_expression *dims;
  hfm__guard *guards;
  hfm__requirement *requirements;
  hfm__value *values; /* [0] is unused */
  hfm__node *nodes;
  hfm__graph_output *outputs;
  hfm__constant *constants;
  hfm__state *states; /* every graph of a model that has some has the same ones, in the same order */
  size_t dim_count, dim_capacity, guard_count, guard_capacity, requirement_count, requirement_capacity, value_count,
      value_capacity, node_count, node_capacity, output_count, output_capacity, constant_count, constant_capacity,
      state_count, state_capacity;
  hfm__graph_input inputs[HFM__IN_COUNT];
} hfm__graph;

/* 0 in a build whose families have none. */
HFM__PRIVATE size_t hfm__state_count(const hfm__graph *g) { return HFM__HAS_STATES ? g->state_count : 0; }

HFM__PRIVATE void hfm__graph_free(hfm__graph *g) {
  const hfm_allocator mem = g->arena.mem;
  hfm__free(&mem, g->dims, (uint64_t)g->dim_capacity * sizeof *g->dims);
  hfm__free(&mem, g->guards, (uint64_t)g->guard_capacity * sizeof *g->guards);
  hfm__free(&mem, g->requirements, (uint64_t)g->requirement_capacity * sizeof *g->requirements);
  hfm__free(&mem, g->values, (uint64_t)g->value_capacity * sizeof *g->values);
  hfm__free(&mem, g->nodes, (uint64_t)g->node_capacity * sizeof *g->nodes);
  hfm__free(&mem, g->outputs, (uint64_t)g->output_capacity * sizeof *g->outputs);
  hfm__free(&mem, g->constants, (uint64_t)g->constant_capacity * sizeof *g->constants);
  hfm__free(&mem, g->states, (uint64_t)g->state_capacity * sizeof *g->states);
  hfm__arena_free(&g->arena);
}

HFM__PRIVATE int64_t hfm__dim_apply(int32_t kind, int64_t a, int64_t b) {
  switch (kind) {
    case HFM__DIM_add:
      return a + b;
    case HFM__DIM_sub:
      return a - b;
    case HFM__DIM_mul:
      return a * b;
    case HFM__DIM_floordiv:
      return b > 0 ? a / b : 0;
    case HFM__DIM_ceildiv:
      return b > 0 ? (a + b - 1) / b : 0;
    case HFM__DIM_mod:
      return b > 0 ? a % b : 0;
    case HFM__DIM_min:
      return HFM__MIN(a, b);
    default:
      return HFM__MAX(a, b);
  }
}

/* Values of all dimension expressions under a binding of the symbols. */
HFM__PRIVATE void hfm__dims_evaluate(const hfm__graph *g, const int64_t binding[HFM__SYM_COUNT], int64_t *values) {
  for (size_t i = 0; i < g->dim_count; i++) {
    const hfm__dim_expression *d = &g->dims[i];
    if (d->kind == HFM__DIM_constant) values[i] = d->value;
    else if (d->kind == HFM__DIM_symbol) values[i] = binding[d->value];
    else values[i] = hfm__dim_apply(d->kind, values[d->a.id], values[d->b.id]);
  }
}
