/* tools/hfm_image.h against Pillow and the image processors of Transformers (images/make_images.py): bit for bit. */
#define HFMODEL_IMPLEMENTATION
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
  hfm_tensors_free(&expected);
  return check_report("test_hfm_image");
}
