/* hfm_companion.h: the two things that the companions of hfmodel.h share: filling an hfm_error by a printf format, and
   reading a whole file. The companions include it; so can a program that wants only these. */
#ifndef HFM_COMPANION_H
#define HFM_COMPANION_H

#include "hfmodel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define HFM_COMPANION_FORMAT(at) __attribute__((unused, format(printf, at, (at) + 1)))
#define HFM_COMPANION_UNUSED __attribute__((unused))
#else
#define HFM_COMPANION_FORMAT(at)
#define HFM_COMPANION_UNUSED
#endif

/* Fills *error (which may be NULL) and returns `code`. Bytes that no terminal should see become '?'. */
HFM_COMPANION_FORMAT(6)
static hfm_result hfm_companion_fail(hfm_error *error, hfm_result code, int32_t item, const char *file,
                                     const char *what, const char *format, ...) {
  va_list args;
  char *c;
  if (!error) return code;
  memset(error, 0, sizeof *error);
  error->code = code;
  error->item = item;
  snprintf(error->file, sizeof error->file, "%s", file ? file : "");
  snprintf(error->what, sizeof error->what, "%s", what ? what : "");
  va_start(args, format);
  vsnprintf(error->message, sizeof error->message, format, args);
  va_end(args);
  for (c = error->message; *c; c++) {
    if ((unsigned char)*c < 0x20 || (unsigned char)*c == 0x7f) *c = '?';
  }
  return code;
}

/* Reads a whole file, or a pipe, into *bytes (malloc; yours to free), with a NUL behind its *size bytes. Memory grows
   with what has really been read: a file that lies about its length costs nothing. */
HFM_COMPANION_UNUSED static hfm_result hfm_companion_load(const char *path, unsigned char **bytes, size_t *size,
                                                          hfm_error *error) {
  size_t room = 1 << 16, used = 0;
  unsigned char *data = NULL;
  FILE *file = fopen(path, "rb");
  hfm_result result = HFM_OK;
  *bytes = NULL;
  *size = 0;
  if (!file) {
    const int absent = errno == ENOENT;
    return hfm_companion_fail(error, absent ? HFM_ERROR_NOT_FOUND : HFM_ERROR_IO,
                              absent ? HFM_E_FILE_NOT_FOUND : HFM_E_FILE_READ, path, "", "%s: can't be opened: %s",
                              path, strerror(errno));
  }
  for (;;) {
    unsigned char *grown = (unsigned char *)realloc(data, room);
    if (!grown) {
      result = hfm_companion_fail(error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, path, "", "%s: out of memory", path);
      break;
    }
    data = grown;
    used += fread(data + used, 1, room - 1 - used, file);
    if (used < room - 1) break;
    room *= 2;
  }
  if (!result && ferror(file)) {
    result = hfm_companion_fail(error, HFM_ERROR_IO, HFM_E_FILE_READ, path, "", "%s: can't be read: %s", path,
                                strerror(errno));
  }
  fclose(file);
  if (result) {
    free(data);
    return result;
  }
  data[used] = 0;
  *bytes = data;
  *size = used;
  return HFM_OK;
}

#undef HFM_COMPANION_UNUSED
#undef HFM_COMPANION_FORMAT

#endif /* HFM_COMPANION_H */
