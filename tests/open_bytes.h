/* open_bytes.h: bytes opened as a weights file by itself. Included after the implementation and check.h. */
#ifndef OPEN_BYTES_H
#define OPEN_BYTES_H

#include "one_file.h"

/* What an open checkpoint leans on. */
typedef struct source {
  one_file served;
  hfm__context ctx;
} source;

/* HFM_E_NONE: *ckpt is the caller's. `copied` does without the map: all is read. */
CHECK_UNUSED static int32_t open_bytes(const char *name, const void *bytes, size_t size, int copied,
                                       const hfm_allocator *mem, source *s, hfm__checkpoint *ckpt, hfm_error *error) {
  hfm_options options;
  hfm_result result;
  memset(&options, 0, sizeof options);
  memset(error, -1, sizeof *error);
  memset(ckpt, -1, sizeof *ckpt);
  options.io = one_file_io(&s->served, name, bytes, size);
  options.local_copy = copied;
  if (mem) options.allocator = *mem;
  if (hfm__context_init(&options, &s->ctx, error) != HFM_OK) return error->item;
  result = hfm__checkpoint_open_file(&s->ctx, name, &options, ckpt, error);
  if (result == HFM_OK) {
    hfm__clear_error(error);
    return HFM_E_NONE;
  }
  CHECK_INT(result, error->code);
  CHECK(ckpt->tensors == NULL && ckpt->files == NULL && ckpt->arena.blocks == NULL);
  return error->item;
}

#endif
