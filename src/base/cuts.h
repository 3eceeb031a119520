/* ==== base/cuts (private): which families this build has, and what only some of them need ==========================
   HFMODEL_ONLY_X: just X (several may be given); HFMODEL_NO_X: all but X. */

#if !defined(HFMODEL_ONLY_BERT) && !defined(HFMODEL_ONLY_ROBERTA) && !defined(HFMODEL_ONLY_DISTILBERT) && \
    !defined(HFMODEL_ONLY_GPT2) && !defined(HFMODEL_ONLY_LLAMA) && !defined(HFMODEL_ONLY_GEMMA) && \
    !defined(HFMODEL_ONLY_GRANITE) && !defined(HFMODEL_ONLY_PHI3) && !defined(HFMODEL_ONLY_MIXTRAL) && \
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
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_LLAMA)) && !defined(HFMODEL_NO_LLAMA)
#define HFM__WITH_LLAMA
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
#if (defined(HFM__ALL_FAMILIES) || defined(HFMODEL_ONLY_VIT)) && !defined(HFMODEL_NO_VIT)
#define HFM__WITH_VIT
#endif

/* What only some families need: without them its ops, kernels and builder functions are not there, and a family that
   uses them does not compile. HFM__FOR_...(row) is that row of a list, or nothing. */
#if defined(HFM__WITH_ROBERTA)
#define HFM__WITH_PADDED_POSITIONS
#define HFM__FOR_PADDED_POSITIONS(row) row
#else
#define HFM__FOR_PADDED_POSITIONS(row)
#endif
#if defined(HFM__WITH_LLAMA) || defined(HFM__WITH_GEMMA) || defined(HFM__WITH_GRANITE) || defined(HFM__WITH_PHI3) || \
    defined(HFM__WITH_MIXTRAL)
#define HFM__WITH_ROPE
#define HFM__FOR_ROPE(row) row
#define HFM__WITH_RMS_NORM
#define HFM__FOR_RMS_NORM(row) row
#else
#define HFM__FOR_ROPE(row)
#define HFM__FOR_RMS_NORM(row)
#endif
#if defined(HFM__WITH_MIXTRAL)
#define HFM__WITH_EXPERTS
#define HFM__FOR_EXPERTS(row) row
#else
#define HFM__FOR_EXPERTS(row)
#endif
#if defined(HFM__WITH_GPT2) || defined(HFM__WITH_ROPE)
#define HFM__WITH_DECODERS /* key-value cache, packed sequences, the last token's row */
#define HFM__FOR_DECODERS(row) row
#define HFM__HAS_STATES 1 /* 0: what handles states can't be reached, and compilers drop it */
#else
#define HFM__FOR_DECODERS(row)
#define HFM__HAS_STATES 0
#endif
#if defined(HFM__WITH_ROPE) || defined(HFM__WITH_VIT)
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
