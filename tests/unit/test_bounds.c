/* What a stranger's file may cost: memory stays within the file's size and 64 MiB, whatever the file says (P4, P6, C2
   and the bound of docs/security.md). Each file here is made of the cheapest bytes that make a reader keep
   something. */
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include "gguf_writer.h"
#include "one_file.h"
#include "torch_archive.h"

enum { MIB = 1 << 20 };

/* A file under construction. */
typedef struct bytes {
  char *data;
  size_t size, room;
} bytes;

static int begin(bytes *b, size_t room) {
  b->data = (char *)malloc(room);
  b->size = 0;
  b->room = room;
  return CHECK(b->data != NULL);
}
static void add(bytes *b, const void *data, size_t size) {
  if (!CHECK(size <= b->room - b->size)) return;
  memcpy(b->data + b->size, data, size);
  b->size += size;
}
static void add_text(bytes *b, const char *text) { add(b, text, strlen(text)); }
static void add_many(bytes *b, const char *text, size_t size, size_t times) {
  for (size_t i = 0; i < times; i++) add(b, text, size);
}

static int ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

/* Judges a file within the bound; 0: sound. `limit` is max_structure_bytes, 0 the default. */
static int32_t judge_file(const char *name, const bytes *b, uint64_t limit, hfm_error *error) {
  const uint64_t most = (limit ? limit : 64 * (uint64_t)MIB) + b->size;
  failing_alloc memory;
  one_file served;
  hfm_options options;
  hfm_result result;
  memset(&options, 0, sizeof options);
  failing_alloc_begin(&memory, -1);
  options.allocator = memory.allocator;
  options.io = one_file_io(&served, name, b->data, b->size);
  options.io.map = NULL; /* so that what is read counts, too */
  options.limits.max_structure_bytes = limit;
  options.limits.max_config_bytes = (uint64_t)1 << 30;
  result = hfm_check_file(name, &options, error);
  if (!CHECK(memory.peak_bytes <= (int64_t)most))
    printf("    %s: %d bytes for a file of %d\n", name, (int)memory.peak_bytes, (int)b->size);
  CHECK(failing_alloc_clean(&memory));
  if (!ends_with(name, ".json")) { /* the same with what the caller gets of it, metadata included */
    hfm_contents *contents = NULL;
    hfm_error other;
    failing_alloc_begin(&memory, -1);
    options.allocator = memory.allocator;
    if (hfm_read_contents(name, &options, &contents, &other) != HFM_OK && result == HFM_OK)
      CHECK_INT(other.item, HFM_E_FILE_STRUCTURE);
    if (!CHECK(memory.peak_bytes <= (int64_t)most)) printf("    %s: %d bytes\n", name, (int)memory.peak_bytes);
    hfm_contents_free(contents);
    CHECK(failing_alloc_clean(&memory));
  }
  if (result == HFM_OK && ends_with(name, "config.json")) { /* what is only read above becomes a document */
    hfm_config *config = NULL;
    failing_alloc_begin(&memory, -1);
    options.allocator = memory.allocator;
    result = hfm_config_parse(b->data, b->size, &options, &config, error);
    if (!CHECK(memory.peak_bytes <= (int64_t)most)) printf("    %s: %d bytes\n", name, (int)memory.peak_bytes);
    hfm_config_free(config);
    CHECK(failing_alloc_clean(&memory));
  }
  return result == HFM_OK ? (int32_t)HFM_E_NONE : error->item;
}

/* An archive that holds one pickle, of any size. */
static void wrap(bytes *b) {
  const part parts[] = {{"m/data.pkl", NULL, 0}};
  const size_t size = b->size;
  archive a;
  make_zip(&a, parts, 1, 0);
  poke(&a, a.central[0] + 20, size | (uint64_t)size << 32, 8);
  poke(&a, a.end + 16, a.directory + size, 4);
  if (!CHECK(size + a.size <= b->room)) return;
  memmove(b->data + a.directory, b->data, size);
  memcpy(b->data, a.bytes, a.directory);
  memcpy(b->data + a.directory + size, a.bytes + a.directory, a.size - a.directory);
  b->size = size + a.size;
}

/* P6: an instruction of one byte makes an object, a mark, a place on the stack. P4: a memo as large as its largest
   slot. */
static void test_pickles(void) {
  static const struct {
    const char *what, *text;
    size_t size;
    int32_t refused; /* where it makes more than the bound has room for */
  } cases[] = {
      {"empty tuples", ")", 1, 0},      {"empty lists", "]", 1, 1},  {"empty dicts", "}", 1, 1},
      {"marks", "(", 1, 0},             {"numbers", "M\1\1", 3, 1},  {"small numbers", "K\1", 2, 0},
      {"nothing", "N", 1, 0},           {"truth", "\x88", 1, 0},     {"empty strings", "U\0", 2, 1},
      {"cells", "Na", 2, 1},            {"sets", "\x8f", 1, 1},      {"pairs in tuples", "NN\x86", 3, 1},
  };
  bytes b;
  hfm_error error;
  if (!begin(&b, 7 * MIB)) return;
  for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
    int32_t item;
    if (!check_turn()) continue;
    b.size = 0;
    add(&b, "\x80\2]", 3);
    add_many(&b, cases[i].text, cases[i].size, 6 * (size_t)MIB / cases[i].size);
    wrap(&b);
    item = judge_file("x.bin", &b, 0, &error); /* without STOP: if it gets there */
    if (!CHECK_INT(item, cases[i].refused ? HFM_E_FILE_STRUCTURE : HFM_E_PICKLE_TRUNCATED))
      printf("    %s: %s\n", cases[i].what, error.message);
    if (cases[i].refused) CHECK_CONTAINS(error.message, "x.bin: what it describes takes 67108864 bytes");
  }
  for (uint32_t over = 0; over < 2; over++) { /* a slot as far as there are bytes before it, and one more */
    char put[5] = {'r', 0, 0, 0, 0};
    const size_t slot = 6 * (size_t)MIB + 8 + over;
    b.size = 0;
    add(&b, "\x80\2}", 3);
    add_many(&b, "N0", 2, 3 * (size_t)MIB);
    for (int k = 0; k < 4; k++) put[1 + k] = (char)(slot >> 8 * k);
    add(&b, put, 5);
    add(&b, ".", 1);
    wrap(&b);
    CHECK_INT(judge_file("x.bin", &b, 0, &error), over ? HFM_E_PICKLE_MEMO : HFM_E_NONE);
  }
  free(b.data);
}

/* A legacy stream has the same machine. */
static void test_legacy_stream(void) {
  static const char head[] = "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3."
                             "\x80\2}U\15little_endian\x88s.\x80\2";
  bytes b;
  hfm_error error;
  if (!begin(&b, 5 * MIB)) return;
  add(&b, head, sizeof head - 1);
  add_many(&b, "}", 1, 4 * (size_t)MIB);
  CHECK_INT(judge_file("x.bin", &b, 0, &error), HFM_E_FILE_STRUCTURE);
  free(b.data);
}

/* Tensors without elements cost their entry in the header; a hundred thousand are read, millions are not. */
static void test_empty_tensors(void) {
  for (int many = 0; many < 2; many++) {
    const size_t count = many ? 500000 : 100000;
    bytes b;
    hfm_error error;
    uint64_t header;
    if (!check_turn()) continue;
    if (!begin(&b, count * 64)) return;
    b.size = 8;
    for (size_t i = 0; i < count; i++) {
      char entry[80];
      snprintf(entry, sizeof entry, "%c\"%d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", i ? ',' : '{',
               (int)i);
      add_text(&b, entry);
    }
    add_text(&b, "}");
    header = b.size - 8;
    for (int k = 0; k < 8; k++) b.data[k] = (char)(header >> 8 * k);
    CHECK_INT(judge_file("x.safetensors", &b, 0, &error), many ? HFM_E_FILE_STRUCTURE : HFM_E_NONE);
    free(b.data);
  }
}

/* J, F3: values of two bytes, keys of four; a file that is only checked is never held as a document. */
static void test_json(void) {
  bytes b;
  hfm_error error;
  if (!begin(&b, 16 * MIB)) return;
  add_text(&b, "{\"a\":[0");
  add_many(&b, ",0", 2, 7 * (size_t)MIB);
  add_text(&b, "]}");
  CHECK_INT(judge_file("tokenizer.json", &b, 0, &error), HFM_E_NONE);
  CHECK_INT(judge_file("config.json", &b, 0, &error), HFM_E_FILE_STRUCTURE);
  b.size = 0;
  for (int i = 0; i < 400000; i++) {
    char member[16];
    snprintf(member, sizeof member, "%c\"%x\":0", i ? ',' : '{', (unsigned)i);
    add_text(&b, member);
  }
  add_text(&b, "}");
  CHECK_INT(judge_file("vocab.json", &b, 0, &error), HFM_E_NONE);
  CHECK_INT(judge_file("vocab.json", &b, MIB, &error), HFM_E_FILE_STRUCTURE);
  CHECK_INT(judge_file("config.json", &b, 0, &error), HFM_E_NONE);
  b.size = 0;
  add_many(&b, "[", 1, 128);
  add_many(&b, "]", 1, 128);
  CHECK_INT(judge_file("deep.json", &b, MIB, &error), HFM_E_NONE);
  free(b.data);
}

/* An index of a million tensors in one shard, or each in its own; a directory of as many entries. */
static void test_index(void) {
  for (int own = 0; own < 2; own++) {
    const size_t count = own ? 900000 : 300000;
    bytes b;
    hfm_error error;
    if (!check_turn()) continue;
    if (!begin(&b, count * 48)) return;
    for (size_t i = 0; i < count; i++) {
      char member[64];
      snprintf(member, sizeof member, "%s\"%d\":\"%d.safetensors\"", i ? "," : "{\"weight_map\":{", (int)i,
               own ? (int)i : 0);
      add_text(&b, member);
    }
    add_text(&b, "}}");
    CHECK_INT(judge_file("model.safetensors.index.json", &b, 0, &error),
              own ? HFM_E_FILE_STRUCTURE : HFM_E_FILE_NOT_FOUND);
    free(b.data);
  }
}

static void test_zip_directory(void) {
  enum { COUNT = 60000 };
  bytes b;
  archive a;
  hfm_error error;
  const size_t directory = (size_t)COUNT * 37;
  if (!begin(&b, (size_t)COUNT * 96 + 64)) return;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < COUNT; i++) {
      char name[16];
      const size_t n = (size_t)snprintf(name, sizeof name, "m/%05d", (int)i);
      memset(&a, 0, sizeof a);
      if (pass) {
        put(&a, 0x02014b50, 4);
        put(&a, 0, 24);
        put(&a, n, 4);
        put(&a, 0, 10);
        put(&a, i * (30 + n), 4);
      } else {
        put(&a, 0x04034b50, 4);
        put(&a, 0, 22);
        put(&a, n, 4);
      }
      add(&b, a.bytes, a.size);
      add(&b, name, n);
    }
  }
  memset(&a, 0, sizeof a);
  put(&a, 0x06054b50, 4);
  put(&a, 0, 4);
  put(&a, COUNT, 2);
  put(&a, COUNT, 2);
  put(&a, b.size - directory, 4);
  put(&a, directory, 4);
  put(&a, 0, 2);
  add(&b, a.bytes, a.size);
  CHECK_INT(judge_file("x.bin", &b, 0, &error), HFM_E_TORCH_ENTRY); /* no data.pkl among them */
  CHECK_INT(judge_file("x.bin", &b, 4096, &error), HFM_E_FILE_STRUCTURE);
  free(b.data);
}

/* G2, G3: the shortest keys, tensors and lists; keys as long as they may be. A hundred thousand are read, millions
   not. */
static void test_gguf(void) {
  enum { KEYS, LONG_KEYS, TENSORS, LISTS, KINDS };
  static const char *const what[] = {"keys", "long keys", "tensors", "lists"};
  static const uint64_t counts[] = {2000000, 200, 1000000, 300000};
  static const uint64_t few[] = {200000, 100, 100000, 100000};
  bytes b;
  if (!begin(&b, 40 * MIB)) return;
  for (int kind = 0; kind < KINDS; kind++) {
    for (int many = 0; many < 2; many++) {
      const uint64_t count = many ? counts[kind] : few[kind];
      hfm_error error;
      gguf_writer w;
      int32_t item;
      if (!check_turn()) continue;
      b.size = 0;
      gguf_begin(&w, kind == TENSORS ? count : 0, kind == TENSORS ? 0 : count);
      add(&b, w.bytes, w.size);
      for (uint64_t i = 0; i < count; i++) {
        char name[16];
        w.size = 0;
        snprintf(name, sizeof name, "%x", (unsigned)i);
        if (kind == TENSORS) {
          static const uint64_t none[1] = {0};
          gguf_tensor(&w, name, 1, none, 0, 0);
        } else if (kind == LONG_KEYS) {
          gguf_put(&w, 8, 65535);
          add(&b, w.bytes, w.size);
          w.size = 0;
          add_many(&b, "k", 1, 65535 - 8);
          snprintf(name, sizeof name, "%08x", (unsigned)i);
          add_text(&b, name);
          gguf_put(&w, 4, GGUF_U8), gguf_put(&w, 1, 0);
        } else if (kind == LISTS) {
          gguf_key(&w, name, GGUF_LIST), gguf_put(&w, 4, GGUF_STRING), gguf_put(&w, 8, 2), gguf_put(&w, 8, 0);
          gguf_put(&w, 8, 0);
        } else {
          gguf_key(&w, name, GGUF_U8), gguf_put(&w, 1, 0);
        }
        add(&b, w.bytes, w.size);
      }
      add_many(&b, "\0", 1, 32); /* where the data would begin */
      item = judge_file("x.gguf", &b, 0, &error);
      if (!CHECK(item == (int32_t)HFM_E_NONE || (many && item == (int32_t)HFM_E_FILE_STRUCTURE)))
        printf("    %s: %s\n", what[kind], error.message);
    }
  }
  free(b.data);
}

int main(void) {
  TEST(test_pickles);
  TEST(test_legacy_stream);
  TEST(test_empty_tensors);
  TEST(test_json);
  TEST(test_index);
  TEST(test_zip_directory);
  TEST(test_gguf);
  return check_report("test_bounds");
}
