/* The bytes are a config.json beside the weights of a sound model, which it is bound to through memory. Which model:
   the first whose type the text has; white space before the text takes a later one. */
#include "fuzz_model.h"
#include "fuzz_words.h"

typedef struct fuzz_fixture {
  const char *type, *weights;
  uint8_t *data;
  size_t size;
} fuzz_fixture;

/* Read once, from tests/models. */
static const fuzz_fixture *fuzz_fixtures(size_t *count) {
#define FUZZ_FIXTURE(type, name) {"\"" type "\"", "tests/models/" name "/model.safetensors", NULL, 0}
  static fuzz_fixture all[] = {
    FUZZ_FIXTURE("bert", "bert_sequence"), FUZZ_FIXTURE("gpt2", "gpt2_causal"), FUZZ_FIXTURE("llama", "llama_causal"),
    FUZZ_FIXTURE("vit", "vit_image"), FUZZ_FIXTURE("distilbert", "distilbert_sequence"),
    FUZZ_FIXTURE("roberta", "roberta_token"), FUZZ_FIXTURE("qwen3", "qwen3_causal"),
    FUZZ_FIXTURE("deit", "deit_teacher"), FUZZ_FIXTURE("mistral", "mistral_causal"),
    FUZZ_FIXTURE("qwen2", "qwen2_sequence"), FUZZ_FIXTURE("granite", "granite_causal"),
    FUZZ_FIXTURE("phi3", "phi3_sequence"), FUZZ_FIXTURE("mixtral", "mixtral_causal"),
    FUZZ_FIXTURE("camembert", "camembert_base"), FUZZ_FIXTURE("xlm-roberta", "xlm_roberta_masked"),
    FUZZ_FIXTURE("opt", "opt_causal"), FUZZ_FIXTURE("gpt_neox", "gpt_neox_causal"),
    FUZZ_FIXTURE("gpt_neo", "gpt_neo_causal"), FUZZ_FIXTURE("phi", "phi_token"), FUZZ_FIXTURE("falcon", "falcon_40b"),
    FUZZ_FIXTURE("bloom", "bloom_causal"), FUZZ_FIXTURE("olmo2", "olmo2_causal"),
    FUZZ_FIXTURE("smollm3", "smollm3_question"), FUZZ_FIXTURE("gemma", "gemma_causal"),
    FUZZ_FIXTURE("gemma2", "gemma2_token"), FUZZ_FIXTURE("gemma3_text", "gemma3_causal"),
    FUZZ_FIXTURE("t5", "t5_gated"), FUZZ_FIXTURE("mt5", "mt5_encoder"), FUZZ_FIXTURE("bart", "bart_sequence"),
    FUZZ_FIXTURE("mbart", "mbart_generation"), FUZZ_FIXTURE("marian", "marian_two"),
    FUZZ_FIXTURE("pegasus", "pegasus_generation"), FUZZ_FIXTURE("m2m_100", "m2m_100_generation"),
    FUZZ_FIXTURE("qwen3_moe", "qwen3_moe_causal")};
#undef FUZZ_FIXTURE
  *count = sizeof all / sizeof all[0];
  for (size_t i = 0; i < *count && !all[i].data; i++) {
    FILE *f = fopen(all[i].weights, "rb");
    fuzz_require(f != NULL, "run it in the repository's root", all[i].weights);
    all[i].data = (uint8_t *)malloc(1 << 18);
    all[i].size = all[i].data ? fread(all[i].data, 1, 1 << 18, f) : 0;
    fclose(f);
  }
  return all;
}

static int fuzz_mentions(const uint8_t *data, size_t size, const char *text) {
  const size_t length = strlen(text);
  for (size_t i = 0; i + length <= size; i++)
    if (data[i] == '"' && memcmp(data + i, text, length) == 0) return 1;
  return 0;
}

FUZZ_TARGET(binding) {
  size_t count, which = 0, skip = 0;
  const fuzz_fixture *fixtures = fuzz_fixtures(&count);
  hfm_memory_file files[2] = {{"config.json", data, size}, {"model.safetensors", NULL, 0}};
  fuzz_memory memory;
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  hfm_result result;
  while (which + 1 < count && !fuzz_mentions(data, size, fixtures[which].type)) which++;
  while (skip < size && data[skip] == ' ') skip++;
  which = (which + skip) % count;
  files[1].data = fixtures[which].data;
  files[1].size = fixtures[which].size;
  options = fuzz_options(&memory, size + fixtures[which].size);
  fuzz_choose_options(&options, fuzz_hash(data, size));
  result = hfm_from_memory(files, 2, &options, &model, &error);
  fuzz_verdict(result, &error, model);
  if (model) fuzz_use_model(model);
  hfm_model_free(model);
  FUZZ_REQUIRE(memory.used == 0, "memory left over");
  return 0;
}

FUZZ_MUTATOR(binding) {
  fuzz_edit e = fuzz_edit_begin(data, size, max_size, seed);
  if (fuzz_below(&e, 64) == 0) fuzz_splice(&e, 0, 0, " ", 1);
  else (void)fuzz_mutate_json(&e, 0, size, &fuzz_config_words);
  return e.size;
}
