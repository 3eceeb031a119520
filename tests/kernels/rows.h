/* Row kernels and the small ops on every tier, against double: activations over the whole range of floats, norms,
   softmax, broadcasting, copies, gathers, indices. */

static double exact_activation(int32_t activation, double x) {
  const double root = 0.79788456080286535588;
  switch (activation) {
    case HFM__ACT_gelu: return 0.5 * x * erfc(-x * 0.70710678118654752440);
    case HFM__ACT_gelu_10: return fmax(-10, fmin(10, 0.5 * x * erfc(-x * 0.70710678118654752440)));
    case HFM__ACT_hardswish: return x * fmin(fmax(x + 3, 0), 6) / 6;
    case HFM__ACT_laplace: return 0.5 * erfc(-(x - 0.707107) / (0.282095 * sqrt(2.0)));
    case HFM__ACT_leaky_relu: return x < 0 ? 0.01 * x : x;
    case HFM__ACT_mish: return x > 20 ? x : x * tanh(log1p(exp(x)));
    case HFM__ACT_relu2: return x > 0 ? x * x : 0;
    case HFM__ACT_relu6: return fmin(fmax(x, 0), 6);
    case HFM__ACT_gelu_tanh: return 0.5 * x * (1 + tanh(root * (x + 0.044715 * x * x * x)));
    case HFM__ACT_quick_gelu: return x / (1 + exp(-1.702 * x));
    case HFM__ACT_relu: return x > 0 ? x : 0;
    case HFM__ACT_silu: return x / (1 + exp(-x));
    case HFM__ACT_sqrtsoftplus: return sqrt(x > 40 ? x : log1p(exp(x)));
    case HFM__ACT_tanh: return tanh(x);
    case HFM__ACT_sigmoid: return 1 / (1 + exp(-x));
    default: return x;
  }
}

/* |error| <= relative * |y| + absolute * max(|x|, 1): what kernel_math.h states. */
static const struct {
  int32_t activation;
  double relative, absolute;
} bounds[] = {
  {HFM__ACT_none, 0, 0},          {HFM__ACT_relu, 0, 0},
  {HFM__ACT_gelu, 1e-6, 2.5e-7},  {HFM__ACT_gelu_tanh, 1e-6, 2.5e-7},
  {HFM__ACT_gelu_10, 1e-6, 2.5e-7}, {HFM__ACT_hardswish, 1e-6, 1e-7}, {HFM__ACT_laplace, 1e-6, 2.5e-7},
  {HFM__ACT_leaky_relu, 1e-6, 0}, {HFM__ACT_mish, 1e-6, 1e-37}, {HFM__ACT_relu2, 1e-6, 0}, {HFM__ACT_relu6, 0, 0},
  {HFM__ACT_sqrtsoftplus, 1e-6, 2e-19},
  {HFM__ACT_quick_gelu, 1e-5, 1e-37},   {HFM__ACT_silu, 1e-6, 1e-37},
  {HFM__ACT_tanh, 1e-6, 0},       {HFM__ACT_sigmoid, 1e-6, 1e-37}
};

/* Every 20011th float: about 200 000 of them, all exponents, both signs. */
static void activations_everywhere(const hfm__cpu *cpu) {
  enum { N = 4096 };
  static float x[N], y[N];
  size_t b;
  CHECK_INT(HFM__COUNT(bounds), HFM__ACT_COUNT);
  for (b = 0; b < HFM__COUNT(bounds); b++) {
    const uint64_t step = (uint64_t)20011 * (CHECK_SLOW ? 37 : 1);
    uint64_t bits = 0;
    double worst = 0;
    float worst_x = 0;
    int64_t bad = 0;
    int i;
    while (bits <= 0xffffffffu) {
      for (i = 0; i < N; i++, bits += step) x[i] = float_of(bits <= 0xffffffffu ? (uint32_t)bits : 0u);
      cpu->kernels->unary(bounds[b].activation, x, y, N);
      for (i = 0; i < N; i++) {
        const double v = (double)x[i];
        double want, off;
        if (is_nan(x[i])) {
          if (!is_nan(y[i])) bad++;
          continue;
        }
        if ((bits_of(x[i]) & 0x7f800000u) == 0x7f800000u) continue; /* infinities: test_special */
        want = exact_activation(bounds[b].activation, v);
        if (want > 3.4028235677973366e38 && bits_of(y[i]) == 0x7f800000u) continue; /* no float is that large */
        off = fabs((double)y[i] - want) - bounds[b].relative * fabs(want) -
              bounds[b].absolute * (fabs(v) > 1 ? fabs(v) : 1);
        if (!(off <= 1e-44)) bad++;
        if (!(off <= worst)) {
          worst = off;
          worst_x = x[i];
        }
      }
    }
    if (!CHECK_INT(bad, 0))
      printf("    %s activation %d: %g over the bound at %.9g\n", cpu->name, (int)bounds[b].activation, worst,
             (double)worst_x);
  }
}

static void special_values(const hfm__cpu *cpu) {
  const float inf = float_of(0x7f800000u), nan = float_of(0x7fc00000u);
  float x[3], y[3];
  size_t b;
  x[0] = inf;
  x[1] = nan;
  x[2] = -inf;
  for (b = 0; b < HFM__COUNT(bounds); b++) {
    const int32_t activation = bounds[b].activation;
    cpu->kernels->unary(activation, x, y, 3);
    CHECK(is_nan(y[1]));
    switch (activation) {
      case HFM__ACT_tanh:
      case HFM__ACT_laplace:
      case HFM__ACT_sigmoid: CHECK_NEAR(y[0], 1, 1e-6); break;
      case HFM__ACT_gelu_10: CHECK_NEAR(y[0], 10, 0); break;
      case HFM__ACT_relu6: CHECK_NEAR(y[0], 6, 0); break;
      default: CHECK(y[0] == inf);
    }
    if (activation == HFM__ACT_tanh) CHECK_NEAR(y[2], -1, 1e-6);
    if (activation == HFM__ACT_sigmoid) CHECK_NEAR(y[2], 0, 1e-30);
    if (activation == HFM__ACT_relu || activation == HFM__ACT_relu2 || activation == HFM__ACT_relu6)
      CHECK_NEAR(y[2], 0, 0);
    if (activation == HFM__ACT_laplace) CHECK_NEAR(y[2], 0, 1e-6);
    if (activation == HFM__ACT_sqrtsoftplus) CHECK_NEAR(y[2], 0, 0);
    if (activation == HFM__ACT_leaky_relu) CHECK(y[2] == -inf);
  }
}

static const int64_t widths[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 65, 100, 768, 1000};

static void norms(const hfm__cpu *cpu) {
  size_t w;
  for (w = 0; w < HFM__COUNT(widths); w++) {
    const int64_t n = widths[w];
    guarded x = guarded_alloc((size_t)n * 4, 0), weight = guarded_alloc((size_t)n * 4, 1);
    guarded bias = guarded_alloc((size_t)n * 4, 0), y = guarded_alloc((size_t)n * 4, 0);
    float *p = (float *)x.data;
    const float *g = (const float *)weight.data, *b = (const float *)bias.data, *out = (const float *)y.data;
    double mean = 0, variance = 0, square = 0;
    int64_t i;
    int with;
    random_fill(p, n);
    random_fill((float *)weight.data, n);
    random_fill((float *)bias.data, n);
    for (i = 0; i < n; i++) p[i] += 3;
    for (i = 0; i < n; i++) mean += (double)p[i] / (double)n;
    for (i = 0; i < n; i++) variance += ((double)p[i] - mean) * ((double)p[i] - mean) / (double)n;
    for (i = 0; i < n; i++) square += (double)p[i] * (double)p[i] / (double)n;
    for (with = 0; with < 4; with++) {
      cpu->kernels->layer_norm(p, with & 1 ? g : NULL, with & 2 ? b : NULL, 1e-3f, (float *)y.data, n);
      for (i = 0; i < n; i++) {
        const double scaled = ((double)p[i] - mean) / sqrt(variance + 1e-3);
        CHECK_NEAR(out[i], scaled * (with & 1 ? (double)g[i] : 1) + (with & 2 ? (double)b[i] : 0), 2e-5);
      }
    }
    cpu->kernels->rms_norm(p, g, 1e-5f, (float *)y.data, n);
    for (i = 0; i < n; i++) CHECK_NEAR(out[i], (double)p[i] / sqrt(square + 1e-5) * (double)g[i], 2e-6);
    guarded_free(&x);
    guarded_free(&weight);
    guarded_free(&bias);
    guarded_free(&y);
  }
}

static void softmax(const hfm__cpu *cpu) {
  size_t w;
  for (w = 0; w < HFM__COUNT(widths); w++) {
    const int64_t n = widths[w];
    guarded x = guarded_alloc((size_t)n * 4, 0);
    float *p = (float *)x.data;
    double *want = (double *)malloc((size_t)n * sizeof(double)), sum = 0, largest = -1e300;
    int64_t i;
    for (i = 0; i < n; i++) p[i] = 30 * random_float();
    if (n > 4) p[3] = -FLT_MAX;
    for (i = 0; i < n; i++) largest = (double)p[i] > largest ? (double)p[i] : largest;
    for (i = 0; i < n; i++) sum += want[i] = exp((double)p[i] - largest);
    cpu->kernels->softmax(p, p, n);
    for (i = 0; i < n; i++) CHECK_NEAR(p[i], want[i] / sum, 3e-7);
    if (n > 4) CHECK_INT(bits_of(p[3]), 0);
    free(want);
    if (!FAST_MATH) {
      p[n / 2] = float_of(0x7fc00000u);
      cpu->kernels->softmax(p, p, n);
      for (i = 0; i < n; i++) CHECK(is_nan(p[i]));
    }
    guarded_free(&x);
  }
}

/* Every f16 and bf16 value, at every distance from the end of a page. */
static void widening(const hfm__cpu *cpu) {
  guarded half = guarded_alloc(65536 * 2, 0), out = guarded_alloc(65536 * 4, 0);
  uint16_t *h = (uint16_t *)half.data;
  float *f = (float *)out.data;
  int64_t i, n;
  for (i = 0; i < 65536; i++) h[i] = (uint16_t)i;
  cpu->kernels->widen(HFM_BF16, h, f, 65536);
  for (i = 0; i < 65536; i++) CHECK_INT(bits_of(f[i]), (uint32_t)i << 16);
  cpu->kernels->widen(HFM_F16, h, f, 65536);
  for (i = 0; i < 65536; i++) {
    const int64_t exponent = i >> 10 & 31, fraction = i & 1023;
    const double sign = i >> 15 ? -1 : 1;
    if (exponent == 31) CHECK(fraction ? is_nan(f[i]) : (bits_of(f[i]) & 0x7fffffffu) == 0x7f800000u);
    else CHECK(f[i] == (float)(sign * (exponent ? ldexp(1024.0 + (double)fraction, (int)exponent - 25)
                                                : ldexp((double)fraction, -24))));
  }
  for (n = 0; n < 40; n++) cpu->kernels->widen(HFM_F16, h + 65536 - n, f + 65536 - n, n);
  guarded_free(&half);
  guarded_free(&out);
}

static void prepare(hfm__op_args *a, hfm__attrs *attrs, const hfm__cpu *cpu) {
  memset(a, 0, sizeof *a);
  memset(attrs, 0, sizeof *attrs);
  a->cpu = cpu;
  a->attrs = attrs;
}

static void broadcasting(const hfm__cpu *cpu) {
  static const int64_t shapes[][2][3] = {
    {{2, 5, 19}, {2, 5, 19}}, {{2, 5, 19}, {1, 1, 19}}, {{1, 5, 19}, {2, 1, 19}}, {{2, 5, 1}, {2, 5, 19}},
    {{2, 5, 19}, {1, 1, 1}},  {{2, 1, 1}, {1, 5, 19}},  {{1, 5, 1}, {2, 1, 1}},   {{2, 5, 1}, {1, 5, 1}}};
  float x[256], y[256], out[256];
  size_t s;
  int op;
  random_fill(x, 256);
  random_fill(y, 256);
  for (s = 0; s < HFM__COUNT(shapes); s++) {
    for (op = 0; op < 2; op++) {
      const int64_t *p = shapes[s][0], *q = shapes[s][1];
      int64_t n[3], i, j, k;
      hfm__op_args a;
      hfm__attrs attrs;
      for (i = 0; i < 3; i++) n[i] = HFM__MAX(p[i], q[i]);
      prepare(&a, &attrs, cpu);
      a.in[0] = operand(x, HFM_F32, 3, p[0], p[1], p[2], 0);
      a.in[1] = q[0] == 1 ? operand(y, HFM_F32, 2, q[1], q[2], 0, 0) : operand(y, HFM_F32, 3, q[0], q[1], q[2], 0);
      a.out[0] = operand(out, HFM_F32, 3, n[0], n[1], n[2], 0);
      run_op(op ? HFM__OP_mul : HFM__OP_add, &a, 2);
      for (i = 0; i < n[0]; i++) for (j = 0; j < n[1]; j++) for (k = 0; k < n[2]; k++) {
        const float u = x[((i % p[0]) * p[1] + j % p[1]) * p[2] + k % p[2]];
        const float v = y[((i % q[0]) * q[1] + j % q[1]) * q[2] + k % q[2]];
        CHECK_NEAR(out[(i * n[1] + j) * n[2] + k], op ? (double)u * (double)v : (double)u + (double)v, 3e-7);
      }
    }
  }
}

static void copies(const hfm__cpu *cpu) {
  enum { A = 3, B = 4, C = 21 };
  float x[A * B * C], out[A * B * C];
  uint16_t narrow_x[A * B * C];
  double wide_x[A * B * C];
  const int32_t types[] = {HFM_F32, HFM_F16, HFM_BF16, HFM_F64};
  size_t t;
  int64_t i, j, k;
  int turned;
  for (i = 0; i < A * B * C; i++) {
    x[i] = (float)(i % 200) / 8;
    wide_x[i] = (double)x[i];
  }
  for (t = 0; t < HFM__COUNT(types); t++) {
    for (turned = 0; turned < 2; turned++) {
      hfm__op_args a;
      hfm__attrs attrs;
      void *data = types[t] == HFM_F32 ? (void *)x : types[t] == HFM_F64 ? (void *)wide_x : (void *)narrow_x;
      for (i = 0; i < A * B * C; i++) narrow_x[i] = narrow(types[t], x[i]);
      prepare(&a, &attrs, cpu);
      a.in[0] = operand(data, types[t], 3, A, B, C, 0);
      a.out[0] = operand(out, HFM_F32, 3, A, B, C, 0);
      if (turned) { /* the last dimension comes first in memory */
        a.in[0].stride[0] = 1;
        a.in[0].stride[1] = A * C;
        a.in[0].stride[2] = A;
      }
      run_op(HFM__OP_copy, &a, 1);
      for (i = 0; i < A; i++) for (j = 0; j < B; j++) for (k = 0; k < C; k++)
        CHECK(out[(i * B + j) * C + k] == x[turned ? i + j * A * C + k * A : (i * B + j) * C + k]);
    }
  }
}

static void concats(const hfm__cpu *cpu) {
  int32_t axis;
  for (axis = 0; axis < 3; axis++) {
    float x[2 * 3 * 5], y[2 * 3 * 5], out[4 * 3 * 5];
    int64_t n[3] = {2, 3, 5}, m[3] = {2, 3, 5}, sum[3] = {2, 3, 5}, i, j, k;
    hfm__op_args a;
    hfm__attrs attrs;
    m[axis] = 1;
    sum[axis] += 1;
    random_fill(x, 30);
    random_fill(y, 30);
    prepare(&a, &attrs, cpu);
    attrs.axis = axis;
    a.in[0] = operand(x, HFM_F32, 3, n[0], n[1], n[2], 0);
    a.in[1] = operand(y, HFM_F32, 3, m[0], m[1], m[2], 0);
    a.out[0] = operand(out, HFM_F32, 3, sum[0], sum[1], sum[2], 0);
    run_op(HFM__OP_concat, &a, 1);
    for (i = 0; i < sum[0]; i++) for (j = 0; j < sum[1]; j++) for (k = 0; k < sum[2]; k++) {
      const int64_t at[3] = {i, j, k};
      const int second = at[axis] >= n[axis];
      const float want = second ? y[((axis == 0 ? 0 : i) * m[1] + (axis == 1 ? 0 : j)) * m[2] + (axis == 2 ? 0 : k)]
                                : x[(i * n[1] + j) * n[2] + k];
      CHECK(out[(i * sum[1] + j) * sum[2] + k] == want);
    }
  }
}

static void gathers(const hfm__cpu *cpu) {
  int64_t ids[6] = {0, 4, 2, 2, 1, 3}, rows[2] = {2, 0};
  float table[5 * 9], out[6 * 9];
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t i, j;
  random_fill(table, 45);
  prepare(&a, &attrs, cpu);
  a.in[0] = operand(ids, HFM_I64, 2, 2, 3, 0, 0);
  a.in[1] = operand(table, HFM_F32, 2, 5, 9, 0, 0);
  a.out[0] = operand(out, HFM_F32, 3, 2, 3, 9, 0);
  run_op(HFM__OP_embedding, &a, 1);
  for (i = 0; i < 6; i++) for (j = 0; j < 9; j++) CHECK(out[i * 9 + j] == table[ids[i] * 9 + j]);
  ids[5] = 5; /* nobody may read past the table */
  run_op(HFM__OP_embedding, &a, 1);
  CHECK(is_nan(out[5 * 9]));
  a.in[0] = operand(out, HFM_F32, 3, 2, 3, 9, 0);
  a.in[1] = operand(rows, HFM_I64, 1, 2, 0, 0, 0);
  a.out[0] = operand(table, HFM_F32, 2, 2, 9, 0, 0);
  run_op(HFM__OP_gather_rows, &a, 1);
  for (j = 0; j < 9; j++) CHECK(table[j] == out[2 * 9 + j] && table[9 + j] == out[3 * 9 + j]);
}

static void indices(const hfm__cpu *cpu) {
  int64_t ids[8] = {7, 8, 1, 1, 1, 9, 1, 2}, out[8], dims[1] = {0};
  const int64_t positions[8] = {2, 3, 1, 1, 1, 2, 1, 3};
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t i;
  prepare(&a, &attrs, cpu);
  attrs.pad = 1;
  a.dims = dims;
  a.in[0] = operand(ids, HFM_I64, 2, 2, 4, 0, 0);
  a.out[0] = operand(out, HFM_I64, 2, 2, 4, 0, 0);
  run_op(HFM__OP_padded_positions, &a, 1);
  for (i = 0; i < 8; i++) CHECK_INT(out[i], positions[i]);
  dims[0] = 5; /* as many are cached: all are further on, but padding stays where it is */
  run_op(HFM__OP_padded_positions, &a, 1);
  for (i = 0; i < 8; i++) CHECK_INT(out[i], positions[i] == 1 ? 1 : positions[i] + 5);
  a.out[0] = operand(out, HFM_I64, 1, 2, 0, 0, 0);
  run_op(HFM__OP_last_token, &a, 1);
  CHECK_INT(out[0], 1);
  CHECK_INT(out[1], 3);
  attrs.pad = 2;
  ids[0] = ids[1] = ids[2] = ids[3] = 2; /* nothing but padding */
  run_op(HFM__OP_last_token, &a, 1);
  CHECK_INT(out[0], 0);
  CHECK_INT(out[1], 2);
  a.out[0] = operand(out, HFM_I64, 2, 1, 8, 0, 0);
  run_op(HFM__OP_iota, &a, 1);
  for (i = 0; i < 8; i++) CHECK_INT(out[i], 5 + i);
}

/* Positions by what attention_mask keeps, and biases that grow with them. The slopes are those of Transformers. */
static void alibi(const hfm__cpu *cpu) {
  static const double six[6] = {0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125};
  static const float rounded[2] = {0.5f, 0.70703125f}; /* 2^-1 and 2^-0.5 in bf16 */
  uint8_t keep[8] = {0, 0, 1, 1, 1, 0, 1, 1};
  const int64_t kept[8] = {-1, -1, 0, 1, 0, -1, 1, 2};
  int64_t positions[8], far[2] = {257, 1};
  float out[2 * 6 * 4];
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t b, h, s;
  prepare(&a, &attrs, cpu);
  attrs.pad = -1;
  a.in[0] = operand(keep, HFM_U8, 2, 2, 4, 0, 0);
  a.out[0] = operand(positions, HFM_I64, 2, 2, 4, 0, 0);
  run_op(HFM__OP_kept_positions, &a, 1);
  for (s = 0; s < 8; s++) CHECK_INT(positions[s], kept[s]);
  attrs.scale = 0.5f;
  a.in[0] = operand(positions, HFM_I64, 2, 2, 4, 0, 0);
  a.out[0] = operand(out, HFM_F32, 4, 2, 6, 1, 4);
  run_op(HFM__OP_alibi, &a, 2);
  for (b = 0; b < 2; b++) for (h = 0; h < 6; h++) for (s = 0; s < 4; s++)
    CHECK_NEAR(out[(b * 6 + h) * 4 + s], six[h] * (double)kept[b * 4 + s] * 0.5, 1e-7);
  attrs.scale = 1.0f;
  attrs.rounded = HFM_BF16;
  a.in[0] = operand(far, HFM_I64, 2, 1, 2, 0, 0);
  a.out[0] = operand(out, HFM_F32, 4, 1, 12, 1, 2);
  run_op(HFM__OP_alibi, &a, 1); /* 12 heads: 8 of 2^-1, 2^-2, ..., then 2^-0.5, 2^-1.5, ... */
  CHECK(out[0] == rounded[0] * 256.0f && out[1] == rounded[0]); /* 257 has too many bits */
  CHECK(out[16] == rounded[1] * 256.0f && out[17] == rounded[1]);
}

/* Ids shifted right, after one that is given or after their own last one that is not padding. */
static void shifted(const hfm__cpu *cpu) {
  int64_t ids[8] = {7, 8, 1, 1, 5, 1, 6, 2}, out[8];
  const int64_t started[8] = {9, 7, 8, 1, 9, 5, 1, 6}, wrapped[8] = {8, 7, 8, 1, 6, 5, 1, 6};
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t i;
  prepare(&a, &attrs, cpu);
  attrs.pad = 9;
  a.in[0] = operand(ids, HFM_I64, 2, 2, 4, 0, 0);
  a.out[0] = operand(out, HFM_I64, 2, 2, 4, 0, 0);
  run_op(HFM__OP_shift_right, &a, 1);
  for (i = 0; i < 8; i++) CHECK_INT(out[i], started[i]);
  attrs.pad = 1;
  attrs.wrapped = 1;
  run_op(HFM__OP_shift_right, &a, 1); /* in the second row it is the third: as many are none */
  for (i = 0; i < 8; i++) CHECK_INT(out[i], wrapped[i]);
}

static void sinusoids(const hfm__cpu *cpu) {
  int64_t positions[4] = {0, 1, 2047, 3};
  const hfm_dtype dtypes[2] = {HFM_F32, HFM_BF16};
  float given[2] = {1.0f, 0.01f}, out[4 * 5];
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t s, j, d;
  prepare(&a, &attrs, cpu);
  attrs.pad = 3;
  a.in[0] = operand(positions, HFM_I64, 2, 2, 2, 0, 0);
  a.in[1] = operand(given, HFM_F32, 1, 2, 0, 0, 0);
  a.out[0] = operand(out, HFM_F32, 3, 2, 2, 5, 0);
  for (d = 0; d < 2; d++) {
    attrs.rounded = dtypes[d];
    run_op(HFM__OP_sinusoids, &a, 1);
    for (s = 0; s < 4; s++) for (j = 0; j < 2; j++) {
      const float product = (float)((float)positions[s] * given[j]);
      const double angle = (double)product, kept = s < 3, error = d ? 0.004 : 1e-7;
      CHECK_NEAR(out[s * 5 + j], kept * sin(angle), error);
      CHECK_NEAR(out[s * 5 + 2 + j], kept * cos(angle), error);
      CHECK(out[s * 5 + j] == hfm__rounded(dtypes[d], (double)out[s * 5 + j]));
    }
    for (s = 0; s < 4; s++) CHECK(out[s * 5 + 4] == 0.0f);
  }
}

static void angles(const hfm__cpu *cpu) {
  int64_t positions[3] = {0, 1, 2047};
  float given[2] = {1.0f, 0.01f}, out[3 * 4];
  hfm__op_args a;
  hfm__attrs attrs;
  int64_t s, j;
  prepare(&a, &attrs, cpu);
  attrs.scale = 1.5f;
  a.in[0] = operand(positions, HFM_I64, 2, 1, 3, 0, 0);
  a.in[1] = operand(given, HFM_F32, 1, 2, 0, 0, 0);
  a.out[0] = operand(out, HFM_F32, 4, 1, 3, 2, 2);
  run_op(HFM__OP_rope_angles, &a, 1);
  for (s = 0; s < 3; s++) for (j = 0; j < 2; j++) {
    const float product = (float)((float)positions[s] * given[j]); /* rounded, whatever FLT_EVAL_METHOD is */
    const double angle = (double)product;
    CHECK_NEAR(out[s * 4 + j], 1.5 * cos(angle), 2e-7);
    CHECK_NEAR(out[s * 4 + 2 + j], 1.5 * sin(angle), 2e-7);
  }
}

static void frequencies(const hfm__cpu *cpu) {
  int64_t positions[4] = {0, 99, 5, 3};
  float given[2] = {1.0f, 0.01f}, beyond[2] = {0.5f, 0.25f}, out[2];
  hfm__op_args a;
  hfm__attrs attrs;
  prepare(&a, &attrs, cpu);
  attrs.parameter[0] = 10000;
  attrs.parameter[1] = 2;
  attrs.parameter[2] = 4;
  attrs.parameter[3] = 100;
  a.in[0] = operand(positions, HFM_I64, 2, 2, 2, 0, 0);
  a.in[1] = operand(given, HFM_F32, 1, 2, 0, 0, 0);
  a.out[0] = operand(out, HFM_F32, 1, 2, 0, 0, 0);
  run_op(HFM__OP_rope_frequencies, &a, 1); /* up to the original length */
  CHECK(bits_of(out[0]) == bits_of(1.0f) && bits_of(out[1]) == bits_of(0.01f));
  positions[3] = 199; /* base * (2 * 200 / 100 - 1)^2 = 90000 */
  run_op(HFM__OP_rope_frequencies, &a, 1);
  CHECK_NEAR(out[0], 1, 0);
  CHECK_NEAR(out[1], 1.0 / 300, 1e-8);
  a.in[2] = operand(beyond, HFM_F32, 1, 2, 0, 0, 0);
  run_op(HFM__OP_rope_frequencies, &a, 1);
  CHECK(bits_of(out[0]) == bits_of(0.5f) && bits_of(out[1]) == bits_of(0.25f));
}

static void test_activations(void) { each_tier_exactly(activations_everywhere); }
static void test_special(void) { each_tier_exactly(special_values); }
static void test_norms(void) { each_tier(norms); }
static void test_softmax(void) { each_tier(softmax); }
static void test_widening(void) { each_tier_exactly(widening); }
static void test_broadcasting(void) { each_tier(broadcasting); }
static void test_copies(void) { each_tier(copies); }
static void test_concats(void) { each_tier(concats); }
static void test_gathers(void) { each_tier(gathers); }
static void test_indices(void) { each_tier(indices); }
static void test_alibi(void) { each_tier(alibi); }
static void test_shifted(void) { each_tier(shifted); }
static void test_sinusoids(void) { each_tier(sinusoids); }
static void test_angles(void) { each_tier(angles); }
static void test_frequencies(void) { each_tier(frequencies); }

/* A machine without a tier says so by its name, and says what it has. */
static void test_missing_tier(void) {
  hfm__cpu cpu;
  hfm_error error;
  const int32_t missing = HFM__X86 ? HFM_ISA_NEON : HFM_ISA_AVX512;
  CHECK_INT(hfm__cpu_select(missing, &cpu, &error), HFM_ERROR_UNSUPPORTED);
  CHECK_INT(error.item, HFM_E_ISA_MISSING);
  CHECK_CONTAINS(error.message, hfm__isa_name(missing));
  CHECK_CONTAINS(error.message, hfm__isa_name(hfm__isa_best()));
}

/* Which tiers the kernel's file says that this machine has, against what was found. */
static void test_tiers_tested(void) {
  static char text[65536];
  FILE *f = fopen("/proc/cpuinfo", "r");
  size_t n;
  if (!f) {
    SKIP("no /proc/cpuinfo to compare with");
    return;
  }
  n = fread(text, 1, sizeof text - 1, f);
  text[n] = 0;
  (void)fclose(f);
  printf("  best tier: %s\n", hfm__isa_name(hfm__isa_best()));
  if (HFM__WITH_AVX2 && strstr(text, " avx2 ") && strstr(text, " fma ")) CHECK(hfm__isa_best() >= HFM_ISA_AVX2);
  if (HFM__WITH_AVX512 && strstr(text, " avx512dq ") && strstr(text, " avx512bw ") && strstr(text, " avx512vl "))
    CHECK(hfm__isa_best() >= HFM_ISA_AVX512);
}

static void test_rows(void) {
  TEST(test_activations);
  TEST(test_special);
  TEST(test_norms);
  TEST(test_softmax);
  TEST(test_widening);
  TEST(test_broadcasting);
  TEST(test_copies);
  TEST(test_concats);
  TEST(test_gathers);
  TEST(test_indices);
  TEST(test_alibi);
  TEST(test_shifted);
  TEST(test_sinusoids);
  TEST(test_angles);
  TEST(test_frequencies);
  TEST(test_missing_tier);
  TEST(test_tiers_tested);
}
