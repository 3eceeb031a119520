/* hfm_companion.h: what the companions of hfmodel.h share: filling an hfm_error by a printf format, text that a
   terminal may see, and reading a whole file, or a JSON one. The companions include it; so can a program that wants
   only these. */
#ifndef HFM_COMPANION_H
#define HFM_COMPANION_H

#include "hfmodel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#if defined(__GNUC__) || defined(__clang__)
#define HFM_COMPANION_FORMAT(at) __attribute__((unused, format(printf, at, (at) + 1)))
#define HFM_COMPANION_UNUSED __attribute__((unused))
#else
#define HFM_COMPANION_FORMAT(at)
#define HFM_COMPANION_UNUSED
#endif

#if defined(S_ISREG) /* POSIX; Microsoft's headers have only the masks */
#define HFM_COMPANION_IS(what, mode) S_IS##what(mode)
#else
#define HFM_COMPANION_IS(what, mode) (((mode) & S_IFMT) == S_IF##what)
#endif

/* JSON that goes with a model (preprocessor_config.json and the like): as much as the library takes of config.json. */
#define HFM_COMPANION_MAX_JSON ((size_t)16 << 20)

/* ---- Text ---------------------------------------------------------------------------------------------------- */

/* The character at `text` and how many bytes it has. A byte that is no UTF-8 counts as a character of its own, U+DC00 +
   byte, as Python's surrogateescape has it. */
HFM_COMPANION_UNUSED static size_t hfm_companion_character(const char *text, uint32_t *code) {
  static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
  const unsigned char *byte = (const unsigned char *)text;
  const size_t size = *byte < 0x80 ? 1 : *byte < 0xc0 ? 0 : *byte < 0xe0 ? 2 : *byte < 0xf0 ? 3 : *byte < 0xf8 ? 4 : 0;
  size_t i = 1;
  *code = size > 1 ? *byte & (0xffu >> (size + 1)) : *byte;
  for (; i < size && (byte[i] & 0xc0) == 0x80; i++) *code = *code << 6 | (byte[i] & 0x3fu);
  if (i == size && *code >= least[size] && *code < 0x110000 && (*code < 0xd800 || *code > 0xdfff)) return size;
  *code = 0xdc00u + *byte;
  return 1;
}

/* Could this character steer a terminal, or hide what a line really says? Controls (C0, DEL, C1), what separates lines
   or turns the direction of text, and bytes that are no UTF-8. */
HFM_COMPANION_UNUSED static int hfm_companion_steers(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || (code >= 0xd800 && code <= 0xdfff);
}

/* Replaces such characters by '?', in place. */
HFM_COMPANION_UNUSED static void hfm_companion_clean(char *text) {
  char *to = text;
  while (*text) {
    uint32_t code;
    const size_t size = hfm_companion_character(text, &code);
    if (hfm_companion_steers(code)) *to++ = '?';
    else memmove(to, text, size), to += size;
    text += size;
  }
  *to = 0;
}

/* Fills *error (which may be NULL) and returns `code`. */
HFM_COMPANION_FORMAT(6)
static hfm_result hfm_companion_fail(hfm_error *error, hfm_result code, int32_t item, const char *file,
                                     const char *what, const char *format, ...) {
  va_list args;
  if (!error) return code;
  memset(error, 0, sizeof *error);
  error->code = code;
  error->item = item;
  snprintf(error->file, sizeof error->file, "%s", file ? file : "");
  snprintf(error->what, sizeof error->what, "%s", what ? what : "");
  va_start(args, format);
  vsnprintf(error->message, sizeof error->message, format, args);
  va_end(args);
  hfm_companion_clean(error->message);
  return code;
}

/* ---- Files ---------------------------------------------------------------------------------------------------- */

/* What is there under a name? */
enum { HFM_COMPANION_ABSENT = 0, HFM_COMPANION_FILE = 1, HFM_COMPANION_DIRECTORY = 2, HFM_COMPANION_OTHER = 3 };

HFM_COMPANION_UNUSED static int hfm_companion_kind(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) return errno == ENOENT || errno == ENOTDIR ? HFM_COMPANION_ABSENT : HFM_COMPANION_OTHER;
  if (HFM_COMPANION_IS(REG, status.st_mode)) return HFM_COMPANION_FILE;
  return HFM_COMPANION_IS(DIR, status.st_mode) ? HFM_COMPANION_DIRECTORY : HFM_COMPANION_OTHER;
}

/* Reads a whole file of at most `most` bytes into *bytes (malloc; yours to free), with a NUL behind its *size bytes.
   Only a regular file is opened: a FIFO would wait for ever, a device has no end. Memory grows with what has really
   been read: a file that lies about its length costs nothing. */
HFM_COMPANION_UNUSED static hfm_result hfm_companion_load(const char *path, size_t most, unsigned char **bytes,
                                                          size_t *size, hfm_error *error) {
  const int kind = hfm_companion_kind(path);
  size_t room = 1 << 16, used = 0;
  unsigned char *data = NULL;
  FILE *file;
  hfm_result result = HFM_OK;
  *bytes = NULL;
  *size = 0;
  if (kind == HFM_COMPANION_ABSENT) {
    return hfm_companion_fail(error, HFM_ERROR_NOT_FOUND, HFM_E_FILE_NOT_FOUND, path, "", "%s: no such file", path);
  }
  if (kind == HFM_COMPANION_DIRECTORY || kind == HFM_COMPANION_OTHER) {
    return hfm_companion_fail(error, HFM_ERROR_IO, HFM_E_FILE_NOT_REGULAR, path, "",
                              "%s: expected a regular file, found %s", path,
                              kind == HFM_COMPANION_DIRECTORY ? "a directory" : "something else");
  }
  file = fopen(path, "rb");
  if (!file) {
    return hfm_companion_fail(error, HFM_ERROR_IO, HFM_E_FILE_READ, path, "", "%s: can't be opened: %s", path,
                              strerror(errno));
  }
  for (;;) {
    unsigned char *grown = (unsigned char *)realloc(data, room);
    if (!grown) {
      result = hfm_companion_fail(error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, path, "", "%s: out of memory", path);
      break;
    }
    data = grown;
    used += fread(data + used, 1, room - 1 - used, file);
    if (used > most) {
      result = hfm_companion_fail(error, HFM_ERROR_LIMIT, HFM_E_FILE_TOO_LARGE, path, "",
                                  "%s: too large: expected at most %.0f bytes", path, (double)most);
      break;
    }
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

/* Reads a JSON file as a document: hfm_config_free. Every error names the file. */
HFM_COMPANION_UNUSED static hfm_result hfm_companion_load_json(const char *path, hfm_config **document,
                                                               hfm_error *error) {
  unsigned char *text;
  size_t size;
  hfm_error why;
  hfm_result result = hfm_companion_load(path, HFM_COMPANION_MAX_JSON, &text, &size, error);
  *document = NULL;
  if (result) return result;
  result = hfm_config_parse((const char *)text, size, NULL, document, &why);
  free(text);
  if (!result) return HFM_OK;
  hfm_companion_fail(error, result, why.item, path, why.what, "%s: %s", path, why.message);
  if (error) error->offset = why.offset;
  return result;
}

#undef HFM_COMPANION_IS
#undef HFM_COMPANION_UNUSED
#undef HFM_COMPANION_FORMAT

#endif /* HFM_COMPANION_H */
