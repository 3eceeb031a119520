#!/bin/sh
# Each rule of tests/README.md is named by a test; and F8 itself: nothing in the library calls itself, directly or
# through others (but the callbacks, of which no reader has any that lead back).
. "$(dirname "$0")/../check.sh"

sed -n 's/^| \([A-Z]\{0,1\}[0-9.]*\) | .*/\1/p' tests/README.md >"$work/rules"
[ "$(wc -l <"$work/rules")" -gt 70 ] && pass || fail "tests/README.md has no table of rules"
while read -r rule; do
  named=$(grep -rlwF -e "$rule" tests --include='test_*.c' | head -n 1)
  if [ -n "$named" ]; then pass; else fail "rule $rule is named by no test"; fi
done <"$work/rules"

# tsort finds loops. gcc's call graph is one of unoptimised calls.
printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$work/impl.c"
if have tsort && $CC -std=c99 -O0 -fcallgraph-info -I. -c -o "$work/impl.o" "$work/impl.c" 2>/dev/null &&
  graph=$(find "$work" . -maxdepth 1 -name 'impl*.ci' | head -n 1) && [ -n "$graph" ]; then
  sed -n 's/^edge: { sourcename: "\([^"]*\)" targetname: "\([^"]*\)".*/\1 \2/p' "$graph" |
    grep -v __indirect_call | sed 's/[^ ]*\.c://g; s/[^ ]*\.h://g' >"$work/edges"
  [ "$(wc -l <"$work/edges")" -gt 1000 ] && pass || fail "no call graph"
  awk '$1 == $2' "$work/edges" >"$work/self"
  [ ! -s "$work/self" ] && pass || fail "F8: calls itself" "$work/self"
  if tsort "$work/edges" >/dev/null 2>"$work/loops"; then pass; else fail "F8: a loop of calls" "$work/loops"; fi
  echo "a b b a" | tsort >/dev/null 2>&1 && fail "tsort finds no loops" || pass
  rm -f "$graph"
else
  skip "no call graph (gcc 10, tsort): that nothing recurses is not checked"
fi
report
