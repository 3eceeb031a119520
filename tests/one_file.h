/* one_file.h: bytes as a file that hfm_io serves, for the tests of readers. */
#ifndef ONE_FILE_H
#define ONE_FILE_H

#include "memory_io.h"

typedef struct one_file {
  hfm_memory_file file;
  memory_files files;
} one_file;

/* For options.io: the file `name` and no other. It and the bytes must outlive what is opened. */
static hfm_io one_file_io(one_file *f, const char *name, const void *bytes, size_t size) {
  f->file.name = name;
  f->file.data = bytes;
  f->file.size = size;
  f->files.files = &f->file;
  f->files.count = 1;
  return memory_io(&f->files);
}

#endif
