#include "server/drivers/template.h"

#include "irrep/conventions.h"
#include "server/base/elements.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)256 << 20)

struct lines {
  const char *at, *end;
};

struct piece {
  const char *at;
  size_t length;
};

static bool next_line(struct lines *lines, struct piece *line) {
  if (lines->at == lines->end)
    return false;
  const char *newline = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
  const char *end = newline != NULL ? newline : lines->end;
  *line = (struct piece){lines->at, (size_t)(end - lines->at)};
  lines->at = newline != NULL ? newline + 1 : end;
  return true;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

static struct piece first_word(struct piece line) {
  while (line.length > 0 && is_blank(*line.at)) {
    line.at++;
    line.length--;
  }
  size_t length = 0;
  while (length < line.length && !is_blank(line.at[length]))
    length++;
  return (struct piece){line.at, length};
}

/* Digits only, no larger than max; 0 for anything else. */
static size_t read_number(struct piece word, size_t max) {
  size_t n = 0;
  for (size_t i = 0; i < word.length; i++) {
    if (word.at[i] < '0' || word.at[i] > '9' || n > max)
      return 0;
    n = 10 * n + (size_t)(word.at[i] - '0');
  }
  return n <= max ? n : 0;
}

/* What follows `key` in a line; nothing when it is not there. */
static struct piece after(struct piece line, const char *key) {
  const size_t length = strlen(key);
  for (size_t i = 0; i + length <= line.length; i++)
    if (memcmp(line.at + i, key, length) == 0 && (i == 0 || is_blank(line.at[i - 1])))
      return (struct piece){line.at + i + length, line.length - i - length};
  return (struct piece){NULL, 0};
}

/* Reads pbc="T T F" and checks that atoms begin with their species. */
static bool read_comment(struct piece comment, struct species *species) {
  const struct piece properties = after(comment, "Properties=");
  const char *wanted = "species:S:1";
  if (properties.at != NULL &&
      (properties.length < strlen(wanted) || memcmp(properties.at, wanted, strlen(wanted)) != 0))
    return false;
  const struct piece pbc = after(comment, "pbc=\"");
  if (!pbc.at)
    return true;
  if (pbc.length < 6 || pbc.at[1] != ' ' || pbc.at[3] != ' ' || pbc.at[5] != '"')
    return false;
  const char letters[3] = {pbc.at[0], pbc.at[2], pbc.at[4]};
  species->has_pbc = species_pbc(letters, sizeof letters, species->pbc);
  return species->has_pbc;
}

static enum irrep_status fail(struct species *species, enum irrep_status status, const char *what,
                              size_t line, struct irrep_error *error) {
  species_fini(species);
  return irrep_fail(error, status, "structure", "line %zu: %s", line, what);
}

enum irrep_status template_read(const char *text, size_t size, size_t max_atoms,
                                struct species *species, struct irrep_error *error) {
  struct lines lines = {text, text + size};
  struct piece line;
  const size_t n_atoms = next_line(&lines, &line) ? read_number(first_word(line), max_atoms) : 0;
  if (n_atoms == 0)
    return fail(species, IRREP_BAD_ARGUMENT, "no number of atoms within the limits", 1, error);
  if (!next_line(&lines, &line) || !read_comment(line, species))
    return fail(species, IRREP_BAD_ARGUMENT,
                "no comment of XYZ with the species first and pbc=\"T T F\", if given", 2, error);
  for (size_t i = 0; i < n_atoms; i++) {
    if (!next_line(&lines, &line))
      return fail(species, IRREP_BAD_ARGUMENT, "fewer atoms than announced", i + 3, error);
    const struct piece word = first_word(line);
    int32_t number = element_number(word.at, word.length);
    if (number == 0)
      number = (int32_t)read_number(word, IRREP_NUMBER_MAX);
    if (number == 0)
      return fail(species, IRREP_BAD_ARGUMENT, "no symbol or atomic number of an element", i + 3,
                  error);
    if (!species_add(species, number, 1, max_atoms))
      return fail(species, IRREP_NO_MEMORY, "no memory", i + 3, error);
  }
  return IRREP_OK;
}

enum irrep_status template_read_file(const char *path, size_t max_atoms, struct species *species,
                                     struct irrep_error *error) {
  FILE *file = fopen(path, "rbe");
  if (!file)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "structure", "%.160s: %s", path, strerror(errno));
  char *text = NULL;
  size_t size = 0, capacity = 0;
  const char *wrong = NULL;
  while (!wrong && !feof(file)) {
    if (size == capacity) {
      capacity = capacity == 0 ? 65536 : 2 * capacity;
      char *grown = capacity <= FILE_MAX ? realloc(text, capacity) : NULL;
      wrong = grown ? NULL : "too large";
      text = grown ? grown : text;
    }
    if (!wrong)
      size += fread(text + size, 1, capacity - size, file);
    if (ferror(file))
      wrong = "cannot be read";
  }
  fclose(file);
  const enum irrep_status status =
      !wrong ? template_read(text, size, max_atoms, species, error)
             : irrep_fail(error, IRREP_BAD_ARGUMENT, "structure", "%.160s: %s", path, wrong);
  free(text);
  return status;
}
