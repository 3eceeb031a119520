/* error_table.h: a table of errors as a test brings them about, and all that a person gets of each: item, file, tensor
   or key, byte, and the message below them. Each message says what was expected, what was found, and what to do where
   something can be done. Included after check.h.

     row(hfm_...(..., &error), &error);
     compare_table("error_files");   // with tests/unit/error_files.txt; a text that changed fails, and the new table
                                     // is then in build/error_files.txt, to be read and copied

   tests/compile/messages.sh looks for the items and the messages that no table has. */
#ifndef ERROR_TABLE_H
#define ERROR_TABLE_H

#include <stdio.h>
#include <string.h>

#include "load_file.h"

static char table[131072];
static size_t made; /* bytes of it */

static hfm_result result_of(int32_t item) {
  switch (item) {
#define ITEM(name, number, result) case number: return result;
    HFM_ERROR_ITEMS(ITEM)
#undef ITEM
    default: return HFM_OK;
  }
}

static void row(hfm_result result, const hfm_error *error) {
  if (!CHECK(result != HFM_OK) || !CHECK(error->item > 0)) return;
  CHECK_INT(error->code, result);
  CHECK_INT(error->code, result_of(error->item));
  /* the file, if there is one, and what it is about, unless it was put otherwise */
  CHECK_CONTAINS(error->message, error->file);
  made += (size_t)snprintf(table + made, sizeof table - made, "%s | %s | %s | %llu\n    %s\n",
                           hfm_error_item_name(error->item), error->file, error->what,
                           (unsigned long long)error->offset, error->message);
  if (!CHECK(made < sizeof table)) made = 0;
}

/* Line by line, so that a failure shows the line. */
static void compare_table(const char *name) {
  char path[64], *text;
  size_t size;
  FILE *file;
  snprintf(path, sizeof path, "build/%s.txt", name);
  file = fopen(path, "wb");
  if (file) {
    fputs(table, file);
    fclose(file);
  }
  snprintf(path, sizeof path, "tests/unit/%s.txt", name);
  text = load_file(path, &size);
  if (!text) return;
  for (const char *a = table, *b = text; *a || *b;) {
    char got[1024], want[1024];
    const size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
    snprintf(got, sizeof got, "%.*s", (int)n, a);
    snprintf(want, sizeof want, "%.*s", (int)m, b);
    if (!CHECK_STR(got, want)) break;
    a += n + (a[n] != 0);
    b += m + (b[m] != 0);
  }
  free(text);
}

/* ---- Models ---- */

/* A directory of tests/models/, and what its configuration says instead. */
typedef struct change {
  const char *dir, *changes[7];
  hfm_task task;
} change;

/* `random`: without the weights. */
CHECK_UNUSED static hfm_result open_changed(const change *c, hfm_options options, int random, hfm_model **model,
                                            hfm_error *error) {
  char path[64];
  hfm_config *config = NULL;
  hfm_result result;
  snprintf(path, sizeof path, "tests/models/%s", c->dir);
  CHECK_INT(hfm_config_from_pretrained(path, NULL, &config, error), HFM_OK);
  for (const char *const *p = c->changes; *p; p += 2) CHECK_INT(hfm_config_set_json(config, p[0], p[1], error), HFM_OK);
  options.config = config;
  options.task = c->task;
  result = random ? hfm_from_config(config, &options, model, error) : hfm_from_pretrained(path, &options, model, error);
  hfm_config_free(config);
  return result;
}

/* A file of tests/models/ under another name; the caller frees what is returned. */
CHECK_UNUSED static char *load_as(hfm_memory_file *file, const char *name, const char *path) {
  size_t size;
  char *bytes = load_file(path, &size);
  file->name = name;
  file->data = bytes;
  file->size = size;
  return bytes;
}

#endif
