/* build/hfm and files from strangers: `check` says 0 or 1 and one line, FIFOs don't hang it, names in files can't
   steer a terminal. */
#include "posix.h"

#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "tools/hfm_tensors.h"
#include "check.h"

#include "gguf_writer.h"

#define WORK "build/test_tool_check."
#include "support.h"

#define COPY WORK "model" /* a model directory of our own, to be spoiled */

/* Exit code 1, and exactly one line on stderr. */
static void check_refused(const char *words, const char *part) {
  check_error(words, 1, part);
  if (!CHECK_INT(lines_of(err_text), 1)) printf("  hfm %s\n  %s", words, err_text);
}

static void copy_model(const char *from) {
  char command[256];
  snprintf(command, sizeof command, "rm -rf " COPY " && cp -R %s " COPY, from);
  CHECK_INT(shell(command), 0);
}

/* ---- check: one file --------------------------------------------------------------------------------------------- */

static int load_bytes(const char *path, unsigned char **bytes, size_t *size) {
  return CHECK_INT(hfm_companion_load(path, 1 << 20, bytes, size, NULL), HFM_OK);
}

static void test_check_files(void) {
  unsigned char *bytes = NULL;
  size_t size = 0;
  check_good("check " MODELS "bert_base/model.safetensors", "sound");
  check_good("check " MODELS "bert_base/config.json", "sound");
  check_good("check " MODELS "bert_sharded/model.safetensors.index.json", "sound");
  check_good("check tests/hostile/torch/zip_checkpoint.bin", "sound");
  check_good("check tests/hostile/torch/legacy_checkpoint.bin", "sound");
  check_good("check tests/hostile/gguf/types.gguf", "sound");
  if (!load_bytes(MODELS "bert_base/model.safetensors", &bytes, &size)) return;
  put_file(WORK "cut.safetensors", (const char *)bytes, size - 1);
  check_refused("check " WORK "cut.safetensors", "cut.safetensors");
  put_file(WORK "cut.safetensors", (const char *)bytes, 7);
  check_refused("check " WORK "cut.safetensors", "cut.safetensors");
  put_file(WORK "cut.safetensors", "", 0);
  check_refused("check " WORK "cut.safetensors", "cut.safetensors");
  bytes[8] = '[';
  put_file(WORK "cut.safetensors", (const char *)bytes, size);
  check_refused("check " WORK "cut.safetensors", "cut.safetensors");
  free(bytes);
  if (!load_bytes("tests/hostile/torch/zip_checkpoint.bin", &bytes, &size)) return;
  put_file(WORK "cut.bin", (const char *)bytes, size - 1);
  check_refused("check " WORK "cut.bin", "cut.bin");
  free(bytes);
  put_file(WORK "cut.json", "{\"a\": 1,}", 9);
  check_refused("check " WORK "cut.json", "cut.json");
  remove(WORK "cut.safetensors");
  remove(WORK "cut.bin");
  remove(WORK "cut.json");
}

/* Whatever is wrong: 1, never anything else, and one line. */
static void test_check_says_one_line(void) {
  check_refused("check", "needs a FILE-OR-DIR");
  check_refused("check a b", "'b'");
  check_refused("check --bogus", "--bogus");
  check_refused("check . --dtype int8", "int8");
  check_refused("check build/absent", "absent");
  check_refused("check absent.safetensors", "absent.safetensors: no such file");
  check_refused("check build/absent.bin", "build/absent.bin: no such file");
  check_refused("check absent.gguf", "absent.gguf: no such file");
  check_refused("check tests", "config.json");
  check_refused("check " MODELS "bert_base --variant fp16", "fp16"); /* what the other commands give a hint for */
  check_refused("check " MODELS "bert_sequence --num-labels 5", "classifier");
  check_refused("check " MODELS "bert_base --task image-classification", "image-classification");
  check_refused("check " MODELS "bert_base --task masked-lm", "in none of the files");
  CHECK_INT(hfm("check --help"), 0);
#if HAS_POSIX
  check_refused("check /dev/null", "/dev/null: expected a regular file or a directory");
  remove(WORK "fifo.safetensors");
  if (CHECK_INT(mkfifo(WORK "fifo.safetensors", 0600), 0)) check_refused("check " WORK "fifo.safetensors", "fifo");
  remove(WORK "fifo.safetensors");
#endif
}

/* ---- check: a directory ------------------------------------------------------------------------------------------ */

static void test_check_directories(void) {
  static const char *const names[] = { "config.json", "generation_config.json", "preprocessor_config.json",
                                       "tokenizer_config.json" };
  char path[128];
  check_good("check " MODELS "bert_base", "sound");
  check_good("check " MODELS "bert_sharded", "sound");
  check_good("check examples/models/digits-vit", "sound");
  copy_model(MODELS "bert_base");
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char *before;
    snprintf(path, sizeof path, COPY "/%s", names[i]);
    before = slurp(path);
    put_file(path, "{\"a\": ", 6);
    check_refused("check " COPY, names[i]);
    put_file(path, "[]", 2);
    check_refused("check " COPY, names[i]);
    remove(path);
#if HAS_POSIX
    if (CHECK_INT(mkfifo(path, 0600), 0)) check_refused("check " COPY, names[i]);
    remove(path);
#endif
    if (before) put_file(path, before, strlen(before));
    free(before);
    check_good("check " COPY, "sound");
    CHECK_STR(err_text, "");
  }
  put_file(COPY "/model.safetensors", "12345678", 8);
  check_refused("check " COPY, "model.safetensors");
  copy_model(MODELS "bert_sharded");
  CHECK_INT(shell("rm " COPY "/model-00001-*"), 0);
  check_refused("check " COPY, "model-00001-");
  check_refused("check " COPY "/model.safetensors.index.json", "model-00001-");
}

/* ---- Files that nobody should open ------------------------------------------------------------------------------- */

static void test_fifos(void) {
#if !HAS_POSIX
  SKIP("there are no FIFOs here");
#else
  copy_model(MODELS "bert_masked");
  if (CHECK_INT(mkfifo(COPY "/tokenizer_config.json", 0600), 0)) {
    check_good("forward " COPY " --ids \"2 5 3\"", "position 1:");
    CHECK_CONTAINS(err_text, "tokenizer_config.json: expected a regular file");
  }
  copy_model(MODELS "bert_base"); /* no masked-lm: it is not even looked at */
  if (CHECK_INT(mkfifo(COPY "/tokenizer_config.json", 0600), 0)) {
    check_good("forward " COPY " --ids \"2 5 3\"", "last_hidden_state");
    CHECK_STR(err_text, "");
  }
  copy_model("examples/models/digits-vit");
  remove(COPY "/preprocessor_config.json");
  if (CHECK_INT(mkfifo(COPY "/preprocessor_config.json", 0600), 0)) {
    check_error("forward " COPY " --image " COPY "/seven.pgm", 1, "preprocessor_config.json: expected a regular file");
  }
  if (CHECK_INT(mkfifo(COPY "/x", 0600), 0)) {
    check_error("forward examples/models/digits-vit --image " COPY "/x", 1, "expected a regular file");
    check_error("forward examples/models/digits-vit --inputs " COPY "/x", 1, "expected a regular file");
  }
#endif
}

/* A preprocessor_config.json that asks for another size than the model's is refused before gigabytes are filled. */
static void test_prepared_size(void) {
  static const char crop[] = "{\"size\": 8, \"do_center_crop\": true, \"crop_size\": 30000}";
  static const char size[] = "{\"size\": {\"height\": 1, \"width\": 65535}}";
  copy_model("examples/models/digits-vit");
  put_file(COPY "/preprocessor_config.json", crop, sizeof crop - 1);
  check_error("forward " COPY " --image " COPY "/seven.pgm", 1, "30000 x 30000 (height x width), but the model's");
  put_file(COPY "/preprocessor_config.json", size, sizeof size - 1);
  check_error("forward " COPY " --image " COPY "/seven.pgm", 1, "1 x 65535 (height x width), but the model's "
              "image_size is 8 x 8");
  check_refused("check " COPY, "1 x 65535 (height x width), but the model's image_size is 8 x 8");
  put_file(COPY "/preprocessor_config.json", "{\"size\": -8}", 12);
  check_error("forward " COPY " --image " COPY "/seven.pgm", 1, COPY "/preprocessor_config.json: 'size' is -8");
  check_refused("check " COPY, COPY "/preprocessor_config.json: 'size' is -8");
  put_file(COPY "/preprocessor_config.json", "{\"do_resize\": false}", 20); /* pictures may have that size */
  check_good("check " COPY, "sound");
}

/* ---- Names that could steer a terminal --------------------------------------------------------------------------- */

#define EVIL "x\x1b]0;owned\x07\x1b[2J\nhfm: all is well\xc2\x9b\xe2\x80\xae\x7f"

/* Adds a tensor of that name to the copy's weights. */
static void add_tensor(const char *name) {
  hfm_tensors file;
  hfm_error error;
  if (!CHECK_INT(hfm_tensors_read(COPY "/model.safetensors", &file, &error), HFM_OK)) return;
  hfm_named_tensor *items = (hfm_named_tensor *)malloc((file.count + 1) * sizeof *items);
  if (CHECK(items != NULL)) {
    memcpy(items, file.items, file.count * sizeof *items);
    items[file.count] = file.items[0];
    items[file.count].name = name;
    CHECK_INT(hfm_tensors_write(COPY "/model.safetensors", items, file.count + 1, &error), HFM_OK);
  }
  free(items);
  hfm_tensors_free(&file);
}

/* Sets one key of the copy's config.json. */
static void set_config(const char *key, const char *json) {
  hfm_config *config = NULL;
  char *text;
  if (!CHECK_INT(hfm_config_from_pretrained(COPY, NULL, &config, NULL), HFM_OK)) return;
  CHECK_INT(hfm_config_set_json(config, key, json, NULL), HFM_OK);
  const size_t size = hfm_config_to_json(config, NULL, 0);
  text = (char *)malloc(size + 1);
  if (CHECK(text != NULL)) {
    hfm_config_to_json(config, text, size + 1);
    put_file(COPY "/config.json", text, size);
  }
  free(text);
  hfm_config_free(config);
}

static void check_harmless(const char *text) {
  for (; text && *text;) {
    uint32_t code;
    text += hfm_companion_character(text, &code);
    if (!CHECK(code == '\n' || !hfm_companion_steers(code))) return;
  }
}

static void test_steering_names(void) {
  copy_model(MODELS "bert_sequence");
  set_config("id2label", "{\"0\": \"\\u001b[2Jno\", \"1\": \"\\u202eyes\", \"2\": \"may\\nbe\\u009b\"}");
  add_tensor(EVIL);
  check_good("info " COPY, "?[2Jno, ?yes, may?be?");
  check_harmless(out_text);
  check_harmless(err_text);
  CHECK_INT(lines_of(err_text), 1);
  CHECK_CONTAINS(err_text, "hfm: warning: a tensor's name has control characters in it: 'x?]0;owned??[2J?hfm: all is");
  check_good("info " COPY " --json", "\"\\u001b[2Jno\"");
  check_harmless(out_text);
  hfm_config *json = json_of(out_text);
  if (json) CHECK_STR(hfm_config_get_string(json, "unexpected_keys.0", ""), EVIL);
  hfm_config_free(json);
  check_good("forward " COPY " --ids \"2 5 3\"", "  may?be?");
  check_harmless(out_text);
  check_harmless(err_text);
  CHECK_INT(lines_of(out_text), 3);
}

/* ---- A weights file by itself ------------------------------------------------------------------------------------ */

static void test_info_of_files(void) {
  hfm_config *json;
  check_good("info tests/hostile/gguf/values.gguf", "gguf, version 3\narchitecture      llama\n"
             "name              Tiny?\xc3\xa9\nalignment         32 bytes\n");
  CHECK_CONTAINS(out_text, "\n  v.u64                      uint64    18446744073709551615\n");
  CHECK_CONTAINS(out_text, "\n  tokenizer.ggml.tokens      text[4]\n");
  CHECK_CONTAINS(out_text, "\n  rank4  I16                 96 bytes  [2, 3, 4, 2]\n");
  CHECK_CONTAINS(out_text, "I16       1 tensor, 96 bytes\n");
  check_good("info tests/hostile/gguf/values.gguf --json", "\"value\": 18446744073709551615}");
  json = json_of(out_text);
  if (json) {
    CHECK_STR(hfm_config_get_string(json, "format", ""), "gguf");
    CHECK_INT(hfm_config_get_int(json, "alignment", 0), 32);
    CHECK_STR(hfm_config_get_string(json, "metadata.1.value", ""), "Tiny\n\xc3\xa9");
    CHECK_INT(hfm_config_get_int(json, "metadata.14.count", 0), 4);
    CHECK_STR(hfm_config_get_string(json, "tensors.1.type", ""), "I16");
    CHECK_INT(hfm_config_get_int(json, "tensors.1.shape.0", 0), 2);
    CHECK_INT(hfm_config_get_int(json, "types.1.bytes", 0), 96);
  }
  hfm_config_free(json);
  check_good("info tests/hostile/gguf/types.gguf", "w.Q4_K     Q4_K               432 bytes  [3, 256]\n");
  check_good("info " MODELS "bert_base/model.safetensors", "\n  format  text      pt\n");
  check_good("info tests/hostile/torch/zip_checkpoint.bin", "format            pytorch\n");
  check_error("info " MODELS "bert_base/config.json", 1, "config.json");
  check_error("forward tests/hostile/gguf/types.gguf --ids \"1 2\"", 1, "models do not run from GGUF yet");
  CHECK_CONTAINS(err_text, "hint: 'hfm info FILE'");
}

/* Names and texts of a GGUF that could steer a terminal; one that is cut. */
static void test_hostile_gguf(void) {
  gguf_writer w;
  hfm_config *json;
  gguf_begin(&w, 1, 3);
  gguf_key(&w, "general.architecture", GGUF_STRING), gguf_put_text(&w, EVIL "\0hidden\xff", sizeof EVIL + 7);
  gguf_key(&w, EVIL, GGUF_U8), gguf_put(&w, 1, 7);
  gguf_key(&w, "nan", GGUF_FLOAT), gguf_put(&w, 4, 0x7fc00000);
  gguf_tensor(&w, EVIL EVIL, 0, NULL, 0, 0);
  gguf_data(&w, 32, 4);
  put_file(WORK "x.gguf", (const char *)w.bytes, w.size);
  check_good("info " WORK "x.gguf", "architecture      x?]0;owned??[2J?hfm: all is well???");
  check_harmless(out_text);
  CHECK_CONTAINS(out_text, "?hidden?\n");
  check_good("info " WORK "x.gguf --json", "{\"key\": \"nan\", \"type\": \"float32\", \"value\": null}");
  check_harmless(out_text);
  CHECK_CONTAINS(out_text, "\\u0000hidden\\ufffd\"}");
  json = json_of(out_text);
  if (json) {
    CHECK_STR(hfm_config_get_string(json, "metadata.1.key", ""), EVIL);
    CHECK_STR(hfm_config_get_string(json, "tensors.0.name", ""), EVIL EVIL);
  }
  hfm_config_free(json);
  check_good("check " WORK "x.gguf", "sound");
  put_file(WORK "x.gguf", (const char *)w.bytes, w.size - 1);
  check_refused("check " WORK "x.gguf", "the file ends before tensor 'x\\x1b]0;owned\\x07");
  check_harmless(err_text);
  check_error("info " WORK "x.gguf", 1, "is the download complete?");
  remove(WORK "x.gguf");
}

int main(void) {
  if (!tool_is_built()) return check_report("test_tool_check");
  TEST(test_check_files);
  TEST(test_check_says_one_line);
  TEST(test_check_directories);
  TEST(test_fifos);
  TEST(test_prepared_size);
  TEST(test_steering_names);
  TEST(test_info_of_files);
  TEST(test_hostile_gguf);
  CHECK_INT(shell("rm -rf " COPY), 0);
  clean_up();
  return check_report("test_tool_check");
}
