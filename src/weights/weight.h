/* ==== weights/weight (private): a parameter's storage ==========================================================
   A weight has a storage type of its own: where its bytes are and how they become readable. The executor acquires the
   weights of a node before it runs and releases them after; kernels are chosen by (op, dtype of the view). */

struct hfm__panels; /* cpu/panels.c: kept panels of this weight, NULL until it has been promoted */
struct hfm__weight;

typedef struct hfm__storage_type {
  const char *name; /* "mapped", "owned" */
  /* Makes the elements readable at *data, row-major in weight->dtype, aligned to the element; where there are pieces,
     *data is their table: then none of them is touched yet. May fail. */
  hfm_result (*acquire)(struct hfm__weight *weight, const void **data, hfm_error *error);
  void (*release)(struct hfm__weight *weight);
} hfm__storage_type;

typedef struct hfm__weight {
  const hfm__storage_type *storage; /* NULL: a tied name, which has no storage of its own */
  const void *data;                 /* mapped, owned: the elements; NULL where they lie in pieces that are apart */
  const void **pieces;              /* of a parameter that has parts: where each piece begins, in order; else NULL */
  int64_t piece_count;
  uint64_t bytes; /* of the elements */
  hfm_dtype dtype;
  int32_t rank;
  int64_t shape[HFM_MAX_RANK];
  struct hfm__panels *panels; /* belongs to cpu/, reached with atomics: weights are shared by sessions */
} hfm__weight;

/* Memory of our own for weights that follow each other, and the block before it. */
typedef struct hfm__weight_block {
  struct hfm__weight_block *next;
  uint64_t bytes; /* this included */
} hfm__weight_block;

HFM__PRIVATE hfm_result hfm__acquire_memory(hfm__weight *weight, const void **data, hfm_error *error) {
  (void)error;
  *data = weight->pieces ? (const void *)weight->pieces : weight->data;
  return HFM_OK;
}
HFM__PRIVATE void hfm__release_memory(hfm__weight *weight) { (void)weight; }

/* Where the file has been mapped, or lies in the caller's memory. */
static const hfm__storage_type hfm__storage_mapped = {"mapped", hfm__acquire_memory, hfm__release_memory};
/* In a block of our own: read, converted or initialised. */
static const hfm__storage_type hfm__storage_owned = {"owned", hfm__acquire_memory, hfm__release_memory};
