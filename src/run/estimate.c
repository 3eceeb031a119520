/* ==== run/estimate (private): what a model would need, before anything is loaded ================================== */

/* Kept panels of all products, each weight once. */
HFM__PRIVATE uint64_t hfm__most_packed_bytes(const hfm_model *model, const hfm__program *program) {
  const hfm__graph *g = &program->graph;
  uint64_t sum = 0;
  for (size_t i = 0; i < g->node_count; i++) {
    const hfm__node *node = &g->nodes[i];
    const hfm__parameter *p;
    struct hfm__panels layout;
    size_t earlier = 0;
    if (node->op != HFM__OP_linear) continue;
    while (g->nodes[earlier].op != HFM__OP_linear || g->nodes[earlier].in[1] != node->in[1]) earlier++;
    if (earlier < i) continue;
    p = &model->tree.parameters[g->values[node->in[1]].source];
    sum += hfm__panels_bytes(&model->cpu, hfm__is_native(p->dtype) ? p->dtype : HFM_F32, p->rank, p->shape,
                             node->attrs.transposed, &layout);
  }
  return sum;
}

/* What a session's cache takes for the call that `request` describes; nothing where the model keeps none. */
HFM__PRIVATE hfm_result hfm__estimate_cache(hfm_model *model, hfm__request request, uint64_t *bytes, hfm_error *error) {
  hfm__program *program = NULL;
  hfm__extent extent;
  hfm__cache cache;
  hfm_result result;
  if (!HFM__HAS_STATES) return HFM_OK;
  memset(&cache, 0, sizeof cache);
  cache.dtype = HFM_F32;
  cache.kernels = model->cpu.kernels;
  request.asked.use_cache = 1;
  extent.rows = request.binding[HFM__SYM_BATCH];
  extent.total = extent.source = request.binding[HFM__SYM_TOTAL] = request.binding[HFM__SYM_LENGTH];
  extent.length = request.binding[HFM__SYM_TARGET] = 1;
  result = hfm__program_create(model, &request, request.binding, &program, error);
  if (result == HFM_ERROR_ARGUMENT) {
    hfm__clear_error(error);
    return HFM_OK;
  }
  if (result == HFM_OK) result = hfm__cache_describe(&model->ctx.mem, &cache, &program->graph, program->dims, error);
  if (result == HFM_OK) hfm__cache_lay_out(&cache, &extent, NULL);
  *bytes = cache.bytes;
  cache.bytes = 0; /* counted, not taken */
  hfm__cache_free(&model->ctx.mem, &cache);
  hfm__program_free(&model->ctx.mem, program);
  return result;
}

HFMODEL_API hfm_result hfm_estimate_memory(const char *path, const hfm_options *options, int64_t batch, int64_t length,
                                           hfm_memory_estimate *estimate, hfm_error *error) {
  hfm_model *model = NULL;
  hfm__program *program = NULL;
  hfm__request request;
  char *dir = NULL;
  hfm_result result;
  hfm__clear_error(error);
  if (estimate) memset(estimate, 0, sizeof *estimate);
  if (!path || !estimate)
    return hfm__fail_null(error, path ? "estimate" : "path");
  if (batch < 1 || length < 1 || batch > INT32_MAX || length > INT32_MAX)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "batch", 0, "batch %i and length %i must be from 1 to %d",
                     batch, length, (int)INT32_MAX);
  result = hfm__model_new(options, &model, error);
  if (result != HFM_OK) return result;
  result = hfm__resolve_model_path(&model->ctx, path, options, &dir, error);
  if (result == HFM_OK) result = hfm__model_config_from(model, dir, options, error);
  if (result == HFM_OK) result = hfm__model_identify(model, options, 0, error);
  if (result == HFM_OK) result = hfm__settle_label_count(model, options ? options->num_labels : 0, error);
  if (result == HFM_OK) result = hfm__model_cpu(model, options, error);
  if (result == HFM_OK) result = hfm__model_describe(model, 0, error);
  result = hfm__budget_verdict(&model->ctx, result, path, error);
  hfm__budget_end(&model->budget);
  if (result == HFM_OK) {
    const hfm_dtype stated = hfm__stated_dtype(model, options), dtype = stated ? stated : HFM_F32;
    for (size_t i = 1; i < model->tree.parameter_count; i++)
      model->tree.parameters[i].dtype = hfm__parameter_dtype(&model->tree.parameters[i], dtype);
    hfm__tree_settle_buffers(&model->tree, dtype);
    request = hfm__usual_request(model);
    request.binding[HFM__SYM_BATCH] = request.binding[HFM__SYM_POSITION_ROWS] = batch;
    request.binding[HFM__SYM_LENGTH] = request.binding[HFM__SYM_TARGET] = length;
    model->attention = options && options->attn_implementation ? options->attn_implementation : HFM_ATTN_SDPA;
    result = hfm__program_create(model, &request, request.binding, &program, error);
  }
  if (result == HFM_OK) result = hfm__estimate_cache(model, request, &estimate->cache_bytes, error);
  if (result == HFM_OK) {
    estimate->weight_bytes = (uint64_t)hfm_memory_footprint(model, 1);
    estimate->activation_bytes = hfm__session_bytes(program, 1);
    estimate->thread_bytes = hfm__session_bytes(program, 2) - estimate->activation_bytes;
    if (model->packing.policy != HFM_PACK_NEVER) estimate->packed_bytes = hfm__most_packed_bytes(model, program);
  }
  hfm__program_free(&model->ctx.mem, program);
  hfm__free_text(&model->ctx.mem, dir);
  hfm_model_free(model);
  return result;
}
