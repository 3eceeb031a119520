#!/bin/sh
# build/hfm judges every file of make_files.py: 0 for good ones; 1 and one line that names the file for bad ones;
# without a signal, a hang, or more memory than 64 MiB beyond the file (and what the program itself takes).
. "$(dirname "$0")/../check.sh"
: "${PYTHON:=python3}"
limit=
if have timeout; then limit="timeout 60"; fi

judge() { # PATH
  (
    # shellcheck disable=SC3045
    [ -z "$memory" ] || ulimit -v "$memory"
    exec $limit build/hfm check "$1"
  ) >"$work/out" 2>"$work/err" </dev/null
}

if ! have "$PYTHON"; then
  skip "no $PYTHON: the bad and the odd files were not made"
  report
fi
check "build/hfm" make -s build/hfm
rm -rf "$work/files"
check "make_files.py" "$PYTHON" tests/hostile/make_files.py "$work/files"
cp "$work/log" "$work/list"
memory=
if [ -z "${SANITIZED-}" ] && (ulimit -v 262144) 2>/dev/null; then memory=262144; fi # KiB: files have 17 MB at most
while read -r verdict path; do
  case $path in */F2-five-gigabytes*) wanted=$memory memory= ;; *) wanted= ;; esac # mapped
  judge "$path"
  code=$?
  if [ -n "$wanted" ]; then memory=$wanted; fi
  name=${path#"$work/files/"}
  if [ "$verdict" = good ]; then
    if [ "$code" -eq 0 ] && [ ! -s "$work/err" ]; then pass; else fail "$name: $code" "$work/err"; fi
  elif [ "$code" -ne 1 ] || [ "$(wc -l <"$work/err")" -ne 1 ] || [ -s "$work/out" ]; then
    fail "$name: $code" "$work/err"
  elif ! grep -qF "${name%%/*}/" "$work/err"; then
    fail "$name: the line does not name the file" "$work/err"
  else
    pass
  fi
done <"$work/list"
rm -rf "$work/files"
report
