/* fuzz.h: what the fuzz targets share. A target is built in two ways:
   - by run.sh, alone, with clang and libFuzzer (or AFL++): FUZZ_TARGET(name) becomes LLVMFuzzerTestOneInput, and
     FUZZ_MUTATOR(name) LLVMFuzzerCustomMutator
   - by test_replay*.c, several together, with any compiler: fuzz_name(data, size) is called on the seeds and on
     thousands of their mutations, the same ones in each run
   A target of the public API is linked with the library; one that looks at private names defines
   HFMODEL_IMPLEMENTATION first.

   The invariant that every target checks: a call either succeeds, and everything that it returned can be read from end
   to end; or it fails with a code, an item and a message. Never more memory than the cap, and nothing left over. */
#ifndef FUZZ_H
#define FUZZ_H

#include "hfmodel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_COUNT(array) (sizeof(array) / sizeof(array)[0])
#define FUZZ_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FUZZ_MAX(a, b) ((a) > (b) ? (a) : (b))

#ifdef FUZZ_REPLAY
#define FUZZ_TARGET(name) static int fuzz_##name(const uint8_t *data, size_t size)
#define FUZZ_MUTATOR(name) \
  static size_t fuzz_mutator_##name(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
#else
#define FUZZ_TARGET(name) \
  int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); \
  int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
#define FUZZ_MUTATOR(name) \
  size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed); \
  size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
#endif

/* A broken invariant stops the program: libFuzzer then keeps the input, the replay says which one it was. */
static const char *fuzz_input = "";
static void fuzz_require(int ok, const char *what, const char *message) {
  if (ok) return;
  fprintf(stderr, "fuzz: %s: %s (%s)\n", fuzz_input, what, message);
  abort();
}
#define FUZZ_REQUIRE(condition, message) fuzz_require((condition) ? 1 : 0, #condition, message)

/* An allocator with a cap: the bytes of the files and 64 MiB. What asks for more has believed a number in a file. */
enum { FUZZ_MEMORY_BEYOND_FILES = 64 << 20 };
typedef struct fuzz_memory {
  size_t used, cap;
  int32_t may_refuse; /* no files bound what is asked for: beyond the cap there is just no memory */
  size_t calls, refuse_at; /* the call that gets none; 0: no such call */
} fuzz_memory;

static int fuzz_refused(const fuzz_memory *memory) { return memory->refuse_at && memory->calls >= memory->refuse_at; }

static void *fuzz_alloc(void *ctx, size_t size) {
  fuzz_memory *memory = (fuzz_memory *)ctx;
  void *p;
  if (++memory->calls == memory->refuse_at) return NULL;
  if (size > memory->cap - memory->used) {
    fuzz_require(memory->may_refuse, "memory beyond the cap", "");
    return NULL;
  }
  p = malloc(size);
  if (p) memory->used += size;
  return p;
}
static void fuzz_free(void *ctx, void *block, size_t size) {
  if (block) ((fuzz_memory *)ctx)->used -= size;
  free(block);
}
static void *fuzz_realloc(void *ctx, void *block, size_t old_size, size_t new_size) {
  void *p = fuzz_alloc(ctx, new_size);
  if (p) memcpy(p, block, old_size < new_size ? old_size : new_size);
  if (p) fuzz_free(ctx, block, old_size);
  return p;
}

/* Options for files of `size` bytes in all. */
static hfm_options fuzz_options(fuzz_memory *memory, size_t size) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  memset(memory, 0, sizeof *memory);
  memory->cap = size + FUZZ_MEMORY_BEYOND_FILES;
  options.allocator.ctx = memory;
  options.allocator.alloc = fuzz_alloc;
  options.allocator.realloc = fuzz_realloc;
  options.allocator.free = fuzz_free;
  options.limits.max_new_bytes = 64 << 10; /* enough to find what there is to find, and quick to initialise */
  return options;
}

static void fuzz_verdict(hfm_result result, const hfm_error *error, const void *object) {
  FUZZ_REQUIRE((result == HFM_OK) == (object != NULL), error->message);
  FUZZ_REQUIRE(error->code == result, error->message);
  if (result == HFM_OK) return;
  FUZZ_REQUIRE(error->item != HFM_E_NONE, error->message);
  FUZZ_REQUIRE(error->message[0] != 0, "no message");
  FUZZ_REQUIRE(memchr(error->message, 0, sizeof error->message) != NULL, "message without an end");
}

#endif
