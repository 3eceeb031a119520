#!/bin/sh
# Every fuzz target for some seconds (FUZZ_SECONDS, 5 by default), from the committed corpus on.
. "$(dirname "$0")/../check.sh"
FUZZ_DIR=$work
. tests/fuzz/targets.sh
export FUZZ_DIR CLANG FUZZ_SECONDS="${FUZZ_SECONDS:-5}" FUZZ_OPTIMIZE=-O1

echo 'int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return data && size > 9; }' >"$work/probe.c"
if have "$CLANG" && $CLANG -fsanitize=fuzzer,address,undefined -o "$work/probe" "$work/probe.c" >"$work/log" 2>&1 &&
  "$work/probe" -runs=9 >"$work/log" 2>&1; then
  rm -rf "$work"/corpus_*
  for target in $all_targets; do check "$target" sh tests/fuzz/run.sh "$target"; done
else
  skip "fuzzing: $CLANG with libFuzzer and the sanitizers' libraries is not here"
fi
report
