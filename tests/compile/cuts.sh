#!/bin/sh
# Every HFMODEL_NO_... and HFMODEL_ONLY_... that the code knows is in the manual, builds, links and runs; every pair of
# them compiles.
. "$(dirname "$0")/../check.sh"

# The macros that directives test, and those that the manual (the first comment of the product) speaks of.
grep -E '^ *# *(if|ifdef|ifndef|elif)' hfmodel.h | grep -oE 'HFMODEL_(NO|ONLY)_[A-Z0-9_]+' | sort -u >"$work/code"
sed -n '/begin src\/manual.h/,/end src\/manual.h/p' hfmodel.h |
  grep -oE 'HFMODEL_(NO|ONLY)_[A-Z0-9_]*[A-Z0-9]' | sort -u >"$work/manual"
check "the manual lists the cuts that the code has" diff "$work/code" "$work/manual"
[ -s "$work/code" ] && pass || fail "there are cuts"

while read -r cut; do
  if $CC -std=c99 -O0 -D"$cut" -I. -Itests -o "$work/$cut" tests/compile/cut.c -pthread -lm >"$work/log" 2>&1 \
    && "$work/$cut" >"$work/log" 2>&1; then pass; else fail "$cut builds and runs" "$work/log"; fi
  rm -f "$work/$cut"
done <"$work/code"

# All pairs, on and off, in ten builds: macro k is on in the rows of the k-th five-element subset of rows 1..9. Two
# different such subsets share a row, and each has a row that the other lacks; in row 0 all is off (Kleitman, Spencer).
printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$work/pairs.c"
row=0
while [ "$row" -lt 10 ]; do
  defines=$(awk -v row="$row" '
    function bits(n, c) { for (c = 0; n > 0; n = int(n / 2)) c += n % 2; return c }
    BEGIN { for (n = 1; n < 512; n++) if (bits(n) == 5) subset[count++] = n }
    NR > count { print "more than " count " cuts: take more rows" > "/dev/stderr"; exit 1 }
    row > 0 && int(subset[NR - 1] / 2 ^ (row - 1)) % 2 { printf " -D%s", $1 }' "$work/code") || fail "covering array"
  # shellcheck disable=SC2086
  check "pairs, row $row:$defines" $CC -std=c99 -fsyntax-only -Wall -Wextra -Werror $defines -I. "$work/pairs.c"
  row=$((row + 1))
done
report
