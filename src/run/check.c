/* ==== run/check (private): one file, judged by the rules of its kind ============================================== */

/* A configuration (generation_config.json, ...) is an object and may hold Python's NaN; any other JSON file
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

/* A config.json is what its family reads, where the family is known: the base model's description can be made of it.
   Which weights there are says nothing here. */
HFM__PRIVATE hfm_result hfm__check_config(const char *path, const hfm_options *options, hfm_error *error) {
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
  if (result == HFM_OK) result = hfm__config_create(&model->ctx, path, text, size, &model->config, error);
  hfm__free(&model->ctx.mem, text, (uint64_t)size + 1);
  if (result == HFM_OK) result = hfm__config_check_types(model->config, error);
  if (result == HFM_OK && hfm__arch_find(hfm_config_get_string(model->config, "model_type", "")))
    result = hfm__model_describe(model, &services, 0, error);
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
    if (hfm__equal(name, "config.json")) return hfm__check_config(path, options, error);
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
