/* ==== cpu/kernel_amx (private): products of pairs of bf16 in tile registers ========================================
   A tile is 16 rows of 16 units of two bf16, or 16 x 16 sums: Intel's AMX-BF16. All else, panels among it, is the
   AVX-512 tier's: gemm_bf16 with the same arguments. Each sum is one chain of tiles of 16 units along k, the
   last one filled up with zeros; inside, the processor adds the products of the first of each pair and those of the
   second apart. In assembly: the intrinsics take the registers' numbers as constants of a kind that differs between
   compilers, and no compiler keeps anything else in these registers. */

enum { HFM__TILE_ROWS = 16, HFM__TILE_UNITS = 16, HFM__TILE_STRIP = 2 * HFM__TILE_UNITS };

/* What ldtilecfg reads: the tiles' shapes. Sums are in 0 to 3, rows of x in 4 and 5, the weight in 6 and 7. */
typedef struct hfm__tile_shapes {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} hfm__tile_shapes;

/* For `rows` rows of x, up to twice 16. */
HFM__PRIVATE void hfm__tiles_shape(int64_t rows) {
  hfm__tile_shapes shapes;
  int i;
  memset(&shapes, 0, sizeof shapes);
  shapes.palette = 1;
  for (i = 0; i < 8; i++) {
    shapes.row_bytes[i] = HFM__TILE_UNITS * sizeof(float);
    shapes.rows[i] = HFM__TILE_ROWS;
  }
  shapes.rows[0] = shapes.rows[1] = shapes.rows[4] = (uint8_t)HFM__MIN(rows, (int64_t)HFM__TILE_ROWS);
  if (rows > HFM__TILE_ROWS) shapes.rows[2] = shapes.rows[3] = shapes.rows[5] = (uint8_t)(rows - HFM__TILE_ROWS);
  __asm__ volatile("ldtilecfg %0" : : "m"(shapes) : "memory");
}

#define HFM__TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile : : :)
#define HFM__TILE_LOAD(tile, from, units) \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(from), "r"((int64_t)(units) * 4) : "memory")
#define HFM__TILE_STORE(tile, to, units) \
  __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(to), "r"((int64_t)(units) * 4) : "memory")
#define HFM__TILE_DOT(sums, x, w) __asm__ volatile("tdpbf16ps %%tmm" #w ", %%tmm" #x ", %%tmm" #sums : : :)

/* The sums go on by 16 units along k: of rows of `a`, lda units apart, and of a strip's two tiles. */
HFM__INLINE void hfm__tiles_step(const int two, const float *a, int64_t lda, const float *b) {
  HFM__TILE_LOAD(6, b, HFM__TILE_STRIP);
  HFM__TILE_LOAD(4, a, lda);
  HFM__TILE_LOAD(7, b + HFM__TILE_UNITS, HFM__TILE_STRIP);
  HFM__TILE_DOT(0, 4, 6);
  HFM__TILE_DOT(1, 4, 7);
  if (!two) return;
  HFM__TILE_LOAD(5, a + HFM__TILE_ROWS * lda, lda);
  HFM__TILE_DOT(2, 5, 6);
  HFM__TILE_DOT(3, 5, 7);
}

/* sums[rows][32] of rows of `a`, up to 16 or, with `two`, 32 of them, with a strip. Meanwhile `lines` lines of what
   comes next are fetched in each step. */
HFM__LONG_INLINE void hfm__tiles_product(const int two, int64_t rows, int64_t k, const float *a, int64_t lda,
                                         const float *b, float *sums, const char *next, int64_t lines) {
  const int64_t rest = k % HFM__TILE_UNITS;
  int64_t i, r;
  HFM__TILE_ZERO(0);
  HFM__TILE_ZERO(1);
  HFM__TILE_ZERO(2);
  HFM__TILE_ZERO(3);
  for (i = 0; i < k - rest; i += HFM__TILE_UNITS) {
    for (r = 0; r < lines; r++, next += 64) _mm_prefetch(next, _MM_HINT_T1);
    hfm__tiles_step(two, a + i, lda, b + i * HFM__TILE_STRIP);
  }
  if (rest) {
    float last_a[2 * HFM__TILE_ROWS][HFM__TILE_UNITS], last_b[HFM__TILE_UNITS][HFM__TILE_STRIP];
    memset(last_a, 0, sizeof last_a);
    memset(last_b, 0, sizeof last_b);
    for (r = 0; r < rows; r++) memcpy(last_a[r], a + r * lda + i, (size_t)rest * sizeof(float));
    memcpy(last_b, b + i * HFM__TILE_STRIP, (size_t)rest * sizeof *last_b);
    hfm__tiles_step(two, *last_a, HFM__TILE_UNITS, *last_b);
  }
  HFM__TILE_STORE(0, sums, HFM__TILE_STRIP);
  HFM__TILE_STORE(1, sums + HFM__TILE_UNITS, HFM__TILE_STRIP);
  if (!two) return;
  HFM__TILE_STORE(2, sums + HFM__TILE_ROWS * HFM__TILE_STRIP, HFM__TILE_STRIP);
  HFM__TILE_STORE(3, sums + HFM__TILE_ROWS * HFM__TILE_STRIP + HFM__TILE_UNITS, HFM__TILE_STRIP);
}

HFM__PRIVATE void hfm__gemm_amx(const hfm__gemm *g) {
  const int64_t most = 2 * HFM__TILE_ROWS, blocks = (g->rows + most - 1) / most;
  const int64_t strips = (g->n + HFM__TILE_STRIP - 1) / HFM__TILE_STRIP;
  const int64_t steps = blocks * strips * (g->k / HFM__TILE_UNITS);
  const int64_t lines = steps > 0 ? (g->next_bytes / 64 + steps - 1) / steps : 0;
  const char *next = (const char *)g->next, *end = next + g->next_bytes;
  float sums[2 * HFM__TILE_ROWS * HFM__TILE_STRIP];
  int64_t first, column;
  for (first = 0; first < g->rows; first += most) {
    const int64_t rows = HFM__MIN(g->rows - first, most);
    const float *a = g->a + first * g->lda;
    if (first == 0 || rows < most) hfm__tiles_shape(rows);
    for (column = 0; column < g->n; column += HFM__TILE_STRIP) {
      const float *b = (const float *)g->panels + column * g->k;
      const int64_t now = next < end ? lines : 0;
      if (rows > HFM__TILE_ROWS) hfm__tiles_product(1, rows, g->k, a, g->lda, b, sums, next, now);
      else hfm__tiles_product(0, rows, g->k, a, g->lda, b, sums, next, now);
      next += now * 64 * (g->k / HFM__TILE_UNITS);
      hfm__finish_avx512(g, sums, HFM__TILE_STRIP, first, rows, column);
    }
  }
  __asm__ volatile("tilerelease" : : :);
}

#undef HFM__TILE_ZERO
#undef HFM__TILE_LOAD
#undef HFM__TILE_STORE
#undef HFM__TILE_DOT
