/* ==== weights/init (private): newly initialised parameters ========================================================
   By the family's own rule (modeling_utils.py, _init_weights), from the caller's seed. Each parameter has a stream of
   its own, so its values depend on the seed and its name only. */

typedef struct hfm__random {
  uint64_t state;
} hfm__random;

/* splitmix64 (Steele, Lea, Flood 2014) */
HFM__PRIVATE uint64_t hfm__random_next(hfm__random *r) {
  uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

HFM__PRIVATE hfm__random hfm__random_for(uint64_t seed, const char *name) {
  hfm__random r;
  r.state = seed;
  for (; *name; name++) {
    r.state ^= (uint8_t)*name;
    (void)hfm__random_next(&r);
  }
  return r;
}

/* Two numbers from the standard normal distribution (Box and Muller 1958). */
HFM__PRIVATE void hfm__random_normal(hfm__random *r, float pair[2]) {
  const uint64_t bits = hfm__random_next(r);
  const float u = ((float)(uint32_t)(bits >> 40) + 1.0f) * (1.0f / 16777216.0f); /* (0, 1] */
  const uint32_t quadrant = (uint32_t)(bits >> 22 & 3);
  const float radius = sqrtf(-2.0f * (float)hfm__exact_log((double)u));
  double s, c;
  hfm__sine_cosine_near((double)(int64_t)(bits & 0x3fffff) * (1.5707963267948966 / 4194304.0) - 0.78539816339744831, &s, &c);
  pair[0] = radius * (float)(quadrant & 1 ? s : c);
  pair[1] = radius * (float)(quadrant & 1 ? c : s);
  if (quadrant & 2) pair[0] = -pair[0];
  if ((quadrant ^ quadrant >> 1) & 1) pair[1] = -pair[1];
}

/* "Attention is all you need", section 3.5. */
HFM__PRIVATE double hfm__sinusoid(int64_t position, int64_t column, int64_t columns) {
  const double angle = (double)position / pow(10000, (double)(column / 2 * 2) / (double)columns);
  return column % 2 ? cos(angle) : sin(angle);
}

/* Fills `data` with the parameter's initial values; dtype is F32, F16 or BF16. */
HFM__PRIVATE void hfm__initialise(const hfm__parameter *p, const char *name, uint64_t seed, hfm_dtype dtype,
                                  void *data) {
  const int64_t elements = hfm__parameter_elements(p);
  hfm__random random = hfm__random_for(seed, name);
  float pair[2] = {0, 0};
  if (p->init == HFM__INIT_SINUSOIDAL) {
    for (int64_t i = 0; i < elements; i++)
      hfm__store(data, dtype, i, hfm__sinusoid(i / p->shape[1], i % p->shape[1], p->shape[1]));
    return;
  }
  if (p->init != HFM__INIT_NORMAL) {
    for (int64_t i = 0; i < elements; i++) hfm__store(data, dtype, i, p->init == HFM__INIT_ONES ? 1.0 : 0.0);
    return;
  }
  for (int64_t i = 0; i < elements; i++) {
    if (!(i & 1)) hfm__random_normal(&random, pair);
    hfm__store(data, dtype, i, (double)(pair[i & 1] * p->deviation));
  }
  if (p->padding >= 0)
    for (int64_t i = 0; i < p->shape[1]; i++) hfm__store(data, dtype, p->padding * p->shape[1] + i, 0.0);
}
