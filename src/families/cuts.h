/* ==== families/cuts (private): which families this build has ======================================================
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
