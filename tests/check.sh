# check.sh: what check.h is for C, for shell scripts; sourced, POSIX. A script runs in the repository's root, with a
# folder of its own in $work, and ends with `report`. Compilers come from the environment: CC, CXX, CLANG, CLANGXX.
set -u
cd "$(dirname "$0")/../.." || exit 1
program=$(basename "$0" .sh)
work=build/test/$program
mkdir -p "$work"
passed=0 failed=0 skipped=0

: "${CC:=cc}" "${CXX:=c++}" "${CLANG:=clang}" "${CLANGXX:=clang++}"

have() { command -v "$1" >/dev/null 2>&1; }
pass() { passed=$((passed + 1)); }
# fail NAME [FILE]: FILE's first lines say why.
fail() {
  failed=$((failed + 1))
  echo "$program: FAILED: $1"
  if [ -n "${2-}" ] && [ -s "$2" ]; then head -n 30 "$2" | sed 's/^/    /'; fi
  return 1
}
skip() {
  skipped=$((skipped + 1))
  echo "  skipped: $program: $1"
}
# check NAME COMMAND...: passes if the command exits with 0.
check() {
  check_name=$1
  shift
  if "$@" >"$work/log" 2>&1; then pass; else fail "$check_name" "$work/log"; fi
}
# check_fails NAME COMMAND...: the reverse, for checks of a check.
check_fails() {
  check_name=$1
  shift
  if "$@" >"$work/log" 2>&1; then fail "$check_name: succeeded, but must not" "$work/log"; else pass; fi
}
report() {
  echo "$program: $passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}
