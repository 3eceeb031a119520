/* fuzz_edit.h: what the structure-aware mutators share: an input that is being changed, and chance.
   FUZZ_MUTATE_BYTES is the fuzzer's own mutation of bytes; the replay has one of its own. */
#ifndef FUZZ_EDIT_H
#define FUZZ_EDIT_H

#include "fuzz.h"

#ifdef FUZZ_REPLAY
static size_t replay_mutate(uint8_t *data, size_t size, size_t max_size);
#define FUZZ_MUTATE_BYTES replay_mutate
#else
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
#define FUZZ_MUTATE_BYTES LLVMFuzzerMutate
#endif

typedef struct fuzz_edit {
  uint8_t *data;
  size_t size, room;
  uint64_t state;
} fuzz_edit;

/* The 8 bytes of a length. */
static uint64_t fuzz_le64(const uint8_t *bytes) {
  uint64_t value = 0;
  for (int32_t i = 8; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

static fuzz_edit fuzz_edit_begin(uint8_t *data, size_t size, size_t room, unsigned int seed) {
  fuzz_edit e;
  e.data = data;
  e.size = size;
  e.room = room;
  e.state = seed * 0x9e3779b97f4a7c15u + 1;
  return e;
}

static uint32_t fuzz_below(fuzz_edit *e, size_t n) {
  e->state = e->state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)((e->state >> 33) % n);
}

#define FUZZ_PICK(e, table) (table)[fuzz_below(e, sizeof(table) / sizeof(table)[0])]

/* Puts `count` bytes in the place of `removed` ones; nothing happens where there is no room. */
static int fuzz_splice(fuzz_edit *e, size_t at, size_t removed, const void *bytes, size_t count) {
  uint8_t copy[512]; /* the bytes may be the input's own */
  if (count > sizeof copy || e->size - removed + count > e->room) return 0;
  memcpy(copy, bytes, count);
  memmove(e->data + at + count, e->data + at + removed, e->size - at - removed);
  memcpy(e->data + at, copy, count);
  e->size = e->size - removed + count;
  return 1;
}

static void fuzz_put_number(uint8_t *to, uint64_t value, int width) {
  for (int i = 0; i < width; i++) to[i] = (uint8_t)(value >> 8 * i);
}

static int fuzz_append_number(fuzz_edit *e, uint64_t value, int width) {
  uint8_t bytes[8];
  fuzz_put_number(bytes, value, width);
  return fuzz_splice(e, e->size, 0, bytes, (size_t)width);
}

static int fuzz_append_text(fuzz_edit *e, const char *text) { return fuzz_splice(e, e->size, 0, text, strlen(text)); }

/* Lets the fuzzer change [begin, end) in place or in length; returns the new end. */
static size_t fuzz_mutate_range(fuzz_edit *e, size_t begin, size_t end) {
  const size_t tail = e->size - end, room = e->room - tail - begin;
  uint8_t *copy = (uint8_t *)malloc(tail + 1);
  size_t size;
  if (!copy) return end;
  memcpy(copy, e->data + end, tail);
  size = FUZZ_MUTATE_BYTES(e->data + begin, end - begin, room);
  memcpy(e->data + begin + size, copy, tail);
  free(copy);
  e->size = begin + size + tail;
  return begin + size;
}

#endif
