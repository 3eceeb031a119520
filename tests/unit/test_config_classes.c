/* What a model type's configuration class knows besides the file: defaults, second names, and what it works out of
   other keys, against Transformers. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"

#include "check.h"
#include "config_of.h"

/* Of another kind than defaults. */
static int is_no_default(const char *key) {
  static const char *const keys[] = {"_name_or_path", "transformers_version", "model_type",
                                     "id2label",      "label2id",             "_sliding_window_pattern"};
  for (size_t i = 0; i < HFM__COUNT(keys); i++)
    if (strcmp(keys[i], key) == 0) return 1;
  return 0;
}

/* What a getter says, as JSON. */
static void write_value(const hfm_config *config, const char *key, char *out, size_t size) {
  const char *text = hfm_config_get_string(config, key, NULL);
  const int32_t truth = hfm_config_get_bool(config, key, -1);
  const int64_t number = hfm_config_get_int(config, key, INT64_MIN);
  if (text) snprintf(out, size, "\"%s\"", text);
  else if (truth >= 0) snprintf(out, size, "%s", truth ? "true" : "false");
  else if (number != INT64_MIN) snprintf(out, size, "%lld", (long long)number);
  else snprintf(out, size, "null");
}

/* What the class works out, by getters, against Transformers' scalar or list. */
static void check_worked_out(const hfm_config *ours, const char *model_type, const char *key, const hfm__json *doc,
                             uint32_t node) {
  const int is_list = hfm__json_kind(doc, node) == HFM__JSON_ARRAY;
  uint32_t item = is_list ? hfm__json_first(doc, node) : node;
  char element[160], found[128], expected[128];
  int64_t i = 0;
  if (is_list && !CHECK_INT(hfm_config_length(ours, key), doc->nodes[node].size))
    printf("    %s: %s\n", model_type, key);
  for (; item; item = is_list ? hfm__json_following(doc, item) : 0, i++) {
    hfm__text t = hfm__text_to(expected, sizeof expected);
    hfm__json_write(doc, item, &t);
    if (is_list) snprintf(element, sizeof element, "%s.%lld", key, (long long)i);
    write_value(ours, is_list ? element : key, found, sizeof found);
    if (!CHECK_STR(found, expected)) printf("    %s: %s\n", model_type, is_list ? element : key);
  }
  if (is_list) {
    snprintf(element, sizeof element, "%s.%lld", key, (long long)i); /* none behind the last */
    write_value(ours, element, found, sizeof found);
    CHECK_STR(found, "null");
  }
}

/* Each model type's defaults and second names against those of Transformers' class, both ways. */
static void test_class_defaults(void) {
  enum { MOST = 1 << 16 };
  static char text[MOST];
  FILE *f = fopen("tests/models/config_defaults.json", "rb");
  const size_t size = f ? fread(text, 1, MOST, f) : 0;
  hfm_config *theirs = NULL;
  hfm_error error;
  if (f) fclose(f);
  if (!CHECK(size && size < MOST) || !CHECK_INT(hfm_config_parse(text, size, NULL, &theirs, &error), HFM_OK)) return;
  for (const hfm__arch *arch = hfm__archs; arch->model_type; arch++) {
    int32_t aliases = 0, known = 0;
    char key[128], json[96];
    hfm__config_value map;
    hfm_config *ours;
    const hfm__json *doc = &theirs->document;
    uint32_t member;
    snprintf(json, sizeof json, "{\"model_type\": \"%s\"}", arch->model_type);
    ours = config_of(json);
    if (!ours) continue;
    snprintf(key, sizeof key, "%s.defaults", arch->model_type);
    member = hfm__json_first(doc, hfm__config_find(theirs, key).node);
    for (; member; member = hfm__json_following(doc, member)) {
      const hfm__json_node *name = &doc->nodes[member];
      hfm__config_value value;
      double number, expected;
      snprintf(key, sizeof key, "%.*s", (int)name->size, doc->text + name->start);
      value = hfm__config_find(ours, key);
      known += value.node != 0 && hfm__json_kind(doc, member + 1) > HFM__JSON_NULL;
      if (is_no_default(key) && !value.node) continue;
      if (hfm__config_rule_of(ours, key)) {
        check_worked_out(ours, arch->model_type, key, doc, member + 1);
        continue;
      }
      if (hfm__json_kind(doc, member + 1) <= HFM__JSON_NULL) continue;
      if (!CHECK(value.node != 0)) {
        printf("    %s has no %s\n", arch->model_type, key);
      } else if (hfm__json_double(doc, member + 1, &expected)) {
        if (!CHECK(hfm__json_double(value.doc, value.node, &number) && number == expected))
          printf("    %s: %s\n", arch->model_type, key);
      } else {
        char found[2][256];
        hfm__text t = hfm__text_to(found[0], sizeof found[0]), u = hfm__text_to(found[1], sizeof found[1]);
        hfm__json_write(value.doc, value.node, &t);
        hfm__json_write(doc, member + 1, &u);
        if (!CHECK_STR(found[0], found[1])) printf("    %s: %s\n", arch->model_type, key);
      }
    }
    CHECK(known > 10);
    for (const hfm__config_pair *pair = arch->config->defaults; pair->key; pair++) {
      if (strcmp(pair->key, "sliding_window") == 0) continue; /* Qwen's drop it, as use_sliding_window is false */
      snprintf(key, sizeof key, "%s.defaults.%s", arch->model_type, pair->key);
      if (!CHECK(hfm__config_find(theirs, key).node != 0)) printf("    %s\n", key);
    }
    hfm_config_free(ours);
    for (const hfm__config_pair *pair = arch->config->attribute_map; pair && pair->key; pair++, aliases++) {
      snprintf(key, sizeof key, "%s.attribute_map.%s", arch->model_type, pair->key);
      CHECK_STR(hfm_config_get_string(theirs, key, "(none)"), pair->value);
    }
    snprintf(key, sizeof key, "%s.attribute_map", arch->model_type);
    map = hfm__config_find(theirs, key);
    if (!CHECK_INT(hfm__json_kind(map.doc, map.node), HFM__JSON_OBJECT) ||
        !CHECK_INT(map.doc->nodes[map.node].size, aliases))
      printf("    %s\n", key);
  }
  hfm_config_free(theirs);
}

/* What classes work out of other keys follows them; a file's own value counts for more, or for less. Values by
   AutoConfig. */
static void test_worked_out(void) {
  static const struct {
    const char *json, *key, *value;
    int64_t length;
  } rows[] = {
      {"{\"model_type\": \"qwen2\", \"num_hidden_layers\": 3, \"use_sliding_window\": true, \"sliding_window\": 8, "
       "\"max_window_layers\": 2}", "layer_types.2", "\"sliding_attention\"", -1},
      {"{\"model_type\": \"qwen2\", \"num_hidden_layers\": 3, \"use_sliding_window\": true, \"sliding_window\": 8, "
       "\"max_window_layers\": 2}", "layer_types.1", "\"full_attention\"", -1},
      {"{\"model_type\": \"qwen2\", \"sliding_window\": 8}", "sliding_window", "null", -1},
      {"{\"model_type\": \"qwen2\", \"num_attention_heads\": 6, \"num_key_value_heads\": null}",
       "num_key_value_heads", "6", -1},
      {"{\"model_type\": \"qwen2\", \"num_hidden_layers\": 1, \"layer_types\": [\"a\", \"b\"]}", "layer_types.1",
       "\"b\"", -1},
      {"{\"model_type\": \"qwen2\", \"layer_types\": [\"a\"]}", "layer_types.1", "null", -1},
      {"{\"model_type\": \"mistral\"}", "layer_types", "null", -1},
      {"{\"model_type\": \"mistral\", \"layer_types\": null, \"num_hidden_layers\": 5}", "layer_types", "null", 5},
      {"{\"model_type\": \"gemma3_text\", \"use_bidirectional_attention\": true, \"sliding_window\": 9}",
       "sliding_window", "5", -1},
      {"{\"model_type\": \"gemma\", \"hidden_act\": \"gelu\"}", "hidden_act", "\"gelu_pytorch_tanh\"", -1},
      {"{\"model_type\": \"bloom\", \"hidden_size\": 8, \"n_embed\": 16}", "hidden_size", "16", -1},
      {"{\"model_type\": \"bloom\", \"hidden_size\": 8, \"n_embed\": null}", "hidden_size", "8", -1},
      {"{\"model_type\": \"falcon\", \"n_embed\": 16}", "ffn_hidden_size", "64", -1},
      {"{\"model_type\": \"falcon\", \"hidden_size\": 9223372036854775807}", "ffn_hidden_size", "null", -1},
      {"{\"model_type\": \"t5\", \"feed_forward_proj\": \"gated-silu\"}", "dense_act_fn", "\"silu\"", -1},
      {"{\"model_type\": \"t5\", \"feed_forward_proj\": \"gated-silu\", \"is_gated_act\": false}", "is_gated_act",
       "false", -1},
      {"{\"model_type\": \"t5\", \"tie_word_embeddings\": false}", "tie_word_embeddings", "true", -1},
      {"{\"model_type\": \"t5\", \"tie_word_embeddings\": false}", "scale_decoder_outputs", "false", -1},
      {"{\"model_type\": \"gpt_neo\", \"attention_types\": [[[\"global\"], 1], [[\"local\", \"global\"], 2]]}",
       "attention_layers.3", "\"local\"", -1},
      {"{\"model_type\": \"gpt_neo\", \"attention_types\": [[[\"global\"], 1], [[\"local\", \"global\"], 2]]}",
       "attention_layers", "null", 5},
      {"{\"model_type\": \"gpt_neo\", \"attention_types\": [[[\"global\"], 9223372036854775807], [[\"local\"], 3]]}",
       "attention_layers.9223372036854775806", "null", -1},
  };
  for (size_t i = 0; i < HFM__COUNT(rows); i++) {
    char found[64];
    hfm_config *c = config_of(rows[i].json);
    if (!c) continue;
    write_value(c, rows[i].key, found, sizeof found);
    if (!CHECK_STR(found, rows[i].value) || !CHECK_INT(hfm_config_length(c, rows[i].key), rows[i].length))
      printf("    %s: %s\n", rows[i].json, rows[i].key);
    hfm_config_free(c);
  }
}

int main(void) {
  TEST(test_class_defaults);
  TEST(test_worked_out);
  return check_report("test_config_classes");
}
