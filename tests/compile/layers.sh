#!/bin/sh
# A section of src/ uses only those above it: each one compiles when the unity header is cut off after it.
. "$(dirname "$0")/../check.sh"
if ! have python3; then
  skip "python3 is not here, so the order of the layers was not checked"
  report
fi
python3 tools/amalgamate.py --list >"$work/list" || fail "amalgamate.py --list"
while read -r file; do
  python3 tools/amalgamate.py --upto "$file" -o "$work/upto.h"
  printf '#define HFMODEL_IMPLEMENTATION\n#include "upto.h"\n' >"$work/upto.c"
  check "$file needs only what stands above it" $CC -std=c99 -fsyntax-only \
    -Werror=implicit-function-declaration "$work/upto.c"
done <"$work/list"

# Calls upward by way of the public API, or of a private function declared early, leave an undefined symbol. One such
# declaration is by design: config/ asks the registry of families for a model type's defaults.
for layer in $(sed -n 's,/.*,,p' "$work/list" | uniq); do
  python3 tools/amalgamate.py --upto "$layer" -o "$work/upto.h"
  if $CC -std=c99 -O0 -DHFMODEL_NO_SIMD -w -c -o "$work/upto.o" "$work/upto.c" 2>"$work/log"; then
    nm -u "$work/upto.o" | grep -o 'hfm_.*' | grep -vx 'hfm__config_class_find' >"$work/log"
    if [ -s "$work/log" ]; then fail "src/$layer/ calls what stands below it" "$work/log"; else pass; fi
  else
    fail "src/$layer/ compiles" "$work/log"
  fi
done

# And the check can fail.
python3 tools/amalgamate.py --upto base/error.h -o "$work/upto.h"
printf '#define HFMODEL_IMPLEMENTATION\n#include "upto.h"\nint f(void) { return hfm__no_such_layer(); }\n' \
  >"$work/upto.c"
check_fails "a call downward is noticed" $CC -std=c99 -fsyntax-only -Werror=implicit-function-declaration "$work/upto.c"
report
