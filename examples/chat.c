/* A chat on token ids: each line of the input is what is said, each line of the output what the model answers. The
   session's cache keeps the conversation, so that an answer costs only what is new.

     cc -O2 -I. examples/chat.c -lm -pthread && echo "0 373 777 806" | ./a.out examples/models/bible-llama

   The ids of a line are your tokenizer's, with whatever your model's chat template puts around a turn; those above say
   "The king said" to a model that goes on with a story. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096, ANSWER = 64 };

static void say(void *ctx, const int64_t *tokens, int64_t rows) {
  (void)ctx;
  (void)rows;
  printf("%d ", (int)tokens[0]);
  fflush(stdout);
}

int main(int argc, char **argv) {
  static int64_t text[MOST + ANSWER]; /* all that was said */
  static char line[1 << 15];
  int64_t length = 0;
  hfm_options options = {0};
  hfm_generation_config config = {0};
  hfm_inputs inputs = {0};
  hfm_generated out;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  if (argc != 2) return puts("usage: chat MODEL-DIRECTORY, with ids on the standard input"), 2;
  options.task = HFM_CAUSAL_LM;
  config.max_new_tokens = ANSWER;
  config.streamer.put = say;
  inputs.use_cache = 1; /* the ids are the whole text, of which the session has the beginning */
  if (hfm_from_pretrained(argv[1], &options, &model, &error) || hfm_session_create(model, NULL, &session, &error))
    return puts(error.message), 1;
  while (fgets(line, sizeof line, stdin)) {
    char *at = line, *end;
    const int64_t before = length;
    for (int64_t id = strtol(at, &end, 10); end != at && length < MOST; id = strtol(at, &end, 10)) {
      text[length++] = id;
      at = end + strspn(end, ", ");
    }
    if (length == before || length == MOST) break; /* nothing said, or too much */
    inputs.input_ids = hfm_tensor_i64(text, 1, length);
    if (hfm_generate(session, &inputs, &config, &out, &error)) return puts(error.message), 1;
    length = out.sequences.shape[1];
    memcpy(text, out.sequences.data, (size_t)length * sizeof *text);
    printf("\n%d ids, %d of them in the cache\n", (int)length, (int)hfm_cache_length(session));
    if (length > MOST) break;
  }
  hfm_session_free(session);
  hfm_model_free(model);
}
