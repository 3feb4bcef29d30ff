#include "server/drivers/spec.h"

#include "server/drivers/parameters.h"
#include "server/drivers/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An option's value, NUL-terminated: paths are the longest. */
#define VALUE_SIZE 4096

void socket_spec_fini(struct socket_spec *spec) {
  species_fini(&spec->species);
  *spec = (struct socket_spec){0};
}

static enum irrep_status refuse(const char *key, const char *value, const char *wanted,
                                struct irrep_error *error) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, key, "%.40s takes %s, not \"%.80s\"", key, wanted,
                    value);
}

static enum irrep_status set_model(struct socket_spec *spec, const char *value,
                                   struct irrep_error *error) {
  if (value[0] == '\0' || strlen(value) >= sizeof spec->model)
    return refuse("model", value, "a name of 1 to 64 bytes", error);
  snprintf(spec->model, sizeof spec->model, "%s", value);
  return IRREP_OK;
}

static enum irrep_status set_connections(struct socket_spec *spec, const char *value,
                                         struct irrep_error *error) {
  char *end;
  const unsigned long n = strtoul(value, &end, 10);
  if (*value < '0' || *value > '9' || *end != '\0' || n < 1 || n > SOCKET_CONNECTIONS_MAX)
    return refuse("connections", value, "a number from 1 to 256", error);
  spec->connections = n;
  return IRREP_OK;
}

static enum irrep_status set_pbc(struct socket_spec *spec, const char *value,
                                 struct irrep_error *error) {
  spec->species.has_pbc = species_pbc(value, strlen(value), spec->species.pbc);
  return spec->species.has_pbc ? IRREP_OK : refuse("pbc", value, "True, False or TTF", error);
}

static enum irrep_status set_precision(struct socket_spec *spec, const char *value,
                                       struct irrep_error *error) {
  spec->has_precision = parameters_precision(value, strlen(value), &spec->precision);
  return spec->has_precision ? IRREP_OK : refuse("precision", value, "float32 or float64", error);
}

static enum irrep_status set_head(struct socket_spec *spec, const char *value,
                                  struct irrep_error *error) {
  if (value[0] == '\0' || strlen(value) >= sizeof spec->head.name)
    return refuse("head", value, "a name of 1 to 63 bytes", error);
  spec->head.is_given = true;
  snprintf(spec->head.name, sizeof spec->head.name, "%s", value);
  return IRREP_OK;
}

static enum irrep_status set_option(struct socket_spec *spec, const char *key, const char *value,
                                    size_t max_atoms, struct irrep_error *error) {
  if (strcmp(key, "model") == 0)
    return set_model(spec, value, error);
  if (strcmp(key, "connections") == 0)
    return set_connections(spec, value, error);
  if (strcmp(key, "pbc") == 0)
    return set_pbc(spec, value, error);
  if (strcmp(key, "precision") == 0)
    return set_precision(spec, value, error);
  if (strcmp(key, "head") == 0)
    return set_head(spec, value, error);
  const bool is_file = strcmp(key, "structure") == 0;
  if (!is_file && strcmp(key, "species") != 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "",
                      "\"%.40s\" is no option: model, structure, species, pbc, precision, head "
                      "and connections are",
                      key);
  if (spec->species.n_atoms > 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, key, "the species are given twice");
  struct species species = {0};
  const enum irrep_status status =
      is_file ? template_read_file(value, max_atoms, &species, error)
              : species_of_formula(value, strlen(value), max_atoms, &species, error);
  if (spec->species.has_pbc) {
    species.has_pbc = true;
    memcpy(species.pbc, spec->species.pbc, sizeof species.pbc);
  }
  spec->species = species;
  return status;
}

/* Reads one part between commas: the address, or KEY=VALUE. */
static enum irrep_status read_part(struct socket_spec *spec, char *part, bool is_first,
                                   size_t max_atoms, struct irrep_error *error) {
  if (is_first)
    return address_read(part, &spec->address, error);
  char *equals = strchr(part, '=');
  if (!equals)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "", "\"%.80s\" is not KEY=VALUE", part);
  *equals = '\0';
  return set_option(spec, part, equals + 1, max_atoms, error);
}

enum irrep_status socket_spec_read(const struct protocol_kind *protocol, const char *text,
                                   size_t length, size_t max_atoms, struct socket_spec *spec,
                                   struct irrep_error *error) {
  enum irrep_status status = IRREP_OK;
  *spec = (struct socket_spec){.protocol = protocol, .connections = 1, .reconnects = true};
  const char *end = text + length;
  for (const char *at = text; at <= end && status == IRREP_OK;) {
    char part[VALUE_SIZE];
    const char *comma = memchr(at, ',', (size_t)(end - at));
    const size_t n = (size_t)((comma != NULL ? comma : end) - at);
    if (n >= sizeof part) {
      status = irrep_fail(error, IRREP_BAD_ARGUMENT, "", "an option of %zu bytes", n);
      break;
    }
    memcpy(part, at, n);
    part[n] = '\0';
    status = read_part(spec, part, at == text, max_atoms, error);
    at += n + 1;
  }
  if (status == IRREP_OK && spec->model[0] == '\0')
    status = irrep_fail(error, IRREP_BAD_ARGUMENT, "model", "model=NAME is missing");
  if (status == IRREP_OK && protocol == &protocol_mdi && spec->address.unix_path[0] != '\0')
    status = irrep_fail(error, IRREP_BAD_ARGUMENT, "address", "MDI knows TCP only: HOST:PORT");
  if (status != IRREP_OK)
    socket_spec_fini(spec);
  return status;
}
