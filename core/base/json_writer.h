/* Writes JSON into a text, commas and escapes included.
 *
 *     struct json_writer w = json_writer_over(&text);
 *     json_open_object(&w, NULL);
 *     json_put_string(&w, "name", name);                      {"name":"mace",
 *     json_open_array(&w, "elements");
 *     for (size_t i = 0; i < n; i++)
 *       json_put_string(&w, NULL, symbols[i]);                "elements":["H","O"],
 *     json_close_array(&w);
 *     json_put_numbers(&w, "energies", energies, n);          "energies":[-1.5,2e-05]}
 *     json_close_object(&w);
 *
 * key is the member's in an object, and NULL in an array and for the outermost value. What is
 * opened is closed by the caller. Numbers are the shortest decimals that read back to the same
 * bits, and null when they are not finite. Memory that runs out shows in the text, where it sticks.
 * Writers of distinct texts may be used by distinct threads. */
#ifndef CORE_BASE_JSON_WRITER_H
#define CORE_BASE_JSON_WRITER_H

#include "core/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Plain data: a copy, with the text as long as it was, is a place to go back to. */
struct json_writer {
  struct text *text;
  bool needs_comma; /* before the next member or element */
};

/* A writer of a value at the end of a text, and of one that follows another there, so that it
 * begins with a comma. */
struct json_writer json_writer_over(struct text *text);
struct json_writer json_writer_behind(struct text *text);

void json_open_object(struct json_writer *writer, const char *key);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer, const char *key);
void json_close_array(struct json_writer *writer);

/* NULL is null. What is not UTF-8 becomes U+FFFD. */
void json_put_string(struct json_writer *writer, const char *key, const char *string);
void json_put_bytes(struct json_writer *writer, const char *key, const char *string, size_t n);

void json_put_double(struct json_writer *writer, const char *key, double number);
void json_put_size(struct json_writer *writer, const char *key, size_t number);
void json_put_integer(struct json_writer *writer, const char *key, int64_t number);
void json_put_bool(struct json_writer *writer, const char *key, bool truth);
void json_put_null(struct json_writer *writer, const char *key);

/* values [n] as a flat array, and values of a shape [n_dims] as nested ones, the last dimension
 * innermost; without dimensions a number. */
void json_put_numbers(struct json_writer *writer, const char *key, const double *values, size_t n);
void json_put_tensor(struct json_writer *writer, const char *key, const double *values,
                     const size_t *shape, size_t n_dims);

/* A value that is JSON already. */
void json_put_raw(struct json_writer *writer, const char *key, const char *json, size_t n);

#endif
