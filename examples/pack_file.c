/* A model inside a file format of your own: a game's pack file, read through hfm_io.
   cc -O2 -I. examples/pack_file.c -lm
   ./a.out write digits.pack examples/models/digits-vit      packs the files of a model directory
   ./a.out run digits.pack                                   loads the model from the pack

   The pack here is as simple as can be: a line "name size", the bytes, and so on. A pack that lies in memory (linked
   in, or mapped) needs no hfm_io: hfm_from_memory takes a list of names, pointers and sizes. */
#define HFMODEL_IMPLEMENTATION
#include "hfmodel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const packed_names[] = { "config.json", "model.safetensors" };

static int write_pack(const char *pack, const char *dir) {
  const int count = (int)(sizeof packed_names / sizeof packed_names[0]);
  FILE *out = fopen(pack, "wb");
  for (int i = 0; out && i < count; i++) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, packed_names[i]);
    FILE *in = fopen(path, "rb");
    if (!in) return printf("%s can't be read\n", path), 1;
    fseek(in, 0, SEEK_END);
    fprintf(out, "%s %ld\n", packed_names[i], ftell(in));
    rewind(in);
    for (int c; (c = getc(in)) != EOF;) putc(c, out);
    fclose(in);
  }
  if (!out || fclose(out)) return printf("%s can't be written\n", pack), 1;
  printf("%s: %d files\n", pack, count);
  return 0;
}

/* ---- What hfm_io asks for: files by name, reads by offset. ------------------------------------------------- */

typedef struct packed_file {
  FILE *pack; /* one for each open file: reads of weights may come from several threads */
  long start, size;
} packed_file;

static hfm_result pack_open(void *ctx, const char *name, void **file) {
  packed_file *found = (packed_file *)malloc(sizeof *found);
  const char *wanted = strrchr(name, '/'); /* "model/config.json": what we said to hfm_from_pretrained, '/', a name */
  char entry[64];
  if (!found) return HFM_ERROR_MEMORY;
  found->pack = fopen((const char *)ctx, "rb");
  while (found->pack && fscanf(found->pack, "%63s %ld", entry, &found->size) == 2 && getc(found->pack) == '\n') {
    found->start = ftell(found->pack);
    if (wanted && strcmp(entry, wanted + 1) == 0) return *file = found, HFM_OK;
    fseek(found->pack, found->size, SEEK_CUR);
  }
  if (found->pack) fclose(found->pack);
  free(found);
  return HFM_ERROR_NOT_FOUND;
}

static uint64_t pack_size(void *ctx, void *file) {
  (void)ctx;
  return (uint64_t)((packed_file *)file)->size;
}

static hfm_result pack_read(void *ctx, void *file, uint64_t offset, void *dst, size_t size, size_t *got) {
  packed_file *from = (packed_file *)file;
  (void)ctx;
  if (fseek(from->pack, from->start + (long)offset, SEEK_SET)) return HFM_ERROR_IO;
  *got = fread(dst, 1, size, from->pack);
  return ferror(from->pack) ? HFM_ERROR_IO : HFM_OK;
}

static void pack_close(void *ctx, void *file) {
  (void)ctx;
  fclose(((packed_file *)file)->pack);
  free(file);
}

static int run_pack(const char *pack) {
  static float pixels[8 * 8];
  const int64_t shape[] = { 1, 1, 8, 8 };
  hfm_options options = {0};
  hfm_inputs inputs = {0};
  hfm_outputs outputs;
  hfm_model *model = NULL;
  hfm_session *session = NULL;
  hfm_error error;
  options.task = HFM_IMAGE_CLASSIFICATION;
  options.io.ctx = (void *)pack;
  options.io.open = pack_open;
  options.io.size = pack_size;
  options.io.read = pack_read;
  options.io.close = pack_close; /* no map: this pack can't be mapped, so weights are read into memory */
  for (int i = 0; i < 64; i++) pixels[i] = i % 8 == 4 ? 1.0f : -1.0f; /* a vertical stroke */
  inputs.pixel_values = hfm_tensor_f32(pixels, 4, shape);
  if (hfm_from_pretrained("model", &options, &model, &error) || hfm_session_create(model, NULL, &session, &error) ||
      hfm_forward(session, &inputs, &outputs, &error))
    return puts(error.message), 1;
  printf("a vertical stroke is a %s\n",
         hfm_label(model, hfm_argmax((const float *)outputs.logits.data, hfm_num_labels(model))));
  hfm_session_free(session);
  hfm_model_free(model);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "write") == 0) return write_pack(argv[2], argv[3]);
  if (argc == 3 && strcmp(argv[1], "run") == 0) return run_pack(argv[2]);
  return puts("pack_file write PACK DIR | pack_file run PACK"), 2;
}
