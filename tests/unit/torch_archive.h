/* torch_archive.h: .bin files made by hand. Included after check.h. */
#ifndef TORCH_ARCHIVE_H
#define TORCH_ARCHIVE_H

#include <stdint.h>
#include <string.h>

enum { ROOM = 8192 };

typedef struct part {
  const char *name;
  const void *data;
  size_t size;
} part;

typedef struct archive {
  uint8_t bytes[ROOM];
  size_t size;
  size_t local[8];   /* where each local header is */
  size_t central[8]; /* where each record of the directory is */
  size_t directory, end;
} archive;

CHECK_UNUSED static void put(archive *a, uint64_t value, int width) {
  for (int i = 0; i < width; i++) a->bytes[a->size++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

CHECK_UNUSED static void poke(archive *a, size_t at, uint64_t value, int width) {
  for (int i = 0; i < width; i++) a->bytes[at + (size_t)i] = (uint8_t)(value >> 8 * i);
}

/* The plain end record; torch writes a zip64 one before it. */
CHECK_UNUSED static void put_end(archive *a, size_t count, int zip64) {
  const size_t size = a->size - a->directory, at = a->size;
  if (zip64) {
    put(a, 0x06064b50, 4);
    put(a, 44, 8);
    put(a, 0x2d0000 | 0x1e, 4);
    put(a, 0, 8);
    put(a, count, 8);
    put(a, count, 8);
    put(a, size, 8);
    put(a, a->directory, 8);
    put(a, 0x07064b50, 4);
    put(a, 0, 4);
    put(a, at, 8);
    put(a, 1, 4);
  }
  a->end = a->size;
  put(a, 0x06054b50, 4);
  put(a, 0, 4);
  put(a, count, 2);
  put(a, count, 2);
  put(a, size, 4);
  put(a, a->directory, 4);
  put(a, 0, 2);
}

CHECK_UNUSED static void make_zip(archive *a, const part *parts, size_t count, int zip64) {
  memset(a, 0, sizeof *a);
  for (size_t i = 0; i < count; i++) {
    const size_t name_size = strlen(parts[i].name);
    a->local[i] = a->size;
    put(a, 0x04034b50, 4);
    put(a, 0, 4);  /* version, flags */
    put(a, 0, 18); /* method, time, crc, sizes: as torch leaves them */
    put(a, name_size, 4);
    memcpy(a->bytes + a->size, parts[i].name, name_size);
    a->size += name_size;
    if (parts[i].size) memcpy(a->bytes + a->size, parts[i].data, parts[i].size);
    a->size += parts[i].size;
  }
  a->directory = a->size;
  for (size_t i = 0; i < count; i++) {
    const size_t name_size = strlen(parts[i].name);
    a->central[i] = a->size;
    put(a, 0x02014b50, 4);
    put(a, 0, 12); /* versions, flags, method, time */
    put(a, 0, 4);  /* crc */
    put(a, parts[i].size, 4);
    put(a, parts[i].size, 4);
    put(a, name_size, 4);
    put(a, 0, 8); /* comment, disk, attributes */
    put(a, 0, 2);
    put(a, a->local[i], 4);
    memcpy(a->bytes + a->size, parts[i].name, name_size);
    a->size += name_size;
  }
  put_end(a, count, zip64);
}

/* {"w": tensor of 4 bytes, [2, 2]} */
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"
CHECK_UNUSED static const char good_pickle[] = "\x80\2}X\1\0\0\0w" REBUILD
                                  "((X\7\0\0\0storagectorch\nByteStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\4tQ"
                                  "K\0K\2K\2\x86K\2K\1\x86\x89}tRs.";

CHECK_UNUSED static void make_archive(archive *a, const void *pickle, size_t size, int zip64) {
  const part parts[] = {{"m/data.pkl", pickle, size}, {"m/data/0", "\1\2\3\4", 4}, {"m/version", "3\n", 2}};
  make_zip(a, parts, 3, zip64);
}

/* A legacy stream: this pickle, and a storage "0" of `count` elements in the bytes 1, 2, ... */
CHECK_UNUSED static void make_legacy(archive *a, const void *pickle, size_t size, uint64_t count, size_t bytes) {
  static const char head[] = "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3."
                             "\x80\2}U\15little_endian\x88s.";
  static const char keys[] = "\x80\2]U\1" "0a.";
  memset(a, 0, sizeof *a);
  memcpy(a->bytes, head, sizeof head - 1);
  memcpy(a->bytes + sizeof head - 1, pickle, size);
  memcpy(a->bytes + sizeof head - 1 + size, keys, sizeof keys - 1);
  a->size = sizeof head - 1 + size + sizeof keys - 1;
  put(a, count, 8);
  for (size_t i = 1; i <= bytes; i++) put(a, i, 1);
}

/* ---- Pickles made by hand ---- */

#define PICKLE(text) text, sizeof(text) - 1

/* The pickle of {"w": one tensor}: the storage's persistent id, offset, size and stride. */
#define ID(text) "(" text "tQ"
#define ARGS(id, offset, size, stride) "\x80\2}U\1w" REBUILD "(" id offset size stride "\x89}tRs."
#define OF(storage, key, numel) ID("U\7storagectorch\n" storage "\nU" key "U\3cpu" numel)
#define UNTYPED(numel) ID("U\7storagectorch.storage\nUntypedStorage\nU\1" "0U\3cpu" numel)
#define V3_ARGS(id, args, dtype) \
  "\x80\2}U\1wctorch._utils\n_rebuild_tensor_v3\n(" id args "\x89}ctorch\n" dtype "\ntRs."

#endif
