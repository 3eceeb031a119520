/* find_tensor.h: a tensor of an open checkpoint by its name. */
#ifndef FIND_TENSOR_H
#define FIND_TENSOR_H

/* NULL if there is none of that name. */
CHECK_UNUSED static const hfm__file_tensor *find_tensor(const hfm__checkpoint *ckpt, const char *name) {
  for (size_t i = 0; i < ckpt->count; i++)
    if (strcmp(ckpt->tensors[i].name, name) == 0) return &ckpt->tensors[i];
  return NULL;
}

#endif
