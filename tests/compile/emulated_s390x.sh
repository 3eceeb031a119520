#!/bin/sh
# A big-endian machine under an emulator.
. "$(dirname "$0")/../emulate.sh"
emulate "big endian" s390x "$all_sources"
report
