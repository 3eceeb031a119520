/* ==== graph/attend (private): what a forward does along the positions of a text ===================================
   States, which outlive a call; attention, which reads them; positions, what attention scores have of them, and rows at
   one of them. */

/* ---- State ---- */

/* Declares what outlives a call. `name` must live as long as the graph. */
HFM__PRIVATE hfm__val hfm__state_add(hfm__builder *b, const char *name, int32_t rank, const hfm__dim *shape) {
  hfm__graph *g = b->graph;
  hfm__val value;
  void *grown;
  if (!hfm__ok(b)) return hfm__no_value;
  grown = name ? hfm__grow(&b->mem, g->states, g->state_count, &g->state_capacity, sizeof *g->states) : NULL;
  if (!grown) {
    hfm__builder_memory(b);
    return hfm__no_value;
  }
  g->states = (hfm__state *)grown;
  value = hfm__value_add(b, HFM__VALUE_STATE, (int32_t)g->state_count, HFM_F32, rank, shape);
  if (!hfm__ok(b)) return value;
  g->values[value.id].contiguous = 0; /* it lies in pages */
  memset(&g->states[g->state_count], 0, sizeof *g->states);
  g->states[g->state_count].name = name;
  g->states[g->state_count++].value = value.id;
  return value;
}

#if HFM__HAS_STATES
/* The state of that name, [batch, shape[1], heads, head], with x, if there is one, as its last positions. */
HFM__PRIVATE hfm__val hfm__state_with(hfm__builder *b, int64_t layer, const char *name, const hfm__dim *shape,
                                      hfm__val x) {
  hfm__val state, out;
  char text[64];
  hfm__text t = hfm__text_to(text, sizeof text);
  hfm__text_format(&t, "past_key_values.%i.%s", layer, name);
  state = hfm__state_add(b, hfm__arena_copy(&b->graph->arena, text, t.length), 4, shape);
  if (!x.id || !hfm__ok(b)) return state;
  out = hfm__view(b, HFM__OP_append, NULL, 0, 4, shape, state);
  if (!hfm__ok(b)) return out;
  b->graph->nodes[hfm__value_of(b, out)->source].in[1] = x.id;
  return out;
}

/* x [batch, length, heads, head] behind what the calls before have left under that name: [batch, total, heads, head],
   for hfm__attend. Without a cache x itself. */
HFM__PRIVATE hfm__val hfm__cached(hfm__builder *b, int64_t layer, const char *name, hfm__val x) {
  hfm__dim shape[4];
  if (!hfm__ok(b) || !b->asked.use_cache) return x;
  for (int32_t i = 0; i < 4; i++) shape[i] = i == 1 ? hfm__total_length(b) : hfm__dim_of(b, x, i);
  return hfm__state_with(b, layer, name, shape, x);
}

/* x [batch, source length, heads, head] of the encoded text, for this call and later ones; where the call encodes
   nothing (no value) what an earlier one has left under that name. */
HFM__PRIVATE hfm__val hfm__cached_once(hfm__builder *b, int64_t layer, const char *name, hfm__val x, int64_t heads,
                                       int64_t head) {
  hfm__dim shape[4];
  hfm__val value;
  if (!hfm__ok(b) || !b->asked.use_cache) return x;
  shape[0] = hfm__symbol(b, HFM__SYM_BATCH);
  shape[1] = hfm__symbol(b, HFM__SYM_LENGTH);
  shape[2] = hfm__fixed(b, heads);
  shape[3] = hfm__fixed(b, head);
  value = hfm__state_with(b, layer, name, shape, x);
  if (hfm__ok(b)) b->graph->states[b->graph->state_count - 1].once = 1;
  return value;
}
#elif defined(HFMODEL_NO_CACHE)
HFM__PRIVATE hfm__val hfm__cached(hfm__builder *b, int64_t layer, const char *name, hfm__val x) {
  (void)b;
  (void)layer;
  (void)name;
  return x;
}
HFM__PRIVATE hfm__val hfm__cached_once(hfm__builder *b, int64_t layer, const char *name, hfm__val x, int64_t heads,
                                       int64_t head) {
  (void)heads;
  (void)head;
  return hfm__cached(b, layer, name, x);
}
#endif

/* The window that a state can be kept by: the one that attention has, unless there are too many different ones. */
HFM__PRIVATE int64_t hfm__state_window(const hfm__graph *g, int64_t window) {
  int64_t others[HFM__MAX_WINDOWS - 1];
  int32_t count = 0;
  for (size_t i = 0; i < g->state_count && window; i++) {
    int32_t j = 0;
    while (j < count && others[j] != g->states[i].window) j++;
    if (g->states[i].window == window) return window;
    if (!g->states[i].window || j < count) continue;
    if (count == HFM__MAX_WINDOWS - 1) return 0;
    others[count++] = g->states[i].window;
  }
  return count == HFM__MAX_WINDOWS - 1 ? 0 : window;
}

/* What an attention over the last `window` positions (0: all) means for a state that it reads as keys or values: how
   far back it must reach, and in which layout. */
HFM__PRIVATE void hfm__state_read(hfm__builder *b, hfm__val x, int32_t values, int64_t window) {
  const hfm__value *v = hfm__value_of(b, x);
  hfm__state *state;
  if (!HFM__HAS_STATES || !hfm__ok(b) || b->graph->values[v->base].kind != HFM__VALUE_STATE) return;
  state = &b->graph->states[b->graph->values[v->base].source];
  window = HFM__HAS_WINDOWS ? hfm__state_window(b->graph, window) : 0;
  state->values = values;
  state->window = window;
  if (v->kind == HFM__VALUE_VIEW) b->graph->nodes[v->source].attrs.transposed = values;
  if (window) {
    const hfm__dim seen = hfm__dim_op(b, HFM__DIM_add, hfm__length(b),
                                      hfm__fixed(b, window - 1 + HFM__PAGE - 1));
    const hfm__dim room = hfm__dim_op(b, HFM__DIM_min, hfm__total_length(b), seen);
    b->graph->values[x.id].shape[1] = b->graph->values[state->value].shape[1] = room;
  }
}

/* ---- Attention ---- */

/* HFM_ATTN_...: asking for attentions runs eager attention. */
HFM__PRIVATE int32_t hfm__attention_implementation(const hfm__builder *b) {
  return b->asked.attentions ? HFM_ATTN_EAGER : b->attention;
}

/* What becomes of q k^T before the softmax: see graph/op.h. Zero is none, but for the scale. */
typedef struct hfm__scores {
  double scale;
  HFM__FOR_OWN_SCORES(double softcap;)
  HFM__FOR_OWN_SCORES(hfm__val bias;) /* [B or 1, H or 1, S or 1, T] */
  hfm__val keep;                      /* [B, T] */
  HFM__FOR_WINDOWS(int64_t window;)
  int32_t causal;
  int32_t recorded; /* HFM__OUT_...: the list for what is recorded; 0: the side's attentions */
} hfm__scores;

/* q [B, S, H, D], k and v [B, T, KV, D] -> [B, S, H * D]. Records attentions if they are asked for. */
HFM__PRIVATE hfm__val hfm__attend_by(hfm__builder *b, hfm__val q, hfm__val k, hfm__val v, const hfm__scores *rule) {
  hfm__dim shape[4], scores[4];
  hfm__attrs attrs;
  hfm__val context;
  memset(&attrs, 0, sizeof attrs);
  attrs.scale = (float)rule->scale;
  HFM__FOR_OWN_SCORES(attrs.softcap = (float)rule->softcap;)
  attrs.causal = rule->causal;
  HFM__FOR_WINDOWS(attrs.window = rule->window;)
  attrs.implementation = hfm__attention_implementation(b);
  for (int32_t i = 0; i < 4; i++) shape[i] = hfm__dim_of(b, q, i);
  scores[3] = hfm__dim_of(b, k, 1);
  hfm__state_read(b, k, 0, attrs.window);
  hfm__state_read(b, v, 1, attrs.window);
  context = hfm__emit(b, HFM__OP_attention, &attrs, HFM_F32, 4, shape, q, k, v, rule->keep);
  HFM__FOR_OWN_SCORES(if (hfm__ok(b)) b->graph->nodes[hfm__value_of(b, context)->source].in[4] = rule->bias.id;)
  if (b->asked.attentions && hfm__ok(b)) {
    const int32_t node = hfm__value_of(b, context)->source;
    hfm__val probabilities;
    scores[0] = shape[0];
    scores[1] = shape[2];
    scores[2] = shape[1];
    probabilities = hfm__value_add(b, HFM__VALUE_NODE, node, HFM_F32, 4, scores);
    if (hfm__ok(b)) b->graph->nodes[node].out[1] = probabilities.id;
    hfm__output(b, rule->recorded ? rule->recorded : b->side->attentions, probabilities);
  }
  return hfm__merge_heads(b, context);
}

/* The same with nothing but a scale and what may be seen. */
HFM__PRIVATE hfm__val hfm__attend(hfm__builder *b, hfm__val q, hfm__val k, hfm__val v, hfm__val keep, double scale,
                                  int32_t causal) {
  hfm__scores rule;
  memset(&rule, 0, sizeof rule);
  rule.scale = scale;
  rule.keep = keep;
  rule.causal = causal;
  return hfm__attend_by(b, q, k, v, &rule);
}

/* ---- Positions ---- */

/* Positions start, start + 1, ... as [1, length]. */
HFM__PRIVATE hfm__val hfm__iota(hfm__builder *b, hfm__dim length, hfm__dim start) {
  hfm__dim shape[2];
  hfm__val out;
  shape[0] = hfm__fixed(b, 1);
  shape[1] = length;
  out = hfm__emit(b, HFM__OP_iota, NULL, HFM_I64, 2, shape, hfm__no_value, hfm__no_value, hfm__no_value, hfm__no_value);
  if (hfm__ok(b)) b->graph->nodes[b->graph->node_count - 1].dims[0] = start;
  return out;
}

#ifdef HFM__WITH_PADDED_POSITIONS
/* Positions counted over the ids that are not padding, as RoBERTa does, and over all that is cached. */
HFM__PRIVATE hfm__val hfm__padded_positions(hfm__builder *b, hfm__val ids, int64_t pad) {
  hfm__dim shape[2];
  hfm__attrs attrs;
  hfm__val out;
  memset(&attrs, 0, sizeof attrs);
  attrs.pad = (int32_t)pad;
  shape[0] = hfm__dim_of(b, ids, 0);
  shape[1] = hfm__dim_of(b, ids, 1);
  out = hfm__emit(b, HFM__OP_padded_positions, &attrs, HFM_I64, 2, shape, ids, hfm__no_value, hfm__no_value,
                  hfm__no_value);
  if (hfm__ok(b)) b->graph->nodes[hfm__value_of(b, out)->source].dims[0] = hfm__past_length(b);
  return out;
}
#endif

#ifdef HFM__WITH_MASK_POSITIONS
/* Positions [batch or 1, total length] of all tokens that attention reaches, counted over those that attention_mask
   keeps; `pad` for the others. */
HFM__PRIVATE hfm__val hfm__positions_by_mask(hfm__builder *b, int64_t pad) {
  const hfm__val keep = hfm__input_mask(b);
  hfm__dim shape[2];
  hfm__attrs attrs;
  if (!keep.id) return hfm__iota(b, hfm__total_length(b), hfm__fixed(b, 0));
  memset(&attrs, 0, sizeof attrs);
  attrs.pad = (int32_t)pad;
  shape[0] = hfm__dim_of(b, keep, 0);
  shape[1] = hfm__dim_of(b, keep, 1);
  return hfm__emit(b, HFM__OP_kept_positions, &attrs, HFM_I64, 2, shape, keep, hfm__no_value, hfm__no_value,
                   hfm__no_value);
}
#endif

#ifdef HFM__WITH_SINUSOIDS
/* Sines and cosines of positions [batch or 1, length] times each of size / 2 frequencies, as `dtype` holds them: [batch
   or 1, length, size]. Those of position `pad` are zeros. */
HFM__PRIVATE hfm__val hfm__sinusoids(hfm__builder *b, hfm__val positions, const float *frequencies, int64_t size,
                                     int64_t pad, hfm_dtype dtype) {
  hfm__dim shape[3];
  hfm__attrs attrs;
  memset(&attrs, 0, sizeof attrs);
  attrs.pad = (int32_t)pad;
  attrs.rounded = dtype;
  shape[0] = hfm__dim_of(b, positions, 0);
  shape[1] = hfm__dim_of(b, positions, 1);
  shape[2] = hfm__fixed(b, size);
  return hfm__emit(b, HFM__OP_sinusoids, &attrs, HFM_F32, 3, shape, positions, hfm__vector(b, frequencies, size / 2),
                   hfm__no_value, hfm__no_value);
}
#endif

#ifdef HFM__WITH_RELATIVE_BIAS
/* T5: a bias of the scores by the bucket that a key's distance falls into, [1, heads, length, total length], from
   `table` [buckets, heads]. */
HFM__PRIVATE hfm__val hfm__relative_bias(hfm__builder *b, hfm__par table, int64_t heads, int32_t causal,
                                         int64_t max_distance) {
  const hfm__dim past = hfm__past_length(b);
  hfm__dim shape[4];
  hfm__attrs attrs;
  hfm__val out;
  memset(&attrs, 0, sizeof attrs);
  attrs.causal = causal;
  attrs.window = max_distance;
  shape[0] = hfm__fixed(b, 1);
  shape[1] = hfm__fixed(b, heads);
  shape[2] = hfm__length(b);
  shape[3] = hfm__total_length(b);
  out = hfm__emit(b, HFM__OP_relative_bias, &attrs, HFM_F32, 4, shape, hfm__stored(b, table), hfm__no_value,
                  hfm__no_value, hfm__no_value);
  if (hfm__ok(b)) b->graph->nodes[b->graph->node_count - 1].dims[0] = past;
  return out;
}
#endif

#ifdef HFM__WITH_ALIBI
/* ALiBi: a bias of the scores that grows with the key's position, another slope for each head. */
HFM__PRIVATE hfm__val hfm__alibi(hfm__builder *b, hfm__val positions, int64_t heads, double scale,
                                 hfm_dtype rounded) {
  hfm__dim shape[4];
  hfm__attrs attrs;
  memset(&attrs, 0, sizeof attrs);
  attrs.scale = (float)scale;
  attrs.rounded = rounded;
  shape[0] = hfm__dim_of(b, positions, 0);
  shape[1] = hfm__fixed(b, heads);
  shape[2] = hfm__fixed(b, 1);
  shape[3] = hfm__dim_of(b, positions, 1);
  return hfm__emit(b, HFM__OP_alibi, &attrs, HFM_F32, 4, shape, positions, hfm__no_value, hfm__no_value, hfm__no_value);
}
#endif

#ifdef HFM__WITH_ROWS
/* Row of x [batch, length, size] at the rightmost id that is not `id`, or with `equal` at the rightmost that is:
   [batch, size]. */
HFM__PRIVATE hfm__val hfm__last_token(hfm__builder *b, hfm__val x, hfm__val ids, int64_t id, int32_t equal) {
  hfm__dim shape[2];
  hfm__attrs attrs;
  hfm__val index;
  memset(&attrs, 0, sizeof attrs);
  attrs.pad = (int32_t)id;
  attrs.equal = equal;
  shape[0] = hfm__dim_of(b, x, 0);
  shape[1] = hfm__dim_of(b, x, 2);
  index = hfm__emit(b, HFM__OP_last_token, &attrs, HFM_I64, 1, shape, ids, hfm__no_value, hfm__no_value, hfm__no_value);
  return hfm__emit(b, HFM__OP_gather_rows, NULL, HFM_F32, 2, shape, hfm__contiguous(b, x), index, hfm__no_value,
                   hfm__no_value);
}
#endif
