#include "core/base/json_writer.h"

#include "core/base/utf8.h"

#include <string.h>

/* Numbers that room is made for at a time. */
#define CHUNK ((size_t)64)

struct json_writer json_writer_over(struct text *text) {
  return (struct json_writer){.text = text};
}

struct json_writer json_writer_behind(struct text *text) {
  return (struct json_writer){.text = text, .needs_comma = true};
}

/* Strings */

static void put_escaped(struct text *text, unsigned char c) {
  static const char names[] = "\"\\\b\f\n\r\t", escapes[] = "\"\\bfnrt";
  static const char hex[] = "0123456789abcdef";
  const char *name = memchr(names, c, sizeof names - 1);
  char escape[] = {'\\', name ? escapes[name - names] : 'u', '0', '0', hex[c >> 4], hex[c & 15]};
  text_add(text, escape, name ? 2 : sizeof escape);
}

/* Bytes at `at` that stand for themselves: printable ASCII but for quote and backslash. */
static size_t plain_run(const char *at, const char *end) {
  const char *p = at;
  while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
    p++;
  return (size_t)(p - at);
}

static void put_quoted(struct text *text, const char *string, size_t size) {
  const char *at = string, *const end = string + size;
  text_add(text, "\"", 1);
  while (at < end) {
    const unsigned char c = (unsigned char)*at;
    size_t n = plain_run(at, end);
    if (n > 0 || (c >= 0x80 && (n = utf8_sequence(at, end)) > 0)) {
      text_add(text, at, n);
    } else if (c < 0x80) {
      put_escaped(text, c);
      n = 1;
    } else {
      text_puts(text, "\xef\xbf\xbd");
      n = 1;
    }
    at += n;
  }
  text_add(text, "\"", 1);
}

/* Values */

/* Writes what comes before a value: the comma that is due, and its key. */
static void begin_value(struct json_writer *w, const char *key) {
  if (w->needs_comma)
    text_add(w->text, ",", 1);
  w->needs_comma = true;
  if (key) {
    put_quoted(w->text, key, strlen(key));
    text_add(w->text, ":", 1);
  }
}

static void open_container(struct json_writer *w, const char *key, const char *bracket) {
  begin_value(w, key);
  text_add(w->text, bracket, 1);
  w->needs_comma = false;
}

static void close_container(struct json_writer *w, const char *bracket) {
  text_add(w->text, bracket, 1);
  w->needs_comma = true;
}

void json_open_object(struct json_writer *w, const char *key) {
  open_container(w, key, "{");
}

void json_close_object(struct json_writer *w) {
  close_container(w, "}");
}

void json_open_array(struct json_writer *w, const char *key) {
  open_container(w, key, "[");
}

void json_close_array(struct json_writer *w) {
  close_container(w, "]");
}

void json_put_raw(struct json_writer *w, const char *key, const char *json, size_t n) {
  begin_value(w, key);
  text_add(w->text, json, n);
}

void json_put_bytes(struct json_writer *w, const char *key, const char *string, size_t n) {
  begin_value(w, key);
  put_quoted(w->text, string, n);
}

void json_put_string(struct json_writer *w, const char *key, const char *string) {
  if (string)
    json_put_bytes(w, key, string, strlen(string));
  else
    json_put_null(w, key);
}

void json_put_double(struct json_writer *w, const char *key, double number) {
  begin_value(w, key);
  text_put_double(w->text, number);
}

void json_put_size(struct json_writer *w, const char *key, size_t number) {
  begin_value(w, key);
  text_put_size(w->text, number);
}

void json_put_integer(struct json_writer *w, const char *key, int64_t number) {
  begin_value(w, key);
  if (number < 0)
    text_add(w->text, "-", 1);
  text_put_size(w->text, number < 0 ? (size_t)0 - (size_t)number : (size_t)number);
}

void json_put_bool(struct json_writer *w, const char *key, bool truth) {
  begin_value(w, key);
  text_puts(w->text, truth ? "true" : "false");
}

void json_put_null(struct json_writer *w, const char *key) {
  begin_value(w, key);
  text_puts(w->text, "null");
}

/* Arrays of numbers */

/* [1,2,3] */
static void put_row(struct text *text, const double *values, size_t n) {
  text_add(text, "[", 1);
  for (size_t i = 0; i < n;) {
    const size_t chunk = n - i < CHUNK ? n - i : CHUNK;
    char *const room = text_room(text, chunk * (TEXT_DOUBLE_MAX + 1)), *at = room;
    if (!room)
      return;
    for (const size_t end = i + chunk; i < end; i++) {
      if (i > 0)
        *at++ = ',';
      at += text_double(at, values[i]);
    }
    text->size += (size_t)(at - room);
  }
  text_add(text, "]", 1);
}

/* Returns what comes behind the values that it has written. */
static const double *put_nested(struct text *text, const double *values, const size_t *shape,
                                size_t n_dims) {
  if (n_dims == 1) {
    put_row(text, values, shape[0]);
    return values + shape[0];
  }
  text_add(text, "[", 1);
  for (size_t i = 0; i < shape[0]; i++) {
    if (i > 0)
      text_add(text, ",", 1);
    values = put_nested(text, values, shape + 1, n_dims - 1);
  }
  text_add(text, "]", 1);
  return values;
}

void json_put_numbers(struct json_writer *w, const char *key, const double *values, size_t n) {
  begin_value(w, key);
  put_row(w->text, values, n);
}

void json_put_tensor(struct json_writer *w, const char *key, const double *values,
                     const size_t *shape, size_t n_dims) {
  begin_value(w, key);
  if (n_dims == 0)
    text_put_double(w->text, *values);
  else
    put_nested(w->text, values, shape, n_dims);
}
