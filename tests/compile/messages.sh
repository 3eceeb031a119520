#!/bin/sh
# The tables of errors (tests/unit/error_table.h) have every item, and every message that the sources make, but for
# those of messages_unreached.
. "$(dirname "$0")/../check.sh"
tables="tests/unit/error_files.txt tests/unit/error_models.txt tests/unit/error_runs.txt"

# What depends on the machine is tested elsewhere.
elsewhere=" ISA_MISSING STRICT_MISSING "
sed -n 's/^ *X(\([A-Z_0-9]*\), [0-9]*, .*/\1/p' src/error_items.h >"$work/items"
[ "$(wc -l <"$work/items")" -gt 70 ] && pass || fail "src/error_items.h has no items"
while read -r item; do
  case $elsewhere in *" $item "*) continue ;; esac
  # shellcheck disable=SC2086
  check "an error $item in a table" grep -q "^$item | " $tables
done <"$work/items"

if ! have python3; then
  skip "python3 is not here: the messages were not looked for"
  report
fi
# shellcheck disable=SC2086
cat $tables >"$work/table"
messages() { python3 tests/compile/messages.py "$@"; }
sources=$(find src -name '*.[ch]')
# shellcheck disable=SC2086
check "every message is in a table" messages "$work/table" tests/compile/messages_unreached $sources

# And the check can fail.
echo 'int f(void) { return hfm__fail(e, 1, 0, 0, 0, "%u bytes of " "nothing", n); }' >"$work/new.c"
: >"$work/none"
echo "    x: 7 bytes of nothing" >"$work/has"
check "a message is found" messages "$work/has" "$work/none" "$work/new.c"
check_fails "a message without a row is noticed" messages "$work/table" "$work/none" "$work/new.c"
echo "%u bytes of nothing" >"$work/listed"
check "one that nothing reaches is let pass" messages "$work/table" "$work/listed" "$work/new.c"
check_fails "one that something reaches is not" messages "$work/has" "$work/listed" "$work/new.c"
echo 'HFM__PRIVATE int hfm__say(int n, const char *format, ...);' >"$work/say.c"
check_fails "a new maker of messages is noticed" messages "$work/has" "$work/none" "$work/say.c"
report
