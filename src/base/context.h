/* ==== base/context (private): the caller's services, resolved once ============================================
   Everything below takes a context instead of the public options, so that a default is decided in one place. */

typedef struct hfm__context {
  hfm_allocator mem;
  hfm_io io; /* all NULL where there is no file access: said when a file is asked for */
  hfm_log log;
  hfm_progress progress;
  hfm_limits limits;
  struct hfm__budget *budget; /* what `mem` counts against, or NULL (base/budget.c) */
} hfm__context;

typedef struct hfm__budget hfm__budget;

HFM__PRIVATE hfm_io hfm__file_system(void); /* base/io.c */

HFM__PRIVATE uint64_t hfm__default_u64(uint64_t value, uint64_t fallback) { return value ? value : fallback; }

/* `options` may be NULL. A context may be copied, but files keep a pointer to the one that opened them. */
/* What hfm__resolve_allocator refuses. */
HFM__PRIVATE hfm_result hfm__fail_allocator(const hfm_allocator *given, hfm_error *error) {
#ifdef HFMODEL_NO_STDLIB
  static const char *const otherwise = "; there is no malloc in this build (HFMODEL_NO_STDLIB)";
#else
  static const char *const otherwise = ", all three, or none for malloc";
#endif
  return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "allocator", 0,
                   "options.allocator has no %s: it must have alloc, realloc and free%s",
                   !given || !given->alloc ? "alloc" : !given->realloc ? "realloc" : "free", otherwise);
}

HFM__PRIVATE hfm_result hfm__context_init(const hfm_options *options, hfm__context *ctx, hfm_error *error) {
  const hfm_io none = {NULL, NULL, NULL, NULL, NULL, NULL};
  hfm_io io = none;
  memset(ctx, 0, sizeof *ctx);
  if (!hfm__resolve_allocator(options ? &options->allocator : NULL, &ctx->mem))
    return hfm__fail_allocator(options ? &options->allocator : NULL, error);
  if (options) {
    io = options->io;
    ctx->log = options->log;
    ctx->progress = options->progress;
    ctx->limits = options->limits;
  }
  if (!io.open && !io.size && !io.read && !io.close) {
    ctx->io = hfm__file_system();
  } else if (io.open && io.size && io.read && io.close) {
    ctx->io = io;
  } else {
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "io", 0,
                     "options.io must have open, size, read and close (map may be NULL): all, or none for the files "
                     "of the operating system");
  }
  ctx->limits.max_config_bytes = hfm__default_u64(ctx->limits.max_config_bytes, (uint64_t)16 << 20);
  ctx->limits.max_index_bytes = hfm__default_u64(ctx->limits.max_index_bytes, (uint64_t)64 << 20);
  ctx->limits.max_header_bytes = hfm__default_u64(ctx->limits.max_header_bytes, 100000000);
  ctx->limits.max_new_bytes = hfm__default_u64(ctx->limits.max_new_bytes, (uint64_t)256 << 20);
  ctx->limits.max_structure_bytes = hfm__default_u64(ctx->limits.max_structure_bytes, (uint64_t)64 << 20);
  return HFM_OK;
}

/* One line to the caller's log, if there is one. `item` is an HFM_E_... value or 0. */
HFM__PRIVATE void hfm__log(const hfm__context *ctx, int32_t level, int32_t item, const char *format, ...) {
  char line[640];
  hfm__text t = hfm__text_to(line, sizeof line);
  va_list args;
  if (!ctx->log.write) return;
  va_start(args, format);
  hfm__text_vformat(&t, format, args);
  va_end(args);
  (ctx->log.write)(ctx->log.ctx, level, item, line);
}
