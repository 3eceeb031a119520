#!/bin/sh
# 64-bit ARM with NEON under an emulator.
. "$(dirname "$0")/../emulate.sh"
emulate "ARM, NEON" aarch64
report
