/* Where memory and bytes come from: no allocation within reserved bounds, every allocation and every read failing in
   turn, models from memory and through the caller's io, and configurations that ask for the impossible. */
#include "hfmodel.h"
#include "check.h"
#include "load_file.h"
#include "failing_alloc.h"
#include "support.h"
#include <stdio.h>
#include <time.h>

typedef struct subject {
  const char *dir;
  hfm_task task;
  int32_t is_image;
} subject;

static const subject subjects[] = {
  {FIXTURE("bert_sequence"), HFM_SEQUENCE_CLASSIFICATION, 0}, {FIXTURE("llama_causal"), HFM_CAUSAL_LM, 0},
  {FIXTURE("vit_image"), HFM_IMAGE_CLASSIFICATION, 1},        {FIXTURE("bert_sharded"), HFM_BASE, 0},
  {FIXTURE("gpt2_causal"), HFM_SEQUENCE_CLASSIFICATION, 0},   {FIXTURE("bert_f64"), HFM_BASE, 0}};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

static int64_t ids[8 * 128];
static float pixels[2 * 3 * 14 * 14];
static kept_output first, second;

static hfm_inputs inputs_for(const subject *s, int64_t batch, int64_t length) {
  const int64_t shape[4] = {2, 3, 14, 14};
  hfm_inputs in;
  memset(&in, 0, sizeof in);
  fill_ids(ids, batch * length, length);
  for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++) pixels[i] = (float)(i % 13) * 0.1f;
  if (s->is_image) in.pixel_values = hfm_tensor_f32(pixels, 4, shape);
  else in.input_ids = hfm_tensor_i64(ids, batch, length);
  return in;
}

/* ---- Within the reserved bounds nothing is allocated ---- */

static void hundred_lengths(const char *dir, hfm_task task, int32_t threads, int32_t packing) {
  failing_alloc memory;
  hfm_options options;
  hfm_model *model;
  hfm_session *session;
  hfm_inputs like, in;
  hfm_error error;
  int64_t calls, mask[8 * 128], longest = 100;
  failing_alloc_begin(&memory, -1);
  memset(&options, 0, sizeof options);
  memset(&like, 0, sizeof like);
  options.allocator = memory.allocator;
  options.task = task;
  options.packing = packing;
  model = load_fixture(dir, &options);
  session = new_session(model, threads);
  if (!model || !session) return;
  if (hfm_config_get_int(hfm_model_config(model), "max_position_embeddings", 100) < 100 && !strstr(dir, "llama"))
    longest = 40;
  for (int i = 0; i < 8 * 128; i++) mask[i] = i % 5 != 0;
  CHECK_INT(hfm_session_reserve(session, 4, longest, NULL, &error), HFM_OK);
  like.input_ids = hfm_tensor_i64(ids, 1, 1);
  CHECK_INT(hfm_session_reserve(session, 4, longest, &like, &error), HFM_OK);
  like.attention_mask = like.input_ids;
  like.output_hidden_states = 1;
  CHECK_INT(hfm_session_reserve(session, 4, longest, &like, &error), HFM_OK);
  calls = memory.calls;
  for (int64_t i = 0; i < 120; i++) {
    hfm_outputs out;
    const int64_t length = i * 37 % longest + 1, batch = i % 4 + 1;
    in = inputs_for(&subjects[0], batch, length);
    if (i % 3) in.attention_mask = hfm_tensor_i64(mask, batch, length);
    in.output_hidden_states = i % 3 == 2;
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    if (!CHECK_INT(memory.calls, calls)) break;
  }
  in = inputs_for(&subjects[0], 4, longest);
  in.input_ids.shape[0] = 4;
  in.output_attentions = 1; /* something else: that may allocate */
  {
    hfm_outputs out;
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  }
  CHECK(memory.calls > calls);
  hfm_session_free(session);
  hfm_model_free(model);
  CHECK(failing_alloc_clean(&memory));
}

static void test_no_allocation(void) {
  hundred_lengths(FIXTURE("bert_sequence"), HFM_SEQUENCE_CLASSIFICATION, 1, HFM_PACK_LAZY);
  hundred_lengths(FIXTURE("bert_sequence"), HFM_BASE, 3, HFM_PACK_NEVER);
  hundred_lengths(FIXTURE("llama_causal"), HFM_BASE, 2, HFM_PACK_LAZY);
  hundred_lengths(FIXTURE("gpt2_sequence"), HFM_SEQUENCE_CLASSIFICATION, 1, HFM_PACK_EAGER);
}

/* The same for images, whose size no reservation names, and for a description that branches on the length. */
static void test_no_allocation_elsewhere(void) {
  for (int32_t packing = HFM_PACK_LAZY; packing <= HFM_PACK_EAGER; packing++) {
    failing_alloc memory;
    hfm_options options;
    hfm_model *model;
    hfm_session *session;
    hfm_outputs out;
    hfm_inputs in = inputs_for(&subjects[2], 2, 1);
    hfm_error error;
    int64_t calls;
    failing_alloc_begin(&memory, -1);
    memset(&options, 0, sizeof options);
    options.allocator = memory.allocator;
    options.task = HFM_IMAGE_CLASSIFICATION;
    options.packing = packing;
    model = load_fixture(subjects[2].dir, &options);
    session = new_session(model, 2);
    CHECK_INT(hfm_session_reserve(session, 2, 1, packing == HFM_PACK_LAZY ? NULL : &in, &error), HFM_OK);
    calls = memory.calls;
    for (int64_t batch = 1; batch <= 2; batch++) {
      in.pixel_values.shape[0] = batch;
      CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    }
    CHECK_INT(memory.calls, calls);
    hfm_session_free(session);
    hfm_model_free(model);
    CHECK(failing_alloc_clean(&memory));
  }
}

static void test_no_allocation_beside_guards(void) {
  failing_alloc memory;
  hfm_options options;
  hfm_config *config = NULL;
  hfm_model *model;
  hfm_session *session;
  hfm_error error;
  hfm_inputs in;
  hfm_outputs out;
  int64_t calls;
  failing_alloc_begin(&memory, -1);
  CHECK_INT(hfm_config_from_pretrained(FIXTURE("llama_base"), NULL, &config, &error), HFM_OK);
  CHECK_INT(hfm_config_set_json(config, "rope_parameters",
                                "{\"rope_type\": \"longrope\", \"rope_theta\": 10000.0, \"factor\": 4.0, "
                                "\"short_factor\": [1.0, 1.1, 1.3], \"long_factor\": [1.5, 2.75, 4.0], "
                                "\"original_max_position_embeddings\": 20}",
                                &error),
            HFM_OK);
  memset(&options, 0, sizeof options);
  options.allocator = memory.allocator;
  options.config = config;
  model = load_fixture(FIXTURE("llama_base"), &options);
  session = new_session(model, 1);
  CHECK_INT(hfm_session_reserve(session, 2, 60, NULL, &error), HFM_OK);
  calls = memory.calls;
  for (int64_t length = 1; length <= 60; length++) {
    in = inputs_for(&subjects[1], 2, length);
    in.attention_mask = in.input_ids;
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    if (!CHECK_INT(memory.calls, calls)) break;
  }
  hfm_session_free(session);
  hfm_model_free(model);
  hfm_config_free(config);
  CHECK(failing_alloc_clean(&memory));
}

/* A long text and a batch of short ones are not a batch of long ones: each keeps a program of its own. */
static void test_bounds_apart(void) {
  static const int64_t shapes[][2] = {{1, 2000}, {600, 4}, {1, 2000}, {599, 3}, {1, 1999}};
  enum { MOST = 2400 };
  int64_t *ids = (int64_t *)calloc(MOST, sizeof *ids);
  failing_alloc memory;
  hfm_options options;
  hfm_model *model;
  hfm_session *session;
  hfm_error error;
  hfm_inputs in;
  hfm_outputs out;
  uint64_t first = 0;
  int64_t calls = 0;
  failing_alloc_begin(&memory, -1);
  memset(&options, 0, sizeof options);
  memset(&in, 0, sizeof in);
  options.allocator = memory.allocator;
  options.packing = HFM_PACK_NEVER;
  model = load_fixture(FIXTURE("llama_base"), &options);
  session = new_session(model, 1);
  for (size_t i = 0; ids && i < CHECK_COUNT(shapes); i++) {
    in.input_ids = hfm_tensor_i64(ids, shapes[i][0], shapes[i][1]);
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    if (i == 0) first = hfm_session_memory(session);
    if (i == 1) calls = memory.calls;
    CHECK(hfm_session_memory(session) < 8 * first);
  }
  CHECK_INT(memory.calls, calls);
  in.input_ids = hfm_tensor_i64(ids, 1, 8);
  in.output_attentions = 1; /* of 600 x 2000 they would be terabytes */
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK_INT(hfm_session_reserve(session, 2, 5000, NULL, &error), HFM_OK);
  CHECK_INT(hfm_session_reserve(session, 700, 3, &in, &error), HFM_OK);
  calls = memory.calls;
  in.output_attentions = 0;
  in.input_ids = hfm_tensor_i64(ids, 1, 5);
  in.attention_mask = in.input_ids;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK_INT(memory.calls, calls);
  in.input_ids = hfm_tensor_i64(ids, 3, 700); /* beyond what was reserved, and without a mask */
  memset(&in.attention_mask, 0, sizeof in.attention_mask);
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  calls = memory.calls;
  in.input_ids = hfm_tensor_i64(ids, 2, 5); /* what was, is still there */
  in.attention_mask = in.input_ids;
  CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
  CHECK_INT(memory.calls, calls);
  hfm_session_free(session);
  hfm_model_free(model);
  CHECK(failing_alloc_clean(&memory));
  free(ids);
}

/* The same where keys and values are kept: a cache in pages has room for either without being a product of both, here
   32 and 600 pages rather than 19,200. */
static void test_bounds_apart_with_cache(void) {
  static const int64_t shapes[][2] = {{1, 2000}, {600, 4}, {1, 2000}, {599, 3}};
  int64_t *ids = (int64_t *)calloc(2400, sizeof *ids);
  hfm_options options;
  hfm_model *model;
  hfm_session *session;
  hfm_error error;
  hfm_inputs in;
  hfm_outputs out;
  uint64_t first = 0;
  memset(&options, 0, sizeof options);
  memset(&in, 0, sizeof in);
  options.packing = HFM_PACK_NEVER;
  in.use_cache = 1;
  model = load_fixture(FIXTURE("llama_base"), &options);
  session = new_session(model, 1);
  for (size_t i = 0; ids && i < CHECK_COUNT(shapes); i++) {
    in.input_ids = hfm_tensor_i64(ids, shapes[i][0], shapes[i][1]);
    if (!CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK)) printf("  %s\n", error.message);
    CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK);
    if (i == 0) first = hfm_session_memory(session);
    CHECK(hfm_session_memory(session) < 8 * first);
  }
  hfm_session_free(session);
  hfm_model_free(model);
  free(ids);
}

/* A forward beyond the reservation for which there is no memory, whichever allocation it is that fails: what was
   reserved still runs without another one, and a cache goes on from where it was. */
static void beyond_reservation(const subject *s, int32_t use_cache) {
  int64_t at;
  for (at = -1; at < 1000; at++) {
    failing_alloc memory;
    hfm_options options;
    hfm_model *model;
    hfm_session *session;
    hfm_inputs in = inputs_for(s, 2, 5), longer = inputs_for(s, 4, 30);
    hfm_outputs out;
    hfm_error error;
    hfm_result result = HFM_ERROR_MEMORY;
    failing_alloc_begin(&memory, -1);
    memset(&options, 0, sizeof options);
    options.allocator = memory.allocator;
    options.task = s->task;
    options.packing = HFM_PACK_NEVER;
    in.use_cache = longer.use_cache = use_cache;
    longer.output_attentions = 1;
    if (use_cache) longer.input_ids = hfm_tensor_i64(ids, 2, 30);
    model = load_fixture(s->dir, &options);
    session = new_session(model, 2);
    CHECK_INT(hfm_session_reserve(session, 2, 8, &in, &error), HFM_OK);
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    if (at >= 0) {
      memory.fail_at = memory.calls + at;
      result = hfm_forward(session, &longer, &out, &error);
    }
    if (result) {
      if (at >= 0) CHECK_INT(result, HFM_ERROR_MEMORY);
      memory.fail_at = memory.calls; /* not one more */
      in.input_ids = hfm_tensor_i64(ids + 5, 2, 3);
      forward_kept(session, &in, at < 0 ? &first : &second);
      if (at >= 0 && !CHECK(same_bits(&first, &second))) printf("  allocation %d\n", (int)at);
    }
    hfm_session_free(session);
    hfm_model_free(model);
    CHECK(failing_alloc_clean(&memory));
    if (result == HFM_OK) break;
  }
  CHECK(at > 5 && at < 1000);
}

static void test_beyond_reservation(void) {
  beyond_reservation(&subjects[0], 0);
  beyond_reservation(&subjects[1], 1);
}

/* ---- X5: the estimate is what is taken then ---- */

static void test_estimate(void) {
  const char *const dirs[] = {FIXTURE("bert_base"), FIXTURE("bert_wide"), FIXTURE("llama_wide"), FIXTURE("vit_base"),
                              FIXTURE("bert_f64"), FIXTURE("llama_bf16_sharded")};
  for (size_t d = 0; d < sizeof dirs / sizeof *dirs; d++) {
    failing_alloc memory;
    hfm_options options;
    hfm_memory_estimate estimate;
    hfm_model *model;
    hfm_error error;
    int64_t loaded;
    failing_alloc_begin(&memory, -1);
    memset(&options, 0, sizeof options);
    options.compute_dtype = HFM_BF16; /* where that counts, it counts in both */
    CHECK_INT(hfm_estimate_memory(dirs[d], &options, 3, 20, &estimate, &error), HFM_OK);
    options.allocator = memory.allocator;
    options.packing = HFM_PACK_NEVER;
    model = load_fixture(dirs[d], &options);
    loaded = memory.live_bytes;
    CHECK_INT(estimate.weight_bytes, hfm_memory_footprint(model, 1));
    for (int32_t threads = 1; threads <= 3; threads++) {
      hfm_session *session = new_session(model, threads);
      const uint64_t guess = estimate.activation_bytes + estimate.thread_bytes * (uint64_t)(threads - 1);
      CHECK_INT(hfm_session_reserve(session, 3, 20, NULL, &error), HFM_OK);
      CHECK_INT(hfm_session_memory(session), guess);
      hfm_session_free(session);
    }
    hfm_model_free(model);
    options.packing = HFM_PACK_EAGER; /* at load, and not more than was said */
    model = load_fixture(dirs[d], &options);
    CHECK(memory.live_bytes - loaded >= (int64_t)estimate.packed_bytes);
    CHECK(memory.live_bytes - loaded <= (int64_t)estimate.packed_bytes + 4096);
    hfm_model_free(model);
    options.pack_limit_bytes = 1;
    model = load_fixture(dirs[d], &options);
    CHECK(memory.live_bytes - loaded <= 4096);
    hfm_model_free(model);
  }
}

/* The head is that of options.num_labels, and the class is judged first. */
static void test_estimate_of_labels(void) {
  hfm_options options;
  hfm_memory_estimate two, many;
  hfm_error error;
  memset(&options, 0, sizeof options);
  options.task = HFM_SEQUENCE_CLASSIFICATION;
  CHECK_INT(hfm_estimate_memory(FIXTURE("bert_base"), &options, 1, 4, &two, &error), HFM_OK);
  options.num_labels = 1002;
  CHECK_INT(hfm_estimate_memory(FIXTURE("bert_base"), &options, 1, 4, &many, &error), HFM_OK);
  CHECK_INT(many.weight_bytes - two.weight_bytes, 1000 * 37 * 4);
  options.task = HFM_IMAGE_CLASSIFICATION;
  CHECK_INT(hfm_estimate_memory(FIXTURE("bert_base"), &options, 1, 4, &many, &error), HFM_ERROR_UNSUPPORTED);
}

/* F6: causal masks of 2^62 elements, which GPT Neo counts among its buffers, are more than a number holds together. */
static void test_estimate_of_too_much(void) {
  static const char text[] =
      "{\"model_type\": \"gpt_neo\", \"hidden_size\": 1, \"num_heads\": 1, \"num_layers\": 3, \"vocab_size\": 1, "
      "\"intermediate_size\": 1, \"attention_types\": [[[\"global\"], 3]], \"max_position_embeddings\": 2147483647}";
  hfm_options options;
  hfm_memory_estimate estimate;
  hfm_config *config = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  if (!CHECK_INT(hfm_config_parse(text, sizeof text - 1, NULL, &config, &error), HFM_OK)) return;
  options.config = config;
  if (CHECK_INT(hfm_estimate_memory(FIXTURE("gpt2_base"), &options, 1, 1, &estimate, &error), HFM_OK))
    CHECK(estimate.weight_bytes == (uint64_t)INT64_MAX);
  else printf("  %s\n", error.message);
  hfm_config_free(config);
}

/* ---- Every allocation fails in turn ---- */

static hfm_result whole_life(const subject *s, const hfm_options *options, const hfm_memory_file *files, size_t count,
                             hfm_error *error) {
  hfm_model *model = (hfm_model *)1;
  hfm_session *session = (hfm_session *)1;
  hfm_session_options session_options;
  hfm_outputs out;
  hfm_inputs in = inputs_for(s, 2, 5);
  hfm_result result;
  in.use_cache = s->task == HFM_CAUSAL_LM; /* and then it goes on from there */
  memset(&session_options, 0, sizeof session_options);
  session_options.threads = 2;
  memset(&out, 0x77, sizeof out);
  result = files ? hfm_from_memory(files, count, options, &model, error)
                 : hfm_from_pretrained(s->dir, options, &model, error);
  if (result) {
    CHECK(model == NULL);
    return result;
  }
  result = hfm_session_create(model, &session_options, &session, error);
  if (result) {
    CHECK(session == NULL);
  } else {
    result = hfm_forward(session, &in, &out, error);
    if (result == HFM_OK && in.use_cache) result = hfm_forward(session, &in, &out, error);
    if (result) CHECK(out.items == NULL && out.items_count == 0 && out.logits.data == NULL);
    else keep_output(&out, &second);
  }
  hfm_session_free(session);
  hfm_model_free(model);
  return result;
}

static void all_allocations(const subject *s, hfm_options *options, const hfm_memory_file *files, size_t count) {
  failing_alloc memory;
  hfm_error error;
  int64_t at;
  for (at = 0; at < 100000; at++) {
    hfm_result result;
    failing_alloc_begin(&memory, at);
    options->allocator = memory.allocator;
    result = whole_life(s, options, files, count, &error);
    if (!CHECK(failing_alloc_clean(&memory))) printf("  %s: allocation %d\n", s->dir, (int)at);
    if (!memory.failed) {
      CHECK_INT(result, HFM_OK);
      break;
    }
    if (result == HFM_OK) continue; /* kept panels are a luxury */
    if (!CHECK_INT(result, HFM_ERROR_MEMORY)) {
      printf("  %s: allocation %d: %s\n", s->dir, (int)at, error.message);
      break;
    }
    CHECK_INT(error.item, HFM_E_OUT_OF_MEMORY);
    CHECK_INT(error.code, HFM_ERROR_MEMORY);
  }
  CHECK(at > 20);
}

static void test_failing_allocations(void) {
  for (int i = 0; i < SUBJECTS; i++) {
    hfm_options options;
    memset(&options, 0, sizeof options);
    options.task = subjects[i].task;
    options.packing = i == 0 ? HFM_PACK_EAGER : HFM_PACK_LAZY;
    options.local_copy = i == 1;
    all_allocations(&subjects[i], &options, NULL, 0);
  }
}

/* ---- Files in memory, and through the caller's io ---- */

/* A pack: the files of a directory, served from memory, with a fault at the n-th call. */
typedef struct pack {
  hfm_memory_file files[8];
  size_t count;
  int64_t calls, fault_at;
  int32_t fault, hit, open, maps;
} pack;
enum { FAULT_NONE, FAULT_ERROR, FAULT_SHORT, FAULT_NOTHING, FAULT_SIZE, FAULT_SIZE_LARGER,
       FAULT_SIZE_NONE, FAULT_SIZE_ENDLESS, FAULTS };

static int32_t faulty(pack *p) {
  const int32_t now = p->calls++ == p->fault_at ? p->fault : FAULT_NONE;
  if (now) p->hit = 1;
  return now;
}

static hfm_result pack_open(void *ctx, const char *name, void **file) {
  pack *p = (pack *)ctx;
  const char *slash = strrchr(name, '/');
  *file = NULL;
  if (faulty(p) == FAULT_ERROR) return HFM_ERROR_IO;
  for (size_t i = 0; i < p->count; i++) {
    if (strcmp(p->files[i].name, slash ? slash + 1 : name)) continue;
    *file = &p->files[i];
    p->open++;
    return HFM_OK;
  }
  return HFM_ERROR_NOT_FOUND;
}
static uint64_t pack_size(void *ctx, void *file) {
  const uint64_t size = ((const hfm_memory_file *)file)->size;
  const int32_t fault = faulty((pack *)ctx);
  if (fault == FAULT_SIZE_NONE) return 0;
  if (fault == FAULT_SIZE_ENDLESS) return UINT64_MAX;
  return fault == FAULT_SIZE ? size / 2 : fault == FAULT_SIZE_LARGER ? size + 1000 : size;
}
static hfm_result pack_read(void *ctx, void *file, uint64_t offset, void *dst, size_t size, size_t *got) {
  const hfm_memory_file *f = (const hfm_memory_file *)file;
  const int32_t fault = faulty((pack *)ctx);
  *got = offset < f->size ? (size_t)(f->size - offset < size ? f->size - offset : size) : 0;
  if (fault == FAULT_ERROR) return HFM_ERROR_IO;
  if (fault == FAULT_SHORT) *got = (*got + 2) / 3;
  if (fault == FAULT_NOTHING) *got = 0;
  memcpy(dst, (const char *)f->data + offset, *got);
  return HFM_OK;
}
static const void *pack_map(void *ctx, void *file) {
  pack *p = (pack *)ctx;
  if (faulty(p) == FAULT_ERROR || !p->maps) return NULL;
  if (p->hit && (p->fault == FAULT_SIZE_LARGER || p->fault == FAULT_SIZE_ENDLESS))
    return NULL; /* as long as size() said */
  return ((const hfm_memory_file *)file)->data;
}
static void pack_close(void *ctx, void *file) {
  (void)file;
  ((pack *)ctx)->open--;
}

static int pack_fill(pack *p, const char *dir, const char *const *names) {
  memset(p, 0, sizeof *p);
  p->fault_at = -1;
  for (; *names; names++) {
    char path[256];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", dir, *names);
    p->files[p->count].name = *names;
    p->files[p->count].data = load_file(path, &size);
    p->files[p->count].size = size;
    if (!CHECK(p->files[p->count++].data != NULL)) return 0;
  }
  return 1;
}
static void pack_free(pack *p) {
  for (size_t i = 0; i < p->count; i++) free((void *)(uintptr_t)p->files[i].data);
}
static hfm_io pack_io(pack *p) {
  hfm_io io;
  io.ctx = p;
  io.open = pack_open;
  io.size = pack_size;
  io.read = pack_read;
  io.map = pack_map;
  io.close = pack_close;
  return io;
}

static const char *const one_file[] = {"config.json", "model.safetensors", NULL};
static const char *const shards[] = {"config.json", "model.safetensors.index.json", "model-00001-of-00003.safetensors",
                                     "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", NULL};

static void test_from_memory(void) {
  for (int i = 0; i < SUBJECTS; i++) {
    hfm_options options;
    hfm_error error;
    hfm_model *model = NULL;
    pack p;
    memset(&options, 0, sizeof options);
    options.task = subjects[i].task;
    CHECK_INT(whole_life(&subjects[i], &options, NULL, 0, &error), HFM_OK);
    first = second;
    if (!pack_fill(&p, subjects[i].dir, strstr(subjects[i].dir, "sharded") ? shards : one_file)) return;
    CHECK_INT(whole_life(&subjects[i], &options, p.files, p.count, &error), HFM_OK);
    CHECK(same_bits(&first, &second));
    if (i == 0) all_allocations(&subjects[i], &options, p.files, p.count);
    memset(&options.allocator, 0, sizeof options.allocator);
    options.local_copy = 1;
    CHECK_INT(whole_life(&subjects[i], &options, p.files, p.count, &error), HFM_OK);
    CHECK(same_bits(&first, &second));
    CHECK_INT(whole_life(&subjects[i], &options, NULL, 0, &error), HFM_OK);
    CHECK(same_bits(&first, &second));
    options.local_copy = 0;
    options.io = pack_io(&p);
    for (p.maps = 0; p.maps < 2; p.maps++) {
      second.count = 0;
      if (!CHECK_INT(whole_life(&subjects[i], &options, NULL, 0, &error), HFM_OK)) printf("  %s\n", error.message);
      CHECK(same_bits(&first, &second));
      CHECK_INT(p.open, 0);
    }
    options.io.map = NULL;
    CHECK_INT(whole_life(&subjects[i], &options, NULL, 0, &error), HFM_OK);
    CHECK(same_bits(&first, &second));
    options.io.read = NULL; /* half an io is none */
    CHECK_INT(hfm_from_pretrained(subjects[i].dir, &options, &model, &error), HFM_ERROR_ARGUMENT);
    CHECK_STR(error.what, "io");
    pack_free(&p);
  }
}

static void test_memory_files_that_lack(void) {
  hfm_memory_file files[2];
  hfm_model *model = (hfm_model *)1;
  hfm_error error;
  static const char text[] = "{\"model_type\":\"bert\"}", unknown[] = "{\"model_type\":\"brt\"}";
  files[0].name = NULL;
  files[0].data = NULL;
  files[0].size = 0;
  CHECK(hfm_from_memory(files, 1, NULL, &model, &error) != HFM_OK);
  CHECK(model == NULL);
  files[0].name = "config.json";
  CHECK(hfm_from_memory(files, 1, NULL, &model, &error) != HFM_OK); /* empty */
  files[0].size = 10;
  CHECK(hfm_from_memory(files, 1, NULL, &model, &error) != HFM_OK); /* ten bytes nowhere */
  files[0].data = text;
  files[0].size = sizeof text - 1;
  CHECK_INT(hfm_from_memory(files, 1, NULL, &model, &error), HFM_ERROR_NOT_FOUND); /* no weights */
  CHECK_INT(error.item, HFM_E_WEIGHTS_NOT_FOUND);
  files[0].data = unknown;
  files[0].size = sizeof unknown - 1;
  CHECK_INT(hfm_from_memory(files, 1, NULL, &model, &error), HFM_ERROR_UNSUPPORTED); /* whatever weights it has */
  CHECK_INT(error.item, HFM_E_MODEL_TYPE_UNKNOWN);
  files[0].data = text;
  files[0].size = sizeof text - 1;
  files[1].name = "model.safetensors";
  files[1].data = text;
  files[1].size = 5;
  CHECK_INT(hfm_from_memory(files, 2, NULL, &model, &error), HFM_ERROR_FORMAT);
  CHECK_STR(error.file, "model.safetensors");
}

/* Every call of the io fails in turn, in several ways: an error or the right result, nothing left open or allocated. */
static void all_faults(int subject_index, int32_t maps, int32_t local_copy) {
  const subject *s = &subjects[subject_index];
  failing_alloc memory;
  hfm_options options;
  hfm_error error;
  pack p;
  memset(&options, 0, sizeof options);
  options.task = s->task;
  if (!pack_fill(&p, s->dir, strstr(s->dir, "sharded") ? shards : one_file)) return;
  options.io = pack_io(&p);
  options.local_copy = local_copy;
  p.maps = maps;
  CHECK_INT(whole_life(s, &options, NULL, 0, &error), HFM_OK);
  first = second;
  for (p.fault = FAULT_ERROR; p.fault < FAULTS; p.fault++) {
    int64_t at;
    for (at = 0; at < 20000; at++) {
      hfm_result result;
      p.calls = p.hit = 0;
      p.fault_at = at;
      failing_alloc_begin(&memory, -1);
      options.allocator = memory.allocator;
      second.count = 0;
      result = whole_life(s, &options, NULL, 0, &error);
      CHECK(failing_alloc_clean(&memory));
      CHECK_INT(p.open, 0);
      if (result == HFM_OK) CHECK(same_bits(&first, &second));
      else CHECK(error.code == result && error.item != HFM_E_NONE && error.message[0]);
      if (p.fault == FAULT_SHORT) CHECK_INT(result, HFM_OK);
      if (!p.hit && p.calls <= at) break;
    }
    CHECK(at > 5);
  }
  pack_free(&p);
}

static void test_faults(void) {
  all_faults(0, 1, 0);
  all_faults(0, 0, 0);
  all_faults(1, 1, 1);
  all_faults(3, 0, 0);
}

/* ---- C1, C2: configurations that ask for the impossible are refused from the files' own sizes ---- */

static const char *const families[] = {
  FIXTURE("bert_sequence"), FIXTURE("roberta_sequence"), FIXTURE("xlm_roberta_base"), FIXTURE("camembert_token"),
  FIXTURE("distilbert_sequence"), FIXTURE("gpt2_sequence"), FIXTURE("llama_sequence"), FIXTURE("mistral_base"),
  FIXTURE("qwen2_token"), FIXTURE("qwen3_base"), FIXTURE("granite_base"), FIXTURE("phi3_sequence"),
  FIXTURE("mixtral_causal"), FIXTURE("qwen3_moe_causal"), FIXTURE("smollm3_base"), FIXTURE("olmo2_causal"),
  FIXTURE("gemma_causal"), FIXTURE("gemma2_token"), FIXTURE("gemma3_causal"), FIXTURE("vit_image"),
  FIXTURE("deit_image"), FIXTURE("opt_causal"), FIXTURE("gpt_neox_base"), FIXTURE("gpt_neo_causal"),
  FIXTURE("falcon_causal"), FIXTURE("bloom_token"), FIXTURE("t5_base"), FIXTURE("t5_encoder"), FIXTURE("bart_base"),
  FIXTURE("marian_base"), FIXTURE("m2m_100_base")};
static const char *const keys[] = {
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "num_labels", "n_embd", "n_layer", "n_head", "n_inner", "n_positions",
    "dim", "hidden_dim", "n_layers", "n_heads", "num_key_value_heads", "head_dim", "image_size", "patch_size",
    "num_channels", "pooler_output_size", "pad_token_id", "sliding_window", "max_window_layers",
    "num_experts", "num_experts_per_tok", "moe_intermediate_size", "d_model", "d_kv", "d_ff", "num_layers",
    "num_decoder_layers", "num_heads", "relative_attention_num_buckets", "relative_attention_max_distance",
    "encoder_layers", "decoder_layers", "encoder_attention_heads", "decoder_ffn_dim", "decoder_vocab_size", "ffn_dim",
    "word_embed_proj_dim", "window_size", "num_kv_heads", "decoder_start_token_id"};

/* `key` NULL: all that there are. */
static void ask(const char *dir, const char *key, int64_t value, int32_t no_layers) {
  failing_alloc memory;
  hfm_options options;
  hfm_config *config = NULL;
  hfm_model *model = NULL;
  hfm_error error;
  clock_t start;
  double seconds;
  hfm_result result;
  failing_alloc_begin(&memory, -1);
  memset(&options, 0, sizeof options);
  options.task = HFM_TASK_FROM_CONFIG;
  CHECK_INT(hfm_config_from_pretrained(dir, NULL, &config, &error), HFM_OK);
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
    if (key ? strcmp(keys[k], key) == 0 : hfm_config_has(config, keys[k]))
      hfm_config_set_int(config, keys[k], value, &error);
  if (no_layers) {
    hfm_config_set_int(config, "num_hidden_layers", 0, &error);
    hfm_config_remove(config, "layer_types", &error);
  }
  options.config = config;
  options.allocator = memory.allocator;
  options.limits.max_new_bytes = 16 << 20;
  start = clock();
  result = hfm_from_pretrained(dir, &options, &model, &error);
  seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
  if (!CHECK(seconds < 1.0) || !CHECK(memory.peak_bytes < 64 << 20))
    printf("  %s: %s = %lld: %.2f s, %lld bytes\n", dir, key ? key : "all", (long long)value, seconds,
           (long long)memory.peak_bytes);
  CHECK((result == HFM_OK) == (model != NULL));
  if (result) CHECK(error.message[0] != 0 && error.item != 0);
  else { /* it runs, or says why not */
    hfm_session *session = new_session(model, 1);
    hfm_inputs in = inputs_for(&subjects[strstr(dir, "vit_") || strstr(dir, "deit_") ? 2 : 0], 2, 3);
    hfm_outputs out;
    if (hfm_config_get_bool(config, "is_encoder_decoder", 0)) in.decoder_input_ids = in.input_ids;
    (void)hfm_forward(session, &in, &out, &error);
    in.attention_mask = in.input_ids; /* with no layers nothing reads it */
    if (in.input_ids.data) (void)hfm_forward(session, &in, &out, &error);
    hfm_session_free(session);
  }
  hfm_model_free(model);
  hfm_config_free(config);
  CHECK(failing_alloc_clean(&memory));
}

static void test_impossible(void) {
  const int64_t values[] = {1000000000, INT32_MAX, INT64_MAX, (int64_t)1 << 32, 0, -1, INT64_MIN, 1000003};
  for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
    for (int32_t no_layers = 0; no_layers < 2; no_layers++) ask(families[f], NULL, INT32_MAX, no_layers);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
      for (size_t v = 0; v < sizeof values / sizeof *values; v++) ask(families[f], keys[k], values[v], 0);
      ask(families[f], keys[k], 1000000000, 1);
    }
  }
}

int main(void) {
  TEST(test_no_allocation);
  TEST(test_no_allocation_elsewhere);
  TEST(test_no_allocation_beside_guards);
  TEST(test_bounds_apart);
  TEST(test_bounds_apart_with_cache);
  TEST(test_beyond_reservation);
  TEST(test_estimate);
  TEST(test_estimate_of_labels);
  TEST(test_estimate_of_too_much);
  TEST(test_failing_allocations);
  TEST(test_from_memory);
  TEST(test_memory_files_that_lack);
  TEST(test_faults);
  TEST(test_impossible);
  return check_report("test_memory");
}
