/* torch_judge.h: what the reader says to .bin files made by hand. Included after the implementation and check.h. */
#ifndef TORCH_JUDGE_H
#define TORCH_JUDGE_H

#include "failing_alloc.h"
#include "find_tensor.h"
#include "open_bytes.h"
#include "torch_archive.h"

CHECK_UNUSED static int32_t judge_bytes(const void *bytes, size_t size, hfm_error *error) {
  source s;
  hfm__checkpoint ckpt;
  const int32_t item = open_bytes("x.bin", bytes, size, 0, NULL, &s, &ckpt, error);
  if (item == HFM_E_NONE) hfm__checkpoint_close(&ckpt);
  return item;
}

/* Verdict of a pickle of any size in an archive that holds nothing else; `memory` may be NULL. */
CHECK_UNUSED static int32_t judge_large(const void *pickle, size_t size, const failing_alloc *memory,
                                        hfm_error *error) {
  const part parts[] = {{"m/data.pkl", NULL, 0}};
  uint8_t *bytes = (uint8_t *)malloc(size + 512);
  archive a;
  source s;
  hfm__checkpoint ckpt;
  int32_t item;
  if (!bytes) return HFM_E_OUT_OF_MEMORY;
  make_zip(&a, parts, 1, 0);
  poke(&a, a.central[0] + 20, size | (uint64_t)size << 32, 8);
  poke(&a, a.end + 16, a.directory + size, 4);
  memcpy(bytes, a.bytes, a.directory);
  memcpy(bytes + a.directory, pickle, size);
  memcpy(bytes + a.directory + size, a.bytes + a.directory, a.size - a.directory);
  item = open_bytes("x.bin", bytes, a.size + size, 0, memory ? &memory->allocator : NULL, &s, &ckpt, error);
  if (item == HFM_E_NONE) hfm__checkpoint_close(&ckpt);
  free(bytes);
  return item;
}

CHECK_UNUSED static int32_t judge(const archive *a, hfm_error *error) { return judge_bytes(a->bytes, a->size, error); }

/* Verdict of a pickle in an otherwise good archive. */
CHECK_UNUSED static int32_t judge_pickle(const void *pickle, size_t size, hfm_error *error) {
  archive a;
  make_archive(&a, pickle, size, 1);
  return judge(&a, error);
}

/* All that strides reach lies in the file. */
CHECK_UNUSED static void check_inside(const hfm__checkpoint *ckpt, size_t size) {
  for (size_t i = 0; i < ckpt->count; i++) {
    const hfm__file_tensor *t = &ckpt->tensors[i];
    const uint64_t itemsize = (uint64_t)hfm_dtype_bits(t->dtype) / 8;
    uint64_t last = 0;
    if (t->bytes == 0) continue;
    for (int32_t d = 0; d < t->rank; d++) last += (uint64_t)(t->shape[d] - 1) * (uint64_t)stride_of(t, d);
    CHECK(t->offset <= size && (last + 1) * itemsize <= size - t->offset);
  }
}

typedef struct pickle_case {
  const char *rule;
  const char *pickle;
  size_t size;
  int32_t item;
} pickle_case;

CHECK_UNUSED static void check_pickles(const pickle_case *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    hfm_error error;
    if (!CHECK_INT(judge_pickle(cases[i].pickle, cases[i].size, &error), cases[i].item))
      printf("    %s: %s\n", cases[i].rule, error.message);
  }
}

#endif
