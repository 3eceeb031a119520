/* ==== run/check (private): one file, judged by the rules of its kind ============================================== */

/* A configuration (tokenizer_config.json, ...) is an object and may hold Python's NaN; any other JSON file
   (tokenizer.json, vocab.json) is what RFC 8259 says, and may be larger. */
HFM__PRIVATE hfm_result hfm__check_json(const hfm__context *ctx, const char *path, hfm_error *error) {
  const int is_config = hfm__ends_with(hfm__file_part(path), "config.json");
  hfm__json_reader reader;
  int32_t kind;
  char *text;
  size_t size;
  hfm_result result = hfm__file_load(ctx, path, is_config ? ctx->limits.max_config_bytes : ctx->limits.max_index_bytes,
                                     &text, &size, error);
  if (result != HFM_OK) return result;
  hfm__json_begin(&reader, &ctx->mem, path, text, size, 0, is_config ? HFM__JSON_NONFINITE : 0, error);
  kind = hfm__json_next(&reader);
  if (kind != HFM__JSON_FAILED && kind != HFM__JSON_OBJECT && is_config)
    result = hfm__json_not_object(path, kind, reader.value.text, reader.value.size, error);
  else if (!hfm__json_skip(&reader, kind) || hfm__json_next(&reader) == HFM__JSON_FAILED)
    result = reader.result;
  hfm__json_end(&reader);
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  return result;
}

/* A generation_config.json's options have their types and lie in their ranges, also together, whatever the model's
   vocabulary is. That other libraries know more options says nothing here. */
HFM__PRIVATE hfm_result hfm__check_generation(hfm_config *config, const char *path, const char *text, size_t size,
                                              hfm_error *error) {
  hfm_result result = hfm__json_parse(&config->generation, &config->ctx.mem, path, text, size, HFM__JSON_NONFINITE,
                                      error);
  if (result == HFM_OK) result = hfm__json_need_object(&config->generation, path, error);
#if HFM__HAS_GENERATION
  if (result == HFM_OK) {
    hfm_generation_config nothing;
    hfm__generation_options options;
    hfm__arena arena;
    hfm_error reason;
    memset(&nothing, 0, sizeof nothing);
    memset(&arena, 0, sizeof arena);
    hfm__clear_error(&reason);
    arena.mem = config->ctx.mem;
    result = hfm__generation_resolve(config, &nothing, 0, INT64_MAX, &arena, &options, &reason);
    hfm__arena_free(&arena);
    if (result != HFM_OK && !reason.file[0]) /* as if the call had said it */
      return hfm__fail(error, reason.item, path, reason.what, 0, "%s", reason.message);
    if (error) *error = reason;
  }
#endif
  return result;
}

/* A config.json is what its family reads: the base model's description can be made of it. Which weights there are says
   nothing here. One without a model_type is another program's. */
HFM__PRIVATE hfm_result hfm__check_model_config(hfm_model *model, const hfm_options *services, hfm_error *error) {
  const int is_model = hfm_config_get_string(model->config, "model_type", NULL) != NULL;
  const hfm_result result = is_model ? hfm__model_identify(model, services, 1, error)
                                     : hfm__config_check_types(model->config, error);
  return result == HFM_OK && is_model ? hfm__model_describe(model, 0, error) : result;
}

HFM__PRIVATE hfm_result hfm__check_config(const char *path, const hfm_options *options, hfm_error *error) {
  const int generates = hfm__equal(hfm__file_part(path), "generation_config.json");
  hfm_options services;
  hfm_model *model;
  char *text;
  size_t size;
  hfm_result result;
  memset(&services, 0, sizeof services);
  if (options) {
    services.allocator = options->allocator;
    services.io = options->io;
    services.limits = options->limits;
  }
  result = hfm__model_new(&services, &model, error);
  if (result != HFM_OK) return result;
  result = hfm__file_load(&model->ctx, path, model->ctx.limits.max_config_bytes, &text, &size, error);
  if (result == HFM_OK)
    result = hfm__config_create(&model->ctx, path, generates ? "{}" : text, generates ? 2 : size, &model->config,
                                error);
  if (result == HFM_OK)
    result = generates ? hfm__check_generation(model->config, path, text, size, error)
                       : hfm__check_model_config(model, &services, error);
  hfm__free(&model->ctx.mem, text, (uint64_t)size + 1);
  result = hfm__budget_verdict(&model->ctx, result, path, error);
  hfm__budget_end(&model->budget);
  hfm_model_free(model);
  return result;
}

/* An index, and every shard that it names. */
HFM__PRIVATE hfm_result hfm__check_index(const hfm__context *ctx, const char *path, const char *extension,
                                         const hfm_options *options, hfm_error *error) {
  const size_t before = (size_t)(hfm__file_part(path) - path); /* the directory, its separator included */
  hfm__checkpoint checkpoint;
  char *dir = hfm__join_path(&ctx->mem, path, "");
  hfm_result result;
  if (!dir) return hfm__fail_memory(error, "a directory name", 0);
  dir[before] = 0;
  result = hfm__checkpoint_open_index(ctx, dir, path, extension, options, &checkpoint, error);
  if (result == HFM_OK) hfm__checkpoint_close(&checkpoint);
  hfm__free(&ctx->mem, dir, (uint64_t)strlen(path) + 1);
  return result;
}

HFM__PRIVATE hfm_result hfm__check_by_name(const hfm__context *ctx, const char *path, const hfm_options *options,
                                           hfm_error *error) {
  const char *name = hfm__file_part(path);
  hfm__checkpoint checkpoint;
  hfm_result result;
  if (hfm__ends_with(name, ".json")) {
    if (strstr(name, ".safetensors.index.")) return hfm__check_index(ctx, path, ".safetensors", options, error);
    if (strstr(name, ".bin.index.")) return hfm__check_index(ctx, path, ".bin", options, error);
    if (hfm__equal(name, "config.json") || hfm__equal(name, "generation_config.json"))
      return hfm__check_config(path, options, error);
    return hfm__check_json(ctx, path, error);
  }
  result = hfm__checkpoint_open_file(ctx, path, options, &checkpoint, error);
  if (result == HFM_OK) hfm__checkpoint_close(&checkpoint);
  return result;
}

HFMODEL_API hfm_result hfm_check_file(const char *path, const hfm_options *options, hfm_error *error) {
  hfm__context ctx;
  hfm__budget budget;
  hfm_result result;
  hfm__clear_error(error);
  if (!path) return hfm__fail_null(error, "path");
  result = hfm__context_init(options, &ctx, error);
  if (result != HFM_OK) return result;
  hfm__budget_begin(&budget, &ctx, 0);
  return hfm__budget_verdict(&ctx, hfm__check_by_name(&ctx, path, options, error), path, error);
}
