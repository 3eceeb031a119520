/* build/hfm from outside: exit codes, what goes to stdout and what to stderr, JSON that parses, tensors that come out,
   files that must be refused. Runs in the repository's root. test_tool_check.c has `check` and hostile files,
   test_tool_options.c the options and inputs. */
#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "tools/hfm_tensors.h"
#include "check.h"

#define WORK "build/test_tool."
#include "support.h"

/* ---- The command line ---------------------------------------------------------------------------------------- */

static void test_help(void) {
  CHECK_INT(hfm(""), 2);
  CHECK_CONTAINS(out_text, "hfm forward DIR");
  check_good("help", "hfm forward DIR");
  check_good("--help", "Exit codes: 0");
  check_good("help bench", "--random-weights");
  check_good("bench --help", "hfm bench DIR");
  check_good("forward -h", "--hidden-states");
  check_good("--version", HFM_VERSION);
  CHECK(hfm("help print") == 0 && !strstr(out_text, "--threads"));
  CHECK_INT(hfm("help"), 0); /* a task that no model has is not offered as if one had */
  const char *none = out_text ? strstr(out_text, "no model that is supported") : NULL;
  CHECK(none && strstr(out_text, "masked-lm") < none && strstr(out_text, "ctc") > none);
}

static void test_usage(void) {
  check_error("fly", 2, "fly");
  check_error("help fly", 2, "fly");
  check_error("info", 2, "DIR");
  check_error("info a b", 2, "'b'");
  check_error("info . --fly", 2, "--fly");
  check_error("info . --threads 2", 2, "--threads");
  check_error("info . --task", 2, "--task");
  check_error("info . --task fly", 2, "fly");
  check_error("info . --dtype float3", 2, "float3");
  check_error("info . --json=1", 2, "--json");
  check_error("bench . --threads -1", 2, "--threads");
  check_error("bench . --threads two", 2, "two");
  check_error("bench . --batch 0", 2, "--batch");
  check_error("bench . --attn flash", 2, "flash");
  check_error("bench . --isa=sse9", 2, "sse9");
  check_error("bench . --budget-ms nan0", 2, "nan0");
  check_error("bench . --budget-ms inf", 2, "inf"); /* there is no such number in JSON */
  check_error("bench . --budget-ms nan", 2, "nan");
  check_error("bench . --runs 2305843009213693952", 2, "1 to 10000000"); /* times 8 it would be 0 bytes */
  check_error("bench . --runs 99999999999", 2, "1 to 10000000");
  check_error("bench . --past 9223372036854775807", 2, "1 to 10000000");
  check_error("info . --dtype int8", 2, "'int8' is no value for --dtype: float32, float16 or bfloat16");
  check_error("info . --dtype float64", 2, "float64");
  check_error("bench . --compute-dtype float16", 2, "float16");
  check_error("bench . --compute-dtype bfloat16 --strict", 2, "--strict");
  check_error("info . --seed -1", 2, "-1");
  check_error("info . --seed 18446744073709551616", 2, "18446744073709551616");
  check_error("registry here", 2, "here");
  check_error("forward " MODELS "bert_base", 2, "--ids");
  check_error("forward " MODELS "bert_base --ids 1 --image x.ppm", 2, "one of");
  check_error("forward " MODELS "bert_base --ids \"5 x\"", 2, "5 x");
  check_error("forward " MODELS "bert_base --ids \"\"", 2, "no token");
}

static void test_registry(void) {
  check_good("registry", "BertForSequenceClassification");
  check_good("registry --markdown", "| model_type | base |");
  CHECK_CONTAINS(out_text, "\n| gpt2 | yes |");
}

/* ---- What a model is -------------------------------------------------------------------------------------------- */

static void check_info(const char *words, const char *expected) {
  static const char *const numbers[] = { "num_parameters", "num_parameters_no_embeddings", "memory_footprint",
                                         "memory_footprint_no_buffers", "num_labels" };
  static const char *const texts[] = { "architecture", "model_type", "task", "dtype", "id2label.0", "missing_keys.0",
                                       "unexpected_keys.0", "unexpected_keys.1" };
  char *want_text = slurp(expected);
  check_good(words, "{");
  hfm_config *got = json_of(out_text), *want = json_of(want_text);
  for (size_t i = 0; got && want && i < sizeof numbers / sizeof numbers[0]; i++) {
    if (!CHECK_INT(hfm_config_get_int(got, numbers[i], -1), hfm_config_get_int(want, numbers[i], -2))) {
      printf("  %s\n", numbers[i]);
    }
  }
  for (size_t i = 0; got && want && i < sizeof texts / sizeof texts[0]; i++) {
    CHECK_STR(hfm_config_get_string(got, texts[i], "none"), hfm_config_get_string(want, texts[i], "none"));
  }
  if (got) CHECK_CONTAINS(hfm_config_get_string(got, "files.0", ""), "model");
  hfm_config_free(got);
  hfm_config_free(want);
  free(want_text);
}

static void test_info(void) {
  check_info("info " MODELS "bert_sequence --json", MODELS "bert_sequence/info.json");
  CHECK_STR(err_text, "");
  check_info("info --task base " MODELS "bert_sequence --json", MODELS "bert_sequence/info_as_base.json");
  check_info("info " MODELS "llama_causal --json", MODELS "llama_causal/info.json");
  check_info("info " MODELS "bert_sharded --json", MODELS "bert_sharded/info.json");
  check_good("info " MODELS "bert_sequence", "7,129");
  CHECK_CONTAINS(out_text, "no, yes, maybe");
  CHECK_CONTAINS(out_text, "model.safetensors");
  check_error("info " MODELS "bert_sequence/config.json", 1,
              "expected a model directory or a weights file, found JSON");
  check_error("info " MODELS "absent.json", 1, "no such file");
}

/* The policy of packing, what it keeps, and what it has kept. */
static void test_info_packing(void) {
  hfm_config *json;
  check_good("info " MODELS "bert_sequence", "packing           lazy: ");
  CHECK_CONTAINS(out_text, "packed and kept   0 bytes now");
  check_good("info " MODELS "bert_sequence --packing never", "packing           never: ");
  CHECK_CONTAINS(out_text, "at most 0 bytes packed copies");
  check_good("info " MODELS "bert_sequence --packing eager --json", "\"packing\": \"eager\"");
  json = json_of(out_text);
  CHECK(hfm_config_get_int(json, "packed_bytes", 0) > 0);
  hfm_config_free(json);
  check_good("bench " MODELS "bert_sequence --runs 2 --packing never --json", "\"packing\": \"never\"");
  json = json_of(out_text);
  CHECK_INT(hfm_config_get_int(json, "packed_bytes", -1), 0);
  hfm_config_free(json);
}

static void test_print(void) {
  char *want = slurp(MODELS "bert_sequence/print.txt");
  check_good("print " MODELS "bert_sequence", "BertForSequenceClassification(");
  CHECK_STR(out_text, want);
  free(want);
}

static void test_load_report(void) {
  check_good("info " MODELS "bert_sequence --task token-classification", "BertForTokenClassification");
  CHECK_CONTAINS(err_text, "BertForTokenClassification LOAD REPORT");
  CHECK_CONTAINS(err_text, "UNEXPECTED");
  CHECK_INT(hfm("info " MODELS "bert_sequence --num-labels 5"), 1);
  CHECK_CONTAINS(err_text, "hfm: warning: You passed `num_labels=5` which is incompatible to the `id2label` map");
  CHECK_CONTAINS(err_text, "hfm: error: " MODELS "bert_sequence/model.safetensors: tensor 'classifier.bias'");
  CHECK_CONTAINS(err_text, "--ignore-mismatched-sizes");
  check_good("info " MODELS "bert_sequence --num-labels 5 --ignore-mismatched-sizes", "5: ");
  CHECK_CONTAINS(err_text, "MISMATCH");
}

static void test_bad_models(void) {
  check_error("info build/absent", 1, "absent");
  check_error("info " MODELS "bert_base --task image-classification", 1, "image-classification");
  check_error("info " MODELS "bert_base --task ctc", 1, "(ctc), nor has any other in this build");
  check_error("info " MODELS "bert_base --variant fp16", 1, "fp16");
  check_error("print tests", 1, "config.json");
  check_error("forward " MODELS "bert_base --ids \"1 99999 2\"", 1, "99999");
  check_error("forward " MODELS "bert_base --image build/absent.ppm", 1, "takes token ids");
  check_error("forward examples/models/digits-vit --image build/absent.ppm", 1, "absent.ppm");
  check_error("forward examples/models/digits-vit --ids 5", 1, "input_ids");
  check_error("forward " MODELS "bert_base --inputs " MODELS "bert_base/config.json", 1, "config.json");
  check_error("forward " MODELS "bert_base --inputs " MODELS "bert_base/model.safetensors", 1, "no input");
  check_error("forward " MODELS "bert_base --ids 5 --output build/no/such/file", 1, "build/no/such/file");
}

/* ---- What a model says ------------------------------------------------------------------------------------------ */

static void test_outputs(void) {
  check_outputs("forward " MODELS "bert_base --inputs " MODELS "bert_base/inputs_right7.safetensors "
                "--hidden-states --attentions" OUTPUT, MODELS "bert_base/expected_right7.safetensors", 1e-5);
  check_outputs("forward " MODELS "llama_causal --inputs " MODELS "llama_causal/inputs_right7.safetensors "
                "--hidden-states --attentions --threads 1" OUTPUT,
                MODELS "llama_causal/expected_right7.safetensors", 2e-5);
  check_outputs("forward " MODELS "vit_image --inputs " MODELS "vit_image/inputs_image3.safetensors "
                "--hidden-states --attentions --isa scalar" OUTPUT,
                MODELS "vit_image/expected_image3.safetensors", 2e-5);
}

/* Two rows of different length are padded and masked: the shorter one gives what it gives alone. */
static void test_batch(void) {
  hfm_tensors batch, alone;
  check_good("forward " MODELS "bert_sequence --ids \"2 40 17 3\" --ids \"[2, 9]\"" OUTPUT, "row 1\n");
  if (!CHECK_INT(hfm_tensors_read(WORK "safetensors", &batch, NULL), HFM_OK)) return;
  check_good("forward " MODELS "bert_sequence --ids \"2 9\"" OUTPUT, "%");
  if (CHECK_INT(hfm_tensors_read(WORK "safetensors", &alone, NULL), HFM_OK)) {
    const hfm_tensor *a = hfm_tensors_find(&batch, "logits"), *b = hfm_tensors_find(&alone, "logits");
    if (CHECK(a && b && a->shape[0] == 2 && b->shape[0] == 1 && b->shape[1] == 3)) {
      CHECK_ALL_NEAR((const float *)a->data + 3, (const float *)b->data, 3, 1e-5, 1e-5);
    }
    hfm_tensors_free(&alone);
  }
  hfm_tensors_free(&batch);
  remove(WORK "safetensors");
}

static void test_readable(void) {
  check_good("forward " MODELS "bert_sequence --ids \"2 40 17 3\"", "maybe");
  check_good("forward " MODELS "bert_sequence1 --ids \"2 40 17 3\"", "score");
  check_good("forward " MODELS "bert_token --ids \"2 40 17 3\"", "      40  ");
  check_good("forward " MODELS "bert_question --ids \"2 40 17 3\"", "answer: positions");
  check_good("forward " MODELS "bart_question --inputs " MODELS "bart_question/inputs_seq7x5.safetensors",
             "answer: positions 0 to 1, score -1.747\n  tokens:      47      17\n"); /* the decoder's */
  check_good("forward " MODELS "bert_masked --ids \"2 40 17 3\" --mask-id 17 --top 2", "position 2:");
  CHECK_INT(lines_of(out_text), 1);
  check_good("forward " MODELS "llama_causal --ids \"2 40 17 3\"", "next token:");
  check_good("forward " MODELS "bert_base --ids \"2 40 17 3\"", "last_hidden_state  [1, 4, 36]");
  check_good("forward examples/models/digits-vit --image examples/models/digits-vit/seven.pgm --top 3", "  seven ");
  CHECK_INT(lines_of(out_text), 3);
}

static void test_bench(void) {
  check_good("bench " MODELS "bert_base --random-weights --length 9 --batch 2 --runs 5 --threads 1 --json", "{");
  hfm_config *json = json_of(out_text);
  if (json) {
    CHECK_INT(hfm_config_get_int(json, "runs", 0), 5);
    CHECK_INT(hfm_config_get_int(json, "threads", 0), 1);
    CHECK(*hfm_config_get_string(json, "isa", ""));
    CHECK(hfm_config_get_float(json, "min_ms", 0) > 0);
    CHECK(hfm_config_get_float(json, "median_ms", 0) >= hfm_config_get_float(json, "min_ms", 0));
    const double tokens_per_ms = hfm_config_get_float(json, "tokens_per_second", 0) / 1000;
    CHECK_NEAR(tokens_per_ms * hfm_config_get_float(json, "median_ms", 0), 18, 1);
  }
  hfm_config_free(json);
  check_good("bench " MODELS "vit_image --runs 2 --budget-ms 0.001 --json", "\"images_per_second\"");
  CHECK_CONTAINS(out_text, "\"longest_slice_ms\"");
  CHECK_CONTAINS(out_text, "\"least_longest_slice_ms\"");
  check_good("bench " MODELS "vit_image --runs 2", "pictures per second");
  check_good("bench " MODELS "llama_causal --runs 3 --past 7 --json", "\"past\": 7");
  check_good("bench " MODELS "llama_causal --runs 3 --past 7", "[1, 1] after 7 cached");
  check_error("bench " MODELS "bert_base --past 3", 1, "keeps no keys and values");
  check_good("bench " MODELS "t5_generation --runs 2 --length 9", "input [1, 9], and the decoder's of that shape");
  check_good("bench " MODELS "bart_sequence --runs 2 --length 40 --batch 9", "tokens per second");
  check_good("bench " MODELS "marian_two --runs 2 --length 40", "tokens per second"); /* two vocabularies */
}

/* ---- Where the output goes -------------------------------------------------------------------------------------- */

static void test_full_disk(void) {
#if defined(_WIN32)
  SKIP("there is no /dev/full here");
#else
  if (hfm_companion_kind("/dev/full") != HFM_COMPANION_OTHER) {
    SKIP("there is no /dev/full here");
    return;
  }
  CHECK_INT(shell("build/hfm registry >/dev/full 2>/dev/null"), 1);
  check_error("forward " MODELS "bert_base --ids 3 --output /dev/full", 1, "/dev/full");
  CHECK_INT(hfm_companion_kind("/dev/full"), HFM_COMPANION_OTHER); /* a device is not removed */
#endif
}

int main(void) {
  if (!tool_is_built()) return check_report("test_tool");
  TEST(test_help);
  TEST(test_usage);
  TEST(test_registry);
  TEST(test_info);
  TEST(test_info_packing);
  TEST(test_print);
  TEST(test_load_report);
  TEST(test_bad_models);
  TEST(test_outputs);
  TEST(test_batch);
  TEST(test_readable);
  TEST(test_bench);
  TEST(test_full_disk);
  clean_up();
  return check_report("test_tool");
}
