/* Sentence embeddings: which sentence says the same in other words?
   cc -O2 -I. examples/embeddings.c -lm && ./a.out path/to/all-MiniLM-L6-v2

   A sentence transformer is a BertModel, then the mean over the tokens, then division by the length: the similarity of
   two sentences is the product of their vectors. Token ids come from your tokenizer; these are bert-base-uncased's.
   (hf download sentence-transformers/all-MiniLM-L6-v2, and that name instead of a path, does as well.) */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>

enum { ROWS = 3, LENGTH = 13, MOST = 4096 };

static const char *const sentences[ROWS] = { "A man is eating a piece of bread.",
                                             "Somebody eats bread in the kitchen while it rains outside.",
                                             "Shares dropped today because borrowing became more expensive." };
static const int64_t ids[ROWS][LENGTH] = {
  { 101, 1037, 2158, 2003, 5983, 1037, 3538, 1997, 7852, 1012, 102, 0, 0 }, /* padded with 0 */
  { 101, 8307, 20323, 7852, 1999, 1996, 3829, 2096, 2009, 15811, 2648, 1012, 102 },
  { 101, 6661, 3333, 2651, 2138, 23733, 2150, 2062, 6450, 1012, 102, 0, 0 },
};

int main(int argc, char **argv) {
  if (argc != 2) return puts("embeddings DIR: a sentence transformer's directory, such as all-MiniLM-L6-v2's"), 2;
  int64_t mask[ROWS][LENGTH];
  static float embeddings[ROWS * MOST];
  hfm_inputs inputs = {0};
  hfm_outputs outputs;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  for (int i = 0; i < ROWS * LENGTH; i++) mask[i / LENGTH][i % LENGTH] = ids[i / LENGTH][i % LENGTH] != 0;
  inputs.input_ids = hfm_tensor_i64(ids[0], ROWS, LENGTH);
  inputs.attention_mask = hfm_tensor_i64(mask[0], ROWS, LENGTH);
  if (hfm_from_pretrained(argv[1], NULL, &model, &error) ||
      hfm_session_create(model, NULL, &session, &error) || hfm_forward(session, &inputs, &outputs, &error))
    return puts(error.message), 1;

  const int64_t width = outputs.last_hidden_state.shape[2];
  if (width > MOST) return puts("a wider model than this example has room for"), 1;
  if (hfm_mean_pool(&outputs.last_hidden_state, &inputs.attention_mask, embeddings, &error))
    return puts(error.message), 1;
  hfm_normalize(embeddings, ROWS, width);

  for (int a = 0; a < ROWS; a++) {
    for (int b = a + 1; b < ROWS; b++) {
      float similarity = 0;
      for (int64_t i = 0; i < width; i++) similarity += embeddings[a * width + i] * embeddings[b * width + i];
      printf("%6.3f  %s\n        %s\n", (double)similarity, sentences[a], sentences[b]);
    }
  }
  hfm_session_free(session);
  hfm_model_free(model);
}
