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
  /* The whole file, as many bytes as size() said, as memory that lives until close and does not change; or NULL (the
     function, or its result) where that can't be. */
  const void *(*map)(void *ctx, void *file);
  void (*close)(void *ctx, void *file);
} hfm_io;

enum { HFM_LOG_DEBUG = 0, HFM_LOG_INFO = 1, HFM_LOG_WARNING = 2 };
/* Warnings and notes, one line each, without a newline; `item` is an HFM_E_... value or 0. */
typedef struct hfm_log {
  void *ctx;
  void (*write)(void *ctx, int32_t level, int32_t item, const char *message);
} hfm_log;

/* Progress and cancellation. `stage` is "load" or "init" (unit "tensors"), "pack" (HFM_PACK_EAGER) or "forward" (unit
   "nodes"): done of total units. A forward calls about every 2 ms. A non-zero return asks to stop: the call ends with
   HFM_ERROR_CANCELLED. */
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
  uint64_t max_header_bytes; /* a safetensors header, a pickle, GGUF's metadata and table (default 100,000,000) */
  uint64_t max_new_bytes;    /* newly initialised parameters, all together (default 256 MiB; not for random_weights) */
  uint64_t max_structure_bytes; /* memory that reading a model's files, or one file, may take beyond their size, not
                                   counting weights that can't be used where they lie; and what hfm_generate keeps of a
                                   prompt, where the files say how much that is (default 64 MiB) */
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

/* Instruction-set tiers, ordered. HFM_ISA_AUTO takes the best that the machine has; AMX_BF16 is AVX512_BF16 with the
   tile registers, which only compute_dtype = HFM_BF16 uses: then AUTO takes it. Linux lets a process have them that
   asks, which loading a model does, and from then on sigaltstack() refuses stacks that are too small for them. */
enum {
  HFM_ISA_AUTO = 0, HFM_ISA_SCALAR = 1, HFM_ISA_SSE2 = 2, HFM_ISA_AVX2 = 3, HFM_ISA_AVX512 = 4, HFM_ISA_AVX512_VNNI = 5,
  HFM_ISA_AVX512_BF16 = 6, HFM_ISA_AMX_BF16 = 7, HFM_ISA_NEON = 16, HFM_ISA_WASM_SIMD128 = 32
};

enum {
  HFM_PACK_LAZY = 0,  /* pack into scratch at first, keep panels of weights that are used again and again */
  HFM_PACK_NEVER = 1, /* weights stay where the file has them: resident memory is the file's */
  HFM_PACK_EAGER = 2  /* pack everything at load */
};

typedef struct hfm_options {
  hfm_task task;               /* which Auto class; default HFM_BASE, AutoModel */
  hfm_dtype dtype;             /* dtype=: HFM_F32, HFM_F16, HFM_BF16; default "auto": config.json's, else the file's */
  int32_t attn_implementation; /* HFM_ATTN_...; default sdpa */
  int32_t num_labels;          /* overrides the config's labels; default 0: as the config says */
  int32_t ignore_mismatched_sizes; /* 1: a weight of another shape is newly initialised instead of an error */
  int32_t use_safetensors;     /* 1: only *.safetensors; -1: only *.bin; default: safetensors first, then *.bin */
  int32_t random_weights;      /* 1: read only config.json, initialise everything (AutoModel.from_config) */
  int32_t local_copy;          /* 1: read weights into memory instead of mapping the file */
  int32_t isa;                 /* HFM_ISA_...; a tier that the machine lacks is an error */
  int32_t packing;             /* HFM_PACK_...; default lazy */
  int32_t batch_invariant;     /* 1: the same bits for every batch size and padding, and decode = prefill */
  uint64_t pack_limit_bytes;   /* bound on kept panels; default: none, about as many bytes as the weights have */
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
  hfm_dtype compute_dtype;     /* HFM_BF16: products of bf16 weights round their input to bf16, too, where the processor
                                  has an instruction for that: with AVX512_BF16 twice as fast as float32 on Zen 4 and
                                  5, half as fast on Intel's Xeons; there AMX_BF16 is four times as fast. Sums, and all
                                  else, stay float32, which is the default */
  int32_t strict;              /* 1: the same bits on every machine, instruction set and compiler, in double: for tests
                                  and replays, not for speed. An error where a build can't promise that ("Numbers") */
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
   Transformers has an alias (attribute_map: "hidden_size" is "n_embd" for gpt2; "dtype" is "torch_dtype"). Rope
   parameters are "rope_parameters.factor" (gemma3_text: "rope_parameters.full_attention.factor"), also in old files;
   "rope_scaling.factor" and "rope_theta" mean the same, also in new ones. Where the file says nothing, the default of
   the model type's configuration class counts, or the other key's value that the class takes then
   (num_key_value_heads: num_attention_heads; head_dim: a part of hidden_size), or what it works out ("layer_types.0",
   T5's is_gated_act, no sliding_window without use_sliding_window); where there is none, or the value has another type,
   `fallback` is returned. "generation_config.x" is x in generation_config.json, which can't be set: that is what
   hfm_generation_config is for. Names of labels have hfm_label. Strings live until the config is changed or freed. Not
   thread-safe while somebody sets. */
HFMODEL_API int64_t hfm_config_get_int(const hfm_config *config, const char *key, int64_t fallback);
HFMODEL_API double hfm_config_get_float(const hfm_config *config, const char *key, double fallback);
HFMODEL_API int32_t hfm_config_get_bool(const hfm_config *config, const char *key, int32_t fallback);
HFMODEL_API const char *hfm_config_get_string(const hfm_config *config, const char *key, const char *fallback);
/* Elements of a list, or members of an object; -1: the value is neither, or there is none. Elements are "key.0", ... */
HFMODEL_API int64_t hfm_config_length(const hfm_config *config, const char *key);
HFMODEL_API int32_t hfm_config_has(const hfm_config *config, const char *key); /* present in the document, not null */
HFMODEL_API hfm_result hfm_config_set_int(hfm_config *config, const char *key, int64_t value, hfm_error *error);
HFMODEL_API hfm_result hfm_config_set_float(hfm_config *config, const char *key, double value, hfm_error *error);
HFMODEL_API hfm_result hfm_config_set_bool(hfm_config *config, const char *key, int32_t value, hfm_error *error);
HFMODEL_API hfm_result hfm_config_set_string(hfm_config *config, const char *key, const char *value, hfm_error *error);
/* `json` is any JSON text: sets lists and objects. An element of a list can be set if it is there; to make a list
   longer or shorter set all of it. */
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
HFMODEL_API const char *hfm_model_main_input_name(const hfm_model *model); /* "input_ids", "pixel_values" */
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
/* Bytes of weights that are packed and kept by now: all that will be with HFM_PACK_EAGER, 0 with HFM_PACK_NEVER; with
   HFM_PACK_LAZY they become more as products are repeated. */
HFMODEL_API uint64_t hfm_packed_bytes(const hfm_model *model);
/* The text that print(model) gives in Python, without the final newline. snprintf's rule. */
HFMODEL_API size_t hfm_print(const hfm_model *model, char *buffer, size_t size);

/* state_dict(), in Transformers' order, tied names included. Data as stored (dtype of the file); NULL where it is not
   in one piece: the weights of experts are used where they lie in the files, one by one. */
HFMODEL_API size_t hfm_state_dict_size(const hfm_model *model);
HFMODEL_API hfm_result hfm_state_dict_at(const hfm_model *model, size_t index, hfm_named_tensor *entry);
/* Any entry piece by piece, in the order of its elements: HFM_ERROR_NOT_FOUND after the last one. */
HFMODEL_API hfm_result hfm_state_dict_piece(const hfm_model *model, size_t index, size_t piece, hfm_tensor *tensor);

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

/* Validates one file by its kind, completely: weights (.safetensors, .bin, .gguf), a shard index (and the shards that
   it names), a config.json (by what its model type reads, if that is a known one), any other JSON. `options` may be
   NULL; only allocator, io and limits count. */
HFMODEL_API hfm_result hfm_check_file(const char *path, const hfm_options *options, hfm_error *error);

/* One entry of a file's metadata: of safetensors' "__metadata__", or of GGUF's key-value pairs. */
typedef struct hfm_metadata {
  const char *key;       /* UTF-8 */
  hfm_dtype dtype;       /* of the value, or of a list's elements: a number's, or HFM_BOOL; 0: text */
  int32_t is_list;       /* 1: a list, whose elements were checked but are not kept */
  uint64_t count;        /* elements of a list; else 1 */
  int64_t integer;       /* an integer or bool by itself; U64 from 2^63 on: cast it to uint64_t */
  double number;         /* any number by itself */
  const char *text;      /* text by itself: text_size bytes as the file has them, any bytes, and a NUL; else NULL */
  size_t text_size;
} hfm_metadata;

/* Where a file has a tensor. */
typedef struct hfm_stored_tensor {
  const char *name;             /* UTF-8 */
  const char *type;             /* "F32", "BF16", ... as safetensors spells them; "Q4_K", ... as ggml does; static */
  hfm_dtype dtype;              /* 0: quantised, in blocks */
  int32_t block_elements;       /* of a block, which lies within a row: 32, 256, ...; 0 where there is a dtype */
  int32_t block_bytes;
  int32_t rank;
  int64_t shape[HFM_MAX_RANK];  /* in elements, outermost first: GGUF's own order is the reverse */
  uint64_t offset;              /* byte in the file of the first element */
  uint64_t bytes;               /* of all elements; a .bin may have them apart from each other (a strided view) */
} hfm_stored_tensor;

typedef struct hfm_contents {
  const char *format;               /* "safetensors", "pytorch" or "gguf"; static */
  int32_t version;                  /* GGUF: 2 or 3; else 0 */
  uint32_t alignment;               /* GGUF: of the tensors' data, in bytes; else 0 */
  const hfm_metadata *metadata;     /* in the file's order; none of a .bin */
  size_t metadata_count;
  const hfm_stored_tensor *tensors; /* in the order of their data */
  size_t tensor_count;
} hfm_contents;

/* What one weights file (.safetensors, .bin, .gguf; else told by its first bytes) holds, without a model. The file is
   validated as by hfm_check_file, and closed again. `options` may be NULL; only allocator, io, limits and local_copy
   count. *contents is the caller's: hfm_contents_free; all that it points to lives as long. Thread-safe. */
HFMODEL_API hfm_result hfm_read_contents(const char *path, const hfm_options *options, hfm_contents **contents,
                                         hfm_error *error);
/* NULL is fine. */
HFMODEL_API void hfm_contents_free(hfm_contents *contents);

typedef struct hfm_memory_estimate {
  uint64_t weight_bytes;     /* parameters and buffers, as hfm_memory_footprint counts */
  uint64_t activation_bytes; /* a session of one thread, reserved for that batch and length: hfm_session_memory */
  uint64_t packed_bytes;     /* kept panels at the most (0 with HFM_PACK_NEVER) */
  uint64_t thread_bytes;     /* what each further thread adds to activation_bytes */
  uint64_t cache_bytes;      /* keys and values in float32 of that batch and length, which come one by one (use_cache);
                                0 for models that keep none */
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
  hfm_tensor position_ids;   /* [batch, length] or [1, length]; default as the family counts; negative ones, as padding
                                has them, where no table of positions is read */
  hfm_tensor inputs_embeds;  /* [batch, length, hidden], instead of input_ids */
  hfm_tensor pixel_values;   /* [batch, channels, height, width] */
  hfm_tensor labels;         /* not computed yet: passing it is an error that says so */
  int32_t output_hidden_states; /* 1: fill hidden_states */
  int32_t output_attentions;    /* 1: fill attentions; runs eager attention */
  int32_t use_cache;            /* 1: decoders go on where the session's cache ends, and add this call to it. Ids, types
                                   and positions are those of the new tokens; attention_mask is [batch, cached +
                                   length] */
  int32_t logits_to_keep;       /* causal-lm only: logits of so many last positions; default all */
  /* Models with an encoder: the decoder's text, while the above is the encoder's. With use_cache the encoder runs in
     the first call only: later ones leave input_ids out, but give its attention_mask again. */
  hfm_tensor decoder_input_ids;      /* [batch, length] */
  hfm_tensor decoder_attention_mask; /* [batch, length], with use_cache [batch, cached + length]; default all ones */
  hfm_tensor decoder_inputs_embeds;  /* [batch, length, hidden], instead of decoder_input_ids */
} hfm_inputs;

/* Inputs that are input_ids [batch, length] and nothing else. They are not copied. */
HFMODEL_API hfm_inputs hfm_input_ids(const int64_t *ids, int64_t batch, int64_t length);

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
  const hfm_named_tensor *items;     /* everything here that is present, by name ("hidden_states.0", ...) */
  size_t items_count;
  /* Models with an encoder, instead of hidden_states and attentions. */
  hfm_tensor encoder_last_hidden_state;      /* [batch, length, hidden], where the call has run the encoder */
  const hfm_tensor *encoder_hidden_states;   /* as hidden_states */
  size_t encoder_hidden_states_count;
  const hfm_tensor *encoder_attentions;      /* as attentions */
  size_t encoder_attentions_count;
  const hfm_tensor *decoder_hidden_states;
  size_t decoder_hidden_states_count;
  const hfm_tensor *decoder_attentions;
  size_t decoder_attentions_count;
  const hfm_tensor *cross_attentions;        /* layers tensors [batch, heads, decoder length, encoder length] */
  size_t cross_attentions_count;
} hfm_outputs;

typedef struct hfm_session_options {
  int32_t threads;       /* workers, the calling thread included, at most 1024; default: the processors, at most 64 */
  int32_t spin;          /* 1: workers spin between products (fastest); -1: they sleep at once; default: spin briefly */
  hfm_jobs jobs;         /* the caller's thread pool instead of our own */
  hfm_progress progress; /* called between chunks, about every 2 ms, from the calling thread */
  hfm_dtype cache_dtype; /* in which use_cache keeps keys and values: HFM_F32 (default), HFM_F16 or HFM_BF16 */
} hfm_session_options;

/* A session on a model. `options` may be NULL. *session is the caller's: hfm_session_free. */
HFMODEL_API hfm_result hfm_session_create(hfm_model *model, const hfm_session_options *options, hfm_session **session,
                                          hfm_error *error);
/* NULL is fine. */
HFMODEL_API void hfm_session_free(hfm_session *session);
/* The short way to a session: hfm_from_pretrained with all options but the task left out, hfm_session_create on it, and
   hfm_model_free, so that hfm_session_free frees both. *session is the caller's. */
HFMODEL_API hfm_result hfm_load(const char *path, hfm_task task, hfm_session **session, hfm_error *error);
/* What the session runs; lives as long as the session. */
HFMODEL_API const hfm_model *hfm_session_model(const hfm_session *session);
/* Plans for inputs up to this batch and length (image models: length is ignored). Within the bounds no later forward
   allocates anything, provided it asks for the same inputs and outputs as `like` (NULL: input_ids or pixel_values and
   an attention_mask, no hidden states or attentions, no cache). With like->use_cache `length` counts the cached
   positions, and the length of like->input_ids (or inputs_embeds) says how many of them one call adds at most: reserve
   once as for the prompt, once as for a token. In models with an encoder `length` is the decoder's, the length of
   like->input_ids or attention_mask the encoder's. Beyond the bounds a forward plans and allocates by itself: for the
   largest batch and length so far, or for its own shape where both together would take much more. Where there is no
   memory for that, what was reserved still runs. */
HFMODEL_API hfm_result hfm_session_reserve(hfm_session *session, int64_t batch, int64_t length, const hfm_inputs *like,
                                           hfm_error *error);
/* Runs the model. On failure *outputs is zero and the session can be used again. */
HFMODEL_API hfm_result hfm_forward(hfm_session *session, const hfm_inputs *inputs, hfm_outputs *outputs,
                                   hfm_error *error);
/* The same in slices, for a frame's time budget: begin, then step until *done. A step runs chunks until
   `budget_seconds` are over (at least one chunk; <= 0: exactly one) and overshoots by at most one chunk, about
   0.1 ms. */
HFMODEL_API hfm_result hfm_session_begin(hfm_session *session, const hfm_inputs *inputs, hfm_error *error);
HFMODEL_API hfm_result hfm_session_step(hfm_session *session, double budget_seconds, int32_t *done, hfm_error *error);
/* The outputs of the forward that is done. */
HFMODEL_API hfm_result hfm_session_outputs(hfm_session *session, hfm_outputs *outputs, hfm_error *error);
/* The keys and values that forwards with use_cache have left in the session: past_key_values. A forward that fails or
   is cancelled adds nothing. How many positions it holds: past_key_values.get_seq_length(). */
HFMODEL_API int64_t hfm_cache_length(const hfm_session *session);
/* And how many sequences; 0 where it is empty. */
HFMODEL_API int64_t hfm_cache_batch(const hfm_session *session);
/* Keeps its first `length` positions: past_key_values.crop(length); 0 empties it, for another batch. More than there
   are is an error, and so is less than what layers with a sliding window still hold: these go back to any length since
   the last call began, and to some before it. This and what follows counts as a call of the session: a forward in
   progress is over. */
HFMODEL_API hfm_result hfm_cache_crop(hfm_session *session, int64_t length, hfm_error *error);
/* Sequence i becomes what sequence rows[i] was, for `count` sequences, more or fewer than before:
   past_key_values.reorder_cache(rows). Nothing is copied: sequences share what they have in common, so that one prompt
   can be continued in many ways. */
HFMODEL_API hfm_result hfm_cache_reorder(hfm_session *session, const int64_t *rows, int64_t count, hfm_error *error);
/* Bytes that hfm_cache_save writes now: 56 + 24 x states for the header, then batch x length x heads x head size
   elements of cache_dtype for each state (a layer has two, keys and values), or x (window - 1) where that is less. */
HFMODEL_API uint64_t hfm_cache_size(const hfm_session *session);
/* Writes the cache to `bytes`, `size` of them as hfm_cache_size says; the same on every machine and tier. Nothing in
   it says which model made it, but for the shapes. */
HFMODEL_API hfm_result hfm_cache_save(hfm_session *session, void *bytes, uint64_t size, hfm_error *error);
/* Takes what was saved by a session with the same model and cache_dtype in place of what the cache holds. Any bytes
   may be given: what does not fit is an error, and the cache stays as it was. */
HFMODEL_API hfm_result hfm_cache_load(hfm_session *session, const void *bytes, uint64_t size, hfm_error *error);
/* Bytes that the session holds. */
HFMODEL_API uint64_t hfm_session_memory(const hfm_session *session);
/* Workers, the calling thread included. */
HFMODEL_API int32_t hfm_session_threads(const hfm_session *session);

/* ---- Generation -------------------------------------------------------------------------------------------------- */

/* Some token ids. {NULL, 0}: not said, so the files count. A count of -1: none, whatever the files say. */
typedef struct hfm_token_ids {
  const int64_t *data;
  int64_t count;
} hfm_token_ids;

/* A number where 0 itself is meant, for the fields of hfm_generation_config in which 0 stands for "not said". */
#define HFM_ZERO 1e-300

enum { HFM_EARLY_STOPPING_FALSE = -1, HFM_EARLY_STOPPING_TRUE = 1, HFM_EARLY_STOPPING_NEVER = 2 };

/* Callbacks of a generation. They come from the thread that calls, and must not use the session. `row` numbers the
   sequences under way: those of the first prompt come first. `input_ids` are the prompt and what came after it, padding
   included, `length` of them, until the callback returns. */

/* logits_processor=: changes the scores of the next token, vocab_size of them, in place (beams: log-probabilities).
   It comes after all other processors and before temperature and the filters of sampling. NaN is an error. */
typedef struct hfm_logits_processor {
  void *ctx;
  void (*process)(void *ctx, int64_t row, const int64_t *input_ids, int64_t length, float *scores, int64_t vocab_size);
} hfm_logits_processor;

/* prefix_allowed_tokens_fn=: sets *allowed to the ids that may come next, which must live until the next call, and
   returns how many they are; none is an error. `prompt` is row / num_beams. */
typedef struct hfm_prefix_constraint {
  void *ctx;
  int64_t (*allowed_tokens)(void *ctx, int64_t prompt, const int64_t *input_ids, int64_t length,
                            const int64_t **allowed);
} hfm_prefix_constraint;

/* streamer=: the token that each of `rows` sequences got (pad_token_id where one has ended), as soon as it is known.
   The prompt is not streamed. Not with beams, which may still change what they said. */
typedef struct hfm_streamer {
  void *ctx;
  void (*put)(void *ctx, const int64_t *tokens, int64_t rows);
} hfm_streamer;

/* stopping_criteria=: non-zero ends that sequence after its last token. With beams it judges each candidate, and `row`
   numbers those. */
typedef struct hfm_stopping_criteria {
  void *ctx;
  int32_t (*is_done)(void *ctx, int64_t row, const int64_t *input_ids, int64_t length);
} hfm_stopping_criteria;

/* How to generate, by the names of Transformers' GenerationConfig and with its defaults and rules.
   What is 0 was not said: then generation_config.json counts, or without such a file config.json, and then the default
   below. -1 in an integer, or as a count, is Python's None: it overrules the files (no eos_token_id, no top_k, ...).
   Switches: 1 is True, -1 is False. Where 0 itself is meant in a number, write HFM_ZERO. */
typedef struct hfm_generation_config {
  /* how long */
  int64_t max_new_tokens;        /* beats max_length; default: as max_length says */
  int64_t max_length;            /* with the prompt, its padding included; default: 20 more than the prompt has, at most
                                    max_position_embeddings. Where positions come from a table, max_length - 1 must not
                                    exceed it; rotary positions (RoPE) have no end */
  int64_t min_new_tokens;        /* beats min_length; before that eos_token_id is not chosen; default: none */
  int64_t min_length;            /* default: none */
  double max_time;               /* seconds from the beginning; the token under way is finished; default: no limit */
  hfm_token_ids eos_token_id;    /* any of them ends a sequence; default: none */
  hfm_token_ids pad_token_id;    /* one: what fills rows that ended; default: the first eos_token_id */
  hfm_token_ids decoder_start_token_id; /* what texts begin with where the model has an encoder: one, or one for each
                                    prompt; default: bos_token_id */
  /* which way */
  int32_t do_sample;             /* 1: draws; default: the most likely token */
  int32_t early_stopping;        /* HFM_EARLY_STOPPING_...; beams only; default false */
  int64_t num_beams;             /* more than 1: beam search; default 1 */
  int64_t num_return_sequences;  /* for each prompt; default 1; more need do_sample, or as many beams */
  double length_penalty;         /* beams only: scores are divided by the new tokens' number to this power; default 1 */
  int64_t prompt_lookup_num_tokens; /* guesses up to so many tokens from what came after the same words before, and
                                       checks them in one step: the same ids, sooner. One sequence, no beams; default:
                                       none */
  int64_t max_matching_ngram_size;  /* of those words; default 2 */
  /* what may come */
  double repetition_penalty;     /* above 1: tokens that are there already, in the prompt too, become less likely;
                                    default 1 */
  int64_t no_repeat_ngram_size;  /* so many tokens in a row come only once; default: off */
  const hfm_token_ids *bad_words_ids; /* sequences that never come, bad_words_count of them; default: none */
  int64_t bad_words_count;
  hfm_token_ids forced_bos_token_id;  /* one: the token after a prompt of one token; default: none */
  hfm_token_ids forced_eos_token_id;  /* one of them comes where max_length is reached; default: none */
  hfm_token_ids suppress_tokens;      /* never come; default: none */
  hfm_token_ids begin_suppress_tokens; /* don't come first; default: none */
  int32_t remove_invalid_values; /* 1: NaN and infinities become 0 and the largest floats, instead of an error */
  int32_t renormalize_logits;    /* 1: after all of this scores are log-probabilities again; default 0 */
  /* sampling: in this order, each on what the one before left */
  double temperature;            /* scores are divided by it; above 0; default 1 */
  int64_t top_k;                 /* only the k likeliest; default 50; -1: all */
  double top_p;                  /* only the likeliest whose probabilities sum up to p, 0 to 1; default 1 */
  double min_p;                  /* only those at least so likely, relative to the likeliest, 0 to 1; default: off */
  double typical_p;              /* only the most typical that sum up to it, above 0 to 1; default 1 */
  double epsilon_cutoff;         /* only those at least so likely, 0 to 1; default: off */
  double eta_cutoff;             /* the same, less strict where much is uncertain, 0 to 1; default: off */
  uint64_t seed;                 /* the same seed and logits give the same ids on every machine; default 0 is a seed
                                    like any other. Each sequence has a stream of its own */
  /* what else */
  int32_t output_scores;         /* 1: keep the scores of every step */
  hfm_logits_processor logits_processor;
  hfm_prefix_constraint prefix_constraint;
  hfm_streamer streamer;
  hfm_stopping_criteria stopping_criteria;
} hfm_generation_config;

typedef struct hfm_generated {
  hfm_tensor sequences;        /* I64 [prompts * num_return_sequences, length]: prompt and what was generated; where one
                                  ended sooner, pad_token_id follows */
  hfm_tensor sequences_scores; /* F32 [rows]: beams, when they are done: what they were ranked by */
  hfm_tensor scores;           /* F32 [steps, rows, vocab]: with output_scores, what each token was chosen by, of all
                                  beams; zeros where a sequence had ended */
  hfm_tensor beam_indices;     /* I64 [rows, steps]: beams, when they are done: the row of scores that each token came
                                  from, -1 after the end */
  int64_t prompt_length;       /* tokens of a prompt, padding included; the decoder's, where there is an encoder */
  int64_t steps;               /* tokens that the longest sequence got */
  double prompt_seconds, decode_seconds; /* spent up to the first token, and after it */
} hfm_generated;

/* Generates. `config` may be NULL.
   A model for causal-lm goes on from inputs->input_ids [prompts, length] (with attention_mask: prompts of different
   length are padded on the left; without one pad_token_id in the ids is padding, as in Transformers), position_ids if
   given. One for seq2seq-lm reads input_ids, padded on the right, of which attention_mask says which count (without one
   all do, as in Transformers); its texts begin with decoder_start_token_id, or with decoder_input_ids [prompts, length]
   (and their decoder_attention_mask), before which it comes unless one of them begins with it.
   inputs->use_cache = 0 empties the session's cache first. With 1 the ids (decoder_input_ids, without input_ids: what
   was encoded is in the cache) are the whole text, of which the session's cache has the first hfm_cache_length()
   positions already: a chat goes on without computing its beginning again. Afterwards the cache holds all but the last
   token; after beams it is empty.
   Memory for max_length is planned before the first token; no token allocates. *outputs live in the session until its
   next hfm_generate. On failure *outputs is zero and the session can be used again. */
HFMODEL_API hfm_result hfm_generate(hfm_session *session, const hfm_inputs *inputs, const hfm_generation_config *config,
                                    hfm_generated *outputs, hfm_error *error);

/* The same in slices, for a frame's time budget: begin, then next until *done. */
typedef struct hfm_generation hfm_generation;
/* Checks and plans everything; computes nothing yet. `inputs` are copied; what the callbacks' ctx point to must live as
   long as the generation. *generation is the caller's: hfm_generation_free, before the session. */
HFMODEL_API hfm_result hfm_generation_begin(hfm_session *session, const hfm_inputs *inputs,
                                            const hfm_generation_config *config, hfm_generation **generation,
                                            hfm_error *error);
/* Goes on for `budget_seconds`, over as many tokens as that allows, and overshoots by at most one chunk, about 0.1 ms,
   or by the choice of one prompt's token (<= 0: exactly one of these). However it is sliced, the bits are the same.
   After a failure, cancellation included, the next call tries that step again. Between the calls the session must not
   be used. */
HFMODEL_API hfm_result hfm_generation_next(hfm_generation *generation, double budget_seconds, int32_t *done,
                                           hfm_error *error);
/* What there is so far, at any time: views that live until the generation's next call. Before they are done, beams give
   the best of those under way. */
HFMODEL_API hfm_result hfm_generation_outputs(hfm_generation *generation, hfm_generated *outputs, hfm_error *error);
/* NULL is fine. The session's cache stays as it is. */
HFMODEL_API void hfm_generation_free(hfm_generation *generation);

/* ---- What everybody needs next ---------------------------------------------------------------------------------- */

/* Index of the largest of n values; NaN counts as larger than any number, as in torch; the first of equals. -1 if
   n <= 0. */
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
