/* support.h: what the tests of the tool share: build/hfm run with some words, what it printed, files for it to read.
   The including program defines WORK, the beginning of the names of its own files below build/. */
#ifndef TOOL_SUPPORT_H
#define TOOL_SUPPORT_H

#define MODELS "tests/models/"

static char *out_text, *err_text; /* of the last run */

CHECK_UNUSED static char *slurp(const char *path) {
  unsigned char *bytes;
  size_t size;
  return hfm_companion_load(path, 1 << 24, &bytes, &size, NULL) ? NULL : (char *)bytes;
}

CHECK_UNUSED static int shell(const char *command) {
  const int status = system(command);
  return status < 0 ? -1 : status >> 8 & 255;
}

/* Runs build/hfm with these words and returns its exit code. */
CHECK_UNUSED static int hfm(const char *words) {
  char command[1024];
  snprintf(command, sizeof command, "build/hfm %s >" WORK "out 2>" WORK "err </dev/null", words);
  const int status = shell(command);
  free(out_text);
  free(err_text);
  out_text = slurp(WORK "out");
  err_text = slurp(WORK "err");
  return status;
}

CHECK_UNUSED static int lines_of(const char *text) {
  int lines = 0;
  for (; text && *text; text++) lines += *text == '\n';
  return lines;
}

/* An error is one line that begins so, on stderr; nothing is on stdout. A hint may follow it. */
CHECK_UNUSED static void check_error(const char *words, int code, const char *part) {
  if (!CHECK_INT(hfm(words), code)) printf("  hfm %s\n", words);
  if (!CHECK(err_text && strncmp(err_text, "hfm: error: ", 12) == 0) ||
      !CHECK(lines_of(err_text) == 1 || (lines_of(err_text) == 2 && strstr(err_text, "\nhint: ")))) {
    printf("  hfm %s\n  %s\n", words, err_text);
  }
  CHECK_CONTAINS(err_text, part);
  CHECK_STR(out_text, "");
}

CHECK_UNUSED static void check_good(const char *words, const char *part) {
  if (!CHECK_INT(hfm(words), 0)) printf("  hfm %s\n  %s\n", words, err_text);
  CHECK_CONTAINS(out_text, part);
}

CHECK_UNUSED static hfm_config *json_of(const char *text) {
  hfm_config *config = NULL;
  hfm_error error;
  if (text && hfm_config_parse(text, strlen(text), NULL, &config, &error)) printf("  %s\n", error.message);
  CHECK(config != NULL);
  return config;
}

CHECK_UNUSED static void put_file(const char *path, const char *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  if (CHECK(file != NULL)) {
    fwrite(bytes, 1, size, file);
    fclose(file);
  }
}

/* Every expected tensor came out with --output WORK "safetensors", within the tolerance. */
CHECK_UNUSED static void check_outputs(const char *words, const char *expected, double tolerance) {
  hfm_tensors got, want;
  hfm_error error;
  check_good(words, "");
  if (!CHECK_INT(hfm_tensors_read(WORK "safetensors", &got, &error), HFM_OK)) return;
  if (CHECK_INT(hfm_tensors_read(expected, &want, &error), HFM_OK)) {
    CHECK(want.count > 0);
    for (size_t i = 0; i < want.count; i++) {
      const hfm_tensor *w = &want.items[i].tensor, *g = hfm_tensors_find(&got, want.items[i].name);
      if (!CHECK(g && g->dtype == HFM_F32 && g->rank == w->rank)) {
        printf("  %s\n", want.items[i].name);
        continue;
      }
      CHECK(memcmp(g->shape, w->shape, sizeof w->shape) == 0);
      CHECK_ALL_NEAR((const float *)g->data, (const float *)w->data, hfm_tensors_bytes(w) / 4, tolerance, 1e-5);
    }
    hfm_tensors_free(&want);
  }
  hfm_tensors_free(&got);
  remove(WORK "safetensors");
}
#define OUTPUT " --output " WORK "safetensors "

CHECK_UNUSED static int tool_is_built(void) {
  const int built = hfm_companion_kind("build/hfm") == HFM_COMPANION_FILE;
  if (!built) SKIP("build/hfm is not built");
  return built;
}

CHECK_UNUSED static void clean_up(void) {
  free(out_text);
  free(err_text);
  remove(WORK "out");
  remove(WORK "err");
}

#endif
