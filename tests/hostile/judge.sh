# Sourced after check.sh: the bad and odd files of make_files.py, judged by a program.
: "${PYTHON:=python3}"
limit=
if have timeout; then limit="timeout 60"; fi

# The program, hfm, gives 0 for good files; 1 and one line that names the file for bad ones; without a signal, a hang,
# or more than MEMORY KiB of address space ("": any).
judge_files() { # WHAT MEMORY PROGRAM...
  what=$1 most=$2
  shift 2
  if ! have "$PYTHON"; then
    skip "${what}no $PYTHON: the bad and the odd files were not made"
    return
  fi
  rm -rf "$work/files"
  check "make_files.py" "$PYTHON" tests/hostile/make_files.py "$work/files"
  cp "$work/log" "$work/list"
  while read -r verdict path; do
    memory=$most
    case $path in */F2-five-gigabytes*) memory= ;; esac # mapped
    (
      # shellcheck disable=SC3045
      [ -z "$memory" ] || ulimit -v "$memory"
      exec $limit "$@" check "$path"
    ) >"$work/out" 2>"$work/err" </dev/null
    code=$?
    name=$what${path#"$work/files/"} file=${path#"$work/files/"}
    if [ "$verdict" = good ]; then
      if [ "$code" -eq 0 ] && [ ! -s "$work/err" ]; then pass; else fail "$name: $code" "$work/err"; fi
    elif [ "$code" -ne 1 ] || [ "$(wc -l <"$work/err")" -ne 1 ] || [ -s "$work/out" ]; then
      fail "$name: $code" "$work/err"
    elif ! grep -qF "${file%%/*}/" "$work/err"; then
      fail "$name: the line does not name the file" "$work/err"
    else
      pass
    fi
  done <"$work/list"
  rm -rf "$work/files"
}
