#!/bin/sh
# A compiler that has neither vectors nor atomic operations nor builtins: tcc. Every family, its parity with
# Transformers, the kernels, and generation, on one thread.
. "$(dirname "$0")/../emulate.sh"
threads=-lpthread

if have tcc; then
  suite "tcc" env "$vector_sources" tcc -Wall -Werror
else
  skip "tcc is not here"
fi
report
