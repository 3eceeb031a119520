/* args.h: the command line. One table says which options there are, what they set, which commands take them, and what
   the help says about them. */

enum { /* commands, as bits */
  FOR_FORWARD = 1, FOR_INFO = 2, FOR_PRINT = 4, FOR_CHECK = 8, FOR_BENCH = 16, FOR_REGISTRY = 32, FOR_GENERATE = 64,
  FOR_LOADING = FOR_FORWARD | FOR_INFO | FOR_PRINT | FOR_CHECK | FOR_BENCH | FOR_GENERATE,
  FOR_RUNNING = FOR_FORWARD | FOR_BENCH | FOR_GENERATE
};

typedef struct string_list {
  const char **items;
  int count;
} string_list;

typedef struct arguments {
  const char *path;             /* DIR or FILE */
  hfm_options load;
  hfm_session_options session;
  string_list ids, images;
  const char *inputs, *output;
  int32_t hidden_states, attentions, json, markdown;
  int64_t batch, length, past, runs, mask_id, top;
  double budget_ms;
  hfm_generation_config generation; /* its lists of ids are in what follows, as they were written */
  const char *eos, *pad, *decoder_start, *forced_bos, *forced_eos, *suppress, *begin_suppress;
  string_list bad_words;
} arguments;

typedef struct choice {
  const char *name;
  int32_t value;
} choice;

static const choice attn_choices[] = { { "eager", HFM_ATTN_EAGER }, { "sdpa", HFM_ATTN_SDPA },
                                       { "flash_attention_2", HFM_ATTN_FLASH_ATTENTION_2 }, { NULL, 0 } };
static const choice isa_choices[] = { { "auto", HFM_ISA_AUTO }, { "scalar", HFM_ISA_SCALAR }, { "sse2", HFM_ISA_SSE2 },
                                      { "avx2", HFM_ISA_AVX2 }, { "avx512", HFM_ISA_AVX512 },
                                      { "avx512_vnni", HFM_ISA_AVX512_VNNI },
                                      { "avx512_bf16", HFM_ISA_AVX512_BF16 }, { "amx_bf16", HFM_ISA_AMX_BF16 },
                                      { "neon", HFM_ISA_NEON },
                                      { "wasm_simd128", HFM_ISA_WASM_SIMD128 }, { NULL, 0 } };
static const choice packing_choices[] = { { "lazy", HFM_PACK_LAZY }, { "never", HFM_PACK_NEVER },
                                          { "eager", HFM_PACK_EAGER }, { NULL, 0 } };

static const choice dtype_choices[] = { { "auto", HFM_DTYPE_AUTO }, { "float32", HFM_F32 }, { "float16", HFM_F16 },
                                        { "bfloat16", HFM_BF16 }, { NULL, 0 } };
static const choice early_choices[] = { { "true", HFM_EARLY_STOPPING_TRUE }, { "false", HFM_EARLY_STOPPING_FALSE },
                                        { "never", HFM_EARLY_STOPPING_NEVER }, { NULL, 0 } };
static const choice compute_choices[] = { { "auto", HFM_DTYPE_AUTO }, { "float32", HFM_F32 },
                                          { "bfloat16", HFM_BF16 }, { NULL, 0 } };

typedef enum option_kind {
  FLAG, MINUS, TEXT, LIST, COUNT32, COUNT, OPTIONAL_COUNT, COUNT_OR_OFF, NUMBER, REAL, SEED, MILLISECONDS, TASK, DTYPE,
  CHOICE
} option_kind;
enum { MOST_COUNT = 10000000 }; /* of whatever is counted: more is a slip, and sums of sizes stay inside their types */

typedef struct option {
  const char *name;
  const char *value;     /* how the help calls its value; NULL: it has none; "[...]": without it the first choice */
  unsigned commands;
  option_kind kind;
  size_t field;          /* offset in arguments */
  const choice *choices; /* of a CHOICE; the DTYPEs that may be asked for */
  const char *help;
} option;

#define FIELD(name) offsetof(arguments, name)
static const option options_table[] = {
  { "--task", "T", FOR_LOADING, TASK, FIELD(load.task), NULL,
    "an Auto class, such as base or causal-lm; 'hfm help' lists them (default: config.json's)" },
  { "--ids", "\"ID ...\"", FOR_FORWARD | FOR_GENERATE, LIST, FIELD(ids), NULL,
    "token ids of one row; repeat it for a batch, which is padded and masked" },
  { "--image", "FILE", FOR_FORWARD, LIST, FIELD(images), NULL,
    "a PPM or PGM picture, prepared as preprocessor_config.json says; repeatable" },
  { "--inputs", "FILE", FOR_FORWARD | FOR_GENERATE, TEXT, FIELD(inputs), NULL,
    "a safetensors file with input_ids, attention_mask, pixel_values, ..." },
  { "--output", "FILE", FOR_FORWARD | FOR_GENERATE, TEXT, FIELD(output), NULL,
    "write what comes out (logits, ...; sequences, ...) to a safetensors file" },
  { "--max-new-tokens", "N", FOR_GENERATE, OPTIONAL_COUNT, FIELD(generation.max_new_tokens), NULL,
    "tokens to generate at most (default: generation_config.json's, else 20)" },
  { "--max-length", "N", FOR_GENERATE, OPTIONAL_COUNT, FIELD(generation.max_length), NULL,
    "the same, with the prompt" },
  { "--min-new-tokens", "N", FOR_GENERATE, COUNT_OR_OFF, FIELD(generation.min_new_tokens), NULL,
    "not to end before so many" },
  { "--min-length", "N", FOR_GENERATE, COUNT_OR_OFF, FIELD(generation.min_length), NULL,
    "the same, with the prompt" },
  { "--max-time", "S", FOR_GENERATE, REAL, FIELD(generation.max_time), NULL,
    "seconds after which no further token is begun" },
  { "--eos-token-id", "ID[,...]", FOR_GENERATE, TEXT, FIELD(eos), NULL,
    "tokens that end a text, or none" },
  { "--pad-token-id", "ID", FOR_GENERATE, TEXT, FIELD(pad), NULL,
    "what fills rows that ended sooner (default: the first that ends a text)" },
  { "--decoder-start-token-id", "ID[,...]", FOR_GENERATE, TEXT, FIELD(decoder_start), NULL,
    "what texts begin with, where the model has an encoder" },
  { "--do-sample", NULL, FOR_GENERATE, FLAG, FIELD(generation.do_sample), NULL,
    "draw tokens, instead of taking the most likely one" },
  { "--no-do-sample", NULL, FOR_GENERATE, MINUS, FIELD(generation.do_sample), NULL,
    "take the most likely one, whatever generation_config.json says" },
  { "--temperature", "T", FOR_GENERATE, REAL, FIELD(generation.temperature), NULL,
    "below 1 more likely tokens, above 1 more surprising ones" },
  { "--top-k", "K", FOR_GENERATE, COUNT_OR_OFF, FIELD(generation.top_k), NULL,
    "draw among the K likeliest, 0 for all (default 50)" },
  { "--top-p", "P", FOR_GENERATE, REAL, FIELD(generation.top_p), NULL,
    "draw among the likeliest that sum up to P" },
  { "--min-p", "P", FOR_GENERATE, REAL, FIELD(generation.min_p), NULL,
    "draw among those at least P times as likely as the likeliest" },
  { "--typical-p", "P", FOR_GENERATE, REAL, FIELD(generation.typical_p), NULL,
    "draw among the most typical that sum up to P" },
  { "--epsilon-cutoff", "P", FOR_GENERATE, REAL, FIELD(generation.epsilon_cutoff), NULL,
    "draw among those at least so likely" },
  { "--eta-cutoff", "P", FOR_GENERATE, REAL, FIELD(generation.eta_cutoff), NULL,
    "the same, less strict where much is uncertain" },
  { "--num-beams", "N", FOR_GENERATE, OPTIONAL_COUNT, FIELD(generation.num_beams), NULL,
    "beam search: keep the N best texts" },
  { "--num-return-sequences", "N", FOR_GENERATE, OPTIONAL_COUNT, FIELD(generation.num_return_sequences), NULL,
    "texts for each prompt" },
  { "--length-penalty", "X", FOR_GENERATE, REAL, FIELD(generation.length_penalty), NULL,
    "beams: above 0 favours longer texts (default 1)" },
  { "--early-stopping", "[WHEN]", FOR_GENERATE, CHOICE, FIELD(generation.early_stopping), early_choices,
    "beams: true (as soon as N texts ended; without a value, too), false (default) or never" },
  { "--no-early-stopping", NULL, FOR_GENERATE, MINUS, FIELD(generation.early_stopping), NULL,
    "beams: the same as --early-stopping false" },
  { "--repetition-penalty", "X", FOR_GENERATE, REAL, FIELD(generation.repetition_penalty), NULL,
    "above 1 tokens that came before become less likely" },
  { "--no-repeat-ngram-size", "N", FOR_GENERATE, COUNT_OR_OFF, FIELD(generation.no_repeat_ngram_size), NULL,
    "no N tokens in a row come twice" },
  { "--bad-words-ids", "\"ID ...\"", FOR_GENERATE, LIST, FIELD(bad_words), NULL,
    "tokens that don't come in this order; repeatable" },
  { "--suppress-tokens", "ID[,...]", FOR_GENERATE, TEXT, FIELD(suppress), NULL,
    "tokens that don't come, or none" },
  { "--begin-suppress-tokens", "ID[,...]", FOR_GENERATE, TEXT, FIELD(begin_suppress), NULL,
    "tokens that don't come first, or none" },
  { "--forced-bos-token-id", "ID", FOR_GENERATE, TEXT, FIELD(forced_bos), NULL,
    "the token after a prompt of one token, or none" },
  { "--forced-eos-token-id", "ID[,...]", FOR_GENERATE, TEXT, FIELD(forced_eos), NULL,
    "the token that comes where the length is reached, or none" },
  { "--remove-invalid-values", NULL, FOR_GENERATE, FLAG, FIELD(generation.remove_invalid_values), NULL,
    "NaN and infinities among the logits are no error" },
  { "--no-remove-invalid-values", NULL, FOR_GENERATE, MINUS, FIELD(generation.remove_invalid_values), NULL,
    "they are" },
  { "--renormalize-logits", NULL, FOR_GENERATE, FLAG, FIELD(generation.renormalize_logits), NULL,
    "scores are log-probabilities after all of this" },
  { "--no-renormalize-logits", NULL, FOR_GENERATE, MINUS, FIELD(generation.renormalize_logits), NULL,
    "they are left as they are" },
  { "--prompt-lookup-num-tokens", "N", FOR_GENERATE, COUNT_OR_OFF, FIELD(generation.prompt_lookup_num_tokens), NULL,
    "guess up to N tokens from the text so far: the same ids, sooner" },
  { "--max-matching-ngram-size", "N", FOR_GENERATE, OPTIONAL_COUNT, FIELD(generation.max_matching_ngram_size), NULL,
    "by its last N tokens (default 2)" },
  { "--output-scores", NULL, FOR_GENERATE, FLAG, FIELD(generation.output_scores), NULL,
    "also scores, for --output" },
  { "--hidden-states", NULL, FOR_FORWARD, FLAG, FIELD(hidden_states), NULL,
    "also hidden_states.0, hidden_states.1, ..." },
  { "--attentions", NULL, FOR_FORWARD, FLAG, FIELD(attentions), NULL,
    "also attentions.0, attentions.1, ... (eager attention)" },
  { "--top", "K", FOR_FORWARD, COUNT, FIELD(top), NULL,
    "how many labels or tokens to show (default 5)" },
  { "--mask-id", "ID", FOR_FORWARD, NUMBER, FIELD(mask_id), NULL,
    "the [MASK] token (default: as tokenizer_config.json says)" },
  { "--batch", "B", FOR_BENCH, COUNT, FIELD(batch), NULL,
    "rows (default 1)" },
  { "--length", "S", FOR_BENCH, COUNT, FIELD(length), NULL,
    "tokens in a row, of the decoder, too (default 128, or as many as the model takes)" },
  { "--past", "P", FOR_BENCH, COUNT, FIELD(past), NULL,
    "decoders: P tokens are in the cache, and a forward adds one (or --length) to them" },
  { "--runs", "N", FOR_BENCH, COUNT, FIELD(runs), NULL,
    "forwards to measure (default: a second's worth, at least 10)" },
  { "--budget-ms", "MS", FOR_BENCH, MILLISECONDS, FIELD(budget_ms), NULL,
    "run in slices of so many milliseconds and report the longest" },
  { "--threads", "N", FOR_RUNNING, COUNT32, FIELD(session.threads), NULL,
    "workers (default: the processors)" },
  { "--json", NULL, FOR_INFO | FOR_BENCH, FLAG, FIELD(json), NULL,
    "print one JSON object" },
  { "--markdown", NULL, FOR_REGISTRY, FLAG, FIELD(markdown), NULL,
    "as a table for a README" },
  { "--dtype", "D", FOR_LOADING, DTYPE, FIELD(load.dtype), dtype_choices,
    "float32, float16 or bfloat16 (default: as stored)" },
  { "--compute-dtype", "D", FOR_RUNNING, DTYPE, FIELD(load.compute_dtype), compute_choices,
    "bfloat16: products of bf16 weights in bf16, where the processor can (default: float32)" },
  { "--attn", "A", FOR_RUNNING, CHOICE, FIELD(load.attn_implementation), attn_choices,
    "eager, sdpa (default) or flash_attention_2" },
  { "--isa", "I", FOR_RUNNING, CHOICE, FIELD(load.isa), isa_choices,
    "scalar, sse2, avx2, avx512, ... (default: the machine's best)" },
  { "--packing", "P", FOR_RUNNING | FOR_INFO, CHOICE, FIELD(load.packing), packing_choices,
    "lazy (default), never or eager: copies of weights in the kernels' order" },
  { "--local-copy", NULL, FOR_LOADING, FLAG, FIELD(load.local_copy), NULL,
    "read weights into memory instead of mapping the files" },
  { "--batch-invariant", NULL, FOR_RUNNING, FLAG, FIELD(load.batch_invariant), NULL,
    "the same bits for every batch size and padding" },
  { "--strict", NULL, FOR_RUNNING, FLAG, FIELD(load.strict), NULL,
    "the same bits on every machine (slow)" },
  { "--num-labels", "N", FOR_LOADING, COUNT32, FIELD(load.num_labels), NULL,
    "a head for so many labels" },
  { "--ignore-mismatched-sizes", NULL, FOR_LOADING, FLAG, FIELD(load.ignore_mismatched_sizes), NULL,
    "weights of another shape are initialised anew" },
  { "--random-weights", NULL, FOR_LOADING & ~FOR_CHECK, FLAG, FIELD(load.random_weights), NULL,
    "read only config.json" },
  { "--seed", "N", FOR_LOADING, SEED, FIELD(load.seed), NULL,
    "for whatever is initialised anew, and for what is drawn" },
  { "--variant", "V", FOR_LOADING, TEXT, FIELD(load.variant), NULL,
    "fp16: model.fp16.safetensors" },
  { "--subfolder", "DIR", FOR_LOADING, TEXT, FIELD(load.subfolder), NULL,
    "folder below DIR" },
  { "--revision", "R", FOR_LOADING, TEXT, FIELD(load.revision), NULL,
    "branch, tag or commit of a cached repository (default main)" },
  { "--cache-dir", "DIR", FOR_LOADING, TEXT, FIELD(load.cache_dir), NULL,
    "the hub cache (default: HF_HUB_CACHE, HF_HOME, ...)" },
  { "--use-safetensors", NULL, FOR_LOADING, FLAG, FIELD(load.use_safetensors), NULL,
    "nothing but *.safetensors" },
  { "--no-use-safetensors", NULL, FOR_LOADING, MINUS, FIELD(load.use_safetensors), NULL,
    "nothing but *.bin" },
};
#undef FIELD
enum { OPTION_COUNT = sizeof options_table / sizeof options_table[0] };

static int parse_number(const char *text, int64_t low, int64_t *value) {
  char *end;
  errno = 0;
  const long long number = strtoll(text, &end, 10);
  if (errno || end == text || *end || number < low) return 0;
  *value = number;
  return 1;
}

/* Every 64-bit number is a seed. */
static int parse_seed(const char *text, uint64_t *value) {
  char *end;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return !errno && *text >= '0' && *text <= '9' && !*end; /* strtoull would take "-1", too */
}

static const choice *find_choice(const choice *choices, const char *name) {
  while (choices->name && strcmp(choices->name, name) != 0) choices++;
  return choices->name ? choices : NULL;
}

static const char *name_of_choice(const choice *choices, int32_t value) {
  while (choices->name && choices->value != value) choices++;
  return choices->name;
}

/* Any spelling of a dtype that is among the choices: "fp16" and "torch.float16" are float16. */
static const choice *find_dtype(const choice *choices, const char *name) {
  const char *own = hfm_dtype_name(hfm_dtype_from_name(name));
  return find_choice(choices, own ? own : name);
}

/* Stores what an option says; 0 if its value can't be that. */
static int set_option(arguments *args, const option *o, const char *value) {
  void *field = (char *)args + o->field;
  int64_t number = 0;
  switch (o->kind) {
    case FLAG: *(int32_t *)field = 1; return 1;
    case MINUS: *(int32_t *)field = -1; return 1;
    case TEXT: *(const char **)field = value; return 1;
    case LIST: {
      string_list *list = (string_list *)field;
      list->items[list->count++] = value;
      return 1;
    }
    case COUNT32: /* 0 is the library's default */
      if (!parse_number(value, 0, &number) || number > INT32_MAX) return 0;
      *(int32_t *)field = (int32_t)number;
      return 1;
    case OPTIONAL_COUNT: /* Python's None is -1 */
      if (strcmp(value, "none") == 0) return *(int64_t *)field = -1, 1;
      return parse_number(value, 1, (int64_t *)field) && *(int64_t *)field <= MOST_COUNT;
    case COUNT_OR_OFF: /* 0 turns it off, too */
      if (strcmp(value, "none") == 0 || strcmp(value, "0") == 0) return *(int64_t *)field = -1, 1;
      return parse_number(value, 1, (int64_t *)field) && *(int64_t *)field <= MOST_COUNT;
    case REAL: { /* 0 is the library's default; who writes it means it */
      char *end;
      const double real = strtod(value, &end);
      *(double *)field = real < 0 || real > 0 ? real : HFM_ZERO;
      return end != value && !*end && real >= -1e30 && real <= 1e30;
    }
    case COUNT: return parse_number(value, 1, (int64_t *)field) && *(int64_t *)field <= MOST_COUNT;
    case NUMBER: return parse_number(value, 0, (int64_t *)field);
    case SEED: return parse_seed(value, (uint64_t *)field);
    case MILLISECONDS: {
      char *end;
      *(double *)field = strtod(value, &end);
      return end != value && !*end && *(double *)field > 0 && *(double *)field <= 1e9; /* neither NaN nor infinite */
    }
    case TASK:
      *(hfm_task *)field = hfm_task_from_name(value);
      return *(hfm_task *)field >= 0;
    case DTYPE:
    case CHOICE: {
      const choice *c = o->kind == DTYPE ? find_dtype(o->choices, value) : find_choice(o->choices, value);
      if (c) *(int32_t *)field = c->value; /* a hfm_dtype is one, too */
      return c != NULL;
    }
  }
  return 0;
}

/* Is `next` meant for an option that may go without a value? What is none of its values may be the path. */
static int has_choice(const option *o, const char *next, const arguments *args) {
  return strncmp(next, "--", 2) != 0 && (args->path || find_choice(o->choices, next));
}

/* Reads what stands behind the command's name. 0, or the exit code after a usage error. */
static int parse_arguments(int argc, char **argv, const char *command, unsigned bit, arguments *args) {
  for (int i = 0; i < argc; i++) {
    const char *word = argv[i], *equals = strchr(word, '='), *value = NULL;
    const size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const option *o = options_table, *end = options_table + OPTION_COUNT;
    if (strncmp(word, "--", 2) != 0) {
      if (args->path) return say_error(EXIT_USAGE, "'%s': only one of them, '%s' is there already", word, args->path);
      args->path = word;
      continue;
    }
    while (o < end && (strlen(o->name) != length || strncmp(o->name, word, length) != 0)) o++;
    if (o == end || !(o->commands & bit)) {
      return say_error(EXIT_USAGE, "'hfm %s' has no option '%.*s': see 'hfm help %s'", command, (int)length, word,
                       command);
    }
    if (o->value && *o->value == '[' && !equals && !has_choice(o, i + 1 < argc ? argv[i + 1] : "--", args)) {
      value = o->choices[0].name;
    } else if (o->value) {
      if (!equals && i + 1 == argc) return say_error(EXIT_USAGE, "%s needs a value: %s %s", o->name, o->name, o->value);
      value = equals ? equals + 1 : argv[++i];
    } else if (equals) {
      return say_error(EXIT_USAGE, "%s takes no value", o->name);
    }
    if (!set_option(args, o, value)) {
      return say_error(EXIT_USAGE, "'%s' is no value for %s: %s%s", value, o->name, o->help,
                       o->kind == COUNT ? "; 1 to 10000000" : "");
    }
  }
  if (args->load.strict && args->load.compute_dtype == HFM_BF16) {
    return say_error(EXIT_USAGE, "--strict computes in double: leave out --compute-dtype bfloat16");
  }
  return EXIT_OK;
}

static void print_options(unsigned bit) {
  for (int i = 0; i < OPTION_COUNT; i++) {
    const option *o = &options_table[i];
    char name[48];
    if (!(o->commands & bit)) continue;
    snprintf(name, sizeof name, "%s %s", o->name, o->value ? o->value : "");
    printf("  %-26s %s\n", name, o->help);
  }
}
