/* config.json: typed access with aliases and defaults, labels, RoPE in both spellings, editing, writing (C3, J7). */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "config_of.h"
#include "failing_alloc.h"

/* What hfm_config_to_json gives; checks snprintf's rule on the way. */
static const char *written(const hfm_config *config, char buffer[4096]) {
  const size_t length = hfm_config_to_json(config, NULL, 0);
  char small[5] = "????";
  CHECK(length < 4096);
  CHECK_INT(hfm_config_to_json(config, buffer, 4096), length);
  CHECK_INT(strlen(buffer), length);
  CHECK_INT(hfm_config_to_json(config, small, sizeof small), length);
  CHECK(strlen(small) < sizeof small && strncmp(small, buffer, 4) == 0);
  return buffer;
}

static void test_getters(void) {
  hfm_config *c = config_of("{\"i\": 7, \"f\": 1.5, \"b\": true, \"s\": \"text\", \"n\": null, \"big\": 1e30, \"o\": "
                            "{\"x\": {\"y\": -3}}, \"huge\": 1000000000000000019884624838656, \"inf\": Infinity}");
  if (!c) return;
  CHECK_INT(hfm_config_get_int(c, "i", 1), 7);
  CHECK_INT(hfm_config_get_int(c, "f", 1), 1); /* another type: the fallback */
  CHECK_INT(hfm_config_get_int(c, "s", 1), 1);
  CHECK_INT(hfm_config_get_int(c, "n", 1), 1);
  CHECK_INT(hfm_config_get_int(c, "absent", 1), 1);
  CHECK_INT(hfm_config_get_int(c, "huge", 1), 1); /* int(1e30), "no limit" */
  CHECK_INT(hfm_config_get_int(c, "o.x.y", 1), -3);
  CHECK_INT(hfm_config_get_int(c, "o.z.y", 1), 1);
  CHECK_INT(hfm_config_get_int(c, "i.x", 1), 1);
  CHECK(hfm_config_get_float(c, "f", 0) == 1.5 && hfm_config_get_float(c, "i", 0) == 7);
  CHECK_NEAR(hfm_config_get_float(c, "huge", 0), 1e30, 0);
  CHECK(hfm_config_get_float(c, "inf", 2) == 2); /* C3: only finite numbers are numbers */
  CHECK_INT(hfm_config_get_bool(c, "b", 0), 1);
  CHECK_INT(hfm_config_get_bool(c, "i", 0), 0);
  CHECK_STR(hfm_config_get_string(c, "s", "?"), "text");
  CHECK_STR(hfm_config_get_string(c, "i", "?"), "?");
  CHECK(hfm_config_get_string(c, "absent", NULL) == NULL);
  CHECK(hfm_config_has(c, "i") && hfm_config_has(c, "o.x") && !hfm_config_has(c, "n") && !hfm_config_has(c, "absent"));
  CHECK_INT(hfm_config_get_int(NULL, "i", 5), 5);
  CHECK_INT(hfm_config_get_int(c, NULL, 5), 5);
  CHECK_INT(hfm_config_length(c, "o"), 1);
  CHECK_INT(hfm_config_length(c, "o.x"), 1);
  CHECK_INT(hfm_config_length(c, "s"), -1);
  CHECK_INT(hfm_config_length(c, "n"), -1);
  CHECK_INT(hfm_config_length(c, "absent"), -1);
  CHECK_INT(hfm_config_length(c, NULL), -1);
  CHECK_INT(hfm_config_length(NULL, "o"), -1);
  CHECK_INT(hfm_config_get_int(c, "", 5), 5);
  hfm_config_free(c);
  hfm_config_free(NULL);
}

/* attribute_map: either name finds either name; the model type's defaults fill what is absent. */
static void test_aliases_and_defaults(void) {
  hfm_config *c = config_of("{\"model_type\": \"gpt2\", \"n_embd\": 48, \"num_hidden_layers\": 3, \"n_inner\": null, "
                            "\"activation_function\": null}");
  hfm_error error;
  char json[4096];
  if (!c) return;
  CHECK_INT(hfm_config_get_int(c, "n_embd", 0), 48);
  CHECK_INT(hfm_config_get_int(c, "hidden_size", 0), 48);
  CHECK_INT(hfm_config_get_int(c, "n_layer", 0), 3);
  CHECK_INT(hfm_config_get_int(c, "num_hidden_layers", 0), 3);
  CHECK_INT(hfm_config_get_int(c, "num_attention_heads", 0), 12); /* GPT2Config's own */
  CHECK_INT(hfm_config_get_int(c, "n_head", 0), 12);
  CHECK_NEAR(hfm_config_get_float(c, "layer_norm_epsilon", 0), 1e-5, 0);
  CHECK_STR(hfm_config_get_string(c, "activation_function", "none"), "none"); /* null is said, not absent */
  CHECK(hfm_config_has(c, "hidden_size") && !hfm_config_has(c, "n_head"));
  CHECK_INT(hfm_config_set_int(c, "hidden_size", 60, &error), HFM_OK); /* under the file's name */
  CHECK_INT(hfm_config_set_int(c, "num_attention_heads", 4, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "n_head", 0), 4);
  CHECK_STR(written(c, json), "{\n  \"activation_function\": null,\n  \"model_type\": \"gpt2\",\n  \"n_embd\": 60,\n"
                              "  \"n_head\": 4,\n  \"n_inner\": null,\n  \"num_hidden_layers\": 3\n}\n");
  CHECK_INT(hfm_config_set_string(c, "model_type", "no-such-model", &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "hidden_size", 0), 0); /* neither alias nor default any more */
  hfm_config_free(c);
}

/* A nested configuration has its own model type's names. */
static void test_nested(void) {
  hfm_config *c = config_of("{\"model_type\": \"x\", \"hidden_size\": 1, "
                            "\"decoder\": {\"model_type\": \"gpt2\", \"n_embd\": 48}}");
  if (!c) return;
  CHECK_INT(hfm_config_get_int(c, "decoder.hidden_size", 0), 48);
  CHECK_INT(hfm_config_get_int(c, "n_embd", 0), 0);
  hfm_config_free(c);
}

/* Both spellings of the dtype; the new one wins. */
static void test_dtype(void) {
  hfm_config *c = config_of("{\"torch_dtype\": \"float16\"}");
  hfm_error error;
  if (!c) return;
  CHECK_STR(hfm_config_get_string(c, "dtype", ""), "float16");
  CHECK_STR(hfm_config_get_string(c, "torch_dtype", ""), "float16");
  CHECK_INT(hfm_config_set_json(c, "new", "null", &error), HFM_OK);
  hfm_config_free(c);
  c = config_of("{\"torch_dtype\": \"float16\", \"dtype\": \"bfloat16\"}");
  if (!c) return;
  CHECK_STR(hfm_config_get_string(c, "dtype", ""), "bfloat16");
  hfm_config_free(c);
  c = config_of("{\"dtype\": \"float16\"}");
  if (!c) return;
  CHECK_STR(hfm_config_get_string(c, "torch_dtype", ""), "float16");
  CHECK_INT(hfm_config_set_string(c, "torch_dtype", "float32", &error), HFM_OK);
  CHECK_STR(hfm_config_get_string(c, "dtype", ""), "float32");
  hfm_config_free(c);
}

/* generation_config.json's values are read under its name, and not changed by it. */
static void test_generation_values(void) {
  hfm_config *c = NULL;
  hfm_error error;
  if (!CHECK_INT(hfm_config_from_pretrained("examples/models/bible-llama", NULL, &c, &error), HFM_OK)) return;
  CHECK_INT(hfm_config_has(c, "generation_config.temperature"), 1);
  CHECK_NEAR(hfm_config_get_float(c, "generation_config.temperature", 0), 0.6, 1e-12);
  CHECK_INT(hfm_config_set_float(c, "generation_config.temperature", 0.9, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_config_remove(c, "generation_config.temperature", &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "hfm_generation_config");
  hfm_config_free(c);
}

/* JSON's num_labels beats id2label; two labels where there is neither. */
/* The name that id2label has for an id; NULL: none. */
typedef struct label_search {
  int64_t id;
  const char *name;
} label_search;

static hfm_result label_seen(void *ctx, int64_t id, const char *name) {
  label_search *search = (label_search *)ctx;
  if (id == search->id) search->name = name;
  return HFM_OK;
}

static const char *label_of(const hfm_config *config, int64_t id) {
  label_search search = {id, NULL};
  CHECK_INT(hfm__config_each_label(config, &search, label_seen), HFM_OK);
  return search.name;
}

static void test_labels(void) {
  static const struct {
    const char *json;
    int count;
    const char *first; /* NULL: LABEL_0 */
  } cases[] = {
      {"{}", 2, NULL},
      {"{\"id2label\": {\"0\": \"NEG\", \"1\": \"POS\", \"2\": \"?\"}}", 3, "NEG"},
      {"{\"num_labels\": 5}", 5, NULL},
      {"{\"num_labels\": 5, \"id2label\": {\"0\": \"NEG\"}}", 5, NULL},
      {"{\"num_labels\": 1, \"id2label\": {\"0\": \"NEG\"}}", 1, "NEG"},
      {"{\"id2label\": null}", 2, NULL},
      {"{\"num_labels\": \"3\"}", 2, NULL},
  };
  char json[4096];
  hfm_error error;
  hfm_config *c;
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    c = config_of(cases[i].json);
    if (!c) continue;
    CHECK_INT(hfm_config_get_int(c, "num_labels", 0), cases[i].count);
    CHECK_STR(label_of(c, 0), cases[i].first);
    CHECK(label_of(c, 99) == NULL && label_of(c, -1) == NULL);
    hfm_config_free(c);
  }
  c = config_of("{\"id2label\": {\"0\": \"A\", \"1\": \"B\"}, \"label2id\": {\"A\": 0, \"B\": 1}}");
  if (!c) return;
  CHECK_INT(hfm_config_set_int(c, "num_labels", 2, &error), HFM_OK); /* as many as there are: nothing changes */
  CHECK_STR(label_of(c, 1), "B");
  CHECK_INT(hfm_config_set_int(c, "num_labels", 3, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "num_labels", 0), 3);
  CHECK_STR(written(c, json),
            "{\n  \"id2label\": {\n    \"0\": \"LABEL_0\",\n    \"1\": \"LABEL_1\",\n    \"2\": \"LABEL_2\"\n  },\n"
            "  \"label2id\": {\n    \"LABEL_0\": 0,\n    \"LABEL_1\": 1,\n    \"LABEL_2\": 2\n  }\n}\n");
  CHECK_INT(hfm_config_set_int(c, "num_labels", 12, &error), HFM_OK);
  CHECK_CONTAINS(written(c, json), "\"9\": \"LABEL_9\",\n    \"10\": \"LABEL_10\""); /* numerically, as Python */
  CHECK_CONTAINS(written(c, json), "\"LABEL_1\": 1,\n    \"LABEL_10\": 10,");        /* and as text */
  CHECK_INT(hfm_config_set_int(c, "num_labels", 2, &error), HFM_OK);
  CHECK_STR(written(c, json), "{}\n"); /* Transformers does not write the default */
  CHECK_INT(hfm_config_set_int(c, "num_labels", 1000003, &error), HFM_OK);
  CHECK_STR(written(c, json), "{\n  \"num_labels\": 1000003\n}\n"); /* no lists of a million names */
  CHECK_INT(hfm_config_get_int(c, "num_labels", 0), 1000003);
  CHECK_INT(hfm_config_set_int(c, "num_labels", 2, &error), HFM_OK);
  CHECK_STR(written(c, json), "{}\n");
  CHECK_INT(hfm_config_set_string(c, "id2label", "text", &error), HFM_OK); /* the place, not the value, has the order */
  CHECK_INT(hfm_config_set_json(c, "id2label", "{\"10\": \"x\", \"9\": \"y\"}", &error), HFM_OK);
  CHECK_STR(written(c, json), "{\n  \"id2label\": {\n    \"9\": \"y\",\n    \"10\": \"x\"\n  }\n}\n");
  CHECK_INT(hfm_config_set_int(c, "num_labels", 0, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_config_set_int(c, "num_labels", INT64_MAX, &error), HFM_ERROR_ARGUMENT);
  hfm_config_free(c);
}

/* What a rope parameter is, in every spelling of its name and of the file: as `config.rope_parameters` is after
   Transformers' AutoConfig. `layer` is "" or "full_attention.", ...; -1: there is none. */
static void test_rope(void) {
  static const struct {
    const char *json, *layer, *type;
    double theta, factor;
  } cases[] = {
      {"{\"model_type\": \"llama\", \"rope_theta\": 500000.0, "
       "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0}}", "", "llama3", 500000, 8},
      {"{\"model_type\": \"llama\", \"rope_theta\": 5000, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}}",
       "", "linear", 5000, 2},
      {"{\"model_type\": \"llama\", \"rope_theta\": 5000, \"rope_scaling\": null}", "", "default", 5000, -1},
      {"{\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, "
       "\"rope_parameters\": {\"rope_type\": \"yarn\"}}", "", "linear", 10000, 2}, /* what a user adds counts */
      {"{\"model_type\": \"llama\", \"rope_scaling\": {}, \"rope_parameters\": {\"rope_type\": \"yarn\"}}", "", "yarn",
       10000, -1},
      {"{\"model_type\": \"llama\", \"rope_parameters\": {\"rope_theta\": 1000.0, \"rope_type\": \"yarn\", "
       "\"factor\": 4.0}, \"rope_theta\": 5}", "", "yarn", 1000, 4},
      {"{\"model_type\": \"smollm3\"}", "", "default", 2000000, -1},
      {"{\"model_type\": \"gpt_neox\", \"rotary_emb_base\": 500}", "", "default", 500, -1},
      {"{\"model_type\": \"gemma3_text\", \"rope_parameters\": {\"full_attention\": {\"rope_theta\": 1e5, "
       "\"rope_type\": \"default\"}, \"sliding_attention\": {\"rope_theta\": 1e3, \"rope_type\": \"linear\", "
       "\"factor\": 8}}}", "sliding_attention.", "linear", 1000, 8},
      {"{\"model_type\": \"gemma3_text\", \"rope_parameters\": {\"full_attention\": {\"rope_theta\": 1e5, "
       "\"factor\": 2}}, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8}}", "full_attention.", "linear",
       1e5, 8},
      {"{\"model_type\": \"gemma3_text\", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 8}}", "full_attention.",
       "default", 1e6, 8},
      {"{\"model_type\": \"gemma3_text\", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 8}, "
       "\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 5.0}}}", "full_attention.", "linear", 5, 8},
      {"{\"model_type\": \"gemma3_text\", \"rope_local_base_freq\": 77, "
       "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8}}", "sliding_attention.", "default", 77, -1},
      {"{\"model_type\": \"llama\"}", "", "default", 10000, -1},
  };
  static const char *const spellings[] = {"rope_parameters", "rope_scaling"};
  char key[80];
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    hfm_config *c = config_of(cases[i].json);
    if (!c) continue;
    for (size_t k = 0; k < HFM__COUNT(spellings); k++) {
      if (k && cases[i].layer[0]) continue;
      snprintf(key, sizeof key, "%s.%srope_type", spellings[k], cases[i].layer);
      CHECK_STR(hfm_config_get_string(c, key, "none"), cases[i].type);
      snprintf(key, sizeof key, "%s.%srope_theta", spellings[k], cases[i].layer);
      CHECK_NEAR(hfm_config_get_float(c, key, -1), cases[i].theta, 0);
      snprintf(key, sizeof key, "%s.%sfactor", spellings[k], cases[i].layer);
      CHECK_NEAR(hfm_config_get_float(c, key, -1), cases[i].factor, 0);
    }
    if (!cases[i].layer[0]) {
      CHECK_STR(hfm_config_get_string(c, "rope_scaling.type", "none"), cases[i].type);
      if (!strstr(cases[i].json, "\"rope_theta\": 5}"))
        CHECK_NEAR(hfm_config_get_float(c, strstr(cases[i].json, "neox") ? "rotary_emb_base" : "rope_theta", -1),
                   cases[i].theta, 0);
    }
    hfm_config_free(c);
  }
}

/* A parameter is changed where it counts, whatever it is called. */
static void test_set_rope(void) {
  static const struct {
    const char *json, *key, *after;
  } cases[] = {
      {"\"rope_theta\": 5.0", "rope_theta", "\"rope_theta\": 7.0"},
      {"\"rope_theta\": 5.0", "rope_parameters.rope_theta", "\"rope_theta\": 7.0"},
      {"\"rope_parameters\": {\"rope_theta\": 5.0}", "rope_theta", "\"rope_parameters\": {\n    \"rope_theta\": 7.0"},
      {"\"rope_parameters\": {\"rope_type\": \"default\"}", "rope_scaling.factor",
       "\"rope_parameters\": {\n    \"factor\": 7.0"},
      {"\"rope_scaling\": {\"type\": \"linear\"}", "rope_parameters.factor",
       "\"rope_scaling\": {\n    \"factor\": 7.0"},
      {"\"rope_scaling\": null", "rope_scaling.factor", "\"rope_scaling\": {\n    \"factor\": 7.0"},
      {"\"rope_scaling\": null", "rope_parameters.factor", "\"rope_parameters\": {\n    \"factor\": 7.0"},
      {"\"rope_scaling\": {\"long_factor\": [1.0, 2.0]}", "rope_parameters.long_factor.1", "1.0,\n      7.0"},
  };
  hfm_error error;
  char json[4096];
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    hfm_config *c;
    snprintf(json, sizeof json, "{\"model_type\": \"llama\", %s}", cases[i].json);
    c = config_of(json);
    if (!c) continue;
    CHECK_INT(hfm_config_set_float(c, cases[i].key, 7, &error), HFM_OK);
    CHECK_CONTAINS(written(c, json), cases[i].after);
    CHECK(hfm_config_has(c, cases[i].key));
    CHECK_NEAR(hfm_config_get_float(c, cases[i].key, -1), 7, 0);
    if (!strstr(cases[i].key, ".1")) CHECK_INT(hfm_config_remove(c, cases[i].key, &error), HFM_OK);
    if (!strstr(cases[i].key, ".1")) CHECK(!hfm_config_has(c, cases[i].key));
    hfm_config_free(c);
  }
  hfm_config *c = config_of("{\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"yarn\", "
                            "\"rope_type\": \"yarn\", \"factor\": 8.0}}");
  if (!c) return;
  /* Of two names the new one counts. */
  CHECK_INT(hfm_config_set_string(c, "rope_scaling.type", "linear", &error), HFM_OK);
  CHECK_STR(hfm_config_get_string(c, "rope_parameters.rope_type", ""), "linear");
  CHECK_CONTAINS(written(c, json), "\"rope_type\": \"linear\"");
  hfm_config_free(c);
}

/* Where each type of layer has parameters of its own, setting one leaves a file that Transformers reads, and all others
   as they were (checked with its AutoConfig): the other type has some, too, and a "type" that was not heard isn't. */
static void test_set_rope_of_layers(void) {
  static const struct {
    const char *json, *key, *after;
    double full_theta, full_factor, sliding_theta;
  } cases[] = {
      {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 8.0}, \"rope_theta\": 5.0, "
       "\"rope_local_base_freq\": 6.0",
       "rope_parameters.sliding_attention.x",
       "\"rope_parameters\": {\n    \"full_attention\": {\n      \"rope_type\": \"default\"\n    },\n"
       "    \"sliding_attention\": {\n      \"rope_type\": \"default\",\n      \"x\": 7.0\n    }\n  }", 5, 8, 6},
      {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 8.0}, \"rope_parameters\": null",
       "rope_parameters.full_attention.x",
       "\"full_attention\": {\n      \"rope_type\": \"default\",\n      \"x\": 7.0\n    }", 1e6, 8, 1e4},
      {"\"rope_theta\": 5.0, \"rope_parameters\": {\"sliding_attention\": {\"rope_theta\": 3.0}}", "rope_scaling.x",
       "\"full_attention\": {\n      \"rope_type\": \"default\"\n    }", 5, -1, 3},
      {"\"rope_theta\": 5.0", "rope_scaling.x", "\"rope_scaling\": {\n    \"x\": 7.0\n  },\n  \"rope_theta\"", 5, -1,
       1e4},
      {"\"rope_parameters\": {\"full_attention\": null}, \"rope_local_base_freq\": 6.0", "rope_parameters.truncate",
       "\"truncate\": 7.0", 1e6, -1, 6},
  };
  char json[4096];
  hfm_error error;
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    hfm_config *c;
    snprintf(json, sizeof json, "{\"model_type\": \"gemma3_text\", %s}", cases[i].json);
    c = config_of(json);
    if (!c) continue;
    for (int set = 0; set < 2; set++) {
      CHECK_STR(hfm_config_get_string(c, "rope_parameters.full_attention.rope_type", ""), "default");
      CHECK_STR(hfm_config_get_string(c, "rope_parameters.sliding_attention.rope_type", ""), "default");
      CHECK_NEAR(hfm_config_get_float(c, "rope_parameters.full_attention.rope_theta", -1), cases[i].full_theta, 0);
      CHECK_NEAR(hfm_config_get_float(c, "rope_parameters.full_attention.factor", -1), cases[i].full_factor, 0);
      CHECK_NEAR(hfm_config_get_float(c, "rope_parameters.sliding_attention.rope_theta", -1), cases[i].sliding_theta,
                 0);
      CHECK_INT(hfm_config_set_float(c, cases[i].key, 7, &error), HFM_OK);
      CHECK_CONTAINS(written(c, json), cases[i].after);
    }
    hfm_config_free(c);
  }
}

/* What every configuration class has, and values that are another key's where the file has none or null. */
static void test_same_as(void) {
  static const struct {
    const char *json, *key;
    int64_t value;
  } cases[] = {
      {"{\"model_type\": \"bert\"}", "chunk_size_feed_forward", 0},
      {"{\"model_type\": \"llama\", \"num_attention_heads\": 12}", "num_key_value_heads", 12},
      {"{\"model_type\": \"llama\", \"num_attention_heads\": 12, \"num_key_value_heads\": null}", "num_key_value_heads",
       12},
      {"{\"model_type\": \"llama\", \"num_attention_heads\": 12, \"num_key_value_heads\": 3}", "num_key_value_heads",
       3},
      {"{\"model_type\": \"llama\"}", "pretraining_tp", 1},
      {"{\"model_type\": \"vit\", \"hidden_size\": 48}", "pooler_output_size", 48},
      {"{\"model_type\": \"t5\", \"num_layers\": 3}", "num_decoder_layers", 3},
      {"{\"model_type\": \"t5\", \"num_hidden_layers\": 4}", "num_decoder_layers", 4}, /* by its alias */
      {"{\"model_type\": \"opt\", \"hidden_size\": 16}", "word_embed_proj_dim", 16},
      {"{\"model_type\": \"llama\", \"name\": \"=vocab_size\"}", "name", -1}, /* a file's text is a text */
      {"{\"model_type\": \"llama\", \"rope_parameters\": {\"original_max_position_embeddings\": 16}}",
       "rope_parameters.original_max_position_embeddings", 16},
      {"{\"model_type\": \"llama\", \"rope_parameters\": {\"original_max_position_embeddings\": 16}, "
       "\"original_max_position_embeddings\": 8}", "rope_parameters.original_max_position_embeddings", 8},
      {"{\"model_type\": \"phi3\", \"rope_scaling\": {\"original_max_position_embeddings\": 16}}",
       "rope_parameters.original_max_position_embeddings", 4096},
  };
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    hfm_config *c = config_of(cases[i].json);
    if (!c) continue;
    CHECK_INT(hfm_config_get_int(c, cases[i].key, -1), cases[i].value);
    CHECK_INT(hfm_config_get_bool(c, "is_encoder_decoder", -1), strstr(cases[i].json, "t5") != NULL);
    hfm_config_free(c);
  }
}

/* A default that is a quotient follows what it is made of, until it is set; only classes that divide have it. */
static void test_quotient(void) {
  static const struct {
    const char *json;
    int64_t value;
  } cases[] = {
      {"{\"model_type\": \"llama\"}", 128},
      {"{\"model_type\": \"llama\", \"hidden_size\": 48, \"num_attention_heads\": 3}", 16},
      {"{\"model_type\": \"llama\", \"hidden_size\": 48, \"head_dim\": null}", 1}, /* 32 heads: its whole part */
      {"{\"model_type\": \"llama\", \"num_attention_heads\": 0}", -1},
      {"{\"model_type\": \"llama\", \"num_attention_heads\": \"x\"}", -1},
      {"{\"model_type\": \"llama\", \"head_dim\": null, \"num_attention_heads\": 16}", 256},
      {"{\"model_type\": \"llama\", \"head_dim\": 5}", 5},
      {"{\"model_type\": \"llama\", \"hidden_size/num_attention_heads\": 7}", 128},
      {"{\"model_type\": \"mistral\", \"num_attention_heads\": 64}", 64},
      {"{\"model_type\": \"ministral\"}", -1}, {"{\"model_type\": \"qwen2\"}", -1},
      {"{\"model_type\": \"mixtral\"}", -1}, {"{\"model_type\": \"gemma\"}", 256},
  };
  hfm_config *c;
  hfm_error error;
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    c = config_of(cases[i].json);
    if (!c) continue;
    CHECK_INT(hfm_config_get_int(c, "head_dim", -1), cases[i].value);
    CHECK_NEAR(hfm_config_get_float(c, "head_dim", -1), (double)cases[i].value, 0);
    CHECK_INT(hfm_config_has(c, "head_dim"), cases[i].value == 5);
    hfm_config_free(c);
  }
  c = config_of("{\"model_type\": \"llama\"}");
  if (!c) return;
  CHECK_INT(hfm_config_set_int(c, "hidden_size", 64, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "head_dim", -1), 2);
  CHECK_INT(hfm_config_set_int(c, "hidden_size", 65, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "head_dim", -1), 2);
  CHECK_INT(hfm_config_set_int(c, "num_attention_heads", 5, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "head_dim", -1), 13);
  CHECK_INT(hfm_config_set_int(c, "head_dim", 12, &error), HFM_OK);
  CHECK_INT(hfm_config_set_int(c, "hidden_size", 10, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "head_dim", -1), 12);
  CHECK_INT(hfm_config_remove(c, "head_dim", &error), HFM_OK);
  CHECK_INT(hfm_config_remove(c, "hidden_size", &error), HFM_OK);
  CHECK_INT(hfm_config_set_int(c, "num_attention_heads", 4, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "head_dim", -1), 1024);
  CHECK_INT(hfm_config_set_string(c, "model_type", "qwen2", &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "head_dim", -1), -1);
  CHECK_INT(hfm_config_set_string(c, "model_type", "mistral", &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "head_dim", -1), 1024);
  hfm_config_free(c);
}

/* Getters that insist name file, key, what was expected and what was found. */
static void test_needed(void) {
  hfm_config *c =
      config_of("{\"a\": 5, \"b\": 4.0, \"c\": null, \"d\": 0, \"e\": 1e-12, \"f\": Infinity, \"g\": \"x\"}");
  static const struct {
    const char *key;
    int32_t item;
  } ints[] = {{"a", HFM_E_NONE},        {"b", HFM_E_CONFIG_TYPE}, {"c", HFM_E_CONFIG_MISSING},
              {"d", HFM_E_CONFIG_RANGE}, {"g", HFM_E_CONFIG_TYPE}, {"absent", HFM_E_CONFIG_MISSING}},
    floats[] = {{"a", HFM_E_NONE},        {"b", HFM_E_NONE},        {"c", HFM_E_CONFIG_MISSING},
                {"d", HFM_E_CONFIG_RANGE}, {"e", HFM_E_NONE},       {"f", HFM_E_CONFIG_TYPE},
                {"g", HFM_E_CONFIG_TYPE}};
  if (!c) return;
  for (size_t i = 0; i < HFM__COUNT(ints); i++) {
    hfm_error error;
    int64_t value = 77;
    memset(&error, 0, sizeof error);
    (void)hfm__config_need_int(c, ints[i].key, 1, INT32_MAX, &value, &error);
    CHECK_INT(error.item, ints[i].item);
    CHECK_INT(value, ints[i].item == HFM_E_NONE ? 5 : 0);
    if (error.item) CHECK_STR(error.what, ints[i].key);
  }
  for (size_t i = 0; i < HFM__COUNT(floats); i++) {
    hfm_error error;
    double value = 77;
    memset(&error, 0, sizeof error);
    (void)hfm__config_need_float(c, floats[i].key, 1e-30, 1e30, &value, &error);
    CHECK_INT(error.item, floats[i].item);
    if (error.item) CHECK_CONTAINS(error.message, "1e-30 to 1e+30");
  }
  hfm_config_free(c);
}

static void test_editing(void) {
  hfm_config *c = config_of("{\"a\": {\"b\": [1, 2]}, \"s\": \"long text\"}");
  hfm_error error;
  char json[4096];
  if (!c) return;
  CHECK_INT(hfm_config_set_int(c, "a.c", INT64_MIN, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "a.c", 0), INT64_MIN);
  CHECK_INT(hfm_config_set_float(c, "eps", 1e-12, &error), HFM_OK);
  CHECK_INT(hfm_config_set_bool(c, "flag", 7, &error), HFM_OK);
  CHECK_INT(hfm_config_set_string(c, "s", "sh\"ort\n\xc3\xa9", &error), HFM_OK);
  CHECK_INT(hfm_config_set_json(c, "a.b", " {\"z\": [], \"y\": 0.10} ", &error), HFM_OK);
  CHECK_INT(hfm_config_set_int(c, "new.deep.path", 3, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "new.deep.path", 0), 3);
  CHECK_STR(hfm_config_get_string(c, "s", ""), "sh\"ort\n\xc3\xa9");
  CHECK_STR(written(c, json),
            "{\n  \"a\": {\n    \"b\": {\n      \"y\": 0.1,\n      \"z\": []\n    },\n"
            "    \"c\": -9223372036854775808\n  },\n"
            "  \"eps\": 1e-12,\n  \"flag\": true,\n  \"new\": {\n    \"deep\": {\n      \"path\": 3\n    }\n  },\n"
            "  \"s\": \"sh\\\"ort\\n\\u00e9\"\n}\n");
  CHECK_INT(hfm_config_remove(c, "a.b", &error), HFM_OK);
  CHECK_INT(hfm_config_remove(c, "new", &error), HFM_OK);
  CHECK_INT(hfm_config_remove(c, "absent.key", &error), HFM_OK);
  CHECK(!hfm_config_has(c, "a.b") && !hfm_config_has(c, "new.deep") && hfm_config_has(c, "a.c"));
  /* refused, and nothing changes */
  CHECK_INT(hfm_config_set_int(c, "s.x", 1, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_config_set_string(c, "s", "\xff", &error), HFM_ERROR_FORMAT);
  CHECK_INT(hfm_config_set_json(c, "s", "{", &error), HFM_ERROR_FORMAT);
  CHECK_INT(error.item, HFM_E_JSON_SYNTAX);
  CHECK_INT(error.offset, 1);
  CHECK_STR(hfm_config_get_string(c, "s", ""), "sh\"ort\n\xc3\xa9");
  CHECK_INT(hfm_config_set_string(c, "s", NULL, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_config_set_int(c, NULL, 1, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_config_set_int(NULL, "s", 1, NULL), HFM_ERROR_ARGUMENT);
  hfm_config_free(c);
}

/* Setting a value again and again does not grow the document; a path of any depth is bounded. */
static void test_editing_is_bounded(void) {
  hfm_config *c = config_of("{}");
  hfm_error error;
  char path[2048];
  size_t size = 0;
  if (!c) return;
  for (int i = 0; i < 1000; i++) {
    CHECK_INT(hfm_config_set_int(c, "k", 1000 + i, &error), HFM_OK);
    CHECK_INT(hfm_config_set_string(c, "s", i % 2 ? "aa" : "bb", &error), HFM_OK);
    if (i == 0) size = c->document.text_size;
  }
  CHECK_INT(c->document.text_size, size);
  hfm_config_free(c);
  c = config_of("{\"model_type\": \"llama\", \"hidden_size\": 3200}");
  if (!c) return;
  size = c->defaults.text_size;
  for (int i = 0; i < 1000; i++) { /* a quotient of 3, 2, 3, ... digits, or none */
    CHECK_INT(hfm_config_set_int(c, "hidden_size", i % 4 < 2 ? 3200 : i % 4 == 2 ? 3168 : 3169, &error), HFM_OK);
    CHECK(c->defaults.text_size <= size);
  }
  for (int i = 0; i < 1023; i++) memcpy(path + 2 * i, "a.", 2);
  memcpy(path + 2046, "a", 2);
  CHECK_INT(hfm_config_set_int(c, path, 1, &error), HFM_ERROR_ARGUMENT);
  CHECK(hfm_config_to_json(c, NULL, 0) > 0);
  hfm_config_free(c);
}

/* J7: Python's NaN and infinities are read, and written as Transformers writes them. */
static void test_nonfinite(void) {
  hfm_config *c = config_of("{\"time_step_limit\": [0.0, Infinity], \"x\": NaN}");
  char json[4096];
  hfm_error error;
  if (!c) return;
  CHECK_INT(hfm_config_set_float(c, "y", -HUGE_VAL, &error), HFM_OK);
  CHECK_STR(written(c, json),
            "{\n  \"time_step_limit\": [\n    0.0,\n    {\n      \"__float__\": \"Infinity\"\n    }\n  ],\n  \"x\": {\n"
            "    \"__float__\": \"NaN\"\n  },\n  \"y\": {\n    \"__float__\": \"-Infinity\"\n  }\n}\n");
  hfm_config_free(c);
}

static void test_refused(void) {
  static const struct {
    const char *json;
    int32_t item;
  } cases[] = {{"[]", HFM_E_JSON_TYPE}, {"3", HFM_E_JSON_TYPE}, {"", HFM_E_JSON_SYNTAX},
               {"{\"a\":1,\"a\":1}", HFM_E_JSON_DUPLICATE_KEY}, {"{} x", HFM_E_JSON_TRAILING}};
  hfm_config *config;
  hfm_options options;
  hfm_error error;
  for (size_t i = 0; i < HFM__COUNT(cases); i++) {
    config = (hfm_config *)&error;
    CHECK(hfm_config_parse(cases[i].json, strlen(cases[i].json), NULL, &config, &error) != HFM_OK);
    CHECK_INT(error.item, cases[i].item);
    CHECK(config == NULL);
  }
  CHECK_INT(hfm_config_parse(NULL, 0, NULL, &config, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_config_parse("{}", 2, NULL, NULL, &error), HFM_ERROR_ARGUMENT);
  memset(&options, 0, sizeof options);
  options.limits.max_config_bytes = 4;
  CHECK_INT(hfm_config_parse("{   }", 5, &options, &config, &error), HFM_ERROR_LIMIT);
}

static const char *logged;
static char log_line[640];
static void write_log(void *ctx, int32_t level, int32_t item, const char *message) {
  hfm__text t = hfm__text_to(log_line, sizeof log_line);
  (void)ctx;
  CHECK_INT(level, HFM_LOG_WARNING);
  CHECK(item != 0);
  hfm__text_str(&t, message);
  logged = log_line;
}

/* A directory with config.json and generation_config.json; the second is optional, and only logged when broken. */
static void test_from_pretrained(void) {
  static const char config_json[] = "{\"a\": 1}", generation_json[] = "{\"max_length\": 20, \"nested\": {\"x\": 2}}";
  hfm_memory_file list[2];
  hfm__memory_files files;
  hfm_options options;
  hfm_config *c;
  hfm_error error;
  list[0].name = "dir/sub/config.json";
  list[0].data = config_json;
  list[0].size = sizeof config_json - 1;
  list[1].name = "dir/sub/generation_config.json";
  list[1].data = generation_json;
  list[1].size = sizeof generation_json - 1;
  files.files = list;
  memset(&options, 0, sizeof options);
  options.io = hfm__memory_io(&files);
  options.subfolder = "sub";
  options.log.write = write_log;
  for (size_t count = 0; count <= 2; count++) {
    files.count = count;
    c = (hfm_config *)&error;
    if (count == 0) {
      CHECK_INT(hfm_config_from_pretrained("dir", &options, &c, &error), HFM_ERROR_NOT_FOUND);
      CHECK_INT(error.item, HFM_E_FILE_NOT_FOUND);
      CHECK_STR(error.file, "dir/sub/config.json");
      CHECK(c == NULL);
    } else if (CHECK_INT(hfm_config_from_pretrained("dir", &options, &c, &error), HFM_OK)) {
      CHECK_INT(error.item, HFM_E_NONE);
      CHECK_INT(hfm_config_get_int(c, "a", 0), 1);
      CHECK_INT(hfm_config_get_int(c, "generation_config.max_length", 0), count == 2 ? 20 : 0);
      CHECK_INT(hfm_config_get_int(c, "generation_config.nested.x", 0), count == 2 ? 2 : 0);
      hfm_config_free(c);
    }
  }
  CHECK(logged == NULL);
  list[1].size--;
  if (CHECK_INT(hfm_config_from_pretrained("dir", &options, &c, &error), HFM_OK)) hfm_config_free(c);
  CHECK(logged != NULL);
  CHECK_CONTAINS(logged, "generation_config.json");
  options.subfolder = NULL;
  CHECK_INT(hfm_config_from_pretrained("dir", &options, &c, &error), HFM_ERROR_NOT_FOUND);
}

static void test_copy(void) {
  hfm_config *c = config_of("{\"b\": {\"x\": [1, \"\\u00e9\", Infinity]}, \"a\": 0.1}"), *copy = NULL;
  char one[4096], two[4096];
  hfm_error error;
  if (!c) return;
  if (CHECK_INT(hfm__config_copy(c, &c->ctx, &copy, &error), HFM_OK)) CHECK_STR(written(copy, two), written(c, one));
  hfm_config_free(copy);
  hfm_config_free(c);
}

/* Files of the real Transformers come out byte for byte as they went in. */
static void test_written_by_transformers(void) {
  static const char *const files[] = {
      "tests/models/bert_sequence/config.json", "tests/models/gpt2_sequence/config.json",
      "tests/models/llama_causal/config.json", "tests/models/llama_causal/generation_config.json",
      "tests/models/llama_base/config_llama_rope_longrope_right7.json",
      "tests/models/llama_base/config_llama_rope_yarn_right7.json"};
  hfm__context ctx;
  hfm_error error;
  CHECK_INT(hfm__context_init(NULL, &ctx, &error), HFM_OK);
  for (size_t i = 0; i < HFM__COUNT(files); i++) {
    char *text, json[4096];
    size_t size;
    hfm_config *c;
    if (!CHECK_INT(hfm__file_load(&ctx, files[i], sizeof json - 1, &text, &size, &error), HFM_OK)) continue;
    if (CHECK_INT(hfm_config_parse(text, size, NULL, &c, &error), HFM_OK)) {
      CHECK_STR(written(c, json), text);
      hfm_config_free(c);
    }
    hfm__free(&ctx.mem, text, (uint64_t)size + 1);
  }
}

static void test_every_allocation(void) {
  static const char json[] = "{\"model_type\": \"llama\", \"hidden_size\": 64, \"id2label\": {\"0\": \"x\"}}";
  failing_alloc memory;
  for (int64_t n = 0;; n++) {
    hfm_options options;
    hfm_config *c = NULL;
    hfm_error error;
    memset(&options, 0, sizeof options);
    failing_alloc_begin(&memory, n);
    options.allocator = memory.allocator;
    if (hfm_config_parse(json, sizeof json - 1, &options, &c, &error) == HFM_OK) {
      hfm_config *copy = NULL;
      const hfm_result results[] = {hfm_config_set_int(c, "num_labels", 9, &error),
                                    hfm_config_set_string(c, "a.b.c", "some text", &error),
                                    hfm_config_set_json(c, "d", "[1, 2, {\"x\": 3}]", &error),
                                    hfm__config_copy(c, &c->ctx, &copy, &error)};
      for (size_t i = 0; i < HFM__COUNT(results); i++) CHECK(results[i] == HFM_OK || results[i] == HFM_ERROR_MEMORY);
      CHECK(hfm_config_to_json(c, NULL, 0) > 0);
      hfm_config_free(copy);
    } else {
      CHECK_INT(error.item, HFM_E_OUT_OF_MEMORY);
      CHECK(c == NULL);
    }
    hfm_config_free(c);
    CHECK(failing_alloc_clean(&memory));
    if (!memory.failed) break;
  }
  CHECK(memory.calls > 8);
}

int main(void) {
  TEST(test_getters);
  TEST(test_aliases_and_defaults);
  TEST(test_nested);
  TEST(test_dtype);
  TEST(test_generation_values);
  TEST(test_labels);
  TEST(test_rope);
  TEST(test_set_rope);
  TEST(test_set_rope_of_layers);
  TEST(test_same_as);
  TEST(test_quotient);
  TEST(test_needed);
  TEST(test_editing);
  TEST(test_editing_is_bounded);
  TEST(test_nonfinite);
  TEST(test_refused);
  TEST(test_from_pretrained);
  TEST(test_copy);
  TEST(test_written_by_transformers);
  TEST(test_every_allocation);
  return check_report("test_config");
}
