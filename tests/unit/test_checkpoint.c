/* Which files a model's weights are in: resolution order, variants, and the shard index (rules I1 to I6). */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include "find_tensor.h"

enum { MAX_FILES = 8, ROOM = 2048 };

/* A directory in memory. */
typedef struct folder {
  hfm_memory_file files[MAX_FILES];
  uint8_t bytes[MAX_FILES][ROOM];
  size_t count;
  hfm__memory_files listed;
  hfm_options options;
  hfm__context ctx;
} folder;

static void folder_begin(folder *f) {
  memset(f, 0, sizeof *f);
  f->listed.files = f->files;
  f->options.io = hfm__memory_io(&f->listed);
}

static void folder_text(folder *f, const char *name, const char *text) {
  hfm_memory_file *file = &f->files[f->count];
  file->name = name;
  file->data = memcpy(f->bytes[f->count], text, strlen(text));
  file->size = strlen(text);
  f->listed.count = ++f->count;
}

/* A safetensors file of U8 tensors of one element each; `names` are separated by spaces, every element is `value`. */
static void folder_tensors(folder *f, const char *name, const char *names, int value) {
  uint8_t *bytes = f->bytes[f->count];
  hfm_memory_file *file = &f->files[f->count];
  hfm__text t = hfm__text_to((char *)bytes + 8, ROOM - 8);
  size_t size;
  int count = 0;
  hfm__text_char(&t, '{');
  for (const char *at = names; *at; count++) {
    const char *end = at;
    while (*end && *end != ' ') end++;
    hfm__text_format(&t, "%s\"", count ? "," : "");
    hfm__text_bytes(&t, at, (size_t)(end - at));
    hfm__text_format(&t, "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", count, count + 1);
    at = *end ? end + 1 : end;
  }
  hfm__text_char(&t, '}');
  size = t.length;
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)size >> 8 * i);
  memset(bytes + 8 + size, value, (size_t)count);
  file->name = name;
  file->data = bytes;
  file->size = 8 + size + (size_t)count;
  f->listed.count = ++f->count;
}

static int32_t folder_open(folder *f, hfm__checkpoint *ckpt, hfm_error *error) {
  hfm_result result;
  memset(error, -1, sizeof *error);
  memset(ckpt, -1, sizeof *ckpt);
  CHECK_INT(hfm__context_init(&f->options, &f->ctx, error), HFM_OK);
  result = hfm__checkpoint_open_named(&f->ctx, "", NULL, &f->options, ckpt, error);
  if (result == HFM_OK) return HFM_E_NONE;
  CHECK_INT(error->code, result);
  CHECK(ckpt->files == NULL && ckpt->tensors == NULL && ckpt->arena.blocks == NULL);
  return error->item;
}

/* Opens, and tells the element of tensor `name` (-1: no such tensor). */
static int open_and_read(folder *f, const char *name) {
  hfm__checkpoint ckpt;
  hfm_error error;
  const hfm__file_tensor *tensor;
  uint8_t value = 0;
  int found = -1;
  if (!CHECK_INT(folder_open(f, &ckpt, &error), HFM_E_NONE)) {
    printf("    %s\n", error.message);
    return -1;
  }
  tensor = find_tensor(&ckpt, name);
  if (tensor && hfm__file_read(&ckpt.files[tensor->file], tensor->offset, &value, 1, &error) == HFM_OK) found = value;
  hfm__checkpoint_close(&ckpt);
  return found;
}

/* model.safetensors, its index, pytorch_model.bin, its index: the first that exists. */
static void test_order(void) {
  folder f;
  hfm__checkpoint ckpt;
  hfm_error error;
  folder_begin(&f);
  CHECK_INT(folder_open(&f, &ckpt, &error), HFM_E_WEIGHTS_NOT_FOUND);
  CHECK_INT(error.code, HFM_ERROR_NOT_FOUND);
  CHECK_CONTAINS(error.message,
                 "looked for model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin."
                 "index.json");
  folder_text(&f, "pytorch_model.bin", "not a zip");
  f.options.use_safetensors = 1;
  CHECK_INT(folder_open(&f, &ckpt, &error), HFM_E_WEIGHTS_NOT_FOUND);
  f.options.use_safetensors = 0;
  CHECK(folder_open(&f, &ckpt, &error) != HFM_E_WEIGHTS_NOT_FOUND);
  folder_tensors(&f, "s1.safetensors", "a", 1);
  folder_text(&f, "model.safetensors.index.json", "{\"weight_map\":{\"a\":\"s1.safetensors\"}}");
  CHECK_INT(open_and_read(&f, "a"), 1);
  folder_tensors(&f, "model.safetensors", "a", 2);
  CHECK_INT(open_and_read(&f, "a"), 2);
  f.options.use_safetensors = -1;
  CHECK(folder_open(&f, &ckpt, &error) != HFM_E_NONE); /* the .bin, which is broken */
}

/* A variant stands before the extension; there is no fallback to another. */
static void test_variant(void) {
  folder f;
  hfm__checkpoint ckpt;
  hfm_error error;
  folder_begin(&f);
  folder_tensors(&f, "model.safetensors", "a", 1);
  f.options.variant = "fp16";
  CHECK_INT(folder_open(&f, &ckpt, &error), HFM_E_WEIGHTS_NOT_FOUND);
  CHECK_CONTAINS(error.message, "model.fp16.safetensors, model.safetensors.index.fp16.json, pytorch_model.fp16.bin");
  folder_tensors(&f, "s.safetensors", "a", 3);
  folder_text(&f, "model.safetensors.index.fp16.json", "{\"weight_map\":{\"a\":\"s.safetensors\"}}");
  CHECK_INT(open_and_read(&f, "a"), 3);
  folder_tensors(&f, "model.fp16.safetensors", "a", 2);
  CHECK_INT(open_and_read(&f, "a"), 2);
  f.options.variant = "../x";
  CHECK_INT(folder_open(&f, &ckpt, &error), HFM_E_ARGUMENT_VALUE);
}

static void test_subfolder(void) {
  folder f;
  folder_begin(&f);
  folder_tensors(&f, "model.safetensors", "a", 1);
  folder_tensors(&f, "unet/s-1.safetensors", "a", 2);
  folder_text(&f, "unet/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"s-1.safetensors\"}}");
  CHECK_INT(open_and_read(&f, "a"), 1);
  f.options.subfolder = "unet";
  CHECK_INT(open_and_read(&f, "a"), 2);
}

/* config.json's "transformers_weights" */
static void test_named(void) {
  static const char *const refused[] = {"../x.safetensors", "/x.safetensors", "x.bin", "C:x.safetensors", ""};
  folder f;
  hfm__checkpoint ckpt;
  hfm_error error;
  folder_begin(&f);
  folder_tensors(&f, "model.safetensors", "a", 1);
  folder_tensors(&f, "other.safetensors", "b c", 2);
  folder_text(&f, "o.safetensors.index.json", "{\"weight_map\":{\"b\":\"other.safetensors\"}}");
  CHECK_INT(hfm__context_init(&f.options, &f.ctx, &error), HFM_OK);
  if (CHECK_INT(hfm__checkpoint_open_named(&f.ctx, "", "other.safetensors", &f.options, &ckpt, &error), HFM_OK)) {
    CHECK_INT(ckpt.count, 2);
    hfm__checkpoint_close(&ckpt);
  }
  if (CHECK_INT(hfm__checkpoint_open_named(&f.ctx, "", "o.safetensors.index.json", &f.options, &ckpt, &error), HFM_OK))
    hfm__checkpoint_close(&ckpt);
  CHECK_INT(hfm__checkpoint_open_named(&f.ctx, "", "absent.safetensors", NULL, &ckpt, &error), HFM_ERROR_NOT_FOUND);
  CHECK_INT(error.item, HFM_E_WEIGHTS_NOT_FOUND);
  for (size_t i = 0; i < HFM__COUNT(refused); i++) {
    CHECK(hfm__checkpoint_open_named(&f.ctx, "", refused[i], NULL, &ckpt, &error) != HFM_OK);
    CHECK_INT(error.item, HFM_E_CONFIG_VALUE);
  }
}

/* Verdict of an index over s1.safetensors (a, b) and s2.safetensors (c). */
static int32_t judge_index(const char *index, hfm_error *error) {
  folder f;
  hfm__checkpoint ckpt;
  int32_t item;
  folder_begin(&f);
  folder_text(&f, "model.safetensors.index.json", index);
  folder_tensors(&f, "s1.safetensors", "a b", 1);
  folder_tensors(&f, "sub/s2.safetensors", "c", 2);
  folder_text(&f, "x.bin", "x");
  item = folder_open(&f, &ckpt, error);
  if (item == HFM_E_NONE) hfm__checkpoint_close(&ckpt);
  return item;
}

/* I1: weight_map is an object of strings. I5: metadata is not believed. J5: no key twice. */
static void test_structure(void) {
  static const struct {
    const char *index, *mark;
    int32_t item;
  } cases[] = {
      {"[]", "^", HFM_E_INDEX_STRUCTURE},
      {"{}", "^", HFM_E_INDEX_STRUCTURE},
      {"{\"weight_map\":{}}", "^", HFM_E_INDEX_STRUCTURE},
      {"{\"weight_map\":[]}", "              ^", HFM_E_INDEX_STRUCTURE},
      {"{\"weight_map\":{\"a\":1}}", "                   ^", HFM_E_INDEX_STRUCTURE},
      {"{\"weight_map\":{\"a\":[\"s1.safetensors\"]}}", "                   ^", HFM_E_INDEX_STRUCTURE},
      {"{\"weight_map\":{\"a\\u0000\":\"s1.safetensors\"}}", "                         ^", HFM_E_INDEX_STRUCTURE},
      {"{\"weight_map\":{\"a\":\"s1.safetensors\",\"a\":\"s1.safetensors\"}}", "                                    ^",
       HFM_E_JSON_DUPLICATE_KEY},
      {"{\"weight_map\":{\"a\":\"s1.safetensors\"}", "                                    ^", HFM_E_JSON_SYNTAX},
      {"{\"weight_map\":{\"a\":\"s1.safetensors\"}} x", "                                      ^",
       HFM_E_JSON_TRAILING},
  };
  static const char *const accepted[] = {
      "{\"weight_map\":{\"a\":\"s1.safetensors\"}}",
      "{\"metadata\":{\"total_size\":1e9,\"x\":[{}]},\"weight_map\":{\"c\":\"sub/s2.safetensors\"}}",
      "{\"metadata\":null,\"weight_map\":{\"\\u0061\":\"s\\u0031.safetensors\"},\"other\":7}",
  };
  hfm_error error;
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    if (!CHECK_INT(judge_index(cases[i].index, &error), cases[i].item)) printf("    %s\n", cases[i].index);
    if (!CHECK_INT(error.offset, strlen(cases[i].mark) - 1)) printf("    %s\n", cases[i].index);
    CHECK_STR(error.file, "model.safetensors.index.json");
  }
  for (size_t i = 0; i < HFM__COUNT(accepted); i++)
    if (!CHECK_INT(judge_index(accepted[i], &error), HFM_E_NONE)) printf("    %s: %s\n", accepted[i], error.message);
}

/* I2: no drive, no root, no "..", by Windows' and POSIX's rules on every host. I3: the index's own extension. */
static void test_shard_names(void) {
  static const char *const refused[] = {
      "", "/s1.safetensors", "../s1.safetensors", "sub/../s1.safetensors", "sub/../../s1.safetensors", "..",
      "..\\\\s1.safetensors", "sub\\\\..\\\\s1.safetensors", "C:s1.safetensors", "C:\\\\s1.safetensors",
      "\\\\\\\\host\\\\share\\\\s1.safetensors", "\\\\s1.safetensors", "s1.safetensors\\u0000", "s1\\n.safetensors",
      "s1.safetensors\\u007f", "s1.safetensors:stream.safetensors", "s1.bin", "x.bin", "safetensors", "s1.SAFETENSORS",
      ".. /s1.safetensors", "... /s1.safetensors", ".../s1.safetensors", "./s1.safetensors", "s1.safetensors.",
      "s1.safetensors ", "sub./s1.safetensors", "nul.safetensors", "CON.safetensors", "sub/Aux/x.safetensors",
      "com1.safetensors", "LPT9.x.safetensors", "com\xc2\xb9.safetensors", "prn .safetensors", "conin$.safetensors",
      "nul      .safetensors", "conout$ .safetensors", "com1       .x.safetensors",
      "a\\u009bb.safetensors", "a\\u202eb.safetensors", "a\\u2066.safetensors", "\\u002e\\u002e/s1.safetensors",
      "//host/share/s1.safetensors"};
  static const char *const fine[] = {"s1.safetensors", "a/b.safetensors", "a b.safetensors", "console.safetensors",
                                     "com.safetensors", "com10.safetensors", "auxiliary/nulls.safetensors", "a..b.x",
                                     "\xe5\xb1\x82.safetensors", ".hidden.safetensors"};
  char index[2048];
  hfm_error error;
  hfm__text t;
  for (size_t i = 0; i < HFM__COUNT(fine); i++) CHECK_STR(hfm__unsafe_name(fine[i], strlen(fine[i])), NULL);
  for (size_t i = 0; i < HFM__COUNT(refused); i++) {
    t = hfm__text_to(index, sizeof index);
    hfm__text_format(&t, "{\"weight_map\":{\"a\":\"%s\"}}", refused[i]);
    if (!CHECK_INT(judge_index(index, &error), HFM_E_INDEX_SHARD_NAME)) printf("    %s\n", refused[i]);
    CHECK_INT(error.offset, 19);
  }
  t = hfm__text_to(index, sizeof index); /* a name of 1025 bytes */
  hfm__text_str(&t, "{\"weight_map\":{\"a\":\"");
  for (int i = 0; i < 1013; i++) hfm__text_char(&t, 'x');
  hfm__text_str(&t, ".safetensors\"}}");
  CHECK_INT(judge_index(index, &error), HFM_E_INDEX_SHARD_NAME);
  /* a backslash in the name before, compared with an escaped one: it is no escape there */
  CHECK_INT(judge_index("{\"weight_map\":{\"v\":\"a\\\\x.safetensors\",\"w\":\"a\\\\x.safetensors\"}}", &error),
            HFM_E_FILE_NOT_FOUND);
  CHECK_STR(error.file, "a\\x.safetensors");
}

/* I4: every shard opens, and holds what the index says. */
static void test_shards(void) {
  folder f;
  hfm__checkpoint ckpt;
  hfm_error error;
  CHECK_INT(judge_index("{\"weight_map\":{\"a\":\"gone.safetensors\"}}", &error), HFM_E_FILE_NOT_FOUND);
  CHECK_STR(error.file, "gone.safetensors");
  CHECK_INT(judge_index("{\"weight_map\":{\"c\":\"s1.safetensors\"}}", &error), HFM_E_INDEX_TENSOR_NOT_IN_SHARD);
  CHECK_STR(error.what, "c");
  CHECK_INT(error.offset, 19);
  CHECK_INT(judge_index("{\"weight_map\":{\"a\":\"s1.safetensors\",\"z\":\"s1.safetensors\"}}", &error),
            HFM_E_INDEX_TENSOR_NOT_IN_SHARD);
  CHECK_STR(error.what, "z");
  /* a tensor in two shards: the later file's wins, as in Transformers, whatever the index says */
  folder_begin(&f);
  folder_tensors(&f, "s2.safetensors", "a b", 2);
  folder_tensors(&f, "s10.safetensors", "a c", 10);
  folder_text(&f, "model.safetensors.index.json",
              "{\"weight_map\":{\"a\":\"s10.safetensors\",\"b\":\"s2.safetensors\"}}");
  CHECK_INT(open_and_read(&f, "a"), 2); /* sorted as text: s10 < s2 */
  CHECK_INT(open_and_read(&f, "b"), 2);
  CHECK_INT(open_and_read(&f, "c"), 10); /* not in the index, but in a shard */
  if (CHECK_INT(folder_open(&f, &ckpt, &error), HFM_E_NONE)) {
    CHECK_INT(ckpt.count, 3);
    CHECK_INT(ckpt.file_count, 2);
    CHECK_STR(ckpt.files[0].name, "s10.safetensors");
    hfm__checkpoint_close(&ckpt);
  }
}

/* F3: an index larger than its limit is not read. */
static void test_limit(void) {
  folder f;
  hfm__checkpoint ckpt;
  hfm_error error;
  folder_begin(&f);
  folder_text(&f, "model.safetensors.index.json", "{\"weight_map\":{\"a\":\"s1.safetensors\"}}");
  f.options.limits.max_index_bytes = 10;
  CHECK_INT(folder_open(&f, &ckpt, &error), HFM_E_FILE_TOO_LARGE);
  CHECK_INT(error.code, HFM_ERROR_LIMIT);
}

static const char sample[] =
    "{\"metadata\":{\"total_size\":3},\"weight_map\":{\"a\":\"s1.safetensors\",\"c\":\"sub/s2.safetensors\"}}";

/* Every prefix is refused, every changed byte judged. */
static void test_every_prefix_and_byte(void) {
  char text[sizeof sample];
  hfm_error error;
  for (size_t n = 0; n < sizeof sample - 1; n++) {
    memcpy(text, sample, n);
    text[n] = 0;
    CHECK(judge_index(text, &error) != HFM_E_NONE);
  }
  for (size_t i = 0; i < sizeof sample - 1; i++) {
    for (int value = 1; value < 256; value++) {
      memcpy(text, sample, sizeof sample);
      text[i] = (char)value;
      (void)judge_index(text, &error);
    }
  }
}

/* F9: whichever allocation fails, the error is clean and nothing leaks. */
static void test_every_allocation(void) {
  failing_alloc memory;
  for (int64_t n = 0;; n++) {
    folder f;
    hfm__checkpoint ckpt;
    hfm_error error;
    int32_t item;
    folder_begin(&f);
    folder_text(&f, "model.safetensors.index.json", sample);
    folder_tensors(&f, "s1.safetensors", "a b", 1);
    folder_tensors(&f, "sub/s2.safetensors", "c", 2);
    failing_alloc_begin(&memory, n);
    f.options.allocator = memory.allocator;
    item = folder_open(&f, &ckpt, &error);
    if (item == HFM_E_NONE) hfm__checkpoint_close(&ckpt);
    else CHECK_INT(item, HFM_E_OUT_OF_MEMORY);
    CHECK(failing_alloc_clean(&memory));
    if (!memory.failed) break;
  }
  CHECK(memory.calls > 10);
}

int main(void) {
  TEST(test_order);
  TEST(test_variant);
  TEST(test_subfolder);
  TEST(test_named);
  TEST(test_structure);
  TEST(test_shard_names);
  TEST(test_shards);
  TEST(test_limit);
  TEST(test_every_prefix_and_byte);
  TEST(test_every_allocation);
  return check_report("test_checkpoint");
}
