/* memory_io.h: files in memory, served by the public hfm_io as a caller would. */
#ifndef MEMORY_IO_H
#define MEMORY_IO_H

#include <string.h>

typedef struct memory_files {
  const hfm_memory_file *files;
  size_t count;
} memory_files;

static hfm_result memory_open(void *ctx, const char *name, void **file) {
  const memory_files *all = (const memory_files *)ctx;
  for (size_t i = 0; i < all->count; i++) {
    if (strcmp(all->files[i].name, name) != 0) continue;
    *file = (void *)(uintptr_t)&all->files[i];
    return HFM_OK;
  }
  return HFM_ERROR_NOT_FOUND;
}

static uint64_t memory_size(void *ctx, void *file) {
  (void)ctx;
  return ((const hfm_memory_file *)file)->size;
}

static hfm_result memory_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size, size_t *got) {
  const hfm_memory_file *file = (const hfm_memory_file *)handle;
  const uint64_t left = offset < file->size ? file->size - offset : 0;
  (void)ctx;
  *got = size < left ? size : (size_t)left;
  if (*got) memcpy(dst, (const uint8_t *)file->data + offset, *got);
  return HFM_OK;
}

static const void *memory_map(void *ctx, void *file) {
  (void)ctx;
  return ((const hfm_memory_file *)file)->data;
}

static void memory_close(void *ctx, void *file) {
  (void)ctx;
  (void)file;
}

/* For options.io: these files and no other. They must outlive what is opened. */
static hfm_io memory_io(memory_files *files) {
  hfm_io io;
  io.ctx = files;
  io.open = memory_open;
  io.size = memory_size;
  io.read = memory_read;
  io.map = memory_map;
  io.close = memory_close;
  return io;
}

#endif
