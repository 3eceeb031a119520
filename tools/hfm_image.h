/* hfm_image.h: from a picture to pixel_values, as an image processor of Transformers does it. A companion of hfmodel.h.

     #include "hfmodel.h"
     #define HFM_IMAGE_IMPLEMENTATION
     #include "hfm_image.h"

     hfm_image image;
     hfm_image_processor processor;
     hfm_image_read("cat.ppm", &image, &error);
     hfm_image_processor_from_pretrained("vit-base", 3, &processor, &error);
     hfm_image_preprocess(&processor, &image, &pixels, &error);      pixels.data: float [1, channels, height, width]
     ...
     free((void *)pixels.data);
     hfm_image_free(&image);

   Reads PPM and PGM files (P2, P3, P5, P6), which every image program writes; `magick cat.jpg cat.ppm` makes one. The
   resizing is Pillow's, bit for bit: the same filters, antialiasing and fixed-point rounding. C99 and C++. */
#ifndef HFM_IMAGE_H
#define HFM_IMAGE_H

#include "hfmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hfm_image {
  unsigned char *pixels; /* [height, width, channels], malloc */
  int32_t width, height, channels;
} hfm_image;

/* `resample` of preprocessor_config.json: Pillow's numbers. */
enum {
  HFM_IMAGE_NEAREST = 0, HFM_IMAGE_LANCZOS = 1, HFM_IMAGE_BILINEAR = 2, HFM_IMAGE_BICUBIC = 3, HFM_IMAGE_BOX = 4,
  HFM_IMAGE_HAMMING = 5
};

/* Reads one picture; 16-bit samples and odd maxima are scaled to 0..255. On success it is the caller's. */
hfm_result hfm_image_read(const char *path, hfm_image *image, hfm_error *error);
/* A zeroed one is fine. */
void hfm_image_free(hfm_image *image);
/* Each of these makes a new picture and leaves `image` as it is. */
hfm_result hfm_image_resize(const hfm_image *image, int32_t width, int32_t height, int32_t resample, hfm_image *out,
                            hfm_error *error);
/* The middle; a smaller picture gets a black border, as in Transformers. */
hfm_result hfm_image_center_crop(const hfm_image *image, int32_t width, int32_t height, hfm_image *out,
                                 hfm_error *error);
/* 1 -> 3 repeats the grey; 3 -> 1 is the luma of Pillow's convert("L"). */
hfm_result hfm_image_convert(const hfm_image *image, int32_t channels, hfm_image *out, hfm_error *error);

/* What preprocessor_config.json says. */
typedef struct hfm_image_processor {
  int32_t channels;              /* of the model: num_channels */
  int32_t do_resize, do_center_crop, do_rescale, do_normalize;
  int32_t shortest_edge;         /* 0: resize to height and width */
  int32_t height, width;
  int32_t crop_height, crop_width;
  int32_t resample;              /* HFM_IMAGE_... */
  double rescale_factor;
  float image_mean[4], image_std[4];
} hfm_image_processor;

/* Reads `dir`/preprocessor_config.json. HFM_ERROR_NOT_FOUND where there is none. */
hfm_result hfm_image_processor_from_pretrained(const char *dir, int32_t channels, hfm_image_processor *processor,
                                               hfm_error *error);
/* What ViT's processor does when nobody says otherwise, for a model of that input size. */
void hfm_image_processor_default(int32_t channels, int32_t height, int32_t width, hfm_image_processor *processor);
/* The size that hfm_image_preprocess makes of this picture: compare it with the model's before the work is done. */
void hfm_image_prepared_size(const hfm_image_processor *processor, const hfm_image *image, int64_t *height,
                             int64_t *width);
/* The input of the model: a [1, channels, height, width] tensor whose data is the caller's (free). */
hfm_result hfm_image_preprocess(const hfm_image_processor *processor, const hfm_image *image, hfm_tensor *pixel_values,
                                hfm_error *error);

#ifdef __cplusplus
}
#endif

#endif /* HFM_IMAGE_H */

#if defined(HFM_IMAGE_IMPLEMENTATION) && !defined(HFM_IMAGE_IMPLEMENTED)
#define HFM_IMAGE_IMPLEMENTED

#include "hfm_companion.h"

#include <math.h>

#define HFM_IMAGE_MAX_EDGE 65535          /* as in JPEG; keeps every position and sum of positions exact */
#define HFM_IMAGE_MAX_SAMPLES (1 << 30)   /* of a picture that a file holds; keeps every index inside int32_t */
#define HFM_IMAGE_MAX_MADE (1 << 26)      /* of one that a resize or a crop makes: no file backs it */
#define HFM_IMAGE_MAX_FILE ((size_t)1 << 30)

/* Can there be such a picture, of at most so many samples? */
static hfm_result hfm_image_bounds(int64_t width, int64_t height, int32_t channels, int32_t most, hfm_error *error) {
  if (width >= 1 && height >= 1 && width <= HFM_IMAGE_MAX_EDGE && height <= HFM_IMAGE_MAX_EDGE && channels >= 1 &&
      width <= most / height / channels) {
    return HFM_OK;
  }
  return hfm_companion_fail(error, HFM_ERROR_LIMIT, HFM_E_FILE_TOO_LARGE, "", "",
                            "a picture of %lld x %lld pixels: expected edges of 1 to %d, and %d samples at most",
                            (long long)width, (long long)height, HFM_IMAGE_MAX_EDGE, (int)most);
}

static hfm_result hfm_image_new(int64_t width, int64_t height, int32_t channels, int32_t most, hfm_image *image,
                                hfm_error *error) {
  const hfm_result result = hfm_image_bounds(width, height, channels, most, error);
  memset(image, 0, sizeof *image);
  if (result) return result;
  image->pixels = (unsigned char *)calloc((size_t)(width * height), (size_t)channels);
  if (!image->pixels) return hfm_companion_fail(error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, "", "", "out of memory");
  image->width = (int32_t)width;
  image->height = (int32_t)height;
  image->channels = channels;
  return HFM_OK;
}

void hfm_image_free(hfm_image *image) {
  free(image->pixels);
  memset(image, 0, sizeof *image);
}

/* ---- PPM and PGM -------------------------------------------------------------------------------------------- */

/* The next number of the text part, between white space and # comments; -1 where there is none. */
static int64_t hfm_image_number(const unsigned char **at, const unsigned char *end) {
  int64_t value = -1;
  while (*at < end && (strchr(" \t\r\n\v\f", **at) || **at == '#')) {
    if (**at == '#') while (*at < end && **at != '\n') (*at)++;
    else (*at)++;
  }
  while (*at < end && **at >= '0' && **at <= '9' && value < 1000000000) {
    value = (value < 0 ? 0 : value * 10) + (**at - '0');
    (*at)++;
  }
  return value;
}

hfm_result hfm_image_read(const char *path, hfm_image *image, hfm_error *error) {
  unsigned char *bytes;
  size_t size;
  hfm_result result = hfm_companion_load(path, HFM_IMAGE_MAX_FILE, &bytes, &size, error);
  const char *problem = NULL;
  memset(image, 0, sizeof *image);
  if (result) return result;
  if (size < 2 || bytes[0] != 'P' || !bytes[1] || !strchr("2356", bytes[1])) {
    problem = "not a PPM or PGM picture (it should begin with P2, P3, P5 or P6)";
  } else {
    const int plain = bytes[1] < '5';
    const int32_t channels = bytes[1] == '3' || bytes[1] == '6' ? 3 : 1;
    const unsigned char *at = bytes + 2, *end = bytes + size;
    const int64_t width = hfm_image_number(&at, end), height = hfm_image_number(&at, end);
    const int64_t most = hfm_image_number(&at, end);
    const int64_t sample = plain || most > 255 ? 2 : 1; /* bytes that one takes at least: "0 " or two of them */
    if (!plain && at < end) at++;
    if (width < 1 || height < 1 || most < 1 || most > 65535) {
      problem = "width, height and the largest value must be positive numbers (at most 65535 the last)";
    } else if (width > (end - at + 1) / sample / channels / height) {
      problem = "shorter than its width and height say";
    } else {
      result = hfm_image_new(width, height, channels, HFM_IMAGE_MAX_SAMPLES, image, error);
      for (int64_t i = 0; !result && !problem && i < width * height * channels; i++) {
        int64_t value = plain ? hfm_image_number(&at, end) : at + sample > end ? -1 : at[0];
        if (!plain && sample == 2 && value >= 0) value = value * 256 + at[1];
        if (!plain) at += sample;
        if (value < 0 || value > most) problem = "a sample is missing, or larger than the header says";
        else image->pixels[i] = (unsigned char)((value * 255 * 2 + most) / (most * 2));
      }
    }
  }
  free(bytes);
  if (problem) result = hfm_companion_fail(error, HFM_ERROR_FORMAT, HFM_E_FILE_KIND, path, "", "%s: %s", path, problem);
  if (result) hfm_image_free(image);
  return result;
}

/* ---- Resizing ------------------------------------------------------------------------------------------------
   Pillow's ImagingResample: along one axis, then along the other, 8 bits in between. Each output pixel is a weighted
   mean of `count` input pixels from `first` on; a filter gets as wide as the picture shrinks: the antialiasing. */

#define HFM_IMAGE_BITS 22 /* of the fixed-point weights */

typedef struct hfm_image_weights {
  int32_t width;           /* room for each pixel's weights */
  int32_t *first, *count;
  int32_t *weight;         /* [size, width] */
} hfm_image_weights;

#define HFM_IMAGE_PI 3.14159265358979323846

static double hfm_image_sinc(double x) {
  const double angle = x * HFM_IMAGE_PI;
  return x < 0 || x > 0 ? sin(angle) / angle : 1;
}

static double hfm_image_filter(int32_t resample, double x) {
  const double a = x < 0 ? -x : x;
  switch (resample) {
    case HFM_IMAGE_BOX: return x > -0.5 && x <= 0.5 ? 1 : 0;
    case HFM_IMAGE_HAMMING:
      return a < 1 ? hfm_image_sinc(a) * ((double)0.54f + (double)0.46f * cos(a * HFM_IMAGE_PI)) : 0;
    case HFM_IMAGE_BICUBIC: /* a = -0.5 */
      if (a < 1) return (1.5 * a - 2.5) * a * a + 1;
      return a < 2 ? (((a - 5) * a + 8) * a - 4) * -0.5 : 0;
    case HFM_IMAGE_LANCZOS: return x >= -3 && x < 3 ? hfm_image_sinc(x) * hfm_image_sinc(x / 3) : 0;
    default: return a < 1 ? 1 - a : 0;
  }
}

static void hfm_image_weights_free(hfm_image_weights *w) {
  free(w->first);
  free(w->count);
  free(w->weight);
  memset(w, 0, sizeof *w);
}

static int hfm_image_weights_make(int32_t in, int32_t out, int32_t resample, hfm_image_weights *w) {
  static const double supports[] = { 0, 3, 1, 2, 0.5, 1 };
  const double scale = (double)in / out, stretch = scale < 1 ? 1 : scale, support = supports[resample] * stretch;
  double *exact;
  w->width = (int32_t)ceil(support) * 2 + 1;
  w->first = (int32_t *)malloc((size_t)out * sizeof(int32_t));
  w->count = (int32_t *)malloc((size_t)out * sizeof(int32_t));
  w->weight = (int32_t *)calloc((size_t)out * (size_t)w->width, sizeof(int32_t));
  exact = (double *)malloc((size_t)w->width * sizeof(double));
  if (!w->first || !w->count || !w->weight || !exact) {
    free(exact);
    hfm_image_weights_free(w);
    return 0;
  }
  for (int32_t i = 0; i < out; i++) {
    const double center = (i + 0.5) * scale;
    const int32_t low = (int32_t)(center - support + 0.5), high = (int32_t)(center + support + 0.5);
    const int32_t first = low < 0 ? 0 : low, count = (high > in ? in : high) - first;
    double sum = 0;
    for (int32_t k = 0; k < count; k++) {
      exact[k] = hfm_image_filter(resample, (k + first - center + 0.5) * (1 / stretch));
      sum += exact[k];
    }
    for (int32_t k = 0; k < count; k++) {
      const double share = (sum < 0 || sum > 0 ? exact[k] / sum : exact[k]) * (1 << HFM_IMAGE_BITS);
      w->weight[(size_t)i * (size_t)w->width + (size_t)k] = (int32_t)(share < 0 ? share - 0.5 : share + 0.5);
    }
    w->first[i] = first;
    w->count[i] = count;
  }
  free(exact);
  return 1;
}

/* One direction: `lines` independent lines of `out` pixels, whose input pixels are `step` bytes apart. */
static void hfm_image_resample(const hfm_image_weights *w, const unsigned char *from, unsigned char *to, int32_t out,
                               size_t step, int32_t channels) {
  for (int32_t i = 0; i < out; i++) {
    const int32_t *weight = w->weight + (size_t)i * (size_t)w->width;
    for (int32_t c = 0; c < channels; c++) {
      const unsigned char *p = from + (size_t)w->first[i] * step + c;
      int64_t sum = 1 << (HFM_IMAGE_BITS - 1);
      for (int32_t k = 0; k < w->count[i]; k++) sum += (int64_t)weight[k] * p[(size_t)k * step];
      sum = sum < 0 ? 0 : sum >> HFM_IMAGE_BITS;
      to[(size_t)i * step + (size_t)c] = (unsigned char)(sum > 255 ? 255 : sum);
    }
  }
}
#undef HFM_IMAGE_BITS
#undef HFM_IMAGE_PI

/* Positions are added up, as Pillow does it: a product would round other pixels down. At most HFM_IMAGE_MAX_EDGE
   additions stay far from the half step that would lead out of the picture. */
static void hfm_image_nearest(const hfm_image *image, hfm_image *out) {
  const double sx = (double)image->width / out->width, sy = (double)image->height / out->height;
  const size_t channels = (size_t)image->channels;
  unsigned char *to = out->pixels;
  double y = sy * 0.5;
  for (int32_t i = 0; i < out->height; i++, y += sy) {
    double x = sx * 0.5;
    for (int32_t j = 0; j < out->width; j++, x += sx, to += channels) {
      memcpy(to, image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * channels, channels);
    }
  }
}

/* Weights along one axis, then every line of it. */
static hfm_result hfm_image_resize_axis(const hfm_image *image, int32_t size, int vertical, int32_t resample,
                                        hfm_image *out, hfm_error *error) {
  const int32_t in = vertical ? image->height : image->width, channels = image->channels;
  hfm_image_weights weights;
  hfm_result result = hfm_image_new(vertical ? image->width : size, vertical ? size : image->height, channels,
                                    HFM_IMAGE_MAX_MADE, out, error);
  if (result) return result;
  if (!hfm_image_weights_make(in, size, resample, &weights)) {
    hfm_image_free(out);
    return hfm_companion_fail(error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, "", "", "out of memory");
  }
  const size_t row_in = (size_t)image->width * (size_t)channels, row_out = (size_t)out->width * (size_t)channels;
  if (vertical) {
    for (int32_t x = 0; x < image->width; x++) {
      const size_t at = (size_t)x * (size_t)channels;
      hfm_image_resample(&weights, image->pixels + at, out->pixels + at, size, row_in, channels);
    }
  } else {
    for (size_t y = 0; y < (size_t)image->height; y++) {
      hfm_image_resample(&weights, image->pixels + y * row_in, out->pixels + y * row_out, size, (size_t)channels,
                         channels);
    }
  }
  hfm_image_weights_free(&weights);
  return HFM_OK;
}

static hfm_result hfm_image_copy(const hfm_image *image, hfm_image *out, hfm_error *error) {
  const hfm_result result =
      hfm_image_new(image->width, image->height, image->channels, HFM_IMAGE_MAX_SAMPLES, out, error);
  if (!result) {
    memcpy(out->pixels, image->pixels, (size_t)image->width * (size_t)image->height * (size_t)image->channels);
  }
  return result;
}

/* Replaces *image by what a step made of it. */
static hfm_result hfm_image_step(hfm_result result, hfm_image *image, hfm_image *next) {
  if (result) return result;
  hfm_image_free(image);
  *image = *next;
  return HFM_OK;
}

hfm_result hfm_image_resize(const hfm_image *image, int32_t width, int32_t height, int32_t resample, hfm_image *out,
                            hfm_error *error) {
  const int64_t less_width = (int64_t)image->width - width, less_height = (int64_t)image->height - height;
  const int vertical_first = less_height > 0 && less_height > 2 * less_width; /* Pillow 13; before: always x first */
  hfm_image now, next;
  hfm_result result;
  memset(out, 0, sizeof *out);
  if (resample < HFM_IMAGE_NEAREST || resample > HFM_IMAGE_HAMMING) {
    return hfm_companion_fail(error, HFM_ERROR_ARGUMENT, HFM_E_ARGUMENT_VALUE, "", "resample",
                              "resample is %d, expected one of Pillow's filters, 0 to 5", resample);
  }
  result = hfm_image_bounds(image->width, image->height, image->channels, HFM_IMAGE_MAX_SAMPLES, error);
  if (!result) result = hfm_image_bounds(width, height, image->channels, HFM_IMAGE_MAX_MADE, error);
  if (result) return result;
  if (resample == HFM_IMAGE_NEAREST) {
    result = hfm_image_new(width, height, image->channels, HFM_IMAGE_MAX_MADE, out, error);
    if (!result) hfm_image_nearest(image, out);
    return result;
  }
  result = hfm_image_copy(image, &now, error);
  for (int pass = 0; !result && pass < 2; pass++) {
    const int vertical = pass ^ vertical_first;
    const int32_t size = vertical ? height : width;
    if (size == (vertical ? now.height : now.width)) continue;
    result = hfm_image_step(hfm_image_resize_axis(&now, size, vertical, resample, &next, error), &now, &next);
  }
  if (result) hfm_image_free(&now);
  else *out = now;
  return result;
}

/* Where the crop begins in a picture of that size; negative: the border before it. An odd rest of a cut goes to the far
   side, an odd rest of a border to the near one. */
static int32_t hfm_image_crop_offset(int32_t size, int32_t crop) {
  return size >= crop ? (size - crop) / 2 : -((crop - size + 1) / 2);
}

hfm_result hfm_image_center_crop(const hfm_image *image, int32_t width, int32_t height, hfm_image *out,
                                 hfm_error *error) {
  const hfm_result result = hfm_image_new(width, height, image->channels, HFM_IMAGE_MAX_MADE, out, error);
  if (result) return result;
  const int32_t left = hfm_image_crop_offset(image->width, width), top = hfm_image_crop_offset(image->height, height);
  for (int32_t y = 0; y < height; y++) {
    for (int32_t x = 0; x < width; x++) {
      const int32_t sx = x + left, sy = y + top;
      if (sx < 0 || sy < 0 || sx >= image->width || sy >= image->height) continue;
      memcpy(out->pixels + ((size_t)y * (size_t)width + (size_t)x) * (size_t)image->channels,
             image->pixels + ((size_t)sy * (size_t)image->width + (size_t)sx) * (size_t)image->channels,
             (size_t)image->channels);
    }
  }
  return HFM_OK;
}

hfm_result hfm_image_convert(const hfm_image *image, int32_t channels, hfm_image *out, hfm_error *error) {
  hfm_result result;
  if (image->channels == channels) return hfm_image_copy(image, out, error);
  memset(out, 0, sizeof *out);
  if (channels != 1 && channels != 3) {
    return hfm_companion_fail(error, HFM_ERROR_UNSUPPORTED, HFM_E_INPUT_SHAPE, "", "num_channels",
                              "the model takes %d channels, but a picture file has 1 or 3: give it pixel_values",
                              channels);
  }
  result = hfm_image_new(image->width, image->height, channels, HFM_IMAGE_MAX_SAMPLES, out, error);
  for (size_t i = 0; !result && i < (size_t)image->width * (size_t)image->height; i++) {
    const unsigned char *p = image->pixels + i * (size_t)image->channels;
    if (channels == 1) out->pixels[i] = (unsigned char)((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16);
    else memset(out->pixels + 3 * i, p[0], 3);
  }
  return result;
}

/* ---- preprocessor_config.json -------------------------------------------------------------------------------- */

void hfm_image_processor_default(int32_t channels, int32_t height, int32_t width, hfm_image_processor *processor) {
  memset(processor, 0, sizeof *processor);
  processor->channels = channels;
  processor->do_resize = processor->do_rescale = processor->do_normalize = 1;
  processor->height = height;
  processor->width = width;
  processor->resample = HFM_IMAGE_BILINEAR;
  processor->rescale_factor = 1.0 / 255;
  for (int c = 0; c < 4; c++) processor->image_mean[c] = processor->image_std[c] = 0.5f;
}

/* Reads preprocessor_config.json. What it doesn't say keeps its default; what it says wrongly is an error, and the
   first one stays. */
typedef struct hfm_image_reader {
  const hfm_config *config;
  const char *file;
  hfm_error *error;
  hfm_result result;
} hfm_image_reader;

static void hfm_image_refuse(hfm_image_reader *r, const char *key, const char *expected) {
  const int64_t number = hfm_config_get_int(r->config, key, INT64_MIN);
  const char *text = hfm_config_get_string(r->config, key, NULL);
  char found[64];
  if (r->result) return;
  snprintf(found, sizeof found, hfm_config_has(r->config, key) ? "something else" : "absent");
  if (number != INT64_MIN) snprintf(found, sizeof found, "%lld", (long long)number);
  else if (text) snprintf(found, sizeof found, "\"%s\"", text);
  r->result = hfm_companion_fail(r->error, HFM_ERROR_FORMAT, HFM_E_CONFIG_RANGE, r->file, key,
                                 "%s: '%s' is %s: expected %s", r->file, key, found, expected);
}

static int32_t hfm_image_int(hfm_image_reader *r, const char *key, int32_t low, int32_t high, int32_t value) {
  const int64_t number = hfm_config_get_int(r->config, key, (int64_t)low - 1);
  char expected[48];
  if (!hfm_config_has(r->config, key)) return value;
  if (number >= low && number <= high) return (int32_t)number;
  snprintf(expected, sizeof expected, "a whole number from %d to %d", (int)low, (int)high);
  hfm_image_refuse(r, key, expected);
  return value;
}

static int32_t hfm_image_bool(hfm_image_reader *r, const char *key, int32_t value) {
  const int32_t found = hfm_config_get_bool(r->config, key, -1);
  if (!hfm_config_has(r->config, key)) return value;
  if (found < 0) hfm_image_refuse(r, key, "true or false");
  return found == 1;
}

static double hfm_image_float(hfm_image_reader *r, const char *key, double value) {
  const double found = hfm_config_get_float(r->config, key, HUGE_VAL);
  if (!hfm_config_has(r->config, key)) return value;
  if (!(found > -HUGE_VAL && found < HUGE_VAL)) hfm_image_refuse(r, key, "a number");
  return found;
}

/* Two parts of a size, "size.height" and "size.width" or "size.0" and "size.1"; 0 if neither is there. */
static int hfm_image_edges(hfm_image_reader *r, const char *key, const char *first, const char *second,
                           int32_t *edges) {
  const char *const parts[2] = { first, second };
  char path[2][48];
  int given = 0;
  for (int i = 0; i < 2; i++) {
    snprintf(path[i], sizeof path[i], "%s.%s", key, parts[i]);
    if (hfm_config_has(r->config, path[i])) given++;
  }
  for (int i = 0; given && i < 2; i++) {
    if (!hfm_config_has(r->config, path[i])) hfm_image_refuse(r, path[i], "a number, as the other edge has one");
    edges[i] = hfm_image_int(r, path[i], 1, HFM_IMAGE_MAX_EDGE, edges[i]);
  }
  return given;
}

/* A number, or [height, width], or {"height": .., "width": ..}, or {"shortest_edge": ..}. */
static void hfm_image_size(hfm_image_reader *r, const char *key, int32_t *height, int32_t *width,
                           int32_t *shortest_edge) {
  int32_t edges[2] = { *height, *width };
  char path[48];
  snprintf(path, sizeof path, "%s.shortest_edge", key);
  if (!hfm_config_has(r->config, key)) return;
  if (hfm_config_get_int(r->config, key, INT64_MIN) != INT64_MIN) {
    edges[0] = edges[1] = hfm_image_int(r, key, 1, HFM_IMAGE_MAX_EDGE, edges[0]);
  } else if (!hfm_image_edges(r, key, "height", "width", edges) && !hfm_image_edges(r, key, "0", "1", edges)) {
    if (shortest_edge && hfm_config_has(r->config, path)) {
      *shortest_edge = hfm_image_int(r, path, 1, HFM_IMAGE_MAX_EDGE, 0);
    } else {
      hfm_image_refuse(r, key, shortest_edge ? "a number, or height and width, or shortest_edge"
                                             : "a number, or height and width");
    }
  }
  *height = edges[0];
  *width = edges[1];
}

/* Ways to say a size that other processors know: better refused than resized wrongly. */
static const char *hfm_image_unknown_key(const hfm_config *config) {
  static const char *const keys[] = { "size.longest_edge", "size.max_height", "size.max_width", "size.min_pixels" };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    if (hfm_config_has(config, keys[i])) return keys[i];
  }
  return hfm_config_get_bool(config, "do_pad", 0) ? "do_pad" : NULL;
}

/* One number for all channels, or one for each. */
static void hfm_image_per_channel(hfm_image_reader *r, const char *key, int32_t channels, float *values) {
  const double all = hfm_config_get_float(r->config, key, HUGE_VAL);
  char path[32];
  if (!hfm_config_has(r->config, key)) return;
  for (int32_t c = 0; c < channels && c < 4; c++) {
    snprintf(path, sizeof path, "%s.%d", key, (int)c);
    if (!(all < HUGE_VAL) && !hfm_config_has(r->config, path)) hfm_image_refuse(r, path, "a number for each channel");
    values[c] = (float)(all < HUGE_VAL ? all : hfm_image_float(r, path, 0));
  }
}

static void hfm_image_processor_read(hfm_image_reader *r, hfm_image_processor *processor) {
  const char *type = hfm_config_get_string(r->config, "image_processor_type",
                                           hfm_config_get_string(r->config, "feature_extractor_type", ""));
  const char *unknown = hfm_image_unknown_key(r->config);
  if (strncmp(type, "DeiT", 4) == 0) { /* the defaults of its class differ */
    processor->resample = HFM_IMAGE_BICUBIC;
    processor->height = processor->width = 256;
    processor->do_center_crop = 1;
  }
  if (unknown) {
    r->result = hfm_companion_fail(r->error, HFM_ERROR_UNSUPPORTED, HFM_E_CONFIG_VALUE, r->file, unknown,
                                   "%s: '%s' isn't supported here: prepare pixel_values elsewhere", r->file, unknown);
    return;
  }
  processor->crop_height = processor->crop_width = 224;
  processor->do_resize = hfm_image_bool(r, "do_resize", processor->do_resize);
  processor->do_center_crop = hfm_image_bool(r, "do_center_crop", processor->do_center_crop);
  processor->do_rescale = hfm_image_bool(r, "do_rescale", processor->do_rescale);
  processor->do_normalize = hfm_image_bool(r, "do_normalize", processor->do_normalize);
  processor->resample = hfm_image_int(r, "resample", HFM_IMAGE_NEAREST, HFM_IMAGE_HAMMING, processor->resample);
  processor->rescale_factor = hfm_image_float(r, "rescale_factor", processor->rescale_factor);
  hfm_image_size(r, "size", &processor->height, &processor->width, &processor->shortest_edge);
  hfm_image_size(r, "crop_size", &processor->crop_height, &processor->crop_width, NULL);
  hfm_image_per_channel(r, "image_mean", processor->channels, processor->image_mean);
  hfm_image_per_channel(r, "image_std", processor->channels, processor->image_std);
}

hfm_result hfm_image_processor_from_pretrained(const char *dir, int32_t channels, hfm_image_processor *processor,
                                               hfm_error *error) {
  static const char name[] = "/preprocessor_config.json";
  char *path = (char *)malloc(strlen(dir) + sizeof name);
  hfm_config *config = NULL;
  hfm_image_reader reader;
  hfm_image_processor_default(channels, 224, 224, processor);
  if (!path) return hfm_companion_fail(error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, dir, "", "out of memory");
  strcat(strcpy(path, dir), name);
  reader.file = path;
  reader.error = error;
  reader.result = hfm_companion_load_json(path, &config, error);
  reader.config = config;
  if (!reader.result) hfm_image_processor_read(&reader, processor);
  hfm_config_free(config);
  free(path);
  return reader.result;
}

/* ---- From a picture to pixel_values --------------------------------------------------------------------------- */

/* What the resizing makes of a picture: a size that may be beyond all bounds. */
static void hfm_image_resized_size(const hfm_image_processor *processor, const hfm_image *image, int64_t *height,
                                   int64_t *width) {
  *height = processor->height;
  *width = processor->width;
  if (processor->shortest_edge) {
    const int64_t edge = processor->shortest_edge;
    const int upright = image->width <= image->height;
    const int64_t shorter = upright ? image->width : image->height, longer = upright ? image->height : image->width;
    const int64_t other = (int64_t)((double)(edge * longer) / (double)shorter);
    *width = upright ? edge : other;
    *height = upright ? other : edge;
  }
}

void hfm_image_prepared_size(const hfm_image_processor *processor, const hfm_image *image, int64_t *height,
                             int64_t *width) {
  *height = image->height;
  *width = image->width;
  if (processor->do_resize) hfm_image_resized_size(processor, image, height, width);
  if (processor->do_center_crop) {
    *height = processor->crop_height;
    *width = processor->crop_width;
  }
}

static hfm_result hfm_image_resize_by(const hfm_image_processor *processor, const hfm_image *image, hfm_image *out,
                                      hfm_error *error) {
  int64_t width, height;
  hfm_result result;
  hfm_image_resized_size(processor, image, &height, &width);
  result = hfm_image_bounds(width, height, image->channels, HFM_IMAGE_MAX_MADE, error);
  if (result) return result;
  return hfm_image_resize(image, (int32_t)width, (int32_t)height, processor->resample, out, error);
}

hfm_result hfm_image_preprocess(const hfm_image_processor *processor, const hfm_image *image, hfm_tensor *pixel_values,
                                hfm_error *error) {
  hfm_image now, next;
  hfm_result result = hfm_image_convert(image, processor->channels, &now, error);
  memset(pixel_values, 0, sizeof *pixel_values);
  if (!result && processor->do_resize) {
    result = hfm_image_step(hfm_image_resize_by(processor, &now, &next, error), &now, &next);
  }
  if (!result && processor->do_center_crop) {
    result = hfm_image_step(
        hfm_image_center_crop(&now, processor->crop_width, processor->crop_height, &next, error), &now, &next);
  }
  if (!result) {
    const size_t channels = (size_t)now.channels, plane = (size_t)now.width * (size_t)now.height;
    float *values = (float *)malloc(plane * channels * sizeof(float));
    if (!values) result = hfm_companion_fail(error, HFM_ERROR_MEMORY, HFM_E_OUT_OF_MEMORY, "", "", "out of memory");
    for (size_t i = 0; values && i < plane * channels; i++) {
      const size_t c = i % channels;
      float v = (float)now.pixels[i];
      if (processor->do_rescale) v = (float)((double)v * processor->rescale_factor);
      if (processor->do_normalize) v = (v - processor->image_mean[c]) / processor->image_std[c];
      values[c * plane + i / channels] = v;
    }
    if (values) {
      const int64_t shape[4] = { 1, now.channels, now.height, now.width };
      *pixel_values = hfm_tensor_f32(values, 4, shape);
    }
  }
  hfm_image_free(&now);
  return result;
}

#undef HFM_IMAGE_MAX_EDGE
#undef HFM_IMAGE_MAX_SAMPLES
#undef HFM_IMAGE_MAX_MADE
#undef HFM_IMAGE_MAX_FILE

#endif /* HFM_IMAGE_IMPLEMENTATION */
