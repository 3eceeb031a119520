/* hfmodel.h, one file, nothing else to install. Generated from src/ by tools/amalgamate.py: edit there.
   Either the MIT licence or the Unlicense, at your choice: see the end of this file. */
#ifndef HFMODEL_H
#define HFMODEL_H
#define HFMODEL_SOURCE_ID "877cc69140e397be" /* of the src/ that this file was made from */
/* ==== begin src/manual.h ==== */
/*
  hfmodel.h - Hugging Face Transformers models in one C header

  Does what AutoModel.from_pretrained() does in Python: takes a model directory exactly as the Hugging Face hub holds
  it (config.json with *.safetensors or pytorch_model*.bin, nothing converted) and runs it, with the numbers that
  Transformers gives. C99 and C++11, no dependency but the C library, no build system.


DO THIS

  In one C or C++ file, before its other uses:

      #define HFMODEL_IMPLEMENTATION
      #include "hfmodel.h"

  Everywhere else just #include "hfmodel.h". A whole program:

      #define HFMODEL_IMPLEMENTATION
      #include "hfmodel.h"
      #include <stdio.h>

      int main(int argc, char **argv) {
        // "Waar is het?" for examples/models/langid-bert: 1, each byte + 3, 2. Else: ids from your tokenizer
        const int64_t ids[] = {1, 90, 100, 100, 117, 35, 108, 118, 35, 107, 104, 119, 66, 2};
        hfm_options options = {0};
        hfm_inputs inputs = {0};
        hfm_outputs outputs;
        hfm_model *model = NULL;
        hfm_session *session = NULL;
        hfm_error error;
        options.task = HFM_SEQUENCE_CLASSIFICATION; // AutoModelForSequenceClassification
        inputs.input_ids = hfm_tensor_i64(ids, 1, 14);
        if (hfm_from_pretrained(argc > 1 ? argv[1] : "examples/models/langid-bert", &options, &model, &error) ||
            hfm_session_create(model, NULL, &session, &error) || hfm_forward(session, &inputs, &outputs, &error))
          return puts(error.message), 1;
        puts(hfm_label(model, hfm_argmax((const float *)outputs.logits.data, hfm_num_labels(model))));
        hfm_session_free(session);
        hfm_model_free(model);
      }

  Compile it with one of

      cc -O2 app.c -lm          gcc or clang; add -pthread where the C library is older than glibc 2.34
      c++ -O2 app.cpp           C++11 or later; write {} instead of {0}
      cl /O2 app.c              MSVC (compiled by clang for MSVC's target in our tests; cl itself is not run there)

  No -march and no -ffast-math: the fastest instructions of the machine are chosen when a model is loaded.


WHAT IT LOADS

  From    a directory; a repository id such as "org/name" that the local hub cache holds (the cache of huggingface_hub:
          HF_HUB_CACHE, HF_HOME, cache_dir); files in memory (hfm_from_memory); your own file layer (options.io);
          a config alone, with random weights (hfm_from_config, options.random_weights).
  Files   config.json, generation_config.json, model.safetensors and pytorch_model.bin (zip archive and the older
          stream), each also sharded with an index. Every dtype of safetensors is read; F32, F16 and BF16 weights are
          used where they lie in the mapped file.
  Models  bert, roberta, xlm-roberta, camembert, distilbert, gpt2, llama, mistral, qwen2, qwen3, vit, deit, with the
          heads that Transformers has for them. hfm_registry() lists every pair of model type and task.
  Quirks  as Transformers: a base model from a head's checkpoint and the reverse, tied weights, gamma and beta, unused
          buffers, num_labels, ignore_mismatched_sizes, old and new spellings in config.json. What was missing,
          unexpected, mismatched or newly initialised is in the load report (hfm_load_report_at, _text).


IT DOES NOT

  - turn text, images or audio into tensors: it takes token ids and pixel values (companion headers are under tools/)
  - download anything, open a socket, or write a file
  - train or compute losses
  - choose the next token: a decoder gives logits, with a key-value cache where asked (inputs.use_cache), and you choose
  - read GGUF or ONNX files, or quantised checkpoints
  - run on a GPU
  - run a repository's own Python (trust_remote_code)


OPTIONS (hfm_options; all zero is the default)

  task                     which Auto class: HFM_BASE is AutoModel; HFM_TASK_FROM_CONFIG takes what config.json names
  dtype                    "auto": as config.json says, else as the file has it; or HFM_F32, HFM_F16, HFM_BF16
  attn_implementation      HFM_ATTN_SDPA; _EAGER can return attentions; _FLASH_ATTENTION_2 keeps memory flat
  num_labels               as config.json; another number gives a head that is newly initialised where it does not fit
  ignore_mismatched_sizes  0: a weight of another shape is an error; 1: it is newly initialised
  use_safetensors          0: safetensors first; 1: nothing else; -1: only *.bin
  random_weights           0; 1: only config.json is read
  local_copy               0: files are mapped; 1: read into memory
  isa                      the machine's best; a lower tier can be forced, for tests and bug reports
  compute_dtype            float32; HFM_BF16: bf16 weights are multiplied as such where the machine can (see "Numbers")
  packing                  HFM_PACK_LAZY; see "Memory"
  batch_invariant          0; 1: the same bits for every batch size and padding
  pack_limit_bytes         bound on packed copies; as many bytes as the weights have
  seed                     for whatever is newly initialised
  variant, subfolder, revision, cache_dir    as in Transformers
  config                   a config of yours instead of the directory's
  allocator, io, log, progress, limits       your services; see below

  hfm_session_options: threads (the machine's processors), spin, jobs (your own thread pool), progress.


BUILD MACROS (define them before the implementation, and the same ones everywhere)

  HFMODEL_IMPLEMENTATION  this file gets the code, not only the declarations
  HFMODEL_STATIC          everything is static: a private copy for one file, and what it does not use falls away
  HFMODEL_DLL             dllexport and dllimport on Windows
  HFMODEL_API             your own linkage, instead of all that
  HFMODEL_ASSERT(x)       checks of internal invariants; default: none. Never a judgement of input
  HFMODEL_NO_STDIO        no file system: models come from memory or from options.io
  HFMODEL_NO_STDLIB       no malloc and no getenv: options.allocator is needed
  HFMODEL_NO_THREADS      no threads of our own; options.jobs still works
  HFMODEL_NO_PICKLE       no pytorch_model.bin, only safetensors
  HFMODEL_NO_SIMD         only the portable kernels
  HFMODEL_NO_AVX2         no AVX2 and AVX-512 kernels (smaller code)
  HFMODEL_NO_AVX512       no AVX-512 kernels
  HFMODEL_ONLY_BERT, HFMODEL_ONLY_ROBERTA, HFMODEL_ONLY_DISTILBERT, HFMODEL_ONLY_GPT2, HFMODEL_ONLY_LLAMA,
  HFMODEL_ONLY_VIT        these families and no others; several may be given
  HFMODEL_NO_BERT, HFMODEL_NO_ROBERTA, HFMODEL_NO_DISTILBERT, HFMODEL_NO_GPT2, HFMODEL_NO_LLAMA,
  HFMODEL_NO_VIT          not these (ROBERTA has xlm-roberta and camembert, LLAMA has mistral, qwen2 and qwen3, VIT has
                          deit)


MEMORY AND OWNERSHIP

  - Whatever a call hands you through a pointer to a pointer is yours: free it with the function of its type. Every
    free accepts NULL. On failure you get NULL, and nothing is left behind.
  - hfm_model holds weights and configuration and never changes after the load. hfm_session holds activations. A
    session keeps its model alive: free them in any order.
  - Outputs are views into the session. They live until its next call, whichever that is; copy what must live longer.
  - Inputs are views of your memory: read during hfm_forward, or until hfm_session_step says that it is done.
  - Weights are mapped: the system loads them as they are touched and may drop them again. With HFM_PACK_LAZY products
    that are repeated make a packed copy of a weight, at most options.pack_limit_bytes; HFM_PACK_NEVER never does.
  - hfm_estimate_memory says what a model needs from its config.json alone. hfm_session_reserve(batch, length) does all
    planning and allocation at once: afterwards forwards within these bounds allocate nothing.
  - options.allocator sees every allocation; sizes are handed back to it. With HFMODEL_NO_STDLIB there is no other.


  - With inputs.use_cache a decoder's keys and values stay in the session, and the next call gives only what is new, as
    with past_key_values. hfm_session_reserve with such inputs plans for the whole text: then no token allocates. The
    cache takes 2 x layers x key heads x head_dim x 4 bytes for each position of each sequence. hfm_cache_crop goes
    back to an earlier position, or to 0.


THREADS

  A model may be used from any number of threads at once, each with its own session. A session is used by one thread
  at a time; it runs its work on its own pool, or on yours (hfm_session_options.jobs). Callbacks come from the calling
  thread, except reads by options.io, which may come from any session's thread.

  For a frame's time budget: hfm_session_begin, then hfm_session_step(session, 0.002, &done, &error) once per frame,
  then hfm_session_outputs. A step overshoots by at most one chunk of work, about 0.1 ms. Progress and cancellation
  (hfm_progress) are served at the same points; a session can be used again after a cancelled call.


ERRORS

  Every call that can fail returns an hfm_result, 0 for success, and fills an hfm_error of yours (which may be NULL):
  code (coarse, stable), item (precise, stable: HFM_E_...), file, byte offset, what (tensor, key, input), and message,
  one line that says what was expected, what was found and what to do. Nothing is printed, no errno, no globals, no
  abort. Warnings go to options.log.


FILES THAT NOBODY SHOULD TRUST

  Everything is checked before use: sizes, offsets, overlaps, dtypes, shapes, depths, names of shards, ranges in
  config.json. No allocation is larger than what the file backs with bytes, or than options.limits. Nothing in a file
  is executed: a pickle is read by a machine that knows tensors and containers and refuses everything else. What is
  not a regular file is an error, not a hang. A model that loads has every tensor inside its file. Only one thing
  cannot be caught: a mapped file that somebody truncates while it is in use. Use local_copy there.


NUMBERS

  Float32 results agree with Transformers (eager attention, float32) within |a-b| <= 1e-5 max|b| + 1e-4 |b|. Weights
  in bfloat16 or float16 keep their storage while activations are float32, which is more exact than Transformers' own
  half-precision arithmetic. options.compute_dtype = HFM_BF16 rounds what bf16 weights are multiplied with to bf16, too,
  where the processor has an instruction for it: about twice as fast, and within 2 % of the largest output. Results are the same bits for every number of threads, whatever ran before, and for every
  row of a batch; options.batch_invariant extends that to every batch size and padding. Other instruction sets round
  differently in the last bits. Under your own -ffast-math the results keep about the same accuracy, and NaN and masks
  keep working.


INSTRUCTION SETS

  x86: SSE2, AVX2 with FMA and F16C, AVX-512 (with its bf16 products, except in MSVC's builds), each compiled into the same binary and chosen by CPUID when a model is
  loaded. 64-bit ARM: NEON. WebAssembly: SIMD128 where the compiler is told so (-msimd128). Everything else runs the
  portable kernels, which are the specification that the others are tested against. 32-bit and big-endian machines
  work; on the latter weights are swapped into a copy.


LIMITS

  At most 8 dimensions. A file must fit the address space where it is mapped or copied. A batch is padded: all its
  rows have one length. Image sizes are those of the config.
*/
/* ==== end src/manual.h ==== */
/* ==== begin src/error_items.h ==== */
/* Precise reasons, hfm_error.item: X(name, number, hfm_result). Numbers are stable: they are added, never changed. */
#define HFM_ERROR_ITEMS(X) \
  X(ARGUMENT_NULL, 1, HFM_ERROR_ARGUMENT) \
  X(ARGUMENT_VALUE, 2, HFM_ERROR_ARGUMENT) \
  X(OUT_OF_MEMORY, 3, HFM_ERROR_MEMORY) \
  X(CANCELLED, 4, HFM_ERROR_CANCELLED) \
  X(ADDRESS_SPACE, 5, HFM_ERROR_LIMIT) \
  X(SESSION_ORDER, 6, HFM_ERROR_STATE) \
  /* files */ \
  X(FILE_NOT_FOUND, 20, HFM_ERROR_NOT_FOUND) \
  X(FILE_NOT_REGULAR, 21, HFM_ERROR_IO) \
  X(FILE_READ, 22, HFM_ERROR_IO) \
  X(FILE_CHANGED, 23, HFM_ERROR_IO) \
  X(FILE_TOO_LARGE, 24, HFM_ERROR_LIMIT) \
  X(FILE_NAME, 25, HFM_ERROR_ARGUMENT) \
  X(FILE_KIND, 26, HFM_ERROR_FORMAT) \
  /* hub cache */ \
  X(REPO_ID, 40, HFM_ERROR_ARGUMENT) \
  X(REPO_NOT_CACHED, 41, HFM_ERROR_NOT_FOUND) \
  X(REVISION_NOT_CACHED, 42, HFM_ERROR_NOT_FOUND) \
  /* JSON */ \
  X(JSON_SYNTAX, 100, HFM_ERROR_FORMAT) \
  X(JSON_UTF8, 101, HFM_ERROR_FORMAT) \
  X(JSON_DEPTH, 102, HFM_ERROR_LIMIT) \
  X(JSON_DUPLICATE_KEY, 103, HFM_ERROR_FORMAT) \
  X(JSON_NUMBER, 104, HFM_ERROR_FORMAT) \
  X(JSON_TYPE, 105, HFM_ERROR_FORMAT) \
  X(JSON_TRAILING, 106, HFM_ERROR_FORMAT) \
  /* safetensors */ \
  X(SAFETENSORS_TRUNCATED, 120, HFM_ERROR_FORMAT) \
  X(SAFETENSORS_HEADER_SIZE, 121, HFM_ERROR_LIMIT) \
  X(SAFETENSORS_ENTRY, 122, HFM_ERROR_FORMAT) \
  X(SAFETENSORS_DTYPE, 123, HFM_ERROR_FORMAT) \
  X(SAFETENSORS_SHAPE, 124, HFM_ERROR_FORMAT) \
  X(SAFETENSORS_OFFSETS, 125, HFM_ERROR_FORMAT) \
  X(SAFETENSORS_COVERAGE, 126, HFM_ERROR_FORMAT) \
  X(SAFETENSORS_METADATA, 127, HFM_ERROR_FORMAT) \
  /* shard index */ \
  X(INDEX_STRUCTURE, 140, HFM_ERROR_FORMAT) \
  X(INDEX_SHARD_NAME, 141, HFM_ERROR_FORMAT) \
  X(INDEX_TENSOR_NOT_IN_SHARD, 142, HFM_ERROR_FORMAT) \
  /* torch .bin: zip, pickle, legacy stream */ \
  X(ZIP_STRUCTURE, 160, HFM_ERROR_FORMAT) \
  X(ZIP_UNSUPPORTED, 161, HFM_ERROR_UNSUPPORTED) \
  X(TORCH_ENTRY, 162, HFM_ERROR_FORMAT) \
  X(TORCH_LEGACY, 163, HFM_ERROR_FORMAT) \
  X(TORCH_UNSUPPORTED, 164, HFM_ERROR_UNSUPPORTED) \
  X(PICKLE_OPCODE, 165, HFM_ERROR_UNSUPPORTED) \
  X(PICKLE_GLOBAL, 166, HFM_ERROR_UNSUPPORTED) \
  X(PICKLE_STACK, 167, HFM_ERROR_FORMAT) \
  X(PICKLE_TYPE, 168, HFM_ERROR_FORMAT) \
  X(PICKLE_TRUNCATED, 169, HFM_ERROR_FORMAT) \
  X(PICKLE_MEMO, 170, HFM_ERROR_FORMAT) \
  X(PICKLE_TENSOR, 171, HFM_ERROR_FORMAT) \
  X(PICKLE_RESULT, 172, HFM_ERROR_FORMAT) \
  /* config.json and what it asks for */ \
  X(CONFIG_MISSING, 200, HFM_ERROR_FORMAT) \
  X(CONFIG_TYPE, 201, HFM_ERROR_FORMAT) \
  X(CONFIG_RANGE, 202, HFM_ERROR_FORMAT) \
  X(CONFIG_VALUE, 203, HFM_ERROR_UNSUPPORTED) \
  X(CONFIG_NO_MODEL_TYPE, 204, HFM_ERROR_FORMAT) \
  X(MODEL_TYPE_UNKNOWN, 205, HFM_ERROR_UNSUPPORTED) \
  X(TASK_UNSUPPORTED, 206, HFM_ERROR_UNSUPPORTED) \
  X(CONFIG_LIMIT, 207, HFM_ERROR_LIMIT) \
  /* weights against the model */ \
  X(WEIGHTS_NOT_FOUND, 220, HFM_ERROR_NOT_FOUND) \
  X(WEIGHT_MISMATCH, 221, HFM_ERROR_SHAPE) \
  X(WEIGHT_DTYPE, 222, HFM_ERROR_UNSUPPORTED) \
  X(WEIGHTS_MISSING, 223, HFM_ERROR_FORMAT) \
  X(NEW_WEIGHTS_LIMIT, 224, HFM_ERROR_LIMIT) \
  /* running */ \
  X(INPUT_MISSING, 240, HFM_ERROR_ARGUMENT) \
  X(INPUT_UNEXPECTED, 241, HFM_ERROR_ARGUMENT) \
  X(INPUT_DTYPE, 242, HFM_ERROR_SHAPE) \
  X(INPUT_RANK, 243, HFM_ERROR_SHAPE) \
  X(INPUT_SHAPE, 244, HFM_ERROR_SHAPE) \
  X(INPUT_RANGE, 245, HFM_ERROR_SHAPE) \
  X(INPUT_TOO_LONG, 246, HFM_ERROR_SHAPE) \
  X(LABELS_UNSUPPORTED, 247, HFM_ERROR_UNSUPPORTED) \
  X(ISA_MISSING, 248, HFM_ERROR_UNSUPPORTED) \
  X(STRICT_MISSING, 250, HFM_ERROR_UNSUPPORTED)

#define HFM__ERROR_ENUM(name, number, result) HFM_E_##name = number,
enum { HFM_E_NONE = 0, HFM_ERROR_ITEMS(HFM__ERROR_ENUM) HFM_E_LAST };
#undef HFM__ERROR_ENUM
/* ==== end src/error_items.h ==== */
/* ==== begin src/api.h ==== */
/* ==== API (public) ============================================================================================
   Names follow Transformers. Every struct is valid as {0} in C and {} in C++; 0 always means "the documented
   default". Every fallible call returns an hfm_result (0 is success), fills an optional hfm_error, and sets its
   out-parameter to NULL or zero on failure. Nothing here prints, exits, or touches global state. */

#include <stddef.h>
#include <stdint.h>

#define HFM_VERSION_MAJOR 0
#define HFM_VERSION_MINOR 1
#define HFM_VERSION_PATCH 0
#define HFM_VERSION "0.1.0"

#ifndef HFMODEL_API
#if defined(HFMODEL_STATIC) && (defined(__GNUC__) || defined(__clang__))
#define HFMODEL_API static __attribute__((unused))
#elif defined(HFMODEL_STATIC)
#define HFMODEL_API static
#elif defined(HFMODEL_DLL) && defined(_WIN32) && defined(HFMODEL_IMPLEMENTATION)
#define HFMODEL_API __declspec(dllexport)
#elif defined(HFMODEL_DLL) && defined(_WIN32)
#define HFMODEL_API __declspec(dllimport)
#else
#define HFMODEL_API extern
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hfm_config hfm_config;   /* config.json as an editable document */
typedef struct hfm_model hfm_model;     /* weights and configuration; never changes after load; share it freely */
typedef struct hfm_session hfm_session; /* activations and caches of one user of a model; one thread at a time */

/* ---- Errors ---------------------------------------------------------------------------------------------- */

/* Coarse, stable outcome of a call. Values are never reused. */
typedef int32_t hfm_result;
enum {
  HFM_OK = 0,
  HFM_ERROR_ARGUMENT = 1,    /* the caller passed something that can't be right */
  HFM_ERROR_MEMORY = 2,      /* an allocation failed */
  HFM_ERROR_IO = 3,          /* the operating system, or the caller's hfm_io, reported a failure */
  HFM_ERROR_NOT_FOUND = 4,   /* a file, a repository, a name does not exist */
  HFM_ERROR_FORMAT = 5,      /* a file breaks the rules of its format */
  HFM_ERROR_UNSUPPORTED = 6, /* well formed, but not something this build can run */
  HFM_ERROR_LIMIT = 7,       /* beyond a limit (hfm_limits, or the machine's address space) */
  HFM_ERROR_SHAPE = 8,       /* a tensor has another shape, dtype or range than needed */
  HFM_ERROR_STATE = 9,       /* calls in the wrong order */
  HFM_ERROR_CANCELLED = 10   /* the caller's cancel callback asked to stop */
};

/* What went wrong, in the caller's memory. Always NUL-terminated; bytes that come from a file are escaped. */
typedef struct hfm_error {
  hfm_result code;    /* as returned */
  int32_t item;       /* the precise reason: an HFM_E_... value, stable, what tests compare */
  uint64_t offset;    /* byte in `file` where it was noticed, 0 where that makes no sense */
  char file[160];     /* the file, shortened from the left if long; "" if none is involved */
  char what[160];     /* the tensor, config key, input or option concerned; "" if none */
  char message[640];  /* one line for a person: what, where, expected, found, and what to do */
} hfm_error;

/* ---- Numbers ---------------------------------------------------------------------------------------------- */

/* Element types, all that safetensors knows. 0 is "not said" (in options: keep what the file has). */
enum {
  HFM_DTYPE_AUTO = 0,
  HFM_F32 = 1, HFM_F16 = 2, HFM_BF16 = 3, HFM_F64 = 4,
  HFM_I64 = 5, HFM_I32 = 6, HFM_I16 = 7, HFM_I8 = 8,
  HFM_U64 = 9, HFM_U32 = 10, HFM_U16 = 11, HFM_U8 = 12, HFM_BOOL = 13, HFM_C64 = 14,
  HFM_F8_E4M3 = 15, HFM_F8_E5M2 = 16, HFM_F8_E8M0 = 17, HFM_F8_E4M3FNUZ = 18, HFM_F8_E5M2FNUZ = 19,
  HFM_F6_E2M3 = 20, HFM_F6_E3M2 = 21, HFM_F4 = 22
};
typedef int32_t hfm_dtype;

#define HFM_MAX_RANK 8

/* A view of a dense row-major tensor. Who owns `data` is said where the view is handed over. */
typedef struct hfm_tensor {
  const void *data;
  hfm_dtype dtype;
  int32_t rank;                /* 0: a scalar */
  int64_t shape[HFM_MAX_RANK]; /* outermost first */
} hfm_tensor;

typedef struct hfm_named_tensor {
  const char *name;
  hfm_tensor tensor;
} hfm_named_tensor;

/* "float32", "bfloat16", ... as Transformers spells it; NULL for no dtype. Thread-safe. */
HFMODEL_API const char *hfm_dtype_name(hfm_dtype dtype);
/* The dtype of a Transformers ("float16", "fp16", "torch.float16") or safetensors ("F16") name; 0 if unknown. */
HFMODEL_API hfm_dtype hfm_dtype_from_name(const char *name);
/* Bits of one element; 0 for no dtype. */
HFMODEL_API int32_t hfm_dtype_bits(hfm_dtype dtype);

/* Views for inputs; they copy nothing, so `data` must live until the forward is over. */
HFMODEL_API hfm_tensor hfm_tensor_i64(const int64_t *data, int64_t batch, int64_t length); /* [batch, length] */
HFMODEL_API hfm_tensor hfm_tensor_f32(const float *data, int32_t rank, const int64_t *shape);

/* ---- The caller's services ---------------------------------------------------------------------------------- */

/* Memory. All zero: malloc, realloc, free (absent under HFMODEL_NO_STDLIB: then this is required).
   Blocks must be aligned for any type. Sizes are handed back, so that an allocator need not store them. */
typedef struct hfm_allocator {
  void *ctx;
  void *(*alloc)(void *ctx, size_t size);
  void *(*realloc)(void *ctx, void *block, size_t old_size, size_t new_size);
  void (*free)(void *ctx, void *block, size_t size);
} hfm_allocator;

/* Files. All zero: the file system (absent under HFMODEL_NO_STDIO). Every name is the directory given to
   hfm_from_pretrained, '/', and a relative name. Calls come from the thread that loads; reads of weights may
   come later, from any session's thread, and must then be thread-safe. Return an hfm_result from open and read. */
typedef struct hfm_io {
  void *ctx;
  /* HFM_ERROR_NOT_FOUND when there is no such file; any other non-zero result is an I/O error. */
  hfm_result (*open)(void *ctx, const char *name, void **file);
  uint64_t (*size)(void *ctx, void *file);
  /* Reads up to `size` bytes; *got < size only at the end of the file or after a short read (it is asked again). */
  hfm_result (*read)(void *ctx, void *file, uint64_t offset, void *dst, size_t size, size_t *got);
  /* The whole file as memory that lives until close, or NULL (the function, or its result) where that can't be. */
  const void *(*map)(void *ctx, void *file);
  void (*close)(void *ctx, void *file);
} hfm_io;

enum { HFM_LOG_DEBUG = 0, HFM_LOG_INFO = 1, HFM_LOG_WARNING = 2 };
/* Warnings and notes, one line each, without a newline; `item` is an HFM_E_... value or 0. */
typedef struct hfm_log {
  void *ctx;
  void (*write)(void *ctx, int32_t level, int32_t item, const char *message);
} hfm_log;

/* Progress and cancellation. `stage` is "load", "init", "pack" or "forward"; done and total in `unit`s
   ("tensors", "chunks"). A non-zero return asks to stop: the call ends with HFM_ERROR_CANCELLED. */
typedef struct hfm_progress {
  void *ctx;
  int32_t (*update)(void *ctx, const char *stage, uint64_t done, uint64_t total, const char *unit);
} hfm_progress;

/* The caller's own thread pool. run() calls fn(arg, worker) once for each worker 0..count-1, in parallel as far
   as it can, and returns when all have returned. */
typedef struct hfm_jobs {
  void *ctx;
  void (*run)(void *ctx, void (*fn)(void *arg, int32_t worker), void *arg, int32_t count);
} hfm_jobs;

/* Bounds on what a stranger's files may ask for; 0 is the default. */
typedef struct hfm_limits {
  uint64_t max_config_bytes; /* a JSON side file such as config.json (default 16 MiB) */
  uint64_t max_index_bytes;  /* a shard index (default 64 MiB) */
  uint64_t max_header_bytes; /* a safetensors header (default 100,000,000, the format's own limit) */
  uint64_t max_new_bytes;    /* newly initialised parameters, all together (default 256 MiB; not for random_weights) */
} hfm_limits;

/* ---- Configuration ------------------------------------------------------------------------------------------ */

/* Auto classes. A task's value never changes. */
enum {
  HFM_BASE = 0,                    /* AutoModel */
  HFM_SEQUENCE_CLASSIFICATION = 1, /* AutoModelForSequenceClassification */
  HFM_TOKEN_CLASSIFICATION = 2,
  HFM_QUESTION_ANSWERING = 3,
  HFM_CAUSAL_LM = 4,
  HFM_MASKED_LM = 5,
  HFM_SEQ2SEQ_LM = 6,
  HFM_IMAGE_CLASSIFICATION = 7,
  HFM_OBJECT_DETECTION = 8,
  HFM_IMAGE_SEGMENTATION = 9,
  HFM_AUDIO_CLASSIFICATION = 10,
  HFM_CTC = 11,
  HFM_SPEECH_SEQ2SEQ = 12,
  HFM_VISION2SEQ = 13,
  HFM_TASK_FROM_CONFIG = 14        /* whatever class config.json's "architectures" names */
};
typedef int32_t hfm_task;

enum {
  HFM_ATTN_DEFAULT = 0,          /* sdpa; eager where attentions are asked for */
  HFM_ATTN_EAGER = 1,            /* all scores, then softmax, then the sum; can return attentions */
  HFM_ATTN_SDPA = 2,             /* a block of rows at a time */
  HFM_ATTN_FLASH_ATTENTION_2 = 3 /* keys in tiles, online softmax: memory does not grow with the length */
};

/* Instruction-set tiers, ordered. HFM_ISA_AUTO takes the best that the machine has. */
enum {
  HFM_ISA_AUTO = 0, HFM_ISA_SCALAR = 1, HFM_ISA_SSE2 = 2, HFM_ISA_AVX2 = 3, HFM_ISA_AVX512 = 4, HFM_ISA_AVX512_VNNI = 5,
  HFM_ISA_AVX512_BF16 = 6, HFM_ISA_NEON = 16, HFM_ISA_WASM_SIMD128 = 32
};

enum {
  HFM_PACK_LAZY = 0,  /* pack into scratch at first, keep panels of weights that are used again and again */
  HFM_PACK_NEVER = 1, /* weights stay where the file has them: resident memory is the file's */
  HFM_PACK_EAGER = 2  /* pack everything at load */
};

typedef struct hfm_options {
  hfm_task task;               /* which Auto class; default HFM_BASE, AutoModel */
  hfm_dtype dtype;             /* dtype=: HFM_F32, HFM_F16, HFM_BF16; default "auto": as config.json, else as the file */
  int32_t attn_implementation; /* HFM_ATTN_...; default sdpa */
  int32_t num_labels;          /* overrides the config's labels; default 0: as the config says */
  int32_t ignore_mismatched_sizes; /* 1: a weight of another shape is newly initialised instead of an error */
  int32_t use_safetensors;     /* 1: only *.safetensors; -1: only *.bin; default: safetensors first, then *.bin */
  int32_t random_weights;      /* 1: read only config.json, initialise everything (AutoModel.from_config) */
  int32_t local_copy;          /* 1: read weights into memory instead of mapping the file */
  int32_t isa;                 /* HFM_ISA_...; a tier that the machine lacks is an error */
  int32_t packing;             /* HFM_PACK_...; default lazy */
  int32_t batch_invariant;     /* 1: the same bits for every batch size and padding, and decode = prefill */
  uint64_t pack_limit_bytes;   /* bound on kept panels; default: as many bytes as the weights have */
  uint64_t seed;               /* for newly initialised weights; default 0 is a seed like any other */
  const char *variant;         /* "fp16": model.fp16.safetensors */
  const char *subfolder;       /* folder below the directory or repository */
  const char *revision;        /* of a cached repository: branch, tag or commit; default "main" */
  const char *cache_dir;       /* hub cache; default HF_HUB_CACHE, HF_HOME/hub, ... as huggingface_hub */
  const hfm_config *config;    /* use this instead of the directory's config.json; read during the call only */
  hfm_allocator allocator;
  hfm_io io;
  hfm_log log;
  hfm_progress progress;
  hfm_limits limits;
  hfm_dtype compute_dtype;     /* HFM_BF16: products of bf16 weights round their input to bf16, too, where the processor has
                                  an instruction for that (AVX512_BF16): about twice as fast. Sums, and all else, stay
                                  float32, which is the default */
  int32_t strict;              /* 1: the same bits on every machine and compiler, in double and without SIMD: for tests and
                                  replays, not for speed. An error where a build can't promise that (see "Numbers") */
} hfm_options;

/* Reads config.json (and generation_config.json, if any) of a directory or cached repository.
   *config is the caller's: hfm_config_free. `options` may be NULL; only paths, allocator, io, limits count. */
HFMODEL_API hfm_result hfm_config_from_pretrained(const char *path, const hfm_options *options, hfm_config **config,
                                                  hfm_error *error);
/* Parses JSON text of `size` bytes. */
HFMODEL_API hfm_result hfm_config_parse(const char *json, size_t size, const hfm_options *options, hfm_config **config,
                                        hfm_error *error);
/* NULL is fine. */
HFMODEL_API void hfm_config_free(hfm_config *config);

/* Typed access. `key` may be a dotted path ("vision_config.hidden_size", "image_mean.0") and may use either name where
   Transformers has an alias (attribute_map: "hidden_size" is "n_embd" for gpt2). Where the file says nothing, the
   model type's own default counts; where that is absent too, or the value has another type, `fallback` is returned.
   Strings live until the config is changed or freed. Not thread-safe while somebody sets. */
HFMODEL_API int64_t hfm_config_get_int(const hfm_config *config, const char *key, int64_t fallback);
HFMODEL_API double hfm_config_get_float(const hfm_config *config, const char *key, double fallback);
HFMODEL_API int32_t hfm_config_get_bool(const hfm_config *config, const char *key, int32_t fallback);
HFMODEL_API const char *hfm_config_get_string(const hfm_config *config, const char *key, const char *fallback);
HFMODEL_API int32_t hfm_config_has(const hfm_config *config, const char *key); /* present in the document, not null */
HFMODEL_API hfm_result hfm_config_set_int(hfm_config *config, const char *key, int64_t value, hfm_error *error);
HFMODEL_API hfm_result hfm_config_set_float(hfm_config *config, const char *key, double value, hfm_error *error);
HFMODEL_API hfm_result hfm_config_set_bool(hfm_config *config, const char *key, int32_t value, hfm_error *error);
HFMODEL_API hfm_result hfm_config_set_string(hfm_config *config, const char *key, const char *value, hfm_error *error);
/* `json` is any JSON text: sets lists and objects, or removes nothing: use hfm_config_remove for that. */
HFMODEL_API hfm_result hfm_config_set_json(hfm_config *config, const char *key, const char *json, hfm_error *error);
HFMODEL_API hfm_result hfm_config_remove(hfm_config *config, const char *key, hfm_error *error);
/* The document as JSON as Transformers writes it (indent 2, sorted keys, newline at the end). snprintf's rule:
   returns the length without the NUL, writes at most `size` bytes with it; buffer may be NULL when size is 0. */
HFMODEL_API size_t hfm_config_to_json(const hfm_config *config, char *buffer, size_t size);

/* ---- Models --------------------------------------------------------------------------------------------------- */

/* Loads a model. `path` is a directory as the hub has it, a repository id ("org/name") in the local hub cache, or one
   weights file (then options->config must be given).
   `options` may be NULL. On success *model is the caller's: hfm_model_free. Blocks while it reads headers;
   weights are mapped, not read. Thread-safe. */
HFMODEL_API hfm_result hfm_from_pretrained(const char *path, const hfm_options *options, hfm_model **model,
                                           hfm_error *error);
/* A model with random weights, initialised by the family's own rules from options->seed. */
HFMODEL_API hfm_result hfm_from_config(const hfm_config *config, const hfm_options *options, hfm_model **model,
                                       hfm_error *error);

typedef struct hfm_memory_file {
  const char *name; /* "config.json", "model.safetensors", ... */
  const void *data; /* must live as long as the model: weights are used where they lie */
  uint64_t size;
} hfm_memory_file;
/* A model from files in memory, no file system involved. */
HFMODEL_API hfm_result hfm_from_memory(const hfm_memory_file *files, size_t count, const hfm_options *options,
                                       hfm_model **model, hfm_error *error);

/* Frees a model. NULL is fine. Sessions keep the model alive: the memory goes when the last of them is freed. */
HFMODEL_API void hfm_model_free(hfm_model *model);

/* All of these read a model that never changes: thread-safe, and what they return lives as long as the model. */
HFMODEL_API const hfm_config *hfm_model_config(const hfm_model *model);
HFMODEL_API const char *hfm_model_type(const hfm_model *model);         /* "bert" */
HFMODEL_API const char *hfm_model_architecture(const hfm_model *model); /* "BertForSequenceClassification" */
HFMODEL_API hfm_task hfm_model_task(const hfm_model *model);
HFMODEL_API hfm_dtype hfm_model_dtype(const hfm_model *model);          /* of the first float parameter */
HFMODEL_API const char *hfm_model_isa(const hfm_model *model);          /* "avx512", ... */
HFMODEL_API int64_t hfm_num_labels(const hfm_model *model);
/* id2label, LABEL_id where it has no name; NULL outside 0..num_labels-1, and where there are more than a million. */
HFMODEL_API const char *hfm_label(const hfm_model *model, int64_t id);
/* Parameters, tied ones once. only_trainable leaves out frozen ones (all are trainable after a load, as in
   Transformers); exclude_embeddings leaves out every Embedding. */
HFMODEL_API int64_t hfm_num_parameters(const hfm_model *model, int32_t only_trainable, int32_t exclude_embeddings);
/* Bytes of parameters, plus buffers if asked: get_memory_footprint(return_buffers=...). */
HFMODEL_API int64_t hfm_memory_footprint(const hfm_model *model, int32_t return_buffers);
/* The text that print(model) gives in Python, without the final newline. snprintf's rule. */
HFMODEL_API size_t hfm_print(const hfm_model *model, char *buffer, size_t size);

/* state_dict(), in Transformers' order, tied names included. Data as stored (dtype of the file). */
HFMODEL_API size_t hfm_state_dict_size(const hfm_model *model);
HFMODEL_API hfm_result hfm_state_dict_at(const hfm_model *model, size_t index, hfm_named_tensor *entry);

/* What loading found: output_loading_info=True. */
enum { HFM_KEY_UNEXPECTED = 1, HFM_KEY_MISSING = 2, HFM_KEY_MISMATCHED = 3 };
typedef struct hfm_load_entry {
  const char *key;              /* under the model's own naming */
  int32_t status;               /* HFM_KEY_... */
  int32_t found_rank, expected_rank; /* for HFM_KEY_MISMATCHED: the checkpoint's shape, and the model's */
  int64_t found_shape[HFM_MAX_RANK], expected_shape[HFM_MAX_RANK];
} hfm_load_entry;
HFMODEL_API size_t hfm_load_report_size(const hfm_model *model);
HFMODEL_API const hfm_load_entry *hfm_load_report_at(const hfm_model *model, size_t index); /* NULL past the end */
/* The table that Transformers prints after a load with findings; "" if there are none. snprintf's rule.
   `source` is the name after "from:"; `color` adds the escapes that a terminal gets. */
HFMODEL_API size_t hfm_load_report_text(const hfm_model *model, const char *source, int32_t color, char *buffer,
                                        size_t size);

/* Files that the weights came from. NULL past the end. */
HFMODEL_API const char *hfm_model_file(const hfm_model *model, size_t index);

/* Validates one file by its kind, completely: weights (.safetensors, .bin), a shard index (and the shards that it
   names), JSON. `options` may be NULL; only allocator, io and limits count. */
HFMODEL_API hfm_result hfm_check_file(const char *path, const hfm_options *options, hfm_error *error);

typedef struct hfm_memory_estimate {
  uint64_t weight_bytes;     /* parameters and buffers, as hfm_memory_footprint counts */
  uint64_t activation_bytes; /* one session reserved for that batch and length */
  uint64_t packed_bytes;     /* kept panels at the most (0 with HFM_PACK_NEVER) */
} hfm_memory_estimate;
/* What a model would need, from its config.json alone: no weight file is opened. */
HFMODEL_API hfm_result hfm_estimate_memory(const char *path, const hfm_options *options, int64_t batch, int64_t length,
                                           hfm_memory_estimate *estimate, hfm_error *error);

/* What this build can load: one entry for each pair of model type and class. Returns 1, or 0 past the end. */
typedef struct hfm_registry_entry {
  const char *model_type; /* "bert"; static */
  hfm_task task;
  char architecture[64];  /* "BertModel" */
} hfm_registry_entry;
HFMODEL_API int32_t hfm_registry(size_t index, hfm_registry_entry *entry);
/* "sequence-classification", ... and back (-1 if unknown). */
HFMODEL_API const char *hfm_task_name(hfm_task task);
HFMODEL_API hfm_task hfm_task_from_name(const char *name);

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

/* Inputs by Transformers' argument names. Absent ones (data == NULL) get Transformers' defaults. Integer inputs may
   be any integer dtype (attention_mask any dtype: nonzero keeps), pixel_values F32. The data is read during
   hfm_forward, or until hfm_session_step says that it is done; it is never written. */
typedef struct hfm_inputs {
  hfm_tensor input_ids;      /* [batch, length] */
  hfm_tensor attention_mask; /* [batch, length]; default all ones */
  hfm_tensor token_type_ids; /* [batch, length]; default zeros */
  hfm_tensor position_ids;   /* [batch, length] or [1, length]; default as the family counts */
  hfm_tensor inputs_embeds;  /* [batch, length, hidden], instead of input_ids */
  hfm_tensor pixel_values;   /* [batch, channels, height, width] */
  hfm_tensor labels;         /* not computed yet: passing it is an error that says so */
  int32_t output_hidden_states; /* 1: fill hidden_states */
  int32_t output_attentions;    /* 1: fill attentions; runs eager attention */
  int32_t use_cache;            /* 1: decoders go on where the session's cache ends, and add this call to it. Ids, types
                                   and positions are those of the new tokens; attention_mask is [batch, cached + length] */
  int32_t logits_to_keep;       /* causal-lm: logits of only so many last positions; default all */
} hfm_inputs;

/* Outputs by Transformers' field names, all float32. They live in the session until its next call, whichever that
   is; copy what must live longer. Fields that the architecture does not have stay zero. */
typedef struct hfm_outputs {
  hfm_tensor last_hidden_state;      /* [batch, length, hidden] */
  hfm_tensor pooler_output;          /* [batch, hidden] */
  hfm_tensor logits;                 /* [batch, labels], [batch, length, labels] or [batch, length, vocab] */
  hfm_tensor start_logits;           /* [batch, length] */
  hfm_tensor end_logits;             /* [batch, length] */
  hfm_tensor cls_logits;             /* DeiT with teacher: [batch, labels] */
  hfm_tensor distillation_logits;    /* DeiT with teacher: [batch, labels] */
  const hfm_tensor *hidden_states;   /* layers + 1 tensors [batch, length, hidden] */
  size_t hidden_states_count;
  const hfm_tensor *attentions;      /* layers tensors [batch, heads, length, length] */
  size_t attentions_count;
  const hfm_named_tensor *items;     /* everything above that is present, by name ("hidden_states.0", ...) */
  size_t items_count;
} hfm_outputs;

typedef struct hfm_session_options {
  int32_t threads;       /* workers, the calling thread included; default: the processors, at most 64 */
  int32_t spin;          /* 1: workers spin between products (fastest); -1: they sleep at once; default: spin briefly */
  hfm_jobs jobs;         /* the caller's thread pool instead of our own */
  hfm_progress progress; /* called between chunks from the calling thread */
} hfm_session_options;

/* A session on a model. `options` may be NULL. *session is the caller's: hfm_session_free. */
HFMODEL_API hfm_result hfm_session_create(hfm_model *model, const hfm_session_options *options, hfm_session **session,
                                          hfm_error *error);
/* NULL is fine. */
HFMODEL_API void hfm_session_free(hfm_session *session);
/* Plans for inputs up to this batch and length (image models: length is ignored). Within the bounds no later forward
   allocates anything, provided it asks for the same inputs and outputs as `like` (NULL: input_ids or pixel_values and
   an attention_mask, no hidden states or attentions, no cache). With like->use_cache `length` counts the cached positions. Beyond them a forward reserves anew by itself. */
HFMODEL_API hfm_result hfm_session_reserve(hfm_session *session, int64_t batch, int64_t length, const hfm_inputs *like,
                                           hfm_error *error);
/* Runs the model. On failure *outputs is zero and the session can be used again. */
HFMODEL_API hfm_result hfm_forward(hfm_session *session, const hfm_inputs *inputs, hfm_outputs *outputs,
                                   hfm_error *error);
/* The same in slices, for a frame's time budget: begin, then step until *done. A step runs chunks until
   `budget_seconds` are over (at least one chunk; <= 0: exactly one) and overshoots by at most one chunk, about 0.1 ms. */
HFMODEL_API hfm_result hfm_session_begin(hfm_session *session, const hfm_inputs *inputs, hfm_error *error);
HFMODEL_API hfm_result hfm_session_step(hfm_session *session, double budget_seconds, int32_t *done, hfm_error *error);
/* The outputs of the forward that is done. */
HFMODEL_API hfm_result hfm_session_outputs(hfm_session *session, hfm_outputs *outputs, hfm_error *error);
/* The keys and values that forwards with use_cache have left in the session: past_key_values. A forward that fails or is
   cancelled adds nothing. How many positions it holds: past_key_values.get_seq_length(). */
HFMODEL_API int64_t hfm_cache_length(const hfm_session *session);
/* Keeps its first `length` positions: past_key_values.crop(length); 0 empties it, for another batch. Counts as a call of
   the session: a forward in progress is over. More than there are is an error. */
HFMODEL_API hfm_result hfm_cache_crop(hfm_session *session, int64_t length, hfm_error *error);
/* Bytes that the session holds. */
HFMODEL_API uint64_t hfm_session_memory(const hfm_session *session);
/* Workers, the calling thread included. */
HFMODEL_API int32_t hfm_session_threads(const hfm_session *session);

/* ---- What everybody needs next ------------------------------------------------------------------------------------ */

/* Index of the largest of n values; NaN counts as larger than any number, as in torch; the first of equals. -1 if n <= 0. */
HFMODEL_API int64_t hfm_argmax(const float *values, int64_t n);
/* exp(v - max) / sum, in place allowed. */
HFMODEL_API void hfm_softmax(const float *values, int64_t n, float *out);
/* The k largest, descending, with their indices; returns how many were written (min(k, n)). */
HFMODEL_API int64_t hfm_top_k(const float *values, int64_t n, int64_t k, int64_t *indices, float *top);
/* Mean of hidden over the positions whose mask is non-zero: out[batch, hidden]. hidden is [batch, length, hidden] F32;
   mask is [batch, length] of any dtype, or has no data: all positions. A row without any position gives zeros. */
HFMODEL_API hfm_result hfm_mean_pool(const hfm_tensor *hidden, const hfm_tensor *mask, float *out, hfm_error *error);
/* Divides each of `rows` rows of n values by max(its L2 norm, 1e-12), in place. */
HFMODEL_API void hfm_normalize(float *values, int64_t rows, int64_t n);

/* "0.1.0" of the implementation that was linked. */
HFMODEL_API const char *hfm_version(void);
/* "HFM_ERROR_FORMAT" and the like; never NULL. */
HFMODEL_API const char *hfm_result_name(hfm_result result);
/* "SAFETENSORS_HEADER_TOO_LARGE" and the like; never NULL. */
HFMODEL_API const char *hfm_error_item_name(int32_t item);

#ifdef __cplusplus
}
#endif
/* ==== end src/api.h ==== */
#endif /* HFMODEL_H */

/* Stop here if you only want the API. Below is the implementation. */

#if (defined(HFMODEL_IMPLEMENTATION) || defined(__INTELLISENSE__)) && !defined(HFM__IMPLEMENTED)
#define HFM__IMPLEMENTED

/* ==== begin src/base/platform.h ==== */
/* ==== base/platform (private): what the compiler and the machine are ========================================== */

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#ifndef HFMODEL_NO_STDLIB
#include <stdlib.h>
#endif

#if defined(__GNUC__) || defined(__clang__)
#define HFM__PRIVATE static __attribute__((unused))
#define HFM__INLINE static inline __attribute__((unused, always_inline))
#define HFM__NOINLINE static __attribute__((unused, noinline))
#elif defined(_MSC_VER)
#define HFM__PRIVATE static
#define HFM__INLINE static __forceinline
#define HFM__NOINLINE static __declspec(noinline)
#else
#define HFM__PRIVATE static
#define HFM__INLINE static inline
#define HFM__NOINLINE static
#endif

#ifndef HFMODEL_ASSERT
#define HFMODEL_ASSERT(condition) ((void)0) /* internal invariants only, never a judgement of input */
#endif

#define HFM__COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HFM__MIN(a, b) ((a) < (b) ? (a) : (b))
#define HFM__MAX(a, b) ((a) > (b) ? (a) : (b))

/* Files are little-endian; a big-endian host copies and swaps. Unknown compilers fall back to a run-time test. */
#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#define HFM__BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#else
#define HFM__BIG_ENDIAN 0
#endif

HFM__INLINE uint16_t hfm__le16(const void *p) {
  const uint8_t *b = (const uint8_t *)p;
  return (uint16_t)(b[0] | b[1] << 8);
}
HFM__INLINE uint32_t hfm__le32(const void *p) {
  return (uint32_t)hfm__le16(p) | (uint32_t)hfm__le16((const uint8_t *)p + 2) << 16;
}
HFM__INLINE uint64_t hfm__le64(const void *p) {
  return (uint64_t)hfm__le32(p) | (uint64_t)hfm__le32((const uint8_t *)p + 4) << 32;
}
/* ==== end src/base/platform.h ==== */
/* ==== begin src/base/alloc.h ==== */
/* ==== base/alloc (private): checked sizes, the caller's allocator, arenas ======================================
   Nothing else in the library calls malloc: a failing allocator reaches every path. */

/* *out = a*b, *out = a+b: 1 if the exact result fits, else 0 with *out untouched. No wrap-around, so a chain of them
   checks every partial product. */
HFM__INLINE int hfm__mul64(uint64_t a, uint64_t b, uint64_t *out) {
  if (b != 0 && a > UINT64_MAX / b) return 0;
  *out = a * b;
  return 1;
}
HFM__INLINE int hfm__add64(uint64_t a, uint64_t b, uint64_t *out) {
  if (a > UINT64_MAX - b) return 0;
  *out = a + b;
  return 1;
}

/* NULL when out of memory, when `size` does not fit size_t, or when it is 0. */
HFM__PRIVATE void *hfm__alloc(const hfm_allocator *mem, uint64_t size) {
  if (size == 0 || size > (uint64_t)PTRDIFF_MAX) return NULL;
  return mem->alloc(mem->ctx, (size_t)size);
}
HFM__PRIVATE void *hfm__alloc_zero(const hfm_allocator *mem, uint64_t size) {
  void *p = hfm__alloc(mem, size);
  if (p) memset(p, 0, (size_t)size);
  return p;
}
HFM__PRIVATE void hfm__free(const hfm_allocator *mem, void *block, uint64_t size) {
  if (block) mem->free(mem->ctx, block, (size_t)size);
}
/* Keeps the old block on failure. */
HFM__PRIVATE void *hfm__realloc(const hfm_allocator *mem, void *block, uint64_t old_size, uint64_t new_size) {
  if (!block) return hfm__alloc(mem, new_size);
  if (new_size == 0 || new_size > (uint64_t)PTRDIFF_MAX) return NULL;
  return mem->realloc(mem->ctx, block, (size_t)old_size, (size_t)new_size);
}

#ifndef HFMODEL_NO_STDLIB
HFM__PRIVATE void *hfm__std_alloc(void *ctx, size_t size) {
  (void)ctx;
  return malloc(size);
}
HFM__PRIVATE void *hfm__std_realloc(void *ctx, void *block, size_t old_size, size_t new_size) {
  (void)ctx;
  (void)old_size;
  return realloc(block, new_size);
}
HFM__PRIVATE void hfm__std_free(void *ctx, void *block, size_t size) {
  (void)ctx;
  (void)size;
  free(block);
}
#endif

/* The caller's allocator, or the C library's where it is all zero. 0 if there is neither. */
HFM__PRIVATE int hfm__resolve_allocator(const hfm_allocator *given, hfm_allocator *mem) {
  if (given && given->alloc && given->realloc && given->free) {
    *mem = *given;
    return 1;
  }
#ifndef HFMODEL_NO_STDLIB
  if (!given || (!given->alloc && !given->realloc && !given->free)) {
    mem->ctx = NULL;
    mem->alloc = hfm__std_alloc;
    mem->realloc = hfm__std_realloc;
    mem->free = hfm__std_free;
    return 1;
  }
#endif
  return 0;
}

/* ---- Arena: many small blocks with one lifetime, zeroed, freed in one walk ---- */

typedef struct hfm__arena_block {
  struct hfm__arena_block *next;
  size_t size, used; /* of the whole block, header included */
} hfm__arena_block;

typedef struct hfm__arena {
  hfm_allocator mem;
  hfm__arena_block *blocks; /* the newest first */
} hfm__arena;

enum { HFM__ARENA_ALIGN = 16, HFM__ARENA_BLOCK = 16 * 1024 };

HFM__PRIVATE void *hfm__arena_alloc(hfm__arena *arena, uint64_t size) {
  const size_t header = (sizeof(hfm__arena_block) + HFM__ARENA_ALIGN - 1) / HFM__ARENA_ALIGN * HFM__ARENA_ALIGN;
  hfm__arena_block *block = arena->blocks;
  void *p;
  if (size > (uint64_t)PTRDIFF_MAX / 2) return NULL;
  size = (size + HFM__ARENA_ALIGN - 1) / HFM__ARENA_ALIGN * HFM__ARENA_ALIGN;
  if (size == 0) size = HFM__ARENA_ALIGN;
  if (!block || block->size - block->used < size) {
    const uint64_t want = HFM__MAX(size + header, (uint64_t)HFM__ARENA_BLOCK);
    block = (hfm__arena_block *)hfm__alloc(&arena->mem, want);
    if (!block) return NULL;
    block->size = (size_t)want;
    block->used = header;
    block->next = arena->blocks;
    arena->blocks = block;
  }
  p = (uint8_t *)block + block->used;
  block->used += (size_t)size;
  memset(p, 0, (size_t)size);
  return p;
}

/* A NUL-terminated copy of `size` bytes. */
HFM__PRIVATE char *hfm__arena_copy(hfm__arena *arena, const char *text, size_t size) {
  char *copy = (char *)hfm__arena_alloc(arena, (uint64_t)size + 1);
  if (copy && size) memcpy(copy, text, size);
  return copy;
}

HFM__PRIVATE void hfm__arena_free(hfm__arena *arena) {
  hfm__arena_block *block = arena->blocks;
  while (block) {
    hfm__arena_block *next = block->next;
    hfm__free(&arena->mem, block, block->size);
    block = next;
  }
  arena->blocks = NULL;
}

/* Bytes held. */
HFM__PRIVATE uint64_t hfm__arena_bytes(const hfm__arena *arena) {
  const hfm__arena_block *block;
  uint64_t sum = 0;
  for (block = arena->blocks; block; block = block->next) sum += block->size;
  return sum;
}

/* Makes room for one more item in a growing array of *capacity items; NULL when out of memory (the array stays).
   Growth doubles, so that n items cost O(n). */
HFM__PRIVATE void *hfm__grow(const hfm_allocator *mem, void *items, size_t count, size_t *capacity, size_t item_size) {
  size_t wanted;
  void *grown;
  if (count < *capacity) return items;
  wanted = *capacity ? *capacity * 2 : 16;
  if (wanted < *capacity || wanted > PTRDIFF_MAX / item_size) return NULL;
  grown = hfm__realloc(mem, items, (uint64_t)*capacity * item_size, (uint64_t)wanted * item_size);
  if (grown) *capacity = wanted;
  return grown;
}
/* ==== end src/base/alloc.h ==== */
/* ==== begin src/base/text.h ==== */
/* ==== base/text (private): bounded, locale-free text ===========================================================
   The library formats its own text: snprintf needs stdio, follows the user's locale, and can't escape. */

typedef struct hfm__text {
  char *data;     /* may be NULL with size 0: then only the length is counted */
  size_t size;    /* room in data, the NUL included */
  size_t length;  /* of the full text, also where it did not fit */
} hfm__text;

HFM__PRIVATE void hfm__text_char(hfm__text *t, char c) {
  if (t->length + 1 < t->size) {
    t->data[t->length] = c;
    t->data[t->length + 1] = 0;
  } else if (t->size && t->length < t->size) {
    t->data[t->length] = 0;
  }
  t->length++;
}

HFM__PRIVATE void hfm__text_bytes(hfm__text *t, const char *s, size_t n) {
  size_t i;
  for (i = 0; i < n; i++) hfm__text_char(t, s[i]);
}

HFM__PRIVATE void hfm__text_str(hfm__text *t, const char *s) {
  hfm__text_bytes(t, s, strlen(s));
}

HFM__PRIVATE void hfm__text_u64(hfm__text *t, uint64_t v) {
  char digits[24];
  size_t n = 0;
  do {
    digits[n++] = (char)('0' + v % 10);
    v /= 10;
  } while (v);
  while (n) hfm__text_char(t, digits[--n]);
}

HFM__PRIVATE void hfm__text_i64(hfm__text *t, int64_t v) {
  if (v < 0) hfm__text_char(t, '-');
  hfm__text_u64(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* Bytes from a file: quoted, control and non-ASCII bytes as \xNN, at most 128 of them. */
HFM__PRIVATE void hfm__text_quoted(hfm__text *t, const char *s, size_t n) {
  static const char hex[] = "0123456789abcdef";
  const size_t shown = n > 128 ? 125 : n;
  size_t i;
  hfm__text_char(t, '\'');
  for (i = 0; i < shown; i++) {
    const uint8_t c = (uint8_t)s[i];
    if (c >= 0x20 && c < 0x7f && c != '\\') {
      hfm__text_char(t, (char)c);
    } else {
      hfm__text_str(t, "\\x");
      hfm__text_char(t, hex[c >> 4]);
      hfm__text_char(t, hex[c & 15]);
    }
  }
  if (shown < n) hfm__text_str(t, "...");
  hfm__text_char(t, '\'');
}

/* "[2, 128, 768]"; a caller's rank may be anything. */
HFM__PRIVATE void hfm__text_shape(hfm__text *t, const int64_t *shape, int32_t rank) {
  int32_t i;
  rank = HFM__MIN(rank, (int32_t)HFM_MAX_RANK);
  hfm__text_char(t, '[');
  for (i = 0; i < rank; i++) {
    if (i) hfm__text_str(t, ", ");
    hfm__text_i64(t, shape[i]);
  }
  hfm__text_char(t, ']');
}

/* The conversions: %s text of our own, %q NUL-terminated text from outside (quoted, escaped), %d int, %i int64_t,
   %u uint64_t, %g double (as Python's repr), %t (const int64_t *shape, int rank), %%. Arguments must have exactly
   these types. */
HFM__PRIVATE void hfm__text_double(hfm__text *t, double number); /* base/decimal.c */

HFM__PRIVATE void hfm__text_vformat(hfm__text *t, const char *format, va_list args) {
  for (; *format; format++) {
    if (*format != '%') {
      hfm__text_char(t, *format);
      continue;
    }
    format++;
    if (*format == 's') {
      hfm__text_str(t, va_arg(args, const char *));
    } else if (*format == 'q') {
      const char *s = va_arg(args, const char *);
      hfm__text_quoted(t, s, strlen(s));
    } else if (*format == 'd') {
      hfm__text_i64(t, va_arg(args, int));
    } else if (*format == 'i') {
      hfm__text_i64(t, va_arg(args, int64_t));
    } else if (*format == 'u') {
      hfm__text_u64(t, va_arg(args, uint64_t));
    } else if (*format == 'g') {
      hfm__text_double(t, va_arg(args, double));
    } else if (*format == 't') {
      const int64_t *shape = va_arg(args, const int64_t *);
      hfm__text_shape(t, shape, va_arg(args, int));
    } else {
      hfm__text_char(t, '%');
    }
  }
}

HFM__PRIVATE void hfm__text_format(hfm__text *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  hfm__text_vformat(t, format, args);
  va_end(args);
}

HFM__PRIVATE hfm__text hfm__text_to(char *data, size_t size) {
  hfm__text t;
  t.data = data;
  t.size = size;
  t.length = 0;
  if (size) data[0] = 0;
  return t;
}

HFM__INLINE int hfm__equal(const char *a, const char *b) { return strcmp(a, b) == 0; }
HFM__PRIVATE int hfm__starts_with(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }
HFM__PRIVATE int hfm__ends_with(const char *s, const char *suffix) {
  const size_t n = strlen(s), m = strlen(suffix);
  return n >= m && memcmp(s + n - m, suffix, m) == 0;
}
/* ==== end src/base/text.h ==== */
/* ==== begin src/base/error.h ==== */
/* ==== base/error (private): filling an hfm_error ============================================================== */

HFM__PRIVATE hfm_result hfm__item_result(int32_t item) {
  switch (item) {
#define HFM__ERROR_CASE(name, number, result) case number: return result;
    HFM_ERROR_ITEMS(HFM__ERROR_CASE)
#undef HFM__ERROR_CASE
    default: return HFM_ERROR_ARGUMENT;
  }
}

HFM__PRIVATE void hfm__clear_error(hfm_error *error) {
  if (error) memset(error, 0, sizeof *error);
}

/* A long path keeps its end: that is where the file's name is. */
HFM__PRIVATE void hfm__copy_tail(char *dst, size_t size, const char *text) {
  const size_t n = strlen(text);
  hfm__text t = hfm__text_to(dst, size);
  size_t i = 0;
  if (n >= size) {
    hfm__text_str(&t, "...");
    i = n - (size - 4);
  }
  for (; i < n; i++) hfm__text_char(&t, (uint8_t)text[i] < 0x20 || (uint8_t)text[i] == 0x7f ? '?' : text[i]);
}

/* Fills `error` (which may be NULL) and returns the result that belongs to the item. `file` and `what` may be NULL.
   The message is "file: text", or "text" where no file is involved. */
HFM__PRIVATE hfm_result hfm__fail(hfm_error *error, int32_t item, const char *file, const char *what, uint64_t offset,
                                  const char *format, ...) {
  const hfm_result result = hfm__item_result(item);
  if (error) {
    hfm__text t;
    va_list args;
    hfm__clear_error(error);
    error->code = result;
    error->item = item;
    error->offset = offset;
    if (file) hfm__copy_tail(error->file, sizeof error->file, file);
    if (what) hfm__copy_tail(error->what, sizeof error->what, what);
    t = hfm__text_to(error->message, sizeof error->message);
    if (file) hfm__text_format(&t, "%s: ", error->file);
    va_start(args, format);
    hfm__text_vformat(&t, format, args);
    va_end(args);
  }
  return result;
}

HFM__PRIVATE hfm_result hfm__fail_memory(hfm_error *error, const char *what, uint64_t bytes) {
  if (bytes)
    return hfm__fail(error, HFM_E_OUT_OF_MEMORY, NULL, what, 0, "out of memory: %s needs %u bytes", what, bytes);
  return hfm__fail(error, HFM_E_OUT_OF_MEMORY, NULL, what, 0, "out of memory: %s", what);
}
/* ==== end src/base/error.h ==== */
/* ==== begin src/base/sort.c ==== */
/* ==== base/sort (private): stable sort of pointers =============================================================
   Merge sort: n log n whatever a file holds (qsort may be quadratic, and may allocate on its own). Sorted input, the
   usual case, costs one pass. */

typedef int (*hfm__compare)(const void *a, const void *b);

/* `scratch` has room for `count` pointers too. */
HFM__PRIVATE void hfm__sort(const void **items, const void **scratch, size_t count, hfm__compare compare) {
  const void **from = items, **to = scratch;
  size_t i = 1;
  while (i < count && compare(items[i - 1], items[i]) <= 0) i++;
  if (i >= count) return;
  for (size_t width = 1; width < count; width *= 2) {
    const void **swap;
    for (size_t start = 0; start < count; start += 2 * width) {
      const size_t middle = HFM__MIN(start + width, count), end = HFM__MIN(middle + width, count);
      size_t a = start, b = middle;
      for (size_t k = start; k < end; k++)
        to[k] = b == end || (a < middle && compare(from[a], from[b]) <= 0) ? from[a++] : from[b++];
    }
    swap = from;
    from = to;
    to = swap;
  }
  if (from != items) memcpy(items, from, count * sizeof *items);
}
/* ==== end src/base/sort.c ==== */
/* ==== begin src/base/threads.c ==== */
/* ==== base/threads (private): clock, atomics, lock, and the pool that runs chunks ==============================
   The only file that knows about threads. A pool's workers persist; the caller is worker 0. Which worker runs a chunk
   is dynamic (one shared counter), what a chunk computes is fixed, so results never depend on any of this. Under
   HFMODEL_NO_THREADS everything works on the calling thread, or on the caller's hfm_jobs. */

#if !defined(HFMODEL_NO_THREADS) && defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
#define HFM__THREADS 0
#elif defined(HFMODEL_NO_THREADS)
#define HFM__THREADS 0
#else
#define HFM__THREADS 1
#endif

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#define HFM__OWN_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#define HFM__OWN_NOMINMAX
#endif
#include <windows.h>
#ifdef HFM__OWN_LEAN_AND_MEAN /* whatever the user includes after us is not our business */
#undef WIN32_LEAN_AND_MEAN
#undef HFM__OWN_LEAN_AND_MEAN
#endif
#ifdef HFM__OWN_NOMINMAX
#undef NOMINMAX
#undef HFM__OWN_NOMINMAX
#endif
#elif HFM__THREADS
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#endif
#include <time.h>
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

/* -std=c99 hides clock_gettime from whoever did not ask for POSIX before the first include, which may be the user's. */
#if defined(__linux__) && defined(__STRICT_ANSI__) && !defined(__cplusplus) && HFM__THREADS
extern int clock_gettime(int clock, struct timespec *time);
#define HFM__CLOCK_MONOTONIC 1
#elif defined(CLOCK_MONOTONIC)
#define HFM__CLOCK_MONOTONIC CLOCK_MONOTONIC
#endif

/* Nanoseconds since some fixed moment; only differences mean anything. */
HFM__PRIVATE uint64_t hfm__clock_ns(void) {
#if defined(_WIN32)
  LARGE_INTEGER ticks, rate;
  QueryPerformanceCounter(&ticks);
  QueryPerformanceFrequency(&rate);
  return (uint64_t)(ticks.QuadPart / rate.QuadPart) * 1000000000u +
         (uint64_t)(ticks.QuadPart % rate.QuadPart) * 1000000000u / (uint64_t)rate.QuadPart;
#elif defined(HFM__CLOCK_MONOTONIC)
  struct timespec now;
  if (clock_gettime(HFM__CLOCK_MONOTONIC, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#else
  return (uint64_t)((double)clock() * (1e9 / (double)CLOCKS_PER_SEC));
#endif
}
#undef HFM__CLOCK_MONOTONIC

/* Processors that can run our threads; at least 1. */
HFM__PRIVATE int32_t hfm__cpu_count(void) {
#if !HFM__THREADS
  return 1;
#elif defined(_WIN32)
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwNumberOfProcessors > 0 ? (int32_t)info.dwNumberOfProcessors : 1;
#elif defined(_SC_NPROCESSORS_ONLN)
  const long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int32_t)HFM__MIN(count, 4096) : 1;
#else
  return 1;
#endif
}

/* ---- Atomics: words as wide as a pointer, which every target has without a library ---- */

typedef struct hfm__atomic {
#if defined(_MSC_VER) && !defined(__clang__)
  void *volatile word;
#else
  intptr_t word;
#endif
} hfm__atomic;

#if defined(_MSC_VER) && !defined(__clang__)
/* Interlocked operations are full barriers; MSVC has no weaker ones that are portable to ARM64. */
HFM__INLINE intptr_t hfm__atomic_load(hfm__atomic *a) {
  return (intptr_t)_InterlockedCompareExchangePointer(&a->word, NULL, NULL);
}
HFM__INLINE void hfm__atomic_store(hfm__atomic *a, intptr_t value) {
  (void)_InterlockedExchangePointer(&a->word, (void *)value);
}
/* 1 and the new value is there, or 0 and *expected is what was found. */
HFM__INLINE int hfm__atomic_swap_if(hfm__atomic *a, intptr_t *expected, intptr_t value) {
  const intptr_t found = (intptr_t)_InterlockedCompareExchangePointer(&a->word, (void *)value, (void *)*expected);
  const int done = found == *expected;
  *expected = found;
  return done;
}
/* Returns the value before. */
HFM__INLINE intptr_t hfm__atomic_add(hfm__atomic *a, intptr_t value) {
  intptr_t old = hfm__atomic_load(a);
  while (!hfm__atomic_swap_if(a, &old, old + value)) {
  }
  return old;
}
HFM__INLINE void *hfm__atomic_load_pointer(void *const *p) {
  return _InterlockedCompareExchangePointer((void *volatile *)p, NULL, NULL);
}
HFM__INLINE void hfm__atomic_store_pointer(void **p, void *value) {
  (void)_InterlockedExchangePointer((void *volatile *)p, value);
}
#else
HFM__INLINE intptr_t hfm__atomic_load(hfm__atomic *a) { return __atomic_load_n(&a->word, __ATOMIC_SEQ_CST); }
HFM__INLINE void hfm__atomic_store(hfm__atomic *a, intptr_t value) {
  __atomic_store_n(&a->word, value, __ATOMIC_SEQ_CST);
}
/* 1 and the new value is there, or 0 and *expected is what was found. */
HFM__INLINE int hfm__atomic_swap_if(hfm__atomic *a, intptr_t *expected, intptr_t value) {
  return __atomic_compare_exchange_n(&a->word, expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
/* Returns the value before. */
HFM__INLINE intptr_t hfm__atomic_add(hfm__atomic *a, intptr_t value) {
  return __atomic_fetch_add(&a->word, value, __ATOMIC_SEQ_CST);
}
HFM__INLINE void *hfm__atomic_load_pointer(void *const *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
HFM__INLINE void hfm__atomic_store_pointer(void **p, void *value) { __atomic_store_n(p, value, __ATOMIC_RELEASE); }
#endif

/* ---- Lock ---- */

typedef struct hfm__lock {
#if !HFM__THREADS
  int unused;
#elif defined(_WIN32)
  SRWLOCK srw;
#else
  pthread_mutex_t mutex;
#endif
} hfm__lock;

/* Always succeeds where threads exist at all; hfm__lock_free is due in any case. */
HFM__PRIVATE void hfm__lock_init(hfm__lock *lock) {
#if !HFM__THREADS
  lock->unused = 0;
#elif defined(_WIN32)
  InitializeSRWLock(&lock->srw);
#else
  (void)pthread_mutex_init(&lock->mutex, NULL);
#endif
}

HFM__PRIVATE void hfm__lock_free(hfm__lock *lock) {
#if HFM__THREADS && !defined(_WIN32)
  (void)pthread_mutex_destroy(&lock->mutex);
#else
  (void)lock;
#endif
}

HFM__PRIVATE void hfm__lock_take(hfm__lock *lock) {
#if !HFM__THREADS
  (void)lock;
#elif defined(_WIN32)
  AcquireSRWLockExclusive(&lock->srw);
#else
  (void)pthread_mutex_lock(&lock->mutex);
#endif
}

HFM__PRIVATE void hfm__lock_give(hfm__lock *lock) {
#if !HFM__THREADS
  (void)lock;
#elif defined(_WIN32)
  ReleaseSRWLockExclusive(&lock->srw);
#else
  (void)pthread_mutex_unlock(&lock->mutex);
#endif
}

/* ---- Pool ---- */

typedef void (*hfm__chunk_fn)(void *ctx, int64_t chunk, int32_t worker);

#if HFM__THREADS
#if defined(_WIN32)
typedef HANDLE hfm__thread;
typedef CONDITION_VARIABLE hfm__condition;
#else
typedef pthread_t hfm__thread;
typedef pthread_cond_t hfm__condition;
#endif

struct hfm__pool;
typedef struct hfm__pool_thread {
  struct hfm__pool *pool;
  int32_t index;
  hfm__thread handle;
} hfm__pool_thread;
#endif

typedef struct hfm__pool {
  hfm_allocator mem;
  hfm_jobs jobs;    /* the caller's pool, where run is set */
  int32_t threads;  /* workers, the caller included */
  int32_t spins;    /* polls before a worker parks */
  /* The job in progress: written by the caller while the gate is shut. */
  hfm__chunk_fn fn;
  void *ctx;
  int64_t first, count;
  uint64_t deadline;
  hfm__atomic taken; /* chunks handed out, from `first` on */
#if HFM__THREADS
  hfm__atomic gate;   /* bit 0: open; above it: how many workers are inside */
  hfm__atomic epoch;  /* counts jobs; a change wakes the workers */
  hfm__atomic parked; /* workers asleep, or about to be */
  hfm__atomic quit;
  hfm__lock lock;     /* guards only going to sleep and waking up */
  hfm__condition wake;
  int32_t started;
  uint64_t member_bytes;
  hfm__pool_thread *members; /* all but the caller */
#endif
} hfm__pool;

enum { HFM__MAX_THREADS = 1024 };

/* Runs chunks until there are no more or the deadline is over; `least` chunks are run whatever the clock says. */
HFM__PRIVATE void hfm__pool_work(hfm__pool *pool, int32_t worker, int least) {
  for (;;) {
    int64_t chunk;
    if (pool->deadline && !least && hfm__clock_ns() >= pool->deadline) return;
    least = 0;
    if (hfm__atomic_load(&pool->taken) >= pool->count - pool->first) return;
    chunk = pool->first + hfm__atomic_add(&pool->taken, 1);
    if (chunk >= pool->count) return;
    pool->fn(pool->ctx, chunk, worker);
  }
}

#if HFM__THREADS
HFM__INLINE void hfm__pause(void) {
#if defined(_WIN32)
  YieldProcessor();
#elif defined(__x86_64__) || defined(__i386__)
  __asm__ volatile("pause");
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

HFM__INLINE void hfm__yield(void) {
#if defined(_WIN32)
  (void)SwitchToThread();
#else
  (void)sched_yield();
#endif
}

HFM__PRIVATE void hfm__pool_park(hfm__pool *pool, intptr_t seen) {
  hfm__lock_take(&pool->lock);
  hfm__atomic_add(&pool->parked, 1);
  while (hfm__atomic_load(&pool->epoch) == seen && !hfm__atomic_load(&pool->quit)) {
#if defined(_WIN32)
    (void)SleepConditionVariableSRW(&pool->wake, &pool->lock.srw, INFINITE, 0);
#else
    (void)pthread_cond_wait(&pool->wake, &pool->lock.mutex);
#endif
  }
  hfm__atomic_add(&pool->parked, -1);
  hfm__lock_give(&pool->lock);
}

HFM__PRIVATE void hfm__pool_wake(hfm__pool *pool) {
  if (hfm__atomic_load(&pool->parked) == 0) return;
  hfm__lock_take(&pool->lock);
#if defined(_WIN32)
  WakeAllConditionVariable(&pool->wake);
#else
  (void)pthread_cond_broadcast(&pool->wake);
#endif
  hfm__lock_give(&pool->lock);
}

/* A worker that comes late finds the gate shut and goes back to waiting, so nobody ever waits for a sleeper. */
HFM__PRIVATE void hfm__pool_member(hfm__pool_thread *self) {
  hfm__pool *pool = self->pool;
  intptr_t seen = 0;
  for (;;) {
    int32_t spins = pool->spins;
    intptr_t gate;
    while (hfm__atomic_load(&pool->epoch) == seen && !hfm__atomic_load(&pool->quit)) {
      if (spins-- > 0) {
        hfm__pause();
      } else {
        hfm__pool_park(pool, seen);
      }
    }
    if (hfm__atomic_load(&pool->quit)) return;
    seen = hfm__atomic_load(&pool->epoch);
    gate = hfm__atomic_load(&pool->gate);
    while (gate & 1) {
      if (!hfm__atomic_swap_if(&pool->gate, &gate, gate + 2)) continue;
      hfm__pool_work(pool, self->index, 0);
      hfm__atomic_add(&pool->gate, -2);
      break;
    }
  }
}

#if defined(_WIN32)
HFM__PRIVATE DWORD WINAPI hfm__pool_main(LPVOID arg) {
  hfm__pool_member((hfm__pool_thread *)arg);
  return 0;
}
HFM__PRIVATE int hfm__thread_start(hfm__pool_thread *self) {
  self->handle = CreateThread(NULL, 0, hfm__pool_main, self, 0, NULL);
  return self->handle != NULL;
}
HFM__PRIVATE void hfm__thread_join(hfm__pool_thread *self) {
  (void)WaitForSingleObject(self->handle, INFINITE);
  (void)CloseHandle(self->handle);
}
#else
HFM__PRIVATE void *hfm__pool_main(void *arg) {
  hfm__pool_member((hfm__pool_thread *)arg);
  return NULL;
}
HFM__PRIVATE int hfm__thread_start(hfm__pool_thread *self) {
  return pthread_create(&self->handle, NULL, hfm__pool_main, self) == 0;
}
HFM__PRIVATE void hfm__thread_join(hfm__pool_thread *self) { (void)pthread_join(self->handle, NULL); }
#endif
#endif /* HFM__THREADS */

HFM__PRIVATE void hfm__pool_worker_of_jobs(void *arg, int32_t worker) {
  hfm__pool_work((hfm__pool *)arg, worker, worker == 0);
}

/* NULL is fine. Joins the workers. */
HFM__PRIVATE void hfm__pool_free(hfm__pool *pool) {
  if (!pool) return;
#if HFM__THREADS
  if (pool->members) {
    int32_t i;
    hfm__atomic_store(&pool->quit, 1);
    hfm__pool_wake(pool);
    for (i = 0; i < pool->started; i++) hfm__thread_join(&pool->members[i]);
    hfm__free(&pool->mem, pool->members, pool->member_bytes);
#if !defined(_WIN32)
    (void)pthread_cond_destroy(&pool->wake);
#endif
    hfm__lock_free(&pool->lock);
  }
#endif
  hfm__free(&pool->mem, pool, sizeof *pool);
}

/* A pool of `threads` workers (0: one for each processor, at most 64), the caller included. spin: 1 poll for long, -1
   park at once, 0 poll for about 50 us. Where `jobs` has a run function, no thread is started. NULL when out of memory;
   fewer workers than asked for (pool->threads says how many) where the system refuses threads. */
HFM__PRIVATE hfm__pool *hfm__pool_create(const hfm_allocator *mem, int32_t threads, int32_t spin,
                                         const hfm_jobs *jobs) {
  hfm__pool *pool = (hfm__pool *)hfm__alloc_zero(mem, sizeof(hfm__pool));
  if (!pool) return NULL;
  pool->mem = *mem;
  if (jobs) pool->jobs = *jobs;
  pool->threads = threads > 0 ? HFM__MIN(threads, HFM__MAX_THREADS) : HFM__MIN(hfm__cpu_count(), 64);
  if (pool->jobs.run) return pool;
#if HFM__THREADS
  pool->spins = spin > 0 ? 2000000 : spin < 0 ? 0 : 2000;
  if (pool->threads > hfm__cpu_count()) pool->spins = 0; /* a poller would keep a worker off its processor */
  if (pool->threads > 1) {
    const int32_t wanted = pool->threads;
    pool->member_bytes = (uint64_t)(wanted - 1) * sizeof(hfm__pool_thread);
    pool->members = (hfm__pool_thread *)hfm__alloc_zero(mem, pool->member_bytes);
    if (!pool->members) {
      hfm__pool_free(pool);
      return NULL;
    }
    hfm__lock_init(&pool->lock);
#if defined(_WIN32)
    InitializeConditionVariable(&pool->wake);
#else
    (void)pthread_cond_init(&pool->wake, NULL);
#endif
    for (; pool->started < wanted - 1; pool->started++) {
      hfm__pool_thread *member = &pool->members[pool->started];
      member->pool = pool;
      member->index = pool->started + 1;
      if (!hfm__thread_start(member)) break;
    }
    pool->threads = pool->started + 1;
  }
#else
  (void)spin;
  pool->threads = 1;
#endif
  return pool;
}

/* Runs fn(ctx, chunk, worker) for chunks first..count-1, each once, on all workers, until they are done or the deadline
   (hfm__clock_ns; 0: none) has passed; at least one chunk. Returns the next chunk: all before it are complete. Never
   waits for a worker that has not begun. One caller at a time. */
HFM__PRIVATE int64_t hfm__pool_run(hfm__pool *pool, hfm__chunk_fn fn, void *ctx, int64_t first, int64_t count,
                                   uint64_t deadline_ns) {
  int64_t taken;
  if (first >= count) return count;
  pool->fn = fn;
  pool->ctx = ctx;
  pool->first = first;
  pool->count = count;
  pool->deadline = deadline_ns;
  hfm__atomic_store(&pool->taken, 0);
  if (pool->threads == 1 || count - first == 1) {
    hfm__pool_work(pool, 0, 1);
  } else if (pool->jobs.run) {
    pool->jobs.run(pool->jobs.ctx, hfm__pool_worker_of_jobs, pool, pool->threads);
  } else {
#if HFM__THREADS
    intptr_t gate, polls = 0;
    hfm__atomic_store(&pool->gate, 1);
    hfm__atomic_add(&pool->epoch, 1);
    hfm__pool_wake(pool);
    hfm__pool_work(pool, 0, 1);
    gate = hfm__atomic_add(&pool->gate, -1) - 1;
    while (gate) {
      if (++polls < 4000) {
        hfm__pause();
      } else {
        hfm__yield(); /* whoever is still inside may need this processor */
      }
      gate = hfm__atomic_load(&pool->gate);
    }
#endif
  }
  taken = hfm__atomic_load(&pool->taken);
  return first + HFM__MIN(taken, count - first);
}
/* ==== end src/base/threads.c ==== */
/* ==== begin src/base/decimal.c ==== */
/* ==== base/decimal (private): double <-> decimal text, exact ===================================================
   strtod and snprintf follow the user's locale and, on some systems, round wrongly. Both directions here do integer
   arithmetic on one small bignum, so the result is the same on every machine, also under -ffast-math. */

enum {
  HFM__BIG_WORDS = 136,    /* 10^1125 (3738 bits) shifted by 64 is the largest number that occurs */
  HFM__DECIMAL_DIGITS = 800 /* more significant digits than any halfway case has (767) only say "a bit more" */
};

typedef struct hfm__big {
  uint32_t word[HFM__BIG_WORDS]; /* the lowest first */
  int32_t count;                 /* no leading zero words */
} hfm__big;

HFM__PRIVATE void hfm__big_set(hfm__big *a, uint64_t value) {
  a->count = 0;
  for (; value; value >>= 32) a->word[a->count++] = (uint32_t)value;
}

/* a = a * factor + addend */
HFM__PRIVATE void hfm__big_mul_add(hfm__big *a, uint32_t factor, uint32_t addend) {
  uint64_t carry = addend;
  for (int32_t i = 0; i < a->count; i++) {
    carry += (uint64_t)a->word[i] * factor;
    a->word[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry) a->word[a->count++] = (uint32_t)carry;
}

HFM__PRIVATE void hfm__big_mul_pow10(hfm__big *a, int32_t exponent) {
  for (; exponent >= 9; exponent -= 9) hfm__big_mul_add(a, 1000000000u, 0);
  for (; exponent > 0; exponent--) hfm__big_mul_add(a, 10, 0);
}

HFM__PRIVATE void hfm__big_shift_left(hfm__big *a, int32_t bits) {
  const int32_t words = bits / 32, rest = bits % 32;
  if (a->count == 0) return;
  if (words) {
    memmove(a->word + words, a->word, (size_t)a->count * sizeof a->word[0]);
    memset(a->word, 0, (size_t)words * sizeof a->word[0]);
    a->count += words;
  }
  if (rest) hfm__big_mul_add(a, (uint32_t)1 << rest, 0);
}

HFM__PRIVATE int32_t hfm__big_bits(const hfm__big *a) {
  int32_t bits = 0;
  if (a->count == 0) return 0;
  for (uint32_t top = a->word[a->count - 1]; top; top >>= 1) bits++;
  return bits + (a->count - 1) * 32;
}

HFM__PRIVATE int hfm__big_compare(const hfm__big *a, const hfm__big *b) {
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (int32_t i = a->count - 1; i >= 0; i--)
    if (a->word[i] != b->word[i]) return a->word[i] < b->word[i] ? -1 : 1;
  return 0;
}

/* a -= b, where a >= b */
HFM__PRIVATE void hfm__big_sub(hfm__big *a, const hfm__big *b) {
  int64_t borrow = 0;
  for (int32_t i = 0; i < a->count; i++) {
    borrow += (int64_t)a->word[i] - (i < b->count ? (int64_t)b->word[i] : 0);
    a->word[i] = (uint32_t)borrow;
    borrow = borrow < 0 ? -1 : 0;
  }
  while (a->count && a->word[a->count - 1] == 0) a->count--;
}

/* a += b */
HFM__PRIVATE void hfm__big_add(hfm__big *a, const hfm__big *b) {
  uint64_t carry = 0;
  for (int32_t i = 0; i < b->count || carry; i++) {
    if (i == a->count) a->word[a->count++] = 0;
    carry += (uint64_t)a->word[i] + (i < b->count ? b->word[i] : 0);
    a->word[i] = (uint32_t)carry;
    carry >>= 32;
  }
}

/* a %= b and returns the quotient, which must be below 2^32: a is at most a few times larger where this is used. */
HFM__PRIVATE uint32_t hfm__big_divide_small(hfm__big *a, const hfm__big *b) {
  uint32_t quotient = 0;
  for (; hfm__big_compare(a, b) >= 0; quotient++) hfm__big_sub(a, b);
  return quotient;
}

/* ---- Reading ---- */

HFM__PRIVATE double hfm__double_from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

HFM__PRIVATE uint64_t hfm__double_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* The bits of numerator/denominator, rounded to nearest even; both are non-zero and are used up. */
HFM__PRIVATE uint64_t hfm__round_ratio(hfm__big *numerator, hfm__big *denominator) {
  /* Scale by 2^-power so that the quotient lies in [2^53, 2^54): 53 bits and one to round by. */
  int32_t power = hfm__big_bits(numerator) - hfm__big_bits(denominator) - 54;
  uint64_t quotient = 0;
  int32_t dropped = 1;
  if (power < 0) hfm__big_shift_left(numerator, -power);
  else hfm__big_shift_left(denominator, power);
  hfm__big_shift_left(denominator, 54);
  for (int32_t bit = 0; bit < 55; bit++) { /* long division, from the 2^54 digit down */
    quotient <<= 1;
    if (hfm__big_compare(numerator, denominator) >= 0) {
      hfm__big_sub(numerator, denominator);
      quotient |= 1;
    }
    hfm__big_mul_add(numerator, 2, 0);
  }
  if (numerator->count) quotient = quotient << 1 | 1; /* a remainder: one sticky bit below */
  else quotient <<= 1;
  power--;
  for (uint64_t rest = quotient >> 54; rest; rest >>= 1) dropped++;
  /* quotient * 2^power, with quotient of 54 + dropped - 1 bits; drop more where the result is subnormal */
  if (power + dropped < -1074) dropped = -1074 - power;
  if (dropped > 62) return 0;
  {
    const uint64_t half = (uint64_t)1 << (dropped - 1), tail = quotient & ((half << 1) - 1);
    uint64_t mantissa = quotient >> dropped;
    if (tail > half || (tail == half && (mantissa & 1))) mantissa++;
    power += dropped;
    if (mantissa >> 53) {
      mantissa >>= 1;
      power++;
    }
    if (power > 971) return (uint64_t)0x7ff << 52;
    if (mantissa >> 52) return (uint64_t)(power + 1075) << 52 | (mantissa & (((uint64_t)1 << 52) - 1));
    return mantissa; /* subnormal or zero: power is -1074 */
  }
}

/* Reads `size` bytes of -?digits[.digits][e[+-]digits] into *value: correctly rounded, infinite on overflow.
   0 if the text is anything else. Time is linear in its length. */
HFM__PRIVATE int hfm__parse_double(const char *text, size_t size, double *value) {
  hfm__big numerator, denominator;
  uint64_t sign = 0, bits = 0;
  int64_t exponent = 0, written = 0;
  int32_t significant = 0, sticky = 0, digits = 0, negative = 0;
  size_t i = 0;
  if (i < size && text[i] == '-') {
    sign = (uint64_t)1 << 63;
    i++;
  }
  hfm__big_set(&numerator, 0);
  for (int32_t fraction = 0; i < size; i++) {
    if (text[i] == '.' && !fraction && digits) {
      fraction = 1;
      digits = 0;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') break;
    digits = 1;
    if (fraction) exponent--;
    if (significant == 0 && text[i] == '0') continue;
    if (significant < HFM__DECIMAL_DIGITS) {
      hfm__big_mul_add(&numerator, 10, (uint32_t)(text[i] - '0'));
      significant++;
    } else {
      if (text[i] != '0') sticky = 1;
      exponent++;
    }
  }
  if (!digits) return 0;
  if (i < size) {
    if (text[i] != 'e' && text[i] != 'E') return 0;
    i++;
    if (i < size && (text[i] == '+' || text[i] == '-')) negative = text[i++] == '-';
    if (i == size) return 0;
    for (; i < size; i++) {
      if (text[i] < '0' || text[i] > '9') return 0;
      if (written < (int64_t)1 << 40) written = written * 10 + (text[i] - '0');
    }
    exponent += negative ? -written : written;
  }
  if (sticky) { /* one more digit stands for all that were dropped: no halfway case is that long */
    hfm__big_mul_add(&numerator, 10, 1);
    significant++;
    exponent--;
  }
  if (significant && significant + exponent > 310) {
    bits = (uint64_t)0x7ff << 52;
  } else if (significant && significant + exponent > -325) {
    hfm__big_set(&denominator, 1);
    if (exponent >= 0) hfm__big_mul_pow10(&numerator, (int32_t)exponent);
    else hfm__big_mul_pow10(&denominator, (int32_t)-exponent);
    bits = hfm__round_ratio(&numerator, &denominator);
  }
  *value = hfm__double_from_bits(bits | sign);
  return 1;
}

/* ---- Writing ---- */

/* The shortest digits that read back as the same positive finite value, nearest to it among those (Steele and White,
   Dragon4). The value is 0.d1d2d3... * 10^point. */
HFM__PRIVATE int32_t hfm__shortest_digits(uint64_t bits, char digits[20], int32_t *point) {
  const int32_t field = (int32_t)(bits >> 52 & 0x7ff);
  const uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
  const uint64_t mantissa = field ? fraction | (uint64_t)1 << 52 : fraction;
  const int32_t power = (field ? field : 1) - 1075;
  const int32_t even = !(mantissa & 1);                /* then the ends of the interval round to this value too */
  const int32_t narrow = fraction == 0 && field > 1;   /* below a power of two the gap is half as wide */
  hfm__big value, scale, above, below, sum;
  int32_t count = 0, estimate, low, high;
  /* value/scale is the number, above/scale and below/scale half the gaps to its neighbours; all times 4 */
  hfm__big_set(&value, mantissa);
  hfm__big_set(&scale, 4);
  hfm__big_set(&above, 2);
  hfm__big_set(&below, narrow ? 1 : 2);
  hfm__big_shift_left(&value, 2 + HFM__MAX(power, 0));
  hfm__big_shift_left(&above, HFM__MAX(power, 0));
  hfm__big_shift_left(&below, HFM__MAX(power, 0));
  hfm__big_shift_left(&scale, HFM__MAX(-power, 0));
  /* floor(log10(value)) or one less, from log10(2) = 0.30103 as integers */
  estimate = hfm__big_bits(&value) - hfm__big_bits(&scale) - 1;
  estimate = (int32_t)(((int64_t)estimate * 30103 - (estimate < 0 ? 99999 : 0)) / 100000);
  if (estimate > 0) {
    hfm__big_mul_pow10(&scale, estimate);
  } else {
    hfm__big_mul_pow10(&value, -estimate);
    hfm__big_mul_pow10(&above, -estimate);
    hfm__big_mul_pow10(&below, -estimate);
  }
  for (;;) { /* until value + above is below (even: not above) scale: then the first digit is not 10 */
    sum = value;
    hfm__big_add(&sum, &above);
    if (hfm__big_compare(&sum, &scale) < (even ? 0 : 1)) break;
    hfm__big_mul_add(&scale, 10, 0);
    estimate++;
  }
  *point = estimate;
  for (;;) {
    uint32_t digit;
    hfm__big_mul_add(&value, 10, 0);
    hfm__big_mul_add(&above, 10, 0);
    hfm__big_mul_add(&below, 10, 0);
    digit = hfm__big_divide_small(&value, &scale);
    low = hfm__big_compare(&value, &below) < (even ? 1 : 0);
    sum = value;
    hfm__big_add(&sum, &above);
    high = hfm__big_compare(&sum, &scale) > (even ? -1 : 0);
    if (low || high) {
      if (high && low) { /* both ends may be cut here: the nearer one */
        int order;
        hfm__big_mul_add(&value, 2, 0);
        order = hfm__big_compare(&value, &scale);
        high = order > 0 || (order == 0 && (digit & 1));
      }
      if (high) digit++;
      digits[count++] = (char)('0' + digit);
      return count;
    }
    digits[count++] = (char)('0' + digit);
  }
}

/* As Python's repr: 0.1, 2.0, 1e-12, 1e+20, inf, nan. */
HFM__PRIVATE void hfm__text_double(hfm__text *t, double number) {
  const uint64_t bits = hfm__double_bits(number), magnitude = bits & ~((uint64_t)1 << 63);
  char digits[20];
  int32_t count = 0, point = 0, exponent;
  if (magnitude > (uint64_t)0x7ff << 52) {
    hfm__text_str(t, "nan");
    return;
  }
  if (bits != magnitude) hfm__text_char(t, '-');
  if (magnitude == (uint64_t)0x7ff << 52) {
    hfm__text_str(t, "inf");
    return;
  }
  if (magnitude) {
    count = hfm__shortest_digits(magnitude, digits, &point);
  } else {
    digits[count++] = '0';
    point = 1;
  }
  exponent = point - 1;
  if (exponent < -4 || exponent >= 16) {
    hfm__text_char(t, digits[0]);
    if (count > 1) hfm__text_char(t, '.');
    hfm__text_bytes(t, digits + 1, (size_t)(count - 1));
    hfm__text_str(t, exponent < 0 ? "e-" : "e+");
    if (exponent < 0) exponent = -exponent;
    if (exponent < 10) hfm__text_char(t, '0');
    hfm__text_u64(t, (uint64_t)exponent);
    return;
  }
  if (point <= 0) hfm__text_str(t, "0.");
  for (int32_t i = point; i < 0; i++) hfm__text_char(t, '0');
  for (int32_t i = 0; i < count; i++) {
    if (i && i == point) hfm__text_char(t, '.');
    hfm__text_char(t, digits[i]);
  }
  for (int32_t i = count; i < point; i++) hfm__text_char(t, '0');
  if (count <= point) hfm__text_str(t, ".0");
}
/* ==== end src/base/decimal.c ==== */
/* ==== begin src/base/exact_math.h ==== */
/* ==== base/exact_math (private): log, exp, powers, sines and cosines with the same bits everywhere ================
   C libraries differ in their last digits, and compilers may fuse a product with a sum. Here everything is double
   arithmetic in one written order. Within 4 units in the last place of a double where the callers are: they round to
   float. The constants are the series' own (n!, odd numbers) and log 2 and pi. */

/* A product that stays one: the compiler can't see through it, so it can't fuse it with what comes after. */
HFM__INLINE double hfm__exact(double x) {
#if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__SSE2_MATH__))
  __asm__("" : "+x"(x));
#elif (defined(__GNUC__) || defined(__clang__)) && defined(__aarch64__)
  __asm__("" : "+w"(x));
#elif !defined(__wasm__) /* which has no such instruction */
  volatile double kept = x;
  x = kept;
#endif
  return x;
}

/* c + a * b, rounded twice */
HFM__INLINE double hfm__exact_madd(double a, double b, double c) { return hfm__exact(a * b) + c; }

HFM__PRIVATE double hfm__power_of_two(int64_t n) { /* n in [-1022, 1023] */
  const uint64_t bits = (uint64_t)(n + 1023) << 52;
  double f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* Of a normal number above 0: x = m 2^e with m in [0.71, 1.42], log m = 2 atanh((m - 1) / (m + 1)). */
HFM__PRIVATE double hfm__exact_log(double x) {
  uint64_t bits;
  double m, t, s, p = 0, e;
  int32_t i;
  memcpy(&bits, &x, sizeof bits);
  e = (double)((int64_t)(bits >> 52 & 0x7ff) - 1023);
  bits = (bits & 0xfffffffffffffu) | (uint64_t)1023 << 52;
  memcpy(&m, &bits, sizeof m);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e += 1;
  }
  t = (m - 1) / (m + 1);
  s = hfm__exact(t * t);
  for (i = 23; i >= 1; i -= 2) p = hfm__exact_madd(p, s, 1.0 / (double)i);
  /* log 2 in two parts, the first of few enough bits that e times it is exact */
  p = hfm__exact_madd(e, 1.90821492927058770002e-10, hfm__exact(2 * t * p));
  return hfm__exact_madd(e, 6.93147180369123816490e-01, p);
}

/* For x in [-700, 700]. */
HFM__PRIVATE double hfm__exact_exp(double x) {
  const double n = floor(hfm__exact(x * 1.4426950408889634) + 0.5);
  double r = hfm__exact_madd(-n, 6.93147180369123816490e-01, x), p = 1;
  int32_t i;
  r = hfm__exact_madd(-n, 1.90821492927058770002e-10, r);
  for (i = 14; i >= 1; i--) p = hfm__exact(p * r) / (double)i + 1;
  return p * hfm__power_of_two((int64_t)n);
}

/* x^y for x > 0 and results that a float can hold; beyond, 0 or infinity. */
HFM__PRIVATE double hfm__exact_pow(double x, double y) {
  const double z = hfm__exact(y * hfm__exact_log(x));
  return z > 700 ? HUGE_VAL : z < -700 ? 0.0 : hfm__exact_exp(z);
}

/* Sine and cosine of r, |r| <= pi / 4. */
HFM__PRIVATE void hfm__sine_cosine_near(double r, double *sine, double *cosine) {
  const double s = hfm__exact(r * r);
  double p = 1, q = 1;
  int32_t i;
  for (i = 16; i >= 2; i -= 2) {
    p = 1 - hfm__exact(p * s) / (double)(i * (i + 1));
    q = 1 - hfm__exact(q * s) / (double)(i * (i - 1));
  }
  *sine = r * p;
  *cosine = q;
}

/* Sine and cosine of any float. x 2 / pi modulo 4 comes out of integers: the 24 bits of x times those 96 bits of 2 / pi
   that count (Payne and Hanek 1983). */
HFM__PRIVATE void hfm__sine_cosine(float x, double *sine, double *cosine) {
  static const uint32_t two_over_pi[] = {0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u,
                                         0xdb629599u, 0x3c439041u, 0xfe5163abu, 0xdebbc561u};
  uint32_t bits, window[3], quadrant = 0;
  double s, c, r;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffffu) >= 0x7f800000u) { /* infinite, or no number */
    bits = 0x7fc00000u;
    memcpy(&x, &bits, sizeof x);
    *sine = *cosine = (double)x;
    return;
  }
  r = (double)x;
  if ((bits & 0x7fffffffu) >= 0x3f000000u) { /* from 0.5 on: m 2^e, m of 24 bits */
    const uint64_t m = (bits & 0x7fffffu) | 0x800000u;
    const int32_t first = (int32_t)(bits >> 23 & 0xff) - 150 - 2; /* bits of 2 / pi before it make multiples of 4 */
    uint64_t product = 0;
    int64_t fraction;
    int32_t i;
    for (i = 2; i >= 0; i--) {
      const int32_t at = first + 32 * i; /* of 32 bits; there are only zeros before bit 0 */
      const int32_t word = at >= 0 ? at / 32 : -((31 - at) / 32), shift = at - 32 * word;
      const uint64_t high = word >= 0 ? two_over_pi[word] : 0, low = word >= -1 ? two_over_pi[word + 1] : 0;
      product = m * (uint32_t)((high << 32 | low) >> (32 - shift)) + (product >> 32);
      window[i] = (uint32_t)product;
    }
    quadrant = window[0] >> 30;
    fraction = (int64_t)((uint64_t)(window[0] & 0x3fffffffu) << 32 | window[1]);
    if (fraction >= (int64_t)1 << 61) { /* the nearest multiple, not the one below */
      fraction -= (int64_t)1 << 62;
      quadrant++;
    }
    r = (double)fraction * hfm__power_of_two(-62) + (double)window[2] * hfm__power_of_two(-94);
    r *= 1.5707963267948966;
  }
  hfm__sine_cosine_near(r, &s, &c);
  if (quadrant & 1) {
    const double swap = s;
    s = c;
    c = -swap;
  }
  if (quadrant & 2) {
    s = -s;
    c = -c;
  }
  if (bits >> 31 && (bits & 0x7fffffffu) >= 0x3f000000u) s = -s; /* |x| was reduced */
  *sine = s;
  *cosine = c;
}
/* ==== end src/base/exact_math.h ==== */
/* ==== begin src/base/context.h ==== */
/* ==== base/context (private): the caller's services, resolved once ============================================
   Everything below takes a context instead of the public options, so that a default is decided in one place. */

typedef struct hfm__context {
  hfm_allocator mem;
  hfm_io io; /* all NULL where there is no file access: said when a file is asked for */
  hfm_log log;
  hfm_progress progress;
  hfm_limits limits;
} hfm__context;

HFM__PRIVATE hfm_io hfm__file_system(void); /* base/io.c */

HFM__PRIVATE uint64_t hfm__default_u64(uint64_t value, uint64_t fallback) { return value ? value : fallback; }

/* `options` may be NULL. A context may be copied, but files keep a pointer to the one that opened them. */
HFM__PRIVATE hfm_result hfm__context_init(const hfm_options *options, hfm__context *ctx, hfm_error *error) {
  const hfm_io none = {NULL, NULL, NULL, NULL, NULL, NULL};
  hfm_io io = none;
  memset(ctx, 0, sizeof *ctx);
  if (!hfm__resolve_allocator(options ? &options->allocator : NULL, &ctx->mem))
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "allocator", 0,
                     "options.allocator must have alloc, realloc and free: all three, or none for malloc");
  if (options) {
    io = options->io;
    ctx->log = options->log;
    ctx->progress = options->progress;
    ctx->limits = options->limits;
  }
  if (!io.open && !io.size && !io.read && !io.close) {
    ctx->io = hfm__file_system();
  } else if (io.open && io.size && io.read && io.close) {
    ctx->io = io;
  } else {
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "io", 0,
                     "options.io must have open, size, read and close (map may be NULL): all, or none for the files "
                     "of the operating system");
  }
  ctx->limits.max_config_bytes = hfm__default_u64(ctx->limits.max_config_bytes, (uint64_t)16 << 20);
  ctx->limits.max_index_bytes = hfm__default_u64(ctx->limits.max_index_bytes, (uint64_t)64 << 20);
  ctx->limits.max_header_bytes = hfm__default_u64(ctx->limits.max_header_bytes, 100000000);
  ctx->limits.max_new_bytes = hfm__default_u64(ctx->limits.max_new_bytes, (uint64_t)256 << 20);
  return HFM_OK;
}

/* One line to the caller's log, if there is one. `item` is an HFM_E_... value or 0. */
HFM__PRIVATE void hfm__log(const hfm__context *ctx, int32_t level, int32_t item, const char *format, ...) {
  char line[640];
  hfm__text t = hfm__text_to(line, sizeof line);
  va_list args;
  if (!ctx->log.write) return;
  va_start(args, format);
  hfm__text_vformat(&t, format, args);
  va_end(args);
  ctx->log.write(ctx->log.ctx, level, item, line);
}
/* ==== end src/base/context.h ==== */
/* ==== begin src/base/io.c ==== */
/* ==== base/io (private): files, from the system, the caller, or memory =========================================
   Above this line everything is an hfm_io. A file's size is taken once, when it is opened, and every later check is
   against that number. Only regular files are opened: a FIFO would hang, a device never end. */

#if !defined(HFMODEL_NO_STDIO)
#if defined(_WIN32)
#define HFM__IO_WIN32
#elif defined(__unix__) || defined(__APPLE__) || defined(__EMSCRIPTEN__) || defined(__HAIKU__)
#define HFM__IO_POSIX
#else
#define HFM__IO_STDIO
#endif
#endif

/* What an open function returns, and the item that it becomes. A caller's hfm_io may use the same values. */
HFM__PRIVATE hfm_result hfm__open_failed(hfm_error *error, hfm_result result, const char *name) {
  switch (result) {
    case HFM_ERROR_NOT_FOUND:
      return hfm__fail(error, HFM_E_FILE_NOT_FOUND, name, NULL, 0, "no such file");
    case HFM_ERROR_UNSUPPORTED:
      return hfm__fail(error, HFM_E_FILE_NOT_REGULAR, name, NULL, 0,
                       "not a regular file (a directory, device, pipe or socket): only regular files are read");
    case HFM_ERROR_LIMIT:
      return hfm__fail(error, HFM_E_FILE_TOO_LARGE, name, NULL, 0,
                       "larger than this build can open; compile with 64-bit file offsets (-D_FILE_OFFSET_BITS=64)");
    case HFM_ERROR_ARGUMENT:
      return hfm__fail(error, HFM_E_FILE_NAME, name, NULL, 0, "not a usable file name");
    case HFM_ERROR_MEMORY:
      return hfm__fail_memory(error, "an open file", 0);
    default:
      return hfm__fail(error, HFM_E_FILE_READ, name, NULL, 0,
                       "cannot be opened: check that you may read it (result %d)", (int)result);
  }
}

/* ---- POSIX ---- */

#ifdef HFM__IO_POSIX
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

typedef struct hfm__system_file {
  hfm__lock lock; /* of the file position: pread is hidden by -std=c99 */
  int fd;
  uint64_t size; /* when opened: the length of the map */
  void *map;
} hfm__system_file;

HFM__PRIVATE hfm_result hfm__errno_result(int code) {
  if (code == ENOENT || code == ENOTDIR) return HFM_ERROR_NOT_FOUND;
  if (code == ENAMETOOLONG || code == ELOOP) return HFM_ERROR_ARGUMENT;
  if (code == EOVERFLOW || code == EFBIG) return HFM_ERROR_LIMIT;
  if (code == ENXIO) return HFM_ERROR_UNSUPPORTED; /* a socket */
  return HFM_ERROR_IO;
}

HFM__PRIVATE hfm_result hfm__system_open(void *ctx, const char *name, void **out) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  const int saved = errno;
  hfm_result result = HFM_OK;
  hfm__system_file *file;
  struct stat status;
#ifdef O_CLOEXEC
  const int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
#else
  const int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0) (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
  if (fd < 0 || fstat(fd, &status) != 0) {
    result = hfm__errno_result(errno);
  } else if (!S_ISREG(status.st_mode)) {
    result = HFM_ERROR_UNSUPPORTED;
  } else {
    file = (hfm__system_file *)hfm__alloc_zero(mem, sizeof *file);
    if (file) {
      hfm__lock_init(&file->lock);
      file->fd = fd;
      file->size = (uint64_t)status.st_size;
      *out = file;
      errno = saved;
      return HFM_OK;
    }
    result = HFM_ERROR_MEMORY;
  }
  if (fd >= 0) close(fd);
  errno = saved;
  return result;
}

HFM__PRIVATE uint64_t hfm__system_size(void *ctx, void *handle) {
  const hfm__system_file *file = (const hfm__system_file *)handle;
  const int saved = errno;
  struct stat status;
  const int failed = fstat(file->fd, &status);
  (void)ctx;
  errno = saved;
  return failed ? 0 : (uint64_t)status.st_size;
}

HFM__PRIVATE hfm_result hfm__system_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size,
                                         size_t *got) {
  hfm__system_file *file = (hfm__system_file *)handle;
  const int saved = errno;
  hfm_result result = HFM_OK;
  ssize_t n = -1;
  (void)ctx;
  *got = 0;
  if (size > (size_t)1 << 30) size = (size_t)1 << 30;
  if ((uint64_t)(off_t)offset != offset || (off_t)offset < 0) return HFM_ERROR_LIMIT;
  hfm__lock_take(&file->lock);
  if (lseek(file->fd, (off_t)offset, SEEK_SET) >= 0) {
    do n = read(file->fd, dst, size);
    while (n < 0 && errno == EINTR);
  }
  hfm__lock_give(&file->lock);
  if (n < 0) result = HFM_ERROR_IO;
  else *got = (size_t)n;
  errno = saved;
  return result;
}

HFM__PRIVATE const void *hfm__system_map(void *ctx, void *handle) {
  hfm__system_file *file = (hfm__system_file *)handle;
  const int saved = errno;
  void *map;
  (void)ctx;
  if (file->map) return file->map;
  if (file->size == 0 || file->size > (uint64_t)PTRDIFF_MAX) return NULL;
  map = mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE, file->fd, 0);
  errno = saved;
  if (map == MAP_FAILED) return NULL;
  file->map = map;
  return map;
}

HFM__PRIVATE void hfm__system_close(void *ctx, void *handle) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file = (hfm__system_file *)handle;
  const int saved = errno;
  if (file->map) munmap(file->map, (size_t)file->size);
  close(file->fd);
  hfm__lock_free(&file->lock);
  hfm__free(mem, file, sizeof *file);
  errno = saved;
}

/* 1 if there is a directory (or, with `file_too`, a regular file) of that name. */
HFM__PRIVATE int hfm__system_exists(const char *name, int file_too) {
  const int saved = errno;
  struct stat status;
  const int found = stat(name, &status) == 0 && (S_ISDIR(status.st_mode) || (file_too && S_ISREG(status.st_mode)));
  errno = saved;
  return found;
}
#endif /* HFM__IO_POSIX */

/* ---- Windows ---- */

#ifdef HFM__IO_WIN32
#include <windows.h>

typedef struct hfm__system_file {
  HANDLE handle;
  HANDLE mapping;
  void *map;
} hfm__system_file;

enum { HFM__WIDE_PATH = 4096 };

/* Names are UTF-8, whatever the code page. */
HFM__PRIVATE int hfm__wide_name(const char *name, wchar_t wide[HFM__WIDE_PATH]) {
  return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, wide, HFM__WIDE_PATH) > 0;
}

HFM__PRIVATE hfm_result hfm__system_open(void *ctx, const char *name, void **out) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file;
  HANDLE handle;
  wchar_t wide[HFM__WIDE_PATH];
  if (!hfm__wide_name(name, wide)) return HFM_ERROR_ARGUMENT;
  handle = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_ATTRIBUTE_NORMAL, NULL);
  if (handle == INVALID_HANDLE_VALUE) {
    const DWORD code = GetLastError();
    const DWORD attributes = GetFileAttributesW(wide);
    if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) return HFM_ERROR_NOT_FOUND;
    if (code == ERROR_INVALID_NAME || code == ERROR_FILENAME_EXCED_RANGE) return HFM_ERROR_ARGUMENT;
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY)) return HFM_ERROR_UNSUPPORTED;
    return HFM_ERROR_IO;
  }
  if (GetFileType(handle) != FILE_TYPE_DISK) { /* a pipe, "CON", "NUL" */
    CloseHandle(handle);
    return HFM_ERROR_UNSUPPORTED;
  }
  file = (hfm__system_file *)hfm__alloc_zero(mem, sizeof *file);
  if (!file) {
    CloseHandle(handle);
    return HFM_ERROR_MEMORY;
  }
  file->handle = handle;
  *out = file;
  return HFM_OK;
}

HFM__PRIVATE uint64_t hfm__system_size(void *ctx, void *handle) {
  LARGE_INTEGER size;
  (void)ctx;
  return GetFileSizeEx(((hfm__system_file *)handle)->handle, &size) ? (uint64_t)size.QuadPart : 0;
}

HFM__PRIVATE hfm_result hfm__system_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size,
                                         size_t *got) {
  OVERLAPPED at; /* an explicit offset: reads from several threads don't disturb each other */
  DWORD n = 0;
  (void)ctx;
  *got = 0;
  memset(&at, 0, sizeof at);
  at.Offset = (DWORD)offset;
  at.OffsetHigh = (DWORD)(offset >> 32);
  if (size > (size_t)1 << 30) size = (size_t)1 << 30;
  if (!ReadFile(((hfm__system_file *)handle)->handle, dst, (DWORD)size, &n, &at))
    return GetLastError() == ERROR_HANDLE_EOF ? HFM_OK : HFM_ERROR_IO;
  *got = (size_t)n;
  return HFM_OK;
}

HFM__PRIVATE const void *hfm__system_map(void *ctx, void *handle) {
  hfm__system_file *file = (hfm__system_file *)handle;
  (void)ctx;
  if (file->map) return file->map;
  file->mapping = CreateFileMappingW(file->handle, NULL, PAGE_READONLY, 0, 0, NULL);
  if (!file->mapping) return NULL;
  file->map = MapViewOfFile(file->mapping, FILE_MAP_READ, 0, 0, 0);
  if (!file->map) {
    CloseHandle(file->mapping);
    file->mapping = NULL;
  }
  return file->map;
}

HFM__PRIVATE void hfm__system_close(void *ctx, void *handle) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file = (hfm__system_file *)handle;
  if (file->map) UnmapViewOfFile(file->map);
  if (file->mapping) CloseHandle(file->mapping);
  CloseHandle(file->handle);
  hfm__free(mem, file, sizeof *file);
}

HFM__PRIVATE int hfm__system_exists(const char *name, int file_too) {
  wchar_t wide[HFM__WIDE_PATH];
  DWORD attributes;
  if (!hfm__wide_name(name, wide)) return 0;
  attributes = GetFileAttributesW(wide);
  return attributes != INVALID_FILE_ATTRIBUTES && (file_too || (attributes & FILE_ATTRIBUTE_DIRECTORY));
}
#endif /* HFM__IO_WIN32 */

/* ---- Plain C ---- */

#ifdef HFM__IO_STDIO
#include <stdio.h>

typedef struct hfm__system_file {
  hfm__lock lock; /* of the file position */
  FILE *stream;
  uint64_t size;
} hfm__system_file;

HFM__PRIVATE hfm_result hfm__system_open(void *ctx, const char *name, void **out) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file;
  long size = -1;
  FILE *stream = fopen(name, "rb");
  if (!stream) return HFM_ERROR_NOT_FOUND;
  if (fseek(stream, 0, SEEK_END) == 0) size = ftell(stream);
  file = size < 0 || size == LONG_MAX ? NULL : (hfm__system_file *)hfm__alloc_zero(mem, sizeof *file);
  if (!file) {
    fclose(stream);
    return size < 0 ? HFM_ERROR_UNSUPPORTED : size == LONG_MAX ? HFM_ERROR_LIMIT : HFM_ERROR_MEMORY;
  }
  hfm__lock_init(&file->lock);
  file->stream = stream;
  file->size = (uint64_t)size;
  *out = file;
  return HFM_OK;
}

HFM__PRIVATE uint64_t hfm__system_size(void *ctx, void *handle) {
  (void)ctx;
  return ((hfm__system_file *)handle)->size;
}

HFM__PRIVATE hfm_result hfm__system_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size,
                                         size_t *got) {
  hfm__system_file *file = (hfm__system_file *)handle;
  hfm_result result = HFM_OK;
  (void)ctx;
  *got = 0;
  if (offset > (uint64_t)LONG_MAX) return HFM_ERROR_LIMIT;
  hfm__lock_take(&file->lock);
  if (fseek(file->stream, (long)offset, SEEK_SET) == 0) *got = fread(dst, 1, size, file->stream);
  else result = HFM_ERROR_IO;
  if (ferror(file->stream)) result = HFM_ERROR_IO;
  clearerr(file->stream);
  hfm__lock_give(&file->lock);
  return result;
}

HFM__PRIVATE void hfm__system_close(void *ctx, void *handle) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file = (hfm__system_file *)handle;
  fclose(file->stream);
  hfm__lock_free(&file->lock);
  hfm__free(mem, file, sizeof *file);
}

/* Plain C knows no directories: whether a name is one is found out when a file in it is opened. */
HFM__PRIVATE int hfm__system_exists(const char *name, int file_too) {
  (void)name;
  (void)file_too;
  return 1;
}
#endif /* HFM__IO_STDIO */

/* The operating system's files. Its functions take the allocator as their ctx (hfm__io_ctx). */
HFM__PRIVATE hfm_io hfm__file_system(void) {
  hfm_io io;
  memset(&io, 0, sizeof io);
#ifndef HFMODEL_NO_STDIO
  io.open = hfm__system_open;
  io.size = hfm__system_size;
  io.read = hfm__system_read;
  io.close = hfm__system_close;
#ifndef HFM__IO_STDIO
  io.map = hfm__system_map;
#endif
#endif
  return io;
}

HFM__PRIVATE int hfm__is_file_system(const hfm__context *ctx) {
#ifndef HFMODEL_NO_STDIO
  return ctx->io.open == hfm__system_open;
#else
  (void)ctx;
  return 0;
#endif
}

HFM__PRIVATE void *hfm__io_ctx(const hfm__context *ctx) {
  return hfm__is_file_system(ctx) ? (void *)&ctx->mem : ctx->io.ctx;
}

/* ---- Files ---- */

typedef struct hfm__file {
  const hfm__context *ctx;
  char *name;
  void *handle;
  uint64_t size;      /* when it was opened */
  const uint8_t *map; /* the whole file, or NULL: read it */
} hfm__file;

HFM__PRIVATE void hfm__file_close(hfm__file *file) {
  if (file->handle) file->ctx->io.close(hfm__io_ctx(file->ctx), file->handle);
  if (file->name) hfm__free(&file->ctx->mem, file->name, strlen(file->name) + 1);
  memset(file, 0, sizeof *file);
}

/* Opens a regular file; maps it if asked to and possible. On failure *file is zero. */
HFM__PRIVATE hfm_result hfm__file_open(const hfm__context *ctx, const char *name, int want_map, hfm__file *file,
                                       hfm_error *error) {
  const size_t length = strlen(name);
  hfm_result result;
  memset(file, 0, sizeof *file);
  if (!ctx->io.open)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, name, "io", 0,
                     "this build has no file access (HFMODEL_NO_STDIO): set options.io or use hfm_from_memory");
  file->ctx = ctx;
  file->name = (char *)hfm__alloc(&ctx->mem, (uint64_t)length + 1);
  if (!file->name) return hfm__fail_memory(error, "a file name", (uint64_t)length + 1);
  memcpy(file->name, name, length + 1);
  result = ctx->io.open(hfm__io_ctx(ctx), name, &file->handle);
  if (result != HFM_OK) {
    file->handle = NULL;
    hfm__file_close(file);
    return hfm__open_failed(error, result, name);
  }
  file->size = ctx->io.size(hfm__io_ctx(ctx), file->handle);
  if (want_map && ctx->io.map && file->size && file->size <= (uint64_t)PTRDIFF_MAX)
    file->map = (const uint8_t *)ctx->io.map(hfm__io_ctx(ctx), file->handle);
  return HFM_OK;
}

/* Reads exactly `size` bytes. */
HFM__PRIVATE hfm_result hfm__file_read(const hfm__file *file, uint64_t offset, void *dst, uint64_t size,
                                       hfm_error *error) {
  uint8_t *out = (uint8_t *)dst;
  if (offset > file->size || size > file->size - offset || size > (uint64_t)PTRDIFF_MAX)
    return hfm__fail(error, HFM_E_FILE_READ, file->name, NULL, offset,
                     "%u bytes wanted at byte %u, but the file has only %u", size, offset, file->size);
  if (file->map) {
    if (size) memcpy(dst, file->map + offset, (size_t)size);
    return HFM_OK;
  }
  while (size) {
    size_t got = 0;
    const hfm_result result =
        file->ctx->io.read(hfm__io_ctx(file->ctx), file->handle, offset, out, (size_t)size, &got);
    if (result != HFM_OK)
      return hfm__fail(error, HFM_E_FILE_READ, file->name, NULL, offset,
                       "reading %u bytes at byte %u failed (result %d)", size, offset, (int)result);
    if (got == 0 || got > size)
      return hfm__fail(error, HFM_E_FILE_CHANGED, file->name, NULL, offset,
                       "the file ends at byte %u, but had %u bytes when it was opened", offset, file->size);
    out += got;
    offset += got;
    size -= got;
  }
  return HFM_OK;
}

/* `size` bytes at `offset` as memory: in the map, or in *owned, which the caller frees (size bytes; NULL if mapped). */
HFM__PRIVATE hfm_result hfm__file_bytes(const hfm__file *file, uint64_t offset, uint64_t size, const uint8_t **bytes,
                                        uint8_t **owned, hfm_error *error) {
  hfm_result result;
  *owned = NULL;
  *bytes = NULL;
  if (offset > file->size || size > file->size - offset)
    return hfm__fail(error, HFM_E_FILE_READ, file->name, NULL, offset,
                     "%u bytes wanted at byte %u, but the file has only %u", size, offset, file->size);
  if (file->map || size == 0) {
    *bytes = file->map ? file->map + offset : (const uint8_t *)"";
    return HFM_OK;
  }
  *owned = (uint8_t *)hfm__alloc(&file->ctx->mem, size);
  if (!*owned) return hfm__fail_memory(error, "a part of a file", size);
  result = hfm__file_read(file, offset, *owned, size, error);
  if (result == HFM_OK) {
    *bytes = *owned;
  } else {
    hfm__free(&file->ctx->mem, *owned, size);
    *owned = NULL;
  }
  return result;
}

/* An error if the file no longer has the size that all its checks were made against. */
HFM__PRIVATE hfm_result hfm__file_unchanged(const hfm__file *file, hfm_error *error) {
  const uint64_t now = file->ctx->io.size(hfm__io_ctx(file->ctx), file->handle);
  if (now == file->size) return HFM_OK;
  return hfm__fail(error, HFM_E_FILE_CHANGED, file->name, NULL, 0,
                   "the file has %u bytes now, but had %u when the model was loaded: load it again", now, file->size);
}

/* A whole small side file as NUL-terminated text; *text is the caller's (size + 1 bytes). */
HFM__PRIVATE hfm_result hfm__file_load(const hfm__context *ctx, const char *name, uint64_t cap, char **text,
                                       size_t *size, hfm_error *error) {
  hfm__file file;
  char *data;
  hfm_result result = hfm__file_open(ctx, name, 0, &file, error);
  *text = NULL;
  *size = 0;
  if (result != HFM_OK) return result;
  if (file.size > cap || file.size >= (uint64_t)PTRDIFF_MAX) {
    result = hfm__fail(error, HFM_E_FILE_TOO_LARGE, name, NULL, cap,
                       "%u bytes, but at most %u are read of such a file (options.limits)", file.size, cap);
    hfm__file_close(&file);
    return result;
  }
  data = (char *)hfm__alloc(&ctx->mem, file.size + 1);
  result = data ? hfm__file_read(&file, 0, data, file.size, error)
                : hfm__fail_memory(error, "the text of a file", file.size + 1);
  if (result == HFM_OK) {
    data[file.size] = 0;
    *text = data;
    *size = (size_t)file.size;
  } else {
    hfm__free(&ctx->mem, data, file.size + 1);
  }
  hfm__file_close(&file);
  return result;
}

/* "a/b", allocated (strlen + 1 bytes). Either part may be empty. NULL when out of memory. */
HFM__PRIVATE char *hfm__join_path(const hfm_allocator *mem, const char *dir, const char *name) {
  const size_t n = strlen(dir), m = strlen(name);
  const size_t slash = n && m && dir[n - 1] != '/' ? 1 : 0;
  char *path = (char *)hfm__alloc(mem, (uint64_t)n + slash + m + 1);
  if (!path) return NULL;
  memcpy(path, dir, n);
  if (slash) path[n] = '/';
  memcpy(path + n + slash, name, m + 1);
  return path;
}

HFM__PRIVATE void hfm__free_text(const hfm_allocator *mem, char *text) {
  if (text) hfm__free(mem, text, strlen(text) + 1);
}

/* ---- Memory ---- */

/* Files that the caller holds; hfm_io.ctx of hfm__memory_io points to this. */
typedef struct hfm__memory_files {
  const hfm_memory_file *files;
  size_t count;
} hfm__memory_files;

HFM__PRIVATE hfm_result hfm__memory_open(void *ctx, const char *name, void **file) {
  const hfm__memory_files *all = (const hfm__memory_files *)ctx;
  for (size_t i = 0; i < all->count; i++) {
    if (hfm__equal(all->files[i].name, name)) {
      *file = (void *)&all->files[i];
      return HFM_OK;
    }
  }
  return HFM_ERROR_NOT_FOUND;
}

HFM__PRIVATE uint64_t hfm__memory_size(void *ctx, void *file) {
  (void)ctx;
  return ((const hfm_memory_file *)file)->size;
}

HFM__PRIVATE hfm_result hfm__memory_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size,
                                         size_t *got) {
  const hfm_memory_file *file = (const hfm_memory_file *)handle;
  (void)ctx;
  *got = offset >= file->size ? 0 : (size_t)HFM__MIN((uint64_t)size, file->size - offset);
  if (*got) memcpy(dst, (const uint8_t *)file->data + offset, *got);
  return HFM_OK;
}

HFM__PRIVATE const void *hfm__memory_map(void *ctx, void *file) {
  (void)ctx;
  return ((const hfm_memory_file *)file)->data;
}

HFM__PRIVATE void hfm__memory_close(void *ctx, void *file) {
  (void)ctx;
  (void)file;
}

/* `files` must live as long as the io. The directory's name is "": names are those of the files. */
HFM__PRIVATE hfm_io hfm__memory_io(hfm__memory_files *files) {
  hfm_io io;
  io.ctx = files;
  io.open = hfm__memory_open;
  io.size = hfm__memory_size;
  io.read = hfm__memory_read;
  io.map = hfm__memory_map;
  io.close = hfm__memory_close;
  return io;
}
/* ==== end src/base/io.c ==== */

/* ==== begin src/tensor/dtype.c ==== */
/* ==== tensor/dtype (private): one list of element types ========================================================
   X(name, safetensors name, torch name, short name in options or NULL, bits) */

#define HFM__DTYPE_LIST(X) \
  X(HFM_F32, "F32", "float32", "fp32", 32) \
  X(HFM_F16, "F16", "float16", "fp16", 16) \
  X(HFM_BF16, "BF16", "bfloat16", "bf16", 16) \
  X(HFM_F64, "F64", "float64", "fp64", 64) \
  X(HFM_I64, "I64", "int64", NULL, 64) \
  X(HFM_I32, "I32", "int32", NULL, 32) \
  X(HFM_I16, "I16", "int16", NULL, 16) \
  X(HFM_I8, "I8", "int8", NULL, 8) \
  X(HFM_U64, "U64", "uint64", NULL, 64) \
  X(HFM_U32, "U32", "uint32", NULL, 32) \
  X(HFM_U16, "U16", "uint16", NULL, 16) \
  X(HFM_U8, "U8", "uint8", NULL, 8) \
  X(HFM_BOOL, "BOOL", "bool", NULL, 8) \
  X(HFM_C64, "C64", "complex64", NULL, 64) \
  X(HFM_F8_E4M3, "F8_E4M3", "float8_e4m3fn", NULL, 8) \
  X(HFM_F8_E5M2, "F8_E5M2", "float8_e5m2", NULL, 8) \
  X(HFM_F8_E8M0, "F8_E8M0", "float8_e8m0fnu", NULL, 8) \
  X(HFM_F8_E4M3FNUZ, "F8_E4M3FNUZ", "float8_e4m3fnuz", NULL, 8) \
  X(HFM_F8_E5M2FNUZ, "F8_E5M2FNUZ", "float8_e5m2fnuz", NULL, 8) \
  X(HFM_F6_E2M3, "F6_E2M3", "float6_e2m3fn", NULL, 6) \
  X(HFM_F6_E3M2, "F6_E3M2", "float6_e3m2fn", NULL, 6) \
  X(HFM_F4, "F4", "float4_e2m1fn_x2", NULL, 4)

typedef struct hfm__dtype_row {
  hfm_dtype dtype;
  int32_t bits;
  const char *safetensors, *torch, *alias;
} hfm__dtype_row;

static const hfm__dtype_row hfm__dtypes[] = {
#define HFM__DTYPE_ROW(name, safetensors, torch, alias, bits) {name, bits, safetensors, torch, alias},
    HFM__DTYPE_LIST(HFM__DTYPE_ROW)
#undef HFM__DTYPE_ROW
};

HFM__PRIVATE const hfm__dtype_row *hfm__dtype_find(hfm_dtype dtype) {
  for (size_t i = 0; i < HFM__COUNT(hfm__dtypes); i++)
    if (hfm__dtypes[i].dtype == dtype) return &hfm__dtypes[i];
  return NULL;
}

HFMODEL_API const char *hfm_dtype_name(hfm_dtype dtype) {
  const hfm__dtype_row *row = hfm__dtype_find(dtype);
  return row ? row->torch : NULL;
}

HFMODEL_API int32_t hfm_dtype_bits(hfm_dtype dtype) {
  const hfm__dtype_row *row = hfm__dtype_find(dtype);
  return row ? row->bits : 0;
}

HFMODEL_API hfm_dtype hfm_dtype_from_name(const char *name) {
  if (!name) return HFM_DTYPE_AUTO;
  if (hfm__starts_with(name, "torch.")) name += 6;
  for (size_t i = 0; i < HFM__COUNT(hfm__dtypes); i++) {
    const hfm__dtype_row *row = &hfm__dtypes[i];
    if (hfm__equal(name, row->torch) || hfm__equal(name, row->safetensors) ||
        (row->alias && hfm__equal(name, row->alias)))
      return row->dtype;
  }
  return HFM_DTYPE_AUTO;
}

HFM__PRIVATE int hfm__is_float(hfm_dtype dtype) {
  return dtype == HFM_F32 || dtype == HFM_F16 || dtype == HFM_BF16 || dtype == HFM_F64;
}

/* Types that kernels read where they lie. */
HFM__PRIVATE int hfm__is_native(hfm_dtype dtype) { return dtype == HFM_F32 || dtype == HFM_F16 || dtype == HFM_BF16; }

/* ---- The tensor views of the public API ---- */

HFMODEL_API hfm_tensor hfm_tensor_i64(const int64_t *data, int64_t batch, int64_t length) {
  hfm_tensor t;
  memset(&t, 0, sizeof t);
  t.data = data;
  t.dtype = HFM_I64;
  t.rank = 2;
  t.shape[0] = batch;
  t.shape[1] = length;
  return t;
}

HFMODEL_API hfm_tensor hfm_tensor_f32(const float *data, int32_t rank, const int64_t *shape) {
  hfm_tensor t;
  memset(&t, 0, sizeof t);
  t.data = data;
  t.dtype = HFM_F32;
  t.rank = rank;
  for (int32_t i = 0; i < rank && i < HFM_MAX_RANK; i++) t.shape[i] = shape[i];
  return t;
}
/* ==== end src/tensor/dtype.c ==== */
/* ==== begin src/tensor/convert.c ==== */
/* ==== tensor/convert (private): elements of one type as another =================================================
   Used where a conversion is asked for, or a type that kernels don't read is stored. Rounds to nearest, ties to even.
   Bit patterns only: no float compare decides about NaN, so -ffast-math changes nothing. */

HFM__INLINE float hfm__float_from_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}
HFM__INLINE uint32_t hfm__float_bits(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

/* IEEE-like formats of at most 16 bits: sign, `exponent` bits, `mantissa` bits; infinities and NaN as IEEE. */
HFM__PRIVATE float hfm__small_float(uint32_t v, int32_t exponent, int32_t mantissa) {
  const uint32_t sign = v >> (exponent + mantissa) << 31, fraction_mask = (1u << mantissa) - 1;
  const int32_t bias = (1 << (exponent - 1)) - 1;
  const uint32_t e = v >> mantissa & ((1u << exponent) - 1), f = v & fraction_mask;
  if (e == (1u << exponent) - 1) return hfm__float_from_bits(sign | 0x7f800000u | f << (23 - mantissa));
  if (e == 0) {
    float value = (float)f * hfm__float_from_bits((uint32_t)(127 + 1 - bias - mantissa) << 23);
    return hfm__float_from_bits(hfm__float_bits(value) | sign);
  }
  return hfm__float_from_bits(sign | (uint32_t)((int32_t)e + 127 - bias) << 23 | f << (23 - mantissa));
}

HFM__PRIVATE float hfm__f16_to_f32(uint16_t v) { return hfm__small_float(v, 5, 10); }
HFM__PRIVATE float hfm__bf16_to_f32(uint16_t v) { return hfm__float_from_bits((uint32_t)v << 16); }

HFM__PRIVATE uint16_t hfm__f32_to_bf16(float value) {
  const uint32_t bits = hfm__float_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40); /* a NaN stays one */
  return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

HFM__PRIVATE uint16_t hfm__f32_to_f16(float value) {
  const uint32_t bits = hfm__float_bits(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  uint32_t mantissa, shift, half, rest;
  if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
  if (magnitude >= 0x47800000u) return (uint16_t)(sign | 0x7c00u); /* 2^16 and more; rounding up to it comes below */
  if (magnitude < 0x33000000u) return (uint16_t)sign;              /* less than half of the smallest */
  if (magnitude >= 0x38800000u) {                                  /* normal */
    half = (magnitude - 0x38000000u) >> 13;
    rest = magnitude & 0x1fffu;
    shift = 13;
  } else {
    shift = 126 - (magnitude >> 23);
    mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    half = mantissa >> shift;
    rest = mantissa & ((1u << shift) - 1);
  }
  if (rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && (half & 1))) half++;
  return (uint16_t)(sign | half);
}

/* 1 where hfm__to_f32 knows the type. */
HFM__PRIVATE int hfm__convertible(hfm_dtype dtype) {
  return hfm__is_float(dtype) || (dtype >= HFM_I64 && dtype <= HFM_BOOL) || dtype == HFM_F8_E5M2 ||
         dtype == HFM_F8_E4M3;
}

/* Element i of file bytes in little-endian order (big: the other order), as a double: exact for every type but I64 and
   U64 beyond 2^53. */
HFM__PRIVATE double hfm__element(const void *data, hfm_dtype dtype, int64_t i, int32_t big) {
  const int32_t size = hfm_dtype_bits(dtype) / 8;
  const uint8_t *p = (const uint8_t *)data + i * size;
  uint64_t v = 0;
  for (int32_t b = 0; b < size; b++) v |= (uint64_t)p[big ? size - 1 - b : b] << 8 * b;
  switch (dtype) {
    case HFM_F32:
      return (double)hfm__float_from_bits((uint32_t)v);
    case HFM_F64:
      return hfm__double_from_bits(v);
    case HFM_F16:
      return (double)hfm__f16_to_f32((uint16_t)v);
    case HFM_BF16:
      return (double)hfm__bf16_to_f32((uint16_t)v);
    case HFM_F8_E5M2:
      return (double)hfm__small_float((uint32_t)v, 5, 2);
    case HFM_F8_E4M3: /* no infinities: only all ones is NaN, and the top exponent is a number */
      if ((v & 0x7f) == 0x7f) return (double)hfm__float_from_bits(0x7fc00000u);
      if ((v >> 3 & 15) == 15) return ((v & 0x80) ? -1.0 : 1.0) * 256.0 * (1.0 + (double)(v & 7) / 8.0);
      return (double)hfm__small_float((uint32_t)v, 4, 3);
    case HFM_I64:
      return (double)(int64_t)v;
    case HFM_I32:
      return (double)(int32_t)(uint32_t)v;
    case HFM_I16:
      return (double)(int16_t)(uint16_t)v;
    case HFM_I8:
      return (double)(int8_t)(uint8_t)v;
    case HFM_BOOL:
      return v ? 1.0 : 0.0;
    default:
      return (double)v;
  }
}

/* Stores a value in the host's byte order; dtype is F32, F16 or BF16. */
HFM__PRIVATE void hfm__store(void *data, hfm_dtype dtype, int64_t i, double value) {
  const float f = (float)value;
  if (dtype == HFM_F32) ((float *)data)[i] = f;
  else ((uint16_t *)data)[i] = dtype == HFM_F16 ? hfm__f32_to_f16(f) : hfm__f32_to_bf16(f);
}
/* ==== end src/tensor/convert.c ==== */

/* ==== begin src/formats/json.c ==== */
/* ==== formats/json (private): RFC 8259, strictly ===============================================================
   Two layers. The reader hands out one value after another and allocates nothing but the list of open objects' keys
   (for duplicates): large files (safetensors headers, shard indexes) are consumed as they are read. The document
   above it (config.json) is a flat array of nodes that can be edited and written as Python writes it.
   Nothing recurses: depth is bounded, and walks keep their own stack. */

enum { HFM__JSON_MAX_DEPTH = 128 };

enum {
  HFM__JSON_FAILED = 0,
  HFM__JSON_NULL,
  HFM__JSON_BOOL,
  HFM__JSON_NUMBER,
  HFM__JSON_STRING,
  HFM__JSON_ARRAY,  /* begins; its values follow, then HFM__JSON_END */
  HFM__JSON_OBJECT, /* begins; its members follow, then HFM__JSON_END */
  HFM__JSON_END,    /* of the innermost array or object */
  HFM__JSON_DONE    /* the one value of the text is complete, and only white space followed */
};

enum { HFM__JSON_NONFINITE = 1 }; /* reader flag: NaN, Infinity and -Infinity are numbers, as in Python's configs */

/* Bytes of the text; strings without their quotes, escapes still in them if `escaped`. */
typedef struct hfm__json_span {
  const char *text;
  size_t size;
  int32_t escaped;
} hfm__json_span;

typedef struct hfm__json_key {
  hfm__json_span span;
  uint32_t hash; /* of the unescaped bytes */
} hfm__json_key;

typedef struct hfm__json_reader {
  const hfm_allocator *mem;
  const char *file; /* for errors; may be NULL */
  uint64_t base;    /* of text[0] in the file, for errors */
  const char *text;
  size_t size, pos;
  int32_t flags;
  int32_t depth;
  int32_t after_value; /* a value precedes: a comma or the end of the container must follow */
  uint8_t is_object[HFM__JSON_MAX_DEPTH + 1];
  size_t first_key[HFM__JSON_MAX_DEPTH + 1]; /* where the keys of each open object begin in `keys` */
  hfm__json_key *keys;
  size_t key_count, key_capacity;
  hfm_error *error;
  hfm_result result; /* of the first error */
  hfm__json_span key;   /* of the value just returned, where it is a member of an object */
  hfm__json_span value; /* its text: string, number, or the literal's letters */
  size_t at;            /* byte in the text where it begins */
} hfm__json_reader;

HFM__PRIVATE void hfm__json_begin(hfm__json_reader *r, const hfm_allocator *mem, const char *file, const char *text,
                                  size_t size, uint64_t base, int32_t flags, hfm_error *error) {
  memset(r, 0, sizeof *r);
  r->mem = mem;
  r->file = file;
  r->text = text;
  r->size = size;
  r->base = base;
  r->flags = flags;
  r->error = error;
}

HFM__PRIVATE void hfm__json_end(hfm__json_reader *r) {
  hfm__free(r->mem, r->keys, (uint64_t)r->key_capacity * sizeof *r->keys);
  r->keys = NULL;
  r->key_count = r->key_capacity = 0;
}

/* A JSON error at byte `at` of the text: what was expected, and what is there. */
HFM__PRIVATE int32_t hfm__json_fail(hfm__json_reader *r, int32_t item, size_t at, const char *expected) {
  const uint64_t offset = r->base + at;
  if (r->result != HFM_OK) return HFM__JSON_FAILED;
  if (at >= r->size) {
    r->result = hfm__fail(r->error, item, r->file, NULL, offset, "byte %u: %s expected, but the text ends", offset,
                          expected);
  } else {
    char found[24];
    hfm__text t = hfm__text_to(found, sizeof found);
    hfm__text_quoted(&t, r->text + at, 1);
    r->result = hfm__fail(r->error, item, r->file, NULL, offset, "byte %u: %s expected, found %s", offset, expected,
                          found);
  }
  return HFM__JSON_FAILED;
}

/* ---- Strings ---- */

HFM__PRIVATE int32_t hfm__hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* Four hexadecimal digits, or -1. */
HFM__PRIVATE int32_t hfm__hex4(const char *s) {
  int32_t value = 0;
  for (int32_t i = 0; i < 4; i++) {
    const int32_t digit = hfm__hex_digit(s[i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

/* Length of the well-formed UTF-8 sequence at s (n > 0 bytes are left), or 0. */
HFM__PRIVATE size_t hfm__utf8_length(const char *s, size_t n) {
  const uint8_t *b = (const uint8_t *)s;
  size_t length;
  uint8_t low = 0x80, high = 0xbf;
  if (b[0] < 0x80) return 1;
  if (b[0] < 0xc2 || b[0] > 0xf4) return 0;
  length = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
  if (b[0] == 0xe0) low = 0xa0;  /* no overlong forms, */
  if (b[0] == 0xed) high = 0x9f; /* no surrogates, */
  if (b[0] == 0xf0) low = 0x90;
  if (b[0] == 0xf4) high = 0x8f; /* nothing beyond U+10FFFF */
  if (n < length || b[1] < low || b[1] > high) return 0;
  for (size_t i = 2; i < length; i++)
    if (b[i] < 0x80 || b[i] > 0xbf) return 0;
  return length;
}

HFM__PRIVATE size_t hfm__utf8_write(uint32_t code, char *dst) {
  if (code < 0x80) {
    dst[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    dst[0] = (char)(0xc0 | code >> 6);
    dst[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  if (code < 0x10000) {
    dst[0] = (char)(0xe0 | code >> 12);
    dst[1] = (char)(0x80 | (code >> 6 & 0x3f));
    dst[2] = (char)(0x80 | (code & 0x3f));
    return 3;
  }
  dst[0] = (char)(0xf0 | code >> 18);
  dst[1] = (char)(0x80 | (code >> 12 & 0x3f));
  dst[2] = (char)(0x80 | (code >> 6 & 0x3f));
  dst[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

/* The next character of a checked string: bytes to dst[4] and their number; *pos moves over it. */
HFM__PRIVATE size_t hfm__json_char(const hfm__json_span *s, size_t *pos, char dst[4]) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  uint32_t code;
  if (s->text[*pos] != '\\') {
    dst[0] = s->text[(*pos)++];
    return 1;
  }
  if (s->text[*pos + 1] != 'u') {
    dst[0] = meanings[strchr(letters, s->text[*pos + 1]) - letters];
    *pos += 2;
    return 1;
  }
  code = (uint32_t)hfm__hex4(s->text + *pos + 2);
  *pos += 6;
  if (code >= 0xd800 && code < 0xdc00) {
    code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)hfm__hex4(s->text + *pos + 2) - 0xdc00);
    *pos += 6;
  }
  return hfm__utf8_write(code, dst);
}

/* Writes the unescaped bytes (never more than s->size) and returns their number. dst may be s->text. */
HFM__PRIVATE size_t hfm__json_unescape(const hfm__json_span *s, char *dst) {
  size_t n = 0;
  if (!s->escaped) {
    if (s->size) memmove(dst, s->text, s->size);
    return s->size;
  }
  for (size_t pos = 0; pos < s->size;) {
    char bytes[4];
    const size_t count = hfm__json_char(s, &pos, bytes);
    memcpy(dst + n, bytes, count);
    n += count;
  }
  return n;
}

/* Of the unescaped bytes, as memcmp; a prefix comes first. */
HFM__PRIVATE int hfm__json_order(const hfm__json_span *a, const hfm__json_span *b) {
  char x[4] = {0, 0, 0, 0}, y[4] = {0, 0, 0, 0};
  size_t i = 0, j = 0, x_count = 0, y_count = 0, x_at = 0, y_at = 0;
  if (!a->escaped && !b->escaped) {
    const size_t n = HFM__MIN(a->size, b->size);
    const int order = n ? memcmp(a->text, b->text, n) : 0;
    return order ? order : a->size == b->size ? 0 : a->size < b->size ? -1 : 1;
  }
  for (;; x_at++, y_at++) {
    if (x_at == x_count) {
      x_count = i < a->size ? hfm__json_char(a, &i, x) : 0;
      x_at = 0;
    }
    if (y_at == y_count) {
      y_count = j < b->size ? hfm__json_char(b, &j, y) : 0;
      y_at = 0;
    }
    if (x_count == 0 || y_count == 0) return x_count == y_count ? 0 : x_count ? 1 : -1;
    if (x[x_at] != y[y_at]) return (uint8_t)x[x_at] < (uint8_t)y[y_at] ? -1 : 1;
  }
}

HFM__PRIVATE hfm__json_span hfm__json_literal(const char *text) {
  hfm__json_span span;
  span.text = text;
  span.size = strlen(text);
  span.escaped = 0;
  return span;
}

HFM__PRIVATE int hfm__json_is(const hfm__json_span *span, const char *text) {
  const hfm__json_span other = hfm__json_literal(text);
  return hfm__json_order(span, &other) == 0;
}

HFM__PRIVATE uint32_t hfm__json_hash(const hfm__json_span *s) {
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (size_t pos = 0; pos < s->size;) {
    char bytes[4];
    const size_t count = hfm__json_char(s, &pos, bytes);
    for (size_t i = 0; i < count; i++) hash = (hash ^ (uint8_t)bytes[i]) * 16777619u;
  }
  return hash;
}

/* One escape at r->pos, the backslash. */
HFM__PRIVATE int hfm__json_escape(hfm__json_reader *r) {
  const size_t at = r->pos, left = r->size - at;
  int32_t code;
  if (left < 2) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->size, "an escape");
  if (r->text[at + 1] != 'u') {
    if (r->text[at + 1] == 0 || !strchr("\"\\/bfnrt", r->text[at + 1]))
      return hfm__json_fail(r, HFM_E_JSON_SYNTAX, at + 1, "one of \" \\ / b f n r t u after a backslash");
    r->pos = at + 2;
    return 1;
  }
  code = left < 6 ? -1 : hfm__hex4(r->text + at + 2);
  if (code < 0) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, HFM__MIN(at + 2, r->size), "four hexadecimal digits");
  r->pos = at + 6;
  if (code < 0xd800 || code > 0xdfff) return 1;
  if (code < 0xdc00 && left >= 12 && r->text[at + 6] == '\\' && r->text[at + 7] == 'u') {
    const int32_t low = hfm__hex4(r->text + at + 8);
    if (low >= 0xdc00 && low <= 0xdfff) {
      r->pos = at + 12;
      return 1;
    }
  }
  return hfm__json_fail(r, HFM_E_JSON_UTF8, at, "a pair of surrogates (one alone is no character)");
}

/* A string at r->pos, the opening quote. */
HFM__PRIVATE int hfm__json_string(hfm__json_reader *r, hfm__json_span *span) {
  span->text = r->text + ++r->pos;
  span->escaped = 0;
  while (r->pos < r->size) {
    const uint8_t c = (uint8_t)r->text[r->pos];
    if (c == '"') {
      span->size = (size_t)(r->text + r->pos++ - span->text);
      return 1;
    }
    if (c == '\\') {
      span->escaped = 1;
      if (!hfm__json_escape(r)) return 0;
    } else if (c < 0x20) {
      return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "no control character in a string (write \\u0000 for one)");
    } else {
      const size_t length = hfm__utf8_length(r->text + r->pos, r->size - r->pos);
      if (!length) return hfm__json_fail(r, HFM_E_JSON_UTF8, r->pos, "UTF-8");
      r->pos += length;
    }
  }
  return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->size, "the closing quote of a string");
}

/* ---- Duplicate keys ---- */

/* By hash, which settles nearly all pairs at once; then by the bytes, so that chosen collisions cost no more. */
HFM__PRIVATE int hfm__json_key_order(const void *a, const void *b) {
  const hfm__json_key *x = (const hfm__json_key *)a, *y = (const hfm__json_key *)b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return hfm__json_order(&x->span, &y->span);
}

/* Closes an object: none of its keys may repeat. */
HFM__PRIVATE int hfm__json_check_keys(hfm__json_reader *r) {
  const size_t count = r->key_count - r->first_key[r->depth];
  const hfm__json_key *first, *repeated = NULL;
  const uint64_t bytes = (uint64_t)count * 2 * sizeof(void *);
  const void *few[16], **sorted = few;
  r->key_count -= count;
  if (count < 2) return 1;
  first = r->keys + r->key_count;
  if (count * 2 > HFM__COUNT(few)) {
    sorted = (const void **)hfm__alloc(r->mem, bytes);
    if (!sorted) {
      r->result = hfm__fail_memory(r->error, "checking a JSON object's keys", bytes);
      return 0;
    }
  }
  for (size_t i = 0; i < count; i++) sorted[i] = first + i;
  hfm__sort(sorted, sorted + count, count, hfm__json_key_order);
  for (size_t i = 1; i < count && !repeated; i++)
    if (hfm__json_key_order(sorted[i - 1], sorted[i]) == 0) repeated = (const hfm__json_key *)sorted[i];
  if (sorted != few) hfm__free(r->mem, (void *)sorted, bytes);
  if (repeated) {
    const uint64_t offset = r->base + (uint64_t)(repeated->span.text - r->text) - 1;
    char name[192];
    hfm__text t = hfm__text_to(name, sizeof name);
    hfm__text_quoted(&t, repeated->span.text, repeated->span.size);
    r->result = hfm__fail(r->error, HFM_E_JSON_DUPLICATE_KEY, r->file, NULL, offset,
                          "byte %u: each key of an object once expected, found %s again", offset, name);
  }
  return !repeated;
}

/* ---- Values ---- */

HFM__PRIVATE int hfm__json_is_digit(const hfm__json_reader *r) {
  return r->pos < r->size && r->text[r->pos] >= '0' && r->text[r->pos] <= '9';
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
HFM__PRIVATE int32_t hfm__json_number(hfm__json_reader *r) {
  if (r->text[r->pos] == '-') r->pos++;
  if (!hfm__json_is_digit(r)) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a digit");
  if (r->text[r->pos] == '0') r->pos++;
  else
    while (hfm__json_is_digit(r)) r->pos++;
  if (hfm__json_is_digit(r)) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "no digit after a leading zero");
  if (r->pos < r->size && r->text[r->pos] == '.') {
    r->pos++;
    if (!hfm__json_is_digit(r)) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a digit after the point");
    while (hfm__json_is_digit(r)) r->pos++;
  }
  if (r->pos < r->size && (r->text[r->pos] == 'e' || r->text[r->pos] == 'E')) {
    r->pos++;
    if (r->pos < r->size && (r->text[r->pos] == '+' || r->text[r->pos] == '-')) r->pos++;
    if (!hfm__json_is_digit(r)) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a digit of the exponent");
    while (hfm__json_is_digit(r)) r->pos++;
  }
  return HFM__JSON_NUMBER;
}

HFM__PRIVATE int hfm__json_word(hfm__json_reader *r, const char *word) {
  const size_t n = strlen(word);
  if (r->size - r->pos < n || memcmp(r->text + r->pos, word, n) != 0) return 0;
  r->pos += n;
  return 1;
}

HFM__PRIVATE int32_t hfm__json_scalar(hfm__json_reader *r) {
  int32_t kind = HFM__JSON_FAILED;
  const int python = r->flags & HFM__JSON_NONFINITE;
  r->value.text = r->text + r->pos;
  r->value.escaped = 0;
  if (r->text[r->pos] == '"') {
    if (!hfm__json_string(r, &r->value)) return HFM__JSON_FAILED;
    return HFM__JSON_STRING;
  }
  if (hfm__json_word(r, "null")) kind = HFM__JSON_NULL;
  else if (hfm__json_word(r, "true") || hfm__json_word(r, "false")) kind = HFM__JSON_BOOL;
  else if (python && (hfm__json_word(r, "NaN") || hfm__json_word(r, "Infinity") || hfm__json_word(r, "-Infinity")))
    kind = HFM__JSON_NUMBER;
  else if (r->text[r->pos] == '-' || hfm__json_is_digit(r)) kind = hfm__json_number(r);
  else return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a value");
  r->value.size = (size_t)(r->text + r->pos - r->value.text);
  return kind;
}

HFM__PRIVATE void hfm__json_space(hfm__json_reader *r) {
  while (r->pos < r->size && (r->text[r->pos] == ' ' || r->text[r->pos] == '\n' || r->text[r->pos] == '\r' ||
                              r->text[r->pos] == '\t'))
    r->pos++;
}

/* `"key" :` at r->pos */
HFM__PRIVATE int hfm__json_member(hfm__json_reader *r) {
  hfm__json_key *key;
  void *grown;
  if (r->pos >= r->size || r->text[r->pos] != '"') return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a quoted key");
  if (!hfm__json_string(r, &r->key)) return 0;
  grown = hfm__grow(r->mem, r->keys, r->key_count, &r->key_capacity, sizeof *r->keys);
  if (!grown) {
    r->result = hfm__fail_memory(r->error, "the keys of a JSON object", 0);
    return 0;
  }
  r->keys = (hfm__json_key *)grown;
  key = r->keys + r->key_count++;
  key->span = r->key;
  key->hash = hfm__json_hash(&r->key);
  hfm__json_space(r);
  if (r->pos >= r->size || r->text[r->pos] != ':') return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "':'");
  r->pos++;
  hfm__json_space(r);
  return 1;
}

/* The next thing in the text; after HFM__JSON_FAILED the error is filled and r->result says which. */
HFM__PRIVATE int32_t hfm__json_next(hfm__json_reader *r) {
  int32_t kind, in_object;
  if (r->result != HFM_OK) return HFM__JSON_FAILED;
  hfm__json_space(r);
  r->at = r->pos;
  if (r->depth == 0 && r->after_value) {
    if (r->pos < r->size) return hfm__json_fail(r, HFM_E_JSON_TRAILING, r->pos, "nothing after the value");
    return HFM__JSON_DONE;
  }
  in_object = r->depth > 0 && r->is_object[r->depth];
  if (r->depth > 0) {
    const char closing = in_object ? '}' : ']';
    if (r->pos < r->size && r->text[r->pos] == closing) {
      r->pos++;
      if (in_object && !hfm__json_check_keys(r)) return HFM__JSON_FAILED;
      r->depth--;
      r->after_value = 1;
      return HFM__JSON_END;
    }
    if (r->after_value) {
      if (r->pos >= r->size || r->text[r->pos] != ',')
        return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, in_object ? "',' or '}'" : "',' or ']'");
      r->pos++;
      hfm__json_space(r);
    }
    if (in_object && !hfm__json_member(r)) return HFM__JSON_FAILED;
  }
  r->at = r->pos;
  if (r->pos >= r->size) return hfm__json_fail(r, HFM_E_JSON_SYNTAX, r->pos, "a value");
  if (r->text[r->pos] != '{' && r->text[r->pos] != '[') {
    kind = hfm__json_scalar(r);
    r->after_value = 1;
    return kind;
  }
  if (r->depth == HFM__JSON_MAX_DEPTH)
    return hfm__json_fail(r, HFM_E_JSON_DEPTH, r->pos, "at most 128 levels of nesting");
  kind = r->text[r->pos++] == '{' ? HFM__JSON_OBJECT : HFM__JSON_ARRAY;
  r->depth++;
  r->is_object[r->depth] = kind == HFM__JSON_OBJECT;
  r->first_key[r->depth] = r->key_count;
  r->after_value = 0;
  return kind;
}

/* After ARRAY or OBJECT: passes over the rest of it. 0 on error. */
HFM__PRIVATE int hfm__json_skip(hfm__json_reader *r, int32_t kind) {
  const int32_t outside = r->depth - 1;
  if (kind != HFM__JSON_ARRAY && kind != HFM__JSON_OBJECT) return kind != HFM__JSON_FAILED;
  while (r->depth > outside)
    if (hfm__json_next(r) == HFM__JSON_FAILED) return 0;
  return 1;
}

/* ---- Numbers ---- */

/* Only -?(0|[1-9][0-9]*) without "-0": 4.0 and 4e0 are not integers. */
HFM__PRIVATE int hfm__json_u64(const char *text, size_t size, uint64_t *value) {
  uint64_t v = 0;
  if (size == 0) return 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') return 0;
    if (!hfm__mul64(v, 10, &v) || !hfm__add64(v, (uint64_t)(text[i] - '0'), &v)) return 0;
  }
  *value = v;
  return 1;
}

HFM__PRIVATE int hfm__json_i64(const char *text, size_t size, int64_t *value) {
  const int negative = size > 0 && text[0] == '-';
  uint64_t v;
  if (!hfm__json_u64(text + negative, size - (size_t)negative, &v)) return 0;
  if (v > (uint64_t)INT64_MAX + (uint64_t)negative || (negative && v == 0)) return 0;
  *value = negative ? -(int64_t)(v - 1) - 1 : (int64_t)v;
  return 1;
}
/* ==== end src/formats/json.c ==== */
/* ==== begin src/formats/json_document.c ==== */
/* ==== formats/json_document (private): a JSON value that can be edited and written =============================
   A flat array of 16-byte nodes over one text buffer; links are indices, strings are unescaped in place. Members of
   an object are kept sorted by key, which is how Python's json.dumps(sort_keys=True) writes them. */

enum { HFM__JSON_NUMERIC_KEYS = 1 }; /* node flag: the keys of an object in this place are numbers (id2label) */

typedef struct hfm__json_node {
  uint32_t start; /* scalars: first byte in doc->text; containers: the first child, 0 if none */
  uint32_t size;  /* scalars: bytes; containers: children */
  uint32_t next;  /* the next child of the same container, 0 at the end */
  uint16_t kind;  /* HFM__JSON_NULL ... HFM__JSON_OBJECT */
  uint16_t flags; /* HFM__JSON_NUMERIC_KEYS; of strings while parsing: 1 if escaped */
} hfm__json_node;

/* An object's children are its keys (strings); the value of key k is node k + 1. Node 0 is not used. */
typedef struct hfm__json {
  hfm_allocator mem;
  char *text;
  size_t text_size, text_capacity;
  hfm__json_node *nodes;
  size_t count, capacity;
  uint32_t root;
} hfm__json;

HFM__PRIVATE void hfm__json_free(hfm__json *doc) {
  hfm__free(&doc->mem, doc->text, doc->text_capacity);
  hfm__free(&doc->mem, doc->nodes, (uint64_t)doc->capacity * sizeof *doc->nodes);
  doc->text = NULL;
  doc->nodes = NULL;
  doc->text_size = doc->text_capacity = doc->count = doc->capacity = 0;
  doc->root = 0;
}

/* A new node, or 0 when out of memory. */
HFM__PRIVATE uint32_t hfm__json_add(hfm__json *doc, int32_t kind, uint32_t start, uint32_t size) {
  hfm__json_node *node;
  void *grown = hfm__grow(&doc->mem, doc->nodes, doc->count + 1, &doc->capacity, sizeof *doc->nodes);
  if (!grown || doc->count >= UINT32_MAX - 2) return 0;
  doc->nodes = (hfm__json_node *)grown;
  if (doc->count == 0) memset(&doc->nodes[doc->count++], 0, sizeof *doc->nodes);
  node = &doc->nodes[doc->count];
  memset(node, 0, sizeof *node);
  node->kind = (uint16_t)kind;
  node->start = start;
  node->size = size;
  return (uint32_t)doc->count++;
}

/* Room for `size` more bytes of text and a NUL; their position, or UINT32_MAX. */
HFM__PRIVATE uint32_t hfm__json_reserve(hfm__json *doc, size_t size) {
  const uint64_t wanted = (uint64_t)doc->text_size + size + 1;
  if (wanted >= UINT32_MAX) return UINT32_MAX;
  if (wanted > doc->text_capacity) {
    const uint64_t capacity = HFM__MAX(wanted, (uint64_t)doc->text_capacity * 2);
    char *grown = (char *)hfm__realloc(&doc->mem, doc->text, doc->text_capacity, capacity);
    if (!grown) return UINT32_MAX;
    doc->text = grown;
    doc->text_capacity = (size_t)capacity;
  }
  return (uint32_t)doc->text_size;
}

HFM__PRIVATE uint32_t hfm__json_store(hfm__json *doc, const char *text, size_t size) {
  const uint32_t start = hfm__json_reserve(doc, size);
  if (start == UINT32_MAX) return UINT32_MAX;
  if (size) memcpy(doc->text + start, text, size);
  doc->text[start + size] = 0;
  doc->text_size += size + 1;
  return start;
}

/* ---- Order of members ---- */

HFM__PRIVATE int hfm__json_all_digits(const hfm__json *doc, const hfm__json_node *key) {
  for (uint32_t i = 0; i < key->size; i++)
    if (doc->text[key->start + i] < '0' || doc->text[key->start + i] > '9') return 0;
  return key->size > 0;
}

/* Bytes of UTF-8 order as code points do, which is how Python compares strings. */
HFM__PRIVATE int hfm__json_key_less(const hfm__json *doc, uint32_t a, uint32_t b, int numeric) {
  const hfm__json_node *x = &doc->nodes[a], *y = &doc->nodes[b];
  const uint32_t n = HFM__MIN(x->size, y->size);
  int order;
  if (numeric) { /* numbers first; those that Python writes have no leading zeros */
    const int x_digits = hfm__json_all_digits(doc, x), y_digits = hfm__json_all_digits(doc, y);
    if (x_digits != y_digits) return x_digits;
    if (x_digits && x->size != y->size) return x->size < y->size;
  }
  order = n ? memcmp(doc->text + x->start, doc->text + y->start, n) : 0;
  return order ? order < 0 : x->size < y->size;
}

/* Merge sort of the list of an object's keys, in place: runs of 1, 2, 4, ... are merged until one is left. */
HFM__PRIVATE void hfm__json_sort_members(hfm__json *doc, uint32_t object, int numeric) {
  hfm__json_node *nodes = doc->nodes;
  uint32_t head = nodes[object].start;
  for (uint32_t width = 1; width < nodes[object].size; width *= 2) {
    uint32_t left = head, tail = 0;
    head = 0;
    while (left) {
      uint32_t right = left, left_count = 0, right_count = width;
      for (; left_count < width && right; left_count++) right = nodes[right].next;
      while (left_count || (right_count && right)) {
        uint32_t taken;
        if (left_count && !(right_count && right && hfm__json_key_less(doc, right, left, numeric))) {
          taken = left;
          left = nodes[left].next;
          left_count--;
        } else {
          taken = right;
          right = nodes[right].next;
          right_count--;
        }
        if (tail) nodes[tail].next = taken;
        else head = taken;
        tail = taken;
      }
      left = right;
    }
    nodes[tail].next = 0;
  }
  nodes[object].start = head;
}

HFM__PRIVATE int hfm__json_key_is(const hfm__json *doc, uint32_t key, const char *name, size_t size) {
  const hfm__json_node *node = &doc->nodes[key];
  return node->size == size && memcmp(doc->text + node->start, name, size) == 0;
}

/* Unescapes the strings of nodes first..count-1 and sorts the objects among them. */
HFM__PRIVATE void hfm__json_finish(hfm__json *doc, size_t first) {
  for (size_t i = first; i < doc->count; i++) {
    hfm__json_node *node = &doc->nodes[i];
    hfm__json_span span;
    if (node->kind != HFM__JSON_STRING) continue;
    span.text = doc->text + node->start;
    span.size = node->size;
    span.escaped = node->flags;
    node->size = (uint32_t)hfm__json_unescape(&span, doc->text + node->start);
    node->flags = 0;
    doc->text[node->start + node->size] = 0; /* the closing quote was there */
  }
  for (size_t i = first; i < doc->count; i++) {
    if (doc->nodes[i].kind != HFM__JSON_OBJECT) continue;
    hfm__json_sort_members(doc, (uint32_t)i, 0);
    for (uint32_t key = doc->nodes[i].start; key; key = doc->nodes[key].next) {
      if (hfm__json_key_is(doc, key, "id2label", 8)) doc->nodes[key + 1].flags = HFM__JSON_NUMERIC_KEYS;
    }
  }
  for (size_t i = first; i < doc->count; i++)
    if (doc->nodes[i].kind == HFM__JSON_OBJECT && (doc->nodes[i].flags & HFM__JSON_NUMERIC_KEYS))
      hfm__json_sort_members(doc, (uint32_t)i, 1);
}

/* ---- Parsing ---- */

/* Adds the value of a text that lies in doc->text at `start`; its node, or 0 on error. */
HFM__PRIVATE uint32_t hfm__json_build(hfm__json *doc, const char *file, size_t start, size_t size, int32_t flags,
                                      hfm_error *error, hfm_result *result) {
  uint32_t open[HFM__JSON_MAX_DEPTH + 1], last[HFM__JSON_MAX_DEPTH + 1], root = 0;
  const size_t first = doc->count;
  int32_t depth = 0, kind;
  hfm__json_reader reader;
  hfm__json_begin(&reader, &doc->mem, file, doc->text + start, size, 0, flags, error);
  while ((kind = hfm__json_next(&reader)) != HFM__JSON_FAILED && kind != HFM__JSON_DONE) {
    uint32_t link = 0, node;
    if (kind == HFM__JSON_END) {
      depth--;
      continue;
    }
    if (depth && doc->nodes[open[depth]].kind == HFM__JSON_OBJECT) {
      link = hfm__json_add(doc, HFM__JSON_STRING, (uint32_t)(reader.key.text - doc->text), (uint32_t)reader.key.size);
      if (!link) break;
      doc->nodes[link].flags = (uint16_t)reader.key.escaped;
    }
    node = kind == HFM__JSON_ARRAY || kind == HFM__JSON_OBJECT
               ? hfm__json_add(doc, kind, 0, 0)
               : hfm__json_add(doc, kind, (uint32_t)(reader.value.text - doc->text), (uint32_t)reader.value.size);
    if (!node) break;
    if (kind == HFM__JSON_STRING) doc->nodes[node].flags = (uint16_t)reader.value.escaped;
    if (!link) link = node;
    if (depth) {
      if (last[depth]) doc->nodes[last[depth]].next = link;
      else doc->nodes[open[depth]].start = link;
      last[depth] = link;
      doc->nodes[open[depth]].size++;
    } else {
      root = node;
    }
    if (kind == HFM__JSON_ARRAY || kind == HFM__JSON_OBJECT) {
      depth++;
      open[depth] = node;
      last[depth] = 0;
    }
  }
  *result = reader.result;
  hfm__json_end(&reader);
  if (kind == HFM__JSON_DONE) {
    hfm__json_finish(doc, first);
    return root;
  }
  if (*result == HFM_OK) *result = hfm__fail_memory(error, "a JSON document", 0);
  doc->count = first;
  return 0;
}

/* Parses `size` bytes, which are copied. On failure *doc is empty. `flags`: HFM__JSON_NONFINITE. */
HFM__PRIVATE hfm_result hfm__json_parse(hfm__json *doc, const hfm_allocator *mem, const char *file, const char *text,
                                        size_t size, int32_t flags, hfm_error *error) {
  hfm_result result = HFM_OK;
  memset(doc, 0, sizeof *doc);
  doc->mem = *mem;
  if (size >= UINT32_MAX / 2)
    return hfm__fail(error, HFM_E_FILE_TOO_LARGE, file, NULL, 0, "%u bytes; a JSON document has less than 2 GiB",
                     (uint64_t)size);
  if (hfm__json_store(doc, text, size) == UINT32_MAX)
    return hfm__fail_memory(error, "a JSON document", (uint64_t)size + 1);
  doc->root = hfm__json_build(doc, file, 0, size, flags, error, &result);
  if (!doc->root) hfm__json_free(doc);
  return result;
}

/* ---- Reading ---- */

HFM__PRIVATE int32_t hfm__json_kind(const hfm__json *doc, uint32_t node) {
  return node ? (int32_t)doc->nodes[node].kind : HFM__JSON_FAILED;
}

/* Key node of a member, or 0: its value is the next node. */
HFM__PRIVATE uint32_t hfm__json_find_key(const hfm__json *doc, uint32_t object, const char *name, size_t size) {
  if (hfm__json_kind(doc, object) != HFM__JSON_OBJECT) return 0;
  for (uint32_t key = doc->nodes[object].start; key; key = doc->nodes[key].next)
    if (hfm__json_key_is(doc, key, name, size)) return key;
  return 0;
}

/* Value of a member, or 0. */
HFM__PRIVATE uint32_t hfm__json_member_of(const hfm__json *doc, uint32_t object, const char *name) {
  const uint32_t key = hfm__json_find_key(doc, object, name, strlen(name));
  return key ? key + 1 : 0;
}

/* First child (of an object: first key) and the one after; 0 at the end. */
HFM__PRIVATE uint32_t hfm__json_first(const hfm__json *doc, uint32_t node) {
  const int32_t kind = hfm__json_kind(doc, node);
  return kind == HFM__JSON_ARRAY || kind == HFM__JSON_OBJECT ? doc->nodes[node].start : 0;
}
HFM__PRIVATE uint32_t hfm__json_following(const hfm__json *doc, uint32_t child) { return doc->nodes[child].next; }

/* NUL-terminated; NULL if it is no string, or one with a NUL inside, which C text can't carry. */
HFM__PRIVATE const char *hfm__json_text(const hfm__json *doc, uint32_t node) {
  const char *text;
  if (hfm__json_kind(doc, node) != HFM__JSON_STRING) return NULL;
  text = doc->text + doc->nodes[node].start;
  return strlen(text) == doc->nodes[node].size ? text : NULL;
}

HFM__PRIVATE int hfm__json_int(const hfm__json *doc, uint32_t node, int64_t *value) {
  return hfm__json_kind(doc, node) == HFM__JSON_NUMBER &&
         hfm__json_i64(doc->text + doc->nodes[node].start, doc->nodes[node].size, value);
}

/* Any number, integers too. NaN and the infinities are not numbers here. */
HFM__PRIVATE int hfm__json_double(const hfm__json *doc, uint32_t node, double *value) {
  double v;
  if (hfm__json_kind(doc, node) != HFM__JSON_NUMBER) return 0;
  if (!hfm__parse_double(doc->text + doc->nodes[node].start, doc->nodes[node].size, &v)) return 0;
  if ((hfm__double_bits(v) >> 52 & 0x7ff) == 0x7ff) return 0;
  *value = v;
  return 1;
}

HFM__PRIVATE int hfm__json_bool(const hfm__json *doc, uint32_t node, int32_t *value) {
  if (hfm__json_kind(doc, node) != HFM__JSON_BOOL) return 0;
  *value = doc->text[doc->nodes[node].start] == 't';
  return 1;
}

/* ---- Editing ---- */

/* Member `name` of an object, made (as null, in its place) if it isn't there; the value's node, or 0 when out of
   memory. */
HFM__PRIVATE uint32_t hfm__json_insert(hfm__json *doc, uint32_t object, const char *name, size_t size) {
  const int numeric = doc->nodes[object].flags & HFM__JSON_NUMERIC_KEYS;
  uint32_t key = hfm__json_find_key(doc, object, name, size), before = 0, after, start;
  if (key) return key + 1;
  start = hfm__json_store(doc, name, size);
  if (start == UINT32_MAX) return 0;
  key = hfm__json_add(doc, HFM__JSON_STRING, start, (uint32_t)size);
  if (!key) return 0;
  if (!hfm__json_add(doc, HFM__JSON_NULL, 0, 0)) {
    doc->count--;
    return 0;
  }
  for (after = doc->nodes[object].start; after && hfm__json_key_less(doc, after, key, numeric);) {
    before = after;
    after = doc->nodes[after].next;
  }
  doc->nodes[key].next = after;
  if (before) doc->nodes[before].next = key;
  else doc->nodes[object].start = key;
  doc->nodes[object].size++;
  if (size == 8 && memcmp(name, "id2label", 8) == 0) doc->nodes[key + 1].flags = HFM__JSON_NUMERIC_KEYS;
  return key + 1;
}

/* Makes `node` a scalar with this text (a string: unescaped). Text of the same kind is overwritten where it fits, so
   that setting a value again and again does not grow the document. */
HFM__PRIVATE int hfm__json_set_scalar(hfm__json *doc, uint32_t node, int32_t kind, const char *text, size_t size) {
  hfm__json_node *value = &doc->nodes[node];
  if (value->kind == kind && value->size >= size) {
    if (size) memmove(doc->text + value->start, text, size);
    if (kind == HFM__JSON_STRING) doc->text[value->start + size] = 0;
  } else {
    const uint32_t start = hfm__json_store(doc, text, size);
    if (start == UINT32_MAX) return 0;
    value->start = start;
  }
  value->size = (uint32_t)size;
  value->kind = (uint16_t)kind;
  return 1;
}

HFM__PRIVATE void hfm__json_remove(hfm__json *doc, uint32_t object, const char *name, size_t size) {
  const uint32_t key = hfm__json_find_key(doc, object, name, size);
  uint32_t before = doc->nodes[object].start;
  if (!key) return;
  if (before == key) {
    doc->nodes[object].start = doc->nodes[key].next;
  } else {
    while (doc->nodes[before].next != key) before = doc->nodes[before].next;
    doc->nodes[before].next = doc->nodes[key].next;
  }
  doc->nodes[object].size--;
}

/* Makes `node` the value of a JSON text. On failure it is unchanged. */
HFM__PRIVATE hfm_result hfm__json_set_text(hfm__json *doc, uint32_t node, const char *text, size_t size, int32_t flags,
                                           hfm_error *error) {
  hfm_result result = HFM_OK;
  const size_t old_size = doc->text_size;
  const uint32_t start = hfm__json_store(doc, text, size);
  uint32_t value;
  if (start == UINT32_MAX) return hfm__fail_memory(error, "a JSON document", (uint64_t)size + 1);
  value = hfm__json_build(doc, NULL, start, size, flags, error, &result);
  if (!value) {
    doc->text_size = old_size;
    return result;
  }
  doc->nodes[value].next = doc->nodes[node].next;
  doc->nodes[value].flags = doc->nodes[node].flags;
  if (doc->nodes[value].kind == HFM__JSON_OBJECT)
    hfm__json_sort_members(doc, value, doc->nodes[value].flags & HFM__JSON_NUMERIC_KEYS);
  doc->nodes[node] = doc->nodes[value];
  return HFM_OK;
}

/* ---- Writing ---- */

HFM__PRIVATE void hfm__json_write_string(hfm__text *t, const char *s, size_t n) {
  static const char hex[] = "0123456789abcdef", letters[] = "\"\\bfnrt", bytes[] = "\"\\\b\f\n\r\t";
  hfm__text_char(t, '"');
  for (size_t i = 0; i < n;) {
    const size_t length = hfm__utf8_length(s + i, n - i);
    uint32_t code = (uint8_t)s[i], units[2];
    int32_t unit_count = 1;
    const char *special = code && code < 0x80 ? strchr(bytes, (int)code) : NULL;
    if (special) {
      hfm__text_char(t, '\\');
      hfm__text_char(t, letters[special - bytes]);
    } else if (code >= 0x20 && code < 0x7f) {
      hfm__text_char(t, s[i]);
    } else {
      if (length > 1) code &= length == 2 ? 0x1f : length == 3 ? 0x0f : 0x07;
      for (size_t k = 1; k < length; k++) code = code << 6 | ((uint8_t)s[i + k] & 0x3f);
      units[0] = code;
      units[1] = 0;
      if (code >= 0x10000) {
        units[0] = 0xd800 + ((code - 0x10000) >> 10);
        units[1] = 0xdc00 + ((code - 0x10000) & 0x3ff);
        unit_count = 2;
      }
      if (code == 0x7f) {
        hfm__text_char(t, (char)code);
      } else {
        for (int32_t k = 0; k < unit_count; k++) {
          hfm__text_str(t, "\\u");
          for (int32_t shift = 12; shift >= 0; shift -= 4) hfm__text_char(t, hex[units[k] >> shift & 15]);
        }
      }
    }
    i += length ? length : 1;
  }
  hfm__text_char(t, '"');
}

HFM__PRIVATE void hfm__json_indent(hfm__text *t, int32_t depth) {
  hfm__text_char(t, '\n');
  for (int32_t i = 0; i < depth; i++) hfm__text_str(t, "  ");
}

/* As Python reads a number and writes it again: integers in full, floats shortest. What has no JSON (NaN, the
   infinities) becomes {"__float__": "Infinity"}, as Transformers writes it. */
HFM__PRIVATE void hfm__json_write_number(hfm__text *t, const char *s, size_t n, int32_t depth) {
  int32_t is_float = s[n - 1] == 'y' || s[n - 1] == 'N';
  double value;
  for (size_t i = 0; i < n; i++)
    if (s[i] == '.' || s[i] == 'e' || s[i] == 'E') is_float = 1;
  if (!is_float) {
    if (n == 2 && s[0] == '-' && s[1] == '0') hfm__text_char(t, '0');
    else hfm__text_bytes(t, s, n);
    return;
  }
  if (hfm__parse_double(s, n, &value) && (hfm__double_bits(value) >> 52 & 0x7ff) != 0x7ff) {
    hfm__text_double(t, value);
    return;
  }
  hfm__text_char(t, '{');
  hfm__json_indent(t, depth + 1);
  hfm__text_str(t, "\"__float__\": ");
  hfm__text_str(t, s[n - 1] == 'N' ? "\"NaN\"" : s[0] == '-' ? "\"-Infinity\"" : "\"Infinity\"");
  hfm__json_indent(t, depth);
  hfm__text_char(t, '}');
}

/* As Python's json.dumps(value, indent=2, sort_keys=True). */
HFM__PRIVATE void hfm__json_write(const hfm__json *doc, uint32_t root, hfm__text *t) {
  uint32_t open[HFM__JSON_MAX_DEPTH * 2 + 1], child[HFM__JSON_MAX_DEPTH * 2 + 1], at = root;
  int32_t depth = 0;
  for (;;) {
    const hfm__json_node *node = &doc->nodes[at];
    const char *text = doc->text + node->start;
    if (node->kind == HFM__JSON_ARRAY || node->kind == HFM__JSON_OBJECT) {
      hfm__text_char(t, node->kind == HFM__JSON_ARRAY ? '[' : '{');
      depth++;
      open[depth] = at;
      child[depth] = node->start;
    } else if (node->kind == HFM__JSON_STRING) {
      hfm__json_write_string(t, text, node->size);
    } else if (node->kind == HFM__JSON_NUMBER) {
      hfm__json_write_number(t, text, node->size, depth);
    } else if (node->kind == HFM__JSON_BOOL) {
      hfm__text_str(t, *text == 't' ? "true" : "false");
    } else {
      hfm__text_str(t, "null");
    }
    while (depth && child[depth] == 0) { /* the innermost container is complete */
      const hfm__json_node *container = &doc->nodes[open[depth]];
      depth--;
      if (container->size) hfm__json_indent(t, depth);
      hfm__text_char(t, container->kind == HFM__JSON_ARRAY ? ']' : '}');
    }
    if (depth == 0) return;
    at = child[depth];
    child[depth] = doc->nodes[at].next;
    if (at != doc->nodes[open[depth]].start) hfm__text_char(t, ',');
    hfm__json_indent(t, depth);
    if (doc->nodes[open[depth]].kind == HFM__JSON_OBJECT) {
      hfm__json_write_string(t, doc->text + doc->nodes[at].start, doc->nodes[at].size);
      hfm__text_str(t, ": ");
      at++;
    }
  }
}
/* ==== end src/formats/json_document.c ==== */
/* ==== begin src/formats/safetensors.c ==== */
/* ==== formats/safetensors (private): the header becomes a table of tensors =====================================
   u64 header length, JSON header, data. The tensors must tile the data exactly: that one rule excludes holes,
   overlaps, offsets outside of the file, and bombs made of aliases. */

/* A tensor in a file. Every field has been checked against the file's size. */
typedef struct hfm__file_tensor {
  const char *name;
  hfm_dtype dtype;
  int32_t rank;
  int64_t shape[HFM_MAX_RANK];
  int64_t stride[HFM_MAX_RANK]; /* in elements */
  uint32_t file;                /* index in the checkpoint's files */
  int32_t contiguous;           /* row-major without gaps: the strides say nothing new */
  int32_t big_endian;           /* of the elements; only old .bin files are */
  uint64_t offset;              /* byte in the file of element 0 */
  uint64_t bytes;               /* of all elements */
} hfm__file_tensor;

/* A growing table of tensors; names live in `names`. */
typedef struct hfm__tensor_list {
  hfm_allocator mem;
  hfm__arena *names;
  hfm__file_tensor *items;
  size_t count, capacity;
} hfm__tensor_list;

HFM__PRIVATE hfm__file_tensor *hfm__tensor_list_add(hfm__tensor_list *list) {
  void *grown = hfm__grow(&list->mem, list->items, list->count, &list->capacity, sizeof *list->items);
  if (!grown) return NULL;
  list->items = (hfm__file_tensor *)grown;
  memset(&list->items[list->count], 0, sizeof *list->items);
  return &list->items[list->count++];
}

HFM__PRIVATE void hfm__tensor_list_free(hfm__tensor_list *list) {
  hfm__free(&list->mem, list->items, (uint64_t)list->capacity * sizeof *list->items);
  list->items = NULL;
  list->count = list->capacity = 0;
}

/* Number of elements into *elements, every partial product checked in order. */
HFM__PRIVATE int hfm__checked_elements(const int64_t *shape, int32_t rank, uint64_t *elements) {
  *elements = 1;
  for (int32_t i = 0; i < rank; i++)
    if (shape[i] < 0 || !hfm__mul64(*elements, (uint64_t)shape[i], elements)) return 0;
  return 1;
}

/* Row-major strides as torch has them; the shape's product has been checked. */
HFM__PRIVATE void hfm__row_major(hfm__file_tensor *tensor) {
  uint64_t stride = 1;
  tensor->contiguous = 1;
  for (int32_t i = tensor->rank - 1; i >= 0; i--) {
    tensor->stride[i] = (int64_t)stride;
    if (!hfm__mul64(stride, (uint64_t)HFM__MAX(tensor->shape[i], 1), &stride) || stride > (uint64_t)INT64_MAX)
      stride = 0; /* only where another dimension is 0: nothing is ever read by it */
  }
}

/* ---- The header ---- */

/* Where in the header an error is: the reader's text, offset and error belong together. */
HFM__PRIVATE hfm_result hfm__safetensors_bad(hfm__json_reader *r, int32_t item, const char *name, size_t at,
                                             const char *problem) {
  const uint64_t offset = r->base + at;
  if (name)
    return hfm__fail(r->error, item, r->file, name, offset, "byte %u: tensor %q: %s", offset, name, problem);
  return hfm__fail(r->error, item, r->file, NULL, offset, "byte %u: %s", offset, problem);
}

HFM__PRIVATE hfm_dtype hfm__safetensors_dtype(const hfm__json_span *name) {
  static const char *const names[] = {"F32", "F16", "BF16", "F64", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8",
                                      "BOOL", "C64", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
                                      "F6_E2M3", "F6_E3M2", "F4"}; /* in the order of hfm_dtype, from HFM_F32 = 1 */
  for (size_t i = 0; i < HFM__COUNT(names); i++)
    if (hfm__json_is(name, names[i])) return (hfm_dtype)i + 1;
  return HFM_DTYPE_AUTO;
}

HFM__PRIVATE hfm_result hfm__safetensors_shape(hfm__json_reader *r, hfm__file_tensor *tensor) {
  for (;;) {
    const int32_t kind = hfm__json_next(r);
    uint64_t dimension = 0;
    if (kind == HFM__JSON_FAILED) return r->result;
    if (kind == HFM__JSON_END) return HFM_OK;
    if (kind != HFM__JSON_NUMBER || !hfm__json_u64(r->value.text, r->value.size, &dimension) ||
        dimension > (uint64_t)INT64_MAX)
      return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_SHAPE, tensor->name, r->at,
                                  "each dimension of \"shape\" must be an integer from 0 to 2^63 - 1");
    if (tensor->rank == HFM_MAX_RANK)
      return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_SHAPE, tensor->name, r->at,
                                  "more dimensions than this library reads (8)");
    tensor->shape[tensor->rank++] = (int64_t)dimension;
  }
}

HFM__PRIVATE hfm_result hfm__safetensors_offsets(hfm__json_reader *r, const char *name, uint64_t range[2]) {
  for (int32_t i = 0;; i++) {
    const int32_t kind = hfm__json_next(r);
    if (kind == HFM__JSON_FAILED) return r->result;
    if (kind == HFM__JSON_END && i == 2) return HFM_OK;
    if (i == 2 || kind != HFM__JSON_NUMBER || !hfm__json_u64(r->value.text, r->value.size, &range[i]))
      return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_OFFSETS, name, r->at,
                                  "\"data_offsets\" must be two integers, [begin, end]");
  }
}

/* The members of one entry; r stands after its opening brace. `data` is where the data begins in the file. */
HFM__PRIVATE hfm_result hfm__safetensors_entry(hfm__json_reader *r, hfm__file_tensor *tensor, uint64_t data,
                                               uint64_t data_size) {
  const size_t at = r->at;
  uint64_t range[2] = {0, 0}, elements, bits;
  int32_t has_dtype = 0, has_shape = 0, has_offsets = 0;
  size_t offsets_at = 0, shape_at = 0;
  for (;;) {
    const int32_t kind = hfm__json_next(r);
    hfm_result result = HFM_OK;
    if (kind == HFM__JSON_FAILED) return r->result;
    if (kind == HFM__JSON_END) break;
    if (hfm__json_is(&r->key, "dtype")) {
      if (kind != HFM__JSON_STRING)
        return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_DTYPE, tensor->name, r->at, "\"dtype\" must be a string");
      has_dtype = 1;
      tensor->dtype = hfm__safetensors_dtype(&r->value);
      if (!tensor->dtype)
        return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_DTYPE, tensor->name, r->at,
                                    "unknown \"dtype\": F32, F16, BF16, I64, U8, ... expected");
    } else if (hfm__json_is(&r->key, "shape")) {
      has_shape = 1;
      shape_at = r->at;
      result = kind == HFM__JSON_ARRAY ? hfm__safetensors_shape(r, tensor)
                                       : hfm__safetensors_bad(r, HFM_E_SAFETENSORS_SHAPE, tensor->name, r->at,
                                                              "\"shape\" must be an array");
    } else if (hfm__json_is(&r->key, "data_offsets")) {
      has_offsets = 1;
      offsets_at = r->at;
      result = kind == HFM__JSON_ARRAY ? hfm__safetensors_offsets(r, tensor->name, range)
                                       : hfm__safetensors_bad(r, HFM_E_SAFETENSORS_OFFSETS, tensor->name, r->at,
                                                              "\"data_offsets\" must be an array");
    } else if (!hfm__json_skip(r, kind)) {
      result = r->result;
    }
    if (result != HFM_OK) return result;
  }
  if (!has_dtype || !has_shape || !has_offsets)
    return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_ENTRY, tensor->name, at,
                                !has_dtype   ? "has no \"dtype\""
                                : !has_shape ? "has no \"shape\""
                                             : "has no \"data_offsets\"");
  if (!hfm__checked_elements(tensor->shape, tensor->rank, &elements) ||
      !hfm__mul64(elements, (uint64_t)hfm_dtype_bits(tensor->dtype), &bits))
    return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_SHAPE, tensor->name, shape_at,
                                "the size of \"shape\" exceeds 2^64 bits");
  if (bits % 8)
    return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_SHAPE, tensor->name, shape_at,
                                "\"shape\" does not fill whole bytes in its dtype");
  if (range[0] > range[1] || range[1] - range[0] != bits / 8)
    return hfm__fail(r->error, HFM_E_SAFETENSORS_OFFSETS, r->file, tensor->name, r->base + offsets_at,
                     "byte %u: tensor %q: \"data_offsets\" [%u, %u] must span the %u bytes of its shape and dtype",
                     r->base + (uint64_t)offsets_at, tensor->name, range[0], range[1], bits / 8);
  if (range[1] > data_size)
    return hfm__fail(r->error, HFM_E_SAFETENSORS_TRUNCATED, r->file, tensor->name, r->base + offsets_at,
                     "byte %u: tensor %q: ends at byte %u of the data, but the file holds only %u (is the download "
                     "complete?)",
                     r->base + (uint64_t)offsets_at, tensor->name, range[1], data_size);
  tensor->offset = data + range[0];
  tensor->bytes = bits / 8;
  hfm__row_major(tensor);
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__safetensors_metadata(hfm__json_reader *r, int32_t kind) {
  if (kind != HFM__JSON_OBJECT)
    return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_METADATA, NULL, r->at, "\"__metadata__\" must be an object");
  for (;;) {
    kind = hfm__json_next(r);
    if (kind == HFM__JSON_FAILED) return r->result;
    if (kind == HFM__JSON_END) return HFM_OK;
    if (kind != HFM__JSON_STRING)
      return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_METADATA, NULL, r->at, "\"__metadata__\" holds only strings");
  }
}

HFM__PRIVATE hfm_result hfm__safetensors_header(hfm__json_reader *r, uint32_t file, uint64_t data, uint64_t data_size,
                                                hfm__tensor_list *list) {
  int32_t kind = hfm__json_next(r);
  if (kind == HFM__JSON_FAILED) return r->result;
  if (kind != HFM__JSON_OBJECT)
    return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_ENTRY, NULL, r->at, "the header must be a JSON object");
  while ((kind = hfm__json_next(r)) != HFM__JSON_END) {
    hfm__file_tensor *tensor;
    hfm_result result;
    char *name;
    size_t length;
    if (kind == HFM__JSON_FAILED) return r->result;
    if (hfm__json_is(&r->key, "__metadata__")) {
      result = hfm__safetensors_metadata(r, kind);
      if (result != HFM_OK) return result;
      continue;
    }
    name = (char *)hfm__arena_alloc(list->names, (uint64_t)r->key.size + 1);
    tensor = name ? hfm__tensor_list_add(list) : NULL;
    if (!tensor) return hfm__fail_memory(r->error, "the table of tensors", 0);
    length = hfm__json_unescape(&r->key, name);
    tensor->name = name;
    tensor->file = file;
    if (strlen(name) != length)
      return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_ENTRY, name, (size_t)(r->key.text - r->text),
                                  "a tensor's name must not hold a NUL character");
    if (kind != HFM__JSON_OBJECT)
      return hfm__safetensors_bad(r, HFM_E_SAFETENSORS_ENTRY, name, r->at, "an entry must be a JSON object");
    result = hfm__safetensors_entry(r, tensor, data, data_size);
    if (result != HFM_OK) return result;
  }
  kind = hfm__json_next(r);
  return kind == HFM__JSON_FAILED ? r->result : HFM_OK;
}

/* ---- Coverage ---- */

HFM__PRIVATE int hfm__tensor_offset_order(const void *a, const void *b) {
  const hfm__file_tensor *x = (const hfm__file_tensor *)a, *y = (const hfm__file_tensor *)b;
  if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
  return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* The tensors of the list from `first` on must tile [data, size) of the file without hole or overlap. */
HFM__PRIVATE hfm_result hfm__safetensors_coverage(const hfm__file *file, const hfm__tensor_list *list, size_t first,
                                                  uint64_t data, hfm_error *error) {
  const hfm_allocator *mem = &file->ctx->mem;
  const size_t count = list->count - first;
  const uint64_t scratch_bytes = (uint64_t)count * 2 * sizeof(void *);
  const void **sorted;
  uint64_t end = data;
  hfm_result result = HFM_OK;
  if (count) {
    sorted = (const void **)hfm__alloc(mem, scratch_bytes);
    if (!sorted) return hfm__fail_memory(error, "sorting tensors", scratch_bytes);
    for (size_t i = 0; i < count; i++) sorted[i] = list->items + first + i;
    hfm__sort(sorted, sorted + count, count, hfm__tensor_offset_order);
    for (size_t i = 0; i < count && result == HFM_OK; i++) {
      const hfm__file_tensor *tensor = (const hfm__file_tensor *)sorted[i];
      if (tensor->offset != end)
        result = hfm__fail(error, HFM_E_SAFETENSORS_COVERAGE, file->name, tensor->name, tensor->offset,
                           "tensor %q begins at byte %u of the data, but the one before ends at byte %u: tensors must "
                           "follow each other without gap or overlap",
                           tensor->name, tensor->offset - data, end - data);
      else
        end += tensor->bytes;
    }
    hfm__free(mem, (void *)sorted, scratch_bytes);
  }
  if (result == HFM_OK && end != file->size)
    result = hfm__fail(error, HFM_E_SAFETENSORS_COVERAGE, file->name, NULL, end,
                       "the tensors end at byte %u, but the file has %u bytes: nothing may follow them", end,
                       file->size);
  return result;
}

/* Appends the tensors of an opened file, which is files[index] of the checkpoint. */
HFM__PRIVATE hfm_result hfm__safetensors_read(const hfm__file *file, uint32_t index, hfm__tensor_list *list,
                                              hfm_error *error) {
  const hfm_allocator *mem = &file->ctx->mem;
  const uint64_t cap = HFM__MIN(file->ctx->limits.max_header_bytes, (uint64_t)100000000);
  const size_t first = list->count;
  hfm__json_reader reader;
  hfm_result result;
  uint8_t prefix[8], *owned;
  const uint8_t *header;
  uint64_t size;
  if (file->size < 8)
    return hfm__fail(error, HFM_E_SAFETENSORS_TRUNCATED, file->name, NULL, file->size,
                     "a safetensors file begins with 8 bytes of header length, but this has %u bytes", file->size);
  result = hfm__file_read(file, 0, prefix, 8, error);
  if (result != HFM_OK) return result;
  size = hfm__le64(prefix);
  if (size > cap)
    return hfm__fail(error, HFM_E_SAFETENSORS_HEADER_SIZE, file->name, NULL, 0,
                     "the header claims %u bytes, at most %u are read: not a safetensors file, or a broken one", size,
                     cap);
  if (size > file->size - 8)
    return hfm__fail(error, HFM_E_SAFETENSORS_TRUNCATED, file->name, NULL, 0,
                     "the header claims %u bytes, but the file has only %u after the first 8 (is the download "
                     "complete?)",
                     size, file->size - 8);
  result = hfm__file_bytes(file, 8, size, &header, &owned, error);
  if (result != HFM_OK) return result;
  hfm__json_begin(&reader, mem, file->name, (const char *)header, (size_t)size, 8, 0, error);
  result = hfm__safetensors_header(&reader, index, 8 + size, file->size - 8 - size, list);
  hfm__json_end(&reader);
  hfm__free(mem, owned, size);
  if (result != HFM_OK) return result;
  return hfm__safetensors_coverage(file, list, first, 8 + size, error);
}
/* ==== end src/formats/safetensors.c ==== */
#ifndef HFMODEL_NO_PICKLE
/* ==== begin src/formats/zip.c ==== */
/* ==== formats/zip (private): the stored zip archive that torch.save writes =====================================
   A reader for exactly that: entries are not compressed, so a tensor is a range of the file and nothing is unpacked.
   Whatever two readers could understand differently (two directories, names that differ, entries that overlap,
   sizes said twice) is refused. */

typedef struct hfm__zip_entry {
  const char *name; /* NUL-terminated, without a NUL or control byte */
  uint64_t header;  /* of the local header */
  uint64_t offset;  /* of the data */
  uint64_t size;
} hfm__zip_entry;

typedef struct hfm__zip {
  const hfm__file *file;
  hfm__arena arena; /* names */
  hfm__zip_entry *entries; /* in the directory's order */
  const void **by_name;    /* the same, sorted by name; the second half is room for sorting */
  size_t count;
  const char *root;        /* the one folder that all entries are in, without '/' */
} hfm__zip;

enum {
  HFM__ZIP_END = 0x06054b50,
  HFM__ZIP_END64 = 0x06064b50,
  HFM__ZIP_LOCATOR64 = 0x07064b50,
  HFM__ZIP_CENTRAL = 0x02014b50,
  HFM__ZIP_LOCAL = 0x04034b50,
  HFM__ZIP_END_SIZE = 22,
  HFM__ZIP_END64_SIZE = 56,
  HFM__ZIP_LOCATOR64_SIZE = 20,
  HFM__ZIP_CENTRAL_SIZE = 46,
  HFM__ZIP_LOCAL_SIZE = 30,
  HFM__ZIP_REFUSED_FLAGS = 0x2061 /* encrypted, patched, strongly encrypted, masked headers */
};

HFM__PRIVATE void hfm__zip_close(hfm__zip *zip) {
  const hfm_allocator *mem = &zip->arena.mem;
  if (zip->entries) hfm__free(mem, zip->entries, (uint64_t)zip->count * sizeof *zip->entries);
  if (zip->by_name) hfm__free(mem, (void *)zip->by_name, (uint64_t)zip->count * 2 * sizeof *zip->by_name);
  hfm__arena_free(&zip->arena);
  memset(zip, 0, sizeof *zip);
}

HFM__PRIVATE hfm_result hfm__zip_bad(const hfm__zip *zip, const char *entry, uint64_t offset, hfm_error *error,
                                     const char *problem) {
  if (entry)
    return hfm__fail(error, HFM_E_ZIP_STRUCTURE, zip->file->name, entry, offset, "byte %u: zip entry %q: %s", offset,
                     entry, problem);
  return hfm__fail(error, HFM_E_ZIP_STRUCTURE, zip->file->name, NULL, offset, "byte %u: %s", offset, problem);
}

/* ---- Where the directory is ---- */

typedef struct hfm__zip_directory {
  uint64_t offset, size, entries;
  uint64_t limit; /* what follows the directory begins here */
} hfm__zip_directory;

/* The zip64 end record, which torch always writes; `end` is where the plain one is. Absent: nothing changes. */
HFM__PRIVATE hfm_result hfm__zip_end64(const hfm__zip *zip, uint64_t end, hfm__zip_directory *dir, hfm_error *error) {
  uint8_t locator[HFM__ZIP_LOCATOR64_SIZE], record[HFM__ZIP_END64_SIZE];
  uint64_t at, size;
  hfm_result result;
  if (end < HFM__ZIP_LOCATOR64_SIZE) return HFM_OK;
  result = hfm__file_read(zip->file, end - HFM__ZIP_LOCATOR64_SIZE, locator, sizeof locator, error);
  if (result != HFM_OK || hfm__le32(locator) != HFM__ZIP_LOCATOR64) return result;
  at = hfm__le64(locator + 8);
  end -= HFM__ZIP_LOCATOR64_SIZE;
  if (hfm__le32(locator + 4) != 0 || hfm__le32(locator + 16) != 1)
    return hfm__zip_bad(zip, NULL, end, error, "a zip archive on several disks");
  if (at > end || end - at < HFM__ZIP_END64_SIZE)
    return hfm__zip_bad(zip, NULL, end, error, "the zip64 locator points outside of the file");
  result = hfm__file_read(zip->file, at, record, sizeof record, error);
  if (result != HFM_OK) return result;
  size = hfm__le64(record + 4);
  if (hfm__le32(record) != HFM__ZIP_END64 || size != end - at - 12)
    return hfm__zip_bad(zip, NULL, at, error, "no zip64 end record where its locator says");
  if (hfm__le32(record + 16) != 0 || hfm__le32(record + 20) != 0 || hfm__le64(record + 24) != hfm__le64(record + 32))
    return hfm__zip_bad(zip, NULL, at, error, "a zip archive on several disks");
  if ((dir->entries != 0xffff && dir->entries != hfm__le64(record + 32)) ||
      (dir->size != 0xffffffff && dir->size != hfm__le64(record + 40)) ||
      (dir->offset != 0xffffffff && dir->offset != hfm__le64(record + 48)))
    return hfm__zip_bad(zip, NULL, at, error, "the zip64 end record and the plain one contradict each other");
  dir->entries = hfm__le64(record + 32);
  dir->size = hfm__le64(record + 40);
  dir->offset = hfm__le64(record + 48);
  dir->limit = at;
  return HFM_OK;
}

/* The end record is searched from the end of the file, and must reach it with its comment. */
HFM__PRIVATE hfm_result hfm__zip_find_directory(const hfm__zip *zip, hfm__zip_directory *dir, hfm_error *error) {
  const uint64_t size = zip->file->size, reach = HFM__MIN(size, (uint64_t)HFM__ZIP_END_SIZE + 0xffff);
  const uint8_t *tail;
  uint8_t *owned;
  uint64_t i, end;
  hfm_result result;
  if (size < HFM__ZIP_END_SIZE)
    return hfm__zip_bad(zip, NULL, size, error, "too short for a zip archive (is the download complete?)");
  result = hfm__file_bytes(zip->file, size - reach, reach, &tail, &owned, error);
  if (result != HFM_OK) return result;
  for (i = reach - HFM__ZIP_END_SIZE + 1; i-- > 0;)
    if (hfm__le32(tail + i) == HFM__ZIP_END) break;
  end = size - reach + i;
  if (i >= reach) {
    result = hfm__zip_bad(zip, NULL, size, error, "a zip archive without its end record (is the download complete?)");
  } else if (hfm__le16(tail + i + 20) != size - end - HFM__ZIP_END_SIZE) {
    result = hfm__zip_bad(zip, NULL, end, error, "the end record does not reach the end of the file");
  } else if (hfm__le16(tail + i + 4) != 0 || hfm__le16(tail + i + 6) != 0 ||
             hfm__le16(tail + i + 8) != hfm__le16(tail + i + 10)) {
    result = hfm__zip_bad(zip, NULL, end, error, "a zip archive on several disks");
  } else {
    dir->entries = hfm__le16(tail + i + 10);
    dir->size = hfm__le32(tail + i + 12);
    dir->offset = hfm__le32(tail + i + 16);
    dir->limit = end;
    result = hfm__zip_end64(zip, end, dir, error);
  }
  hfm__free(&zip->arena.mem, owned, reach);
  if (result != HFM_OK) return result;
  if (dir->offset > dir->limit || dir->size > dir->limit - dir->offset)
    return hfm__zip_bad(zip, NULL, end, error, "the zip directory lies outside of the file");
  if (dir->entries == 0 || dir->entries > dir->size / HFM__ZIP_CENTRAL_SIZE)
    return hfm__zip_bad(zip, NULL, end, error, "the zip directory is too small for its number of entries");
  return HFM_OK;
}

/* ---- Entries ---- */

/* Fields of 0xffffffff are in the zip64 extra block, which must hold exactly those. */
HFM__PRIVATE int hfm__zip_extra64(const uint8_t *extra, size_t extra_size, uint64_t *const fields[3]) {
  size_t at = 0, needed = 0;
  for (int32_t i = 0; i < 3; i++)
    if (*fields[i] == 0xffffffff) needed += 8;
  if (!needed) return 1;
  while (extra_size - at >= 4) {
    const size_t size = hfm__le16(extra + at + 2);
    if (size > extra_size - at - 4) return 0;
    if (hfm__le16(extra + at) == 1) {
      if (size != needed) return 0;
      at += 4;
      for (int32_t i = 0; i < 3; i++) {
        if (*fields[i] != 0xffffffff) continue;
        *fields[i] = hfm__le64(extra + at);
        at += 8;
      }
      return 1;
    }
    at += 4 + size;
  }
  return 0;
}

/* One central record of `left` bytes, at byte `at` of the file. *used: its length. */
HFM__PRIVATE hfm_result hfm__zip_central(hfm__zip *zip, const uint8_t *record, uint64_t left, uint64_t at,
                                         hfm__zip_entry *entry, uint64_t *used, hfm_error *error) {
  uint64_t packed, *fields[3];
  size_t name_size, extra_size;
  char *name;
  if (left < HFM__ZIP_CENTRAL_SIZE || hfm__le32(record) != HFM__ZIP_CENTRAL)
    return hfm__zip_bad(zip, NULL, at, error, "an entry of the zip directory expected");
  name_size = hfm__le16(record + 28);
  extra_size = hfm__le16(record + 30);
  *used = HFM__ZIP_CENTRAL_SIZE + (uint64_t)name_size + extra_size + hfm__le16(record + 32);
  if (*used > left) return hfm__zip_bad(zip, NULL, at, error, "an entry reaches beyond the zip directory");
  name = hfm__arena_copy(&zip->arena, (const char *)record + HFM__ZIP_CENTRAL_SIZE, name_size);
  if (!name) return hfm__fail_memory(error, "a zip directory", 0);
  for (size_t i = 0; i < name_size; i++)
    if ((uint8_t)name[i] < 0x20 || name[i] == 0x7f)
      return hfm__zip_bad(zip, NULL, at + HFM__ZIP_CENTRAL_SIZE + i, error, "a control character in an entry's name");
  if (name_size == 0) return hfm__zip_bad(zip, NULL, at, error, "an entry without a name");
  entry->name = name;
  packed = hfm__le32(record + 20);
  entry->size = hfm__le32(record + 24);
  entry->header = hfm__le32(record + 42);
  fields[0] = &entry->size; /* the order in which the extra block holds them */
  fields[1] = &packed;
  fields[2] = &entry->header;
  if (!hfm__zip_extra64(record + HFM__ZIP_CENTRAL_SIZE + name_size, extra_size, fields))
    return hfm__zip_bad(zip, name, at, error, "its zip64 block does not hold exactly the fields that are missing");
  if (hfm__le16(record + 34) != 0) return hfm__zip_bad(zip, name, at, error, "on another disk");
  if (hfm__le16(record + 8) & HFM__ZIP_REFUSED_FLAGS)
    return hfm__fail(error, HFM_E_ZIP_UNSUPPORTED, zip->file->name, name, at + 8,
                     "byte %u: zip entry %q is encrypted or patched", at + 8, name);
  if (hfm__le16(record + 10) != 0 || packed != entry->size)
    return hfm__fail(error, HFM_E_ZIP_UNSUPPORTED, zip->file->name, name, at + 10,
                     "byte %u: zip entry %q is compressed; torch.save stores entries as they are: save the file again",
                     at + 10, name);
  return HFM_OK;
}

/* The local header must name the same entry; the data begins after it. `record` is where the directory has the entry. */
HFM__PRIVATE hfm_result hfm__zip_local(const hfm__zip *zip, hfm__zip_entry *entry, const hfm__zip_directory *dir,
                                       uint64_t record, hfm_error *error) {
  const size_t name_size = strlen(entry->name);
  const uint64_t at = entry->header;
  uint8_t header[HFM__ZIP_LOCAL_SIZE], *owned;
  const uint8_t *name;
  hfm_result result;
  int same;
  if (at > dir->offset || dir->offset - at < HFM__ZIP_LOCAL_SIZE + name_size)
    return hfm__zip_bad(zip, entry->name, record, error, "its local header lies outside of the file");
  result = hfm__file_read(zip->file, at, header, sizeof header, error);
  if (result != HFM_OK) return result;
  if (hfm__le32(header) != HFM__ZIP_LOCAL) return hfm__zip_bad(zip, entry->name, at, error, "no local header there");
  if (hfm__le16(header + 6) & HFM__ZIP_REFUSED_FLAGS || hfm__le16(header + 8) != 0 ||
      hfm__le16(header + 26) != name_size)
    return hfm__zip_bad(zip, entry->name, at, error, "its local header contradicts the directory");
  result = hfm__file_bytes(zip->file, at + HFM__ZIP_LOCAL_SIZE, name_size, &name, &owned, error);
  if (result != HFM_OK) return result;
  same = memcmp(name, entry->name, name_size) == 0;
  hfm__free(&zip->arena.mem, owned, name_size);
  if (!same) return hfm__zip_bad(zip, entry->name, at, error, "its local header has another name");
  entry->offset = at + HFM__ZIP_LOCAL_SIZE + name_size + hfm__le16(header + 28);
  if (entry->offset > dir->offset || entry->size > dir->offset - entry->offset)
    return hfm__zip_bad(zip, entry->name, at, error, "its data reaches into the zip directory");
  return HFM_OK;
}

HFM__PRIVATE int hfm__zip_name_order(const void *a, const void *b) {
  return strcmp(((const hfm__zip_entry *)a)->name, ((const hfm__zip_entry *)b)->name);
}

HFM__PRIVATE int hfm__zip_header_order(const void *a, const void *b) {
  const uint64_t x = ((const hfm__zip_entry *)a)->header, y = ((const hfm__zip_entry *)b)->header;
  return x < y ? -1 : x > y;
}

/* No two entries share a byte or a name. Leaves by_name sorted. */
HFM__PRIVATE hfm_result hfm__zip_check_apart(hfm__zip *zip, hfm_error *error) {
  const void **sorted = zip->by_name;
  for (size_t i = 0; i < zip->count; i++) sorted[i] = &zip->entries[i];
  hfm__sort(sorted, sorted + zip->count, zip->count, hfm__zip_header_order);
  for (size_t i = 1; i < zip->count; i++) {
    const hfm__zip_entry *before = (const hfm__zip_entry *)sorted[i - 1], *entry = (const hfm__zip_entry *)sorted[i];
    if (before->offset + before->size > entry->header)
      return hfm__zip_bad(zip, entry->name, entry->header, error, "overlaps the entry before it");
  }
  hfm__sort(sorted, sorted + zip->count, zip->count, hfm__zip_name_order);
  for (size_t i = 1; i < zip->count; i++)
    if (hfm__zip_name_order(sorted[i - 1], sorted[i]) == 0)
      return hfm__zip_bad(zip, ((const hfm__zip_entry *)sorted[i])->name, ((const hfm__zip_entry *)sorted[i])->header,
                          error, "a name that another entry has too");
  return HFM_OK;
}

/* Everything lies in one folder: what precedes the first '/' of the first name. */
HFM__PRIVATE hfm_result hfm__zip_find_root(hfm__zip *zip, hfm_error *error) {
  const char *first = zip->entries[0].name, *slash = strchr(first, '/');
  const size_t size = slash ? (size_t)(slash - first) : 0;
  if (!size)
    return hfm__zip_bad(zip, first, zip->entries[0].header, error, "not in a folder, as all entries of torch.save are");
  for (size_t i = 0; i < zip->count; i++)
    if (strncmp(zip->entries[i].name, first, size + 1) != 0)
      return hfm__zip_bad(zip, zip->entries[i].name, zip->entries[i].header, error, "not in the folder of the others");
  zip->root = hfm__arena_copy(&zip->arena, first, size);
  return zip->root ? HFM_OK : hfm__fail_memory(error, "a zip directory", 0);
}

/* Reads and checks the whole directory. On failure *zip is zero. */
HFM__PRIVATE hfm_result hfm__zip_open(const hfm__file *file, hfm__zip *zip, hfm_error *error) {
  const hfm_allocator *mem = &file->ctx->mem;
  hfm__zip_directory dir;
  const uint8_t *records = NULL;
  uint8_t *owned = NULL;
  uint64_t at = 0, used = 0;
  hfm_result result;
  memset(zip, 0, sizeof *zip);
  memset(&dir, 0, sizeof dir);
  zip->file = file;
  zip->arena.mem = *mem;
  result = hfm__zip_find_directory(zip, &dir, error);
  if (result == HFM_OK) result = hfm__file_bytes(file, dir.offset, dir.size, &records, &owned, error);
  if (result == HFM_OK) {
    zip->entries = (hfm__zip_entry *)hfm__alloc_zero(mem, dir.entries * sizeof *zip->entries);
    zip->by_name = (const void **)hfm__alloc(mem, dir.entries * 2 * sizeof *zip->by_name);
    zip->count = (size_t)dir.entries;
    if (!zip->entries || !zip->by_name) result = hfm__fail_memory(error, "a zip directory", 0);
  }
  for (size_t i = 0; i < zip->count && result == HFM_OK; i++, at += used) {
    result = hfm__zip_central(zip, records + at, dir.size - at, dir.offset + at, &zip->entries[i], &used, error);
    if (result == HFM_OK) result = hfm__zip_local(zip, &zip->entries[i], &dir, dir.offset + at, error);
  }
  if (result == HFM_OK && at != dir.size)
    result = hfm__zip_bad(zip, NULL, dir.offset + at, error, "bytes of the zip directory are left over");
  if (result == HFM_OK) result = hfm__zip_check_apart(zip, error);
  if (result == HFM_OK) result = hfm__zip_find_root(zip, error);
  hfm__free(mem, owned, dir.size);
  if (result != HFM_OK) hfm__zip_close(zip);
  return result;
}

/* root/name, or NULL. */
HFM__PRIVATE const hfm__zip_entry *hfm__zip_find(const hfm__zip *zip, const char *folder, const char *name,
                                                 size_t name_size) {
  const size_t root_size = strlen(zip->root), folder_size = strlen(folder);
  size_t low = 0, high = zip->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const hfm__zip_entry *entry = (const hfm__zip_entry *)zip->by_name[middle];
    const char *rest = entry->name + root_size + 1; /* all names begin with the root and '/' */
    int order = strncmp(rest, folder, folder_size);
    if (order == 0) order = strncmp(rest + folder_size, name, name_size);
    if (order == 0 && rest[folder_size + name_size]) order = 1;
    if (order == 0) return entry;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return NULL;
}
/* ==== end src/formats/zip.c ==== */
/* ==== begin src/formats/pickle.c ==== */
/* ==== formats/pickle (private): a small machine that reads pickles and runs nothing ============================
   A pickle is a program. This machine knows the instructions that state dicts need, and a fixed list of globals, compared
   by their exact names; anything else is refused by its name. "Calling" one of the few functions makes a node that
   says so: nothing is looked up, imported or executed. Every instruction makes at most one object and one list cell, so
   memory is bounded by the stream; objects refer to each other by index, so sharing and cycles cost nothing. */

enum {
  HFM__PK_NONE,
  HFM__PK_BOOL,    /* integer: 0 or 1 */
  HFM__PK_INT,     /* integer */
  HFM__PK_OPAQUE,  /* floats, bytes, long integers, sets: a, b: where in the stream, 0 where that says nothing */
  HFM__PK_STRING,  /* a: first byte in the stream, b: length */
  HFM__PK_TUPLE,   /* these three: a: first cell, b: last cell, count */
  HFM__PK_LIST,
  HFM__PK_DICT,
  HFM__PK_GLOBAL,  /* a: index in hfm__pickle_globals */
  HFM__PK_STORAGE, /* a: its persistent id, a tuple */
  HFM__PK_TENSOR   /* a: the argument tuple of its rebuild function, b: that function's HFM__PK_CALL_... */
};

typedef struct hfm__pickle_object {
  uint8_t kind;
  uint8_t ordered; /* dict: an OrderedDict */
  uint8_t listed;  /* dict: it was made of the list of pairs `a`, which is looked at when somebody asks */
  uint32_t a, b;
  union {
    int64_t integer;
    uint64_t count;
  } u;
} hfm__pickle_object;

/* One element of a container. */
typedef struct hfm__pickle_cell {
  uint32_t key; /* dict only */
  uint32_t value;
  uint32_t next; /* 0 at the end */
} hfm__pickle_cell;

/* What may be done with a global. */
enum {
  HFM__PK_CALL_ORDERED_DICT,
  HFM__PK_CALL_TENSOR,    /* _rebuild_tensor: storage, offset, size, stride */
  HFM__PK_CALL_TENSOR_V2, /* ..., requires_grad, hooks[, metadata] */
  HFM__PK_CALL_TENSOR_V3, /* ..., requires_grad, hooks, dtype[, metadata] */
  HFM__PK_CALL_PARAMETER, /* tensor, requires_grad, hooks */
  HFM__PK_CALL_PARAMETER_STATE, /* the same and a state */
  HFM__PK_CALL_OPAQUE,    /* makes something that no tensor needs */
  HFM__PK_CLASS_STORAGE,  /* a value: dtype of its elements; 0: of bytes, the tensor says what they are */
  HFM__PK_VALUE_DTYPE     /* a value: a dtype */
};

enum { HFM__PK_NO_DTYPE = -1 }; /* known to torch, but nothing that a tensor here can have */

typedef struct hfm__pickle_global {
  const char *module, *name;
  int32_t role;
  hfm_dtype dtype;
} hfm__pickle_global;

#define HFM__STORAGES(module) \
  {module, "FloatStorage", HFM__PK_CLASS_STORAGE, HFM_F32}, {module, "DoubleStorage", HFM__PK_CLASS_STORAGE, HFM_F64}, \
  {module, "HalfStorage", HFM__PK_CLASS_STORAGE, HFM_F16}, {module, "BFloat16Storage", HFM__PK_CLASS_STORAGE, HFM_BF16}, \
  {module, "LongStorage", HFM__PK_CLASS_STORAGE, HFM_I64}, {module, "IntStorage", HFM__PK_CLASS_STORAGE, HFM_I32}, \
  {module, "ShortStorage", HFM__PK_CLASS_STORAGE, HFM_I16}, {module, "CharStorage", HFM__PK_CLASS_STORAGE, HFM_I8}, \
  {module, "ByteStorage", HFM__PK_CLASS_STORAGE, HFM_U8}, {module, "BoolStorage", HFM__PK_CLASS_STORAGE, HFM_BOOL}, \
  {module, "ComplexFloatStorage", HFM__PK_CLASS_STORAGE, HFM_C64}, \
  {module, "ComplexDoubleStorage", HFM__PK_CLASS_STORAGE, HFM__PK_NO_DTYPE}
#define HFM__DTYPE(name, dtype) {"torch", name, HFM__PK_VALUE_DTYPE, dtype}

static const hfm__pickle_global hfm__pickle_globals[] = {
    {"collections", "OrderedDict", HFM__PK_CALL_ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor", HFM__PK_CALL_TENSOR, 0},
    {"torch._utils", "_rebuild_tensor_v2", HFM__PK_CALL_TENSOR_V2, 0},
    {"torch._utils", "_rebuild_tensor_v3", HFM__PK_CALL_TENSOR_V3, 0},
    {"torch._utils", "_rebuild_parameter", HFM__PK_CALL_PARAMETER, 0},
    {"torch._utils", "_rebuild_parameter_with_state", HFM__PK_CALL_PARAMETER_STATE, 0},
    {"torch", "Size", HFM__PK_CALL_OPAQUE, 0},
    {"torch", "device", HFM__PK_CALL_OPAQUE, 0},
    {"_codecs", "encode", HFM__PK_CALL_OPAQUE, 0},
    {"builtins", "set", HFM__PK_CALL_OPAQUE, 0},
    {"__builtin__", "set", HFM__PK_CALL_OPAQUE, 0},
    HFM__STORAGES("torch"),
    HFM__STORAGES("torch.cuda"),
    {"torch.storage", "UntypedStorage", HFM__PK_CLASS_STORAGE, 0},
    {"torch.storage", "_UntypedStorage", HFM__PK_CLASS_STORAGE, 0},
    {"torch.storage", "TypedStorage", HFM__PK_CLASS_STORAGE, 0},
    HFM__DTYPE("float8_e4m3fn", HFM_F8_E4M3),
    HFM__DTYPE("float8_e5m2", HFM_F8_E5M2),
    HFM__DTYPE("float8_e4m3fnuz", HFM_F8_E4M3FNUZ),
    HFM__DTYPE("float8_e5m2fnuz", HFM_F8_E5M2FNUZ),
    HFM__DTYPE("float8_e8m0fnu", HFM_F8_E8M0),
    HFM__DTYPE("float4_e2m1fn_x2", HFM__PK_NO_DTYPE),
    HFM__DTYPE("uint16", HFM_U16),
    HFM__DTYPE("uint32", HFM_U32),
    HFM__DTYPE("uint64", HFM_U64),
    HFM__DTYPE("float32", HFM_F32),
    HFM__DTYPE("float16", HFM_F16),
    HFM__DTYPE("bfloat16", HFM_BF16),
    HFM__DTYPE("float64", HFM_F64),
    HFM__DTYPE("int8", HFM_I8),
    HFM__DTYPE("int16", HFM_I16),
    HFM__DTYPE("int32", HFM_I32),
    HFM__DTYPE("int64", HFM_I64),
    HFM__DTYPE("uint8", HFM_U8),
    HFM__DTYPE("bool", HFM_BOOL),
};
#undef HFM__STORAGES
#undef HFM__DTYPE

enum { HFM__PK_PERSISTENT_MAX = 6 }; /* elements of a persistent id */

typedef struct hfm__pickle {
  const hfm_allocator *mem;
  const char *file;   /* for errors */
  const uint8_t *data;
  size_t size, pos;
  uint64_t base;      /* of data[0] in the file */
  size_t op;          /* where the running instruction began */
  hfm__pickle_object *objects; /* objects[0] is None, for everybody */
  size_t object_count, object_capacity;
  hfm__pickle_cell *cells; /* cells[0] is not used */
  size_t cell_count, cell_capacity;
  uint32_t *stack;
  size_t stack_count, stack_capacity;
  uint32_t *marks;    /* heights of the stack */
  size_t mark_count, mark_capacity;
  uint32_t *memo;     /* object + 1; 0: not set */
  size_t memo_capacity;
  uint64_t memo_used; /* slots that are set: MEMOIZE takes the one with this number */
  hfm_error *error;
  hfm_result result;  /* of the first error */
} hfm__pickle;

HFM__PRIVATE void hfm__pickle_begin(hfm__pickle *p, const hfm_allocator *mem, const char *file, const uint8_t *data,
                                    size_t size, uint64_t base, hfm_error *error) {
  memset(p, 0, sizeof *p);
  p->mem = mem;
  p->file = file;
  p->data = data;
  p->size = size;
  p->base = base;
  p->error = error;
}

HFM__PRIVATE void hfm__pickle_end(hfm__pickle *p) {
  hfm__free(p->mem, p->objects, (uint64_t)p->object_capacity * sizeof *p->objects);
  hfm__free(p->mem, p->cells, (uint64_t)p->cell_capacity * sizeof *p->cells);
  hfm__free(p->mem, p->stack, (uint64_t)p->stack_capacity * sizeof *p->stack);
  hfm__free(p->mem, p->marks, (uint64_t)p->mark_capacity * sizeof *p->marks);
  hfm__free(p->mem, p->memo, (uint64_t)p->memo_capacity * sizeof *p->memo);
  memset(p, 0, sizeof *p);
}

/* Always 0, so that an instruction can return it. */
HFM__PRIVATE int hfm__pickle_fail(hfm__pickle *p, int32_t item, const char *problem) {
  const uint64_t offset = p->base + p->op;
  if (p->result == HFM_OK)
    p->result = hfm__fail(p->error, item, p->file, NULL, offset, "byte %u: pickle: %s", offset, problem);
  return 0;
}

HFM__PRIVATE int hfm__pickle_memory(hfm__pickle *p) {
  if (p->result == HFM_OK) p->result = hfm__fail_memory(p->error, "a pickle's objects", 0);
  return 0;
}

/* ---- Stack, objects, cells ---- */

HFM__PRIVATE int hfm__pickle_push(hfm__pickle *p, uint32_t object) {
  void *grown = hfm__grow(p->mem, p->stack, p->stack_count, &p->stack_capacity, sizeof *p->stack);
  if (!grown) return hfm__pickle_memory(p);
  p->stack = (uint32_t *)grown;
  p->stack[p->stack_count++] = object;
  return 1;
}

/* No instruction reaches below the innermost mark. */
HFM__PRIVATE size_t hfm__pickle_height(const hfm__pickle *p) {
  return p->stack_count - (p->mark_count ? p->marks[p->mark_count - 1] : 0);
}

HFM__PRIVATE int hfm__pickle_pop(hfm__pickle *p, uint32_t *object) {
  if (hfm__pickle_height(p) == 0) return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "an instruction finds the stack empty");
  *object = p->stack[--p->stack_count];
  return 1;
}

HFM__PRIVATE int hfm__pickle_top(hfm__pickle *p, uint32_t *object) {
  if (!hfm__pickle_pop(p, object)) return 0;
  p->stack_count++;
  return 1;
}

HFM__PRIVATE int hfm__pickle_mark(hfm__pickle *p) {
  void *grown = hfm__grow(p->mem, p->marks, p->mark_count, &p->mark_capacity, sizeof *p->marks);
  if (!grown) return hfm__pickle_memory(p);
  p->marks = (uint32_t *)grown;
  p->marks[p->mark_count++] = (uint32_t)p->stack_count;
  return 1;
}

/* Removes the innermost mark; *first: the stack's height there. What lies above is still in its place. */
HFM__PRIVATE int hfm__pickle_to_mark(hfm__pickle *p, size_t *first) {
  if (p->mark_count == 0) return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "an instruction finds no mark");
  *first = p->marks[--p->mark_count];
  return 1;
}

HFM__PRIVATE hfm__pickle_object *hfm__pickle_new(hfm__pickle *p, int32_t kind) {
  void *grown = hfm__grow(p->mem, p->objects, p->object_count, &p->object_capacity, sizeof *p->objects);
  hfm__pickle_object *object;
  if (!grown || p->object_count >= UINT32_MAX - 1) {
    (void)hfm__pickle_memory(p);
    return NULL;
  }
  p->objects = (hfm__pickle_object *)grown;
  object = &p->objects[p->object_count++];
  memset(object, 0, sizeof *object);
  object->kind = (uint8_t)kind;
  return object;
}

/* A new object on the stack. */
HFM__PRIVATE hfm__pickle_object *hfm__pickle_make(hfm__pickle *p, int32_t kind) {
  hfm__pickle_object *object = hfm__pickle_new(p, kind);
  return object && hfm__pickle_push(p, (uint32_t)(p->object_count - 1)) ? object : NULL;
}

HFM__PRIVATE int hfm__pickle_make_int(hfm__pickle *p, int32_t kind, int64_t value) {
  hfm__pickle_object *object = hfm__pickle_make(p, kind);
  if (object) object->u.integer = value;
  return object != NULL;
}

/* Appends to a container. */
HFM__PRIVATE int hfm__pickle_append(hfm__pickle *p, uint32_t container, uint32_t key, uint32_t value) {
  void *grown = hfm__grow(p->mem, p->cells, p->cell_count + 1, &p->cell_capacity, sizeof *p->cells);
  hfm__pickle_object *object = &p->objects[container];
  hfm__pickle_cell *cell;
  if (!grown || p->cell_count >= UINT32_MAX - 2) return hfm__pickle_memory(p);
  p->cells = (hfm__pickle_cell *)grown;
  if (p->cell_count == 0) p->cell_count = 1;
  cell = &p->cells[p->cell_count];
  cell->key = key;
  cell->value = value;
  cell->next = 0;
  if (object->b) p->cells[object->b].next = (uint32_t)p->cell_count;
  else object->a = (uint32_t)p->cell_count;
  object->b = (uint32_t)p->cell_count++;
  object->u.count++;
  return 1;
}

/* A tuple or list of what lies on the stack from `first` on, in its place. */
HFM__PRIVATE int hfm__pickle_collect(hfm__pickle *p, int32_t kind, size_t first) {
  const uint32_t container = (uint32_t)p->object_count;
  if (!hfm__pickle_new(p, kind)) return 0;
  for (size_t i = first; i < p->stack_count; i++)
    if (!hfm__pickle_append(p, container, 0, p->stack[i])) return 0;
  p->stack_count = first;
  return hfm__pickle_push(p, container);
}

HFM__PRIVATE int hfm__pickle_collect_top(hfm__pickle *p, int32_t kind, size_t count) {
  if (hfm__pickle_height(p) < count)
    return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "an instruction needs more than lies on the stack");
  return hfm__pickle_collect(p, kind, p->stack_count - count);
}

/* Key and value pairs from `first` on go into a dict. */
HFM__PRIVATE int hfm__pickle_set_items(hfm__pickle *p, uint32_t dict, size_t first) {
  if ((p->stack_count - first) % 2)
    return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "a key without a value");
  if (p->objects[dict].kind != HFM__PK_DICT || p->objects[dict].listed)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "items can only be set in a dict that was made empty");
  for (size_t i = first; i < p->stack_count; i += 2)
    if (!hfm__pickle_append(p, dict, p->stack[i], p->stack[i + 1])) return 0;
  p->stack_count = first;
  return 1;
}

/* ---- What lies in objects ---- */

/* Element `index` of a tuple or list, which must have it. */
HFM__PRIVATE uint32_t hfm__pickle_element(const hfm__pickle *p, uint32_t container, uint64_t index) {
  uint32_t cell = p->objects[container].a;
  for (; index; index--) cell = p->cells[cell].next;
  return p->cells[cell].value;
}

HFM__PRIVATE int hfm__pickle_is(const hfm__pickle *p, uint32_t object, int32_t kind) {
  return p->objects[object].kind == kind;
}

HFM__PRIVATE int hfm__pickle_text_is(const hfm__pickle *p, uint32_t object, const char *text) {
  const hfm__pickle_object *o = &p->objects[object];
  return o->kind == HFM__PK_STRING && o->b == strlen(text) && memcmp(p->data + o->a, text, o->b) == 0;
}

HFM__PRIVATE int hfm__pickle_is_global(const hfm__pickle *p, uint32_t object, int32_t role) {
  return p->objects[object].kind == HFM__PK_GLOBAL && hfm__pickle_globals[p->objects[object].a].role == role;
}

/* ---- Memo ---- */

/* Slots are numbered by the pickler, one after the other: a number beyond the stream's size can't be one of them. */
HFM__PRIVATE int hfm__pickle_put(hfm__pickle *p, uint64_t slot) {
  uint32_t object;
  if (!hfm__pickle_top(p, &object)) return 0;
  if (slot > p->size) return hfm__pickle_fail(p, HFM_E_PICKLE_MEMO, "a memo slot beyond any that this stream could use");
  while (slot >= p->memo_capacity) {
    const size_t old = p->memo_capacity;
    void *grown = hfm__grow(p->mem, p->memo, old, &p->memo_capacity, sizeof *p->memo);
    if (!grown) return hfm__pickle_memory(p);
    p->memo = (uint32_t *)grown;
    memset(p->memo + old, 0, (p->memo_capacity - old) * sizeof *p->memo);
  }
  if (!p->memo[slot]) p->memo_used++;
  p->memo[slot] = object + 1;
  return 1;
}

HFM__PRIVATE int hfm__pickle_get(hfm__pickle *p, uint64_t slot) {
  if (slot >= p->memo_capacity || !p->memo[slot])
    return hfm__pickle_fail(p, HFM_E_PICKLE_MEMO, "a memo slot that was never filled");
  return hfm__pickle_push(p, p->memo[slot] - 1);
}

/* ---- Globals ---- */

HFM__PRIVATE int hfm__pickle_push_global(hfm__pickle *p, const char *module, size_t module_size, const char *name,
                                         size_t name_size) {
  char shown[300];
  hfm__text t = hfm__text_to(shown, sizeof shown);
  const uint64_t offset = p->base + p->op;
  for (uint32_t i = 0; i < HFM__COUNT(hfm__pickle_globals); i++) {
    const hfm__pickle_global *known = &hfm__pickle_globals[i];
    hfm__pickle_object *object;
    if (strlen(known->module) != module_size || memcmp(known->module, module, module_size) != 0) continue;
    if (strlen(known->name) != name_size || memcmp(known->name, name, name_size) != 0) continue;
    object = hfm__pickle_make(p, HFM__PK_GLOBAL);
    if (object) object->a = i;
    return object != NULL;
  }
  hfm__text_quoted(&t, module, module_size);
  hfm__text_char(&t, ' ');
  hfm__text_quoted(&t, name, name_size);
  p->result = hfm__fail(p->error, HFM_E_PICKLE_GLOBAL, p->file, shown, offset,
                        "byte %u: pickle: global %s is not allowed: only tensors and plain containers are read, and "
                        "nothing is executed",
                        offset, shown);
  return 0;
}

HFM__PRIVATE int hfm__pickle_line(hfm__pickle *p, const char **line, size_t *size) {
  const uint8_t *end = (const uint8_t *)memchr(p->data + p->pos, '\n', p->size - p->pos);
  if (!end) return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "a global's name does not end");
  *line = (const char *)p->data + p->pos;
  *size = (size_t)(end - p->data) - p->pos;
  p->pos += *size + 1;
  return 1;
}

HFM__PRIVATE int hfm__pickle_stack_global(hfm__pickle *p) {
  uint32_t name, module;
  const hfm__pickle_object *n, *m;
  if (!hfm__pickle_pop(p, &name) || !hfm__pickle_pop(p, &module)) return 0;
  n = &p->objects[name];
  m = &p->objects[module];
  if (n->kind != HFM__PK_STRING || m->kind != HFM__PK_STRING)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "a global's name must be two strings");
  return hfm__pickle_push_global(p, (const char *)p->data + m->a, m->b, (const char *)p->data + n->a, n->b);
}

/* ---- Calls ---- */

/* A storage: ('storage', class, key, location, numel[, view]); view: None or (key, offset, numel). */
HFM__PRIVATE int hfm__pickle_persistent(hfm__pickle *p) {
  static const char problem[] = "a persistent id must be ('storage', class, key, location, numel)";
  uint32_t id, e[HFM__PK_PERSISTENT_MAX];
  hfm__pickle_object *object;
  if (!hfm__pickle_pop(p, &id)) return 0;
  if (!hfm__pickle_is(p, id, HFM__PK_TUPLE) || p->objects[id].u.count < HFM__PK_PERSISTENT_MAX - 1 ||
      p->objects[id].u.count > HFM__PK_PERSISTENT_MAX)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, problem);
  for (uint64_t i = 0; i < p->objects[id].u.count; i++) e[i] = hfm__pickle_element(p, id, i);
  if (!hfm__pickle_text_is(p, e[0], "storage") || !hfm__pickle_is_global(p, e[1], HFM__PK_CLASS_STORAGE) ||
      !hfm__pickle_is(p, e[2], HFM__PK_STRING) || !hfm__pickle_is(p, e[3], HFM__PK_STRING) ||
      !hfm__pickle_is(p, e[4], HFM__PK_INT) || p->objects[e[4]].u.integer < 0)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, problem);
  if (p->objects[id].u.count == HFM__PK_PERSISTENT_MAX && !hfm__pickle_is(p, e[5], HFM__PK_NONE)) {
    if (!hfm__pickle_is(p, e[5], HFM__PK_TUPLE) || p->objects[e[5]].u.count != 3 ||
        !hfm__pickle_is(p, hfm__pickle_element(p, e[5], 0), HFM__PK_STRING))
      return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "a storage's view must be None or (key, offset, numel)");
    for (uint64_t i = 1; i < 3; i++) {
      const hfm__pickle_object *number = &p->objects[hfm__pickle_element(p, e[5], i)];
      if (number->kind != HFM__PK_INT || number->u.integer < 0)
        return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "a storage's view must be None or (key, offset, numel)");
    }
  }
  object = hfm__pickle_make(p, HFM__PK_STORAGE);
  if (object) object->a = id;
  return object != NULL;
}

HFM__PRIVATE int hfm__pickle_is_dims(const hfm__pickle *p, uint32_t tuple) {
  if (!hfm__pickle_is(p, tuple, HFM__PK_TUPLE) || p->objects[tuple].u.count > HFM_MAX_RANK) return 0;
  for (uint32_t cell = p->objects[tuple].a; cell; cell = p->cells[cell].next) {
    const hfm__pickle_object *dim = &p->objects[p->cells[cell].value];
    if (dim->kind != HFM__PK_INT || dim->u.integer < 0) return 0;
  }
  return 1;
}

/* The types of a rebuild function's arguments; the numbers are checked where the storage's size is known. */
HFM__PRIVATE int hfm__pickle_rebuild(hfm__pickle *p, uint32_t args, int32_t role) {
  const uint64_t count = p->objects[args].u.count;
  const uint64_t least = role == HFM__PK_CALL_TENSOR ? 4 : role == HFM__PK_CALL_TENSOR_V2 ? 6 : 7;
  const uint64_t most = least + (role == HFM__PK_CALL_TENSOR ? 0 : 1);
  hfm__pickle_object *object;
  uint32_t size, stride, offset;
  if (count < least || count > most)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "a tensor with a wrong number of arguments");
  offset = hfm__pickle_element(p, args, 1);
  size = hfm__pickle_element(p, args, 2);
  stride = hfm__pickle_element(p, args, 3);
  if (!hfm__pickle_is(p, hfm__pickle_element(p, args, 0), HFM__PK_STORAGE) || !hfm__pickle_is(p, offset, HFM__PK_INT) ||
      p->objects[offset].u.integer < 0 || !hfm__pickle_is_dims(p, size) || !hfm__pickle_is_dims(p, stride) ||
      p->objects[size].u.count != p->objects[stride].u.count)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TENSOR,
                            "a tensor needs a storage, an offset, and as many sizes as strides: at most 8, none "
                            "negative");
  if (role == HFM__PK_CALL_TENSOR_V3 &&
      !hfm__pickle_is_global(p, hfm__pickle_element(p, args, 6), HFM__PK_VALUE_DTYPE))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TENSOR, "a tensor without a dtype that is known");
  object = hfm__pickle_make(p, HFM__PK_TENSOR);
  if (!object) return 0;
  object->a = args;
  object->b = (uint32_t)role;
  return 1;
}

/* OrderedDict(), or OrderedDict([(key, value), ...]). The list is not copied: it may be shared by any number of calls,
   and each would cost its length. */
HFM__PRIVATE int hfm__pickle_ordered_dict(hfm__pickle *p, uint32_t args) {
  const uint64_t count = p->objects[args].u.count;
  const uint32_t pairs = count == 1 ? hfm__pickle_element(p, args, 0) : 0;
  hfm__pickle_object *dict;
  if (count > 1 || (count == 1 && !hfm__pickle_is(p, pairs, HFM__PK_LIST)))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "an OrderedDict is made of nothing or of a list of pairs");
  dict = hfm__pickle_make(p, HFM__PK_DICT);
  if (!dict) return 0;
  dict->ordered = 1;
  dict->listed = count == 1;
  dict->a = pairs;
  return 1;
}

HFM__PRIVATE int hfm__pickle_call(hfm__pickle *p) {
  uint32_t args, function;
  int32_t role;
  if (!hfm__pickle_pop(p, &args) || !hfm__pickle_pop(p, &function)) return 0;
  if (!hfm__pickle_is(p, args, HFM__PK_TUPLE) || !hfm__pickle_is(p, function, HFM__PK_GLOBAL))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "a call needs a function and a tuple");
  role = hfm__pickle_globals[p->objects[function].a].role;
  switch (role) {
    case HFM__PK_CALL_ORDERED_DICT: return hfm__pickle_ordered_dict(p, args);
    case HFM__PK_CALL_TENSOR:
    case HFM__PK_CALL_TENSOR_V2:
    case HFM__PK_CALL_TENSOR_V3: return hfm__pickle_rebuild(p, args, role);
    case HFM__PK_CALL_PARAMETER:
    case HFM__PK_CALL_PARAMETER_STATE:
      if (p->objects[args].u.count != (role == HFM__PK_CALL_PARAMETER ? 3 : 4) ||
          !hfm__pickle_is(p, hfm__pickle_element(p, args, 0), HFM__PK_TENSOR))
        return hfm__pickle_fail(p, HFM_E_PICKLE_TENSOR, "a parameter is made of a tensor and two more arguments");
      return hfm__pickle_push(p, hfm__pickle_element(p, args, 0));
    case HFM__PK_CALL_OPAQUE: return hfm__pickle_make(p, HFM__PK_OPAQUE) != NULL;
    default: return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "a storage class or dtype is a value and can't be called");
  }
}

/* cls.__new__(cls): of an OrderedDict without arguments, or of what is opaque anyway. */
HFM__PRIVATE int hfm__pickle_new_object(hfm__pickle *p) {
  uint32_t args, type;
  if (!hfm__pickle_pop(p, &args) || !hfm__pickle_pop(p, &type)) return 0;
  if (!hfm__pickle_is(p, args, HFM__PK_TUPLE))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "creating an object needs a class and a tuple");
  if (hfm__pickle_is_global(p, type, HFM__PK_CALL_OPAQUE)) return hfm__pickle_make(p, HFM__PK_OPAQUE) != NULL;
  if (p->objects[args].u.count != 0 || !hfm__pickle_is_global(p, type, HFM__PK_CALL_ORDERED_DICT))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "only an empty OrderedDict can be created so");
  return hfm__pickle_ordered_dict(p, args);
}

/* Attributes of an OrderedDict (torch's _metadata): nothing that a tensor needs. */
HFM__PRIVATE int hfm__pickle_build(hfm__pickle *p) {
  uint32_t state, object;
  if (!hfm__pickle_pop(p, &state) || !hfm__pickle_top(p, &object)) return 0;
  if (!hfm__pickle_is(p, object, HFM__PK_DICT) || !p->objects[object].ordered)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "only an OrderedDict can be given attributes");
  return 1;
}

/* ---- The machine ---- */

/* A length of `width` bytes, then so many bytes, which must be there before anything is made of them. */
HFM__PRIVATE int hfm__pickle_counted(hfm__pickle *p, size_t width, size_t *start, size_t *size) {
  uint64_t length = 0;
  if (p->size - p->pos < width) return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "the stream ends in an instruction");
  for (size_t i = 0; i < width; i++) length |= (uint64_t)p->data[p->pos + i] << 8 * i;
  p->pos += width;
  if (length > p->size - p->pos)
    return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "a length beyond the end of the stream");
  *start = p->pos;
  *size = (size_t)length;
  p->pos += *size;
  return 1;
}

HFM__PRIVATE int hfm__pickle_make_span(hfm__pickle *p, int32_t kind, size_t width) {
  size_t start, size;
  hfm__pickle_object *object;
  if (!hfm__pickle_counted(p, width, &start, &size)) return 0;
  object = hfm__pickle_make(p, kind);
  if (!object) return 0;
  object->a = (uint32_t)start;
  object->b = (uint32_t)size;
  return 1;
}

/* LONG1: an integer if it has at most 8 bytes, little-endian two's complement. */
HFM__PRIVATE int hfm__pickle_long(hfm__pickle *p) {
  size_t start, size;
  uint64_t value = 0;
  hfm__pickle_object *object;
  if (!hfm__pickle_counted(p, 1, &start, &size)) return 0;
  object = hfm__pickle_make(p, size > 8 ? HFM__PK_OPAQUE : HFM__PK_INT);
  if (!object) return 0;
  if (size > 8) {
    object->a = (uint32_t)start;
    object->b = (uint32_t)size;
    return 1;
  }
  if (size && p->data[start + size - 1] & 0x80) value = UINT64_MAX;
  for (size_t i = size; i-- > 0;) value = value << 8 | p->data[start + i];
  memcpy(&object->u.integer, &value, sizeof value);
  return 1;
}

/* Instructions with an operand of fixed width follow the table below: its bytes as a little-endian number. */
HFM__PRIVATE int hfm__pickle_operand(hfm__pickle *p, size_t width, uint64_t *value) {
  *value = 0;
  if (p->size - p->pos < width) return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "the stream ends in an instruction");
  for (size_t i = 0; i < width; i++) *value |= (uint64_t)p->data[p->pos + i] << 8 * i;
  p->pos += width;
  return 1;
}

HFM__PRIVATE int hfm__pickle_int32(hfm__pickle *p) {
  uint64_t value;
  if (!hfm__pickle_operand(p, 4, &value)) return 0;
  return hfm__pickle_make_int(p, HFM__PK_INT, value & 0x80000000u ? (int64_t)value - ((int64_t)1 << 32) : (int64_t)value);
}

/* What lies above the mark goes into the object below it. */
HFM__PRIVATE int hfm__pickle_extend(hfm__pickle *p, int32_t kind) {
  size_t first;
  uint32_t object;
  if (!hfm__pickle_to_mark(p, &first)) return 0;
  if (first <= (p->mark_count ? p->marks[p->mark_count - 1] : 0))
    return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "nothing lies below the mark");
  object = p->stack[first - 1];
  if (kind == HFM__PK_DICT) return hfm__pickle_set_items(p, object, first);
  if (!hfm__pickle_is(p, object, kind))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "elements can only be added to a list or a set");
  for (size_t i = first; kind == HFM__PK_LIST && i < p->stack_count; i++)
    if (!hfm__pickle_append(p, object, 0, p->stack[i])) return 0;
  p->stack_count = first;
  return 1;
}

/* One value (list) or a key and a value (dict) go into the object below them. */
HFM__PRIVATE int hfm__pickle_add_one(hfm__pickle *p, int32_t kind) {
  const size_t count = kind == HFM__PK_DICT ? 2 : 1;
  uint32_t object;
  if (hfm__pickle_height(p) < count + 1)
    return hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "an instruction needs more than lies on the stack");
  object = p->stack[p->stack_count - count - 1];
  if (kind == HFM__PK_DICT) return hfm__pickle_set_items(p, object, p->stack_count - 2);
  if (!hfm__pickle_is(p, object, HFM__PK_LIST))
    return hfm__pickle_fail(p, HFM_E_PICKLE_TYPE, "elements can only be added to a list");
  return hfm__pickle_append(p, object, 0, p->stack[--p->stack_count]);
}

HFM__PRIVATE int hfm__pickle_drop(hfm__pickle *p) {
  uint32_t object;
  if (hfm__pickle_height(p) == 0 && p->mark_count) {
    p->mark_count--;
    return 1;
  }
  return hfm__pickle_pop(p, &object);
}

HFM__PRIVATE int hfm__pickle_collect_marked(hfm__pickle *p, int32_t kind) {
  size_t first;
  return hfm__pickle_to_mark(p, &first) && hfm__pickle_collect(p, kind, first);
}

HFM__PRIVATE int hfm__pickle_dict_marked(hfm__pickle *p) {
  const uint32_t dict = (uint32_t)p->object_count;
  size_t first;
  return hfm__pickle_to_mark(p, &first) && hfm__pickle_new(p, HFM__PK_DICT) && hfm__pickle_set_items(p, dict, first) &&
         hfm__pickle_push(p, dict);
}

HFM__PRIVATE int hfm__pickle_unknown(hfm__pickle *p, uint8_t code) {
  char problem[96];
  hfm__text t = hfm__text_to(problem, sizeof problem);
  hfm__text_format(&t, "instruction %d ", (int)code);
  hfm__text_quoted(&t, (const char *)&code, 1);
  hfm__text_str(&t, " is not allowed: no state dict needs it");
  return hfm__pickle_fail(p, HFM_E_PICKLE_OPCODE, problem);
}

/* One instruction; 0 on error. */
HFM__PRIVATE int hfm__pickle_step(hfm__pickle *p, uint8_t code) {
  const char *module, *name;
  size_t start, size, name_size;
  uint64_t value;
  switch (code) {
    case 0x80: /* PROTO */
      if (!hfm__pickle_operand(p, 1, &value)) return 0;
      if (value < 2 || value > 5)
        return hfm__pickle_fail(p, HFM_E_PICKLE_OPCODE, "only pickle protocols 2 to 5 are read");
      return 1;
    case 0x95: /* FRAME */
      if (!hfm__pickle_operand(p, 8, &value)) return 0;
      if (value > p->size - p->pos)
        return hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "a frame beyond the end of the stream");
      return 1;
    case '(': return hfm__pickle_mark(p);
    case '0': return hfm__pickle_drop(p); /* POP */
    case '1':                             /* POP_MARK */
      if (!hfm__pickle_to_mark(p, &start)) return 0;
      p->stack_count = start;
      return 1;
    case 'q': return hfm__pickle_operand(p, 1, &value) && hfm__pickle_put(p, value); /* BINPUT */
    case 'r': return hfm__pickle_operand(p, 4, &value) && hfm__pickle_put(p, value); /* LONG_BINPUT */
    case 'h': return hfm__pickle_operand(p, 1, &value) && hfm__pickle_get(p, value); /* BINGET */
    case 'j': return hfm__pickle_operand(p, 4, &value) && hfm__pickle_get(p, value); /* LONG_BINGET */
    case 0x94: return hfm__pickle_put(p, p->memo_used);                              /* MEMOIZE */
    case 'N': return hfm__pickle_push(p, 0);                                         /* NONE */
    case 0x88: return hfm__pickle_make_int(p, HFM__PK_BOOL, 1);                      /* NEWTRUE */
    case 0x89: return hfm__pickle_make_int(p, HFM__PK_BOOL, 0);                      /* NEWFALSE */
    case 'J': return hfm__pickle_int32(p);                                           /* BININT */
    case 'K': return hfm__pickle_operand(p, 1, &value) && hfm__pickle_make_int(p, HFM__PK_INT, (int64_t)value);
    case 'M': return hfm__pickle_operand(p, 2, &value) && hfm__pickle_make_int(p, HFM__PK_INT, (int64_t)value);
    case 0x8a: return hfm__pickle_long(p);                                           /* LONG1 */
    case 0x8b: return hfm__pickle_make_span(p, HFM__PK_OPAQUE, 4);                   /* LONG4 */
    case 'G': return hfm__pickle_operand(p, 8, &value) && hfm__pickle_make(p, HFM__PK_OPAQUE); /* BINFLOAT */
    case 'X':
    case 'T': return hfm__pickle_make_span(p, HFM__PK_STRING, 4); /* BINUNICODE, BINSTRING */
    case 0x8c:
    case 'U': return hfm__pickle_make_span(p, HFM__PK_STRING, 1); /* SHORT_BINUNICODE, SHORT_BINSTRING */
    case 0x8d: return hfm__pickle_make_span(p, HFM__PK_STRING, 8); /* BINUNICODE8 */
    case 'C': return hfm__pickle_make_span(p, HFM__PK_OPAQUE, 1);  /* SHORT_BINBYTES */
    case 'B': return hfm__pickle_make_span(p, HFM__PK_OPAQUE, 4);  /* BINBYTES */
    case 0x8e: return hfm__pickle_make_span(p, HFM__PK_OPAQUE, 8); /* BINBYTES8 */
    case ')': return hfm__pickle_make(p, HFM__PK_TUPLE) != NULL;   /* EMPTY_TUPLE */
    case 0x85: return hfm__pickle_collect_top(p, HFM__PK_TUPLE, 1);
    case 0x86: return hfm__pickle_collect_top(p, HFM__PK_TUPLE, 2);
    case 0x87: return hfm__pickle_collect_top(p, HFM__PK_TUPLE, 3);
    case 't': return hfm__pickle_collect_marked(p, HFM__PK_TUPLE);
    case 'l': return hfm__pickle_collect_marked(p, HFM__PK_LIST);
    case ']': return hfm__pickle_make(p, HFM__PK_LIST) != NULL; /* EMPTY_LIST */
    case '}': return hfm__pickle_make(p, HFM__PK_DICT) != NULL; /* EMPTY_DICT */
    case 0x8f: return hfm__pickle_make(p, HFM__PK_OPAQUE) != NULL; /* EMPTY_SET */
    case 'd': return hfm__pickle_dict_marked(p);                /* DICT */
    case 'a': return hfm__pickle_add_one(p, HFM__PK_LIST);      /* APPEND */
    case 'e': return hfm__pickle_extend(p, HFM__PK_LIST);       /* APPENDS */
    case 0x90: return hfm__pickle_extend(p, HFM__PK_OPAQUE);    /* ADDITEMS */
    case 's': return hfm__pickle_add_one(p, HFM__PK_DICT);      /* SETITEM */
    case 'u': return hfm__pickle_extend(p, HFM__PK_DICT);       /* SETITEMS */
    case 'c':                                                   /* GLOBAL */
      return hfm__pickle_line(p, &module, &size) && hfm__pickle_line(p, &name, &name_size) &&
             hfm__pickle_push_global(p, module, size, name, name_size);
    case 0x93: return hfm__pickle_stack_global(p);
    case 'R': return hfm__pickle_call(p);       /* REDUCE */
    case 0x81: return hfm__pickle_new_object(p); /* NEWOBJ */
    case 'b': return hfm__pickle_build(p);      /* BUILD */
    case 'Q': return hfm__pickle_persistent(p); /* BINPERSID */
    default: return hfm__pickle_unknown(p, code);
  }
}

/* Runs one pickle from p->pos to its STOP; *root is its value. Objects of earlier runs stay; memo and stack don't. */
HFM__PRIVATE hfm_result hfm__pickle_run(hfm__pickle *p, uint32_t *root) {
  p->stack_count = p->mark_count = 0;
  p->memo_used = 0;
  if (p->memo) memset(p->memo, 0, p->memo_capacity * sizeof *p->memo);
  *root = 0;
  if (p->object_count == 0 && !hfm__pickle_new(p, HFM__PK_NONE)) return p->result;
  p->op = p->pos;
  if (p->size - p->pos < 2 || p->data[p->pos] != 0x80) {
    (void)hfm__pickle_fail(p, HFM_E_PICKLE_OPCODE, "a pickle of protocol 2 or later begins with the byte 0x80");
    return p->result;
  }
  for (;;) {
    uint8_t code;
    p->op = p->pos;
    if (p->pos >= p->size) {
      (void)hfm__pickle_fail(p, HFM_E_PICKLE_TRUNCATED, "the stream ends without STOP");
      return p->result;
    }
    code = p->data[p->pos++];
    if (code == '.') break;
    if (!hfm__pickle_step(p, code)) return p->result;
  }
  if (p->mark_count || p->stack_count != 1) {
    (void)hfm__pickle_fail(p, HFM_E_PICKLE_STACK, "STOP with other than one value on the stack");
    return p->result;
  }
  *root = p->stack[0];
  return HFM_OK;
}
/* ==== end src/formats/pickle.c ==== */
/* ==== begin src/formats/torch_bin.c ==== */
/* ==== formats/torch_bin (private): pytorch_model.bin, in both of its forms =====================================
   A zip archive with data.pkl and one entry per storage (since torch 1.6), or the legacy stream: five pickles, then the
   storages. Both are read in place: a tensor is a strided view of a range of the file. The pickle says which; every
   number of it is checked against the bytes that are there. */

/* A storage as a persistent id names it. */
typedef struct hfm__torch_storage {
  const char *key;
  size_t key_size;
  hfm_dtype dtype;    /* 0: untyped, the tensor says it; its size is in bytes */
  uint64_t numel;
  uint64_t view_offset, view_numel; /* legacy: the part of it that is meant, in elements */
} hfm__torch_storage;

/* Where storages lie: a function of the container. */
struct hfm__torch;
typedef hfm_result (*hfm__torch_locate)(struct hfm__torch *t, const hfm__torch_storage *storage, const char *name,
                                        uint64_t bytes, uint64_t *offset);

/* A storage of the legacy stream. */
typedef struct hfm__torch_record {
  hfm__json_span key;
  uint64_t offset, numel, itemsize; /* itemsize: 0 until the object is seen to refer to it */
} hfm__torch_record;

typedef struct hfm__torch {
  const hfm__file *file;
  uint32_t index; /* of the file in the checkpoint */
  hfm__pickle pickle;
  hfm__tensor_list *list;
  hfm__torch_locate locate;
  int32_t big_endian;
  uint64_t strided_bytes; /* what all tensors that are not contiguous would take as dense ones */
  const hfm__zip *zip;    /* or: */
  const void **by_key;   /* the records of a legacy stream, sorted */
  size_t record_count;
  hfm_error *error;
} hfm__torch;

HFM__PRIVATE hfm_result hfm__torch_bad(const hfm__torch *t, int32_t item, const char *name, const char *problem) {
  return hfm__fail(t->error, item, t->file->name, name, t->pickle.base, "tensor %q: %s", name, problem);
}

HFM__PRIVATE uint64_t hfm__torch_int(const hfm__torch *t, uint32_t object) {
  return (uint64_t)t->pickle.objects[object].u.integer; /* checked to be an integer >= 0 when it was built */
}

HFM__PRIVATE hfm__torch_storage hfm__torch_storage_of(const hfm__torch *t, uint32_t object) {
  const hfm__pickle *p = &t->pickle;
  const uint32_t id = p->objects[object].a;
  const hfm__pickle_object *key = &p->objects[hfm__pickle_element(p, id, 2)];
  hfm__torch_storage storage;
  memset(&storage, 0, sizeof storage);
  storage.dtype = hfm__pickle_globals[p->objects[hfm__pickle_element(p, id, 1)].a].dtype;
  storage.key = (const char *)p->data + key->a;
  storage.key_size = key->b;
  storage.numel = storage.view_numel = hfm__torch_int(t, hfm__pickle_element(p, id, 4));
  if (p->objects[id].u.count == HFM__PK_PERSISTENT_MAX) {
    const uint32_t view = hfm__pickle_element(p, id, 5);
    if (hfm__pickle_is(p, view, HFM__PK_TUPLE)) {
      storage.view_offset = hfm__torch_int(t, hfm__pickle_element(p, view, 1));
      storage.view_numel = hfm__torch_int(t, hfm__pickle_element(p, view, 2));
    }
  }
  return storage;
}

/* ---- One tensor ---- */

/* The largest element that the strides reach, plus one, fits `numel` elements from `first` on (torch's
   checkInBoundsForStorage); checked in every step. */
HFM__PRIVATE int hfm__torch_in_bounds(const hfm__file_tensor *tensor, uint64_t first, uint64_t numel) {
  uint64_t last = first, reach;
  for (int32_t i = 0; i < tensor->rank; i++)
    if (tensor->shape[i] == 0) return first <= numel;
  for (int32_t i = 0; i < tensor->rank; i++)
    if (!hfm__mul64((uint64_t)tensor->shape[i] - 1, (uint64_t)tensor->stride[i], &reach) ||
        !hfm__add64(last, reach, &last))
      return 0;
  return last < numel;
}

/* Row-major without gaps; strides of dimensions of one element say nothing. */
HFM__PRIVATE int hfm__torch_is_contiguous(const hfm__file_tensor *tensor) {
  uint64_t expected = 1;
  for (int32_t i = 0; i < tensor->rank; i++)
    if (tensor->shape[i] == 0) return 1;
  for (int32_t i = tensor->rank - 1; i >= 0; i--) {
    if (tensor->shape[i] == 1) continue;
    if ((uint64_t)tensor->stride[i] != expected) return 0;
    expected *= (uint64_t)tensor->shape[i];
  }
  return 1;
}

HFM__PRIVATE void hfm__torch_dims(const hfm__torch *t, uint32_t tuple, int64_t *dims) {
  const hfm__pickle *p = &t->pickle;
  int32_t i = 0;
  for (uint32_t cell = p->objects[tuple].a; cell; cell = p->cells[cell].next)
    dims[i++] = p->objects[p->cells[cell].value].u.integer;
}

/* The tensor that `object` describes, checked against its storage; *tensor has its name already. */
HFM__PRIVATE hfm_result hfm__torch_tensor(hfm__torch *t, uint32_t object, hfm__file_tensor *tensor) {
  const hfm__pickle *p = &t->pickle;
  const uint32_t args = p->objects[object].a;
  const hfm__torch_storage storage = hfm__torch_storage_of(t, hfm__pickle_element(p, args, 0));
  const uint32_t size = hfm__pickle_element(p, args, 2);
  const uint64_t first = hfm__torch_int(t, hfm__pickle_element(p, args, 1));
  const int32_t is_v3 = p->objects[object].b == HFM__PK_CALL_TENSOR_V3;
  uint64_t itemsize, elements, bytes, start, offset = 0, numel = storage.view_numel;
  hfm_result result;
  if (storage.dtype < 0 || (is_v3 && hfm__pickle_globals[p->objects[hfm__pickle_element(p, args, 6)].a].dtype < 0))
    return hfm__torch_bad(t, HFM_E_WEIGHT_DTYPE, tensor->name, "complex128 and packed float4 are not read");
  tensor->dtype = is_v3 ? hfm__pickle_globals[p->objects[hfm__pickle_element(p, args, 6)].a].dtype : storage.dtype;
  if (!tensor->dtype || (is_v3 && storage.dtype && storage.dtype != tensor->dtype))
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name, "its storage does not fit its dtype");
  itemsize = (uint64_t)hfm_dtype_bits(tensor->dtype) / 8;
  if (!hfm__mul64(storage.numel, storage.dtype ? itemsize : 1, &bytes))
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name, "its storage is larger than any file");
  if (storage.view_offset > storage.numel || storage.view_numel > storage.numel - storage.view_offset)
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name, "it is a view outside of its storage");
  if (!storage.dtype) numel = bytes / itemsize;
  tensor->rank = (int32_t)p->objects[size].u.count;
  hfm__torch_dims(t, size, tensor->shape);
  hfm__torch_dims(t, hfm__pickle_element(p, args, 3), tensor->stride);
  if (!hfm__torch_in_bounds(tensor, first, numel))
    return hfm__fail(t->error, HFM_E_PICKLE_TENSOR, t->file->name, tensor->name, p->base,
                     "tensor %q: shape %t with offset %u reaches beyond the %u elements of its storage", tensor->name,
                     (const int64_t *)tensor->shape, (int)tensor->rank, first, numel);
  if (!hfm__checked_elements(tensor->shape, tensor->rank, &elements) ||
      !hfm__mul64(elements, itemsize, &tensor->bytes) || tensor->bytes > (uint64_t)INT64_MAX)
    return hfm__torch_bad(t, HFM_E_PICKLE_TENSOR, tensor->name, "it has more elements than there can be");
  tensor->contiguous = hfm__torch_is_contiguous(tensor);
  if (tensor->contiguous) {
    hfm__row_major(tensor);
  } else if (!hfm__add64(t->strided_bytes, tensor->bytes, &t->strided_bytes) ||
             t->strided_bytes > t->file->size + t->file->ctx->limits.max_new_bytes) {
    return hfm__fail(t->error, HFM_E_CONFIG_LIMIT, t->file->name, tensor->name, p->base,
                     "tensor %q: views of the file take %u bytes as dense tensors, more than the file and "
                     "options.limits.max_new_bytes together",
                     tensor->name, t->strided_bytes);
  }
  result = t->locate(t, &storage, tensor->name, bytes, &offset);
  if (result != HFM_OK) return result;
  start = (first + storage.view_offset) * itemsize; /* both lie inside the storage, whose bytes lie in the file */
  tensor->offset = elements ? offset + start : offset;
  tensor->file = t->index;
  tensor->big_endian = t->big_endian && itemsize > 1;
  return HFM_OK;
}

/* ---- The result: a dict of tensors ---- */

/* Walks the members of a dict, whichever way it was made. */
typedef struct hfm__torch_members {
  const hfm__pickle *pickle;
  uint32_t cell;
  int32_t listed;
} hfm__torch_members;

HFM__PRIVATE hfm__torch_members hfm__torch_members_of(const hfm__pickle *p, uint32_t dict) {
  hfm__torch_members m;
  m.pickle = p;
  m.listed = p->objects[dict].listed;
  m.cell = m.listed ? p->objects[p->objects[dict].a].a : p->objects[dict].a;
  return m;
}

/* The next member; what is no pair in a list of pairs is passed over. */
HFM__PRIVATE int hfm__torch_next_member(hfm__torch_members *m, uint32_t *key, uint32_t *value) {
  const hfm__pickle *p = m->pickle;
  while (m->cell) {
    const hfm__pickle_cell *cell = &p->cells[m->cell];
    m->cell = cell->next;
    if (!m->listed) {
      *key = cell->key;
      *value = cell->value;
      return 1;
    }
    if ((hfm__pickle_is(p, cell->value, HFM__PK_TUPLE) || hfm__pickle_is(p, cell->value, HFM__PK_LIST)) &&
        p->objects[cell->value].u.count == 2) {
      *key = hfm__pickle_element(p, cell->value, 0);
      *value = hfm__pickle_element(p, cell->value, 1);
      return 1;
    }
  }
  return 0;
}

HFM__PRIVATE int hfm__torch_has_tensors(const hfm__pickle *p, uint32_t dict) {
  hfm__torch_members m = hfm__torch_members_of(p, dict);
  uint32_t key, value;
  while (hfm__torch_next_member(&m, &key, &value))
    if (hfm__pickle_is(p, value, HFM__PK_TENSOR)) return 1;
  return 0;
}

/* The dict with the tensors: the root, or a state dict inside of a training checkpoint. */
HFM__PRIVATE uint32_t hfm__torch_state_dict(const hfm__pickle *p, uint32_t root) {
  static const char *const wrappers[] = {"state_dict", "model_state_dict", "model", "module"};
  if (hfm__torch_has_tensors(p, root)) return root;
  for (size_t i = 0; i < HFM__COUNT(wrappers); i++) {
    hfm__torch_members m = hfm__torch_members_of(p, root);
    uint32_t key, value;
    while (hfm__torch_next_member(&m, &key, &value))
      if (hfm__pickle_text_is(p, key, wrappers[i]) && hfm__pickle_is(p, value, HFM__PK_DICT) &&
          hfm__torch_has_tensors(p, value))
        return value;
  }
  return root;
}

/* A tensor's name: UTF-8 without NUL. NULL with *result filled. */
HFM__PRIVATE char *hfm__torch_name(hfm__torch *t, uint32_t key, hfm_result *result) {
  const hfm__pickle *p = &t->pickle;
  const hfm__pickle_object *o = &p->objects[key];
  const char *text = (const char *)p->data + o->a;
  char *name;
  for (size_t i = 0; o->kind == HFM__PK_STRING && i < o->b;) {
    const size_t length = text[i] ? hfm__utf8_length(text + i, o->b - i) : 0;
    if (!length) {
      *result = hfm__fail(t->error, HFM_E_PICKLE_RESULT, t->file->name, NULL, p->base + o->a + i,
                          "byte %u: a tensor's name must be UTF-8 without a NUL character", p->base + o->a + i);
      return NULL;
    }
    i += length;
  }
  if (o->kind != HFM__PK_STRING) {
    *result = hfm__fail(t->error, HFM_E_PICKLE_RESULT, t->file->name, NULL, p->base,
                        "a tensor without a name: the keys of a state dict must be strings");
    return NULL;
  }
  name = hfm__arena_copy(t->list->names, text, o->b);
  if (!name) *result = hfm__fail_memory(t->error, "the table of tensors", 0);
  return name;
}

/* DataParallel puts "module." before every name: dropped where all have it. */
HFM__PRIVATE void hfm__torch_drop_module(hfm__tensor_list *list, size_t first) {
  static const char prefix[] = "module.";
  for (size_t i = first; i < list->count; i++)
    if (!hfm__starts_with(list->items[i].name, prefix)) return;
  for (size_t i = first; i < list->count; i++) list->items[i].name += sizeof prefix - 1;
}

HFM__PRIVATE hfm_result hfm__torch_result(hfm__torch *t, uint32_t root) {
  const hfm__pickle *p = &t->pickle;
  const size_t first = t->list->count;
  hfm__torch_members m;
  uint32_t key, value;
  if (!hfm__pickle_is(p, root, HFM__PK_DICT))
    return hfm__fail(t->error, HFM_E_PICKLE_RESULT, t->file->name, NULL, p->base,
                     "the pickle must hold a state dict: a dict of names and tensors");
  root = hfm__torch_state_dict(p, root);
  m = hfm__torch_members_of(p, root);
  while (hfm__torch_next_member(&m, &key, &value)) {
    hfm_result result = HFM_OK;
    hfm__file_tensor *tensor;
    char *name;
    if (!hfm__pickle_is(p, value, HFM__PK_TENSOR)) continue; /* a step count, a version: not ours */
    name = hfm__torch_name(t, key, &result);
    if (!name) return result;
    tensor = hfm__tensor_list_add(t->list);
    if (!tensor) return hfm__fail_memory(t->error, "the table of tensors", 0);
    tensor->name = name;
    result = hfm__torch_tensor(t, value, tensor);
    if (result != HFM_OK) return result;
  }
  hfm__torch_drop_module(t->list, first);
  return HFM_OK;
}

/* ---- Zip ---- */

HFM__PRIVATE hfm_result hfm__torch_locate_entry(hfm__torch *t, const hfm__torch_storage *storage, const char *name,
                                                uint64_t bytes, uint64_t *offset) {
  const hfm__zip_entry *entry = memchr(storage->key, 0, storage->key_size)
                                    ? NULL
                                    : hfm__zip_find(t->zip, "data/", storage->key, storage->key_size);
  if (!entry)
    return hfm__torch_bad(t, HFM_E_TORCH_ENTRY, name, "its storage is not in the archive (is the file complete?)");
  if (entry->size != bytes)
    return hfm__fail(t->error, HFM_E_TORCH_ENTRY, t->file->name, name, entry->offset,
                     "tensor %q: its storage should have %u bytes, but zip entry %q has %u", name, bytes, entry->name,
                     entry->size);
  *offset = entry->offset;
  return HFM_OK;
}

/* "little" or "big"; little where nothing is said. */
HFM__PRIVATE hfm_result hfm__torch_byte_order(hfm__torch *t) {
  const hfm__zip_entry *entry = hfm__zip_find(t->zip, "", "byteorder", 9);
  char order[8];
  hfm_result result;
  if (!entry) return HFM_OK;
  memset(order, 0, sizeof order);
  if (entry->size < sizeof order) {
    result = hfm__file_read(t->file, entry->offset, order, entry->size, t->error);
    if (result != HFM_OK) return result;
  }
  t->big_endian = hfm__equal(order, "big");
  if (t->big_endian || hfm__equal(order, "little")) return HFM_OK;
  return hfm__fail(t->error, HFM_E_TORCH_ENTRY, t->file->name, entry->name, entry->offset,
                   "byte %u: the entry \"byteorder\" must say \"little\" or \"big\"", entry->offset);
}

HFM__PRIVATE hfm_result hfm__torch_run_entry(hfm__torch *t, const hfm__zip_entry *entry) {
  const uint64_t cap = t->file->ctx->limits.max_header_bytes;
  const uint8_t *data;
  uint8_t *owned;
  uint32_t root;
  hfm_result result;
  if (entry->size > HFM__MIN(cap, (uint64_t)UINT32_MAX))
    return hfm__fail(t->error, HFM_E_FILE_TOO_LARGE, t->file->name, entry->name, entry->offset,
                     "zip entry %q has %u bytes; at most %u are read (options.limits.max_header_bytes)", entry->name,
                     entry->size, cap);
  result = hfm__file_bytes(t->file, entry->offset, entry->size, &data, &owned, t->error);
  if (result != HFM_OK) return result;
  hfm__pickle_begin(&t->pickle, &t->file->ctx->mem, t->file->name, data, (size_t)entry->size, entry->offset, t->error);
  result = hfm__pickle_run(&t->pickle, &root);
  if (result == HFM_OK && t->pickle.pos != t->pickle.size)
    result = hfm__fail(t->error, HFM_E_PICKLE_RESULT, t->file->name, entry->name, entry->offset + t->pickle.pos,
                       "byte %u: bytes follow the pickle's STOP", entry->offset + t->pickle.pos);
  if (result == HFM_OK) result = hfm__torch_result(t, root);
  hfm__pickle_end(&t->pickle);
  hfm__free(&t->file->ctx->mem, owned, entry->size);
  return result;
}

HFM__PRIVATE hfm_result hfm__torch_read_zip(hfm__torch *t) {
  hfm__zip zip;
  const hfm__zip_entry *entry;
  hfm_result result = hfm__zip_open(t->file, &zip, t->error);
  int32_t is_script = 0;
  if (result != HFM_OK) return result;
  t->zip = &zip;
  t->locate = hfm__torch_locate_entry;
  for (size_t i = 0; i < zip.count; i++)
    if (hfm__starts_with(zip.entries[i].name + strlen(zip.root) + 1, "code/")) is_script = 1;
  entry = hfm__zip_find(&zip, "", "data.pkl", 8);
  if (is_script || hfm__zip_find(&zip, "", "constants.pkl", 13))
    result = hfm__fail(t->error, HFM_E_TORCH_UNSUPPORTED, t->file->name, NULL, 0,
                       "a TorchScript archive, which holds code: save the model's state_dict() instead");
  else if (!entry)
    result = hfm__fail(t->error, HFM_E_TORCH_ENTRY, t->file->name, "data.pkl", 0,
                       "a zip archive without data.pkl: torch.save did not write this");
  else
    result = hfm__torch_byte_order(t);
  if (result == HFM_OK) result = hfm__torch_run_entry(t, entry);
  hfm__zip_close(&zip);
  return result;
}

/* ---- Legacy stream ---- */

HFM__PRIVATE hfm_result hfm__torch_legacy_bad(const hfm__torch *t, uint64_t offset, const char *problem) {
  return hfm__fail(t->error, HFM_E_TORCH_LEGACY, t->file->name, NULL, offset, "byte %u: legacy .bin file: %s", offset,
                   problem);
}

HFM__PRIVATE int hfm__torch_record_order(const void *a, const void *b) {
  return hfm__json_order(&((const hfm__torch_record *)a)->key, &((const hfm__torch_record *)b)->key);
}

HFM__PRIVATE hfm__torch_record *hfm__torch_find_record(const hfm__torch *t, const char *key, size_t key_size) {
  hfm__torch_record wanted;
  size_t low = 0, high = t->record_count;
  wanted.key.text = key;
  wanted.key.size = key_size;
  wanted.key.escaped = 0;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const int order = hfm__torch_record_order(t->by_key[middle], &wanted);
    if (order == 0) return (hfm__torch_record *)t->by_key[middle];
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return NULL;
}

HFM__PRIVATE hfm_result hfm__torch_locate_record(hfm__torch *t, const hfm__torch_storage *storage, const char *name,
                                                 uint64_t bytes, uint64_t *offset) {
  const hfm__torch_record *record = hfm__torch_find_record(t, storage->key, storage->key_size);
  if (!record || record->numel * record->itemsize != bytes)
    return hfm__torch_bad(t, HFM_E_TORCH_LEGACY, name, "its storage is not in the file with that size");
  *offset = record->offset;
  return HFM_OK;
}

/* Magic number, protocol, and system of the first three pickles. */
HFM__PRIVATE hfm_result hfm__torch_legacy_head(hfm__torch *t) {
  static const uint8_t magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  hfm__pickle *p = &t->pickle;
  hfm__torch_members m;
  uint32_t root, key, value;
  int32_t little = 0;
  hfm_result result = hfm__pickle_run(p, &root);
  if (result != HFM_OK) return result;
  if (!hfm__pickle_is(p, root, HFM__PK_OPAQUE) || p->objects[root].b != sizeof magic ||
      memcmp(p->data + p->objects[root].a, magic, sizeof magic) != 0)
    return hfm__fail(t->error, HFM_E_FILE_KIND, t->file->name, NULL, 0,
                     "a pickle, but not one that torch.save wrote: its magic number is missing");
  result = hfm__pickle_run(p, &root);
  if (result != HFM_OK) return result;
  if (!hfm__pickle_is(p, root, HFM__PK_INT) || p->objects[root].u.integer != 1001)
    return hfm__torch_legacy_bad(t, p->op, "protocol version 1001 expected");
  result = hfm__pickle_run(p, &root);
  if (result != HFM_OK) return result;
  if (!hfm__pickle_is(p, root, HFM__PK_DICT)) return hfm__torch_legacy_bad(t, p->op, "a dict of the system expected");
  m = hfm__torch_members_of(p, root);
  while (hfm__torch_next_member(&m, &key, &value))
    if (hfm__pickle_text_is(p, key, "little_endian"))
      little = hfm__pickle_is(p, value, HFM__PK_BOOL) && p->objects[value].u.integer;
  if (!little)
    return hfm__fail(t->error, HFM_E_TORCH_UNSUPPORTED, t->file->name, "little_endian", p->op,
                     "byte %u: saved on a big-endian machine in the legacy format: save it again", (uint64_t)p->op);
  return HFM_OK;
}

/* The keys in the order of their storages; each must be one that the object refers to, and the reverse. */
HFM__PRIVATE hfm_result hfm__torch_legacy_keys(hfm__torch *t, uint32_t list, hfm__torch_record *records) {
  const hfm__pickle *p = &t->pickle;
  size_t n = 0;
  for (uint32_t cell = p->objects[list].a; cell; cell = p->cells[cell].next) {
    const hfm__pickle_object *key = &p->objects[p->cells[cell].value];
    if (key->kind != HFM__PK_STRING) return hfm__torch_legacy_bad(t, p->op, "the storages' keys must be strings");
    records[n].key.text = (const char *)p->data + key->a;
    records[n].key.size = key->b;
    t->by_key[n] = &records[n];
    n++;
  }
  hfm__sort(t->by_key, t->by_key + n, n, hfm__torch_record_order);
  for (size_t i = 1; i < n; i++)
    if (hfm__torch_record_order(t->by_key[i - 1], t->by_key[i]) == 0)
      return hfm__torch_legacy_bad(t, p->op, "a storage is listed twice");
  for (uint32_t i = 0; i < p->object_count; i++) {
    hfm__torch_storage storage;
    hfm__torch_record *record;
    uint64_t itemsize;
    if (p->objects[i].kind != HFM__PK_STORAGE) continue;
    storage = hfm__torch_storage_of(t, i);
    record = hfm__torch_find_record(t, storage.key, storage.key_size);
    itemsize = storage.dtype > 0 ? (uint64_t)hfm_dtype_bits(storage.dtype) / 8 : storage.dtype < 0 ? 16 : 1;
    if (!record) return hfm__torch_legacy_bad(t, p->op, "a tensor's storage is not in the list of storages");
    if (record->itemsize && (record->itemsize != itemsize || record->numel != storage.numel))
      return hfm__torch_legacy_bad(t, p->op, "two tensors disagree about their storage");
    record->itemsize = itemsize;
    record->numel = storage.numel;
  }
  for (size_t i = 0; i < n; i++)
    if (!records[i].itemsize) return hfm__torch_legacy_bad(t, p->op, "a storage is listed that no tensor uses");
  return HFM_OK;
}

/* int64 number of elements, elements; one after the other, to the file's last byte. */
HFM__PRIVATE hfm_result hfm__torch_legacy_storages(hfm__torch *t, hfm__torch_record *records) {
  const uint64_t size = t->file->size;
  uint64_t at = t->pickle.pos;
  for (size_t i = 0; i < t->record_count; i++) {
    uint8_t count[8];
    uint64_t bytes;
    hfm_result result;
    if (size - at < 8) return hfm__torch_legacy_bad(t, at, "a storage is missing (is the download complete?)");
    result = hfm__file_read(t->file, at, count, 8, t->error);
    if (result != HFM_OK) return result;
    if (hfm__le64(count) != records[i].numel)
      return hfm__torch_legacy_bad(t, at, "a storage has another number of elements than its tensors say");
    at += 8;
    if (!hfm__mul64(records[i].numel, records[i].itemsize, &bytes) || bytes > size - at)
      return hfm__torch_legacy_bad(t, at, "a storage reaches beyond the end of the file (is the download complete?)");
    records[i].offset = at;
    at += bytes;
  }
  return at == size ? HFM_OK : hfm__torch_legacy_bad(t, at, "bytes follow the last storage");
}

HFM__PRIVATE hfm_result hfm__torch_legacy_body(hfm__torch *t) {
  const hfm_allocator *mem = &t->file->ctx->mem;
  hfm__pickle *p = &t->pickle;
  hfm__torch_record *records = NULL;
  uint64_t count = 0;
  uint32_t object = 0, list = 0;
  hfm_result result = hfm__torch_legacy_head(t);
  if (result == HFM_OK) result = hfm__pickle_run(p, &object);
  if (result == HFM_OK) result = hfm__pickle_run(p, &list);
  if (result != HFM_OK) return result;
  if (!hfm__pickle_is(p, list, HFM__PK_LIST)) return hfm__torch_legacy_bad(t, p->op, "a list of storages expected");
  count = p->objects[list].u.count;
  if (count) {
    records = (hfm__torch_record *)hfm__alloc_zero(mem, count * sizeof *records);
    t->by_key = (const void **)hfm__alloc(mem, count * 2 * sizeof *t->by_key);
    if (!records || !t->by_key) result = hfm__fail_memory(t->error, "a list of storages", count * sizeof *records);
  }
  t->record_count = (size_t)count;
  t->locate = hfm__torch_locate_record;
  if (result == HFM_OK && count) result = hfm__torch_legacy_keys(t, list, records);
  if (result == HFM_OK) result = hfm__torch_legacy_storages(t, records);
  if (result == HFM_OK) result = hfm__torch_result(t, object);
  hfm__free(mem, records, count * sizeof *records);
  hfm__free(mem, (void *)t->by_key, count * 2 * sizeof *t->by_key);
  return result;
}

/* The five pickles must lie in the first max_header_bytes of the file; storages may lie anywhere after them. */
HFM__PRIVATE hfm_result hfm__torch_read_legacy(hfm__torch *t) {
  const uint64_t window = HFM__MIN(t->file->size, t->file->ctx->limits.max_header_bytes);
  const uint8_t *data;
  uint8_t *owned;
  hfm_result result = hfm__file_bytes(t->file, 0, window, &data, &owned, t->error);
  if (result != HFM_OK) return result;
  hfm__pickle_begin(&t->pickle, &t->file->ctx->mem, t->file->name, data, (size_t)window, 0, t->error);
  result = hfm__torch_legacy_body(t);
  hfm__pickle_end(&t->pickle);
  hfm__free(&t->file->ctx->mem, owned, window);
  return result;
}

/* ---- Both ---- */

/* Appends the tensors of an opened .bin file, which is files[index] of the checkpoint. */
HFM__PRIVATE hfm_result hfm__torch_read(const hfm__file *file, uint32_t index, hfm__tensor_list *list,
                                        hfm_error *error) {
  uint8_t magic[4] = {0, 0, 0, 0}, tar[5] = {0, 0, 0, 0, 0};
  hfm__torch t;
  hfm_result result = file->size < 4 ? HFM_OK : hfm__file_read(file, 0, magic, 4, error);
  if (result == HFM_OK && file->size >= 262) result = hfm__file_read(file, 257, tar, 5, error);
  if (result != HFM_OK) return result;
  memset(&t, 0, sizeof t);
  t.file = file;
  t.index = index;
  t.list = list;
  t.error = error;
  if (hfm__le32(magic) == HFM__ZIP_LOCAL) return hfm__torch_read_zip(&t);
  if (magic[0] == 0x80) return hfm__torch_read_legacy(&t);
  if (memcmp(tar, "ustar", 5) == 0)
    return hfm__fail(error, HFM_E_TORCH_UNSUPPORTED, file->name, NULL, 257,
                     "a tar archive, as torch before 0.1.10 wrote: load it with such a torch and save it again");
  return hfm__fail(error, HFM_E_FILE_KIND, file->name, NULL, 0,
                   "neither a zip archive nor a pickle: not a file that torch.save wrote");
}
/* ==== end src/formats/torch_bin.c ==== */
#endif
/* ==== begin src/formats/checkpoint.c ==== */
/* ==== formats/checkpoint (private): which files, and one table over all of them ================================
   The resolution order is Transformers': model.safetensors, its index, pytorch_model.bin, its index. Shards are
   opened in the order of their names and a later shard wins, as in Transformers. */

typedef struct hfm__checkpoint {
  hfm__arena arena; /* names */
  hfm__file *files;
  uint32_t file_count;
  hfm__file_tensor *tensors; /* sorted by name, unique */
  size_t count;
  size_t capacity; /* of `tensors` */
} hfm__checkpoint;

HFM__PRIVATE void hfm__checkpoint_close(hfm__checkpoint *ckpt) {
  const hfm_allocator mem = ckpt->arena.mem;
  for (uint32_t i = 0; i < ckpt->file_count; i++) hfm__file_close(&ckpt->files[i]);
  if (ckpt->files) hfm__free(&mem, ckpt->files, (uint64_t)ckpt->file_count * sizeof *ckpt->files);
  if (ckpt->tensors) hfm__free(&mem, ckpt->tensors, (uint64_t)ckpt->capacity * sizeof *ckpt->tensors);
  hfm__arena_free(&ckpt->arena);
  memset(ckpt, 0, sizeof *ckpt);
}

/* ---- Shard index ---- */

enum { HFM__SHARD_NAME_MAX = 1024 };

typedef struct hfm__shard_entry {
  const char *tensor;
  const char *shard;
  uint64_t offset; /* in the index, for errors */
} hfm__shard_entry;

/* What an index says: tensors with their shards, and each shard once, sorted. */
typedef struct hfm__shard_index {
  hfm_allocator mem;
  const char *name;
  hfm__shard_entry *entries;
  size_t count, capacity;
  const char **shards;
  uint32_t shard_count;
} hfm__shard_index;

HFM__PRIVATE void hfm__shard_index_free(hfm__shard_index *index) {
  hfm__free(&index->mem, index->entries, (uint64_t)index->capacity * sizeof *index->entries);
  hfm__free(&index->mem, (void *)index->shards, (uint64_t)index->count * 2 * sizeof *index->shards);
}

/* Why a name that a file gives may not be opened below the model's directory; NULL if it may. Windows' rules and
   POSIX's, on every host: no root, no drive or stream, no ".." (nor what Windows reads as that: it drops final dots and
   spaces). Where a link in the directory leads is not our business: hub snapshots are made of links. */
HFM__PRIVATE const char *hfm__unsafe_name(const char *name, size_t size) {
  size_t part = 0;
  if (size == 0) return "is empty";
  if (size > HFM__SHARD_NAME_MAX) return "is longer than 1024 bytes";
  for (size_t i = 0; i < size; i++) {
    const uint8_t c = (uint8_t)name[i];
    if (c < 0x20 || c == 0x7f) return "holds a control character";
    if (c == ':') return "holds a colon (a drive or stream on Windows)";
  }
  if (name[0] == '/' || name[0] == '\\') return "is an absolute path";
  for (size_t i = 0; i <= size; i++) {
    if (i < size && name[i] != '/' && name[i] != '\\') continue;
    if (i - part == 2 && name[part] == '.' && name[part + 1] == '.') return "leaves the model's directory (\"..\")";
    if (i > part && (name[i - 1] == '.' || name[i - 1] == ' ')) return "has a part that ends in a dot or space";
    part = i + 1;
  }
  return NULL;
}

HFM__PRIVATE hfm_result hfm__index_bad(hfm__json_reader *r, int32_t item, const char *name, const char *problem) {
  const uint64_t offset = (uint64_t)r->at;
  if (name)
    return hfm__fail(r->error, item, r->file, name, offset, "byte %u: shard name %q %s", offset, name, problem);
  return hfm__fail(r->error, item, r->file, NULL, offset, "byte %u: %s", offset, problem);
}

/* One member of "weight_map"; `extension` is what a shard's name must end in. */
HFM__PRIVATE hfm_result hfm__index_entry(hfm__json_reader *r, hfm__shard_index *index, hfm__arena *arena,
                                         const char *extension) {
  char *tensor = (char *)hfm__arena_alloc(arena, (uint64_t)r->key.size + 1);
  char *shard = (char *)hfm__arena_alloc(arena, (uint64_t)r->value.size + 1);
  void *grown = hfm__grow(&index->mem, index->entries, index->count, &index->capacity, sizeof *index->entries);
  hfm__shard_entry *entry;
  const char *problem;
  size_t tensor_size, shard_size;
  if (grown) index->entries = (hfm__shard_entry *)grown;
  if (!tensor || !shard || !grown) return hfm__fail_memory(r->error, "a shard index", 0);
  tensor_size = hfm__json_unescape(&r->key, tensor);
  shard_size = hfm__json_unescape(&r->value, shard);
  if (strlen(tensor) != tensor_size)
    return hfm__index_bad(r, HFM_E_INDEX_STRUCTURE, NULL, "a tensor's name must not hold a NUL character");
  problem = hfm__unsafe_name(shard, shard_size);
  if (problem) return hfm__index_bad(r, HFM_E_INDEX_SHARD_NAME, shard, problem);
  if (!hfm__ends_with(shard, extension))
    return hfm__fail(r->error, HFM_E_INDEX_SHARD_NAME, r->file, shard, (uint64_t)r->at,
                     "byte %u: shard name %q must end in %s, as the index itself", (uint64_t)r->at, shard, extension);
  entry = &index->entries[index->count++];
  entry->tensor = tensor;
  entry->shard = shard;
  entry->offset = (uint64_t)r->at;
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__index_members(hfm__json_reader *r, hfm__shard_index *index, hfm__arena *arena,
                                           const char *extension) {
  int32_t kind = hfm__json_next(r), found = 0;
  if (kind == HFM__JSON_FAILED) return r->result;
  if (kind != HFM__JSON_OBJECT)
    return hfm__index_bad(r, HFM_E_INDEX_STRUCTURE, NULL, "a shard index must be a JSON object");
  while ((kind = hfm__json_next(r)) != HFM__JSON_END) {
    if (kind == HFM__JSON_FAILED) return r->result;
    if (!hfm__json_is(&r->key, "weight_map")) { /* "metadata" only informs, and is often wrong */
      if (!hfm__json_skip(r, kind)) return r->result;
      continue;
    }
    found = 1;
    if (kind != HFM__JSON_OBJECT)
      return hfm__index_bad(r, HFM_E_INDEX_STRUCTURE, NULL, "\"weight_map\" must be an object");
    while ((kind = hfm__json_next(r)) != HFM__JSON_END) {
      hfm_result result;
      if (kind == HFM__JSON_FAILED) return r->result;
      if (kind != HFM__JSON_STRING)
        return hfm__index_bad(r, HFM_E_INDEX_STRUCTURE, NULL, "\"weight_map\" must map names to file names");
      result = hfm__index_entry(r, index, arena, extension);
      if (result != HFM_OK) return result;
    }
  }
  if (hfm__json_next(r) == HFM__JSON_FAILED) return r->result;
  if (!found || index->count == 0)
    return hfm__fail(r->error, HFM_E_INDEX_STRUCTURE, r->file, "weight_map", 0,
                     "a shard index needs a \"weight_map\" that names at least one tensor");
  return HFM_OK;
}

HFM__PRIVATE int hfm__name_order(const void *a, const void *b) { return strcmp((const char *)a, (const char *)b); }

/* Reads and checks an index. On failure nothing is left to free. */
HFM__PRIVATE hfm_result hfm__shard_index_read(const hfm__context *ctx, const char *name, hfm__arena *arena,
                                              const char *extension, hfm__shard_index *index, hfm_error *error) {
  char *text;
  size_t size;
  hfm__json_reader reader;
  hfm_result result = hfm__file_load(ctx, name, ctx->limits.max_index_bytes, &text, &size, error);
  memset(index, 0, sizeof *index);
  if (result != HFM_OK) return result;
  index->mem = ctx->mem;
  index->name = name;
  hfm__json_begin(&reader, &ctx->mem, name, text, size, 0, 0, error);
  result = hfm__index_members(&reader, index, arena, extension);
  hfm__json_end(&reader);
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  if (result == HFM_OK) {
    index->shards = (const char **)hfm__alloc(&ctx->mem, (uint64_t)index->count * 2 * sizeof *index->shards);
    if (!index->shards) result = hfm__fail_memory(error, "a shard index", 0);
  }
  if (result != HFM_OK) {
    hfm__shard_index_free(index);
    memset(index, 0, sizeof *index);
    return result;
  }
  for (size_t i = 0; i < index->count; i++) index->shards[i] = index->entries[i].shard;
  hfm__sort((const void **)index->shards, (const void **)(index->shards + index->count), index->count,
            hfm__name_order);
  for (size_t i = 0; i < index->count; i++)
    if (i == 0 || !hfm__equal(index->shards[i], index->shards[index->shard_count - 1]))
      index->shards[index->shard_count++] = index->shards[i];
  return HFM_OK;
}

/* ---- One table ---- */

HFM__PRIVATE int hfm__tensor_name_order(const void *a, const void *b) {
  const hfm__file_tensor *x = (const hfm__file_tensor *)a, *y = (const hfm__file_tensor *)b;
  const int order = strcmp(x->name, y->name);
  if (order) return order;
  return x->file < y->file ? -1 : x->file > y->file;
}

/* Sorts the list by name (then file) into the checkpoint; takes over its memory. */
HFM__PRIVATE hfm_result hfm__checkpoint_adopt(hfm__checkpoint *ckpt, hfm__tensor_list *list, hfm_error *error) {
  const uint64_t scratch_bytes = (uint64_t)list->count * 2 * sizeof(void *);
  const uint64_t bytes = (uint64_t)list->count * sizeof(hfm__file_tensor);
  const void **sorted;
  if (list->count == 0) return HFM_OK;
  sorted = (const void **)hfm__alloc(&list->mem, scratch_bytes);
  ckpt->tensors = (hfm__file_tensor *)hfm__alloc(&list->mem, bytes);
  if (sorted && ckpt->tensors) {
    for (size_t i = 0; i < list->count; i++) sorted[i] = list->items + i;
    hfm__sort(sorted, sorted + list->count, list->count, hfm__tensor_name_order);
    for (size_t i = 0; i < list->count; i++) ckpt->tensors[i] = *(const hfm__file_tensor *)sorted[i];
    ckpt->count = list->count;
  }
  hfm__free(&list->mem, (void *)sorted, scratch_bytes);
  if (!ckpt->count) {
    hfm__free(&list->mem, ckpt->tensors, bytes);
    ckpt->tensors = NULL;
    return hfm__fail_memory(error, "the table of tensors", bytes);
  }
  ckpt->capacity = list->count;
  return HFM_OK;
}

/* Every mapped tensor must be in the shard that the index says. */
HFM__PRIVATE hfm_result hfm__check_mapped(const hfm__checkpoint *ckpt, const hfm__shard_index *index,
                                          hfm_error *error) {
  for (size_t i = 0; i < index->count; i++) {
    const hfm__shard_entry *entry = &index->entries[i];
    size_t low = 0, high = ckpt->count;
    int found = 0;
    while (low < high) { /* the first tensor of that name */
      const size_t middle = low + (high - low) / 2;
      if (strcmp(ckpt->tensors[middle].name, entry->tensor) < 0) low = middle + 1;
      else high = middle;
    }
    for (; low < ckpt->count && hfm__equal(ckpt->tensors[low].name, entry->tensor); low++)
      if (hfm__equal(index->shards[ckpt->tensors[low].file], entry->shard)) found = 1;
    if (!found)
      return hfm__fail(error, HFM_E_INDEX_TENSOR_NOT_IN_SHARD, index->name, entry->tensor, entry->offset,
                       "byte %u: tensor %q is said to be in %q, but isn't there", entry->offset, entry->tensor,
                       entry->shard);
  }
  return HFM_OK;
}

/* The last of each name stays: that of the latest file. */
HFM__PRIVATE void hfm__keep_latest(hfm__checkpoint *ckpt) {
  size_t kept = 0;
  for (size_t i = 0; i < ckpt->count; i++)
    if (i + 1 == ckpt->count || !hfm__equal(ckpt->tensors[i].name, ckpt->tensors[i + 1].name))
      ckpt->tensors[kept++] = ckpt->tensors[i];
  ckpt->count = kept;
}

/* Appends the tensors of one weights file; its kind is told by its name, else by its first bytes. */
HFM__PRIVATE hfm_result hfm__weights_read(const hfm__file *file, uint32_t index, hfm__tensor_list *list,
                                          hfm_error *error) {
  uint8_t magic[4] = {0, 0, 0, 0};
  const hfm_result result = file->size < 4 ? HFM_OK : hfm__file_read(file, 0, magic, 4, error);
  if (result != HFM_OK) return result;
  if (hfm__ends_with(file->name, ".safetensors") ||
      (!hfm__ends_with(file->name, ".bin") && hfm__le32(magic) != 0x04034b50 && magic[0] != 0x80))
    return hfm__safetensors_read(file, index, list, error);
#ifndef HFMODEL_NO_PICKLE
  return hfm__torch_read(file, index, list, error);
#else
  return hfm__fail(error, HFM_E_TORCH_UNSUPPORTED, file->name, NULL, 0,
                   "a PyTorch file, which this build does not read (HFMODEL_NO_PICKLE)");
#endif
}

/* Opens files[0..count-1] (full names) and builds the table; `index` is NULL for a single file. On failure the
   checkpoint is closed. */
HFM__PRIVATE hfm_result hfm__checkpoint_read(const hfm__context *ctx, char *const *names, uint32_t count,
                                             const hfm__shard_index *index, const hfm_options *options,
                                             hfm__checkpoint *ckpt, hfm_error *error) {
  const int want_map = !(options && options->local_copy);
  hfm__tensor_list list;
  hfm_result result = HFM_OK;
  memset(&list, 0, sizeof list);
  list.mem = ctx->mem;
  list.names = &ckpt->arena;
  ckpt->files = (hfm__file *)hfm__alloc_zero(&ctx->mem, (uint64_t)count * sizeof *ckpt->files);
  if (!ckpt->files) return hfm__fail_memory(error, "a list of files", (uint64_t)count * sizeof *ckpt->files);
  ckpt->file_count = count;
  for (uint32_t i = 0; i < count && result == HFM_OK; i++) {
    result = hfm__file_open(ctx, names[i], want_map, &ckpt->files[i], error);
    if (result == HFM_OK) result = hfm__weights_read(&ckpt->files[i], i, &list, error);
  }
  if (result == HFM_OK) result = hfm__checkpoint_adopt(ckpt, &list, error);
  if (result == HFM_OK && index) result = hfm__check_mapped(ckpt, index, error);
  if (result == HFM_OK) hfm__keep_latest(ckpt);
  hfm__tensor_list_free(&list);
  return result;
}

/* A checkpoint of one weights file. */
HFM__PRIVATE hfm_result hfm__checkpoint_open_file(const hfm__context *ctx, const char *path, const hfm_options *options,
                                                  hfm__checkpoint *ckpt, hfm_error *error) {
  char *name = hfm__join_path(&ctx->mem, path, "");
  hfm_result result;
  memset(ckpt, 0, sizeof *ckpt);
  ckpt->arena.mem = ctx->mem;
  if (!name) return hfm__fail_memory(error, "a file name", 0);
  result = hfm__checkpoint_read(ctx, &name, 1, NULL, options, ckpt, error);
  hfm__free_text(&ctx->mem, name);
  if (result != HFM_OK) hfm__checkpoint_close(ckpt);
  return result;
}

/* A sharded checkpoint: `name` is the full name of the index, shards lie beside it. */
HFM__PRIVATE hfm_result hfm__checkpoint_open_index(const hfm__context *ctx, const char *dir, const char *name,
                                                   const char *extension, const hfm_options *options,
                                                   hfm__checkpoint *ckpt, hfm_error *error) {
  hfm__shard_index index;
  hfm_result result;
  char **paths;
  uint64_t bytes;
  memset(ckpt, 0, sizeof *ckpt);
  ckpt->arena.mem = ctx->mem;
  result = hfm__shard_index_read(ctx, name, &ckpt->arena, extension, &index, error);
  if (result != HFM_OK) {
    hfm__checkpoint_close(ckpt);
    return result;
  }
  bytes = (uint64_t)index.shard_count * sizeof *paths;
  paths = (char **)hfm__alloc_zero(&ctx->mem, bytes);
  if (!paths) result = hfm__fail_memory(error, "shard names", bytes);
  for (uint32_t i = 0; i < index.shard_count && result == HFM_OK; i++) {
    paths[i] = hfm__join_path(&ctx->mem, dir, index.shards[i]);
    if (!paths[i]) result = hfm__fail_memory(error, "shard names", 0);
  }
  if (result == HFM_OK) result = hfm__checkpoint_read(ctx, paths, index.shard_count, &index, options, ckpt, error);
  for (uint32_t i = 0; paths && i < index.shard_count; i++) hfm__free_text(&ctx->mem, paths[i]);
  hfm__free(&ctx->mem, paths, bytes);
  hfm__shard_index_free(&index);
  if (result != HFM_OK) hfm__checkpoint_close(ckpt);
  return result;
}

/* ---- Resolution ---- */

typedef struct hfm__weights_name {
  const char *before, *after; /* the variant goes between, after a dot */
  const char *extension;      /* of the weights */
  int32_t is_index;
} hfm__weights_name;

/* Is there such a file? An error only where that can't be told, or where it isn't a regular file. */
HFM__PRIVATE hfm_result hfm__file_probe(const hfm__context *ctx, const char *path, int32_t *found, hfm_error *error) {
  hfm__file file;
  hfm_error reason;
  const hfm_result result = hfm__file_open(ctx, path, 0, &file, &reason);
  *found = result == HFM_OK;
  if (result == HFM_OK) hfm__file_close(&file);
  if (result == HFM_OK || result == HFM_ERROR_NOT_FOUND) return HFM_OK;
  if (error) *error = reason;
  return result;
}

/* Opens dir/name, a weights file or an index of them; *found says whether it exists. */
HFM__PRIVATE hfm_result hfm__checkpoint_try(const hfm__context *ctx, const char *dir, const char *name,
                                            int32_t is_index, const char *extension, const hfm_options *options,
                                            hfm__checkpoint *ckpt, int32_t *found, hfm_error *error) {
  char *path = hfm__join_path(&ctx->mem, dir, name);
  hfm_result result;
  *found = 0;
  if (!path) return hfm__fail_memory(error, "a file name", 0);
  result = hfm__file_probe(ctx, path, found, error);
  if (*found)
    result = is_index ? hfm__checkpoint_open_index(ctx, dir, path, extension, options, ckpt, error)
                      : hfm__checkpoint_open_file(ctx, path, options, ckpt, error);
  hfm__free_text(&ctx->mem, path);
  return result;
}

/* The weights of a directory, in Transformers' order: a variant's name stands before the extension. */
HFM__PRIVATE hfm_result hfm__checkpoint_resolve(const hfm__context *ctx, const char *dir, const hfm_options *options,
                                                hfm__checkpoint *ckpt, hfm_error *error) {
  static const hfm__weights_name kinds[] = {{"model", ".safetensors", ".safetensors", 0},
                                            {"model.safetensors.index", ".json", ".safetensors", 1},
                                            {"pytorch_model", ".bin", ".bin", 0},
                                            {"pytorch_model.bin.index", ".json", ".bin", 1}};
  const int32_t use_safetensors = options ? options->use_safetensors : 0;
  const char *variant = options && options->variant ? options->variant : "", *dot = *variant ? "." : "";
  char tried[512];
  hfm__text list = hfm__text_to(tried, sizeof tried);
  for (size_t i = 0; i < HFM__COUNT(kinds); i++) {
    const int32_t safe = kinds[i].extension[1] == 's';
    char name[256];
    hfm__text t = hfm__text_to(name, sizeof name);
    int32_t found;
    hfm_result result;
    if ((use_safetensors > 0 && !safe) || (use_safetensors < 0 && safe)) continue;
    hfm__text_format(&t, "%s%s%s%s", kinds[i].before, dot, variant, kinds[i].after);
    if (t.length >= sizeof name || hfm__unsafe_name(name, t.length))
      return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "variant", 0, "variant %q can't be part of a file name",
                       variant);
    result = hfm__checkpoint_try(ctx, dir, name, kinds[i].is_index, kinds[i].extension, options, ckpt, &found, error);
    if (found || result != HFM_OK) return result;
    hfm__text_format(&list, "%s%s", list.length ? ", " : "", name);
  }
  return hfm__fail(error, HFM_E_WEIGHTS_NOT_FOUND, dir, NULL, 0, "no weights in this directory: looked for %s", tried);
}

/* The weights of a model's directory (and options->subfolder). `explicit_name` is config.json's "transformers_weights",
   a file of the directory to take instead, or NULL. On failure *ckpt is zero. */
HFM__PRIVATE hfm_result hfm__checkpoint_open_named(const hfm__context *ctx, const char *dir, const char *explicit_name,
                                                   const hfm_options *options, hfm__checkpoint *ckpt,
                                                   hfm_error *error) {
  char *folder = hfm__join_path(&ctx->mem, dir, options && options->subfolder ? options->subfolder : "");
  hfm_result result = HFM_OK;
  int32_t found;
  memset(ckpt, 0, sizeof *ckpt);
  if (!folder) return hfm__fail_memory(error, "a directory name", 0);
  if (!explicit_name) {
    result = hfm__checkpoint_resolve(ctx, folder, options, ckpt, error);
  } else {
    const int32_t is_index = hfm__ends_with(explicit_name, ".safetensors.index.json");
    if ((!is_index && !hfm__ends_with(explicit_name, ".safetensors")) ||
        hfm__unsafe_name(explicit_name, strlen(explicit_name)))
      result = hfm__fail(error, HFM_E_CONFIG_VALUE, folder, "transformers_weights", 0,
                         "\"transformers_weights\" must name a .safetensors file or its .index.json inside the "
                         "directory, not %q",
                         explicit_name);
    else
      result = hfm__checkpoint_try(ctx, folder, explicit_name, is_index, ".safetensors", options, ckpt, &found, error);
    if (result == HFM_OK && !found)
      result = hfm__fail(error, HFM_E_WEIGHTS_NOT_FOUND, folder, "transformers_weights", 0,
                         "no file named %q, which config.json's \"transformers_weights\" asks for", explicit_name);
  }
  hfm__free_text(&ctx->mem, folder);
  return result;
}
/* ==== end src/formats/checkpoint.c ==== */

/* ==== begin src/config/config.c ==== */
/* ==== config/config (private): config.json as a document with typed, named access ==============================
   One place knows that a key may have two names (attribute_map), two spellings (dtype, torch_dtype) or no value at
   all (the model type's default), so that families ask for Transformers' names only. */

typedef struct hfm__config_pair {
  const char *key, *value;
} hfm__config_pair;

/* What Transformers' configuration class of a model type knows besides the file. */
typedef struct hfm__config_class {
  const char *model_type;
  const hfm__config_pair *attribute_map; /* {"hidden_size", "n_embd"}; ends with NULLs */
  const hfm__config_pair *defaults;      /* {"hidden_act", "\"gelu\""}: JSON texts; ends with NULLs */
} hfm__config_class;

HFM__PRIVATE const hfm__config_class *hfm__config_class_find(const char *model_type); /* families/registry.c */

struct hfm_config {
  hfm__context ctx;
  char *file;                          /* config.json's name, for errors; NULL if it was parsed from text */
  hfm__json document;
  hfm__json generation;                /* generation_config.json; root 0 if there is none */
  hfm__json defaults;                  /* the class's, as an object */
  const hfm__config_class *class_known; /* NULL: an unknown model_type, or none */
};

enum { HFM__CONFIG_MAX_PARTS = 64, HFM__CONFIG_MAX_LABELS = 1 << 24, HFM__CONFIG_LISTED_LABELS = 1 << 16 };

HFMODEL_API void hfm_config_free(hfm_config *config) {
  if (!config) return;
  hfm__json_free(&config->document);
  hfm__json_free(&config->generation);
  hfm__json_free(&config->defaults);
  hfm__free_text(&config->ctx.mem, config->file);
  {
    const hfm_allocator mem = config->ctx.mem;
    hfm__free(&mem, config, sizeof *config);
  }
}

/* Finds the class of the document's model_type and parses its defaults. */
HFM__PRIVATE hfm_result hfm__config_bind(hfm_config *config, hfm_error *error) {
  const hfm__json *doc = &config->document;
  const char *model_type = hfm__json_text(doc, hfm__json_member_of(doc, doc->root, "model_type"));
  const hfm__config_pair *pair;
  hfm_result result = HFM_OK;
  hfm__json_free(&config->defaults);
  config->class_known = model_type ? hfm__config_class_find(model_type) : NULL;
  if (!config->class_known || !config->class_known->defaults) return HFM_OK;
  result = hfm__json_parse(&config->defaults, &config->ctx.mem, NULL, "{}", 2, 0, error);
  for (pair = config->class_known->defaults; result == HFM_OK && pair->key; pair++) {
    const uint32_t node =
        hfm__json_insert(&config->defaults, config->defaults.root, pair->key, strlen(pair->key));
    result = node ? hfm__json_set_text(&config->defaults, node, pair->value, strlen(pair->value), 0, error)
                  : hfm__fail_memory(error, "a configuration", 0);
  }
  return result;
}

HFM__PRIVATE hfm_result hfm__config_create(const hfm__context *ctx, const char *file, const char *json, size_t size,
                                           hfm_config **out, hfm_error *error) {
  hfm_config *config = (hfm_config *)hfm__alloc_zero(&ctx->mem, sizeof *config);
  hfm_result result = HFM_OK;
  if (!config) return hfm__fail_memory(error, "a configuration", sizeof *config);
  config->ctx = *ctx;
  if (file) {
    config->file = hfm__join_path(&ctx->mem, file, "");
    if (!config->file) result = hfm__fail_memory(error, "a file name", 0);
  }
  if (result == HFM_OK)
    result = hfm__json_parse(&config->document, &ctx->mem, file, json, size, HFM__JSON_NONFINITE, error);
  if (result == HFM_OK && hfm__json_kind(&config->document, config->document.root) != HFM__JSON_OBJECT)
    result = hfm__fail(error, HFM_E_JSON_TYPE, file, NULL, 0, "a configuration must be a JSON object");
  if (result == HFM_OK) result = hfm__config_bind(config, error);
  if (result == HFM_OK) *out = config;
  else hfm_config_free(config);
  return result;
}

HFMODEL_API hfm_result hfm_config_parse(const char *json, size_t size, const hfm_options *options, hfm_config **config,
                                        hfm_error *error) {
  hfm__context ctx;
  hfm_result result;
  hfm__clear_error(error);
  if (config) *config = NULL;
  if (!json || !config)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, json ? "config" : "json", 0, "must not be NULL");
  result = hfm__context_init(options, &ctx, error);
  if (result != HFM_OK) return result;
  if (size > ctx.limits.max_config_bytes)
    return hfm__fail(error, HFM_E_FILE_TOO_LARGE, NULL, NULL, 0, "a configuration of %u bytes; at most %u are read",
                     (uint64_t)size, ctx.limits.max_config_bytes);
  return hfm__config_create(&ctx, NULL, json, size, config, error);
}

/* Reads a JSON side file; *text is the caller's (*size + 1 bytes). */
HFM__PRIVATE hfm_result hfm__config_text(const hfm__context *ctx, const char *folder, const char *name, char **path,
                                         char **text, size_t *size, hfm_error *error) {
  *text = NULL;
  *size = 0;
  *path = hfm__join_path(&ctx->mem, folder, name);
  if (!*path) return hfm__fail_memory(error, "a file name", 0);
  return hfm__file_load(ctx, *path, ctx->limits.max_config_bytes, text, size, error);
}

/* generation_config.json, if there is one. As in Transformers, a broken one does not stop a load: it is logged. */
HFM__PRIVATE hfm_result hfm__config_load_generation(hfm_config *config, const char *folder, hfm_error *error) {
  const hfm__context *ctx = &config->ctx;
  hfm_error reason;
  char *path, *text;
  size_t size;
  hfm_result result = hfm__config_text(ctx, folder, "generation_config.json", &path, &text, &size, &reason);
  if (result == HFM_OK)
    result = hfm__json_parse(&config->generation, &ctx->mem, path, text, size, HFM__JSON_NONFINITE, &reason);
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  hfm__free_text(&ctx->mem, path);
  if (result == HFM_ERROR_MEMORY) {
    if (error) *error = reason;
    return result;
  }
  if (result != HFM_OK && result != HFM_ERROR_NOT_FOUND)
    hfm__log(ctx, HFM_LOG_WARNING, reason.item, "ignored: %s", reason.message);
  return HFM_OK;
}

/* config.json and generation_config.json of a directory. */
HFM__PRIVATE hfm_result hfm__config_load(const hfm__context *ctx, const char *dir, const char *subfolder,
                                         hfm_config **config, hfm_error *error) {
  char *folder = hfm__join_path(&ctx->mem, dir, subfolder ? subfolder : ""), *path = NULL, *text = NULL;
  size_t size = 0;
  hfm_result result;
  *config = NULL;
  if (!folder) return hfm__fail_memory(error, "a directory name", 0);
  result = hfm__config_text(ctx, folder, "config.json", &path, &text, &size, error);
  if (result == HFM_OK) result = hfm__config_create(ctx, path, text, size, config, error);
  if (result == HFM_OK) result = hfm__config_load_generation(*config, folder, error);
  if (result != HFM_OK) {
    hfm_config_free(*config);
    *config = NULL;
  }
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  hfm__free_text(&ctx->mem, path);
  hfm__free_text(&ctx->mem, folder);
  return result;
}

/* ---- Finding a key ---- */

/* A value: which document, which node (0: none). */
typedef struct hfm__config_value {
  const hfm__json *doc;
  uint32_t node;
} hfm__config_value;

/* The name that the model type's own files use for `key`. */
HFM__PRIVATE const char *hfm__config_alias(const hfm__config_class *known, const char *key, size_t size) {
  const hfm__config_pair *pair = known ? known->attribute_map : NULL;
  for (; pair && pair->key; pair++)
    if (strlen(pair->key) == size && memcmp(pair->key, key, size) == 0) return pair->value;
  return NULL;
}

/* Key node of a member under any of its names, or 0. `known` is the class of that object. */
HFM__PRIVATE uint32_t hfm__config_key(const hfm__json *doc, uint32_t object, const hfm__config_class *known,
                                      const char *name, size_t size) {
  const hfm__config_pair *pair = known ? known->attribute_map : NULL;
  const char *alias = hfm__config_alias(known, name, size);
  uint32_t key = hfm__json_find_key(doc, object, name, size);
  if (!key && alias) key = hfm__json_find_key(doc, object, alias, strlen(alias));
  for (; !key && pair && pair->key; pair++) /* asked by the file's name, written by the common one */
    if (strlen(pair->value) == size && memcmp(pair->value, name, size) == 0)
      key = hfm__json_find_key(doc, object, pair->key, strlen(pair->key));
  if (!key && size == 5 && memcmp(name, "dtype", 5) == 0) key = hfm__json_find_key(doc, object, "torch_dtype", 11);
  return key;
}

HFM__PRIVATE size_t hfm__config_part(const char *key) {
  size_t n = 0;
  while (key[n] && key[n] != '.') n++;
  return n;
}

/* The class of an object below the root: by its own model_type. */
HFM__PRIVATE const hfm__config_class *hfm__config_class_of(const hfm_config *config, uint32_t object) {
  const hfm__json *doc = &config->document;
  const char *model_type;
  if (object == doc->root) return config->class_known;
  model_type = hfm__json_text(doc, hfm__json_member_of(doc, object, "model_type"));
  return model_type ? hfm__config_class_find(model_type) : NULL;
}

/* Element `index` (decimal digits) of a list, 0 where there is none. */
HFM__PRIVATE uint32_t hfm__config_element(const hfm__json *doc, uint32_t list, const char *index, size_t size) {
  uint32_t node = hfm__json_first(doc, list);
  uint64_t n;
  if (!hfm__json_u64(index, size, &n)) return 0;
  while (node && n--) node = hfm__json_following(doc, node);
  return node;
}

HFM__PRIVATE hfm__config_value hfm__config_walk(const hfm__json *doc, const hfm_config *config, const char *key) {
  hfm__config_value value;
  value.doc = doc;
  value.node = doc->root;
  for (;;) {
    const size_t size = hfm__config_part(key);
    const hfm__config_class *known =
        doc == &config->document ? hfm__config_class_of(config, value.node) : config->class_known;
    if (hfm__json_kind(doc, value.node) == HFM__JSON_ARRAY) {
      value.node = hfm__config_element(doc, value.node, key, size);
    } else {
      const uint32_t found = hfm__config_key(doc, value.node, known, key, size);
      value.node = found ? found + 1 : 0;
    }
    if (!value.node || !key[size]) return value;
    key += size + 1;
  }
}

/* The document's value (which may be null); the model type's default where the key is absent. "generation_config.x" is
   x in generation_config.json. */
HFM__PRIVATE hfm__config_value hfm__config_find(const hfm_config *config, const char *key) {
  static const char generation[] = "generation_config.";
  hfm__config_value value;
  if (hfm__starts_with(key, generation))
    return hfm__config_walk(&config->generation, config, key + sizeof generation - 1);
  value = hfm__config_walk(&config->document, config, key);
  if (value.node || !config->defaults.root) return value;
  return hfm__config_walk(&config->defaults, config, key);
}

/* ---- Getters ---- */

/* Labels that id2label lists, or 0. */
HFM__PRIVATE int64_t hfm__config_label_count(const hfm_config *config) {
  const hfm__config_value labels = hfm__config_find(config, "id2label");
  return hfm__json_kind(labels.doc, labels.node) == HFM__JSON_OBJECT ? (int64_t)labels.doc->nodes[labels.node].size : 0;
}

/* Transformers' rule: "num_labels" in the file beats id2label; two labels if there is neither. */
HFM__PRIVATE int64_t hfm__config_num_labels(const hfm_config *config) {
  const hfm__config_value written = hfm__config_walk(&config->document, config, "num_labels");
  const int64_t listed = hfm__config_label_count(config);
  hfm__config_value value;
  int64_t count;
  if (hfm__json_int(written.doc, written.node, &count)) return count;
  if (listed) return listed;
  value = hfm__config_find(config, "num_labels");
  return hfm__json_int(value.doc, value.node, &count) ? count : 2;
}

/* Calls for each pair of id2label, until a call fails. None if "num_labels" overruled the list: then Transformers names
   them LABEL_i. */
HFM__PRIVATE hfm_result hfm__config_each_label(const hfm_config *config, void *ctx,
                                               hfm_result (*label)(void *ctx, int64_t id, const char *name)) {
  const hfm__config_value labels = hfm__config_find(config, "id2label");
  hfm_result result = HFM_OK;
  uint32_t key = hfm__json_first(labels.doc, labels.node);
  int64_t id;
  if (hfm__config_label_count(config) != hfm__config_num_labels(config)) return HFM_OK;
  for (; key && result == HFM_OK; key = hfm__json_following(labels.doc, key)) {
    const hfm__json_node *node = &labels.doc->nodes[key];
    const char *name = hfm__json_text(labels.doc, key + 1);
    if (name && hfm__json_i64(labels.doc->text + node->start, node->size, &id)) result = label(ctx, id, name);
  }
  return result;
}

HFMODEL_API int64_t hfm_config_get_int(const hfm_config *config, const char *key, int64_t fallback) {
  hfm__config_value value;
  int64_t number;
  if (!config || !key) return fallback;
  if (hfm__equal(key, "num_labels")) return hfm__config_num_labels(config);
  value = hfm__config_find(config, key);
  return hfm__json_int(value.doc, value.node, &number) ? number : fallback;
}

HFMODEL_API double hfm_config_get_float(const hfm_config *config, const char *key, double fallback) {
  hfm__config_value value;
  double number;
  if (!config || !key) return fallback;
  value = hfm__config_find(config, key);
  return hfm__json_double(value.doc, value.node, &number) ? number : fallback;
}

HFMODEL_API int32_t hfm_config_get_bool(const hfm_config *config, const char *key, int32_t fallback) {
  hfm__config_value value;
  int32_t truth;
  if (!config || !key) return fallback;
  value = hfm__config_find(config, key);
  return hfm__json_bool(value.doc, value.node, &truth) ? truth : fallback;
}

HFMODEL_API const char *hfm_config_get_string(const hfm_config *config, const char *key, const char *fallback) {
  hfm__config_value value;
  const char *text;
  if (!config || !key) return fallback;
  value = hfm__config_find(config, key);
  text = hfm__json_text(value.doc, value.node);
  return text ? text : fallback;
}

HFMODEL_API int32_t hfm_config_has(const hfm_config *config, const char *key) {
  hfm__config_value value;
  if (!config || !key) return 0;
  value = hfm__config_walk(&config->document, config, key);
  return hfm__json_kind(value.doc, value.node) > HFM__JSON_NULL;
}

/* ---- Getters that insist ---- */

/* An integer in [low, high]; absent, null, of another type or outside is an error that names file, key and value. */
HFM__PRIVATE hfm_result hfm__config_need_int(const hfm_config *config, const char *key, int64_t low, int64_t high,
                                             int64_t *out, hfm_error *error) {
  const hfm__config_value value = hfm__config_find(config, key);
  *out = 0;
  if (hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL)
    return hfm__fail(error, HFM_E_CONFIG_MISSING, config->file, key, 0, "%q is needed: an integer from %i to %i", key,
                     low, high);
  if (!hfm__json_int(value.doc, value.node, out))
    return hfm__fail(error, HFM_E_CONFIG_TYPE, config->file, key, 0, "%q must be an integer from %i to %i", key, low,
                     high);
  if (*out < low || *out > high) {
    const int64_t found = *out;
    *out = 0;
    return hfm__fail(error, HFM_E_CONFIG_RANGE, config->file, key, 0, "%q is %i, but must be from %i to %i", key, found,
                     low, high);
  }
  return HFM_OK;
}

/* A finite number in [low, high]; the same errors. */
HFM__PRIVATE hfm_result hfm__config_need_float(const hfm_config *config, const char *key, double low, double high,
                                               double *out, hfm_error *error) {
  const hfm__config_value value = hfm__config_find(config, key);
  double number = 0;
  *out = 0;
  if (hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL)
    return hfm__fail(error, HFM_E_CONFIG_MISSING, config->file, key, 0, "%q is needed: a number from %g to %g", key,
                     low, high);
  if (!hfm__json_double(value.doc, value.node, &number))
    return hfm__fail(error, HFM_E_CONFIG_TYPE, config->file, key, 0, "%q must be a finite number from %g to %g", key,
                     low, high);
  if (!(number >= low && number <= high))
    return hfm__fail(error, HFM_E_CONFIG_RANGE, config->file, key, 0, "%q is %g, but must be from %g to %g", key,
                     number, low, high);
  *out = number;
  return HFM_OK;
}

/* ---- RoPE, in both spellings ---- */

/* The object that holds rope parameters: "rope_parameters" (of that layer type, where it is nested so), else
   "rope_scaling". `layer_type` may be NULL. */
HFM__PRIVATE hfm__config_value hfm__config_rope(const hfm_config *config, const char *layer_type) {
  hfm__config_value value = hfm__config_find(config, "rope_parameters");
  if (hfm__json_kind(value.doc, value.node) == HFM__JSON_OBJECT) {
    const uint32_t nested = layer_type ? hfm__json_member_of(value.doc, value.node, layer_type) : 0;
    if (hfm__json_kind(value.doc, nested) == HFM__JSON_OBJECT) value.node = nested;
    return value;
  }
  return hfm__config_find(config, "rope_scaling");
}

HFM__PRIVATE hfm__config_value hfm__config_rope_member(const hfm_config *config, const char *layer_type,
                                                       const char *key) {
  hfm__config_value value = hfm__config_rope(config, layer_type);
  value.node = hfm__json_member_of(value.doc, value.node, key);
  return value;
}

/* "default", "linear", "llama3", ...: "rope_type", or "type" in old files. */
HFM__PRIVATE const char *hfm__config_rope_type(const hfm_config *config, const char *layer_type) {
  hfm__config_value value = hfm__config_rope_member(config, layer_type, "rope_type");
  const char *text = hfm__json_text(value.doc, value.node);
  if (text) return text;
  value = hfm__config_rope_member(config, layer_type, "type");
  text = hfm__json_text(value.doc, value.node);
  return text ? text : "default";
}

/* A number among the rope parameters; rope_theta may stand outside of them. */
HFM__PRIVATE double hfm__config_rope_float(const hfm_config *config, const char *layer_type, const char *key,
                                           double fallback) {
  hfm__config_value value = hfm__config_rope_member(config, layer_type, key);
  double number;
  if (hfm__json_double(value.doc, value.node, &number)) return number;
  return hfm__equal(key, "rope_theta") ? hfm_config_get_float(config, key, fallback) : fallback;
}

/* ---- Setters ---- */

/* The node that `key` stands for, made if it isn't there; `*object` is the object it is in. */
HFM__PRIVATE uint32_t hfm__config_place(hfm_config *config, const char *key, uint32_t *object, const char **name,
                                        size_t *name_size, int make, hfm_result *result, hfm_error *error) {
  hfm__json *doc = &config->document;
  uint32_t node = doc->root;
  *result = HFM_OK;
  for (int32_t parts = 0; parts < HFM__CONFIG_MAX_PARTS; parts++) {
    const size_t size = hfm__config_part(key);
    uint32_t found;
    if (hfm__json_kind(doc, node) != HFM__JSON_OBJECT) {
      if (!make) return 0;
      if (hfm__json_kind(doc, node) != HFM__JSON_NULL) break;
      doc->nodes[node].kind = HFM__JSON_OBJECT;
      doc->nodes[node].start = doc->nodes[node].size = 0;
    }
    *object = node;
    found = hfm__config_key(doc, node, hfm__config_class_of(config, node), key, size);
    *name = found ? doc->text + doc->nodes[found].start : key;
    *name_size = found ? doc->nodes[found].size : size;
    if (!found && !make) return 0;
    if (!found) {
      const char *alias = hfm__config_alias(hfm__config_class_of(config, node), key, size);
      found = alias ? hfm__json_insert(doc, node, alias, strlen(alias)) : hfm__json_insert(doc, node, key, size);
      if (!found) {
        *result = hfm__fail_memory(error, "a configuration", 0);
        return 0;
      }
      found--;
    }
    node = found + 1;
    if (!key[size]) return node;
    key += size + 1;
  }
  *result = hfm__fail(error, HFM_E_ARGUMENT_VALUE, config->file, key, 0,
                      "the part before the dot is no object, or the path has more than 64 parts");
  return 0;
}

/* num_labels is not stored: Transformers writes LABEL_0 ... into id2label and label2id, and nothing for two labels. Where
   such lists would be absurd the number stands for them, which Transformers reads, too. */
HFM__PRIVATE hfm_result hfm__config_set_labels(hfm_config *config, int64_t count, hfm_error *error) {
  static const char *const names[2] = {"id2label", "label2id"};
  hfm__json *doc = &config->document;
  if (count < 1 || count > HFM__CONFIG_MAX_LABELS)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, config->file, "num_labels", 0,
                     "num_labels is %i, but must be from 1 to %d", count, (int)HFM__CONFIG_MAX_LABELS);
  hfm__json_remove(doc, doc->root, "num_labels", 10);
  if (hfm__config_label_count(config) == count) return HFM_OK;
  for (int32_t i = 0; i < 2; i++) hfm__json_remove(doc, doc->root, names[i], 8);
  if (hfm__config_num_labels(config) == count) return HFM_OK;
  if (count > HFM__CONFIG_LISTED_LABELS) {
    char number[24];
    hfm__text t = hfm__text_to(number, sizeof number);
    const uint32_t node = hfm__json_insert(doc, doc->root, "num_labels", 10);
    hfm__text_i64(&t, count);
    return node && hfm__json_set_scalar(doc, node, HFM__JSON_NUMBER, number, t.length)
               ? HFM_OK
               : hfm__fail_memory(error, "a configuration", 0);
  }
  for (int32_t reverse = 0; reverse < 2; reverse++) {
    const uint64_t room = (uint64_t)count * 40 + 3;
    char *json = (char *)hfm__alloc(&config->ctx.mem, room);
    hfm__text t;
    uint32_t node = 0;
    hfm_result result;
    if (!json) return hfm__fail_memory(error, "labels", room);
    t = hfm__text_to(json, (size_t)room);
    hfm__text_char(&t, '{');
    for (int64_t i = 0; i < count; i++)
      hfm__text_format(&t, reverse ? "%s\"LABEL_%i\":%i" : "%s\"%i\":\"LABEL_%i\"", i ? "," : "", i, i);
    hfm__text_char(&t, '}');
    node = hfm__json_insert(doc, doc->root, names[reverse], 8);
    result = node ? hfm__json_set_text(doc, node, json, t.length, 0, error)
                  : hfm__fail_memory(error, "a configuration", 0);
    hfm__free(&config->ctx.mem, json, room);
    if (result != HFM_OK) return result;
  }
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__config_set(hfm_config *config, const char *key, int32_t kind, const char *text,
                                        size_t size, hfm_error *error) {
  uint32_t object, node;
  const char *name;
  size_t name_size;
  hfm_result result;
  hfm__clear_error(error);
  if (!config || !key || !text)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, !config ? "config" : !key ? "key" : "value", 0,
                     "must not be NULL");
  node = hfm__config_place(config, key, &object, &name, &name_size, 1, &result, error);
  if (!node) return result;
  if (kind == HFM__JSON_FAILED) /* any JSON text */
    result = hfm__json_set_text(&config->document, node, text, size, HFM__JSON_NONFINITE, error);
  else if (!hfm__json_set_scalar(&config->document, node, kind, text, size))
    result = hfm__fail_memory(error, "a configuration", 0);
  if (result == HFM_OK && hfm__equal(key, "model_type")) result = hfm__config_bind(config, error);
  return result;
}

HFMODEL_API hfm_result hfm_config_set_int(hfm_config *config, const char *key, int64_t value, hfm_error *error) {
  char text[24];
  hfm__text t = hfm__text_to(text, sizeof text);
  hfm__text_i64(&t, value);
  if (config && key && hfm__equal(key, "num_labels")) {
    hfm__clear_error(error);
    return hfm__config_set_labels(config, value, error);
  }
  return hfm__config_set(config, key, HFM__JSON_NUMBER, text, t.length, error);
}

HFMODEL_API hfm_result hfm_config_set_float(hfm_config *config, const char *key, double value, hfm_error *error) {
  const uint64_t bits = hfm__double_bits(value);
  char text[40];
  hfm__text t = hfm__text_to(text, sizeof text);
  if ((bits >> 52 & 0x7ff) != 0x7ff) hfm__text_double(&t, value);
  else hfm__text_str(&t, bits << 12 ? "NaN" : bits >> 63 ? "-Infinity" : "Infinity");
  return hfm__config_set(config, key, HFM__JSON_NUMBER, text, t.length, error);
}

HFMODEL_API hfm_result hfm_config_set_bool(hfm_config *config, const char *key, int32_t value, hfm_error *error) {
  return hfm__config_set(config, key, HFM__JSON_BOOL, value ? "true" : "false", value ? 4 : 5, error);
}

HFMODEL_API hfm_result hfm_config_set_string(hfm_config *config, const char *key, const char *value, hfm_error *error) {
  const size_t size = value ? strlen(value) : 0;
  for (size_t i = 0; i < size;) {
    const size_t length = hfm__utf8_length(value + i, size - i);
    if (!length) return hfm__fail(error, HFM_E_JSON_UTF8, NULL, key, (uint64_t)i, "the value must be UTF-8");
    i += length;
  }
  return hfm__config_set(config, key, HFM__JSON_STRING, value, size, error);
}

HFMODEL_API hfm_result hfm_config_set_json(hfm_config *config, const char *key, const char *json, hfm_error *error) {
  return hfm__config_set(config, key, HFM__JSON_FAILED, json, json ? strlen(json) : 0, error);
}

HFMODEL_API hfm_result hfm_config_remove(hfm_config *config, const char *key, hfm_error *error) {
  uint32_t object = 0;
  const char *name = NULL;
  size_t name_size = 0;
  hfm_result result;
  hfm__clear_error(error);
  if (!config || !key)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, config ? "key" : "config", 0, "must not be NULL");
  if (hfm__config_place(config, key, &object, &name, &name_size, 0, &result, error))
    hfm__json_remove(&config->document, object, name, name_size);
  if (result == HFM_OK && hfm__equal(key, "model_type")) result = hfm__config_bind(config, error);
  return result;
}

HFMODEL_API size_t hfm_config_to_json(const hfm_config *config, char *buffer, size_t size) {
  hfm__text t = hfm__text_to(buffer, buffer ? size : 0);
  if (!config) return 0;
  hfm__json_write(&config->document, config->document.root, &t);
  hfm__text_char(&t, '\n');
  return t.length;
}

/* A copy that is the caller's. */
HFM__PRIVATE hfm_result hfm__config_copy(const hfm_config *config, const hfm__context *ctx, hfm_config **out,
                                         hfm_error *error) {
  const size_t size = hfm_config_to_json(config, NULL, 0);
  char *text = (char *)hfm__alloc(&ctx->mem, (uint64_t)size + 1);
  hfm_result result;
  *out = NULL;
  if (!text) return hfm__fail_memory(error, "a configuration", (uint64_t)size + 1);
  (void)hfm_config_to_json(config, text, size + 1);
  result = hfm__config_create(ctx, config->file, text, size, out, error);
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  return result;
}
/* ==== end src/config/config.c ==== */

/* ==== begin src/hub/cache.c ==== */
/* ==== hub/cache (private): a repository id becomes a directory of the local hub cache ==========================
   The layout is huggingface_hub's; nothing is downloaded or written here. Every part of a name that comes from
   outside is checked by Windows' and POSIX's rules, on every host, before it becomes part of a path. */

HFM__PRIVATE int hfm__is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "name" or "org/name" of letters, digits, _ - . as the hub allows them. */
HFM__PRIVATE int hfm__is_repo_id(const char *id) {
  size_t part = 0, slashes = 0;
  if (hfm__ends_with(id, ".git")) return 0;
  for (size_t i = 0;; i++) {
    const char c = id[i];
    if (c == 0 || c == '/') {
      if (i == part || i - part > 96 || !hfm__is_word(id[part]) || !hfm__is_word(id[i - 1])) return 0;
      if (c == 0) return 1;
      if (++slashes > 1) return 0;
      part = i + 1;
    } else if (!hfm__is_word(c) && c != '-' && c != '.') {
      return 0;
    } else if (i > part && (c == '-' || c == '.') && id[i - 1] == c) {
      return 0; /* "--" separates the parts of a folder's name, ".." leaves it */
    }
  }
}

/* A commit: 40 lower-case hexadecimal digits. */
HFM__PRIVATE int hfm__is_commit(const char *text, size_t size) {
  if (size != 40) return 0;
  for (size_t i = 0; i < size; i++)
    if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f'))) return 0;
  return 1;
}

#if !defined(HFMODEL_NO_STDIO) && !defined(HFMODEL_NO_STDLIB)

/* Appends `path` with a leading ~ and $NAME or ${NAME} replaced from the environment, as Python does. */
HFM__PRIVATE void hfm__expand(hfm__text *t, const char *path) {
  const char *home = getenv("HOME");
  if (!home) home = getenv("USERPROFILE");
  if (path[0] == '~' && (path[1] == '/' || path[1] == '\\' || path[1] == 0) && home) {
    hfm__text_str(t, home);
    path++;
  }
  while (*path) {
    const int braces = path[0] == '$' && path[1] == '{';
    const char *name = path + 1 + braces, *end = name, *value = NULL;
    char key[128];
    while (*path == '$' && hfm__is_word(*end)) end++;
    if (*path == '$' && end > name && (size_t)(end - name) < sizeof key && (!braces || *end == '}')) {
      memcpy(key, name, (size_t)(end - name));
      key[end - name] = 0;
      value = getenv(key);
    }
    if (value) {
      hfm__text_str(t, value);
      path = end + braces;
    } else {
      hfm__text_char(t, *path++);
    }
  }
}

HFM__PRIVATE const char *hfm__environment(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

/* The cache's folder, in huggingface_hub's order of precedence. */
HFM__PRIVATE void hfm__cache_root(hfm__text *t, const char *cache_dir) {
  static const char *const whole[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"};
  const char *value = cache_dir && *cache_dir ? cache_dir : NULL;
  for (size_t i = 0; i < 2 && !value; i++) value = hfm__environment(whole[i]);
  if (!value && !hfm__environment("HF_HOME")) value = hfm__environment(whole[2]); /* Transformers 4 */
  if (value) {
    hfm__expand(t, value);
    return;
  }
  value = hfm__environment("HF_HOME");
  if (value) {
    hfm__expand(t, value);
    hfm__text_str(t, "/hub");
    return;
  }
  value = hfm__environment("XDG_CACHE_HOME");
  hfm__expand(t, value ? value : "~/.cache");
  hfm__text_str(t, "/huggingface/hub");
}

enum { HFM__PATH_MAX = 4096, HFM__REVISION_MAX = 256 };

/* The snapshot of a cached repository; *dir is the caller's (strlen + 1 bytes). */
HFM__PRIVATE hfm_result hfm__cached_snapshot(const hfm__context *ctx, const char *repo, const hfm_options *options,
                                             char **dir, hfm_error *error) {
  const char *revision = options && options->revision && *options->revision ? options->revision : "main";
  const char *problem = hfm__unsafe_name(revision, strlen(revision));
  const char *pinned = hfm__equal(revision, "main") ? "" : " --revision ";
  char path[HFM__PATH_MAX];
  hfm__text t = hfm__text_to(path, sizeof path);
  size_t repo_length, length, size = 0;
  char commit[41], *text = NULL;
  hfm_result result;
  if (problem || strlen(revision) > HFM__REVISION_MAX)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "revision", 0, "revision %q %s", revision,
                     problem ? problem : "is longer than 256 bytes");
  hfm__cache_root(&t, options ? options->cache_dir : NULL);
  hfm__text_str(&t, "/models--");
  for (const char *c = repo; *c; c++) {
    hfm__text_char(&t, *c == '/' ? '-' : *c);
    if (*c == '/') hfm__text_char(&t, '-');
  }
  repo_length = t.length;
  if (t.length + HFM__REVISION_MAX + 64 >= sizeof path)
    return hfm__fail(error, HFM_E_FILE_NAME, NULL, "cache_dir", 0, "the path of the hub cache is too long");
  if (!hfm__system_exists(path, 0))
    return hfm__fail(error, HFM_E_REPO_NOT_CACHED, path, repo, 0,
                     "%q is neither a directory nor a repository in the hub cache; run: hf download %s%s%s", repo,
                     repo, pinned, *pinned ? revision : "");
  if (hfm__is_commit(revision, strlen(revision))) {
    memcpy(commit, revision, 41);
  } else {
    hfm__text_format(&t, "/refs/%s", revision);
    result = hfm__file_load(ctx, path, HFM__REVISION_MAX, &text, &size, error);
    if (result == HFM_ERROR_NOT_FOUND)
      return hfm__fail(error, HFM_E_REVISION_NOT_CACHED, path, revision, 0,
                       "revision %q of %q is not in the hub cache; run: hf download %s --revision %s", revision,
                       repo, repo, revision);
    if (result != HFM_OK) return result;
    memset(commit, 0, sizeof commit);
    length = size;
    while (length && (text[length - 1] == '\n' || text[length - 1] == '\r')) length--;
    if (hfm__is_commit(text, length)) memcpy(commit, text, 40);
    hfm__free(&ctx->mem, text, (uint64_t)size + 1);
    if (!commit[0])
      return hfm__fail(error, HFM_E_REVISION_NOT_CACHED, path, revision, 0,
                       "must hold a commit (40 hexadecimal digits); run: hf download %s%s%s", repo, pinned,
                       *pinned ? revision : "");
  }
  t = hfm__text_to(path + repo_length, sizeof path - repo_length);
  hfm__text_format(&t, "/snapshots/%s", commit);
  if (!hfm__system_exists(path, 0))
    return hfm__fail(error, HFM_E_REVISION_NOT_CACHED, path, revision, 0,
                     "commit %s of %q is not in the hub cache; run: hf download %s%s%s", commit, repo, repo, pinned,
                     *pinned ? revision : "");
  *dir = hfm__join_path(&ctx->mem, path, "");
  return *dir ? HFM_OK : hfm__fail_memory(error, "a directory name", 0);
}
#endif

/* The directory that a model's name stands for: itself if it exists (or if files come from the caller's hfm_io), else
   a repository in the cache. *dir is the caller's (strlen + 1 bytes); NULL on failure. */
HFM__PRIVATE hfm_result hfm__resolve_model_path(const hfm__context *ctx, const char *name, const hfm_options *options,
                                                char **dir, hfm_error *error) {
  *dir = NULL;
#if !defined(HFMODEL_NO_STDIO) && !defined(HFMODEL_NO_STDLIB)
  if (hfm__is_file_system(ctx) && !hfm__system_exists(name, 1)) {
    if (!hfm__is_repo_id(name))
      return hfm__fail(error, HFM_E_REPO_ID, NULL, name, 0,
                       "%q is neither an existing directory nor a repository id (\"name\" or \"org/name\" of letters, "
                       "digits, '-', '_' and '.')",
                       name);
    return hfm__cached_snapshot(ctx, name, options, dir, error);
  }
#endif
  (void)options;
  *dir = hfm__join_path(&ctx->mem, name, "");
  return *dir ? HFM_OK : hfm__fail_memory(error, "a directory name", 0);
}

HFMODEL_API hfm_result hfm_config_from_pretrained(const char *path, const hfm_options *options, hfm_config **config,
                                                  hfm_error *error) {
  hfm__context ctx;
  hfm_result result;
  char *dir;
  hfm__clear_error(error);
  if (config) *config = NULL;
  if (!path || !config)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, path ? "config" : "path", 0, "must not be NULL");
  result = hfm__context_init(options, &ctx, error);
  if (result != HFM_OK) return result;
  result = hfm__resolve_model_path(&ctx, path, options, &dir, error);
  if (result == HFM_OK) result = hfm__config_load(&ctx, dir, options ? options->subfolder : NULL, config, error);
  hfm__free_text(&ctx.mem, dir);
  return result;
}
/* ==== end src/hub/cache.c ==== */

/* ==== begin src/graph/op.h ==== */
/* ==== graph/op (private): the op list ==========================================================================
   An op is one row: X(name, fewest inputs, most inputs, outputs). cpu/ (and later cuda/ and export/) each expand the
   same list into their own table; nothing else switches on op kinds. Values are f32 unless said otherwise; `ids` are
   i64. "rows" of a tensor are all its dimensions but the last, flattened.

   Compute:
     linear      x [..., K], weight [N, K] or (transposed) [K, N], bias [N]?, residual [..., N]?  -> [..., N]
                 activation(x W^T + bias) + residual; weight in its storage dtype
     embedding   ids [...], table [V, D] -> [..., D]
     layer_norm  x [..., D], weight [D]?, bias [D]?   (x - mean) / sqrt(var + epsilon) * weight + bias
     rms_norm    x [..., D], weight [D]               x / sqrt(mean(x^2) + epsilon) * weight
     unary       x -> activation(x)
     add, mul    a, b -> numpy broadcasting
     attention   q [B, S, H, D], k and v [B, T, KV, D], keep [B, T] u8 or segment [B, T] i64? -> context [B, S, H, D],
                 probabilities [B, H, S, T] (only where they are used). Key j is seen by query i if keep[j] (or if their
                 segments are equal; T = S then), and with `causal` j <= i + T - S, and with `window` > 0 also
                 j > i + T - S - window.
     rotary      x [B, S, H, D], angles [B or 1, S, 2, R/2] (cosines, then sines) -> [B, S, H, D]; halves rotated
     conv2d      x [B, C, H, W], weight [O, C, KH, KW], bias [O]? -> [B, OH, OW, O] (channels last)
     rope_angles positions i64 [B or 1, S], frequencies [R/2] -> [B or 1, S, 2, R/2], times attrs.scale
     rope_frequencies  positions i64, frequencies [R/2], long frequencies [R/2]? -> frequencies [R/2]: the long ones
                 where the largest position reaches beyond the original length; without them "dynamic" NTK scaling
   Indices:
     iota        -> i64 [1, S]: dims[0], dims[0] + 1, ...
     padded_positions  ids [B, S] -> i64 [B, S]: cumulative count of ids != pad, plus pad; pad where id == pad
     last_token  ids [B, S] -> i64 [B]: the rightmost position whose id != pad; 0 if there is none
     segments    positions i64 [B or 1, S] -> i64 [B or 1, S]: how often they did not just go on by 1, so far
     gather_rows x [B, S, D], index i64 [B] -> [B, D]
   Movement:
     append      state [B, T, ...], x [B, S, ...] -> the state, whose last S positions are now x
     copy        x (any strides, any float dtype) -> contiguous f32
     concat      a, b -> joined along attrs.axis
   Views (no work; the result aliases its first input):
     reshape, permute, slice, expand */

#define HFM__OP_LIST(X) \
  X(linear, 2, 4, 1) \
  X(embedding, 2, 2, 1) \
  X(layer_norm, 1, 3, 1) \
  X(rms_norm, 2, 2, 1) \
  X(unary, 1, 1, 1) \
  X(add, 2, 2, 1) \
  X(mul, 2, 2, 1) \
  X(attention, 3, 4, 2) \
  X(rotary, 2, 2, 1) \
  X(conv2d, 2, 3, 1) \
  X(rope_angles, 2, 2, 1) \
  X(rope_frequencies, 2, 3, 1) \
  X(iota, 0, 0, 1) \
  X(padded_positions, 1, 1, 1) \
  X(last_token, 1, 1, 1) \
  X(segments, 1, 1, 1) \
  X(gather_rows, 2, 2, 1) \
  X(append, 2, 2, 1) \
  X(copy, 1, 1, 1) \
  X(concat, 2, 2, 1)

#define HFM__VIEW_LIST(X) \
  X(reshape) \
  X(permute) \
  X(slice) \
  X(expand)

#define HFM__OP_ENUM(name, fewest, most, outputs) HFM__OP_##name,
#define HFM__VIEW_ENUM(name) HFM__VIEW_##name,
enum {
  HFM__OP_LIST(HFM__OP_ENUM) HFM__OP_COUNT,
  HFM__VIEW_FIRST = HFM__OP_COUNT - 1,
  HFM__VIEW_LIST(HFM__VIEW_ENUM) HFM__OP_END
};
#undef HFM__OP_ENUM
#undef HFM__VIEW_ENUM

enum { HFM__MAX_OP_INPUTS = 4, HFM__MAX_OP_OUTPUTS = 2 };

/* Activations by config name: X(name, config name, torch class as printed). */
#define HFM__ACTIVATION_LIST(X) \
  X(gelu, "gelu", "GELUActivation") \
  X(gelu_new, "gelu_new", "NewGELUActivation") \
  X(gelu_pytorch_tanh, "gelu_pytorch_tanh", "GELUTanh") \
  X(gelu_fast, "gelu_fast", "FastGELUActivation") \
  X(quick_gelu, "quick_gelu", "QuickGELUActivation") \
  X(relu, "relu", "ReLU") \
  X(silu, "silu", "SiLUActivation") \
  X(tanh, "tanh", "Tanh") \
  X(sigmoid, "sigmoid", "Sigmoid")

#define HFM__ACTIVATION_ENUM(name, config, torch) HFM__ACT_##name,
enum { HFM__ACT_none = 0, HFM__ACTIVATION_LIST(HFM__ACTIVATION_ENUM) HFM__ACT_COUNT };
#undef HFM__ACTIVATION_ENUM

/* What an op knows besides its inputs. Each op reads the fields that its row names. */
typedef struct hfm__attrs {
  int32_t activation;                /* linear, unary: HFM__ACT_... */
  int32_t transposed;                /* linear: weight is [K, N] (Conv1D) */
  int32_t causal;                    /* attention */
  int32_t implementation;            /* attention: HFM_ATTN_EAGER, _SDPA or _FLASH_ATTENTION_2 */
  int32_t axis;                      /* concat, slice */
  int32_t pad;                       /* padded_positions, last_token: the padding id */
  int32_t permutation[HFM_MAX_RANK]; /* permute: input axis of each output axis */
  int32_t stride[2];                 /* conv2d: vertical, horizontal */
  int32_t padding[2];                /* conv2d: on both sides of each axis */
  int64_t window;                    /* attention: 0 is unlimited */
  float epsilon;                     /* layer_norm, rms_norm */
  float scale;                       /* attention: of the scores; rope_angles: of cosines and sines */
  double parameter[4];               /* rope_frequencies: base, factor, dimension, original length */
} hfm__attrs;

/* ---- What an op's implementation sees when it runs ---- */

struct hfm__weight; /* weights/weight.h */

/* A tensor at run time. Strides are in elements; the innermost dimension of every f32 operand is contiguous. */
typedef struct hfm__operand {
  void *data; /* NULL: this optional input is absent, or nobody uses this output */
  hfm_dtype dtype;
  int32_t rank;
  int64_t shape[HFM_MAX_RANK];
  int64_t stride[HFM_MAX_RANK];
  struct hfm__weight *weight; /* the parameter behind it, for kept panels; NULL for activations */
} hfm__operand;

/* One thread's share of a session. */
typedef struct hfm__worker {
  int32_t index;
  uint8_t *scratch; /* at least what the op's scratch() asked for, 64-byte aligned; contents persist between chunks */
  uint64_t tag;     /* what scratch holds, for an op that reuses it from chunk to chunk; 0 at the start of a node */
} hfm__worker;

struct hfm__cpu; /* cpu/cpu.h: kernel table and policy */

typedef struct hfm__op_args {
  const struct hfm__cpu *cpu;
  const hfm__attrs *attrs;
  const int64_t *dims; /* values of the node's dimension attributes */
  uint64_t serial;     /* unique for (forward, node): for tags */
  hfm__operand in[HFM__MAX_OP_INPUTS];
  hfm__operand out[HFM__MAX_OP_OUTPUTS];
} hfm__op_args;

/* An op on a device. Chunks are independent, about 0.1 ms each, fixed by the shapes alone; chunk c computes the same
   bits whoever runs it. */
typedef struct hfm__op_impl {
  int64_t (*chunks)(const hfm__op_args *a);
  void (*run)(const hfm__op_args *a, int64_t chunk, hfm__worker *worker);
  uint64_t (*scratch)(const hfm__op_args *a); /* bytes for each worker; monotonic in every dimension */
} hfm__op_impl;

HFM__PRIVATE int64_t hfm__elements(const int64_t *shape, int32_t rank) {
  int64_t n = 1;
  int32_t i;
  for (i = 0; i < rank; i++) n *= shape[i];
  return n;
}
/* ==== end src/graph/op.h ==== */
/* ==== begin src/weights/weight.h ==== */
/* ==== weights/weight (private): a parameter's storage ==========================================================
   A weight has a storage type of its own: where its bytes are and how they become readable. The executor acquires the
   weights of a node before it runs and releases them after; kernels are chosen by (op, dtype of the view). */

struct hfm__panels; /* cpu/panels.c: kept panels of this weight, NULL until it has been promoted */
struct hfm__weight;

typedef struct hfm__storage_type {
  const char *name; /* "mapped", "owned" */
  /* Makes the elements readable at *data, row-major in weight->dtype, aligned to the element. May fail. */
  hfm_result (*acquire)(struct hfm__weight *weight, const void **data, hfm_error *error);
  void (*release)(struct hfm__weight *weight);
} hfm__storage_type;

typedef struct hfm__weight {
  const hfm__storage_type *storage; /* NULL: a tied name, which has no storage of its own */
  const void *data;                 /* mapped, owned: the elements */
  uint64_t bytes;                   /* of the elements */
  hfm_dtype dtype;
  int32_t rank;
  int64_t shape[HFM_MAX_RANK];
  struct hfm__panels *panels; /* belongs to cpu/, reached with atomics: weights are shared by sessions */
} hfm__weight;

HFM__PRIVATE hfm_result hfm__acquire_memory(hfm__weight *weight, const void **data, hfm_error *error) {
  (void)error;
  *data = weight->data;
  return HFM_OK;
}
HFM__PRIVATE void hfm__release_memory(hfm__weight *weight) { (void)weight; }

/* Where the file has been mapped, or lies in the caller's memory. */
static const hfm__storage_type hfm__storage_mapped = {"mapped", hfm__acquire_memory, hfm__release_memory};
/* A block of our own: read, converted or initialised. */
static const hfm__storage_type hfm__storage_owned = {"owned", hfm__acquire_memory, hfm__release_memory};
/* ==== end src/weights/weight.h ==== */

/* ==== begin src/cpu/isa.c ==== */
/* ==== cpu/isa (private): what this machine can run ==============================================================
   Own CPUID and XGETBV: __builtin_cpu_supports is missing on some compilers and does not know F16C on others. A tier
   counts only if the operating system also saves its registers. */

#if (defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)) && !defined(HFMODEL_NO_SIMD) && \
    !defined(__CUDACC__) && (defined(__GNUC__) || defined(__clang__) || defined(_MSC_VER))
#define HFM__X86 1
#else
#define HFM__X86 0
#endif

#if HFM__X86 && !defined(HFMODEL_NO_AVX2)
#define HFM__WITH_AVX2 1
#else
#define HFM__WITH_AVX2 0
#endif
#if HFM__WITH_AVX2 && !defined(HFMODEL_NO_AVX512)
#define HFM__WITH_AVX512 1
#else
#define HFM__WITH_AVX512 0
#endif
#if HFM__WITH_AVX512 && !defined(_MSC_VER) && (defined(__clang__) ? __clang_major__ >= 9 : __GNUC__ >= 10)
#define HFM__WITH_AVX512_BF16 1
#else
#define HFM__WITH_AVX512_BF16 0
#endif
#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(HFMODEL_NO_SIMD)
#define HFM__WITH_NEON 1
#else
#define HFM__WITH_NEON 0
#endif
#if defined(__wasm_simd128__) && !defined(HFMODEL_NO_SIMD)
#define HFM__WITH_WASM 1
#else
#define HFM__WITH_WASM 0
#endif

#include <float.h>

/* options.strict needs arithmetic that is what was written: not the x87's, not -ffast-math's. */
#if !defined(HFMODEL_NO_STRICT) && defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 0 && !defined(__FAST_MATH__) && !defined(_M_FP_FAST)
#define HFM__WITH_STRICT 1
#else
#define HFM__WITH_STRICT 0
#endif

#if HFM__X86
#if defined(__GNUC__) || defined(__clang__)
#include <cpuid.h>
#define HFM__ATTRIBUTE_TARGET(features) __attribute__((target(features)))
#else
#include <intrin.h>
#define HFM__ATTRIBUTE_TARGET(features)
#endif
#include <immintrin.h>
#if defined(__clang__) && defined(_MSC_VER) /* clang in MSVC's dress leaves these out of immintrin.h */
#include <smmintrin.h>
#include <avxintrin.h>
#include <avx2intrin.h>
#include <fmaintrin.h>
#include <f16cintrin.h>
#include <avx512fintrin.h>
#include <avx512vlintrin.h>
#include <avx512bwintrin.h>
#include <avx512vlbwintrin.h>
#include <avx512dqintrin.h>
#include <avx512vldqintrin.h>
#endif

HFM__PRIVATE void hfm__cpuid(uint32_t leaf, uint32_t sub, uint32_t regs[4]) {
#if defined(__GNUC__) || defined(__clang__)
  __cpuid_count(leaf, sub, regs[0], regs[1], regs[2], regs[3]);
#else
  int out[4];
  int i;
  __cpuidex(out, (int)leaf, (int)sub);
  for (i = 0; i < 4; i++) regs[i] = (uint32_t)out[i];
#endif
}

/* Which register files the operating system saves. */
HFM__PRIVATE uint32_t hfm__xcr0(void) {
#if defined(__GNUC__) || defined(__clang__)
  uint32_t low, high;
  __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0)); /* xgetbv, spelled for any -march */
  return low;
#else
  return (uint32_t)_xgetbv(0);
#endif
}
#endif

/* The best tier of this machine among those that this build has. */
HFM__PRIVATE int32_t hfm__isa_best(void) {
#if HFM__X86
  uint32_t r[4], most, features, ymm, zmm;
  hfm__cpuid(0, 0, r);
  most = r[0];
  if (most < 1) return HFM_ISA_SCALAR;
  hfm__cpuid(1, 0, r);
  features = r[2];
  if (!(r[3] >> 26 & 1)) return HFM_ISA_SCALAR;
  if (most < 7 || !(features >> 27 & 1)) return HFM_ISA_SSE2;
  ymm = (hfm__xcr0() & 0x06) == 0x06;
#if defined(__APPLE__)
  zmm = ymm; /* macOS enables the wide registers at their first use */
#else
  zmm = (hfm__xcr0() & 0xe6) == 0xe6;
#endif
  hfm__cpuid(7, 0, r);
  ymm = ymm && (features >> 28 & 1) && (features >> 12 & 1) && (features >> 29 & 1) && (r[1] >> 5 & 1);
  zmm = zmm && ymm && (r[1] >> 16 & 1) && (r[1] >> 17 & 1) && (r[1] >> 30 & 1) && (r[1] >> 31 & 1);
  if (zmm && HFM__WITH_AVX512) {
    const uint32_t vnni = r[2] >> 11 & 1, leaves = r[0];
    if (vnni && leaves >= 1 && HFM__WITH_AVX512_BF16) {
      hfm__cpuid(7, 1, r);
      if (r[0] >> 5 & 1) return HFM_ISA_AVX512_BF16;
    }
    return vnni ? HFM_ISA_AVX512_VNNI : HFM_ISA_AVX512;
  }
  if (ymm && HFM__WITH_AVX2) return HFM_ISA_AVX2;
  return HFM_ISA_SSE2;
#elif HFM__WITH_NEON
  return HFM_ISA_NEON;
#elif HFM__WITH_WASM
  return HFM_ISA_WASM_SIMD128;
#else
  return HFM_ISA_SCALAR;
#endif
}

HFM__PRIVATE const char *hfm__isa_name(int32_t isa) {
  switch (isa) {
    case HFM_ISA_AUTO: return "auto";
    case HFM_ISA_SCALAR: return "scalar";
    case HFM_ISA_SSE2: return "sse2";
    case HFM_ISA_AVX2: return "avx2";
    case HFM_ISA_AVX512: return "avx512";
    case HFM_ISA_AVX512_VNNI: return "avx512_vnni";
    case HFM_ISA_AVX512_BF16: return "avx512_bf16";
    case HFM_ISA_NEON: return "neon";
    case HFM_ISA_WASM_SIMD128: return "wasm_simd128";
    default: return "unknown";
  }
}
/* ==== end src/cpu/isa.c ==== */
/* ==== begin src/cpu/kernel_list.h ==== */
/* ==== cpu/kernel_list (private): what a tier's kernels are given, and the table of them =========================
   One list gives the table's fields, each tier's table, and what tests and benchmarks walk over. Kernels know plain
   memory only: no operands, no weights, no threads. */

enum { HFM__MAX_MR = 8, HFM__MAX_NR = 64 };

/* A block of rows of x times a few panels, then activation(sum + bias) + residual. Panels: [ceil(n / NR)][k][NR], with
   anything readable in the columns after n. Each output is one chain of k multiply-adds (fused where the tier has FMA)
   in the order of k, whatever rows, n or the panels' origin are. */
typedef struct hfm__gemm {
  int64_t rows, n, k;
  const float *a;        /* [rows][lda] */
  int64_t lda;
  const float *panels;
  const float *bias;     /* [n] or NULL */
  const float *residual; /* [rows][ldr] or NULL */
  int64_t ldr;
  float *out;            /* [rows][ldo] */
  int64_t ldo;
  int32_t activation;
  const void *next;      /* memory that will be read after this, to prefetch, and how much of it; or 0 bytes */
  int64_t next_bytes;
} hfm__gemm;

/* What a tile fetches for later while it computes: `bytes` for each k, from `at` on, and as much from `at + gap` on. */
typedef struct hfm__ahead {
  const char *at;
  int64_t bytes, gap;
} hfm__ahead;

/* One row of x times weight rows: a dot product each, in one order for every row. Rows 0 .. rows - 1 of `weight`, and,
   with `apart` > 0, as many from rows `apart`, 2 `apart` and 3 `apart` on: four streams of memory keep a core busier. */
typedef struct hfm__gemv {
  int64_t rows, k, apart;
  const float *x;
  const void *weight; /* [...][k] */
  int32_t dtype;      /* HFM_F32, HFM_F16 or HFM_BF16 */
  float *out;         /* as the weight's rows */
} hfm__gemv;

/* Makes the panel [k][NR] of f32 from n (<= NR) rows of weight [n][ld], or columns of [k][ld] if transposed. */
typedef struct hfm__pack {
  const void *weight;
  int32_t dtype;
  int32_t transposed;
  int64_t ld, n, k;
  float *panel;
} hfm__pack;

/* A block of query rows of one head against one tile of keys. The tile's scores become weights exp(score - maximum);
   out accumulates weights times values and is rescaled when a later tile has a larger maximum. */
typedef struct hfm__attention {
  int64_t rows, row0;     /* query rows of this block, and the index of the first among `queries` */
  int64_t queries, keys;  /* S and T: query i and key j are aligned at i + T - S = j */
  int64_t head;           /* floats in a head */
  int64_t key0, tile;     /* the tile's first key and how many */
  int32_t causal;
  int64_t window;         /* 0: no limit */
  float scale;
  const float *q;         /* [rows][ldq] */
  int64_t ldq;
  const float *k_panels;  /* [ceil(tile / NR)][head][NR] */
  const float *v_panels;  /* [ceil(head / NR)][tile][NR] */
  const float *mask;      /* [tile], 0 or -FLT_MAX; NULL: every key counts */
  int32_t eager;          /* fully masked rows are uniform over all keys (else zero); one tile only */
  float *probabilities;   /* eager: [rows][keys] or NULL */
  float *scores;          /* scratch: MR * round_up(tile, NR) */
  float *maximum, *total; /* state between tiles: [rows] each */
  float *out;             /* [rows][ldo] */
  int64_t ldo;
} hfm__attention;

#define HFM__KERNEL_LIST(X) \
  X(gemm, (const hfm__gemm *g)) \
  X(gemv, (const hfm__gemv *g)) \
  X(pack, (const hfm__pack *p)) \
  X(widen, (int32_t dtype, const void *src, float *dst, int64_t n)) \
  X(unary, (int32_t activation, const float *x, float *y, int64_t n)) \
  X(add, (const float *a, const float *b, int32_t b_is_one, float *y, int64_t n)) \
  X(mul, (const float *a, const float *b, int32_t b_is_one, float *y, int64_t n)) \
  X(layer_norm, (const float *x, const float *weight, const float *bias, float epsilon, float *y, int64_t n)) \
  X(rms_norm, (const float *x, const float *weight, float epsilon, float *y, int64_t n)) \
  X(softmax, (const float *x, float *y, int64_t n)) \
  X(rotary, (const float *x, const float *cosines, const float *sines, float *y, int64_t half)) \
  X(attention, (const hfm__attention *a))

typedef struct hfm__kernels {
  int32_t mr, nr; /* rows and columns of a GEMM tile */
#define HFM__KERNEL_FIELD(name, parameters) void (*name) parameters;
  HFM__KERNEL_LIST(HFM__KERNEL_FIELD)
#undef HFM__KERNEL_FIELD
  /* Where the tier has bf16 dot products, else NULL: gemm over units of two bf16 (k, lda and panels count units), and the
     rounding of n floats to n / 2 units. The processor may be without them all the same: hfm__cpu.dot_bf16. */
  void (*gemm_bf16)(const hfm__gemm *g);
  void (*narrow_bf16)(const float *x, void *pairs, int64_t n);
} hfm__kernels;

/* For loops over the registers of an array, which must be unrolled for it to stay in registers. */
#if defined(__GNUC__) && !defined(__INTEL_COMPILER)
#define HFM__UNROLL _Pragma("GCC unroll 16")
#else
#define HFM__UNROLL
#endif

#define HFM__JOIN_(a, b) a##b
#define HFM__JOIN(a, b) HFM__JOIN_(a, b)
#define HFM__FN(name) HFM__JOIN(hfm__##name##_, HFM__SUFFIX) /* a kernel of the tier being expanded */
/* ==== end src/cpu/kernel_list.h ==== */
/* ==== begin src/cpu/tiers.h ==== */
/* ==== cpu/tiers (private): the kernels, once per instruction-set tier ===========================================*/


#define HFM__SUFFIX scalar
#define HFM__TARGET
/* ==== begin src/cpu/vec_scalar.h ==== */
/* ==== cpu/vec_scalar (private): the vector vocabulary, one float wide ============================================
   The specification of the vocabulary: every other vec_*.h defines the same names for its registers.
     HFM__W floats in a vector; a GEMM tile is HFM__MR rows by HFM__NR = HFM__W * HFM__NV columns
     load_n reads only the first n (< W) floats and gives zeros after them; store_n writes only those
     float_fma(a, b, c): fma where a and b are values that a float can hold
     max(a, b), min(a, b) give b where a comparison with NaN decides, so clamp as max(bound, x)
     scale(x, n) = x * 2^n for integral n, to zero and to infinity where it must; scale_down for n in -126..0
     select_lt(a, b, x, y) = a < b ? x : y
     dot_bf16(x, w, c): lanes are two bf16; c + high(x) * high(w), then + low(x) * low(w); store_bf16 rounds to nearest,
     ties to even. A tier without such products leaves both out
     transpose(r): the W vectors r[0..W-1] as a square matrix, in place */

#define HFM__W 1
#define HFM__NV 4
#define HFM__MR 4
#define hfm__vf float
#define hfm__v_zero() 0.0f
#define hfm__v_set1(x) (x)
#define hfm__v_load(p) (*(p))
#define hfm__v_load_n(p, n) ((void)(p), (void)(n), 0.0f) /* there is no tail at this width */
#define hfm__v_load_f16(p) hfm__half_bits(hfm__load_u16(p))
#define hfm__v_load_bf16(p) hfm__bf16_bits(hfm__load_u16(p))
#define hfm__v_store(p, x) (void)(*(p) = (x))
#define hfm__v_store_n(p, x, n) ((void)(p), (void)(x), (void)(n))
#define hfm__v_add(a, b) ((a) + (b))
#define hfm__v_sub(a, b) ((a) - (b))
#define hfm__v_mul(a, b) ((a) * (b))
#define hfm__v_div(a, b) ((a) / (b))
#define hfm__v_fma(a, b, c) ((a) * (b) + (c))
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) hfm__v1_max(a, b)
#define hfm__v_min(a, b) hfm__v1_min(a, b)
#define hfm__v_round(x) hfm__v1_round(x)
#define hfm__v_scale(x, n) hfm__v1_scale(x, n)
#define hfm__v_scale_down(x, n) hfm__v1_scale(x, n)
#define hfm__v_select_lt(a, b, x, y) ((a) < (b) ? (x) : (y))
#define hfm__v_sum(x) (x)
#define hfm__v_hmax(x) (x)
#define hfm__v_transpose(r) (void)(r)
#define hfm__v_prefetch(p) (void)(p)
#define HFM__TARGET_BF16
#define hfm__v_dot_bf16(x, w, c) hfm__v1_dot_bf16(x, w, c)
#define hfm__v_store_bf16(p, x) hfm__store_bf16(p, x)

/* ---- 16-bit floats, one at a time: shared by all tiers for what is left over ---- */

HFM__INLINE uint16_t hfm__load_u16(const uint16_t *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
HFM__INLINE float hfm__load_f32(const float *p) {
  float v;
  memcpy(&v, p, sizeof v);
  return v;
}
HFM__INLINE float hfm__bf16_bits(uint16_t h) {
  const uint32_t bits = (uint32_t)h << 16;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}
HFM__INLINE void hfm__store_bf16(uint16_t *p, float x) {
  uint32_t bits;
  uint16_t h;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) bits |= 0x400000u; /* a NaN stays one */
  else bits += 0x7fffu + (bits >> 16 & 1u);
  h = (uint16_t)(bits >> 16);
  memcpy(p, &h, sizeof h);
}
/* Exact: the exponent is moved by a multiplication, which also makes subnormals normal. */
HFM__INLINE float hfm__half_bits(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = (uint32_t)(h & 0x7fffu);
  const uint32_t bits = sign | (rest << 13);
  const uint32_t special = bits | 0x7f800000u; /* infinity and NaN keep their payload */
  float f;
  if (rest >= 0x7c00u) {
    memcpy(&f, &special, sizeof f);
    return f;
  }
  memcpy(&f, &bits, sizeof f);
  return f * 5.192296858534828e33f; /* 2^112 */
}

HFM__INLINE float hfm__v1_dot_bf16(float x, float w, float c) {
  uint32_t a, b;
  memcpy(&a, &x, sizeof a);
  memcpy(&b, &w, sizeof b);
#if HFM__BIG_ENDIAN /* the first of two stands in the higher half */
  a = a << 16 | a >> 16;
  b = b << 16 | b >> 16;
#endif
  c += hfm__bf16_bits((uint16_t)(a >> 16)) * hfm__bf16_bits((uint16_t)(b >> 16));
  return c + hfm__bf16_bits((uint16_t)a) * hfm__bf16_bits((uint16_t)b);
}
HFM__INLINE float hfm__v1_max(float a, float b) { return a > b ? a : b; }
HFM__INLINE float hfm__v1_min(float a, float b) { return a < b ? a : b; }
/* Halves go up, which exp and its relatives don't mind. */
HFM__INLINE float hfm__v1_round(float x) { return floorf(x + 0.5f); }
/* In two steps, because 2^n alone may be out of range. n in [-200, 200]; a NaN passes through x. */
HFM__INLINE float hfm__v1_scale(float x, float n) {
  const int32_t whole = n > -200.0f ? (n < 200.0f ? (int32_t)n : 200) : -200;
  const int32_t half = whole / 2;
  const uint32_t first = (uint32_t)(half + 127) << 23, second = (uint32_t)(whole - half + 127) << 23;
  float a, b;
  memcpy(&a, &first, sizeof a);
  memcpy(&b, &second, sizeof b);
  return x * a * b;
}
/* ==== end src/cpu/vec_scalar.h ==== */
/* ==== begin src/cpu/kernels.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernels (private): every kernel, for one tier =========================================================
   Expanded once per tier: before it stand that tier's vec_*.h and the macros
     HFM__SUFFIX  ends the names of this expansion
     HFM__TARGET  the function attribute that lets the compiler use the tier's instructions
   A kernel is written once, over the vocabulary; nothing here asks which tier it is. Everything is undefined again at
   the end. */

#define HFM__NR (HFM__W * HFM__NV)

/* ==== begin src/cpu/kernel_math.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_math (private): exp, erf, tanh and the activations, a vector at a time ==========================
   NaN goes through all of them. Errors, tested over the whole range of floats: tanh, sigmoid, silu 1e-6 relative; gelu
   and its tanh forms 1e-6 relative plus 2.5e-7 of |x|, as 1 + erf cancels for negative x in torch too. */

#define HFM__SET(x) hfm__v_set1(x)

/* exp(x - n ln 2), |x - n ln 2| <= 0.35. ln 2 is in two parts, the first of few bits so that n times it is exact. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_fraction)(hfm__vf x, hfm__vf n) {
  const hfm__vf r = hfm__v_fma(n, HFM__SET(2.12194440e-4f), hfm__v_fma(n, HFM__SET(-0.693359375f), x));
  hfm__vf p = HFM__SET(1.9875691500e-4f);
  p = hfm__v_fma(p, r, HFM__SET(1.3981999507e-3f));
  p = hfm__v_fma(p, r, HFM__SET(8.3334519073e-3f));
  p = hfm__v_fma(p, r, HFM__SET(4.1665795894e-2f));
  p = hfm__v_fma(p, r, HFM__SET(1.6666665459e-1f));
  p = hfm__v_fma(p, r, HFM__SET(5.0000001201e-1f));
  return hfm__v_fma(p, hfm__v_mul(r, r), hfm__v_add(r, HFM__SET(1.0f)));
}

/* Within 1.5 units in the last place; 0 below the smallest normal float, infinity above the largest. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f);
  const hfm__vf t = hfm__v_min(HFM__SET(89.0f), hfm__v_max(low, x));
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale(HFM__FN(exp_fraction)(t, n), n));
}

/* exp(x) for x <= 0, cheaper; 0 below -87.3. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_negative)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f), t = hfm__v_max(low, x);
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale_down(HFM__FN(exp_fraction)(t, n), n));
}

/* x * P(x^2) / Q(x^2), 1 beyond 4. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(erf)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(4.0f), hfm__v_max(HFM__SET(-4.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.98571082e-06f), q = HFM__SET(3.74807675e-05f);
  p = hfm__v_fma(p, s, HFM__SET(0.000285894958f));
  q = hfm__v_fma(q, s, HFM__SET(0.00119579387f));
  p = hfm__v_fma(p, s, HFM__SET(0.00392128907f));
  q = hfm__v_fma(q, s, HFM__SET(0.015280583f));
  p = hfm__v_fma(p, s, HFM__SET(0.0532144552f));
  q = hfm__v_fma(q, s, HFM__SET(0.11569413f));
  p = hfm__v_fma(p, s, HFM__SET(0.194366624f));
  q = hfm__v_fma(q, s, HFM__SET(0.505584843f));
  p = hfm__v_fma(p, s, HFM__SET(1.12837906f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* x * P(x^2) / Q(x^2), 1 beyond 9. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(tanh)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(9.0f), hfm__v_max(HFM__SET(-9.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.32580396e-08f), q = HFM__SET(7.7348828e-07f);
  p = hfm__v_fma(p, s, HFM__SET(2.05320148e-05f));
  q = hfm__v_fma(q, s, HFM__SET(0.000327766126f));
  p = hfm__v_fma(p, s, HFM__SET(0.00349056053f));
  q = hfm__v_fma(q, s, HFM__SET(0.0258574689f));
  p = hfm__v_fma(p, s, HFM__SET(0.133766641f));
  q = hfm__v_fma(q, s, HFM__SET(0.467099692f));
  p = hfm__v_fma(p, s, HFM__SET(0.999999938f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* 1 / (1 + exp(-x)) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(sigmoid)(hfm__vf x) {
  const hfm__vf one = HFM__SET(1.0f);
  return hfm__v_div(one, hfm__v_add(one, HFM__FN(exp)(hfm__v_sub(hfm__v_zero(), x))));
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(gelu_tanh)(hfm__vf x) {
  const hfm__vf square = hfm__v_mul(x, x), half = hfm__v_mul(x, HFM__SET(0.5f));
  const hfm__vf inner = hfm__v_mul(x, hfm__v_fma(square, HFM__SET(0.035677408f), HFM__SET(0.7978845608f)));
  return hfm__v_fma(half, HFM__FN(tanh)(inner), half);
}

/* `activation` is a constant wherever this is inlined. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(activate)(const int32_t activation, hfm__vf x) {
  const hfm__vf half = hfm__v_mul(x, HFM__SET(0.5f));
  switch (activation) {
    case HFM__ACT_gelu: return hfm__v_fma(half, HFM__FN(erf)(hfm__v_mul(x, HFM__SET(0.70710678f))), half);
    case HFM__ACT_gelu_pytorch_tanh: return HFM__FN(gelu_tanh)(x);
    case HFM__ACT_quick_gelu: return hfm__v_mul(x, HFM__FN(sigmoid)(hfm__v_mul(x, HFM__SET(1.702f))));
    case HFM__ACT_relu: return hfm__v_max(hfm__v_zero(), x);
    case HFM__ACT_silu: return hfm__v_mul(x, HFM__FN(sigmoid)(x));
    case HFM__ACT_tanh: return HFM__FN(tanh)(x);
    case HFM__ACT_sigmoid: return HFM__FN(sigmoid)(x);
    default: return x;
  }
}

#undef HFM__SET
/* ==== end src/cpu/kernel_math.h ==== */
/* ==== begin src/cpu/kernel_rows.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_rows (private): kernels on one row of n floats: norms, softmax, activations, sums ===============
   Every sum has one order, fixed by n alone: lanes W apart, then the lanes, then what is left over one by one. */

HFM__TARGET HFM__INLINE void HFM__FN(unary_as)(const int32_t activation, const float *x, float *y, int64_t n) {
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, HFM__FN(activate)(activation, hfm__v_load(x + i)));
  if (i < n) hfm__v_store_n(y + i, HFM__FN(activate)(activation, hfm__v_load_n(x + i, n - i)), n - i);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(unary)(int32_t activation, const float *x, float *y, int64_t n) {
  switch (activation) {
#define HFM__UNARY_CASE(name) case HFM__ACT_##name: HFM__FN(unary_as)(HFM__ACT_##name, x, y, n); break;
    HFM__UNARY_CASE(gelu)
    case HFM__ACT_gelu_new:
    case HFM__ACT_gelu_fast: /* the same function, written down differently */
    HFM__UNARY_CASE(gelu_pytorch_tanh)
    HFM__UNARY_CASE(quick_gelu)
    HFM__UNARY_CASE(relu)
    HFM__UNARY_CASE(silu)
    HFM__UNARY_CASE(tanh)
    HFM__UNARY_CASE(sigmoid)
#undef HFM__UNARY_CASE
    default: HFM__FN(unary_as)(HFM__ACT_none, x, y, n); break;
  }
}

/* y = a + b, or a + b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(add)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* y = a * b, or a * b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(mul)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* f16 or bf16 to f32 */
HFM__TARGET HFM__PRIVATE void HFM__FN(widen)(int32_t dtype, const void *src, float *dst, int64_t n) {
  const uint16_t *from = (const uint16_t *)src;
  int64_t i = 0;
  if (dtype == HFM_BF16) {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_bf16(from + i));
    for (; i < n; i++) dst[i] = hfm__bf16_bits(hfm__load_u16(from + i));
  } else {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_f16(from + i));
    for (; i < n; i++) dst[i] = hfm__half_bits(hfm__load_u16(from + i));
  }
}

HFM__TARGET HFM__INLINE float HFM__FN(row_sum)(const float *x, int64_t n) {
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    s0 = hfm__v_add(s0, hfm__v_load(x + i));
    s1 = hfm__v_add(s1, hfm__v_load(x + i + HFM__W));
    s2 = hfm__v_add(s2, hfm__v_load(x + i + 2 * HFM__W));
    s3 = hfm__v_add(s3, hfm__v_load(x + i + 3 * HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) s0 = hfm__v_add(s0, hfm__v_load(x + i));
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += x[i];
  return sum;
}

/* Sum of (x - mean)^2 */
HFM__TARGET HFM__INLINE float HFM__FN(row_square_sum)(const float *x, float mean, int64_t n) {
  const hfm__vf m = hfm__v_set1(mean);
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0, d;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
    d = hfm__v_sub(hfm__v_load(x + i + HFM__W), m);
    s1 = hfm__v_fma(d, d, s1);
    d = hfm__v_sub(hfm__v_load(x + i + 2 * HFM__W), m);
    s2 = hfm__v_fma(d, d, s2);
    d = hfm__v_sub(hfm__v_load(x + i + 3 * HFM__W), m);
    s3 = hfm__v_fma(d, d, s3);
  }
  for (; i + HFM__W <= n; i += HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
  }
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

/* Two passes, because E[x^2] - E[x]^2 loses everything where the mean is large. weight and bias may be NULL. */
HFM__TARGET HFM__PRIVATE void HFM__FN(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon,
                                                  float *y, int64_t n) {
  const float mean = HFM__FN(row_sum)(x, n) / (float)n;
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, mean, n) / (float)n + epsilon);
  const hfm__vf m = hfm__v_set1(mean), s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) {
    hfm__vf v = hfm__v_mul(hfm__v_sub(hfm__v_load(x + i), m), s);
    if (weight) v = hfm__v_mul(v, hfm__v_load(weight + i));
    if (bias) v = hfm__v_add(v, hfm__v_load(bias + i));
    hfm__v_store(y + i, v);
  }
  for (; i < n; i++) y[i] = (x[i] - mean) * scale * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(rms_norm)(const float *x, const float *weight, float epsilon, float *y,
                                                int64_t n) {
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, 0.0f, n) / (float)n + epsilon);
  const hfm__vf s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(y + i, hfm__v_mul(hfm__v_mul(hfm__v_load(x + i), s), hfm__v_load(weight + i)));
  for (; i < n; i++) y[i] = x[i] * scale * weight[i];
}

/* The largest of n > 0 floats. */
HFM__TARGET HFM__INLINE float HFM__FN(row_max)(const float *x, int64_t n) {
  float largest = x[0];
  hfm__vf m0 = hfm__v_set1(largest), m1 = m0;
  int64_t i = 0;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    m0 = hfm__v_max(m0, hfm__v_load(x + i));
    m1 = hfm__v_max(m1, hfm__v_load(x + i + HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) m0 = hfm__v_max(m0, hfm__v_load(x + i));
  largest = hfm__v_hmax(hfm__v_max(m0, m1));
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/* y = exp(x * scale - largest) and its sum, for x * scale <= largest. */
HFM__TARGET HFM__INLINE float HFM__FN(row_exp)(const float *x, float scale, float largest, float *y, int64_t n) {
  const hfm__vf f = hfm__v_set1(scale), m = hfm__v_set1(-largest);
  hfm__vf s0 = hfm__v_zero(), s1 = s0;
  int64_t i = 0, j;
  float sum;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    const hfm__vf b = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i + HFM__W), f, m));
    hfm__v_store(y + i, a);
    hfm__v_store(y + i + HFM__W, b);
    s0 = hfm__v_add(s0, a);
    s1 = hfm__v_add(s1, b);
  }
  if (i + HFM__W <= n) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    hfm__v_store(y + i, a);
    s0 = hfm__v_add(s0, a);
    i += HFM__W;
  }
  sum = hfm__v_sum(hfm__v_add(s0, s1));
  if (i < n) {
    hfm__v_store_n(y + i, HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load_n(x + i, n - i), f, m)), n - i);
    for (j = i; j < n; j++) sum += y[j];
  }
  return sum;
}

HFM__TARGET HFM__INLINE void HFM__FN(row_scale)(float *x, float factor, int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(x + i, hfm__v_mul(hfm__v_load(x + i), f));
  for (; i < n; i++) x[i] *= factor;
}

/* In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(softmax)(const float *x, float *y, int64_t n) {
  if (n <= 0) return;
  HFM__FN(row_scale)(y, 1.0f / HFM__FN(row_exp)(x, 1.0f, HFM__FN(row_max)(x, n), y, n), n);
}

/* The two halves of a head as real and imaginary parts, turned by the angles. In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(rotary)(const float *x, const float *cosines, const float *sines, float *y,
                                              int64_t half) {
  int64_t i = 0;
  for (; i + HFM__W <= half; i += HFM__W) {
    const hfm__vf c = hfm__v_load(cosines + i), s = hfm__v_load(sines + i);
    const hfm__vf a = hfm__v_load(x + i), b = hfm__v_load(x + half + i);
    hfm__v_store(y + i, hfm__v_sub(hfm__v_mul(a, c), hfm__v_mul(b, s)));
    hfm__v_store(y + half + i, hfm__v_add(hfm__v_mul(b, c), hfm__v_mul(a, s)));
  }
  for (; i < half; i++) {
    const float a = x[i], b = x[half + i];
    y[i] = a * cosines[i] - b * sines[i];
    y[half + i] = b * cosines[i] + a * sines[i];
  }
}
/* ==== end src/cpu/kernel_rows.h ==== */
/* ==== begin src/cpu/kernel_gemm.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_gemm (private): panels and the products over them ===============================================
   A tile is up to MR rows by NR columns, its sums in registers. They are named one by one: clang spills arrays. The
   products themselves are in kernel_tile.h, once for f32 and, where a tier has it, once for pairs of bf16. */

#if HFM__NV == 2
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1)
#define HFM__WEIGHTS(M) M(0) M(1)
#elif HFM__NV == 4
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1) M(i, 2) M(i, 3)
#define HFM__WEIGHTS(M) M(0) M(1) M(2) M(3)
#endif
#if HFM__MR == 4
#define HFM__ROWS(M) M(0) M(1) M(2) M(3)
#elif HFM__MR == 6
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#elif HFM__MR == 8
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#endif

/* out = activation(sums + bias) + residual for a tile, in up to three passes over sums, which are in the first cache. */
HFM__TARGET HFM__NOINLINE void HFM__FN(finish)(const hfm__gemm *g, float *sums, int64_t row, int64_t rows,
                                               int64_t column) {
  const int64_t n = HFM__MIN(g->n - column, HFM__NR);
  int64_t r, i;
  if (g->bias)
    for (r = 0; r < rows; r++) HFM__FN(add)(sums + r * HFM__NR, g->bias + column, 0, sums + r * HFM__NR, n);
  if (g->activation) HFM__FN(unary)(g->activation, sums, sums, rows * HFM__NR);
  for (r = 0; r < rows; r++) {
    const float *from = sums + r * HFM__NR;
    float *to = g->out + (row + r) * g->ldo + column;
    if (g->residual) {
      HFM__FN(add)(from, g->residual + (row + r) * g->ldr + column, 0, to, n);
    } else {
      for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store(to + i, hfm__v_load(from + i));
      if (i < n) hfm__v_store_n(to + i, hfm__v_load(from + i), n - i);
    }
  }
}

#define HFM__TILE_TARGET HFM__TARGET
#define HFM__GEMM(name) HFM__FN(name)
#define HFM__FACTOR(p) hfm__v_set1(*(p))
#define HFM__PRODUCT(x, w, c) hfm__v_float_fma(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

#ifdef hfm__v_dot_bf16
#define HFM__TILE_TARGET HFM__TARGET_BF16
#define HFM__GEMM(name) HFM__FN(name##_bf16)
#define HFM__FACTOR(p) hfm__v_set1(hfm__load_f32(p))
#define HFM__PRODUCT(x, w, c) hfm__v_dot_bf16(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

/* Rounds n floats, an even number, to n / 2 units of two bf16. */
HFM__TARGET_BF16 HFM__PRIVATE void HFM__FN(narrow_bf16)(const float *x, void *pairs, int64_t n) {
  uint16_t *to = (uint16_t *)pairs;
  int64_t i;
  for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store_bf16(to + i, hfm__v_load(x + i));
  for (; i < n; i++) hfm__store_bf16(to + i, x[i]);
}
#endif
#undef HFM__COLUMNS
#undef HFM__WEIGHTS
#undef HFM__ROWS

/* ---- Packing ---- */

HFM__TARGET HFM__INLINE hfm__vf HFM__FN(load_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__v_load((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__v_load_bf16((const uint16_t *)p + i);
  return hfm__v_load_f16((const uint16_t *)p + i);
}

HFM__TARGET HFM__INLINE float HFM__FN(load_one_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__load_f32((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__bf16_bits(hfm__load_u16((const uint16_t *)p + i));
  return hfm__half_bits(hfm__load_u16((const uint16_t *)p + i));
}

/* Squares of W by W are turned in registers; what does not fill a square goes one by one. */
HFM__TARGET HFM__INLINE void HFM__FN(pack_rows_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k, i;
  for (n = 0; n + HFM__W <= p->n; n += HFM__W) {
    for (k = 0; k + HFM__W <= p->k; k += HFM__W) {
      hfm__vf r[HFM__W];
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) r[i] = HFM__FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(p->panel + (k + i) * HFM__NR + n, r[i]);
    }
    for (; k < p->k; k++)
      for (i = 0; i < HFM__W; i++)
        p->panel[k * HFM__NR + n + i] = HFM__FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++)
    for (k = 0; k < p->k; k++)
      p->panel[k * HFM__NR + n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
}

HFM__TARGET HFM__INLINE void HFM__FN(pack_columns_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k;
  for (k = 0; k < p->k; k++) {
    float *to = p->panel + k * HFM__NR;
    for (n = 0; n + HFM__W <= p->n; n += HFM__W)
      hfm__v_store(to + n, HFM__FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++) to[n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack)(const hfm__pack *p) {
  if (p->dtype == HFM_F32) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F32, p);
    else HFM__FN(pack_rows_as)(HFM_F32, p);
  } else if (p->dtype == HFM_BF16) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_BF16, p);
    else HFM__FN(pack_rows_as)(HFM_BF16, p);
  } else {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F16, p);
    else HFM__FN(pack_rows_as)(HFM_F16, p);
  }
}

/* ---- One row ---- */

/* Dot products of 4 weight rows `apart` from each other, or of one. Each row sums in two vectors, or in one where that
   is 16 wide, or a single element: then nothing is left over. */
HFM__TARGET HFM__INLINE void HFM__FN(dots_as)(const int32_t dtype, const int rows, const hfm__gemv *g, int64_t row) {
  const int two = HFM__W > 1 && HFM__W < 16;
  const int64_t apart = g->apart, k = g->k, step = two ? 2 * HFM__W : HFM__W, end = k / step * step;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x;
  const void *w = g->weight;
  hfm__vf a0 = hfm__v_zero(), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  float s0, s1, s2, s3;
  int64_t i;
  for (i = 0; i < end; i += step) {
    const hfm__vf p = hfm__v_load(x + i);
    a0 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w0 + i), a0);
    if (rows == 4) {
      a1 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w1 + i), a1);
      a2 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w2 + i), a2);
      a3 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w3 + i), a3);
    }
    if (two) {
      const hfm__vf q = hfm__v_load(x + i + HFM__W);
      b0 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w0 + i + HFM__W), b0);
      if (rows == 4) {
        b1 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w1 + i + HFM__W), b1);
        b2 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w2 + i + HFM__W), b2);
        b3 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w3 + i + HFM__W), b3);
      }
    }
  }
  s0 = hfm__v_sum(hfm__v_add(a0, b0));
  s1 = hfm__v_sum(hfm__v_add(a1, b1));
  s2 = hfm__v_sum(hfm__v_add(a2, b2));
  s3 = hfm__v_sum(hfm__v_add(a3, b3));
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    if (rows == 4) {
      s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
      s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
      s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
    }
  }
  g->out[row] = s0;
  if (rows == 4) {
    g->out[row + apart] = s1;
    g->out[row + 2 * apart] = s2;
    g->out[row + 3 * apart] = s3;
  }
}

HFM__TARGET HFM__INLINE void HFM__FN(gemv_as)(const int32_t dtype, const hfm__gemv *g) {
  int64_t row;
  if (g->apart > 0)
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 4, g, row);
  else
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 1, g, row);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  if (g->dtype == HFM_F32) HFM__FN(gemv_as)(HFM_F32, g);
  else if (g->dtype == HFM_BF16) HFM__FN(gemv_as)(HFM_BF16, g);
  else HFM__FN(gemv_as)(HFM_F16, g);
}
/* ==== end src/cpu/kernel_gemm.h ==== */
/* ==== begin src/cpu/kernel_attention.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_attention (private): a block of queries against a tile of keys ==================================
   Up to MR query rows at a time: their scores stay in the caches between the two products. Ranges that no row of the
   step can see are skipped, panel by panel; inside, what a row can't see gets weight 0, which changes no sum. So the
   bits of a row depend only on where the tiles begin, never on its neighbours. */

/* Keys of the tile that query row r of the block sees, causal rule and window only: [*from, *to). */
HFM__TARGET HFM__INLINE void HFM__FN(seen)(const hfm__attention *a, int64_t r, int64_t *from, int64_t *to) {
  const int64_t last = a->row0 + r + a->keys - a->queries; /* the key on the diagonal */
  int64_t low = 0, high = a->keys;
  if (a->causal) high = HFM__MIN(high, last + 1);
  if (a->window > 0) low = HFM__MAX(low, last - a->window + 1);
  low = HFM__MIN(HFM__MAX(low - a->key0, 0), a->tile);
  high = HFM__MIN(HFM__MAX(high - a->key0, 0), a->tile);
  *from = low;
  *to = HFM__MAX(low, high);
}

/* Adds the mask, if there is one, and puts -FLT_MAX where the row sees nothing in [begin, end). `scale` is what scores
   are still to be multiplied by afterwards; returns the maximum of scores times it. */
HFM__TARGET HFM__INLINE float HFM__FN(mask_row)(const hfm__attention *a, float *x, int64_t begin, int64_t end,
                                                int64_t from, int64_t to, float *scale) {
  const int later = a->scale > 1e-6f; /* with a mask as without one: a mask of ones changes no bit */
  const hfm__vf f = hfm__v_set1(later ? 1.0f : a->scale);
  int64_t j;
  *scale = later ? a->scale : 1.0f;
  if (a->mask || !later) {
    for (j = begin; j + HFM__W <= to; j += HFM__W) {
      const hfm__vf m = a->mask ? hfm__v_load(a->mask + j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m));
    }
    if (j < to) {
      const hfm__vf m = a->mask ? hfm__v_load_n(a->mask + j, to - j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m)); /* scores reach up to a whole panel */
    }
  }
  for (j = begin; j < from; j++) x[j] = -FLT_MAX;
  for (j = to; j < end; j++) x[j] = -FLT_MAX;
  return HFM__FN(row_max)(x + begin, end - begin) * *scale;
}

/* The maximum ignores NaN. A row in which it found nothing but masked keys is either masked, or NaN. */
HFM__TARGET HFM__INLINE int HFM__FN(all_masked)(const float *x, float largest, float scale, int64_t from, int64_t to) {
  int64_t j;
  if (largest >= -1e38f * scale) return 0;
  for (j = from; j < to; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0;
  }
  return 1;
}

/* eager: weights normalised at once, and uniform over all keys, causal or not, where nothing is seen. */
HFM__TARGET HFM__INLINE void HFM__FN(weigh_row_eager)(const hfm__attention *a, int64_t r, float *x, int64_t end) {
  float largest, total, scale;
  int64_t from, to, j;
  HFM__FN(seen)(a, r, &from, &to);
  largest = HFM__FN(mask_row)(a, x, 0, end, from, to, &scale);
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    total = (float)a->keys;
    for (j = 0; j < end; j++) x[j] = j < a->keys ? 1.0f : 0.0f;
  } else {
    total = HFM__FN(row_exp)(x, scale, largest, x, end);
  }
  HFM__FN(row_scale)(x, 1.0f / total, end);
  if (a->probabilities) memcpy(a->probabilities + r * a->keys, x, (size_t)a->keys * sizeof(float));
}

/* Scores to weights for one row; its running maximum and total follow. Returns what the row's sums so far are to be
   multiplied by. */
HFM__TARGET HFM__INLINE float HFM__FN(weigh_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                 int64_t end) {
  const float before = a->maximum[r];
  float largest, factor, scale = 1.0f;
  int64_t from, to;
  HFM__FN(seen)(a, r, &from, &to);
  largest = from < to ? HFM__FN(mask_row)(a, x, begin, end, from, to, &scale) : -FLT_MAX;
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    memset(x + begin, 0, (size_t)(end - begin) * sizeof(float));
    return 1.0f;
  }
  largest = before > largest ? before : largest;
  factor = hfm__v_hmax(HFM__FN(exp_negative)(hfm__v_set1(before - largest)));
  a->maximum[r] = largest;
  a->total[r] = hfm__v_hmax(hfm__v_fma(hfm__v_set1(a->total[r]), hfm__v_set1(factor),
                                       hfm__v_set1(HFM__FN(row_exp)(x + begin, scale, largest, x + begin, end - begin))));
  return factor;
}

/* out = out * factor + sums, or the sums alone for the first tile. */
HFM__TARGET HFM__INLINE void HFM__FN(gather_row)(float *out, const float *sums, float factor, int32_t first,
                                                 int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(out + i, first ? hfm__v_load(sums + i) : hfm__v_fma(hfm__v_load(out + i), f, hfm__v_load(sums + i)));
  for (; i < n; i++) out[i] = first ? sums[i] : out[i] * factor + sums[i];
}

/* Rows r0 .. r0 + rows - 1 of the block. */
HFM__TARGET HFM__INLINE void HFM__FN(attend_step)(const hfm__attention *a, int64_t r0, int64_t rows) {
  float sums[HFM__MR * HFM__NR], factor[HFM__MR];
  const int64_t lds = (a->tile + HFM__NR - 1) / HFM__NR * HFM__NR;
  int64_t begin = a->tile, end = 0, r, j, d;
  hfm__ahead ahead;
  ahead.bytes = ahead.gap = 0;
  for (r = r0; r < r0 + rows; r++) {
    int64_t from, to;
    HFM__FN(seen)(a, r, &from, &to);
    if (from >= to) continue;
    begin = HFM__MIN(begin, from);
    end = HFM__MAX(end, to);
  }
  if (a->eager) {
    begin = 0;
    end = a->tile;
  }
  if (begin >= end) return;
  begin = begin / HFM__NR * HFM__NR;
  end = (end + HFM__NR - 1) / HFM__NR * HFM__NR;
  for (j = begin; j < end; j += HFM__NR) {
    const float *panel = a->k_panels + j * a->head;
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, a->head, a->q + r0 * a->ldq, a->ldq, panel, a->scores + j, lds, &ahead);
  }
  for (r = 0; r < rows; r++) {
    if (a->eager) HFM__FN(weigh_row_eager)(a, r0 + r, a->scores + r * lds, end);
    else factor[r] = HFM__FN(weigh_row)(a, r0 + r, a->scores + r * lds, begin, end);
  }
  for (d = 0; d < a->head; d += HFM__NR) {
    const float *panel = a->v_panels + d * a->tile + begin * HFM__NR;
    const int64_t used = HFM__MIN(end, a->tile) - begin, n = HFM__MIN(HFM__NR, a->head - d);
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, used, a->scores + begin, lds, panel, sums, HFM__NR, &ahead);
    for (r = 0; r < rows; r++)
      HFM__FN(gather_row)(a->out + (r0 + r) * a->ldo + d, sums + r * HFM__NR, a->eager ? 0.0f : factor[r], a->eager, n);
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(attention)(const hfm__attention *a) {
  const int64_t steps = (a->rows + HFM__MR - 1) / HFM__MR;
  int64_t s, r, first = 0;
  if (a->key0 == 0) {
    for (r = 0; r < a->rows; r++) {
      a->maximum[r] = -FLT_MAX;
      a->total[r] = 0.0f;
      memset(a->out + r * a->ldo, 0, (size_t)a->head * sizeof(float));
    }
  }
  for (s = 0; s < steps; s++) {
    const int64_t rows = (a->rows - first + steps - s - 1) / (steps - s);
    HFM__FN(attend_step)(a, first, rows);
    first += rows;
  }
  if (a->key0 + a->tile < a->keys || a->eager) return;
  for (r = 0; r < a->rows; r++)
    if (a->total[r] != 0.0f)
      HFM__FN(row_scale)(a->out + r * a->ldo, 1.0f / a->total[r], a->head);
}
/* ==== end src/cpu/kernel_attention.h ==== */

static const hfm__kernels HFM__FN(kernels) = {
  HFM__MR, HFM__NR,
#define HFM__KERNEL_ENTRY(name, parameters) HFM__FN(name),
  HFM__KERNEL_LIST(HFM__KERNEL_ENTRY)
#undef HFM__KERNEL_ENTRY
#ifdef hfm__v_dot_bf16
  HFM__FN(gemm_bf16), HFM__FN(narrow_bf16)
#else
  NULL, NULL
#endif
};

#undef HFM__NR
#undef HFM__W
#undef HFM__NV
#undef HFM__MR
#undef HFM__SUFFIX
#undef HFM__TARGET
#undef hfm__vf
#undef hfm__v_zero
#undef hfm__v_set1
#undef hfm__v_load
#undef hfm__v_load_n
#undef hfm__v_load_f16
#undef hfm__v_load_bf16
#undef hfm__v_store
#undef hfm__v_store_n
#undef hfm__v_add
#undef hfm__v_sub
#undef hfm__v_mul
#undef hfm__v_div
#undef hfm__v_fma
#undef hfm__v_float_fma
#undef hfm__v_max
#undef hfm__v_min
#undef hfm__v_round
#undef hfm__v_scale
#undef hfm__v_scale_down
#undef hfm__v_select_lt
#undef hfm__v_sum
#undef hfm__v_hmax
#undef hfm__v_transpose
#undef hfm__v_dot_bf16
#undef hfm__v_store_bf16
#undef HFM__TARGET_BF16
#undef hfm__v_prefetch
/* ==== end src/cpu/kernels.h ==== */

#if HFM__WITH_STRICT
#define HFM__SUFFIX strict
#define HFM__TARGET
/* ==== begin src/cpu/vec_strict.h ==== */
/* ==== cpu/vec_strict (private): the vocabulary of vec_scalar.h, one double wide ==================================
   options.strict: every machine computes the same bits. A vector is one double; what is stored is rounded to float. A
   product of two floats is exact in double, so a machine that fuses it with the sum gets the same sum; other products
   are kept apart from sums by hfm__exact. */

#define HFM__W 1
#define HFM__NV 4
#define HFM__MR 4
#define hfm__vf double
#define hfm__v_zero() 0.0
#define hfm__v_set1(x) ((double)(x))
#define hfm__v_load(p) ((double)*(p))
#define hfm__v_load_n(p, n) ((void)(p), (void)(n), 0.0) /* there is no tail at this width */
#define hfm__v_load_f16(p) ((double)hfm__half_bits(hfm__load_u16(p)))
#define hfm__v_load_bf16(p) ((double)hfm__bf16_bits(hfm__load_u16(p)))
#define hfm__v_store(p, x) (void)(*(p) = (float)(x))
#define hfm__v_store_n(p, x, n) ((void)(p), (void)(x), (void)(n))
#define hfm__v_add(a, b) ((a) + (b))
#define hfm__v_sub(a, b) ((a) - (b))
#define hfm__v_mul(a, b) hfm__exact((a) * (b))
#define hfm__v_div(a, b) ((a) / (b))
#define hfm__v_fma(a, b, c) hfm__exact_madd(a, b, c)
#define hfm__v_float_fma(a, b, c) ((a) * (b) + (c))
#define hfm__v_max(a, b) hfm__vd_max(a, b)
#define hfm__v_min(a, b) hfm__vd_min(a, b)
#define hfm__v_round(x) floor((x) + 0.5)
#define hfm__v_scale(x, n) hfm__vd_scale(x, n)
#define hfm__v_scale_down(x, n) hfm__vd_scale(x, n)
#define hfm__v_select_lt(a, b, x, y) ((a) < (b) ? (x) : (y))
#define hfm__v_sum(x) ((float)(x))
#define hfm__v_hmax(x) ((float)(x))
#define hfm__v_transpose(r) (void)(r)
#define hfm__v_prefetch(p) (void)(p)

HFM__INLINE double hfm__vd_max(double a, double b) { return a > b ? a : b; }
HFM__INLINE double hfm__vd_min(double a, double b) { return a < b ? a : b; }
HFM__INLINE double hfm__vd_scale(double x, double n) {
  return x * hfm__power_of_two(n > -200 ? (n < 200 ? (int64_t)n : 200) : -200);
}
/* ==== end src/cpu/vec_strict.h ==== */
/* ==== begin src/cpu/kernels.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernels (private): every kernel, for one tier =========================================================
   Expanded once per tier: before it stand that tier's vec_*.h and the macros
     HFM__SUFFIX  ends the names of this expansion
     HFM__TARGET  the function attribute that lets the compiler use the tier's instructions
   A kernel is written once, over the vocabulary; nothing here asks which tier it is. Everything is undefined again at
   the end. */

#define HFM__NR (HFM__W * HFM__NV)

/* ==== begin src/cpu/kernel_math.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_math (private): exp, erf, tanh and the activations, a vector at a time ==========================
   NaN goes through all of them. Errors, tested over the whole range of floats: tanh, sigmoid, silu 1e-6 relative; gelu
   and its tanh forms 1e-6 relative plus 2.5e-7 of |x|, as 1 + erf cancels for negative x in torch too. */

#define HFM__SET(x) hfm__v_set1(x)

/* exp(x - n ln 2), |x - n ln 2| <= 0.35. ln 2 is in two parts, the first of few bits so that n times it is exact. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_fraction)(hfm__vf x, hfm__vf n) {
  const hfm__vf r = hfm__v_fma(n, HFM__SET(2.12194440e-4f), hfm__v_fma(n, HFM__SET(-0.693359375f), x));
  hfm__vf p = HFM__SET(1.9875691500e-4f);
  p = hfm__v_fma(p, r, HFM__SET(1.3981999507e-3f));
  p = hfm__v_fma(p, r, HFM__SET(8.3334519073e-3f));
  p = hfm__v_fma(p, r, HFM__SET(4.1665795894e-2f));
  p = hfm__v_fma(p, r, HFM__SET(1.6666665459e-1f));
  p = hfm__v_fma(p, r, HFM__SET(5.0000001201e-1f));
  return hfm__v_fma(p, hfm__v_mul(r, r), hfm__v_add(r, HFM__SET(1.0f)));
}

/* Within 1.5 units in the last place; 0 below the smallest normal float, infinity above the largest. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f);
  const hfm__vf t = hfm__v_min(HFM__SET(89.0f), hfm__v_max(low, x));
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale(HFM__FN(exp_fraction)(t, n), n));
}

/* exp(x) for x <= 0, cheaper; 0 below -87.3. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_negative)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f), t = hfm__v_max(low, x);
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale_down(HFM__FN(exp_fraction)(t, n), n));
}

/* x * P(x^2) / Q(x^2), 1 beyond 4. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(erf)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(4.0f), hfm__v_max(HFM__SET(-4.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.98571082e-06f), q = HFM__SET(3.74807675e-05f);
  p = hfm__v_fma(p, s, HFM__SET(0.000285894958f));
  q = hfm__v_fma(q, s, HFM__SET(0.00119579387f));
  p = hfm__v_fma(p, s, HFM__SET(0.00392128907f));
  q = hfm__v_fma(q, s, HFM__SET(0.015280583f));
  p = hfm__v_fma(p, s, HFM__SET(0.0532144552f));
  q = hfm__v_fma(q, s, HFM__SET(0.11569413f));
  p = hfm__v_fma(p, s, HFM__SET(0.194366624f));
  q = hfm__v_fma(q, s, HFM__SET(0.505584843f));
  p = hfm__v_fma(p, s, HFM__SET(1.12837906f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* x * P(x^2) / Q(x^2), 1 beyond 9. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(tanh)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(9.0f), hfm__v_max(HFM__SET(-9.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.32580396e-08f), q = HFM__SET(7.7348828e-07f);
  p = hfm__v_fma(p, s, HFM__SET(2.05320148e-05f));
  q = hfm__v_fma(q, s, HFM__SET(0.000327766126f));
  p = hfm__v_fma(p, s, HFM__SET(0.00349056053f));
  q = hfm__v_fma(q, s, HFM__SET(0.0258574689f));
  p = hfm__v_fma(p, s, HFM__SET(0.133766641f));
  q = hfm__v_fma(q, s, HFM__SET(0.467099692f));
  p = hfm__v_fma(p, s, HFM__SET(0.999999938f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* 1 / (1 + exp(-x)) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(sigmoid)(hfm__vf x) {
  const hfm__vf one = HFM__SET(1.0f);
  return hfm__v_div(one, hfm__v_add(one, HFM__FN(exp)(hfm__v_sub(hfm__v_zero(), x))));
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(gelu_tanh)(hfm__vf x) {
  const hfm__vf square = hfm__v_mul(x, x), half = hfm__v_mul(x, HFM__SET(0.5f));
  const hfm__vf inner = hfm__v_mul(x, hfm__v_fma(square, HFM__SET(0.035677408f), HFM__SET(0.7978845608f)));
  return hfm__v_fma(half, HFM__FN(tanh)(inner), half);
}

/* `activation` is a constant wherever this is inlined. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(activate)(const int32_t activation, hfm__vf x) {
  const hfm__vf half = hfm__v_mul(x, HFM__SET(0.5f));
  switch (activation) {
    case HFM__ACT_gelu: return hfm__v_fma(half, HFM__FN(erf)(hfm__v_mul(x, HFM__SET(0.70710678f))), half);
    case HFM__ACT_gelu_pytorch_tanh: return HFM__FN(gelu_tanh)(x);
    case HFM__ACT_quick_gelu: return hfm__v_mul(x, HFM__FN(sigmoid)(hfm__v_mul(x, HFM__SET(1.702f))));
    case HFM__ACT_relu: return hfm__v_max(hfm__v_zero(), x);
    case HFM__ACT_silu: return hfm__v_mul(x, HFM__FN(sigmoid)(x));
    case HFM__ACT_tanh: return HFM__FN(tanh)(x);
    case HFM__ACT_sigmoid: return HFM__FN(sigmoid)(x);
    default: return x;
  }
}

#undef HFM__SET
/* ==== end src/cpu/kernel_math.h ==== */
/* ==== begin src/cpu/kernel_rows.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_rows (private): kernels on one row of n floats: norms, softmax, activations, sums ===============
   Every sum has one order, fixed by n alone: lanes W apart, then the lanes, then what is left over one by one. */

HFM__TARGET HFM__INLINE void HFM__FN(unary_as)(const int32_t activation, const float *x, float *y, int64_t n) {
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, HFM__FN(activate)(activation, hfm__v_load(x + i)));
  if (i < n) hfm__v_store_n(y + i, HFM__FN(activate)(activation, hfm__v_load_n(x + i, n - i)), n - i);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(unary)(int32_t activation, const float *x, float *y, int64_t n) {
  switch (activation) {
#define HFM__UNARY_CASE(name) case HFM__ACT_##name: HFM__FN(unary_as)(HFM__ACT_##name, x, y, n); break;
    HFM__UNARY_CASE(gelu)
    case HFM__ACT_gelu_new:
    case HFM__ACT_gelu_fast: /* the same function, written down differently */
    HFM__UNARY_CASE(gelu_pytorch_tanh)
    HFM__UNARY_CASE(quick_gelu)
    HFM__UNARY_CASE(relu)
    HFM__UNARY_CASE(silu)
    HFM__UNARY_CASE(tanh)
    HFM__UNARY_CASE(sigmoid)
#undef HFM__UNARY_CASE
    default: HFM__FN(unary_as)(HFM__ACT_none, x, y, n); break;
  }
}

/* y = a + b, or a + b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(add)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* y = a * b, or a * b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(mul)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* f16 or bf16 to f32 */
HFM__TARGET HFM__PRIVATE void HFM__FN(widen)(int32_t dtype, const void *src, float *dst, int64_t n) {
  const uint16_t *from = (const uint16_t *)src;
  int64_t i = 0;
  if (dtype == HFM_BF16) {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_bf16(from + i));
    for (; i < n; i++) dst[i] = hfm__bf16_bits(hfm__load_u16(from + i));
  } else {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_f16(from + i));
    for (; i < n; i++) dst[i] = hfm__half_bits(hfm__load_u16(from + i));
  }
}

HFM__TARGET HFM__INLINE float HFM__FN(row_sum)(const float *x, int64_t n) {
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    s0 = hfm__v_add(s0, hfm__v_load(x + i));
    s1 = hfm__v_add(s1, hfm__v_load(x + i + HFM__W));
    s2 = hfm__v_add(s2, hfm__v_load(x + i + 2 * HFM__W));
    s3 = hfm__v_add(s3, hfm__v_load(x + i + 3 * HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) s0 = hfm__v_add(s0, hfm__v_load(x + i));
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += x[i];
  return sum;
}

/* Sum of (x - mean)^2 */
HFM__TARGET HFM__INLINE float HFM__FN(row_square_sum)(const float *x, float mean, int64_t n) {
  const hfm__vf m = hfm__v_set1(mean);
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0, d;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
    d = hfm__v_sub(hfm__v_load(x + i + HFM__W), m);
    s1 = hfm__v_fma(d, d, s1);
    d = hfm__v_sub(hfm__v_load(x + i + 2 * HFM__W), m);
    s2 = hfm__v_fma(d, d, s2);
    d = hfm__v_sub(hfm__v_load(x + i + 3 * HFM__W), m);
    s3 = hfm__v_fma(d, d, s3);
  }
  for (; i + HFM__W <= n; i += HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
  }
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

/* Two passes, because E[x^2] - E[x]^2 loses everything where the mean is large. weight and bias may be NULL. */
HFM__TARGET HFM__PRIVATE void HFM__FN(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon,
                                                  float *y, int64_t n) {
  const float mean = HFM__FN(row_sum)(x, n) / (float)n;
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, mean, n) / (float)n + epsilon);
  const hfm__vf m = hfm__v_set1(mean), s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) {
    hfm__vf v = hfm__v_mul(hfm__v_sub(hfm__v_load(x + i), m), s);
    if (weight) v = hfm__v_mul(v, hfm__v_load(weight + i));
    if (bias) v = hfm__v_add(v, hfm__v_load(bias + i));
    hfm__v_store(y + i, v);
  }
  for (; i < n; i++) y[i] = (x[i] - mean) * scale * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(rms_norm)(const float *x, const float *weight, float epsilon, float *y,
                                                int64_t n) {
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, 0.0f, n) / (float)n + epsilon);
  const hfm__vf s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(y + i, hfm__v_mul(hfm__v_mul(hfm__v_load(x + i), s), hfm__v_load(weight + i)));
  for (; i < n; i++) y[i] = x[i] * scale * weight[i];
}

/* The largest of n > 0 floats. */
HFM__TARGET HFM__INLINE float HFM__FN(row_max)(const float *x, int64_t n) {
  float largest = x[0];
  hfm__vf m0 = hfm__v_set1(largest), m1 = m0;
  int64_t i = 0;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    m0 = hfm__v_max(m0, hfm__v_load(x + i));
    m1 = hfm__v_max(m1, hfm__v_load(x + i + HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) m0 = hfm__v_max(m0, hfm__v_load(x + i));
  largest = hfm__v_hmax(hfm__v_max(m0, m1));
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/* y = exp(x * scale - largest) and its sum, for x * scale <= largest. */
HFM__TARGET HFM__INLINE float HFM__FN(row_exp)(const float *x, float scale, float largest, float *y, int64_t n) {
  const hfm__vf f = hfm__v_set1(scale), m = hfm__v_set1(-largest);
  hfm__vf s0 = hfm__v_zero(), s1 = s0;
  int64_t i = 0, j;
  float sum;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    const hfm__vf b = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i + HFM__W), f, m));
    hfm__v_store(y + i, a);
    hfm__v_store(y + i + HFM__W, b);
    s0 = hfm__v_add(s0, a);
    s1 = hfm__v_add(s1, b);
  }
  if (i + HFM__W <= n) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    hfm__v_store(y + i, a);
    s0 = hfm__v_add(s0, a);
    i += HFM__W;
  }
  sum = hfm__v_sum(hfm__v_add(s0, s1));
  if (i < n) {
    hfm__v_store_n(y + i, HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load_n(x + i, n - i), f, m)), n - i);
    for (j = i; j < n; j++) sum += y[j];
  }
  return sum;
}

HFM__TARGET HFM__INLINE void HFM__FN(row_scale)(float *x, float factor, int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(x + i, hfm__v_mul(hfm__v_load(x + i), f));
  for (; i < n; i++) x[i] *= factor;
}

/* In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(softmax)(const float *x, float *y, int64_t n) {
  if (n <= 0) return;
  HFM__FN(row_scale)(y, 1.0f / HFM__FN(row_exp)(x, 1.0f, HFM__FN(row_max)(x, n), y, n), n);
}

/* The two halves of a head as real and imaginary parts, turned by the angles. In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(rotary)(const float *x, const float *cosines, const float *sines, float *y,
                                              int64_t half) {
  int64_t i = 0;
  for (; i + HFM__W <= half; i += HFM__W) {
    const hfm__vf c = hfm__v_load(cosines + i), s = hfm__v_load(sines + i);
    const hfm__vf a = hfm__v_load(x + i), b = hfm__v_load(x + half + i);
    hfm__v_store(y + i, hfm__v_sub(hfm__v_mul(a, c), hfm__v_mul(b, s)));
    hfm__v_store(y + half + i, hfm__v_add(hfm__v_mul(b, c), hfm__v_mul(a, s)));
  }
  for (; i < half; i++) {
    const float a = x[i], b = x[half + i];
    y[i] = a * cosines[i] - b * sines[i];
    y[half + i] = b * cosines[i] + a * sines[i];
  }
}
/* ==== end src/cpu/kernel_rows.h ==== */
/* ==== begin src/cpu/kernel_gemm.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_gemm (private): panels and the products over them ===============================================
   A tile is up to MR rows by NR columns, its sums in registers. They are named one by one: clang spills arrays. The
   products themselves are in kernel_tile.h, once for f32 and, where a tier has it, once for pairs of bf16. */

#if HFM__NV == 2
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1)
#define HFM__WEIGHTS(M) M(0) M(1)
#elif HFM__NV == 4
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1) M(i, 2) M(i, 3)
#define HFM__WEIGHTS(M) M(0) M(1) M(2) M(3)
#endif
#if HFM__MR == 4
#define HFM__ROWS(M) M(0) M(1) M(2) M(3)
#elif HFM__MR == 6
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#elif HFM__MR == 8
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#endif

/* out = activation(sums + bias) + residual for a tile, in up to three passes over sums, which are in the first cache. */
HFM__TARGET HFM__NOINLINE void HFM__FN(finish)(const hfm__gemm *g, float *sums, int64_t row, int64_t rows,
                                               int64_t column) {
  const int64_t n = HFM__MIN(g->n - column, HFM__NR);
  int64_t r, i;
  if (g->bias)
    for (r = 0; r < rows; r++) HFM__FN(add)(sums + r * HFM__NR, g->bias + column, 0, sums + r * HFM__NR, n);
  if (g->activation) HFM__FN(unary)(g->activation, sums, sums, rows * HFM__NR);
  for (r = 0; r < rows; r++) {
    const float *from = sums + r * HFM__NR;
    float *to = g->out + (row + r) * g->ldo + column;
    if (g->residual) {
      HFM__FN(add)(from, g->residual + (row + r) * g->ldr + column, 0, to, n);
    } else {
      for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store(to + i, hfm__v_load(from + i));
      if (i < n) hfm__v_store_n(to + i, hfm__v_load(from + i), n - i);
    }
  }
}

#define HFM__TILE_TARGET HFM__TARGET
#define HFM__GEMM(name) HFM__FN(name)
#define HFM__FACTOR(p) hfm__v_set1(*(p))
#define HFM__PRODUCT(x, w, c) hfm__v_float_fma(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

#ifdef hfm__v_dot_bf16
#define HFM__TILE_TARGET HFM__TARGET_BF16
#define HFM__GEMM(name) HFM__FN(name##_bf16)
#define HFM__FACTOR(p) hfm__v_set1(hfm__load_f32(p))
#define HFM__PRODUCT(x, w, c) hfm__v_dot_bf16(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

/* Rounds n floats, an even number, to n / 2 units of two bf16. */
HFM__TARGET_BF16 HFM__PRIVATE void HFM__FN(narrow_bf16)(const float *x, void *pairs, int64_t n) {
  uint16_t *to = (uint16_t *)pairs;
  int64_t i;
  for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store_bf16(to + i, hfm__v_load(x + i));
  for (; i < n; i++) hfm__store_bf16(to + i, x[i]);
}
#endif
#undef HFM__COLUMNS
#undef HFM__WEIGHTS
#undef HFM__ROWS

/* ---- Packing ---- */

HFM__TARGET HFM__INLINE hfm__vf HFM__FN(load_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__v_load((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__v_load_bf16((const uint16_t *)p + i);
  return hfm__v_load_f16((const uint16_t *)p + i);
}

HFM__TARGET HFM__INLINE float HFM__FN(load_one_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__load_f32((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__bf16_bits(hfm__load_u16((const uint16_t *)p + i));
  return hfm__half_bits(hfm__load_u16((const uint16_t *)p + i));
}

/* Squares of W by W are turned in registers; what does not fill a square goes one by one. */
HFM__TARGET HFM__INLINE void HFM__FN(pack_rows_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k, i;
  for (n = 0; n + HFM__W <= p->n; n += HFM__W) {
    for (k = 0; k + HFM__W <= p->k; k += HFM__W) {
      hfm__vf r[HFM__W];
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) r[i] = HFM__FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(p->panel + (k + i) * HFM__NR + n, r[i]);
    }
    for (; k < p->k; k++)
      for (i = 0; i < HFM__W; i++)
        p->panel[k * HFM__NR + n + i] = HFM__FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++)
    for (k = 0; k < p->k; k++)
      p->panel[k * HFM__NR + n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
}

HFM__TARGET HFM__INLINE void HFM__FN(pack_columns_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k;
  for (k = 0; k < p->k; k++) {
    float *to = p->panel + k * HFM__NR;
    for (n = 0; n + HFM__W <= p->n; n += HFM__W)
      hfm__v_store(to + n, HFM__FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++) to[n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack)(const hfm__pack *p) {
  if (p->dtype == HFM_F32) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F32, p);
    else HFM__FN(pack_rows_as)(HFM_F32, p);
  } else if (p->dtype == HFM_BF16) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_BF16, p);
    else HFM__FN(pack_rows_as)(HFM_BF16, p);
  } else {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F16, p);
    else HFM__FN(pack_rows_as)(HFM_F16, p);
  }
}

/* ---- One row ---- */

/* Dot products of 4 weight rows `apart` from each other, or of one. Each row sums in two vectors, or in one where that
   is 16 wide, or a single element: then nothing is left over. */
HFM__TARGET HFM__INLINE void HFM__FN(dots_as)(const int32_t dtype, const int rows, const hfm__gemv *g, int64_t row) {
  const int two = HFM__W > 1 && HFM__W < 16;
  const int64_t apart = g->apart, k = g->k, step = two ? 2 * HFM__W : HFM__W, end = k / step * step;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x;
  const void *w = g->weight;
  hfm__vf a0 = hfm__v_zero(), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  float s0, s1, s2, s3;
  int64_t i;
  for (i = 0; i < end; i += step) {
    const hfm__vf p = hfm__v_load(x + i);
    a0 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w0 + i), a0);
    if (rows == 4) {
      a1 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w1 + i), a1);
      a2 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w2 + i), a2);
      a3 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w3 + i), a3);
    }
    if (two) {
      const hfm__vf q = hfm__v_load(x + i + HFM__W);
      b0 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w0 + i + HFM__W), b0);
      if (rows == 4) {
        b1 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w1 + i + HFM__W), b1);
        b2 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w2 + i + HFM__W), b2);
        b3 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w3 + i + HFM__W), b3);
      }
    }
  }
  s0 = hfm__v_sum(hfm__v_add(a0, b0));
  s1 = hfm__v_sum(hfm__v_add(a1, b1));
  s2 = hfm__v_sum(hfm__v_add(a2, b2));
  s3 = hfm__v_sum(hfm__v_add(a3, b3));
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    if (rows == 4) {
      s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
      s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
      s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
    }
  }
  g->out[row] = s0;
  if (rows == 4) {
    g->out[row + apart] = s1;
    g->out[row + 2 * apart] = s2;
    g->out[row + 3 * apart] = s3;
  }
}

HFM__TARGET HFM__INLINE void HFM__FN(gemv_as)(const int32_t dtype, const hfm__gemv *g) {
  int64_t row;
  if (g->apart > 0)
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 4, g, row);
  else
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 1, g, row);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  if (g->dtype == HFM_F32) HFM__FN(gemv_as)(HFM_F32, g);
  else if (g->dtype == HFM_BF16) HFM__FN(gemv_as)(HFM_BF16, g);
  else HFM__FN(gemv_as)(HFM_F16, g);
}
/* ==== end src/cpu/kernel_gemm.h ==== */
/* ==== begin src/cpu/kernel_attention.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_attention (private): a block of queries against a tile of keys ==================================
   Up to MR query rows at a time: their scores stay in the caches between the two products. Ranges that no row of the
   step can see are skipped, panel by panel; inside, what a row can't see gets weight 0, which changes no sum. So the
   bits of a row depend only on where the tiles begin, never on its neighbours. */

/* Keys of the tile that query row r of the block sees, causal rule and window only: [*from, *to). */
HFM__TARGET HFM__INLINE void HFM__FN(seen)(const hfm__attention *a, int64_t r, int64_t *from, int64_t *to) {
  const int64_t last = a->row0 + r + a->keys - a->queries; /* the key on the diagonal */
  int64_t low = 0, high = a->keys;
  if (a->causal) high = HFM__MIN(high, last + 1);
  if (a->window > 0) low = HFM__MAX(low, last - a->window + 1);
  low = HFM__MIN(HFM__MAX(low - a->key0, 0), a->tile);
  high = HFM__MIN(HFM__MAX(high - a->key0, 0), a->tile);
  *from = low;
  *to = HFM__MAX(low, high);
}

/* Adds the mask, if there is one, and puts -FLT_MAX where the row sees nothing in [begin, end). `scale` is what scores
   are still to be multiplied by afterwards; returns the maximum of scores times it. */
HFM__TARGET HFM__INLINE float HFM__FN(mask_row)(const hfm__attention *a, float *x, int64_t begin, int64_t end,
                                                int64_t from, int64_t to, float *scale) {
  const int later = a->scale > 1e-6f; /* with a mask as without one: a mask of ones changes no bit */
  const hfm__vf f = hfm__v_set1(later ? 1.0f : a->scale);
  int64_t j;
  *scale = later ? a->scale : 1.0f;
  if (a->mask || !later) {
    for (j = begin; j + HFM__W <= to; j += HFM__W) {
      const hfm__vf m = a->mask ? hfm__v_load(a->mask + j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m));
    }
    if (j < to) {
      const hfm__vf m = a->mask ? hfm__v_load_n(a->mask + j, to - j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m)); /* scores reach up to a whole panel */
    }
  }
  for (j = begin; j < from; j++) x[j] = -FLT_MAX;
  for (j = to; j < end; j++) x[j] = -FLT_MAX;
  return HFM__FN(row_max)(x + begin, end - begin) * *scale;
}

/* The maximum ignores NaN. A row in which it found nothing but masked keys is either masked, or NaN. */
HFM__TARGET HFM__INLINE int HFM__FN(all_masked)(const float *x, float largest, float scale, int64_t from, int64_t to) {
  int64_t j;
  if (largest >= -1e38f * scale) return 0;
  for (j = from; j < to; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0;
  }
  return 1;
}

/* eager: weights normalised at once, and uniform over all keys, causal or not, where nothing is seen. */
HFM__TARGET HFM__INLINE void HFM__FN(weigh_row_eager)(const hfm__attention *a, int64_t r, float *x, int64_t end) {
  float largest, total, scale;
  int64_t from, to, j;
  HFM__FN(seen)(a, r, &from, &to);
  largest = HFM__FN(mask_row)(a, x, 0, end, from, to, &scale);
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    total = (float)a->keys;
    for (j = 0; j < end; j++) x[j] = j < a->keys ? 1.0f : 0.0f;
  } else {
    total = HFM__FN(row_exp)(x, scale, largest, x, end);
  }
  HFM__FN(row_scale)(x, 1.0f / total, end);
  if (a->probabilities) memcpy(a->probabilities + r * a->keys, x, (size_t)a->keys * sizeof(float));
}

/* Scores to weights for one row; its running maximum and total follow. Returns what the row's sums so far are to be
   multiplied by. */
HFM__TARGET HFM__INLINE float HFM__FN(weigh_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                 int64_t end) {
  const float before = a->maximum[r];
  float largest, factor, scale = 1.0f;
  int64_t from, to;
  HFM__FN(seen)(a, r, &from, &to);
  largest = from < to ? HFM__FN(mask_row)(a, x, begin, end, from, to, &scale) : -FLT_MAX;
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    memset(x + begin, 0, (size_t)(end - begin) * sizeof(float));
    return 1.0f;
  }
  largest = before > largest ? before : largest;
  factor = hfm__v_hmax(HFM__FN(exp_negative)(hfm__v_set1(before - largest)));
  a->maximum[r] = largest;
  a->total[r] = hfm__v_hmax(hfm__v_fma(hfm__v_set1(a->total[r]), hfm__v_set1(factor),
                                       hfm__v_set1(HFM__FN(row_exp)(x + begin, scale, largest, x + begin, end - begin))));
  return factor;
}

/* out = out * factor + sums, or the sums alone for the first tile. */
HFM__TARGET HFM__INLINE void HFM__FN(gather_row)(float *out, const float *sums, float factor, int32_t first,
                                                 int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(out + i, first ? hfm__v_load(sums + i) : hfm__v_fma(hfm__v_load(out + i), f, hfm__v_load(sums + i)));
  for (; i < n; i++) out[i] = first ? sums[i] : out[i] * factor + sums[i];
}

/* Rows r0 .. r0 + rows - 1 of the block. */
HFM__TARGET HFM__INLINE void HFM__FN(attend_step)(const hfm__attention *a, int64_t r0, int64_t rows) {
  float sums[HFM__MR * HFM__NR], factor[HFM__MR];
  const int64_t lds = (a->tile + HFM__NR - 1) / HFM__NR * HFM__NR;
  int64_t begin = a->tile, end = 0, r, j, d;
  hfm__ahead ahead;
  ahead.bytes = ahead.gap = 0;
  for (r = r0; r < r0 + rows; r++) {
    int64_t from, to;
    HFM__FN(seen)(a, r, &from, &to);
    if (from >= to) continue;
    begin = HFM__MIN(begin, from);
    end = HFM__MAX(end, to);
  }
  if (a->eager) {
    begin = 0;
    end = a->tile;
  }
  if (begin >= end) return;
  begin = begin / HFM__NR * HFM__NR;
  end = (end + HFM__NR - 1) / HFM__NR * HFM__NR;
  for (j = begin; j < end; j += HFM__NR) {
    const float *panel = a->k_panels + j * a->head;
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, a->head, a->q + r0 * a->ldq, a->ldq, panel, a->scores + j, lds, &ahead);
  }
  for (r = 0; r < rows; r++) {
    if (a->eager) HFM__FN(weigh_row_eager)(a, r0 + r, a->scores + r * lds, end);
    else factor[r] = HFM__FN(weigh_row)(a, r0 + r, a->scores + r * lds, begin, end);
  }
  for (d = 0; d < a->head; d += HFM__NR) {
    const float *panel = a->v_panels + d * a->tile + begin * HFM__NR;
    const int64_t used = HFM__MIN(end, a->tile) - begin, n = HFM__MIN(HFM__NR, a->head - d);
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, used, a->scores + begin, lds, panel, sums, HFM__NR, &ahead);
    for (r = 0; r < rows; r++)
      HFM__FN(gather_row)(a->out + (r0 + r) * a->ldo + d, sums + r * HFM__NR, a->eager ? 0.0f : factor[r], a->eager, n);
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(attention)(const hfm__attention *a) {
  const int64_t steps = (a->rows + HFM__MR - 1) / HFM__MR;
  int64_t s, r, first = 0;
  if (a->key0 == 0) {
    for (r = 0; r < a->rows; r++) {
      a->maximum[r] = -FLT_MAX;
      a->total[r] = 0.0f;
      memset(a->out + r * a->ldo, 0, (size_t)a->head * sizeof(float));
    }
  }
  for (s = 0; s < steps; s++) {
    const int64_t rows = (a->rows - first + steps - s - 1) / (steps - s);
    HFM__FN(attend_step)(a, first, rows);
    first += rows;
  }
  if (a->key0 + a->tile < a->keys || a->eager) return;
  for (r = 0; r < a->rows; r++)
    if (a->total[r] != 0.0f)
      HFM__FN(row_scale)(a->out + r * a->ldo, 1.0f / a->total[r], a->head);
}
/* ==== end src/cpu/kernel_attention.h ==== */

static const hfm__kernels HFM__FN(kernels) = {
  HFM__MR, HFM__NR,
#define HFM__KERNEL_ENTRY(name, parameters) HFM__FN(name),
  HFM__KERNEL_LIST(HFM__KERNEL_ENTRY)
#undef HFM__KERNEL_ENTRY
#ifdef hfm__v_dot_bf16
  HFM__FN(gemm_bf16), HFM__FN(narrow_bf16)
#else
  NULL, NULL
#endif
};

#undef HFM__NR
#undef HFM__W
#undef HFM__NV
#undef HFM__MR
#undef HFM__SUFFIX
#undef HFM__TARGET
#undef hfm__vf
#undef hfm__v_zero
#undef hfm__v_set1
#undef hfm__v_load
#undef hfm__v_load_n
#undef hfm__v_load_f16
#undef hfm__v_load_bf16
#undef hfm__v_store
#undef hfm__v_store_n
#undef hfm__v_add
#undef hfm__v_sub
#undef hfm__v_mul
#undef hfm__v_div
#undef hfm__v_fma
#undef hfm__v_float_fma
#undef hfm__v_max
#undef hfm__v_min
#undef hfm__v_round
#undef hfm__v_scale
#undef hfm__v_scale_down
#undef hfm__v_select_lt
#undef hfm__v_sum
#undef hfm__v_hmax
#undef hfm__v_transpose
#undef hfm__v_dot_bf16
#undef hfm__v_store_bf16
#undef HFM__TARGET_BF16
#undef hfm__v_prefetch
/* ==== end src/cpu/kernels.h ==== */
#endif

#if HFM__X86
#define HFM__SUFFIX sse2
#define HFM__TARGET HFM__ATTRIBUTE_TARGET("sse2")
/* ==== begin src/cpu/vec_sse2.h ==== */
/* ==== cpu/vec_sse2 (private): the vocabulary of vec_scalar.h on SSE2 ============================================ */

#define HFM__W 4
#define HFM__NV 2
#define HFM__MR 4
#define hfm__vf __m128
#define hfm__v_zero() _mm_setzero_ps()
#define hfm__v_set1(x) _mm_set1_ps(x)
#define hfm__v_load(p) _mm_loadu_ps(p)
#define hfm__v_load_n(p, n) hfm__v4_load_n(p, n)
#define hfm__v_load_f16(p) hfm__v4_load_f16(p)
#define hfm__v_load_bf16(p) hfm__v4_load_bf16(p)
#define hfm__v_store(p, x) _mm_storeu_ps(p, x)
#define hfm__v_store_n(p, x, n) hfm__v4_store_n(p, x, n)
#define hfm__v_add(a, b) _mm_add_ps(a, b)
#define hfm__v_sub(a, b) _mm_sub_ps(a, b)
#define hfm__v_mul(a, b) _mm_mul_ps(a, b)
#define hfm__v_div(a, b) _mm_div_ps(a, b)
#define hfm__v_fma(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) _mm_max_ps(a, b)
#define hfm__v_min(a, b) _mm_min_ps(a, b)
#define hfm__v_round(x) _mm_cvtepi32_ps(_mm_cvtps_epi32(x))
#define hfm__v_scale(x, n) hfm__v4_scale(x, n)
#define hfm__v_scale_down(x, n) hfm__v4_scale_down(x, n)
#define hfm__v_select_lt(a, b, x, y) hfm__v4_select(_mm_cmplt_ps(a, b), x, y)
#define hfm__v_sum(x) hfm__v4_sum(x)
#define hfm__v_hmax(x) hfm__v4_hmax(x)
#define hfm__v_transpose(r) _MM_TRANSPOSE4_PS((r)[0], (r)[1], (r)[2], (r)[3])
#define hfm__v_prefetch(p) _mm_prefetch((const char *)(p), _MM_HINT_T1)

HFM__TARGET HFM__INLINE __m128 hfm__v4_load_n(const float *p, int64_t n) {
  float t[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  int64_t i;
  for (i = 0; i < n; i++) t[i] = p[i];
  return _mm_loadu_ps(t);
}
HFM__TARGET HFM__INLINE void hfm__v4_store_n(float *p, __m128 x, int64_t n) {
  float t[4];
  int64_t i;
  _mm_storeu_ps(t, x);
  for (i = 0; i < n; i++) p[i] = t[i];
}
HFM__TARGET HFM__INLINE __m128 hfm__v4_load_bf16(const uint16_t *p) {
  const __m128i narrow = _mm_loadl_epi64((const __m128i *)(const void *)p);
  return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), narrow));
}
/* Exact, as hfm__half_bits: a multiplication by 2^112 moves the exponent; infinity and NaN get theirs by hand. */
HFM__TARGET HFM__INLINE __m128 hfm__v4_load_f16(const uint16_t *p) {
  const __m128i h = _mm_unpacklo_epi16(_mm_loadl_epi64((const __m128i *)(const void *)p), _mm_setzero_si128());
  const __m128i rest = _mm_and_si128(h, _mm_set1_epi32(0x7fff));
  const __m128i sign = _mm_slli_epi32(_mm_and_si128(h, _mm_set1_epi32(0x8000)), 16);
  const __m128i special = _mm_and_si128(_mm_cmpgt_epi32(rest, _mm_set1_epi32(0x7bff)), _mm_set1_epi32(0x7f800000));
  const __m128 value = _mm_mul_ps(_mm_castsi128_ps(_mm_slli_epi32(rest, 13)), _mm_set1_ps(5.192296858534828e33f));
  return _mm_or_ps(_mm_or_ps(value, _mm_castsi128_ps(sign)), _mm_castsi128_ps(special));
}
HFM__TARGET HFM__INLINE __m128 hfm__v4_scale(__m128 x, __m128 n) {
  const __m128i bias = _mm_set1_epi32(127), whole = _mm_cvtps_epi32(n);
  const __m128i half = _mm_srai_epi32(whole, 1), rest = _mm_sub_epi32(whole, half);
  const __m128 first = _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(half, bias), 23));
  const __m128 second = _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(rest, bias), 23));
  return _mm_mul_ps(_mm_mul_ps(x, first), second);
}
HFM__TARGET HFM__INLINE __m128 hfm__v4_scale_down(__m128 x, __m128 n) {
  const __m128i power = _mm_slli_epi32(_mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127)), 23);
  return _mm_mul_ps(x, _mm_castsi128_ps(power));
}
HFM__TARGET HFM__INLINE __m128 hfm__v4_select(__m128 mask, __m128 x, __m128 y) {
  return _mm_or_ps(_mm_and_ps(mask, x), _mm_andnot_ps(mask, y));
}
HFM__TARGET HFM__INLINE float hfm__v4_sum(__m128 s) {
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
HFM__TARGET HFM__INLINE float hfm__v4_hmax(__m128 s) {
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}
/* ==== end src/cpu/vec_sse2.h ==== */
/* ==== begin src/cpu/kernels.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernels (private): every kernel, for one tier =========================================================
   Expanded once per tier: before it stand that tier's vec_*.h and the macros
     HFM__SUFFIX  ends the names of this expansion
     HFM__TARGET  the function attribute that lets the compiler use the tier's instructions
   A kernel is written once, over the vocabulary; nothing here asks which tier it is. Everything is undefined again at
   the end. */

#define HFM__NR (HFM__W * HFM__NV)

/* ==== begin src/cpu/kernel_math.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_math (private): exp, erf, tanh and the activations, a vector at a time ==========================
   NaN goes through all of them. Errors, tested over the whole range of floats: tanh, sigmoid, silu 1e-6 relative; gelu
   and its tanh forms 1e-6 relative plus 2.5e-7 of |x|, as 1 + erf cancels for negative x in torch too. */

#define HFM__SET(x) hfm__v_set1(x)

/* exp(x - n ln 2), |x - n ln 2| <= 0.35. ln 2 is in two parts, the first of few bits so that n times it is exact. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_fraction)(hfm__vf x, hfm__vf n) {
  const hfm__vf r = hfm__v_fma(n, HFM__SET(2.12194440e-4f), hfm__v_fma(n, HFM__SET(-0.693359375f), x));
  hfm__vf p = HFM__SET(1.9875691500e-4f);
  p = hfm__v_fma(p, r, HFM__SET(1.3981999507e-3f));
  p = hfm__v_fma(p, r, HFM__SET(8.3334519073e-3f));
  p = hfm__v_fma(p, r, HFM__SET(4.1665795894e-2f));
  p = hfm__v_fma(p, r, HFM__SET(1.6666665459e-1f));
  p = hfm__v_fma(p, r, HFM__SET(5.0000001201e-1f));
  return hfm__v_fma(p, hfm__v_mul(r, r), hfm__v_add(r, HFM__SET(1.0f)));
}

/* Within 1.5 units in the last place; 0 below the smallest normal float, infinity above the largest. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f);
  const hfm__vf t = hfm__v_min(HFM__SET(89.0f), hfm__v_max(low, x));
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale(HFM__FN(exp_fraction)(t, n), n));
}

/* exp(x) for x <= 0, cheaper; 0 below -87.3. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_negative)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f), t = hfm__v_max(low, x);
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale_down(HFM__FN(exp_fraction)(t, n), n));
}

/* x * P(x^2) / Q(x^2), 1 beyond 4. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(erf)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(4.0f), hfm__v_max(HFM__SET(-4.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.98571082e-06f), q = HFM__SET(3.74807675e-05f);
  p = hfm__v_fma(p, s, HFM__SET(0.000285894958f));
  q = hfm__v_fma(q, s, HFM__SET(0.00119579387f));
  p = hfm__v_fma(p, s, HFM__SET(0.00392128907f));
  q = hfm__v_fma(q, s, HFM__SET(0.015280583f));
  p = hfm__v_fma(p, s, HFM__SET(0.0532144552f));
  q = hfm__v_fma(q, s, HFM__SET(0.11569413f));
  p = hfm__v_fma(p, s, HFM__SET(0.194366624f));
  q = hfm__v_fma(q, s, HFM__SET(0.505584843f));
  p = hfm__v_fma(p, s, HFM__SET(1.12837906f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* x * P(x^2) / Q(x^2), 1 beyond 9. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(tanh)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(9.0f), hfm__v_max(HFM__SET(-9.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.32580396e-08f), q = HFM__SET(7.7348828e-07f);
  p = hfm__v_fma(p, s, HFM__SET(2.05320148e-05f));
  q = hfm__v_fma(q, s, HFM__SET(0.000327766126f));
  p = hfm__v_fma(p, s, HFM__SET(0.00349056053f));
  q = hfm__v_fma(q, s, HFM__SET(0.0258574689f));
  p = hfm__v_fma(p, s, HFM__SET(0.133766641f));
  q = hfm__v_fma(q, s, HFM__SET(0.467099692f));
  p = hfm__v_fma(p, s, HFM__SET(0.999999938f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* 1 / (1 + exp(-x)) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(sigmoid)(hfm__vf x) {
  const hfm__vf one = HFM__SET(1.0f);
  return hfm__v_div(one, hfm__v_add(one, HFM__FN(exp)(hfm__v_sub(hfm__v_zero(), x))));
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(gelu_tanh)(hfm__vf x) {
  const hfm__vf square = hfm__v_mul(x, x), half = hfm__v_mul(x, HFM__SET(0.5f));
  const hfm__vf inner = hfm__v_mul(x, hfm__v_fma(square, HFM__SET(0.035677408f), HFM__SET(0.7978845608f)));
  return hfm__v_fma(half, HFM__FN(tanh)(inner), half);
}

/* `activation` is a constant wherever this is inlined. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(activate)(const int32_t activation, hfm__vf x) {
  const hfm__vf half = hfm__v_mul(x, HFM__SET(0.5f));
  switch (activation) {
    case HFM__ACT_gelu: return hfm__v_fma(half, HFM__FN(erf)(hfm__v_mul(x, HFM__SET(0.70710678f))), half);
    case HFM__ACT_gelu_pytorch_tanh: return HFM__FN(gelu_tanh)(x);
    case HFM__ACT_quick_gelu: return hfm__v_mul(x, HFM__FN(sigmoid)(hfm__v_mul(x, HFM__SET(1.702f))));
    case HFM__ACT_relu: return hfm__v_max(hfm__v_zero(), x);
    case HFM__ACT_silu: return hfm__v_mul(x, HFM__FN(sigmoid)(x));
    case HFM__ACT_tanh: return HFM__FN(tanh)(x);
    case HFM__ACT_sigmoid: return HFM__FN(sigmoid)(x);
    default: return x;
  }
}

#undef HFM__SET
/* ==== end src/cpu/kernel_math.h ==== */
/* ==== begin src/cpu/kernel_rows.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_rows (private): kernels on one row of n floats: norms, softmax, activations, sums ===============
   Every sum has one order, fixed by n alone: lanes W apart, then the lanes, then what is left over one by one. */

HFM__TARGET HFM__INLINE void HFM__FN(unary_as)(const int32_t activation, const float *x, float *y, int64_t n) {
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, HFM__FN(activate)(activation, hfm__v_load(x + i)));
  if (i < n) hfm__v_store_n(y + i, HFM__FN(activate)(activation, hfm__v_load_n(x + i, n - i)), n - i);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(unary)(int32_t activation, const float *x, float *y, int64_t n) {
  switch (activation) {
#define HFM__UNARY_CASE(name) case HFM__ACT_##name: HFM__FN(unary_as)(HFM__ACT_##name, x, y, n); break;
    HFM__UNARY_CASE(gelu)
    case HFM__ACT_gelu_new:
    case HFM__ACT_gelu_fast: /* the same function, written down differently */
    HFM__UNARY_CASE(gelu_pytorch_tanh)
    HFM__UNARY_CASE(quick_gelu)
    HFM__UNARY_CASE(relu)
    HFM__UNARY_CASE(silu)
    HFM__UNARY_CASE(tanh)
    HFM__UNARY_CASE(sigmoid)
#undef HFM__UNARY_CASE
    default: HFM__FN(unary_as)(HFM__ACT_none, x, y, n); break;
  }
}

/* y = a + b, or a + b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(add)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* y = a * b, or a * b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(mul)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* f16 or bf16 to f32 */
HFM__TARGET HFM__PRIVATE void HFM__FN(widen)(int32_t dtype, const void *src, float *dst, int64_t n) {
  const uint16_t *from = (const uint16_t *)src;
  int64_t i = 0;
  if (dtype == HFM_BF16) {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_bf16(from + i));
    for (; i < n; i++) dst[i] = hfm__bf16_bits(hfm__load_u16(from + i));
  } else {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_f16(from + i));
    for (; i < n; i++) dst[i] = hfm__half_bits(hfm__load_u16(from + i));
  }
}

HFM__TARGET HFM__INLINE float HFM__FN(row_sum)(const float *x, int64_t n) {
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    s0 = hfm__v_add(s0, hfm__v_load(x + i));
    s1 = hfm__v_add(s1, hfm__v_load(x + i + HFM__W));
    s2 = hfm__v_add(s2, hfm__v_load(x + i + 2 * HFM__W));
    s3 = hfm__v_add(s3, hfm__v_load(x + i + 3 * HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) s0 = hfm__v_add(s0, hfm__v_load(x + i));
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += x[i];
  return sum;
}

/* Sum of (x - mean)^2 */
HFM__TARGET HFM__INLINE float HFM__FN(row_square_sum)(const float *x, float mean, int64_t n) {
  const hfm__vf m = hfm__v_set1(mean);
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0, d;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
    d = hfm__v_sub(hfm__v_load(x + i + HFM__W), m);
    s1 = hfm__v_fma(d, d, s1);
    d = hfm__v_sub(hfm__v_load(x + i + 2 * HFM__W), m);
    s2 = hfm__v_fma(d, d, s2);
    d = hfm__v_sub(hfm__v_load(x + i + 3 * HFM__W), m);
    s3 = hfm__v_fma(d, d, s3);
  }
  for (; i + HFM__W <= n; i += HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
  }
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

/* Two passes, because E[x^2] - E[x]^2 loses everything where the mean is large. weight and bias may be NULL. */
HFM__TARGET HFM__PRIVATE void HFM__FN(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon,
                                                  float *y, int64_t n) {
  const float mean = HFM__FN(row_sum)(x, n) / (float)n;
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, mean, n) / (float)n + epsilon);
  const hfm__vf m = hfm__v_set1(mean), s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) {
    hfm__vf v = hfm__v_mul(hfm__v_sub(hfm__v_load(x + i), m), s);
    if (weight) v = hfm__v_mul(v, hfm__v_load(weight + i));
    if (bias) v = hfm__v_add(v, hfm__v_load(bias + i));
    hfm__v_store(y + i, v);
  }
  for (; i < n; i++) y[i] = (x[i] - mean) * scale * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(rms_norm)(const float *x, const float *weight, float epsilon, float *y,
                                                int64_t n) {
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, 0.0f, n) / (float)n + epsilon);
  const hfm__vf s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(y + i, hfm__v_mul(hfm__v_mul(hfm__v_load(x + i), s), hfm__v_load(weight + i)));
  for (; i < n; i++) y[i] = x[i] * scale * weight[i];
}

/* The largest of n > 0 floats. */
HFM__TARGET HFM__INLINE float HFM__FN(row_max)(const float *x, int64_t n) {
  float largest = x[0];
  hfm__vf m0 = hfm__v_set1(largest), m1 = m0;
  int64_t i = 0;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    m0 = hfm__v_max(m0, hfm__v_load(x + i));
    m1 = hfm__v_max(m1, hfm__v_load(x + i + HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) m0 = hfm__v_max(m0, hfm__v_load(x + i));
  largest = hfm__v_hmax(hfm__v_max(m0, m1));
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/* y = exp(x * scale - largest) and its sum, for x * scale <= largest. */
HFM__TARGET HFM__INLINE float HFM__FN(row_exp)(const float *x, float scale, float largest, float *y, int64_t n) {
  const hfm__vf f = hfm__v_set1(scale), m = hfm__v_set1(-largest);
  hfm__vf s0 = hfm__v_zero(), s1 = s0;
  int64_t i = 0, j;
  float sum;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    const hfm__vf b = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i + HFM__W), f, m));
    hfm__v_store(y + i, a);
    hfm__v_store(y + i + HFM__W, b);
    s0 = hfm__v_add(s0, a);
    s1 = hfm__v_add(s1, b);
  }
  if (i + HFM__W <= n) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    hfm__v_store(y + i, a);
    s0 = hfm__v_add(s0, a);
    i += HFM__W;
  }
  sum = hfm__v_sum(hfm__v_add(s0, s1));
  if (i < n) {
    hfm__v_store_n(y + i, HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load_n(x + i, n - i), f, m)), n - i);
    for (j = i; j < n; j++) sum += y[j];
  }
  return sum;
}

HFM__TARGET HFM__INLINE void HFM__FN(row_scale)(float *x, float factor, int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(x + i, hfm__v_mul(hfm__v_load(x + i), f));
  for (; i < n; i++) x[i] *= factor;
}

/* In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(softmax)(const float *x, float *y, int64_t n) {
  if (n <= 0) return;
  HFM__FN(row_scale)(y, 1.0f / HFM__FN(row_exp)(x, 1.0f, HFM__FN(row_max)(x, n), y, n), n);
}

/* The two halves of a head as real and imaginary parts, turned by the angles. In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(rotary)(const float *x, const float *cosines, const float *sines, float *y,
                                              int64_t half) {
  int64_t i = 0;
  for (; i + HFM__W <= half; i += HFM__W) {
    const hfm__vf c = hfm__v_load(cosines + i), s = hfm__v_load(sines + i);
    const hfm__vf a = hfm__v_load(x + i), b = hfm__v_load(x + half + i);
    hfm__v_store(y + i, hfm__v_sub(hfm__v_mul(a, c), hfm__v_mul(b, s)));
    hfm__v_store(y + half + i, hfm__v_add(hfm__v_mul(b, c), hfm__v_mul(a, s)));
  }
  for (; i < half; i++) {
    const float a = x[i], b = x[half + i];
    y[i] = a * cosines[i] - b * sines[i];
    y[half + i] = b * cosines[i] + a * sines[i];
  }
}
/* ==== end src/cpu/kernel_rows.h ==== */
/* ==== begin src/cpu/kernel_gemm.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_gemm (private): panels and the products over them ===============================================
   A tile is up to MR rows by NR columns, its sums in registers. They are named one by one: clang spills arrays. The
   products themselves are in kernel_tile.h, once for f32 and, where a tier has it, once for pairs of bf16. */

#if HFM__NV == 2
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1)
#define HFM__WEIGHTS(M) M(0) M(1)
#elif HFM__NV == 4
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1) M(i, 2) M(i, 3)
#define HFM__WEIGHTS(M) M(0) M(1) M(2) M(3)
#endif
#if HFM__MR == 4
#define HFM__ROWS(M) M(0) M(1) M(2) M(3)
#elif HFM__MR == 6
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#elif HFM__MR == 8
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#endif

/* out = activation(sums + bias) + residual for a tile, in up to three passes over sums, which are in the first cache. */
HFM__TARGET HFM__NOINLINE void HFM__FN(finish)(const hfm__gemm *g, float *sums, int64_t row, int64_t rows,
                                               int64_t column) {
  const int64_t n = HFM__MIN(g->n - column, HFM__NR);
  int64_t r, i;
  if (g->bias)
    for (r = 0; r < rows; r++) HFM__FN(add)(sums + r * HFM__NR, g->bias + column, 0, sums + r * HFM__NR, n);
  if (g->activation) HFM__FN(unary)(g->activation, sums, sums, rows * HFM__NR);
  for (r = 0; r < rows; r++) {
    const float *from = sums + r * HFM__NR;
    float *to = g->out + (row + r) * g->ldo + column;
    if (g->residual) {
      HFM__FN(add)(from, g->residual + (row + r) * g->ldr + column, 0, to, n);
    } else {
      for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store(to + i, hfm__v_load(from + i));
      if (i < n) hfm__v_store_n(to + i, hfm__v_load(from + i), n - i);
    }
  }
}

#define HFM__TILE_TARGET HFM__TARGET
#define HFM__GEMM(name) HFM__FN(name)
#define HFM__FACTOR(p) hfm__v_set1(*(p))
#define HFM__PRODUCT(x, w, c) hfm__v_float_fma(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

#ifdef hfm__v_dot_bf16
#define HFM__TILE_TARGET HFM__TARGET_BF16
#define HFM__GEMM(name) HFM__FN(name##_bf16)
#define HFM__FACTOR(p) hfm__v_set1(hfm__load_f32(p))
#define HFM__PRODUCT(x, w, c) hfm__v_dot_bf16(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

/* Rounds n floats, an even number, to n / 2 units of two bf16. */
HFM__TARGET_BF16 HFM__PRIVATE void HFM__FN(narrow_bf16)(const float *x, void *pairs, int64_t n) {
  uint16_t *to = (uint16_t *)pairs;
  int64_t i;
  for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store_bf16(to + i, hfm__v_load(x + i));
  for (; i < n; i++) hfm__store_bf16(to + i, x[i]);
}
#endif
#undef HFM__COLUMNS
#undef HFM__WEIGHTS
#undef HFM__ROWS

/* ---- Packing ---- */

HFM__TARGET HFM__INLINE hfm__vf HFM__FN(load_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__v_load((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__v_load_bf16((const uint16_t *)p + i);
  return hfm__v_load_f16((const uint16_t *)p + i);
}

HFM__TARGET HFM__INLINE float HFM__FN(load_one_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__load_f32((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__bf16_bits(hfm__load_u16((const uint16_t *)p + i));
  return hfm__half_bits(hfm__load_u16((const uint16_t *)p + i));
}

/* Squares of W by W are turned in registers; what does not fill a square goes one by one. */
HFM__TARGET HFM__INLINE void HFM__FN(pack_rows_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k, i;
  for (n = 0; n + HFM__W <= p->n; n += HFM__W) {
    for (k = 0; k + HFM__W <= p->k; k += HFM__W) {
      hfm__vf r[HFM__W];
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) r[i] = HFM__FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(p->panel + (k + i) * HFM__NR + n, r[i]);
    }
    for (; k < p->k; k++)
      for (i = 0; i < HFM__W; i++)
        p->panel[k * HFM__NR + n + i] = HFM__FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++)
    for (k = 0; k < p->k; k++)
      p->panel[k * HFM__NR + n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
}

HFM__TARGET HFM__INLINE void HFM__FN(pack_columns_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k;
  for (k = 0; k < p->k; k++) {
    float *to = p->panel + k * HFM__NR;
    for (n = 0; n + HFM__W <= p->n; n += HFM__W)
      hfm__v_store(to + n, HFM__FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++) to[n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack)(const hfm__pack *p) {
  if (p->dtype == HFM_F32) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F32, p);
    else HFM__FN(pack_rows_as)(HFM_F32, p);
  } else if (p->dtype == HFM_BF16) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_BF16, p);
    else HFM__FN(pack_rows_as)(HFM_BF16, p);
  } else {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F16, p);
    else HFM__FN(pack_rows_as)(HFM_F16, p);
  }
}

/* ---- One row ---- */

/* Dot products of 4 weight rows `apart` from each other, or of one. Each row sums in two vectors, or in one where that
   is 16 wide, or a single element: then nothing is left over. */
HFM__TARGET HFM__INLINE void HFM__FN(dots_as)(const int32_t dtype, const int rows, const hfm__gemv *g, int64_t row) {
  const int two = HFM__W > 1 && HFM__W < 16;
  const int64_t apart = g->apart, k = g->k, step = two ? 2 * HFM__W : HFM__W, end = k / step * step;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x;
  const void *w = g->weight;
  hfm__vf a0 = hfm__v_zero(), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  float s0, s1, s2, s3;
  int64_t i;
  for (i = 0; i < end; i += step) {
    const hfm__vf p = hfm__v_load(x + i);
    a0 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w0 + i), a0);
    if (rows == 4) {
      a1 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w1 + i), a1);
      a2 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w2 + i), a2);
      a3 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w3 + i), a3);
    }
    if (two) {
      const hfm__vf q = hfm__v_load(x + i + HFM__W);
      b0 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w0 + i + HFM__W), b0);
      if (rows == 4) {
        b1 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w1 + i + HFM__W), b1);
        b2 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w2 + i + HFM__W), b2);
        b3 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w3 + i + HFM__W), b3);
      }
    }
  }
  s0 = hfm__v_sum(hfm__v_add(a0, b0));
  s1 = hfm__v_sum(hfm__v_add(a1, b1));
  s2 = hfm__v_sum(hfm__v_add(a2, b2));
  s3 = hfm__v_sum(hfm__v_add(a3, b3));
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    if (rows == 4) {
      s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
      s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
      s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
    }
  }
  g->out[row] = s0;
  if (rows == 4) {
    g->out[row + apart] = s1;
    g->out[row + 2 * apart] = s2;
    g->out[row + 3 * apart] = s3;
  }
}

HFM__TARGET HFM__INLINE void HFM__FN(gemv_as)(const int32_t dtype, const hfm__gemv *g) {
  int64_t row;
  if (g->apart > 0)
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 4, g, row);
  else
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 1, g, row);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  if (g->dtype == HFM_F32) HFM__FN(gemv_as)(HFM_F32, g);
  else if (g->dtype == HFM_BF16) HFM__FN(gemv_as)(HFM_BF16, g);
  else HFM__FN(gemv_as)(HFM_F16, g);
}
/* ==== end src/cpu/kernel_gemm.h ==== */
/* ==== begin src/cpu/kernel_attention.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_attention (private): a block of queries against a tile of keys ==================================
   Up to MR query rows at a time: their scores stay in the caches between the two products. Ranges that no row of the
   step can see are skipped, panel by panel; inside, what a row can't see gets weight 0, which changes no sum. So the
   bits of a row depend only on where the tiles begin, never on its neighbours. */

/* Keys of the tile that query row r of the block sees, causal rule and window only: [*from, *to). */
HFM__TARGET HFM__INLINE void HFM__FN(seen)(const hfm__attention *a, int64_t r, int64_t *from, int64_t *to) {
  const int64_t last = a->row0 + r + a->keys - a->queries; /* the key on the diagonal */
  int64_t low = 0, high = a->keys;
  if (a->causal) high = HFM__MIN(high, last + 1);
  if (a->window > 0) low = HFM__MAX(low, last - a->window + 1);
  low = HFM__MIN(HFM__MAX(low - a->key0, 0), a->tile);
  high = HFM__MIN(HFM__MAX(high - a->key0, 0), a->tile);
  *from = low;
  *to = HFM__MAX(low, high);
}

/* Adds the mask, if there is one, and puts -FLT_MAX where the row sees nothing in [begin, end). `scale` is what scores
   are still to be multiplied by afterwards; returns the maximum of scores times it. */
HFM__TARGET HFM__INLINE float HFM__FN(mask_row)(const hfm__attention *a, float *x, int64_t begin, int64_t end,
                                                int64_t from, int64_t to, float *scale) {
  const int later = a->scale > 1e-6f; /* with a mask as without one: a mask of ones changes no bit */
  const hfm__vf f = hfm__v_set1(later ? 1.0f : a->scale);
  int64_t j;
  *scale = later ? a->scale : 1.0f;
  if (a->mask || !later) {
    for (j = begin; j + HFM__W <= to; j += HFM__W) {
      const hfm__vf m = a->mask ? hfm__v_load(a->mask + j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m));
    }
    if (j < to) {
      const hfm__vf m = a->mask ? hfm__v_load_n(a->mask + j, to - j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m)); /* scores reach up to a whole panel */
    }
  }
  for (j = begin; j < from; j++) x[j] = -FLT_MAX;
  for (j = to; j < end; j++) x[j] = -FLT_MAX;
  return HFM__FN(row_max)(x + begin, end - begin) * *scale;
}

/* The maximum ignores NaN. A row in which it found nothing but masked keys is either masked, or NaN. */
HFM__TARGET HFM__INLINE int HFM__FN(all_masked)(const float *x, float largest, float scale, int64_t from, int64_t to) {
  int64_t j;
  if (largest >= -1e38f * scale) return 0;
  for (j = from; j < to; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0;
  }
  return 1;
}

/* eager: weights normalised at once, and uniform over all keys, causal or not, where nothing is seen. */
HFM__TARGET HFM__INLINE void HFM__FN(weigh_row_eager)(const hfm__attention *a, int64_t r, float *x, int64_t end) {
  float largest, total, scale;
  int64_t from, to, j;
  HFM__FN(seen)(a, r, &from, &to);
  largest = HFM__FN(mask_row)(a, x, 0, end, from, to, &scale);
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    total = (float)a->keys;
    for (j = 0; j < end; j++) x[j] = j < a->keys ? 1.0f : 0.0f;
  } else {
    total = HFM__FN(row_exp)(x, scale, largest, x, end);
  }
  HFM__FN(row_scale)(x, 1.0f / total, end);
  if (a->probabilities) memcpy(a->probabilities + r * a->keys, x, (size_t)a->keys * sizeof(float));
}

/* Scores to weights for one row; its running maximum and total follow. Returns what the row's sums so far are to be
   multiplied by. */
HFM__TARGET HFM__INLINE float HFM__FN(weigh_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                 int64_t end) {
  const float before = a->maximum[r];
  float largest, factor, scale = 1.0f;
  int64_t from, to;
  HFM__FN(seen)(a, r, &from, &to);
  largest = from < to ? HFM__FN(mask_row)(a, x, begin, end, from, to, &scale) : -FLT_MAX;
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    memset(x + begin, 0, (size_t)(end - begin) * sizeof(float));
    return 1.0f;
  }
  largest = before > largest ? before : largest;
  factor = hfm__v_hmax(HFM__FN(exp_negative)(hfm__v_set1(before - largest)));
  a->maximum[r] = largest;
  a->total[r] = hfm__v_hmax(hfm__v_fma(hfm__v_set1(a->total[r]), hfm__v_set1(factor),
                                       hfm__v_set1(HFM__FN(row_exp)(x + begin, scale, largest, x + begin, end - begin))));
  return factor;
}

/* out = out * factor + sums, or the sums alone for the first tile. */
HFM__TARGET HFM__INLINE void HFM__FN(gather_row)(float *out, const float *sums, float factor, int32_t first,
                                                 int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(out + i, first ? hfm__v_load(sums + i) : hfm__v_fma(hfm__v_load(out + i), f, hfm__v_load(sums + i)));
  for (; i < n; i++) out[i] = first ? sums[i] : out[i] * factor + sums[i];
}

/* Rows r0 .. r0 + rows - 1 of the block. */
HFM__TARGET HFM__INLINE void HFM__FN(attend_step)(const hfm__attention *a, int64_t r0, int64_t rows) {
  float sums[HFM__MR * HFM__NR], factor[HFM__MR];
  const int64_t lds = (a->tile + HFM__NR - 1) / HFM__NR * HFM__NR;
  int64_t begin = a->tile, end = 0, r, j, d;
  hfm__ahead ahead;
  ahead.bytes = ahead.gap = 0;
  for (r = r0; r < r0 + rows; r++) {
    int64_t from, to;
    HFM__FN(seen)(a, r, &from, &to);
    if (from >= to) continue;
    begin = HFM__MIN(begin, from);
    end = HFM__MAX(end, to);
  }
  if (a->eager) {
    begin = 0;
    end = a->tile;
  }
  if (begin >= end) return;
  begin = begin / HFM__NR * HFM__NR;
  end = (end + HFM__NR - 1) / HFM__NR * HFM__NR;
  for (j = begin; j < end; j += HFM__NR) {
    const float *panel = a->k_panels + j * a->head;
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, a->head, a->q + r0 * a->ldq, a->ldq, panel, a->scores + j, lds, &ahead);
  }
  for (r = 0; r < rows; r++) {
    if (a->eager) HFM__FN(weigh_row_eager)(a, r0 + r, a->scores + r * lds, end);
    else factor[r] = HFM__FN(weigh_row)(a, r0 + r, a->scores + r * lds, begin, end);
  }
  for (d = 0; d < a->head; d += HFM__NR) {
    const float *panel = a->v_panels + d * a->tile + begin * HFM__NR;
    const int64_t used = HFM__MIN(end, a->tile) - begin, n = HFM__MIN(HFM__NR, a->head - d);
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, used, a->scores + begin, lds, panel, sums, HFM__NR, &ahead);
    for (r = 0; r < rows; r++)
      HFM__FN(gather_row)(a->out + (r0 + r) * a->ldo + d, sums + r * HFM__NR, a->eager ? 0.0f : factor[r], a->eager, n);
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(attention)(const hfm__attention *a) {
  const int64_t steps = (a->rows + HFM__MR - 1) / HFM__MR;
  int64_t s, r, first = 0;
  if (a->key0 == 0) {
    for (r = 0; r < a->rows; r++) {
      a->maximum[r] = -FLT_MAX;
      a->total[r] = 0.0f;
      memset(a->out + r * a->ldo, 0, (size_t)a->head * sizeof(float));
    }
  }
  for (s = 0; s < steps; s++) {
    const int64_t rows = (a->rows - first + steps - s - 1) / (steps - s);
    HFM__FN(attend_step)(a, first, rows);
    first += rows;
  }
  if (a->key0 + a->tile < a->keys || a->eager) return;
  for (r = 0; r < a->rows; r++)
    if (a->total[r] != 0.0f)
      HFM__FN(row_scale)(a->out + r * a->ldo, 1.0f / a->total[r], a->head);
}
/* ==== end src/cpu/kernel_attention.h ==== */

static const hfm__kernels HFM__FN(kernels) = {
  HFM__MR, HFM__NR,
#define HFM__KERNEL_ENTRY(name, parameters) HFM__FN(name),
  HFM__KERNEL_LIST(HFM__KERNEL_ENTRY)
#undef HFM__KERNEL_ENTRY
#ifdef hfm__v_dot_bf16
  HFM__FN(gemm_bf16), HFM__FN(narrow_bf16)
#else
  NULL, NULL
#endif
};

#undef HFM__NR
#undef HFM__W
#undef HFM__NV
#undef HFM__MR
#undef HFM__SUFFIX
#undef HFM__TARGET
#undef hfm__vf
#undef hfm__v_zero
#undef hfm__v_set1
#undef hfm__v_load
#undef hfm__v_load_n
#undef hfm__v_load_f16
#undef hfm__v_load_bf16
#undef hfm__v_store
#undef hfm__v_store_n
#undef hfm__v_add
#undef hfm__v_sub
#undef hfm__v_mul
#undef hfm__v_div
#undef hfm__v_fma
#undef hfm__v_float_fma
#undef hfm__v_max
#undef hfm__v_min
#undef hfm__v_round
#undef hfm__v_scale
#undef hfm__v_scale_down
#undef hfm__v_select_lt
#undef hfm__v_sum
#undef hfm__v_hmax
#undef hfm__v_transpose
#undef hfm__v_dot_bf16
#undef hfm__v_store_bf16
#undef HFM__TARGET_BF16
#undef hfm__v_prefetch
/* ==== end src/cpu/kernels.h ==== */
#endif

#if HFM__WITH_AVX2
#define HFM__SUFFIX avx2
#define HFM__TARGET HFM__ATTRIBUTE_TARGET("avx2,fma,f16c")
/* ==== begin src/cpu/vec_avx2.h ==== */
/* ==== cpu/vec_avx2 (private): the vocabulary of vec_scalar.h on AVX2 + FMA + F16C =============================== */

#define HFM__W 8
#define HFM__NV 2
#define HFM__MR 6
#define hfm__vf __m256
#define hfm__v_zero() _mm256_setzero_ps()
#define hfm__v_set1(x) _mm256_set1_ps(x)
#define hfm__v_load(p) _mm256_loadu_ps(p)
#define hfm__v_load_n(p, n) _mm256_maskload_ps(p, hfm__v8_mask(n))
#define hfm__v_load_f16(p) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define hfm__v_load_bf16(p) hfm__v8_load_bf16(p)
#define hfm__v_store(p, x) _mm256_storeu_ps(p, x)
#define hfm__v_store_n(p, x, n) _mm256_maskstore_ps(p, hfm__v8_mask(n), x)
#define hfm__v_add(a, b) _mm256_add_ps(a, b)
#define hfm__v_sub(a, b) _mm256_sub_ps(a, b)
#define hfm__v_mul(a, b) _mm256_mul_ps(a, b)
#define hfm__v_div(a, b) _mm256_div_ps(a, b)
#define hfm__v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) _mm256_max_ps(a, b)
#define hfm__v_min(a, b) _mm256_min_ps(a, b)
#define hfm__v_round(x) _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define hfm__v_scale(x, n) hfm__v8_scale(x, n)
#define hfm__v_scale_down(x, n) hfm__v8_scale_down(x, n)
#define hfm__v_select_lt(a, b, x, y) _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ))
#define hfm__v_sum(x) hfm__v8_sum(x)
#define hfm__v_hmax(x) hfm__v8_hmax(x)
#define hfm__v_transpose(r) hfm__v8_transpose(r)
#define hfm__v_prefetch(p) _mm_prefetch((const char *)(p), _MM_HINT_T1)

/* The first n lanes; n in 0..8. */
HFM__TARGET HFM__INLINE __m256i hfm__v8_mask(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
HFM__TARGET HFM__INLINE __m256 hfm__v8_load_bf16(const uint16_t *p) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
HFM__TARGET HFM__INLINE __m256 hfm__v8_scale(__m256 x, __m256 n) {
  const __m256i bias = _mm256_set1_epi32(127), whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
  const __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const __m256 second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return _mm256_mul_ps(_mm256_mul_ps(x, first), second);
}
HFM__TARGET HFM__INLINE __m256 hfm__v8_scale_down(__m256 x, __m256 n) {
  const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(x, _mm256_castsi256_ps(power));
}
HFM__TARGET HFM__INLINE float hfm__v8_sum(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
HFM__TARGET HFM__INLINE float hfm__v8_hmax(__m256 v) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}
HFM__TARGET HFM__INLINE void hfm__v8_transpose(__m256 *r) {
  const __m256 t0 = _mm256_unpacklo_ps(r[0], r[1]), t1 = _mm256_unpackhi_ps(r[0], r[1]);
  const __m256 t2 = _mm256_unpacklo_ps(r[2], r[3]), t3 = _mm256_unpackhi_ps(r[2], r[3]);
  const __m256 t4 = _mm256_unpacklo_ps(r[4], r[5]), t5 = _mm256_unpackhi_ps(r[4], r[5]);
  const __m256 t6 = _mm256_unpacklo_ps(r[6], r[7]), t7 = _mm256_unpackhi_ps(r[6], r[7]);
  const __m256 u0 = _mm256_shuffle_ps(t0, t2, 0x44), u1 = _mm256_shuffle_ps(t0, t2, 0xee);
  const __m256 u2 = _mm256_shuffle_ps(t1, t3, 0x44), u3 = _mm256_shuffle_ps(t1, t3, 0xee);
  const __m256 u4 = _mm256_shuffle_ps(t4, t6, 0x44), u5 = _mm256_shuffle_ps(t4, t6, 0xee);
  const __m256 u6 = _mm256_shuffle_ps(t5, t7, 0x44), u7 = _mm256_shuffle_ps(t5, t7, 0xee);
  r[0] = _mm256_permute2f128_ps(u0, u4, 0x20);
  r[1] = _mm256_permute2f128_ps(u1, u5, 0x20);
  r[2] = _mm256_permute2f128_ps(u2, u6, 0x20);
  r[3] = _mm256_permute2f128_ps(u3, u7, 0x20);
  r[4] = _mm256_permute2f128_ps(u0, u4, 0x31);
  r[5] = _mm256_permute2f128_ps(u1, u5, 0x31);
  r[6] = _mm256_permute2f128_ps(u2, u6, 0x31);
  r[7] = _mm256_permute2f128_ps(u3, u7, 0x31);
}
/* ==== end src/cpu/vec_avx2.h ==== */
/* ==== begin src/cpu/kernels.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernels (private): every kernel, for one tier =========================================================
   Expanded once per tier: before it stand that tier's vec_*.h and the macros
     HFM__SUFFIX  ends the names of this expansion
     HFM__TARGET  the function attribute that lets the compiler use the tier's instructions
   A kernel is written once, over the vocabulary; nothing here asks which tier it is. Everything is undefined again at
   the end. */

#define HFM__NR (HFM__W * HFM__NV)

/* ==== begin src/cpu/kernel_math.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_math (private): exp, erf, tanh and the activations, a vector at a time ==========================
   NaN goes through all of them. Errors, tested over the whole range of floats: tanh, sigmoid, silu 1e-6 relative; gelu
   and its tanh forms 1e-6 relative plus 2.5e-7 of |x|, as 1 + erf cancels for negative x in torch too. */

#define HFM__SET(x) hfm__v_set1(x)

/* exp(x - n ln 2), |x - n ln 2| <= 0.35. ln 2 is in two parts, the first of few bits so that n times it is exact. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_fraction)(hfm__vf x, hfm__vf n) {
  const hfm__vf r = hfm__v_fma(n, HFM__SET(2.12194440e-4f), hfm__v_fma(n, HFM__SET(-0.693359375f), x));
  hfm__vf p = HFM__SET(1.9875691500e-4f);
  p = hfm__v_fma(p, r, HFM__SET(1.3981999507e-3f));
  p = hfm__v_fma(p, r, HFM__SET(8.3334519073e-3f));
  p = hfm__v_fma(p, r, HFM__SET(4.1665795894e-2f));
  p = hfm__v_fma(p, r, HFM__SET(1.6666665459e-1f));
  p = hfm__v_fma(p, r, HFM__SET(5.0000001201e-1f));
  return hfm__v_fma(p, hfm__v_mul(r, r), hfm__v_add(r, HFM__SET(1.0f)));
}

/* Within 1.5 units in the last place; 0 below the smallest normal float, infinity above the largest. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f);
  const hfm__vf t = hfm__v_min(HFM__SET(89.0f), hfm__v_max(low, x));
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale(HFM__FN(exp_fraction)(t, n), n));
}

/* exp(x) for x <= 0, cheaper; 0 below -87.3. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_negative)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f), t = hfm__v_max(low, x);
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale_down(HFM__FN(exp_fraction)(t, n), n));
}

/* x * P(x^2) / Q(x^2), 1 beyond 4. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(erf)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(4.0f), hfm__v_max(HFM__SET(-4.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.98571082e-06f), q = HFM__SET(3.74807675e-05f);
  p = hfm__v_fma(p, s, HFM__SET(0.000285894958f));
  q = hfm__v_fma(q, s, HFM__SET(0.00119579387f));
  p = hfm__v_fma(p, s, HFM__SET(0.00392128907f));
  q = hfm__v_fma(q, s, HFM__SET(0.015280583f));
  p = hfm__v_fma(p, s, HFM__SET(0.0532144552f));
  q = hfm__v_fma(q, s, HFM__SET(0.11569413f));
  p = hfm__v_fma(p, s, HFM__SET(0.194366624f));
  q = hfm__v_fma(q, s, HFM__SET(0.505584843f));
  p = hfm__v_fma(p, s, HFM__SET(1.12837906f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* x * P(x^2) / Q(x^2), 1 beyond 9. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(tanh)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(9.0f), hfm__v_max(HFM__SET(-9.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.32580396e-08f), q = HFM__SET(7.7348828e-07f);
  p = hfm__v_fma(p, s, HFM__SET(2.05320148e-05f));
  q = hfm__v_fma(q, s, HFM__SET(0.000327766126f));
  p = hfm__v_fma(p, s, HFM__SET(0.00349056053f));
  q = hfm__v_fma(q, s, HFM__SET(0.0258574689f));
  p = hfm__v_fma(p, s, HFM__SET(0.133766641f));
  q = hfm__v_fma(q, s, HFM__SET(0.467099692f));
  p = hfm__v_fma(p, s, HFM__SET(0.999999938f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* 1 / (1 + exp(-x)) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(sigmoid)(hfm__vf x) {
  const hfm__vf one = HFM__SET(1.0f);
  return hfm__v_div(one, hfm__v_add(one, HFM__FN(exp)(hfm__v_sub(hfm__v_zero(), x))));
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(gelu_tanh)(hfm__vf x) {
  const hfm__vf square = hfm__v_mul(x, x), half = hfm__v_mul(x, HFM__SET(0.5f));
  const hfm__vf inner = hfm__v_mul(x, hfm__v_fma(square, HFM__SET(0.035677408f), HFM__SET(0.7978845608f)));
  return hfm__v_fma(half, HFM__FN(tanh)(inner), half);
}

/* `activation` is a constant wherever this is inlined. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(activate)(const int32_t activation, hfm__vf x) {
  const hfm__vf half = hfm__v_mul(x, HFM__SET(0.5f));
  switch (activation) {
    case HFM__ACT_gelu: return hfm__v_fma(half, HFM__FN(erf)(hfm__v_mul(x, HFM__SET(0.70710678f))), half);
    case HFM__ACT_gelu_pytorch_tanh: return HFM__FN(gelu_tanh)(x);
    case HFM__ACT_quick_gelu: return hfm__v_mul(x, HFM__FN(sigmoid)(hfm__v_mul(x, HFM__SET(1.702f))));
    case HFM__ACT_relu: return hfm__v_max(hfm__v_zero(), x);
    case HFM__ACT_silu: return hfm__v_mul(x, HFM__FN(sigmoid)(x));
    case HFM__ACT_tanh: return HFM__FN(tanh)(x);
    case HFM__ACT_sigmoid: return HFM__FN(sigmoid)(x);
    default: return x;
  }
}

#undef HFM__SET
/* ==== end src/cpu/kernel_math.h ==== */
/* ==== begin src/cpu/kernel_rows.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_rows (private): kernels on one row of n floats: norms, softmax, activations, sums ===============
   Every sum has one order, fixed by n alone: lanes W apart, then the lanes, then what is left over one by one. */

HFM__TARGET HFM__INLINE void HFM__FN(unary_as)(const int32_t activation, const float *x, float *y, int64_t n) {
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, HFM__FN(activate)(activation, hfm__v_load(x + i)));
  if (i < n) hfm__v_store_n(y + i, HFM__FN(activate)(activation, hfm__v_load_n(x + i, n - i)), n - i);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(unary)(int32_t activation, const float *x, float *y, int64_t n) {
  switch (activation) {
#define HFM__UNARY_CASE(name) case HFM__ACT_##name: HFM__FN(unary_as)(HFM__ACT_##name, x, y, n); break;
    HFM__UNARY_CASE(gelu)
    case HFM__ACT_gelu_new:
    case HFM__ACT_gelu_fast: /* the same function, written down differently */
    HFM__UNARY_CASE(gelu_pytorch_tanh)
    HFM__UNARY_CASE(quick_gelu)
    HFM__UNARY_CASE(relu)
    HFM__UNARY_CASE(silu)
    HFM__UNARY_CASE(tanh)
    HFM__UNARY_CASE(sigmoid)
#undef HFM__UNARY_CASE
    default: HFM__FN(unary_as)(HFM__ACT_none, x, y, n); break;
  }
}

/* y = a + b, or a + b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(add)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* y = a * b, or a * b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(mul)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* f16 or bf16 to f32 */
HFM__TARGET HFM__PRIVATE void HFM__FN(widen)(int32_t dtype, const void *src, float *dst, int64_t n) {
  const uint16_t *from = (const uint16_t *)src;
  int64_t i = 0;
  if (dtype == HFM_BF16) {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_bf16(from + i));
    for (; i < n; i++) dst[i] = hfm__bf16_bits(hfm__load_u16(from + i));
  } else {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_f16(from + i));
    for (; i < n; i++) dst[i] = hfm__half_bits(hfm__load_u16(from + i));
  }
}

HFM__TARGET HFM__INLINE float HFM__FN(row_sum)(const float *x, int64_t n) {
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    s0 = hfm__v_add(s0, hfm__v_load(x + i));
    s1 = hfm__v_add(s1, hfm__v_load(x + i + HFM__W));
    s2 = hfm__v_add(s2, hfm__v_load(x + i + 2 * HFM__W));
    s3 = hfm__v_add(s3, hfm__v_load(x + i + 3 * HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) s0 = hfm__v_add(s0, hfm__v_load(x + i));
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += x[i];
  return sum;
}

/* Sum of (x - mean)^2 */
HFM__TARGET HFM__INLINE float HFM__FN(row_square_sum)(const float *x, float mean, int64_t n) {
  const hfm__vf m = hfm__v_set1(mean);
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0, d;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
    d = hfm__v_sub(hfm__v_load(x + i + HFM__W), m);
    s1 = hfm__v_fma(d, d, s1);
    d = hfm__v_sub(hfm__v_load(x + i + 2 * HFM__W), m);
    s2 = hfm__v_fma(d, d, s2);
    d = hfm__v_sub(hfm__v_load(x + i + 3 * HFM__W), m);
    s3 = hfm__v_fma(d, d, s3);
  }
  for (; i + HFM__W <= n; i += HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
  }
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

/* Two passes, because E[x^2] - E[x]^2 loses everything where the mean is large. weight and bias may be NULL. */
HFM__TARGET HFM__PRIVATE void HFM__FN(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon,
                                                  float *y, int64_t n) {
  const float mean = HFM__FN(row_sum)(x, n) / (float)n;
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, mean, n) / (float)n + epsilon);
  const hfm__vf m = hfm__v_set1(mean), s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) {
    hfm__vf v = hfm__v_mul(hfm__v_sub(hfm__v_load(x + i), m), s);
    if (weight) v = hfm__v_mul(v, hfm__v_load(weight + i));
    if (bias) v = hfm__v_add(v, hfm__v_load(bias + i));
    hfm__v_store(y + i, v);
  }
  for (; i < n; i++) y[i] = (x[i] - mean) * scale * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(rms_norm)(const float *x, const float *weight, float epsilon, float *y,
                                                int64_t n) {
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, 0.0f, n) / (float)n + epsilon);
  const hfm__vf s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(y + i, hfm__v_mul(hfm__v_mul(hfm__v_load(x + i), s), hfm__v_load(weight + i)));
  for (; i < n; i++) y[i] = x[i] * scale * weight[i];
}

/* The largest of n > 0 floats. */
HFM__TARGET HFM__INLINE float HFM__FN(row_max)(const float *x, int64_t n) {
  float largest = x[0];
  hfm__vf m0 = hfm__v_set1(largest), m1 = m0;
  int64_t i = 0;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    m0 = hfm__v_max(m0, hfm__v_load(x + i));
    m1 = hfm__v_max(m1, hfm__v_load(x + i + HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) m0 = hfm__v_max(m0, hfm__v_load(x + i));
  largest = hfm__v_hmax(hfm__v_max(m0, m1));
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/* y = exp(x * scale - largest) and its sum, for x * scale <= largest. */
HFM__TARGET HFM__INLINE float HFM__FN(row_exp)(const float *x, float scale, float largest, float *y, int64_t n) {
  const hfm__vf f = hfm__v_set1(scale), m = hfm__v_set1(-largest);
  hfm__vf s0 = hfm__v_zero(), s1 = s0;
  int64_t i = 0, j;
  float sum;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    const hfm__vf b = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i + HFM__W), f, m));
    hfm__v_store(y + i, a);
    hfm__v_store(y + i + HFM__W, b);
    s0 = hfm__v_add(s0, a);
    s1 = hfm__v_add(s1, b);
  }
  if (i + HFM__W <= n) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    hfm__v_store(y + i, a);
    s0 = hfm__v_add(s0, a);
    i += HFM__W;
  }
  sum = hfm__v_sum(hfm__v_add(s0, s1));
  if (i < n) {
    hfm__v_store_n(y + i, HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load_n(x + i, n - i), f, m)), n - i);
    for (j = i; j < n; j++) sum += y[j];
  }
  return sum;
}

HFM__TARGET HFM__INLINE void HFM__FN(row_scale)(float *x, float factor, int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(x + i, hfm__v_mul(hfm__v_load(x + i), f));
  for (; i < n; i++) x[i] *= factor;
}

/* In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(softmax)(const float *x, float *y, int64_t n) {
  if (n <= 0) return;
  HFM__FN(row_scale)(y, 1.0f / HFM__FN(row_exp)(x, 1.0f, HFM__FN(row_max)(x, n), y, n), n);
}

/* The two halves of a head as real and imaginary parts, turned by the angles. In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(rotary)(const float *x, const float *cosines, const float *sines, float *y,
                                              int64_t half) {
  int64_t i = 0;
  for (; i + HFM__W <= half; i += HFM__W) {
    const hfm__vf c = hfm__v_load(cosines + i), s = hfm__v_load(sines + i);
    const hfm__vf a = hfm__v_load(x + i), b = hfm__v_load(x + half + i);
    hfm__v_store(y + i, hfm__v_sub(hfm__v_mul(a, c), hfm__v_mul(b, s)));
    hfm__v_store(y + half + i, hfm__v_add(hfm__v_mul(b, c), hfm__v_mul(a, s)));
  }
  for (; i < half; i++) {
    const float a = x[i], b = x[half + i];
    y[i] = a * cosines[i] - b * sines[i];
    y[half + i] = b * cosines[i] + a * sines[i];
  }
}
/* ==== end src/cpu/kernel_rows.h ==== */
/* ==== begin src/cpu/kernel_gemm.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_gemm (private): panels and the products over them ===============================================
   A tile is up to MR rows by NR columns, its sums in registers. They are named one by one: clang spills arrays. The
   products themselves are in kernel_tile.h, once for f32 and, where a tier has it, once for pairs of bf16. */

#if HFM__NV == 2
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1)
#define HFM__WEIGHTS(M) M(0) M(1)
#elif HFM__NV == 4
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1) M(i, 2) M(i, 3)
#define HFM__WEIGHTS(M) M(0) M(1) M(2) M(3)
#endif
#if HFM__MR == 4
#define HFM__ROWS(M) M(0) M(1) M(2) M(3)
#elif HFM__MR == 6
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#elif HFM__MR == 8
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#endif

/* out = activation(sums + bias) + residual for a tile, in up to three passes over sums, which are in the first cache. */
HFM__TARGET HFM__NOINLINE void HFM__FN(finish)(const hfm__gemm *g, float *sums, int64_t row, int64_t rows,
                                               int64_t column) {
  const int64_t n = HFM__MIN(g->n - column, HFM__NR);
  int64_t r, i;
  if (g->bias)
    for (r = 0; r < rows; r++) HFM__FN(add)(sums + r * HFM__NR, g->bias + column, 0, sums + r * HFM__NR, n);
  if (g->activation) HFM__FN(unary)(g->activation, sums, sums, rows * HFM__NR);
  for (r = 0; r < rows; r++) {
    const float *from = sums + r * HFM__NR;
    float *to = g->out + (row + r) * g->ldo + column;
    if (g->residual) {
      HFM__FN(add)(from, g->residual + (row + r) * g->ldr + column, 0, to, n);
    } else {
      for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store(to + i, hfm__v_load(from + i));
      if (i < n) hfm__v_store_n(to + i, hfm__v_load(from + i), n - i);
    }
  }
}

#define HFM__TILE_TARGET HFM__TARGET
#define HFM__GEMM(name) HFM__FN(name)
#define HFM__FACTOR(p) hfm__v_set1(*(p))
#define HFM__PRODUCT(x, w, c) hfm__v_float_fma(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

#ifdef hfm__v_dot_bf16
#define HFM__TILE_TARGET HFM__TARGET_BF16
#define HFM__GEMM(name) HFM__FN(name##_bf16)
#define HFM__FACTOR(p) hfm__v_set1(hfm__load_f32(p))
#define HFM__PRODUCT(x, w, c) hfm__v_dot_bf16(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

/* Rounds n floats, an even number, to n / 2 units of two bf16. */
HFM__TARGET_BF16 HFM__PRIVATE void HFM__FN(narrow_bf16)(const float *x, void *pairs, int64_t n) {
  uint16_t *to = (uint16_t *)pairs;
  int64_t i;
  for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store_bf16(to + i, hfm__v_load(x + i));
  for (; i < n; i++) hfm__store_bf16(to + i, x[i]);
}
#endif
#undef HFM__COLUMNS
#undef HFM__WEIGHTS
#undef HFM__ROWS

/* ---- Packing ---- */

HFM__TARGET HFM__INLINE hfm__vf HFM__FN(load_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__v_load((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__v_load_bf16((const uint16_t *)p + i);
  return hfm__v_load_f16((const uint16_t *)p + i);
}

HFM__TARGET HFM__INLINE float HFM__FN(load_one_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__load_f32((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__bf16_bits(hfm__load_u16((const uint16_t *)p + i));
  return hfm__half_bits(hfm__load_u16((const uint16_t *)p + i));
}

/* Squares of W by W are turned in registers; what does not fill a square goes one by one. */
HFM__TARGET HFM__INLINE void HFM__FN(pack_rows_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k, i;
  for (n = 0; n + HFM__W <= p->n; n += HFM__W) {
    for (k = 0; k + HFM__W <= p->k; k += HFM__W) {
      hfm__vf r[HFM__W];
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) r[i] = HFM__FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(p->panel + (k + i) * HFM__NR + n, r[i]);
    }
    for (; k < p->k; k++)
      for (i = 0; i < HFM__W; i++)
        p->panel[k * HFM__NR + n + i] = HFM__FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++)
    for (k = 0; k < p->k; k++)
      p->panel[k * HFM__NR + n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
}

HFM__TARGET HFM__INLINE void HFM__FN(pack_columns_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k;
  for (k = 0; k < p->k; k++) {
    float *to = p->panel + k * HFM__NR;
    for (n = 0; n + HFM__W <= p->n; n += HFM__W)
      hfm__v_store(to + n, HFM__FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++) to[n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack)(const hfm__pack *p) {
  if (p->dtype == HFM_F32) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F32, p);
    else HFM__FN(pack_rows_as)(HFM_F32, p);
  } else if (p->dtype == HFM_BF16) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_BF16, p);
    else HFM__FN(pack_rows_as)(HFM_BF16, p);
  } else {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F16, p);
    else HFM__FN(pack_rows_as)(HFM_F16, p);
  }
}

/* ---- One row ---- */

/* Dot products of 4 weight rows `apart` from each other, or of one. Each row sums in two vectors, or in one where that
   is 16 wide, or a single element: then nothing is left over. */
HFM__TARGET HFM__INLINE void HFM__FN(dots_as)(const int32_t dtype, const int rows, const hfm__gemv *g, int64_t row) {
  const int two = HFM__W > 1 && HFM__W < 16;
  const int64_t apart = g->apart, k = g->k, step = two ? 2 * HFM__W : HFM__W, end = k / step * step;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x;
  const void *w = g->weight;
  hfm__vf a0 = hfm__v_zero(), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  float s0, s1, s2, s3;
  int64_t i;
  for (i = 0; i < end; i += step) {
    const hfm__vf p = hfm__v_load(x + i);
    a0 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w0 + i), a0);
    if (rows == 4) {
      a1 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w1 + i), a1);
      a2 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w2 + i), a2);
      a3 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w3 + i), a3);
    }
    if (two) {
      const hfm__vf q = hfm__v_load(x + i + HFM__W);
      b0 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w0 + i + HFM__W), b0);
      if (rows == 4) {
        b1 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w1 + i + HFM__W), b1);
        b2 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w2 + i + HFM__W), b2);
        b3 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w3 + i + HFM__W), b3);
      }
    }
  }
  s0 = hfm__v_sum(hfm__v_add(a0, b0));
  s1 = hfm__v_sum(hfm__v_add(a1, b1));
  s2 = hfm__v_sum(hfm__v_add(a2, b2));
  s3 = hfm__v_sum(hfm__v_add(a3, b3));
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    if (rows == 4) {
      s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
      s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
      s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
    }
  }
  g->out[row] = s0;
  if (rows == 4) {
    g->out[row + apart] = s1;
    g->out[row + 2 * apart] = s2;
    g->out[row + 3 * apart] = s3;
  }
}

HFM__TARGET HFM__INLINE void HFM__FN(gemv_as)(const int32_t dtype, const hfm__gemv *g) {
  int64_t row;
  if (g->apart > 0)
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 4, g, row);
  else
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 1, g, row);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  if (g->dtype == HFM_F32) HFM__FN(gemv_as)(HFM_F32, g);
  else if (g->dtype == HFM_BF16) HFM__FN(gemv_as)(HFM_BF16, g);
  else HFM__FN(gemv_as)(HFM_F16, g);
}
/* ==== end src/cpu/kernel_gemm.h ==== */
/* ==== begin src/cpu/kernel_attention.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_attention (private): a block of queries against a tile of keys ==================================
   Up to MR query rows at a time: their scores stay in the caches between the two products. Ranges that no row of the
   step can see are skipped, panel by panel; inside, what a row can't see gets weight 0, which changes no sum. So the
   bits of a row depend only on where the tiles begin, never on its neighbours. */

/* Keys of the tile that query row r of the block sees, causal rule and window only: [*from, *to). */
HFM__TARGET HFM__INLINE void HFM__FN(seen)(const hfm__attention *a, int64_t r, int64_t *from, int64_t *to) {
  const int64_t last = a->row0 + r + a->keys - a->queries; /* the key on the diagonal */
  int64_t low = 0, high = a->keys;
  if (a->causal) high = HFM__MIN(high, last + 1);
  if (a->window > 0) low = HFM__MAX(low, last - a->window + 1);
  low = HFM__MIN(HFM__MAX(low - a->key0, 0), a->tile);
  high = HFM__MIN(HFM__MAX(high - a->key0, 0), a->tile);
  *from = low;
  *to = HFM__MAX(low, high);
}

/* Adds the mask, if there is one, and puts -FLT_MAX where the row sees nothing in [begin, end). `scale` is what scores
   are still to be multiplied by afterwards; returns the maximum of scores times it. */
HFM__TARGET HFM__INLINE float HFM__FN(mask_row)(const hfm__attention *a, float *x, int64_t begin, int64_t end,
                                                int64_t from, int64_t to, float *scale) {
  const int later = a->scale > 1e-6f; /* with a mask as without one: a mask of ones changes no bit */
  const hfm__vf f = hfm__v_set1(later ? 1.0f : a->scale);
  int64_t j;
  *scale = later ? a->scale : 1.0f;
  if (a->mask || !later) {
    for (j = begin; j + HFM__W <= to; j += HFM__W) {
      const hfm__vf m = a->mask ? hfm__v_load(a->mask + j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m));
    }
    if (j < to) {
      const hfm__vf m = a->mask ? hfm__v_load_n(a->mask + j, to - j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m)); /* scores reach up to a whole panel */
    }
  }
  for (j = begin; j < from; j++) x[j] = -FLT_MAX;
  for (j = to; j < end; j++) x[j] = -FLT_MAX;
  return HFM__FN(row_max)(x + begin, end - begin) * *scale;
}

/* The maximum ignores NaN. A row in which it found nothing but masked keys is either masked, or NaN. */
HFM__TARGET HFM__INLINE int HFM__FN(all_masked)(const float *x, float largest, float scale, int64_t from, int64_t to) {
  int64_t j;
  if (largest >= -1e38f * scale) return 0;
  for (j = from; j < to; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0;
  }
  return 1;
}

/* eager: weights normalised at once, and uniform over all keys, causal or not, where nothing is seen. */
HFM__TARGET HFM__INLINE void HFM__FN(weigh_row_eager)(const hfm__attention *a, int64_t r, float *x, int64_t end) {
  float largest, total, scale;
  int64_t from, to, j;
  HFM__FN(seen)(a, r, &from, &to);
  largest = HFM__FN(mask_row)(a, x, 0, end, from, to, &scale);
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    total = (float)a->keys;
    for (j = 0; j < end; j++) x[j] = j < a->keys ? 1.0f : 0.0f;
  } else {
    total = HFM__FN(row_exp)(x, scale, largest, x, end);
  }
  HFM__FN(row_scale)(x, 1.0f / total, end);
  if (a->probabilities) memcpy(a->probabilities + r * a->keys, x, (size_t)a->keys * sizeof(float));
}

/* Scores to weights for one row; its running maximum and total follow. Returns what the row's sums so far are to be
   multiplied by. */
HFM__TARGET HFM__INLINE float HFM__FN(weigh_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                 int64_t end) {
  const float before = a->maximum[r];
  float largest, factor, scale = 1.0f;
  int64_t from, to;
  HFM__FN(seen)(a, r, &from, &to);
  largest = from < to ? HFM__FN(mask_row)(a, x, begin, end, from, to, &scale) : -FLT_MAX;
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    memset(x + begin, 0, (size_t)(end - begin) * sizeof(float));
    return 1.0f;
  }
  largest = before > largest ? before : largest;
  factor = hfm__v_hmax(HFM__FN(exp_negative)(hfm__v_set1(before - largest)));
  a->maximum[r] = largest;
  a->total[r] = hfm__v_hmax(hfm__v_fma(hfm__v_set1(a->total[r]), hfm__v_set1(factor),
                                       hfm__v_set1(HFM__FN(row_exp)(x + begin, scale, largest, x + begin, end - begin))));
  return factor;
}

/* out = out * factor + sums, or the sums alone for the first tile. */
HFM__TARGET HFM__INLINE void HFM__FN(gather_row)(float *out, const float *sums, float factor, int32_t first,
                                                 int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(out + i, first ? hfm__v_load(sums + i) : hfm__v_fma(hfm__v_load(out + i), f, hfm__v_load(sums + i)));
  for (; i < n; i++) out[i] = first ? sums[i] : out[i] * factor + sums[i];
}

/* Rows r0 .. r0 + rows - 1 of the block. */
HFM__TARGET HFM__INLINE void HFM__FN(attend_step)(const hfm__attention *a, int64_t r0, int64_t rows) {
  float sums[HFM__MR * HFM__NR], factor[HFM__MR];
  const int64_t lds = (a->tile + HFM__NR - 1) / HFM__NR * HFM__NR;
  int64_t begin = a->tile, end = 0, r, j, d;
  hfm__ahead ahead;
  ahead.bytes = ahead.gap = 0;
  for (r = r0; r < r0 + rows; r++) {
    int64_t from, to;
    HFM__FN(seen)(a, r, &from, &to);
    if (from >= to) continue;
    begin = HFM__MIN(begin, from);
    end = HFM__MAX(end, to);
  }
  if (a->eager) {
    begin = 0;
    end = a->tile;
  }
  if (begin >= end) return;
  begin = begin / HFM__NR * HFM__NR;
  end = (end + HFM__NR - 1) / HFM__NR * HFM__NR;
  for (j = begin; j < end; j += HFM__NR) {
    const float *panel = a->k_panels + j * a->head;
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, a->head, a->q + r0 * a->ldq, a->ldq, panel, a->scores + j, lds, &ahead);
  }
  for (r = 0; r < rows; r++) {
    if (a->eager) HFM__FN(weigh_row_eager)(a, r0 + r, a->scores + r * lds, end);
    else factor[r] = HFM__FN(weigh_row)(a, r0 + r, a->scores + r * lds, begin, end);
  }
  for (d = 0; d < a->head; d += HFM__NR) {
    const float *panel = a->v_panels + d * a->tile + begin * HFM__NR;
    const int64_t used = HFM__MIN(end, a->tile) - begin, n = HFM__MIN(HFM__NR, a->head - d);
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, used, a->scores + begin, lds, panel, sums, HFM__NR, &ahead);
    for (r = 0; r < rows; r++)
      HFM__FN(gather_row)(a->out + (r0 + r) * a->ldo + d, sums + r * HFM__NR, a->eager ? 0.0f : factor[r], a->eager, n);
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(attention)(const hfm__attention *a) {
  const int64_t steps = (a->rows + HFM__MR - 1) / HFM__MR;
  int64_t s, r, first = 0;
  if (a->key0 == 0) {
    for (r = 0; r < a->rows; r++) {
      a->maximum[r] = -FLT_MAX;
      a->total[r] = 0.0f;
      memset(a->out + r * a->ldo, 0, (size_t)a->head * sizeof(float));
    }
  }
  for (s = 0; s < steps; s++) {
    const int64_t rows = (a->rows - first + steps - s - 1) / (steps - s);
    HFM__FN(attend_step)(a, first, rows);
    first += rows;
  }
  if (a->key0 + a->tile < a->keys || a->eager) return;
  for (r = 0; r < a->rows; r++)
    if (a->total[r] != 0.0f)
      HFM__FN(row_scale)(a->out + r * a->ldo, 1.0f / a->total[r], a->head);
}
/* ==== end src/cpu/kernel_attention.h ==== */

static const hfm__kernels HFM__FN(kernels) = {
  HFM__MR, HFM__NR,
#define HFM__KERNEL_ENTRY(name, parameters) HFM__FN(name),
  HFM__KERNEL_LIST(HFM__KERNEL_ENTRY)
#undef HFM__KERNEL_ENTRY
#ifdef hfm__v_dot_bf16
  HFM__FN(gemm_bf16), HFM__FN(narrow_bf16)
#else
  NULL, NULL
#endif
};

#undef HFM__NR
#undef HFM__W
#undef HFM__NV
#undef HFM__MR
#undef HFM__SUFFIX
#undef HFM__TARGET
#undef hfm__vf
#undef hfm__v_zero
#undef hfm__v_set1
#undef hfm__v_load
#undef hfm__v_load_n
#undef hfm__v_load_f16
#undef hfm__v_load_bf16
#undef hfm__v_store
#undef hfm__v_store_n
#undef hfm__v_add
#undef hfm__v_sub
#undef hfm__v_mul
#undef hfm__v_div
#undef hfm__v_fma
#undef hfm__v_float_fma
#undef hfm__v_max
#undef hfm__v_min
#undef hfm__v_round
#undef hfm__v_scale
#undef hfm__v_scale_down
#undef hfm__v_select_lt
#undef hfm__v_sum
#undef hfm__v_hmax
#undef hfm__v_transpose
#undef hfm__v_dot_bf16
#undef hfm__v_store_bf16
#undef HFM__TARGET_BF16
#undef hfm__v_prefetch
/* ==== end src/cpu/kernels.h ==== */
#endif

#if HFM__WITH_AVX512
#define HFM__SUFFIX avx512
#define HFM__TARGET HFM__ATTRIBUTE_TARGET("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c")
/* ==== begin src/cpu/vec_avx512.h ==== */
/* ==== cpu/vec_avx512 (private): the vocabulary of vec_scalar.h on AVX-512 F, BW, DQ, VL =========================
   The _maskz_ forms with a full mask stand where g++ 12 reports its own header's uninitialised register otherwise;
   they compile to the same instructions. */

#define HFM__W 16
#define HFM__NV 4
#define HFM__MR 6
#define hfm__vf __m512
#define hfm__v_zero() _mm512_setzero_ps()
#define hfm__v_set1(x) _mm512_set1_ps(x)
#define hfm__v_load(p) _mm512_loadu_ps(p)
#define hfm__v_load_n(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1u), p)
#define hfm__v_load_f16(p) _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define hfm__v_load_bf16(p) hfm__v16_load_bf16(p)
#define hfm__v_store(p, x) _mm512_storeu_ps(p, x)
#define hfm__v_store_n(p, x, n) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1u), x)
#define hfm__v_add(a, b) _mm512_add_ps(a, b)
#define hfm__v_sub(a, b) _mm512_sub_ps(a, b)
#define hfm__v_mul(a, b) _mm512_mul_ps(a, b)
#define hfm__v_div(a, b) _mm512_div_ps(a, b)
#define hfm__v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) _mm512_maskz_max_ps(0xffff, a, b)
#define hfm__v_min(a, b) _mm512_maskz_min_ps(0xffff, a, b)
#define hfm__v_round(x) _mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_cvtps_epi32(0xffff, x))
#define hfm__v_scale(x, n) _mm512_maskz_scalef_ps(0xffff, x, n)
#define hfm__v_scale_down(x, n) hfm__v_scale(x, n)
#define hfm__v_select_lt(a, b, x, y) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x)
#define hfm__v_sum(x) hfm__v16_sum(x)
#define hfm__v_hmax(x) hfm__v16_hmax(x)
#define hfm__v_transpose(r) hfm__v16_transpose(r)
#define hfm__v_prefetch(p) _mm_prefetch((const char *)(p), _MM_HINT_T1)
#if HFM__WITH_AVX512_BF16
#define HFM__TARGET_BF16 HFM__ATTRIBUTE_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c")
#define hfm__v_dot_bf16(x, w, c) hfm__v16_dot_bf16(x, w, c)
#define hfm__v_store_bf16(p, x) hfm__v16_store_bf16(p, x)

/* In assembly: the intrinsics' types changed between versions of gcc, and gcc 12 moves registers about around them. */
HFM__TARGET_BF16 HFM__INLINE __m512 hfm__v16_dot_bf16(__m512 x, __m512 w, __m512 c) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(c) : "v"(x), "v"(w));
  return c;
}
HFM__TARGET_BF16 HFM__INLINE void hfm__v16_store_bf16(uint16_t *p, __m512 x) {
  __m256i narrow;
  __asm__("vcvtneps2bf16 %1, %0" : "=v"(narrow) : "v"(x));
  _mm256_storeu_si256((__m256i *)(void *)p, narrow);
}
#endif

HFM__TARGET HFM__INLINE __m512 hfm__v16_load_bf16(const uint16_t *p) {
  const __m256i narrow = _mm256_loadu_si256((const __m256i *)(const void *)p);
  return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, narrow), 16));
}
HFM__TARGET HFM__INLINE float hfm__v16_sum(__m512 v) {
  const __m256 h = _mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xff, v, 0), _mm512_maskz_extractf32x8_ps(0xff, v, 1));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
HFM__TARGET HFM__INLINE float hfm__v16_hmax(__m512 v) {
  const __m256 h = _mm256_max_ps(_mm512_maskz_extractf32x8_ps(0xff, v, 0), _mm512_maskz_extractf32x8_ps(0xff, v, 1));
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

/* Pairs, then quads within 128-bit lanes, then the lanes themselves. */
HFM__TARGET HFM__INLINE void hfm__v16_transpose(__m512 *r) {
  __m512 t[16];
  int i;
  HFM__UNROLL
  for (i = 0; i < 16; i += 4) {
    const __m512 a = _mm512_maskz_unpacklo_ps(0xffff, r[i], r[i + 1]);
    const __m512 b = _mm512_maskz_unpackhi_ps(0xffff, r[i], r[i + 1]);
    const __m512 c = _mm512_maskz_unpacklo_ps(0xffff, r[i + 2], r[i + 3]);
    const __m512 d = _mm512_maskz_unpackhi_ps(0xffff, r[i + 2], r[i + 3]);
    t[i] = _mm512_maskz_shuffle_ps(0xffff, a, c, 0x44);
    t[i + 1] = _mm512_maskz_shuffle_ps(0xffff, a, c, 0xee);
    t[i + 2] = _mm512_maskz_shuffle_ps(0xffff, b, d, 0x44);
    t[i + 3] = _mm512_maskz_shuffle_ps(0xffff, b, d, 0xee);
  }
  HFM__UNROLL
  for (i = 0; i < 4; i++) {
    const __m512 a = _mm512_maskz_shuffle_f32x4(0xffff, t[i], t[i + 4], 0x88);
    const __m512 b = _mm512_maskz_shuffle_f32x4(0xffff, t[i], t[i + 4], 0xdd);
    const __m512 c = _mm512_maskz_shuffle_f32x4(0xffff, t[i + 8], t[i + 12], 0x88);
    const __m512 d = _mm512_maskz_shuffle_f32x4(0xffff, t[i + 8], t[i + 12], 0xdd);
    r[i] = _mm512_maskz_shuffle_f32x4(0xffff, a, c, 0x88);
    r[i + 4] = _mm512_maskz_shuffle_f32x4(0xffff, b, d, 0x88);
    r[i + 8] = _mm512_maskz_shuffle_f32x4(0xffff, a, c, 0xdd);
    r[i + 12] = _mm512_maskz_shuffle_f32x4(0xffff, b, d, 0xdd);
  }
}
/* ==== end src/cpu/vec_avx512.h ==== */
/* ==== begin src/cpu/kernels.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernels (private): every kernel, for one tier =========================================================
   Expanded once per tier: before it stand that tier's vec_*.h and the macros
     HFM__SUFFIX  ends the names of this expansion
     HFM__TARGET  the function attribute that lets the compiler use the tier's instructions
   A kernel is written once, over the vocabulary; nothing here asks which tier it is. Everything is undefined again at
   the end. */

#define HFM__NR (HFM__W * HFM__NV)

/* ==== begin src/cpu/kernel_math.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_math (private): exp, erf, tanh and the activations, a vector at a time ==========================
   NaN goes through all of them. Errors, tested over the whole range of floats: tanh, sigmoid, silu 1e-6 relative; gelu
   and its tanh forms 1e-6 relative plus 2.5e-7 of |x|, as 1 + erf cancels for negative x in torch too. */

#define HFM__SET(x) hfm__v_set1(x)

/* exp(x - n ln 2), |x - n ln 2| <= 0.35. ln 2 is in two parts, the first of few bits so that n times it is exact. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_fraction)(hfm__vf x, hfm__vf n) {
  const hfm__vf r = hfm__v_fma(n, HFM__SET(2.12194440e-4f), hfm__v_fma(n, HFM__SET(-0.693359375f), x));
  hfm__vf p = HFM__SET(1.9875691500e-4f);
  p = hfm__v_fma(p, r, HFM__SET(1.3981999507e-3f));
  p = hfm__v_fma(p, r, HFM__SET(8.3334519073e-3f));
  p = hfm__v_fma(p, r, HFM__SET(4.1665795894e-2f));
  p = hfm__v_fma(p, r, HFM__SET(1.6666665459e-1f));
  p = hfm__v_fma(p, r, HFM__SET(5.0000001201e-1f));
  return hfm__v_fma(p, hfm__v_mul(r, r), hfm__v_add(r, HFM__SET(1.0f)));
}

/* Within 1.5 units in the last place; 0 below the smallest normal float, infinity above the largest. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f);
  const hfm__vf t = hfm__v_min(HFM__SET(89.0f), hfm__v_max(low, x));
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale(HFM__FN(exp_fraction)(t, n), n));
}

/* exp(x) for x <= 0, cheaper; 0 below -87.3. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_negative)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f), t = hfm__v_max(low, x);
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale_down(HFM__FN(exp_fraction)(t, n), n));
}

/* x * P(x^2) / Q(x^2), 1 beyond 4. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(erf)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(4.0f), hfm__v_max(HFM__SET(-4.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.98571082e-06f), q = HFM__SET(3.74807675e-05f);
  p = hfm__v_fma(p, s, HFM__SET(0.000285894958f));
  q = hfm__v_fma(q, s, HFM__SET(0.00119579387f));
  p = hfm__v_fma(p, s, HFM__SET(0.00392128907f));
  q = hfm__v_fma(q, s, HFM__SET(0.015280583f));
  p = hfm__v_fma(p, s, HFM__SET(0.0532144552f));
  q = hfm__v_fma(q, s, HFM__SET(0.11569413f));
  p = hfm__v_fma(p, s, HFM__SET(0.194366624f));
  q = hfm__v_fma(q, s, HFM__SET(0.505584843f));
  p = hfm__v_fma(p, s, HFM__SET(1.12837906f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* x * P(x^2) / Q(x^2), 1 beyond 9. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(tanh)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(9.0f), hfm__v_max(HFM__SET(-9.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.32580396e-08f), q = HFM__SET(7.7348828e-07f);
  p = hfm__v_fma(p, s, HFM__SET(2.05320148e-05f));
  q = hfm__v_fma(q, s, HFM__SET(0.000327766126f));
  p = hfm__v_fma(p, s, HFM__SET(0.00349056053f));
  q = hfm__v_fma(q, s, HFM__SET(0.0258574689f));
  p = hfm__v_fma(p, s, HFM__SET(0.133766641f));
  q = hfm__v_fma(q, s, HFM__SET(0.467099692f));
  p = hfm__v_fma(p, s, HFM__SET(0.999999938f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* 1 / (1 + exp(-x)) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(sigmoid)(hfm__vf x) {
  const hfm__vf one = HFM__SET(1.0f);
  return hfm__v_div(one, hfm__v_add(one, HFM__FN(exp)(hfm__v_sub(hfm__v_zero(), x))));
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(gelu_tanh)(hfm__vf x) {
  const hfm__vf square = hfm__v_mul(x, x), half = hfm__v_mul(x, HFM__SET(0.5f));
  const hfm__vf inner = hfm__v_mul(x, hfm__v_fma(square, HFM__SET(0.035677408f), HFM__SET(0.7978845608f)));
  return hfm__v_fma(half, HFM__FN(tanh)(inner), half);
}

/* `activation` is a constant wherever this is inlined. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(activate)(const int32_t activation, hfm__vf x) {
  const hfm__vf half = hfm__v_mul(x, HFM__SET(0.5f));
  switch (activation) {
    case HFM__ACT_gelu: return hfm__v_fma(half, HFM__FN(erf)(hfm__v_mul(x, HFM__SET(0.70710678f))), half);
    case HFM__ACT_gelu_pytorch_tanh: return HFM__FN(gelu_tanh)(x);
    case HFM__ACT_quick_gelu: return hfm__v_mul(x, HFM__FN(sigmoid)(hfm__v_mul(x, HFM__SET(1.702f))));
    case HFM__ACT_relu: return hfm__v_max(hfm__v_zero(), x);
    case HFM__ACT_silu: return hfm__v_mul(x, HFM__FN(sigmoid)(x));
    case HFM__ACT_tanh: return HFM__FN(tanh)(x);
    case HFM__ACT_sigmoid: return HFM__FN(sigmoid)(x);
    default: return x;
  }
}

#undef HFM__SET
/* ==== end src/cpu/kernel_math.h ==== */
/* ==== begin src/cpu/kernel_rows.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_rows (private): kernels on one row of n floats: norms, softmax, activations, sums ===============
   Every sum has one order, fixed by n alone: lanes W apart, then the lanes, then what is left over one by one. */

HFM__TARGET HFM__INLINE void HFM__FN(unary_as)(const int32_t activation, const float *x, float *y, int64_t n) {
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, HFM__FN(activate)(activation, hfm__v_load(x + i)));
  if (i < n) hfm__v_store_n(y + i, HFM__FN(activate)(activation, hfm__v_load_n(x + i, n - i)), n - i);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(unary)(int32_t activation, const float *x, float *y, int64_t n) {
  switch (activation) {
#define HFM__UNARY_CASE(name) case HFM__ACT_##name: HFM__FN(unary_as)(HFM__ACT_##name, x, y, n); break;
    HFM__UNARY_CASE(gelu)
    case HFM__ACT_gelu_new:
    case HFM__ACT_gelu_fast: /* the same function, written down differently */
    HFM__UNARY_CASE(gelu_pytorch_tanh)
    HFM__UNARY_CASE(quick_gelu)
    HFM__UNARY_CASE(relu)
    HFM__UNARY_CASE(silu)
    HFM__UNARY_CASE(tanh)
    HFM__UNARY_CASE(sigmoid)
#undef HFM__UNARY_CASE
    default: HFM__FN(unary_as)(HFM__ACT_none, x, y, n); break;
  }
}

/* y = a + b, or a + b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(add)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* y = a * b, or a * b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(mul)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* f16 or bf16 to f32 */
HFM__TARGET HFM__PRIVATE void HFM__FN(widen)(int32_t dtype, const void *src, float *dst, int64_t n) {
  const uint16_t *from = (const uint16_t *)src;
  int64_t i = 0;
  if (dtype == HFM_BF16) {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_bf16(from + i));
    for (; i < n; i++) dst[i] = hfm__bf16_bits(hfm__load_u16(from + i));
  } else {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_f16(from + i));
    for (; i < n; i++) dst[i] = hfm__half_bits(hfm__load_u16(from + i));
  }
}

HFM__TARGET HFM__INLINE float HFM__FN(row_sum)(const float *x, int64_t n) {
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    s0 = hfm__v_add(s0, hfm__v_load(x + i));
    s1 = hfm__v_add(s1, hfm__v_load(x + i + HFM__W));
    s2 = hfm__v_add(s2, hfm__v_load(x + i + 2 * HFM__W));
    s3 = hfm__v_add(s3, hfm__v_load(x + i + 3 * HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) s0 = hfm__v_add(s0, hfm__v_load(x + i));
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += x[i];
  return sum;
}

/* Sum of (x - mean)^2 */
HFM__TARGET HFM__INLINE float HFM__FN(row_square_sum)(const float *x, float mean, int64_t n) {
  const hfm__vf m = hfm__v_set1(mean);
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0, d;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
    d = hfm__v_sub(hfm__v_load(x + i + HFM__W), m);
    s1 = hfm__v_fma(d, d, s1);
    d = hfm__v_sub(hfm__v_load(x + i + 2 * HFM__W), m);
    s2 = hfm__v_fma(d, d, s2);
    d = hfm__v_sub(hfm__v_load(x + i + 3 * HFM__W), m);
    s3 = hfm__v_fma(d, d, s3);
  }
  for (; i + HFM__W <= n; i += HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
  }
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

/* Two passes, because E[x^2] - E[x]^2 loses everything where the mean is large. weight and bias may be NULL. */
HFM__TARGET HFM__PRIVATE void HFM__FN(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon,
                                                  float *y, int64_t n) {
  const float mean = HFM__FN(row_sum)(x, n) / (float)n;
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, mean, n) / (float)n + epsilon);
  const hfm__vf m = hfm__v_set1(mean), s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) {
    hfm__vf v = hfm__v_mul(hfm__v_sub(hfm__v_load(x + i), m), s);
    if (weight) v = hfm__v_mul(v, hfm__v_load(weight + i));
    if (bias) v = hfm__v_add(v, hfm__v_load(bias + i));
    hfm__v_store(y + i, v);
  }
  for (; i < n; i++) y[i] = (x[i] - mean) * scale * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(rms_norm)(const float *x, const float *weight, float epsilon, float *y,
                                                int64_t n) {
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, 0.0f, n) / (float)n + epsilon);
  const hfm__vf s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(y + i, hfm__v_mul(hfm__v_mul(hfm__v_load(x + i), s), hfm__v_load(weight + i)));
  for (; i < n; i++) y[i] = x[i] * scale * weight[i];
}

/* The largest of n > 0 floats. */
HFM__TARGET HFM__INLINE float HFM__FN(row_max)(const float *x, int64_t n) {
  float largest = x[0];
  hfm__vf m0 = hfm__v_set1(largest), m1 = m0;
  int64_t i = 0;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    m0 = hfm__v_max(m0, hfm__v_load(x + i));
    m1 = hfm__v_max(m1, hfm__v_load(x + i + HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) m0 = hfm__v_max(m0, hfm__v_load(x + i));
  largest = hfm__v_hmax(hfm__v_max(m0, m1));
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/* y = exp(x * scale - largest) and its sum, for x * scale <= largest. */
HFM__TARGET HFM__INLINE float HFM__FN(row_exp)(const float *x, float scale, float largest, float *y, int64_t n) {
  const hfm__vf f = hfm__v_set1(scale), m = hfm__v_set1(-largest);
  hfm__vf s0 = hfm__v_zero(), s1 = s0;
  int64_t i = 0, j;
  float sum;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    const hfm__vf b = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i + HFM__W), f, m));
    hfm__v_store(y + i, a);
    hfm__v_store(y + i + HFM__W, b);
    s0 = hfm__v_add(s0, a);
    s1 = hfm__v_add(s1, b);
  }
  if (i + HFM__W <= n) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    hfm__v_store(y + i, a);
    s0 = hfm__v_add(s0, a);
    i += HFM__W;
  }
  sum = hfm__v_sum(hfm__v_add(s0, s1));
  if (i < n) {
    hfm__v_store_n(y + i, HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load_n(x + i, n - i), f, m)), n - i);
    for (j = i; j < n; j++) sum += y[j];
  }
  return sum;
}

HFM__TARGET HFM__INLINE void HFM__FN(row_scale)(float *x, float factor, int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(x + i, hfm__v_mul(hfm__v_load(x + i), f));
  for (; i < n; i++) x[i] *= factor;
}

/* In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(softmax)(const float *x, float *y, int64_t n) {
  if (n <= 0) return;
  HFM__FN(row_scale)(y, 1.0f / HFM__FN(row_exp)(x, 1.0f, HFM__FN(row_max)(x, n), y, n), n);
}

/* The two halves of a head as real and imaginary parts, turned by the angles. In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(rotary)(const float *x, const float *cosines, const float *sines, float *y,
                                              int64_t half) {
  int64_t i = 0;
  for (; i + HFM__W <= half; i += HFM__W) {
    const hfm__vf c = hfm__v_load(cosines + i), s = hfm__v_load(sines + i);
    const hfm__vf a = hfm__v_load(x + i), b = hfm__v_load(x + half + i);
    hfm__v_store(y + i, hfm__v_sub(hfm__v_mul(a, c), hfm__v_mul(b, s)));
    hfm__v_store(y + half + i, hfm__v_add(hfm__v_mul(b, c), hfm__v_mul(a, s)));
  }
  for (; i < half; i++) {
    const float a = x[i], b = x[half + i];
    y[i] = a * cosines[i] - b * sines[i];
    y[half + i] = b * cosines[i] + a * sines[i];
  }
}
/* ==== end src/cpu/kernel_rows.h ==== */
/* ==== begin src/cpu/kernel_gemm.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_gemm (private): panels and the products over them ===============================================
   A tile is up to MR rows by NR columns, its sums in registers. They are named one by one: clang spills arrays. The
   products themselves are in kernel_tile.h, once for f32 and, where a tier has it, once for pairs of bf16. */

#if HFM__NV == 2
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1)
#define HFM__WEIGHTS(M) M(0) M(1)
#elif HFM__NV == 4
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1) M(i, 2) M(i, 3)
#define HFM__WEIGHTS(M) M(0) M(1) M(2) M(3)
#endif
#if HFM__MR == 4
#define HFM__ROWS(M) M(0) M(1) M(2) M(3)
#elif HFM__MR == 6
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#elif HFM__MR == 8
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#endif

/* out = activation(sums + bias) + residual for a tile, in up to three passes over sums, which are in the first cache. */
HFM__TARGET HFM__NOINLINE void HFM__FN(finish)(const hfm__gemm *g, float *sums, int64_t row, int64_t rows,
                                               int64_t column) {
  const int64_t n = HFM__MIN(g->n - column, HFM__NR);
  int64_t r, i;
  if (g->bias)
    for (r = 0; r < rows; r++) HFM__FN(add)(sums + r * HFM__NR, g->bias + column, 0, sums + r * HFM__NR, n);
  if (g->activation) HFM__FN(unary)(g->activation, sums, sums, rows * HFM__NR);
  for (r = 0; r < rows; r++) {
    const float *from = sums + r * HFM__NR;
    float *to = g->out + (row + r) * g->ldo + column;
    if (g->residual) {
      HFM__FN(add)(from, g->residual + (row + r) * g->ldr + column, 0, to, n);
    } else {
      for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store(to + i, hfm__v_load(from + i));
      if (i < n) hfm__v_store_n(to + i, hfm__v_load(from + i), n - i);
    }
  }
}

#define HFM__TILE_TARGET HFM__TARGET
#define HFM__GEMM(name) HFM__FN(name)
#define HFM__FACTOR(p) hfm__v_set1(*(p))
#define HFM__PRODUCT(x, w, c) hfm__v_float_fma(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

#ifdef hfm__v_dot_bf16
#define HFM__TILE_TARGET HFM__TARGET_BF16
#define HFM__GEMM(name) HFM__FN(name##_bf16)
#define HFM__FACTOR(p) hfm__v_set1(hfm__load_f32(p))
#define HFM__PRODUCT(x, w, c) hfm__v_dot_bf16(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

/* Rounds n floats, an even number, to n / 2 units of two bf16. */
HFM__TARGET_BF16 HFM__PRIVATE void HFM__FN(narrow_bf16)(const float *x, void *pairs, int64_t n) {
  uint16_t *to = (uint16_t *)pairs;
  int64_t i;
  for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store_bf16(to + i, hfm__v_load(x + i));
  for (; i < n; i++) hfm__store_bf16(to + i, x[i]);
}
#endif
#undef HFM__COLUMNS
#undef HFM__WEIGHTS
#undef HFM__ROWS

/* ---- Packing ---- */

HFM__TARGET HFM__INLINE hfm__vf HFM__FN(load_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__v_load((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__v_load_bf16((const uint16_t *)p + i);
  return hfm__v_load_f16((const uint16_t *)p + i);
}

HFM__TARGET HFM__INLINE float HFM__FN(load_one_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__load_f32((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__bf16_bits(hfm__load_u16((const uint16_t *)p + i));
  return hfm__half_bits(hfm__load_u16((const uint16_t *)p + i));
}

/* Squares of W by W are turned in registers; what does not fill a square goes one by one. */
HFM__TARGET HFM__INLINE void HFM__FN(pack_rows_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k, i;
  for (n = 0; n + HFM__W <= p->n; n += HFM__W) {
    for (k = 0; k + HFM__W <= p->k; k += HFM__W) {
      hfm__vf r[HFM__W];
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) r[i] = HFM__FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(p->panel + (k + i) * HFM__NR + n, r[i]);
    }
    for (; k < p->k; k++)
      for (i = 0; i < HFM__W; i++)
        p->panel[k * HFM__NR + n + i] = HFM__FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++)
    for (k = 0; k < p->k; k++)
      p->panel[k * HFM__NR + n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
}

HFM__TARGET HFM__INLINE void HFM__FN(pack_columns_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k;
  for (k = 0; k < p->k; k++) {
    float *to = p->panel + k * HFM__NR;
    for (n = 0; n + HFM__W <= p->n; n += HFM__W)
      hfm__v_store(to + n, HFM__FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++) to[n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack)(const hfm__pack *p) {
  if (p->dtype == HFM_F32) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F32, p);
    else HFM__FN(pack_rows_as)(HFM_F32, p);
  } else if (p->dtype == HFM_BF16) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_BF16, p);
    else HFM__FN(pack_rows_as)(HFM_BF16, p);
  } else {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F16, p);
    else HFM__FN(pack_rows_as)(HFM_F16, p);
  }
}

/* ---- One row ---- */

/* Dot products of 4 weight rows `apart` from each other, or of one. Each row sums in two vectors, or in one where that
   is 16 wide, or a single element: then nothing is left over. */
HFM__TARGET HFM__INLINE void HFM__FN(dots_as)(const int32_t dtype, const int rows, const hfm__gemv *g, int64_t row) {
  const int two = HFM__W > 1 && HFM__W < 16;
  const int64_t apart = g->apart, k = g->k, step = two ? 2 * HFM__W : HFM__W, end = k / step * step;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x;
  const void *w = g->weight;
  hfm__vf a0 = hfm__v_zero(), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  float s0, s1, s2, s3;
  int64_t i;
  for (i = 0; i < end; i += step) {
    const hfm__vf p = hfm__v_load(x + i);
    a0 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w0 + i), a0);
    if (rows == 4) {
      a1 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w1 + i), a1);
      a2 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w2 + i), a2);
      a3 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w3 + i), a3);
    }
    if (two) {
      const hfm__vf q = hfm__v_load(x + i + HFM__W);
      b0 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w0 + i + HFM__W), b0);
      if (rows == 4) {
        b1 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w1 + i + HFM__W), b1);
        b2 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w2 + i + HFM__W), b2);
        b3 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w3 + i + HFM__W), b3);
      }
    }
  }
  s0 = hfm__v_sum(hfm__v_add(a0, b0));
  s1 = hfm__v_sum(hfm__v_add(a1, b1));
  s2 = hfm__v_sum(hfm__v_add(a2, b2));
  s3 = hfm__v_sum(hfm__v_add(a3, b3));
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    if (rows == 4) {
      s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
      s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
      s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
    }
  }
  g->out[row] = s0;
  if (rows == 4) {
    g->out[row + apart] = s1;
    g->out[row + 2 * apart] = s2;
    g->out[row + 3 * apart] = s3;
  }
}

HFM__TARGET HFM__INLINE void HFM__FN(gemv_as)(const int32_t dtype, const hfm__gemv *g) {
  int64_t row;
  if (g->apart > 0)
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 4, g, row);
  else
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 1, g, row);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  if (g->dtype == HFM_F32) HFM__FN(gemv_as)(HFM_F32, g);
  else if (g->dtype == HFM_BF16) HFM__FN(gemv_as)(HFM_BF16, g);
  else HFM__FN(gemv_as)(HFM_F16, g);
}
/* ==== end src/cpu/kernel_gemm.h ==== */
/* ==== begin src/cpu/kernel_attention.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_attention (private): a block of queries against a tile of keys ==================================
   Up to MR query rows at a time: their scores stay in the caches between the two products. Ranges that no row of the
   step can see are skipped, panel by panel; inside, what a row can't see gets weight 0, which changes no sum. So the
   bits of a row depend only on where the tiles begin, never on its neighbours. */

/* Keys of the tile that query row r of the block sees, causal rule and window only: [*from, *to). */
HFM__TARGET HFM__INLINE void HFM__FN(seen)(const hfm__attention *a, int64_t r, int64_t *from, int64_t *to) {
  const int64_t last = a->row0 + r + a->keys - a->queries; /* the key on the diagonal */
  int64_t low = 0, high = a->keys;
  if (a->causal) high = HFM__MIN(high, last + 1);
  if (a->window > 0) low = HFM__MAX(low, last - a->window + 1);
  low = HFM__MIN(HFM__MAX(low - a->key0, 0), a->tile);
  high = HFM__MIN(HFM__MAX(high - a->key0, 0), a->tile);
  *from = low;
  *to = HFM__MAX(low, high);
}

/* Adds the mask, if there is one, and puts -FLT_MAX where the row sees nothing in [begin, end). `scale` is what scores
   are still to be multiplied by afterwards; returns the maximum of scores times it. */
HFM__TARGET HFM__INLINE float HFM__FN(mask_row)(const hfm__attention *a, float *x, int64_t begin, int64_t end,
                                                int64_t from, int64_t to, float *scale) {
  const int later = a->scale > 1e-6f; /* with a mask as without one: a mask of ones changes no bit */
  const hfm__vf f = hfm__v_set1(later ? 1.0f : a->scale);
  int64_t j;
  *scale = later ? a->scale : 1.0f;
  if (a->mask || !later) {
    for (j = begin; j + HFM__W <= to; j += HFM__W) {
      const hfm__vf m = a->mask ? hfm__v_load(a->mask + j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m));
    }
    if (j < to) {
      const hfm__vf m = a->mask ? hfm__v_load_n(a->mask + j, to - j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m)); /* scores reach up to a whole panel */
    }
  }
  for (j = begin; j < from; j++) x[j] = -FLT_MAX;
  for (j = to; j < end; j++) x[j] = -FLT_MAX;
  return HFM__FN(row_max)(x + begin, end - begin) * *scale;
}

/* The maximum ignores NaN. A row in which it found nothing but masked keys is either masked, or NaN. */
HFM__TARGET HFM__INLINE int HFM__FN(all_masked)(const float *x, float largest, float scale, int64_t from, int64_t to) {
  int64_t j;
  if (largest >= -1e38f * scale) return 0;
  for (j = from; j < to; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0;
  }
  return 1;
}

/* eager: weights normalised at once, and uniform over all keys, causal or not, where nothing is seen. */
HFM__TARGET HFM__INLINE void HFM__FN(weigh_row_eager)(const hfm__attention *a, int64_t r, float *x, int64_t end) {
  float largest, total, scale;
  int64_t from, to, j;
  HFM__FN(seen)(a, r, &from, &to);
  largest = HFM__FN(mask_row)(a, x, 0, end, from, to, &scale);
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    total = (float)a->keys;
    for (j = 0; j < end; j++) x[j] = j < a->keys ? 1.0f : 0.0f;
  } else {
    total = HFM__FN(row_exp)(x, scale, largest, x, end);
  }
  HFM__FN(row_scale)(x, 1.0f / total, end);
  if (a->probabilities) memcpy(a->probabilities + r * a->keys, x, (size_t)a->keys * sizeof(float));
}

/* Scores to weights for one row; its running maximum and total follow. Returns what the row's sums so far are to be
   multiplied by. */
HFM__TARGET HFM__INLINE float HFM__FN(weigh_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                 int64_t end) {
  const float before = a->maximum[r];
  float largest, factor, scale = 1.0f;
  int64_t from, to;
  HFM__FN(seen)(a, r, &from, &to);
  largest = from < to ? HFM__FN(mask_row)(a, x, begin, end, from, to, &scale) : -FLT_MAX;
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    memset(x + begin, 0, (size_t)(end - begin) * sizeof(float));
    return 1.0f;
  }
  largest = before > largest ? before : largest;
  factor = hfm__v_hmax(HFM__FN(exp_negative)(hfm__v_set1(before - largest)));
  a->maximum[r] = largest;
  a->total[r] = hfm__v_hmax(hfm__v_fma(hfm__v_set1(a->total[r]), hfm__v_set1(factor),
                                       hfm__v_set1(HFM__FN(row_exp)(x + begin, scale, largest, x + begin, end - begin))));
  return factor;
}

/* out = out * factor + sums, or the sums alone for the first tile. */
HFM__TARGET HFM__INLINE void HFM__FN(gather_row)(float *out, const float *sums, float factor, int32_t first,
                                                 int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(out + i, first ? hfm__v_load(sums + i) : hfm__v_fma(hfm__v_load(out + i), f, hfm__v_load(sums + i)));
  for (; i < n; i++) out[i] = first ? sums[i] : out[i] * factor + sums[i];
}

/* Rows r0 .. r0 + rows - 1 of the block. */
HFM__TARGET HFM__INLINE void HFM__FN(attend_step)(const hfm__attention *a, int64_t r0, int64_t rows) {
  float sums[HFM__MR * HFM__NR], factor[HFM__MR];
  const int64_t lds = (a->tile + HFM__NR - 1) / HFM__NR * HFM__NR;
  int64_t begin = a->tile, end = 0, r, j, d;
  hfm__ahead ahead;
  ahead.bytes = ahead.gap = 0;
  for (r = r0; r < r0 + rows; r++) {
    int64_t from, to;
    HFM__FN(seen)(a, r, &from, &to);
    if (from >= to) continue;
    begin = HFM__MIN(begin, from);
    end = HFM__MAX(end, to);
  }
  if (a->eager) {
    begin = 0;
    end = a->tile;
  }
  if (begin >= end) return;
  begin = begin / HFM__NR * HFM__NR;
  end = (end + HFM__NR - 1) / HFM__NR * HFM__NR;
  for (j = begin; j < end; j += HFM__NR) {
    const float *panel = a->k_panels + j * a->head;
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, a->head, a->q + r0 * a->ldq, a->ldq, panel, a->scores + j, lds, &ahead);
  }
  for (r = 0; r < rows; r++) {
    if (a->eager) HFM__FN(weigh_row_eager)(a, r0 + r, a->scores + r * lds, end);
    else factor[r] = HFM__FN(weigh_row)(a, r0 + r, a->scores + r * lds, begin, end);
  }
  for (d = 0; d < a->head; d += HFM__NR) {
    const float *panel = a->v_panels + d * a->tile + begin * HFM__NR;
    const int64_t used = HFM__MIN(end, a->tile) - begin, n = HFM__MIN(HFM__NR, a->head - d);
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, used, a->scores + begin, lds, panel, sums, HFM__NR, &ahead);
    for (r = 0; r < rows; r++)
      HFM__FN(gather_row)(a->out + (r0 + r) * a->ldo + d, sums + r * HFM__NR, a->eager ? 0.0f : factor[r], a->eager, n);
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(attention)(const hfm__attention *a) {
  const int64_t steps = (a->rows + HFM__MR - 1) / HFM__MR;
  int64_t s, r, first = 0;
  if (a->key0 == 0) {
    for (r = 0; r < a->rows; r++) {
      a->maximum[r] = -FLT_MAX;
      a->total[r] = 0.0f;
      memset(a->out + r * a->ldo, 0, (size_t)a->head * sizeof(float));
    }
  }
  for (s = 0; s < steps; s++) {
    const int64_t rows = (a->rows - first + steps - s - 1) / (steps - s);
    HFM__FN(attend_step)(a, first, rows);
    first += rows;
  }
  if (a->key0 + a->tile < a->keys || a->eager) return;
  for (r = 0; r < a->rows; r++)
    if (a->total[r] != 0.0f)
      HFM__FN(row_scale)(a->out + r * a->ldo, 1.0f / a->total[r], a->head);
}
/* ==== end src/cpu/kernel_attention.h ==== */

static const hfm__kernels HFM__FN(kernels) = {
  HFM__MR, HFM__NR,
#define HFM__KERNEL_ENTRY(name, parameters) HFM__FN(name),
  HFM__KERNEL_LIST(HFM__KERNEL_ENTRY)
#undef HFM__KERNEL_ENTRY
#ifdef hfm__v_dot_bf16
  HFM__FN(gemm_bf16), HFM__FN(narrow_bf16)
#else
  NULL, NULL
#endif
};

#undef HFM__NR
#undef HFM__W
#undef HFM__NV
#undef HFM__MR
#undef HFM__SUFFIX
#undef HFM__TARGET
#undef hfm__vf
#undef hfm__v_zero
#undef hfm__v_set1
#undef hfm__v_load
#undef hfm__v_load_n
#undef hfm__v_load_f16
#undef hfm__v_load_bf16
#undef hfm__v_store
#undef hfm__v_store_n
#undef hfm__v_add
#undef hfm__v_sub
#undef hfm__v_mul
#undef hfm__v_div
#undef hfm__v_fma
#undef hfm__v_float_fma
#undef hfm__v_max
#undef hfm__v_min
#undef hfm__v_round
#undef hfm__v_scale
#undef hfm__v_scale_down
#undef hfm__v_select_lt
#undef hfm__v_sum
#undef hfm__v_hmax
#undef hfm__v_transpose
#undef hfm__v_dot_bf16
#undef hfm__v_store_bf16
#undef HFM__TARGET_BF16
#undef hfm__v_prefetch
/* ==== end src/cpu/kernels.h ==== */
#endif

#if HFM__WITH_NEON
#define HFM__SUFFIX neon
#define HFM__TARGET
/* ==== begin src/cpu/vec_neon.h ==== */
/* ==== cpu/vec_neon (private): the vocabulary of vec_scalar.h on AArch64 NEON ==================================== */

#include <arm_neon.h>

#define HFM__W 4
#define HFM__NV 2
#define HFM__MR 8
#define hfm__vf float32x4_t
#define hfm__v_zero() vdupq_n_f32(0.0f)
#define hfm__v_set1(x) vdupq_n_f32(x)
#define hfm__v_load(p) vld1q_f32(p)
#define hfm__v_load_n(p, n) hfm__v4_load_n(p, n)
#define hfm__v_load_f16(p) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))
#define hfm__v_load_bf16(p) vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))
#define hfm__v_store(p, x) vst1q_f32(p, x)
#define hfm__v_store_n(p, x, n) hfm__v4_store_n(p, x, n)
#define hfm__v_add(a, b) vaddq_f32(a, b)
#define hfm__v_sub(a, b) vsubq_f32(a, b)
#define hfm__v_mul(a, b) vmulq_f32(a, b)
#define hfm__v_div(a, b) vdivq_f32(a, b)
#define hfm__v_fma(a, b, c) vfmaq_f32(c, a, b)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) hfm__v4_max(a, b)
#define hfm__v_min(a, b) hfm__v4_min(a, b)
#define hfm__v_round(x) vrndnq_f32(x)
#define hfm__v_scale(x, n) hfm__v4_scale(x, n)
#define hfm__v_scale_down(x, n) hfm__v4_scale_down(x, n)
#define hfm__v_select_lt(a, b, x, y) vbslq_f32(vcltq_f32(a, b), x, y)
#define hfm__v_sum(x) vaddvq_f32(x)
#define hfm__v_hmax(x) vmaxvq_f32(x)
#define hfm__v_transpose(r) hfm__v4_transpose(r)
#define hfm__v_prefetch(p) __builtin_prefetch(p, 0, 2)

HFM__INLINE float32x4_t hfm__v4_max(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
HFM__INLINE float32x4_t hfm__v4_min(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
HFM__INLINE float32x4_t hfm__v4_load_n(const float *p, int64_t n) {
  float t[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  int64_t i;
  for (i = 0; i < n; i++) t[i] = p[i];
  return vld1q_f32(t);
}
HFM__INLINE void hfm__v4_store_n(float *p, float32x4_t x, int64_t n) {
  float t[4];
  int64_t i;
  vst1q_f32(t, x);
  for (i = 0; i < n; i++) p[i] = t[i];
}
/* 2^n, n in -126..127 */
HFM__INLINE float32x4_t hfm__v4_power(int32x4_t n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
HFM__INLINE float32x4_t hfm__v4_scale(float32x4_t x, float32x4_t n) {
  const int32x4_t whole = vcvtnq_s32_f32(n), half = vshrq_n_s32(whole, 1);
  return vmulq_f32(vmulq_f32(x, hfm__v4_power(half)), hfm__v4_power(vsubq_s32(whole, half)));
}
HFM__INLINE float32x4_t hfm__v4_scale_down(float32x4_t x, float32x4_t n) {
  return vmulq_f32(x, hfm__v4_power(vcvtnq_s32_f32(n)));
}
HFM__INLINE void hfm__v4_transpose(float32x4_t *r) {
  const float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
  r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
  r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
  r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
  r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}
/* ==== end src/cpu/vec_neon.h ==== */
/* ==== begin src/cpu/kernels.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernels (private): every kernel, for one tier =========================================================
   Expanded once per tier: before it stand that tier's vec_*.h and the macros
     HFM__SUFFIX  ends the names of this expansion
     HFM__TARGET  the function attribute that lets the compiler use the tier's instructions
   A kernel is written once, over the vocabulary; nothing here asks which tier it is. Everything is undefined again at
   the end. */

#define HFM__NR (HFM__W * HFM__NV)

/* ==== begin src/cpu/kernel_math.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_math (private): exp, erf, tanh and the activations, a vector at a time ==========================
   NaN goes through all of them. Errors, tested over the whole range of floats: tanh, sigmoid, silu 1e-6 relative; gelu
   and its tanh forms 1e-6 relative plus 2.5e-7 of |x|, as 1 + erf cancels for negative x in torch too. */

#define HFM__SET(x) hfm__v_set1(x)

/* exp(x - n ln 2), |x - n ln 2| <= 0.35. ln 2 is in two parts, the first of few bits so that n times it is exact. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_fraction)(hfm__vf x, hfm__vf n) {
  const hfm__vf r = hfm__v_fma(n, HFM__SET(2.12194440e-4f), hfm__v_fma(n, HFM__SET(-0.693359375f), x));
  hfm__vf p = HFM__SET(1.9875691500e-4f);
  p = hfm__v_fma(p, r, HFM__SET(1.3981999507e-3f));
  p = hfm__v_fma(p, r, HFM__SET(8.3334519073e-3f));
  p = hfm__v_fma(p, r, HFM__SET(4.1665795894e-2f));
  p = hfm__v_fma(p, r, HFM__SET(1.6666665459e-1f));
  p = hfm__v_fma(p, r, HFM__SET(5.0000001201e-1f));
  return hfm__v_fma(p, hfm__v_mul(r, r), hfm__v_add(r, HFM__SET(1.0f)));
}

/* Within 1.5 units in the last place; 0 below the smallest normal float, infinity above the largest. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f);
  const hfm__vf t = hfm__v_min(HFM__SET(89.0f), hfm__v_max(low, x));
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale(HFM__FN(exp_fraction)(t, n), n));
}

/* exp(x) for x <= 0, cheaper; 0 below -87.3. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_negative)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f), t = hfm__v_max(low, x);
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale_down(HFM__FN(exp_fraction)(t, n), n));
}

/* x * P(x^2) / Q(x^2), 1 beyond 4. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(erf)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(4.0f), hfm__v_max(HFM__SET(-4.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.98571082e-06f), q = HFM__SET(3.74807675e-05f);
  p = hfm__v_fma(p, s, HFM__SET(0.000285894958f));
  q = hfm__v_fma(q, s, HFM__SET(0.00119579387f));
  p = hfm__v_fma(p, s, HFM__SET(0.00392128907f));
  q = hfm__v_fma(q, s, HFM__SET(0.015280583f));
  p = hfm__v_fma(p, s, HFM__SET(0.0532144552f));
  q = hfm__v_fma(q, s, HFM__SET(0.11569413f));
  p = hfm__v_fma(p, s, HFM__SET(0.194366624f));
  q = hfm__v_fma(q, s, HFM__SET(0.505584843f));
  p = hfm__v_fma(p, s, HFM__SET(1.12837906f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* x * P(x^2) / Q(x^2), 1 beyond 9. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(tanh)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(9.0f), hfm__v_max(HFM__SET(-9.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.32580396e-08f), q = HFM__SET(7.7348828e-07f);
  p = hfm__v_fma(p, s, HFM__SET(2.05320148e-05f));
  q = hfm__v_fma(q, s, HFM__SET(0.000327766126f));
  p = hfm__v_fma(p, s, HFM__SET(0.00349056053f));
  q = hfm__v_fma(q, s, HFM__SET(0.0258574689f));
  p = hfm__v_fma(p, s, HFM__SET(0.133766641f));
  q = hfm__v_fma(q, s, HFM__SET(0.467099692f));
  p = hfm__v_fma(p, s, HFM__SET(0.999999938f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* 1 / (1 + exp(-x)) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(sigmoid)(hfm__vf x) {
  const hfm__vf one = HFM__SET(1.0f);
  return hfm__v_div(one, hfm__v_add(one, HFM__FN(exp)(hfm__v_sub(hfm__v_zero(), x))));
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(gelu_tanh)(hfm__vf x) {
  const hfm__vf square = hfm__v_mul(x, x), half = hfm__v_mul(x, HFM__SET(0.5f));
  const hfm__vf inner = hfm__v_mul(x, hfm__v_fma(square, HFM__SET(0.035677408f), HFM__SET(0.7978845608f)));
  return hfm__v_fma(half, HFM__FN(tanh)(inner), half);
}

/* `activation` is a constant wherever this is inlined. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(activate)(const int32_t activation, hfm__vf x) {
  const hfm__vf half = hfm__v_mul(x, HFM__SET(0.5f));
  switch (activation) {
    case HFM__ACT_gelu: return hfm__v_fma(half, HFM__FN(erf)(hfm__v_mul(x, HFM__SET(0.70710678f))), half);
    case HFM__ACT_gelu_pytorch_tanh: return HFM__FN(gelu_tanh)(x);
    case HFM__ACT_quick_gelu: return hfm__v_mul(x, HFM__FN(sigmoid)(hfm__v_mul(x, HFM__SET(1.702f))));
    case HFM__ACT_relu: return hfm__v_max(hfm__v_zero(), x);
    case HFM__ACT_silu: return hfm__v_mul(x, HFM__FN(sigmoid)(x));
    case HFM__ACT_tanh: return HFM__FN(tanh)(x);
    case HFM__ACT_sigmoid: return HFM__FN(sigmoid)(x);
    default: return x;
  }
}

#undef HFM__SET
/* ==== end src/cpu/kernel_math.h ==== */
/* ==== begin src/cpu/kernel_rows.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_rows (private): kernels on one row of n floats: norms, softmax, activations, sums ===============
   Every sum has one order, fixed by n alone: lanes W apart, then the lanes, then what is left over one by one. */

HFM__TARGET HFM__INLINE void HFM__FN(unary_as)(const int32_t activation, const float *x, float *y, int64_t n) {
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, HFM__FN(activate)(activation, hfm__v_load(x + i)));
  if (i < n) hfm__v_store_n(y + i, HFM__FN(activate)(activation, hfm__v_load_n(x + i, n - i)), n - i);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(unary)(int32_t activation, const float *x, float *y, int64_t n) {
  switch (activation) {
#define HFM__UNARY_CASE(name) case HFM__ACT_##name: HFM__FN(unary_as)(HFM__ACT_##name, x, y, n); break;
    HFM__UNARY_CASE(gelu)
    case HFM__ACT_gelu_new:
    case HFM__ACT_gelu_fast: /* the same function, written down differently */
    HFM__UNARY_CASE(gelu_pytorch_tanh)
    HFM__UNARY_CASE(quick_gelu)
    HFM__UNARY_CASE(relu)
    HFM__UNARY_CASE(silu)
    HFM__UNARY_CASE(tanh)
    HFM__UNARY_CASE(sigmoid)
#undef HFM__UNARY_CASE
    default: HFM__FN(unary_as)(HFM__ACT_none, x, y, n); break;
  }
}

/* y = a + b, or a + b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(add)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* y = a * b, or a * b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(mul)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* f16 or bf16 to f32 */
HFM__TARGET HFM__PRIVATE void HFM__FN(widen)(int32_t dtype, const void *src, float *dst, int64_t n) {
  const uint16_t *from = (const uint16_t *)src;
  int64_t i = 0;
  if (dtype == HFM_BF16) {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_bf16(from + i));
    for (; i < n; i++) dst[i] = hfm__bf16_bits(hfm__load_u16(from + i));
  } else {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_f16(from + i));
    for (; i < n; i++) dst[i] = hfm__half_bits(hfm__load_u16(from + i));
  }
}

HFM__TARGET HFM__INLINE float HFM__FN(row_sum)(const float *x, int64_t n) {
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    s0 = hfm__v_add(s0, hfm__v_load(x + i));
    s1 = hfm__v_add(s1, hfm__v_load(x + i + HFM__W));
    s2 = hfm__v_add(s2, hfm__v_load(x + i + 2 * HFM__W));
    s3 = hfm__v_add(s3, hfm__v_load(x + i + 3 * HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) s0 = hfm__v_add(s0, hfm__v_load(x + i));
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += x[i];
  return sum;
}

/* Sum of (x - mean)^2 */
HFM__TARGET HFM__INLINE float HFM__FN(row_square_sum)(const float *x, float mean, int64_t n) {
  const hfm__vf m = hfm__v_set1(mean);
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0, d;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
    d = hfm__v_sub(hfm__v_load(x + i + HFM__W), m);
    s1 = hfm__v_fma(d, d, s1);
    d = hfm__v_sub(hfm__v_load(x + i + 2 * HFM__W), m);
    s2 = hfm__v_fma(d, d, s2);
    d = hfm__v_sub(hfm__v_load(x + i + 3 * HFM__W), m);
    s3 = hfm__v_fma(d, d, s3);
  }
  for (; i + HFM__W <= n; i += HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
  }
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

/* Two passes, because E[x^2] - E[x]^2 loses everything where the mean is large. weight and bias may be NULL. */
HFM__TARGET HFM__PRIVATE void HFM__FN(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon,
                                                  float *y, int64_t n) {
  const float mean = HFM__FN(row_sum)(x, n) / (float)n;
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, mean, n) / (float)n + epsilon);
  const hfm__vf m = hfm__v_set1(mean), s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) {
    hfm__vf v = hfm__v_mul(hfm__v_sub(hfm__v_load(x + i), m), s);
    if (weight) v = hfm__v_mul(v, hfm__v_load(weight + i));
    if (bias) v = hfm__v_add(v, hfm__v_load(bias + i));
    hfm__v_store(y + i, v);
  }
  for (; i < n; i++) y[i] = (x[i] - mean) * scale * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(rms_norm)(const float *x, const float *weight, float epsilon, float *y,
                                                int64_t n) {
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, 0.0f, n) / (float)n + epsilon);
  const hfm__vf s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(y + i, hfm__v_mul(hfm__v_mul(hfm__v_load(x + i), s), hfm__v_load(weight + i)));
  for (; i < n; i++) y[i] = x[i] * scale * weight[i];
}

/* The largest of n > 0 floats. */
HFM__TARGET HFM__INLINE float HFM__FN(row_max)(const float *x, int64_t n) {
  float largest = x[0];
  hfm__vf m0 = hfm__v_set1(largest), m1 = m0;
  int64_t i = 0;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    m0 = hfm__v_max(m0, hfm__v_load(x + i));
    m1 = hfm__v_max(m1, hfm__v_load(x + i + HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) m0 = hfm__v_max(m0, hfm__v_load(x + i));
  largest = hfm__v_hmax(hfm__v_max(m0, m1));
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/* y = exp(x * scale - largest) and its sum, for x * scale <= largest. */
HFM__TARGET HFM__INLINE float HFM__FN(row_exp)(const float *x, float scale, float largest, float *y, int64_t n) {
  const hfm__vf f = hfm__v_set1(scale), m = hfm__v_set1(-largest);
  hfm__vf s0 = hfm__v_zero(), s1 = s0;
  int64_t i = 0, j;
  float sum;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    const hfm__vf b = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i + HFM__W), f, m));
    hfm__v_store(y + i, a);
    hfm__v_store(y + i + HFM__W, b);
    s0 = hfm__v_add(s0, a);
    s1 = hfm__v_add(s1, b);
  }
  if (i + HFM__W <= n) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    hfm__v_store(y + i, a);
    s0 = hfm__v_add(s0, a);
    i += HFM__W;
  }
  sum = hfm__v_sum(hfm__v_add(s0, s1));
  if (i < n) {
    hfm__v_store_n(y + i, HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load_n(x + i, n - i), f, m)), n - i);
    for (j = i; j < n; j++) sum += y[j];
  }
  return sum;
}

HFM__TARGET HFM__INLINE void HFM__FN(row_scale)(float *x, float factor, int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(x + i, hfm__v_mul(hfm__v_load(x + i), f));
  for (; i < n; i++) x[i] *= factor;
}

/* In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(softmax)(const float *x, float *y, int64_t n) {
  if (n <= 0) return;
  HFM__FN(row_scale)(y, 1.0f / HFM__FN(row_exp)(x, 1.0f, HFM__FN(row_max)(x, n), y, n), n);
}

/* The two halves of a head as real and imaginary parts, turned by the angles. In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(rotary)(const float *x, const float *cosines, const float *sines, float *y,
                                              int64_t half) {
  int64_t i = 0;
  for (; i + HFM__W <= half; i += HFM__W) {
    const hfm__vf c = hfm__v_load(cosines + i), s = hfm__v_load(sines + i);
    const hfm__vf a = hfm__v_load(x + i), b = hfm__v_load(x + half + i);
    hfm__v_store(y + i, hfm__v_sub(hfm__v_mul(a, c), hfm__v_mul(b, s)));
    hfm__v_store(y + half + i, hfm__v_add(hfm__v_mul(b, c), hfm__v_mul(a, s)));
  }
  for (; i < half; i++) {
    const float a = x[i], b = x[half + i];
    y[i] = a * cosines[i] - b * sines[i];
    y[half + i] = b * cosines[i] + a * sines[i];
  }
}
/* ==== end src/cpu/kernel_rows.h ==== */
/* ==== begin src/cpu/kernel_gemm.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_gemm (private): panels and the products over them ===============================================
   A tile is up to MR rows by NR columns, its sums in registers. They are named one by one: clang spills arrays. The
   products themselves are in kernel_tile.h, once for f32 and, where a tier has it, once for pairs of bf16. */

#if HFM__NV == 2
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1)
#define HFM__WEIGHTS(M) M(0) M(1)
#elif HFM__NV == 4
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1) M(i, 2) M(i, 3)
#define HFM__WEIGHTS(M) M(0) M(1) M(2) M(3)
#endif
#if HFM__MR == 4
#define HFM__ROWS(M) M(0) M(1) M(2) M(3)
#elif HFM__MR == 6
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#elif HFM__MR == 8
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#endif

/* out = activation(sums + bias) + residual for a tile, in up to three passes over sums, which are in the first cache. */
HFM__TARGET HFM__NOINLINE void HFM__FN(finish)(const hfm__gemm *g, float *sums, int64_t row, int64_t rows,
                                               int64_t column) {
  const int64_t n = HFM__MIN(g->n - column, HFM__NR);
  int64_t r, i;
  if (g->bias)
    for (r = 0; r < rows; r++) HFM__FN(add)(sums + r * HFM__NR, g->bias + column, 0, sums + r * HFM__NR, n);
  if (g->activation) HFM__FN(unary)(g->activation, sums, sums, rows * HFM__NR);
  for (r = 0; r < rows; r++) {
    const float *from = sums + r * HFM__NR;
    float *to = g->out + (row + r) * g->ldo + column;
    if (g->residual) {
      HFM__FN(add)(from, g->residual + (row + r) * g->ldr + column, 0, to, n);
    } else {
      for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store(to + i, hfm__v_load(from + i));
      if (i < n) hfm__v_store_n(to + i, hfm__v_load(from + i), n - i);
    }
  }
}

#define HFM__TILE_TARGET HFM__TARGET
#define HFM__GEMM(name) HFM__FN(name)
#define HFM__FACTOR(p) hfm__v_set1(*(p))
#define HFM__PRODUCT(x, w, c) hfm__v_float_fma(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

#ifdef hfm__v_dot_bf16
#define HFM__TILE_TARGET HFM__TARGET_BF16
#define HFM__GEMM(name) HFM__FN(name##_bf16)
#define HFM__FACTOR(p) hfm__v_set1(hfm__load_f32(p))
#define HFM__PRODUCT(x, w, c) hfm__v_dot_bf16(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

/* Rounds n floats, an even number, to n / 2 units of two bf16. */
HFM__TARGET_BF16 HFM__PRIVATE void HFM__FN(narrow_bf16)(const float *x, void *pairs, int64_t n) {
  uint16_t *to = (uint16_t *)pairs;
  int64_t i;
  for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store_bf16(to + i, hfm__v_load(x + i));
  for (; i < n; i++) hfm__store_bf16(to + i, x[i]);
}
#endif
#undef HFM__COLUMNS
#undef HFM__WEIGHTS
#undef HFM__ROWS

/* ---- Packing ---- */

HFM__TARGET HFM__INLINE hfm__vf HFM__FN(load_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__v_load((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__v_load_bf16((const uint16_t *)p + i);
  return hfm__v_load_f16((const uint16_t *)p + i);
}

HFM__TARGET HFM__INLINE float HFM__FN(load_one_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__load_f32((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__bf16_bits(hfm__load_u16((const uint16_t *)p + i));
  return hfm__half_bits(hfm__load_u16((const uint16_t *)p + i));
}

/* Squares of W by W are turned in registers; what does not fill a square goes one by one. */
HFM__TARGET HFM__INLINE void HFM__FN(pack_rows_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k, i;
  for (n = 0; n + HFM__W <= p->n; n += HFM__W) {
    for (k = 0; k + HFM__W <= p->k; k += HFM__W) {
      hfm__vf r[HFM__W];
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) r[i] = HFM__FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(p->panel + (k + i) * HFM__NR + n, r[i]);
    }
    for (; k < p->k; k++)
      for (i = 0; i < HFM__W; i++)
        p->panel[k * HFM__NR + n + i] = HFM__FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++)
    for (k = 0; k < p->k; k++)
      p->panel[k * HFM__NR + n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
}

HFM__TARGET HFM__INLINE void HFM__FN(pack_columns_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k;
  for (k = 0; k < p->k; k++) {
    float *to = p->panel + k * HFM__NR;
    for (n = 0; n + HFM__W <= p->n; n += HFM__W)
      hfm__v_store(to + n, HFM__FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++) to[n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack)(const hfm__pack *p) {
  if (p->dtype == HFM_F32) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F32, p);
    else HFM__FN(pack_rows_as)(HFM_F32, p);
  } else if (p->dtype == HFM_BF16) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_BF16, p);
    else HFM__FN(pack_rows_as)(HFM_BF16, p);
  } else {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F16, p);
    else HFM__FN(pack_rows_as)(HFM_F16, p);
  }
}

/* ---- One row ---- */

/* Dot products of 4 weight rows `apart` from each other, or of one. Each row sums in two vectors, or in one where that
   is 16 wide, or a single element: then nothing is left over. */
HFM__TARGET HFM__INLINE void HFM__FN(dots_as)(const int32_t dtype, const int rows, const hfm__gemv *g, int64_t row) {
  const int two = HFM__W > 1 && HFM__W < 16;
  const int64_t apart = g->apart, k = g->k, step = two ? 2 * HFM__W : HFM__W, end = k / step * step;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x;
  const void *w = g->weight;
  hfm__vf a0 = hfm__v_zero(), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  float s0, s1, s2, s3;
  int64_t i;
  for (i = 0; i < end; i += step) {
    const hfm__vf p = hfm__v_load(x + i);
    a0 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w0 + i), a0);
    if (rows == 4) {
      a1 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w1 + i), a1);
      a2 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w2 + i), a2);
      a3 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w3 + i), a3);
    }
    if (two) {
      const hfm__vf q = hfm__v_load(x + i + HFM__W);
      b0 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w0 + i + HFM__W), b0);
      if (rows == 4) {
        b1 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w1 + i + HFM__W), b1);
        b2 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w2 + i + HFM__W), b2);
        b3 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w3 + i + HFM__W), b3);
      }
    }
  }
  s0 = hfm__v_sum(hfm__v_add(a0, b0));
  s1 = hfm__v_sum(hfm__v_add(a1, b1));
  s2 = hfm__v_sum(hfm__v_add(a2, b2));
  s3 = hfm__v_sum(hfm__v_add(a3, b3));
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    if (rows == 4) {
      s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
      s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
      s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
    }
  }
  g->out[row] = s0;
  if (rows == 4) {
    g->out[row + apart] = s1;
    g->out[row + 2 * apart] = s2;
    g->out[row + 3 * apart] = s3;
  }
}

HFM__TARGET HFM__INLINE void HFM__FN(gemv_as)(const int32_t dtype, const hfm__gemv *g) {
  int64_t row;
  if (g->apart > 0)
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 4, g, row);
  else
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 1, g, row);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  if (g->dtype == HFM_F32) HFM__FN(gemv_as)(HFM_F32, g);
  else if (g->dtype == HFM_BF16) HFM__FN(gemv_as)(HFM_BF16, g);
  else HFM__FN(gemv_as)(HFM_F16, g);
}
/* ==== end src/cpu/kernel_gemm.h ==== */
/* ==== begin src/cpu/kernel_attention.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_attention (private): a block of queries against a tile of keys ==================================
   Up to MR query rows at a time: their scores stay in the caches between the two products. Ranges that no row of the
   step can see are skipped, panel by panel; inside, what a row can't see gets weight 0, which changes no sum. So the
   bits of a row depend only on where the tiles begin, never on its neighbours. */

/* Keys of the tile that query row r of the block sees, causal rule and window only: [*from, *to). */
HFM__TARGET HFM__INLINE void HFM__FN(seen)(const hfm__attention *a, int64_t r, int64_t *from, int64_t *to) {
  const int64_t last = a->row0 + r + a->keys - a->queries; /* the key on the diagonal */
  int64_t low = 0, high = a->keys;
  if (a->causal) high = HFM__MIN(high, last + 1);
  if (a->window > 0) low = HFM__MAX(low, last - a->window + 1);
  low = HFM__MIN(HFM__MAX(low - a->key0, 0), a->tile);
  high = HFM__MIN(HFM__MAX(high - a->key0, 0), a->tile);
  *from = low;
  *to = HFM__MAX(low, high);
}

/* Adds the mask, if there is one, and puts -FLT_MAX where the row sees nothing in [begin, end). `scale` is what scores
   are still to be multiplied by afterwards; returns the maximum of scores times it. */
HFM__TARGET HFM__INLINE float HFM__FN(mask_row)(const hfm__attention *a, float *x, int64_t begin, int64_t end,
                                                int64_t from, int64_t to, float *scale) {
  const int later = a->scale > 1e-6f; /* with a mask as without one: a mask of ones changes no bit */
  const hfm__vf f = hfm__v_set1(later ? 1.0f : a->scale);
  int64_t j;
  *scale = later ? a->scale : 1.0f;
  if (a->mask || !later) {
    for (j = begin; j + HFM__W <= to; j += HFM__W) {
      const hfm__vf m = a->mask ? hfm__v_load(a->mask + j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m));
    }
    if (j < to) {
      const hfm__vf m = a->mask ? hfm__v_load_n(a->mask + j, to - j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m)); /* scores reach up to a whole panel */
    }
  }
  for (j = begin; j < from; j++) x[j] = -FLT_MAX;
  for (j = to; j < end; j++) x[j] = -FLT_MAX;
  return HFM__FN(row_max)(x + begin, end - begin) * *scale;
}

/* The maximum ignores NaN. A row in which it found nothing but masked keys is either masked, or NaN. */
HFM__TARGET HFM__INLINE int HFM__FN(all_masked)(const float *x, float largest, float scale, int64_t from, int64_t to) {
  int64_t j;
  if (largest >= -1e38f * scale) return 0;
  for (j = from; j < to; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0;
  }
  return 1;
}

/* eager: weights normalised at once, and uniform over all keys, causal or not, where nothing is seen. */
HFM__TARGET HFM__INLINE void HFM__FN(weigh_row_eager)(const hfm__attention *a, int64_t r, float *x, int64_t end) {
  float largest, total, scale;
  int64_t from, to, j;
  HFM__FN(seen)(a, r, &from, &to);
  largest = HFM__FN(mask_row)(a, x, 0, end, from, to, &scale);
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    total = (float)a->keys;
    for (j = 0; j < end; j++) x[j] = j < a->keys ? 1.0f : 0.0f;
  } else {
    total = HFM__FN(row_exp)(x, scale, largest, x, end);
  }
  HFM__FN(row_scale)(x, 1.0f / total, end);
  if (a->probabilities) memcpy(a->probabilities + r * a->keys, x, (size_t)a->keys * sizeof(float));
}

/* Scores to weights for one row; its running maximum and total follow. Returns what the row's sums so far are to be
   multiplied by. */
HFM__TARGET HFM__INLINE float HFM__FN(weigh_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                 int64_t end) {
  const float before = a->maximum[r];
  float largest, factor, scale = 1.0f;
  int64_t from, to;
  HFM__FN(seen)(a, r, &from, &to);
  largest = from < to ? HFM__FN(mask_row)(a, x, begin, end, from, to, &scale) : -FLT_MAX;
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    memset(x + begin, 0, (size_t)(end - begin) * sizeof(float));
    return 1.0f;
  }
  largest = before > largest ? before : largest;
  factor = hfm__v_hmax(HFM__FN(exp_negative)(hfm__v_set1(before - largest)));
  a->maximum[r] = largest;
  a->total[r] = hfm__v_hmax(hfm__v_fma(hfm__v_set1(a->total[r]), hfm__v_set1(factor),
                                       hfm__v_set1(HFM__FN(row_exp)(x + begin, scale, largest, x + begin, end - begin))));
  return factor;
}

/* out = out * factor + sums, or the sums alone for the first tile. */
HFM__TARGET HFM__INLINE void HFM__FN(gather_row)(float *out, const float *sums, float factor, int32_t first,
                                                 int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(out + i, first ? hfm__v_load(sums + i) : hfm__v_fma(hfm__v_load(out + i), f, hfm__v_load(sums + i)));
  for (; i < n; i++) out[i] = first ? sums[i] : out[i] * factor + sums[i];
}

/* Rows r0 .. r0 + rows - 1 of the block. */
HFM__TARGET HFM__INLINE void HFM__FN(attend_step)(const hfm__attention *a, int64_t r0, int64_t rows) {
  float sums[HFM__MR * HFM__NR], factor[HFM__MR];
  const int64_t lds = (a->tile + HFM__NR - 1) / HFM__NR * HFM__NR;
  int64_t begin = a->tile, end = 0, r, j, d;
  hfm__ahead ahead;
  ahead.bytes = ahead.gap = 0;
  for (r = r0; r < r0 + rows; r++) {
    int64_t from, to;
    HFM__FN(seen)(a, r, &from, &to);
    if (from >= to) continue;
    begin = HFM__MIN(begin, from);
    end = HFM__MAX(end, to);
  }
  if (a->eager) {
    begin = 0;
    end = a->tile;
  }
  if (begin >= end) return;
  begin = begin / HFM__NR * HFM__NR;
  end = (end + HFM__NR - 1) / HFM__NR * HFM__NR;
  for (j = begin; j < end; j += HFM__NR) {
    const float *panel = a->k_panels + j * a->head;
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, a->head, a->q + r0 * a->ldq, a->ldq, panel, a->scores + j, lds, &ahead);
  }
  for (r = 0; r < rows; r++) {
    if (a->eager) HFM__FN(weigh_row_eager)(a, r0 + r, a->scores + r * lds, end);
    else factor[r] = HFM__FN(weigh_row)(a, r0 + r, a->scores + r * lds, begin, end);
  }
  for (d = 0; d < a->head; d += HFM__NR) {
    const float *panel = a->v_panels + d * a->tile + begin * HFM__NR;
    const int64_t used = HFM__MIN(end, a->tile) - begin, n = HFM__MIN(HFM__NR, a->head - d);
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, used, a->scores + begin, lds, panel, sums, HFM__NR, &ahead);
    for (r = 0; r < rows; r++)
      HFM__FN(gather_row)(a->out + (r0 + r) * a->ldo + d, sums + r * HFM__NR, a->eager ? 0.0f : factor[r], a->eager, n);
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(attention)(const hfm__attention *a) {
  const int64_t steps = (a->rows + HFM__MR - 1) / HFM__MR;
  int64_t s, r, first = 0;
  if (a->key0 == 0) {
    for (r = 0; r < a->rows; r++) {
      a->maximum[r] = -FLT_MAX;
      a->total[r] = 0.0f;
      memset(a->out + r * a->ldo, 0, (size_t)a->head * sizeof(float));
    }
  }
  for (s = 0; s < steps; s++) {
    const int64_t rows = (a->rows - first + steps - s - 1) / (steps - s);
    HFM__FN(attend_step)(a, first, rows);
    first += rows;
  }
  if (a->key0 + a->tile < a->keys || a->eager) return;
  for (r = 0; r < a->rows; r++)
    if (a->total[r] != 0.0f)
      HFM__FN(row_scale)(a->out + r * a->ldo, 1.0f / a->total[r], a->head);
}
/* ==== end src/cpu/kernel_attention.h ==== */

static const hfm__kernels HFM__FN(kernels) = {
  HFM__MR, HFM__NR,
#define HFM__KERNEL_ENTRY(name, parameters) HFM__FN(name),
  HFM__KERNEL_LIST(HFM__KERNEL_ENTRY)
#undef HFM__KERNEL_ENTRY
#ifdef hfm__v_dot_bf16
  HFM__FN(gemm_bf16), HFM__FN(narrow_bf16)
#else
  NULL, NULL
#endif
};

#undef HFM__NR
#undef HFM__W
#undef HFM__NV
#undef HFM__MR
#undef HFM__SUFFIX
#undef HFM__TARGET
#undef hfm__vf
#undef hfm__v_zero
#undef hfm__v_set1
#undef hfm__v_load
#undef hfm__v_load_n
#undef hfm__v_load_f16
#undef hfm__v_load_bf16
#undef hfm__v_store
#undef hfm__v_store_n
#undef hfm__v_add
#undef hfm__v_sub
#undef hfm__v_mul
#undef hfm__v_div
#undef hfm__v_fma
#undef hfm__v_float_fma
#undef hfm__v_max
#undef hfm__v_min
#undef hfm__v_round
#undef hfm__v_scale
#undef hfm__v_scale_down
#undef hfm__v_select_lt
#undef hfm__v_sum
#undef hfm__v_hmax
#undef hfm__v_transpose
#undef hfm__v_dot_bf16
#undef hfm__v_store_bf16
#undef HFM__TARGET_BF16
#undef hfm__v_prefetch
/* ==== end src/cpu/kernels.h ==== */
#endif

#if HFM__WITH_WASM
#define HFM__SUFFIX wasm
#define HFM__TARGET
/* ==== begin src/cpu/vec_wasm.h ==== */
/* ==== cpu/vec_wasm (private): the vocabulary of vec_scalar.h on WebAssembly SIMD128 =============================
   There is no fused multiply-add in the base proposal. More than 9 accumulators spill in today's engines. */

#include <wasm_simd128.h>

#define HFM__W 4
#define HFM__NV 2
#define HFM__MR 4
#define hfm__vf v128_t
#define hfm__v_zero() wasm_f32x4_const(0.0f, 0.0f, 0.0f, 0.0f)
#define hfm__v_set1(x) wasm_f32x4_splat(x)
#define hfm__v_load(p) wasm_v128_load(p)
#define hfm__v_load_n(p, n) hfm__v4_load_n(p, n)
#define hfm__v_load_f16(p) hfm__v4_load_f16(p)
#define hfm__v_load_bf16(p) wasm_i32x4_shl(wasm_u32x4_load16x4(p), 16)
#define hfm__v_store(p, x) wasm_v128_store(p, x)
#define hfm__v_store_n(p, x, n) hfm__v4_store_n(p, x, n)
#define hfm__v_add(a, b) wasm_f32x4_add(a, b)
#define hfm__v_sub(a, b) wasm_f32x4_sub(a, b)
#define hfm__v_mul(a, b) wasm_f32x4_mul(a, b)
#define hfm__v_div(a, b) wasm_f32x4_div(a, b)
#define hfm__v_fma(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#define hfm__v_float_fma(a, b, c) hfm__v_fma(a, b, c)
#define hfm__v_max(a, b) wasm_f32x4_pmax(b, a)
#define hfm__v_min(a, b) wasm_f32x4_pmin(b, a)
#define hfm__v_round(x) wasm_f32x4_nearest(x)
#define hfm__v_scale(x, n) hfm__v4_scale(x, n)
#define hfm__v_scale_down(x, n) hfm__v4_scale_down(x, n)
#define hfm__v_select_lt(a, b, x, y) wasm_v128_bitselect(x, y, wasm_f32x4_lt(a, b))
#define hfm__v_sum(x) hfm__v4_sum(x)
#define hfm__v_hmax(x) hfm__v4_hmax(x)
#define hfm__v_transpose(r) hfm__v4_transpose(r)
#define hfm__v_prefetch(p) (void)(p)

HFM__INLINE v128_t hfm__v4_load_n(const float *p, int64_t n) {
  float t[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  int64_t i;
  for (i = 0; i < n; i++) t[i] = p[i];
  return wasm_v128_load(t);
}
HFM__INLINE void hfm__v4_store_n(float *p, v128_t x, int64_t n) {
  float t[4];
  int64_t i;
  wasm_v128_store(t, x);
  for (i = 0; i < n; i++) p[i] = t[i];
}
/* As hfm__half_bits. */
HFM__INLINE v128_t hfm__v4_load_f16(const uint16_t *p) {
  const v128_t h = wasm_u32x4_load16x4(p), rest = wasm_v128_and(h, wasm_i32x4_const_splat(0x7fff));
  const v128_t sign = wasm_i32x4_shl(wasm_v128_and(h, wasm_i32x4_const_splat(0x8000)), 16);
  const v128_t special = wasm_v128_and(wasm_i32x4_gt(rest, wasm_i32x4_const_splat(0x7bff)),
                                       wasm_i32x4_const_splat(0x7f800000));
  const v128_t value = wasm_f32x4_mul(wasm_i32x4_shl(rest, 13), wasm_f32x4_splat(5.192296858534828e33f));
  return wasm_v128_or(wasm_v128_or(value, sign), special);
}
/* 2^n, n in -126..127 */
HFM__INLINE v128_t hfm__v4_power(v128_t n) {
  return wasm_i32x4_shl(wasm_i32x4_add(n, wasm_i32x4_const_splat(127)), 23);
}
HFM__INLINE v128_t hfm__v4_scale(v128_t x, v128_t n) {
  const v128_t whole = wasm_i32x4_trunc_sat_f32x4(n), half = wasm_i32x4_shr(whole, 1);
  return wasm_f32x4_mul(wasm_f32x4_mul(x, hfm__v4_power(half)), hfm__v4_power(wasm_i32x4_sub(whole, half)));
}
HFM__INLINE v128_t hfm__v4_scale_down(v128_t x, v128_t n) {
  return wasm_f32x4_mul(x, hfm__v4_power(wasm_i32x4_trunc_sat_f32x4(n)));
}
HFM__INLINE float hfm__v4_sum(v128_t v) {
  const v128_t s = wasm_f32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(s, 0) + wasm_f32x4_extract_lane(s, 1);
}
HFM__INLINE float hfm__v4_hmax(v128_t v) {
  const v128_t s = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  return HFM__MAX(wasm_f32x4_extract_lane(s, 0), wasm_f32x4_extract_lane(s, 1));
}
HFM__INLINE void hfm__v4_transpose(v128_t *r) {
  const v128_t a = wasm_i32x4_shuffle(r[0], r[1], 0, 4, 1, 5), b = wasm_i32x4_shuffle(r[0], r[1], 2, 6, 3, 7);
  const v128_t c = wasm_i32x4_shuffle(r[2], r[3], 0, 4, 1, 5), d = wasm_i32x4_shuffle(r[2], r[3], 2, 6, 3, 7);
  r[0] = wasm_i32x4_shuffle(a, c, 0, 1, 4, 5);
  r[1] = wasm_i32x4_shuffle(a, c, 2, 3, 6, 7);
  r[2] = wasm_i32x4_shuffle(b, d, 0, 1, 4, 5);
  r[3] = wasm_i32x4_shuffle(b, d, 2, 3, 6, 7);
}
/* ==== end src/cpu/vec_wasm.h ==== */
/* ==== begin src/cpu/kernels.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernels (private): every kernel, for one tier =========================================================
   Expanded once per tier: before it stand that tier's vec_*.h and the macros
     HFM__SUFFIX  ends the names of this expansion
     HFM__TARGET  the function attribute that lets the compiler use the tier's instructions
   A kernel is written once, over the vocabulary; nothing here asks which tier it is. Everything is undefined again at
   the end. */

#define HFM__NR (HFM__W * HFM__NV)

/* ==== begin src/cpu/kernel_math.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_math (private): exp, erf, tanh and the activations, a vector at a time ==========================
   NaN goes through all of them. Errors, tested over the whole range of floats: tanh, sigmoid, silu 1e-6 relative; gelu
   and its tanh forms 1e-6 relative plus 2.5e-7 of |x|, as 1 + erf cancels for negative x in torch too. */

#define HFM__SET(x) hfm__v_set1(x)

/* exp(x - n ln 2), |x - n ln 2| <= 0.35. ln 2 is in two parts, the first of few bits so that n times it is exact. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_fraction)(hfm__vf x, hfm__vf n) {
  const hfm__vf r = hfm__v_fma(n, HFM__SET(2.12194440e-4f), hfm__v_fma(n, HFM__SET(-0.693359375f), x));
  hfm__vf p = HFM__SET(1.9875691500e-4f);
  p = hfm__v_fma(p, r, HFM__SET(1.3981999507e-3f));
  p = hfm__v_fma(p, r, HFM__SET(8.3334519073e-3f));
  p = hfm__v_fma(p, r, HFM__SET(4.1665795894e-2f));
  p = hfm__v_fma(p, r, HFM__SET(1.6666665459e-1f));
  p = hfm__v_fma(p, r, HFM__SET(5.0000001201e-1f));
  return hfm__v_fma(p, hfm__v_mul(r, r), hfm__v_add(r, HFM__SET(1.0f)));
}

/* Within 1.5 units in the last place; 0 below the smallest normal float, infinity above the largest. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f);
  const hfm__vf t = hfm__v_min(HFM__SET(89.0f), hfm__v_max(low, x));
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale(HFM__FN(exp_fraction)(t, n), n));
}

/* exp(x) for x <= 0, cheaper; 0 below -87.3. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(exp_negative)(hfm__vf x) {
  const hfm__vf low = HFM__SET(-87.33654f), t = hfm__v_max(low, x);
  const hfm__vf n = hfm__v_round(hfm__v_mul(t, HFM__SET(1.44269504f)));
  return hfm__v_select_lt(x, low, hfm__v_zero(), hfm__v_scale_down(HFM__FN(exp_fraction)(t, n), n));
}

/* x * P(x^2) / Q(x^2), 1 beyond 4. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(erf)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(4.0f), hfm__v_max(HFM__SET(-4.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.98571082e-06f), q = HFM__SET(3.74807675e-05f);
  p = hfm__v_fma(p, s, HFM__SET(0.000285894958f));
  q = hfm__v_fma(q, s, HFM__SET(0.00119579387f));
  p = hfm__v_fma(p, s, HFM__SET(0.00392128907f));
  q = hfm__v_fma(q, s, HFM__SET(0.015280583f));
  p = hfm__v_fma(p, s, HFM__SET(0.0532144552f));
  q = hfm__v_fma(q, s, HFM__SET(0.11569413f));
  p = hfm__v_fma(p, s, HFM__SET(0.194366624f));
  q = hfm__v_fma(q, s, HFM__SET(0.505584843f));
  p = hfm__v_fma(p, s, HFM__SET(1.12837906f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* x * P(x^2) / Q(x^2), 1 beyond 9. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(tanh)(hfm__vf x) {
  const hfm__vf z = hfm__v_min(HFM__SET(9.0f), hfm__v_max(HFM__SET(-9.0f), x)), s = hfm__v_mul(z, z);
  hfm__vf p = HFM__SET(1.32580396e-08f), q = HFM__SET(7.7348828e-07f);
  p = hfm__v_fma(p, s, HFM__SET(2.05320148e-05f));
  q = hfm__v_fma(q, s, HFM__SET(0.000327766126f));
  p = hfm__v_fma(p, s, HFM__SET(0.00349056053f));
  q = hfm__v_fma(q, s, HFM__SET(0.0258574689f));
  p = hfm__v_fma(p, s, HFM__SET(0.133766641f));
  q = hfm__v_fma(q, s, HFM__SET(0.467099692f));
  p = hfm__v_fma(p, s, HFM__SET(0.999999938f));
  q = hfm__v_fma(q, s, HFM__SET(1.0f));
  return hfm__v_div(hfm__v_mul(z, p), q);
}

/* 1 / (1 + exp(-x)) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(sigmoid)(hfm__vf x) {
  const hfm__vf one = HFM__SET(1.0f);
  return hfm__v_div(one, hfm__v_add(one, HFM__FN(exp)(hfm__v_sub(hfm__v_zero(), x))));
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(gelu_tanh)(hfm__vf x) {
  const hfm__vf square = hfm__v_mul(x, x), half = hfm__v_mul(x, HFM__SET(0.5f));
  const hfm__vf inner = hfm__v_mul(x, hfm__v_fma(square, HFM__SET(0.035677408f), HFM__SET(0.7978845608f)));
  return hfm__v_fma(half, HFM__FN(tanh)(inner), half);
}

/* `activation` is a constant wherever this is inlined. */
HFM__TARGET HFM__INLINE hfm__vf HFM__FN(activate)(const int32_t activation, hfm__vf x) {
  const hfm__vf half = hfm__v_mul(x, HFM__SET(0.5f));
  switch (activation) {
    case HFM__ACT_gelu: return hfm__v_fma(half, HFM__FN(erf)(hfm__v_mul(x, HFM__SET(0.70710678f))), half);
    case HFM__ACT_gelu_pytorch_tanh: return HFM__FN(gelu_tanh)(x);
    case HFM__ACT_quick_gelu: return hfm__v_mul(x, HFM__FN(sigmoid)(hfm__v_mul(x, HFM__SET(1.702f))));
    case HFM__ACT_relu: return hfm__v_max(hfm__v_zero(), x);
    case HFM__ACT_silu: return hfm__v_mul(x, HFM__FN(sigmoid)(x));
    case HFM__ACT_tanh: return HFM__FN(tanh)(x);
    case HFM__ACT_sigmoid: return HFM__FN(sigmoid)(x);
    default: return x;
  }
}

#undef HFM__SET
/* ==== end src/cpu/kernel_math.h ==== */
/* ==== begin src/cpu/kernel_rows.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_rows (private): kernels on one row of n floats: norms, softmax, activations, sums ===============
   Every sum has one order, fixed by n alone: lanes W apart, then the lanes, then what is left over one by one. */

HFM__TARGET HFM__INLINE void HFM__FN(unary_as)(const int32_t activation, const float *x, float *y, int64_t n) {
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, HFM__FN(activate)(activation, hfm__v_load(x + i)));
  if (i < n) hfm__v_store_n(y + i, HFM__FN(activate)(activation, hfm__v_load_n(x + i, n - i)), n - i);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(unary)(int32_t activation, const float *x, float *y, int64_t n) {
  switch (activation) {
#define HFM__UNARY_CASE(name) case HFM__ACT_##name: HFM__FN(unary_as)(HFM__ACT_##name, x, y, n); break;
    HFM__UNARY_CASE(gelu)
    case HFM__ACT_gelu_new:
    case HFM__ACT_gelu_fast: /* the same function, written down differently */
    HFM__UNARY_CASE(gelu_pytorch_tanh)
    HFM__UNARY_CASE(quick_gelu)
    HFM__UNARY_CASE(relu)
    HFM__UNARY_CASE(silu)
    HFM__UNARY_CASE(tanh)
    HFM__UNARY_CASE(sigmoid)
#undef HFM__UNARY_CASE
    default: HFM__FN(unary_as)(HFM__ACT_none, x, y, n); break;
  }
}

/* y = a + b, or a + b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(add)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_add(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_add(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* y = a * b, or a * b[0] */
HFM__TARGET HFM__PRIVATE void HFM__FN(mul)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n) {
  int64_t i = 0;
  if (b_is_one) {
    const hfm__vf one = hfm__v_set1(*b);
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), one));
    if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), one), n - i);
    return;
  }
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(y + i, hfm__v_mul(hfm__v_load(a + i), hfm__v_load(b + i)));
  if (i < n) hfm__v_store_n(y + i, hfm__v_mul(hfm__v_load_n(a + i, n - i), hfm__v_load_n(b + i, n - i)), n - i);
}

/* f16 or bf16 to f32 */
HFM__TARGET HFM__PRIVATE void HFM__FN(widen)(int32_t dtype, const void *src, float *dst, int64_t n) {
  const uint16_t *from = (const uint16_t *)src;
  int64_t i = 0;
  if (dtype == HFM_BF16) {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_bf16(from + i));
    for (; i < n; i++) dst[i] = hfm__bf16_bits(hfm__load_u16(from + i));
  } else {
    for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(dst + i, hfm__v_load_f16(from + i));
    for (; i < n; i++) dst[i] = hfm__half_bits(hfm__load_u16(from + i));
  }
}

HFM__TARGET HFM__INLINE float HFM__FN(row_sum)(const float *x, int64_t n) {
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    s0 = hfm__v_add(s0, hfm__v_load(x + i));
    s1 = hfm__v_add(s1, hfm__v_load(x + i + HFM__W));
    s2 = hfm__v_add(s2, hfm__v_load(x + i + 2 * HFM__W));
    s3 = hfm__v_add(s3, hfm__v_load(x + i + 3 * HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) s0 = hfm__v_add(s0, hfm__v_load(x + i));
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += x[i];
  return sum;
}

/* Sum of (x - mean)^2 */
HFM__TARGET HFM__INLINE float HFM__FN(row_square_sum)(const float *x, float mean, int64_t n) {
  const hfm__vf m = hfm__v_set1(mean);
  hfm__vf s0 = hfm__v_zero(), s1 = s0, s2 = s0, s3 = s0, d;
  int64_t i = 0;
  float sum;
  for (; i + 4 * HFM__W <= n; i += 4 * HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
    d = hfm__v_sub(hfm__v_load(x + i + HFM__W), m);
    s1 = hfm__v_fma(d, d, s1);
    d = hfm__v_sub(hfm__v_load(x + i + 2 * HFM__W), m);
    s2 = hfm__v_fma(d, d, s2);
    d = hfm__v_sub(hfm__v_load(x + i + 3 * HFM__W), m);
    s3 = hfm__v_fma(d, d, s3);
  }
  for (; i + HFM__W <= n; i += HFM__W) {
    d = hfm__v_sub(hfm__v_load(x + i), m);
    s0 = hfm__v_fma(d, d, s0);
  }
  sum = hfm__v_sum(hfm__v_add(hfm__v_add(s0, s1), hfm__v_add(s2, s3)));
  for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

/* Two passes, because E[x^2] - E[x]^2 loses everything where the mean is large. weight and bias may be NULL. */
HFM__TARGET HFM__PRIVATE void HFM__FN(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon,
                                                  float *y, int64_t n) {
  const float mean = HFM__FN(row_sum)(x, n) / (float)n;
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, mean, n) / (float)n + epsilon);
  const hfm__vf m = hfm__v_set1(mean), s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) {
    hfm__vf v = hfm__v_mul(hfm__v_sub(hfm__v_load(x + i), m), s);
    if (weight) v = hfm__v_mul(v, hfm__v_load(weight + i));
    if (bias) v = hfm__v_add(v, hfm__v_load(bias + i));
    hfm__v_store(y + i, v);
  }
  for (; i < n; i++) y[i] = (x[i] - mean) * scale * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(rms_norm)(const float *x, const float *weight, float epsilon, float *y,
                                                int64_t n) {
  const float scale = 1.0f / sqrtf(HFM__FN(row_square_sum)(x, 0.0f, n) / (float)n + epsilon);
  const hfm__vf s = hfm__v_set1(scale);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(y + i, hfm__v_mul(hfm__v_mul(hfm__v_load(x + i), s), hfm__v_load(weight + i)));
  for (; i < n; i++) y[i] = x[i] * scale * weight[i];
}

/* The largest of n > 0 floats. */
HFM__TARGET HFM__INLINE float HFM__FN(row_max)(const float *x, int64_t n) {
  float largest = x[0];
  hfm__vf m0 = hfm__v_set1(largest), m1 = m0;
  int64_t i = 0;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    m0 = hfm__v_max(m0, hfm__v_load(x + i));
    m1 = hfm__v_max(m1, hfm__v_load(x + i + HFM__W));
  }
  for (; i + HFM__W <= n; i += HFM__W) m0 = hfm__v_max(m0, hfm__v_load(x + i));
  largest = hfm__v_hmax(hfm__v_max(m0, m1));
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

/* y = exp(x * scale - largest) and its sum, for x * scale <= largest. */
HFM__TARGET HFM__INLINE float HFM__FN(row_exp)(const float *x, float scale, float largest, float *y, int64_t n) {
  const hfm__vf f = hfm__v_set1(scale), m = hfm__v_set1(-largest);
  hfm__vf s0 = hfm__v_zero(), s1 = s0;
  int64_t i = 0, j;
  float sum;
  for (; i + 2 * HFM__W <= n; i += 2 * HFM__W) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    const hfm__vf b = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i + HFM__W), f, m));
    hfm__v_store(y + i, a);
    hfm__v_store(y + i + HFM__W, b);
    s0 = hfm__v_add(s0, a);
    s1 = hfm__v_add(s1, b);
  }
  if (i + HFM__W <= n) {
    const hfm__vf a = HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load(x + i), f, m));
    hfm__v_store(y + i, a);
    s0 = hfm__v_add(s0, a);
    i += HFM__W;
  }
  sum = hfm__v_sum(hfm__v_add(s0, s1));
  if (i < n) {
    hfm__v_store_n(y + i, HFM__FN(exp_negative)(hfm__v_fma(hfm__v_load_n(x + i, n - i), f, m)), n - i);
    for (j = i; j < n; j++) sum += y[j];
  }
  return sum;
}

HFM__TARGET HFM__INLINE void HFM__FN(row_scale)(float *x, float factor, int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W) hfm__v_store(x + i, hfm__v_mul(hfm__v_load(x + i), f));
  for (; i < n; i++) x[i] *= factor;
}

/* In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(softmax)(const float *x, float *y, int64_t n) {
  if (n <= 0) return;
  HFM__FN(row_scale)(y, 1.0f / HFM__FN(row_exp)(x, 1.0f, HFM__FN(row_max)(x, n), y, n), n);
}

/* The two halves of a head as real and imaginary parts, turned by the angles. In place allowed. */
HFM__TARGET HFM__PRIVATE void HFM__FN(rotary)(const float *x, const float *cosines, const float *sines, float *y,
                                              int64_t half) {
  int64_t i = 0;
  for (; i + HFM__W <= half; i += HFM__W) {
    const hfm__vf c = hfm__v_load(cosines + i), s = hfm__v_load(sines + i);
    const hfm__vf a = hfm__v_load(x + i), b = hfm__v_load(x + half + i);
    hfm__v_store(y + i, hfm__v_sub(hfm__v_mul(a, c), hfm__v_mul(b, s)));
    hfm__v_store(y + half + i, hfm__v_add(hfm__v_mul(b, c), hfm__v_mul(a, s)));
  }
  for (; i < half; i++) {
    const float a = x[i], b = x[half + i];
    y[i] = a * cosines[i] - b * sines[i];
    y[half + i] = b * cosines[i] + a * sines[i];
  }
}
/* ==== end src/cpu/kernel_rows.h ==== */
/* ==== begin src/cpu/kernel_gemm.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_gemm (private): panels and the products over them ===============================================
   A tile is up to MR rows by NR columns, its sums in registers. They are named one by one: clang spills arrays. The
   products themselves are in kernel_tile.h, once for f32 and, where a tier has it, once for pairs of bf16. */

#if HFM__NV == 2
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1)
#define HFM__WEIGHTS(M) M(0) M(1)
#elif HFM__NV == 4
#define HFM__COLUMNS(M, i) M(i, 0) M(i, 1) M(i, 2) M(i, 3)
#define HFM__WEIGHTS(M) M(0) M(1) M(2) M(3)
#endif
#if HFM__MR == 4
#define HFM__ROWS(M) M(0) M(1) M(2) M(3)
#elif HFM__MR == 6
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#elif HFM__MR == 8
#define HFM__ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#endif

/* out = activation(sums + bias) + residual for a tile, in up to three passes over sums, which are in the first cache. */
HFM__TARGET HFM__NOINLINE void HFM__FN(finish)(const hfm__gemm *g, float *sums, int64_t row, int64_t rows,
                                               int64_t column) {
  const int64_t n = HFM__MIN(g->n - column, HFM__NR);
  int64_t r, i;
  if (g->bias)
    for (r = 0; r < rows; r++) HFM__FN(add)(sums + r * HFM__NR, g->bias + column, 0, sums + r * HFM__NR, n);
  if (g->activation) HFM__FN(unary)(g->activation, sums, sums, rows * HFM__NR);
  for (r = 0; r < rows; r++) {
    const float *from = sums + r * HFM__NR;
    float *to = g->out + (row + r) * g->ldo + column;
    if (g->residual) {
      HFM__FN(add)(from, g->residual + (row + r) * g->ldr + column, 0, to, n);
    } else {
      for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store(to + i, hfm__v_load(from + i));
      if (i < n) hfm__v_store_n(to + i, hfm__v_load(from + i), n - i);
    }
  }
}

#define HFM__TILE_TARGET HFM__TARGET
#define HFM__GEMM(name) HFM__FN(name)
#define HFM__FACTOR(p) hfm__v_set1(*(p))
#define HFM__PRODUCT(x, w, c) hfm__v_float_fma(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

#ifdef hfm__v_dot_bf16
#define HFM__TILE_TARGET HFM__TARGET_BF16
#define HFM__GEMM(name) HFM__FN(name##_bf16)
#define HFM__FACTOR(p) hfm__v_set1(hfm__load_f32(p))
#define HFM__PRODUCT(x, w, c) hfm__v_dot_bf16(x, w, c)
/* ==== begin src/cpu/kernel_tile.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_tile (private): the product over panels, for one kind of element ================================
   Expanded for each kind that a tier multiplies:
     HFM__GEMM(name)        names the functions of this expansion
     HFM__FACTOR(p)         the element at p in every lane
     HFM__PRODUCT(x, w, c)  c + x * w
     HFM__TILE_TARGET       the function attribute for it
   An element is 32 bits: a float, or two bf16 that stand beside each other along K. */

/* c[rows][ldc] = a[rows][lda] * b[k][NR]; `rows` is a constant wherever this is inlined. */
HFM__TILE_TARGET HFM__INLINE void HFM__GEMM(tile)(const int rows, int64_t k, const float *a, int64_t lda, const float *b,
                                           float *c, int64_t ldc, const hfm__ahead *ahead) {
  const char *next = ahead->at;
  const int64_t bytes = ahead->bytes, gap = ahead->gap;
  int64_t i;
#define HFM__ZERO(r, v) hfm__vf c##r##_##v = hfm__v_zero();
#define HFM__DECLARE(r) const float *a##r = a + (rows > r ? r * lda : 0); HFM__COLUMNS(HFM__ZERO, r)
#define HFM__LOAD(v) const hfm__vf w##v = hfm__v_load(b + v * HFM__W);
#define HFM__FMA(r, v) c##r##_##v = HFM__PRODUCT(x, w##v, c##r##_##v);
#define HFM__STEP(r) if (rows > r) { const hfm__vf x = HFM__FACTOR(a##r + i); HFM__COLUMNS(HFM__FMA, r) }
#define HFM__PUT(r, v) hfm__v_store(c + r * ldc + v * HFM__W, c##r##_##v);
#define HFM__STORE(r) if (rows > r) { HFM__COLUMNS(HFM__PUT, r) }
  HFM__ROWS(HFM__DECLARE)
  for (i = 0; i < k; i++) {
    HFM__WEIGHTS(HFM__LOAD)
    hfm__v_prefetch(next);
    if (HFM__NR * sizeof(float) > 64) hfm__v_prefetch(next + gap);
    next += bytes;
    HFM__ROWS(HFM__STEP)
    b += HFM__NR;
  }
  HFM__ROWS(HFM__STORE)
#undef HFM__ZERO
#undef HFM__DECLARE
#undef HFM__LOAD
#undef HFM__FMA
#undef HFM__STEP
#undef HFM__PUT
#undef HFM__STORE
}

/* The same for a number of rows known only now. */
HFM__TILE_TARGET HFM__NOINLINE void HFM__GEMM(tile_rows)(int64_t rows, int64_t k, const float *a, int64_t lda, const float *b,
                                                  float *c, int64_t ldc, const hfm__ahead *ahead) {
#define HFM__TILE_CASE(r) case r + 1: HFM__GEMM(tile)(r + 1, k, a, lda, b, c, ldc, ahead); break;
  switch (rows) {
    HFM__ROWS(HFM__TILE_CASE)
    default: break;
  }
#undef HFM__TILE_CASE
}
/* Few rows against all panels, then the next few: those rows stay in the first cache, the panels in the second. */
HFM__TILE_TARGET HFM__PRIVATE void HFM__GEMM(gemm)(const hfm__gemm *g) {
  float sums[HFM__MR * HFM__NR];
  const int64_t steps = (g->rows + HFM__MR - 1) / HFM__MR; /* rows are spread evenly over them */
  const int64_t ticks = steps * ((g->n + HFM__NR - 1) / HFM__NR) * g->k, streams = HFM__NR > 16 ? 2 : 1;
  hfm__ahead ahead;
  int64_t s, row = 0, column;
  ahead.at = (const char *)(g->next_bytes > 0 ? g->next : g->panels);
  ahead.bytes = g->next_bytes > 0 && ticks > 0 ? HFM__MIN((g->next_bytes / streams + ticks - 1) / ticks, 64) : 0;
  ahead.gap = g->next_bytes > 0 ? g->next_bytes / 2 : 0;
  for (s = 0; s < steps; s++) {
    const int64_t rows = (g->rows - row + steps - s - 1) / (steps - s);
    for (column = 0; column < g->n; column += HFM__NR) {
      HFM__GEMM(tile_rows)(rows, g->k, g->a + row * g->lda, g->lda, g->panels + column * g->k, sums, HFM__NR, &ahead);
      HFM__FN(finish)(g, sums, row, rows, column);
      ahead.at += ahead.bytes * g->k;
    }
    row += rows;
  }
}

#undef HFM__GEMM
#undef HFM__FACTOR
#undef HFM__PRODUCT
#undef HFM__TILE_TARGET
/* ==== end src/cpu/kernel_tile.h ==== */

/* Rounds n floats, an even number, to n / 2 units of two bf16. */
HFM__TARGET_BF16 HFM__PRIVATE void HFM__FN(narrow_bf16)(const float *x, void *pairs, int64_t n) {
  uint16_t *to = (uint16_t *)pairs;
  int64_t i;
  for (i = 0; i + HFM__W <= n; i += HFM__W) hfm__v_store_bf16(to + i, hfm__v_load(x + i));
  for (; i < n; i++) hfm__store_bf16(to + i, x[i]);
}
#endif
#undef HFM__COLUMNS
#undef HFM__WEIGHTS
#undef HFM__ROWS

/* ---- Packing ---- */

HFM__TARGET HFM__INLINE hfm__vf HFM__FN(load_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__v_load((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__v_load_bf16((const uint16_t *)p + i);
  return hfm__v_load_f16((const uint16_t *)p + i);
}

HFM__TARGET HFM__INLINE float HFM__FN(load_one_as)(const int32_t dtype, const void *p, int64_t i) {
  if (dtype == HFM_F32) return hfm__load_f32((const float *)p + i);
  if (dtype == HFM_BF16) return hfm__bf16_bits(hfm__load_u16((const uint16_t *)p + i));
  return hfm__half_bits(hfm__load_u16((const uint16_t *)p + i));
}

/* Squares of W by W are turned in registers; what does not fill a square goes one by one. */
HFM__TARGET HFM__INLINE void HFM__FN(pack_rows_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k, i;
  for (n = 0; n + HFM__W <= p->n; n += HFM__W) {
    for (k = 0; k + HFM__W <= p->k; k += HFM__W) {
      hfm__vf r[HFM__W];
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) r[i] = HFM__FN(load_as)(dtype, p->weight, (n + i) * p->ld + k);
      hfm__v_transpose(r);
      HFM__UNROLL
      for (i = 0; i < HFM__W; i++) hfm__v_store(p->panel + (k + i) * HFM__NR + n, r[i]);
    }
    for (; k < p->k; k++)
      for (i = 0; i < HFM__W; i++)
        p->panel[k * HFM__NR + n + i] = HFM__FN(load_one_as)(dtype, p->weight, (n + i) * p->ld + k);
  }
  for (; n < HFM__NR; n++)
    for (k = 0; k < p->k; k++)
      p->panel[k * HFM__NR + n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, n * p->ld + k) : 0.0f;
}

HFM__TARGET HFM__INLINE void HFM__FN(pack_columns_as)(const int32_t dtype, const hfm__pack *p) {
  int64_t n, k;
  for (k = 0; k < p->k; k++) {
    float *to = p->panel + k * HFM__NR;
    for (n = 0; n + HFM__W <= p->n; n += HFM__W)
      hfm__v_store(to + n, HFM__FN(load_as)(dtype, p->weight, k * p->ld + n));
    for (; n < HFM__NR; n++) to[n] = n < p->n ? HFM__FN(load_one_as)(dtype, p->weight, k * p->ld + n) : 0.0f;
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(pack)(const hfm__pack *p) {
  if (p->dtype == HFM_F32) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F32, p);
    else HFM__FN(pack_rows_as)(HFM_F32, p);
  } else if (p->dtype == HFM_BF16) {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_BF16, p);
    else HFM__FN(pack_rows_as)(HFM_BF16, p);
  } else {
    if (p->transposed) HFM__FN(pack_columns_as)(HFM_F16, p);
    else HFM__FN(pack_rows_as)(HFM_F16, p);
  }
}

/* ---- One row ---- */

/* Dot products of 4 weight rows `apart` from each other, or of one. Each row sums in two vectors, or in one where that
   is 16 wide, or a single element: then nothing is left over. */
HFM__TARGET HFM__INLINE void HFM__FN(dots_as)(const int32_t dtype, const int rows, const hfm__gemv *g, int64_t row) {
  const int two = HFM__W > 1 && HFM__W < 16;
  const int64_t apart = g->apart, k = g->k, step = two ? 2 * HFM__W : HFM__W, end = k / step * step;
  const int64_t w0 = row * k, w1 = w0 + apart * k, w2 = w1 + apart * k, w3 = w2 + apart * k;
  const float *x = g->x;
  const void *w = g->weight;
  hfm__vf a0 = hfm__v_zero(), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  float s0, s1, s2, s3;
  int64_t i;
  for (i = 0; i < end; i += step) {
    const hfm__vf p = hfm__v_load(x + i);
    a0 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w0 + i), a0);
    if (rows == 4) {
      a1 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w1 + i), a1);
      a2 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w2 + i), a2);
      a3 = hfm__v_float_fma(p, HFM__FN(load_as)(dtype, w, w3 + i), a3);
    }
    if (two) {
      const hfm__vf q = hfm__v_load(x + i + HFM__W);
      b0 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w0 + i + HFM__W), b0);
      if (rows == 4) {
        b1 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w1 + i + HFM__W), b1);
        b2 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w2 + i + HFM__W), b2);
        b3 = hfm__v_float_fma(q, HFM__FN(load_as)(dtype, w, w3 + i + HFM__W), b3);
      }
    }
  }
  s0 = hfm__v_sum(hfm__v_add(a0, b0));
  s1 = hfm__v_sum(hfm__v_add(a1, b1));
  s2 = hfm__v_sum(hfm__v_add(a2, b2));
  s3 = hfm__v_sum(hfm__v_add(a3, b3));
  for (; i < k; i++) {
    s0 += x[i] * HFM__FN(load_one_as)(dtype, w, w0 + i);
    if (rows == 4) {
      s1 += x[i] * HFM__FN(load_one_as)(dtype, w, w1 + i);
      s2 += x[i] * HFM__FN(load_one_as)(dtype, w, w2 + i);
      s3 += x[i] * HFM__FN(load_one_as)(dtype, w, w3 + i);
    }
  }
  g->out[row] = s0;
  if (rows == 4) {
    g->out[row + apart] = s1;
    g->out[row + 2 * apart] = s2;
    g->out[row + 3 * apart] = s3;
  }
}

HFM__TARGET HFM__INLINE void HFM__FN(gemv_as)(const int32_t dtype, const hfm__gemv *g) {
  int64_t row;
  if (g->apart > 0)
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 4, g, row);
  else
    for (row = 0; row < g->rows; row++) HFM__FN(dots_as)(dtype, 1, g, row);
}

HFM__TARGET HFM__PRIVATE void HFM__FN(gemv)(const hfm__gemv *g) {
  if (g->dtype == HFM_F32) HFM__FN(gemv_as)(HFM_F32, g);
  else if (g->dtype == HFM_BF16) HFM__FN(gemv_as)(HFM_BF16, g);
  else HFM__FN(gemv_as)(HFM_F16, g);
}
/* ==== end src/cpu/kernel_gemm.h ==== */
/* ==== begin src/cpu/kernel_attention.h ==== */
/* amalgamate: repeat */
/* ==== cpu/kernel_attention (private): a block of queries against a tile of keys ==================================
   Up to MR query rows at a time: their scores stay in the caches between the two products. Ranges that no row of the
   step can see are skipped, panel by panel; inside, what a row can't see gets weight 0, which changes no sum. So the
   bits of a row depend only on where the tiles begin, never on its neighbours. */

/* Keys of the tile that query row r of the block sees, causal rule and window only: [*from, *to). */
HFM__TARGET HFM__INLINE void HFM__FN(seen)(const hfm__attention *a, int64_t r, int64_t *from, int64_t *to) {
  const int64_t last = a->row0 + r + a->keys - a->queries; /* the key on the diagonal */
  int64_t low = 0, high = a->keys;
  if (a->causal) high = HFM__MIN(high, last + 1);
  if (a->window > 0) low = HFM__MAX(low, last - a->window + 1);
  low = HFM__MIN(HFM__MAX(low - a->key0, 0), a->tile);
  high = HFM__MIN(HFM__MAX(high - a->key0, 0), a->tile);
  *from = low;
  *to = HFM__MAX(low, high);
}

/* Adds the mask, if there is one, and puts -FLT_MAX where the row sees nothing in [begin, end). `scale` is what scores
   are still to be multiplied by afterwards; returns the maximum of scores times it. */
HFM__TARGET HFM__INLINE float HFM__FN(mask_row)(const hfm__attention *a, float *x, int64_t begin, int64_t end,
                                                int64_t from, int64_t to, float *scale) {
  const int later = a->scale > 1e-6f; /* with a mask as without one: a mask of ones changes no bit */
  const hfm__vf f = hfm__v_set1(later ? 1.0f : a->scale);
  int64_t j;
  *scale = later ? a->scale : 1.0f;
  if (a->mask || !later) {
    for (j = begin; j + HFM__W <= to; j += HFM__W) {
      const hfm__vf m = a->mask ? hfm__v_load(a->mask + j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m));
    }
    if (j < to) {
      const hfm__vf m = a->mask ? hfm__v_load_n(a->mask + j, to - j) : hfm__v_zero();
      hfm__v_store(x + j, hfm__v_fma(hfm__v_load(x + j), f, m)); /* scores reach up to a whole panel */
    }
  }
  for (j = begin; j < from; j++) x[j] = -FLT_MAX;
  for (j = to; j < end; j++) x[j] = -FLT_MAX;
  return HFM__FN(row_max)(x + begin, end - begin) * *scale;
}

/* The maximum ignores NaN. A row in which it found nothing but masked keys is either masked, or NaN. */
HFM__TARGET HFM__INLINE int HFM__FN(all_masked)(const float *x, float largest, float scale, int64_t from, int64_t to) {
  int64_t j;
  if (largest >= -1e38f * scale) return 0;
  for (j = from; j < to; j++) {
    uint32_t bits;
    memcpy(&bits, x + j, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0;
  }
  return 1;
}

/* eager: weights normalised at once, and uniform over all keys, causal or not, where nothing is seen. */
HFM__TARGET HFM__INLINE void HFM__FN(weigh_row_eager)(const hfm__attention *a, int64_t r, float *x, int64_t end) {
  float largest, total, scale;
  int64_t from, to, j;
  HFM__FN(seen)(a, r, &from, &to);
  largest = HFM__FN(mask_row)(a, x, 0, end, from, to, &scale);
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    total = (float)a->keys;
    for (j = 0; j < end; j++) x[j] = j < a->keys ? 1.0f : 0.0f;
  } else {
    total = HFM__FN(row_exp)(x, scale, largest, x, end);
  }
  HFM__FN(row_scale)(x, 1.0f / total, end);
  if (a->probabilities) memcpy(a->probabilities + r * a->keys, x, (size_t)a->keys * sizeof(float));
}

/* Scores to weights for one row; its running maximum and total follow. Returns what the row's sums so far are to be
   multiplied by. */
HFM__TARGET HFM__INLINE float HFM__FN(weigh_row)(const hfm__attention *a, int64_t r, float *x, int64_t begin,
                                                 int64_t end) {
  const float before = a->maximum[r];
  float largest, factor, scale = 1.0f;
  int64_t from, to;
  HFM__FN(seen)(a, r, &from, &to);
  largest = from < to ? HFM__FN(mask_row)(a, x, begin, end, from, to, &scale) : -FLT_MAX;
  if (from >= to || HFM__FN(all_masked)(x, largest, scale, from, to)) {
    memset(x + begin, 0, (size_t)(end - begin) * sizeof(float));
    return 1.0f;
  }
  largest = before > largest ? before : largest;
  factor = hfm__v_hmax(HFM__FN(exp_negative)(hfm__v_set1(before - largest)));
  a->maximum[r] = largest;
  a->total[r] = hfm__v_hmax(hfm__v_fma(hfm__v_set1(a->total[r]), hfm__v_set1(factor),
                                       hfm__v_set1(HFM__FN(row_exp)(x + begin, scale, largest, x + begin, end - begin))));
  return factor;
}

/* out = out * factor + sums, or the sums alone for the first tile. */
HFM__TARGET HFM__INLINE void HFM__FN(gather_row)(float *out, const float *sums, float factor, int32_t first,
                                                 int64_t n) {
  const hfm__vf f = hfm__v_set1(factor);
  int64_t i = 0;
  for (; i + HFM__W <= n; i += HFM__W)
    hfm__v_store(out + i, first ? hfm__v_load(sums + i) : hfm__v_fma(hfm__v_load(out + i), f, hfm__v_load(sums + i)));
  for (; i < n; i++) out[i] = first ? sums[i] : out[i] * factor + sums[i];
}

/* Rows r0 .. r0 + rows - 1 of the block. */
HFM__TARGET HFM__INLINE void HFM__FN(attend_step)(const hfm__attention *a, int64_t r0, int64_t rows) {
  float sums[HFM__MR * HFM__NR], factor[HFM__MR];
  const int64_t lds = (a->tile + HFM__NR - 1) / HFM__NR * HFM__NR;
  int64_t begin = a->tile, end = 0, r, j, d;
  hfm__ahead ahead;
  ahead.bytes = ahead.gap = 0;
  for (r = r0; r < r0 + rows; r++) {
    int64_t from, to;
    HFM__FN(seen)(a, r, &from, &to);
    if (from >= to) continue;
    begin = HFM__MIN(begin, from);
    end = HFM__MAX(end, to);
  }
  if (a->eager) {
    begin = 0;
    end = a->tile;
  }
  if (begin >= end) return;
  begin = begin / HFM__NR * HFM__NR;
  end = (end + HFM__NR - 1) / HFM__NR * HFM__NR;
  for (j = begin; j < end; j += HFM__NR) {
    const float *panel = a->k_panels + j * a->head;
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, a->head, a->q + r0 * a->ldq, a->ldq, panel, a->scores + j, lds, &ahead);
  }
  for (r = 0; r < rows; r++) {
    if (a->eager) HFM__FN(weigh_row_eager)(a, r0 + r, a->scores + r * lds, end);
    else factor[r] = HFM__FN(weigh_row)(a, r0 + r, a->scores + r * lds, begin, end);
  }
  for (d = 0; d < a->head; d += HFM__NR) {
    const float *panel = a->v_panels + d * a->tile + begin * HFM__NR;
    const int64_t used = HFM__MIN(end, a->tile) - begin, n = HFM__MIN(HFM__NR, a->head - d);
    ahead.at = (const char *)panel;
    HFM__FN(tile_rows)(rows, used, a->scores + begin, lds, panel, sums, HFM__NR, &ahead);
    for (r = 0; r < rows; r++)
      HFM__FN(gather_row)(a->out + (r0 + r) * a->ldo + d, sums + r * HFM__NR, a->eager ? 0.0f : factor[r], a->eager, n);
  }
}

HFM__TARGET HFM__PRIVATE void HFM__FN(attention)(const hfm__attention *a) {
  const int64_t steps = (a->rows + HFM__MR - 1) / HFM__MR;
  int64_t s, r, first = 0;
  if (a->key0 == 0) {
    for (r = 0; r < a->rows; r++) {
      a->maximum[r] = -FLT_MAX;
      a->total[r] = 0.0f;
      memset(a->out + r * a->ldo, 0, (size_t)a->head * sizeof(float));
    }
  }
  for (s = 0; s < steps; s++) {
    const int64_t rows = (a->rows - first + steps - s - 1) / (steps - s);
    HFM__FN(attend_step)(a, first, rows);
    first += rows;
  }
  if (a->key0 + a->tile < a->keys || a->eager) return;
  for (r = 0; r < a->rows; r++)
    if (a->total[r] != 0.0f)
      HFM__FN(row_scale)(a->out + r * a->ldo, 1.0f / a->total[r], a->head);
}
/* ==== end src/cpu/kernel_attention.h ==== */

static const hfm__kernels HFM__FN(kernels) = {
  HFM__MR, HFM__NR,
#define HFM__KERNEL_ENTRY(name, parameters) HFM__FN(name),
  HFM__KERNEL_LIST(HFM__KERNEL_ENTRY)
#undef HFM__KERNEL_ENTRY
#ifdef hfm__v_dot_bf16
  HFM__FN(gemm_bf16), HFM__FN(narrow_bf16)
#else
  NULL, NULL
#endif
};

#undef HFM__NR
#undef HFM__W
#undef HFM__NV
#undef HFM__MR
#undef HFM__SUFFIX
#undef HFM__TARGET
#undef hfm__vf
#undef hfm__v_zero
#undef hfm__v_set1
#undef hfm__v_load
#undef hfm__v_load_n
#undef hfm__v_load_f16
#undef hfm__v_load_bf16
#undef hfm__v_store
#undef hfm__v_store_n
#undef hfm__v_add
#undef hfm__v_sub
#undef hfm__v_mul
#undef hfm__v_div
#undef hfm__v_fma
#undef hfm__v_float_fma
#undef hfm__v_max
#undef hfm__v_min
#undef hfm__v_round
#undef hfm__v_scale
#undef hfm__v_scale_down
#undef hfm__v_select_lt
#undef hfm__v_sum
#undef hfm__v_hmax
#undef hfm__v_transpose
#undef hfm__v_dot_bf16
#undef hfm__v_store_bf16
#undef HFM__TARGET_BF16
#undef hfm__v_prefetch
/* ==== end src/cpu/kernels.h ==== */
#endif
/* ==== end src/cpu/tiers.h ==== */
/* ==== begin src/cpu/cpu.h ==== */
/* ==== cpu/cpu (private): what a model knows about its processor ================================================= */

/* Kept panels, shared by all sessions of a model: see cpu/panels.c. A model calls hfm__packing_init; where a session is
   planned, hfm__panels_reserve for each weight of a linear or conv2d, so that no forward allocates; hfm__panels_pack_all
   on top of it for HFM_PACK_EAGER; in the end hfm__panels_free for each weight and hfm__packing_free. */
typedef struct hfm__packing {
  hfm_allocator mem;
  int32_t policy;       /* HFM_PACK_... */
  uint64_t limit;       /* bytes that panels may take */
  uint64_t reserved;    /* bytes they take, under the lock */
  hfm__lock lock;
  hfm__atomic credit;   /* bytes that may be promoted now */
} hfm__packing;

typedef struct hfm__cpu {
  const char *name;             /* "avx512" */
  int32_t isa;                  /* HFM_ISA_... */
  int32_t batch_invariant;      /* 1: one row is computed in the order of many */
  int32_t dot_bf16;             /* 1: products of bf16 weights round x to bf16, which this processor multiplies in pairs */
  const hfm__kernels *kernels;
  hfm__packing *packing;        /* NULL: nothing is kept */
} hfm__cpu;

HFM__PRIVATE const hfm__kernels *hfm__kernels_of(int32_t isa) {
  switch (isa) {
    case HFM_ISA_SCALAR: return &hfm__kernels_scalar;
#if HFM__X86
    case HFM_ISA_SSE2: return &hfm__kernels_sse2;
#endif
#if HFM__WITH_AVX2
    case HFM_ISA_AVX2: return &hfm__kernels_avx2;
#endif
#if HFM__WITH_AVX512
    case HFM_ISA_AVX512:
    case HFM_ISA_AVX512_VNNI:
    case HFM_ISA_AVX512_BF16: return &hfm__kernels_avx512;
#endif
#if HFM__WITH_NEON
    case HFM_ISA_NEON: return &hfm__kernels_neon;
#endif
#if HFM__WITH_WASM
    case HFM_ISA_WASM_SIMD128: return &hfm__kernels_wasm;
#endif
    default: return NULL;
  }
}

/* compute_dtype=bfloat16, where that is an instruction; the scalar tier shows what it means. */
HFM__PRIVATE int32_t hfm__cpu_multiplies_bf16(const hfm__cpu *cpu) {
  return cpu->isa == HFM_ISA_AVX512_BF16 || cpu->isa == HFM_ISA_SCALAR;
}

/* Fills *cpu for a tier, HFM_ISA_AUTO for the best. A machine has every tier below its best, of its own kind. */
HFM__PRIVATE hfm_result hfm__cpu_select(int32_t isa, hfm__cpu *cpu, hfm_error *error) {
  const int32_t best = hfm__isa_best(), wanted = isa == HFM_ISA_AUTO ? best : isa;
  memset(cpu, 0, sizeof *cpu);
  cpu->kernels = wanted <= best ? hfm__kernels_of(wanted) : NULL;
  if (!cpu->kernels)
    return hfm__fail(error, HFM_E_ISA_MISSING, NULL, "isa", 0,
                     "isa: '%s' was asked for, but the best that this machine and build have is '%s'; use HFM_ISA_AUTO",
                     hfm__isa_name(isa), hfm__isa_name(best));
  cpu->isa = wanted;
  cpu->name = hfm__isa_name(wanted);
  return HFM_OK;
}

/* options.strict: the same bits on every machine. */
HFM__PRIVATE hfm_result hfm__cpu_make_strict(hfm__cpu *cpu, hfm_error *error) {
#if HFM__WITH_STRICT
  (void)error;
  cpu->kernels = &hfm__kernels_strict;
  cpu->name = "strict";
  return HFM_OK;
#else
  (void)cpu;
  return hfm__fail(error, HFM_E_STRICT_MISSING, NULL, "strict", 0,
                   "strict: this build can't promise the same bits everywhere: it was made with HFMODEL_NO_STRICT, with "
                   "-ffast-math, or for the x87 (on 32-bit x86 use -msse2 -mfpmath=sse)");
#endif
}
/* ==== end src/cpu/cpu.h ==== */
/* ==== begin src/cpu/panels.c ==== */
/* ==== cpu/panels (private): packed weights that are kept ==========================================================
   A product reads its weight as panels [K][NR]. Packing one costs about as much as using it for a few rows, and fresh
   memory costs more than either. So at first a worker packs the panel it needs into its scratch; a weight that is used
   again and again is promoted, panel by panel, by whoever needs the next one, as fast as a small share of the work that
   is done pays for (`credit`). Each panel has a state word: empty, being packed, ready. No panel is ever waited for.
   Panels keep the weight's type: f32 for f32, 16 bits for f16 and bf16, which are widened when used. Where bf16 is
   multiplied as such, two of them along K are one unit, which is packed like a float. */

struct hfm__panels {
  uint64_t bytes;      /* of this block */
  int64_t n, k;
  int32_t nr, dtype, transposed;
  hfm__atomic uses;    /* nodes run, before promotion begins */
  hfm__atomic *states; /* of each panel: HFM__PANEL_... */
  uint8_t *data;
};

enum { HFM__PANEL_EMPTY = 0, HFM__PANEL_BUSY = 1, HFM__PANEL_READY = 2 };
enum { HFM__PANEL_ALIGN = 64 };

HFM__PRIVATE int64_t hfm__panel_count(int64_t n, int32_t nr) { return (n + nr - 1) / nr; }

HFM__PRIVATE int64_t hfm__dtype_size(int32_t dtype) { return dtype == HFM_F32 ? 4 : 2; }

/* Are products of this weight made of pairs of bf16? */
HFM__PRIVATE int hfm__in_pairs(const hfm__cpu *cpu, int32_t dtype, int32_t transposed, int64_t k) {
  return cpu->dot_bf16 && dtype == HFM_BF16 && !transposed && k % 2 == 0;
}

HFM__PRIVATE void hfm__packing_init(hfm__packing *packing, const hfm_allocator *mem, int32_t policy, uint64_t limit) {
  memset(packing, 0, sizeof *packing);
  packing->mem = *mem;
  packing->policy = policy;
  packing->limit = limit;
  hfm__lock_init(&packing->lock);
}

HFM__PRIVATE void hfm__packing_free(hfm__packing *packing) { hfm__lock_free(&packing->lock); }

/* NULL weight and a weight without panels are fine. */
HFM__PRIVATE void hfm__panels_free(const hfm_allocator *mem, hfm__weight *weight) {
  if (!weight || !weight->panels) return;
  hfm__free(mem, weight->panels, weight->panels->bytes);
  weight->panels = NULL;
}

/* Makes room for the panels of a weight that products use, unless there is some, the policy is against it, or the limit
   is reached; without room the weight is packed per use. Nothing is touched or packed yet. Thread-safe. */
HFM__PRIVATE void hfm__panels_reserve(const hfm__cpu *cpu, hfm__weight *weight, int32_t transposed) {
  hfm__packing *packing = cpu->packing;
  const int32_t nr = cpu->kernels->nr;
  struct hfm__panels *panels;
  uint64_t bytes, head;
  int64_t n, k, count;
  int32_t dtype;
  if (!packing || packing->policy == HFM_PACK_NEVER || !weight || weight->rank < 2) return;
  if (weight->dtype != HFM_F32 && weight->dtype != HFM_F16 && weight->dtype != HFM_BF16) return;
  n = weight->shape[transposed ? weight->rank - 1 : 0];
  k = n > 0 ? hfm__elements(weight->shape, weight->rank) / n : 0; /* a convolution's rows are its filters */
  dtype = weight->dtype;
  if (weight->rank == 2 && hfm__in_pairs(cpu, dtype, transposed, k)) {
    dtype = HFM_F32;
    k /= 2;
  }
  count = hfm__panel_count(n, nr);
  if (count == 0 || k == 0) return;
  head = sizeof(struct hfm__panels) + (uint64_t)count * sizeof(hfm__atomic);
  bytes = head + HFM__PANEL_ALIGN + (uint64_t)(count * nr) * (uint64_t)(k * hfm__dtype_size(dtype));
  hfm__lock_take(&packing->lock);
  if (!weight->panels && packing->reserved <= packing->limit && bytes <= packing->limit - packing->reserved) {
    panels = (struct hfm__panels *)hfm__alloc(&packing->mem, bytes);
    if (panels) {
      const uintptr_t data = (uintptr_t)panels + (uintptr_t)head + HFM__PANEL_ALIGN - 1;
      memset(panels, 0, (size_t)head);
      panels->bytes = bytes;
      panels->n = n;
      panels->k = k;
      panels->nr = nr;
      panels->dtype = dtype;
      panels->transposed = transposed;
      panels->states = (hfm__atomic *)(panels + 1);
      panels->data = (uint8_t *)(data / HFM__PANEL_ALIGN * HFM__PANEL_ALIGN);
      packing->reserved += bytes;
      hfm__atomic_store_pointer((void **)&weight->panels, panels);
    }
  }
  hfm__lock_give(&packing->lock);
}

/* The kept form of panel p: 16-bit types stay as they are. */
HFM__PRIVATE void hfm__panel_fill(const hfm__cpu *cpu, const struct hfm__panels *panels, const void *weight,
                                  int64_t p) {
  const int64_t nr = panels->nr, k = panels->k, n0 = p * nr, n = HFM__MIN(nr, panels->n - n0);
  const int64_t row = panels->transposed ? panels->n : 1, column = panels->transposed ? 1 : k;
  if (panels->dtype == HFM_F32) {
    hfm__pack job;
    job.weight = (const float *)weight + n0 * column;
    job.dtype = HFM_F32;
    job.transposed = panels->transposed;
    job.ld = panels->transposed ? panels->n : k;
    job.n = n;
    job.k = k;
    job.panel = (float *)(void *)panels->data + n0 * k;
    cpu->kernels->pack(&job);
  } else {
    const uint16_t *from = (const uint16_t *)weight + n0 * column;
    uint16_t *to = (uint16_t *)(void *)panels->data + n0 * k;
    int64_t i, j;
    for (i = 0; i < k; i++)
      for (j = 0; j < nr; j++) to[i * nr + j] = j < n ? hfm__load_u16(from + i * row + j * column) : (uint16_t)0;
  }
}

/* Earns credit: `work` is what the chunk cost, in bytes of fresh memory that the same time would have bought. A twenty-
   fifth of it is spent on promotion; little is saved up, so that no single forward pays for many. */
HFM__PRIVATE void hfm__panels_earn(const hfm__cpu *cpu, int64_t work) {
  if (cpu->packing && hfm__atomic_load(&cpu->packing->credit) < (2 << 20))
    (void)hfm__atomic_add(&cpu->packing->credit, (intptr_t)(work / 25));
}

/* Panel p of a weight, kept and ready, or NULL: then the caller packs into scratch. May promote the panel first. */
HFM__PRIVATE const void *hfm__panel_kept(const hfm__cpu *cpu, hfm__weight *weight, const void *data,
                                         int32_t transposed, int64_t p) {
  struct hfm__panels *panels;
  intptr_t state, bytes;
  const uint8_t *at;
  if (!cpu->packing || !weight) return NULL;
  panels = (struct hfm__panels *)hfm__atomic_load_pointer((void *const *)&weight->panels);
  if (!panels || panels->nr != cpu->kernels->nr || panels->transposed != transposed) return NULL;
  bytes = (intptr_t)(panels->nr * panels->k * hfm__dtype_size(panels->dtype));
  at = panels->data + p * (int64_t)bytes;
  state = hfm__atomic_load(&panels->states[p]);
  if (state == HFM__PANEL_READY) return at;
  if (state == HFM__PANEL_BUSY) return NULL;
  if (cpu->packing->policy != HFM_PACK_EAGER) {
    if (hfm__atomic_load(&panels->uses) < 3 || hfm__atomic_load(&cpu->packing->credit) <= 0) return NULL;
    (void)hfm__atomic_add(&cpu->packing->credit, -bytes);
  }
  if (!hfm__atomic_swap_if(&panels->states[p], &state, HFM__PANEL_BUSY)) return NULL;
  hfm__panel_fill(cpu, panels, data, p);
  hfm__atomic_store(&panels->states[p], HFM__PANEL_READY);
  return at;
}

/* A node that uses this weight begins. */
HFM__PRIVATE void hfm__panels_used(const hfm__cpu *cpu, hfm__weight *weight) {
  struct hfm__panels *panels;
  if (!cpu->packing || !weight) return;
  panels = (struct hfm__panels *)hfm__atomic_load_pointer((void *const *)&weight->panels);
  if (panels && hfm__atomic_load(&panels->uses) < 1000) hfm__atomic_add(&panels->uses, 1);
}

/* HFM_PACK_EAGER: packs everything that was reserved for this weight. `data` is what its storage acquired. */
HFM__PRIVATE void hfm__panels_pack_all(const hfm__cpu *cpu, hfm__weight *weight, const void *data) {
  struct hfm__panels *panels = weight->panels;
  int64_t p;
  if (!panels) return;
  for (p = 0; p < hfm__panel_count(panels->n, panels->nr); p++)
    (void)hfm__panel_kept(cpu, weight, data, panels->transposed, p);
}
/* ==== end src/cpu/panels.c ==== */
/* ==== begin src/cpu/ops_linear.c ==== */
/* ==== cpu/ops_linear (private): linear and conv2d ==================================================================
   Both are one product: rows of x (for conv2d: patches of the image) times panels of the weight. A chunk is some panels
   times some rows; the grid depends on the shapes alone. A worker keeps in its scratch the panel that it packed and the
   rows that it gathered, and finds them again if its next chunk needs them. */

enum { HFM__ALIGN = 64, HFM__PANELS_AT_ONCE = 65536 /* floats */, HFM__GATHERED_ROWS = 256 };

HFM__PRIVATE uint64_t hfm__aligned(uint64_t bytes) { return (bytes + HFM__ALIGN - 1) / HFM__ALIGN * HFM__ALIGN; }

typedef struct hfm__product {
  int64_t m, n, k;
  int32_t dtype, transposed;
  int32_t in_pairs;                   /* dtype is f32, but its elements are pairs of bf16: k counts these */
  int32_t gathered;                   /* rows of x are made contiguous in scratch, block by block */
  int64_t panels, row_blocks, groups; /* of the grid: group of panels by block of rows */
  int64_t at_once;                    /* panels that are used together: what fits into half of a second-level cache */
  int64_t one_row;                    /* M is 1 and the weight [N, K]: dot products, `groups` parts of rows */
} hfm__product;

/* Rows of an operand: all dimensions but the last, flattened. */
HFM__PRIVATE int64_t hfm__rows(const hfm__operand *x) { return x->rank > 1 ? hfm__elements(x->shape, x->rank - 1) : 1; }

/* Elements from the first row to row r. */
HFM__PRIVATE int64_t hfm__row_offset(const hfm__operand *x, int64_t r) {
  int64_t offset = 0;
  int32_t d;
  for (d = x->rank - 2; d >= 0; d--) {
    offset += r % x->shape[d] * x->stride[d];
    r /= x->shape[d];
  }
  return offset;
}

/* 1 where rows are *stride apart throughout. */
HFM__PRIVATE int hfm__rows_even(const hfm__operand *x, int64_t *stride) {
  int64_t expected = 0;
  int32_t d, found = 0;
  for (d = x->rank - 2; d >= 0; d--) {
    if (x->shape[d] == 1) continue;
    if (!found) expected = x->stride[d];
    else if (x->stride[d] != expected) return 0;
    found = 1;
    expected = x->stride[d] * x->shape[d];
  }
  *stride = 0;
  for (d = x->rank - 2; d >= 0; d--) {
    if (x->shape[d] == 1) continue;
    *stride = x->stride[d];
    break;
  }
  return 1;
}

/* Weights and biases may be 16-bit: element i as f32. */
HFM__PRIVATE void hfm__widened(const hfm__cpu *cpu, const hfm__operand *x, int64_t first, int64_t n, float *out) {
  if (x->dtype == HFM_F32) memcpy(out, (const float *)x->data + first, (size_t)n * sizeof(float));
  else cpu->kernels->widen(x->dtype, (const uint16_t *)x->data + first, out, n);
}

/* How many pieces to cut work of `flops` and `bytes` of weights into: about 0.1 ms each, but 8 pieces of at least 20 us
   for what is small, so that several threads have something to share. */
HFM__PRIVATE int64_t hfm__pieces(double flops, int64_t bytes) {
  const int64_t us = 1 + (int64_t)(flops / 80000) + bytes / 20000;
  return HFM__MAX(us / 100, HFM__MIN(8, us / 20));
}

HFM__PRIVATE void hfm__plan_product(const hfm__cpu *cpu, hfm__product *p, int gathered) {
  const int64_t nr = cpu->kernels->nr, mr = cpu->kernels->mr;
  const int64_t pieces = hfm__pieces(2.0 * (double)p->m * (double)(p->n * p->k), p->n * p->k * hfm__dtype_size(p->dtype));
  p->panels = (p->n + nr - 1) / nr;
  p->gathered = gathered;
  p->at_once = HFM__MAX(1, HFM__PANELS_AT_ONCE / (HFM__MAX(p->k, 1) * nr));
  p->one_row = p->m == 1 && !p->transposed && !cpu->batch_invariant;
  p->groups = HFM__MAX(1, HFM__MIN(pieces, p->one_row ? p->n / 4 : p->panels));
  p->row_blocks = 1;
  if (gathered) p->row_blocks = (p->m + HFM__GATHERED_ROWS - 1) / HFM__GATHERED_ROWS;
  else if (!p->one_row && pieces > p->panels)
    p->row_blocks = HFM__MAX(1, HFM__MIN(pieces / p->panels, (p->m + mr - 1) / mr));
  if (p->m == 0 || p->n == 0) p->groups = 0;
}

/* Neighbouring chunks share what is dearer to make: the gathered rows, or else the panels. */
HFM__PRIVATE void hfm__product_chunk(const hfm__product *p, int64_t chunk, int64_t *group, int64_t *block) {
  *group = p->gathered ? chunk % p->groups : chunk / p->row_blocks;
  *block = p->gathered ? chunk / p->groups : chunk % p->row_blocks;
}

/* Where a worker's scratch holds what. */
typedef struct hfm__product_scratch {
  int64_t panel, count; /* which panels are packed */
  int64_t block;        /* whose rows are gathered, or -1 */
} hfm__product_scratch;

/* Panels, then the bias as f32, then gathered rows. */
HFM__PRIVATE uint64_t hfm__product_panel_bytes(const hfm__cpu *cpu, const hfm__product *p) {
  return hfm__aligned((uint64_t)HFM__MAX(p->k * cpu->kernels->nr, (int64_t)HFM__PANELS_AT_ONCE) * sizeof(float));
}

HFM__PRIVATE uint64_t hfm__product_scratch_bytes(const hfm__cpu *cpu, const hfm__product *p) {
  const uint64_t most = (uint64_t)HFM__MIN(p->m, (int64_t)HFM__GATHERED_ROWS);
  const uint64_t rows = p->gathered ? most * (uint64_t)p->k * sizeof(float) : 0;
  return hfm__aligned(sizeof(hfm__product_scratch)) + hfm__product_panel_bytes(cpu, p) +
         hfm__aligned((uint64_t)p->n * sizeof(float)) + hfm__aligned(rows);
}

/* Rows first .. first + count - 1 of x, made contiguous. */
typedef void (*hfm__gather_fn)(const hfm__op_args *a, int64_t first, int64_t count, float *rows);

/* One panel into scratch: widened from its kept form, or packed from the weight. */
HFM__PRIVATE void hfm__unpack_panel(const hfm__op_args *a, const hfm__product *p, const void *kept, int64_t panel,
                                    float *to) {
  const int64_t nr = a->cpu->kernels->nr, n0 = panel * nr;
  hfm__pack job;
  if (kept) {
    a->cpu->kernels->widen(p->dtype, kept, to, nr * p->k);
    return;
  }
  job.weight = (const uint8_t *)a->in[1].data + n0 * (p->transposed ? 1 : p->k) * hfm__dtype_size(p->dtype);
  job.dtype = p->dtype;
  job.transposed = p->transposed;
  job.ld = p->transposed ? p->n : p->k;
  job.n = HFM__MIN(nr, p->n - n0);
  job.k = p->k;
  job.panel = to;
  a->cpu->kernels->pack(&job);
}

/* Panels [panel, *end) of one origin, at most `at_once`: kept f32 panels where they lie, or all of them in scratch. */
HFM__PRIVATE const float *hfm__take_panels(const hfm__op_args *a, const hfm__product *p, int64_t panel, int64_t *end,
                                           hfm__product_scratch *held, float *scratch) {
  const int64_t size = a->cpu->kernels->nr * p->k, last = HFM__MIN(*end, panel + p->at_once);
  const float *first = NULL;
  int64_t i;
  for (i = panel; i < last; i++) {
    const void *kept = hfm__panel_kept(a->cpu, a->in[1].weight, a->in[1].data, p->transposed, i);
    const int in_place = kept && p->dtype == HFM_F32;
    if (in_place != (first != NULL) && i > panel) break;
    if (in_place) {
      if (!first) first = (const float *)kept;
    } else if (panel != held->panel || i >= panel + held->count) {
      hfm__unpack_panel(a, p, kept, i, scratch + (i - panel) * size);
      held->panel = panel;
      held->count = i - panel + 1;
    }
  }
  *end = i;
  return first ? first : scratch;
}

/* in[1] is the weight, in[2] the bias, in[3] the residual. `gather` is NULL where x is read as it lies, at `lda`. */
HFM__PRIVATE void hfm__run_product(const hfm__op_args *a, const hfm__product *p, hfm__gather_fn gather, int64_t lda,
                                   int64_t chunk, hfm__worker *worker) {
  const hfm__cpu *cpu = a->cpu;
  const int64_t nr = cpu->kernels->nr;
  const hfm__operand *bias = &a->in[2], *residual = &a->in[3];
  void (*gemm)(const hfm__gemm *) = p->in_pairs ? cpu->kernels->gemm_bf16 : cpu->kernels->gemm;
  hfm__product_scratch *held = (hfm__product_scratch *)(void *)worker->scratch;
  float *scratch = (float *)(void *)(worker->scratch + hfm__aligned(sizeof(hfm__product_scratch)));
  float *wide_bias = (float *)(void *)((uint8_t *)scratch + hfm__product_panel_bytes(cpu, p));
  float *gathered = (float *)(void *)((uint8_t *)wide_bias + hfm__aligned((uint64_t)p->n * sizeof(float)));
  int64_t group, block, row0, rows, panel, panel1, end, ldr = 0, r;
  hfm__gemm g;
  memset(&g, 0, sizeof g);
  hfm__product_chunk(p, chunk, &group, &block);
  row0 = p->m * block / p->row_blocks;
  rows = p->m * (block + 1) / p->row_blocks - row0;
  panel1 = p->panels * (group + 1) / p->groups;
  if (worker->tag != a->serial) {
    worker->tag = a->serial;
    held->panel = held->count = 0;
    held->block = -1;
  }
  g.k = p->k;
  g.a = (const float *)a->in[0].data + row0 * lda;
  g.lda = lda;
  if (gather) {
    if (held->block != block) gather(a, row0, rows, gathered);
    held->block = block;
    g.a = gathered;
    g.lda = p->k;
  }
  if (residual->data && !hfm__rows_even(residual, &ldr)) ldr = -1;
  g.ldr = ldr;
  g.ldo = p->n;
  g.activation = a->attrs->activation;
  for (panel = p->panels * group / p->groups; panel < panel1; panel = end) {
    const int64_t n0 = panel * nr;
    hfm__gemm part = g;
    end = panel1;
    part.panels = hfm__take_panels(a, p, panel, &end, held, scratch);
    part.n = HFM__MIN(end * nr, p->n) - n0;
    part.rows = rows;
    part.out = (float *)a->out[0].data + row0 * p->n + n0;
    if (bias->data && bias->dtype == HFM_F32) part.bias = (const float *)bias->data + n0;
    if (bias->data && bias->dtype != HFM_F32) {
      cpu->kernels->widen(bias->dtype, (const uint16_t *)bias->data + n0, wide_bias, part.n);
      part.bias = wide_bias;
    }
    if (end < p->panels && (end < panel1 || block + 1 == p->row_blocks)) {
      const int64_t ahead = HFM__MIN(end + (end - panel), p->panels) - end, size = hfm__dtype_size(p->dtype);
      const int raw = part.panels == scratch && !p->transposed;
      if (part.panels != scratch) part.next = part.panels + (end - panel) * nr * p->k;
      else if (raw) part.next = (const uint8_t *)a->in[1].data + end * nr * p->k * size;
      if (part.next) part.next_bytes = (raw ? HFM__MIN(ahead * nr, p->n - end * nr) : ahead * nr) * p->k * size;
    }
    if (residual->data && ldr < 0) {
      part.rows = 1;
      for (r = 0; r < rows; r++) {
        part.residual = (const float *)residual->data + hfm__row_offset(residual, row0 + r) + n0;
        gemm(&part);
        part.a += g.lda;
        part.out += p->n;
      }
    } else {
      if (residual->data) part.residual = (const float *)residual->data + row0 * ldr + n0;
      gemm(&part);
    }
    hfm__panels_earn(cpu, rows * p->k * part.n / 100); /* 2 flops each at 100 Gflop/s against 0.5 GB/s */
  }
}

/* activation(out + bias) + residual for outputs first .. first + n - 1 of one row. */
HFM__PRIVATE void hfm__finish_one_row(const hfm__op_args *a, int64_t first, int64_t n) {
  float *out = (float *)a->out[0].data + first, bias[HFM__MAX_NR];
  int64_t i;
  for (i = 0; i < n && a->in[2].data; i += HFM__MAX_NR) {
    const int64_t part = HFM__MIN((int64_t)HFM__MAX_NR, n - i);
    hfm__widened(a->cpu, &a->in[2], first + i, part, bias);
    a->cpu->kernels->add(out + i, bias, 0, out + i, part);
  }
  if (a->attrs->activation) a->cpu->kernels->unary(a->attrs->activation, out, out, n);
  if (a->in[3].data) a->cpu->kernels->add(out, (const float *)a->in[3].data + first, 0, out, n);
}

/* M = 1: the weight's rows as they lie. A chunk takes its part of each quarter of them, so that chunks that follow each
   other continue the same four streams; the last one takes the up to three rows that are over, too. */
HFM__PRIVATE void hfm__run_one_row(const hfm__op_args *a, const hfm__product *p, const float *x, int64_t chunk) {
  const int64_t quarter = p->n / 4, first = quarter * chunk / p->groups;
  const int64_t row_bytes = p->k * hfm__dtype_size(p->dtype);
  int64_t i;
  hfm__gemv g;
  g.rows = quarter * (chunk + 1) / p->groups - first;
  g.k = p->k;
  g.apart = quarter;
  g.x = x;
  g.weight = (const uint8_t *)a->in[1].data + first * row_bytes;
  g.dtype = p->dtype;
  g.out = (float *)a->out[0].data + first;
  a->cpu->kernels->gemv(&g);
  for (i = 0; i < 4; i++) hfm__finish_one_row(a, i * quarter + first, g.rows);
  if (chunk + 1 < p->groups) return;
  g.rows = p->n - 4 * quarter;
  g.apart = 0;
  g.weight = (const uint8_t *)a->in[1].data + 4 * quarter * row_bytes;
  g.out = (float *)a->out[0].data + 4 * quarter;
  a->cpu->kernels->gemv(&g);
  hfm__finish_one_row(a, 4 * quarter, g.rows);
}

/* ---- linear ---- */

HFM__PRIVATE hfm__product hfm__linear_product(const hfm__op_args *a, int64_t *lda) {
  hfm__product p;
  memset(&p, 0, sizeof p);
  p.m = hfm__rows(&a->in[0]);
  p.k = a->in[0].shape[a->in[0].rank - 1];
  p.n = a->out[0].shape[a->out[0].rank - 1];
  p.dtype = a->in[1].dtype;
  p.transposed = a->attrs->transposed;
  p.in_pairs = (p.m > 1 || a->cpu->batch_invariant) && hfm__in_pairs(a->cpu, p.dtype, p.transposed, p.k);
  if (p.in_pairs) {
    p.dtype = HFM_F32;
    p.k /= 2;
  }
  hfm__plan_product(a->cpu, &p, p.in_pairs || !hfm__rows_even(&a->in[0], lda));
  return p;
}

HFM__PRIVATE int64_t hfm__linear_chunks(const hfm__op_args *a) {
  int64_t lda;
  const hfm__product p = hfm__linear_product(a, &lda);
  hfm__panels_used(a->cpu, a->in[1].weight);
  return p.groups * p.row_blocks;
}

HFM__PRIVATE void hfm__linear_gather(const hfm__op_args *a, int64_t first, int64_t count, float *rows) {
  const int64_t k = a->in[0].shape[a->in[0].rank - 1];
  int64_t r;
  for (r = 0; r < count; r++)
    memcpy(rows + r * k, (const float *)a->in[0].data + hfm__row_offset(&a->in[0], first + r),
           (size_t)k * sizeof(float));
}

/* The same, rounded to pairs of bf16. */
HFM__PRIVATE void hfm__linear_gather_pairs(const hfm__op_args *a, int64_t first, int64_t count, float *rows) {
  const int64_t k = a->in[0].shape[a->in[0].rank - 1];
  int64_t r;
  for (r = 0; r < count; r++)
    a->cpu->kernels->narrow_bf16((const float *)a->in[0].data + hfm__row_offset(&a->in[0], first + r),
                                 rows + r * (k / 2), k);
}

HFM__PRIVATE void hfm__linear_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  int64_t lda;
  const hfm__product p = hfm__linear_product(a, &lda);
  if (p.one_row) hfm__run_one_row(a, &p, (const float *)a->in[0].data, chunk);
  else hfm__run_product(a, &p, p.in_pairs ? hfm__linear_gather_pairs : p.gathered ? hfm__linear_gather : NULL, lda,
                        chunk, worker);
}

HFM__PRIVATE uint64_t hfm__linear_scratch(const hfm__op_args *a) {
  int64_t lda;
  const hfm__product p = hfm__linear_product(a, &lda);
  return hfm__product_scratch_bytes(a->cpu, &p);
}

/* ---- conv2d: row = one output position, K = channels * kernel height * kernel width ---- */

HFM__PRIVATE hfm__product hfm__conv2d_product(const hfm__op_args *a) {
  const hfm__operand *weight = &a->in[1];
  hfm__product p;
  memset(&p, 0, sizeof p);
  p.m = hfm__rows(&a->out[0]);
  p.k = weight->shape[1] * weight->shape[2] * weight->shape[3];
  p.n = weight->shape[0];
  p.dtype = weight->dtype;
  hfm__plan_product(a->cpu, &p, 1);
  return p;
}

HFM__PRIVATE int64_t hfm__conv2d_chunks(const hfm__op_args *a) {
  const hfm__product p = hfm__conv2d_product(a);
  hfm__panels_used(a->cpu, a->in[1].weight);
  return p.groups * p.row_blocks;
}

HFM__PRIVATE void hfm__conv2d_gather(const hfm__op_args *a, int64_t first, int64_t count, float *rows) {
  const hfm__operand *x = &a->in[0], *weight = &a->in[1], *out = &a->out[0];
  const int64_t channels = weight->shape[1], kh = weight->shape[2], kw = weight->shape[3];
  int64_t r, c, i, j;
  for (r = first; r < first + count; r++) {
    const int64_t ow = r % out->shape[2], oh = r / out->shape[2] % out->shape[1];
    const int64_t top = oh * a->attrs->stride[0] - a->attrs->padding[0];
    const int64_t left = ow * a->attrs->stride[1] - a->attrs->padding[1];
    const float *image = (const float *)x->data + r / out->shape[2] / out->shape[1] * x->stride[0];
    for (c = 0; c < channels; c++) {
      for (i = 0; i < kh; i++) {
        const int64_t y = top + i;
        if (y < 0 || y >= x->shape[2]) {
          memset(rows, 0, (size_t)kw * sizeof(float));
        } else if (left >= 0 && left + kw <= x->shape[3]) {
          memcpy(rows, image + c * x->stride[1] + y * x->stride[2] + left, (size_t)kw * sizeof(float));
        } else {
          for (j = 0; j < kw; j++)
            rows[j] = left + j < 0 || left + j >= x->shape[3] ? 0.0f
                                                              : image[c * x->stride[1] + y * x->stride[2] + left + j];
        }
        rows += kw;
      }
    }
  }
}

HFM__PRIVATE void hfm__conv2d_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__product p = hfm__conv2d_product(a);
  if (p.one_row) {
    float *row = (float *)(void *)(worker->scratch + hfm__aligned(sizeof(hfm__product_scratch)));
    hfm__conv2d_gather(a, 0, 1, row);
    hfm__run_one_row(a, &p, row, chunk);
  } else {
    hfm__run_product(a, &p, hfm__conv2d_gather, 0, chunk, worker);
  }
}

HFM__PRIVATE uint64_t hfm__conv2d_scratch(const hfm__op_args *a) {
  const hfm__product p = hfm__conv2d_product(a);
  return hfm__product_scratch_bytes(a->cpu, &p);
}
/* ==== end src/cpu/ops_linear.c ==== */
/* ==== begin src/cpu/ops_attention.c ==== */
/* ==== cpu/ops_attention (private): attention and rotary ===========================================================
   A chunk is a block of query rows of one head. Keys and values of that head are packed into the worker's scratch and
   stay there for its next chunks of the same head (or of another query head that shares it). sdpa and eager take all
   keys as one tile; flash walks over tiles of fixed size, so its scratch does not grow with the length. */

enum { HFM__FLASH_TILE = 2048 };

typedef struct hfm__attention_plan {
  int64_t batch, queries, heads, head, keys, groups; /* groups: query heads for each key head */
  int64_t tile, blocks;
  uint64_t k_bytes, v_bytes, mask_bytes, score_bytes, state_bytes;
} hfm__attention_plan;

HFM__PRIVATE hfm__attention_plan hfm__plan_attention(const hfm__op_args *a) {
  const hfm__operand *q = &a->in[0], *k = &a->in[1];
  const int64_t nr = a->cpu->kernels->nr, mr = a->cpu->kernels->mr;
  hfm__attention_plan p;
  int64_t rows, padded;
  p.batch = q->shape[0];
  p.queries = q->shape[1];
  p.heads = q->shape[2];
  p.head = q->shape[3];
  p.keys = k->shape[1];
  p.groups = k->shape[2] > 0 ? p.heads / k->shape[2] : 1;
  p.tile = a->attrs->implementation == HFM_ATTN_FLASH_ATTENTION_2 ? HFM__MIN(p.keys, (int64_t)HFM__FLASH_TILE) : p.keys;
  rows = 2500000 / (HFM__MAX(p.keys, 1) * HFM__MAX(p.head, 1)) / mr * mr;
  rows = HFM__MAX(rows, a->attrs->implementation == HFM_ATTN_FLASH_ATTENTION_2 && p.keys > p.tile ? 16 * mr : mr);
  p.blocks = (p.queries + rows - 1) / rows;
  padded = (p.tile + nr - 1) / nr * nr;
  p.k_bytes = hfm__aligned((uint64_t)(padded * p.head) * sizeof(float));
  p.v_bytes = hfm__aligned((uint64_t)((p.head + nr - 1) / nr * nr * p.tile) * sizeof(float));
  p.mask_bytes = hfm__aligned((uint64_t)p.tile * sizeof(float));
  p.score_bytes = hfm__aligned((uint64_t)(mr * padded) * sizeof(float));
  p.state_bytes = hfm__aligned((uint64_t)p.queries * 2 * sizeof(float));
  return p;
}

HFM__PRIVATE int64_t hfm__attention_chunks(const hfm__op_args *a) {
  const hfm__attention_plan p = hfm__plan_attention(a);
  return p.batch * p.heads * p.blocks;
}

HFM__PRIVATE uint64_t hfm__attention_scratch(const hfm__op_args *a) {
  const hfm__attention_plan p = hfm__plan_attention(a);
  return hfm__aligned(4 * sizeof(int64_t)) + p.k_bytes + p.v_bytes + p.mask_bytes + p.score_bytes + p.state_bytes;
}

HFM__PRIVATE void hfm__attention_pack(const hfm__op_args *a, const hfm__attention_plan *p, int64_t batch, int64_t head,
                                      int64_t key0, int64_t tile, float *k_panels, float *v_panels) {
  const hfm__operand *k = &a->in[1], *v = &a->in[2];
  const int64_t nr = a->cpu->kernels->nr;
  const float *keys = (const float *)k->data + batch * k->stride[0] + key0 * k->stride[1] + head * k->stride[2];
  const float *values = (const float *)v->data + batch * v->stride[0] + key0 * v->stride[1] + head * v->stride[2];
  int64_t j;
  hfm__pack job;
  job.dtype = HFM_F32;
  for (j = 0; j < tile; j += nr) {
    job.weight = keys + j * k->stride[1];
    job.transposed = 0;
    job.ld = k->stride[1];
    job.n = HFM__MIN(nr, tile - j);
    job.k = p->head;
    job.panel = k_panels + j * p->head;
    a->cpu->kernels->pack(&job);
  }
  for (j = 0; j < p->head; j += nr) {
    job.weight = values + j;
    job.transposed = 1;
    job.ld = v->stride[1];
    job.n = HFM__MIN(nr, p->head - j);
    job.k = tile;
    job.panel = v_panels + j * tile;
    a->cpu->kernels->pack(&job);
  }
}

/* What to add to the scores of a tile: in[3] says which keys to keep, or which segment each token belongs to. */
HFM__PRIVATE void hfm__attention_mask(const hfm__operand *keep, int64_t batch, int64_t key0, int64_t tile, int64_t segment,
                                      float *mask) {
  int64_t at = batch * keep->stride[0] + key0 * keep->stride[1], j;
  for (j = 0; j < tile; j++, at += keep->stride[1]) {
    const int seen = keep->dtype == HFM_U8 ? ((const uint8_t *)keep->data)[at] != 0
                                           : ((const int64_t *)keep->data)[at] == segment;
    mask[j] = seen ? 0.0f : -FLT_MAX;
  }
}

/* The segment of a query, 0 where there are none. */
HFM__PRIVATE int64_t hfm__segment_of(const hfm__operand *keep, int64_t batch, int64_t row) {
  if (!keep->data || keep->dtype == HFM_U8) return 0;
  return ((const int64_t *)keep->data)[batch * keep->stride[0] + row * keep->stride[1]];
}

/* Some rows of one head, all of one segment. */
HFM__PRIVATE void hfm__attention_rows(const hfm__op_args *a, const hfm__attention_plan *plan, int64_t batch, int64_t head,
                                      int64_t row0, int64_t rows, hfm__worker *worker) {
  const hfm__attention_plan p = *plan;
  const hfm__operand *q = &a->in[0], *keep = &a->in[3], *out = &a->out[0], *probabilities = &a->out[1];
  const int64_t segment = hfm__segment_of(keep, batch, row0);
  int64_t *held = (int64_t *)(void *)worker->scratch; /* batch, key head, first key of what is packed; segment */
  uint8_t *at = worker->scratch + hfm__aligned(4 * sizeof(int64_t));
  float *k_panels = (float *)(void *)at, *v_panels = (float *)(void *)(at + p.k_bytes);
  float *mask = (float *)(void *)(at + p.k_bytes + p.v_bytes);
  hfm__attention t;
  memset(&t, 0, sizeof t);
  t.rows = rows;
  t.row0 = row0;
  t.queries = p.queries;
  t.keys = p.keys;
  t.head = p.head;
  t.causal = a->attrs->causal;
  t.window = a->attrs->window;
  t.scale = a->attrs->scale;
  t.q = (const float *)q->data + batch * q->stride[0] + row0 * q->stride[1] + head * q->stride[2];
  t.ldq = q->stride[1];
  t.k_panels = k_panels;
  t.v_panels = v_panels;
  t.mask = a->in[3].data ? mask : NULL;
  t.eager = a->attrs->implementation == HFM_ATTN_EAGER;
  if (probabilities->data)
    t.probabilities = (float *)probabilities->data + ((batch * p.heads + head) * p.queries + row0) * p.keys;
  t.scores = (float *)(void *)(at + p.k_bytes + p.v_bytes + p.mask_bytes);
  t.maximum = (float *)(void *)(at + p.k_bytes + p.v_bytes + p.mask_bytes + p.score_bytes);
  t.total = t.maximum + rows;
  t.out = (float *)out->data + batch * out->stride[0] + row0 * out->stride[1] + head * out->stride[2];
  t.ldo = out->stride[1];
  if (p.keys == 0) {
    int64_t r;
    for (r = 0; r < rows; r++) memset(t.out + r * t.ldo, 0, (size_t)p.head * sizeof(float));
    return;
  }
  for (t.key0 = 0; t.key0 < p.keys; t.key0 += p.tile) {
    t.tile = HFM__MIN(p.tile, p.keys - t.key0);
    const int packed = worker->tag == a->serial && held[0] == batch && held[1] == head / p.groups && held[2] == t.key0;
    if (!packed) hfm__attention_pack(a, &p, batch, head / p.groups, t.key0, t.tile, k_panels, v_panels);
    if (keep->data && (!packed || held[3] != segment)) hfm__attention_mask(keep, batch, t.key0, t.tile, segment, mask);
    worker->tag = a->serial;
    held[0] = batch;
    held[1] = head / p.groups;
    held[2] = t.key0;
    held[3] = segment;
    a->cpu->kernels->attention(&t);
  }
}

HFM__PRIVATE void hfm__attention_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__attention_plan p = hfm__plan_attention(a);
  const int64_t block = chunk % p.blocks, head = chunk / p.blocks % p.heads, batch = chunk / p.blocks / p.heads;
  const int64_t end = p.queries * (block + 1) / p.blocks;
  int64_t row = p.queries * block / p.blocks;
  while (row < end) {
    const int64_t first = row++, segment = hfm__segment_of(&a->in[3], batch, first);
    while (row < end && hfm__segment_of(&a->in[3], batch, row) == segment) row++;
    hfm__attention_rows(a, &p, batch, head, first, row - first, worker);
  }
}

/* ---- rotary: a chunk is some positions ---- */

HFM__PRIVATE int64_t hfm__rotary_positions(const hfm__op_args *a) {
  const int64_t width = a->in[0].shape[2] * a->in[0].shape[3];
  return HFM__MAX(1, 65536 / HFM__MAX(width, 1));
}

HFM__PRIVATE int64_t hfm__rotary_chunks(const hfm__op_args *a) {
  const int64_t positions = hfm__rotary_positions(a);
  return (a->in[0].shape[0] * a->in[0].shape[1] + positions - 1) / positions;
}

HFM__PRIVATE void hfm__rotary_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *x = &a->in[0], *angles = &a->in[1], *out = &a->out[0];
  const int64_t step = hfm__rotary_positions(a), end = HFM__MIN((chunk + 1) * step, x->shape[0] * x->shape[1]);
  const int64_t half = angles->shape[3], rest = x->shape[3] - 2 * half;
  int64_t r, h;
  (void)worker;
  for (r = chunk * step; r < end; r++) {
    const int64_t b = r / x->shape[1], s = r % x->shape[1];
    const float *turn = (const float *)angles->data + (angles->shape[0] > 1 ? b * angles->stride[0] : 0) +
                        s * angles->stride[1];
    for (h = 0; h < x->shape[2]; h++) {
      const float *from = (const float *)x->data + b * x->stride[0] + s * x->stride[1] + h * x->stride[2];
      float *to = (float *)out->data + b * out->stride[0] + s * out->stride[1] + h * out->stride[2];
      a->cpu->kernels->rotary(from, turn, turn + angles->stride[2], to, half);
      if (rest > 0) memcpy(to + 2 * half, from + 2 * half, (size_t)rest * sizeof(float));
    }
  }
}
/* ==== end src/cpu/ops_attention.c ==== */
/* ==== begin src/cpu/ops_rows.c ==== */
/* ==== cpu/ops_rows (private): ops that go row by row: norms, activations, sums, copies, gathers ==================
   A chunk is a number of rows that makes about 0.05 ms. Inputs may have any outer strides; outputs are dense. */

enum { HFM__ROW_CHUNK = 65536 }; /* elements */

HFM__PRIVATE int64_t hfm__row_step(int64_t width) { return HFM__MAX(1, HFM__ROW_CHUNK / HFM__MAX(width, 1)); }

HFM__PRIVATE int64_t hfm__width(const hfm__operand *x) { return x->rank > 0 ? x->shape[x->rank - 1] : 1; }

HFM__PRIVATE int64_t hfm__row_chunks(const hfm__op_args *a) {
  const int64_t step = hfm__row_step(hfm__width(&a->out[0]));
  return (hfm__rows(&a->out[0]) + step - 1) / step;
}

HFM__PRIVATE uint64_t hfm__no_scratch(const hfm__op_args *a) {
  (void)a;
  return 0;
}

/* [*first, *end) of the chunk's rows. */
HFM__PRIVATE void hfm__row_range(const hfm__op_args *a, int64_t chunk, int64_t *first, int64_t *end) {
  const int64_t step = hfm__row_step(hfm__width(&a->out[0]));
  *first = chunk * step;
  *end = HFM__MIN(*first + step, hfm__rows(&a->out[0]));
}

HFM__PRIVATE const float *hfm__row(const hfm__operand *x, int64_t r) {
  return (const float *)x->data + hfm__row_offset(x, r);
}

/* ---- Norms: weight and bias may be 16-bit and are then widened into scratch ---- */

HFM__PRIVATE uint64_t hfm__norm_scratch(const hfm__op_args *a) {
  return 2 * hfm__aligned((uint64_t)hfm__width(&a->in[0]) * sizeof(float));
}

/* NULL for an absent one. */
HFM__PRIVATE const float *hfm__norm_parameter(const hfm__op_args *a, int32_t index, hfm__worker *worker) {
  const hfm__operand *x = &a->in[index];
  const int64_t n = hfm__width(&a->in[0]);
  float *to;
  if (!x->data || x->dtype == HFM_F32) return (const float *)x->data;
  to = (float *)(void *)(worker->scratch + (uint64_t)(index - 1) * hfm__aligned((uint64_t)n * sizeof(float)));
  hfm__widened(a->cpu, x, 0, n, to);
  return to;
}

HFM__PRIVATE void hfm__layer_norm_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const int64_t n = hfm__width(&a->in[0]);
  const float *weight = hfm__norm_parameter(a, 1, worker), *bias = hfm__norm_parameter(a, 2, worker);
  int64_t r, end;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++)
    a->cpu->kernels->layer_norm(hfm__row(&a->in[0], r), weight, bias, a->attrs->epsilon,
                                (float *)a->out[0].data + r * n, n);
}

HFM__PRIVATE void hfm__rms_norm_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const int64_t n = hfm__width(&a->in[0]);
  const float *weight = hfm__norm_parameter(a, 1, worker);
  int64_t r, end;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++)
    a->cpu->kernels->rms_norm(hfm__row(&a->in[0], r), weight, a->attrs->epsilon, (float *)a->out[0].data + r * n, n);
}

/* ---- Elementwise ---- */

HFM__PRIVATE void hfm__unary_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const int64_t n = hfm__width(&a->out[0]);
  int64_t r, end;
  (void)worker;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++)
    a->cpu->kernels->unary(a->attrs->activation, hfm__row(&a->in[0], r), (float *)a->out[0].data + r * n, n);
}

/* `x` seen with the shape of `out`, numpy's way: missing dimensions in front, stride 0 where its size is 1. */
HFM__PRIVATE hfm__operand hfm__broadcast(const hfm__operand *x, const hfm__operand *out) {
  const int32_t extra = out->rank - x->rank;
  hfm__operand y = *x;
  int32_t d;
  y.rank = out->rank;
  for (d = out->rank - 1; d >= 0; d--) {
    y.shape[d] = out->shape[d];
    y.stride[d] = d < extra || x->shape[d - extra] == 1 ? 0 : x->stride[d - extra];
  }
  return y;
}

typedef void (*hfm__binary_fn)(const float *a, const float *b, int32_t b_is_one, float *y, int64_t n);

/* Both operations commute, so an operand whose last dimension is broadcast can be the second one. */
HFM__PRIVATE void hfm__binary_run(const hfm__op_args *a, int64_t chunk, hfm__binary_fn fn) {
  const hfm__operand *out = &a->out[0];
  const int64_t n = hfm__width(out);
  const int32_t last = out->rank - 1;
  hfm__operand x = hfm__broadcast(&a->in[0], out), y = hfm__broadcast(&a->in[1], out);
  int64_t r, end, i;
  if (last >= 0 && n > 1 && x.stride[last] == 0) {
    const hfm__operand swap = x;
    x = y;
    y = swap;
  }
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++) {
    const float *p = hfm__row(&x, r), *q = hfm__row(&y, r);
    float *to = (float *)out->data + r * n;
    if (last >= 0 && n > 1 && x.stride[last] == 0) {
      for (i = 0; i < n; i++) fn(p, q, 1, to + i, 1);
    } else {
      fn(p, q, last >= 0 && n > 1 && y.stride[last] == 0, to, n);
    }
  }
}

HFM__PRIVATE void hfm__add_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  (void)worker;
  hfm__binary_run(a, chunk, a->cpu->kernels->add);
}

HFM__PRIVATE void hfm__mul_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  (void)worker;
  hfm__binary_run(a, chunk, a->cpu->kernels->mul);
}

/* ---- Movement ---- */

/* n elements of any float dtype, `stride` apart, to f32. */
HFM__PRIVATE void hfm__copy_row(const hfm__op_args *a, const hfm__operand *x, int64_t offset, int64_t stride, float *to,
                                int64_t n) {
  const uint16_t *half = (const uint16_t *)x->data + offset;
  int64_t i;
  if (x->dtype == HFM_F32) {
    const float *from = (const float *)x->data + offset;
    if (stride == 1) memcpy(to, from, (size_t)n * sizeof(float));
    else for (i = 0; i < n; i++) to[i] = from[i * stride];
  } else if (x->dtype == HFM_F64) {
    const double *from = (const double *)x->data + offset;
    for (i = 0; i < n; i++) to[i] = (float)from[i * stride];
  } else if (stride == 1) {
    a->cpu->kernels->widen(x->dtype, half, to, n);
  } else {
    for (i = 0; i < n; i++) a->cpu->kernels->widen(x->dtype, half + i * stride, to + i, 1);
  }
}

HFM__PRIVATE void hfm__copy_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *x = &a->in[0];
  const int64_t n = hfm__width(&a->out[0]), stride = x->rank > 0 ? x->stride[x->rank - 1] : 1;
  int64_t r, end;
  (void)worker;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++)
    hfm__copy_row(a, x, hfm__row_offset(x, r), stride, (float *)a->out[0].data + r * n, n);
}

HFM__PRIVATE int64_t hfm__append_chunks(const hfm__op_args *a) {
  const int64_t step = hfm__row_step(hfm__width(&a->in[1]));
  return (hfm__rows(&a->in[1]) + step - 1) / step;
}

HFM__PRIVATE void hfm__append_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *x = &a->in[1];
  const int64_t n = hfm__width(x), step = hfm__row_step(n), end = HFM__MIN((chunk + 1) * step, hfm__rows(x));
  hfm__operand to = a->out[0]; /* its last positions */
  int64_t r;
  (void)worker;
  to.data = (float *)to.data + (to.shape[1] - x->shape[1]) * to.stride[1];
  to.shape[1] = x->shape[1];
  for (r = chunk * step; r < end; r++)
    memcpy((float *)to.data + hfm__row_offset(&to, r), hfm__row(x, r), (size_t)n * sizeof(float));
}

/* Row r of the output is a row of one input, or, along the last axis, a row of each. */
HFM__PRIVATE void hfm__concat_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *out = &a->out[0];
  const int32_t axis = a->attrs->axis, last = out->rank - 1;
  const int64_t n = hfm__width(out), first = a->in[0].shape[axis];
  int64_t r, end, inner = 1;
  int32_t d;
  (void)worker;
  for (d = axis + 1; d < last; d++) inner *= out->shape[d];
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++) {
    float *to = (float *)out->data + r * n;
    if (axis == last) {
      memcpy(to, hfm__row(&a->in[0], r), (size_t)first * sizeof(float));
      memcpy(to + first, hfm__row(&a->in[1], r), (size_t)(n - first) * sizeof(float));
    } else {
      const int64_t at = r / inner % out->shape[axis], outer = r / inner / out->shape[axis], low = r % inner;
      const int32_t second = at >= first;
      const hfm__operand *x = &a->in[second];
      const int64_t row = (outer * x->shape[axis] + (second ? at - first : at)) * inner + low;
      memcpy(to, hfm__row(x, row), (size_t)n * sizeof(float));
    }
  }
}

/* ---- Gathers ---- */

/* The executor has checked the ids; one that is out of range all the same gives NaN, which nobody overlooks. */
HFM__PRIVATE void hfm__embedding_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *ids = &a->in[0], *table = &a->in[1];
  const int64_t n = hfm__width(&a->out[0]);
  int64_t r, end, i;
  hfm__operand flat = *ids;
  (void)worker;
  flat.shape[flat.rank] = 1; /* an id for each row: a last dimension of one element */
  flat.stride[flat.rank++] = 1;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++) {
    const int64_t id = ((const int64_t *)ids->data)[hfm__row_offset(&flat, r)];
    float *to = (float *)a->out[0].data + r * n;
    if (id >= 0 && id < table->shape[0]) {
      hfm__copy_row(a, table, id * n, 1, to, n);
    } else {
      const uint32_t nan = 0x7fc00000u;
      for (i = 0; i < n; i++) memcpy(to + i, &nan, sizeof nan);
    }
  }
}

HFM__PRIVATE void hfm__gather_rows_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *x = &a->in[0], *index = &a->in[1];
  const int64_t n = hfm__width(&a->out[0]);
  int64_t r, end;
  (void)worker;
  for (hfm__row_range(a, chunk, &r, &end); r < end; r++) {
    const int64_t at = ((const int64_t *)index->data)[r * index->stride[0]];
    const int64_t row = HFM__MIN(HFM__MAX(at, 0), x->shape[1] - 1);
    memcpy((float *)a->out[0].data + r * n, (const float *)x->data + r * x->stride[0] + row * x->stride[1],
           (size_t)n * sizeof(float));
  }
}
/* ==== end src/cpu/ops_rows.c ==== */
/* ==== begin src/cpu/ops_index.c ==== */
/* ==== cpu/ops_index (private): positions, rotation angles, and the ops' table ==================================== */

HFM__PRIVATE int64_t hfm__one_chunk(const hfm__op_args *a) {
  (void)a;
  return 1;
}

HFM__PRIVATE void hfm__iota_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  int64_t *to = (int64_t *)a->out[0].data, i;
  (void)chunk;
  (void)worker;
  for (i = 0; i < a->out[0].shape[1]; i++) to[i] = a->dims[0] + i;
}

HFM__PRIVATE void hfm__padded_positions_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *ids = &a->in[0];
  int64_t b, s;
  (void)chunk;
  (void)worker;
  for (b = 0; b < ids->shape[0]; b++) {
    const int64_t *row = (const int64_t *)ids->data + b * ids->stride[0];
    int64_t *to = (int64_t *)a->out[0].data + b * ids->shape[1], count = 0;
    for (s = 0; s < ids->shape[1]; s++) {
      const int64_t real = row[s * ids->stride[1]] != a->attrs->pad;
      count += real;
      to[s] = count * real + a->attrs->pad;
    }
  }
}

HFM__PRIVATE void hfm__last_token_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *ids = &a->in[0];
  int64_t b, s;
  (void)chunk;
  (void)worker;
  for (b = 0; b < ids->shape[0]; b++) {
    const int64_t *row = (const int64_t *)ids->data + b * ids->stride[0];
    for (s = ids->shape[1] - 1; s >= 0 && row[s * ids->stride[1]] == a->attrs->pad; s--) {
    }
    ((int64_t *)a->out[0].data)[b] = HFM__MAX(s, 0);
  }
}

/* Several sequences packed in one row: wherever positions don't go on by 1, another one begins. */
HFM__PRIVATE void hfm__segments_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *positions = &a->in[0];
  int64_t b, s;
  (void)chunk;
  (void)worker;
  for (b = 0; b < positions->shape[0]; b++) {
    const int64_t *row = (const int64_t *)positions->data + b * positions->stride[0];
    int64_t *to = (int64_t *)a->out[0].data + b * positions->shape[1], count = 0;
    for (s = 0; s < positions->shape[1]; s++) {
      if (s && row[s * positions->stride[1]] - row[(s - 1) * positions->stride[1]] != 1) count++;
      to[s] = count;
    }
  }
}

/* ---- Rotation angles: products in float as in torch, cosines and sines of them in double ---- */

enum { HFM__ANGLES_AT_ONCE = 1024 };

/* Positions in a chunk. */
HFM__PRIVATE int64_t hfm__angle_step(const hfm__op_args *a) {
  return HFM__MAX(1, HFM__ANGLES_AT_ONCE / HFM__MAX(a->in[1].shape[0], 1));
}

HFM__PRIVATE int64_t hfm__rope_angles_chunks(const hfm__op_args *a) {
  const int64_t step = hfm__angle_step(a);
  return (a->in[0].shape[0] * a->in[0].shape[1] + step - 1) / step;
}

HFM__PRIVATE void hfm__rope_angles_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *positions = &a->in[0], *frequencies = &a->in[1];
  const int64_t half = frequencies->shape[0], length = positions->shape[1], step = hfm__angle_step(a);
  const int64_t end = HFM__MIN((chunk + 1) * step, positions->shape[0] * length);
  const float scale = a->attrs->scale;
  int64_t r, j;
  (void)worker;
  for (r = chunk * step; r < end; r++) {
    const int64_t *at = (const int64_t *)positions->data + r / length * positions->stride[0] + r % length * positions->stride[1];
    float *to = (float *)a->out[0].data + r * 2 * half;
    for (j = 0; j < half; j++) {
      float frequency;
      double sine, cosine;
      hfm__copy_row(a, frequencies, j * frequencies->stride[0], 1, &frequency, 1);
      hfm__sine_cosine((float)*at * frequency, &sine, &cosine);
      to[j] = (float)cosine * scale;
      to[half + j] = (float)sine * scale;
    }
  }
}

/* How far the positions reach decides: longrope takes the other list beyond the original length, "dynamic" lets the
   base grow with the length. */
HFM__PRIVATE void hfm__rope_frequencies_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *positions = &a->in[0], *longer = &a->in[2];
  const double *parameter = a->attrs->parameter;
  const double factor = parameter[1], dimension = parameter[2], original = parameter[3];
  const int64_t half = a->out[0].shape[0];
  float *to = (float *)a->out[0].data;
  int64_t last = 0, b, s, j;
  double length;
  (void)chunk;
  (void)worker;
  for (b = 0; b < positions->shape[0]; b++) {
    for (s = 0; s < positions->shape[1]; s++) {
      const int64_t *at = (const int64_t *)positions->data + b * positions->stride[0] + s * positions->stride[1];
      last = HFM__MAX(last, *at);
    }
  }
  length = (double)last + 1; /* positions may be as large as integers get */
  if (longer->data || length <= original) {
    const hfm__operand *from = longer->data && length > original ? longer : &a->in[1];
    memcpy(to, from->data, (size_t)half * sizeof(float));
  } else {
    const double stretch = factor * length / original - (factor - 1.0);
    const double base = parameter[0] * hfm__exact_pow(stretch, dimension / (dimension - 2.0));
    for (j = 0; j < half; j++) {
      const float exponent = (float)(2 * j) / (float)dimension;
      to[j] = 1.0f / (float)hfm__exact_pow(base, (double)exponent);
    }
  }
}

/* ---- The table ---- */

#define hfm__embedding_chunks hfm__row_chunks
#define hfm__layer_norm_chunks hfm__row_chunks
#define hfm__rms_norm_chunks hfm__row_chunks
#define hfm__unary_chunks hfm__row_chunks
#define hfm__add_chunks hfm__row_chunks
#define hfm__mul_chunks hfm__row_chunks
#define hfm__gather_rows_chunks hfm__row_chunks
#define hfm__copy_chunks hfm__row_chunks
#define hfm__concat_chunks hfm__row_chunks
#define hfm__rope_frequencies_chunks hfm__one_chunk
#define hfm__iota_chunks hfm__one_chunk
#define hfm__padded_positions_chunks hfm__one_chunk
#define hfm__last_token_chunks hfm__one_chunk
#define hfm__segments_chunks hfm__one_chunk
#define hfm__layer_norm_scratch hfm__norm_scratch
#define hfm__rms_norm_scratch hfm__norm_scratch
#define hfm__embedding_scratch hfm__no_scratch
#define hfm__unary_scratch hfm__no_scratch
#define hfm__add_scratch hfm__no_scratch
#define hfm__mul_scratch hfm__no_scratch
#define hfm__rotary_scratch hfm__no_scratch
#define hfm__rope_angles_scratch hfm__no_scratch
#define hfm__rope_frequencies_scratch hfm__no_scratch
#define hfm__iota_scratch hfm__no_scratch
#define hfm__padded_positions_scratch hfm__no_scratch
#define hfm__last_token_scratch hfm__no_scratch
#define hfm__segments_scratch hfm__no_scratch
#define hfm__gather_rows_scratch hfm__no_scratch
#define hfm__append_scratch hfm__no_scratch
#define hfm__copy_scratch hfm__no_scratch
#define hfm__concat_scratch hfm__no_scratch

static const hfm__op_impl hfm__cpu_ops[HFM__OP_COUNT] = {
#define HFM__CPU_OP(name, fewest, most, outputs) {hfm__##name##_chunks, hfm__##name##_run, hfm__##name##_scratch},
  HFM__OP_LIST(HFM__CPU_OP)
#undef HFM__CPU_OP
};

#undef hfm__embedding_chunks
#undef hfm__layer_norm_chunks
#undef hfm__rms_norm_chunks
#undef hfm__unary_chunks
#undef hfm__add_chunks
#undef hfm__mul_chunks
#undef hfm__gather_rows_chunks
#undef hfm__copy_chunks
#undef hfm__concat_chunks
#undef hfm__rope_frequencies_chunks
#undef hfm__iota_chunks
#undef hfm__padded_positions_chunks
#undef hfm__last_token_chunks
#undef hfm__segments_chunks
#undef hfm__layer_norm_scratch
#undef hfm__rms_norm_scratch
#undef hfm__embedding_scratch
#undef hfm__unary_scratch
#undef hfm__add_scratch
#undef hfm__mul_scratch
#undef hfm__rotary_scratch
#undef hfm__rope_angles_scratch
#undef hfm__rope_frequencies_scratch
#undef hfm__iota_scratch
#undef hfm__padded_positions_scratch
#undef hfm__last_token_scratch
#undef hfm__segments_scratch
#undef hfm__gather_rows_scratch
#undef hfm__append_scratch
#undef hfm__copy_scratch
#undef hfm__concat_scratch
/* ==== end src/cpu/ops_index.c ==== */

/* ==== begin src/graph/tree.h ==== */
/* ==== graph/tree (private): the module tree =====================================================================
   What __init__ registers, in the order in which it does: names, torch class names, shapes, initialisers. print(model),
   state_dict, counts, loading and initialisation read this table and know no family. Plain data with indices. */

/* Handles are small indices with types of their own, so that a module can't be taken for a value. 0 is "none". */
typedef struct hfm__mod {
  int32_t id;
} hfm__mod;
typedef struct hfm__par {
  int32_t id;
} hfm__par;
typedef struct hfm__val {
  int32_t id;
} hfm__val;
typedef struct hfm__dim {
  int32_t id;
} hfm__dim;

enum {
  HFM__MODULE_CONTAINER, /* has children, computes nothing by itself */
  HFM__MODULE_LIST,      /* ModuleList: equal neighbours are printed as one */
  HFM__MODULE_LINEAR,
  HFM__MODULE_CONV1D, /* GPT-2's: weight [in, out] */
  HFM__MODULE_CONV2D,
  HFM__MODULE_EMBEDDING,
  HFM__MODULE_LAYER_NORM,
  HFM__MODULE_RMS_NORM,
  HFM__MODULE_ACTIVATION,
  HFM__MODULE_DROPOUT
};

typedef struct hfm__module {
  const char *name, *torch_class;
  const char *repr; /* what stands between the parentheses; NULL: the children do */
  int32_t kind;
  int32_t parent, next, first_child, last_child;
  int32_t first_parameter, last_parameter; /* its own; then hfm__parameter.next */
  hfm__par weight, bias;                   /* of the kinds that compute */
  hfm__attrs attrs;                        /* epsilon, activation, stride, padding */
} hfm__module;

enum { HFM__INIT_ZEROS, HFM__INIT_ONES, HFM__INIT_NORMAL };

typedef struct hfm__parameter {
  const char *name;
  int32_t module, next; /* next of the same module */
  int32_t rank;
  int64_t shape[HFM_MAX_RANK];
  int32_t init;         /* HFM__INIT_... */
  float deviation;      /* of HFM__INIT_NORMAL */
  int32_t padding;      /* row that is initialised to zero, or -1 */
  int32_t tied_to;      /* the parameter that this is another name of, or 0 */
  int32_t is_embedding; /* belongs to an Embedding */
  hfm_dtype dtype;      /* as Transformers would hold it */
} hfm__parameter;

/* A tensor that is computed, not learned: counted in the memory footprint, and ignored where old files hold it. */
typedef struct hfm__buffer {
  const char *name;
  int32_t module;
  hfm_dtype dtype;
  int64_t elements;
} hfm__buffer;

typedef struct hfm__tree {
  hfm__arena arena;           /* strings, and the family's own handles */
  hfm__module *modules;       /* [0] is unused, [1] the root */
  hfm__parameter *parameters; /* [0] is unused */
  hfm__buffer *buffers;
  size_t module_count, module_capacity, parameter_count, parameter_capacity, buffer_count, buffer_capacity;
} hfm__tree;

HFM__PRIVATE void hfm__tree_free(hfm__tree *tree) {
  const hfm_allocator mem = tree->arena.mem;
  hfm__free(&mem, tree->modules, (uint64_t)tree->module_capacity * sizeof *tree->modules);
  hfm__free(&mem, tree->parameters, (uint64_t)tree->parameter_capacity * sizeof *tree->parameters);
  hfm__free(&mem, tree->buffers, (uint64_t)tree->buffer_capacity * sizeof *tree->buffers);
  hfm__arena_free(&tree->arena);
}

/* The module after `module` in a walk of the whole tree, parents first; 0 at the end. */
HFM__PRIVATE int32_t hfm__tree_next(const hfm__tree *tree, int32_t module) {
  if (tree->modules[module].first_child) return tree->modules[module].first_child;
  while (module && !tree->modules[module].next) module = tree->modules[module].parent;
  return module ? tree->modules[module].next : 0;
}

/* "encoder.layer.0.attention": the dotted path below the root, "" for the root. */
HFM__PRIVATE void hfm__text_path(hfm__text *t, const hfm__tree *tree, int32_t module) {
  int32_t path[64], depth = 0;
  for (; module > 1 && depth < 64; module = tree->modules[module].parent) path[depth++] = module;
  while (depth--) {
    hfm__text_str(t, tree->modules[path[depth]].name);
    if (depth) hfm__text_char(t, '.');
  }
}

/* The name of a module's parameter or buffer in state_dict(). */
HFM__PRIVATE void hfm__text_member(hfm__text *t, const hfm__tree *tree, int32_t module, const char *name) {
  if (module > 1) {
    hfm__text_path(t, tree, module);
    hfm__text_char(t, '.');
  }
  hfm__text_str(t, name);
}

HFM__PRIVATE int64_t hfm__parameter_elements(const hfm__parameter *p) { return hfm__elements(p->shape, p->rank); }
/* ==== end src/graph/tree.h ==== */
/* ==== begin src/graph/graph.h ==== */
/* ==== graph/graph (private): the computation, traced over symbolic dimensions ====================================
   Nodes in the order in which they run, over values; a value's shape is made of dimension expressions, so one trace
   serves every batch and length. Plain data with indices. */

/* Dimensions that a call binds. */
enum {
  HFM__SYM_BATCH,
  HFM__SYM_LENGTH,
  HFM__SYM_HEIGHT,
  HFM__SYM_WIDTH,
  HFM__SYM_POSITION_ROWS, /* of position_ids: the batch, or 1 */
  HFM__SYM_TOTAL,         /* positions with this call's: what the session's cache holds, then the length */
  HFM__SYM_COUNT
};

#define HFM__DIM_LIST(X) X(constant) X(symbol) X(add) X(sub) X(mul) X(floordiv) X(ceildiv) X(mod) X(min) X(max)
#define HFM__DIM_ENUM(name) HFM__DIM_##name,
enum { HFM__DIM_LIST(HFM__DIM_ENUM) HFM__DIM_KINDS };
#undef HFM__DIM_ENUM

typedef struct hfm__dim_expression {
  int32_t kind;   /* HFM__DIM_... */
  int64_t value;  /* constant: itself; symbol: HFM__SYM_... */
  hfm__dim a, b;  /* operands, always defined earlier */
  int64_t traced; /* what it was when this graph was traced: decides branches */
} hfm__dim_expression;

/* x < y held when this was traced: a binding where it does not needs another trace. */
typedef struct hfm__guard {
  hfm__dim x, y;
  int32_t less;
} hfm__guard;

/* A bound on a call that no shape expresses: x <= limit, or the error names `input` and says why. */
typedef struct hfm__requirement {
  hfm__dim x;
  int64_t limit;
  int32_t input;
  const char *reason;
} hfm__requirement;

/* Inputs of a forward, in hfm_inputs' order: X(name). */
#define HFM__INPUT_LIST(X) \
  X(input_ids) X(attention_mask) X(token_type_ids) X(position_ids) X(inputs_embeds) X(pixel_values) X(labels)
#define HFM__INPUT_ENUM(name) HFM__IN_##name,
enum { HFM__INPUT_LIST(HFM__INPUT_ENUM) HFM__IN_COUNT };
#undef HFM__INPUT_ENUM

typedef struct hfm__input_row {
  const char *name;
  size_t offset; /* in hfm_inputs */
} hfm__input_row;
static const hfm__input_row hfm__input_rows[] = {
#define HFM__INPUT_ROW(name) {#name, offsetof(hfm_inputs, name)},
    HFM__INPUT_LIST(HFM__INPUT_ROW)
#undef HFM__INPUT_ROW
};

/* Single outputs, in hfm_outputs' order, then the two lists. */
#define HFM__OUTPUT_LIST(X) \
  X(last_hidden_state) X(pooler_output) X(logits) X(start_logits) X(end_logits) X(cls_logits) X(distillation_logits)
#define HFM__OUTPUT_ENUM(name) HFM__OUT_##name,
enum {
  HFM__OUTPUT_LIST(HFM__OUTPUT_ENUM) HFM__OUT_SINGLE,
  HFM__OUT_hidden_states = HFM__OUT_SINGLE,
  HFM__OUT_attentions,
  HFM__OUT_COUNT
};
#undef HFM__OUTPUT_ENUM

typedef struct hfm__output_row {
  const char *name;
  size_t offset; /* in hfm_outputs */
} hfm__output_row;
static const hfm__output_row hfm__output_rows[] = {
#define HFM__OUTPUT_ROW(name) {#name, offsetof(hfm_outputs, name)},
    HFM__OUTPUT_LIST(HFM__OUTPUT_ROW) HFM__OUTPUT_ROW(hidden_states) HFM__OUTPUT_ROW(attentions)
#undef HFM__OUTPUT_ROW
};

enum {
  HFM__VALUE_NODE,
  HFM__VALUE_VIEW,
  HFM__VALUE_INPUT,
  HFM__VALUE_PARAMETER,
  HFM__VALUE_CONSTANT,
  HFM__VALUE_STATE
};

typedef struct hfm__value {
  int32_t kind;       /* HFM__VALUE_... */
  int32_t source;     /* node; input HFM__IN_...; parameter; of constants and states the index in their list */
  int32_t base;       /* of a view: the value whose memory it shows (never a view itself); otherwise itself */
  int32_t contiguous; /* row-major without gaps, whatever the binding */
  hfm_dtype dtype;    /* of a parameter: known when it is acquired */
  int32_t rank;
  hfm__dim shape[HFM_MAX_RANK];
} hfm__value;

typedef struct hfm__node {
  int32_t op;                                               /* HFM__OP_..., or a view */
  int32_t module;                                           /* whose forward made it, for messages */
  int32_t in[HFM__MAX_OP_INPUTS], out[HFM__MAX_OP_OUTPUTS]; /* values, 0: none */
  hfm__dim dims[1];                                         /* iota, slice: where it starts */
  hfm__attrs attrs;
} hfm__node;

/* What an input must look like. */
typedef struct hfm__graph_input {
  int32_t value;            /* 0: this graph does not take it */
  int64_t limit;            /* integers must be below this; 0: any */
  const char *limit_reason; /* "the vocabulary", for the message */
} hfm__graph_input;

typedef struct hfm__graph_output {
  int32_t kind; /* HFM__OUT_... */
  int32_t value;
} hfm__graph_output;

typedef struct hfm__constant {
  const float *data;
  int64_t elements;
} hfm__constant;

/* What outlives a call and is read by the next one. How a session keeps, crops and copies it follows from its kind. */
enum {
  HFM__STATE_APPEND /* [batch, total, ...]: each call adds its positions after those of the calls before */
};

typedef struct hfm__state {
  const char *name; /* "past_key_values.0.key" */
  int32_t kind;     /* HFM__STATE_... */
  int32_t value;
} hfm__state;

typedef struct hfm__graph {
  hfm__arena arena;
  hfm__dim_expression *dims;
  hfm__guard *guards;
  hfm__requirement *requirements;
  hfm__value *values; /* [0] is unused */
  hfm__node *nodes;
  hfm__graph_output *outputs;
  hfm__constant *constants;
  hfm__state *states; /* every graph of a model that has some has the same ones, in the same order */
  size_t dim_count, dim_capacity, guard_count, guard_capacity, requirement_count, requirement_capacity, value_count,
      value_capacity, node_count, node_capacity, output_count, output_capacity, constant_count, constant_capacity,
      state_count, state_capacity;
  hfm__graph_input inputs[HFM__IN_COUNT];
} hfm__graph;

HFM__PRIVATE void hfm__graph_free(hfm__graph *g) {
  const hfm_allocator mem = g->arena.mem;
  hfm__free(&mem, g->dims, (uint64_t)g->dim_capacity * sizeof *g->dims);
  hfm__free(&mem, g->guards, (uint64_t)g->guard_capacity * sizeof *g->guards);
  hfm__free(&mem, g->requirements, (uint64_t)g->requirement_capacity * sizeof *g->requirements);
  hfm__free(&mem, g->values, (uint64_t)g->value_capacity * sizeof *g->values);
  hfm__free(&mem, g->nodes, (uint64_t)g->node_capacity * sizeof *g->nodes);
  hfm__free(&mem, g->outputs, (uint64_t)g->output_capacity * sizeof *g->outputs);
  hfm__free(&mem, g->constants, (uint64_t)g->constant_capacity * sizeof *g->constants);
  hfm__free(&mem, g->states, (uint64_t)g->state_capacity * sizeof *g->states);
  hfm__arena_free(&g->arena);
}

HFM__PRIVATE int64_t hfm__dim_apply(int32_t kind, int64_t a, int64_t b) {
  switch (kind) {
    case HFM__DIM_add:
      return a + b;
    case HFM__DIM_sub:
      return a - b;
    case HFM__DIM_mul:
      return a * b;
    case HFM__DIM_floordiv:
      return b > 0 ? a / b : 0;
    case HFM__DIM_ceildiv:
      return b > 0 ? (a + b - 1) / b : 0;
    case HFM__DIM_mod:
      return b > 0 ? a % b : 0;
    case HFM__DIM_min:
      return HFM__MIN(a, b);
    default:
      return HFM__MAX(a, b);
  }
}

/* Values of all dimension expressions under a binding of the symbols. */
HFM__PRIVATE void hfm__dims_evaluate(const hfm__graph *g, const int64_t binding[HFM__SYM_COUNT], int64_t *values) {
  for (size_t i = 0; i < g->dim_count; i++) {
    const hfm__dim_expression *d = &g->dims[i];
    if (d->kind == HFM__DIM_constant) values[i] = d->value;
    else if (d->kind == HFM__DIM_symbol) values[i] = binding[d->value];
    else values[i] = hfm__dim_apply(d->kind, values[d->a.id], values[d->b.id]);
  }
}
/* ==== end src/graph/graph.h ==== */
/* ==== begin src/graph/builder.h ==== */
/* ==== graph/builder (private): what a family file talks to =======================================================
   One builder serves both halves of a description: while modules are registered it has a tree and a scope; while a
   forward is traced it has a graph. Errors stick: after the first one every call does nothing, so that families need no
   checks, only loops that end when hfm__ok says no. */

/* What a call asks for besides its shapes. Each such question has a trace of its own. Only 32-bit fields: compared as
   bytes. */
typedef struct hfm__question {
  uint32_t present; /* bit HFM__IN_...: inputs that the caller gives */
  int32_t hidden_states, attentions;
  int32_t use_cache;      /* the call goes on where the session's states end */
  int32_t logits_to_keep; /* of the last positions; 0: all */
} hfm__question;

typedef struct hfm__builder {
  hfm_allocator mem;
  hfm_error *error;
  hfm_result result; /* the first failure */
  const hfm_config *config;
  const char *prefix; /* of torch class names: "Bert" for "*Layer" */
  const char *base;   /* attribute that holds the base model in models with a head: "bert" */
  const void *traits; /* the registry line's own: what sets this model type apart in its family */
  hfm__tree *tree;
  /* Registering. Limits come from the files: what they hold, plus what may be newly initialised. */
  int32_t scope;
  uint64_t parameter_budget, element_budget;
  double initializer_range;
  /* Tracing. */
  hfm__graph *graph;
  hfm__question asked;
  int32_t attention;      /* HFM_ATTN_... */
  const int64_t *binding; /* of the symbols, for guards */
  int32_t module;         /* whose forward runs */
} hfm__builder;

HFM__PRIVATE int hfm__ok(const hfm__builder *b) { return b->result == HFM_OK; }

HFM__PRIVATE void hfm__builder_memory(hfm__builder *b) {
  if (hfm__ok(b)) b->result = hfm__fail_memory(b->error, "the description of a model", 0);
}

/* Memory that lives as long as the model, zeroed. Never NULL while hfm__ok. */
HFM__PRIVATE void *hfm__new(hfm__builder *b, uint64_t count, uint64_t size) {
  uint64_t bytes = 0;
  void *p = hfm__ok(b) && hfm__mul64(count, size, &bytes) ? hfm__arena_alloc(&b->tree->arena, bytes) : NULL;
  if (!p) hfm__builder_memory(b);
  return p;
}
#define HFM__NEW(b, type, count) ((type *)hfm__new(b, (uint64_t)(count), sizeof(type)))

/* ---- What the configuration says ---- */

/* A size: an integer of at least 1. */
HFM__PRIVATE int64_t hfm__size(hfm__builder *b, const char *key) {
  int64_t value = 0;
  if (hfm__ok(b)) b->result = hfm__config_need_int(b->config, key, 1, INT32_MAX, &value, b->error);
  return hfm__ok(b) ? value : 1;
}

HFM__PRIVATE int hfm__is_null(const hfm__builder *b, const char *key) {
  const hfm__config_value value = hfm__config_find(b->config, key);
  return hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL;
}

/* The same, where null or nothing stands for something else. */
HFM__PRIVATE int64_t hfm__size_or(hfm__builder *b, const char *key, int64_t fallback) {
  return hfm__is_null(b, key) ? fallback : hfm__size(b, key);
}

HFM__PRIVATE double hfm__positive(hfm__builder *b, const char *key) {
  double value = 1;
  if (hfm__ok(b)) b->result = hfm__config_need_float(b->config, key, 1e-300, 1e300, &value, b->error);
  return hfm__ok(b) ? value : 1;
}

HFM__PRIVATE double hfm__probability(hfm__builder *b, const char *key) {
  double value = 0;
  if (hfm__ok(b) && !hfm__is_null(b, key)) b->result = hfm__config_need_float(b->config, key, 0, 1, &value, b->error);
  return value;
}

HFM__PRIVATE int hfm__flag(const hfm__builder *b, const char *key) {
  return hfm_config_get_bool(b->config, key, 0) != 0;
}

/* Refuses what would change results if it were ignored. */
HFM__PRIVATE void hfm__refuse(hfm__builder *b, const char *key, const char *value, const char *advice) {
  if (hfm__ok(b))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_VALUE, b->config->file, key, 0, "%q is %q, which is not supported: %s",
                          key, value, advice);
}

HFM__PRIVATE int32_t hfm__activation_key(hfm__builder *b, const char *key) {
  static const char *const names[] = {
#define HFM__ACTIVATION_NAME(name, config, torch) config,
      HFM__ACTIVATION_LIST(HFM__ACTIVATION_NAME)
#undef HFM__ACTIVATION_NAME
  };
  const char *name = hfm_config_get_string(b->config, key, "");
  for (size_t i = 0; i < HFM__COUNT(names); i++)
    if (hfm__equal(name, names[i])) return (int32_t)i + 1;
  if (hfm__equal(name, "swish")) return HFM__ACT_silu;
  hfm__refuse(b, key, name,
              "use gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, relu, silu, tanh or sigmoid");
  return HFM__ACT_gelu;
}

/* A number of layers, checked against what the files hold before anything is sized by it. */
HFM__PRIVATE int64_t hfm__layer_count(hfm__builder *b, const char *key) {
  int64_t layers = 0;
  if (hfm__ok(b)) b->result = hfm__config_need_int(b->config, key, 0, INT32_MAX, &layers, b->error);
  if (hfm__ok(b) && (uint64_t)layers > b->parameter_budget)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_LIMIT, b->config->file, key, 0,
                          "%q asks for %i layers, but the weights files hold too few tensors for them", key, layers);
  return hfm__ok(b) ? layers : 0;
}

HFM__PRIVATE int64_t hfm__labels(hfm__builder *b) {
  const int64_t labels = hfm__config_num_labels(b->config);
  if (hfm__ok(b) && (labels < 1 || labels > INT32_MAX))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "num_labels", 0,
                          "num_labels is %i, but must be at least 1", labels);
  return hfm__ok(b) ? labels : 1;
}

/* `whole` must be a multiple of `part`. */
HFM__PRIVATE void hfm__divides(hfm__builder *b, const char *part_key, int64_t part, const char *whole_key,
                               int64_t whole) {
  if (hfm__ok(b) && whole % part)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, whole_key, 0,
                          "%q is %i, but must be a multiple of %q, which is %i", whole_key, whole, part_key, part);
}
/* ==== end src/graph/builder.h ==== */
/* ==== begin src/graph/register.c ==== */
/* ==== graph/register (private): the first half of a description, as __init__ ===================================== */

/* The class name with '*' replaced by the family's prefix. */
HFM__PRIVATE const char *hfm__class_name(hfm__builder *b, const char *pattern) {
  const char *star = strchr(pattern, '*');
  const size_t size = strlen(pattern) + strlen(b->prefix) + 1;
  char *name;
  hfm__text t;
  if (!star) return pattern;
  name = HFM__NEW(b, char, size);
  if (!name) return pattern;
  t = hfm__text_to(name, size);
  hfm__text_bytes(&t, pattern, (size_t)(star - pattern));
  hfm__text_str(&t, b->prefix);
  hfm__text_str(&t, star + 1);
  return name;
}

/* A formatted string that lives as long as the model. */
HFM__PRIVATE const char *hfm__own_text(hfm__builder *b, const char *format, ...) {
  char buffer[256];
  hfm__text t = hfm__text_to(buffer, sizeof buffer);
  char *copy = NULL;
  va_list args;
  va_start(args, format);
  hfm__text_vformat(&t, format, args);
  va_end(args);
  if (hfm__ok(b)) copy = hfm__arena_copy(&b->tree->arena, buffer, HFM__MIN(t.length, sizeof buffer - 1));
  if (!copy) hfm__builder_memory(b);
  return copy ? copy : "";
}

/* A module in the current scope. `name` and `torch_class` must live as long as the model. */
HFM__PRIVATE hfm__mod hfm__module_add(hfm__builder *b, const char *name, const char *torch_class, int32_t kind) {
  hfm__tree *tree = b->tree;
  hfm__mod handle = {0};
  hfm__module *module;
  void *grown;
  if (!hfm__ok(b)) return handle;
  grown = hfm__grow(&b->mem, tree->modules, tree->module_count, &tree->module_capacity, sizeof *tree->modules);
  if (!grown) {
    hfm__builder_memory(b);
    return handle;
  }
  tree->modules = (hfm__module *)grown;
  if (tree->module_count == 0) memset(&tree->modules[tree->module_count++], 0, sizeof *tree->modules);
  handle.id = (int32_t)tree->module_count++;
  module = &tree->modules[handle.id];
  memset(module, 0, sizeof *module);
  module->name = name;
  module->torch_class = hfm__class_name(b, torch_class);
  module->kind = kind;
  module->parent = b->scope;
  if (b->scope) {
    hfm__module *parent = &tree->modules[b->scope];
    if (parent->last_child) tree->modules[parent->last_child].next = handle.id;
    else parent->first_child = handle.id;
    parent->last_child = handle.id;
  }
  return handle;
}

/* Opens a submodule: what is registered until hfm__end belongs to it. */
HFM__PRIVATE hfm__mod hfm__begin(hfm__builder *b, const char *name, const char *torch_class) {
  const hfm__mod module = hfm__module_add(b, name, torch_class, HFM__MODULE_CONTAINER);
  if (module.id) b->scope = module.id;
  return module;
}

HFM__PRIVATE hfm__mod hfm__begin_list(hfm__builder *b, const char *name) {
  const hfm__mod module = hfm__module_add(b, name, "ModuleList", HFM__MODULE_LIST);
  if (module.id) b->scope = module.id;
  return module;
}

/* The i-th element of a ModuleList. */
HFM__PRIVATE hfm__mod hfm__begin_item(hfm__builder *b, int64_t i, const char *torch_class) {
  return hfm__begin(b, hfm__own_text(b, "%i", i), torch_class);
}

HFM__PRIVATE void hfm__end(hfm__builder *b) {
  if (hfm__ok(b)) b->scope = b->tree->modules[b->scope].parent;
}

/* A parameter of `module`, initialised with zeros until told otherwise. */
HFM__PRIVATE hfm__par hfm__parameter_of(hfm__builder *b, int32_t module, const char *name, int32_t rank,
                                        const int64_t *shape, int32_t init) {
  hfm__tree *tree = b->tree;
  hfm__par handle = {0};
  hfm__parameter *p;
  uint64_t elements;
  void *grown;
  if (!hfm__ok(b)) return handle;
  if (!hfm__checked_elements(shape, rank, &elements) || elements > b->element_budget ||
      tree->parameter_count > b->parameter_budget) {
    b->result = hfm__fail(b->error, HFM_E_CONFIG_LIMIT, b->config->file, name, 0,
                          "the configuration asks for more than the weights files hold: %q of %s %t is beyond them "
                          "(see hfm_limits.max_new_bytes)",
                          name, tree->modules[module].torch_class, shape, (int)rank);
    return handle;
  }
  b->element_budget -= elements;
  grown =
      hfm__grow(&b->mem, tree->parameters, tree->parameter_count, &tree->parameter_capacity, sizeof *tree->parameters);
  if (!grown) {
    hfm__builder_memory(b);
    return handle;
  }
  tree->parameters = (hfm__parameter *)grown;
  if (tree->parameter_count == 0) memset(&tree->parameters[tree->parameter_count++], 0, sizeof *tree->parameters);
  handle.id = (int32_t)tree->parameter_count++;
  p = &tree->parameters[handle.id];
  memset(p, 0, sizeof *p);
  p->name = name;
  p->module = module;
  p->rank = rank;
  memcpy(p->shape, shape, (size_t)rank * sizeof *shape);
  p->init = init;
  p->deviation = (float)b->initializer_range;
  p->padding = -1;
  if (tree->modules[module].last_parameter) tree->parameters[tree->modules[module].last_parameter].next = handle.id;
  else tree->modules[module].first_parameter = handle.id;
  tree->modules[module].last_parameter = handle.id;
  return handle;
}

/* A parameter of the current scope: nn.Parameter. */
HFM__PRIVATE hfm__par hfm__parameter3(hfm__builder *b, const char *name, int64_t d0, int64_t d1, int64_t d2,
                                      int32_t init) {
  int64_t shape[3];
  shape[0] = d0;
  shape[1] = d1;
  shape[2] = d2;
  return hfm__parameter_of(b, b->scope, name, 3, shape, init);
}
HFM__PRIVATE hfm__par hfm__parameter1(hfm__builder *b, const char *name, int64_t d0, int32_t init) {
  return hfm__parameter_of(b, b->scope, name, 1, &d0, init);
}

/* A buffer of the current scope. */
HFM__PRIVATE void hfm__buffer_add(hfm__builder *b, const char *name, hfm_dtype dtype, int64_t elements) {
  hfm__tree *tree = b->tree;
  void *grown;
  if (!hfm__ok(b)) return;
  grown = hfm__grow(&b->mem, tree->buffers, tree->buffer_count, &tree->buffer_capacity, sizeof *tree->buffers);
  if (!grown) {
    hfm__builder_memory(b);
    return;
  }
  tree->buffers = (hfm__buffer *)grown;
  tree->buffers[tree->buffer_count].name = name;
  tree->buffers[tree->buffer_count].module = b->scope;
  tree->buffers[tree->buffer_count].dtype = dtype;
  tree->buffers[tree->buffer_count++].elements = elements;
}

/* One tensor under two names, where the configuration says tie_word_embeddings: `name` stands for `source`. */
HFM__PRIVATE void hfm__tie_embeddings(hfm__builder *b, hfm__par name, hfm__par source) {
  if (hfm__ok(b) && hfm__flag(b, "tie_word_embeddings")) b->tree->parameters[name.id].tied_to = source.id;
}

/* ---- Modules that compute ---- */

/* A module with a weight of that shape, and a bias of `bias` elements unless that is 0. */
HFM__PRIVATE hfm__mod hfm__weighted(hfm__builder *b, const char *name, const char *torch_class, int32_t kind,
                                    int32_t rank, const int64_t *shape, int32_t init, int64_t bias) {
  const hfm__mod module = hfm__module_add(b, name, torch_class, kind);
  hfm__par weight, bias_parameter = {0};
  if (!hfm__ok(b)) return module;
  weight = hfm__parameter_of(b, module.id, "weight", rank, shape, init);
  if (bias) bias_parameter = hfm__parameter_of(b, module.id, "bias", 1, &bias, HFM__INIT_ZEROS);
  if (!hfm__ok(b)) return module;
  b->tree->modules[module.id].weight = weight;
  b->tree->modules[module.id].bias = bias_parameter;
  return module;
}

HFM__PRIVATE void hfm__describe(hfm__builder *b, hfm__mod module, const char *repr) {
  if (hfm__ok(b)) b->tree->modules[module.id].repr = repr;
}

HFM__PRIVATE hfm__mod hfm__linear(hfm__builder *b, const char *name, int64_t in, int64_t out, int bias) {
  int64_t shape[2];
  hfm__mod module;
  shape[0] = out;
  shape[1] = in;
  module = hfm__weighted(b, name, "Linear", HFM__MODULE_LINEAR, 2, shape, HFM__INIT_NORMAL, bias ? out : 0);
  hfm__describe(b, module,
                hfm__own_text(b, "in_features=%i, out_features=%i, bias=%s", in, out, bias ? "True" : "False"));
  return module;
}

/* GPT-2's Conv1D: a Linear whose weight is stored [in, out]. */
HFM__PRIVATE hfm__mod hfm__conv1d(hfm__builder *b, const char *name, int64_t nf, int64_t nx) {
  int64_t shape[2];
  hfm__mod module;
  shape[0] = nx;
  shape[1] = nf;
  module = hfm__weighted(b, name, "Conv1D", HFM__MODULE_CONV1D, 2, shape, HFM__INIT_NORMAL, nf);
  hfm__describe(b, module, hfm__own_text(b, "nf=%i, nx=%i", nf, nx));
  return module;
}

/* Conv2d with a stride and no padding, as patch embeddings have it. */
HFM__PRIVATE hfm__mod hfm__conv2d(hfm__builder *b, const char *name, int64_t in, int64_t out, int64_t kernel_h,
                                  int64_t kernel_w) {
  int64_t shape[4];
  hfm__mod module;
  shape[0] = out;
  shape[1] = in;
  shape[2] = kernel_h;
  shape[3] = kernel_w;
  module = hfm__weighted(b, name, "Conv2d", HFM__MODULE_CONV2D, 4, shape, HFM__INIT_NORMAL, out);
  hfm__describe(b, module,
                hfm__own_text(b, "%i, %i, kernel_size=(%i, %i), stride=(%i, %i)", in, out, kernel_h, kernel_w, kernel_h,
                              kernel_w));
  if (hfm__ok(b)) {
    b->tree->modules[module.id].attrs.stride[0] = (int32_t)kernel_h;
    b->tree->modules[module.id].attrs.stride[1] = (int32_t)kernel_w;
  }
  return module;
}

/* padding_idx: the row that is initialised to zero, or -1. */
HFM__PRIVATE hfm__mod hfm__embedding(hfm__builder *b, const char *name, int64_t count, int64_t size,
                                     int64_t padding_idx) {
  int64_t shape[2];
  hfm__mod module;
  shape[0] = count;
  shape[1] = size;
  module = hfm__weighted(b, name, "Embedding", HFM__MODULE_EMBEDDING, 2, shape, HFM__INIT_NORMAL, 0);
  hfm__describe(b, module,
                padding_idx < 0 ? hfm__own_text(b, "%i, %i", count, size)
                                : hfm__own_text(b, "%i, %i, padding_idx=%i", count, size, padding_idx));
  if (hfm__ok(b)) {
    hfm__parameter *weight = &b->tree->parameters[b->tree->modules[module.id].weight.id];
    weight->is_embedding = 1;
    weight->padding = padding_idx < count ? (int32_t)padding_idx : -1;
  }
  return module;
}

HFM__PRIVATE hfm__mod hfm__layer_norm(hfm__builder *b, const char *name, int64_t size, double epsilon) {
  const hfm__mod module = hfm__weighted(b, name, "LayerNorm", HFM__MODULE_LAYER_NORM, 1, &size, HFM__INIT_ONES, size);
  hfm__describe(b, module, hfm__own_text(b, "(%i,), eps=%g, elementwise_affine=True, bias=True", size, epsilon));
  if (hfm__ok(b)) b->tree->modules[module.id].attrs.epsilon = (float)epsilon;
  return module;
}

HFM__PRIVATE hfm__mod hfm__rms_norm(hfm__builder *b, const char *name, const char *torch_class, int64_t size,
                                    double epsilon) {
  const hfm__mod module = hfm__weighted(b, name, torch_class, HFM__MODULE_RMS_NORM, 1, &size, HFM__INIT_ONES, 0);
  hfm__describe(b, module, hfm__own_text(b, "(%i,), eps=%g", size, epsilon));
  if (hfm__ok(b)) b->tree->modules[module.id].attrs.epsilon = (float)epsilon;
  return module;
}

HFM__PRIVATE hfm__mod hfm__dropout(hfm__builder *b, const char *name, double p) {
  const hfm__mod module = hfm__module_add(b, name, "Dropout", HFM__MODULE_DROPOUT);
  hfm__describe(b, module, hfm__own_text(b, "p=%g, inplace=False", p));
  return module;
}

HFM__PRIVATE hfm__mod hfm__activation(hfm__builder *b, const char *name, int32_t activation) {
  static const char *const classes[] = {"",
#define HFM__ACTIVATION_CLASS(name, config, torch) torch,
                                        HFM__ACTIVATION_LIST(HFM__ACTIVATION_CLASS)
#undef HFM__ACTIVATION_CLASS
  };
  const hfm__mod module = hfm__module_add(b, name, classes[activation], HFM__MODULE_ACTIVATION);
  hfm__describe(b, module, "");
  if (hfm__ok(b)) b->tree->modules[module.id].attrs.activation = activation;
  return module;
}

/* A module without weights that prints as "Class()" and computes nothing here. */
HFM__PRIVATE void hfm__placeholder(hfm__builder *b, const char *name, const char *torch_class) {
  hfm__describe(b, hfm__module_add(b, name, torch_class, HFM__MODULE_CONTAINER), "");
}

/* The parameters of a module that computes. */
HFM__PRIVATE hfm__par hfm__weight_of(const hfm__builder *b, hfm__mod module) {
  const hfm__par none = {0};
  return hfm__ok(b) ? b->tree->modules[module.id].weight : none;
}
HFM__PRIVATE hfm__par hfm__bias_of(const hfm__builder *b, hfm__mod module) {
  const hfm__par none = {0};
  return hfm__ok(b) ? b->tree->modules[module.id].bias : none;
}
/* ==== end src/graph/register.c ==== */
/* ==== begin src/graph/trace.c ==== */
/* ==== graph/trace (private): the second half of a description, as forward ========================================= */

/* ---- Dimensions ---- */

HFM__PRIVATE hfm__dim hfm__dim_make(hfm__builder *b, int32_t kind, int64_t value, hfm__dim x, hfm__dim y,
                                    int64_t traced) {
  hfm__graph *g = b->graph;
  hfm__dim d = {0};
  void *grown;
  if (!hfm__ok(b)) return d;
  for (size_t i = 0; i < g->dim_count; i++) {
    const hfm__dim_expression *e = &g->dims[i];
    if (e->kind == kind && e->value == value && e->a.id == x.id && e->b.id == y.id) {
      d.id = (int32_t)i;
      return d;
    }
  }
  grown = hfm__grow(&b->mem, g->dims, g->dim_count, &g->dim_capacity, sizeof *g->dims);
  if (!grown) {
    hfm__builder_memory(b);
    return d;
  }
  g->dims = (hfm__dim_expression *)grown;
  d.id = (int32_t)g->dim_count++;
  g->dims[d.id].kind = kind;
  g->dims[d.id].value = value;
  g->dims[d.id].a = x;
  g->dims[d.id].b = y;
  g->dims[d.id].traced = traced;
  return d;
}

HFM__PRIVATE hfm__dim hfm__fixed(hfm__builder *b, int64_t value) {
  const hfm__dim none = {0};
  return hfm__dim_make(b, HFM__DIM_constant, value, none, none, value);
}

HFM__PRIVATE hfm__dim hfm__symbol(hfm__builder *b, int32_t symbol) {
  const hfm__dim none = {0};
  return hfm__dim_make(b, HFM__DIM_symbol, symbol, none, none, b->binding[symbol]);
}

/* kind: HFM__DIM_add, ... Constants fold. */
HFM__PRIVATE hfm__dim hfm__dim_op(hfm__builder *b, int32_t kind, hfm__dim x, hfm__dim y) {
  int64_t now;
  if (!hfm__ok(b)) return x;
  now = hfm__dim_apply(kind, b->graph->dims[x.id].traced, b->graph->dims[y.id].traced);
  if (b->graph->dims[x.id].kind == HFM__DIM_constant && b->graph->dims[y.id].kind == HFM__DIM_constant)
    return hfm__fixed(b, now);
  return hfm__dim_make(b, kind, 0, x, y, now);
}

/* Is x < y in this call? A branch of the description: recorded, so that a call where it differs is traced anew. */
HFM__PRIVATE int hfm__dim_less(hfm__builder *b, hfm__dim x, hfm__dim y) {
  hfm__graph *g = b->graph;
  hfm__guard *guard;
  void *grown;
  if (!hfm__ok(b)) return 0;
  grown = hfm__grow(&b->mem, g->guards, g->guard_count, &g->guard_capacity, sizeof *g->guards);
  if (!grown) {
    hfm__builder_memory(b);
    return 0;
  }
  g->guards = (hfm__guard *)grown;
  guard = &g->guards[g->guard_count++];
  guard->x = x;
  guard->y = y;
  guard->less = g->dims[x.id].traced < g->dims[y.id].traced;
  return guard->less;
}

/* x <= limit in every call, or the error names the input and the reason. */
HFM__PRIVATE void hfm__require(hfm__builder *b, hfm__dim x, int64_t limit, int32_t input, const char *reason) {
  hfm__graph *g = b->graph;
  void *grown;
  if (!hfm__ok(b)) return;
  grown = hfm__grow(&b->mem, g->requirements, g->requirement_count, &g->requirement_capacity, sizeof *g->requirements);
  if (!grown) {
    hfm__builder_memory(b);
    return;
  }
  g->requirements = (hfm__requirement *)grown;
  g->requirements[g->requirement_count].x = x;
  g->requirements[g->requirement_count].limit = limit;
  g->requirements[g->requirement_count].input = input;
  g->requirements[g->requirement_count++].reason = reason;
}

/* ---- Values ---- */

HFM__PRIVATE hfm__val hfm__value_add(hfm__builder *b, int32_t kind, int32_t source, hfm_dtype dtype, int32_t rank,
                                     const hfm__dim *shape) {
  hfm__graph *g = b->graph;
  hfm__val handle = {0};
  hfm__value *v;
  void *grown;
  if (!hfm__ok(b)) return handle;
  grown = hfm__grow(&b->mem, g->values, g->value_count, &g->value_capacity, sizeof *g->values);
  if (!grown) {
    hfm__builder_memory(b);
    return handle;
  }
  g->values = (hfm__value *)grown;
  if (g->value_count == 0) memset(&g->values[g->value_count++], 0, sizeof *g->values);
  handle.id = (int32_t)g->value_count++;
  v = &g->values[handle.id];
  memset(v, 0, sizeof *v);
  v->kind = kind;
  v->source = source;
  v->base = handle.id;
  v->contiguous = 1;
  v->dtype = dtype;
  v->rank = rank;
  for (int32_t i = 0; i < rank; i++) v->shape[i] = shape[i];
  return handle;
}

HFM__PRIVATE const hfm__value *hfm__value_of(const hfm__builder *b, hfm__val v) { return &b->graph->values[v.id]; }

/* Dimension `axis` of a value; negative counts from the end. */
HFM__PRIVATE hfm__dim hfm__dim_of(const hfm__builder *b, hfm__val v, int32_t axis) {
  const hfm__dim none = {0};
  const hfm__value *value;
  if (!hfm__ok(b)) return none;
  value = hfm__value_of(b, v);
  return value->shape[axis < 0 ? value->rank + axis : axis];
}

HFM__PRIVATE int32_t hfm__rank_of(const hfm__builder *b, hfm__val v) {
  return hfm__ok(b) ? hfm__value_of(b, v)->rank : 0;
}

/* An empty node of the running module; NULL after an error. */
HFM__PRIVATE hfm__node *hfm__node_add(hfm__builder *b, int32_t op) {
  hfm__graph *g = b->graph;
  void *grown;
  if (!hfm__ok(b)) return NULL;
  grown = hfm__grow(&b->mem, g->nodes, g->node_count, &g->node_capacity, sizeof *g->nodes);
  if (!grown) {
    hfm__builder_memory(b);
    return NULL;
  }
  g->nodes = (hfm__node *)grown;
  memset(&g->nodes[g->node_count], 0, sizeof *g->nodes);
  g->nodes[g->node_count].op = op;
  g->nodes[g->node_count].module = b->module;
  return &g->nodes[g->node_count++];
}

/* An op with one output of that shape. */
HFM__PRIVATE hfm__val hfm__emit(hfm__builder *b, int32_t op, const hfm__attrs *attrs, hfm_dtype dtype, int32_t rank,
                                const hfm__dim *shape, hfm__val in0, hfm__val in1, hfm__val in2, hfm__val in3) {
  hfm__node *node = hfm__node_add(b, op);
  const hfm__val out = hfm__value_add(b, HFM__VALUE_NODE, (int32_t)b->graph->node_count - 1, dtype, rank, shape);
  if (!hfm__ok(b)) return out;
  if (attrs) node->attrs = *attrs;
  node->in[0] = in0.id;
  node->in[1] = in1.id;
  node->in[2] = in2.id;
  node->in[3] = in3.id;
  node->out[0] = out.id;
  return out;
}

/* A view of x: the same memory under another shape. */
HFM__PRIVATE hfm__val hfm__view(hfm__builder *b, int32_t op, const hfm__attrs *attrs, int32_t contiguous, int32_t rank,
                                const hfm__dim *shape, hfm__val x) {
  const hfm__val none = {0};
  const int32_t base = hfm__ok(b) ? hfm__value_of(b, x)->base : 0;
  const hfm_dtype dtype = hfm__ok(b) ? hfm__value_of(b, x)->dtype : 0;
  const hfm__val out = hfm__emit(b, op, attrs, dtype, rank, shape, x, none, none, none);
  if (hfm__ok(b)) {
    hfm__value *v = &b->graph->values[out.id];
    v->kind = HFM__VALUE_VIEW;
    v->base = base;
    v->contiguous = contiguous;
  }
  return out;
}

static const hfm__val hfm__no_value = {0};

/* ---- Inputs and outputs of the graph ---- */

HFM__PRIVATE int hfm__given(const hfm__builder *b, int32_t input) { return (b->asked.present >> input & 1) != 0; }

/* The argument of that name, which the caller gives. */
HFM__PRIVATE hfm__val hfm__input(hfm__builder *b, int32_t input, hfm_dtype dtype, int32_t rank, hfm__dim d0,
                                 hfm__dim d1, hfm__dim d2, hfm__dim d3) {
  hfm__dim shape[4];
  hfm__val value;
  shape[0] = d0;
  shape[1] = d1;
  shape[2] = d2;
  shape[3] = d3;
  if (hfm__ok(b) && b->graph->inputs[input].value) {
    value.id = b->graph->inputs[input].value;
    return value;
  }
  value = hfm__value_add(b, HFM__VALUE_INPUT, input, dtype, rank, shape);
  if (hfm__ok(b)) b->graph->inputs[input].value = value.id;
  return value;
}

/* An argument [batch, length] of integers in 0 .. limit - 1; `reason` says what the limit is. */
HFM__PRIVATE hfm__val hfm__input_ids(hfm__builder *b, int32_t input, int64_t limit, const char *reason) {
  const hfm__dim none = {0};
  const hfm__val value =
      hfm__input(b, input, HFM_I64, 2, hfm__symbol(b, HFM__SYM_BATCH), hfm__symbol(b, HFM__SYM_LENGTH), none, none);
  if (hfm__ok(b)) {
    b->graph->inputs[input].limit = limit;
    b->graph->inputs[input].limit_reason = reason;
  }
  return value;
}

/* How many positions attention reaches over: this call's, and the cached ones before them. */
HFM__PRIVATE hfm__dim hfm__total_length(hfm__builder *b) {
  return hfm__symbol(b, b->asked.use_cache ? HFM__SYM_TOTAL : HFM__SYM_LENGTH);
}

/* How many positions are cached. */
HFM__PRIVATE hfm__dim hfm__past_length(hfm__builder *b) {
  if (!b->asked.use_cache) return hfm__fixed(b, 0);
  return hfm__dim_op(b, HFM__DIM_sub, hfm__symbol(b, HFM__SYM_TOTAL), hfm__symbol(b, HFM__SYM_LENGTH));
}

/* attention_mask as "keep" flags [batch, total length], or nothing where the caller gives none: all ones. */
HFM__PRIVATE hfm__val hfm__input_mask(hfm__builder *b) {
  const hfm__dim none = {0};
  if (!hfm__given(b, HFM__IN_attention_mask)) return hfm__no_value;
  return hfm__input(b, HFM__IN_attention_mask, HFM_U8, 2, hfm__symbol(b, HFM__SYM_BATCH), hfm__total_length(b), none,
                    none);
}

HFM__PRIVATE void hfm__output(hfm__builder *b, int32_t kind, hfm__val value);

/* ---- Movement ---- */

HFM__PRIVATE hfm__val hfm__copy(hfm__builder *b, hfm__val x) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  return hfm__emit(b, HFM__OP_copy, NULL, HFM_F32, rank, shape, x, hfm__no_value, hfm__no_value, hfm__no_value);
}

HFM__PRIVATE hfm__val hfm__contiguous(hfm__builder *b, hfm__val x) {
  return hfm__ok(b) && !hfm__value_of(b, x)->contiguous ? hfm__copy(b, x) : x;
}

/* A new shape over the same elements in order; copies only what is not contiguous. */
HFM__PRIVATE hfm__val hfm__reshape(hfm__builder *b, hfm__val x, int32_t rank, const hfm__dim *shape) {
  return hfm__view(b, HFM__VIEW_reshape, NULL, 1, rank, shape, hfm__contiguous(b, x));
}

/* [..., heads * size] as [..., heads, size]: splits the last dimension, so any strides will do. */
HFM__PRIVATE hfm__val hfm__split_heads(hfm__builder *b, hfm__val x, int64_t heads) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b)) return x;
  for (int32_t i = 0; i < rank - 1; i++) shape[i] = hfm__dim_of(b, x, i);
  shape[rank - 1] = hfm__fixed(b, heads);
  shape[rank] = hfm__dim_op(b, HFM__DIM_floordiv, hfm__dim_of(b, x, rank - 1), shape[rank - 1]);
  return hfm__view(b, HFM__VIEW_reshape, NULL, hfm__value_of(b, x)->contiguous, rank + 1, shape, x);
}

/* [..., heads, size] as [..., heads * size]. */
HFM__PRIVATE hfm__val hfm__merge_heads(hfm__builder *b, hfm__val x) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b)) return x;
  for (int32_t i = 0; i < rank - 2; i++) shape[i] = hfm__dim_of(b, x, i);
  shape[rank - 2] = hfm__dim_op(b, HFM__DIM_mul, hfm__dim_of(b, x, rank - 2), hfm__dim_of(b, x, rank - 1));
  return hfm__reshape(b, x, rank - 1, shape);
}

/* x[..., start : start + size, ...] along an axis. */
HFM__PRIVATE hfm__val hfm__slice_from(hfm__builder *b, hfm__val x, int32_t axis, hfm__dim start, hfm__dim size) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__attrs attrs;
  hfm__val out;
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b)) return x;
  memset(&attrs, 0, sizeof attrs);
  attrs.axis = axis < 0 ? rank + axis : axis;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  shape[attrs.axis] = size;
  out = hfm__view(b, HFM__VIEW_slice, &attrs, attrs.axis == 0, rank, shape, x);
  if (hfm__ok(b)) b->graph->nodes[hfm__value_of(b, out)->source].dims[0] = start;
  return out;
}

HFM__PRIVATE hfm__val hfm__slice(hfm__builder *b, hfm__val x, int32_t axis, int64_t start, hfm__dim size) {
  return hfm__slice_from(b, x, axis, hfm__fixed(b, start), size);
}

/* x[:, index] of [batch, length, size]: [batch, size]. */
HFM__PRIVATE hfm__val hfm__select_row(hfm__builder *b, hfm__val x, int64_t index) {
  hfm__dim shape[2];
  const hfm__val row = hfm__slice(b, x, 1, index, hfm__fixed(b, 1));
  shape[0] = hfm__dim_of(b, row, 0);
  shape[1] = hfm__dim_of(b, row, 2);
  return hfm__view(b, HFM__VIEW_reshape, NULL, 0, 2, shape, row);
}

/* x[..., index]: one element of the last dimension. */
HFM__PRIVATE hfm__val hfm__select_last(hfm__builder *b, hfm__val x, int64_t index) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  const hfm__val piece = hfm__copy(b, hfm__slice(b, x, rank - 1, index, hfm__fixed(b, 1)));
  for (int32_t i = 0; i < rank - 1; i++) shape[i] = hfm__dim_of(b, x, i);
  return hfm__reshape(b, piece, rank - 1, shape);
}

/* Axes reordered: axis i of the result is axis permutation[i] of x. */
HFM__PRIVATE hfm__val hfm__permute(hfm__builder *b, hfm__val x, const int32_t *permutation) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__attrs attrs;
  const int32_t rank = hfm__rank_of(b, x);
  memset(&attrs, 0, sizeof attrs);
  for (int32_t i = 0; i < rank; i++) {
    attrs.permutation[i] = permutation[i];
    shape[i] = hfm__dim_of(b, x, permutation[i]);
  }
  return hfm__view(b, HFM__VIEW_permute, &attrs, 0, rank, shape, x);
}

/* x of [1, ...] repeated along the first axis. */
HFM__PRIVATE hfm__val hfm__expand_batch(hfm__builder *b, hfm__val x) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  for (int32_t i = 0; i < rank; i++) shape[i] = i ? hfm__dim_of(b, x, i) : hfm__symbol(b, HFM__SYM_BATCH);
  return hfm__view(b, HFM__VIEW_expand, NULL, 0, rank, shape, x);
}

HFM__PRIVATE hfm__val hfm__concat(hfm__builder *b, hfm__val x, hfm__val y, int32_t axis) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__attrs attrs;
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b)) return x;
  memset(&attrs, 0, sizeof attrs);
  attrs.axis = axis;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  shape[axis] = hfm__dim_op(b, HFM__DIM_add, shape[axis], hfm__dim_of(b, y, axis));
  return hfm__emit(b, HFM__OP_concat, &attrs, HFM_F32, rank, shape, x, y, hfm__no_value, hfm__no_value);
}

/* ---- Parameters and constants as values ---- */

/* The parameter as it is stored: for ops that read weights. A tied name shows its source. */
HFM__PRIVATE hfm__val hfm__stored(hfm__builder *b, hfm__par parameter) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__graph *g = b->graph;
  if (!hfm__ok(b) || !parameter.id) return hfm__no_value;
  if (b->tree->parameters[parameter.id].tied_to) parameter.id = b->tree->parameters[parameter.id].tied_to;
  for (size_t i = 1; i < g->value_count; i++) {
    hfm__val found;
    found.id = (int32_t)i;
    if (g->values[i].kind == HFM__VALUE_PARAMETER && g->values[i].source == parameter.id) return found;
  }
  for (int32_t i = 0; i < b->tree->parameters[parameter.id].rank; i++)
    shape[i] = hfm__fixed(b, b->tree->parameters[parameter.id].shape[i]);
  return hfm__value_add(b, HFM__VALUE_PARAMETER, parameter.id, HFM_DTYPE_AUTO, b->tree->parameters[parameter.id].rank,
                        shape);
}

/* The parameter as f32, for arithmetic. */
HFM__PRIVATE hfm__val hfm__param(hfm__builder *b, hfm__par parameter) {
  return hfm__copy(b, hfm__stored(b, parameter));
}

/* A vector that lives as long as the model. */
HFM__PRIVATE hfm__val hfm__vector(hfm__builder *b, const float *data, int64_t elements) {
  hfm__graph *g = b->graph;
  hfm__dim shape;
  void *grown;
  if (!hfm__ok(b)) return hfm__no_value;
  grown = hfm__grow(&b->mem, g->constants, g->constant_count, &g->constant_capacity, sizeof *g->constants);
  if (!grown) {
    hfm__builder_memory(b);
    return hfm__no_value;
  }
  g->constants = (hfm__constant *)grown;
  g->constants[g->constant_count].data = data;
  g->constants[g->constant_count++].elements = elements;
  shape = hfm__fixed(b, elements);
  return hfm__value_add(b, HFM__VALUE_CONSTANT, (int32_t)g->constant_count - 1, HFM_F32, 1, &shape);
}

/* ---- State ---- */

/* Declares what outlives a call. `name` must live as long as the graph. */
HFM__PRIVATE hfm__val hfm__state_add(hfm__builder *b, const char *name, int32_t kind, int32_t rank,
                                     const hfm__dim *shape) {
  hfm__graph *g = b->graph;
  hfm__val value;
  void *grown;
  if (!hfm__ok(b)) return hfm__no_value;
  grown = hfm__grow(&b->mem, g->states, g->state_count, &g->state_capacity, sizeof *g->states);
  if (!grown || !name) {
    hfm__builder_memory(b);
    return hfm__no_value;
  }
  g->states = (hfm__state *)grown;
  value = hfm__value_add(b, HFM__VALUE_STATE, (int32_t)g->state_count, HFM_F32, rank, shape);
  if (!hfm__ok(b)) return value;
  g->values[value.id].contiguous = 0; /* between the batch's rows there is room to grow */
  g->states[g->state_count].name = name;
  g->states[g->state_count].kind = kind;
  g->states[g->state_count++].value = value.id;
  return value;
}

/* x [batch, length, ...] behind what the calls before have left under that name, all of it: [batch, total, ...]. Without
   a cache x itself. */
HFM__PRIVATE hfm__val hfm__cached(hfm__builder *b, int64_t layer, const char *name, hfm__val x) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__val state, out;
  char text[64];
  hfm__text t = hfm__text_to(text, sizeof text);
  const int32_t rank = hfm__rank_of(b, x);
  if (!hfm__ok(b) || !b->asked.use_cache) return x;
  hfm__text_format(&t, "past_key_values.%i.%s", layer, name);
  for (int32_t i = 0; i < rank; i++) shape[i] = i == 1 ? hfm__total_length(b) : hfm__dim_of(b, x, i);
  state = hfm__state_add(b, hfm__arena_copy(&b->graph->arena, text, t.length), HFM__STATE_APPEND, rank, shape);
  out = hfm__view(b, HFM__OP_append, NULL, 0, rank, shape, state);
  if (hfm__ok(b)) b->graph->nodes[hfm__value_of(b, out)->source].in[1] = x.id;
  return out;
}

/* ---- Arithmetic ---- */

/* Broadcast shape of two values whose dimensions are equal or 1. */
HFM__PRIVATE hfm__val hfm__binary(hfm__builder *b, int32_t op, hfm__val x, hfm__val y) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rx = hfm__rank_of(b, x), ry = hfm__rank_of(b, y), rank = HFM__MAX(rx, ry);
  if (!hfm__ok(b)) return x;
  for (int32_t i = 0; i < rank; i++) {
    const hfm__dim one = hfm__fixed(b, 1);
    const hfm__dim dx = i < rank - rx ? one : hfm__dim_of(b, x, i - (rank - rx));
    const hfm__dim dy = i < rank - ry ? one : hfm__dim_of(b, y, i - (rank - ry));
    shape[i] = dx.id == one.id ? dy : dx;
  }
  return hfm__emit(b, op, NULL, HFM_F32, rank, shape, x, y, hfm__no_value, hfm__no_value);
}
HFM__PRIVATE hfm__val hfm__add(hfm__builder *b, hfm__val x, hfm__val y) { return hfm__binary(b, HFM__OP_add, x, y); }
HFM__PRIVATE hfm__val hfm__mul(hfm__builder *b, hfm__val x, hfm__val y) { return hfm__binary(b, HFM__OP_mul, x, y); }

/* An op that keeps the shape of its first input. */
HFM__PRIVATE hfm__val hfm__same_shape(hfm__builder *b, int32_t op, const hfm__attrs *attrs, hfm__val x, hfm__val in1,
                                      hfm__val in2) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, x);
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  return hfm__emit(b, op, attrs, HFM_F32, rank, shape, x, in1, in2, hfm__no_value);
}

HFM__PRIVATE hfm__val hfm__activate(hfm__builder *b, int32_t activation, hfm__val x) {
  hfm__attrs attrs;
  memset(&attrs, 0, sizeof attrs);
  attrs.activation = activation;
  return hfm__same_shape(b, HFM__OP_unary, &attrs, x, hfm__no_value, hfm__no_value);
}

HFM__PRIVATE void hfm__output(hfm__builder *b, int32_t kind, hfm__val value) {
  hfm__graph *g = b->graph;
  void *grown;
  value = hfm__contiguous(b, value);
  if (!hfm__ok(b)) return;
  grown = hfm__grow(&b->mem, g->outputs, g->output_count, &g->output_capacity, sizeof *g->outputs);
  if (!grown) {
    hfm__builder_memory(b);
    return;
  }
  g->outputs = (hfm__graph_output *)grown;
  g->outputs[g->output_count].kind = kind;
  g->outputs[g->output_count++].value = value.id;
}

/* One more of hidden_states, if they are asked for. */
HFM__PRIVATE void hfm__hidden_state(hfm__builder *b, hfm__val x) {
  if (b->asked.hidden_states) hfm__output(b, HFM__OUT_hidden_states, x);
}

/* ---- Calling modules: the module's kind decides the op ---- */

HFM__PRIVATE hfm__val hfm__call_linear(hfm__builder *b, const hfm__module *m, hfm__val x, int32_t transposed,
                                       hfm__val residual) {
  hfm__dim shape[HFM_MAX_RANK];
  hfm__attrs attrs;
  const int32_t rank = hfm__rank_of(b, x);
  const hfm__par weight = m->weight, bias = m->bias;
  memset(&attrs, 0, sizeof attrs);
  attrs.transposed = transposed;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, x, i);
  if (!hfm__ok(b)) return x;
  shape[rank - 1] = hfm__fixed(b, b->tree->parameters[weight.id].shape[transposed ? 1 : 0]);
  return hfm__emit(b, HFM__OP_linear, &attrs, HFM_F32, rank, shape, x, hfm__stored(b, weight), hfm__stored(b, bias),
                   residual);
}

HFM__PRIVATE hfm__val hfm__call_embedding(hfm__builder *b, const hfm__module *m, hfm__val ids) {
  hfm__dim shape[HFM_MAX_RANK];
  const int32_t rank = hfm__rank_of(b, ids);
  const hfm__par weight = m->weight;
  for (int32_t i = 0; i < rank; i++) shape[i] = hfm__dim_of(b, ids, i);
  if (!hfm__ok(b)) return ids;
  shape[rank] = hfm__fixed(b, b->tree->parameters[weight.id].shape[1]);
  return hfm__emit(b, HFM__OP_embedding, NULL, HFM_F32, rank + 1, shape, ids, hfm__stored(b, weight), hfm__no_value,
                   hfm__no_value);
}

/* x [batch, channels, height, width] -> [batch, out height, out width, out channels]. */
HFM__PRIVATE hfm__val hfm__call_conv2d(hfm__builder *b, const hfm__module *m, hfm__val x) {
  hfm__dim shape[4];
  const hfm__par weight = m->weight, bias = m->bias;
  const hfm__attrs attrs = m->attrs;
  const int64_t *w;
  if (!hfm__ok(b)) return x;
  w = b->tree->parameters[weight.id].shape;
  shape[0] = hfm__dim_of(b, x, 0);
  for (int32_t i = 0; i < 2; i++) { /* (size + 2 padding - kernel) / stride + 1 */
    const int64_t reach = 2 * attrs.padding[i] - w[2 + i] + attrs.stride[i];
    const hfm__dim room = hfm__dim_op(b, HFM__DIM_add, hfm__dim_of(b, x, 2 + i), hfm__fixed(b, reach));
    shape[1 + i] = hfm__dim_op(b, HFM__DIM_floordiv, room, hfm__fixed(b, attrs.stride[i]));
  }
  shape[3] = hfm__fixed(b, w[0]);
  return hfm__emit(b, HFM__OP_conv2d, &attrs, HFM_F32, 4, shape, x, hfm__stored(b, weight), hfm__stored(b, bias),
                   hfm__no_value);
}

HFM__PRIVATE hfm__val hfm__call(hfm__builder *b, hfm__mod module, hfm__val x) {
  hfm__module m;
  if (!hfm__ok(b)) return x;
  m = b->tree->modules[module.id];
  b->module = module.id;
  switch (m.kind) {
    case HFM__MODULE_LINEAR:
      return hfm__call_linear(b, &m, x, 0, hfm__no_value);
    case HFM__MODULE_CONV1D:
      return hfm__call_linear(b, &m, x, 1, hfm__no_value);
    case HFM__MODULE_CONV2D:
      return hfm__call_conv2d(b, &m, x);
    case HFM__MODULE_EMBEDDING:
      return hfm__call_embedding(b, &m, x);
    case HFM__MODULE_LAYER_NORM:
      return hfm__same_shape(b, HFM__OP_layer_norm, &m.attrs, x, hfm__stored(b, m.weight), hfm__stored(b, m.bias));
    case HFM__MODULE_RMS_NORM:
      return hfm__same_shape(b, HFM__OP_rms_norm, &m.attrs, x, hfm__stored(b, m.weight), hfm__no_value);
    case HFM__MODULE_ACTIVATION:
      return hfm__activate(b, m.attrs.activation, x);
    default:
      return x; /* dropout: identity, models are in eval mode */
  }
}

/* ---- Attention and indices ---- */

/* q [B, S, H, D], k and v [B, T, KV, D], keep [B, T] or none -> [B, S, H * D]. Records attentions if they are asked for. */
HFM__PRIVATE hfm__val hfm__attend(hfm__builder *b, hfm__val q, hfm__val k, hfm__val v, hfm__val keep, double scale,
                                  int32_t causal, int64_t window) {
  hfm__dim shape[4], scores[4];
  hfm__attrs attrs;
  hfm__val context;
  memset(&attrs, 0, sizeof attrs);
  attrs.scale = (float)scale;
  attrs.causal = causal;
  attrs.window = window;
  attrs.implementation = b->asked.attentions ? HFM_ATTN_EAGER : b->attention;
  for (int32_t i = 0; i < 4; i++) shape[i] = hfm__dim_of(b, q, i);
  context = hfm__emit(b, HFM__OP_attention, &attrs, HFM_F32, 4, shape, q, k, v, keep);
  if (b->asked.attentions && hfm__ok(b)) {
    const int32_t node = hfm__value_of(b, context)->source;
    hfm__val probabilities;
    scores[0] = shape[0];
    scores[1] = shape[2];
    scores[2] = shape[1];
    scores[3] = hfm__dim_of(b, k, 1);
    probabilities = hfm__value_add(b, HFM__VALUE_NODE, node, HFM_F32, 4, scores);
    if (hfm__ok(b)) b->graph->nodes[node].out[1] = probabilities.id;
    hfm__output(b, HFM__OUT_attentions, probabilities);
  }
  return hfm__merge_heads(b, context);
}

/* Positions start, start + 1, ... as [1, length]. */
HFM__PRIVATE hfm__val hfm__iota(hfm__builder *b, hfm__dim length, hfm__dim start) {
  hfm__dim shape[2];
  hfm__val out;
  shape[0] = hfm__fixed(b, 1);
  shape[1] = length;
  out = hfm__emit(b, HFM__OP_iota, NULL, HFM_I64, 2, shape, hfm__no_value, hfm__no_value, hfm__no_value, hfm__no_value);
  if (hfm__ok(b)) b->graph->nodes[b->graph->node_count - 1].dims[0] = start;
  return out;
}

/* Positions counted over the ids that are not padding, as RoBERTa does. */
HFM__PRIVATE hfm__val hfm__padded_positions(hfm__builder *b, hfm__val ids, int64_t pad) {
  hfm__dim shape[2];
  hfm__attrs attrs;
  memset(&attrs, 0, sizeof attrs);
  attrs.pad = (int32_t)pad;
  shape[0] = hfm__dim_of(b, ids, 0);
  shape[1] = hfm__dim_of(b, ids, 1);
  return hfm__emit(b, HFM__OP_padded_positions, &attrs, HFM_I64, 2, shape, ids, hfm__no_value, hfm__no_value,
                   hfm__no_value);
}

/* Row of x [batch, length, size] at the rightmost id that is not `pad`: [batch, size]. */
HFM__PRIVATE hfm__val hfm__last_token(hfm__builder *b, hfm__val x, hfm__val ids, int64_t pad) {
  hfm__dim shape[2];
  hfm__attrs attrs;
  hfm__val index;
  memset(&attrs, 0, sizeof attrs);
  attrs.pad = (int32_t)pad;
  shape[0] = hfm__dim_of(b, x, 0);
  shape[1] = hfm__dim_of(b, x, 2);
  index = hfm__emit(b, HFM__OP_last_token, &attrs, HFM_I64, 1, shape, ids, hfm__no_value, hfm__no_value, hfm__no_value);
  return hfm__emit(b, HFM__OP_gather_rows, NULL, HFM_F32, 2, shape, hfm__contiguous(b, x), index, hfm__no_value,
                   hfm__no_value);
}
/* ==== end src/graph/trace.c ==== */
/* ==== begin src/graph/fuse.c ==== */
/* ==== graph/fuse (private): fewer passes over memory ==============================================================
   A product takes over the activation that alone reads its result, and then the residual that is added to it. Families
   spell neither; train mode, export and the tests of fusion use the graph without this pass. */

/* How often each value is read, outputs and views included. */
HFM__PRIVATE void hfm__count_uses(const hfm__graph *g, int32_t *uses) {
  memset(uses, 0, g->value_count * sizeof *uses);
  for (size_t i = 0; i < g->node_count; i++)
    for (int32_t j = 0; j < HFM__MAX_OP_INPUTS; j++) uses[g->nodes[i].in[j]]++;
  for (size_t i = 0; i < g->output_count; i++) uses[g->outputs[i].value]++;
}

/* The product whose only reader is this input, or NULL. */
HFM__PRIVATE hfm__node *hfm__product_before(hfm__graph *g, int32_t value, const int32_t *uses) {
  const hfm__value *v = &g->values[value];
  hfm__node *node;
  if (!value || v->kind != HFM__VALUE_NODE || uses[value] != 1) return NULL;
  node = &g->nodes[v->source];
  return node->op == HFM__OP_linear && node->out[0] == value ? node : NULL;
}

HFM__PRIVATE int hfm__same_dims(const hfm__value *a, const hfm__value *b) {
  if (a->rank != b->rank) return 0;
  for (int32_t i = 0; i < a->rank; i++)
    if (a->shape[i].id != b->shape[i].id) return 0;
  return 1;
}

/* The product writes `value` instead of its own result; the node that wrote it becomes a view of nothing. */
HFM__PRIVATE void hfm__take_over(hfm__graph *g, hfm__node *product, hfm__node *node) {
  const int32_t value = node->out[0];
  product->out[0] = value;
  memset(node, 0, sizeof *node);
  node->op = HFM__OP_END;
  g->values[value].source = (int32_t)(product - g->nodes);
}

/* A residual must be there when the product runs: made by an earlier node, or by none. */
HFM__PRIVATE int hfm__is_ready(const hfm__graph *g, int32_t value, const hfm__node *product) {
  const hfm__value *v = &g->values[value];
  if (v->kind != HFM__VALUE_NODE && v->kind != HFM__VALUE_VIEW) return v->kind == HFM__VALUE_INPUT;
  return v->source < product - g->nodes;
}

HFM__PRIVATE hfm_result hfm__fuse(hfm__graph *g, hfm_error *error) {
  int32_t *uses = (int32_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *uses);
  if (!uses) return hfm__fail_memory(error, "a plan", 0);
  hfm__count_uses(g, uses);
  for (size_t i = 0; i < g->node_count; i++) {
    hfm__node *node = &g->nodes[i];
    if (node->op == HFM__OP_unary) {
      hfm__node *product = hfm__product_before(g, node->in[0], uses);
      if (product && !product->attrs.activation && !product->in[3]) {
        product->attrs.activation = node->attrs.activation;
        hfm__take_over(g, product, node);
      }
    } else if (node->op == HFM__OP_add) {
      for (int32_t side = 0; side < 2; side++) {
        hfm__node *product = hfm__product_before(g, node->in[side], uses);
        const int32_t residual = node->in[1 - side];
        if (!product || product->in[3] || !hfm__is_ready(g, residual, product)) continue;
        if (!hfm__same_dims(&g->values[residual], &g->values[node->in[side]]) || g->values[residual].dtype != HFM_F32)
          continue;
        product->in[3] = residual;
        hfm__take_over(g, product, node);
        break;
      }
    }
  }
  return HFM_OK;
}
/* ==== end src/graph/fuse.c ==== */
/* ==== begin src/graph/plan.c ==== */
/* ==== graph/plan (private): where every value lies ================================================================
   Made once for upper bounds: offsets come from the bounds, sizes from each call's binding. Values whose lives don't
   overlap share memory; outputs live to the end. */

enum { HFM__PLAN_ALIGN = 64 };
/* No machine has more: half of a 32-bit address space, or the 47 bits that 64-bit systems give a process. */
static const uint64_t hfm__plan_most = (uint64_t)PTRDIFF_MAX / 2 < (uint64_t)1 << 46 ? (uint64_t)PTRDIFF_MAX / 2 : (uint64_t)1 << 46;

typedef struct hfm__plan {
  int64_t bounds[HFM__SYM_COUNT];
  uint64_t *offsets; /* of each value in the session's arena, of states in its cache; UINT64_MAX: it needs no memory */
  uint64_t arena_bytes, state_bytes;
} hfm__plan;

/* Bytes of a value under some dimension values, aligned; 0 where it overflows or needs none. */
HFM__PRIVATE int hfm__value_bytes(const hfm__value *v, const int64_t *dims, uint64_t *bytes) {
  uint64_t n = (uint64_t)hfm_dtype_bits(v->dtype) / 8;
  for (int32_t i = 0; i < v->rank; i++) {
    const int64_t d = dims[v->shape[i].id];
    if (d < 0 || !hfm__mul64(n, (uint64_t)d, &n)) return 0;
  }
  if (n > hfm__plan_most) return 0;
  *bytes = (n + HFM__PLAN_ALIGN - 1) / HFM__PLAN_ALIGN * HFM__PLAN_ALIGN;
  return 1;
}

typedef struct hfm__life {
  int32_t first, last; /* nodes between which the memory is taken */
} hfm__life;

HFM__PRIVATE void hfm__lives(const hfm__graph *g, hfm__life *lives) {
  for (size_t i = 0; i < g->value_count; i++) {
    lives[i].first = INT32_MAX;
    lives[i].last = -1;
  }
  for (size_t i = 0; i < g->node_count; i++) {
    const hfm__node *node = &g->nodes[i];
    for (int32_t j = 0; j < HFM__MAX_OP_INPUTS; j++) {
      const int32_t base = g->values[node->in[j]].base;
      lives[base].last = HFM__MAX(lives[base].last, (int32_t)i);
    }
    for (int32_t j = 0; j < HFM__MAX_OP_OUTPUTS; j++) {
      const int32_t base = g->values[node->out[j]].base;
      lives[base].first = HFM__MIN(lives[base].first, (int32_t)i);
      lives[base].last = HFM__MAX(lives[base].last, (int32_t)i);
    }
  }
  for (size_t i = 0; i < g->value_count; i++)
    if (g->values[i].kind == HFM__VALUE_INPUT) lives[i].first = -1;
  for (size_t i = 0; i < g->output_count; i++) lives[g->values[g->outputs[i].value].base].last = INT32_MAX;
}

HFM__PRIVATE int hfm__overlap(hfm__life a, hfm__life b) { return a.first <= b.last && b.first <= a.last; }

/* The lowest place where `bytes` fit beside all values placed before that live at the same time. */
HFM__PRIVATE uint64_t hfm__place(const hfm__graph *g, const hfm__plan *plan, const uint64_t *sizes,
                                 const hfm__life *lives, size_t value) {
  uint64_t at = 0;
  for (;;) {
    uint64_t beyond = 0;
    for (size_t i = 1; i < g->value_count; i++) {
      const uint64_t offset = plan->offsets[i];
      if (i == value || offset == UINT64_MAX || !hfm__overlap(lives[i], lives[value])) continue;
      if (offset < at + sizes[value] && at < offset + sizes[i]) beyond = HFM__MAX(beyond, offset + sizes[i]);
    }
    if (!beyond) return at;
    at = beyond;
  }
}

HFM__PRIVATE hfm_result hfm__plan_too_large(const int64_t bounds[HFM__SYM_COUNT], hfm_error *error) {
  return hfm__fail(error, HFM_E_ADDRESS_SPACE, NULL, NULL, 0,
                   "the activations of batch %i, length %i don't fit this machine's address space",
                   bounds[HFM__SYM_BATCH], bounds[HFM__SYM_LENGTH]);
}

/* Plans a graph for bounds; everything it needs is in the graph's arena. `error` names what is too large. */
HFM__PRIVATE hfm_result hfm__plan_make(hfm__graph *g, const int64_t bounds[HFM__SYM_COUNT], hfm__plan *plan,
                                       hfm_error *error) {
  int64_t *dims = (int64_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->dim_count * sizeof *dims);
  uint64_t *sizes = (uint64_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *sizes);
  hfm__life *lives = (hfm__life *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *lives);
  memset(plan, 0, sizeof *plan);
  plan->offsets = (uint64_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *plan->offsets);
  if (!dims || !sizes || !lives || !plan->offsets) return hfm__fail_memory(error, "a plan", 0);
  memcpy(plan->bounds, bounds, sizeof plan->bounds);
  hfm__dims_evaluate(g, bounds, dims);
  hfm__lives(g, lives);
  for (size_t i = 0; i < g->value_count; i++) plan->offsets[i] = UINT64_MAX;
  for (size_t i = 1; i < g->value_count; i++) {
    const hfm__value *v = &g->values[i];
    if ((v->kind != HFM__VALUE_NODE && v->kind != HFM__VALUE_INPUT) || lives[i].last < 0) continue;
    if (!hfm__value_bytes(v, dims, &sizes[i]) || !hfm__add64(plan->arena_bytes, sizes[i], &plan->arena_bytes))
      return hfm__plan_too_large(bounds, error);
  }
  plan->arena_bytes = 0;
  for (size_t i = 1; i < g->value_count; i++) {
    const hfm__value *v = &g->values[i];
    if ((v->kind != HFM__VALUE_NODE && v->kind != HFM__VALUE_INPUT) || lives[i].last < 0) continue;
    plan->offsets[i] = hfm__place(g, plan, sizes, lives, i);
    plan->arena_bytes = HFM__MAX(plan->arena_bytes, plan->offsets[i] + sizes[i]);
  }
  for (size_t i = 0; i < g->state_count; i++) { /* one after the other: a session moves them when it grows */
    const int32_t value = g->states[i].value;
    plan->offsets[value] = plan->state_bytes;
    if (!hfm__value_bytes(&g->values[value], dims, &sizes[value]) ||
        !hfm__add64(plan->state_bytes, sizes[value], &plan->state_bytes))
      return hfm__plan_too_large(bounds, error);
  }
  if (plan->arena_bytes > hfm__plan_most || plan->state_bytes > hfm__plan_most)
    return hfm__plan_too_large(bounds, error);
  return HFM_OK;
}
/* ==== end src/graph/plan.c ==== */

/* ==== begin src/nn/rope.c ==== */
/* ==== nn/rope (private): rotary position embeddings ===============================================================
   Inverse frequencies as Transformers computes them (modeling_rope_utils.py), in float32 where torch uses float32. Only
   "dynamic" and "longrope" depend on how far a call reaches. */

typedef struct hfm__rope {
  int64_t dimension;           /* rotated elements of a head */
  const float *frequency;      /* [dimension / 2] */
  const float *long_frequency; /* longrope beyond the original length, else NULL */
  int64_t original_length;
  float scale; /* of cosines and sines: attention_factor */
  int32_t dynamic;
  double base, factor;
} hfm__rope;

/* 1 / base^(2i / dimension), rounded step by step as torch rounds. */
HFM__PRIVATE float hfm__inverse_frequency(double base, int64_t i, int64_t dimension) {
  const float exponent = (float)(2 * i) / (float)dimension;
  return 1.0f / (float)hfm__exact_pow(base, (double)exponent);
}

HFM__PRIVATE double hfm__rope_needed(hfm__builder *b, const char *key) {
  const double value = hfm__config_rope_float(b->config, NULL, key, -1);
  if (hfm__ok(b) && !(value > 0))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, key, 0,
                          "rope parameter %q must be a number greater than 0", key);
  return hfm__ok(b) ? value : 1;
}

/* The length that the model was pretrained with: beside the rope parameters (Phi-3), among them, or the maximum. */
HFM__PRIVATE double hfm__rope_original(hfm__builder *b, int64_t max_positions) {
  const char *key = "original_max_position_embeddings";
  const double value =
      hfm_config_get_float(b->config, key, hfm__config_rope_float(b->config, NULL, key, (double)max_positions));
  if (hfm__ok(b) && !(value >= 1 && value <= INT32_MAX))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, key, 0, "%q must be from 1 to %d", key, (int)INT32_MAX);
  return hfm__ok(b) ? value : 1;
}

/* Wave lengths beyond a threshold are stretched by `factor`, shorter ones kept, with a smooth transition. */
HFM__PRIVATE void hfm__rope_llama3(hfm__builder *b, float *frequency, int64_t half, double factor,
                                   int64_t max_positions) {
  const double low = hfm__rope_needed(b, "low_freq_factor"), high = hfm__rope_needed(b, "high_freq_factor");
  const double original = hfm__rope_original(b, max_positions);
  const float pi2 = 6.283185307179586f;
  if (!(high > low)) return;
  for (int64_t i = 0; i < half; i++) {
    const float wave = pi2 / frequency[i];
    if ((double)wave > original / low) {
      frequency[i] = frequency[i] / (float)factor;
    } else if (!((double)wave < original / high)) {
      const float smooth = ((float)original / wave - (float)low) / (float)(high - low);
      frequency[i] = (1.0f - smooth) * (frequency[i] / (float)factor) + smooth * frequency[i];
    }
  }
}

/* The dimension that turns `rotations` times over `length` positions. */
HFM__PRIVATE double hfm__yarn_dimension(double rotations, int64_t dimension, double base, double length) {
  return (double)dimension * hfm__exact_log(length / (rotations * 6.283185307179586)) / (2.0 * hfm__exact_log(base));
}

HFM__PRIVATE double hfm__yarn_scale(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * hfm__exact_log(factor) + 1.0;
}

HFM__PRIVATE void hfm__rope_yarn(hfm__builder *b, hfm__rope *rope, float *frequency, int64_t max_positions) {
  const int64_t half = rope->dimension / 2;
  const double original = hfm__rope_original(b, max_positions);
  const double factor = hfm__config_rope_float(b->config, NULL, "factor", (double)max_positions / original);
  const double fast = hfm__config_rope_float(b->config, NULL, "beta_fast", 32),
               slow = hfm__config_rope_float(b->config, NULL, "beta_slow", 1);
  const double mscale = hfm__config_rope_float(b->config, NULL, "mscale", 0);
  const double mscale_all = hfm__config_rope_float(b->config, NULL, "mscale_all_dim", 0);
  const hfm__config_value truncate = hfm__config_rope_member(b->config, NULL, "truncate");
  int32_t truncates = 1;
  double low = hfm__yarn_dimension(fast, rope->dimension, rope->base, original);
  double high = hfm__yarn_dimension(slow, rope->dimension, rope->base, original);
  const double given = hfm__config_rope_float(b->config, NULL, "attention_factor", -1);
  (void)hfm__json_bool(truncate.doc, truncate.node, &truncates);
  if (truncates) {
    low = floor(low);
    high = ceil(high);
  }
  low = HFM__MAX(low, 0.0);
  high = HFM__MIN(high, (double)rope->dimension - 1);
  if (low == high) high += 0.001;
  for (int64_t i = 0; i < half; i++) {
    float ramp = (float)(((float)i - (float)low) / (float)(high - low)), keep;
    ramp = HFM__MIN(HFM__MAX(ramp, 0.0f), 1.0f);
    keep = 1.0f - ramp;
    frequency[i] = (1.0f / ((float)factor * (1.0f / frequency[i]))) * (1.0f - keep) + frequency[i] * keep;
  }
  if (given > 0) rope->scale = (float)given;
  else if (mscale > 0 && mscale_all > 0)
    rope->scale = (float)(hfm__yarn_scale(factor, mscale) / hfm__yarn_scale(factor, mscale_all));
  else rope->scale = (float)hfm__yarn_scale(factor, 1);
}

/* Frequencies divided by a list of factors, one for each. */
HFM__PRIVATE const float *hfm__rope_divided(hfm__builder *b, const hfm__rope *rope, const char *key) {
  const int64_t half = rope->dimension / 2;
  const hfm__config_value list = hfm__config_rope_member(b->config, NULL, key);
  float *frequency = HFM__NEW(b, float, half);
  uint32_t node = hfm__json_first(list.doc, list.node);
  int64_t i = 0;
  for (; hfm__ok(b) && node && i < half; node = hfm__json_following(list.doc, node), i++) {
    const float exponent = (float)(2 * i) / (float)rope->dimension;
    double factor = 0;
    if (!hfm__json_double(list.doc, node, &factor) || !(factor > 0)) break;
    frequency[i] = 1.0f / ((float)factor * (float)hfm__exact_pow(rope->base, (double)exponent));
  }
  if (hfm__ok(b) && (i != half || node))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, key, 0,
                          "rope parameter %q must list %i numbers greater than 0", key, half);
  return frequency;
}

HFM__PRIVATE void hfm__rope_long(hfm__builder *b, hfm__rope *rope, int64_t max_positions) {
  const double original = hfm__rope_original(b, max_positions);
  const double factor = hfm__config_rope_float(b->config, NULL, "factor", (double)max_positions / original);
  const double given = hfm__config_rope_float(b->config, NULL, "attention_factor", -1);
  rope->frequency = hfm__rope_divided(b, rope, "short_factor");
  rope->long_frequency = hfm__rope_divided(b, rope, "long_factor");
  rope->original_length = (int64_t)original;
  rope->scale = given > 0 ? (float)given : factor <= 1 ? 1.0f : (float)sqrt(1.0 + hfm__exact_log(factor) / hfm__exact_log(original));
}

enum { HFM__ROPE_MOST = 1 << 16 }; /* tables are made for it, whatever the files hold */

/* Reads the configuration's rope parameters for heads of `head_dim`. Registers the buffers that Transformers has. */
HFM__PRIVATE void hfm__rope_init(hfm__builder *b, hfm__rope *rope, const char *torch_class, int64_t head_dim,
                                 int64_t max_positions) {
  const char *type = hfm__config_rope_type(b->config, NULL);
  const double partial = hfm__config_rope_float(b->config, NULL, "partial_rotary_factor", 1.0);
  float *frequency;
  double factor = 1;
  memset(rope, 0, sizeof *rope);
  rope->dimension = (int64_t)((double)head_dim * (partial > 0 && partial <= 1 ? partial : 1.0));
  rope->base = hfm__config_rope_float(b->config, NULL, "rope_theta", 10000.0);
  rope->scale = 1;
  rope->factor = 1;
  rope->original_length = max_positions;
  if (hfm__ok(b) && (rope->dimension % 2 || rope->dimension < 2 || !(rope->base > 0)))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "rope_theta", 0,
                          "rotary embeddings need an even head size (here %i) and a rope_theta greater than 0",
                          rope->dimension);
  if (hfm__ok(b) && rope->dimension > HFM__ROPE_MOST)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_LIMIT, b->config->file, "head_dim", 0,
                          "rotary embeddings of %i elements a head: more than %d are not believable", rope->dimension,
                          (int)HFM__ROPE_MOST);
  frequency = HFM__NEW(b, float, rope->dimension / 2);
  if (!hfm__ok(b)) return;
  for (int64_t i = 0; i < rope->dimension / 2; i++)
    frequency[i] = hfm__inverse_frequency(rope->base, i, rope->dimension);
  rope->frequency = frequency;
  if (hfm__equal(type, "linear") || hfm__equal(type, "dynamic") || hfm__equal(type, "llama3"))
    factor = hfm__rope_needed(b, "factor");
  if (hfm__equal(type, "linear")) {
    for (int64_t i = 0; i < rope->dimension / 2; i++) frequency[i] /= (float)factor;
  } else if (hfm__equal(type, "dynamic")) {
    rope->dynamic = 1;
    rope->factor = factor;
  } else if (hfm__equal(type, "llama3")) {
    hfm__rope_llama3(b, frequency, rope->dimension / 2, factor, max_positions);
  } else if (hfm__equal(type, "yarn")) {
    hfm__rope_yarn(b, rope, frequency, max_positions);
  } else if (hfm__equal(type, "longrope")) {
    hfm__rope_long(b, rope, max_positions);
  } else if (!hfm__equal(type, "default")) {
    hfm__refuse(b, "rope_type", type, "use default, linear, dynamic, yarn, longrope or llama3");
  }
  hfm__describe(b, hfm__begin(b, "rotary_emb", torch_class), "");
  hfm__buffer_add(b, "inv_freq", HFM_F32, rope->dimension / 2);
  hfm__buffer_add(b, "original_inv_freq", HFM_F32, rope->dimension / 2);
  hfm__end(b);
}

/* Frequencies for these positions: constant, unless the type is dynamic or longrope. Both go by the last position; where
   positions are counted that is the length, so longrope's switch is a branch, otherwise it depends on data. */
HFM__PRIVATE hfm__val hfm__rope_frequencies(hfm__builder *b, const hfm__rope *rope, hfm__val positions) {
  const int64_t half = rope->dimension / 2;
  const int on_data = hfm__given(b, HFM__IN_position_ids);
  hfm__val shorter, longer;
  hfm__dim shape;
  hfm__attrs attrs;
  if (rope->long_frequency && !on_data) {
    const int beyond = hfm__dim_less(b, hfm__fixed(b, rope->original_length), hfm__total_length(b));
    return hfm__vector(b, beyond ? rope->long_frequency : rope->frequency, half);
  }
  shorter = hfm__vector(b, rope->frequency, half);
  if (!rope->long_frequency && !rope->dynamic) return shorter;
  longer = rope->long_frequency ? hfm__vector(b, rope->long_frequency, half) : hfm__no_value;
  memset(&attrs, 0, sizeof attrs);
  attrs.parameter[0] = rope->base;
  attrs.parameter[1] = rope->factor;
  attrs.parameter[2] = (double)rope->dimension;
  attrs.parameter[3] = (double)rope->original_length;
  shape = hfm__fixed(b, half);
  return hfm__emit(b, HFM__OP_rope_frequencies, &attrs, HFM_F32, 1, &shape, positions, shorter, longer, hfm__no_value);
}

/* Cosines and sines for positions [1 or batch, length]: [1 or batch, length, 2, dimension / 2]. */
HFM__PRIVATE hfm__val hfm__rope_angles(hfm__builder *b, const hfm__rope *rope, hfm__val positions) {
  hfm__dim shape[4];
  hfm__attrs attrs;
  shape[0] = hfm__dim_of(b, positions, 0);
  shape[1] = hfm__dim_of(b, positions, 1);
  shape[2] = hfm__fixed(b, 2);
  shape[3] = hfm__fixed(b, rope->dimension / 2);
  memset(&attrs, 0, sizeof attrs);
  attrs.scale = rope->scale;
  return hfm__emit(b, HFM__OP_rope_angles, &attrs, HFM_F32, 4, shape, positions,
                   hfm__rope_frequencies(b, rope, positions), hfm__no_value, hfm__no_value);
}

/* Rotates every head of x [batch, length, heads, head_dim]. */
HFM__PRIVATE hfm__val hfm__rotary(hfm__builder *b, hfm__val x, hfm__val angles) {
  return hfm__same_shape(b, HFM__OP_rotary, NULL, x, angles, hfm__no_value);
}
/* ==== end src/nn/rope.c ==== */

/* ==== begin src/families/cuts.h ==== */
/* ==== families/cuts (private): which families this build has ======================================================
   HFMODEL_ONLY_X: just X (several may be given); HFMODEL_NO_X: all but X. */

#if !defined(HFMODEL_ONLY_BERT) && !defined(HFMODEL_ONLY_ROBERTA) && !defined(HFMODEL_ONLY_DISTILBERT) && \
    !defined(HFMODEL_ONLY_GPT2) && !defined(HFMODEL_ONLY_LLAMA) && !defined(HFMODEL_ONLY_VIT)
#define HFM__ALL_FAMILIES
#endif

#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_BERT)) && !defined(HFMODEL_NO_BERT)
#define HFM__WITH_BERT
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_ROBERTA)) && !defined(HFMODEL_NO_ROBERTA)
#define HFM__WITH_ROBERTA
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_DISTILBERT)) && !defined(HFMODEL_NO_DISTILBERT)
#define HFM__WITH_DISTILBERT
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_GPT2)) && !defined(HFMODEL_NO_GPT2)
#define HFM__WITH_GPT2
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_LLAMA)) && !defined(HFMODEL_NO_LLAMA)
#define HFM__WITH_LLAMA
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_VIT)) && !defined(HFMODEL_NO_VIT)
#define HFM__WITH_VIT
#endif
/* ==== end src/families/cuts.h ==== */
/* ==== begin src/families/family.h ==== */
/* ==== families/family (private): what a family file exports =======================================================
   A family is the only place that knows its models. It lists its heads; a registry line (families/registry.c) then gives
   a model_type its torch class prefix, its configuration class and its family. */

typedef struct hfm__head {
  hfm_task task;
  const char *suffix; /* of the torch class: "ForSequenceClassification" */
  /* __init__: registers modules in the root's scope and returns the handles that forward needs. */
  void *(*init)(hfm__builder *b);
  /* forward: from the inputs to the outputs. */
  void (*forward)(hfm__builder *b, const void *self);
} hfm__head;

/* A file's name for something, and the module's. Tried in order, each wherever it occurs between two dots (or the ends):
   "*" stands for a number. */
typedef struct hfm__rename {
  const char *file, *module;
} hfm__rename;

typedef struct hfm__family {
  const char *base;           /* the attribute that holds the base model in models with a head: "bert" */
  const hfm__head *heads;     /* ends with a NULL suffix; of two with one task, config.json's architectures chooses */
  const hfm__rename *renames; /* ends with NULLs; or NULL */
  const char *const *ignored; /* ends with NULL: parts of names in files that are no news; or NULL */
} hfm__family;

/* "attentions" and "hidden_states" are recorded by the blocks that make them. */

/* input_ids or inputs_embeds: one of them, not both. Ids are looked up in `words`. */
HFM__PRIVATE hfm__val hfm__word_embeddings(hfm__builder *b, hfm__mod words, int64_t vocab_size, int64_t hidden_size) {
  const hfm__dim none = {0};
  if (hfm__ok(b) && hfm__given(b, HFM__IN_inputs_embeds)) {
    if (!hfm__given(b, HFM__IN_input_ids))
      return hfm__input(b, HFM__IN_inputs_embeds, HFM_F32, 3, hfm__symbol(b, HFM__SYM_BATCH),
                        hfm__symbol(b, HFM__SYM_LENGTH), hfm__fixed(b, hidden_size), none);
    b->result = hfm__fail(b->error, HFM_E_INPUT_UNEXPECTED, NULL, "inputs_embeds", 0,
                          "input_ids and inputs_embeds were both given: the model takes exactly one of them");
  }
  return hfm__call(b, words, hfm__input_ids(b, HFM__IN_input_ids, vocab_size, "vocab_size"));
}

/* position_ids as given, below `limit`, or counted on from `start` and the cached ones; what they reach must then fit the
   position table. */
HFM__PRIVATE hfm__val hfm__position_ids(hfm__builder *b, int64_t limit, int64_t start) {
  const hfm__dim none = {0}, length = hfm__symbol(b, HFM__SYM_LENGTH);
  const int32_t by = hfm__given(b, HFM__IN_inputs_embeds) ? HFM__IN_inputs_embeds : HFM__IN_input_ids;
  if (hfm__given(b, HFM__IN_position_ids)) {
    const hfm__val ids =
        hfm__input(b, HFM__IN_position_ids, HFM_I64, 2, hfm__symbol(b, HFM__SYM_POSITION_ROWS), length, none, none);
    if (hfm__ok(b)) {
      b->graph->inputs[HFM__IN_position_ids].limit = limit;
      b->graph->inputs[HFM__IN_position_ids].limit_reason = "max_position_embeddings";
    }
    return ids;
  }
  if (limit) hfm__require(b, hfm__total_length(b), limit - start, by, "max_position_embeddings");
  return hfm__iota(b, length, hfm__dim_op(b, HFM__DIM_add, hfm__past_length(b), hfm__fixed(b, start)));
}

/* What a decoder's attention may see besides being causal: attention_mask; or, where positions are given without a mask
   or a cache, only the own one of several sequences packed in a row. */
HFM__PRIVATE hfm__val hfm__decoder_mask(hfm__builder *b, hfm__val positions) {
  hfm__dim shape[2];
  hfm__val segments;
  if (hfm__given(b, HFM__IN_attention_mask) || !hfm__given(b, HFM__IN_position_ids) || b->asked.use_cache)
    return hfm__input_mask(b);
  shape[0] = hfm__dim_of(b, positions, 0);
  shape[1] = hfm__dim_of(b, positions, 1);
  segments =
      hfm__emit(b, HFM__OP_segments, NULL, HFM_I64, 2, shape, positions, hfm__no_value, hfm__no_value, hfm__no_value);
  return hfm__expand_batch(b, segments);
}

/* The positions of x [batch, length, size] whose logits are asked for: the last logits_to_keep, or all. */
HFM__PRIVATE hfm__val hfm__kept_positions(hfm__builder *b, hfm__val x) {
  const hfm__dim length = hfm__symbol(b, HFM__SYM_LENGTH);
  hfm__dim kept;
  if (!b->asked.logits_to_keep) return x;
  kept = hfm__dim_op(b, HFM__DIM_min, length, hfm__fixed(b, b->asked.logits_to_keep));
  return hfm__slice_from(b, x, 1, hfm__dim_op(b, HFM__DIM_sub, length, kept), kept);
}

/* start_logits and end_logits of [batch, length, 2]. */
HFM__PRIVATE void hfm__span_outputs(hfm__builder *b, hfm__val logits) {
  hfm__output(b, HFM__OUT_start_logits, hfm__select_last(b, logits, 0));
  hfm__output(b, HFM__OUT_end_logits, hfm__select_last(b, logits, 1));
}

/* The row of x that a decoder's classifier reads: the rightmost token that is not padding. Without a padding id only a
   batch of one is possible, and its last token counts. */
HFM__PRIVATE hfm__val hfm__last_real_token(hfm__builder *b, hfm__val x, int64_t vocab_size, int64_t pad) {
  const int32_t by = hfm__given(b, HFM__IN_input_ids) ? HFM__IN_input_ids : HFM__IN_inputs_embeds;
  if (pad < 0)
    hfm__require(b, hfm__symbol(b, HFM__SYM_BATCH), 1, by,
                 "1: config.json has no pad_token_id, which a larger batch needs");
  if (!hfm__given(b, HFM__IN_input_ids)) pad = -1;
  if (pad >= 0) return hfm__last_token(b, x, hfm__input_ids(b, HFM__IN_input_ids, vocab_size, "vocab_size"), pad);
  return hfm__last_token(b, x, hfm__expand_batch(b, hfm__iota(b, hfm__symbol(b, HFM__SYM_LENGTH), hfm__fixed(b, 0))), -1);
}

/* Dropout before a decoder's token classifier: classifier_dropout, hidden_dropout or 0.1. */
HFM__PRIVATE double hfm__decoder_classifier_dropout(hfm__builder *b) {
  const char *key = hfm__is_null(b, "classifier_dropout") ? "hidden_dropout" : "classifier_dropout";
  return hfm__is_null(b, key) ? 0.1 : hfm__probability(b, key);
}
/* ==== end src/families/family.h ==== */
/* ==== begin src/families/config_classes.c ==== */
/* ==== families/config_classes (private): defaults and aliases of the configuration classes =======================
   What Transformers assumes where config.json says nothing, and the second names of keys. Values are JSON. */

static const hfm__config_pair hfm__bert_defaults[] = {
  {"add_cross_attention", "false"}, {"attention_probs_dropout_prob", "0.1"}, {"hidden_act", "\"gelu\""},
  {"hidden_dropout_prob", "0.1"}, {"hidden_size", "768"}, {"initializer_range", "0.02"},
  {"intermediate_size", "3072"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-12"},
  {"max_position_embeddings", "512"}, {"num_attention_heads", "12"}, {"num_hidden_layers", "12"},
  {"pad_token_id", "0"}, {"tie_word_embeddings", "true"}, {"type_vocab_size", "2"}, {"use_cache", "true"},
  {"vocab_size", "30522"}, {NULL, NULL}};

static const hfm__config_pair hfm__roberta_defaults[] = {
  {"add_cross_attention", "false"}, {"attention_probs_dropout_prob", "0.1"}, {"bos_token_id", "0"},
  {"eos_token_id", "2"}, {"hidden_act", "\"gelu\""}, {"hidden_dropout_prob", "0.1"}, {"hidden_size", "768"},
  {"initializer_range", "0.02"}, {"intermediate_size", "3072"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-12"},
  {"max_position_embeddings", "512"}, {"num_attention_heads", "12"}, {"num_hidden_layers", "12"},
  {"pad_token_id", "1"}, {"tie_word_embeddings", "true"}, {"type_vocab_size", "2"}, {"use_cache", "true"},
  {"vocab_size", "50265"}, {NULL, NULL}};

static const hfm__config_pair hfm__xlm_roberta_defaults[] = {
  {"add_cross_attention", "false"}, {"attention_probs_dropout_prob", "0.1"}, {"bos_token_id", "0"},
  {"eos_token_id", "2"}, {"hidden_act", "\"gelu\""}, {"hidden_dropout_prob", "0.1"}, {"hidden_size", "768"},
  {"initializer_range", "0.02"}, {"intermediate_size", "3072"}, {"is_decoder", "false"}, {"layer_norm_eps", "1e-12"},
  {"max_position_embeddings", "512"}, {"num_attention_heads", "12"}, {"num_hidden_layers", "12"},
  {"pad_token_id", "1"}, {"tie_word_embeddings", "true"}, {"type_vocab_size", "2"}, {"use_cache", "true"},
  {"vocab_size", "30522"}, {NULL, NULL}};

static const hfm__config_pair hfm__distilbert_defaults[] = {
  {"activation", "\"gelu\""}, {"attention_dropout", "0.1"}, {"dim", "768"}, {"dropout", "0.1"},
  {"hidden_dim", "3072"}, {"initializer_range", "0.02"}, {"max_position_embeddings", "512"}, {"n_heads", "12"},
  {"n_layers", "6"}, {"pad_token_id", "0"}, {"qa_dropout", "0.1"}, {"seq_classif_dropout", "0.2"},
  {"sinusoidal_pos_embds", "false"}, {"tie_word_embeddings", "true"}, {"vocab_size", "30522"}, {NULL, NULL}};

static const hfm__config_pair hfm__gpt2_defaults[] = {
  {"activation_function", "\"gelu_new\""}, {"add_cross_attention", "false"}, {"attn_pdrop", "0.1"},
  {"bos_token_id", "50256"}, {"embd_pdrop", "0.1"}, {"eos_token_id", "50256"}, {"initializer_range", "0.02"},
  {"layer_norm_epsilon", "1e-05"}, {"n_embd", "768"}, {"n_head", "12"}, {"n_layer", "12"}, {"n_positions", "1024"},
  {"reorder_and_upcast_attn", "false"}, {"resid_pdrop", "0.1"}, {"scale_attn_by_inverse_layer_idx", "false"},
  {"scale_attn_weights", "true"}, {"summary_first_dropout", "0.1"}, {"summary_proj_to_labels", "true"},
  {"summary_type", "\"cls_index\""}, {"summary_use_proj", "true"}, {"tie_word_embeddings", "true"},
  {"use_cache", "true"}, {"vocab_size", "50257"}, {NULL, NULL}};

static const hfm__config_pair hfm__llama_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"bos_token_id", "1"}, {"eos_token_id", "2"},
  {"hidden_act", "\"silu\""}, {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "11008"},
  {"max_position_embeddings", "2048"}, {"mlp_bias", "false"}, {"num_attention_heads", "32"},
  {"num_hidden_layers", "32"}, {"rms_norm_eps", "1e-06"}, {"tie_word_embeddings", "false"}, {"use_cache", "true"},
  {"vocab_size", "32000"}, {NULL, NULL}};

static const hfm__config_pair hfm__mistral_defaults[] = {
  {"attention_dropout", "0.0"}, {"bos_token_id", "1"}, {"eos_token_id", "2"}, {"hidden_act", "\"silu\""},
  {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "14336"},
  {"max_position_embeddings", "131072"}, {"num_attention_heads", "32"}, {"num_hidden_layers", "32"},
  {"num_key_value_heads", "8"}, {"rms_norm_eps", "1e-06"}, {"sliding_window", "4096"},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"vocab_size", "32000"}, {NULL, NULL}};

static const hfm__config_pair hfm__qwen2_defaults[] = {
  {"attention_dropout", "0.0"}, {"hidden_act", "\"silu\""}, {"hidden_size", "4096"}, {"initializer_range", "0.02"},
  {"intermediate_size", "22016"}, {"max_position_embeddings", "32768"}, {"max_window_layers", "28"},
  {"num_attention_heads", "32"}, {"num_hidden_layers", "32"}, {"num_key_value_heads", "32"},
  {"rms_norm_eps", "1e-06"}, {"tie_word_embeddings", "false"}, {"use_cache", "true"},
  {"use_sliding_window", "false"}, {"vocab_size", "151936"}, {NULL, NULL}};

static const hfm__config_pair hfm__qwen3_defaults[] = {
  {"attention_bias", "false"}, {"attention_dropout", "0.0"}, {"head_dim", "128"}, {"hidden_act", "\"silu\""},
  {"hidden_size", "4096"}, {"initializer_range", "0.02"}, {"intermediate_size", "22016"},
  {"max_position_embeddings", "32768"}, {"max_window_layers", "28"}, {"num_attention_heads", "32"},
  {"num_hidden_layers", "32"}, {"num_key_value_heads", "32"}, {"rms_norm_eps", "1e-06"},
  {"tie_word_embeddings", "false"}, {"use_cache", "true"}, {"use_sliding_window", "false"}, {"vocab_size", "151936"},
  {NULL, NULL}};

static const hfm__config_pair hfm__vit_defaults[] = {
  {"attention_probs_dropout_prob", "0.0"}, {"encoder_stride", "16"}, {"hidden_act", "\"gelu\""},
  {"hidden_dropout_prob", "0.0"}, {"hidden_size", "768"}, {"image_size", "224"}, {"initializer_range", "0.02"},
  {"intermediate_size", "3072"}, {"layer_norm_eps", "1e-12"}, {"num_attention_heads", "12"}, {"num_channels", "3"},
  {"num_hidden_layers", "12"}, {"patch_size", "16"}, {"pooler_act", "\"tanh\""}, {"qkv_bias", "true"},
  {NULL, NULL}};

static const hfm__config_pair hfm__distilbert_aliases[] = {
  {"hidden_size", "dim"}, {"num_attention_heads", "n_heads"}, {"num_hidden_layers", "n_layers"}, {NULL, NULL}};

static const hfm__config_pair hfm__gpt2_aliases[] = {
  {"hidden_size", "n_embd"}, {"max_position_embeddings", "n_positions"}, {"num_attention_heads", "n_head"},
  {"num_hidden_layers", "n_layer"}, {NULL, NULL}};

static const hfm__config_class hfm__config_classes[] = {
  {"bert", NULL, hfm__bert_defaults},
  {"roberta", NULL, hfm__roberta_defaults},
  {"xlm-roberta", NULL, hfm__xlm_roberta_defaults},
  {"camembert", NULL, hfm__xlm_roberta_defaults},
  {"distilbert", hfm__distilbert_aliases, hfm__distilbert_defaults},
  {"gpt2", hfm__gpt2_aliases, hfm__gpt2_defaults},
  {"llama", NULL, hfm__llama_defaults},
  {"mistral", NULL, hfm__mistral_defaults},
  {"qwen2", NULL, hfm__qwen2_defaults},
  {"qwen3", NULL, hfm__qwen3_defaults},
  {"vit", NULL, hfm__vit_defaults},
  {"deit", NULL, hfm__vit_defaults},
};

HFM__PRIVATE const hfm__config_class *hfm__config_class_find(const char *model_type) {
  for (size_t i = 0; i < HFM__COUNT(hfm__config_classes); i++)
    if (hfm__equal(hfm__config_classes[i].model_type, model_type)) return &hfm__config_classes[i];
  return NULL;
}
/* ==== end src/families/config_classes.c ==== */
#if defined(HFM__WITH_BERT) || defined(HFM__WITH_ROBERTA)
/* ==== begin src/families/bert.c ==== */
/* ==== families/bert (private): BERT ==============================================================================
   After models/bert/modeling_bert.py. The encoder is shared with RoBERTa, whose classes carry another prefix. */

typedef struct hfm__bert_config {
  int64_t vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size;
  int64_t max_position_embeddings, type_vocab_size;
  int32_t hidden_act;
  double layer_norm_eps, hidden_dropout_prob, attention_probs_dropout_prob, classifier_dropout;
  int64_t pad_token_id; /* -1: none */
} hfm__bert_config;

typedef struct hfm__bert_embeddings {
  hfm__mod word_embeddings, position_embeddings, token_type_embeddings, LayerNorm, dropout;
} hfm__bert_embeddings;

typedef struct hfm__bert_layer {
  hfm__mod query, key, value, attention_dropout;                     /* attention.self */
  hfm__mod attention_dense, attention_LayerNorm, attention_dropout2; /* attention.output */
  hfm__mod intermediate_dense, intermediate_act_fn;
  hfm__mod output_dense, output_LayerNorm, output_dropout;
} hfm__bert_layer;

typedef struct hfm__bert {
  hfm__bert_config config;
  hfm__bert_embeddings embeddings;
  hfm__bert_layer *layer;
  hfm__mod pooler_dense, pooler_activation; /* none without a pooler */
  /* Heads use some of these. */
  hfm__mod dropout, classifier, qa_outputs;
  hfm__mod transform_dense, transform_act_fn, transform_LayerNorm, decoder;
} hfm__bert;

HFM__PRIVATE void hfm__bert_configure(hfm__builder *b, hfm__bert_config *c) {
  c->vocab_size = hfm__size(b, "vocab_size");
  c->hidden_size = hfm__size(b, "hidden_size");
  c->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  c->num_attention_heads = hfm__size(b, "num_attention_heads");
  c->intermediate_size = hfm__size(b, "intermediate_size");
  c->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  c->type_vocab_size = hfm__size(b, "type_vocab_size");
  c->hidden_act = hfm__activation_key(b, "hidden_act");
  c->layer_norm_eps = hfm__positive(b, "layer_norm_eps");
  c->hidden_dropout_prob = hfm__probability(b, "hidden_dropout_prob");
  c->attention_probs_dropout_prob = hfm__probability(b, "attention_probs_dropout_prob");
  c->classifier_dropout =
      hfm__is_null(b, "classifier_dropout") ? c->hidden_dropout_prob : hfm__probability(b, "classifier_dropout");
  c->pad_token_id = hfm_config_get_int(b->config, "pad_token_id", -1);
  hfm__divides(b, "num_attention_heads", c->num_attention_heads, "hidden_size", c->hidden_size);
  {
    const char *type = hfm_config_get_string(b->config, "position_embedding_type", "absolute");
    if (!hfm__equal(type, "absolute"))
      hfm__refuse(b, "position_embedding_type", type, "only absolute position embeddings give the right results");
    if (hfm__flag(b, "is_decoder")) hfm__refuse(b, "is_decoder", "true", "only encoders of this family are");
  }
}

/* ---- Embeddings ---- */

HFM__PRIVATE void hfm__bert_embeddings_init(hfm__builder *b, hfm__bert_embeddings *self, const hfm__bert_config *c) {
  hfm__begin(b, "embeddings", "*Embeddings");
  self->word_embeddings = hfm__embedding(b, "word_embeddings", c->vocab_size, c->hidden_size, c->pad_token_id);
  self->position_embeddings = hfm__embedding(b, "position_embeddings", c->max_position_embeddings, c->hidden_size, -1);
  self->token_type_embeddings = hfm__embedding(b, "token_type_embeddings", c->type_vocab_size, c->hidden_size, -1);
  self->LayerNorm = hfm__layer_norm(b, "LayerNorm", c->hidden_size, c->layer_norm_eps);
  self->dropout = hfm__dropout(b, "dropout", c->hidden_dropout_prob);
  hfm__buffer_add(b, "position_ids", HFM_I64, c->max_position_embeddings);
  hfm__buffer_add(b, "token_type_ids", HFM_I64, c->max_position_embeddings);
  hfm__end(b);
}

/* token_type_ids as given; without them every token is of type 0. */
HFM__PRIVATE hfm__val hfm__bert_token_types(hfm__builder *b, const hfm__bert_embeddings *self,
                                            const hfm__bert_config *c) {
  hfm__val types;
  if (hfm__given(b, HFM__IN_token_type_ids))
    return hfm__call(b, self->token_type_embeddings,
                     hfm__input_ids(b, HFM__IN_token_type_ids, c->type_vocab_size, "type_vocab_size"));
  types = hfm__iota(b, hfm__fixed(b, 1), hfm__fixed(b, 0));
  return hfm__call(b, self->token_type_embeddings, types);
}

HFM__PRIVATE hfm__val hfm__bert_embed(hfm__builder *b, const hfm__bert_embeddings *self, const hfm__bert_config *c,
                                      hfm__val words, hfm__val positions) {
  hfm__val x = hfm__add(b, words, hfm__bert_token_types(b, self, c));
  x = hfm__add(b, x, hfm__call(b, self->position_embeddings, positions));
  return hfm__call(b, self->dropout, hfm__call(b, self->LayerNorm, x));
}

/* ---- Encoder ---- */

HFM__PRIVATE void hfm__bert_layer_init(hfm__builder *b, hfm__bert_layer *self, const hfm__bert_config *c) {
  hfm__begin(b, "attention", "*Attention");
  hfm__begin(b, "self", "*SelfAttention");
  self->query = hfm__linear(b, "query", c->hidden_size, c->hidden_size, 1);
  self->key = hfm__linear(b, "key", c->hidden_size, c->hidden_size, 1);
  self->value = hfm__linear(b, "value", c->hidden_size, c->hidden_size, 1);
  self->attention_dropout = hfm__dropout(b, "dropout", c->attention_probs_dropout_prob);
  hfm__end(b);
  hfm__begin(b, "output", "*SelfOutput");
  self->attention_dense = hfm__linear(b, "dense", c->hidden_size, c->hidden_size, 1);
  self->attention_LayerNorm = hfm__layer_norm(b, "LayerNorm", c->hidden_size, c->layer_norm_eps);
  self->attention_dropout2 = hfm__dropout(b, "dropout", c->hidden_dropout_prob);
  hfm__end(b);
  hfm__end(b);
  hfm__begin(b, "intermediate", "*Intermediate");
  self->intermediate_dense = hfm__linear(b, "dense", c->hidden_size, c->intermediate_size, 1);
  self->intermediate_act_fn = hfm__activation(b, "intermediate_act_fn", c->hidden_act);
  hfm__end(b);
  hfm__begin(b, "output", "*Output");
  self->output_dense = hfm__linear(b, "dense", c->intermediate_size, c->hidden_size, 1);
  self->output_LayerNorm = hfm__layer_norm(b, "LayerNorm", c->hidden_size, c->layer_norm_eps);
  self->output_dropout = hfm__dropout(b, "dropout", c->hidden_dropout_prob);
  hfm__end(b);
}

HFM__PRIVATE hfm__val hfm__bert_layer_forward(hfm__builder *b, const hfm__bert_layer *self, const hfm__bert_config *c,
                                              hfm__val x, hfm__val mask) {
  const int64_t heads = c->num_attention_heads;
  const double scale = 1.0 / sqrt((double)(c->hidden_size / heads));
  const hfm__val q = hfm__split_heads(b, hfm__call(b, self->query, x), heads);
  const hfm__val k = hfm__split_heads(b, hfm__call(b, self->key, x), heads);
  const hfm__val v = hfm__split_heads(b, hfm__call(b, self->value, x), heads);
  hfm__val attention = hfm__attend(b, q, k, v, mask, scale, 0, 0), output;
  attention = hfm__call(b, self->attention_dropout2, hfm__call(b, self->attention_dense, attention));
  attention = hfm__call(b, self->attention_LayerNorm, hfm__add(b, attention, x));
  output = hfm__call(b, self->intermediate_act_fn, hfm__call(b, self->intermediate_dense, attention));
  output = hfm__call(b, self->output_dropout, hfm__call(b, self->output_dense, output));
  return hfm__call(b, self->output_LayerNorm, hfm__add(b, output, attention));
}

HFM__PRIVATE void hfm__bert_encoder_init(hfm__builder *b, hfm__bert *self) {
  const hfm__bert_config *c = &self->config;
  self->layer = HFM__NEW(b, hfm__bert_layer, c->num_hidden_layers);
  hfm__begin(b, "encoder", "*Encoder");
  hfm__begin_list(b, "layer");
  for (int64_t i = 0; i < c->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "*Layer");
    hfm__bert_layer_init(b, &self->layer[i], c);
    hfm__end(b);
  }
  hfm__end(b);
  hfm__end(b);
}

HFM__PRIVATE hfm__val hfm__bert_encode(hfm__builder *b, const hfm__bert *self, hfm__val x) {
  const hfm__val mask = hfm__input_mask(b);
  hfm__hidden_state(b, x);
  for (int64_t i = 0; i < self->config.num_hidden_layers && hfm__ok(b); i++) {
    x = hfm__bert_layer_forward(b, &self->layer[i], &self->config, x, mask);
    hfm__hidden_state(b, x);
  }
  return x;
}

HFM__PRIVATE void hfm__bert_pooler_init(hfm__builder *b, hfm__bert *self) {
  hfm__begin(b, "pooler", "*Pooler");
  self->pooler_dense = hfm__linear(b, "dense", self->config.hidden_size, self->config.hidden_size, 1);
  self->pooler_activation = hfm__activation(b, "activation", HFM__ACT_tanh);
  hfm__end(b);
}

HFM__PRIVATE hfm__val hfm__bert_pool(hfm__builder *b, const hfm__bert *self, hfm__val x) {
  return hfm__call(b, self->pooler_activation, hfm__call(b, self->pooler_dense, hfm__select_row(b, x, 0)));
}

/* ---- The model, and heads that RoBERTa shares ---- */

enum { HFM__WITHOUT_POOLER = 0, HFM__WITH_POOLER = 1 };

HFM__PRIVATE void hfm__bert_model_init(hfm__builder *b, hfm__bert *self, int pooler) {
  hfm__bert_embeddings_init(b, &self->embeddings, &self->config);
  hfm__bert_encoder_init(b, self);
  if (pooler) hfm__bert_pooler_init(b, self);
}

HFM__PRIVATE hfm__val hfm__bert_model_forward(hfm__builder *b, const hfm__bert *self) {
  const hfm__bert_config *c = &self->config;
  const hfm__val words = hfm__word_embeddings(b, self->embeddings.word_embeddings, c->vocab_size, c->hidden_size);
  const hfm__val positions = hfm__position_ids(b, c->max_position_embeddings, 0);
  return hfm__bert_encode(b, self, hfm__bert_embed(b, &self->embeddings, c, words, positions));
}

HFM__PRIVATE hfm__bert *hfm__bert_new(hfm__builder *b) {
  hfm__bert *self = HFM__NEW(b, hfm__bert, 1);
  if (self) hfm__bert_configure(b, &self->config);
  return self;
}

/* A model with a head: the base model under its name. NULL after an error. */
HFM__PRIVATE hfm__bert *hfm__bert_with_base(hfm__builder *b, int pooler) {
  hfm__bert *self = hfm__bert_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*Model");
  hfm__bert_model_init(b, self, pooler);
  hfm__end(b);
  return self;
}

HFM__PRIVATE void *hfm__bert_base_init(hfm__builder *b) {
  hfm__bert *self = hfm__bert_new(b);
  if (self) hfm__bert_model_init(b, self, HFM__WITH_POOLER);
  return self;
}
HFM__PRIVATE void hfm__bert_base_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  const hfm__val x = hfm__bert_model_forward(b, self);
  hfm__output(b, HFM__OUT_last_hidden_state, x);
  hfm__output(b, HFM__OUT_pooler_output, hfm__bert_pool(b, self, x));
}

HFM__PRIVATE void *hfm__bert_sequence_init(hfm__builder *b) {
  hfm__bert *self = hfm__bert_with_base(b, HFM__WITH_POOLER);
  if (!self) return NULL;
  self->dropout = hfm__dropout(b, "dropout", self->config.classifier_dropout);
  self->classifier = hfm__linear(b, "classifier", self->config.hidden_size, hfm__labels(b), 1);
  return self;
}
HFM__PRIVATE void hfm__bert_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  const hfm__val pooled = hfm__bert_pool(b, self, hfm__bert_model_forward(b, self));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->classifier, hfm__call(b, self->dropout, pooled)));
}

HFM__PRIVATE void *hfm__bert_token_init(hfm__builder *b) {
  hfm__bert *self = hfm__bert_with_base(b, HFM__WITHOUT_POOLER);
  if (!self) return NULL;
  self->dropout = hfm__dropout(b, "dropout", self->config.classifier_dropout);
  self->classifier = hfm__linear(b, "classifier", self->config.hidden_size, hfm__labels(b), 1);
  return self;
}
HFM__PRIVATE void hfm__bert_token_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  const hfm__val x = hfm__bert_model_forward(b, self);
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->classifier, hfm__call(b, self->dropout, x)));
}

HFM__PRIVATE void *hfm__bert_question_init(hfm__builder *b) {
  hfm__bert *self = hfm__bert_with_base(b, HFM__WITHOUT_POOLER);
  if (self) self->qa_outputs = hfm__linear(b, "qa_outputs", self->config.hidden_size, 2, 1);
  return self;
}
HFM__PRIVATE void hfm__bert_question_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  hfm__span_outputs(b, hfm__call(b, self->qa_outputs, hfm__bert_model_forward(b, self)));
}

HFM__PRIVATE void *hfm__bert_masked_init(hfm__builder *b) {
  hfm__bert *self = hfm__bert_with_base(b, HFM__WITHOUT_POOLER);
  const hfm__bert_config *c;
  hfm__par bias, tied_bias;
  if (!self) return NULL;
  c = &self->config;
  hfm__begin(b, "cls", "*OnlyMLMHead");
  hfm__begin(b, "predictions", "*LMPredictionHead");
  bias = hfm__parameter1(b, "bias", c->vocab_size, HFM__INIT_ZEROS);
  hfm__begin(b, "transform", "*PredictionHeadTransform");
  self->transform_dense = hfm__linear(b, "dense", c->hidden_size, c->hidden_size, 1);
  self->transform_act_fn = hfm__activation(b, "transform_act_fn", c->hidden_act);
  self->transform_LayerNorm = hfm__layer_norm(b, "LayerNorm", c->hidden_size, c->layer_norm_eps);
  hfm__end(b);
  self->decoder = hfm__linear(b, "decoder", c->hidden_size, c->vocab_size, 1);
  tied_bias = hfm__bias_of(b, self->decoder);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->decoder), hfm__weight_of(b, self->embeddings.word_embeddings));
  hfm__tie_embeddings(b, tied_bias, bias);
  hfm__end(b);
  hfm__end(b);
  return self;
}
HFM__PRIVATE void hfm__bert_masked_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = (const hfm__bert *)model;
  hfm__val x = hfm__call(b, self->transform_dense, hfm__bert_model_forward(b, self));
  x = hfm__call(b, self->transform_LayerNorm, hfm__call(b, self->transform_act_fn, x));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->decoder, x));
}

static const hfm__head hfm__bert_heads[] = {
    {HFM_BASE, "Model", hfm__bert_base_init, hfm__bert_base_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__bert_sequence_init, hfm__bert_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__bert_token_init, hfm__bert_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__bert_question_init, hfm__bert_question_forward},
    {HFM_MASKED_LM, "ForMaskedLM", hfm__bert_masked_init, hfm__bert_masked_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__bert_family = {"bert", hfm__bert_heads, NULL, NULL};
/* ==== end src/families/bert.c ==== */
#endif
#ifdef HFM__WITH_ROBERTA
/* ==== begin src/families/roberta.c ==== */
/* ==== families/roberta (private): RoBERTa, XLM-RoBERTa, CamemBERT =================================================
   After models/roberta/modeling_roberta.py: BERT's encoder; positions are counted over tokens that are not padding, and
   the heads differ. */

typedef struct hfm__roberta_traits {
  int32_t head_first; /* heads are registered before the base model */
} hfm__roberta_traits;

static const hfm__roberta_traits hfm__roberta_itself = {0};
static const hfm__roberta_traits hfm__xlm_roberta_traits = {1};

typedef struct hfm__roberta {
  hfm__bert bert;
  hfm__mod head_dense, head_dropout, head_out; /* classifier; lm_head: dense, layer_norm, decoder */
} hfm__roberta;

HFM__PRIVATE void hfm__roberta_embeddings_init(hfm__builder *b, hfm__bert_embeddings *self, const hfm__bert_config *c) {
  hfm__begin(b, "embeddings", "*Embeddings");
  self->word_embeddings = hfm__embedding(b, "word_embeddings", c->vocab_size, c->hidden_size, c->pad_token_id);
  self->token_type_embeddings = hfm__embedding(b, "token_type_embeddings", c->type_vocab_size, c->hidden_size, -1);
  self->LayerNorm = hfm__layer_norm(b, "LayerNorm", c->hidden_size, c->layer_norm_eps);
  self->dropout = hfm__dropout(b, "dropout", c->hidden_dropout_prob);
  self->position_embeddings =
      hfm__embedding(b, "position_embeddings", c->max_position_embeddings, c->hidden_size, c->pad_token_id);
  hfm__buffer_add(b, "position_ids", HFM_I64, c->max_position_embeddings);
  hfm__buffer_add(b, "token_type_ids", HFM_I64, c->max_position_embeddings);
  hfm__end(b);
}

HFM__PRIVATE void hfm__roberta_model_init(hfm__builder *b, hfm__bert *self, int pooler) {
  hfm__roberta_embeddings_init(b, &self->embeddings, &self->config);
  hfm__bert_encoder_init(b, self);
  if (pooler) hfm__bert_pooler_init(b, self);
}

/* Positions from the padding of input_ids; from inputs_embeds, where no padding can be seen, as if there were none. */
HFM__PRIVATE hfm__val hfm__roberta_positions(hfm__builder *b, const hfm__bert_config *c) {
  const int64_t pad = c->pad_token_id;
  hfm__val ids;
  if (hfm__given(b, HFM__IN_position_ids) || hfm__given(b, HFM__IN_inputs_embeds))
    return hfm__position_ids(b, c->max_position_embeddings, pad + 1);
  ids = hfm__input_ids(b, HFM__IN_input_ids, c->vocab_size, "vocab_size");
  hfm__require(b, hfm__symbol(b, HFM__SYM_LENGTH), c->max_position_embeddings - pad - 1, HFM__IN_input_ids,
               "max_position_embeddings - pad_token_id - 1");
  return hfm__padded_positions(b, ids, pad);
}

HFM__PRIVATE hfm__val hfm__roberta_model_forward(hfm__builder *b, const hfm__bert *self) {
  const hfm__bert_config *c = &self->config;
  const hfm__val words = hfm__word_embeddings(b, self->embeddings.word_embeddings, c->vocab_size, c->hidden_size);
  return hfm__bert_encode(b, self, hfm__bert_embed(b, &self->embeddings, c, words, hfm__roberta_positions(b, c)));
}

HFM__PRIVATE hfm__roberta *hfm__roberta_new(hfm__builder *b) {
  hfm__roberta *self = HFM__NEW(b, hfm__roberta, 1);
  if (!self) return NULL;
  hfm__bert_configure(b, &self->bert.config);
  if (hfm__ok(b) && self->bert.config.pad_token_id < 0)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "pad_token_id", 0,
                          "'pad_token_id' must be 0 or more: positions are counted from it");
  return self;
}

/* A model with a head. XLM-RoBERTa and CamemBERT register the head before the base model, RoBERTa after it. */
HFM__PRIVATE hfm__roberta *hfm__roberta_with_head(hfm__builder *b, void (*head)(hfm__builder *b, hfm__roberta *self)) {
  const hfm__roberta_traits *traits = (const hfm__roberta_traits *)b->traits;
  hfm__roberta *self = hfm__roberta_new(b);
  if (!self) return NULL;
  if (traits->head_first) head(b, self);
  hfm__begin(b, b->base, "*Model");
  hfm__roberta_model_init(b, &self->bert, HFM__WITHOUT_POOLER);
  hfm__end(b);
  if (!traits->head_first) head(b, self);
  return self;
}

HFM__PRIVATE void *hfm__roberta_base_init(hfm__builder *b) {
  hfm__roberta *self = hfm__roberta_new(b);
  if (self) hfm__roberta_model_init(b, &self->bert, HFM__WITH_POOLER);
  return self;
}
HFM__PRIVATE void hfm__roberta_base_forward(hfm__builder *b, const void *model) {
  const hfm__bert *self = &((const hfm__roberta *)model)->bert;
  const hfm__val x = hfm__roberta_model_forward(b, self);
  hfm__output(b, HFM__OUT_last_hidden_state, x);
  hfm__output(b, HFM__OUT_pooler_output, hfm__bert_pool(b, self, x));
}

HFM__PRIVATE void hfm__roberta_sequence_head(hfm__builder *b, hfm__roberta *self) {
  hfm__begin(b, "classifier", "*ClassificationHead");
  self->head_dense = hfm__linear(b, "dense", self->bert.config.hidden_size, self->bert.config.hidden_size, 1);
  self->head_dropout = hfm__dropout(b, "dropout", self->bert.config.classifier_dropout);
  self->head_out = hfm__linear(b, "out_proj", self->bert.config.hidden_size, hfm__labels(b), 1);
  hfm__end(b);
}
HFM__PRIVATE void *hfm__roberta_sequence_init(hfm__builder *b) {
  return hfm__roberta_with_head(b, hfm__roberta_sequence_head);
}
HFM__PRIVATE void hfm__roberta_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__roberta *self = (const hfm__roberta *)model;
  hfm__val x = hfm__select_row(b, hfm__roberta_model_forward(b, &self->bert), 0);
  x = hfm__call(b, self->head_dense, hfm__call(b, self->head_dropout, x));
  x = hfm__call(b, self->head_dropout, hfm__activate(b, HFM__ACT_tanh, x));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head_out, x));
}

HFM__PRIVATE void hfm__roberta_token_head(hfm__builder *b, hfm__roberta *self) {
  self->head_dropout = hfm__dropout(b, "dropout", self->bert.config.classifier_dropout);
  self->head_out = hfm__linear(b, "classifier", self->bert.config.hidden_size, hfm__labels(b), 1);
}
HFM__PRIVATE void *hfm__roberta_token_init(hfm__builder *b) {
  return hfm__roberta_with_head(b, hfm__roberta_token_head);
}
HFM__PRIVATE void hfm__roberta_token_forward(hfm__builder *b, const void *model) {
  const hfm__roberta *self = (const hfm__roberta *)model;
  const hfm__val x = hfm__call(b, self->head_dropout, hfm__roberta_model_forward(b, &self->bert));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head_out, x));
}

HFM__PRIVATE void hfm__roberta_question_head(hfm__builder *b, hfm__roberta *self) {
  self->head_out = hfm__linear(b, "qa_outputs", self->bert.config.hidden_size, 2, 1);
}
HFM__PRIVATE void *hfm__roberta_question_init(hfm__builder *b) {
  return hfm__roberta_with_head(b, hfm__roberta_question_head);
}
HFM__PRIVATE void hfm__roberta_question_forward(hfm__builder *b, const void *model) {
  const hfm__roberta *self = (const hfm__roberta *)model;
  hfm__span_outputs(b, hfm__call(b, self->head_out, hfm__roberta_model_forward(b, &self->bert)));
}

HFM__PRIVATE void hfm__roberta_masked_head(hfm__builder *b, hfm__roberta *self) {
  const hfm__bert_config *c = &self->bert.config;
  hfm__par bias;
  hfm__begin(b, "lm_head", "*LMHead");
  bias = hfm__parameter1(b, "bias", c->vocab_size, HFM__INIT_ZEROS);
  self->head_dense = hfm__linear(b, "dense", c->hidden_size, c->hidden_size, 1);
  self->bert.transform_LayerNorm = hfm__layer_norm(b, "layer_norm", c->hidden_size, c->layer_norm_eps);
  self->bert.decoder = hfm__linear(b, "decoder", c->hidden_size, c->vocab_size, 1);
  hfm__tie_embeddings(b, hfm__bias_of(b, self->bert.decoder), bias);
  hfm__end(b);
}
HFM__PRIVATE void *hfm__roberta_masked_init(hfm__builder *b) {
  hfm__roberta *self = hfm__roberta_with_head(b, hfm__roberta_masked_head);
  if (self)
    hfm__tie_embeddings(b, hfm__weight_of(b, self->bert.decoder),
                        hfm__weight_of(b, self->bert.embeddings.word_embeddings));
  return self;
}
HFM__PRIVATE void hfm__roberta_masked_forward(hfm__builder *b, const void *model) {
  const hfm__roberta *self = (const hfm__roberta *)model;
  hfm__val x = hfm__call(b, self->head_dense, hfm__roberta_model_forward(b, &self->bert));
  x = hfm__call(b, self->bert.transform_LayerNorm, hfm__activate(b, HFM__ACT_gelu, x));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->bert.decoder, x));
}

static const hfm__head hfm__roberta_heads[] = {
    {HFM_BASE, "Model", hfm__roberta_base_init, hfm__roberta_base_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__roberta_sequence_init,
     hfm__roberta_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__roberta_token_init, hfm__roberta_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__roberta_question_init, hfm__roberta_question_forward},
    {HFM_MASKED_LM, "ForMaskedLM", hfm__roberta_masked_init, hfm__roberta_masked_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__roberta_family = {"roberta", hfm__roberta_heads, NULL, NULL};
/* ==== end src/families/roberta.c ==== */
#endif
#ifdef HFM__WITH_DISTILBERT
/* ==== begin src/families/distilbert.c ==== */
/* ==== families/distilbert (private): DistilBERT ===================================================================
   After models/distilbert/modeling_distilbert.py: BERT without token types and pooler, under names of its own. */

typedef struct hfm__distilbert_layer {
  hfm__mod q_lin, k_lin, v_lin, out_lin, attention_dropout, sa_layer_norm;
  hfm__mod ffn_dropout, lin1, lin2, ffn_activation, output_layer_norm;
} hfm__distilbert_layer;

typedef struct hfm__distilbert {
  int64_t vocab_size, dim, n_layers, n_heads, hidden_dim, max_position_embeddings, pad_token_id;
  int32_t activation;
  double dropout, attention_dropout;
  hfm__mod word_embeddings, position_embeddings, LayerNorm, embeddings_dropout;
  hfm__distilbert_layer *layer;
  hfm__mod head_activation, pre_classifier, classifier, head_dropout, vocab_transform, vocab_layer_norm,
      vocab_projector;
} hfm__distilbert;

static const double hfm__distilbert_eps = 1e-12; /* not configurable */

HFM__PRIVATE hfm__distilbert *hfm__distilbert_new(hfm__builder *b) {
  hfm__distilbert *self = HFM__NEW(b, hfm__distilbert, 1);
  if (!self) return NULL;
  self->vocab_size = hfm__size(b, "vocab_size");
  self->dim = hfm__size(b, "dim");
  self->n_layers = hfm__layer_count(b, "n_layers");
  self->n_heads = hfm__size(b, "n_heads");
  self->hidden_dim = hfm__size(b, "hidden_dim");
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->pad_token_id = hfm_config_get_int(b->config, "pad_token_id", -1);
  self->activation = hfm__activation_key(b, "activation");
  self->dropout = hfm__probability(b, "dropout");
  self->attention_dropout = hfm__probability(b, "attention_dropout");
  hfm__divides(b, "n_heads", self->n_heads, "dim", self->dim);
  return self;
}

HFM__PRIVATE void hfm__distilbert_block_init(hfm__builder *b, const hfm__distilbert *self,
                                             hfm__distilbert_layer *layer) {
  hfm__begin(b, "attention", "DistilBertSelfAttention");
  layer->q_lin = hfm__linear(b, "q_lin", self->dim, self->dim, 1);
  layer->k_lin = hfm__linear(b, "k_lin", self->dim, self->dim, 1);
  layer->v_lin = hfm__linear(b, "v_lin", self->dim, self->dim, 1);
  layer->out_lin = hfm__linear(b, "out_lin", self->dim, self->dim, 1);
  layer->attention_dropout = hfm__dropout(b, "dropout", self->attention_dropout);
  hfm__end(b);
  layer->sa_layer_norm = hfm__layer_norm(b, "sa_layer_norm", self->dim, hfm__distilbert_eps);
  hfm__begin(b, "ffn", "FFN");
  layer->ffn_dropout = hfm__dropout(b, "dropout", self->dropout);
  layer->lin1 = hfm__linear(b, "lin1", self->dim, self->hidden_dim, 1);
  layer->lin2 = hfm__linear(b, "lin2", self->hidden_dim, self->dim, 1);
  layer->ffn_activation = hfm__activation(b, "activation", self->activation);
  hfm__end(b);
  layer->output_layer_norm = hfm__layer_norm(b, "output_layer_norm", self->dim, hfm__distilbert_eps);
}

HFM__PRIVATE void hfm__distilbert_model_init(hfm__builder *b, hfm__distilbert *self) {
  hfm__begin(b, "embeddings", "Embeddings");
  self->word_embeddings = hfm__embedding(b, "word_embeddings", self->vocab_size, self->dim, self->pad_token_id);
  self->position_embeddings = hfm__embedding(b, "position_embeddings", self->max_position_embeddings, self->dim, -1);
  self->LayerNorm = hfm__layer_norm(b, "LayerNorm", self->dim, hfm__distilbert_eps);
  self->embeddings_dropout = hfm__dropout(b, "dropout", self->dropout);
  hfm__buffer_add(b, "position_ids", HFM_I64, self->max_position_embeddings);
  hfm__end(b);
  self->layer = HFM__NEW(b, hfm__distilbert_layer, self->n_layers);
  hfm__begin(b, "transformer", "Transformer");
  hfm__begin_list(b, "layer");
  for (int64_t i = 0; i < self->n_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "TransformerBlock");
    hfm__distilbert_block_init(b, self, &self->layer[i]);
    hfm__end(b);
  }
  hfm__end(b);
  hfm__end(b);
}

HFM__PRIVATE hfm__val hfm__distilbert_block_forward(hfm__builder *b, const hfm__distilbert *self,
                                                    const hfm__distilbert_layer *layer, hfm__val x, hfm__val mask) {
  const double scale = 1.0 / sqrt((double)(self->dim / self->n_heads));
  const hfm__val q = hfm__split_heads(b, hfm__call(b, layer->q_lin, x), self->n_heads);
  const hfm__val k = hfm__split_heads(b, hfm__call(b, layer->k_lin, x), self->n_heads);
  const hfm__val v = hfm__split_heads(b, hfm__call(b, layer->v_lin, x), self->n_heads);
  hfm__val attention = hfm__call(b, layer->out_lin, hfm__attend(b, q, k, v, mask, scale, 0, 0)), output;
  attention = hfm__call(b, layer->sa_layer_norm, hfm__add(b, attention, x));
  output = hfm__call(b, layer->lin2, hfm__call(b, layer->ffn_activation, hfm__call(b, layer->lin1, attention)));
  output = hfm__call(b, layer->ffn_dropout, output);
  return hfm__call(b, layer->output_layer_norm, hfm__add(b, output, attention));
}

HFM__PRIVATE hfm__val hfm__distilbert_model_forward(hfm__builder *b, const hfm__distilbert *self) {
  const hfm__val words = hfm__word_embeddings(b, self->word_embeddings, self->vocab_size, self->dim);
  const hfm__val positions =
      hfm__call(b, self->position_embeddings, hfm__position_ids(b, self->max_position_embeddings, 0));
  const hfm__val mask = hfm__input_mask(b);
  hfm__val x = hfm__call(b, self->LayerNorm, hfm__add(b, words, positions));
  x = hfm__call(b, self->embeddings_dropout, x);
  hfm__hidden_state(b, x);
  for (int64_t i = 0; i < self->n_layers && hfm__ok(b); i++) {
    x = hfm__distilbert_block_forward(b, self, &self->layer[i], x, mask);
    hfm__hidden_state(b, x);
  }
  return x;
}

HFM__PRIVATE void hfm__distilbert_attach_base(hfm__builder *b, hfm__distilbert *self) {
  hfm__begin(b, b->base, "*Model");
  hfm__distilbert_model_init(b, self);
  hfm__end(b);
}

HFM__PRIVATE void *hfm__distilbert_base_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (self) hfm__distilbert_model_init(b, self);
  return self;
}
HFM__PRIVATE void hfm__distilbert_base_forward(hfm__builder *b, const void *model) {
  hfm__output(b, HFM__OUT_last_hidden_state, hfm__distilbert_model_forward(b, (const hfm__distilbert *)model));
}

HFM__PRIVATE void *hfm__distilbert_sequence_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (!self) return NULL;
  hfm__distilbert_attach_base(b, self);
  self->pre_classifier = hfm__linear(b, "pre_classifier", self->dim, self->dim, 1);
  self->classifier = hfm__linear(b, "classifier", self->dim, hfm__labels(b), 1);
  self->head_dropout = hfm__dropout(b, "dropout", hfm__probability(b, "seq_classif_dropout"));
  return self;
}
HFM__PRIVATE void hfm__distilbert_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__distilbert *self = (const hfm__distilbert *)model;
  const hfm__val pooled = hfm__select_row(b, hfm__distilbert_model_forward(b, self), 0);
  const hfm__val x = hfm__activate(b, HFM__ACT_relu, hfm__call(b, self->pre_classifier, pooled));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->classifier, hfm__call(b, self->head_dropout, x)));
}

HFM__PRIVATE void *hfm__distilbert_token_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (!self) return NULL;
  hfm__distilbert_attach_base(b, self);
  self->head_dropout = hfm__dropout(b, "dropout", self->dropout);
  self->classifier = hfm__linear(b, "classifier", self->dim, hfm__labels(b), 1);
  return self;
}
HFM__PRIVATE void hfm__distilbert_token_forward(hfm__builder *b, const void *model) {
  const hfm__distilbert *self = (const hfm__distilbert *)model;
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->classifier, hfm__distilbert_model_forward(b, self)));
}

HFM__PRIVATE void *hfm__distilbert_question_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (!self) return NULL;
  hfm__distilbert_attach_base(b, self);
  self->classifier = hfm__linear(b, "qa_outputs", self->dim, 2, 1);
  self->head_dropout = hfm__dropout(b, "dropout", hfm__probability(b, "qa_dropout"));
  return self;
}
HFM__PRIVATE void hfm__distilbert_question_forward(hfm__builder *b, const void *model) {
  const hfm__distilbert *self = (const hfm__distilbert *)model;
  hfm__span_outputs(b, hfm__call(b, self->classifier, hfm__distilbert_model_forward(b, self)));
}

HFM__PRIVATE void *hfm__distilbert_masked_init(hfm__builder *b) {
  hfm__distilbert *self = hfm__distilbert_new(b);
  if (!self) return NULL;
  self->head_activation = hfm__activation(b, "activation", self->activation);
  hfm__distilbert_attach_base(b, self);
  self->vocab_transform = hfm__linear(b, "vocab_transform", self->dim, self->dim, 1);
  self->vocab_layer_norm = hfm__layer_norm(b, "vocab_layer_norm", self->dim, hfm__distilbert_eps);
  self->vocab_projector = hfm__linear(b, "vocab_projector", self->dim, self->vocab_size, 1);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->vocab_projector), hfm__weight_of(b, self->word_embeddings));
  hfm__placeholder(b, "mlm_loss_fct", "CrossEntropyLoss");
  return self;
}
HFM__PRIVATE void hfm__distilbert_masked_forward(hfm__builder *b, const void *model) {
  const hfm__distilbert *self = (const hfm__distilbert *)model;
  hfm__val x = hfm__call(b, self->vocab_transform, hfm__distilbert_model_forward(b, self));
  x = hfm__call(b, self->vocab_layer_norm, hfm__call(b, self->head_activation, x));
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->vocab_projector, x));
}

static const hfm__head hfm__distilbert_heads[] = {
    {HFM_BASE, "Model", hfm__distilbert_base_init, hfm__distilbert_base_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__distilbert_sequence_init,
     hfm__distilbert_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__distilbert_token_init, hfm__distilbert_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__distilbert_question_init, hfm__distilbert_question_forward},
    {HFM_MASKED_LM, "ForMaskedLM", hfm__distilbert_masked_init, hfm__distilbert_masked_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__distilbert_family = {"distilbert", hfm__distilbert_heads, NULL, NULL};
/* ==== end src/families/distilbert.c ==== */
#endif
#ifdef HFM__WITH_GPT2
/* ==== begin src/families/gpt2.c ==== */
/* ==== families/gpt2 (private): GPT-2 ==============================================================================
   After models/gpt2/modeling_gpt2.py: pre-norm decoder; q, k and v come from one Conv1D. */

typedef struct hfm__gpt2_block {
  hfm__mod ln_1, c_attn, attn_c_proj, attn_dropout, resid_dropout, ln_2, c_fc, mlp_c_proj, act, mlp_dropout;
} hfm__gpt2_block;

typedef struct hfm__gpt2 {
  int64_t vocab_size, n_embd, n_layer, n_head, n_inner, n_positions, pad_token_id;
  int32_t activation, scales, scales_by_layer;
  double epsilon, attn_pdrop, embd_pdrop, resid_pdrop;
  hfm__mod wte, wpe, drop, ln_f;
  hfm__gpt2_block *h;
  hfm__mod head, head_dropout;
} hfm__gpt2;

HFM__PRIVATE hfm__gpt2 *hfm__gpt2_new(hfm__builder *b) {
  hfm__gpt2 *self = HFM__NEW(b, hfm__gpt2, 1);
  if (!self) return NULL;
  self->vocab_size = hfm__size(b, "vocab_size");
  self->n_embd = hfm__size(b, "n_embd");
  self->n_layer = hfm__layer_count(b, "n_layer");
  self->n_head = hfm__size(b, "n_head");
  self->n_inner = hfm__size_or(b, "n_inner", 4 * self->n_embd);
  self->n_positions = hfm__size(b, "n_positions");
  self->pad_token_id = hfm_config_get_int(b->config, "pad_token_id", -1);
  self->activation = hfm__activation_key(b, "activation_function");
  self->scales = hfm__flag(b, "scale_attn_weights");
  self->scales_by_layer = hfm__flag(b, "scale_attn_by_inverse_layer_idx");
  self->epsilon = hfm__positive(b, "layer_norm_epsilon");
  self->attn_pdrop = hfm__probability(b, "attn_pdrop");
  self->embd_pdrop = hfm__probability(b, "embd_pdrop");
  self->resid_pdrop = hfm__probability(b, "resid_pdrop");
  hfm__divides(b, "n_head", self->n_head, "n_embd", self->n_embd);
  if (hfm__flag(b, "add_cross_attention"))
    hfm__refuse(b, "add_cross_attention", "true", "only decoders without an encoder are");
  return self;
}

/* GPT-2 initialises the projections into the residual stream with a smaller deviation. */
HFM__PRIVATE void hfm__gpt2_scale_init(hfm__builder *b, hfm__mod projection, int64_t layers) {
  if (hfm__ok(b)) b->tree->parameters[hfm__weight_of(b, projection).id].deviation /= (float)sqrt(2.0 * (double)layers);
}

HFM__PRIVATE void hfm__gpt2_block_init(hfm__builder *b, const hfm__gpt2 *self, hfm__gpt2_block *block) {
  block->ln_1 = hfm__layer_norm(b, "ln_1", self->n_embd, self->epsilon);
  hfm__begin(b, "attn", "GPT2Attention");
  block->c_attn = hfm__conv1d(b, "c_attn", 3 * self->n_embd, self->n_embd);
  block->attn_c_proj = hfm__conv1d(b, "c_proj", self->n_embd, self->n_embd);
  block->attn_dropout = hfm__dropout(b, "attn_dropout", self->attn_pdrop);
  block->resid_dropout = hfm__dropout(b, "resid_dropout", self->resid_pdrop);
  hfm__end(b);
  block->ln_2 = hfm__layer_norm(b, "ln_2", self->n_embd, self->epsilon);
  hfm__begin(b, "mlp", "GPT2MLP");
  block->c_fc = hfm__conv1d(b, "c_fc", self->n_inner, self->n_embd);
  block->mlp_c_proj = hfm__conv1d(b, "c_proj", self->n_embd, self->n_inner);
  block->act = hfm__activation(b, "act", self->activation);
  block->mlp_dropout = hfm__dropout(b, "dropout", self->resid_pdrop);
  hfm__end(b);
  hfm__gpt2_scale_init(b, block->attn_c_proj, self->n_layer);
  hfm__gpt2_scale_init(b, block->mlp_c_proj, self->n_layer);
}

HFM__PRIVATE void hfm__gpt2_model_init(hfm__builder *b, hfm__gpt2 *self) {
  self->wte = hfm__embedding(b, "wte", self->vocab_size, self->n_embd, -1);
  self->wpe = hfm__embedding(b, "wpe", self->n_positions, self->n_embd, -1);
  self->drop = hfm__dropout(b, "drop", self->embd_pdrop);
  self->h = HFM__NEW(b, hfm__gpt2_block, self->n_layer);
  hfm__begin_list(b, "h");
  for (int64_t i = 0; i < self->n_layer && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "GPT2Block");
    hfm__gpt2_block_init(b, self, &self->h[i]);
    hfm__end(b);
  }
  hfm__end(b);
  self->ln_f = hfm__layer_norm(b, "ln_f", self->n_embd, self->epsilon);
}

HFM__PRIVATE hfm__val hfm__gpt2_attention(hfm__builder *b, const hfm__gpt2 *self, const hfm__gpt2_block *block,
                                          int64_t index, hfm__val x, hfm__val mask) {
  const hfm__val qkv = hfm__call(b, block->c_attn, x);
  const hfm__dim width = hfm__fixed(b, self->n_embd);
  const hfm__val q = hfm__split_heads(b, hfm__slice(b, qkv, -1, 0, width), self->n_head);
  const hfm__val k =
      hfm__cached(b, index, "key", hfm__split_heads(b, hfm__slice(b, qkv, -1, self->n_embd, width), self->n_head));
  const hfm__val v =
      hfm__cached(b, index, "value", hfm__split_heads(b, hfm__slice(b, qkv, -1, 2 * self->n_embd, width), self->n_head));
  double scale = self->scales ? 1.0 / sqrt((double)(self->n_embd / self->n_head)) : 1.0;
  if (self->scales_by_layer) scale /= (double)(index + 1);
  return hfm__call(b, block->resid_dropout,
                   hfm__call(b, block->attn_c_proj, hfm__attend(b, q, k, v, mask, scale, 1, 0)));
}

HFM__PRIVATE hfm__val hfm__gpt2_model_forward(hfm__builder *b, const hfm__gpt2 *self) {
  const hfm__val words = hfm__word_embeddings(b, self->wte, self->vocab_size, self->n_embd);
  const hfm__val positions = hfm__position_ids(b, self->n_positions, 0);
  const hfm__val mask = hfm__decoder_mask(b, positions);
  hfm__val x = hfm__add(b, words, hfm__call(b, self->wpe, positions));
  if (hfm__given(b, HFM__IN_token_type_ids)) /* token types share the words' table */
    x = hfm__add(b, x,
                 hfm__call(b, self->wte, hfm__input_ids(b, HFM__IN_token_type_ids, self->vocab_size, "vocab_size")));
  x = hfm__call(b, self->drop, x);
  for (int64_t i = 0; i < self->n_layer && hfm__ok(b); i++) {
    const hfm__gpt2_block *block = &self->h[i];
    hfm__val y;
    hfm__hidden_state(b, x);
    x = hfm__add(b, hfm__gpt2_attention(b, self, block, i, hfm__call(b, block->ln_1, x), mask), x);
    y = hfm__call(b, block->act, hfm__call(b, block->c_fc, hfm__call(b, block->ln_2, x)));
    x = hfm__add(b, hfm__call(b, block->mlp_dropout, hfm__call(b, block->mlp_c_proj, y)), x);
  }
  x = hfm__call(b, self->ln_f, x);
  hfm__hidden_state(b, x);
  return x;
}

HFM__PRIVATE hfm__gpt2 *hfm__gpt2_with_base(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*Model");
  hfm__gpt2_model_init(b, self);
  hfm__end(b);
  return self;
}

HFM__PRIVATE void *hfm__gpt2_base_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_new(b);
  if (self) hfm__gpt2_model_init(b, self);
  return self;
}
HFM__PRIVATE void hfm__gpt2_base_forward(hfm__builder *b, const void *model) {
  hfm__output(b, HFM__OUT_last_hidden_state, hfm__gpt2_model_forward(b, (const hfm__gpt2 *)model));
}

HFM__PRIVATE void *hfm__gpt2_causal_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_with_base(b);
  if (!self) return NULL;
  self->head = hfm__linear(b, "lm_head", self->n_embd, self->vocab_size, 0);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->head), hfm__weight_of(b, self->wte));
  return self;
}
HFM__PRIVATE void hfm__gpt2_causal_forward(hfm__builder *b, const void *model) {
  const hfm__gpt2 *self = (const hfm__gpt2 *)model;
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head, hfm__kept_positions(b, hfm__gpt2_model_forward(b, self))));
}

HFM__PRIVATE void *hfm__gpt2_sequence_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_with_base(b);
  if (self) self->head = hfm__linear(b, "score", self->n_embd, hfm__labels(b), 0);
  return self;
}
HFM__PRIVATE void hfm__gpt2_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__gpt2 *self = (const hfm__gpt2 *)model;
  const hfm__val last = hfm__last_real_token(b, hfm__gpt2_model_forward(b, self), self->vocab_size, self->pad_token_id);
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head, last));
}

HFM__PRIVATE void *hfm__gpt2_token_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_with_base(b);
  if (!self) return NULL;
  self->head_dropout = hfm__dropout(b, "dropout", hfm__decoder_classifier_dropout(b));
  self->head = hfm__linear(b, "classifier", self->n_embd, hfm__labels(b), 1);
  return self;
}
HFM__PRIVATE void hfm__gpt2_token_forward(hfm__builder *b, const void *model) {
  const hfm__gpt2 *self = (const hfm__gpt2 *)model;
  hfm__output(b, HFM__OUT_logits,
              hfm__call(b, self->head, hfm__call(b, self->head_dropout, hfm__gpt2_model_forward(b, self))));
}

HFM__PRIVATE void *hfm__gpt2_question_init(hfm__builder *b) {
  hfm__gpt2 *self = hfm__gpt2_with_base(b);
  if (self) self->head = hfm__linear(b, "qa_outputs", self->n_embd, 2, 1);
  return self;
}
HFM__PRIVATE void hfm__gpt2_question_forward(hfm__builder *b, const void *model) {
  const hfm__gpt2 *self = (const hfm__gpt2 *)model;
  hfm__span_outputs(b, hfm__call(b, self->head, hfm__gpt2_model_forward(b, self)));
}

static const hfm__head hfm__gpt2_heads[] = {
    {HFM_BASE, "Model", hfm__gpt2_base_init, hfm__gpt2_base_forward},
    {HFM_CAUSAL_LM, "LMHeadModel", hfm__gpt2_causal_init, hfm__gpt2_causal_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__gpt2_sequence_init, hfm__gpt2_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__gpt2_token_init, hfm__gpt2_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__gpt2_question_init, hfm__gpt2_question_forward},
    {0, NULL, NULL, NULL}};

static const char *const hfm__gpt2_ignored[] = {"attn.bias", "crossattention.bias", NULL}; /* old causal masks */

static const hfm__family hfm__gpt2_family = {"transformer", hfm__gpt2_heads, NULL, hfm__gpt2_ignored};
/* ==== end src/families/gpt2.c ==== */
#endif
#ifdef HFM__WITH_LLAMA
/* ==== begin src/families/llama.c ==== */
/* ==== families/llama (private): Llama, Mistral, Qwen2, Qwen3 ======================================================
   After models/llama/modeling_llama.py and the files that derive from it. What differs stands in traits. */

enum { HFM__WINDOW_NONE, HFM__WINDOW_EVERY_LAYER, HFM__WINDOW_BY_LAYER_TYPE };
enum { HFM__BIAS_NEVER, HFM__BIAS_ALWAYS, HFM__BIAS_BY_CONFIG };

typedef struct hfm__llama_traits {
  int32_t qkv_bias, o_bias;  /* HFM__BIAS_... */
  int32_t mlp_bias;          /* 1: by the configuration's mlp_bias */
  int32_t qk_norm;           /* q_norm and k_norm on every head */
  int32_t window;            /* HFM__WINDOW_... */
  const char *question_base; /* what ForQuestionAnswering calls the base model */
} hfm__llama_traits;

static const hfm__llama_traits hfm__llama_itself = {HFM__BIAS_BY_CONFIG, HFM__BIAS_BY_CONFIG, 1, 0,
                                                    HFM__WINDOW_NONE,    "transformer"};
static const hfm__llama_traits hfm__mistral_traits = {HFM__BIAS_NEVER,         HFM__BIAS_NEVER, 0, 0,
                                                      HFM__WINDOW_EVERY_LAYER, "model"};
static const hfm__llama_traits hfm__qwen2_traits = {HFM__BIAS_ALWAYS,          HFM__BIAS_NEVER, 0, 0,
                                                    HFM__WINDOW_BY_LAYER_TYPE, "transformer"};
static const hfm__llama_traits hfm__qwen3_traits = {HFM__BIAS_BY_CONFIG,       HFM__BIAS_BY_CONFIG, 0, 1,
                                                    HFM__WINDOW_BY_LAYER_TYPE, "transformer"};

typedef struct hfm__llama_layer {
  hfm__mod q_proj, k_proj, v_proj, o_proj, q_norm, k_norm; /* self_attn */
  hfm__mod gate_proj, up_proj, down_proj, act_fn;          /* mlp */
  hfm__mod input_layernorm, post_attention_layernorm;
  int64_t window; /* 0: none */
} hfm__llama_layer;

typedef struct hfm__llama {
  const hfm__llama_traits *traits;
  int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads;
  int64_t head_dim, max_position_embeddings, pad_token_id;
  int32_t hidden_act, qkv_bias, o_bias, mlp_bias;
  double rms_norm_eps;
  hfm__mod embed_tokens, norm, head, head_dropout;
  hfm__llama_layer *layers;
  hfm__rope rotary_emb;
} hfm__llama;

HFM__PRIVATE hfm__llama *hfm__llama_new(hfm__builder *b) {
  hfm__llama *self = HFM__NEW(b, hfm__llama, 1);
  const hfm__llama_traits *traits = (const hfm__llama_traits *)b->traits;
  int32_t bias;
  if (!self) return NULL;
  self->traits = traits;
  self->vocab_size = hfm__size(b, "vocab_size");
  self->hidden_size = hfm__size(b, "hidden_size");
  self->intermediate_size = hfm__size(b, "intermediate_size");
  self->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  self->num_attention_heads = hfm__size(b, "num_attention_heads");
  self->num_key_value_heads = hfm__size_or(b, "num_key_value_heads", self->num_attention_heads);
  self->max_position_embeddings = hfm__size(b, "max_position_embeddings");
  self->pad_token_id = hfm_config_get_int(b->config, "pad_token_id", -1);
  self->hidden_act = hfm__activation_key(b, "hidden_act");
  self->rms_norm_eps = hfm__positive(b, "rms_norm_eps");
  if (hfm__is_null(b, "head_dim"))
    hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->hidden_size);
  self->head_dim = hfm__size_or(b, "head_dim", HFM__MAX(self->hidden_size / self->num_attention_heads, 1));
  hfm__divides(b, "num_key_value_heads", self->num_key_value_heads, "num_attention_heads", self->num_attention_heads);
  bias = hfm__flag(b, "attention_bias");
  self->qkv_bias = traits->qkv_bias == HFM__BIAS_ALWAYS || (traits->qkv_bias == HFM__BIAS_BY_CONFIG && bias);
  self->o_bias = traits->o_bias == HFM__BIAS_BY_CONFIG && bias;
  self->mlp_bias = traits->mlp_bias && hfm__flag(b, "mlp_bias");
  return self;
}

/* How far layer i sees: layer_types where the file lists them, else Qwen's rule of max_window_layers. */
HFM__PRIVATE int64_t hfm__llama_window(hfm__builder *b, const hfm__llama *self, int64_t i) {
  const char *type;
  char key[40];
  hfm__text t = hfm__text_to(key, sizeof key);
  if (self->traits->window == HFM__WINDOW_NONE || hfm__is_null(b, "sliding_window")) return 0;
  if (self->traits->window == HFM__WINDOW_EVERY_LAYER) return hfm__size(b, "sliding_window");
  if (!hfm__flag(b, "use_sliding_window")) return 0;
  hfm__text_format(&t, "layer_types.%i", i);
  type = hfm_config_get_string(b->config, key, NULL);
  if (type ? hfm__equal(type, "sliding_attention") : i >= hfm_config_get_int(b->config, "max_window_layers", INT64_MAX))
    return hfm__size(b, "sliding_window");
  if (type && !hfm__equal(type, "full_attention"))
    hfm__refuse(b, "layer_types", type, "use full_attention or sliding_attention");
  return 0;
}

HFM__PRIVATE void hfm__llama_layer_init(hfm__builder *b, const hfm__llama *self, hfm__llama_layer *layer) {
  const int64_t queries = self->num_attention_heads * self->head_dim, keys = self->num_key_value_heads * self->head_dim;
  hfm__begin(b, "self_attn", "*Attention");
  layer->q_proj = hfm__linear(b, "q_proj", self->hidden_size, queries, self->qkv_bias);
  layer->k_proj = hfm__linear(b, "k_proj", self->hidden_size, keys, self->qkv_bias);
  layer->v_proj = hfm__linear(b, "v_proj", self->hidden_size, keys, self->qkv_bias);
  layer->o_proj = hfm__linear(b, "o_proj", queries, self->hidden_size, self->o_bias);
  if (self->traits->qk_norm) {
    layer->q_norm = hfm__rms_norm(b, "q_norm", "*RMSNorm", self->head_dim, self->rms_norm_eps);
    layer->k_norm = hfm__rms_norm(b, "k_norm", "*RMSNorm", self->head_dim, self->rms_norm_eps);
  }
  hfm__end(b);
  hfm__begin(b, "mlp", "*MLP");
  layer->gate_proj = hfm__linear(b, "gate_proj", self->hidden_size, self->intermediate_size, self->mlp_bias);
  layer->up_proj = hfm__linear(b, "up_proj", self->hidden_size, self->intermediate_size, self->mlp_bias);
  layer->down_proj = hfm__linear(b, "down_proj", self->intermediate_size, self->hidden_size, self->mlp_bias);
  layer->act_fn = hfm__activation(b, "act_fn", self->hidden_act);
  hfm__end(b);
  layer->input_layernorm = hfm__rms_norm(b, "input_layernorm", "*RMSNorm", self->hidden_size, self->rms_norm_eps);
  layer->post_attention_layernorm =
      hfm__rms_norm(b, "post_attention_layernorm", "*RMSNorm", self->hidden_size, self->rms_norm_eps);
}

HFM__PRIVATE void hfm__llama_model_init(hfm__builder *b, hfm__llama *self) {
  self->embed_tokens = hfm__embedding(b, "embed_tokens", self->vocab_size, self->hidden_size, self->pad_token_id);
  self->layers = HFM__NEW(b, hfm__llama_layer, self->num_hidden_layers);
  hfm__begin_list(b, "layers");
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "*DecoderLayer");
    hfm__llama_layer_init(b, self, &self->layers[i]);
    self->layers[i].window = hfm__llama_window(b, self, i);
    hfm__end(b);
  }
  hfm__end(b);
  self->norm = hfm__rms_norm(b, "norm", "*RMSNorm", self->hidden_size, self->rms_norm_eps);
  hfm__rope_init(b, &self->rotary_emb, "*RotaryEmbedding", self->head_dim, self->max_position_embeddings);
}

HFM__PRIVATE hfm__val hfm__llama_heads_of(hfm__builder *b, hfm__mod projection, hfm__mod norm, hfm__val x,
                                          int64_t heads) {
  const hfm__val y = hfm__split_heads(b, hfm__call(b, projection, x), heads);
  return norm.id ? hfm__call(b, norm, y) : y;
}

HFM__PRIVATE hfm__val hfm__llama_layer_forward(hfm__builder *b, const hfm__llama *self, int64_t index, hfm__val x,
                                               hfm__val angles, hfm__val mask) {
  const hfm__llama_layer *layer = &self->layers[index];
  const double scale = 1.0 / sqrt((double)self->head_dim);
  const hfm__mod no_norm = {0};
  hfm__val y = hfm__call(b, layer->input_layernorm, x), gate;
  const hfm__val q = hfm__llama_heads_of(b, layer->q_proj, layer->q_norm, y, self->num_attention_heads);
  hfm__val k = hfm__llama_heads_of(b, layer->k_proj, layer->k_norm, y, self->num_key_value_heads);
  hfm__val v = hfm__llama_heads_of(b, layer->v_proj, no_norm, y, self->num_key_value_heads);
  k = hfm__cached(b, index, "key", hfm__rotary(b, k, angles));
  v = hfm__cached(b, index, "value", v);
  y = hfm__attend(b, hfm__rotary(b, q, angles), k, v, mask, scale, 1, layer->window);
  x = hfm__add(b, hfm__call(b, layer->o_proj, y), x);
  y = hfm__call(b, layer->post_attention_layernorm, x);
  gate = hfm__call(b, layer->act_fn, hfm__call(b, layer->gate_proj, y));
  y = hfm__mul(b, gate, hfm__call(b, layer->up_proj, y));
  return hfm__add(b, hfm__call(b, layer->down_proj, y), x);
}

/* RoPE has no table to run out of: lengths beyond max_position_embeddings are allowed, as in Transformers. */
HFM__PRIVATE hfm__val hfm__llama_model_forward(hfm__builder *b, const hfm__llama *self) {
  hfm__val x = hfm__word_embeddings(b, self->embed_tokens, self->vocab_size, self->hidden_size);
  const hfm__val positions = hfm__position_ids(b, 0, 0);
  const hfm__val angles = hfm__rope_angles(b, &self->rotary_emb, positions);
  const hfm__val mask = hfm__decoder_mask(b, positions);
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__hidden_state(b, x);
    x = hfm__llama_layer_forward(b, self, i, x, angles, mask);
  }
  x = hfm__call(b, self->norm, x);
  hfm__hidden_state(b, x);
  return x;
}

HFM__PRIVATE hfm__llama *hfm__llama_with_base(hfm__builder *b) {
  hfm__llama *self = hfm__llama_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*Model");
  hfm__llama_model_init(b, self);
  hfm__end(b);
  return self;
}

HFM__PRIVATE void *hfm__llama_base_init(hfm__builder *b) {
  hfm__llama *self = hfm__llama_new(b);
  if (self) hfm__llama_model_init(b, self);
  return self;
}
HFM__PRIVATE void hfm__llama_base_forward(hfm__builder *b, const void *model) {
  hfm__output(b, HFM__OUT_last_hidden_state, hfm__llama_model_forward(b, (const hfm__llama *)model));
}

HFM__PRIVATE void *hfm__llama_causal_init(hfm__builder *b) {
  hfm__llama *self = hfm__llama_with_base(b);
  if (!self) return NULL;
  self->head = hfm__linear(b, "lm_head", self->hidden_size, self->vocab_size, 0);
  hfm__tie_embeddings(b, hfm__weight_of(b, self->head), hfm__weight_of(b, self->embed_tokens));
  return self;
}
HFM__PRIVATE void hfm__llama_causal_forward(hfm__builder *b, const void *model) {
  const hfm__llama *self = (const hfm__llama *)model;
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head, hfm__kept_positions(b, hfm__llama_model_forward(b, self))));
}

HFM__PRIVATE void *hfm__llama_sequence_init(hfm__builder *b) {
  hfm__llama *self = hfm__llama_with_base(b);
  if (self) self->head = hfm__linear(b, "score", self->hidden_size, hfm__labels(b), 0);
  return self;
}
HFM__PRIVATE void hfm__llama_sequence_forward(hfm__builder *b, const void *model) {
  const hfm__llama *self = (const hfm__llama *)model;
  const hfm__val last =
      hfm__last_real_token(b, hfm__llama_model_forward(b, self), self->vocab_size, self->pad_token_id);
  hfm__output(b, HFM__OUT_logits, hfm__call(b, self->head, last));
}

HFM__PRIVATE void *hfm__llama_token_init(hfm__builder *b) {
  hfm__llama *self = hfm__llama_with_base(b);
  if (!self) return NULL;
  self->head_dropout = hfm__dropout(b, "dropout", hfm__decoder_classifier_dropout(b));
  self->head = hfm__linear(b, "score", self->hidden_size, hfm__labels(b), 1);
  return self;
}
HFM__PRIVATE void hfm__llama_token_forward(hfm__builder *b, const void *model) {
  const hfm__llama *self = (const hfm__llama *)model;
  hfm__output(b, HFM__OUT_logits,
              hfm__call(b, self->head, hfm__call(b, self->head_dropout, hfm__llama_model_forward(b, self))));
}

HFM__PRIVATE void *hfm__llama_question_init(hfm__builder *b) {
  hfm__llama *self;
  b->base = ((const hfm__llama_traits *)b->traits)->question_base;
  self = hfm__llama_with_base(b);
  if (self) self->head = hfm__linear(b, "qa_outputs", self->hidden_size, 2, 1);
  return self;
}
HFM__PRIVATE void hfm__llama_question_forward(hfm__builder *b, const void *model) {
  const hfm__llama *self = (const hfm__llama *)model;
  hfm__span_outputs(b, hfm__call(b, self->head, hfm__llama_model_forward(b, self)));
}

static const hfm__head hfm__llama_heads[] = {
    {HFM_BASE, "Model", hfm__llama_base_init, hfm__llama_base_forward},
    {HFM_CAUSAL_LM, "ForCausalLM", hfm__llama_causal_init, hfm__llama_causal_forward},
    {HFM_SEQUENCE_CLASSIFICATION, "ForSequenceClassification", hfm__llama_sequence_init, hfm__llama_sequence_forward},
    {HFM_TOKEN_CLASSIFICATION, "ForTokenClassification", hfm__llama_token_init, hfm__llama_token_forward},
    {HFM_QUESTION_ANSWERING, "ForQuestionAnswering", hfm__llama_question_init, hfm__llama_question_forward},
    {0, NULL, NULL, NULL}};

static const hfm__family hfm__llama_family = {"model", hfm__llama_heads, NULL, NULL};
/* ==== end src/families/llama.c ==== */
#endif
#ifdef HFM__WITH_VIT
/* ==== begin src/families/vit.c ==== */
/* ==== families/vit (private): ViT, DeiT ===========================================================================
   After models/vit/modeling_vit.py and models/deit/modeling_deit.py. DeiT is ViT with a second, distillation token. */

typedef struct hfm__vit_layer {
  hfm__mod q_proj, k_proj, v_proj, o_proj; /* attention */
  hfm__mod layernorm_before, layernorm_after, activation_fn, fc1, fc2, dropout;
} hfm__vit_layer;

typedef struct hfm__vit {
  int64_t hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, num_channels, pooler_output_size;
  int64_t image_size[2], patch_size[2]; /* height, width */
  int32_t hidden_act, pooler_act, qkv_bias, distillation;
  double layer_norm_eps, hidden_dropout_prob;
  hfm__par cls_token, distillation_token, position_embeddings;
  hfm__mod projection, embeddings_dropout, layernorm, pooler_dense, pooler_activation;
  hfm__vit_layer *layers;
  hfm__mod classifier, distillation_classifier;
} hfm__vit;

typedef struct hfm__vit_traits {
  int32_t distillation; /* has a distillation token */
} hfm__vit_traits;

static const hfm__vit_traits hfm__vit_itself = {0};
static const hfm__vit_traits hfm__deit_traits = {1};

/* image_size and patch_size: one number, or [height, width]. */
HFM__PRIVATE void hfm__vit_size_pair(hfm__builder *b, const char *key, int64_t pair[2]) {
  const hfm__config_value value = hfm__config_find(b->config, key);
  for (int32_t i = 0; i < 2; i++) {
    char element[40];
    hfm__text t = hfm__text_to(element, sizeof element);
    hfm__text_format(&t, "%s.%d", key, (int)i);
    pair[i] = hfm__size(b, hfm__json_kind(value.doc, value.node) == HFM__JSON_ARRAY ? element : key);
  }
}

HFM__PRIVATE hfm__vit *hfm__vit_new(hfm__builder *b) {
  hfm__vit *self = HFM__NEW(b, hfm__vit, 1);
  if (!self) return NULL;
  self->hidden_size = hfm__size(b, "hidden_size");
  self->num_hidden_layers = hfm__layer_count(b, "num_hidden_layers");
  self->num_attention_heads = hfm__size(b, "num_attention_heads");
  self->intermediate_size = hfm__size(b, "intermediate_size");
  self->num_channels = hfm__size(b, "num_channels");
  self->pooler_output_size = hfm__size_or(b, "pooler_output_size", self->hidden_size);
  self->hidden_act = hfm__activation_key(b, "hidden_act");
  self->pooler_act = hfm__activation_key(b, "pooler_act");
  self->qkv_bias = hfm__flag(b, "qkv_bias");
  self->layer_norm_eps = hfm__positive(b, "layer_norm_eps");
  self->hidden_dropout_prob = hfm__probability(b, "hidden_dropout_prob");
  self->distillation = ((const hfm__vit_traits *)b->traits)->distillation;
  hfm__vit_size_pair(b, "image_size", self->image_size);
  hfm__vit_size_pair(b, "patch_size", self->patch_size);
  hfm__divides(b, "num_attention_heads", self->num_attention_heads, "hidden_size", self->hidden_size);
  return self;
}

HFM__PRIVATE void hfm__vit_embeddings_init(hfm__builder *b, hfm__vit *self) {
  const int64_t tokens = 1 + self->distillation;
  const int64_t patches = (self->image_size[0] / self->patch_size[0]) * (self->image_size[1] / self->patch_size[1]);
  hfm__begin(b, "embeddings", "*Embeddings");
  self->cls_token = hfm__parameter3(b, "cls_token", 1, 1, self->hidden_size, HFM__INIT_NORMAL);
  self->position_embeddings =
      hfm__parameter3(b, "position_embeddings", 1, patches + tokens, self->hidden_size, HFM__INIT_NORMAL);
  if (self->distillation)
    self->distillation_token = hfm__parameter3(b, "distillation_token", 1, 1, self->hidden_size, HFM__INIT_ZEROS);
  hfm__begin(b, "patch_embeddings", "*PatchEmbeddings");
  self->projection =
      hfm__conv2d(b, "projection", self->num_channels, self->hidden_size, self->patch_size[0], self->patch_size[1]);
  hfm__end(b);
  self->embeddings_dropout = hfm__dropout(b, "dropout", self->hidden_dropout_prob);
  hfm__end(b);
}

HFM__PRIVATE void hfm__vit_layer_init(hfm__builder *b, const hfm__vit *self, hfm__vit_layer *layer) {
  hfm__begin(b, "attention", "*Attention");
  layer->q_proj = hfm__linear(b, "q_proj", self->hidden_size, self->hidden_size, self->qkv_bias);
  layer->k_proj = hfm__linear(b, "k_proj", self->hidden_size, self->hidden_size, self->qkv_bias);
  layer->v_proj = hfm__linear(b, "v_proj", self->hidden_size, self->hidden_size, self->qkv_bias);
  layer->o_proj = hfm__linear(b, "o_proj", self->hidden_size, self->hidden_size, 1);
  hfm__end(b);
  layer->layernorm_before = hfm__layer_norm(b, "layernorm_before", self->hidden_size, self->layer_norm_eps);
  layer->layernorm_after = hfm__layer_norm(b, "layernorm_after", self->hidden_size, self->layer_norm_eps);
  hfm__begin(b, "mlp", "*MLP");
  layer->activation_fn = hfm__activation(b, "activation_fn", self->hidden_act);
  layer->fc1 = hfm__linear(b, "fc1", self->hidden_size, self->intermediate_size, 1);
  layer->fc2 = hfm__linear(b, "fc2", self->intermediate_size, self->hidden_size, 1);
  hfm__end(b);
  layer->dropout = hfm__dropout(b, "dropout", self->hidden_dropout_prob);
}

HFM__PRIVATE void hfm__vit_model_init(hfm__builder *b, hfm__vit *self, int pooler) {
  hfm__vit_embeddings_init(b, self);
  self->layers = HFM__NEW(b, hfm__vit_layer, self->num_hidden_layers);
  hfm__begin_list(b, "layers");
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    hfm__begin_item(b, i, "*Layer");
    hfm__vit_layer_init(b, self, &self->layers[i]);
    hfm__end(b);
  }
  hfm__end(b);
  self->layernorm = hfm__layer_norm(b, "layernorm", self->hidden_size, self->layer_norm_eps);
  if (!pooler) return;
  hfm__begin(b, "pooler", "*Pooler");
  self->pooler_dense = hfm__linear(b, "dense", self->hidden_size, self->pooler_output_size, 1);
  self->pooler_activation = hfm__activation(b, "activation", self->pooler_act);
  hfm__end(b);
}

/* Patches as tokens [batch, patches, hidden], then the tokens that the model adds in front, then positions. */
HFM__PRIVATE hfm__val hfm__vit_embed(hfm__builder *b, const hfm__vit *self) {
  const hfm__val pixels =
      hfm__input(b, HFM__IN_pixel_values, HFM_F32, 4, hfm__symbol(b, HFM__SYM_BATCH), hfm__fixed(b, self->num_channels),
                 hfm__fixed(b, self->image_size[0]), hfm__fixed(b, self->image_size[1]));
  const hfm__val patches = hfm__call(b, self->projection, pixels);
  hfm__dim shape[3];
  hfm__val x;
  shape[0] = hfm__dim_of(b, patches, 0);
  shape[1] = hfm__dim_op(b, HFM__DIM_mul, hfm__dim_of(b, patches, 1), hfm__dim_of(b, patches, 2));
  shape[2] = hfm__dim_of(b, patches, 3);
  x = hfm__reshape(b, patches, 3, shape);
  if (self->distillation) x = hfm__concat(b, hfm__expand_batch(b, hfm__param(b, self->distillation_token)), x, 1);
  x = hfm__concat(b, hfm__expand_batch(b, hfm__param(b, self->cls_token)), x, 1);
  return hfm__call(b, self->embeddings_dropout, hfm__add(b, x, hfm__param(b, self->position_embeddings)));
}

HFM__PRIVATE hfm__val hfm__vit_layer_forward(hfm__builder *b, const hfm__vit *self, const hfm__vit_layer *layer,
                                             hfm__val x) {
  const int64_t heads = self->num_attention_heads;
  const double scale = 1.0 / sqrt((double)(self->hidden_size / heads));
  hfm__val y = hfm__call(b, layer->layernorm_before, x);
  const hfm__val q = hfm__split_heads(b, hfm__call(b, layer->q_proj, y), heads);
  const hfm__val k = hfm__split_heads(b, hfm__call(b, layer->k_proj, y), heads);
  const hfm__val v = hfm__split_heads(b, hfm__call(b, layer->v_proj, y), heads);
  y = hfm__call(b, layer->o_proj, hfm__attend(b, q, k, v, hfm__no_value, scale, 0, 0));
  x = hfm__add(b, hfm__call(b, layer->dropout, y), x);
  y = hfm__call(b, layer->activation_fn, hfm__call(b, layer->fc1, hfm__call(b, layer->layernorm_after, x)));
  return hfm__add(b, hfm__call(b, layer->dropout, hfm__call(b, layer->fc2, y)), x);
}

HFM__PRIVATE hfm__val hfm__vit_model_forward(hfm__builder *b, const hfm__vit *self) {
  hfm__val x = hfm__vit_embed(b, self);
  hfm__hidden_state(b, x);
  for (int64_t i = 0; i < self->num_hidden_layers && hfm__ok(b); i++) {
    x = hfm__vit_layer_forward(b, self, &self->layers[i], x);
    hfm__hidden_state(b, x);
  }
  return hfm__call(b, self->layernorm, x);
}

HFM__PRIVATE hfm__vit *hfm__vit_with_base(hfm__builder *b) {
  hfm__vit *self = hfm__vit_new(b);
  if (!self) return NULL;
  hfm__begin(b, b->base, "*Model");
  hfm__vit_model_init(b, self, 0);
  hfm__end(b);
  return self;
}

HFM__PRIVATE void *hfm__vit_base_init(hfm__builder *b) {
  hfm__vit *self = hfm__vit_new(b);
  if (self) hfm__vit_model_init(b, self, 1);
  return self;
}
HFM__PRIVATE void hfm__vit_base_forward(hfm__builder *b, const void *model) {
  const hfm__vit *self = (const hfm__vit *)model;
  const hfm__val x = hfm__vit_model_forward(b, self);
  hfm__output(b, HFM__OUT_last_hidden_state, x);
  hfm__output(b, HFM__OUT_pooler_output,
              hfm__call(b, self->pooler_activation, hfm__call(b, self->pooler_dense, hfm__select_row(b, x, 0))));
}

HFM__PRIVATE void *hfm__vit_image_init(hfm__builder *b) {
  hfm__vit *self = hfm__vit_with_base(b);
  if (self) self->classifier = hfm__linear(b, "classifier", self->hidden_size, hfm__labels(b), 1);
  return self;
}
HFM__PRIVATE void hfm__vit_image_forward(hfm__builder *b, const void *model) {
  const hfm__vit *self = (const hfm__vit *)model;
  hfm__output(b, HFM__OUT_logits,
              hfm__call(b, self->classifier, hfm__select_row(b, hfm__vit_model_forward(b, self), 0)));
}

HFM__PRIVATE void *hfm__deit_teacher_init(hfm__builder *b) {
  hfm__vit *self = hfm__vit_with_base(b);
  if (!self) return NULL;
  self->classifier = hfm__linear(b, "cls_classifier", self->hidden_size, hfm__labels(b), 1);
  self->distillation_classifier = hfm__linear(b, "distillation_classifier", self->hidden_size, hfm__labels(b), 1);
  return self;
}
/* logits: the mean of what the two tokens say. */
HFM__PRIVATE void hfm__deit_teacher_forward(hfm__builder *b, const void *model) {
  static const float half = 0.5f;
  const hfm__vit *self = (const hfm__vit *)model;
  const hfm__val x = hfm__vit_model_forward(b, self);
  const hfm__val cls = hfm__call(b, self->classifier, hfm__select_row(b, x, 0));
  const hfm__val distillation = hfm__call(b, self->distillation_classifier, hfm__select_row(b, x, 1));
  hfm__output(b, HFM__OUT_logits, hfm__mul(b, hfm__add(b, cls, distillation), hfm__vector(b, &half, 1)));
  hfm__output(b, HFM__OUT_cls_logits, cls);
  hfm__output(b, HFM__OUT_distillation_logits, distillation);
}

static const hfm__head hfm__vit_heads[] = {
    {HFM_BASE, "Model", hfm__vit_base_init, hfm__vit_base_forward},
    {HFM_IMAGE_CLASSIFICATION, "ForImageClassification", hfm__vit_image_init, hfm__vit_image_forward},
    {0, NULL, NULL, NULL}};

static const hfm__head hfm__deit_heads[] = {
    {HFM_BASE, "Model", hfm__vit_base_init, hfm__vit_base_forward},
    {HFM_IMAGE_CLASSIFICATION, "ForImageClassification", hfm__vit_image_init, hfm__vit_image_forward},
    {HFM_IMAGE_CLASSIFICATION, "ForImageClassificationWithTeacher", hfm__deit_teacher_init, hfm__deit_teacher_forward},
    {0, NULL, NULL, NULL}};

/* Files keep the names that Transformers had before version 5. */
static const hfm__rename hfm__vit_renames[] = {{"encoder.layer.*", "layers.*"},
                                               {"attention.attention.query", "attention.q_proj"},
                                               {"attention.attention.key", "attention.k_proj"},
                                               {"attention.attention.value", "attention.v_proj"},
                                               {"attention.output.dense", "attention.o_proj"},
                                               {"intermediate.dense", "mlp.fc1"},
                                               {"output.dense", "mlp.fc2"},
                                               {NULL, NULL}};

static const hfm__family hfm__vit_family = {"vit", hfm__vit_heads, hfm__vit_renames, NULL};
static const hfm__family hfm__deit_family = {"deit", hfm__deit_heads, hfm__vit_renames, NULL};
/* ==== end src/families/vit.c ==== */
#endif
/* ==== begin src/families/registry.c ==== */
/* ==== families/registry (private): which model types there are ====================================================
   One line makes a model type: its torch class prefix, its family and what sets it apart there. The public table, the
   lists in error messages and the README's table follow from it. HFMODEL_ONLY_X and HFMODEL_NO_X cut families. */

typedef struct hfm__arch {
  const char *model_type, *prefix;
  const hfm__family *family;
  const void *traits;
} hfm__arch;

static const hfm__arch hfm__archs[] = {
#ifdef HFM__WITH_BERT
    {"bert", "Bert", &hfm__bert_family, NULL},
#endif
#ifdef HFM__WITH_ROBERTA
    {"roberta", "Roberta", &hfm__roberta_family, &hfm__roberta_itself},
    {"xlm-roberta", "XLMRoberta", &hfm__roberta_family, &hfm__xlm_roberta_traits},
    {"camembert", "Camembert", &hfm__roberta_family, &hfm__xlm_roberta_traits},
#endif
#ifdef HFM__WITH_DISTILBERT
    {"distilbert", "DistilBert", &hfm__distilbert_family, NULL},
#endif
#ifdef HFM__WITH_GPT2
    {"gpt2", "GPT2", &hfm__gpt2_family, NULL},
#endif
#ifdef HFM__WITH_LLAMA
    {"llama", "Llama", &hfm__llama_family, &hfm__llama_itself},
    {"mistral", "Mistral", &hfm__llama_family, &hfm__mistral_traits},
    {"qwen2", "Qwen2", &hfm__llama_family, &hfm__qwen2_traits},
    {"qwen3", "Qwen3", &hfm__llama_family, &hfm__qwen3_traits},
#endif
#ifdef HFM__WITH_VIT
    {"vit", "ViT", &hfm__vit_family, &hfm__vit_itself},
    {"deit", "DeiT", &hfm__deit_family, &hfm__deit_traits},
#endif
    {NULL, NULL, NULL, NULL}};

/* ---- Tasks ---- */

typedef struct hfm__task_row {
  const char *name, *auto_class;
} hfm__task_row;

static const hfm__task_row hfm__tasks[] = {{"base", "AutoModel"},
                                           {"sequence-classification", "AutoModelForSequenceClassification"},
                                           {"token-classification", "AutoModelForTokenClassification"},
                                           {"question-answering", "AutoModelForQuestionAnswering"},
                                           {"causal-lm", "AutoModelForCausalLM"},
                                           {"masked-lm", "AutoModelForMaskedLM"},
                                           {"seq2seq-lm", "AutoModelForSeq2SeqLM"},
                                           {"image-classification", "AutoModelForImageClassification"},
                                           {"object-detection", "AutoModelForObjectDetection"},
                                           {"image-segmentation", "AutoModelForImageSegmentation"},
                                           {"audio-classification", "AutoModelForAudioClassification"},
                                           {"ctc", "AutoModelForCTC"},
                                           {"speech-seq2seq", "AutoModelForSpeechSeq2Seq"},
                                           {"vision2seq", "AutoModelForVision2Seq"}};

HFMODEL_API const char *hfm_task_name(hfm_task task) {
  return task >= 0 && (size_t)task < HFM__COUNT(hfm__tasks) ? hfm__tasks[task].name : NULL;
}

HFMODEL_API hfm_task hfm_task_from_name(const char *name) {
  for (size_t i = 0; name && i < HFM__COUNT(hfm__tasks); i++)
    if (hfm__equal(name, hfm__tasks[i].name) || hfm__equal(name, hfm__tasks[i].auto_class)) return (hfm_task)i;
  return name && hfm__equal(name, "image-text-to-text") ? HFM_VISION2SEQ : -1;
}

/* ---- Finding an architecture ---- */

/* "Bert" + "ForMaskedLM". */
HFM__PRIVATE void hfm__text_class(hfm__text *t, const hfm__arch *arch, const hfm__head *head) {
  hfm__text_str(t, arch->prefix);
  hfm__text_str(t, head->suffix);
}

HFM__PRIVATE int hfm__is_class(const hfm__arch *arch, const hfm__head *head, const char *name) {
  const size_t n = strlen(arch->prefix);
  return strncmp(name, arch->prefix, n) == 0 && hfm__equal(name + n, head->suffix);
}

HFM__PRIVATE const hfm__arch *hfm__arch_find(const char *model_type) {
  for (const hfm__arch *arch = hfm__archs; arch->model_type; arch++)
    if (hfm__equal(arch->model_type, model_type)) return arch;
  return NULL;
}

/* The head for a task. HFM_TASK_FROM_CONFIG, and the choice between two of one task, go by the class in
   `architectures` (NULL: none is named). NULL if there is none. */
HFM__PRIVATE const hfm__head *hfm__head_find(const hfm__arch *arch, hfm_task task, const char *architecture) {
  const hfm__head *first = NULL;
  for (const hfm__head *head = arch->family->heads; head->suffix; head++) {
    const int named = architecture && hfm__is_class(arch, head, architecture);
    if (task == HFM_TASK_FROM_CONFIG ? named : named && head->task == task) return head;
    if (!first && head->task == (task == HFM_TASK_FROM_CONFIG ? HFM_BASE : task)) first = head;
  }
  return task == HFM_TASK_FROM_CONFIG && architecture ? NULL : first;
}

/* ", "-separated: all model types, or those that have a task. */
HFM__PRIVATE void hfm__text_model_types(hfm__text *t, hfm_task task) {
  const char *comma = "";
  for (const hfm__arch *arch = hfm__archs; arch->model_type; arch++) {
    if (task >= 0 && !hfm__head_find(arch, task, NULL)) continue;
    hfm__text_format(t, "%s%s", comma, arch->model_type);
    comma = ", ";
  }
  if (!*comma) hfm__text_str(t, "none in this build");
}

/* Finds architecture and head, or says what is supported. */
HFM__PRIVATE hfm_result hfm__architecture(const hfm_config *config, hfm_task task, const hfm__arch **arch,
                                          const hfm__head **head, hfm_error *error) {
  const char *type = hfm_config_get_string(config, "model_type", NULL);
  const char *architecture = hfm_config_get_string(config, "architectures.0", NULL);
  char list[400];
  hfm__text t = hfm__text_to(list, sizeof list);
  if (!type)
    return hfm__fail(error, HFM_E_CONFIG_NO_MODEL_TYPE, config->file, "model_type", 0,
                     "unrecognized model: it should have a `model_type` key in its config.json");
  *arch = hfm__arch_find(type);
  if (!*arch) {
    hfm__text_model_types(&t, -1);
    return hfm__fail(error, HFM_E_MODEL_TYPE_UNKNOWN, config->file, "model_type", 0,
                     "model type %q is not supported; supported are: %s", type, list);
  }
  if (task < 0 || task > HFM_TASK_FROM_CONFIG)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "task", 0, "options.task is %d, which is no HFM task",
                     (int)task);
  *head = hfm__head_find(*arch, task, architecture);
  if (*head) return HFM_OK;
  if (task == HFM_TASK_FROM_CONFIG) {
    for (const hfm__head *h = (*arch)->family->heads; h->suffix; h++) {
      if (t.length) hfm__text_str(&t, ", ");
      hfm__text_class(&t, *arch, h);
    }
    return hfm__fail(error, HFM_E_TASK_UNSUPPORTED, config->file, "architectures", 0,
                     "architecture %q is not supported; for model type '%s' there are: %s", architecture, type, list);
  }
  hfm__text_model_types(&t, task);
  return hfm__fail(error, HFM_E_TASK_UNSUPPORTED, config->file, "model_type", 0,
                   "model type '%s' has no %s (%s); model type should be one of: %s", type, hfm__tasks[task].auto_class,
                   hfm__tasks[task].name, list);
}

HFMODEL_API int32_t hfm_registry(size_t index, hfm_registry_entry *entry) {
  if (!entry) return 0;
  memset(entry, 0, sizeof *entry);
  for (const hfm__arch *arch = hfm__archs; arch->model_type; arch++) {
    for (const hfm__head *head = arch->family->heads; head->suffix; head++) {
      hfm__text t = hfm__text_to(entry->architecture, sizeof entry->architecture);
      if (index--) continue;
      entry->model_type = arch->model_type;
      entry->task = head->task;
      hfm__text_class(&t, arch, head);
      return 1;
    }
  }
  return 0;
}
/* ==== end src/families/registry.c ==== */

/* ==== begin src/weights/names.c ==== */
/* ==== weights/names (private): a file's names as the model's ======================================================
   In Transformers' order: the family's renames and the legacy ones, then the prefix of the base model is added or
   stripped where that makes the name known; a name that was known before it was renamed is kept. */

enum { HFM__NAME_MAX = 512 };

/* Length of the text at `s` that `pattern` matches ("*": digits), or 0. */
HFM__PRIVATE size_t hfm__rename_match(const char *s, const char *pattern, const char **number, size_t *digits) {
  size_t i = 0;
  for (; *pattern; pattern++) {
    if (*pattern == '*') {
      *number = s + i;
      for (*digits = 0; s[i] >= '0' && s[i] <= '9'; i++) ++*digits;
      if (!*digits) return 0;
    } else if (s[i++] != *pattern) {
      return 0;
    }
  }
  return s[i] == 0 || s[i] == '.' ? i : 0;
}

/* Replaces the first occurrence of rule->file that stands between dots (or the ends). */
HFM__PRIVATE void hfm__rename_apply(char name[HFM__NAME_MAX], const hfm__rename *rule) {
  for (size_t at = 0; name[at]; at++) {
    const char *number = "";
    size_t digits = 0, length;
    char result[HFM__NAME_MAX];
    hfm__text t;
    if (at && name[at - 1] != '.') continue;
    length = hfm__rename_match(name + at, rule->file, &number, &digits);
    if (!length) continue;
    t = hfm__text_to(result, sizeof result);
    hfm__text_bytes(&t, name, at);
    for (const char *p = rule->module; *p; p++) {
      if (*p == '*') hfm__text_bytes(&t, number, digits);
      else hfm__text_char(&t, *p);
    }
    hfm__text_str(&t, name + at + length);
    if (t.length < sizeof result) memcpy(name, result, t.length + 1);
    return;
  }
}

static const hfm__rename hfm__legacy_renames[] = {
    {"LayerNorm.gamma", "LayerNorm.weight"}, {"LayerNorm.beta", "LayerNorm.bias"}, {NULL, NULL}};

/* ---- The model's names, sorted ---- */

typedef struct hfm__name_entry {
  const char *name;
  int32_t parameter; /* 0: a buffer */
} hfm__name_entry;

typedef struct hfm__name_table {
  const hfm__name_entry **entries;
  size_t count;
} hfm__name_table;

HFM__PRIVATE int hfm__name_entry_order(const void *a, const void *b) {
  return strcmp(((const hfm__name_entry *)a)->name, ((const hfm__name_entry *)b)->name);
}

/* The name of a parameter or buffer in an arena; NULL when out of memory. */
HFM__PRIVATE const char *hfm__path_text(hfm__arena *arena, const hfm__tree *tree, int32_t module, const char *leaf) {
  hfm__text t = hfm__text_to(NULL, 0);
  char *name;
  hfm__text_member(&t, tree, module, leaf);
  name = (char *)hfm__arena_alloc(arena, (uint64_t)t.length + 1);
  if (!name) return NULL;
  t = hfm__text_to(name, t.length + 1);
  hfm__text_member(&t, tree, module, leaf);
  return name;
}

HFM__PRIVATE hfm_result hfm__name_table_make(hfm__arena *arena, const hfm__tree *tree, hfm__name_table *table,
                                             hfm_error *error) {
  const size_t parameters = tree->parameter_count ? tree->parameter_count - 1 : 0;
  const size_t count = parameters + tree->buffer_count;
  hfm__name_entry *entries = (hfm__name_entry *)hfm__arena_alloc(arena, (uint64_t)count * sizeof *entries);
  const void **pointers = (const void **)hfm__arena_alloc(arena, (uint64_t)count * 2 * sizeof *pointers);
  if (!entries || !pointers) return hfm__fail_memory(error, "names of parameters", 0);
  for (size_t i = 0; i < count; i++) {
    hfm__name_entry *entry = &entries[i];
    pointers[i] = entry;
    if (i < parameters) {
      const hfm__parameter *p = &tree->parameters[i + 1];
      entry->name = hfm__path_text(arena, tree, p->module, p->name);
      entry->parameter = (int32_t)i + 1;
    } else {
      const hfm__buffer *buffer = &tree->buffers[i - parameters];
      entry->name = hfm__path_text(arena, tree, buffer->module, buffer->name);
    }
    if (!entry->name) return hfm__fail_memory(error, "names of parameters", 0);
  }
  hfm__sort(pointers, pointers + count, count, hfm__name_entry_order);
  table->entries = (const hfm__name_entry **)pointers;
  table->count = count;
  return HFM_OK;
}

HFM__PRIVATE const hfm__name_entry *hfm__name_find(const hfm__name_table *table, const char *name) {
  size_t low = 0, high = table->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const int order = strcmp(table->entries[middle]->name, name);
    if (order == 0) return table->entries[middle];
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return NULL;
}

/* Stripping or adding "base." where that makes the name known. */
HFM__PRIVATE const hfm__name_entry *hfm__name_find_prefixed(const hfm__name_table *table, const char *name,
                                                            const char *base) {
  const size_t n = strlen(base);
  const hfm__name_entry *found = NULL;
  char prefixed[HFM__NAME_MAX];
  hfm__text t = hfm__text_to(prefixed, sizeof prefixed);
  if (hfm__starts_with(name, base) && name[n] == '.') found = hfm__name_find(table, name + n + 1);
  if (found) return found;
  hfm__text_format(&t, "%s.%s", base, name);
  return t.length < sizeof prefixed ? hfm__name_find(table, prefixed) : NULL;
}

/* What a file's tensor is in the model, or NULL; `renamed` is its name there, or what reports call it. */
HFM__PRIVATE const hfm__name_entry *hfm__name_resolve(const hfm__name_table *table, const hfm__family *family,
                                                      const char *base, const char *name, char renamed[HFM__NAME_MAX]) {
  const hfm__name_entry *found;
  hfm__text t = hfm__text_to(renamed, HFM__NAME_MAX);
  hfm__text_str(&t, name);
  if (t.length >= HFM__NAME_MAX) return NULL;
  for (const hfm__rename *rule = family->renames; rule && rule->file; rule++) hfm__rename_apply(renamed, rule);
  for (const hfm__rename *rule = hfm__legacy_renames; rule->file; rule++) hfm__rename_apply(renamed, rule);
  found = hfm__name_find(table, renamed);
  if (!found) found = hfm__name_find_prefixed(table, renamed, base);
  if (!found) found = hfm__name_find(table, name);
  if (!found) found = hfm__name_find_prefixed(table, name, base);
  return found;
}
/* ==== end src/weights/names.c ==== */
/* ==== begin src/weights/init.c ==== */
/* ==== weights/init (private): newly initialised parameters ========================================================
   By the family's own rule (modeling_utils.py, _init_weights), from the caller's seed. Each parameter has a stream of
   its own, so its values depend on the seed and its name only. */

typedef struct hfm__random {
  uint64_t state;
} hfm__random;

/* splitmix64 (Steele, Lea, Flood 2014) */
HFM__PRIVATE uint64_t hfm__random_next(hfm__random *r) {
  uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

HFM__PRIVATE hfm__random hfm__random_for(uint64_t seed, const char *name) {
  hfm__random r;
  r.state = seed;
  for (; *name; name++) {
    r.state ^= (uint8_t)*name;
    (void)hfm__random_next(&r);
  }
  return r;
}

/* Two numbers from the standard normal distribution (Box and Muller 1958). */
HFM__PRIVATE void hfm__random_normal(hfm__random *r, float pair[2]) {
  const uint64_t bits = hfm__random_next(r);
  const float u = ((float)(uint32_t)(bits >> 40) + 1.0f) * (1.0f / 16777216.0f); /* (0, 1] */
  const uint32_t quadrant = (uint32_t)(bits >> 22 & 3);
  const float radius = sqrtf(-2.0f * (float)hfm__exact_log((double)u));
  double s, c;
  hfm__sine_cosine_near((double)(int64_t)(bits & 0x3fffff) * (1.5707963267948966 / 4194304.0) - 0.78539816339744831, &s, &c);
  pair[0] = radius * (float)(quadrant & 1 ? s : c);
  pair[1] = radius * (float)(quadrant & 1 ? c : s);
  if (quadrant & 2) pair[0] = -pair[0];
  if ((quadrant ^ quadrant >> 1) & 1) pair[1] = -pair[1];
}

/* Fills `data` with the parameter's initial values; dtype is F32, F16 or BF16. */
HFM__PRIVATE void hfm__initialise(const hfm__parameter *p, const char *name, uint64_t seed, hfm_dtype dtype,
                                  void *data) {
  const int64_t elements = hfm__parameter_elements(p);
  hfm__random random = hfm__random_for(seed, name);
  float pair[2] = {0, 0};
  if (p->init != HFM__INIT_NORMAL) {
    for (int64_t i = 0; i < elements; i++) hfm__store(data, dtype, i, p->init == HFM__INIT_ONES ? 1.0 : 0.0);
    return;
  }
  for (int64_t i = 0; i < elements; i++) {
    if (!(i & 1)) hfm__random_normal(&random, pair);
    hfm__store(data, dtype, i, (double)(pair[i & 1] * p->deviation));
  }
  if (p->padding >= 0)
    for (int64_t i = 0; i < p->shape[1]; i++) hfm__store(data, dtype, p->padding * p->shape[1] + i, 0.0);
}
/* ==== end src/weights/init.c ==== */
/* ==== begin src/weights/model.h ==== */
/* ==== weights/model (private): a loaded model ===================================================================== */

struct hfm_model {
  hfm__context ctx;
  hfm__atomic references;   /* the caller's, and one for each session */
  hfm_config *config;       /* its own copy */
  hfm__memory_files memory; /* hfm_from_memory: the caller's files, else empty */
  const hfm__arch *arch;
  const hfm__head *head;
  const char *base; /* attribute of the base model */
  char architecture[96];
  hfm__tree tree;
  void *self;                 /* the family's handles, in the tree's arena */
  hfm__weight *weights;       /* one for each of tree.parameters */
  hfm_dtype dtype;            /* of the first float parameter */
  hfm__checkpoint checkpoint; /* its files stay open while weights are mapped */
  hfm_load_entry *report;
  size_t report_count, report_capacity;
  hfm__cpu cpu;
  hfm__packing packing;
  int32_t attention;    /* HFM_ATTN_... */
  int32_t *state_order; /* parameters in state_dict order, and their names there */
  const char **state_names;
  const char **labels; /* id2label, num_labels of them */
  int64_t label_count;
};

/* The weight that a parameter reads: its source's, if it is tied. */
HFM__PRIVATE hfm__weight *hfm__weight_for(const hfm_model *model, int32_t parameter) {
  const int32_t source = model->tree.parameters[parameter].tied_to;
  return &model->weights[source ? source : parameter];
}

HFM__PRIVATE hfm_result hfm__report_add(hfm_model *model, const char *key, int32_t status,
                                        const hfm__file_tensor *found, const hfm__parameter *expected,
                                        hfm_error *error) {
  hfm_load_entry *entry;
  void *grown =
      hfm__grow(&model->ctx.mem, model->report, model->report_count, &model->report_capacity, sizeof *model->report);
  char *copy = hfm__arena_copy(&model->tree.arena, key, strlen(key));
  if (grown) model->report = (hfm_load_entry *)grown;
  if (!grown || !copy) return hfm__fail_memory(error, "the load report", 0);
  entry = &model->report[model->report_count++];
  memset(entry, 0, sizeof *entry);
  entry->key = copy;
  entry->status = status;
  if (status == HFM_KEY_MISMATCHED) {
    entry->found_rank = found->rank;
    entry->expected_rank = expected->rank;
    memcpy(entry->found_shape, found->shape, sizeof entry->found_shape);
    memcpy(entry->expected_shape, expected->shape, sizeof entry->expected_shape);
  }
  return HFM_OK;
}
/* ==== end src/weights/model.h ==== */
/* ==== begin src/weights/load.c ==== */
/* ==== weights/load (private): file tensors become parameters ======================================================
   Each tensor finds its parameter by name; ties are settled; what is left over or absent goes into the report. Weights
   are used where they lie in the file unless another type is asked for, or they can't be read there. */

typedef struct hfm__loader {
  hfm_model *model;
  const hfm_options *options;
  hfm_error *error;
  hfm__arena arena; /* names, gone after the load */
  hfm__name_table names;
  const hfm__file_tensor **tensors; /* of each parameter; NULL: none */
  uint64_t new_bytes, done, total;  /* of progress, in parameters */
} hfm__loader;

HFM__PRIVATE const char *hfm__weights_file(const hfm_model *model) {
  return model->checkpoint.file_count ? model->checkpoint.files[0].name : NULL;
}

/* ---- Which tensor is which parameter ---- */

/* Old files hold buffers that are computed now; Transformers drops them where the model has such a buffer at all. */
HFM__PRIVATE int hfm__is_ignored(const hfm_model *model, const char *name) {
  for (const char *const *part = model->arch->family->ignored; part && *part; part++)
    if (strstr(name, *part)) return 1;
  for (size_t i = 0; i < model->tree.buffer_count; i++) {
    const char *buffer = model->tree.buffers[i].name;
    if (hfm__equal(buffer, "position_ids") && (hfm__equal(name, buffer) || hfm__ends_with(name, ".position_ids")))
      return 1;
    if (hfm__equal(buffer, "inv_freq") && strstr(name, "rotary_emb.inv_freq")) return 1;
  }
  return 0;
}

HFM__PRIVATE int hfm__same_shape_as(const hfm__file_tensor *tensor, const hfm__parameter *p) {
  return tensor->rank == p->rank && memcmp(tensor->shape, p->shape, (size_t)p->rank * sizeof *p->shape) == 0;
}

HFM__PRIVATE hfm_result hfm__match_tensors(hfm__loader *l) {
  hfm_model *model = l->model;
  hfm_result result = HFM_OK;
  for (size_t i = 0; i < model->checkpoint.count && result == HFM_OK; i++) {
    const hfm__file_tensor *tensor = &model->checkpoint.tensors[i];
    char renamed[HFM__NAME_MAX];
    const hfm__name_entry *found =
        hfm__name_resolve(&l->names, model->arch->family, model->base, tensor->name, renamed);
    if (!found) {
      if (!hfm__is_ignored(model, renamed))
        result = hfm__report_add(model, renamed, HFM_KEY_UNEXPECTED, NULL, NULL, l->error);
    } else if (found->parameter) {
      const hfm__parameter *p = &model->tree.parameters[found->parameter];
      if (hfm__same_shape_as(tensor, p)) {
        l->tensors[found->parameter] = tensor;
      } else if (l->options && l->options->ignore_mismatched_sizes) {
        result = hfm__report_add(model, found->name, HFM_KEY_MISMATCHED, tensor, p, l->error);
      } else {
        result = hfm__fail(l->error, HFM_E_WEIGHT_MISMATCH, model->checkpoint.files[tensor->file].name, found->name,
                           tensor->offset,
                           "tensor %q has shape %t, but the model's %s needs %t: is this the right configuration? "
                           "(options.ignore_mismatched_sizes initialises such weights anew)",
                           tensor->name, tensor->shape, (int)tensor->rank, found->name, p->shape, (int)p->rank);
      }
    }
  }
  return result;
}

/* ---- Bytes ---- */

/* The tensor's bytes in memory, or NULL where they must be read. */
HFM__PRIVATE const uint8_t *hfm__tensor_mapped(const hfm_model *model, const hfm__file_tensor *tensor) {
  const hfm__file *file = &model->checkpoint.files[tensor->file];
  return file->map ? file->map + tensor->offset : NULL;
}

/* Do two tensors hold the same bytes? Unreadable ones don't. */
HFM__PRIVATE int hfm__same_bytes(const hfm_model *model, const hfm__file_tensor *a, const hfm__file_tensor *b) {
  uint8_t piece[2][1024];
  if (a->dtype != b->dtype || a->bytes != b->bytes || !a->contiguous || !b->contiguous) return 0;
  if (a->file == b->file && a->offset == b->offset) return 1;
  for (uint64_t at = 0; at < a->bytes; at += sizeof piece[0]) {
    const uint64_t n = HFM__MIN(a->bytes - at, (uint64_t)sizeof piece[0]);
    if (hfm__file_read(&model->checkpoint.files[a->file], a->offset + at, piece[0], n, NULL) != HFM_OK ||
        hfm__file_read(&model->checkpoint.files[b->file], b->offset + at, piece[1], n, NULL) != HFM_OK ||
        memcmp(piece[0], piece[1], (size_t)n) != 0)
      return 0;
  }
  return 1;
}

/* Transformers ties symmetrically: one name in the file serves both; two different ones are not tied, with a warning. */
HFM__PRIVATE void hfm__settle_ties(hfm__loader *l) {
  hfm__tree *tree = &l->model->tree;
  for (size_t i = 1; i < tree->parameter_count; i++) {
    const int32_t source = tree->parameters[i].tied_to;
    if (!source || !l->tensors[i]) continue;
    if (!l->tensors[source]) {
      l->tensors[source] = l->tensors[i];
    } else if (!hfm__same_bytes(l->model, l->tensors[i], l->tensors[source])) {
      tree->parameters[i].tied_to = 0;
      hfm__log(
          &l->model->ctx, HFM_LOG_WARNING, 0,
          "The tied weights mapping and config for this model specifies to tie %q to %q, but both are present in the "
          "checkpoints with different values, so we will NOT tie them.",
          l->tensors[source]->name, l->tensors[i]->name);
    }
  }
}

/* ---- One parameter ---- */

HFM__PRIVATE hfm_result hfm__weight_allocate(hfm__loader *l, hfm__weight *weight, const char *name) {
  weight->storage = &hfm__storage_owned;
  weight->data = hfm__alloc(&l->model->ctx.mem, HFM__MAX(weight->bytes, 1));
  return weight->data ? HFM_OK : hfm__fail_memory(l->error, name, weight->bytes);
}

/* Reads a tensor that can't be used where it lies: strided, unaligned, of another byte order or type, or not mapped. */
HFM__PRIVATE hfm_result hfm__weight_convert(hfm__loader *l, hfm__weight *weight, const hfm__file_tensor *tensor,
                                            const char *name) {
  const hfm_model *model = l->model;
  const hfm__file *file = &model->checkpoint.files[tensor->file];
  const int64_t size = hfm_dtype_bits(tensor->dtype) / 8, elements = hfm__elements(tensor->shape, tensor->rank);
  const int plain = tensor->contiguous && tensor->dtype == weight->dtype && tensor->big_endian == HFM__BIG_ENDIAN;
  uint8_t *out;
  hfm_result result = hfm__weight_allocate(l, weight, name);
  if (result != HFM_OK) return result;
  out = (uint8_t *)weight->data;
  if (plain) return hfm__file_read(file, tensor->offset, out, weight->bytes, l->error);
  if (tensor->contiguous) {
    uint8_t piece[4096];
    const int64_t step = (int64_t)sizeof piece / size;
    for (int64_t at = 0; at < elements && result == HFM_OK; at += step) {
      const int64_t n = HFM__MIN(step, elements - at);
      result = hfm__file_read(file, tensor->offset + (uint64_t)(at * size), piece, (uint64_t)(n * size), l->error);
      for (int64_t i = 0; i < n && result == HFM_OK; i++)
        hfm__store(out, weight->dtype, at + i, hfm__element(piece, tensor->dtype, i, tensor->big_endian));
    }
    return result;
  }
  for (int64_t i = 0; i < elements && result == HFM_OK; i++) {
    uint8_t element[8];
    int64_t offset = 0, rest = i;
    for (int32_t d = tensor->rank - 1; d >= 0; d--) {
      offset += rest % tensor->shape[d] * tensor->stride[d];
      rest /= tensor->shape[d];
    }
    result = hfm__file_read(file, tensor->offset + (uint64_t)(offset * size), element, (uint64_t)size, l->error);
    if (result == HFM_OK)
      hfm__store(out, weight->dtype, i, hfm__element(element, tensor->dtype, 0, tensor->big_endian));
  }
  return result;
}

HFM__PRIVATE hfm_result hfm__weight_from_file(hfm__loader *l, hfm__weight *weight, hfm__parameter *p,
                                              const hfm__file_tensor *tensor, const char *name) {
  const hfm_dtype asked = l->options ? l->options->dtype : HFM_DTYPE_AUTO;
  const uint8_t *mapped = hfm__tensor_mapped(l->model, tensor);
  if (!hfm__convertible(tensor->dtype))
    return hfm__fail(
        l->error, HFM_E_WEIGHT_DTYPE, l->model->checkpoint.files[tensor->file].name, name, tensor->offset,
        "tensor %q has dtype %s, which can't be run: float32, float16, bfloat16, float64, float8 and integers can",
        tensor->name, hfm_dtype_name(tensor->dtype));
  p->dtype = asked ? asked : hfm__is_float(tensor->dtype) ? tensor->dtype : HFM_F32;
  weight->dtype = hfm__is_native(p->dtype) ? p->dtype : HFM_F32;
  weight->bytes = (uint64_t)hfm__parameter_elements(p) * (uint64_t)hfm_dtype_bits(weight->dtype) / 8;
  if (mapped && tensor->contiguous && tensor->dtype == weight->dtype && tensor->big_endian == HFM__BIG_ENDIAN &&
      (uintptr_t)mapped % (uintptr_t)(hfm_dtype_bits(weight->dtype) / 8) == 0) {
    weight->storage = &hfm__storage_mapped;
    weight->data = mapped;
    return HFM_OK;
  }
  return hfm__weight_convert(l, weight, tensor, name);
}

/* The dtype of what no file holds: as asked for, as config.json says, or float32. */
HFM__PRIVATE hfm_dtype hfm__new_dtype(const hfm_model *model, const hfm_options *options) {
  const hfm_dtype stated = hfm_dtype_from_name(hfm_config_get_string(model->config, "dtype", ""));
  if (options && options->dtype) return options->dtype;
  return hfm__is_native(stated) ? stated : HFM_F32;
}

HFM__PRIVATE hfm_result hfm__weight_new(hfm__loader *l, hfm__weight *weight, hfm__parameter *p, const char *name) {
  const int32_t random = l->options && l->options->random_weights;
  hfm_result result;
  p->dtype = weight->dtype = hfm__new_dtype(l->model, l->options);
  weight->bytes = (uint64_t)hfm__parameter_elements(p) * (uint64_t)hfm_dtype_bits(weight->dtype) / 8;
  if (!random && !hfm__add64(l->new_bytes, weight->bytes, &l->new_bytes)) l->new_bytes = UINT64_MAX;
  if (l->new_bytes > l->model->ctx.limits.max_new_bytes)
    return hfm__fail(l->error, HFM_E_NEW_WEIGHTS_LIMIT, hfm__weights_file(l->model), name, 0,
                     "the files lack %q and others: newly initialised weights would take more than %u bytes "
                     "(limits.max_new_bytes)",
                     name, l->model->ctx.limits.max_new_bytes);
  result = hfm__weight_allocate(l, weight, name);
  if (result == HFM_OK)
    hfm__initialise(p, name, l->options ? l->options->seed : 0, weight->dtype, (void *)weight->data);
  return result;
}

HFM__PRIVATE hfm_result hfm__report_missing(hfm__loader *l, const char *name) {
  for (size_t i = 0; i < l->model->report_count; i++)
    if (l->model->report[i].status == HFM_KEY_MISMATCHED && hfm__equal(l->model->report[i].key, name)) return HFM_OK;
  return hfm__report_add(l->model, name, HFM_KEY_MISSING, NULL, NULL, l->error);
}

HFM__PRIVATE hfm_result hfm__load_parameter(hfm__loader *l, int32_t parameter) {
  hfm_model *model = l->model;
  hfm__parameter *p = &model->tree.parameters[parameter];
  hfm__weight *weight = &model->weights[parameter];
  const char *name;
  hfm_result result = HFM_OK;
  name = hfm__path_text(&l->arena, &model->tree, p->module, p->name);
  if (!name) return hfm__fail_memory(l->error, "names of parameters", 0);
  if (p->tied_to) /* missing under both names: both are reported */
    return l->tensors[p->tied_to] || (l->options && l->options->random_weights) ? HFM_OK : hfm__report_missing(l, name);
  weight->rank = p->rank;
  memcpy(weight->shape, p->shape, sizeof weight->shape);
  if (l->tensors[parameter]) return hfm__weight_from_file(l, weight, p, l->tensors[parameter], name);
  if (!(l->options && l->options->random_weights)) result = hfm__report_missing(l, name);
  return result == HFM_OK ? hfm__weight_new(l, weight, p, name) : result;
}

/* ---- All of them ---- */

HFM__PRIVATE int hfm__report_order(const void *a, const void *b) {
  const hfm_load_entry *x = (const hfm_load_entry *)a, *y = (const hfm_load_entry *)b;
  return x->status != y->status ? x->status - y->status : strcmp(x->key, y->key);
}

/* By status, then by name; Transformers' own order within a status is random. */
HFM__PRIVATE hfm_result hfm__report_sort(hfm__loader *l) {
  hfm_model *model = l->model;
  const size_t count = model->report_count;
  const void **pointers = (const void **)hfm__arena_alloc(&l->arena, (uint64_t)count * 2 * sizeof *pointers);
  hfm_load_entry *sorted = (hfm_load_entry *)hfm__arena_alloc(&l->arena, (uint64_t)count * sizeof *sorted);
  if (!pointers || !sorted) return hfm__fail_memory(l->error, "the load report", 0);
  for (size_t i = 0; i < count; i++) pointers[i] = &model->report[i];
  hfm__sort(pointers, pointers + count, count, hfm__report_order);
  for (size_t i = 0; i < count; i++) sorted[i] = *(const hfm_load_entry *)pointers[i];
  if (count) memcpy(model->report, sorted, count * sizeof *sorted);
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__progress(const hfm__context *ctx, const char *stage, uint64_t done, uint64_t total,
                                      const char *unit, hfm_error *error) {
  if (!ctx->progress.update || !ctx->progress.update(ctx->progress.ctx, stage, done, total, unit)) return HFM_OK;
  return hfm__fail(error, HFM_E_CANCELLED, NULL, stage, 0, "cancelled by the caller at %u of %u %s (%s)", done, total,
                   unit, stage);
}

/* Fills model->weights and the report. */
HFM__PRIVATE hfm_result hfm__load_weights(hfm_model *model, const hfm_options *options, hfm_error *error) {
  hfm__tree *tree = &model->tree;
  hfm__loader l;
  hfm_result result;
  memset(&l, 0, sizeof l);
  l.model = model;
  l.options = options;
  l.error = error;
  l.arena.mem = model->ctx.mem;
  l.tensors =
      (const hfm__file_tensor **)hfm__arena_alloc(&l.arena, (uint64_t)(tree->parameter_count + 1) * sizeof *l.tensors);
  model->weights =
      (hfm__weight *)hfm__alloc_zero(&model->ctx.mem, (uint64_t)(tree->parameter_count + 1) * sizeof *model->weights);
  result = l.tensors && model->weights ? hfm__name_table_make(&l.arena, tree, &l.names, error)
                                       : hfm__fail_memory(error, "a table of weights", 0);
  if (result == HFM_OK) result = hfm__match_tensors(&l);
  if (result == HFM_OK) hfm__settle_ties(&l);
  for (size_t i = 1; i < tree->parameter_count && result == HFM_OK; i++) {
    result = hfm__load_parameter(&l, (int32_t)i);
    if (result == HFM_OK)
      result = hfm__progress(&model->ctx, options && options->random_weights ? "init" : "load", i,
                             tree->parameter_count - 1, "tensors", error);
  }
  if (result == HFM_OK) result = hfm__report_sort(&l);
  hfm__arena_free(&l.arena);
  return result;
}
/* ==== end src/weights/load.c ==== */
/* ==== begin src/weights/report.c ==== */
/* ==== weights/report (private): the table that Transformers prints after a load ===================================
   After utils/loading_report.py: keys that differ only in numbers share a row, {0, 1, 2} or {0...11}; one width for each
   column; what each status means underneath. */

HFMODEL_API size_t hfm_load_report_size(const hfm_model *model) { return model ? model->report_count : 0; }

HFMODEL_API const hfm_load_entry *hfm_load_report_at(const hfm_model *model, size_t index) {
  return model && index < model->report_count ? &model->report[index] : NULL;
}

HFM__PRIVATE size_t hfm__key_part(const char *key) {
  size_t n = 0;
  while (key[n] && key[n] != '.') n++;
  return n;
}

HFM__PRIVATE int hfm__is_number(const char *s, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (s[i] < '0' || s[i] > '9') return 0;
  return n > 0 && n < 10;
}

HFM__PRIVATE int64_t hfm__number(const char *s, size_t n) {
  int64_t v = 0;
  for (size_t i = 0; i < n; i++) v = v * 10 + (s[i] - '0');
  return v;
}

/* Are two keys equal but for numbers between dots? */
HFM__PRIVATE int hfm__same_pattern(const char *a, const char *b) {
  for (;;) {
    const size_t n = hfm__key_part(a), m = hfm__key_part(b);
    const int numbers = hfm__is_number(a, n) && hfm__is_number(b, m);
    if (!numbers && (n != m || memcmp(a, b, n) != 0)) return 0;
    if (!a[n] || !b[m]) return a[n] == b[m];
    a += n + 1;
    b += m + 1;
  }
}

/* Part number `index` of a key. */
HFM__PRIVATE const char *hfm__key_at(const char *key, int32_t index, size_t *size) {
  for (; index > 0; index--) key += hfm__key_part(key) + 1;
  *size = hfm__key_part(key);
  return key;
}

HFM__PRIVATE int hfm__same_row(const hfm_load_entry *a, const hfm_load_entry *b) {
  return a->status == b->status && hfm__same_pattern(a->key, b->key);
}

/* The values that one numeric part takes in the row of entry `first`, ascending: "3", "{0, 1, 2}" or "{0...11}". */
HFM__PRIVATE void hfm__text_numbers(hfm__text *t, const hfm_model *model, size_t first, int32_t part) {
  int64_t low = -1, shown[10];
  size_t count = 0;
  for (;;) { /* the next larger value, until there is none: rows are short, or their numbers dense */
    int64_t next = INT64_MAX;
    for (size_t i = first; i < model->report_count; i++) {
      size_t n;
      const char *s;
      int64_t value;
      if (!hfm__same_row(&model->report[first], &model->report[i])) continue;
      s = hfm__key_at(model->report[i].key, part, &n);
      value = hfm__number(s, n);
      if (value > low && value < next) next = value;
    }
    if (next == INT64_MAX) break;
    if (count < HFM__COUNT(shown)) shown[count] = next;
    low = next;
    count++;
  }
  if (count == 1) {
    hfm__text_i64(t, shown[0]);
    return;
  }
  hfm__text_char(t, '{');
  if (count > HFM__COUNT(shown)) {
    hfm__text_format(t, "%i...%i", shown[0], low);
  } else {
    for (size_t i = 0; i < count; i++) hfm__text_format(t, "%s%i", i ? ", " : "", shown[i]);
  }
  hfm__text_char(t, '}');
}

HFM__PRIVATE void hfm__text_folded(hfm__text *t, const hfm_model *model, size_t first) {
  const char *key = model->report[first].key;
  for (int32_t part = 0;; part++) {
    const size_t n = hfm__key_part(key);
    if (hfm__is_number(key, n)) hfm__text_numbers(t, model, first, part);
    else hfm__text_bytes(t, key, n);
    if (!key[n]) return;
    hfm__text_char(t, '.');
    key += n + 1;
  }
}

HFM__PRIVATE int hfm__starts_row(const hfm_model *model, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (hfm__same_row(&model->report[i], &model->report[index])) return 0;
  return 1;
}

HFM__PRIVATE void hfm__text_torch_size(hfm__text *t, const int64_t *shape, int32_t rank) {
  hfm__text_format(t, "torch.Size(%t)", shape, (int)rank);
}

HFM__PRIVATE void hfm__text_details(hfm__text *t, const hfm_load_entry *entry) {
  if (entry->status != HFM_KEY_MISMATCHED) return;
  hfm__text_str(t, "Reinit due to size mismatch - ckpt: ");
  hfm__text_torch_size(t, entry->found_shape, entry->found_rank);
  hfm__text_str(t, " vs model:");
  hfm__text_torch_size(t, entry->expected_shape, entry->expected_rank);
}

typedef struct hfm__status_row {
  const char *name, *color, *note;
} hfm__status_row;

static const hfm__status_row hfm__statuses[] = {
    {"", "", ""},
    {"UNEXPECTED", "\x1b[38;5;208m",
     "can be ignored when loading from different task/architecture; not ok if you expect identical arch."},
    {"MISSING", "\x1b[31m",
     "those params were newly initialized because missing from the checkpoint. Consider training on your downstream "
     "task."},
    {"MISMATCH", "\x1b[33m", "ckpt weights were loaded, but they did not match the original empty weight shapes."}};

/* `text` between an escape and its end, where colours are wanted. */
HFM__PRIVATE void hfm__text_styled(hfm__text *t, const char *escape, const char *text, const char *more,
                                   int32_t color) {
  hfm__text_format(t, "%s%s%s%s", color ? escape : "", text, more, color ? "\x1b[0m" : "");
}

HFM__PRIVATE void hfm__text_pad(hfm__text *t, size_t from, size_t width) {
  while (t->length - from < width) hfm__text_char(t, ' ');
}

HFMODEL_API size_t hfm_load_report_text(const hfm_model *model, const char *source, int32_t color, char *buffer,
                                        size_t size) {
  hfm__text t = hfm__text_to(buffer, buffer ? size : 0);
  size_t widths[3] = {3, 6, 0};
  int32_t only_unexpected = 1;
  if (!model || !model->report_count) return 0;
  for (size_t i = 0; i < model->report_count; i++) {
    hfm__text cell = hfm__text_to(NULL, 0);
    if (model->report[i].status != HFM_KEY_UNEXPECTED) only_unexpected = 0;
    if (!hfm__starts_row(model, i)) continue;
    hfm__text_folded(&cell, model, i);
    widths[0] = HFM__MAX(widths[0], cell.length);
    widths[1] = HFM__MAX(widths[1], strlen(hfm__statuses[model->report[i].status].name));
    cell = hfm__text_to(NULL, 0);
    hfm__text_details(&cell, &model->report[i]);
    widths[2] = HFM__MAX(widths[2], cell.length);
  }
  hfm__text_format(&t, "\x1b[1m%s LOAD REPORT\x1b[0m from: %s\nKey", model->architecture, source ? source : "");
  for (size_t i = 3; i < widths[0]; i++) hfm__text_char(&t, ' ');
  hfm__text_str(&t, " | Status");
  for (size_t i = 6; i < widths[1]; i++) hfm__text_char(&t, ' ');
  hfm__text_str(&t, only_unexpected ? " |  | \n" : " | ");
  if (!only_unexpected) {
    for (size_t i = 0; i < widths[2]; i++) hfm__text_char(&t, ' ');
    hfm__text_char(&t, '\n');
  }
  for (size_t column = 0; column < 3; column++) {
    for (size_t i = 0; i < widths[column]; i++) hfm__text_char(&t, '-');
    if (column < 2) hfm__text_str(&t, "-+-");
  }
  hfm__text_str(&t, only_unexpected ? "-+-\n" : "\n");
  for (size_t i = 0; i < model->report_count; i++) {
    size_t start = t.length;
    if (!hfm__starts_row(model, i)) continue;
    hfm__text_folded(&t, model, i);
    hfm__text_pad(&t, start, widths[0]);
    hfm__text_str(&t, " | ");
    start = t.length + (color ? strlen(hfm__statuses[model->report[i].status].color) + 4 : 0);
    hfm__text_styled(&t, hfm__statuses[model->report[i].status].color, hfm__statuses[model->report[i].status].name, "",
                     color);
    hfm__text_pad(&t, start, widths[1]);
    hfm__text_str(&t, " | ");
    start = t.length;
    hfm__text_details(&t, &model->report[i]);
    hfm__text_pad(&t, start, widths[2]);
    hfm__text_str(&t, only_unexpected ? " | \n" : "\n");
  }
  hfm__text_str(&t, "\nNotes:");
  for (int32_t status = HFM_KEY_UNEXPECTED; status <= HFM_KEY_MISMATCHED; status++) {
    for (size_t i = 0; i < model->report_count; i++) {
      if (model->report[i].status != status) continue;
      hfm__text_str(&t, "\n- ");
      hfm__text_styled(&t, hfm__statuses[status].color, hfm__statuses[status].name, ":", color);
      hfm__text_char(&t, '\t');
      hfm__text_styled(&t, "\x1b[3m", hfm__statuses[status].note, "", color);
      break;
    }
  }
  return t.length;
}
/* ==== end src/weights/report.c ==== */

/* ==== begin src/run/program.c ==== */
/* ==== run/program (private): a traced, fused and planned forward ==================================================
   A program belongs to one combination of inputs given and outputs asked for; it serves every shape within its bounds
   for which its guards hold. */

typedef struct hfm__program {
  struct hfm__program *next;
  hfm__question asked; /* `present` says which inputs it takes */
  hfm__graph graph;
  hfm__plan plan;
  int64_t *dims;          /* values of the dimension expressions in this call */
  hfm__operand *operands; /* of each value in this call */
  hfm_tensor *lists[2];   /* hidden_states, attentions */
  size_t list_counts[2];
  hfm_named_tensor *items;
  uint64_t scratch; /* bytes for each worker */
} hfm__program;

HFM__PRIVATE void hfm__program_free(const hfm_allocator *mem, hfm__program *program) {
  if (!program) return;
  hfm__graph_free(&program->graph);
  hfm__free(mem, program, sizeof *program);
}

/* ---- Binding: from dimension values to operands ---- */

HFM__PRIVATE void hfm__row_major_strides(hfm__operand *o) {
  int64_t stride = 1;
  for (int32_t i = o->rank - 1; i >= 0; i--) {
    o->stride[i] = stride;
    stride *= HFM__MAX(o->shape[i], 1);
  }
}

/* Strides of a new shape over the same elements. Dimensions are matched in groups of equal size; a group of several old
   dimensions is contiguous in itself, which the builder has made sure of. Dimensions of size 1 have any stride. */
HFM__PRIVATE void hfm__reshape_strides(const hfm__operand *from, hfm__operand *to) {
  int32_t f = from->rank - 1, t = to->rank - 1;
  for (int32_t i = 0; i < to->rank; i++) to->stride[i] = 1;
  while (t >= 0) {
    int64_t stride, old_size, new_size;
    while (f >= 0 && from->shape[f] == 1) f--;
    while (t >= 0 && to->shape[t] == 1) t--;
    if (t < 0 || f < 0) return;
    stride = from->stride[f];
    old_size = from->shape[f--];
    to->stride[t] = stride;
    new_size = to->shape[t--];
    while (old_size != new_size) {
      if (new_size < old_size && t >= 0) {
        to->stride[t] = stride * new_size;
        new_size *= to->shape[t--];
      } else if (old_size < new_size && f >= 0) {
        old_size *= from->shape[f--];
      } else {
        return; /* only where a dimension is 0 */
      }
    }
  }
}

HFM__PRIVATE void hfm__bind_view(const hfm__program *program, const hfm__node *node, hfm__operand *out) {
  const hfm__operand *in = &program->operands[node->in[0]];
  const int64_t start = program->dims[node->dims[0].id];
  const int32_t axis = node->attrs.axis;
  int64_t offset = 0;
  if (node->op == HFM__VIEW_reshape) {
    hfm__reshape_strides(in, out);
  } else if (node->op == HFM__VIEW_permute) {
    for (int32_t i = 0; i < out->rank; i++) out->stride[i] = in->stride[node->attrs.permutation[i]];
  } else if (node->op == HFM__VIEW_slice) {
    memcpy(out->stride, in->stride, sizeof out->stride);
    offset = start * in->stride[axis];
  } else if (node->op == HFM__VIEW_expand) { /* the same element again and again */
    for (int32_t i = 0; i < out->rank; i++) out->stride[i] = in->shape[i] == out->shape[i] ? in->stride[i] : 0;
  } else { /* an op that writes into its first input and shows all of it */
    memcpy(out->stride, in->stride, sizeof out->stride);
  }
  out->data = in->data ? (uint8_t *)in->data + offset * (hfm_dtype_bits(out->dtype) / 8) : NULL;
}

/* Shapes, strides and addresses of all values under the dimensions in program->dims. `arena` NULL: shapes only. */
HFM__PRIVATE void hfm__program_bind(hfm__program *program, const hfm_model *model, uint8_t *arena, uint8_t *states) {
  const hfm__graph *g = &program->graph;
  for (size_t i = 1; i < g->value_count; i++) {
    const hfm__value *v = &g->values[i];
    hfm__operand *o = &program->operands[i];
    memset(o, 0, sizeof *o);
    o->dtype = v->dtype;
    o->rank = v->rank;
    for (int32_t d = 0; d < v->rank; d++) o->shape[d] = program->dims[v->shape[d].id];
    hfm__row_major_strides(o);
    if (v->kind == HFM__VALUE_VIEW) {
      hfm__bind_view(program, &g->nodes[v->source], o);
    } else if (v->kind == HFM__VALUE_PARAMETER) {
      if (model->weights) {
        o->weight = hfm__weight_for(model, v->source);
        o->dtype = o->weight->dtype;
      } else {
        o->dtype = HFM_F32;
      }
    } else if (v->kind == HFM__VALUE_CONSTANT) {
      o->data = (void *)(uintptr_t)g->constants[v->source].data;
    } else if (v->kind == HFM__VALUE_STATE) { /* each row of the batch has room for the bound */
      o->stride[0] = o->stride[1] * program->plan.bounds[HFM__SYM_TOTAL];
      o->data = states ? states + program->plan.offsets[i] : NULL;
    } else if (arena && program->plan.offsets[i] != UINT64_MAX) {
      o->data = arena + program->plan.offsets[i];
    }
  }
}

HFM__PRIVATE int hfm__is_op(const hfm__node *node) { return node->op < HFM__OP_COUNT; }

/* What an op sees, weights apart. */
HFM__PRIVATE void hfm__node_args(const hfm__program *program, const hfm_model *model, const hfm__node *node,
                                 hfm__op_args *args) {
  memset(args, 0, sizeof *args);
  args->cpu = &model->cpu;
  args->attrs = &node->attrs;
  args->dims = &program->dims[node->dims[0].id];
  for (int32_t i = 0; i < HFM__MAX_OP_INPUTS; i++)
    if (node->in[i]) args->in[i] = program->operands[node->in[i]];
  for (int32_t i = 0; i < HFM__MAX_OP_OUTPUTS; i++)
    if (node->out[i]) args->out[i] = program->operands[node->out[i]];
}

/* ---- Making a program ---- */

typedef struct hfm__request {
  hfm__question asked;
  int64_t binding[HFM__SYM_COUNT];
} hfm__request;

HFM__PRIVATE hfm_result hfm__trace(const hfm_model *model, const hfm__request *request, hfm__graph *graph,
                                   hfm_error *error) {
  hfm__builder b;
  memset(&b, 0, sizeof b);
  b.mem = model->ctx.mem;
  b.error = error;
  b.config = model->config;
  b.tree = (hfm__tree *)&model->tree;
  b.graph = graph;
  b.asked = request->asked;
  b.attention = model->attention;
  b.binding = request->binding;
  graph->arena.mem = model->ctx.mem;
  model->head->forward(&b, model->self);
  return b.result;
}

/* Room for operands, dimensions and the lists of outputs. */
HFM__PRIVATE hfm_result hfm__program_tables(hfm__program *program, hfm_error *error) {
  hfm__graph *g = &program->graph;
  for (size_t i = 0; i < g->output_count; i++)
    if (g->outputs[i].kind >= HFM__OUT_SINGLE) program->list_counts[g->outputs[i].kind - HFM__OUT_SINGLE]++;
  program->dims = (int64_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->dim_count * sizeof *program->dims);
  program->operands = (hfm__operand *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *program->operands);
  program->items = (hfm_named_tensor *)hfm__arena_alloc(&g->arena, (uint64_t)g->output_count * sizeof *program->items);
  if (!program->dims || !program->operands || !program->items) return hfm__fail_memory(error, "a forward", 0);
  for (int32_t list = 0; list < 2; list++) {
    program->lists[list] =
        (hfm_tensor *)hfm__arena_alloc(&g->arena, (uint64_t)program->list_counts[list] * sizeof **program->lists);
    if (!program->lists[list]) return hfm__fail_memory(error, "a forward", 0);
  }
  for (size_t i = 0, counts[2] = {0, 0}; i < g->output_count; i++) {
    const int32_t kind = g->outputs[i].kind;
    char text[40];
    hfm__text t = hfm__text_to(text, sizeof text);
    hfm__text_str(&t, hfm__output_rows[kind].name);
    if (kind >= HFM__OUT_SINGLE) hfm__text_format(&t, ".%u", (uint64_t)counts[kind - HFM__OUT_SINGLE]++);
    program->items[i].name = hfm__arena_copy(&g->arena, text, t.length);
    if (!program->items[i].name) return hfm__fail_memory(error, "a forward", 0);
  }
  return HFM_OK;
}

/* Kept panels for the weights of products; packs them where that was asked for. */
HFM__PRIVATE hfm_result hfm__program_panels(const hfm__program *program, hfm_model *model, hfm_error *error) {
  for (size_t i = 0; i < program->graph.node_count; i++) {
    const hfm__node *node = &program->graph.nodes[i];
    hfm__weight *weight;
    const void *data;
    hfm_result result;
    if (node->op != HFM__OP_linear) continue;
    weight = program->operands[node->in[1]].weight;
    hfm__panels_reserve(&model->cpu, weight, node->attrs.transposed);
    if (model->packing.policy != HFM_PACK_EAGER) continue;
    result = weight->storage->acquire(weight, &data, error);
    if (result != HFM_OK) return result;
    hfm__panels_pack_all(&model->cpu, weight, data);
    weight->storage->release(weight);
  }
  return HFM_OK;
}

/* Traces, fuses and plans a forward for bounds. *out is NULL on failure. */
HFM__PRIVATE hfm_result hfm__program_create(hfm_model *model, const hfm__request *request,
                                            const int64_t bounds[HFM__SYM_COUNT], hfm__program **out,
                                            hfm_error *error) {
  hfm__program *program = (hfm__program *)hfm__alloc_zero(&model->ctx.mem, sizeof *program);
  hfm_result result;
  *out = NULL;
  if (!program) return hfm__fail_memory(error, "a forward", sizeof *program);
  program->asked = request->asked;
  program->asked.present = 0;
  result = hfm__trace(model, request, &program->graph, error);
  for (int32_t i = 0; i < HFM__IN_COUNT; i++)
    if (program->graph.inputs[i].value) program->asked.present |= 1u << i;
  if (result == HFM_OK && request->asked.use_cache && !program->graph.state_count)
    result = hfm__fail(error, HFM_E_INPUT_UNEXPECTED, NULL, "use_cache", 0,
                       "use_cache: %s keeps no keys and values; only decoders do", model->architecture);
  if (result == HFM_OK) result = hfm__fuse(&program->graph, error);
  if (result == HFM_OK) result = hfm__plan_make(&program->graph, bounds, &program->plan, error);
  if (result == HFM_OK) result = hfm__program_tables(program, error);
  if (result == HFM_OK) {
    hfm__dims_evaluate(&program->graph, bounds, program->dims);
    hfm__program_bind(program, model, NULL, NULL);
    for (size_t i = 0; i < program->graph.node_count; i++) {
      hfm__op_args args;
      if (!hfm__is_op(&program->graph.nodes[i])) continue;
      hfm__node_args(program, model, &program->graph.nodes[i], &args);
      program->scratch = HFM__MAX(program->scratch, hfm__cpu_ops[program->graph.nodes[i].op].scratch(&args));
    }
    if (model->weights) result = hfm__program_panels(program, model, error);
  }
  if (result == HFM_OK) *out = program;
  else hfm__program_free(&model->ctx.mem, program);
  return result;
}

/* Does a program serve this request? */
HFM__PRIVATE int hfm__program_serves(const hfm__program *program, const hfm__request *request) {
  if (memcmp(&program->asked, &request->asked, sizeof program->asked) != 0) return 0;
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++)
    if (request->binding[i] > program->plan.bounds[i]) return 0;
  hfm__dims_evaluate(&program->graph, request->binding, program->dims);
  for (size_t i = 0; i < program->graph.guard_count; i++) {
    const hfm__guard *guard = &program->graph.guards[i];
    if ((program->dims[guard->x.id] < program->dims[guard->y.id]) != guard->less) return 0;
  }
  return 1;
}
/* ==== end src/run/program.c ==== */
/* ==== begin src/run/inputs.c ==== */
/* ==== run/inputs (private): the caller's tensors, checked and copied ==============================================
   Nothing that a caller passes reaches a kernel unchecked: rank, shape, dtype and the range of every id are compared
   with what the graph declared, and an error names the input, what was expected and what was found. */

HFM__PRIVATE const hfm_tensor *hfm__input_tensor(const hfm_inputs *inputs, int32_t input) {
  return (const hfm_tensor *)(const void *)((const uint8_t *)inputs + hfm__input_rows[input].offset);
}

/* Which symbol each axis of an input binds; -1: none, as a mask that covers the cache, too. */
HFM__PRIVATE int32_t hfm__input_symbol(int32_t input, int32_t axis, int32_t use_cache) {
  if (input == HFM__IN_pixel_values)
    return axis == 0 ? HFM__SYM_BATCH : axis == 2 ? HFM__SYM_HEIGHT : axis == 3 ? HFM__SYM_WIDTH : -1;
  if (axis == 0) return input == HFM__IN_position_ids ? HFM__SYM_POSITION_ROWS : HFM__SYM_BATCH;
  if (input == HFM__IN_attention_mask && use_cache) return -1;
  return axis == 1 ? HFM__SYM_LENGTH : -1;
}

HFM__PRIVATE int32_t hfm__input_rank(int32_t input) {
  return input == HFM__IN_pixel_values ? 4 : input == HFM__IN_inputs_embeds ? 3 : 2;
}

/* Which inputs are there, and what else they ask for. */
HFM__PRIVATE hfm_result hfm__question_from(const hfm_inputs *inputs, hfm__question *asked, hfm_error *error) {
  memset(asked, 0, sizeof *asked);
  if (inputs->labels.data)
    return hfm__fail(error, HFM_E_LABELS_UNSUPPORTED, NULL, "labels", 0,
                     "labels: losses aren't computed yet; leave labels empty and compare the logits yourself");
  if (inputs->logits_to_keep < 0)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "logits_to_keep", 0,
                     "logits_to_keep is %d, but must be at least 1, or 0 for all", (int)inputs->logits_to_keep);
  for (int32_t i = 0; i < HFM__IN_COUNT; i++)
    if (hfm__input_tensor(inputs, i)->data) asked->present |= 1u << i;
  asked->hidden_states = inputs->output_hidden_states != 0;
  asked->attentions = inputs->output_attentions != 0;
  asked->use_cache = inputs->use_cache != 0;
  asked->logits_to_keep = inputs->logits_to_keep;
  return HFM_OK;
}

/* What the inputs ask for, and what they bind: the first that has a dimension decides it. */
HFM__PRIVATE hfm_result hfm__request_from(const hfm_inputs *inputs, hfm__request *request, hfm_error *error) {
  const hfm_result result = hfm__question_from(inputs, &request->asked, error);
  if (result != HFM_OK) return result;
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++) request->binding[i] = -1;
  for (int32_t i = 0; i < HFM__IN_COUNT; i++) {
    const hfm_tensor *tensor = hfm__input_tensor(inputs, i);
    if (!tensor->data) continue;
    if (tensor->rank != hfm__input_rank(i))
      return hfm__fail(error, HFM_E_INPUT_RANK, NULL, hfm__input_rows[i].name, 0,
                       "%s has %d dimensions, but needs %d: %s", hfm__input_rows[i].name, (int)tensor->rank,
                       (int)hfm__input_rank(i),
                       i == HFM__IN_pixel_values    ? "[batch, channels, height, width]"
                       : i == HFM__IN_inputs_embeds ? "[batch, length, hidden]"
                                                    : "[batch, length]");
    for (int32_t axis = 0; axis < tensor->rank; axis++) {
      const int32_t symbol = hfm__input_symbol(i, axis, request->asked.use_cache);
      if (tensor->shape[axis] < 1 || tensor->shape[axis] > INT32_MAX)
        return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, hfm__input_rows[i].name, 0,
                         "%s has shape %t: every dimension must be from 1 to %d", hfm__input_rows[i].name,
                         tensor->shape, (int)tensor->rank, (int)INT32_MAX);
      if (symbol >= 0 && request->binding[symbol] < 0) request->binding[symbol] = tensor->shape[axis];
    }
  }
  if (request->binding[HFM__SYM_POSITION_ROWS] > 1)
    request->binding[HFM__SYM_POSITION_ROWS] = request->binding[HFM__SYM_BATCH];
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++) request->binding[i] = HFM__MAX(request->binding[i], 1);
  return HFM_OK;
}

/* The inputs that are given must be those that the program takes. */
HFM__PRIVATE hfm_result hfm__check_presence(const hfm_model *model, uint32_t taken, uint32_t given, hfm_error *error) {
  for (int32_t i = 0; i < HFM__IN_COUNT; i++) {
    const char *name = hfm__input_rows[i].name;
    const int32_t takes = (int32_t)(taken >> i & 1), has = (int32_t)(given >> i & 1);
    if (takes && !has)
      return hfm__fail(error, HFM_E_INPUT_MISSING, NULL, name, 0, "%s needs %s", model->architecture, name);
    if (has && !takes)
      return hfm__fail(error, HFM_E_INPUT_UNEXPECTED, NULL, name, 0, "%s does not take %s", model->architecture, name);
  }
  return HFM_OK;
}

HFM__PRIVATE int64_t hfm__integer_at(const hfm_tensor *tensor, int64_t i) {
  switch (tensor->dtype) {
    case HFM_I64:
      return ((const int64_t *)tensor->data)[i];
    case HFM_I32:
      return ((const int32_t *)tensor->data)[i];
    case HFM_I16:
      return ((const int16_t *)tensor->data)[i];
    case HFM_I8:
      return ((const int8_t *)tensor->data)[i];
    case HFM_U16:
      return ((const uint16_t *)tensor->data)[i];
    case HFM_U32:
      return ((const uint32_t *)tensor->data)[i];
    case HFM_U64: {
      const uint64_t v = ((const uint64_t *)tensor->data)[i];
      return v > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)v;
    }
    default:
      return ((const uint8_t *)tensor->data)[i]; /* U8, BOOL */
  }
}

HFM__PRIVATE int hfm__is_integer(hfm_dtype dtype) { return dtype >= HFM_I64 && dtype <= HFM_BOOL; }

/* Any non-zero byte pattern keeps; for floats -0.0 is zero. */
HFM__PRIVATE int hfm__is_nonzero(const hfm_tensor *tensor, int64_t i) {
  if (tensor->dtype == HFM_F32) return (hfm__float_bits(((const float *)tensor->data)[i]) & 0x7fffffffu) != 0;
  if (tensor->dtype == HFM_F64) return (hfm__double_bits(((const double *)tensor->data)[i]) & (UINT64_MAX >> 1)) != 0;
  if (tensor->dtype == HFM_F16 || tensor->dtype == HFM_BF16) return (((const uint16_t *)tensor->data)[i] & 0x7fff) != 0;
  return hfm__integer_at(tensor, i) != 0;
}

HFM__PRIVATE hfm_result hfm__input_bad_dtype(int32_t input, const hfm_tensor *tensor, const char *needed,
                                             hfm_error *error) {
  const char *found = hfm_dtype_name(tensor->dtype);
  return hfm__fail(error, HFM_E_INPUT_DTYPE, NULL, hfm__input_rows[input].name, 0, "%s has dtype %s, but needs %s",
                   hfm__input_rows[input].name, found ? found : "0 (none)", needed);
}

/* Checks the elements of one input, whose shape is right, and copies them to `to`. */
HFM__PRIVATE hfm_result hfm__input_copy(int32_t input, const hfm__graph_input *declared, const hfm_tensor *tensor,
                                        const hfm__operand *to, hfm_error *error) {
  const int64_t elements = hfm__elements(to->shape, to->rank);
  const char *name = hfm__input_rows[input].name;
  if (to->dtype == HFM_F32) {
    if (tensor->dtype != HFM_F32) return hfm__input_bad_dtype(input, tensor, "float32", error);
    memcpy(to->data, tensor->data, (size_t)elements * sizeof(float));
  } else if (to->dtype == HFM_U8) {
    if (!hfm__is_integer(tensor->dtype) && !hfm__is_float(tensor->dtype))
      return hfm__input_bad_dtype(input, tensor, "an integer, bool or float type", error);
    for (int64_t i = 0; i < elements; i++) ((uint8_t *)to->data)[i] = (uint8_t)hfm__is_nonzero(tensor, i);
  } else {
    if (!hfm__is_integer(tensor->dtype))
      return hfm__input_bad_dtype(input, tensor, "an integer type (int64, int32, ...)", error);
    for (int64_t i = 0; i < elements; i++) {
      const int64_t id = hfm__integer_at(tensor, i);
      if (id < 0 || (declared->limit && id >= declared->limit)) {
        const int64_t row = i / to->shape[1], column = i % to->shape[1];
        if (!declared->limit)
          return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, name, 0, "%s[%i][%i] is %i, but must not be negative", name,
                           row, column, id);
        return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, name, 0,
                         "%s[%i][%i] is %i, but must be from 0 to %i (%s is %i)", name, row, column, id,
                         declared->limit - 1, declared->limit_reason, declared->limit);
      }
      ((int64_t *)to->data)[i] = id;
    }
  }
  return HFM_OK;
}

/* Requirements that no shape expresses. */
HFM__PRIVATE hfm_result hfm__check_requirements(const hfm__program *program, hfm_error *error) {
  for (size_t i = 0; i < program->graph.requirement_count; i++) {
    const hfm__requirement *r = &program->graph.requirements[i];
    const int64_t found = program->dims[r->x.id];
    const int is_batch = program->graph.dims[r->x.id].value == HFM__SYM_BATCH;
    if (found > r->limit)
      return hfm__fail(error, HFM_E_INPUT_TOO_LONG, NULL, hfm__input_rows[r->input].name, 0,
                       "%s has %s %i%s, but this model takes at most %i (%s)", hfm__input_rows[r->input].name,
                       is_batch ? "batch size" : "length", found, is_batch || !program->asked.use_cache ? "" : " with the cache",
                       r->limit, r->reason);
  }
  return HFM_OK;
}

/* Each input must have the shape that the dimensions of this call give it. */
HFM__PRIVATE hfm_result hfm__check_shapes(const hfm__program *program, const hfm_inputs *inputs, hfm_error *error) {
  for (int32_t i = 0; i < HFM__IN_COUNT; i++) {
    const hfm__value *v = &program->graph.values[program->graph.inputs[i].value];
    const hfm_tensor *tensor = hfm__input_tensor(inputs, i);
    int64_t needed[HFM_MAX_RANK] = {0};
    if (!program->graph.inputs[i].value) continue;
    for (int32_t d = 0; d < v->rank; d++) needed[d] = program->dims[v->shape[d].id];
    if (tensor->rank != v->rank || memcmp(tensor->shape, needed, (size_t)v->rank * sizeof *needed) != 0)
      return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, hfm__input_rows[i].name, 0, "%s has shape %t, but needs %t",
                       hfm__input_rows[i].name, tensor->shape, (int)tensor->rank, needed, (int)v->rank);
  }
  return HFM_OK;
}

/* Everything that can be judged before memory is needed; program->dims are this call's. `inputs` may be NULL. */
HFM__PRIVATE hfm_result hfm__check_call(const hfm_model *model, const hfm__program *program,
                                        const hfm__request *request, const hfm_inputs *inputs, hfm_error *error) {
  hfm_result result = hfm__check_presence(model, program->asked.present, request->asked.present, error);
  if (result == HFM_OK) result = hfm__check_requirements(program, error);
  if (result == HFM_OK && inputs) result = hfm__check_shapes(program, inputs, error);
  return result;
}
/* ==== end src/run/inputs.c ==== */
/* ==== begin src/run/inspect.c ==== */
/* ==== run/inspect (private): what a model says about itself ======================================================= */

HFMODEL_API const hfm_config *hfm_model_config(const hfm_model *model) { return model ? model->config : NULL; }
HFMODEL_API const char *hfm_model_type(const hfm_model *model) { return model ? model->arch->model_type : NULL; }
HFMODEL_API const char *hfm_model_architecture(const hfm_model *model) { return model ? model->architecture : NULL; }
HFMODEL_API hfm_task hfm_model_task(const hfm_model *model) { return model ? model->head->task : HFM_BASE; }
HFMODEL_API hfm_dtype hfm_model_dtype(const hfm_model *model) { return model ? model->dtype : HFM_DTYPE_AUTO; }
HFMODEL_API const char *hfm_model_isa(const hfm_model *model) { return model ? model->cpu.name : NULL; }
HFMODEL_API int64_t hfm_num_labels(const hfm_model *model) { return model ? model->label_count : 0; }

HFMODEL_API const char *hfm_label(const hfm_model *model, int64_t id) {
  return model && model->labels && id >= 0 && id < model->label_count ? model->labels[id] : NULL;
}

HFMODEL_API const char *hfm_model_file(const hfm_model *model, size_t index) {
  return model && index < model->checkpoint.file_count ? model->checkpoint.files[index].name : NULL;
}

/* torch knows a tied tensor by the name that was registered first: a head's, where it comes before the Embedding. */
HFM__PRIVATE int hfm__counts_as_embedding(const hfm__tree *tree, int32_t parameter) {
  if (!tree->parameters[parameter].is_embedding) return 0;
  for (int32_t i = 1; i < parameter; i++)
    if (tree->parameters[i].tied_to == parameter) return 0;
  return 1;
}

HFMODEL_API int64_t hfm_num_parameters(const hfm_model *model, int32_t only_trainable, int32_t exclude_embeddings) {
  int64_t sum = 0;
  (void)only_trainable; /* nothing is frozen by a load */
  for (size_t i = 1; model && i < model->tree.parameter_count; i++) {
    const hfm__parameter *p = &model->tree.parameters[i];
    if (!p->tied_to && !(exclude_embeddings && hfm__counts_as_embedding(&model->tree, (int32_t)i)))
      sum += hfm__parameter_elements(p);
  }
  return sum;
}

HFMODEL_API int64_t hfm_memory_footprint(const hfm_model *model, int32_t return_buffers) {
  int64_t sum = 0;
  for (size_t i = 1; model && i < model->tree.parameter_count; i++) {
    const hfm__parameter *p = &model->tree.parameters[i];
    if (!p->tied_to) sum += hfm__parameter_elements(p) * (hfm_dtype_bits(p->dtype) / 8);
  }
  for (size_t i = 0; model && return_buffers && i < model->tree.buffer_count; i++)
    sum += model->tree.buffers[i].elements * (hfm_dtype_bits(model->tree.buffers[i].dtype) / 8);
  return sum;
}

/* ---- state_dict(): own parameters first, then those of the children, in registration order ---- */

HFMODEL_API size_t hfm_state_dict_size(const hfm_model *model) {
  return model && model->tree.parameter_count ? model->tree.parameter_count - 1 : 0;
}

HFMODEL_API hfm_result hfm_state_dict_at(const hfm_model *model, size_t index, hfm_named_tensor *entry) {
  if (!model || !entry) return HFM_ERROR_ARGUMENT;
  memset(entry, 0, sizeof *entry);
  if (index >= hfm_state_dict_size(model)) return HFM_ERROR_NOT_FOUND;
  {
    const int32_t parameter = model->state_order[index];
    const hfm__weight *weight = hfm__weight_for(model, parameter);
    entry->name = model->state_names[index];
    entry->tensor.data = weight->data;
    entry->tensor.dtype = weight->dtype;
    entry->tensor.rank = weight->rank;
    memcpy(entry->tensor.shape, weight->shape, sizeof entry->tensor.shape);
  }
  return HFM_OK;
}

/* Fixes the order and the names once, so that reading them later is free. */
HFM__PRIVATE hfm_result hfm__state_dict_prepare(hfm_model *model, hfm_error *error) {
  const size_t count = hfm_state_dict_size(model);
  size_t n = 0;
  model->state_order = (int32_t *)hfm__arena_alloc(&model->tree.arena, (uint64_t)count * sizeof *model->state_order);
  model->state_names =
      (const char **)hfm__arena_alloc(&model->tree.arena, (uint64_t)count * sizeof *model->state_names);
  if (!model->state_order || !model->state_names) return hfm__fail_memory(error, "names of parameters", 0);
  for (int32_t module = 1; module && n < count; module = hfm__tree_next(&model->tree, module)) {
    for (int32_t p = model->tree.modules[module].first_parameter; p; p = model->tree.parameters[p].next, n++) {
      model->state_order[n] = p;
      model->state_names[n] = hfm__path_text(&model->tree.arena, &model->tree, module, model->tree.parameters[p].name);
      if (!model->state_names[n]) return hfm__fail_memory(error, "names of parameters", 0);
    }
  }
  return HFM_OK;
}

/* ---- print(model) ---- */

/* Do two subtrees print alike? */
HFM__PRIVATE int hfm__same_module(const hfm__tree *tree, int32_t a, int32_t b) {
  int32_t x = a, y = b;
  for (;;) {
    const hfm__module *m = &tree->modules[x], *n = &tree->modules[y];
    const int same_name = x == a || hfm__equal(m->name, n->name);
    if (!same_name || !hfm__equal(m->torch_class, n->torch_class) || !m->repr != !n->repr ||
        (m->repr && !hfm__equal(m->repr, n->repr)) || !m->first_child != !n->first_child)
      return 0;
    if (m->first_child) {
      x = m->first_child;
      y = n->first_child;
      continue;
    }
    while (x != a && !tree->modules[x].next) {
      if (tree->modules[y].next) return 0;
      x = tree->modules[x].parent;
      y = tree->modules[y].parent;
    }
    if (x == a) return 1;
    x = tree->modules[x].next;
    y = tree->modules[y].next;
    if (!y) return 0;
  }
}

HFM__PRIVATE void hfm__text_indent(hfm__text *t, int32_t depth) {
  hfm__text_char(t, '\n');
  for (int32_t i = 0; i < depth; i++) hfm__text_str(t, "  ");
}

/* The last of the equal neighbours that are printed as one; only lists do that. */
HFM__PRIVATE int32_t hfm__last_equal(const hfm__tree *tree, int32_t module) {
  int32_t last = module;
  if (tree->modules[tree->modules[module].parent].kind != HFM__MODULE_LIST) return module;
  while (tree->modules[last].next && hfm__same_module(tree, module, tree->modules[last].next))
    last = tree->modules[last].next;
  return last;
}

/* One module's opening: "Class(repr)" complete, or "Class(" when children follow. */
HFM__PRIVATE void hfm__text_module(hfm__text *t, const hfm__module *m) {
  hfm__text_format(t, "%s(", m->torch_class);
  if (m->repr) hfm__text_str(t, m->repr);
  if (m->repr || !m->first_child) hfm__text_char(t, ')');
}

HFMODEL_API size_t hfm_print(const hfm_model *model, char *buffer, size_t size) {
  hfm__text t = hfm__text_to(buffer, buffer ? size : 0);
  const hfm__tree *tree;
  int32_t module, depth = 1;
  if (!model) return 0;
  tree = &model->tree;
  hfm__text_module(&t, &tree->modules[1]);
  module = tree->modules[1].first_child;
  while (module) {
    const hfm__module *m = &tree->modules[module];
    const int32_t last = hfm__last_equal(tree, module);
    hfm__text_indent(&t, depth);
    if (last == module) {
      hfm__text_format(&t, "(%s): ", m->name);
    } else {
      const hfm__module *final = &tree->modules[last];
      const int64_t from = hfm__number(m->name, strlen(m->name)), to = hfm__number(final->name, strlen(final->name));
      hfm__text_format(&t, "(%s-%s): %i x ", m->name, final->name, to - from + 1);
    }
    hfm__text_module(&t, m);
    if (m->first_child && !m->repr) {
      module = m->first_child;
      depth++;
      continue;
    }
    module = last;
    while (module != 1 && !tree->modules[module].next) {
      module = tree->modules[module].parent;
      hfm__text_indent(&t, --depth);
      hfm__text_char(&t, ')');
      if (module != 1) module = hfm__last_equal(tree, module); /* its equals have been printed with it */
    }
    module = module == 1 ? 0 : tree->modules[module].next;
  }
  return t.length;
}
/* ==== end src/run/inspect.c ==== */
/* ==== begin src/run/model.c ==== */
/* ==== run/model (private): from a directory to a model ============================================================ */

/* ---- Life ---- */

HFM__PRIVATE void hfm__model_destroy(hfm_model *model) {
  const hfm_allocator mem = model->ctx.mem;
  for (size_t i = 1; model->weights && i < model->tree.parameter_count; i++) {
    hfm__weight *weight = &model->weights[i];
    hfm__panels_free(&mem, weight);
    if (weight->storage == &hfm__storage_owned)
      hfm__free(&mem, (void *)(uintptr_t)weight->data, HFM__MAX(weight->bytes, 1));
  }
  hfm__free(&mem, model->weights, (uint64_t)(model->tree.parameter_count + 1) * sizeof *model->weights);
  hfm__free(&mem, model->report, (uint64_t)model->report_capacity * sizeof *model->report);
  hfm__packing_free(&model->packing);
  if (model->checkpoint.arena.mem.free) hfm__checkpoint_close(&model->checkpoint);
  hfm__tree_free(&model->tree);
  hfm_config_free(model->config);
  if (model->memory.files)
    hfm__free(&mem, (void *)(uintptr_t)model->memory.files, model->memory.count * sizeof *model->memory.files);
  hfm__free(&mem, model, sizeof *model);
}

HFM__PRIVATE void hfm__model_release(hfm_model *model) {
  if (hfm__atomic_add(&model->references, -1) == 1) hfm__model_destroy(model);
}

HFMODEL_API void hfm_model_free(hfm_model *model) {
  if (model) hfm__model_release(model);
}

/* An empty model with its context. */
HFM__PRIVATE hfm_result hfm__model_new(const hfm_options *options, hfm_model **out, hfm_error *error) {
  hfm__context ctx;
  hfm_model *model;
  hfm_result result = hfm__context_init(options, &ctx, error);
  if (result != HFM_OK) return result;
  model = (hfm_model *)hfm__alloc_zero(&ctx.mem, sizeof *model);
  if (!model) return hfm__fail_memory(error, "a model", sizeof *model);
  model->ctx = ctx;
  model->tree.arena.mem = ctx.mem;
  hfm__atomic_store(&model->references, 1);
  hfm__packing_init(&model->packing, &ctx.mem, options ? options->packing : HFM_PACK_LAZY, 0);
  *out = model;
  return HFM_OK;
}

/* ---- The description ---- */

HFM__PRIVATE uint64_t hfm__file_elements(const hfm__checkpoint *checkpoint) {
  uint64_t sum = 0;
  for (size_t i = 0; i < checkpoint->count; i++) {
    const int32_t bits = hfm_dtype_bits(checkpoint->tensors[i].dtype);
    if (!hfm__add64(sum, checkpoint->tensors[i].bytes * 8 / (uint64_t)HFM__MAX(bits, 1), &sum)) return UINT64_MAX;
  }
  return sum;
}

/* Registers the modules. What the configuration may ask for is bounded by what the files hold. */
HFM__PRIVATE hfm_result hfm__model_describe(hfm_model *model, const hfm_options *options, int from_files,
                                            hfm_error *error) {
  enum { NEW_TENSORS = 4096, ALL_TENSORS = 1 << 20 };
  hfm__builder b;
  hfm__text t = hfm__text_to(model->architecture, sizeof model->architecture);
  hfm_result result =
      hfm__architecture(model->config, options ? options->task : HFM_BASE, &model->arch, &model->head, error);
  if (result != HFM_OK) return result;
  hfm__text_class(&t, model->arch, model->head);
  memset(&b, 0, sizeof b);
  b.mem = model->ctx.mem;
  b.error = error;
  b.config = model->config;
  b.prefix = model->arch->prefix;
  b.base = model->arch->family->base;
  b.traits = model->arch->traits;
  b.tree = &model->tree;
  b.parameter_budget = from_files ? model->checkpoint.count + NEW_TENSORS : (size_t)ALL_TENSORS;
  b.element_budget = (uint64_t)INT64_MAX / 8;
  if (from_files &&
      !hfm__add64(hfm__file_elements(&model->checkpoint), model->ctx.limits.max_new_bytes / 2, &b.element_budget))
    b.element_budget = UINT64_MAX;
  b.initializer_range = hfm_config_get_float(model->config, "initializer_range", 0.02);
  if (!(b.initializer_range > 0 && b.initializer_range < 1e6))
    b.initializer_range = 0.02; /* 0 means 0.02 in Transformers */
  (void)hfm__begin(&b, "", model->architecture);
  model->self = hfm__ok(&b) ? model->head->init(&b) : NULL;
  hfm__end(&b);
  model->base = b.base;
  return b.result;
}

HFM__PRIVATE hfm_result hfm__model_label(void *ctx, int64_t id, const char *name) {
  hfm_model *model = (hfm_model *)ctx;
  if (id < 0 || id >= model->label_count) return HFM_OK;
  model->labels[id] = hfm__arena_copy(&model->tree.arena, name, strlen(name));
  return model->labels[id] ? HFM_OK : HFM_ERROR_MEMORY;
}

/* id2label for every label; Transformers' LABEL_i where the configuration has no name. */
HFM__PRIVATE hfm_result hfm__model_labels(hfm_model *model, hfm_error *error) {
  enum { MOST = 1 << 20 }; /* a head of more labels than this has no names worth a table */
  const int64_t count = hfm__config_num_labels(model->config);
  hfm__arena *arena = &model->tree.arena;
  model->label_count = HFM__MAX(count, 0);
  if (count < 1 || count > MOST) return HFM_OK;
  model->labels = (const char **)hfm__arena_alloc(arena, (uint64_t)count * sizeof *model->labels);
  if (!model->labels || hfm__config_each_label(model->config, model, hfm__model_label) != HFM_OK)
    return hfm__fail_memory(error, "labels", 0);
  for (int64_t i = 0; i < count; i++) {
    char text[32];
    hfm__text t = hfm__text_to(text, sizeof text);
    if (model->labels[i]) continue;
    hfm__text_format(&t, "LABEL_%i", i);
    model->labels[i] = hfm__arena_copy(arena, text, t.length);
    if (!model->labels[i]) return hfm__fail_memory(error, "labels", 0);
  }
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__check_options(const hfm_options *options, hfm_error *error) {
  if (!options) return HFM_OK;
  if (options->dtype && !hfm__is_native(options->dtype))
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "dtype", 0,
                     "options.dtype must be HFM_F32, HFM_F16 or HFM_BF16, or 0 for auto");
  if (options->attn_implementation < HFM_ATTN_DEFAULT || options->attn_implementation > HFM_ATTN_FLASH_ATTENTION_2)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "attn_implementation", 0,
                     "options.attn_implementation must be an HFM_ATTN_ value");
  if (options->packing < HFM_PACK_LAZY || options->packing > HFM_PACK_EAGER)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "packing", 0, "options.packing must be an HFM_PACK_ value");
  if (options->compute_dtype && options->compute_dtype != HFM_F32 && options->compute_dtype != HFM_BF16)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "compute_dtype", 0,
                     "options.compute_dtype must be HFM_F32 or HFM_BF16, or 0 for HFM_F32");
  if (options->strict && options->compute_dtype == HFM_BF16)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "compute_dtype", 0,
                     "options.strict computes in double: it can't be combined with compute_dtype bfloat16");
  if (options->num_labels < 0)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "num_labels", 0,
                     "options.num_labels is %d, but must be at least 1, or 0 for the config's",
                     (int)options->num_labels);
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__model_cpu(hfm_model *model, const hfm_options *options, hfm_error *error) {
  const hfm_result result = hfm__cpu_select(options ? options->isa : HFM_ISA_AUTO, &model->cpu, error);
  return result == HFM_OK && options && options->strict ? hfm__cpu_make_strict(&model->cpu, error) : result;
}

/* Everything after the configuration is there: kernels, description, weights. */
HFM__PRIVATE hfm_result hfm__model_finish(hfm_model *model, const hfm_options *options, int from_files,
                                          hfm_error *error) {
  hfm_result result = hfm__check_options(options, error);
  if (result == HFM_OK && options && options->num_labels)
    result = hfm_config_set_int(model->config, "num_labels", options->num_labels, error);
  if (result == HFM_OK) result = hfm__model_cpu(model, options, error);
  if (result == HFM_OK) result = hfm__model_describe(model, options, from_files, error);
  if (result == HFM_OK) result = hfm__model_labels(model, error);
  if (result == HFM_OK) result = hfm__load_weights(model, options, error);
  if (result == HFM_OK) result = hfm__state_dict_prepare(model, error);
  if (result != HFM_OK) return result;
  model->cpu.batch_invariant = options && options->batch_invariant;
  model->cpu.packing = &model->packing;
  model->cpu.dot_bf16 = options && options->compute_dtype == HFM_BF16 && hfm__cpu_multiplies_bf16(&model->cpu);
  model->attention = options && options->attn_implementation ? options->attn_implementation : HFM_ATTN_SDPA;
  model->dtype = model->tree.parameter_count > 1 ? model->tree.parameters[model->state_order[0]].dtype : HFM_F32;
  model->packing.limit =
      options && options->pack_limit_bytes ? options->pack_limit_bytes : (uint64_t)hfm_memory_footprint(model, 0) * 2;
  return HFM_OK;
}

/* ---- Ways in ---- */

/* A weights file by itself has no configuration beside it that could be trusted to be its own. */
HFM__PRIVATE int hfm__is_weights_file(const char *path) {
  return hfm__ends_with(path, ".safetensors") || hfm__ends_with(path, ".bin");
}

HFM__PRIVATE hfm_result hfm__model_config_from(hfm_model *model, const char *path, const hfm_options *options,
                                               hfm_error *error) {
  if (options && options->config) return hfm__config_copy(options->config, &model->ctx, &model->config, error);
  if (hfm__is_weights_file(path))
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, path, "config", 0,
                     "a weights file alone says nothing about its model: set options.config, or give the directory");
  return hfm__config_load(&model->ctx, path, options ? options->subfolder : NULL, &model->config, error);
}

HFM__PRIVATE hfm_result hfm__model_open_weights(hfm_model *model, const char *path, const hfm_options *options,
                                                hfm_error *error) {
  const char *named = hfm_config_get_string(model->config, "transformers_weights", NULL);
  if (hfm__is_weights_file(path))
    return hfm__checkpoint_open_file(&model->ctx, path, options, &model->checkpoint, error);
  return hfm__checkpoint_open_named(&model->ctx, path, named, options, &model->checkpoint, error);
}

/* From a directory (or weights file) that is known to exist, or to be served by hfm_io. */
HFM__PRIVATE hfm_result hfm__model_from_path(hfm_model *model, const char *path, const hfm_options *options,
                                             hfm_error *error) {
  const int random = options && options->random_weights;
  hfm_result result = hfm__model_config_from(model, path, options, error);
  if (result == HFM_OK && !random) result = hfm__model_open_weights(model, path, options, error);
  return result == HFM_OK ? hfm__model_finish(model, options, !random, error) : result;
}

HFMODEL_API hfm_result hfm_from_pretrained(const char *path, const hfm_options *options, hfm_model **out,
                                           hfm_error *error) {
  hfm_model *model = NULL;
  char *dir = NULL;
  hfm_result result;
  hfm__clear_error(error);
  if (out) *out = NULL;
  if (!path || !out) return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, path ? "model" : "path", 0, "must not be NULL");
  result = hfm__model_new(options, &model, error);
  if (result != HFM_OK) return result;
  result = hfm__resolve_model_path(&model->ctx, path, options, &dir, error);
  if (result == HFM_OK) result = hfm__model_from_path(model, dir, options, error);
  hfm__free_text(&model->ctx.mem, dir);
  if (result == HFM_OK) *out = model;
  else hfm_model_free(model);
  return result;
}

HFMODEL_API hfm_result hfm_from_config(const hfm_config *config, const hfm_options *options, hfm_model **out,
                                       hfm_error *error) {
  hfm_options random;
  hfm_model *model = NULL;
  hfm_result result;
  hfm__clear_error(error);
  if (out) *out = NULL;
  if (!config || !out)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, config ? "model" : "config", 0, "must not be NULL");
  memset(&random, 0, sizeof random);
  if (options) random = *options;
  random.random_weights = 1;
  random.config = config;
  result = hfm__model_new(&random, &model, error);
  if (result != HFM_OK) return result;
  result = hfm__model_from_path(model, "", &random, error);
  if (result == HFM_OK) *out = model;
  else hfm_model_free(model);
  return result;
}

HFMODEL_API hfm_result hfm_from_memory(const hfm_memory_file *files, size_t count, const hfm_options *options,
                                       hfm_model **out, hfm_error *error) {
  hfm_options served;
  hfm_model *model = NULL;
  hfm_memory_file *copy;
  hfm_result result;
  hfm__clear_error(error);
  if (out) *out = NULL;
  if (!files || !count || !out)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, out ? "files" : "model", 0, "must not be NULL or empty");
  for (size_t f = 0; f < count; f++)
    if (!files[f].name || (!files[f].data && files[f].size))
      return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, "files", 0, "files[%u] has no %s", (uint64_t)f,
                       files[f].name ? "data" : "name");
  memset(&served, 0, sizeof served);
  if (options) served = *options;
  memset(&served.io, 0, sizeof served.io);
  result = hfm__model_new(&served, &model, error);
  if (result != HFM_OK) return result;
  copy = (hfm_memory_file *)hfm__alloc(&model->ctx.mem, (uint64_t)count * sizeof *copy);
  if (!copy) {
    hfm_model_free(model);
    return hfm__fail_memory(error, "a list of files", (uint64_t)count * sizeof *copy);
  }
  memcpy(copy, files, count * sizeof *copy);
  model->memory.files = copy;
  model->memory.count = count;
  model->ctx.io = hfm__memory_io(&model->memory);
  result = hfm__model_from_path(model, "", &served, error);
  if (result == HFM_OK) *out = model;
  else hfm_model_free(model);
  return result;
}

/* ---- Before a load ---- */

/* A forward's usual arguments: pixel_values, or input_ids with an attention_mask. */
HFM__PRIVATE uint32_t hfm__usual_inputs(const hfm_model *model) {
  const hfm_task task = model->head->task;
  const int is_image = task == HFM_IMAGE_CLASSIFICATION || hfm__config_find(model->config, "num_channels").node != 0;
  return is_image ? 1u << HFM__IN_pixel_values : 1u << HFM__IN_input_ids | 1u << HFM__IN_attention_mask;
}

HFMODEL_API hfm_result hfm_estimate_memory(const char *path, const hfm_options *options, int64_t batch, int64_t length,
                                           hfm_memory_estimate *estimate, hfm_error *error) {
  hfm_model *model = NULL;
  hfm__program *program = NULL;
  hfm__request request;
  char *dir = NULL;
  hfm_result result;
  hfm__clear_error(error);
  if (estimate) memset(estimate, 0, sizeof *estimate);
  if (!path || !estimate)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, path ? "estimate" : "path", 0, "must not be NULL");
  if (batch < 1 || length < 1 || batch > INT32_MAX || length > INT32_MAX)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "batch", 0, "batch %i and length %i must be from 1 to %d",
                     batch, length, (int)INT32_MAX);
  result = hfm__model_new(options, &model, error);
  if (result != HFM_OK) return result;
  result = hfm__resolve_model_path(&model->ctx, path, options, &dir, error);
  if (result == HFM_OK) result = hfm__model_config_from(model, dir, options, error);
  if (result == HFM_OK) result = hfm__check_options(options, error);
  if (result == HFM_OK) result = hfm__model_cpu(model, options, error);
  if (result == HFM_OK) result = hfm__model_describe(model, options, 0, error);
  if (result == HFM_OK) {
    const hfm_dtype dtype = hfm__new_dtype(model, options);
    for (size_t i = 1; i < model->tree.parameter_count; i++) model->tree.parameters[i].dtype = dtype;
    memset(&request, 0, sizeof request);
    request.asked.present = hfm__usual_inputs(model);
    for (int32_t i = 0; i < HFM__SYM_COUNT; i++) request.binding[i] = 1;
    request.binding[HFM__SYM_BATCH] = request.binding[HFM__SYM_POSITION_ROWS] = batch;
    request.binding[HFM__SYM_LENGTH] = length;
    model->attention = options && options->attn_implementation ? options->attn_implementation : HFM_ATTN_SDPA;
    result = hfm__program_create(model, &request, request.binding, &program, error);
  }
  if (result == HFM_OK) {
    estimate->weight_bytes = (uint64_t)hfm_memory_footprint(model, 1);
    estimate->activation_bytes = program->plan.arena_bytes + program->scratch;
    estimate->packed_bytes = model->packing.policy == HFM_PACK_NEVER ? 0 : (uint64_t)hfm_memory_footprint(model, 0);
  }
  hfm__program_free(&model->ctx.mem, program);
  hfm__free_text(&model->ctx.mem, dir);
  hfm_model_free(model);
  return result;
}
/* ==== end src/run/model.c ==== */
/* ==== begin src/run/session.c ==== */
/* ==== run/session (private): one user of a model ==================================================================
   A session owns what a forward needs beside the weights: programs, one arena for activations, scratch and threads. A
   forward walks the program's nodes; each node is a list of chunks that the pool shares out; a time budget, progress and
   cancellation all look in between chunks. */

struct hfm_session {
  hfm_model *model;
  hfm_session_options options;
  hfm__pool *pool;
  hfm__worker *workers;
  hfm__program *programs; /* the latest first */
  int64_t bounds[HFM__SYM_COUNT];
  uint8_t *arena, *scratch; /* blocks, and how large they are; users align within */
  uint64_t arena_bytes, scratch_bytes, worker_bytes, worker_scratch;
  uint8_t *states; /* the cache, and how it is laid out and filled */
  uint64_t state_bytes;
  int64_t state_bounds[2], cached_batch, cached; /* sequences and positions that it has room for and that it holds */
  /* The forward in progress. */
  hfm__program *running;
  size_t node;
  int64_t chunk, chunks;
  int32_t node_started, done;
  int64_t batch, total; /* what the cache will hold when it is done */
  uint64_t serial;
  hfm__op_args args;
};

enum { HFM__SLICE_NS = 2000000 }; /* how often progress is called */

/* ---- Life ---- */

HFMODEL_API void hfm_session_free(hfm_session *session) {
  hfm_model *model;
  if (!session) return;
  model = session->model;
  hfm__pool_free(session->pool);
  while (session->programs) {
    hfm__program *next = session->programs->next;
    hfm__program_free(&model->ctx.mem, session->programs);
    session->programs = next;
  }
  hfm__free(&model->ctx.mem, session->arena, session->arena_bytes);
  hfm__free(&model->ctx.mem, session->scratch, session->scratch_bytes);
  hfm__free(&model->ctx.mem, session->states, session->state_bytes);
  hfm__free(&model->ctx.mem, session->workers, session->worker_bytes);
  hfm__free(&model->ctx.mem, session, sizeof *session);
  hfm__model_release(model);
}

HFMODEL_API hfm_result hfm_session_create(hfm_model *model, const hfm_session_options *options, hfm_session **out,
                                          hfm_error *error) {
  hfm_session *session;
  hfm__clear_error(error);
  if (out) *out = NULL;
  if (!model || !out)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, model ? "session" : "model", 0, "must not be NULL");
  for (uint32_t i = 0; i < model->checkpoint.file_count; i++) {
    const hfm_result result = hfm__file_unchanged(&model->checkpoint.files[i], error);
    if (result != HFM_OK) return result;
  }
  session = (hfm_session *)hfm__alloc_zero(&model->ctx.mem, sizeof *session);
  if (!session) return hfm__fail_memory(error, "a session", sizeof *session);
  session->model = model;
  hfm__atomic_add(&model->references, 1);
  if (options) session->options = *options;
  session->pool =
      hfm__pool_create(&model->ctx.mem, session->options.threads, session->options.spin, &session->options.jobs);
  if (session->pool) {
    session->worker_bytes = (uint64_t)session->pool->threads * sizeof *session->workers;
    session->workers = (hfm__worker *)hfm__alloc_zero(&model->ctx.mem, session->worker_bytes);
  }
  if (!session->workers) {
    hfm_session_free(session);
    return hfm__fail_memory(error, "a session's threads", 0);
  }
  *out = session;
  return HFM_OK;
}

HFMODEL_API int32_t hfm_session_threads(const hfm_session *session) { return session ? session->pool->threads : 0; }

HFMODEL_API uint64_t hfm_session_memory(const hfm_session *session) {
  uint64_t sum;
  if (!session) return 0;
  sum = sizeof *session + session->arena_bytes + session->scratch_bytes + session->worker_bytes +
        session->state_bytes;
  for (const hfm__program *p = session->programs; p; p = p->next) sum += sizeof *p + hfm__arena_bytes(&p->graph.arena);
  return sum;
}

/* ---- Programs and their memory ---- */

HFM__PRIVATE uint8_t *hfm__align64(uint8_t *p) { return p + (64 - (uintptr_t)p % 64) % 64; }

/* Makes a block of at least `bytes` usable bytes. The old contents are gone. */
HFM__PRIVATE hfm_result hfm__session_block(hfm_session *session, uint8_t **block, uint64_t *size, uint64_t bytes,
                                           const char *what, hfm_error *error) {
  const hfm_allocator *mem = &session->model->ctx.mem;
  if (!hfm__add64(bytes, 64, &bytes)) return hfm__fail_memory(error, what, 0);
  if (*block && *size >= bytes) return HFM_OK;
  hfm__free(mem, *block, *size);
  *size = 0;
  *block = (uint8_t *)hfm__alloc(mem, bytes);
  if (!*block) return hfm__fail_memory(error, what, bytes);
  *size = bytes;
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__session_scratch(hfm_session *session, const hfm__program *program, hfm_error *error) {
  const uint64_t each = (program->scratch + 63) / 64 * 64, workers = (uint64_t)session->pool->threads;
  uint64_t all;
  hfm_result result;
  if (session->scratch && each <= session->worker_scratch) return HFM_OK;
  if (!hfm__mul64(each, workers, &all)) return hfm__fail_memory(error, "scratch memory", 0);
  session->worker_scratch = 0;
  result = hfm__session_block(session, &session->scratch, &session->scratch_bytes, all, "scratch memory", error);
  if (result != HFM_OK) return result;
  session->worker_scratch = each;
  for (uint64_t i = 0; i < workers; i++) {
    session->workers[i].index = (int32_t)i;
    session->workers[i].scratch = hfm__align64(session->scratch) + i * each;
  }
  return HFM_OK;
}

/* Copies what is cached from one layout to another. */
HFM__PRIVATE void hfm__states_move(const hfm_session *session, const hfm__program *program, uint8_t *to,
                                   const int64_t bounds[2]) {
  const hfm__graph *g = &program->graph;
  const uint8_t *from = session->states ? hfm__align64(session->states) : NULL;
  for (size_t i = 0; from && i < g->state_count; i++) {
    const hfm__operand *state = &program->operands[g->states[i].value];
    const size_t position = (size_t)state->stride[1] * sizeof(float);
    for (int64_t b = 0; b < session->cached_batch && session->cached; b++)
      memcpy(to + (size_t)(b * bounds[1]) * position, from + (size_t)(b * session->state_bounds[1]) * position,
             (size_t)session->cached * position);
    to += hfm__aligned((uint64_t)(bounds[0] * bounds[1]) * position);
    from += hfm__aligned((uint64_t)(session->state_bounds[0] * session->state_bounds[1]) * position);
  }
}

/* Room for the cache in the layout that the program was planned for, with what it holds. */
HFM__PRIVATE hfm_result hfm__session_states(hfm_session *session, const hfm__program *program, hfm_error *error) {
  const hfm_allocator *mem = &session->model->ctx.mem;
  const int64_t bounds[2] = {program->plan.bounds[HFM__SYM_BATCH], program->plan.bounds[HFM__SYM_TOTAL]};
  const uint64_t bytes = program->plan.state_bytes + 64;
  uint8_t *block;
  if (!program->graph.state_count || (session->states && !memcmp(session->state_bounds, bounds, sizeof bounds)))
    return HFM_OK;
  block = (uint8_t *)hfm__alloc(mem, bytes);
  if (!block) return hfm__fail_memory(error, "the cache", bytes);
  hfm__states_move(session, program, hfm__align64(block), bounds);
  hfm__free(mem, session->states, session->state_bytes);
  session->states = block;
  session->state_bytes = bytes;
  memcpy(session->state_bounds, bounds, sizeof bounds);
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__session_room(hfm_session *session, const hfm__program *program, hfm_error *error) {
  hfm_result result = hfm__session_block(session, &session->arena, &session->arena_bytes, program->plan.arena_bytes,
                                         "activations", error);
  if (result == HFM_OK) result = hfm__session_scratch(session, program, error);
  if (result == HFM_OK) result = hfm__session_states(session, program, error);
  return result;
}

/* Programs for smaller bounds than the session's are not needed again. */
HFM__PRIVATE void hfm__session_drop(hfm_session *session) {
  hfm__program **link = &session->programs;
  while (*link) {
    hfm__program *old = *link;
    if (memcmp(old->plan.bounds, session->bounds, sizeof session->bounds) != 0) {
      *link = old->next;
      hfm__program_free(&session->model->ctx.mem, old);
    } else {
      link = &old->next;
    }
  }
}

/* The program for a request, with memory for it: one that serves it, or a new one for bounds that include it. What the
   request can't have is refused before anything is allocated for it, and bounds that failed are forgotten. */
HFM__PRIVATE hfm_result hfm__session_program(hfm_session *session, const hfm__request *request,
                                             const hfm_inputs *inputs, hfm__program **out, hfm_error *error) {
  hfm__program *program = session->programs;
  int64_t before[HFM__SYM_COUNT];
  hfm_result result = HFM_OK;
  int32_t is_new;
  for (; program; program = program->next)
    if (hfm__program_serves(program, request)) break;
  is_new = !program;
  memcpy(before, session->bounds, sizeof before);
  if (is_new) {
    for (int32_t i = 0; i < HFM__SYM_COUNT; i++) session->bounds[i] = HFM__MAX(session->bounds[i], request->binding[i]);
    if (session->cached && session->bounds[HFM__SYM_TOTAL] > before[HFM__SYM_TOTAL]) /* not for each token anew */
      session->bounds[HFM__SYM_TOTAL] = HFM__MAX(session->bounds[HFM__SYM_TOTAL], 2 * before[HFM__SYM_TOTAL]);
    result = hfm__program_create(session->model, request, session->bounds, &program, error);
    if (result == HFM_OK) hfm__dims_evaluate(&program->graph, request->binding, program->dims);
  }
  if (result == HFM_OK) result = hfm__check_call(session->model, program, request, inputs, error);
  if (is_new && result == HFM_OK) {
    hfm__session_drop(session);
    program->next = session->programs;
    session->programs = program;
  }
  if (result == HFM_OK) result = hfm__session_room(session, program, error);
  else if (is_new) hfm__program_free(&session->model->ctx.mem, program);
  if (is_new && result != HFM_OK) {
    memcpy(session->bounds, before, sizeof before);
    hfm__session_drop(session);
  }
  *out = result == HFM_OK ? program : NULL;
  return result;
}

HFMODEL_API hfm_result hfm_session_reserve(hfm_session *session, int64_t batch, int64_t length, const hfm_inputs *like,
                                           hfm_error *error) {
  hfm__program *program;
  hfm__request request;
  hfm_result result = HFM_OK;
  hfm__clear_error(error);
  if (!session) return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, "session", 0, "must not be NULL");
  if (batch < 1 || batch > INT32_MAX || length < 1 || length > INT32_MAX)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, batch < 1 || batch > INT32_MAX ? "batch" : "length", 0,
                     "batch %i and length %i must be from 1 to %d", batch, length, (int)INT32_MAX);
  session->running = NULL;
  memset(&request, 0, sizeof request);
  if (like) result = hfm__question_from(like, &request.asked, error);
  if (result != HFM_OK) return result;
  if (!request.asked.present) request.asked.present = hfm__usual_inputs(session->model);
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++) request.binding[i] = 1;
  request.binding[HFM__SYM_BATCH] = batch;
  request.binding[HFM__SYM_POSITION_ROWS] = batch;
  request.binding[HFM__SYM_LENGTH] = length;
  if (request.asked.use_cache) request.binding[HFM__SYM_TOTAL] = length;
  return hfm__session_program(session, &request, NULL, &program, error);
}

/* ---- The cache ---- */

HFMODEL_API int64_t hfm_cache_length(const hfm_session *session) { return session ? session->cached : 0; }

HFMODEL_API hfm_result hfm_cache_crop(hfm_session *session, int64_t length, hfm_error *error) {
  hfm__clear_error(error);
  if (!session) return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, "session", 0, "must not be NULL");
  if (length < 0 || length > session->cached)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "length", 0,
                     "length is %i, but must be from 0 to %i, which the cache holds", length, session->cached);
  session->running = NULL;
  session->cached = length;
  return HFM_OK;
}

/* A call goes on where the cache ends. */
HFM__PRIVATE hfm_result hfm__continue_cache(const hfm_session *session, hfm__request *request, hfm_error *error) {
  const int64_t batch = request->binding[HFM__SYM_BATCH];
  if (session->cached && batch != session->cached_batch)
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, "use_cache", 0,
                     "the batch is %i, but the cache holds %i sequences; empty it with hfm_cache_crop(session, 0, ...)",
                     batch, session->cached_batch);
  request->binding[HFM__SYM_TOTAL] = session->cached + request->binding[HFM__SYM_LENGTH];
  if (request->binding[HFM__SYM_TOTAL] > INT32_MAX)
    return hfm__fail(error, HFM_E_INPUT_TOO_LONG, NULL, "use_cache", 0, "the cache would hold more than %d positions",
                     (int)INT32_MAX);
  return HFM_OK;
}

/* ---- Forward ---- */

HFM__PRIVATE hfm_result hfm__session_begin(hfm_session *session, const hfm_inputs *inputs, hfm_error *error) {
  hfm__program *program;
  hfm__request request;
  hfm_result result = hfm__request_from(inputs, &request, error);
  if (result == HFM_OK && request.asked.use_cache) result = hfm__continue_cache(session, &request, error);
  if (result == HFM_OK) result = hfm__session_program(session, &request, inputs, &program, error);
  if (result != HFM_OK) return result;
  hfm__program_bind(program, session->model, hfm__align64(session->arena),
                    session->states ? hfm__align64(session->states) : NULL);
  for (int32_t i = 0; i < HFM__IN_COUNT && result == HFM_OK; i++)
    if (program->graph.inputs[i].value)
      result = hfm__input_copy(i, &program->graph.inputs[i], hfm__input_tensor(inputs, i),
                               &program->operands[program->graph.inputs[i].value], error);
  if (result != HFM_OK) return result;
  session->running = program;
  session->node = 0;
  session->node_started = session->done = 0;
  session->batch = request.binding[HFM__SYM_BATCH];
  session->total = request.binding[HFM__SYM_TOTAL];
  return HFM_OK;
}

HFMODEL_API hfm_result hfm_session_begin(hfm_session *session, const hfm_inputs *inputs, hfm_error *error) {
  hfm__clear_error(error);
  if (!session || !inputs)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, session ? "inputs" : "session", 0, "must not be NULL");
  session->running = NULL;
  return hfm__session_begin(session, inputs, error);
}

HFM__PRIVATE void hfm__run_chunk(void *ctx, int64_t chunk, int32_t worker) {
  hfm_session *session = (hfm_session *)ctx;
  const hfm__node *node = &session->running->graph.nodes[session->node];
  hfm__cpu_ops[node->op].run(&session->args, chunk, &session->workers[worker]);
}

/* Weights become readable before a node runs and are given back after it. */
HFM__PRIVATE void hfm__node_release(hfm_session *session, int32_t inputs) {
  for (int32_t i = 0; i < inputs; i++)
    if (session->args.in[i].weight) session->args.in[i].weight->storage->release(session->args.in[i].weight);
}

HFM__PRIVATE hfm_result hfm__node_start(hfm_session *session, const hfm__node *node, hfm_error *error) {
  hfm__node_args(session->running, session->model, node, &session->args);
  session->args.serial = ++session->serial;
  for (int32_t i = 0; i < HFM__MAX_OP_INPUTS; i++) {
    hfm__weight *weight = session->args.in[i].weight;
    const void *data;
    hfm_result result;
    if (!weight) continue;
    result = weight->storage->acquire(weight, &data, error);
    if (result != HFM_OK) {
      hfm__node_release(session, i);
      return result;
    }
    session->args.in[i].data = (void *)(uintptr_t)data;
  }
  session->chunk = 0;
  session->chunks = hfm__cpu_ops[node->op].chunks(&session->args);
  session->node_started = 1;
  return HFM_OK;
}

/* Runs until the deadline (0: to the end). */
HFM__PRIVATE hfm_result hfm__session_run(hfm_session *session, uint64_t deadline, hfm_error *error) {
  const hfm__graph *g = &session->running->graph;
  while (session->node < g->node_count) {
    const hfm__node *node = &g->nodes[session->node];
    if (hfm__is_op(node)) {
      if (!session->node_started) {
        const hfm_result result = hfm__node_start(session, node, error);
        if (result != HFM_OK) return result;
      }
      session->chunk = hfm__pool_run(session->pool, hfm__run_chunk, session, session->chunk, session->chunks, deadline);
      if (session->chunk < session->chunks) return HFM_OK;
      hfm__node_release(session, HFM__MAX_OP_INPUTS);
      session->node_started = 0;
    }
    session->node++;
    if (deadline && session->node < g->node_count && hfm__clock_ns() >= deadline) return HFM_OK;
  }
  session->done = 1;
  return HFM_OK;
}

/* The caller's progress, between slices; a forward that is cancelled is over. */
HFM__PRIVATE hfm_result hfm__session_report(const hfm_session *session, hfm_error *error) {
  hfm__context ctx = session->model->ctx;
  ctx.progress = session->options.progress;
  return hfm__progress(&ctx, "forward", session->node, session->running->graph.node_count, "nodes", error);
}

HFM__PRIVATE hfm_result hfm__session_slices(hfm_session *session, uint64_t deadline, hfm_error *error) {
  hfm_result result = HFM_OK;
  if (!session->options.progress.update) {
    result = hfm__session_run(session, deadline, error);
  } else {
    for (;;) {
      const uint64_t slice = hfm__clock_ns() + HFM__SLICE_NS;
      result = hfm__session_run(session, deadline && deadline < slice ? deadline : slice, error);
      if (result == HFM_OK) result = hfm__session_report(session, error);
      if (result != HFM_OK || session->done || (deadline && hfm__clock_ns() >= deadline)) break;
    }
  }
  if (result != HFM_OK) {
    if (session->node_started) hfm__node_release(session, HFM__MAX_OP_INPUTS);
    session->running = NULL;
  } else if (session->done && session->running->asked.use_cache) {
    session->cached = session->total;
    session->cached_batch = session->batch;
  }
  return result;
}

HFM__PRIVATE hfm_result hfm__session_idle(hfm_error *error, const char *what) {
  return hfm__fail(error, HFM_E_SESSION_ORDER, NULL, what, 0, "%s: no forward is %s; call hfm_session_begin first",
                   what, hfm__equal(what, "hfm_session_step") ? "in progress" : "finished");
}

HFMODEL_API hfm_result hfm_session_step(hfm_session *session, double budget_seconds, int32_t *done, hfm_error *error) {
  hfm_result result;
  uint64_t deadline = 1;
  hfm__clear_error(error);
  if (done) *done = 0;
  if (!session || !done)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, session ? "done" : "session", 0, "must not be NULL");
  if (!session->running) return hfm__session_idle(error, "hfm_session_step");
  if (session->done) {
    *done = 1;
    return HFM_OK;
  }
  if (budget_seconds > 0) deadline = hfm__clock_ns() + (uint64_t)(HFM__MIN(budget_seconds, 1e6) * 1e9);
  result = hfm__session_slices(session, deadline, error);
  *done = result == HFM_OK && session->done;
  return result;
}

HFM__PRIVATE hfm_tensor *hfm__output_field(hfm_outputs *outputs, int32_t kind) {
  return (hfm_tensor *)(void *)((uint8_t *)outputs + hfm__output_rows[kind].offset);
}

HFMODEL_API hfm_result hfm_session_outputs(hfm_session *session, hfm_outputs *outputs, hfm_error *error) {
  hfm__program *program;
  size_t counts[2] = {0, 0};
  hfm__clear_error(error);
  if (outputs) memset(outputs, 0, sizeof *outputs);
  if (!session || !outputs)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, session ? "outputs" : "session", 0, "must not be NULL");
  if (!session->running || !session->done) return hfm__session_idle(error, "hfm_session_outputs");
  program = session->running;
  for (size_t i = 0; i < program->graph.output_count; i++) {
    const hfm__graph_output *output = &program->graph.outputs[i];
    const hfm__operand *o = &program->operands[output->value];
    hfm_tensor *tensor = &program->items[i].tensor;
    tensor->data = o->data;
    tensor->dtype = o->dtype;
    tensor->rank = o->rank;
    memcpy(tensor->shape, o->shape, sizeof tensor->shape);
    if (output->kind < HFM__OUT_SINGLE) *hfm__output_field(outputs, output->kind) = *tensor;
    else program->lists[output->kind - HFM__OUT_SINGLE][counts[output->kind - HFM__OUT_SINGLE]++] = *tensor;
  }
  outputs->hidden_states = program->lists[0];
  outputs->hidden_states_count = counts[0];
  outputs->attentions = program->lists[1];
  outputs->attentions_count = counts[1];
  outputs->items = program->items;
  outputs->items_count = program->graph.output_count;
  return HFM_OK;
}

HFMODEL_API hfm_result hfm_forward(hfm_session *session, const hfm_inputs *inputs, hfm_outputs *outputs,
                                   hfm_error *error) {
  hfm_result result;
  if (outputs) memset(outputs, 0, sizeof *outputs);
  if (session && !outputs) return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, "outputs", 0, "must not be NULL");
  result = hfm_session_begin(session, inputs, error);
  if (result == HFM_OK) result = hfm__session_slices(session, 0, error);
  return result == HFM_OK ? hfm_session_outputs(session, outputs, error) : result;
}
/* ==== end src/run/session.c ==== */
/* ==== begin src/run/check.c ==== */
/* ==== run/check (private): one file, judged by the rules of its kind ============================================== */

HFM__PRIVATE hfm_result hfm__check_json(const hfm__context *ctx, const char *path, hfm_error *error) {
  hfm__json document;
  char *text;
  size_t size;
  hfm_result result = hfm__file_load(ctx, path, ctx->limits.max_config_bytes, &text, &size, error);
  if (result != HFM_OK) return result;
  memset(&document, 0, sizeof document);
  result = hfm__json_parse(&document, &ctx->mem, path, text, size, HFM__JSON_NONFINITE, error);
  hfm__json_free(&document);
  hfm__free(&ctx->mem, text, (uint64_t)size + 1);
  return result;
}

/* An index, and every shard that it names. */
HFM__PRIVATE hfm_result hfm__check_index(const hfm__context *ctx, const char *path, const char *extension,
                                         const hfm_options *options, hfm_error *error) {
  hfm__checkpoint checkpoint;
  size_t end = 0; /* of the directory's part of the path */
  char *dir;
  hfm_result result;
  for (size_t i = 0; path[i]; i++)
    if (path[i] == '/' || path[i] == '\\') end = i;
  dir = hfm__join_path(&ctx->mem, path, "");
  if (!dir) return hfm__fail_memory(error, "a directory name", 0);
  memset(&checkpoint, 0, sizeof checkpoint);
  dir[end] = 0;
  result = hfm__checkpoint_open_index(ctx,
                                      end              ? dir
                                      : path[0] == '/' ? "/"
                                                       : ".",
                                      path, extension, options, &checkpoint, error);
  if (result == HFM_OK) hfm__checkpoint_close(&checkpoint);
  hfm__free(&ctx->mem, dir, (uint64_t)strlen(path) + 1);
  return result;
}

HFMODEL_API hfm_result hfm_check_file(const char *path, const hfm_options *options, hfm_error *error) {
  hfm__context ctx;
  hfm_result result;
  hfm__clear_error(error);
  if (!path) return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, "path", 0, "must not be NULL");
  result = hfm__context_init(options, &ctx, error);
  if (result != HFM_OK) return result;
  if (hfm__ends_with(path, ".json")) {
    if (strstr(path, ".safetensors.index.")) return hfm__check_index(&ctx, path, ".safetensors", options, error);
    if (strstr(path, ".bin.index.")) return hfm__check_index(&ctx, path, ".bin", options, error);
    return hfm__check_json(&ctx, path, error);
  }
  {
    hfm__checkpoint checkpoint;
    memset(&checkpoint, 0, sizeof checkpoint);
    result = hfm__checkpoint_open_file(&ctx, path, options, &checkpoint, error);
    if (result == HFM_OK) hfm__checkpoint_close(&checkpoint);
  }
  return result;
}
/* ==== end src/run/check.c ==== */
/* ==== begin src/run/helpers.c ==== */
/* ==== run/helpers (private): what everybody needs next ============================================================ */

HFM__PRIVATE int hfm__is_nan(float v) { return (hfm__float_bits(v) & 0x7fffffffu) > 0x7f800000u; }

/* Is a larger than b, where NaN is larger than any number? */
HFM__PRIVATE int hfm__ranks_above(float a, float b) {
  if (hfm__is_nan(a) || hfm__is_nan(b)) return hfm__is_nan(a) && !hfm__is_nan(b);
  return a > b;
}

HFMODEL_API int64_t hfm_argmax(const float *values, int64_t n) {
  int64_t best = 0;
  if (!values || n <= 0) return -1;
  for (int64_t i = 1; i < n; i++)
    if (hfm__ranks_above(values[i], values[best])) best = i;
  return best;
}

HFMODEL_API void hfm_softmax(const float *values, int64_t n, float *out) {
  double sum = 0;
  float top;
  if (!values || !out || n <= 0) return;
  top = values[hfm_argmax(values, n)];
  for (int64_t i = 0; i < n; i++) {
    out[i] = (float)exp((double)(values[i] - top));
    sum += (double)out[i];
  }
  for (int64_t i = 0; i < n; i++) out[i] = (float)((double)out[i] / sum);
}

HFMODEL_API int64_t hfm_top_k(const float *values, int64_t n, int64_t k, int64_t *indices, float *top) {
  int64_t count = 0;
  if (!values || !indices || !top || n <= 0 || k <= 0) return 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t at = count;
    if (count == k && !hfm__ranks_above(values[i], top[k - 1])) continue;
    if (count < k) count++;
    else at = k - 1;
    for (; at > 0 && hfm__ranks_above(values[i], top[at - 1]); at--) {
      top[at] = top[at - 1];
      indices[at] = indices[at - 1];
    }
    top[at] = values[i];
    indices[at] = i;
  }
  return count;
}

HFMODEL_API hfm_result hfm_mean_pool(const hfm_tensor *hidden, const hfm_tensor *mask, float *out, hfm_error *error) {
  int64_t batch, length, size;
  const float *row;
  hfm__clear_error(error);
  if (!hidden || !hidden->data || !out)
    return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, out ? "hidden" : "out", 0, "must not be NULL");
  if (hidden->rank != 3 || hidden->dtype != HFM_F32 || hidden->shape[0] < 0 || hidden->shape[1] < 0 || hidden->shape[2] < 0)
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, "hidden", 0,
                     "hidden has shape %t, but must be float32 [batch, length, hidden]", hidden->shape,
                     (int)hidden->rank);
  batch = hidden->shape[0];
  length = hidden->shape[1];
  size = hidden->shape[2];
  if (mask && mask->data && (mask->rank != 2 || mask->shape[0] != batch || mask->shape[1] != length))
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, "mask", 0, "mask has shape %t, but must be [%i, %i]", mask->shape,
                     (int)mask->rank, batch, length);
  row = (const float *)hidden->data;
  for (int64_t b = 0; b < batch; b++) {
    float *sum = out + b * size;
    int64_t kept = 0;
    memset(sum, 0, (size_t)size * sizeof *sum);
    for (int64_t s = 0; s < length; s++, row += size) {
      if (mask && mask->data && !hfm__is_nonzero(mask, b * length + s)) continue;
      kept++;
      for (int64_t i = 0; i < size; i++) sum[i] += row[i];
    }
    for (int64_t i = 0; i < size && kept; i++) sum[i] /= (float)kept;
  }
  return HFM_OK;
}

HFMODEL_API void hfm_normalize(float *values, int64_t rows, int64_t n) {
  for (int64_t r = 0; values && r < rows; r++, values += n) {
    double sum = 0;
    float norm;
    for (int64_t i = 0; i < n; i++) sum += (double)values[i] * (double)values[i];
    norm = (float)HFM__MAX(sqrt(sum), 1e-12);
    for (int64_t i = 0; i < n; i++) values[i] /= norm;
  }
}

HFMODEL_API const char *hfm_version(void) { return HFM_VERSION; }

HFMODEL_API const char *hfm_result_name(hfm_result result) {
  static const char *const names[] = {"HFM_OK",
                                      "HFM_ERROR_ARGUMENT",
                                      "HFM_ERROR_MEMORY",
                                      "HFM_ERROR_IO",
                                      "HFM_ERROR_NOT_FOUND",
                                      "HFM_ERROR_FORMAT",
                                      "HFM_ERROR_UNSUPPORTED",
                                      "HFM_ERROR_LIMIT",
                                      "HFM_ERROR_SHAPE",
                                      "HFM_ERROR_STATE",
                                      "HFM_ERROR_CANCELLED"};
  return result >= 0 && (size_t)result < HFM__COUNT(names) ? names[result] : "unknown result";
}

HFMODEL_API const char *hfm_error_item_name(int32_t item) {
  switch (item) {
#define HFM__ERROR_NAME(name, number, result) \
  case number: \
    return #name;
    HFM_ERROR_ITEMS(HFM__ERROR_NAME)
#undef HFM__ERROR_NAME
    default:
      return item == 0 ? "NONE" : "unknown item";
  }
}
/* ==== end src/run/helpers.c ==== */

#endif /* HFMODEL_IMPLEMENTATION */

/*
hfmodel.h is available under either of two licences. Choose whichever you prefer.

------------------------------------------------------------------------------
ALTERNATIVE A - MIT License

Copyright (c) 2026 the hfmodel.h authors

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies
of the Software, and to permit persons to whom the Software is furnished to do
so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.

------------------------------------------------------------------------------
ALTERNATIVE B - Public Domain (www.unlicense.org)

This is free and unencumbered software released into the public domain.

Anyone is free to copy, modify, publish, use, compile, sell, or distribute this
software, either in source code form or as a compiled binary, for any purpose,
commercial or non-commercial, and by any means.

In jurisdictions that recognize copyright laws, the author or authors of this
software dedicate any and all copyright interest in the software to the public
domain. We make this dedication for the benefit of the public at large and to
the detriment of our heirs and successors. We intend this dedication to be an
overt act of relinquishment in perpetuity of all present and future rights to
this software under copyright law.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN
ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION
WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
------------------------------------------------------------------------------
*/
