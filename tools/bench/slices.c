/* How far a slice of a forward overshoots its budget: BERT-base, 2 ms, at 128 and 512 tokens. A step may end at most
   one chunk late. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 5, LENGTHS = 2, MOST = 512 };

static double now_ms(void) {
  return (double)hfm__clock_ns() / 1e6;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Steps through one forward; appends every slice's overshoot to over[*count]. 0 on failure. */
static int run(hfm_session *session, const hfm_inputs *inputs, double budget_ms, double *over, int *count, int room,
               hfm_error *error) {
  int32_t done = 0;
  if (hfm_session_begin(session, inputs, error)) return 0;
  while (!done) {
    const double start = now_ms();
    if (hfm_session_step(session, budget_ms / 1e3, &done, error)) return 0;
    if (*count < room) over[(*count)++] = now_ms() - start - budget_ms;
  }
  return 1;
}

int main(int argc, char **argv) {
  static int64_t ids[MOST];
  static double over[RUNS * 4096];
  static const int64_t lengths[LENGTHS] = {128, 512};
  const double budget_ms = 2;
  hfm_options options = {0};
  hfm_session_options session_options = {0};
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  int i, l, failed = 0;
  for (i = 0; i < MOST; i++) ids[i] = 1000 + i * 7 % 20000;
  options.random_weights = 1;
  session_options.threads = argc > 2 ? atoi(argv[2]) : 0;
  if (hfm_from_pretrained(argc > 1 ? argv[1] : "tools/bench/bert-base", &options, &model, &error) ||
      hfm_session_create(model, &session_options, &session, &error)) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  for (l = 0; l < LENGTHS && !failed; l++) {
    hfm_inputs inputs = {0};
    int count = 0;
    inputs.input_ids = hfm_tensor_i64(ids, 1, lengths[l]);
    failed = !run(session, &inputs, budget_ms, over, &count, 0, &error);
    for (i = 0; i < RUNS && !failed; i++)
      failed = !run(session, &inputs, budget_ms, over, &count, (int)(sizeof over / sizeof over[0]), &error);
    if (failed) {
      fprintf(stderr, "%s\n", error.message);
      break;
    }
    qsort(over, (size_t)count, sizeof over[0], compare);
    printf("  %3d tokens, %d threads: %d slices, overshoot median %.3f ms, 99 %% %.3f ms, largest %.3f ms\n",
           (int)lengths[l], (int)hfm_session_threads(session), count, over[count / 2], over[count * 99 / 100],
           over[count - 1]);
  }
  hfm_session_free(session);
  hfm_model_free(model);
  return failed;
}
