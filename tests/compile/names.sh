#!/bin/sh
# No name without the prefix enters the user's file: symbols, macros, types, tags, statics, enumerators.
. "$(dirname "$0")/../check.sh"

symbols() { # OBJECT: the names it defines, without what a compiler appends to them
  nm "$1" | awk 'NF == 3 && $2 !~ /[Uuw]/ { print $3 }' | sed 's/\..*//' | grep -v '^$' | sort -u
}

# As a library: what the linker sees is hfm_, nothing private and nothing else. What it needs is named, so that a new
# dependency is a decision.
printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$work/impl.c"
check "extern build" $CC -std=c99 -O0 -c -I. -o "$work/extern.o" "$work/impl.c"
nm -g "$work/extern.o" | awk 'NF == 3 && $2 ~ /[A-Z]/ { print $3 }' | grep -v '^hfm_[^_]' >"$work/log"
if [ -s "$work/log" ]; then fail "global symbols carry hfm_" "$work/log"; else pass; fi
nm -u "$work/extern.o" | awk '{ print $NF }' | sed 's/@.*//' | grep -vxE -f tests/compile/libc_names >"$work/log"
if [ -s "$work/log" ]; then fail "only the named C library functions are used" "$work/log"; else pass; fi

# Local symbols too. (A static inside of a function has a digit after its dot and is no name of the file.)
check "static build" $CC -std=c99 -O0 -DHFMODEL_STATIC -c -I. -o "$work/static.o" "$work/impl.c"
nm "$work/static.o" | awk 'NF == 3 && $3 !~ /\./ { print $3 }' | grep -v '^hfm_' >"$work/log"
if [ -s "$work/log" ]; then fail "local symbols carry hfm_" "$work/log"; else pass; fi
nm -g "$work/static.o" | awk 'NF == 3' >"$work/log"
if [ -s "$work/log" ]; then fail "a static build exports nothing" "$work/log"; else pass; fi

if ! have python3; then
  skip "python3 is not here, so macros, types, tags and enumerators were not checked"
  report
fi
scan() { # NAME COMMAND...: preprocesses impl.c by COMMAND
  scan_name=$1
  shift
  if "$@" -E -dD -I. "$work/impl.c" >"$work/preprocessed" 2>"$work/log"; then
    check "$scan_name: macros, types, tags, statics, enumerators" \
      python3 tests/compile/names.py --allow tests/compile/libc_names <"$work/preprocessed"
  else
    fail "$scan_name" "$work/log"
  fi
}
scan "C99" $CC -std=c99
[ "$(python3 tests/compile/names.py --count <"$work/preprocessed")" -gt 200 ] && pass || fail "the scan sees the names"
scan "C11, GNU" $CC -std=gnu11
if have "$CXX"; then scan "C++11" $CXX -std=c++11 -x c++; else skip "no C++ compiler ($CXX)"; fi
if have x86_64-w64-mingw32-gcc; then
  scan "Windows" x86_64-w64-mingw32-gcc -std=c99
else
  skip "x86_64-w64-mingw32-gcc is not here, so the names of a Windows build were not checked"
fi

# And each check can fail.
for bad in 'static int helper(void) { return 0; }' 'typedef struct hfm__x { struct inner { int a; } b; } hfm__x;' \
  'enum { hfm__a, OTHER = 1 };' 'typedef int word;' 'static const int table[] = { 1, 2 };' '#define SWAP(a, b)' \
  'typedef void (*callback)(int x);' '#undef NULL' 'struct lonely;' 'union hfm__u { int a; } object;'; do
  { cat "$work/impl.c"; printf '# 1 "hfmodel.h"\n%s\n' "$bad"; } >"$work/bad.c"
  $CC -std=c99 -E -dD -I. "$work/bad.c" >"$work/preprocessed" 2>/dev/null
  check_fails "noticed: $bad" python3 tests/compile/names.py <"$work/preprocessed"
done
report
