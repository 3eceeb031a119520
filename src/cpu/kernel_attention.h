/* amalgamate: repeat */
/* ==== cpu/kernel_attention (private): a block of queries against a tile of keys ==================================
   Up to MR query rows at a time: their scores stay in the caches between the two products. Ranges that no row of the
   step can see are skipped, panel by panel; inside, what a row can't see gets weight 0, which changes no sum. So the
   bits of a row depend only on where the tiles begin, never on its neighbours. */

/* Keys of the tile that query row r of the block may see, by causal rule, window and kept range: [*from, *to). */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(seen)(const hfm__attention *a, int64_t r, int64_t *from, int64_t *to) {
  const int64_t last = a->row0 + (a->heads ? 0 : r) + a->keys - a->queries; /* the key on the diagonal */
  const int64_t window = HFM__HAS_WINDOWS ? a->window : 0;
  int64_t low = 0, high = a->keys;
  if (a->causal) high = HFM__MIN(high, last + 1);
  else if (window > 0) high = HFM__MIN(high, last + window);
  if (window > 0) low = HFM__MAX(low, last - window + 1);
  low = HFM__MIN(HFM__MAX(low - a->key0, a->kept0), a->tile);
  high = HFM__MIN(HFM__MAX(high - a->key0, 0), a->kept1);
  *from = low;
  *to = HFM__MAX(low, high);
}

/* One score, or a vector of them: scaled, capped, biased. */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(score)(const hfm__attention *a, hfm__vf x, hfm__vf bias) {
  const float cap = a->softcap;
  if (!(cap > 0.0f)) return hfm__v_fma(x, hfm__v_set1(a->scale), bias);
  x = HFM__ROW_FN(tanh)(hfm__v_div(hfm__v_mul(x, hfm__v_set1(a->scale)), hfm__v_set1(cap)));
  return hfm__v_fma(x, hfm__v_set1(cap), bias);
}

/* Scores of row r that are more than scaled products: nothing is left to be multiplied afterwards. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(score_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                int64_t to) {
  const float *bias = a->bias ? a->bias + r * a->ldb : NULL;
  int64_t j;
  for (j = begin; j < to; j += HFM__W) { /* scores reach up to a whole panel, the bias does not */
    hfm__vf more = hfm__v_zero();
    if (bias) more = to - j < HFM__W ? hfm__v_load_n(bias + j, to - j) : hfm__v_load(bias + j);
    hfm__v_store(x + j, HFM__FN(score)(a, hfm__v_load(x + j), more));
  }
}

/* Adds bias and mask, where there are any, and puts -FLT_MAX where row r sees nothing in [begin, end). `scale` is what
   scores are still to be multiplied by afterwards; returns the maximum of scores times it. */
HFM__TARGET HFM__LONG_INLINE float HFM__FN(mask_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                int64_t end, int64_t from, int64_t to, float *scale) {
  const int whole = HFM__HAS_OWN_SCORES && (a->bias || a->softcap > 0.0f);
  const int later = whole || a->scale > 1e-6f; /* with a mask as without one: a mask of ones changes no bit */
  const hfm__vf f = hfm__v_set1(later ? 1.0f : a->scale);
  int64_t j;
  *scale = later && !whole ? a->scale : 1.0f;
  if (whole) HFM__FN(score_row)(a, r, x, begin, to);
  if (a->mask || !later) {
    for (j = begin; j + HFM__W <= to; j += HFM__W) {
      const hfm__vf m = a->mask ? hfm__v_load(a->mask + j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m));
    }
    if (j < to) {
      const hfm__vf m = a->mask ? hfm__v_load_n(a->mask + j, to - j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m)); /* scores reach up to a whole panel */
    }
  }
  for (j = begin; j < from; j++) x[j] = -FLT_MAX;
  for (j = to; j < end; j++) x[j] = -FLT_MAX;
  return HFM__ROW_FN(row_max)(x + begin, end - begin) * *scale;
}

/* The maximum ignores NaN. A row in which it found nothing but masked keys is either masked, or NaN. */
HFM__TARGET HFM__LONG_INLINE int HFM__FN(all_masked)(const float *x, float largest, float scale, int64_t from,
                                                     int64_t to) {
  int64_t j;
  if (largest >= -1e38f * scale) return 0;
  for (j = from; j < to; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0;
  }
  return 1;
}

/* The scale of the scores of row r and the maximum of what they are then, masked; 0 where the row sees nothing. */
HFM__TARGET HFM__LONG_INLINE int HFM__FN(maximum_of_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                         int64_t end, float *scale, float *largest) {
  int64_t from, to;
  HFM__FN(seen)(a, r, &from, &to);
  *scale = 1.0f;
  *largest = -FLT_MAX;
  if (from >= to && !a->eager) return 0;
  *largest = HFM__FN(mask_row)(a, r, x, begin, end, from, to, scale);
  return from < to && !HFM__FN(all_masked)(x, *largest, *scale, from, to);
}

/* eager: weights normalised at once, and uniform over all keys that are left, causal or not, where nothing is seen. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(weigh_row_eager)(const hfm__attention *a, int64_t r, float *x, int64_t end,
                                                           int sees, float scale, float largest) {
  float total = (float)a->tile;
  int64_t j;
  if (sees) total = HFM__ROW_FN(row_exp)(x, scale, largest, x, end);
  for (j = 0; j < end && !sees; j++) x[j] = j < a->tile ? 1.0f : 0.0f;
  HFM__ROW_FN(row_scale)(x, 1.0f / total, end);
  if (a->probabilities) {
    float *row = a->probabilities + r * a->keys;
    memset(row, 0, (size_t)a->first * sizeof(float));
    memcpy(row + a->first, x, (size_t)a->tile * sizeof(float));
  }
}

/* n scores to weights for one row; its running maximum and total follow. Returns what the row's sums so far are to be
   multiplied by, negative where there are none yet. */
HFM__TARGET HFM__LONG_INLINE float HFM__FN(weigh_row)(const hfm__attention *a, int64_t r, float *x, int64_t n,
                                                      int sees, float scale, float largest) {
  const float before = a->maximum[r], total = a->total[r];
  float factor = -1.0f;
  if (!sees) {
    memset(x, 0, (size_t)n * sizeof(float));
    return total == 0.0f ? -1.0f : 1.0f;
  }
  largest = before > largest ? before : largest;
  a->maximum[r] = largest;
  a->total[r] = HFM__ROW_FN(row_exp)(x, scale, largest, x, n);
  if (total != 0.0f) {
    factor = hfm__v_hmax(HFM__ROW_FN(exp_negative)(hfm__v_set1(before - largest)));
    a->total[r] = hfm__v_hmax(hfm__v_fma(hfm__v_set1(total), hfm__v_set1(factor), hfm__v_set1(a->total[r])));
  }
  return factor;
}

/* out = (out * factor + sums) * share; with a negative factor there is nothing in out yet. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(gather_row)(float *out, const float *sums, float factor, float share,
                                                      int64_t n) {
  const hfm__vf f = hfm__v_set1(factor), s = hfm__v_set1(share);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) {
    const hfm__vf x = hfm__v_load(sums + i);
    hfm__v_store(out + i, hfm__v_mul(factor < 0.0f ? x : hfm__v_fma(hfm__v_load(out + i), f, x), s));
  }
  for (; i < n; i++) out[i] = (factor < 0.0f ? sums[i] : out[i] * factor + sums[i]) * share;
}

/* Which element of `data` is element `at` of the i-th page. */
HFM__TARGET HFM__LONG_INLINE int64_t HFM__FN(page_element)(const hfm__pages_of_head *pages, int64_t i, int64_t at) {
  return (HFM__HAS_STATES && pages->page ? (int64_t)pages->page[i] : i) * pages->apart + at;
}

/* That element, of floats. */
HFM__TARGET HFM__LONG_INLINE const float *HFM__FN(in_page)(const hfm__pages_of_head *pages, int64_t i, int64_t at) {
  return (const float *)pages->data + HFM__FN(page_element)(pages, i, at);
}

/* n floats from element `at` of the i-th page on: where they lie, or widened in scratch. */
HFM__TARGET HFM__LONG_INLINE const float *HFM__FN(of_page)(const hfm__attention *a, const hfm__pages_of_head *pages,
                                                           int64_t i, int64_t at, int64_t n) {
  if (!HFM__HAS_STATES || a->dtype == HFM_F32) return HFM__FN(in_page)(pages, i, at);
  HFM__ROW_FN(widen)(a->dtype, (const uint16_t *)pages->data + HFM__FN(page_element)(pages, i, at), a->wide, n);
  return a->wide;
}

/* Where a page of values has its share for the panel of keys at j, if they share it evenly. */
HFM__TARGET HFM__LONG_INLINE uintptr_t HFM__FN(values_of)(const hfm__attention *a, int64_t j) {
  const int64_t at = HFM__FN(page_element)(&a->v, j / HFM__PAGE, j % HFM__PAGE * a->head);
  return (uintptr_t)a->v.data + (uintptr_t)at * (a->dtype == HFM_F32 ? 4 : 2);
}

/* tile_rows by `k` rows of a page's strips, which come from memory the first time: each strip is fetched in order a
   little ahead, and at its end what comes after it, strips `next_apart` apart. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(page_rows)(int64_t rows, int64_t k, const float *a, int64_t lda,
                                                     const float *page, int64_t apart, float *c, int64_t ldc,
                                                     int32_t more, const float *next, int64_t next_apart) {
  const int64_t last = HFM__MIN(k, HFM__PAGE_AHEAD / (HFM__STRIP * (int64_t)sizeof(float))), most = k - last;
  hfm__ahead ahead = HFM__FN(look_ahead)(NULL, 0, 0, 0);
  ahead.at = (uintptr_t)page + HFM__PAGE_AHEAD;
  ahead.gap = (uintptr_t)apart * sizeof(float);
  ahead.period = ahead.wait = HFM__IN_ORDER_STEP / (HFM__STRIP * HFM__PACE * (int64_t)sizeof(float));
  if (most > 0) HFM__FN(tile_rows)(rows, most, a, lda, page, apart, c, ldc, more, &ahead);
  ahead.at = (uintptr_t)next;
  ahead.gap = (uintptr_t)next_apart * sizeof(float);
  HFM__FN(tile_rows)(rows, last, a + most, lda, page + most * HFM__STRIP, apart, c, ldc, more || most > 0, &ahead);
}

/* sums[rows][NR] = weights times columns d .. of the values, keys [begin, end) of the tile. Page by page: a sum goes on
   where the page before has left it, so its order is that of the keys; in strict mode it is rounded to float there,
   whether the pages are a cache's or not. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(weighted_values)(const hfm__attention *a, const int cold, int64_t rows,
                                                           int64_t lds, int64_t d, int64_t begin, int64_t end,
                                                           float *sums) {
  const int64_t strips = HFM__MIN(HFM__NR, a->head - d + HFM__STRIP - 1) / HFM__STRIP;
  const int64_t positions = a->v.positions;
  const int64_t apart = strips > 1 ? positions * HFM__STRIP : 0; /* a strip that is not there: any columns will do */
  const int64_t most = sizeof(hfm__vt) == HFM__LANES * sizeof(float) ? positions : (int64_t)HFM__PAGE;
  hfm__ahead nothing = HFM__FN(look_ahead)(NULL, 0, 0, 0);
  int64_t j, next;
  for (j = begin; j < end; j = next) {
    const int64_t slot = j % positions;
    const float *strip = HFM__FN(of_page)(a, &a->v, j / positions, d * positions, strips * positions * HFM__STRIP);
    next = HFM__MIN(j - j % most + most, end);
    if (cold)
      HFM__FN(page_rows)(rows, next - j, a->scores + j, lds, strip + slot * HFM__STRIP, apart, sums, HFM__NR, j > begin,
                         next < end             ? HFM__FN(in_page)(&a->v, next / positions, d * positions)
                         : d + HFM__NR < a->head ? HFM__FN(in_page)(&a->v, begin / positions, (d + HFM__NR) * positions)
                                                 : strip,
                         apart);
    else
      HFM__FN(tile_rows)(rows, next - j, a->scores + j, lds, strip + slot * HFM__STRIP, apart, sums, HFM__NR, j > begin,
                         &nothing);
  }
}

/* What to fetch during `steps` passes over keys, for rows r0 .. r0 + rows - 1 of the block: their share of the next
   head's keys and values, of each row four lines at once, which is all of a head of 64. */
HFM__TARGET HFM__LONG_INLINE hfm__ahead HFM__FN(look_later)(const hfm__attention *a, int64_t r0, int64_t rows,
                                                            int64_t steps) {
  const int64_t share = a->later1 - a->later0, count = share * rows / a->rows;
  const int64_t from = a->later0 + share * r0 / a->rows, row = a->head * (int64_t)sizeof(float);
  const int values = from >= a->later_rows;
  const float *first = a->later[values] + (from - values * a->later_rows) * a->later_ld;
  hfm__ahead ahead = HFM__FN(look_ahead)(first, row, row / 2, 0);
  ahead.step = (uintptr_t)a->later_ld * sizeof(float);
  ahead.period = ahead.wait = HFM__MAX(steps / HFM__MAX(count, 1), 1);
  return ahead;
}

/* Fetches where these rows' outputs go and the queries of the next ones: lines of as many rows of a matrix, which no
   processor guesses. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(fetch_rows)(const hfm__attention *a, int64_t r0, int64_t rows) {
  int64_t r, d;
  for (r = r0; r < r0 + rows; r++) {
    for (d = 0; d < a->head; d += 64 / (int64_t)sizeof(float)) {
      hfm__v_prefetch(a->out + r * a->ldo + d, 1);
      if (r + rows < a->rows) hfm__v_prefetch(a->q + (r + rows) * a->ldq + d, 1);
    }
  }
}

/* Rows r0 .. r0 + rows - 1 of the block. After the last tile they are divided by their totals. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(attend_step)(const hfm__attention *a, int64_t r0, int64_t rows) {
  const int last = !a->eager && a->key0 + a->tile >= a->keys;
  float sums[HFM__MR * HFM__NR], scale[HFM__MR], largest[HFM__MR], factor[HFM__MR];
  int sees[HFM__MR];
  const int64_t lds = (a->tile + HFM__NR - 1) / HFM__NR * HFM__NR;
  int64_t begin = a->tile, end = 0, first, past, r, j, d;
  /* What lies in a cache comes from memory the first time. Pages of floats are multiplied as they come (in strict mode
     page_rows would round sums between its calls); those of 16 bits, which are widened before, come before that: a
     panel's share of the values with its scores. */
  const int cached = HFM__HAS_STATES && !HFM__SMALL && r0 == 0 && a->v.page;
  const int cold = cached && a->dtype == HFM_F32 && sizeof(hfm__vt) == HFM__LANES * sizeof(float);
  const int64_t share = cached && !cold ? HFM__NR * a->head * (a->dtype == HFM_F32 ? 4 : 2) : 0;
  hfm__ahead ahead = HFM__FN(look_ahead)(NULL, share, share / 2, a->head / HFM__PACE);
  for (r = r0; r < r0 + rows; r++) {
    int64_t from, to;
    HFM__FN(seen)(a, r, &from, &to);
    if (from >= to) continue;
    begin = HFM__MIN(begin, from);
    end = HFM__MAX(end, to);
  }
  if (a->eager) {
    begin = 0;
    end = a->tile;
  }
  if (begin >= end) {
    for (r = r0; last && r < r0 + rows; r++) {
      if (a->total[r] == 0.0f) memset(a->out + r * a->ldo, 0, (size_t)a->head * sizeof(float));
      else HFM__ROW_FN(row_scale)(a->out + r * a->ldo, 1.0f / a->total[r], a->head);
    }
    return;
  }
  first = begin;
  past = end;
  begin = begin / HFM__NR * HFM__NR;
  end = (end + HFM__NR - 1) / HFM__NR * HFM__NR;
  if (!HFM__SMALL && a->later1 > a->later0)
    ahead = HFM__FN(look_later)(a, r0, rows, (end - begin) / HFM__NR * (a->head / HFM__PACE));
  for (j = begin; j < end; j += HFM__NR) {
    const float *panel = HFM__FN(of_page)(a, &a->k, j / HFM__PAGE, j % HFM__PAGE * a->head, HFM__NR * a->head);
    if (cold) {
      const int64_t next = j + HFM__NR;
      HFM__FN(page_rows)(rows, a->head, a->q + r0 * a->ldq, a->ldq, panel, a->head * HFM__STRIP, a->scores + j, lds, 0,
                         next < end ? HFM__FN(in_page)(&a->k, next / HFM__PAGE, next % HFM__PAGE * a->head)
                                    : HFM__FN(in_page)(&a->v, first / HFM__PAGE, first % HFM__PAGE * HFM__STRIP),
                         (next < end ? a->head : (int64_t)HFM__PAGE) * HFM__STRIP);
    } else {
      if (share > 0) ahead.at = HFM__FN(values_of)(a, j);
      HFM__FN(tile_rows)(rows, a->head, a->q + r0 * a->ldq, a->ldq, panel, a->head * HFM__STRIP, a->scores + j, lds, 0,
                         &ahead);
    }
  }
  if (!HFM__SMALL) HFM__FN(fetch_rows)(a, r0, rows);
  /* All maxima first: the next row's would wait for the exponentials of the one before. */
  for (r = 0; r < rows; r++)
    sees[r] = HFM__FN(maximum_of_row)(a, r0 + r, a->scores + r * lds, begin, end, &scale[r], &largest[r]);
  for (r = 0; r < rows; r++) {
    float *x = a->scores + r * lds;
    factor[r] = -1.0f;
    if (a->eager) HFM__FN(weigh_row_eager)(a, r0 + r, x, end, sees[r], scale[r], largest[r]);
    else factor[r] = HFM__FN(weigh_row)(a, r0 + r, x + begin, end - begin, sees[r], scale[r], largest[r]);
  }
  for (d = 0; d < a->head; d += HFM__NR) {
    const int64_t n = HFM__MIN(HFM__NR, a->head - d);
    HFM__FN(weighted_values)(a, cold, rows, lds, d, first, past, sums);
    for (r = 0; r < rows; r++) {
      const float whole = last && a->total[r0 + r] != 0.0f ? 1.0f / a->total[r0 + r] : 1.0f;
      HFM__FN(gather_row)(a->out + (r0 + r) * a->ldo + d, sums + r * HFM__NR, factor[r], whole, n);
    }
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(attention)(const hfm__attention *a) {
  const int64_t steps = (a->rows + HFM__MR - 1) / HFM__MR;
  int64_t s, r, first = 0;
  if (a->key0 == a->first) {
    for (r = 0; r < a->rows; r++) {
      a->maximum[r] = -FLT_MAX;
      a->total[r] = 0.0f;
    }
  }
  for (s = 0; s < steps; s++) {
    const int64_t rows = hfm__rows_of_step(a->rows - first, steps - s, HFM__MR);
    HFM__FN(attend_step)(a, first, rows);
    first += rows;
  }
}
