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

/* The file whose line begins at *pos, which moves behind it. 0 at the end, or where the line says nothing. */
static int fuzz_file_next(const uint8_t *data, size_t size, size_t *pos, fuzz_file *file) {
  const size_t reach = FUZZ_MIN(size - *pos, (size_t)FUZZ_FILE_NAME + 12);
  const uint8_t *newline = reach ? (const uint8_t *)memchr(data + *pos, '\n', reach) : NULL;
  const size_t line_end = newline ? (size_t)(newline - data) : 0;
  size_t length = 0, bytes = 0;
  if (!newline) return 0;
  while (*pos + length < line_end && data[*pos + length] != ' ' && length + 1 < FUZZ_FILE_NAME) length++;
  for (size_t i = *pos + length + 1; i < line_end && bytes < size; i++) {
    if (data[i] < '0' || data[i] > '9') return 0;
    bytes = bytes * 10 + (size_t)(data[i] - '0');
  }
  memcpy(file->name, data + *pos, length);
  file->name[length] = 0;
  file->line = *pos;
  file->begin = line_end + 1;
  file->end = file->begin + FUZZ_MIN(bytes, size - file->begin); /* beyond the end: what is left */
  *pos = file->end;
  return 1;
}

static size_t fuzz_files_read(const uint8_t *data, size_t size, fuzz_file *files) {
  size_t count = 0, pos = 0;
  while (count < FUZZ_FILES && fuzz_file_next(data, size, &pos, &files[count])) count++;
  return count;
}

#endif
