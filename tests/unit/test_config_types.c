/* Values of a configuration that have another type than Transformers' class expects: refused by name, never taken for
   false or for a default (C1, C3, C4); what Python takes for a yes or no is taken, too. And rule C1's numbers, which
   must agree with each other before they are compared with the files. */
#include "hfmodel.h"

#include "check.h"

typedef struct type_case {
  const char *dir, *key, *json;
  int32_t item;
  const char *part; /* of the message */
} type_case;

#define DIR(name) "tests/models/" name

/* What a model of that directory's class is with one value of its configuration changed. */
static int32_t verdict(const type_case *c, hfm_error *error) {
  hfm_options options;
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  int32_t item = -1;
  memset(&options, 0, sizeof options);
  options.task = HFM_TASK_FROM_CONFIG;
  memset(error, 0, sizeof *error);
  if (CHECK_INT(hfm_config_from_pretrained(c->dir, NULL, &config, error), HFM_OK) &&
      CHECK_INT(hfm_config_set_json(config, c->key, c->json, error), HFM_OK)) {
    options.config = config;
    item = hfm_from_pretrained(c->dir, &options, &model, error) == HFM_OK ? (int32_t)HFM_E_NONE : error->item;
  }
  CHECK((item == HFM_E_NONE) == (model != NULL));
  hfm_model_free(model);
  hfm_config_free(config);
  return item;
}

static void check_cases(const type_case *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    hfm_error error;
    if (!CHECK_INT(verdict(&cases[i], &error), cases[i].item))
      printf("    %s: %s = %s: %s\n", cases[i].dir, cases[i].key, cases[i].json, error.message);
    if (cases[i].part) CHECK_CONTAINS(error.message, cases[i].part);
    if (cases[i].item) CHECK_CONTAINS(error.file, "config.json");
  }
}

/* What Python takes for a yes or no is one: 0, 1 and null; nothing else is. */
static void test_flags(void) {
  static const type_case cases[] = {
      {DIR("bert_base"), "is_decoder", "0", HFM_E_NONE, NULL},
      {DIR("bert_base"), "is_decoder", "null", HFM_E_NONE, NULL},
      {DIR("bert_base"), "is_decoder", "1", HFM_E_NONE, NULL},
      {DIR("bert_base"), "is_decoder", "2", HFM_E_CONFIG_TYPE, "'is_decoder' must be true or false, found '2'"},
      {DIR("bert_base"), "is_decoder", "\"false\"", HFM_E_CONFIG_TYPE, "found 'false'"},
      {DIR("llama_base"), "attention_bias", "0", HFM_E_NONE, NULL},
      {DIR("llama_base"), "attention_bias", "\"x\"", HFM_E_CONFIG_TYPE, "found 'x'"},
      {DIR("llama_base"), "attention_bias", "0.0", HFM_E_CONFIG_TYPE, "found '0.0'"},
      {DIR("llama_base"), "mlp_bias", "[]", HFM_E_CONFIG_TYPE, "found a list"},
      {DIR("llama_causal"), "tie_word_embeddings", "\"x\"", HFM_E_CONFIG_TYPE, "'tie_word_embeddings'"},
      {DIR("llama_base"), "is_causal", "{}", HFM_E_CONFIG_TYPE, "found an object"},
      {DIR("llama_token"), "token_classification_bias", "-1", HFM_E_CONFIG_TYPE, "found '-1'"},
      {DIR("qwen2_base"), "use_sliding_window", "\"yes\"", HFM_E_CONFIG_TYPE, "found 'yes'"},
      {DIR("gpt2_base"), "scale_attn_weights", "\"\"", HFM_E_CONFIG_TYPE, "found ''"},
      {DIR("gpt2_base"), "scale_attn_weights", "1", HFM_E_NONE, NULL},
      {DIR("gpt2_base"), "add_cross_attention", "1", HFM_E_CONFIG_VALUE, NULL},
      {DIR("bert_base"), "add_cross_attention", "true", HFM_E_CONFIG_VALUE, "that read an encoder"},
      {DIR("distilbert_base"), "sinusoidal_pos_embds", "1.5", HFM_E_CONFIG_TYPE, "found '1.5'"},
      {DIR("vit_base"), "qkv_bias", "NaN", HFM_E_CONFIG_TYPE, "found 'NaN'"},
      {DIR("opt_base"), "enable_bias", "\"x\"", HFM_E_CONFIG_TYPE, "found 'x'"},
      {DIR("falcon_base"), "alibi", "2", HFM_E_CONFIG_TYPE, "found '2'"},
      {DIR("falcon_base"), "alibi", "null", HFM_E_NONE, NULL},
      {DIR("falcon_40b"), "parallel_attn", "false", HFM_E_CONFIG_VALUE, "it must be true"},
      {DIR("bloom_base"), "slow_but_exact", "true", HFM_E_NONE, NULL},
      {DIR("phi_norms"), "qk_layernorm", "\"yes\"", HFM_E_CONFIG_TYPE, "found 'yes'"},
  };
  check_cases(cases, CHECK_COUNT(cases));
}

/* C4: names; the classes of `architectures`; labels. */
static void test_names_and_labels(void) {
  static const type_case cases[] = {
      {DIR("bert_base"), "hidden_act", "5", HFM_E_CONFIG_TYPE, "'hidden_act' must be a string"},
      {DIR("bert_base"), "hidden_act", "\"gelu\\u0000\"", HFM_E_CONFIG_TYPE, "NUL"},
      {DIR("bert_base"), "hidden_act", "\"geluu\"", HFM_E_CONFIG_VALUE,
       "'geluu', which is not supported: use one of gelu gelu_10 "},
      {DIR("bert_base"), "hidden_act", "null", HFM_E_CONFIG_MISSING, "is null or absent: use one of gelu "},
      {DIR("bert_base"), "position_embedding_type", "1", HFM_E_CONFIG_TYPE, NULL},
      {DIR("bert_base"), "model_type", "7", HFM_E_CONFIG_TYPE, "'model_type' must be a string, found '7'"},
      {DIR("bert_base"), "model_type", "null", HFM_E_CONFIG_NO_MODEL_TYPE, "it should have a `model_type` key"},
      {DIR("bert_base"), "model_type", "\"brt\"", HFM_E_MODEL_TYPE_UNKNOWN, "'brt' is not supported"},
      {DIR("bert_base"), "architectures", "\"BertModel\"", HFM_E_CONFIG_TYPE, "a list of class names"},
      {DIR("bert_base"), "architectures", "[\"BertModel\", 5]", HFM_E_CONFIG_TYPE, "a list of class names"},
      {DIR("bert_base"), "architectures", "null", HFM_E_NONE, NULL},
      {DIR("bert_base"), "architectures", "[\"BertForThings\"]", HFM_E_TASK_UNSUPPORTED, "'BertForThings'"},
      {DIR("bert_base"), "dtype", "16", HFM_E_CONFIG_TYPE, "the name of a dtype"},
      {DIR("bert_base"), "transformers_weights", "[]", HFM_E_CONFIG_TYPE, "found a list"},
      {DIR("bert_base"), "num_labels", "\"x\"", HFM_E_CONFIG_TYPE, "'num_labels' must be an integer, found 'x'"},
      {DIR("bert_base"), "num_labels", "3.0", HFM_E_CONFIG_TYPE, "found '3.0'"},
      {DIR("bert_base"), "id2label", "[\"a\"]", HFM_E_CONFIG_TYPE, "found a list"},
      {DIR("bert_base"), "id2label", "null", HFM_E_NONE, NULL},
      {DIR("bert_sequence"), "num_labels", "0", HFM_E_CONFIG_RANGE, "num_labels is 0"},
      {DIR("bert_sequence"), "num_labels", "-3", HFM_E_CONFIG_RANGE, "num_labels is -3"},
      {DIR("qwen2_base"), "layer_types", "5", HFM_E_CONFIG_TYPE, "'layer_types.0' must be full_attention or"},
      {DIR("mistral_base"), "layer_types", "[]", HFM_E_CONFIG_TYPE, "'layer_types.0' must be full_attention or"},
      {DIR("bert_base"), "quantization_config", "{\"quant_method\": \"awq\"}", HFM_E_CONFIG_VALUE, "'awq'"},
      {DIR("llama_base"), "quantization_config", "{\"load_in_4bit\": true, \"quant_method\": \"bitsandbytes\"}",
       HFM_E_CONFIG_VALUE, "'bitsandbytes'"}, /* B1 */
      {DIR("bert_base"), "quantization_config", "true", HFM_E_CONFIG_VALUE, "quantised"},
      {DIR("llama_base"), "per_layer_config", "{}", HFM_E_NONE, NULL},
  };
  check_cases(cases, CHECK_COUNT(cases));
}

/* C1: integers in range that fit each other. C3: floats that are finite and positive. J6: no 4.0, "4", 1e999. */
static void test_numbers(void) {
  static const type_case cases[] = {
      {DIR("bert_base"), "hidden_size", "36.0", HFM_E_CONFIG_TYPE, "found '36.0'"},
      {DIR("bert_base"), "hidden_size", "\"36\"", HFM_E_CONFIG_TYPE, "an integer from 1 to 2147483647, found '36'"},
      {DIR("bert_base"), "hidden_size", "null", HFM_E_CONFIG_MISSING, "'hidden_size' is needed"},
      {DIR("bert_base"), "hidden_size", "0", HFM_E_CONFIG_RANGE, "is 0, but must be from 1"},
      {DIR("bert_base"), "hidden_size", "2147483648", HFM_E_CONFIG_RANGE, "is 2147483648, but"},
      {DIR("bert_base"), "hidden_size", "1000000000000000019884624838656", HFM_E_CONFIG_TYPE, NULL},
      {DIR("bert_base"), "num_attention_heads", "5", HFM_E_CONFIG_RANGE, "must be a multiple of 'num_attention_heads'"},
      {DIR("llama_base"), "num_attention_heads", "8", HFM_E_CONFIG_RANGE, "a multiple of 'num_attention_heads'"},
      {DIR("gemma_base"), "use_bidirectional_attention", "true", HFM_E_CONFIG_VALUE, "'use_bidirectional_attention'"},
      {DIR("gemma_base"), "use_bidirectional_attention", "null", HFM_E_NONE, NULL},
      {DIR("gemma2_base"), "use_bidirectional_attention", "true", HFM_E_CONFIG_VALUE, "'use_bidirectional_attention'"},
      {DIR("gemma2_base"), "hidden_activation", "null", HFM_E_CONFIG_MISSING, "'hidden_activation'"},
      {DIR("gemma2_base"), "sliding_window", "null", HFM_E_CONFIG_MISSING, "'sliding_window'"},
      {DIR("gemma2_base"), "sliding_window", "0", HFM_E_CONFIG_RANGE, "'sliding_window'"},
      {DIR("gemma2_base"), "layer_types", "[\"full_attention\"]", HFM_E_CONFIG_TYPE, "for every layer"},
      {DIR("gemma2_base"), "layer_types", "[\"chunked_attention\"]", HFM_E_CONFIG_VALUE, "'chunked_attention'"},
      {DIR("gemma2_base"), "layer_types", "[\"sliding_attention\", \"attention\", \"attention\"]", HFM_E_NONE, NULL},
      {DIR("gemma2_base"), "attn_logit_softcapping", "0.0", HFM_E_CONFIG_RANGE, "'attn_logit_softcapping'"},
      {DIR("gemma2_base"), "final_logit_softcapping", "\"x\"", HFM_E_CONFIG_TYPE, "'final_logit_softcapping'"},
      {DIR("gemma2_base"), "query_pre_attn_scalar", "0", HFM_E_CONFIG_RANGE, "'query_pre_attn_scalar'"},
      {DIR("gemma2_base"), "num_attention_heads", "7", HFM_E_CONFIG_RANGE, "'hidden_size'"},
      {DIR("gemma3_base"), "rope_parameters", "{\"full_attention\": 5}", HFM_E_CONFIG_TYPE, "full_attention"},
      {DIR("gemma3_base"), "rope_parameters", "{\"sliding_attention\": {\"rope_theta\": 0}}", HFM_E_CONFIG_RANGE,
       "greater than 0"},
      {DIR("gemma3_base"), "rope_parameters", "{\"sliding_attention\": null}", HFM_E_NONE, NULL},
      {DIR("smollm3_base"), "no_rope_layers", "[1, 0]", HFM_E_CONFIG_MISSING, "no_rope_layers.2"},
      {DIR("smollm3_base"), "no_rope_layers", "[1, 0, \"x\", 1]", HFM_E_CONFIG_TYPE, "no_rope_layers.2"},
      {DIR("granite_base"), "residual_multiplier", "-0.5", HFM_E_NONE, NULL},
      {DIR("granite_base"), "residual_multiplier", "null", HFM_E_CONFIG_MISSING, "'residual_multiplier'"},
      {DIR("granite_base"), "embedding_multiplier", "\"x\"", HFM_E_CONFIG_TYPE, "a finite number"},
      {DIR("granite_base"), "logits_scaling", "0", HFM_E_CONFIG_RANGE, "'logits_scaling' is 0"},
      {DIR("phi3_base"), "rope_parameters.rope_type", "\"linear\"", HFM_E_CONFIG_VALUE, "default and longrope"},
      {DIR("phi3_base"), "rope_parameters.partial_rotary_factor", "0.01", HFM_E_CONFIG_RANGE, "(here 0"},
      {DIR("phi3_base"), "rope_parameters.partial_rotary_factor", "-1", HFM_E_CONFIG_RANGE, "'partial_rotary_factor'"},
      {DIR("mixtral_base"), "num_experts_per_tok", "6", HFM_E_CONFIG_RANGE, "but there are 5 experts"},
      {DIR("mixtral_base"), "num_experts_per_tok", "0", HFM_E_CONFIG_RANGE, "'num_experts_per_tok'"},
      {DIR("mixtral_base"), "num_local_experts", "1000000000", HFM_E_CONFIG_LIMIT, "more than the weights files hold"},
      {DIR("qwen3_moe_base"), "mlp_only_layers", "1", HFM_E_CONFIG_TYPE, "a list of numbers of layers"},
      {DIR("qwen3_moe_base"), "mlp_only_layers", "[\"1\"]", HFM_E_CONFIG_TYPE, "a list of numbers of layers"},
      {DIR("qwen3_moe_base"), "decoder_sparse_step", "0", HFM_E_CONFIG_RANGE, "'decoder_sparse_step'"},
      {DIR("qwen3_moe_base"), "norm_topk_prob", "\"yes\"", HFM_E_CONFIG_TYPE, "'norm_topk_prob' must be true or false"},
      {DIR("gemma_base"), "head_dim", "0", HFM_E_CONFIG_RANGE, "'head_dim'"},
      {DIR("llama_base"), "num_key_value_heads", "4", HFM_E_CONFIG_RANGE, "'num_key_value_heads'"},
      {DIR("llama_base"), "num_key_value_heads", "600", HFM_E_CONFIG_RANGE, "'num_key_value_heads'"},
      {DIR("llama_base"), "head_dim", "3", HFM_E_CONFIG_RANGE, "an even head size (here 3)"},
      {DIR("llama_base"), "rms_norm_eps", "0", HFM_E_NONE, NULL},
      {DIR("llama_base"), "rms_norm_eps", "-1e-6", HFM_E_CONFIG_RANGE, "'rms_norm_eps' is -1e-06"},
      {DIR("llama_base"), "rms_norm_eps", "1e999", HFM_E_CONFIG_TYPE, "a finite number"},
      {DIR("llama_base"), "rms_norm_eps", "NaN", HFM_E_CONFIG_TYPE, "found 'NaN'"},
      {DIR("llama_base"), "rms_norm_eps", "{\"__float__\": \"NaN\"}", HFM_E_CONFIG_TYPE, "found an object"},
      {DIR("llama_base"), "rope_parameters", "{\"rope_theta\": 0}", HFM_E_CONFIG_RANGE, "greater than 0"},
      {DIR("llama_base"), "rope_parameters", "{\"rope_theta\": Infinity}", HFM_E_CONFIG_TYPE, NULL},
      {DIR("llama_base"), "rope_parameters", "\"linear\"", HFM_E_CONFIG_TYPE, "'rope_parameters' must be an object"},
      {DIR("llama_base"), "rope_scaling", "\"linear\"", HFM_E_CONFIG_TYPE, "an object such as {\"rope_type\": "},
      {DIR("llama_base"), "rope_scaling", "5", HFM_E_CONFIG_TYPE, "found '5'"},
      {DIR("llama_base"), "rope_scaling", "[2.0]", HFM_E_CONFIG_TYPE, "found a list"},
      {DIR("llama_base"), "rope_scaling", "[]", HFM_E_NONE, NULL},
      {DIR("llama_base"), "rope_parameters", "{\"rope_type\": 5}", HFM_E_CONFIG_TYPE, "'rope_type' must be a string"},
      {DIR("llama_base"), "rope_parameters", "{\"rope_type\": \"warp\"}", HFM_E_CONFIG_VALUE, "'warp'"},
      {DIR("llama_base"), "rope_parameters", "{\"rope_type\": \"linear\", \"factor\": -2}", HFM_E_CONFIG_RANGE, NULL},
      {DIR("llama_base"), "rope_parameters", "{\"rope_type\": \"proportional\", \"partial_rotary_factor\": 1.5}",
       HFM_E_CONFIG_RANGE, "'partial_rotary_factor' must be from 0 to 1, found '1.5'"},
      {DIR("llama_base"), "rope_parameters", "{\"rope_type\": \"proportional\", \"partial_rotary_factor\": 0}",
       HFM_E_NONE, NULL},
      {DIR("llama_base"), "rope_parameters",
       "{\"rope_type\": \"linear\", \"factor\": 2, \"partial_rotary_factor\": 0.5}", HFM_E_CONFIG_VALUE, "whole heads"},
      /* the default type of RoPE has none */
      {DIR("llama_base"), "original_max_position_embeddings", "\"x\"", HFM_E_NONE, NULL},
      {DIR("bert_base"), "initializer_range", "\"x\"", HFM_E_CONFIG_TYPE, "'initializer_range'"},
      {DIR("bert_base"), "hidden_dropout_prob", "2", HFM_E_CONFIG_RANGE, NULL},
      {DIR("bert_base"), "hidden_dropout_prob", "\"0\"", HFM_E_CONFIG_TYPE, NULL},
      {DIR("bert_base"), "pad_token_id", "NaN", HFM_E_CONFIG_TYPE, "found 'NaN'"},
      {DIR("bert_base"), "pad_token_id", "100000", HFM_E_CONFIG_RANGE, "rows of 'word_embeddings'"},
      {DIR("vit_base"), "image_size", "[15]", HFM_E_CONFIG_MISSING, "'image_size.1'"},
      {DIR("gpt_neox_base"), "rope_parameters", "{\"partial_rotary_factor\": 0}", HFM_E_CONFIG_RANGE, "(here 0"},
      {DIR("gpt_neox_base"), "rope_parameters", "{\"partial_rotary_factor\": 1.5}", HFM_E_CONFIG_RANGE, "found '1.5'"},
      {DIR("gpt_neox_base"), "rope_parameters", "{\"partial_rotary_factor\": 0.01}", HFM_E_CONFIG_RANGE, "(here 0"},
      {DIR("gpt_neox_base"), "rope_parameters",
       "{\"rope_type\": \"dynamic\", \"factor\": 2, \"partial_rotary_factor\": 0.17}", HFM_E_CONFIG_RANGE,
       "'dynamic' has no frequencies for 2"},
      {DIR("gpt_neox_base"), "rope_parameters",
       "{\"rope_type\": \"yarn\", \"factor\": 2, \"partial_rotary_factor\": 0.42}", HFM_E_CONFIG_RANGE,
       "'yarn' has no frequencies for 5"},
      {DIR("gpt_neox_base"), "rope_parameters",
       "{\"rope_type\": \"yarn\", \"factor\": 2, \"partial_rotary_factor\": 0.26}", HFM_E_NONE, NULL},
      {DIR("phi_base"), "rope_parameters", "{\"partial_rotary_factor\": 0.42}", HFM_E_CONFIG_RANGE,
       "'partial_rotary_factor' is 0.42, which makes 5 elements of each head rotate, but there are rotary embeddings "
       "for 6"},
      {DIR("phi_base"), "rope_parameters", "{\"rope_type\": \"proportional\", \"partial_rotary_factor\": 0.5}",
       HFM_E_CONFIG_RANGE, "rotary embeddings for 12"},
      {DIR("phi_norms"), "head_dim", "6", HFM_E_CONFIG_VALUE, "'qk_layernorm'"},
      {DIR("falcon_base"), "num_ln_in_parallel_attn", "2", HFM_E_CONFIG_VALUE, "'num_ln_in_parallel_attn'"},
      {DIR("falcon_40b"), "num_ln_in_parallel_attn", "3", HFM_E_CONFIG_VALUE, "'num_ln_in_parallel_attn'"},
      {DIR("falcon_40b"), "num_kv_heads", "4", HFM_E_CONFIG_RANGE, "'num_kv_heads'"},
      {DIR("falcon_rw"), "num_kv_heads", "1", HFM_E_CONFIG_VALUE, "'num_kv_heads'"},
      {DIR("bloom_base"), "n_head", "5", HFM_E_CONFIG_RANGE, "must be a multiple of 'n_head'"},
      {DIR("gpt_neo_base"), "attention_layers", "[\"global\"]", HFM_E_CONFIG_RANGE, "only 1 layers"},
      {DIR("gpt_neo_base"), "attention_layers", "[\"global\",\"local\",\"local\"]", HFM_E_CONFIG_RANGE, "more than 2"},
      {DIR("gpt_neo_base"), "attention_layers", "[\"global\",\"near\"]", HFM_E_CONFIG_VALUE, "'near'"},
      {DIR("gpt_neo_base"), "attention_layers", "\"x\"", HFM_E_CONFIG_TYPE, "found 'x'"},
      {DIR("gpt_neo_base"), "attention_layers", "null", HFM_E_NONE, NULL},
      {DIR("gpt_neo_base"), "window_size", "0", HFM_E_CONFIG_RANGE, "'window_size'"},
      {DIR("opt_base"), "pad_token_id", "61", HFM_E_CONFIG_RANGE, "rows of 'embed_tokens'"},
      {DIR("m2m_100_base"), "pad_token_id", "null", HFM_E_CONFIG_MISSING, "'pad_token_id'"},
      {DIR("m2m_100_base"), "pad_token_id", "-1", HFM_E_CONFIG_RANGE, "'pad_token_id' is -1"},
      {DIR("m2m_100_base"), "d_model", "3", HFM_E_CONFIG_RANGE, "need at least 4"},
      {DIR("m2m_100_base"), "max_position_embeddings", "1", HFM_E_NONE, NULL},
      {DIR("marian_generation"), "decoder_vocab_size", "60", HFM_E_CONFIG_RANGE, "have one size"},
      {DIR("marian_generation"), "decoder_vocab_size", "null", HFM_E_NONE, NULL},
      {DIR("marian_two"), "pad_token_id", "47", HFM_E_CONFIG_RANGE, "one of the 47 rows of 'embed_tokens'"},
      {DIR("qwen2_base"), "layer_types", "[\"full_attention\",\"full_attention\",\"sliding_attention\"]",
       HFM_E_CONFIG_VALUE, "use_sliding_window does not allow it"},
      {DIR("qwen3_base"), "layer_types", "[\"full_attention\",\"full_attention\"]", HFM_E_CONFIG_TYPE,
       "'layer_types.2'"},
      {DIR("ministral_base"), "sliding_window", "null", HFM_E_CONFIG_MISSING, "'sliding_window' is needed"},
      {DIR("ministral_base"), "layer_types", "[\"full_attention\",\"full_attention\",\"full_attention\"]",
       HFM_E_CONFIG_RANGE, "'layer_types' is for 3 layers, but 'num_hidden_layers' is 2"},
      {DIR("bert_sequence1"), "problem_type", "\"single_label_classification\"", HFM_E_CONFIG_VALUE, "'problem_type'"},
      {DIR("bert_sequence1"), "problem_type", "\"regression\"", HFM_E_NONE, NULL},
      {DIR("bert_sequence"), "problem_type", "\"single_label_classification\"", HFM_E_NONE, NULL},
      {DIR("bert_base"), "vocab_size", "62", HFM_E_WEIGHT_MISMATCH, NULL},
  };
  type_case c = {DIR("qwen2_base"), "max_window_layers", "\"x\"", HFM_E_CONFIG_TYPE, "found 'x'"};
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_options options;
  hfm_error error;
  for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
    memset(&error, 0, sizeof error);
    if (!CHECK_INT(verdict(&cases[i], &error), cases[i].item))
      printf("    %s: %s = %s: %s\n", cases[i].dir, cases[i].key, cases[i].json, error.message);
    if (cases[i].part) CHECK_CONTAINS(error.message, cases[i].part);
  }
  memset(&options, 0, sizeof options); /* what only counts with a window */
  if (!CHECK_INT(hfm_config_from_pretrained(c.dir, NULL, &config, &error), HFM_OK)) return;
  options.config = config;
  CHECK_INT(hfm_config_set_bool(config, "use_sliding_window", 1, &error), HFM_OK);
  CHECK_INT(hfm_config_set_int(config, "sliding_window", 4, &error), HFM_OK);
  CHECK_INT(hfm_config_remove(config, "layer_types", &error), HFM_OK);
  CHECK_INT(hfm_config_set_json(config, c.key, c.json, &error), HFM_OK);
  CHECK(hfm_from_pretrained(c.dir, &options, &model, &error) != HFM_OK);
  CHECK_INT(error.item, c.item);
  CHECK_STR(error.what, c.key);
  CHECK_INT(hfm_config_set_json(config, c.key, "null", &error), HFM_OK);
  CHECK(hfm_from_pretrained(c.dir, &options, &model, &error) != HFM_OK);
  CHECK_INT(error.item, HFM_E_CONFIG_MISSING);
  CHECK_INT(hfm_config_set_json(config, "layer_types", "[\"full_attention\"]", &error), HFM_OK); /* too few */
  CHECK(hfm_from_pretrained(c.dir, &options, &model, &error) != HFM_OK);
  CHECK_INT(error.item, HFM_E_CONFIG_TYPE);
  CHECK_STR(error.what, "layer_types.1");
  CHECK_INT(hfm_config_set_json(config, "layer_types", "\"full_attention\"", &error), HFM_OK);
  CHECK(hfm_from_pretrained(c.dir, &options, &model, &error) != HFM_OK);
  CHECK_INT(error.item, HFM_E_CONFIG_TYPE);
  hfm_config_free(config);
}

/* RoBERTa counts positions from its padding id: without one it loads, and runs where position_ids are given. */
static void test_roberta_without_padding(void) {
  static const int64_t ids[] = {5, 6, 7}, positions[] = {4, 2, 3};
  static const char *const values[] = {"null", "-3"};
  for (size_t i = 0; i < CHECK_COUNT(values); i++) {
    hfm_options options;
    hfm_config *config = NULL;
    hfm_model *model = NULL;
    hfm_session *session = NULL;
    hfm_inputs in;
    hfm_outputs out;
    hfm_error error;
    memset(&options, 0, sizeof options);
    memset(&in, 0, sizeof in);
    if (!CHECK_INT(hfm_config_from_pretrained(DIR("roberta_base"), NULL, &config, &error), HFM_OK)) continue;
    CHECK_INT(hfm_config_set_json(config, "pad_token_id", values[i], &error), HFM_OK);
    options.config = config;
    if (CHECK_INT(hfm_from_pretrained(DIR("roberta_base"), &options, &model, &error), HFM_OK) &&
        CHECK_INT(hfm_session_create(model, NULL, &session, &error), HFM_OK)) {
      in.input_ids = hfm_tensor_i64(ids, 1, 3);
      CHECK(hfm_forward(session, &in, &out, &error) != HFM_OK);
      CHECK_STR(error.what, "pad_token_id");
      CHECK_CONTAINS(error.message, values[i]);
      CHECK_CONTAINS(error.message, "give position_ids");
      in.position_ids = hfm_tensor_i64(positions, 1, 3);
      CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    }
    hfm_session_free(session);
    hfm_model_free(model);
    hfm_config_free(config);
  }
}

/* C5: names of code, repositories and implementations in a configuration are inert. C6: so are ids of special
   tokens. */
static void test_inert(void) {
  static const type_case cases[] = {
      {DIR("llama_causal"), "auto_map", "{\"AutoModel\": \"evil/repo--modeling.Model\"}", HFM_E_NONE, NULL},
      {DIR("llama_causal"), "_attn_implementation_internal", "\"kernels-community/evil\"", HFM_E_NONE, NULL},
      {DIR("llama_causal"), "_name_or_path", "\"/etc/passwd\"", HFM_E_NONE, NULL},
      {DIR("llama_causal"), "eos_token_id", "[2147483647, -5]", HFM_E_NONE, NULL},
      {DIR("llama_causal"), "bos_token_id", "4611686018427387904", HFM_E_NONE, NULL},
      {DIR("llama_causal"), "bos_token_id", "{\"a\": []}", HFM_E_NONE, NULL},
      {DIR("bert_base"), "transformers_weights", "\"../bert_wide/model.safetensors\"", HFM_E_CONFIG_VALUE,
       "inside the"},
      {DIR("bert_base"), "transformers_weights", "\"/etc/passwd.safetensors\"", HFM_E_CONFIG_VALUE, "inside the"},
      {DIR("bert_base"), "transformers_weights", "\"config.json\"", HFM_E_CONFIG_VALUE, ".safetensors file"},
  };
  for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
    hfm_error error;
    if (!CHECK_INT(verdict(&cases[i], &error), cases[i].item)) printf("    %s: %s\n", cases[i].key, error.message);
    if (cases[i].part) CHECK_CONTAINS(error.message, cases[i].part);
  }
}

/* Elements of lists are set where they are; the rest says what to do. */
static void test_setters_of_lists(void) {
  static const char json[] = "{\"image_mean\": [0.5, [1, 2], {\"x\": 3}], \"n\": null, \"t\": \"text\"}";
  static const struct {
    const char *key, *part;
  } refused[] = {
      {"image_mean.3", "no such element: set the list with hfm_config_set_json"},
      {"image_mean.x", "no such element"},
      {"image_mean.-1", "no such element"},
      {"image_mean.0.a", "neither object nor"},
      {"t.x", "neither object nor list"},
      {"", "none of them empty"},
      {"a..b", "none of them empty"},
      {".a", "none of them empty"},
      {"a.", "none of them empty"},
  };
  hfm_config *c = NULL;
  hfm_error error;
  char before[512], after[512];
  if (!CHECK_INT(hfm_config_parse(json, sizeof json - 1, NULL, &c, &error), HFM_OK)) return;
  CHECK_INT(hfm_config_set_float(c, "image_mean.0", 0.25, &error), HFM_OK);
  CHECK_NEAR(hfm_config_get_float(c, "image_mean.0", 0), 0.25, 0);
  CHECK_INT(hfm_config_set_int(c, "image_mean.1.1", 7, &error), HFM_OK);
  CHECK_INT(hfm_config_get_int(c, "image_mean.1.1", 0), 7);
  CHECK_INT(hfm_config_set_string(c, "image_mean.2.y", "new", &error), HFM_OK);
  CHECK_STR(hfm_config_get_string(c, "image_mean.2.y", ""), "new");
  CHECK_INT(hfm_config_remove(c, "image_mean.2.x", &error), HFM_OK);
  CHECK_INT(hfm_config_set_json(c, "image_mean.1", "{\"deep\": [true]}", &error), HFM_OK);
  CHECK_INT(hfm_config_set_bool(c, "image_mean.1.deep.0", 0, &error), HFM_OK);
  CHECK_INT(hfm_config_set_int(c, "n.made.here", 1, &error), HFM_OK); /* null becomes what is needed */
  hfm_config_to_json(c, before, sizeof before);
  CHECK_STR(before,
            "{\n  \"image_mean\": [\n    0.25,\n    {\n      \"deep\": [\n        false\n      ]\n    },\n"
            "    {\n      \"y\": \"new\"\n    }\n  ],\n  \"n\": {\n    \"made\": {\n      \"here\": 1\n    }\n  },\n"
            "  \"t\": \"text\"\n}\n");
  for (size_t i = 0; i < CHECK_COUNT(refused); i++) {
    CHECK_INT(hfm_config_set_int(c, refused[i].key, 1, &error), HFM_ERROR_ARGUMENT);
    CHECK_STR(error.what, refused[i].key);
    CHECK_CONTAINS(error.message, refused[i].part);
  }
  CHECK_INT(hfm_config_remove(c, "image_mean.0", &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "set the list with hfm_config_set_json");
  CHECK_INT(hfm_config_remove(c, "", &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_config_remove(c, "image_mean.9.x", &error), HFM_OK); /* what is not there is not there then either */
  hfm_config_to_json(c, after, sizeof after);
  CHECK_STR(after, before);
  hfm_config_free(c);
}

int main(void) {
  TEST(test_flags);
  TEST(test_names_and_labels);
  TEST(test_numbers);
  TEST(test_roberta_without_padding);
  TEST(test_inert);
  TEST(test_setters_of_lists);
  return check_report("test_config_types");
}
