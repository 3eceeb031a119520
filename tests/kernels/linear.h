/* linear and conv2d on every tier: against sums in double, and the promise that an output's bits depend on nothing but
   the operation, K, the weight's type, the tier, and whether M is more than FEW_ROWS. */

typedef struct linear_case {
  int64_t m, n, k;
  int64_t between; /* floats between rows of x */
  int32_t dtype, transposed, activation, with_bias, with_residual;
} linear_case;

typedef struct linear_data {
  guarded x, weight, bias, residual, out;
  float *exact_weight; /* [n][k], what the stored weight means */
} linear_data;

static linear_data make_linear(const linear_case *c, int at_start) {
  const size_t element = c->dtype == HFM_F32 ? 4 : 2;
  linear_data d;
  int64_t n, k;
  d.x = guarded_alloc((size_t)(c->m * (c->k + c->between)) * 4, at_start);
  d.weight = guarded_alloc((size_t)(c->n * c->k) * element, at_start);
  d.bias = guarded_alloc((size_t)c->n * element, at_start);
  d.residual = guarded_alloc((size_t)(c->m * c->n) * 4, at_start);
  d.out = guarded_alloc((size_t)(c->m * c->n) * 4, at_start);
  d.exact_weight = (float *)malloc((size_t)(c->n * c->k) * 4 + 4);
  random_fill((float *)d.x.data, c->m * (c->k + c->between));
  random_fill((float *)d.residual.data, c->m * c->n);
  random_fill(d.exact_weight, c->n * c->k);
  for (n = 0; n < c->n; n++) {
    const float bias = random_float();
    if (c->dtype == HFM_F32) ((float *)d.bias.data)[n] = bias;
    else ((uint16_t *)d.bias.data)[n] = narrow(c->dtype, bias);
    for (k = 0; k < c->k; k++) {
      float *exact = &d.exact_weight[n * c->k + k];
      const int64_t at = c->transposed ? k * c->n + n : n * c->k + k;
      if (c->dtype == HFM_F32) {
        ((float *)d.weight.data)[at] = *exact;
      } else {
        const uint16_t h = narrow(c->dtype, *exact);
        ((uint16_t *)d.weight.data)[at] = h;
        *exact = wide(c->dtype, h);
      }
    }
  }
  return d;
}

static void free_linear(linear_data *d) {
  guarded_free(&d->x);
  guarded_free(&d->weight);
  guarded_free(&d->bias);
  guarded_free(&d->residual);
  guarded_free(&d->out);
  free(d->exact_weight);
}

static void run_linear(const hfm__cpu *cpu, const linear_case *c, const linear_data *d, int32_t threads,
                       hfm__weight *weight, float *out) {
  hfm__op_args a;
  hfm__attrs attrs;
  memset(&a, 0, sizeof a);
  memset(&attrs, 0, sizeof attrs);
  attrs.activation = c->activation;
  attrs.transposed = c->transposed;
  a.cpu = cpu;
  a.attrs = &attrs;
  a.in[0] = operand(d->x.data, HFM_F32, 2, c->m, c->k, 0, 0);
  a.in[0].stride[0] += c->between;
  a.in[1] = c->transposed ? operand(d->weight.data, c->dtype, 2, c->k, c->n, 0, 0)
                          : operand(d->weight.data, c->dtype, 2, c->n, c->k, 0, 0);
  a.in[1].weight = weight;
  if (c->with_bias) a.in[2] = operand(d->bias.data, c->dtype, 1, c->n, 0, 0, 0);
  if (c->with_residual) a.in[3] = operand(d->residual.data, HFM_F32, 2, c->m, c->n, 0, 0);
  a.out[0] = operand(out, HFM_F32, 2, c->m, c->n, 0, 0);
  run_op(HFM__OP_linear, &a, threads);
}

static double reference_activation(int32_t activation, double x) {
  switch (activation) {
    case HFM__ACT_gelu: return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    case HFM__ACT_relu: return x > 0 ? x : 0;
    case HFM__ACT_silu: return x / (1 + exp(-x));
    default: return x;
  }
}

/* To the nearest bf16, ties to even, in another way than the library: by the remainder. */
static double rounded_bf16(float x) {
  const float below = wide(HFM_BF16, narrow(HFM_BF16, x)), above = wide(HFM_BF16, (uint16_t)(narrow(HFM_BF16, x) + 1));
  const double down = fabs((double)x - (double)below), up = fabs((double)above - (double)x);
  if (down == up) return narrow(HFM_BF16, x) % 2 ? (double)above : (double)below;
  return down < up ? (double)below : (double)above;
}

/* |error| <= (K + 8) * 2^-24 * sum |x w|, and a little for what follows. */
static void check_linear(const hfm__cpu *cpu, const linear_case *c, int at_start) {
  if (!check_turn()) return;
  linear_data d = make_linear(c, at_start);
  const int pairs = c->m > HFM__FEW_ROWS && hfm__in_pairs(cpu, c->dtype, c->transposed, c->k);
  int64_t m, n, k, bad = 0;
  double worst = 0;
  run_linear(cpu, c, &d, 1, NULL, (float *)d.out.data);
  for (m = 0; m < c->m; m++) {
    for (n = 0; n < c->n; n++) {
      double sum = 0, size = 0, off;
      for (k = 0; k < c->k; k++) {
        const float x = ((float *)d.x.data)[m * (c->k + c->between) + k];
        const double product = (pairs ? rounded_bf16(x) : (double)x) * (double)d.exact_weight[n * c->k + k];
        sum += product;
        size += fabs(product);
      }
      if (c->with_bias)
        sum += c->dtype == HFM_F32 ? (double)((float *)d.bias.data)[n]
                                   : (double)wide(c->dtype, ((uint16_t *)d.bias.data)[n]);
      sum = reference_activation(c->activation, sum);
      if (c->with_residual) sum += (double)((float *)d.residual.data)[m * c->n + n];
      off = fabs(sum - (double)((float *)d.out.data)[m * c->n + n]);
      if (!(off <= (double)(c->k + 8) * 5.96e-8 * (size + 1.0) + 1e-6)) bad++;
      if (!(off <= worst)) worst = off;
    }
  }
  if (!CHECK_INT(bad, 0))
    printf("    %s dtype %d transposed %d M %d N %d K %d: off by %g\n", cpu->name, (int)c->dtype, (int)c->transposed,
           (int)c->m, (int)c->n, (int)c->k, worst);
  free_linear(&d);
}

static void linear_shapes(const hfm__cpu *cpu) {
  const int64_t nr = cpu->kernels->nr, mr = cpu->kernels->mr;
  const int64_t ms[] = {1, 2, 3, 4, mr - 1, mr, mr + 1, 3 * mr + 2}, ns[] = {1, 3, nr - 1, nr, nr + 1, 2 * nr + 5};
  const int64_t ks[] = {1, 2, 7, 16, 31, 33, 130};
  linear_case c;
  size_t i, j, l, t;
  memset(&c, 0, sizeof c);
  for (t = 0; t < HFM__COUNT(weight_types); t++) {
    for (c.transposed = 0; c.transposed < 2; c.transposed++) {
      for (i = 0; i < HFM__COUNT(ms); i++) {
        for (j = 0; j < HFM__COUNT(ns); j++) {
          for (l = 0; l < HFM__COUNT(ks); l++) {
            const size_t mix = i + j + l;
            c.dtype = weight_types[t];
            c.m = ms[i];
            c.n = ns[j];
            c.k = ks[l];
            c.with_bias = mix % 2 == 0;
            c.with_residual = mix % 3 == 0;
            c.activation = mix % 4 == 0 ? HFM__ACT_gelu : mix % 4 == 1 ? HFM__ACT_silu : HFM__ACT_none;
            check_linear(cpu, &c, mix % 5 == 0);
          }
        }
      }
    }
  }
}

/* So many outputs that rows of x are packed where the tier would rather read them so: in steps of any size, ending
   anywhere in a vector along K, and more of them than are gathered at once. */
static void linear_many_outputs(const hfm__cpu *cpu) {
  const int64_t nr = cpu->kernels->nr, mr = cpu->kernels->mr;
  const int64_t ms[] = {HFM__FEW_ROWS + 1, mr + 1, 2 * mr + 3, 4 * mr, HFM__PIECE_ROWS + 3};
  const int64_t ks[] = {1, 2, 5, 7, 8, 9, 15, 16, 17, 35};
  linear_case c;
  size_t i, j;
  memset(&c, 0, sizeof c);
  for (i = 0; i < HFM__COUNT(ms); i++) {
    for (j = 0; j < HFM__COUNT(ks); j++) {
      c.m = ms[i];
      c.n = HFM__PACKED_COLUMNS + (j % 2 ? nr / 2 + 1 : 0);
      c.k = ks[j];
      c.between = j % 3;
      c.dtype = weight_types[(i + j) % HFM__COUNT(weight_types)];
      c.with_bias = j % 2 == 0;
      c.with_residual = j % 3 == 0;
      c.activation = j % 4 == 0 ? HFM__ACT_relu : HFM__ACT_none;
      check_linear(cpu, &c, i % 2 == 0);
    }
  }
}

/* K so deep that a panel is taken in pieces, with more rows than one block of them. */
static void linear_deep(const hfm__cpu *cpu) {
  const int64_t nr = cpu->kernels->nr, k = HFM__PIECE_FLOATS / nr + 34;
  const int64_t ms[] = {HFM__FEW_ROWS + 1, HFM__PIECE_ROWS + 3};
  linear_case c;
  size_t i;
  memset(&c, 0, sizeof c);
  for (i = 0; i < HFM__COUNT(ms); i++) {
    for (c.transposed = 0; c.transposed < 2; c.transposed++) {
      c.m = ms[i];
      c.n = nr + 1;
      c.k = k;
      c.dtype = weight_types[i];
      c.with_bias = c.with_residual = 1;
      c.activation = HFM__ACT_gelu;
      check_linear(cpu, &c, 0);
    }
  }
}

/* compute_dtype=bfloat16: products of bf16 weights round x; all else, odd K among it, is as ever. */
static void with_bf16(const hfm__cpu *cpu, void (*test)(const hfm__cpu *cpu)) {
  hfm__cpu pairs = *cpu;
  CHECK(hfm__cpu_multiply_bf16(&pairs));
  test(&pairs);
}

static void linear_empty(const hfm__cpu *cpu) {
  linear_case c;
  memset(&c, 0, sizeof c);
  c.dtype = HFM_F32;
  c.m = 0;
  c.n = 5;
  c.k = 3;
  check_linear(cpu, &c, 0);
  c.m = 3;
  c.n = 0;
  check_linear(cpu, &c, 0);
  c.n = 5;
  c.k = 0;
  c.with_bias = 1;
  check_linear(cpu, &c, 0);
  c.m = 1;
  check_linear(cpu, &c, 0);
}

/* Lets the products of this processor keep panels of a weight. */
static void keep_panels_of(hfm__cpu *cpu, const hfm__operand *x, int32_t transposed, int32_t policy,
                           hfm__packing *packing, hfm__weight *weight) {
  hfm_allocator mem;
  CHECK(hfm__resolve_allocator(NULL, &mem));
  hfm__packing_init(packing, &mem, policy, 1u << 30);
  memset(weight, 0, sizeof *weight);
  weight->dtype = x->dtype;
  weight->rank = x->rank;
  memcpy(weight->shape, x->shape, sizeof x->shape);
  cpu->packing = packing;
  hfm__panels_reserve(cpu, weight, transposed);
  CHECK(weight->panels != NULL);
}

static void keep_panels(hfm__cpu *cpu, const linear_case *c, int32_t policy, hfm__packing *packing,
                        hfm__weight *weight) {
  const hfm__operand x = operand(NULL, c->dtype, 2, c->transposed ? c->k : c->n, c->transposed ? c->n : c->k, 0, 0);
  keep_panels_of(cpu, &x, c->transposed, policy, packing, weight);
}

/* Whatever is computed beside it, however many threads, wherever the panel comes from: the same bits. */
static void linear_one_order(const hfm__cpu *given) {
  const int64_t k = given->gemm_bf16 ? 78 : 77, n = 2 * given->kernels->nr + 3, most = 5 * given->kernels->mr + 1;
  size_t t;
  for (t = 0; t < HFM__COUNT(weight_types); t++) {
    linear_case c;
    linear_data d;
    hfm__packing packing;
    hfm__weight weight;
    hfm__cpu cpu = *given;
    float *first = (float *)malloc((size_t)(most * n) * 4);
    int64_t m;
    int32_t threads, round;
    memset(&c, 0, sizeof c);
    c.m = most;
    c.n = n;
    c.k = k;
    c.dtype = weight_types[t];
    c.with_bias = 1;
    c.activation = HFM__ACT_gelu;
    c.transposed = (int32_t)(t % 2);
    if (given->gemm_bf16) CHECK_INT(hfm__in_pairs(given, c.dtype, c.transposed, k), c.dtype == HFM_BF16);
    d = make_linear(&c, 0);
    run_linear(&cpu, &c, &d, 1, NULL, first);
    for (threads = 1; threads <= 3; threads++) {
      run_linear(&cpu, &c, &d, threads, NULL, (float *)d.out.data);
      CHECK(memcmp(first, d.out.data, (size_t)(most * n) * 4) == 0);
    }
    for (m = HFM__FEW_ROWS + 1; m < most; m++) {
      c.m = m;
      memset(d.out.data, 0, (size_t)(most * n) * 4);
      run_linear(&cpu, &c, &d, 2, NULL, (float *)d.out.data);
      CHECK(memcmp(first, d.out.data, (size_t)(m * n) * 4) == 0);
    }
    cpu.batch_invariant = 1;
    c.m = 1;
    run_linear(&cpu, &c, &d, 2, NULL, (float *)d.out.data);
    CHECK(memcmp(first, d.out.data, (size_t)n * 4) == 0);
    /* Kept panels, lazily and at once. */
    c.m = most;
    for (round = 0; round < 2; round++) {
      int32_t use, ready = 0;
      keep_panels(&cpu, &c, round ? HFM_PACK_EAGER : HFM_PACK_LAZY, &packing, &weight);
      if (weight.panels) {
        for (use = 0; use < 8; use++) {
          hfm__atomic_store(&packing.credit, 1 << 20);
          run_linear(&cpu, &c, &d, 1 + use % 3, &weight, (float *)d.out.data);
          CHECK(memcmp(first, d.out.data, (size_t)(most * n) * 4) == 0);
        }
        ready = hfm__atomic_load(&weight.panels->states[2]) == HFM__PANEL_READY;
      }
      CHECK(ready);
      hfm__panels_free(&packing.mem, &weight);
      hfm__packing_free(&packing);
    }
    free_linear(&d);
    free(first);
  }
}

/* Counts the panels that a pass of its own widens. */
static struct {
  const hfm__kernels *kernels;
  int64_t floats; /* of a panel; a bias has fewer */
  int panels;
} widened;

static void counting_widen(int32_t dtype, const void *src, float *dst, int64_t n) {
  widened.panels += n >= widened.floats;
  widened.kernels->widen(dtype, src, dst, n);
}

/* Nor whether kept panels of 16 bits are multiplied as they lie, or widened by the first rows, as they are where the
   tier can: the bits are those of panels that are packed per call, for many rows. Rows and depth of several pieces are
   among them where they are multiplied fast. */
static void linear_narrow_order(const hfm__cpu *any) {
  const int64_t ks[] = {77, 1100, HFM__PIECE_FLOATS / 16 + 34};
  const int64_t ms[] = {HFM__FEW_ROWS + 1, any->kernels->mr + 1, HFM__MAX(any->kernels->narrow, 5),
                        HFM__MAX(any->kernels->narrow, 5) + 1, HFM__STRIPS_ROWS + 1, HFM__PIECE_ROWS + 17};
  hfm__kernels counting = *any->kernels;
  size_t t, i, j;
  counting.widen = counting_widen;
  widened.kernels = any->kernels;
  for (t = 0; t < HFM__COUNT(weight_types); t++) {
    for (i = 0; i < 2 * (counting.narrow ? HFM__COUNT(ks) : HFM__COUNT(ks) - 1); i++) {
      const int64_t rows = ms[i / 2 < HFM__COUNT(ks) - 1 ? HFM__COUNT(ms) - 2 : HFM__COUNT(ms) - 1];
      hfm__cpu cpu = *any;
      hfm__packing packing;
      hfm__weight weight;
      linear_case c;
      linear_data d;
      float *first;
      memset(&c, 0, sizeof c);
      c.m = rows;
      c.n = HFM__PACKED_COLUMNS + 3;
      c.k = ks[i / 2];
      c.dtype = weight_types[t];
      c.transposed = i % 2;
      c.with_bias = 1;
      c.with_residual = i % 2;
      c.activation = i % 2 ? HFM__ACT_relu : HFM__ACT_none;
      d = make_linear(&c, 0);
      first = (float *)malloc((size_t)(c.m * c.n) * 4);
      run_linear(&cpu, &c, &d, 1, NULL, first);
      keep_panels(&cpu, &c, HFM_PACK_EAGER, &packing, &weight);
      cpu.kernels = &counting;
      widened.floats = c.k * counting.nr;
      for (j = 0; j < HFM__COUNT(ms) && ms[j] <= rows; j++) {
        c.m = ms[j];
        run_linear(&cpu, &c, &d, 1 + (int32_t)j % 2, &weight, (float *)d.out.data); /* the first packs them */
        widened.panels = 0;
        run_linear(&cpu, &c, &d, 1, &weight, (float *)d.out.data);
        CHECK(memcmp(first, d.out.data, (size_t)(c.m * c.n) * 4) == 0);
        if (c.dtype == HFM_F32 || hfm__in_pairs(&cpu, c.dtype, c.transposed, c.k) || counting.narrow)
          CHECK_INT(widened.panels, 0);
        else CHECK(widened.panels > 0);
      }
      hfm__panels_free(&packing.mem, &weight);
      hfm__packing_free(&packing);
      free_linear(&d);
      free(first);
    }
  }
}

/* Nor does it matter whether rows are packed, in one block or, where they are long, in several: the first outputs of
   many are those of a product that has no more. */
static void linear_packed_order(const hfm__cpu *cpu) {
  const int64_t some = HFM__PACKED_COLUMNS / 2, many = HFM__PACKED_COLUMNS + 3;
  const int64_t ks[] = {77, HFM__PIECE_FLOATS / 16 + 34};
  const int64_t ms[] = {3 * cpu->kernels->mr + 2, HFM__PACKED_FLOATS / ks[1] + 1};
  size_t i, t;
  for (i = 0; i < HFM__COUNT(ks); i++) {
    for (t = 0; t < HFM__COUNT(weight_types); t++) {
      linear_case c;
      linear_data d;
      float *first;
      int64_t r;
      int32_t threads;
      memset(&c, 0, sizeof c);
      c.m = ms[t == 0];
      c.n = many;
      c.k = ks[i];
      c.dtype = weight_types[t];
      c.with_bias = 1;
      d = make_linear(&c, 0);
      first = (float *)malloc((size_t)(c.m * some) * 4);
      c.n = some;
      run_linear(cpu, &c, &d, 1, NULL, first);
      c.n = many;
      for (threads = 1; threads <= 2; threads++) {
        run_linear(cpu, &c, &d, threads, NULL, (float *)d.out.data);
        for (r = 0; r < c.m; r++)
          CHECK(memcmp(first + r * some, (float *)d.out.data + r * many, (size_t)some * 4) == 0);
      }
      free_linear(&d);
      free(first);
    }
  }
}

/* Few rows have their own order, which is that of one row, and which neighbours in M and N don't change either. */
static void linear_few_rows_order(const hfm__cpu *cpu) {
  enum { N = 203 };
  size_t t;
  for (t = 0; t < HFM__COUNT(weight_types); t++) {
    linear_case c;
    linear_data d, e;
    float *first, *row;
    int64_t m, i;
    int32_t threads;
    memset(&c, 0, sizeof c);
    c.m = HFM__FEW_ROWS;
    c.n = N;
    c.k = 1001;
    c.dtype = weight_types[t];
    c.with_bias = c.with_residual = 1;
    c.activation = HFM__ACT_silu;
    d = e = make_linear(&c, 0);
    first = (float *)malloc((size_t)(c.m * c.n) * 4);
    run_linear(cpu, &c, &d, 1, NULL, first);
    for (threads = 2; threads <= 3; threads++) {
      run_linear(cpu, &c, &d, threads, NULL, (float *)d.out.data);
      CHECK(memcmp(first, d.out.data, (size_t)(c.m * c.n) * 4) == 0);
    }
    for (m = 1; m < HFM__FEW_ROWS; m++) { /* the last rows alone */
      e.x.data = (float *)d.x.data + (HFM__FEW_ROWS - m) * c.k;
      e.residual.data = (float *)d.residual.data + (HFM__FEW_ROWS - m) * c.n;
      c.m = m;
      run_linear(cpu, &c, &e, 2, NULL, (float *)d.out.data);
      CHECK(memcmp(first + (HFM__FEW_ROWS - m) * N, d.out.data, (size_t)(m * N) * 4) == 0);
    }
    c.m = HFM__FEW_ROWS;
    c.with_residual = 0;
    run_linear(cpu, &c, &d, 1, NULL, first);
    row = (float *)malloc((size_t)(c.m * c.n) * 4);
    for (c.n = 1; c.n < 12; c.n++) { /* the first columns alone */
      run_linear(cpu, &c, &d, 1, NULL, row);
      for (i = 0; i < c.m; i++) CHECK(memcmp(first + i * N, row + i * c.n, (size_t)c.n * 4) == 0);
    }
    free(row);
    free(first);
    free_linear(&d);
  }
}

/* However one row is multiplied: the same bits. */
static void linear_one_row_ways(const hfm__cpu *cpu) {
  static const int64_t depths[] = {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 47, 64, 97, 1001};
  size_t t, i;
  for (t = 0; t < HFM__COUNT(weight_types); t++) {
    for (i = 0; i < HFM__COUNT(depths); i++) {
      linear_case c;
      linear_data d;
      memset(&c, 0, sizeof c);
      c.m = 1;
      c.k = depths[i];
      c.dtype = weight_types[t];
      c.with_bias = 1;
      for (c.n = 1; c.n < 300; c.n = c.n < 12 ? c.n + 1 : c.n * 5) {
        float first[300];
        d = make_linear(&c, 0);
        run_linear(cpu, &c, &d, 1, NULL, first);
        for (one_row_way = 1; one_row_way < hfm__row_ways(c.dtype != HFM_F32); one_row_way++) {
          run_linear(cpu, &c, &d, 2, NULL, (float *)d.out.data);
          CHECK(memcmp(first, d.out.data, (size_t)c.n * sizeof *first) == 0);
        }
        one_row_way = 0;
        free_linear(&d);
      }
    }
  }
}

/* A NaN or an infinity reaches exactly the outputs that it belongs to. */
static void linear_special(const hfm__cpu *cpu) {
  int64_t m;
  for (m = 1; m <= 9; m += 4) {
    linear_case c;
    linear_data d;
    int64_t i, row, column;
    memset(&c, 0, sizeof c);
    c.m = m;
    c.n = 70;
    c.k = 37;
    c.dtype = HFM_F32;
    d = make_linear(&c, 0);
    ((float *)d.x.data)[(m - 1) * c.k + 36] = float_of(0x7fc00000u);
    ((float *)d.weight.data)[69 * c.k + 3] = float_of(0x7f800000u);
    run_linear(cpu, &c, &d, 1, NULL, (float *)d.out.data);
    for (i = 0; i < m * c.n; i++) {
      const float y = ((float *)d.out.data)[i];
      row = i / c.n;
      column = i % c.n;
      if (row == m - 1) CHECK(is_nan(y));
      else if (column == 69) CHECK((bits_of(y) & 0x7fffffffu) == 0x7f800000u);
      else CHECK(!is_nan(y) && (bits_of(y) & 0x7f800000u) != 0x7f800000u);
    }
    free_linear(&d);
  }
}

/* x as a slice of something larger with uneven rows, residual too. */
static void linear_strided(const hfm__cpu *cpu) {
  enum { B = 3, S = 4, K = 19, N = 23, WIDE = 31 };
  float x[B * 7 * WIDE], weight[N * K], residual[B * 9 * N], out[B * S * N];
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t b, s, n, k;
  random_fill(x, (int64_t)HFM__COUNT(x));
  random_fill(weight, (int64_t)HFM__COUNT(weight));
  random_fill(residual, (int64_t)HFM__COUNT(residual));
  memset(&a, 0, sizeof a);
  memset(&attrs, 0, sizeof attrs);
  a.cpu = cpu;
  a.attrs = &attrs;
  a.in[0] = operand(x, HFM_F32, 3, B, S, K, 0);
  a.in[0].stride[1] = WIDE;
  a.in[0].stride[0] = 7 * WIDE;
  a.in[1] = operand(weight, HFM_F32, 2, N, K, 0, 0);
  a.in[3] = operand(residual, HFM_F32, 3, B, S, N, 0);
  a.in[3].stride[0] = 9 * N;
  a.out[0] = operand(out, HFM_F32, 3, B, S, N, 0);
  run_op(HFM__OP_linear, &a, 2);
  for (b = 0; b < B; b++) {
    for (s = 0; s < S; s++) {
      for (n = 0; n < N; n++) {
        double sum = 0;
        for (k = 0; k < K; k++) sum += (double)x[(b * 7 + s) * WIDE + k] * (double)weight[n * K + k];
        sum += (double)residual[(b * 9 + s) * N + n];
        CHECK_NEAR(out[(b * S + s) * N + n], sum, 1e-5);
      }
    }
  }
}

static void conv_shapes(const hfm__cpu *cpu) {
  static const int64_t cases[][9] = {
    /* B, C, H, W, O, kernel, stride, padding, kernel width */
    {2, 3, 8, 8, 10, 4, 4, 0, 4}, {1, 1, 5, 7, 3, 3, 1, 1, 3}, {2, 4, 9, 6, 70, 3, 2, 1, 2},
    {1, 2, 1, 1, 5, 1, 1, 0, 1}, {3, 2, 4, 5, 6, 3, 1, 2, 5}, {1, 3, 16, 16, 65, 16, 16, 0, 16},
    {3, 3, 40, 40, 17, 4, 4, 0, 4}};
  size_t i;
  for (i = 0; i < HFM__COUNT(cases); i++) {
    const int64_t *c = cases[i], B = c[0], C = c[1], H = c[2], W = c[3], O = c[4], kh = c[5], kw = c[8];
    const int64_t oh = (H + 2 * c[7] - kh) / c[6] + 1, ow = (W + 2 * c[7] - kw) / c[6] + 1;
    guarded x = guarded_alloc((size_t)(B * C * H * W) * 4, 0), weight = guarded_alloc((size_t)(O * C * kh * kw) * 4, 0);
    guarded out = guarded_alloc((size_t)(B * oh * ow * O) * 4, 0);
    float bias[128];
    hfm__op_args a;
    hfm__attrs attrs;
    int64_t b, o, y, z, j, p, q;
    random_fill((float *)x.data, B * C * H * W);
    random_fill((float *)weight.data, O * C * kh * kw);
    random_fill(bias, O);
    memset(&a, 0, sizeof a);
    memset(&attrs, 0, sizeof attrs);
    attrs.stride[0] = attrs.stride[1] = (int32_t)c[6];
    attrs.padding[0] = attrs.padding[1] = (int32_t)c[7];
    a.cpu = cpu;
    a.attrs = &attrs;
    a.in[0] = operand(x.data, HFM_F32, 4, B, C, H, W);
    a.in[1] = operand(weight.data, HFM_F32, 4, O, C, kh, kw);
    a.in[2] = operand(bias, HFM_F32, 1, O, 0, 0, 0);
    a.out[0] = operand(out.data, HFM_F32, 4, B, oh, ow, O);
    run_op(HFM__OP_conv2d, &a, 2);
    for (b = 0; b < B; b++) for (y = 0; y < oh; y++) for (z = 0; z < ow; z++) for (o = 0; o < O; o++) {
      double sum = (double)bias[o];
      for (j = 0; j < C; j++) for (p = 0; p < kh; p++) for (q = 0; q < kw; q++) {
        const int64_t r = y * c[6] - c[7] + p, s = z * c[6] - c[7] + q;
        if (r < 0 || r >= H || s < 0 || s >= W) continue;
        sum += (double)((float *)x.data)[((b * C + j) * H + r) * W + s] *
               (double)((float *)weight.data)[((o * C + j) * kh + p) * kw + q];
      }
      CHECK_NEAR(((float *)out.data)[((b * oh + y) * ow + z) * O + o], sum, 5e-5);
    }
    guarded_free(&x);
    guarded_free(&weight);
    guarded_free(&out);
  }
}

/* Patches by panels that are kept, of every type and few enough to be multiplied by 16-bit ones as they lie, or too
   many: the bits are those of panels that are packed per call. */
static void conv_kept(const hfm__cpu *any) {
  enum { CHANNELS = 3, KERNEL = 4, SIDE = 12, OUTPUTS = 70, IMAGES = 5, MOST = IMAGES * 9 * OUTPUTS };
  const int64_t k = CHANNELS * KERNEL * KERNEL, most = any->kernels->narrow / 9 + 1; /* images of 9 patches */
  static float x[IMAGES * CHANNELS * SIDE * SIDE], weight[OUTPUTS * CHANNELS * KERNEL * KERNEL], first[MOST], out[MOST];
  size_t t;
  if (!CHECK(most <= IMAGES)) return;
  random_fill(x, (int64_t)HFM__COUNT(x));
  for (t = 0; t < HFM__COUNT(weight_types); t++) {
    const int32_t dtype = weight_types[t];
    int64_t images, i, use;
    random_fill(weight, OUTPUTS * k);
    for (i = 0; i < OUTPUTS * k && dtype != HFM_F32; i++) {
      const uint16_t h = narrow(dtype, random_float());
      memcpy((uint8_t *)weight + 2 * i, &h, 2);
    }
    for (images = 1; images <= most; images++) {
      const size_t bytes = (size_t)(images * 9 * OUTPUTS) * sizeof(float);
      hfm__cpu cpu = *any;
      hfm__packing packing;
      hfm__weight kept;
      hfm__op_args a;
      hfm__attrs attrs;
      memset(&a, 0, sizeof a);
      memset(&attrs, 0, sizeof attrs);
      attrs.stride[0] = attrs.stride[1] = KERNEL;
      a.cpu = &cpu;
      a.attrs = &attrs;
      a.in[0] = operand(x, HFM_F32, 4, images, CHANNELS, SIDE, SIDE);
      a.in[1] = operand(weight, dtype, 4, OUTPUTS, CHANNELS, KERNEL, KERNEL);
      a.out[0] = operand(first, HFM_F32, 4, images, 3, 3, OUTPUTS);
      run_op(HFM__OP_conv2d, &a, 1);
      keep_panels_of(&cpu, &a.in[1], 0, HFM_PACK_EAGER, &packing, &kept);
      a.in[1].weight = &kept;
      a.out[0].data = out;
      for (use = 0; use < 3; use++) { /* the first packs them */
        memset(out, 0, sizeof out);
        run_op(HFM__OP_conv2d, &a, 1 + (int32_t)use);
        CHECK(memcmp(first, out, bytes) == 0);
      }
      CHECK(hfm__panels_kept_bytes(&kept) > 0);
      hfm__panels_free(&packing.mem, &kept);
      hfm__packing_free(&packing);
    }
  }
}

/* The same rows, few of them at once and many, deeper than one piece: the same bits on every tier, strict included. Few
   rows of panels in memory are multiplied strip by strip, over more than one panel, which are fetched one way or the
   other; many by one panel after another. */
static void deep_one_order(const hfm__cpu *cpu) {
  const int64_t nr = cpu->kernels->nr, mr = cpu->kernels->mr, k = HFM__PIECE_FLOATS / nr + 34;
  const int64_t n = 2 * nr - 1, many = HFM__STRIPS_ROWS + mr + 2;
  const int64_t few[] = {2, mr, mr + 1, 2 * mr + 3, HFM__STRIPS_ROWS, HFM__STRIPS_ROWS + 1};
  float *a = (float *)malloc((size_t)(many * k) * sizeof *a);
  float *panels = (float *)malloc((size_t)(k * 2 * nr) * sizeof *panels);
  float *sums = (float *)malloc((size_t)(many * nr) * sizeof *sums);
  float *expected = (float *)malloc((size_t)(many * n) * sizeof *expected);
  float *out = (float *)malloc((size_t)(many * n) * sizeof *out);
  hfm__gemm g;
  size_t i;
  int way;
  memset(&g, 0, sizeof g);
  if (!CHECK(a && panels && sums && expected && out)) return;
  random_fill(a, many * k);
  random_fill(panels, k * 2 * nr);
  g.k = g.lda = k;
  g.ldo = n;
  g.a = a;
  g.sums = sums;
  g.rows = many;
  for (i = 0; i < 2; i++) {
    g.panels = g.next = panels + (int64_t)i * nr * k;
    g.out = expected + (int64_t)i * nr;
    g.n = HFM__MIN(nr, n - (int64_t)i * nr);
    cpu->kernels->gemm(&g);
  }
  g.panels = panels;
  g.next = panels; /* and with bytes of it to fetch, or none */
  g.out = out;
  for (i = 0; i < HFM__COUNT(few); i++) {
    for (way = 0; way < 3; way++) {
      g.cold = way > 0;
      g.in_order = way > 1;
      g.rows = few[i];
      g.n = !HFM__SMALL && g.cold && g.rows <= HFM__STRIPS_ROWS ? n : nr;
      g.next_bytes = i % 2 ? nr * k * (int64_t)sizeof(float) : 0;
      memset(out, 0, (size_t)(many * n) * sizeof *out);
      cpu->kernels->gemm(&g);
      for (int64_t r = 0; r < g.rows; r++)
        CHECK(memcmp(out + r * n, expected + r * n, (size_t)g.n * sizeof *out) == 0);
    }
  }
  free(a);
  free(panels);
  free(sums);
  free(expected);
  free(out);
}

static void test_linear_deep_one_order(void) {
  hfm__cpu cpu;
  hfm_error error;
  each_tier_exactly(deep_one_order);
  CHECK_INT(hfm__cpu_select(HFM_ISA_AUTO, &cpu, &error), HFM_OK);
  if (hfm__cpu_make_strict(&cpu, &error) == HFM_OK) deep_one_order(&cpu);
}
static void test_linear_shapes(void) { each_tier(linear_shapes); }
static void test_linear_many_outputs(void) { each_tier(linear_many_outputs); }
static void test_linear_packed_order(void) { each_tier_exactly(linear_packed_order); }
static void test_linear_narrow_order(void) { each_tier_exactly(linear_narrow_order); }
static void test_linear_empty(void) { each_tier(linear_empty); }
static void test_linear_one_order(void) { each_tier_exactly(linear_one_order); }
static void test_linear_few_rows_order(void) { each_tier_exactly(linear_few_rows_order); }
static void test_linear_deep(void) { each_tier(linear_deep); }
static void test_linear_bf16(void) {
  const int32_t tiers[] = {HFM_ISA_SCALAR, HFM_ISA_AVX512_BF16, HFM_ISA_AMX_BF16};
  for (size_t i = 0; i < HFM__COUNT(tiers); i++) {
    hfm_error error;
    hfm__cpu cpu;
    if (hfm__cpu_select(tiers[i], &cpu, &error) != HFM_OK || !cpu.kernels->gemm_bf16) {
      SKIP("this build or machine has no AVX-512 BF16, or no AMX");
      continue;
    }
    with_bf16(&cpu, linear_shapes);
    with_bf16(&cpu, linear_empty);
    if (!FAST_MATH) with_bf16(&cpu, linear_one_order);
    if (!FAST_MATH) with_bf16(&cpu, linear_narrow_order);
  }
}
static void test_linear_one_row_ways(void) { each_tier(linear_one_row_ways); }
static void test_linear_special(void) { each_tier_exactly(linear_special); }
static void test_linear_strided(void) { each_tier(linear_strided); }
static void test_conv_shapes(void) { each_tier(conv_shapes); }
static void test_conv_kept(void) { each_tier_exactly(conv_kept); }

/* The way with the least median is kept, if it is clearly less than the first one's. `ns` are each way's for a MB; one
   run of eight of the best way is stopped for long: by the mean it would be the slowest. Nodes of many chunks come
   together, and in step with a model's layers. */
static void test_trial(void) {
  static const struct { int32_t ways; uint64_t ns[3]; int32_t kept; } cases[] = {
      {2, {2000000, 1000000, 0}, 1},       {2, {1000000, 2000000, 0}, 0},       {2, {2000000, 1990000, 0}, 0},
      {3, {2000000, 1800000, 1600000}, 2}, {3, {2000000, 1600000, 1800000}, 1}, {3, {1600000, 1800000, 2000000}, 0},
      {3, {2000000, 2010000, 1990000}, 0}};
  uint64_t step;
  size_t i;
  for (i = 0; i < HFM__COUNT(cases); i++) {
    for (step = 1; step < 20; step++) {
      hfm__trial trial;
      uint64_t turn;
      int runs[3] = {0};
      memset(&trial, 0, sizeof trial);
      for (turn = step; hfm__trial_begin(&trial) && turn < 700 * step; turn += step) {
        const int32_t way = hfm__trial_way(&trial, cases[i].ways, turn);
        if (!CHECK(way >= 0 && way < cases[i].ways)) return;
        const uint64_t stopped = way == cases[i].kept && runs[way] % 8 == 3 ? 300000000 : 0;
        hfm__trial_end(&trial, cases[i].ways, way, hfm__clock_ns() - cases[i].ns[way] - stopped, 1 << 20);
        runs[way]++;
      }
      CHECK(turn > HFM__TRIAL_EARLY && turn < 700 * step);
      CHECK_INT(hfm__trial_way(&trial, cases[i].ways, turn), cases[i].kept);
    }
  }
}

static void test_linear(void) {
  TEST(test_linear_shapes);
  TEST(test_linear_many_outputs);
  TEST(test_linear_empty);
  TEST(test_linear_one_order);
  TEST(test_linear_packed_order);
  TEST(test_linear_narrow_order);
  TEST(test_linear_few_rows_order);
  TEST(test_linear_one_row_ways);
  TEST(test_linear_deep);
  TEST(test_linear_deep_one_order);
  TEST(test_linear_bf16);
  TEST(test_linear_special);
  TEST(test_linear_strided);
  TEST(test_conv_shapes);
  TEST(test_conv_kept);
  TEST(test_trial);
}
