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
  int32_t part;       /* 0: the same tensor */
  const char *suffix; /* only for the head that is called so; NULL: for all */
} hfm__rename;

typedef struct hfm__family {
  const char *base;           /* the attribute that holds the base model in models with a head: "bert" */
  int32_t main_input;         /* HFM__IN_...: what a forward can't do without; main_input_name */
  const hfm__head *heads;     /* ends with a NULL suffix; of two with one task, config.json's architectures chooses */
  const hfm__rename *renames; /* ends with NULLs; or NULL */
  const char *const *ignored; /* ends with NULL: parts of names in files that are no news; or NULL */
  const char *cache_until;    /* a number in the configuration: longer texts need all cached keys anew; or NULL */
} hfm__family;

/* "attentions" and "hidden_states" are recorded by the blocks that make them. */

/* input_ids or inputs_embeds: one of them, not both. Ids are looked up in `words`. */
HFM__PRIVATE hfm__val hfm__word_embeddings(hfm__builder *b, hfm__mod words, int64_t vocab_size, int64_t hidden_size) {
  const hfm__dim none = {0};
  if (hfm__ok(b) && hfm__given(b, b->side->embeds)) {
    if (!hfm__given(b, b->side->ids))
      return hfm__input(b, b->side->embeds, HFM_F32, 3, hfm__symbol(b, HFM__SYM_BATCH), hfm__length(b),
                        hfm__fixed(b, hidden_size), none);
    b->result = hfm__fail(b->error, HFM_E_INPUT_UNEXPECTED, NULL, hfm__input_rows[b->side->embeds].name, 0,
                          "%s and %s were both given: the model takes exactly one of them",
                          hfm__input_rows[b->side->ids].name, hfm__input_rows[b->side->embeds].name);
  }
  return hfm__call(b, words, hfm__input_ids(b, b->side->ids, vocab_size, "vocab_size"));
}

/* Positions counted on from `start` and the cached ones; what they reach must fit the table of `limit` (0: none). */
HFM__PRIVATE hfm__val hfm__counted_positions(hfm__builder *b, int64_t limit, int64_t start) {
  const int32_t by = hfm__given(b, b->side->embeds) ? b->side->embeds : b->side->ids;
  if (limit) hfm__require(b, hfm__total_length(b), limit - start, by, "max_position_embeddings");
  return hfm__iota(b, hfm__length(b), hfm__dim_op(b, HFM__DIM_add, hfm__past_length(b), hfm__fixed(b, start)));
}

/* position_ids as given, below `limit`, or counted. */
HFM__PRIVATE hfm__val hfm__position_ids(hfm__builder *b, int64_t limit, int64_t start) {
  const hfm__dim none = {0}, length = hfm__length(b);
  if (hfm__given(b, HFM__IN_position_ids)) {
    const hfm__val ids =
        hfm__input(b, HFM__IN_position_ids, HFM_I64, 2, hfm__symbol(b, HFM__SYM_POSITION_ROWS), length, none, none);
    if (hfm__ok(b)) {
      b->graph->inputs[HFM__IN_position_ids].limit = limit;
      b->graph->inputs[HFM__IN_position_ids].limit_reason = "max_position_embeddings";
    }
    return ids;
  }
  return hfm__counted_positions(b, limit, start);
}

#ifdef HFM__WITH_DECODERS
/* What a decoder's attention may see besides being causal: attention_mask; or, where positions are given without a mask
   and the configuration says use_cache: false, only the own one of several sequences packed in a row. (With a cache,
   which use_cache: true makes for every call, Transformers does not look for packed sequences.) */
HFM__PRIVATE hfm__val hfm__decoder_mask(hfm__builder *b, hfm__val positions) {
  hfm__dim shape[2];
  hfm__val segments;
  if (hfm__given(b, b->side->mask) || !hfm__given(b, HFM__IN_position_ids) || b->asked.use_cache ||
      hfm__flag(b, "use_cache"))
    return hfm__input_mask(b);
  shape[0] = hfm__dim_of(b, positions, 0);
  shape[1] = hfm__dim_of(b, positions, 1);
  segments =
      hfm__emit(b, HFM__OP_segments, NULL, HFM_I64, 2, shape, positions, hfm__no_value, hfm__no_value, hfm__no_value);
  return hfm__expand_batch(b, segments);
}
#endif

/* Decoders are causal unless the configuration says is_causal: false (or null, which Python takes for it). */
HFM__PRIVATE int32_t hfm__is_causal(hfm__builder *b) {
  return !hfm__config_find(b->config, "is_causal").node || hfm__flag(b, "is_causal");
}

/* The last of hidden_states: after the final norm where that is what Transformers ties it to, else before. */
HFM__PRIVATE void hfm__last_hidden_state(hfm__builder *b, hfm__val before, hfm__val after, int32_t tied) {
  if (!hfm__is_null(b, "tie_last_hidden_states")) tied = hfm__flag(b, "tie_last_hidden_states");
  hfm__hidden_state(b, tied ? after : before);
}

/* The positions of x [batch, length, size] whose logits are asked for: the last logits_to_keep, or all. */
HFM__PRIVATE hfm__val hfm__kept_positions(hfm__builder *b, hfm__val x) {
  const hfm__dim length = hfm__length(b);
  hfm__dim kept;
  if (!b->asked.logits_to_keep) return x;
  kept = hfm__dim_op(b, HFM__DIM_min, length, hfm__fixed(b, b->asked.logits_to_keep));
  return hfm__slice_from(b, x, 1, hfm__dim_op(b, HFM__DIM_sub, length, kept), kept);
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

#ifdef HFM__WITH_DECODERS
/* The row of x that a decoder's classifier reads: the rightmost token that is not padding. Without a padding id only a
   batch of one is possible, and its last token counts. */
HFM__PRIVATE hfm__val hfm__last_real_token(hfm__builder *b, hfm__val x, int64_t vocab_size, int64_t pad) {
  const int32_t by = hfm__given(b, b->side->ids) ? b->side->ids : b->side->embeds;
  if (pad == HFM__NO_PADDING)
    hfm__require(b, hfm__symbol(b, HFM__SYM_BATCH), 1, by,
                 "config.json has no pad_token_id, which a larger batch needs");
  if (hfm__given(b, b->side->ids) && pad != HFM__NO_PADDING)
    return hfm__last_token(b, x, hfm__input_ids(b, b->side->ids, vocab_size, "vocab_size"), pad, 0);
  return hfm__last_token(
      b, x, hfm__expand_batch(b, hfm__iota(b, hfm__length(b), hfm__fixed(b, 0))), -1, 0);
}
#endif

/* Dropout before a decoder's token classifier: classifier_dropout, hidden_dropout or 0.1. */
HFM__PRIVATE const char *hfm__decoder_classifier_dropout(hfm__builder *b) {
  const char *key = hfm__is_null(b, "classifier_dropout") ? "hidden_dropout" : "classifier_dropout";
  return hfm__is_null(b, key) ? "0.1" : hfm__probability(b, key);
}
