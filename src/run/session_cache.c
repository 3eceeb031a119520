/* ==== run/session_cache (private): past_key_values, as the caller handles them ==================================== */

/* Positions that a session keeps. */
HFM__PRIVATE int64_t hfm__cache_held(const hfm_session *session) {
  return HFM__HAS_STATES && session ? session->cache.length : 0;
}

HFMODEL_API int64_t hfm_cache_length(const hfm_session *session) { return hfm__cache_held(session); }

HFMODEL_API int64_t hfm_cache_batch(const hfm_session *session) {
  return hfm__cache_held(session) ? session->cache.rows : 0;
}

HFMODEL_API hfm_result hfm_cache_crop(hfm_session *session, int64_t length, hfm_error *error) {
  int64_t shortest;
  hfm__clear_error(error);
  if (!session) return hfm__fail_null(error, "session");
  if (length < 0 || length > hfm__cache_held(session))
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "length", 0,
                     "length is %i, but must be from 0 to %i, which the cache holds", length, hfm__cache_held(session));
  shortest = length ? hfm__cache_shortest(&session->cache) : 0;
  if (length < shortest)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "length", 0,
                     "length is %i, but layers with a sliding window have let go of what is needed to go on from "
                     "there; go back to %i at least, or to 0",
                     length, shortest);
  hfm__session_stop(session);
  if (HFM__HAS_STATES) hfm__cache_cut(&session->cache, length);
  return HFM_OK;
}

/* What it holds. */
HFM__PRIVATE hfm__extent hfm__cache_extent(const hfm__cache *cache) {
  hfm__extent extent;
  extent.rows = cache->rows;
  extent.total = cache->length;
  extent.length = 1;
  extent.source = cache->source;
  return extent;
}

HFMODEL_API hfm_result hfm_cache_reorder(hfm_session *session, const int64_t *rows, int64_t count, hfm_error *error) {
  hfm__extent extent;
  hfm_result result;
  hfm__clear_error(error);
  if (!session || !rows) return hfm__fail_null(error, session ? "rows" : "session");
  if (!hfm__cache_held(session))
    return hfm__fail(error, HFM_E_SESSION_ORDER, NULL, "hfm_cache_reorder", 0,
                     "hfm_cache_reorder: the cache is empty; run a forward with use_cache first");
  if (count < 1 || count > INT32_MAX)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "count", 0, "count is %i, but must be from 1 to %d", count,
                     (int)INT32_MAX);
  for (int64_t i = 0; i < count; i++)
    if (rows[i] < 0 || rows[i] >= session->cache.rows)
      return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "rows", 0,
                       "rows[%i] is %i, but must be from 0 to %i: the cache holds %i sequences", i, rows[i],
                       session->cache.rows - 1, session->cache.rows);
  hfm__session_stop(session);
  extent = hfm__cache_extent(&session->cache);
  extent.rows = count;
  result = hfm__cache_room(&session->model->ctx.mem, &session->cache, &extent, error);
  if (result == HFM_OK) hfm__cache_choose(&session->cache, rows, count);
  return result;
}

/* ---- To bytes and back. A header of 64-bit little-endian numbers:
     "HFMCACHE", version, dtype, states, sequences, positions, positions of encoded texts, then for each state its
     heads, head size and first position;
   then each state's elements [sequences][first ... positions)[heads][head size], little-endian: the same on every
   tier. ---- */

enum { HFM__CACHE_VERSION = 1, HFM__CACHE_WORDS = 7, HFM__CACHE_STATE_WORDS = 3 };
static const char hfm__cache_magic[8] = {'H', 'F', 'M', 'C', 'A', 'C', 'H', 'E'};

/* The positions [first, end) that a state hands over: no later call sees others. */
typedef struct hfm__cache_span {
  int64_t first, end;
} hfm__cache_span;

HFM__PRIVATE hfm__cache_span hfm__cache_handed(const hfm__cache *cache, size_t state, const hfm__extent *extent) {
  const hfm__page_set *set = &cache->sets[cache->states[state].set];
  hfm__cache_span span;
  span.end = hfm__is_once(set) ? extent->source : extent->total;
  span.first = hfm__first_position(set, span.end);
  return span;
}

HFM__PRIVATE size_t hfm__cache_words(const hfm__cache *cache) {
  return HFM__CACHE_WORDS + HFM__CACHE_STATE_WORDS * cache->state_count;
}

/* UINT64_MAX: more than there can be. */
HFM__PRIVATE uint64_t hfm__cache_saved_bytes(const hfm__cache *cache, const hfm__extent *extent) {
  uint64_t bytes = (uint64_t)hfm__cache_words(cache) * 8, each;
  for (size_t i = 0; i < cache->state_count; i++) {
    const hfm__cached_state *s = &cache->states[i];
    const hfm__cache_span span = hfm__cache_handed(cache, i, extent);
    if (!hfm__mul64((uint64_t)extent->rows, (uint64_t)(span.end - span.first), &each) ||
        !hfm__mul64(each, (uint64_t)(s->heads * s->head * (hfm_dtype_bits(cache->dtype) / 8)), &each) ||
        !hfm__add64(bytes, each, &bytes))
      return UINT64_MAX;
  }
  return bytes;
}

HFMODEL_API uint64_t hfm_cache_size(const hfm_session *session) {
  hfm__extent extent;
  if (!hfm__cache_held(session)) return 0;
  extent = hfm__cache_extent(&session->cache);
  return hfm__cache_saved_bytes(&session->cache, &extent);
}

/* Which kind of word the i-th of the header is. */
HFM__PRIVATE size_t hfm__cache_word_kind(size_t i) {
  return i < HFM__CACHE_WORDS ? i : HFM__CACHE_WORDS + (i - HFM__CACHE_WORDS) % HFM__CACHE_STATE_WORDS;
}

/* The i-th word of the header that a cache of these states has. */
HFM__PRIVATE uint64_t hfm__cache_word(const hfm__cache *cache, size_t i, const hfm__extent *extent) {
  const size_t state = i < HFM__CACHE_WORDS ? 0 : (i - HFM__CACHE_WORDS) / HFM__CACHE_STATE_WORDS;
  switch (hfm__cache_word_kind(i)) {
    case 0:
      return hfm__le64(hfm__cache_magic);
    case 1:
      return HFM__CACHE_VERSION;
    case 2:
      return (uint64_t)cache->dtype;
    case 3:
      return cache->state_count;
    case 4:
      return (uint64_t)extent->rows;
    case 5:
      return (uint64_t)extent->total;
    case 6:
      return (uint64_t)extent->source;
    case HFM__CACHE_WORDS:
      return (uint64_t)cache->states[state].heads;
    case HFM__CACHE_WORDS + 1:
      return (uint64_t)cache->states[state].head;
    default:
      return (uint64_t)hfm__cache_handed(cache, state, extent).first;
  }
}

HFM__PRIVATE void hfm__put_word(uint8_t *p, uint64_t word) {
  for (int32_t b = 0; b < 8; b++) p[b] = (uint8_t)(word >> 8 * b);
}

/* Every element between the pages and `bytes`, into which it goes with `save`, from which it comes without. */
HFM__PRIVATE void hfm__cache_transfer(hfm__cache *cache, uint8_t *bytes, int save) {
  const int32_t size = hfm_dtype_bits(cache->dtype) / 8;
  const hfm__extent extent = hfm__cache_extent(cache);
  for (size_t i = 0; i < cache->state_count; i++) {
    const hfm__cached_state *s = &cache->states[i];
    const hfm__cache_span span = hfm__cache_handed(cache, i, &extent);
    hfm__operand o;
    memset(&o, 0, sizeof o);
    hfm__cache_bind(cache, (int32_t)i, &o);
    for (int64_t r = 0; r < cache->rows; r++)
      for (int64_t p = span.first; p < span.end; p++)
        for (int64_t h = 0; h < s->heads; h++) {
          uint8_t *head = hfm__page_of(&o, r, p - o.first, h);
          for (int64_t d = 0; d < s->head; d++, bytes += size) {
            uint8_t *at = head + hfm__page_element(cache->kernels, s->values, s->head, p % HFM__PAGE, d) * size;
            for (int32_t b = 0; b < size; b++) {
              const int32_t place = HFM__BIG_ENDIAN ? size - 1 - b : b;
              if (save) bytes[b] = at[place];
              else at[place] = bytes[b];
            }
          }
        }
  }
}

HFMODEL_API hfm_result hfm_cache_save(hfm_session *session, void *bytes, uint64_t size, hfm_error *error) {
  hfm__cache *cache;
  hfm__extent extent;
  uint8_t *at = (uint8_t *)bytes;
  hfm__clear_error(error);
  if (!session || !bytes) return hfm__fail_null(error, session ? "bytes" : "session");
  cache = &session->cache;
  if (!hfm__cache_held(session))
    return hfm__fail(error, HFM_E_SESSION_ORDER, NULL, "hfm_cache_save", 0,
                     "hfm_cache_save: the cache is empty; run a forward with use_cache first");
  if (size != hfm_cache_size(session))
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "size", 0,
                     "size is %u, but the cache takes %u bytes: hfm_cache_size", size, hfm_cache_size(session));
  hfm__session_stop(session);
  hfm__cache_cut(cache, cache->length);
  extent = hfm__cache_extent(cache);
  for (size_t i = 0; i < hfm__cache_words(cache); i++, at += 8) hfm__put_word(at, hfm__cache_word(cache, i, &extent));
  hfm__cache_transfer(cache, at, 1);
  return HFM_OK;
}

/* A number of the header that must lie in [least, INT32_MAX]: what it is, or the nearest that it may be. */
HFM__PRIVATE int64_t hfm__cache_number(const uint8_t *bytes, int64_t least) {
  const uint64_t found = hfm__le64(bytes);
  return found > (uint64_t)INT32_MAX ? INT32_MAX : HFM__MAX((int64_t)found, least);
}

/* The header against what this session would have written for so many rows and positions. */
HFM__PRIVATE hfm_result hfm__cache_check(const hfm__cache *cache, const uint8_t *bytes, uint64_t size,
                                         hfm__extent *extent, hfm_error *error) {
  static const char *const words[] = {"magic",        "version",         "dtype",     "number of states",
                                      "batch",        "length",          "encoded length",
                                      "number of heads", "head size", "first position"};
  int32_t encodes = 0;
  for (int32_t i = 0; i < cache->set_count; i++) encodes |= hfm__is_once(&cache->sets[i]);
  extent->rows = hfm__cache_number(bytes + 32, 1);
  extent->total = hfm__cache_number(bytes + 40, 1);
  extent->source = encodes ? hfm__cache_number(bytes + 48, 1) : 0;
  extent->length = 1;
  for (size_t i = 0; i < hfm__cache_words(cache); i++) {
    const uint64_t found = (i + 1) * 8 <= size ? hfm__le64(bytes + i * 8) : 0;
    const uint64_t expected = hfm__cache_word(cache, i, extent);
    if (found != expected)
      return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "bytes", i * 8,
                       "the saved cache does not fit this session: its %s is %u, but should be %u",
                       words[hfm__cache_word_kind(i)], found, expected);
  }
  if (size != hfm__cache_saved_bytes(cache, extent))
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "size", 0,
                     "the saved cache is of %i sequences of %i positions, which take %u bytes, but has %u",
                     extent->rows, extent->total, hfm__cache_saved_bytes(cache, extent), size);
  return HFM_OK;
}

/* What the states are is known from the first program that has some. */
HFM__PRIVATE hfm_result hfm__session_know_states(hfm_session *session, hfm_error *error) {
  hfm__request request = hfm__usual_request(session->model);
  hfm__program *program;
  hfm_result result;
  if (session->cache.states) return HFM_OK;
  request.asked.use_cache = 1;
  result = hfm__declared_inputs(session->model, &request, error);
  if (result != HFM_OK) return result;
  return hfm__session_program(session, &request, request.binding, NULL, &program, error);
}

HFMODEL_API hfm_result hfm_cache_load(hfm_session *session, const void *bytes, uint64_t size, hfm_error *error) {
  const uint8_t *from = (const uint8_t *)bytes;
  hfm__extent extent;
  hfm_result result;
  hfm__clear_error(error);
  if (!session || !bytes) return hfm__fail_null(error, session ? "bytes" : "session");
  if (size < HFM__CACHE_WORDS * 8)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "size", 0, "a saved cache has at least %d bytes, found %u",
                     HFM__CACHE_WORDS * 8, size);
  hfm__session_stop(session);
  result = hfm__session_know_states(session, error);
  if (!HFM__HAS_STATES) return result; /* it says so */
  if (result == HFM_OK) result = hfm__cache_check(&session->cache, from, size, &extent, error);
  if (result == HFM_OK) result = hfm__cache_room(&session->model->ctx.mem, &session->cache, &extent, error);
  if (result != HFM_OK) return result;
  hfm__cache_fill(&session->cache, &extent);
  from += hfm__cache_words(&session->cache) * 8;
  hfm__cache_transfer(&session->cache, (uint8_t *)(uintptr_t)from, 0);
  return HFM_OK;
}
