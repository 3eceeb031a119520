/* tools/hfm_tensors.h: the bytes that the safetensors package writes, and what must not be read. */
#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "tools/hfm_tensors.h"
#include "check.h"

static const char path[] = "build/test_hfm_tensors.safetensors";

/* Writes a file of the given header and data. */
static void put(const char *header, const char *data, size_t data_size) {
  unsigned char size[8];
  FILE *file = fopen(path, "wb");
  if (!CHECK(file != NULL)) return;
  for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)strlen(header) >> 8 * i);
  fwrite(size, 1, 8, file);
  fwrite(header, 1, strlen(header), file);
  fwrite(data, 1, data_size, file);
  fclose(file);
}

/* save_file({"b": f32 [2], "a": f32 [1, 2], "ids": i64 [2], "x\"y\n": u8 [0], "one": f32 scalar}) wrote this header. */
static const char written[] =
    "{\"ids\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]},"
    "\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[16,24]},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]},"
    "\"one\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[32,36]},"
    "\"x\\\"y\\n\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[36,36]}}    ";

static void test_write(void) {
  const float ab[4] = { 1, 2, 3, -4 }, one = 0.5f;
  const int64_t ids[2] = { 7, -8 };
  const unsigned char data[] = { 7, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0xc0, 0, 0, 0, 0x3f };
  hfm_named_tensor items[5];
  unsigned char *bytes = NULL;
  size_t size = 0;
  hfm_error error;
  memset(items, 0, sizeof items);
  const int64_t two[1] = { 2 }, one_two[2] = { 1, 2 };
  items[0].name = "b";
  items[0].tensor = hfm_tensor_f32(ab + 2, 1, two);
  items[1].name = "ids";
  items[1].tensor = hfm_tensor_i64(ids, 1, 2);
  items[1].tensor.rank = 1;
  items[1].tensor.shape[0] = 2;
  items[2].name = "a";
  items[2].tensor = hfm_tensor_f32(ab, 2, one_two);
  items[3].name = "x\"y\n";
  items[3].tensor.dtype = HFM_U8;
  items[3].tensor.rank = 1;
  items[4].name = "one";
  items[4].tensor.dtype = HFM_F32;
  items[4].tensor.data = &one;
  CHECK_INT(hfm_tensors_write(path, items, 5, &error), HFM_OK);
  if (!CHECK_INT(hfm_companion_load(path, 1 << 20, &bytes, &size, &error), HFM_OK)) return;
  if (CHECK_INT(size, 8 + sizeof written - 1 + sizeof data)) {
    CHECK_INT(bytes[0] | bytes[1] << 8, sizeof written - 1);
    CHECK(memcmp(bytes + 8, written, sizeof written - 1) == 0);
    CHECK(memcmp(bytes + 8 + sizeof written - 1, data, sizeof data) == 0);
  }
  free(bytes);
  items[0].tensor.dtype = HFM_DTYPE_AUTO;
  CHECK_INT(hfm_tensors_write(path, items, 5, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_tensors_write("build/no/such/folder", items + 1, 4, &error), HFM_ERROR_IO);
}

static void test_read(void) {
  hfm_tensors file;
  hfm_error error;
  memset(&error, -1, sizeof error);
  put(" { \"__metadata__\" : {\"format\":\"pt\"},\n\"i\\u0064s\\ud83d\\ude00\":{\"shape\":[1, 2],"
      "\"data_offsets\":[1,17],\"dtype\":\"I64\"}, \"b\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}} \t",
      "\1\7\0\0\0\0\0\0\0\376\377\377\377\377\377\377\377", 17);
  if (!CHECK_INT(hfm_tensors_read(path, &file, &error), HFM_OK)) {
    printf("  %s\n", error.message);
    return;
  }
  CHECK_INT(error.code, HFM_OK);
  CHECK_INT(file.count, 2);
  CHECK_STR(file.items[0].name, "b");
  const hfm_tensor *ids = hfm_tensors_find(&file, "ids\xf0\x9f\x98\x80");
  if (CHECK(ids != NULL)) {
    CHECK_INT(ids->dtype, HFM_I64);
    CHECK_INT(ids->rank, 2);
    CHECK_INT(ids->shape[1], 2);
    CHECK_INT((size_t)ids->data % 16, 0);
    CHECK_INT(((const int64_t *)ids->data)[0], 7);
    CHECK_INT(((const int64_t *)ids->data)[1], -2);
  }
  CHECK(hfm_tensors_find(&file, "ids") == NULL);
  hfm_tensors_free(&file);
  hfm_tensors_free(&file);
  put("{}", "", 0);
  CHECK_INT(hfm_tensors_read(path, &file, &error), HFM_OK);
  CHECK_INT(file.count, 0);
  hfm_tensors_free(&file);
}

static void check_bad(const char *header, size_t data_size, int32_t item, int line) {
  hfm_tensors file;
  hfm_error error;
  put(header, "0123456789abcdef", data_size);
  memset(&error, -1, sizeof error);
  const hfm_result result = hfm_tensors_read(path, &file, &error);
  if (!CHECK(result != HFM_OK && error.item == item && error.code == result && *error.message && !file.items)) {
    printf("  line %d: %s: %s\n", line, hfm_error_item_name(error.item), error.message);
  }
  hfm_tensors_free(&file);
}
#define BAD(header, data_size, item) check_bad(header, data_size, item, __LINE__)
#define ONE(dtype, shape, offsets) "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void test_bad_headers(void) {
  BAD("", 0, HFM_E_JSON_SYNTAX);
  BAD("[]", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"a\"}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"a:1}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"a\\", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"\\x\":{}}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"\\u00\":{}}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"\\u0000\":{}}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"\\ud800\":{}}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"\\ud800\\u0041\":{}}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"\\udc00\":{}}", 0, HFM_E_JSON_SYNTAX);
  BAD("{} x", 0, HFM_E_JSON_TRAILING);
  BAD("{,}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"__metadata__\":{\"a\":1}}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"__metadata__\":{},\"__metadata__\":{}}", 0, HFM_E_SAFETENSORS_METADATA);
  BAD("{\"a\":{}}", 0, HFM_E_JSON_SYNTAX);
  BAD("{\"a\":{\"dtype\":\"F32\"}}", 0, HFM_E_SAFETENSORS_ENTRY);
  BAD("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, HFM_E_SAFETENSORS_ENTRY);
  BAD("{\"a\":{\"size\":4}}", 4, HFM_E_SAFETENSORS_ENTRY);
  BAD(ONE("f32", "[1]", "[0,4]"), 4, HFM_E_SAFETENSORS_DTYPE);
  BAD(ONE("F32", "[-1]", "[0,4]"), 4, HFM_E_SAFETENSORS_SHAPE);
  BAD(ONE("F32", "[1.0]", "[0,4]"), 4, HFM_E_SAFETENSORS_SHAPE);
  BAD(ONE("F32", "[01]", "[0,4]"), 4, HFM_E_SAFETENSORS_SHAPE);
  BAD(ONE("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, HFM_E_SAFETENSORS_SHAPE);
  BAD(ONE("F32", "[9223372036854775808]", "[0,4]"), 4, HFM_E_SAFETENSORS_SHAPE);
  BAD(ONE("F32", "[18446744073709551616]", "[0,4]"), 4, HFM_E_SAFETENSORS_SHAPE);
  BAD(ONE("F32", "[4294967296,4294967296]", "[0,0]"), 0, HFM_E_SAFETENSORS_SHAPE);
  BAD(ONE("F4", "[1]", "[0,1]"), 1, HFM_E_SAFETENSORS_SHAPE);
  BAD(ONE("F32", "[1]", "[0,-4]"), 4, HFM_E_SAFETENSORS_OFFSETS);
  BAD(ONE("F32", "[1]", "[4,8]"), 8, HFM_E_SAFETENSORS_OFFSETS);
  BAD(ONE("F32", "[2]", "[0,4]"), 4, HFM_E_SAFETENSORS_OFFSETS);
  BAD(ONE("F32", "[2]", "[0,8]"), 4, HFM_E_SAFETENSORS_OFFSETS);
  BAD(ONE("F32", "[1]", "[0,4]"), 5, HFM_E_SAFETENSORS_COVERAGE);
  BAD("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, HFM_E_SAFETENSORS_OFFSETS);
  BAD("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
      "\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", 4, HFM_E_JSON_DUPLICATE_KEY);
}

/* Every shorter version of a good file is refused, and none is read beyond its end (AddressSanitizer would say so). */
static void test_truncated(void) {
  unsigned char *bytes = NULL;
  size_t size = 0;
  put(written, "0123456789abcdef0123456789abcdef0123", 36);
  if (!CHECK_INT(hfm_companion_load(path, 1 << 20, &bytes, &size, NULL), HFM_OK)) return;
  for (size_t n = 0; n <= size; n++) {
    hfm_tensors cut;
    FILE *file = fopen(path, "wb");
    if (!CHECK(file != NULL)) break;
    fwrite(bytes, 1, n, file);
    fclose(file);
    CHECK_INT(hfm_tensors_read(path, &cut, NULL), n < size ? HFM_ERROR_FORMAT : HFM_OK);
    hfm_tensors_free(&cut);
  }
  free(bytes);
  hfm_tensors none;
  CHECK_INT(hfm_tensors_read("build/absent.safetensors", &none, NULL), HFM_ERROR_NOT_FOUND);
}

int main(void) {
  TEST(test_write);
  TEST(test_read);
  TEST(test_bad_headers);
  TEST(test_truncated);
  remove(path);
  return check_report("test_hfm_tensors");
}
