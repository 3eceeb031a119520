/* models.h: models without a directory, from the text of a configuration or with files given in memory. */
#ifndef MODELS_H
#define MODELS_H

/* Random weights for a configuration; NULL after a failed check. */
CHECK_UNUSED static hfm_model *model_of_config(const char *json, const hfm_options *options) {
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  memset(&error, 0, sizeof error);
  if (!CHECK_INT(hfm_config_parse(json, strlen(json), NULL, &config, &error), HFM_OK) ||
      !CHECK_INT(hfm_from_config(config, options, &model, &error), HFM_OK))
    printf("    %s: %s\n", json, error.message);
  hfm_config_free(config);
  return model;
}

#endif
