/* gguf_writer.h: GGUF files in memory, right or wrong, piece by piece:

     gguf_writer w;
     gguf_begin(&w, 1, 1);                         // tensors, keys
     gguf_key(&w, "general.alignment", GGUF_U32);
     gguf_put(&w, 4, 64);
     gguf_tensor(&w, "a", 1, shape, GGUF_F32, 0);
     gguf_data(&w, 64, bytes);                     // padding, then the data */
#ifndef GGUF_WRITER_H
#define GGUF_WRITER_H

#include <stdint.h>
#include <string.h>

enum { GGUF_ROOM = 8192 };
enum { GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_FLOAT, GGUF_BOOL, GGUF_STRING, GGUF_LIST,
       GGUF_U64, GGUF_I64, GGUF_DOUBLE };

typedef struct gguf_writer {
  uint8_t bytes[GGUF_ROOM];
  size_t size;
  size_t mark; /* where an error is expected */
} gguf_writer;

/* A number of `size` bytes. */
CHECK_UNUSED static void gguf_put(gguf_writer *w, int size, uint64_t value) {
  while (size-- && w->size < GGUF_ROOM) {
    w->bytes[w->size++] = (uint8_t)value;
    value >>= 8;
  }
}

CHECK_UNUSED static void gguf_put_text(gguf_writer *w, const char *text, size_t size) {
  gguf_put(w, 8, size);
  while (size-- && w->size < GGUF_ROOM) w->bytes[w->size++] = (uint8_t)*text++;
}

/* What comes next is wrong. */
CHECK_UNUSED static void gguf_mark(gguf_writer *w) { w->mark = w->size; }

CHECK_UNUSED static void gguf_begin(gguf_writer *w, uint64_t tensors, uint64_t keys) {
  memset(w, 0, sizeof *w);
  memcpy(w->bytes, "GGUF", 4);
  w->size = 4;
  gguf_put(w, 4, 3);
  gguf_put(w, 8, tensors);
  gguf_put(w, 8, keys);
}

CHECK_UNUSED static void gguf_key(gguf_writer *w, const char *key, uint64_t type) {
  gguf_put_text(w, key, strlen(key));
  gguf_put(w, 4, type);
}

/* `shape` innermost first, as in the file. */
CHECK_UNUSED static void gguf_tensor(gguf_writer *w, const char *name, int rank, const uint64_t *shape, uint64_t type,
                                     uint64_t offset) {
  gguf_put_text(w, name, strlen(name));
  gguf_put(w, 4, (uint64_t)rank);
  for (int i = 0; i < rank; i++) gguf_put(w, 8, shape[i]);
  gguf_put(w, 4, type);
  gguf_put(w, 8, offset);
}

CHECK_UNUSED static void gguf_data(gguf_writer *w, size_t alignment, size_t bytes) {
  while (w->size % alignment && w->size < GGUF_ROOM) w->bytes[w->size++] = 0;
  for (size_t i = 0; i < bytes && w->size < GGUF_ROOM; i++) w->bytes[w->size++] = (uint8_t)(i + 1);
}

/* A small file with every kind of value and several types of tensors. */
CHECK_UNUSED static void gguf_sample(gguf_writer *w) {
  static const uint64_t matrix[2] = {32, 3}, vector[1] = {5}, empty[3] = {4, 0, 2};
  gguf_begin(w, 5, 16);
  gguf_key(w, "general.architecture", GGUF_STRING), gguf_put_text(w, "llama", 5);
  gguf_key(w, "u8", GGUF_U8), gguf_put(w, 1, 200);
  gguf_key(w, "i8", GGUF_I8), gguf_put(w, 1, 0xff);
  gguf_key(w, "u16", GGUF_U16), gguf_put(w, 2, 65535);
  gguf_key(w, "i16", GGUF_I16), gguf_put(w, 2, 0x8000);
  gguf_key(w, "u32", GGUF_U32), gguf_put(w, 4, 4294967295u);
  gguf_key(w, "i32", GGUF_I32), gguf_put(w, 4, 0xfffffffe);
  gguf_key(w, "f32", GGUF_FLOAT), gguf_put(w, 4, 0x3fc00000); /* 1.5 */
  gguf_key(w, "bool", GGUF_BOOL), gguf_put(w, 1, 1);
  gguf_key(w, "u64", GGUF_U64), gguf_put(w, 8, UINT64_MAX);
  gguf_key(w, "i64", GGUF_I64), gguf_put(w, 8, (uint64_t)1 << 63);
  gguf_key(w, "f64", GGUF_DOUBLE), gguf_put(w, 8, 0xc004000000000000u); /* -2.5 */
  gguf_key(w, "general.alignment", GGUF_U32), gguf_put(w, 4, 16);
  gguf_key(w, "tokens", GGUF_LIST), gguf_put(w, 4, GGUF_STRING), gguf_put(w, 8, 2);
  gguf_put_text(w, "a\0b", 3), gguf_put_text(w, "\xff", 1);
  gguf_key(w, "flags", GGUF_LIST), gguf_put(w, 4, GGUF_BOOL), gguf_put(w, 8, 2), gguf_put(w, 2, 0x0100);
  gguf_key(w, "scores", GGUF_LIST), gguf_put(w, 4, GGUF_FLOAT), gguf_put(w, 8, 1), gguf_put(w, 4, 0);
  gguf_tensor(w, "blk.0.weight", 2, matrix, 2, 0); /* Q4_0: 3 blocks of 18 bytes, padded from 54 to 64 */
  gguf_tensor(w, "bias", 1, vector, 0, 64);        /* F32: 20 bytes, padded to 32 */
  gguf_tensor(w, "empty", 3, empty, 1, 96);
  gguf_tensor(w, "scalar", 0, NULL, 30, 96); /* BF16: 2 bytes */
  gguf_tensor(w, "bytes", 1, vector, 24, 112);
  gguf_data(w, 16, 112 + 5);
}

#endif
