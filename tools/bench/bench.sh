#!/bin/sh
# make bench: what this machine does. Models have real sizes and random weights, so nothing has to be downloaded.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC:=cc}" "${CFLAGS:=-O2}" "${LDLIBS:=-lm}"
work=build/bench
mkdir -p $work

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
echo "machine: $processor, $(getconf _NPROCESSORS_ONLN) processors; compiler: $($CC --version | head -n 1), $CFLAGS"

echo "forward, random weights (build/hfm bench):"
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^,\"}]*\).*/\1/p" $work/json | head -n 1; }
bench() { # MODEL ARGUMENTS...
  model=$1
  shift
  for threads in 1 0; do
    build/hfm bench "tools/bench/$model" --random-weights --json --threads $threads "$@" >$work/json || return 1
    printf '  %-14s %-24s %2s threads, %-12s median %9s ms, min %9s ms, %s per second\n' "$model" "$*" \
      "$(field threads)" "$(field isa)" "$(field median_ms)" "$(field min_ms)" "$(field "[a-z]*_per_second")"
  done
}
bench bert-base --length 16
bench bert-base --length 128
bench bert-base --length 512
bench bert-base --length 128 --batch 8
bench gpt2 --length 128
bench qwen2.5-0.5b --length 128
bench vit-base

echo "beside onnxruntime and torch (make bench-peers has all cases):"
if "${PYTHON:-python3}" -c 'import onnxruntime, torch, transformers' 2>/dev/null; then
  "${PYTHON:-python3}" tools/bench/peers.py --rounds 5 "bert-base 128"
else
  echo "  not here: make bench PYTHON=/path/to/a/python/that/has/them"
fi

echo "what the modes cost: BERT-base, 128 tokens, 1 thread:"
for mode in "" "--packing never" "--packing eager" "--batch-invariant" "--strict" "--attn eager" "--dtype bfloat16" \
  "--dtype bfloat16 --compute-dtype bfloat16"; do
  # shellcheck disable=SC2086
  build/hfm bench tools/bench/bert-base --random-weights --json --threads 1 $mode >$work/json && printf \
    '  %-45s median %9s ms, min %9s ms\n' "${mode:-default}" "$(field median_ms)" "$(field min_ms)"
done

echo "from a mapped checkpoint of BERT-base, 201 tensors, 438 MB:"
first() { # STATE OF THE FILE
  for threads in 1 0; do
    build/hfm bench $work --json --threads $threads --runs 10 >$work/json && printf \
      '  %-26s %2s threads: load %s ms, first forward %s ms, median of the next %s ms\n' "$1" "$(field threads)" \
      "$(field load_ms)" "$(field first_ms)" "$(field median_ms)"
  done
}
# A system keeps what was written piece by piece in small pages, what was read from the disk in large ones.
reread() { # FILE
  sync "$1" && dd if="$1" iflag=nocache count=0 2>/dev/null && cat "$1" >/dev/null
}
$CC -std=c99 -O1 -DHFMODEL_STATIC -I. -o $work/random_model tests/tool/random_model.c -pthread $LDLIBS &&
  cp tools/bench/bert-base/config.json $work/ && $work/random_model $work && first "just written" &&
  reread $work/model.safetensors && first "read from the disk before"
rm -f $work/model.safetensors

echo "generating 64 tokens, weights mapped from a file (tools/bench/generation.c):"
$CC -std=c99 $CFLAGS -I. -o $work/generation tools/bench/generation.c -pthread $LDLIBS
generation() { # MODEL DTYPE ARGUMENTS...
  model=$work/$1
  mkdir -p "$model"
  sed "s/^{/{ \"dtype\": \"$2\",/" "tools/bench/$1/config.json" >"$model/config.json"
  shift 2
  $work/random_model "$model" && reread "$model/model.safetensors" &&
    for threads in 1 $(getconf _NPROCESSORS_ONLN); do
      printf '  ' && $work/generation "$model" --threads "$threads" "$@"
    done
  rm -rf "$model"
}
generation smollm2-135m float32
generation smollm2-135m bfloat16
generation t5-small float32 --length 64
generation bart-base float32 --length 64

echo "BERT-base in slices of 2 ms (hfm_session_step):"
for length in 128 512; do
  for threads in 1 0; do
    build/hfm bench tools/bench/bert-base --random-weights --json --budget-ms 2 --length $length --threads $threads \
      >$work/json &&
      printf '  %3d tokens, %2s threads: %s slices, the longest of a forward %s to %s ms in %s forwards of %s ms\n' \
        $length "$(field threads)" "$(field slices)" "$(field least_longest_slice_ms)" "$(field longest_slice_ms)" \
        "$(field runs)" "$(field median_ms)"
  done
done

echo "kernels against this machine's peaks (tools/bench.c):"
$CC -std=c99 $CFLAGS -I. -o $work/kernels tools/bench.c -pthread $LDLIBS &&
  for more in "" "--threads $(getconf _NPROCESSORS_ONLN)" "--isa avx2"; do
    # shellcheck disable=SC2086
    $work/kernels --quick $more
  done

echo "size of the code, -Os (text and data, bytes):"
printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >$work/size.c
size_of() { # WHAT FLAGS...
  what=$1
  shift
  $CC -std=c99 -Os "$@" -I. -c -o $work/size.o &&
    size $work/size.o | awk -v what="$what" 'NR == 2 { printf "  %-82s %7d\n", what, $1 + $2 }'
}
one="-DHFMODEL_ONLY_BERT -DHFMODEL_NO_AVX2 -DHFMODEL_NO_STDIO"
lean="$one -DHFMODEL_NO_PICKLE -DHFMODEL_NO_GGUF -DHFMODEL_NO_STRICT -DHFMODEL_NO_CACHE
  -fno-asynchronous-unwind-tables"
silent="$lean -DHFMODEL_NO_MESSAGES"
size_of "everything" $work/size.c
size_of "without AVX-512" -DHFMODEL_NO_AVX512 $work/size.c
size_of "HFMODEL_ONLY_BERT, all instruction sets" -DHFMODEL_ONLY_BERT $work/size.c
size_of "HFMODEL_ONLY_BERT, scalar and SSE2, no stdio" $one $work/size.c
size_of "... without unwind tables" $one -fno-asynchronous-unwind-tables $work/size.c
size_of "... and no pickle, GGUF, strict mode, cache or generation" $lean $work/size.c
size_of "... and no error messages" $silent $work/size.c
size_of "... but with messages, and just what a program uses (examples/in_memory.c, HFMODEL_STATIC)" \
  $lean -DHFMODEL_STATIC examples/in_memory.c
size_of "... and no portable kernels" $lean -DHFMODEL_STATIC -DHFMODEL_NO_SCALAR examples/in_memory.c
size_of "... and no error messages" $silent -DHFMODEL_STATIC -DHFMODEL_NO_SCALAR examples/in_memory.c
size_of "... and the portable kernels alone, no threads" $silent -DHFMODEL_STATIC -DHFMODEL_NO_SIMD \
  -DHFMODEL_NO_THREADS examples/in_memory.c
