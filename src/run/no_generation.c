/* ==== run/no_generation (private): what answers in a build without generation ==================================== */

HFM__PRIVATE hfm_result hfm__generates_nothing(hfm_error *error) {
  hfm__clear_error(error);
  return hfm__fail(error, HFM_E_TASK_UNSUPPORTED, NULL, "hfm_generate", 0,
                   "this build generates nothing (HFMODEL_NO_GENERATION, HFMODEL_NO_CACHE, or no family with a "
                   "decoder)");
}

HFMODEL_API hfm_result hfm_generate(hfm_session *session, const hfm_inputs *inputs, const hfm_generation_config *config,
                                    hfm_generated *outputs, hfm_error *error) {
  (void)session, (void)inputs, (void)config, (void)outputs;
  return hfm__generates_nothing(error);
}

HFMODEL_API hfm_result hfm_generation_begin(hfm_session *session, const hfm_inputs *inputs,
                                            const hfm_generation_config *config, hfm_generation **out,
                                            hfm_error *error) {
  (void)session, (void)inputs, (void)config;
  if (out) *out = NULL;
  return hfm__generates_nothing(error);
}

HFMODEL_API hfm_result hfm_generation_next(hfm_generation *generation, double budget_seconds, int32_t *done,
                                           hfm_error *error) {
  (void)generation, (void)budget_seconds, (void)done;
  return hfm__generates_nothing(error);
}

HFMODEL_API hfm_result hfm_generation_outputs(hfm_generation *generation, hfm_generated *outputs, hfm_error *error) {
  (void)generation, (void)outputs;
  return hfm__generates_nothing(error);
}

HFMODEL_API void hfm_generation_free(hfm_generation *generation) { (void)generation; }
