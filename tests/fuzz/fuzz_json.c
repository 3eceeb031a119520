/* The bytes are a JSON text: read strictly and as Python reads it, edited, written, and read again. */
#define HFMODEL_IMPLEMENTATION
#include "fuzz_words.h"

static size_t fuzz_json_write(const hfm__json *doc, char *out, size_t room) {
  hfm__text t = hfm__text_to(out, room);
  hfm__json_write(doc, doc->root, &t);
  return t.length;
}

/* What was written is read again, and written again the same. */
static void fuzz_json_again(const hfm__json *doc, const hfm_allocator *mem) {
  const size_t size = fuzz_json_write(doc, NULL, 0);
  char *text = (char *)malloc(size + 1), *again = (char *)malloc(size + 1);
  hfm__json copy;
  hfm_error error;
  if (text && again && size < (1u << 20)) {
    fuzz_json_write(doc, text, size + 1);
    if (hfm__json_parse(&copy, mem, NULL, text, size, 0, &error) == HFM_OK) {
      FUZZ_REQUIRE(fuzz_json_write(&copy, again, size + 1) == size && memcmp(text, again, size) == 0, text);
      hfm__json_free(&copy);
    } else { /* an infinity became an object, and that may be one level too many */
      FUZZ_REQUIRE(error.item == HFM_E_JSON_DEPTH || error.item == HFM_E_OUT_OF_MEMORY, error.message);
    }
  }
  free(text);
  free(again);
}

FUZZ_TARGET(json) {
  fuzz_memory memory;
  const hfm_options options = fuzz_options(&memory, size);
  /* Only what has such a letter can be NaN or an infinity, which is all that Python reads beyond the rules. */
  const int32_t ways = memchr(data, 'N', size) || memchr(data, 'I', size) ? HFM__JSON_NONFINITE : 0;
  int32_t flags;
  for (flags = 0; flags <= ways; flags++) {
    hfm__json doc;
    hfm_error error;
    memset(&error, 0, sizeof error);
    if (hfm__json_parse(&doc, &options.allocator, "x", (const char *)data, size, flags, &error) == HFM_OK) {
      fuzz_json_again(&doc, &options.allocator);
      if (hfm__json_kind(&doc, doc.root) == HFM__JSON_OBJECT) {
        const uint32_t node = hfm__json_insert(&doc, doc.root, "id2label", 8);
        if (node) (void)hfm__json_set_text(&doc, node, "{\"10\": 1, \"9\": [2]}", 19, 0, &error);
        fuzz_json_again(&doc, &options.allocator);
      }
      hfm__json_free(&doc);
    } else {
      FUZZ_REQUIRE(error.item != HFM_E_NONE && error.message[0], "no error");
      FUZZ_REQUIRE(error.offset <= size, error.message);
    }
    FUZZ_REQUIRE(memory.used == 0, "memory left over");
  }
  return 0;
}

FUZZ_MUTATOR(json) {
  fuzz_edit e = fuzz_edit_begin(data, size, max_size, seed);
  if (fuzz_below(&e, 2)) return FUZZ_MUTATE_BYTES(data, size, max_size);
  (void)fuzz_mutate_json(&e, 0, size, &fuzz_config_words);
  return e.size;
}
