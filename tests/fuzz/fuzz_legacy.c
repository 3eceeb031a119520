/* The bytes are a legacy stream, which is changed instruction by instruction; mostly not in its first three pickles,
   which are the same in every file. */
#include "fuzz_weights.h"
#include "mutate_pickle.h"

FUZZ_TARGET(legacy) {
  fuzz_weights("x.bin", data, size);
  return 0;
}

/* A whole stream of up to four tensors of two storages, all of it consistent. */
static void fuzz_legacy_write(fuzz_edit *e) {
  static const struct {
    const char *name;
    size_t size;
  } types[] = {{"FloatStorage", 4}, {"HalfStorage", 2}, {"LongStorage", 8}, {"ByteStorage", 1}, {"BoolStorage", 1},
               {"DoubleStorage", 8}, {"BFloat16Storage", 2}, {"ComplexFloatStorage", 8}};
  const size_t tensors = 1 + fuzz_below(e, 4), views = fuzz_below(e, 2);
  size_t type[2], numel[2];
  char text[512];
  e->size = 0;
  fuzz_splice(e, 0, 0, fuzz_legacy_head, sizeof fuzz_legacy_head - 1);
  for (int s = 0; s < 2; s++) {
    type[s] = fuzz_below(e, sizeof types / sizeof types[0]);
    numel[s] = 2 + fuzz_below(e, 12);
  }
  fuzz_append_text(e, "\x80\2}");
  for (size_t i = 0; i < tensors; i++) {
    const size_t s = i % 2, rows = 1 + fuzz_below(e, 2), columns = numel[s] / rows;
    const int length =
      snprintf(text, sizeof text, "U\1%cctorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\n%s\nU\1%cU\3cpuK%c",
               (int)('a' + i), types[type[s]].name, (int)('0' + s), (int)numel[s]);
    fuzz_splice(e, e->size, 0, text, (size_t)length);
    if (views) {
      fuzz_append_text(e, "(U\1v");
      fuzz_append_number(e, 'K', 2); /* from element 0 */
      fuzz_append_number(e, 'K' | (uint64_t)numel[s] << 8 | (uint64_t)'t' << 16, 3);
    } else {
      fuzz_append_text(e, "N");
    }
    fuzz_append_text(e, "tQ");
    fuzz_append_number(e, 'K', 2);
    fuzz_append_number(e, 'K' | rows << 8 | (uint64_t)'K' << 16 | (uint64_t)columns << 24, 4);
    fuzz_append_text(e, "\x86");
    fuzz_append_number(e, 'K' | columns << 8 | (uint64_t)'K' << 16 | 1u << 24, 4);
    fuzz_append_text(e, "\x86\x89}tRs");
  }
  fuzz_append_text(e, tensors > 1 ? ".\x80\2]U\1" "0aU\1" "1a." : ".\x80\2]U\1" "0a.");
  for (size_t s = 0; s < FUZZ_MIN(tensors, (size_t)2); s++) {
    fuzz_append_number(e, numel[s], 8);
    for (size_t i = 0; i < numel[s] * types[type[s]].size; i++) fuzz_append_number(e, i, 1);
  }
}

FUZZ_MUTATOR(legacy) {
  fuzz_edit e = fuzz_edit_begin(data, size, max_size, seed);
  const size_t head = sizeof fuzz_legacy_head - 1;
  const int has_head = size > head && memcmp(data, fuzz_legacy_head, head) == 0;
  if (fuzz_below(&e, 32) == 0 && max_size > 1024) fuzz_legacy_write(&e);
  else if (fuzz_below(&e, 8) == 0) return FUZZ_MUTATE_BYTES(data, size, max_size);
  else fuzz_mutate_pickle(&e, has_head && fuzz_below(&e, 16) ? head : 0, has_head ? 2 : 5);
  return e.size;
}
