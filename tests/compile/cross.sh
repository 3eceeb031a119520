#!/bin/sh
# Other machines: a 64-bit big-endian one under an emulator, Windows by two compilers, and the freestanding part for
# whatever clang can aim at. What could only be compiled, and not run, is said to be so.
. "$(dirname "$0")/../check.sh"
strict="-Wall -Wextra -Wconversion -Wshadow -pedantic -Werror"
printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$work/impl.c"

# Big endian: every family from random weights, then the unit tests and the parity tests.
s390x=
for cc in s390x-linux-gnu-gcc s390x-linux-gnu-gcc-12 s390x-linux-gnu-gcc-13 s390x-linux-gnu-gcc-14; do
  if have $cc; then s390x=$cc; break; fi
done
emulator=
for e in qemu-s390x-static qemu-s390x; do
  if have $e; then emulator=$e; break; fi
done
if [ -z "$s390x" ] || [ -z "$emulator" ]; then
  skip "big endian: s390x-linux-gnu-gcc or qemu-s390x is not here"
else
  for source in tests/compile/cut.c tests/unit/test_*.c tests/models/test_*.c; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .c)
    if check "big endian: $name builds" $s390x -std=c99 -O1 -static -DHFMODEL_STATIC -I. -Itests \
      -o "$work/$name" "$source" -pthread -lm; then
      check "big endian: $name runs" $emulator "$work/$name"
    fi
  done
fi

if have x86_64-w64-mingw32-gcc; then
  check "mingw-w64, C99" x86_64-w64-mingw32-gcc -std=c99 -O1 $strict -c -I. -o "$work/win.o" "$work/impl.c"
  check "mingw-w64 links" x86_64-w64-mingw32-gcc -std=c99 -O1 -I. -Itests -o "$work/cut.exe" tests/compile/cut.c
  if have x86_64-w64-mingw32-g++; then
    check "mingw-w64, C++11" x86_64-w64-mingw32-g++ -std=c++11 $strict -fsyntax-only -I. -x c++ "$work/impl.c"
  fi
  if have wine64 || have wine; then
    check "mingw-w64 runs" "$(command -v wine64 || command -v wine)" "$work/cut.exe"
  else
    skip "Windows (mingw-w64): compiled and linked, but not run, there is no wine"
  fi
else
  skip "Windows: x86_64-w64-mingw32-gcc is not here"
fi
report
