#!/bin/sh
# WebAssembly, by Emscripten, portable and with SIMD128, run by Node.js: every family, its parity with Transformers, the
# kernels, and generation, in the 64 KB of stack that newer versions give.
. "$(dirname "$0")/../check.sh"
export NODE_PATH="${NODE_PATH:-/usr/share/nodejs}" # where Debian has a module that its emcc needs

# Versions before 3.1.21 fetch the module where there is a fetch, though Node's takes no path.
run='delete globalThis.fetch; require(process.argv[1])'

suite() { # FLAGS...
  for source in tests/compile/cut.c tests/kernels/test_*.c tests/models/test_*.c; do
    name=$(basename "$source" .c)
    if check "$name builds $*" emcc -std=c99 -O1 "$@" -Wall -Wextra -Werror -DHFMODEL_STATIC -DCHECK_BYTE_STEP=37 \
      -sALLOW_MEMORY_GROWTH -sTOTAL_STACK=65536 -sSTACK_OVERFLOW_CHECK=2 -sNODERAWFS -sENVIRONMENT=node \
      -I. -Itests -Itools -o "$work/$name.js" "$source"; then
      check "$name runs $*" node -e "$run" "./$work/$name.js"
    fi
  done
}

if have emcc && have node; then
  suite
  suite -msimd128
else
  skip "emcc or node is not here: WebAssembly was not run"
fi
report
