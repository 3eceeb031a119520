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

/* Writes to a panel, which isn't in the first cache: its line must be there before the next store is done. */
HFM__TARGET HFM__INLINE void HFM__FN(keep)(float *to, hfm__vf x) {
  if (!HFM__SMALL) hfm__v_prefetch(to + HFM__FETCH_PANEL * HFM__STRIP, 1);
  hfm__v_store(to, x);
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
      for (i = 0; i < HFM__W; i++) r[i] = HFM__ROW_FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) HFM__FN(keep)(to + (k + i) * HFM__STRIP, r[i]);
    }
    for (; k < k1; k++)
      for (i = 0; i < HFM__W; i++)
        to[k * HFM__STRIP + i] = HFM__ROW_FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++) {
    float *to = HFM__FN(panel_column)(p, n);
    for (k = k0; k < k1; k++)
      to[k * HFM__STRIP] = n < p->n ? HFM__ROW_FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
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
      hfm__v_store(HFM__FN(panel_column)(p, n) + k * HFM__STRIP, HFM__ROW_FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++)
      HFM__FN(panel_column)(p, n)[k * HFM__STRIP] =
          n < p->n ? HFM__ROW_FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
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
