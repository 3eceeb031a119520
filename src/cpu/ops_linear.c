/* ==== cpu/ops_linear (private): linear and conv2d ==================================================================
   Both are one product: rows of x (for conv2d: patches of the image) times panels of the weight. A chunk is some panels
   times some rows; the grid depends on the shapes alone. A worker keeps in its scratch the panel that it packed and the
   rows that it gathered, and finds them again if its next chunk needs them. */

enum { HFM__ALIGN = 64 };

HFM__PRIVATE uint64_t hfm__aligned(uint64_t bytes) { return (bytes + HFM__ALIGN - 1) / HFM__ALIGN * HFM__ALIGN; }

typedef struct hfm__product {
  int64_t m, n, k;
  int32_t dtype, transposed;
  int64_t panels, row_blocks, groups; /* of the grid: chunk = group * row_blocks + block */
  int64_t one_row;                    /* M is 1 and the weight [N, K]: dot products, `groups` ranges of rows */
} hfm__product;

/* Rows of an operand: all dimensions but the last, flattened. */
HFM__PRIVATE int64_t hfm__rows(const hfm__operand *x) { return x->rank > 1 ? hfm__elements(x->shape, x->rank - 1) : 1; }

/* Elements from the first row to row r. */
HFM__PRIVATE int64_t hfm__row_offset(const hfm__operand *x, int64_t r) {
  int64_t offset = 0;
  int32_t d;
  for (d = x->rank - 2; d >= 0; d--) {
    offset += r % x->shape[d] * x->stride[d];
    r /= x->shape[d];
  }
  return offset;
}

/* 1 where rows are *stride apart throughout. */
HFM__PRIVATE int hfm__rows_even(const hfm__operand *x, int64_t *stride) {
  int64_t expected = 0;
  int32_t d, found = 0;
  for (d = x->rank - 2; d >= 0; d--) {
    if (x->shape[d] == 1) continue;
    if (!found) expected = x->stride[d];
    else if (x->stride[d] != expected) return 0;
    found = 1;
    expected = x->stride[d] * x->shape[d];
  }
  *stride = 0;
  for (d = x->rank - 2; d >= 0; d--) {
    if (x->shape[d] == 1) continue;
    *stride = x->stride[d];
    break;
  }
  return 1;
}

/* Weights and biases may be 16-bit: element i as f32. */
HFM__PRIVATE void hfm__parameter(const hfm__cpu *cpu, const hfm__operand *x, int64_t first, int64_t n, float *out) {
  if (x->dtype == HFM_F32) memcpy(out, (const float *)x->data + first, (size_t)n * sizeof(float));
  else cpu->kernels->widen(x->dtype, (const uint16_t *)x->data + first, out, n);
}

/* How many pieces to cut work of `flops` and `bytes` of weights into: about 0.1 ms each, but 16 pieces of at least 10 us
   for what is small, so that several threads have something to share. */
HFM__PRIVATE int64_t hfm__pieces(int64_t flops, int64_t bytes) {
  const int64_t us = 1 + flops / 80000 + bytes / 20000;
  return HFM__MAX(us / 100, HFM__MIN(16, us / 10));
}

HFM__PRIVATE void hfm__plan_product(const hfm__cpu *cpu, hfm__product *p) {
  const int64_t nr = cpu->kernels->nr, mr = cpu->kernels->mr;
  const int64_t pieces = hfm__pieces(2 * p->m * p->n * p->k, p->n * p->k * hfm__dtype_size(p->dtype));
  p->panels = (p->n + nr - 1) / nr;
  p->row_blocks = 1;
  p->one_row = p->m == 1 && !p->transposed && !cpu->batch_invariant;
  p->groups = HFM__MAX(1, HFM__MIN(pieces, p->one_row ? (p->n + 3) / 4 : p->panels));
  if (!p->one_row && pieces > p->panels)
    p->row_blocks = HFM__MAX(1, HFM__MIN(pieces / p->panels, (p->m + mr - 1) / mr));
  if (p->m == 0 || p->n == 0) p->groups = 0;
}

/* Where a worker's scratch holds what. */
typedef struct hfm__product_scratch {
  uint64_t serial;   /* the node that the rest belongs to */
  int64_t panel;     /* which is packed, or -1 */
  int64_t block;     /* whose rows are gathered, or -1 */
} hfm__product_scratch;

HFM__PRIVATE uint64_t hfm__product_scratch_bytes(const hfm__cpu *cpu, const hfm__product *p, int gathered) {
  const uint64_t panel = hfm__aligned((uint64_t)(p->k * cpu->kernels->nr) * sizeof(float));
  const uint64_t rows = gathered ? hfm__aligned((uint64_t)(p->m * p->k) * sizeof(float)) : 0;
  return hfm__aligned(sizeof(hfm__product_scratch)) + panel + rows;
}

/* Rows first .. first + count - 1 of x, made contiguous. */
typedef void (*hfm__gather_fn)(const hfm__op_args *a, int64_t first, int64_t count, float *rows);

/* in[1] is the weight, in[2] the bias, in[3] the residual. `gather` is NULL where x can be read as it lies, at `lda`. */
HFM__PRIVATE void hfm__run_product(const hfm__op_args *a, const hfm__product *p, hfm__gather_fn gather, int64_t lda,
                                   int64_t chunk, hfm__worker *worker) {
  const hfm__cpu *cpu = a->cpu;
  const int64_t nr = cpu->kernels->nr, group = chunk / p->row_blocks, block = chunk % p->row_blocks;
  const int64_t row0 = p->m * block / p->row_blocks, rows = p->m * (block + 1) / p->row_blocks - row0;
  const hfm__operand *weight = &a->in[1], *bias = &a->in[2], *residual = &a->in[3];
  hfm__product_scratch *held = (hfm__product_scratch *)(void *)worker->scratch;
  float *scratch = (float *)(void *)(worker->scratch + hfm__aligned(sizeof(hfm__product_scratch)));
  float *gathered = (float *)(void *)((uint8_t *)scratch + hfm__aligned((uint64_t)(p->k * nr) * sizeof(float)));
  const int64_t panel1 = p->panels * (group + 1) / p->groups;
  int64_t panel = p->panels * group / p->groups, ldr = 0;
  float bias_part[HFM__MAX_NR];
  hfm__gemm g;
  memset(&g, 0, sizeof g);
  if (worker->tag != a->serial) {
    worker->tag = a->serial;
    held->panel = held->block = -1;
  }
  g.rows = rows;
  g.k = p->k;
  g.a = (const float *)a->in[0].data + row0 * lda;
  g.lda = lda;
  if (gather) {
    if (held->block != block) gather(a, row0, rows, gathered);
    held->block = block;
    g.a = gathered;
    g.lda = p->k;
  }
  if (residual->data && !hfm__rows_even(residual, &ldr)) ldr = -1;
  g.ldr = ldr;
  g.ldo = p->n;
  g.activation = a->attrs->activation;
  for (; panel < panel1; panel++) {
    const int64_t n0 = panel * nr;
    const void *kept = hfm__panel_kept(cpu, weight->weight, weight->data, p->transposed, panel);
    g.n = HFM__MIN(nr, p->n - n0);
    g.ldb = nr;
    g.panel = scratch;
    g.next = NULL;
    if (kept && p->dtype == HFM_F32) {
      g.panel = (const float *)kept;
      g.next = panel + 1 < p->panels ? g.panel + nr * p->k : NULL;
    } else if (held->panel != panel) {
      if (kept) {
        cpu->kernels->widen(p->dtype, kept, scratch, nr * p->k);
      } else {
        hfm__pack job;
        job.weight = (const uint8_t *)weight->data + n0 * (p->transposed ? 1 : p->k) * hfm__dtype_size(p->dtype);
        job.dtype = p->dtype;
        job.transposed = p->transposed;
        job.ld = p->transposed ? p->n : p->k;
        job.n = g.n;
        job.k = p->k;
        job.panel = scratch;
        cpu->kernels->pack(&job);
      }
      held->panel = panel;
    }
    if (bias->data) {
      hfm__parameter(cpu, bias, n0, g.n, bias_part);
      g.bias = bias_part;
    }
    g.out = (float *)a->out[0].data + row0 * p->n + n0;
    if (residual->data && ldr < 0) {
      hfm__gemm one = g;
      int64_t r;
      one.rows = 1;
      for (r = 0; r < rows; r++) {
        one.a = g.a + r * g.lda;
        one.out = g.out + r * g.ldo;
        one.residual = (const float *)residual->data + hfm__row_offset(residual, row0 + r) + n0;
        cpu->kernels->gemm(&one);
      }
    } else {
      g.residual = residual->data ? (const float *)residual->data + row0 * ldr + n0 : NULL;
      cpu->kernels->gemm(&g);
    }
    hfm__panels_earn(cpu, rows * p->k * nr / 100); /* 2 flops each at 100 Gflop/s against 0.5 GB/s */
  }
}

/* M = 1: rows of the weight as they lie; bias, activation and residual afterwards. */
HFM__PRIVATE void hfm__run_one_row(const hfm__op_args *a, const hfm__product *p, const float *x, int64_t chunk) {
  const int64_t n0 = p->n * chunk / p->groups, n = p->n * (chunk + 1) / p->groups - n0;
  float *out = (float *)a->out[0].data + n0, bias[HFM__MAX_NR];
  int64_t i;
  hfm__gemv g;
  g.rows = n;
  g.k = p->k;
  g.x = x;
  g.weight = (const uint8_t *)a->in[1].data + n0 * p->k * hfm__dtype_size(p->dtype);
  g.dtype = p->dtype;
  g.out = out;
  a->cpu->kernels->gemv(&g);
  if (a->in[2].data) {
    for (i = 0; i < n; i += HFM__MAX_NR) {
      const int64_t part = HFM__MIN((int64_t)HFM__MAX_NR, n - i);
      hfm__parameter(a->cpu, &a->in[2], n0 + i, part, bias);
      a->cpu->kernels->add(out + i, bias, 0, out + i, part);
    }
  }
  if (a->attrs->activation) a->cpu->kernels->unary(a->attrs->activation, out, out, n);
  if (a->in[3].data) a->cpu->kernels->add(out, (const float *)a->in[3].data + n0, 0, out, n);
}

/* ---- linear ---- */

HFM__PRIVATE hfm__product hfm__linear_product(const hfm__op_args *a) {
  hfm__product p;
  memset(&p, 0, sizeof p);
  p.m = hfm__rows(&a->in[0]);
  p.k = a->in[0].shape[a->in[0].rank - 1];
  p.n = a->out[0].shape[a->out[0].rank - 1];
  p.dtype = a->in[1].dtype;
  p.transposed = a->attrs->transposed;
  hfm__plan_product(a->cpu, &p);
  return p;
}

HFM__PRIVATE int64_t hfm__linear_chunks(const hfm__op_args *a) {
  const hfm__product p = hfm__linear_product(a);
  hfm__panels_used(a->cpu, a->in[1].weight);
  return p.groups * p.row_blocks;
}

HFM__PRIVATE void hfm__linear_gather(const hfm__op_args *a, int64_t first, int64_t count, float *rows) {
  const int64_t k = a->in[0].shape[a->in[0].rank - 1];
  int64_t r;
  for (r = 0; r < count; r++)
    memcpy(rows + r * k, (const float *)a->in[0].data + hfm__row_offset(&a->in[0], first + r),
           (size_t)k * sizeof(float));
}

HFM__PRIVATE void hfm__linear_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__product p = hfm__linear_product(a);
  int64_t lda = 0;
  if (p.one_row) {
    hfm__run_one_row(a, &p, (const float *)a->in[0].data, chunk);
  } else if (hfm__rows_even(&a->in[0], &lda)) {
    hfm__run_product(a, &p, NULL, lda, chunk, worker);
  } else {
    hfm__run_product(a, &p, hfm__linear_gather, 0, chunk, worker);
  }
}

HFM__PRIVATE uint64_t hfm__linear_scratch(const hfm__op_args *a) {
  const hfm__product p = hfm__linear_product(a);
  int64_t lda;
  return hfm__product_scratch_bytes(a->cpu, &p, !hfm__rows_even(&a->in[0], &lda));
}

/* ---- conv2d: row = one output position, K = channels * kernel height * kernel width ---- */

HFM__PRIVATE hfm__product hfm__conv2d_product(const hfm__op_args *a) {
  const hfm__operand *weight = &a->in[1];
  hfm__product p;
  memset(&p, 0, sizeof p);
  p.m = hfm__rows(&a->out[0]);
  p.k = weight->shape[1] * weight->shape[2] * weight->shape[3];
  p.n = weight->shape[0];
  p.dtype = weight->dtype;
  hfm__plan_product(a->cpu, &p);
  return p;
}

HFM__PRIVATE int64_t hfm__conv2d_chunks(const hfm__op_args *a) {
  const hfm__product p = hfm__conv2d_product(a);
  hfm__panels_used(a->cpu, a->in[1].weight);
  return p.groups * p.row_blocks;
}

HFM__PRIVATE void hfm__conv2d_gather(const hfm__op_args *a, int64_t first, int64_t count, float *rows) {
  const hfm__operand *x = &a->in[0], *weight = &a->in[1], *out = &a->out[0];
  const int64_t channels = weight->shape[1], kh = weight->shape[2], kw = weight->shape[3];
  int64_t r, c, i, j;
  for (r = first; r < first + count; r++) {
    const int64_t ow = r % out->shape[2], oh = r / out->shape[2] % out->shape[1];
    const int64_t top = oh * a->attrs->stride[0] - a->attrs->padding[0];
    const int64_t left = ow * a->attrs->stride[1] - a->attrs->padding[1];
    const float *image = (const float *)x->data + r / out->shape[2] / out->shape[1] * x->stride[0];
    for (c = 0; c < channels; c++) {
      for (i = 0; i < kh; i++) {
        const int64_t y = top + i;
        if (y < 0 || y >= x->shape[2]) {
          memset(rows, 0, (size_t)kw * sizeof(float));
        } else if (left >= 0 && left + kw <= x->shape[3]) {
          memcpy(rows, image + c * x->stride[1] + y * x->stride[2] + left, (size_t)kw * sizeof(float));
        } else {
          for (j = 0; j < kw; j++)
            rows[j] = left + j < 0 || left + j >= x->shape[3] ? 0.0f
                                                              : image[c * x->stride[1] + y * x->stride[2] + left + j];
        }
        rows += kw;
      }
    }
  }
}

HFM__PRIVATE void hfm__conv2d_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__product p = hfm__conv2d_product(a);
  if (p.one_row) {
    float *row = (float *)(void *)(worker->scratch + hfm__aligned(sizeof(hfm__product_scratch)));
    hfm__conv2d_gather(a, 0, 1, row);
    hfm__run_one_row(a, &p, row, chunk);
  } else {
    hfm__run_product(a, &p, hfm__conv2d_gather, 0, chunk, worker);
  }
}

HFM__PRIVATE uint64_t hfm__conv2d_scratch(const hfm__op_args *a) {
  const hfm__product p = hfm__conv2d_product(a);
  return hfm__product_scratch_bytes(a->cpu, &p, 1);
}
