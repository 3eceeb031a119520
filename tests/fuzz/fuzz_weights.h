/* fuzz_weights.h: a weights file by itself, without a model around it. */
#ifndef FUZZ_WEIGHTS_H
#define FUZZ_WEIGHTS_H

#include "fuzz.h"

/* Opens bytes as a file of that name. Every byte that a tensor of an accepted one can reach must lie in the file. In
   weights.c, which is compiled once for all targets. */
void fuzz_weights(const char *name, const uint8_t *data, size_t size);

#endif
