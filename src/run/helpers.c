/* ==== run/helpers (private): what everybody needs next ============================================================ */

HFM__PRIVATE int hfm__is_nan(float v) { return (hfm__float_bits(v) & 0x7fffffffu) > 0x7f800000u; }

/* Is a larger than b, where NaN is larger than any number? */
HFM__PRIVATE int hfm__ranks_above(float a, float b) {
  if (hfm__is_nan(a) || hfm__is_nan(b)) return hfm__is_nan(a) && !hfm__is_nan(b);
  return a > b;
}

enum { HFM__ARGMAX_BLOCK = 32 };

/* Does any of a block rank above top, or is NaN? Without a branch for each: a vocabulary is long. */
HFM__PRIVATE int hfm__any_above(const float *values, float top) {
  int any = 0;
  for (int i = 0; i < HFM__ARGMAX_BLOCK; i++) any |= (values[i] > top) | hfm__is_nan(values[i]);
  return any;
}

HFMODEL_API int64_t hfm_argmax(const float *values, int64_t n) {
  int64_t best = 0, i = 1;
  if (!values || n <= 0) return -1;
  while (i < n) {
    const int64_t end = HFM__MIN(i + HFM__ARGMAX_BLOCK, n);
    if (end - i == HFM__ARGMAX_BLOCK && !hfm__any_above(values + i, values[best])) i = end;
    for (; i < end; i++)
      if (hfm__ranks_above(values[i], values[best])) best = i;
  }
  return best;
}

HFMODEL_API void hfm_softmax(const float *values, int64_t n, float *out) {
  double sum = 0;
  float top;
  if (!values || !out || n <= 0) return;
  top = values[hfm_argmax(values, n)];
  for (int64_t i = 0; i < n; i++) {
    out[i] = (float)exp((double)(values[i] - top));
    sum += (double)out[i];
  }
  for (int64_t i = 0; i < n; i++) out[i] = (float)((double)out[i] / sum);
}

HFMODEL_API int64_t hfm_top_k(const float *values, int64_t n, int64_t k, int64_t *indices, float *top) {
  int64_t count = 0;
  if (!values || !indices || !top || n <= 0 || k <= 0) return 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t at = count;
    if (count == k && !hfm__ranks_above(values[i], top[k - 1])) continue;
    if (count < k) count++;
    else at = k - 1;
    for (; at > 0 && hfm__ranks_above(values[i], top[at - 1]); at--) {
      top[at] = top[at - 1];
      indices[at] = indices[at - 1];
    }
    top[at] = values[i];
    indices[at] = i;
  }
  return count;
}

HFMODEL_API hfm_result hfm_mean_pool(const hfm_tensor *hidden, const hfm_tensor *mask, float *out, hfm_error *error) {
  int64_t batch, length, size;
  const float *row;
  hfm__clear_error(error);
  if (!hidden || !hidden->data || !out)
    return hfm__fail_null(error, out ? "hidden" : "out");
  if (hidden->rank != 3 || hidden->dtype != HFM_F32 || hidden->shape[0] < 0 || hidden->shape[1] < 0 ||
      hidden->shape[2] < 0)
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, "hidden", 0,
                     "hidden has shape %t, but must be float32 [batch, length, hidden]", hidden->shape,
                     (int)hidden->rank);
  batch = hidden->shape[0];
  length = hidden->shape[1];
  size = hidden->shape[2];
  if (mask && mask->data && (mask->rank != 2 || mask->shape[0] != batch || mask->shape[1] != length))
    return hfm__fail(error, HFM_E_INPUT_SHAPE, NULL, "mask", 0, "mask has shape %t, but must be [%i, %i]", mask->shape,
                     (int)mask->rank, batch, length);
  row = (const float *)hidden->data;
  for (int64_t b = 0; b < batch; b++) {
    float *sum = out + b * size;
    int64_t kept = 0;
    memset(sum, 0, (size_t)size * sizeof *sum);
    for (int64_t s = 0; s < length; s++, row += size) {
      if (mask && mask->data && !hfm__is_nonzero(mask, b * length + s)) continue;
      kept++;
      for (int64_t i = 0; i < size; i++) sum[i] += row[i];
    }
    for (int64_t i = 0; i < size && kept; i++) sum[i] /= (float)kept;
  }
  return HFM_OK;
}

HFMODEL_API void hfm_normalize(float *values, int64_t rows, int64_t n) {
  for (int64_t r = 0; values && r < rows; r++, values += n) {
    double sum = 0;
    float norm;
    for (int64_t i = 0; i < n; i++) sum += (double)values[i] * (double)values[i];
    norm = (float)HFM__MAX(sqrt(sum), 1e-12);
    for (int64_t i = 0; i < n; i++) values[i] /= norm;
  }
}

HFMODEL_API const char *hfm_version(void) { return HFM_VERSION; }

HFMODEL_API const char *hfm_result_name(hfm_result result) {
  static const char *const names[] = {"HFM_OK",
                                      "HFM_ERROR_ARGUMENT",
                                      "HFM_ERROR_MEMORY",
                                      "HFM_ERROR_IO",
                                      "HFM_ERROR_NOT_FOUND",
                                      "HFM_ERROR_FORMAT",
                                      "HFM_ERROR_UNSUPPORTED",
                                      "HFM_ERROR_LIMIT",
                                      "HFM_ERROR_SHAPE",
                                      "HFM_ERROR_STATE",
                                      "HFM_ERROR_CANCELLED"};
  return result >= 0 && (size_t)result < HFM__COUNT(names) ? names[result] : "unknown result";
}

HFMODEL_API const char *hfm_error_item_name(int32_t item) {
  static const char names[] =
#define HFM__ERROR_NAME(name, number, result) #name "\0"
      HFM_ERROR_ITEMS(HFM__ERROR_NAME);
#undef HFM__ERROR_NAME
  const char *name = names;
  for (size_t i = 0; i < HFM__COUNT(hfm__error_rows); i++, name += strlen(name) + 1)
    if (hfm__error_rows[i].number == item) return name;
  return item == 0 ? "NONE" : "unknown item";
}
