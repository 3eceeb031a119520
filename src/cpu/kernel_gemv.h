/* amalgamate: repeat */
/* ==== cpu/kernel_gemv (private): a few rows of x times a weight as it lies ======================================
   Such a product is as fast as the weight comes from memory. */

/* Dot products of row r of x and as many weight rows as there are streams, `apart` from each other; 0 apart, one row so
   many times. Each is the sum of one vector of sums: no more are needed to keep up with memory. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(dots_as)(const int32_t dtype, const int streams, const hfm__gemv *g,
                                                   int64_t r, int64_t row) {
  const int pairs = !HFM__SMALL, four = streams > 2; /* pairs: two vectors without a branch between them */
  const int64_t apart = g->apart, k = g->k, step = pairs ? 2 * HFM__W : HFM__W;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x[r];
  float *out = g->out + r * g->ldo + row;
  const void *w = g->weight;
  const int64_t size = dtype == HFM_F32 ? 4 : 2, line = 64 / size;
  const char *next = (const char *)w + w0 * size + g->fetch;
  hfm__vf v0 = hfm__v_zero(), v1 = v0, v2 = v0, v3 = v0;
  float s0, s1, s2, s3;
  int64_t i;
#define HFM__ADD_PRODUCTS(i) { \
    const hfm__vf p = hfm__v_load(x + (i)); \
    v0 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w0 + (i)), v0); \
    v1 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w1 + (i)), v1); \
    if (four) { \
      v2 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w2 + (i)), v2); \
      v3 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w3 + (i)), v3); \
    } \
  }
  for (i = 0; i + step <= k; i += step) {
    if (!HFM__SMALL && i % line == 0) { /* each line once */
      hfm__v_prefetch(next + i * size, 1);
      hfm__v_prefetch(next + (i + apart * k) * size, 1);
      if (four) {
        hfm__v_prefetch(next + (i + apart * k * 2) * size, 1);
        hfm__v_prefetch(next + (i + apart * k * 3) * size, 1);
      }
    }
    HFM__ADD_PRODUCTS(i)
    if (pairs) HFM__ADD_PRODUCTS(i + HFM__W)
  }
  if (pairs && i + HFM__W <= k) {
    HFM__ADD_PRODUCTS(i)
    i += HFM__W;
  }
#undef HFM__ADD_PRODUCTS
  s0 = hfm__v_sum(v0);
  s1 = hfm__v_sum(v1);
  s2 = four ? hfm__v_sum(v2) : 0.0f;
  s3 = four ? hfm__v_sum(v3) : 0.0f;
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
    if (!four) continue;
    s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
    s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
  }
  out[0] = s0;
  out[apart] = s1;
  if (!four) return;
  out[2 * apart] = s2;
  out[3 * apart] = s3;
}

#if !HFM__SMALL
/* The same with `wide` rows of x, from `first` on; one that is not there counts as the first. v<w><r> are the sums of
   weight row w and row r of these. Where registers are many, what comes next is fetched meanwhile. Elsewhere four rows
   of x take two passes, the second one over what is in the caches, and the processor fetches better than they could. */
#define HFM__ROWS_AT_ONCE (HFM__W >= 16 ? 4 : 2)
HFM__TARGET HFM__LONG_INLINE void HFM__FN(few_dots_as)(const int32_t dtype, const int wide, const hfm__gemv *g,
                                                       int64_t first, int64_t row) {
  const int64_t k = g->k, end = k / HFM__W * HFM__W, size = dtype == HFM_F32 ? 4 : 2;
  const int64_t apart = g->apart * k, w0 = row * k, w1 = w0 + apart, w2 = w1 + apart, w3 = w2 + apart;
  const char *next = (const char *)g->weight + w0 * size + g->fetch;
  float sums[4][HFM__FEW_ROWS];
  int64_t i, r, w;
#define HFM__FEW(M) M(0) M(1) M(2) M(3)
#define HFM__ROW_OF_X(r) \
  const float *x##r = g->x[g->m > first + r ? first + r : first]; \
  hfm__vf v0##r = hfm__v_zero(), v1##r = v0##r, v2##r = v0##r, v3##r = v0##r;
#define HFM__ADD_PRODUCTS(r) if (wide > r) { \
    const hfm__vf x = hfm__v_load(x##r + i); \
    v0##r = hfm__v_float_fma(x, p0, v0##r); \
    v1##r = hfm__v_float_fma(x, p1, v1##r); \
    v2##r = hfm__v_float_fma(x, p2, v2##r); \
    v3##r = hfm__v_float_fma(x, p3, v3##r); \
  }
#define HFM__PUT_SUMS(r) if (wide > r) { \
    sums[0][r] = hfm__v_sum(v0##r); \
    sums[1][r] = hfm__v_sum(v1##r); \
    sums[2][r] = hfm__v_sum(v2##r); \
    sums[3][r] = hfm__v_sum(v3##r); \
  }
  HFM__FEW(HFM__ROW_OF_X)
  for (i = 0; i < end; i += HFM__W) {
    const hfm__vf p0 = HFM__FN(load_as)(dtype, g->weight, w0 + i), p1 = HFM__FN(load_as)(dtype, g->weight, w1 + i);
    const hfm__vf p2 = HFM__FN(load_as)(dtype, g->weight, w2 + i), p3 = HFM__FN(load_as)(dtype, g->weight, w3 + i);
    if (HFM__ROWS_AT_ONCE > 2) {
      hfm__v_prefetch(next + i * size, 1);
      hfm__v_prefetch(next + (i + apart) * size, 1);
      hfm__v_prefetch(next + (i + apart * 2) * size, 1);
      hfm__v_prefetch(next + (i + apart * 3) * size, 1);
    }
    HFM__FEW(HFM__ADD_PRODUCTS)
  }
  HFM__FEW(HFM__PUT_SUMS)
#undef HFM__FEW
#undef HFM__ROW_OF_X
#undef HFM__ADD_PRODUCTS
#undef HFM__PUT_SUMS
  for (w = 0; w < 4; w++) {
    for (r = 0; r < HFM__MIN(g->m - first, (int64_t)wide); r++) {
      const float *x = g->x[first + r];
      float sum = sums[w][r];
      for (i = end; i < k; i++) sum += x[i] * HFM__FN(load_one_as)(dtype, g->weight, w0 + w * apart + i);
      g->out[(first + r) * g->ldo + row + w * g->apart] = sum;
    }
  }
}
#endif

HFM__TARGET HFM__LONG_INLINE void HFM__FN(gemv_as)(const int32_t dtype, const hfm__gemv *g) {
  int64_t row, r;
#if HFM__SMALL /* one row of x after the other: the same sums */
  for (row = 0; row < g->rows; row++)
    for (r = 0; r < g->m; r++) HFM__FN(dots_as)(dtype, 4, g, r, row);
#else
  if (HFM__ROWS_AT_ONCE > 2 && g->m > 2) {
    for (row = 0; row < g->rows; row++) HFM__FN(few_dots_as)(dtype, 4, g, 0, row);
  } else if (g->m > 1) {
    for (row = 0; row < g->rows; row++)
      for (r = 0; r < g->m; r += 2) HFM__FN(few_dots_as)(dtype, 2, g, r, row);
  } else if (dtype != HFM_F32 && g->streams == 2) {
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 2, g, 0, row);
  } else {
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 4, g, 0, row);
  }
#endif
}
#undef HFM__ROWS_AT_ONCE

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  HFM__FOR_DTYPE(HFM__FN(gemv_as), g->dtype, g);
}
