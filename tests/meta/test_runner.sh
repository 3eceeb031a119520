#!/bin/sh
# The test runner and check.h themselves: what fails, crashes, hangs, tests nothing or does not compile turns it red.
. "$(dirname "$0")/../check.sh"
tree=$work/tree
rm -rf "$tree"
mkdir -p "$tree/tests/a"
cp tests/run.sh tests/linking.sh tests/check.h "$tree/tests/"
cat >"$tree/hfmodel.h" <<END
int answer(void);
#ifdef HFMODEL_IMPLEMENTATION
int answer(void) { return 42; }
#endif
END

program() { # NAME BODY-OF-MAIN
  printf "$private"'#include "hfmodel.h"\n#include "check.h"
static void test(void) { CHECK(1); }\nstatic void bad(void) { CHECK(0); }
static void nan_passes(void) { float z = 0; CHECK_NEAR(z / z, 1, 1e9); }\nstatic void unfit(void) { SKIP("unfit"); }
int main(void) { (void)test; (void)bad; (void)nan_passes; (void)unfit; %s }\n' \
    "$2" >"$tree/tests/a/test_$1.c"
}
private= # the beginning of a test that is not linked with the library
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
expect linked 'TEST(test); CHECK_INT(answer(), 42); return check_report("p");' "1 passed, 0 failed, 0 skipped" 0
private='#define HFMODEL_IMPLEMENTATION\n'
expect unlinked 'TEST(test); CHECK_INT(answer(), 42); return check_report("p");' "1 passed, 0 failed, 0 skipped" 0
private=

# What is stale is built again: the library, where it or the flags have changed; and one that does not compile is red.
again() { # NAME LAST-LINE
  JOBS=1 BUILD=build/test CFLAGS= "$tree/tests/run.sh" >"$work/out" 2>&1
  if [ "$(last_line)" = "$2" ]; then pass; else fail "$1: $(last_line)" "$work/out"; fi
}
expect linked 'TEST(test); CHECK_INT(answer(), 42); return check_report("p");' "1 passed, 0 failed, 0 skipped" 0
TEST_CFLAGS=-DHFMODEL_IMPLEMENTATION=
export TEST_CFLAGS
again "another flag" "0 passed, 1 failed, 0 skipped" # twice defined
TEST_CFLAGS=
sleep 1
sed 's/42/43/' "$tree/hfmodel.h" >"$work/changed" && cp "$work/changed" "$tree/hfmodel.h"
again "another library" "1 passed, 1 failed, 0 skipped"
sleep 1
echo 'int answer(void) { return' >>"$tree/hfmodel.h"
again "no library" "0 passed, 1 failed, 0 skipped"
unset TEST_CFLAGS
sed '$d' "$tree/hfmodel.h" >"$work/changed" && cp "$work/changed" "$tree/hfmodel.h"

if have timeout; then
  expect hangs 'TEST(test); for (;;) { }' "0 passed, 1 failed, 0 skipped" 1
else
  skip "there is no timeout command: a test that hangs would hang the run"
fi
report
