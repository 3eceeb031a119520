#!/bin/sh
# Machines that are not here, which clang can aim at. What could only be compiled, and not run, is said to be so.
# (Machines under an emulator: emulated_*.sh; Windows: windows.sh.)
. "$(dirname "$0")/../check.sh"
printf '#define HFMODEL_IMPLEMENTATION\n#include "hfmodel.h"\n' >"$work/impl.c"

# Machines that are neither here nor emulated: clang aims at them, with headers of our own. With -U__clang__ the code
# takes the branches meant for Microsoft's compiler. Compiled, not run; Microsoft's compiler itself is not at hand.
if have "$CLANG"; then
  simd="-mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c -mavx512vnni"
  aim() { # TARGET FLAGS...
    target=$1
    shift
    check "$target $*" $CLANG --target="$target" "$@" -Wall -Wextra -Werror -Wno-unused-function -fsyntax-only \
      -isystem tests/compile/headers -I. "$work/impl.c"
  }
  for language in "-xc -std=c11" "-xc++ -std=c++14"; do
    # shellcheck disable=SC2086
    for target in x86_64-pc-windows-msvc i686-pc-windows-msvc; do
      aim $target $language
      aim $target $language -U__clang__ $simd
    done
    aim aarch64-pc-windows-msvc $language
  done
  bare="-std=c99 -ffreestanding -DHFMODEL_NO_STDIO -DHFMODEL_NO_STDLIB -DHFMODEL_NO_THREADS"
  # shellcheck disable=SC2086
  for target in aarch64-linux-gnu aarch64_be-linux-gnu armv7-linux-gnueabihf armv6-linux-gnueabi thumbv7em-none-eabihf \
    riscv64-linux-gnu riscv32-unknown-elf powerpc64-linux-gnu mips-linux-gnu i386-linux-gnu wasm32-unknown-unknown \
    arm64-apple-macos11 x86_64-apple-macos11; do
    aim $target $bare
  done
  aim wasm32-unknown-unknown $bare -msimd128
  skip "ARM, RISC-V, PowerPC, MIPS, bare WebAssembly, macOS, MSVC's target: checked by clang, but not run"
else
  skip "no clang ($CLANG): MSVC's target, ARM, RISC-V, PowerPC, MIPS, macOS and WebAssembly were not checked"
fi
report
