/* ==== run/contents (private): what one weights file holds, without a model ======================================== */

typedef struct hfm__contents {
  hfm_contents shown; /* first: this is what the caller has a pointer to */
  hfm__arena arena;   /* all that it points to */
  hfm__budget budget; /* of the reading */
} hfm__contents;

/* From the table of the file to the public one. */
HFM__PRIVATE void hfm__contents_tensor(const hfm__file_tensor *from, hfm_stored_tensor *to) {
  to->name = from->name;
  to->dtype = from->dtype;
  if (from->dtype) to->type = hfm__dtype_find(from->dtype)->safetensors;
#ifndef HFMODEL_NO_GGUF
  if (!from->dtype) {
    to->type = from->blocks->name;
    to->block_elements = from->blocks->elements;
    to->block_bytes = from->blocks->bytes;
  }
#endif
  to->rank = from->rank;
  memcpy(to->shape, from->shape, sizeof to->shape);
  to->offset = from->offset;
  to->bytes = from->bytes;
}

HFM__PRIVATE hfm_result hfm__contents_fill(hfm__contents *contents, const hfm__tensor_list *list, hfm_error *error) {
  const size_t count = list->count;
  const uint64_t scratch_bytes = (uint64_t)count * 2 * sizeof(void *);
  const uint64_t metadata_bytes = (uint64_t)list->metadata_count * sizeof(hfm_metadata);
  const uint64_t bytes = (uint64_t)count * sizeof(hfm_stored_tensor);
  const void **sorted = count ? (const void **)hfm__alloc(&list->mem, scratch_bytes) : NULL;
  hfm_metadata *metadata = (hfm_metadata *)hfm__arena_alloc(&contents->arena, metadata_bytes);
  hfm_stored_tensor *tensors = (hfm_stored_tensor *)hfm__arena_alloc(&contents->arena, bytes);
  const int complete = metadata && tensors && (sorted || !count);
  if (complete) {
    if (metadata_bytes) memcpy(metadata, list->metadata, (size_t)metadata_bytes);
    for (size_t i = 0; i < count; i++) sorted[i] = list->items + i;
    if (count) hfm__sort(sorted, sorted + count, count, hfm__tensor_offset_order);
    for (size_t i = 0; i < count; i++) hfm__contents_tensor((const hfm__file_tensor *)sorted[i], &tensors[i]);
    contents->shown.format = list->format;
    contents->shown.version = list->version;
    contents->shown.alignment = list->alignment;
    contents->shown.metadata = metadata;
    contents->shown.metadata_count = list->metadata_count;
    contents->shown.tensors = tensors;
    contents->shown.tensor_count = count;
  }
  hfm__free(&list->mem, (void *)sorted, scratch_bytes);
  return complete ? HFM_OK : hfm__fail_memory(error, "a table of what a file holds", metadata_bytes + bytes);
}

HFMODEL_API void hfm_contents_free(hfm_contents *shown) {
  hfm__contents *contents = (hfm__contents *)(void *)shown;
  if (contents) {
    const hfm_allocator mem = contents->arena.mem;
    hfm__arena_free(&contents->arena);
    hfm__free(&mem, contents, sizeof *contents);
  }
}

HFMODEL_API hfm_result hfm_read_contents(const char *path, const hfm_options *options, hfm_contents **out,
                                         hfm_error *error) {
  hfm__context ctx;
  hfm__contents *contents;
  hfm__tensor_list list;
  hfm__file file;
  hfm_result result;
  hfm__clear_error(error);
  if (out) *out = NULL;
  if (!path || !out) return hfm__fail_null(error, path ? "contents" : "path");
  result = hfm__context_init(options, &ctx, error);
  if (result != HFM_OK) return result;
  contents = (hfm__contents *)hfm__alloc_zero(&ctx.mem, sizeof *contents);
  if (!contents) return hfm__fail_memory(error, "what a file holds", sizeof *contents);
  hfm__budget_begin(&contents->budget, &ctx, sizeof *contents);
  contents->arena.mem = ctx.mem;
  memset(&list, 0, sizeof list);
  list.mem = ctx.mem;
  list.names = &contents->arena;
  list.want_metadata = 1;
  result = hfm__file_open(&ctx, path, !(options && options->local_copy), &file, error);
  if (result == HFM_OK) hfm__budget_extend(&ctx, file.size);
  if (result == HFM_OK) result = hfm__weights_read(&file, 0, &list, error);
  if (result == HFM_OK) result = hfm__contents_fill(contents, &list, error);
  result = hfm__budget_verdict(&ctx, result, path, error);
  hfm__file_close(&file);
  hfm__tensor_list_free(&list);
  hfm__budget_end(&contents->budget);
  if (result == HFM_OK) *out = &contents->shown;
  else hfm_contents_free(&contents->shown);
  return result;
}
