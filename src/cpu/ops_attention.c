/* ==== cpu/ops_attention (private): attention and rotary ===========================================================
   A chunk is a block of query rows of one head; or, where there is one query only, of the heads that share their keys.
   Keys and values of that head are packed into the worker's scratch and stay there for its next chunks of the same head
   (or of another query head that shares it); those that come in pages from a cache are read where they lie. sdpa and
   eager take all keys as one tile; flash walks over tiles of fixed size, so its scratch does not grow with the length.
   Keys and values from a cache may begin with a later position than 0; tiles are those of all positions all the
   same. */

enum { HFM__FLASH_TILE = 2048 };
enum { HFM__ATTENTION_LATER = 192 }; /* rows, while which the next head is fetched */
enum { HFM__ATTENTION_HELD = 6 }; /* batch, key head, first key of what is packed; the mask's segment and kept range */

typedef struct hfm__attention_plan {
  int64_t batch, queries, heads, head, first, keys, groups; /* keys [first, keys); query heads for each key head */
  int64_t tile, together, blocks; /* heads whose rows are cut into `blocks` chunks together */
  int64_t v_width;                /* floats of a packed position of values */
  int32_t dtype;                  /* of keys and values where the kernel takes them in place; 0: they are packed */
  uint64_t k_bytes, v_bytes, wide_bytes, mask_bytes, score_bytes, state_bytes;
} hfm__attention_plan;

HFM__PRIVATE hfm__attention_plan hfm__plan_attention(const hfm__op_args *a) {
  const hfm__operand *q = &a->in[0], *k = &a->in[1];
  const int64_t nr = a->cpu->kernels->nr, mr = a->cpu->kernels->mr;
  hfm__attention_plan p;
  int64_t rows, padded, pages, held;
  p.batch = q->shape[0];
  p.queries = q->shape[1];
  p.heads = q->shape[2];
  p.head = q->shape[3];
  held = k->shape[1];
  p.first = k->first;
  p.keys = p.first + held;
  p.groups = k->shape[2] > 0 ? p.heads / k->shape[2] : 1;
  p.tile = a->attrs->implementation == HFM_ATTN_FLASH_ATTENTION_2 ? HFM__MIN(held, (int64_t)HFM__FLASH_TILE) : held;
  p.together = p.queries == 1 ? p.groups : 1;
  if (p.together > 1) {
    p.blocks = (p.together + mr - 1) / mr;
  } else {
    rows = 2500000 / (HFM__MAX(held, 1) * HFM__MAX(p.head, 1)) / mr * mr;
    rows = HFM__MAX(rows, a->attrs->implementation == HFM_ATTN_FLASH_ATTENTION_2 && held > p.tile ? 16 * mr : mr);
    p.blocks = (p.queries + rows - 1) / rows;
  }
  p.dtype = 0;
  if (HFM__HAS_STATES && k->pages && (k->dtype == HFM_F32 || p.queries <= mr)) p.dtype = k->dtype;
  padded = (p.tile + nr - 1) / nr * nr;
  pages = (p.tile + HFM__PAGE - 1) / HFM__PAGE;
  p.v_width = (p.head + nr - 1) / nr * nr;
  p.k_bytes = hfm__aligned((uint64_t)(pages * HFM__PAGE * p.head) * sizeof(float));
  p.v_bytes = hfm__aligned((uint64_t)(pages * HFM__PAGE * p.v_width) * sizeof(float));
  p.wide_bytes = hfm__aligned((uint64_t)(nr * HFM__MAX(p.head, (int64_t)HFM__PAGE)) * sizeof(float));
  p.mask_bytes = hfm__aligned((uint64_t)p.tile * sizeof(float));
  p.score_bytes = hfm__aligned((uint64_t)(mr * padded) * sizeof(float));
  p.state_bytes = hfm__aligned((uint64_t)HFM__MAX(p.queries, p.groups) * 2 * sizeof(float));
  return p;
}

HFM__PRIVATE int64_t hfm__attention_chunks(const hfm__op_args *a) {
  const hfm__attention_plan p = hfm__plan_attention(a);
  return p.batch * (p.heads / p.together) * p.blocks;
}

HFM__PRIVATE uint64_t hfm__attention_scratch(const hfm__op_args *a) {
  const hfm__attention_plan p = hfm__plan_attention(a);
  return hfm__aligned(HFM__ATTENTION_HELD * sizeof(int64_t)) + p.k_bytes + p.v_bytes + p.wide_bytes + p.mask_bytes +
         p.score_bytes + p.state_bytes;
}

/* Keys or values of one head as f32, from those of `tile` positions that begin a page: keys in pages, values as one. */
HFM__PRIVATE void hfm__attention_pack(const hfm__op_args *a, const hfm__operand *x, int values, int64_t batch,
                                      int64_t head, int64_t key0, int64_t tile, const hfm__pages_of_head *pages,
                                      float *to) {
  const int64_t nr = a->cpu->kernels->nr, size = x->shape[3], step = values ? pages->positions : (int64_t)HFM__PAGE;
  const float *from = (const float *)x->data + batch * x->stride[0] + key0 * x->stride[1] + head * x->stride[2];
  int64_t i, j;
  hfm__pack job;
  job.dtype = HFM_F32;
  job.transposed = values;
  job.ld = x->stride[1];
  job.apart = (values ? step : size) * a->cpu->kernels->strip;
  for (i = 0; i < tile; i += step, to += pages->apart) {
    const int64_t positions = HFM__MIN(step, tile - i);
    job.k = values ? positions : size;
    for (j = 0; j < (values ? size : positions); j += nr) {
      job.weight = from + i * x->stride[1] + j * (values ? 1 : x->stride[1]);
      job.n = HFM__MIN(nr, (values ? size : positions) - j);
      job.panel = to + j * (values ? step : size);
      a->cpu->kernels->pack(&job);
    }
  }
}

/* Where the kernel finds keys or values of a tile; unless they are there already they are made ready for it. */
HFM__PRIVATE hfm__pages_of_head hfm__attention_pages(const hfm__op_args *a, const hfm__attention_plan *p, int values,
                                                     int64_t batch, int64_t head, int64_t key0, int64_t tile,
                                                     int is_packed, float *scratch) {
  const hfm__operand *x = &a->in[values ? 2 : 1];
  hfm__pages_of_head packed;
  packed.data = scratch;
  packed.page = NULL;
  packed.positions = values ? (tile + HFM__PAGE - 1) / HFM__PAGE * HFM__PAGE : (int64_t)HFM__PAGE;
  packed.apart = packed.positions * (values ? p->v_width : p->head);
  if (HFM__HAS_STATES && x->pages) {
    const hfm__pages_of_head pages = hfm__pages_in_place(x, batch, key0 - x->first, head);
    if (p->dtype) return pages;
    packed.positions = HFM__PAGE;
    packed.apart = x->stride[2];
    if (!is_packed)
      hfm__pages_widen(a->cpu, x->dtype, &pages, (tile + HFM__PAGE - 1) / HFM__PAGE, packed.apart, scratch);
  } else if (!is_packed) {
    hfm__attention_pack(a, x, values, batch, head, key0, tile, &packed, scratch);
  }
  return packed;
}

/* What to add to the scores of a tile: in[3] says which keys to keep, or which segment each token belongs to. Those
   that count lie in [kept[0], kept[1]): padding is skipped rather than masked. */
HFM__PRIVATE void hfm__attention_mask(const hfm__operand *keep, int64_t batch, int64_t key0, int64_t tile,
                                      int64_t segment, float *mask, int64_t kept[2]) {
  int64_t at = batch * keep->stride[0] + key0 * keep->stride[1], j;
  kept[0] = kept[1] = 0;
  for (j = 0; j < tile; j++, at += keep->stride[1]) {
    const int seen = !HFM__HAS_SEGMENTS || keep->dtype == HFM_U8
                       ? ((const uint8_t *)keep->data)[at] != 0
                       : ((const int64_t *)keep->data)[at] == segment;
    mask[j] = seen ? 0.0f : -FLT_MAX;
    if (seen && kept[1] == 0) kept[0] = j;
    if (seen) kept[1] = j + 1;
  }
}

/* The segment of a query, 0 where there are none. */
HFM__PRIVATE int64_t hfm__segment_of(const hfm__operand *keep, int64_t batch, int64_t row) {
  if (!HFM__HAS_SEGMENTS || !keep->data || keep->dtype == HFM_U8) return 0;
  return ((const int64_t *)keep->data)[batch * keep->stride[0] + row * keep->stride[1]];
}

/* Where the bias of a query row begins, whichever of its dimensions are one for all; NULL without a bias. */
HFM__PRIVATE const float *hfm__attention_bias(const hfm__operand *bias, int64_t batch, int64_t head, int64_t row) {
  const float *at = (const float *)bias->data;
  if (!HFM__HAS_OWN_SCORES || !at) return NULL;
  if (bias->shape[0] > 1) at += batch * bias->stride[0];
  if (bias->shape[1] > 1) at += head * bias->stride[1];
  if (bias->shape[2] > 1) at += row * bias->stride[2];
  return at;
}

/* Has keys and values of the next head fetched, if they will be packed whole: during the last rows before it, keys
   first, as what comes sooner may have gone again. These are rows row0 .. of this one. */
HFM__PRIVATE void hfm__attention_later(const hfm__op_args *a, const hfm__attention_plan *p, int64_t batch, int64_t head,
                                       int64_t row0, hfm__attention *t) {
  const hfm__operand *k = &a->in[1], *v = &a->in[2];
  const int64_t rows = HFM__MIN(p->queries, (int64_t)HFM__ATTENTION_LATER), before = p->queries - rows;
  const int64_t next = batch * p->heads + head + 1;
  if (HFM__SMALL || p->together > 1 || (HFM__HAS_STATES && k->pages)) return;
  if (p->keys > p->tile || k->stride[1] != v->stride[1]) return;
  if (next % p->groups || next == p->batch * p->heads) return;
  batch = next / p->heads;
  head = next % p->heads / p->groups;
  t->later[0] = (const float *)k->data + batch * k->stride[0] + head * k->stride[2];
  t->later[1] = (const float *)v->data + batch * v->stride[0] + head * v->stride[2];
  t->later_rows = p->keys;
  t->later_ld = k->stride[1];
  t->later0 = 2 * p->keys * HFM__MAX(row0 - before, 0) / rows;
  t->later1 = 2 * p->keys * HFM__MAX(row0 + t->rows - before, 0) / rows;
}

/* Some rows that share their keys, all of one segment: queries row0 .. of one head, or heads head .. of one query. */
HFM__PRIVATE void hfm__attention_rows(const hfm__op_args *a, const hfm__attention_plan *plan, int64_t batch,
                                      int64_t head, int64_t row0, int64_t rows, hfm__worker *worker) {
  const hfm__attention_plan p = *plan;
  const hfm__operand *q = &a->in[0], *keep = &a->in[3], *out = &a->out[0], *probabilities = &a->out[1];
  const int64_t segment = hfm__segment_of(keep, batch, row0), shared = head / p.groups;
  const int32_t axis = p.together > 1 ? 2 : 1; /* along which the rows lie */
  const hfm__operand *bias = &a->in[4];
  const float *biases = hfm__attention_bias(bias, batch, head, row0);
  int64_t *held = (int64_t *)(void *)worker->scratch;
  uint8_t *at = worker->scratch + hfm__aligned(HFM__ATTENTION_HELD * sizeof(int64_t));
  float *keys = (float *)(void *)at, *values = (float *)(void *)(at += p.k_bytes);
  float *mask;
  hfm__attention t;
  memset(&t, 0, sizeof t);
  t.rows = rows;
  t.row0 = row0;
  t.heads = p.together > 1;
  t.queries = p.queries;
  t.first = p.first;
  t.keys = p.keys;
  t.head = p.head;
  t.causal = a->attrs->causal;
  t.window = a->attrs->window;
  t.scale = a->attrs->scale;
  t.softcap = a->attrs->softcap;
  if (biases && bias->shape[3 - axis] > 1) t.ldb = bias->stride[3 - axis]; /* [B, H, S, T], the others [B, S, H, D] */
  t.q = (const float *)q->data + batch * q->stride[0] + row0 * q->stride[1] + head * q->stride[2];
  t.ldq = q->stride[axis];
  t.dtype = p.dtype ? p.dtype : HFM_F32;
  t.wide = (float *)(void *)(at += p.v_bytes);
  mask = (float *)(void *)(at += p.wide_bytes);
  t.mask = keep->data ? mask : NULL;
  t.eager = a->attrs->implementation == HFM_ATTN_EAGER;
  if (probabilities->data)
    t.probabilities = (float *)probabilities->data + ((batch * p.heads + head) * p.queries + row0) * p.keys;
  t.scores = (float *)(void *)(at += p.mask_bytes);
  t.maximum = (float *)(void *)(at + p.score_bytes);
  t.total = t.maximum + rows;
  t.out = (float *)out->data + batch * out->stride[0] + row0 * out->stride[1] + head * out->stride[2];
  t.ldo = out->stride[axis];
  hfm__attention_later(a, &p, batch, head, row0, &t);
  if (p.keys == p.first) {
    int64_t r;
    for (r = 0; r < rows; r++) memset(t.out + r * t.ldo, 0, (size_t)p.head * sizeof(float));
    return;
  }
  for (t.key0 = p.first; t.key0 < p.keys; t.key0 += t.tile) {
    t.tile = p.keys - t.key0;
    if (a->attrs->implementation == HFM_ATTN_FLASH_ATTENTION_2)
      t.tile = HFM__MIN(t.tile, HFM__FLASH_TILE - t.key0 % HFM__FLASH_TILE);
    t.bias = biases ? biases + t.key0 : NULL;
    const int packed = worker->tag == a->serial && held[0] == batch && held[1] == shared && held[2] == t.key0;
    t.k = hfm__attention_pages(a, &p, 0, batch, shared, t.key0, t.tile, packed, keys);
    t.v = hfm__attention_pages(a, &p, 1, batch, shared, t.key0, t.tile, packed, values);
    if (keep->data && (!packed || held[3] != segment))
      hfm__attention_mask(keep, batch, t.key0, t.tile, segment, mask, held + 4);
    t.kept0 = keep->data ? held[4] : 0;
    t.kept1 = keep->data ? held[5] : t.tile;
    worker->tag = a->serial;
    held[0] = batch;
    held[1] = shared;
    held[2] = t.key0;
    held[3] = segment;
    a->cpu->kernels->attention(&t);
  }
}

HFM__PRIVATE void hfm__attention_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__attention_plan p = hfm__plan_attention(a);
  const int64_t sets = p.heads / p.together, lines = p.together > 1 ? p.together : p.queries;
  const int64_t block = chunk % p.blocks, head = chunk / p.blocks % sets * p.together, batch = chunk / p.blocks / sets;
  const int64_t end = lines * (block + 1) / p.blocks;
  int64_t row = lines * block / p.blocks;
  if (p.together > 1) {
    hfm__attention_rows(a, &p, batch, head + row, 0, end - row, worker);
    return;
  }
  while (row < end) {
    const int64_t first = row++, segment = hfm__segment_of(&a->in[3], batch, first);
    while (row < end && hfm__segment_of(&a->in[3], batch, row) == segment) row++;
    hfm__attention_rows(a, &p, batch, head, first, row - first, worker);
  }
}

#ifdef HFM__WITH_ROPE
/* ---- rotary: a chunk is some positions ---- */

HFM__PRIVATE int64_t hfm__rotary_positions(const hfm__op_args *a) {
  const int64_t width = a->in[0].shape[2] * a->in[0].shape[3];
  return HFM__MAX(1, 65536 / HFM__MAX(width, 1));
}

HFM__PRIVATE int64_t hfm__rotary_chunks(const hfm__op_args *a) {
  const int64_t positions = hfm__rotary_positions(a);
  return (a->in[0].shape[0] * a->in[0].shape[1] + positions - 1) / positions;
}

HFM__PRIVATE void hfm__rotary_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *x = &a->in[0], *angles = &a->in[1], *out = &a->out[0];
  const int64_t step = hfm__rotary_positions(a), end = HFM__MIN((chunk + 1) * step, x->shape[0] * x->shape[1]);
  const int64_t half = angles->shape[3], rest = x->shape[3] - 2 * half;
  int64_t r, h;
  (void)worker;
  for (r = chunk * step; r < end; r++) {
    const int64_t b = r / x->shape[1], s = r % x->shape[1];
    const float *turn = (const float *)angles->data + (angles->shape[0] > 1 ? b * angles->stride[0] : 0) +
                        s * angles->stride[1];
    for (h = 0; h < x->shape[2]; h++) {
      const float *from = (const float *)x->data + b * x->stride[0] + s * x->stride[1] + h * x->stride[2];
      float *to = (float *)out->data + b * out->stride[0] + s * out->stride[1] + h * out->stride[2];
      a->cpu->kernels->rotary(from, turn, turn + angles->stride[2], to, half);
      if (rest > 0) memcpy(to + 2 * half, from + 2 * half, (size_t)rest * sizeof(float));
    }
  }
}
#endif
