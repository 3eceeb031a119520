#!/bin/sh
# Which lines of the source the fuzzers reach: replays a corpus of every target with clang's coverage, and prints a
# table of the parsers' sources, and of the rest with -a. The lines that nobody reached: the command at the end.
#
#   tests/fuzz/coverage.sh [-a] [TARGET...]
#
# The corpus is the committed one, the seeds, and what earlier runs have left under build/fuzz/. Compiled from src/, so
# that lines are counted by source file.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/fuzz/targets.sh
: "${LLVM_COV:=llvm-cov}" "${LLVM_PROFDATA:=llvm-profdata}"
sources='src/formats/.*|src/config/.*'
if [ "${1-}" = -a ]; then
  sources='src/.*'
  shift
fi
work=$FUZZ_DIR/coverage
mkdir -p "$work"
rm -f "$work"/*.profraw
objects=
for target in ${*:-$all_targets}; do
  program=$work/fuzz_$target source=tests/fuzz/fuzz_$target.c weights=
  if needs_weights "$source"; then weights=tests/fuzz/weights.c; fi
  # shellcheck disable=SC2086
  $CLANG -std=c99 -O1 -g -fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping -DHFMODEL_IMPLEMENTATION= \
    -DHFMODEL_STATIC -Isrc -I. -o "$program" "$source" $weights -pthread -lm || exit 1
  plant "$target" "$FUZZ_DIR/corpus_$target"
  LLVM_PROFILE_FILE=$work/$target.profraw "$program" -runs=0 "$FUZZ_DIR/corpus_$target" >"$work/$target.log" 2>&1 || {
    tail -n 20 "$work/$target.log"
    exit 1
  }
  objects="${objects:+$objects -object }$program" # the first without the option
done
$LLVM_PROFDATA merge -o "$work/all.profdata" "$work"/*.profraw || exit 1
# shellcheck disable=SC2086
$LLVM_COV export $objects -instr-profile "$work/all.profdata" -summary-only >"$work/all.json" || exit 1
# The summary is one line of JSON: a file's name, and further on its lines' count and covered.
sed 's/{"filename"/\n&/g' "$work/all.json" |
  sed -n 's/^{"filename":"\([^"]*\)".*"lines":{"count":\([0-9]*\),"covered":\([0-9]*\).*/\1 \2 \3/p' |
  grep -E "^.*($sources) " | awk '
    function row(name, hit, lines) { printf "%-36s %5d of %5d lines  %5.1f %%\n", name, hit, lines, 100 * hit / lines }
    $2 { sub(/^.*src\//, "src/"); lines += $2; hit += $3; row($1, $3, $2) }
    END { if (lines) row("all", hit, lines) }'
# shellcheck disable=SC2086
echo "lines: $LLVM_COV show $objects -instr-profile $work/all.profdata src/formats/pickle.c"
