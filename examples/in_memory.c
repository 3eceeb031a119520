/* A model that lies in memory: linked into the program, in flash, in an asset that the engine has loaded. The header
   then needs no file system, and is smallest when it is told what not to have:
   cc -Os -I. -DHFMODEL_STATIC -DHFMODEL_ONLY_BERT -DHFMODEL_NO_STDIO -DHFMODEL_NO_PICKLE -DHFMODEL_NO_CACHE \
     examples/in_memory.c -lm
   HFMODEL_NO_SCALAR and HFMODEL_NO_MESSAGES make it smaller still. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>
#include <stdlib.h>

/* "config.json" and "model.safetensors", wherever they are. Weights are used where they lie: keep them there. */
static int language_of(const hfm_memory_file files[2], const int64_t *ids, int64_t count) {
  hfm_options options = { 0 };
  hfm_inputs inputs = { 0 };
  hfm_outputs outputs;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  options.task = HFM_SEQUENCE_CLASSIFICATION;
  inputs.input_ids = hfm_tensor_i64(ids, 1, count);
  if (hfm_from_memory(files, 2, &options, &model, &error) || hfm_session_create(model, NULL, &session, &error) ||
      hfm_forward(session, &inputs, &outputs, &error)) {
    puts(error.message);
  } else {
    puts(hfm_label(model, hfm_argmax((const float *)outputs.logits.data, hfm_num_labels(model))));
  }
  hfm_session_free(session);
  hfm_model_free(model);
  return error.code != HFM_OK;
}

/* Here the memory comes from files after all, so that the example runs on a desk. */
static hfm_memory_file loaded(const char *name, const char *path) {
  hfm_memory_file file = { name, NULL, 0 };
  FILE *in = fopen(path, "rb");
  char *bytes = (char *)malloc(1 << 21);
  if (in && bytes) file.size = fread(bytes, 1, 1 << 21, in);
  if (in) fclose(in);
  file.data = bytes;
  return file;
}

int main(void) {
  const int64_t ids[] = { 1, 90, 100, 100, 117, 35, 108, 118, 35, 107, 104, 119, 66, 2 }; /* "Waar is het?" */
  const hfm_memory_file files[2] = { loaded("config.json", "examples/models/langid-bert/config.json"),
                                     loaded("model.safetensors", "examples/models/langid-bert/model.safetensors") };
  const int code = language_of(files, ids, sizeof ids / sizeof ids[0]);
  free((void *)files[0].data);
  free((void *)files[1].data);
  return code;
}
