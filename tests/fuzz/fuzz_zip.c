/* The bytes are a recipe: a well-formed archive with so many entries of such names and contents, then changes of fields
   of its records. Raw bytes, which hardly ever get beyond the end record, are torch_bin's. */
#include "fuzz_archive.h"
#include "fuzz_bytes.h"
#include "fuzz_weights.h"

static void fuzz_zip_entries(fuzz_archive *a, fuzz_bytes *b) {
  static const char pickle[] = "\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n"
                               "ByteStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\4tQK\0K\2K\2\x86K\2K\1\x86\x89}tRs.";
  static const char *const names[] = {
    "m/data.pkl", "m/data/0", "m/data/1", "m/version", "m/byteorder", "m/.data/serialization_id", "m/.format_version",
    "n/data.pkl", "m", "m/", "/data.pkl", "", "m/code/a.py", "m/constants.pkl", "m/data/0\xff", "m/data/\x1f",
    "m/m/data.pkl",
    "an archive with a rather long name of its folder, as torch takes it from the file/data.pkl"};
  static const char *const texts[] = {"little", "big", "biggest", "3\n", ""};
  const size_t count = 1 + fuzz_take(b, 1) % FUZZ_ENTRIES;
  for (size_t i = 0; i < count; i++) {
    const size_t which = (size_t)fuzz_take(b, 1), kind = (size_t)fuzz_take(b, 1), pad = (size_t)fuzz_take(b, 1);
    const char *name = names[which < 3 ? which : (which ^ i) % (sizeof names / sizeof names[0])];
    const char *text = texts[kind / 4 % (sizeof texts / sizeof texts[0])];
    size_t size;
    const uint8_t *bytes;
    switch (kind % 4) {
      case 0: fuzz_archive_entry(a, name, pickle, sizeof pickle - 1, pad); break;
      case 1: fuzz_archive_entry(a, name, "\1\2\3\4", 4, pad); break;
      case 2: fuzz_archive_entry(a, name, text, strlen(text), pad); break;
      default:
        bytes = fuzz_take_bytes(b, (size_t)fuzz_take(b, 1), &size);
        fuzz_archive_entry(a, name, bytes, size, pad);
        break;
    }
  }
}

/* One field of one record gets another value: one at a limit, one a little off, or any. */
static void fuzz_zip_change(fuzz_archive *a, fuzz_bytes *b) {
  static const uint64_t limits[] = {0, 1, 0xffff, 0xffffffff, 0x7fffffff, UINT64_MAX, UINT64_MAX / 2, 0x80000000};
  const size_t record = (size_t)fuzz_take(b, 1), field = (size_t)fuzz_take(b, 1), how = (size_t)fuzz_take(b, 1);
  const size_t entry = record / 8 % a->count;
  const int width = 1 << how / 16 % 4;
  const size_t begin = record % 8 < 3 ? a->local[entry] : record % 8 < 6 ? a->central[entry]
                                                        : record % 8 == 6 && a->end64 ? a->end64 : a->end;
  const size_t at = begin + field % 96;
  uint64_t value = 0;
  if (at + (size_t)width > a->size) return;
  memcpy(&value, a->bytes + at, (size_t)width); /* in the machine's order: only chance is made of it */
  switch (how % 4) {
    case 0: value = limits[fuzz_take(b, 1) % 8]; break;
    case 1: value += fuzz_take(b, 1); break;
    case 2: value -= fuzz_take(b, 1); break;
    default: value = fuzz_take(b, width); break;
  }
  memcpy(a->bytes + at, &value, (size_t)width);
}

FUZZ_TARGET(zip) {
  fuzz_bytes b = {data, size, 0};
  const uint32_t flags = (uint32_t)fuzz_take(&b, 1), changes = (uint32_t)fuzz_take(&b, 1) % 4;
  size_t comment, bytes;
  const uint8_t *text;
  fuzz_archive a;
  if (!fuzz_archive_begin(&a, size + 8192)) return 0;
  fuzz_zip_entries(&a, &b);
  if (flags & 16) fuzz_archive_put(&a, 0, 1 + (int)(fuzz_take(&b, 1) % 4)); /* bytes that belong to nobody */
  fuzz_archive_end(&a, flags & 1, flags >> 1 & 1);
  if (flags & 4) {
    comment = (size_t)fuzz_take(&b, 1);
    text = fuzz_take_bytes(&b, comment, &bytes);
    fuzz_archive_copy(&a, text, bytes);
    a.bytes[a.end + 20] = (uint8_t)(flags & 8 ? comment : bytes);
  }
  for (uint32_t i = 0; i < changes; i++) fuzz_zip_change(&a, &b);
  fuzz_weights("x.bin", a.bytes, a.size);
  free(a.bytes);
  return 0;
}
