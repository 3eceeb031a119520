/* find_tensor.h: a tensor of an open checkpoint by its name, and where its elements are. */
#ifndef FIND_TENSOR_H
#define FIND_TENSOR_H

/* NULL if there is none of that name. */
CHECK_UNUSED static const hfm__file_tensor *find_tensor(const hfm__checkpoint *ckpt, const char *name) {
  for (size_t i = 0; i < ckpt->count; i++)
    if (strcmp(ckpt->tensors[i].name, name) == 0) return &ckpt->tensors[i];
  return NULL;
}

/* In elements, also where it is contiguous. */
CHECK_UNUSED static int64_t stride_of(const hfm__file_tensor *tensor, int32_t dimension) {
  int64_t stride = 1;
  if (!tensor->contiguous) return tensor->stride[dimension];
  for (int32_t d = dimension + 1; d < tensor->rank; d++) stride *= tensor->shape[d];
  return stride;
}

#endif
