"""The table of make_fixtures.py: which models exist, and what is loaded and run.

MODELS says what save_pretrained writes, CASES what a test loads from it and which inputs it runs.
"""

DROP = "<drop>"  # as a value in a config override: remove the key

# ---- Sizes: nothing is a power of two that could hide a stride --------------------------------------------------

ONE = {"num_hidden_layers": 1}
LABELS1 = {"id2label": {0: "score"}}
LABELS3 = {"id2label": {0: "no", 1: "yes", 2: "maybe"}}
LABELS5 = {"id2label": {i: f"kind {i}" for i in range(5)}}

BERT = dict(vocab_size=97, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=52,
            max_position_embeddings=40, type_vocab_size=2)
BERT_SMALL = dict(BERT, vocab_size=61, hidden_size=18, intermediate_size=26)
ROBERTA = dict(vocab_size=97, hidden_size=30, num_hidden_layers=2, num_attention_heads=5, intermediate_size=44,
               max_position_embeddings=42, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)
ROBERTA_SMALL = dict(ROBERTA, vocab_size=61, hidden_size=18, num_attention_heads=3, intermediate_size=26)
ROBERTA_ONE = dict(ROBERTA_SMALL, **ONE)
DISTIL = dict(vocab_size=97, dim=30, n_layers=3, n_heads=5, hidden_dim=44, max_position_embeddings=40)
DISTIL_SMALL = dict(DISTIL, vocab_size=61, dim=18, n_heads=3, n_layers=2, hidden_dim=26)
GPT2 = dict(vocab_size=97, n_embd=36, n_layer=2, n_head=3, n_inner=52, n_positions=40, bos_token_id=96,
            eos_token_id=96, pad_token_id=0)
GPT2_SMALL = dict(GPT2, vocab_size=61, bos_token_id=60, eos_token_id=60, n_embd=18, n_inner=None)
GPT2_ONE = dict(GPT2_SMALL, n_layer=1)
TEXT = dict(vocab_size=61, hidden_size=18, num_hidden_layers=2, num_attention_heads=3, pad_token_id=0, bos_token_id=1,
            eos_token_id=2)
OPT = dict(TEXT, pad_token_id=1, ffn_dim=26, max_position_embeddings=40)
OPT_350M = dict(OPT, do_layer_norm_before=False, word_embed_proj_dim=10)
OPT_ONE = dict(OPT, **ONE)
GPT_NEOX = dict(TEXT, hidden_size=36, intermediate_size=26, max_position_embeddings=24, rotary_pct=0.5)
GPT_NEOX_ONE = dict(GPT_NEOX, **ONE)
GPT_NEO = dict(TEXT, attention_types=[[["global", "local"], 1]], window_size=7, intermediate_size=26,
               max_position_embeddings=40)
GPT_NEO_ONE = dict(GPT_NEO, num_hidden_layers=1, attention_types=[[["local"], 1]], window_size=5)
PHI = dict(TEXT, hidden_size=36, num_key_value_heads=1, intermediate_size=26, max_position_embeddings=24)
PHI_ONE = dict(PHI, **ONE)
FALCON = dict(TEXT, hidden_size=36, num_attention_heads=6, ffn_hidden_size=50, max_position_embeddings=24)
FALCON_40B = dict(FALCON, new_decoder_architecture=True, num_kv_heads=2)
FALCON_RW = dict(FALCON, hidden_size=18, num_attention_heads=3, alibi=True, multi_query=False, parallel_attn=False,
                 bias=True)
FALCON_ONE = dict(FALCON, hidden_size=18, num_attention_heads=3, **ONE)
BLOOM = dict(TEXT)
BLOOM_ONE = dict(BLOOM, **ONE)
LLAMA = dict(vocab_size=97, hidden_size=36, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
             intermediate_size=52, max_position_embeddings=24, pad_token_id=0, bos_token_id=1, eos_token_id=2)
LLAMA_SMALL = dict(LLAMA, vocab_size=61, hidden_size=20, num_attention_heads=5, num_key_value_heads=1, head_dim=6,
                   intermediate_size=28)
LLAMA_ONE = dict(LLAMA_SMALL, **ONE)
MISTRAL = dict(LLAMA, head_dim=6, sliding_window=5)
MISTRAL_SMALL = dict(LLAMA_SMALL, sliding_window=5)
MISTRAL_ONE = dict(MISTRAL_SMALL, **ONE)
QWEN2 = dict(LLAMA, num_hidden_layers=3, use_sliding_window=False, sliding_window=5, max_window_layers=1)
QWEN2_SMALL = dict(QWEN2, vocab_size=61, hidden_size=30, num_hidden_layers=2, num_attention_heads=5,
                   num_key_value_heads=1, intermediate_size=28)
QWEN2_ONE = dict(QWEN2_SMALL, **ONE)
QWEN3 = dict(QWEN2, head_dim=10, num_attention_heads=3, num_key_value_heads=1)
QWEN3_SMALL = dict(QWEN3, vocab_size=61, hidden_size=20, num_hidden_layers=2, intermediate_size=28)
QWEN3_ONE = dict(QWEN3_SMALL, **ONE)
SMOLLM3 = dict(LLAMA, num_hidden_layers=4, sliding_window=5, no_rope_layer_interval=2)
SMOLLM3_SMALL = dict(LLAMA_SMALL, no_rope_layers=[1, 0])
OLMO2 = dict(LLAMA, hidden_size=30, num_attention_heads=3, num_key_value_heads=1)
OLMO2_SMALL = dict(OLMO2, vocab_size=61, hidden_size=18, intermediate_size=28)
GEMMA = dict(LLAMA, hidden_size=30, num_attention_heads=5, num_key_value_heads=1, head_dim=6)
GEMMA_SMALL = dict(GEMMA, vocab_size=61, hidden_size=21, num_attention_heads=3, intermediate_size=28)
GEMMA_ONE = dict(GEMMA_SMALL, **ONE)
GEMMA2 = dict(GEMMA, num_hidden_layers=3, sliding_window=5, query_pre_attn_scalar=11, attn_logit_softcapping=2.5,
              final_logit_softcapping=7.0)
GEMMA2_SMALL = dict(GEMMA2, vocab_size=61, hidden_size=21, num_hidden_layers=2, num_attention_heads=3,
                    intermediate_size=28)
GEMMA2_ONE = dict(GEMMA2_SMALL, **ONE)
GEMMA3 = dict(GEMMA2, num_hidden_layers=4, layer_types=["sliding_attention", "sliding_attention", "full_attention",
                                                        "sliding_attention"], rope_parameters={
    "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
    "full_attention": {"rope_type": "linear", "factor": 2.5, "rope_theta": 5000.0}})
GEMMA3_SMALL = dict(GEMMA2_SMALL, num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"],
                    attn_logit_softcapping=None)
GRANITE = dict(LLAMA, embedding_multiplier=3, residual_multiplier=0.6, attention_multiplier=0.3, logits_scaling=2.5)
GRANITE_SMALL = dict(LLAMA_SMALL, embedding_multiplier=1.5, residual_multiplier=0.35, attention_multiplier=0.4,
                     logits_scaling=7)
PHI3 = dict(LLAMA, num_attention_heads=3, num_key_value_heads=1, original_max_position_embeddings=12)
PHI3_SMALL = dict(PHI3, vocab_size=61, hidden_size=18, intermediate_size=27)
PHI3_ONE = dict(PHI3_SMALL, **ONE)
MIXTRAL = dict(LLAMA, intermediate_size=21, num_local_experts=5, num_experts_per_tok=2)
MIXTRAL_SMALL = dict(LLAMA_SMALL, num_hidden_layers=1, intermediate_size=13, num_local_experts=3, num_experts_per_tok=2)
QWEN3_MOE = dict(QWEN3, num_experts=7, num_experts_per_tok=3, moe_intermediate_size=11, intermediate_size=28,
                 decoder_sparse_step=1, mlp_only_layers=[1])
QWEN3_MOE_SMALL = dict(QWEN3_MOE, vocab_size=61, hidden_size=20, num_hidden_layers=1, num_experts=3,
                       num_experts_per_tok=2, norm_topk_prob=True, mlp_only_layers=[])
T5 = dict(vocab_size=83, d_model=30, d_kv=6, d_ff=44, num_layers=2, num_heads=5, relative_attention_num_buckets=10,
          relative_attention_max_distance=27, decoder_start_token_id=0)
T5_SMALL = dict(T5, vocab_size=61, d_model=21, d_kv=7, d_ff=28, num_heads=3, num_layers=1, num_decoder_layers=2)
BART = dict(vocab_size=83, d_model=30, encoder_layers=2, decoder_layers=1, encoder_ffn_dim=44, decoder_ffn_dim=38,
            encoder_attention_heads=5, decoder_attention_heads=3, max_position_embeddings=96)
BART_SMALL = dict(BART, vocab_size=61, d_model=21, encoder_layers=1, encoder_ffn_dim=26, decoder_ffn_dim=28,
                  encoder_attention_heads=3, decoder_attention_heads=7)
MBART = dict(BART, pad_token_id=1, eos_token_id=2)
MBART_SMALL = dict(BART_SMALL, pad_token_id=1, eos_token_id=2)
MARIAN = dict(BART, pad_token_id=82, eos_token_id=0, decoder_start_token_id=82, bad_words_ids=[[82]])
MARIAN_SMALL = dict(BART_SMALL, pad_token_id=46, eos_token_id=0, decoder_start_token_id=46)
PEGASUS = dict(BART, pad_token_id=0, eos_token_id=1)
PEGASUS_SMALL = dict(BART_SMALL, pad_token_id=0, eos_token_id=1)
M2M = dict(BART, max_position_embeddings=24)  # texts may be longer
M2M_SMALL = dict(BART_SMALL, max_position_embeddings=24)
VIT = dict(hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=52, image_size=[15, 24],
           patch_size=[5, 6], num_channels=3)
VIT_SMALL = dict(VIT, hidden_size=18, intermediate_size=26, image_size=14, patch_size=7)


# ---- MODELS: directory -> class, configuration, how it is stored ------------------------------------------------
# dtype: stored that way. shard: max_shard_size. variant, subfolder: of save_pretrained. edit: changes the finished
# files into what old or foreign checkpoints look like (see the functions edit_*).

MODELS = {}


def model(directory, cls, config, **how):
    MODELS[directory] = (cls, config, how)


model("bert_base", "BertModel", BERT)
model("bert_sequence", "BertForSequenceClassification", dict(BERT_SMALL, **LABELS3))
model("bert_sequence1", "BertForSequenceClassification", dict(BERT_SMALL, **LABELS1, classifier_dropout=0.25))
model("bert_token", "BertForTokenClassification", dict(BERT_SMALL, **LABELS5))
model("bert_question", "BertForQuestionAnswering", BERT_SMALL)
model("bert_masked", "BertForMaskedLM", BERT_SMALL)
model("bert_masked_untied", "BertForMaskedLM", dict(BERT_SMALL, tie_word_embeddings=False))
model("bert_causal", "BertLMHeadModel", dict(BERT_SMALL, is_decoder=True))
model("bert_f16", "BertModel", BERT_SMALL, dtype="float16")
model("bert_bf16", "BertModel", BERT_SMALL, dtype="bfloat16")
model("bert_f64", "BertModel", BERT_SMALL, dtype="float64")
model("bert_mixed", "BertForSequenceClassification", dict(BERT_SMALL, **LABELS3), edit="mixed_dtypes")
model("bert_sharded", "BertModel", BERT_SMALL, shard="12KB")
model("bert_variant", "BertModel", BERT_SMALL, dtype="float16", variant="fp16")
model("bert_variant_sharded", "BertModel", BERT_SMALL, dtype="float16", variant="fp16", shard="7KB")
model("bert_subfolder", "BertModel", BERT_SMALL, subfolder="inner")
model("bert_old_names", "BertForMaskedLM", BERT_SMALL, edit="bert_old_names")
model("bert_wide", "BertModel", dict(BERT, vocab_size=61, hidden_size=99, num_hidden_layers=1, intermediate_size=260),
      dtype="float16")
model("bert_deep", "BertModel", dict(BERT, vocab_size=13, hidden_size=6, num_hidden_layers=12, intermediate_size=5,
                                     max_position_embeddings=8))
model("bert_tied_present", "BertForMaskedLM", BERT_SMALL, edit="tied_present")
model("bert_tied_target_only", "BertForMaskedLM", BERT_SMALL, edit="tied_target_only")
model("bert_tied_differs", "BertForMaskedLM", BERT_SMALL, edit="tied_differs")

model("roberta_base", "RobertaModel", ROBERTA)
model("roberta_sequence", "RobertaForSequenceClassification", dict(ROBERTA_SMALL, **LABELS3))
model("roberta_token", "RobertaForTokenClassification", dict(ROBERTA_SMALL, **LABELS5))
model("roberta_question", "RobertaForQuestionAnswering", ROBERTA_SMALL)
model("roberta_masked", "RobertaForMaskedLM", ROBERTA_SMALL, edit="roberta_position_ids")
model("roberta_causal", "RobertaForCausalLM", dict(ROBERTA_ONE, is_decoder=True))
model("xlm_roberta_base", "XLMRobertaModel", ROBERTA_ONE)
model("xlm_roberta_sequence", "XLMRobertaForSequenceClassification", dict(ROBERTA_ONE, **LABELS1))
model("xlm_roberta_token", "XLMRobertaForTokenClassification", dict(ROBERTA_ONE, **LABELS3))
model("xlm_roberta_question", "XLMRobertaForQuestionAnswering", ROBERTA_ONE)
model("xlm_roberta_masked", "XLMRobertaForMaskedLM", ROBERTA_ONE)
model("xlm_roberta_causal", "XLMRobertaForCausalLM", dict(ROBERTA_ONE, is_decoder=True))
model("camembert_base", "CamembertModel", ROBERTA_ONE)
model("camembert_sequence", "CamembertForSequenceClassification", dict(ROBERTA_ONE, **LABELS5))
model("camembert_token", "CamembertForTokenClassification", dict(ROBERTA_ONE, **LABELS3))
model("camembert_question", "CamembertForQuestionAnswering", ROBERTA_ONE)
model("camembert_masked", "CamembertForMaskedLM", ROBERTA_ONE)

model("camembert_causal", "CamembertForCausalLM", ROBERTA_ONE)
model("distilbert_base", "DistilBertModel", DISTIL)
model("distilbert_sequence", "DistilBertForSequenceClassification", dict(DISTIL_SMALL, **LABELS3))
model("distilbert_sinusoidal", "DistilBertForSequenceClassification",
      dict(DISTIL_SMALL, **LABELS3, sinusoidal_pos_embds=True), edit="no_positions")
model("distilbert_token", "DistilBertForTokenClassification", dict(DISTIL_SMALL, **LABELS5))
model("distilbert_question", "DistilBertForQuestionAnswering", DISTIL_SMALL)
model("distilbert_masked", "DistilBertForMaskedLM", DISTIL_SMALL)

model("gpt2_base", "GPT2Model", GPT2)
model("gpt2_causal", "GPT2LMHeadModel", GPT2_SMALL)
model("gpt2_causal_untied", "GPT2LMHeadModel", dict(GPT2_SMALL, tie_word_embeddings=False))
model("gpt2_sequence", "GPT2ForSequenceClassification", dict(GPT2_SMALL, **LABELS3))
model("gpt2_token", "GPT2ForTokenClassification", dict(GPT2_ONE, **LABELS5))
model("gpt2_question", "GPT2ForQuestionAnswering", GPT2_ONE)
model("gpt2_old_names", "GPT2LMHeadModel", GPT2_SMALL, edit="gpt2_old_names")

model("opt_base", "OPTModel", OPT)
model("opt_causal", "OPTForCausalLM", OPT_350M)
model("opt_sequence", "OPTForSequenceClassification", dict(OPT_350M, **ONE, **LABELS3))
model("opt_question", "OPTForQuestionAnswering", OPT_ONE)
model("opt_bare", "OPTForCausalLM", dict(OPT_ONE, tie_word_embeddings=False, enable_bias=False,
                                         _remove_final_layer_norm=True, layer_norm_elementwise_affine=False,
                                         activation_function="gelu"))
model("gpt_neox_base", "GPTNeoXModel", GPT_NEOX)
model("gpt_neox_causal", "GPTNeoXForCausalLM", GPT_NEOX_ONE)
model("gpt_neox_causal_tied", "GPTNeoXForCausalLM", dict(GPT_NEOX_ONE, tie_word_embeddings=True, attention_bias=False))
model("gpt_neox_sequence", "GPTNeoXForSequenceClassification", dict(GPT_NEOX_ONE, **LABELS3))
model("gpt_neox_token", "GPTNeoXForTokenClassification", dict(GPT_NEOX_ONE, **LABELS5))
model("gpt_neox_question", "GPTNeoXForQuestionAnswering", GPT_NEOX_ONE)
model("gpt_neox_old_names", "GPTNeoXForCausalLM", GPT_NEOX_ONE, edit="gpt_neox_old_names")
model("gpt_neo_base", "GPTNeoModel", GPT_NEO)
model("gpt_neo_causal", "GPTNeoForCausalLM", GPT_NEO_ONE)
model("gpt_neo_sequence", "GPTNeoForSequenceClassification", dict(GPT_NEO_ONE, **LABELS3))
model("gpt_neo_token", "GPTNeoForTokenClassification", dict(GPT_NEO_ONE, **LABELS5))
model("gpt_neo_question", "GPTNeoForQuestionAnswering", GPT_NEO_ONE)
model("gpt_neo_old_names", "GPTNeoForCausalLM", GPT_NEO_ONE, edit="gpt_neo_old_names")
model("phi_base", "PhiModel", PHI)
model("phi_causal", "PhiForCausalLM", PHI_ONE)
model("phi_sequence", "PhiForSequenceClassification", dict(PHI_ONE, **LABELS3))
model("phi_token", "PhiForTokenClassification", dict(PHI_ONE, **LABELS5))
model("phi_norms", "PhiForCausalLM", dict(PHI_ONE, num_key_value_heads=None, qk_layernorm=True,
                                          tie_word_embeddings=True))
model("falcon_base", "FalconModel", FALCON)
model("falcon_40b", "FalconModel", FALCON_40B)
model("falcon_rw", "FalconForCausalLM", FALCON_RW)
model("falcon_causal", "FalconForCausalLM", dict(FALCON_40B, num_ln_in_parallel_attn=1, bias=True, **ONE))
model("falcon_sequence", "FalconForSequenceClassification", dict(FALCON_ONE, **LABELS3))
model("falcon_token", "FalconForTokenClassification", dict(FALCON_ONE, **LABELS5))
model("falcon_question", "FalconForQuestionAnswering", FALCON_ONE)
model("bloom_base", "BloomModel", BLOOM)
model("bloom_causal", "BloomForCausalLM", dict(BLOOM_ONE, hidden_size=30, num_attention_heads=5))
model("bloom_sequence", "BloomForSequenceClassification", dict(BLOOM_ONE, **LABELS3))
model("bloom_token", "BloomForTokenClassification", dict(BLOOM_ONE, **LABELS5))
model("bloom_question", "BloomForQuestionAnswering", BLOOM_ONE)

model("llama_base", "LlamaModel", LLAMA)
model("llama_causal", "LlamaForCausalLM", LLAMA_SMALL)
model("llama_causal_tied", "LlamaForCausalLM", dict(LLAMA_SMALL, tie_word_embeddings=True))
model("llama_sequence", "LlamaForSequenceClassification", dict(LLAMA_SMALL, **LABELS3))
model("llama_token", "LlamaForTokenClassification", dict(LLAMA_ONE, **LABELS5))
model("llama_question", "LlamaForQuestionAnswering", LLAMA_ONE)
model("llama_biases", "LlamaModel", dict(LLAMA_SMALL, hidden_size=21, attention_bias=True, mlp_bias=True, head_dim=10,
                                         num_attention_heads=3))
model("llama_no_gqa", "LlamaModel", dict(LLAMA_SMALL, hidden_size=18, num_attention_heads=3, num_key_value_heads=3))
model("llama_bf16_sharded", "LlamaForCausalLM", dict(LLAMA_SMALL, tie_word_embeddings=True), dtype="bfloat16",
      shard="9KB", edit="llama_inv_freq")
model("llama_wide", "LlamaModel", dict(LLAMA, vocab_size=61, hidden_size=102, num_hidden_layers=1,
                                       num_attention_heads=3, num_key_value_heads=1, intermediate_size=250),
      dtype="bfloat16")
model("mistral_base", "MistralModel", MISTRAL)
model("mistral_causal", "MistralForCausalLM", MISTRAL_SMALL)
model("mistral_sequence", "MistralForSequenceClassification", dict(MISTRAL_SMALL, **LABELS3))
model("mistral_token", "MistralForTokenClassification", dict(MISTRAL_ONE, **LABELS5))
model("mistral_question", "MistralForQuestionAnswering", MISTRAL_ONE)
# hidden_size is no multiple of the heads: the configuration divides, or the model does
model("mistral_uneven", "MistralForCausalLM", dict(MISTRAL_ONE, hidden_size=31, num_attention_heads=5, head_dim=None))
model("qwen2_uneven", "Qwen2ForCausalLM", dict(QWEN2_ONE, hidden_size=31, num_attention_heads=5))
model("ministral_base", "MinistralModel", dict(MISTRAL, layer_types=["sliding_attention", "full_attention"]))
model("ministral_causal", "MinistralForCausalLM", MISTRAL_ONE)
model("ministral_sequence", "MinistralForSequenceClassification", dict(MISTRAL_ONE, **LABELS3))
model("ministral_token", "MinistralForTokenClassification", dict(MISTRAL_ONE, **LABELS5))
model("ministral_question", "MinistralForQuestionAnswering", MISTRAL_ONE)
model("qwen2_base", "Qwen2Model", QWEN2)
model("qwen2_causal", "Qwen2ForCausalLM", dict(QWEN2_SMALL, tie_word_embeddings=True))
model("qwen2_sequence", "Qwen2ForSequenceClassification", dict(QWEN2_SMALL, **LABELS3))
model("qwen2_token", "Qwen2ForTokenClassification", dict(QWEN2_ONE, **LABELS5))
model("qwen2_question", "Qwen2ForQuestionAnswering", QWEN2_ONE)
model("qwen3_base", "Qwen3Model", QWEN3)
model("qwen3_causal", "Qwen3ForCausalLM", dict(QWEN3_SMALL, tie_word_embeddings=True))
model("qwen3_sequence", "Qwen3ForSequenceClassification", dict(QWEN3_SMALL, **LABELS1))
model("qwen3_token", "Qwen3ForTokenClassification", dict(QWEN3_ONE, **LABELS5))
model("qwen3_question", "Qwen3ForQuestionAnswering", QWEN3_ONE)
model("qwen3_biases", "Qwen3Model", dict(QWEN3_SMALL, attention_bias=True))
model("qwen3_head_dim_default", "Qwen3Model", dict(QWEN3_SMALL, num_hidden_layers=1, num_attention_heads=2,
                                                   num_key_value_heads=1, head_dim=128))

model("smollm3_base", "SmolLM3Model", SMOLLM3)
model("smollm3_causal", "SmolLM3ForCausalLM", SMOLLM3_SMALL)
model("smollm3_sequence", "SmolLM3ForSequenceClassification", dict(SMOLLM3_SMALL, **LABELS3))
model("smollm3_token", "SmolLM3ForTokenClassification", dict(LLAMA_ONE, **LABELS5))
model("smollm3_question", "SmolLM3ForQuestionAnswering", LLAMA_ONE)
model("smollm3_biases", "SmolLM3Model", dict(SMOLLM3_SMALL, attention_bias=True, mlp_bias=True))
model("olmo2_base", "Olmo2Model", OLMO2)
model("olmo2_causal", "Olmo2ForCausalLM", OLMO2_SMALL)
model("olmo2_sequence", "Olmo2ForSequenceClassification", dict(OLMO2_SMALL, **LABELS3))
model("olmo2_biases", "Olmo2Model", dict(OLMO2_SMALL, num_hidden_layers=1, attention_bias=True, head_dim=10))
model("gemma_base", "GemmaModel", GEMMA)
model("gemma_causal", "GemmaForCausalLM", GEMMA_SMALL)
model("gemma_causal_untied", "GemmaForCausalLM", dict(GEMMA_ONE, tie_word_embeddings=False))
model("gemma_sequence", "GemmaForSequenceClassification", dict(GEMMA_ONE, **LABELS3))
model("gemma_token", "GemmaForTokenClassification", dict(GEMMA_ONE, **LABELS5))
model("gemma_biases", "GemmaModel", dict(GEMMA_ONE, attention_bias=True))
model("gemma_bf16", "GemmaForCausalLM", GEMMA_SMALL, dtype="bfloat16")
model("gemma_head_dim_default", "GemmaModel", dict(GEMMA_ONE, head_dim=256, num_attention_heads=1))

model("gemma2_base", "Gemma2Model", GEMMA2)
model("gemma2_causal", "Gemma2ForCausalLM", GEMMA2_SMALL)
model("gemma2_sequence", "Gemma2ForSequenceClassification", dict(GEMMA2_ONE, **LABELS3))
model("gemma2_token", "Gemma2ForTokenClassification", dict(GEMMA2_ONE, **LABELS5))
model("gemma2_biases", "Gemma2Model", dict(GEMMA2_ONE, attention_bias=True))
model("gemma3_base", "Gemma3TextModel", GEMMA3)
model("gemma3_causal", "Gemma3ForCausalLM", GEMMA3_SMALL)
model("gemma3_sequence", "Gemma3TextForSequenceClassification", dict(GEMMA3_SMALL, **LABELS3))
model("gemma3_biases", "Gemma3TextModel", dict(GEMMA3_SMALL, num_hidden_layers=1, layer_types=["full_attention"],
                                               attention_bias=True))
model("gemma3_bf16", "Gemma3ForCausalLM", GEMMA3_SMALL, dtype="bfloat16")

model("granite_base", "GraniteModel", GRANITE)
model("granite_causal", "GraniteForCausalLM", dict(GRANITE_SMALL, tie_word_embeddings=True))
model("granite_biases", "GraniteForCausalLM", dict(GRANITE_SMALL, num_hidden_layers=1, attention_bias=True,
                                                   mlp_bias=True, hidden_size=21, head_dim=10, num_attention_heads=3))

model("phi3_base", "Phi3Model", PHI3)
model("phi3_causal", "Phi3ForCausalLM", dict(PHI3_SMALL, head_dim=10))
model("phi3_causal_tied", "Phi3ForCausalLM", dict(PHI3_ONE, tie_word_embeddings=True, num_key_value_heads=3))
model("phi3_sequence", "Phi3ForSequenceClassification", dict(PHI3_ONE, **LABELS3, resid_pdrop=0.25, embd_pdrop=0.5))
model("phi3_token", "Phi3ForTokenClassification", dict(PHI3_ONE, **LABELS5))

model("mixtral_base", "MixtralModel", MIXTRAL)
model("mixtral_causal", "MixtralForCausalLM", MIXTRAL_SMALL)
model("mixtral_sequence", "MixtralForSequenceClassification", dict(MIXTRAL_SMALL, **LABELS3))
model("mixtral_token", "MixtralForTokenClassification", dict(MIXTRAL_SMALL, **LABELS5))
model("mixtral_question", "MixtralForQuestionAnswering", MIXTRAL_SMALL)
model("mixtral_bf16_sharded", "MixtralForCausalLM", dict(MIXTRAL_SMALL, num_hidden_layers=2), dtype="bfloat16",
      shard="2KB")
model("mixtral_f16", "MixtralModel", MIXTRAL_SMALL, dtype="float16")
model("mixtral_mixed", "MixtralModel", MIXTRAL_SMALL, edit="mixed_dtypes")
model("mixtral_fused", "MixtralForCausalLM", MIXTRAL_SMALL, edit="fused_experts")
model("qwen3_moe_base", "Qwen3MoeModel", QWEN3_MOE)
model("qwen3_moe_causal", "Qwen3MoeForCausalLM", dict(QWEN3_MOE_SMALL, tie_word_embeddings=True))
model("qwen3_moe_sequence", "Qwen3MoeForSequenceClassification", dict(QWEN3_MOE_SMALL, **LABELS1))
model("qwen3_moe_token", "Qwen3MoeForTokenClassification", dict(QWEN3_MOE_SMALL, **LABELS5))
model("qwen3_moe_question", "Qwen3MoeForQuestionAnswering", dict(QWEN3_MOE_SMALL, attention_bias=True))
model("qwen3_moe_steps", "Qwen3MoeModel", dict(QWEN3_MOE_SMALL, num_hidden_layers=2, decoder_sparse_step=2,
                                              mlp_only_layers=None))
model("qwen3_moe_dense", "Qwen3MoeModel", dict(QWEN3_MOE_SMALL, num_experts=0))

model("t5_base", "T5Model", T5)
model("t5_generation", "T5ForConditionalGeneration", T5_SMALL)
model("t5_gated", "T5ForConditionalGeneration", dict(T5_SMALL, feed_forward_proj="gated-gelu", initializer_factor=0.5,
                                                     tie_word_embeddings=False), edit="t5_untied_head")
model("t5_encoder", "T5EncoderModel", dict(T5_SMALL, num_layers=2, feed_forward_proj="gated-silu"))
model("t5_token", "T5ForTokenClassification", dict(T5_SMALL, **LABELS5, classifier_dropout=0.25))
model("t5_question", "T5ForQuestionAnswering", T5_SMALL)
model("mt5_base", "MT5Model", dict(T5_SMALL, relative_attention_num_buckets=9))
model("t5_two_layers", "T5ForConditionalGeneration", dict(T5_SMALL, num_layers=2))
model("mt5_generation", "MT5ForConditionalGeneration", dict(T5_SMALL, num_layers=2))
model("mt5_bf16", "MT5ForConditionalGeneration", T5_SMALL, dtype="bfloat16")
model("mt5_encoder", "MT5EncoderModel", dict(T5_SMALL, num_layers=2, feed_forward_proj="relu"))
model("mt5_token", "MT5ForTokenClassification", dict(T5_SMALL, **LABELS5))
model("mt5_question", "MT5ForQuestionAnswering", T5_SMALL)
model("mt5_sequence", "MT5ForSequenceClassification", dict(T5_SMALL, **LABELS3, classifier_dropout=0.25))

model("t5_sequence", "T5ForSequenceClassification", dict(T5_SMALL, **LABELS3, classifier_dropout=0.25))

model("bart_base", "BartModel", BART)
model("bart_generation", "BartForConditionalGeneration", dict(BART_SMALL, scale_embedding=True))
model("bart_untied", "BartForConditionalGeneration", dict(BART_SMALL, tie_word_embeddings=False,
                                                          activation_function="gelu_new"))
model("bart_old_names", "BartForConditionalGeneration", BART_SMALL, edit="bart_old_names")
model("bart_tied_differs", "BartForConditionalGeneration", BART_SMALL, edit="bart_tied_differs")
model("bart_bf16", "BartForConditionalGeneration", dict(BART_SMALL, decoder_layers=2, scale_embedding=True),
      dtype="bfloat16")
model("bart_sequence", "BartForSequenceClassification", dict(BART_SMALL, **LABELS5, classifier_dropout=0.25))
model("bart_question", "BartForQuestionAnswering", BART_SMALL)

model("mbart_base", "MBartModel", MBART)
model("mbart_generation", "MBartForConditionalGeneration", dict(MBART_SMALL, scale_embedding=True))
model("mbart_untied", "MBartForConditionalGeneration", dict(MBART_SMALL, tie_word_embeddings=False,
                                                            activation_function="relu"))
model("mbart_old_names", "MBartForConditionalGeneration", MBART_SMALL, edit="bart_old_names")
model("mbart_bf16", "MBartForConditionalGeneration", dict(MBART_SMALL, decoder_layers=2, scale_embedding=True),
      dtype="bfloat16")
model("mbart_sequence", "MBartForSequenceClassification", dict(MBART_SMALL, **LABELS5, classifier_dropout=0.25))
model("mbart_question", "MBartForQuestionAnswering", MBART_SMALL)
model("marian_base", "MarianModel", dict(MARIAN, scale_embedding=True))
model("marian_generation", "MarianMTModel", dict(MARIAN_SMALL, scale_embedding=True, activation_function="swish"))
model("marian_untied", "MarianMTModel", dict(MARIAN_SMALL, tie_word_embeddings=False))
model("marian_two", "MarianMTModel", dict(MARIAN_SMALL, share_encoder_decoder_embeddings=False, decoder_vocab_size=47))
model("marian_two_untied", "MarianMTModel", dict(MARIAN_SMALL, share_encoder_decoder_embeddings=False,
                                                 decoder_vocab_size=47, tie_word_embeddings=False))
model("marian_two_base", "MarianModel", dict(MARIAN_SMALL, share_encoder_decoder_embeddings=False))
model("marian_old_names", "MarianMTModel", MARIAN_SMALL, edit="marian_old_names")
model("marian_f16", "MarianMTModel", dict(MARIAN_SMALL, decoder_layers=2), dtype="float16")
model("pegasus_base", "PegasusModel", dict(PEGASUS, scale_embedding=True))
model("pegasus_generation", "PegasusForConditionalGeneration", dict(PEGASUS_SMALL, scale_embedding=True,
                                                                    activation_function="relu"))
model("pegasus_untied", "PegasusForConditionalGeneration", dict(PEGASUS_SMALL, tie_word_embeddings=False))
model("pegasus_no_positions", "PegasusForConditionalGeneration", PEGASUS_SMALL, edit="no_static_positions")
model("pegasus_bf16", "PegasusForConditionalGeneration", dict(PEGASUS_SMALL, decoder_layers=2), dtype="bfloat16")
model("m2m_100_base", "M2M100Model", M2M)
model("m2m_100_generation", "M2M100ForConditionalGeneration", M2M_SMALL)
model("m2m_100_untied", "M2M100ForConditionalGeneration", dict(M2M_SMALL, tie_word_embeddings=False,
                                                               scale_embedding=False, activation_function="gelu"))
model("m2m_100_old_names", "M2M100ForConditionalGeneration", M2M_SMALL, edit="m2m_100_old_names")
model("m2m_100_bf16", "M2M100ForConditionalGeneration", dict(M2M_SMALL, decoder_layers=2), dtype="bfloat16")
model("m2m_100_f16", "M2M100Model", M2M_SMALL, dtype="float16")

model("vit_base", "ViTModel", VIT)
model("vit_image", "ViTForImageClassification", dict(VIT_SMALL, **LABELS3))
model("vit_image_grey", "ViTForImageClassification", dict(VIT_SMALL, **LABELS1, num_channels=1, qkv_bias=False,
                                                          image_size=[21, 14]))
model("vit_base_5_channels", "ViTModel", dict(VIT_SMALL, num_channels=5, image_size=[7, 10], patch_size=[7, 5],
                                              pooler_output_size=14, pooler_act="gelu"))
model("vit_new_names", "ViTForImageClassification", dict(VIT_SMALL, **LABELS3), edit="vit_new_names")
model("deit_base", "DeiTModel", VIT)
model("deit_image", "DeiTForImageClassification", dict(VIT_SMALL, **LABELS5))
model("deit_teacher", "DeiTForImageClassificationWithTeacher", dict(VIT_SMALL, **LABELS3))

# ---- CASES: name -> directory, task, inputs, and how it is loaded -----------------------------------------------
# inputs: a function inputs_* below. full: hidden states and attentions are asked for and stored. config: changes to
# config.json, written as config_<case>.json and given to from_pretrained(config=). color: the load report as a terminal
# gets it. The other options are those of from_pretrained. fails: loading must fail, with that reason.

CASES = {}


def case(name, directory, task, inputs, **how):
    assert name not in CASES and directory in MODELS, name
    CASES[name] = (directory, task, inputs, how)


def cases(directory, task, *inputs, **how):
    """One case for each kind of inputs; the first is a full one."""
    for i, kind in enumerate(inputs):
        case(f"{directory}_{kind}", directory, task, kind, **dict(how, full=how.get("full", i == 0)))


cases("bert_base", "base", "right7", "types7", "left7", "one", "plain7", "long33", "positions7", "positions_row7",
      "embeds7")
for act in ("relu", "gelu_new", "gelu_pytorch_tanh", "silu", "gelu_fast", "quick_gelu", "gelu_10", "gelu_accurate",
            "gelu_python", "gelu_python_tanh", "hardswish", "laplace", "leaky_relu", "linear", "mish", "relu2", "relu6",
            "sigmoid", "sqrtsoftplus", "swish", "tanh"):
    case(f"bert_act_{act}", "bert_base", "base", "types7", config={"hidden_act": act})
case("bert_eps", "bert_base", "base", "types7", config={"layer_norm_eps": 0.125})
case("bert_eps_0", "bert_base", "base", "types7", config={"layer_norm_eps": 0.0})
case("bert_minimal_config", "bert_base", "base", "types7",
     config={k: DROP for k in ("hidden_act", "layer_norm_eps", "pad_token_id", "type_vocab_size", "dtype",
                               "hidden_dropout_prob", "attention_probs_dropout_prob", "architectures",
                               "tie_word_embeddings", "initializer_range", "transformers_version")})
cases("bert_sequence", "sequence-classification", "right7", "types7", "one")
cases("bert_sequence1", "sequence-classification", "types7")
cases("bert_token", "token-classification", "right7", "types7")
cases("bert_question", "question-answering", "types7", "right7")
cases("bert_masked", "masked-lm", "right7", "types7")
cases("bert_masked_untied", "masked-lm", "types7")
cases("bert_causal", "causal-lm", "right7", "left7", "types7", "positions7")
case("bert_causal_as_base", "bert_causal", "base", "right7", full=True)
case("bert_causal_as_masked", "bert_causal", "masked-lm", "right7")
case("bert_causal_encoder", "bert_causal", "causal-lm", "right7", config={"is_decoder": False})
case("bert_causal_bidirectional", "bert_causal", "causal-lm", "right7", config={"is_causal": False})
for stored in ("f16", "bf16", "f64", "mixed"):
    cases(f"bert_{stored}", "sequence-classification" if stored == "mixed" else "base", "types7")
for wanted in ("float16", "bfloat16"):
    case(f"bert_as_{wanted}", "bert_sequence", "sequence-classification", "types7", dtype=wanted)
cases("bert_sharded", "base", "types7")
cases("bert_variant", "base", "types7", variant="fp16")
cases("bert_variant_sharded", "base", "types7", variant="fp16")
case("bert_variant_absent", "bert_base", "base", None, variant="fp16", fails="WEIGHTS_NOT_FOUND")
cases("bert_subfolder", "base", "types7", subfolder="inner")
cases("bert_old_names", "masked-lm", "types7")
case("bert_old_names_as_base", "bert_old_names", "base", "types7", full=True)
case("bert_old_names_as_sequence", "bert_old_names", "sequence-classification", "types7", full=True)
cases("bert_wide", "base", "right33", full=False)
cases("bert_deep", "base", "right7", full=False)
for layers in (1, 3, 14):  # the report folds the numbers of layers that the file has too many of, or too few
    case(f"bert_deep_{layers}_layers", "bert_deep", "base", "right7", config={"num_hidden_layers": layers}, full=True)
cases("bert_tied_present", "masked-lm", "types7")
cases("bert_tied_target_only", "masked-lm", "types7")
cases("bert_tied_differs", "masked-lm", "types7")
case("bert_sequence_as_base", "bert_sequence", "base", "types7", full=True)
case("bert_masked_as_base", "bert_masked", "base", "types7", full=True)
case("bert_base_as_sequence", "bert_base", "sequence-classification", "types7", full=True, num_labels=3)
case("bert_base_as_masked", "bert_base", "masked-lm", "types7", full=True)
case("bert_sequence_as_token", "bert_sequence", "token-classification", "types7", full=True)
case("bert_sequence_5_labels", "bert_sequence", "sequence-classification", "types7", full=True, num_labels=5,
     ignore_mismatched_sizes=True)
case("bert_sequence_5_labels_color", "bert_sequence", "sequence-classification", "types7", full=True, num_labels=5,
     ignore_mismatched_sizes=True, color=True)
case("bert_old_names_color", "bert_old_names", "sequence-classification", "types7", full=True, color=True)
case("bert_sequence_5_labels_refused", "bert_sequence", "sequence-classification", None, num_labels=5,
     fails="WEIGHT_MISMATCH")
case("bert_sequence_num_labels_key", "bert_sequence", "sequence-classification", "types7",
     config={"num_labels": 3, "id2label": DROP, "label2id": DROP})
WHOLE = {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 1}  # printed as Python prints integers
case("bert_whole_dropout", "bert_sequence", "sequence-classification", "types7", config=WHOLE)
case("bert_whole_dropouts",
     "bert_sequence",
     "sequence-classification",
     "types7",
     config=dict(WHOLE, classifier_dropout=1))
case("bert_wrong_task", "bert_base", "image-classification", None, fails="TASK_UNSUPPORTED")

cases("roberta_base", "base", "right7", "left7", "pads7", "plain7", "one", "long33", "positions7", "embeds7")
case("roberta_pad_5", "roberta_base", "base", "other_pads7", config={"pad_token_id": 5})
case("roberta_pad_minus_1", "roberta_base", "base", "plain7", config={"pad_token_id": -1})
case("roberta_pad_none", "roberta_base", "base", "other_positions7", config={"pad_token_id": None})
cases("roberta_sequence", "sequence-classification", "right7", "one")
cases("roberta_token", "token-classification", "right7")
cases("roberta_question", "question-answering", "right7")
cases("roberta_masked", "masked-lm", "right7")
cases("roberta_causal", "causal-lm", "right7", "left7")
for name in ("xlm_roberta", "camembert"):
    cases(f"{name}_causal", "causal-lm", "right7")
case("roberta_masked_as_sequence", "roberta_masked", "sequence-classification", "right7", full=True)
case("roberta_sequence_as_base", "roberta_sequence", "base", "right7", full=True)
case("roberta_base_as_masked", "roberta_base", "masked-lm", "right7", full=True)
for name in ("xlm_roberta", "camembert"):
    cases(f"{name}_base", "base", "right7", "pads7")
    cases(f"{name}_sequence", "sequence-classification", "right7")
    cases(f"{name}_token", "token-classification", "right7")
    cases(f"{name}_question", "question-answering", "right7")
    cases(f"{name}_masked", "masked-lm", "right7")

cases("distilbert_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "embeds7")
case("distilbert_relu", "distilbert_base", "base", "right7", config={"activation": "relu"})
case("distilbert_alias_config", "distilbert_base", "base", "right7",
     config={"dim": DROP, "n_layers": DROP, "n_heads": DROP, "hidden_size": 30, "num_hidden_layers": 3,
             "num_attention_heads": 5})
cases("distilbert_sequence", "sequence-classification", "right7", "one")
case("distilbert_whole_dropout", "distilbert_sequence", "sequence-classification", "right7",
     config={"dropout": 0, "attention_dropout": 0, "seq_classif_dropout": 0})
cases("distilbert_sinusoidal", "sequence-classification", "right7", full=True)
cases("distilbert_token", "token-classification", "right7")
cases("distilbert_question", "question-answering", "right7")
cases("distilbert_masked", "masked-lm", "right7")
case("distilbert_masked_as_sequence", "distilbert_masked", "sequence-classification", "right7", full=True)

cases("gpt2_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "positions_row7", "embeds7",
      "types7")
case("gpt2_inverse_layer", "gpt2_base", "base", "right7", config={"scale_attn_by_inverse_layer_idx": True})
case("gpt2_unscaled", "gpt2_base", "base", "right7", config={"scale_attn_weights": False})
case("gpt2_upcast", "gpt2_base", "base", "right7",
     config={"reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True})
case("gpt2_bidirectional", "gpt2_base", "base", "right7", config={"is_causal": False})
case("gpt2_alias_wins", "gpt2_base", "base", "right7", config={"num_hidden_layers": 1}, full=True)
case("gpt2_relu", "gpt2_base", "base", "right7", config={"activation_function": "relu"})
case("gpt2_alias_config", "gpt2_base", "base", "right7",
     config={"n_embd": DROP, "n_layer": DROP, "n_head": DROP, "n_positions": DROP, "hidden_size": 36,
             "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 40})
cases("gpt2_causal", "causal-lm", "right7", "left7")
cases("gpt2_causal_untied", "causal-lm", "right7")
cases("gpt2_sequence", "sequence-classification", "right7", "left7", "pads7", "one")
case("gpt2_sequence_no_pad", "gpt2_sequence", "sequence-classification", "plain1x7", config={"pad_token_id": None})
cases("gpt2_token", "token-classification", "right7")
case("gpt2_whole_dropout", "gpt2_token", "token-classification", "right7",
     config={"attn_pdrop": 0, "embd_pdrop": 1, "resid_pdrop": 0, "hidden_dropout": 0})
cases("gpt2_question", "question-answering", "right7")
cases("gpt2_old_names", "causal-lm", "right7")
case("gpt2_causal_as_base", "gpt2_causal", "base", "right7", full=True)
case("gpt2_base_as_causal", "gpt2_base", "causal-lm", "right7", full=True)
case("gpt2_causal_as_sequence", "gpt2_causal", "sequence-classification", "right7", full=True)

cases("opt_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "positions_row7", "embeds7")
case("opt_bidirectional", "opt_base", "base", "right7", config={"is_causal": False})
case("opt_minimal_config", "opt_base", "base", "left7",
     config={k: DROP for k in ("do_layer_norm_before", "_remove_final_layer_norm", "word_embed_proj_dim", "enable_bias",
                               "activation_function", "layer_norm_elementwise_affine", "pad_token_id", "init_std",
                               "tie_word_embeddings", "dtype", "architectures", "attention_dropout", "dropout")})
cases("opt_causal", "causal-lm", "right7", "left7", "long33")
cases("opt_sequence", "sequence-classification", "right7", "left7", "pads7")
cases("opt_question", "question-answering", "left7")
cases("opt_bare", "causal-lm", "right7", "left7")
case("opt_causal_as_base", "opt_causal", "base", "right7", full=True)
case("opt_base_as_causal", "opt_base", "causal-lm", "right7", full=True)

cases("gpt_neox_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "packed7", "embeds7")
case("gpt_neox_packed_no_cache", "gpt_neox_base", "base", "packed7", config={"use_cache": False})
case("gpt_neox_serial", "gpt_neox_base", "base", "right7", config={"use_parallel_residual": False}, full=True)
case("gpt_neox_bidirectional", "gpt_neox_base", "base", "right7", config={"is_causal": False})
case("gpt_neox_whole", "gpt_neox_base", "base", "right7", config={
    "rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 1.0}})
case("gpt_neox_old_rope", "gpt_neox_base", "base", "right7",
     config={"rope_parameters": DROP, "rotary_pct": 0.5, "rotary_emb_base": 700})
case("gpt_neox_quarter", "gpt_neox_token", "token-classification", "right7",
     config={"rope_parameters": DROP, "num_attention_heads": 2, "hidden_dropout": 0, "classifier_dropout": 0,
             "rope_scaling": {"type": "linear", "factor": 2.5, "partial_rotary_factor": 0.34}})
case("gpt_neox_dynamic", "gpt_neox_base", "base", "long33", config={
    "rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0, "partial_rotary_factor": 0.5}})
case("gpt_neox_default_pct", "gpt_neox_causal", "causal-lm", "right7",
     config={"rope_parameters": DROP, "num_attention_heads": 1, "hidden_act": DROP})
cases("gpt_neox_causal", "causal-lm", "right7", "left7")
cases("gpt_neox_causal_tied", "causal-lm", "right7")
cases("gpt_neox_sequence", "sequence-classification", "right7", "left7")
cases("gpt_neox_token", "token-classification", "right7")
cases("gpt_neox_question", "question-answering", "right7")
cases("gpt_neox_old_names", "causal-lm", "right7")
case("gpt_neox_causal_as_base", "gpt_neox_causal", "base", "right7", full=True)

cases("gpt_neo_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "positions_row7", "embeds7",
      "types7")
case("gpt_neo_layers", "gpt_neo_base", "base", "long33", config={"attention_layers": ["local", "global"]}, full=True)
case("gpt_neo_types", "gpt_neo_base", "base", "long33",
     config={"attention_layers": DROP, "attention_types": [[["local"], 1], [["global"], 1]]})
case("gpt_neo_window_1", "gpt_neo_base", "base", "plain7", config={"window_size": 1, "is_causal": False}, full=True)
cases("gpt_neo_causal", "causal-lm", "plain7", "long13", "left7")
cases("gpt_neo_sequence", "sequence-classification", "plain7", "left7")
cases("gpt_neo_token", "token-classification", "plain7")
case("gpt_neo_whole_dropout", "gpt_neo_token", "token-classification", "plain7",
     config={"resid_dropout": 0, "embed_dropout": 1, "attention_dropout": 0, "classifier_dropout": 0})
cases("gpt_neo_question", "question-answering", "plain7")
cases("gpt_neo_old_names", "causal-lm", "plain7")
case("gpt_neo_causal_as_base", "gpt_neo_causal", "base", "plain7", full=True)

cases("phi_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "packed7", "embeds7")
case("phi_packed_no_cache", "phi_base", "base", "packed7", config={"use_cache": False})
case("phi_partial", "phi_base", "base", "right7",
     config={"rope_parameters": DROP, "partial_rotary_factor": 0.34, "rope_theta": 700.0})
case("phi_half", "phi_base", "base", "right7", config={"rope_parameters": DROP}, full=True)
case("phi_yarn", "phi_base", "base", "long33", config={"rope_parameters": {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 12,
    "partial_rotary_factor": 0.5}})
case("phi_bidirectional", "phi_base", "base", "right7", config={"is_causal": False})
cases("phi_causal", "causal-lm", "right7", "left7")
cases("phi_sequence", "sequence-classification", "right7", "left7")
cases("phi_token", "token-classification", "right7")
cases("phi_norms", "causal-lm", "right7")
case("phi_causal_as_base", "phi_causal", "base", "right7", full=True)

cases("falcon_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "embeds7")
case("falcon_serial", "falcon_token", "token-classification", "right7", config={"num_ln_in_parallel_attn": 1})
case("falcon_linear", "falcon_base", "base", "right7", config={
    "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}})
case("falcon_n_embed", "falcon_base", "base", "right7", config={"hidden_size": 999, "n_embed": 36})
cases("falcon_40b", "base", "right7", "left7", "long33")
for kind in ("right7", "left7", "plain7", "positions7"):  # eager attention adds ALiBi twice
    case(f"falcon_rw_{kind}", "falcon_rw", "causal-lm", kind, full=kind == "right7", attention="eager")
    case(f"falcon_rw_sdpa_{kind}", "falcon_rw", "causal-lm", kind, attention="sdpa")
cases("falcon_causal", "causal-lm", "right7", "left7")
cases("falcon_sequence", "sequence-classification", "right7", "left7", "positions7")
cases("falcon_token", "token-classification", "right7", "positions7")
cases("falcon_question", "question-answering", "right7", "positions7")
case("falcon_causal_as_base", "falcon_causal", "base", "right7", full=True)

cases("bloom_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "embeds7")
case("bloom_normed_residual", "bloom_base", "base", "right7", full=True,
     config={"apply_residual_connection_post_layernorm": True})
case("bloom_6_heads", "bloom_base", "base", "left7", config={"n_head": 6})
case("bloom_n_embed", "bloom_base", "base", "right7", config={"hidden_size": 999, "n_embed": 18, "pretraining_tp": 4})
case("bloom_alias_config", "bloom_base", "base", "right7",
     config={"n_head": DROP, "n_layer": DROP, "num_attention_heads": 3, "num_hidden_layers": 2})
case("bloom_bidirectional", "bloom_base", "base", "right7", config={"is_causal": False})
cases("bloom_causal", "causal-lm", "right7", "left7")
cases("bloom_sequence", "sequence-classification", "right7", "left7")
cases("bloom_token", "token-classification", "right7")
cases("bloom_question", "question-answering", "right7")
case("bloom_causal_as_base", "bloom_causal", "base", "right7", full=True)

ROPES = {
    "theta": {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
    "linear": {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}},
    "dynamic": {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}},
    "llama3": {"rope_parameters": {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
                                   "high_freq_factor": 4.0, "original_max_position_embeddings": 96}},
    "yarn": {"rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
                                 "original_max_position_embeddings": 24}, "max_position_embeddings": 96},
    "yarn_all": {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 3.0, "beta_fast": 2.0,
                                     "beta_slow": 0.5, "mscale": 0.7, "mscale_all_dim": 0.4, "truncate": False,
                                     "original_max_position_embeddings": 40}, "max_position_embeddings": 120},
    "yarn_factor": {"rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 3.0,
                                        "attention_factor": 1.25, "original_max_position_embeddings": 24},
                    "max_position_embeddings": 72},
    "longrope": {"rope_parameters": {"rope_type": "longrope", "rope_theta": 10000.0, "factor": 4.0,
                                     "short_factor": [1.0, 1.1, 1.3], "long_factor": [1.5, 2.75, 4.0],
                                     "original_max_position_embeddings": 12}, "max_position_embeddings": 48},
    "longrope_ratio": {"rope_parameters": {"rope_type": "longrope", "rope_theta": 10000.0,
                                           "short_factor": [1.0, 1.1, 1.3], "long_factor": [1.5, 2.75, 4.0],
                                           "original_max_position_embeddings": 12}, "max_position_embeddings": 36},
    "proportional": {"rope_parameters": {"rope_type": "proportional", "rope_theta": 10000.0, "factor": 1.5,
                                         "partial_rotary_factor": 0.5}},
    "proportional_all": {"rope_parameters": {"rope_type": "proportional", "rope_theta": 500.0}},
    "old_proportional": {"rope_parameters": DROP, "rope_theta": 10000.0, "partial_rotary_factor": 0.7,
                         "rope_scaling": {"rope_type": "proportional"}},
    "old_theta": {"rope_parameters": DROP, "rope_theta": 250000.0, "dtype": DROP, "torch_dtype": "float32"},
    "old_linear": {"rope_parameters": DROP, "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.5},
                   "dtype": DROP, "torch_dtype": "float32"},
    "old_llama3": {"rope_parameters": DROP, "rope_theta": 500.0, "rope_scaling":
                   {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 96}},
    "old_null": {"rope_parameters": DROP, "rope_theta": 10000.0, "rope_scaling": None},
}
cases("llama_base", "base", "right7", "left7", "negative7", "one", "plain7", "long33", "positions7", "positions_row7",
      "packed7", "embeds7")
for kind, override in ROPES.items():
    for length in ("right7", "long33"):
        case(f"llama_rope_{kind}_{length}", "llama_base", "base", length, config=override)
case("llama_rope_longrope_far", "llama_base", "base", "far5", config=ROPES["longrope"])
case("llama_rope_dynamic_far", "llama_base", "base", "far5", config=ROPES["dynamic"])
case("llama_minimal_config", "llama_base", "base", "right7",
     config={k: DROP for k in ("hidden_act", "rms_norm_eps", "head_dim", "rope_parameters", "attention_bias",
                               "mlp_bias", "tie_word_embeddings", "max_position_embeddings", "dtype",
                               "architectures", "pretraining_tp", "pad_token_id", "attention_dropout")})
case("llama_packed_no_cache", "llama_base", "base", "packed7", config={"use_cache": False})
case("llama_bidirectional", "llama_base", "base", "right7", config={"is_causal": False})
case("llama_is_causal_null", "llama_base", "base", "right7", config={"is_causal": None})
case("llama_rope_both", "llama_base", "base", "long33", config={"rope_scaling": {"rope_type": "linear", "factor": 2.5}})
case("llama_rope_partial_default", "llama_base", "base", "right7", config={
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}})
case("llama_rope_yarn_falsy", "llama_base", "base", "long33", config={
    "rope_parameters": dict(ROPES["yarn"]["rope_parameters"], beta_fast=0, beta_slow=0, truncate=None,
                            attention_factor=0.0), "max_position_embeddings": 96})
case("llama_rope_yarn_mscale", "llama_base", "base", "long33", config={
    "rope_parameters": dict(ROPES["yarn"]["rope_parameters"], mscale=-0.5, mscale_all_dim=0.8),
    "max_position_embeddings": 96})
case("llama_rope_llama3_crossed", "llama_base", "base", "long33", config={
    "rope_parameters": dict(ROPES["llama3"]["rope_parameters"], low_freq_factor=4.0, high_freq_factor=1.0)})
case("llama_last_untied", "llama_base", "base", "right7", config={"tie_last_hidden_states": False}, full=True)
case("llama_swish", "llama_base", "base", "right7", config={"hidden_act": "swish"})
case("llama_pad_minus_1", "llama_base", "base", "other_pads7", config={"pad_token_id": -1})
case("llama_as_bf16", "llama_base", "base", "right7", config={"dtype": "bfloat16"}, dtype="auto")
case("llama_as_f16_old", "llama_base", "base", "right7", config={"dtype": None, "torch_dtype": "float16"}, dtype="auto")
case("llama_bf16_as_f32", "llama_bf16_sharded", "causal-lm", "right7", config={"dtype": "float32"}, dtype="auto")
case("llama_bf16_unsaid", "llama_bf16_sharded", "causal-lm", "right7", config={"dtype": DROP}, dtype="auto")
case("llama_eps_0", "llama_base", "base", "right7", config={"rms_norm_eps": 0.0})
case("llama_gelu", "llama_base", "base", "right7", config={"hidden_act": "gelu_pytorch_tanh", "rms_norm_eps": 0.125})
cases("llama_causal", "causal-lm", "right7", "left7", "long33")
cases("llama_causal_tied", "causal-lm", "right7")
cases("llama_sequence", "sequence-classification", "right7", "left7", "pads7", "one")
case("llama_sequence_no_pad", "llama_sequence", "sequence-classification", "plain1x7", config={"pad_token_id": None})
cases("llama_token", "token-classification", "right7")
case("llama_token_no_bias",
     "llama_token",
     "token-classification",
     "right7",
     config={"token_classification_bias": False},
     full=True)
case("llama_sequence_pad_minus_1", "llama_sequence", "sequence-classification", "other_pads7",
     config={"pad_token_id": -1})
cases("llama_question", "question-answering", "right7")
cases("llama_biases", "base", "right7", "long33")
cases("llama_no_gqa", "base", "right7")
case("llama_no_gqa_default", "llama_no_gqa", "base", "right7", config={"num_key_value_heads": DROP})
cases("llama_bf16_sharded", "causal-lm", "right7")
case("llama_causal_as_base", "llama_causal", "base", "right7", full=True)
case("llama_base_as_causal", "llama_base", "causal-lm", "right7", full=True)
case("llama_base_as_tied_causal", "llama_base", "causal-lm", "right7", config={"tie_word_embeddings": True})
case("llama_base_as_sequence", "llama_base", "sequence-classification", "right7", full=True)
cases("llama_wide", "base", "right33", full=False)

cases("mistral_base", "base", "right7", "long33", "left7", "one", "packed7")
case("mistral_packed_no_cache", "mistral_base", "base", "packed7", config={"use_cache": False})
case("mistral_bidirectional", "mistral_base", "base", "long33", config={"is_causal": False})
case("mistral_no_window", "mistral_base", "base", "long33", config={"sliding_window": None})
case("mistral_default_window", "mistral_base", "base", "long33", config={"sliding_window": DROP})
case("mistral_window_1", "mistral_base", "base", "right7", config={"sliding_window": 1}, full=True)
cases("mistral_causal", "causal-lm", "right7", "long13")
cases("mistral_sequence", "sequence-classification", "right7")
cases("mistral_token", "token-classification", "right7")
cases("mistral_question", "question-answering", "right7")
case("mistral_uneven_right7", "mistral_uneven", "causal-lm", "right7", config={"head_dim": DROP})
cases("qwen2_uneven", "causal-lm", "right7")

cases("ministral_base", "base", "right7", "long33", "left7", "one")
case("ministral_layer_types_dropped", "ministral_base", "base", "long33", config={"layer_types": DROP})
case("ministral_all_full", "ministral_base", "base", "long33", config={"layer_types": ["full_attention"] * 2})
cases("ministral_causal", "causal-lm", "right7", "long13")
cases("ministral_sequence", "sequence-classification", "right7")
cases("ministral_token", "token-classification", "right7")
cases("ministral_question", "question-answering", "right7")
case("mistral_with_layer_types", "mistral_base", "base", "long33",
     config={"layer_types": ["full_attention", "sliding_attention"]})
case("mistral_causal_with_layer_types", "mistral_causal", "causal-lm", "long13",
     config={"layer_types": ["full_attention", "sliding_attention"]})
case("mistral_layer_types_null", "mistral_base", "base", "long33", config={"layer_types": None})

SLIDE = {"use_sliding_window": True, "sliding_window": 5}
for name in ("qwen2", "qwen3"):
    cases(f"{name}_base", "base", "right7", "long33", "left7", "one", "positions7")
    case(f"{name}_window", f"{name}_base", "base", "long13", config=dict(SLIDE, layer_types=DROP), full=True)
    case(f"{name}_window_types", f"{name}_base", "base", "long33",
         config=dict(SLIDE, layer_types=["sliding_attention", "full_attention", "sliding_attention"]))
    case(f"{name}_window_unused", f"{name}_base", "base", "long33", config=dict(SLIDE, use_sliding_window=False,
                                                                                layer_types=DROP))
    case(f"{name}_yarn", f"{name}_base", "base", "long33", config={
        "rope_parameters": DROP, "rope_theta": 1000000.0, "max_position_embeddings": 96, "rope_scaling":
        {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 24}})
    cases(f"{name}_causal", "causal-lm", "right7")
    cases(f"{name}_sequence", "sequence-classification", "right7", "left7")
    cases(f"{name}_token", "token-classification", "right7")
    cases(f"{name}_question", "question-answering", "right7")
    case(f"{name}_causal_as_base", f"{name}_causal", "base", "right7", full=True)
cases("qwen3_biases", "base", "right7")
cases("qwen3_head_dim_default", "base", "right7")
case("qwen3_head_dim_dropped", "qwen3_head_dim_default", "base", "right7", config={"head_dim": DROP})

cases("smollm3_base", "base", "right7", "left7", "one", "long33", "positions7", "packed7", "embeds7")
case("smollm3_packed_no_cache", "smollm3_base", "base", "packed7", config={"use_cache": False})
case("smollm3_window", "smollm3_base", "base", "left13", config={"use_sliding_window": True, "layer_types": DROP},
     full=True)
case("smollm3_window_types", "smollm3_base", "base", "left33", config={
    "layer_types": ["sliding_attention", "full_attention", "full_attention", "sliding_attention"]})
case("smollm3_no_rope_listed", "smollm3_base", "base", "long33", config={"no_rope_layers": [0, 0, 1, 1, 0]})
case("smollm3_no_rope_interval", "smollm3_base", "base", "long33",
     config={"no_rope_layers": None, "no_rope_layer_interval": 3})
case("smollm3_no_rope_default", "smollm3_base", "base", "long33",
     config={"no_rope_layers": DROP, "no_rope_layer_interval": DROP})
case("smollm3_no_rope_at_all", "smollm3_base", "base", "right7", config={"no_rope_layers": [0, 0, 0, 0]}, full=True)
case("smollm3_default_theta", "smollm3_base", "base", "long33",
     config={"rope_parameters": {"rope_type": "linear", "factor": 2.0}})
case("smollm3_minimal_config", "smollm3_base", "base", "right7",
     config={k: DROP for k in ("hidden_act", "rms_norm_eps", "rope_parameters", "attention_bias", "mlp_bias",
                               "tie_word_embeddings", "max_position_embeddings", "dtype", "architectures",
                               "attention_dropout", "layer_types", "use_sliding_window", "sliding_window")})
cases("smollm3_causal", "causal-lm", "right7", "left13", "long33")
case("smollm3_causal_untied", "smollm3_causal", "causal-lm", "right7", config={"tie_word_embeddings": False},
     full=True)
cases("smollm3_sequence", "sequence-classification", "right7", "left7")
cases("smollm3_token", "token-classification", "right7")
cases("smollm3_question", "question-answering", "right7")
cases("smollm3_biases", "base", "right7")
case("smollm3_causal_as_base", "smollm3_causal", "base", "right7", full=True)

cases("olmo2_base", "base", "right7", "left7", "one", "long33", "positions7", "packed7", "embeds7")
case("olmo2_packed_no_cache", "olmo2_base", "base", "packed7", config={"use_cache": False})
case("olmo2_gelu", "olmo2_causal", "causal-lm", "right7", config={"hidden_act": "gelu"})
case("olmo2_bidirectional", "olmo2_base", "base", "right7", config={"is_causal": False})
case("olmo2_yarn", "olmo2_base", "base", "long33", config=ROPES["yarn"])
case("olmo2_minimal_config", "olmo2_base", "base", "right7",
     config={k: DROP for k in ("hidden_act", "rms_norm_eps", "rope_parameters", "attention_bias", "tie_word_embeddings",
                               "max_position_embeddings", "dtype", "architectures", "attention_dropout")})
cases("olmo2_causal", "causal-lm", "right7", "left13", "long33")
cases("olmo2_sequence", "sequence-classification", "right7", "left7")
cases("olmo2_biases", "base", "right7")
case("olmo2_causal_as_base", "olmo2_causal", "base", "right7", full=True)
case("olmo2_base_as_causal", "olmo2_base", "causal-lm", "right7", full=True)
case("olmo2_base_as_tied_causal", "olmo2_base", "causal-lm", "right7", config={"tie_word_embeddings": True})

cases("gemma_base", "base", "right7", "left7", "one", "long33", "positions7", "packed7", "embeds7")
case("gemma_packed_no_cache", "gemma_base", "base", "packed7", config={"use_cache": False})
case("gemma_gelu", "gemma_base", "base", "right7", config={"hidden_act": "gelu", "hidden_activation": None})
case("gemma_silu", "gemma_base", "base", "right7", config={"hidden_act": "silu"})
case("gemma_linear_rope", "gemma_base", "base", "long33", config=ROPES["linear"])
case("gemma_old_theta", "gemma_base", "base", "right7", config=ROPES["old_theta"])
case("gemma_bidirectional", "gemma_base", "base", "right7", config={"is_causal": False})
case("gemma_last_untied", "gemma_base", "base", "right7", config={"tie_last_hidden_states": False}, full=True)
case("gemma_minimal_config", "gemma_base", "base", "right7",
     config={k: DROP for k in ("hidden_act", "rms_norm_eps", "rope_parameters", "attention_bias", "tie_word_embeddings",
                               "max_position_embeddings", "dtype", "architectures", "pad_token_id",
                               "attention_dropout")})
case("gemma_as_bf16", "gemma_base", "base", "right7", config={"dtype": "bfloat16"}, dtype="auto")  # so is its scale
case("gemma_as_f16", "gemma_base", "base", "right7", dtype="float16")
cases("gemma_causal", "causal-lm", "right7", "left7", "long33")
cases("gemma_causal_untied", "causal-lm", "right7")
cases("gemma_sequence", "sequence-classification", "right7", "left7")
cases("gemma_token", "token-classification", "right7")
cases("gemma_biases", "base", "right7")
cases("gemma_bf16", "causal-lm", "right7", dtype="auto")
case("gemma_bf16_as_f32", "gemma_bf16", "causal-lm", "right7", dtype="float32")
cases("gemma_head_dim_default", "base", "right7")
case("gemma_head_dim_dropped", "gemma_head_dim_default", "base", "right7", config={"head_dim": DROP})
case("gemma_causal_as_base", "gemma_causal", "base", "right7", full=True)
case("gemma_base_as_causal", "gemma_base", "causal-lm", "right7", full=True)
case("gemma_base_as_sequence", "gemma_base", "sequence-classification", "right7", full=True)

cases("gemma2_base", "base", "right7", "left13", "one", "long33", "left33", "positions7", "packed7", "embeds7")
case("gemma2_packed_no_cache", "gemma2_base", "base", "packed7", config={"use_cache": False})
case("gemma2_bidirectional", "gemma2_base", "base", "right33", config={"is_causal": False})
case("gemma2_uncapped", "gemma2_base", "base", "right7", config={"attn_logit_softcapping": None}, full=True)
case("gemma2_default_caps", "gemma2_causal", "causal-lm", "right7",
     config={"attn_logit_softcapping": DROP, "final_logit_softcapping": DROP})
case("gemma2_types", "gemma2_base", "base", "left33",
     config={"layer_types": ["full_attention", "sliding_attention", "full_attention"]})
case("gemma2_no_types", "gemma2_base", "base", "left33", config={"layer_types": DROP})
case("gemma2_gelu", "gemma2_base", "base", "right7", config={"hidden_activation": "gelu"})
case("gemma2_minimal_config", "gemma2_base", "base", "right33",
     config={k: DROP for k in ("hidden_activation", "rms_norm_eps", "rope_parameters", "attention_bias",
                               "tie_word_embeddings", "max_position_embeddings", "dtype", "architectures",
                               "attention_dropout", "layer_types", "sliding_window", "query_pre_attn_scalar",
                               "attn_logit_softcapping", "final_logit_softcapping")})
case("gemma2_as_bf16", "gemma2_base", "base", "right7", config={"dtype": "bfloat16"}, dtype="auto")
cases("gemma2_causal", "causal-lm", "right7", "left13", "long33")
case("gemma2_final_uncapped", "gemma2_causal", "causal-lm", "right7", config={"final_logit_softcapping": None})
cases("gemma2_sequence", "sequence-classification", "right7", "left7")
cases("gemma2_token", "token-classification", "right7")
cases("gemma2_biases", "base", "right7")
case("gemma2_causal_as_base", "gemma2_causal", "base", "right7", full=True)

cases("gemma3_base", "base", "right7", "left13", "one", "long33", "left33", "positions7", "packed7", "embeds7")
case("gemma3_packed_no_cache", "gemma3_base", "base", "packed7", config={"use_cache": False})
case("gemma3_bidirectional", "gemma3_base", "base", "right33", config={"use_bidirectional_attention": True}, full=True)
case("gemma3_bidirectional_alone", "gemma3_base", "base", "right7",
     config={"use_bidirectional_attention": True, "sliding_window": 0}, full=True)
case("gemma3_not_causal", "gemma3_base", "base", "right33", config={"is_causal": False})
case("gemma3_bidirectional_not_causal", "gemma3_base", "base", "right33",
     config={"is_causal": False, "use_bidirectional_attention": True})
case("gemma3_no_types", "gemma3_base", "base", "left33", config={"layer_types": DROP})
case("gemma3_pattern", "gemma3_base", "base", "left33", config={"layer_types": DROP, "sliding_window_pattern": 2})
case("gemma3_all_sliding", "gemma3_base", "base", "left33", config={"layer_types": ["sliding_attention"] * 4})
case("gemma3_all_full", "gemma3_base", "base", "left33", config={"layer_types": ["full_attention"] * 4})
OLD_GEMMA3 = {"rope_parameters": DROP, "rope_theta": 7000.0, "rope_local_base_freq": 30.0}
case("gemma3_old_rope", "gemma3_base", "base", "long33", config=OLD_GEMMA3)
case("gemma3_old_scaling", "gemma3_base", "base", "long33",
     config=dict(OLD_GEMMA3, rope_scaling={"rope_type": "linear", "factor": 4.0}))
case("gemma3_old_type_unheard", "gemma3_base", "base", "long33",
     config=dict(OLD_GEMMA3, rope_scaling={"type": "linear", "factor": 4.0}))
case("gemma3_scaling_over", "gemma3_base", "base", "long33", config={"rope_scaling": {"factor": 3.5}})
case("gemma3_rope_types", "gemma3_base", "base", "long33", config={"rope_parameters": {
    "sliding_attention": dict(ROPES["dynamic"]["rope_parameters"]),
    "full_attention": dict(ROPES["llama3"]["rope_parameters"])}})
case("gemma3_rope_half", "gemma3_base", "base", "long33", config={"rope_parameters": {
    "sliding_attention": dict(ROPES["longrope"]["rope_parameters"])}})
case("gemma3_minimal_config", "gemma3_base", "base", "right33",
     config={k: DROP for k in ("hidden_activation", "rms_norm_eps", "rope_parameters", "attention_bias",
                               "tie_word_embeddings", "max_position_embeddings", "dtype", "architectures",
                               "attention_dropout", "layer_types", "sliding_window", "query_pre_attn_scalar",
                               "attn_logit_softcapping", "final_logit_softcapping", "use_bidirectional_attention",
                               "_sliding_window_pattern")})
case("gemma3_part", "gemma3_base", "base", "long33", config={"partial_rotary_factor": 0.5, "rope_parameters": {
    "sliding_attention": {"rope_type": "proportional", "rope_theta": 100.0},
    "full_attention": {"rope_type": "proportional", "rope_theta": 5000.0, "partial_rotary_factor": 0.7}}})
cases("gemma3_causal", "causal-lm", "right7", "left13", "long33")
case("gemma3_final_uncapped", "gemma3_causal", "causal-lm", "right7", config={"final_logit_softcapping": None})
cases("gemma3_sequence", "sequence-classification", "right7", "left7")
cases("gemma3_biases", "base", "right7")
cases("gemma3_bf16", "causal-lm", "right7", dtype="auto")
case("gemma3_causal_as_base", "gemma3_causal", "base", "right7", full=True)

cases("granite_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "embeds7")
PLAIN = {k: DROP for k in ("embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling")}
case("granite_plain", "granite_base", "base", "right7", config=PLAIN)
case("granite_linear", "granite_base", "base", "long33", config=ROPES["linear"])
cases("granite_causal", "causal-lm", "right7", "left7")
case("granite_causal_plain", "granite_causal", "causal-lm", "right7", config=PLAIN)
case("granite_causal_as_base", "granite_causal", "base", "right7", full=True)
cases("granite_biases", "causal-lm", "right7")
case("granite_wrong_task", "granite_base", "sequence-classification", None, fails="TASK_UNSUPPORTED")

cases("phi3_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "embeds7")
PARTIAL = {"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 0.85}
LONG3 = {"short_factor": [1.0, 1.1, 1.3], "long_factor": [1.5, 2.75, 4.0]}
LONG6 = {"short_factor": [1.0, 1.1, 1.3, 1.25, 1.05, 2], "long_factor": [1.5, 2.75, 4.0, 3, 5.5, 8.125]}
case("phi3_window", "phi3_base", "base", "long13", config={"sliding_window": 5}, full=True)
case("phi3_window_left", "phi3_base", "base", "left7", config={"sliding_window": 3})
case("phi3_partial", "phi3_base", "base", "long33", config={"rope_parameters": PARTIAL})
case("phi3_partial_old", "phi3_base", "base", "long33", config={
    "rope_parameters": DROP, "rope_theta": 1000.0, "partial_rotary_factor": 0.5})
for kind in ("right7", "long33"):  # 24 positions of 12 originally: 33 are beyond
    case(f"phi3_longrope_{kind}", "phi3_base", "base", kind, config={
        "rope_parameters": dict(LONG6, rope_type="longrope", rope_theta=10000.0)})
    case(f"phi3_longrope_partial_{kind}", "phi3_base", "base", kind, config={
        "rope_parameters": dict(LONG3, rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.5)})
    case(f"phi3_su_{kind}", "phi3_base", "base", kind, config={
        "rope_parameters": DROP, "rope_theta": 10000.0,
        "rope_scaling": dict(LONG6, type="su", original_max_position_embeddings=12)})
case("phi3_yarn_is_longrope", "phi3_base", "base", "long33", config={
    "rope_parameters": DROP, "rope_theta": 10000.0, "rope_scaling": dict(LONG6, type="yarn")})
case("phi3_longrope_default_original", "phi3_base", "base", "long33", config={
    "rope_parameters": dict(LONG6, rope_type="longrope", rope_theta=10000.0), "max_position_embeddings": 131072,
    "original_max_position_embeddings": DROP})
case("phi3_gelu", "phi3_base", "base", "right7", config={"hidden_act": "gelu"})
case("phi3_bidirectional", "phi3_base", "base", "right7", config={"is_causal": False})
cases("phi3_causal", "causal-lm", "right7", "left7")
case("phi3_causal_as_base", "phi3_causal", "base", "right7", full=True)
cases("phi3_causal_tied", "causal-lm", "right7")
cases("phi3_sequence", "sequence-classification", "right7", "left7")
cases("phi3_token", "token-classification", "right7")
case("phi3_wrong_task", "phi3_base", "question-answering", None, fails="TASK_UNSUPPORTED")

cases("mixtral_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "embeds7")
case("mixtral_window", "mixtral_base", "base", "long13", config={"sliding_window": 5}, full=True)
case("mixtral_one_choice", "mixtral_base", "base", "right7", config={"num_experts_per_tok": 1})
case("mixtral_all_chosen", "mixtral_base", "base", "right7", config={"num_experts_per_tok": 5})
case("mixtral_alias_config", "mixtral_base", "base", "right7", config={"num_local_experts": DROP, "num_experts": 5})
case("mixtral_default_theta", "mixtral_base", "base", "right7", config={"rope_parameters": DROP})
case("mixtral_gelu", "mixtral_base", "base", "right7", config={"hidden_act": "gelu"})
cases("mixtral_causal", "causal-lm", "right7", "left7")
cases("mixtral_sequence", "sequence-classification", "right7", "left7")
cases("mixtral_token", "token-classification", "right7")
cases("mixtral_question", "question-answering", "right7")
cases("mixtral_bf16_sharded", "causal-lm", "right7", "one")
cases("mixtral_f16", "base", "right7")
cases("mixtral_mixed", "base", "right7", "one")
cases("mixtral_fused", "causal-lm", "right7", "one")
case("mixtral_as_bfloat16", "mixtral_causal", "causal-lm", "right7", dtype="bfloat16")
case("mixtral_causal_as_base", "mixtral_causal", "base", "right7", full=True)
case("mixtral_base_as_causal", "mixtral_base", "causal-lm", "right7", full=True)
for experts in (2, 4):
    case(f"mixtral_{experts}_experts", "mixtral_f16", "base", "right7", config={"num_local_experts": experts},
         full=True, ignore_mismatched_sizes=True)
    case(f"mixtral_{experts}_experts_refused", "mixtral_f16", "base", None, config={"num_local_experts": experts},
         fails="WEIGHT_MISMATCH")
case("mixtral_wider", "mixtral_f16", "base", "right7", config={"intermediate_size": 14}, full=True,
     ignore_mismatched_sizes=True)
case("mixtral_wider_refused", "mixtral_f16", "base", None, config={"intermediate_size": 14}, fails="WEIGHT_MISMATCH")

cases("qwen3_moe_base", "base", "right7", "left7", "one", "plain7", "long33", "positions7", "embeds7")
case("qwen3_moe_normalized", "qwen3_moe_base", "base", "right7", config={"norm_topk_prob": True})
case("qwen3_moe_window", "qwen3_moe_base", "base", "long13", config={"use_sliding_window": True, "sliding_window": 5},
     full=True)
case("qwen3_moe_window_unused", "qwen3_moe_base", "base", "long13", config={"sliding_window": 5})
case("qwen3_moe_other_layers", "qwen3_moe_base", "base", "right7", config={"mlp_only_layers": [1, 2]}, full=True)
cases("qwen3_moe_steps", "base", "right7")
cases("qwen3_moe_causal", "causal-lm", "right7", "left7")
cases("qwen3_moe_sequence", "sequence-classification", "right7")
cases("qwen3_moe_token", "token-classification", "right7")
cases("qwen3_moe_question", "question-answering", "right7")
cases("qwen3_moe_dense", "base", "right7")
case("qwen3_moe_causal_as_base", "qwen3_moe_causal", "base", "right7", full=True)

cases("t5_base", "base", "seq7x5", "seq_left9x4", "seq_plain", "seq2x1", "seq_embeds")
cases("t5_generation", "seq2seq-lm", "seq7x5", "seq2x1")
case("t5_generation_untied", "t5_generation", "seq2seq-lm", "seq7x5",
     config={"tie_word_embeddings": False, "scale_decoder_outputs": DROP})
case("t5_generation_relu2", "t5_generation", "seq2seq-lm", "seq7x5",
     config={"feed_forward_proj": "relu2", "dense_act_fn": DROP, "is_gated_act": DROP})
case("t5_generation_derived", "t5_generation", "seq2seq-lm", "seq7x5",
     config={"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False})
cases("t5_gated", "seq2seq-lm", "seq7x5")
cases("t5_encoder", "base", "right7", "left7", auto="AutoModelForTextEncoding")  # the class in architectures
cases("t5_token", "token-classification", "right7")
cases("t5_question", "question-answering", "seq7x5")
case("t5_bidirectional", "t5_base", "base", "seq7x5", config={"is_causal": False})
case("t5_base_as_generation", "t5_base", "seq2seq-lm", "seq7x5", full=True)
case("t5_generation_as_base", "t5_generation", "base", "seq7x5", full=True)
case("t5_generation_as_token", "t5_generation", "token-classification", "right7", full=True)
cases("mt5_base", "base", "seq7x5")
cases("t5_two_layers", "seq2seq-lm", "seq7x5")
case("t5_as_float16", "t5_two_layers", "seq2seq-lm", "seq7x5", dtype="float16")  # but for wo
case("t5_as_bfloat16", "t5_two_layers", "seq2seq-lm", "seq7x5", dtype="bfloat16")
cases("mt5_generation", "seq2seq-lm", "seq7x5", "seq_left9x4")
cases("mt5_bf16", "seq2seq-lm", "seq7x5")

cases("mt5_encoder", "base", "right7", auto="AutoModelForTextEncoding")
cases("mt5_token", "token-classification", "right7")
cases("mt5_question", "question-answering", "seq7x5", "right7")
cases("mt5_sequence", "sequence-classification", "eos7", "seq_eos")

cases("t5_sequence", "sequence-classification", "eos7", "seq_eos")

cases("bart_base", "base", "seq7x5", "seq_left9x4", "seq_plain", "seq2x1", "seq_embeds", "right7")
cases("bart_generation", "seq2seq-lm", "seq7x5", "seq2x1", "right7")
cases("bart_untied", "seq2seq-lm", "seq7x5")
cases("bart_old_names", "seq2seq-lm", "seq7x5")
cases("bart_tied_differs", "seq2seq-lm", "seq7x5")
cases("bart_bf16", "seq2seq-lm", "seq7x5", "left7")
cases("bart_sequence", "sequence-classification", "eos7", "seq_eos")
cases("bart_question", "question-answering", "seq7x5")
case("bart_bidirectional", "bart_base", "base", "seq7x5", config={"is_causal": False})
case("bart_base_as_generation", "bart_base", "seq2seq-lm", "seq7x5", full=True)
case("bart_generation_as_base", "bart_generation", "base", "seq7x5", full=True)
case("bart_generation_as_sequence", "bart_generation", "sequence-classification", "eos7", full=True)

cases("mbart_base", "base", "seq7x5", "seq_left9x4", "seq_plain", "seq2x1", "seq_embeds", "right7", "left7", "pads7")
cases("mbart_generation", "seq2seq-lm", "seq7x5", "seq2x1", "right7", "one")
cases("mbart_untied", "seq2seq-lm", "seq7x5")
cases("mbart_old_names", "seq2seq-lm", "seq7x5")
cases("mbart_bf16", "seq2seq-lm", "seq7x5", "left7")
cases("mbart_sequence", "sequence-classification", "eos7", "seq_eos")
cases("mbart_question", "question-answering", "seq7x5", "right7")
case("mbart_base_as_generation", "mbart_base", "seq2seq-lm", "seq7x5", full=True)
case("mbart_generation_as_base", "mbart_generation", "base", "seq7x5", full=True)
case("mbart_generation_as_sequence", "mbart_generation", "sequence-classification", "eos7", full=True)
case("mbart_last_hidden_untied", "mbart_generation", "seq2seq-lm", "seq7x5", config={"tie_last_hidden_states": False},
     full=True)
case("mbart_minimal_config", "mbart_base", "base", "right7",
     config={k: DROP for k in ("activation_function", "pad_token_id", "eos_token_id", "scale_embedding", "init_std",
                               "tie_word_embeddings", "dtype", "architectures", "dropout", "decoder_start_token_id")})

cases("marian_base", "base", "seq7x5", "seq_left9x4", "seq_plain", "seq2x1", "seq_embeds")
cases("marian_generation", "seq2seq-lm", "seq7x5", "seq2x1", "seq_embeds")
cases("marian_untied", "seq2seq-lm", "seq7x5")
cases("marian_two", "seq2seq-lm", "seq7x5")
cases("marian_two_untied", "seq2seq-lm", "seq7x5")
cases("marian_two_base", "base", "seq7x5")
cases("marian_old_names", "seq2seq-lm", "seq7x5")
cases("marian_f16", "seq2seq-lm", "seq7x5", dtype="auto")  # so are its positions
case("marian_as_float16", "marian_generation", "seq2seq-lm", "seq7x5", dtype="float16")
case("marian_as_bfloat16", "marian_generation", "seq2seq-lm", "seq7x5", dtype="bfloat16")
case("marian_base_as_generation", "marian_base", "seq2seq-lm", "seq7x5", full=True)
case("marian_generation_as_base", "marian_generation", "base", "seq7x5", full=True)
case("marian_two_as_base", "marian_two", "base", "seq7x5", full=True)
case("marian_minimal_config", "marian_generation", "seq2seq-lm", "seq7x5",
     config={k: DROP for k in ("decoder_vocab_size", "share_encoder_decoder_embeddings", "init_std", "bos_token_id",
                               "tie_word_embeddings", "dtype", "architectures", "dropout", "forced_eos_token_id")})
case("marian_alias_config", "marian_base", "base", "seq7x5",
     config={"d_model": DROP, "encoder_layers": DROP, "encoder_attention_heads": DROP, "hidden_size": 30,
             "num_hidden_layers": 2, "num_attention_heads": 5})

cases("pegasus_base", "base", "seq7x5", "seq_left9x4", "seq_plain", "seq2x1", "seq_embeds")
cases("pegasus_generation", "seq2seq-lm", "seq7x5", "seq2x1", "seq_embeds")
cases("pegasus_untied", "seq2seq-lm", "seq7x5")
cases("pegasus_no_positions", "seq2seq-lm", "seq7x5")
cases("pegasus_bf16", "seq2seq-lm", "seq7x5")
case("pegasus_base_as_generation", "pegasus_base", "seq2seq-lm", "seq7x5", full=True)
case("pegasus_generation_as_base", "pegasus_generation", "base", "seq7x5", full=True)
case("pegasus_minimal_config", "pegasus_base", "base", "seq7x5",
     config={k: DROP for k in ("activation_function", "pad_token_id", "eos_token_id", "init_std", "dtype",
                               "tie_word_embeddings", "architectures", "dropout", "decoder_start_token_id")})

cases("m2m_100_base", "base", "seq7x5", "seq_left9x4", "seq_plain", "seq2x1", "seq_embeds")
case("m2m_100_pad_5", "m2m_100_base", "base", "seq_other_pads", config={"pad_token_id": 5})
cases("m2m_100_generation", "seq2seq-lm", "seq7x5", "seq2x1", "seq_plain")
cases("m2m_100_untied", "seq2seq-lm", "seq7x5")
cases("m2m_100_old_names", "seq2seq-lm", "seq7x5")
cases("m2m_100_bf16", "seq2seq-lm", "seq7x5", dtype="auto")  # so are its positions
case("m2m_100_bf16_as_f32", "m2m_100_bf16", "seq2seq-lm", "seq7x5", dtype="float32")
cases("m2m_100_f16", "base", "seq7x5", dtype="auto")
case("m2m_100_as_f16", "m2m_100_base", "base", "seq7x5", dtype="float16")
case("m2m_100_base_as_generation", "m2m_100_base", "seq2seq-lm", "seq7x5", full=True)
case("m2m_100_generation_as_base", "m2m_100_generation", "base", "seq7x5", full=True)
case("m2m_100_minimal_config", "m2m_100_base", "base", "seq7x5",
     config={k: DROP for k in ("activation_function", "pad_token_id", "eos_token_id", "scale_embedding", "init_std",
                               "tie_word_embeddings", "dtype", "architectures", "dropout", "decoder_start_token_id")})
case("pegasus_wrong_task", "pegasus_base", "sequence-classification", None, fails="TASK_UNSUPPORTED")

cases("vit_base", "base", "image3", "image1")
cases("vit_image", "image-classification", "image3", "image1")
cases("vit_image_grey", "image-classification", "image3")
cases("vit_base_5_channels", "base", "image3")
cases("vit_new_names", "image-classification", "image3")
case("vit_image_as_base", "vit_image", "base", "image3", full=True)
case("vit_base_as_image", "vit_base", "image-classification", "image3", full=True)
cases("deit_base", "base", "image3", "image1")
cases("deit_image", "image-classification", "image3")
cases("deit_teacher", "image-classification", "image3", "image1")
case("deit_teacher_as_image", "deit_teacher", "image-classification", "image3", full=True,
     config={"architectures": ["DeiTForImageClassification"]})
case("deit_teacher_listed", "deit_teacher", "image-classification", "image3",
     config={"architectures": ["DeiTModel", "DeiTForImageClassificationWithTeacher"]})
case("deit_teacher_as_base", "deit_teacher", "base", "image3", full=True)
