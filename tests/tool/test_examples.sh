#!/bin/sh
# The examples run and say what they should; the tool, the companions and the examples compile without a warning, in C
# and C++, also for Windows.
. "$(dirname "$0")/../check.sh"
strict="-Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -pedantic -Werror -fsyntax-only -I."

for cc in "$CC" "$CLANG" x86_64-w64-mingw32-gcc; do
  if have "$cc"; then check "hfm.c: $cc" $cc -std=c99 $strict tools/hfm.c; else skip "$cc is not here"; fi
done
for cxx in "$CXX" "$CLANGXX"; do
  if have "$cxx"; then check "hfm.c: $cxx" $cxx -x c++ -std=c++11 $strict tools/hfm.c; else skip "$cxx is not here"; fi
done

# example NAME TEXT ARGUMENTS...: builds it, runs it, looks for the text in what it prints.
example() {
  name=$1 text=$2
  shift 2
  check "$name builds" $CC -std=c99 -O1 -DHFMODEL_STATIC -I. -o "$work/$name" "examples/$name.c" -pthread -lm
  if "$work/$name" "$@" >"$work/out" 2>&1 && grep -q "$text" "$work/out"; then pass; else fail "$name $*" "$work/out"; fi
}
example demo " of 360 digits that it never saw are right"
example demo " fi  *[0-9]* %  Missä on lähin rautatieasema" "Missä on lähin rautatieasema?"
example pack_file ": 2 files" write "$work/digits.pack" examples/models/digits-vit
example pack_file "a vertical stroke is a one" run "$work/digits.pack"
example two_threads "thread 1: the first number is"
example frame_budget "and is done"
report
