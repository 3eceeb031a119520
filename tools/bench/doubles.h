/* doubles.h: what the benchmarks sort. */
#ifndef BENCH_DOUBLES_H
#define BENCH_DOUBLES_H

/* Of doubles, for qsort. */
static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

#endif
