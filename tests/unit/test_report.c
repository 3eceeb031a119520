/* The load report of hostile files: names that would order the terminal about, and very many of them. What a report of
   an honest file looks like is compared with Transformers in tests/models/. */
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include <stdlib.h>
#include <time.h>

static const char config_format[] =
    "{\"model_type\":\"llama\",\"architectures\":[\"LlamaModel\"],\"hidden_size\":2,\"intermediate_size\":2,"
    "\"num_attention_heads\":1,\"num_key_value_heads\":1,\"vocab_size\":2,\"max_position_embeddings\":4,"
    "\"rms_norm_eps\":1e-6,\"tie_word_embeddings\":false,\"num_hidden_layers\":%d}";

/* A safetensors file of empty tensors with these names. */
typedef struct tensors {
  uint8_t *bytes;
  size_t room, size; /* of the header, which begins 8 bytes further on */
} tensors;

static int begin(tensors *t, size_t room) {
  t->bytes = (uint8_t *)malloc(room + 8);
  t->room = room;
  t->size = 0;
  return CHECK(t->bytes != NULL);
}

static void add(tensors *t, const char *name) {
  const int length = snprintf((char *)t->bytes + 8 + t->size, t->room - t->size,
                              "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
                              t->size ? "," : "{", name);
  t->size += (size_t)length;
  CHECK(t->size < t->room);
}

/* The model of those tensors and `layers` layers; NULL where it can't be. */
static hfm_model *load(tensors *t, int layers, const hfm_options *options) {
  char config[512];
  hfm_memory_file files[2];
  hfm_model *model = NULL;
  hfm_error error;
  snprintf(config, sizeof config, config_format, layers);
  t->bytes[8 + t->size++] = '}';
  for (int i = 0; i < 8; i++) t->bytes[i] = (uint8_t)((uint64_t)t->size >> 8 * i);
  files[0].name = "config.json";
  files[0].data = config;
  files[0].size = strlen(config);
  files[1].name = "model.safetensors";
  files[1].data = t->bytes;
  files[1].size = t->size + 8;
  if (!CHECK_INT(hfm_from_memory(files, 2, options, &model, &error), HFM_OK)) printf("    %s\n", error.message);
  return model;
}

/* F7: bytes of a name reach the terminal only where it does not obey them. */
static void test_escapes(void) {
  char text[4096];
  tensors t;
  hfm_model *model;
  if (!begin(&t, 4096)) return;
  add(&t, "a\\u001b[31mred\\r\\u007f");
  add(&t, "b\\u009b31m\\u0085");
  add(&t, "c\\u202etxt\\u2066\\u200f\\u061c\\u2028");
  add(&t, "d caf\\u00e9 \\u4e2d\\ud83d\\ude00\\u00a0\\u2030");
  add(&t, "e\\\\x1b");
  model = load(&t, 0, NULL);
  CHECK(hfm_load_report_text(model, "here", 0, text, sizeof text) < sizeof text);
  CHECK_CONTAINS(text, "\na\\x1b[31mred\\x0d\\x7f ");
  CHECK_CONTAINS(text, "\nb\\xc2\\x9b31m\\xc2\\x85 ");
  CHECK_CONTAINS(text, "\nc\\xe2\\x80\\xaetxt\\xe2\\x81\\xa6\\xe2\\x80\\x8f\\xd8\\x9c\\xe2\\x80\\xa8 ");
  CHECK_CONTAINS(text, "\nd caf\xc3\xa9 \xe4\xb8\xad\xf0\x9f\x98\x80\xc2\xa0\xe2\x80\xb0 ");
  CHECK_CONTAINS(text, "\ne\\x5cx1b ");
  hfm_model_free(model);
  free(t.bytes);
}

/* Rows: keys that differ in numbers share one, in the place of the first; up to ten numbers are listed. */
static void test_rows(void) {
  char text[4096], name[32];
  tensors t;
  hfm_model *model;
  if (!begin(&t, 1 << 14)) return;
  for (int i = 12; i-- > 0;) {
    snprintf(name, sizeof name, "m.%d.%d.w", i, i % 3 * 7);
    add(&t, name);
    snprintf(name, sizeof name, "m.%d.b", i);
    if (i < 10) add(&t, name);
  }
  add(&t, "m.x.b");
  add(&t, "m.5");
  model = load(&t, 0, NULL);
  CHECK(hfm_load_report_text(model, "here", 0, text, sizeof text) < sizeof text);
  CHECK_CONTAINS(text, "\nm.{0...11}.{0, 7, 14}.w ");
  CHECK_CONTAINS(text, "\nm.{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}.b ");
  CHECK_CONTAINS(text, "\nm.x.b ");
  CHECK_CONTAINS(text, "\nm.5 ");
  hfm_model_free(model);
  free(t.bytes);
}

/* Tens of thousands of names that no parameter has, and of parameters that no name has. */
static void test_many(void) {
  enum { MANY = 50000, LAYERS = 2500 };
  const clock_t start = clock();
  hfm_options options;
  tensors t;
  hfm_model *model;
  size_t size;
  memset(&options, 0, sizeof options);
  options.task = HFM_BASE;
  if (!begin(&t, (size_t)MANY * 64)) return;
  for (int i = 0; i < MANY; i++) {
    char name[24];
    snprintf(name, sizeof name, "x%d", i);
    add(&t, name);
  }
  model = load(&t, LAYERS, &options);
  CHECK_INT(hfm_load_report_size(model), MANY + LAYERS * 9 + 2);
  size = hfm_load_report_text(model, "here", 0, NULL, 0);
  CHECK(size > MANY * 20);
  CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 10); /* minutes, if each were compared with each */
  hfm_model_free(model);
  free(t.bytes);
}

/* Without memory for the table there is no text, and nothing is left over. */
static void test_memory(void) {
  failing_alloc memory;
  hfm_options options;
  tensors t;
  hfm_model *model;
  if (!begin(&t, 4096)) return;
  memset(&options, 0, sizeof options);
  failing_alloc_begin(&memory, -1);
  options.allocator = memory.allocator;
  add(&t, "a");
  model = load(&t, 0, &options);
  for (int n = 0; n < 3; n++) {
    const int64_t live = memory.live;
    memory.fail_at = memory.calls + n;
    CHECK_INT(hfm_load_report_text(model, "here", 0, NULL, 0) != 0, n == 2);
    CHECK_INT(memory.live, live);
  }
  hfm_model_free(model);
  CHECK(failing_alloc_clean(&memory));
  free(t.bytes);
}

int main(void) {
  TEST(test_escapes);
  TEST(test_rows);
  TEST(test_many);
  TEST(test_memory);
  return check_report("test_report");
}
