/* ==== formats/zip (private): the stored zip archive that torch.save writes =====================================
   A reader for exactly that: entries are not compressed, so a tensor is a range of the file and nothing is unpacked.
   Whatever two readers could understand differently (two directories, names or sizes that differ, entries that
   overlap, bytes that belong to none) is refused. */

typedef struct hfm__zip_entry {
  const char *name; /* NUL-terminated, without a NUL or control byte */
  uint64_t header;  /* of the local header */
  uint64_t offset;  /* of the data */
  uint64_t size;
} hfm__zip_entry;

typedef struct hfm__zip {
  const hfm__file *file;
  hfm__arena arena; /* names */
  hfm__zip_entry *entries; /* in the directory's order */
  const void **by_name;    /* the same, sorted by name; the second half is room for sorting */
  size_t count;
  const char *root;        /* the one folder that all entries are in, without '/' */
} hfm__zip;

enum {
  HFM__ZIP_END = 0x06054b50,
  HFM__ZIP_END64 = 0x06064b50,
  HFM__ZIP_LOCATOR64 = 0x07064b50,
  HFM__ZIP_CENTRAL = 0x02014b50,
  HFM__ZIP_LOCAL = 0x04034b50,
  HFM__ZIP_END_SIZE = 22,
  HFM__ZIP_END64_SIZE = 56,
  HFM__ZIP_LOCATOR64_SIZE = 20,
  HFM__ZIP_CENTRAL_SIZE = 46,
  HFM__ZIP_LOCAL_SIZE = 30,
  HFM__ZIP_DESCRIPTOR_MAX = 24, /* with its signature and sizes of 64 bits */
  HFM__ZIP_REFUSED_FLAGS = 0x2061 /* encrypted, patched, strongly encrypted, masked headers */
};

HFM__PRIVATE void hfm__zip_close(hfm__zip *zip) {
  const hfm_allocator *mem = &zip->arena.mem;
  if (zip->entries) hfm__free(mem, zip->entries, (uint64_t)zip->count * sizeof *zip->entries);
  if (zip->by_name) hfm__free(mem, (void *)zip->by_name, (uint64_t)zip->count * 2 * sizeof *zip->by_name);
  hfm__arena_free(&zip->arena);
  memset(zip, 0, sizeof *zip);
}

/* "byte N: zip entry 'name': problem"; `entry` NULL: of the whole archive. */
HFM__PRIVATE hfm_result hfm__zip_bad(const hfm__zip *zip, const char *entry, uint64_t offset, hfm_error *error,
                                     const char *format, ...) {
  char problem[320];
  hfm__text text = hfm__text_to(problem, sizeof problem);
  va_list args;
  va_start(args, format);
  hfm__text_vformat(&text, format, args);
  va_end(args);
  if (entry)
    return hfm__fail(error, HFM_E_ZIP_STRUCTURE, zip->file->name, entry, offset, "byte %u: zip entry %q: %s", offset,
                     entry, problem);
  return hfm__fail(error, HFM_E_ZIP_STRUCTURE, zip->file->name, NULL, offset, "byte %u: %s", offset, problem);
}

/* ---- Where the directory is ---- */

typedef struct hfm__zip_directory {
  uint64_t offset, size, entries;
  uint64_t limit; /* what follows the directory begins here */
} hfm__zip_directory;

/* The zip64 end record, which torch always writes; `end` is where the plain one is. Absent: nothing changes. */
HFM__PRIVATE hfm_result hfm__zip_end64(const hfm__zip *zip, uint64_t end, hfm__zip_directory *dir, hfm_error *error) {
  uint8_t locator[HFM__ZIP_LOCATOR64_SIZE], record[HFM__ZIP_END64_SIZE];
  uint64_t at, size;
  hfm_result result;
  if (end < HFM__ZIP_LOCATOR64_SIZE) return HFM_OK;
  result = hfm__file_read(zip->file, end - HFM__ZIP_LOCATOR64_SIZE, locator, sizeof locator, error);
  if (result != HFM_OK || hfm__le32(locator) != HFM__ZIP_LOCATOR64) return result;
  at = hfm__le64(locator + 8);
  end -= HFM__ZIP_LOCATOR64_SIZE;
  if (hfm__le32(locator + 4) != 0 || hfm__le32(locator + 16) != 1)
    return hfm__zip_bad(zip, NULL, end, error, "a zip archive on one disk expected, found one on several");
  if (at > end || end - at < HFM__ZIP_END64_SIZE)
    return hfm__zip_bad(zip, NULL, end, error, "the zip64 locator must point to a record before it, found byte %u", at);
  result = hfm__file_read(zip->file, at, record, sizeof record, error);
  if (result != HFM_OK) return result;
  size = hfm__le64(record + 4);
  if (hfm__le32(record) != HFM__ZIP_END64 || size != end - at - 12)
    return hfm__zip_bad(zip, NULL, at, error, "a zip64 end record that reaches to its locator, byte %u, expected", end);
  if (hfm__le32(record + 16) != 0 || hfm__le32(record + 20) != 0 || hfm__le64(record + 24) != hfm__le64(record + 32))
    return hfm__zip_bad(zip, NULL, at, error, "a zip archive on one disk expected, found one on several");
  if ((dir->entries != 0xffff && dir->entries != hfm__le64(record + 32)) ||
      (dir->size != 0xffffffff && dir->size != hfm__le64(record + 40)) ||
      (dir->offset != 0xffffffff && dir->offset != hfm__le64(record + 48)))
    return hfm__zip_bad(zip, NULL, at, error,
                        "the zip64 end record says %u entries in %u bytes at byte %u, but the plain one %u in %u at %u",
                        hfm__le64(record + 32), hfm__le64(record + 40), hfm__le64(record + 48), dir->entries, dir->size,
                        dir->offset);
  dir->entries = hfm__le64(record + 32);
  dir->size = hfm__le64(record + 40);
  dir->offset = hfm__le64(record + 48);
  dir->limit = at;
  return HFM_OK;
}

/* The end record is searched from the end of the file, and must reach it with its comment. */
HFM__PRIVATE hfm_result hfm__zip_find_directory(const hfm__zip *zip, hfm__zip_directory *dir, hfm_error *error) {
  const uint64_t size = zip->file->size, reach = HFM__MIN(size, (uint64_t)HFM__ZIP_END_SIZE + 0xffff);
  const uint8_t *tail;
  uint8_t *owned;
  uint64_t i, end;
  hfm_result result;
  if (size < HFM__ZIP_END_SIZE)
    return hfm__zip_bad(zip, NULL, size, error,
                        "a zip archive has at least %u bytes, found %u (is the download complete?)",
                        (uint64_t)HFM__ZIP_END_SIZE, size);
  result = hfm__file_bytes(zip->file, size - reach, reach, &tail, &owned, error);
  if (result != HFM_OK) return result;
  for (i = reach - HFM__ZIP_END_SIZE + 1; i-- > 0;)
    if (hfm__le32(tail + i) == HFM__ZIP_END) break;
  end = size - reach + i;
  if (i >= reach) {
    result = hfm__zip_bad(zip, NULL, size, error, "a zip archive without its end record (is the download complete?)");
  } else if (hfm__le16(tail + i + 20) != size - end - HFM__ZIP_END_SIZE) {
    result = hfm__zip_bad(zip, NULL, end, error,
                          "the end record and its comment must reach the file's last byte, %u, but end at %u", size,
                          end + HFM__ZIP_END_SIZE + hfm__le16(tail + i + 20));
  } else if (hfm__le16(tail + i + 4) != 0 || hfm__le16(tail + i + 6) != 0 ||
             hfm__le16(tail + i + 8) != hfm__le16(tail + i + 10)) {
    result = hfm__zip_bad(zip, NULL, end, error, "a zip archive on one disk expected, found one on several");
  } else {
    dir->entries = hfm__le16(tail + i + 10);
    dir->size = hfm__le32(tail + i + 12);
    dir->offset = hfm__le32(tail + i + 16);
    dir->limit = end;
    result = hfm__zip_end64(zip, end, dir, error);
  }
  hfm__free(&zip->arena.mem, owned, reach);
  if (result != HFM_OK) return result;
  if (dir->offset > dir->limit || dir->size != dir->limit - dir->offset)
    return hfm__zip_bad(zip, NULL, end, error,
                        "the zip directory must end at byte %u, but has %u bytes from byte %u on", dir->limit,
                        dir->size, dir->offset);
  if (dir->entries == 0 || dir->entries > dir->size / HFM__ZIP_CENTRAL_SIZE)
    return hfm__zip_bad(zip, NULL, end, error,
                        "the zip directory must have from 1 to %u entries in its %u bytes, found %u",
                        dir->size / HFM__ZIP_CENTRAL_SIZE, dir->size, dir->entries);
  return HFM_OK;
}

/* ---- Entries ---- */

/* Fields of 0xffffffff are in the zip64 extra block, which must hold exactly those. */
HFM__PRIVATE int hfm__zip_extra64(const uint8_t *extra, size_t extra_size, uint64_t *const fields[3]) {
  size_t at = 0, needed = 0;
  for (int32_t i = 0; i < 3; i++)
    if (*fields[i] == 0xffffffff) needed += 8;
  if (!needed) return 1;
  while (extra_size - at >= 4) {
    const size_t size = hfm__le16(extra + at + 2);
    if (size > extra_size - at - 4) return 0;
    if (hfm__le16(extra + at) == 1) {
      if (size != needed) return 0;
      at += 4;
      for (int32_t i = 0; i < 3; i++) {
        if (*fields[i] != 0xffffffff) continue;
        *fields[i] = hfm__le64(extra + at);
        at += 8;
      }
      return 1;
    }
    at += 4 + size;
  }
  return 0;
}

/* One central record of `left` bytes, at byte `at` of the file. *used: its length. */
HFM__PRIVATE hfm_result hfm__zip_central(hfm__zip *zip, const uint8_t *record, uint64_t left, uint64_t at,
                                         hfm__zip_entry *entry, uint64_t *used, hfm_error *error) {
  uint64_t packed, *fields[3];
  size_t name_size, extra_size;
  char *name;
  if (left < HFM__ZIP_CENTRAL_SIZE || hfm__le32(record) != HFM__ZIP_CENTRAL)
    return hfm__zip_bad(zip, NULL, at, error,
                        "an entry of the zip directory expected, found something else in %u bytes", left);
  name_size = hfm__le16(record + 28);
  extra_size = hfm__le16(record + 30);
  *used = HFM__ZIP_CENTRAL_SIZE + (uint64_t)name_size + extra_size + hfm__le16(record + 32);
  if (*used > left)
    return hfm__zip_bad(zip, NULL, at, error, "an entry has %u bytes, but the zip directory only %u more", *used, left);
  name = hfm__arena_copy(&zip->arena, (const char *)record + HFM__ZIP_CENTRAL_SIZE, name_size);
  if (!name) return hfm__fail_memory(error, "a zip directory", 0);
  for (size_t i = 0; i < name_size; i++)
    if ((uint8_t)name[i] < 0x20 || name[i] == 0x7f)
      return hfm__zip_bad(zip, NULL, at + HFM__ZIP_CENTRAL_SIZE + i, error,
                          "an entry's name without control characters expected, found %q", name);
  if (name_size == 0) return hfm__zip_bad(zip, NULL, at, error, "an entry's name expected, found none");
  entry->name = name;
  packed = hfm__le32(record + 20);
  entry->size = hfm__le32(record + 24);
  entry->header = hfm__le32(record + 42);
  fields[0] = &entry->size; /* the order in which the extra block holds them */
  fields[1] = &packed;
  fields[2] = &entry->header;
  if (!hfm__zip_extra64(record + HFM__ZIP_CENTRAL_SIZE + name_size, extra_size, fields))
    return hfm__zip_bad(zip, name, at, error, "its zip64 block does not hold exactly the fields that are missing");
  if (hfm__le16(record + 34) != 0)
    return hfm__zip_bad(zip, name, at, error, "must be on disk 0, found %u", (uint64_t)hfm__le16(record + 34));
  if (hfm__le16(record + 8) & HFM__ZIP_REFUSED_FLAGS)
    return hfm__fail(error, HFM_E_ZIP_UNSUPPORTED, zip->file->name, name, at + 8,
                     "byte %u: zip entry %q is encrypted or patched (flags %u)", at + 8, name,
                     (uint64_t)hfm__le16(record + 8));
  if (hfm__le16(record + 10) != 0 || packed != entry->size)
    return hfm__fail(error, HFM_E_ZIP_UNSUPPORTED, zip->file->name, name, at + 10,
                     "byte %u: zip entry %q is compressed; torch.save stores entries as they are: save the file again",
                     at + 10, name);
  return HFM_OK;
}

/* The local header must name the same entry; the data begins after it. `record` is where the directory has the
   entry. */
HFM__PRIVATE hfm_result hfm__zip_local(const hfm__zip *zip, hfm__zip_entry *entry, const hfm__zip_directory *dir,
                                       uint64_t record, hfm_error *error) {
  const size_t name_size = strlen(entry->name);
  const uint64_t at = entry->header;
  uint8_t header[HFM__ZIP_LOCAL_SIZE], *owned;
  const uint8_t *name;
  hfm_result result;
  int same;
  if (at > dir->offset || dir->offset - at < HFM__ZIP_LOCAL_SIZE + name_size)
    return hfm__zip_bad(zip, entry->name, record, error,
                        "its local header must lie before the directory, byte %u, found it at byte %u", dir->offset,
                        at);
  result = hfm__file_read(zip->file, at, header, sizeof header, error);
  if (result != HFM_OK) return result;
  if (hfm__le32(header) != HFM__ZIP_LOCAL)
    return hfm__zip_bad(zip, entry->name, at, error, "its local header expected, found none");
  if (hfm__le16(header + 6) & HFM__ZIP_REFUSED_FLAGS || hfm__le16(header + 8) != 0 ||
      hfm__le16(header + 26) != name_size)
    return hfm__zip_bad(zip, entry->name, at, error,
                        "its local header must be as the directory says, found method %u, flags %u, a name of %u bytes",
                        (uint64_t)hfm__le16(header + 8), (uint64_t)hfm__le16(header + 6),
                        (uint64_t)hfm__le16(header + 26));
  for (int32_t i = 18; i <= 22; i += 4) { /* packed, unpacked; 0: a descriptor follows the data, all ones: zip64 */
    const uint32_t said = hfm__le32(header + i);
    if (said && said != 0xffffffff && said != entry->size)
      return hfm__zip_bad(zip, entry->name, at, error,
                          "the same size in its local header expected, %u bytes, found %u", entry->size,
                          (uint64_t)said);
  }
  result = hfm__file_bytes(zip->file, at + HFM__ZIP_LOCAL_SIZE, name_size, &name, &owned, error);
  if (result != HFM_OK) return result;
  same = memcmp(name, entry->name, name_size) == 0;
  hfm__free(&zip->arena.mem, owned, name_size);
  if (!same)
    return hfm__zip_bad(zip, entry->name, at, error, "the same name in its local header expected, found another");
  entry->offset = at + HFM__ZIP_LOCAL_SIZE + name_size + hfm__le16(header + 28);
  if (entry->offset > dir->offset || entry->size > dir->offset - entry->offset)
    return hfm__zip_bad(zip, entry->name, at, error,
                        "its %u bytes from byte %u on must end before the directory, byte %u", entry->size,
                        entry->offset, dir->offset);
  return HFM_OK;
}

HFM__PRIVATE int hfm__zip_name_order(const void *a, const void *b) {
  return strcmp(((const hfm__zip_entry *)a)->name, ((const hfm__zip_entry *)b)->name);
}

HFM__PRIVATE int hfm__zip_header_order(const void *a, const void *b) {
  const uint64_t x = ((const hfm__zip_entry *)a)->header, y = ((const hfm__zip_entry *)b)->header;
  return x < y ? -1 : x > y;
}

/* No two entries share a byte or a name, and between them, from the file's first byte to the directory, is room for
   descriptors at most: a reader that goes from header to header finds the same entries. Leaves by_name sorted. */
HFM__PRIVATE hfm_result hfm__zip_check_apart(hfm__zip *zip, uint64_t directory, hfm_error *error) {
  const void **sorted = zip->by_name;
  uint64_t end = 0;
  for (size_t i = 0; i < zip->count; i++) sorted[i] = &zip->entries[i];
  hfm__sort(sorted, sorted + zip->count, zip->count, hfm__zip_header_order);
  for (size_t i = 0; i <= zip->count; i++) {
    const hfm__zip_entry *entry = i < zip->count ? (const hfm__zip_entry *)sorted[i] : NULL;
    const uint64_t next = entry ? entry->header : directory;
    if (end > next)
      return hfm__zip_bad(zip, entry->name, next, error,
                          "must begin behind the entry before it, which ends at byte %u", end);
    if (next - end > (i ? (uint64_t)HFM__ZIP_DESCRIPTOR_MAX : 0))
      return hfm__zip_bad(zip, NULL, end, error, "an entry or the directory expected, found %u bytes of neither",
                          next - end);
    if (entry) end = entry->offset + entry->size;
  }
  hfm__sort(sorted, sorted + zip->count, zip->count, hfm__zip_name_order);
  for (size_t i = 1; i < zip->count; i++)
    if (hfm__zip_name_order(sorted[i - 1], sorted[i]) == 0)
      return hfm__zip_bad(zip, ((const hfm__zip_entry *)sorted[i])->name, ((const hfm__zip_entry *)sorted[i])->header,
                          error, "a name that no other entry has expected, found two");
  return HFM_OK;
}

/* Everything lies in one folder: what precedes the first '/' of the first name. */
HFM__PRIVATE hfm_result hfm__zip_find_root(hfm__zip *zip, hfm_error *error) {
  const char *first = zip->entries[0].name, *slash = strchr(first, '/');
  const size_t size = slash ? (size_t)(slash - first) : 0;
  if (!size)
    return hfm__zip_bad(zip, first, zip->entries[0].header, error,
                        "must be in a folder, as all entries of torch.save are");
  for (size_t i = 0; i < zip->count; i++)
    if (strncmp(zip->entries[i].name, first, size + 1) != 0)
      return hfm__zip_bad(zip, zip->entries[i].name, zip->entries[i].header, error,
                          "must be in the folder of the others, as %q is", first);
  zip->root = hfm__arena_copy(&zip->arena, first, size);
  return zip->root ? HFM_OK : hfm__fail_memory(error, "a zip directory", 0);
}

/* Reads and checks the whole directory. On failure *zip is zero. */
HFM__PRIVATE hfm_result hfm__zip_open(const hfm__file *file, hfm__zip *zip, hfm_error *error) {
  const hfm_allocator *mem = &file->ctx->mem;
  hfm__zip_directory dir;
  const uint8_t *records = NULL;
  uint8_t *owned = NULL;
  uint64_t at = 0, used = 0;
  hfm_result result;
  memset(zip, 0, sizeof *zip);
  memset(&dir, 0, sizeof dir);
  zip->file = file;
  zip->arena.mem = *mem;
  result = hfm__zip_find_directory(zip, &dir, error);
  if (result == HFM_OK) result = hfm__file_bytes(file, dir.offset, dir.size, &records, &owned, error);
  if (result == HFM_OK) {
    zip->entries = (hfm__zip_entry *)hfm__alloc_zero(mem, dir.entries * sizeof *zip->entries);
    zip->by_name = (const void **)hfm__alloc(mem, dir.entries * 2 * sizeof *zip->by_name);
    zip->count = (size_t)dir.entries;
    if (!zip->entries || !zip->by_name) result = hfm__fail_memory(error, "a zip directory", 0);
  }
  for (size_t i = 0; i < zip->count && result == HFM_OK; i++, at += used) {
    result = hfm__zip_central(zip, records + at, dir.size - at, dir.offset + at, &zip->entries[i], &used, error);
    if (result == HFM_OK) result = hfm__zip_local(zip, &zip->entries[i], &dir, dir.offset + at, error);
  }
  if (result == HFM_OK && at != dir.size)
    result = hfm__zip_bad(zip, NULL, dir.offset + at, error,
                          "the zip directory must end with its last entry, found %u bytes more", dir.size - at);
  if (result == HFM_OK) result = hfm__zip_check_apart(zip, dir.offset, error);
  if (result == HFM_OK) result = hfm__zip_find_root(zip, error);
  hfm__free(mem, owned, dir.size);
  if (result != HFM_OK) hfm__zip_close(zip);
  return result;
}

/* root/name, or NULL. */
HFM__PRIVATE const hfm__zip_entry *hfm__zip_find(const hfm__zip *zip, const char *folder, const char *name,
                                                 size_t name_size) {
  const size_t root_size = strlen(zip->root), folder_size = strlen(folder);
  size_t low = 0, high = zip->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const hfm__zip_entry *entry = (const hfm__zip_entry *)zip->by_name[middle];
    const char *rest = entry->name + root_size + 1; /* all names begin with the root and '/' */
    int order = strncmp(rest, folder, folder_size);
    if (order == 0) order = strncmp(rest + folder_size, name, name_size);
    if (order == 0 && rest[folder_size + name_size]) order = 1;
    if (order == 0) return entry;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return NULL;
}
