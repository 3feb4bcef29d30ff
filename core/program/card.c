#include "core/program/card.h"

#include <stdio.h>
#include <string.h>

struct card_place card_place(const struct card_object *object, const char *key) {
  struct card_place place;
  snprintf(place.text, sizeof place.text, "%s%s%s", object->where, object->where[0] ? "/" : "",
           key);
  return place;
}

static enum irrep_status bad(const struct card_object *object, const char *key, const char *detail,
                             struct irrep_error *error) {
  return irrep_fail(error, IRREP_BAD_MODEL_FILE, card_place(object, key).text, "%s", detail);
}

enum irrep_status card_open(const char *text, size_t size, struct card_object *card,
                            struct irrep_error *error) {
  *card = (struct card_object){.json = json_reader_over(text, size)};
  struct json_reader json = card->json;
  if (json_peek(&json) != JSON_OBJECT)
    return bad(card, "", "the card must be a JSON object", error);
  json_skip(&json);
  if (!json_end(&json))
    return irrep_fail(error, IRREP_BAD_MODEL_FILE, "", "card, byte %zu: %s", json.position,
                      json.message);
  return IRREP_OK;
}

/* Stands before the value of a key. The card as a whole was checked, so only a key that is too long
 * for the buffer ends the walk early. */
static bool find(const struct card_object *object, const char *key, struct json_reader *value) {
  char name[64];
  struct json_reader json = object->json;
  for (json_object_begin(&json); json_object_next(&json, name, sizeof name); json_skip(&json))
    if (strcmp(name, key) == 0) {
      *value = json;
      return true;
    }
  return false;
}

bool card_has(const struct card_object *object, const char *key) {
  struct json_reader value;
  return find(object, key, &value);
}

enum irrep_status card_only(const struct card_object *object, const char *const *allowed,
                            struct irrep_error *error) {
  char name[64];
  unsigned long seen = 0;
  struct json_reader json = object->json;
  for (json_object_begin(&json); json_object_next(&json, name, sizeof name); json_skip(&json)) {
    size_t i = 0;
    while (allowed[i] && strcmp(allowed[i], name) != 0)
      i++;
    if (!allowed[i])
      return irrep_fail(error, IRREP_UNSUPPORTED_MODEL, card_place(object, name).text,
                        "the card's object \"%s\" has a key that is not supported: \"%s\"",
                        object->where, name);
    if (seen >> i & 1)
      return bad(object, name, "the key is there twice", error);
    seen |= 1ul << i;
  }
  if (json.message)
    return bad(object, "", json.message, error);
  return IRREP_OK;
}

static enum irrep_status find_typed(const struct card_object *object, const char *key,
                                    enum json_type type, const char *expected,
                                    struct json_reader *value, struct irrep_error *error) {
  if (!find(object, key, value) || json_peek(value) != type)
    return bad(object, key, expected, error);
  return IRREP_OK;
}

static void place_of(const struct card_object *object, const char *key, struct card_object *value) {
  snprintf(value->where, sizeof value->where, "%.40s%s%.20s", object->where,
           object->where[0] ? "/" : "", key);
}

enum irrep_status card_object(const struct card_object *object, const char *key,
                              struct card_object *value, struct irrep_error *error) {
  struct json_reader json;
  const enum irrep_status status =
      find_typed(object, key, JSON_OBJECT, "an object is expected here", &json, error);
  if (status != IRREP_OK)
    return status;
  place_of(object, key, value);
  value->json = json;
  return IRREP_OK;
}

enum irrep_status card_string(const struct card_object *object, const char *key, char *text,
                              size_t size, struct irrep_error *error) {
  struct json_reader json;
  const enum irrep_status status =
      find_typed(object, key, JSON_STRING, "a string is expected here", &json, error);
  if (status != IRREP_OK)
    return status;
  return json_string(&json, text, size, NULL) ? IRREP_OK : bad(object, key, json.message, error);
}

enum irrep_status card_size(const struct card_object *object, const char *key, size_t min,
                            size_t max, size_t *value, struct irrep_error *error) {
  struct json_reader json;
  const enum irrep_status status =
      find_typed(object, key, JSON_NUMBER, "an integer is expected here", &json, error);
  if (status != IRREP_OK)
    return status;
  if (!json_size(&json, value) || *value < min || *value > max)
    return bad(object, key, "the integer is outside its range", error);
  return IRREP_OK;
}

enum irrep_status card_number(const struct card_object *object, const char *key, double min,
                              double max, double *value, struct irrep_error *error) {
  struct json_reader json;
  const enum irrep_status status =
      find_typed(object, key, JSON_NUMBER, "a number is expected here", &json, error);
  if (status != IRREP_OK)
    return status;
  if (!json_double(&json, value) || !(*value >= min && *value <= max))
    return bad(object, key, "the number is outside its range", error);
  return IRREP_OK;
}

enum irrep_status card_sizes(const struct card_object *object, const char *key, size_t min,
                             size_t max, size_t n_max, size_t *values, size_t *n,
                             struct irrep_error *error) {
  struct json_reader json;
  const enum irrep_status status =
      find_typed(object, key, JSON_ARRAY, "an array of integers is expected here", &json, error);
  if (status != IRREP_OK)
    return status;
  size_t count = 0;
  for (json_array_begin(&json); json_array_next(&json); count++)
    if (count == n_max || !json_size(&json, &values[count]) || values[count] < min ||
        values[count] > max)
      return bad(object, key, "too many integers, or one outside its range", error);
  *n = count;
  return IRREP_OK;
}

enum irrep_status card_objects(const struct card_object *object, const char *key, size_t n_max,
                               struct card_object *values, size_t *n, struct irrep_error *error) {
  struct json_reader json;
  const enum irrep_status status =
      find_typed(object, key, JSON_ARRAY, "an array of objects is expected here", &json, error);
  if (status != IRREP_OK)
    return status;
  size_t count = 0;
  for (json_array_begin(&json); json_array_next(&json); json_skip(&json)) {
    if (count == n_max || json_peek(&json) != JSON_OBJECT)
      return bad(object, key, "too many elements, or one that is not an object", error);
    char element[40];
    snprintf(element, sizeof element, "%.15s/%zu", key, count);
    place_of(object, element, &values[count]);
    values[count++].json = json;
  }
  *n = count;
  return IRREP_OK;
}

/* Whether a text is there, without control characters, and not among those before it. */
static bool is_new_name(const char *text, const char *texts, size_t n, size_t size) {
  for (const unsigned char *at = (const unsigned char *)text; *at; at++)
    if (*at < 0x20 || *at == 0x7f)
      return false;
  for (size_t i = 0; i < n; i++)
    if (strcmp(text, texts + i * size) == 0)
      return false;
  return text[0] != '\0';
}

enum irrep_status card_names(const struct card_object *object, const char *key, size_t n_max,
                             size_t size, char *texts, size_t *n, struct irrep_error *error) {
  struct json_reader json;
  const enum irrep_status status =
      find_typed(object, key, JSON_ARRAY, "an array of strings is expected here", &json, error);
  if (status != IRREP_OK)
    return status;
  size_t count = 0;
  for (json_array_begin(&json); json_array_next(&json); count++) {
    char *text = texts + count * size;
    if (count == n_max || json_peek(&json) != JSON_STRING ||
        !json_string(&json, text, size, NULL) || !is_new_name(text, texts, count, size))
      return bad(object, key,
                 "too many names, or one that is empty, too long, unprintable or there "
                 "twice",
                 error);
  }
  *n = count;
  return count > 0 ? IRREP_OK : bad(object, key, "at least one name is expected here", error);
}

enum irrep_status card_choice(const struct card_object *object, const char *key,
                              const char *const *names, size_t *index, struct irrep_error *error) {
  char text[64], list[160] = "";
  const enum irrep_status status = card_string(object, key, text, sizeof text, error);
  if (status != IRREP_OK)
    return status;
  for (size_t i = 0; names[i]; i++) {
    if (strcmp(names[i], text) == 0) {
      *index = i;
      return IRREP_OK;
    }
    const size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
  }
  return irrep_fail(error, IRREP_UNSUPPORTED_MODEL, card_place(object, key).text,
                    "\"%s\" is not supported here; supported: %s", text, list);
}
