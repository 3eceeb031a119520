#!/bin/sh
# WebAssembly, by Emscripten, portable and with SIMD128, run by Node.js: every family, its parity with Transformers, the
# kernels, and generation, in the 64 KB of stack that newer versions give.
. "$(dirname "$0")/../emulate.sh"
export NODE_PATH="${NODE_PATH:-/usr/share/nodejs}" # where Debian has a module that its emcc needs
threads=

# Versions before 3.1.21 fetch the module where there is a fetch, though Node's takes no path.
printf '#!/bin/sh\nexec node -e "delete globalThis.fetch; require(process.argv[1])" "./$1"\n' >"$work/node"
chmod +x "$work/node"

web() { # WHAT FLAGS...
  web_name=$1
  shift
  suite "$web_name" "$work/node" "$vector_sources" emcc -O1 "$@" -Wall -Wextra -Werror \
    -Wno-unused-command-line-argument -sALLOW_MEMORY_GROWTH -sTOTAL_STACK=65536 -sSTACK_OVERFLOW_CHECK=2 \
    -sNODERAWFS -sENVIRONMENT=node
}

if have emcc && have node; then
  web "WebAssembly"
  web "WebAssembly, SIMD128" -msimd128
else
  skip "emcc or node is not here: WebAssembly was not run"
fi
report
