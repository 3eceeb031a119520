/* ==== nn/causal (private): what decoders share beside their layers =============================================== */

/* What a decoder's attention may see besides being causal: attention_mask; or, where positions are given without a mask
   and the configuration says use_cache: false, only the own one of several sequences packed in a row. (With a cache,
   which use_cache: true makes for every call, Transformers does not look for packed sequences.) */
HFM__PRIVATE hfm__val hfm__decoder_mask(hfm__builder *b, hfm__val positions) {
  hfm__dim shape[2];
  hfm__val segments;
  if (hfm__given(b, HFM__IN_attention_mask) || !hfm__given(b, HFM__IN_position_ids) || b->asked.use_cache ||
      hfm__flag(b, "use_cache"))
    return hfm__input_mask(b);
  shape[0] = hfm__dim_of(b, positions, 0);
  shape[1] = hfm__dim_of(b, positions, 1);
  segments =
      hfm__emit(b, HFM__OP_segments, NULL, HFM_I64, 2, shape, positions, hfm__no_value, hfm__no_value, hfm__no_value);
  return hfm__expand_batch(b, segments);
}

/* Decoders are causal unless the configuration says is_causal: false (or null, which Python takes for it). */
HFM__PRIVATE int32_t hfm__is_causal(hfm__builder *b) {
  return !hfm__config_find(b->config, "is_causal").node || hfm__flag(b, "is_causal");
}

/* The positions of x [batch, length, size] whose logits are asked for: the last logits_to_keep, or all. */
HFM__PRIVATE hfm__val hfm__kept_positions(hfm__builder *b, hfm__val x) {
  const hfm__dim length = hfm__symbol(b, HFM__SYM_LENGTH);
  hfm__dim kept;
  if (!b->asked.logits_to_keep) return x;
  kept = hfm__dim_op(b, HFM__DIM_min, length, hfm__fixed(b, b->asked.logits_to_keep));
  return hfm__slice_from(b, x, 1, hfm__dim_op(b, HFM__DIM_sub, length, kept), kept);
}

/* The row of x that a decoder's classifier reads: the rightmost token that is not padding. Without a padding id only a
   batch of one is possible, and its last token counts. */
HFM__PRIVATE hfm__val hfm__last_real_token(hfm__builder *b, hfm__val x, int64_t vocab_size, int64_t pad) {
  const int32_t by = hfm__given(b, HFM__IN_input_ids) ? HFM__IN_input_ids : HFM__IN_inputs_embeds;
  if (pad == HFM__NO_PADDING)
    hfm__require(b, hfm__symbol(b, HFM__SYM_BATCH), 1, by,
                 "1: config.json has no pad_token_id, which a larger batch needs");
  if (hfm__given(b, HFM__IN_input_ids) && pad != HFM__NO_PADDING)
    return hfm__last_token(b, x, hfm__input_ids(b, HFM__IN_input_ids, vocab_size, "vocab_size"), pad);
  return hfm__last_token(
      b, x, hfm__expand_batch(b, hfm__iota(b, hfm__symbol(b, HFM__SYM_LENGTH), hfm__fixed(b, 0))), -1);
}

/* Dropout before a decoder's token classifier: classifier_dropout, hidden_dropout or 0.1. */
HFM__PRIVATE const char *hfm__decoder_classifier_dropout(hfm__builder *b) {
  const char *key = hfm__is_null(b, "classifier_dropout") ? "hidden_dropout" : "classifier_dropout";
  return hfm__is_null(b, key) ? "0.1" : hfm__probability(b, key);
}
