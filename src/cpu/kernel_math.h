/* amalgamate: repeat */
/* ==== cpu/kernel_math (private): exp, erf, tanh and the activations, a vector at a time ==========================
   NaN goes through all of them. Errors, tested over the whole range of floats: tanh, sigmoid, silu 1e-6 relative; gelu
   and its tanh forms 1e-6 relative plus 2.5e-7 of |x|, as 1 + erf cancels for negative x in torch too. */

#define HFM__SET(x) hfm__v_set1(x)

/* Within 1.5 units in the last place; 0 below the smallest normal float, infinity above the largest. ln 2 is in two
   parts, the first of few bits so that n times it is exact. */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(exp)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f);
  const hfm__vf t = hfm__v_min(HFM__SET(89.0f), hfm__v_max(low, x));
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(HFM__LOG2E)));
  const hfm__vf r = hfm__v_fma(n, HFM__SET(2.12194440e-4f), hfm__v_fma(n, HFM__SET(-0.693359375f), t));
  hfm__vf p = HFM__SET(1.9875691500e-4f);
  p = hfm__v_fma(p, r, HFM__SET(1.3981999507e-3f));
  p = hfm__v_fma(p, r, HFM__SET(8.3334519073e-3f));
  p = hfm__v_fma(p, r, HFM__SET(4.1665795894e-2f));
  p = hfm__v_fma(p, r, HFM__SET(1.6666665459e-1f));
  p = hfm__v_fma(p, r, HFM__SET(5.0000001201e-1f));
  p = hfm__v_fma(p, hfm__v_mul(r, r), hfm__v_add(r, HFM__SET(1.0f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale(p, n));
}

/* exp(x) for x <= 0, cheaper: as a power of 2, within 2e-7 of it near 0; 0 below -87.3, or a little further where that
   is cheaper. */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(exp_negative)(hfm__vf x) {
  const hfm__vf t = hfm__v_bound_power(hfm__v_mul(x, HFM__SET(HFM__LOG2E)));
  const hfm__vf n = hfm__v_round(t), r = hfm__v_sub(t, n);
  hfm__vf p = HFM__SET(1.32647273e-3f);
  p = hfm__v_fma(p, r, HFM__SET(9.67151299e-3f));
  p = hfm__v_fma(p, r, HFM__SET(5.55073358e-2f));
  p = hfm__v_fma(p, r, HFM__SET(0.240222424f));
  p = hfm__v_fma(p, r, HFM__SET(0.693147004f));
  p = hfm__v_fma(p, r, HFM__SET(1.0f));
  return hfm__v_scale_down(p, n, t);
}

/* x * P(x^2) / Q(x^2), 1 beyond 4. */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(erf)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(4.0f), hfm__v_max(HFM__SET(-4.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.98571082e-06f), q = HFM__SET(3.74807675e-05f);
  p = hfm__v_fma(p, s, HFM__SET(0.000285894958f));
  q = hfm__v_fma(q, s, HFM__SET(0.00119579387f));
  p = hfm__v_fma(p, s, HFM__SET(0.00392128907f));
  q = hfm__v_fma(q, s, HFM__SET(0.015280583f));
  p = hfm__v_fma(p, s, HFM__SET(0.0532144552f));
  q = hfm__v_fma(q, s, HFM__SET(0.11569413f));
  p = hfm__v_fma(p, s, HFM__SET(0.194366624f));
  q = hfm__v_fma(q, s, HFM__SET(0.505584843f));
  p = hfm__v_fma(p, s, HFM__SET(1.12837906f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* x * P(x^2) / Q(x^2), 1 beyond 9. */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(tanh)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(9.0f), hfm__v_max(HFM__SET(-9.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.32580396e-08f), q = HFM__SET(7.7348828e-07f);
  p = hfm__v_fma(p, s, HFM__SET(2.05320148e-05f));
  q = hfm__v_fma(q, s, HFM__SET(0.000327766126f));
  p = hfm__v_fma(p, s, HFM__SET(0.00349056053f));
  q = hfm__v_fma(q, s, HFM__SET(0.0258574689f));
  p = hfm__v_fma(p, s, HFM__SET(0.133766641f));
  q = hfm__v_fma(q, s, HFM__SET(0.467099692f));
  p = hfm__v_fma(p, s, HFM__SET(0.999999938f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* 1 / (1 + exp(-x)) */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(sigmoid)(hfm__vf x) {
  const hfm__vf one = HFM__SET(1.0f);
  return hfm__v_div(one, hfm__v_add(one, HFM__FN(exp)(hfm__v_sub(hfm__v_zero(), x))));
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(gelu_tanh)(hfm__vf x) {
  const hfm__vf square = hfm__v_mul(x, x), half = hfm__v_mul(x, HFM__SET(0.5f));
  const hfm__vf inner = hfm__v_mul(x, hfm__v_fma(square, HFM__SET(0.035677408f), HFM__SET(0.7978845608f)));
  return hfm__v_fma(half, HFM__FN(tanh)(inner), half);
}

/* 0.5 x (1 + erf(x / sqrt(2))) */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(gelu)(hfm__vf x) {
  const hfm__vf half = hfm__v_mul(x, HFM__SET(0.5f));
  return hfm__v_fma(half, HFM__FN(erf)(hfm__v_mul(x, HFM__SET(0.70710678f))), half);
}

/* log(1 + e^x) = max(x, 0) + log(1 + t) with t = e^-|x|; that is 2 artanh(s) with s = t / (2 + t), 1/3 at the most. */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(softplus)(hfm__vf x) {
  const hfm__vf t = HFM__FN(exp)(hfm__v_min(x, hfm__v_sub(hfm__v_zero(), x)));
  const hfm__vf s = hfm__v_div(t, hfm__v_add(t, HFM__SET(2.0f))), square = hfm__v_mul(s, s);
  hfm__vf p = HFM__SET(0.15384616f);
  p = hfm__v_fma(p, square, HFM__SET(0.18181818f));
  p = hfm__v_fma(p, square, HFM__SET(0.22222222f));
  p = hfm__v_fma(p, square, HFM__SET(0.2857143f));
  p = hfm__v_fma(p, square, HFM__SET(0.4f));
  p = hfm__v_fma(p, square, HFM__SET(0.6666667f));
  p = hfm__v_fma(p, square, HFM__SET(2.0f));
  return hfm__v_fma(p, s, hfm__v_max(hfm__v_zero(), x));
}

HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(relu6)(hfm__vf x) {
  return hfm__v_min(HFM__SET(6.0f), hfm__v_max(hfm__v_zero(), x));
}

/* `activation` is a constant wherever this is inlined, but in small code. */
HFM__TARGET HFM__LONG_INLINE hfm__vf HFM__FN(activate)(const int32_t activation, hfm__vf x) {
  hfm__vf y;
  switch (activation) {
    case HFM__ACT_gelu: return HFM__FN(gelu)(x);
    case HFM__ACT_gelu_10: return hfm__v_min(HFM__SET(10.0f), hfm__v_max(HFM__SET(-10.0f), HFM__FN(gelu)(x)));
    case HFM__ACT_gelu_tanh: return HFM__FN(gelu_tanh)(x);
    case HFM__ACT_hardswish:
      return hfm__v_mul(x, hfm__v_mul(HFM__FN(relu6)(hfm__v_add(x, HFM__SET(3.0f))), HFM__SET(0.16666667f)));
    case HFM__ACT_laplace: /* (x - 0.707107) / (0.282095 sqrt(2)) */
      y = hfm__v_mul(hfm__v_sub(x, HFM__SET(0.707107f)), HFM__SET(2.5066264f));
      return hfm__v_fma(HFM__FN(erf)(y), HFM__SET(0.5f), HFM__SET(0.5f));
    case HFM__ACT_leaky_relu: return hfm__v_max(hfm__v_mul(x, HFM__SET(0.01f)), x);
    case HFM__ACT_mish: /* x tanh(log(1 + e^x)) = x (e^2x + 2 e^x) / (e^2x + 2 e^x + 2); the fraction is 1 from 20 on */
      y = HFM__FN(exp)(hfm__v_min(HFM__SET(20.0f), x));
      y = hfm__v_mul(y, hfm__v_add(y, HFM__SET(2.0f)));
      return hfm__v_mul(x, hfm__v_div(y, hfm__v_add(y, HFM__SET(2.0f))));
    case HFM__ACT_quick_gelu: return hfm__v_mul(x, HFM__FN(sigmoid)(hfm__v_mul(x, HFM__SET(1.702f))));
    case HFM__ACT_relu: return hfm__v_max(hfm__v_zero(), x);
    case HFM__ACT_relu2: return hfm__v_mul(hfm__v_max(hfm__v_zero(), x), hfm__v_max(hfm__v_zero(), x));
    case HFM__ACT_relu6: return HFM__FN(relu6)(x);
    case HFM__ACT_sqrtsoftplus: return hfm__v_sqrt(HFM__FN(softplus)(x));
    case HFM__ACT_silu: return hfm__v_mul(x, HFM__FN(sigmoid)(x));
    case HFM__ACT_tanh: return HFM__FN(tanh)(x);
    case HFM__ACT_sigmoid: return HFM__FN(sigmoid)(x);
    default: return x;
  }
}

#undef HFM__SET
