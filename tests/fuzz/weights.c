/* What fuzz_weights.h promises, for all targets that are about a weights file; it looks at private names. */
#define HFMODEL_IMPLEMENTATION
#include "fuzz_weights.h"

#include "tests/one_file.h"

/* What the public call says of a file: the same verdict as hfm_check_file's, and all that it hands out can be read. */
static uint64_t fuzz_contents(const char *name, const uint8_t *data, size_t size) {
  fuzz_memory memory;
  hfm_options options = fuzz_options(&memory, size);
  one_file served;
  hfm_contents *contents = NULL;
  hfm_error error, other;
  hfm_result result;
  uint64_t sum = 0;
  size_t i, k;
  options.io = one_file_io(&served, name, data, size);
  options.local_copy = !(size & 1);
  result = hfm_read_contents(name, &options, &contents, &error);
  fuzz_verdict(result, &error, contents);
  FUZZ_REQUIRE(hfm_check_file(name, &options, &other) == result || result == HFM_ERROR_MEMORY, other.message);
  if (result == HFM_OK) {
    for (i = 0; i < contents->metadata_count; i++) {
      const hfm_metadata *m = &contents->metadata[i];
      sum += strlen(m->key) + m->count + (uint64_t)m->integer;
      for (k = 0; m->text && k <= m->text_size; k++) sum += (uint8_t)m->text[k];
    }
    for (i = 0; i < contents->tensor_count; i++) {
      const hfm_stored_tensor *t = &contents->tensors[i];
      FUZZ_REQUIRE(i == 0 || contents->tensors[i - 1].offset <= t->offset, t->name);
      FUZZ_REQUIRE(t->offset <= size && (t->dtype == 0) == (t->block_elements > 0), t->name);
      sum += strlen(t->name) + strlen(t->type);
    }
  }
  hfm_contents_free(contents);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
  return sum;
}

/* One input in four, as its bytes decide, goes through the public calls, too: they read it twice more. */
void fuzz_weights(const char *name, const uint8_t *data, size_t size) {
  fuzz_memory memory;
  hfm_options options = fuzz_options(&memory, size);
  one_file served;
  hfm__context ctx;
  hfm__checkpoint ckpt;
  hfm_error error;
  size_t i;
  if (size && (size + data[size / 2]) % 4 == 0) (void)fuzz_contents(name, data, size);
  memset(&error, 0, sizeof error);
  options.io = one_file_io(&served, name, data, size);
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
    const uint64_t bits = t->dtype ? (uint64_t)hfm_dtype_bits(t->dtype) : t->blocks->bytes * (uint64_t)8;
    const uint64_t block = t->dtype ? 1 : t->blocks->elements;
    uint64_t last = 0, elements = 1;
    int32_t d;
    FUZZ_REQUIRE(i == 0 || strcmp(ckpt.tensors[i - 1].name, t->name) < 0, t->name);
    FUZZ_REQUIRE(t->rank >= 0 && t->rank <= HFM_MAX_RANK && bits > 0 && t->offset <= size, t->name);
    for (d = 0; d < t->rank; d++) elements *= (uint64_t)t->shape[d];
    FUZZ_REQUIRE(elements / block * bits / 8 == t->bytes && elements % block == 0, t->name);
    if (t->bytes == 0) continue;
    FUZZ_REQUIRE((t->stride == NULL) == (t->contiguous != 0), t->name);
    if (t->contiguous) last = elements - 1;
    else
      for (d = 0; d < t->rank; d++) last += (uint64_t)(t->shape[d] - 1) * (uint64_t)t->stride[d];
    FUZZ_REQUIRE((last + 1) / block * bits / 8 <= size - t->offset, t->name);
  }
  hfm__checkpoint_close(&ckpt);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
}
