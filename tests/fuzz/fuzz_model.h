/* fuzz_model.h: a model that was loaded from something fuzzed is used in every way: read, printed, run. */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "fuzz.h"

/* Reads every element of a tensor, so that a sanitizer sees one outside of its memory; how many are not finite. */
static size_t fuzz_read_tensor(const hfm_tensor *tensor) {
  static volatile uint8_t sink;
  uint64_t elements = 1, bytes, odd = 0;
  uint8_t sum = 0;
  for (int32_t d = 0; d < tensor->rank; d++) elements *= (uint64_t)tensor->shape[d];
  bytes = elements * (uint64_t)hfm_dtype_bits(tensor->dtype) / 8;
  for (uint64_t i = 0; i < bytes; i++) sum ^= ((const uint8_t *)tensor->data)[i];
  sink = sum;
  (void)sink;
  if (tensor->dtype == HFM_F32 && (uintptr_t)tensor->data % sizeof(float) == 0)
    for (uint64_t i = 0; i < elements; i++) odd += !(fabsf(((const float *)tensor->data)[i]) <= 3.4e38f);
  return (size_t)odd;
}

/* All outputs of a forward; the number of elements that are not finite. */
static size_t fuzz_read_outputs(const hfm_outputs *outputs) {
  size_t odd = 0;
  FUZZ_REQUIRE(outputs->items_count > 0, "no outputs");
  for (size_t i = 0; i < outputs->items_count; i++) {
    FUZZ_REQUIRE(outputs->items[i].name && outputs->items[i].tensor.data, "an output without a name or data");
    FUZZ_REQUIRE(outputs->items[i].tensor.dtype == HFM_F32, outputs->items[i].name);
    odd += fuzz_read_tensor(&outputs->items[i].tensor);
  }
  return odd;
}

/* What every string of the API promises: it says how long it is, and is so. */
static void fuzz_read_texts(const hfm_model *model) {
  char text[256];
  size_t length = hfm_print(model, text, sizeof text);
  FUZZ_REQUIRE(strlen(text) == FUZZ_MIN(length, sizeof text - 1), "print");
  length = hfm_load_report_text(model, "x", 1, text, sizeof text);
  FUZZ_REQUIRE(strlen(text) == FUZZ_MIN(length, sizeof text - 1), "load report");
  for (size_t i = 0; i < hfm_load_report_size(model); i++)
    FUZZ_REQUIRE(hfm_load_report_at(model, i)->key != NULL, "an entry of the load report without a key");
  for (int64_t i = 0; i < FUZZ_MIN(hfm_num_labels(model), 1000); i++)
    FUZZ_REQUIRE(hfm_label(model, i) != NULL || hfm_num_labels(model) > 1 << 20, "a label is missing");
  FUZZ_REQUIRE(hfm_num_parameters(model, 0, 0) >= 0 && hfm_memory_footprint(model, 1) >= 0, "counts");
}

static void fuzz_run_model(hfm_model *model) {
  static const int64_t ids[3] = {1, 0, 2};
  static float pixels[3 * 32 * 32];
  const hfm_config *config = hfm_model_config(model);
  const int64_t channels = hfm_config_get_int(config, "num_channels", 0);
  const int64_t size = hfm_config_get_int(config, "image_size", 0);
  hfm_session_options session_options;
  hfm_session *session = NULL;
  hfm_inputs inputs;
  hfm_error error;
  hfm_result result;
  memset(&inputs, 0, sizeof inputs);
  memset(&session_options, 0, sizeof session_options);
  session_options.threads = 1;
  if (channels > 0) {
    const int64_t shape[4] = {1, FUZZ_MIN(channels, 3), FUZZ_MIN(size, 32), FUZZ_MIN(size, 32)};
    inputs.pixel_values = hfm_tensor_f32(pixels, 4, shape);
  } else {
    inputs.input_ids = hfm_tensor_i64(ids, 1, 3);
  }
  result = hfm_session_create(model, &session_options, &session, &error);
  fuzz_verdict(result, &error, session);
  if (!session) return;
  for (int32_t call = 0; call < 2; call++) {
    hfm_outputs outputs;
    inputs.use_cache = call;
    inputs.output_hidden_states = inputs.output_attentions = call;
    result = hfm_forward(session, &inputs, &outputs, &error);
    if (result == HFM_OK) (void)fuzz_read_outputs(&outputs);
    else FUZZ_REQUIRE(error.code == result && error.item != HFM_E_NONE && error.message[0] != 0, "no reason");
  }
  hfm_session_free(session);
}

static void fuzz_use_model(hfm_model *model) {
  const size_t count = hfm_state_dict_size(model);
  for (size_t i = 0; i < count; i++) {
    hfm_named_tensor entry;
    hfm_tensor piece;
    FUZZ_REQUIRE(hfm_state_dict_at(model, i, &entry) == HFM_OK && entry.name[0] != 0, "state_dict_at");
    for (size_t j = 0; hfm_state_dict_piece(model, i, j, &piece) == HFM_OK; j++) (void)fuzz_read_tensor(&piece);
  }
  fuzz_read_texts(model);
  if (hfm_num_parameters(model, 0, 0) < 500000 && count < 200) fuzz_run_model(model);
}

/* A number made of all bytes, for choices that no byte of the input is spent on. */
static uint64_t fuzz_hash(const uint8_t *data, size_t size) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ data[i]) * 1099511628211u;
  return hash ^ hash >> 29;
}

/* Choices that change how a model is loaded, never what may happen. */
static void fuzz_choose_options(hfm_options *options, uint64_t choice) {
  static const int32_t dtypes[] = {HFM_DTYPE_AUTO, HFM_DTYPE_AUTO, HFM_F32, HFM_F16, HFM_BF16, HFM_F64};
  options->task = choice % 4 ? HFM_TASK_FROM_CONFIG : (hfm_task)(choice / 4 % 9);
  options->dtype = dtypes[choice / 64 % 6];
  options->ignore_mismatched_sizes = (int32_t)(choice / 512 % 2);
  options->local_copy = (int32_t)(choice / 1024 % 2);
  options->packing = (int32_t)(choice / 2048 % 4); /* 3 is an error */
  options->attn_implementation = (int32_t)(choice / 8192 % 4);
  options->batch_invariant = (int32_t)(choice / 32768 % 2);
  options->isa = choice / 65536 % 4 ? HFM_ISA_AUTO : HFM_ISA_SCALAR;
  options->strict = choice / 262144 % 32 == 0;
  options->num_labels = choice / 8388608 % 16 ? 0 : (int32_t)(choice / 134217728 % 8) - 1;
}

#endif
