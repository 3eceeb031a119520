/* ==== nn/rope (private): rotary position embeddings ===============================================================
   Inverse frequencies as Transformers computes them (modeling_rope_utils.py), in float32 where torch uses float32. Only
   "dynamic" and "longrope" depend on how far a call reaches. */

/* Which parameters count. */
typedef struct hfm__rope_source {
  const char *layer_type; /* those for this type of layer; NULL: the model's */
  int32_t partial;        /* 1: partial_rotary_factor says how much of a head is rotated; 0: whole heads are */
  const char *type;       /* what the family takes the configuration's for; NULL: itself */
} hfm__rope_source;

typedef struct hfm__rope {
  int64_t dimension;           /* rotated elements of a head */
  const float *frequency;      /* [hfm__rope_half] */
  const float *long_frequency; /* longrope beyond the original length, else NULL */
  int64_t original_length;
  float scale; /* of cosines and sines: attention_factor */
  int32_t dynamic;
  double base, factor;
} hfm__rope;

/* What the parameters of most model types are called beside the others in old files. */
static const hfm__rope_name hfm__rope_names[] = {
    {NULL, "rope_theta", "rope_theta"}, {NULL, "partial_rotary_factor", "partial_rotary_factor"}, {NULL, NULL, NULL}};

/* A configuration class's rope_parameters. */
#define HFM__ROPE_DEFAULT(theta) "{\"rope_theta\": " theta ", \"rope_type\": \"default\"}"

/* A parameter, in whichever spelling the configuration has it. */
HFM__PRIVATE hfm__config_value hfm__rope_parameter(const hfm__builder *b, const char *name) {
  char key[HFM__ROPE_PATH];
  hfm__text t = hfm__text_to(key, sizeof key);
  hfm__text_rope_key(&t, b->rope_layer, name);
  return hfm__config_find(b->config, key);
}

/* Pairs that are rotated. Of an odd dimension the last pair has an element more. */
HFM__PRIVATE int64_t hfm__rope_half(const hfm__rope *rope) { return (rope->dimension + 1) / 2; }

/* 1 / base^(2i / dimension), rounded step by step as torch rounds. */
HFM__PRIVATE float hfm__inverse_frequency(double base, int64_t i, int64_t dimension) {
  const float exponent = (float)(2 * i) / (float)dimension;
  return 1.0f / (float)hfm__exact_pow(base, (double)exponent);
}

/* A parameter is not what it must be. */
HFM__PRIVATE void hfm__rope_wrong(hfm__builder *b, int32_t item, const char *key, const char *expected) {
  const hfm__config_value member = hfm__rope_parameter(b, key);
  char found[HFM__JSON_SHOWN];
  hfm__text t = hfm__text_to(found, sizeof found);
  hfm__json_found(member.doc, member.node, &t);
  b->result = hfm__fail(b->error, item, b->config->file, key, 0, "rope parameter %q must be %s, found %s", key,
                        expected, found);
}

/* A number among the parameters, `fallback` where there is none or null; another type is an error. */
HFM__PRIVATE double hfm__rope_number(hfm__builder *b, const char *key, double fallback) {
  const hfm__config_value member = hfm__rope_parameter(b, key);
  double value = fallback;
  if (hfm__json_kind(member.doc, member.node) > HFM__JSON_NULL && !hfm__json_double(member.doc, member.node, &value) &&
      hfm__ok(b))
    hfm__rope_wrong(b, HFM_E_CONFIG_TYPE, key, "a finite number");
  return hfm__ok(b) ? value : fallback;
}

HFM__PRIVATE double hfm__rope_needed(hfm__builder *b, const char *key) {
  const double value = hfm__rope_number(b, key, -1);
  if (hfm__ok(b) && !(value > 0)) hfm__rope_wrong(b, HFM_E_CONFIG_RANGE, key, "a number greater than 0");
  return hfm__ok(b) ? value : 1;
}

/* The length that the model was pretrained with: beside the rope parameters (Phi-3), among them, or the maximum. */
HFM__PRIVATE double hfm__rope_original(hfm__builder *b, int64_t max_positions) {
  const char *key = "original_max_position_embeddings";
  double value = 1;
  if (b->rope_layer || hfm__is_null(b, key)) value = hfm__rope_number(b, key, (double)max_positions);
  else if (hfm__ok(b)) b->result = hfm__config_need_float(b->config, key, 1, INT32_MAX, &value, b->error);
  if (hfm__ok(b) && !(value >= 1 && value <= INT32_MAX))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, key, 0, "%q must be from 1 to %d, found %g",
                          key, (int)INT32_MAX, value);
  return hfm__ok(b) ? value : 1;
}

/* Wave lengths beyond a threshold are stretched by `factor`, shorter ones kept, with a smooth transition. */
HFM__PRIVATE void hfm__rope_llama3(hfm__builder *b, float *frequency, int64_t half, double factor,
                                   int64_t max_positions) {
  const double low = hfm__rope_needed(b, "low_freq_factor"), high = hfm__rope_needed(b, "high_freq_factor");
  const double original = hfm__rope_original(b, max_positions);
  const float pi2 = 6.283185307179586f;
  for (int64_t i = 0; i < half; i++) {
    const float wave = pi2 / frequency[i];
    if ((double)wave > original / low) {
      frequency[i] = frequency[i] / (float)factor;
    } else if (!((double)wave < original / high)) {
      const float smooth = ((float)original / wave - (float)low) / (float)(high - low);
      frequency[i] = (1.0f - smooth) * (frequency[i] / (float)factor) + smooth * frequency[i];
    }
  }
}

/* The dimension that turns `rotations` times over `length` positions. */
HFM__PRIVATE double hfm__yarn_dimension(double rotations, int64_t dimension, double base, double length) {
  return (double)dimension * hfm__exact_log(length / (rotations * 6.283185307179586)) / (2.0 * hfm__exact_log(base));
}

HFM__PRIVATE double hfm__yarn_scale(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * hfm__exact_log(factor) + 1.0;
}

/* Python's truth of a value: false, null, 0 and "" are not; `fallback` where there is none. */
HFM__PRIVATE int hfm__python_truth(hfm__config_value value, int fallback) {
  double number;
  int32_t truth;
  if (!value.node) return fallback;
  if (hfm__json_bool(value.doc, value.node, &truth)) return truth;
  if (hfm__json_double(value.doc, value.node, &number)) return number != 0;
  return hfm__json_kind(value.doc, value.node) != HFM__JSON_NULL && value.doc->nodes[value.node].size > 0;
}

/* "factor", which null or nothing leaves to the lengths. */
HFM__PRIVATE double hfm__rope_factor(hfm__builder *b, double from_lengths) {
  const double factor = hfm__rope_number(b, "factor", from_lengths);
  if (hfm__ok(b) && !(factor > 0))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "factor", 0,
                          "rope parameter 'factor' is %g, but must be greater than 0", factor);
  return hfm__ok(b) ? factor : 1;
}

HFM__PRIVATE void hfm__rope_yarn(hfm__builder *b, hfm__rope *rope, float *frequency, int64_t max_positions) {
  const int64_t half = hfm__rope_half(rope);
  const double original = hfm__rope_original(b, max_positions);
  const double factor = hfm__rope_factor(b, (double)max_positions / original);
  const double fast = hfm__rope_number(b, "beta_fast", 0), slow = hfm__rope_number(b, "beta_slow", 0);
  const double mscale = hfm__rope_number(b, "mscale", 0), mscale_all = hfm__rope_number(b, "mscale_all_dim", 0);
  const double given = hfm__rope_number(b, "attention_factor", HUGE_VAL);
  double low = hfm__yarn_dimension(fast != 0 ? fast : 32, rope->dimension, rope->base, original);
  double high = hfm__yarn_dimension(slow != 0 ? slow : 1, rope->dimension, rope->base, original);
  /* Transformers looks for this one beside the types of layers, not among a type's parameters. */
  if (hfm__python_truth(hfm__config_find(b->config, "rope_parameters.truncate"), 1)) {
    low = floor(low);
    high = ceil(high);
  }
  low = HFM__MAX(low, 0.0);
  high = HFM__MIN(high, (double)rope->dimension - 1);
  if (low == high) high += 0.001;
  for (int64_t i = 0; i < half; i++) {
    const int64_t step = HFM__MIN(i, HFM__MAX(rope->dimension / 2, 1) - 1); /* dim // 2 of them, where it is odd */
    float ramp = (float)(((float)step - (float)low) / (float)(high - low)), keep;
    ramp = HFM__MIN(HFM__MAX(ramp, 0.0f), 1.0f);
    keep = 1.0f - ramp;
    frequency[i] = (1.0f / ((float)factor * (1.0f / frequency[i]))) * (1.0f - keep) + frequency[i] * keep;
  }
  if (given < HUGE_VAL) rope->scale = (float)given;
  else if (mscale != 0 && mscale_all != 0)
    rope->scale = (float)(hfm__yarn_scale(factor, mscale) / hfm__yarn_scale(factor, mscale_all));
  else rope->scale = (float)hfm__yarn_scale(factor, 1);
}

/* Frequencies divided by a list of factors, one for each. */
HFM__PRIVATE const float *hfm__rope_divided(hfm__builder *b, const hfm__rope *rope, const char *key) {
  const int64_t half = hfm__rope_half(rope);
  const hfm__config_value list = hfm__rope_parameter(b, key);
  float *frequency = HFM__NEW(b, float, half);
  uint32_t node = hfm__json_first(list.doc, list.node);
  int64_t i = 0;
  for (; hfm__ok(b) && node && i < half; node = hfm__json_following(list.doc, node), i++) {
    const float exponent = (float)(2 * i) / (float)rope->dimension;
    double factor = 0;
    if (!hfm__json_double(list.doc, node, &factor) || !(factor > 0)) break;
    frequency[i] = 1.0f / ((float)factor * (float)hfm__exact_pow(rope->base, (double)exponent));
  }
  if (hfm__ok(b) && (i != half || node))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, key, 0,
                          "rope parameter %q must list %i numbers greater than 0, found %s", key, half,
                          i == half ? "more" : node ? "something else among them" : "fewer");
  return frequency;
}

HFM__PRIVATE void hfm__rope_long(hfm__builder *b, hfm__rope *rope, int64_t max_positions) {
  const double original = hfm__rope_original(b, max_positions);
  const double factor = hfm__rope_factor(b, (double)max_positions / original);
  const double given = hfm__rope_number(b, "attention_factor", HUGE_VAL);
  rope->frequency = hfm__rope_divided(b, rope, "short_factor");
  rope->long_frequency = hfm__rope_divided(b, rope, "long_factor");
  rope->original_length = (int64_t)original;
  rope->scale = given < HUGE_VAL ? (float)given
                : factor <= 1    ? 1.0f
                                 : (float)sqrt(1.0 + hfm__exact_log(factor) / hfm__exact_log(original));
}

/* How much of a head is rotated. */
HFM__PRIVATE double hfm__rope_partial(hfm__builder *b) {
  const char *key = "partial_rotary_factor";
  const double part = hfm__rope_number(b, key, 1);
  if (hfm__ok(b) && !(part >= 0 && part <= 1)) hfm__rope_wrong(b, HFM_E_CONFIG_RANGE, key, "from 0 to 1");
  return hfm__ok(b) ? part : 1;
}

/* The first elements of a head turn, at frequencies of the whole head, divided by `factor`; the others stand still. */
HFM__PRIVATE void hfm__rope_proportional(hfm__builder *b, float *frequency, int64_t dimension) {
  const double part = hfm__rope_partial(b), factor = hfm__rope_factor(b, 1);
  for (int64_t i = 0; i < dimension / 2; i++)
    frequency[i] = i < (int64_t)(part * (double)dimension / 2) ? frequency[i] / (float)factor : 0.0f;
}

/* "default", "linear", "llama3", ... */
HFM__PRIVATE const char *hfm__rope_type(hfm__builder *b) {
  const hfm__config_value value = hfm__rope_parameter(b, "rope_type");
  const char *type = hfm__json_text(value.doc, value.node);
  if (hfm__ok(b) && !type && hfm__json_kind(value.doc, value.node) > HFM__JSON_NULL)
    hfm__rope_wrong(b, HFM_E_CONFIG_TYPE, "rope_type", "a string");
  return type ? type : "default";
}

/* Refuses what says something and is no object: it would count for nothing. An empty list says nothing. */
HFM__PRIVATE void hfm__rope_need_object(hfm__builder *b, const char *key) {
  const hfm__config_value value = hfm__config_find(b->config, key);
  const int32_t kind = hfm__json_kind(value.doc, value.node);
  if (!hfm__ok(b) || kind <= HFM__JSON_NULL || kind == HFM__JSON_OBJECT) return;
  if (kind == HFM__JSON_ARRAY && !hfm__json_first(value.doc, value.node)) return;
  b->result = hfm__config_wrong(
      b->config, key, "an object such as {\"rope_type\": \"linear\", \"factor\": 2.0}", b->error);
}

/* Refuses parameters for each type of layer where the model has one set for all: they would count for nothing. */
HFM__PRIVATE void hfm__rope_not_nested(hfm__builder *b) {
  static const char *const types[] = {"full_attention", "sliding_attention"};
  for (size_t i = 0; i < HFM__COUNT(types); i++) {
    const hfm__config_value value = hfm__rope_parameter(b, types[i]);
    if (hfm__ok(b) && hfm__json_kind(value.doc, value.node) == HFM__JSON_OBJECT)
      b->result = hfm__fail(b->error, HFM_E_CONFIG_VALUE, b->config->file, "rope_parameters", 0,
                            "'rope_parameters' has some for %q, but this model type has the same for every type of "
                            "layer",
                            types[i]);
  }
}

enum { HFM__ROPE_MOST = 1 << 16 }; /* tables are made for it, whatever the files hold */

/* Refuses numbers of rotated elements that a type's formula has no result for. */
HFM__PRIVATE void hfm__rope_check_type(hfm__builder *b, const hfm__rope *rope, const char *type) {
  const int odd = rope->dimension % 2 != 0 && rope->dimension != 3; /* 3 have one step of yarn's ramp for both pairs */
  if (!hfm__ok(b) || !(hfm__equal(type, "dynamic") ? rope->dimension == 2 : hfm__equal(type, "yarn") && odd)) return;
  b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "rope_type", 0,
                        "rope type %q has no frequencies for %i rotated elements of a head", type, rope->dimension);
}

/* Reads rope parameters for heads of `head_dim`. Registers the buffers that Transformers has for them in the current
   scope. */
HFM__PRIVATE void hfm__rope_read(hfm__builder *b, hfm__rope *rope, const hfm__rope_source *source, int64_t head_dim,
                                 int64_t max_positions) {
  static const char *const buffers[] = {"inv_freq", "original_inv_freq"};
  const char *type;
  int proportional, whole;
  float *frequency;
  double factor = 1;
  b->rope_layer = source->layer_type;
  type = source->type ? source->type : hfm__rope_type(b);
  memset(rope, 0, sizeof *rope);
  proportional = hfm__equal(type, "proportional");
  whole = proportional || !source->partial;
  rope->dimension = whole ? head_dim : (int64_t)((double)head_dim * hfm__rope_partial(b));
  rope->base = hfm__rope_needed(b, "rope_theta");
  hfm__rope_need_object(b, "rope_scaling");
  hfm__rope_need_object(b, "rope_parameters");
  if (source->layer_type) hfm__rope_need_object(b, hfm__own_text(b, "rope_parameters.%s", source->layer_type));
  else hfm__rope_not_nested(b);
  /* Where whole heads are rotated the default type reads no partial_rotary_factor; Transformers' other types do, and
     then fail in forward. */
  if (whole && !proportional && !hfm__equal(type, "default") && hfm__rope_partial(b) != 1)
    hfm__refuse(b, "partial_rotary_factor", "not 1", "this model type rotates whole heads");
  rope->scale = 1;
  rope->factor = 1;
  rope->original_length = max_positions;
  if (hfm__ok(b) && (2 * hfm__rope_half(rope) > head_dim || rope->dimension < 1 || !(rope->base > 0)))
    b->result = hfm__fail(b->error, HFM_E_CONFIG_RANGE, b->config->file, "rope_theta", 0,
                          "rotary embeddings need an even head size (here %i%s) and a rope_theta greater than 0",
                          rope->dimension, rope->dimension < head_dim ? ", the part that is rotated" : "");
  if (hfm__ok(b) && rope->dimension > HFM__ROPE_MOST)
    b->result = hfm__fail(b->error, HFM_E_CONFIG_LIMIT, b->config->file, "head_dim", 0,
                          "rotary embeddings of %i elements a head: more than %d are not believable", rope->dimension,
                          (int)HFM__ROPE_MOST);
  hfm__rope_check_type(b, rope, type);
  frequency = HFM__NEW(b, float, hfm__rope_half(rope));
  if (!hfm__ok(b)) return;
  for (int64_t i = 0; i < hfm__rope_half(rope); i++)
    frequency[i] = hfm__inverse_frequency(rope->base, i, rope->dimension);
  rope->frequency = frequency;
  if (hfm__equal(type, "linear") || hfm__equal(type, "dynamic") || hfm__equal(type, "llama3"))
    factor = hfm__rope_needed(b, "factor");
  if (hfm__equal(type, "linear")) {
    for (int64_t i = 0; i < hfm__rope_half(rope); i++) frequency[i] /= (float)factor;
  } else if (hfm__equal(type, "dynamic")) {
    rope->dynamic = 1;
    rope->factor = factor;
  } else if (hfm__equal(type, "llama3")) {
    hfm__rope_llama3(b, frequency, hfm__rope_half(rope), factor, max_positions);
  } else if (hfm__equal(type, "yarn")) {
    hfm__rope_yarn(b, rope, frequency, max_positions);
  } else if (hfm__equal(type, "longrope")) {
    hfm__rope_long(b, rope, max_positions);
  } else if (proportional) {
    hfm__rope_proportional(b, frequency, rope->dimension);
  } else if (!hfm__equal(type, "default")) {
    hfm__refuse(b, "rope_type", type, "use default, linear, dynamic, yarn, longrope, llama3 or proportional");
  }
  for (size_t i = 0; i < HFM__COUNT(buffers); i++)
    hfm__buffer_add(b,
                    source->layer_type ? hfm__own_text(b, "%s_%s", source->layer_type, buffers[i]) : buffers[i],
                    HFM_F32, hfm__rope_half(rope));
}

/* The same in a module of its own, as most models have it. */
HFM__PRIVATE void hfm__rope_init(hfm__builder *b, hfm__rope *rope, const char *torch_class,
                                 const hfm__rope_source *source, int64_t head_dim, int64_t max_positions) {
  hfm__describe(b, hfm__begin(b, "rotary_emb", torch_class), "");
  hfm__rope_read(b, rope, source, head_dim, max_positions);
  hfm__end(b);
}

/* Frequencies for these positions: constant, unless the type is dynamic or longrope. Both go by the last position;
   where positions are counted that is the length, so longrope's switch is a branch, otherwise it depends on data. */
HFM__PRIVATE hfm__val hfm__rope_frequencies(hfm__builder *b, const hfm__rope *rope, hfm__val positions) {
  const int64_t half = hfm__rope_half(rope);
  const int on_data = hfm__given(b, HFM__IN_position_ids);
  hfm__val shorter, longer;
  hfm__dim shape;
  hfm__attrs attrs;
  if (rope->long_frequency && !on_data) {
    const int beyond = hfm__dim_less(b, hfm__fixed(b, rope->original_length), hfm__total_length(b));
    return hfm__vector(b, beyond ? rope->long_frequency : rope->frequency, half);
  }
  shorter = hfm__vector(b, rope->frequency, half);
  if (!rope->long_frequency && !rope->dynamic) return shorter;
  longer = rope->long_frequency ? hfm__vector(b, rope->long_frequency, half) : hfm__no_value;
  memset(&attrs, 0, sizeof attrs);
  attrs.parameter[0] = rope->base;
  attrs.parameter[1] = rope->factor;
  attrs.parameter[2] = (double)rope->dimension;
  attrs.parameter[3] = (double)rope->original_length;
  shape = hfm__fixed(b, half);
  return hfm__emit(b, HFM__OP_rope_frequencies, &attrs, HFM_F32, 1, &shape, positions, shorter, longer, hfm__no_value);
}

/* Cosines and sines for positions [1 or batch, length]: [1 or batch, length, 2, half]. */
HFM__PRIVATE hfm__val hfm__rope_angles(hfm__builder *b, const hfm__rope *rope, hfm__val positions) {
  hfm__dim shape[4];
  hfm__attrs attrs;
  shape[0] = hfm__dim_of(b, positions, 0);
  shape[1] = hfm__dim_of(b, positions, 1);
  shape[2] = hfm__fixed(b, 2);
  shape[3] = hfm__fixed(b, hfm__rope_half(rope));
  memset(&attrs, 0, sizeof attrs);
  attrs.scale = rope->scale;
  return hfm__emit(b, HFM__OP_rope_angles, &attrs, HFM_F32, 4, shape, positions,
                   hfm__rope_frequencies(b, rope, positions), hfm__no_value, hfm__no_value);
}

/* Rotates every head of x [batch, length, heads, head_dim]. */
HFM__PRIVATE hfm__val hfm__rotary(hfm__builder *b, hfm__val x, hfm__val angles) {
  return hfm__same_shape(b, HFM__OP_rotary, NULL, x, angles, hfm__no_value);
}
