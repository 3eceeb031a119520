#!/bin/sh
# The test runner and check.h themselves: what fails, crashes, hangs, tests nothing or does not compile turns it red.
. "$(dirname "$0")/../check.sh"
tree=$work/tree
rm -rf "$tree"
mkdir -p "$tree/tests/a"
cp tests/run.sh tests/check.h "$tree/tests/"
touch "$tree/hfmodel.h"

program() { # NAME BODY-OF-MAIN
  printf '#include "check.h"\nstatic void test(void) { CHECK(1); }\nstatic void bad(void) { CHECK(0); }
static void nan_passes(void) { float z = 0; CHECK_NEAR(z / z, 1, 1e9); }\nstatic void unfit(void) { SKIP("unfit"); }
int main(void) { (void)test; (void)bad; (void)nan_passes; (void)unfit; %s }\n' \
    "$2" >"$tree/tests/a/test_$1.c"
}
last_line() { tail -n 1 "$work/out"; }
expect() { # NAME BODY LAST-LINE EXIT-CODE
  rm -rf "$tree/tests/a" "$tree/build"
  mkdir "$tree/tests/a"
  program "$1" "$2"
  TEST_TIMEOUT=2 CFLAGS= TEST_CFLAGS= BUILD=build/test JOBS=1 "$tree/tests/run.sh" >"$work/out" 2>&1
  code=$?
  if [ "$(last_line)" = "$3" ] && [ "$code" -eq "$4" ]; then pass
  else fail "$1: exit code $code, $(last_line)" "$work/out"; fi
}
expect passes 'TEST(test); TEST(test); return check_report("p");' "2 passed, 0 failed, 0 skipped" 0
expect fails 'TEST(test); TEST(bad); return check_report("p");' "1 passed, 1 failed, 0 skipped" 1
expect nan 'TEST(nan_passes); return check_report("p");' "0 passed, 1 failed, 0 skipped" 1
expect skips 'TEST(test); TEST(unfit); return check_report("p");' "1 passed, 0 failed, 1 skipped" 0
expect crashes 'TEST(test); return *(volatile int *)0;' "0 passed, 1 failed, 0 skipped" 1
expect crashes_late 'TEST(test); check_report("p"); fflush(stdout); return *(volatile int *)0;' \
  "1 passed, 1 failed, 0 skipped" 1
expect tests_nothing 'return check_report("p");' "0 passed, 1 failed, 0 skipped" 1
expect says_nothing 'TEST(test); return 0;' "0 passed, 1 failed, 0 skipped" 1
expect does_not_compile 'return no_such_name;' "0 passed, 1 failed, 0 skipped" 1
if have timeout; then
  expect hangs 'TEST(test); for (;;) { }' "0 passed, 1 failed, 0 skipped" 1
else
  skip "there is no timeout command: a test that hangs would hang the run"
fi
report
