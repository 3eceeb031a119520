/* ==== cpu/kernel_list (private): what a tier's kernels are given, and the table of them =========================
   One list gives the table's fields, each tier's table, and what tests and benchmarks walk over. Kernels know plain
   memory only: no operands, no weights, no threads. */

enum { HFM__FEW_ROWS = 4 }; /* so many are multiplied as one is: by the weight as it lies */
enum { HFM__MAX_MR = 8, HFM__MAX_NR = 64 };
enum { HFM__PIECE_FLOATS = 49152, HFM__PIECE_ROWS = 256 }; /* a panel of more is taken in pieces of so many rows */
/* Up to so many rows are multiplied by panels in memory strip by strip (not in small code). */
enum { HFM__STRIPS_ROWS = 36 };
/* Bytes, where they are fetched in order: from what is read to what is fetched, where no row waits for another; of a
   block of K for all of them, where one does; and from the first of the lines fetched at a time to the next first. */
enum { HFM__IN_ORDER_AHEAD = 8192, HFM__IN_ORDER_BLOCK = 16384, HFM__IN_ORDER_STEP = 256 };
enum { HFM__PAGE_AHEAD = 2048 }; /* from what is read of each strip of a cache's page to what is fetched */
/* Bytes from what is read of a weight row, f32 or 16-bit, to what is fetched for later; the same in two streams. */
enum { HFM__FETCH_ROWS = 1536, HFM__FETCH_NARROW_ROWS = 2048, HFM__FETCH_OF_TWO = 3584 };
/* In what is packed, rows: where they are short, as keys' are, or just a panel wide, no processor guesses the next. */
enum { HFM__FETCH_PACKED = 16, HFM__SHORT_ROW = 256 };
enum { HFM__FETCH_PANEL = 16 }; /* steps along K from what is written of a panel to what is fetched for it */
#define HFM__LOG2E 1.44269504f /* e^x = 2^(x log2 e) */
/* Is there a tier that multiplies packed rows of x? And one that reads 16-bit panels as they lie? */
#define HFM__PACKS_X (HFM__WITH_AVX2 && !HFM__SMALL)
#define HFM__READS_NARROW (HFM__WITH_AVX2 && !HFM__SMALL)

/* A block of rows of x times a few panels, then activation(sum + bias) + residual. Panels: [ceil(n / NR)] of NR / STRIP
   strips [k][STRIP], with anything readable in the columns after n. Each output is one chain of k multiply-adds (fused
   where the tier has FMA) in the order of k, whatever rows, n or the panels' origin are. */
typedef struct hfm__gemm {
  int64_t rows, n, k;
  const float *a;        /* [rows][lda] */
  int64_t lda;
  int32_t packed;        /* 1: `a` is what the tier's pack_x has made of these rows, and lda isn't read */
  const void *panels;    /* of floats, but for `narrow` */
  int32_t cold;          /* 1: the panels are in memory rather than in a cache; 0 where they go to `wide` */
  int32_t in_order;      /* of few rows, cold: how panels are fetched; either way may be the faster one by a third.
                            1: a little ahead, in one stream, to the first cache; 0: in four, to the second */
  int32_t narrow;        /* 0, or of HFM_F16 or HFM_BF16: no more rows than the tier's `narrow`, or `wide` is there */
  float *wide;           /* room for all panels as floats: the first MR of more than 2 MR rows, packed if the tier packs
                            any, turn narrow ones into them for the others; or NULL */
  const float *bias;     /* [n] or NULL */
  const float *residual; /* [rows][ldr] or NULL */
  int64_t ldr;
  float *out;            /* [rows][ldo] */
  int64_t ldo;
  int32_t activation;
  float *sums;           /* [min(rows, PIECE_ROWS)][NR], where k * NR > PIECE_FLOATS; then n <= NR, but of strips */
  const void *next;      /* memory that will be read after this, to prefetch, and how much of it; or 0 bytes */
  int64_t next_bytes;
} hfm__gemm;

/* What tiles fetch for later while they compute: every `period` passes of their loop, of one or a few k, four lines, at
   `at` and `gap` bytes further on, and `inner` bytes after either, to the second cache; then `at` goes on by `step`, a
   line if these are streams: many cores bring what they are asked for sooner if it is in several pages. In order, four
   lines that follow each other, and where a tile has two strips four more `gap` bytes further on, to the first cache.
   Addresses are numbers: they may go beyond what is there. */
typedef struct hfm__ahead {
  int32_t in_order;
  uintptr_t at, gap, inner, step;
  int64_t period, wait; /* passes until the next four */
} hfm__ahead;

/* A few rows of x times weight rows: a dot product each, in one order for every row of either. Rows 0 .. rows - 1 of
   `weight` and, with `apart` > 0, as many from row `apart` on and, in four streams, 2 `apart` and 3 `apart`: several
   streams of memory keep a core busier. What is `fetch` bytes further on in each stream is fetched meanwhile. */
typedef struct hfm__gemv {
  int64_t rows, k, apart;
  int32_t streams;    /* 4; or 2, where the weight is 16-bit and x one row */
  int64_t m;          /* rows of x: 1 to FEW_ROWS */
  const float *x[HFM__FEW_ROWS];
  const void *weight; /* [...][k] */
  int32_t dtype;      /* HFM_F32, HFM_F16 or HFM_BF16 */
  int32_t fetch;      /* 0: the processor does it better */
  float *out;         /* [m][ldo], as the weight's rows */
  int64_t ldo;
} hfm__gemv;

/* Makes a panel of f32, of strips [k][STRIP], from n (<= NR) rows of weight [n][ld], or columns of [k][ld] if
   transposed. */
typedef struct hfm__pack {
  const void *weight;
  int32_t dtype;
  int32_t transposed;
  int64_t ld, n, k;
  float *panel;
  int64_t apart; /* floats from strip to strip; in a panel of these rows alone k * STRIP */
} hfm__pack;

/* Where one head of the keys or values of a tile lies: in pages of `positions`, HFM__PAGE, or for packed values all of
   the tile. A page of keys is strips [head][STRIP] of positions; one of values is strips [positions][STRIP] of the
   head. The i-th page of the tile begins at element page[i] * apart, or i * apart without `page`. */
typedef struct hfm__pages_of_head {
  int64_t positions;
  const void *data;
  const int32_t *page;
  int64_t apart;
} hfm__pages_of_head;

/* A block of query rows of one head against one tile of keys, which begins a page. The tile's scores become weights
   exp(score - maximum); out accumulates weights times values and is rescaled when a later tile has a larger maximum. */
typedef struct hfm__attention {
  int64_t rows, row0;     /* query rows of this block, and the index of the first among `queries` */
  int32_t heads;          /* 1: the rows are heads that share their keys, all of query row0 */
  int64_t queries, keys;  /* S and T: query i and key j are aligned at i + T - S = j */
  int64_t first;          /* keys before this one are no more; no query sees them */
  int64_t head;           /* floats in a head */
  int64_t key0, tile;     /* the tile's first key and how many */
  int32_t causal;
  int64_t window;         /* 0: no limit */
  float scale, softcap;   /* softcap 0: none */
  const float *bias;      /* [rows][ldb], of the tile's keys; NULL: none */
  int64_t ldb;            /* 0: one for all rows */
  const float *q;         /* [rows][ldq] */
  int64_t ldq;
  hfm__pages_of_head k, v;
  int32_t dtype;          /* of k and v */
  float *wide;            /* scratch for 16-bit ones: NR * max(head, HFM__PAGE) */
  const float *mask;      /* [tile], 0 or -FLT_MAX; NULL: every key counts */
  int64_t kept0, kept1;   /* no key of the tile outside of these counts */
  int32_t eager;          /* fully masked rows are uniform over all keys (else zero); one tile only */
  float *probabilities;   /* eager: [rows][keys] or NULL */
  float *scores;          /* scratch: MR * round_up(tile, NR) */
  float *maximum, *total; /* state between tiles: [rows] each */
  float *out;             /* [rows][ldo] */
  int64_t ldo;
  const float *later[2];  /* keys and values that will be packed later, [later_rows][later_ld] each; 0 rows: none */
  int64_t later_rows, later_ld;
  int64_t later0, later1; /* of the rows of both, those to fetch meanwhile */
} hfm__attention;

#define HFM__TILE_KERNEL_LIST(X) \
  X(gemm, (const hfm__gemm *g)) \
  X(pack, (const hfm__pack *p)) \
  X(attention, (const hfm__attention *a))

#define HFM__ROW_KERNEL_LIST(X) \
  X(gemv, (const hfm__gemv *g)) \
  X(widen, (int32_t dtype, const void *src, float *dst, int64_t n)) \
  X(unary, (int32_t activation, const float *x, float *y, int64_t n)) \
  X(add, (const float *a, const float *b, int32_t b_is_one, float *y, int64_t n)) \
  HFM__FOR_MUL(X(mul, (const float *a, const float *b, int32_t b_is_one, float *y, int64_t n))) \
  X(layer_norm, (const float *x, const float *weight, const float *bias, float epsilon, float *y, int64_t n)) \
  HFM__FOR_RMS_NORM(X(rms_norm, (const float *x, const float *weight, float epsilon, float *y, int64_t n))) \
  X(softmax, (const float *x, float *y, int64_t n)) \
  HFM__FOR_ROPE(X(rotary, (const float *x, const float *cosines, const float *sines, float *y, int64_t half)))

#define HFM__KERNEL_LIST(X) HFM__TILE_KERNEL_LIST(X) HFM__ROW_KERNEL_LIST(X)

typedef struct hfm__kernels {
  int32_t mr, nr, strip; /* rows and columns of a GEMM tile; columns that lie together in its panel */
  int32_t narrow;        /* so many rows, packed if the tier packs any, are multiplied by 16-bit panels as they lie;
                            more widen them; 0: this tier's panels are floats */
#define HFM__KERNEL_FIELD(name, parameters) void (*name) parameters;
  HFM__KERNEL_LIST(HFM__KERNEL_FIELD)
#undef HFM__KERNEL_FIELD
  /* Where the tier has bf16 dot products, else NULL: gemm over units of two bf16 (k, lda and panels count units), and
     the rounding of n floats to n / 2 units. The processor may be without them all the same: hfm__cpu.gemm_bf16. */
  void (*gemm_bf16)(const hfm__gemm *g);
  void (*narrow_bf16)(const float *x, void *pairs, int64_t n);
  /* Where the tier multiplies packed rows faster, else NULL: up to PIECE_ROWS rows of x, `ld` apart, become steps of up
     to MR rows, each [k][rows of the step]. */
  void (*pack_x)(int64_t rows, int64_t k, const float *x, int64_t ld, float *to);
} hfm__kernels;

/* For loops over the registers of an array, which must be unrolled for it to stay in registers. */
#if defined(__GNUC__) && !defined(__INTEL_COMPILER)
#define HFM__UNROLL _Pragma("GCC unroll 16")
#else
#define HFM__UNROLL
#endif

/* Of the rows that are left, those of the next of `steps` steps, at most `most`: the last two steps share evenly. Small
   code has tiles of all rows and of one. */
HFM__INLINE int64_t hfm__rows_of_step(int64_t rows, int64_t steps, int64_t most) {
  return HFM__SMALL || steps > 2 ? HFM__MIN(rows, most) : (rows + steps - 1) / steps;
}

/* f(dtype, p) for each dtype that weights have where they are used. */
#if HFM__SMALL
#define HFM__FOR_DTYPE(f, dtype, p) f(dtype, p)
#else
#define HFM__FOR_DTYPE(f, dtype, p) \
  (void)((dtype) == HFM_F32 ? f(HFM_F32, p) : (dtype) == HFM_BF16 ? f(HFM_BF16, p) : f(HFM_F16, p))
#endif

#define HFM__JOIN_(a, b) a##b
#define HFM__JOIN(a, b) HFM__JOIN_(a, b)
#define HFM__FN(name) HFM__JOIN(hfm__##name##_, HFM__SUFFIX) /* a kernel of the tier being expanded */
#define HFM__ROW_FN(name) HFM__JOIN(hfm__##name##_, HFM__ROW_SUFFIX) /* its kernel on rows */
