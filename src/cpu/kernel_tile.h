/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
     HFM__NARROW            1: panels may be f16 or bf16, which are widened in registers
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. Narrow panels have 16. */

/* c[rows][ldc] = a[rows][lda] * b[k] for `vectors` vectors of columns, plus what was in c with `more`; `packed`: a is
   [k][rows]. The panel is strips [k][2 vectors], `apart` elements from each other: floats, or of `dtype` with `narrow`;
   with `keeps`, they are written to `wide` as floats, too. rows, vectors, packed, narrow, keeps and dtype are
   constants wherever this is inlined: compilers spill sums where the loop has to ask. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, const int vectors, const int packed,
                                                  const int narrow, const int keeps, const int32_t dtype, int64_t k,
                                                  const float *a, int64_t lda, const void *panel, int64_t apart,
                                                  float *wide, float *c, int64_t ldc, int32_t more,
                                                  hfm__ahead *ahead) {
  /* Every third row has a pointer: an address can add one or two times lda. */
  const float *a3 = a + (rows > 3) * 3 * lda, *a6 = a + (rows > 6) * 6 * lda, *a9 = a + (rows > 9) * 9 * lda;
  const char *b = (const char *)panel;
  uintptr_t next = ahead->at;
  const uintptr_t gap = ahead->gap, inner = ahead->inner, step_on = ahead->step;
  const int64_t period = ahead->period;
  const int in_order = !HFM__SMALL && ahead->in_order;
  const int step_of_a = packed ? rows : 1, size = narrow ? 2 : 4;
  const int pace = packed ? HFM__PACKED_PACE : HFM__PACE;
  int64_t i, wait = ahead->wait;
#define HFM__ZERO(r, v) hfm__vt c##r##_##v = hfm__t_zero();
#define HFM__DECLARE(r) HFM__COLUMNS(HFM__ZERO, r)
#define HFM__GO_ON(r, v) if (vectors > v) c##r##_##v = hfm__t_load(c + r * ldc + v * HFM__LANES);
#define HFM__RESUME(r) if (rows > r) { HFM__COLUMNS(HFM__GO_ON, r) }
#define HFM__AT(v) (b + (step * HFM__STRIP + v / 2 * apart + v % 2 * HFM__LANES) * size)
#if HFM__NARROW
#define HFM__KEEP(v) if (keeps && vectors > v) HFM__FN(keep)(wide + (HFM__AT(v) - b) / size, w##v);
#define HFM__WEIGHT(p) (narrow ? HFM__ROW_FN(load_narrow)(dtype, p) : hfm__t_load((const float *)(const void *)(p)))
#else
#define HFM__KEEP(v)
#define HFM__WEIGHT(p) hfm__t_load((const float *)(const void *)(p))
#endif
#define HFM__LOAD(v) const hfm__vt w##v = vectors > v ? HFM__WEIGHT(HFM__AT(v)) : hfm__t_zero();
#define HFM__FMA(r, v) if (vectors > v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__X(r) (packed ? a + step * rows + r : (r < 3 ? a : r < 6 ? a3 : r < 9 ? a6 : a9) + r % 3 * lda + step)
#define HFM__ROW(r) if (rows > r) { const hfm__vt x = HFM__FACTOR(HFM__X(r)); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__FETCH(at, level, line1, line2) { \
    hfm__v_prefetch((const char *)(at), level); \
    hfm__v_prefetch((const char *)((at) + (line1)), level); \
    hfm__v_prefetch((const char *)((at) + (line2)), level); \
    hfm__v_prefetch((const char *)((at) + (line2) + (line1)), level); \
  }
#define HFM__STEP(number) { \
    const int step = number; \
    HFM__WEIGHTS(HFM__LOAD) \
    HFM__WEIGHTS(HFM__KEEP) \
    if (step == 0 && --wait == 0) { \
      if (in_order) { \
        HFM__FETCH(next, 1, 64, 128) \
        if (vectors > 2) HFM__FETCH(next + gap, 1, 64, 128) \
      } else { \
        HFM__FETCH(next, 2, inner, gap) \
      } \
      next += step_on; \
      wait = period; \
    } \
    HFM__TALL_ROWS(HFM__ROW) \
  }
#define HFM__GO(steps) \
  b += (steps) * HFM__STRIP * size; \
  if (keeps) wide += (steps) * HFM__STRIP; \
  a += (steps) * step_of_a; \
  a3 += steps; \
  a6 += steps; \
  a9 += steps;
#define HFM__PUT(r, v) if (vectors > v) hfm__t_store(c + r * ldc + v * HFM__LANES, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  (void)dtype;
  (void)wide;
  HFM__TALL_ROWS(HFM__DECLARE)
  if (more) {
    HFM__TALL_ROWS(HFM__RESUME)
  }
  for (i = k / pace; i > 0; i--) {
    HFM__STEP(0)
    if (pace > 1) HFM__STEP(1)
    if (pace > 2) HFM__STEP(2)
    if (pace > 2) HFM__STEP(3)
    HFM__GO(pace)
  }
  for (i = pace > 1 ? k % pace : 0; i > 0; i--) {
    HFM__STEP(0)
    HFM__GO(1)
  }
  HFM__TALL_ROWS(HFM__STORE)
  ahead->at = next;
  ahead->wait = wait;
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__GO_ON
#undef HFM__RESUME
#undef HFM__AT
#undef HFM__WEIGHT
#undef HFM__LOAD
#undef HFM__KEEP
#undef HFM__FMA
#undef HFM__X
#undef HFM__ROW
#undef HFM__FETCH
#undef HFM__STEP
#undef HFM__GO
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now: all strips of a panel, or one. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda,
                                                         const void *b, int64_t apart, float *c, int64_t ldc,
                                                         int32_t more, hfm__ahead *ahead) {
#if HFM__SMALL
  if (rows == HFM__MR) {
    HFM__GEMM(tile)(HFM__MR, HFM__NV, 0, 0, 0, 0, k, a, lda, b, apart, NULL, c, ldc, more, ahead);
  } else {
    for (; rows > 0; rows--, a += lda, c += ldc)
      HFM__GEMM(tile)(1, HFM__NV, 0, 0, 0, 0, k, a, lda, b, apart, NULL, c, ldc, more, ahead);
  }
#else
#define HFM__TILE_CASE(r) \
  case r + 1: HFM__GEMM(tile)(r + 1, HFM__NV, 0, 0, 0, 0, k, a, lda, b, apart, NULL, c, ldc, more, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
#endif
}

/* The tier's other form of a tile: more rows by a strip, or packed rows. */
#if HFM__TALL > HFM__MR
#define HFM__OTHER_CASE(r) \
  case r + 1: HFM__GEMM(tile)(r + 1, 2, 0, narrow, 0, dtype, k, a, lda, b, apart, NULL, c, ldc, more, ahead); break;
#define HFM__OTHER_CASES HFM__TALL_ROWS(HFM__OTHER_CASE)
#elif HFM__PACKED_PACE
#define HFM__OTHER_CASE(r) \
  case r + 1: HFM__GEMM(tile)(r + 1, HFM__NV, 1, narrow, 0, dtype, k, a, 0, b, apart, NULL, c, ldc, more, ahead); break;
#define HFM__OTHER_CASES HFM__ROWS(HFM__OTHER_CASE)
#endif
#ifdef HFM__OTHER_CASES
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(other_rows_as)(const int narrow, const int32_t dtype, int64_t rows,
                                                           int64_t k, const float *a, int64_t lda, const void *b,
                                                           int64_t apart, float *c, int64_t ldc, int32_t more,
                                                           hfm__ahead *ahead) {
  (void)lda;
  switch (rows) {
    HFM__OTHER_CASES
    default: break;
  }
}

HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(other_rows)(int64_t rows, int64_t k, const float *a, int64_t lda,
                                                          const void *b, int64_t apart, float *c, int64_t ldc,
                                                          int32_t more, hfm__ahead *ahead) {
  HFM__GEMM(other_rows_as)(0, 0, rows, k, a, lda, b, apart, c, ldc, more, ahead);
}

#if HFM__NARROW
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(narrow_rows)(int32_t dtype, int64_t rows, int64_t k, const float *a,
                                                           int64_t lda, const void *b, int64_t apart, float *c,
                                                           int64_t ldc, int32_t more, hfm__ahead *ahead) {
  if (dtype == HFM_BF16) HFM__GEMM(other_rows_as)(1, HFM_BF16, rows, k, a, lda, b, apart, c, ldc, more, ahead);
  else HFM__GEMM(other_rows_as)(1, HFM_F16, rows, k, a, lda, b, apart, c, ldc, more, ahead);
}
#endif
#undef HFM__OTHER_CASE
#undef HFM__OTHER_CASES
#define HFM__HAS_OTHER_ROWS 1
#else
#define HFM__HAS_OTHER_ROWS 0
#endif

#if HFM__NARROW
/* MR rows, packed if the tier packs any, times all strips of a panel of 16 bits, which becomes floats in `wide`. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(widen_rows)(int32_t dtype, int64_t k, const float *a, int64_t lda,
                                                          const void *b, int64_t apart, float *wide, float *c,
                                                          int64_t ldc, int32_t more, hfm__ahead *ahead) {
  const int packed = HFM__PACKED_PACE > 0;
  if (dtype == HFM_BF16)
    HFM__GEMM(tile)(HFM__MR, HFM__NV, packed, 1, 1, HFM_BF16, k, a, lda, b, apart, wide, c, ldc, more, ahead);
  else HFM__GEMM(tile)(HFM__MR, HFM__NV, packed, 1, 1, HFM_F16, k, a, lda, b, apart, wide, c, ldc, more, ahead);
}
#endif

/* `bytes` of what comes next, evenly over `steps` passes of a loop: in four streams, two halves `gap` bytes apart, or,
   with a gap of 0, in order. */
HFM__TILE_TARGET HFM__INLINE hfm__ahead HFM__GEMM(look_ahead)(const void *next, int64_t bytes, int64_t gap,
                                                              int64_t steps) {
  hfm__ahead ahead;
  ahead.in_order = gap == 0;
  ahead.at = (uintptr_t)next;
  ahead.gap = (uintptr_t)gap;
  ahead.inner = (uintptr_t)bytes / 4;
  ahead.step = gap ? 64 : HFM__IN_ORDER_STEP;
  ahead.period = ahead.wait = bytes > 0 ? HFM__MAX(steps * 256 / bytes, 1) : INT64_MAX;
  return ahead;
}

/* Rows first .. first + rows - 1 times [k0, k1) of columns [c0, c1), which begin at `panels`, of 16 bits if g says so.
   Few rows against all of them, then the next few: those rows stay in the first cache, the panels in the second.
   `sums`, [columns / width][rows][width], keep what is not all of K. `tall`: of a strip, more rows at a time. The first
   rows write panels of 16 bits to `wide` as floats, which the others read; NULL: all of them read what is there. */
HFM__TILE_TARGET HFM__LONG_INLINE void HFM__GEMM(piece)(const hfm__gemm *g, const int tall, int64_t first, int64_t rows,
                                                        int64_t c0, int64_t c1, int64_t k0, int64_t k1,
                                                        const void *panels, float *wide, float *sums,
                                                        const void *next, int64_t next_bytes, int64_t gap) {
  float alone[HFM__MR * HFM__NR > HFM__TALL * HFM__STRIP ? HFM__MR * HFM__NR : HFM__TALL * HFM__STRIP];
  const int64_t most = tall ? HFM__TALL : HFM__MR, width = tall ? HFM__STRIP : HFM__NR;
  const int64_t steps = (rows + most - 1) / most;
  const int64_t k = k1 - k0, columns = (c1 - c0 + width - 1) / width, apart = g->k * HFM__STRIP;
  const int packed = HFM__PACKED_PACE && g->packed, pace = packed ? HFM__PACKED_PACE : HFM__PACE;
#if HFM__HAS_OTHER_ROWS
  const int other = HFM__TALL > HFM__MR ? tall : packed; /* no tier has both */
#endif
  hfm__ahead ahead = HFM__GEMM(look_ahead)(next, next_bytes, gap, steps * columns * k / pace);
  int64_t s, row = 0, column;
  for (s = 0; s < steps; s++) {
    const int64_t count = hfm__rows_of_step(rows - row, steps - s, most);
    const int narrow = HFM__NARROW && g->narrow && (first + row == 0 || !wide);
    const float *a = g->a + (first + row) * (packed ? g->k : g->lda) + k0 * (packed ? count : 1);
    for (column = c0; column < c1; column += width) {
      const int64_t at = (column - c0) * g->k;
      const void *b = narrow ? (const void *)((const uint16_t *)panels + at)
                             : (HFM__NARROW && wide ? wide : (const float *)panels) + at;
      float *c = k < g->k ? sums + (column - c0) * rows + row * width : alone;
#if HFM__NARROW
      if (narrow && wide)
        HFM__GEMM(widen_rows)(g->narrow, k, a, g->lda, b, apart, wide + at, c, width, k0 > 0, &ahead);
      else if (narrow) HFM__GEMM(narrow_rows)(g->narrow, count, k, a, g->lda, b, apart, c, width, k0 > 0, &ahead);
      else
#endif
#if HFM__HAS_OTHER_ROWS
      if (other) HFM__GEMM(other_rows)(count, k, a, g->lda, b, apart, c, width, k0 > 0, &ahead);
      else
#endif
        HFM__GEMM(tile_rows)(count, k, a, g->lda, b, apart, c, width, k0 > 0, &ahead);
      if (k1 == g->k) HFM__FN(finish)(g, c, width, first + row, count, column);
    }
    row += count;
  }
}

/* Few rows are multiplied as fast as their panels come from memory: strip by strip, and of a strip a block of K of
   BLOCK bytes at a time, which is near for all rows. The block after it is fetched meanwhile. In order, if no row waits
   for another, blocks are of no use. */
HFM__TILE_TARGET HFM__LONG_INLINE void HFM__GEMM(strips)(const hfm__gemm *g, const int exact) {
  const int tall = HFM__TALL > HFM__MR;
  const int64_t width = tall ? HFM__STRIP : HFM__NR;
  const int64_t size = HFM__NARROW && g->narrow ? 2 : 4, most = (g->in_order ? HFM__IN_ORDER_BLOCK : HFM__BLOCK) / size;
  const int once = g->in_order && g->rows <= (tall ? HFM__TALL : HFM__MR);
  const int64_t blocks = exact && !once ? HFM__MAX((g->k * width + most - 1) / most, 1) : 1;
  float sums[HFM__STRIPS_ROWS * (HFM__TALL > HFM__MR ? HFM__STRIP : HFM__NR)];
  int64_t column, block;
  for (column = 0; column < g->n; column += width) {
    for (block = 0; block < blocks; block++) {
      const int64_t k0 = g->k * block / blocks, k1 = g->k * (block + 1) / blocks;
      const int64_t bytes = (k1 - k0) * width * size, after = k1 < g->k ? column : column + width;
      const char *panels = (const char *)g->panels + (column * g->k + k0 * HFM__STRIP) * size;
      const int64_t follows = after * g->k + (k1 < g->k ? k1 * HFM__STRIP : 0);
      const char *next = once ? panels + HFM__IN_ORDER_AHEAD : (const char *)g->panels + follows * size;
      const int last = after >= g->n && !once;
      const int64_t ahead = last ? HFM__MIN(bytes, g->next_bytes) : bytes;
      HFM__GEMM(piece)(g, tall, 0, g->rows, column, HFM__MIN(column + width, g->n), k0, k1, panels, NULL, sums,
                       last ? g->next : next, ahead, g->in_order ? 0 : ahead / 2);
    }
  }
}

/* Otherwise, a panel that is too deep for the second cache is taken in pieces along K, some rows at a time: each sum
   goes on where the piece before has left it, so its order of additions is the same. While a piece is multiplied, the
   next one is fetched; where the panel is in the caches anyway, a part of what comes after it. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  const int exact = sizeof(hfm__vt) == HFM__LANES * sizeof(float); /* a sum can be put down and taken up again */
  const int few = g->rows <= HFM__STRIPS_ROWS, tall = HFM__TALL > HFM__MR && few && !(HFM__NARROW && g->wide);
  const int once = g->rows <= (tall ? HFM__TALL : HFM__MR); /* no row waits for another */
  const int64_t pieces = exact && !once ? HFM__MAX((g->k * HFM__NR + HFM__PIECE_FLOATS - 1) / HFM__PIECE_FLOATS, 1) : 1;
  const int64_t strip = g->k * HFM__STRIP * (int64_t)sizeof(float);
  const int64_t most = pieces > 1 ? (int64_t)HFM__PIECE_ROWS : HFM__MAX(g->rows, 1);
  int64_t first, p;
  if (!HFM__SMALL && few && g->cold) {
    HFM__GEMM(strips)(g, exact);
    return;
  }
  for (first = 0; first < g->rows; first += most) {
    const int64_t rows = HFM__MIN(g->rows - first, most);
    for (p = 0; p < pieces; p++) {
      const int64_t k0 = g->k * p / pieces, k1 = g->k * (p + 1) / pieces;
      const char *panels = (const char *)g->panels + k0 * HFM__STRIP * (HFM__NARROW && g->narrow ? 2 : 4);
      float *wide = HFM__NARROW && g->wide ? g->wide + k0 * HFM__STRIP : NULL;
      const int inside = g->cold && p + 1 < pieces;
      const int64_t from = g->cold ? 0 : g->next_bytes * p / pieces;
      const void *next = inside ? panels + (k1 - k0) * HFM__STRIP * 4 : (const char *)g->next + from;
      int64_t bytes = g->cold ? g->next_bytes : g->next_bytes * (p + 1) / pieces - from, gap = bytes / 2;
      if (g->cold && pieces > 1) {
        bytes = (k1 - k0) * HFM__NR * (int64_t)sizeof(float);
        if (!inside) bytes = HFM__MIN(bytes, g->next_bytes);
        gap = HFM__NR > HFM__STRIP ? strip : bytes / 2;
      }
      if (tall) HFM__GEMM(piece)(g, 1, first, rows, 0, g->n, k0, k1, panels, wide, g->sums, next, bytes, gap);
      else HFM__GEMM(piece)(g, 0, first, rows, 0, g->n, k0, k1, panels, wide, g->sums, next, bytes, gap);
    }
  }
}

#undef HFM__HAS_OTHER_ROWS
#undef HFM__NARROW
#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
