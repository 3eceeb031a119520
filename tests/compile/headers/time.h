#pragma once
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
typedef long clock_t;
#define CLOCKS_PER_SEC ((clock_t)1000)
clock_t clock(void);
#ifdef __cplusplus
}
#endif
