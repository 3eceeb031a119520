/* ==== formats/pickle (private): a small machine that reads pickles and runs nothing ============================
   What its stack, memo and objects are stands in pickle_values.c. */

/* ---- Globals ---- */

HFM__PRIVATE int hfm__pickle_push_global(hfm__pickle *p, const char *module, size_t module_size, const char *name,
                                         size_t name_size) {
  char shown[300];
  hfm__text t = hfm__text_to(shown, sizeof shown);
  const uint64_t offset = p->base + p->op;
  for (uint32_t i = 0; i < HFM__COUNT(hfm__pickle_globals); i++) {
    const hfm__pickle_global *known = &hfm__pickle_globals[i];
    hfm__pickle_object *object;
    if (strlen(known->module) != module_size || memcmp(known->module, module, module_size) != 0) continue;
    if (strlen(known->name) != name_size || memcmp(known->name, name, name_size) != 0) continue;
    object = hfm__pickle_make(p, HFM__PK_GLOBAL);
    if (object) object->a = i;
    return object != NULL;
  }
  hfm__text_quoted(&t, module, module_size);
  hfm__text_char(&t, ' ');
  hfm__text_quoted(&t, name, name_size);
  p->result = hfm__fail(p->error, HFM_E_PICKLE_GLOBAL, p->file, shown, offset,
                        "byte %u: pickle: global %s is not allowed: only tensors and plain containers are read, and "
                        "nothing is executed",
                        offset, shown);
  return 0;
}

HFM__PRIVATE int hfm__pickle_line(hfm__pickle *p, const char **line, size_t *size) {
  const uint8_t *end = (const uint8_t *)memchr(p->data + p->pos, '\n', p->size - p->pos);
  if (!end) return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "a global's name does not end");
  *line = (const char *)p->data + p->pos;
  *size = (size_t)(end - p->data) - p->pos;
  p->pos += *size + 1;
  return 1;
}

/* GLOBAL: two lines. */
HFM__PRIVATE int hfm__pickle_read_global(hfm__pickle *p) {
  const char *module = NULL, *name = NULL;
  size_t module_size = 0, name_size = 0;
  return hfm__pickle_line(p, &module, &module_size) && hfm__pickle_line(p, &name, &name_size) &&
         hfm__pickle_push_global(p, module, module_size, name, name_size);
}

HFM__PRIVATE int hfm__pickle_stack_global(hfm__pickle *p) {
  uint32_t name, module;
  const hfm__pickle_object *n, *m;
  if (!hfm__pickle_need(p, 2) || !hfm__pickle_pop(p, &name) || !hfm__pickle_pop(p, &module)) return 0;
  n = &p->objects[name];
  m = &p->objects[module];
  if (n->kind != HFM__PK_STRING || m->kind != HFM__PK_STRING)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "a global's name must be two strings");
  return hfm__pickle_push_global(p, (const char *)p->data + m->a, m->b, (const char *)p->data + n->a, n->b);
}

/* ---- Calls ---- */

/* A storage: ('storage', class, key, location, numel); in a legacy stream, and only there, with a view behind it: None
   or (key, offset, numel). */
HFM__PRIVATE int hfm__pickle_persistent(hfm__pickle *p) {
  const int with_view = p->persistent == HFM__PK_PERSISTENT_VIEW;
  const char *problem = with_view ? "a persistent id must be ('storage', class, key, location, numel, view)"
                                  : "a persistent id must be ('storage', class, key, location, numel)";
  uint32_t id, e[HFM__PK_PERSISTENT_VIEW];
  hfm__pickle_object *object;
  if (!hfm__pickle_pop(p, &id)) return 0;
  if (!hfm__pickle_is(p, id, HFM__PK_TUPLE) || p->objects[id].u.count != p->persistent)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "%s", problem);
  for (uint64_t i = 0; i < p->objects[id].u.count; i++) e[i] = hfm__pickle_element(p, id, i);
  if (!hfm__pickle_text_is(p, e[0], "storage") || !hfm__pickle_is_global(p, e[1], HFM__PK_CLASS_STORAGE) ||
      !hfm__pickle_is(p, e[2], HFM__PK_STRING) || !hfm__pickle_is(p, e[3], HFM__PK_STRING) ||
      !hfm__pickle_is_count(p, e[4]))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "%s", problem);
  if (with_view && !hfm__pickle_is(p, e[5], HFM__PK_NONE)) {
    if (!hfm__pickle_is(p, e[5], HFM__PK_TUPLE) || p->objects[e[5]].u.count != 3 ||
        !hfm__pickle_is(p, hfm__pickle_element(p, e[5], 0), HFM__PK_STRING) ||
        !hfm__pickle_is_count(p, hfm__pickle_element(p, e[5], 1)) ||
        !hfm__pickle_is_count(p, hfm__pickle_element(p, e[5], 2)))
      return hfm__pickle_wrong(p, HFM_E_PICKLE_TYPE, "a storage's view must be None or (key, offset, numel)", e[5]);
  }
  object = hfm__pickle_make(p, HFM__PK_STORAGE);
  if (object) object->a = id;
  return object != NULL;
}

/* The sizes or strides of a tensor. */
HFM__PRIVATE int hfm__pickle_dims(hfm__pickle *p, uint32_t tuple) {
  if (!hfm__pickle_is(p, tuple, HFM__PK_TUPLE))
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TENSOR, "a tensor's sizes and strides must be tuples", tuple);
  if (p->objects[tuple].u.count > HFM_MAX_RANK)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TENSOR, "a tensor has at most 8 dimensions, found %u",
                            p->objects[tuple].u.count);
  for (uint32_t cell = p->objects[tuple].a; cell; cell = p->cells[cell].next)
    if (!hfm__pickle_is_count(p, p->cells[cell].value))
      return hfm__pickle_wrong(p, HFM_E_PICKLE_TENSOR, "each size and stride of a tensor must be an integer from 0 on",
                               p->cells[cell].value);
  return 1;
}

/* The types of a rebuild function's arguments; the numbers are checked where the storage's size is known. */
HFM__PRIVATE int hfm__pickle_rebuild(hfm__pickle *p, uint32_t args, int32_t role) {
  const uint64_t count = p->objects[args].u.count;
  const uint64_t least = role == HFM__PK_CALL_TENSOR ? 4 : role == HFM__PK_CALL_TENSOR_V2 ? 6 : 7;
  const uint64_t most = least + (role == HFM__PK_CALL_TENSOR ? 0 : 1);
  hfm__pickle_object *object;
  uint32_t storage, offset, size, stride;
  if (count < least || count > most)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "a tensor is made of %u to %u arguments, found %u", least, most,
                            count);
  storage = hfm__pickle_element(p, args, 0);
  offset = hfm__pickle_element(p, args, 1);
  size = hfm__pickle_element(p, args, 2);
  stride = hfm__pickle_element(p, args, 3);
  if (!hfm__pickle_is(p, storage, HFM__PK_STORAGE))
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TENSOR, "a tensor's first argument must be a storage", storage);
  if (!hfm__pickle_is_count(p, offset))
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TENSOR, "a tensor's offset must be an integer from 0 on", offset);
  if (!hfm__pickle_dims(p, size) || !hfm__pickle_dims(p, stride)) return 0;
  if (p->objects[size].u.count != p->objects[stride].u.count)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TENSOR, "as many sizes as strides of a tensor expected, found %u and %u",
                            p->objects[size].u.count, p->objects[stride].u.count);
  if (role == HFM__PK_CALL_TENSOR_V3 &&
      !hfm__pickle_is_global(p, hfm__pickle_element(p, args, 6), HFM__PK_VALUE_DTYPE))
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TENSOR, "a tensor's dtype must be one that torch has",
                             hfm__pickle_element(p, args, 6));
  object = hfm__pickle_make(p, HFM__PK_TENSOR);
  if (!object) return 0;
  object->a = args;
  object->b = (uint32_t)role;
  object->u.count = p->op;
  return 1;
}

/* OrderedDict(), or OrderedDict([(key, value), ...]). The list is not copied: it may be shared by any number of calls,
   and each would cost its length. */
HFM__PRIVATE int hfm__pickle_ordered_dict(hfm__pickle *p, uint32_t args) {
  const uint64_t count = p->objects[args].u.count;
  const uint32_t pairs = count == 1 ? hfm__pickle_element(p, args, 0) : 0;
  hfm__pickle_object *dict;
  if (count > 1 || (count == 1 && !hfm__pickle_is(p, pairs, HFM__PK_LIST)))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "an OrderedDict is made of nothing or of a list of pairs");
  dict = hfm__pickle_make(p, HFM__PK_DICT);
  if (!dict) return 0;
  dict->ordered = 1;
  dict->listed = count == 1;
  dict->a = pairs;
  dict->u.count = pairs ? p->objects[pairs].u.count : 0;
  return 1;
}

/* What no tensor needs; its arguments are what Python would take. */
HFM__PRIVATE int hfm__pickle_opaque(hfm__pickle *p, uint32_t args, int32_t role) {
  const uint64_t count = p->objects[args].u.count;
  const int32_t first = count ? (int32_t)p->objects[hfm__pickle_element(p, args, 0)].kind : (int32_t)HFM__PK_NONE;
  const int32_t second = 
      count == 2 ? (int32_t)p->objects[hfm__pickle_element(p, args, 1)].kind : (int32_t)HFM__PK_NONE;
  int fits;
  if (role == HFM__PK_CALL_SIZE) {
    fits = count == 1 && first == HFM__PK_TUPLE;
  } else if (role == HFM__PK_CALL_SET) {
    fits = count == 0 || (count == 1 && (first == HFM__PK_LIST || first == HFM__PK_TUPLE));
  } else {
    const int32_t expected = role == HFM__PK_CALL_DEVICE ? HFM__PK_INT : HFM__PK_STRING;
    fits = first == HFM__PK_STRING && (count == 1 || (count == 2 && second == expected));
  }
  if (!fits)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE,
                            "torch.Size takes a tuple of sizes, torch.device a string, encode strings, set a list");
  return hfm__pickle_make(p, HFM__PK_OPAQUE) != NULL;
}

HFM__PRIVATE int hfm__pickle_call(hfm__pickle *p) {
  uint32_t args, function;
  uint64_t count;
  int32_t role;
  if (!hfm__pickle_need(p, 2) || !hfm__pickle_pop(p, &args) || !hfm__pickle_pop(p, &function)) return 0;
  if (!hfm__pickle_is(p, args, HFM__PK_TUPLE) || !hfm__pickle_is(p, function, HFM__PK_GLOBAL))
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TYPE, "a call needs a function and a tuple",
                             hfm__pickle_is(p, args, HFM__PK_TUPLE) ? function : args);
  role = hfm__pickle_globals[p->objects[function].a].role;
  switch (role) {
    case HFM__PK_CALL_ORDERED_DICT: return hfm__pickle_ordered_dict(p, args);
    case HFM__PK_CALL_TENSOR:
    case HFM__PK_CALL_TENSOR_V2:
    case HFM__PK_CALL_TENSOR_V3: return hfm__pickle_rebuild(p, args, role);
    case HFM__PK_CALL_PARAMETER:
    case HFM__PK_CALL_PARAMETER_STATE:
      count = role == HFM__PK_CALL_PARAMETER ? 3 : 4;
      if (p->objects[args].u.count != count)
        return hfm__pickle_fail(p, HFM_E_PICKLE_TENSOR, "a parameter is made of %u arguments, found %u", count,
                                p->objects[args].u.count);
      if (!hfm__pickle_is(p, hfm__pickle_element(p, args, 0), HFM__PK_TENSOR))
        return hfm__pickle_wrong(p, HFM_E_PICKLE_TENSOR, "a parameter's first argument must be a tensor",
                                 hfm__pickle_element(p, args, 0));
      return hfm__pickle_push(p, hfm__pickle_element(p, args, 0));
    case HFM__PK_CALL_SIZE:
    case HFM__PK_CALL_DEVICE:
    case HFM__PK_CALL_ENCODE:
    case HFM__PK_CALL_SET: return hfm__pickle_opaque(p, args, role);
    default: return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "a storage class or dtype is a value and can't be called");
  }
}

/* cls.__new__(cls): of an OrderedDict or a set. */
HFM__PRIVATE int hfm__pickle_new_object(hfm__pickle *p) {
  uint32_t args, type;
  if (!hfm__pickle_need(p, 2) || !hfm__pickle_pop(p, &args) || !hfm__pickle_pop(p, &type)) return 0;
  if (!hfm__pickle_is(p, args, HFM__PK_TUPLE))
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TYPE, "creating an object needs a class and a tuple", args);
  if (hfm__pickle_is_global(p, type, HFM__PK_CALL_SET)) return hfm__pickle_opaque(p, args, HFM__PK_CALL_SET);
  if (p->objects[args].u.count != 0 || !hfm__pickle_is_global(p, type, HFM__PK_CALL_ORDERED_DICT))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "only an empty OrderedDict or a set can be created so");
  return hfm__pickle_ordered_dict(p, args);
}

/* Attributes of an OrderedDict (torch's _metadata): nothing that a tensor needs. */
HFM__PRIVATE int hfm__pickle_build(hfm__pickle *p) {
  uint32_t state, object;
  if (!hfm__pickle_need(p, 2) || !hfm__pickle_pop(p, &state) || !hfm__pickle_top(p, &object)) return 0;
  if (!hfm__pickle_is(p, object, HFM__PK_DICT) || !p->objects[object].ordered)
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TYPE, "only an OrderedDict can be given attributes", object);
  return 1;
}

/* ---- The machine ---- */

/* A length of `width` bytes, then so many bytes, which must be there before anything is made of them. */
HFM__PRIVATE int hfm__pickle_counted(hfm__pickle *p, size_t width, size_t *start, size_t *size) {
  uint64_t length = 0;
  *start = *size = 0;
  if (p->size - p->pos < width) return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "the stream ends in an instruction");
  for (size_t i = 0; i < width; i++) length |= (uint64_t)p->data[p->pos + i] << 8 * i;
  p->pos += width;
  if (length > p->size - p->pos)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "a length of %u bytes, but %u are left", length,
                            (uint64_t)(p->size - p->pos));
  *start = p->pos;
  *size = (size_t)length;
  p->pos += *size;
  return 1;
}

HFM__PRIVATE int hfm__pickle_make_span(hfm__pickle *p, int32_t kind, size_t width) {
  size_t start, size;
  hfm__pickle_object *object;
  if (!hfm__pickle_counted(p, width, &start, &size)) return 0;
  object = hfm__pickle_make(p, kind);
  if (!object) return 0;
  object->a = (uint32_t)start;
  object->b = (uint32_t)size;
  return 1;
}

/* LONG1: an integer if it has at most 8 bytes, little-endian two's complement. */
HFM__PRIVATE int hfm__pickle_long(hfm__pickle *p) {
  size_t start, size;
  uint64_t value = 0;
  hfm__pickle_object *object;
  if (!hfm__pickle_counted(p, 1, &start, &size)) return 0;
  object = hfm__pickle_make(p, size > 8 ? HFM__PK_OPAQUE : HFM__PK_INT);
  if (!object) return 0;
  if (size > 8) {
    object->a = (uint32_t)start;
    object->b = (uint32_t)size;
    return 1;
  }
  if (size && p->data[start + size - 1] & 0x80) value = UINT64_MAX;
  for (size_t i = size; i-- > 0;) value = value << 8 | p->data[start + i];
  memcpy(&object->u.integer, &value, sizeof value);
  return 1;
}

/* Instructions with an operand of fixed width follow the table below: its bytes as a little-endian number. */
HFM__PRIVATE int hfm__pickle_operand(hfm__pickle *p, size_t width, uint64_t *value) {
  *value = 0;
  if (p->size - p->pos < width) return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "the stream ends in an instruction");
  for (size_t i = 0; i < width; i++) *value |= (uint64_t)p->data[p->pos + i] << 8 * i;
  p->pos += width;
  return 1;
}

HFM__PRIVATE int hfm__pickle_int32(hfm__pickle *p) {
  uint64_t value;
  if (!hfm__pickle_operand(p, 4, &value)) return 0;
  return hfm__pickle_make_int(p, HFM__PK_INT,
                              value & 0x80000000u ? (int64_t)value - ((int64_t)1 << 32) : (int64_t)value);
}

/* What lies above the mark goes into the object below it. */
HFM__PRIVATE int hfm__pickle_extend(hfm__pickle *p, int32_t kind) {
  size_t first;
  uint32_t object;
  if (!hfm__pickle_to_mark(p, &first)) return 0;
  if (first <= (p->mark_count ? p->marks[p->mark_count - 1] : 0))
    return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "a list, set or dict below the mark expected, found nothing");
  object = p->stack[first - 1];
  if (kind == HFM__PK_DICT) return hfm__pickle_set_items(p, object, first);
  if (!hfm__pickle_is(p, object, kind))
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TYPE, "elements can only be added to a list or a set", object);
  for (size_t i = first; kind == HFM__PK_LIST && i < p->stack_count; i++)
    if (!hfm__pickle_append(p, object, 0, p->stack[i])) return 0;
  p->stack_count = first;
  return 1;
}

/* One value (list) or a key and a value (dict) go into the object below them. */
HFM__PRIVATE int hfm__pickle_add_one(hfm__pickle *p, int32_t kind) {
  const size_t count = kind == HFM__PK_DICT ? 2 : 1;
  uint32_t object;
  if (!hfm__pickle_need(p, count + 1)) return 0;
  object = p->stack[p->stack_count - count - 1];
  if (kind == HFM__PK_DICT) return hfm__pickle_set_items(p, object, p->stack_count - 2);
  if (!hfm__pickle_is(p, object, HFM__PK_LIST))
    return hfm__pickle_wrong(p, HFM_E_PICKLE_TYPE, "elements can only be added to a list", object);
  return hfm__pickle_append(p, object, 0, p->stack[--p->stack_count]);
}

HFM__PRIVATE int hfm__pickle_drop(hfm__pickle *p) {
  uint32_t object;
  if (hfm__pickle_height(p) == 0 && p->mark_count) {
    p->mark_count--;
    return 1;
  }
  return hfm__pickle_pop(p, &object);
}

HFM__PRIVATE int hfm__pickle_collect_marked(hfm__pickle *p, int32_t kind) {
  size_t first;
  return hfm__pickle_to_mark(p, &first) && hfm__pickle_collect(p, kind, first);
}

HFM__PRIVATE int hfm__pickle_dict_marked(hfm__pickle *p) {
  const uint32_t dict = (uint32_t)p->object_count;
  size_t first;
  return hfm__pickle_to_mark(p, &first) && hfm__pickle_new(p, HFM__PK_DICT) && hfm__pickle_set_items(p, dict, first) &&
         hfm__pickle_push(p, dict);
}

HFM__PRIVATE int hfm__pickle_unknown(hfm__pickle *p, uint8_t code) {
  char shown[40];
  hfm__text t = hfm__text_to(shown, sizeof shown);
  hfm__text_quoted(&t, (const char *)&code, 1);
  return hfm__pickle_fail(p, HFM_E_PICKLE_OPCODE, "instruction %d %s is not allowed: no state dict needs it", (int)code,
                          shown);
}

/* One instruction; 0 on error. */
HFM__PRIVATE int hfm__pickle_step(hfm__pickle *p, uint8_t code) {
  size_t start;
  uint64_t value;
  switch (code) {
    case 0x80: /* PROTO */
      if (!hfm__pickle_operand(p, 1, &value)) return 0;
      if (value < 2 || value > 5)
        return hfm__pickle_fail(p, HFM_E_PICKLE_OPCODE, "only pickle protocols 2 to 5 are read, found %u", value);
      return 1;
    case 0x95: /* FRAME */
      if (!hfm__pickle_operand(p, 8, &value)) return 0;
      if (value > p->size - p->pos)
        return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "a frame of %u bytes, but %u are left", value,
                                (uint64_t)(p->size - p->pos));
      return 1;
    case '(': return hfm__pickle_mark(p);
    case '0': return hfm__pickle_drop(p); /* POP */
    case '1':                             /* POP_MARK */
      if (!hfm__pickle_to_mark(p, &start)) return 0;
      p->stack_count = start;
      return 1;
    case 'q': return hfm__pickle_operand(p, 1, &value) && hfm__pickle_put(p, value); /* BINPUT */
    case 'r': return hfm__pickle_operand(p, 4, &value) && hfm__pickle_put(p, value); /* LONG_BINPUT */
    case 'h': return hfm__pickle_operand(p, 1, &value) && hfm__pickle_get(p, value); /* BINGET */
    case 'j': return hfm__pickle_operand(p, 4, &value) && hfm__pickle_get(p, value); /* LONG_BINGET */
    case 0x94: return hfm__pickle_put(p, p->memo_used);                              /* MEMOIZE */
    case 'N': return hfm__pickle_push(p, 0);                                         /* NONE */
    case 0x88:                                                                       /* NEWTRUE, NEWFALSE */
    case 0x89: return hfm__pickle_push_shared(p, HFM__PK_SHARED_BOOL + (code & 1), HFM__PK_BOOL, code == 0x88);
    case 'J': return hfm__pickle_int32(p);                                           /* BININT */
    case 'K': /* BININT1 */
      return hfm__pickle_operand(p, 1, &value) &&
             hfm__pickle_push_shared(p, (int32_t)value, HFM__PK_INT, (int64_t)value);
    case 'M': /* BININT2 */
      return hfm__pickle_operand(p, 2, &value) && hfm__pickle_make_int(p, HFM__PK_INT, (int64_t)value);
    case 0x8a: return hfm__pickle_long(p);                                           /* LONG1 */
    case 0x8b: return hfm__pickle_make_span(p, HFM__PK_OPAQUE, 4);                   /* LONG4 */
    case 'G': return hfm__pickle_operand(p, 8, &value) && hfm__pickle_make(p, HFM__PK_OPAQUE); /* BINFLOAT */
    case 'X':
    case 'T': return hfm__pickle_make_span(p, HFM__PK_STRING, 4); /* BINUNICODE, BINSTRING */
    case 0x8c:
    case 'U': return hfm__pickle_make_span(p, HFM__PK_STRING, 1); /* SHORT_BINUNICODE, SHORT_BINSTRING */
    case 0x8d: return hfm__pickle_make_span(p, HFM__PK_STRING, 8); /* BINUNICODE8 */
    case 'C': return hfm__pickle_make_span(p, HFM__PK_OPAQUE, 1);  /* SHORT_BINBYTES */
    case 'B': return hfm__pickle_make_span(p, HFM__PK_OPAQUE, 4);  /* BINBYTES */
    case 0x8e: return hfm__pickle_make_span(p, HFM__PK_OPAQUE, 8); /* BINBYTES8 */
    case ')': return hfm__pickle_push_shared(p, HFM__PK_SHARED_TUPLE, HFM__PK_TUPLE, 0); /* EMPTY_TUPLE */
    case 0x85: return hfm__pickle_collect_top(p, HFM__PK_TUPLE, 1);
    case 0x86: return hfm__pickle_collect_top(p, HFM__PK_TUPLE, 2);
    case 0x87: return hfm__pickle_collect_top(p, HFM__PK_TUPLE, 3);
    case 't': return hfm__pickle_collect_marked(p, HFM__PK_TUPLE);
    case 'l': return hfm__pickle_collect_marked(p, HFM__PK_LIST);
    case ']': return hfm__pickle_make(p, HFM__PK_LIST) != NULL; /* EMPTY_LIST */
    case '}': return hfm__pickle_make(p, HFM__PK_DICT) != NULL; /* EMPTY_DICT */
    case 0x8f: return hfm__pickle_make(p, HFM__PK_OPAQUE) != NULL; /* EMPTY_SET */
    case 'd': return hfm__pickle_dict_marked(p);                /* DICT */
    case 'a': return hfm__pickle_add_one(p, HFM__PK_LIST);      /* APPEND */
    case 'e': return hfm__pickle_extend(p, HFM__PK_LIST);       /* APPENDS */
    case 0x90: return hfm__pickle_extend(p, HFM__PK_OPAQUE);    /* ADDITEMS */
    case 's': return hfm__pickle_add_one(p, HFM__PK_DICT);      /* SETITEM */
    case 'u': return hfm__pickle_extend(p, HFM__PK_DICT);       /* SETITEMS */
    case 'c': return hfm__pickle_read_global(p);
    case 0x93: return hfm__pickle_stack_global(p);
    case 'R': return hfm__pickle_call(p);       /* REDUCE */
    case 0x81: return hfm__pickle_new_object(p); /* NEWOBJ */
    case 'b': return hfm__pickle_build(p);      /* BUILD */
    case 'Q': return hfm__pickle_persistent(p); /* BINPERSID */
    default: return hfm__pickle_unknown(p, code);
  }
}

/* Runs one pickle from p->pos to its STOP; *root is its value. Objects of earlier runs stay; memo and stack don't. */
HFM__PRIVATE hfm_result hfm__pickle_run(hfm__pickle *p, uint32_t *root) {
  p->stack_count = p->mark_count = 0;
  p->memo_used = 0;
  if (p->memo) memset(p->memo, 0, p->memo_capacity * sizeof *p->memo);
  *root = 0;
  if (p->object_count == 0 && !hfm__pickle_new(p, HFM__PK_NONE)) return p->result;
  p->op = p->pos;
  if (p->size - p->pos < 2 || p->data[p->pos] != 0x80) {
    (void)hfm__pickle_fail(p, HFM_E_PICKLE_OPCODE, "a pickle of protocol 2 or later begins with the byte 0x80");
    return p->result;
  }
  for (;;) {
    uint8_t code;
    p->op = p->pos;
    if (p->pos >= p->size) {
      (void)hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "the stream ends without STOP");
      return p->result;
    }
    code = p->data[p->pos++];
    if (code == '.') break;
    if (!hfm__pickle_step(p, code)) return p->result;
  }
  if (p->mark_count || p->stack_count != 1) {
    (void)hfm__pickle_fail(p, HFM_E_PICKLE_STACK,
                           "STOP takes one value and no mark from the stack, found %u and %u",
                           (uint64_t)p->stack_count, (uint64_t)p->mark_count);
    return p->result;
  }
  *root = p->stack[0];
  return HFM_OK;
}
