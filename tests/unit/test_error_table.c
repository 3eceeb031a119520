/* Every error item: how it comes about, and all that a person gets. tests/unit/error_table.txt is the table: item,
   file, tensor or key, byte, and the message below them. Each message says what was expected, what was found, and what
   to do where something can be done. An item of error_items.h without a row fails; so does a text that changed: the new
   table is then in build/error_table.txt, to be read and copied. */
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include "gguf_writer.h"
#include "load_file.h"
#include "one_file.h"
#include "torch_archive.h"

static char table[65536];
static size_t made; /* bytes of it */
static uint8_t seen[1024]; /* items that the table has */

static hfm_result result_of(int32_t item) {
  switch (item) {
#define ITEM(name, number, result) case number: return result;
    HFM_ERROR_ITEMS(ITEM)
#undef ITEM
    default: return HFM_OK;
  }
}

static void row(hfm_result result, const hfm_error *error) {
  if (!CHECK(result != HFM_OK) || !CHECK(error->item > 0 && error->item < (int32_t)sizeof seen)) return;
  CHECK_INT(error->code, result);
  CHECK_INT(error->code, result_of(error->item));
  /* the file, if there is one, and what it is about, unless it was put otherwise */
  CHECK_CONTAINS(error->message, error->file);
  seen[error->item] = 1;
  made += (size_t)snprintf(table + made, sizeof table - made, "%s | %s | %s | %llu\n    %s\n",
                           hfm_error_item_name(error->item), error->file, error->what,
                           (unsigned long long)error->offset, error->message);
  if (!CHECK(made < sizeof table)) made = 0;
}

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
  safetensors("{\"w\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
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
}

static void index_rows(void) {
  FILE_ROW("model.safetensors.index.json", "[]");
  FILE_ROW("model.safetensors.index.json", "{\"metadata\": {}}");
  FILE_ROW("model.safetensors.index.json", "{\"weight_map\": {\"w\": 1}}");
  FILE_ROW("model.safetensors.index.json", "{\"weight_map\": {\"w\": \"../x.safetensors\"}}");
  FILE_ROW("model.safetensors.index.json", "{\"weight_map\": {\"w\": \"x.bin\"}}");
  FILE_ROW("model.safetensors.index.json", "{\"weight_map\": {\"w\": \"gone.safetensors\"}}");
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
      {'c', 28, 0xffff, 2},     {'c', 46, 1, 1},          {'c', 34, 1, 2},          {'c', 24, 0xffffffff, 4},
      {'c', 42, 0x7fffffff, 4}, {'c', 42, 0, 4},          {'c', 20, 0x0000100000001000, 8},
      {'c', 10, 8, 2},          {'c', 20, 3, 4},          {'c', 8, 1, 2},           {'l', 0, 0, 4},
      {'l', 30, 'n', 1},        {'l', 8, 8, 2}};
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
  legacy_row(ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 4, 3);
  legacy_row(ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 5, 4);
  legacy_row(ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 4, 5);
  make_legacy(&a, ARGS(OLD_ID, "K\0", "K\4\x85", "K\1\x85"), good, 4, 0);
  file_row("x.bin", a.bytes, a.size - 1);
  legacy_row(PICKLE("\x80\2}."), 4, 4);
  legacy_row(PICKLE(two), 4, 4);
  legacy_change_row(0, 17, "N0N");   /* the protocol: None */
  legacy_change_row(0, 18, "\xea");  /* 1002 */
  legacy_change_row(1, 2, "N0N0N");  /* no list */
  legacy_change_row(1, 2, "]NaN0");  /* a list of None */
  legacy_change_row(1, 5, "7");
}

static void bin_rows(void) {
  uint8_t tar[512];
  FILE_ROW("x.bin", "<!DOCTYPE html><html>");
  FILE_ROW("x.bin", "abc");
  FILE_ROW("x.safetensors", "version https://git-lfs.github.com/spec/v1\n");
  FILE_ROW("x.bin", "\x80\2K\1.");
  memset(tar, 0, sizeof tar);
  memcpy(tar + 257, "ustar", 5);
  file_row("x.bin", tar, sizeof tar);
  zip_rows();
  pickle_row(PICKLE("\x80\2}U\1wP\n."));
  pickle_row(PICKLE("\x80\2cos\nsystem\n."));
  pickle_row(PICKLE("\x80\2R."));
  pickle_row(PICKLE("\x80\2K\1u."));
  pickle_row(PICKLE("\x80\2}(K\1u."));
  pickle_row(PICKLE("\x80\2(K\1e."));
  pickle_row(PICKLE("\x80\2}(}."));
  pickle_row(PICKLE("\x80\2)(K\1e."));
  pickle_row(PICKLE("\x80\2X\xff\xff\xff\x7f."));
  pickle_row(PICKLE("\x80\2h\7."));
  pickle_row(PICKLE("\x80\2K\1."));
  pickle_row(PICKLE(ARGS(OK_ID, "K\1", "K\4\x85", "K\1\x85")));
  pickle_row(PICKLE(ARGS(OK_ID, "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85")));
  pickle_row(PICKLE(ARGS("N", "K\0", "K\4\x85", "K\1\x85")));
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
}

static void hub_rows(void) {
  hfm_options options;
  hfm_error error;
  hfm_config *config;
  memset(&options, 0, sizeof options);
  options.cache_dir = "tests/hub-that-is-not-there";
  row(hfm_config_from_pretrained("not a name", &options, &config, &error), &error);
  row(hfm_config_from_pretrained("org/name", &options, &config, &error), &error);
  row(hfm_config_from_pretrained("absent.safetensors", &options, &config, &error), &error);
  options.revision = "../main";
  row(hfm_config_from_pretrained("org/name", &options, &config, &error), &error);
}

/* ---- Models ---- */

static void config_row(const char *dir, const char *key, const char *json, hfm_task task, uint64_t max_new) {
  hfm_options options;
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  CHECK_INT(hfm_config_from_pretrained(dir, NULL, &config, &error), HFM_OK);
  if (key) CHECK_INT(hfm_config_set_json(config, key, json, &error), HFM_OK);
  options.config = config;
  options.task = task;
  options.limits.max_new_bytes = max_new;
  row(hfm_from_pretrained(dir, &options, &model, &error), &error);
  CHECK(model == NULL);
  hfm_config_free(config);
}

static int32_t stop(void *ctx, const char *stage, uint64_t done, uint64_t total, const char *unit) {
  (void)ctx;
  (void)stage;
  (void)done;
  (void)total;
  (void)unit;
  return 1;
}

static void model_rows(void) {
  static const char bert[] = "tests/models/bert_base", llama[] = "tests/models/llama_base";
  static const char text[] = "{\"model_type\": \"bert\"}";
  failing_alloc memory;
  hfm_memory_file file;
  hfm_options options;
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  config_row(bert, "hidden_size", "null", HFM_BASE, 0);
  config_row(bert, "hidden_size", "36.5", HFM_BASE, 0);
  config_row(bert, "hidden_size", "-1", HFM_BASE, 0);
  config_row(bert, "num_attention_heads", "5", HFM_BASE, 0);
  config_row(bert, "layer_norm_eps", "NaN", HFM_BASE, 0);
  config_row(bert, "is_decoder", "\"no\"", HFM_BASE, 0);
  config_row(bert, "hidden_act", "\"gelo\"", HFM_BASE, 0);
  config_row(bert, "model_type", "null", HFM_BASE, 0);
  config_row(bert, "model_type", "\"x\"", HFM_BASE, 0);
  config_row(bert, "architectures", "[\"BertForX\"]", HFM_TASK_FROM_CONFIG, 0);
  config_row(bert, NULL, NULL, HFM_IMAGE_CLASSIFICATION, 0);
  config_row(bert, NULL, NULL, 99, 0);
  config_row(bert, "num_hidden_layers", "1000000000", HFM_BASE, 0);
  config_row(bert, "max_position_embeddings", "1000000000", HFM_BASE, 0);
  config_row(bert, "vocab_size", "62", HFM_BASE, 0);
  config_row(bert, "quantization_config", "{\"quant_method\": \"gptq\"}", HFM_BASE, 0);
  config_row(bert, "transformers_weights", "\"../x.safetensors\"", HFM_BASE, 0);
  config_row(bert, "transformers_weights", "\"x.safetensors\"", HFM_BASE, 0);
  config_row(bert, NULL, NULL, HFM_SEQUENCE_CLASSIFICATION, 16);
  config_row(llama, "rope_parameters", "{\"rope_type\": \"spiral\"}", HFM_BASE, 0);
  config_row(llama, "rope_parameters", "{\"rope_type\": \"linear\"}", HFM_BASE, 0);
  memset(&options, 0, sizeof options);
  file.name = "config.json";
  file.data = text;
  file.size = sizeof text - 1;
  row(hfm_from_memory(&file, 1, NULL, &model, &error), &error);
  options.dtype = HFM_I8;
  row(hfm_from_pretrained(bert, &options, &model, &error), &error);
  options.dtype = 0;
  options.variant = "../x";
  row(hfm_from_pretrained(bert, &options, &model, &error), &error);
  options.variant = "fp16";
  row(hfm_from_pretrained(bert, &options, &model, &error), &error);
  options.variant = NULL;
  options.progress.update = stop;
  row(hfm_from_pretrained(bert, &options, &model, &error), &error);
  options.progress.update = NULL;
  failing_alloc_begin(&memory, 1);
  options.allocator = memory.allocator;
  row(hfm_from_pretrained(bert, &options, &model, &error), &error);
  row(hfm_from_pretrained("tests/models/bert_base/model.safetensors", NULL, &model, &error), &error);
  CHECK_INT(hfm_config_from_pretrained(bert, NULL, &config, &error), HFM_OK);
  row(hfm_config_set_int(config, "architectures.7", 1, &error), &error);
  row(hfm_config_set_string(config, "x", "\xff", &error), &error);
  hfm_config_free(config);
}

/* ---- Generation ---- */

static int64_t allow_nothing(void *ctx, int64_t prompt, const int64_t *ids, int64_t length, const int64_t **allowed) {
  (void)ctx;
  (void)prompt;
  (void)length;
  *allowed = ids;
  return 0;
}

static void generation_rows(void) {
  static const int64_t ids[3] = {1, 2, 3};
  hfm_options options;
  hfm_generation_config config;
  hfm_inputs in;
  hfm_generated out;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  memset(&config, 0, sizeof config);
  memset(&in, 0, sizeof in);
  options.task = HFM_CAUSAL_LM;
  in.input_ids = hfm_tensor_i64(ids, 1, 3);
  config.prefix_constraint.allowed_tokens = allow_nothing;
  if (CHECK_INT(hfm_from_pretrained("tests/models/llama_causal", &options, &model, &error), HFM_OK) &&
      CHECK_INT(hfm_session_create(model, NULL, &session, &error), HFM_OK)) {
    row(hfm_generate(session, &in, &config, &out, &error), &error);
    hfm_session_free(session);
  }
  hfm_model_free(model);
}

/* ---- Forwards ---- */

static void forward_rows(void) {
  static const int64_t ids[80] = {1, 2, 3, 99};
  static const float floats[8] = {0};
  const int64_t four[4] = {1, 2, 2, 2};
  hfm_session_options one;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  int32_t done;
  hfm_inputs in;
  hfm_outputs out;
  hfm_error error;
  memset(&one, 0, sizeof one);
  one.threads = 1;
  if (!CHECK_INT(hfm_from_pretrained("tests/models/bert_base", NULL, &model, &error), HFM_OK) ||
      !CHECK_INT(hfm_session_create(model, &one, &session, &error), HFM_OK))
    return;
#define FORWARD() row(hfm_forward(session, &in, &out, &error), &error)
  memset(&in, 0, sizeof in);
  FORWARD();
  in.input_ids = hfm_tensor_i64(ids, 1, 3);
  in.pixel_values = hfm_tensor_f32(floats, 4, four);
  FORWARD();
  memset(&in.pixel_values, 0, sizeof in.pixel_values);
  in.labels = in.input_ids;
  FORWARD();
  memset(&in.labels, 0, sizeof in.labels);
  in.attention_mask = hfm_tensor_i64(ids, 1, 2);
  FORWARD();
  memset(&in.attention_mask, 0, sizeof in.attention_mask);
  in.input_ids = hfm_tensor_i64(ids, 1, 4);
  FORWARD();
  in.input_ids = hfm_tensor_i64(ids, 1, 80);
  FORWARD();
  in.input_ids = hfm_tensor_i64(ids, 1, 3);
  in.input_ids.dtype = HFM_F32;
  FORWARD();
  in.input_ids = hfm_tensor_i64(ids, 1, 3);
  in.input_ids.rank = 1;
  FORWARD();
#undef FORWARD
  row(hfm_session_step(session, 0, NULL, &error), &error);
  row(hfm_session_step(session, 0, &done, &error), &error);
  hfm_session_free(session);
  hfm_model_free(model);
  if (CHECK_INT(hfm_from_pretrained("tests/models/llama_base", NULL, &model, &error), HFM_OK) &&
      CHECK_INT(hfm_session_create(model, &one, &session, &error), HFM_OK)) {
    row(hfm_session_reserve(session, INT32_MAX, INT32_MAX, NULL, &error), &error);
    hfm_session_free(session);
  }
  hfm_model_free(model);
}

/* ---- The table ---- */

static void test_table(void) {
  char *text;
  size_t size;
  FILE *file = fopen("build/error_table.txt", "wb");
  json_rows();
  safetensors_rows();
  index_rows();
  bin_rows();
  gguf_rows();
  source_rows();
  hub_rows();
  model_rows();
  forward_rows();
  generation_rows();
  if (file) {
    fputs(table, file);
    fclose(file);
  }
  text = load_file("tests/unit/error_table.txt", &size);
  if (!text) return;
  for (const char *a = table, *b = text; *a || *b;) { /* line by line, so that a failure shows the line */
    char got[1024], want[1024];
    const size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
    snprintf(got, sizeof got, "%.*s", (int)n, a);
    snprintf(want, sizeof want, "%.*s", (int)m, b);
    if (!CHECK_STR(got, want)) break;
    a += n + (a[n] != 0);
    b += m + (b[m] != 0);
  }
  free(text);
}

/* No item is without a row. What depends on the build or the machine is tested elsewhere. */
static void test_all_items(void) {
  static const int32_t elsewhere[] = {HFM_E_REVISION_NOT_CACHED, HFM_E_ISA_MISSING, HFM_E_STRICT_MISSING};
  static const int32_t items[] = {
#define ITEM(name, number, result) number,
      HFM_ERROR_ITEMS(ITEM)
#undef ITEM
  };
  for (size_t i = 0; i < CHECK_COUNT(elsewhere); i++) seen[elsewhere[i]] = 1;
  for (size_t i = 0; i < CHECK_COUNT(items); i++)
    if (!CHECK(seen[items[i]])) printf("    %s\n", hfm_error_item_name(items[i]));
}

int main(void) {
  TEST(test_table);
  TEST(test_all_items);
  return check_report("test_error_table");
}
