/* fuzz_files.h: several files in one input: "NAME SIZE\n", then SIZE bytes, and so on. */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include "fuzz.h"

enum { FUZZ_FILES = 12, FUZZ_FILE_NAME = 80 };

typedef struct fuzz_file {
  char name[FUZZ_FILE_NAME];
  size_t line; /* where its line begins; its bytes end where the next begins */
  size_t begin, end;
} fuzz_file;

/* What can't be understood ends the list; a size beyond the end is what is left. */
static size_t fuzz_files_read(const uint8_t *data, size_t size, fuzz_file *files) {
  size_t count = 0, pos = 0;
  while (count < FUZZ_FILES && pos < size) {
    const uint8_t *newline = (const uint8_t *)memchr(data + pos, '\n', HFM__MIN(size - pos, (size_t)FUZZ_FILE_NAME + 12));
    const size_t line_end = newline ? (size_t)(newline - data) : 0;
    fuzz_file *file = &files[count];
    size_t length = 0, bytes = 0, i;
    if (!newline) break;
    while (data[pos + length] != ' ' && pos + length < line_end && length + 1 < FUZZ_FILE_NAME) length++;
    for (i = pos + length + 1; i < line_end && bytes < size; i++) {
      if (data[i] < '0' || data[i] > '9') return count;
      bytes = bytes * 10 + (size_t)(data[i] - '0');
    }
    memcpy(file->name, data + pos, length);
    file->name[length] = 0;
    file->line = pos;
    file->begin = line_end + 1;
    file->end = file->begin + HFM__MIN(bytes, size - file->begin);
    pos = file->end;
    count++;
  }
  return count;
}

#endif
