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

      int main(void) {
        const int64_t ids[] = {1, 90, 100, 100, 117, 35, 108, 118, 35, 107, 104, 119, 66, 2}; // "Waar is het?"
        const hfm_inputs in = hfm_input_ids(ids, 1, sizeof ids / sizeof ids[0]);
        hfm_outputs out;
        hfm_session *session;
        hfm_error error;
        if (hfm_load("examples/models/langid-bert", HFM_SEQUENCE_CLASSIFICATION, &session, &error) ||
            hfm_forward(session, &in, &out, &error)) return puts(error.message), 1;
        puts(hfm_label(hfm_session_model(session), hfm_argmax((const float *)out.logits.data, out.logits.shape[1])));
        hfm_session_free(session);
      }

  It prints "nl", for Dutch. The ids are bytes + 3 between 1 and 2, as that model has them; for another model they come
  from its tokenizer. hfm_load is hfm_from_pretrained with options.task, AutoModelForSequenceClassification here, and
  hfm_session_create. Compile it with one of

      cc -O2 app.c -lm          gcc or clang; add -pthread where the C library is older than glibc 2.34
      c++ -O2 app.cpp           C++11 or later; where a struct is cleared, write {} instead of {0}
      cl /O2 app.c              MSVC (compiled by clang for MSVC's target in our tests; cl itself is not run there)

  No -march and no -ffast-math: the fastest instructions of the machine are chosen when a model is loaded.


WHAT IT LOADS

  From    a directory; a repository id such as "org/name" that the local hub cache holds (the cache of huggingface_hub:
          HF_HUB_CACHE, HF_HOME, cache_dir); files in memory (hfm_from_memory); your own file layer (options.io);
          a config alone, with random weights (hfm_from_config, options.random_weights).
  Files   config.json, generation_config.json, model.safetensors and pytorch_model.bin (zip archive and the older
          stream), each also sharded with an index. Every dtype of safetensors is read; F32, F16 and BF16 weights are
          used where they lie in the mapped file. hfm_check_file and hfm_read_contents also take GGUF files.
  Models  bert, roberta, xlm-roberta, camembert, distilbert, gpt2, opt, gpt_neox, gpt_neo, phi, falcon, bloom, llama,
          mistral, ministral, qwen2, qwen3, smollm3, olmo2, gemma, gemma2, gemma3_text, granite, phi3, mixtral,
          qwen3_moe, t5, mt5, bart, mbart, marian, pegasus, m2m_100, vit, deit, with the heads that Transformers has for
          them. hfm_registry() lists every pair of model type and task.
  Quirks  as Transformers: a base model from a head's checkpoint and the reverse, tied weights, gamma and beta, unused
          buffers, num_labels, ignore_mismatched_sizes, old and new spellings in config.json. What was missing,
          unexpected, mismatched or newly initialised is in the load report (hfm_load_report_at, _text).


IT DOES NOT

  - turn text, images or audio into tensors: it takes token ids and pixel values (companion headers are under tools/)
  - download anything, open a socket, or write a file
  - train or compute losses
  - run GGUF or ONNX files, or quantised checkpoints
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
  strict                   0; 1: the same bits on every machine and compiler (see "Numbers")
  pack_limit_bytes         bound on packed copies; none: they take about as many bytes as the weights have
  seed                     for whatever is newly initialised
  variant, subfolder, revision, cache_dir    as in Transformers
  config                   a config of yours instead of the directory's
  allocator, io, log, progress, limits       your services; see below

  hfm_session_options: threads (the machine's processors), spin, jobs (your own thread pool), progress, cache_dtype
  (HFM_F32: what keys and values are kept in).


BUILD MACROS (define them before the implementation, and the same ones everywhere)

  HFMODEL_IMPLEMENTATION  this file gets the code, not only the declarations
  HFMODEL_STATIC          everything is static: a private copy for one file, and what it does not use falls away
  HFMODEL_DLL             dllexport and dllimport on Windows
  HFMODEL_API             your own linkage, instead of all that
  HFMODEL_ASSERT(x)       checks of internal invariants; default: none. Never a judgement of input
  HFMODEL_NO_STDIO        no file system: models come from memory or from options.io
  HFMODEL_NO_STDLIB       no malloc and no getenv: options.allocator is needed
  HFMODEL_NO_THREADS      no threads of our own; options.jobs still works
  HFMODEL_NO_PICKLE       no pytorch_model.bin, only safetensors: a .bin is refused by name
  HFMODEL_NO_GGUF         GGUF files can't be looked into
  HFMODEL_NO_SIMD         only the portable kernels
  HFMODEL_NO_SCALAR       not the portable kernels, where the compiler is told of SSE2, 64-bit NEON or SIMD128; then
                          there is no HFM_ISA_SCALAR (smaller code)
  HFMODEL_NO_AVX2         no AVX2 and AVX-512 kernels (smaller code)
  HFMODEL_NO_AVX512       no AVX-512 kernels
  HFMODEL_NO_STRICT       no options.strict
  HFMODEL_NO_GENERATION   hfm_generate and hfm_generation_... give an error; so they do where no family is a decoder
  HFMODEL_NO_CACHE        no inputs.use_cache, and so no generation; decoders still run over whole texts
  HFMODEL_NO_MESSAGES     hfm_error.message is the item's number and hfm_error.what; the other fields say what they say
  HFMODEL_ONLY_BERT, HFMODEL_ONLY_ROBERTA, HFMODEL_ONLY_DISTILBERT, HFMODEL_ONLY_GPT2, HFMODEL_ONLY_OPT,
  HFMODEL_ONLY_GPT_NEOX, HFMODEL_ONLY_GPT_NEO, HFMODEL_ONLY_PHI, HFMODEL_ONLY_FALCON, HFMODEL_ONLY_BLOOM,
  HFMODEL_ONLY_LLAMA, HFMODEL_ONLY_OLMO2, HFMODEL_ONLY_GEMMA, HFMODEL_ONLY_GRANITE, HFMODEL_ONLY_PHI3,
  HFMODEL_ONLY_MIXTRAL, HFMODEL_ONLY_T5, HFMODEL_ONLY_BART, HFMODEL_ONLY_VIT
                          these families and no others; several may be given
  HFMODEL_NO_BERT, HFMODEL_NO_ROBERTA, HFMODEL_NO_DISTILBERT, HFMODEL_NO_GPT2, HFMODEL_NO_OPT, HFMODEL_NO_GPT_NEOX,
  HFMODEL_NO_GPT_NEO, HFMODEL_NO_PHI, HFMODEL_NO_FALCON, HFMODEL_NO_BLOOM, HFMODEL_NO_LLAMA, HFMODEL_NO_OLMO2,
  HFMODEL_NO_GEMMA, HFMODEL_NO_GRANITE, HFMODEL_NO_PHI3, HFMODEL_NO_MIXTRAL, HFMODEL_NO_T5, HFMODEL_NO_BART,
  HFMODEL_NO_VIT          not these (ROBERTA has xlm-roberta and camembert, LLAMA has mistral, ministral, qwen2, qwen3
                          and smollm3, GEMMA has gemma2 and gemma3_text, MIXTRAL has qwen3_moe, T5 has
                          mt5, BART has mbart, marian, pegasus and m2m_100, VIT has deit)


MEMORY AND OWNERSHIP

  - Whatever a call hands you through a pointer to a pointer is yours: free it with the function of its type. Every
    free accepts NULL. On failure you get NULL, and nothing is left behind.
  - hfm_model holds weights and configuration and never changes after the load. hfm_session holds activations. A
    session keeps its model alive: free them in any order.
  - Outputs are views into the session. They live until its next call, whichever that is; copy what must live longer.
  - Inputs are views of your memory: read during hfm_forward, or until hfm_session_step says that it is done.
  - Weights are mapped, in huge pages where the system has them: it loads them as they are touched and may drop them
    again. With HFM_PACK_LAZY products that are repeated make a packed copy of a weight, at most
    options.pack_limit_bytes; HFM_PACK_NEVER never does.
  - hfm_estimate_memory says what a model needs from its config.json alone. hfm_session_reserve(batch, length) does all
    planning and allocation at once: afterwards forwards within these bounds, of the inputs and outputs that it was
    told of (none: ids or pixels, with a mask), allocate nothing.
  - options.allocator sees every allocation; sizes are handed back to it. With HFMODEL_NO_STDLIB there is no other.
  - With inputs.use_cache a decoder's keys and values stay in the session, and the next call gives only what is new, as
    with past_key_values. hfm_session_reserve with such inputs plans for the whole text: then no token allocates. The
    cache lies in pages of 64 positions. Each page takes 64 x key heads x (head_dim + head_dim rounded up to a multiple
    of the tier's strip, 32 floats at most) elements of hfm_session_options.cache_dtype for each layer; a sequence has
    ceil(positions / 64) of them, in layers with a sliding window ceil((window + new positions + 62) / 64) at most.
    hfm_cache_crop goes back to an earlier position, or to 0; hfm_cache_reorder continues sequences in several ways,
    which share pages; hfm_cache_save and hfm_cache_load turn the cache to bytes and back.


GENERATION

  hfm_generate(session, &inputs, &config, &out, &error) is model.generate() of a model for causal-lm: out.sequences are
  the ids of the prompts and of what comes after them; or of one for seq2seq-lm, which reads input_ids (padded on the
  right, with an attention_mask): out.sequences are decoder_start_token_id and what comes after it. The token of a
  language to translate to is config.forced_bos_token_id.
  hfm_generation_config has Transformers' options by their names. 0 is "not said": generation_config.json counts then,
  or without one config.json, or Transformers' default. -1 is None for integers and lists, and False for switches;
  HFM_ZERO is a number that is 0. Prompts of a batch are padded on the left, with an attention_mask.

  config.streamer sees tokens as they come; logits_processor, prefix_constraint and stopping_criteria are Transformers'
  callbacks of these names. For a frame's time budget: hfm_generation_begin, then hfm_generation_next(generation, 0.002,
  &done, &error) once per frame, then hfm_generation_outputs. All memory is taken at the beginning, for max_length.
  With inputs.use_cache a chat goes on from the session's cache: give the whole text each time.

  Drawn tokens depend on seed and logits only: softmax, filters and draw are double arithmetic in one order, whatever
  the instruction set. Each sequence draws from a stream of its own.


THREADS (where the compiler has atomic operations: gcc, clang, MSVC. With another, everything runs on one thread)

  A model may be used from any number of threads at once, each with its own session. A session is used by one thread
  at a time; it runs its work on its own pool, or on yours (hfm_session_options.jobs). Callbacks come from the calling
  thread, except reads by options.io, which may come from any session's thread.

  For a frame's time budget: hfm_session_begin, then hfm_session_step(session, 0.002, &done, &error) once per frame,
  then hfm_session_outputs. A step overshoots by about half a chunk of work, 0.1 ms. Progress and cancellation
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
  half-precision arithmetic. options.compute_dtype = HFM_BF16 rounds what bf16 weights are multiplied with to bf16,
  too, where the processor has an instruction for it, within 2 % of the largest output (a mixture may choose other
  experts): twice as fast on Zen 4 and 5; on Intel's Xeons four times as fast with AMX, which loading such a model asks
  Linux for (signal stacks made later have to be larger in that process), and half as fast without.
  Results are the same bits for every number of threads, whatever ran before, and for every row of a batch;
  options.batch_invariant extends that to every batch size and padding. Other instruction sets round differently in
  the last bits: options.strict computes everything in double, each number in one order, and gives the same bits on
  every machine, compiler and instruction set, about five times slower. Builds that can't promise it
  (-ffast-math, the x87, HFMODEL_NO_STRICT) say so when a model is loaded. Under your own -ffast-math results keep
  about the same accuracy, masks stay right and no index goes astray; NaN, infinities and equal bits are then not
  promised.


INSTRUCTION SETS

  x86: SSE2, AVX2 with FMA and F16C, AVX-512 (with its bf16 products and, under Linux, AMX's, except in MSVC's builds),
  each compiled into the same binary and chosen by CPUID when a model is loaded. 64-bit ARM: NEON. WebAssembly: SIMD128
  where the compiler is told so (-msimd128). Everything else runs the portable kernels, which are the specification
  that the others are tested against. 32-bit and big-endian machines work; on the latter weights are swapped into a
  copy.


LIMITS

  At most 8 dimensions. A file must fit the address space where it is mapped or copied. A batch is padded: all its
  rows have one length. Image sizes are those of the config.
*/
