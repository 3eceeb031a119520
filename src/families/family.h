/* ==== families/family (private): what a family file exports =======================================================
   A family is the only place that knows its models. It lists its heads; a registry line (families/registry.c) then
   gives a model_type its torch class prefix, its configuration class and its family. */

typedef struct hfm__head {
  hfm_task task;
  const char *suffix; /* of the torch class: "ForSequenceClassification" */
  /* __init__: registers modules in the root's scope and returns the handles that forward needs. */
  void *(*init)(hfm__builder *b);
  /* forward: from the inputs to the outputs. */
  void (*forward)(hfm__builder *b, const void *self);
} hfm__head;

/* A file's name for something, and the module's. Tried in order, each wherever it occurs between two dots (or the
   ends): "*" stands for a number. With `part` the module's is a stack (hfm__stack), and the file's is a piece of it: of
   the matrix that the number says the first part of its rows, the second, ... */
typedef struct hfm__rename {
  const char *file, *module;
  int32_t part; /* 0: the same tensor */
} hfm__rename;

typedef struct hfm__family {
  const char *base;           /* the attribute that holds the base model in models with a head: "bert" */
  const hfm__head *heads;     /* ends with a NULL suffix; of two with one task, config.json's architectures chooses */
  const hfm__rename *renames; /* ends with NULLs; or NULL */
  const char *const *ignored; /* ends with NULL: parts of names in files that are no news; or NULL */
} hfm__family;

/* "attentions" and "hidden_states" are recorded by the blocks that make them. */

/* input_ids or inputs_embeds: one of them, not both. Ids are looked up in `words`. */
HFM__PRIVATE hfm__val hfm__word_embeddings(hfm__builder *b, hfm__mod words, int64_t vocab_size, int64_t hidden_size) {
  const hfm__dim none = {0};
  if (hfm__ok(b) && hfm__given(b, HFM__IN_inputs_embeds)) {
    if (!hfm__given(b, HFM__IN_input_ids))
      return hfm__input(b, HFM__IN_inputs_embeds, HFM_F32, 3, hfm__symbol(b, HFM__SYM_BATCH),
                        hfm__symbol(b, HFM__SYM_LENGTH), hfm__fixed(b, hidden_size), none);
    b->result = hfm__fail(b->error, HFM_E_INPUT_UNEXPECTED, NULL, "inputs_embeds", 0,
                          "input_ids and inputs_embeds were both given: the model takes exactly one of them");
  }
  return hfm__call(b, words, hfm__input_ids(b, HFM__IN_input_ids, vocab_size, "vocab_size"));
}

/* position_ids as given, below `limit`, or counted on from `start` and the cached ones; what they reach must then fit
   the position table. */
HFM__PRIVATE hfm__val hfm__position_ids(hfm__builder *b, int64_t limit, int64_t start) {
  const hfm__dim none = {0}, length = hfm__symbol(b, HFM__SYM_LENGTH);
  const int32_t by = hfm__given(b, HFM__IN_inputs_embeds) ? HFM__IN_inputs_embeds : HFM__IN_input_ids;
  if (hfm__given(b, HFM__IN_position_ids)) {
    const hfm__val ids =
        hfm__input(b, HFM__IN_position_ids, HFM_I64, 2, hfm__symbol(b, HFM__SYM_POSITION_ROWS), length, none, none);
    if (hfm__ok(b)) {
      b->graph->inputs[HFM__IN_position_ids].limit = limit;
      b->graph->inputs[HFM__IN_position_ids].limit_reason = "max_position_embeddings";
    }
    return ids;
  }
  if (limit) hfm__require(b, hfm__total_length(b), limit - start, by, "max_position_embeddings");
  return hfm__iota(b, length, hfm__dim_op(b, HFM__DIM_add, hfm__past_length(b), hfm__fixed(b, start)));
}

/* The last of hidden_states: after the final norm where that is what Transformers ties it to, else before. */
HFM__PRIVATE void hfm__last_hidden_state(hfm__builder *b, hfm__val before, hfm__val after, int32_t tied) {
  if (!hfm__is_null(b, "tie_last_hidden_states")) tied = hfm__flag(b, "tie_last_hidden_states");
  hfm__hidden_state(b, tied ? after : before);
}

/* start_logits and end_logits of [batch, length, 2]. A head of another width can be loaded, as in Transformers, but
   what it says is no span. */
HFM__PRIVATE void hfm__span_outputs(hfm__builder *b, hfm__val logits) {
  if (hfm__ok(b) && b->graph->dims[hfm__dim_of(b, logits, -1).id].value != 2)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_VALUE, b->config->file, "num_labels", 0,
                          "question answering needs a head of 2 outputs, start and end, but num_labels gives it %i",
                          b->graph->dims[hfm__dim_of(b, logits, -1).id].value);
  hfm__output(b, HFM__OUT_start_logits, hfm__select_last(b, logits, 0));
  hfm__output(b, HFM__OUT_end_logits, hfm__select_last(b, logits, 1));
}
