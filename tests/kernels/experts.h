/* Mixture of experts on every tier: routing, the products with the chosen experts' weights, and their sum, against
   double; and what they promise: experts that nobody chose are not touched, and a pair's bits depend on no other. */

typedef struct experts_case {
  int64_t tokens, slots, experts, n, k;
  int32_t dtype, parts, by_pair; /* by_pair: x has a row for each choice */
} experts_case;

typedef struct experts_data {
  float *x, *exact;   /* exact: [experts][n][k], what the stored weights mean */
  int64_t *chosen;
  guarded *pieces;    /* each between pages that nobody may touch; none for an expert that nobody chose */
  const void **table;
  guarded out;
} experts_data;

static int64_t x_rows(const experts_case *c) { return c->by_pair ? c->tokens * c->slots : c->tokens; }

static void make_piece(const experts_case *c, const float *exact, guarded *piece) {
  const int64_t n = c->n / c->parts * c->k;
  int64_t i;
  *piece = guarded_alloc((size_t)n * (c->dtype == HFM_F32 ? 4 : 2), (int)(random_u32() % 2));
  if (c->dtype == HFM_F32) memcpy(piece->data, exact, (size_t)n * 4);
  else for (i = 0; i < n; i++) ((uint16_t *)piece->data)[i] = narrow(c->dtype, exact[i]);
}

static experts_data make_experts(const experts_case *c) {
  const int64_t pairs = c->tokens * c->slots, pieces = c->experts * c->parts, elements = c->experts * c->n * c->k;
  experts_data d;
  int64_t i, j, t;
  d.x = (float *)malloc((size_t)(x_rows(c) * c->k) * 4 + 4);
  d.exact = (float *)malloc((size_t)elements * 4 + 4);
  d.chosen = (int64_t *)malloc((size_t)pairs * 8 + 8);
  d.pieces = (guarded *)calloc((size_t)pieces + 1, sizeof *d.pieces);
  d.table = (const void **)calloc((size_t)pieces + 1, sizeof *d.table);
  d.out = guarded_alloc((size_t)(pairs * c->n) * 4, 0);
  random_fill(d.x, x_rows(c) * c->k);
  random_fill(d.exact, elements);
  for (i = 0; i < elements && c->dtype != HFM_F32; i++) d.exact[i] = wide(c->dtype, narrow(c->dtype, d.exact[i]));
  for (t = 0; t < c->tokens; t++) { /* the choices of a token are different, and the last expert is nobody's */
    for (j = 0; j < c->slots; j++) {
      int64_t *to = d.chosen + t * c->slots, taken = 1;
      while (taken) {
        to[j] = random_u32() % (uint32_t)(c->experts > c->slots ? c->experts - 1 : c->experts);
        for (taken = 0, i = 0; i < j; i++) taken |= to[i] == to[j];
      }
    }
  }
  for (i = 0; i < pieces; i++) {
    int wanted = 0;
    for (j = 0; j < pairs; j++) wanted |= d.chosen[j] == i / c->parts;
    if (!wanted) continue;
    make_piece(c, d.exact + i * (c->n / c->parts * c->k), &d.pieces[i]);
    d.table[i] = d.pieces[i].data;
  }
  return d;
}

static void free_experts(const experts_case *c, experts_data *d) {
  int64_t i;
  for (i = 0; i < c->experts * c->parts; i++)
    if (d->table[i]) guarded_free(&d->pieces[i]);
  guarded_free(&d->out);
  free(d->x);
  free(d->exact);
  free(d->chosen);
  free(d->pieces);
  free((void *)d->table);
}

static void run_experts(const hfm__cpu *cpu, const experts_case *c, const experts_data *d, int32_t threads,
                        float *out) {
  hfm__op_args a;
  hfm__attrs attrs;
  memset(&a, 0, sizeof a);
  memset(&attrs, 0, sizeof attrs);
  attrs.parts = c->parts;
  a.cpu = cpu;
  a.attrs = &attrs;
  a.in[0] = c->by_pair ? operand(d->x, HFM_F32, 3, c->tokens, c->slots, c->k, 0)
                       : operand(d->x, HFM_F32, 2, c->tokens, c->k, 0, 0);
  a.in[1] = operand(d->chosen, HFM_I64, 2, c->tokens, c->slots, 0, 0);
  a.in[2] = operand((void *)(uintptr_t)d->table, c->dtype, 3, c->experts, c->n, c->k, 0);
  a.out[0] = operand(out, HFM_F32, 3, c->tokens, c->slots, c->n, 0);
  run_op(HFM__OP_experts, &a, threads);
}

static void check_experts(const hfm__cpu *cpu, const experts_case *c) {
  if (!check_turn()) return;
  experts_data d = make_experts(c);
  const int rounds = (c->tokens > 1 || cpu->batch_invariant) && hfm__in_pairs(cpu, c->dtype, 0, c->k);
  int64_t pair, n, k, bad = 0;
  run_experts(cpu, c, &d, 1, (float *)d.out.data);
  for (pair = 0; pair < c->tokens * c->slots; pair++) {
    const float *x = d.x + (c->by_pair ? pair : pair / c->slots) * c->k;
    for (n = 0; n < c->n; n++) {
      const float *w = d.exact + (d.chosen[pair] * c->n + n) * c->k;
      double sum = 0, size = 0, off;
      for (k = 0; k < c->k; k++) {
        sum += (double)x[k] * (double)w[k];
        size += fabs((double)x[k] * (double)w[k]);
      }
      off = fabs(sum - (double)((float *)d.out.data)[pair * c->n + n]);
      if (!(off <= (double)(c->k + 8) * 5.96e-8 * (size + 1.0) + (rounds ? size / 256 : 0.0))) bad++;
    }
  }
  if (!CHECK_INT(bad, 0))
    printf("    %s dtype %d: %d tokens, %d of %d experts, N %d in %d parts, K %d\n", cpu->name, (int)c->dtype,
           (int)c->tokens, (int)c->slots, (int)c->experts, (int)c->n, (int)c->parts, (int)c->k);
  free_experts(c, &d);
}

static void experts_shapes(const hfm__cpu *cpu) {
  const int64_t nr = cpu->kernels->nr, tokens[] = {1, 2, 5, 37}, slots[] = {1, 2, 3}, experts[] = {3, 4, 11};
  const int64_t rows[] = {1, 3, nr - 1, nr + 1, 2 * nr + 5}, ks[] = {1, 7, 16, 33, 130};
  experts_case c;
  size_t t, i, j, l, m, n;
  for (t = 0; t < HFM__COUNT(weight_types); t++)
    for (i = 0; i < HFM__COUNT(tokens); i++)
      for (j = 0; j < HFM__COUNT(slots); j++)
        for (l = 0; l < HFM__COUNT(experts); l++)
          for (m = 0; m < HFM__COUNT(rows); m++)
            for (n = 0; n < HFM__COUNT(ks); n++) {
              if ((i + j + l + m + n + t) % 4) continue; /* a quarter of them */
              c.dtype = weight_types[t];
              c.tokens = tokens[i];
              c.slots = slots[j];
              c.experts = experts[l];
              c.parts = 1 + (int32_t)((i + m) % 2);
              c.n = rows[m] * c.parts;
              c.k = ks[n];
              c.by_pair = (int32_t)((j + n) % 2);
              check_experts(cpu, &c);
            }
}

/* More pairs than a block, more columns than are used together, and weights deeper than a piece of a panel. */
static void experts_large(const hfm__cpu *cpu) {
  experts_case c;
  memset(&c, 0, sizeof c);
  c.tokens = HFM__EXPERT_ROWS / 2 + 7;
  c.slots = 3;
  c.experts = 5;
  c.parts = 2;
  c.n = 2 * (HFM__EXPERT_COLUMNS + cpu->kernels->nr + 3);
  c.k = 5;
  c.dtype = HFM_F32;
  check_experts(cpu, &c);
  c.tokens = 3;
  c.slots = 2;
  c.experts = 2;
  c.parts = 1;
  c.n = cpu->kernels->nr + 1;
  c.k = HFM__PIECE_FLOATS / cpu->kernels->nr + 34;
  c.dtype = HFM_BF16;
  check_experts(cpu, &c);
}

static void experts_in_pairs(const hfm__cpu *given) {
  hfm__cpu cpu = *given;
  if (hfm__cpu_multiply_bf16(&cpu)) experts_shapes(&cpu);
}

/* However many threads, and whatever tokens are beside it: the same bits; batch_invariant: alone, too. */
static void experts_one_order(const hfm__cpu *given) {
  experts_case c;
  size_t t;
  memset(&c, 0, sizeof c);
  for (t = 0; t < HFM__COUNT(weight_types); t++) {
    hfm__cpu cpu = *given;
    experts_data d;
    float *first;
    int64_t tokens;
    int32_t threads;
    c.tokens = 23;
    c.slots = 3;
    c.experts = 7;
    c.parts = 2;
    c.n = 2 * (given->kernels->nr + 3);
    c.k = 77;
    c.dtype = weight_types[t];
    d = make_experts(&c);
    first = (float *)malloc((size_t)(c.tokens * c.slots * c.n) * 4);
    run_experts(&cpu, &c, &d, 1, first);
    for (threads = 2; threads <= 3; threads++) {
      run_experts(&cpu, &c, &d, threads, (float *)d.out.data);
      CHECK(memcmp(first, d.out.data, (size_t)(c.tokens * c.slots * c.n) * 4) == 0);
    }
    for (tokens = 2; tokens < 23; tokens += 4) {
      c.tokens = tokens;
      run_experts(&cpu, &c, &d, 2, (float *)d.out.data);
      CHECK(memcmp(first, d.out.data, (size_t)(tokens * c.slots * c.n) * 4) == 0);
    }
    cpu.batch_invariant = 1;
    c.tokens = 1;
    run_experts(&cpu, &c, &d, 2, (float *)d.out.data);
    CHECK(memcmp(first, d.out.data, (size_t)(c.slots * c.n) * 4) == 0);
    c.tokens = 23;
    free_experts(&c, &d);
    free(first);
  }
}

/* A single token has the bits of linear's single row, whatever the pieces. */
static void experts_single_token(const hfm__cpu *cpu) {
  enum { N = 26, K = 103, E = 4 };
  experts_case c;
  experts_data d;
  float out[3 * N];
  int64_t slot;
  memset(&c, 0, sizeof c);
  c.tokens = 1;
  c.slots = 3;
  c.experts = E;
  c.parts = 2;
  c.n = N;
  c.k = K;
  c.dtype = HFM_F32;
  d = make_experts(&c);
  run_experts(cpu, &c, &d, 3, out);
  for (slot = 0; slot < c.slots; slot++) {
    hfm__op_args a;
    hfm__attrs attrs;
    float row[N];
    memset(&a, 0, sizeof a);
    memset(&attrs, 0, sizeof attrs);
    a.cpu = cpu;
    a.attrs = &attrs;
    a.in[0] = operand(d.x, HFM_F32, 2, 1, K, 0, 0);
    a.in[1] = operand(d.exact + d.chosen[slot] * N * K, HFM_F32, 2, N, K, 0, 0);
    a.out[0] = operand(row, HFM_F32, 2, 1, N, 0, 0);
    run_op(HFM__OP_linear, &a, 1);
    CHECK(memcmp(row, out + slot * N, sizeof row) == 0);
  }
  free_experts(&c, &d);
}

/* ---- Routing ---- */

static void run_top_k(const hfm__cpu *cpu, float *x, int64_t rows, int64_t n, int64_t count, int32_t normalized,
                      float *out, int64_t *chosen) {
  hfm__op_args a;
  hfm__attrs attrs;
  memset(&a, 0, sizeof a);
  memset(&attrs, 0, sizeof attrs);
  attrs.count = (int32_t)count;
  attrs.normalized = normalized;
  a.cpu = cpu;
  a.attrs = &attrs;
  a.in[0] = operand(x, HFM_F32, 2, rows, n, 0, 0);
  a.out[0] = operand(out, HFM_F32, 2, rows, count, 0, 0);
  a.out[1] = operand(chosen, HFM_I64, 2, rows, count, 0, 0);
  run_op(HFM__OP_top_k, &a, 2);
}

static void top_k_values(const hfm__cpu *cpu) {
  enum { ROWS = 400, N = 131, COUNT = 7 };
  static float x[ROWS * N], out[ROWS * COUNT];
  static int64_t chosen[ROWS * COUNT];
  int32_t normalized;
  int64_t r, i, j;
  random_fill(x, ROWS * N);
  for (i = 0; i < ROWS * N; i++) x[i] *= 6;
  for (normalized = 0; normalized < 2; normalized++) {
    run_top_k(cpu, x, ROWS, N, COUNT, normalized, out, chosen);
    for (r = 0; r < ROWS; r++) {
      double sum = 0, kept = 0;
      int bad = 0;
      for (i = 0; i < N; i++) sum += exp((double)x[r * N + i]);
      for (j = 0; j < COUNT; j++) kept += exp((double)x[r * N + chosen[r * COUNT + j]]) / sum;
      for (j = 0; j < COUNT; j++) {
        const int64_t at = chosen[r * COUNT + j];
        const double exact = exp((double)x[r * N + at]) / sum / (normalized ? kept : 1.0);
        int64_t above = 0; /* of equals the first */
        for (i = 0; i < N; i++) above += x[r * N + i] > x[r * N + at] || (x[r * N + i] == x[r * N + at] && i < at);
        bad |= above != j || !(fabs((double)out[r * COUNT + j] - exact) <= 2e-6 * exact);
      }
      CHECK(!bad);
    }
  }
}

/* Of equals the first; NaN gives no index that does not exist, nor one twice. */
static void top_k_ties(const hfm__cpu *cpu) {
  enum { N = 9 };
  float x[N], out[N];
  int64_t chosen[N], i;
  for (i = 0; i < N; i++) x[i] = i % 2 ? 1.0f : 2.0f;
  run_top_k(cpu, x, 1, N, N, 0, out, chosen);
  for (i = 0; i < N; i++) CHECK_INT(chosen[i], i < 5 ? 2 * i : 2 * (i - 5) + 1);
  for (i = 0; i < N; i++) x[i] = float_of(0x7fc00000u);
  run_top_k(cpu, x, 1, N, N, 1, out, chosen);
  for (i = 0; i < N; i++) CHECK_INT(chosen[i], i);
}

static void sums(const hfm__cpu *cpu) {
  enum { ROWS = 11, SLOTS = 3, N = 37 };
  float x[ROWS * SLOTS * N], weights[ROWS * SLOTS], out[ROWS * N];
  hfm__op_args a;
  int64_t r, s, i;
  random_fill(x, ROWS * SLOTS * N);
  random_fill(weights, ROWS * SLOTS);
  memset(&a, 0, sizeof a);
  a.cpu = cpu;
  a.in[0] = operand(x, HFM_F32, 3, ROWS, SLOTS, N, 0);
  a.in[1] = operand(weights, HFM_F32, 2, ROWS, SLOTS, 0, 0);
  a.out[0] = operand(out, HFM_F32, 2, ROWS, N, 0, 0);
  run_op(HFM__OP_weighted_sum, &a, 2);
  for (r = 0; r < ROWS; r++)
    for (i = 0; i < N; i++) {
      double sum = 0;
      for (s = 0; s < SLOTS; s++) sum += (double)x[(r * SLOTS + s) * N + i] * (double)weights[r * SLOTS + s];
      CHECK_NEAR(out[r * N + i], sum, 1e-6);
    }
}

/* strict has kernels of its own, and is no tier. */
static void each_tier_and_strict(void (*test)(const hfm__cpu *cpu)) {
  hfm_error error;
  hfm__cpu cpu;
  each_tier(test);
  if (hfm__cpu_select(HFM_ISA_SCALAR, &cpu, &error) == HFM_OK && hfm__cpu_make_strict(&cpu, &error) == HFM_OK)
    test(&cpu);
}

static void test_shapes(void) { each_tier_and_strict(experts_shapes); }
static void test_large(void) { each_tier_and_strict(experts_large); }
static void test_in_pairs(void) { each_tier(experts_in_pairs); }
static void test_one_order(void) { each_tier_exactly(experts_one_order); }
static void test_single_token(void) { each_tier_exactly(experts_single_token); }
static void test_top_k(void) { each_tier_and_strict(top_k_values); }
static void test_ties(void) { each_tier_exactly(top_k_ties); }
static void test_sums(void) { each_tier_and_strict(sums); }

static void test_experts(void) {
  TEST(test_shapes);
  TEST(test_large);
  TEST(test_in_pairs);
  TEST(test_one_order);
  TEST(test_single_token);
  TEST(test_top_k);
  TEST(test_ties);
  TEST(test_sums);
}
