/* check.h: the whole test framework. C99 and C++11, header only, nothing to link.

     #define HFMODEL_IMPLEMENTATION
     #include "hfmodel.h"
     #include "check.h"

     static void test_names(void) {
       CHECK_STR(hfm_dtype_name(HFM_F32), "float32");
     }

     int main(void) {
       TEST(test_names);
       return check_report("test_dtype");
     }

   A failing check prints file:line with what it saw and the test goes on; a test passes when none of its checks
   failed, and is skipped when it called SKIP("why") and none failed. check_report prints
   "program: N passed, N failed, N skipped" and returns main's exit code. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define CHECK_UNUSED __attribute__((unused))
#else
#define CHECK_UNUSED
#endif

static struct {
  const char *test;  /* the running test; NULL outside of TEST */
  int passed, failed, skipped;
  int failures_here; /* failed checks of the running test */
  int skipped_here;
  int printed;       /* so that a broken loop of a million checks stays readable */
} check_state;

enum { CHECK_MAX_PRINTED_PER_TEST = 20 };

/* How slowly programs run: 0, 1 with sanitizers, 2 under an emulator. Sweeps over combinations are then thinned out by
   check_turn, and what tests the tests is left out; of the 256 values of a byte only every so many are tried. */
#ifndef CHECK_SLOW
#define CHECK_SLOW 0
#endif
#define CHECK_BYTE_STEP (CHECK_SLOW > 1 ? 37 : CHECK_SLOW ? 3 : 1)

/* 1 while this failure should still be printed. */
CHECK_UNUSED static int check_failed(const char *file, int line) {
  if (!check_state.test) check_state.failed++;
  check_state.failures_here++;
  check_state.printed++;
  if (check_state.printed == CHECK_MAX_PRINTED_PER_TEST + 1) printf("  ... more failures in this test\n");
  if (check_state.printed > CHECK_MAX_PRINTED_PER_TEST) return 0;
  printf("%s:%d: ", file, line);
  if (check_state.test) printf("%s: ", check_state.test);
  return 1;
}

/* 1 for each combination of a sweep; for every fifth where programs run slowly. */
CHECK_UNUSED static int check_turn(void) {
  static unsigned combinations;
  return !CHECK_SLOW || combinations++ % 5 == 0;
}

/* Each check_* returns 1 if it held, so that a caller can say more or leave: if (!CHECK(p)) return; */
CHECK_UNUSED static int check_true(int ok, const char *text, const char *file, int line) {
  if (!ok && check_failed(file, line)) printf("not true: %s\n", text);
  return ok;
}

CHECK_UNUSED static int check_int(int64_t got, int64_t want, const char *text, const char *file, int line) {
  if (got != want && check_failed(file, line)) printf("%s is %lld, not %lld\n", text, (long long)got, (long long)want);
  return got == want;
}

CHECK_UNUSED static int check_str(const char *got, const char *want, const char *text, const char *file, int line) {
  const int ok = got == want || (got && want && strcmp(got, want) == 0);
  if (!ok && check_failed(file, line))
    printf("%s is\n    \"%s\", not\n    \"%s\"\n", text, got ? got : "(null)", want ? want : "(null)");
  return ok;
}

CHECK_UNUSED static int check_contains(const char *text, const char *part, const char *name, const char *file,
                                       int line) {
  const int ok = text && part && strstr(text, part) != NULL;
  if (!ok && check_failed(file, line))
    printf("%s is\n    \"%s\", which does not contain\n    \"%s\"\n", name, text ? text : "(null)",
           part ? part : "(null)");
  return ok;
}

/* Written so that NaN fails: !(difference <= tolerance). Equal infinities agree. */
CHECK_UNUSED static int check_close(double got, double want, double tolerance) {
  const double difference = got < want ? want - got : got - want;
  return got == want || difference <= tolerance;
}

CHECK_UNUSED static int check_near(double got, double want, double tolerance, const char *text, const char *file,
                                   int line) {
  const int ok = check_close(got, want, tolerance);
  if (!ok && check_failed(file, line)) printf("%s is %.9g, not %.9g within %.3g\n", text, got, want, tolerance);
  return ok;
}

/* |got - want| <= absolute * max|want| + relative * |want| for each of `count` floats: the project's parity rule
   with absolute = 1e-5 and relative = 1e-4. A NaN or an infinity on one side fails. */
CHECK_UNUSED static int check_all_near(const float *got, const float *want, size_t count, double absolute,
                                       double relative, const char *text, const char *file, int line) {
  double largest = 0, worst = 0;
  size_t i, first = count, bad = 0;
  for (i = 0; i < count; i++) {
    const double size = want[i] < 0 ? -(double)want[i] : (double)want[i];
    if (size > largest && size <= 3.5e38) largest = size;
  }
  for (i = 0; i < count; i++) {
    const double size = want[i] < 0 ? -(double)want[i] : (double)want[i];
    const double off = (double)got[i] - (double)want[i];
    if (!check_close((double)got[i], (double)want[i], absolute * largest + relative * size)) {
      if (first == count) first = i;
      bad++;
    }
    if ((off < 0 ? -off : off) > worst) worst = off < 0 ? -off : off;
  }
  if (bad && check_failed(file, line))
    printf("%s: %lu of %lu differ, the first is [%lu] = %.9g, not %.9g; largest difference %.3g, max|want| %.3g\n",
           text, (unsigned long)bad, (unsigned long)count, (unsigned long)first, (double)got[first],
           (double)want[first], worst, largest);
  return bad == 0;
}

CHECK_UNUSED static void check_run(const char *name, void (*test)(void)) {
  check_state.test = name;
  check_state.failures_here = check_state.skipped_here = check_state.printed = 0;
  test();
  fflush(stdout); /* a later crash then does not take this test's messages with it */
  if (check_state.failures_here) check_state.failed++;
  else if (check_state.skipped_here) check_state.skipped++;
  else check_state.passed++;
  check_state.test = NULL;
}

CHECK_UNUSED static void check_skip(const char *why) {
  printf("  skipped: %s%s%s\n", check_state.test ? check_state.test : "", check_state.test ? ": " : "", why);
  if (check_state.test) check_state.skipped_here = 1;
  else check_state.skipped++;
}

CHECK_UNUSED static int check_report(const char *program) {
  printf("%s: %d passed, %d failed, %d skipped\n", program, check_state.passed, check_state.failed,
         check_state.skipped);
  return check_state.failed != 0;
}

#define TEST(function) check_run(#function, function)
/* Says why, counts the running test as skipped; follow it with `return;`. Outside of TEST it counts one skip. */
#define SKIP(why) check_skip(why)
#define CHECK_COUNT(array) (sizeof(array) / sizeof(array)[0])
#define CHECK(condition) check_true((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define CHECK_INT(got, want) check_int((int64_t)(got), (int64_t)(want), #got, __FILE__, __LINE__)
#define CHECK_STR(got, want) check_str(got, want, #got, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part) check_contains(text, part, #text, __FILE__, __LINE__)
#define CHECK_NEAR(got, want, tolerance) \
  check_near((double)(got), (double)(want), (double)(tolerance), #got, __FILE__, __LINE__)
#define CHECK_ALL_NEAR(got, want, count, absolute, relative) \
  check_all_near(got, want, (size_t)(count), absolute, relative, #got, __FILE__, __LINE__)

#endif
