/* Files: rules F1 to F4, every source of bytes, and what a caller's hfm_io may do wrong. */
#include "posix.h"

#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "failing_alloc.h"

#include <errno.h>

static const char path[] = "test_io.tmp";

static hfm__context system_context(void) {
  hfm__context ctx;
  hfm_error error;
  CHECK_INT(hfm__context_init(NULL, &ctx, &error), HFM_OK);
  return ctx;
}

/* Names are UTF-8 on every system. */
static FILE *open_file(const char *name, const char *mode) {
#ifdef _WIN32
  wchar_t wide_name[HFM__WIDE_PATH], wide_mode[HFM__WIDE_PATH];
  if (!hfm__wide_name(name, wide_name) || !hfm__wide_name(mode, wide_mode)) return NULL;
  return _wfopen(wide_name, wide_mode);
#else
  return fopen(name, mode);
#endif
}

static void remove_file(const char *name) {
#ifdef _WIN32
  wchar_t wide[HFM__WIDE_PATH];
  if (hfm__wide_name(name, wide)) (void)_wremove(wide);
#else
  (void)remove(name);
#endif
}

static void write_file(const char *name, const void *bytes, size_t size) {
  FILE *file = open_file(name, "wb");
  if (!CHECK(file != NULL)) return;
  CHECK_INT(fwrite(bytes, 1, size, file), size);
  fclose(file);
}

/* The same bytes by map and by read, at any offset; nothing beyond the end. */
static void test_reading(void) {
  static const char text[] = "0123456789";
  const hfm__context ctx = system_context();
  write_file(path, text, 10);
  for (int want_map = 0; want_map < 2; want_map++) {
    hfm__file file;
    hfm_error error;
    char got[16];
    if (!CHECK_INT(hfm__file_open(&ctx, path, want_map, &file, &error), HFM_OK)) return;
    CHECK_INT(file.size, 10);
    CHECK(want_map || file.map == NULL);
    for (uint64_t offset = 0; offset <= 10; offset++) {
      memset(got, 0, sizeof got);
      CHECK_INT(hfm__file_read(&file, offset, got, 10 - offset, &error), HFM_OK);
      CHECK_STR(got, text + offset);
    }
    /* F2: off <= size && len <= size - off, without wrapping */
    CHECK_INT(hfm__file_read(&file, 0, got, 11, &error), HFM_ERROR_IO);
    CHECK_INT(error.item, HFM_E_FILE_READ);
    CHECK_INT(hfm__file_read(&file, 11, got, 0, &error), HFM_ERROR_IO);
    CHECK_INT(hfm__file_read(&file, UINT64_MAX, got, 2, &error), HFM_ERROR_IO);
    CHECK_INT(hfm__file_read(&file, 2, got, UINT64_MAX, &error), HFM_ERROR_IO);
    CHECK_INT(hfm__file_unchanged(&file, &error), HFM_OK);
    hfm__file_close(&file);
    CHECK(file.handle == NULL && file.name == NULL);
  }
  remove(path);
}

/* What is parsed is a copy that no other process can change, mapped or not; bytes of the caller's own io lie where they
   are. */
static void test_private_bytes(void) {
  const hfm__context ctx = system_context();
  for (int want_map = 0; want_map < 2; want_map++) {
    hfm__file file;
    hfm_error error;
    const uint8_t *bytes;
    uint8_t *owned;
    write_file(path, "0123456789", 10);
    if (!CHECK_INT(hfm__file_open(&ctx, path, want_map, &file, &error), HFM_OK)) return;
    if (CHECK_INT(hfm__file_bytes(&file, 2, 4, &bytes, &owned, &error), HFM_OK)) {
      FILE *other = open_file(path, "r+b");
      CHECK(owned == bytes && owned != NULL);
      CHECK((other != NULL) == HAS_POSIX); /* Windows lets nobody write to a file that we read */
      if (other) {
        CHECK_INT(fwrite("abcdefghij", 1, 10, other), 10);
        fclose(other);
      }
      CHECK(memcmp(bytes, "2345", 4) == 0);
      hfm__free(&ctx.mem, owned, 4);
    }
    hfm__file_close(&file);
  }
  remove(path);
}

/* F1: only regular files; a FIFO must not hang, a device not be read. errno stays the caller's. */
static void test_kinds(void) {
#if HAS_POSIX
  const hfm__context ctx = system_context();
  static const char *const kinds[] = {".", "/dev/zero", "/dev/null", "test_io.fifo"};
  hfm__file file;
  hfm_error error;
  (void)unlink("test_io.fifo");
  if (!CHECK_INT(mkfifo("test_io.fifo", 0600), 0)) return;
  for (size_t i = 0; i < HFM__COUNT(kinds); i++) {
    errno = 1234;
    memset(&error, -1, sizeof error);
    CHECK_INT(hfm__file_open(&ctx, kinds[i], 1, &file, &error), HFM_ERROR_IO);
    CHECK_INT(error.item, HFM_E_FILE_NOT_REGULAR);
    CHECK_STR(error.file, kinds[i]);
    CHECK(file.handle == NULL && file.name == NULL);
    CHECK_INT(errno, 1234);
  }
  CHECK_INT(hfm__file_open(&ctx, "no/such/file", 1, &file, &error), HFM_ERROR_NOT_FOUND);
  CHECK_INT(error.item, HFM_E_FILE_NOT_FOUND);
  CHECK_INT(errno, 1234);
  (void)unlink("test_io.fifo");
  if (geteuid() != 0) {
    write_file(path, "x", 1);
    CHECK_INT(chmod(path, 0), 0);
    CHECK_INT(hfm__file_open(&ctx, path, 1, &file, &error), HFM_ERROR_IO);
    CHECK_INT(error.item, HFM_E_FILE_READ);
    remove(path);
  }
#else
  SKIP("no POSIX files here");
#endif
}

/* A descriptor must not leak into a child: O_CLOEXEC, or fcntl where that name is hidden. */
static void test_close_on_exec(void) {
#if HAS_POSIX
  const hfm__context ctx = system_context();
  hfm__file file;
  hfm_error error;
  write_file(path, "x", 1);
  if (!CHECK_INT(hfm__file_open(&ctx, path, 1, &file, &error), HFM_OK)) return;
  CHECK(fcntl(((hfm__system_file *)file.handle)->fd, F_GETFD) & FD_CLOEXEC);
  hfm__file_close(&file);
  remove(path);
#else
  SKIP("no POSIX files here");
#endif
}

/* Empty files, names with spaces and non-ASCII letters, a file that grows or shrinks after it was opened. */
static void test_odd_files(void) {
  const hfm__context ctx = system_context();
  static const char odd[] = "test io \xc3\xa9.tmp";
  hfm__file file;
  hfm_error error;
  char *text, got[8];
  size_t size;
  write_file(odd, "", 0);
  if (CHECK_INT(hfm__file_open(&ctx, odd, 1, &file, &error), HFM_OK)) {
    CHECK(file.size == 0 && file.map == NULL);
    CHECK_INT(hfm__file_read(&file, 0, got, 0, &error), HFM_OK);
    hfm__file_close(&file);
  }
  if (CHECK_INT(hfm__file_load(&ctx, odd, 10, &text, &size, &error), HFM_OK)) {
    CHECK(size == 0 && text[0] == 0);
    hfm__free(&ctx.mem, text, 1);
  }
#if HAS_POSIX /* Windows lets nobody change a file that we read */
  write_file(odd, "12345678", 8);
  if (CHECK_INT(hfm__file_open(&ctx, odd, 0, &file, &error), HFM_OK)) {
    write_file(odd, "1234", 4);
    CHECK_INT(hfm__file_unchanged(&file, &error), HFM_ERROR_IO);
    CHECK_INT(error.item, HFM_E_FILE_CHANGED);
    CHECK_INT(hfm__file_read(&file, 0, got, 8, &error), HFM_ERROR_IO);
    CHECK_INT(error.item, HFM_E_FILE_CHANGED);
    CHECK_INT(error.offset, 4);
    hfm__file_close(&file);
  }
#endif
  remove_file(odd);
}

/* F3: a side file's size is capped before anything is allocated for it. */
static void test_cap(void) {
  const hfm__context ctx = system_context();
  hfm_error error;
  char *text;
  size_t size;
  write_file(path, "0123456789", 10);
  CHECK_INT(hfm__file_load(&ctx, path, 9, &text, &size, &error), HFM_ERROR_LIMIT);
  CHECK_INT(error.item, HFM_E_FILE_TOO_LARGE);
  CHECK(text == NULL && size == 0);
  if (CHECK_INT(hfm__file_load(&ctx, path, 10, &text, &size, &error), HFM_OK)) {
    CHECK_STR(text, "0123456789");
    CHECK_INT(size, 10);
    hfm__free(&ctx.mem, text, 11);
  }
  remove(path);
}

/* ---- A caller's hfm_io ---- */

typedef struct source {
  hfm_result open_result;
  uint64_t claimed;  /* what size() says */
  uint64_t real;     /* where reads end */
  size_t piece;      /* reads give at most this many bytes */
  uint64_t fails_at; /* a read that reaches this byte fails */
  size_t lies;       /* added to *got */
  int opens, closes;
} source;

static hfm_result source_open(void *ctx, const char *name, void **file) {
  source *s = (source *)ctx;
  (void)name;
  s->opens++;
  *file = s;
  if (s->open_result != HFM_OK) s->opens--;
  return s->open_result;
}
static uint64_t source_size(void *ctx, void *file) {
  (void)ctx;
  return ((source *)file)->claimed;
}
static hfm_result source_read(void *ctx, void *file, uint64_t offset, void *dst, size_t size, size_t *got) {
  const source *s = (const source *)file;
  size_t n = size < s->piece ? size : s->piece;
  (void)ctx;
  if (offset + n > s->real) n = offset < s->real ? (size_t)(s->real - offset) : 0;
  if (offset + n > s->fails_at) return HFM_ERROR_IO;
  for (size_t i = 0; i < n; i++) ((uint8_t *)dst)[i] = (uint8_t)(offset + i);
  *got = n + s->lies;
  return HFM_OK;
}
static void source_close(void *ctx, void *file) {
  (void)ctx;
  ((source *)file)->closes++;
}

static hfm_options source_options(source *s) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  memset(s, 0, sizeof *s);
  s->claimed = s->real = 100;
  s->piece = 100;
  s->fails_at = UINT64_MAX;
  options.io.ctx = s;
  options.io.open = source_open;
  options.io.size = source_size;
  options.io.read = source_read;
  options.io.close = source_close;
  return options;
}

/* Short reads are asked again; a file that ends too early, a failing read and a lying count are errors. */
static void test_caller_io(void) {
  source s;
  const hfm_options options = source_options(&s);
  hfm__context ctx;
  hfm__file file;
  hfm_error error;
  uint8_t got[100];
  CHECK_INT(hfm__context_init(&options, &ctx, &error), HFM_OK);
  if (!CHECK_INT(hfm__file_open(&ctx, "anything", 1, &file, &error), HFM_OK)) return;
  CHECK(file.map == NULL);
  s.piece = 7;
  CHECK_INT(hfm__file_read(&file, 3, got, 97, &error), HFM_OK);
  CHECK(got[0] == 3 && got[96] == 99);
  s.real = 50;
  CHECK_INT(hfm__file_read(&file, 3, got, 97, &error), HFM_ERROR_IO);
  CHECK_INT(error.item, HFM_E_FILE_CHANGED);
  CHECK_INT(error.offset, 50);
  s.real = 100;
  s.fails_at = 20;
  CHECK_INT(hfm__file_read(&file, 0, got, 100, &error), HFM_ERROR_IO);
  CHECK_INT(error.item, HFM_E_FILE_READ);
  CHECK_INT(error.offset, 14);
  s.fails_at = UINT64_MAX;
  s.lies = 1000;
  CHECK_INT(hfm__file_read(&file, 0, got, 10, &error), HFM_ERROR_IO);
  s.claimed = 101;
  CHECK_INT(hfm__file_unchanged(&file, &error), HFM_ERROR_IO);
  hfm__file_close(&file);
  CHECK_INT(s.opens, 1);
  CHECK_INT(s.closes, 1);
}

static void test_caller_open_results(void) {
  static const struct {
    hfm_result result;
    int32_t item;
  } cases[] = {{HFM_ERROR_NOT_FOUND, HFM_E_FILE_NOT_FOUND}, {HFM_ERROR_UNSUPPORTED, HFM_E_FILE_NOT_REGULAR},
               {HFM_ERROR_LIMIT, HFM_E_FILE_TOO_LARGE},     {HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY},
               {HFM_ERROR_ARGUMENT, HFM_E_FILE_NAME},       {HFM_ERROR_IO, HFM_E_FILE_READ},
               {-77, HFM_E_FILE_READ}};
  source s;
  const hfm_options options = source_options(&s);
  hfm__context ctx;
  hfm__file file;
  hfm_error error;
  CHECK_INT(hfm__context_init(&options, &ctx, &error), HFM_OK);
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    s.open_result = cases[i].result;
    CHECK(hfm__file_open(&ctx, "anything", 1, &file, &error) != HFM_OK);
    CHECK_INT(error.item, cases[i].item);
  }
  CHECK_INT(s.closes, 0);
}

/* An hfm_io or hfm_allocator is all there or not at all. */
static void test_incomplete_services(void) {
  source s;
  hfm_options options = source_options(&s);
  hfm__context ctx;
  hfm_error error;
  options.io.read = NULL;
  CHECK_INT(hfm__context_init(&options, &ctx, &error), HFM_ERROR_ARGUMENT);
  CHECK_STR(error.what, "io");
  memset(&options, 0, sizeof options);
  options.allocator.alloc = failing_alloc_new;
  CHECK_INT(hfm__context_init(&options, &ctx, &error), HFM_ERROR_ARGUMENT);
  CHECK_STR(error.what, "allocator");
  CHECK_CONTAINS(error.message, "options.allocator has no realloc: it must have alloc, realloc and free");
}

static void test_memory_files(void) {
  static const char bytes[] = "abcdef";
  hfm_memory_file list[2];
  hfm__memory_files files;
  hfm_options options;
  hfm__context ctx;
  hfm__file file;
  hfm_error error;
  const uint8_t *in_place;
  uint8_t *owned;
  char got[8];
  list[0].name = "a.txt";
  list[0].data = bytes;
  list[0].size = 6;
  list[1].name = "empty";
  list[1].data = NULL;
  list[1].size = 0;
  files.files = list;
  files.count = 2;
  memset(&options, 0, sizeof options);
  options.io = hfm__memory_io(&files);
  CHECK_INT(hfm__context_init(&options, &ctx, &error), HFM_OK);
  if (CHECK_INT(hfm__file_open(&ctx, "a.txt", 1, &file, &error), HFM_OK)) {
    CHECK(file.map == (const uint8_t *)bytes);
    CHECK_INT(hfm__file_read(&file, 2, got, 4, &error), HFM_OK);
    CHECK(memcmp(got, "cdef", 4) == 0);
    CHECK_INT(hfm__file_bytes(&file, 2, 4, &in_place, &owned, &error), HFM_OK);
    CHECK(in_place == (const uint8_t *)bytes + 2 && owned == NULL);
    hfm__file_close(&file);
  }
  if (CHECK_INT(hfm__file_open(&ctx, "empty", 1, &file, &error), HFM_OK)) {
    CHECK(file.map == NULL && file.size == 0);
    hfm__file_close(&file);
  }
  CHECK_INT(hfm__file_open(&ctx, "b.txt", 1, &file, &error), HFM_ERROR_NOT_FOUND);
}

static void test_join(void) {
  const hfm__context ctx = system_context();
  static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"a", "", "a"},
                                         {"/", "b", "/b"}, {"", "", ""}};
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    char *joined = hfm__join_path(&ctx.mem, cases[i][0], cases[i][1]);
    CHECK_STR(joined, cases[i][2]);
    hfm__free_text(&ctx.mem, joined);
  }
}

static void test_every_allocation(void) {
  failing_alloc memory;
  write_file(path, "0123456789", 10);
  for (int64_t n = 0;; n++) {
    hfm_options options;
    hfm__context ctx;
    hfm_error error;
    char *text;
    size_t size;
    memset(&options, 0, sizeof options);
    failing_alloc_begin(&memory, n);
    options.allocator = memory.allocator;
    CHECK_INT(hfm__context_init(&options, &ctx, &error), HFM_OK);
    if (hfm__file_load(&ctx, path, 100, &text, &size, &error) == HFM_OK)
      hfm__free(&ctx.mem, text, (uint64_t)size + 1);
    else
      CHECK_INT(error.item, HFM_E_OUT_OF_MEMORY);
    CHECK(failing_alloc_clean(&memory));
    if (!memory.failed) break;
  }
  CHECK_INT(memory.calls, 3);
  remove(path);
}

int main(void) {
  TEST(test_reading);
  TEST(test_private_bytes);
  TEST(test_kinds);
  TEST(test_close_on_exec);
  TEST(test_odd_files);
  TEST(test_cap);
  TEST(test_caller_io);
  TEST(test_caller_open_results);
  TEST(test_incomplete_services);
  TEST(test_memory_files);
  TEST(test_join);
  TEST(test_every_allocation);
  return check_report("test_io");
}
