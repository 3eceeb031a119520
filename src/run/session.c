/* ==== run/session (private): one user of a model ==================================================================
   A session owns what a forward needs beside the weights: programs, one arena for activations, scratch and threads. A
   forward walks the program's groups of nodes; each is a list of chunks that the pool shares out; a time budget,
   progress and cancellation all look in between chunks. */

struct hfm_session {
  hfm_model *model;
  hfm_session_options options;
  hfm__pool *pool;
  hfm__worker *workers;
  hfm__program *programs; /* the latest first */
  int64_t bounds[HFM__SYM_COUNT];
  uint8_t *arena, *scratch; /* blocks, and how large they are; users align within */
  uint64_t arena_bytes, scratch_bytes, worker_bytes, worker_scratch;
  hfm__cache cache;
  /* The forward in progress. */
  hfm__program *running;
  size_t node; /* the group's first */
  struct {
    int32_t op;
    uint32_t acquired; /* bit i: the weight of input i */
    int64_t first;     /* chunk of the group */
    hfm__op_args args;
  } jobs[HFM__MAX_GROUP];
  int32_t job_count; /* 0: the group has not begun */
  int64_t chunk, chunks;
  int32_t done;
  uint64_t serial;
  uint64_t calls; /* of what ends a forward in progress: who goes on with one sees whether it is still theirs */
  hfm_generation *generation; /* hfm_generate's last one, whose outputs are views; or NULL */
};

#if HFM__HAS_GENERATION
HFM__PRIVATE uint64_t hfm__generation_bytes(const hfm_generation *generation); /* run/generate.c */
#endif

enum { HFM__SLICE_NS = 2000000 }; /* how often progress is called */

/* ---- Life ---- */

/* Weights become readable before a group runs and are given back after it. */
HFM__PRIVATE void hfm__group_release(hfm_session *session) {
  for (int32_t j = 0; j < session->job_count; j++)
    for (int32_t i = 0; i < HFM__MAX_OP_INPUTS; i++) {
      hfm__weight *weight = session->jobs[j].args.in[i].weight;
      if (session->jobs[j].acquired >> i & 1) weight->storage->release(weight);
    }
  session->job_count = 0;
}

/* A forward in progress is over, wherever it was. */
HFM__PRIVATE void hfm__session_stop(hfm_session *session) {
  hfm__group_release(session);
  session->running = NULL;
  session->calls++;
}

HFMODEL_API void hfm_session_free(hfm_session *session) {
  hfm_model *model;
  if (!session) return;
  model = session->model;
#if HFM__HAS_GENERATION
  hfm_generation_free(session->generation);
#endif
  hfm__session_stop(session);
  hfm__pool_free(session->pool);
  while (session->programs) {
    hfm__program *next = session->programs->next;
    hfm__program_free(&model->ctx.mem, session->programs);
    session->programs = next;
  }
  hfm__free(&model->ctx.mem, session->arena, session->arena_bytes);
  hfm__free(&model->ctx.mem, session->scratch, session->scratch_bytes);
  hfm__cache_free(&model->ctx.mem, &session->cache);
  hfm__free(&model->ctx.mem, session->workers, session->worker_bytes);
  hfm__free(&model->ctx.mem, session, sizeof *session);
  hfm__model_release(model);
}

HFM__PRIVATE hfm_result hfm__check_session_options(const hfm_session_options *o, hfm_error *error) {
  if (o->threads < 0 || o->threads > HFM__MAX_THREADS)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "threads", 0,
                     "threads is %d, but must be from 1 to %d, or 0 for the machine's processors", (int)o->threads,
                     (int)HFM__MAX_THREADS);
  if (o->spin < -1 || o->spin > 1)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "spin", 0,
                     "spin is %d, but must be 1 for always, -1 for never, or 0 for briefly", (int)o->spin);
  if (o->cache_dtype && o->cache_dtype != HFM_F32 && o->cache_dtype != HFM_F16 && o->cache_dtype != HFM_BF16)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "cache_dtype", 0,
                     "cache_dtype is %d, but must be HFM_F32, HFM_F16 or HFM_BF16", (int)o->cache_dtype);
  return HFM_OK;
}

HFMODEL_API hfm_result hfm_session_create(hfm_model *model, const hfm_session_options *options, hfm_session **out,
                                          hfm_error *error) {
  hfm_session *session;
  hfm_result result = HFM_OK;
  hfm__clear_error(error);
  if (out) *out = NULL;
  if (!model || !out)
    return hfm__fail_null(error, model ? "session" : "model");
  if (options) result = hfm__check_session_options(options, error);
  for (uint32_t i = 0; i < model->checkpoint.file_count && result == HFM_OK; i++)
    result = hfm__file_unchanged(&model->checkpoint.files[i], error);
  if (result != HFM_OK) return result;
  session = (hfm_session *)hfm__alloc_zero(&model->ctx.mem, sizeof *session);
  if (!session) return hfm__fail_memory(error, "a session", sizeof *session);
  session->model = model;
  hfm__atomic_add(&model->references, 1);
  if (options) session->options = *options;
  session->cache.dtype = options && options->cache_dtype ? options->cache_dtype : HFM_F32;
  session->cache.kernels = model->cpu.kernels;
  session->pool =
      hfm__pool_create(&model->ctx.mem, session->options.threads, session->options.spin, &session->options.jobs);
  if (session->pool) {
    session->worker_bytes = (uint64_t)session->pool->threads * sizeof *session->workers;
    session->workers = (hfm__worker *)hfm__alloc_zero(&model->ctx.mem, session->worker_bytes);
  }
  if (!session->workers) {
    hfm_session_free(session);
    return hfm__fail_memory(error, "a session's threads", 0);
  }
  *out = session;
  return HFM_OK;
}

HFMODEL_API hfm_result hfm_load(const char *path, hfm_task task, hfm_session **session, hfm_error *error) {
  hfm_options options;
  hfm_model *model;
  hfm_result result;
  memset(&options, 0, sizeof options);
  options.task = task;
  if (session) *session = NULL;
  result = hfm_from_pretrained(path, &options, &model, error);
  if (result == HFM_OK) result = hfm_session_create(model, NULL, session, error);
  hfm_model_free(model); /* the session keeps it */
  return result;
}

HFMODEL_API const hfm_model *hfm_session_model(const hfm_session *session) { return session ? session->model : NULL; }

HFMODEL_API int32_t hfm_session_threads(const hfm_session *session) { return session ? session->pool->threads : 0; }

HFMODEL_API uint64_t hfm_session_memory(const hfm_session *session) {
  uint64_t sum;
  if (!session) return 0;
  sum = sizeof *session + session->arena_bytes + session->scratch_bytes + session->worker_bytes +
        session->cache.bytes + (uint64_t)session->cache.state_count * sizeof *session->cache.states;
#if HFM__HAS_GENERATION
  sum += hfm__generation_bytes(session->generation);
#endif
  for (const hfm__program *p = session->programs; p; p = p->next) sum += sizeof *p + hfm__arena_bytes(&p->graph.arena);
  return sum;
}

/* What a session of so many threads takes for a program, as hfm_session_memory counts. */
HFM__PRIVATE uint64_t hfm__session_bytes(const hfm__program *program, uint64_t threads) {
  const uint64_t each = hfm__aligned(program->scratch) + sizeof(hfm__worker);
  return sizeof(hfm_session) + sizeof *program + hfm__arena_bytes(&program->graph.arena) +
         program->plan.arena_bytes + 64 + each * threads + 64;
}

/* ---- Programs and their memory ---- */

HFM__PRIVATE int hfm__session_reserved(const hfm_session *session) {
  const hfm__program *program = session->programs;
  while (program && !program->reserved) program = program->next;
  return program != NULL;
}

/* Makes a block of at least `bytes` usable bytes. The old contents are gone. What is reserved can still run where there
   is no memory for more: only without a reservation is the old block given back before the new one is there. */
HFM__PRIVATE hfm_result hfm__session_block(hfm_session *session, uint8_t **block, uint64_t *size, uint64_t bytes,
                                           const char *what, hfm_error *error) {
  const hfm_allocator *mem = &session->model->ctx.mem;
  uint8_t *larger;
  if (!hfm__add64(bytes, 64, &bytes)) return hfm__fail_memory(error, what, 0);
  if (*block && *size >= bytes) return HFM_OK;
  if (!hfm__session_reserved(session)) {
    hfm__free(mem, *block, *size);
    *block = NULL;
    *size = 0;
  }
  larger = (uint8_t *)hfm__alloc_in_huge_pages(mem, bytes);
  if (!larger) return hfm__fail_memory(error, what, bytes);
  hfm__free(mem, *block, *size);
  *block = larger;
  *size = bytes;
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__session_scratch(hfm_session *session, const hfm__program *program, hfm_error *error) {
  const uint64_t each = hfm__aligned(program->scratch), workers = (uint64_t)session->pool->threads;
  uint64_t all;
  hfm_result result;
  if (session->scratch && each <= session->worker_scratch) return HFM_OK;
  if (!hfm__mul64(each, workers, &all)) return hfm__fail_memory(error, "scratch memory", 0);
  result = hfm__session_block(session, &session->scratch, &session->scratch_bytes, all, "scratch memory", error);
  if (result != HFM_OK) return result;
  session->worker_scratch = each;
  for (uint64_t i = 0; i < workers; i++)
    session->workers[i].scratch = hfm__align64(session->scratch) + i * each;
  return HFM_OK;
}

/* Room for the cache of a request; one that grows call by call doubles. */
HFM__PRIVATE hfm_result hfm__session_states(hfm_session *session, const hfm__program *program,
                                            const int64_t binding[HFM__SYM_COUNT], hfm_error *error) {
  const hfm_allocator *mem = &session->model->ctx.mem;
  hfm__cache *cache = &session->cache;
  hfm__extent needed, wanted;
  hfm_result result;
  if (!hfm__state_count(&program->graph)) return HFM_OK;
  result = hfm__cache_describe(mem, cache, &program->graph, program->dims, error);
  needed.rows = binding[HFM__SYM_BATCH];
  needed.total = binding[HFM__SYM_TOTAL];
  needed.length = binding[HFM__SYM_TARGET];
  needed.source = binding[HFM__SYM_LENGTH];
  wanted = needed;
  if (cache->length) wanted.total = HFM__MAX(needed.total, 2 * cache->length);
  if (result != HFM_OK || hfm__cache_has_room(cache, &needed)) return result;
  result = hfm__cache_room(mem, cache, &wanted, wanted.total > needed.total ? NULL : error);
  return result != HFM_OK && wanted.total > needed.total ? hfm__cache_room(mem, cache, &needed, error) : result;
}

HFM__PRIVATE hfm_result hfm__session_room(hfm_session *session, const hfm__program *program,
                                          const int64_t binding[HFM__SYM_COUNT], hfm_error *error) {
  hfm_result result = hfm__session_block(session, &session->arena, &session->arena_bytes, program->plan.arena_bytes,
                                         "activations", error);
  if (result == HFM_OK) result = hfm__session_scratch(session, program, error);
  if (result == HFM_OK) result = hfm__session_states(session, program, binding, error);
  return result;
}

/* Does `latest` serve whatever `old` does? */
HFM__PRIVATE int hfm__program_replaces(const hfm__program *latest, const hfm__program *old) {
  if (memcmp(&latest->asked, &old->asked, sizeof old->asked) != 0 || latest->graph.guard_count) return 0;
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++)
    if (latest->plan.bounds[i] < old->plan.bounds[i]) return 0;
  return 1;
}

/* Programs for smaller bounds than the session's are not needed again, but for those that were reserved; of those apart
   the latest. */
HFM__PRIVATE void hfm__session_drop(hfm_session *session, const hfm__program *latest) {
  hfm__program **link = &session->programs;
  while (*link) {
    hfm__program *old = *link;
    const int reserved = old->reserved && !hfm__program_replaces(latest, old);
    const int useful = old->apart ? !latest->apart
                                  : !memcmp(old->plan.bounds, session->bounds, sizeof session->bounds);
    if (old == latest || reserved || useful) {
      link = &old->next;
    } else {
      *link = old->next;
      hfm__program_free(&session->model->ctx.mem, old);
    }
  }
}

/* A program for a request that none serves. Its bounds are the session's, widened: what came before will come again.
   But a batch of short texts after a long one is not a batch of long ones: where that would take much more memory than
   the request itself, or more than there can be, the program stands apart, for what the request needs at `least`. */
HFM__PRIVATE hfm_result hfm__session_new_program(const hfm_session *session, const hfm__request *request,
                                                 const int64_t least[HFM__SYM_COUNT], int64_t bounds[HFM__SYM_COUNT],
                                                 hfm__program **out, hfm_error *error) {
  enum { MUCH = 64 << 20, TIMES = 4 };
  const hfm_allocator *mem = &session->model->ctx.mem;
  int64_t own[HFM__SYM_COUNT];
  hfm__program *apart;
  hfm_result result, second;
  memcpy(own, least, sizeof own);
  if (request->asked.use_cache && session->cache.length) /* not for each token anew */
    own[HFM__SYM_TOTAL] = HFM__MIN(HFM__MAX(own[HFM__SYM_TOTAL], 2 * session->cache.length), INT32_MAX);
  for (int32_t i = 0; i < HFM__SYM_COUNT; i++) bounds[i] = HFM__MAX(session->bounds[i], own[i]);
  result = hfm__program_create(session->model, request, bounds, out, error);
  if (!memcmp(bounds, own, sizeof own)) return result;
  if (result == HFM_OK && (*out)->plan.arena_bytes < MUCH) return HFM_OK;
  if (result != HFM_OK && result != HFM_ERROR_MEMORY && result != HFM_ERROR_LIMIT) return result;
  second = hfm__program_create(session->model, request, own, &apart, result == HFM_OK ? NULL : error);
  if (second != HFM_OK) return result == HFM_OK ? HFM_OK : second;
  if (result == HFM_OK && apart->plan.arena_bytes >= (*out)->plan.arena_bytes / TIMES) {
    hfm__program_free(mem, apart);
    return HFM_OK;
  }
  hfm__program_free(mem, *out);
  hfm__clear_error(error);
  apart->apart = 1;
  memcpy(bounds, session->bounds, sizeof own);
  *out = apart;
  return HFM_OK;
}

/* The program for a request, with memory for it: one that serves it, or a new one for bounds of at `least` so much.
   What the request can't have is refused before anything is allocated for it; what failed leaves nothing behind. */
HFM__PRIVATE hfm_result hfm__session_program(hfm_session *session, const hfm__request *request,
                                             const int64_t least[HFM__SYM_COUNT], const hfm_inputs *inputs,
                                             hfm__program **out, hfm_error *error) {
  hfm__program *program = session->programs;
  int64_t bounds[HFM__SYM_COUNT];
  hfm_result result = HFM_OK;
  int32_t is_new;
  *out = NULL;
  for (; program; program = program->next)
    if (hfm__program_serves(program, request)) break;
  is_new = !program;
  if (is_new) result = hfm__session_new_program(session, request, least, bounds, &program, error);
  if (is_new && result == HFM_OK) hfm__dims_evaluate(&program->graph, request->binding, program->dims);
  if (result == HFM_OK) result = hfm__check_call(session->model, program, request, inputs, error);
  if (result == HFM_OK) result = hfm__session_room(session, program, request->binding, error);
  if (is_new && result != HFM_OK) hfm__program_free(&session->model->ctx.mem, program);
  if (result != HFM_OK) return result;
  if (is_new) {
    memcpy(session->bounds, bounds, sizeof bounds);
    program->next = session->programs;
    session->programs = program;
    hfm__session_drop(session, program);
  }
  *out = program;
  return HFM_OK;
}

/* Plans for the bindings of a request, and for the other side of its guards. *out is one of the programs. */
HFM__PRIVATE hfm_result hfm__session_plan(hfm_session *session, hfm__request *request, int32_t stays,
                                          hfm__program **out, hfm_error *error) {
  int64_t least[HFM__SYM_COUNT];
  memcpy(least, request->binding, sizeof least);
  for (int32_t side = 0; side < 2; side++) {
    const hfm_result result = hfm__session_program(session, request, least, NULL, out, error);
    if (result != HFM_OK) return result;
    (*out)->reserved |= stays;
    if (!(*out)->graph.guard_count) break;
    memcpy(least, (*out)->plan.bounds, sizeof least);
    for (int32_t i = 0; i < HFM__SYM_COUNT; i++) request->binding[i] = 1;
  }
  return HFM_OK;
}

/* The first of two inputs that is there and says how long it is; else `length`. */
HFM__PRIVATE int64_t hfm__length_like(const hfm_tensor *a, const hfm_tensor *b, int64_t length) {
  const hfm_tensor *tensor = a->data ? a : b;
  return tensor->data && tensor->rank > 1 && tensor->shape[1] > 0 ? tensor->shape[1] : length;
}

/* What a reservation for `length` positions binds: the text's; or, where a decoder has an encoder, the decoder's. */
HFM__PRIVATE void hfm__reserve_lengths(hfm__request *request, int64_t length, const hfm_inputs *like) {
  const int two = like && (like->decoder_input_ids.data || like->decoder_inputs_embeds.data);
  int64_t *binding = request->binding;
  binding[HFM__SYM_LENGTH] = binding[HFM__SYM_TARGET] = binding[HFM__SYM_TOTAL] = length;
  if (two) {
    const hfm_tensor *source = like->input_ids.data ? &like->input_ids : &like->inputs_embeds;
    binding[HFM__SYM_LENGTH] = hfm__length_like(source, &like->attention_mask, length);
  }
  if (request->asked.use_cache) {
    binding[HFM__SYM_TARGET] = HFM__MIN(length, two ? hfm__length_like(&like->decoder_input_ids,
                                                                       &like->decoder_inputs_embeds, length)
                                                    : hfm__length_like(&like->input_ids, &like->inputs_embeds, length));
    if (!two) binding[HFM__SYM_LENGTH] = binding[HFM__SYM_TARGET];
  }
}

HFMODEL_API hfm_result hfm_session_reserve(hfm_session *session, int64_t batch, int64_t length, const hfm_inputs *like,
                                           hfm_error *error) {
  hfm__program *program;
  hfm__request request;
  hfm_result result = HFM_OK;
  hfm__clear_error(error);
  if (!session) return hfm__fail_null(error, "session");
  if (batch < 1 || batch > INT32_MAX || length < 1 || length > INT32_MAX)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, batch < 1 || batch > INT32_MAX ? "batch" : "length", 0,
                     "batch %i and length %i must be from 1 to %d", batch, length, (int)INT32_MAX);
  hfm__session_stop(session);
  request = hfm__usual_request(session->model);
  if (like) result = hfm__question_from(like, &request.asked, error);
  if (result == HFM_OK && (!like || !request.asked.present))
    result = hfm__declared_inputs(session->model, &request, error);
  if (result != HFM_OK) return result;
  request.binding[HFM__SYM_BATCH] = batch;
  request.binding[HFM__SYM_POSITION_ROWS] = batch;
  hfm__reserve_lengths(&request, length, like);
  return hfm__session_plan(session, &request, 1, &program, error);
}

/* ---- Forward ---- */

/* Does the caller give what an encoder (or a decoder without one) reads? */
HFM__PRIVATE int hfm__has_source(const hfm__question *asked) {
  return (asked->present & (1u << HFM__IN_input_ids | 1u << HFM__IN_inputs_embeds | 1u << HFM__IN_pixel_values)) != 0;
}

/* A call goes on where the cache ends. */
HFM__PRIVATE hfm_result hfm__continue_cache(const hfm_session *session, hfm__request *request, hfm_error *error) {
  const hfm__cache *cache = &session->cache;
  const int64_t batch = request->binding[HFM__SYM_BATCH];
  if (cache->length && batch != cache->rows)
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, "use_cache", 0,
                     "the batch is %i, but the cache holds %i sequences; empty it with hfm_cache_crop(session, 0, ...)",
                     batch, cache->rows);
  if (cache->source && hfm__has_source(&request->asked))
    return hfm__fail(error, HFM_E_INPUT_UNEXPECTED, NULL, "input_ids", 0,
                     "input_ids: the cache holds an encoded text already; leave input_ids out to go on with it, or "
                     "empty it with hfm_cache_crop(session, 0, ...)");
  if (!cache->source && !hfm__has_source(&request->asked))
    return hfm__fail(error, HFM_E_INPUT_MISSING, NULL, "input_ids", 0,
                     "%s needs input_ids%s", session->model->architecture,
                     request->asked.present >> HFM__IN_decoder_input_ids ? ": the cache holds no encoded text" : "");
  if (cache->source) request->binding[HFM__SYM_LENGTH] = cache->source;
  request->binding[HFM__SYM_TOTAL] = cache->length + request->binding[HFM__SYM_TARGET];
  if (request->binding[HFM__SYM_TOTAL] > INT32_MAX)
    return hfm__fail(error, HFM_E_INPUT_TOO_LONG, NULL, "use_cache", 0, "the cache would hold more than %d positions",
                     (int)INT32_MAX);
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__session_begin(hfm_session *session, const hfm_inputs *inputs, hfm_error *error) {
  hfm__program *program;
  hfm__request request;
  hfm_result result = hfm__request_from(inputs, &request, error);
  if (HFM__HAS_STATES && result == HFM_OK && request.asked.use_cache)
    result = hfm__continue_cache(session, &request, error);
  if (result == HFM_OK) result = hfm__session_program(session, &request, request.binding, inputs, &program, error);
  if (result != HFM_OK) return result;
  if (hfm__state_count(&program->graph))
    hfm__cache_begin(&session->cache, request.binding[HFM__SYM_BATCH], request.binding[HFM__SYM_TOTAL],
                     request.binding[HFM__SYM_LENGTH]);
  hfm__program_bind(program, session->model, hfm__align64(session->arena), &session->cache);
  for (int32_t i = 0; i < HFM__IN_COUNT && result == HFM_OK; i++)
    if (program->graph.inputs[i].value)
      result = hfm__input_copy(i, &program->graph.inputs[i], hfm__input_tensor(inputs, i),
                               &program->operands[program->graph.inputs[i].value], error);
  if (result != HFM_OK) return result;
  session->running = program;
  session->node = 0;
  session->job_count = session->done = 0;
  return HFM_OK;
}

HFMODEL_API hfm_result hfm_session_begin(hfm_session *session, const hfm_inputs *inputs, hfm_error *error) {
  hfm__clear_error(error);
  if (!session || !inputs)
    return hfm__fail_null(error, session ? "inputs" : "session");
  hfm__session_stop(session);
  return hfm__session_begin(session, inputs, error);
}

HFM__PRIVATE void hfm__run_chunk(void *ctx, int64_t chunk, int32_t index) {
  hfm_session *session = (hfm_session *)ctx;
  hfm__worker *worker = &session->workers[index];
  const hfm__op_args *args;
  int32_t j = session->job_count - 1;
  HFMODEL_ASSERT(chunk >= 0 && chunk < session->chunks && index >= 0 && index < session->pool->threads);
  while (chunk < session->jobs[j].first) j--;
  args = &session->jobs[j].args;
  if (worker->node != args->serial) worker->tag = 0;
  worker->node = args->serial;
  worker->stride = hfm__pool_stride(session->pool);
  hfm__cpu_ops[session->jobs[j].op].run(args, chunk - session->jobs[j].first, worker);
}

HFM__PRIVATE hfm_result hfm__node_start(hfm_session *session, const hfm__node *node, hfm_error *error) {
  const int32_t job = session->job_count++;
  hfm__op_args *args = &session->jobs[job].args;
  hfm__node_args(session->running, session->model, node, args);
  args->serial = ++session->serial;
  hfm__one_row_ways(args->cpu, args->serial, args->one_row);
  session->jobs[job].op = node->op;
  session->jobs[job].acquired = 0;
  session->jobs[job].first = session->chunks;
  for (int32_t i = 0; i < HFM__MAX_OP_INPUTS; i++) {
    hfm__weight *weight = args->in[i].weight;
    const void *data;
    hfm_result result;
    if (!weight) continue;
    result = weight->storage->acquire(weight, &data, error);
    if (result != HFM_OK) return result;
    args->in[i].data = (void *)(uintptr_t)data;
    session->jobs[job].acquired |= 1u << i;
  }
  session->chunks += hfm__cpu_ops[node->op].chunks(args);
  return HFM_OK;
}

/* The node after the group that begins with `node`. */
HFM__PRIVATE size_t hfm__group_end(const hfm__graph *g, size_t node) {
  const int32_t group = g->nodes[node].group;
  while (node < g->node_count && g->nodes[node].group == group) node++;
  return node;
}

/* Runs until the deadline (0: to the end). */
HFM__PRIVATE hfm_result hfm__session_run(hfm_session *session, uint64_t deadline, hfm_error *error) {
  const hfm__graph *g = &session->running->graph;
  while (session->node < g->node_count) {
    const size_t end = hfm__group_end(g, session->node);
    if (session->job_count == 0) {
      session->chunk = session->chunks = 0;
      for (size_t i = session->node; i < end; i++) {
        const hfm_result result = hfm__is_op(&g->nodes[i]) ? hfm__node_start(session, &g->nodes[i], error) : HFM_OK;
        if (result != HFM_OK) return result;
      }
    }
    session->chunk = hfm__pool_run(session->pool, hfm__run_chunk, session, session->chunk, session->chunks, deadline);
    if (session->chunk < session->chunks) return HFM_OK;
    hfm__group_release(session);
    session->node = end;
    if (session->node < g->node_count && hfm__pool_is_late(session->pool, deadline)) return HFM_OK;
  }
  session->done = 1;
  return HFM_OK;
}

/* The caller's progress, between slices; a forward that is cancelled is over. */
HFM__PRIVATE hfm_result hfm__session_report(const hfm_session *session, hfm_error *error) {
  hfm__context ctx = session->model->ctx;
  ctx.progress = session->options.progress;
  return hfm__progress(&ctx, "forward", session->node, session->running->graph.node_count, "nodes", error);
}

HFM__PRIVATE hfm_result hfm__session_slices(hfm_session *session, uint64_t deadline, hfm_error *error) {
  hfm_result result = HFM_OK;
  if (!session->options.progress.update) {
    result = hfm__session_run(session, deadline, error);
  } else {
    int32_t is_last = 0;
    while (result == HFM_OK && !is_last) {
      const uint64_t slice = hfm__clock_ns() + HFM__SLICE_NS;
      is_last = deadline && deadline < slice;
      result = hfm__session_run(session, is_last ? deadline : slice, error);
      if (result == HFM_OK) result = hfm__session_report(session, error);
      is_last |= session->done || (deadline && hfm__clock_ns() >= deadline);
    }
  }
  if (result != HFM_OK) {
    hfm__session_stop(session);
  } else if (HFM__HAS_STATES && session->done && session->running->asked.use_cache) {
    hfm__cache_end(&session->cache);
  }
  return result;
}

/* When a time budget is over; none is over at once, after one chunk. */
HFM__PRIVATE uint64_t hfm__deadline(double budget_seconds) {
  if (!(budget_seconds > 0)) return 1;
  return hfm__clock_ns() + (uint64_t)(HFM__MIN(budget_seconds, 1e6) * 1e9);
}

HFM__PRIVATE hfm_result hfm__session_idle(hfm_error *error, const char *what) {
  return hfm__fail(error, HFM_E_SESSION_ORDER, NULL, what, 0, "%s: no forward is %s; call hfm_session_begin first",
                   what, hfm__equal(what, "hfm_session_step") ? "in progress" : "finished");
}

HFMODEL_API hfm_result hfm_session_step(hfm_session *session, double budget_seconds, int32_t *done, hfm_error *error) {
  hfm_result result;
  hfm__clear_error(error);
  if (done) *done = 0;
  if (!session || !done)
    return hfm__fail_null(error, session ? "done" : "session");
  if (!session->running) return hfm__session_idle(error, "hfm_session_step");
  if (session->done) {
    *done = 1;
    return HFM_OK;
  }
  result = hfm__session_slices(session, hfm__deadline(budget_seconds), error);
  *done = result == HFM_OK && session->done;
  return result;
}

HFM__PRIVATE hfm_tensor *hfm__output_field(hfm_outputs *outputs, int32_t kind) {
  return (hfm_tensor *)(void *)((uint8_t *)outputs + hfm__output_rows[kind].offset);
}

HFMODEL_API hfm_result hfm_session_outputs(hfm_session *session, hfm_outputs *outputs, hfm_error *error) {
  hfm__program *program;
  size_t counts[HFM__OUT_LISTS] = {0};
  hfm__clear_error(error);
  if (outputs) memset(outputs, 0, sizeof *outputs);
  if (!session || !outputs)
    return hfm__fail_null(error, session ? "outputs" : "session");
  if (!session->running || !session->done) return hfm__session_idle(error, "hfm_session_outputs");
  program = session->running;
  for (size_t i = 0; i < program->graph.output_count; i++) {
    const hfm__graph_output *output = &program->graph.outputs[i];
    const hfm__operand *o = &program->operands[output->value];
    hfm_tensor *tensor = &program->items[i].tensor;
    tensor->data = o->data;
    tensor->dtype = o->dtype;
    tensor->rank = o->rank;
    memcpy(tensor->shape, o->shape, sizeof tensor->shape);
    if (output->kind < HFM__OUT_SINGLE) *hfm__output_field(outputs, output->kind) = *tensor;
    else program->lists[output->kind - HFM__OUT_SINGLE][counts[output->kind - HFM__OUT_SINGLE]++] = *tensor;
  }
  for (int32_t i = 0; i < HFM__OUT_LISTS; i++) {
    const hfm__output_row *row = &hfm__output_rows[HFM__OUT_SINGLE + i];
    *(const hfm_tensor **)(void *)((uint8_t *)outputs + row->offset) = program->lists[i];
    *(size_t *)(void *)((uint8_t *)outputs + row->count_offset) = counts[i];
  }
  outputs->items = program->items;
  outputs->items_count = program->graph.output_count;
  return HFM_OK;
}

HFMODEL_API hfm_result hfm_forward(hfm_session *session, const hfm_inputs *inputs, hfm_outputs *outputs,
                                   hfm_error *error) {
  hfm_result result;
  if (outputs) memset(outputs, 0, sizeof *outputs);
  if (session && !outputs) return hfm__fail_null(error, "outputs");
  result = hfm_session_begin(session, inputs, error);
  if (result == HFM_OK) result = hfm__session_slices(session, 0, error);
  return result == HFM_OK ? hfm_session_outputs(session, outputs, error) : result;
}
