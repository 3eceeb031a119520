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

# The library once, for programs that then need not compile it again: that each of them compiles as it stands is checked
# by docs.sh, and classify is built so.
printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$work/hfmodel.c"
check "the library builds" $CC -std=c99 -O1 -I. -c -o "$work/hfmodel.o" "$work/hfmodel.c"
builds() { # NAME SOURCE FLAGS...
  name=$1 source=$2
  shift 2
  sed '/^#define HFMODEL_IMPLEMENTATION$/d' "$source" >"$work/$name.c"
  check "$name builds" $CC -std=c99 -O1 "$@" -I. -o "$work/$name" "$work/$name.c" \
    "$work/hfmodel.o" -pthread -lm
}
# runs NAME TEXT ARGUMENTS...: looks for the text in what it prints, $work/out.
runs() {
  name=$1 text=$2
  shift 2
  if "$work/$name" "$@" >"$work/out" 2>&1 && grep -q "$text" "$work/out"; then pass
  else fail "$name $*" "$work/out"; fi
}
example() { # NAME TEXT ARGUMENTS...
  builds "$1" "examples/$1.c"
  runs "$@"
}

# at_least PERCENT TEXT: the last example said "N of M" before this text, and that is enough.
at_least() {
  counts=$(sed -n "s,^\([0-9][0-9]*\) of \([0-9][0-9]*\) $2.*,\1 \2,p" "$work/out")
  right=${counts% *} all=${counts#* }
  if [ -n "$counts" ] && [ "$all" -gt 0 ] && [ $((right * 100)) -ge $((all * $1)) ]; then pass
  else fail "'$counts' $2, of which $1 % should be right" "$work/out"; fi
}

example demo "digits that it never saw are right"
at_least 97 "digits that it never saw are right"
at_least 97 "sentences in examples/models/langid-bert/heldout.txt are right"
at_least 95 "sentences in examples/models/langid-bert/everyday.txt are right"
check "demo writes what tests/models/test_drawn.c says" grep -q "^  The king said to him, \"Don't be afraid, for" \
  "$work/out"
check "and says how fast" grep -q "the rest is the model's: [1-9][0-9]* tokens, [1-9][0-9]* a second" "$work/out"
check "demo begins as it is told" sh -c '"$1" --write "My son" | grep -q "^  My son[^a-z]"' - "$work/demo"
runs demo " fi  *[0-9]* %  Missä on lähin rautatieasema" "Missä on lähin rautatieasema?"
runs demo " nl  *[0-9]* %  Waar is het" "Waar is het?"
bytes=$(cat $(find examples/models -type f) | wc -c)
check "examples/models has at most 2 MB: $bytes bytes" [ "$bytes" -le 2000000 ]

# A clock before 1970, or one that has run over in 2038.
cat >"$work/clock.c" <<END
#include <time.h>
time_t odd_clock(time_t *t) { return t ? *t : (time_t)-5; }
END
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all"
printf 'int main(void) { return 0; }\n' >"$work/probe.c"
# shellcheck disable=SC2086
if $CC $sanitize -o "$work/probe" "$work/probe.c" 2>"$work/log" && "$work/probe"; then
  # shellcheck disable=SC2086
  builds demo_clock examples/demo.c $sanitize -Dtime=odd_clock "$work/clock.c"
  check "demo with an odd clock" "$work/demo_clock"
else
  skip "no sanitizers: the demo with an odd clock"
fi

# What the README's reader does first: the program and a shipped model, nothing else.
check "classify builds" $CC -std=c99 -O1 -DHFMODEL_STATIC -I. -o "$work/classify" examples/classify.c -pthread -lm
runs classify '^nl$'
example in_memory '^nl$'

# Random weights, since the ids are those of a vocabulary of 30522: similarities come out, whatever they are.
mkdir -p "$work/embeddings_model"
cat >"$work/embeddings_model/config.json" <<END
{"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 30522, "hidden_size": 8, "num_hidden_layers": 1,
 "num_attention_heads": 2, "intermediate_size": 12, "max_position_embeddings": 16}
END
builds random_model tests/tool/random_model.c
check "random_model runs" "$work/random_model" "$work/embeddings_model"
example embeddings '^ *-*[01]\.[0-9][0-9][0-9]  A man is eating a piece of bread\.$' "$work/embeddings_model"
check "embeddings compares each pair" [ "$(grep -c '^ *-*[01]\.[0-9][0-9][0-9]  ' "$work/out")" -eq 3 ]

# An example that needs an argument says so, and ends with 2.
usage() { # NAME TEXT ARGUMENTS...: what was built above
  name=$1 text=$2
  shift 2
  "$work/$name" "$@" >"$work/out" 2>&1
  code=$?
  if [ "$code" -eq 2 ] && grep -q "$text" "$work/out"; then pass; else fail "$name $*: exit code $code" "$work/out"; fi
}
usage embeddings "^embeddings DIR: "

example pack_file ": 2 files" write "$work/digits.pack" examples/models/digits-vit
runs pack_file "a vertical stroke is a one" run "$work/digits.pack"
usage pack_file "^pack_file write PACK DIR"
usage pack_file "^pack_file write PACK DIR" run
example two_threads "thread 1: the first number is"
example frame_budget "and is done"
example generate_in_frames '^[1-9][0-9]* tokens in [1-9][0-9]* frames$' examples/models/bible-llama
usage generate_in_frames '^usage: generate_in_frames MODEL-DIRECTORY'
builds chat examples/chat.c
for model in tests/models/qwen2_causal examples/models/bible-llama; do
  printf '5 17 9\n33,2\n' | "$work/chat" $model >"$work/out" 2>&1
  check "chat goes on from its cache: $model" \
    [ "$(grep -c '^[0-9]* ids, [0-9]* of them in the cache$' "$work/out")" -eq 2 ]
done
usage chat '^usage: chat MODEL-DIRECTORY'
builds translate examples/translate.c
printf '5 17 9\n33,2,8,41\n' | "$work/translate" tests/models/mt5_generation 17 >"$work/out" 2>&1
check "translate begins with the language" [ "$(grep -c '^17 [0-9][0-9 ]*$' "$work/out")" -eq 2 ]
check "translate has two sentences" grep -q '^2 sentences in' "$work/out"
report
