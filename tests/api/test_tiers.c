/* Every instruction set that the machine has is one that the library finds, and all give the same results as the
   portable kernels. What the processor has is asked of the system, not of the library. */
#include "hfmodel.h"
#include "check.h"

static const char config[] =
  "{\"model_type\":\"bert\",\"vocab_size\":37,\"hidden_size\":40,\"num_hidden_layers\":2,\"num_attention_heads\":5,"
  "\"intermediate_size\":67,\"max_position_embeddings\":48}";
enum { LENGTH = 33, HIDDEN = 40 };
static float reference[LENGTH * HIDDEN], result[LENGTH * HIDDEN];

/* 1 if every word of `flags` is among the flags of /proc/cpuinfo; -1 where there is no such file. */
static int cpu_has(const char *flags) {
  static char text[1 << 16];
  FILE *f = fopen("/proc/cpuinfo", "r");
  char *line, word[32];
  size_t n;
  if (!f) return -1;
  n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  text[n] = 0;
  line = strstr(text, "\nflags");
  if (!line) return -1;
  line[strcspn(line + 1, "\n") + 1] = 0;
  strcat(line, " ");
  while (*flags) {
    n = strcspn(flags, " ");
    snprintf(word, sizeof word, " %.*s ", (int)n, flags);
    if (!strstr(line, word)) return 0;
    flags += n + (flags[n] != 0);
  }
  return 1;
}

static hfm_result run(int32_t isa, float *out, char *name, hfm_error *error) {
  static int64_t ids[LENGTH];
  hfm_memory_file file;
  hfm_options options;
  hfm_inputs inputs;
  hfm_outputs outputs;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_result r;
  int i;
  for (i = 0; i < LENGTH; i++) ids[i] = i * 11 % 37;
  memset(&options, 0, sizeof options);
  memset(&inputs, 0, sizeof inputs);
  options.random_weights = 1;
  options.isa = isa;
  inputs.input_ids = hfm_tensor_i64(ids, 1, LENGTH);
  file.name = "config.json";
  file.data = config;
  file.size = sizeof config - 1;
  r = hfm_from_memory(&file, 1, &options, &model, error);
  if (!r) r = hfm_session_create(model, NULL, &session, error);
  if (!r) r = hfm_forward(session, &inputs, &outputs, error);
  if (!r) memcpy(out, outputs.last_hidden_state.data, sizeof reference);
  if (!r && name) snprintf(name, 32, "%s", hfm_model_isa(model));
  hfm_session_free(session);
  hfm_model_free(model);
  return r;
}

static void tier(int32_t isa, const char *name, const char *flags) {
  hfm_error error;
  const int has = cpu_has(flags);
  const hfm_result r = run(isa, result, NULL, &error);
  if (r) {
    CHECK_INT(error.item, HFM_E_ISA_MISSING);
    if (has == 1) {
      printf("  %s: %s\n", name, error.message);
      CHECK(!"a tier that the processor has was refused");
      return;
    }
    SKIP(name);
    return;
  }
  CHECK(has != 0);
  CHECK_ALL_NEAR(result, reference, LENGTH * HIDDEN, 1e-5, 1e-4);
}

static void test_scalar(void) {
  hfm_error error;
  CHECK_INT(run(HFM_ISA_SCALAR, reference, NULL, &error), HFM_OK);
  CHECK_STR(error.message, "");
  CHECK(reference[0] != reference[1]);
}
static void test_sse2(void) { tier(HFM_ISA_SSE2, "this machine has no SSE2", "sse2"); }
static void test_avx2(void) { tier(HFM_ISA_AVX2, "this machine has no AVX2 with FMA and F16C", "avx2 fma f16c"); }
static void test_avx512(void) {
  tier(HFM_ISA_AVX512, "this machine has no AVX-512", "avx512f avx512bw avx512vl avx512dq");
}
static void test_avx512_vnni(void) {
  tier(HFM_ISA_AVX512_VNNI, "this machine has no AVX-512 VNNI", "avx512f avx512bw avx512vl avx512dq avx512_vnni");
}
static void test_avx512_bf16(void) {
  tier(HFM_ISA_AVX512_BF16, "this machine has no AVX-512 BF16",
       "avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16");
}
/* Linux may refuse the tiles to a process. */
static void test_amx_bf16(void) {
  hfm_error error;
  if (run(HFM_ISA_AMX_BF16, result, NULL, &error)) {
    CHECK_INT(error.item, HFM_E_ISA_MISSING);
    SKIP("this machine has no AMX-BF16");
    return;
  }
  CHECK(cpu_has("amx_tile amx_bf16 avx512_bf16") != 0);
  CHECK_ALL_NEAR(result, reference, LENGTH * HIDDEN, 1e-5, 1e-4);
}
static void test_neon(void) { tier(HFM_ISA_NEON, "this machine has no NEON", "asimd"); }

static void test_best_is_chosen(void) {
  hfm_error error;
  char name[32] = "";
  CHECK_INT(run(HFM_ISA_AUTO, result, name, &error), HFM_OK);
  if (cpu_has("avx512f avx512bw avx512vl avx512dq") == 1) CHECK_CONTAINS(name, "avx512");
  else if (cpu_has("avx2 fma f16c") == 1) CHECK_STR(name, "avx2");
}

int main(void) {
  TEST(test_scalar);
  TEST(test_sse2);
  TEST(test_avx2);
  TEST(test_avx512);
  TEST(test_avx512_vnni);
  TEST(test_avx512_bf16);
  TEST(test_amx_bf16);
  TEST(test_neon);
  TEST(test_best_is_chosen);
  return check_report("test_tiers");
}
