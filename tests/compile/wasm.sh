#!/bin/sh
# WebAssembly, run by Node.js: every family, its parity with Transformers, the kernels, and generation. By Emscripten,
# portable and with SIMD128, in the 64 KB of stack that newer versions give; and by clang with WASI's C library.
. "$(dirname "$0")/../emulate.sh"
export NODE_PATH="${NODE_PATH:-/usr/share/nodejs}" # where Debian has a module that its emcc needs
threads=

# Versions before 3.1.21 fetch the module where there is a fetch, though Node's takes no path.
printf '#!/bin/sh\nexec node -e "delete globalThis.fetch; require(process.argv[1])" "./$1"\n' >"$work/node"
chmod +x "$work/node"

cat >"$work/wasi.mjs" <<'EOF'
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';
const wasi = new WASI({ version: 'preview1', args: process.argv.slice(2), preopens: { '/': '/', '.': '.' } });
const module = await WebAssembly.compile(readFileSync(process.argv[2]));
process.exit(wasi.start(await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport })));
EOF
printf '#!/bin/sh\nexec node --no-warnings "%s" "$@"\n' "$work/wasi.mjs" >"$work/wasi"
chmod +x "$work/wasi"
printf 'int main(void) { return 0; }\n' >"$work/empty.c"

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
  skip "emcc or node is not here: WebAssembly by Emscripten was not run"
fi
wasi_cc="$CLANG --target=wasm32-wasi"
if $wasi_cc -o "$work/empty" "$work/empty.c" 2>/dev/null && "$work/wasi" "$work/empty" 2>/dev/null; then
  suite "WASI" "$work/wasi" "$vector_sources" $wasi_cc -O1 -Wall -Wextra -Werror
else
  skip "clang for wasm32-wasi, its C library, or a node that runs it is not here: WASI was not run"
fi
report
