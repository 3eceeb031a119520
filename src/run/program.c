/* ==== run/program (private): a traced, fused and planned forward ==================================================
   A program belongs to one combination of inputs given and outputs asked for; it serves every shape within its bounds
   for which its guards hold. */

typedef struct hfm__program {
  struct hfm__program *next;
  uint32_t present;             /* bit HFM__IN_...: the inputs it takes */
  int32_t wants_hidden_states, wants_attentions;
  hfm__graph graph;
  hfm__plan plan;
  int64_t *dims;                /* values of the dimension expressions in this call */
  hfm__operand *operands;       /* of each value in this call */
  hfm_tensor *lists[2];         /* hidden_states, attentions */
  size_t list_counts[2];
  hfm_named_tensor *items;
  uint64_t scratch;             /* bytes for each worker */
} hfm__program;

HFM__PRIVATE void hfm__program_free(const hfm_allocator *mem, hfm__program *program) {
  if (!program) return;
  hfm__graph_free(&program->graph);
  hfm__free(mem, program, sizeof *program);
}

/* ---- Binding: from dimension values to operands ---- */

HFM__PRIVATE void hfm__row_major_strides(hfm__operand *o) {
  int64_t stride = 1;
  for (int32_t i = o->rank - 1; i >= 0; i--) {
    o->stride[i] = stride;
    stride *= HFM__MAX(o->shape[i], 1);
  }
}

/* Strides of a new shape over a view: walks both from the end, splitting and joining dimensions that are contiguous. */
HFM__PRIVATE void hfm__reshape_strides(const hfm__operand *from, hfm__operand *to) {
  int32_t f = from->rank - 1;
  int64_t stride = 1, room = 1; /* elements of the current run of `from` that are still to be covered */
  for (int32_t t = to->rank - 1; t >= 0; t--) {
    while (room == 1 && f >= 0) {
      if (from->shape[f] != 1) {
        stride = from->stride[f];
        room = from->shape[f];
      }
      f--;
    }
    to->stride[t] = stride;
    stride *= to->shape[t];
    room = room > 1 && to->shape[t] > 0 ? room / to->shape[t] : room;
    if (room == 0) room = 1;
    /* The next dimension of `from` continues this run where it is contiguous with it. */
    while (f >= 0 && room == 1 && from->shape[f] != 1 && from->stride[f] == stride && t > 0 && to->shape[t - 1] != 1) {
      room = from->shape[f];
      f--;
    }
  }
}
