/* ==== run/model (private): from a directory to a model ============================================================ */

/* ---- Life ---- */

HFM__PRIVATE void hfm__model_destroy(hfm_model *model) {
  const hfm_allocator mem = model->ctx.mem;
  for (size_t i = 1; model->weights && i < model->tree.parameter_count; i++)
    hfm__panels_free(&mem, &model->weights[i]);
  for (hfm__weight_block *block = model->blocks, *next; block; block = next) {
    next = block->next;
    hfm__free(&mem, block, block->bytes);
  }
  hfm__free(&mem, model->weights, (uint64_t)(model->tree.parameter_count + 1) * sizeof *model->weights);
  hfm__free(&mem, model->report, (uint64_t)model->report_capacity * sizeof *model->report);
  hfm__packing_free(&model->packing);
  if (model->checkpoint.arena.mem.free) hfm__checkpoint_close(&model->checkpoint);
  hfm__tree_free(&model->tree);
  hfm_config_free(model->config);
  if (model->memory.files)
    hfm__free(&mem, (void *)(uintptr_t)model->memory.files, model->memory.count * sizeof *model->memory.files);
  hfm__free(&mem, model, sizeof *model);
}

HFM__PRIVATE void hfm__model_release(hfm_model *model) {
  if (hfm__atomic_add(&model->references, -1) == 1) hfm__model_destroy(model);
}

HFMODEL_API void hfm_model_free(hfm_model *model) {
  if (model) hfm__model_release(model);
}

HFM__PRIVATE hfm_result hfm__check_options(const hfm_options *options, hfm_error *error) {
  if (!options) return HFM_OK;
  if (options->dtype && !hfm__is_native(options->dtype))
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "dtype", 0,
                     "options.dtype is %d, but must be HFM_F32, HFM_F16 or HFM_BF16, or 0 for auto",
                     (int)options->dtype);
  if (options->attn_implementation < HFM_ATTN_DEFAULT || options->attn_implementation > HFM_ATTN_FLASH_ATTENTION_2)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "attn_implementation", 0,
                     "options.attn_implementation is %d, but must be an HFM_ATTN_ value",
                     (int)options->attn_implementation);
  if (options->use_safetensors < -1 || options->use_safetensors > 1)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "use_safetensors", 0,
                     "options.use_safetensors is %d, but must be 1 for *.safetensors only, -1 for *.bin only, or 0",
                     (int)options->use_safetensors);
  if (options->packing < HFM_PACK_LAZY || options->packing > HFM_PACK_EAGER)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "packing", 0,
                     "options.packing is %d, but must be an HFM_PACK_ value", (int)options->packing);
  if (options->compute_dtype && options->compute_dtype != HFM_F32 && options->compute_dtype != HFM_BF16)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "compute_dtype", 0,
                     "options.compute_dtype is %d, but must be HFM_F32 or HFM_BF16, or 0 for HFM_F32",
                     (int)options->compute_dtype);
  if (options->strict && options->compute_dtype == HFM_BF16)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "compute_dtype", 0,
                     "options.strict computes in double: it can't be combined with compute_dtype bfloat16");
  if (options->num_labels < 0)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "num_labels", 0,
                     "options.num_labels is %d, but must be at least 1, or 0 for the config's",
                     (int)options->num_labels);
  return HFM_OK;
}

/* An empty model with its context. */
HFM__PRIVATE hfm_result hfm__model_new(const hfm_options *options, hfm_model **out, hfm_error *error) {
  hfm__context ctx;
  hfm_model *model;
  hfm_result result = hfm__context_init(options, &ctx, error);
  if (result == HFM_OK) result = hfm__check_options(options, error);
  if (result != HFM_OK) return result;
  model = (hfm_model *)hfm__alloc_zero(&ctx.mem, sizeof *model);
  if (!model) return hfm__fail_memory(error, "a model", sizeof *model);
  model->ctx = ctx;
  hfm__budget_begin(&model->budget, &model->ctx, sizeof *model);
  model->tree.arena.mem = model->ctx.mem;
  hfm__atomic_store(&model->references, 1);
  hfm__packing_init(&model->packing, &ctx.mem, options ? options->packing : HFM_PACK_LAZY, 0);
  *out = model;
  return HFM_OK;
}

/* ---- The description ---- */

HFM__PRIVATE uint64_t hfm__file_elements(const hfm__checkpoint *checkpoint) {
  uint64_t sum = 0;
  for (size_t i = 0; i < checkpoint->count; i++) {
    const int32_t bits = hfm_dtype_bits(checkpoint->tensors[i].dtype);
    if (!hfm__add64(sum, checkpoint->tensors[i].bytes * 8 / (uint64_t)HFM__MAX(bits, 1), &sum)) return UINT64_MAX;
  }
  return sum;
}

/* Quantised weights without their scales would be noise. */
HFM__PRIVATE hfm_result hfm__check_quantization(const hfm_config *config, hfm_error *error) {
  const char *method = hfm_config_get_string(config, "quantization_config.quant_method", "unknown");
  if (hfm__config_is_null(config, "quantization_config")) return HFM_OK;
  return hfm__fail(error, HFM_E_CONFIG_VALUE, config->file, "quantization_config", 0,
                   "the weights are quantised (quant_method %q), which is not supported: use the original checkpoint",
                   method);
}

/* With overrides for some layers (Transformers' heterogeneous configurations) a model that ignored them would be
   another one. */
HFM__PRIVATE hfm_result hfm__check_alike(const hfm_config *config, hfm_error *error) {
  if (hfm__config_is_null(config, "per_layer_config") || hfm_config_length(config, "per_layer_config") == 0)
    return HFM_OK;
  return hfm__fail(error, HFM_E_CONFIG_VALUE, config->file, "per_layer_config", 0,
                   "'per_layer_config' gives layers configurations of their own, which is not supported: they must be "
                   "alike, but for what layer_types says");
}

/* Which class the configuration means, or why it can't be run: judged before any weights are looked for. */
HFM__PRIVATE hfm_result hfm__model_identify(hfm_model *model, const hfm_options *options, int from_files,
                                            hfm_error *error) {
  hfm_result result = hfm__config_check_types(model->config, error);
  if (result == HFM_OK)
    result = hfm__architecture(model->config, options ? options->task : HFM_BASE, &model->arch, &model->head, error);
  if (result == HFM_OK) result = hfm__check_alike(model->config, error);
  return result == HFM_OK && from_files ? hfm__check_quantization(model->config, error) : result;
}

/* Registers the modules of what was identified. What the configuration asks for is bounded by what the files hold. */
HFM__PRIVATE hfm_result hfm__model_describe(hfm_model *model, int from_files, hfm_error *error) {
  enum { NEW_TENSORS = 4096, ALL_TENSORS = 1 << 20 };
  const char *deviation;
  hfm__builder b;
  hfm__text t = hfm__text_to(model->architecture, sizeof model->architecture);
  hfm__text_class(&t, model->arch, model->head);
  memset(&b, 0, sizeof b);
  b.mem = model->ctx.mem;
  b.error = error;
  b.config = model->config;
  b.prefix = model->arch->prefix;
  b.base = model->arch->family->base;
  b.traits = model->arch->traits;
  b.task = model->head->task;
  b.tree = &model->tree;
  b.from_files = from_files;
  b.parameter_budget = from_files ? model->checkpoint.count + NEW_TENSORS : (size_t)ALL_TENSORS;
  b.element_budget = (uint64_t)INT64_MAX / 8;
  if (from_files &&
      !hfm__add64(hfm__file_elements(&model->checkpoint), model->ctx.limits.max_new_bytes / 2, &b.element_budget))
    b.element_budget = UINT64_MAX;
  b.initializer_range = 0.02;
  deviation = hfm__is_null(&b, "initializer_range") ? "init_std" : "initializer_range";
  if (!hfm__is_null(&b, deviation))
    b.result = hfm__config_need_float(model->config, deviation, -1e300, 1e300, &b.initializer_range, error);
  if (!(b.initializer_range > 0 && b.initializer_range < 1e6))
    b.initializer_range = 0.02; /* 0 means 0.02 in Transformers */
  (void)hfm__begin(&b, "", model->architecture);
  model->self = hfm__ok(&b) ? model->head->init(&b) : NULL;
  hfm__end(&b);
  model->base = b.base;
  return b.result;
}

HFM__PRIVATE hfm_result hfm__model_label(void *ctx, int64_t id, const char *name) {
  hfm_model *model = (hfm_model *)ctx;
  if (id < 0 || id >= model->label_count) return HFM_OK;
  model->labels[id] = hfm__arena_copy(&model->tree.arena, name, strlen(name));
  return model->labels[id] ? HFM_OK : HFM_ERROR_MEMORY;
}

/* The option takes the place of the configuration's number; Transformers says where id2label has another one. */
HFM__PRIVATE hfm_result hfm__settle_label_count(hfm_model *model, int32_t asked, hfm_error *error) {
  const int64_t count = asked ? asked : hfm__config_num_labels(model->config);
  const int64_t listed = hfm__config_label_count(model->config);
  if (listed && listed != count)
    hfm__log(&model->ctx, HFM_LOG_WARNING, 0,
             "You passed `num_labels=%i` which is incompatible to the `id2label` map of length `%i`.", count, listed);
  return asked ? hfm_config_set_int(model->config, "num_labels", asked, error) : HFM_OK;
}

/* id2label for every label; Transformers' LABEL_i where the configuration has no name. */
HFM__PRIVATE hfm_result hfm__model_labels(hfm_model *model, hfm_error *error) {
  enum { MOST = 1 << 20 }; /* a head of more labels than this has no names worth a table */
  const int64_t count = hfm__config_num_labels(model->config);
  hfm__arena *arena = &model->tree.arena;
  model->label_count = HFM__MAX(count, 0);
  if (count < 1 || count > MOST) return HFM_OK;
  model->labels = (const char **)hfm__arena_alloc(arena, (uint64_t)count * sizeof *model->labels);
  if (!model->labels || hfm__config_each_label(model->config, model, hfm__model_label) != HFM_OK)
    return hfm__fail_memory(error, "labels", 0);
  for (int64_t i = 0; i < count; i++) {
    char text[32];
    hfm__text t = hfm__text_to(text, sizeof text);
    if (model->labels[i]) continue;
    hfm__text_format(&t, "LABEL_%i", i);
    model->labels[i] = hfm__arena_copy(arena, text, t.length);
    if (!model->labels[i]) return hfm__fail_memory(error, "labels", 0);
  }
  return HFM_OK;
}

/* The kernels and how products use them: all that a plan and an estimate depend on. */
HFM__PRIVATE hfm_result hfm__model_cpu(hfm_model *model, const hfm_options *options, hfm_error *error) {
  const hfm_result result = hfm__cpu_select(options ? options->isa : HFM_ISA_AUTO, &model->cpu, error);
  if (result != HFM_OK || !options) return result;
  if (options->compute_dtype == HFM_BF16 && options->isa == HFM_ISA_AUTO) hfm__cpu_prefer_tiles(&model->cpu);
  model->cpu.batch_invariant = options->batch_invariant != 0;
  if (options->compute_dtype == HFM_BF16) (void)hfm__cpu_multiply_bf16(&model->cpu);
  return options->strict ? hfm__cpu_make_strict(&model->cpu, error) : HFM_OK;
}

/* A forward's usual arguments: the main input, and the mask of ids; ids for a decoder to which the encoder's can't be
   shifted, because there is no padding id to put first. */
HFM__PRIVATE uint32_t hfm__usual_inputs(const hfm_model *model) {
  const int32_t input = model->arch->family->main_input;
  const int decodes_others = HFM__HAS_SEQ2SEQ && hfm_config_get_bool(model->config, "is_encoder_decoder", 0) &&
                             hfm_config_get_int(model->config, "pad_token_id", -1) < 0;
  return 1u << input | (input == HFM__IN_input_ids ? 1u << HFM__IN_attention_mask : 0) |
         (decodes_others ? 1u << HFM__IN_decoder_input_ids : 0);
}

/* What a call with the usual inputs asks for; shapes are 1 until the caller sets them. */
HFM__PRIVATE hfm__request hfm__usual_request(const hfm_model *model) {
  hfm__request request;
  memset(&request, 0, sizeof request);
  request.asked.present = hfm__usual_inputs(model);
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++) request.binding[i] = 1;
  return request;
}

/* The usual inputs, and what the model's forward takes besides where it is given these: request->asked.present. */
HFM__PRIVATE hfm_result hfm__declared_inputs(const hfm_model *model, hfm__request *request, hfm_error *error) {
  hfm__graph graph;
  hfm_result result;
  memset(&graph, 0, sizeof graph);
  request->asked.present = hfm__usual_inputs(model);
  result = hfm__trace(model, request, &graph, error);
  for (int32_t i = 0; i < HFM__IN_COUNT; i++)
    if (graph.inputs[i].value) request->asked.present |= 1u << i;
  hfm__graph_free(&graph);
  return result;
}

/* HFM_PACK_EAGER: packs every weight that products read. */
HFM__PRIVATE hfm_result hfm__model_pack(hfm_model *model, hfm_error *error) {
  const hfm__request request = hfm__usual_request(model);
  hfm__program *program;
  hfm_result result = hfm__program_create(model, &request, request.binding, &program, error);
  for (size_t i = 0; result == HFM_OK && i < program->graph.node_count; i++) {
    hfm__weight *weight = hfm__product_weight(program, i);
    const void *data;
    if (!weight) continue;
    result = weight->storage->acquire(weight, &data, error);
    if (result != HFM_OK) break;
    hfm__panels_pack_all(&model->cpu, weight, data);
    weight->storage->release(weight);
    result = hfm__progress(&model->ctx, "pack", i + 1, program->graph.node_count, "nodes", error);
  }
  hfm__program_free(&model->ctx.mem, program);
  return result;
}

/* Everything after the model is identified: kernels, description, weights. */
HFM__PRIVATE hfm_result hfm__model_finish(hfm_model *model, const hfm_options *options, int from_files,
                                          hfm_error *error) {
  hfm_result result = hfm__settle_label_count(model, options ? options->num_labels : 0, error);
  if (result == HFM_OK) result = hfm__model_cpu(model, options, error);
  if (result == HFM_OK) result = hfm__model_describe(model, from_files, error);
  if (result == HFM_OK) result = hfm__model_labels(model, error);
  if (result == HFM_OK) result = hfm__load_weights(model, options, error);
  if (result == HFM_OK) result = hfm__state_dict_prepare(model, error);
  if (result != HFM_OK) return result;
  hfm__budget_end(&model->budget);
  model->cpu.packing = &model->packing;
  model->attention = options && options->attn_implementation ? options->attn_implementation : HFM_ATTN_SDPA;
  model->dtype = model->tree.parameter_count > 1 ? model->tree.parameters[model->state_order[0]].dtype : HFM_F32;
  model->packing.limit = hfm__default_u64(options ? options->pack_limit_bytes : 0, UINT64_MAX);
  return model->packing.policy == HFM_PACK_EAGER ? hfm__model_pack(model, error) : HFM_OK;
}

/* ---- Ways in ---- */

/* A weights file by itself has no configuration beside it that could be trusted to be its own. */
HFM__PRIVATE int hfm__is_weights_file(const char *path) {
  return hfm__ends_with(path, ".safetensors") || hfm__ends_with(path, ".bin");
}

HFM__PRIVATE hfm_result hfm__model_config_from(hfm_model *model, const char *path, const hfm_options *options,
                                               hfm_error *error) {
  if (hfm__ends_with(path, ".gguf"))
    return hfm__fail(error, HFM_E_GGUF_UNSUPPORTED, path, NULL, 0,
                     "models do not run from GGUF yet: load the model that it was converted from, a directory with "
                     "config.json and *.safetensors (hfm_read_contents says what is in this file)");
  if (options && options->config) {
    const hfm_result result = hfm__config_copy(options->config, &model->ctx, &model->config, error);
    if (result != HFM_OK || hfm__is_weights_file(path)) return result;
    return hfm__config_load_generation(model->config, path, options->subfolder, error);
  }
  if (hfm__is_weights_file(path))
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, path, "config", 0,
                     "a weights file alone says nothing about its model: set options.config, or give the directory");
  return hfm__config_load(&model->ctx, path, options ? options->subfolder : NULL, &model->config, error);
}

HFM__PRIVATE hfm_result hfm__model_open_weights(hfm_model *model, const char *path, const hfm_options *options,
                                                hfm_error *error) {
  const char *named;
  const hfm_result result = hfm__config_opt_string(model->config, "transformers_weights", NULL, &named, error);
  if (result != HFM_OK) return result;
  if (hfm__is_weights_file(path))
    return hfm__checkpoint_open_file(&model->ctx, path, options, &model->checkpoint, error);
  return hfm__checkpoint_open_named(&model->ctx, path, named, options, &model->checkpoint, error);
}

/* From a directory (or weights file) that is known to exist, or to be served by hfm_io. */
HFM__PRIVATE hfm_result hfm__model_from_path(hfm_model *model, const char *path, const hfm_options *options,
                                             hfm_error *error) {
  const int random = options && options->random_weights;
  hfm_result result = hfm__model_config_from(model, path, options, error);
  if (result == HFM_OK) result = hfm__model_identify(model, options, !random, error);
  if (result == HFM_OK && !random) result = hfm__model_open_weights(model, path, options, error);
  if (result == HFM_OK) result = hfm__model_finish(model, options, !random, error);
  return hfm__budget_verdict(&model->ctx, result, path, error);
}

HFMODEL_API hfm_result hfm_from_pretrained(const char *path, const hfm_options *options, hfm_model **out,
                                           hfm_error *error) {
  hfm_model *model = NULL;
  char *dir = NULL;
  hfm_result result;
  hfm__clear_error(error);
  if (out) *out = NULL;
  if (!path || !out) return hfm__fail_null(error, path ? "model" : "path");
  result = hfm__model_new(options, &model, error);
  if (result != HFM_OK) return result;
  result = hfm__resolve_model_path(&model->ctx, path, options, &dir, error);
  if (result == HFM_OK) result = hfm__model_from_path(model, dir, options, error);
  hfm__free_text(&model->ctx.mem, dir);
  if (result == HFM_OK) *out = model;
  else hfm_model_free(model);
  return result;
}

HFMODEL_API hfm_result hfm_from_config(const hfm_config *config, const hfm_options *options, hfm_model **out,
                                       hfm_error *error) {
  hfm_options random;
  hfm_model *model = NULL;
  hfm_result result;
  hfm__clear_error(error);
  if (out) *out = NULL;
  if (!config || !out)
    return hfm__fail_null(error, config ? "model" : "config");
  memset(&random, 0, sizeof random);
  if (options) random = *options;
  random.random_weights = 1;
  random.config = config;
  result = hfm__model_new(&random, &model, error);
  if (result != HFM_OK) return result;
  result = hfm__model_from_path(model, "", &random, error);
  if (result == HFM_OK) *out = model;
  else hfm_model_free(model);
  return result;
}

HFMODEL_API hfm_result hfm_from_memory(const hfm_memory_file *files, size_t count, const hfm_options *options,
                                       hfm_model **out, hfm_error *error) {
  hfm_options served;
  hfm_model *model = NULL;
  hfm_memory_file *copy;
  hfm_result result;
  hfm__clear_error(error);
  if (out) *out = NULL;
  if (!files || !count || !out)
    return hfm__fail_null(error, out ? "files (and their number)" : "model");
  for (size_t f = 0; f < count; f++)
    if (!files[f].name || (!files[f].data && files[f].size))
      return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, "files", 0, "files[%u] has no %s", (uint64_t)f,
                       files[f].name ? "data" : "name");
  memset(&served, 0, sizeof served);
  if (options) served = *options;
  memset(&served.io, 0, sizeof served.io);
  result = hfm__model_new(&served, &model, error);
  if (result != HFM_OK) return result;
  copy = (hfm_memory_file *)hfm__alloc(&model->ctx.mem, (uint64_t)count * sizeof *copy);
  if (!copy) {
    hfm_model_free(model);
    return hfm__fail_memory(error, "a list of files", (uint64_t)count * sizeof *copy);
  }
  memcpy(copy, files, count * sizeof *copy);
  model->memory.files = copy;
  model->memory.count = count;
  model->ctx.io = hfm__memory_io(&model->memory);
  result = hfm__model_from_path(model, "", &served, error);
  if (result == HFM_OK) *out = model;
  else hfm_model_free(model);
  return result;
}

/* ---- Before a load ---- */
