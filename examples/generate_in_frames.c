/* A game lets a language model speak: each frame it gets 2 ms, and its tokens come as they are known.

     cc -O2 -I. examples/generate_in_frames.c -lm -pthread && ./a.out examples/models/bible-llama

   The ids come from your tokenizer, and so does the text of those that are printed here. That model's stand in its
   vocab.txt, one a line; demo.c prints the words. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>

static void say(void *ctx, const int64_t *tokens, int64_t rows) {
  int *count = (int *)ctx;
  (void)rows;
  printf("token %d: %d\n", ++*count, (int)tokens[0]);
}

int main(int argc, char **argv) {
  static const int64_t ids[] = {0, 373, 777, 806}; /* bible-llama's for "The king said" */
  hfm_options options = {0};
  hfm_session_options one_thread = {0};
  hfm_generation_config config = {0}; /* what is not set is as generation_config.json says */
  hfm_inputs inputs = {0};
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_generation *generation = NULL;
  hfm_error error;
  int32_t done = 0;
  int frames = 0, tokens = 0;
  if (argc != 2) return puts("usage: generate_in_frames MODEL-DIRECTORY, such as examples/models/bible-llama"), 2;
  options.task = HFM_CAUSAL_LM;
  one_thread.threads = 1; /* the others are the game's */
  inputs.input_ids = hfm_tensor_i64(ids, 1, sizeof ids / sizeof ids[0]);
  config.max_new_tokens = 24;
  config.do_sample = 1;
  config.temperature = 0.8;
  config.top_p = 0.9;
  config.seed = 1; /* the same words each time */
  config.streamer.put = say;
  config.streamer.ctx = &tokens;
  if (hfm_from_pretrained(argv[1], &options, &model, &error) ||
      hfm_session_create(model, &one_thread, &session, &error) ||
      hfm_generation_begin(session, &inputs, &config, &generation, &error))
    return puts(error.message), 1;

  /* The game loop: draw, play, and give the model what is left of the frame. Nothing is allocated in it. */
  for (; !done; frames++)
    if (hfm_generation_next(generation, 0.002, &done, &error)) return puts(error.message), 1;

  printf("%d tokens in %d frames\n", tokens, frames);
  hfm_generation_free(generation);
  hfm_session_free(session);
  hfm_model_free(model);
}
