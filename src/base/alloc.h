/* ==== base/alloc (private): checked sizes, the caller's allocator, arenas ======================================
   Nothing else in the library calls malloc: a failing allocator reaches every path. */

/* *out = a*b, *out = a+b: 1 if the exact result fits, else 0 with *out untouched. No wrap-around, so a chain of them
   checks every partial product. */
HFM__INLINE int hfm__mul64(uint64_t a, uint64_t b, uint64_t *out) {
  if (b != 0 && a > UINT64_MAX / b) return 0;
  *out = a * b;
  return 1;
}
HFM__INLINE int hfm__add64(uint64_t a, uint64_t b, uint64_t *out) {
  if (a > UINT64_MAX - b) return 0;
  *out = a + b;
  return 1;
}

/* To the next line of a cache: an address, or a size. */
HFM__PRIVATE uint8_t *hfm__align64(uint8_t *p) { return p + (64 - (uintptr_t)p % 64) % 64; }
HFM__PRIVATE uint64_t hfm__aligned(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

/* NULL when out of memory, when `size` does not fit size_t, or when it is 0. */
HFM__PRIVATE void *hfm__alloc(const hfm_allocator *mem, uint64_t size) {
  if (size == 0 || size > (uint64_t)PTRDIFF_MAX) return NULL;
  return mem->alloc(mem->ctx, (size_t)size);
}
HFM__PRIVATE void *hfm__alloc_zero(const hfm_allocator *mem, uint64_t size) {
  void *p = hfm__alloc(mem, size);
  if (p) memset(p, 0, (size_t)size);
  return p;
}
HFM__PRIVATE void hfm__free(const hfm_allocator *mem, void *block, uint64_t size) {
  if (block) (mem->free)(mem->ctx, block, (size_t)size);
}
/* Keeps the old block on failure. */
HFM__PRIVATE void *hfm__realloc(const hfm_allocator *mem, void *block, uint64_t old_size, uint64_t new_size) {
  if (!block) return hfm__alloc(mem, new_size);
  if (new_size == 0 || new_size > (uint64_t)PTRDIFF_MAX) return NULL;
  return (mem->realloc)(mem->ctx, block, (size_t)old_size, (size_t)new_size);
}

/* ---- Huge pages: a core reads weights up to a third faster through them, and rows of x that are far apart ---- */

#if defined(__linux__) && defined(__LP64__) && !defined(HFMODEL_NO_STDLIB) && !defined(HFMODEL_NO_STDIO)
#include <errno.h>
#include <sys/mman.h>
#if !defined(__USE_MISC) && !defined(__cplusplus) /* -std=c99 and _POSIX_C_SOURCE hide it */
extern int madvise(void *address, size_t size, int advice);
#endif
#if !defined(__USE_XOPEN2K) && !defined(__cplusplus)
extern int posix_memalign(void **block, size_t alignment, size_t size);
#endif
enum { HFM__HUGE_PAGE = 2 << 20, HFM__MADV_HUGEPAGE = 14 };

/* Asks for huge pages where a range of memory, or of a mapped file, has yet to be touched; nothing depends on getting
   them. */
HFM__PRIVATE void hfm__ask_huge_pages(void *range, uint64_t size) {
  const int saved = errno;
  if (size >= HFM__HUGE_PAGE) (void)madvise(range, (size_t)size, HFM__MADV_HUGEPAGE);
  errno = saved;
}
/* A large block begins where a huge page could. */
HFM__PRIVATE void *hfm__std_block(size_t size) {
  void *block = NULL;
  return size < HFM__HUGE_PAGE || posix_memalign(&block, HFM__HUGE_PAGE, size) ? malloc(size) : block;
}
#else
enum { HFM__HUGE_PAGE = 1 };
HFM__PRIVATE void hfm__ask_huge_pages(void *range, uint64_t size) {
  (void)range;
  (void)size;
}
#ifndef HFMODEL_NO_STDLIB
HFM__PRIVATE void *hfm__std_block(size_t size) { return malloc(size); }
#endif
#endif

#ifndef HFMODEL_NO_STDLIB
HFM__PRIVATE void *hfm__std_alloc(void *ctx, size_t size) {
  (void)ctx;
  return hfm__std_block(size);
}
HFM__PRIVATE void *hfm__std_realloc(void *ctx, void *block, size_t old_size, size_t new_size) {
  (void)ctx;
  (void)old_size;
  return realloc(block, new_size);
}
HFM__PRIVATE void hfm__std_free(void *ctx, void *block, size_t size) {
  (void)ctx;
  (void)size;
  free(block);
}
#endif

/* The caller's allocator, or the C library's where it is all zero. 0 if there is neither. */
HFM__PRIVATE int hfm__resolve_allocator(const hfm_allocator *given, hfm_allocator *mem) {
  if (given && given->alloc && given->realloc && given->free) {
    *mem = *given;
    return 1;
  }
#ifndef HFMODEL_NO_STDLIB
  if (!given || (!given->alloc && !given->realloc && !given->free)) {
    mem->ctx = NULL;
    mem->alloc = hfm__std_alloc;
    mem->realloc = hfm__std_realloc;
    mem->free = hfm__std_free;
    return 1;
  }
#endif
  return 0;
}

/* In the whole huge pages of a block of the C library's; those of other allocators are theirs. */
HFM__PRIVATE void hfm__block_in_huge_pages(const hfm_allocator *mem, void *block, uint64_t size) {
#ifndef HFMODEL_NO_STDLIB
  if (mem->alloc == hfm__std_alloc) hfm__ask_huge_pages(block, size / HFM__HUGE_PAGE * HFM__HUGE_PAGE);
#endif
  (void)mem, (void)block, (void)size;
}

/* ---- Arena: many small blocks with one lifetime, zeroed, freed in one walk ---- */

typedef struct hfm__arena_block {
  struct hfm__arena_block *next;
  size_t size, used; /* of the whole block, header included */
} hfm__arena_block;

typedef struct hfm__arena {
  hfm_allocator mem;
  hfm__arena_block *blocks; /* the newest first */
} hfm__arena;

enum { HFM__ARENA_ALIGN = 16, HFM__ARENA_BLOCK = 16 * 1024 };

HFM__PRIVATE void *hfm__arena_alloc(hfm__arena *arena, uint64_t size) {
  const size_t header = (sizeof(hfm__arena_block) + HFM__ARENA_ALIGN - 1) / HFM__ARENA_ALIGN * HFM__ARENA_ALIGN;
  hfm__arena_block *block = arena->blocks;
  void *p;
  if (size > (uint64_t)PTRDIFF_MAX / 2) return NULL;
  size = (size + HFM__ARENA_ALIGN - 1) / HFM__ARENA_ALIGN * HFM__ARENA_ALIGN;
  if (size == 0) size = HFM__ARENA_ALIGN;
  if (!block || block->size - block->used < size) {
    const uint64_t want = HFM__MAX(size + header, (uint64_t)HFM__ARENA_BLOCK);
    block = (hfm__arena_block *)hfm__alloc(&arena->mem, want);
    if (!block) return NULL;
    block->size = (size_t)want;
    block->used = header;
    block->next = arena->blocks;
    arena->blocks = block;
  }
  p = (uint8_t *)block + block->used;
  block->used += (size_t)size;
  memset(p, 0, (size_t)size);
  return p;
}

/* A NUL-terminated copy of `size` bytes. */
HFM__PRIVATE char *hfm__arena_copy(hfm__arena *arena, const char *text, size_t size) {
  char *copy = (char *)hfm__arena_alloc(arena, (uint64_t)size + 1);
  if (copy && size) memcpy(copy, text, size);
  return copy;
}

HFM__PRIVATE void hfm__arena_free(hfm__arena *arena) {
  hfm__arena_block *block = arena->blocks;
  while (block) {
    hfm__arena_block *next = block->next;
    hfm__free(&arena->mem, block, block->size);
    block = next;
  }
  arena->blocks = NULL;
}

/* Bytes held. */
HFM__PRIVATE uint64_t hfm__arena_bytes(const hfm__arena *arena) {
  const hfm__arena_block *block;
  uint64_t sum = 0;
  for (block = arena->blocks; block; block = block->next) sum += block->size;
  return sum;
}

/* Makes room for one more item in a growing array of *capacity items; NULL when out of memory (the array stays).
   Small arrays double, large ones grow by a quarter: n items cost O(n), and little more memory than they take. */
HFM__PRIVATE void *hfm__grow(const hfm_allocator *mem, void *items, size_t count, size_t *capacity, size_t item_size) {
  size_t wanted;
  void *grown;
  if (count < *capacity) return items;
  wanted = *capacity < 16 ? 16 : *capacity < 4096 ? *capacity * 2 : *capacity + *capacity / 4;
  if (wanted < *capacity || wanted > PTRDIFF_MAX / item_size) return NULL;
  grown = hfm__realloc(mem, items, (uint64_t)*capacity * item_size, (uint64_t)wanted * item_size);
  if (grown) *capacity = wanted;
  return grown;
}
