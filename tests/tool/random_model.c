/* random_model DIR: random weights for DIR/config.json, saved beside it. For test_examples.sh: an example whose token
   ids need a vocabulary that no model in the repository has. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "tools/hfm_tensors.h"

int main(int argc, char **argv) {
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  char path[512];
  memset(&options, 0, sizeof options);
  options.random_weights = 1;
  if (argc != 2) return puts("random_model DIR"), 2;
  snprintf(path, sizeof path, "%s/model.safetensors", argv[1]);
  if (hfm_from_pretrained(argv[1], &options, &model, &error)) return puts(error.message), 1;
  const size_t count = hfm_state_dict_size(model);
  hfm_named_tensor *items = (hfm_named_tensor *)malloc((count + 1) * sizeof *items);
  hfm_result result = items ? HFM_OK : HFM_ERROR_MEMORY;
  for (size_t i = 0; !result && i < count; i++) result = hfm_state_dict_at(model, i, &items[i]);
  if (!result && hfm_tensors_write(path, items, count, &error)) return puts(error.message), 1;
  free(items);
  hfm_model_free(model);
  return result != HFM_OK;
}
