/* Fifteen lines: a sentence's class, from a model directory as the Hugging Face hub holds it.
   cc -I.. classify.c -lm && ./a.out path/to/distilbert-base-uncased-finetuned-sst-2-english */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>

int main(int argc, char **argv) {
  const int64_t ids[] = {101, 2023, 2003, 2307, 102}; /* "[CLS] this is great [SEP]", from your tokenizer */
  hfm_options options = {0};
  hfm_inputs inputs = {0};
  hfm_outputs outputs;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  options.task = HFM_SEQUENCE_CLASSIFICATION; /* AutoModelForSequenceClassification */
  inputs.input_ids = hfm_tensor_i64(ids, 1, 5);
  if (hfm_from_pretrained(argc > 1 ? argv[1] : ".", &options, &model, &error) ||
      hfm_session_create(model, NULL, &session, &error) || hfm_forward(session, &inputs, &outputs, &error))
    return puts(error.message), 1;
  puts(hfm_label(model, hfm_argmax((const float *)outputs.logits.data, hfm_num_labels(model))));
  hfm_session_free(session);
  hfm_model_free(model);
}
