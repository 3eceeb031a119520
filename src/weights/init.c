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

/* In (0, 1]. */
HFM__PRIVATE float hfm__random_unit(uint64_t bits) {
  return ((float)(uint32_t)(bits >> 40) + 1.0f) * (1.0f / 16777216.0f);
}

/* Two numbers from the standard normal distribution (Box and Muller 1958). */
HFM__PRIVATE void hfm__random_normal(hfm__random *r, float pair[2]) {
  const uint64_t bits = hfm__random_next(r);
  const float u = hfm__random_unit(bits);
  const uint32_t quadrant = (uint32_t)(bits >> 22 & 3);
  const float radius = sqrtf(-2.0f * (float)hfm__exact_log((double)u));
  double s, c;
  hfm__sine_cosine_near((double)(int64_t)(bits & 0x3fffff) * (1.5707963267948966 / 4194304.0) - 0.78539816339744831,
                        &s, &c);
  pair[0] = radius * (float)(quadrant & 1 ? s : c);
  pair[1] = radius * (float)(quadrant & 1 ? c : s);
  if (quadrant & 2) pair[0] = -pair[0];
  if ((quadrant ^ quadrant >> 1) & 1) pair[1] = -pair[1];
}

/* A number from the normal distribution of that deviation, if it is not cut: from -2 to 2. A wide one is nearly
   uniform there, so a uniform number is tried, as often taken as its density says: no try fails more often than 6
   times in 7. */
HFM__PRIVATE int hfm__random_truncated(hfm__random *r, float deviation, float *x) {
  float pair[2], t;
  if (deviation <= 1) {
    hfm__random_normal(r, pair);
    *x = pair[0] * deviation;
    return *x >= -2 && *x <= 2;
  }
  *x = 4 * hfm__random_unit(hfm__random_next(r)) - 2;
  t = *x / deviation;
  return t * t <= -2.0f * (float)hfm__exact_log((double)hfm__random_unit(hfm__random_next(r)));
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
  for (int64_t i = 0; i < elements; i++) {
    double value = p->init == HFM__INIT_ONES;
    if (p->init == HFM__INIT_SINUSOIDAL) {
      value = hfm__sinusoid(i / p->shape[1], i % p->shape[1], p->shape[1]);
    } else if (p->init == HFM__INIT_SINUSOIDAL_HALVES) {
      const int64_t column = i % p->shape[1], sines = (p->shape[1] + 1) / 2;
      value = hfm__sinusoid(i / p->shape[1], column < sines ? 2 * column : 2 * (column - sines) + 1, p->shape[1]);
    } else if (p->init == HFM__INIT_NORMAL) {
      if (!(i & 1)) hfm__random_normal(&random, pair);
      value = (double)(pair[i & 1] * p->deviation);
    } else if (p->init == HFM__INIT_TRUNCATED) {
      while (!hfm__random_truncated(&random, p->deviation, &pair[0])) continue;
      value = (double)pair[0];
    }
    hfm__store(data, dtype, i, value);
  }
  if (p->padding >= 0)
    for (int64_t i = 0; i < p->shape[1]; i++) hfm__store(data, dtype, p->padding * p->shape[1] + i, 0.0);
}
