/* A forward that takes longer than a frame, in slices of 2 ms: for games and user interfaces, without a second thread.
   cc -O2 -I. examples/frame_budget.c -lm && ./a.out path/to/bert-base-uncased
   (or a folder with only a config.json, such as tools/bench/bert-base: then the weights are random) */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>
#include <time.h>

int main(int argc, char **argv) {
  static int64_t ids[128];
  hfm_options options = {0};
  hfm_session_options one_thread = {0};
  hfm_inputs inputs = {0};
  hfm_outputs outputs;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  int32_t done = 0;
  int frames = 0;
  const char *path = argc > 1 ? argv[1] : "tools/bench/bert-base";
  options.random_weights = argc < 2;
  one_thread.threads = 1;
  for (int i = 0; i < 128; i++) ids[i] = 1000 + i;
  inputs.input_ids = hfm_tensor_i64(ids, 1, 128);

  /* At the start of a level: load, plan and allocate. Nothing is allocated after the reserve. */
  if (hfm_from_pretrained(path, &options, &model, &error) ||
      hfm_session_create(model, &one_thread, &session, &error) ||
      hfm_session_reserve(session, 1, 128, &inputs, &error))
    return puts(error.message), 1;

  /* The game loop: draw, play, and give the model what is left of the frame. */
  if (hfm_session_begin(session, &inputs, &error)) return puts(error.message), 1;
  while (!done) {
    const clock_t start = clock();
    if (hfm_session_step(session, 0.002, &done, &error)) return puts(error.message), 1;
    printf("frame %3d: the model had %.2f ms%s\n", ++frames, (double)(clock() - start) * 1000 / CLOCKS_PER_SEC,
           done ? ", and is done" : "");
  }
  if (hfm_session_outputs(session, &outputs, &error)) return puts(error.message), 1;
  printf("%s is [%d, %d, ...]\n", outputs.items[0].name, (int)outputs.items[0].tensor.shape[0],
         (int)outputs.items[0].tensor.shape[1]);
  hfm_session_free(session);
  hfm_model_free(model);
}
