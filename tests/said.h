/* said.h: what the library warned of, for tests that look at it. */
#ifndef SAID_H
#define SAID_H

#include <stdio.h>
#include <string.h>

/* The warnings since the last listen_to, a line each. */
static char said[8192];

static void listen(void *ctx, int32_t level, int32_t item, const char *message) {
  const size_t length = strlen(said);
  (void)ctx;
  (void)item;
  if (level >= HFM_LOG_WARNING) snprintf(said + length, sizeof said - length, "%s\n", message);
}

static void listen_to(hfm_options *options) {
  options->log.write = listen;
  said[0] = 0;
}

#endif
