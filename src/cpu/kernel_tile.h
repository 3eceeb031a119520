/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
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
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
