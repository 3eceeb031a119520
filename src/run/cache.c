/* ==== run/cache (private): what outlives a call, in pages =========================================================
   Every sequence (row) has a table of pages, each of HFM__PAGE positions of all states of a set. Rows that have come
   from one another show the same pages until one of them writes; what no later call can see is given back, so a sliding
   window needs a ring of pages only. Nothing is moved or allocated but where a cache gets more room. */

/* What there must be room for: `rows` sequences of `total` positions, which come at most `length` at a time, with
   encoded texts of `source` positions. */
typedef struct hfm__extent {
  int64_t rows, total, length, source;
} hfm__extent;

/* States whose positions live equally long. */
typedef struct hfm__page_set {
  int64_t window;         /* as in hfm__state */
  int32_t once;
  int64_t columns;        /* pages that a row can have */
  int64_t count;          /* pages of all rows together */
  int64_t first, held;    /* pages of each row: of positions from first * HFM__PAGE on */
  int64_t begin;          /* before this position there is nothing in them: what was loaded begins there */
  int64_t free;           /* where the search for a free page begins */
  int32_t *table, *spare; /* [rows][columns], and room for the next one */
  int32_t *uses;          /* [count]: rows that show a page */
} hfm__page_set;

enum { HFM__MAX_SETS = HFM__MAX_WINDOWS + 1 }; /* that of encoded texts has no window */

typedef struct hfm__cached_state {
  int32_t set, values;
  int64_t heads, head;      /* and the size of each */
  uint64_t head_elements, page_elements;
} hfm__cached_state;

typedef struct hfm__cache {
  hfm_dtype dtype;
  const hfm__kernels *kernels;
  hfm__cached_state *states; /* made with the first graph that has some: all graphs of a model have the same ones */
  size_t state_count;
  hfm__page_set sets[HFM__MAX_SETS];
  int32_t set_count;
  void *block;    /* tables and pages */
  uint64_t bytes;
  uint8_t **data; /* the pages of each state */
  int64_t most_rows;
  int64_t rows, length; /* sequences and positions that it holds */
  int64_t source;       /* positions of the encoded texts, in models with an encoder */
  int64_t reach, source_reach; /* the same with the call in progress */
} hfm__cache;

HFM__PRIVATE int64_t hfm__pages(int64_t positions) { return (positions + HFM__PAGE - 1) / HFM__PAGE; }

HFM__PRIVATE int hfm__is_once(const hfm__page_set *set) { return HFM__HAS_SEQ2SEQ && set->once; }

/* The first position that a call after `past` positions can see, and its page. */
HFM__PRIVATE int64_t hfm__first_position(const hfm__page_set *set, int64_t past) {
  return HFM__HAS_WINDOWS && set->window ? HFM__MAX(past - set->window + 1, 0) : 0;
}
HFM__PRIVATE int64_t hfm__first_page(const hfm__page_set *set, int64_t past) {
  return hfm__first_position(set, past) / HFM__PAGE;
}

HFM__PRIVATE int64_t hfm__pages_of_row(const hfm__page_set *set, const hfm__extent *extent) {
  const int64_t all = hfm__pages(hfm__is_once(set) ? extent->source : extent->total);
  if (!HFM__HAS_WINDOWS || !set->window) return all;
  return HFM__MIN(all, hfm__pages(HFM__PAGE - 1 + set->window - 1 + extent->length));
}

HFM__PRIVATE uint64_t hfm__page_bytes(const hfm__cache *cache, size_t state) {
  return cache->states[state].page_elements * (uint64_t)(hfm_dtype_bits(cache->dtype) / 8);
}

/* ---- Room ---- */

/* Takes the states of a graph for those of the cache, once. dims are values of the graph's dimensions. */
HFM__PRIVATE hfm_result hfm__cache_describe(const hfm_allocator *mem, hfm__cache *cache, const hfm__graph *g,
                                            const int64_t *dims, hfm_error *error) {
  const uint64_t bytes = (uint64_t)g->state_count * sizeof *cache->states;
  if (!g->state_count || cache->states) return HFM_OK;
  cache->states = (hfm__cached_state *)hfm__alloc(mem, bytes);
  if (!cache->states) return hfm__fail_memory(error, "the cache", bytes);
  cache->state_count = g->state_count;
  for (size_t i = 0; i < g->state_count; i++) {
    const hfm__value *v = &g->values[g->states[i].value];
    hfm__cached_state *state = &cache->states[i];
    int32_t set = 0;
    while (set < cache->set_count &&
           (cache->sets[set].window != g->states[i].window || cache->sets[set].once != g->states[i].once))
      set++;
    HFMODEL_ASSERT(set < HFM__MAX_SETS);
    if (set == cache->set_count) {
      cache->sets[cache->set_count].once = g->states[i].once;
      cache->sets[cache->set_count++].window = g->states[i].window;
    }
    state->set = set;
    state->values = g->states[i].values;
    state->heads = dims[v->shape[2].id];
    state->head = dims[v->shape[3].id];
    state->head_elements = (uint64_t)hfm__page_head(cache->kernels, state->values, state->head);
    state->page_elements = state->head_elements * (uint64_t)state->heads;
  }
  return HFM_OK;
}

/* The next count * size bytes of a block that is being laid out, aligned; NULL where there is no block yet. */
HFM__PRIVATE void *hfm__cache_take(uint8_t *block, uint64_t *at, uint64_t count, uint64_t size) {
  void *p = block ? block + *at : NULL;
  uint64_t bytes;
  if (!hfm__mul64(count, size, &bytes) || bytes > hfm__plan_most || *at > hfm__plan_most) *at = UINT64_MAX / 2;
  else *at = (*at + bytes + HFM__PLAN_ALIGN - 1) / HFM__PLAN_ALIGN * HFM__PLAN_ALIGN;
  return p;
}

/* Lays `to`, a copy of a cache, out in a larger block, for `extent` and for what there was room before. Without a block
   only to->bytes is found: more than hfm__plan_most if no machine has so many. */
HFM__PRIVATE void hfm__cache_lay_out(hfm__cache *to, const hfm__extent *extent, uint8_t *block) {
  uint64_t at = 0;
  to->most_rows = HFM__MAX(extent->rows, to->most_rows);
  to->data = (uint8_t **)hfm__cache_take(block, &at, to->state_count, sizeof *to->data);
  for (int32_t i = 0; i < to->set_count; i++) {
    hfm__page_set *set = &to->sets[i];
    const int64_t pages = hfm__pages_of_row(set, extent);
    uint64_t entries;
    set->columns = HFM__MAX(set->columns, pages);
    set->count = HFM__MAX(set->count, extent->rows * pages);
    entries = (uint64_t)to->most_rows * (uint64_t)set->columns;
    set->table = (int32_t *)hfm__cache_take(block, &at, entries, sizeof *set->table);
    set->spare = (int32_t *)hfm__cache_take(block, &at, entries, sizeof *set->spare);
    set->uses = (int32_t *)hfm__cache_take(block, &at, (uint64_t)set->count, sizeof *set->uses);
    if (block) memset(set->uses, 0, (size_t)set->count * sizeof *set->uses);
  }
  for (size_t i = 0; i < to->state_count; i++) {
    uint8_t *data = (uint8_t *)hfm__cache_take(block, &at, (uint64_t)to->sets[to->states[i].set].count,
                                               hfm__page_bytes(to, i));
    if (block) to->data[i] = data;
  }
  to->bytes = at;
}

/* What one cache holds into the larger tables and pages of another. */
HFM__PRIVATE void hfm__cache_copy(hfm__cache *to, const hfm__cache *from) {
  for (int32_t i = 0; i < from->set_count; i++) {
    const hfm__page_set *old = &from->sets[i], *set = &to->sets[i];
    memcpy(set->uses, old->uses, (size_t)old->count * sizeof *set->uses);
    for (int64_t r = 0; r < from->rows; r++)
      memcpy(set->table + r * set->columns, old->table + r * old->columns, (size_t)old->held * sizeof *set->table);
  }
  for (size_t i = 0; i < from->state_count; i++) {
    const hfm__page_set *set = &from->sets[from->states[i].set];
    const size_t bytes = (size_t)hfm__page_bytes(from, i);
    for (int64_t p = 0; p < set->count; p++)
      if (set->uses[p]) memcpy(to->data[i] + (size_t)p * bytes, from->data[i] + (size_t)p * bytes, bytes);
  }
}

HFM__PRIVATE int hfm__cache_has_room(const hfm__cache *cache, const hfm__extent *extent) {
  int has = cache->block && extent->rows <= cache->most_rows;
  for (int32_t i = 0; has && i < cache->set_count; i++) {
    const int64_t pages = hfm__pages_of_row(&cache->sets[i], extent);
    has = pages <= cache->sets[i].columns && extent->rows * pages <= cache->sets[i].count;
  }
  return has;
}

HFM__PRIVATE void hfm__cache_free(const hfm_allocator *mem, hfm__cache *cache) {
  hfm__free(mem, cache->block, cache->bytes);
  hfm__free(mem, cache->states, (uint64_t)cache->state_count * sizeof *cache->states);
}

/* Makes room. What the cache holds stays; on failure so does the cache. */
HFM__PRIVATE hfm_result hfm__cache_room(const hfm_allocator *mem, hfm__cache *cache, const hfm__extent *extent,
                                        hfm_error *error) {
  hfm__cache larger = *cache;
  if (!cache->state_count || hfm__cache_has_room(cache, extent)) return HFM_OK;
  hfm__cache_lay_out(&larger, extent, NULL);
  if (larger.bytes > hfm__plan_most)
    return hfm__fail(error, HFM_E_ADDRESS_SPACE, NULL, "use_cache", 0,
                     "the keys and values of %i sequences of %i positions don't fit this machine's address space",
                     extent->rows, extent->total);
  larger.block = hfm__alloc_in_huge_pages(mem, larger.bytes);
  if (!larger.block) return hfm__fail_memory(error, "the cache", larger.bytes);
  hfm__cache_lay_out(&larger, extent, (uint8_t *)larger.block);
  if (cache->block) hfm__cache_copy(&larger, cache);
  hfm__free(mem, cache->block, cache->bytes);
  *cache = larger;
  return HFM_OK;
}

/* ---- Pages come and go ---- */

/* Rows no longer show what lies outside of pages [first, first + held). */
HFM__PRIVATE void hfm__pages_keep(hfm__page_set *set, int64_t rows, int64_t first, int64_t held) {
  const int64_t skip = HFM__MIN(HFM__MAX(first - set->first, 0), set->held);
  const int64_t kept = HFM__MAX(HFM__MIN(set->held - skip, held), 0);
  for (int64_t r = 0; r < rows; r++) {
    int32_t *row = set->table + r * set->columns;
    for (int64_t i = 0; i < set->held; i++)
      if (i < skip || i >= skip + kept) set->uses[row[i]]--;
    memmove(row, row + skip, (size_t)kept * sizeof *row);
  }
  set->first = first;
  set->held = kept;
}

/* A page that no row shows. There is one: no row ever has more than its share. */
HFM__PRIVATE int32_t hfm__page_new(hfm__page_set *set) {
  while (set->uses[set->free]) set->free = (set->free + 1) % set->count;
  set->uses[set->free] = 1;
  return (int32_t)set->free;
}

/* Each row shows new pages behind those it has, `held` in all. */
HFM__PRIVATE void hfm__pages_add(hfm__page_set *set, int64_t rows, int64_t held) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t p = set->held; p < held; p++) set->table[r * set->columns + p] = hfm__page_new(set);
  set->held = held;
}

/* A row that is going to write into a page that others show, too, gets its own copy. */
HFM__PRIVATE void hfm__page_own(hfm__cache *cache, hfm__page_set *set, int32_t *page) {
  const int32_t shared = *page;
  if (set->uses[shared] == 1) return;
  *page = hfm__page_new(set);
  set->uses[shared]--;
  for (size_t i = 0; i < cache->state_count; i++) {
    const size_t bytes = (size_t)hfm__page_bytes(cache, i);
    uint8_t *data = cache->data[i];
    if (set == &cache->sets[cache->states[i].set])
      memcpy(data + (size_t)*page * bytes, data + (size_t)shared * bytes, bytes);
  }
}

/* Positions of a set's rows. */
HFM__PRIVATE int64_t hfm__set_length(const hfm__cache *cache, const hfm__page_set *set) {
  return hfm__is_once(set) ? cache->source : cache->length;
}

/* Lets go of positions from `length` on; with the last of them goes the encoded text. */
HFM__PRIVATE void hfm__cache_cut(hfm__cache *cache, int64_t length) {
  cache->length = length;
  if (!length) cache->source = 0;
  for (int32_t i = 0; i < cache->set_count; i++) {
    hfm__page_set *set = &cache->sets[i];
    const int64_t first = length ? set->first : 0;
    if (!length) set->begin = 0;
    hfm__pages_keep(set, cache->rows, first, hfm__pages(hfm__set_length(cache, set)) - first);
  }
}

/* Pages for a call of `rows` sequences that adds positions up to `reach`, and encoded texts up to `source`. There is
   room for it. */
HFM__PRIVATE void hfm__cache_begin(hfm__cache *cache, int64_t rows, int64_t reach, int64_t source) {
  hfm__cache_cut(cache, cache->length); /* what a call that failed may have left */
  cache->rows = rows;
  cache->reach = reach;
  cache->source_reach = 0;
  for (int32_t i = 0; i < cache->set_count; i++) {
    hfm__page_set *set = &cache->sets[i];
    const int64_t past = hfm__set_length(cache, set), first = hfm__first_page(set, past);
    const int64_t held = hfm__pages(hfm__is_once(set) ? source : reach) - first;
    hfm__pages_keep(set, rows, first, held);
    for (int64_t r = 0; r < rows && past % HFM__PAGE && !hfm__is_once(set); r++)
      hfm__page_own(cache, set, &set->table[r * set->columns + set->held - 1]);
    hfm__pages_add(set, rows, held);
    if (hfm__is_once(set)) cache->source_reach = source;
  }
}

/* The call is done: its positions are held. */
HFM__PRIVATE void hfm__cache_end(hfm__cache *cache) {
  cache->length = cache->reach;
  cache->source = cache->source_reach;
}

/* The pages of `extent`, to be filled by other means than a call; all that was held is gone. There is room for it. */
HFM__PRIVATE void hfm__cache_fill(hfm__cache *cache, const hfm__extent *extent) {
  hfm__cache_cut(cache, 0);
  cache->rows = extent->rows;
  cache->reach = extent->total;
  cache->source_reach = extent->source;
  hfm__cache_end(cache);
  for (int32_t i = 0; i < cache->set_count; i++) {
    hfm__page_set *set = &cache->sets[i];
    const int64_t length = hfm__set_length(cache, set);
    set->first = hfm__first_page(set, length);
    set->begin = hfm__first_position(set, length);
    hfm__pages_add(set, cache->rows, hfm__pages(length) - set->first);
    for (size_t s = 0; s < cache->state_count; s++) /* what has left the window before is multiplied by 0 */
      for (int64_t r = 0; r < cache->rows && set->held && &cache->sets[cache->states[s].set] == set; r++)
        memset(cache->data[s] + (size_t)set->table[r * set->columns] * (size_t)hfm__page_bytes(cache, s), 0,
               (size_t)hfm__page_bytes(cache, s));
  }
}

/* The shortest length that the cache can go back to, but for 0. */
HFM__PRIVATE int64_t hfm__cache_shortest(const hfm__cache *cache) {
  int64_t shortest = 0;
  for (int32_t i = 0; i < cache->set_count; i++) {
    const int64_t begin = HFM__MAX(cache->sets[i].first * HFM__PAGE, cache->sets[i].begin);
    if (HFM__HAS_WINDOWS && begin > 0) shortest = HFM__MAX(shortest, begin + cache->sets[i].window - 1);
  }
  return shortest;
}

/* Row i becomes what row rows[i] was; nothing is copied. There are `count` rows, for which there is room. */
HFM__PRIVATE void hfm__cache_choose(hfm__cache *cache, const int64_t *rows, int64_t count) {
  hfm__cache_cut(cache, cache->length);
  for (int32_t i = 0; i < cache->set_count; i++) {
    hfm__page_set *set = &cache->sets[i];
    int32_t *table = set->spare;
    for (int64_t r = 0; r < count; r++) {
      memcpy(table + r * set->columns, set->table + rows[r] * set->columns, (size_t)set->held * sizeof *table);
      for (int64_t p = 0; p < set->held; p++) set->uses[table[r * set->columns + p]]++;
    }
    for (int64_t r = 0; r < cache->rows; r++)
      for (int64_t p = 0; p < set->held; p++) set->uses[set->table[r * set->columns + p]]--;
    set->spare = set->table;
    set->table = table;
  }
  cache->rows = count;
}

/* What a program sees of a state in the call that has begun. */
HFM__PRIVATE void hfm__cache_bind(const hfm__cache *cache, int32_t state, hfm__operand *o) {
  const hfm__cached_state *s = &cache->states[state];
  const hfm__page_set *set = &cache->sets[s->set];
  o->dtype = cache->dtype;
  o->data = cache->data[state];
  o->pages = set->table;
  o->first = set->first * HFM__PAGE;
  o->shape[1] = (hfm__is_once(set) ? cache->source_reach : cache->reach) - o->first;
  o->stride[0] = set->columns;
  o->stride[1] = (int64_t)s->page_elements;
  o->stride[2] = (int64_t)s->head_elements;
}
