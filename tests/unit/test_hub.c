/* The hub cache (formats.md 3.3): names are judged before they become paths; snapshots are found as huggingface_hub
   finds them, and what is absent says how to get it. */
#include "posix.h"

#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static void test_repo_ids(void) {
  static const char *const good[] = {"bert-base-uncased", "a",          "org/name", "openai-community/gpt2",
                                     "a.b/c_d-e.f",       "_x/_y"};
  static const char *const bad[] = {"",     "/",    "a/",         "/a",   "a/b/c", "a//b",    "..",           "../a",
                                    "a/..", "a..b", "a--b",       "-a",   "a-",    ".a",      "a.",           "a b",
                                    "C:a",  "a\\b", "org/na--me", "a\nb", "~/x",   "a/b.git", "caf\xc3\xa9", "$HOME",
                                    "\xff\xfe", "a/\xc3(", "a\x7f"};
  char longest[110];
  for (size_t i = 0; i < HFM__COUNT(good); i++)
    if (!CHECK(hfm__is_repo_id(good[i]))) printf("    %s\n", good[i]);
  for (size_t i = 0; i < HFM__COUNT(bad); i++)
    if (!CHECK(!hfm__is_repo_id(bad[i]))) printf("    %s\n", bad[i]);
  memset(longest, 'a', sizeof longest);
  longest[96] = 0;
  CHECK(hfm__is_repo_id(longest));
  longest[96] = 'a';
  longest[97] = 0;
  CHECK(!hfm__is_repo_id(longest));
}

static void test_commits(void) {
  CHECK(hfm__is_commit(COMMIT, 40));
  CHECK(!hfm__is_commit(COMMIT, 39));
  CHECK(!hfm__is_commit("0123456789ABCDEF0123456789abcdef01234567", 40));
  CHECK(!hfm__is_commit("../3456789abcdef0123456789abcdef01234567", 40));
}

#if HAS_POSIX
static const char root[] = "test_hub.tmp";

static void make_dirs(const char *path) {
  char part[512];
  for (size_t i = 0; i <= strlen(path); i++) {
    if (path[i] != '/' && path[i] != 0) continue;
    memcpy(part, path, i);
    part[i] = 0;
    if (i) (void)mkdir(part, 0755);
  }
}

static void make_file(const char *dir, const char *name, const char *text) {
  char path[512];
  hfm__text t = hfm__text_to(path, sizeof path);
  FILE *file;
  hfm__text_format(&t, "%s/%s/%s", root, dir, name);
  path[strlen(path) - strlen(strrchr(path, '/'))] = 0;
  make_dirs(path);
  path[strlen(path)] = '/';
  file = fopen(path, "wb");
  if (!CHECK(file != NULL)) return;
  fputs(text, file);
  fclose(file);
}

static void clear_environment(void) {
  static const char *const names[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE", "HF_HOME",
                                      "XDG_CACHE_HOME"};
  for (size_t i = 0; i < HFM__COUNT(names); i++) (void)unsetenv(names[i]);
  (void)system("rm -rf test_hub.tmp");
}

/* Resolves a name; the answer lies in `answer`, "" on failure. */
static int32_t resolve(const char *name, const hfm_options *options, char answer[512], hfm_error *error) {
  hfm__context ctx;
  char *dir = NULL;
  hfm__text t = hfm__text_to(answer, 512);
  memset(error, -1, sizeof *error);
  CHECK_INT(hfm__context_init(options, &ctx, error), HFM_OK);
  if (hfm__resolve_model_path(&ctx, name, options, &dir, error) != HFM_OK) {
    CHECK(dir == NULL);
    return error->item;
  }
  hfm__text_str(&t, dir);
  hfm__free_text(&ctx.mem, dir);
  return HFM_E_NONE;
}

static hfm_options options_of(const char *cache, const char *revision) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.cache_dir = cache;
  options.revision = revision;
  return options;
}

/* An existing directory or file is itself, even where a repository has that name. */
static void test_existing(void) {
  const hfm_options options = options_of(root, NULL);
  char answer[512];
  hfm_error error;
  clear_environment();
  make_file("local", "config.json", "{}");
  CHECK_INT(resolve("test_hub.tmp/local", &options, answer, &error), HFM_E_NONE);
  CHECK_STR(answer, "test_hub.tmp/local");
  CHECK_INT(resolve("test_hub.tmp/local/config.json", &options, answer, &error), HFM_E_NONE);
  CHECK_INT(resolve("./no/such/dir", &options, answer, &error), HFM_E_REPO_ID);
  CHECK_CONTAINS(error.message, "./no/such/dir");
  clear_environment();
}

static void test_snapshots(void) {
  char answer[512];
  hfm_error error;
  hfm_options options = options_of(root, NULL);
  clear_environment();
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_REPO_NOT_CACHED);
  CHECK_CONTAINS(error.message, "hf download org/name");
  make_file("models--org--name/snapshots/" COMMIT, "config.json", "{}");
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_REVISION_NOT_CACHED);
  make_file("models--org--name/refs", "main", COMMIT);
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_NONE);
  CHECK_STR(answer, "test_hub.tmp/models--org--name/snapshots/" COMMIT);
  make_file("models--org--name/refs", "main", COMMIT "\n"); /* a newline is tolerated */
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_NONE);
  options.revision = "refs/pr/1";
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_REVISION_NOT_CACHED);
  CHECK_CONTAINS(error.message, "hf download org/name --revision 'refs/pr/1'");
  make_file("models--org--name/refs/refs/pr", "1", COMMIT);
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_NONE);
  options.revision = COMMIT; /* a commit needs no ref */
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_NONE);
  options.revision = "ffffffffffffffffffffffffffffffffffffffff";
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_REVISION_NOT_CACHED);
  options.revision = NULL;
  make_file("models--single/refs", "main", COMMIT);
  make_file("models--single/snapshots/" COMMIT, "config.json", "{}");
  CHECK_INT(resolve("single", &options, answer, &error), HFM_E_NONE);
  clear_environment();
}

/* A ref's content and a revision's name are not believed. */
static void test_hostile_refs(void) {
  static const char *const contents[] = {"", "../../../../etc", "main", COMMIT "0", "0123", COMMIT "/..", "\n\n"};
  static const char *const revisions[] = {"../../x", "/etc/passwd", "a/../../b", "C:x", "a\\..\\b", "a\nb", "..", "a:b",
                                          "refs/../../x", "\\\\host\\share"};
  char answer[512], longest[400];
  hfm_error error;
  hfm_options options = options_of(root, NULL);
  clear_environment();
  for (size_t i = 0; i < HFM__COUNT(contents); i++) {
    make_file("models--org--name/refs", "main", contents[i]);
    CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_REVISION_NOT_CACHED);
  }
  for (size_t i = 0; i < HFM__COUNT(revisions); i++) {
    options.revision = revisions[i];
    if (!CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_ARGUMENT_VALUE))
      printf("    %s\n", revisions[i]);
    CHECK_STR(error.what, "revision");
  }
  options.revision = "\xff\xfe\xc3("; /* no UTF-8: a name like another, but in no text */
  make_file("models--org--name/refs", "main", COMMIT);
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_REVISION_NOT_CACHED);
  for (const char *c = error.message; *c; c++) CHECK((uint8_t)*c >= 0x20 && (uint8_t)*c < 0x7f);
  make_file("models--org--name/refs", options.revision, COMMIT);
  make_file("models--org--name/snapshots/" COMMIT, "config.json", "{}");
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_NONE);
  memset(longest, 'x', sizeof longest);
  longest[sizeof longest - 1] = 0;
  options.revision = longest;
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_ARGUMENT_VALUE);
  clear_environment();
}

/* cache_dir, HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, TRANSFORMERS_CACHE, XDG_CACHE_HOME, HOME. */
static void test_root(void) {
  char path[256];
  hfm__text t;
  clear_environment();
#define ROOT(cache_dir, expected)             \
  t = hfm__text_to(path, sizeof path);        \
  hfm__cache_root(&t, cache_dir);             \
  CHECK_STR(path, expected)
  (void)setenv("HOME", "/home/me", 1);
  ROOT(NULL, "/home/me/.cache/huggingface/hub");
  (void)setenv("XDG_CACHE_HOME", "/xdg", 1);
  ROOT(NULL, "/xdg/huggingface/hub");
  (void)setenv("TRANSFORMERS_CACHE", "/v4", 1);
  ROOT(NULL, "/v4");
  (void)setenv("HF_HOME", "~/hf", 1);
  ROOT(NULL, "/home/me/hf/hub");
  (void)setenv("HUGGINGFACE_HUB_CACHE", "/legacy", 1);
  ROOT(NULL, "/legacy");
  (void)setenv("HF_HUB_CACHE", "$XDG_CACHE_HOME/${HOME}x/$NOT_SET/$", 1);
  ROOT(NULL, "/xdg//home/mex/$NOT_SET/$");
  (void)setenv("HF_HUB_CACHE", "", 1); /* empty is not set */
  ROOT(NULL, "/legacy");
  ROOT("given", "given");
  ROOT("~/given", "/home/me/given");
#undef ROOT
  clear_environment();
}

/* Snapshots are links to blobs, and may be links to elsewhere; what lies at their ends is judged as any file is (F1,
   I6). A revision's name is judged as a file's: Windows' devices are none, controls are none. */
static void test_links(void) {
  static const char *const revisions[] = {"nul", "refs/COM1", "a/aux.x", "x\x7f", "\xc2\x9b" "2J", "\xe2\x80\xaex"};
  static const char snapshot[] = "test_hub.tmp/models--org--name/snapshots/" COMMIT;
  char answer[512], path[512];
  hfm_options options = options_of(root, NULL);
  hfm_config *config = NULL;
  hfm_error error;
  clear_environment();
  make_file("models--org--name/refs", "main", COMMIT);
  make_file("models--org--name/blobs", "abc", "{\"a\": 1}");
  make_file("models--org--name/snapshots/" COMMIT, "x", "");
  snprintf(path, sizeof path, "%s/config.json", snapshot);
  CHECK_INT(symlink("../../blobs/abc", path), 0);
  if (CHECK_INT(hfm_config_from_pretrained("org/name", &options, &config, &error), HFM_OK))
    CHECK_INT(hfm_config_get_int(config, "a", 0), 1);
  hfm_config_free(config);
  CHECK_INT(remove(path), 0);
  CHECK_INT(symlink("../../blobs/gone", path), 0);
  CHECK_INT(hfm_config_from_pretrained("org/name", &options, &config, &error), HFM_ERROR_NOT_FOUND);
  CHECK_STR(error.file, path);
  CHECK_INT(remove(path), 0);
  CHECK_INT(symlink("/dev/zero", path), 0);
  CHECK_INT(hfm_config_from_pretrained("org/name", &options, &config, &error), HFM_ERROR_IO);
  CHECK_INT(error.item, HFM_E_FILE_NOT_REGULAR);
  CHECK_INT(remove(path), 0);
  CHECK_INT(symlink("config.json", path), 0);
  CHECK_INT(hfm_config_from_pretrained("org/name", &options, &config, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(error.item, HFM_E_FILE_NAME);
  make_file("models--org--fifo/snapshots/" COMMIT, "x", "");
  make_file("models--org--fifo/refs", "x", "");
  CHECK_INT(mkfifo("test_hub.tmp/models--org--fifo/refs/main", 0600), 0); /* no hang */
  CHECK_INT(resolve("org/fifo", &options, answer, &error), HFM_E_FILE_NOT_REGULAR);
  for (size_t i = 0; i < HFM__COUNT(revisions); i++) {
    options.revision = revisions[i];
    if (!CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_ARGUMENT_VALUE))
      printf("    %s\n", error.message);
    for (const char *c = error.message; *c; c++) CHECK((uint8_t)*c >= 0x20 && (uint8_t)*c < 0x7f);
  }
  clear_environment();
}

static void test_too_long(void) {
  char cache[5000], answer[512];
  hfm_error error;
  hfm_options options;
  memset(cache, 'x', sizeof cache);
  cache[sizeof cache - 1] = 0;
  options = options_of(cache, NULL);
  CHECK_INT(resolve("org/name", &options, answer, &error), HFM_E_FILE_NAME);
}

static void test_every_allocation(void) {
  failing_alloc memory;
  clear_environment();
  make_file("models--org--name/refs", "main", COMMIT);
  make_file("models--org--name/snapshots/" COMMIT, "config.json", "{}");
  for (int64_t n = 0;; n++) {
    hfm_options options = options_of(root, NULL);
    hfm_config *config = NULL;
    hfm_error error;
    failing_alloc_begin(&memory, n);
    options.allocator = memory.allocator;
    if (hfm_config_from_pretrained("org/name", &options, &config, &error) != HFM_OK)
      CHECK_INT(error.item, HFM_E_OUT_OF_MEMORY);
    hfm_config_free(config);
    CHECK(failing_alloc_clean(&memory));
    if (!memory.failed) break;
  }
  CHECK(memory.calls > 8);
  clear_environment();
}
#endif

int main(void) {
  TEST(test_repo_ids);
  TEST(test_commits);
#if HAS_POSIX
  TEST(test_existing);
  TEST(test_snapshots);
  TEST(test_hostile_refs);
  TEST(test_root);
  TEST(test_links);
  TEST(test_too_long);
  TEST(test_every_allocation);
#else
  SKIP("no POSIX files here");
#endif
  return check_report("test_hub");
}
