# Sourced by what builds test programs. Compiling the library takes far longer than most tests: a program that knows
# the public API only is linked with one object of it. One that defines HFMODEL_IMPLEMENTATION looks at private names,
# and is compiled with HFMODEL_STATIC, which lets the compiler drop what it doesn't reach.
is_linked() { # SOURCE
  case $1 in *.c) ;; *) return 1 ;; esac
  ! grep -q '^#define HFMODEL_IMPLEMENTATION' "$1"
}

write_library() { # SOURCE: what the object is compiled from
  printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$1"
}
