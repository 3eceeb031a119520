/* hfmodel.h: the unity header. Developers compile this file; tools/amalgamate.py replaces each quoted include by the
   file's text and writes the product, ../hfmodel.h. The order below is the architecture: each section uses only those
   above it. */
#ifndef HFMODEL_H
#define HFMODEL_H
#include "manual.h"
#include "error_items.h"
#include "api.h"
#endif /* HFMODEL_H */

/* Stop here if you only want the API. Below is the implementation. */

#if (defined(HFMODEL_IMPLEMENTATION) || defined(__INTELLISENSE__)) && !defined(HFM__IMPLEMENTED)
#define HFM__IMPLEMENTED

#include "base/platform.h"
#include "base/cuts.h"
#include "base/alloc.h"
#include "base/text.h"
#include "base/error.h"
#include "base/sort.c"
#include "base/threads.c"
#include "base/decimal.c"
#include "base/exact_math.h"
#include "base/context.h"
#include "base/budget.c"
#include "base/io.c"

#include "tensor/dtype.c"
#include "tensor/convert.c"

#include "formats/json.c"
#include "formats/json_document.c"
#include "formats/safetensors.c"

/* Rare, as some sections below: what runs a few times for a model. Compilers make it small rather than fast, which is a
   tenth of the code at -O2, and of the time that compiling takes. */
#undef HFM__PRIVATE
#define HFM__PRIVATE HFM__STATIC_RARE
#ifndef HFMODEL_NO_PICKLE
#include "formats/zip.c"
#include "formats/pickle_values.c"
#include "formats/pickle.c"
#include "formats/torch_bin.c"
#endif
#ifndef HFMODEL_NO_GGUF
#include "formats/gguf.c"
#endif
#include "formats/checkpoint.c"

#include "config/config.c"
#include "config/rope_keys.c"
#include "config/values.c"

#include "hub/cache.c"
#undef HFM__PRIVATE
#define HFM__PRIVATE HFM__STATIC

#include "graph/op.h"
#include "weights/weight.h"

#include "cpu/isa.c"
#include "cpu/kernel_list.h"
#include "cpu/tiers.h"
#include "cpu/cpu.h"
#include "cpu/panels.c"
#include "cpu/ops_linear.c"
#include "cpu/ops_rows.c"
#include "cpu/ops_cache.c"
#include "cpu/ops_attention.c"
#ifdef HFM__WITH_EXPERTS
#include "cpu/ops_experts.c"
#endif
#include "cpu/ops_index.c"

#include "graph/tree.h"
#include "graph/graph.h"

/* Rare: descriptions run when a model is loaded, and for a new kind of call. */
#undef HFM__PRIVATE
#define HFM__PRIVATE HFM__STATIC_RARE
#include "graph/builder.h"
#include "graph/register.c"
#include "graph/trace.c"
#include "graph/attend.c"
#include "graph/fuse.c"
#include "graph/plan.c"

#ifdef HFM__WITH_ROPE
#include "nn/rope.c"
#endif

#include "families/family.h"
#if defined(HFM__WITH_BERT) || defined(HFM__WITH_ROBERTA)
#include "families/encoder.c"
#endif
#ifdef HFM__WITH_BERT
#include "families/bert.c"
#endif
#ifdef HFM__WITH_ROBERTA
#include "families/roberta.c"
#endif
#ifdef HFM__WITH_DISTILBERT
#include "families/distilbert.c"
#endif
#ifdef HFM__WITH_DECODERS
#include "families/causal.c"
#endif
#ifdef HFM__WITH_GPT2
#include "families/gpt2.c"
#endif
#ifdef HFM__WITH_OPT
#include "families/opt.c"
#endif
#ifdef HFM__WITH_GPT_NEOX
#include "families/gpt_neox.c"
#endif
#ifdef HFM__WITH_GPT_NEO
#include "families/gpt_neo.c"
#endif
#ifdef HFM__WITH_PHI
#include "families/phi.c"
#endif
#ifdef HFM__WITH_FALCON
#include "families/falcon.c"
#endif
#ifdef HFM__WITH_BLOOM
#include "families/bloom.c"
#endif
#ifdef HFM__WITH_LLAMA_KIN
#include "families/decoder.c"
#endif
#ifdef HFM__WITH_LLAMA
#include "families/llama.c"
#endif
#ifdef HFM__WITH_OLMO2
#include "families/olmo2.c"
#endif
#ifdef HFM__WITH_GEMMA
#include "families/gemma.c"
#endif
#ifdef HFM__WITH_GRANITE
#include "families/granite.c"
#endif
#ifdef HFM__WITH_PHI3
#include "families/phi3.c"
#endif
#ifdef HFM__WITH_MIXTRAL
#include "families/mixtral.c"
#endif
#if defined(HFM__WITH_T5) || defined(HFM__WITH_BART)
#include "families/seq2seq.c"
#endif
#ifdef HFM__WITH_T5
#include "families/t5.c"
#endif
#ifdef HFM__WITH_BART
#include "families/bart.c"
#endif
#ifdef HFM__WITH_VIT
#include "families/vit.c"
#endif
#include "families/registry.c"
#undef HFM__PRIVATE
#define HFM__PRIVATE HFM__STATIC

#include "weights/names.c"
#include "weights/init.c"
#include "weights/model.h"
#include "weights/load.c"
#include "weights/report.c"

#include "run/cache.c"
#include "run/program.c"
#include "run/inputs.c"

/* Rare: loading. */
#undef HFM__PRIVATE
#define HFM__PRIVATE HFM__STATIC_RARE
#include "run/inspect.c"
#include "run/model.c"
#undef HFM__PRIVATE
#define HFM__PRIVATE HFM__STATIC

#include "run/session.c"
#include "run/session_cache.c"
#include "run/helpers.c"
#if HFM__HAS_GENERATION
#include "run/generation_config.c"
#include "run/logits_process.c"
#include "run/sampling.c"
#include "run/beam_search.c"
#include "run/prompt.c"
#include "run/steps.c"
#include "run/generate.c"
#else
#include "run/no_generation.c"
#endif

/* Rare: judging files. */
#undef HFM__PRIVATE
#define HFM__PRIVATE HFM__STATIC_RARE
#include "run/estimate.c"
#include "run/contents.c"
#include "run/check.c"

#endif /* HFMODEL_IMPLEMENTATION */
