/* The bytes are calls of sessions: tensors of fuzzed dtypes, ranks, shapes and contents, in all combinations of inputs
   and options, on models of a few hundred parameters; and what a caller does with the cache. Whatever came before, a
   sound call gives the same bits as in a new session; what comes from small finite inputs is finite. */
#include "fuzz_cache.h"
#include "fuzz_model.h"
#include "fuzz_tiny.h"

enum { FUZZ_INPUTS = 9, FUZZ_INPUT_BYTES = 4096, FUZZ_CALLS = 6 };

typedef struct fuzz_calls {
  fuzz_bytes bytes;
  fuzz_tiny *tiny;
  hfm_session *session;
  void *data[FUZZ_INPUTS]; /* each of the exact size that its tensor's shape says */
  size_t data_count;
  int32_t tame; /* so far, all numbers are small and finite */
} fuzz_calls;

static int64_t fuzz_dimension(fuzz_bytes *b, int64_t usual) {
  static const int64_t odd[] = {0, -1, INT64_MAX, INT64_MIN, INT32_MAX, (int64_t)INT32_MAX + 1, 1, 9};
  const uint8_t choice = (uint8_t)fuzz_take(b, 1);
  return choice < 200 ? usual : choice < 240 ? choice % 10 : odd[choice % 8];
}

/* Elements that mean something in any integer type, or bytes as they come. */
static void fuzz_fill(fuzz_calls *c, hfm_tensor *tensor, uint8_t *data, size_t size, int raw) {
  const size_t width = FUZZ_MAX((size_t)hfm_dtype_bits(tensor->dtype) / 8, (size_t)1);
  const int is_float = tensor->dtype == HFM_F32;
  for (size_t i = 0; i + width <= size; i += width) {
    const uint8_t byte = (uint8_t)fuzz_take(&c->bytes, 1);
    const float number = ((float)byte - 128.0f) / 32.0f;
    if (raw)
      for (size_t k = 0; k < width; k++) data[i + k] = (uint8_t)(byte * (k * 7 + 1) + k);
    else if (is_float) memcpy(data + i, &number, sizeof number);
    else data[i] = (uint8_t)(byte < 250 ? byte % 6 : byte); /* little-endian, as the machine, or large */
  }
}

/* A tensor that is right in rank and shape more often than not. */
static hfm_tensor fuzz_tensor(fuzz_calls *c, hfm_dtype dtype, int32_t rank, const int64_t *shape) {
  const uint8_t how = (uint8_t)fuzz_take(&c->bytes, 1);
  uint64_t bytes = 0;
  hfm_tensor tensor;
  uint8_t *data;
  memset(&tensor, 0, sizeof tensor);
  tensor.dtype = how & 1 ? (hfm_dtype)fuzz_take(&c->bytes, 1) % 26 - 1 : dtype;
  tensor.rank = (how & 0x1e) == 2 ? (int32_t)fuzz_take(&c->bytes, 1) % 12 - 2 : rank;
  for (int32_t d = 0; d < HFM_MAX_RANK; d++) tensor.shape[d] = d < rank ? shape[d] : 1;
  for (int32_t d = 0; how & 0x20 && d < rank; d++) tensor.shape[d] = fuzz_dimension(&c->bytes, tensor.shape[d]);
  if (tensor.rank >= 0 && tensor.rank <= HFM_MAX_RANK) {
    bytes = (uint64_t)FUZZ_MAX(hfm_dtype_bits(tensor.dtype), 8) / 8;
    for (int32_t d = 0; d < tensor.rank; d++)
      if (tensor.shape[d] < 1 || tensor.shape[d] > INT32_MAX) bytes = 0;
    for (int32_t d = 0; d < tensor.rank; d++) {
      if (bytes * (uint64_t)tensor.shape[d] > FUZZ_INPUT_BYTES) tensor.shape[d] = 1; /* as much as there is data for */
      bytes *= (uint64_t)tensor.shape[d];
    }
  }
  data = (uint8_t *)malloc(bytes + !bytes);
  if (!data) return tensor;
  fuzz_fill(c, &tensor, data, (size_t)bytes, how >> 7);
  if (how >> 7) c->tame = 0;
  c->data[c->data_count++] = data;
  tensor.data = data;
  return tensor;
}

static hfm_inputs fuzz_inputs(fuzz_calls *c) {
  const uint8_t present = (uint8_t)fuzz_take(&c->bytes, 1), wants = (uint8_t)fuzz_take(&c->bytes, 1);
  const int64_t batch = 1 + wants % 3, length = 1 + (int64_t)fuzz_take(&c->bytes, 1) % 9;
  const int64_t cached = hfm_cache_length(c->session);
  const hfm_config *config = hfm_model_config(c->tiny->model);
  const int encodes = hfm_config_get_bool(config, "is_encoder_decoder", 0);
  const int64_t shape[3] = {batch, length, 4}, masked[2] = {batch, length + (wants & 16 ? cached : 0)};
  const int64_t image[4] = {batch, hfm_config_get_int(config, "num_channels", 3), 4, 4};
  hfm_inputs inputs;
  memset(&inputs, 0, sizeof inputs);
  if (hfm_config_has(config, "num_channels") ? !(present & 1) : present & 1)
    inputs.pixel_values = fuzz_tensor(c, HFM_F32, 4, image);
  else if (!(present & 2)) inputs.input_ids = fuzz_tensor(c, HFM_I64, 2, shape);
  if (present & 4) inputs.attention_mask = fuzz_tensor(c, HFM_U8, 2, masked);
  if (present & 8) inputs.token_type_ids = fuzz_tensor(c, HFM_BOOL, 2, shape);
  if (present & 16 && encodes) inputs.decoder_attention_mask = fuzz_tensor(c, HFM_I32, 2, masked);
  else if (present & 16) inputs.position_ids = fuzz_tensor(c, HFM_I32, 2, shape);
  if (present & 2) inputs.inputs_embeds = fuzz_tensor(c, HFM_F32, 3, shape);
  if (encodes ? present >> 5 != 7 : present >> 5 == 6) inputs.decoder_input_ids = fuzz_tensor(c, HFM_I64, 2, shape);
  if (present >> 5 == 7) inputs.labels = fuzz_tensor(c, HFM_I64, 2, shape);
  inputs.output_hidden_states = wants >> 5 & 1;
  inputs.output_attentions = wants >> 6 & 1;
  inputs.use_cache = wants >> 4 & 1;
  inputs.logits_to_keep = wants >> 7 ? (int8_t)fuzz_take(&c->bytes, 1) : 0;
  return inputs;
}

/* In slices, or at once; sometimes given up on the way. */
static void fuzz_forward_once(fuzz_calls *c, const hfm_inputs *inputs, int how) {
  hfm_outputs outputs;
  hfm_error error;
  hfm_result result;
  int32_t done = 0, steps = how / 4;
  if (how % 4 < 2) {
    result = hfm_forward(c->session, inputs, &outputs, &error);
  } else {
    result = hfm_session_begin(c->session, inputs, &error);
    while (result == HFM_OK && !done && (how % 4 == 2 || steps-- > 0))
      result = hfm_session_step(c->session, how % 4 == 2 ? 1.0 : 0.0, &done, &error);
    fuzz_reason(result, &error);
    if (result == HFM_OK) result = hfm_session_outputs(c->session, &outputs, &error);
  }
  fuzz_reason(result, &error);
  if (result != HFM_OK) return;
  if (fuzz_read_outputs(&outputs)) FUZZ_REQUIRE(!c->tame, "a result that is not finite, of inputs that are");
}

/* The same call in each session, whatever was before: a hash of the bits of its outputs. */
static uint64_t fuzz_sound_call(fuzz_calls *c, hfm_session *session) {
  static const int64_t ids[6] = {1, 0, 2, 5, 3, 4};
  static float pixels[2 * 4 * 4];
  const hfm_config *config = hfm_model_config(c->tiny->model);
  const int64_t image[4] = {1, hfm_config_get_int(config, "num_channels", 3), 4, 4};
  hfm_inputs inputs;
  hfm_outputs outputs;
  hfm_error error;
  uint64_t hash = 0;
  for (size_t i = 0; i < sizeof pixels / sizeof pixels[0]; i++) pixels[i] = (float)i / 8;
  memset(&inputs, 0, sizeof inputs);
  if (hfm_config_has(config, "num_channels")) inputs.pixel_values = hfm_tensor_f32(pixels, 4, image);
  else inputs.input_ids = hfm_tensor_i64(ids, 2, 3);
  if (hfm_config_get_bool(config, "is_encoder_decoder", 0)) inputs.decoder_input_ids = hfm_tensor_i64(ids, 2, 2);
  FUZZ_REQUIRE(hfm_forward(session, &inputs, &outputs, &error) == HFM_OK, error.message);
  for (size_t i = 0; i < outputs.items_count; i++) {
    const hfm_tensor *tensor = &outputs.items[i].tensor;
    uint64_t size = sizeof(float);
    for (int32_t d = 0; d < tensor->rank; d++) size *= (uint64_t)tensor->shape[d];
    hash = hash * 31 + fuzz_hash((const uint8_t *)tensor->data, (size_t)size);
  }
  return hash;
}

static void fuzz_new_session(fuzz_calls *c, int32_t threads, hfm_dtype cache_dtype) {
  hfm_session_options options;
  hfm_error error;
  memset(&options, 0, sizeof options);
  options.threads = threads;
  options.cache_dtype = cache_dtype;
  hfm_session_free(c->session);
  FUZZ_REQUIRE(hfm_session_create(c->tiny->model, &options, &c->session, &error) == HFM_OK, error.message);
  c->tame = 1;
}

static void fuzz_one_call(fuzz_calls *c) {
  const uint8_t kind = (uint8_t)fuzz_take(&c->bytes, 1);
  hfm_error error;
  if (kind % 8 == 6 || (kind % 4 == 1 && hfm_cache_length(c->session))) {
    if (fuzz_use_cache(&c->bytes, c->session, kind >> 3)) c->tame = 0;
  } else if (kind % 8 == 7) {
    const int64_t batch = (int8_t)fuzz_take(&c->bytes, 1) % 8, length = (int8_t)fuzz_take(&c->bytes, 1);
    const hfm_inputs like = fuzz_inputs(c);
    fuzz_reason(hfm_session_reserve(c->session, batch, length, kind & 8 ? &like : NULL, &error), &error);
  } else {
    const hfm_inputs inputs = fuzz_inputs(c);
    fuzz_forward_once(c, &inputs, kind >> 3);
  }
  while (c->data_count) free(c->data[--c->data_count]);
}

FUZZ_TARGET(forward) {
  static const int32_t cache_dtypes[] = {HFM_DTYPE_AUTO, HFM_F32, HFM_F16, HFM_BF16};
  static uint64_t sound[FUZZ_TINY_COUNT];
  const size_t which = size ? data[0] % FUZZ_TINY_COUNT : 0;
  size_t before;
  fuzz_calls c;
  memset(&c, 0, sizeof c);
  c.bytes.data = data;
  c.bytes.size = size;
  c.bytes.pos = size ? 1 : 0;
  c.tiny = fuzz_tiny_model(which);
  if (!sound[which]) {
    fuzz_new_session(&c, 1, HFM_DTYPE_AUTO);
    sound[which] = fuzz_sound_call(&c, c.session);
    hfm_session_free(c.session);
    c.session = NULL;
  }
  before = c.tiny->memory.used;
  fuzz_new_session(&c, size && data[0] >= 248 ? 2 : 1, size ? cache_dtypes[data[0] >> 3 & 3] : HFM_DTYPE_AUTO);
  for (int32_t calls = 0; calls < FUZZ_CALLS && c.bytes.pos < size; calls++) fuzz_one_call(&c);
  FUZZ_REQUIRE(fuzz_sound_call(&c, c.session) == sound[which], "a call's result depends on what came before");
  hfm_session_free(c.session);
  /* Kept panels may have come, in the model; sessions leave nothing. */
  FUZZ_REQUIRE(which % 2 || c.tiny->memory.used == before, "memory left over");
  return 0;
}
