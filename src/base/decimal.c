/* ==== base/decimal (private): double <-> decimal text, exact ===================================================
   strtod and snprintf follow the user's locale and, on some systems, round wrongly. Both directions here do integer
   arithmetic on one small bignum, so the result is the same on every machine, also under -ffast-math. */

enum {
  HFM__BIG_WORDS = 136,    /* 10^1125 (3738 bits) shifted by 64 is the largest number that occurs */
  HFM__DECIMAL_DIGITS = 800 /* more significant digits than any halfway case has (767) only say "a bit more" */
};

typedef struct hfm__big {
  uint32_t word[HFM__BIG_WORDS]; /* the lowest first */
  int32_t count;                 /* no leading zero words */
} hfm__big;

HFM__PRIVATE void hfm__big_set(hfm__big *a, uint64_t value) {
  a->count = 0;
  for (; value; value >>= 32) a->word[a->count++] = (uint32_t)value;
}

/* a = a * factor + addend */
HFM__PRIVATE void hfm__big_mul_add(hfm__big *a, uint32_t factor, uint32_t addend) {
  uint64_t carry = addend;
  for (int32_t i = 0; i < a->count; i++) {
    carry += (uint64_t)a->word[i] * factor;
    a->word[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry) a->word[a->count++] = (uint32_t)carry;
}

HFM__PRIVATE void hfm__big_mul_pow10(hfm__big *a, int32_t exponent) {
  for (; exponent >= 9; exponent -= 9) hfm__big_mul_add(a, 1000000000u, 0);
  for (; exponent > 0; exponent--) hfm__big_mul_add(a, 10, 0);
}

HFM__PRIVATE void hfm__big_shift_left(hfm__big *a, int32_t bits) {
  const int32_t words = bits / 32, rest = bits % 32;
  if (a->count == 0) return;
  if (words) {
    memmove(a->word + words, a->word, (size_t)a->count * sizeof a->word[0]);
    memset(a->word, 0, (size_t)words * sizeof a->word[0]);
    a->count += words;
  }
  if (rest) hfm__big_mul_add(a, (uint32_t)1 << rest, 0);
}

HFM__PRIVATE int32_t hfm__big_bits(const hfm__big *a) {
  int32_t bits = 0;
  if (a->count == 0) return 0;
  for (uint32_t top = a->word[a->count - 1]; top; top >>= 1) bits++;
  return bits + (a->count - 1) * 32;
}

HFM__PRIVATE int hfm__big_compare(const hfm__big *a, const hfm__big *b) {
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (int32_t i = a->count - 1; i >= 0; i--)
    if (a->word[i] != b->word[i]) return a->word[i] < b->word[i] ? -1 : 1;
  return 0;
}

/* a -= b, where a >= b */
HFM__PRIVATE void hfm__big_sub(hfm__big *a, const hfm__big *b) {
  int64_t borrow = 0;
  for (int32_t i = 0; i < a->count; i++) {
    borrow += (int64_t)a->word[i] - (i < b->count ? (int64_t)b->word[i] : 0);
    a->word[i] = (uint32_t)borrow;
    borrow = borrow < 0 ? -1 : 0;
  }
  while (a->count && a->word[a->count - 1] == 0) a->count--;
}

/* a += b */
HFM__PRIVATE void hfm__big_add(hfm__big *a, const hfm__big *b) {
  uint64_t carry = 0;
  for (int32_t i = 0; i < b->count || carry; i++) {
    if (i == a->count) a->word[a->count++] = 0;
    carry += (uint64_t)a->word[i] + (i < b->count ? b->word[i] : 0);
    a->word[i] = (uint32_t)carry;
    carry >>= 32;
  }
}

/* a %= b and returns the quotient, which must be below 2^32: a is at most a few times larger where this is used. */
HFM__PRIVATE uint32_t hfm__big_divide_small(hfm__big *a, const hfm__big *b) {
  uint32_t quotient = 0;
  for (; hfm__big_compare(a, b) >= 0; quotient++) hfm__big_sub(a, b);
  return quotient;
}

/* ---- Reading ---- */

HFM__PRIVATE double hfm__double_from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

HFM__PRIVATE uint64_t hfm__double_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* The bits of numerator/denominator, rounded to nearest even; both are non-zero and are used up. */
HFM__PRIVATE uint64_t hfm__round_ratio(hfm__big *numerator, hfm__big *denominator) {
  /* Scale by 2^-power so that the quotient lies in [2^53, 2^54): 53 bits and one to round by. */
  int32_t power = hfm__big_bits(numerator) - hfm__big_bits(denominator) - 54;
  uint64_t quotient = 0;
  int32_t dropped = 1;
  if (power < 0) hfm__big_shift_left(numerator, -power);
  else hfm__big_shift_left(denominator, power);
  hfm__big_shift_left(denominator, 54);
  for (int32_t bit = 0; bit < 55; bit++) { /* long division, from the 2^54 digit down */
    quotient <<= 1;
    if (hfm__big_compare(numerator, denominator) >= 0) {
      hfm__big_sub(numerator, denominator);
      quotient |= 1;
    }
    hfm__big_mul_add(numerator, 2, 0);
  }
  if (numerator->count) quotient = quotient << 1 | 1; /* a remainder: one sticky bit below */
  else quotient <<= 1;
  power--;
  for (uint64_t rest = quotient >> 54; rest; rest >>= 1) dropped++;
  /* quotient * 2^power, with quotient of 54 + dropped - 1 bits; drop more where the result is subnormal */
  if (power + dropped < -1074) dropped = -1074 - power;
  if (dropped > 62) return 0;
  {
    const uint64_t half = (uint64_t)1 << (dropped - 1), tail = quotient & ((half << 1) - 1);
    uint64_t mantissa = quotient >> dropped;
    if (tail > half || (tail == half && (mantissa & 1))) mantissa++;
    power += dropped;
    if (mantissa >> 53) {
      mantissa >>= 1;
      power++;
    }
    if (power > 971) return (uint64_t)0x7ff << 52;
    if (mantissa >> 52) return (uint64_t)(power + 1075) << 52 | (mantissa & (((uint64_t)1 << 52) - 1));
    return mantissa; /* subnormal or zero: power is -1074 */
  }
}

/* Reads `size` bytes of -?digits[.digits][e[+-]digits] into *value: correctly rounded, infinite on overflow.
   0 if the text is anything else. Time is linear in its length. */
HFM__PRIVATE int hfm__parse_double(const char *text, size_t size, double *value) {
  hfm__big numerator, denominator;
  uint64_t sign = 0, bits = 0;
  int64_t exponent = 0, written = 0;
  int32_t significant = 0, sticky = 0, digits = 0, negative = 0;
  size_t i = 0;
  if (i < size && text[i] == '-') {
    sign = (uint64_t)1 << 63;
    i++;
  }
  hfm__big_set(&numerator, 0);
  for (int32_t fraction = 0; i < size; i++) {
    if (text[i] == '.' && !fraction && digits) {
      fraction = 1;
      digits = 0;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') break;
    digits = 1;
    if (fraction) exponent--;
    if (significant == 0 && text[i] == '0') continue;
    if (significant < HFM__DECIMAL_DIGITS) {
      hfm__big_mul_add(&numerator, 10, (uint32_t)(text[i] - '0'));
      significant++;
    } else {
      if (text[i] != '0') sticky = 1;
      exponent++;
    }
  }
  if (!digits) return 0;
  if (i < size) {
    if (text[i] != 'e' && text[i] != 'E') return 0;
    i++;
    if (i < size && (text[i] == '+' || text[i] == '-')) negative = text[i++] == '-';
    if (i == size) return 0;
    for (; i < size; i++) {
      if (text[i] < '0' || text[i] > '9') return 0;
      if (written < (int64_t)1 << 40) written = written * 10 + (text[i] - '0');
    }
    exponent += negative ? -written : written;
  }
  if (sticky) { /* one more digit stands for all that were dropped: no halfway case is that long */
    hfm__big_mul_add(&numerator, 10, 1);
    significant++;
    exponent--;
  }
  if (significant && significant + exponent > 310) {
    bits = (uint64_t)0x7ff << 52;
  } else if (significant && significant + exponent > -325) {
    hfm__big_set(&denominator, 1);
    if (exponent >= 0) hfm__big_mul_pow10(&numerator, (int32_t)exponent);
    else hfm__big_mul_pow10(&denominator, (int32_t)-exponent);
    bits = hfm__round_ratio(&numerator, &denominator);
  }
  *value = hfm__double_from_bits(bits | sign);
  return 1;
}

/* ---- Writing ---- */

/* The shortest digits that read back as the same positive finite value, nearest to it among those (Steele and White,
   Dragon4). The value is 0.d1d2d3... * 10^point. */
HFM__PRIVATE int32_t hfm__shortest_digits(uint64_t bits, char digits[20], int32_t *point) {
  const int32_t field = (int32_t)(bits >> 52 & 0x7ff);
  const uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
  const uint64_t mantissa = field ? fraction | (uint64_t)1 << 52 : fraction;
  const int32_t power = (field ? field : 1) - 1075;
  const int32_t even = !(mantissa & 1);                /* then the ends of the interval round to this value too */
  const int32_t narrow = fraction == 0 && field > 1;   /* below a power of two the gap is half as wide */
  hfm__big value, scale, above, below, sum;
  int32_t count = 0, estimate, low, high;
  /* value/scale is the number, above/scale and below/scale half the gaps to its neighbours; all times 4 */
  hfm__big_set(&value, mantissa);
  hfm__big_set(&scale, 4);
  hfm__big_set(&above, 2);
  hfm__big_set(&below, narrow ? 1 : 2);
  hfm__big_shift_left(&value, 2 + HFM__MAX(power, 0));
  hfm__big_shift_left(&above, HFM__MAX(power, 0));
  hfm__big_shift_left(&below, HFM__MAX(power, 0));
  hfm__big_shift_left(&scale, HFM__MAX(-power, 0));
  /* floor(log10(value)) or one less, from log10(2) = 0.30103 as integers */
  estimate = hfm__big_bits(&value) - hfm__big_bits(&scale) - 1;
  estimate = (int32_t)(((int64_t)estimate * 30103 - (estimate < 0 ? 99999 : 0)) / 100000);
  if (estimate > 0) {
    hfm__big_mul_pow10(&scale, estimate);
  } else {
    hfm__big_mul_pow10(&value, -estimate);
    hfm__big_mul_pow10(&above, -estimate);
    hfm__big_mul_pow10(&below, -estimate);
  }
  for (;;) { /* until value + above is below (even: not above) scale: then the first digit is not 10 */
    sum = value;
    hfm__big_add(&sum, &above);
    if (hfm__big_compare(&sum, &scale) < (even ? 0 : 1)) break;
    hfm__big_mul_add(&scale, 10, 0);
    estimate++;
  }
  *point = estimate;
  for (;;) {
    uint32_t digit;
    hfm__big_mul_add(&value, 10, 0);
    hfm__big_mul_add(&above, 10, 0);
    hfm__big_mul_add(&below, 10, 0);
    digit = hfm__big_divide_small(&value, &scale);
    low = hfm__big_compare(&value, &below) < (even ? 1 : 0);
    sum = value;
    hfm__big_add(&sum, &above);
    high = hfm__big_compare(&sum, &scale) > (even ? -1 : 0);
    if (low || high) {
      if (high && low) { /* both ends may be cut here: the nearer one */
        int order;
        hfm__big_mul_add(&value, 2, 0);
        order = hfm__big_compare(&value, &scale);
        high = order > 0 || (order == 0 && (digit & 1));
      }
      if (high) digit++;
      digits[count++] = (char)('0' + digit);
      return count;
    }
    digits[count++] = (char)('0' + digit);
  }
}

/* As Python's repr: 0.1, 2.0, 1e-12, 1e+20, inf, nan. */
HFM__PRIVATE void hfm__text_double(hfm__text *t, double number) {
  const uint64_t bits = hfm__double_bits(number), magnitude = bits & ~((uint64_t)1 << 63);
  char digits[20];
  int32_t count = 0, point = 0, exponent;
  if (magnitude > (uint64_t)0x7ff << 52) {
    hfm__text_str(t, "nan");
    return;
  }
  if (bits != magnitude) hfm__text_char(t, '-');
  if (magnitude == (uint64_t)0x7ff << 52) {
    hfm__text_str(t, "inf");
    return;
  }
  if (magnitude) {
    count = hfm__shortest_digits(magnitude, digits, &point);
  } else {
    digits[count++] = '0';
    point = 1;
  }
  exponent = point - 1;
  if (exponent < -4 || exponent >= 16) {
    hfm__text_char(t, digits[0]);
    if (count > 1) hfm__text_char(t, '.');
    hfm__text_bytes(t, digits + 1, (size_t)(count - 1));
    hfm__text_str(t, exponent < 0 ? "e-" : "e+");
    if (exponent < 0) exponent = -exponent;
    if (exponent < 10) hfm__text_char(t, '0');
    hfm__text_u64(t, (uint64_t)exponent);
    return;
  }
  if (point <= 0) hfm__text_str(t, "0.");
  for (int32_t i = point; i < 0; i++) hfm__text_char(t, '0');
  for (int32_t i = 0; i < count; i++) {
    if (i && i == point) hfm__text_char(t, '.');
    hfm__text_char(t, digits[i]);
  }
  for (int32_t i = count; i < point; i++) hfm__text_char(t, '0');
  if (count <= point) hfm__text_str(t, ".0");
}
