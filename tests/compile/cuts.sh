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

# Without the kernels for each instruction set, which take most of the compiler's time; a cut that is about them has
# them still, and the pairs below.
while read -r cut; do
  portable=-DHFMODEL_NO_SIMD
  case $cut in HFMODEL_NO_AVX* | HFMODEL_NO_SCALAR) portable= ;; esac
  # shellcheck disable=SC2086
  if $CC -std=c99 -O0 $portable -D"$cut" -I. -Itests -o "$work/$cut" tests/compile/cut.c -pthread -lm \
    >"$work/log" 2>&1 && "$work/$cut" >"$work/log" 2>&1; then pass; else fail "$cut builds and runs" "$work/log"; fi
  rm -f "$work/$cut"
done <"$work/code"

# What only some families need (HFM__FOR_... in the lists of ops and kernels) is not in a build of one that needs none
# of it, and neither is the key-value cache, nor what puts weights together; a decoder's build has its own.
sed -n 's/.*HFM__FOR_[A-Z_]*(X(\([a-z0-9_]*\),.*/hfm__\1_run/p' hfmodel.h | sort -u >"$work/some"
printf 'hfm__cache_room\nhfm__pieces_wrong\n' >>"$work/some"
printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$work/one.c"
has_of() { # FAMILY [FLAG]: which of these a build of that family has
  $CC -std=c99 -Os -DHFMODEL_ONLY_"$1" ${2:+"$2"} -DHFMODEL_NO_SIMD -I. -c -o "$work/one.o" "$work/one.c" &&
    nm "$work/one.o" | sed -n 's/.* \(hfm__[a-z0-9_]*\).*/\1/p' | sort -u | grep -xF -f "$work/some"
}
if have nm; then
  has_of DISTILBERT >"$work/log" 2>&1
  if [ -s "$work/some" ] && [ ! -s "$work/log" ]; then pass; else
    fail "DistilBERT's build has what only others need" "$work/log"
  fi
  has_of LLAMA >"$work/log" 2>&1
  if grep -qx hfm__rotary_run "$work/log" && grep -qx hfm__cache_room "$work/log"; then pass; else
    fail "a decoder's build has its ops and its cache" "$work/log"
  fi
  has_of LLAMA -DHFMODEL_NO_CACHE >"$work/log" 2>&1
  if grep -qx hfm__rotary_run "$work/log" && ! grep -qx -e hfm__append_run -e hfm__cache_room "$work/log"; then
    pass
  else
    fail "a decoder's build without a cache has none" "$work/log"
  fi
else
  skip "nm is not here: what a build of one family has was not looked at"
fi

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
