/* POST and GET /v1/sockets: outbound connections to driver programs. */
#include "irrep/conventions.h"
#include "server/base/problem_kinds.h"
#include "server/codec/codec_tree.h"
#include "server/codec/json_scan.h"
#include "server/drivers/parameters.h"
#include "server/drivers/sockets.h"
#include "server/routes/routes.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values of a body: numbers are most of them. */
#define VALUES_MAX ((size_t)4 << 20)

/* --- the request ------------------------------------------------------------------------------ */

struct reading {
  struct services *services;
  struct socket_spec *spec;
  struct problem *problem;
};

/* Fills the problem of a key and returns false. */
static bool wrong(struct reading *r, enum problem_kind kind, const char *key, const char *detail) {
  char pointer[sizeof r->problem->pointer];
  snprintf(pointer, sizeof pointer, "#/%.60s", key);
  problem_of_kind(r->problem, kind, pointer, "%s", detail);
  return false;
}

static bool read_protocol(struct reading *r, const cJSON *item) {
  const char *name = cJSON_IsString(item) ? item->valuestring : "";
  r->spec->kind = strcmp(name, engine_ipi.name) == 0   ? &engine_ipi
                  : strcmp(name, engine_mdi.name) == 0 ? &engine_mdi
                                                       : NULL;
  return r->spec->kind != NULL ||
         wrong(r, PROBLEM_WRONG_VALUE, "protocol", "protocol takes \"ipi\" or \"mdi\"");
}

static bool read_address(struct reading *r, const cJSON *item) {
  struct irrep_error error;
  if (!cJSON_IsString(item))
    return wrong(r, PROBLEM_WRONG_TYPE, "address", "address takes a string");
  if (address_read(item->valuestring, &r->spec->address, &error) != IRREP_OK)
    return wrong(r, PROBLEM_WRONG_VALUE, "address", error.detail);
  return address_permit(&r->spec->address, r->services->config->socket_allow) ||
         wrong(
             r, PROBLEM_ADDRESS_NOT_ALLOWED, "address",
             "sockets connect to unix:NAME and to loopback, unless --socket-allow names the host");
}

static bool read_model(struct reading *r, const cJSON *item) {
  if (!cJSON_IsString(item))
    return wrong(r, PROBLEM_WRONG_TYPE, "model", "model takes a string");
  const struct served_model *served = registry_find(r->services->registry, item->valuestring);
  if (served == NULL) {
    problem_of_kind(r->problem, PROBLEM_UNKNOWN_MODEL, "#/model",
                    "No model is called \"%.64s\"; GET /v1/models lists them.", item->valuestring);
    return false;
  }
  snprintf(r->spec->model, sizeof r->spec->model, "%s", served->name);
  return true;
}

static bool read_precision(struct reading *r, const cJSON *item) {
  r->spec->has_precision =
      cJSON_IsString(item) &&
      parameters_precision(item->valuestring, strlen(item->valuestring), &r->spec->precision);
  return r->spec->has_precision ||
         wrong(r, PROBLEM_WRONG_VALUE, "precision", "precision takes \"float32\" or \"float64\"");
}

/* A whole number of the range; 0 for anything else. */
static size_t whole_number(const cJSON *item, size_t max) {
  if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1) || item->valuedouble > (double)max)
    return 0;
  const size_t number = (size_t)item->valuedouble;
  return (double)number == item->valuedouble ? number : 0;
}

static bool wrong_number(struct reading *r, size_t index) {
  char key[40];
  snprintf(key, sizeof key, "numbers/%zu", index);
  return wrong(r, PROBLEM_WRONG_VALUE, key, "an atomic number is a whole number from 1 to 118");
}

static bool read_numbers(struct reading *r, const cJSON *item) {
  const size_t max_atoms = r->services->config->max_atoms;
  size_t n = 0;
  if (!cJSON_IsArray(item))
    return wrong(r, PROBLEM_WRONG_TYPE, "numbers", "numbers takes an array");
  for (const cJSON *one = item->child; one != NULL; one = one->next, n++) {
    const size_t number = whole_number(one, IRREP_NUMBER_MAX);
    if (number == 0)
      return wrong_number(r, n);
    if (n == max_atoms)
      return wrong(r, PROBLEM_TOO_LARGE, "numbers", "more atoms than --max-atoms");
    if (!species_add(&r->spec->species, (int32_t)number, 1, max_atoms))
      return wrong(r, PROBLEM_NO_MEMORY, "numbers", "no memory for the atoms");
  }
  return n > 0 || wrong(r, PROBLEM_NO_ATOMS, "numbers", "numbers has no atoms");
}

static bool read_pbc(struct reading *r, const cJSON *item) {
  size_t n = 0;
  for (const cJSON *one = cJSON_IsArray(item) ? item->child : NULL; one != NULL; one = one->next) {
    if (!cJSON_IsBool(one) || n == 3)
      return wrong(r, PROBLEM_WRONG_TYPE, "pbc", "pbc takes three booleans");
    r->spec->species.pbc[n++] = cJSON_IsTrue(one);
  }
  r->spec->species.has_pbc = n == 3;
  return n == 3 || wrong(r, PROBLEM_WRONG_TYPE, "pbc", "pbc takes three booleans");
}

static bool read_connections(struct reading *r, const cJSON *item) {
  r->spec->connections = whole_number(item, SOCKET_CONNECTIONS_MAX);
  return r->spec->connections > 0 || wrong(r, PROBLEM_WRONG_VALUE, "connections",
                                           "connections takes a whole number from 1 to 256");
}

static bool read_reconnect(struct reading *r, const cJSON *item) {
  r->spec->reconnects = cJSON_IsTrue(item);
  return cJSON_IsBool(item) ||
         wrong(r, PROBLEM_WRONG_TYPE, "reconnect", "reconnect takes true or false");
}

static const struct key {
  const char *name;
  bool required;
  bool (*read)(struct reading *reading, const cJSON *item);
} keys[] = {
    {"protocol", true, read_protocol},
    {"address", true, read_address},
    {"model", true, read_model},
    {"precision", false, read_precision},
    {"numbers", false, read_numbers},
    {"pbc", false, read_pbc},
    {"connections", false, read_connections},
    {"reconnect", false, read_reconnect},
};

#define N_KEYS (sizeof keys / sizeof *keys)

static bool keys_are_known(struct reading *r, const cJSON *root) {
  bool seen[N_KEYS] = {false};
  for (const cJSON *item = root->child; item != NULL; item = item->next) {
    size_t i = 0;
    while (i < N_KEYS && strcmp(keys[i].name, item->string) != 0)
      i++;
    if (i == N_KEYS) {
      char pointer[sizeof r->problem->pointer];
      codec_key_pointer(pointer, sizeof pointer, "#", item->string);
      problem_of_kind(r->problem, PROBLEM_UNKNOWN_KEY, pointer,
                      "the key \"%.*s\" is not known here", CODEC_KEY_SHOWN, item->string);
      return false;
    }
    if (seen[i])
      return wrong(r, PROBLEM_DUPLICATE_KEY, keys[i].name, "the key is given twice");
    seen[i] = true;
  }
  for (size_t i = 0; i < N_KEYS; i++)
    if (keys[i].required && !seen[i])
      return wrong(r, PROBLEM_MISSING_KEY, keys[i].name, "the key is missing");
  return true;
}

/* The model, when it is in memory, knows every element. */
static bool elements_are_known(struct reading *r) {
  const struct served_model *served = registry_find(r->services->registry, r->spec->model);
  if (served->model == NULL)
    return true;
  const struct irrep_model_card *card = irrep_model_card(served->model);
  for (size_t i = 0; i < r->spec->species.n_atoms; i++) {
    size_t k = 0;
    while (k < card->n_elements && card->atomic_numbers[k] != r->spec->species.numbers[i])
      k++;
    if (k < card->n_elements)
      continue;
    struct irrep_error error;
    char field[32];
    snprintf(field, sizeof field, "numbers/%zu", i);
    irrep_fail(&error, IRREP_UNKNOWN_ELEMENT, field, "the model %s does not know element %d",
               served->name, (int)r->spec->species.numbers[i]);
    problem_of_error(r->problem, &error, "#");
    return false;
  }
  return true;
}

static bool read_tree(struct reading *r, const cJSON *root) {
  if (!cJSON_IsObject(root)) {
    problem_of_kind(r->problem, PROBLEM_WRONG_TYPE, "#", "the body takes an object");
    return false;
  }
  if (!keys_are_known(r, root))
    return false;
  for (size_t i = 0; i < N_KEYS; i++) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, keys[i].name);
    if (item != NULL && !keys[i].read(r, item))
      return false;
  }
  if (r->spec->kind == &engine_mdi && r->spec->address.unix_path[0] != '\0')
    return wrong(r, PROBLEM_WRONG_VALUE, "address", "MDI knows TCP only: HOST:PORT");
  return elements_are_known(r);
}

/* Reads a body into a spec, which the caller frees either way. */
static bool read_body(struct services *services, const char *body, size_t size,
                      struct socket_spec *spec, struct problem *problem) {
  struct reading r = {.services = services, .spec = spec, .problem = problem};
  struct json_scan scan;
  *spec = (struct socket_spec){.connections = 1};
  if (!json_scan(body, size, VALUES_MAX, &scan) || scan.n_masked > 0) {
    problem_of_kind(problem, PROBLEM_MALFORMED_JSON, "", "%s, at byte %zu",
                    scan.message != NULL ? scan.message : "a number that is not finite",
                    scan.position);
    return false;
  }
  cJSON *root = cJSON_ParseWithLength(body, size);
  const bool good = root != NULL ? read_tree(&r, root) : false;
  if (root == NULL)
    problem_of_kind(problem, PROBLEM_NO_MEMORY, "", "There is no memory for the body.");
  cJSON_Delete(root);
  return good;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void add_connections(cJSON *root, const struct socket_entry *entry) {
  cJSON *connections = cJSON_AddArrayToObject(root, "connections");
  for (size_t i = 0; i < entry->n_links; i++) {
    const struct link *link = entry->links[i];
    cJSON *one = cJSON_CreateObject();
    cJSON_AddStringToObject(one, "state", link_state_name(link_state(link)));
    cJSON_AddNumberToObject(one, "structures", (double)link_structures(link));
    cJSON_AddBoolToObject(one, "failed", link_failed(link));
    cJSON_AddStringToObject(one, "reason", link_reason(link));
    tree_append(connections, one);
  }
}

/* That of the connection that is furthest from its end. */
static enum link_state state_of(const struct socket_entry *entry) {
  enum link_state best = LINK_CLOSED;
  for (size_t i = 0; i < entry->n_links; i++) {
    const enum link_state state = link_state(entry->links[i]);
    if (state != LINK_CLOSED && (best == LINK_CLOSED || state > best))
      best = state;
  }
  return best;
}

static cJSON *socket_json(const struct socket_entry *entry) {
  const struct socket_spec *spec = &entry->spec;
  cJSON *root = cJSON_CreateObject();
  cJSON_AddNumberToObject(root, "id", (double)entry->id);
  cJSON_AddStringToObject(root, "protocol", spec->kind->name);
  cJSON_AddStringToObject(root, "address", spec->address.text);
  cJSON_AddStringToObject(root, "model", spec->model);
  if (spec->has_precision)
    cJSON_AddStringToObject(root, "precision",
                            spec->precision == IRREP_FLOAT64 ? "float64" : "float32");
  cJSON_AddNumberToObject(root, "atoms", (double)spec->species.n_atoms);
  cJSON_AddBoolToObject(root, "reconnect", spec->reconnects);
  cJSON_AddStringToObject(root, "state", link_state_name(state_of(entry)));
  add_connections(root, entry);
  return root;
}

static const struct socket_entry *find(const struct sockets *sockets, size_t id) {
  for (size_t i = 0; i < sockets_count(sockets); i++)
    if (sockets_at(sockets, i)->id == id)
      return sockets_at(sockets, i);
  return NULL;
}

void route_sockets(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  cJSON *root = cJSON_CreateObject();
  cJSON *list = cJSON_AddArrayToObject(root, "sockets");
  for (size_t i = 0; i < sockets_count(services->sockets); i++)
    tree_append(list, socket_json(sockets_at(services->sockets, i)));
  reply_json(exchange, 200, root);
}

void route_sockets_add(struct services *services, struct http_exchange *exchange,
                       const char *model) {
  (void)model;
  struct socket_spec spec;
  struct problem problem;
  struct irrep_error error;
  size_t id = 0;
  bool added = read_body(services, exchange->body, exchange->size, &spec, &problem);
  if (added && sockets_add(services->sockets, &spec, &id, &error) != IRREP_OK) {
    added = false;
    problem_of_kind(&problem, services->draining ? PROBLEM_DRAINING : PROBLEM_TOO_MANY_SOCKETS, "",
                    "%s", error.detail);
  }
  socket_spec_fini(&spec);
  if (added)
    reply_json(exchange, 201, socket_json(find(services->sockets, id)));
  else
    http_reply_problem(exchange, &problem, NULL);
}
