/* pytorch_model.bin: real files of torch against the same tensors as safetensors, and the rules of the legacy stream
   (L). Those of the zip container are in test_torch_zip.c, those of the pickle in test_torch_pickle.c. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "torch_judge.h"

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
    offset += index % (uint64_t)tensor->shape[i] * (uint64_t)stride_of(tensor, i);
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
  CHECK(t && t->contiguous && !t->stride);
  t = find_tensor(&ckpt, "tail");
  tied = find_tensor(&ckpt, "tied");
  CHECK(t && tied && t->contiguous && t->offset == tied->offset + 7 * 4);
  CHECK(tied && tied->offset == find_tensor(&ckpt, "tied_too")->offset);
  CHECK(tied && tied->offset % 64 == 0); /* torch aligns: it can be used where it lies */
  hfm__checkpoint_close(&ckpt);
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

/* L4: a view of a storage counts in the storage's elements, an untyped one's in bytes; all of it lies in the file. */
static void test_legacy_views(void) {
#define BYTES(view) OF("ByteStorage", "\1" "0", "K\4" view)
  static const struct {
    const char *what, *pickle;
    size_t size;
    int32_t item;
    int32_t first; /* byte that element 0 has */
  } cases[] = {
      {"a view", PICKLE(ARGS(BYTES("U\1vK\1K\2\x87"), "K\0", "K\2\x85", "K\1\x85")), HFM_E_NONE, 2},
      {"an offset in it", PICKLE(ARGS(BYTES("U\1vK\1K\2\x87"), "K\1", "K\1\x85", "K\1\x85")), HFM_E_NONE, 3},
      {"no view", PICKLE(ARGS(BYTES("N"), "K\0", "K\4\x85", "K\1\x85")), HFM_E_NONE, 1},
      {"outside of its storage", PICKLE(ARGS(BYTES("U\1vK\3K\2\x87"), "K\0", ")", ")")), HFM_E_PICKLE_TENSOR, 0},
      {"outside of the view", PICKLE(ARGS(BYTES("U\1vK\1K\2\x87"), "K\0", "K\3\x85", "K\1\x85")),
       HFM_E_PICKLE_TENSOR, 0},
      {"offset outside of the view", PICKLE(ARGS(BYTES("U\1vK\1K\2\x87"), "K\2", "K\1\x85", "K\1\x85")),
       HFM_E_PICKLE_TENSOR, 0},
      {"view of no numbers", PICKLE(ARGS(BYTES("U\1vK\1N\x87"), "K\0", ")", ")")), HFM_E_PICKLE_TYPE, 0},
      {"untyped", PICKLE(V3_ARGS(UNTYPED("K\4N"), "K\0K\2\x85K\1\x85", "bfloat16")), HFM_E_NONE, 1},
      {"P11: five elements", PICKLE(V3_ARGS(UNTYPED("K\4"), "K\0K\2\x85K\1\x85", "bfloat16")), HFM_E_PICKLE_TYPE, 0},
      {"untyped, a view of bytes", PICKLE(V3_ARGS(UNTYPED("K\4U\1vK\2K\2\x87"), "K\0K\1\x85K\1\x85", "bfloat16")),
       HFM_E_NONE, 3},
      {"untyped, at the end", PICKLE(V3_ARGS(UNTYPED("K\4U\1vK\4K\0\x87"), "K\0K\1\x85K\1\x85", "bfloat16")),
       HFM_E_PICKLE_TENSOR, 0},
      {"untyped, more than the view", PICKLE(V3_ARGS(UNTYPED("K\4U\1vK\2K\2\x87"), "K\0K\1\x85K\1\x85", "float32")),
       HFM_E_PICKLE_TENSOR, 0},
  };
#undef BYTES
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    archive a;
    source s;
    hfm__checkpoint ckpt;
    hfm_error error;
    make_legacy(&a, cases[i].pickle, cases[i].size, 4, 4);
    if (!CHECK_INT(open_bytes("x.bin", a.bytes, a.size, 0, NULL, &s, &ckpt, &error), cases[i].item)) {
      printf("    %s: %s\n", cases[i].what, error.message);
      continue;
    }
    if (cases[i].item != HFM_E_NONE) continue;
    check_inside(&ckpt, a.size);
    CHECK_INT(a.bytes[ckpt.tensors[0].offset], cases[i].first);
    hfm__checkpoint_close(&ckpt);
  }
}

static const char *const swept[] = {"zip_stream", "zip_views_4", "zip_rewritten", "zip_rebuild_v3",
                                    "zip_big_endian", "legacy_views", "legacy_checkpoint", "legacy_module"};

/* Every prefix is refused, every value of every byte judged; an accepted file has all its tensors inside. */
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
      CHECK(open_bytes("x.bin", exact, n, (int)(n & 1), NULL, &s, &ckpt, &error) != HFM_E_NONE);
      free(exact);
    }
    for (size_t i = 0; i < size; i++) {
      const uint8_t old = file[i];
      for (int value = 0; value < 256; value += CHECK_BYTE_STEP) {
        file[i] = (uint8_t)value;
        if (open_bytes("x.bin", file, size, value & 1, NULL, &s, &ckpt, &error) == HFM_E_NONE) {
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
      item = open_bytes("x.bin", file, size, 1, &memory.allocator, &s, &ckpt, &error);
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

/* Sharded .bin: the index's own extension, I3. DataParallel's "module." is dropped from both, wherever it stands. */
static void check_sharded(const char *in_index, const char *in_shard, int sound) {
  char index[128], pickle[sizeof good_pickle + 16];
  const size_t length = strlen(in_shard), after = 7 + 1; /* what precedes the name "w" in good_pickle, and the name */
  archive a;
  hfm_memory_file list[2];
  hfm__memory_files files;
  hfm_options options;
  hfm__context ctx;
  hfm__checkpoint ckpt;
  hfm_error error;
  snprintf(index, sizeof index, "{\"metadata\":{},\"weight_map\":{\"%s\":\"pytorch_model-00001-of-00001.bin\"}}",
           in_index);
  memcpy(pickle, good_pickle, 8);
  pickle[4] = (char)length;
  memcpy(pickle + 8, in_shard, length);
  memcpy(pickle + 8 + length, good_pickle + after + 1, sizeof good_pickle - after - 1);
  make_archive(&a, pickle, sizeof good_pickle - 2 + length, 1);
  list[0].name = "pytorch_model.bin.index.json";
  list[0].data = index;
  list[0].size = strlen(index);
  list[1].name = "pytorch_model-00001-of-00001.bin";
  list[1].data = a.bytes;
  list[1].size = a.size;
  files.files = list;
  files.count = 2;
  memset(&options, 0, sizeof options);
  options.io = hfm__memory_io(&files);
  CHECK_INT(hfm__context_init(&options, &ctx, &error), HFM_OK);
  if (hfm__checkpoint_open_named(&ctx, "", NULL, &options, &ckpt, &error) != HFM_OK) {
    CHECK_INT(error.item, sound ? HFM_E_NONE : HFM_E_INDEX_TENSOR_NOT_IN_SHARD);
    return;
  }
  CHECK(sound);
  CHECK_INT(ckpt.count, 1);
  CHECK_STR(ckpt.tensors[0].name, "w");
  CHECK_INT(ckpt.files[0].map[ckpt.tensors[0].offset + 3], 4);
  hfm__checkpoint_close(&ckpt);
}

static void test_sharded(void) {
  check_sharded("w", "w", 1);
  check_sharded("module.w", "module.w", 1);
  check_sharded("w", "module.w", 1);
  check_sharded("v", "w", 0);
  check_sharded("module.v", "module.w", 0);
}

/* L5: an archive of torch before 0.1.10 is known by its bytes, whatever its name. */
static void test_tar(void) {
  static const char *const names[] = {"x.bin", "m.pt", "m.pth", "m"};
  uint8_t tar[512];
  memset(tar, 0, sizeof tar);
  memcpy(tar, "old/data", 8);
  memcpy(tar + 257, "ustar", 5);
  for (size_t i = 0; i < HFM__COUNT(names); i++) {
    source s;
    hfm__checkpoint ckpt;
    hfm_error error;
    CHECK_INT(open_bytes(names[i], tar, sizeof tar, 0, NULL, &s, &ckpt, &error), HFM_E_TORCH_UNSUPPORTED);
    CHECK_CONTAINS(error.message, "a tar archive");
  }
}

/* One element as a thousand, in each of two shards: what they take as dense tensors is bounded over all of them. */
static void test_strided_shards(void) {
  static const char index[] = "{\"weight_map\":{\"v\":\"1.bin\",\"w\":\"2.bin\"}}";
  static const char pickle[] = ARGS(OF("ByteStorage", "\1" "0", "K\4"), "K\0", "M\xe8\3\x85", "K\0\x85");
  char other[sizeof pickle];
  archive a[2];
  hfm_memory_file list[3];
  hfm__memory_files files;
  hfm_options options;
  memcpy(other, pickle, sizeof pickle);
  other[5] = 'v';
  make_archive(&a[0], other, sizeof pickle - 1, 1);
  make_archive(&a[1], pickle, sizeof pickle - 1, 1);
  list[0].name = "pytorch_model.bin.index.json";
  list[0].data = index;
  list[0].size = sizeof index - 1;
  for (int i = 0; i < 2; i++) {
    list[1 + i].name = i ? "2.bin" : "1.bin";
    list[1 + i].data = a[i].bytes;
    list[1 + i].size = a[i].size;
  }
  files.files = list;
  files.count = 3;
  memset(&options, 0, sizeof options);
  options.io = hfm__memory_io(&files);
  for (int more = 0; more < 2; more++) {
    hfm__context ctx;
    hfm__checkpoint ckpt;
    hfm_error error;
    options.limits.max_new_bytes = 2000 - a[0].size - a[1].size - (more ? 0 : 1);
    CHECK_INT(hfm__context_init(&options, &ctx, &error), HFM_OK);
    if (!CHECK_INT(hfm__checkpoint_open_named(&ctx, "", NULL, &options, &ckpt, &error),
                   more ? HFM_OK : HFM_ERROR_LIMIT))
      printf("    %s\n", error.message);
    if (!more) CHECK_INT(error.item, HFM_E_NEW_WEIGHTS_LIMIT);
    if (!more) CHECK_STR(error.what, "w");
    hfm__checkpoint_close(&ckpt);
  }
}

int main(void) {
  TEST(test_fixtures);
  TEST(test_views);
  TEST(test_legacy);
  TEST(test_legacy_views);
  TEST(test_every_prefix_and_byte);
  TEST(test_every_allocation);
  TEST(test_sharded);
  TEST(test_tar);
  TEST(test_strided_shards);
  return check_report("test_torch_bin");
}
