#include "server/base/problem.h"

#include "server/base/problem_kinds.h"

#include <stdarg.h>
#include <stdio.h>

#define RETRY_AFTER_S 1

static void set(struct problem *p, int status, const char *kind, const char *title,
                const char *pointer) {
  *p = (struct problem){.status = status};
  snprintf(p->type, sizeof p->type, "urn:irrepd:%s", kind);
  snprintf(p->title, sizeof p->title, "%s", title);
  snprintf(p->pointer, sizeof p->pointer, "%s", pointer);
  bool busy = status == 429 || status == 503;
  p->retryable = busy || status == 408 || status == 504;
  p->retry_after_s = busy ? RETRY_AFTER_S : 0;
}

struct problem *problem_set(struct problem *problem, int status, const char *kind,
                            const char *title, const char *pointer, const char *detail, ...) {
  va_list values;
  set(problem, status, kind, title, pointer);
  va_start(values, detail);
  vsnprintf(problem->detail, sizeof problem->detail, detail, values);
  va_end(values);
  return problem;
}

struct problem *problem_of_kind(struct problem *problem, enum problem_kind kind,
                                const char *pointer, const char *detail, ...) {
  static const struct {
    int status;
    const char *kind, *title;
  } kinds[] = {
#define PROBLEM_ROW(name, http, word, sentence) [PROBLEM_##name] = {http, word, sentence},
      PROBLEM_KINDS(PROBLEM_ROW)
#undef PROBLEM_ROW
  };
  va_list values;
  set(problem, kinds[kind].status, kinds[kind].kind, kinds[kind].title, pointer);
  va_start(values, detail);
  vsnprintf(problem->detail, sizeof problem->detail, detail, values);
  va_end(values);
  return problem;
}

/* The compiler sees that no status is left out. */
static int http_status_of(enum irrep_status status) {
  switch (status) {
#define HTTP_CASE(name, http)                                                                      \
  case IRREP_##name:                                                                               \
    return http;
    PROBLEM_CORE_KINDS(HTTP_CASE)
#undef HTTP_CASE
  }
  return 500;
}

struct problem *problem_of_error(struct problem *problem, const struct irrep_error *error,
                                 const char *pointer) {
  char kind[48];
  size_t n = 0;
  for (const char *c = irrep_status_name(error->status); *c && n + 1 < sizeof kind; c++)
    kind[n++] = *c == '_' ? '-' : (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
  kind[n] = '\0';
  char field[sizeof problem->pointer];
  snprintf(field, sizeof field, "%s%s%s", pointer, error->field[0] ? "/" : "", error->field);
  return problem_set(problem, http_status_of(error->status), kind,
                     irrep_status_message(error->status), field, "%s", error->detail);
}

static void put(struct json_writer *w, const char *key, const struct problem *p, bool names_error) {
  json_open_object(w, key);
  json_put_string(w, "type", p->type);
  json_put_string(w, "title", p->title);
  json_put_size(w, "status", p->status > 0 ? (size_t)p->status : 0);
  json_put_string(w, "detail", p->detail);
  json_open_array(w, "errors");
  if (p->pointer[0]) {
    json_open_object(w, NULL);
    json_put_string(w, "pointer", p->pointer);
    json_close_object(w);
  }
  json_close_array(w);
  json_put_bool(w, "retryable", p->retryable);
  if (names_error)
    json_put_string(w, "error", p->detail);
  json_close_object(w);
}

void problem_put(struct json_writer *writer, const char *key, const struct problem *problem) {
  put(writer, key, problem, false);
}

char *problem_render(const struct problem *problem, bool names_error, size_t *size) {
  struct text text = {0};
  struct json_writer writer = json_writer_over(&text);
  put(&writer, NULL, problem, names_error);
  text_puts(&text, "\n");
  return text_take(&text, size);
}
