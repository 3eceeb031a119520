/* ==== cpu/panels (private): packed weights that are kept ==========================================================
   A product reads its weight as panels [K][NR]. Packing one costs about as much as using it for a few rows, and fresh
   memory costs more than either. So at first a worker packs the panel it needs into its scratch; a weight that is used
   again and again is promoted, panel by panel, by whoever needs the next one, as fast as a small share of the work that
   is done pays for (`credit`). Each panel has a state word: empty, being packed, ready. No panel is ever waited for.
   Panels keep the weight's type: f32 for f32, 16 bits for f16 and bf16, which are widened when used. Where bf16 is
   multiplied as such, two of them along K are one unit, which is packed like a float. */

struct hfm__panels {
  uint64_t bytes;      /* of this block */
  int64_t n, k;
  int32_t nr, dtype, transposed;
  hfm__atomic uses;    /* nodes run, before promotion begins */
  hfm__atomic ready;   /* how many panels are */
  hfm__atomic *states; /* of each panel: HFM__PANEL_... */
  uint8_t *data;
};

enum { HFM__PANEL_EMPTY = 0, HFM__PANEL_BUSY = 1, HFM__PANEL_READY = 2 };
enum { HFM__CREDIT_SHARE = 25, HFM__CREDIT_MOST = 500000 }; /* a twenty-fifth of the time, half a millisecond saved */

HFM__PRIVATE int64_t hfm__panel_count(int64_t n, int32_t nr) { return (n + nr - 1) / nr; }

HFM__PRIVATE int64_t hfm__dtype_size(int32_t dtype) { return dtype == HFM_F32 ? 4 : 2; }

/* Are products of this weight made of pairs of bf16? */
HFM__PRIVATE int hfm__in_pairs(const hfm__cpu *cpu, int32_t dtype, int32_t transposed, int64_t k) {
  return HFM__WITH_AVX512_BF16 && cpu->gemm_bf16 && dtype == HFM_BF16 && !transposed && k % 2 == 0;
}

HFM__PRIVATE void hfm__packing_init(hfm__packing *packing, const hfm_allocator *mem, int32_t policy, uint64_t limit) {
  memset(packing, 0, sizeof *packing);
  packing->mem = *mem;
  packing->policy = policy;
  packing->limit = limit;
  hfm__lock_init(&packing->lock);
}

HFM__PRIVATE void hfm__packing_free(hfm__packing *packing) { hfm__lock_free(&packing->lock); }

/* NULL weight and a weight without panels are fine. */
HFM__PRIVATE void hfm__panels_free(const hfm_allocator *mem, hfm__weight *weight) {
  if (!weight || !weight->panels) return;
  hfm__free(mem, weight->panels, weight->panels->bytes);
  weight->panels = NULL;
}

HFM__PRIVATE uint64_t hfm__panels_data(const struct hfm__panels *panels) {
  return (uint64_t)(hfm__panel_count(panels->n, panels->nr) * panels->nr) *
         (uint64_t)(panels->k * hfm__dtype_size(panels->dtype));
}

/* Bytes of the block that keeps a weight's panels, which *layout describes; 0: products don't read it in panels. */
HFM__PRIVATE uint64_t hfm__panels_bytes(const hfm__cpu *cpu, hfm_dtype dtype, int32_t rank, const int64_t *shape,
                                        int32_t transposed, struct hfm__panels *layout) {
  const int32_t nr = cpu->kernels->nr;
  int64_t count;
  memset(layout, 0, sizeof *layout);
  if (rank < 2 || !hfm__is_native(dtype)) return 0;
  layout->n = shape[transposed ? rank - 1 : 0];
  layout->k = layout->n > 0 ? hfm__elements(shape, rank) / layout->n : 0; /* a convolution's rows are its filters */
  layout->nr = nr;
  layout->dtype = dtype;
  layout->transposed = transposed;
  if (rank == 2 && hfm__in_pairs(cpu, dtype, transposed, layout->k)) {
    layout->dtype = HFM_F32;
    layout->k /= 2;
  }
  count = hfm__panel_count(layout->n, nr);
  if (count == 0 || layout->k == 0) return 0;
  layout->bytes = sizeof *layout + (uint64_t)count * sizeof(hfm__atomic) + 64 + hfm__panels_data(layout);
  return layout->bytes;
}

/* Makes room for the panels of a weight that products use, unless there is some, the policy is against it, or the limit
   is reached; without room the weight is packed per use. Nothing is touched or packed yet. Thread-safe. */
HFM__PRIVATE void hfm__panels_reserve(const hfm__cpu *cpu, hfm__weight *weight, int32_t transposed) {
  hfm__packing *packing = cpu->packing;
  struct hfm__panels layout, *panels;
  uint64_t bytes;
  if (!packing || packing->policy == HFM_PACK_NEVER || !weight) return;
  bytes = hfm__panels_bytes(cpu, weight->dtype, weight->rank, weight->shape, transposed, &layout);
  if (!bytes) return;
  hfm__lock_take(&packing->lock);
  if (!weight->panels && packing->reserved <= packing->limit && bytes <= packing->limit - packing->reserved) {
    panels = (struct hfm__panels *)hfm__alloc(&packing->mem, bytes);
    if (panels) {
      const size_t head = sizeof *panels + (size_t)hfm__panel_count(layout.n, layout.nr) * sizeof(hfm__atomic);
      if (packing->policy == HFM_PACK_EAGER) hfm__block_in_huge_pages(&packing->mem, panels, bytes);
      memset(panels, 0, head);
      *panels = layout;
      panels->states = (hfm__atomic *)(panels + 1);
      panels->data = hfm__align64((uint8_t *)panels + head);
      packing->reserved += bytes;
      hfm__atomic_store_pointer((void **)&weight->panels, panels);
    }
  }
  hfm__lock_give(&packing->lock);
}

/* The kept form of panel p: 16-bit types stay as they are. */
HFM__PRIVATE void hfm__panel_fill(const hfm__cpu *cpu, const struct hfm__panels *panels, const void *weight,
                                  int64_t p) {
  const int64_t nr = panels->nr, strip = cpu->kernels->strip, k = panels->k, n0 = p * nr;
  const int64_t n = HFM__MIN(nr, panels->n - n0);
  const int64_t row = panels->transposed ? panels->n : 1, column = panels->transposed ? 1 : k;
  if (panels->dtype == HFM_F32) {
    hfm__pack job;
    job.weight = (const float *)weight + n0 * column;
    job.dtype = HFM_F32;
    job.transposed = panels->transposed;
    job.ld = panels->transposed ? panels->n : k;
    job.n = n;
    job.k = k;
    job.panel = (float *)(void *)panels->data + n0 * k;
    job.apart = k * strip;
    cpu->kernels->pack(&job);
  } else {
    const uint16_t *from = (const uint16_t *)weight + n0 * column;
    uint16_t *to = (uint16_t *)(void *)panels->data + n0 * k;
    int64_t first, i, j;
    for (first = 0; first < nr; first += strip)
      for (i = 0; i < k; i++)
        for (j = first; j < first + strip; j++)
          *to++ = j < n ? hfm__load_u16(from + i * row + j * column) : (uint16_t)0;
  }
}

/* Is there something that work on this weight may still promote? Then its time earns credit. */
HFM__PRIVATE int hfm__panels_wanting(const hfm__cpu *cpu, const hfm__weight *weight) {
  struct hfm__panels *panels;
  if (!cpu->packing || cpu->packing->policy != HFM_PACK_LAZY || !weight) return 0;
  panels = (struct hfm__panels *)hfm__atomic_load_pointer((void *const *)&weight->panels);
  return panels && hfm__atomic_load(&panels->ready) < hfm__panel_count(panels->n, panels->nr);
}

/* Little is saved up, so that no single forward pays for many. */
HFM__PRIVATE void hfm__panels_earn(const hfm__cpu *cpu, uint64_t nanoseconds) {
  const intptr_t earned = (intptr_t)(HFM__MIN(nanoseconds, (uint64_t)1000000000) / HFM__CREDIT_SHARE);
  if (hfm__atomic_load(&cpu->packing->credit) < HFM__CREDIT_MOST) (void)hfm__atomic_add(&cpu->packing->credit, earned);
}

/* The panels of a weight as this processor's products read it, or NULL. */
HFM__PRIVATE struct hfm__panels *hfm__panels_of(const hfm__cpu *cpu, const hfm__weight *weight, int32_t transposed) {
  struct hfm__panels *panels;
  if (!cpu->packing || !weight) return NULL;
  panels = (struct hfm__panels *)hfm__atomic_load_pointer((void *const *)&weight->panels);
  return panels && panels->nr == cpu->kernels->nr && panels->transposed == transposed ? panels : NULL;
}

HFM__PRIVATE const void *hfm__panel_at(const struct hfm__panels *panels, int64_t p) {
  return panels->data + p * panels->nr * panels->k * hfm__dtype_size(panels->dtype);
}

/* Panel p of a weight, if it is kept and ready, or NULL. */
HFM__PRIVATE const void *hfm__panel_ready(const hfm__cpu *cpu, const hfm__weight *weight, int32_t transposed,
                                          int64_t p) {
  const struct hfm__panels *panels = hfm__panels_of(cpu, weight, transposed);
  return panels && hfm__atomic_load(&panels->states[p]) == HFM__PANEL_READY ? hfm__panel_at(panels, p) : NULL;
}

/* Panel p of a weight, kept and ready, or NULL: then the caller packs into scratch. May promote the panel first. What
   that takes is measured: it is mostly the first touch of fresh memory, whose price differs a hundredfold. */
HFM__PRIVATE const void *hfm__panel_kept(const hfm__cpu *cpu, hfm__weight *weight, const void *data,
                                         int32_t transposed, int64_t p) {
  struct hfm__panels *panels = hfm__panels_of(cpu, weight, transposed);
  uint64_t begun = 0;
  intptr_t state;
  int32_t lazy;
  if (!panels) return NULL;
  state = hfm__atomic_load(&panels->states[p]);
  if (state == HFM__PANEL_READY) return hfm__panel_at(panels, p);
  if (state == HFM__PANEL_BUSY) return NULL;
  lazy = cpu->packing->policy != HFM_PACK_EAGER;
  if (lazy && (hfm__atomic_load(&panels->uses) < 3 || hfm__atomic_load(&cpu->packing->credit) <= 0)) return NULL;
  if (!hfm__atomic_swap_if(&panels->states[p], &state, HFM__PANEL_BUSY)) return NULL;
  if (lazy) begun = hfm__clock_ns();
  hfm__panel_fill(cpu, panels, data, p);
  if (lazy) {
    const uint64_t taken = HFM__MIN(hfm__clock_ns() - begun, (uint64_t)20 * HFM__CREDIT_MOST); /* a stop is no price */
    (void)hfm__atomic_add(&cpu->packing->credit, -(intptr_t)taken);
  }
  hfm__atomic_store(&panels->states[p], HFM__PANEL_READY);
  if (hfm__atomic_add(&panels->ready, 1) + 1 == hfm__panel_count(panels->n, panels->nr) && lazy)
    hfm__block_in_huge_pages(&cpu->packing->mem, panels, panels->bytes); /* gathered by and by */
  return hfm__panel_at(panels, p);
}

/* A node that uses this weight begins. */
HFM__PRIVATE void hfm__panels_used(const hfm__cpu *cpu, hfm__weight *weight) {
  struct hfm__panels *panels;
  if (!cpu->packing || !weight) return;
  panels = (struct hfm__panels *)hfm__atomic_load_pointer((void *const *)&weight->panels);
  if (panels && hfm__atomic_load(&panels->uses) < 1000) hfm__atomic_add(&panels->uses, 1);
}

/* Bytes of this weight's panels that are ready. */
HFM__PRIVATE uint64_t hfm__panels_kept_bytes(const hfm__weight *weight) {
  struct hfm__panels *panels = (struct hfm__panels *)hfm__atomic_load_pointer((void *const *)&weight->panels);
  return panels ? (uint64_t)(hfm__atomic_load(&panels->ready) * panels->nr * panels->k * hfm__dtype_size(panels->dtype))
                : 0;
}

/* HFM_PACK_EAGER: packs everything that was reserved for this weight. `data` is what its storage acquired. */
HFM__PRIVATE void hfm__panels_pack_all(const hfm__cpu *cpu, hfm__weight *weight, const void *data) {
  struct hfm__panels *panels = weight->panels;
  int64_t p;
  if (!panels) return;
  for (p = 0; p < hfm__panel_count(panels->n, panels->nr); p++)
    (void)hfm__panel_kept(cpu, weight, data, panels->transposed, p);
}
