/* write_directory.h: model directories as the files of one input: a tiny model's configuration and its weights, as
   safetensors, in shards with an index, as a zip archive or as a legacy stream. */
#ifndef WRITE_DIRECTORY_H
#define WRITE_DIRECTORY_H

#include "fuzz_archive.h"
#include "mutate_pickle.h"
#include "fuzz_tiny.h"

enum { FUZZ_DIRECTORY_ROOM = 1 << 15 };

static void fuzz_write_file(fuzz_edit *e, const char *name, const void *data, size_t size) {
  char line[128];
  snprintf(line, sizeof line, "%s %u\n", name, (unsigned)size);
  if (e->room - e->size < strlen(line) + size) return;
  fuzz_append_text(e, line);
  memcpy(e->data + e->size, data, size);
  e->size += size;
}

static hfm_named_tensor fuzz_entry(const hfm_model *model, size_t i, size_t *elements) {
  hfm_named_tensor entry;
  FUZZ_REQUIRE(hfm_state_dict_at(model, i, &entry) == HFM_OK, "state_dict_at");
  *elements = 1;
  for (int32_t d = 0; d < entry.tensor.rank; d++) *elements *= (size_t)entry.tensor.shape[d];
  return entry;
}

static void fuzz_append_tensor(fuzz_edit *e, const hfm_named_tensor *entry, size_t elements) {
  const size_t bytes = elements * sizeof(float);
  if (e->room - e->size < bytes) return;
  memcpy(e->data + e->size, entry->tensor.data, bytes);
  e->size += bytes;
}

/* Tensors first, first + step, ... as a safetensors file. */
static void fuzz_write_tensors(fuzz_edit *e, const hfm_model *model, size_t first, size_t step) {
  const size_t count = hfm_state_dict_size(model);
  size_t end = 0, elements;
  char text[256];
  e->size = 0;
  fuzz_append_number(e, 0, 8);
  for (size_t i = first; i < count; i += step) {
    const hfm_named_tensor entry = fuzz_entry(model, i, &elements);
    int length = snprintf(text, sizeof text, "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[", i == first ? '{' : ',',
                          entry.name);
    for (int32_t d = 0; d < entry.tensor.rank; d++)
      length += snprintf(text + length, sizeof text - (size_t)length, "%s%d", d ? "," : "", (int)entry.tensor.shape[d]);
    snprintf(text + length, sizeof text - (size_t)length, "],\"data_offsets\":[%u,%u]}", (unsigned)end,
             (unsigned)(end + elements * sizeof(float)));
    fuzz_append_text(e, text);
    end += elements * sizeof(float);
  }
  fuzz_append_text(e, "}");
  fuzz_put_number(e->data, e->size - 8, 8);
  for (size_t i = first; i < count; i += step) {
    const hfm_named_tensor entry = fuzz_entry(model, i, &elements);
    fuzz_append_tensor(e, &entry, elements);
  }
}

/* The pickle of the state dict: views of one storage; its elements: *total. */
static void fuzz_write_pickle(fuzz_edit *e, const hfm_model *model, size_t *total) {
  const size_t count = hfm_state_dict_size(model);
  size_t offset = 0, elements;
  *total = 0;
  for (size_t i = 0; i < count; i++) {
    (void)fuzz_entry(model, i, &elements);
    *total += elements;
  }
  fuzz_append_text(e, "\x80\2}");
  for (size_t i = 0; i < count; i++) {
    const hfm_named_tensor entry = fuzz_entry(model, i, &elements);
    int64_t stride = 1;
    fuzz_append_text(e, "U");
    fuzz_append_number(e, strlen(entry.name), 1);
    fuzz_append_text(e, entry.name);
    fuzz_append_text(e, "ctorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU\1" "0U\3cpuJ");
    fuzz_append_number(e, *total, 4);
    fuzz_append_text(e, "tQJ");
    fuzz_append_number(e, offset, 4);
    fuzz_append_text(e, "(");
    for (int32_t d = 0; d < entry.tensor.rank; d++)
      fuzz_append_number(e, 'K' | (uint64_t)entry.tensor.shape[d] << 8, 2);
    fuzz_append_text(e, "t(");
    for (int32_t d = 0; d < entry.tensor.rank; d++) {
      stride = 1;
      for (int32_t k = d + 1; k < entry.tensor.rank; k++) stride *= entry.tensor.shape[k];
      fuzz_append_number(e, 'K' | (uint64_t)stride << 8, 2);
    }
    fuzz_append_text(e, "t\x89}tRs");
    offset += elements;
  }
  fuzz_append_text(e, ".");
}

static void fuzz_write_values(fuzz_edit *e, const hfm_model *model) {
  for (size_t i = 0; i < hfm_state_dict_size(model); i++) {
    size_t elements;
    const hfm_named_tensor entry = fuzz_entry(model, i, &elements);
    fuzz_append_tensor(e, &entry, elements);
  }
}

static void fuzz_write_zip(fuzz_edit *e, const hfm_model *model) {
  fuzz_archive a;
  size_t total, pickle;
  if (!fuzz_archive_begin(&a, FUZZ_DIRECTORY_ROOM)) return;
  e->size = 0;
  fuzz_write_pickle(e, model, &total);
  pickle = e->size;
  fuzz_write_values(e, model);
  fuzz_archive_entry(&a, "m/data.pkl", e->data, pickle, 3);
  fuzz_archive_entry(&a, "m/byteorder", "little", 6, 0);
  fuzz_archive_entry(&a, "m/data/0", e->data + pickle, e->size - pickle, 5);
  fuzz_archive_end(&a, 1, 0);
  memcpy(e->data, a.bytes, a.size);
  e->size = a.size;
  free(a.bytes);
}

static void fuzz_write_legacy(fuzz_edit *e, const hfm_model *model) {
  size_t total;
  e->size = 0;
  fuzz_splice(e, 0, 0, fuzz_legacy_head, sizeof fuzz_legacy_head - 1);
  fuzz_write_pickle(e, model, &total);
  fuzz_append_text(e, "\x80\2]U\1" "0a.");
  fuzz_append_number(e, total, 8);
  fuzz_write_values(e, model);
}

static void fuzz_write_index(fuzz_edit *e, const hfm_model *model) {
  e->size = 0;
  for (size_t i = 0; i < hfm_state_dict_size(model); i++) {
    size_t elements;
    const hfm_named_tensor entry = fuzz_entry(model, i, &elements);
    fuzz_append_text(e, i ? ",\"" : "{\"metadata\":{},\"weight_map\":{\"");
    fuzz_append_text(e, entry.name);
    fuzz_append_text(e, i % 2 ? "\":\"b.safetensors\"" : "\":\"a.safetensors\"");
  }
  fuzz_append_text(e, "}}");
}

/* A whole directory in the place of the input. */
static void fuzz_write_directory(fuzz_edit *e) {
  static const char generation[] = "{\"max_new_tokens\":4,\"eos_token_id\":[1,2],\"temperature\":0.5}";
  static uint8_t bytes[FUZZ_DIRECTORY_ROOM];
  const size_t which = fuzz_below(e, FUZZ_TINY_COUNT), kind = fuzz_below(e, 4);
  const hfm_model *model = fuzz_tiny_model(which)->model;
  fuzz_edit file = fuzz_edit_begin(bytes, 0, sizeof bytes, 0);
  e->size = 0;
  fuzz_write_file(e, "options", "\0\0\0\0\0\0\0\0", 8);
  fuzz_write_file(e, "config.json", fuzz_tiny_configs[which], strlen(fuzz_tiny_configs[which]));
  if (fuzz_below(e, 2)) fuzz_write_file(e, "generation_config.json", generation, sizeof generation - 1);
  if (kind == 0) {
    fuzz_write_tensors(&file, model, 0, 1);
    fuzz_write_file(e, "model.safetensors", file.data, file.size);
  } else if (kind == 1) {
    fuzz_write_index(&file, model);
    fuzz_write_file(e, "model.safetensors.index.json", file.data, file.size);
    fuzz_write_tensors(&file, model, 0, 2);
    fuzz_write_file(e, "a.safetensors", file.data, file.size);
    fuzz_write_tensors(&file, model, 1, 2);
    fuzz_write_file(e, "b.safetensors", file.data, file.size);
  } else {
    if (kind == 2) fuzz_write_zip(&file, model);
    else fuzz_write_legacy(&file, model);
    fuzz_write_file(e, "pytorch_model.bin", file.data, file.size);
  }
}

#endif
