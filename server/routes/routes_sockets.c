/* POST and GET /v1/sockets: outbound connections to driver programs. */
#include "irrep/conventions.h"
#include "server/codec/codec_reader.h"
#include "server/drivers/parameters.h"
#include "server/drivers/sockets.h"
#include "server/models/unknown_model.h"
#include "server/routes/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values of a body: numbers are most of them. */
#define VALUES_MAX ((size_t)4 << 20)

/* The bytes of a body: it is read on the loop, which it may not hold up for long. */
#define BODY_MAX(max_atoms) ((size_t)64 * 1024 + 8 * (max_atoms))

/* Longer strings are no addresses, and names of no models. */
#define STRING_MAX 1024

/* The request */

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

/* Reads a string; otherwise fills the problem and returns false. */
static bool read_string(struct reading *r, struct json_reader *json, const char *key,
                        char text[STRING_MAX]) {
  char detail[64];
  const bool is_string = json_peek(json) == JSON_STRING;
  if (json_string(json, text, STRING_MAX, NULL))
    return true;
  snprintf(detail, sizeof detail, is_string ? "%s takes fewer bytes" : "%s takes a string", key);
  return wrong(r, is_string ? PROBLEM_WRONG_VALUE : PROBLEM_WRONG_TYPE, key, detail);
}

static bool read_protocol(struct reading *r, struct json_reader *json) {
  static const char *const names[] = {"ipi", "mdi"};
  static const struct protocol_kind *const kinds[] = {&protocol_ipi, &protocol_mdi, NULL};
  r->spec->protocol = kinds[codec_choose(json, names, 2)];
  return r->spec->protocol != NULL ||
         wrong(r, PROBLEM_WRONG_VALUE, "protocol", "protocol takes \"ipi\" or \"mdi\"");
}

static bool read_address(struct reading *r, struct json_reader *json) {
  struct irrep_error error;
  char text[STRING_MAX];
  if (!read_string(r, json, "address", text))
    return false;
  if (address_read(text, &r->spec->address, &error) != IRREP_OK)
    return wrong(r, PROBLEM_WRONG_VALUE, "address", error.detail);
  return address_permit(&r->spec->address, r->services->config->socket_allow) ||
         wrong(
             r, PROBLEM_ADDRESS_NOT_ALLOWED, "address",
             "sockets connect to unix:NAME and to loopback, unless --socket-allow names the host");
}

static bool read_model(struct reading *r, struct json_reader *json) {
  char name[STRING_MAX];
  if (!read_string(r, json, "model", name))
    return false;
  const struct served_model *served = registry_find(r->services->registry, name);
  if (!served) {
    unknown_model(r->problem, r->services->registry, "#/model", name);
    return false;
  }
  snprintf(r->spec->model, sizeof r->spec->model, "%s", served->name);
  return true;
}

static bool read_precision(struct reading *r, struct json_reader *json) {
  char word[CODEC_WORD_MAX];
  r->spec->has_precision =
      codec_word(json, word) && parameters_precision(word, strlen(word), &r->spec->precision);
  return r->spec->has_precision ||
         wrong(r, PROBLEM_WRONG_VALUE, "precision", "precision takes \"float32\" or \"float64\"");
}

static bool read_head(struct reading *r, struct json_reader *json) {
  struct codec_fault fault = {0};
  codec_head_read(json, "#/head", &r->spec->head, &fault);
  return !fault.is_set || codec_fault_tell(&fault, r->problem);
}

/* A whole number of the range; 0 for anything else. */
static size_t whole_number(struct json_reader *json, size_t max) {
  size_t number = 0;
  return codec_whole_number(json, &number) && number <= max ? number : 0;
}

static bool wrong_number(struct reading *r, size_t index) {
  char key[40];
  snprintf(key, sizeof key, "numbers/%zu", index);
  return wrong(r, PROBLEM_WRONG_VALUE, key, "an atomic number is a whole number from 1 to 118");
}

static bool read_numbers(struct reading *r, struct json_reader *json) {
  const size_t max_atoms = r->services->config->max_atoms;
  size_t n = 0;
  if (json_peek(json) != JSON_ARRAY)
    return wrong(r, PROBLEM_WRONG_TYPE, "numbers", "numbers takes an array");
  for (json_array_begin(json); json_array_next(json); n++) {
    const size_t number = whole_number(json, IRREP_NUMBER_MAX);
    if (number == 0)
      return wrong_number(r, n);
    if (n == max_atoms)
      return wrong(r, PROBLEM_TOO_LARGE, "numbers", "more atoms than --max-atoms");
    if (!species_add(&r->spec->species, (int32_t)number, 1, max_atoms))
      return wrong(r, PROBLEM_NO_MEMORY, "numbers", "no memory for the atoms");
  }
  return n > 0 || wrong(r, PROBLEM_NO_ATOMS, "numbers", "numbers has no atoms");
}

static bool read_pbc(struct reading *r, struct json_reader *json) {
  static const char due[] = "pbc takes three booleans";
  size_t n = 0;
  if (json_peek(json) != JSON_ARRAY)
    return wrong(r, PROBLEM_WRONG_TYPE, "pbc", due);
  for (json_array_begin(json); json_array_next(json);)
    if (n == 3 || !json_bool(json, &r->spec->species.pbc[n++]))
      return wrong(r, PROBLEM_WRONG_TYPE, "pbc", due);
  r->spec->species.has_pbc = n == 3;
  return n == 3 || wrong(r, PROBLEM_WRONG_TYPE, "pbc", due);
}

static bool read_connections(struct reading *r, struct json_reader *json) {
  r->spec->connections = whole_number(json, SOCKET_CONNECTIONS_MAX);
  return r->spec->connections > 0 || wrong(r, PROBLEM_WRONG_VALUE, "connections",
                                           "connections takes a whole number from 1 to 256");
}

static bool read_reconnect(struct reading *r, struct json_reader *json) {
  return json_bool(json, &r->spec->reconnects) ||
         wrong(r, PROBLEM_WRONG_TYPE, "reconnect", "reconnect takes true or false");
}

/* The members, in the order in which they are read. */
enum member {
  PROTOCOL,
  ADDRESS,
  MODEL,
  PRECISION,
  HEAD,
  NUMBERS,
  PBC,
  CONNECTIONS,
  RECONNECT,
  N_MEMBERS
};

static const char *const members[N_MEMBERS] = {"protocol",  "address",     "model",
                                               "precision", "head",        "numbers",
                                               "pbc",       "connections", "reconnect"};

static bool (*const readers[N_MEMBERS])(struct reading *reading, struct json_reader *json) = {
    read_protocol, read_address, read_model,       read_precision, read_head,
    read_numbers,  read_pbc,     read_connections, read_reconnect};

/* Finds the values of the members of a text without faults, which is an object. */
static bool find_members(struct reading *r, struct json_reader *json,
                         struct json_reader values[N_MEMBERS], uint32_t *given) {
  struct codec_fault fault = {0};
  json_object_begin(json);
  for (size_t i; (i = codec_next_member(json, members, N_MEMBERS, given, "#", &fault)) < N_MEMBERS;
       json_skip(json))
    values[i] = *json;
  if (fault.is_set)
    return codec_fault_tell(&fault, r->problem);
  for (enum member i = PROTOCOL; i <= MODEL; i++)
    if (!(*given >> i & 1))
      return wrong(r, PROBLEM_MISSING_KEY, members[i], "the key is missing");
  return true;
}

/* The model, when it is in memory, has the head, or a default. */
static bool head_is_known(struct reading *r) {
  const struct served_model *served = registry_find(r->services->registry, r->spec->model);
  size_t head = 0;
  return !served->model || codec_head_choose(&r->spec->head, irrep_model_card(served->model),
                                             served->name, &head, r->problem);
}

/* The model, when it is in memory, knows every element. */
static bool elements_are_known(struct reading *r) {
  const struct served_model *served = registry_find(r->services->registry, r->spec->model);
  if (!served->model)
    return true;
  const struct irrep_card *card = irrep_model_card(served->model);
  const struct species *species = &r->spec->species;
  bool is_known[IRREP_NUMBER_MAX + 1] = {false};
  size_t i = 0;
  for (size_t k = 0; k < card->n_elements; k++)
    is_known[card->atomic_numbers[k]] = true;
  while (i < species->n_atoms && is_known[species->numbers[i]])
    i++;
  if (i == species->n_atoms)
    return true;
  struct irrep_error error;
  char field[32];
  snprintf(field, sizeof field, "numbers/%zu", i);
  irrep_fail(&error, IRREP_UNKNOWN_ELEMENT, field, "the model %s does not know element %d",
             served->name, (int)species->numbers[i]);
  problem_of_error(r->problem, &error, "#");
  return false;
}

static bool read_members(struct reading *r, struct json_reader *json) {
  struct json_reader values[N_MEMBERS];
  uint32_t given = 0;
  if (json_peek(json) != JSON_OBJECT) {
    problem_of_kind(r->problem, PROBLEM_WRONG_TYPE, "#", "the body takes an object");
    return false;
  }
  if (!find_members(r, json, values, &given))
    return false;
  for (enum member i = 0; i < N_MEMBERS; i++)
    if (given >> i & 1 && !readers[i](r, &values[i]))
      return false;
  if (r->spec->protocol == &protocol_mdi && r->spec->address.unix_path[0] != '\0')
    return wrong(r, PROBLEM_WRONG_VALUE, "address", "MDI knows TCP only: HOST:PORT");
  return head_is_known(r) && elements_are_known(r);
}

/* Reads a body into a spec, which the caller frees either way. */
static bool read_body(struct services *services, const char *body, size_t size,
                      struct socket_spec *spec, struct problem *problem) {
  struct reading r = {.services = services, .spec = spec, .problem = problem};
  struct json_reader json = json_reader_over(body, size);
  json.values_left = VALUES_MAX;
  struct json_reader whole = json;
  *spec = (struct socket_spec){.connections = 1};
  if (size > BODY_MAX(services->config->max_atoms)) {
    problem_set(problem, 413, "body-too-large", "body too large", "",
                "A socket takes at most 64 KiB and 8 bytes for each of --max-atoms.");
    return false;
  }
  if (!json_skip(&whole) || !json_end(&whole))
    return codec_malformed(&whole, problem);
  return read_members(&r, &json);
}

/* The answer */

static void put_connections(struct json_writer *w, const struct socket_entry *entry) {
  json_open_array(w, "connections");
  for (size_t i = 0; i < entry->n_links; i++) {
    const struct link *link = entry->links[i];
    json_open_object(w, NULL);
    json_put_string(w, "state", link_state_name(link_state(link)));
    json_put_size(w, "structures", link_structures(link));
    json_put_bool(w, "failed", link_failed(link));
    json_put_string(w, "reason", link_reason(link));
    json_close_object(w);
  }
  json_close_array(w);
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

static void put_socket(struct json_writer *w, const struct socket_entry *entry) {
  const struct socket_spec *spec = &entry->spec;
  json_open_object(w, NULL);
  json_put_size(w, "id", entry->id);
  json_put_string(w, "protocol", spec->protocol->name);
  json_put_string(w, "address", spec->address.text);
  json_put_string(w, "model", spec->model);
  if (spec->has_precision)
    json_put_string(w, "precision", spec->precision == IRREP_FLOAT64 ? "float64" : "float32");
  if (spec->head.is_given)
    json_put_string(w, "head", spec->head.name);
  json_put_size(w, "atoms", spec->species.n_atoms);
  json_put_bool(w, "reconnect", spec->reconnects);
  json_put_string(w, "state", link_state_name(state_of(entry)));
  put_connections(w, entry);
  json_close_object(w);
}

static const struct socket_entry *find(const struct sockets *sockets, size_t id) {
  for (size_t i = 0; i < sockets_count(sockets); i++)
    if (sockets_at(sockets, i)->id == id)
      return sockets_at(sockets, i);
  return NULL;
}

void route_sockets(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_open_array(&w, "sockets");
  for (size_t i = 0; i < sockets_count(services->sockets); i++)
    put_socket(&w, sockets_at(services->sockets, i));
  json_close_array(&w);
  json_close_object(&w);
  reply_json(exchange, 200, &text);
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
  if (!added) {
    http_reply_problem(exchange, &problem, NULL);
    return;
  }
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  put_socket(&w, find(services->sockets, id));
  reply_json(exchange, 201, &text);
}
