/* GGUF: rules G1 to G7, and what has to be read. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include "find_tensor.h"
#include "gguf_writer.h"
#include "one_file.h"

/* Reads bytes as a .gguf. HFM_E_NONE: *contents is the caller's. `copied` does without the map: all is read. */
static int32_t read_bytes(const void *bytes, size_t size, int copied, const hfm_allocator *mem, uint64_t max_header,
                          hfm_contents **contents, hfm_error *error) {
  one_file served;
  hfm_options options;
  hfm_result result;
  memset(&options, 0, sizeof options);
  memset(error, -1, sizeof *error);
  options.io = one_file_io(&served, "x.gguf", bytes, size);
  options.local_copy = copied;
  options.limits.max_header_bytes = max_header;
  if (mem) options.allocator = *mem;
  result = hfm_read_contents("x.gguf", &options, contents, error);
  CHECK_INT(error->code, result);
  CHECK((result == HFM_OK) == (*contents != NULL));
  return result == HFM_OK ? (int32_t)HFM_E_NONE : error->item;
}

/* Exactly so many bytes, so that a sanitizer sees a read past their end. */
static int32_t judge(const void *bytes, size_t size, int copied, hfm_error *error) {
  uint8_t *exact = (uint8_t *)malloc(size ? size : 1);
  hfm_contents *contents = NULL;
  int32_t item;
  if (!exact) return -1;
  if (size) memcpy(exact, bytes, size);
  item = read_bytes(exact, size, copied, NULL, 0, &contents, error);
  for (size_t i = 0; contents && i < contents->tensor_count; i++) {
    const hfm_stored_tensor *t = &contents->tensors[i];
    uint64_t elements = 1;
    for (int32_t d = 0; d < t->rank; d++) elements *= (uint64_t)t->shape[d];
    CHECK(t->offset <= size && t->bytes <= size - t->offset && t->offset % contents->alignment == 0);
    if (t->dtype) CHECK_INT(t->bytes, elements * (uint64_t)hfm_dtype_bits(t->dtype) / 8);
    else CHECK_INT(t->bytes, elements / (uint64_t)t->block_elements * (uint64_t)t->block_bytes);
  }
  hfm_contents_free(contents);
  free(exact);
  return item;
}

/* Refused with this item, at the marked byte, in both ways of reading. */
static int refused(const gguf_writer *w, int32_t item, const char *part) {
  hfm_error error;
  int ok = 1;
  for (int copied = 0; copied < 2; copied++) {
    ok &= CHECK_INT(judge(w->bytes, w->size, copied, &error), item);
    ok &= CHECK_INT(error.offset, w->mark);
    ok &= CHECK_CONTAINS(error.message, part);
    CHECK_STR(error.file, "x.gguf");
  }
  return ok;
}

static int accepted(const gguf_writer *w) {
  hfm_error error;
  const int ok = CHECK_INT(judge(w->bytes, w->size, 0, &error), HFM_E_NONE);
  if (!ok) printf("    %s\n", error.message);
  return ok;
}

/* G1: the word GGUF, version 2 or 3, little-endian. */
static void test_g1_begin(void) {
  gguf_writer w;
  gguf_begin(&w, 0, 0);
  CHECK(accepted(&w));
  w.bytes[4] = 2;
  CHECK(accepted(&w));
  w.mark = 4;
  w.bytes[4] = 1;
  refused(&w, HFM_E_GGUF_VERSION, "version 1, but 2 and 3 are read");
  w.bytes[4] = 4;
  refused(&w, HFM_E_GGUF_VERSION, "version 4");
  w.bytes[4] = 0;
  refused(&w, HFM_E_GGUF_VERSION, "version 0");
  w.bytes[7] = 3;
  refused(&w, HFM_E_GGUF_VERSION, "big-endian");
  w.bytes[4] = 3;
  refused(&w, HFM_E_GGUF_VERSION, "version 50331651");
  w.mark = 0;
  w.bytes[3] = 'g';
  refused(&w, HFM_E_FILE_KIND, "begins with \"GGUF\", found 'GGUg'");
  memcpy(w.bytes, "FUGG", 4);
  refused(&w, HFM_E_FILE_KIND, "found 'FUGG'");
}

/* G2: no more keys and tensors than the bytes that are left can hold: 13 and 24 each. Neither is negative. */
static void test_g2_counts(void) {
  static const uint64_t wrong[] = {1, (uint64_t)1 << 32, (uint64_t)1 << 62, (uint64_t)1 << 63, UINT64_MAX};
  gguf_writer w;
  failing_alloc memory;
  for (size_t i = 0; i < HFM__COUNT(wrong); i++) {
    gguf_begin(&w, wrong[i], 0);
    w.mark = 8;
    refused(&w, HFM_E_GGUF_TRUNCATED, "tensors, but the file has only 8 more bytes");
    gguf_begin(&w, 0, wrong[i]);
    w.mark = 16;
    refused(&w, HFM_E_GGUF_TRUNCATED, "keys, but the file has only 0 more bytes");
  }
  gguf_begin(&w, 0, UINT64_MAX / 13);
  memset(w.bytes + w.size, 0, 4000);
  w.size += 4000;
  w.mark = 16;
  refused(&w, HFM_E_GGUF_TRUNCATED, "keys");
  failing_alloc_begin(&memory, -1);
  for (int i = 0; i < 2; i++) { /* whatever is claimed: nothing is reserved for it */
    hfm_contents *contents;
    hfm_error error;
    gguf_begin(&w, i ? 0 : (uint64_t)166, i ? (uint64_t)307 : 0);
    memset(w.bytes + w.size, 0xff, 4000);
    CHECK_INT(read_bytes(w.bytes, w.size + 4000, 1, &memory.allocator, 0, &contents, &error), HFM_E_GGUF_TRUNCATED);
  }
  CHECK(memory.peak_bytes < 32768);
  CHECK(failing_alloc_clean(&memory));
}

/* G3: strings lie in the file; keys and names are UTF-8, not too long, not twice there. */
static void test_g3_names(void) {
  static const char *const bad[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "a\xc3"};
  static const uint64_t wrong[] = {200, (uint64_t)1 << 31, (uint64_t)1 << 63, UINT64_MAX};
  gguf_writer w;
  for (size_t i = 0; i < HFM__COUNT(wrong); i++) {
    gguf_begin(&w, 0, 1);
    gguf_mark(&w);
    gguf_put(&w, 8, wrong[i]); /* of a key */
    gguf_data(&w, 1, 30);
    refused(&w, HFM_E_GGUF_TRUNCATED, "key number 0: its name takes");
    gguf_begin(&w, 0, 1);
    gguf_key(&w, "k", GGUF_STRING);
    gguf_mark(&w);
    gguf_put(&w, 8, wrong[i]); /* of a value */
    refused(&w, HFM_E_GGUF_TRUNCATED, "key 'k': a string takes");
    gguf_begin(&w, 1, 0);
    gguf_mark(&w);
    gguf_put(&w, 8, wrong[i]); /* of a tensor's name */
    gguf_data(&w, 1, 30);
    refused(&w, HFM_E_GGUF_TRUNCATED, "tensor number 0: its name takes");
  }
  gguf_begin(&w, 0, 1);
  gguf_mark(&w);
  gguf_key(&w, "", GGUF_U8), gguf_put(&w, 1, 0);
  refused(&w, HFM_E_GGUF_NAME, "its name has 0 bytes: 1 to 65535 expected");
  for (size_t i = 0; i < HFM__COUNT(bad); i++) {
    gguf_begin(&w, 0, 1);
    w.mark = w.size + 8 + (bad[i][0] == 'a');
    gguf_key(&w, bad[i], GGUF_U8), gguf_put(&w, 1, 0);
    refused(&w, HFM_E_GGUF_NAME, "its name must be UTF-8 without NUL characters, found '\\x");
  }
  gguf_begin(&w, 1, 0);
  w.mark = w.size + 8 + 1;
  gguf_put_text(&w, "a\0b", 3);
  gguf_put(&w, 4, 0), gguf_put(&w, 4, 0), gguf_put(&w, 8, 0);
  refused(&w, HFM_E_GGUF_NAME, "its name must be UTF-8 without NUL characters, found '\\x00'");
  gguf_begin(&w, 0, 3);
  gguf_key(&w, "same", GGUF_U8), gguf_put(&w, 1, 0);
  gguf_key(&w, "other", GGUF_U8), gguf_put(&w, 1, 0);
  gguf_mark(&w);
  gguf_key(&w, "same", GGUF_I8), gguf_put(&w, 1, 0);
  refused(&w, HFM_E_GGUF_DUPLICATE, "key 'same': a second one of this name, the first is at byte 24");
  gguf_begin(&w, 2, 0);
  gguf_tensor(&w, "same", 0, NULL, 0, 0);
  gguf_mark(&w);
  gguf_tensor(&w, "same", 0, NULL, 0, 32);
  gguf_data(&w, 32, 36);
  refused(&w, HFM_E_GGUF_DUPLICATE, "tensor 'same': a second one of this name, the first is at byte 24");
  gguf_begin(&w, 2, 1); /* a key and a tensor may have the same name, and a tensor none */
  gguf_key(&w, "same", GGUF_U8), gguf_put(&w, 1, 0);
  gguf_tensor(&w, "same", 0, NULL, 0, 0);
  gguf_tensor(&w, "", 0, NULL, 0, 32);
  gguf_data(&w, 32, 36);
  accepted(&w);
}

/* G3: the longest names, and one byte more. */
static void test_g3_longest(void) {
  static uint8_t file[70000];
  for (int longer = 0; longer < 2; longer++) {
    for (int is_tensor = 0; is_tensor < 2; is_tensor++) {
      const size_t length = (is_tensor ? 1024u : 65535u) + (unsigned)longer;
      gguf_writer w;
      hfm_error error;
      gguf_begin(&w, is_tensor ? 1u : 0u, is_tensor ? 0u : 1u);
      gguf_put(&w, 8, length);
      memset(file, 'k', sizeof file);
      memcpy(file, w.bytes, w.size);
      memset(file + w.size + length, 0, 64 + 32); /* F32, no dimensions, offset 0; or a uint8 */
      CHECK_INT(judge(file, w.size + length + (is_tensor ? 64 : 5), 0, &error),
                longer ? HFM_E_GGUF_NAME : HFM_E_NONE);
      if (longer) CHECK_INT(error.offset, 24);
    }
  }
}

/* G4: types 0 to 12; lists of anything but lists; their elements lie in the file. A bool is 0 or 1. */
static void test_g4_values(void) {
  static const int sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  static const uint64_t unknown[] = {13, 255, 1u << 31, 0xffffffffu};
  gguf_writer w;
  for (uint64_t type = 0; type < 13; type++) {
    if (!sizes[type]) continue;
    gguf_begin(&w, 0, 1);
    gguf_key(&w, "k", type), gguf_put(&w, sizes[type], 1);
    accepted(&w);
    w.mark = --w.size - (size_t)sizes[type] + 1;
    refused(&w, HFM_E_GGUF_TRUNCATED, "key 'k': its value takes");
    for (uint64_t count = 0; count < 5; count++) {
      gguf_begin(&w, 0, 1);
      gguf_key(&w, "k", GGUF_LIST), gguf_put(&w, 4, type);
      gguf_mark(&w);
      gguf_put(&w, 8, count);
      for (uint64_t i = 0; i < count; i++) gguf_put(&w, sizes[type], i & 1);
      accepted(&w);
      if (count) w.size--, refused(&w, HFM_E_GGUF_TRUNCATED, "key 'k': a list takes");
    }
    gguf_begin(&w, 0, 1);
    gguf_key(&w, "k", GGUF_LIST), gguf_put(&w, 4, type);
    gguf_mark(&w);
    gguf_put(&w, 8, UINT64_MAX / (uint64_t)sizes[type] + (sizes[type] > 1 ? 2 : 0)); /* the product wraps to little */
    gguf_data(&w, 1, 64);
    refused(&w, HFM_E_GGUF_TRUNCATED, "a list takes");
  }
  for (size_t i = 0; i < HFM__COUNT(unknown); i++) {
    gguf_begin(&w, 0, 1);
    gguf_put_text(&w, "k", 1);
    gguf_mark(&w);
    gguf_put(&w, 4, unknown[i]), gguf_put(&w, 8, 0);
    refused(&w, HFM_E_GGUF_VALUE, ": 0 to 12 expected");
    gguf_begin(&w, 0, 1);
    gguf_key(&w, "k", GGUF_LIST);
    gguf_mark(&w);
    gguf_put(&w, 4, unknown[i]), gguf_put(&w, 8, 0);
    refused(&w, HFM_E_GGUF_VALUE, ": 0 to 12 expected");
  }
  gguf_begin(&w, 0, 1);
  gguf_key(&w, "k", GGUF_LIST);
  gguf_mark(&w);
  gguf_put(&w, 4, GGUF_LIST), gguf_put(&w, 8, 0);
  refused(&w, HFM_E_GGUF_VALUE, "a list of lists");
  gguf_begin(&w, 0, 1);
  gguf_key(&w, "k", GGUF_LIST), gguf_put(&w, 4, GGUF_STRING);
  gguf_mark(&w);
  gguf_put(&w, 8, 3), gguf_put_text(&w, "ab", 2), gguf_put(&w, 8, 0); /* 18 bytes of at least 24 */
  refused(&w, HFM_E_GGUF_TRUNCATED, "a list takes 24 bytes, but the file has only 18 more");
  gguf_begin(&w, 0, 1);
  gguf_key(&w, "k", GGUF_LIST), gguf_put(&w, 4, GGUF_STRING), gguf_put(&w, 8, 2), gguf_put_text(&w, "ab", 2);
  gguf_mark(&w);
  gguf_put(&w, 8, 3), gguf_put(&w, 2, 0);
  refused(&w, HFM_E_GGUF_TRUNCATED, "a string of a list takes 3 bytes, but the file has only 2 more");
  gguf_begin(&w, 0, 1);
  gguf_key(&w, "k", GGUF_BOOL);
  gguf_mark(&w);
  gguf_put(&w, 1, 2);
  refused(&w, HFM_E_GGUF_VALUE, "a bool is 0 or 1, found 2");
  gguf_begin(&w, 0, 1);
  gguf_key(&w, "k", GGUF_LIST), gguf_put(&w, 4, GGUF_BOOL), gguf_put(&w, 8, 3), gguf_put(&w, 2, 0x0100);
  gguf_mark(&w);
  gguf_put(&w, 1, 255);
  refused(&w, HFM_E_GGUF_VALUE, "found 255");
}

/* G5: general.alignment is a uint32, and a power of two from 8 on. */
static void test_g5_alignment(void) {
  static const uint64_t wrong[] = {0, 1, 2, 4, 9, 12, 24, 33, 0x80000001u, 0xffffffffu};
  static const uint64_t types[] = {GGUF_U8, GGUF_I32, GGUF_U64, GGUF_FLOAT, GGUF_STRING, GGUF_LIST};
  static const uint64_t shape[1] = {1};
  gguf_writer w;
  for (size_t i = 0; i < HFM__COUNT(wrong); i++) {
    gguf_begin(&w, 0, 1);
    gguf_key(&w, "general.alignment", GGUF_U32);
    gguf_mark(&w);
    gguf_put(&w, 4, wrong[i]);
    refused(&w, HFM_E_GGUF_ALIGNMENT, "must be a power of two from 8 on, found");
  }
  for (size_t i = 0; i < HFM__COUNT(types); i++) {
    gguf_begin(&w, 0, 1);
    w.mark = w.size + 8 + strlen("general.alignment");
    gguf_key(&w, "general.alignment", types[i]);
    if (types[i] == GGUF_LIST) gguf_put(&w, 4, GGUF_U32);
    gguf_put(&w, 8, types[i] == GGUF_STRING ? 0 : types[i] == GGUF_LIST ? 1 : 32);
    if (types[i] == GGUF_LIST) gguf_put(&w, 4, 32);
    refused(&w, HFM_E_GGUF_ALIGNMENT, "must be one uint32, found ");
  }
  for (uint64_t alignment = 8; alignment <= 4096; alignment *= 2) {
    gguf_begin(&w, 2, 1);
    gguf_key(&w, "general.alignment", GGUF_U32), gguf_put(&w, 4, alignment);
    gguf_tensor(&w, "a", 1, shape, 0, 0);
    gguf_tensor(&w, "b", 1, shape, 0, alignment);
    gguf_data(&w, (size_t)alignment, (size_t)alignment + 4);
    if (w.size < GGUF_ROOM) accepted(&w);
  }
  gguf_begin(&w, 1, 1); /* the data would begin beyond the file */
  gguf_key(&w, "general.alignment", GGUF_U32), gguf_put(&w, 4, 0x80000000u);
  gguf_tensor(&w, "a", 1, shape, 0, 0);
  gguf_data(&w, 64, 64);
  gguf_mark(&w);
  refused(&w, HFM_E_GGUF_TRUNCATED, "'a' does, which has 4 bytes from byte 2147483648 on");
  gguf_begin(&w, 0, 1); /* but where there is none, nothing is missing */
  gguf_key(&w, "general.alignment", GGUF_U32), gguf_put(&w, 4, 0x80000000u);
  accepted(&w);
}

/* G6 and F6: at most four dimensions, none negative, every partial product checked. */
static void test_g6_shapes(void) {
  static const struct {
    int rank, at; /* the dimension that the error names */
    uint64_t shape[4];
    const char *part;
  } cases[] = {
      {1, 0, {(uint64_t)1 << 63, 0, 0, 0}, "dimension 0 is negative"},
      {1, 0, {UINT64_MAX, 0, 0, 0}, "dimension 0 is negative"},
      {3, 2, {1, 1, UINT64_MAX, 0}, "dimension 2 is negative"},
      {2, 1, {(uint64_t)1 << 32, (uint64_t)1 << 32, 0, 0}, "dimensions up to number 1 multiply to more than 2^64"},
      {3, 1, {(uint64_t)1 << 32, (uint64_t)1 << 32, 0, 0}, "dimensions up to number 1 multiply to more than 2^64"},
      {4, 3, {(uint64_t)1 << 20, (uint64_t)1 << 20, (uint64_t)1 << 20, (uint64_t)1 << 20}, "up to number 3"},
      {4, 2, {3, (uint64_t)1 << 40, (uint64_t)1 << 40, 0}, "up to number 2"},
  };
  static const uint64_t ones[4] = {1, 1, 1, 1}, none[3] = {0, (uint64_t)1 << 32, (uint64_t)1 << 32};
  static const uint64_t big[1] = {(uint64_t)1 << 62};
  gguf_writer w;
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    gguf_begin(&w, 1, 0);
    w.mark = w.size + 8 + 1 + 4 + 8 * (size_t)cases[i].at;
    gguf_tensor(&w, "w", cases[i].rank, cases[i].shape, 0, 0);
    gguf_data(&w, 32, 64);
    if (!refused(&w, HFM_E_GGUF_SHAPE, cases[i].part)) printf("    case %d\n", (int)i);
  }
  gguf_begin(&w, 1, 0);
  gguf_put_text(&w, "w", 1);
  gguf_mark(&w);
  gguf_put(&w, 4, 5);
  gguf_data(&w, 1, 100);
  refused(&w, HFM_E_GGUF_SHAPE, "tensor 'w': 5 dimensions: at most 4 expected");
  gguf_begin(&w, 1, 0); /* 2^62 elements of 8 bytes */
  gguf_tensor(&w, "w", 1, big, 28, 0);
  w.mark = w.size - 12;
  gguf_data(&w, 32, 64);
  refused(&w, HFM_E_GGUF_SHAPE, "takes more than 2^64 bytes");
  for (int rank = 0; rank <= 4; rank++) {
    gguf_begin(&w, 1, 0);
    gguf_tensor(&w, "w", rank, ones, 0, 0);
    gguf_data(&w, 32, 4);
    accepted(&w);
  }
  gguf_begin(&w, 1, 0);
  gguf_tensor(&w, "w", 3, none, 0, 0);
  gguf_data(&w, 32, 0);
  accepted(&w);
}

/* G6: each type with ggml's blocks; removed and unknown ones by number; rows of whole blocks. */
static void test_g6_types(void) {
  enum { H = 2, K = 256, SCALES = 12 }; /* a half float; QK_K; K_SCALE_SIZE: the sums are those of ggml-common.h */
  static const struct {
    uint64_t type;
    const char *name;
    int elements, bytes;
  } all[] = {
      {0, "F32", 1, 4}, {1, "F16", 1, 2}, {2, "Q4_0", 32, H + 32 / 2}, {3, "Q4_1", 32, 2 * H + 32 / 2},
      {6, "Q5_0", 32, H + 4 + 32 / 2}, {7, "Q5_1", 32, 2 * H + 4 + 32 / 2}, {8, "Q8_0", 32, H + 32},
      {9, "Q8_1", 32, 2 * H + 32}, {10, "Q2_K", K, 2 * H + K / 16 + K / 4}, {11, "Q3_K", K, H + K / 4 + K / 8 + 12},
      {12, "Q4_K", K, 2 * H + SCALES + K / 2}, {13, "Q5_K", K, 2 * H + SCALES + K / 2 + K / 8},
      {14, "Q6_K", K, H + K / 16 + 3 * K / 4}, {15, "Q8_K", K, 4 + K + K / 16 * 2}, {16, "IQ2_XXS", K, H + K / 8 * 2},
      {17, "IQ2_XS", K, H + K / 8 * 2 + K / 32}, {18, "IQ3_XXS", K, H + 3 * (K / 8)},
      {19, "IQ1_S", K, H + K / 8 + K / 16}, {20, "IQ4_NL", 32, H + 32 / 2},
      {21, "IQ3_S", K, H + 13 * (K / 32) + K / 64},
      {22, "IQ2_S", K, H + K / 4 + K / 16}, {23, "IQ4_XS", K, H + 2 + K / 64 + K / 2}, {24, "I8", 1, 1},
      {25, "I16", 1, 2}, {26, "I32", 1, 4}, {27, "I64", 1, 8}, {28, "F64", 1, 8},
      {29, "IQ1_M", K, K / 8 + K / 16 + K / 32}, {30, "BF16", 1, 2},
      {34, "TQ1_0", K, H + K / 64 + (K - 4 * K / 64) / 5}, {35, "TQ2_0", K, H + K / 4}, {39, "MXFP4", 32, 1 + 32 / 2},
      {40, "NVFP4", 64, 4 + 64 / 2}, {41, "Q1_0", 128, H + 128 / 8}, {42, "Q2_0", 64, H + 64 / 4}};
  static const uint64_t removed[] = {4, 5, 31, 32, 33, 36, 37, 38};
  static const uint64_t unknown[] = {43, 44, 255, 256, 0x80000000u, 0xffffffffu};
  gguf_writer w;
  CHECK_INT(HFM__COUNT(all) + HFM__COUNT(removed), HFM__COUNT(hfm__ggml_types));
  for (size_t i = 0; i < HFM__COUNT(all); i++) {
    uint64_t shape[2] = {0, 3};
    hfm_contents *contents;
    hfm_error error;
    shape[0] = 2 * (uint64_t)all[i].elements;
    gguf_begin(&w, 1, 0);
    gguf_tensor(&w, "w", 2, shape, all[i].type, 0);
    gguf_data(&w, 32, 6 * (size_t)all[i].bytes);
    if (CHECK_INT(read_bytes(w.bytes, w.size, 0, NULL, 0, &contents, &error), HFM_E_NONE)) {
      const hfm_stored_tensor *t = &contents->tensors[0];
      CHECK_STR(t->type, all[i].name);
      CHECK_INT(t->bytes, 6 * all[i].bytes);
      CHECK((t->dtype != 0) == (all[i].elements == 1));
      CHECK_INT(t->block_elements, t->dtype ? 0 : all[i].elements);
      CHECK_INT(t->block_bytes, t->dtype ? 0 : all[i].bytes);
      CHECK(t->rank == 2 && t->shape[0] == 3 && t->shape[1] == 2 * all[i].elements);
      hfm_contents_free(contents);
    }
    if (all[i].elements == 1) continue;
    shape[0]--; /* three rows of less than two blocks, though enough for five blocks in all */
    gguf_begin(&w, 1, 0);
    gguf_tensor(&w, "w", 2, shape, all[i].type, 0);
    w.mark = w.size - 12;
    gguf_data(&w, 32, 6 * (size_t)all[i].bytes);
    refused(&w, HFM_E_GGUF_SHAPE, "has blocks of");
    gguf_begin(&w, 1, 0); /* a scalar is a row of one */
    gguf_tensor(&w, "w", 0, NULL, all[i].type, 0);
    w.mark = w.size - 12;
    refused(&w, HFM_E_GGUF_SHAPE, "rows of 1 elements");
  }
  for (size_t i = 0; i < HFM__COUNT(removed) + HFM__COUNT(unknown); i++) {
    const int is_removed = i < HFM__COUNT(removed);
    const uint64_t shape[1] = {0};
    gguf_begin(&w, 1, 0);
    gguf_tensor(&w, "w", 1, shape, is_removed ? removed[i] : unknown[i - HFM__COUNT(removed)], 0);
    w.mark = w.size - 12;
    refused(&w, HFM_E_GGUF_TYPE, is_removed ? "was removed from ggml: convert the model anew" : "(0 to 42)");
  }
}

/* G7: offsets are the running padded sum; the last byte of each tensor is in the file. */
static void test_g7_offsets(void) {
  static const uint64_t shape[1] = {5}, empty[1] = {0}, half[1] = {(uint64_t)1 << 61};
  static const uint64_t wrong[] = {0, 4, 20, 31, 33, 64, UINT64_MAX - 31};
  gguf_writer w;
  size_t end;
  for (size_t i = 0; i < HFM__COUNT(wrong); i++) { /* an alias, an overlap, no padding, a hole */
    gguf_begin(&w, 2, 0);
    gguf_tensor(&w, "a", 1, shape, 0, 0);
    gguf_tensor(&w, "b", 1, shape, 0, wrong[i]);
    w.mark = w.size - 8;
    gguf_data(&w, 32, 200);
    refused(&w, HFM_E_GGUF_OFFSET, "of the data, but must follow the one before, at byte 32");
  }
  gguf_begin(&w, 1, 0);
  gguf_tensor(&w, "a", 1, shape, 0, 32);
  w.mark = w.size - 8;
  gguf_data(&w, 32, 200);
  refused(&w, HFM_E_GGUF_OFFSET, "begins at byte 32 of the data, but must follow the one before, at byte 0");
  gguf_begin(&w, 2, 0); /* 2^63 bytes and again */
  gguf_tensor(&w, "a", 1, half, 0, 0);
  gguf_tensor(&w, "b", 1, half, 0, (uint64_t)1 << 63);
  w.mark = w.size - 8;
  refused(&w, HFM_E_GGUF_OFFSET, "tensor 'b': ends beyond 2^64 bytes");
  gguf_begin(&w, 1, 0);
  gguf_tensor(&w, "a", 1, half, 0, 0);
  gguf_data(&w, 32, 200);
  gguf_mark(&w);
  refused(&w, HFM_E_GGUF_TRUNCATED, "the file ends before tensor 'a' does");
  gguf_begin(&w, 3, 0);
  gguf_tensor(&w, "a", 1, shape, 0, 0);
  gguf_tensor(&w, "b", 1, shape, 0, 32);
  gguf_tensor(&w, "c", 1, empty, 0, 64);
  end = w.size;
  gguf_data(&w, 32, 64);
  accepted(&w);
  for (; w.size > end; w.size--) {
    hfm_error error;
    if (judge(w.bytes, w.size - 1, 0, &error) != HFM_E_GGUF_TRUNCATED) CHECK(!"every byte of the data is needed");
    CHECK_INT(error.offset, w.size - 1);
  }
  gguf_begin(&w, 1, 0);
  gguf_tensor(&w, "a", 1, shape, 0, 0);
  gguf_data(&w, 32, 20); /* no padding after the last; or any bytes, as ggml has it */
  accepted(&w);
  gguf_data(&w, 1, 100);
  accepted(&w);
}

/* What is in a file, and its tensors as the rest of the library sees them. */
static void test_contents(void) {
  static const struct {
    const char *key;
    hfm_dtype dtype;
    int32_t is_list;
    uint64_t count;
    int64_t integer;
    double number;
  } want[] = {{"general.architecture", HFM_DTYPE_AUTO, 0, 1, 0, 0}, {"u8", HFM_U8, 0, 1, 200, 200},
              {"i8", HFM_I8, 0, 1, -1, -1}, {"u16", HFM_U16, 0, 1, 65535, 65535},
              {"i16", HFM_I16, 0, 1, -32768, -32768},
              {"u32", HFM_U32, 0, 1, 4294967295, 4294967295.0}, {"i32", HFM_I32, 0, 1, -2, -2},
              {"f32", HFM_F32, 0, 1, 0, 1.5}, {"bool", HFM_BOOL, 0, 1, 1, 1},
              {"u64", HFM_U64, 0, 1, -1, 18446744073709551616.0},
              {"i64", HFM_I64, 0, 1, INT64_MIN, -9223372036854775808.0},
              {"f64", HFM_F64, 0, 1, 0, -2.5}, {"general.alignment", HFM_U32, 0, 1, 16, 16},
              {"tokens", HFM_DTYPE_AUTO, 1, 2, 0, 0}, {"flags", HFM_BOOL, 1, 2, 0, 0}, {"scores", HFM_F32, 1, 1, 0, 0}};
  static const struct {
    const char *name, *type;
    hfm_dtype dtype;
    int32_t rank;
    int64_t first;
    uint64_t offset, bytes;
  } tensors[] = {{"blk.0.weight", "Q4_0", HFM_DTYPE_AUTO, 2, 3, 0, 54}, {"bias", "F32", HFM_F32, 1, 5, 64, 20},
                 {"empty", "F16", HFM_F16, 3, 2, 96, 0}, {"scalar", "BF16", HFM_BF16, 0, 0, 96, 2},
                 {"bytes", "I8", HFM_I8, 1, 5, 112, 5}};
  gguf_writer w;
  gguf_sample(&w);
  for (int copied = 0; copied < 2; copied++) {
    hfm_contents *contents;
    hfm_error error;
    if (!CHECK_INT(read_bytes(w.bytes, w.size, copied, NULL, 0, &contents, &error), HFM_E_NONE)) {
      printf("    %s\n", error.message);
      return;
    }
    CHECK_STR(contents->format, "gguf");
    CHECK_INT(contents->version, 3);
    CHECK_INT(contents->alignment, 16);
    if (CHECK_INT(contents->metadata_count, HFM__COUNT(want))) {
      for (size_t i = 0; i < HFM__COUNT(want); i++) {
        const hfm_metadata *got = &contents->metadata[i];
        CHECK_STR(got->key, want[i].key);
        CHECK_INT(got->dtype, want[i].dtype);
        CHECK_INT(got->is_list, want[i].is_list);
        CHECK_INT(got->count, want[i].count);
        CHECK_INT(got->integer, want[i].integer);
        CHECK(got->number == want[i].number);
        CHECK((got->text != NULL) == (i == 0));
      }
      CHECK_STR(contents->metadata[0].text, "llama");
      CHECK_INT(contents->metadata[0].text_size, 5);
    }
    if (CHECK_INT(contents->tensor_count, HFM__COUNT(tensors))) {
      for (size_t i = 0; i < HFM__COUNT(tensors); i++) {
        const hfm_stored_tensor *got = &contents->tensors[i];
        CHECK_STR(got->name, tensors[i].name);
        CHECK_STR(got->type, tensors[i].type);
        CHECK_INT(got->dtype, tensors[i].dtype);
        CHECK_INT(got->rank, tensors[i].rank);
        CHECK_INT(got->shape[0], tensors[i].first);
        CHECK_INT(got->offset, tensors[i].offset + w.size - 117);
        CHECK_INT(got->bytes, tensors[i].bytes);
      }
      CHECK_INT(w.bytes[contents->tensors[1].offset], 65);
    }
    hfm_contents_free(contents);
  }
}

/* The header may reach as far as limits.max_header_bytes, and not a byte further. */
static void test_header_limit(void) {
  gguf_writer w;
  hfm_contents *contents;
  hfm_error error;
  size_t header;
  gguf_sample(&w);
  for (header = w.size - 117; w.bytes[header - 1] == 0; header--) continue;
  header += 7; /* the last offset is 112: seven zeros follow it, then the padding */
  for (uint64_t limit = 1; limit < header; limit++) {
    CHECK_INT(read_bytes(w.bytes, w.size, (int)(limit & 1), NULL, limit, &contents, &error), HFM_E_GGUF_HEADER_SIZE);
    CHECK_INT(error.code, HFM_ERROR_LIMIT);
  }
  CHECK_INT(read_bytes(w.bytes, w.size, 0, NULL, header, &contents, &error), HFM_E_NONE);
  hfm_contents_free(contents);
}

/* Every prefix is refused; every value of every byte ends in a verdict. */
static void test_every_prefix_and_byte(void) {
  gguf_writer good, w;
  hfm_error error;
  int64_t sound = 0;
  gguf_sample(&good);
  for (size_t n = 0; n < good.size; n++) {
    CHECK_INT(judge(good.bytes, n, (int)(n & 1), &error), HFM_E_GGUF_TRUNCATED);
    CHECK(error.offset <= n);
  }
  for (size_t i = 0; i < good.size - 117; i++) {
    for (int value = 0; value < 256; value += CHECK_BYTE_STEP) {
      w = good;
      w.bytes[i] = (uint8_t)value;
      if (judge(w.bytes, w.size, value & 1, &error) == HFM_E_NONE) sound++;
      else CHECK(error.item >= HFM_E_GGUF_TRUNCATED ? error.offset <= w.size : error.item == HFM_E_FILE_KIND);
    }
  }
  CHECK(sound > (int64_t)(good.size - 117) / CHECK_BYTE_STEP); /* at the least, itself, and other letters in names */
}

/* F9: whichever allocation fails, the error is clean and nothing leaks. */
static void test_every_allocation(void) {
  gguf_writer w;
  failing_alloc memory;
  gguf_sample(&w);
  for (int64_t n = 0;; n++) {
    hfm_contents *contents;
    hfm_error error;
    int32_t item;
    failing_alloc_begin(&memory, n);
    item = read_bytes(w.bytes, w.size, 1, &memory.allocator, 0, &contents, &error);
    if (item != HFM_E_NONE) CHECK_INT(item, HFM_E_OUT_OF_MEMORY);
    hfm_contents_free(contents);
    CHECK(failing_alloc_clean(&memory));
    if (!memory.failed) break;
  }
  CHECK(memory.calls > 6);
}

/* A file that ends earlier than it says, or can't be read, at every byte of the header. */
static uint64_t readable;
static hfm_result read_so_far(void *ctx, void *handle, uint64_t offset, void *dst, size_t size, size_t *got) {
  *got = 0;
  if (offset >= readable) return readable & 1 ? HFM_ERROR_IO : HFM_OK;
  return hfm__memory_read(ctx, handle, offset, dst, HFM__MIN(size, (size_t)(readable - offset)), got);
}
static void test_every_read(void) {
  gguf_writer w;
  hfm_memory_file file;
  hfm__memory_files files;
  hfm_options options;
  gguf_sample(&w);
  memset(&options, 0, sizeof options);
  file.name = "x.gguf";
  file.data = w.bytes;
  file.size = w.size;
  files.files = &file;
  files.count = 1;
  options.io = hfm__memory_io(&files);
  options.io.map = NULL;
  options.io.read = read_so_far;
  for (readable = 0; readable < w.size; readable++) {
    hfm_contents *contents;
    hfm_error error;
    const hfm_result result = hfm_read_contents("x.gguf", &options, &contents, &error);
    if (result == HFM_OK) { /* only what nobody reads is missing: the window ends where the file does */
      CHECK(!"a read failed");
      hfm_contents_free(contents);
    } else {
      CHECK_INT(error.item, readable & 1 ? HFM_E_FILE_READ : HFM_E_FILE_CHANGED);
      CHECK(contents == NULL);
    }
  }
}

/* Many names, some twice: n log n, not a second. */
static void test_many(void) {
  enum { MANY = 50000, EACH = 64 };
  uint8_t *bytes = (uint8_t *)malloc((size_t)MANY * EACH + 64);
  for (int repeated = 0; bytes && repeated < 2; repeated++) {
    hfm_error error;
    uint64_t start;
    size_t size;
    gguf_writer w;
    gguf_begin(&w, MANY, 0);
    memcpy(bytes, w.bytes, w.size);
    size = w.size;
    for (int i = 0; i < MANY; i++) {
      static const uint64_t none[1] = {0};
      char name[32];
      hfm__text t = hfm__text_to(name, sizeof name);
      hfm__text_format(&t, "blk.%d", repeated && i == MANY - 1 ? 7 : (int)((int64_t)i * 7919 % MANY));
      w.size = 0;
      gguf_tensor(&w, name, 1, none, 0, 0);
      memcpy(bytes + size, w.bytes, w.size);
      size += w.size;
    }
    memset(bytes + size, 0, 32);
    start = hfm__clock_ns();
    CHECK_INT(judge(bytes, size + 32, 0, &error), repeated ? HFM_E_GGUF_DUPLICATE : HFM_E_NONE);
    CHECK((double)(hfm__clock_ns() - start) * 1e-9 < 20.0);
  }
  free(bytes);
}

/* The same words as the generator's for what is in a file. */
static void describe(const hfm_contents *contents, hfm__text *t) {
  static const char *const kinds[] = {"STRING", "FLOAT32", "", "", "FLOAT64", "INT64", "INT32", "INT16", "INT8",
                                      "UINT64", "UINT32", "UINT16", "UINT8", "BOOL"}; /* by hfm_dtype */
  hfm__text_format(t, "version %d, alignment %u\n", (int)contents->version, (uint64_t)contents->alignment);
  for (size_t i = 0; i < contents->metadata_count; i++) {
    const hfm_metadata *m = &contents->metadata[i];
    char digits[40] = "";
    uint64_t bits;
    memcpy(&bits, &m->number, sizeof bits);
    if (m->dtype == HFM_F32 || m->dtype == HFM_F64)
      snprintf(digits, sizeof digits, "%016llx", (unsigned long long)bits);
    hfm__text_format(t, "%s: %s", m->key, kinds[m->dtype]);
    if (m->is_list) hfm__text_format(t, "[%u]", m->count);
    else if (m->text) hfm__text_str(t, " ");
    else if (*digits) hfm__text_format(t, " %s", digits);
    else if (m->dtype == HFM_U64) hfm__text_format(t, " %u", (uint64_t)m->integer);
    else hfm__text_format(t, " %i", m->integer);
    for (size_t k = 0; k < m->text_size; k++) {
      snprintf(digits, sizeof digits, "%02x", (unsigned)(uint8_t)m->text[k]);
      hfm__text_str(t, digits);
    }
    hfm__text_char(t, '\n');
  }
  for (size_t i = 0; i < contents->tensor_count; i++) {
    const hfm_stored_tensor *tensor = &contents->tensors[i];
    hfm__text_format(t, "%s %s %t at %u, %u bytes\n", tensor->name, tensor->type, tensor->shape, (int)tensor->rank,
                     tensor->offset, tensor->bytes);
  }
}

/* Files that the real gguf.GGUFWriter wrote hold what the real GGUFReader finds in them. */
static void test_real_files(void) {
  static const char *const names[] = {"values", "types", "aligned"};
  for (size_t i = 0; i < HFM__COUNT(names); i++) {
    static char want[4096], got[4096];
    char path[64];
    hfm__text t = hfm__text_to(got, sizeof got);
    hfm_contents *contents;
    hfm_error error;
    FILE *f;
    snprintf(path, sizeof path, "tests/hostile/gguf/%s.txt", names[i]);
    f = fopen(path, "rb");
    if (!CHECK(f != NULL)) continue;
    want[fread(want, 1, sizeof want - 1, f)] = 0;
    fclose(f);
    snprintf(path, sizeof path, "tests/hostile/gguf/%s.gguf", names[i]);
    if (!CHECK_INT(hfm_read_contents(path, NULL, &contents, &error), HFM_OK)) continue;
    describe(contents, &t);
    CHECK_STR(got, want);
    hfm_contents_free(contents);
  }
}

/* Loading a model from one is an error that says what to do. A file of another name is known by its first bytes. */
static void test_loading_and_kinds(void) {
  gguf_writer w;
  hfm_memory_file file;
  hfm__memory_files files;
  hfm_options options;
  hfm_memory_estimate estimate;
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  gguf_sample(&w);
  memset(&options, 0, sizeof options);
  file.data = w.bytes;
  file.size = w.size;
  file.name = "m/x.gguf";
  files.files = &file;
  files.count = 1;
  options.io = hfm__memory_io(&files);
  CHECK_INT(hfm_from_pretrained("m/x.gguf", &options, &model, &error), HFM_ERROR_UNSUPPORTED);
  CHECK_INT(error.item, HFM_E_GGUF_UNSUPPORTED);
  CHECK_CONTAINS(error.message, "a directory with config.json and *.safetensors");
  CHECK(model == NULL);
  CHECK_INT(hfm_estimate_memory("m/x.gguf", &options, 1, 1, &estimate, &error), HFM_ERROR_UNSUPPORTED);
  CHECK_INT(error.item, HFM_E_GGUF_UNSUPPORTED);
  if (CHECK_INT(hfm_config_parse("{\"model_type\":\"bert\"}", 21, NULL, &config, &error), HFM_OK)) {
    options.config = config;
    CHECK_INT(hfm_from_pretrained("m/x.gguf", &options, &model, &error), HFM_ERROR_UNSUPPORTED);
    CHECK_INT(error.item, HFM_E_GGUF_UNSUPPORTED);
    hfm_config_free(config);
  }
  CHECK_INT(hfm_check_file("m/x.gguf", &options, &error), HFM_OK);
  file.name = "blob";
  CHECK_INT(hfm_check_file("blob", &options, &error), HFM_OK);
  file.name = "x.safetensors";
  CHECK_INT(hfm_check_file("x.safetensors", &options, &error), HFM_ERROR_LIMIT);
}

/* The same table for the other formats, and arguments that can't be. */
static void test_other_formats(void) {
  static const char header[] =
      "{\"__metadata__\":{\"format\":\"pt\",\"\\u00e9\":\"a\\u0000b\"},\"w\":{\"dtype\":\"BF16\",\"shape\":[2,3],"
      "\"data_offsets\":[1,13]},\"a\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]}}";
  uint8_t bytes[sizeof header + 32] = {sizeof header - 1};
  hfm_memory_file file;
  hfm__memory_files files;
  hfm_options options;
  hfm_contents *contents;
  hfm_error error;
  memcpy(bytes + 8, header, sizeof header - 1);
  memset(&options, 0, sizeof options);
  file.name = "x.safetensors";
  file.data = bytes;
  file.size = 8 + sizeof header - 1 + 13;
  files.files = &file;
  files.count = 1;
  options.io = hfm__memory_io(&files);
  if (CHECK_INT(hfm_read_contents("x.safetensors", &options, &contents, &error), HFM_OK)) {
    CHECK_STR(contents->format, "safetensors");
    CHECK(contents->version == 0 && contents->alignment == 0);
    if (CHECK_INT(contents->metadata_count, 2)) {
      CHECK_STR(contents->metadata[0].key, "format");
      CHECK_STR(contents->metadata[0].text, "pt");
      CHECK_STR(contents->metadata[1].key, "\xc3\xa9");
      CHECK_INT(contents->metadata[1].text_size, 3);
      CHECK(memcmp(contents->metadata[1].text, "a\0b", 4) == 0);
    }
    if (CHECK_INT(contents->tensor_count, 2)) {
      CHECK_STR(contents->tensors[0].name, "a");
      CHECK_STR(contents->tensors[1].type, "BF16");
      CHECK_INT(contents->tensors[1].offset, 8 + sizeof header - 1 + 1);
      CHECK_INT(contents->tensors[1].bytes, 12);
    }
    hfm_contents_free(contents);
  }
  file.name = "x.bin";
  CHECK_INT(hfm_read_contents("x.bin", &options, &contents, &error), HFM_ERROR_FORMAT);
  CHECK(contents == NULL);
  CHECK_INT(hfm_read_contents("absent.gguf", &options, &contents, &error), HFM_ERROR_NOT_FOUND);
  CHECK_INT(hfm_read_contents(NULL, &options, &contents, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_read_contents("x.bin", &options, NULL, &error), HFM_ERROR_ARGUMENT);
  hfm_contents_free(NULL);
}

int main(void) {
  TEST(test_g1_begin);
  TEST(test_g2_counts);
  TEST(test_g3_names);
  TEST(test_g3_longest);
  TEST(test_g4_values);
  TEST(test_g5_alignment);
  TEST(test_g6_shapes);
  TEST(test_g6_types);
  TEST(test_g7_offsets);
  TEST(test_contents);
  TEST(test_header_limit);
  TEST(test_every_prefix_and_byte);
  TEST(test_every_allocation);
  TEST(test_every_read);
  TEST(test_many);
  TEST(test_real_files);
  TEST(test_loading_and_kinds);
  TEST(test_other_formats);
  return check_report("test_gguf");
}
