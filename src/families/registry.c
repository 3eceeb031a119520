/* ==== families/registry (private): which model types there are ====================================================
   One line makes a model type: its torch class prefix, its configuration class, its family and what sets it apart
   there. The public table, the lists in error messages and the README's table follow from it. HFMODEL_ONLY_X and
   HFMODEL_NO_X cut families. */

typedef struct hfm__arch {
  const char *model_type, *prefix;
  const hfm__config_class *config;
  const hfm__family *family;
  const void *traits;
} hfm__arch;

static const hfm__arch hfm__archs[] = {
#ifdef HFM__WITH_BERT
    {"bert", "Bert", &hfm__bert_config_class, &hfm__bert_family, &hfm__bert_itself},
#endif
#ifdef HFM__WITH_ROBERTA
    {"roberta", "Roberta", &hfm__roberta_config_class, &hfm__roberta_family, &hfm__roberta_itself},
    {"xlm-roberta", "XLMRoberta", &hfm__xlm_roberta_config_class, &hfm__roberta_family, &hfm__xlm_roberta_traits},
    {"camembert", "Camembert", &hfm__xlm_roberta_config_class, &hfm__roberta_family, &hfm__xlm_roberta_traits},
#endif
#ifdef HFM__WITH_DISTILBERT
    {"distilbert", "DistilBert", &hfm__distilbert_config_class, &hfm__distilbert_family, NULL},
#endif
#ifdef HFM__WITH_GPT2
    {"gpt2", "GPT2", &hfm__gpt2_config_class, &hfm__gpt2_family, &hfm__gpt2_class},
#endif
#ifdef HFM__WITH_OPT
    {"opt", "OPT", &hfm__opt_config_class, &hfm__opt_family, &hfm__opt_class},
#endif
#ifdef HFM__WITH_GPT_NEOX
    {"gpt_neox", "GPTNeoX", &hfm__gpt_neox_config_class, &hfm__gpt_neox_family, &hfm__gpt_neox_class},
#endif
#ifdef HFM__WITH_GPT_NEO
    {"gpt_neo", "GPTNeo", &hfm__gpt_neo_config_class, &hfm__gpt_neo_family, &hfm__gpt_neo_class},
#endif
#ifdef HFM__WITH_PHI
    {"phi", "Phi", &hfm__phi_config_class, &hfm__phi_family, &hfm__phi_class},
#endif
#ifdef HFM__WITH_FALCON
    {"falcon", "Falcon", &hfm__falcon_config_class, &hfm__falcon_family, &hfm__falcon_class},
#endif
#ifdef HFM__WITH_BLOOM
    {"bloom", "Bloom", &hfm__bloom_config_class, &hfm__bloom_family, &hfm__bloom_class},
#endif
#ifdef HFM__WITH_LLAMA
    {"llama", "Llama", &hfm__llama_config_class, &hfm__decoder_family, &hfm__llama_itself},
    {"mistral", "Mistral", &hfm__mistral_config_class, &hfm__decoder_family, &hfm__mistral_traits},
    {"ministral", "Ministral", &hfm__ministral_config_class, &hfm__decoder_family, &hfm__ministral_traits},
    {"qwen2", "Qwen2", &hfm__qwen2_config_class, &hfm__decoder_family, &hfm__qwen2_traits},
    {"qwen3", "Qwen3", &hfm__qwen3_config_class, &hfm__decoder_family, &hfm__qwen3_traits},
    {"smollm3", "SmolLM3", &hfm__smollm3_config_class, &hfm__decoder_family, &hfm__smollm3_traits},
#endif
#ifdef HFM__WITH_OLMO2
    {"olmo2", "Olmo2", &hfm__olmo2_config_class, &hfm__olmo2_family, &hfm__olmo2_traits},
#endif
#ifdef HFM__WITH_GEMMA
    {"gemma", "Gemma", &hfm__gemma_config_class, &hfm__gemma_family, &hfm__gemma_itself},
    {"gemma2", "Gemma2", &hfm__gemma2_config_class, &hfm__gemma_family, &hfm__gemma2_traits},
    {"gemma3_text", "Gemma3", &hfm__gemma3_config_class, &hfm__gemma3_family, &hfm__gemma3_traits},
#endif
#ifdef HFM__WITH_GRANITE
    {"granite", "Granite", &hfm__granite_config_class, &hfm__granite_family, &hfm__granite_traits},
#endif
#ifdef HFM__WITH_PHI3
    {"phi3", "Phi3", &hfm__phi3_config_class, &hfm__phi3_family, &hfm__phi3_traits},
#endif
#ifdef HFM__WITH_MIXTRAL
    {"mixtral", "Mixtral", &hfm__mixtral_config_class, &hfm__mixtral_family, &hfm__mixtral_itself},
    {"qwen3_moe", "Qwen3Moe", &hfm__qwen3_moe_config_class, &hfm__qwen3_moe_family, &hfm__qwen3_moe_traits},
#endif
#ifdef HFM__WITH_T5
    {"t5", "T5", &hfm__t5_config_class, &hfm__t5_family, &hfm__t5_itself},
    {"mt5", "MT5", &hfm__mt5_config_class, &hfm__t5_family, &hfm__mt5_traits},
#endif
#ifdef HFM__WITH_BART
    {"bart", "Bart", &hfm__bart_config_class, &hfm__bart_family, &hfm__bart_itself},
    {"mbart", "MBart", &hfm__mbart_config_class, &hfm__mbart_family, &hfm__mbart_traits},
    {"marian", "Marian", &hfm__marian_config_class, &hfm__marian_family, &hfm__marian_traits},
    {"pegasus", "Pegasus", &hfm__pegasus_config_class, &hfm__pegasus_family, &hfm__pegasus_traits},
    {"m2m_100", "M2M100", &hfm__m2m_100_config_class, &hfm__pegasus_family, &hfm__m2m_100_traits},
#endif
#ifdef HFM__WITH_VIT
    {"vit", "ViT", &hfm__vit_config_class, &hfm__vit_family, &hfm__vit_itself},
    {"deit", "DeiT", &hfm__vit_config_class, &hfm__deit_family, &hfm__deit_traits},
#endif
    {NULL, NULL, NULL, NULL, NULL}};

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

/* AutoConfig's rule: a mistral whose file has layer_types is a ministral, which has the same classes. */
HFM__PRIVATE const hfm__arch *hfm__arch_in_fact(const hfm__arch *arch, const hfm_config *config) {
  const int alternating = hfm__equal(arch->model_type, "mistral") && hfm__config_find(config, "layer_types").node != 0;
  return alternating ? hfm__arch_find("ministral") : arch;
}

HFM__PRIVATE const hfm__config_class *hfm__config_class_find(const char *model_type) {
  const hfm__arch *arch = hfm__arch_find(model_type);
  return arch ? arch->config : NULL;
}

/* Does config.json's `architectures` list that class? */
HFM__PRIVATE int hfm__is_listed(const hfm_config *config, const hfm__arch *arch, const hfm__head *head) {
  const hfm__config_value list = hfm__config_find(config, "architectures");
  for (uint32_t node = hfm__json_first(list.doc, list.node); node; node = hfm__json_following(list.doc, node)) {
    const char *name = hfm__json_text(list.doc, node);
    if (name && hfm__is_class(arch, head, name)) return 1;
  }
  return 0;
}

/* The head for a task. HFM_TASK_FROM_CONFIG, and the choice between two of one task, go by the classes in
   `architectures` (`config` may be NULL: none is named). NULL if there is none. */
HFM__PRIVATE const hfm__head *hfm__head_find(const hfm__arch *arch, hfm_task task, const hfm_config *config) {
  const char *architecture = config ? hfm_config_get_string(config, "architectures.0", NULL) : NULL;
  const hfm__head *first = NULL;
  for (const hfm__head *head = arch->family->heads; head->suffix; head++) {
    const int named = architecture && (task == HFM_TASK_FROM_CONFIG ? hfm__is_class(arch, head, architecture)
                                                                    : hfm__is_listed(config, arch, head));
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
                     "model type %q is not supported; supported are: %s", type, t.length ? list : "none in this build");
  }
  if (task < 0 || task > HFM_TASK_FROM_CONFIG)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "task", 0, "options.task is %d, which is no HFM task",
                     (int)task);
  *head = hfm__head_find(*arch, task, config); /* architectures has the classes of the type that the file names */
  *arch = hfm__arch_in_fact(*arch, config);
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
  if (!t.length)
    return hfm__fail(error, HFM_E_TASK_UNSUPPORTED, config->file, "model_type", 0,
                     "model type '%s' has no %s (%s), nor has any other in this build", type,
                     hfm__tasks[task].auto_class, hfm__tasks[task].name);
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
