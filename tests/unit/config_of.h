/* A configuration from JSON text, after hfmodel.h and check.h. */
static hfm_config *config_of(const char *json) {
  hfm_config *config = NULL;
  hfm_error error;
  if (!CHECK_INT(hfm_config_parse(json, strlen(json), NULL, &config, &error), HFM_OK))
    printf("    %s\n", error.message);
  return config;
}
