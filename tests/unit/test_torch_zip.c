/* The zip container of pytorch_model.bin: every rule (Z) with files made by hand. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "torch_judge.h"

static void test_handmade(void) {
  archive a;
  hfm_error error;
  for (int zip64 = 0; zip64 < 2; zip64++) {
    make_archive(&a, good_pickle, sizeof good_pickle - 1, zip64);
    if (!CHECK_INT(judge(&a, &error), HFM_E_NONE)) printf("    %s\n", error.message);
  }
}

/* A field of the good archive, and what the file is without it. */
static void check_poke(const char *rule, int zip64, int where, size_t offset, uint64_t value, int width, int32_t item) {
  archive a;
  hfm_error error;
  size_t at = offset;
  make_archive(&a, good_pickle, sizeof good_pickle - 1, zip64);
  if (where == 'e') at += a.end;
  if (where == 'l') at += a.local[1];
  if (where == 'c') at += a.central[1];
  if (where == '6') at += a.end - 20 - 56;
  if (where == 'L') at += a.end - 20;
  poke(&a, at, value, width);
  if (!CHECK_INT(judge(&a, &error), item)) printf("    %s: %s\n", rule, error.message);
  if (error.item != HFM_E_NONE) CHECK_STR(error.file, "x.bin");
}

static void test_zip_fields(void) {
  enum { BAD = HFM_E_ZIP_STRUCTURE, UNSUPPORTED = HFM_E_ZIP_UNSUPPORTED };
  check_poke("Z1: comment beyond the end", 0, 'e', 20, 1, 2, BAD);
  check_poke("Z1: no end record", 0, 'e', 0, 0, 4, BAD);
  check_poke("Z2: zip64 contradicts: entries", 1, '6', 32, 2, 8, BAD);
  check_poke("Z2: zip64 contradicts: size", 1, '6', 40, 1, 8, BAD);
  check_poke("Z2: zip64 contradicts: offset", 1, '6', 48, 1, 8, BAD);
  check_poke("Z2: zip64 signature", 1, '6', 0, 0, 4, BAD);
  check_poke("Z2: zip64 record size", 1, '6', 4, 45, 8, BAD);
  check_poke("Z2: zip64 locator", 1, 'L', 8, UINT64_MAX, 8, BAD);
  check_poke("Z2: zip64 locator", 1, 'L', 8, 0, 8, BAD);
  check_poke("Z3: disk", 0, 'e', 4, 1, 2, BAD);
  check_poke("Z3: disk of the directory", 0, 'e', 6, 1, 2, BAD);
  check_poke("Z3: entries on this disk", 0, 'e', 8, 2, 2, BAD);
  check_poke("Z3: disks", 1, 'L', 16, 2, 4, BAD);
  check_poke("Z3: disk of an entry", 0, 'c', 34, 1, 2, BAD);
  check_poke("Z4: directory offset", 0, 'e', 16, 0x7fffffff, 4, BAD);
  check_poke("Z4: directory offset", 0, 'e', 16, 0xffffffff, 4, BAD);
  check_poke("Z4: directory size", 0, 'e', 12, 0x7fffffff, 4, BAD);
  check_poke("Z4: more entries than room", 0, 'e', 8, 0xfffefffe, 4, BAD);
  check_poke("Z4: fewer entries than there are", 0, 'e', 8, 0x00020002, 4, BAD);
  check_poke("Z4: no entries", 0, 'e', 8, 0, 4, BAD);
  check_poke("Z4: signature", 0, 'c', 0, 0, 4, BAD);
  check_poke("Z4: name beyond the directory", 0, 'c', 28, 0xffff, 2, BAD);
  check_poke("Z6: local signature", 0, 'l', 0, 0, 4, BAD);
  check_poke("Z6: local name", 0, 'l', 30, 'n', 1, BAD);
  check_poke("Z6: local name's length", 0, 'l', 26, 7, 2, BAD);
  check_poke("Z6: local header outside", 0, 'c', 42, 0x7fffffff, 4, BAD);
  check_poke("Z6: extra beyond the directory", 0, 'l', 28, 0xffff, 2, BAD);
  check_poke("Z7: compressed", 0, 'c', 10, 8, 2, UNSUPPORTED);
  check_poke("Z7: sizes differ", 0, 'c', 20, 3, 4, UNSUPPORTED);
  check_poke("Z7: encrypted", 0, 'c', 8, 1, 2, UNSUPPORTED);
  check_poke("Z7: patched", 0, 'c', 8, 0x20, 2, UNSUPPORTED);
  check_poke("Z7: locally encrypted", 0, 'l', 6, 1, 2, BAD);
  check_poke("Z7: locally compressed", 0, 'l', 8, 8, 2, BAD);
  check_poke("Z8: size in a zip64 block that is not there", 0, 'c', 24, 0xffffffff, 4, BAD);
  check_poke("Z8: offset in a zip64 block that is not there", 0, 'c', 42, 0xffffffff, 4, BAD);
  check_poke("Z9: two entries on one body", 0, 'c', 42, 0, 4, BAD);
  check_poke("Z9: data reaches the directory", 0, 'c', 20, 0x0000100000001000, 8, BAD);
  check_poke("Z10: control character", 0, 'c', 46, 1, 1, BAD);
  check_poke("Z5: flags of torch: descriptor and UTF-8", 0, 'c', 8, 0x0808, 2, HFM_E_NONE);
  check_poke("Z5: sizes behind the data", 0, 'l', 18, 0, 8, HFM_E_NONE);
  check_poke("Z5: sizes in the local header, too", 0, 'l', 18, 0x0000000400000004, 8, HFM_E_NONE);
  check_poke("Z5: another packed size in the local header", 0, 'l', 18, 5, 4, BAD);
  check_poke("Z5: another size in the local header", 0, 'l', 22, 3, 4, BAD);
  check_poke("Z12: a wrong checksum", 0, 'c', 16, 0x12345678, 4, HFM_E_NONE);
}

/* Z1: a comment is fine, bytes after it are not. */
static void test_zip_tail(void) {
  archive a;
  hfm_error error;
  make_archive(&a, good_pickle, sizeof good_pickle - 1, 1);
  poke(&a, a.end + 20, 5, 2);
  memcpy(a.bytes + a.size, "hello", 5);
  a.size += 5;
  CHECK_INT(judge(&a, &error), HFM_E_NONE);
  a.size++;
  CHECK_INT(judge(&a, &error), HFM_E_ZIP_STRUCTURE);
}

/* `size` bytes go into the archive at `at`, before the entries from `first` on. */
static void insert(archive *a, size_t at, const void *bytes, size_t size, size_t first) {
  memmove(a->bytes + at + size, a->bytes + at, a->size - at);
  memcpy(a->bytes + at, bytes, size);
  a->size += size;
  a->end += size;
  if (at <= a->directory) a->directory += size;
  for (size_t i = 0; i < 3; i++) {
    if (at <= a->central[i]) a->central[i] += size;
    if (i >= first) poke(a, a->central[i] + 42, a->local[i] += size, 4);
  }
  poke(a, a->end + 16, a->directory, 4);
}

/* Z4, Z9: what another reader could take for entries or a directory is not passed over; a descriptor is. */
static void test_zip_between(void) {
  static const uint8_t filler[25] = {'P', 'K', 3, 4};
  archive a, other;
  hfm_error error;
  for (size_t size = 4; size <= sizeof filler; size++) {
    for (size_t entry = 0; entry <= 3; entry++) {
      make_archive(&a, good_pickle, sizeof good_pickle - 1, 0);
      insert(&a, entry < 3 ? a.local[entry] : a.directory, filler, size, entry);
      CHECK_INT(judge(&a, &error), entry && size <= 24 ? HFM_E_NONE : HFM_E_ZIP_STRUCTURE);
    }
  }
  make_archive(&a, good_pickle, sizeof good_pickle - 1, 0);
  make_archive(&other, good_pickle, sizeof good_pickle - 1, 0);
  insert(&a, 0, other.bytes, other.size, 0); /* a whole archive in front */
  CHECK_INT(judge(&a, &error), HFM_E_ZIP_STRUCTURE);
  make_archive(&a, good_pickle, sizeof good_pickle - 1, 0);
  insert(&a, a.end, a.bytes + a.directory, a.end - a.directory, 3); /* a second directory */
  CHECK_INT(judge(&a, &error), HFM_E_ZIP_STRUCTURE);
  CHECK_CONTAINS(error.message, "must end at byte");
}

/* Z8: a zip64 block with exactly the missing fields. */
static void test_zip64_extra(void) {
  for (size_t extra = 0; extra <= 24; extra += 8) {
    const part parts[] = {{"m/data.pkl", good_pickle, sizeof good_pickle - 1}, {"m/data/0", "\1\2\3\4", 4}};
    archive a;
    hfm_error error;
    uint8_t tail[256];
    size_t at, size;
    make_zip(&a, parts, 2, 0);
    at = a.central[1] + 46 + 8; /* after the name of the last entry */
    size = a.size - a.end;
    memcpy(tail, a.bytes + a.end, size);
    a.size = at;
    put(&a, 1, 2);
    put(&a, extra, 2);
    put(&a, 4, 8); /* size, packed size, offset */
    put(&a, 4, 8);
    put(&a, a.local[1], 8);
    a.size = at + 4 + extra;
    a.end = a.size;
    memcpy(a.bytes + a.size, tail, size);
    a.size += size;
    poke(&a, a.central[1] + 20, UINT64_MAX, 8);
    poke(&a, a.central[1] + 30, 4 + extra, 2);
    poke(&a, a.central[1] + 42, extra == 24 ? 0xffffffff : a.local[1], 4);
    poke(&a, a.end + 12, a.end - a.directory, 4);
    CHECK_INT(judge(&a, &error), extra == 16 || extra == 24 ? HFM_E_NONE : HFM_E_ZIP_STRUCTURE);
  }
}

/* Z10: names are unique and in one folder; data.pkl is there; code is not. Z11: byteorder. */
static void test_zip_entries(void) {
  static const struct {
    part extra;
    int32_t item;
  } cases[] = {
      {{"m/data/0", "\1\2\3\4", 4}, HFM_E_ZIP_STRUCTURE},
      {{"n/other", "", 0}, HFM_E_ZIP_STRUCTURE},
      {{"mm", "", 0}, HFM_E_ZIP_STRUCTURE},
      {{"m/constants.pkl", "", 0}, HFM_E_TORCH_UNSUPPORTED},
      {{"m/code/x.py", "", 0}, HFM_E_TORCH_UNSUPPORTED},
      {{"m/byteorder", "middle", 6}, HFM_E_TORCH_ENTRY},
      {{"m/byteorder", "", 0}, HFM_E_TORCH_ENTRY},
      {{"m/byteorder", "little-endian", 13}, HFM_E_TORCH_ENTRY},
      {{"m/byteorder", "little", 6}, HFM_E_NONE},
      {{"m/byteorder", "big", 3}, HFM_E_NONE},
      {{"m/.data/serialization_id", "123", 3}, HFM_E_NONE},
  };
  archive a;
  hfm_error error;
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    part parts[3] = {{"m/data.pkl", good_pickle, sizeof good_pickle - 1}, {"m/data/0", "\1\2\3\4", 4}, {"", "", 0}};
    parts[2] = cases[i].extra;
    make_zip(&a, parts, 3, 1);
    if (!CHECK_INT(judge(&a, &error), cases[i].item)) printf("    %s\n", cases[i].extra.name);
  }
  {
    const part parts[] = {{"m/data/0", "\1\2\3\4", 4}, {"data.pkl", good_pickle, sizeof good_pickle - 1}};
    make_zip(&a, parts, 1, 1);
    CHECK_INT(judge(&a, &error), HFM_E_TORCH_ENTRY);
    CHECK_STR(error.what, "data.pkl");
    make_zip(&a, parts + 1, 1, 1);
    CHECK_INT(judge(&a, &error), HFM_E_ZIP_STRUCTURE);
  }
}

/* A pickle larger than options.limits.max_header_bytes is not read. */
static void test_limit(void) {
  archive a;
  source s;
  hfm_options options;
  hfm__checkpoint ckpt;
  hfm_error error;
  make_archive(&a, good_pickle, sizeof good_pickle - 1, 1);
  memset(&options, 0, sizeof options);
  options.io = one_file_io(&s.served, "x.bin", a.bytes, a.size);
  options.limits.max_header_bytes = sizeof good_pickle - 2;
  CHECK_INT(hfm__context_init(&options, &s.ctx, &error), HFM_OK);
  CHECK_INT(hfm__checkpoint_open_file(&s.ctx, "x.bin", &options, &ckpt, &error), HFM_ERROR_LIMIT);
  CHECK_INT(error.item, HFM_E_FILE_TOO_LARGE);
  options.limits.max_header_bytes++;
  CHECK_INT(hfm__context_init(&options, &s.ctx, &error), HFM_OK);
  if (CHECK_INT(hfm__checkpoint_open_file(&s.ctx, "x.bin", &options, &ckpt, &error), HFM_OK))
    hfm__checkpoint_close(&ckpt);
}

/* P12: a record has exactly the bytes of the storage that refers to it. */
static void test_records(void) {
  for (size_t size = 0; size <= 8; size++) {
    const part parts[] = {{"m/data.pkl", good_pickle, sizeof good_pickle - 1}, {"m/data/0", "12345678", size}};
    archive a;
    hfm_error error;
    make_zip(&a, parts, 2, 1);
    CHECK_INT(judge(&a, &error), size == 4 ? HFM_E_NONE : HFM_E_TORCH_ENTRY);
  }
}

int main(void) {
  TEST(test_handmade);
  TEST(test_zip_fields);
  TEST(test_zip_tail);
  TEST(test_zip_between);
  TEST(test_zip64_extra);
  TEST(test_zip_entries);
  TEST(test_limit);
  TEST(test_records);
  return check_report("test_torch_zip");
}
