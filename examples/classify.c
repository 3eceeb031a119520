/* The shortest useful program: a sentence's class, from a model directory as the Hugging Face hub holds it. Prints "nl": it is Dutch.
   cc -O2 -I. examples/classify.c -lm && ./a.out     (in the repository's root) */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>

int main(int argc, char **argv) {
  /* "Waar is het?" for examples/models/langid-bert: 1, each byte + 3, 2. Else: ids from your tokenizer */
  const int64_t ids[] = {1, 90, 100, 100, 117, 35, 108, 118, 35, 107, 104, 119, 66, 2};
  hfm_options options = {0};
  hfm_inputs inputs = {0};
  hfm_outputs outputs;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  options.task = HFM_SEQUENCE_CLASSIFICATION; /* AutoModelForSequenceClassification */
  inputs.input_ids = hfm_tensor_i64(ids, 1, sizeof ids / sizeof ids[0]);
  if (hfm_from_pretrained(argc > 1 ? argv[1] : "examples/models/langid-bert", &options, &model, &error) ||
      hfm_session_create(model, NULL, &session, &error) || hfm_forward(session, &inputs, &outputs, &error))
    return puts(error.message), 1;
  puts(hfm_label(model, hfm_argmax((const float *)outputs.logits.data, hfm_num_labels(model))));
  hfm_session_free(session);
  hfm_model_free(model);
}
