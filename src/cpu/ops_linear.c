/* ==== cpu/ops_linear (private): linear and conv2d ==================================================================
   Both are one product: rows of x (for conv2d: patches of the image) times panels of the weight. A chunk is some panels
   times some rows; the grid depends on the shapes alone. A worker keeps in its scratch the panel that it packed and the
   rows that it gathered, and finds them again if its next chunk needs them. */

enum { HFM__PANELS_AT_ONCE = 32768 /* floats */ };
/* With fewer outputs, packing x costs more than it saves; about so many floats of it, or BLOCK_ROWS rows, are packed at
   once: as long as a chunk may take. */
enum { HFM__PACKED_COLUMNS = 256, HFM__PACKED_FLOATS = 393216 };
enum { HFM__BLOCK_ROWS = 64 }; /* with fewer, a core waits for the panel, and then has it for nothing */

typedef struct hfm__product {
  int64_t m, n, k;
  int32_t dtype, transposed;
  int32_t in_pairs;                   /* dtype is f32, but its elements are pairs of bf16: k counts these */
  int32_t gathered;                   /* rows of x are made contiguous in scratch, block by block, */
  int32_t packed;                     /* or packed as the kernel would rather read them */
  int64_t panels, row_blocks, groups; /* of the grid: group of panels by block of rows */
  int64_t at_once;                    /* panels that are used together: what stays in the second-level cache */
  int64_t few_rows;                   /* of x, and the weight [N, K]: dot products, `groups` parts of its rows */
} hfm__product;

HFM__PRIVATE int hfm__product_in_pairs(const hfm__product *p) { return HFM__WITH_AVX512_BF16 && p->in_pairs; }

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
HFM__PRIVATE void hfm__widened(const hfm__cpu *cpu, const hfm__operand *x, int64_t first, int64_t n, float *out) {
  if (x->dtype == HFM_F32) memcpy(out, (const float *)x->data + first, (size_t)n * sizeof(float));
  else cpu->kernels->widen(x->dtype, (const uint16_t *)x->data + first, out, n);
}

/* How many pieces to cut work of `flops` and `bytes` of weights into: about 0.1 ms each, but 8 pieces of at least 20 us
   for what is small, so that several threads have something to share: an even number. */
HFM__PRIVATE int64_t hfm__pieces(double flops, int64_t bytes) {
  const int64_t us = 1 + (int64_t)(flops / 80000) + bytes / 20000;
  const int64_t pieces = HFM__MAX(us / 100, HFM__MIN(8, us / 20));
  return pieces > 1 ? pieces + pieces % 2 : pieces;
}

/* Are so many rows multiplied as one is? */
HFM__PRIVATE int hfm__few_rows(const hfm__cpu *cpu, int64_t m) { return m <= HFM__FEW_ROWS && !cpu->batch_invariant; }

/* How many rows are gathered at once at most. */
HFM__PRIVATE int64_t hfm__gathered_rows(const hfm__product *p) {
  int64_t rows = HFM__PIECE_ROWS;
  if (p->packed) rows = HFM__MIN(rows, HFM__MAX((int64_t)HFM__BLOCK_ROWS, HFM__PACKED_FLOATS / HFM__MAX(p->k, 1)));
  return HFM__MIN(rows, p->m);
}

HFM__PRIVATE void hfm__plan_product(const hfm__cpu *cpu, hfm__product *p) {
  const int64_t nr = cpu->kernels->nr, rows = HFM__MAX(hfm__gathered_rows(p), 1);
  const int64_t pieces =
      hfm__pieces(2.0 * (double)p->m * (double)(p->n * p->k), p->n * p->k * hfm__dtype_size(p->dtype));
  p->panels = (p->n + nr - 1) / nr;
  p->at_once = HFM__MAX(1, HFM__PANELS_AT_ONCE / (HFM__MAX(p->k, 1) * nr));
  p->few_rows = hfm__few_rows(cpu, p->m) && !p->transposed;
  if (p->few_rows) {
    p->groups = HFM__MAX(1, HFM__MIN(pieces, p->n / 4));
  } else { /* of as many panels each as can be: one of two panels among ones of one keeps the others waiting */
    const int64_t together = HFM__MAX(1, p->panels / HFM__MAX(pieces, 1));
    p->groups = HFM__MAX(1, (p->panels + together - 1) / together);
  }
  p->row_blocks = 1;
  if (p->gathered) p->row_blocks = (p->m + rows - 1) / rows;
  else if (!p->few_rows && pieces > p->panels)
    p->row_blocks = HFM__MAX(1, HFM__MIN(pieces / p->panels, p->m / HFM__BLOCK_ROWS));
  if (p->m == 0 || p->n == 0) p->groups = 0;
}

/* Neighbouring chunks share what is dearer to make: the gathered rows, or else the panels. */
HFM__PRIVATE void hfm__product_chunk(const hfm__product *p, int64_t chunk, int64_t *group, int64_t *block) {
  *group = p->gathered ? chunk % p->groups : chunk / p->row_blocks;
  *block = p->gathered ? chunk / p->groups : chunk % p->row_blocks;
}

/* The panel that this worker is likely to need after its chunk, for it to be fetched meanwhile; p->panels: none. */
HFM__PRIVATE int64_t hfm__product_later(const hfm__product *p, int64_t chunk, int64_t group,
                                        const hfm__worker *worker) {
  int64_t later, block;
  chunk += HFM__MAX(worker->stride, 1);
  if (chunk >= p->groups * p->row_blocks) return p->panels;
  hfm__product_chunk(p, chunk, &later, &block);
  return later == group ? p->panels : p->panels * later / p->groups;
}

/* Where a worker's scratch holds what. */
typedef struct hfm__product_scratch {
  int64_t panel, count; /* which panels are packed */
  int64_t block;        /* whose rows are gathered, or -1 */
} hfm__product_scratch;

/* Panels, then the bias as f32, then sums, then gathered rows. */
HFM__PRIVATE uint64_t hfm__product_panel_bytes(const hfm__cpu *cpu, const hfm__product *p) {
  return hfm__aligned((uint64_t)HFM__MAX(p->k * cpu->kernels->nr, (int64_t)HFM__PANELS_AT_ONCE) * sizeof(float));
}

/* Sums of a product that is deeper than one piece. */
HFM__PRIVATE uint64_t hfm__product_sums_bytes(const hfm__cpu *cpu, const hfm__product *p) {
  const int64_t rows = HFM__MIN(p->m, (int64_t)HFM__PIECE_ROWS), nr = cpu->kernels->nr;
  return p->k * nr > HFM__PIECE_FLOATS ? hfm__aligned((uint64_t)(rows * nr) * sizeof(float)) : 0;
}

HFM__PRIVATE uint64_t hfm__product_scratch_bytes(const hfm__cpu *cpu, const hfm__product *p) {
  const uint64_t rows = p->gathered ? (uint64_t)(hfm__gathered_rows(p) * p->k) * sizeof(float) : 0;
  return hfm__aligned(sizeof(hfm__product_scratch)) + hfm__product_panel_bytes(cpu, p) +
         hfm__aligned((uint64_t)p->n * sizeof(float)) + hfm__product_sums_bytes(cpu, p) + hfm__aligned(rows);
}

/* Rows first .. first + count - 1 of x, made contiguous. */
typedef void (*hfm__gather_fn)(const hfm__op_args *a, int64_t first, int64_t count, float *rows);

/* One panel into scratch: widened from its kept form, or packed from the weight. */
HFM__PRIVATE void hfm__unpack_panel(const hfm__op_args *a, const hfm__product *p, const void *kept, int64_t panel,
                                    float *to) {
  const int64_t nr = a->cpu->kernels->nr, n0 = panel * nr;
  hfm__pack job;
  if (kept) {
    a->cpu->kernels->widen(p->dtype, kept, to, nr * p->k);
    return;
  }
  job.weight = (const uint8_t *)a->in[1].data + n0 * (p->transposed ? 1 : p->k) * hfm__dtype_size(p->dtype);
  job.dtype = p->dtype;
  job.transposed = p->transposed;
  job.ld = p->transposed ? p->n : p->k;
  job.n = HFM__MIN(nr, p->n - n0);
  job.k = p->k;
  job.panel = to;
  job.apart = p->k * a->cpu->kernels->strip;
  a->cpu->kernels->pack(&job);
}

/* Panels [panel, end) of one origin, at most `at_once`, which g is given: kept ones where they lie, if the kernel takes
   them so, or all of them in scratch, where the kernel may put them itself. Returns the end. */
HFM__PRIVATE int64_t hfm__take_panels(const hfm__op_args *a, const hfm__product *p, int64_t panel, int64_t end,
                                      hfm__product_scratch *held, float *scratch, hfm__gemm *g) {
  const hfm__kernels *kernels = a->cpu->kernels;
  const int64_t size = kernels->nr * p->k, last = HFM__MIN(end, panel + p->at_once);
  const int narrow = HFM__READS_NARROW && kernels->narrow && p->dtype != HFM_F32 &&
                     p->packed == (kernels->pack_x != NULL) && g->ldr >= 0; /* not for row after row */
  const int in_place = p->dtype == HFM_F32 || (narrow && g->rows <= kernels->narrow);
  const void *first = NULL;
  int64_t i;
  for (i = panel; i < last; i++) {
    const void *kept = hfm__panel_kept(a->cpu, a->in[1].weight, a->in[1].data, p->transposed, i);
    const int there = panel == held->panel && i < panel + held->count; /* in scratch */
    const int taken = kept && (in_place || (narrow && !there));
    if (taken != (first != NULL) && i > panel) break;
    if (taken) {
      if (!first) first = kept;
    } else if (!there) {
      hfm__unpack_panel(a, p, kept, i, scratch + (i - panel) * size);
      held->panel = panel;
      held->count = i - panel + 1;
    }
  }
  g->panels = first ? first : scratch;
  g->narrow = first && narrow ? p->dtype : 0;
  g->wide = first && !in_place ? scratch : NULL;
  g->cold = first && in_place;
  if (g->wide) {
    held->panel = panel;
    held->count = i - panel;
  }
  return i;
}

/* in[1] is the weight, in[2] the bias, in[3] the residual. `gather` is NULL where x is read as it lies, at `lda`. */
HFM__PRIVATE void hfm__run_product(const hfm__op_args *a, const hfm__product *p, hfm__gather_fn gather, int64_t lda,
                                   int64_t chunk, hfm__worker *worker) {
  const hfm__cpu *cpu = a->cpu;
  const int64_t nr = cpu->kernels->nr;
  const hfm__operand *bias = &a->in[2], *residual = &a->in[3];
  void (*gemm)(const hfm__gemm *) = hfm__product_in_pairs(p) ? cpu->gemm_bf16 : cpu->kernels->gemm;
  hfm__product_scratch *held = (hfm__product_scratch *)(void *)worker->scratch;
  float *scratch = (float *)(void *)(worker->scratch + hfm__aligned(sizeof(hfm__product_scratch)));
  float *wide_bias = (float *)(void *)((uint8_t *)scratch + hfm__product_panel_bytes(cpu, p));
  float *sums = (float *)(void *)((uint8_t *)wide_bias + hfm__aligned((uint64_t)p->n * sizeof(float)));
  float *gathered = (float *)(void *)((uint8_t *)sums + hfm__product_sums_bytes(cpu, p));
  const uint64_t begun = hfm__panels_wanting(cpu, a->in[1].weight) ? hfm__clock_ns() : 0;
  int64_t group, block, row0, rows, panel, panel1, end, next, later, ldr = 0, r;
  hfm__gemm g;
  memset(&g, 0, sizeof g);
  hfm__product_chunk(p, chunk, &group, &block);
  row0 = p->m * block / p->row_blocks;
  rows = p->m * (block + 1) / p->row_blocks - row0;
  panel1 = p->panels * (group + 1) / p->groups;
  later = hfm__product_later(p, chunk, group, worker);
  if (worker->tag != a->serial) {
    worker->tag = a->serial;
    held->panel = held->count = 0;
    held->block = -1;
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
    g.packed = p->packed;
  }
  if (residual->data && !hfm__rows_even(residual, &ldr)) ldr = -1;
  g.ldr = ldr;
  g.ldo = p->n;
  g.activation = a->attrs->activation;
  g.sums = sums;
  for (panel = p->panels * group / p->groups; panel < panel1; panel = end) {
    const int64_t n0 = panel * nr;
    hfm__gemm part = g;
    hfm__trial *trial;
    uint64_t tried = 0;
    end = hfm__take_panels(a, p, panel, panel1, held, scratch, &part);
    part.n = HFM__MIN(end * nr, p->n) - n0;
    trial = part.cold && rows <= HFM__STRIPS_ROWS && !HFM__SMALL ? &cpu->packing->in_order[p->dtype != HFM_F32] : NULL;
    if (trial) {
      part.in_order = hfm__trial_way(trial, 2, hfm__trial_turn(trial));
      tried = hfm__trial_begin(trial);
    }
    part.out = (float *)a->out[0].data + row0 * p->n + n0;
    if (bias->data && bias->dtype == HFM_F32) part.bias = (const float *)bias->data + n0;
    if (bias->data && bias->dtype != HFM_F32) {
      cpu->kernels->widen(bias->dtype, (const uint16_t *)bias->data + n0, wide_bias, part.n);
      part.bias = wide_bias;
    }
    part.next = part.panels; /* 0 bytes of it */
    next = end < panel1 ? end : later;
    if (next < p->panels) {
      const int64_t ahead = HFM__MIN(next + (end - panel), p->panels) - next, size = hfm__dtype_size(p->dtype);
      const void *kept = hfm__panel_ready(cpu, a->in[1].weight, p->transposed, next);
      const int raw = !kept && !p->transposed;
      if (raw) part.next = (const uint8_t *)a->in[1].data + next * nr * p->k * size;
      else if (kept) part.next = kept;
      if (part.next != part.panels)
        part.next_bytes = (raw ? HFM__MIN(ahead * nr, p->n - next * nr) : ahead * nr) * p->k * size;
    }
    if (residual->data && ldr < 0) {
      part.rows = 1;
      for (r = 0; r < rows; r++) {
        part.residual = (const float *)residual->data + hfm__row_offset(residual, row0 + r) + n0;
        gemm(&part);
        part.a += g.lda;
        part.out += p->n;
      }
    } else {
      if (residual->data) part.residual = (const float *)residual->data + row0 * ldr + n0;
      gemm(&part);
    }
    if (trial) hfm__trial_end(trial, 2, part.in_order, tried, part.n * p->k * hfm__dtype_size(p->dtype));
  }
  if (begun) hfm__panels_earn(cpu, hfm__clock_ns() - begun);
}

/* activation(out + bias) + residual for outputs first .. first + n - 1 of each row. */
HFM__PRIVATE void hfm__finish_few_rows(const hfm__op_args *a, const hfm__product *p, int64_t first, int64_t n) {
  float bias[HFM__MAX_NR];
  int64_t r, i;
  for (r = 0; r < p->m; r++) {
    float *out = (float *)a->out[0].data + r * p->n + first;
    for (i = 0; i < n && a->in[2].data; i += HFM__MAX_NR) {
      const int64_t part = HFM__MIN((int64_t)HFM__MAX_NR, n - i);
      hfm__widened(a->cpu, &a->in[2], first + i, part, bias);
      a->cpu->kernels->add(out + i, bias, 0, out + i, part);
    }
    if (a->attrs->activation) a->cpu->kernels->unary(a->attrs->activation, out, out, n);
    if (a->in[3].data)
      a->cpu->kernels->add(out, (const float *)a->in[3].data + hfm__row_offset(&a->in[3], r) + first, 0, out, n);
  }
}

/* Few rows: the weight's rows as they lie. A chunk takes its part of each quarter of them, or half, so that chunks that
   follow each other continue the same streams; the last one takes the up to three rows that are over, too. */
HFM__PRIVATE void hfm__run_few_rows(const hfm__op_args *a, const hfm__product *p, const float *const *rows,
                                    int64_t chunk) {
  const int one = p->m == 1 && !HFM__SMALL, narrow = p->dtype != HFM_F32;
  const int32_t way = one ? a->one_row[narrow] : HFM__ROW_FETCHED; /* for several rows of x it always pays */
  const int32_t streams = way == HFM__ROW_OF_TWO ? 2 : 4;
  const int64_t part = p->n / streams, first = part * chunk / p->groups, row_bytes = p->k * hfm__dtype_size(p->dtype);
  const int is_sample = one && chunk == p->groups / 2; /* of a node, whose chunks have good or bad luck together */
  hfm__trial *trial = is_sample && a->cpu->packing ? &a->cpu->packing->one_row[narrow] : NULL;
  const uint64_t begun = trial ? hfm__trial_begin(trial) : 0;
  int64_t i;
  hfm__gemv g;
  g.rows = part * (chunk + 1) / p->groups - first;
  g.k = p->k;
  g.apart = part;
  g.streams = streams;
  g.m = p->m;
  for (i = 0; i < p->m; i++) g.x[i] = rows[i];
  g.weight = (const uint8_t *)a->in[1].data + first * row_bytes;
  g.dtype = p->dtype;
  g.fetch = 0;
  if (way == HFM__ROW_FETCHED) g.fetch = narrow ? HFM__FETCH_NARROW_ROWS : HFM__FETCH_ROWS;
  if (way == HFM__ROW_OF_TWO) g.fetch = HFM__FETCH_OF_TWO;
  g.out = (float *)a->out[0].data + first;
  g.ldo = p->n;
  a->cpu->kernels->gemv(&g);
  if (trial) hfm__trial_end(trial, hfm__row_ways(narrow), way, begun, streams * g.rows * row_bytes);
  for (i = 0; i < streams; i++) hfm__finish_few_rows(a, p, i * part + first, g.rows);
  if (chunk + 1 < p->groups) return;
  g.rows = p->n - streams * part;
  g.apart = 0;
  g.weight = (const uint8_t *)a->in[1].data + streams * part * row_bytes;
  g.out = (float *)a->out[0].data + streams * part;
  a->cpu->kernels->gemv(&g);
  hfm__finish_few_rows(a, p, streams * part, g.rows);
}

/* ---- linear ---- */

HFM__PRIVATE hfm__product hfm__linear_product(const hfm__op_args *a, int64_t *lda) {
  hfm__product p;
  int64_t ldr;
  int even;
  memset(&p, 0, sizeof p);
  p.m = hfm__rows(&a->in[0]);
  p.k = a->in[0].shape[a->in[0].rank - 1];
  p.n = a->out[0].shape[a->out[0].rank - 1];
  p.dtype = a->in[1].dtype;
  p.transposed = a->attrs->transposed;
  p.in_pairs = !hfm__few_rows(a->cpu, p.m) && hfm__in_pairs(a->cpu, p.dtype, p.transposed, p.k);
  if (p.in_pairs) {
    p.dtype = HFM_F32;
    p.k /= 2;
  }
  even = hfm__rows_even(&a->in[0], lda);
  p.packed = HFM__PACKS_X && a->cpu->kernels->pack_x && even && p.n >= HFM__PACKED_COLUMNS && p.m > HFM__FEW_ROWS &&
             (!a->in[3].data || hfm__rows_even(&a->in[3], &ldr));
  p.gathered = p.in_pairs || p.packed || !even;
  hfm__plan_product(a->cpu, &p);
  return p;
}

HFM__PRIVATE int64_t hfm__linear_chunks(const hfm__op_args *a) {
  int64_t lda;
  const hfm__product p = hfm__linear_product(a, &lda);
  if (!p.few_rows) hfm__panels_used(a->cpu, a->in[1].weight);
  return p.groups * p.row_blocks;
}

HFM__PRIVATE void hfm__linear_gather(const hfm__op_args *a, int64_t first, int64_t count, float *rows) {
  const int64_t k = a->in[0].shape[a->in[0].rank - 1];
  int64_t r;
  for (r = 0; r < count; r++)
    memcpy(rows + r * k, (const float *)a->in[0].data + hfm__row_offset(&a->in[0], first + r),
           (size_t)k * sizeof(float));
}

/* The same, rounded to pairs of bf16. */
HFM__PRIVATE void hfm__linear_gather_pairs(const hfm__op_args *a, int64_t first, int64_t count, float *rows) {
  const int64_t k = a->in[0].shape[a->in[0].rank - 1];
  int64_t r;
  for (r = 0; r < count; r++)
    a->cpu->kernels->narrow_bf16((const float *)a->in[0].data + hfm__row_offset(&a->in[0], first + r),
                                 rows + r * (k / 2), k);
}

/* The same, packed: rows are even. */
HFM__PRIVATE void hfm__linear_pack_x(const hfm__op_args *a, int64_t first, int64_t count, float *rows) {
  const hfm__operand *x = &a->in[0];
  int64_t ld = 0;
  (void)hfm__rows_even(x, &ld);
  a->cpu->kernels->pack_x(count, x->shape[x->rank - 1], (const float *)x->data + first * ld, ld, rows);
}

HFM__PRIVATE void hfm__linear_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  int64_t lda;
  const hfm__product p = hfm__linear_product(a, &lda);
  if (p.few_rows) {
    const float *rows[HFM__FEW_ROWS];
    int64_t r;
    for (r = 0; r < p.m; r++) rows[r] = (const float *)a->in[0].data + hfm__row_offset(&a->in[0], r);
    hfm__run_few_rows(a, &p, rows, chunk);
  } else {
    const hfm__gather_fn gather = hfm__product_in_pairs(&p)  ? hfm__linear_gather_pairs
                                  : HFM__PACKS_X && p.packed ? hfm__linear_pack_x
                                                             : hfm__linear_gather;
    hfm__run_product(a, &p, p.gathered ? gather : NULL, lda, chunk, worker);
  }
}

HFM__PRIVATE uint64_t hfm__linear_scratch(const hfm__op_args *a) {
  int64_t lda;
  const hfm__product p = hfm__linear_product(a, &lda);
  return hfm__product_scratch_bytes(a->cpu, &p);
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
  p.gathered = 1;
  hfm__plan_product(a->cpu, &p);
  return p;
}

HFM__PRIVATE int64_t hfm__conv2d_chunks(const hfm__op_args *a) {
  const hfm__product p = hfm__conv2d_product(a);
  if (!p.few_rows) hfm__panels_used(a->cpu, a->in[1].weight);
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
  if (p.few_rows) {
    float *gathered = (float *)(void *)(worker->scratch + hfm__aligned(sizeof(hfm__product_scratch)));
    const float *rows[HFM__FEW_ROWS];
    int64_t r;
    for (r = 0; r < p.m; r++) rows[r] = gathered + r * p.k;
    hfm__conv2d_gather(a, 0, p.m, gathered);
    hfm__run_few_rows(a, &p, rows, chunk);
  } else {
    hfm__run_product(a, &p, hfm__conv2d_gather, 0, chunk, worker);
  }
}

HFM__PRIVATE uint64_t hfm__conv2d_scratch(const hfm__op_args *a) {
  const hfm__product p = hfm__conv2d_product(a);
  return hfm__product_scratch_bytes(a->cpu, &p);
}
