# Sourced by scripts that try another machine under an emulator: every family from random weights, then the unit tests,
# the kernels and the parity with Transformers.
. "$(dirname "$0")/../check.sh"

first_of() { # COMMAND...: the first that is there
  for candidate in "$@"; do
    if have "$candidate"; then
      echo "$candidate"
      return
    fi
  done
}
emulate() { # WHAT MACHINE
  cc=$(first_of "$2-linux-gnu-gcc" "$2-linux-gnu-gcc-12" "$2-linux-gnu-gcc-13" "$2-linux-gnu-gcc-14")
  emulator=$(first_of "qemu-$2-static" "qemu-$2")
  if [ -z "$cc" ] || [ -z "$emulator" ]; then
    skip "$1: $2-linux-gnu-gcc or qemu-$2 is not here"
    return
  fi
  for source in tests/compile/cut.c tests/unit/test_*.c tests/kernels/test_*.c tests/models/test_*.c; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .c)
    if check "$1: $name builds" "$cc" -std=c99 -O1 -static -DHFMODEL_STATIC -DCHECK_BYTE_STEP=37 -I. -Itests -Itools \
      -o "$work/$name" "$source" -pthread -lm; then
      check "$1: $name runs" "$emulator" "$work/$name"
    fi
  done
}
