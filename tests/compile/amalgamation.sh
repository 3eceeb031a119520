#!/bin/sh
# The committed hfmodel.h is exactly what src/ gives, and the check can fail.
. "$(dirname "$0")/../check.sh"
if ! have python3; then
  skip "python3 is not here, so hfmodel.h was not compared with src/"
  report
fi
check "hfmodel.h matches src/" python3 tools/amalgamate.py --check
sed 's/HFM_ERROR_ARGUMENT = 1,/HFM_ERROR_ARGUMENT = 11,/' hfmodel.h >"$work/changed.h"
check_fails "a changed hfmodel.h is noticed" python3 tools/amalgamate.py --check -o "$work/changed.h"
check "writing it twice" python3 tools/amalgamate.py -o "$work/first.h"
check "writing it twice, from elsewhere" env -C / python3 "$PWD/tools/amalgamate.py" -o "$PWD/$work/second.h"
check "both are the same" cmp "$work/first.h" "$work/second.h"
tail -n 60 hfmodel.h | grep -q 'MIT License' && pass || fail "the licence stands at the end of hfmodel.h"
report
