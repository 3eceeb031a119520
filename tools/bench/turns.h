/* turns.h: what tools/bench.c offers as a shared object, so that tools/bench/turns.c can run several versions of it. */
#ifndef BENCH_TURNS_H
#define BENCH_TURNS_H

/* Sets up the cases whose names contain a filter: how many, or -1 after a message. */
int turns_open(int threads, const char *isa, char **filters, int count);

/* The name of case i. */
const char *turns_name(int i);

/* Runs case i once: the seconds that it took. */
double turns_call(int i);

#endif
