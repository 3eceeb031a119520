/* turns: versions of the kernels against each other, call by call in one process.

     turns THREADS ISA CALLS VERSION.so... -- FILTER...

   Where others share the machine, its speed changes by a third from one second to the next, and two runs one after the
   other say little. Here each version makes a call, then the next one does, in an order that is drawn anew each time.
   What counts is the ratio to the first version: of the medians, and of the fastest fiftieth of the calls.
   tools/bench/turns.sh builds the versions. */
#define _GNU_SOURCE
#include "doubles.h"
#include "turns.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_VERSIONS = 8 };

typedef struct version {
  const char *name;
  const char *(*case_name)(int);
  double (*call)(int);
  double *spent; /* by each call of a case */
} version;

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A function of a shared object; a pointer to one is no pointer to an object in C. */
static void function_of(void *object, const char *name, void *function) {
  void *found = dlsym(object, name);
  if (!found) {
    fprintf(stderr, "turns: %s\n", dlerror());
    exit(1);
  }
  memcpy(function, &found, sizeof found);
}

static void load(version *v, const char *path, int threads, const char *isa, char **filters, int count, int *cases) {
  int (*open_cases)(int, const char *, char **, int);
  void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  const char *slash = strrchr(path, '/');
  int found;
  if (!object) {
    fprintf(stderr, "turns: %s\n", dlerror());
    exit(1);
  }
  function_of(object, "turns_open", &open_cases);
  function_of(object, "turns_name", &v->case_name);
  function_of(object, "turns_call", &v->call);
  v->name = slash ? slash + 1 : path;
  found = open_cases(threads, isa, filters, count);
  if (found < 0) exit(1);
  if (*cases < 0) *cases = found;
  if (*cases != found) {
    fprintf(stderr, "turns: %s has %d of these cases, the first version %d\n", path, found, *cases);
    exit(1);
  }
}

/* With several threads, the workers of the version before look for work a little longer. */
static void let_workers_rest(int threads) {
  const double until = seconds() + 100e-6;
  while (threads > 1 && seconds() < until) continue;
}

static void take_turns(version *versions, int count, int number, int threads, int calls) {
  static uint32_t random = 1;
  int order[MAX_VERSIONS], i, turn;
  for (i = 0; i < count; i++) order[i] = i;
  for (turn = 0; turn < calls; turn++) {
    for (i = count - 1; i > 0; i--) {
      int other, swapped = order[i];
      random = random * 1664525u + 1013904223u;
      other = (int)((random >> 8) % (uint32_t)(i + 1));
      order[i] = order[other];
      order[other] = swapped;
    }
    for (i = 0; i < count; i++) {
      let_workers_rest(threads);
      versions[order[i]].spent[turn] = versions[order[i]].call(number);
    }
  }
}

/* Rates as ratios to those of the first version. */
static void print_case(const version *versions, int count, int number, int calls) {
  const int middle = calls / 2, fast = calls / 50;
  int i;
  for (i = 0; i < count; i++) qsort(versions[i].spent, (size_t)calls, sizeof(double), compare);
  printf("%-40s", versions[0].case_name(number));
  for (i = 0; i < count; i++) {
    const double *spent = versions[i].spent, *first = versions[0].spent;
    if (i == 0) printf(" %10.1f us (%.1f)", spent[middle] * 1e6, spent[fast] * 1e6);
    else printf("   %s %.3f (%.3f)", versions[i].name, first[middle] / spent[middle], first[fast] / spent[fast]);
  }
  printf("\n");
  fflush(stdout);
}

int main(int argc, char **argv) {
  version versions[MAX_VERSIONS];
  int threads, calls, count = 0, cases = -1, filters, i;
  while (4 + count < argc && strcmp(argv[4 + count], "--") != 0) count++;
  threads = argc > 4 ? atoi(argv[1]) : 0;
  calls = argc > 4 ? atoi(argv[3]) : 0;
  if (threads < 1 || calls < 1 || count < 1 || count > MAX_VERSIONS) {
    fprintf(stderr, "usage: turns THREADS ISA CALLS VERSION.so... -- FILTER... (at most %d versions)\n", MAX_VERSIONS);
    return 2;
  }
  filters = 4 + count < argc ? 5 + count : argc;
  for (i = 0; i < count; i++) {
    load(&versions[i], argv[4 + i], threads, argv[2], argv + filters, argc - filters, &cases);
    versions[i].spent = (double *)malloc((size_t)calls * sizeof(double));
    if (!versions[i].spent) return 1;
  }
  printf("%d calls each, in turns: median and fastest fiftieth of %s, then how many times as fast\n", calls,
         versions[0].name);
  for (i = 0; i < cases; i++) {
    take_turns(versions, count, i, threads, calls);
    print_case(versions, count, i, calls);
  }
  for (i = 0; i < count; i++) free(versions[i].spent);
  return 0;
}
