/* amalgamate: repeat */
/* ==== cpu/kernel_gemm (private): panels and the products over them ===============================================
   A tile is up to MR rows by NR columns, its sums in registers. They are named one by one: clang spills arrays. The
   products themselves are in kernel_tile.h, once for f32 and, where a tier has it, once for pairs of bf16. */

#if HFM__NV == 2
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1)
#define HFM__WEIGHTS(M) M(0) M(1)
#elif HFM__NV == 4
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1) M(i, 2) M(i, 3)
#define HFM__WEIGHTS(M) M(0) M(1) M(2) M(3)
#endif
#define HFM__ROWS4(M) M(0) M(1) M(2) M(3)
#if HFM__MR == 4
#define HFM__ROWS(M) HFM__ROWS4(M)
#elif HFM__MR == 6
#define HFM__ROWS(M) HFM__ROWS4(M) M(4) M(5)
#elif HFM__MR == 8
#define HFM__ROWS(M) HFM__ROWS4(M) M(4) M(5) M(6) M(7)
#endif
#if HFM__TALL == 12
#define HFM__TALL_ROWS(M) HFM__ROWS4(M) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#else
#define HFM__TALL_ROWS(M) HFM__ROWS(M)
#endif

/* out[rows][ldo] = sums + bias + more[rows][ldr] for a tile: of these as many terms as there are, a constant but in
   small code. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(put)(const int biased, const int residual, const float *sums, int64_t width,
                                               const float *bias, const float *more, int64_t ldr, float *out,
                                               int64_t ldo, int64_t rows, int64_t n) {
  int64_t r, i;
  for (r = 0; r < rows; r++, sums += width, out += ldo) {
    for (i = 0; i + HFM__W <= n; i += HFM__W) {
      hfm__vf x = hfm__v_load(sums + i);
      if (biased) x = hfm__v_add(x, hfm__v_load(bias + i));
      if (residual) x = hfm__v_add(x, hfm__v_load(more + r * ldr + i));
      hfm__v_store(out + i, x);
    }
    if (i < n) {
      hfm__vf x = hfm__v_load_n(sums + i, n - i);
      if (biased) x = hfm__v_add(x, hfm__v_load_n(bias + i, n - i));
      if (residual) x = hfm__v_add(x, hfm__v_load_n(more + r * ldr + i, n - i));
      hfm__v_store_n(out + i, x, n - i);
    }
  }
}

/* out = activation(sums + bias) + residual for a tile, whose sums are in the first cache. */
HFM__TARGET HFM__NOINLINE void HFM__FN(finish)(const hfm__gemm *g, float *sums, int64_t width, int64_t row,
                                               int64_t rows, int64_t column) {
  const int64_t n = HFM__MIN(g->n - column, width);
  const float *bias = g->bias ? g->bias + column : NULL;
  const float *more = g->residual ? g->residual + row * g->ldr + column : NULL;
  float *out = g->out + row * g->ldo + column;
  if (g->activation || HFM__W == 1) { /* strict mode's sums are doubles: rounded to float before more is added */
    if (bias) HFM__FN(put)(1, 0, sums, width, bias, NULL, 0, sums, width, rows, n);
    if (g->activation) HFM__ROW_FN(unary)(g->activation, sums, sums, rows * width);
    bias = NULL;
  }
  if (HFM__SMALL) HFM__FN(put)(bias != NULL, more != NULL, sums, width, bias, more, g->ldr, out, g->ldo, rows, n);
  else if (bias && more) HFM__FN(put)(1, 1, sums, width, bias, more, g->ldr, out, g->ldo, rows, n);
  else if (more) HFM__FN(put)(0, 1, sums, width, NULL, more, g->ldr, out, g->ldo, rows, n);
  else if (bias) HFM__FN(put)(1, 0, sums, width, bias, NULL, 0, out, g->ldo, rows, n);
  else HFM__FN(put)(0, 0, sums, width, NULL, NULL, 0, out, g->ldo, rows, n);
}

/* A vector of 16-bit weights. */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(load_narrow)(int32_t dtype, const void *p) {
  return dtype == HFM_BF16 ? hfm__v_load_bf16((const uint16_t *)p) : hfm__v_load_f16((const uint16_t *)p);
}

HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(load_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__v_load((const float *)p + i);
  return HFM__FN(load_narrow)(dtype, (const uint16_t *)p + i);
}

HFM__TARGET HFM__LONG_INLINE float HFM__FN(load_one_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__load_f32((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__bf16_bits(hfm__load_u16((const uint16_t *)p + i));
  return hfm__half_bits(hfm__load_u16((const uint16_t *)p + i));
}

#define HFM__NARROW HFM__NARROW_TILES
#define HFM__TILE_TARGET HFM__TARGET
#define HFM__GEMM(name) HFM__FN(name)
#define HFM__FACTOR(p) hfm__t_set1(*(p))
#define HFM__PRODUCT(x, w, c) hfm__t_fma(x, w, c)
#include "kernel_tile.h"

#ifdef hfm__v_dot_bf16
#define HFM__NARROW 0
#define HFM__TILE_TARGET HFM__TARGET_BF16
#define HFM__GEMM(name) HFM__FN(name##_bf16)
#define HFM__FACTOR(p) hfm__v_set1(hfm__load_f32(p))
#define HFM__PRODUCT(x, w, c) hfm__v_dot_bf16(x, w, c)
#include "kernel_tile.h"

/* Rounds n floats, an even number, to n / 2 units of two bf16. */
HFM__TARGET_BF16 HFM__PRIVATE void HFM__FN(narrow_bf16)(const float *x, void *pairs, int64_t n) {
  uint16_t *to = (uint16_t *)pairs;
  int64_t i;
  for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store_bf16(to + i, hfm__v_load(x + i));
  for (; i < n; i++) hfm__store_bf16(to + i, x[i]);
}
#endif
#undef HFM__COLUMNS
#undef HFM__WEIGHTS
#undef HFM__ROWS
#undef HFM__ROWS4
#undef HFM__TALL_ROWS

/* ---- Packing ---- */

/* Fetches element i of the row that is FETCH_PACKED rows after row r. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(fetch_row)(const int32_t dtype, const hfm__pack *p, int64_t r, int64_t i) {
  const int64_t size = dtype == HFM_F32 ? 4 : 2;
  hfm__v_prefetch((const char *)p->weight + ((r + HFM__FETCH_PACKED) * p->ld + i) * size, 1);
}

/* Where column n of a panel begins. */
HFM__INLINE float *HFM__FN(panel_column)(const hfm__pack *p, int64_t n) {
  return p->panel + n / HFM__STRIP * p->apart + n % HFM__STRIP;
}

/* k0 .. k1 - 1 of each row. Squares of W by W are turned in registers; what does not fill a square goes one by one. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(pack_rows_part)(const int32_t dtype, const hfm__pack *p, int64_t k0,
                                                          int64_t k1) {
  int64_t n, k, i;
  for (n = 0; n + HFM__W <= p->n; n += HFM__W) {
    float *to = HFM__FN(panel_column)(p, n);
    for (k = k0; k + HFM__W <= k1; k += HFM__W) {
      hfm__vf r[HFM__W];
      if (p->k <= HFM__SHORT_ROW && k % 16 == 0) {
        HFM__UNROLL
        for (i = 0; i < HFM__W; i++) HFM__FN(fetch_row)(dtype, p, n + i, k);
      }
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) r[i] = HFM__FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(to + (k + i) * HFM__STRIP, r[i]);
    }
    for (; k < k1; k++)
      for (i = 0; i < HFM__W; i++)
        to[k * HFM__STRIP + i] = HFM__FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++) {
    float *to = HFM__FN(panel_column)(p, n);
    for (k = k0; k < k1; k++)
      to[k * HFM__STRIP] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
  }
}

/* Squares of one element would write each line of the panel again and again: then a few lines at a time. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(pack_rows_as)(const int32_t dtype, const hfm__pack *p) {
  const int64_t step = HFM__W > 1 ? HFM__MAX(p->k, 1) : 16;
  int64_t k;
  for (k = 0; k < p->k; k += step) HFM__FN(pack_rows_part)(dtype, p, k, HFM__MIN(k + step, p->k));
}

HFM__TARGET HFM__LONG_INLINE void HFM__FN(pack_columns_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k;
  for (k = 0; k < p->k; k++) {
    HFM__FN(fetch_row)(dtype, p, k, 0);
    for (n = 0; n + HFM__W <= p->n; n += HFM__W)
      hfm__v_store(HFM__FN(panel_column)(p, n) + k * HFM__STRIP, HFM__FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++)
      HFM__FN(panel_column)(p, n)[k * HFM__STRIP] =
          n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack)(const hfm__pack *p) {
  if (p->transposed) HFM__FOR_DTYPE(HFM__FN(pack_columns_as), p->dtype, p);
  else HFM__FOR_DTYPE(HFM__FN(pack_rows_as), p->dtype, p);
}

#if HFM__PACKED_PACE
/* One step: `rows` (<= MR <= W) rows become [k][rows]. Squares are turned as there. A whole vector is stored for each
   k, and what is too much of it overwritten by the next; at the end there is no next. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(pack_step_of_x)(int64_t rows, int64_t k, const float *x, int64_t ld,
                                                          float *to) {
  int64_t at, i;
  for (at = 0; at + HFM__W <= k; at += HFM__W) {
    hfm__vf r[HFM__W];
    HFM__UNROLL
    for (i = 0; i < HFM__W; i++) r[i] = hfm__v_load(x + HFM__MIN(i, rows - 1) * ld + at);
    hfm__v_transpose(r);
    if (at + 2 * HFM__W <= k) {
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(to + (at + i) * rows, r[i]);
    } else {
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store_n(to + (at + i) * rows, r[i], rows);
    }
  }
  for (; at < k; at++)
    for (i = 0; i < rows; i++) to[at * rows + i] = x[i * ld + at];
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack_x)(int64_t rows, int64_t k, const float *x, int64_t ld, float *to) {
  const int64_t steps = (rows + HFM__MR - 1) / HFM__MR;
  int64_t s, row = 0;
  for (s = 0; s < steps; s++) {
    const int64_t count = hfm__rows_of_step(rows - row, steps - s, HFM__MR);
    HFM__FN(pack_step_of_x)(count, k, x + row * ld, ld, to + row * k);
    row += count;
  }
}
#endif

/* ---- A few rows ---- */

/* Dot products of row r of x and 4 weight rows `apart` from each other; 0 apart, one row four times. Each is the sum of
   one vector of sums: the four are as many as are needed to keep up with memory. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(dots_as)(const int32_t dtype, const int fetch, const hfm__gemv *g,
                                                   int64_t r, int64_t row) {
  const int two = !HFM__SMALL; /* vectors without a branch between them */
  const int64_t apart = g->apart, k = g->k, step = two ? 2 * HFM__W : HFM__W;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x[r];
  float *out = g->out + r * g->ldo + row;
  const void *w = g->weight;
  const int64_t size = dtype == HFM_F32 ? 4 : 2, line = 64 / size;
  hfm__vf v0 = hfm__v_zero(), v1 = v0, v2 = v0, v3 = v0;
  float s0, s1, s2, s3;
  int64_t i;
#define HFM__ADD_PRODUCTS(i) { \
    const hfm__vf p = hfm__v_load(x + (i)); \
    v0 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w0 + (i)), v0); \
    v1 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w1 + (i)), v1); \
    v2 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w2 + (i)), v2); \
    v3 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w3 + (i)), v3); \
  }
  for (i = 0; i + step <= k; i += step) {
    if (fetch && i % line == 0) { /* each line once */
      const char *next = (const char *)w + w0 * size + i * size + HFM__FETCH_ROWS;
      hfm__v_prefetch(next, 1);
      hfm__v_prefetch(next + apart * k * size, 1);
      hfm__v_prefetch(next + apart * k * size * 2, 1);
      hfm__v_prefetch(next + apart * k * size * 3, 1);
    }
    HFM__ADD_PRODUCTS(i)
    if (two) HFM__ADD_PRODUCTS(i + HFM__W)
  }
  if (two && i + HFM__W <= k) {
    HFM__ADD_PRODUCTS(i)
    i += HFM__W;
  }
#undef HFM__ADD_PRODUCTS
  s0 = hfm__v_sum(v0);
  s1 = hfm__v_sum(v1);
  s2 = hfm__v_sum(v2);
  s3 = hfm__v_sum(v3);
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
    s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
    s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
  }
  out[0] = s0;
  out[apart] = s1;
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
  const char *next = (const char *)g->weight + w0 * size + HFM__FETCH_ROWS;
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
    for (r = 0; r < g->m; r++) HFM__FN(dots_as)(dtype, g->fetch, g, r, row);
#else
  if (HFM__ROWS_AT_ONCE > 2 && g->m > 2) {
    for (row = 0; row < g->rows; row++) HFM__FN(few_dots_as)(dtype, 4, g, 0, row);
  } else if (g->m > 1) {
    for (row = 0; row < g->rows; row++)
      for (r = 0; r < g->m; r += 2) HFM__FN(few_dots_as)(dtype, 2, g, r, row);
  } else if (g->fetch) {
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 1, g, 0, row);
  } else {
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 0, g, 0, row);
  }
#endif
}
#undef HFM__ROWS_AT_ONCE

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  HFM__FOR_DTYPE(HFM__FN(gemv_as), g->dtype, g);
}
