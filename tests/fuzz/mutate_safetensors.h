/* mutate_safetensors.h: safetensors files changed in their header, with the lengths made right again; and whole
   files from the format's own grammar. */
#ifndef MUTATE_SAFETENSORS_H
#define MUTATE_SAFETENSORS_H

#include "fuzz_words.h"

/* Up to six tensors that tile the data; now and then one does not. */
static void fuzz_write_safetensors(fuzz_edit *e) {
  static const struct {
    const char *name;
    size_t bits;
  } types[] = {{"F32", 32}, {"F16", 16}, {"BF16", 16}, {"F64", 64}, {"I64", 64}, {"I32", 32}, {"U8", 8}, {"BOOL", 8},
               {"F8_E4M3", 8}, {"C64", 64}, {"F4", 4}, {"F6_E2M3", 6}, {"F8_E8M0", 8}, {"U16", 16}};
  const size_t tensors = fuzz_below(e, 7);
  size_t end = 0, header;
  char text[256];
  e->size = 0;
  fuzz_append_number(e, 0, 8);
  fuzz_append_text(e, fuzz_below(e, 4) ? "{" : "{\"__metadata__\":{\"format\":\"pt\"},");
  for (size_t i = 0; i < tensors; i++) {
    const size_t type = fuzz_below(e, sizeof types / sizeof types[0]), rank = fuzz_below(e, 4);
    size_t elements = 1, begin = end;
    int length = snprintf(text, sizeof text, "%s\"%c\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "", (int)('a' + i),
                          types[type].name);
    for (size_t d = 0; d < rank; d++) {
      const size_t dim = fuzz_below(e, 8) ? 2 + 2 * fuzz_below(e, 2) : fuzz_below(e, 2);
      elements *= dim;
      length += snprintf(text + length, sizeof text - (size_t)length, "%s%u", d ? "," : "", (unsigned)dim);
    }
    end += elements * types[type].bits / 8 + (fuzz_below(e, 32) == 0);
    snprintf(text + length, sizeof text - (size_t)length, "],\"data_offsets\":[%u,%u]}", (unsigned)begin,
             (unsigned)end);
    fuzz_append_text(e, text);
  }
  fuzz_append_text(e, "}");
  for (size_t spaces = fuzz_below(e, 8); spaces; spaces--) fuzz_append_text(e, " ");
  header = e->size - 8;
  fuzz_put_number(e->data, header, 8);
  for (size_t i = 0; i < end; i++) fuzz_append_number(e, i, 1);
}

static void fuzz_mutate_safetensors(fuzz_edit *e) {
  uint64_t header = 0;
  size_t end;
  if (e->size >= 8) header = fuzz_le64(e->data);
  if (e->room > 2048 && (e->size < 10 || fuzz_below(e, 32) == 0)) {
    fuzz_write_safetensors(e);
    return;
  }
  if (e->size < 10 || header > e->size - 8 || fuzz_below(e, 16) == 0) {
    (void)fuzz_mutate_range(e, 0, e->size);
    return;
  }
  end = fuzz_mutate_json(e, 8, 8 + (size_t)header, &fuzz_header_words);
  if (fuzz_below(e, 16)) fuzz_put_number(e->data, end - 8, 8);
  if (fuzz_below(e, 8) == 0 && e->size < e->room) e->data[e->size++] = 0;
  if (fuzz_below(e, 8) == 0 && e->size > end) e->size--;
}

#endif
