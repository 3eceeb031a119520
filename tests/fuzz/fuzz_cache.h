/* fuzz_cache.h: what a caller does with a session's cache between its calls: fewer positions, other sequences, to bytes
   and back, bytes that were never saved included. */
#ifndef FUZZ_CACHE_H
#define FUZZ_CACHE_H

#include "fuzz_bytes.h"

static void fuzz_reason(hfm_result result, const hfm_error *error) {
  FUZZ_REQUIRE(error->code == result, error->message);
  FUZZ_REQUIRE(result == HFM_OK || (error->item != HFM_E_NONE && error->message[0] != 0), "no reason");
}

/* Mostly a length that it has. */
static void fuzz_crop(fuzz_bytes *b, hfm_session *session) {
  const uint8_t choice = (uint8_t)fuzz_take(b, 1);
  const int64_t held = hfm_cache_length(session), length = choice < 200 ? choice % (held + 1) : (int8_t)choice;
  hfm_error error;
  fuzz_reason(hfm_cache_crop(session, length, &error), &error);
  FUZZ_REQUIRE(hfm_cache_length(session) == (error.code == HFM_OK ? length : held), "another length");
}

/* Sequences in another order, or more or fewer of them. */
static void fuzz_reorder(fuzz_bytes *b, hfm_session *session) {
  int64_t rows[8];
  hfm_error error;
  const int64_t count = (int64_t)fuzz_take(b, 1) % 10 - 1, held = FUZZ_MAX(hfm_cache_batch(session), 1);
  for (size_t i = 0; i < FUZZ_COUNT(rows); i++) {
    const uint8_t row = (uint8_t)fuzz_take(b, 1);
    rows[i] = row < 250 ? row % held : (int8_t)row;
  }
  fuzz_reason(hfm_cache_reorder(session, rows, FUZZ_MIN(count, (int64_t)FUZZ_COUNT(rows)), &error), &error);
}

/* What the cache is as bytes comes back as it was; other bytes, in place of some or all of these, are taken or not.
   Returns 1 if numbers may be in it now that no model computed. */
static int fuzz_reload(fuzz_bytes *b, hfm_session *session) {
  enum { HEADER = 56 };
  const uint64_t saved = hfm_cache_size(session), size = FUZZ_MAX(saved, (uint64_t)HEADER);
  uint8_t *bytes = (uint8_t *)calloc(1, (size_t)size), *again = (uint8_t *)malloc((size_t)size);
  const int64_t length = hfm_cache_length(session), batch = hfm_cache_batch(session);
  hfm_error error;
  int changed = 0;
  if (bytes && again && saved) {
    FUZZ_REQUIRE(hfm_cache_save(session, bytes, saved, &error) == HFM_OK, error.message);
    FUZZ_REQUIRE(hfm_cache_load(session, bytes, saved, &error) == HFM_OK, error.message);
    FUZZ_REQUIRE(hfm_cache_length(session) == length && hfm_cache_batch(session) == batch, "another cache");
    FUZZ_REQUIRE(hfm_cache_save(session, again, saved, &error) == HFM_OK, error.message);
    FUZZ_REQUIRE(memcmp(bytes, again, (size_t)saved) == 0, "a saved cache is not what was loaded");
  }
  for (uint8_t changes = (uint8_t)fuzz_take(b, 1) % 6; bytes && changes; changes--) {
    const size_t at = (size_t)fuzz_take(b, 2) % (size_t)size;
    bytes[at] = (uint8_t)fuzz_take(b, 1);
    changed = 1;
  }
  if (bytes && again) { /* in a block of their own size */
    const uint64_t cut = fuzz_take(b, 1), left = cut < 200 ? size : size * (cut - 200) / 56;
    uint8_t *exact = (uint8_t *)malloc((size_t)left + !left);
    if (exact) {
      memcpy(exact, bytes, (size_t)left);
      fuzz_reason(hfm_cache_load(session, exact, left, &error), &error);
      FUZZ_REQUIRE(error.code == HFM_OK || hfm_cache_length(session) == length,
                   "a refused cache in place of the old one");
    }
    free(exact);
  }
  free(bytes);
  free(again);
  return changed;
}

/* One of these, by `kind`; returns as fuzz_reload. */
static int fuzz_use_cache(fuzz_bytes *b, hfm_session *session, int kind) {
  if (kind % 3 == 2) return fuzz_reload(b, session);
  if (kind % 3 == 1) fuzz_reorder(b, session);
  else fuzz_crop(b, session);
  return 0;
}

#endif
