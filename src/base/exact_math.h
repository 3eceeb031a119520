/* ==== base/exact_math (private): log, exp, powers, sines and cosines with the same bits everywhere ================
   C libraries differ in their last digits, and compilers may fuse a product with a sum. Here everything is double
   arithmetic in one written order. Within 4 units in the last place of a double where the callers are: they round to
   float. The constants are the series' own (n!, odd numbers), log 2 and pi, and 2^(i / 32). */

/* A product that stays one: the compiler can't see through it, so it can't fuse it with what comes after. */
HFM__INLINE double hfm__exact(double x) {
#if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__SSE2_MATH__))
  __asm__("" : "+x"(x));
#elif (defined(__GNUC__) || defined(__clang__)) && defined(__aarch64__)
  __asm__("" : "+w"(x));
#elif !defined(__wasm__) /* which has no such instruction */
  volatile double kept = x;
  x = kept;
#endif
  return x;
}

/* c + a * b, rounded twice */
HFM__INLINE double hfm__exact_madd(double a, double b, double c) { return hfm__exact(a * b) + c; }

/* b where a comparison with NaN decides. */
HFM__INLINE double hfm__exact_max(double a, double b) { return a > b ? a : b; }
HFM__INLINE double hfm__exact_min(double a, double b) { return a < b ? a : b; }

/* c[0] x^(n-1) + c[1] x^(n-2) + ... + c[n-1] */
HFM__INLINE double hfm__exact_series(double x, const double *c, int32_t n) {
  double sum = c[0];
  int32_t i;
  for (i = 1; i < n; i++) sum = hfm__exact_madd(sum, x, c[i]);
  return sum;
}

HFM__PRIVATE double hfm__power_of_two(int64_t n) { /* n in [-1022, 1023] */
  const uint64_t bits = (uint64_t)(n + 1023) << 52;
  double f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* x 2^n; beyond 200 as for 200. */
HFM__INLINE double hfm__exact_scale(double x, double n) {
  return x * hfm__power_of_two(n > -200 ? (n < 200 ? (int64_t)n : 200) : -200);
}

/* Of a normal number above 0: x = m 2^e with m in [0.71, 1.42], log m = 2 atanh((m - 1) / (m + 1)). */
HFM__PRIVATE double hfm__exact_log(double x) {
  static const double odd[] = {1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
                               1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3,  1.0};
  uint64_t bits;
  double m, t, p, e;
  memcpy(&bits, &x, sizeof bits);
  e = (double)((int64_t)(bits >> 52 & 0x7ff) - 1023);
  bits = (bits & 0xfffffffffffffu) | (uint64_t)1023 << 52;
  memcpy(&m, &bits, sizeof m);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e += 1;
  }
  t = (m - 1) / (m + 1);
  p = hfm__exact_series(hfm__exact(t * t), odd, (int32_t)HFM__COUNT(odd));
  /* log 2 in two parts, the first of few enough bits that e times it is exact */
  p = hfm__exact_madd(e, 1.90821492927058770002e-10, hfm__exact(2 * t * p));
  return hfm__exact_madd(e, 6.93147180369123816490e-01, p);
}

/* For x in [-700, 700]. */
HFM__PRIVATE double hfm__exact_exp(double x) {
  static const double factorial[] = {
      1.0 / 87178291200, 1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
      1.0 / 362880,      1.0 / 40320,      1.0 / 5040,      1.0 / 720,      1.0 / 120,
      1.0 / 24,          1.0 / 6,          1.0 / 2,         1.0,            1.0};
  const double n = floor(hfm__exact(x * 1.4426950408889634) + 0.5);
  double r = hfm__exact_madd(-n, 6.93147180369123816490e-01, x);
  r = hfm__exact_madd(-n, 1.90821492927058770002e-10, r);
  return hfm__exact_series(r, factorial, (int32_t)HFM__COUNT(factorial)) * hfm__power_of_two((int64_t)n);
}

/* Within 1e-11 of it, in little more than half of the time, for many that are added up: x = n log 2 / 32 + r with
   |r| < 0.011, and 2^(n / 32) is a power of 2 times one of a table. */
HFM__PRIVATE double hfm__exact_exp_shorter(double x) {
  static const double part[] = {
      1.0,                1.0218971486541166, 1.0442737824274138, 1.0671404006768237, 1.0905077326652577,
      1.1143867425958924, 1.1387886347566916, 1.1637248587775775, 1.189207115002721,  1.215247359980469,
      1.241857812073484,  1.2690509571917332, 1.2968395546510096, 1.3252366431597413, 1.3542555469368927,
      1.383909881963832,  1.4142135623730951, 1.4451808069770467, 1.4768261459394993, 1.5091644275934228,
      1.5422108254079407, 1.5759808451078865, 1.6104903319492543, 1.645755478153965,  1.681792830507429,
      1.718619298122478,  1.7562521603732995, 1.7947090750031072, 1.8340080864093424, 1.8741676341103,
      1.9152065613971474, 1.9571441241754002};
  static const double factorial[] = {1.0 / 24, 1.0 / 6, 1.0 / 2, 1.0, 1.0};
  const double t = hfm__exact(x * 46.16624130844683);
  const int32_t n = (int32_t)hfm__exact(t + (t < 0 ? -0.5 : 0.5)), of_table = n & 31;
  double r = hfm__exact_madd(-n, 0.021660848520696163, x); /* log 2 / 32 in two parts, as above */
  r = hfm__exact_madd(-n, 8.718021277417983e-10, r);
  return hfm__exact(hfm__exact_series(r, factorial, (int32_t)HFM__COUNT(factorial)) * part[of_table]) *
         hfm__power_of_two((n - of_table) / 32);
}

/* x^y for x > 0 and results that a float can hold; beyond, 0 or infinity. */
HFM__PRIVATE double hfm__exact_pow(double x, double y) {
  const double z = hfm__exact(y * hfm__exact_log(x));
  return z > 700 ? HUGE_VAL : z < -700 ? 0.0 : hfm__exact_exp(z);
}

/* Sine and cosine of r, |r| <= pi / 4. */
HFM__PRIVATE void hfm__sine_cosine_near(double r, double *sine, double *cosine) {
  static const double odd[] = {1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800,
                               1.0 / 362880,          -1.0 / 5040,          1.0 / 120,        -1.0 / 6,        1.0};
  static const double even[] = {1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800,
                                1.0 / 40320,          -1.0 / 720,         1.0 / 24,        -1.0 / 2,       1.0};
  const double s = hfm__exact(r * r);
  *sine = r * hfm__exact_series(s, odd, (int32_t)HFM__COUNT(odd));
  *cosine = hfm__exact_series(s, even, (int32_t)HFM__COUNT(even));
}

/* Sine and cosine of any float. x 2 / pi modulo 4 comes out of integers: the 24 bits of x times those 96 bits of 2 / pi
   that count (Payne and Hanek 1983). */
HFM__PRIVATE void hfm__sine_cosine(float x, double *sine, double *cosine) {
  static const uint32_t two_over_pi[] = {0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u,
                                         0xdb629599u, 0x3c439041u, 0xfe5163abu, 0xdebbc561u};
  uint32_t bits, window[3], quadrant = 0;
  double s, c, r;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffffu) >= 0x7f800000u) { /* infinite, or no number */
    bits = 0x7fc00000u;
    memcpy(&x, &bits, sizeof x);
    *sine = *cosine = (double)x;
    return;
  }
  r = (double)x;
  if ((bits & 0x7fffffffu) >= 0x3f000000u) { /* from 0.5 on: m 2^e, m of 24 bits */
    const uint64_t m = (bits & 0x7fffffu) | 0x800000u;
    const int32_t first = (int32_t)(bits >> 23 & 0xff) - 150 - 2; /* bits of 2 / pi before it make multiples of 4 */
    uint64_t product = 0;
    int64_t fraction;
    int32_t i;
    for (i = 2; i >= 0; i--) {
      const int32_t at = first + 32 * i; /* of 32 bits; there are only zeros before bit 0 */
      const int32_t word = at >= 0 ? at / 32 : -((31 - at) / 32), shift = at - 32 * word;
      const uint64_t high = word >= 0 ? two_over_pi[word] : 0, low = word >= -1 ? two_over_pi[word + 1] : 0;
      product = m * (uint32_t)((high << 32 | low) >> (32 - shift)) + (product >> 32);
      window[i] = (uint32_t)product;
    }
    quadrant = window[0] >> 30;
    fraction = (int64_t)((uint64_t)(window[0] & 0x3fffffffu) << 32 | window[1]);
    if (fraction >= (int64_t)1 << 61) { /* the nearest multiple, not the one below */
      fraction -= (int64_t)1 << 62;
      quadrant++;
    }
    r = (double)fraction * hfm__power_of_two(-62) + (double)window[2] * hfm__power_of_two(-94);
    r *= 1.5707963267948966;
  }
  hfm__sine_cosine_near(r, &s, &c);
  if (quadrant & 1) {
    const double swap = s;
    s = c;
    c = -swap;
  }
  if (quadrant & 2) {
    s = -s;
    c = -c;
  }
  if (bits >> 31 && (bits & 0x7fffffffu) >= 0x3f000000u) s = -s; /* |x| was reduced */
  *sine = s;
  *cosine = c;
}
