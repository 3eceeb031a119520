/* ==== graph/tree (private): the module tree =====================================================================
   What __init__ registers, in the order in which it does: names, torch class names, shapes, initialisers. print(model),
   state_dict, counts, loading and initialisation read this table and know no family. Plain data with indices. */

/* Handles are small indices with types of their own, so that a module can't be taken for a value. 0 is "none". */
typedef struct hfm__mod {
  int32_t id;
} hfm__mod;
typedef struct hfm__par {
  int32_t id;
} hfm__par;
typedef struct hfm__val {
  int32_t id;
} hfm__val;
typedef struct hfm__dim {
  int32_t id;
} hfm__dim;

enum {
  HFM__MODULE_CONTAINER, /* has children, computes nothing by itself */
  HFM__MODULE_LIST,      /* ModuleList: equal neighbours are printed as one */
  HFM__MODULE_LINEAR,
  HFM__MODULE_CONV1D, /* GPT-2's: weight [in, out] */
  HFM__MODULE_CONV2D,
  HFM__MODULE_EMBEDDING,
  HFM__MODULE_LAYER_NORM,
  HFM__MODULE_RMS_NORM,
  HFM__MODULE_ACTIVATION,
  HFM__MODULE_DROPOUT
};

typedef struct hfm__module {
  const char *name, *torch_class;
  const char *repr; /* what stands between the parentheses; NULL: the children do */
  int32_t kind;
  int32_t parent, next, first_child, last_child;
  int32_t first_parameter, last_parameter; /* its own; then hfm__parameter.next */
  hfm__par weight, bias;                   /* of the kinds that compute */
  hfm__attrs attrs;                        /* epsilon, offset, activation, stride, padding, first_row */
  double embed_scale;                      /* of an embedding: what its rows are multiplied by; 0: nothing */
} hfm__module;

enum {
  HFM__INIT_ZEROS,
  HFM__INIT_ONES,
  HFM__INIT_NORMAL,
  HFM__INIT_TRUNCATED, /* normal, but what is not from -2 to 2 is drawn again (torch.nn.init.trunc_normal_) */
  HFM__INIT_SINUSOIDAL, /* row p, columns 2i and 2i + 1: sine and cosine of p / 10000^(2i / columns) */
  HFM__INIT_SINUSOIDAL_HALVES /* the same, but all sines come before all cosines */
};

typedef struct hfm__parameter {
  const char *name;
  int32_t module, next; /* next of the same module */
  int32_t rank;
  int64_t shape[HFM_MAX_RANK];
  int32_t init;         /* HFM__INIT_... */
  float deviation;      /* of HFM__INIT_NORMAL and _TRUNCATED, before it is cut */
  int32_t padding;      /* row that is initialised to zero, or -1 */
  int32_t tied_to;      /* the parameter that this is another name of, or 0 */
  int32_t next_tied;    /* declared after this one, if this one is tied; 0: none */
  int32_t is_embedding; /* belongs to an Embedding */
  int32_t is_buffer;    /* in files and in state_dict, but no parameter */
  int32_t optional;     /* no news where files lack it */
  int32_t keep_in_fp32; /* where the model is loaded as float16: Transformers' _keep_in_fp32_modules */
  int32_t parts;        /* of a stack [count, rows, columns]: parts of the rows that files may hold apart; or 0 */
  hfm_dtype dtype;      /* as Transformers would hold it */
} hfm__parameter;

/* What Transformers would hold it in, where the model is loaded as `dtype`. */
HFM__PRIVATE hfm_dtype hfm__parameter_dtype(const hfm__parameter *p, hfm_dtype dtype) {
  return p->keep_in_fp32 && dtype == HFM_F16 ? HFM_F32 : dtype;
}

/* A tensor that is computed, not learned: counted in the memory footprint, and ignored where old files hold it. */
typedef struct hfm__buffer {
  const char *name;
  int32_t module;
  hfm_dtype dtype; /* HFM_DTYPE_AUTO until the load knows the model's */
  int64_t elements;
} hfm__buffer;

typedef struct hfm__tree {
  hfm__arena arena;           /* strings, and the family's own handles */
  hfm__module *modules;       /* [0] is unused, [1] the root */
  hfm__parameter *parameters; /* [0] is unused */
  hfm__buffer *buffers;
  int32_t first_tied, last_tied;
  const char *left_out; /* what the class leaves out of its family's models: no news where files have it; or NULL */
  size_t module_count, module_capacity, parameter_count, parameter_capacity, buffer_count, buffer_capacity;
} hfm__tree;

HFM__PRIVATE void hfm__tree_free(hfm__tree *tree) {
  const hfm_allocator mem = tree->arena.mem;
  hfm__free(&mem, tree->modules, (uint64_t)tree->module_capacity * sizeof *tree->modules);
  hfm__free(&mem, tree->parameters, (uint64_t)tree->parameter_capacity * sizeof *tree->parameters);
  hfm__free(&mem, tree->buffers, (uint64_t)tree->buffer_capacity * sizeof *tree->buffers);
  hfm__arena_free(&tree->arena);
}

/* Gives the model's dtype to the buffers that have no other. */
HFM__PRIVATE void hfm__tree_settle_buffers(hfm__tree *tree, hfm_dtype dtype) {
  for (size_t i = 0; i < tree->buffer_count; i++)
    if (tree->buffers[i].dtype == HFM_DTYPE_AUTO) tree->buffers[i].dtype = dtype;
}

/* The module after `module` in a walk of the whole tree, parents first; 0 at the end. */
HFM__PRIVATE int32_t hfm__tree_next(const hfm__tree *tree, int32_t module) {
  if (tree->modules[module].first_child) return tree->modules[module].first_child;
  while (module && !tree->modules[module].next) module = tree->modules[module].parent;
  return module ? tree->modules[module].next : 0;
}

/* "encoder.layer.0.attention": the dotted path below the root, "" for the root. */
HFM__PRIVATE void hfm__text_path(hfm__text *t, const hfm__tree *tree, int32_t module) {
  int32_t path[64], depth = 0;
  for (; module > 1 && depth < 64; module = tree->modules[module].parent) path[depth++] = module;
  while (depth--) {
    hfm__text_str(t, tree->modules[path[depth]].name);
    if (depth) hfm__text_char(t, '.');
  }
}

/* The name of a module's parameter or buffer in state_dict(). */
HFM__PRIVATE void hfm__text_member(hfm__text *t, const hfm__tree *tree, int32_t module, const char *name) {
  if (module > 1) {
    hfm__text_path(t, tree, module);
    hfm__text_char(t, '.');
  }
  hfm__text_str(t, name);
}

HFM__PRIVATE int64_t hfm__parameter_elements(const hfm__parameter *p) { return hfm__elements(p->shape, p->rank); }

/* In how many pieces of equal shape files may hold it; 0: as a whole only. */
HFM__PRIVATE int64_t hfm__parameter_pieces(const hfm__parameter *p) {
  return HFM__HAS_STACKS && p->parts ? p->shape[0] * p->parts : 0;
}
