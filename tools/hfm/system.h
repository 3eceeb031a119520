/* system.h: the little that hfm wants from the operating system beyond C. */

#if defined(_WIN32)
#include <io.h>
#include <time.h>
#else
#include <time.h>
#include <unistd.h>
#endif
#include <sys/stat.h>

static double seconds(void) {
#if defined(_WIN32)
  struct timespec now;
  timespec_get(&now, TIME_UTC);
#else
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
#endif
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int stderr_is_terminal(void) {
#if defined(_WIN32)
  return _isatty(2) != 0;
#else
  return isatty(2);
#endif
}

static int is_regular_file(const char *path) {
  struct stat status;
#if defined(_WIN32)
  return stat(path, &status) == 0 && (status.st_mode & S_IFMT) == S_IFREG;
#else
  return stat(path, &status) == 0 && S_ISREG(status.st_mode);
#endif
}
