/* amalgamate: repeat */
/* ==== cpu/kernel_rows (private): kernels on one row of n floats: norms, softmax, activations, sums ===============
   Every sum has one order, fixed by n alone: lanes W apart, then the lanes, then what is left over one by one. */

HFM__TARGET HFM__LONG_INLINE void HFM__FN(unary_as)(const int32_t activation, const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += HFM__W) { /* one copy of a long formula, also for what is left over */
    const int64_t rest = n - i;
    const hfm__vf v = HFM__FN(activate)(activation, rest < HFM__W ? hfm__v_load_n(x + i, rest) : hfm__v_load(x + i));
    if (rest < HFM__W) hfm__v_store_n(y + i, v, rest);
    else hfm__v_store(y + i, v);
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(unary)(int32_t activation, const float *x, float *y, int64_t n) {
#if HFM__SMALL
  HFM__FN(unary_as)(activation, x, y, n);
#else
  switch (activation) {
#define HFM__UNARY_CASE(name) case HFM__ACT_##name: HFM__FN(unary_as)(HFM__ACT_##name, x, y, n); break;
    HFM__KERNEL_ACTIVATION_LIST(HFM__UNARY_CASE)
#undef HFM__UNARY_CASE
  }
#endif
}

/* y = a + b, or a + b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(add)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* y = a * b, or a * b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(mul)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* A vector of 16-bit weights; of weights, from element i on; one of them. */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(load_narrow)(const int32_t dtype, const void *p) {
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

/* f16 or bf16 to f32. Four vectors without a branch: a loop of one is a sixth slower where it happens to cross a cache
   line. */
HFM__TARGET HFM__LONG_INLINE void HFM__FN(widen_as)(const int32_t dtype, const uint16_t *from, float *to, int64_t n) {
#define HFM__WIDEN(i) hfm__v_store(to + (i), HFM__FN(load_narrow)(dtype, from + (i)));
  int64_t i = 0;
  for (; !HFM__SMALL && i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    HFM__WIDEN(i)
    HFM__WIDEN(i + HFM__W)
    HFM__WIDEN(i + 2 * HFM__W)
    HFM__WIDEN(i + 3 * HFM__W)
  }
  for (; i + HFM__W <= n; i += HFM__W) HFM__WIDEN(i)
  for (; i < n; i++) to[i] = HFM__FN(load_one_as)(dtype, from, i);
#undef HFM__WIDEN
}

HFM__TARGET HFM__PRIVATE void HFM__FN(widen)(int32_t dtype, const void *src, float *dst, int64_t n) {
  if (dtype == HFM_BF16) HFM__FN(widen_as)(HFM_BF16, (const uint16_t *)src, dst, n);
  else HFM__FN(widen_as)(HFM_F16, (const uint16_t *)src, dst, n);
}

HFM__TARGET HFM__LONG_INLINE float HFM__FN(row_sum)(const float *x, int64_t n) {
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    s0 = hfm__v_add(s0, hfm__v_load(x + i));
    s1 = hfm__v_add(s1, hfm__v_load(x + i + HFM__W));
    s2 = hfm__v_add(s2, hfm__v_load(x + i + 2 * HFM__W));
    s3 = hfm__v_add(s3, hfm__v_load(x + i + 3 * HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) s0 = hfm__v_add(s0, hfm__v_load(x + i));
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += x[i];
  return sum;
}

/* Sum of (x - mean)^2 */
HFM__TARGET HFM__LONG_INLINE float HFM__FN(row_square_sum)(const float *x, float mean, int64_t n) {
  const hfm__vf m = hfm__v_set1(mean);
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0, d;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
    d = hfm__v_sub(hfm__v_load(x + i + HFM__W), m);
    s1 = hfm__v_fma(d, d, s1);
    d = hfm__v_sub(hfm__v_load(x + i + 2 * HFM__W), m);
    s2 = hfm__v_fma(d, d, s2);
    d = hfm__v_sub(hfm__v_load(x + i + 3 * HFM__W), m);
    s3 = hfm__v_fma(d, d, s3);
  }
  for (; i + HFM__W <= n; i += HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
  }
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

/* Two passes, because E[x^2] - E[x]^2 loses everything where the mean is large. weight and bias may be NULL. */
HFM__TARGET HFM__PRIVATE void HFM__FN(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon,
                                                  float *y, int64_t n) {
  const float mean = HFM__FN(row_sum)(x, n) / (float)n;
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, mean, n) / (float)n + epsilon);
  const hfm__vf m = hfm__v_set1(mean), s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) {
    hfm__vf v = hfm__v_mul(hfm__v_sub(hfm__v_load(x + i), m), s);
    if (weight) v = hfm__v_mul(v, hfm__v_load(weight + i));
    if (bias) v = hfm__v_add(v, hfm__v_load(bias + i));
    hfm__v_store(y + i, v);
  }
  for (; i < n; i++) y[i] = (x[i] - mean) * scale * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(rms_norm)(const float *x, const float *weight, float epsilon, float *y,
                                                int64_t n) {
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, 0.0f, n) / (float)n + epsilon);
  const hfm__vf s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(y + i, hfm__v_mul(hfm__v_mul(hfm__v_load(x + i), s), hfm__v_load(weight + i)));
  for (; i < n; i++) y[i] = x[i] * scale * weight[i];
}

/* The largest of n > 0 floats. */
HFM__TARGET HFM__LONG_INLINE float HFM__FN(row_max)(const float *x, int64_t n) {
  float largest = x[0];
  hfm__vf m0 = hfm__v_set1(largest), m1 = m0, m2 = m0, m3 = m0;
  int64_t i = 0;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    m0 = hfm__v_max(m0, hfm__v_load(x + i));
    m1 = hfm__v_max(m1, hfm__v_load(x + i + HFM__W));
    m2 = hfm__v_max(m2, hfm__v_load(x + i + 2 * HFM__W));
    m3 = hfm__v_max(m3, hfm__v_load(x + i + 3 * HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) m0 = hfm__v_max(m0, hfm__v_load(x + i));
  largest = hfm__v_hmax(hfm__v_max(hfm__v_max(m0, m1), hfm__v_max(m2, m3)));
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/* y = exp(x * scale - largest) and its sum, for x * scale <= largest. */
HFM__TARGET HFM__NOINLINE float HFM__FN(row_exp)(const float *x, float scale, float largest, float *y, int64_t n) {
  const hfm__vf f = hfm__v_set1(scale), m = hfm__v_set1(-largest);
  hfm__vf s0 = hfm__v_zero(), s1 = s0;
  int64_t i = 0, j;
  float sum;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    const hfm__vf b = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i + HFM__W), f, m));
    hfm__v_store(y + i, a);
    hfm__v_store(y + i + HFM__W, b);
    s0 = hfm__v_add(s0, a);
    s1 = hfm__v_add(s1, b);
  }
  if (i + HFM__W <= n) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    hfm__v_store(y + i, a);
    s0 = hfm__v_add(s0, a);
    i += HFM__W;
  }
  sum = hfm__v_sum(hfm__v_add(s0, s1));
  if (i < n) {
    hfm__v_store_n(y + i, HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load_n(x + i, n - i), f, m)), n - i);
    for (j = i; j < n; j++) sum += y[j];
  }
  return sum;
}

HFM__TARGET HFM__LONG_INLINE void HFM__FN(row_scale)(float *x, float factor, int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(x + i, hfm__v_mul(hfm__v_load(x + i), f));
  for (; i < n; i++) x[i] *= factor;
}

/* In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(softmax)(const float *x, float *y, int64_t n) {
  if (n <= 0) return;
  HFM__FN(row_scale)(y, 1.0f / HFM__FN(row_exp)(x, 1.0f, HFM__FN(row_max)(x, n), y, n), n);
}

/* The two halves of a head as real and imaginary parts, turned by the angles. In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(rotary)(const float *x, const float *cosines, const float *sines, float *y,
                                              int64_t half) {
  int64_t i = 0;
  for (; i + HFM__W <= half; i += HFM__W) {
    const hfm__vf c = hfm__v_load(cosines + i), s = hfm__v_load(sines + i);
    const hfm__vf a = hfm__v_load(x + i), b = hfm__v_load(x + half + i);
    hfm__v_store(y + i, hfm__v_sub(hfm__v_mul(a, c), hfm__v_mul(b, s)));
    hfm__v_store(y + half + i, hfm__v_add(hfm__v_mul(b, c), hfm__v_mul(a, s)));
  }
  for (; i < half; i++) {
    const float a = x[i], b = x[half + i];
    y[i] = a * cosines[i] - b * sines[i];
    y[half + i] = b * cosines[i] + a * sines[i];
  }
}
