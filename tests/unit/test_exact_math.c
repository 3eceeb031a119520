/* Functions with the same bits everywhere, against the C library's, which are good to a unit in the last place. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"

static void test_exp(void) {
  for (int32_t i = -70000; i <= 70000; i += 7) {
    const double x = i * 0.01 + i * 1e-7, expected = exp(x);
    if (!CHECK_NEAR(hfm__exact_exp(x) / expected, 1, 4e-15) ||
        !CHECK_NEAR(hfm__exact_exp_shorter(x) / expected, 1, 1e-11)) {
      printf("    exp(%.17g)\n", x);
      return;
    }
  }
  CHECK(hfm__exact_exp(0) == 1 && hfm__exact_exp_shorter(0) == 1);
}

static void test_log_and_pow(void) {
  for (int32_t i = 1; i < 20000; i++) {
    const double x = exp(i * 0.06 - 600), y = i * 1e-4;
    if (!CHECK_NEAR(hfm__exact_log(x), log(x), 4e-15 * (1e-3 + fabs(log(x)))) ||
        !CHECK_NEAR(hfm__exact_pow(10000 + i, y) / pow(10000 + i, y), 1, 2e-14)) {
      printf("    %.17g, %.17g\n", x, y);
      return;
    }
  }
  CHECK(hfm__exact_log(1) == 0);
  CHECK(hfm__exact_pow(2, 10) == 1024 && hfm__exact_pow(10, 1e4) == HUGE_VAL && hfm__exact_pow(10, -1e4) == 0);
}

/* Of floats: small angles, and those that lose all their digits to the turns in them. */
static void test_sine_cosine(void) {
  double sine, cosine;
  for (int32_t e = -40; e < 127; e++) {
    for (int32_t m = 0; m < 64; m++) {
      const float x = (float)ldexp((m % 2 ? -1 : 1) * (1 + m / 64.0 + 1.0 / 8388608), e);
      hfm__sine_cosine(x, &sine, &cosine);
      if (!CHECK(fabs(sine - sin((double)x)) < 1e-15) || !CHECK(fabs(cosine - cos((double)x)) < 1e-15)) {
        printf("    %.9g\n", (double)x);
        return;
      }
    }
  }
  hfm__sine_cosine(HUGE_VALF, &sine, &cosine);
  CHECK(sine != sine && cosine != cosine);
}

int main(void) {
  TEST(test_exp);
  TEST(test_log_and_pow);
  TEST(test_sine_cosine);
  return check_report("test_exact_math");
}
