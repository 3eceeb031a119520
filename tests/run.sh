#!/bin/sh
# Builds and runs every tests/*/test_*.c, one program each, and runs every tests/*/test_*.sh and tests/compile/*.sh.
#
#   tests/run.sh [PATTERN...]     only those whose path contains one of the patterns: tests/run.sh json '/test_*.c'
#
# CC, CFLAGS, LDLIBS and JOBS are taken from the environment. TEST_CFLAGS (default -O1 -g) and BUILD (default
# build/test) let the sanitizer runs share this script. A program has TEST_TIMEOUT seconds (default 3000).
# The last line is "N passed, N failed, N skipped"; the exit code is 1 if anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/linking.sh
: "${CC:=cc}" "${CFLAGS:=}" "${TEST_CFLAGS:=-O1 -g}" "${LDLIBS:=-lm}" "${BUILD:=build/test}" "${TEST_TIMEOUT:=3000}"
: "${JOBS:=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}"
export CC
mkdir -p "$BUILD"
run=$BUILD/run
rm -rf "$run"
mkdir "$run"

limit=
if command -v timeout >/dev/null 2>&1; then limit="timeout $TEST_TIMEOUT"; fi

# What of the library is compiled into a test of tests/unit/ does without the kernels for each instruction set, which
# have tests of their own. Internal invariants are checked in all of them.
compile() { # ARGUMENTS...
  # shellcheck disable=SC2086
  $CC -std=c99 $TEST_CFLAGS $CFLAGS '-DHFMODEL_ASSERT(x)=((x) ? (void)0 : abort())' -I. -Itests -Itools "$@"
}

# What takes minutes comes first, so that no worker is left alone with it; the library before what is linked with it.
place() { # PATH
  case $1 in
    */emulated_*.sh | */bits32.sh | */wasm.sh | */windows.sh) echo 1 ;;
    */test_kernels.c | */test_fuzz.sh | */cuts.sh | */warnings.sh | */test_examples.sh) echo 1 ;;
    library) echo 2 ;;
    *.sh) echo 5 ;;
    *) if is_linked "$1"; then echo 4; else echo 3; fi ;;
  esac
}
for path in tests/*/test_*.c tests/*/test_*.sh tests/compile/*.sh; do
  [ -f "$path" ] || continue
  wanted=${1:+no}
  for pattern in "$@"; do
    # shellcheck disable=SC2254
    case $path in *$pattern*) wanted=yes ;; esac
  done
  [ "$wanted" = no ] || echo "$(place "$path") $path"
done >"$run/wanted"
if grep -q '^4 ' "$run/wanted"; then echo "$(place library) library" >>"$run/wanted"; fi
sort "$run/wanted" | sed 's/^[0-9] //' >"$run/list"

library=$BUILD/hfmodel.o
build_library() {
  if [ ! -e "$library" ] || [ -n "$(find hfmodel.h -newer "$library")" ]; then
    write_library "$BUILD/hfmodel.c"
    rm -f "$library"
    compile -c -o "$library" "$BUILD/hfmodel.c" # what is wrong is said here once; each test that needs it then fails
  fi
  : >"$run/library_tried"
}

build() { # SOURCE PROGRAM
  if [ -x "$2" ]; then
    newer=$(find "$1" "$(dirname "$1")" hfmodel.h tests/*.h -name '*.[ch]' -newer "$2" 2>/dev/null)
    [ -n "$newer" ] || return 0
  fi
  portable=
  case $1 in tests/unit/*) portable=-DHFMODEL_NO_SIMD ;; esac
  # shellcheck disable=SC2086
  if is_linked "$1"; then
    until [ -e "$run/library_tried" ]; do sleep 1; done
    compile -o "$2" "$1" "$library" -pthread $LDLIBS
  else
    compile -DHFMODEL_STATIC $portable -o "$2" "$1" -pthread $LDLIBS
  fi
}

one() { # PATH
  begun=$(date +%s)
  name=$(echo "${1#tests/}" | tr '/.' '__')
  log=$run/$name.log
  case $1 in
    *.sh) $limit sh "$1" >"$log" 2>&1 ;;
    *) build "$1" "$BUILD/$name" >"$log" 2>&1 && $limit "$BUILD/$name" >>"$log" 2>&1 ;;
  esac
  code=$?
  # The last "...: N passed, N failed, N skipped" counts; a program that ends without one has failed.
  counts=$(sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log" | tail -n 1)
  [ -n "$counts" ] || counts="0 0 0"
  # shellcheck disable=SC2086
  set -- "$1" $counts
  failed=$3
  if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
    echo "exit code $code" >>"$log"
    failed=1
  fi
  if [ "$code" -eq 0 ] && [ $(($2 + $3 + $4)) -eq 0 ]; then
    echo "ended without having tested anything" >>"$log"
    failed=1
  fi
  echo "$2 $failed $4" >"$run/$name.count"
  {
    if [ "$failed" -ne 0 ]; then
      echo "FAILED  $1"
      tail -n 200 "$log" | sed 's/^/    /'
    else
      echo "ok      $1 ($2 passed, $4 skipped, $(($(date +%s) - begun)) s)"
      grep '^ *skipped: ' "$log"
    fi
  } >"$run/$name.say"
  cat "$run/$name.say"
}

# Each worker claims the next path that nobody has: mkdir is atomic.
worker() {
  index=0
  while read -r path; do
    index=$((index + 1))
    mkdir "$run/claim.$index" 2>/dev/null || continue
    if [ "$path" = library ]; then build_library; else one "$path" </dev/null; fi
  done <"$run/list"
}

# What other flags have made is no use.
flags="$CC $TEST_CFLAGS $CFLAGS $LDLIBS"
if [ "$(cat "$BUILD/flags" 2>/dev/null)" != "$flags" ]; then
  rm -f "$BUILD"/*_c "$library"
  echo "$flags" >"$BUILD/flags"
fi

job=0
while [ "$job" -lt "$JOBS" ]; do
  worker &
  job=$((job + 1))
done
wait

cat "$run"/*.count 2>/dev/null | {
  p=0 f=0 s=0
  while read -r a b c; do p=$((p + a)) f=$((f + b)) s=$((s + c)); done
  echo "$p passed, $f failed, $s skipped"
  [ "$f" -eq 0 ] && [ "$p" -gt 0 ]
}
