#!/bin/sh
# Makes tests/fuzz/corpus/TARGET.pack of what the fuzzer has found: one input for each line that any reaches, as far as
# they fit in FUZZ_PACK_BYTES, short ones first.
#
#   tests/fuzz/pack.sh [TARGET...]
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/fuzz/targets.sh
for target in ${*:-$all_targets}; do
  least=$FUZZ_DIR/least_$target pack=tests/fuzz/corpus/$target.pack
  rm -rf "$least"
  mkdir -p "$least" tests/fuzz/corpus
  "$FUZZ_DIR/fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len="$(max_len "$target")" "$least" \
    "$FUZZ_DIR/corpus_$target" >"$FUZZ_DIR/pack_$target.log" 2>&1 || exit 1
  limit=${FUZZ_PACK_BYTES:-$(pack_bytes "$target")} total=0 number=100
  : >"$pack"
  for name in $(ls -Sr "$least"); do
    size=$(($(wc -c <"$least/$name")))
    total=$((total + size))
    if [ "$total" -gt "$limit" ]; then break; fi
    number=$((number + 1))
    echo "$number $size" >>"$pack"
    cat "$least/$name" >>"$pack"
  done
  echo "$pack: $(($(wc -c <"$pack"))) bytes, $((number - 100)) of $(($(ls "$least" | wc -l))) inputs"
done
