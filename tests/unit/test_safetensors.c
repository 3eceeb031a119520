/* safetensors: rules S1 to S11 and the quirks that must be read (formats.md 2.1). */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include "find_tensor.h"
#include "open_bytes.h"

enum { ROOM = 4096 };

/* A file in memory: length, header, `data` bytes. Returns its size. */
static size_t make(uint8_t *file, uint64_t claimed, const char *header, size_t header_size, size_t data) {
  for (int i = 0; i < 8; i++) file[i] = (uint8_t)(claimed >> 8 * i);
  memcpy(file + 8, header, header_size);
  for (size_t i = 0; i < data; i++) file[8 + header_size + i] = (uint8_t)i;
  return 8 + header_size + data;
}

/* Verdict of a header over `data` bytes, with the right length before it. */
static int32_t judge(const char *header, size_t data, hfm_error *error) {
  uint8_t file[ROOM];
  const size_t size = make(file, strlen(header), header, strlen(header), data);
  source s;
  hfm__checkpoint ckpt;
  const int32_t item = open_bytes("x.safetensors", file, size, 0, NULL, &s, &ckpt, error);
  if (item == HFM_E_NONE) hfm__checkpoint_close(&ckpt);
  return item;
}

typedef struct refusal {
  const char *header, *mark; /* '^' under the byte of the header that the error names; NULL: checked elsewhere */
  size_t data;
  int32_t item;
} refusal;

static void check_refusals(const refusal *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    hfm_error error;
    if (!CHECK_INT(judge(cases[i].header, cases[i].data, &error), cases[i].item)) printf("    %s\n", cases[i].header);
    if (cases[i].mark && !CHECK_INT(error.offset, 8 + strlen(cases[i].mark) - 1)) printf("    %s\n", cases[i].header);
    CHECK_STR(error.file, "x.safetensors");
  }
}

static void check_accepted(const char *header, size_t data) {
  hfm_error error;
  if (!CHECK_INT(judge(header, data, &error), HFM_E_NONE)) printf("    %s\n    %s\n", header, error.message);
}

/* S1: eight bytes at least. S2: a header of at most 100,000,000 bytes. S3: the header lies in the file. */
static void test_length(void) {
  uint8_t file[ROOM];
  source s;
  hfm__checkpoint ckpt;
  hfm_error error;
  memset(file, 0, sizeof file);
  for (size_t size = 0; size < 8; size++) {
    CHECK_INT(open_bytes("x.safetensors", file, size, 0, NULL, &s, &ckpt, &error), HFM_E_SAFETENSORS_TRUNCATED);
    CHECK_INT(error.offset, size);
  }
  make(file, 100000001, "{}", 2, 0);
  CHECK_INT(open_bytes("x.safetensors", file, 10, 0, NULL, &s, &ckpt, &error), HFM_E_SAFETENSORS_HEADER_SIZE);
  CHECK_INT(error.code, HFM_ERROR_LIMIT);
  make(file, UINT64_MAX, "{}", 2, 0);
  CHECK_INT(open_bytes("x.safetensors", file, 10, 0, NULL, &s, &ckpt, &error), HFM_E_SAFETENSORS_HEADER_SIZE);
  make(file, 3, "{}", 2, 0);
  CHECK_INT(open_bytes("x.safetensors", file, 10, 0, NULL, &s, &ckpt, &error), HFM_E_SAFETENSORS_TRUNCATED);
  make(file, 0, "{}", 2, 0);
  CHECK_INT(open_bytes("x.safetensors", file, 8, 0, NULL, &s, &ckpt, &error), HFM_E_JSON_SYNTAX);
  make(file, 1, "{}", 2, 0);
  CHECK_INT(open_bytes("x.safetensors", file, 10, 0, NULL, &s, &ckpt, &error), HFM_E_JSON_SYNTAX);
}

/* S4: UTF-8, one JSON object; white space before and after it. */
static void test_object(void) {
  static const refusal cases[] = {
      {"[]", "^", 0, HFM_E_SAFETENSORS_ENTRY},
      {"null", "^", 0, HFM_E_SAFETENSORS_ENTRY},
      {"{\"a\":1}", "     ^", 0, HFM_E_SAFETENSORS_ENTRY},
      {"{\"\xff\":{}}", "  ^", 0, HFM_E_JSON_UTF8},
      {"{} {}", "   ^", 0, HFM_E_JSON_TRAILING},
      {"{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", "  ^", 0, HFM_E_SAFETENSORS_ENTRY},
  };
  check_refusals(cases, HFM__COUNT(cases));
  check_accepted("{}", 0);
  check_accepted(" \t\r\n{ } \n  ", 0);
}

/* S5: metadata is an object of strings, once. */
static void test_metadata(void) {
  static const refusal cases[] = {
      {"{\"__metadata__\":[]}", "                ^", 0, HFM_E_SAFETENSORS_METADATA},
      {"{\"__metadata__\":{\"a\":1}}", "                     ^", 0, HFM_E_SAFETENSORS_METADATA},
      {"{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", "                     ^", 0, HFM_E_SAFETENSORS_METADATA},
      {"{\"__metadata__\":null}", "                ^", 0, HFM_E_SAFETENSORS_METADATA},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", "                   ^", 0, HFM_E_JSON_DUPLICATE_KEY},
  };
  check_refusals(cases, HFM__COUNT(cases));
  check_accepted("{\"__metadata__\":{}}", 0);
  check_accepted("{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\\u0000\"}}", 0);
  check_accepted("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"__metadata__\":{\"f\":\"mlx\"}}", 1);
}

/* S6: dtype, shape and data_offsets, each once; other members are passed over. */
static void test_entry(void) {
  static const refusal cases[] = {
      {"{\"a\":{}}", "     ^", 0, HFM_E_SAFETENSORS_ENTRY},
      {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", "     ^", 1, HFM_E_SAFETENSORS_ENTRY},
      {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", "     ^", 1, HFM_E_SAFETENSORS_ENTRY},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", "     ^", 1, HFM_E_SAFETENSORS_ENTRY},
      {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "                   ^", 1,
       HFM_E_JSON_DUPLICATE_KEY},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[0],"
       "\"data_offsets\":[0,0]}}",
       NULL, 0, HFM_E_JSON_DUPLICATE_KEY},
  };
  check_refusals(cases, HFM__COUNT(cases));
  check_accepted("{\"a\":{\"x\":[{\"y\":[]}],\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"z\":null}}", 1);
}

/* S7: the 22 dtypes, by exact name, with their sizes. */
static void test_dtypes(void) {
  static const struct {
    const char *name;
    hfm_dtype dtype;
    int bits;
  } all[] = {{"BOOL", HFM_BOOL, 8}, {"U8", HFM_U8, 8}, {"I8", HFM_I8, 8}, {"F8_E5M2", HFM_F8_E5M2, 8},
             {"F8_E4M3", HFM_F8_E4M3, 8}, {"F8_E8M0", HFM_F8_E8M0, 8}, {"F8_E4M3FNUZ", HFM_F8_E4M3FNUZ, 8},
             {"F8_E5M2FNUZ", HFM_F8_E5M2FNUZ, 8}, {"I16", HFM_I16, 16}, {"U16", HFM_U16, 16}, {"F16", HFM_F16, 16},
             {"BF16", HFM_BF16, 16}, {"I32", HFM_I32, 32}, {"U32", HFM_U32, 32}, {"F32", HFM_F32, 32},
             {"C64", HFM_C64, 64}, {"F64", HFM_F64, 64}, {"I64", HFM_I64, 64}, {"U64", HFM_U64, 64},
             {"F4", HFM_F4, 4}, {"F6_E2M3", HFM_F6_E2M3, 6}, {"F6_E3M2", HFM_F6_E3M2, 6}};
  static const refusal cases[] = {
      {"{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
       "              ^", 4, HFM_E_SAFETENSORS_DTYPE},
      {"{\"a\":{\"dtype\":\"F9\",\"shape\":[1],\"data_offsets\":[0,4]}}",
       "              ^", 4, HFM_E_SAFETENSORS_DTYPE},
      {"{\"a\":{\"dtype\":\"\",\"shape\":[1],\"data_offsets\":[0,4]}}", "              ^", 4, HFM_E_SAFETENSORS_DTYPE},
      {"{\"a\":{\"dtype\":14,\"shape\":[1],\"data_offsets\":[0,4]}}", "              ^", 4, HFM_E_SAFETENSORS_DTYPE},
      {"{\"a\":{\"dtype\":\"F32\\u0000\",\"shape\":[1],\"data_offsets\":[0,4]}}", "              ^", 4,
       HFM_E_SAFETENSORS_DTYPE},
  };
  check_refusals(cases, HFM__COUNT(cases));
  CHECK_INT(HFM__COUNT(all), 22);
  for (size_t i = 0; i < HFM__COUNT(all); i++) {
    uint8_t file[ROOM];
    char header[256];
    hfm__text t = hfm__text_to(header, sizeof header);
    source s;
    hfm__checkpoint ckpt;
    hfm_error error;
    hfm__text_format(&t, "{\"a\":{\"dtype\":\"%s\",\"shape\":[8,1],\"data_offsets\":[0,%d]}}", all[i].name,
                     all[i].bits);
    const size_t made = make(file, t.length, header, t.length, (size_t)all[i].bits);
    if (!CHECK_INT(open_bytes("x.safetensors", file, made, 0, NULL, &s, &ckpt,
                              &error),
                   HFM_E_NONE))
      continue;
    CHECK_INT(ckpt.tensors[0].dtype, all[i].dtype);
    CHECK_INT(ckpt.tensors[0].bytes, all[i].bits);
    hfm__checkpoint_close(&ckpt);
  }
}

/* S8, F6: dimensions are integers; every partial product and the bits fit; whole bytes. J6: no 4.0, 4e0, -0, "4". */
static void test_shapes(void) {
  static const refusal cases[] = {
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":4,\"data_offsets\":[0,4]}}", "                           ^", 4,
       HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4.0],\"data_offsets\":[0,4]}}", "                            ^", 4,
       HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4e0],\"data_offsets\":[0,4]}}", "                            ^", 4,
       HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[\"4\"],\"data_offsets\":[0,4]}}", "                            ^", 4,
       HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,4]}}", "                            ^", 4,
       HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-0],\"data_offsets\":[0,0]}}", "                            ^", 0,
       HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551616],\"data_offsets\":[0,0]}}",
       "                            ^", 0, HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,[2]],\"data_offsets\":[0,2]}}", "                              ^", 2,
       HFM_E_SAFETENSORS_SHAPE},
      /* 2^32 * 2^32 = 2^64 wraps to 0 */
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}",
       "                           ^", 0, HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296,0],\"data_offsets\":[0,0]}}",
       "                           ^", 0, HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1152921504606846976],\"data_offsets\":[0,0]}}",
       "                            ^", 0, HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", "                           ^", 2,
       HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[2],\"data_offsets\":[0,2]}}", "                                ^", 2,
       HFM_E_SAFETENSORS_SHAPE},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}",
       "                                            ^", 1, HFM_E_SAFETENSORS_SHAPE},
  };
  check_refusals(cases, HFM__COUNT(cases));
  check_accepted("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4);
  check_accepted("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0);
  check_accepted("{\"a\":{\"dtype\":\"F32\",\"shape\":[0,4294967296,4294967296],\"data_offsets\":[0,0]}}", 0);
  check_accepted("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,2],\"data_offsets\":[0,2]}}", 2);
  check_accepted("{\"a\":{\"dtype\":\"F4\",\"shape\":[2,3],\"data_offsets\":[0,3]}}", 3);
}

/* S9: [begin, end] spans the tensor, and the tensors tile the data. S10: to the file's last byte. */
static void test_offsets(void) {
#define ENTRY(name, size, begin, end) \
  "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" #size "],\"data_offsets\":[" #begin "," #end "]}"
  static const refusal cases[] = {
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":4}}", "                                              ^",
       4, HFM_E_SAFETENSORS_OFFSETS},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0]}}", NULL, 4, HFM_E_SAFETENSORS_OFFSETS},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4,4]}}", NULL, 4, HFM_E_SAFETENSORS_OFFSETS},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[-1,3]}}", NULL, 4, HFM_E_SAFETENSORS_OFFSETS},
      {"{" ENTRY("a", 4, 0.0, 4) "}", NULL, 4, HFM_E_SAFETENSORS_OFFSETS},
      {"{" ENTRY("a", 4, 4, 0) "}", "                                              ^", 4, HFM_E_SAFETENSORS_OFFSETS},
      {"{" ENTRY("a", 4, 0, 3) "}", "                                              ^", 3, HFM_E_SAFETENSORS_OFFSETS},
      {"{" ENTRY("a", 4, 0, 5) "}", "                                              ^", 5, HFM_E_SAFETENSORS_OFFSETS},
      {"{" ENTRY("a", 4, 18446744073709551612, 0) "}", NULL, 4, HFM_E_SAFETENSORS_OFFSETS},
      {"{" ENTRY("a", 4, 18446744073709551611, 18446744073709551615) "}", NULL, 4, HFM_E_SAFETENSORS_TRUNCATED},
      /* a hole before, a hole between, an overlap, an alias */
      {"{" ENTRY("a", 4, 1, 5) "}", NULL, 5, HFM_E_SAFETENSORS_COVERAGE},
      {"{" ENTRY("a", 2, 0, 2) "," ENTRY("b", 2, 3, 5) "}", NULL, 5, HFM_E_SAFETENSORS_COVERAGE},
      {"{" ENTRY("a", 4, 0, 4) "," ENTRY("b", 4, 2, 6) "}", NULL, 6, HFM_E_SAFETENSORS_COVERAGE},
      {"{" ENTRY("a", 4, 0, 4) "," ENTRY("b", 4, 0, 4) "}", NULL, 4, HFM_E_SAFETENSORS_COVERAGE},
      /* a byte too few, a byte too many, data without tensors */
      {"{" ENTRY("a", 4, 0, 4) "}", "                                              ^", 3, HFM_E_SAFETENSORS_TRUNCATED},
      {"{" ENTRY("a", 4, 0, 4) "}", NULL, 5, HFM_E_SAFETENSORS_COVERAGE},
      {"{}", NULL, 1, HFM_E_SAFETENSORS_COVERAGE},
  };
  hfm_error error;
  check_refusals(cases, HFM__COUNT(cases));
  CHECK_INT(judge("{" ENTRY("a", 2, 0, 2) "," ENTRY("b", 2, 3, 5) "}", 5, &error), HFM_E_SAFETENSORS_COVERAGE);
  CHECK_STR(error.what, "b");
  CHECK_CONTAINS(error.message, "begins at byte 3 of the data, but the one before ends at byte 2");
  check_accepted("{" ENTRY("b", 2, 4, 6) "," ENTRY("a", 4, 0, 4) "," ENTRY("e", 0, 4, 4) "," ENTRY("f", 0, 6, 6) "}",
                 6);
  check_accepted("{" ENTRY("e", 0, 0, 0) "}", 0);
#undef ENTRY
}

/* Where the elements are, in both ways of reading; names of any language; data at any alignment. */
static void test_table(void) {
  static const char header[] =
      "{\"z\\u00e9\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[1,25]},"
      "\"a\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]}}";
  uint8_t file[ROOM];
  const size_t size = make(file, sizeof header - 1, header, sizeof header - 1, 25);
  for (int copied = 0; copied < 2; copied++) {
    source s;
    hfm__checkpoint ckpt;
    hfm_error error;
    uint8_t data[24];
    const hfm__file_tensor *tensor;
    if (!CHECK_INT(open_bytes("x.safetensors", file, size, copied, NULL, &s, &ckpt, &error), HFM_E_NONE)) return;
    CHECK_INT(ckpt.count, 2);
    CHECK_INT(ckpt.files[0].map == NULL, copied);
    CHECK_STR(ckpt.tensors[0].name, "a");
    CHECK_INT(ckpt.tensors[0].rank, 0);
    tensor = find_tensor(&ckpt, "z\xc3\xa9");
    if (CHECK(tensor != NULL)) {
      CHECK_INT(tensor->rank, 2);
      CHECK(tensor->shape[0] == 2 && tensor->shape[1] == 3 && tensor->contiguous && !tensor->stride);
      CHECK(tensor->contiguous && !tensor->big_endian);
      CHECK_INT(tensor->bytes, 24);
      CHECK_INT(tensor->offset, 8 + sizeof header - 1 + 1);
    }
    CHECK(find_tensor(&ckpt, "b") == NULL && find_tensor(&ckpt, "") == NULL);
    if (tensor && CHECK_INT(hfm__file_read(&ckpt.files[0], tensor->offset, data, 24, &error), HFM_OK))
      CHECK(data[0] == 1 && data[23] == 24);
    hfm__checkpoint_close(&ckpt);
  }
}

/* S11: 50,000 tensors open in well under a second; a repeated name among them is found. */
static void test_many(void) {
  enum { MANY = 50000, EACH = 128 };
  uint8_t *file = (uint8_t *)malloc((size_t)MANY * EACH);
  source s;
  hfm__checkpoint ckpt;
  hfm_error error;
  hfm__text t;
  uint64_t start;
  if (!file) return;
  for (int repeated = 0; repeated < 2; repeated++) {
    t = hfm__text_to((char *)file + 8, (size_t)MANY * EACH - 8);
    for (int i = 0; i < MANY; i++) {
      const int id = repeated && i == MANY - 1 ? 0 : (int)((int64_t)i * 7919 % MANY);
      hfm__text_format(&t, "%s\"model.layers.%d.self_attn.q_proj.weight\":{\"dtype\":\"F32\",\"shape\":[0,64],"
                           "\"data_offsets\":[0,0]}",
                       i ? "," : "{", id);
    }
    hfm__text_char(&t, '}');
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)t.length >> 8 * i);
    start = hfm__clock_ns();
    if (!repeated) {
      if (CHECK_INT(open_bytes("x.safetensors", file, 8 + t.length, 0, NULL, &s, &ckpt, &error), HFM_E_NONE)) {
        CHECK_INT(ckpt.count, MANY);
        CHECK(find_tensor(&ckpt, "model.layers.4711.self_attn.q_proj.weight") != NULL);
        hfm__checkpoint_close(&ckpt);
      }
    } else {
      CHECK_INT(open_bytes("x.safetensors", file, 8 + t.length, 0, NULL, &s, &ckpt, &error), HFM_E_JSON_DUPLICATE_KEY);
    }
    /* Far above what it takes, under a sanitizer or an emulator too; quadratic would be minutes. */
    CHECK((double)(hfm__clock_ns() - start) * 1e-9 < 20.0);
  }
  free(file);
}

static const char sample[] =
    "{\"__metadata__\":{\"format\":\"pt\"},\"w\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[0,8]},"
    "\"b\\u00e9\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]}}";

/* Every tensor of an accepted file lies inside of it. */
static void check_inside(const hfm__checkpoint *ckpt, size_t size) {
  for (size_t i = 0; i < ckpt->count; i++)
    CHECK(ckpt->tensors[i].offset <= size && ckpt->tensors[i].bytes <= size - ckpt->tensors[i].offset);
}

/* Every prefix is refused; every change of one byte of the header ends in a verdict. */
static void test_every_prefix_and_byte(void) {
  uint8_t good[ROOM], file[ROOM];
  const size_t size = make(good, sizeof sample - 1, sample, sizeof sample - 1, 11);
  source s;
  hfm__checkpoint ckpt;
  hfm_error error;
  for (size_t n = 0; n < size; n++) {
    uint8_t *exact = (uint8_t *)malloc(n ? n : 1); /* so that a sanitizer sees a read past the end */
    if (!exact) return;
    memcpy(exact, good, n);
    CHECK(open_bytes("x.safetensors", exact, n, (int)(n & 1), NULL, &s, &ckpt, &error) != HFM_E_NONE);
    free(exact);
  }
  for (size_t i = 0; i < size; i++) {
    for (int value = 0; value < 256; value++) {
      memcpy(file, good, size);
      file[i] = (uint8_t)value;
      if (open_bytes("x.safetensors", file, size, value & 1, NULL, &s, &ckpt, &error) == HFM_E_NONE) {
        check_inside(&ckpt, size);
        hfm__checkpoint_close(&ckpt);
      } else {
        CHECK(error.offset <= size);
      }
    }
  }
}

/* F9: whichever allocation fails, the error is clean and nothing leaks. */
static void test_every_allocation(void) {
  uint8_t file[ROOM];
  const size_t size = make(file, sizeof sample - 1, sample, sizeof sample - 1, 11);
  failing_alloc memory;
  for (int64_t n = 0;; n++) {
    source s;
    hfm__checkpoint ckpt;
    hfm_error error;
    int32_t item;
    failing_alloc_begin(&memory, n);
    item = open_bytes("x.safetensors", file, size, 1, &memory.allocator, &s, &ckpt, &error);
    if (item == HFM_E_NONE) hfm__checkpoint_close(&ckpt);
    else CHECK_INT(item, HFM_E_OUT_OF_MEMORY);
    CHECK(failing_alloc_clean(&memory));
    if (!memory.failed) break;
  }
  CHECK(memory.calls > 5);
}

/* No allocation is sized by a number that the file does not back with bytes. */
static void test_memory_bounded(void) {
  uint8_t file[ROOM];
  source s;
  hfm__checkpoint ckpt;
  hfm_error error;
  failing_alloc memory;
  failing_alloc_begin(&memory, -1);
  make(file, 99999999, "{}", 2, 0);
  CHECK_INT(open_bytes("x.safetensors", file, 10, 1, &memory.allocator, &s, &ckpt, &error),
            HFM_E_SAFETENSORS_TRUNCATED);
  CHECK(memory.peak_bytes < 4096);
  CHECK(failing_alloc_clean(&memory));
}

int main(void) {
  TEST(test_length);
  TEST(test_object);
  TEST(test_metadata);
  TEST(test_entry);
  TEST(test_dtypes);
  TEST(test_shapes);
  TEST(test_offsets);
  TEST(test_table);
  TEST(test_many);
  TEST(test_every_prefix_and_byte);
  TEST(test_every_allocation);
  TEST(test_memory_bounded);
  return check_report("test_safetensors");
}
