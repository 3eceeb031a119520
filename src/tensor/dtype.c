/* ==== tensor/dtype (private): one list of element types ========================================================
   X(name, safetensors name, torch name, short name in options or NULL, bits) */

#define HFM__DTYPE_LIST(X) \
  X(HFM_F32, "F32", "float32", "fp32", 32) \
  X(HFM_F16, "F16", "float16", "fp16", 16) \
  X(HFM_BF16, "BF16", "bfloat16", "bf16", 16) \
  X(HFM_F64, "F64", "float64", "fp64", 64) \
  X(HFM_I64, "I64", "int64", NULL, 64) \
  X(HFM_I32, "I32", "int32", NULL, 32) \
  X(HFM_I16, "I16", "int16", NULL, 16) \
  X(HFM_I8, "I8", "int8", NULL, 8) \
  X(HFM_U64, "U64", "uint64", NULL, 64) \
  X(HFM_U32, "U32", "uint32", NULL, 32) \
  X(HFM_U16, "U16", "uint16", NULL, 16) \
  X(HFM_U8, "U8", "uint8", NULL, 8) \
  X(HFM_BOOL, "BOOL", "bool", NULL, 8) \
  X(HFM_C64, "C64", "complex64", NULL, 64) \
  X(HFM_F8_E4M3, "F8_E4M3", "float8_e4m3fn", NULL, 8) \
  X(HFM_F8_E5M2, "F8_E5M2", "float8_e5m2", NULL, 8) \
  X(HFM_F8_E8M0, "F8_E8M0", "float8_e8m0fnu", NULL, 8) \
  X(HFM_F8_E4M3FNUZ, "F8_E4M3FNUZ", "float8_e4m3fnuz", NULL, 8) \
  X(HFM_F8_E5M2FNUZ, "F8_E5M2FNUZ", "float8_e5m2fnuz", NULL, 8) \
  X(HFM_F6_E2M3, "F6_E2M3", "float6_e2m3fn", NULL, 6) \
  X(HFM_F6_E3M2, "F6_E3M2", "float6_e3m2fn", NULL, 6) \
  X(HFM_F4, "F4", "float4_e2m1fn_x2", NULL, 4)

typedef struct hfm__dtype_row {
  hfm_dtype dtype;
  int32_t bits;
  const char *safetensors, *torch, *alias;
} hfm__dtype_row;

static const hfm__dtype_row hfm__dtypes[] = {
#define HFM__DTYPE_ROW(name, safetensors, torch, alias, bits) {name, bits, safetensors, torch, alias},
    HFM__DTYPE_LIST(HFM__DTYPE_ROW)
#undef HFM__DTYPE_ROW
};

HFM__PRIVATE const hfm__dtype_row *hfm__dtype_find(hfm_dtype dtype) {
  for (size_t i = 0; i < HFM__COUNT(hfm__dtypes); i++)
    if (hfm__dtypes[i].dtype == dtype) return &hfm__dtypes[i];
  return NULL;
}

HFMODEL_API const char *hfm_dtype_name(hfm_dtype dtype) {
  const hfm__dtype_row *row = hfm__dtype_find(dtype);
  return row ? row->torch : NULL;
}

HFMODEL_API int32_t hfm_dtype_bits(hfm_dtype dtype) {
  const hfm__dtype_row *row = hfm__dtype_find(dtype);
  return row ? row->bits : 0;
}

HFMODEL_API hfm_dtype hfm_dtype_from_name(const char *name) {
  if (!name) return HFM_DTYPE_AUTO;
  if (hfm__starts_with(name, "torch.")) name += 6;
  for (size_t i = 0; i < HFM__COUNT(hfm__dtypes); i++) {
    const hfm__dtype_row *row = &hfm__dtypes[i];
    if (hfm__equal(name, row->torch) || hfm__equal(name, row->safetensors) ||
        (row->alias && hfm__equal(name, row->alias)))
      return row->dtype;
  }
  return HFM_DTYPE_AUTO;
}

HFM__PRIVATE int hfm__is_float(hfm_dtype dtype) {
  return dtype == HFM_F32 || dtype == HFM_F16 || dtype == HFM_BF16 || dtype == HFM_F64;
}

/* Types that kernels read where they lie. */
HFM__PRIVATE int hfm__is_native(hfm_dtype dtype) { return dtype == HFM_F32 || dtype == HFM_F16 || dtype == HFM_BF16; }

/* ---- The tensor views of the public API ---- */

HFMODEL_API hfm_tensor hfm_tensor_i64(const int64_t *data, int64_t batch, int64_t length) {
  hfm_tensor t;
  memset(&t, 0, sizeof t);
  t.data = data;
  t.dtype = HFM_I64;
  t.rank = 2;
  t.shape[0] = batch;
  t.shape[1] = length;
  return t;
}

HFMODEL_API hfm_tensor hfm_tensor_f32(const float *data, int32_t rank, const int64_t *shape) {
  hfm_tensor t;
  memset(&t, 0, sizeof t);
  t.data = data;
  t.dtype = HFM_F32;
  t.rank = rank;
  for (int32_t i = 0; i < rank && i < HFM_MAX_RANK; i++) t.shape[i] = shape[i];
  return t;
}
