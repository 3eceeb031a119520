/* cases.h: a file with a case on each line, as cases.txt has them: the name, then key=value pairs, with spaces between
   them. */
#ifndef MODELS_CASES_H
#define MODELS_CASES_H

/* Ends a line; 0 if it holds no case. */
static int case_line(char *line) {
  line[strcspn(line, "\r\n")] = 0;
  return line[0] && line[0] != '#';
}

/* The next word of `text` (NULL: of the one before), with what stands behind its '=', if there is one; NULL ends. */
static char *case_word(char *text, char **value) {
  char *word = strtok(text, " ");
  *value = word ? strchr(word, '=') : NULL;
  if (*value) *(*value)++ = 0;
  return word;
}

/* The main of a program over the cases of `file`, which lies in *root or in the program's first argument; its second
   chooses those with that in their name. `read` returns the name of a line's case, NULL if it holds none; `check` then
   checks that case. */
static int run_cases(int argc, char **argv, const char **root, const char *file, const char *(*read)(char *line),
                     void (*check)(void), const char *program) {
  static char line[4096];
  char path[512];
  int cases = 0;
  FILE *f;
  if (argc > 1) *root = argv[1];
  snprintf(path, sizeof path, "%s/%s", *root, file);
  f = fopen(path, "rb");
  CHECK(f != NULL);
  while (f && fgets(line, sizeof line, f)) {
    const char *name = read(line);
    if (!name || (argc > 2 && !strstr(name, argv[2]))) continue;
    cases++;
    check_run(name, check);
  }
  if (f) fclose(f);
  CHECK(cases > 0);
  return check_report(program);
}

#endif
