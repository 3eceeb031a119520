#!/bin/sh
# build/hfm judges every file of make_files.py, with at most 64 MiB beyond the file (and what the program itself takes).
. "$(dirname "$0")/../check.sh"
. tests/hostile/judge.sh
check "build/hfm" make -s build/hfm
memory=
if [ -z "${SANITIZED-}" ] && (ulimit -v 262144) 2>/dev/null; then memory=262144; fi # KiB: files have 17 MB at most
judge_files "" "$memory" build/hfm
report
