/* operand.h: a dense operand of an op, for what calls kernels directly: tools/bench.c and the tests of kernels. */
#ifndef BENCH_OPERAND_H
#define BENCH_OPERAND_H

HFM__PRIVATE hfm__operand operand(void *data, hfm_dtype dtype, int32_t rank, int64_t a, int64_t b, int64_t c,
                                  int64_t d) {
  const int64_t shape[4] = {a, b, c, d};
  hfm__operand x;
  int64_t stride = 1;
  int32_t i;
  memset(&x, 0, sizeof x);
  x.data = data;
  x.dtype = dtype;
  x.rank = rank;
  for (i = rank - 1; i >= 0; i--) {
    x.shape[i] = shape[i];
    x.stride[i] = stride;
    stride *= shape[i];
  }
  return x;
}

#endif
