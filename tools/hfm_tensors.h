/* hfm_tensors.h: reads and writes safetensors files of named tensors. A companion of hfmodel.h for the data that goes
   into a model and comes out of it; weights are the library's own business.

     #include "hfmodel.h"
     #define HFM_TENSORS_IMPLEMENTATION
     #include "hfm_tensors.h"

     hfm_tensors file;
     if (hfm_tensors_read("in.safetensors", &file, &error)) ...
     const hfm_tensor *ids = hfm_tensors_find(&file, "input_ids");
     ...
     hfm_tensors_free(&file);
     hfm_tensors_write("out.safetensors", outputs.items, outputs.items_count, &error);

   What is read is validated completely: every byte of the file belongs to exactly one tensor. What is written is byte
   for byte what the safetensors package writes. In C++ and C99; needs stdio. */
#ifndef HFM_TENSORS_H
#define HFM_TENSORS_H

#include "hfmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hfm_tensors {
  hfm_named_tensor *items; /* sorted by name; data aligned to 16 bytes, in the machine's byte order */
  size_t count;
  void *names, *data;      /* what the items point into */
} hfm_tensors;

/* Reads a whole file. On success the tensors are the caller's: hfm_tensors_free. On failure *file is empty. */
hfm_result hfm_tensors_read(const char *path, hfm_tensors *file, hfm_error *error);
/* An empty or zeroed one is fine. */
void hfm_tensors_free(hfm_tensors *file);
/* NULL if there is no tensor of that name. */
const hfm_tensor *hfm_tensors_find(const hfm_tensors *file, const char *name);
/* Writes (over) a file. Names must differ; they may come in any order. A file that can't be finished is
   removed, a device is not. */
hfm_result hfm_tensors_write(const char *path, const hfm_named_tensor *items, size_t count, hfm_error *error);

#ifdef __cplusplus
}
#endif

#endif /* HFM_TENSORS_H */

#if defined(HFM_TENSORS_IMPLEMENTATION) && !defined(HFM_TENSORS_IMPLEMENTED)
#define HFM_TENSORS_IMPLEMENTED

#include "hfm_companion.h"

#include <inttypes.h>

#define HFM_TENSORS_MAX_HEADER 100000000u /* the format's own limit */
#define HFM_TENSORS_MAX_FILE ((size_t)1 << (sizeof(size_t) > 4 ? 34 : 30)) /* it is read into memory as a whole */
#define HFM_TENSORS_ALIGN 16u

/* In the order in which the safetensors package sorts a file, backwards. */
static const struct {
  const char *name;
  hfm_dtype dtype;
} hfm_tensors_dtypes[] = {
  { "BOOL", HFM_BOOL }, { "F4", HFM_F4 }, { "F6_E2M3", HFM_F6_E2M3 }, { "F6_E3M2", HFM_F6_E3M2 }, { "U8", HFM_U8 },
  { "I8", HFM_I8 }, { "F8_E5M2", HFM_F8_E5M2 }, { "F8_E4M3", HFM_F8_E4M3 }, { "F8_E8M0", HFM_F8_E8M0 },
  { "F8_E4M3FNUZ", HFM_F8_E4M3FNUZ }, { "F8_E5M2FNUZ", HFM_F8_E5M2FNUZ }, { "I16", HFM_I16 }, { "U16", HFM_U16 },
  { "F16", HFM_F16 }, { "BF16", HFM_BF16 }, { "I32", HFM_I32 }, { "U32", HFM_U32 }, { "F32", HFM_F32 },
  { "C64", HFM_C64 }, { "F64", HFM_F64 }, { "I64", HFM_I64 }, { "U64", HFM_U64 }
};
enum { HFM_TENSORS_DTYPES = sizeof hfm_tensors_dtypes / sizeof hfm_tensors_dtypes[0] };

static int hfm_tensors_dtype_order(hfm_dtype dtype) {
  int i;
  for (i = 0; i < HFM_TENSORS_DTYPES; i++) {
    if (hfm_tensors_dtypes[i].dtype == dtype) return i;
  }
  return -1;
}

/* Bytes of a tensor, or UINT64_MAX where there is no such number. */
static uint64_t hfm_tensors_bytes(const hfm_tensor *tensor) {
  uint64_t bits = (uint64_t)hfm_dtype_bits(tensor->dtype);
  int32_t i;
  for (i = 0; i < tensor->rank; i++) {
    const uint64_t n = (uint64_t)tensor->shape[i];
    if (n && bits > UINT64_MAX / n) return UINT64_MAX;
    bits *= n;
  }
  return bits % 8 ? UINT64_MAX : bits / 8;
}

/* Files are little-endian. `unit` is the size of a number to turn round, not of an element: a complex one has two. */
static void hfm_tensors_copy_little_endian(void *to, const void *from, size_t bytes, size_t unit) {
  const uint16_t probe = 1;
  size_t i;
  if (*(const unsigned char *)&probe == 1 || unit <= 1) {
    if (bytes) memcpy(to, from, bytes);
    return;
  }
  for (i = 0; i < bytes; i++) {
    ((unsigned char *)to)[i] = ((const unsigned char *)from)[i - i % unit + (unit - 1 - i % unit)];
  }
}

static size_t hfm_tensors_unit(hfm_dtype dtype) {
  return dtype == HFM_C64 ? 4 : (size_t)hfm_dtype_bits(dtype) / 8;
}

/* ---- Reading ----------------------------------------------------------------------------------------------- */

typedef struct hfm_tensors_entry {
  char *name;
  hfm_tensor tensor;
  uint64_t begin, end;
} hfm_tensors_entry;

/* A cursor over the header; strings are decoded in place. The first error stays. */
typedef struct hfm_tensors_reader {
  const char *path;
  char *start, *at, *end;
  hfm_error *error;
  hfm_result result;
  hfm_tensors_entry *entries;
  size_t count, room;
} hfm_tensors_reader;

static void hfm_tensors_fail(hfm_tensors_reader *r, int32_t item, const char *what, const char *message) {
  const uint64_t offset = 8 + (uint64_t)(r->at - r->start);
  if (r->result) return;
  r->result = hfm_companion_fail(r->error, HFM_ERROR_FORMAT, item, r->path, what, "%s: %s%s%s (at byte %" PRIu64 ")",
                                 r->path, what, *what ? ": " : "", message, offset);
  if (r->error) r->error->offset = offset;
}

static char hfm_tensors_peek(hfm_tensors_reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) r->at++;
  return r->at < r->end ? *r->at : 0;
}

static int hfm_tensors_take(hfm_tensors_reader *r, char c) {
  if (r->result || hfm_tensors_peek(r) != c || r->at >= r->end) return 0;
  r->at++;
  return 1;
}

static void hfm_tensors_expect(hfm_tensors_reader *r, char c) {
  char message[] = "the header isn't the JSON that safetensors asks for: expected ' '";
  message[sizeof message - 3] = c;
  if (!hfm_tensors_take(r, c)) hfm_tensors_fail(r, HFM_E_JSON_SYNTAX, "", message);
}

/* Four hex digits, or a value above 0xffff. */
static uint32_t hfm_tensors_hex4(hfm_tensors_reader *r) {
  uint32_t value = 0;
  int i;
  if (r->end - r->at < 4) return 0x10000;
  for (i = 0; i < 4; i++) {
    const char c = *r->at++;
    if (c >= '0' && c <= '9') value = value * 16 + (uint32_t)(c - '0');
    else if (c >= 'a' && c <= 'f') value = value * 16 + (uint32_t)(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') value = value * 16 + (uint32_t)(c - 'A' + 10);
    else return 0x10000;
  }
  return value;
}

/* After "\u": writes the code point as UTF-8 and returns the byte behind it, or NULL. */
static char *hfm_tensors_unicode(hfm_tensors_reader *r, char *to) {
  uint32_t c = hfm_tensors_hex4(r);
  if (c >= 0xd800 && c < 0xdc00) {
    uint32_t low = 0;
    if (r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
      r->at += 2;
      low = hfm_tensors_hex4(r);
    }
    if (low < 0xdc00 || low > 0xdfff) return NULL;
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  } else if (c == 0 || c > 0xffff || (c >= 0xdc00 && c < 0xe000)) {
    return NULL;
  }
  if (c < 0x80) {
    *to++ = (char)c;
  } else if (c < 0x800) {
    *to++ = (char)(0xc0 | (c >> 6));
    *to++ = (char)(0x80 | (c & 63));
  } else if (c < 0x10000) {
    *to++ = (char)(0xe0 | (c >> 12));
    *to++ = (char)(0x80 | ((c >> 6) & 63));
    *to++ = (char)(0x80 | (c & 63));
  } else {
    *to++ = (char)(0xf0 | (c >> 18));
    *to++ = (char)(0x80 | ((c >> 12) & 63));
    *to++ = (char)(0x80 | ((c >> 6) & 63));
    *to++ = (char)(0x80 | (c & 63));
  }
  return to;
}

/* A string, decoded where it stands and NUL-terminated: the text never gets longer, and its closing quote gives the
   room for the NUL. "" after an error. */
static char *hfm_tensors_string(hfm_tensors_reader *r) {
  static char empty[1] = { 0 };
  static const char escapes[] = "\"\\/bfnrt", decoded[] = "\"\\/\b\f\n\r\t";
  char *start, *to;
  hfm_tensors_expect(r, '"');
  if (r->result) return empty;
  start = to = r->at;
  while (r->at < r->end && *r->at != '"' && (unsigned char)*r->at >= 0x20) {
    if (*r->at != '\\') {
      *to++ = *r->at++;
    } else {
      const char c = r->end - r->at > 1 ? r->at[1] : 0;
      const char *escape = c ? strchr(escapes, c) : NULL;
      r->at += c ? 2 : 1;
      if (escape) *to++ = decoded[escape - escapes];
      else to = c == 'u' ? hfm_tensors_unicode(r, to) : NULL;
      if (!to) break;
    }
  }
  if (!to || r->at >= r->end || *r->at != '"') {
    hfm_tensors_fail(r, HFM_E_JSON_SYNTAX, "", "a string of the header is broken");
    return empty;
  }
  *to = 0;
  r->at++;
  return start;
}

static uint64_t hfm_tensors_number(hfm_tensors_reader *r, const char *name, int32_t item) {
  uint64_t value = 0;
  const char first = hfm_tensors_peek(r);
  int digits = 0;
  for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, digits++) {
    const uint64_t digit = (uint64_t)(*r->at - '0');
    if (value > (UINT64_MAX - digit) / 10) break;
    value = value * 10 + digit;
  }
  if (!digits || (digits > 1 && first == '0') || (r->at < r->end && strchr("0123456789.eE", *r->at))) {
    hfm_tensors_fail(r, item, name, "expected a whole number that fits 64 bits");
  }
  return value;
}

/* {"dtype":"F32","shape":[2,3],"data_offsets":[0,24]} */
static void hfm_tensors_entry_fields(hfm_tensors_reader *r, hfm_tensors_entry *entry) {
  int seen[3] = { 0, 0, 0 }, i;
  hfm_tensors_expect(r, '{');
  do {
    const char *field = hfm_tensors_string(r);
    hfm_tensors_expect(r, ':');
    if (strcmp(field, "dtype") == 0) {
      const char *name = hfm_tensors_string(r);
      for (i = 0; i < HFM_TENSORS_DTYPES; i++) {
        if (strcmp(name, hfm_tensors_dtypes[i].name) == 0) entry->tensor.dtype = hfm_tensors_dtypes[i].dtype;
      }
      if (!entry->tensor.dtype) hfm_tensors_fail(r, HFM_E_SAFETENSORS_DTYPE, entry->name, "unknown dtype");
      seen[0]++;
    } else if (strcmp(field, "shape") == 0) {
      hfm_tensors_expect(r, '[');
      while (!r->result && hfm_tensors_peek(r) != ']') {
        const uint64_t n = hfm_tensors_number(r, entry->name, HFM_E_SAFETENSORS_SHAPE);
        if (entry->tensor.rank == HFM_MAX_RANK || n > INT64_MAX) {
          hfm_tensors_fail(r, HFM_E_SAFETENSORS_SHAPE, entry->name, "the shape has too many or too large dimensions");
        } else {
          entry->tensor.shape[entry->tensor.rank++] = (int64_t)n;
        }
        if (!hfm_tensors_take(r, ',')) break;
      }
      hfm_tensors_expect(r, ']');
      seen[1]++;
    } else if (strcmp(field, "data_offsets") == 0) {
      hfm_tensors_expect(r, '[');
      entry->begin = hfm_tensors_number(r, entry->name, HFM_E_SAFETENSORS_OFFSETS);
      hfm_tensors_expect(r, ',');
      entry->end = hfm_tensors_number(r, entry->name, HFM_E_SAFETENSORS_OFFSETS);
      hfm_tensors_expect(r, ']');
      seen[2]++;
    } else {
      hfm_tensors_fail(r, HFM_E_SAFETENSORS_ENTRY, entry->name, "expected only dtype, shape and data_offsets");
    }
  } while (!r->result && hfm_tensors_take(r, ','));
  hfm_tensors_expect(r, '}');
  if (seen[0] != 1 || seen[1] != 1 || seen[2] != 1) {
    hfm_tensors_fail(r, HFM_E_SAFETENSORS_ENTRY, entry->name, "needs dtype, shape and data_offsets, each once");
  }
}

static void hfm_tensors_metadata(hfm_tensors_reader *r) {
  hfm_tensors_expect(r, '{');
  if (hfm_tensors_take(r, '}')) return;
  do {
    hfm_tensors_string(r);
    hfm_tensors_expect(r, ':');
    hfm_tensors_string(r);
  } while (!r->result && hfm_tensors_take(r, ','));
  hfm_tensors_expect(r, '}');
}

static void hfm_tensors_header(hfm_tensors_reader *r) {
  int metadata = 0;
  hfm_tensors_expect(r, '{');
  if (!hfm_tensors_take(r, '}')) {
    do {
      char *name = hfm_tensors_string(r);
      hfm_tensors_expect(r, ':');
      if (strcmp(name, "__metadata__") == 0) {
        if (metadata++) hfm_tensors_fail(r, HFM_E_SAFETENSORS_METADATA, "", "__metadata__ stands twice in the header");
        hfm_tensors_metadata(r);
        continue;
      }
      if (r->count == r->room) {
        const size_t room = r->room ? r->room * 2 : 16;
        hfm_tensors_entry *grown = (hfm_tensors_entry *)realloc(r->entries, room * sizeof *grown);
        if (!grown) {
          r->result = hfm_companion_fail(r->error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, r->path, "",
                                         "%s: out of memory", r->path);
          return;
        }
        r->entries = grown;
        r->room = room;
      }
      memset(&r->entries[r->count], 0, sizeof r->entries[0]);
      r->entries[r->count].name = name;
      hfm_tensors_entry_fields(r, &r->entries[r->count++]);
    } while (!r->result && hfm_tensors_take(r, ','));
    hfm_tensors_expect(r, '}');
  }
  if (!r->result && (hfm_tensors_peek(r), r->at < r->end)) {
    hfm_tensors_fail(r, HFM_E_JSON_TRAILING, "", "the header goes on behind its end");
  }
}

static int hfm_tensors_by_offset(const void *a, const void *b) {
  const hfm_tensors_entry *x = (const hfm_tensors_entry *)a, *y = (const hfm_tensors_entry *)b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

static int hfm_tensors_by_name(const void *a, const void *b) {
  return strcmp(((const hfm_tensors_entry *)a)->name, ((const hfm_tensors_entry *)b)->name);
}

/* Sorted by offset, tensors follow each other without hole or overlap from the first data byte to the last. */
static void hfm_tensors_layout(hfm_tensors_reader *r, uint64_t data_bytes) {
  uint64_t at = 0;
  size_t i;
  if (r->result) return;
  if (r->count) qsort(r->entries, r->count, sizeof r->entries[0], hfm_tensors_by_offset);
  for (i = 0; i < r->count; i++) {
    const hfm_tensors_entry *entry = &r->entries[i];
    const uint64_t bytes = hfm_tensors_bytes(&entry->tensor);
    if (bytes == UINT64_MAX) {
      hfm_tensors_fail(r, HFM_E_SAFETENSORS_SHAPE, entry->name, "the shape has no whole number of bytes in 64 bits");
    } else if (entry->begin != at || entry->end < at || entry->end - at != bytes || entry->end > data_bytes) {
      hfm_tensors_fail(r, HFM_E_SAFETENSORS_OFFSETS, entry->name,
                       "data_offsets must follow the tensor before it, fit dtype and shape, and end inside the file");
    }
    at = entry->end;
  }
  if (at != data_bytes) {
    hfm_tensors_fail(r, HFM_E_SAFETENSORS_COVERAGE, "", "the tensors don't end where the file ends: is it complete?");
  }
  if (!r->result && r->count) qsort(r->entries, r->count, sizeof r->entries[0], hfm_tensors_by_name);
  for (i = 1; i < r->count; i++) {
    if (strcmp(r->entries[i - 1].name, r->entries[i].name) == 0) {
      hfm_tensors_fail(r, HFM_E_JSON_DUPLICATE_KEY, r->entries[i].name, "the name stands twice in the header");
    }
  }
}

/* Moves the validated tensors into aligned memory of their own; names stay in the file's text. */
static hfm_result hfm_tensors_collect(hfm_tensors_reader *r, const unsigned char *data, hfm_tensors *file) {
  size_t total = 1, i;
  for (i = 0; i < r->count; i++) {
    total += (size_t)(r->entries[i].end - r->entries[i].begin) + HFM_TENSORS_ALIGN - 1;
    total -= (total - 1) % HFM_TENSORS_ALIGN;
  }
  file->data = malloc(total);
  file->items = (hfm_named_tensor *)malloc((r->count + 1) * sizeof *file->items);
  if (!file->data || !file->items) {
    return hfm_companion_fail(r->error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, r->path, "", "%s: out of memory",
                              r->path);
  }
  total = 0;
  for (i = 0; i < r->count; i++) {
    hfm_tensors_entry *entry = &r->entries[i];
    const size_t bytes = (size_t)(entry->end - entry->begin);
    unsigned char *to = (unsigned char *)file->data + total;
    hfm_tensors_copy_little_endian(to, data + entry->begin, bytes, hfm_tensors_unit(entry->tensor.dtype));
    entry->tensor.data = to;
    file->items[i].name = entry->name;
    file->items[i].tensor = entry->tensor;
    total += (bytes + HFM_TENSORS_ALIGN - 1) / HFM_TENSORS_ALIGN * HFM_TENSORS_ALIGN;
  }
  file->count = r->count;
  return HFM_OK;
}

hfm_result hfm_tensors_read(const char *path, hfm_tensors *file, hfm_error *error) {
  hfm_tensors_reader r;
  unsigned char *bytes;
  size_t size;
  uint64_t header = 0;
  int i;
  memset(&r, 0, sizeof r);
  memset(file, 0, sizeof *file);
  r.path = path;
  r.error = error;
  r.result = hfm_companion_load(path, HFM_TENSORS_MAX_FILE, &bytes, &size, error);
  if (r.result) return r.result;
  for (i = 7; i >= 0; i--) header = size >= 8 ? header << 8 | bytes[i] : 0;
  if (size < 8 || header > HFM_TENSORS_MAX_HEADER || header > size - 8) {
    r.result = hfm_companion_fail(error, HFM_ERROR_FORMAT, HFM_E_SAFETENSORS_TRUNCATED, path, "",
                                  "%s: not a safetensors file, or a truncated one: its header doesn't fit", path);
  } else {
    const char *nul;
    r.start = r.at = (char *)bytes + 8;
    r.end = r.start + header;
    nul = (const char *)memchr(r.start, 0, (size_t)header);
    if (nul) hfm_tensors_fail(&r, HFM_E_JSON_SYNTAX, "", "a zero byte stands in the header");
    hfm_tensors_header(&r);
    hfm_tensors_layout(&r, (uint64_t)size - 8 - header);
    if (!r.result) r.result = hfm_tensors_collect(&r, (const unsigned char *)r.end, file);
  }
  free(r.entries);
  file->names = bytes;
  if (r.result) hfm_tensors_free(file);
  else if (error) memset(error, 0, sizeof *error);
  return r.result;
}

void hfm_tensors_free(hfm_tensors *file) {
  free(file->items);
  free(file->names);
  free(file->data);
  memset(file, 0, sizeof *file);
}

const hfm_tensor *hfm_tensors_find(const hfm_tensors *file, const char *name) {
  size_t i;
  for (i = 0; i < file->count; i++) {
    if (strcmp(file->items[i].name, name) == 0) return &file->items[i].tensor;
  }
  return NULL;
}

/* ---- Writing ----------------------------------------------------------------------------------------------- */

static int hfm_tensors_by_file_order(const void *a, const void *b) {
  const hfm_named_tensor *x = *(const hfm_named_tensor *const *)a, *y = *(const hfm_named_tensor *const *)b;
  const int order = hfm_tensors_dtype_order(y->tensor.dtype) - hfm_tensors_dtype_order(x->tensor.dtype);
  return order ? order : strcmp(x->name, y->name);
}

/* Writes `name` as JSON text, at most six bytes for each of its own and two quotes; returns the end. */
static char *hfm_tensors_quote(char *to, const char *name) {
  static const char plain[] = "\"\\\b\f\n\r\t", escaped[] = "\"\\bfnrt";
  *to++ = '"';
  for (; *name; name++) {
    const char *special = strchr(plain, *name);
    if (special) {
      *to++ = '\\';
      *to++ = escaped[special - plain];
    } else if ((unsigned char)*name < 0x20) {
      to += sprintf(to, "\\u%04x", (unsigned)(unsigned char)*name);
    } else {
      *to++ = *name;
    }
  }
  *to++ = '"';
  return to;
}

/* The header for tensors in file order, padded with spaces to a multiple of 8; returns its length. */
static size_t hfm_tensors_compose(char *text, const hfm_named_tensor *const *items, size_t count) {
  uint64_t at = 0;
  char *to = text;
  size_t i;
  int32_t d;
  *to++ = '{';
  for (i = 0; i < count; i++) {
    const hfm_tensor *tensor = &items[i]->tensor;
    const uint64_t bytes = hfm_tensors_bytes(tensor);
    if (i) *to++ = ',';
    to = hfm_tensors_quote(to, items[i]->name);
    to += sprintf(to, ":{\"dtype\":\"%s\",\"shape\":[",
                  hfm_tensors_dtypes[hfm_tensors_dtype_order(tensor->dtype)].name);
    for (d = 0; d < tensor->rank; d++) to += sprintf(to, "%s%" PRId64, d ? "," : "", tensor->shape[d]);
    to += sprintf(to, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at, at + bytes);
    at += bytes;
  }
  *to++ = '}';
  while ((to - text) % 8) *to++ = ' ';
  return (size_t)(to - text);
}

static int hfm_tensors_put(FILE *out, const hfm_tensor *tensor) {
  const unsigned char *data = (const unsigned char *)tensor->data;
  const size_t unit = hfm_tensors_unit(tensor->dtype);
  uint64_t left = hfm_tensors_bytes(tensor);
  unsigned char block[4096];
  while (left) {
    const size_t n = left < sizeof block ? (size_t)left : sizeof block;
    hfm_tensors_copy_little_endian(block, data, n, unit);
    if (fwrite(block, 1, n, out) != n) return 0;
    data += n;
    left -= n;
  }
  return 1;
}

hfm_result hfm_tensors_write(const char *path, const hfm_named_tensor *items, size_t count, hfm_error *error) {
  const hfm_named_tensor **sorted = (const hfm_named_tensor **)malloc((count + 1) * sizeof *sorted);
  size_t room = 16, i;
  char *header;
  FILE *out;
  int ok = sorted != NULL;
  for (i = 0; i < count; i++) {
    room += 6 * strlen(items[i].name) + 24 * (HFM_MAX_RANK + 2) + 64;
    if (hfm_tensors_dtype_order(items[i].tensor.dtype) < 0 || hfm_tensors_bytes(&items[i].tensor) == UINT64_MAX) {
      free(sorted);
      return hfm_companion_fail(error, HFM_ERROR_ARGUMENT, HFM_E_ARGUMENT_VALUE, path, items[i].name,
                                "%s: tensor '%s' has no dtype, or a shape that can't be stored", path, items[i].name);
    }
    if (sorted) sorted[i] = &items[i];
  }
  header = (char *)malloc(room);
  if (!sorted || !header) {
    free(sorted);
    free(header);
    return hfm_companion_fail(error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, path, "", "%s: out of memory", path);
  }
  if (count) qsort(sorted, count, sizeof *sorted, hfm_tensors_by_file_order);
  out = fopen(path, "wb");
  ok = out != NULL;
  if (ok) {
    const size_t length = hfm_tensors_compose(header, sorted, count);
    unsigned char prefix[8];
    for (i = 0; i < 8; i++) prefix[i] = (unsigned char)((uint64_t)length >> 8 * i);
    ok = fwrite(prefix, 1, 8, out) == 8 && fwrite(header, 1, length, out) == length;
    for (i = 0; ok && i < count; i++) ok = hfm_tensors_put(out, &sorted[i]->tensor);
    ok = (fclose(out) == 0) && ok;
  }
  free(sorted);
  free(header);
  if (!ok) {
    hfm_companion_fail(error, HFM_ERROR_IO, HFM_E_FILE_READ, path, "", "%s: can't be written: %s", path,
                       strerror(errno));
    if (out && hfm_companion_kind(path) == HFM_COMPANION_FILE) remove(path); /* a full device stays */
    return HFM_ERROR_IO;
  }
  if (error) memset(error, 0, sizeof *error);
  return HFM_OK;
}

#undef HFM_TENSORS_MAX_HEADER
#undef HFM_TENSORS_MAX_FILE
#undef HFM_TENSORS_ALIGN

#endif /* HFM_TENSORS_IMPLEMENTATION */
