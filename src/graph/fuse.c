/* ==== graph/fuse (private): fewer passes over memory ==============================================================
   A product takes over the activation that alone reads its result, and then the residual that is added to it. Families
   spell neither; train mode, export and the tests of fusion use the graph without this pass. */

/* How often each value is read, outputs and views included. */
HFM__PRIVATE void hfm__count_uses(const hfm__graph *g, int32_t *uses) {
  memset(uses, 0, g->value_count * sizeof *uses);
  for (size_t i = 0; i < g->node_count; i++)
    for (int32_t j = 0; j < HFM__MAX_OP_INPUTS; j++) uses[g->nodes[i].in[j]]++;
  for (size_t i = 0; i < g->output_count; i++) uses[g->outputs[i].value]++;
}

/* The product whose only reader is this input, or NULL. */
HFM__PRIVATE hfm__node *hfm__product_before(hfm__graph *g, int32_t value, const int32_t *uses) {
  const hfm__value *v = &g->values[value];
  hfm__node *node;
  if (!value || v->kind != HFM__VALUE_NODE || uses[value] != 1) return NULL;
  node = &g->nodes[v->source];
  return node->op == HFM__OP_linear && node->out[0] == value ? node : NULL;
}

HFM__PRIVATE int hfm__same_dims(const hfm__value *a, const hfm__value *b) {
  if (a->rank != b->rank) return 0;
  for (int32_t i = 0; i < a->rank; i++)
    if (a->shape[i].id != b->shape[i].id) return 0;
  return 1;
}

/* The product writes `value` instead of its own result; the node that wrote it becomes a view of nothing. */
HFM__PRIVATE void hfm__take_over(hfm__graph *g, hfm__node *product, hfm__node *node) {
  const int32_t value = node->out[0];
  product->out[0] = value;
  memset(node, 0, sizeof *node);
  node->op = HFM__OP_END;
  g->values[value].source = (int32_t)(product - g->nodes);
}

/* A residual must be there when the product runs: made by an earlier node, or by none. */
HFM__PRIVATE int hfm__is_ready(const hfm__graph *g, int32_t value, const hfm__node *product) {
  const hfm__value *v = &g->values[value];
  if (v->kind != HFM__VALUE_NODE && v->kind != HFM__VALUE_VIEW) return v->kind == HFM__VALUE_INPUT;
  return v->source < product - g->nodes;
}

HFM__PRIVATE hfm_result hfm__fuse(hfm__graph *g, hfm_error *error) {
  int32_t *uses = (int32_t *)hfm__arena_alloc(&g->arena, (uint64_t)g->value_count * sizeof *uses);
  if (!uses) return hfm__fail_memory(error, "a plan", 0);
  hfm__count_uses(g, uses);
  for (size_t i = 0; i < g->node_count; i++) {
    hfm__node *node = &g->nodes[i];
    if (node->op == HFM__OP_unary) {
      hfm__node *product = hfm__product_before(g, node->in[0], uses);
      if (product && !product->attrs.activation && !product->in[3]) {
        product->attrs.activation = node->attrs.activation;
        hfm__take_over(g, product, node);
      }
    } else if (node->op == HFM__OP_add) {
      for (int32_t side = 0; side < 2; side++) {
        hfm__node *product = hfm__product_before(g, node->in[side], uses);
        const int32_t residual = node->in[1 - side];
        if (!product || product->in[3] || !hfm__is_ready(g, residual, product)) continue;
        if (!hfm__same_dims(&g->values[residual], &g->values[node->in[side]]) || g->values[residual].dtype != HFM_F32)
          continue;
        product->in[3] = residual;
        hfm__take_over(g, product, node);
        break;
      }
    }
  }
  return HFM_OK;
}
