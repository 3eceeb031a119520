/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR], plus what was in c with `more`; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, int32_t more, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__GO_ON(r, v) c##r##_##v = hfm__v_load(c + r * ldc + v * HFM__W);
#define HFM__RESUME(r) if (rows > r) { HFM__COLUMNS(HFM__GO_ON, r) }
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  if (more) {
    HFM__ROWS(HFM__RESUME)
  }
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__GO_ON
#undef HFM__RESUME
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, int32_t more, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, more, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}

/* What to fetch during `ticks` steps along K of what comes next. A core that is asked for more than one line a tick drops
   some, and the holes cost more than they bring: then only the first part is fetched, one line after the other. */
HFM__TILE_TARGET HFM__INLINE hfm__ahead HFM__GEMM(look_ahead)(const void *next, int64_t bytes, int64_t ticks) {
  const int64_t streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  ahead.at = (const char *)next;
  ahead.bytes = bytes > 0 && ticks > 0 ? HFM__MIN((bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = ahead.bytes < 64 ? bytes / 2 : 0;
  return ahead;
}

/* Rows first .. first + rows - 1 times [k0, k1) of all panels. Few rows against all panels, then the next few: those rows
   stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(piece)(const hfm__gemm *g, int64_t first, int64_t rows, int64_t k0, int64_t k1,
                                                   const void *next, int64_t next_bytes) {
  float alone[HFM__MR * HFM__NR];
  const int64_t steps = (rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t panels = (g->n + HFM__NR - 1) / HFM__NR, k = k1 - k0;
  hfm__ahead ahead = HFM__GEMM(look_ahead)(next, next_bytes, steps * panels * k);
  int64_t s, row = 0, column;
  for (s = 0; s < steps; s++) {
    const int64_t count = (rows - row + steps - s - 1) / (steps - s);
    float *sums = k < g->k ? g->sums + row * HFM__NR : alone;
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(count, k, g->a + (first + row) * g->lda + k0, g->lda, g->panels + column * g->k + k0 * HFM__NR,
                           sums, HFM__NR, k0 > 0, &ahead);
      if (k1 == g->k) HFM__FN(finish)(g, sums, first + row, count, column);
      ahead.at += ahead.bytes * k;
    }
    row += count;
  }
}

/* A panel that is too deep for the second cache is taken in pieces along K, some rows at a time: each sum goes on where
   the piece before has left it, so its order of additions is the same. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  const int64_t pieces = HFM__MAX((g->k * HFM__NR + HFM__PIECE_FLOATS - 1) / HFM__PIECE_FLOATS, 1);
  int64_t first, p;
  if (pieces == 1) {
    HFM__GEMM(piece)(g, 0, g->rows, 0, g->k, g->next, g->next_bytes);
    return;
  }
  for (first = 0; first < g->rows; first += HFM__PIECE_ROWS) {
    const int64_t rows = HFM__MIN(g->rows - first, (int64_t)HFM__PIECE_ROWS);
    for (p = 0; p < pieces; p++) {
      const int64_t k0 = g->k * p / pieces, k1 = g->k * (p + 1) / pieces, bytes = (k1 - k0) * HFM__NR * (int64_t)sizeof(float);
      if (p + 1 < pieces) HFM__GEMM(piece)(g, first, rows, k0, k1, g->panels + k1 * HFM__NR, bytes);
      else HFM__GEMM(piece)(g, first, rows, k0, k1, g->next, HFM__MIN(g->next_bytes, bytes));
    }
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
