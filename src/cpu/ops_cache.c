/* ==== cpu/ops_cache (private): keys and values in pages ===========================================================
   A page holds HFM__PAGE positions of every head, laid out as attention multiplies them: keys as strips [head][strip]
   of positions, values as strips [HFM__PAGE][strip] of the head. So a page of f32 is a piece of an attention tile. */

/* Elements of one head in a page. The last strip of values may be wider than the head. */
HFM__PRIVATE int64_t hfm__page_head(const hfm__kernels *kernels, int32_t values, int64_t head) {
  const int64_t strip = kernels->strip;
  return HFM__PAGE * (values ? (head + strip - 1) / strip * strip : head);
}

/* Where element d of the position at `slot` lies among those. */
HFM__PRIVATE int64_t hfm__page_element(const hfm__kernels *kernels, int32_t values, int64_t head, int64_t slot,
                                       int64_t d) {
  const int64_t strip = kernels->strip;
  return values ? d / strip * strip * HFM__PAGE + slot * strip + d % strip
                : slot / strip * strip * head + d * strip + slot % strip;
}

/* One head of one position, to (or, with `back`, from) its place in a page. */
HFM__PRIVATE void hfm__page_move(const hfm__kernels *kernels, int32_t values, int64_t head, int64_t slot, void *page,
                                 hfm_dtype dtype, float *x, int back) {
  int64_t d;
  for (d = 0; d < head; d++) {
    const int64_t at = hfm__page_element(kernels, values, head, slot, d);
    if (dtype == HFM_F32) {
      float *place = (float *)page + at;
      if (back) x[d] = *place;
      else *place = x[d];
    } else {
      uint16_t *place = (uint16_t *)page + at;
      if (back) x[d] = dtype == HFM_F16 ? hfm__f16_to_f32(*place) : hfm__bf16_to_f32(*place);
      else *place = dtype == HFM_F16 ? hfm__f32_to_f16(x[d]) : hfm__f32_to_bf16(x[d]);
    }
  }
}

/* The head's part of the page that holds position `first + i` of row b. */
HFM__PRIVATE uint8_t *hfm__page_of(const hfm__operand *state, int64_t b, int64_t i, int64_t head) {
  const int64_t page = state->pages[b * state->stride[0] + i / HFM__PAGE];
  const int64_t element = page * state->stride[1] + head * state->stride[2];
  return (uint8_t *)state->data + element * (hfm_dtype_bits(state->dtype) / 8);
}

/* ---- append: a chunk is some positions ---- */

HFM__PRIVATE int64_t hfm__append_step(const hfm__op_args *a) {
  return hfm__row_step(a->in[1].shape[2] * a->in[1].shape[3]);
}

HFM__PRIVATE int64_t hfm__append_chunks(const hfm__op_args *a) {
  const int64_t step = hfm__append_step(a);
  return (a->in[1].shape[0] * a->in[1].shape[1] + step - 1) / step;
}

HFM__PRIVATE void hfm__append_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *state = &a->in[0], *x = &a->in[1];
  const int64_t step = hfm__append_step(a), length = x->shape[1];
  const int64_t end = HFM__MIN((chunk + 1) * step, x->shape[0] * length);
  int64_t r, h;
  (void)worker;
  for (r = chunk * step; r < end; r++) {
    const int64_t b = r / length, s = r % length, at = state->shape[1] - length + s;
    float *from = (float *)x->data + b * x->stride[0] + s * x->stride[1];
    for (h = 0; h < x->shape[2]; h++)
      hfm__page_move(a->cpu->kernels, a->attrs->transposed, x->shape[3], at % HFM__PAGE, hfm__page_of(state, b, at, h),
                     state->dtype, from + h * x->stride[2], 0);
  }
}

/* ---- What attention reads ---- */

/* Copies `n` elements as f32. */
HFM__PRIVATE void hfm__page_copy(const hfm__cpu *cpu, hfm_dtype dtype, const uint8_t *from, float *to, int64_t n) {
  if (dtype == HFM_F32) memcpy(to, from, (size_t)n * sizeof(float));
  else cpu->kernels->widen(dtype, from, to, n);
}

/* The panels of `tile` keys and values from the i-th position of the states on, which begins a page. */
HFM__PRIVATE void hfm__unpage(const hfm__cpu *cpu, const hfm__operand *k, const hfm__operand *v, int64_t batch,
                              int64_t head, int64_t i, int64_t tile, float *k_panels, float *v_panels) {
  const int64_t size = k->shape[3], strip = cpu->kernels->strip, bytes = hfm_dtype_bits(k->dtype) / 8;
  int64_t done, s;
  for (done = 0; done < tile; done += HFM__PAGE) {
    const int64_t n = HFM__MIN((int64_t)HFM__PAGE, tile - done);
    const uint8_t *keys = hfm__page_of(k, batch, i + done, head), *values = hfm__page_of(v, batch, i + done, head);
    hfm__page_copy(cpu, k->dtype, keys, k_panels + done * size, (n + strip - 1) / strip * strip * size);
    for (s = 0; s < size; s += strip)
      hfm__page_copy(cpu, v->dtype, values + s * HFM__PAGE * bytes, v_panels + s * tile + done * strip, n * strip);
  }
}
