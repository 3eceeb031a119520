/* ==== formats/checkpoint (private): which files, and one table over all of them ================================
   The resolution order is Transformers': model.safetensors, its index, pytorch_model.bin, its index. Shards are
   opened in the order of their names and a later shard wins, as in Transformers. */

typedef struct hfm__checkpoint {
  hfm__arena arena; /* names */
  hfm__file *files;
  uint32_t file_count;
  hfm__file_tensor *tensors; /* sorted by name, unique */
  size_t count;
  size_t capacity; /* of `tensors` */
  hfm_dtype first_float; /* of the first float tensor that Transformers sees in the first file; 0: there is none */
} hfm__checkpoint;

HFM__PRIVATE void hfm__checkpoint_close(hfm__checkpoint *ckpt) {
  const hfm_allocator mem = ckpt->arena.mem;
  for (uint32_t i = 0; i < ckpt->file_count; i++) hfm__file_close(&ckpt->files[i]);
  if (ckpt->files) hfm__free(&mem, ckpt->files, (uint64_t)ckpt->file_count * sizeof *ckpt->files);
  if (ckpt->tensors) hfm__free(&mem, ckpt->tensors, (uint64_t)ckpt->capacity * sizeof *ckpt->tensors);
  hfm__arena_free(&ckpt->arena);
  memset(ckpt, 0, sizeof *ckpt);
}

/* ---- Shard index ---- */

enum { HFM__SHARD_NAME_MAX = 1024 };

typedef struct hfm__shard_entry {
  const char *tensor;
  const char *shard;
  uint64_t offset; /* in the index, for errors */
} hfm__shard_entry;

/* What an index says: tensors with their shards, and each shard once, sorted. */
typedef struct hfm__shard_index {
  hfm_allocator mem;
  const char *name;
  hfm__shard_entry *entries;
  size_t count, capacity;
  const char **shards;
  uint32_t shard_count;
} hfm__shard_index;

HFM__PRIVATE void hfm__shard_index_free(hfm__shard_index *index) {
  hfm__free(&index->mem, index->entries, (uint64_t)index->capacity * sizeof *index->entries);
  hfm__free(&index->mem, (void *)index->shards, (uint64_t)index->count * 2 * sizeof *index->shards);
}

/* One of Windows' devices, which are in every folder and under every extension: "nul", "COM1.safetensors". */
HFM__PRIVATE int hfm__is_device(const char *part, size_t size) {
  static const char *const names[] = {"con", "prn", "aux", "nul", "conin$", "conout$"};
  size_t n = 0;
  char stem[8];
  while (n < size && part[n] != '.') n++;
  while (n && part[n - 1] == ' ') n--;
  if (n < sizeof stem) {
    for (size_t i = 0; i < n; i++) stem[i] = (char)(part[i] >= 'A' && part[i] <= 'Z' ? part[i] + 32 : part[i]);
    stem[n] = 0;
    for (size_t i = 0; i < HFM__COUNT(names); i++)
      if (hfm__equal(stem, names[i])) return 1;
    if (hfm__starts_with(stem, "com") || hfm__starts_with(stem, "lpt")) /* a digit, or one of Latin-1's raised ones */
      return (n == 4 && stem[3] >= '0' && stem[3] <= '9') ||
             (n == 5 && (hfm__equal(stem + 3, "\xc2\xb9") || hfm__equal(stem + 3, "\xc2\xb2") ||
                         hfm__equal(stem + 3, "\xc2\xb3")));
  }
  return 0;
}

/* Why a name that a file gives may not be opened below the model's directory; NULL if it may. Windows' rules and
   POSIX's, on every host: no root, no drive or stream, no device, no ".." (nor what Windows reads as that: it drops
   final dots and spaces). Where a link in the directory leads is not our business: hub snapshots are made of links. */
HFM__PRIVATE const char *hfm__unsafe_name(const char *name, size_t size) {
  size_t part = 0;
  if (size == 0) return "is empty";
  if (size > HFM__SHARD_NAME_MAX) return "is longer than 1024 bytes";
  for (size_t i = 0; i < size; i++) {
    const size_t length = hfm__utf8_length(name + i, size - i);
    if (length && hfm__is_control((const uint8_t *)name + i, length)) return "holds a control character";
    if (name[i] == ':') return "holds a colon (a drive or stream on Windows)";
  }
  if (name[0] == '/' || name[0] == '\\') return "is an absolute path";
  for (size_t i = 0; i <= size; i++) {
    if (i < size && name[i] != '/' && name[i] != '\\') continue;
    if (i - part == 2 && name[part] == '.' && name[part + 1] == '.') return "leaves the model's directory (\"..\")";
    if (i > part && (name[i - 1] == '.' || name[i - 1] == ' ')) return "has a part that ends in a dot or space";
    if (hfm__is_device(name + part, i - part)) return "has a part that is a device on Windows";
    part = i + 1;
  }
  return NULL;
}

HFM__PRIVATE hfm_result hfm__index_bad(hfm__json_reader *r, int32_t item, const char *name, const char *problem) {
  const uint64_t offset = (uint64_t)r->at;
  if (name)
    return hfm__fail(r->error, item, r->file, name, offset, "byte %u: shard name %q %s", offset, name, problem);
  return hfm__fail(r->error, item, r->file, NULL, offset, "byte %u: %s", offset, problem);
}

/* The value just read is another than what was expected. */
HFM__PRIVATE hfm_result hfm__index_wrong(hfm__json_reader *r, int32_t kind, const char *expected) {
  char found[HFM__JSON_SHOWN];
  hfm__text t = hfm__text_to(found, sizeof found);
  if (kind == HFM__JSON_FAILED) return r->result;
  hfm__json_show(&t, kind, r->value.text, r->value.size);
  return hfm__fail(r->error, HFM_E_INDEX_STRUCTURE, r->file, NULL, (uint64_t)r->at, "byte %u: %s, found %s",
                   (uint64_t)r->at, expected, found);
}

/* The shard that a member of "weight_map" names; `extension` is what it must end in. Most name the one before. */
HFM__PRIVATE hfm_result hfm__index_shard(hfm__json_reader *r, const hfm__shard_index *index, hfm__arena *arena,
                                         const char *extension, const char **shard) {
  const char *problem;
  char *name;
  size_t size;
  if (index->count) {
    *shard = index->entries[index->count - 1].shard;
    if (hfm__json_is(&r->value, *shard)) return HFM_OK;
  }
  *shard = name = (char *)hfm__arena_alloc(arena, (uint64_t)r->value.size + 1);
  if (!name) return hfm__fail_memory(r->error, "a shard index", 0);
  size = hfm__json_unescape(&r->value, name);
  problem = hfm__unsafe_name(name, size);
  if (problem) return hfm__index_bad(r, HFM_E_INDEX_SHARD_NAME, name, problem);
  if (!hfm__ends_with(name, extension))
    return hfm__fail(r->error, HFM_E_INDEX_SHARD_NAME, r->file, name, (uint64_t)r->at,
                     "byte %u: shard name %q must end in %s, as the index itself", (uint64_t)r->at, name, extension);
  return HFM_OK;
}

/* One member of "weight_map". */
HFM__PRIVATE hfm_result hfm__index_entry(hfm__json_reader *r, hfm__shard_index *index, hfm__arena *arena,
                                         const char *extension) {
  char *tensor = (char *)hfm__arena_alloc(arena, (uint64_t)r->key.size + 1);
  void *grown = hfm__grow(&index->mem, index->entries, index->count, &index->capacity, sizeof *index->entries);
  hfm__shard_entry *entry;
  const char *shard;
  size_t size;
  hfm_result result;
  if (grown) index->entries = (hfm__shard_entry *)grown;
  if (!tensor || !grown) return hfm__fail_memory(r->error, "a shard index", 0);
  size = hfm__json_unescape(&r->key, tensor);
  if (strlen(tensor) != size)
    return hfm__index_bad(r, HFM_E_INDEX_STRUCTURE, NULL, "a tensor's name must not hold a NUL character");
  result = hfm__index_shard(r, index, arena, extension, &shard);
  if (result != HFM_OK) return result;
  entry = &index->entries[index->count++];
  entry->tensor = tensor;
  entry->shard = shard;
  entry->offset = (uint64_t)r->at;
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__index_members(hfm__json_reader *r, hfm__shard_index *index, hfm__arena *arena,
                                           const char *extension) {
  int32_t kind = hfm__json_next(r), found = 0;
  if (kind != HFM__JSON_OBJECT) return hfm__index_wrong(r, kind, "a shard index must be a JSON object");
  while ((kind = hfm__json_next(r)) != HFM__JSON_END) {
    if (kind == HFM__JSON_FAILED) return r->result;
    if (!hfm__json_is(&r->key, "weight_map")) { /* "metadata" only informs, and is often wrong */
      if (!hfm__json_skip(r, kind)) return r->result;
      continue;
    }
    found = 1;
    if (kind != HFM__JSON_OBJECT) return hfm__index_wrong(r, kind, "\"weight_map\" must be an object");
    while ((kind = hfm__json_next(r)) != HFM__JSON_END) {
      hfm_result result;
      if (kind != HFM__JSON_STRING) return hfm__index_wrong(r, kind, "\"weight_map\" must map names to file names");
      result = hfm__index_entry(r, index, arena, extension);
      if (result != HFM_OK) return result;
    }
  }
  if (hfm__json_next(r) == HFM__JSON_FAILED) return r->result;
  if (!found || index->count == 0)
    return hfm__fail(r->error, HFM_E_INDEX_STRUCTURE, r->file, "weight_map", 0,
                     "a shard index needs a \"weight_map\" that names at least one tensor");
  return HFM_OK;
}

HFM__PRIVATE int hfm__name_order(const void *a, const void *b) { return strcmp((const char *)a, (const char *)b); }

/* Reads and checks an index. On failure nothing is left to free. */
HFM__PRIVATE hfm_result hfm__shard_index_read(const hfm__context *ctx, const char *name, hfm__arena *arena,
                                              const char *extension, hfm__shard_index *index, hfm_error *error) {
  char *text;
  size_t size;
  hfm__json_reader reader;
  hfm_result result = hfm__file_load(ctx, name, ctx->limits.max_index_bytes, &text, &size, error);
  memset(index, 0, sizeof *index);
  if (result != HFM_OK) return result;
  index->mem = ctx->mem;
  index->name = name;
  hfm__json_begin(&reader, &ctx->mem, name, text, size, 0, 0, error);
  result = hfm__index_members(&reader, index, arena, extension);
  hfm__json_end(&reader);
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  if (result == HFM_OK) {
    index->shards = (const char **)hfm__alloc(&ctx->mem, (uint64_t)index->count * 2 * sizeof *index->shards);
    if (!index->shards) result = hfm__fail_memory(error, "a shard index", 0);
  }
  if (result != HFM_OK) {
    hfm__shard_index_free(index);
    memset(index, 0, sizeof *index);
    return result;
  }
  for (size_t i = 0; i < index->count; i++) index->shards[i] = index->entries[i].shard;
  hfm__sort((const void **)index->shards, (const void **)(index->shards + index->count), index->count,
            hfm__name_order);
  for (size_t i = 0; i < index->count; i++)
    if (i == 0 || !hfm__equal(index->shards[i], index->shards[index->shard_count - 1]))
      index->shards[index->shard_count++] = index->shards[i];
  return HFM_OK;
}

/* ---- One table ---- */

HFM__PRIVATE int hfm__tensor_name_order(const void *a, const void *b) {
  const hfm__file_tensor *x = (const hfm__file_tensor *)a, *y = (const hfm__file_tensor *)b;
  const int order = strcmp(x->name, y->name);
  if (order) return order;
  return x->file < y->file ? -1 : x->file > y->file;
}

/* Sorts the list by name (then file); it is the checkpoint's then. */
HFM__PRIVATE hfm_result hfm__checkpoint_adopt(hfm__checkpoint *ckpt, hfm__tensor_list *list, hfm_error *error) {
  const uint64_t scratch_bytes = (uint64_t)list->count * 2 * sizeof(void *);
  const void **scratch;
  if (list->count == 0) return HFM_OK;
  scratch = (const void **)hfm__alloc(&list->mem, scratch_bytes);
  if (!scratch) return hfm__fail_memory(error, "the table of tensors", scratch_bytes);
  hfm__sort_items(list->items, list->count, sizeof *list->items, scratch, hfm__tensor_name_order);
  hfm__free(&list->mem, (void *)scratch, scratch_bytes);
  ckpt->tensors = list->items;
  ckpt->count = list->count;
  ckpt->capacity = list->capacity;
  list->items = NULL;
  list->count = list->capacity = 0;
  return HFM_OK;
}

HFM__PRIVATE int hfm__is_in_shard(const hfm__checkpoint *ckpt, const hfm__shard_index *index, const char *tensor,
                                  const char *shard) {
  size_t low = 0, high = ckpt->count;
  while (low < high) { /* the first tensor of that name */
    const size_t middle = low + (high - low) / 2;
    if (strcmp(ckpt->tensors[middle].name, tensor) < 0) low = middle + 1;
    else high = middle;
  }
  for (; low < ckpt->count && hfm__equal(ckpt->tensors[low].name, tensor); low++)
    if (hfm__equal(index->shards[ckpt->tensors[low].file], shard)) return 1;
  return 0;
}

/* Every mapped tensor must be in the shard that the index says. Reading a .bin has dropped "module." from its names. */
HFM__PRIVATE hfm_result hfm__check_mapped(const hfm__checkpoint *ckpt, const hfm__shard_index *index,
                                          hfm_error *error) {
  for (size_t i = 0; i < index->count; i++) {
    const hfm__shard_entry *entry = &index->entries[i];
    const int dropped = hfm__starts_with(entry->tensor, "module.") && hfm__ends_with(entry->shard, ".bin");
    if (!hfm__is_in_shard(ckpt, index, entry->tensor, entry->shard) &&
        !(dropped && hfm__is_in_shard(ckpt, index, entry->tensor + strlen("module."), entry->shard)))
      return hfm__fail(error, HFM_E_INDEX_TENSOR_NOT_IN_SHARD, index->name, entry->tensor, entry->offset,
                       "byte %u: tensor %q is said to be in %q, but isn't there", entry->offset, entry->tensor,
                       entry->shard);
  }
  return HFM_OK;
}

/* The last of each name stays: that of the latest file. */
HFM__PRIVATE void hfm__keep_latest(hfm__checkpoint *ckpt) {
  size_t kept = 0;
  for (size_t i = 0; i < ckpt->count; i++)
    if (i + 1 == ckpt->count || !hfm__equal(ckpt->tensors[i].name, ckpt->tensors[i + 1].name))
      ckpt->tensors[kept++] = ckpt->tensors[i];
  ckpt->count = kept;
}

/* Appends the tensors of one weights file; its kind is told by its name, else by its first bytes. */
HFM__PRIVATE hfm_result hfm__weights_read(const hfm__file *file, uint32_t index, hfm__tensor_list *list,
                                          hfm_error *error) {
  uint8_t magic[4] = {0, 0, 0, 0};
  int is_tar = 0;
  hfm_result result = file->size < 4 ? HFM_OK : hfm__file_read(file, 0, magic, 4, error);
  if (result == HFM_OK) result = hfm__file_is_tar(file, &is_tar, error);
  if (result != HFM_OK) return result;
  if (!hfm__add64(list->file_bytes, file->size, &list->file_bytes)) list->file_bytes = UINT64_MAX;
  if (hfm__ends_with(file->name, ".gguf") ||
      (!hfm__ends_with(file->name, ".safetensors") && !hfm__ends_with(file->name, ".bin") &&
       memcmp(magic, "GGUF", 4) == 0)) {
#ifndef HFMODEL_NO_GGUF
    return hfm__gguf_read(file, index, list, error);
#else
    return hfm__fail(error, HFM_E_GGUF_UNSUPPORTED, file->name, NULL, 0,
                     "a GGUF file, which this build does not read (HFMODEL_NO_GGUF)");
#endif
  }
  if (hfm__ends_with(file->name, ".safetensors") ||
      (!hfm__ends_with(file->name, ".bin") && hfm__le32(magic) != 0x04034b50 && magic[0] != 0x80 && !is_tar)) {
    list->format = "safetensors";
    return hfm__safetensors_read(file, index, list, error);
  }
#ifndef HFMODEL_NO_PICKLE
  list->format = "pytorch";
  return hfm__torch_read(file, index, list, error);
#else
  return hfm__fail(error, HFM_E_TORCH_UNSUPPORTED, file->name, NULL, 0,
                   "a PyTorch file, which this build does not read (HFMODEL_NO_PICKLE): save the model as safetensors, "
                   "or build without that macro");
#endif
}

/* Of the file that was read first: safetensors are listed by name, a .bin in its own order. */
HFM__PRIVATE hfm_dtype hfm__first_float(const hfm__tensor_list *list) {
  const hfm__file_tensor *first = NULL;
  if (list->first_float) return list->first_float;
  for (size_t i = 0; i < list->count; i++)
    if (hfm__is_float(list->items[i].dtype) && (!first || strcmp(list->items[i].name, first->name) < 0))
      first = &list->items[i];
  return first ? first->dtype : HFM_DTYPE_AUTO;
}

/* A shard that is not there: which tensor's, and who says so. */
HFM__PRIVATE hfm_result hfm__shard_missing(const hfm__shard_index *index, uint32_t shard, const char *path,
                                           hfm_error *error) {
  const hfm__shard_entry *entry = index->entries;
  while (!hfm__equal(entry->shard, index->shards[shard])) entry++;
  return hfm__fail(error, HFM_E_FILE_NOT_FOUND, path, entry->tensor, 0,
                   "no such file, but %q, byte %u, says that tensor %q is in it (is the download complete?)",
                   hfm__file_part(index->name), entry->offset, entry->tensor);
}

/* Opens files[0..count-1] (full names) and builds the table; `index` is NULL for a single file. On failure the
   checkpoint is closed. */
HFM__PRIVATE hfm_result hfm__checkpoint_read(const hfm__context *ctx, char *const *names, uint32_t count,
                                             const hfm__shard_index *index, const hfm_options *options,
                                             hfm__checkpoint *ckpt, hfm_error *error) {
  const int want_map = !(options && options->local_copy);
  hfm__tensor_list list;
  hfm_result result = HFM_OK;
  memset(&list, 0, sizeof list);
  list.mem = ctx->mem;
  list.names = &ckpt->arena;
  ckpt->files = (hfm__file *)hfm__alloc_zero(&ctx->mem, (uint64_t)count * sizeof *ckpt->files);
  if (!ckpt->files) return hfm__fail_memory(error, "a list of files", (uint64_t)count * sizeof *ckpt->files);
  ckpt->file_count = count;
  for (uint32_t i = 0; i < count && result == HFM_OK; i++) {
    result = hfm__file_open(ctx, names[i], want_map, &ckpt->files[i], error);
    if (result == HFM_ERROR_NOT_FOUND && index) result = hfm__shard_missing(index, i, names[i], error);
    if (result == HFM_OK) hfm__budget_extend(ctx, ckpt->files[i].size);
    if (result == HFM_OK)
      result = hfm__budget_verdict(ctx, hfm__weights_read(&ckpt->files[i], i, &list, error), names[i], error);
    if (i == 0) ckpt->first_float = hfm__first_float(&list);
  }
  if (result == HFM_OK) result = hfm__checkpoint_adopt(ckpt, &list, error);
  if (result == HFM_OK && index) result = hfm__check_mapped(ckpt, index, error);
  if (result == HFM_OK) hfm__keep_latest(ckpt);
  hfm__tensor_list_free(&list);
  return result;
}

/* A checkpoint of one weights file. */
HFM__PRIVATE hfm_result hfm__checkpoint_open_file(const hfm__context *ctx, const char *path, const hfm_options *options,
                                                  hfm__checkpoint *ckpt, hfm_error *error) {
  char *name = hfm__join_path(&ctx->mem, path, "");
  hfm_result result;
  memset(ckpt, 0, sizeof *ckpt);
  ckpt->arena.mem = ctx->mem;
  if (!name) return hfm__fail_memory(error, "a file name", 0);
  result = hfm__checkpoint_read(ctx, &name, 1, NULL, options, ckpt, error);
  hfm__free_text(&ctx->mem, name);
  if (result != HFM_OK) hfm__checkpoint_close(ckpt);
  return result;
}

/* A sharded checkpoint: `name` is the full name of the index, shards lie beside it. */
HFM__PRIVATE hfm_result hfm__checkpoint_open_index(const hfm__context *ctx, const char *dir, const char *name,
                                                   const char *extension, const hfm_options *options,
                                                   hfm__checkpoint *ckpt, hfm_error *error) {
  hfm__shard_index index;
  hfm_result result;
  char **paths;
  uint64_t bytes;
  memset(ckpt, 0, sizeof *ckpt);
  ckpt->arena.mem = ctx->mem;
  result = hfm__shard_index_read(ctx, name, &ckpt->arena, extension, &index, error);
  if (result != HFM_OK) {
    hfm__checkpoint_close(ckpt);
    return result;
  }
  bytes = (uint64_t)index.shard_count * sizeof *paths;
  paths = (char **)hfm__alloc_zero(&ctx->mem, bytes);
  if (!paths) result = hfm__fail_memory(error, "shard names", bytes);
  for (uint32_t i = 0; i < index.shard_count && result == HFM_OK; i++) {
    paths[i] = hfm__join_path(&ctx->mem, dir, index.shards[i]);
    if (!paths[i]) result = hfm__fail_memory(error, "shard names", 0);
  }
  if (result == HFM_OK) result = hfm__checkpoint_read(ctx, paths, index.shard_count, &index, options, ckpt, error);
  for (uint32_t i = 0; paths && i < index.shard_count; i++) hfm__free_text(&ctx->mem, paths[i]);
  hfm__free(&ctx->mem, paths, bytes);
  hfm__shard_index_free(&index);
  if (result != HFM_OK) hfm__checkpoint_close(ckpt);
  return result;
}

/* ---- Resolution ---- */

#ifdef HFMODEL_NO_PICKLE
enum { HFM__READS_TORCH = 0 }; /* a file that is there is refused by name, one that isn't is not asked for */
#else
enum { HFM__READS_TORCH = 1 };
#endif

typedef struct hfm__weights_name {
  const char *before, *after; /* the variant goes between, after a dot */
  const char *extension;      /* of the weights */
  int32_t is_index;
} hfm__weights_name;

/* Is there such a file? An error only where that can't be told, or where it isn't a regular file. */
HFM__PRIVATE hfm_result hfm__file_probe(const hfm__context *ctx, const char *path, int32_t *found, hfm_error *error) {
  hfm__file file;
  hfm_error reason;
  const hfm_result result = hfm__file_open(ctx, path, 0, &file, &reason);
  *found = result == HFM_OK;
  if (result == HFM_OK) hfm__file_close(&file);
  if (result == HFM_OK || result == HFM_ERROR_NOT_FOUND) return HFM_OK;
  if (error) *error = reason;
  return result;
}

/* Opens dir/name, a weights file or an index of them; *found says whether it exists. */
HFM__PRIVATE hfm_result hfm__checkpoint_try(const hfm__context *ctx, const char *dir, const char *name,
                                            int32_t is_index, const char *extension, const hfm_options *options,
                                            hfm__checkpoint *ckpt, int32_t *found, hfm_error *error) {
  char *path = hfm__join_path(&ctx->mem, dir, name);
  hfm_result result;
  *found = 0;
  if (!path) return hfm__fail_memory(error, "a file name", 0);
  result = hfm__file_probe(ctx, path, found, error);
  if (*found)
    result = is_index ? hfm__checkpoint_open_index(ctx, dir, path, extension, options, ckpt, error)
                      : hfm__checkpoint_open_file(ctx, path, options, ckpt, error);
  hfm__free_text(&ctx->mem, path);
  return result;
}

/* The weights of a directory, in Transformers' order: a variant's name stands before the extension. */
HFM__PRIVATE hfm_result hfm__checkpoint_resolve(const hfm__context *ctx, const char *dir, const hfm_options *options,
                                                hfm__checkpoint *ckpt, hfm_error *error) {
  static const hfm__weights_name kinds[] = {{"model", ".safetensors", ".safetensors", 0},
                                            {"model.safetensors.index", ".json", ".safetensors", 1},
                                            {"pytorch_model", ".bin", ".bin", 0},
                                            {"pytorch_model.bin.index", ".json", ".bin", 1}};
  const int32_t use_safetensors = options ? options->use_safetensors : 0;
  const char *variant = options && options->variant ? options->variant : "", *dot = *variant ? "." : "";
  char tried[512];
  hfm__text list = hfm__text_to(tried, sizeof tried);
  if (HFM__READS_TORCH == 0 && use_safetensors < 0)
    return hfm__fail(error, HFM_E_TORCH_UNSUPPORTED, dir, "use_safetensors", 0,
                     "options.use_safetensors is -1, for *.bin only, which this build does not read "
                     "(HFMODEL_NO_PICKLE): save the model as safetensors, or build without that macro");
  for (size_t i = 0; i < HFM__COUNT(kinds); i++) {
    const int32_t safe = kinds[i].extension[1] == 's';
    char name[256];
    hfm__text t = hfm__text_to(name, sizeof name);
    int32_t found;
    hfm_result result;
    if ((use_safetensors > 0 && !safe) || (use_safetensors < 0 && safe)) continue;
    hfm__text_format(&t, "%s%s%s%s", kinds[i].before, dot, variant, kinds[i].after);
    if (t.length >= sizeof name || hfm__unsafe_name(name, t.length))
      return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "variant", 0, "variant %q can't be part of a file name",
                       variant);
    result = hfm__checkpoint_try(ctx, dir, name, kinds[i].is_index, kinds[i].extension, options, ckpt, &found, error);
    if (found || result != HFM_OK) return result;
    if (safe || HFM__READS_TORCH == 1) hfm__text_format(&list, "%s%s", list.length ? ", " : "", name);
  }
  return hfm__fail(error, HFM_E_WEIGHTS_NOT_FOUND, dir, NULL, 0, "no weights in this directory: looked for %s", tried);
}

/* The weights of a model's directory (and options->subfolder). `explicit_name` is config.json's "transformers_weights",
   a file of the directory to take instead, or NULL. On failure *ckpt is zero. */
HFM__PRIVATE hfm_result hfm__checkpoint_open_named(const hfm__context *ctx, const char *dir, const char *explicit_name,
                                                   const hfm_options *options, hfm__checkpoint *ckpt,
                                                   hfm_error *error) {
  char *folder = hfm__join_path(&ctx->mem, dir, options && options->subfolder ? options->subfolder : "");
  hfm_result result = HFM_OK;
  int32_t found;
  memset(ckpt, 0, sizeof *ckpt);
  if (!folder) return hfm__fail_memory(error, "a directory name", 0);
  if (!explicit_name) {
    result = hfm__checkpoint_resolve(ctx, folder, options, ckpt, error);
  } else {
    const int32_t is_index = hfm__ends_with(explicit_name, ".safetensors.index.json");
    if ((!is_index && !hfm__ends_with(explicit_name, ".safetensors")) ||
        hfm__unsafe_name(explicit_name, strlen(explicit_name)))
      result = hfm__fail(error, HFM_E_CONFIG_VALUE, folder, "transformers_weights", 0,
                         "\"transformers_weights\" must name a .safetensors file or its .index.json inside the "
                         "directory, not %q",
                         explicit_name);
    else
      result = hfm__checkpoint_try(ctx, folder, explicit_name, is_index, ".safetensors", options, ckpt, &found, error);
    if (result == HFM_OK && !found)
      result = hfm__fail(error, HFM_E_WEIGHTS_NOT_FOUND, folder, "transformers_weights", 0,
                         "no file named %q, which config.json's \"transformers_weights\" asks for", explicit_name);
  }
  hfm__free_text(&ctx->mem, folder);
  return result;
}
