#!/bin/sh
# Builds each fuzz_*.c with clang's libFuzzer, ASan and UBSan, and runs it for FUZZ_SECONDS (default 60). What it finds is
# kept under build/fuzz/TARGET/: a crash ends this with exit code 1 and its file's name.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CLANG:=clang}" "${FUZZ_SECONDS:=60}"
for source in tests/fuzz/fuzz_*.c; do
  target=$(basename "$source" .c)
  corpus=build/fuzz/$target
  mkdir -p "$corpus"
  case $target in
    fuzz_config | fuzz_json) cp_from="tests/models/*/config*.json" ;;
    fuzz_header) cp_from="tests/hostile/torch/*.safetensors" ;;
    fuzz_torch_bin) cp_from="tests/hostile/torch/*.bin tests/fuzz/*.bin" ;;
    fuzz_gguf) cp_from="tests/hostile/gguf/*.gguf" ;;
    fuzz_pickle) cp_from="tests/fuzz/*.pkl" ;;
    fuzz_index) cp_from="tests/fuzz/index.json tests/models/*/model.safetensors.index.json" ;;
    *) cp_from="tests/models/bert_*/model.safetensors" ;;
  esac
  for seed in $cp_from; do
    [ ! -f "$seed" ] || cp "$seed" "$corpus/seed_$(echo "$seed" | cksum | cut -d' ' -f1)"
  done
  $CLANG -std=c99 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -DHFMODEL_STATIC -I. \
    -o "build/fuzz/$target.bin" "$source" -pthread -lm || exit 1
  echo "$target: $FUZZ_SECONDS s"
  "build/fuzz/$target.bin" -max_total_time="$FUZZ_SECONDS" -max_len=200000 -timeout=20 -dict=tests/fuzz/model.dict \
    -artifact_prefix="$corpus/" -print_final_stats=1 "$corpus" >"build/fuzz/$target.log" 2>&1 || {
    tail -n 40 "build/fuzz/$target.log"
    exit 1
  }
  grep 'stat::number_of_executed_units' "build/fuzz/$target.log"
done
