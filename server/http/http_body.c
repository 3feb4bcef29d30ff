#include "server/http/http_body.h"

#include "server/http/http_judge.h"

#include <stdlib.h>
#include <string.h>

#define BODY_FIRST (16u * 1024)

static size_t next_capacity(const struct http_body *body, size_t needed, size_t expected) {
  size_t capacity = body->capacity == 0 ? BODY_FIRST : 2 * body->capacity;
  if (capacity > expected)
    capacity = expected;
  return capacity < needed ? needed : capacity;
}

const char *http_body_append(struct http_body *body, struct http_budget *budget, size_t expected,
                             const char *bytes, size_t size, struct problem *problem) {
  if (body->size > budget->max_body_bytes || size > budget->max_body_bytes - body->size) {
    http_problem_body(problem, budget->max_body_bytes);
    return "body";
  }
  const size_t needed = body->size + size;
  if (needed > body->capacity) {
    const size_t capacity = next_capacity(body, needed, expected);
    const size_t others = budget->used - body->capacity;
    char *grown =
        others > budget->max_receiving_bytes || capacity > budget->max_receiving_bytes - others
            ? NULL
            : realloc(body->bytes, capacity);
    if (!grown) {
      http_problem_bodies(problem, budget->max_receiving_bytes);
      return "memory";
    }
    body->bytes = grown;
    body->capacity = capacity;
    budget->used = others + capacity;
  }
  if (size > 0)
    memcpy(body->bytes + body->size, bytes, size);
  body->size = needed;
  return NULL;
}

void http_body_trim(struct http_body *body, struct http_budget *budget) {
  const bool is_larger = body->size > 0 && body->capacity > body->size;
  char *trimmed = is_larger ? realloc(body->bytes, body->size) : NULL;
  if (!trimmed)
    return;
  budget->used -= body->capacity - body->size;
  body->bytes = trimmed;
  body->capacity = body->size;
}

void http_body_drop(struct http_body *body, struct http_budget *budget) {
  free(body->bytes);
  budget->used -= body->capacity;
  *body = (struct http_body){0};
}
