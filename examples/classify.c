/* The shortest useful program: the class of a sentence, from a model directory as the Hugging Face hub has it. Prints
   "nl": it is Dutch. The ids are those of examples/models/langid-bert, which reads bytes: 1, each byte + 3, 2; for
   another model they come from its tokenizer.
   cc -O2 -I. examples/classify.c -lm && ./a.out     (in the repository's root) */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>

int main(void) {
  const int64_t ids[] = {1, 90, 100, 100, 117, 35, 108, 118, 35, 107, 104, 119, 66, 2}; /* "Waar is het?" */
  const hfm_inputs in = hfm_input_ids(ids, 1, sizeof ids / sizeof ids[0]);
  hfm_outputs out;
  hfm_session *session;
  hfm_error error;
  if (hfm_load("examples/models/langid-bert", HFM_SEQUENCE_CLASSIFICATION, &session, &error) ||
      hfm_forward(session, &in, &out, &error)) return puts(error.message), 1;
  puts(hfm_label(hfm_session_model(session), hfm_argmax((const float *)out.logits.data, out.logits.shape[1])));
  hfm_session_free(session);
}
