/* ==== families/cuts (private): which families this build has ======================================================
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

/* Those with families/causal.c's heads. */
#if defined(HFM__WITH_GPT2) || defined(HFM__WITH_OPT) || defined(HFM__WITH_GPT_NEOX) || defined(HFM__WITH_GPT_NEO) || \
    defined(HFM__WITH_PHI) || defined(HFM__WITH_FALCON) || defined(HFM__WITH_BLOOM)
#define HFM__WITH_CAUSAL
#endif
