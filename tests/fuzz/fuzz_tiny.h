/* fuzz_tiny.h: models of a few hundred parameters, made once from their configurations: what forwards run on, and what
   directories are written from. */
#ifndef FUZZ_TINY_H
#define FUZZ_TINY_H

#include "fuzz.h"

#define FUZZ_TINY_SIZES "\"hidden_size\":4,\"intermediate_size\":4,\"num_attention_heads\":2,\"num_hidden_layers\":1,"
#define FUZZ_TINY_TEXT "\"vocab_size\":6,\"max_position_embeddings\":8,"
static const char *const fuzz_tiny_configs[] = {
  "{\"model_type\":\"bert\"," FUZZ_TINY_SIZES FUZZ_TINY_TEXT "\"architectures\":[\"BertModel\"]}",
  "{\"model_type\":\"gpt2\",\"n_embd\":4,\"n_head\":2,\"n_layer\":2,\"n_positions\":8,\"vocab_size\":6,"
  "\"architectures\":[\"GPT2LMHeadModel\"]}",
  "{\"model_type\":\"llama\"," FUZZ_TINY_SIZES "\"num_key_value_heads\":1,\"head_dim\":2," FUZZ_TINY_TEXT
  "\"architectures\":[\"LlamaForCausalLM\"]}",
  "{\"model_type\":\"vit\"," FUZZ_TINY_SIZES "\"image_size\":4,\"patch_size\":2,\"num_channels\":2,"
  "\"id2label\":{\"0\":\"no\",\"1\":\"yes\"},\"architectures\":[\"ViTForImageClassification\"]}",
  "{\"model_type\":\"distilbert\",\"dim\":4,\"hidden_dim\":4,\"n_heads\":2,\"n_layers\":1," FUZZ_TINY_TEXT
  "\"architectures\":[\"DistilBertForQuestionAnswering\"]}",
  "{\"model_type\":\"qwen2\"," FUZZ_TINY_SIZES FUZZ_TINY_TEXT "\"num_key_value_heads\":2,\"head_dim\":4,"
  "\"use_sliding_window\":true,\"max_window_layers\":0,\"sliding_window\":3,"
  "\"rope_parameters\":{\"rope_type\":\"dynamic\",\"rope_theta\":100.0,\"factor\":2.0},"
  "\"pad_token_id\":0,\"architectures\":[\"Qwen2ForSequenceClassification\"]}",
  "{\"model_type\":\"roberta\"," FUZZ_TINY_SIZES FUZZ_TINY_TEXT "\"architectures\":[\"RobertaForMaskedLM\"]}",
  "{\"model_type\":\"deit\"," FUZZ_TINY_SIZES "\"image_size\":4,\"patch_size\":2,\"num_channels\":1,"
  "\"architectures\":[\"DeiTForImageClassificationWithTeacher\"]}",
  "{\"model_type\":\"gemma3_text\"," FUZZ_TINY_SIZES FUZZ_TINY_TEXT "\"num_key_value_heads\":1,\"head_dim\":2,"
  "\"sliding_window\":3,\"sliding_window_pattern\":2,\"final_logit_softcapping\":2.0,"
  "\"architectures\":[\"Gemma3ForCausalLM\"]}",
  "{\"model_type\":\"mixtral\"," FUZZ_TINY_SIZES FUZZ_TINY_TEXT "\"num_key_value_heads\":1,\"num_local_experts\":3,"
  "\"num_experts_per_tok\":2,\"sliding_window\":4,\"architectures\":[\"MixtralForCausalLM\"]}",
  "{\"model_type\":\"t5\",\"d_model\":4,\"d_ff\":4,\"d_kv\":2,\"num_heads\":2,\"num_layers\":1,\"vocab_size\":6,"
  "\"num_decoder_layers\":1,\"relative_attention_num_buckets\":4,\"relative_attention_max_distance\":6,"
  "\"decoder_start_token_id\":0,\"architectures\":[\"T5ForConditionalGeneration\"]}",
  "{\"model_type\":\"bart\",\"d_model\":4,\"encoder_layers\":1,\"decoder_layers\":1,\"encoder_attention_heads\":2,"
  "\"decoder_attention_heads\":2,\"encoder_ffn_dim\":4,\"decoder_ffn_dim\":4,\"max_position_embeddings\":8,"
  "\"vocab_size\":6,\"pad_token_id\":1,\"bos_token_id\":0,\"eos_token_id\":2,\"decoder_start_token_id\":2,"
  "\"forced_eos_token_id\":null,\"architectures\":[\"BartForConditionalGeneration\"]}",
};
enum { FUZZ_TINY_COUNT = sizeof fuzz_tiny_configs / sizeof fuzz_tiny_configs[0] };

typedef struct fuzz_tiny {
  fuzz_memory memory;
  hfm_model *model;
} fuzz_tiny;

/* Every second one keeps packed weights, the others nothing between calls. */
static fuzz_tiny *fuzz_tiny_model(size_t which) {
  static fuzz_tiny all[FUZZ_TINY_COUNT];
  fuzz_tiny *tiny = &all[which % FUZZ_TINY_COUNT];
  hfm_config *config = NULL;
  hfm_options options;
  hfm_error error;
  const char *text = fuzz_tiny_configs[which % FUZZ_TINY_COUNT];
  if (tiny->model) return tiny;
  options = fuzz_options(&tiny->memory, 0);
  options.task = HFM_TASK_FROM_CONFIG;
  options.packing = which % 2 ? HFM_PACK_LAZY : HFM_PACK_NEVER;
  FUZZ_REQUIRE(hfm_config_parse(text, strlen(text), &options, &config, &error) == HFM_OK, error.message);
  FUZZ_REQUIRE(hfm_from_config(config, &options, &tiny->model, &error) == HFM_OK, error.message);
  hfm_config_free(config);
  return tiny;
}

#endif
