/* JSON: rules J1 to J8, the editable document, and text as Python's json.dumps(indent=2, sort_keys=True) writes it. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"
#include "json_test_suite.h"
#include <time.h>

static hfm_allocator system_memory(void) {
  hfm_allocator mem;
  (void)hfm__resolve_allocator(NULL, &mem);
  return mem;
}

/* HFM_E_ item of parsing a text, HFM_E_NONE if it is accepted; the error is poisoned before. */
static int32_t parse(const char *text, size_t size, int32_t flags, hfm_error *error) {
  const hfm_allocator mem = system_memory();
  hfm__json doc;
  hfm_result result;
  memset(error, -1, sizeof *error);
  result = hfm__json_parse(&doc, &mem, "test.json", text, size, flags, error);
  if (result == HFM_OK) {
    hfm__text t = hfm__text_to(NULL, 0);
    hfm__json_write(&doc, doc.root, &t);
    hfm__json_free(&doc);
    return HFM_E_NONE;
  }
  CHECK_INT(error->code, result);
  CHECK(doc.root == 0 && doc.nodes == NULL && doc.text == NULL);
  return error->item;
}

static int32_t parse_text(const char *text, int32_t flags) {
  hfm_error error;
  return parse(text, strlen(text), flags, &error);
}

/* The text and, drawn below it, a '^' under the byte that the error must name. */
typedef struct refusal {
  const char *text, *mark;
  int32_t item;
} refusal;

static void check_refusals(const refusal *cases, size_t count, int32_t flags) {
  for (size_t i = 0; i < count; i++) {
    hfm_error error;
    if (CHECK_INT(parse(cases[i].text, strlen(cases[i].text), flags, &error), cases[i].item)) {
      CHECK_INT(error.offset, strlen(cases[i].mark) - 1);
      CHECK_STR(error.file, "test.json");
      CHECK_CONTAINS(error.message, "expected");
    } else {
      printf("    in %s\n", cases[i].text);
    }
  }
}

/* J1, J8: the public suite. J5 refuses its two files with duplicate keys. */
static void test_suite(void) {
  for (size_t i = 0; i < sizeof json_test_suite / sizeof *json_test_suite; i++) {
    const char *name = json_test_suite[i].name;
    hfm_error error;
    const int32_t item = parse(json_test_suite[i].text, json_test_suite[i].size, 0, &error);
    const int duplicate = strncmp(name, "y_object_duplicated_key", 23) == 0;
    const int ok = duplicate ? item == HFM_E_JSON_DUPLICATE_KEY
                   : name[0] == 'y' ? item == HFM_E_NONE
                                    : name[0] == 'i' || item != HFM_E_NONE;
    if (!CHECK(ok)) printf("    %s\n", name);
    if (item != HFM_E_NONE) CHECK(error.offset <= json_test_suite[i].size);
  }
}

/* J1: one value, strict grammar; each refusal names the byte. */
static void test_grammar(void) {
  static const refusal cases[] = {
      {"", "^", HFM_E_JSON_SYNTAX},
      {"  ", "  ^", HFM_E_JSON_SYNTAX},
      {"[1]abc", "   ^", HFM_E_JSON_TRAILING},
      {"[1] [2]", "    ^", HFM_E_JSON_TRAILING},
      {"[1 2]", "   ^", HFM_E_JSON_SYNTAX},
      {"[1,", "   ^", HFM_E_JSON_SYNTAX},
      {"[", " ^", HFM_E_JSON_SYNTAX},
      {"{", " ^", HFM_E_JSON_SYNTAX},
      {"]", "^", HFM_E_JSON_SYNTAX},
      {"{\"a\"}", "    ^", HFM_E_JSON_SYNTAX},
      {"{\"a\":}", "     ^", HFM_E_JSON_SYNTAX},
      {"{\"a\" 1}", "     ^", HFM_E_JSON_SYNTAX},
      {"{1:2}", " ^", HFM_E_JSON_SYNTAX},
      {"{\"a\":1 \"b\":2}", "       ^", HFM_E_JSON_SYNTAX},
      {"tru", "^", HFM_E_JSON_SYNTAX},
      {"nullx", "    ^", HFM_E_JSON_TRAILING},
      {"\"a", "  ^", HFM_E_JSON_SYNTAX},
      {"\"a\tb\"", "  ^", HFM_E_JSON_SYNTAX},
      {"\"\\q\"", "  ^", HFM_E_JSON_SYNTAX},
      {"\"\\u12g4\"", "     ^", HFM_E_JSON_SYNTAX},
      {"\"\\u12", "     ^", HFM_E_JSON_SYNTAX},
      {"\"\\", "  ^", HFM_E_JSON_SYNTAX},
      {"01", " ^", HFM_E_JSON_SYNTAX},
      {"-", " ^", HFM_E_JSON_SYNTAX},
      {"1.", "  ^", HFM_E_JSON_SYNTAX},
      {"1e+", "   ^", HFM_E_JSON_SYNTAX},
      {".5", "^", HFM_E_JSON_SYNTAX},
      {"+1", "^", HFM_E_JSON_SYNTAX},
      {"'a'", "^", HFM_E_JSON_SYNTAX},
  };
  check_refusals(cases, HFM__COUNT(cases), 0);
}

/* J1: UTF-8 without overlong forms, surrogates or values beyond U+10FFFF. J4: a surrogate escape alone is an error. */
static void test_utf8(void) {
  static const refusal cases[] = {
      {"\"\xc0\x80\"", " ^", HFM_E_JSON_UTF8},         {"\"a\xe0\x80\x80\"", "  ^", HFM_E_JSON_UTF8},
      {"\"\xed\xa0\x80\"", " ^", HFM_E_JSON_UTF8},     {"\"\xf4\x90\x80\x80\"", " ^", HFM_E_JSON_UTF8},
      {"\"\x80\"", " ^", HFM_E_JSON_UTF8},             {"\"\xe2\x82\"", " ^", HFM_E_JSON_UTF8},
      {"{\"\xff\":1}", "  ^", HFM_E_JSON_UTF8},        {"\"\\ud800\"", " ^", HFM_E_JSON_UTF8},
      {"\"x\\udc00\"", "  ^", HFM_E_JSON_UTF8},        {"\"\\ud800\\u0041\"", " ^", HFM_E_JSON_UTF8},
      {"\"\\ud800\\ud800\"", " ^", HFM_E_JSON_UTF8},
  };
  check_refusals(cases, HFM__COUNT(cases), 0);
  CHECK_INT(parse_text("\"\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\\ud83d\\ude00\"", 0), HFM_E_NONE);
}

/* J2: depth 128 is read, 129 refused; a megabyte of brackets costs no stack. */
static void test_depth(void) {
  enum { LONG = 1 << 20 };
  char *text = (char *)malloc(LONG);
  hfm_error error;
  if (!text) return;
  memset(text, '[', LONG);
  memset(text + 128, ']', 128);
  CHECK_INT(parse(text, 256, 0, &error), HFM_E_NONE);
  memset(text, '[', LONG);
  CHECK_INT(parse(text, LONG, 0, &error), HFM_E_JSON_DEPTH);
  CHECK_INT(error.offset, 128);
  CHECK_INT(error.code, HFM_ERROR_LIMIT);
  for (int i = 0; i < LONG - 5; i += 5) memcpy(text + i, "{\"\":[", 5);
  CHECK_INT(parse(text, LONG, 0, &error), HFM_E_JSON_DEPTH);
  free(text);
}

/* J3: no byte order mark, comments, trailing commas or NUL padding. */
static void test_extensions(void) {
  static const refusal cases[] = {
      {"\xef\xbb\xbf{}", "^", HFM_E_JSON_SYNTAX}, {"[1,]", "   ^", HFM_E_JSON_SYNTAX},
      {"{\"a\":1,}", "       ^", HFM_E_JSON_SYNTAX}, {"/**/1", "^", HFM_E_JSON_SYNTAX},
      {"1//x", " ^", HFM_E_JSON_TRAILING},
  };
  hfm_error error;
  check_refusals(cases, HFM__COUNT(cases), 0);
  CHECK_INT(parse("{}\0\0", 4, 0, &error), HFM_E_JSON_TRAILING);
  CHECK_INT(error.offset, 2);
  CHECK_INT(parse("[\0]", 3, 0, &error), HFM_E_JSON_SYNTAX);
}

/* J4: strings carry a length: \u0000 does not end them. */
static void test_nul(void) {
  const hfm_allocator mem = system_memory();
  static const char text[] = "{\"a\\u0000b\": \"x\\u0000y\", \"a\": \"z\", \"a\\u0000c\": 1}";
  hfm__json doc;
  hfm_error error;
  if (!CHECK_INT(hfm__json_parse(&doc, &mem, NULL, text, sizeof text - 1, 0, &error), HFM_OK)) return;
  CHECK_INT(doc.nodes[doc.root].size, 3);
  CHECK_STR(hfm__json_text(&doc, hfm__json_member_of(&doc, doc.root, "a")), "z");
  {
    const uint32_t key = hfm__json_find_key(&doc, doc.root, "a\0b", 3);
    CHECK(key != 0);
    CHECK_INT(doc.nodes[key + 1].size, 3);
    CHECK(hfm__json_text(&doc, key + 1) == NULL); /* C text can't carry it */
  }
  hfm__json_free(&doc);
}

/* J5: a key repeated in one object, compared after unescaping; many keys; equal hashes. */
static void test_duplicates(void) {
  static const refusal cases[] = {
      {"{\"a\":1,\"a\":2}", "       ^", HFM_E_JSON_DUPLICATE_KEY},
      {"{\"a\":1,\"\\u0061\":2}", "       ^", HFM_E_JSON_DUPLICATE_KEY},
      {"{\"\\/\":1,\"b\":2,\"/\":3}", "              ^", HFM_E_JSON_DUPLICATE_KEY},
      {"{\"\xc3\xa9\":1,\"\\u00e9\":2}", "        ^", HFM_E_JSON_DUPLICATE_KEY},
      {"[{\"x\":{\"k\":1,\"k\":1}}]", "             ^", HFM_E_JSON_DUPLICATE_KEY},
      {"{\"\":1,\"\":2}", "      ^", HFM_E_JSON_DUPLICATE_KEY},
  };
  enum { MANY = 20000 };
  char *text = (char *)malloc(MANY * 16), last[16];
  hfm_error error;
  size_t n = 0, at = 0;
  check_refusals(cases, HFM__COUNT(cases), 0);
  CHECK_INT(parse_text("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":2}}", 0), HFM_E_NONE);
  if (!text) return;
  text[n++] = '{';
  for (int i = 0; i < MANY; i++) {
    hfm__text t = hfm__text_to(last, sizeof last);
    hfm__text_format(&t, "%s\"k%d\":1", i ? "," : "", i == MANY - 1 ? 4711 : i);
    at = n + 1;
    memcpy(text + n, last, t.length);
    n += t.length;
  }
  text[n++] = '}';
  CHECK_INT(parse(text, n, 0, &error), HFM_E_JSON_DUPLICATE_KEY);
  CHECK_INT(error.offset, at);
  free(text);
}

/* J6: integers are -?(0|[1-9][0-9]*) that fit; a million digits cost a million steps. */
static void test_numbers(void) {
  static const struct {
    const char *text;
    int fits;
    int64_t value;
  } integers[] = {
      {"0", 1, 0},           {"-1", 1, -1},        {"9223372036854775807", 1, INT64_MAX},
      {"4.0", 0, 0},         {"4e0", 0, 0},        {"9223372036854775808", 0, 0},
      {"-0", 0, 0},          {"", 0, 0},           {"-9223372036854775808", 1, INT64_MIN},
      {"-", 0, 0},           {"12a", 0, 0},        {"-9223372036854775809", 0, 0},
      {"\"4\"", 0, 0},       {"NaN", 0, 0},        {"99999999999999999999999", 0, 0},
  };
  static const char list[] = "[3, 2.5, 1e999, \"1\"]";
  enum { DIGITS = 1000000 };
  char *digits = (char *)malloc(DIGITS);
  const hfm_allocator mem = system_memory();
  hfm__json doc;
  hfm_error error;
  double value = 0;
  for (size_t i = 0; i < HFM__COUNT(integers); i++) {
    int64_t got = 0;
    CHECK_INT(hfm__json_i64(integers[i].text, strlen(integers[i].text), &got), integers[i].fits);
    if (integers[i].fits) CHECK_INT(got, integers[i].value);
  }
  if (!digits) return;
  memset(digits, '7', DIGITS);
  CHECK_INT(parse(digits, DIGITS, 0, &error), HFM_E_NONE);
  CHECK(hfm__parse_double(digits, DIGITS, &value) && (hfm__double_bits(value) >> 52) == 0x7ff);
  digits[0] = '0';
  digits[1] = '.';
  CHECK(hfm__parse_double(digits, DIGITS, &value));
  CHECK_NEAR(value, 7.0 / 9, 1e-15);
  free(digits);
  /* a float field takes an integer, and no infinity */
  if (!CHECK_INT(hfm__json_parse(&doc, &mem, NULL, list, strlen(list), 0, &error), HFM_OK)) return;
  CHECK(hfm__json_double(&doc, doc.nodes[doc.root].start, &value) && value == 3);
  CHECK(hfm__json_double(&doc, doc.nodes[doc.root].start + 1, &value) && value == 2.5);
  CHECK(!hfm__json_double(&doc, doc.nodes[doc.root].start + 2, &value));
  CHECK(!hfm__json_double(&doc, doc.nodes[doc.root].start + 3, &value));
  hfm__json_free(&doc);
}

/* J7: NaN and the infinities only where Python's json wrote the file. */
static void test_nonfinite(void) {
  static const refusal strict[] = {{"[NaN]", " ^", HFM_E_JSON_SYNTAX},
                                   {"[Infinity]", " ^", HFM_E_JSON_SYNTAX},
                                   {"[-Infinity]", "  ^", HFM_E_JSON_SYNTAX}};
  static const refusal wrong[] = {{"[nan]", " ^", HFM_E_JSON_SYNTAX}, {"[-NaN]", "  ^", HFM_E_JSON_SYNTAX},
                                  {"[Inf]", " ^", HFM_E_JSON_SYNTAX}};
  check_refusals(strict, HFM__COUNT(strict), 0);
  check_refusals(wrong, HFM__COUNT(wrong), HFM__JSON_NONFINITE);
  CHECK_INT(parse_text("[NaN, Infinity, -Infinity]", HFM__JSON_NONFINITE), HFM_E_NONE);
}

/* What json.dumps(json.loads(text), indent=2, sort_keys=True) gives. */
static void test_writing(void) {
  static const struct {
    const char *text, *written;
  } cases[] = {
      {"{}", "{}"},
      {"[ ]", "[]"},
      {" null ", "null"},
      {"[[],{},[[]]]", "[\n  [],\n  {},\n  [\n    []\n  ]\n]"},
      {"{\"b\":1,\"a\":[1,2],\"B\":{\"x\":null}}",
       "{\n  \"B\": {\n    \"x\": null\n  },\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": 1\n}"},
      {"[1.0, 1E5, 1e-12, 1e16, 0.00001, -0, -0.0, 100000000000000000000000, 0.1000]",
       "[\n  1.0,\n  100000.0,\n  1e-12,\n  1e+16,\n  1e-05,\n  0,\n  -0.0,\n  100000000000000000000000,\n  0.1\n]"},
      {"\"\\u00e9\xe2\x82\xac\xf0\x9f\x98\x80\\b\\f\\n\\r\\t\\\\\\/\\\"\x7f\\u0001\"",
       "\"\\u00e9\\u20ac\\ud83d\\ude00\\b\\f\\n\\r\\t\\\\/\\\"\x7f\\u0001\""},
      {"{\"2\":0,\"10\":1,\"1\":2}", "{\n  \"1\": 2,\n  \"10\": 1,\n  \"2\": 0\n}"},
      {"{\"id2label\":{\"2\":\"c\",\"10\":\"x\",\"1\":\"b\"}}",
       "{\n  \"id2label\": {\n    \"1\": \"b\",\n    \"2\": \"c\",\n    \"10\": \"x\"\n  }\n}"},
      {"[NaN,-Infinity,1e999]",
       "[\n  {\n    \"__float__\": \"NaN\"\n  },\n  {\n    \"__float__\": \"-Infinity\"\n  },\n  {\n    \"__float__\": "
       "\"Infinity\"\n  }\n]"},
      {"{\"\xc3\xa9\":1,\"z\":2,\"\xf0\x9f\x98\x80\":3,\"\xef\xbf\xbd\":4}",
       "{\n  \"z\": 2,\n  \"\\u00e9\": 1,\n  \"\\ufffd\": 4,\n  \"\\ud83d\\ude00\": 3\n}"},
  };
  const hfm_allocator mem = system_memory();
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    hfm__json doc;
    hfm_error error;
    char written[512];
    hfm__text t = hfm__text_to(written, sizeof written);
    const char *text = cases[i].text;
    const hfm_result result = hfm__json_parse(&doc, &mem, NULL, text, strlen(text), HFM__JSON_NONFINITE, &error);
    if (!CHECK_INT(result, HFM_OK)) continue;
    hfm__json_write(&doc, doc.root, &t);
    CHECK_STR(written, cases[i].written);
    hfm__json_free(&doc);
  }
}

/* Members are kept sorted through any number of insertions. */
static void test_many_members(void) {
  const hfm_allocator mem = system_memory();
  hfm__json doc;
  hfm_error error;
  static const char start[] = "{\"k500\":0,\"k2\":0,\"\":0}";
  char name[24];
  uint32_t last = 0, seen = 0;
  if (!CHECK_INT(hfm__json_parse(&doc, &mem, NULL, start, strlen(start), 0, &error), HFM_OK)) return;
  for (int i = 0; i < 1000; i++) {
    hfm__text t = hfm__text_to(name, sizeof name);
    hfm__text_format(&t, "k%d", i * 7919 % 1000);
    CHECK(hfm__json_insert(&doc, doc.root, name, t.length) != 0);
  }
  for (uint32_t key = hfm__json_first(&doc, doc.root); key; key = hfm__json_following(&doc, key)) {
    if (last) CHECK(hfm__json_key_less(&doc, last, key, 0));
    last = key;
    seen++;
  }
  CHECK_INT(seen, 1001);
  hfm__json_remove(&doc, doc.root, "", 0);
  hfm__json_remove(&doc, doc.root, "k999", 4);
  hfm__json_remove(&doc, doc.root, "k10", 3);
  hfm__json_remove(&doc, doc.root, "absent", 6);
  CHECK_INT(doc.nodes[doc.root].size, 998);
  CHECK(!hfm__json_member_of(&doc, doc.root, "k10") && hfm__json_member_of(&doc, doc.root, "k100"));
  hfm__json_free(&doc);
}

/* Finding agrees with walking, after any edits, in the order of names and of numbers; and is fast where there are
   many. */
static void test_finding(void) {
  enum { MEMBERS = 200000, NAMES = 600, EDITS = 20000 };
  static const char *const kinds[] = {"root", "id2label"};
  const hfm_allocator mem = system_memory();
  const size_t room = MEMBERS * 16;
  char *text = (char *)malloc(room), name[24];
  hfm_error error;
  hfm__json doc;
  if (!CHECK(text != NULL)) return;
  for (int numeric = 0; numeric < 2; numeric++) {
    hfm__text t = hfm__text_to(text, room);
    uint8_t has[NAMES];
    uint32_t random = 1, object;
    memset(has, 0, sizeof has);
    hfm__text_format(&t, "{\"%s\":{", kinds[numeric]);
    for (int i = 0; i < NAMES; i += 2) {
      hfm__text_format(&t, "%s\"%d\":%d", i ? "," : "", i, i);
      has[i] = 1;
    }
    hfm__text_str(&t, "}}");
    if (!CHECK_INT(hfm__json_parse(&doc, &mem, NULL, text, t.length, 0, &error), HFM_OK)) break;
    object = hfm__json_member_of(&doc, doc.root, kinds[numeric]);
    for (int i = 0; i < EDITS; i++) {
      uint32_t number, node, found;
      random = random * 1664525u + 1013904223u;
      number = (random >> 8) % NAMES;
      t = hfm__text_to(name, sizeof name);
      hfm__text_format(&t, "%d", (int)number);
      found = hfm__json_find_key(&doc, object, name, t.length);
      if (!CHECK_INT(found != 0, has[number]) || (found && !CHECK(hfm__json_key_is(&doc, found, name, t.length))))
        break;
      if (random >> 31) {
        node = hfm__json_insert(&doc, object, name, t.length);
        if (!CHECK(node != 0)) break;
        has[number] = 1;
      } else if (random >> 30 & 1) {
        hfm__json_remove(&doc, object, name, t.length);
        has[number] = 0;
      }
    }
    object = 0;
    for (int i = 0; i < NAMES; i++) object += has[i];
    CHECK_INT(doc.nodes[hfm__json_member_of(&doc, doc.root, kinds[numeric])].size, object);
    hfm__json_free(&doc);
  }
  {
    hfm__text t = hfm__text_to(text, room);
    clock_t start;
    for (int i = 0; i < MEMBERS; i++) hfm__text_format(&t, "%s\"k%d\":0", i ? "," : "{", i);
    hfm__text_str(&t, "}");
    if (CHECK_INT(hfm__json_parse(&doc, &mem, NULL, text, t.length, 0, &error), HFM_OK)) {
      start = clock();
      for (int i = 0; i < MEMBERS; i++) {
        t = hfm__text_to(name, sizeof name);
        hfm__text_format(&t, "k%d", i);
        if (!CHECK(hfm__json_find_key(&doc, doc.root, name, t.length) != 0)) break;
      }
      CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 5); /* minutes, one after the other */
      hfm__json_free(&doc);
    }
  }
  free(text);
}

static const char sample[] =
    "{\"architectures\": [\"BertModel\"], \"hidden_size\": 24, \"eps\": 1e-12, \"use\": true, \"none\": null,\n"
    " \"id2label\": {\"0\": \"A\\u00e9\\ud83d\\ude00\", \"1\": \"B\"}, \"nested\": {\"a\": [1, [2, {\"x\": []}]]}}";

/* F9: every prefix and every change of one byte ends in a verdict, never in a crash; errors lie inside the text. */
static void test_every_prefix_and_byte(void) {
  char text[sizeof sample];
  hfm_error error;
  for (size_t n = 0; n < sizeof sample - 1; n++) {
    CHECK(parse(sample, n, 0, &error) != HFM_E_NONE);
    CHECK(error.offset <= n);
  }
  for (size_t i = 0; i < sizeof sample - 1; i++) {
    for (int value = 0; value < 256; value++) {
      memcpy(text, sample, sizeof sample);
      text[i] = (char)value;
      if (parse(text, sizeof sample - 1, HFM__JSON_NONFINITE, &error) != HFM_E_NONE)
        CHECK(error.offset <= sizeof sample - 1);
    }
  }
}

/* F9: whichever allocation fails, the error is clean and nothing leaks. */
static void test_every_allocation(void) {
  static const char added[] = "[1, {\"a\": 2, \"b\": 3}]";
  failing_alloc memory;
  for (int64_t n = 0;; n++) {
    hfm__json doc;
    hfm_error error;
    hfm_result result;
    failing_alloc_begin(&memory, n);
    result = hfm__json_parse(&doc, &memory.allocator, NULL, sample, sizeof sample - 1, 0, &error);
    if (result == HFM_OK) {
      const uint32_t node = hfm__json_insert(&doc, doc.root, "fresh", 5);
      if (node) (void)hfm__json_set_text(&doc, node, added, strlen(added), 0, &error);
      hfm__json_free(&doc);
    } else {
      CHECK_INT(result, HFM_ERROR_MEMORY);
      CHECK_INT(error.item, HFM_E_OUT_OF_MEMORY);
    }
    CHECK(failing_alloc_clean(&memory));
    if (!memory.failed) break;
  }
  CHECK(memory.calls > 3);
}

int main(void) {
  TEST(test_suite);
  TEST(test_grammar);
  TEST(test_utf8);
  TEST(test_depth);
  TEST(test_extensions);
  TEST(test_nul);
  TEST(test_duplicates);
  TEST(test_numbers);
  TEST(test_nonfinite);
  TEST(test_writing);
  TEST(test_many_members);
  TEST(test_finding);
  TEST(test_every_prefix_and_byte);
  TEST(test_every_allocation);
  return check_report("test_json");
}
