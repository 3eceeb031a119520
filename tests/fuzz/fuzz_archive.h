/* fuzz_archive.h: well-formed zip archives as torch.save writes them, and where their records are. */
#ifndef FUZZ_ARCHIVE_H
#define FUZZ_ARCHIVE_H

#include "fuzz.h"

enum { FUZZ_ENTRIES = 12 };

typedef struct fuzz_archive {
  uint8_t *bytes;
  size_t size, room;
  size_t count;
  const char *names[FUZZ_ENTRIES];
  size_t sizes[FUZZ_ENTRIES], local[FUZZ_ENTRIES], central[FUZZ_ENTRIES];
  size_t directory, end64, end; /* where they begin; end64 is 0 without zip64 records */
} fuzz_archive;

static int fuzz_archive_begin(fuzz_archive *a, size_t room) {
  memset(a, 0, sizeof *a);
  a->bytes = (uint8_t *)malloc(room);
  a->room = room;
  return a->bytes != NULL;
}

static void fuzz_archive_put(fuzz_archive *a, uint64_t value, int width) {
  if (a->room - a->size < (size_t)width) return;
  for (int i = 0; i < width; i++) a->bytes[a->size++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

static void fuzz_archive_copy(fuzz_archive *a, const void *data, size_t size) {
  if (a->room - a->size < size) return;
  if (size) memcpy(a->bytes + a->size, data, size);
  a->size += size;
}

/* A stored entry; `pad` bytes in the extra block of its local header, as torch aligns with. `name` must live on. */
static void fuzz_archive_entry(fuzz_archive *a, const char *name, const void *data, size_t size, size_t pad) {
  if (a->count == FUZZ_ENTRIES) return;
  a->names[a->count] = name;
  a->sizes[a->count] = size;
  a->local[a->count++] = a->size;
  fuzz_archive_put(a, 0x04034b50, 4);
  fuzz_archive_put(a, 0, 22);
  fuzz_archive_put(a, strlen(name) | (uint64_t)pad << 16, 4);
  fuzz_archive_copy(a, name, strlen(name));
  for (size_t i = 0; i < pad; i++) fuzz_archive_put(a, 'Z', 1);
  fuzz_archive_copy(a, data, size);
}

/* The directory and the end records. `in_extra`: each entry's sizes and place are in a zip64 block. */
static void fuzz_archive_end(fuzz_archive *a, int zip64, int in_extra) {
  a->directory = a->size;
  for (size_t i = 0; i < a->count; i++) {
    a->central[i] = a->size;
    fuzz_archive_put(a, 0x02014b50, 4);
    fuzz_archive_put(a, 0, 16);
    fuzz_archive_put(a, in_extra ? UINT64_MAX : a->sizes[i] | (uint64_t)a->sizes[i] << 32, 8);
    fuzz_archive_put(a, strlen(a->names[i]) | (in_extra ? 28u << 16 : 0u), 4);
    fuzz_archive_put(a, 0, 10);
    fuzz_archive_put(a, in_extra ? UINT32_MAX : a->local[i], 4);
    fuzz_archive_copy(a, a->names[i], strlen(a->names[i]));
    if (!in_extra) continue;
    fuzz_archive_put(a, 1 | 24 << 16, 4);
    fuzz_archive_put(a, a->sizes[i], 8);
    fuzz_archive_put(a, a->sizes[i], 8);
    fuzz_archive_put(a, a->local[i], 8);
  }
  a->end = a->size;
  if (zip64) {
    a->end64 = a->size;
    fuzz_archive_put(a, 0x06064b50, 4);
    fuzz_archive_put(a, 44, 8);
    fuzz_archive_put(a, 0, 12);
    fuzz_archive_put(a, a->count, 8);
    fuzz_archive_put(a, a->count, 8);
    fuzz_archive_put(a, a->end - a->directory, 8);
    fuzz_archive_put(a, a->directory, 8);
    fuzz_archive_put(a, 0x07064b50, 4);
    fuzz_archive_put(a, 0, 4);
    fuzz_archive_put(a, a->end64, 8);
    fuzz_archive_put(a, 1, 4);
  }
  fuzz_archive_put(a, 0x06054b50, 4);
  fuzz_archive_put(a, 0, 4);
  fuzz_archive_put(a, a->count | (uint64_t)a->count << 16, 4);
  fuzz_archive_put(a, a->end - a->directory, 4);
  fuzz_archive_put(a, a->directory, 4);
  fuzz_archive_put(a, 0, 2);
  if (zip64) a->end = a->size - 22;
}

#endif
