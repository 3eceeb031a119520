# targets.sh: what run.sh and coverage.sh share; sourced, in the repository's root.
# Every target, the longest input that the fuzzer makes for it, and the seeds that lie elsewhere in tests/.
: "${CLANG:=clang}" "${FUZZ_DIR:=build/fuzz}"
all_targets=$(for source in tests/fuzz/fuzz_*.c; do basename "$source" .c | sed 's/^fuzz_//'; done)

max_len() { # TARGET
  case $1 in
    zip | forward) echo 256 ;;
    json | index | pickle | generate) echo 512 ;;
    safetensors | legacy) echo 1024 ;;
    gguf) echo 2048 ;;
    directory) echo 32768 ;;
    *) echo 4096 ;;
  esac
}

# The schedule that counts how rare each feature is costs more than it brings where a model has ten thousands of them.
schedule() { # TARGET
  case $1 in
    config | binding | directory | forward | generate) echo 0 ;;
    *) echo 1 ;;
  esac
}

# Is it to be compiled with weights.c?
needs_weights() { # SOURCE
  grep -q '^#include "fuzz_weights.h"' "$1"
}

# How much of the corpus is committed.
pack_bytes() { # TARGET
  case $1 in
    directory) echo 24000 ;;
    binding | config) echo 16000 ;;
    *) echo 12000 ;;
  esac
}

seeds_of() { # TARGET
  case $1 in
    json) echo "tests/models/llama_base/config_llama_rope_y*.json tests/models/vit_image/config.json" ;;
    config | binding) echo "tests/models/*/config*.json" ;;
    index) echo "tests/fuzz/index.json tests/models/bert_sharded/*.index.json" ;;
    safetensors) echo "tests/hostile/torch/*.safetensors" ;;
    torch_bin) echo "tests/hostile/torch/*.bin tests/fuzz/*.bin" ;;
    legacy) echo "tests/hostile/torch/legacy_*.bin tests/fuzz/*.bin" ;;
    pickle) echo "tests/fuzz/*.pkl" ;;
    gguf) echo "tests/hostile/gguf/*.gguf" ;;
  esac
}

# Files in one: "NAME SIZE\n", then SIZE bytes, and so on.
unpack() { # PACK FOLDER
  offset=1
  total=$(wc -c <"$1")
  while [ "$offset" -le "$total" ]; do
    line=$(tail -c "+$offset" "$1" | head -n 1 | tr -d '\0')
    size=${line##* }
    offset=$((offset + ${#line} + 1))
    tail -c "+$offset" "$1" | head -c "$size" >"$2/${line% *}"
    offset=$((offset + size))
  done
}

# The committed corpus of a target and its other seeds, as files of the folder.
plant() { # TARGET FOLDER
  mkdir -p "$2"
  [ ! -f "tests/fuzz/corpus/$1.pack" ] || unpack "tests/fuzz/corpus/$1.pack" "$2"
  for seed in $(seeds_of "$1"); do
    if [ -f "$seed" ]; then cp "$seed" "$2/seed_$(echo "$seed" | tr '/.' '__')"; fi
  done
}
