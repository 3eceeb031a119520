/* pytorch_model.bin: real files of torch against the same tensors as safetensors, and every rule of the zip container
   (Z), the pickle machine (P) and the legacy stream (L) with files made by hand. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include "find_tensor.h"

enum { ROOM = 8192 };

/* What an open checkpoint leans on. */
typedef struct source {
  hfm_memory_file file;
  hfm__memory_files files;
  hfm__context ctx;
} source;

/* Opens bytes as x.bin. HFM_E_NONE: *ckpt is the caller's. `copied` does without the map: all is read. */
static int32_t open_bytes(const void *bytes, size_t size, int copied, const hfm_allocator *mem, source *s,
                          hfm__checkpoint *ckpt, hfm_error *error) {
  hfm_options options;
  hfm_result result;
  s->file.name = "x.bin";
  s->file.data = bytes;
  s->file.size = size;
  s->files.files = &s->file;
  s->files.count = 1;
  memset(&options, 0, sizeof options);
  memset(error, -1, sizeof *error);
  memset(ckpt, -1, sizeof *ckpt);
  options.io = hfm__memory_io(&s->files);
  options.local_copy = copied;
  if (mem) options.allocator = *mem;
  if (hfm__context_init(&options, &s->ctx, error) != HFM_OK) return error->item;
  result = hfm__checkpoint_open_file(&s->ctx, "x.bin", &options, ckpt, error);
  if (result == HFM_OK) {
    hfm__clear_error(error);
    return HFM_E_NONE;
  }
  CHECK_INT(result, error->code);
  CHECK(ckpt->tensors == NULL && ckpt->files == NULL && ckpt->arena.blocks == NULL);
  return error->item;
}

static int32_t judge_bytes(const void *bytes, size_t size, hfm_error *error) {
  source s;
  hfm__checkpoint ckpt;
  const int32_t item = open_bytes(bytes, size, 0, NULL, &s, &ckpt, error);
  if (item == HFM_E_NONE) hfm__checkpoint_close(&ckpt);
  return item;
}

/* ---- Real files ---- */

static const char *const fixtures[] = {
    "zip_module", "zip_dtypes", "zip_views", "zip_views_4", "zip_parameter", "zip_rebuild_v3", "zip_checkpoint",
    "zip_many", "zip_stream", "zip_rewritten", "zip_big_endian", "legacy_module", "legacy_views", "legacy_dtypes",
    "legacy_checkpoint"};

static hfm__context system_context(void) {
  hfm__context ctx;
  hfm_error error;
  CHECK_INT(hfm__context_init(NULL, &ctx, &error), HFM_OK);
  return ctx;
}

static const char *fixture(const char *name, const char *extension, char path[128]) {
  hfm__text t = hfm__text_to(path, 128);
  hfm__text_format(&t, "tests/hostile/torch/%s%s", name, extension);
  return path;
}

/* Element `index` (row-major) of a tensor, as little-endian bytes, wherever its strides have it. */
static void element(const hfm__checkpoint *ckpt, const hfm__file_tensor *tensor, uint64_t index, uint8_t out[8]) {
  const uint64_t itemsize = (uint64_t)hfm_dtype_bits(tensor->dtype) / 8;
  uint64_t offset = 0;
  hfm_error error;
  for (int32_t i = tensor->rank - 1; i >= 0; i--) {
    offset += index % (uint64_t)tensor->shape[i] * (uint64_t)tensor->stride[i];
    index /= (uint64_t)tensor->shape[i];
  }
  offset = tensor->offset + offset * itemsize;
  CHECK_INT(hfm__file_read(&ckpt->files[tensor->file], offset, out, itemsize, &error), HFM_OK);
  for (uint64_t i = 0; tensor->big_endian && i < itemsize / 2; i++) {
    const uint8_t byte = out[i];
    out[i] = out[itemsize - 1 - i];
    out[itemsize - 1 - i] = byte;
  }
}

static void check_same(const hfm__checkpoint *got, const hfm__checkpoint *want, const char *name) {
  CHECK_INT(got->count, want->count);
  for (size_t i = 0; i < want->count; i++) {
    const hfm__file_tensor *b = &want->tensors[i], *a = find_tensor(got, b->name);
    const uint64_t count = b->bytes / ((uint64_t)hfm_dtype_bits(b->dtype) / 8);
    if (!CHECK(a != NULL)) {
      printf("    %s: %s\n", name, b->name);
      continue;
    }
    CHECK_INT(a->dtype, b->dtype);
    CHECK_INT(a->rank, b->rank);
    CHECK_INT(a->bytes, b->bytes);
    for (int32_t d = 0; d < b->rank; d++) CHECK_INT(a->shape[d], b->shape[d]);
    for (uint64_t e = 0; e < count; e++) {
      uint8_t x[8] = {0}, y[8] = {0};
      element(got, a, e, x);
      element(want, b, e, y);
      if (!CHECK(memcmp(x, y, 8) == 0)) {
        printf("    %s: %s[%d]\n", name, b->name, (int)e);
        break;
      }
    }
  }
}

/* Everything that torch writes is read as torch reads it; mapped or not. */
static void test_fixtures(void) {
  const hfm__context ctx = system_context();
  for (size_t i = 0; i < HFM__COUNT(fixtures); i++) {
    for (int copied = 0; copied < 2; copied++) {
      hfm__checkpoint got, want;
      hfm_options options;
      hfm_error error;
      char path[128];
      memset(&options, 0, sizeof options);
      options.local_copy = copied;
      if (!CHECK_INT(hfm__checkpoint_open_file(&ctx, fixture(fixtures[i], ".safetensors", path), NULL, &want, &error),
                     HFM_OK))
        continue;
      if (CHECK_INT(hfm__checkpoint_open_file(&ctx, fixture(fixtures[i], ".bin", path), &options, &got, &error),
                    HFM_OK)) {
        check_same(&got, &want, fixtures[i]);
        hfm__checkpoint_close(&got);
      } else {
        printf("    %s\n", error.message);
      }
      hfm__checkpoint_close(&want);
    }
  }
}

/* Contiguous tensors say so; views share bytes. */
static void test_views(void) {
  const hfm__context ctx = system_context();
  hfm__checkpoint ckpt;
  hfm_error error;
  char path[128];
  const hfm__file_tensor *t, *tied;
  (void)fixture("zip_views", ".bin", path);
  if (!CHECK_INT(hfm__checkpoint_open_file(&ctx, path, NULL, &ckpt, &error), HFM_OK)) return;
  t = find_tensor(&ckpt, "transposed");
  CHECK(t && !t->contiguous && t->stride[0] == 1 && t->stride[1] == 6);
  t = find_tensor(&ckpt, "expanded");
  CHECK(t && !t->contiguous && t->stride[0] == 0 && t->bytes == 24);
  t = find_tensor(&ckpt, "one");
  CHECK(t && t->contiguous && t->stride[0] == 1);
  t = find_tensor(&ckpt, "tail");
  tied = find_tensor(&ckpt, "tied");
  CHECK(t && tied && t->contiguous && t->offset == tied->offset + 7 * 4);
  CHECK(tied && tied->offset == find_tensor(&ckpt, "tied_too")->offset);
  CHECK(tied && tied->offset % 64 == 0); /* torch aligns: it can be used where it lies */
  hfm__checkpoint_close(&ckpt);
}

/* ---- Archives made by hand ---- */

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

static void put(archive *a, uint64_t value, int width) {
  for (int i = 0; i < width; i++) a->bytes[a->size++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

static void poke(archive *a, size_t at, uint64_t value, int width) {
  for (int i = 0; i < width; i++) a->bytes[at + (size_t)i] = (uint8_t)(value >> 8 * i);
}

/* The plain end record; torch writes a zip64 one before it. */
static void put_end(archive *a, size_t count, int zip64) {
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

static void make_zip(archive *a, const part *parts, size_t count, int zip64) {
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
static const char good_pickle[] = "\x80\2}X\1\0\0\0w" REBUILD
                                  "((X\7\0\0\0storagectorch\nByteStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\4tQ"
                                  "K\0K\2K\2\x86K\2K\1\x86\x89}tRs.";

static void make_archive(archive *a, const void *pickle, size_t size, int zip64) {
  const part parts[] = {{"m/data.pkl", pickle, size}, {"m/data/0", "\1\2\3\4", 4}, {"m/version", "3\n", 2}};
  make_zip(a, parts, 3, zip64);
}

static int32_t judge(const archive *a, hfm_error *error) { return judge_bytes(a->bytes, a->size, error); }

/* Verdict of a pickle in an otherwise good archive. */
static int32_t judge_pickle(const void *pickle, size_t size, hfm_error *error) {
  archive a;
  make_archive(&a, pickle, size, 1);
  return judge(&a, error);
}

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
  s.file.name = "x.bin";
  s.file.data = a.bytes;
  s.file.size = a.size;
  s.files.files = &s.file;
  s.files.count = 1;
  memset(&options, 0, sizeof options);
  options.io = hfm__memory_io(&s.files);
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

/* ---- Pickles made by hand ---- */

#define PICKLE(text) text, sizeof(text) - 1
typedef struct pickle_case {
  const char *rule;
  const char *pickle;
  size_t size;
  int32_t item;
} pickle_case;

static void check_pickles(const pickle_case *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    hfm_error error;
    if (!CHECK_INT(judge_pickle(cases[i].pickle, cases[i].size, &error), cases[i].item))
      printf("    %s: %s\n", cases[i].rule, error.message);
  }
}

/* P1: instructions that state dicts don't need. P10: protocols 2 to 5. */
static void test_instructions(void) {
  static const uint8_t refused[] = {'P', 'i', 'o', 'I', 'L', 'F', 'S', 'V', 'p', 'g', '2', 0x82, 0x83, 0x84, 0x91, 0x92,
                                    0x96, 0x97, 0x98, 0x00, 0xff};
  static const pickle_case cases[] = {
      {"protocol 0", PICKLE("(dp0\n."), HFM_E_PICKLE_OPCODE},
      {"protocol 1", PICKLE("\x80\1}."), HFM_E_PICKLE_OPCODE},
      {"protocol 6", PICKLE("\x80\6}."), HFM_E_PICKLE_OPCODE},
      {"protocol 5", PICKLE("\x80\5}."), HFM_E_NONE},
      {"empty dict", PICKLE("\x80\2}."), HFM_E_NONE},
  };
  for (size_t i = 0; i < sizeof refused; i++) {
    char pickle[] = "\x80\2}X.";
    hfm_error error;
    pickle[3] = (char)refused[i];
    CHECK_INT(judge_pickle(pickle, 5, &error), HFM_E_PICKLE_OPCODE);
  }
  check_pickles(cases, HFM__COUNT(cases));
}

/* P9: only exact pairs of the list; the error names the global. */
static void test_globals(void) {
  static const char *const refused[] = {
      "os\nsystem", "posix\nsystem", "builtins\neval", "__builtin__\neval", "builtins\ngetattr", "torch\nload",
      "torch.storage\n_load_from_bytes", "torch._utils\n_rebuild_qtensor", "torch._utils\n_rebuild_sparse_tensor",
      "torch._utils\n_rebuild_wrapper_subclass", "torch._tensor\n_rebuild_from_type_v2", "numpy\ndtype",
      "numpy.core.multiarray\nscalar", "collections\nOrderedDict.fromkeys", "torch\nEvilFloatStorage",
      "torch.FloatStorage\n", "\ntorch.FloatStorage", "torch \nFloatStorage", "TORCH\nFloatStorage",
      "torch.cuda\nStorage",
      "collections\nOrderedDic", "collections\nOrderedDictx"};
  hfm_error error;
  for (size_t i = 0; i < HFM__COUNT(refused); i++) {
    char pickle[128];
    hfm__text t = hfm__text_to(pickle, sizeof pickle);
    hfm__text_format(&t, "\x80\2" "c%s\n)R.", refused[i]);
    if (!CHECK_INT(judge_pickle(pickle, t.length, &error), HFM_E_PICKLE_GLOBAL)) printf("    %s\n", refused[i]);
  }
  CHECK_INT(judge_pickle(PICKLE("\x80\2cos\nsystem\nX\2\0\0\0ls\x85R."), &error), HFM_E_PICKLE_GLOBAL);
  CHECK_CONTAINS(error.message, "global 'os' 'system' is not allowed");
  CHECK_INT(error.code, HFM_ERROR_UNSUPPORTED);
  CHECK_INT(judge_pickle(PICKLE("\x80\4\x8c\2os\x8c\6system\x93."), &error), HFM_E_PICKLE_GLOBAL);
}

/* P2: every value has a type. */
static void test_types(void) {
  static const pickle_case cases[] = {
      {"a class is no function", PICKLE("\x80\2ctorch\nFloatStorage\nK\4\x85R."), HFM_E_PICKLE_TYPE},
      {"a dtype is no function", PICKLE("\x80\2ctorch\nfloat32\n)R."), HFM_E_PICKLE_TYPE},
      {"a string is no function", PICKLE("\x80\2U\1x)R."), HFM_E_PICKLE_TYPE},
      {"arguments are a tuple", PICKLE("\x80\2" "ccollections\nOrderedDict\n]R."), HFM_E_PICKLE_TYPE},
      {"OrderedDict of an int", PICKLE("\x80\2" "ccollections\nOrderedDict\nK\1\x85R."), HFM_E_PICKLE_TYPE},
      {"SETITEM on a list", PICKLE("\x80\2]K\1K\2s."), HFM_E_PICKLE_TYPE},
      {"SETITEMS on a tuple", PICKLE("\x80\2)(K\1K\2u."), HFM_E_PICKLE_TYPE},
      {"APPEND on a dict", PICKLE("\x80\2}K\1a."), HFM_E_PICKLE_TYPE},
      {"APPENDS on a tuple", PICKLE("\x80\2)(K\1e."), HFM_E_PICKLE_TYPE},
      {"ADDITEMS on a list", PICKLE("\x80\2](K\1\x90."), HFM_E_PICKLE_TYPE},
      {"BUILD on a dict", PICKLE("\x80\2}}b."), HFM_E_PICKLE_TYPE},
      {"BUILD on a storage class", PICKLE("\x80\2ctorch\nFloatStorage\n}b."), HFM_E_PICKLE_TYPE},
      {"NEWOBJ of a storage", PICKLE("\x80\2ctorch\nFloatStorage\n)\x81."), HFM_E_PICKLE_TYPE},
      {"NEWOBJ with arguments", PICKLE("\x80\2" "ccollections\nOrderedDict\nK\1\x85\x81."), HFM_E_PICKLE_TYPE},
      {"NEWOBJ without a tuple", PICKLE("\x80\2" "ccollections\nOrderedDict\n]\x81."), HFM_E_PICKLE_TYPE},
      {"STACK_GLOBAL of numbers", PICKLE("\x80\4K\1K\2\x93."), HFM_E_PICKLE_TYPE},
      {"a parameter of no tensor", PICKLE("\x80\2" "ctorch._utils\n_rebuild_parameter\nK\1\x89}\x87R."),
       HFM_E_PICKLE_TENSOR},
      {"NEWOBJ of an OrderedDict", PICKLE("\x80\2" "ccollections\nOrderedDict\n)\x81."), HFM_E_NONE},
      {"BUILD on an OrderedDict", PICKLE("\x80\2" "ccollections\nOrderedDict\n)R}b."), HFM_E_NONE},
      {"OrderedDict of pairs", PICKLE("\x80\2" "ccollections\nOrderedDict\n]](U\1aK\1ea\x85R."), HFM_E_NONE},
      {"a set", PICKLE("\x80\4}\x8c\1s\x8f(K\1\x90s."), HFM_E_NONE},
      {"opaque calls", PICKLE("\x80\2}U\1ac__builtin__\nset\n]\x85RsU\1bctorch\ndevice\nU\3cpu\x85Rs."), HFM_E_NONE},
  };
  check_pickles(cases, HFM__COUNT(cases));
}

/* P3: nothing below the mark, nothing from an empty stack; pairs are pairs. */
static void test_stack(void) {
  static const pickle_case cases[] = {
      {"STOP on nothing", PICKLE("\x80\2."), HFM_E_PICKLE_STACK},
      {"STOP on two", PICKLE("\x80\2}}."), HFM_E_PICKLE_STACK},
      {"STOP below a mark", PICKLE("\x80\2}(."), HFM_E_PICKLE_STACK},
      {"POP of nothing", PICKLE("\x80\2" "0."), HFM_E_PICKLE_STACK},
      {"POP_MARK without a mark", PICKLE("\x80\2" "1."), HFM_E_PICKLE_STACK},
      {"TUPLE without a mark", PICKLE("\x80\2t."), HFM_E_PICKLE_STACK},
      {"TUPLE2 below the mark", PICKLE("\x80\2K\1(K\2\x86."), HFM_E_PICKLE_STACK},
      {"APPEND below the mark", PICKLE("\x80\2](K\2a."), HFM_E_PICKLE_STACK},
      {"APPENDS on nothing", PICKLE("\x80\2(K\2e."), HFM_E_PICKLE_STACK},
      {"SETITEMS on nothing", PICKLE("\x80\2(K\1K\2u."), HFM_E_PICKLE_STACK},
      {"SETITEMS across a mark", PICKLE("\x80\2}((K\1K\2u."), HFM_E_PICKLE_STACK},
      {"SETITEMS of one", PICKLE("\x80\2}(K\1u."), HFM_E_PICKLE_STACK},
      {"DICT of one", PICKLE("\x80\2(K\1d."), HFM_E_PICKLE_STACK},
      {"SETITEM of one", PICKLE("\x80\2}K\1s."), HFM_E_PICKLE_STACK},
      {"REDUCE of one", PICKLE("\x80\2)R."), HFM_E_PICKLE_STACK},
      {"BINPUT of nothing", PICKLE("\x80\2q\0."), HFM_E_PICKLE_STACK},
      {"BINPUT at a mark", PICKLE("\x80\2}(q\0."), HFM_E_PICKLE_STACK},
      {"BUILD of one", PICKLE("\x80\2}b."), HFM_E_PICKLE_STACK},
      {"BINPERSID of nothing", PICKLE("\x80\2Q."), HFM_E_PICKLE_STACK},
      {"POP of a mark", PICKLE("\x80\2}(0."), HFM_E_NONE},
      {"POP_MARK", PICKLE("\x80\2}(K\1K\2" "1."), HFM_E_NONE},
      {"DICT", PICKLE("\x80\2(K\1K\2d."), HFM_E_NONE},
      {"LIST in a dict", PICKLE("\x80\2}U\1a(K\1K\2ls."), HFM_E_NONE},
  };
  check_pickles(cases, HFM__COUNT(cases));
}

/* P4: unset slots, and slots that no stream of this size has: nothing is allocated for them. */
static void test_memo(void) {
  static const pickle_case cases[] = {
      {"LONG_BINPUT 2^32-1", PICKLE("\x80\2}r\xff\xff\xff\xff."), HFM_E_PICKLE_MEMO},
      {"BINGET unset", PICKLE("\x80\2h\0."), HFM_E_PICKLE_MEMO},
      {"BINGET unset", PICKLE("\x80\2}q\0h\1."), HFM_E_PICKLE_MEMO},
      {"LONG_BINGET far away", PICKLE("\x80\2j\xff\xff\xff\xff."), HFM_E_PICKLE_MEMO},
      {"BINGET", PICKLE("\x80\2}q\1" "0h\1."), HFM_E_NONE},
      {"MEMOIZE", PICKLE("\x80\4}\x94" "0h\0."), HFM_E_NONE},
  };
  check_pickles(cases, HFM__COUNT(cases));
}

/* P5: lengths beyond the stream. P8: STOP at the end, and nowhere else. */
static void test_lengths(void) {
  static const pickle_case cases[] = {
      {"BINUNICODE 4 GB", PICKLE("\x80\2X\xff\xff\xff\xff."), HFM_E_PICKLE_TRUNCATED},
      {"BINSTRING negative", PICKLE("\x80\2T\0\0\0\x80."), HFM_E_PICKLE_TRUNCATED},
      {"BINUNICODE8 2^64-1", PICKLE("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), HFM_E_PICKLE_TRUNCATED},
      {"BINBYTES8 2^63", PICKLE("\x80\4\x8e\0\0\0\0\0\0\0\x80."), HFM_E_PICKLE_TRUNCATED},
      {"LONG4 negative", PICKLE("\x80\2\x8b\xff\xff\xff\xff."), HFM_E_PICKLE_TRUNCATED},
      {"LONG1", PICKLE("\x80\2\x8a\x09."), HFM_E_PICKLE_TRUNCATED},
      {"SHORT_BINUNICODE", PICKLE("\x80\4\x8c\xff."), HFM_E_PICKLE_TRUNCATED},
      {"FRAME beyond the end", PICKLE("\x80\4\x95\xff\0\0\0\0\0\0\0}."), HFM_E_PICKLE_TRUNCATED},
      {"half an instruction", PICKLE("\x80\2J\1\2"), HFM_E_PICKLE_TRUNCATED},
      {"GLOBAL without an end", PICKLE("\x80\2" "ccollections"), HFM_E_PICKLE_TRUNCATED},
      {"GLOBAL without a name", PICKLE("\x80\2" "ccollections\nOrd"), HFM_E_PICKLE_TRUNCATED},
      {"no STOP", PICKLE("\x80\2}"), HFM_E_PICKLE_TRUNCATED},
      {"nothing", PICKLE(""), HFM_E_PICKLE_OPCODE},
      {"bytes after STOP", PICKLE("\x80\2}.}"), HFM_E_PICKLE_RESULT},
      {"FRAME", PICKLE("\x80\4\x95\2\0\0\0\0\0\0\0}."), HFM_E_NONE},
  };
  check_pickles(cases, HFM__COUNT(cases));
}

/* P7: sharing and cycles cost nothing: 60 doublings stay 60 tuples. P6: neither does a list that many calls share. */
static void test_sharing(void) {
  char pickle[4096];
  hfm_error error;
  size_t n = 0;
  memcpy(pickle, "\x80\2}U\1x]q\0", 9);
  n = 9;
  for (int i = 0; i < 60; i++) {
    memcpy(pickle + n, "0h\0h\0\x86q\0", 8); /* the last one, twice, in a tuple */
    pickle[n + 2] = pickle[n + 4] = (char)i;
    pickle[n + 7] = (char)(i + 1);
    n += 8;
  }
  memcpy(pickle + n, "s.", 2);
  n += 2;
  CHECK_INT(judge_pickle(pickle, n, &error), HFM_E_NONE);
  CHECK_INT(judge_pickle(PICKLE("\x80\2}q\0U\1xh\0s."), &error), HFM_E_NONE);
  CHECK_INT(judge_pickle(PICKLE("\x80\2}U\1x]q\0h\0as."), &error), HFM_E_NONE);
  { /* 20,000 OrderedDicts of one list of 20,000: 4 * 10^8 cells if each were copied */
    enum { MANY = 20000 };
    part parts[1];
    static uint8_t file[MANY * 16];
    uint8_t *stream = file + 1024;
    failing_alloc memory;
    source s;
    hfm__checkpoint ckpt;
    archive *a = (archive *)malloc(sizeof *a);
    size_t at = 0;
    if (!a) return;
    memcpy(stream, "\x80\2}q\0" "ccollections\nOrderedDict\nq\1" "0]q\2(", 37);
    at = 37;
    memset(stream + at, 'N', MANY);
    at += MANY;
    memcpy(stream + at, "e\x85q\3" "0", 5);
    at += 5;
    for (int i = 0; i < MANY; i++) {
      memcpy(stream + at, "h\1h\3R0", 6);
      at += 6;
    }
    stream[at++] = '.';
    parts[0].name = "m/data.pkl";
    parts[0].data = NULL;
    parts[0].size = 0;
    make_zip(a, parts, 1, 0);
    memcpy(stream - a->directory, a->bytes, a->directory); /* the local header before the stream, */
    poke(a, a->central[0] + 20, at | (uint64_t)at << 32, 8);
    poke(a, a->end + 16, a->directory + at, 4);
    memcpy(stream + at, a->bytes + a->directory, a->size - a->directory); /* the directory after it */
    failing_alloc_begin(&memory, -1);
    CHECK_INT(open_bytes(stream - a->directory, a->size + at, 0, &memory.allocator, &s, &ckpt, &error), HFM_E_NONE);
    hfm__checkpoint_close(&ckpt);
    CHECK(memory.peak_bytes < (int64_t)(64 * at));
    CHECK(failing_alloc_clean(&memory));
    free(a);
  }
}

/* P11: the persistent id. P13: sizes and strides inside the storage, checked in every step. P14: the result. */
static void test_tensors(void) {
#define ID(text) "(" text "tQ"
#define ARGS(id, offset, size, stride) "\x80\2}U\1w" REBUILD "(" id offset size stride "\x89}tRs."
#define OF(storage, key, numel) ID("U\7storagectorch\n" storage "\nU" key "U\3cpu" numel)
#define OK_ID OF("ByteStorage", "\1" "0", "K\4")
#define UNTYPED ID("U\7storagectorch.storage\nUntypedStorage\nU\1" "0U\3cpuK\4")
#define V3(dtype) \
  "\x80\2}U\1wctorch._utils\n_rebuild_tensor_v3\n(" UNTYPED "K\0K\2\x85K\1\x85\x89}ctorch\n" dtype "\ntRs."
  static const pickle_case cases[] = {
      {"good", PICKLE(ARGS(OK_ID, "K\0", "K\2K\2\x86", "K\2K\1\x86")), HFM_E_NONE},
      {"another tag", PICKLE(ARGS(ID("U\6modulectorch\nByteStorage\nU\1" "0U\3cpuK\4"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"class is a string", PICKLE(ARGS(ID("U\7storageU\1xU\1" "0U\3cpuK\4"), "K\0", ")", ")")), HFM_E_PICKLE_TYPE},
      {"class is a function",
       PICKLE(ARGS(ID("U\7storage" "ccollections\nOrderedDict\nU\1" "0U\3cpuK\4"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"key is a number", PICKLE(ARGS(ID("U\7storagectorch\nByteStorage\nK\0U\3cpuK\4"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"numel is negative", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "J\xff\xff\xff\xff"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"numel is a long", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "\x8a\x09" "123456789"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"four elements", PICKLE(ARGS(OF("ByteStorage", "\1" "0", ""), "K\0", ")", ")")), HFM_E_PICKLE_TYPE},
      {"a bad view", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4K\1"), "K\0", ")", ")")), HFM_E_PICKLE_TYPE},
      {"numel overflows", PICKLE(ARGS(OF("LongStorage", "\1" "0", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"),
                                      "K\0", ")", ")")), HFM_E_PICKLE_TENSOR},
      {"numel too large", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\5"), "K\0", ")", ")")), HFM_E_TORCH_ENTRY},
      {"wider dtype", PICKLE(ARGS(OF("LongStorage", "\1" "0", "K\4"), "K\0", ")", ")")), HFM_E_TORCH_ENTRY},
      {"no such key", PICKLE(ARGS(OF("ByteStorage", "\1" "9", "K\4"), "K\0", ")", ")")), HFM_E_TORCH_ENTRY},
      {"key with ..", PICKLE(ARGS(ID("U\7storagectorch\nByteStorage\nU\012../version" "U\3cpuK\2"), "K\0", ")", ")")),
       HFM_E_TORCH_ENTRY},
      {"key with NUL", PICKLE(ARGS(ID("U\7storagectorch\nByteStorage\nU\3" "0\0xU\3cpuK\4"), "K\0", ")", ")")),
       HFM_E_TORCH_ENTRY},
      {"rank differs", PICKLE(ARGS(OK_ID, "K\0", "K\2K\2\x86", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"size is a list", PICKLE(ARGS(OK_ID, "K\0", "]", ")")), HFM_E_PICKLE_TENSOR},
      {"negative size", PICKLE(ARGS(OK_ID, "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"negative stride", PICKLE(ARGS(OK_ID, "K\3", "K\4\x85", "J\xff\xff\xff\xff\x85")), HFM_E_PICKLE_TENSOR},
      {"negative offset", PICKLE(ARGS(OK_ID, "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"offset at the end", PICKLE(ARGS(OK_ID, "K\4", ")", ")")), HFM_E_PICKLE_TENSOR},
      {"last element", PICKLE(ARGS(OK_ID, "K\3", ")", ")")), HFM_E_NONE},
      {"one beyond", PICKLE(ARGS(OK_ID, "K\1", "K\4\x85", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"stride beyond", PICKLE(ARGS(OK_ID, "K\0", "K\2\x85", "K\4\x85")), HFM_E_PICKLE_TENSOR},
      {"stride wraps", PICKLE(ARGS(OK_ID, "K\0", "K\5\x85", "\x8a\x08\0\0\0\0\0\0\0\x40\x85")), HFM_E_PICKLE_TENSOR},
      {"empty", PICKLE(ARGS(OK_ID, "K\4", "K\0\x85", "K\1\x85")), HFM_E_NONE},
      {"empty beyond", PICKLE(ARGS(OK_ID, "K\5", "K\0\x85", "K\1\x85")), HFM_E_PICKLE_TENSOR},
      {"4 TB of one byte", PICKLE(ARGS(OK_ID, "K\0", "\x8a\x06\0\0\0\0\0\4\x85", "K\0\x85")), HFM_E_CONFIG_LIMIT},
      {"2^64 of one byte", PICKLE(ARGS(OK_ID, "K\0", "\x8a\x08\0\0\0\0\0\0\0\x40K\4\x86", "K\0K\0\x86")),
       HFM_E_PICKLE_TENSOR},
      {"rank 9", PICKLE(ARGS(OK_ID, "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t")),
       HFM_E_PICKLE_TENSOR},
      {"too few arguments", PICKLE("\x80\2}U\1w" REBUILD "(" OK_ID "K\0))\x89tRs."), HFM_E_PICKLE_TYPE},
      {"complex128", PICKLE(ARGS(OF("ComplexDoubleStorage", "\1" "0", "K\0"), "K\0", "K\0\x85", "K\1\x85")),
       HFM_E_WEIGHT_DTYPE},
      {"untyped without a dtype", PICKLE(ARGS(UNTYPED, "K\0", ")", ")")),
       HFM_E_PICKLE_TENSOR},
      {"v3", PICKLE(V3("bfloat16")), HFM_E_NONE},
      {"v3 beyond", PICKLE(V3("float32")), HFM_E_PICKLE_TENSOR},
      {"v3 of float4", PICKLE(V3("float4_e2m1fn_x2")), HFM_E_WEIGHT_DTYPE},
      {"v3 of a class", PICKLE(V3("FloatStorage")), HFM_E_PICKLE_TENSOR},
      {"L4: a view", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4U\1vK\1K\2\x87"), "K\0", "K\2\x85", "K\1\x85")),
       HFM_E_NONE},
      {"L4: no view", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4N"), "K\0", "K\4\x85", "K\1\x85")), HFM_E_NONE},
      {"L4: outside of its storage", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4U\1vK\3K\2\x87"), "K\0", ")", ")")),
       HFM_E_PICKLE_TENSOR},
      {"L4: outside of the view",
       PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4U\1vK\1K\2\x87"), "K\0", "K\3\x85", "K\1\x85")),
       HFM_E_PICKLE_TENSOR},
      {"L4: view of no numbers", PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4U\1vK\1N\x87"), "K\0", ")", ")")),
       HFM_E_PICKLE_TYPE},
      {"four arguments", PICKLE("\x80\2}U\1wctorch._utils\n_rebuild_tensor\n(" OK_ID "K\0K\4\x85K\1\x85tRs."),
       HFM_E_NONE},
      {"a list", PICKLE("\x80\2]."), HFM_E_PICKLE_RESULT},
      {"a number for a name", PICKLE("\x80\2}K\1" REBUILD "(" OK_ID "K\0))\x89}tRs."), HFM_E_PICKLE_RESULT},
      {"a NUL in a name", PICKLE("\x80\2}U\3a\0b" REBUILD "(" OK_ID "K\0))\x89}tRs."), HFM_E_PICKLE_RESULT},
      {"no UTF-8", PICKLE("\x80\2}U\1\xff" REBUILD "(" OK_ID "K\0))\x89}tRs."), HFM_E_PICKLE_RESULT},
      {"wrapped", PICKLE("\x80\2}U\5modelU\1wN\x86" "0}U\1w" REBUILD "(" OK_ID "K\0))\x89}tRs."), HFM_E_PICKLE_STACK},
  };
#undef ID
#undef ARGS
#undef OK_ID
#undef V3
#undef OF
#undef UNTYPED
  check_pickles(cases, HFM__COUNT(cases));
}

/* ---- Whole files ---- */

static uint8_t *load(const char *name, size_t *size) {
  const hfm__context ctx = system_context();
  char path[128], *text = NULL;
  hfm_error error;
  CHECK_INT(hfm__file_load(&ctx, fixture(name, ".bin", path), 1 << 20, &text, size, &error), HFM_OK);
  return (uint8_t *)text;
}

/* L: what may not be in a legacy stream. */
static void test_legacy(void) {
  static const char *const kinds[] = {"", "x", "P", "PK", "\x80", "\x80\2", "GGUF....", "<html></html>"};
  size_t size;
  hfm_error error;
  uint8_t *file = load("legacy_views", &size), tar[512];
  char *bytes;
  if (!file) return;
  bytes = (char *)malloc(size + 1);
  if (bytes) {
    memcpy(bytes, file, size);
    CHECK_INT(judge_bytes(bytes, size, &error), HFM_E_NONE);
    bytes[size] = 0; /* L3: a byte after the last storage */
    CHECK_INT(judge_bytes(bytes, size + 1, &error), HFM_E_TORCH_LEGACY);
    CHECK_INT(error.offset, size);
    CHECK_INT(judge_bytes(bytes, size - 1, &error), HFM_E_TORCH_LEGACY);
    bytes[7] ^= 1; /* L1: the magic number */
    CHECK_INT(judge_bytes(bytes, size, &error), HFM_E_FILE_KIND);
    for (size_t i = 0; i + 14 < size; i++) { /* L2: little_endian True, NEWTRUE 0x88 */
      memcpy(bytes, file, size);
      if (memcmp(bytes + i, "little_endian", 13) != 0) continue;
      while ((uint8_t)bytes[i] != 0x88) i++;
      bytes[i] = (char)0x89;
      CHECK_INT(judge_bytes(bytes, size, &error), HFM_E_TORCH_UNSUPPORTED);
      CHECK_STR(error.what, "little_endian");
      break;
    }
    free(bytes);
  }
  free(file);
  memset(tar, 0, sizeof tar); /* L5 */
  memcpy(tar, "sys_info", 8);
  memcpy(tar + 257, "ustar", 5);
  CHECK_INT(judge_bytes(tar, sizeof tar, &error), HFM_E_TORCH_UNSUPPORTED);
  for (size_t i = 0; i < HFM__COUNT(kinds); i++) CHECK(judge_bytes(kinds[i], strlen(kinds[i]), &error) != HFM_E_NONE);
}

/* All that strides reach lies in the file. */
static void check_inside(const hfm__checkpoint *ckpt, size_t size) {
  for (size_t i = 0; i < ckpt->count; i++) {
    const hfm__file_tensor *t = &ckpt->tensors[i];
    const uint64_t itemsize = (uint64_t)hfm_dtype_bits(t->dtype) / 8;
    uint64_t last = 0;
    if (t->bytes == 0) continue;
    for (int32_t d = 0; d < t->rank; d++) last += (uint64_t)(t->shape[d] - 1) * (uint64_t)t->stride[d];
    CHECK(t->offset <= size && (last + 1) * itemsize <= size - t->offset);
  }
}

static const char *const swept[] = {"zip_stream", "zip_views_4", "zip_rewritten", "legacy_views", "legacy_checkpoint"};

/* Every prefix is refused, every changed byte judged; an accepted file has all its tensors inside. */
static void test_every_prefix_and_byte(void) {
  for (size_t f = 0; f < HFM__COUNT(swept); f++) {
    size_t size;
    uint8_t *file = load(swept[f], &size);
    source s;
    hfm__checkpoint ckpt;
    hfm_error error;
    if (!file) return;
    for (size_t n = 0; n < size; n++) {
      uint8_t *exact = (uint8_t *)malloc(n ? n : 1); /* so that a sanitizer sees a read past the end */
      if (!exact) break;
      memcpy(exact, file, n);
      CHECK(open_bytes(exact, n, (int)(n & 1), NULL, &s, &ckpt, &error) != HFM_E_NONE);
      free(exact);
    }
    for (size_t i = 0; i < size; i++) {
      const uint8_t old = file[i];
      const uint8_t changes[] = {(uint8_t)(old ^ 1), (uint8_t)(old ^ 0x80), (uint8_t)~old, 0, 0xff, (uint8_t)(old + 1),
                                 '.', '('};
      for (size_t k = 0; k < sizeof changes; k++) {
        file[i] = changes[k];
        if (open_bytes(file, size, (int)(k & 1), NULL, &s, &ckpt, &error) == HFM_E_NONE) {
          check_inside(&ckpt, size);
          hfm__checkpoint_close(&ckpt);
        } else {
          CHECK(error.message[0] != 0);
        }
      }
      file[i] = old;
    }
    free(file);
  }
}

/* F9: whichever allocation fails, the error is clean and nothing leaks. P6: memory is bounded by the file. */
static void test_every_allocation(void) {
  for (size_t f = 0; f < HFM__COUNT(swept); f++) {
    size_t size;
    uint8_t *file = load(swept[f], &size);
    failing_alloc memory;
    if (!file) return;
    for (int64_t n = 0;; n++) {
      source s;
      hfm__checkpoint ckpt;
      hfm_error error;
      int32_t item;
      failing_alloc_begin(&memory, n);
      item = open_bytes(file, size, 1, &memory.allocator, &s, &ckpt, &error);
      if (item == HFM_E_NONE) hfm__checkpoint_close(&ckpt);
      else CHECK_INT(item, HFM_E_OUT_OF_MEMORY);
      CHECK(failing_alloc_clean(&memory));
      if (!memory.failed) break;
    }
    CHECK(memory.calls > 10);
    CHECK(memory.peak_bytes < 128 * 1024);
    free(file);
  }
}

/* Sharded .bin: the index's own extension, I3. */
static void test_sharded(void) {
  static const char index[] = "{\"metadata\":{},\"weight_map\":{\"w\":\"pytorch_model-00001-of-00001.bin\"}}";
  archive a;
  hfm_memory_file list[2];
  hfm__memory_files files;
  hfm_options options;
  hfm__context ctx;
  hfm__checkpoint ckpt;
  hfm_error error;
  make_archive(&a, good_pickle, sizeof good_pickle - 1, 1);
  list[0].name = "pytorch_model.bin.index.json";
  list[0].data = index;
  list[0].size = sizeof index - 1;
  list[1].name = "pytorch_model-00001-of-00001.bin";
  list[1].data = a.bytes;
  list[1].size = a.size;
  files.files = list;
  files.count = 2;
  memset(&options, 0, sizeof options);
  options.io = hfm__memory_io(&files);
  CHECK_INT(hfm__context_init(&options, &ctx, &error), HFM_OK);
  if (!CHECK_INT(hfm__checkpoint_open_named(&ctx, "", NULL, &options, &ckpt, &error), HFM_OK)) return;
  CHECK_INT(ckpt.count, 1);
  CHECK_STR(ckpt.tensors[0].name, "w");
  CHECK_INT(ckpt.files[0].map[ckpt.tensors[0].offset + 3], 4);
  hfm__checkpoint_close(&ckpt);
}

int main(void) {
  TEST(test_fixtures);
  TEST(test_views);
  TEST(test_handmade);
  TEST(test_zip_fields);
  TEST(test_zip_tail);
  TEST(test_zip64_extra);
  TEST(test_zip_entries);
  TEST(test_limit);
  TEST(test_records);
  TEST(test_instructions);
  TEST(test_globals);
  TEST(test_types);
  TEST(test_stack);
  TEST(test_memo);
  TEST(test_lengths);
  TEST(test_sharing);
  TEST(test_tensors);
  TEST(test_legacy);
  TEST(test_every_prefix_and_byte);
  TEST(test_every_allocation);
  TEST(test_sharded);
  return check_report("test_torch_bin");
}
