/* tools/hfm_image.h against Pillow and the image processors of Transformers (images/make_images.py): bit for bit. What
   files ask for is bounded, and what they say wrongly is an error that names them. */
#include "posix.h"

#include "hfmodel.h"
#define HFM_TENSORS_IMPLEMENTATION
#include "tools/hfm_tensors.h"
#define HFM_IMAGE_IMPLEMENTATION
#include "tools/hfm_image.h"
#include "check.h"

#define IMAGES "tests/unit/images/"

static hfm_tensors expected;

/* The picture is the [height, width, channels] tensor of that name. */
static void check_image(const hfm_image *image, const char *name) {
  const hfm_tensor *want = hfm_tensors_find(&expected, name);
  int same;
  if (!CHECK(want && want->rank == 3)) return;
  same = want->shape[0] == image->height && want->shape[1] == image->width && want->shape[2] == image->channels &&
         memcmp(want->data, image->pixels, (size_t)(image->height * image->width * image->channels)) == 0;
  if (!CHECK(same)) printf("  %s differs\n", name);
}

static int read_image(const char *path, hfm_image *image) {
  hfm_error error;
  const hfm_result result = hfm_image_read(path, image, &error);
  if (!CHECK_INT(result, HFM_OK)) printf("  %s\n", error.message);
  return result == HFM_OK;
}

static void test_read(void) {
  hfm_image image;
  if (read_image(IMAGES "colour.ppm", &image)) check_image(&image, "read.colour");
  hfm_image_free(&image);
  if (read_image(IMAGES "grey.pgm", &image)) check_image(&image, "read.grey");
  hfm_image_free(&image);
  if (read_image(IMAGES "deep.ppm", &image)) check_image(&image, "read.deep");
  hfm_image_free(&image);
}

static void test_resize(void) {
  static const int sizes[][2] = { { 5, 4 }, { 31, 40 }, { 40, 3 }, { 23, 6 }, { 9, 17 }, { 1, 1 } };
  hfm_image image, resized;
  char name[64];
  if (!read_image(IMAGES "colour.ppm", &image)) return;
  for (int resample = 0; resample < 6; resample++) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      snprintf(name, sizeof name, "resize.%d.%d.%d", resample, sizes[i][0], sizes[i][1]);
      if (CHECK_INT(hfm_image_resize(&image, sizes[i][0], sizes[i][1], resample, &resized, NULL), HFM_OK)) {
        check_image(&resized, name);
      }
      hfm_image_free(&resized);
    }
  }
  CHECK_INT(hfm_image_resize(&image, 4, 4, 6, &resized, NULL), HFM_ERROR_ARGUMENT);
  CHECK_INT(hfm_image_resize(&image, 0, 4, 2, &resized, NULL), HFM_ERROR_LIMIT);
  CHECK_INT(hfm_image_resize(&image, 1 << 20, 1 << 20, 0, &resized, NULL), HFM_ERROR_LIMIT);
  hfm_image_free(&image);
}

static void test_convert(void) {
  hfm_image image, grey, colour, none;
  if (!read_image(IMAGES "colour.ppm", &image)) return;
  CHECK_INT(hfm_image_convert(&image, 1, &grey, NULL), HFM_OK);
  check_image(&grey, "luma.colour");
  CHECK_INT(hfm_image_convert(&grey, 3, &colour, NULL), HFM_OK);
  CHECK(colour.pixels && colour.pixels[3] == grey.pixels[1] && colour.pixels[5] == grey.pixels[1]);
  CHECK_INT(hfm_image_convert(&image, 4, &none, NULL), HFM_ERROR_UNSUPPORTED);
  CHECK(none.pixels == NULL);
  hfm_image_free(&image);
  hfm_image_free(&grey);
  hfm_image_free(&colour);
}

static void test_processors(void) {
  static const char *const names[] = { "vit", "old", "deit", "edge", "border" };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char name[64];
    hfm_image_processor processor;
    hfm_image image;
    hfm_tensor pixels;
    hfm_error error;
    snprintf(name, sizeof name, IMAGES "%s", names[i]);
    if (!CHECK_INT(hfm_image_processor_from_pretrained(name, 3, &processor, &error), HFM_OK)) {
      printf("  %s\n", error.message);
      continue;
    }
    snprintf(name, sizeof name, "pixels.%s", names[i]);
    const hfm_tensor *want = hfm_tensors_find(&expected, name);
    if (!CHECK(want != NULL) || !read_image(IMAGES "colour.ppm", &image)) continue;
    CHECK_INT(hfm_image_preprocess(&processor, &image, &pixels, &error), HFM_OK);
    if (CHECK(pixels.rank == 4 && memcmp(pixels.shape, want->shape, sizeof pixels.shape) == 0)) {
      const size_t count = (size_t)(want->shape[1] * want->shape[2] * want->shape[3]);
      if (!CHECK_ALL_NEAR((const float *)pixels.data, (const float *)want->data, count, 0, 1e-7)) {
        printf("  %s\n", name);
      }
    }
    free((void *)pixels.data);
    hfm_image_free(&image);
  }
}

static void check_bad(const char *bytes, size_t size, const char *why) {
  static const char path[] = "build/test_hfm_image.ppm";
  hfm_image image;
  hfm_error error;
  FILE *file = fopen(path, "wb");
  if (!CHECK(file != NULL)) return;
  fwrite(bytes, 1, size, file);
  fclose(file);
  memset(&error, -1, sizeof error);
  CHECK_INT(hfm_image_read(path, &image, &error), HFM_ERROR_FORMAT);
  CHECK_INT(error.item, HFM_E_FILE_KIND);
  CHECK(image.pixels == NULL);
  CHECK_CONTAINS(error.message, why);
  remove(path);
}
#define BAD(text, why) check_bad(text, sizeof text - 1, why)

static void test_bad_pictures(void) {
  hfm_image image;
  hfm_image_processor processor;
  BAD("", "not a PPM");
  BAD("P", "not a PPM");
  BAD("P4 1 1 1", "not a PPM");
  BAD("\x89PNG\r\n", "not a PPM");
  BAD("P5", "must be positive");
  BAD("P5 0 4 255\n", "must be positive");
  BAD("P5 -4 4 255\n", "must be positive");
  BAD("P5 2 2 0\n1234", "must be positive");
  BAD("P5 2 2 65536\n1234", "must be positive");
  BAD("P5 2 2 255\n12", "shorter");
  BAD("P6 1 1 65535\n12345", "a sample is missing");
  BAD("P6 999999999 999999999 255\n", "shorter");
  BAD("P3 2 2 255\n 1 2 3 4 5 6 7 8 9 10 11", "a sample is missing");
  BAD("P2 2 2 255\n 1 2      3", "a sample is missing");
  BAD("P2 1 1 100\n 101   ", "larger than");
  CHECK_INT(hfm_image_read(IMAGES "absent.ppm", &image, NULL), HFM_ERROR_NOT_FOUND);
  CHECK_INT(hfm_image_processor_from_pretrained(IMAGES, 3, &processor, NULL), HFM_ERROR_NOT_FOUND);
}

/* Sizes that no file backs are refused before anything is allocated for them. */
static void test_bounds(void) {
  static unsigned char rows[7 * 3] = { 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6 };
  hfm_image image, out;
  hfm_error error;
  int right = 0;
  image.pixels = rows;
  image.width = 1;
  image.height = 7; /* odd: no position falls between two rows */
  image.channels = 3;
  for (int resample = HFM_IMAGE_NEAREST; resample <= HFM_IMAGE_HAMMING; resample++) {
    CHECK_INT(hfm_image_resize(&image, 1, 400000260, resample, &out, &error), HFM_ERROR_LIMIT);
    CHECK(out.pixels == NULL);
    CHECK_CONTAINS(error.message, "65535");
    CHECK_INT(hfm_image_resize(&image, 65535, 65535, resample, &out, NULL), HFM_ERROR_LIMIT);
    CHECK_INT(hfm_image_resize(&image, 30000, 30000, resample, &out, NULL), HFM_ERROR_LIMIT);
    CHECK_INT(hfm_image_resize(&image, INT32_MIN, -1, resample, &out, NULL), HFM_ERROR_LIMIT);
  }
  CHECK_INT(hfm_image_center_crop(&image, 30000, 30000, &out, NULL), HFM_ERROR_LIMIT);
  CHECK_INT(hfm_image_center_crop(&image, INT32_MIN, INT32_MAX, &out, NULL), HFM_ERROR_LIMIT);
  if (CHECK_INT(hfm_image_resize(&image, 1, 65535, HFM_IMAGE_NEAREST, &out, NULL), HFM_OK)) {
    for (int64_t i = 0; i < 65535; i++) right += out.pixels[i * 3] == (2 * i + 1) * 7 / (2 * 65535);
    CHECK_INT(right, 65535);
    hfm_image_free(&out);
  }
  image.width = INT32_MAX; /* a caller's own picture: refused before a pixel is looked at */
  CHECK_INT(hfm_image_resize(&image, 1, 1, HFM_IMAGE_LANCZOS, &out, NULL), HFM_ERROR_LIMIT);
}

static void test_prepared_size(void) {
  hfm_image_processor processor;
  hfm_image image;
  int64_t height, width;
  memset(&image, 0, sizeof image);
  image.width = 100;
  image.height = 40;
  hfm_image_processor_default(3, 24, 15, &processor);
  hfm_image_prepared_size(&processor, &image, &height, &width);
  CHECK(height == 24 && width == 15);
  processor.shortest_edge = 20;
  hfm_image_prepared_size(&processor, &image, &height, &width);
  CHECK(height == 20 && width == 50);
  processor.do_center_crop = 1;
  processor.crop_height = processor.crop_width = 16;
  hfm_image_prepared_size(&processor, &image, &height, &width);
  CHECK(height == 16 && width == 16);
  processor.do_center_crop = processor.do_resize = 0;
  hfm_image_prepared_size(&processor, &image, &height, &width);
  CHECK(height == 40 && width == 100);
}

#define BAD_DIR "build/test_hfm_image"
#define BAD_JSON BAD_DIR "/preprocessor_config.json"

/* Every error of the file names it, and the key. */
static void check_bad_processor(const char *json, const char *part) {
  hfm_image_processor processor;
  hfm_error error;
  FILE *file = fopen(BAD_JSON, "wb");
  if (!CHECK(file != NULL)) return;
  fputs(json, file);
  fclose(file);
  memset(&error, -1, sizeof error);
  if (!CHECK(hfm_image_processor_from_pretrained(BAD_DIR, 3, &processor, &error) != HFM_OK)) printf("  %s\n", json);
  CHECK_CONTAINS(error.message, BAD_JSON ": ");
  CHECK_CONTAINS(error.message, part);
  CHECK_STR(error.file, BAD_JSON);
}

static void test_bad_processors(void) {
#if !HAS_POSIX
  SKIP("folders and FIFOs are made the POSIX way");
#else
  hfm_image_processor processor;
  hfm_error error;
  mkdir(BAD_DIR, 0700);
  check_bad_processor("", "expected");
  check_bad_processor("{\"size\": 8", "expected");
  check_bad_processor("[]", "object");
  check_bad_processor("{\"size\": {\"height\": 0}}", "'size.height' is 0");
  check_bad_processor("{\"size\": {\"height\": 8}}", "'size.width' is absent");
  check_bad_processor("{\"size\": {\"height\": 8, \"width\": 65536}}", "'size.width' is 65536");
  check_bad_processor("{\"size\": {\"height\": 8, \"width\": 8.5}}", "'size.width'");
  check_bad_processor("{\"size\": \"8\"}", "'size' is \"8\"");
  check_bad_processor("{\"size\": -8}", "'size' is -8: expected a whole number from 1 to 65535");
  check_bad_processor("{\"size\": 99999999999}", "'size' is 99999999999");
  check_bad_processor("{\"size\": [8]}", "'size.1' is absent");
  check_bad_processor("{\"size\": {}}", "'size'");
  check_bad_processor("{\"size\": {\"shortest_edge\": 0}}", "'size.shortest_edge' is 0");
  check_bad_processor("{\"size\": {\"longest_edge\": 9}}", "'size.longest_edge' isn't supported");
  check_bad_processor("{\"crop_size\": {\"shortest_edge\": 8}}", "'crop_size'");
  check_bad_processor("{\"crop_size\": 0}", "'crop_size' is 0");
  check_bad_processor("{\"resample\": 99}", "'resample' is 99: expected a whole number from 0 to 5");
  check_bad_processor("{\"resample\": \"bicubic\"}", "'resample' is \"bicubic\"");
  check_bad_processor("{\"do_resize\": \"yes\"}", "'do_resize' is \"yes\": expected true or false");
  check_bad_processor("{\"rescale_factor\": \"x\"}", "'rescale_factor' is \"x\": expected a number");
  check_bad_processor("{\"image_mean\": [0.5, 0.5]}", "'image_mean.2' is absent");
  check_bad_processor("{\"image_std\": [0.5, true, 0.5]}", "'image_std.1'");
  remove(BAD_JSON);
  if (CHECK_INT(mkfifo(BAD_JSON, 0600), 0)) { /* nobody writes into it: an open would wait for ever */
    CHECK_INT(hfm_image_processor_from_pretrained(BAD_DIR, 3, &processor, &error), HFM_ERROR_IO);
    CHECK_INT(error.item, HFM_E_FILE_NOT_REGULAR);
  }
  remove(BAD_JSON);
  remove(BAD_DIR);
#endif
}

int main(void) {
  hfm_error error;
  if (hfm_tensors_read(IMAGES "expected.safetensors", &expected, &error)) {
    puts(error.message);
    return 1;
  }
  TEST(test_read);
  TEST(test_resize);
  TEST(test_convert);
  TEST(test_processors);
  TEST(test_bad_pictures);
  TEST(test_bounds);
  TEST(test_prepared_size);
  TEST(test_bad_processors);
  hfm_tensors_free(&expected);
  return check_report("test_hfm_image");
}
