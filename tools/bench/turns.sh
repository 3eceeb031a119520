#!/bin/sh
# Compares versions of the kernels, or of whole forwards, in turns (tools/bench/turns.c):
#
#     sh tools/bench/turns.sh [--models] [--threads N] [--isa NAME] [--calls N] VERSION... -- FILTER...
#
# A version is a git revision that has this file, a directory that holds a tree, or either with flags for its compiler
# behind a comma ("HEAD~1,-O3"). Ratios are to the first. FILTER: cases of tools/bench.c, or with --models of
# tools/bench/models.c, whose name contains one. A version that is given twice shows what the place of a model's
# weights in memory makes of its speed.
#     sh tools/bench/turns.sh HEAD . -- "float32 768x768 M=128 kept"
#     sh tools/bench/turns.sh --models HEAD HEAD . . -- "bert-base 128"
set -u
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
: "${CC:=cc}" "${CFLAGS:=-O2}" "${LDLIBS:=-lm}"
threads=1 isa=auto calls=300 source=tools/bench.c
while [ $# -gt 0 ]; do
  case $1 in
    --models)
      source=tools/bench/models.c
      shift
      continue
      ;;
    --threads) threads=$2 ;;
    --isa) isa=$2 ;;
    --calls) calls=$2 ;;
    *) break ;;
  esac
  shift 2
done
work=$root/build/turns
rm -rf "$work"
mkdir -p "$work" || exit 1

number=0
libraries=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  tree=${1%%,*}
  flags=
  case $1 in *,*) flags=${1#*,} ;; esac
  number=$((number + 1))
  if [ ! -d "$tree" ]; then
    mkdir "$work/tree$number" && (cd "$root" && git archive "$tree") | tar -x -C "$work/tree$number" || exit 1
    tree=$work/tree$number
  fi
  case $source in tools/bench.c) file=$tree/$source ;; *) file=$root/$source ;; esac
  # shellcheck disable=SC2086
  $CC -std=c99 $CFLAGS $flags -shared -fPIC -I"$tree/src" -I"$tree" -o "$work/$number" "$file" -pthread $LDLIBS ||
    exit 1
  libraries="$libraries $work/$number"
  shift
done
[ $# -gt 0 ] && shift
# shellcheck disable=SC2086
$CC -std=c99 $CFLAGS -o "$work/turns" "$root/tools/bench/turns.c" -ldl || exit 1
# shellcheck disable=SC2086
cd "$root" && "$work/turns" "$threads" "$isa" "$calls" $libraries -- "$@"
