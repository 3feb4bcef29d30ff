#include "server/http/http_body.h"

#include <stdlib.h>
#include <string.h>

size_t http_body_most(const struct http_budget *budget) {
  const size_t part = ledger_part(budget->ledger, LEDGER_BODIES);
  return budget->max_body_bytes < part ? budget->max_body_bytes : part;
}

/* What a body of a capacity takes of the ledger. */
static size_t charge(size_t capacity) {
  return capacity > HTTP_BODY_FIRST ? capacity - HTTP_BODY_FIRST : 0;
}

static size_t next_capacity(const struct http_body *body, size_t needed, size_t most) {
  size_t capacity = body->capacity == 0 ? HTTP_BODY_FIRST : 2 * body->capacity;
  if (capacity > most)
    capacity = most;
  return capacity < needed ? needed : capacity;
}

/* What is left to a body now: to one that is not favoured, what leaves room for another. */
static size_t left(const struct http_budget *budget, bool is_favoured) {
  const size_t part = ledger_part(budget->ledger, LEDGER_BODIES), most = http_body_most(budget);
  const size_t kept = is_favoured ? 0 : most < part / 2 ? most : part / 2;
  const size_t all = ledger_left(budget->ledger, LEDGER_BODIES, 0);
  return all > kept ? all - kept : 0;
}

enum http_room http_body_make_room(struct http_body *body, struct http_budget *budget,
                                   size_t expected, size_t more, bool is_favoured) {
  const size_t most = http_body_most(budget);
  if (body->size > most || more > most - body->size)
    return HTTP_ROOM_NEVER;
  const size_t needed = body->size + more;
  if (needed <= body->capacity)
    return HTTP_ROOM;
  const size_t capacity = next_capacity(body, needed, expected < most ? expected : most);
  const size_t growth = charge(capacity) - charge(body->capacity);
  if (growth > left(budget, is_favoured))
    return HTTP_ROOM_LATER;
  char *grown = realloc(body->bytes, capacity);
  if (!grown)
    return HTTP_ROOM_NO_MEMORY;
  ledger_add(budget->ledger, LEDGER_BODIES, growth);
  body->bytes = grown;
  body->capacity = capacity;
  return HTTP_ROOM;
}

enum http_room http_body_make_beside(struct http_body *body, struct http_budget *budget,
                                     size_t bytes, bool is_favoured) {
  if (bytes <= body->beside)
    return HTTP_ROOM;
  if (bytes > ledger_part(budget->ledger, LEDGER_BODIES))
    return HTTP_ROOM_NEVER;
  if (bytes - body->beside > left(budget, is_favoured))
    return HTTP_ROOM_LATER;
  ledger_add(budget->ledger, LEDGER_BODIES, bytes - body->beside);
  body->beside = bytes;
  return HTTP_ROOM;
}

void http_body_append(struct http_body *body, const char *bytes, size_t size) {
  if (size > 0)
    memcpy(body->bytes + body->size, bytes, size);
  body->size += size;
}

void http_body_trim(struct http_body *body, struct http_budget *budget) {
  ledger_give(budget->ledger, LEDGER_BODIES, body->beside);
  body->beside = 0;
  const bool is_larger = body->size > 0 && body->capacity > body->size;
  char *trimmed = is_larger ? realloc(body->bytes, body->size) : NULL;
  if (!trimmed)
    return;
  const size_t before = charge(body->capacity);
  body->bytes = trimmed;
  body->capacity = body->size;
  ledger_give(budget->ledger, LEDGER_BODIES, before - charge(body->capacity));
}

void http_body_drop(struct http_body *body, struct http_budget *budget) {
  const size_t before = charge(body->capacity) + body->beside;
  free(body->bytes);
  *body = (struct http_body){0};
  ledger_give(budget->ledger, LEDGER_BODIES, before);
}
