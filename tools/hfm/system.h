/* system.h: the little that hfm wants from the operating system beyond C. */

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#include <io.h>
#else
#include <time.h>
#include <unistd.h>
#endif
#include <sys/stat.h>

#if defined(_WIN32)

static double seconds(void) {
  LARGE_INTEGER now, per_second;
  QueryPerformanceCounter(&now);
  QueryPerformanceFrequency(&per_second);
  return (double)now.QuadPart / (double)per_second.QuadPart;
}

static int stderr_is_terminal(void) { return _isatty(2) != 0; }

static int is_regular_file(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && (status.st_mode & S_IFMT) == S_IFREG;
}

#else

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int stderr_is_terminal(void) { return isatty(2); }

static int is_regular_file(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

#endif
