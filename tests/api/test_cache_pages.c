/* The cache's pages: sliding windows let go of what nothing sees any more, sequences share what they have in common,
   caches travel as bytes, and elements of 16 bits. What goes on from any of them is what one forward of the whole text
   gives. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include "check.h"
#include "failing_alloc.h"
#include "support.h"
#include <math.h>
#include <stdlib.h>

enum { LENGTH = 333, BATCH = 2, MOST = 64 };

static int64_t ids[BATCH * LENGTH], mask[BATCH * LENGTH];
static float whole[BATCH * LENGTH * MOST];
static int64_t width;

/* A decoder with another window than its file says; 0: as it says. */
static hfm_model *windowed(const char *dir, int64_t window, hfm_options *options) {
  hfm_config *config = NULL;
  hfm_model *model;
  hfm_error error;
  if (!window) return load_fixture(dir, options);
  CHECK_INT(hfm_config_from_pretrained(dir, NULL, &config, &error), HFM_OK);
  CHECK_INT(hfm_config_set_int(config, "sliding_window", window, &error), HFM_OK);
  options->config = config;
  model = load_fixture(dir, options);
  options->config = NULL;
  hfm_config_free(config);
  return model;
}

static hfm_model *load(const char *dir, int64_t window, int32_t attention) {
  hfm_options options;
  memset(&options, 0, sizeof options);
  options.task = HFM_CAUSAL_LM;
  options.attn_implementation = attention;
  options.batch_invariant = 1;
  return windowed(dir, window, &options);
}

static hfm_session *session_of(hfm_model *model, hfm_dtype dtype) {
  hfm_session_options options;
  hfm_session *session = NULL;
  hfm_error error;
  memset(&options, 0, sizeof options);
  options.threads = 2;
  options.cache_dtype = dtype;
  CHECK_INT(hfm_session_create(model, &options, &session, &error), HFM_OK);
  return session;
}

/* Columns [from, to) of rows that are row row0, row0 + 1, ... of the text, until the next call. */
static hfm_inputs piece(int64_t from, int64_t to, int64_t row0, int64_t rows) {
  static int64_t some[4 * LENGTH], kept[4 * LENGTH];
  hfm_inputs in;
  memset(&in, 0, sizeof in);
  for (int64_t b = 0; b < rows; b++) {
    const int64_t row = (row0 + b) % BATCH;
    memcpy(some + b * (to - from), ids + row * LENGTH + from, (size_t)(to - from) * sizeof *some);
    memcpy(kept + b * to, mask + row * LENGTH, (size_t)to * sizeof *kept);
  }
  in.input_ids = hfm_tensor_i64(some, rows, to - from);
  in.attention_mask = hfm_tensor_i64(kept, rows, to);
  in.use_cache = 1;
  return in;
}

/* Two texts that begin with the same 70 tokens; the second row is padded on the left with `pads`. */
static void prepare(int64_t pads) {
  for (int64_t b = 0; b < BATCH; b++)
    for (int64_t i = 0; i < LENGTH; i++) {
      ids[b * LENGTH + i] = 3 + (i * i + 7 * i + (i < 70 ? 0 : 11 * b)) % 50;
      mask[b * LENGTH + i] = b == 0 || i >= pads;
    }
}

static void run_whole(hfm_model *model) {
  hfm_session *session = new_session(model, 2);
  hfm_inputs in = piece(0, LENGTH, 0, BATCH);
  hfm_outputs out;
  hfm_error error;
  in.use_cache = 0;
  if (CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK)) {
    width = out.logits.shape[2];
    if (CHECK(width <= MOST)) memcpy(whole, out.logits.data, (size_t)(BATCH * LENGTH * width) * sizeof *whole);
  }
  hfm_session_free(session);
}

/* The logits of columns [from, to) against the whole text's, exactly or within `part` of the largest. */
static int same(const hfm_outputs *out, int64_t from, int64_t to, int64_t row0, int64_t rows, double part) {
  const float *got = (const float *)out->logits.data;
  double largest = 0;
  for (int64_t i = 0; i < BATCH * LENGTH * width; i++)
    if (fabs((double)whole[i]) > largest) largest = fabs((double)whole[i]);
  for (int64_t b = 0; b < rows; b++)
    for (int64_t i = from; i < to; i++) {
      const int64_t row = (row0 + b) % BATCH;
      if (!mask[row * LENGTH + i]) continue;
      for (int64_t j = 0; j < width; j++) {
        const float x = got[(b * (to - from) + i - from) * width + j], y = whole[(row * LENGTH + i) * width + j];
        if (part > 0 ? !(fabs((double)x - (double)y) <= part * largest) : memcmp(&x, &y, sizeof x) != 0) {
          printf("  row %d, position %d, element %d: %.9g, in one piece %.9g\n", (int)row, (int)i, (int)j, (double)x,
                 (double)y);
          return 0;
        }
      }
    }
  return 1;
}

static int go_on(hfm_session *session, int64_t from, int64_t to, int64_t row0, int64_t rows, double part) {
  const hfm_inputs in = piece(from, to, row0, rows);
  hfm_outputs out;
  hfm_error error;
  const hfm_result result = hfm_forward(session, &in, &out, &error);
  if (result) printf("  %s\n", error.message);
  return CHECK_INT(result, HFM_OK) && CHECK(same(&out, from, to, row0, rows, part));
}

/* Pieces of every size over many pages, with windows below, at and above a page, with a budget of one chunk a step. */
static void test_windows(void) {
  static const int64_t windows[] = {0, 1, 5, 63, 64, 65, 100, 200, 1000};
  static const int64_t ends[] = {1, 3, 64, 65, 127, 190, 191, 256, 320, 321, 322, LENGTH};
  prepare(9);
  for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
    for (int32_t attention = HFM_ATTN_EAGER; attention <= HFM_ATTN_FLASH_ATTENTION_2; attention++) {
      hfm_model *model = load(windows[w] ? FIXTURE("mistral_causal") : FIXTURE("llama_causal"), windows[w], attention);
      hfm_session *session = session_of(model, HFM_DTYPE_AUTO);
      int64_t from = 0;
      run_whole(model);
      for (size_t i = 0; i < sizeof ends / sizeof *ends; from = ends[i++])
        if (!go_on(session, from, ends[i], 0, BATCH, 0)) {
          printf("    window %d, attention %d\n", (int)windows[w], (int)attention);
          break;
        }
      hfm_session_free(session);
      hfm_model_free(model);
    }
}

/* A window's cache does not grow with the text, and takes what the manual says: pages of 64 positions. */
static void test_ring_memory(void) {
  hfm_model *model = load(FIXTURE("mistral_causal"), 100, 0), *all = load(FIXTURE("llama_causal"), 0, 0);
  hfm_session *session = session_of(model, 0), *half = session_of(all, HFM_BF16), *full = session_of(all, 0);
  const hfm_inputs like = piece(0, 1, 0, BATCH);
  hfm_error error;
  hfm_memory_estimate estimate;
  hfm_options options;
  uint64_t small, before, after;
  CHECK_INT(hfm_session_reserve(session, BATCH, 300, &like, &error), HFM_OK);
  small = hfm_session_memory(session);
  CHECK_INT(hfm_session_reserve(session, BATCH, 30000, &like, &error), HFM_OK);
  /* masks and scores of one row of keys grow, keys and values (2 layers x 2 x 6 floats a position) do not */
  CHECK(hfm_session_memory(session) - small < (uint64_t)30000 * BATCH * 2 * 2 * 6 * sizeof(float) / 2);
  CHECK_INT(hfm_session_reserve(full, BATCH, 3000, &like, &error), HFM_OK);
  CHECK_INT(hfm_session_reserve(half, BATCH, 3000, &like, &error), HFM_OK);
  before = hfm_session_memory(full);
  after = hfm_session_memory(half);
  CHECK(before - after >= (uint64_t)3000 * BATCH * 2 * 2 * 6 * 2);
  memset(&options, 0, sizeof options);
  options.task = HFM_CAUSAL_LM;
  CHECK_INT(hfm_estimate_memory(FIXTURE("llama_causal"), &options, BATCH, 3000, &estimate, &error), HFM_OK);
  CHECK_INT(estimate.cache_bytes, full->cache.bytes);
  { /* the formula of the manual, and the tables */
    const uint64_t strip = (uint64_t)all->cpu.kernels->strip, wide = (6 + strip - 1) / strip * strip;
    const uint64_t pages = BATCH * ((3000 + 63) / 64), data = pages * 64 * (6 + wide) * 2 * sizeof(float);
    CHECK(estimate.cache_bytes >= data && estimate.cache_bytes <= data + 4096);
  }
  CHECK_INT(hfm_estimate_memory(FIXTURE("bert_base"), NULL, BATCH, 30, &estimate, &error), HFM_OK);
  CHECK_INT(estimate.cache_bytes, 0);
  hfm_session_free(session);
  hfm_session_free(half);
  hfm_session_free(full);
  hfm_model_free(model);
  hfm_model_free(all);
}

/* Where a window has let go, there is no way back; everywhere else there is, with the same bits. */
static void test_crop_windows(void) {
  hfm_model *model = load(FIXTURE("mistral_causal"), 100, 0);
  hfm_session *session = session_of(model, 0);
  hfm_error error;
  prepare(0);
  run_whole(model);
  go_on(session, 0, 200, 0, BATCH, 0);
  CHECK_INT(hfm_cache_crop(session, 3, &error), HFM_OK); /* all of the call's positions are still there */
  go_on(session, 3, 200, 0, BATCH, 0);
  CHECK_INT(hfm_cache_crop(session, 150, &error), HFM_OK);
  go_on(session, 150, 300, 0, BATCH, 0);
  go_on(session, 300, 301, 0, BATCH, 0);
  CHECK_INT(hfm_cache_crop(session, 290, &error), HFM_ERROR_ARGUMENT); /* it holds from 192 on: 192 + 99 */
  CHECK_CONTAINS(error.message, "go back to 291 at least, or to 0");
  CHECK_INT(hfm_cache_length(session), 301);
  CHECK_INT(hfm_cache_crop(session, 291, &error), HFM_OK);
  go_on(session, 291, LENGTH, 0, BATCH, 0);
  CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK);
  CHECK_INT(hfm_cache_batch(session), 0);
  go_on(session, 0, LENGTH, 0, BATCH, 0);
  hfm_session_free(session);
  hfm_model_free(model);
}

/* One prompt continued in several ways, rows swapped and dropped: beams. */
static void test_reorder(void) {
  static const int64_t windows[] = {0, 40, 100};
  static const int64_t same_twice[] = {0, 0, 0, 0}, swapped[] = {1, 0}, second[] = {1}, wrong[] = {0, 2};
  prepare(0);
  for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
    hfm_model *model = load(windows[w] ? FIXTURE("mistral_causal") : FIXTURE("llama_causal"), windows[w], 0);
    hfm_session *session = session_of(model, HFM_DTYPE_AUTO);
    hfm_error error;
    run_whole(model);
    CHECK_INT(hfm_cache_reorder(session, same_twice, 1, &error), HFM_ERROR_STATE);
    go_on(session, 0, 70, 0, 1, 0);
    CHECK_INT(hfm_cache_reorder(session, same_twice, 4, &error), HFM_OK);
    CHECK_INT(hfm_cache_batch(session), 4);
    go_on(session, 70, 75, 0, 4, 0); /* rows 0, 1, 0, 1 of the text: they part here, in the middle of a page */
    go_on(session, 75, 130, 0, 4, 0);
    CHECK_INT(hfm_cache_reorder(session, wrong, 0, &error), HFM_ERROR_ARGUMENT);
    CHECK_INT(hfm_cache_reorder(session, swapped, 2, &error), HFM_OK);
    CHECK_INT(hfm_cache_reorder(session, wrong, 2, &error), HFM_ERROR_ARGUMENT);
    CHECK_CONTAINS(error.message, "rows[1] is 2, but must be from 0 to 1");
    go_on(session, 130, 131, 1, 2, 0);
    go_on(session, 131, 192, 1, 2, 0);
    CHECK_INT(hfm_cache_reorder(session, second, 1, &error), HFM_OK);
    go_on(session, 192, 250, 0, 1, 0);
    CHECK_INT(hfm_cache_reorder(session, same_twice, 2, &error), HFM_OK);
    CHECK_INT(hfm_cache_crop(session, 240, &error), HFM_OK); /* both still share what they write into */
    CHECK_INT(hfm_cache_reorder(session, same_twice, 1, &error), HFM_OK);
    go_on(session, 240, LENGTH, 0, 1, 0);
    hfm_session_free(session);
    hfm_model_free(model);
  }
}

/* Beams for ever: no page is lost, nothing is allocated within the reservation. */
static void test_beams_memory(void) {
  failing_alloc memory;
  hfm_options options;
  hfm_model *model;
  hfm_session *session;
  hfm_error error;
  hfm_outputs out;
  hfm_inputs in = piece(0, 1, 0, 4);
  static const int64_t first[] = {0, 0, 0, 0};
  int64_t calls = 0;
  prepare(0);
  failing_alloc_begin(&memory, -1);
  memset(&options, 0, sizeof options);
  options.task = HFM_CAUSAL_LM;
  options.allocator = memory.allocator;
  model = windowed(FIXTURE("mistral_causal"), 70, &options);
  session = session_of(model, 0);
  CHECK_INT(hfm_session_reserve(session, 4, LENGTH, &in, &error), HFM_OK);
  for (int round = 0; round < 3; round++) {
    CHECK_INT(hfm_cache_crop(session, 0, &error), HFM_OK);
    in = piece(0, 1, 0, 1);
    if (round == 0) CHECK_INT(hfm_session_reserve(session, 1, 1, &in, &error), HFM_OK);
    if (round == 0) calls = memory.calls;
    CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK);
    CHECK_INT(hfm_cache_reorder(session, first, 4, &error), HFM_OK);
    for (int64_t i = 1; i < LENGTH; i++) {
      int64_t rows[4];
      for (int64_t r = 0; r < 4; r++) rows[r] = (r * r + i * (round + 1)) % 4;
      in = piece(i, i + 1, 0, 4);
      if (!CHECK_INT(hfm_forward(session, &in, &out, &error), HFM_OK)) break;
      CHECK_INT(hfm_cache_reorder(session, rows, 4, &error), HFM_OK);
    }
  }
  CHECK_INT(memory.calls, calls);
  hfm_session_free(session);
  hfm_model_free(model);
  CHECK(failing_alloc_clean(&memory));
}

/* Saved by one tier, loaded by another, and gone on with. What is no saved cache, or another model's, is refused. */
static void test_save(void) {
  static const int64_t windows[] = {0, 100};
  for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
    for (int32_t dtype = HFM_F32; dtype <= HFM_BF16; dtype++) {
      const double part = dtype == HFM_F32 ? 1e-5 : dtype == HFM_F16 ? 2e-3 : 2e-2;
      const char *dir = windows[w] ? FIXTURE("mistral_causal") : FIXTURE("llama_causal");
      hfm_options scalar;
      hfm_model *model = load(dir, windows[w], 0), *other;
      hfm_session *a, *b, *c;
      hfm_error error;
      uint64_t size;
      uint8_t *bytes;
      if (dtype != HFM_F32 && dtype != HFM_F16 && dtype != HFM_BF16) continue;
      memset(&scalar, 0, sizeof scalar);
      scalar.task = HFM_CAUSAL_LM;
      scalar.isa = HFM_ISA_SCALAR;
      other = windowed(dir, windows[w], &scalar);
      a = session_of(model, dtype);
      b = session_of(other, dtype);
      c = session_of(model, dtype == HFM_F32 ? HFM_F16 : HFM_F32);
      prepare(5);
      run_whole(model);
      CHECK_INT((long long)hfm_cache_size(a), 0);
      go_on(a, 0, 201, 0, BATCH, part);
      size = hfm_cache_size(a); /* 2 layers, keys and values of 1 head of 6 */
      CHECK_INT((long long)size, 56 + 24 * 4 + 4 * BATCH * (windows[w] ? 99 : 201) * 6 * (dtype == HFM_F32 ? 4 : 2));
      bytes = (uint8_t *)malloc((size_t)size);
      if (!CHECK(bytes != NULL)) return;
      CHECK_INT(hfm_cache_save(a, bytes, size - 1, &error), HFM_ERROR_ARGUMENT);
      CHECK_INT(hfm_cache_save(a, bytes, size, &error), HFM_OK);
      go_on(a, 201, 210, 0, BATCH, part);
      CHECK_INT(hfm_cache_load(c, bytes, size, &error), HFM_ERROR_ARGUMENT);
      CHECK_CONTAINS(error.message, "its dtype is");
      for (uint64_t n = 0; n < size; n += n < 200 ? 1 : 97) {
        uint8_t *exact = (uint8_t *)malloc((size_t)n + 1);
        if (!CHECK(exact != NULL)) return;
        memcpy(exact, bytes, (size_t)n);
        CHECK_INT(hfm_cache_load(b, exact, n, &error), HFM_ERROR_ARGUMENT);
        free(exact);
      }
      for (uint64_t i = 0; i < 56 + 24 * 4; i++) {
        bytes[i] ^= 0x81;
        CHECK_INT(hfm_cache_load(b, bytes, size, &error), HFM_ERROR_ARGUMENT);
        CHECK_INT(hfm_cache_length(b), 0);
        bytes[i] ^= 0x81;
      }
      if (!windows[w]) { /* F6: 2^30 sequences of 2^29 positions of so many bytes are a multiple of 2^64 */
        uint8_t header[56 + 24 * 4];
        memcpy(header, bytes, sizeof header);
        memset(header + 32, 0, 16);
        header[32 + 3] = 0x40;
        header[40 + 3] = 0x20;
        CHECK_INT(hfm_cache_load(b, header, sizeof header, &error), HFM_ERROR_ARGUMENT);
        CHECK_STR(error.what, "size");
      }
      CHECK_INT(hfm_cache_load(b, bytes, size, &error), HFM_OK);
      CHECK_INT(hfm_cache_length(b), 201);
      CHECK_INT(hfm_cache_batch(b), BATCH);
      if (windows[w]) { /* what was saved begins at 102 */
        CHECK_INT(hfm_cache_crop(b, 200, &error), HFM_ERROR_ARGUMENT);
        CHECK_CONTAINS(error.message, "go back to 201 at least");
      }
      go_on(b, 201, 203, 0, BATCH, part);
      CHECK_INT(hfm_cache_crop(b, 201, &error), HFM_OK);
      go_on(b, 201, 203, 0, BATCH, part);
      CHECK_INT(hfm_cache_load(a, bytes, size, &error), HFM_OK); /* in place of what it held */
      CHECK_INT(hfm_cache_length(a), 201);
      go_on(a, 201, LENGTH, 0, BATCH, dtype == HFM_F32 ? 0 : part);
      if (windows[w]) CHECK_INT(hfm_cache_crop(a, 100, &error), HFM_ERROR_ARGUMENT);
      free(bytes);
      hfm_session_free(a);
      hfm_session_free(b);
      hfm_session_free(c);
      hfm_model_free(model);
      hfm_model_free(other);
    }
}

/* NULLs, and models that keep nothing. */
static void test_refused(void) {
  hfm_session_options options;
  hfm_options bert_options;
  hfm_model *bert;
  hfm_session *session = NULL;
  hfm_error error;
  int64_t row = 0;
  uint8_t bytes[64] = {0};
  memset(&bert_options, 0, sizeof bert_options);
  bert = load_fixture(FIXTURE("bert_base"), &bert_options);
  memset(&options, 0, sizeof options);
  options.cache_dtype = HFM_I32;
  CHECK_INT(hfm_session_create(bert, &options, &session, &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "cache_dtype");
  CHECK(session == NULL);
  session = new_session(bert, 1);
  CHECK_INT(hfm_cache_load(session, bytes, sizeof bytes, &error), HFM_ERROR_ARGUMENT);
  CHECK_CONTAINS(error.message, "keeps no keys and values");
  CHECK_INT(hfm_cache_save(session, bytes, 0, &error), HFM_ERROR_STATE);
  CHECK_INT(hfm_cache_save(NULL, bytes, 0, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_cache_save(session, NULL, 0, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_cache_load(session, NULL, 0, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_cache_reorder(NULL, &row, 1, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_cache_reorder(session, NULL, 1, &error), HFM_ERROR_ARGUMENT);
  CHECK_INT((long long)hfm_cache_size(NULL), 0);
  CHECK_INT(hfm_cache_batch(NULL), 0);
  hfm_session_free(session);
  hfm_model_free(bert);
}

int main(void) {
  TEST(test_windows);
  TEST(test_ring_memory);
  TEST(test_crop_windows);
  TEST(test_reorder);
  TEST(test_beams_memory);
  TEST(test_save);
  TEST(test_refused);
  return check_report("test_cache_pages");
}
