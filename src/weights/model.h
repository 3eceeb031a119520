/* ==== weights/model (private): a loaded model ===================================================================== */

struct hfm_model {
  hfm__context ctx;
  hfm__budget budget;       /* of the load */
  hfm__atomic references;   /* the caller's, and one for each session */
  hfm_config *config;       /* its own copy */
  hfm__memory_files memory; /* hfm_from_memory: the caller's files, else empty */
  const hfm__arch *arch;
  const hfm__head *head;
  const char *base; /* attribute of the base model */
  char architecture[96];
  hfm__tree tree;
  void *self;                 /* the family's handles, in the tree's arena */
  hfm__weight *weights;       /* one for each of tree.parameters */
  hfm__weight_block *blocks;  /* memory of those that are not used where they lie */
  hfm_dtype dtype;            /* of the first float parameter */
  hfm__checkpoint checkpoint; /* its files stay open while weights are mapped */
  hfm_load_entry *report;
  size_t report_count, report_capacity;
  hfm__cpu cpu;
  hfm__packing packing;
  int32_t attention;    /* HFM_ATTN_... */
  int32_t *state_order; /* parameters in state_dict order, and their names there */
  const char **state_names;
  const char **labels; /* id2label, num_labels of them */
  int64_t label_count;
};

/* The weight that a parameter reads: its source's, if it is tied. */
HFM__PRIVATE hfm__weight *hfm__weight_for(const hfm_model *model, int32_t parameter) {
  const int32_t source = model->tree.parameters[parameter].tied_to;
  return &model->weights[source ? source : parameter];
}

HFM__PRIVATE hfm_result hfm__report_add(hfm_model *model, const char *key, int32_t status,
                                        const hfm__file_tensor *found, const hfm__parameter *expected,
                                        hfm_error *error) {
  hfm_load_entry *entry;
  void *grown =
      hfm__grow(&model->ctx.mem, model->report, model->report_count, &model->report_capacity, sizeof *model->report);
  char *copy = hfm__arena_copy(&model->tree.arena, key, strlen(key));
  if (grown) model->report = (hfm_load_entry *)grown;
  if (!grown || !copy) return hfm__fail_memory(error, "the load report", 0);
  entry = &model->report[model->report_count++];
  memset(entry, 0, sizeof *entry);
  entry->key = copy;
  entry->status = status;
  if (status == HFM_KEY_MISMATCHED) {
    entry->found_rank = found->rank;
    entry->expected_rank = expected->rank;
    memcpy(entry->found_shape, found->shape, sizeof entry->found_shape);
    memcpy(entry->expected_shape, expected->shape, sizeof entry->expected_shape);
  }
  return HFM_OK;
}
