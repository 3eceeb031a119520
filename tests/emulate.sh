# Sourced by scripts that try another machine: every family from random weights, then the unit tests, files beyond
# 4 GiB, the kernels and the parity with Transformers.
. "$(dirname "$0")/../check.sh"

first_of() { # COMMAND...: the first that is there
  for candidate in "$@"; do
    if have "$candidate"; then
      echo "$candidate"
      return
    fi
  done
}

# RUNNER is what runs the programs: an emulator, or env where the machine does. As in run.sh, what does not define
# HFMODEL_IMPLEMENTATION is linked with one object of it.
suite() { # WHAT RUNNER COMPILER FLAGS...
  what=$1 runner=$2
  shift 2
  printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$work/hfmodel.c"
  check "$what: the library builds" "$@" -std=c99 -I. -c -o "$work/hfmodel.o" "$work/hfmodel.c"
  for source in tests/compile/cut.c tests/unit/test_*.c tests/api/test_large.c tests/kernels/test_*.c \
    tests/models/test_*.c; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .c)
    if grep -q '^#define HFMODEL_IMPLEMENTATION' "$source"; then private=-DHFMODEL_STATIC
    else private=$work/hfmodel.o; fi
    if check "$what: $name builds" "$@" -std=c99 -DCHECK_STEP=37 -I. -Itests -Itools -o "$work/$name" "$source" \
      "$private" -pthread -lm; then
      check "$what: $name runs" "$runner" "$work/$name"
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
  suite "$1" "$emulator" "$cc" -O1 -static
}

# How this compiler makes programs of 32 bits that run here; "" if it doesn't. Where only Debian's versioned multilib
# package is installed, <asm/errno.h> is in the 64-bit folder.
m32_flags() {
  printf '#include <errno.h>\nint main(void) { return sizeof(void *) != 4; }\n' >"$work/m32.c"
  for flags in "-m32" "-m32 -idirafter /usr/include/$($CC -print-multiarch 2>/dev/null)"; do
    # shellcheck disable=SC2086
    if $CC $flags -o "$work/m32" "$work/m32.c" 2>/dev/null && "$work/m32"; then
      echo "$flags"
      return
    fi
  done
}
