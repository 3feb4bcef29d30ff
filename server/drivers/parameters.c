#include "server/drivers/parameters.h"

#include <string.h>

struct piece {
  const char *at;
  size_t length;
};

void parameters_fini(struct parameters *parameters) {
  species_fini(&parameters->species);
  *parameters = (struct parameters){0};
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

static struct piece trimmed(const char *begin, const char *end) {
  while (begin < end && is_blank(*begin))
    begin++;
  while (begin < end && is_blank(end[-1]))
    end--;
  return (struct piece){begin, (size_t)(end - begin)};
}

static bool is(struct piece piece, const char *text) {
  return strlen(text) == piece.length && memcmp(piece.at, text, piece.length) == 0;
}

bool parameters_precision(const char *text, size_t length, enum irrep_precision *precision) {
  const struct piece piece = {text, length};
  *precision = is(piece, "float64") ? IRREP_FLOAT64 : IRREP_FLOAT32;
  return is(piece, "float64") || is(piece, "float32");
}

/* 1 to 999999; 0 for anything else. */
static size_t read_batch_size(struct piece piece) {
  size_t n = 0;
  for (size_t i = 0; i < piece.length; i++) {
    if (piece.at[i] < '0' || piece.at[i] > '9' || i == 6)
      return 0;
    n = 10 * n + (size_t)(piece.at[i] - '0');
  }
  return n;
}

static enum irrep_status refuse(struct piece value, const char *field, const char *wanted,
                                struct irrep_error *error) {
  const int shown = value.length < 60 ? (int)value.length : 60;
  return irrep_fail(error, IRREP_BAD_ARGUMENT, field, "%s takes %s, not \"%.*s\"", field, wanted,
                    shown, value.at);
}

static enum irrep_status read_entry(struct parameters *p, struct piece key, struct piece value,
                                    size_t max_atoms, struct irrep_error *error) {
  if (is(key, "model")) {
    if (value.length == 0 || value.length >= sizeof p->model)
      return refuse(value, "model", "a name of 1 to 64 bytes", error);
    memcpy(p->model, value.at, value.length);
    p->model[value.length] = '\0';
  } else if (is(key, "species")) {
    species_fini(&p->species);
    return species_of_formula(value.at, value.length, max_atoms, &p->species, error);
  } else if (is(key, "precision")) {
    p->has_precision = parameters_precision(value.at, value.length, &p->precision);
    if (!p->has_precision)
      return refuse(value, "precision", "float32 or float64", error);
  } else if (is(key, "head")) {
    if (value.length == 0 || value.length >= sizeof p->head.name)
      return refuse(value, "head", "a name of 1 to 63 bytes", error);
    p->head.is_given = true;
    memcpy(p->head.name, value.at, value.length);
    p->head.name[value.length] = '\0';
  } else if (is(key, "batch_size")) {
    p->batch_size = read_batch_size(value);
    if (p->batch_size == 0)
      return refuse(value, "batch_size", "a number from 1 to 999999", error);
  }
  return IRREP_OK;
}

/* pbc comes last: reading the species anew empties them. */
static enum irrep_status read_pbc(struct parameters *p, struct piece value,
                                  struct irrep_error *error) {
  p->species.has_pbc = species_pbc(value.at, value.length, p->species.pbc);
  return p->species.has_pbc ? IRREP_OK : refuse(value, "pbc", "True, False or TTF", error);
}

enum irrep_status parameters_read(const char *text, size_t size, size_t max_atoms,
                                  struct parameters *p, struct irrep_error *error) {
  const char *end = text + size;
  struct piece pbc = {NULL, 0};
  enum irrep_status status = IRREP_OK;
  *p = (struct parameters){.batch_size = 1};
  for (const char *at = text; at < end && status == IRREP_OK;) {
    const char *comma = memchr(at, ',', (size_t)(end - at));
    const char *stop = comma != NULL ? comma : end;
    const char *colon = memchr(at, ':', (size_t)(stop - at));
    p->given = p->given || trimmed(at, stop).length > 0;
    if (colon != NULL) {
      const struct piece key = trimmed(at, colon), value = trimmed(colon + 1, stop);
      if (is(key, "pbc"))
        pbc = value;
      else
        status = read_entry(p, key, value, max_atoms, error);
    }
    at = comma != NULL ? comma + 1 : end;
  }
  if (status == IRREP_OK && pbc.at != NULL)
    status = read_pbc(p, pbc, error);
  if (status != IRREP_OK)
    parameters_fini(p);
  return status;
}
