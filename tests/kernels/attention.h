/* attention and rotary on every tier: the three implementations against one reference in double, every mask, any head
   size and length, and the same bits for a query row whatever block, thread or neighbour it has. */

typedef struct attention_case {
  int64_t batch, queries, keys, heads, groups, head; /* groups: query heads for each key head */
  int32_t implementation, causal;
  int64_t window;
  int32_t masked; /* 0: no keep mask, 1: random, 2: first keys of each batch are padding, 3: everything is padding */
  int32_t biased; /* 0: no bias, else 1 + bits of which of its dimensions are not 1: batch, heads, queries */
  float softcap;
} attention_case;

typedef struct attention_data {
  guarded q, k, v, keep, bias, out, probabilities;
  int64_t bias_shape[4];
} attention_data;

static attention_data make_attention(const attention_case *c) {
  const int64_t q = c->batch * c->queries * c->heads * c->head;
  const int64_t k = c->batch * c->keys * (c->heads / c->groups) * c->head, keep = c->batch * c->keys;
  attention_data d;
  int64_t i, biases;
  d.bias_shape[0] = (c->biased - 1) & 1 ? c->batch : 1;
  d.bias_shape[1] = (c->biased - 1) & 2 ? c->heads : 1;
  d.bias_shape[2] = (c->biased - 1) & 4 ? c->queries : 1;
  d.bias_shape[3] = c->keys;
  biases = hfm__elements(d.bias_shape, 4);
  d.bias = guarded_alloc((size_t)biases * 4, 0);
  random_fill((float *)d.bias.data, biases);
  d.q = guarded_alloc((size_t)q * 4, 0);
  d.k = guarded_alloc((size_t)k * 4, 0);
  d.v = guarded_alloc((size_t)k * 4, 1);
  d.keep = guarded_alloc((size_t)keep, 0);
  d.out = guarded_alloc((size_t)q * 4, 0);
  d.probabilities = guarded_alloc((size_t)(c->batch * c->heads * c->queries * c->keys) * 4, 0);
  random_fill((float *)d.q.data, q);
  random_fill((float *)d.k.data, k);
  random_fill((float *)d.v.data, k);
  for (i = 0; i < keep; i++) {
    const int64_t j = i % c->keys;
    ((uint8_t *)d.keep.data)[i] = (uint8_t)(c->masked == 1 ? random_u32() % 3 != 0 : c->masked == 2 ? j > 4 : 0);
  }
  return d;
}

static void free_attention(attention_data *d) {
  guarded_free(&d->q);
  guarded_free(&d->k);
  guarded_free(&d->v);
  guarded_free(&d->keep);
  guarded_free(&d->bias);
  guarded_free(&d->out);
  guarded_free(&d->probabilities);
}

static const float attention_scale = 0.31f;

static void run_attention(const hfm__cpu *cpu, const attention_case *c, const attention_data *d, int32_t threads,
                          int with_probabilities, float *out) {
  hfm__op_args a;
  hfm__attrs attrs;
  memset(&a, 0, sizeof a);
  memset(&attrs, 0, sizeof attrs);
  attrs.implementation = c->implementation;
  attrs.causal = c->causal;
  attrs.window = c->window;
  attrs.scale = attention_scale;
  attrs.softcap = c->softcap;
  a.cpu = cpu;
  a.attrs = &attrs;
  a.in[0] = operand(d->q.data, HFM_F32, 4, c->batch, c->queries, c->heads, c->head);
  a.in[1] = operand(d->k.data, HFM_F32, 4, c->batch, c->keys, c->heads / c->groups, c->head);
  a.in[2] = operand(d->v.data, HFM_F32, 4, c->batch, c->keys, c->heads / c->groups, c->head);
  if (c->masked) a.in[3] = operand(d->keep.data, HFM_U8, 2, c->batch, c->keys, 0, 0);
  if (c->biased)
    a.in[4] = operand(d->bias.data, HFM_F32, 4, d->bias_shape[0], d->bias_shape[1], d->bias_shape[2], c->keys);
  a.out[0] = operand(out, HFM_F32, 4, c->batch, c->queries, c->heads, c->head);
  if (with_probabilities)
    a.out[1] = operand(d->probabilities.data, HFM_F32, 4, c->batch, c->heads, c->queries, c->keys);
  run_op(HFM__OP_attention, &a, threads);
}

/* The score before the mask, of what q k^T is. */
static double score_of(const attention_case *c, const attention_data *d, double product, int64_t b, int64_t h,
                       int64_t i, int64_t j) {
  const int64_t *n = d->bias_shape;
  double score = product * (double)attention_scale;
  if (c->softcap > 0) score = (double)c->softcap * tanh(score / (double)c->softcap);
  if (!c->biased) return score;
  if (n[0] == 1) b = 0;
  if (n[1] == 1) h = 0;
  if (n[2] == 1) i = 0;
  return score + (double)((float *)d->bias.data)[((b * n[1] + h) * n[2] + i) * n[3] + j];
}

static void check_attention(const hfm__cpu *cpu, const attention_case *c) {
  if (!check_turn()) return;
  attention_data d = make_attention(c);
  const int64_t shared = c->heads / c->groups;
  const int with_probabilities = c->implementation == HFM_ATTN_EAGER;
  double *p = (double *)malloc((size_t)c->keys * sizeof(double) + 8), worst = 0;
  int64_t b, h, i, j, e, bad = 0;
  run_attention(cpu, c, &d, 2, with_probabilities, (float *)d.out.data);
  for (b = 0; b < c->batch; b++) for (h = 0; h < c->heads; h++) for (i = 0; i < c->queries; i++) {
    const float *q = (const float *)d.q.data + ((b * c->queries + i) * c->heads + h) * c->head;
    double largest = -1e300, sum = 0;
    int any = 0;
    for (j = 0; j < c->keys; j++) {
      const float *k = (const float *)d.k.data + ((b * c->keys + j) * shared + h / c->groups) * c->head;
      const int64_t diagonal = i + c->keys - c->queries;
      const int seen = (!c->masked || ((uint8_t *)d.keep.data)[b * c->keys + j]) && (!c->causal || j <= diagonal) &&
                       (c->window == 0 || (j > diagonal - c->window && (c->causal || j < diagonal + c->window)));
      double score = 0;
      for (e = 0; e < c->head; e++) score += (double)q[e] * (double)k[e];
      p[j] = seen ? score_of(c, &d, score, b, h, i, j) : -1e300;
      if (seen) any = 1;
      if (p[j] > largest) largest = p[j];
    }
    for (j = 0; j < c->keys; j++) {
      if (any) p[j] = p[j] > -1e299 ? exp(p[j] - largest) : 0.0;
      else p[j] = c->implementation == HFM_ATTN_EAGER ? 1.0 : 0.0;
      sum += p[j];
    }
    for (j = 0; j < c->keys && with_probabilities; j++) {
      const int64_t row = (b * c->heads + h) * c->queries + i;
      const double off = fabs(p[j] / sum - (double)((float *)d.probabilities.data)[row * c->keys + j]);
      if (!(off <= 1e-6)) bad++;
    }
    for (e = 0; e < c->head; e++) {
      double y = 0, off;
      for (j = 0; j < c->keys; j++)
        y += p[j] * (double)((float *)d.v.data)[((b * c->keys + j) * shared + h / c->groups) * c->head + e];
      if (sum > 0) y /= sum;
      off = fabs(y - (double)((float *)d.out.data)[((b * c->queries + i) * c->heads + h) * c->head + e]);
      if (!(off <= 2e-6)) bad++;
      if (!(off <= worst)) worst = off;
    }
  }
  if (!CHECK_INT(bad, 0))
    printf("    %s S %d T %d head %d implementation %d causal %d window %d masked %d biased %d cap %g: off by %g\n",
           cpu->name, (int)c->queries, (int)c->keys, (int)c->head, (int)c->implementation, (int)c->causal,
           (int)c->window, (int)c->masked, (int)c->biased, (double)c->softcap, worst);
  free(p);
  free_attention(&d);
}

static void attention_shapes(const hfm__cpu *cpu) {
  static const int64_t lengths[][2] = {{1, 1}, {1, 9}, {5, 5}, {7, 3}, {13, 13}, {33, 65}, {70, 70}, {3, 130}};
  static const int64_t heads[] = {1, 3, 16, 20, 64, 65};
  attention_case c;
  size_t i, j;
  memset(&c, 0, sizeof c);
  c.batch = 2;
  c.heads = 4;
  for (i = 0; i < HFM__COUNT(lengths); i++) {
    for (j = 0; j < HFM__COUNT(heads); j++) {
      c.queries = lengths[i][0];
      c.keys = lengths[i][1];
      c.head = heads[j];
      c.groups = (int64_t)1 << (i + j) % 3;
      for (c.implementation = HFM_ATTN_EAGER; c.implementation <= HFM_ATTN_FLASH_ATTENTION_2; c.implementation++)
        for (c.causal = 0; c.causal < 2; c.causal++) {
          c.masked = (int32_t)(i + 2 * j + (size_t)c.causal) % 4;
          c.window = (i + j) % 2 ? 0 : 1 + (int64_t)j;
          c.biased = 0;
          c.softcap = 0.0f;
          check_attention(cpu, &c);
          c.biased = (int32_t)(3 * i + j) % 9;
          c.softcap = (i + j) % 3 ? 0.7f : 0.0f; /* scores go well beyond it */
          check_attention(cpu, &c);
        }
    }
  }
}

/* More keys than a tile of flash holds. */
static void attention_tiles(const hfm__cpu *cpu) {
  attention_case c;
  memset(&c, 0, sizeof c);
  c.batch = 1;
  c.heads = 2;
  c.groups = 2;
  c.head = 8;
  c.queries = 19;
  c.keys = 2 * HFM__FLASH_TILE + 77;
  for (c.implementation = HFM_ATTN_EAGER; c.implementation <= HFM_ATTN_FLASH_ATTENTION_2; c.implementation++)
    for (c.causal = 0; c.causal < 2; c.causal++)
      for (c.masked = 0; c.masked < 4; c.masked++)
        for (c.window = 0; c.window < 700; c.window += 600) {
          c.biased = c.masked % 2 ? 7 : 0;
          c.softcap = c.masked % 2 ? 0.5f : 0.0f;
          check_attention(cpu, &c);
        }
}

/* The last rows of a long call are the rows of a short one; threads change nothing. */
static void one_order_of(const hfm__cpu *cpu, int32_t implementation, int32_t biased) {
  if (!check_turn()) return;
  attention_case c;
  attention_data d;
  float *first;
  int64_t bytes, less;
  int32_t threads;
  memset(&c, 0, sizeof c);
  c.implementation = implementation;
  c.biased = biased;
  c.softcap = biased ? 0.9f : 0.0f;
  c.batch = 1;
  c.heads = 1;
  c.groups = 1;
  c.head = 24;
  c.queries = 600;
  c.keys = 600;
  c.causal = 1;
  c.masked = 1;
  d = make_attention(&c);
  bytes = c.queries * c.heads * c.head * 4;
  first = (float *)malloc((size_t)bytes);
  run_attention(cpu, &c, &d, 1, 0, first);
  for (threads = 2; threads <= 3; threads++) {
    run_attention(cpu, &c, &d, threads, 0, (float *)d.out.data);
    CHECK(memcmp(first, d.out.data, (size_t)bytes) == 0);
  }
  for (less = 1; less < 600; less += 97) { /* without the first queries */
    attention_data e = d;
    c.queries = 600 - less;
    e.q.data = (float *)d.q.data + less * c.head;
    e.bias.data = (float *)d.bias.data + (d.bias_shape[2] > 1 ? less * c.keys : 0);
    run_attention(cpu, &c, &e, 2, 0, (float *)d.out.data);
    CHECK(memcmp(first + less * c.head, d.out.data, (size_t)(c.queries * c.head) * 4) == 0);
  }
  free(first);
  free_attention(&d);
}

static void attention_one_order(const hfm__cpu *cpu) {
  int32_t implementation;
  for (implementation = HFM_ATTN_EAGER; implementation <= HFM_ATTN_FLASH_ATTENTION_2; implementation++) {
    one_order_of(cpu, implementation, 0);
    one_order_of(cpu, implementation, 1);
    one_order_of(cpu, implementation, 5);
  }
}

/* A bias by distance alone needs no table: its rows may overlap in memory, each one key further left. */
static void attention_overlapping_bias(const hfm__cpu *cpu) {
  enum { S = 21, T = 34, H = 3, D = 8 };
  float q[S * H * D], k[T * H * D], v[T * H * D], by_distance[H * (S + T - 1)], table[H * S * T], out[2][S * H * D];
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t h, i, j;
  random_fill(q, S * H * D);
  random_fill(k, T * H * D);
  random_fill(v, T * H * D);
  random_fill(by_distance, H * (S + T - 1));
  for (h = 0; h < H; h++)
    for (i = 0; i < S; i++)
      for (j = 0; j < T; j++) table[(h * S + i) * T + j] = by_distance[h * (S + T - 1) + j - i + S - 1];
  memset(&a, 0, sizeof a);
  memset(&attrs, 0, sizeof attrs);
  attrs.scale = 1.0f;
  a.cpu = cpu;
  a.attrs = &attrs;
  a.in[0] = operand(q, HFM_F32, 4, 1, S, H, D);
  a.in[1] = operand(k, HFM_F32, 4, 1, T, H, D);
  a.in[2] = operand(v, HFM_F32, 4, 1, T, H, D);
  for (attrs.implementation = HFM_ATTN_EAGER; attrs.implementation <= HFM_ATTN_FLASH_ATTENTION_2;
       attrs.implementation++) {
    a.in[4] = operand(table, HFM_F32, 4, 1, H, S, T);
    a.out[0] = operand(out[0], HFM_F32, 4, 1, S, H, D);
    run_op(HFM__OP_attention, &a, 1);
    a.in[4].data = by_distance + S - 1;
    a.in[4].stride[1] = S + T - 1;
    a.in[4].stride[2] = -1;
    a.out[0] = operand(out[1], HFM_F32, 4, 1, S, H, D);
    run_op(HFM__OP_attention, &a, 1);
    CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0);
  }
}

/* ---- Keys and values in pages ---- */

typedef struct paged {
  guarded data;
  int32_t table[2 * 8];
} paged;

enum { PAGED_BATCH = 2, PAGED_HEADS = 2, PAGED_KEYS = 3 * HFM__PAGE + 21, PAGED_QUERIES = 9 };

/* Positions from `first` on of [PAGED_BATCH, PAGED_KEYS, PAGED_HEADS, head] as append leaves them, in pages that lie
   anyhow; whatever is no position is NaN. */
static hfm__operand in_pages(const hfm__cpu *cpu, paged *p, float *x, int64_t head, int64_t first, int32_t dtype,
                             int32_t values) {
  const int64_t held = PAGED_KEYS - first, columns = (held + HFM__PAGE - 1) / HFM__PAGE;
  const int64_t each = hfm__page_head(cpu->kernels, values, head), count = PAGED_BATCH * columns;
  const size_t bytes = (size_t)(count * PAGED_HEADS * each) * (dtype == HFM_F32 ? 4 : 2);
  hfm__operand state = operand(NULL, (hfm_dtype)dtype, 4, PAGED_BATCH, held, PAGED_HEADS, head);
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t i;
  p->data = guarded_alloc(bytes, 0);
  memset(p->data.data, 0xff, bytes);
  for (i = 0; i < count; i++) p->table[i] = (int32_t)i;
  for (i = count - 1; i > 0; i--) {
    const int64_t j = (int64_t)random_u32() % (i + 1);
    const int32_t page = p->table[i];
    p->table[i] = p->table[j];
    p->table[j] = page;
  }
  state.data = p->data.data;
  state.pages = p->table;
  state.first = first;
  state.stride[0] = columns;
  state.stride[1] = PAGED_HEADS * each;
  state.stride[2] = each;
  memset(&a, 0, sizeof a);
  memset(&attrs, 0, sizeof attrs);
  attrs.transposed = values;
  a.cpu = cpu;
  a.attrs = &attrs;
  a.in[0] = state;
  a.in[1] = operand(x, HFM_F32, 4, PAGED_BATCH, PAGED_KEYS, PAGED_HEADS, head);
  a.in[1].data = x + first * PAGED_HEADS * head;
  a.in[1].shape[1] = held;
  run_op(HFM__OP_append, &a, 2);
  return state;
}

/* The last queries over pages have the bits of the same queries among more of them over keys in a row. */
static void paged_case(const hfm__cpu *cpu, attention_case *c, int32_t dtype, int64_t first) {
  if (!check_turn()) return;
  const int64_t row = c->heads * c->head, whole = PAGED_BATCH * PAGED_QUERIES * row;
  float *expected = (float *)malloc((size_t)whole * sizeof *expected);
  attention_data d;
  paged k, v;
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t i, b, queries;
  c->queries = PAGED_QUERIES;
  d = make_attention(c);
  for (i = 0; i < PAGED_BATCH * PAGED_KEYS * PAGED_HEADS * c->head && dtype != HFM_F32; i++) {
    ((float *)d.k.data)[i] = wide(dtype, narrow(dtype, ((float *)d.k.data)[i]));
    ((float *)d.v.data)[i] = wide(dtype, narrow(dtype, ((float *)d.v.data)[i]));
  }
  run_attention(cpu, c, &d, 2, 0, expected);
  memset(&a, 0, sizeof a);
  memset(&attrs, 0, sizeof attrs);
  attrs.implementation = c->implementation;
  attrs.causal = c->causal;
  attrs.window = c->window;
  attrs.scale = attention_scale;
  attrs.softcap = c->softcap;
  a.cpu = cpu;
  a.attrs = &attrs;
  a.in[1] = in_pages(cpu, &k, (float *)d.k.data, c->head, first, dtype, 0);
  a.in[2] = in_pages(cpu, &v, (float *)d.v.data, c->head, first, dtype, 1);
  if (c->masked) a.in[3] = operand(d.keep.data, HFM_U8, 2, PAGED_BATCH, PAGED_KEYS, 0, 0);
  for (queries = 1; queries <= PAGED_QUERIES; queries += 4) {
    const int64_t skipped = PAGED_QUERIES - queries;
    a.in[0] = operand((float *)d.q.data + skipped * row, HFM_F32, 4, PAGED_BATCH, queries, c->heads, c->head);
    a.in[0].stride[0] = PAGED_QUERIES * row;
    if (c->biased) {
      a.in[4] = operand((float *)d.bias.data + skipped * PAGED_KEYS, HFM_F32, 4, 1, c->heads, queries, PAGED_KEYS);
      a.in[4].stride[1] = PAGED_QUERIES * PAGED_KEYS;
    }
    a.out[0] = operand(d.out.data, HFM_F32, 4, PAGED_BATCH, queries, c->heads, c->head);
    run_op(HFM__OP_attention, &a, 2);
    for (b = 0; b < PAGED_BATCH; b++)
      if (!CHECK(memcmp((float *)d.out.data + b * queries * row, expected + (b * PAGED_QUERIES + skipped) * row,
                        (size_t)(queries * row) * 4) == 0))
        printf("    %s %s head %d groups %d implementation %d, from %d, %d queries, masked %d, biased %d\n", cpu->name,
               hfm_dtype_name((hfm_dtype)dtype), (int)c->head, (int)c->groups, (int)c->implementation, (int)first,
               (int)queries, (int)c->masked, (int)c->biased);
  }
  guarded_free(&k.data);
  guarded_free(&v.data);
  free_attention(&d);
  free(expected);
}

static void attention_pages(const hfm__cpu *cpu) {
  static const int32_t types[] = {HFM_F32, HFM_F16, HFM_BF16};
  static const int64_t groups[] = {1, 3, 11}, heads[] = {20, 64, 96};
  attention_case c;
  size_t t, g, h;
  memset(&c, 0, sizeof c);
  c.batch = PAGED_BATCH;
  c.keys = PAGED_KEYS;
  c.causal = 1;
  for (t = 0; t < HFM__COUNT(types); t++)
    for (g = 0; g < HFM__COUNT(groups); g++)
      for (h = 0; h < HFM__COUNT(heads); h++) {
        c.implementation = HFM_ATTN_EAGER + (int32_t)((t + g + h) % 3);
        c.groups = groups[g];
        c.heads = PAGED_HEADS * c.groups;
        c.head = heads[h];
        c.masked = (t + g) % 2;
        c.biased = (g + h) % 2 ? 7 : 0;
        c.softcap = g == 1 ? 0.9f : 0.0f;
        c.window = 0;
        paged_case(cpu, &c, types[t], 0);
        c.window = 80; /* so nothing before the second page is seen */
        paged_case(cpu, &c, types[t], HFM__PAGE);
      }
}

static void attention_nan(const hfm__cpu *cpu) {
  attention_case c;
  memset(&c, 0, sizeof c);
  c.batch = 1;
  c.queries = c.keys = 9;
  c.heads = c.groups = 1;
  c.head = 5;
  for (c.implementation = HFM_ATTN_EAGER; c.implementation <= HFM_ATTN_FLASH_ATTENTION_2; c.implementation++) {
    attention_data d = make_attention(&c);
    int64_t i;
    for (i = 0; i < c.head; i++) ((float *)d.q.data)[4 * c.head + i] = float_of(0x7fc00000u);
    run_attention(cpu, &c, &d, 1, 0, (float *)d.out.data);
    for (i = 0; i < 9 * c.head; i++) CHECK_INT(is_nan(((float *)d.out.data)[i]), i / c.head == 4);
    free_attention(&d);
  }
}

static void rotary_shapes(const hfm__cpu *cpu) {
  enum { B = 2, S = 5, H = 3 };
  static const int64_t halves[] = {1, 3, 8, 17};
  size_t i;
  for (i = 0; i < HFM__COUNT(halves); i++) {
    const int64_t half = halves[i], head = 2 * half + (int64_t)(i % 2) * 3, n = B * S * H * head;
    guarded x = guarded_alloc((size_t)n * 4, 0), angles = guarded_alloc((size_t)(S * 2 * half) * 4, 0);
    guarded out = guarded_alloc((size_t)n * 4, 0);
    hfm__op_args a;
    hfm__attrs attrs;
    int64_t r, e;
    random_fill((float *)x.data, n);
    random_fill((float *)angles.data, S * 2 * half);
    memset(&a, 0, sizeof a);
    memset(&attrs, 0, sizeof attrs);
    a.cpu = cpu;
    a.attrs = &attrs;
    a.in[0] = operand(x.data, HFM_F32, 4, B, S, H, head);
    a.in[1] = operand(angles.data, HFM_F32, 4, 1, S, 2, half);
    a.out[0] = operand(out.data, HFM_F32, 4, B, S, H, head);
    run_op(HFM__OP_rotary, &a, 2);
    for (r = 0; r < B * S * H; r++) {
      const float *p = (const float *)x.data + r * head, *y = (const float *)out.data + r * head;
      const float *cosines = (const float *)angles.data + r / H % S * 2 * half, *sines = cosines + half;
      for (e = 0; e < head; e++) {
        double want = (double)p[e];
        if (e < half) want = (double)p[e] * (double)cosines[e] - (double)p[e + half] * (double)sines[e];
        else if (e < 2 * half)
          want = (double)p[e] * (double)cosines[e - half] + (double)p[e - half] * (double)sines[e - half];
        CHECK_NEAR(y[e], want, 3e-7);
      }
    }
    guarded_free(&x);
    guarded_free(&angles);
    guarded_free(&out);
  }
}

static void test_attention_shapes(void) { each_tier(attention_shapes); }
static void test_attention_strict(void) {
  hfm_error error;
  hfm__cpu cpu;
  memset(&cpu, 0, sizeof cpu);
  if (hfm__cpu_make_strict(&cpu, &error) == HFM_OK) attention_shapes(&cpu);
  else SKIP("this build has no strict tier");
}
static void test_attention_tiles(void) { each_tier(attention_tiles); }
static void test_attention_one_order(void) { each_tier_exactly(attention_one_order); }
static void test_attention_overlapping_bias(void) { each_tier(attention_overlapping_bias); }
static void test_attention_pages(void) { each_tier_exactly(attention_pages); }
static void test_attention_strict_pages(void) {
  hfm_error error;
  hfm__cpu cpu;
  memset(&cpu, 0, sizeof cpu);
  if (hfm__cpu_make_strict(&cpu, &error) == HFM_OK) attention_pages(&cpu);
  else SKIP("this build has no strict tier");
}
static void test_attention_nan(void) { each_tier_exactly(attention_nan); }
static void test_rotary_shapes(void) { each_tier(rotary_shapes); }

static void test_attention(void) {
  TEST(test_attention_shapes);
  TEST(test_attention_strict);
  TEST(test_attention_tiles);
  TEST(test_attention_one_order);
  TEST(test_attention_overlapping_bias);
  TEST(test_attention_pages);
  TEST(test_attention_strict_pages);
  TEST(test_attention_nan);
  TEST(test_rotary_shapes);
}
