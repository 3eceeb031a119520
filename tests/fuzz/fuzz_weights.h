/* fuzz_weights.h: a weights file by itself, without a model around it. */
#ifndef FUZZ_WEIGHTS_H
#define FUZZ_WEIGHTS_H

#include "fuzz.h"

/* Opens bytes as a file of that name. Every byte that a tensor of an accepted one can reach must lie in the file. */
static void fuzz_weights(const char *name, const uint8_t *data, size_t size) {
  fuzz_memory memory;
  hfm_options options = fuzz_options(&memory, size);
  hfm_memory_file file;
  hfm__memory_files files;
  hfm__context ctx;
  hfm__checkpoint ckpt;
  hfm_error error;
  size_t i;
  memset(&error, 0, sizeof error);
  file.name = name;
  file.data = data;
  file.size = size;
  files.files = &file;
  files.count = 1;
  options.io = hfm__memory_io(&files);
  options.local_copy = (int32_t)(size & 1);
  if (size % 32 == 31) memory.refuse_at = data[size / 2];
  FUZZ_REQUIRE(hfm__context_init(&options, &ctx, &error) == HFM_OK, error.message);
  if (hfm__checkpoint_open_file(&ctx, name, &options, &ckpt, &error) != HFM_OK) {
    FUZZ_REQUIRE(error.item != HFM_E_NONE && error.message[0], "no error");
    FUZZ_REQUIRE(!fuzz_refused(&memory) || error.item == HFM_E_OUT_OF_MEMORY, error.message);
    FUZZ_REQUIRE(error.offset <= size, error.message);
    FUZZ_REQUIRE(memory.used == 0, "memory left over");
    return;
  }
  FUZZ_REQUIRE(!fuzz_refused(&memory), "nobody noticed that there was no memory");
  for (i = 0; i < ckpt.count; i++) {
    const hfm__file_tensor *t = &ckpt.tensors[i];
    const uint64_t bits = (uint64_t)hfm_dtype_bits(t->dtype);
    uint64_t last = 0, elements = 1;
    int32_t d;
    FUZZ_REQUIRE(i == 0 || strcmp(ckpt.tensors[i - 1].name, t->name) < 0, t->name);
    FUZZ_REQUIRE(t->rank >= 0 && t->rank <= HFM_MAX_RANK && bits > 0 && t->offset <= size, t->name);
    for (d = 0; d < t->rank; d++) elements *= (uint64_t)t->shape[d];
    FUZZ_REQUIRE(elements * bits / 8 == t->bytes, t->name);
    if (t->bytes == 0) continue;
    for (d = 0; d < t->rank; d++) last += (uint64_t)(t->shape[d] - 1) * (uint64_t)t->stride[d];
    FUZZ_REQUIRE((last + 1) * bits / 8 <= size - t->offset, t->name);
    if (t->contiguous) FUZZ_REQUIRE(last + 1 == elements, t->name);
  }
  hfm__checkpoint_close(&ckpt);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
}

#endif
