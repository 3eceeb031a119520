/* ==== cpu/ops_index (private): positions, rotation angles, and the ops' table ==================================== */

HFM__PRIVATE int64_t hfm__one_chunk(const hfm__op_args *a) {
  (void)a;
  return 1;
}

HFM__PRIVATE void hfm__iota_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  int64_t *to = (int64_t *)a->out[0].data, i;
  (void)chunk;
  (void)worker;
  for (i = 0; i < a->out[0].shape[1]; i++) to[i] = a->dims[0] + i;
}

HFM__PRIVATE void hfm__padded_positions_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *ids = &a->in[0];
  int64_t b, s;
  (void)chunk;
  (void)worker;
  for (b = 0; b < ids->shape[0]; b++) {
    const int64_t *row = (const int64_t *)ids->data + b * ids->stride[0];
    int64_t *to = (int64_t *)a->out[0].data + b * ids->shape[1], count = 0;
    for (s = 0; s < ids->shape[1]; s++) {
      const int64_t real = row[s * ids->stride[1]] != a->attrs->pad;
      count += real;
      to[s] = (a->dims[0] + count) * real + a->attrs->pad;
    }
  }
}

HFM__PRIVATE void hfm__kept_positions_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *keep = &a->in[0];
  int64_t b, s;
  (void)chunk;
  (void)worker;
  for (b = 0; b < keep->shape[0]; b++) {
    const uint8_t *row = (const uint8_t *)keep->data + b * keep->stride[0];
    int64_t *to = (int64_t *)a->out[0].data + b * keep->shape[1], count = 0;
    for (s = 0; s < keep->shape[1]; s++) to[s] = row[s * keep->stride[1]] ? count++ : a->attrs->pad;
  }
}

/* Slopes are powers of 2: of 2^(-8 / n) for the n = 2^k heads below the number there are, then the odd powers of its
   root. A key's bias grows with its position; softmax only sees the differences. */
HFM__PRIVATE float hfm__alibi_slope(int64_t head, int64_t heads) {
  int64_t n = 1, k = 0;
  float base;
  for (; 2 * n <= heads; n *= 2) k++;
  if (head >= n) k++;
  base = (float)hfm__exact_pow(2.0, -hfm__exact_pow(2.0, (double)(3 - k)));
  return (float)hfm__exact_pow((double)base, (double)(head < n ? head + 1 : 2 * (head - n) + 1));
}

HFM__PRIVATE void hfm__alibi_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *positions = &a->in[0];
  const int64_t heads = a->out[0].shape[1], keys = positions->shape[1], head = chunk % heads;
  const int64_t *row = (const int64_t *)positions->data + chunk / heads * positions->stride[0];
  const hfm_dtype dtype = a->attrs->rounded;
  const float slope = hfm__rounded(dtype, (double)hfm__alibi_slope(head, heads));
  float *to = (float *)a->out[0].data + chunk * keys;
  int64_t s;
  (void)worker;
  for (s = 0; s < keys; s++) {
    const float position = hfm__rounded(dtype, (double)(float)row[s * positions->stride[1]]);
    to[s] = hfm__rounded(dtype, (double)(float)(slope * position)) * a->attrs->scale;
  }
}

HFM__PRIVATE int64_t hfm__alibi_chunks(const hfm__op_args *a) { return a->out[0].shape[0] * a->out[0].shape[1]; }

/* ---- relative_bias: a chunk is some queries of one head, after a table of its biases by distance ---- */

/* The bucket of a key `distance` after the query, in float32 as torch computes it. */
HFM__PRIVATE int64_t hfm__relative_bucket(int64_t distance, int64_t buckets, int32_t causal, int64_t most) {
  int64_t first = 0, exact, bucket;
  if (!causal) {
    buckets /= 2;
    if (distance > 0) first = buckets;
  } else if (distance > 0) {
    distance = 0;
  }
  if (distance < 0) distance = -distance;
  exact = buckets / 2;
  if (distance < exact) return first + distance;
  {
    const float part = (float)hfm__exact_log((double)((float)distance / (float)exact));
    const float whole = (float)hfm__exact_log((double)most / (double)exact);
    bucket = exact + (int64_t)(part / whole * (float)(buckets - exact));
  }
  return first + HFM__MIN(bucket, buckets - 1);
}

HFM__PRIVATE int64_t hfm__relative_bias_step(const hfm__op_args *a) { return hfm__row_step(a->out[0].shape[3]); }

HFM__PRIVATE int64_t hfm__relative_bias_chunks(const hfm__op_args *a) {
  const int64_t step = hfm__relative_bias_step(a);
  return a->out[0].shape[1] * ((a->out[0].shape[2] + step - 1) / step);
}

HFM__PRIVATE uint64_t hfm__relative_bias_scratch(const hfm__op_args *a) {
  return hfm__aligned((uint64_t)(2 * a->attrs->window + 1) * sizeof(float));
}

HFM__PRIVATE void hfm__relative_bias_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *table = &a->in[0], *out = &a->out[0];
  const int64_t step = hfm__relative_bias_step(a), queries = out->shape[2], keys = out->shape[3];
  const int64_t blocks = (queries + step - 1) / step, head = chunk / blocks, most = a->attrs->window;
  const int64_t end = HFM__MIN((chunk % blocks + 1) * step, queries);
  const int64_t start = chunk % blocks * step;
  const int64_t least = HFM__MAX(1 - a->dims[0] - end, -most), farthest = HFM__MIN(keys - 1 - a->dims[0] - start, most);
  float *by_distance = (float *)(void *)worker->scratch + most; /* from -most to most, as far as these queries see */
  int64_t i, j;
  for (i = least; i <= farthest; i++) {
    const int64_t bucket = hfm__relative_bucket(i, table->shape[0], a->attrs->causal, most);
    hfm__widened(a->cpu, table, bucket * table->shape[1] + head, 1, by_distance + i);
  }
  for (i = start; i < end; i++) {
    float *row = (float *)out->data + (head * queries + i) * keys;
    const int64_t query = a->dims[0] + i;
    for (j = 0; j < keys; j++) row[j] = by_distance[HFM__MIN(HFM__MAX(j - query, -most), most)];
  }
}

HFM__PRIVATE void hfm__last_token_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *ids = &a->in[0];
  int64_t b, s;
  (void)chunk;
  (void)worker;
  for (b = 0; b < ids->shape[0]; b++) {
    const int64_t *row = (const int64_t *)ids->data + b * ids->stride[0];
    for (s = ids->shape[1] - 1; s >= 0 && (row[s * ids->stride[1]] == a->attrs->pad) != a->attrs->equal; s--) {
    }
    ((int64_t *)a->out[0].data)[b] = HFM__MAX(s, 0);
  }
}

HFM__PRIVATE void hfm__shift_right_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *ids = &a->in[0];
  int64_t b, s;
  (void)chunk;
  (void)worker;
  for (b = 0; b < ids->shape[0]; b++) {
    const int64_t *row = (const int64_t *)ids->data + b * ids->stride[0];
    int64_t *to = (int64_t *)a->out[0].data + b * ids->shape[1], real = 0;
    for (s = 0; s < ids->shape[1] && a->attrs->wrapped; s++) real += row[s * ids->stride[1]] != a->attrs->pad;
    to[0] = real ? row[(real - 1) * ids->stride[1]] : a->attrs->pad;
    for (s = 1; s < ids->shape[1]; s++) to[s] = row[(s - 1) * ids->stride[1]];
  }
}

/* Several sequences packed in one row: wherever positions don't go on by 1, another one begins. */
HFM__PRIVATE void hfm__segments_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *positions = &a->in[0];
  int64_t b, s;
  (void)chunk;
  (void)worker;
  for (b = 0; b < positions->shape[0]; b++) {
    const int64_t *row = (const int64_t *)positions->data + b * positions->stride[0];
    int64_t *to = (int64_t *)a->out[0].data + b * positions->shape[1], count = 0;
    for (s = 0; s < positions->shape[1]; s++) {
      const uint64_t after = s ? (uint64_t)row[(s - 1) * positions->stride[1]] + 1 : 0; /* wraps, as torch.diff does */
      if (s && (uint64_t)row[s * positions->stride[1]] != after) count++;
      to[s] = count;
    }
  }
}

/* ---- Angles: products of positions and frequencies in float as in torch, sines and cosines of them in double ---- */

enum { HFM__ANGLES_AT_ONCE = 1024 };

/* Positions in a chunk. */
HFM__PRIVATE int64_t hfm__angle_step(const hfm__op_args *a) {
  return HFM__MAX(1, HFM__ANGLES_AT_ONCE / HFM__MAX(a->in[1].shape[0], 1));
}

HFM__PRIVATE int64_t hfm__angle_chunks(const hfm__op_args *a) {
  const int64_t step = hfm__angle_step(a);
  return (a->in[0].shape[0] * a->in[0].shape[1] + step - 1) / step;
}

/* The row-th of all positions. */
HFM__PRIVATE int64_t hfm__angle_position(const hfm__operand *positions, int64_t row) {
  const int64_t length = positions->shape[1], at = row / length * positions->stride[0];
  return ((const int64_t *)positions->data)[at + row % length * positions->stride[1]];
}

/* A position times the j-th frequency. */
HFM__PRIVATE void hfm__angle(const hfm__op_args *a, int64_t position, int64_t j, double *sine, double *cosine) {
  float frequency;
  hfm__copy_row(a, &a->in[1], j * a->in[1].stride[0], 1, &frequency, 1);
  hfm__sine_cosine((float)position * frequency, sine, cosine);
}

HFM__PRIVATE void hfm__rope_angles_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *positions = &a->in[0];
  const int64_t half = a->in[1].shape[0], step = hfm__angle_step(a);
  const int64_t end = HFM__MIN((chunk + 1) * step, positions->shape[0] * positions->shape[1]);
  const float scale = a->attrs->scale;
  int64_t r, j;
  (void)worker;
  for (r = chunk * step; r < end; r++) {
    const int64_t position = hfm__angle_position(positions, r);
    float *to = (float *)a->out[0].data + r * 2 * half;
    for (j = 0; j < half; j++) {
      double sine, cosine;
      hfm__angle(a, position, j, &sine, &cosine);
      to[j] = (float)cosine * scale;
      to[half + j] = (float)sine * scale;
    }
  }
}

HFM__PRIVATE void hfm__sinusoids_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *positions = &a->in[0];
  const int64_t half = a->in[1].shape[0], size = a->out[0].shape[2], step = hfm__angle_step(a);
  const int64_t end = HFM__MIN((chunk + 1) * step, positions->shape[0] * positions->shape[1]);
  int64_t r, j;
  (void)worker;
  for (r = chunk * step; r < end; r++) {
    const int64_t position = hfm__angle_position(positions, r);
    float *to = (float *)a->out[0].data + r * size;
    for (j = 0; j < half; j++) {
      double sine, cosine;
      hfm__angle(a, position, j, &sine, &cosine);
      to[j] = hfm__rounded(a->attrs->rounded, sine);
      to[half + j] = hfm__rounded(a->attrs->rounded, cosine);
    }
    for (j = position == a->attrs->pad ? 0 : 2 * half; j < size; j++) to[j] = 0;
  }
}

/* How far the positions reach decides: longrope takes the other list beyond the original length, "dynamic" lets the
   base grow with the length. */
HFM__PRIVATE void hfm__rope_frequencies_run(const hfm__op_args *a, int64_t chunk, hfm__worker *worker) {
  const hfm__operand *positions = &a->in[0], *longer = &a->in[2];
  const double *parameter = a->attrs->parameter;
  const double factor = parameter[1], dimension = parameter[2], original = parameter[3];
  const int64_t half = a->out[0].shape[0];
  float *to = (float *)a->out[0].data;
  int64_t last = 0, b, s, j;
  double length;
  (void)chunk;
  (void)worker;
  for (b = 0; b < positions->shape[0]; b++) {
    for (s = 0; s < positions->shape[1]; s++) {
      const int64_t *at = (const int64_t *)positions->data + b * positions->stride[0] + s * positions->stride[1];
      last = HFM__MAX(last, *at);
    }
  }
  length = (double)last + 1; /* positions may be as large as integers get */
  if (longer->data || length <= original) {
    const hfm__operand *from = longer->data && length > original ? longer : &a->in[1];
    memcpy(to, from->data, (size_t)half * sizeof(float));
  } else {
    const double stretch = factor * length / original - (factor - 1.0);
    const double base = parameter[0] * hfm__exact_pow(stretch, dimension / (dimension - 2.0));
    for (j = 0; j < half; j++) {
      const float exponent = (float)(2 * j) / (float)dimension;
      to[j] = 1.0f / (float)hfm__exact_pow(base, (double)exponent);
    }
  }
}

/* ---- The table ---- */

#define hfm__embedding_chunks hfm__row_chunks
#define hfm__layer_norm_chunks hfm__row_chunks
#define hfm__rms_norm_chunks hfm__row_chunks
#define hfm__unary_chunks hfm__row_chunks
#define hfm__add_chunks hfm__row_chunks
#define hfm__mul_chunks hfm__row_chunks
#define hfm__gather_rows_chunks hfm__row_chunks
#define hfm__copy_chunks hfm__row_chunks
#define hfm__concat_chunks hfm__row_chunks
#define hfm__weighted_sum_chunks hfm__row_chunks
#define hfm__rope_angles_chunks hfm__angle_chunks
#define hfm__sinusoids_chunks hfm__angle_chunks
#define hfm__rope_frequencies_chunks hfm__one_chunk
#define hfm__iota_chunks hfm__one_chunk
#define hfm__padded_positions_chunks hfm__one_chunk
#define hfm__kept_positions_chunks hfm__one_chunk
#define hfm__last_token_chunks hfm__one_chunk
#define hfm__shift_right_chunks hfm__one_chunk
#define hfm__segments_chunks hfm__one_chunk
#define hfm__layer_norm_scratch hfm__norm_scratch
#define hfm__rms_norm_scratch hfm__norm_scratch
#define hfm__embedding_scratch hfm__no_scratch
#define hfm__unary_scratch hfm__no_scratch
#define hfm__add_scratch hfm__no_scratch
#define hfm__mul_scratch hfm__no_scratch
#define hfm__rotary_scratch hfm__no_scratch
#define hfm__rope_angles_scratch hfm__no_scratch
#define hfm__sinusoids_scratch hfm__no_scratch
#define hfm__rope_frequencies_scratch hfm__no_scratch
#define hfm__iota_scratch hfm__no_scratch
#define hfm__padded_positions_scratch hfm__no_scratch
#define hfm__kept_positions_scratch hfm__no_scratch
#define hfm__alibi_scratch hfm__no_scratch
#define hfm__last_token_scratch hfm__no_scratch
#define hfm__shift_right_scratch hfm__no_scratch
#define hfm__segments_scratch hfm__no_scratch
#define hfm__gather_rows_scratch hfm__no_scratch
#define hfm__append_scratch hfm__no_scratch
#define hfm__copy_scratch hfm__no_scratch
#define hfm__concat_scratch hfm__no_scratch

static const hfm__op_impl hfm__cpu_ops[HFM__OP_COUNT] = {
#define HFM__CPU_OP(name, fewest, most, outputs) {hfm__##name##_chunks, hfm__##name##_run, hfm__##name##_scratch},
  HFM__OP_LIST(HFM__CPU_OP)
#undef HFM__CPU_OP
};

#undef hfm__embedding_chunks
#undef hfm__layer_norm_chunks
#undef hfm__rms_norm_chunks
#undef hfm__unary_chunks
#undef hfm__add_chunks
#undef hfm__mul_chunks
#undef hfm__gather_rows_chunks
#undef hfm__copy_chunks
#undef hfm__concat_chunks
#undef hfm__weighted_sum_chunks
#undef hfm__rope_angles_chunks
#undef hfm__sinusoids_chunks
#undef hfm__rope_frequencies_chunks
#undef hfm__iota_chunks
#undef hfm__padded_positions_chunks
#undef hfm__kept_positions_chunks
#undef hfm__last_token_chunks
#undef hfm__shift_right_chunks
#undef hfm__segments_chunks
#undef hfm__layer_norm_scratch
#undef hfm__rms_norm_scratch
#undef hfm__embedding_scratch
#undef hfm__unary_scratch
#undef hfm__add_scratch
#undef hfm__mul_scratch
#undef hfm__rotary_scratch
#undef hfm__rope_angles_scratch
#undef hfm__sinusoids_scratch
#undef hfm__rope_frequencies_scratch
#undef hfm__iota_scratch
#undef hfm__padded_positions_scratch
#undef hfm__kept_positions_scratch
#undef hfm__alibi_scratch
#undef hfm__last_token_scratch
#undef hfm__shift_right_scratch
#undef hfm__segments_scratch
#undef hfm__gather_rows_scratch
#undef hfm__append_scratch
#undef hfm__copy_scratch
#undef hfm__concat_scratch
