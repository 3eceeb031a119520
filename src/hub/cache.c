/* ==== hub/cache (private): a repository id becomes a directory of the local hub cache ==========================
   The layout is huggingface_hub's; nothing is downloaded or written here. Every part of a name that comes from
   outside is checked by Windows' and POSIX's rules, on every host, before it becomes part of a path. */

HFM__PRIVATE int hfm__is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "name" or "org/name" of letters, digits, _ - . as the hub allows them. */
HFM__PRIVATE int hfm__is_repo_id(const char *id) {
  size_t part = 0, slashes = 0;
  if (hfm__ends_with(id, ".git")) return 0;
  for (size_t i = 0;; i++) {
    const char c = id[i];
    if (c == 0 || c == '/') {
      if (i == part || i - part > 96 || !hfm__is_word(id[part]) || !hfm__is_word(id[i - 1])) return 0;
      if (c == 0) return 1;
      if (++slashes > 1) return 0;
      part = i + 1;
    } else if (!hfm__is_word(c) && c != '-' && c != '.') {
      return 0;
    } else if (i > part && (c == '-' || c == '.') && id[i - 1] == c) {
      return 0; /* "--" separates the parts of a folder's name, ".." leaves it */
    }
  }
}

/* A commit: 40 lower-case hexadecimal digits. */
HFM__PRIVATE int hfm__is_commit(const char *text, size_t size) {
  if (size != 40) return 0;
  for (size_t i = 0; i < size; i++)
    if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f'))) return 0;
  return 1;
}

#if !defined(HFMODEL_NO_STDIO) && !defined(HFMODEL_NO_STDLIB)

/* Appends `path` with a leading ~ and $NAME or ${NAME} replaced from the environment, as Python does. */
HFM__PRIVATE void hfm__expand(hfm__text *t, const char *path) {
  const char *home = getenv("HOME");
  if (!home) home = getenv("USERPROFILE");
  if (path[0] == '~' && (path[1] == '/' || path[1] == '\\' || path[1] == 0) && home) {
    hfm__text_str(t, home);
    path++;
  }
  while (*path) {
    const int braces = path[0] == '$' && path[1] == '{';
    const char *name = path + 1 + braces, *end = name, *value = NULL;
    char key[128];
    while (*path == '$' && hfm__is_word(*end)) end++;
    if (*path == '$' && end > name && (size_t)(end - name) < sizeof key && (!braces || *end == '}')) {
      memcpy(key, name, (size_t)(end - name));
      key[end - name] = 0;
      value = getenv(key);
    }
    if (value) {
      hfm__text_str(t, value);
      path = end + braces;
    } else {
      hfm__text_char(t, *path++);
    }
  }
}

HFM__PRIVATE const char *hfm__environment(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

/* The cache's folder, in huggingface_hub's order of precedence. */
HFM__PRIVATE void hfm__cache_root(hfm__text *t, const char *cache_dir) {
  static const char *const whole[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"};
  const char *value = cache_dir && *cache_dir ? cache_dir : NULL;
  for (size_t i = 0; i < 2 && !value; i++) value = hfm__environment(whole[i]);
  if (!value && !hfm__environment("HF_HOME")) value = hfm__environment(whole[2]); /* Transformers 4 */
  if (value) {
    hfm__expand(t, value);
    return;
  }
  value = hfm__environment("HF_HOME");
  if (value) {
    hfm__expand(t, value);
    hfm__text_str(t, "/hub");
    return;
  }
  value = hfm__environment("XDG_CACHE_HOME");
  hfm__expand(t, value ? value : "~/.cache");
  hfm__text_str(t, "/huggingface/hub");
}

enum { HFM__PATH_MAX = 4096, HFM__REVISION_MAX = 256 };

/* The snapshot of a cached repository; *dir is the caller's (strlen + 1 bytes). */
HFM__PRIVATE hfm_result hfm__cached_snapshot(const hfm__context *ctx, const char *repo, const hfm_options *options,
                                             char **dir, hfm_error *error) {
  const char *revision = options && options->revision && *options->revision ? options->revision : "main";
  const char *problem = hfm__unsafe_name(revision, strlen(revision));
  char path[HFM__PATH_MAX], pinned[192], found[224]; /* pinned: the option, for the advice */
  hfm__text shown = hfm__text_to(found, sizeof found);
  hfm__text t = hfm__text_to(pinned, sizeof pinned);
  size_t repo_length, length, size = 0;
  char commit[41], *text = NULL;
  hfm_result result;
  if (problem || strlen(revision) > HFM__REVISION_MAX)
    return hfm__fail(error, HFM_E_ARGUMENT_VALUE, NULL, "revision", 0, "revision %q %s", revision,
                     problem ? problem : "is longer than 256 bytes");
  if (!hfm__equal(revision, "main")) hfm__text_format(&t, " --revision %q", revision);
  t = hfm__text_to(path, sizeof path);
  hfm__cache_root(&t, options ? options->cache_dir : NULL);
  hfm__text_str(&t, "/models--");
  for (const char *c = repo; *c; c++) {
    hfm__text_char(&t, *c == '/' ? '-' : *c);
    if (*c == '/') hfm__text_char(&t, '-');
  }
  repo_length = t.length;
  if (t.length + HFM__REVISION_MAX + 64 >= sizeof path)
    return hfm__fail(error, HFM_E_FILE_NAME, NULL, "cache_dir", 0,
                     "the path of the hub cache has %u bytes, but may have at most %u", (uint64_t)t.length,
                     (uint64_t)(sizeof path - HFM__REVISION_MAX - 65));
  if (!hfm__system_exists(path, 0))
    return hfm__fail(error, HFM_E_REPO_NOT_CACHED, path, repo, 0,
                     "%q is neither a directory nor a repository in the hub cache; run: hf download %s%s", repo,
                     repo, pinned);
  if (hfm__is_commit(revision, strlen(revision))) {
    memcpy(commit, revision, 41);
  } else {
    hfm__text_format(&t, "/refs/%s", revision);
    result = hfm__file_load(ctx, path, HFM__REVISION_MAX, &text, &size, error);
    if (result == HFM_ERROR_NOT_FOUND)
      return hfm__fail(error, HFM_E_REVISION_NOT_CACHED, path, revision, 0,
                       "revision %q of %q is not in the hub cache; run: hf download %s%s", revision, repo, repo,
                       pinned);
    if (result != HFM_OK) return result;
    memset(commit, 0, sizeof commit);
    length = size;
    while (length && (text[length - 1] == '\n' || text[length - 1] == '\r')) length--;
    if (hfm__is_commit(text, length)) memcpy(commit, text, 40);
    hfm__text_quoted(&shown, text, HFM__MIN(length, (size_t)48));
    hfm__free(&ctx->mem, text, (uint64_t)size + 1);
    if (!commit[0])
      return hfm__fail(error, HFM_E_REVISION_NOT_CACHED, path, revision, 0,
                       "must hold a commit (40 hexadecimal digits), found %s; run: hf download %s%s", found, repo,
                       pinned);
  }
  t = hfm__text_to(path + repo_length, sizeof path - repo_length);
  hfm__text_format(&t, "/snapshots/%s", commit);
  if (!hfm__system_exists(path, 0))
    return hfm__fail(error, HFM_E_REVISION_NOT_CACHED, path, revision, 0,
                     "commit %s of %q is not in the hub cache; run: hf download %s%s", commit, repo, repo, pinned);
  *dir = hfm__join_path(&ctx->mem, path, "");
  return *dir ? HFM_OK : hfm__fail_memory(error, "a directory name", 0);
}
#endif

#if !defined(HFMODEL_NO_STDIO) && !defined(HFMODEL_NO_STDLIB)
/* A name that is no directory and no regular file: a repository in the cache, unless something else is there, or it
   ends as files do. */
HFM__PRIVATE hfm_result hfm__resolve_absent(const hfm__context *ctx, const char *name, const hfm_options *options,
                                            char **dir, hfm_error *error) {
  const int is_file = hfm__ends_with(name, ".safetensors") || hfm__ends_with(name, ".bin") ||
                      hfm__ends_with(name, ".gguf") || hfm__ends_with(name, ".json");
  hfm__file file;
  const hfm_result result = hfm__file_open(ctx, name, 0, &file, error);
  if (result != HFM_ERROR_NOT_FOUND || is_file) {
    if (result == HFM_OK) hfm__file_close(&file);
    return result;
  }
  if (hfm__is_repo_id(name)) return hfm__cached_snapshot(ctx, name, options, dir, error);
  return hfm__fail(error, HFM_E_REPO_ID, NULL, name, 0,
                   "%q is neither an existing file or directory nor a repository id (\"name\" or \"org/name\" of "
                   "letters, digits, '-', '_' and '.')",
                   name);
}
#endif

/* The directory that a model's name stands for: itself if it exists (or if files come from the caller's hfm_io), else
   a repository in the cache. *dir is the caller's (strlen + 1 bytes); NULL on failure. */
HFM__PRIVATE hfm_result hfm__resolve_model_path(const hfm__context *ctx, const char *name, const hfm_options *options,
                                                char **dir, hfm_error *error) {
  *dir = NULL;
#if !defined(HFMODEL_NO_STDIO) && !defined(HFMODEL_NO_STDLIB)
  if (hfm__is_file_system(ctx) && !hfm__system_exists(name, 1)) {
    const hfm_result result = hfm__resolve_absent(ctx, name, options, dir, error);
    if (result != HFM_OK || *dir) return result;
  }
#endif
  (void)options;
  *dir = hfm__join_path(&ctx->mem, name, "");
  return *dir ? HFM_OK : hfm__fail_memory(error, "a directory name", 0);
}

HFMODEL_API hfm_result hfm_config_from_pretrained(const char *path, const hfm_options *options, hfm_config **config,
                                                  hfm_error *error) {
  hfm__context ctx, limited;
  hfm__budget budget;
  hfm_result result;
  char *dir;
  hfm__clear_error(error);
  if (config) *config = NULL;
  if (!path || !config)
    return hfm__fail_null(error, path ? "config" : "path");
  result = hfm__context_init(options, &ctx, error);
  if (result != HFM_OK) return result;
  limited = ctx;
  hfm__budget_begin(&budget, &limited, 0);
  result = hfm__resolve_model_path(&limited, path, options, &dir, error);
  if (result == HFM_OK) result = hfm__config_load(&limited, dir, options ? options->subfolder : NULL, config, error);
  hfm__free_text(&limited.mem, dir);
  return hfm__config_hand_over(*config, &ctx, &limited, result, path, error);
}
