/* attention and rotary on every tier: the three implementations against one reference in double, every mask, any head
   size and length, and the same bits for a query row whatever block, thread or neighbour it has. */
#define _GNU_SOURCE
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include "check.h"

#include "support.h"

typedef struct attention_case {
  int64_t batch, queries, keys, heads, groups, head; /* groups: query heads for each key head */
  int32_t implementation, causal;
  int64_t window;
  int32_t masked; /* 0: no keep mask, 1: random, 2: first keys of each batch are padding, 3: everything is padding */
} attention_case;

typedef struct attention_data {
  guarded q, k, v, keep, out, probabilities;
} attention_data;

static attention_data make_attention(const attention_case *c) {
  const int64_t q = c->batch * c->queries * c->heads * c->head;
  const int64_t k = c->batch * c->keys * (c->heads / c->groups) * c->head, keep = c->batch * c->keys;
  attention_data d;
  int64_t i;
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
  a.cpu = cpu;
  a.attrs = &attrs;
  a.in[0] = operand(d->q.data, HFM_F32, 4, c->batch, c->queries, c->heads, c->head);
  a.in[1] = operand(d->k.data, HFM_F32, 4, c->batch, c->keys, c->heads / c->groups, c->head);
  a.in[2] = operand(d->v.data, HFM_F32, 4, c->batch, c->keys, c->heads / c->groups, c->head);
  if (c->masked) a.in[3] = operand(d->keep.data, HFM_U8, 2, c->batch, c->keys, 0, 0);
  a.out[0] = operand(out, HFM_F32, 4, c->batch, c->queries, c->heads, c->head);
  if (with_probabilities)
    a.out[1] = operand(d->probabilities.data, HFM_F32, 4, c->batch, c->heads, c->queries, c->keys);
  run_op(HFM__OP_attention, &a, threads);
}

static void check_attention(const hfm__cpu *cpu, const attention_case *c) {
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
      p[j] = seen ? score * (double)attention_scale : -1e300;
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
    printf("    %s S %d T %d head %d implementation %d causal %d window %d masked %d: off by %g\n", cpu->name,
           (int)c->queries, (int)c->keys, (int)c->head, (int)c->implementation, (int)c->causal, (int)c->window,
           (int)c->masked, worst);
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
        for (c.window = 0; c.window < 700; c.window += 600) check_attention(cpu, &c);
}

/* The last rows of a long call are the rows of a short one; threads change nothing. */
static void attention_one_order(const hfm__cpu *cpu) {
  attention_case c;
  memset(&c, 0, sizeof c);
  for (c.implementation = HFM_ATTN_EAGER; c.implementation <= HFM_ATTN_FLASH_ATTENTION_2; c.implementation++) {
    attention_data d;
    float *first;
    int64_t bytes, less;
    int32_t threads;
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
      run_attention(cpu, &c, &e, 2, 0, (float *)d.out.data);
      CHECK(memcmp(first + less * c.head, d.out.data, (size_t)(c.queries * c.head) * 4) == 0);
    }
    free(first);
    free_attention(&d);
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
static void test_attention_tiles(void) { each_tier(attention_tiles); }
static void test_attention_one_order(void) { each_tier_exactly(attention_one_order); }
static void test_attention_nan(void) { each_tier_exactly(attention_nan); }
static void test_rotary_shapes(void) { each_tier(rotary_shapes); }

int main(void) {
  TEST(test_attention_shapes);
  TEST(test_attention_tiles);
  TEST(test_attention_one_order);
  TEST(test_attention_nan);
  TEST(test_rotary_shapes);
  return check_report("test_attention");
}
