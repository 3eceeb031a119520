/* build/hfm: what the options and the inputs do. */
#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "tools/hfm_tensors.h"
#include "check.h"

#define WORK "build/test_tool_options."
#include "support.h"

#define BERT MODELS "bert_base"
#define BERT_INPUTS " --inputs " BERT "/inputs_right7.safetensors "
#define BERT_EXPECTED BERT "/expected_right7.safetensors"
#define ALL " --hidden-states --attentions "
#define DIGITS "examples/models/digits-vit"

/* ---- How a model is loaded and run ------------------------------------------------------------------------------- */

static void check_dtype(const char *dtype, const char *name, double tolerance) {
  char words[256];
  snprintf(words, sizeof words, "info " BERT " --json --dtype %s", dtype);
  check_good(words, name);
  snprintf(words, sizeof words, "forward " BERT BERT_INPUTS ALL OUTPUT "--dtype %s", dtype);
  check_outputs(words, BERT_EXPECTED, tolerance);
}

static void test_dtypes(void) {
  check_dtype("auto", "\"float32\"", 1e-5);
  check_dtype("float32", "\"float32\"", 1e-5);
  check_dtype("torch.float32", "\"float32\"", 1e-5);
  check_dtype("float16", "\"float16\"", 1e-2);
  check_dtype("fp16", "\"float16\"", 1e-2);
  check_dtype("bfloat16", "\"bfloat16\"", 5e-2);
}

/* How it is computed changes nothing that a person would see. */
static void test_ways_to_run(void) {
  static const char *const ways[] = { "--packing lazy", "--packing never", "--packing eager", "--batch-invariant",
                                      "--local-copy", "--use-safetensors", "--isa scalar", "--isa auto", "--strict",
                                      "--threads 1", "--threads 3", "--compute-dtype float32" };
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    char words[256];
    snprintf(words, sizeof words, "forward " BERT BERT_INPUTS ALL OUTPUT "%s", ways[i]);
    check_outputs(words, BERT_EXPECTED, 1e-5);
  }
  check_outputs("forward " BERT BERT_INPUTS ALL OUTPUT "--attn eager", BERT_EXPECTED, 1e-5);
}

/* An instruction set that no machine has together with the other one. */
static void test_missing_isa(void) {
  const char *missing = hfm("forward " BERT " --ids 3 --isa neon") ? "neon" : "sse2";
  char words[128], expected[64];
  snprintf(words, sizeof words, "forward " BERT " --ids 3 --isa %s", missing);
  snprintf(expected, sizeof expected, "--isa %s: this machine", missing);
  check_error(words, 2, expected);
  CHECK(!strstr(err_text, "HFM_"));
}

/* The first output of random weights from a seed, as text. */
static char *seeded(const char *seed) {
  char words[128];
  snprintf(words, sizeof words, "forward " BERT " --random-weights --ids \"3 4\" --seed %s", seed);
  check_good(words, "last_hidden_state");
  char *text = out_text;
  out_text = NULL;
  return text;
}

static void test_seed(void) {
  char *one = seeded("1"), *again = seeded("1"), *two = seeded("2"), *last = seeded("18446744073709551615");
  if (CHECK(one && again && two && last)) {
    CHECK_STR(one, again);
    CHECK(strcmp(one, two) != 0 && strcmp(one, last) != 0 && strcmp(two, last) != 0);
  }
  free(one);
  free(again);
  free(two);
  free(last);
}

/* ---- Where a model is found -------------------------------------------------------------------------------------- */

static void test_places(void) {
  check_error("info " BERT " --no-use-safetensors", 1, "bert_base");
  check_good("info " MODELS "bert_subfolder --subfolder inner", "BertModel");
  check_error("info " MODELS "bert_subfolder", 1, "config.json");
  check_good("info " MODELS "bert_variant --variant fp16", "model.fp16.safetensors");
  check_good("check " MODELS "bert_variant --variant fp16", "sound");
}

static void test_hub_cache(void) {
#define CACHE WORK "hub"
#define REPO CACHE "/models--org--name"
  static const char first[] = "0123456789abcdef0123456789abcdef01234567";
  static const char second[] = "89abcdef0123456789abcdef0123456789abcdef";
  CHECK_INT(shell("rm -rf " CACHE " && mkdir -p " REPO "/refs " REPO "/snapshots"), 0);
  CHECK_INT(shell("cp -R " MODELS "bert_base " REPO "/snapshots/0123456789abcdef0123456789abcdef01234567"), 0);
  CHECK_INT(shell("cp -R " MODELS "bert_token " REPO "/snapshots/89abcdef0123456789abcdef0123456789abcdef"), 0);
  put_file(REPO "/refs/main", first, sizeof first - 1);
  put_file(REPO "/refs/v2", second, sizeof second - 1);
  check_good("info org/name --cache-dir " CACHE, "BertModel");
  check_good("info org/name --cache-dir " CACHE " --revision v2", "BertForTokenClassification");
  check_good("info org/name --cache-dir " CACHE " --revision 89abcdef0123456789abcdef0123456789abcdef",
             "BertForTokenClassification");
  check_good("check org/name --cache-dir " CACHE, "org/name: sound");
  check_error("info org/name --cache-dir " CACHE " --revision v3", 1, "v3");
  check_error("info org/other --cache-dir " CACHE, 1, "hf download org/other");
  CHECK_INT(shell("rm -rf " CACHE), 0);
#undef REPO
#undef CACHE
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

static void test_images(void) {
  check_good("forward " DIGITS " --image " DIGITS "/seven.pgm --top 1", "  seven ");
  char *one = out_text;
  out_text = NULL;
  check_good("forward " DIGITS " --image " DIGITS "/seven.pgm --image " DIGITS "/seven.pgm --top 1", "row 1\n");
  if (CHECK(one && out_text)) { /* both rows say what one alone said */
    CHECK_CONTAINS(out_text, one);
    CHECK_CONTAINS(strstr(out_text, "row 1\n"), one);
  }
  free(one);
  CHECK_INT(shell("rm -rf " WORK "bare && cp -R " DIGITS " " WORK "bare"), 0);
  CHECK_INT(remove(WORK "bare/preprocessor_config.json"), 0);
  check_good("forward " WORK "bare --image " DIGITS "/seven.pgm --top 1", "  seven ");
  CHECK_CONTAINS(err_text, "no preprocessor_config.json: the picture becomes 8 x 8");
  CHECK_INT(shell("rm -rf " WORK "bare"), 0);
}

/* ---- Files of inputs --------------------------------------------------------------------------------------------- */

static hfm_named_tensor named(const char *name, const void *data, hfm_dtype dtype, int32_t rank, int64_t a, int64_t b) {
  hfm_named_tensor item;
  memset(&item, 0, sizeof item);
  item.name = name;
  item.tensor.data = data;
  item.tensor.dtype = dtype;
  item.tensor.rank = rank;
  item.tensor.shape[0] = a;
  item.tensor.shape[1] = b;
  return item;
}

#define IN WORK "in.safetensors"

static void put_inputs(hfm_named_tensor first, hfm_named_tensor second) {
  hfm_named_tensor items[2];
  hfm_error error;
  items[0] = first;
  items[1] = second;
  if (!CHECK_INT(hfm_tensors_write(IN, items, second.name ? 2 : 1, &error), HFM_OK)) printf("  %s\n", error.message);
}

static const int64_t four_ids[] = { 2, 5, 9, 3 };

static void test_bad_inputs(void) {
  static const float floats[64] = { 0 };
  static const int64_t negative[] = { 2, -1, 9, 3 };
  const hfm_named_tensor none = named(NULL, NULL, 0, 0, 0, 0), ids = named("input_ids", four_ids, HFM_I64, 2, 1, 4);
  put_inputs(named("input_ids", floats, HFM_F32, 2, 1, 4), none);
  check_error("forward " BERT " --inputs " IN, 1, "input_ids");
  put_inputs(named("input_ids", four_ids, HFM_I64, 1, 4, 0), none);
  check_error("forward " BERT " --inputs " IN, 1, "input_ids");
  put_inputs(named("input_ids", negative, HFM_I64, 2, 1, 4), none);
  check_error("forward " BERT " --inputs " IN, 1, "input_ids[0][1] is -1");
  put_inputs(ids, named("attention_mask", four_ids, HFM_I64, 2, 1, 3));
  check_error("forward " BERT " --inputs " IN, 1, "attention_mask");
  put_inputs(ids, named("token_type_ids", floats, HFM_F32, 2, 1, 4));
  check_error("forward " BERT " --inputs " IN, 1, "token_type_ids");
  put_inputs(ids, named("labels", four_ids, HFM_I64, 1, 1, 0));
  check_error("forward " BERT " --inputs " IN, 1, "losses aren't computed");
  put_inputs(ids, named("logits", floats, HFM_F32, 2, 1, 4));
  check_error("forward " BERT " --inputs " IN, 1, "'logits' is no input");
  put_inputs(named("pixel_values", floats, HFM_F32, 2, 8, 8), none);
  check_error("forward " DIGITS " --inputs " IN, 1, "pixel_values");
  check_error("forward " BERT " --inputs " IN, 1, "pixel_values");
  check_error("forward " DIGITS " --inputs " DIGITS "/heldout.safetensors", 1, "losses aren't computed"); /* its card */
  remove(IN);
}

/* A mask of any dtype hides the same rows: two of four are kept. */
static void test_mask_dtypes(void) {
  static const int64_t i64[] = { 1, 1, 0, 0 };
  static const uint32_t u32[] = { 7, 1, 0, 0 };
  static const int16_t i16[] = { -1, 256, 0, 0 };
  static const uint8_t u8[] = { 1, 1, 0, 0 };
  static const double f64[] = { 1, 0.5, -0.0, 0 };
  static const float f32[] = { 1, 0.25f, -0.0f, 0 };
  static const uint16_t f16[] = { 0x3c00, 1, 0x8000, 0 }; /* the smallest number; minus zero */
  const struct {
    const void *data;
    hfm_dtype dtype;
  } masks[] = { { i64, HFM_I64 }, { u32, HFM_U32 }, { i16, HFM_I16 }, { u8, HFM_U8 }, { u8, HFM_BOOL },
                { f64, HFM_F64 }, { f32, HFM_F32 }, { f16, HFM_F16 }, { f16, HFM_BF16 } };
  char *next;
  check_good("forward " MODELS "llama_causal --ids \"2 5\"", "next token:");
  next = out_text;
  out_text = NULL;
  for (size_t i = 0; next && i < sizeof masks / sizeof masks[0]; i++) {
    put_inputs(named("input_ids", four_ids, HFM_I64, 2, 1, 4), named("attention_mask", masks[i].data, masks[i].dtype, 2,
                                                                     1, 4));
    check_good("forward " MODELS "bert_token --inputs " IN, "position ");
    if (!CHECK_INT(lines_of(out_text), 3)) printf("  %s\n%s", hfm_dtype_name(masks[i].dtype), out_text);
    check_good("forward " MODELS "llama_causal --inputs " IN, "next token:");
    CHECK_STR(out_text, next);
  }
  free(next);
  remove(IN);
}

/* ---- The progress bar -------------------------------------------------------------------------------------------- */

/* What a terminal of that kind gets from a long bench; `script` gives it one. */
static char *on_a_terminal(const char *term) {
  char command[256];
  snprintf(command, sizeof command, "TERM=%s script -qec 'build/hfm bench " BERT " --length 30 --batch 8 --threads 1 "
           "--runs 4000' /dev/null >" WORK "out 2>&1 </dev/null", term);
  CHECK_INT(shell(command), 0);
  return slurp(WORK "out");
}

static void test_progress_bar(void) {
  if (shell("script -qec true /dev/null >/dev/null 2>&1 </dev/null")) {
    SKIP("script, which gives a program a terminal, is not here");
    return;
  }
  char *screen = on_a_terminal("xterm"), *dumb = on_a_terminal("dumb");
  CHECK_CONTAINS(screen, "measure  [#");
  CHECK_CONTAINS(screen, "median");
  CHECK(screen && !strchr(screen, 0x1b));
  CHECK_CONTAINS(dumb, "median");
  CHECK(dumb && !strstr(dumb, "measure") && !strchr(dumb, 0x1b));
  free(screen);
  free(dumb);
  check_good("bench " BERT " --length 30 --batch 8 --runs 4000 --threads 1", "median");
  CHECK_STR(err_text, ""); /* no terminal, no bar */
}

int main(void) {
  if (!tool_is_built()) return check_report("test_tool_options");
  TEST(test_dtypes);
  TEST(test_ways_to_run);
  TEST(test_missing_isa);
  TEST(test_seed);
  TEST(test_places);
  TEST(test_hub_cache);
  TEST(test_images);
  TEST(test_bad_inputs);
  TEST(test_mask_dtypes);
  TEST(test_progress_bar);
  clean_up();
  return check_report("test_tool_options");
}
