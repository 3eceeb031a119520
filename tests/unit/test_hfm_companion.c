/* tools/hfm_companion.h: which characters a terminal may see, and that only regular files of bounded size are read. */
#include "posix.h"

#include "hfmodel.h"
#include "tools/hfm_companion.h"
#include "check.h"

static const char path[] = "build/test_hfm_companion.tmp";

static void check_clean(const char *text, const char *want) {
  char buffer[64];
  snprintf(buffer, sizeof buffer, "%s", text);
  hfm_companion_clean(buffer);
  CHECK_STR(buffer, want);
}

static void test_clean(void) {
  check_clean("", "");
  check_clean("plain ~", "plain ~");
  check_clean("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80", "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80");
  check_clean("a\x1b[31mb\x07\r\n\t\x7f", "a?[31mb?????");
  check_clean("\xc2\x9b" "2J \xc2\x80 \xc2\x9f", "?2J ? ?");                      /* C1 */
  check_clean("\xe2\x80\xae" "a \xe2\x80\x8e \xe2\x80\x8f \xd8\x9c", "?a ? ? ?"); /* the direction of text */
  check_clean("\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\xaa\xe2\x80\xa8\xe2\x80\xa9", "?????");
  check_clean("\x9b" "31m", "?31m");                                              /* bytes that are no UTF-8 */
  check_clean("\xc3", "?");
  check_clean("\xe2\x82", "??");
  check_clean("\xc0\x9b \xe0\x80\x9b \xf0\x80\x80\x9b", "?? ??? ????");           /* overlong */
  check_clean("\xed\xa0\x80 \xf4\x90\x80\x80 \xff", "??? ???? ?");
}

static void put(const char *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!CHECK(file != NULL)) return;
  fwrite(bytes, 1, size, file);
  fclose(file);
}

static void check_refused(const char *name, size_t most, hfm_result result, int32_t item) {
  unsigned char *bytes;
  size_t size;
  hfm_error error;
  CHECK_INT(hfm_companion_load(name, most, &bytes, &size, &error), result);
  CHECK_INT(error.item, item);
  CHECK_CONTAINS(error.message, name);
  CHECK(bytes == NULL && size == 0);
}

static void test_load(void) {
  unsigned char *bytes;
  size_t size;
  put("12345", 5);
  CHECK_INT(hfm_companion_kind(path), HFM_COMPANION_FILE);
  CHECK_INT(hfm_companion_load(path, 5, &bytes, &size, NULL), HFM_OK);
  CHECK(size == 5 && memcmp(bytes, "12345", 6) == 0);
  free(bytes);
  check_refused(path, 4, HFM_ERROR_LIMIT, HFM_E_FILE_TOO_LARGE);
  remove(path);
  CHECK_INT(hfm_companion_kind(path), HFM_COMPANION_ABSENT);
  check_refused(path, 5, HFM_ERROR_NOT_FOUND, HFM_E_FILE_NOT_FOUND);
  CHECK_INT(hfm_companion_kind("build"), HFM_COMPANION_DIRECTORY);
  check_refused("build", 5, HFM_ERROR_IO, HFM_E_FILE_NOT_REGULAR);
}

static void test_not_regular(void) {
#if !HAS_POSIX
  SKIP("there are no FIFOs here");
#else
  if (CHECK_INT(mkfifo(path, 0600), 0)) check_refused(path, 5, HFM_ERROR_IO, HFM_E_FILE_NOT_REGULAR);
  remove(path);
  if (hfm_companion_kind("/dev/zero") == HFM_COMPANION_OTHER) {
    check_refused("/dev/zero", 1 << 30, HFM_ERROR_IO, HFM_E_FILE_NOT_REGULAR);
  }
#endif
}

static void check_bad_json(const char *text, int32_t item) {
  hfm_config *document;
  hfm_error error;
  put(text, strlen(text));
  CHECK(hfm_companion_load_json(path, &document, &error) != HFM_OK && document == NULL);
  CHECK_INT(error.item, item);
  CHECK_STR(error.file, path);
  CHECK_CONTAINS(error.message, path);
}

static void test_json(void) {
  hfm_config *document;
  put("{\"a\": 7}", 8);
  if (CHECK_INT(hfm_companion_load_json(path, &document, NULL), HFM_OK)) {
    CHECK_INT(hfm_config_get_int(document, "a", 0), 7);
  }
  hfm_config_free(document);
  check_bad_json("{\"a\": 7,}", HFM_E_JSON_SYNTAX);
  check_bad_json("[]", HFM_E_JSON_TYPE);
  remove(path);
}

int main(void) {
  TEST(test_clean);
  TEST(test_load);
  TEST(test_not_regular);
  TEST(test_json);
  return check_report("test_hfm_companion");
}
