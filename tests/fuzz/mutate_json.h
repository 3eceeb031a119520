/* mutate_json.h: JSON changed value by value, so that it stays JSON: values swapped by type, numbers at their limits,
   members added, copied, removed. The words that mean something are the target's. */
#ifndef MUTATE_JSON_H
#define MUTATE_JSON_H

#include "fuzz_edit.h"

typedef struct fuzz_words {
  const char *const *keys, *const *texts;
  size_t key_count, text_count;
} fuzz_words;
#define FUZZ_WORDS(keys, texts) {keys, texts, sizeof(keys) / sizeof(keys)[0], sizeof(texts) / sizeof(texts)[0]}

enum { FUZZ_TOKENS = 1024, FUZZ_JSON_DEPTH = 64 };

/* A value or key: its first letter tells the kind, '0' for numbers, 'n' for literals. */
typedef struct fuzz_token {
  size_t begin, end;
  uint8_t kind, is_key;
} fuzz_token;

static uint8_t fuzz_token_kind(uint8_t c) {
  if (c == '"' || c == '{' || c == '[') return c;
  if (c == '-' || (c >= '0' && c <= '9')) return '0';
  return c >= 'A' && c <= 'z' && c != '\\' && c != ']' ? 'n' : 0;
}

/* The end of the scalar at `at`. */
static size_t fuzz_scalar_end(const fuzz_edit *e, size_t at, size_t end) {
  size_t i = at + 1;
  if (e->data[at] != '"') {
    while (i < end && (fuzz_token_kind(e->data[i]) == '0' || fuzz_token_kind(e->data[i]) == 'n' ||
                       e->data[i] == '.' || e->data[i] == '+'))
      i++;
    return i;
  }
  for (; i < end && e->data[i] != '"'; i++)
    if (e->data[i] == '\\') i++;
  return i < end ? i + 1 : end;
}

/* Tokens of [begin, end); containers reach to their closing bracket. */
static size_t fuzz_tokens(const fuzz_edit *e, size_t begin, size_t end, fuzz_token *tokens) {
  size_t count = 0, depth = 0, open[FUZZ_JSON_DEPTH];
  for (size_t i = begin; i < end && count < FUZZ_TOKENS;) {
    const uint8_t c = e->data[i], kind = fuzz_token_kind(c);
    if ((c == '}' || c == ']') && depth) tokens[open[--depth]].end = i + 1;
    if (c == ':' && count) tokens[count - 1].is_key = 1;
    if (!kind) {
      i++;
      continue;
    }
    tokens[count].begin = i;
    tokens[count].end = kind == '{' || kind == '[' ? end : fuzz_scalar_end(e, i, end);
    tokens[count].kind = kind;
    tokens[count].is_key = 0;
    if (kind == '{' || kind == '[') {
      if (depth < FUZZ_JSON_DEPTH) open[depth++] = count;
      i++;
    } else {
      i = tokens[count].end;
    }
    count++;
  }
  return count;
}

/* A number, literal, string or small container as text. */
static const char *fuzz_json_value(fuzz_edit *e, uint8_t kind, const fuzz_words *words, char *text, size_t room) {
  static const char *const numbers[] = {
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "12", "16", "24", "32", "64", "-1", "-0", "0.0", "0.5", "1.0", "1e-5",
    "1e-12", "1e-45", "1e308", "1e999", "-1e-999", "255", "256", "65535", "65536", "1000000", "2147483647",
    "2147483648", "-2147483648", "4294967295", "4294967296", "9007199254740993", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "18446744073709551615", "18446744073709551616", "10000.0",
    "0.30000000000000004441", "2.2250738585072011e-308", "123456789012345678901234567890", "3.0", "1e2"};
  static const char *const literals[] = {"true", "false", "null", "NaN", "Infinity", "-Infinity"};
  static const char *const containers[] = {"{}", "[]", "[1]", "[0,0]", "[1,2,3]", "{\"0\":\"a\"}",
                                           "{\"1\":\"b\",\"0\":2}", "[\"a\"]", "[[[[]]]]", "[null]",
                                           "{\"a\":{\"b\":[]}}"};
  switch (kind) {
    case '0':
      if (fuzz_below(e, 4)) return FUZZ_PICK(e, numbers);
      snprintf(text, room, "%u", (unsigned)fuzz_below(e, fuzz_below(e, 2) ? 64 : 1u << 20));
      return text;
    case 'n': return FUZZ_PICK(e, literals);
    case '"':
      snprintf(text, room, "\"%s\"", words->texts[fuzz_below(e, words->text_count)]);
      return text;
    default: return FUZZ_PICK(e, containers);
  }
}

static void fuzz_json_insert(fuzz_edit *e, const fuzz_token *object, const fuzz_words *words) {
  static const uint8_t kinds[] = {'0', '0', 'n', '"', '{'};
  const int empty = object->end - object->begin < 3;
  char member[256], text[128];
  snprintf(member, sizeof member, "\"%s\":%s%s", words->keys[fuzz_below(e, words->key_count)],
           fuzz_json_value(e, FUZZ_PICK(e, kinds), words, text, sizeof text), empty ? "" : ",");
  fuzz_splice(e, object->begin + 1, 0, member, strlen(member));
}

static void fuzz_json_remove(fuzz_edit *e, const fuzz_token *tokens, size_t count, size_t i) {
  size_t begin = tokens[i].begin, end = tokens[i].end, next = i + 1;
  if (tokens[i].is_key && i + 1 < count) end = tokens[++next - 1].end;
  while (next < count && tokens[next].begin < end) next++;
  if (next < count) end = tokens[next].begin; /* with the comma, up to the next */
  else while (begin > 0 && e->data[begin] != ',' && e->data[begin] != '{' && e->data[begin] != '[') begin--;
  if (next >= count && e->data[begin] != ',') begin++;
  if (begin < end) fuzz_splice(e, begin, end - begin, "", 0);
}

/* One change of the JSON text in [begin, end); returns its new end. */
static size_t fuzz_mutate_json(fuzz_edit *e, size_t begin, size_t end, const fuzz_words *words) {
  static fuzz_token tokens[FUZZ_TOKENS];
  static const uint8_t kinds[] = {'0', 'n', '"', '{'};
  const size_t count = fuzz_tokens(e, begin, end, tokens), before = e->size;
  const fuzz_token *token, *other;
  char text[160];
  size_t i, tries;
  if (!count || fuzz_below(e, 16) == 0) return fuzz_mutate_range(e, begin, end);
  i = fuzz_below(e, count);
  token = &tokens[i];
  switch (fuzz_below(e, 9)) {
    case 0:
    case 1:
    case 2: { /* another value of its type; a key gets another name */
      const char *value = token->is_key ? NULL : fuzz_json_value(e, token->kind, words, text, sizeof text);
      if (token->is_key) snprintf(text, sizeof text, "\"%s\"", words->keys[fuzz_below(e, words->key_count)]);
      if (!value) value = text;
      fuzz_splice(e, token->begin, token->end - token->begin, value, strlen(value));
      break;
    }
    case 3: { /* of another type */
      const char *value = fuzz_json_value(e, FUZZ_PICK(e, kinds), words, text, sizeof text);
      if (!token->is_key) fuzz_splice(e, token->begin, token->end - token->begin, value, strlen(value));
      break;
    }
    case 4: /* the same as elsewhere */
      for (tries = 0; tries < 8; tries++) {
        other = &tokens[fuzz_below(e, count)];
        if (other == token || other->kind != token->kind || other->is_key != token->is_key) continue;
        if (other->begin <= token->begin && other->end >= token->end) continue;
        fuzz_splice(e, token->begin, token->end - token->begin, e->data + other->begin, other->end - other->begin);
        break;
      }
      break;
    case 5: fuzz_json_remove(e, tokens, count, i); break;
    case 6:
      for (tries = 0; tries < 8 && tokens[i].kind != '{'; tries++) i = fuzz_below(e, count);
      if (tokens[i].kind == '{') fuzz_json_insert(e, &tokens[i], words);
      break;
    case 7: /* once more, as the next element or member */
      if (token->end - token->begin < 200 && !token->is_key && i && !tokens[i - 1].is_key &&
          fuzz_splice(e, token->end, 0, e->data + token->begin, token->end - token->begin))
        fuzz_splice(e, token->end, 0, ",", 1);
      break;
    default: /* a neighbour of the number, a letter of the text */
      i = token->end - token->begin > 1 ? token->end - 1 - (token->kind == '"') : token->begin;
      e->data[i] ^= (uint8_t)(1u << fuzz_below(e, 3));
      break;
  }
  return end + e->size - before;
}

#endif
