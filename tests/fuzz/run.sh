#!/bin/sh
# Builds fuzz_*.c with clang's libFuzzer, ASan and UBSan, and runs each, one after the other:
#
#   tests/fuzz/run.sh [TARGET...]     all of them by default: json zip pickle ...
#
# FUZZ_SECONDS (default 60) or FUZZ_RUNS bound each one. What it finds is kept under build/fuzz/corpus_TARGET/ and goes
# on from there next time; a crash ends this with exit code 1 and its file's name. FUZZ_BUILD_ONLY=1 runs nothing.
# FUZZ_CMP=1 lets the fuzzer look at comparisons, too: a third of the speed, for formats that no mutator here knows.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/linking.sh
. tests/fuzz/targets.sh
: "${FUZZ_SECONDS:=60}" "${FUZZ_RUNS:=-1}" "${FUZZ_CMP:=0}" "${FUZZ_BUILD_ONLY:=}" "${FUZZ_OPTIMIZE:=-O2}"
: "${FUZZ_SANITIZE:=-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all}"
[ "$FUZZ_RUNS" = -1 ] || FUZZ_SECONDS=0
coverage=-fno-sanitize-coverage=trace-cmp,trace-div,trace-gep
[ "$FUZZ_CMP" = 0 ] || coverage=
# Without the stacks of allocations, which a report hardly needs, allocating is cheap.
export ASAN_OPTIONS="${ASAN_OPTIONS:-malloc_context_size=0:quarantine_size_mb=16:allocator_may_return_null=1}"
mkdir -p "$FUZZ_DIR"
is_stale() { # WHAT FILES...: there is none, or one of the files is newer
  made=$1
  shift
  [ ! -e "$made" ] || [ -n "$(find "$@" -name '*.[ch]' -newer "$made")" ]
}
compile() { # ARGUMENTS...
  # shellcheck disable=SC2086
  $CLANG -std=c99 $FUZZ_OPTIMIZE -g $FUZZ_SANITIZE $coverage -I. "$@"
}
write_library "$FUZZ_DIR/hfmodel.c"
build() { # SOURCE PROGRAM
  if ! is_linked "$1"; then
    with=-DHFMODEL_STATIC
  elif needs_weights "$1"; then
    with=$FUZZ_DIR/weights.o
    ! is_stale "$with" hfmodel.h tests/fuzz tests/*.h || compile -DHFMODEL_STATIC -c -o "$with" tests/fuzz/weights.c ||
      return
  else
    with=$FUZZ_DIR/hfmodel.o
    ! is_stale "$with" hfmodel.h || compile -c -o "$with" "$FUZZ_DIR/hfmodel.c" || return
  fi
  compile -o "$2" "$1" "$with" -pthread -lm
}

for target in ${*:-$all_targets}; do
  corpus=$FUZZ_DIR/corpus_$target program=$FUZZ_DIR/fuzz_$target
  if is_stale "$program" hfmodel.h tests/fuzz tests/*.h; then build "tests/fuzz/fuzz_$target.c" "$program" || exit 1; fi
  [ -z "$FUZZ_BUILD_ONLY" ] || continue
  plant "$target" "$corpus"
  log=$FUZZ_DIR/$target.log
  "$program" -max_total_time="$FUZZ_SECONDS" -runs="$FUZZ_RUNS" -max_len="$(max_len "$target")" -len_control=0 \
    -timeout=60 -entropic="$(schedule "$target")" -dict=tests/fuzz/model.dict -artifact_prefix="$FUZZ_DIR/$target-" \
    -print_final_stats=1 "$corpus" >"$log" 2>&1 || {
    tail -n 40 "$log"
    exit 1
  }
  echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions," \
    "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log") a second"
done
