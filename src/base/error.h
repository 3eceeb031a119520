/* ==== base/error (private): filling an hfm_error ============================================================== */

typedef struct hfm__error_row {
  int16_t number, result;
} hfm__error_row;
static const hfm__error_row hfm__error_rows[] = {
#define HFM__ERROR_ROW(name, number, result) {number, result},
    HFM_ERROR_ITEMS(HFM__ERROR_ROW)
#undef HFM__ERROR_ROW
};

HFM__PRIVATE hfm_result hfm__item_result(int32_t item) {
  for (size_t i = 0; i < HFM__COUNT(hfm__error_rows); i++)
    if (hfm__error_rows[i].number == item) return hfm__error_rows[i].result;
  return HFM_ERROR_ARGUMENT;
}

HFM__PRIVATE void hfm__clear_error(hfm_error *error) {
  if (error) memset(error, 0, sizeof *error);
}

/* A long path keeps its end: that is where the file's name is. What a terminal would obey, and what is no UTF-8,
   becomes '?'. */
HFM__PRIVATE void hfm__copy_tail(char *dst, size_t size, const char *text) {
  const size_t n = strlen(text);
  hfm__text t = hfm__text_to(dst, size);
  size_t i = 0;
  if (n >= size) {
    hfm__text_str(&t, "...");
    i = n - (size - 4);
  }
  while (i < n) {
    const size_t length = hfm__utf8_length(text + i, n - i);
    if (length && !hfm__is_control((const uint8_t *)text + i, length)) hfm__text_bytes(&t, text + i, length);
    else hfm__text_char(&t, '?');
    i += HFM__MAX(length, 1);
  }
}

/* Fills `error` (which may be NULL), all but its message, and returns the result that belongs to the item. `file` and
   `what` may be NULL. */
HFM__PRIVATE hfm_result hfm__fail_item(hfm_error *error, int32_t item, const char *file, const char *what,
                                       uint64_t offset) {
  const hfm_result result = hfm__item_result(item);
  if (!error) return result;
  hfm__clear_error(error);
  error->code = result;
  error->item = item;
  error->offset = offset;
  if (file) hfm__copy_tail(error->file, sizeof error->file, file);
  if (what) hfm__copy_tail(error->what, sizeof error->what, what);
  return result;
}

/* With the message "file: text", or "text" where no file is involved; a path gives way to the text, from the left. */
HFM__PRIVATE hfm_result hfm__fail(hfm_error *error, int32_t item, const char *file, const char *what, uint64_t offset,
                                  const char *format, ...) {
  const hfm_result result = hfm__fail_item(error, item, file, what, offset);
  hfm__text t;
  va_list args;
  if (!error) return result;
  if (file && *file) {
    enum { LEAST = 48 };
    const size_t room = sizeof error->message;
    t = hfm__text_to(NULL, 0);
    va_start(args, format);
    hfm__text_vformat(&t, format, args);
    va_end(args);
    hfm__copy_tail(error->message, t.length + 2 + sizeof error->file <= room ? sizeof error->file
                                   : t.length + 2 + LEAST > room             ? (size_t)LEAST
                                                                             : room - t.length - 2,
                   file);
  }
  t.data = error->message;
  t.size = sizeof error->message;
  t.length = strlen(error->message);
  if (file && *file) hfm__text_str(&t, ": ");
  va_start(args, format);
  hfm__text_vformat(&t, format, args);
  va_end(args);
  return result;
}

#ifdef HFMODEL_NO_MESSAGES
/* The message is the item's number and what it is about. Texts are still compiled, and then dropped. */
HFM__PRIVATE hfm_result hfm__fail_briefly(hfm_error *error, int32_t item, const char *file, const char *what,
                                          uint64_t offset) {
  const hfm_result result = hfm__fail_item(error, item, file, what, offset);
  hfm__text t;
  if (!error) return result;
  t = hfm__text_to(error->message, sizeof error->message);
  hfm__text_format(&t, *error->what ? "error %d: " : "error %d", (int)item);
  hfm__text_str(&t, error->what);
  return result;
}
#define hfm__fail(error, item, file, what, offset, ...)             \
  (0 ? hfm__fail(error, item, file, what, offset, __VA_ARGS__)      \
     : hfm__fail_briefly(error, item, file, what, offset))
#endif

HFM__PRIVATE hfm_result hfm__fail_null(hfm_error *error, const char *argument) {
  return hfm__fail(error, HFM_E_ARGUMENT_NULL, NULL, argument, 0, "%s must not be NULL", argument);
}

HFM__PRIVATE hfm_result hfm__fail_memory(hfm_error *error, const char *what, uint64_t bytes) {
  if (bytes)
    return hfm__fail(error, HFM_E_OUT_OF_MEMORY, NULL, what, 0, "out of memory: %s needs %u bytes", what, bytes);
  return hfm__fail(error, HFM_E_OUT_OF_MEMORY, NULL, what, 0, "out of memory: %s", what);
}
