/* One model, two threads: each has a session of its own, the weights are shared. POSIX threads.
   cc -O2 -I. examples/two_threads.c -lm -pthread && ./a.out     (or a directory of yours) */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <pthread.h>
#include <stdio.h>

typedef struct job {
  hfm_model *model; /* never changes after the load */
  int64_t ids[4];
  float first;      /* the result: a number from the outputs */
  hfm_error error;
} job;

static void *run(void *arg) {
  job *j = (job *)arg;
  hfm_session_options options = {0};
  hfm_inputs inputs = {0};
  hfm_outputs outputs;
  hfm_session *session = NULL;
  options.threads = 1; /* two callers already keep two processors busy */
  inputs.input_ids = hfm_tensor_i64(j->ids, 1, 4);
  if (!hfm_session_create(j->model, &options, &session, &j->error) &&
      !hfm_forward(session, &inputs, &outputs, &j->error))
    j->first = *(const float *)outputs.items[0].tensor.data; /* copied: outputs live in the session */
  hfm_session_free(session);
  return NULL;
}

int main(int argc, char **argv) {
  static job jobs[2] = { { NULL, { 1, 107, 104, 2 }, 0, { 0, 0, 0, "", "", "" } },
                         { NULL, { 1, 113, 114, 2 }, 0, { 0, 0, 0, "", "", "" } } };
  pthread_t threads[2];
  hfm_model *model = NULL;
  hfm_error error;
  if (hfm_from_pretrained(argc > 1 ? argv[1] : "examples/models/langid-bert", NULL, &model, &error))
    return puts(error.message), 1;
  for (int i = 0; i < 2; i++) {
    jobs[i].model = model;
    if (pthread_create(&threads[i], NULL, run, &jobs[i])) return puts("no thread"), 1;
  }
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    if (jobs[i].error.code) puts(jobs[i].error.message);
    else printf("thread %d: the first number is %g\n", i, (double)jobs[i].first);
  }
  hfm_model_free(model);
  return jobs[0].error.code || jobs[1].error.code;
}
