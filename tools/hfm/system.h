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

#if defined(_WIN32)

static double seconds(void) {
  LARGE_INTEGER now, per_second;
  QueryPerformanceCounter(&now);
  QueryPerformanceFrequency(&per_second);
  return (double)now.QuadPart / (double)per_second.QuadPart;
}

static int stderr_is_terminal(void) { return _isatty(2) != 0; }

#else

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int stderr_is_terminal(void) { return isatty(2); }

#endif

/* A terminal that can do more than print one line after the other: TERM=dumb can't. */
static int stderr_is_screen(void) {
  const char *term = getenv("TERM");
  return stderr_is_terminal() && !(term && strcmp(term, "dumb") == 0);
}
