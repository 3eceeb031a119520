/* Every error of configurations and weights: error_table.h. */
#include "hfmodel.h"

#include "check.h"
#include "error_table.h"
#include "failing_alloc.h"
#include "memory_io.h"
#include "torch_archive.h"

/* ---- Models ---- */

static void changed_row(const change *c, hfm_options options, int random) {
  hfm_model *model = NULL;
  hfm_error error;
  row(open_changed(c, options, random, &model, &error), &error);
  CHECK(model == NULL);
}

static int32_t stop(void *ctx, const char *stage, uint64_t done, uint64_t total, const char *unit) {
  (void)ctx;
  (void)stage;
  (void)done;
  (void)total;
  (void)unit;
  return 1;
}

static const change changed[] = {
    {"bert_base", {"hidden_size", "null"}},
    {"bert_base", {"hidden_size", "36.5"}},
    {"bert_base", {"hidden_size", "-1"}},
    {"bert_base", {"num_attention_heads", "5"}},
    {"bert_base", {"layer_norm_eps", "NaN"}},
    {"bert_base", {"is_decoder", "\"no\""}},
    {"bert_base", {"hidden_act", "\"gelo\""}},
    {"bert_base", {"model_type", "null"}},
    {"bert_base", {"model_type", "\"x\""}},
    {"bert_base", {"architectures", "[\"BertForX\"]"}, HFM_TASK_FROM_CONFIG},
    {"bert_base", {NULL}, HFM_IMAGE_CLASSIFICATION},
    {"bert_base", {NULL}, 99},
    {"bert_base", {"num_hidden_layers", "1000000000"}},
    {"bert_base", {"max_position_embeddings", "1000000000"}},
    {"bert_base", {"vocab_size", "62"}},
    {"bert_base", {"quantization_config", "{\"quant_method\": \"gptq\"}"}},
    {"gpt_neo_base", {"attention_layers", "null", "attention_types", "[[[\"global\"], 0]]"}},
    {"bert_base", {"per_layer_config", "{\"1\": {\"intermediate_size\": 8}}"}},
    {"bert_base", {"transformers_weights", "\"../x.safetensors\""}},
    {"bert_base", {"transformers_weights", "\"x.safetensors\""}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"spiral\"}"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"linear\"}"}},
    {"bert_base", {"layer_norm_eps", "null"}},
    {"bert_base", {"layer_norm_eps", "-1"}},
    {"bert_base", {"hidden_act", "null"}},
    {"bert_base", {"hidden_act", "5"}},
    {"bert_base", {"model_type", "5"}},
    {"bert_base", {"architectures", "5"}},
    {"bert_base", {"architectures", "[5]"}},
    {"bert_base", {"dtype", "5"}},
    {"bert_base", {"id2label", "5"}},
    {"bert_base", {"num_labels", "\"x\""}},
    {"bert_base", {"pad_token_id", "97"}},
    {"bert_base", {"position_embedding_type", "\"relative_key\""}},
    {"bert_base", {"add_cross_attention", "true"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": 5}"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"linear\", \"factor\": \"x\"}"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"yarn\", \"factor\": -1}"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"yarn\", \"original_max_position_embeddings\": 0}"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"longrope\", \"short_factor\": [1]}"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"longrope\", \"short_factor\": [1, \"x\", 1]}"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"longrope\", \"short_factor\": [1, 1, 1, 1]}"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"linear\", \"partial_rotary_factor\": 2}"}},
    {"llama_base", {"rope_parameters", "{\"rope_type\": \"linear\", \"partial_rotary_factor\": 0.5}"}},
    {"llama_base", {"rope_parameters", "\"linear\""}},
    {"llama_base", {"rope_parameters", "{\"full_attention\": {\"rope_theta\": 100.0}}"}},
    {"llama_base", {"head_dim", "5"}},
    {"gpt_neox_base", {"rope_parameters.partial_rotary_factor", "0.0"}},
    {"llama_base", {"head_dim", "2147483647"}},
    {"phi3_base", {"rope_parameters", "{\"rope_type\": \"linear\"}"}},
    {"gemma2_base", {"layer_types", "[\"full_attention\"]"}},
    {"gemma2_base", {"layer_types", "[\"x\", \"x\", \"x\"]"}},
    {"gemma2_base", {"layer_types", "[\"x\", \"x\", \"x\", \"x\"]"}},
    {"qwen2_base", {"layer_types", "[\"full_attention\", \"full_attention\", \"sliding_attention\"]"}},
    {"qwen2_base", {"layer_types", "[\"full_attention\", \"full_attention\", \"sliding_attention\"]",
                    "use_sliding_window", "true"}},
    {"llama_base", {"head_dim", "2", "rope_parameters", "{\"rope_type\": \"dynamic\", \"factor\": 2.0}"}},
    {"phi_base", {"rope_parameters.partial_rotary_factor", "0.25"}},
    {"bert_sequence", {"problem_type", "\"single_label_classification\"", "id2label", "{\"0\": \"x\"}"}},
    {"gemma_base", {"use_bidirectional_attention", "true"}},
    {"mixtral_base", {"num_experts_per_tok", "6"}},
    {"qwen3_moe_base", {"mlp_only_layers", "5"}},
    {"bloom_base", {"slow_but_exact", "true", "pretraining_tp", "2"}},
    {"falcon_40b", {"parallel_attn", "false"}},
    {"falcon_40b", {"num_ln_in_parallel_attn", "3"}},
    {"falcon_rw", {"num_kv_heads", "1"}},
    {"phi_norms", {"head_dim", "7"}},
    {"gpt2_base", {"add_cross_attention", "true"}},
    {"gpt_neo_base", {"attention_layers", "[\"global\", \"x\"]"}},
    {"gpt_neo_base", {"attention_layers", "[\"global\"]"}},
    {"gpt_neo_base", {"attention_layers", "[5, 5]"}},
    {"gpt_neo_base", {"attention_layers", "null", "attention_types", "5"}},
    {"gpt_neo_base", {"attention_layers", "null", "attention_types", "[5]"}},
    {"marian_base", {"decoder_vocab_size", "82"}},
    {"m2m_100_base", {"d_model", "2", "encoder_attention_heads", "1", "decoder_attention_heads", "1"}},
    {"t5_base", {"relative_attention_num_buckets", "2"}},
    {"t5_base", {"relative_attention_max_distance", "2147483647"}},
    {"distilbert_question", {"num_labels", "3"}, HFM_TASK_FROM_CONFIG}};

static const change no_room = {"bert_base", {NULL}, HFM_SEQUENCE_CLASSIFICATION};

static const change random[] = {
    {"bert_base", {"num_hidden_layers", "1000000000"}},
    {"bert_base", {"vocab_size", "2147483647", "hidden_size", "2147483640"}},
    {"llama_base", {"head_dim", "131072"}},
    {"bert_sequence", {"num_labels", "0"}, HFM_TASK_FROM_CONFIG}};

#define OPTION(field, value) \
  options.field = value, row(hfm_from_pretrained(bert, &options, &model, &error), &error), options.field = 0
static void model_rows(void) {
  static const char bert[] = "tests/models/bert_base";
  static const char text[] = "{\"model_type\": \"bert\"}";
  failing_alloc memory;
  hfm_memory_file file;
  hfm_options options;
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  for (size_t i = 0; i < CHECK_COUNT(changed); i++) changed_row(&changed[i], options, 0);
  for (size_t i = 0; i < CHECK_COUNT(random); i++) changed_row(&random[i], options, 1);
  options.limits.max_new_bytes = 16;
  changed_row(&no_room, options, 0);
  options.limits.max_new_bytes = 0;
  file.name = "config.json";
  file.data = text;
  file.size = sizeof text - 1;
  row(hfm_from_memory(&file, 1, NULL, &model, &error), &error);
  OPTION(dtype, HFM_I8);
  OPTION(variant, "../x");
  OPTION(variant, "fp16");
  OPTION(progress.update, stop);
  memset(&options, 0, sizeof options);
  OPTION(attn_implementation, 9);
  OPTION(packing, 9);
  OPTION(use_safetensors, 7);
  OPTION(compute_dtype, HFM_I8);
  options.strict = 1;
  OPTION(compute_dtype, HFM_BF16);
  options.strict = 0;
  OPTION(num_labels, -1);
  row(hfm_from_pretrained(bert, NULL, NULL, &error), &error);
  row(hfm_from_config(NULL, NULL, &model, &error), &error);
  row(hfm_from_config(NULL, NULL, NULL, &error), &error);
  row(hfm_from_memory(NULL, 0, NULL, &model, &error), &error);
  row(hfm_from_memory(&file, 1, NULL, NULL, &error), &error);
  file.data = NULL;
  row(hfm_from_memory(&file, 1, NULL, &model, &error), &error);
  file.name = NULL;
  row(hfm_from_memory(&file, 1, NULL, &model, &error), &error);
  failing_alloc_begin(&memory, 1);
  options.allocator = memory.allocator;
  row(hfm_from_pretrained(bert, &options, &model, &error), &error);
  row(hfm_from_pretrained("tests/models/bert_base/model.safetensors", NULL, &model, &error), &error);
  CHECK_INT(hfm_config_from_pretrained(bert, NULL, &config, &error), HFM_OK);
  row(hfm_config_set_int(config, "architectures.7", 1, &error), &error);
  row(hfm_config_set_string(config, "x", "\xff", &error), &error);
  hfm_config_free(config);
}

#undef OPTION

/* ---- Configurations and weights in memory ---- */

static void setter_rows(void) {
  static const char text[] = "{\"model_type\": \"bert\", \"a\": 1, \"list\": [1]}";
  hfm_config *config = NULL;
  hfm_error error;
  CHECK_INT(hfm_config_parse(text, sizeof text - 1, NULL, &config, &error), HFM_OK);
  row(hfm_config_set_int(NULL, "a", 1, &error), &error);
  row(hfm_config_set_int(config, NULL, 1, &error), &error);
  row(hfm_config_set_string(config, "a", NULL, &error), &error);
  row(hfm_config_remove(config, NULL, &error), &error);
  row(hfm_config_set_int(config, "a..b", 1, &error), &error);
  row(hfm_config_set_int(config, "a.b", 1, &error), &error);
  row(hfm_config_remove(config, "list.0", &error), &error);
  row(hfm_config_set_float(config, "generation_config.temperature", 0.9, &error), &error);
  row(hfm_config_set_int(config, "num_labels", 0, &error), &error);
  hfm_config_free(config);
}

/* A model of these two files. */
static void memory_row(const char *config, const char *name, const void *weights, size_t size, uint64_t max_new) {
  hfm_memory_file files[2];
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  files[0].name = "config.json";
  files[0].data = config;
  files[0].size = strlen(config);
  files[1].name = name;
  files[1].data = weights;
  files[1].size = size;
  memset(&options, 0, sizeof options);
  options.limits.max_new_bytes = max_new;
  row(hfm_from_memory(files, 2, &options, &model, &error), &error);
  CHECK(model == NULL);
}

/* Weights of this header; "|" in it stands for "layers.0.block_sparse_moe.experts.". */
static void experts_row(const char *header, size_t bytes, uint64_t max_new) {
  static const char config[] =
      "{\"model_type\": \"mixtral\", \"vocab_size\": 2, \"hidden_size\": 2, \"intermediate_size\": 2, "
      "\"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"num_key_value_heads\": 1, \"num_local_experts\": 2, "
      "\"num_experts_per_tok\": 1, \"max_position_embeddings\": 8, \"hidden_act\": \"silu\", \"rms_norm_eps\": 1e-5, "
      "\"pad_token_id\": null}";
  static uint8_t file[8192];
  size_t size = 0;
  memset(file, 0, sizeof file);
  for (; *header; header++) {
    const char letter[2] = {*header, 0}, *text = *header == '|' ? "layers.0.block_sparse_moe.experts." : letter;
    memcpy(file + 8 + size, text, strlen(text));
    size += strlen(text);
  }
  file[0] = (uint8_t)size;
  file[1] = (uint8_t)(size >> 8);
  memory_row(config, "model.safetensors", file, 8 + size + bytes, max_new);
}

#define TENSOR(name, shape, begin, end) \
  "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end "]}"
static void weight_rows(void) {
  experts_row("{\"embed_tokens.weight\":{\"dtype\":\"C64\",\"shape\":[2,2],\"data_offsets\":[0,32]}}", 32, 0);
  experts_row("{" TENSOR("other", "4096", 0, 4096) "}", 4096, 1);
  experts_row("{" TENSOR("|0.w1.weight", "2,2", 0, 4) "," TENSOR("|1.w1.weight", "2,1", 4, 6) "}", 6, 0);
  experts_row("{" TENSOR("|0.w1.weight", "2,2", 0, 4) "," TENSOR("layers.0.mlp.experts.gate_up_proj", "2,4,2", 4, 20)
              "}", 20, 0);
  experts_row("{" TENSOR("|0.w1.weight", "2,2", 0, 4) "}", 4, 0);
  experts_row("{" TENSOR("|0.w1.weight", "2,2", 0, 4) "," TENSOR("|0.w3.weight", "2,2", 4, 8) ","
              TENSOR("|1.w1.weight", "2,2", 8, 12) "," TENSOR("|7.w1.weight", "2,2", 12, 16) "}", 16, 0);
}
#undef TENSOR

/* Seven weights that are the same 64 x 64 bytes of the file, and become floats. */
#define SHARED(length, name) \
  "U" length "layers.0." name ".weight" REBUILD "(" OF("ByteStorage", "\1" "0", "M\0\x10") \
  "K\0K\x40K\x40\x86K\x40K\1\x86\x89}tRs"
static void shared_row(void) {
  static const char config[] =
      "{\"model_type\": \"llama\", \"vocab_size\": 1, \"hidden_size\": 64, \"intermediate_size\": 64, "
      "\"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"max_position_embeddings\": 8, "
      "\"hidden_act\": \"silu\", \"rms_norm_eps\": 1e-5, \"pad_token_id\": null}";
  static const char pickle[] = "\x80\2}" SHARED("\x20", "self_attn.q_proj") SHARED("\x20", "self_attn.k_proj")
      SHARED("\x20", "self_attn.v_proj") SHARED("\x20", "self_attn.o_proj") SHARED("\x1d", "mlp.gate_proj")
      SHARED("\x1b", "mlp.up_proj") SHARED("\x1d", "mlp.down_proj") ".";
  static const uint8_t bytes[4096] = {1};
  static archive a;
  const part parts[] = {{"m/data.pkl", pickle, sizeof pickle - 1}, {"m/data/0", bytes, sizeof bytes}};
  make_zip(&a, parts, 2, 0);
  memory_row(config, "pytorch_model.bin", a.bytes, a.size, 2048);
}
#undef SHARED

/* A file that becomes longer between a load and a session. */
static void longer_row(void) {
  hfm_memory_file list[2];
  memory_files files;
  hfm_options options;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  char *text = load_as(&list[0], "m/config.json", "tests/models/bert_base/config.json");
  char *weights = load_as(&list[1], "m/model.safetensors", "tests/models/bert_base/model.safetensors");
  files.files = list;
  files.count = 2;
  memset(&options, 0, sizeof options);
  options.io = memory_io(&files);
  if (CHECK_INT(hfm_from_pretrained("m", &options, &model, &error), HFM_OK)) {
    list[1].size++;
    row(hfm_session_create(model, NULL, &session, &error), &error);
  }
  hfm_model_free(model);
  free(text);
  free(weights);
}

static void test_table(void) {
  model_rows();
  setter_rows();
  weight_rows();
  shared_row();
  longer_row();
  compare_table("error_models");
}

int main(void) {
  TEST(test_table);
  return check_report("test_error_models");
}
