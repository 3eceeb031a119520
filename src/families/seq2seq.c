/* ==== families/seq2seq (private): what models with an encoder and a decoder share =================================
   Each family's forward goes over the encoder's side, then the decoder's. */

/* Where the call gives the decoder nothing, it gets what the encoder has got, shifted: see hfm__decoder_begin. */
static const hfm__side hfm__shifted_side = {
    HFM__IN_input_ids, HFM__IN_decoder_attention_mask, HFM__IN_decoder_inputs_embeds,  HFM__SYM_LENGTH,
    HFM__SYM_TOTAL,    HFM__OUT_decoder_hidden_states, HFM__OUT_decoder_attentions};

/* Must this call encode? Not where an earlier one has left the text in the cache. */
HFM__PRIVATE int hfm__encodes(const hfm__builder *b) {
  return !b->asked.use_cache || hfm__given(b, HFM__IN_input_ids) || hfm__given(b, HFM__IN_inputs_embeds);
}

HFM__PRIVATE void hfm__encoder_output(hfm__builder *b, hfm__val encoded) {
  if (encoded.id) hfm__output(b, HFM__OUT_encoder_last_hidden_state, encoded);
}

/* What the decoder gets where the call gives it nothing: input_ids shifted right by one, after another id. */
enum {
  HFM__SHIFT_NONE,   /* it must be given something */
  HFM__SHIFT_START,  /* after decoder_start_token_id */
  HFM__SHIFT_WRAPPED /* after their last that is not padding: mBART's texts end with their language */
};

/* The id that comes first where ids are shifted right; or the padding id, where it is one of theirs. */
HFM__PRIVATE int64_t hfm__shift_id(hfm__builder *b, int32_t shift, int64_t vocab_size) {
  int64_t id = 0;
  if (hfm__ok(b) && hfm__is_null(b, "pad_token_id"))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_MISSING, b->config->file, "pad_token_id", 0,
                          "'pad_token_id' is needed to shift input_ids to the right, but is null or absent: give "
                          "decoder_input_ids instead");
  if (shift == HFM__SHIFT_WRAPPED) return hfm__padding_id(b);
  if (hfm__ok(b))
    b->result = hfm__config_need_int(b->config, "decoder_start_token_id", 0, vocab_size - 1, &id, b->error);
  return id;
}

/* From the encoder to the decoder, and what the decoder's words are. `shift`: HFM__SHIFT_... */
HFM__PRIVATE hfm__val hfm__decoder_begin(hfm__builder *b, int32_t shift, hfm__mod words, int64_t vocab_size,
                                         int64_t hidden_size) {
  hfm__dim shape[2];
  hfm__attrs attrs;
  hfm__val ids;
  b->side = &hfm__decoder_side;
  if (!shift || !hfm__given(b, HFM__IN_input_ids) || hfm__given(b, HFM__IN_decoder_input_ids) ||
      hfm__given(b, HFM__IN_decoder_inputs_embeds))
    return hfm__word_embeddings(b, words, vocab_size, hidden_size);
  b->side = &hfm__shifted_side;
  memset(&attrs, 0, sizeof attrs);
  attrs.pad = (int32_t)hfm__shift_id(b, shift, vocab_size);
  attrs.wrapped = shift == HFM__SHIFT_WRAPPED;
  ids = hfm__input_ids(b, HFM__IN_input_ids, vocab_size, "vocab_size");
  if (hfm__ok(b) && attrs.wrapped) {
    b->graph->inputs[HFM__IN_input_ids].filler = attrs.pad;
    b->graph->inputs[HFM__IN_input_ids].filler_name = "pad_token_id";
  }
  shape[0] = hfm__dim_of(b, ids, 0);
  shape[1] = hfm__dim_of(b, ids, 1);
  return hfm__call(b, words,
                   hfm__emit(b, HFM__OP_shift_right, &attrs, HFM_I64, 2, shape, ids, hfm__no_value, hfm__no_value,
                             hfm__no_value));
}

/* ---- The head of a classifier of whole texts ---- */

typedef struct hfm__sentence_head {
  hfm__mod dense, dropout, out_proj;
} hfm__sentence_head;

HFM__PRIVATE void hfm__sentence_head_init(hfm__builder *b, hfm__sentence_head *head, int64_t size) {
  hfm__begin(b, "classification_head", "*ClassificationHead");
  head->dense = hfm__linear(b, "dense", size, size, 1);
  head->dropout = hfm__dropout(b, "dropout", hfm__probability(b, "classifier_dropout"));
  head->out_proj = hfm__linear(b, "out_proj", size, hfm__labels(b), 1);
  hfm__end(b);
}

/* x [batch, length, size] of the decoder, where input_ids end: at the last eos_token_id, of which each row must have
   as many as the others. */
HFM__PRIVATE hfm__val hfm__sentence_end(hfm__builder *b, hfm__val x, int64_t vocab_size) {
  const hfm__dim target = hfm__length(b);
  int64_t eos = 0;
  hfm__val ids;
  b->side = &hfm__encoder_side;
  if (hfm__ok(b)) b->result = hfm__config_need_int(b->config, "eos_token_id", -INT32_MAX, INT32_MAX, &eos, b->error);
  if ((hfm__dim_less(b, target, hfm__length(b)) || hfm__dim_less(b, hfm__length(b), target)) && hfm__ok(b))
    b->result = hfm__fail(b->error, HFM_E_INPUT_SHAPE, NULL, "decoder_input_ids", 0,
                          "decoder_input_ids must be as long as input_ids, whose ends say where to classify");
  ids = hfm__input_ids(b, HFM__IN_input_ids, vocab_size, "vocab_size");
  if (hfm__ok(b)) {
    b->graph->inputs[HFM__IN_input_ids].marker = eos;
    b->graph->inputs[HFM__IN_input_ids].marker_name = "eos_token_id";
  }
  return hfm__last_token(b, x, ids, eos, 1);
}

HFM__PRIVATE void hfm__sentence_outputs(hfm__builder *b, const hfm__sentence_head *head, hfm__val x) {
  x = hfm__call(b, head->dense, hfm__call(b, head->dropout, x));
  x = hfm__activate(b, HFM__ACT_tanh, x);
  hfm__output(b, HFM__OUT_logits, hfm__call(b, head->out_proj, hfm__call(b, head->dropout, x)));
}
