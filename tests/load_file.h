/* load_file.h: a whole file in memory. Included after check.h. */
#ifndef LOAD_FILE_H
#define LOAD_FILE_H

#include <stdlib.h>

/* The caller frees it; a NUL stands behind the *size bytes. NULL, and a failed check, where it can't be read. */
CHECK_UNUSED static char *load_file(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  char *bytes = NULL;
  long end = -1;
  *size = 0;
  if (f && fseek(f, 0, SEEK_END) == 0 && (end = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0)
    bytes = (char *)calloc((size_t)end + 1, 1);
  if (bytes) *size = fread(bytes, 1, (size_t)end, f);
  if (f) fclose(f);
  if (!CHECK(bytes != NULL && *size == (size_t)end)) printf("    %s\n", path);
  return bytes;
}

#endif
