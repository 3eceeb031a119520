/* options.strict: the bits of these forwards are the same on every machine, compiler and number of threads. The hashes
   below were made on x86-64; whoever gets others computes something else. */
#include "hfmodel.h"
#include "../check.h"

typedef struct strict_case {
  const char *dir;
  hfm_task task;
  int32_t attention;
  uint64_t hash;
} strict_case;

static const strict_case cases[] = {
    {"tests/models/bert_base", HFM_BASE, HFM_ATTN_SDPA, 0xca811c1092483e5eu},
    {"tests/models/bert_f16", HFM_BASE, HFM_ATTN_FLASH_ATTENTION_2, 0x5164310348d701cbu},
    {"tests/models/roberta_base", HFM_BASE, HFM_ATTN_EAGER, 0xb0451fd3c45937e7u},
    {"tests/models/distilbert_base", HFM_BASE, HFM_ATTN_SDPA, 0x3e3b0e9a493cf310u},
    {"tests/models/gpt2_causal", HFM_CAUSAL_LM, HFM_ATTN_SDPA, 0xc069c5199942f895u},
    {"tests/models/llama_causal", HFM_CAUSAL_LM, HFM_ATTN_SDPA, 0x271eaf3bc7630913u},
    {"tests/models/llama_bf16_sharded", HFM_CAUSAL_LM, HFM_ATTN_EAGER, 0xe8df274b1fb6a681u},
    {"tests/models/qwen3_base", HFM_BASE, HFM_ATTN_FLASH_ATTENTION_2, 0x6b7abf371bc32fcfu},
    {"tests/models/mixtral_base", HFM_BASE, HFM_ATTN_SDPA, 0x7f3ed9255a84ec80u},
    {"tests/models/qwen3_moe_causal", HFM_CAUSAL_LM, HFM_ATTN_EAGER, 0x28ab61189e7c2fdfu},
    {"tests/models/gemma2_causal", HFM_CAUSAL_LM, HFM_ATTN_SDPA, 0x5a22b34852920124u},
    {"tests/models/gemma3_bf16", HFM_CAUSAL_LM, HFM_ATTN_FLASH_ATTENTION_2, 0x4202ca4db963a497u},
    {"tests/models/vit_image", HFM_IMAGE_CLASSIFICATION, HFM_ATTN_SDPA, 0x39f7ca03b0005b65u}};

/* FNV-1a over the bits of the first output, least significant byte first. */
static uint64_t hash_of(const hfm_tensor *t) {
  const float *values = (const float *)t->data;
  uint64_t hash = 14695981039346656037u;
  int64_t n = 1, i;
  int32_t d;
  for (d = 0; d < t->rank; d++) n *= t->shape[d];
  for (i = 0; i < n; i++) {
    uint32_t bits;
    int32_t shift;
    memcpy(&bits, values + i, sizeof bits);
    for (shift = 0; shift < 32; shift += 8) hash = (hash ^ (bits >> shift & 0xff)) * 1099511628211u;
  }
  return hash;
}

static uint64_t run(const strict_case *c, int32_t isa, int32_t threads, int32_t packing) {
  static int64_t ids[3 * 19];
  static float pixels[2 * 3 * 14 * 14];
  const int64_t shape[4] = {2, 3, 14, 14};
  hfm_options options;
  hfm_session_options so;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_inputs in;
  hfm_outputs out;
  hfm_error error;
  uint64_t hash = 0;
  size_t i;
  memset(&options, 0, sizeof options);
  memset(&so, 0, sizeof so);
  memset(&in, 0, sizeof in);
  options.task = c->task;
  options.attn_implementation = c->attention;
  options.packing = packing;
  options.strict = 1;
  options.isa = isa;
  so.threads = threads;
  for (i = 0; i < CHECK_COUNT(ids); i++) ids[i] = 3 + (int64_t)i * 7 % 50;
  for (i = 0; i < CHECK_COUNT(pixels); i++) pixels[i] = (float)((int32_t)i % 29 - 14) * 0.0625f;
  if (c->task == HFM_IMAGE_CLASSIFICATION) in.pixel_values = hfm_tensor_f32(pixels, 4, shape);
  else in.input_ids = hfm_tensor_i64(ids, 3, 19);
  if (hfm_from_pretrained(c->dir, &options, &model, &error) || hfm_session_create(model, &so, &session, &error) ||
      hfm_forward(session, &in, &out, &error)) {
    printf("  %s\n", error.message);
  } else {
    CHECK_STR(hfm_model_isa(model), "strict");
    hash = hash_of(&out.items[0].tensor);
  }
  hfm_session_free(session);
  hfm_model_free(model);
  return hash;
}

/* Why this build and machine don't load a model with these options; HFM_E_NONE: they do. */
static int32_t refusal(int32_t strict, int32_t isa) {
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  hfm_result result;
  memset(&options, 0, sizeof options);
  options.strict = strict;
  options.isa = isa;
  result = hfm_from_pretrained(cases[0].dir, &options, &model, &error);
  hfm_model_free(model);
  return result == HFM_OK ? (int32_t)HFM_E_NONE : error.item;
}

static void test_same_everywhere(void) {
  size_t i;
  if (refusal(1, HFM_ISA_AUTO) == HFM_E_STRICT_MISSING) {
    SKIP("this build can't promise it");
    return;
  }
  for (i = 0; i < CHECK_COUNT(cases); i++) {
    const uint64_t hash = run(&cases[i], HFM_ISA_AUTO, 1, HFM_PACK_NEVER);
    int32_t isa;
    if (!CHECK(hash == cases[i].hash))
      printf("  %s: 0x%08x%08xu\n", cases[i].dir, (unsigned)(hash >> 32), (unsigned)hash);
    CHECK(run(&cases[i], HFM_ISA_AUTO, 3, HFM_PACK_EAGER) == hash);
    for (isa = HFM_ISA_SCALAR; isa <= HFM_ISA_WASM_SIMD128; isa++)
      if (refusal(0, isa) != HFM_E_ISA_MISSING) CHECK(run(&cases[i], isa, 1, HFM_PACK_NEVER) == hash);
  }
}

/* What can't be combined with it, and builds that can't promise it. */
static void test_refused(void) {
  hfm_options options;
  hfm_model *model = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  options.strict = 1;
  options.compute_dtype = HFM_BF16;
  CHECK_INT(hfm_from_pretrained("tests/models/bert_base", &options, &model, &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "strict");
  options.compute_dtype = 0;
  if (refusal(1, HFM_ISA_AUTO) == HFM_E_NONE) return;
  CHECK_INT(hfm_from_pretrained("tests/models/bert_base", &options, &model, &error), HFM_ERROR_UNSUPPORTED);
  CHECK_INT(error.item, HFM_E_STRICT_MISSING);
}

int main(void) {
  TEST(test_same_everywhere);
  TEST(test_refused);
  return check_report("test_strict");
}
