/* posix.h: HAS_POSIX, and what comes with it: FIFOs, links, folders, environment variables, threads. Included first:
   what the C library's headers declare is fixed by whichever of them comes first. */
#ifndef TESTS_POSIX_H
#define TESTS_POSIX_H

#if defined(__unix__) || defined(__APPLE__)
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#define HAS_POSIX 1
#else
#define HAS_POSIX 0
#endif

#endif
