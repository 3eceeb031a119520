/* Every error that files bring about, and the places where they are looked for: error_table.h. */
#include "posix.h"

#include "hfmodel.h"

#include "check.h"
#include "error_table.h"
#include "gguf_writer.h"
#include "one_file.h"
#include "torch_archive.h"

/* ---- One file ---- */

static hfm_options served(const hfm_memory_file *list, size_t count, memory_files *files) {
  hfm_options options;
  files->files = list;
  files->count = count;
  memset(&options, 0, sizeof options);
  options.io = memory_io(files);
  return options;
}

static void file_row(const char *name, const void *bytes, size_t size) {
  one_file served;
  hfm_options options;
  hfm_error error;
  memset(&options, 0, sizeof options);
  options.io = one_file_io(&served, name, bytes, size);
  row(hfm_check_file(name, &options, &error), &error);
}
#define FILE_ROW(name, text) file_row(name, text, sizeof(text) - 1)

static void json_rows(void) {
  FILE_ROW("config.json", "{\"a\": tru}");
  FILE_ROW("config.json", "{\"a\": 01}");
  FILE_ROW("config.json", "{\"a\": \"\\q\"}");
  FILE_ROW("config.json", "{\"a\": 1");
  FILE_ROW("config.json", "{\"a\": \"\xff\"}");
  FILE_ROW("config.json", "{\"a\": \"\\ud800\"}");
  FILE_ROW("config.json", "{\"a\": \"\\");
  FILE_ROW("config.json", "{\"a\": \"\\u12\"}");
  FILE_ROW("config.json", "{\"a\": \"\1\"}");
  FILE_ROW("config.json", "{\"a\": \"b");
  FILE_ROW("config.json", "{\"a\": -}");
  FILE_ROW("config.json", "{\"a\": 1.}");
  FILE_ROW("config.json", "{\"a\": 1e}");
  FILE_ROW("config.json", "{a: 1}");
  FILE_ROW("config.json", "{\"a\": 1, \"\\u0061\": 2}");
  FILE_ROW("config.json", "[1]");
  FILE_ROW("config.json", "{} {}");
  FILE_ROW("tokenizer.json", "{\"a\": NaN}");
  FILE_ROW("x.json",
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
           "[[[[[[[[[[[[[[[[[[[[[[[[[[[");
}

static void safetensors(const char *header, size_t data) {
  uint8_t file[512];
  const size_t size = strlen(header);
  memset(file, 0, sizeof file);
  file[0] = (uint8_t)size;
  memcpy(file + 8, header, size);
  file_row("x.safetensors", file, 8 + size + data);
}

static void safetensors_rows(void) {
  FILE_ROW("x.safetensors", "1234567");
  FILE_ROW("x.safetensors", "\xff\xff\xff\xff\0\0\0\0{}");
  FILE_ROW("x.safetensors", "\x40\0\0\0\0\0\0\0{}");
  safetensors("[]", 0);
  safetensors("{\"w\":5}", 0);
  safetensors("{\"w\\u0000\":{}}", 0);
  safetensors("{\"w\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1);
  safetensors("{\"w\":{\"shape\":1}}", 1);
  safetensors("{\"w\":{\"data_offsets\":1}}", 1);
  safetensors("{\"w\":{\"data_offsets\":[0,1,2]}}", 1);
  safetensors("{\"w\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0);
  safetensors("{\"w\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]}}", 8);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2);
  safetensors("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2);
  safetensors("{\"__metadata__\":{\"a\":1}}", 0);
  safetensors("{\"__metadata__\":[]}", 0);
}

/* An index that says of one tensor that it is in this file; "%s" is a name of 1025 letters. */
static void shard_row(const char *shard) {
  char text[1100], name[1026];
  memset(name, 'a', sizeof name - 1);
  name[sizeof name - 1] = 0;
  snprintf(text, sizeof text, "{\"weight_map\": {\"w\": \"%s\"}}", *shard == '%' ? name : shard);
  file_row("model.safetensors.index.json", text, strlen(text));
}

static void index_rows(void) {
  static const char *const shards[] = {"../x.safetensors", "", "%", "\\n.safetensors", "C:x.safetensors",
                                       "/x.safetensors", "x./y.safetensors", "con.safetensors", "x.bin",
                                       "gone.safetensors"};
  FILE_ROW("model.safetensors.index.json", "[]");
  FILE_ROW("model.safetensors.index.json", "{\"metadata\": {}}");
  FILE_ROW("model.safetensors.index.json", "{\"weight_map\": []}");
  FILE_ROW("model.safetensors.index.json", "{\"weight_map\": {\"w\\u0000\": \"1.safetensors\"}}");
  FILE_ROW("model.safetensors.index.json", "{\"weight_map\": {\"w\": 1}}");
  for (size_t i = 0; i < CHECK_COUNT(shards); i++) shard_row(shards[i]);
  {
    static const char index[] = "{\"weight_map\": {\"w\": \"1.safetensors\"}}";
    hfm_memory_file list[2];
    memory_files files;
    hfm_options options;
    hfm_error error;
    list[0].name = "model.safetensors.index.json";
    list[0].data = index;
    list[0].size = sizeof index - 1;
    list[1].name = "1.safetensors";
    list[1].data = "\2\0\0\0\0\0\0\0{}";
    list[1].size = 10;
    options = served(list, 2, &files);
    row(hfm_check_file(list[0].name, &options, &error), &error);
  }
}

/* A field of a good archive changed: of the end record, a local header, the directory, zip64's record, its locator. */
static void zip_row(int where, size_t offset, uint64_t value, int width) {
  archive a;
  make_archive(&a, good_pickle, sizeof good_pickle - 1, where == '6' || where == 'L');
  if (where == 'e') offset += a.end;
  if (where == 'l') offset += a.local[1];
  if (where == 'c') offset += a.central[1];
  if (where == '6') offset += a.end - 20 - 56;
  if (where == 'L') offset += a.end - 20;
  poke(&a, offset, value, width);
  file_row("x.bin", a.bytes, a.size);
}

static void zip_rows(void) {
  static const struct {
    int where;
    size_t offset;
    uint64_t value;
    int width;
  } fields[] = {
      {'e', 0, 0, 4},           {'e', 20, 1, 2},          {'e', 4, 1, 2},           {'e', 16, 0x7fffffff, 4},
      {'e', 8, 0xfffefffe, 4},  {'e', 8, 0x00020002, 4},  {'6', 0, 0, 4},           {'6', 32, 2, 8},
      {'6', 48, 1, 8},          {'L', 8, UINT64_MAX, 8},  {'L', 16, 2, 4},          {'c', 0, 0, 4},
      {'c', 28, 0xffff, 2},     {'c', 46, 1, 1},          {'c', 28, 0, 2},          {'c', 20, 0x1400000014, 8},
      {'c', 34, 1, 2},          {'c', 24, 0xffffffff, 4},
      {'c', 42, 0x7fffffff, 4}, {'c', 42, 0, 4},          {'c', 20, 0x0000100000001000, 8},
      {'c', 10, 8, 2},          {'c', 20, 3, 4},          {'c', 8, 1, 2},           {'l', 0, 0, 4},
      {'l', 30, 'n', 1},        {'l', 8, 8, 2},          {'l', 22, 5, 4}};
  static const part odd[][2] = {{{"m/data.pkl", "", 0}, {"m/data.pkl", "", 0}},
                                {{"data.pkl", "", 0}, {"m/data/0", "", 0}},
                                {{"m/data.pkl", "", 0}, {"n/data/0", "", 0}},
                                {{"m/data.pkl", "", 0}, {"m/byteorder", "middle", 6}},
                                {{"m/data.pkl", "", 0}, {"m/code/x.py", "", 0}},
                                {{"m/version", "3\n", 2}, {"m/data/0", "", 0}}};
  archive a;
  FILE_ROW("x.bin", "PK\3\4 and so on");
  for (size_t i = 0; i < CHECK_COUNT(fields); i++)
    zip_row(fields[i].where, fields[i].offset, fields[i].value, fields[i].width);
  make_archive(&a, good_pickle, sizeof good_pickle - 1, 0);
  poke(&a, a.central[0] + 20, 0x100000001, 8); /* the pickle's other bytes are nobody's */
  file_row("x.bin", a.bytes, a.size);
  for (size_t i = 0; i < CHECK_COUNT(odd); i++) {
    make_zip(&a, odd[i], 2, 0);
    file_row("x.bin", a.bytes, a.size);
  }
}

static void pickle_row(const char *pickle, size_t size) {
  archive a;
  make_archive(&a, pickle, size, 0);
  file_row("x.bin", a.bytes, a.size);
}

#define OK_ID OF("ByteStorage", "\1" "0", "K\4")
#define OK_ARGS(id) "(" id "K\0" "K\4\x85" "K\1\x85" "\x89}tRs"

#define OLD_ID OF("ByteStorage", "\1" "0", "K\4N") /* in a legacy stream */

static void legacy_row(const char *pickle, size_t size, uint64_t count, size_t bytes) {
  archive a;
  make_legacy(&a, pickle, size, count, bytes);
  file_row("x.bin", a.bytes, a.size);
}

/* Bytes of a good stream changed: `at` is counted from its beginning, or from the list of its storages on. */
static void legacy_change_row(int in_list, size_t at, const char *bytes) {
  archive a;
  make_legacy(&a, PICKLE(ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85")), 4, 4);
  memcpy(a.bytes + at + (in_list ? a.size - 4 - 8 - 8 : 0), bytes, strlen(bytes));
  file_row("x.bin", a.bytes, a.size);
}

static void legacy_rows(void) {
  static const char two[] = "\x80\2}U\1w" REBUILD OK_ARGS(OLD_ID) "U\1v" REBUILD
      OK_ARGS(OF("ByteStorage", "\1" "0", "K\5N")) ".";
  const size_t good = sizeof ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85") - 1;
  archive a;
  legacy_row(PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4U\1vK\3K\2\x87"), "K\0", ")", ")")), 4, 4);
  legacy_row(PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4K\5"), "K\0", ")", ")")), 4, 4);
  legacy_row(PICKLE(ARGS(OK_ID, "K\0", "K\4\x85", "K\1\x85")), 4, 4);
  legacy_row(ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 4, 3);
  legacy_row(ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 5, 4);
  legacy_row(ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 4, 5);
  make_legacy(&a, ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 4, 0);
  file_row("x.bin", a.bytes, a.size - 1);
  legacy_row(PICKLE("\x80\2}."), 4, 4);
  legacy_row(PICKLE(two), 4, 4);
  legacy_change_row(0, 17, "N0N");   /* the protocol: None */
  legacy_change_row(0, 18, "\xea");  /* 1002 */
  legacy_change_row(0, 23, "NU\14little_endia0N0"); /* the system: None */
  legacy_change_row(0, 39, "\x89");  /* big-endian */
  legacy_change_row(1, 2, "N0N0N");  /* no list */
  legacy_change_row(1, 2, "]NaN0");  /* a list of None */
  legacy_change_row(1, 5, "7");
  make_legacy(&a, ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 4, 4);
  memmove(a.bytes + a.size - 9, a.bytes + a.size - 13, 13); /* the list's STOP, and what follows it */
  memcpy(a.bytes + a.size - 13, "U\1" "0a", 4);
  file_row("x.bin", a.bytes, a.size + 4);
  make_legacy(&a, ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 4, 4);
  memcpy(a.bytes + a.size - 17, ".", 1); /* an empty list, and no storages */
  file_row("x.bin", a.bytes, a.size - 16);
}

static void bin_rows(void) {
  uint8_t tar[512];
  archive a;
  one_file served;
  hfm_options options;
  hfm_error error;
  FILE_ROW("x.bin", "<!DOCTYPE html><html>");
  FILE_ROW("x.bin", "abc");
  FILE_ROW("x.safetensors", "version https://git-lfs.github.com/spec/v1\n");
  FILE_ROW("x.safetensors", "\x80\2}q\1X\1\0\0\0");
  FILE_ROW("x.bin", "\x80\2K\1.");
  memset(tar, 0, sizeof tar);
  memcpy(tar + 257, "ustar", 5);
  file_row("x.bin", tar, sizeof tar);
  zip_rows();
  make_archive(&a, good_pickle, sizeof good_pickle - 1, 0);
  memset(&options, 0, sizeof options);
  options.io = one_file_io(&served, "x.bin", a.bytes, a.size);
  options.limits.max_header_bytes = 9;
  row(hfm_check_file("x.bin", &options, &error), &error);
  pickle_row(PICKLE("\x80\2}U\1wP\n."));
  pickle_row(PICKLE("\x80\2cos\nsystem\n."));
  pickle_row(PICKLE("}."));
  pickle_row(PICKLE("\x80\7."));
  pickle_row(PICKLE("\x80\2}"));
  pickle_row(PICKLE("\x80\2}.."));
  pickle_row(PICKLE("\x80\2M"));
  pickle_row(PICKLE("\x80\4\x95\xff\0\0\0\0\0\0\0."));
  pickle_row(PICKLE("\x80\2cos"));
  pickle_row(PICKLE("\x80\4NN\x93."));
  pickle_row(PICKLE("\x80\2NNR."));
  pickle_row(PICKLE("\x80\2ctorch\nByteStorage\n)R."));
  pickle_row(PICKLE("\x80\2ctorch\nSize\n)R."));
  pickle_row(PICKLE("\x80\2ccollections\nOrderedDict\nN\x85R."));
  pickle_row(PICKLE("\x80\2" REBUILD ")R."));
  pickle_row(PICKLE("\x80\2NN\x81."));
  pickle_row(PICKLE("\x80\2N)\x81."));
  pickle_row(PICKLE("\x80\2N}b."));
  pickle_row(PICKLE("\x80\2}Na."));
  pickle_row(PICKLE("\x80\2NNNs."));
  pickle_row(PICKLE("\x80\2}r\xff\xff\xff\xff."));
  pickle_row(PICKLE("\x80\2R."));
  pickle_row(PICKLE("\x80\2K\1u."));
  pickle_row(PICKLE("\x80\2}(K\1u."));
  pickle_row(PICKLE("\x80\2(K\1e."));
  pickle_row(PICKLE("\x80\2}(}."));
  pickle_row(PICKLE("\x80\2)(K\1e."));
  pickle_row(PICKLE("\x80\2X\xff\xff\xff\x7f."));
  pickle_row(PICKLE("\x80\2h\7."));
  pickle_row(PICKLE("\x80\2K\1."));
  pickle_row(PICKLE("\x80\2}U\1\xff" REBUILD OK_ARGS(OK_ID) "."));
  pickle_row(PICKLE("\x80\2}K\1" REBUILD OK_ARGS(OK_ID) "."));
  pickle_row(PICKLE(ARGS(OK_ID, "K\1", "K\4\x85", "K\1\x85")));
  pickle_row(PICKLE(ARGS(OK_ID, "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85")));
  pickle_row(PICKLE(ARGS("N", "K\0", "K\4\x85", "K\1\x85")));
  pickle_row(PICKLE(ARGS(UNTYPED("K\4"), "K\0", "K\4\x85", "K\1\x85")));
  pickle_row(PICKLE(ARGS(OK_ID, "N", "K\4\x85", "K\1\x85")));
  pickle_row(PICKLE(ARGS(OK_ID, "K\0", "K\4", "K\1\x85")));
  pickle_row(PICKLE(ARGS(OK_ID, "K\0", "(" "K\1K\1K\1K\1K\1K\1K\1K\1K\1" "t", "K\1\x85")));
  pickle_row(PICKLE(ARGS(OK_ID, "K\0", "K\4\x85", "K\1K\1\x86")));
  pickle_row(PICKLE(V3_ARGS(UNTYPED("K\4"), "K\0K\2\x85K\1\x85", "Size")));
  pickle_row(PICKLE(V3_ARGS(OK_ID, "K\0K\2\x85K\1\x85", "bfloat16")));
  pickle_row(PICKLE("\x80\2}U\1wctorch._utils\n_rebuild_parameter\n)Rs."));
  pickle_row(PICKLE("\x80\2}U\1wctorch._utils\n_rebuild_parameter\nN\x89N\x87Rs."));
  pickle_row(PICKLE(ARGS(OF("LongStorage", "\1" "0", "\x8a\x08\0\0\0\0\0\0\0\x40"), "K\0", ")", ")")));
  pickle_row(PICKLE(ARGS(OK_ID, "K\0", "\x8a\x08\0\0\0\0\0\0\0\x40J\4\0\0\0\x86", "K\0K\0\x86")));
  pickle_row(PICKLE(ARGS(OF("ByteStorage", "\1" "0", "K\4U\1vK\0K\4\x87"), "K\0", ")", ")")));
  pickle_row(PICKLE(ARGS(OF("LongStorage", "\1" "0", "K\4"), "K\0", ")", ")")));
  pickle_row(PICKLE(ARGS(OF("ByteStorage", "\1" "7", "K\4"), "K\0", ")", ")")));
  pickle_row(PICKLE(ARGS(OF("ComplexDoubleStorage", "\1" "0", "K\0"), "K\0", "K\0\x85", "K\1\x85")));
  pickle_row(PICKLE(ARGS(OK_ID, "K\0", "\x8a\x06\0\0\0\0\0\4\x85", "K\0\x85")));
  legacy_rows();
}
#undef OK_ARGS
#undef OLD_ID
#undef OK_ID

static void gguf_row(const gguf_writer *w) { file_row("x.gguf", w->bytes, w->size); }

/* A file of one tensor. */
static void gguf_tensor_row(const char *name, int rank, const uint64_t *shape, uint64_t type, uint64_t offset) {
  gguf_writer w;
  gguf_begin(&w, 1, 0);
  gguf_tensor(&w, name, rank, shape, type, offset);
  gguf_data(&w, 32, 64);
  gguf_row(&w);
}

/* A file of one key, whose value is a number. */
static void gguf_key_row(const char *key, uint64_t type, int size, uint64_t value) {
  gguf_writer w;
  gguf_begin(&w, 0, 1);
  gguf_key(&w, key, type), gguf_put(&w, size, value);
  gguf_row(&w);
}

/* Files that end too early: a key of 13 bytes and its list, a tensor's name of 24 bytes and the rest. */
static void gguf_short_rows(void) {
  static const size_t heads[] = {6, 12, 20}, keys[] = {39, 43, 50}, tensors[] = {50, 54, 62, 66};
  static const uint64_t shape[1] = {8};
  gguf_writer w;
  gguf_begin(&w, 0, 1);
  gguf_key(&w, "abcde", GGUF_LIST), gguf_put(&w, 4, GGUF_STRING), gguf_put(&w, 8, 1), gguf_put(&w, 8, 9);
  for (size_t i = 0; i < CHECK_COUNT(heads); i++) file_row("x.gguf", w.bytes, heads[i]);
  for (size_t i = 0; i < CHECK_COUNT(keys); i++) file_row("x.gguf", w.bytes, keys[i]);
  gguf_row(&w);
  file_row("x.gguf", w.bytes, w.size - 8);
  w.bytes[24] = 99;
  gguf_row(&w);
  gguf_key_row("abcde", GGUF_U32, 2, 0);
  gguf_begin(&w, 1, 0);
  gguf_tensor(&w, "0123456789abcdef", 1, shape, 0, 0);
  for (size_t i = 0; i < CHECK_COUNT(tensors); i++) file_row("x.gguf", w.bytes, tensors[i]);
}

static void gguf_rows(void) {
  static const uint64_t vector[5] = {100, 1, 1, 1, 1}, few[1] = {8}, negative[1] = {UINT64_MAX}, most[1] = {INT64_MAX};
  static const uint64_t endless[2] = {(uint64_t)1 << 32, (uint64_t)1 << 32}, huge[1] = {(uint64_t)1 << 62};
  gguf_writer w;
  hfm_contents *contents;
  hfm_model *model;
  hfm_memory_file file;
  memory_files files;
  hfm_options options;
  hfm_error error;
  FILE_ROW("x.gguf", "GGU");
  FILE_ROW("x.gguf", "GGML");
  for (int version = 0; version < 2; version++) {
    gguf_begin(&w, 0, 0);
    w.bytes[4] = (uint8_t)(version ? 0 : 1);
    w.bytes[7] = (uint8_t)(version ? 3 : 0);
    gguf_row(&w);
  }
  gguf_begin(&w, 1000, 0);
  gguf_row(&w);
  gguf_begin(&w, 0, 1000);
  gguf_row(&w);
  gguf_key_row("k", GGUF_STRING, 8, 99);
  gguf_short_rows();
  gguf_key_row("", GGUF_U8, 1, 0);
  gguf_key_row("a\xff", GGUF_U8, 1, 0);
  gguf_key_row("k", 13, 8, 0);
  gguf_key_row("k", GGUF_LIST, 4, GGUF_LIST);
  gguf_key_row("k", GGUF_BOOL, 1, 2);
  gguf_key_row("general.alignment", GGUF_I32, 4, 32);
  gguf_key_row("general.alignment", GGUF_U32, 4, 24);
  gguf_begin(&w, 0, 2);
  gguf_key(&w, "k", GGUF_U8), gguf_put(&w, 1, 0);
  gguf_key(&w, "k", GGUF_U8), gguf_put(&w, 1, 0);
  gguf_row(&w);
  gguf_tensor_row("w", 5, vector, 0, 0);
  gguf_tensor_row("w", 1, negative, 0, 0);
  gguf_tensor_row("w", 2, endless, 0, 0);
  gguf_tensor_row("w", 1, few, 2, 0);
  gguf_tensor_row("w", 1, huge, 28, 0);
  gguf_tensor_row("w", 1, few, 99, 0);
  gguf_tensor_row("w", 1, few, 4, 0);
  gguf_tensor_row("w", 1, few, 0, 32);
  gguf_tensor_row("w", 1, vector, 0, 0);
  gguf_begin(&w, 2, 0);
  gguf_tensor(&w, "v", 1, most, 24, 0);
  gguf_tensor(&w, "w", 1, most, 24, (uint64_t)1 << 63);
  gguf_row(&w);
  gguf_begin(&w, 1, 0);
  gguf_tensor(&w, "w", 1, few, 24, 0);
  gguf_data(&w, 32, 32);
  file.name = "x.gguf";
  file.data = w.bytes;
  file.size = w.size;
  options = served(&file, 1, &files);
  options.limits.max_header_bytes = 40;
  row(hfm_read_contents("x.gguf", &options, &contents, &error), &error);
  row(hfm_from_pretrained("x.gguf", &options, &model, &error), &error);
}

/* ---- Files and their sources ---- */

static hfm_result say_open(void *ctx, const char *name, void **file) {
  (void)name;
  *file = ctx;
  return *(const hfm_result *)ctx;
}
static uint64_t say_size(void *ctx, void *file) {
  (void)ctx;
  (void)file;
  return 100;
}
static hfm_result say_read(void *ctx, void *file, uint64_t offset, void *dst, size_t size, size_t *got) {
  (void)ctx;
  (void)file;
  (void)offset;
  (void)dst;
  *got = 0;
  return size > 50 ? HFM_ERROR_IO : HFM_OK;
}
static void say_close(void *ctx, void *file) {
  (void)ctx;
  (void)file;
}

static void *no_memory(void *ctx, size_t size) {
  (void)ctx;
  (void)size;
  return NULL;
}
static void *no_more_memory(void *ctx, void *block, size_t old_size, size_t size) {
  (void)block;
  (void)old_size;
  return no_memory(ctx, size);
}
static void forget(void *ctx, void *block, size_t size) {
  (void)block;
  (void)no_memory(ctx, size);
}

/* What is no model, though it looks like one. */
static void adapter_row(void) {
  static const hfm_memory_file file = {"adapter_config.json", "{\"peft_type\": \"LORA\"}", 21};
  memory_files files;
  const hfm_options options = served(&file, 1, &files);
  hfm_model *model;
  hfm_error error;
  row(hfm_from_pretrained("", &options, &model, &error), &error);
}

static void source_rows(void) {
  static const hfm_result results[] = {HFM_ERROR_NOT_FOUND, HFM_ERROR_UNSUPPORTED, HFM_ERROR_LIMIT, HFM_ERROR_ARGUMENT,
                                       HFM_ERROR_IO};
  hfm_result result = HFM_OK;
  hfm_options options;
  hfm_error error;
  hfm_config *config;
  memset(&options, 0, sizeof options);
  options.io.ctx = &result;
  options.io.open = say_open;
  options.io.size = say_size;
  options.io.read = say_read;
  options.io.close = say_close;
  row(hfm_check_file("x.safetensors", &options, &error), &error); /* reads nothing: the file was longer before */
  row(hfm_check_file("x.json", &options, &error), &error);
  for (size_t i = 0; i < CHECK_COUNT(results); i++) {
    result = results[i];
    row(hfm_check_file("x.safetensors", &options, &error), &error);
  }
  result = HFM_OK;
  options.limits.max_config_bytes = 99;
  row(hfm_check_file("config.json", &options, &error), &error);
  row(hfm_config_parse("{\"a\": 1}                                                                                "
                       "                  ", 108, &options, &config, &error), &error);
  options.limits.max_config_bytes = 0;
  options.limits.max_structure_bytes = 64;
  row(hfm_config_parse("{\"a\": [1, 2, 3]}", 16, &options, &config, &error), &error);
  options.io.read = NULL;
  row(hfm_check_file("x.json", &options, &error), &error);
  row(hfm_check_file(NULL, NULL, &error), &error);
  row(hfm_config_parse(NULL, 0, NULL, &config, &error), &error);
  row(hfm_config_parse("{}", 2, NULL, NULL, &error), &error);
  memset(&options, 0, sizeof options);
  options.limits.max_config_bytes = UINT64_MAX;
  row(hfm_config_parse("{}", UINT32_MAX / 2, &options, &config, &error), &error); /* which looks at no byte */
  options.allocator.free = forget;
  row(hfm_config_parse("{}", 2, &options, &config, &error), &error);
  options.allocator.alloc = no_memory;
  row(hfm_config_parse("{}", 2, &options, &config, &error), &error);
  options.allocator.realloc = no_more_memory;
  row(hfm_check_file("x.json", &options, &error), &error);
  options.allocator.free = NULL;
  row(hfm_config_parse("{}", 2, &options, &config, &error), &error);
}

static void hub_rows(void) {
  char longest[5000];
  hfm_options options;
  hfm_error error;
  hfm_config *config;
  memset(longest, 'a', sizeof longest);
  longest[sizeof longest - 1] = 0;
  memset(&options, 0, sizeof options);
  row(hfm_config_from_pretrained("org/name", NULL, NULL, &error), &error);
  options.cache_dir = "tests/hub-that-is-not-there";
  row(hfm_config_from_pretrained("not a name", &options, &config, &error), &error);
  row(hfm_config_from_pretrained("org/name", &options, &config, &error), &error);
  row(hfm_config_from_pretrained("absent.safetensors", &options, &config, &error), &error);
  options.revision = "../main";
  row(hfm_config_from_pretrained("org/name", &options, &config, &error), &error);
  options.revision = longest + sizeof longest - 300;
  row(hfm_config_from_pretrained("org/name", &options, &config, &error), &error);
  options.revision = NULL;
  options.cache_dir = longest;
  row(hfm_config_from_pretrained("org/name", &options, &config, &error), &error);
}

#if HAS_POSIX
/* A cache with a repository that has one revision, which is none. */
static void cache_rows(void) {
  static const char *const folders[] = {"build", "build/error_hub", "build/error_hub/models--org--name",
                                        "build/error_hub/models--org--name/refs"};
  static const char *const revisions[] = {"v2", "odd", "0123456789abcdef0123456789abcdef01234567"};
  hfm_options options;
  hfm_error error;
  hfm_config *config;
  FILE *file;
  for (size_t i = 0; i < CHECK_COUNT(folders); i++) (void)mkdir(folders[i], 0755);
  file = fopen("build/error_hub/models--org--name/refs/odd", "wb");
  if (!CHECK(file != NULL)) return;
  fputs("main\n", file);
  fclose(file);
  memset(&options, 0, sizeof options);
  options.cache_dir = "build/error_hub";
  for (size_t i = 0; i < CHECK_COUNT(revisions); i++) {
    options.revision = revisions[i];
    row(hfm_config_from_pretrained("org/name", &options, &config, &error), &error);
  }
}
#endif

static void test_table(void) {
  json_rows();
  safetensors_rows();
  index_rows();
  bin_rows();
  gguf_rows();
  adapter_row();
  source_rows();
  hub_rows();
#if HAS_POSIX
  cache_rows();
  compare_table("error_files");
#else
  SKIP("no mkdir: a hub cache was not made");
#endif
}

int main(void) {
  TEST(test_table);
  return check_report("test_error_files");
}
