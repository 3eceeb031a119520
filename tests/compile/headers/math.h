#pragma once
#include <stddef.h>
#define HUGE_VAL __builtin_huge_val()
#ifdef __cplusplus
extern "C" {
#endif
float sqrtf(float), expf(float), logf(float), powf(float, float), sinf(float), cosf(float), tanhf(float), erff(float);
double sqrt(double), exp(double), log(double), pow(double, double), sin(double), cos(double), tanh(double), erf(double);
double floor(double), ceil(double), fabs(double), ldexp(double, int), rint(double), log2(double), exp2(double);
float floorf(float), ceilf(float), fabsf(float), ldexpf(float, int), rintf(float), fmaf(float, float, float);
double nearbyint(double), trunc(double), log1p(double), expm1(double), frexp(double, int *), fmod(double, double);
float fmodf(float, float), truncf(float), log2f(float), exp2f(float), nearbyintf(float), frexpf(float, int *);
#ifdef __cplusplus
}
#endif
