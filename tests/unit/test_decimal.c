/* double <-> decimal: correctly rounded in, shortest out as Python's repr; no locale, no libc. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"

static uint64_t bits_of(const char *text) {
  double value = 0;
  CHECK(hfm__parse_double(text, strlen(text), &value));
  return hfm__double_bits(value);
}

static const char *shortest(uint64_t bits, char out[40]) {
  hfm__text t = hfm__text_to(out, 40);
  hfm__text_double(&t, hfm__double_from_bits(bits));
  CHECK(t.length < 40);
  return out;
}

/* Values from Python: (text, struct.pack('>d', float(text)).hex(), repr(float(text))) */
static void test_known(void) {
  static const struct {
    const char *text;
    uint64_t bits;
    const char *written;
  } cases[] = {
      {"0", 0, "0.0"},
      {"-0", 0x8000000000000000u, "-0.0"},
      {"0.0e999", 0, "0.0"},
      {"1", 0x3ff0000000000000u, "1.0"},
      {"0.1", 0x3fb999999999999au, "0.1"},
      {"1e-12", 0x3d719799812dea11u, "1e-12"},
      {"1E20", 0x4415af1d78b58c40u, "1e+20"},
      {"100000.0", 0x40f86a0000000000u, "100000.0"},
      {"1e16", 0x4341c37937e08000u, "1e+16"},
      {"9999999999999998", 0x4341c37937e07fffu, "9999999999999998.0"},
      {"0.0001", 0x3f1a36e2eb1c432du, "0.0001"},
      {"0.00001", 0x3ee4f8b588e368f1u, "1e-05"},
      {"1e100", 0x54b249ad2594c37du, "1e+100"},
      {"123456789.125", 0x419d6f3454800000u, "123456789.125"},
      {"1e22", 0x4480f0cf064dd592u, "1e+22"},
      {"1e23", 0x44b52d02c7e14af6u, "1e+23"},
      {"9007199254740993", 0x4340000000000000u, "9007199254740992.0"}, /* halfway: to even */
      {"9007199254740995", 0x4340000000000002u, "9007199254740996.0"},
      {"5.684341886080802e-14", 0x3d30000000000000u, "5.684341886080802e-14"}, /* 2^-44: unequal gaps */
      {"2.2250738585072014e-308", 0x0010000000000000u, "2.2250738585072014e-308"}, /* smallest normal */
      {"2.2250738585072011e-308", 0x000fffffffffffffu, "2.225073858507201e-308"},  /* largest subnormal */
      {"5e-324", 1, "5e-324"},
      {"2.4703282292062327e-324", 0, "0.0"}, /* just below half of the smallest */
      {"2.4703282292062328e-324", 1, "5e-324"},
      {"1.7976931348623157e308", 0x7fefffffffffffffu, "1.7976931348623157e+308"},
      {"1.7976931348623158e308", 0x7fefffffffffffffu, "1.7976931348623157e+308"},
      {"1.7976931348623159e308", 0x7ff0000000000000u, "inf"},
      {"-1e400", 0xfff0000000000000u, "-inf"},
      {"1e-400", 0, "0.0"},
      {"1e99999999999999999999", 0x7ff0000000000000u, "inf"},
      {"1e-99999999999999999999", 0, "0.0"},
      {"0e99999999999999999999", 0, "0.0"},
  };
  char out[40];
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    if (!CHECK(bits_of(cases[i].text) == cases[i].bits)) printf("    %s\n", cases[i].text);
    CHECK_STR(shortest(cases[i].bits, out), cases[i].written);
  }
  CHECK_STR(shortest(0x7ff8000000000000u, out), "nan");
}

/* What is no number. */
static void test_refused(void) {
  static const char *const cases[] = {"", "-", ".", ".5", "5.", "1e", "1e+", "e5", "+1", " 1", "1 ", "0x10", "1_0",
                                      "inf", "nan", "1,5", "--1", "1e5.0", "1..2"};
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    double value;
    if (!CHECK(!hfm__parse_double(cases[i], strlen(cases[i]), &value))) printf("    '%s'\n", cases[i]);
  }
}

/* Writing and reading give every bit back, for all exponents and their neighbours and for many others. */
static void test_round_trip(void) {
  uint64_t state = 88172645463325252u;
  char out[40];
  for (uint64_t exponent = 0; exponent < 0x7ff; exponent++)
    for (uint64_t low = 0; low < 3; low++) {
      const uint64_t bits = (exponent << 52) + low - (exponent ? 1 : 0);
      if (!CHECK(bits_of(shortest(bits, out)) == bits)) printf("    %s\n", out);
    }
  for (int i = 0; i < 20000; i++) {
    uint64_t bits;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    bits = state >> (i % 3 ? 0 : 20);
    if ((bits >> 52 & 0x7ff) == 0x7ff) continue;
    if (!CHECK(bits_of(shortest(bits, out)) == bits)) printf("    %s\n", out);
  }
}

/* Digits beyond the 17th, and beyond the 800th, still decide a halfway case. */
static void test_long_digits(void) {
  /* 1 + 2^-53 exactly, the middle between 1 and the next double */
  static const char middle[] = "1.00000000000000011102230246251565404236316680908203125";
  char text[1200];
  size_t n = sizeof middle - 1;
  CHECK(bits_of(middle) == 0x3ff0000000000000u);
  memcpy(text, middle, n);
  memset(text + n, '0', sizeof text - n);
  text[1000] = '1';
  text[1001] = 0;
  CHECK(bits_of(text) == 0x3ff0000000000001u);
  text[1000] = '0';
  CHECK(bits_of(text) == 0x3ff0000000000000u);
  CHECK(bits_of("1.00000000000000011102230246251565404236316680908203124") == 0x3ff0000000000000u);
}

int main(void) {
  TEST(test_known);
  TEST(test_refused);
  TEST(test_round_trip);
  TEST(test_long_digits);
  return check_report("test_decimal");
}
