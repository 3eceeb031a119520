/* Parity with Transformers: every line of cases.txt is loaded, run and compared; see there for what a line says. */
#include "hfmodel.h"

#define HFM_TENSORS_IMPLEMENTATION
#include "../../tools/hfm_tensors.h"

#include "../check.h"

#include "parity.h"

/* ---- What a model says about itself ---- */

static void check_text(const parity_case *c, const char *what, const char *file, const char *text) {
  char *want = read_text(c->dir, file);
  CHECK(want != NULL);
  if (want && strcmp(want, text) != 0) {
    size_t i = 0;
    while (want[i] && want[i] == text[i]) i++;
    printf("  %s of %s differs at byte %d: expected \"%.40s\", found \"%.40s\"\n", what, c->name, (int)i, want + i,
           text + i);
  }
  CHECK(want && strcmp(want, text) == 0);
  free(want);
}

/* The load warned of what Transformers warns of, in its words. */
static void check_notes(const hfm_config *info) {
  char notes[sizeof said] = "", key[32];
  const char *note;
  for (int i = 0;; i++) {
    const size_t length = strlen(notes);
    snprintf(key, sizeof key, "notes.%d", i);
    note = hfm_config_get_string(info, key, NULL);
    if (!note) break;
    snprintf(notes + length, sizeof notes - length, "%s\n", note);
  }
  CHECK_STR(said, notes);
}

static void check_info(const parity_case *c, const hfm_model *model) {
  char *text = read_text(c->dir, c->info);
  hfm_config *info = NULL;
  hfm_error error;
  CHECK(text && hfm_config_parse(text, strlen(text), NULL, &info, &error) == HFM_OK);
  if (info) {
    CHECK_STR(hfm_model_architecture(model), hfm_config_get_string(info, "architecture", ""));
    CHECK_STR(hfm_model_type(model), hfm_config_get_string(info, "model_type", ""));
    CHECK_INT(hfm_num_parameters(model, 0, 0), hfm_config_get_int(info, "num_parameters", -1));
    CHECK_INT(hfm_num_parameters(model, 1, 1), hfm_config_get_int(info, "num_parameters_no_embeddings", -1));
    CHECK_STR(hfm_dtype_name(hfm_model_dtype(model)), hfm_config_get_string(info, "dtype", ""));
    CHECK_INT(hfm_memory_footprint(model, 1), hfm_config_get_int(info, "memory_footprint", -1));
    CHECK_INT(hfm_memory_footprint(model, 0), hfm_config_get_int(info, "memory_footprint_no_buffers", -1));
    for (size_t i = 0; i <= hfm_state_dict_size(model); i++) {
      hfm_named_tensor entry;
      char key[64];
      snprintf(key, sizeof key, "state_dict.%d.0", (int)i);
      if (hfm_state_dict_at(model, i, &entry) == HFM_OK)
        CHECK_STR(entry.name, hfm_config_get_string(info, key, "(none)"));
      else CHECK(hfm_config_get_string(info, key, NULL) == NULL);
    }
    check_notes(info);
  }
  hfm_config_free(info);
  free(text);
}

static void check_description(const parity_case *c, const hfm_model *model) {
  static char text[1 << 16];
  CHECK(hfm_print(model, text, sizeof text) < sizeof text);
  check_text(c, "print", c->print, text);
  (void)hfm_load_report_text(model, c->dir, c->color, text, sizeof text);
  if (c->report) check_text(c, "report", c->report, text);
  else CHECK_INT((long)hfm_load_report_size(model), 0);
  check_info(c, model);
}

static void check_case(void) {
  const parity_case *c = &current;
  static const int32_t kinds[] = {HFM_ATTN_EAGER, HFM_ATTN_SDPA, HFM_ATTN_FLASH_ATTENTION_2};
  static size_t first;
  hfm_tensors inputs, expected;
  hfm_error error;
  int ran = 0;
  if (c->fails) {
    hfm_model *model = NULL;
    CHECK(load(c, HFM_ATTN_EAGER, &model, &error) != HFM_OK && model == NULL);
    CHECK_STR(hfm_error_item_name(error.item), c->fails);
    return;
  }
  if (!read_tensors(c, &inputs, &expected)) return;
  for (size_t i = 0; i < CHECK_COUNT(kinds) && (!CHECK_SLOW || !ran); i++) {
    const int32_t kind = kinds[(i + first) % CHECK_COUNT(kinds)]; /* where one has to do, each in its turn */
    hfm_model *model = NULL;
    if (!is_for(c, kind)) continue;
    if (!CHECK_INT(load(c, kind, &model, &error), HFM_OK)) printf("  %s: %s\n", c->name, error.message);
    if (model && !ran) check_description(c, model);
    if (model) CHECK(run_case(model, c, kind, 1 + (int)i, &inputs, &expected));
    hfm_model_free(model);
    ran++;
  }
  first++;
  CHECK(ran > 0);
  hfm_tensors_free(&inputs);
  hfm_tensors_free(&expected);
}

static const char *read_current(char *line) { return read_case(line, &current) ? current.name : NULL; }

int main(int argc, char **argv) {
  return run_cases(argc, argv, &root, "cases.txt", read_current, check_case, "test_parity");
}
