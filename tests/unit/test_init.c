/* Newly initialised weights: each initialiser's mean and deviation, as Transformers 5.23.0's _init_weights gives them,
   and what the values depend on: the seed and the name, nothing else. */
#include "hfmodel.h"

#include "check.h"
#include "tensors.h"

#include <math.h>

static hfm_model *random_model(const char *json, hfm_task task, uint64_t seed) {
  hfm_options options;
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  memset(&error, 0, sizeof error);
  options.task = task;
  options.seed = seed;
  if (!CHECK_INT(hfm_config_parse(json, strlen(json), NULL, &config, &error), HFM_OK) ||
      !CHECK_INT(hfm_from_config(config, &options, &model, &error), HFM_OK))
    printf("    %s: %s\n", json, error.message);
  hfm_config_free(config);
  return model;
}

static hfm_tensor tensor_named(const hfm_model *model, const char *name) {
  hfm_named_tensor entry;
  memset(&entry, 0, sizeof entry);
  for (size_t i = 0; i < hfm_state_dict_size(model); i++) {
    CHECK_INT(hfm_state_dict_at(model, i, &entry), HFM_OK);
    if (strcmp(entry.name, name) == 0) return entry.tensor;
  }
  printf("    no %s\n", name);
  CHECK(0);
  memset(&entry, 0, sizeof entry);
  return entry.tensor;
}

/* Within five deviations of what a sample of that size says. */
static void check_moments(const hfm_tensor *t, const char *name, double deviation, double largest) {
  const float *x = (const float *)t->data;
  const int64_t n = elements_of(t);
  double sum = 0, squares = 0, most = 0;
  if (!CHECK(x != NULL && t->dtype == HFM_F32)) return;
  for (int64_t i = 0; i < n; i++) {
    sum += (double)x[i];
    squares += (double)x[i] * (double)x[i];
    if (!(fabs((double)x[i]) <= most)) most = fabs((double)x[i]);
  }
  if (!CHECK_NEAR(sum / (double)n, 0, 5 * deviation / sqrt((double)n)) ||
      !CHECK_NEAR(sqrt(squares / (double)n), deviation, 5 * deviation / sqrt(2.0 * (double)n)) ||
      !CHECK(most <= largest))
    printf("    %s: mean %g, deviation %g, largest %g\n", name, sum / (double)n, sqrt(squares / (double)n), most);
}

static void check_all(const hfm_tensor *t, const char *name, float value) {
  const float *x = (const float *)t->data;
  const int64_t n = elements_of(t);
  if (!CHECK(x != NULL && n > 0)) return;
  for (int64_t i = 0; i < n; i++)
    if (!CHECK(x[i] == value)) {
      printf("    %s[%lld] is %g, not %g\n", name, (long long)i, (double)x[i], (double)value);
      return;
    }
}

#define IMAGE(type, range) \
  "{\"model_type\":\"" type "\",\"hidden_size\":64,\"num_attention_heads\":2,\"num_hidden_layers\":1," \
  "\"intermediate_size\":16,\"image_size\":32,\"patch_size\":2,\"initializer_range\":" range "}"
#define BERT "{\"model_type\":\"bert\",\"vocab_size\":300,\"hidden_size\":64,\"num_attention_heads\":2," \
  "\"num_hidden_layers\":1,\"intermediate_size\":128,\"initializer_range\":0.05}"
#define GPT2 "{\"model_type\":\"gpt2\",\"vocab_size\":300,\"n_embd\":64,\"n_head\":2,\"n_layer\":8," \
  "\"initializer_range\":0.04}"
#define LLAMA "{\"model_type\":\"llama\",\"vocab_size\":300,\"hidden_size\":64,\"num_attention_heads\":2," \
  "\"num_hidden_layers\":1,\"intermediate_size\":128,\"attention_bias\":true,\"pad_token_id\":3," \
  "\"initializer_range\":0.0}"

#define GEMMA "{\"model_type\":\"gemma\",\"vocab_size\":300,\"hidden_size\":64,\"num_attention_heads\":2," \
  "\"num_hidden_layers\":1,\"intermediate_size\":128,\"num_key_value_heads\":1,\"head_dim\":32}"

#define QWEN3_MOE "{\"model_type\":\"qwen3_moe\",\"vocab_size\":300,\"hidden_size\":64,\"num_attention_heads\":2," \
  "\"num_hidden_layers\":1,\"num_experts\":3,\"num_experts_per_tok\":2,\"moe_intermediate_size\":96," \
  "\"num_key_value_heads\":1,\"head_dim\":32,\"initializer_range\":0.03}"
#define OPT "{\"model_type\":\"opt\",\"vocab_size\":300,\"hidden_size\":64,\"num_attention_heads\":2," \
  "\"num_hidden_layers\":1,\"ffn_dim\":128,\"init_std\":0.03}"
#define FALCON "{\"model_type\":\"falcon\",\"vocab_size\":300,\"hidden_size\":64,\"num_attention_heads\":2," \
  "\"num_hidden_layers\":1,\"bias\":true,\"initializer_range\":0.04}"

#define BART(type, more) "{\"model_type\":\"" type "\",\"vocab_size\":300,\"d_model\":65,\"encoder_layers\":1," \
  "\"decoder_layers\":1,\"encoder_attention_heads\":5,\"decoder_attention_heads\":5,\"encoder_ffn_dim\":128," \
  "\"decoder_ffn_dim\":128,\"max_position_embeddings\":90,\"pad_token_id\":3,\"init_std\":0.03" more "}"

/* What DeiT's own rule makes zeros, ViT's cuts at -2 and 2. */
static void test_initialisers(void) {
  static const struct {
    const char *config;
    hfm_task task;
    const char *name;
    double deviation; /* of normal values, cut beyond `largest`; or 0: all values are `largest` */
    double largest;
  } rows[] = {
      {BERT, HFM_MASKED_LM, "bert.encoder.layer.0.intermediate.dense.weight", 0.05, 1},
      {BERT, HFM_MASKED_LM, "bert.encoder.layer.0.intermediate.dense.bias", 0, 0},
      {BERT, HFM_MASKED_LM, "bert.embeddings.position_embeddings.weight", 0.05, 1},
      {BERT, HFM_MASKED_LM, "cls.predictions.transform.LayerNorm.weight", 0, 1},
      {BERT, HFM_MASKED_LM, "cls.predictions.transform.LayerNorm.bias", 0, 0},
      {BERT, HFM_MASKED_LM, "cls.predictions.bias", 0, 0},
      {GPT2, HFM_BASE, "h.3.attn.c_attn.weight", 0.04, 1},
      {GPT2, HFM_BASE, "h.3.attn.c_proj.weight", 0.01, 1}, /* 0.04 / sqrt(2 * 8 layers) */
      {GPT2, HFM_BASE, "h.3.mlp.c_proj.weight", 0.01, 1},
      {GPT2, HFM_BASE, "h.3.mlp.c_proj.bias", 0, 0},
      {LLAMA, HFM_BASE, "layers.0.mlp.gate_proj.weight", 0.02, 1}, /* a range of 0 is one of 0.02 */
      {LLAMA, HFM_BASE, "layers.0.self_attn.q_proj.bias", 0, 0},
      {LLAMA, HFM_BASE, "layers.0.input_layernorm.weight", 0, 1},
      {GEMMA, HFM_CAUSAL_LM, "model.embed_tokens.weight", 0.02, 1},
      {GEMMA, HFM_CAUSAL_LM, "model.layers.0.input_layernorm.weight", 0, 0},
      {GEMMA, HFM_CAUSAL_LM, "model.norm.weight", 0, 0},
      {QWEN3_MOE, HFM_CAUSAL_LM, "model.layers.0.mlp.experts.gate_up_proj", 0.03, 1},
      {QWEN3_MOE, HFM_CAUSAL_LM, "model.layers.0.mlp.experts.down_proj", 0.03, 1},
      {QWEN3_MOE, HFM_CAUSAL_LM, "model.layers.0.mlp.gate.weight", 0.03, 1},
      {OPT, HFM_CAUSAL_LM, "model.decoder.embed_positions.weight", 0.03, 1},
      {OPT, HFM_CAUSAL_LM, "model.decoder.layers.0.fc1.weight", 0.03, 1},
      {OPT, HFM_CAUSAL_LM, "model.decoder.layers.0.fc1.bias", 0, 0},
      {OPT, HFM_CAUSAL_LM, "model.decoder.final_layer_norm.weight", 0, 1},
      {FALCON, HFM_BASE, "h.0.self_attention.query_key_value.weight", 0.04, 1},
      {FALCON, HFM_BASE, "h.0.mlp.dense_h_to_4h.bias", 0, 0},
      {BART("bart", ""), HFM_SEQ2SEQ_LM, "model.decoder.embed_positions.weight", 0.03, 1},
      {BART("bart", ""), HFM_SEQ2SEQ_LM, "final_logits_bias", 0, 0},
      {BART("mbart", ""), HFM_BASE, "decoder.layer_norm.weight", 0, 1},
      {BART("mbart", ""), HFM_BASE, "encoder.layers.0.fc1.weight", 0.03, 1},
      {BART("m2m_100", ",\"tie_word_embeddings\":false"), HFM_SEQ2SEQ_LM, "lm_head.weight", 0.03, 1},
      {IMAGE("vit", "0.05"), HFM_BASE, "embeddings.position_embeddings", 0.05, 1},
      {IMAGE("vit", "0.05"), HFM_BASE, "embeddings.patch_embeddings.projection.weight", 0.05, 1},
      {IMAGE("vit", "0.9"), HFM_BASE, "embeddings.position_embeddings", 0.82773, 2},
      {IMAGE("vit", "1.5"), HFM_BASE, "embeddings.position_embeddings", 1.02292, 2},
      {IMAGE("vit", "1000.0"), HFM_BASE, "embeddings.position_embeddings", 1.1547, 2}, /* uniform: 2 / sqrt(3) */
      {IMAGE("vit", "1.5"), HFM_BASE, "pooler.dense.weight", 1.5, 9},
      {IMAGE("deit", "0.05"), HFM_BASE, "embeddings.cls_token", 0, 0},
      {IMAGE("deit", "0.05"), HFM_BASE, "embeddings.distillation_token", 0, 0},
      {IMAGE("deit", "0.05"), HFM_BASE, "embeddings.position_embeddings", 0, 0},
      {IMAGE("deit", "0.05"), HFM_BASE, "pooler.dense.weight", 0.05, 1},
  };
  for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
    hfm_model *model = random_model(rows[i].config, rows[i].task, 0);
    hfm_tensor t;
    if (!model) continue;
    t = tensor_named(model, rows[i].name);
    if (rows[i].deviation > 0) check_moments(&t, rows[i].name, rows[i].deviation, rows[i].largest);
    else check_all(&t, rows[i].name, (float)rows[i].largest);
    hfm_model_free(model);
  }
}

/* Tables of sines and cosines: DistilBERT's alternate, Marian's are the even and the odd columns of the same. */
static void test_sinusoids(void) {
  hfm_model *distil = random_model("{\"model_type\":\"distilbert\",\"vocab_size\":300,\"dim\":65,\"n_heads\":5,"
                                   "\"n_layers\":1,\"max_position_embeddings\":90,\"sinusoidal_pos_embds\":true}",
                                   HFM_BASE, 0);
  hfm_model *marian = random_model(BART("marian", ""), HFM_BASE, 0);
  hfm_tensor a, b;
  if (!distil || !marian) return;
  a = tensor_named(distil, "embeddings.position_embeddings.weight");
  b = tensor_named(marian, "decoder.embed_positions.weight");
  for (int64_t i = 0; i < 90 * 65 && CHECK(a.data && b.data); i++) {
    const int64_t row = i / 65, column = i % 65;
    const double angle = (double)row / pow(10000, (double)(column / 2 * 2) / 65);
    const int64_t place = column % 2 ? 33 + column / 2 : column / 2; /* 33 sines, 32 cosines */
    CHECK_NEAR(((const float *)a.data)[i], column % 2 ? cos(angle) : sin(angle), 1e-6);
    CHECK(((const float *)a.data)[i] == ((const float *)b.data)[row * 65 + place]);
  }
  hfm_model_free(distil);
  hfm_model_free(marian);
}

/* The row of pad_token_id is zero, its neighbours are not. */
static void test_padding_row(void) {
  hfm_model *model = random_model(LLAMA, HFM_BASE, 0);
  hfm_tensor t;
  if (!model) return;
  t = tensor_named(model, "embed_tokens.weight");
  for (int64_t row = 2; row < 5 && CHECK(t.data != NULL); row++) {
    int64_t zeros = 0;
    for (int64_t i = 0; i < 64; i++) zeros += ((const float *)t.data)[row * 64 + i] == 0;
    CHECK_INT(zeros == 64, row == 3);
  }
  hfm_model_free(model);
}

static int same_values(const hfm_tensor *a, const hfm_tensor *b) {
  return a->data && b->data && memcmp(a->data, b->data, (size_t)elements_of(a) * sizeof(float)) == 0;
}

static void test_seed(void) {
  static const uint64_t seeds[] = {1, 1, 2, 1ull << 63 | 1, 0};
  static const char *const configs[] = {BERT, GPT2, IMAGE("vit", "0.05"), IMAGE("vit", "1.5")};
  static const char *const names[][2] = { /* two tensors of one shape */
      {"encoder.layer.0.attention.self.query.weight", "encoder.layer.0.attention.self.key.weight"},
      {"h.3.attn.c_attn.weight", "h.4.attn.c_attn.weight"},
      {"layers.0.attention.q_proj.weight", "layers.0.attention.k_proj.weight"},
      {"embeddings.position_embeddings", "embeddings.position_embeddings"}};
  for (size_t c = 0; c < CHECK_COUNT(configs); c++) {
    hfm_model *first = random_model(configs[c], HFM_BASE, seeds[0]);
    hfm_tensor a, b;
    if (!first) continue;
    a = tensor_named(first, names[c][0]);
    b = tensor_named(first, names[c][1]);
    CHECK_INT(same_values(&a, &b), strcmp(names[c][0], names[c][1]) == 0);
    for (size_t i = 1; i < CHECK_COUNT(seeds); i++) {
      hfm_model *other = random_model(configs[c], HFM_BASE, seeds[i]);
      if (!other) continue;
      b = tensor_named(other, names[c][0]);
      CHECK_INT(same_values(&a, &b), seeds[i] == seeds[0]);
      hfm_model_free(other);
    }
    hfm_model_free(first);
  }
}

int main(void) {
  TEST(test_initialisers);
  TEST(test_sinusoids);
  TEST(test_padding_row);
  TEST(test_seed);
  return check_report("test_init");
}
