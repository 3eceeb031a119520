#pragma once
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
int *_errno(void);
#define errno (*_errno())
#define ENOENT 2
#ifdef __cplusplus
}
#endif
