/* fuzz_words.h: the keys and texts that mean something in the JSON files of a model. */
#ifndef FUZZ_WORDS_H
#define FUZZ_WORDS_H

#include "mutate_json.h"

static const char *const fuzz_config_keys[] = {
  "model_type", "architectures", "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers",
  "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings", "type_vocab_size", "hidden_act",
  "layer_norm_eps", "rms_norm_eps", "rope_theta", "rope_parameters", "rope_scaling", "rope_type", "type", "factor",
  "short_factor", "long_factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor",
  "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate", "partial_rotary_factor",
  "sliding_window", "use_sliding_window", "max_window_layers", "layer_types", "full_attention", "sliding_attention",
  "sliding_window_pattern", "use_bidirectional_attention", "rope_local_base_freq", "hidden_activation",
  "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping", "no_rope_layers",
  "no_rope_layer_interval", "attention_bias", "mlp_bias", "is_decoder", "add_cross_attention",
  "tie_word_embeddings", "pad_token_id",
  "bos_token_id", "eos_token_id", "id2label", "label2id", "num_labels", "problem_type", "dtype", "torch_dtype",
  "n_embd", "n_head", "n_layer", "n_positions", "n_inner", "activation_function", "scale_attn_weights",
  "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "layer_norm_epsilon", "dim", "hidden_dim", "n_heads",
  "n_layers", "activation", "sinusoidal_pos_embds", "image_size", "patch_size", "num_channels", "qkv_bias",
  "pooler_act", "pooler_output_size", "encoder_stride", "initializer_range", "position_embedding_type",
  "transformers_weights", "quantization_config", "quant_method", "_attn_implementation_internal", "auto_map",
  "ffn_dim", "word_embed_proj_dim", "do_layer_norm_before", "_remove_final_layer_norm", "enable_bias",
  "layer_norm_elementwise_affine", "init_std", "rotary_pct", "rotary_emb_base", "use_parallel_residual",
  "qk_layernorm", "attention_types", "attention_layers", "window_size", "num_heads", "num_layers", "alibi", "n_embed",
  "new_decoder_architecture", "multi_query", "parallel_attn", "bias", "num_kv_heads", "num_ln_in_parallel_attn",
  "ffn_hidden_size", "slow_but_exact", "pretraining_tp", "apply_residual_connection_post_layernorm",
  "embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling", "resid_pdrop",
  "num_local_experts", "num_experts", "num_experts_per_tok", "moe_intermediate_size", "decoder_sparse_step",
  "mlp_only_layers", "norm_topk_prob", "d_model", "encoder_layers", "decoder_layers", "encoder_attention_heads",
  "decoder_attention_heads", "encoder_ffn_dim", "decoder_ffn_dim", "scale_embedding", "decoder_vocab_size",
  "share_encoder_decoder_embeddings", "decoder_start_token_id", "is_encoder_decoder", "tie_last_hidden_states", "0",
  "1", "2", "10", "01", "-1", "__float__"};
static const char *const fuzz_config_texts[] = {
  "bert", "roberta", "xlm-roberta", "camembert", "distilbert", "gpt2", "llama", "mistral", "ministral", "qwen2",
  "qwen3", "vit", "deit", "smollm3", "olmo2", "gemma", "gemma2", "gemma3_text", "opt", "gpt_neox", "gpt_neo", "phi",
  "falcon", "bloom", "granite", "phi3", "mixtral", "qwen3_moe", "global", "local", "t5", "bart", "mbart", "marian",
  "pegasus", "m2m_100", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu", "tanh",
  "quick_gelu", "swish", "default", "linear", "dynamic", "yarn", "llama3", "longrope", "proportional", "su",
  "float32", "float16", "bfloat16", "float64", "auto", "full_attention", "sliding_attention", "absolute",
  "relative_key", "BertModel", "BertForMaskedLM", "BertForSequenceClassification", "BertForTokenClassification",
  "BertForQuestionAnswering", "GPT2LMHeadModel", "GPT2ForSequenceClassification", "LlamaForCausalLM",
  "LlamaForSequenceClassification", "ViTForImageClassification", "DeiTForImageClassificationWithTeacher",
  "DistilBertModel", "RobertaForMaskedLM", "Qwen3ForCausalLM", "MistralForTokenClassification",
  "Qwen2ForQuestionAnswering", "NoSuchModel", "", "yes", "LABEL_0", "../x", "model.safetensors", "x.safetensors",
  "x.safetensors.index.json", "gptq", "\\u00e9", "\\ud800", "\\u0000", "Infinity"};
static const fuzz_words fuzz_config_words = FUZZ_WORDS(fuzz_config_keys, fuzz_config_texts);

static const char *const fuzz_generation_keys[] = {
  "max_new_tokens", "max_length", "min_new_tokens", "min_length", "max_time", "eos_token_id", "pad_token_id",
  "bos_token_id", "do_sample", "early_stopping", "num_beams", "num_return_sequences", "length_penalty",
  "prompt_lookup_num_tokens", "max_matching_ngram_size", "repetition_penalty", "no_repeat_ngram_size",
  "bad_words_ids", "forced_bos_token_id", "forced_eos_token_id", "force_bos_token_to_be_generated",
  "suppress_tokens", "begin_suppress_tokens", "remove_invalid_values", "renormalize_logits", "temperature", "top_k",
  "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "guidance_scale", "num_beam_groups", "penalty_alpha",
  "stop_strings", "transformers_version", "decoder_start_token_id", "use_cache", "0"};
static const char *const fuzz_generation_texts[] = {"never", "5.23.0", "static", "true", "1", "", "\\u0000"};
static const fuzz_words fuzz_generation_words = FUZZ_WORDS(fuzz_generation_keys, fuzz_generation_texts);

static const char *const fuzz_header_keys[] = {"dtype", "shape", "data_offsets", "__metadata__", "a", "b", "\\u0061",
                                               "pooler.dense.bias", "format", "\\u0000", "\xc3\xa9", "a.b", ""};
static const char *const fuzz_header_texts[] = {
  "F32", "F16", "BF16", "F64", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL", "C64", "F8_E4M3",
  "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "F4", "f32", "pt", "F\\u003332", ""};
static const fuzz_words fuzz_header_words = FUZZ_WORDS(fuzz_header_keys, fuzz_header_texts);

static const char *const fuzz_index_keys[] = {"weight_map", "metadata", "total_size", "pooler.dense.bias", "w", "v",
                                              "pooler.dense.weight", "\\u0077", "\\u0000", "a"};
static const char *const fuzz_index_texts[] = {
  "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model-00003-of-00003.safetensors",
  "pytorch_model-00001-of-00002.bin", "x.bin", "../model-00001-of-00002.safetensors", "/x.safetensors",
  "\\\\x.safetensors", "C:x.safetensors", "a/../x.safetensors", "a/./x.safetensors", "a /x.safetensors", ".safetensors",
  "model.safetensors.index.json", "", "\\u0000.safetensors", "a\\nb.safetensors",
  "model-00001-of-00002\\u002esafetensors"};
static const fuzz_words fuzz_index_words = FUZZ_WORDS(fuzz_index_keys, fuzz_index_texts);

#endif
