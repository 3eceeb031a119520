/* replay.h: fuzz targets without a fuzzer: the committed corpus, and seeds with thousands of their mutations, the same
   ones in each run. A broken invariant aborts and names the seed and the number of the mutation. FUZZ_ROUNDS in the
   environment makes it longer. Included after the targets and check.h. */
#ifndef REPLAY_H
#define REPLAY_H

#include "fuzz_files.h"

typedef int (*fuzz_target)(const uint8_t *data, size_t size);
typedef size_t (*fuzz_mutator)(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static uint64_t random_state;
static uint32_t random_below(uint32_t n) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)((random_state >> 33) % n);
}

static uint8_t *read_seed(const char *name, size_t *size) {
  FILE *f = fopen(name, "rb");
  uint8_t *data = NULL;
  long end;
  if (!f) return NULL;
  if (fseek(f, 0, SEEK_END) == 0 && (end = ftell(f)) > 0 && fseek(f, 0, SEEK_SET) == 0) {
    data = (uint8_t *)malloc((size_t)end);
    *size = data ? fread(data, 1, (size_t)end, f) : 0;
  }
  fclose(f);
  return data;
}

/* One change of bytes: what the fuzzer does where no mutator knows better. */
static size_t replay_mutate(uint8_t *data, size_t size, size_t max_size) {
  static const char *const tokens[] = {"-1", "0", "null", "[]", "{}", "1e999", "18446744073709551616", "\"\"", "[[[[",
                                       "../", "\\u0000", "9223372036854775807", "true", "4294967296", "0.5", "\xff"};
  const char *token = tokens[random_below(sizeof tokens / sizeof tokens[0])];
  const size_t at = random_below((uint32_t)FUZZ_MIN(size, (size_t)4096) + 1), length = strlen(token);
  if (at == size) {
    if (size < max_size) data[size++] = (uint8_t)random_below(256);
    return size;
  }
  switch (random_below(6)) {
    case 0: data[at] ^= (uint8_t)(1u << random_below(8)); break;
    case 1: data[at] = (uint8_t)random_below(256); break;
    case 2:
      if (at + length <= size) memcpy(data + at, token, length);
      break;
    case 3: data[at] = (uint8_t)('0' + random_below(10)); break;
    case 4: memmove(data + at, data + at + 1, --size - at); break;
    default:
      if (random_below(4) == 0) size = at;
      break;
  }
  return size;
}

/* The bytes as they are, then `rounds` times with one to four changes. */
static void replay_bytes(const char *seed, const uint8_t *data, size_t size, fuzz_target target, fuzz_mutator mutator,
                         int32_t rounds) {
  static char where[300];
  const size_t room = size + 65536;
  uint8_t *changed = (uint8_t *)malloc(room);
  if (!CHECK(changed != NULL)) return;
  random_state = 1;
  fuzz_input = where;
  for (int32_t i = 0; i <= rounds; i++) {
    size_t length = size;
    uint8_t *exact;
    memcpy(changed, data, size);
    for (uint32_t changes = i ? 1 + random_below(4) : 0; changes; changes--)
      length = mutator ? mutator(changed, length, room, random_below(1u << 30)) : replay_mutate(changed, length, room);
    snprintf(where, sizeof where, "%s, mutation %d", seed, (int)i);
    exact = (uint8_t *)malloc(length + !length); /* a read past its end is then seen by a sanitizer */
    if (!CHECK(exact != NULL)) break;
    memcpy(exact, changed, length);
    target(exact, length);
    free(exact);
  }
  free(changed);
}

static void replay(const char *seed, fuzz_target target, fuzz_mutator mutator, int32_t rounds) {
  size_t size = 0;
  uint8_t *data = read_seed(seed, &size);
  if (CHECK(data != NULL)) replay_bytes(seed, data, size, target, mutator, rounds);
  free(data);
}

/* What the fuzzer has found worth keeping: each a little changed, too. */
static void replay_corpus(const char *pack, fuzz_target target, fuzz_mutator mutator, int32_t rounds) {
  size_t size = 0, pos = 0;
  uint8_t *data = read_seed(pack, &size);
  fuzz_file file;
  if (!CHECK(data != NULL)) return;
  while (fuzz_file_next(data, size, &pos, &file)) {
    char name[200];
    snprintf(name, sizeof name, "%s, %s", pack, file.name);
    replay_bytes(name, data + file.begin, file.end - file.begin, target, mutator, rounds);
  }
  CHECK(pos == size);
  free(data);
}

static int32_t rounds(void) {
  const char *wanted = getenv("FUZZ_ROUNDS");
  return wanted ? atoi(wanted) : 2000;
}

/* A corpus is many inputs, and a model takes a hundred times as long as bytes do. */
enum { CORPUS_SHARE = 100, MODEL_SHARE = 10 };

#define CORPUS(name, mutator) \
  replay_corpus("tests/fuzz/corpus/" #name ".pack", fuzz_##name, mutator, rounds() / CORPUS_SHARE)

#endif
