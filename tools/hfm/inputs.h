/* inputs.h: what goes into a model: token ids from the command line, pictures, or a file of tensors. */

typedef struct model_inputs {
  hfm_inputs in;      /* views of what follows */
  hfm_tensors file;
  int64_t *ids, *mask;
  float *pixels;
} model_inputs;

static void free_inputs(model_inputs *inputs) {
  hfm_tensors_free(&inputs->file);
  free(inputs->ids);
  free(inputs->mask);
  free(inputs->pixels);
  memset(inputs, 0, sizeof *inputs);
}

/* ---- --ids --------------------------------------------------------------------------------------------------- */

/* The next number of "101, 2023 102"; 0 at the end, -1 if there is something else. */
static int next_id(const char **text, int64_t *id) {
  char *end;
  while (**text && strchr(" ,\t\n[]", **text)) (*text)++;
  if (!**text) return 0;
  errno = 0;
  *id = (int64_t)strtoll(*text, &end, 10);
  if (errno || end == *text || (*end && !strchr(" ,\t\n[]", *end))) return -1;
  *text = end;
  return 1;
}

/* Rows of ids become one padded batch, on the left where texts are to go on; the mask says which are real. */
static int inputs_from_ids(const string_list *rows, int left, const hfm_model *model, model_inputs *inputs) {
  const int64_t pad = hfm_config_get_int(hfm_model_config(model), "pad_token_id", 0);
  int64_t length = 0, id;
  int status = 0;
  for (int row = 0; row < rows->count; row++) {
    const char *text = rows->items[row];
    int64_t n = 0;
    while ((status = next_id(&text, &id)) > 0) n++;
    if (status < 0) {
      return say_error(EXIT_USAGE, "--ids '%s': expected whole numbers, such as \"101 2023 102\"", rows->items[row]);
    }
    if (!n) return say_error(EXIT_USAGE, "--ids '%s': no token id in it", rows->items[row]);
    if (n > length) length = n;
  }
  const size_t cells = (size_t)length * (size_t)rows->count;
  inputs->ids = (int64_t *)malloc(cells * sizeof(int64_t));
  inputs->mask = (int64_t *)malloc(cells * sizeof(int64_t));
  if (!inputs->ids || !inputs->mask) return out_of_memory();
  for (int row = 0; row < rows->count; row++) {
    const char *text = rows->items[row];
    int64_t n = 0;
    while (next_id(&text, &id) > 0) n++;
    text = rows->items[row];
    for (int64_t i = 0; i < length; i++) {
      const size_t at = (size_t)(row * length + i);
      inputs->mask[at] = left ? i >= length - n : i < n;
      inputs->ids[at] = inputs->mask[at] && next_id(&text, &id) > 0 ? id : pad < 0 ? 0 : pad;
    }
  }
  inputs->in.input_ids = hfm_tensor_i64(inputs->ids, rows->count, length);
  inputs->in.attention_mask = hfm_tensor_i64(inputs->mask, rows->count, length);
  return EXIT_OK;
}

/* ---- --image -------------------------------------------------------------------------------------------------- */

static int takes_pictures(const hfm_model *model) {
  return strcmp(hfm_model_main_input_name(model), "pixel_values") == 0;
}

/* height and width that the model was made for: image_size, a number or a list. */
static void model_image_size(const hfm_config *config, int64_t *height, int64_t *width) {
  const int64_t square = hfm_config_get_int(config, "image_size", 0);
  *height = hfm_config_get_int(config, "image_size.0", square);
  *width = hfm_config_get_int(config, "image_size.1", *height);
}

/* The folder that the weights came from, which has preprocessor_config.json beside them; malloc, with room for a file
   name of `room` bytes. */
static char *model_folder(const hfm_model *model, const char *fallback, size_t room) {
  const char *file = hfm_model_file(model, 0);
  const char *path = file ? file : fallback;
  size_t length = file ? (size_t)(base_name(file) - file) : strlen(path);
  char *folder = (char *)malloc(length + 2 + room);
  while (length > 1 && path[length - 1] == '/') length--;
  if (folder && length) snprintf(folder, length + 1, "%s", path);
  return folder && !length ? strcpy(folder, ".") : folder;
}

/* The path of a file of that name there; malloc. */
static char *beside_the_weights(const hfm_model *model, const char *fallback, const char *name) {
  char *path = model_folder(model, fallback, strlen(name) + 1);
  return path ? strcat(strcat(path, "/"), name) : NULL;
}

static int image_processor_for(const hfm_model *model, const char *path, hfm_image_processor *processor) {
  const hfm_config *config = hfm_model_config(model);
  const int32_t channels = (int32_t)hfm_config_get_int(config, "num_channels", 3);
  int64_t height, width;
  hfm_error error;
  if (!takes_pictures(model)) {
    return say_error(EXIT_BAD_INPUT, "%s takes token ids, not pictures: give it --ids", hfm_model_architecture(model));
  }
  model_image_size(config, &height, &width);
  char *folder = model_folder(model, path, 0);
  if (!folder) return out_of_memory();
  const hfm_result result = hfm_image_processor_from_pretrained(folder, channels, processor, &error);
  free(folder);
  if (result == HFM_ERROR_NOT_FOUND) {
    hfm_image_processor_default(channels, (int32_t)height, (int32_t)width, processor);
    say_warning("no preprocessor_config.json: the picture becomes %d x %d, from -1 to 1, as ViT's processor does it",
                (int)width, (int)height);
    return EXIT_OK;
  }
  return result ? say_library_error(&error) : EXIT_OK;
}

/* One picture, prepared. A size that the model doesn't take is refused before the work: the processor's file may ask
   for any. */
static hfm_result read_picture(const char *path, const hfm_image_processor *processor, const hfm_config *config,
                               hfm_tensor *pixels, hfm_error *error) {
  int64_t height, width, model_height, model_width;
  hfm_image image;
  hfm_result result = hfm_image_read(path, &image, error);
  if (result) return result;
  model_image_size(config, &model_height, &model_width);
  hfm_image_prepared_size(processor, &image, &height, &width);
  if (height != model_height || width != model_width) {
    result = hfm_companion_fail(error, HFM_ERROR_SHAPE, HFM_E_INPUT_SHAPE, path, "pixel_values",
                                "%s: preprocessor_config.json makes it %" PRId64 " x %" PRId64 " (height x width), but "
                                "the model's image_size is %" PRId64 " x %" PRId64, path, height, width, model_height,
                                model_width);
  } else {
    result = hfm_image_preprocess(processor, &image, pixels, error);
  }
  hfm_image_free(&image);
  return result;
}

static size_t tensor_elements(const hfm_tensor *tensor) {
  size_t n = 1;
  for (int32_t i = 0; i < tensor->rank; i++) n *= (size_t)tensor->shape[i];
  return n;
}

static int inputs_from_images(const string_list *paths, const hfm_model *model, const char *model_path,
                              model_inputs *inputs) {
  hfm_image_processor processor;
  hfm_error error;
  int status = image_processor_for(model, model_path, &processor);
  for (int i = 0; !status && i < paths->count; i++) {
    hfm_tensor pixels;
    if (read_picture(paths->items[i], &processor, hfm_model_config(model), &pixels, &error)) {
      return say_library_error(&error);
    }
    const size_t each = tensor_elements(&pixels);
    if (!i) {
      inputs->in.pixel_values = pixels;
      inputs->in.pixel_values.shape[0] = paths->count;
      inputs->pixels = (float *)malloc(each * (size_t)paths->count * sizeof(float));
      inputs->in.pixel_values.data = inputs->pixels;
    }
    if (inputs->pixels) memcpy(inputs->pixels + (size_t)i * each, pixels.data, each * sizeof(float));
    else status = out_of_memory();
    free((void *)pixels.data);
  }
  return status;
}

/* ---- --inputs -------------------------------------------------------------------------------------------------- */

/* The field of hfm_inputs of that name; NULL if there is none. */
static hfm_tensor *input_named(hfm_inputs *in, const char *name) {
  const struct {
    const char *name;
    hfm_tensor *field;
  } fields[] = {
    { "input_ids", &in->input_ids }, { "attention_mask", &in->attention_mask },
    { "token_type_ids", &in->token_type_ids }, { "position_ids", &in->position_ids },
    { "inputs_embeds", &in->inputs_embeds }, { "pixel_values", &in->pixel_values }, { "labels", &in->labels },
    { "decoder_input_ids", &in->decoder_input_ids }, { "decoder_attention_mask", &in->decoder_attention_mask },
    { "decoder_inputs_embeds", &in->decoder_inputs_embeds },
  };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    if (strcmp(fields[i].name, name) == 0) return fields[i].field;
  }
  return NULL;
}

static int inputs_from_file(const char *path, model_inputs *inputs) {
  hfm_error error;
  if (hfm_tensors_read(path, &inputs->file, &error)) return say_library_error(&error);
  for (size_t i = 0; i < inputs->file.count; i++) {
    const hfm_named_tensor *item = &inputs->file.items[i];
    hfm_tensor *field = input_named(&inputs->in, item->name);
    if (!field) {
      return say_error(EXIT_BAD_INPUT, "%s: '%s' is no input of a model: expected input_ids, attention_mask, "
                       "token_type_ids, position_ids, inputs_embeds, pixel_values, decoder_input_ids, "
                       "decoder_attention_mask or decoder_inputs_embeds", path, item->name);
    }
    *field = item->tensor;
  }
  return EXIT_OK;
}

/* 0, or the exit code after a message. */
static int read_inputs(const arguments *args, int pad_left, const hfm_model *model, model_inputs *inputs) {
  memset(inputs, 0, sizeof *inputs);
  inputs->in.output_hidden_states = args->hidden_states;
  inputs->in.output_attentions = args->attentions;
  if (args->inputs) return inputs_from_file(args->inputs, inputs);
  if (args->images.count) return inputs_from_images(&args->images, model, args->path, inputs);
  return inputs_from_ids(&args->ids, pad_left, model, inputs);
}
