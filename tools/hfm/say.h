/* say.h: what a person reads: errors with a hint, warnings, a progress bar, numbers, text that comes from files. */

enum { EXIT_OK = 0, EXIT_BAD_INPUT = 1, EXIT_USAGE = 2 };

/* One line on stderr, whatever the names of files and tensors in it hold. */
static void say_line(const char *kind, const char *format, va_list args) {
  char line[2048];
  vsnprintf(line, sizeof line, format, args);
  hfm_companion_clean(line);
  fprintf(stderr, "hfm: %s: %s\n", kind, line);
}

/* Returns `status`, the exit code to end with. */
PRINTF_LIKE(2)
static int say_error(int status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  say_line("error", format, args);
  va_end(args);
  return status;
}

PRINTF_LIKE(1)
static void say_warning(const char *format, ...) {
  va_list args;
  va_start(args, format);
  say_line("warning", format, args);
  va_end(args);
}

/* What to try next, in the tool's own words, where the library's message doesn't already say it. */
static const char *hint_for(int32_t item) {
  switch (item) {
    case HFM_E_WEIGHT_MISMATCH: return "--ignore-mismatched-sizes initialises such weights anew";
    case HFM_E_MODEL_TYPE_UNKNOWN:
    case HFM_E_TASK_UNSUPPORTED: return "'hfm registry' lists what can be loaded; --task chooses among it";
    case HFM_E_WEIGHTS_NOT_FOUND: return "--random-weights needs only a config.json";
    case HFM_E_GGUF_UNSUPPORTED: return "'hfm info FILE' and 'hfm check FILE' take GGUF files";
    case HFM_E_INPUT_MISSING:
      return "--ids \"101 2023 102\", --image x.ppm or --inputs in.safetensors give a model inputs";
    default: return NULL;
  }
}

static int say_library_error(const hfm_error *error) {
  const char *hint = hint_for(error->item);
  say_error(EXIT_BAD_INPUT, "%s", error->message);
  if (hint) fprintf(stderr, "hint: %s\n", hint);
  return EXIT_BAD_INPUT;
}

static int out_of_memory(void) {
  return say_error(EXIT_BAD_INPUT, "out of memory");
}

/* A table in lines, with the heading in bold, as Transformers prints it. 0: a name in it would steer the terminal. */
static int say_table(const char *table) {
  const char *at = table;
  while (*at) {
    uint32_t code;
    if (strncmp(at, "\x1b[1m", 4) == 0 || strncmp(at, "\x1b[0m", 4) == 0) {
      at += 4;
    } else {
      at += hfm_companion_character(at, &code);
      if (hfm_companion_steers(code) && code != '\n' && code != '\t') return 0;
    }
  }
  fprintf(stderr, "%s\n", table);
  return 1;
}

/* For hfm_log: notes are for debugging, warnings for everybody. */
static void log_warning(void *ctx, int32_t level, int32_t item, const char *message) {
  (void)ctx;
  if (level < HFM_LOG_WARNING) return;
  if (item != HFM_E_WEIGHT_MISMATCH || !say_table(message)) say_warning("%s", message);
}

/* ---- A progress bar, on a terminal only, and only for what takes a while ----------------------------------- */

typedef struct progress_bar {
  double started, shown; /* seconds; shown is 0 as long as nothing is on the screen */
  int enabled;
} progress_bar;

static progress_bar progress_start(void) {
  progress_bar bar;
  bar.started = seconds();
  bar.shown = 0;
  bar.enabled = stderr_is_screen();
  return bar;
}

static int32_t progress_update(void *ctx, const char *stage, uint64_t done, uint64_t total, const char *unit) {
  static const char full[] = "##############################", rest[] = "..............................";
  const int width = (int)sizeof full - 1;
  progress_bar *bar = (progress_bar *)ctx;
  const double now = seconds();
  (void)unit;
  if (bar->enabled && total && now - bar->started > 0.25 && now - bar->shown > 0.05) {
    const double part = done < total ? (double)done / (double)total : 1;
    const int filled = (int)(part * width);
    fprintf(stderr, "\r  %-8s [%.*s%.*s] %3.0f %%", stage, filled, full, width - filled, rest, part * 100);
    fflush(stderr);
    bar->shown = now;
  }
  return 0;
}

static void progress_end(const progress_bar *bar) {
  if (bar->shown > 0) fprintf(stderr, "\r%60s\r", "");
}

/* ---- Text and numbers --------------------------------------------------------------------------------------- */

/* The first `most` characters of text from a file, which is `size` bytes and a NUL: what could steer a terminal is
   shown as '?'. Returns how many there were. */
static int print_beginning(const char *text, size_t size, int most) {
  const char *end = text + size;
  int n = 0;
  for (; text < end && n < most; n++) {
    uint32_t code;
    const size_t bytes = hfm_companion_character(text, &code);
    if (hfm_companion_steers(code)) putchar('?');
    else fwrite(text, 1, bytes, stdout);
    text += bytes;
  }
  if (text < end) printf("...");
  return n;
}

/* All of it, padded to `width`. */
static void print_text(const char *text, int width) {
  int n = print_beginning(text, strlen(text), INT_MAX);
  for (; n < width; n++) putchar(' ');
}

/* Bytes that are no UTF-8 become U+FFFD: JSON has no other way. */
static void print_json_bytes(const char *text, size_t size) {
  const char *end = text + size;
  putchar('"');
  while (text < end) {
    uint32_t code;
    const size_t bytes = hfm_companion_character(text, &code);
    if (code >= 0xd800 && code <= 0xdfff) printf("\\ufffd");
    else if (hfm_companion_steers(code)) printf("\\u%04x", (unsigned)code);
    else if (code == '"' || code == '\\') printf("\\%c", (int)code);
    else fwrite(text, 1, bytes, stdout);
    text += bytes;
  }
  putchar('"');
}

static void print_json_text(const char *text) {
  print_json_bytes(text, strlen(text));
}

static void print_json_field(const char *name, const char *text) {
  printf("  \"%s\": ", name);
  print_json_text(text);
  puts(",");
}

/* "109,483,778" */
static const char *with_commas(int64_t value, char *buffer, size_t size) {
  char digits[32];
  const int n = snprintf(digits, sizeof digits, "%" PRId64, value);
  size_t at = 0;
  for (int i = 0; i < n && at + 2 < size; i++) {
    buffer[at++] = digits[i];
    if (digits[i] != '-' && i + 1 < n && (n - i - 1) % 3 == 0) buffer[at++] = ',';
  }
  buffer[at] = 0;
  return buffer;
}

/* "437.9 MB": decimal, as Transformers counts. */
static const char *human_bytes(uint64_t bytes, char *buffer, size_t size) {
  static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
  double value = (double)bytes;
  int unit = 0;
  for (; value >= 1000 && unit < 4; unit++) value /= 1000;
  snprintf(buffer, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return buffer;
}

static void print_shape(const hfm_tensor *tensor) {
  putchar('[');
  for (int32_t i = 0; i < tensor->rank; i++) printf("%s%" PRId64, i ? ", " : "", tensor->shape[i]);
  putchar(']');
}

/* A name without its directories, on either kind of system. */
static const char *base_name(const char *path) {
  const char *name = path;
  for (; *path; path++) {
    if (*path == '/' || *path == '\\') name = path + 1;
  }
  return name;
}
