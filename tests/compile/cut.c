/* Whatever a build leaves out, the rest still loads and runs: every family of the registry, from a config in memory,
   with the caller's allocator and no files. Built once for each HFMODEL_NO_... and HFMODEL_ONLY_... by cuts.sh, and
   for other machines by cross.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include "check.h"

#define TEXT_SIZES \
  "\"vocab_size\":31,\"hidden_size\":12,\"num_hidden_layers\":2,\"num_attention_heads\":3," \
  "\"intermediate_size\":20,\"max_position_embeddings\":24,\"pad_token_id\":0"

#define BART_SIZES \
  "\"vocab_size\":31,\"d_model\":12,\"encoder_layers\":1,\"decoder_layers\":2,\"encoder_attention_heads\":3," \
  "\"decoder_attention_heads\":3,\"encoder_ffn_dim\":20,\"decoder_ffn_dim\":20,\"max_position_embeddings\":24"
#define T5_SIZES \
  "\"vocab_size\":31,\"d_model\":12,\"d_kv\":4,\"d_ff\":20,\"num_layers\":2,\"num_heads\":3"

static const struct {
  const char *model_type, *config;
} models[] = {
  {"bert", "{\"model_type\":\"bert\"," TEXT_SIZES "}"},
  {"roberta", "{\"model_type\":\"roberta\"," TEXT_SIZES "}"},
  {"xlm-roberta", "{\"model_type\":\"xlm-roberta\"," TEXT_SIZES "}"},
  {"camembert", "{\"model_type\":\"camembert\"," TEXT_SIZES "}"},
  {"distilbert", "{\"model_type\":\"distilbert\",\"vocab_size\":31,\"dim\":12,\"n_layers\":2,\"n_heads\":3,"
                 "\"hidden_dim\":20,\"max_position_embeddings\":24,\"pad_token_id\":0}"},
  {"gpt2", "{\"model_type\":\"gpt2\",\"vocab_size\":31,\"n_embd\":12,\"n_layer\":2,\"n_head\":3,\"n_positions\":24}"},
  {"opt", "{\"model_type\":\"opt\"," TEXT_SIZES ",\"ffn_dim\":20}"},
  {"gpt_neox", "{\"model_type\":\"gpt_neox\"," TEXT_SIZES ",\"rotary_pct\":0.5}"},
  {"gpt_neo", "{\"model_type\":\"gpt_neo\"," TEXT_SIZES ",\"attention_types\":[[[\"global\",\"local\"],1]]}"},
  {"phi", "{\"model_type\":\"phi\"," TEXT_SIZES "}"},
  {"falcon", "{\"model_type\":\"falcon\"," TEXT_SIZES "}"},
  {"bloom", "{\"model_type\":\"bloom\"," TEXT_SIZES "}"},
  {"llama", "{\"model_type\":\"llama\"," TEXT_SIZES ",\"num_key_value_heads\":1}"},
  {"mistral", "{\"model_type\":\"mistral\"," TEXT_SIZES ",\"num_key_value_heads\":1}"},
  {"ministral", "{\"model_type\":\"ministral\"," TEXT_SIZES ",\"num_key_value_heads\":1}"},
  {"qwen2", "{\"model_type\":\"qwen2\"," TEXT_SIZES ",\"num_key_value_heads\":1}"},
  {"qwen3", "{\"model_type\":\"qwen3\"," TEXT_SIZES ",\"num_key_value_heads\":1,\"head_dim\":4}"},
  {"smollm3", "{\"model_type\":\"smollm3\"," TEXT_SIZES ",\"num_key_value_heads\":1}"},
  {"olmo2", "{\"model_type\":\"olmo2\"," TEXT_SIZES "}"},
  {"gemma2", "{\"model_type\":\"gemma2\"," TEXT_SIZES ",\"num_key_value_heads\":1,\"head_dim\":4}"},
  {"gemma3_text", "{\"model_type\":\"gemma3_text\"," TEXT_SIZES ",\"num_key_value_heads\":1,\"head_dim\":4}"},
  {"gemma", "{\"model_type\":\"gemma\"," TEXT_SIZES ",\"num_key_value_heads\":1,\"head_dim\":4}"},
  {"granite", "{\"model_type\":\"granite\"," TEXT_SIZES ",\"num_key_value_heads\":1,\"residual_multiplier\":0.5}"},
  {"phi3", "{\"model_type\":\"phi3\"," TEXT_SIZES ",\"num_key_value_heads\":1}"},
  {"mixtral", "{\"model_type\":\"mixtral\"," TEXT_SIZES ",\"num_key_value_heads\":1,\"num_local_experts\":3}"},
  {"qwen3_moe", "{\"model_type\":\"qwen3_moe\"," TEXT_SIZES ",\"num_key_value_heads\":1,\"num_experts\":3,"
                "\"num_experts_per_tok\":2,\"moe_intermediate_size\":7,\"mlp_only_layers\":[1]}"},
  {"t5", "{\"model_type\":\"t5\"," T5_SIZES "}"},
  {"mt5", "{\"model_type\":\"mt5\"," T5_SIZES "}"},
  {"bart", "{\"model_type\":\"bart\"," BART_SIZES ",\"pad_token_id\":1,\"eos_token_id\":2}"},
  {"mbart", "{\"model_type\":\"mbart\"," BART_SIZES ",\"pad_token_id\":1,\"eos_token_id\":2}"},
  {"marian", "{\"model_type\":\"marian\"," BART_SIZES ",\"pad_token_id\":30,\"decoder_start_token_id\":30}"},
  {"pegasus", "{\"model_type\":\"pegasus\"," BART_SIZES "}"},
  {"m2m_100", "{\"model_type\":\"m2m_100\"," BART_SIZES "}"},
  {"vit", "{\"model_type\":\"vit\",\"hidden_size\":12,\"num_hidden_layers\":2,\"num_attention_heads\":3,"
          "\"intermediate_size\":20,\"image_size\":8,\"patch_size\":4,\"num_channels\":1}"},
  {"deit", "{\"model_type\":\"deit\",\"hidden_size\":12,\"num_hidden_layers\":2,\"num_attention_heads\":3,"
           "\"intermediate_size\":20,\"image_size\":8,\"patch_size\":4,\"num_channels\":1}"}
};

/* An allocator of our own: the library has none under HFMODEL_NO_STDLIB, and it counts. */
static size_t blocks_out;
static void *count_alloc(void *ctx, size_t size) {
  void *p = malloc(size);
  (void)ctx;
  if (p) blocks_out++;
  return p;
}
static void *count_realloc(void *ctx, void *block, size_t old_size, size_t new_size) {
  (void)ctx;
  (void)old_size;
  return realloc(block, new_size);
}
static void count_free(void *ctx, void *block, size_t size) {
  (void)ctx;
  (void)size;
  if (block) blocks_out--;
  free(block);
}

static int in_registry(const char *model_type) {
  hfm_registry_entry entry;
  size_t i;
  for (i = 0; hfm_registry(i, &entry); i++)
    if (strcmp(entry.model_type, model_type) == 0 && entry.task == HFM_BASE) return 1;
  return 0;
}

static int64_t values_not_finite(const hfm_tensor *t) {
  const float *values = (const float *)t->data;
  int64_t i, n = 1, bad = 0;
  for (i = 0; i < t->rank; i++) n *= t->shape[i];
  for (i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    if ((bits >> 23 & 0xff) == 0xff) bad++;
  }
  return n ? bad : -1;
}

static void run_forward(hfm_model *model) {
  static const int64_t ids[8] = {5, 6, 7, 8, 9, 10, 11, 12};
  static const int64_t image_shape[4] = {1, 1, 8, 8};
  float pixels[64];
  hfm_session_options session_options;
  hfm_session *session = NULL;
  hfm_inputs in;
  hfm_outputs out;
  hfm_error error;
  size_t i;
  memset(&in, 0, sizeof in);
  memset(&session_options, 0, sizeof session_options);
  session_options.threads = 2;
  for (i = 0; i < 64; i++) pixels[i] = (float)i / 64.0f;
  if (strcmp(hfm_model_type(model), "vit") == 0 || strcmp(hfm_model_type(model), "deit") == 0)
    in.pixel_values = hfm_tensor_f32(pixels, 4, image_shape);
  else
    in.input_ids = hfm_tensor_i64(ids, 2, 4);
  if (hfm_config_get_bool(hfm_model_config(model), "is_encoder_decoder", 0))
    in.decoder_input_ids = hfm_tensor_i64(ids, 2, 3);
  if (CHECK_INT(hfm_session_create(model, &session_options, &session, &error), HFM_OK)) {
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    CHECK_STR(error.message, "");
    if (out.last_hidden_state.data) CHECK_INT(values_not_finite(&out.last_hidden_state), 0);
    else CHECK(!"last_hidden_state is there");
  }
  hfm_session_free(session);
}

/* What they allocate is counted in blocks_out. */
static hfm_options counted_options(int32_t random_weights) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.random_weights = random_weights;
  options.allocator.alloc = count_alloc;
  options.allocator.realloc = count_realloc;
  options.allocator.free = count_free;
  return options;
}

static void test_families(void) {
  size_t i, ran = 0;
  for (i = 0; i < sizeof models / sizeof models[0]; i++) {
    hfm_memory_file file;
    hfm_options options;
    hfm_model *model = NULL;
    hfm_error error;
    options = counted_options(1);
    file.name = "config.json";
    file.data = models[i].config;
    file.size = strlen(models[i].config);
    if (!in_registry(models[i].model_type)) {
      CHECK_INT(hfm_from_memory(&file, 1, &options, &model, &error), HFM_ERROR_UNSUPPORTED);
      CHECK_INT(error.item, HFM_E_MODEL_TYPE_UNKNOWN);
      CHECK(model == NULL);
      continue;
    }
    ran++;
    CHECK_INT(hfm_from_memory(&file, 1, &options, &model, &error), HFM_OK);
    CHECK_STR(error.message, "");
    if (model) run_forward(model);
    hfm_model_free(model);
    CHECK_INT(blocks_out, 0);
  }
  CHECK(ran > 0);
}

static void test_registry_is_covered(void) {
  hfm_registry_entry entry;
  size_t i, k;
  for (i = 0; hfm_registry(i, &entry); i++) {
    for (k = 0; k < sizeof models / sizeof models[0]; k++)
      if (strcmp(models[k].model_type, entry.model_type) == 0) break;
    if (!CHECK(k < sizeof models / sizeof models[0])) printf("  no config here for %s\n", entry.model_type);
  }
}

/* Without the portable kernels there is another tier; where there is none, they stay. */
static void test_tiers(void) {
  hfm__cpu cpu;
  hfm_error error;
  CHECK_INT(hfm__cpu_select(HFM_ISA_AUTO, &cpu, &error), HFM_OK);
  CHECK_INT(hfm__cpu_select(HFM_ISA_SCALAR, &cpu, &error), HFM__WITH_SCALAR ? HFM_OK : HFM_ERROR_UNSUPPORTED);
  if (!HFM__WITH_SCALAR) CHECK_INT(error.item, HFM_E_ISA_MISSING);
}

/* A format that was left out is named in the error. */
static void test_formats(void) {
  static const uint8_t empty_gguf[24] = {'G', 'G', 'U', 'F', 3};
  hfm_memory_file file;
  hfm__memory_files files;
  hfm_options options;
  hfm_error error;
  options = counted_options(0);
  file.name = "x.gguf";
  file.data = empty_gguf;
  file.size = sizeof empty_gguf;
  files.files = &file;
  files.count = 1;
  options.io = hfm__memory_io(&files);
#ifdef HFMODEL_NO_GGUF
  CHECK_INT(hfm_check_file("x.gguf", &options, &error), HFM_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(error.message, "HFMODEL_NO_GGUF");
#else
  CHECK_INT(hfm_check_file("x.gguf", &options, &error), HFM_OK);
  CHECK_STR(error.message, "");
#endif
  CHECK_INT(blocks_out, 0);
}

/* Loads the first family that there is from its config.json and, unless NULL, weights of one byte. */
static int32_t load_item(const char *weights, int32_t use_safetensors, hfm_error *error) {
  hfm_memory_file files[2];
  hfm_options options;
  hfm_model *model = NULL;
  size_t i = 0;
  while (!in_registry(models[i].model_type)) i++;
  options = counted_options(0);
  options.use_safetensors = use_safetensors;
  files[0].name = "config.json";
  files[0].data = models[i].config;
  files[0].size = strlen(models[i].config);
  files[1].name = weights;
  files[1].data = "{";
  files[1].size = 1;
  CHECK(hfm_from_memory(files, weights ? 2 : 1, &options, &model, error) != HFM_OK);
  CHECK(model == NULL);
  CHECK_INT(blocks_out, 0);
  return error->item;
}

/* Weights that this build does not read: said of a file that is there; one that isn't is not among those wished for. */
static void test_weights(void) {
  hfm_error error;
  CHECK_INT(load_item(NULL, 1, &error), HFM_E_WEIGHTS_NOT_FOUND);
  CHECK_INT(load_item(NULL, 0, &error), HFM_E_WEIGHTS_NOT_FOUND);
#ifdef HFMODEL_NO_PICKLE
  CHECK_CONTAINS(error.message, "looked for model.safetensors, model.safetensors.index.json");
  CHECK(!strstr(error.message, "pytorch_model"));
  CHECK_INT(load_item("pytorch_model.bin", 0, &error), HFM_E_TORCH_UNSUPPORTED);
  CHECK_CONTAINS(error.message, "pytorch_model.bin: a PyTorch file, which this build does not read (HFMODEL_NO_");
  CHECK(load_item("model.safetensors", 0, &error) != HFM_E_TORCH_UNSUPPORTED);
  CHECK_INT(load_item("model.safetensors", -1, &error), HFM_E_TORCH_UNSUPPORTED);
  CHECK_CONTAINS(error.message, "HFMODEL_NO_PICKLE");
  CHECK_STR(error.what, "use_safetensors");
#else
  CHECK(load_item("pytorch_model.bin", 0, &error) != HFM_E_TORCH_UNSUPPORTED);
  CHECK(load_item("pytorch_model.bin", -1, &error) != HFM_E_TORCH_UNSUPPORTED);
#endif
}

/* A decoder keeps keys and values, or says that this build doesn't. */
static void test_cache(void) {
  static const char config[] = "{\"model_type\":\"bert\",\"is_decoder\":true," TEXT_SIZES "}";
  static const int64_t ids[4] = {5, 6, 7, 8};
  hfm_memory_file file;
  hfm_options options;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_inputs in;
  hfm_outputs out;
  hfm_error error;
  if (!in_registry("bert")) return;
  memset(&in, 0, sizeof in);
  options = counted_options(1);
  options.task = HFM_CAUSAL_LM;
  file.name = "config.json";
  file.data = config;
  file.size = sizeof config - 1;
  in.input_ids = hfm_tensor_i64(ids, 1, 4);
  in.use_cache = 1;
  CHECK_INT(hfm_from_memory(&file, 1, &options, &model, &error), HFM_OK);
  CHECK_INT(hfm_session_create(model, NULL, &session, &error), HFM_OK);
#ifdef HFMODEL_NO_CACHE
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(error.item, HFM_E_INPUT_UNEXPECTED);
  CHECK_CONTAINS(error.message, "HFMODEL_NO_CACHE");
  CHECK_INT(hfm_cache_length(session), 0);
  CHECK_INT(hfm_generate(session, &in, NULL, NULL, &error), HFM_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(error.message, "HFMODEL_NO_CACHE");
#else
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK_INT(hfm_cache_length(session), 4);
#endif
  in.use_cache = 0;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK_INT(out.logits.shape[1], 4);
  hfm_session_free(session);
  hfm_model_free(model);
  CHECK_INT(blocks_out, 0);
}

/* An error says what is wrong, or at least its number and where. */
static void test_messages(void) {
  hfm_memory_file file;
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  options = counted_options(1);
  file.name = "config.json";
  file.data = "{\"model_type\":7}";
  file.size = strlen((const char *)file.data);
  CHECK_INT(hfm_from_memory(&file, 1, &options, &model, &error), HFM_ERROR_FORMAT);
  CHECK_INT(error.item, HFM_E_CONFIG_TYPE);
  CHECK_STR(error.what, "model_type");
  CHECK_STR(error.file, "config.json");
#ifdef HFMODEL_NO_MESSAGES
  CHECK_STR(error.message, "error 201: model_type");
#else
  CHECK_CONTAINS(error.message, "config.json: ");
#endif
}

int main(void) {
  TEST(test_families);
  TEST(test_cache);
  TEST(test_messages);
  TEST(test_tiers);
  TEST(test_formats);
  TEST(test_weights);
  TEST(test_registry_is_covered);
  return check_report("cut");
}
