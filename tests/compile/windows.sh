#!/bin/sh
# Windows, by mingw-w64: compiled in both languages, and run by Wine: every family, its parity with Transformers,
# generation, the API, files and threads. (Microsoft's own compiler is not at hand; clang aims at its target in
# cross.sh.)
. "$(dirname "$0")/../emulate.sh"
gcc=x86_64-w64-mingw32-gcc gxx=x86_64-w64-mingw32-g++
strict="-Wall -Wextra -Wconversion -Wshadow -pedantic -Werror"
write_library "$work/impl.c"
wine=$(first_of wine64 wine /usr/lib/wine/wine64)
export WINEDEBUG=-all WINEPREFIX="$PWD/$work/wine"

if ! have $gcc; then
  skip "Windows: $gcc is not here"
  report
fi
# shellcheck disable=SC2086
if have $gxx; then
  check "mingw-w64, C++11" $gxx -std=c++11 $strict -fsyntax-only -I. -x c++ "$work/impl.c"
else
  skip "Windows: $gxx is not here"
fi
# shellcheck disable=SC2086
check "mingw-w64, C99" $gcc -std=c99 $strict -fsyntax-only -I. -x c "$work/impl.c"
printf 'int main(void) { return 0; }\n' >"$work/empty.c"
limit=
if have timeout; then limit="timeout 600"; fi
printf '#!/bin/sh\nexec %s %s "$1.exe"\n' "$limit" "$wine" >"$work/run" # the compiler adds .exe to a program's name
chmod +x "$work/run"
if [ -n "$wine" ] && $gcc -o "$work/empty" "$work/empty.c" && "$work/run" "$work/empty" >/dev/null 2>&1; then
  sources="tests/compile/cut.c tests/unit/test_io.c tests/unit/test_threads.c tests/unit/test_hub.c"
  suite "Windows" "$work/run" "$sources $(echo tests/models/test_*.c tests/api/test_*.c)" $gcc -O1 -static
  "$(first_of wineserver /usr/lib/wine/wineserver64 /usr/lib/wine/wineserver true)" -k >/dev/null 2>&1
else
  skip "Windows: compiled but not run, there is no wine that works"
fi
report
