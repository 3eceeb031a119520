#!/bin/sh
# 64-bit ARM with NEON under an emulator. Numbers are stored as on x86-64.
. "$(dirname "$0")/../emulate.sh"
emulate "ARM, NEON" aarch64 "$vector_sources"
report
