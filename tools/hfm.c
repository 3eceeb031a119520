/* hfm: Hugging Face models from the command line; the tool of hfmodel.h, and its largest example: all it knows of the
   library is the public API.

     cc -O2 -I. -o build/hfm tools/hfm.c -lm        (in the repository's root; or just `make`)

   `hfm help` says the rest. Exit codes: 0 it worked, 1 a model, a file or an input is bad, 2 the command line is (1
   with `hfm check`, which says nothing else but 0 and 1). */

#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L /* clock_gettime and isatty under -std=c99 */
#endif

#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "hfm_tensors.h"
#define HFM_IMAGE_IMPLEMENTATION
#include "hfm_image.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>

#if defined(__GNUC__) || defined(__clang__)
#define PRINTF_LIKE(at) __attribute__((format(printf, at, (at) + 1)))
#else
#define PRINTF_LIKE(at)
#endif

#include "hfm/system.h"
#include "hfm/say.h"
#include "hfm/args.h"
#include "hfm/load.h"
#include "hfm/inputs.h"
#include "hfm/show.h"
#include "hfm/forward.h"
#include "hfm/generate.h"
#include "hfm/contents.h"
#include "hfm/inspect.h"
#include "hfm/bench.h"

typedef struct command {
  const char *name;
  unsigned bit;
  int (*run)(const arguments *args);
  const char *operand;  /* NULL: none */
  const char *summary;
  const char *help;
  int usage_error;      /* the exit code where the command line is wrong */
} command;

static const command commands[] = {
  { "forward", FOR_FORWARD, command_forward, "DIR", "run a model once and show what comes out",
    "Runs a model once. Classes come with their probabilities, tokens with their labels, a question with\n"
    "the span of its answer, a language model with the next token, anything else with its first values.\n"
    "\n"
    "  hfm forward examples/models/langid-bert --ids \"1 90 100 100 117 35 108 118 35 107 104 119 66 2\"\n"
    "  hfm forward examples/models/digits-vit --image examples/models/digits-vit/seven.pgm\n"
    "  hfm forward examples/models/langid-bert --task base --ids \"1 90 2\" --output out.safetensors --hidden-states\n"
    "  hfm forward sentence-transformers/all-MiniLM-L6-v2 --ids \"101 7632 102\" --ids \"101 7632 2088 102\"\n"
    "                                                               (a cached repository, two rows)\n",
    EXIT_USAGE },
  { "generate", FOR_GENERATE, command_generate, "DIR", "let a language model go on from a prompt, or translate",
    "Generates from token ids as model.generate() does in Python: the same options with the same names and\n"
    "defaults, and the same ids. What is not said here is as generation_config.json has it. The new ids of a\n"
    "single text are printed as they come; of several texts, or of beams, a line each at the end. How fast it\n"
    "went is said on stderr. Several prompts are padded on the left; texts that an encoder reads, such as to\n"
    "translate or to sum them up, on the right. A tokenizer makes ids of text, and text of ids: this tool does\n"
    "not.\n"
    "\n"
    "  hfm generate examples/models/bible-llama --ids 0,373,777,806 --seed 3      (\"The king said\", and on)\n"
    "  hfm generate smollm2 --ids 1,2,3 --do-sample --temperature 0.8 --top-p 0.9 --seed 1\n"
    "  hfm generate smollm2 --ids 1,2,3 --num-beams 4 --no-repeat-ngram-size 3 --early-stopping true\n"
    "  hfm generate smollm2 --inputs in.safetensors --output out.safetensors --max-new-tokens 20\n"
    "  hfm generate opus-mt-en-de --ids \"2379 54 0\"                          (ids of a sentence, to translate)\n"
    "  hfm generate smollm2 --ids 1,2,3 --eos-token-id none --max-new-tokens 256     (to measure)\n"
    "\n"
    "none is Python's None: it overrules generation_config.json.\n",
    EXIT_USAGE },
  { "info", FOR_INFO, command_info, "FILE-OR-DIR", "what a model is, or what a weights file holds",
    "Says what a model is, under the names and with the numbers that Transformers gives; or what one\n"
    "weights file (.safetensors, .bin, .gguf) holds: its metadata and its tensors.\n"
    "\n"
    "  hfm info examples/models/langid-bert\n"
    "  hfm info examples/models/langid-bert --task base --json\n"
    "  hfm info tools/bench/smollm2-135m --random-weights           (config.json is enough)\n"
    "  hfm info examples/models/digits-vit/model.safetensors        (or a .bin or .gguf file)\n",
    EXIT_USAGE },
  { "print", FOR_PRINT, command_print, "DIR", "the text of print(model)",
    "Prints the module tree, byte for byte as print(model) does in Python.\n"
    "\n"
    "  hfm print examples/models/digits-vit\n"
    "  hfm print tools/bench/bert-base --random-weights --task masked-lm\n",
    EXIT_USAGE },
  { "check", FOR_CHECK, command_check, "FILE-OR-DIR", "is this file, or this model, sound?",
    "Validates one file completely: weights (.safetensors, .bin, .gguf), an index with the shards that it\n"
    "names, a config.json by what its model type reads, any other JSON. Or a whole model: config.json and\n"
    "the weights that a load takes, each of which has to be there in its shape; and generation_config.json,\n"
    "preprocessor_config.json and tokenizer_config.json beside them, if there. Other files of a directory\n"
    "are not read, such as tokenizer.json, or a pytorch_model.bin beside a model.safetensors: name them to\n"
    "have them checked.\n"
    "Exit code 0 if it is sound; 1, and one line on stderr, if not, or if the command line is wrong.\n"
    "\n"
    "  hfm check examples/models/digits-vit/model.safetensors\n"
    "  hfm check examples/models/digits-vit && echo good\n",
    EXIT_BAD_INPUT },
  { "bench", FOR_BENCH, command_bench, "DIR", "how fast a model runs here",
    "Measures forwards of random input: after a warm-up, for a second or --runs times.\n"
    "\n"
    "  hfm bench examples/models/langid-bert --length 128 --threads 4\n"
    "  hfm bench tools/bench/bert-base --random-weights --dtype bfloat16 --json  (config.json is enough)\n"
    "  hfm bench tools/bench/bert-base --random-weights --budget-ms 2  (in slices, for a frame's time budget)\n",
    EXIT_USAGE },
  { "registry", FOR_REGISTRY, command_registry, NULL, "the models and tasks that can be loaded",
    "Lists every pair of model type and task that this build knows.\n"
    "\n"
    "  hfm registry\n",
    EXIT_USAGE },
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const command *find_command(const char *name) {
  for (int i = 0; i < COMMAND_COUNT; i++) {
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  }
  return NULL;
}

/* The tasks that some model has, or those that none has. */
static void help_tasks(int supported) {
  int column = 0;
  for (hfm_task task = HFM_BASE; task < HFM_TASK_FROM_CONFIG; task++) {
    const char *name = hfm_task_name(task);
    if (registry_has(NULL, task) != supported) continue;
    if (column + (int)strlen(name) > 96) column = (putchar('\n'), 0);
    column += printf("  %s", name);
  }
  putchar('\n');
}

static void help_overview(void) {
  puts("hfm " HFM_VERSION ": runs Hugging Face models, unconverted, with the numbers that Transformers gives\n");
  for (int i = 0; i < COMMAND_COUNT; i++) {
    char usage[40];
    snprintf(usage, sizeof usage, "hfm %s %s", commands[i].name, commands[i].operand ? commands[i].operand : "");
    printf("  %-24s %s\n", usage, commands[i].summary);
  }
  puts("  hfm help COMMAND         its options, with examples\n"
       "  hfm --version\n"
       "\n"
       "Tasks (--task), the Auto classes of Transformers; 'hfm registry' says which models have them:");
  help_tasks(1);
  puts("known, but no model that is supported has them yet:");
  help_tasks(0);
  puts("\n"
       "DIR is a model directory as the Hugging Face hub has it (config.json, *.safetensors), or the id of\n"
       "a repository in the local hub cache, such as google/vit-base-patch16-224. Try:\n"
       "\n"
       "  hfm info examples/models/digits-vit\n"
       "\n"
       "Exit codes: 0 it worked; 1 a model, a file or an input is bad; 2 the command line is\n"
       "(1 with check, which ends with nothing else but 0 and 1).");
}

static void help_command(const command *c) {
  printf("hfm %s%s%s [OPTION ...]: %s\n\n%s\nOptions:\n", c->name, c->operand ? " " : "", c->operand ? c->operand : "",
         c->summary, c->help);
  print_options(c->bit);
}

static int run_command(const command *c, int argc, char **argv) {
  const size_t room = ((size_t)argc + 1) * sizeof(const char *);
  arguments args;
  int status;
  memset(&args, 0, sizeof args);
  args.load.task = HFM_TASK_FROM_CONFIG;
  args.mask_id = -1;
  args.ids.items = (const char **)malloc(room);
  args.images.items = (const char **)malloc(room);
  args.bad_words.items = (const char **)malloc(room);
  status = args.ids.items && args.images.items && args.bad_words.items
               ? parse_arguments(argc, argv, c->name, c->bit, &args)
               : out_of_memory();
  if (!status && c->operand && !args.path) {
    status = say_error(EXIT_USAGE, "hfm %s needs a %s: see 'hfm help %s'", c->name, c->operand, c->name);
  }
  if (!status && !c->operand && args.path) status = say_error(EXIT_USAGE, "hfm %s takes no '%s'", c->name, args.path);
  if (!status) status = c->run(&args);
  if (status == EXIT_USAGE) status = c->usage_error;
  free(args.ids.items);
  free(args.images.items);
  free(args.bad_words.items);
  return status;
}

/* help, --help, -h and --version, wherever they stand; -1 if it is none of these. */
static int run_help(int argc, char **argv) {
  const command *c = NULL;
  int asked = argc == 1 || strcmp(argv[1], "help") == 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) asked = 1;
    else if (strcmp(argv[i], "--version") == 0 && i == 1) return puts("hfm " HFM_VERSION), EXIT_OK;
    else if (!c) c = find_command(argv[i]);
  }
  if (!asked) return -1;
  if (argc > 2 && !c) return say_error(EXIT_USAGE, "there is no command '%s': see 'hfm help'", argv[2]);
  if (c) help_command(c);
  else help_overview();
  return argc == 1 ? EXIT_USAGE : EXIT_OK;
}

int main(int argc, char **argv) {
  int status = run_help(argc, argv);
  if (status < 0) {
    const command *c = find_command(argv[1]);
    if (c) status = run_command(c, argc - 2, argv + 2);
    else status = say_error(EXIT_USAGE, "there is no command '%s': see 'hfm help'", argv[1]);
  }
  if (fflush(stdout) || ferror(stdout)) { /* a full disk, a closed pipe */
    say_error(EXIT_BAD_INPUT, "the output can't be written: %s", strerror(errno));
    if (!status) status = EXIT_BAD_INPUT;
  }
  return status;
}
