#!/bin/sh
# What the documents say is what the code does: every example compiles, the program in the README and in the manual is
# examples/classify.c, and the README's table is the registry's.
. "$(dirname "$0")/../check.sh"
strict="-Wall -Wextra -pedantic -Werror"

for example in examples/*.c; do
  check "$example compiles" $CC -std=c99 $strict -fsyntax-only -I. "$example"
done

sed -n '/^#define/,$p' examples/classify.c >"$work/example"
sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' >"$work/readme"
check "the README's program is examples/classify.c" diff "$work/example" "$work/readme"
check "and has at most fifteen lines" [ "$(wc -l <"$work/readme")" -le 15 ]
if have "$CXX"; then check "and is C++, too" $CXX -std=c++11 $strict -fsyntax-only -I. -x c++ "$work/readme"
else skip "no C++ compiler: the README's program in C++"; fi
sed -n '/^      #define HFMODEL_IMPLEMENTATION$/,/^      }$/p' src/manual.h | sed 's/^      //' |
  awk '/^#define HFMODEL_IMPLEMENTATION$/ { text = "" } { text = text $0 "\n" } END { printf "%s", text }' |
  sed 's,// \(.*\)$,/* \1 */,' >"$work/manual"
check "the manual's program is examples/classify.c" diff "$work/example" "$work/manual"

version=$(sed -n 's/^#define HFM_VERSION "\(.*\)"/\1/p' src/api.h)
numbers=$(sed -n 's/^#define HFM_VERSION_[MP][A-Z]* \([0-9]*\)$/\1/p' src/api.h | tr '\n' '.')
check "HFM_VERSION agrees with its parts" [ "$version." = "$numbers" ]
check "the CHANGELOG has $version on top" [ "$(sed -n 's/^## //p' CHANGELOG.md | head -n 1)" = "$version" ]

check "build/hfm" make -s build/hfm
sed -n '/<!-- registry:begin/,/<!-- registry:end/p' README.md | sed '1d;$d' >"$work/readme"
if build/hfm registry --markdown >"$work/registry" 2>"$work/log"; then
  check "the README's table of models is the registry's" diff "$work/registry" "$work/readme"
else
  fail "build/hfm registry --markdown" "$work/log"
fi
sed -n '/^  Models  /,/^  Quirks/p' src/manual.h | tr -s ', \n' '\n' >"$work/words"
for type in $(sed -n 's/^| \([a-z][a-z0-9_-]*\) |.*/\1/p' "$work/registry" | grep -v '^model_type$'); do
  if grep -qx -- "$type" "$work/words"; then pass; else fail "$type is not among the manual's models"; fi
done
for file in $(grep -ohE '\]\([^)#:]+\)' README.md src/README.md CHANGELOG.md | sed 's/](\(.*\))/\1/' | sort -u); do
  if [ -e "$file" ] || [ -e "src/$file" ]; then pass; else fail "a link to $file, which is not there"; fi
done
report
