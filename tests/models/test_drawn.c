/* What the shipped model draws with a seed: the same text in every build, on every machine, on every tier, in slices,
   by any number of threads. Tiers differ in the last bits of the logits; these draws do not hang on them. */
#include "hfmodel.h"

#include "check.h"

#define MODEL "examples/models/bible-llama"
#define EXPECTED \
  ", \"Don't be afraid, for I have not fulfilled the king. I will give a matter to you, and you will be your " \
  "servants, and you will be for a person of a man of her womb, and he will bear his house, and shall be put to " \
  "death. For it is " \
  "he who has come, and he will be as the king."

enum { MOST_TOKENS = 1024, MOST_LENGTH = 32 };
static char vocabulary[MOST_TOKENS][MOST_LENGTH]; /* the first token, an empty line of the file, ends a paragraph */
static int vocabulary_size;

static void read_vocabulary(void) {
  FILE *f = fopen(MODEL "/vocab.txt", "r");
  while (f && vocabulary_size < MOST_TOKENS && fgets(vocabulary[vocabulary_size], MOST_LENGTH, f)) {
    vocabulary[vocabulary_size][strcspn(vocabulary[vocabulary_size], "\n")] = 0;
    vocabulary_size++;
  }
  if (f) fclose(f);
  CHECK_INT(vocabulary_size, MOST_TOKENS);
}

static int64_t id_of(const char *token) {
  int i;
  for (i = 0; i < vocabulary_size; i++)
    if (!strcmp(vocabulary[i], token)) return i;
  CHECK(0);
  return 0;
}

static char drawn[8192];

static void write_token(void *ctx, const int64_t *tokens, int64_t rows) {
  (void)ctx;
  (void)rows;
  if (CHECK(tokens[0] >= 0 && tokens[0] < vocabulary_size && strlen(drawn) + MOST_LENGTH < sizeof drawn))
    strcat(drawn, vocabulary[tokens[0]]);
}

/* All is as generation_config.json says. */
static hfm_result write_on(hfm_session *session, int in_slices, hfm_error *error) {
  const int64_t ids[] = {0, id_of("The"), id_of(" king"), id_of(" said"), id_of(" to"), id_of(" him")};
  const hfm_inputs inputs = hfm_input_ids(ids, 1, 6);
  hfm_generation_config config;
  hfm_generation *generation = NULL;
  hfm_generated out;
  hfm_result result;
  int32_t done = 0;
  memset(&config, 0, sizeof config);
  config.seed = 1;
  config.streamer.put = write_token;
  drawn[0] = 0;
  if (!in_slices) return hfm_generate(session, &inputs, &config, &out, error);
  result = hfm_generation_begin(session, &inputs, &config, &generation, error);
  while (!result && !done) result = hfm_generation_next(generation, 1e-4, &done, error);
  hfm_generation_free(generation);
  return result;
}

static hfm_options options;
static hfm_session_options session_options;
static int in_slices;

static void test_text(void) {
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  options.task = HFM_CAUSAL_LM;
  if (hfm_from_pretrained(MODEL, &options, &model, &error)) {
    if (error.item == HFM_E_ISA_MISSING) SKIP("this machine lacks the tier");
    else if (error.item == HFM_E_STRICT_MISSING) SKIP("this build can't promise the same bits");
    else CHECK_STR(error.message, "");
    return;
  }
  if (hfm_session_create(model, &session_options, &session, &error) || write_on(session, in_slices, &error))
    CHECK_STR(error.message, "");
  CHECK_STR(drawn, EXPECTED);
  hfm_session_free(session);
  hfm_model_free(model);
}

int main(void) {
  static const int32_t tiers[] = {HFM_ISA_SCALAR, HFM_ISA_SSE2, HFM_ISA_AVX2, HFM_ISA_AVX512, HFM_ISA_NEON};
  size_t i;
  read_vocabulary();
  for (i = 0; i < sizeof tiers / sizeof *tiers; i++) {
    options.isa = tiers[i];
    TEST(test_text);
  }
  options.isa = HFM_ISA_AUTO;
  options.strict = 1;
  TEST(test_text);
  options.strict = 0;
  session_options.threads = 3;
  in_slices = 1;
  TEST(test_text);
  return check_report("test_drawn");
}
