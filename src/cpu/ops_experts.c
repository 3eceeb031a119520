/* ==== cpu/ops_experts (private): mixture of experts ===============================================================
   Routing, the products with the chosen experts' weights, and the sum of what they say. A pair is a token and one of
   its choices. Nothing of an expert that nobody chose is read. */

/* ---- top_k: a chunk is some rows ---- */

HFM__PRIVATE int64_t hfm__top_k_step(const hfm__op_args *a) {
  return hfm__row_step(hfm__width(&a->in[0]) * (a->attrs->count + 1));
}

HFM__PRIVATE int64_t hfm__top_k_chunks(const hfm__op_args *a) {
  const int64_t step = hfm__top_k_step(a);
  return (hfm__rows(&a->in[0]) + step - 1) / step;
}

/* The probabilities of a row, then a mark for each that is taken. */
HFM__PRIVATE uint64_t hfm__top_k_scratch(const hfm__op_args *a) {
  const uint64_t n = (uint64_t)hfm__width(&a->in[0]);
  return hfm__aligned(n * sizeof(float)) + hfm__aligned(n);
}

/* Even where everything is NaN the choices are different and exist. */
HFM__PRIVATE void hfm__top_k_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const int64_t n = hfm__width(&a->in[0]), count = a->attrs->count, step = hfm__top_k_step(a);
  const int64_t end = HFM__MIN((chunk + 1) * step, hfm__rows(&a->in[0]));
  float *p = (float *)(void *)worker->scratch;
  uint8_t *taken = worker->scratch + hfm__aligned((uint64_t)n * sizeof(float));
  int64_t r, i, j;
  for (r = chunk * step; r < end; r++) {
    float *out = (float *)a->out[0].data + r * count, sum = 0;
    int64_t *chosen = (int64_t *)a->out[1].data + r * count;
    a->cpu->kernels->softmax(hfm__row(&a->in[0], r), p, n);
    memset(taken, 0, (size_t)n);
    for (j = 0; j < count; j++) {
      int64_t best = -1;
      for (i = 0; i < n; i++)
        if (!taken[i] && (best < 0 || p[i] > p[best])) best = i;
      taken[best] = 1;
      chosen[j] = best;
      out[j] = p[best];
      sum += p[best];
    }
    for (j = 0; j < count && a->attrs->normalized; j++) out[j] /= sum;
  }
}

/* ---- experts ----
   The pairs are sorted by their expert and cut into blocks of rows; a chunk is one block times some panels of every
   weight that the block needs, so the grid depends on the shapes alone, and a panel is packed for many rows. The bits
   of a pair depend on no other: one chain of multiply-adds in the order of K. Only where there is a single token, the
   weights' rows are read as they lie, as linear does. No packed panels are kept: they would be of all experts, and a
   token needs few. */

enum { HFM__EXPERT_ROWS = 256, HFM__EXPERT_COLUMNS = 512 }; /* of a block; of panels that are used together, about */

typedef struct hfm__experts_plan {
  int64_t tokens, slots, pairs, experts, k;
  int64_t parts, rows;    /* pieces of each expert's weight, and rows in each */
  int64_t panels;         /* of a piece */
  int64_t blocks, groups; /* of pairs; of panels (a single token: of rows) */
  int64_t at_once;        /* panels that are used together */
  int64_t depth;          /* K in the units of the product */
  int32_t dtype, in_pairs, one_row;
} hfm__experts_plan;

HFM__PRIVATE hfm__experts_plan hfm__plan_experts(const hfm__op_args *a) {
  const hfm__operand *chosen = &a->in[1], *weight = &a->in[2];
  const int64_t nr = a->cpu->kernels->nr;
  hfm__experts_plan p;
  int64_t pieces, hit;
  memset(&p, 0, sizeof p);
  p.tokens = hfm__rows(chosen);
  p.slots = hfm__width(chosen);
  p.pairs = p.tokens * p.slots;
  p.experts = weight->shape[0];
  p.k = weight->shape[2];
  p.parts = a->attrs->parts;
  p.rows = weight->shape[1] / p.parts;
  p.dtype = weight->dtype;
  p.one_row = p.tokens == 1 && !a->cpu->batch_invariant;
  p.in_pairs = !p.one_row && hfm__in_pairs(a->cpu, p.dtype, 0, p.k);
  p.depth = p.in_pairs ? p.k / 2 : p.k;
  p.panels = (p.rows + nr - 1) / nr;
  p.at_once = HFM__MAX(1, HFM__MIN(HFM__PANELS_AT_ONCE / HFM__MAX(p.depth * nr, 1), HFM__EXPERT_COLUMNS / nr));
  p.blocks = (p.pairs + HFM__EXPERT_ROWS - 1) / HFM__EXPERT_ROWS;
  hit = HFM__MIN(p.pairs, p.experts);
  pieces = hfm__pieces(2.0 * (double)p.pairs * (double)(p.parts * p.rows * p.k),
                       hit * p.parts * p.rows * p.k * hfm__dtype_size(p.dtype));
  if (p.one_row) {
    const int64_t matrices = HFM__MAX(p.slots * p.parts, 1);
    p.groups = HFM__MAX(1, HFM__MIN((pieces + matrices - 1) / matrices, p.rows / 4));
  } else {
    p.groups = HFM__MAX(1, HFM__MIN(pieces / HFM__MAX(p.blocks, 1), p.parts * p.panels));
  }
  if (p.rows == 0) p.groups = 0;
  return p;
}

HFM__PRIVATE int64_t hfm__experts_chunks(const hfm__op_args *a) {
  const hfm__experts_plan p = hfm__plan_experts(a);
  return p.groups * (p.one_row ? p.slots * p.parts : p.blocks);
}

/* Where a worker's scratch holds what, from its beginning. */
typedef struct hfm__experts_room {
  int64_t *block; /* whose rows are gathered, or -1 */
  int64_t *order; /* the pairs, sorted by their expert */
  int64_t *starts;
  float *rows, *panels, *sums, *out;
  uint64_t bytes;
} hfm__experts_room;

HFM__PRIVATE void *hfm__experts_take(uint8_t *base, uint64_t *bytes, uint64_t more) {
  uint8_t *at = base ? base + *bytes : NULL;
  *bytes += hfm__aligned(more);
  return at;
}

HFM__PRIVATE hfm__experts_room hfm__experts_layout(const hfm__op_args *a, const hfm__experts_plan *p, uint8_t *base) {
  const uint64_t nr = (uint64_t)a->cpu->kernels->nr, rows = (uint64_t)HFM__MIN(p->pairs, (int64_t)HFM__EXPERT_ROWS);
  const uint64_t columns = (uint64_t)p->at_once * nr, depth = (uint64_t)p->depth;
  hfm__experts_room s;
  memset(&s, 0, sizeof s);
  s.block = (int64_t *)hfm__experts_take(base, &s.bytes, sizeof(int64_t));
  s.order = (int64_t *)hfm__experts_take(base, &s.bytes, (uint64_t)p->pairs * sizeof(int64_t));
  s.starts = (int64_t *)hfm__experts_take(base, &s.bytes, (uint64_t)(p->experts + 1) * sizeof(int64_t));
  s.rows = (float *)hfm__experts_take(base, &s.bytes, rows * depth * sizeof(float));
  s.panels = (float *)hfm__experts_take(base, &s.bytes, columns * depth * sizeof(float));
  s.sums = (float *)hfm__experts_take(base, &s.bytes, depth * nr > HFM__PIECE_FLOATS ? rows * nr * sizeof(float) : 0);
  s.out = (float *)hfm__experts_take(base, &s.bytes, rows * columns * sizeof(float));
  return s;
}

HFM__PRIVATE uint64_t hfm__experts_scratch(const hfm__op_args *a) {
  const hfm__experts_plan p = hfm__plan_experts(a);
  return p.one_row ? 0 : hfm__experts_layout(a, &p, NULL).bytes;
}

/* The row of x that a pair multiplies. */
HFM__PRIVATE const float *hfm__expert_input(const hfm__op_args *a, const hfm__experts_plan *p, int64_t pair) {
  return hfm__row(&a->in[0], a->in[0].rank == a->in[1].rank ? pair / p->slots : pair);
}

HFM__PRIVATE const uint8_t *hfm__expert_piece(const hfm__op_args *a, const hfm__experts_plan *p, int64_t pair,
                                              int64_t part) {
  const int64_t expert = ((const int64_t *)a->in[1].data)[pair];
  HFMODEL_ASSERT(expert >= 0 && expert < p->experts);
  return ((const uint8_t *const *)a->in[2].data)[expert * p->parts + part];
}

/* Stable: pairs of one expert stay in order. */
HFM__PRIVATE void hfm__experts_sort(const hfm__op_args *a, const hfm__experts_plan *p, const hfm__experts_room *s) {
  const int64_t *chosen = (const int64_t *)a->in[1].data;
  int64_t i;
  memset(s->starts, 0, (size_t)(p->experts + 1) * sizeof *s->starts);
  for (i = 0; i < p->pairs; i++) s->starts[chosen[i] + 1]++;
  for (i = 0; i < p->experts; i++) s->starts[i + 1] += s->starts[i];
  for (i = 0; i < p->pairs; i++) s->order[s->starts[chosen[i]]++] = i;
}

HFM__PRIVATE void hfm__experts_gather(const hfm__op_args *a, const hfm__experts_plan *p, const hfm__experts_room *s,
                                      int64_t first, int64_t count) {
  int64_t r;
  for (r = 0; r < count; r++) {
    const float *x = hfm__expert_input(a, p, s->order[first + r]);
    if (p->in_pairs) a->cpu->kernels->narrow_bf16(x, s->rows + r * p->depth, p->k);
    else memcpy(s->rows + r * p->depth, x, (size_t)p->k * sizeof(float));
  }
}

/* Some rows of the block, all of one expert, times panels [panel, end) of one of its pieces. */
HFM__PRIVATE void hfm__experts_product(const hfm__op_args *a, const hfm__experts_plan *p, const hfm__experts_room *s,
                                       const int64_t *pairs, const float *rows, int64_t count, int64_t part,
                                       int64_t panel, int64_t end) {
  const hfm__kernels *kernels = a->cpu->kernels;
  const int64_t nr = kernels->nr, size = p->k * hfm__dtype_size(p->dtype), n = p->parts * p->rows;
  const uint8_t *piece = hfm__expert_piece(a, p, pairs[0], part);
  const int64_t first = panel * nr, last = HFM__MIN(end * nr, p->rows);
  int64_t i, r;
  hfm__pack job;
  hfm__gemm g;
  job.dtype = p->in_pairs ? HFM_F32 : p->dtype;
  job.transposed = 0;
  job.ld = job.k = p->depth;
  job.apart = p->depth * kernels->strip;
  for (i = first; i < last; i += nr) {
    job.weight = piece + i * size;
    job.n = HFM__MIN(nr, last - i);
    job.panel = s->panels + (i - first) * p->depth;
    kernels->pack(&job);
  }
  memset(&g, 0, sizeof g);
  g.rows = count;
  g.n = last - first;
  g.k = g.lda = p->depth;
  g.a = rows;
  g.panels = s->panels;
  g.out = s->out;
  g.ldo = g.n;
  g.sums = s->sums;
  g.next = piece + last * size;
  g.next_bytes = (HFM__MIN(last + (last - first), p->rows) - last) * size;
  if (!g.next_bytes) g.next = g.panels;
  if (p->in_pairs) a->cpu->gemm_bf16(&g);
  else kernels->gemm(&g);
  for (r = 0; r < count; r++)
    memcpy((float *)a->out[0].data + pairs[r] * n + part * p->rows + first, s->out + r * g.n,
           (size_t)g.n * sizeof(float));
}

HFM__PRIVATE void hfm__experts_run_block(const hfm__op_args *a, const hfm__experts_plan *p, int64_t chunk,
                                         hfm__worker *worker) {
  const hfm__experts_room s = hfm__experts_layout(a, p, worker->scratch);
  const int64_t *chosen = (const int64_t *)a->in[1].data;
  const int64_t block = chunk / p->groups, group = chunk % p->groups;
  const int64_t row0 = block * HFM__EXPERT_ROWS, rows = HFM__MIN(p->pairs - row0, (int64_t)HFM__EXPERT_ROWS);
  const int64_t end = p->parts * p->panels * (group + 1) / p->groups;
  int64_t first, last, panel, next;
  if (worker->tag != a->serial) {
    worker->tag = a->serial;
    hfm__experts_sort(a, p, &s);
    *s.block = -1;
  }
  if (*s.block != block) hfm__experts_gather(a, p, &s, row0, rows);
  *s.block = block;
  for (first = 0; first < rows; first = last) {
    const int64_t *pairs = s.order + row0 + first;
    for (last = first + 1; last < rows && chosen[s.order[row0 + last]] == chosen[pairs[0]];) last++;
    for (panel = p->parts * p->panels * group / p->groups; panel < end; panel = next) {
      const int64_t part = panel / p->panels, piece_end = HFM__MIN(end, (part + 1) * p->panels);
      next = HFM__MIN(panel + p->at_once, piece_end);
      hfm__experts_product(a, p, &s, pairs, s.rows + first * p->depth, last - first, part, panel - part * p->panels,
                           next - part * p->panels);
    }
  }
}

/* A single token: each of its choices' pieces is a product of one row, as linear has it. */
HFM__PRIVATE void hfm__experts_run_token(const hfm__op_args *a, const hfm__experts_plan *p, int64_t chunk) {
  const int64_t matrix = chunk / p->groups, slot = matrix / p->parts, part = matrix % p->parts;
  hfm__op_args linear = *a;
  hfm__product product;
  const float *row;
  memset(&product, 0, sizeof product);
  product.m = 1;
  product.n = p->rows;
  product.k = p->k;
  product.dtype = p->dtype;
  product.groups = p->groups;
  linear.in[1].data = (void *)(uintptr_t)hfm__expert_piece(a, p, slot, part);
  linear.in[2].data = linear.in[3].data = NULL;
  linear.out[0].data = (float *)a->out[0].data + matrix * p->rows;
  row = hfm__expert_input(a, p, slot);
  hfm__run_few_rows(&linear, &product, &row, chunk % p->groups);
}

HFM__PRIVATE void hfm__experts_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__experts_plan p = hfm__plan_experts(a);
  if (p.one_row) hfm__experts_run_token(a, &p, chunk);
  else hfm__experts_run_block(a, &p, chunk, worker);
}

/* ---- weighted_sum: in the order of the choices ---- */

HFM__PRIVATE uint64_t hfm__weighted_sum_scratch(const hfm__op_args *a) {
  return hfm__aligned((uint64_t)hfm__width(&a->in[0]) * sizeof(float));
}

HFM__PRIVATE void hfm__weighted_sum_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__kernels *kernels = a->cpu->kernels;
  const int64_t n = hfm__width(&a->in[0]), slots = hfm__width(&a->in[1]);
  float *term = (float *)(void *)worker->scratch;
  int64_t r, end, s;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++) {
    const float *weights = hfm__row(&a->in[1], r);
    float *out = (float *)a->out[0].data + r * n;
    kernels->mul(hfm__row(&a->in[0], r * slots), weights, 1, out, n);
    for (s = 1; s < slots; s++) {
      kernels->mul(hfm__row(&a->in[0], r * slots + s), weights + s, 1, term, n);
      kernels->add(out, term, 0, out, n);
    }
  }
}
