/* ==== run/inputs (private): the caller's tensors, checked and copied ==============================================
   Nothing that a caller passes reaches a kernel unchecked: rank, shape, dtype and the range of every id are compared
   with what the graph declared, and an error names the input, what was expected and what was found. */

HFM__PRIVATE const hfm_tensor *hfm__input_tensor(const hfm_inputs *inputs, int32_t input) {
  return (const hfm_tensor *)(const void *)((const uint8_t *)inputs + hfm__input_rows[input].offset);
}

/* Which symbol each axis of an input binds; -1: none, as a mask that covers the cache, too. */
HFM__PRIVATE int32_t hfm__input_symbol(int32_t input, int32_t axis, int32_t use_cache) {
  if (input == HFM__IN_pixel_values)
    return axis == 0 ? HFM__SYM_BATCH : axis == 2 ? HFM__SYM_HEIGHT : axis == 3 ? HFM__SYM_WIDTH : -1;
  if (axis == 0) return input == HFM__IN_position_ids ? HFM__SYM_POSITION_ROWS : HFM__SYM_BATCH;
  if (use_cache && (input == HFM__IN_attention_mask || input == HFM__IN_decoder_attention_mask)) return -1;
  if (axis != 1) return -1;
  return input >= HFM__IN_decoder_input_ids ? HFM__SYM_TARGET : HFM__SYM_LENGTH;
}

HFM__PRIVATE int32_t hfm__input_rank(int32_t input) {
  return input == HFM__IN_pixel_values                                                   ? 4
         : input == HFM__IN_inputs_embeds || input == HFM__IN_decoder_inputs_embeds ? 3
                                                                                        : 2;
}

HFMODEL_API hfm_inputs hfm_input_ids(const int64_t *ids, int64_t batch, int64_t length) {
  hfm_inputs inputs;
  memset(&inputs, 0, sizeof inputs);
  inputs.input_ids = hfm_tensor_i64(ids, batch, length);
  return inputs;
}

/* Which inputs are there, and what else they ask for. */
HFM__PRIVATE hfm_result hfm__question_from(const hfm_inputs *inputs, hfm__question *asked, hfm_error *error) {
  memset(asked, 0, sizeof *asked);
  if (inputs->labels.data)
    return hfm__fail(error, HFM_E_LABELS_UNSUPPORTED, NULL, "labels", 0,
                     "labels: losses aren't computed yet; leave labels empty and compare the logits yourself");
  if (inputs->logits_to_keep < 0)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "logits_to_keep", 0,
                     "logits_to_keep is %d, but must be at least 1, or 0 for all", (int)inputs->logits_to_keep);
  if (!HFM__HAS_STATES && inputs->use_cache)
    return hfm__fail(error, HFM_E_INPUT_UNEXPECTED, NULL, "use_cache", 0,
                     "use_cache: this build keeps no keys and values (HFMODEL_NO_CACHE, or no family with a decoder)");
  for (int32_t i = 0; i < HFM__IN_COUNT; i++)
    if (hfm__input_tensor(inputs, i)->data) asked->present |= 1u << i;
  asked->hidden_states = inputs->output_hidden_states != 0;
  asked->attentions = inputs->output_attentions != 0;
  asked->use_cache = inputs->use_cache != 0;
  asked->logits_to_keep = inputs->logits_to_keep;
  return HFM_OK;
}

/* What the inputs ask for, and what they bind: the first that has a dimension decides it. */
HFM__PRIVATE hfm_result hfm__request_from(const hfm_inputs *inputs, hfm__request *request, hfm_error *error) {
  const hfm_result result = hfm__question_from(inputs, &request->asked, error);
  if (result != HFM_OK) return result;
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++) request->binding[i] = -1;
  for (int32_t i = 0; i < HFM__IN_COUNT; i++) {
    const hfm_tensor *tensor = hfm__input_tensor(inputs, i);
    if (!tensor->data) continue;
    if (tensor->rank != hfm__input_rank(i))
      return hfm__fail(error, HFM_E_INPUT_RANK, NULL, hfm__input_rows[i].name, 0,
                       "%s has %d dimensions, but needs %d: %s", hfm__input_rows[i].name, (int)tensor->rank,
                       (int)hfm__input_rank(i),
                       i == HFM__IN_pixel_values    ? "[batch, channels, height, width]"
                       : hfm__input_rank(i) == 3 ? "[batch, length, hidden]"
                                                 : "[batch, length]");
    for (int32_t axis = 0; axis < tensor->rank; axis++) {
      const int32_t symbol = hfm__input_symbol(i, axis, request->asked.use_cache);
      if (tensor->shape[axis] < 1 || tensor->shape[axis] > INT32_MAX)
        return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, hfm__input_rows[i].name, 0,
                         "%s has shape %t: every dimension must be from 1 to %d", hfm__input_rows[i].name,
                         tensor->shape, (int)tensor->rank, (int)INT32_MAX);
      if (symbol >= 0 && request->binding[symbol] < 0) request->binding[symbol] = tensor->shape[axis];
    }
  }
  if (request->binding[HFM__SYM_TARGET] < 0) request->binding[HFM__SYM_TARGET] = request->binding[HFM__SYM_LENGTH];
  if (request->binding[HFM__SYM_POSITION_ROWS] > 1)
    request->binding[HFM__SYM_POSITION_ROWS] = request->binding[HFM__SYM_BATCH];
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++) request->binding[i] = HFM__MAX(request->binding[i], 1);
  return HFM_OK;
}

/* The inputs that are given must be those that the program takes. */
HFM__PRIVATE hfm_result hfm__check_presence(const hfm_model *model, uint32_t taken, uint32_t given, hfm_error *error) {
  for (int32_t i = 0; i < HFM__IN_COUNT; i++) {
    const char *name = hfm__input_rows[i].name;
    const int32_t takes = (int32_t)(taken >> i & 1), has = (int32_t)(given >> i & 1);
    if (takes && !has)
      return hfm__fail(error, HFM_E_INPUT_MISSING, NULL, name, 0, "%s needs %s", model->architecture, name);
    if (has && !takes)
      return hfm__fail(error, HFM_E_INPUT_UNEXPECTED, NULL, name, 0, "%s does not take %s", model->architecture, name);
  }
  return HFM_OK;
}

HFM__PRIVATE int64_t hfm__integer_at(const hfm_tensor *tensor, int64_t i) {
  switch (tensor->dtype) {
    case HFM_I64:
      return ((const int64_t *)tensor->data)[i];
    case HFM_I32:
      return ((const int32_t *)tensor->data)[i];
    case HFM_I16:
      return ((const int16_t *)tensor->data)[i];
    case HFM_I8:
      return ((const int8_t *)tensor->data)[i];
    case HFM_U16:
      return ((const uint16_t *)tensor->data)[i];
    case HFM_U32:
      return ((const uint32_t *)tensor->data)[i];
    case HFM_U64: {
      const uint64_t v = ((const uint64_t *)tensor->data)[i];
      return v > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)v;
    }
    default:
      return ((const uint8_t *)tensor->data)[i]; /* U8, BOOL */
  }
}

HFM__PRIVATE int hfm__is_integer(hfm_dtype dtype) { return dtype >= HFM_I64 && dtype <= HFM_BOOL; }

/* Any non-zero byte pattern keeps; for floats -0.0 is zero. */
HFM__PRIVATE int hfm__is_nonzero(const hfm_tensor *tensor, int64_t i) {
  if (tensor->dtype == HFM_F32) return (hfm__float_bits(((const float *)tensor->data)[i]) & 0x7fffffffu) != 0;
  if (tensor->dtype == HFM_F64) return (hfm__double_bits(((const double *)tensor->data)[i]) & (UINT64_MAX >> 1)) != 0;
  if (tensor->dtype == HFM_F16 || tensor->dtype == HFM_BF16) return (((const uint16_t *)tensor->data)[i] & 0x7fff) != 0;
  return hfm__integer_at(tensor, i) != 0;
}

HFM__PRIVATE hfm_result hfm__input_bad_dtype(int32_t input, const hfm_tensor *tensor, const char *needed,
                                             hfm_error *error) {
  const char *name = hfm__input_rows[input].name, *found = hfm_dtype_name(tensor->dtype);
  if (!found)
    return hfm__fail(error, HFM_E_INPUT_DTYPE, NULL, name, 0, "%s has dtype %d, which is none, but needs %s", name,
                     (int)tensor->dtype, needed);
  return hfm__fail(error, HFM_E_INPUT_DTYPE, NULL, name, 0, "%s has dtype %s, but needs %s", name, found, needed);
}

/* The marker must be in each row, and as often as in the first. */
HFM__PRIVATE hfm_result hfm__check_marker(const char *name, const hfm__graph_input *declared, const hfm__operand *ids,
                                          hfm_error *error) {
  int64_t first = 0;
  for (int64_t row = 0; row < ids->shape[0]; row++) {
    int64_t count = 0;
    for (int64_t i = 0; i < ids->shape[1]; i++)
      count += ((const int64_t *)ids->data)[row * ids->shape[1] + i] == declared->marker;
    if (row == 0) first = count;
    if (count == 0 || count != first)
      return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, name, 0,
                       "%s[%i] has %i of %s, which is %i, but each row needs at least one, and as many as the first, "
                       "which has %i",
                       name, row, count, declared->marker_name, declared->marker, first);
  }
  return HFM_OK;
}

/* Each row must have something else than the filler. */
HFM__PRIVATE hfm_result hfm__check_filler(const char *name, const hfm__graph_input *declared, const hfm__operand *ids,
                                          hfm_error *error) {
  for (int64_t row = 0; row < ids->shape[0]; row++) {
    const int64_t *id = (const int64_t *)ids->data + row * ids->shape[1], *end = id + ids->shape[1];
    while (id < end && *id == declared->filler) id++;
    if (id == end)
      return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, name, 0, "%s[%i] has nothing but %s, which is %i", name, row,
                       declared->filler_name, declared->filler);
  }
  return HFM_OK;
}

/* Checks the elements of one input, whose shape is right, and copies them to `to`. */
HFM__PRIVATE hfm_result hfm__input_copy(int32_t input, const hfm__graph_input *declared, const hfm_tensor *tensor,
                                        const hfm__operand *to, hfm_error *error) {
  const int64_t elements = hfm__elements(to->shape, to->rank);
  const char *name = hfm__input_rows[input].name;
  hfm_result result = HFM_OK;
  if (to->dtype == HFM_F32) {
    if (tensor->dtype != HFM_F32) return hfm__input_bad_dtype(input, tensor, "float32", error);
    memcpy(to->data, tensor->data, (size_t)elements * sizeof(float));
  } else if (to->dtype == HFM_U8) {
    if (!hfm__is_integer(tensor->dtype) && !hfm__is_float(tensor->dtype))
      return hfm__input_bad_dtype(input, tensor, "an integer, bool or float type", error);
    for (int64_t i = 0; i < elements; i++) ((uint8_t *)to->data)[i] = (uint8_t)hfm__is_nonzero(tensor, i);
  } else {
    if (!hfm__is_integer(tensor->dtype))
      return hfm__input_bad_dtype(input, tensor, "an integer type (int64, int32, ...)", error);
    for (int64_t i = 0; i < elements; i++) {
      const int64_t id = hfm__integer_at(tensor, i);
      if (declared->limit && (id < 0 || id >= declared->limit)) /* positions without a table may be any */
        return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, name, 0,
                         "%s[%i][%i] is %i, but must be from 0 to %i (%s is %i)", name, i / to->shape[1],
                         i % to->shape[1], id, declared->limit - 1, declared->limit_reason, declared->limit);
      ((int64_t *)to->data)[i] = id;
    }
    if (declared->marker_name) result = hfm__check_marker(name, declared, to, error);
    if (result == HFM_OK && declared->filler_name) result = hfm__check_filler(name, declared, to, error);
  }
  return result;
}

/* Requirements that no shape expresses. */
HFM__PRIVATE hfm_result hfm__check_requirements(const hfm__program *program, hfm_error *error) {
  for (size_t i = 0; i < program->graph.requirement_count; i++) {
    const hfm__requirement *r = &program->graph.requirements[i];
    const int64_t found = program->dims[r->x.id];
    const int is_batch = program->graph.dims[r->x.id].value == HFM__SYM_BATCH;
    if (found > r->limit)
      return hfm__fail(error, HFM_E_INPUT_TOO_LONG, NULL, hfm__input_rows[r->input].name, 0,
                       "%s has %s %i%s, but this model takes at most %i (%s)", hfm__input_rows[r->input].name,
                       is_batch ? "batch size" : "length", found,
                       is_batch || !program->asked.use_cache ? "" : " with the cache", r->limit, r->reason);
  }
  return HFM_OK;
}

/* Each input must have the shape that the dimensions of this call give it. */
HFM__PRIVATE hfm_result hfm__check_shapes(const hfm__program *program, const hfm_inputs *inputs, hfm_error *error) {
  for (int32_t i = 0; i < HFM__IN_COUNT; i++) {
    const hfm__value *v = &program->graph.values[program->graph.inputs[i].value];
    const hfm_tensor *tensor = hfm__input_tensor(inputs, i);
    int64_t needed[HFM_MAX_RANK] = {0};
    if (!program->graph.inputs[i].value) continue;
    for (int32_t d = 0; d < v->rank; d++) needed[d] = program->dims[v->shape[d].id];
    if (tensor->rank != v->rank || memcmp(tensor->shape, needed, (size_t)v->rank * sizeof *needed) != 0)
      return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, hfm__input_rows[i].name, 0, "%s has shape %t, but needs %t",
                       hfm__input_rows[i].name, tensor->shape, (int)tensor->rank, needed, (int)v->rank);
  }
  return HFM_OK;
}

/* Everything that can be judged before memory is needed; program->dims are this call's. `inputs` may be NULL. */
HFM__PRIVATE hfm_result hfm__check_call(const hfm_model *model, const hfm__program *program,
                                        const hfm__request *request, const hfm_inputs *inputs, hfm_error *error) {
  hfm_result result = hfm__check_presence(model, program->asked.present, request->asked.present, error);
  if (result == HFM_OK) result = hfm__check_requirements(program, error);
  if (result == HFM_OK && inputs) result = hfm__check_shapes(program, inputs, error);
  return result;
}
