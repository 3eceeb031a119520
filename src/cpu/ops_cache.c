/* ==== cpu/ops_cache (private): keys and values in pages ===========================================================
   A page holds HFM__PAGE positions of every head, laid out as attention multiplies them: keys as strips [head][strip]
   of positions, values as strips [HFM__PAGE][strip] of the head. So attention reads a page as it lies. */

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

/* One head of one position into its place in a page. */
HFM__PRIVATE void hfm__page_put(const hfm__kernels *kernels, int32_t values, int64_t head, int64_t slot, void *page,
                                hfm_dtype dtype, const float *x) {
  const int64_t strip = kernels->strip, run = values ? strip : head, apart = values ? 1 : strip;
  int64_t first, i;
  for (first = 0; first < head; first += run) {
    const int64_t at = hfm__page_element(kernels, values, head, slot, first), n = HFM__MIN(run, head - first);
    if (dtype == HFM_F32) {
      float *to = (float *)page + at;
      for (i = 0; i < n; i++) to[i * apart] = x[first + i];
    } else {
      uint16_t *to = (uint16_t *)page + at;
      for (i = 0; i < n; i++)
        to[i * apart] = dtype == HFM_F16 ? hfm__f32_to_f16(x[first + i]) : hfm__f32_to_bf16(x[first + i]);
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
    const float *from = (const float *)x->data + b * x->stride[0] + s * x->stride[1];
    for (h = 0; h < x->shape[2]; h++)
      hfm__page_put(a->cpu->kernels, a->attrs->transposed, x->shape[3], at % HFM__PAGE, hfm__page_of(state, b, at, h),
                    state->dtype, from + h * x->stride[2]);
  }
}

/* ---- What attention reads ---- */

/* One head of row b, from the page on that begins with position `first + i`. */
HFM__PRIVATE hfm__pages_of_head hfm__pages_in_place(const hfm__operand *state, int64_t b, int64_t i, int64_t head) {
  hfm__pages_of_head pages;
  pages.data = (const uint8_t *)state->data + head * state->stride[2] * (hfm_dtype_bits(state->dtype) / 8);
  pages.positions = HFM__PAGE;
  pages.page = state->pages + b * state->stride[0] + i / HFM__PAGE;
  pages.apart = state->stride[1];
  return pages;
}

/* `count` 16-bit pages as f32, one behind the other. */
HFM__PRIVATE void hfm__pages_widen(const hfm__cpu *cpu, hfm_dtype dtype, const hfm__pages_of_head *pages,
                                   int64_t count, int64_t elements, float *to) {
  int64_t i;
  for (i = 0; i < count; i++)
    cpu->kernels->widen(dtype, (const uint16_t *)pages->data + pages->page[i] * pages->apart, to + i * elements,
                        elements);
}
