/* amalgamate: repeat */
/* ==== cpu/kernel_gemm (private): panels and the products over them ===============================================
   A tile is up to MR rows by NR columns, its sums in registers. They are named one by one: clang spills arrays. */

#if HFM__NV == 2
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1)
#define HFM__WEIGHTS(M) M(0) M(1)
#elif HFM__NV == 4
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1) M(i, 2) M(i, 3)
#define HFM__WEIGHTS(M) M(0) M(1) M(2) M(3)
#endif
#if HFM__MR == 4
#define HFM__ROWS(M) M(0) M(1) M(2) M(3)
#elif HFM__MR == 6
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#elif HFM__MR == 8
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#endif

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TARGET HFM__INLINE void HFM__FN(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = hfm__v_fma(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = hfm__v_set1(a##r[i]); HFM__COLUMNS(HFM__FMA, r) }
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
HFM__TARGET HFM__NOINLINE void HFM__FN(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__FN(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
#undef HFM__COLUMNS
#undef HFM__WEIGHTS
#undef HFM__ROWS

/* out = activation(sums + bias) + residual for a tile, in up to three passes over sums, which are in the first cache. */
HFM__TARGET HFM__NOINLINE void HFM__FN(finish)(const hfm__gemm *g, float *sums, int64_t row, int64_t rows,
                                               int64_t column) {
  const int64_t n = HFM__MIN(g->n - column, HFM__NR);
  int64_t r, i;
  if (g->bias)
    for (r = 0; r < rows; r++) HFM__FN(add)(sums + r * HFM__NR, g->bias + column, 0, sums + r * HFM__NR, n);
  if (g->activation) HFM__FN(unary)(g->activation, sums, sums, rows * HFM__NR);
  for (r = 0; r < rows; r++) {
    const float *from = sums + r * HFM__NR;
    float *to = g->out + (row + r) * g->ldo + column;
    if (g->residual) {
      HFM__FN(add)(from, g->residual + (row + r) * g->ldr + column, 0, to, n);
    } else {
      for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store(to + i, hfm__v_load(from + i));
      if (i < n) hfm__v_store_n(to + i, hfm__v_load(from + i), n - i);
    }
  }
}

/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TARGET HFM__PRIVATE void HFM__FN(gemm)(const hfm__gemm *g) {
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
      HFM__FN(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

/* ---- Packing ---- */

HFM__TARGET HFM__INLINE hfm__vf HFM__FN(load_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__v_load((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__v_load_bf16((const uint16_t *)p + i);
  return hfm__v_load_f16((const uint16_t *)p + i);
}

HFM__TARGET HFM__INLINE float HFM__FN(load_one_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return ((const float *)p)[i];
  if (dtype == HFM_BF16) return hfm__bf16_bits(hfm__load_u16((const uint16_t *)p + i));
  return hfm__half_bits(hfm__load_u16((const uint16_t *)p + i));
}

/* Squares of W by W are turned in registers; what does not fill a square goes one by one. */
HFM__TARGET HFM__INLINE void HFM__FN(pack_rows_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k, i;
  for (n = 0; n + HFM__W <= p->n; n += HFM__W) {
    for (k = 0; k + HFM__W <= p->k; k += HFM__W) {
      hfm__vf r[HFM__W];
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) r[i] = HFM__FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(p->panel + (k + i) * HFM__NR + n, r[i]);
    }
    for (; k < p->k; k++)
      for (i = 0; i < HFM__W; i++)
        p->panel[k * HFM__NR + n + i] = HFM__FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++)
    for (k = 0; k < p->k; k++)
      p->panel[k * HFM__NR + n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
}

HFM__TARGET HFM__INLINE void HFM__FN(pack_columns_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k;
  for (k = 0; k < p->k; k++) {
    float *to = p->panel + k * HFM__NR;
    for (n = 0; n + HFM__W <= p->n; n += HFM__W)
      hfm__v_store(to + n, HFM__FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++) to[n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack)(const hfm__pack *p) {
  if (p->dtype == HFM_F32) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F32, p);
    else HFM__FN(pack_rows_as)(HFM_F32, p);
  } else if (p->dtype == HFM_BF16) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_BF16, p);
    else HFM__FN(pack_rows_as)(HFM_BF16, p);
  } else {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F16, p);
    else HFM__FN(pack_rows_as)(HFM_F16, p);
  }
}

/* ---- One row ---- */

/* Dot products of 4 weight rows `apart` from each other, or of one. Each row sums in two vectors, or in one where that
   is 16 wide. */
HFM__TARGET HFM__INLINE void HFM__FN(dots_as)(const int32_t dtype, const int rows, const hfm__gemv *g, int64_t row) {
  const int two = HFM__W < 16;
  const int64_t apart = g->apart, k = g->k, step = two ? 2 * HFM__W : HFM__W, end = k / step * step;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x;
  const void *w = g->weight;
  hfm__vf a0 = hfm__v_zero(), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  float s0, s1, s2, s3;
  int64_t i;
  for (i = 0; i < end; i += step) {
    const hfm__vf p = hfm__v_load(x + i);
    a0 = hfm__v_fma(p, HFM__FN(load_as)(dtype, w, w0 + i), a0);
    if (rows == 4) {
      a1 = hfm__v_fma(p, HFM__FN(load_as)(dtype, w, w1 + i), a1);
      a2 = hfm__v_fma(p, HFM__FN(load_as)(dtype, w, w2 + i), a2);
      a3 = hfm__v_fma(p, HFM__FN(load_as)(dtype, w, w3 + i), a3);
    }
    if (two) {
      const hfm__vf q = hfm__v_load(x + i + HFM__W);
      b0 = hfm__v_fma(q, HFM__FN(load_as)(dtype, w, w0 + i + HFM__W), b0);
      if (rows == 4) {
        b1 = hfm__v_fma(q, HFM__FN(load_as)(dtype, w, w1 + i + HFM__W), b1);
        b2 = hfm__v_fma(q, HFM__FN(load_as)(dtype, w, w2 + i + HFM__W), b2);
        b3 = hfm__v_fma(q, HFM__FN(load_as)(dtype, w, w3 + i + HFM__W), b3);
      }
    }
  }
  s0 = hfm__v_sum(hfm__v_add(a0, b0));
  s1 = hfm__v_sum(hfm__v_add(a1, b1));
  s2 = hfm__v_sum(hfm__v_add(a2, b2));
  s3 = hfm__v_sum(hfm__v_add(a3, b3));
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    if (rows == 4) {
      s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
      s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
      s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
    }
  }
  g->out[row] = s0;
  if (rows == 4) {
    g->out[row + apart] = s1;
    g->out[row + 2 * apart] = s2;
    g->out[row + 3 * apart] = s3;
  }
}

HFM__TARGET HFM__INLINE void HFM__FN(gemv_as)(const int32_t dtype, const hfm__gemv *g) {
  int64_t row;
  if (g->apart > 0)
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 4, g, row);
  else
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 1, g, row);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  if (g->dtype == HFM_F32) HFM__FN(gemv_as)(HFM_F32, g);
  else if (g->dtype == HFM_BF16) HFM__FN(gemv_as)(HFM_BF16, g);
  else HFM__FN(gemv_as)(HFM_F16, g);
}
