/* Reads the card of a model file: lookups in a JSON object, each with its check and its message.
 *
 * An object is a bookmark: a json_reader that stands before it. Every call leaves it there. Errors
 * are BAD_MODEL_FILE, unless something else is said, and their field is the key's place in the
 * card, e.g. "model/layers/1/filter". */
#ifndef CORE_PROGRAM_CARD_H
#define CORE_PROGRAM_CARD_H

#include "core/base/json.h"
#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>

struct card_object {
  struct json_reader json;
  char where[64]; /* its own place in the card */
};

struct card_place {
  char text[132];
};

/* The place of a key of the object. */
struct card_place card_place(const struct card_object *object, const char *key);

/* The whole card, checked to be one JSON object. text must outlive it. */
enum irrep_status card_open(const char *text, size_t size, struct card_object *card,
                            struct irrep_error *error);

bool card_has(const struct card_object *object, const char *key);

/* That the object has no keys but these, and none twice; `allowed` ends with NULL.
 * UNSUPPORTED_MODEL names a key that is not among them: nothing in a file is passed over in
 * silence. */
enum irrep_status card_only(const struct card_object *object, const char *const *allowed,
                            struct irrep_error *error);

enum irrep_status card_object(const struct card_object *object, const char *key,
                              struct card_object *value, struct irrep_error *error);

/* The text of a string of fewer than size bytes. */
enum irrep_status card_string(const struct card_object *object, const char *key, char *text,
                              size_t size, struct irrep_error *error);

/* An integer within [min, max]. */
enum irrep_status card_size(const struct card_object *object, const char *key, size_t min,
                            size_t max, size_t *value, struct irrep_error *error);

/* A number within [min, max]. */
enum irrep_status card_number(const struct card_object *object, const char *key, double min,
                              double max, double *value, struct irrep_error *error);

/* The integers of an array, at most n_max of them, each within [min, max]. */
enum irrep_status card_sizes(const struct card_object *object, const char *key, size_t min,
                             size_t max, size_t n_max, size_t *values, size_t *n,
                             struct irrep_error *error);

/* The objects of an array, at most n_max of them. */
enum irrep_status card_objects(const struct card_object *object, const char *key, size_t n_max,
                               struct card_object *values, size_t *n, struct irrep_error *error);

/* The texts of an array of strings, at most n_max of them, each of 1 to size - 1 printable bytes
 * and no two the same; text i begins at texts + i * size. */
enum irrep_status card_names(const struct card_object *object, const char *key, size_t n_max,
                             size_t size, char *texts, size_t *n, struct irrep_error *error);

/* The index of a string among names, which ends with NULL; UNSUPPORTED_MODEL lists the names. */
enum irrep_status card_choice(const struct card_object *object, const char *key,
                              const char *const *names, size_t *index, struct irrep_error *error);

#endif
