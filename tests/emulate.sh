# Sourced by scripts that try another machine: every family from random weights, the kernels and the parity with
# Transformers; files beyond 4 GiB, the unit tests, and bad and odd files, where numbers are stored in another way than
# here.
. "$(dirname "$0")/../check.sh"
. tests/linking.sh
. tests/hostile/judge.sh

first_of() { # COMMAND...: the first that is there
  for candidate in "$@"; do
    if have "$candidate"; then
      echo "$candidate"
      return
    fi
  done
}

threads=-pthread # what programs with threads are compiled with

# RUNNER is what runs the programs: an emulator, or env where the machine does.
suite() { # WHAT RUNNER SOURCES COMPILER FLAGS...
  what=$1 runner=$2 sources=$3
  shift 3
  write_library "$work/hfmodel.c"
  check "$what: the library builds" "$@" -std=c99 -I. -c -o "$work/hfmodel.o" "$work/hfmodel.c"
  for source in $sources; do
    name=$(basename "$source" .c)
    library=-DHFMODEL_STATIC
    if is_linked "$source"; then library=$work/hfmodel.o; fi
    if check "$what: $name builds" "$@" -std=c99 -DCHECK_SLOW=2 -I. -Itests -Itools -o "$work/$name" "$source" \
      "$library" $threads -lm; then
      check "$what: $name runs" "$runner" "$work/$name"
    fi
  done
  [ "$sources" = "$all_sources" ] || return 0
  if check "$what: hfm builds" "$@" -std=c99 -I. -o "$work/hfm" tools/hfm.c $threads -lm; then
    judge_files "$what: " "" "$runner" "$work/hfm"
  fi
}

# What depends on a machine's vectors, and all that depends on how it stores numbers.
vector_sources="tests/compile/cut.c $(echo tests/kernels/test_*.c tests/models/test_*.c)"
all_sources="$vector_sources tests/api/test_large.c $(echo tests/unit/test_*.c)"

emulate() { # WHAT MACHINE SOURCES
  cc=$(first_of "$2-linux-gnu-gcc" "$2-linux-gnu-gcc-12" "$2-linux-gnu-gcc-13" "$2-linux-gnu-gcc-14")
  emulator=$(first_of "qemu-$2-static" "qemu-$2")
  if [ -z "$cc" ] || [ -z "$emulator" ]; then
    skip "$1: $2-linux-gnu-gcc or qemu-$2 is not here"
    return
  fi
  suite "$1" "$emulator" "$3" "$cc" -O1 -static
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
