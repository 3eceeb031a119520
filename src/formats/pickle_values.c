/* ==== formats/pickle_values (private): what the machine that reads pickles works on ==============================
   A pickle is a program. This machine knows the instructions that state dicts need, and a fixed list of globals,
   compared by their exact names; anything else is refused by its name. "Calling" one of the few functions makes a node
   that says so: nothing is looked up, imported or executed. Every instruction makes at most one object and one list
   cell, so memory is bounded by the stream, and by options.limits.max_structure_bytes, since an instruction may be one
   byte. Objects refer to each other by index, so sharing and cycles cost nothing. */

enum {
  HFM__PK_NONE,
  HFM__PK_BOOL,    /* integer: 0 or 1 */
  HFM__PK_INT,     /* integer */
  HFM__PK_OPAQUE,  /* floats, bytes, long integers, sets: a, b: where in the stream, 0 where that says nothing */
  HFM__PK_STRING,  /* a: first byte in the stream, b: length */
  HFM__PK_TUPLE,   /* these three: a: first cell, b: last cell, count */
  HFM__PK_LIST,
  HFM__PK_DICT,
  HFM__PK_GLOBAL,  /* a: index in hfm__pickle_globals */
  HFM__PK_STORAGE, /* a: its persistent id, a tuple */
  HFM__PK_TENSOR   /* a: the argument tuple of its rebuild function, b: that function's HFM__PK_CALL_..., count: where
                      in the stream it was called */
};

static const char *const hfm__pickle_kinds[] = {"None", "a truth value", "an integer", "a value that no tensor needs",
                                                "a string", "a tuple", "a list", "a dict", "a global", "a storage",
                                                "a tensor"};

typedef struct hfm__pickle_object {
  uint8_t kind;
  uint8_t ordered; /* dict: an OrderedDict */
  uint8_t listed;  /* dict: it was made of the first `count` pairs of the list `a`, looked at when somebody asks */
  uint32_t a, b;
  union {
    int64_t integer;
    uint64_t count;
  } u;
} hfm__pickle_object;

/* One element of a container. */
typedef struct hfm__pickle_cell {
  uint32_t key; /* dict only */
  uint32_t value;
  uint32_t next; /* 0 at the end */
} hfm__pickle_cell;

/* What may be done with a global. */
enum {
  HFM__PK_CALL_ORDERED_DICT,
  HFM__PK_CALL_TENSOR,    /* _rebuild_tensor: storage, offset, size, stride */
  HFM__PK_CALL_TENSOR_V2, /* ..., requires_grad, hooks[, metadata] */
  HFM__PK_CALL_TENSOR_V3, /* ..., requires_grad, hooks, dtype[, metadata] */
  HFM__PK_CALL_PARAMETER, /* tensor, requires_grad, hooks */
  HFM__PK_CALL_PARAMETER_STATE, /* the same and a state */
  HFM__PK_CALL_SIZE,      /* these four make something that no tensor needs: torch.Size(tuple) */
  HFM__PK_CALL_DEVICE,    /* torch.device(type[, index]) */
  HFM__PK_CALL_ENCODE,    /* _codecs.encode(text[, encoding]) */
  HFM__PK_CALL_SET,       /* set(), set(list) */
  HFM__PK_CLASS_STORAGE,  /* a value: dtype of its elements; 0: of bytes, the tensor says what they are */
  HFM__PK_VALUE_DTYPE     /* a value: a dtype */
};

enum { HFM__PK_NO_DTYPE = -1 }; /* known to torch, but nothing that a tensor here can have */

typedef struct hfm__pickle_global {
  const char *module, *name;
  int32_t role;
  hfm_dtype dtype;
} hfm__pickle_global;

#define HFM__STORAGES(module) \
  {module, "FloatStorage", HFM__PK_CLASS_STORAGE, HFM_F32}, {module, "DoubleStorage", HFM__PK_CLASS_STORAGE, HFM_F64}, \
  {module, "HalfStorage", HFM__PK_CLASS_STORAGE, HFM_F16}, \
  {module, "BFloat16Storage", HFM__PK_CLASS_STORAGE, HFM_BF16}, \
  {module, "LongStorage", HFM__PK_CLASS_STORAGE, HFM_I64}, {module, "IntStorage", HFM__PK_CLASS_STORAGE, HFM_I32}, \
  {module, "ShortStorage", HFM__PK_CLASS_STORAGE, HFM_I16}, {module, "CharStorage", HFM__PK_CLASS_STORAGE, HFM_I8}, \
  {module, "ByteStorage", HFM__PK_CLASS_STORAGE, HFM_U8}, {module, "BoolStorage", HFM__PK_CLASS_STORAGE, HFM_BOOL}, \
  {module, "ComplexFloatStorage", HFM__PK_CLASS_STORAGE, HFM_C64}, \
  {module, "ComplexDoubleStorage", HFM__PK_CLASS_STORAGE, HFM__PK_NO_DTYPE}
#define HFM__DTYPE(name, dtype) {"torch", name, HFM__PK_VALUE_DTYPE, dtype}

static const hfm__pickle_global hfm__pickle_globals[] = {
    {"collections", "OrderedDict", HFM__PK_CALL_ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor", HFM__PK_CALL_TENSOR, 0},
    {"torch._utils", "_rebuild_tensor_v2", HFM__PK_CALL_TENSOR_V2, 0},
    {"torch._utils", "_rebuild_tensor_v3", HFM__PK_CALL_TENSOR_V3, 0},
    {"torch._utils", "_rebuild_parameter", HFM__PK_CALL_PARAMETER, 0},
    {"torch._utils", "_rebuild_parameter_with_state", HFM__PK_CALL_PARAMETER_STATE, 0},
    {"torch", "Size", HFM__PK_CALL_SIZE, 0},
    {"torch", "device", HFM__PK_CALL_DEVICE, 0},
    {"_codecs", "encode", HFM__PK_CALL_ENCODE, 0},
    {"builtins", "set", HFM__PK_CALL_SET, 0},
    {"__builtin__", "set", HFM__PK_CALL_SET, 0},
    HFM__STORAGES("torch"),
    HFM__STORAGES("torch.cuda"),
    {"torch.storage", "UntypedStorage", HFM__PK_CLASS_STORAGE, 0},
    {"torch.storage", "_UntypedStorage", HFM__PK_CLASS_STORAGE, 0},
    {"torch.storage", "TypedStorage", HFM__PK_CLASS_STORAGE, 0},
    HFM__DTYPE("float8_e4m3fn", HFM_F8_E4M3),
    HFM__DTYPE("float8_e5m2", HFM_F8_E5M2),
    HFM__DTYPE("float8_e4m3fnuz", HFM_F8_E4M3FNUZ),
    HFM__DTYPE("float8_e5m2fnuz", HFM_F8_E5M2FNUZ),
    HFM__DTYPE("float8_e8m0fnu", HFM_F8_E8M0),
    HFM__DTYPE("float4_e2m1fn_x2", HFM__PK_NO_DTYPE),
    HFM__DTYPE("uint16", HFM_U16),
    HFM__DTYPE("uint32", HFM_U32),
    HFM__DTYPE("uint64", HFM_U64),
    HFM__DTYPE("float32", HFM_F32),
    HFM__DTYPE("float16", HFM_F16),
    HFM__DTYPE("bfloat16", HFM_BF16),
    HFM__DTYPE("float64", HFM_F64),
    HFM__DTYPE("int8", HFM_I8),
    HFM__DTYPE("int16", HFM_I16),
    HFM__DTYPE("int32", HFM_I32),
    HFM__DTYPE("int64", HFM_I64),
    HFM__DTYPE("uint8", HFM_U8),
    HFM__DTYPE("bool", HFM_BOOL),
};
#undef HFM__STORAGES
#undef HFM__DTYPE

enum { HFM__PK_PERSISTENT = 5, HFM__PK_PERSISTENT_VIEW }; /* elements of a persistent id: in a zip archive; before */

/* Values that nothing can change are made once: they are most of what the pickles of models hold. */
enum { HFM__PK_SHARED_BOOL = 256 /* below: integers */, HFM__PK_SHARED_TUPLE = 258, HFM__PK_SHARED };

typedef struct hfm__pickle {
  const hfm_allocator *mem;
  const char *file;   /* for errors */
  const uint8_t *data;
  size_t size, pos;
  uint64_t base;      /* of data[0] in the file */
  uint32_t persistent; /* elements of a persistent id */
  size_t op;          /* where the running instruction began */
  hfm__pickle_object *objects; /* objects[0] is None, for everybody */
  size_t object_count, object_capacity;
  uint32_t shared[HFM__PK_SHARED]; /* 0: not made yet */
  hfm__pickle_cell *cells; /* cells[0] is not used */
  size_t cell_count, cell_capacity;
  uint32_t *stack;
  size_t stack_count, stack_capacity;
  uint32_t *marks;    /* heights of the stack */
  size_t mark_count, mark_capacity;
  uint32_t *memo;     /* object + 1; 0: not set */
  size_t memo_capacity;
  uint64_t memo_used; /* slots that are set: MEMOIZE takes the one with this number */
  hfm_error *error;
  hfm_result result;  /* of the first error */
} hfm__pickle;

HFM__PRIVATE void hfm__pickle_begin(hfm__pickle *p, const hfm_allocator *mem, const char *file, const uint8_t *data,
                                    size_t size, uint64_t base, uint32_t persistent, hfm_error *error) {
  memset(p, 0, sizeof *p);
  p->persistent = persistent;
  p->mem = mem;
  p->file = file;
  p->data = data;
  p->size = size;
  p->base = base;
  p->error = error;
}

HFM__PRIVATE void hfm__pickle_end(hfm__pickle *p) {
  hfm__free(p->mem, p->objects, (uint64_t)p->object_capacity * sizeof *p->objects);
  hfm__free(p->mem, p->cells, (uint64_t)p->cell_capacity * sizeof *p->cells);
  hfm__free(p->mem, p->stack, (uint64_t)p->stack_capacity * sizeof *p->stack);
  hfm__free(p->mem, p->marks, (uint64_t)p->mark_capacity * sizeof *p->marks);
  hfm__free(p->mem, p->memo, (uint64_t)p->memo_capacity * sizeof *p->memo);
  memset(p, 0, sizeof *p);
}

/* Always 0, so that an instruction can return it. */
HFM__PRIVATE int hfm__pickle_fail(hfm__pickle *p, int32_t item, const char *format, ...) {
  const uint64_t offset = p->base + p->op;
  char problem[320];
  hfm__text t = hfm__text_to(problem, sizeof problem);
  va_list args;
  if (p->result != HFM_OK) return 0;
  va_start(args, format);
  hfm__text_vformat(&t, format, args);
  va_end(args);
  p->result = hfm__fail(p->error, item, p->file, NULL, offset, "byte %u: pickle: %s", offset, problem);
  return 0;
}

/* The same, with what the object in question is. */
HFM__PRIVATE int hfm__pickle_wrong(hfm__pickle *p, int32_t item, const char *problem, uint32_t object) {
  const hfm__pickle_object *o = &p->objects[object];
  if (o->kind == HFM__PK_INT) return hfm__pickle_fail(p, item, "%s, found %i", problem, o->u.integer);
  return hfm__pickle_fail(p, item, "%s, found %s", problem, hfm__pickle_kinds[o->kind]);
}

HFM__PRIVATE int hfm__pickle_memory(hfm__pickle *p) {
  if (p->result == HFM_OK) p->result = hfm__fail_memory(p->error, "a pickle's objects", 0);
  return 0;
}

/* ---- Stack, objects, cells ---- */

HFM__PRIVATE int hfm__pickle_push(hfm__pickle *p, uint32_t object) {
  void *grown = hfm__grow(p->mem, p->stack, p->stack_count, &p->stack_capacity, sizeof *p->stack);
  if (!grown) return hfm__pickle_memory(p);
  p->stack = (uint32_t *)grown;
  p->stack[p->stack_count++] = object;
  return 1;
}

/* No instruction reaches below the innermost mark. */
HFM__PRIVATE size_t hfm__pickle_height(const hfm__pickle *p) {
  return p->stack_count - (p->mark_count ? p->marks[p->mark_count - 1] : 0);
}

HFM__PRIVATE int hfm__pickle_need(hfm__pickle *p, size_t count) {
  char code[40];
  hfm__text t = hfm__text_to(code, sizeof code);
  if (hfm__pickle_height(p) >= count) return 1;
  hfm__text_quoted(&t, (const char *)p->data + p->op, 1);
  return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "instruction %s takes %u values from the stack, found %u", code,
                          (uint64_t)count, (uint64_t)hfm__pickle_height(p));
}

HFM__PRIVATE int hfm__pickle_pop(hfm__pickle *p, uint32_t *object) {
  if (!hfm__pickle_need(p, 1)) return 0;
  *object = p->stack[--p->stack_count];
  return 1;
}

HFM__PRIVATE int hfm__pickle_top(hfm__pickle *p, uint32_t *object) {
  if (!hfm__pickle_pop(p, object)) return 0;
  p->stack_count++;
  return 1;
}

HFM__PRIVATE int hfm__pickle_mark(hfm__pickle *p) {
  void *grown = hfm__grow(p->mem, p->marks, p->mark_count, &p->mark_capacity, sizeof *p->marks);
  if (!grown) return hfm__pickle_memory(p);
  p->marks = (uint32_t *)grown;
  p->marks[p->mark_count++] = (uint32_t)p->stack_count;
  return 1;
}

/* Removes the innermost mark; *first: the stack's height there. What lies above is still in its place. */
HFM__PRIVATE int hfm__pickle_to_mark(hfm__pickle *p, size_t *first) {
  *first = 0;
  if (p->mark_count == 0)
    return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "a mark below the values on the stack expected, found none");
  *first = p->marks[--p->mark_count];
  return 1;
}

HFM__PRIVATE hfm__pickle_object *hfm__pickle_new(hfm__pickle *p, int32_t kind) {
  void *grown = p->object_count < UINT32_MAX - 1
                    ? hfm__grow(p->mem, p->objects, p->object_count, &p->object_capacity, sizeof *p->objects)
                    : NULL;
  hfm__pickle_object *object;
  if (!grown) {
    (void)hfm__pickle_memory(p);
    return NULL;
  }
  p->objects = (hfm__pickle_object *)grown;
  object = &p->objects[p->object_count++];
  memset(object, 0, sizeof *object);
  object->kind = (uint8_t)kind;
  return object;
}

/* A new object on the stack. */
HFM__PRIVATE hfm__pickle_object *hfm__pickle_make(hfm__pickle *p, int32_t kind) {
  hfm__pickle_object *object = hfm__pickle_new(p, kind);
  return object && hfm__pickle_push(p, (uint32_t)(p->object_count - 1)) ? object : NULL;
}

HFM__PRIVATE int hfm__pickle_make_int(hfm__pickle *p, int32_t kind, int64_t value) {
  hfm__pickle_object *object = hfm__pickle_make(p, kind);
  if (object) object->u.integer = value;
  return object != NULL;
}

/* A value that is made once. */
HFM__PRIVATE int hfm__pickle_push_shared(hfm__pickle *p, int32_t which, int32_t kind, int64_t value) {
  if (p->shared[which]) return hfm__pickle_push(p, p->shared[which]);
  p->shared[which] = (uint32_t)p->object_count;
  return hfm__pickle_make_int(p, kind, value);
}

/* Appends to a container. */
HFM__PRIVATE int hfm__pickle_append(hfm__pickle *p, uint32_t container, uint32_t key, uint32_t value) {
  void *grown = p->cell_count < UINT32_MAX - 2
                    ? hfm__grow(p->mem, p->cells, p->cell_count + 1, &p->cell_capacity, sizeof *p->cells)
                    : NULL;
  hfm__pickle_object *object = &p->objects[container];
  hfm__pickle_cell *cell;
  if (!grown) return hfm__pickle_memory(p);
  p->cells = (hfm__pickle_cell *)grown;
  if (p->cell_count == 0) p->cell_count = 1;
  cell = &p->cells[p->cell_count];
  cell->key = key;
  cell->value = value;
  cell->next = 0;
  if (object->b) p->cells[object->b].next = (uint32_t)p->cell_count;
  else object->a = (uint32_t)p->cell_count;
  object->b = (uint32_t)p->cell_count++;
  object->u.count++;
  return 1;
}

/* A tuple or list of what lies on the stack from `first` on, in its place. */
HFM__PRIVATE int hfm__pickle_collect(hfm__pickle *p, int32_t kind, size_t first) {
  const uint32_t container = (uint32_t)p->object_count;
  if (!hfm__pickle_new(p, kind)) return 0;
  for (size_t i = first; i < p->stack_count; i++)
    if (!hfm__pickle_append(p, container, 0, p->stack[i])) return 0;
  p->stack_count = first;
  return hfm__pickle_push(p, container);
}

HFM__PRIVATE int hfm__pickle_collect_top(hfm__pickle *p, int32_t kind, size_t count) {
  return hfm__pickle_need(p, count) && hfm__pickle_collect(p, kind, p->stack_count - count);
}

/* Key and value pairs from `first` on go into a dict. */
HFM__PRIVATE int hfm__pickle_set_items(hfm__pickle *p, uint32_t dict, size_t first) {
  if ((p->stack_count - first) % 2)
    return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "keys and as many values expected, found %u of both together",
                            (uint64_t)(p->stack_count - first));
  if (p->objects[dict].kind != HFM__PK_DICT || p->objects[dict].listed)
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TYPE, "items can only be set in a dict that was made empty", dict);
  for (size_t i = first; i < p->stack_count; i += 2)
    if (!hfm__pickle_append(p, dict, p->stack[i], p->stack[i + 1])) return 0;
  p->stack_count = first;
  return 1;
}

/* ---- What lies in objects ---- */

/* Element `index` of a tuple or list, which must have it. */
HFM__PRIVATE uint32_t hfm__pickle_element(const hfm__pickle *p, uint32_t container, uint64_t index) {
  uint32_t cell = p->objects[container].a;
  for (; index; index--) cell = p->cells[cell].next;
  return p->cells[cell].value;
}

HFM__PRIVATE int hfm__pickle_is(const hfm__pickle *p, uint32_t object, int32_t kind) {
  return p->objects[object].kind == kind;
}

HFM__PRIVATE int hfm__pickle_text_is(const hfm__pickle *p, uint32_t object, const char *text) {
  const hfm__pickle_object *o = &p->objects[object];
  return o->kind == HFM__PK_STRING && o->b == strlen(text) && memcmp(p->data + o->a, text, o->b) == 0;
}

HFM__PRIVATE int hfm__pickle_is_global(const hfm__pickle *p, uint32_t object, int32_t role) {
  return p->objects[object].kind == HFM__PK_GLOBAL && hfm__pickle_globals[p->objects[object].a].role == role;
}

/* An integer from 0 on. */
HFM__PRIVATE int hfm__pickle_is_count(const hfm__pickle *p, uint32_t object) {
  return hfm__pickle_is(p, object, HFM__PK_INT) && p->objects[object].u.integer >= 0;
}

/* ---- Memo ---- */

/* Slots are numbered by the pickler, one after the other: a number beyond the bytes so far can't be one of them. */
HFM__PRIVATE int hfm__pickle_put(hfm__pickle *p, uint64_t slot) {
  uint32_t object;
  if (!hfm__pickle_top(p, &object)) return 0;
  if (slot > p->pos)
    return hfm__pickle_fail(p, HFM_E_PICKLE_MEMO, "a memo slot of at most %u expected here, found %u", (uint64_t)p->pos,
                            slot);
  while (slot >= p->memo_capacity) {
    const size_t old = p->memo_capacity;
    void *grown = hfm__grow(p->mem, p->memo, old, &p->memo_capacity, sizeof *p->memo);
    if (!grown) return hfm__pickle_memory(p);
    p->memo = (uint32_t *)grown;
    memset(p->memo + old, 0, (p->memo_capacity - old) * sizeof *p->memo);
  }
  if (!p->memo[slot]) p->memo_used++;
  p->memo[slot] = object + 1;
  return 1;
}

HFM__PRIVATE int hfm__pickle_get(hfm__pickle *p, uint64_t slot) {
  if (slot >= p->memo_capacity || !p->memo[slot])
    return hfm__pickle_fail(p, HFM_E_PICKLE_MEMO, "a memo slot that was filled before expected, found %u", slot);
  return hfm__pickle_push(p, p->memo[slot] - 1);
}
