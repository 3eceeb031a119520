/* Translates token ids: a sentence a line in, its translation a line out; all of them in one batch. For models with an
   encoder: Marian (opus-mt-en-de, ...), mBART, M2M100 and NLLB, T5, BART.

     cc -O2 -I. examples/translate.c -lm -pthread && ./a.out MODEL-DIRECTORY [LANGUAGE-ID] < sentences-as-ids

   The ids of a line are your tokenizer's, as it makes them for the encoder (with the token of the source language, the
   one at the end, ...). LANGUAGE-ID is the token of the language to translate to, where the model knows several: the
   tokenizer's id of de_DE or deu_Latn. How many beams and what else is as the model's generation_config.json says. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64, LENGTH = 512 };

/* Ids of a line; how many they are. */
static int64_t read_ids(char *line, int64_t ids[LENGTH]) {
  int64_t count = 0;
  char *end;
  for (int64_t id = strtol(line, &end, 10); end != line && count < LENGTH; id = strtol(line, &end, 10)) {
    ids[count++] = id;
    line = end + strspn(end, ", ");
  }
  return count;
}

int main(int argc, char **argv) {
  static int64_t ids[MOST][LENGTH], counts[MOST], batch[MOST * LENGTH], mask[MOST * LENGTH];
  static char line[1 << 15];
  int64_t sentences = 0, longest = 0, language;
  hfm_options options = {0};
  hfm_generation_config config = {0};
  hfm_inputs inputs;
  hfm_generated out;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  if (argc < 2) return puts("usage: translate MODEL-DIRECTORY [LANGUAGE-ID], with ids on the standard input"), 2;
  while (sentences < MOST && fgets(line, sizeof line, stdin)) {
    counts[sentences] = read_ids(line, ids[sentences]);
    if (counts[sentences] > longest) longest = counts[sentences];
    sentences += counts[sentences] > 0;
  }
  if (!sentences) return puts("no sentence: a line has ids, such as 2379 54 0"), 2;
  for (int64_t i = 0; i < sentences * longest; i++) { /* shorter ones are padded at their end; the mask says where */
    mask[i] = i % longest < counts[i / longest];
    batch[i] = mask[i] ? ids[i / longest][i % longest] : 0;
  }
  inputs = hfm_input_ids(batch, sentences, longest);
  inputs.attention_mask = hfm_tensor_i64(mask, sentences, longest);
  options.task = HFM_SEQ2SEQ_LM;
  if (argc > 2) {
    language = strtol(argv[2], NULL, 10);
    config.forced_bos_token_id.data = &language;
    config.forced_bos_token_id.count = 1;
  }
  if (hfm_from_pretrained(argv[1], &options, &model, &error) || hfm_session_create(model, NULL, &session, &error) ||
      hfm_generate(session, &inputs, &config, &out, &error))
    return puts(error.message), 1;
  for (int64_t i = 0; i < sentences; i++) {
    const int64_t *text = (const int64_t *)out.sequences.data + i * out.sequences.shape[1];
    for (int64_t k = 1; k < out.sequences.shape[1]; k++) printf("%d ", (int)text[k]);
    printf("\n");
  }
  fflush(stdout);
  fprintf(stderr, "%d sentences in %.2f s\n", (int)sentences, out.prompt_seconds + out.decode_seconds);
  hfm_session_free(session);
  hfm_model_free(model);
}
