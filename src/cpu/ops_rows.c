/* ==== cpu/ops_rows (private): ops that go row by row: norms, activations, sums, copies, gathers ==================
   A chunk is a number of rows that makes about 0.05 ms. Inputs may have any outer strides; outputs are dense. */

enum { HFM__ROW_CHUNK = 65536 }; /* elements */

HFM__PRIVATE int64_t hfm__row_step(int64_t width) { return HFM__MAX(1, HFM__ROW_CHUNK / HFM__MAX(width, 1)); }

HFM__PRIVATE int64_t hfm__width(const hfm__operand *x) { return x->rank > 0 ? x->shape[x->rank - 1] : 1; }

HFM__PRIVATE int64_t hfm__row_chunks(const hfm__op_args *a) {
  const int64_t step = hfm__row_step(hfm__width(&a->out[0]));
  return (hfm__rows(&a->out[0]) + step - 1) / step;
}

HFM__PRIVATE uint64_t hfm__no_scratch(const hfm__op_args *a) {
  (void)a;
  return 0;
}

/* [*first, *end) of the chunk's rows. */
HFM__PRIVATE void hfm__row_range(const hfm__op_args *a, int64_t chunk, int64_t *first, int64_t *end) {
  const int64_t step = hfm__row_step(hfm__width(&a->out[0]));
  *first = chunk * step;
  *end = HFM__MIN(*first + step, hfm__rows(&a->out[0]));
}

HFM__PRIVATE const float *hfm__row(const hfm__operand *x, int64_t r) {
  return (const float *)x->data + hfm__row_offset(x, r);
}

/* ---- Norms: weight and bias, where they are 16-bit or have an offset, are made ready in scratch ---- */

HFM__PRIVATE uint64_t hfm__norm_scratch(const hfm__op_args *a) {
  return 2 * hfm__aligned((uint64_t)hfm__width(&a->in[0]) * sizeof(float));
}

/* NULL for an absent one. */
HFM__PRIVATE const float *hfm__norm_parameter(const hfm__op_args *a, int32_t index, hfm__worker *worker) {
  const hfm__operand *x = &a->in[index];
  const int64_t n = hfm__width(&a->in[0]);
  const float offset = a->attrs->offset;
  float *to;
  if (!x->data || (x->dtype == HFM_F32 && offset == 0)) return (const float *)x->data;
  to = (float *)(void *)(worker->scratch + (uint64_t)(index - 1) * hfm__aligned((uint64_t)n * sizeof(float)));
  hfm__widened(a->cpu, x, 0, n, to);
  if (offset != 0) a->cpu->kernels->add(to, &offset, 1, to, n);
  return to;
}

HFM__PRIVATE void hfm__layer_norm_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const int64_t n = hfm__width(&a->in[0]);
  const float *weight = hfm__norm_parameter(a, 1, worker), *bias = hfm__norm_parameter(a, 2, worker);
  int64_t r, end;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++)
    a->cpu->kernels->layer_norm(hfm__row(&a->in[0], r), weight, bias, a->attrs->epsilon,
                                (float *)a->out[0].data + r * n, n);
}

#ifdef HFM__WITH_RMS_NORM
HFM__PRIVATE void hfm__rms_norm_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const int64_t n = hfm__width(&a->in[0]);
  const float *weight = hfm__norm_parameter(a, 1, worker);
  int64_t r, end;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++)
    a->cpu->kernels->rms_norm(hfm__row(&a->in[0], r), weight, a->attrs->epsilon, (float *)a->out[0].data + r * n, n);
}
#endif

/* ---- Elementwise ---- */

HFM__PRIVATE void hfm__unary_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const int64_t n = hfm__width(&a->out[0]);
  int64_t r, end;
  (void)worker;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++)
    a->cpu->kernels->unary(a->attrs->activation, hfm__row(&a->in[0], r), (float *)a->out[0].data + r * n, n);
}

/* `x` seen with the shape of `out`, numpy's way: missing dimensions in front, stride 0 where its size is 1. */
HFM__PRIVATE hfm__operand hfm__broadcast(const hfm__operand *x, const hfm__operand *out) {
  const int32_t extra = out->rank - x->rank;
  hfm__operand y = *x;
  int32_t d;
  y.rank = out->rank;
  for (d = out->rank - 1; d >= 0; d--) {
    y.shape[d] = out->shape[d];
    y.stride[d] = d < extra || x->shape[d - extra] == 1 ? 0 : x->stride[d - extra];
  }
  return y;
}

typedef void (*hfm__binary_fn)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n);

/* Both operations commute, so an operand whose last dimension is broadcast can be the second one. */
HFM__PRIVATE void hfm__binary_run(const hfm__op_args *a, int64_t chunk, hfm__binary_fn fn) {
  const hfm__operand *out = &a->out[0];
  const int64_t n = hfm__width(out);
  const int32_t last = out->rank - 1;
  hfm__operand x = hfm__broadcast(&a->in[0], out), y = hfm__broadcast(&a->in[1], out);
  int64_t r, end, i;
  if (last >= 0 && n > 1 && x.stride[last] == 0) {
    const hfm__operand swap = x;
    x = y;
    y = swap;
  }
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++) {
    const float *p = hfm__row(&x, r), *q = hfm__row(&y, r);
    float *to = (float *)out->data + r * n;
    if (last >= 0 && n > 1 && x.stride[last] == 0) {
      for (i = 0; i < n; i++) fn(p, q, 1, to + i, 1);
    } else {
      fn(p, q, last >= 0 && n > 1 && y.stride[last] == 0, to, n);
    }
  }
}

HFM__PRIVATE void hfm__add_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  (void)worker;
  hfm__binary_run(a, chunk, a->cpu->kernels->add);
}

#ifdef HFM__WITH_MUL
HFM__PRIVATE void hfm__mul_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  (void)worker;
  hfm__binary_run(a, chunk, a->cpu->kernels->mul);
}
#endif

/* ---- Movement ---- */

/* n elements of any float dtype, `stride` apart, to f32. */
HFM__PRIVATE void hfm__copy_row(const hfm__op_args *a, const hfm__operand *x, int64_t offset, int64_t stride, float *to,
                                int64_t n) {
  const uint16_t *half = (const uint16_t *)x->data + offset;
  int64_t i;
  if (x->dtype == HFM_F32) {
    const float *from = (const float *)x->data + offset;
    if (stride == 1) memcpy(to, from, (size_t)n * sizeof(float));
    else for (i = 0; i < n; i++) to[i] = from[i * stride];
  } else if (x->dtype == HFM_F64) {
    const double *from = (const double *)x->data + offset;
    for (i = 0; i < n; i++) to[i] = (float)from[i * stride];
  } else if (stride == 1) {
    a->cpu->kernels->widen(x->dtype, half, to, n);
  } else {
    for (i = 0; i < n; i++) a->cpu->kernels->widen(x->dtype, half + i * stride, to + i, 1);
  }
}

HFM__PRIVATE void hfm__copy_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *x = &a->in[0];
  const int64_t n = hfm__width(&a->out[0]), stride = x->rank > 0 ? x->stride[x->rank - 1] : 1;
  int64_t r, end;
  (void)worker;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++)
    hfm__copy_row(a, x, hfm__row_offset(x, r), stride, (float *)a->out[0].data + r * n, n);
}

/* Row r of the output is a row of one input, or, along the last axis, a row of each. */
HFM__PRIVATE void hfm__concat_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *out = &a->out[0];
  const int32_t axis = a->attrs->axis, last = out->rank - 1;
  const int64_t n = hfm__width(out), first = a->in[0].shape[axis];
  int64_t r, end, inner = 1;
  int32_t d;
  (void)worker;
  for (d = axis + 1; d < last; d++) inner *= out->shape[d];
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++) {
    float *to = (float *)out->data + r * n;
    if (axis == last) {
      memcpy(to, hfm__row(&a->in[0], r), (size_t)first * sizeof(float));
      memcpy(to + first, hfm__row(&a->in[1], r), (size_t)(n - first) * sizeof(float));
    } else {
      const int64_t at = r / inner % out->shape[axis], outer = r / inner / out->shape[axis], low = r % inner;
      const int32_t second = at >= first;
      const hfm__operand *x = &a->in[second];
      const int64_t row = (outer * x->shape[axis] + (second ? at - first : at)) * inner + low;
      memcpy(to, hfm__row(x, row), (size_t)n * sizeof(float));
    }
  }
}

/* ---- Gathers ---- */

/* The executor has checked the ids; one that is out of range all the same gives NaN, which nobody overlooks. */
HFM__PRIVATE void hfm__embedding_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *ids = &a->in[0], *table = &a->in[1];
  const int64_t n = hfm__width(&a->out[0]);
  int64_t r, end, i;
  hfm__operand flat = *ids;
  (void)worker;
  flat.shape[flat.rank] = 1; /* an id for each row: a last dimension of one element */
  flat.stride[flat.rank++] = 1;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++) {
    const int64_t id = ((const int64_t *)ids->data)[hfm__row_offset(&flat, r)] + a->attrs->first_row;
    float *to = (float *)a->out[0].data + r * n;
    if (id >= 0 && id < table->shape[0]) {
      hfm__copy_row(a, table, id * n, 1, to, n);
    } else {
      const uint32_t nan = 0x7fc00000u;
      for (i = 0; i < n; i++) memcpy(to + i, &nan, sizeof nan);
    }
  }
}

HFM__PRIVATE void hfm__gather_rows_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *x = &a->in[0], *index = &a->in[1];
  const int64_t n = hfm__width(&a->out[0]);
  int64_t r, end;
  (void)worker;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++) {
    const int64_t at = ((const int64_t *)index->data)[r * index->stride[0]];
    const int64_t row = HFM__MIN(HFM__MAX(at, 0), x->shape[1] - 1);
    memcpy((float *)a->out[0].data + r * n, (const float *)x->data + r * x->stride[0] + row * x->stride[1],
           (size_t)n * sizeof(float));
  }
}
