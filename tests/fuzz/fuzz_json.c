/* Reads any bytes as JSON, by our reader and by cJSON. What ours accepts cJSON must accept, with
 * the same values to the last bit; what cJSON accepts ours must accept, or refuse for one of the
 * reasons that json.h names. What is read, and written again, must be read as the same. */
#include "core/base/json.h"
#include "core/base/json_writer.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Versions of cJSON refuse longer numbers. */
#define CJSON_NUMBER_MAX 63

/* Elements that are read in one go. */
#define ROW_MAX 8

static void require(bool condition) {
  if (!condition)
    abort();
}

/* Values side by side */

static void compare_string(struct json_reader *r, const cJSON *item, struct json_writer *w,
                           const char *key) {
  const size_t bound = json_string_bound(r);
  size_t length = 0;
  char *string = malloc(bound + (bound == 0));
  require(string != NULL && bound > 0);
  require(json_string(r, string, bound, &length) && strlen(string) == length);
  require(cJSON_IsString(item) && strcmp(item->valuestring, string) == 0);
  json_put_string(w, key, string);
  free(string);
}

static void compare_number(struct json_reader *r, const cJSON *item, struct json_writer *w,
                           const char *key) {
  struct json_reader ahead = *r;
  double number = 0;
  size_t whole = 0;
  require(json_double(r, &number) && isfinite(number) && cJSON_IsNumber(item));
  require(memcmp(&number, &item->valuedouble, sizeof number) == 0);
  if (json_size(&ahead, &whole))
    require((double)whole == number && ahead.at == r->at);
  json_put_double(w, key, number);
}

/* Numbers of the array that begins next, read in one go, are those that are read one by one. */
static void compare_row(struct json_reader row, struct json_reader one) {
  double numbers[ROW_MAX], number = 0;
  require(json_array_begin(&row) && json_array_begin(&one));
  const size_t n = json_doubles(&row, numbers, ROW_MAX);
  for (size_t i = 0; i < n; i++) {
    require(json_array_next(&one) && json_double(&one, &number));
    require(memcmp(&number, &numbers[i], sizeof number) == 0);
  }
  require(row.at == one.at && row.values_left == one.values_left);
  if (n < ROW_MAX && json_array_next(&one))
    require(json_peek(&one) != JSON_NUMBER);
}

static void compare(struct json_reader *r, const cJSON *item, struct json_writer *w,
                    const char *key);

static void compare_array(struct json_reader *r, const cJSON *item, struct json_writer *w,
                          const char *key) {
  compare_row(*r, *r);
  require(cJSON_IsArray(item) && json_array_begin(r));
  json_open_array(w, key);
  const cJSON *child = item->child;
  for (; json_array_next(r); child = child->next) {
    require(child != NULL);
    compare(r, child, w, NULL);
  }
  require(!child);
  json_close_array(w);
}

static void compare_object(struct json_reader *r, const cJSON *item, struct json_writer *w,
                           const char *key) {
  const size_t size = (size_t)(r->end - r->at);
  char *name = malloc(size + 1), cut[8];
  require(name != NULL && cJSON_IsObject(item) && json_object_begin(r));
  json_open_object(w, key);
  const cJSON *child = item->child;
  for (;; child = child->next) {
    struct json_reader shortly = *r;
    if (!json_object_next(r, name, size + 1))
      break;
    require(json_object_next_cut(&shortly, cut, sizeof cut) && shortly.at == r->at);
    require(strncmp(cut, name, strlen(cut)) == 0);
    /* Whole, or cut before a character of up to four bytes. */
    require(strlen(name) < sizeof cut ? strlen(cut) == strlen(name)
                                      : strlen(cut) + 4 >= sizeof cut);
    require(child != NULL && strcmp(child->string, name) == 0);
    compare(r, child, w, name);
  }
  require(!child);
  json_close_object(w);
  free(name);
}

static void compare(struct json_reader *r, const cJSON *item, struct json_writer *w,
                    const char *key) {
  bool truth = false;
  switch (json_peek(r)) {
  case JSON_OBJECT:
    compare_object(r, item, w, key);
    break;
  case JSON_ARRAY:
    compare_array(r, item, w, key);
    break;
  case JSON_STRING:
    compare_string(r, item, w, key);
    break;
  case JSON_NUMBER:
    compare_number(r, item, w, key);
    break;
  case JSON_BOOL:
    require(json_bool(r, &truth) && cJSON_IsBool(item) && truth == (cJSON_IsTrue(item) != 0));
    json_put_bool(w, key, truth);
    break;
  case JSON_NULL:
    require(json_null(r) && cJSON_IsNull(item));
    json_put_null(w, key);
    break;
  case JSON_NONE:
    abort();
  }
}

/* What cJSON does not do */

static bool has_long_number(const char *text, size_t size) {
  size_t n = 0;
  for (size_t i = 0; i < size; i++) {
    n = text[i] != '\0' && strchr("0123456789+-.eE", text[i]) ? n + 1 : 0;
    if (n > CJSON_NUMBER_MAX)
      return true;
  }
  return false;
}

/* Whether a text has bytes that cJSON passes over: control characters as blanks, a byte order mark.
 */
static bool has_odd_blanks(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)text[i] < 0x20 && (text[i] == '\0' || !strchr("\t\n\r", text[i])))
      return true;
  return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
}

/* Whether what our reader complains of is a rule that cJSON does not have. */
static bool is_stricter(const char *message) {
  static const char *const rules[] = {
      "containers are nested too deeply",
      "a control character in a string",
      "a string that is not UTF-8",
      "U+0000 is not accepted in a string",
      "four hexadecimal digits are due after \\u", /* cJSON takes others for 0 */
      "a number that is not written as JSON writes them",
      "a number too large for a double",
  };
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (strcmp(rules[i], message) == 0)
      return true;
  return false;
}

static cJSON *parse(const char *text, size_t size) {
  const char *end = NULL;
  cJSON *root = cJSON_ParseWithLengthOpts(text, size, &end, 0);
  for (; root != NULL && end < text + size; end++)
    if ((unsigned char)*end > 0x20) {
      cJSON_Delete(root);
      root = NULL;
    }
  return root;
}

/* Properties */

/* Where text may be read with NaN and Infinity, it may be without, but for those and overflow. */
static void check_options(const char *text, size_t size, bool accepted) {
  struct json_reader r = json_reader_over(text, size);
  r.non_finite = true;
  const bool lenient = json_skip(&r) && json_end(&r);
  require(lenient || !accepted);
  if (lenient && !accepted)
    require(memchr(text, 'N', size) || memchr(text, 'I', size) || memchr(text, 'e', size) ||
            memchr(text, 'E', size) || size > 300);
  const size_t n = SIZE_MAX - r.values_left;
  struct json_reader bounded = json_reader_over(text, size);
  bounded.values_left = n;
  require(!accepted || (json_skip(&bounded) && json_end(&bounded)));
  if (!accepted || n == 0)
    return;
  bounded = json_reader_over(text, size);
  bounded.values_left = n - 1;
  require(!json_skip(&bounded) && bounded.too_many);
}

/* What was written is read, and written again, as the same bytes. */
static void check_written(struct text *text) {
  struct text again = {0};
  struct json_writer w = json_writer_over(&again);
  struct json_reader r = json_reader_over(text->bytes, text->size);
  cJSON *root = parse(text->bytes, text->size);
  require(!text->failed && root != NULL);
  compare(&r, root, &w, NULL);
  require(json_end(&r));
  require(again.size == text->size && memcmp(again.bytes, text->bytes, again.size) == 0);
  cJSON_Delete(root);
  text_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  struct json_reader r = json_reader_over(text, size), skipping = r;
  const bool accepted = json_skip(&skipping) && json_end(&skipping);
  cJSON *root = parse(text, size);
  check_options(text, size, accepted);
  if (accepted && root != NULL) {
    struct text written = {0};
    struct json_writer w = json_writer_over(&written);
    compare(&r, root, &w, NULL);
    require(json_end(&r) && r.at == skipping.at && r.values_left == skipping.values_left);
    check_written(&written);
    text_fini(&written);
  } else if (accepted) {
    require(has_long_number(text, size));
  } else {
    require(skipping.message != NULL && skipping.position <= size);
    require(!root || is_stricter(skipping.message) || has_odd_blanks(text, size));
  }
  cJSON_Delete(root);
  return 0;
}
