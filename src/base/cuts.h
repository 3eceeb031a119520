/* ==== base/cuts (private): which families this build has, and what only some of them need ==========================
   HFMODEL_ONLY_X: just X (several may be given); HFMODEL_NO_X: all but X. */

#if !defined(HFMODEL_ONLY_BERT) && !defined(HFMODEL_ONLY_ROBERTA) && !defined(HFMODEL_ONLY_DISTILBERT) && \
    !defined(HFMODEL_ONLY_GPT2) && !defined(HFMODEL_ONLY_OPT) && !defined(HFMODEL_ONLY_GPT_NEOX) && \
    !defined(HFMODEL_ONLY_GPT_NEO) && !defined(HFMODEL_ONLY_PHI) && !defined(HFMODEL_ONLY_FALCON) && \
    !defined(HFMODEL_ONLY_BLOOM) && !defined(HFMODEL_ONLY_LLAMA) && !defined(HFMODEL_ONLY_GEMMA) && \
    !defined(HFMODEL_ONLY_OLMO2) && !defined(HFMODEL_ONLY_GRANITE) && !defined(HFMODEL_ONLY_PHI3) && \
    !defined(HFMODEL_ONLY_MIXTRAL) && !defined(HFMODEL_ONLY_T5) && !defined(HFMODEL_ONLY_BART) && \
    !defined(HFMODEL_ONLY_VIT)
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
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_OPT)) && !defined(HFMODEL_NO_OPT)
#define HFM__WITH_OPT
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_GPT_NEOX)) && !defined(HFMODEL_NO_GPT_NEOX)
#define HFM__WITH_GPT_NEOX
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_GPT_NEO)) && !defined(HFMODEL_NO_GPT_NEO)
#define HFM__WITH_GPT_NEO
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_PHI)) && !defined(HFMODEL_NO_PHI)
#define HFM__WITH_PHI
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_FALCON)) && !defined(HFMODEL_NO_FALCON)
#define HFM__WITH_FALCON
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_BLOOM)) && !defined(HFMODEL_NO_BLOOM)
#define HFM__WITH_BLOOM
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_LLAMA)) && !defined(HFMODEL_NO_LLAMA)
#define HFM__WITH_LLAMA
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_OLMO2)) && !defined(HFMODEL_NO_OLMO2)
#define HFM__WITH_OLMO2
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_GEMMA)) && !defined(HFMODEL_NO_GEMMA)
#define HFM__WITH_GEMMA
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_GRANITE)) && !defined(HFMODEL_NO_GRANITE)
#define HFM__WITH_GRANITE
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_PHI3)) && !defined(HFMODEL_NO_PHI3)
#define HFM__WITH_PHI3
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_MIXTRAL)) && !defined(HFMODEL_NO_MIXTRAL)
#define HFM__WITH_MIXTRAL
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_T5)) && !defined(HFMODEL_NO_T5)
#define HFM__WITH_T5
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_BART)) && !defined(HFMODEL_NO_BART)
#define HFM__WITH_BART
#endif
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_VIT)) && !defined(HFMODEL_NO_VIT)
#define HFM__WITH_VIT
#endif

/* Decoders before Llama, and those after it, over families/decoder.c. Both have the heads of families/causal.c. */
#if defined(HFM__WITH_GPT2) || defined(HFM__WITH_OPT) || defined(HFM__WITH_GPT_NEOX) || defined(HFM__WITH_GPT_NEO) || \
    defined(HFM__WITH_PHI) || defined(HFM__WITH_FALCON) || defined(HFM__WITH_BLOOM)
#define HFM__WITH_CAUSAL
#endif
#if defined(HFM__WITH_LLAMA) || defined(HFM__WITH_OLMO2) || defined(HFM__WITH_GEMMA) || defined(HFM__WITH_GRANITE) || \
    defined(HFM__WITH_PHI3) || defined(HFM__WITH_MIXTRAL)
#define HFM__WITH_LLAMA_KIN
#endif

/* What only some families need: without them its ops, kernels and builder functions are not there, and a family that
   uses them does not compile. HFM__FOR_...(row) is that row of a list, or nothing; what HFM__HAS_... 0 rules out is
   never reached, and compilers drop it. With HFMODEL_NO_CACHE decoders keep no states: hfm__cached gives back its x. */
#if !defined(HFMODEL_NO_CACHE) && \
    (defined(HFM__WITH_BERT) || defined(HFM__WITH_ROBERTA) || defined(HFM__WITH_CAUSAL) || \
     defined(HFM__WITH_LLAMA_KIN) || defined(HFM__WITH_T5) || defined(HFM__WITH_BART))
#define HFM__FOR_STATES(row) row
#define HFM__HAS_STATES 1
#else
#define HFM__FOR_STATES(row)
#define HFM__HAS_STATES 0
#endif
#define HFM__HAS_GENERATION HFM__HAS_STATES
#ifdef HFMODEL_NO_GENERATION
#undef HFM__HAS_GENERATION
#define HFM__HAS_GENERATION 0
#endif
#if defined(HFM__WITH_CAUSAL) || defined(HFM__WITH_LLAMA_KIN)
#define HFM__WITH_DECODERS /* packed sequences, the last token's row */
#define HFM__FOR_DECODERS(row) row
#define HFM__HAS_SEGMENTS 1
#else
#define HFM__FOR_DECODERS(row)
#define HFM__HAS_SEGMENTS 0
#endif
#if defined(HFM__WITH_T5) || defined(HFM__WITH_BART)
#define HFM__WITH_SEQ2SEQ /* the decoder's ids from the encoder's, the row of the last EOS */
#define HFM__FOR_SEQ2SEQ(row) row
#define HFM__HAS_SEQ2SEQ 1
#else
#define HFM__FOR_SEQ2SEQ(row)
#define HFM__HAS_SEQ2SEQ 0
#endif
#if defined(HFM__WITH_DECODERS) || defined(HFM__WITH_SEQ2SEQ)
#define HFM__WITH_ROWS
#define HFM__FOR_ROWS(row) row
#else
#define HFM__FOR_ROWS(row)
#endif
#if defined(HFM__WITH_ROBERTA) || defined(HFM__WITH_BART)
#define HFM__WITH_PADDED_POSITIONS
#define HFM__FOR_PADDED_POSITIONS(row) row
#else
#define HFM__FOR_PADDED_POSITIONS(row)
#endif
#if defined(HFM__WITH_BART)
#define HFM__WITH_SINUSOIDS
#define HFM__FOR_SINUSOIDS(row) row
#else
#define HFM__FOR_SINUSOIDS(row)
#endif
#if defined(HFM__WITH_OPT) || defined(HFM__WITH_BLOOM) || defined(HFM__WITH_FALCON)
#define HFM__WITH_MASK_POSITIONS
#define HFM__FOR_MASK_POSITIONS(row) row
#else
#define HFM__FOR_MASK_POSITIONS(row)
#endif
#if defined(HFM__WITH_BLOOM) || defined(HFM__WITH_FALCON)
#define HFM__WITH_ALIBI
#define HFM__FOR_ALIBI(row) row
#else
#define HFM__FOR_ALIBI(row)
#endif
#if defined(HFM__WITH_T5)
#define HFM__WITH_RELATIVE_BIAS
#define HFM__FOR_RELATIVE_BIAS(row) row
#else
#define HFM__FOR_RELATIVE_BIAS(row)
#endif
#if defined(HFM__WITH_LLAMA_KIN) || defined(HFM__WITH_GPT_NEOX) || defined(HFM__WITH_PHI) || defined(HFM__WITH_FALCON)
#define HFM__WITH_ROPE
#define HFM__FOR_ROPE(row) row
#else
#define HFM__FOR_ROPE(row)
#endif
#if defined(HFM__WITH_LLAMA_KIN) || defined(HFM__WITH_T5)
#define HFM__WITH_RMS_NORM
#define HFM__FOR_RMS_NORM(row) row
#else
#define HFM__FOR_RMS_NORM(row)
#endif
/* Of attention: a bias or a bound of scores; sliding windows. */
#if defined(HFM__WITH_LLAMA_KIN) || defined(HFM__WITH_ALIBI) || defined(HFM__WITH_RELATIVE_BIAS)
#define HFM__FOR_OWN_SCORES(row) row
#define HFM__HAS_OWN_SCORES 1
#else
#define HFM__FOR_OWN_SCORES(row)
#define HFM__HAS_OWN_SCORES 0
#endif
#if defined(HFM__WITH_LLAMA_KIN) || defined(HFM__WITH_GPT_NEO)
#define HFM__FOR_WINDOWS(row) row
#define HFM__HAS_WINDOWS 1
#else
#define HFM__FOR_WINDOWS(row)
#define HFM__HAS_WINDOWS 0
#endif
#if defined(HFM__WITH_MIXTRAL)
#define HFM__WITH_EXPERTS /* whose weights are stacks of matrices, and may be in pieces */
#define HFM__FOR_EXPERTS(row) row
#define HFM__HAS_STACKS 1
#else
#define HFM__FOR_EXPERTS(row)
#define HFM__HAS_STACKS 0
#endif
#if defined(HFM__WITH_LLAMA_KIN) || defined(HFM__WITH_T5) || defined(HFM__WITH_VIT) || \
    defined(HFM__WITH_BART)
#define HFM__WITH_MUL
#define HFM__FOR_MUL(row) row
#else
#define HFM__FOR_MUL(row)
#endif
#if defined(HFM__WITH_VIT)
#define HFM__WITH_IMAGES /* patches of images, tokens in front of them */
#define HFM__FOR_IMAGES(row) row
#else
#define HFM__FOR_IMAGES(row)
#endif
