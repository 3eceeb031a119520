/* peer.c: hfmodel.h as a shared library for peers.py, so that it and its peers take turns within one process.

     cc -O2 -shared -fPIC -I. tools/bench/peer.c -o build/bench/peer.so -lm -pthread */
#define HFMODEL_STATIC
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdlib.h>

#define PEER_API __attribute__((visibility("default")))

typedef struct peer {
  hfm_model *model;
  hfm_session *session;
  hfm_inputs in;
  hfm_outputs out;
  hfm_generated generated;
  int64_t past, steps;
} peer;

PEER_API void peer_close(peer *p) {
  if (!p) return;
  hfm_session_free(p->session);
  hfm_model_free(p->model);
  free(p);
}

/* A model, its weights packed at load or not at all, and a session; NULL, and the reason in message[640], on
   failure. */
PEER_API peer *peer_open(const char *dir, int32_t threads, int32_t packed, int32_t bf16_products, char *message) {
  peer *p = (peer *)calloc(1, sizeof *p);
  hfm_options options = {0};
  hfm_session_options session = {0};
  hfm_error error = {0};
  if (!p) return NULL;
  options.task = HFM_TASK_FROM_CONFIG;
  options.packing = packed ? HFM_PACK_EAGER : HFM_PACK_NEVER;
  if (bf16_products) options.compute_dtype = HFM_BF16;
  session.threads = threads;
  if (!hfm_from_pretrained(dir, &options, &p->model, &error) &&
      !hfm_session_create(p->model, &session, &p->session, &error))
    return p;
  memcpy(message, error.message, sizeof error.message);
  peer_close(p);
  return NULL;
}

/* What later calls of peer_run take: ids [batch, length], or pixels of `rank` dimensions. They must stay where they
   are. With `past` > 0 the ids [1, past] are run once into the cache, and a call goes on from there. With `steps` > 0 a
   call generates so many tokens greedily. */
PEER_API int32_t peer_inputs(peer *p, const int64_t *ids, int64_t batch, int64_t length, const float *pixels,
                             const int64_t *shape, int32_t keep, const int64_t *past_ids, int64_t past,
                             int64_t steps) {
  hfm_error error;
  p->steps = steps;
  if (ids) p->in.input_ids = hfm_tensor_i64(ids, batch, length);
  if (pixels) p->in.pixel_values = hfm_tensor_f32(pixels, 4, shape);
  if (!steps) p->in.logits_to_keep = keep;
  p->past = past;
  if (past) {
    hfm_inputs before = p->in;
    before.input_ids = hfm_tensor_i64(past_ids, 1, past);
    before.use_cache = p->in.use_cache = 1;
    if (hfm_session_reserve(p->session, 1, past + length, &p->in, &error)) return 1;
    return hfm_forward(p->session, &before, &p->out, &error);
  }
  return 0;
}

PEER_API int32_t peer_run(peer *p) {
  hfm_error error;
  if (p->steps) {
    hfm_generation_config config = {0};
    config.num_beams = 1;
    config.max_new_tokens = config.min_new_tokens = p->steps;
    return hfm_generate(p->session, &p->in, &config, &p->generated, &error);
  }
  if (p->past && hfm_cache_crop(p->session, p->past, &error)) return 1;
  return hfm_forward(p->session, &p->in, &p->out, &error);
}

/* The first output of the last run, and how many floats it has. */
PEER_API const float *peer_output(const peer *p, int64_t *count) {
  const hfm_tensor *t = &p->out.items[0].tensor;
  *count = 1;
  for (int32_t i = 0; i < t->rank; i++) *count *= t->shape[i];
  return (const float *)t->data;
}

/* The `steps` ids that the first text of the last run ends with. */
PEER_API const int64_t *peer_ids(const peer *p) {
  const hfm_tensor *t = &p->generated.sequences;
  return (const int64_t *)t->data + t->shape[1] - p->steps;
}

PEER_API const char *peer_isa(const peer *p) { return hfm_model_isa(p->model); }
