/* ==== base/io (private): files, from the system, the caller, or memory =========================================
   Above this line everything is an hfm_io. A file's size is taken once, when it is opened, and every later check is
   against that number. Only regular files are opened: a FIFO would hang, a device never end. */

#if !defined(HFMODEL_NO_STDIO)
#if defined(_WIN32)
#define HFM__IO_WIN32
#elif defined(__unix__) || defined(__APPLE__) || defined(__EMSCRIPTEN__) || defined(__HAIKU__)
#define HFM__IO_POSIX
#else
#define HFM__IO_STDIO
#endif
#endif

/* What an open function returns, and the item that it becomes. A caller's hfm_io may use the same values. */
HFM__PRIVATE hfm_result hfm__open_failed(hfm_error *error, hfm_result result, const char *name) {
  switch (result) {
    case HFM_ERROR_NOT_FOUND:
      return hfm__fail(error, HFM_E_FILE_NOT_FOUND, name, NULL, 0, "no such file");
    case HFM_ERROR_UNSUPPORTED:
      return hfm__fail(error, HFM_E_FILE_NOT_REGULAR, name, NULL, 0,
                       "not a regular file (a directory, device, pipe or socket): only regular files are read");
    case HFM_ERROR_LIMIT:
      return hfm__fail(error, HFM_E_FILE_TOO_LARGE, name, NULL, 0,
                       "larger than this build can open; compile with 64-bit file offsets (-D_FILE_OFFSET_BITS=64)");
    case HFM_ERROR_ARGUMENT:
      return hfm__fail(error, HFM_E_FILE_NAME, name, NULL, 0,
                       "not a usable file name: too long, or links that lead in a circle");
    case HFM_ERROR_MEMORY:
      return hfm__fail_memory(error, "an open file", 0);
    default:
      return hfm__fail(error, HFM_E_FILE_READ, name, NULL, 0,
                       "cannot be opened: check that you may read it (result %d)", (int)result);
  }
}

/* ---- POSIX ---- */

#ifdef HFM__IO_POSIX
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

typedef struct hfm__system_file {
  hfm__lock lock; /* of the file position: pread is hidden by -std=c99 */
  int fd;
  uint64_t size; /* when opened: the length of the map */
  void *map;
} hfm__system_file;

HFM__PRIVATE hfm_result hfm__errno_result(int code) {
  if (code == ENOENT || code == ENOTDIR) return HFM_ERROR_NOT_FOUND;
  if (code == ENAMETOOLONG || code == ELOOP) return HFM_ERROR_ARGUMENT;
  if (code == EOVERFLOW || code == EFBIG) return HFM_ERROR_LIMIT;
  if (code == ENXIO) return HFM_ERROR_UNSUPPORTED; /* a socket */
  return HFM_ERROR_IO;
}

HFM__PRIVATE hfm_result hfm__system_open(void *ctx, const char *name, void **out) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  const int saved = errno;
  hfm_result result = HFM_OK;
  hfm__system_file *file;
  struct stat status;
#ifdef O_CLOEXEC
  const int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
#else
  const int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0) (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
  if (fd < 0 || fstat(fd, &status) != 0) {
    result = hfm__errno_result(errno);
  } else if (!S_ISREG(status.st_mode)) {
    result = HFM_ERROR_UNSUPPORTED;
  } else {
    file = (hfm__system_file *)hfm__alloc_zero(mem, sizeof *file);
    if (file) {
      hfm__lock_init(&file->lock);
      file->fd = fd;
      file->size = (uint64_t)status.st_size;
      *out = file;
      errno = saved;
      return HFM_OK;
    }
    result = HFM_ERROR_MEMORY;
  }
  if (fd >= 0) close(fd);
  errno = saved;
  return result;
}

HFM__PRIVATE uint64_t hfm__system_size(void *ctx, void *handle) {
  const hfm__system_file *file = (const hfm__system_file *)handle;
  const int saved = errno;
  struct stat status;
  const int failed = fstat(file->fd, &status);
  (void)ctx;
  errno = saved;
  return failed ? 0 : (uint64_t)status.st_size;
}

HFM__PRIVATE hfm_result hfm__system_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size,
                                         size_t *got) {
  hfm__system_file *file = (hfm__system_file *)handle;
  const int saved = errno;
  hfm_result result = HFM_OK;
  ssize_t n = -1;
  (void)ctx;
  *got = 0;
  if (size > (size_t)1 << 30) size = (size_t)1 << 30;
  if ((uint64_t)(off_t)offset != offset || (off_t)offset < 0) return HFM_ERROR_LIMIT;
  hfm__lock_take(&file->lock);
  if (lseek(file->fd, (off_t)offset, SEEK_SET) >= 0) {
    do n = read(file->fd, dst, size);
    while (n < 0 && errno == EINTR);
  }
  hfm__lock_give(&file->lock);
  if (n < 0) result = HFM_ERROR_IO;
  else *got = (size_t)n;
  errno = saved;
  return result;
}

HFM__PRIVATE const void *hfm__system_map(void *ctx, void *handle) {
  hfm__system_file *file = (hfm__system_file *)handle;
  const int saved = errno;
  void *map;
  (void)ctx;
  if (file->map) return file->map;
  if (file->size == 0 || file->size > (uint64_t)PTRDIFF_MAX) return NULL;
  map = mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE, file->fd, 0);
  errno = saved;
  if (map == MAP_FAILED) return NULL;
  hfm__ask_huge_pages(map, file->size); /* then it is read in large pieces, and one page fault shows each */
  file->map = map;
  return map;
}

HFM__PRIVATE void hfm__system_close(void *ctx, void *handle) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file = (hfm__system_file *)handle;
  const int saved = errno;
  if (file->map) munmap(file->map, (size_t)file->size);
  close(file->fd);
  hfm__lock_free(&file->lock);
  hfm__free(mem, file, sizeof *file);
  errno = saved;
}

/* 1 if there is a directory (or, with `file_too`, a regular file) of that name. */
HFM__PRIVATE int hfm__system_exists(const char *name, int file_too) {
  const int saved = errno;
  struct stat status;
  const int found = stat(name, &status) == 0 && (S_ISDIR(status.st_mode) || (file_too && S_ISREG(status.st_mode)));
  errno = saved;
  return found;
}
#endif /* HFM__IO_POSIX */

/* ---- Windows ---- */

#ifdef HFM__IO_WIN32
#include <windows.h>

typedef struct hfm__system_file {
  HANDLE handle;
  HANDLE mapping;
  void *map;
} hfm__system_file;

enum { HFM__WIDE_PATH = 4096 };

/* Names are UTF-8, whatever the code page. */
HFM__PRIVATE int hfm__wide_name(const char *name, wchar_t wide[HFM__WIDE_PATH]) {
  return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, wide, HFM__WIDE_PATH) > 0;
}

HFM__PRIVATE hfm_result hfm__system_open(void *ctx, const char *name, void **out) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file;
  HANDLE handle;
  wchar_t wide[HFM__WIDE_PATH];
  if (!hfm__wide_name(name, wide)) return HFM_ERROR_ARGUMENT;
  handle = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_ATTRIBUTE_NORMAL, NULL);
  if (handle == INVALID_HANDLE_VALUE) {
    const DWORD code = GetLastError();
    const DWORD attributes = GetFileAttributesW(wide);
    if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) return HFM_ERROR_NOT_FOUND;
    if (code == ERROR_INVALID_NAME || code == ERROR_FILENAME_EXCED_RANGE) return HFM_ERROR_ARGUMENT;
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY)) return HFM_ERROR_UNSUPPORTED;
    return HFM_ERROR_IO;
  }
  if (GetFileType(handle) != FILE_TYPE_DISK) { /* a pipe, "CON", "NUL" */
    CloseHandle(handle);
    return HFM_ERROR_UNSUPPORTED;
  }
  file = (hfm__system_file *)hfm__alloc_zero(mem, sizeof *file);
  if (!file) {
    CloseHandle(handle);
    return HFM_ERROR_MEMORY;
  }
  file->handle = handle;
  *out = file;
  return HFM_OK;
}

HFM__PRIVATE uint64_t hfm__system_size(void *ctx, void *handle) {
  LARGE_INTEGER size;
  (void)ctx;
  return GetFileSizeEx(((hfm__system_file *)handle)->handle, &size) ? (uint64_t)size.QuadPart : 0;
}

HFM__PRIVATE hfm_result hfm__system_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size,
                                         size_t *got) {
  OVERLAPPED at; /* an explicit offset: reads from several threads don't disturb each other */
  DWORD n = 0;
  (void)ctx;
  *got = 0;
  memset(&at, 0, sizeof at);
  at.Offset = (DWORD)offset;
  at.OffsetHigh = (DWORD)(offset >> 32);
  if (size > (size_t)1 << 30) size = (size_t)1 << 30;
  if (!ReadFile(((hfm__system_file *)handle)->handle, dst, (DWORD)size, &n, &at))
    return GetLastError() == ERROR_HANDLE_EOF ? HFM_OK : HFM_ERROR_IO;
  *got = (size_t)n;
  return HFM_OK;
}

HFM__PRIVATE const void *hfm__system_map(void *ctx, void *handle) {
  hfm__system_file *file = (hfm__system_file *)handle;
  (void)ctx;
  if (file->map) return file->map;
  file->mapping = CreateFileMappingW(file->handle, NULL, PAGE_READONLY, 0, 0, NULL);
  if (!file->mapping) return NULL;
  file->map = MapViewOfFile(file->mapping, FILE_MAP_READ, 0, 0, 0);
  if (!file->map) {
    CloseHandle(file->mapping);
    file->mapping = NULL;
  }
  return file->map;
}

HFM__PRIVATE void hfm__system_close(void *ctx, void *handle) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file = (hfm__system_file *)handle;
  if (file->map) UnmapViewOfFile(file->map);
  if (file->mapping) CloseHandle(file->mapping);
  CloseHandle(file->handle);
  hfm__free(mem, file, sizeof *file);
}

HFM__PRIVATE int hfm__system_exists(const char *name, int file_too) {
  wchar_t wide[HFM__WIDE_PATH];
  DWORD attributes;
  if (!hfm__wide_name(name, wide)) return 0;
  attributes = GetFileAttributesW(wide);
  return attributes != INVALID_FILE_ATTRIBUTES && (file_too || (attributes & FILE_ATTRIBUTE_DIRECTORY));
}
#endif /* HFM__IO_WIN32 */

/* ---- Plain C ---- */

#ifdef HFM__IO_STDIO
#include <stdio.h>

typedef struct hfm__system_file {
  hfm__lock lock; /* of the file position */
  FILE *stream;
  uint64_t size;
} hfm__system_file;

HFM__PRIVATE hfm_result hfm__system_open(void *ctx, const char *name, void **out) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file;
  long size = -1;
  FILE *stream = fopen(name, "rb");
  if (!stream) return HFM_ERROR_NOT_FOUND;
  if (fseek(stream, 0, SEEK_END) == 0) size = ftell(stream);
  file = size < 0 || size == LONG_MAX ? NULL : (hfm__system_file *)hfm__alloc_zero(mem, sizeof *file);
  if (!file) {
    fclose(stream);
    return size < 0 ? HFM_ERROR_UNSUPPORTED : size == LONG_MAX ? HFM_ERROR_LIMIT : HFM_ERROR_MEMORY;
  }
  hfm__lock_init(&file->lock);
  file->stream = stream;
  file->size = (uint64_t)size;
  *out = file;
  return HFM_OK;
}

HFM__PRIVATE uint64_t hfm__system_size(void *ctx, void *handle) {
  (void)ctx;
  return ((hfm__system_file *)handle)->size;
}

HFM__PRIVATE hfm_result hfm__system_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size,
                                         size_t *got) {
  hfm__system_file *file = (hfm__system_file *)handle;
  hfm_result result = HFM_OK;
  (void)ctx;
  *got = 0;
  if (offset > (uint64_t)LONG_MAX) return HFM_ERROR_LIMIT;
  hfm__lock_take(&file->lock);
  if (fseek(file->stream, (long)offset, SEEK_SET) == 0) *got = fread(dst, 1, size, file->stream);
  else result = HFM_ERROR_IO;
  if (ferror(file->stream)) result = HFM_ERROR_IO;
  clearerr(file->stream);
  hfm__lock_give(&file->lock);
  return result;
}

HFM__PRIVATE void hfm__system_close(void *ctx, void *handle) {
  const hfm_allocator *mem = (const hfm_allocator *)ctx;
  hfm__system_file *file = (hfm__system_file *)handle;
  fclose(file->stream);
  hfm__lock_free(&file->lock);
  hfm__free(mem, file, sizeof *file);
}

/* Plain C knows no directories: whether a name is one is found out when a file in it is opened. */
HFM__PRIVATE int hfm__system_exists(const char *name, int file_too) {
  (void)name;
  (void)file_too;
  return 1;
}
#endif /* HFM__IO_STDIO */

/* The operating system's files. Its functions take the allocator as their ctx (hfm__io_ctx). */
HFM__PRIVATE hfm_io hfm__file_system(void) {
  hfm_io io;
  memset(&io, 0, sizeof io);
#ifndef HFMODEL_NO_STDIO
  io.open = hfm__system_open;
  io.size = hfm__system_size;
  io.read = hfm__system_read;
  io.close = hfm__system_close;
#ifndef HFM__IO_STDIO
  io.map = hfm__system_map;
#endif
#endif
  return io;
}

HFM__PRIVATE int hfm__is_file_system(const hfm__context *ctx) {
#ifndef HFMODEL_NO_STDIO
  return ctx->io.open == hfm__system_open;
#else
  (void)ctx;
  return 0;
#endif
}

HFM__PRIVATE void *hfm__io_ctx(const hfm__context *ctx) {
  return hfm__is_file_system(ctx) ? (void *)&ctx->mem : ctx->io.ctx;
}

/* ---- Files ---- */

typedef struct hfm__file {
  const hfm__context *ctx;
  char *name;
  void *handle;
  uint64_t size;      /* when it was opened */
  const uint8_t *map; /* the whole file, or NULL: read it */
} hfm__file;

HFM__PRIVATE void hfm__file_close(hfm__file *file) {
  if (file->handle) (file->ctx->io.close)(hfm__io_ctx(file->ctx), file->handle);
  if (file->name) hfm__free(&file->ctx->mem, file->name, strlen(file->name) + 1);
  memset(file, 0, sizeof *file);
}

/* Opens a regular file; maps it if asked to and possible. On failure *file is zero. */
HFM__PRIVATE hfm_result hfm__file_open(const hfm__context *ctx, const char *name, int want_map, hfm__file *file,
                                       hfm_error *error) {
  const size_t length = strlen(name);
  hfm_result result;
  memset(file, 0, sizeof *file);
  if (!ctx->io.open)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, name, "io", 0,
                     "this build has no file access (HFMODEL_NO_STDIO): set options.io or use hfm_from_memory");
  file->ctx = ctx;
  file->name = (char *)hfm__alloc(&ctx->mem, (uint64_t)length + 1);
  if (!file->name) return hfm__fail_memory(error, "a file name", (uint64_t)length + 1);
  memcpy(file->name, name, length + 1);
  result = (ctx->io.open)(hfm__io_ctx(ctx), name, &file->handle);
  if (result != HFM_OK) {
    file->handle = NULL;
    hfm__file_close(file);
    return hfm__open_failed(error, result, name);
  }
  file->size = ctx->io.size(hfm__io_ctx(ctx), file->handle);
  if (want_map && ctx->io.map && file->size && file->size <= (uint64_t)PTRDIFF_MAX)
    file->map = (const uint8_t *)ctx->io.map(hfm__io_ctx(ctx), file->handle);
  return HFM_OK;
}

/* Reads exactly `size` bytes. */
HFM__PRIVATE hfm_result hfm__file_read(const hfm__file *file, uint64_t offset, void *dst, uint64_t size,
                                       hfm_error *error) {
  uint8_t *out = (uint8_t *)dst;
  if (offset > file->size || size > file->size - offset || size > (uint64_t)PTRDIFF_MAX)
    return hfm__fail(error, HFM_E_FILE_READ, file->name, NULL, offset,
                     "%u bytes wanted at byte %u, but the file has only %u", size, offset, file->size);
  if (file->map) {
    if (size) memcpy(dst, file->map + offset, (size_t)size);
    return HFM_OK;
  }
  while (size) {
    size_t got = 0;
    const hfm_result result =
        (file->ctx->io.read)(hfm__io_ctx(file->ctx), file->handle, offset, out, (size_t)size, &got);
    if (result != HFM_OK)
      return hfm__fail(error, HFM_E_FILE_READ, file->name, NULL, offset,
                       "reading %u bytes at byte %u failed (result %d)", size, offset, (int)result);
    if (got == 0 || got > size)
      return hfm__fail(error, HFM_E_FILE_CHANGED, file->name, NULL, offset,
                       "the file ends at byte %u, but had %u bytes when it was opened", offset, file->size);
    out += got;
    offset += got;
    size -= got;
  }
  return HFM_OK;
}

/* `size` bytes at `offset` as memory that nobody changes: in *owned, which the caller frees (size bytes), or, with
   *owned NULL, where the caller's io has them. Not in a map of the system's: other processes may write to that between
   a check and the use of what was checked. */
HFM__PRIVATE hfm_result hfm__file_bytes(const hfm__file *file, uint64_t offset, uint64_t size, const uint8_t **bytes,
                                        uint8_t **owned, hfm_error *error) {
  hfm_result result;
  *owned = NULL;
  *bytes = NULL;
  if (offset > file->size || size > file->size - offset)
    return hfm__fail(error, HFM_E_FILE_READ, file->name, NULL, offset,
                     "%u bytes wanted at byte %u, but the file has only %u", size, offset, file->size);
  if (size == 0 || (file->map && !hfm__is_file_system(file->ctx))) {
    *bytes = size ? file->map + offset : (const uint8_t *)"";
    return HFM_OK;
  }
  *owned = (uint8_t *)hfm__alloc(&file->ctx->mem, size);
  if (!*owned) return hfm__fail_memory(error, "a part of a file", size);
  result = hfm__file_read(file, offset, *owned, size, error);
  if (result == HFM_OK) {
    *bytes = *owned;
  } else {
    hfm__free(&file->ctx->mem, *owned, size);
    *owned = NULL;
  }
  return result;
}

HFM__PRIVATE hfm_result hfm__file_is_tar(const hfm__file *file, int *is_tar, hfm_error *error) {
  uint8_t magic[5] = {0, 0, 0, 0, 0};
  const hfm_result result = file->size < 262 ? HFM_OK : hfm__file_read(file, 257, magic, 5, error);
  *is_tar = memcmp(magic, "ustar", 5) == 0;
  return result;
}

/* What people have under the name of a model's file, by its first bytes; "" where that says nothing. */
HFM__PRIVATE const char *hfm__file_guess(const uint8_t first[4]) {
  if (memcmp(first, "vers", 4) == 0)
    return " (it looks like a Git LFS pointer, which stands for the file: get it with git lfs pull or hf download)";
  if (first[0] == '<') return " (it looks like a web page: download the file itself)";
  if (memcmp(first, "PK\3\4", 4) == 0 || first[0] == 0x80)
    return " (it looks like what torch.save writes: its name should end in .bin)";
  return "";
}

/* An error if the file no longer has the size that all its checks were made against. */
HFM__PRIVATE hfm_result hfm__file_unchanged(const hfm__file *file, hfm_error *error) {
  const uint64_t now = file->ctx->io.size(hfm__io_ctx(file->ctx), file->handle);
  if (now == file->size) return HFM_OK;
  return hfm__fail(error, HFM_E_FILE_CHANGED, file->name, NULL, 0,
                   "the file has %u bytes now, but had %u when the model was loaded: load it again", now, file->size);
}

/* A whole small side file as NUL-terminated text; *text is the caller's (size + 1 bytes). */
HFM__PRIVATE hfm_result hfm__file_load(const hfm__context *ctx, const char *name, uint64_t cap, char **text,
                                       size_t *size, hfm_error *error) {
  hfm__file file;
  char *data;
  hfm_result result = hfm__file_open(ctx, name, 0, &file, error);
  *text = NULL;
  *size = 0;
  if (result != HFM_OK) return result;
  if (file.size > cap || file.size >= (uint64_t)PTRDIFF_MAX) {
    result = hfm__fail(error, HFM_E_FILE_TOO_LARGE, name, NULL, cap,
                       "%u bytes, but at most %u are read of such a file (options.limits)", file.size, cap);
    hfm__file_close(&file);
    return result;
  }
  hfm__budget_extend(ctx, file.size + 1);
  data = (char *)hfm__alloc(&ctx->mem, file.size + 1);
  result = data ? hfm__file_read(&file, 0, data, file.size, error)
                : hfm__fail_memory(error, "the text of a file", file.size + 1);
  if (result == HFM_OK) {
    data[file.size] = 0;
    *text = data;
    *size = (size_t)file.size;
  } else {
    hfm__free(&ctx->mem, data, file.size + 1);
  }
  hfm__file_close(&file);
  return result;
}

/* "a/b", allocated (strlen + 1 bytes). Either part may be empty. NULL when out of memory. */
HFM__PRIVATE char *hfm__join_path(const hfm_allocator *mem, const char *dir, const char *name) {
  const size_t n = strlen(dir), m = strlen(name);
  const size_t slash = n && m && dir[n - 1] != '/' ? 1 : 0;
  char *path = (char *)hfm__alloc(mem, (uint64_t)n + slash + m + 1);
  if (!path) return NULL;
  memcpy(path, dir, n);
  if (slash) path[n] = '/';
  memcpy(path + n + slash, name, m + 1);
  return path;
}

/* A path's last part. */
HFM__PRIVATE const char *hfm__file_part(const char *path) {
  const char *part = path;
  for (; *path; path++)
    if (*path == '/' || *path == '\\') part = path + 1;
  return part;
}

HFM__PRIVATE void hfm__free_text(const hfm_allocator *mem, char *text) {
  if (text) hfm__free(mem, text, strlen(text) + 1);
}

/* ---- Memory ---- */

/* Files that the caller holds; hfm_io.ctx of hfm__memory_io points to this. */
typedef struct hfm__memory_files {
  const hfm_memory_file *files;
  size_t count;
} hfm__memory_files;

HFM__PRIVATE hfm_result hfm__memory_open(void *ctx, const char *name, void **file) {
  const hfm__memory_files *all = (const hfm__memory_files *)ctx;
  for (size_t i = 0; i < all->count; i++) {
    if (hfm__equal(all->files[i].name, name)) {
      *file = (void *)&all->files[i];
      return HFM_OK;
    }
  }
  return HFM_ERROR_NOT_FOUND;
}

HFM__PRIVATE uint64_t hfm__memory_size(void *ctx, void *file) {
  (void)ctx;
  return ((const hfm_memory_file *)file)->size;
}

HFM__PRIVATE hfm_result hfm__memory_read(void *ctx, void *handle, uint64_t offset, void *dst, size_t size,
                                         size_t *got) {
  const hfm_memory_file *file = (const hfm_memory_file *)handle;
  (void)ctx;
  *got = offset >= file->size ? 0 : (size_t)HFM__MIN((uint64_t)size, file->size - offset);
  if (*got) memcpy(dst, (const uint8_t *)file->data + offset, *got);
  return HFM_OK;
}

HFM__PRIVATE const void *hfm__memory_map(void *ctx, void *file) {
  (void)ctx;
  return ((const hfm_memory_file *)file)->data;
}

HFM__PRIVATE void hfm__memory_close(void *ctx, void *file) {
  (void)ctx;
  (void)file;
}

/* `files` must live as long as the io. The directory's name is "": names are those of the files. */
HFM__PRIVATE hfm_io hfm__memory_io(hfm__memory_files *files) {
  hfm_io io;
  io.ctx = files;
  io.open = hfm__memory_open;
  io.size = hfm__memory_size;
  io.read = hfm__memory_read;
  io.map = hfm__memory_map;
  io.close = hfm__memory_close;
  return io;
}
