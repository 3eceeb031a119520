#!/bin/sh
# Programs of 32 bits, where the compiler makes such: with file offsets of 64 bits and the floats of SSE2, which are
# those of other machines; and files beyond 4 GiB without such offsets. (The x87's floats: warnings.sh.)
. "$(dirname "$0")/../emulate.sh"
m32=$(m32_flags)
if [ -n "$m32" ]; then
  # shellcheck disable=SC2086
  suite "32 bits" env "$all_sources" $CC -O1 $m32 -msse2 -mfpmath=sse -D_FILE_OFFSET_BITS=64 -Werror
  # shellcheck disable=SC2086
  check "32-bit offsets: test_large builds" $CC -O1 $m32 -std=c99 -I. -Itests -o "$work/offsets" \
    tests/api/test_large.c "$work/hfmodel.c" -pthread -lm
  check "32-bit offsets: test_large runs" "$work/offsets"
else
  skip "$CC -m32 does not work here (no 32-bit C library)"
fi
report
