/* ==== run/generation_config (private): how to generate, resolved ==================================================
   The call's options, then generation_config.json (without one config.json, as Transformers' from_model_config reads
   it), then the defaults: GenerationConfig, _prepare_generation_config and _prepare_generated_length. */

typedef struct hfm__generation_options {
  int64_t max_length, min_length; /* the prompt included */
  int64_t num_beams, num_return_sequences, no_repeat_ngram_size, top_k;
  int64_t prompt_lookup_num_tokens, max_matching_ngram_size;
  int32_t do_sample, early_stopping, remove_invalid_values, renormalize_logits;
  double max_time, length_penalty, repetition_penalty;
  double temperature, top_p, min_p, typical_p, epsilon_cutoff, eta_cutoff;
  hfm_token_ids eos, forced_bos, forced_eos, suppress, begin_suppress;
  const hfm_token_ids *bad_words;
  int64_t bad_word_count, pad; /* -1: none */
  int32_t sized_by_files; /* how much memory it takes, the call leaves to them */
} hfm__generation_options;

/* Reads one option after the other; after a failure it only gives fallbacks. */
typedef struct hfm__generation_reader {
  const hfm_config *config;
  hfm__arena *arena;
  hfm_error *error;
  hfm_result result;
} hfm__generation_reader;

enum { HFM__GENERATION_PATH = 96, HFM__NO_INT = -1 };
enum {
  HFM__MOST_IDS = 1 << 20, /* of a list */
  HFM__MOST_ENDS = 4096    /* of the lists that others are compared with, id by id */
};

/* ---- Where the files have a value ---- */

/* config.json as from_model_config reads it: what stands there, then what stands in the text model's part. The class's
   defaults count only where there is no file: a model from a configuration. */
HFM__PRIVATE hfm__config_value hfm__config_generation_value(const hfm_config *config, const char *key, char *path) {
  static const char *const parts[] = {"decoder", "generator", "text_config"};
  hfm__text t = hfm__text_to(path, HFM__GENERATION_PATH);
  hfm__config_value value = config->file ? hfm__config_walk(&config->document, config, key)
                                         : hfm__config_find(config, key);
  hfm__text_str(&t, key);
  for (size_t i = 0; i < HFM__COUNT(parts) && hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL; i++) {
    const hfm__config_value part = hfm__config_walk(&config->document, config, parts[i]);
    if (hfm__json_kind(part.doc, part.node) != HFM__JSON_OBJECT) continue;
    t = hfm__text_to(path, HFM__GENERATION_PATH);
    hfm__text_format(&t, "%s.%s", parts[i], key);
    return hfm__config_walk(&config->document, config, path);
  }
  return value;
}

/* The files' value of an option; `path` becomes the key that it stands under. */
HFM__PRIVATE hfm__config_value hfm__generation_value(const hfm_config *config, const char *key, char *path) {
  hfm__text t = hfm__text_to(path, HFM__GENERATION_PATH);
  if (!config->generation.root) return hfm__config_generation_value(config, key, path);
  hfm__text_format(&t, HFM__GENERATION_KEY "%s", key);
  return hfm__config_find(config, path);
}

/* Options that change what comes out and that only Transformers has: when they count, and the number that switches each
   off. */
enum { HFM__COUNTS_ALWAYS, HFM__COUNTS_WITH_BEAMS, HFM__COUNTS_WHEN_DRAWN, HFM__COUNTS_IN_CONTRASTIVE_SEARCH };

HFM__PRIVATE int hfm__generation_counts(const hfm__generation_options *o, int32_t when) {
  switch (when) {
    case HFM__COUNTS_WITH_BEAMS: return o->num_beams > 1;
    case HFM__COUNTS_WHEN_DRAWN: return o->do_sample;
    case HFM__COUNTS_IN_CONTRASTIVE_SEARCH: return o->num_beams == 1 && !o->do_sample && o->top_k > 1;
    default: return 1;
  }
}

HFM__PRIVATE hfm_result hfm__generation_refuse(const hfm_config *config, const hfm__generation_options *o,
                                               hfm_error *error) {
  static const struct {
    const char *key;
    double neutral;
    int32_t when;
  } unknown[] = {{"guidance_scale", 1, HFM__COUNTS_ALWAYS},
                 {"encoder_repetition_penalty", 1, HFM__COUNTS_ALWAYS},
                 {"encoder_no_repeat_ngram_size", 0, HFM__COUNTS_ALWAYS},
                 {"exponential_decay_length_penalty", 0, HFM__COUNTS_ALWAYS},
                 {"sequence_bias", 0, HFM__COUNTS_ALWAYS},
                 {"constraints", 0, HFM__COUNTS_ALWAYS},
                 {"force_words_ids", 0, HFM__COUNTS_ALWAYS},
                 {"stop_strings", 0, HFM__COUNTS_ALWAYS},
                 {"watermarking_config", 0, HFM__COUNTS_ALWAYS},
                 {"token_healing", 0, HFM__COUNTS_ALWAYS},
                 {"dola_layers", 0, HFM__COUNTS_ALWAYS},
                 {"num_beam_groups", 1, HFM__COUNTS_WITH_BEAMS},
                 {"top_h", 0, HFM__COUNTS_WHEN_DRAWN},
                 {"penalty_alpha", 0, HFM__COUNTS_IN_CONTRASTIVE_SEARCH}};
  for (size_t i = 0; i < HFM__COUNT(unknown); i++) {
    char path[HFM__GENERATION_PATH];
    const hfm__config_value value = hfm__generation_value(config, unknown[i].key, path);
    const int32_t kind = hfm__json_kind(value.doc, value.node);
    double number;
    int32_t truth;
    if (kind <= HFM__JSON_NULL || !hfm__generation_counts(o, unknown[i].when)) continue;
    if (hfm__json_bool(value.doc, value.node, &truth) && !truth) continue;
    if (hfm__json_double(value.doc, value.node, &number) && !(number < unknown[i].neutral) &&
        !(number > unknown[i].neutral))
      continue;
    return hfm__fail(error, HFM_E_CONFIG_VALUE, hfm__config_file(config, path), path, 0,
                     "%q asks for a way to generate that is not supported: remove it from the file", path);
  }
  return HFM_OK;
}

/* ---- One option ---- */

/* An integer of at least `low`; -1 where it is None, `fallback` where nobody says anything. */
HFM__PRIVATE int64_t hfm__generation_int(hfm__generation_reader *r, const char *key, int64_t said, int64_t fallback,
                                         int64_t low) {
  char path[HFM__GENERATION_PATH];
  hfm__config_value value;
  int64_t found = fallback;
  if (r->result != HFM_OK || said == HFM__NO_INT) return HFM__NO_INT;
  if (said && (said < low || said > INT32_MAX))
    r->result = hfm__fail(r->error, HFM_E_ARGUMENT_VALUE, NULL, key, 0,
                          "%s is %i, but must be from %i to %i, or 0 for what the model's files say, or -1 for none",
                          key, said, HFM__MAX(low, 1), (int64_t)INT32_MAX);
  if (r->result != HFM_OK) return HFM__NO_INT;
  if (said) return said;
  value = hfm__generation_value(r->config, key, path);
  if (hfm__json_kind(value.doc, value.node) > HFM__JSON_NULL)
    r->result = hfm__config_need_int(r->config, path, low, INT32_MAX, &found, r->error);
  return found;
}

HFM__PRIVATE double hfm__generation_number(hfm__generation_reader *r, const char *key, double said, double fallback,
                                           double low, double high) {
  char path[HFM__GENERATION_PATH];
  hfm__config_value value;
  double found = fallback;
  if (r->result != HFM_OK) return fallback;
  if (said < 0 || said > 0) {
    if (said > -2 * HFM_ZERO && said < 2 * HFM_ZERO) said = 0;
    if (said < low || said > high)
      r->result = hfm__fail(r->error, HFM_E_ARGUMENT_VALUE, NULL, key, 0,
                            "%s is %g, but must be from %g to %g, or 0 for what the model's files say", key, said, low,
                            high);
    return said;
  }
  if ((hfm__double_bits(said) & (UINT64_MAX >> 1)) != 0)
    r->result = hfm__fail(r->error, HFM_E_ARGUMENT_VALUE, NULL, key, 0, "%s is NaN, but must be a number", key);
  value = hfm__generation_value(r->config, key, path);
  if (r->result == HFM_OK && hfm__json_kind(value.doc, value.node) > HFM__JSON_NULL)
    r->result = hfm__config_need_float(r->config, path, low, high, &found, r->error);
  return found;
}

HFM__PRIVATE int32_t hfm__generation_switch(hfm__generation_reader *r, const char *key, int32_t said) {
  char path[HFM__GENERATION_PATH];
  int32_t found = 0;
  if (r->result != HFM_OK) return 0;
  if (said < -1 || said > 1)
    r->result = hfm__fail(r->error, HFM_E_ARGUMENT_VALUE, NULL, key, 0,
                          "%s is %d, but must be 1 for yes, -1 for no, or 0 for what the model's files say", key,
                          (int)said);
  if (said) return said > 0;
  (void)hfm__generation_value(r->config, key, path);
  if (r->result == HFM_OK) r->result = hfm__config_opt_bool(r->config, path, &found, r->error);
  return found;
}

enum { HFM__ANY_INT = INT32_MIN };
#define HFM__ANY 1e30 /* as good as no bound */

/* An option of sampling; without that its value counts for nothing, as in Transformers. */
HFM__PRIVATE double hfm__generation_drawn(hfm__generation_reader *r, const hfm__generation_options *o, const char *key,
                                          double said, double fallback, double low, double high) {
  return hfm__generation_number(r, key, said, fallback, o->do_sample ? low : -HFM__ANY, o->do_sample ? high : HFM__ANY);
}

/* False, true or "never". */
HFM__PRIVATE int32_t hfm__generation_early_stopping(hfm__generation_reader *r, int32_t said) {
  char path[HFM__GENERATION_PATH];
  const hfm__config_value value = hfm__generation_value(r->config, "early_stopping", path);
  const char *text = hfm__json_text(value.doc, value.node);
  if (said == HFM_EARLY_STOPPING_NEVER) return said;
  if (said < -1 || said > 1) {
    if (r->result == HFM_OK)
      r->result = hfm__fail(r->error, HFM_E_ARGUMENT_VALUE, NULL, "early_stopping", 0,
                            "early_stopping is %d, but must be an HFM_EARLY_STOPPING_ value", (int)said);
    return 0;
  }
  if (!said && text && hfm__equal(text, "never")) return HFM_EARLY_STOPPING_NEVER;
  return hfm__generation_switch(r, "early_stopping", said);
}

/* ---- Ids ---- */

HFM__PRIVATE int64_t *hfm__id_room(hfm__generation_reader *r, int64_t count) {
  int64_t *ids = (int64_t *)hfm__arena_alloc(r->arena, (uint64_t)count * sizeof *ids);
  if (!ids && r->result == HFM_OK) r->result = hfm__fail_memory(r->error, "a generation", 0);
  return ids;
}

HFM__PRIVATE hfm_token_ids hfm__no_ids(void) {
  const hfm_token_ids none = {NULL, 0};
  return none;
}

/* A copy of ids that the call gives. */
HFM__PRIVATE hfm_token_ids hfm__generation_copy(hfm__generation_reader *r, const char *key, hfm_token_ids said,
                                                int64_t most) {
  hfm_token_ids copy = hfm__no_ids();
  int64_t *ids;
  if (said.count < 0 || said.count > most || (said.count && !said.data)) {
    r->result = hfm__fail(r->error, HFM_E_ARGUMENT_VALUE, NULL, key, 0,
                          said.count > most ? "%s has %i ids, but may have at most %i"
                          : said.count < 0 ? "%s has a count of %i: it is -1 for none, or from 1 to %i"
                                           : "%s has no data, but a count of %i; at most %i are read",
                          key, said.count, most);
    return copy;
  }
  ids = hfm__id_room(r, said.count);
  if (!ids) return copy;
  if (said.count) memcpy(ids, said.data, (size_t)said.count * sizeof *ids);
  copy.data = ids;
  copy.count = said.count;
  return copy;
}

/* A list of integers, or one integer, from a file. */
HFM__PRIVATE hfm_token_ids hfm__generation_read(hfm__generation_reader *r, const char *path, hfm__config_value value,
                                                int64_t most) {
  const int is_list = hfm__json_kind(value.doc, value.node) == HFM__JSON_ARRAY;
  hfm_token_ids list = hfm__no_ids();
  const uint32_t first = is_list ? hfm__json_first(value.doc, value.node) : value.node;
  int64_t *ids;
  for (uint32_t node = first; node; node = is_list ? hfm__json_following(value.doc, node) : 0) list.count++;
  if (list.count > most) {
    r->result = hfm__fail(r->error, HFM_E_CONFIG_LIMIT, hfm__config_file(r->config, path), path, 0,
                          "%q has %i ids, but may have at most %i", path, list.count, most);
    return hfm__no_ids();
  }
  ids = hfm__id_room(r, list.count);
  list.data = ids;
  for (uint32_t node = first; ids && node; node = is_list ? hfm__json_following(value.doc, node) : 0)
    if (!hfm__json_int(value.doc, node, ids++)) {
      r->result = hfm__config_wrong(r->config, path, "an integer or a list of integers", r->error);
      return hfm__no_ids();
    }
  if (!list.data) list.count = 0;
  return list;
}

HFM__PRIVATE hfm_token_ids hfm__generation_ids(hfm__generation_reader *r, const char *key, hfm_token_ids said,
                                               int64_t most) {
  char path[HFM__GENERATION_PATH];
  hfm__config_value value;
  if (r->result != HFM_OK || (said.count == HFM__NO_INT)) return hfm__no_ids();
  if (said.count || said.data) return hfm__generation_copy(r, key, said, most);
  value = hfm__generation_value(r->config, key, path);
  if (hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL) return hfm__no_ids();
  return hfm__generation_read(r, path, value, most);
}

/* An option that is one id; -1: none. */
HFM__PRIVATE int64_t hfm__generation_id(hfm__generation_reader *r, const char *key, hfm_token_ids said) {
  const hfm_token_ids ids = hfm__generation_ids(r, key, said, HFM__MOST_IDS);
  if (r->result == HFM_OK && ids.count > 1)
    r->result = hfm__fail(r->error, HFM_E_ARGUMENT_VALUE, NULL, key, 0, "%s has %i ids, but must be one", key,
                          ids.count);
  return ids.count == 1 ? ids.data[0] : -1;
}

HFM__PRIVATE void hfm__generation_bad_words(hfm__generation_reader *r, const hfm_generation_config *said,
                                            hfm__generation_options *out) {
  static const char key[] = "bad_words_ids";
  char path[HFM__GENERATION_PATH];
  const hfm__config_value value = hfm__generation_value(r->config, key, path);
  const int from_file = !said->bad_words_count && !said->bad_words_ids;
  hfm_token_ids *words;
  int64_t count = said->bad_words_count;
  uint32_t node = 0;
  if (r->result != HFM_OK || count == HFM__NO_INT) return;
  if (from_file) {
    if (hfm__json_kind(value.doc, value.node) <= HFM__JSON_NULL) return;
    if (hfm__json_kind(value.doc, value.node) == HFM__JSON_ARRAY) node = hfm__json_first(value.doc, value.node);
    for (uint32_t n = node; n; n = hfm__json_following(value.doc, n)) count++;
    if (!node) r->result = hfm__config_wrong(r->config, path, "a list of lists of ids, not empty", r->error);
    if (count > HFM__MOST_IDS)
      r->result = hfm__fail(r->error, HFM_E_CONFIG_LIMIT, hfm__config_file(r->config, path), path, 0,
                            "%q has %i lists, but may have at most %i", path, count, (int64_t)HFM__MOST_IDS);
  } else if (count < 0 || count > HFM__MOST_IDS || !said->bad_words_ids) {
    r->result = hfm__fail(r->error, HFM_E_ARGUMENT_VALUE, NULL, key, 0,
                          "bad_words_count is %i, but must be from 1 to %i, with bad_words_ids, or -1 for none", count,
                          (int64_t)HFM__MOST_IDS);
  }
  if (r->result != HFM_OK) return;
  words = (hfm_token_ids *)hfm__arena_alloc(r->arena, (uint64_t)count * sizeof *words);
  if (!words) {
    r->result = hfm__fail_memory(r->error, "a generation", 0);
    return;
  }
  for (int64_t i = 0; i < count && r->result == HFM_OK; i++) {
    const hfm_token_ids word = from_file
                                   ? hfm__generation_read(r, path, hfm__config_node(value.doc, node), HFM__MOST_IDS)
                                   : hfm__generation_copy(r, key, said->bad_words_ids[i], HFM__MOST_IDS);
    if (word.count) words[out->bad_word_count++] = word;
    else if (r->result == HFM_OK && !from_file) /* in a file it forbids nothing, as in Transformers */
      r->result = hfm__fail(r->error, HFM_E_ARGUMENT_VALUE, NULL, key, 0, "bad_words_ids[%i] is empty", i);
    if (from_file) node = hfm__json_following(value.doc, node);
  }
  out->bad_words = words;
}

/* ---- All of them ---- */

/* max_new_tokens beats max_length; nobody says anything: 20 more than the prompt. */
HFM__PRIVATE void hfm__generation_lengths(hfm__generation_reader *r, const hfm_generation_config *said,
                                          int64_t prompt_length, hfm__generation_options *out) {
  enum { DEFAULT_NEW = 20 };
  const int64_t max_new = hfm__generation_int(r, "max_new_tokens", said->max_new_tokens, HFM__NO_INT, 1);
  const int64_t min_new = hfm__generation_int(r, "min_new_tokens", said->min_new_tokens, HFM__NO_INT, 0);
  const int64_t positions = hfm_config_get_int(r->config, "max_position_embeddings", INT64_MAX);
  int64_t most = hfm__generation_int(r, "max_length", said->max_length, HFM__NO_INT, 1);
  int64_t least = hfm__generation_int(r, "min_length", said->min_length, 0, said->min_length ? 0 : HFM__ANY_INT);
  out->sized_by_files = max_new > 0 ? !said->max_new_tokens : most > 0 && !said->max_length;
  if (max_new > 0) most = HFM__MIN(prompt_length + max_new, INT32_MAX);
  else if (most < 0) most = HFM__MIN(prompt_length + DEFAULT_NEW, positions);
  if (min_new >= 0) least = prompt_length + min_new;
  out->max_length = most;
  out->min_length = HFM__MAX(least, 0);
  if (r->result == HFM_OK && prompt_length >= most)
    r->result = hfm__fail(r->error, HFM_E_INPUT_TOO_LONG, NULL, "max_length", 0,
                          "the prompt has length %i, but max_length is %i: nothing would be generated. Set "
                          "max_new_tokens, or a larger max_length",
                          prompt_length, most);
}

/* What two options together can't be. */
HFM__PRIVATE hfm_result hfm__generation_conflicts(const hfm__generation_options *o, hfm_error *error) {
  if (o->num_return_sequences > 1 && o->num_beams == 1 && !o->do_sample)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "num_return_sequences", 0,
                     "num_return_sequences is %i, but greedy search has one result: set do_sample or num_beams",
                     o->num_return_sequences);
  if (o->num_beams > 1 && o->num_return_sequences > o->num_beams)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "num_return_sequences", 0,
                     "num_return_sequences is %i, but must be at most num_beams, which is %i", o->num_return_sequences,
                     o->num_beams);
  if (o->prompt_lookup_num_tokens > 0 && (o->num_beams > 1 || o->num_return_sequences > 1))
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "prompt_lookup_num_tokens", 0,
                     "prompt_lookup_num_tokens guesses for one sequence: num_beams and num_return_sequences must be 1");
  return HFM_OK;
}

HFM__PRIVATE int hfm__ids_have(hfm_token_ids ids, int64_t id) {
  for (int64_t i = 0; i < ids.count; i++)
    if (ids.data[i] == id) return 1;
  return 0;
}

/* Forcing only what is suppressed would leave nothing. */
HFM__PRIVATE hfm_result hfm__generation_forced(const char *key, hfm_token_ids forced, const hfm__generation_options *o,
                                               int64_t vocab_size, hfm_error *error) {
  int64_t left = 0;
  for (int64_t i = 0; i < forced.count; i++) {
    if (forced.data[i] < 0 || forced.data[i] >= vocab_size)
      return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, key, 0, "%s is %i, but must be from 0 to %i (vocab_size is %i)",
                       key, forced.data[i], vocab_size - 1, vocab_size);
    left += !hfm__ids_have(o->suppress, forced.data[i]);
  }
  if (forced.count && !left)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, key, 0,
                     "every token of %s is also in suppress_tokens: nothing could come there. To prevent an early end "
                     "use min_new_tokens",
                     key);
  return HFM_OK;
}

HFM__PRIVATE hfm_result hfm__generation_vocabulary(const hfm__generation_options *o, int64_t vocab_size,
                                                   hfm_error *error) {
  hfm_result result = hfm__generation_forced("forced_bos_token_id", o->forced_bos, o, vocab_size, error);
  if (result == HFM_OK) result = hfm__generation_forced("forced_eos_token_id", o->forced_eos, o, vocab_size, error);
  for (int64_t i = 0; i < o->bad_word_count && result == HFM_OK; i++)
    for (int64_t k = 0; k < o->bad_words[i].count && result == HFM_OK; k++)
      if (o->bad_words[i].data[k] < 0 || o->bad_words[i].data[k] >= vocab_size)
        result = hfm__fail(error, HFM_E_INPUT_RANGE, NULL, "bad_words_ids", 0,
                           "bad_words_ids[%i][%i] is %i, but must be from 0 to %i (vocab_size is %i)", i, k,
                           o->bad_words[i].data[k], vocab_size - 1, vocab_size);
  return result;
}

HFM__PRIVATE hfm__generation_reader hfm__generation_reads(const hfm_config *config, hfm__arena *arena,
                                                          hfm_error *error) {
  hfm__generation_reader r;
  r.config = config;
  r.arena = arena;
  r.error = error;
  r.result = HFM_OK;
  return r;
}

/* What the texts of a model with an encoder begin with: one id, or one for each prompt. */
HFM__PRIVATE hfm_result hfm__generation_decoder_start(const hfm_config *config, const hfm_generation_config *said,
                                                      int64_t prompts, int64_t vocab_size, hfm__arena *arena,
                                                      hfm_token_ids *out, hfm_error *error) {
  static const char key[] = "decoder_start_token_id";
  hfm__generation_reader r = hfm__generation_reads(config, arena, error);
  *out = hfm__generation_ids(&r, key, said->decoder_start_token_id, HFM__MOST_IDS);
  if (r.result == HFM_OK && !out->count) *out = hfm__generation_ids(&r, "bos_token_id", hfm__no_ids(), HFM__MOST_IDS);
  if (r.result != HFM_OK) return r.result;
  if (!out->count)
    return hfm__fail(error, HFM_E_CONFIG_MISSING, config->file, key, 0,
                     "what do texts begin with? Neither decoder_start_token_id nor bos_token_id is given: set "
                     "decoder_start_token_id");
  if (out->count > 1 && out->count != prompts)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, key, 0,
                     "decoder_start_token_id has %i ids, but must be one, or one for each of %i prompts", out->count,
                     prompts);
  for (int64_t i = 0; i < out->count; i++)
    if (out->data[i] < 0 || out->data[i] >= vocab_size)
      return hfm__fail(error, HFM_E_INPUT_RANGE, NULL, key, 0,
                       "decoder_start_token_id is %i, but must be from 0 to %i (vocab_size is %i)", out->data[i],
                       vocab_size - 1, vocab_size);
  return HFM_OK;
}

/* Do frequencies depend on the length of what is read, for some layers at least? */
HFM__PRIVATE int hfm__has_dynamic_rope(const hfm_config *config) {
  static const char *const keys[] = {"rope_parameters.rope_type", "rope_parameters.full_attention.rope_type",
                                     "rope_parameters.sliding_attention.rope_type"};
  for (size_t i = 0; i < HFM__COUNT(keys); i++)
    if (hfm__equal(hfm_config_get_string(config, keys[i], ""), "dynamic")) return 1;
  return 0;
}

/* Everything else that `said` and the files say, for prompts of that length. The lists are copied into the arena. */
HFM__PRIVATE hfm_result hfm__generation_resolve(const hfm_config *config, const hfm_generation_config *said,
                                                int64_t prompt_length, int64_t vocab_size, hfm__arena *arena,
                                                hfm__generation_options *out, hfm_error *error) {
  const double above_0 = 1e-30, below_1 = 1 - 1e-12;
  hfm__generation_reader r = hfm__generation_reads(config, arena, error);
  memset(out, 0, sizeof *out);
  hfm__generation_lengths(&r, said, prompt_length, out);
  out->max_time = hfm__generation_number(&r, "max_time", said->max_time, 0, 0, HFM__ANY);
  out->do_sample = hfm__generation_switch(&r, "do_sample", said->do_sample);
  out->early_stopping = hfm__generation_early_stopping(&r, said->early_stopping);
  out->num_beams = HFM__MAX(hfm__generation_int(&r, "num_beams", said->num_beams, 1, 1), 1);
  out->num_return_sequences =
      HFM__MAX(hfm__generation_int(&r, "num_return_sequences", said->num_return_sequences, 1, 1), 1);
  out->sized_by_files |= (out->num_beams > 1 && !said->num_beams) ||
                         (out->num_return_sequences > 1 && !said->num_return_sequences);
  out->length_penalty = hfm__generation_number(&r, "length_penalty", said->length_penalty, 1, -HFM__ANY, HFM__ANY);
  out->prompt_lookup_num_tokens = HFM__MAX(
      hfm__generation_int(&r, "prompt_lookup_num_tokens", said->prompt_lookup_num_tokens, HFM__NO_INT, 1), 0);
  out->prompt_lookup_num_tokens = HFM__MIN(out->prompt_lookup_num_tokens, out->max_length - prompt_length);
  if (out->num_beams > 1 && !said->prompt_lookup_num_tokens) out->prompt_lookup_num_tokens = 0; /* as Transformers */
  if (hfm__has_dynamic_rope(config)) out->prompt_lookup_num_tokens = 0; /* else ids depend on how far a step goes */
  out->max_matching_ngram_size =
      hfm__generation_int(&r, "max_matching_ngram_size", said->max_matching_ngram_size, HFM__NO_INT,
                          out->prompt_lookup_num_tokens ? 1 : HFM__ANY_INT);
  if (out->max_matching_ngram_size < 1) out->max_matching_ngram_size = 2;
  out->repetition_penalty =
      hfm__generation_number(&r, "repetition_penalty", said->repetition_penalty, 1, above_0, HFM__ANY);
  out->no_repeat_ngram_size =
      HFM__MAX(hfm__generation_int(&r, "no_repeat_ngram_size", said->no_repeat_ngram_size, 0,
                                   said->no_repeat_ngram_size ? 0 : HFM__ANY_INT), 0); /* below 1: off */
  out->remove_invalid_values = hfm__generation_switch(&r, "remove_invalid_values", said->remove_invalid_values);
  out->renormalize_logits = hfm__generation_switch(&r, "renormalize_logits", said->renormalize_logits);
  out->temperature = hfm__generation_drawn(&r, out, "temperature", said->temperature, 1, above_0, HFM__ANY);
  out->top_k = HFM__MAX(hfm__generation_int(&r, "top_k", said->top_k, 50, out->do_sample ? 0 : HFM__ANY_INT), 0);
  out->top_p = hfm__generation_drawn(&r, out, "top_p", said->top_p, 1, 0, 1);
  out->min_p = hfm__generation_drawn(&r, out, "min_p", said->min_p, 0, 0, 1);
  out->typical_p = hfm__generation_drawn(&r, out, "typical_p", said->typical_p, 1, above_0, 1);
  out->epsilon_cutoff = hfm__generation_drawn(&r, out, "epsilon_cutoff", said->epsilon_cutoff, 0, 0, below_1);
  out->eta_cutoff = hfm__generation_drawn(&r, out, "eta_cutoff", said->eta_cutoff, 0, 0, below_1);
  out->eos = hfm__generation_ids(&r, "eos_token_id", said->eos_token_id, HFM__MOST_ENDS);
  out->pad = hfm__generation_id(&r, "pad_token_id", said->pad_token_id);
  out->forced_bos = hfm__generation_ids(&r, "forced_bos_token_id", said->forced_bos_token_id, HFM__MOST_ENDS);
  /* how old files of BART say it, in config.json or what was made of that */
  if (!said->forced_bos_token_id.count && hfm__generation_switch(&r, "force_bos_token_to_be_generated", 0) &&
      (!config->generation.root || hfm__generation_switch(&r, "_from_model_config", 0))) {
    const hfm_token_ids bos = hfm__generation_ids(&r, "bos_token_id", hfm__no_ids(), HFM__MOST_ENDS);
    if (bos.count) out->forced_bos = bos;
  }
  out->forced_eos = hfm__generation_ids(&r, "forced_eos_token_id", said->forced_eos_token_id, HFM__MOST_ENDS);
  out->suppress = hfm__generation_ids(&r, "suppress_tokens", said->suppress_tokens, HFM__MOST_IDS);
  out->begin_suppress = hfm__generation_ids(&r, "begin_suppress_tokens", said->begin_suppress_tokens, HFM__MOST_IDS);
  hfm__generation_bad_words(&r, said, out);
  if (!hfm__generation_ids(&r, "pad_token_id", said->pad_token_id, HFM__MOST_IDS).count && out->eos.count)
    out->pad = out->eos.data[0]; /* a negative one is one, too, though no token */
  if (r.result == HFM_OK) r.result = hfm__generation_conflicts(out, error);
  if (r.result == HFM_OK) r.result = hfm__generation_vocabulary(out, vocab_size, error);
  return r.result;
}
