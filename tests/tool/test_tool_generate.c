/* build/hfm generate: the same ids as Transformers' generate, by the options of the same names. */
#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "tools/hfm_tensors.h"
#include "check.h"

#define WORK "build/test_tool_generate."
#include "support.h"

#define CASES MODELS "generation/"

/* ---- Every case of generation/cases.txt that needs nothing but options ---- */

/* "no_repeat_ngram_size=2" as words of a command line. */
static void option_words(const char *key, const char *value, char *words, size_t room) {
  char name[64];
  size_t n = strlen(words);
  snprintf(name, sizeof name, "%s", key);
  for (char *c = name; *c; c++)
    if (*c == '_') *c = '-';
  if (!strcmp(key, "bad_words_ids")) {
    while (*value) {
      const int length = (int)strcspn(value, ";");
      n = strlen(words);
      snprintf(words + n, room - n, " --%s %.*s", name, length, value);
      value += length + (value[length] == ';');
    }
  } else if (!strcmp(key, "early_stopping")) {
    snprintf(words + n, room - n, " --%s %s", name, value);
  } else if (!strcmp(value, "true") || !strcmp(value, "false")) {
    snprintf(words + n, room - n, " --%s%s", *value == 't' ? "" : "no-", name);
  } else {
    snprintf(words + n, room - n, " --%s %s", name, value);
  }
}

/* The inputs of a case, alone in a file. */
static int write_inputs(const char *name) {
  char path[256];
  hfm_tensors file;
  hfm_named_tensor items[4];
  hfm_error error;
  size_t count = 0;
  snprintf(path, sizeof path, CASES "%s.safetensors", name);
  if (!CHECK_INT(hfm_tensors_read(path, &file, &error), HFM_OK)) return 0;
  for (size_t i = 0; i < file.count; i++)
    if (strstr(file.items[i].name, "input_ids") || strstr(file.items[i].name, "attention_mask") ||
        strstr(file.items[i].name, "position_ids"))
      items[count++] = file.items[i];
  CHECK_INT(hfm_tensors_write(WORK "in", items, count, &error), HFM_OK);
  hfm_tensors_free(&file);
  return 1;
}

static void compare_sequences(const char *name) {
  char path[256];
  hfm_tensors got, want;
  hfm_error error;
  snprintf(path, sizeof path, CASES "%s.safetensors", name);
  if (!CHECK_INT(hfm_tensors_read(WORK "safetensors", &got, &error), HFM_OK)) return;
  if (CHECK_INT(hfm_tensors_read(path, &want, &error), HFM_OK)) {
    const hfm_tensor *g = hfm_tensors_find(&got, "sequences"), *w = hfm_tensors_find(&want, "sequences");
    CHECK(g && w && g->dtype == HFM_I64 && !memcmp(g->shape, w->shape, sizeof w->shape) &&
          !memcmp(g->data, w->data, (size_t)hfm_tensors_bytes(w)));
    CHECK_INT(hfm_tensors_find(&got, "scores") != NULL, hfm_tensors_find(&want, "scores") != NULL);
    if (hfm_tensors_find(&got, "beam_indices")) CHECK(hfm_tensors_find(&want, "beam_indices") != NULL);
    hfm_tensors_free(&want);
  }
  hfm_tensors_free(&got);
  remove(WORK "safetensors");
}

static void check_line(char *line) {
  char words[900], name[64] = "", dir[64] = "", options[700] = "";
  for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
    char *value = strchr(word, '=');
    if (!value) {
      snprintf(name, sizeof name, "%s", word);
      continue;
    }
    *value++ = 0;
    if (!strcmp(word, "dir")) snprintf(dir, sizeof dir, "%s", value);
    else if (!strcmp(word, "config") || !strcmp(word, "generation_config") || !strcmp(word, "prefix") ||
             !strcmp(word, "processor") || !strcmp(word, "stopping"))
      return;
    else if (!strcmp(word, "seq2seq")) continue; /* config.json says so */
    else option_words(word, value, options, sizeof options);
  }
  if (!write_inputs(name)) return;
  snprintf(words, sizeof words, "generate " MODELS "%s --inputs " WORK "in" OUTPUT "%s", dir, options);
  check_good(words, "");
  compare_sequences(name);
}

static void test_cases(void) {
  char *text = slurp(CASES "cases.txt"), *line = text;
  int cases = 0;
  while (line && *line) {
    char *next = strchr(line, '\n');
    if (next) *next++ = 0;
    if (*line && *line != '#') {
      check_line(line);
      cases++;
    }
    line = next;
  }
  CHECK(cases > 120);
  free(text);
  remove(WORK "in");
}

/* ---- What is printed ---- */

#define LLAMA MODELS "llama_causal"

/* A single text comes as it is made, several a line each; speed on stderr. */
static void test_printed(void) {
  char *single;
  check_good("generate " LLAMA " --ids 5,17,9 --max-new-tokens 4 --eos-token-id none", "\n");
  CHECK_INT(lines_of(out_text), 1);
  CHECK_CONTAINS(err_text, "prompt: 3 tokens in ");
  CHECK_CONTAINS(err_text, "decode: 3 tokens in ");
  CHECK_CONTAINS(err_text, " tokens/s\n");
  single = out_text;
  out_text = NULL;
  check_good("generate " LLAMA " --ids \"5 17 9\" --ids 8,5,17,9 --max-new-tokens 4 --eos-token-id none", "\n");
  CHECK_INT(lines_of(out_text), 2);
  if (single && out_text) CHECK(!strncmp(out_text, single, strlen(single))); /* padded on the left: the same */
  check_good("generate " LLAMA " --ids 5,17,9 --max-new-tokens 4 --num-beams 3 --num-return-sequences 2", "\n");
  CHECK_INT(lines_of(out_text), 2);
  free(single);
}

#define T5 MODELS "t5_two_layers"

/* What an encoder reads is padded on the right: a text beside another one gives what it gives alone. */
static void test_encoder(void) {
  char *single;
  check_good("generate " T5 " --ids 5,17,9 --max-new-tokens 6 --eos-token-id none", "\n");
  CHECK_INT(lines_of(out_text), 1);
  CHECK_CONTAINS(err_text, "prompt: 3 tokens in ");
  single = out_text;
  out_text = NULL;
  check_good("generate " T5 " --ids 5,17,9 --ids 8,5,17,9 --max-new-tokens 6 --eos-token-id none", "\n");
  CHECK_INT(lines_of(out_text), 2);
  if (single && out_text) CHECK(!strncmp(out_text, single, strlen(single)));
  check_good("generate " T5 " --ids 5,17,9 --max-new-tokens 6 --decoder-start-token-id 7 --num-beams 2", "\n");
  free(single);
}

/* --seed is for what is drawn, too. */
static void test_seed(void) {
  char *first;
#define DRAWN "generate " LLAMA " --ids 5,17,9 --do-sample --temperature 2 --top-k none --max-new-tokens 12 --seed "
  check_good(DRAWN "1", "\n");
  first = out_text;
  out_text = NULL;
  check_good(DRAWN "1", "\n");
  CHECK_STR(out_text, first);
  check_good(DRAWN "2", "\n");
  CHECK(first && out_text && strcmp(first, out_text) != 0);
  free(first);
}

static void test_usage(void) {
  check_error("generate " LLAMA, 2, "Give one of --ids and --inputs");
  check_error("generate " LLAMA " --ids 1 --inputs x", 2, "Give one of");
  check_error("generate " LLAMA " --ids 1 --top-p high", 2, "'high' is no value for --top-p");
  check_error("generate " LLAMA " --ids 1 --max-new-tokens 0", 2, "'0' is no value for --max-new-tokens");
  check_error("generate " LLAMA " --ids 1 --eos-token-id two", 2, "'two' is no value for --eos-token-id");
  check_error("generate " LLAMA " --ids 1 --bad-words-ids x", 2, "'x' is no value for --bad-words-ids");
  check_error("generate " LLAMA " --ids 1 --early-stopping soon", 2, "true (as soon as");
  check_good("generate --num-beams 2 --early-stopping " LLAMA " --ids 1 --max-new-tokens 3", "\n");
  check_good("generate " LLAMA " --ids 1 --max-new-tokens 3 --num-beams 2 --early-stopping", "\n");
  check_good("generate " LLAMA " --ids 1 --max-new-tokens 3 --min-length 0 --min-new-tokens 0 --top-k 0 "
             "--no-repeat-ngram-size 0 --temperature 0", "\n");
  check_error("generate " LLAMA " --ids 1 --image x.ppm", 2, "no option '--image'");
  check_error("generate " LLAMA " --ids 61", 1, "input_ids[0][0] is 61");
  check_error("generate " LLAMA " --ids 1 --do-sample --temperature 0", 1, "temperature is 0.0");
  check_error("generate " LLAMA " --ids 1 --num-return-sequences 2", 1, "greedy search has one result");
  check_error("generate " MODELS "bert_base --ids 1", 1, "does not generate");
  check_error("generate " T5 " --ids 1 --decoder-start-token-id 61", 1, "decoder_start_token_id is 61");
}

int main(void) {
  if (!tool_is_built()) return check_report("test_tool_generate");
  TEST(test_cases);
  TEST(test_printed);
  TEST(test_encoder);
  TEST(test_seed);
  TEST(test_usage);
  clean_up();
  return check_report("test_tool_generate");
}
