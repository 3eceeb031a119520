/* ==== base/budget (private): what reading files may take ========================================================
   A few megabytes can describe a hundred million objects of nothing. So readers get the caller's allocator through one
   that counts, and that refuses what goes beyond the size of the files and options.limits.max_structure_bytes. (Weights
   have a bound of their own: weights/load.c.) Once the reading is over it only hands through, so that nothing has to be
   moved to another allocator. */

struct hfm__budget {
  hfm_allocator mem; /* whose memory it is */
  uint64_t used, most, structure;
  int32_t counting, exceeded;
};

/* Of a block that is to be, also while the one that it replaces is still there. */
HFM__PRIVATE int hfm__budget_has(hfm__budget *budget, size_t size) {
  if (!budget->counting || size <= budget->most - HFM__MIN(budget->used, budget->most)) return 1;
  budget->exceeded = 1;
  return 0;
}

HFM__PRIVATE void *hfm__budget_alloc(void *ctx, size_t size) {
  hfm__budget *budget = (hfm__budget *)ctx;
  void *block = hfm__budget_has(budget, size) ? budget->mem.alloc(budget->mem.ctx, size) : NULL;
  if (block && budget->counting) budget->used += size;
  return block;
}

HFM__PRIVATE void *hfm__budget_realloc(void *ctx, void *block, size_t old_size, size_t new_size) {
  hfm__budget *budget = (hfm__budget *)ctx;
  void *moved =
      hfm__budget_has(budget, new_size) ? (budget->mem.realloc)(budget->mem.ctx, block, old_size, new_size) : NULL;
  if (moved && budget->counting) budget->used += (uint64_t)new_size - old_size;
  return moved;
}

/* The budget may lie in the block that is freed. */
HFM__PRIVATE void hfm__budget_free(void *ctx, void *block, size_t size) {
  hfm__budget *budget = (hfm__budget *)ctx;
  const hfm_allocator mem = budget->mem;
  if (budget->counting) budget->used -= size;
  (mem.free)(mem.ctx, block, size);
}

/* From here on ctx->mem counts; `held` bytes of it are there already. */
HFM__PRIVATE void hfm__budget_begin(hfm__budget *budget, hfm__context *ctx, uint64_t held) {
  memset(budget, 0, sizeof *budget);
  budget->mem = ctx->mem;
  budget->used = held;
  budget->structure = ctx->limits.max_structure_bytes;
  if (!hfm__add64(held, budget->structure, &budget->most)) budget->most = UINT64_MAX;
  budget->counting = 1;
  ctx->mem.ctx = budget;
  ctx->mem.alloc = hfm__budget_alloc;
  ctx->mem.realloc = hfm__budget_realloc;
  ctx->mem.free = hfm__budget_free;
  ctx->budget = budget;
}

HFM__PRIVATE void hfm__budget_end(hfm__budget *budget) { budget->counting = 0; }

/* For what is read or written as a whole; a budget hands out blocks as the allocator behind it made them. */
HFM__PRIVATE void *hfm__alloc_in_huge_pages(const hfm_allocator *mem, uint64_t size) {
  const int is_budget = mem->alloc == hfm__budget_alloc;
  void *block = hfm__alloc(mem, size);
  if (block) hfm__block_in_huge_pages(is_budget ? &((const hfm__budget *)mem->ctx)->mem : mem, block, size);
  return block;
}

/* So many bytes more, which the files back, or another bound. */
HFM__PRIVATE void hfm__budget_extend(const hfm__context *ctx, uint64_t bytes) {
  if (ctx->budget && !hfm__add64(ctx->budget->most, bytes, &ctx->budget->most)) ctx->budget->most = UINT64_MAX;
}

/* An allocation that failed, and why: there was no memory, or this file wants too much of it. */
HFM__PRIVATE hfm_result hfm__budget_verdict(const hfm__context *ctx, hfm_result result, const char *file,
                                            hfm_error *error) {
  if (result != HFM_ERROR_MEMORY || !ctx->budget || !ctx->budget->exceeded) return result;
  return hfm__fail(error, HFM_E_FILE_STRUCTURE, file, NULL, 0,
                   "what it describes takes %u bytes of memory beyond its own size: no model is like that "
                   "(options.limits.max_structure_bytes)",
                   ctx->budget->structure);
}
