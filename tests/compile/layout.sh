#!/bin/sh
# No line that a person reads is longer than 120 columns: sources, scripts and documents; tables and test data apart.
. "$(dirname "$0")/../check.sh"

too_long() { awk 'length($0) > 120 && !/^\|/ { print FILENAME ":" FNR ": " length($0) " columns"; found = 1 }
  END { exit !found }' "$@"; }

find Makefile README.md CHANGELOG.md .ci src tests tools examples docs -type f |
  grep -E '\.(c|h|py|sh|md)$|Makefile$|^\.ci/' | grep -v '/json_test_suite\.h$' >"$work/files"
while read -r file; do
  if too_long "$file" >"$work/log"; then fail "$file has long lines" "$work/log"; else pass; fi
done <"$work/files"

# And the check can fail.
printf '%121s\n' x >"$work/long.c"
check "a long line is noticed" too_long "$work/long.c"
report
