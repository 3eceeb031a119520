/* failing_alloc.h: an allocator that counts, checks the sizes handed back, and can fail at a chosen call.

     failing_alloc memory;
     for (int64_t n = 0;; n++) {
       failing_alloc_begin(&memory, n);         // the n-th call (from 0) and all after it fail
       options.allocator = memory.allocator;
       ... the code under test ...
       CHECK(failing_alloc_clean(&memory));     // everything freed, every size right
       if (!memory.failed) break;               // it got through without meeting the failure
     } */
#ifndef FAILING_ALLOC_H
#define FAILING_ALLOC_H

#include <stdlib.h>
#include <string.h>

typedef struct failing_alloc {
  hfm_allocator allocator;
  int64_t calls;       /* so far */
  int64_t fail_at;     /* negative: never */
  size_t refused;      /* a size that is not to be had, either; 0: none */
  int32_t failed;      /* a call was refused */
  int32_t wrong_sizes; /* a block came back with another size than it was given */
  int64_t live, live_bytes, peak_bytes;
} failing_alloc;

/* The size lies before the block, so that what comes back can be compared. */
enum { FAILING_ALLOC_HEADER = 32 };

static int failing_alloc_refuses(failing_alloc *m, size_t size) {
  const int refused = (m->fail_at >= 0 && m->calls >= m->fail_at) || (m->refused && size == m->refused);
  m->calls++;
  if (refused) m->failed = 1;
  return refused;
}

static void failing_alloc_count(failing_alloc *m, int64_t blocks, int64_t bytes) {
  m->live += blocks;
  m->live_bytes += bytes;
  if (m->live_bytes > m->peak_bytes) m->peak_bytes = m->live_bytes;
}

static void *failing_alloc_new(void *ctx, size_t size) {
  failing_alloc *m = (failing_alloc *)ctx;
  char *raw = failing_alloc_refuses(m, size) ? NULL : (char *)malloc(size + FAILING_ALLOC_HEADER);
  if (!raw) return NULL;
  memcpy(raw, &size, sizeof size);
  memset(raw + FAILING_ALLOC_HEADER, 0xa5, size); /* nobody may count on zeros */
  failing_alloc_count(m, 1, (int64_t)size);
  return raw + FAILING_ALLOC_HEADER;
}

static void failing_alloc_delete(void *ctx, void *block, size_t size) {
  failing_alloc *m = (failing_alloc *)ctx;
  char *raw = (char *)block - FAILING_ALLOC_HEADER;
  size_t given;
  memcpy(&given, raw, sizeof given);
  if (given != size) m->wrong_sizes++;
  failing_alloc_count(m, -1, -(int64_t)given);
  free(raw);
}

static void *failing_alloc_resize(void *ctx, void *block, size_t old_size, size_t new_size) {
  void *fresh = failing_alloc_new(ctx, new_size);
  if (!fresh) return NULL;
  memcpy(fresh, block, old_size < new_size ? old_size : new_size);
  failing_alloc_delete(ctx, block, old_size);
  return fresh;
}

static void failing_alloc_begin(failing_alloc *m, int64_t fail_at) {
  memset(m, 0, sizeof *m);
  m->fail_at = fail_at;
  m->allocator.ctx = m;
  m->allocator.alloc = failing_alloc_new;
  m->allocator.realloc = failing_alloc_resize;
  m->allocator.free = failing_alloc_delete;
}

static int failing_alloc_clean(const failing_alloc *m) {
  return m->live == 0 && m->live_bytes == 0 && m->wrong_sizes == 0;
}

#endif
