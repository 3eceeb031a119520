/* ==== run/check (private): one file, judged by the rules of its kind ============================================== */

HFM__PRIVATE hfm_result hfm__check_json(const hfm__context *ctx, const char *path, hfm_error *error) {
  hfm__json document;
  char *text;
  size_t size;
  hfm_result result = hfm__file_load(ctx, path, ctx->limits.max_config_bytes, &text, &size, error);
  if (result != HFM_OK) return result;
  memset(&document, 0, sizeof document);
  result = hfm__json_parse(&document, &ctx->mem, path, text, size, HFM__JSON_NONFINITE, error);
  hfm__json_free(&document);
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  return result;
}

/* An index, and every shard that it names. */
HFM__PRIVATE hfm_result hfm__check_index(const hfm__context *ctx, const char *path, const char *extension,
                                         const hfm_options *options, hfm_error *error) {
  hfm__checkpoint checkpoint;
  size_t end = 0; /* of the directory's part of the path */
  char *dir;
  hfm_result result;
  for (size_t i = 0; path[i]; i++)
    if (path[i] == '/' || path[i] == '\\') end = i;
  dir = hfm__join_path(&ctx->mem, path, "");
  if (!dir) return hfm__fail_memory(error, "a directory name", 0);
  memset(&checkpoint, 0, sizeof checkpoint);
  dir[end] = 0;
  result = hfm__checkpoint_open_index(ctx,
                                      end              ? dir
                                      : path[0] == '/' ? "/"
                                                       : ".",
                                      path, extension, options, &checkpoint, error);
  if (result == HFM_OK) hfm__checkpoint_close(&checkpoint);
  hfm__free(&ctx->mem, dir, (uint64_t)strlen(path) + 1);
  return result;
}

HFMODEL_API hfm_result hfm_check_file(const char *path, const hfm_options *options, hfm_error *error) {
  hfm__context ctx;
  hfm_result result;
  hfm__clear_error(error);
  if (!path) return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, "path", 0, "must not be NULL");
  result = hfm__context_init(options, &ctx, error);
  if (result != HFM_OK) return result;
  if (hfm__ends_with(path, ".json")) {
    if (strstr(path, ".safetensors.index.")) return hfm__check_index(&ctx, path, ".safetensors", options, error);
    if (strstr(path, ".bin.index.")) return hfm__check_index(&ctx, path, ".bin", options, error);
    return hfm__check_json(&ctx, path, error);
  }
  {
    hfm__checkpoint checkpoint;
    memset(&checkpoint, 0, sizeof checkpoint);
    result = hfm__checkpoint_open_file(&ctx, path, options, &checkpoint, error);
    if (result == HFM_OK) hfm__checkpoint_close(&checkpoint);
  }
  return result;
}
