#!/bin/sh
# The languages, compilers and ways to include it, with every warning an error.
. "$(dirname "$0")/../emulate.sh"
strict="-Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -pedantic -Werror"

printf '#include "hfmodel.h"\nint main(void) { return hfm_version()[0] == 0; }\n' >"$work/api.c"
write_library "$work/impl.c"
headers='#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n#include <errno.h>\n'
printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n'"$headers" >"$work/first.c"
printf "$headers"'#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$work/last.c"
printf '#include "hfmodel.h"\n#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n#include "hfmodel.h"\n' \
  >"$work/twice.c"
# A user's own macros with the names of functions: allocation that is checked, a network's sockets.
{
  printf "$headers"
  cat <<'EOF'
void *checked_malloc(size_t, const char *, int);
void *checked_realloc(void *, size_t, const char *, int);
void checked_free(void *, const char *, int);
#define malloc(n) checked_malloc(n, __FILE__, __LINE__)
#define realloc(p, n) checked_realloc(p, n, __FILE__, __LINE__)
#define free(p) checked_free(p, __FILE__, __LINE__)
EOF
  cat "$work/impl.c"
} >"$work/checked.c"
{
  cat <<'EOF'
#define HFMODEL_NO_STDIO
#define open(a, b) net_open(a, b)
#define close(s) net_close(s)
#define read(s, m, n) net_read(s, m, n)
#define write(s, m, n) net_write(s, m, n)
EOF
  cat "$work/impl.c"
} >"$work/sockets.c"
static='#define HFMODEL_STATIC\n#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\nint f(void);\n'
printf "$static"'int f(void) { return hfm_version()[0]; }\n' >"$work/static.c"

syntax() { # NAME COMPILER FLAGS...
  name=$1
  shift
  check "$name" "$@" $strict -fsyntax-only -I.
}

for cc in "$CC" "$CLANG"; do
  have "${cc%% *}" || { skip "no C compiler $cc"; continue; }
  for std in c99 c11; do
    for file in api impl twice; do syntax "$cc -std=$std $file" $cc -std=$std "$work/$file.c"; done
  done
  for file in first last checked sockets static; do syntax "$cc -std=c99 $file" $cc -std=c99 "$work/$file.c"; done
  syntax "$cc -std=c99 static, no generation" $cc -std=c99 -DHFMODEL_NO_GENERATION "$work/static.c"
  syntax "$cc -std=gnu17" $cc -std=gnu17 "$work/last.c"
  syntax "$cc -ffast-math" $cc -std=c99 -ffast-math "$work/impl.c"
  syntax "$cc -march=native" $cc -std=c99 -march=native "$work/impl.c"
done
for cxx in "$CXX" "$CLANGXX"; do
  have "${cxx%% *}" || { skip "no C++ compiler $cxx"; continue; }
  for file in api first last twice static; do
    syntax "$cxx -std=c++11 $file" $cxx -std=c++11 -x c++ "$work/$file.c"
  done
  syntax "$cxx -std=c++20" $cxx -std=c++20 -x c++ "$work/impl.c"
  syntax "$cxx -fno-exceptions -fno-rtti" $cxx -std=c++11 -fno-exceptions -fno-rtti -x c++ "$work/impl.c"
done

# With the optimiser on, compilers see more.
check "$CC -O2" $CC -std=c99 -O2 $strict -c -I. -o "$work/c.o" "$work/impl.c"
check "$CC -O3" $CC -std=c99 -O3 $strict -c -I. -o "$work/c3.o" "$work/impl.c"
check "$CC -O3, no SIMD" $CC -std=c99 -O3 -DHFMODEL_NO_SIMD $strict -c -I. -o "$work/c3.o" "$work/impl.c"
if have "$CXX"; then check "$CXX -O2" $CXX -std=c++11 -O2 $strict -c -I. -o "$work/cxx.o" -x c++ "$work/impl.c"; fi

# Two translation units: the implementation in C, its user in C++; then two static copies side by side.
if have "$CXX"; then
  check "C++ user" $CXX -std=c++11 -I. -o "$work/mixed" -x c++ "$work/api.c" -x none "$work/c.o" -pthread -lm
  check "C++ user runs" "$work/mixed"
else
  skip "no C++ compiler: a C++ user of a C implementation"
fi
printf "$static"'int main(void) { return f() != hfm_version()[0]; }\n' >"$work/static2.c"
check "two static copies" $CC -std=c99 -O0 -I. -o "$work/two" "$work/static.c" "$work/static2.c" -pthread -lm
check "two static copies run" "$work/two"

# A user's own flags: it still runs.
runs() { # NAME COMPILER FLAGS...
  name=$1
  shift
  if check "$name builds" "$@" -std=c99 -I. -Itests -o "$work/cut" tests/compile/cut.c -pthread -lm; then
    check "$name runs" "$work/cut"
  fi
}
runs "$CC -O2 -ffast-math" $CC -O2 -ffast-math
runs "$CC -funsigned-char" $CC -O0 -funsigned-char -DHFMODEL_NO_SIMD
runs "$CC -Os -DNDEBUG" $CC -Os -DNDEBUG

# 32 bits: with the floats of SSE2, it and the other tests run in bits32.sh.
m32=$(m32_flags)
if [ -n "$m32" ]; then
  syntax "$CC -m32" $CC -std=c99 $m32 "$work/impl.c"
  runs "$CC -m32 (x87)" $CC -O1 $m32
else
  skip "$CC -m32 does not work here (no 32-bit C library)"
fi
report
