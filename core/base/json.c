#include "core/base/json.h"

#include "core/base/decimal.h"
#include "core/base/utf8.h"

#include <math.h>
#include <string.h>

#define JSON_SIZE_END (UINT64_C(1) << 53)

/* Where decoded bytes go; with !bytes they are only checked. */
struct sink {
  char *bytes;
  size_t size, used;
  bool is_cut; /* what does not fit is left out, and is no error */
};

static bool fail_at(struct json_reader *r, const char *at, const char *message) {
  if (!r->message) {
    r->message = message;
    r->position = (size_t)(at - r->start);
  }
  return false;
}

bool json_fail(struct json_reader *r, const char *message) {
  return fail_at(r, r->at, message);
}

struct json_reader json_reader_over(const char *text, size_t size) {
  if (!text || size == 0) {
    text = "";
    size = 0;
  }
  return (struct json_reader){
      .values_left = SIZE_MAX, .start = text, .at = text, .end = text + size, .value_due = true};
}

/* Blanks and lookahead */

static const char *after_blanks(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
    at++;
  return at;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

enum json_type json_peek(const struct json_reader *r) {
  const char *at = after_blanks(r->at, r->end);
  if (r->message || !r->value_due || at == r->end)
    return JSON_NONE;
  switch (*at) {
  case '{':
    return JSON_OBJECT;
  case '[':
    return JSON_ARRAY;
  case '"':
    return JSON_STRING;
  case 't':
  case 'f':
    return JSON_BOOL;
  case 'n':
    return JSON_NULL;
  case 'N':
  case 'I':
    return r->non_finite ? JSON_NUMBER : JSON_NONE;
  default:
    return *at == '-' || is_digit(*at) ? JSON_NUMBER : JSON_NONE;
  }
}

/* Stands at the first byte of a value of the given type. */
static bool value_begin(struct json_reader *r, enum json_type type, const char *message) {
  if (r->message)
    return false;
  if (!r->value_due)
    return json_fail(r, "a value was asked for where none is due");
  r->at = after_blanks(r->at, r->end);
  if (r->at == r->end)
    return json_fail(r, "the text ends where a value is due");
  if (json_peek(r) != type)
    return json_fail(r, message);
  r->too_many = r->values_left == 0;
  if (r->too_many)
    return json_fail(r, "more values than are accepted");
  r->values_left--;
  return true;
}

static bool value_done(struct json_reader *r, const char *at) {
  r->at = at;
  r->value_due = false;
  return true;
}

/* Containers */

static uint32_t innermost(const struct json_reader *r) {
  return UINT32_C(1) << (r->depth - 1);
}

static bool container_begin(struct json_reader *r, bool object) {
  if (r->depth == JSON_DEPTH_MAX)
    return json_fail(r, "containers are nested too deeply");
  r->depth++;
  r->nonempty &= ~innermost(r);
  r->objects &= ~innermost(r);
  if (object)
    r->objects |= innermost(r);
  return value_done(r, r->at + 1);
}

bool json_object_begin(struct json_reader *r) {
  return value_begin(r, JSON_OBJECT, "an object is due") && container_begin(r, true);
}

bool json_array_begin(struct json_reader *r) {
  return value_begin(r, JSON_ARRAY, "an array is due") && container_begin(r, false);
}

/* Stands at the next member of the innermost container; false when it ends or on an error. */
static bool container_next(struct json_reader *r, bool object) {
  if (r->message)
    return false;
  if (r->value_due)
    return json_fail(r, "a value was left unread");
  if (r->depth == 0 || ((r->objects & innermost(r)) != 0) != object)
    return json_fail(r, object ? "no object is open" : "no array is open");
  r->at = after_blanks(r->at, r->end);
  if (r->at == r->end)
    return json_fail(r,
                     object ? "the text ends inside an object" : "the text ends inside an array");
  if (*r->at == (object ? '}' : ']')) {
    r->at++;
    r->depth--;
    return false;
  }
  if (r->nonempty & innermost(r)) {
    if (*r->at != ',')
      return json_fail(r, object ? "',' or '}' is due" : "',' or ']' is due");
    r->at++;
    r->at = after_blanks(r->at, r->end);
  }
  r->nonempty |= innermost(r);
  return true;
}

bool json_array_next(struct json_reader *r) {
  if (!container_next(r, false))
    return false;
  r->value_due = true;
  return true;
}

/* Strings */

/* Puts a run of ASCII, or one character. */
static bool sink_put(struct sink *sink, const char *bytes, size_t n) {
  if (!sink->bytes)
    return true;
  const size_t room = sink->size - sink->used - 1;
  if (n > room) {
    if (!sink->is_cut)
      return false;
    n = (unsigned char)*bytes < 0x80 ? room : 0;
    sink->size = sink->used + n + 1; /* nothing that follows fits either */
  }
  memcpy(sink->bytes + sink->used, bytes, n);
  sink->used += n;
  return true;
}

static size_t utf8_encode(uint32_t code, char bytes[4]) {
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; code >>= 6)
    bytes[i] = (char)(0x80 | (code & 0x3f));
  bytes[0] = (char)(lead[n] | code);
  return n;
}

/* Four hexadecimal digits at `at`. */
static bool hex4(const char *at, const char *end, uint32_t *unit) {
  if (end - at < 4)
    return false;
  uint32_t u = 0;
  for (size_t i = 0; i < 4; i++) {
    char c = at[i];
    uint32_t digit;
    if (is_digit(c))
      digit = (uint32_t)(c - '0');
    else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
      digit = (uint32_t)((c | 0x20) - 'a' + 10);
    else
      return false;
    u = u << 4 | digit;
  }
  *unit = u;
  return true;
}

/* The code point of the \u escape (or pair of them) whose first digit is at *at. */
static bool read_code_point(struct json_reader *r, const char **at, uint32_t *code) {
  const char *digits = *at;
  uint32_t low;
  if (!hex4(digits, r->end, code))
    return fail_at(r, digits, "four hexadecimal digits are due after \\u");
  *at = digits + 4;
  if (*code == 0)
    return fail_at(r, digits, "U+0000 is not accepted in a string");
  if (*code < 0xd800 || *code > 0xdfff)
    return true;
  if (*code > 0xdbff || r->end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' ||
      !hex4(*at + 2, r->end, &low) || low < 0xdc00 || low > 0xdfff)
    return fail_at(r, digits, "a surrogate without its other half");
  *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
  *at += 6;
  return true;
}

/* Decodes the escape after the backslash at *at. */
static bool read_escape(struct json_reader *r, const char **at, char bytes[4], size_t *n) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  const char *escape = *at + 1;
  if (escape == r->end)
    return fail_at(r, escape, "the text ends inside a string");
  if (*escape == 'u') {
    uint32_t code;
    *at = escape + 1;
    if (!read_code_point(r, at, &code))
      return false;
    *n = utf8_encode(code, bytes);
    return true;
  }
  const char *name = memchr(names, *escape, sizeof names - 1);
  if (!name)
    return fail_at(r, escape, "an unknown escape in a string");
  bytes[0] = values[name - names];
  *n = 1;
  *at = escape + 1;
  return true;
}

/* Bytes at `at` that stand for themselves: printable ASCII but for quote and backslash. */
static size_t plain_run(const char *at, const char *end) {
  const char *p = at;
  while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
         *p != '\\')
    p++;
  return (size_t)(p - at);
}

/* Decodes the string whose opening quote is at r->at, and stands behind it. */
static bool read_string(struct json_reader *r, struct sink *sink) {
  const char *at = r->at + 1;
  for (;;) {
    char decoded[4];
    const char *bytes = at;
    size_t n = plain_run(at, r->end);
    if (at + n == r->end)
      return fail_at(r, r->end, "the text ends inside a string");
    if (n > 0) {
      at += n;
    } else if (*at == '"') {
      break;
    } else if (*at == '\\') {
      bytes = decoded;
      if (!read_escape(r, &at, decoded, &n))
        return false;
    } else if ((unsigned char)*at < 0x20) {
      return fail_at(r, at, "a control character in a string");
    } else if ((n = utf8_sequence(at, r->end)) > 0) {
      at += n;
    } else {
      return fail_at(r, at, "a string that is not UTF-8");
    }
    if (!sink_put(sink, bytes, n))
      return json_fail(r, "a string is longer than what is accepted");
  }
  r->at = at + 1;
  return true;
}

/* read_string into a caller's buffer, which becomes empty on an error. */
static bool read_string_into(struct json_reader *r, char *string, size_t size, bool is_cut,
                             size_t *length) {
  struct sink sink = {string, size, 0, is_cut};
  if (size == 0)
    return json_fail(r, "a string is longer than what is accepted");
  bool ok = read_string(r, &sink);
  string[ok ? sink.used : 0] = '\0';
  if (ok && length)
    *length = sink.used;
  return ok;
}

bool json_string(struct json_reader *r, char *string, size_t size, size_t *length) {
  if (size > 0)
    string[0] = '\0';
  return value_begin(r, JSON_STRING, "a string is due") &&
         read_string_into(r, string, size, false, length) && value_done(r, r->at);
}

size_t json_string_bound(const struct json_reader *r) {
  if (json_peek(r) != JSON_STRING)
    return 0;
  const char *first = after_blanks(r->at, r->end) + 1;
  for (const char *at = first; at < r->end; at++) {
    if (*at == '"')
      return (size_t)(at - first) + 1;
    if (*at == '\\' && ++at == r->end)
      break;
  }
  return 0;
}

/* Reads a member's key and colon. */
static bool read_key(struct json_reader *r, char *key, size_t size, bool is_cut) {
  if (r->at == r->end || *r->at != '"')
    return json_fail(r, "a key in double quotes is due");
  struct sink unread = {0};
  bool ok = key ? read_string_into(r, key, size, is_cut, NULL) : read_string(r, &unread);
  if (!ok)
    return false;
  r->at = after_blanks(r->at, r->end);
  if (r->at == r->end || *r->at != ':')
    return json_fail(r, "':' is due after a key");
  r->at++;
  r->value_due = true;
  return true;
}

static bool object_next(struct json_reader *r, char *key, size_t size, bool is_cut) {
  if (size > 0)
    key[0] = '\0';
  if (!container_next(r, true))
    return false;
  if (read_key(r, key, size, is_cut))
    return true;
  if (size > 0)
    key[0] = '\0';
  return false;
}

bool json_object_next(struct json_reader *r, char *key, size_t size) {
  return object_next(r, key, size, false);
}

bool json_object_next_cut(struct json_reader *r, char *key, size_t size) {
  return object_next(r, key, size, true);
}

/* Numbers and literals */

static bool scan_number(struct json_reader *r, struct decimal *decimal) {
  return decimal_scan(r->at, r->end, decimal) ||
         fail_at(r, decimal->end, "a number that is not written as JSON writes them");
}

/* Whether the n bytes of a word come next. */
static bool is_word(const struct json_reader *r, const char *word, size_t n) {
  return (size_t)(r->end - r->at) >= n && memcmp(r->at, word, n) == 0;
}

/* Reads a word that stands for a number, if one comes next and such words are accepted. */
static bool read_non_finite(struct json_reader *r, double *number) {
  static const struct {
    const char *word;
    size_t size;
    double number;
  } words[] = {{"NaN", 3, (double)NAN},
               {"Infinity", 8, (double)INFINITY},
               {"-Infinity", 9, (double)-INFINITY}};
  for (size_t i = 0; r->non_finite && i < sizeof words / sizeof *words; i++)
    if (is_word(r, words[i].word, words[i].size)) {
      *number = words[i].number;
      return value_done(r, r->at + words[i].size);
    }
  return false;
}

bool json_double(struct json_reader *r, double *number) {
  struct decimal decimal;
  if (!value_begin(r, JSON_NUMBER, "a number is due"))
    return false;
  if (!is_digit(*r->at) && read_non_finite(r, number))
    return true;
  if (!scan_number(r, &decimal))
    return false;
  const double value = decimal_value(&decimal);
  if (!r->non_finite && !isfinite(value))
    return json_fail(r, "a number too large for a double");
  *number = value;
  return value_done(r, decimal.end);
}

/* Reads the element at `at`, if it is a number without a fault; those are left to json_double. */
static bool take_double(struct json_reader *r, const char *at, double *number) {
  struct decimal decimal;
  if (at == r->end || r->values_left == 0)
    return false;
  if (decimal_scan(at, r->end, &decimal)) {
    *number = decimal_value(&decimal);
    if (!r->non_finite && !isfinite(*number))
      return false;
    r->at = decimal.end;
  } else {
    struct json_reader ahead = *r;
    ahead.at = at;
    if (!read_non_finite(&ahead, number))
      return false;
    r->at = ahead.at;
  }
  r->values_left--;
  return true;
}

size_t json_doubles(struct json_reader *r, double *numbers, size_t n) {
  if (r->message || r->value_due || r->depth == 0 || (r->objects & innermost(r)))
    return 0;
  size_t count = 0;
  bool nonempty = (r->nonempty & innermost(r)) != 0;
  while (count < n) {
    const char *at = after_blanks(r->at, r->end);
    if (nonempty) {
      if (at == r->end || *at != ',')
        break;
      at = after_blanks(at + 1, r->end);
    }
    if (!take_double(r, at, &numbers[count]))
      break;
    nonempty = true;
    count++;
  }
  if (nonempty)
    r->nonempty |= innermost(r);
  return count;
}

bool json_size(struct json_reader *r, size_t *number) {
  static const char due[] = "an integer from 0 to 2^53 - 1 in plain digits is due";
  struct decimal decimal;
  if (!value_begin(r, JSON_NUMBER, due) || !scan_number(r, &decimal))
    return false;
  for (const char *at = decimal.begin; at < decimal.end; at++)
    if (!is_digit(*at))
      return json_fail(r, due);
  if (decimal.has_rest || decimal.digits >= JSON_SIZE_END || decimal.digits > SIZE_MAX)
    return json_fail(r, due);
  *number = (size_t)decimal.digits;
  return value_done(r, decimal.end);
}

static bool literal(struct json_reader *r, const char *word) {
  const size_t n = strlen(word);
  if (!is_word(r, word, n))
    return json_fail(r, "a word other than true, false and null");
  return value_done(r, r->at + n);
}

bool json_bool(struct json_reader *r, bool *truth) {
  if (!value_begin(r, JSON_BOOL, "true or false is due"))
    return false;
  bool value = *r->at == 't';
  if (!literal(r, value ? "true" : "false"))
    return false;
  *truth = value;
  return true;
}

bool json_null(struct json_reader *r) {
  return value_begin(r, JSON_NULL, "null is due") && literal(r, "null");
}

/* Any value */

/* Reads a scalar, or enters a container. */
static bool skip_begin(struct json_reader *r) {
  struct sink unread = {0};
  double number;
  bool truth;
  switch (json_peek(r)) {
  case JSON_OBJECT:
    return json_object_begin(r);
  case JSON_ARRAY:
    return json_array_begin(r);
  case JSON_STRING:
    return value_begin(r, JSON_STRING, "") && read_string(r, &unread) && value_done(r, r->at);
  case JSON_NUMBER:
    return json_double(r, &number);
  case JSON_BOOL:
    return json_bool(r, &truth);
  case JSON_NULL:
    return json_null(r);
  case JSON_NONE:
    break;
  }
  return value_begin(r, JSON_NONE, "") && json_fail(r, "a value is due");
}

bool json_skip(struct json_reader *r) {
  size_t depth = r->depth;
  if (!skip_begin(r))
    return false;
  while (r->depth > depth) {
    bool object = (r->objects & innermost(r)) != 0;
    if (object ? container_next(r, true) && read_key(r, NULL, 0, false) : json_array_next(r))
      skip_begin(r);
    if (r->message)
      return false;
  }
  return true;
}

bool json_raw(struct json_reader *r, const char **value, size_t *size) {
  const char *begin = after_blanks(r->at, r->end);
  if (!json_skip(r))
    return false;
  *value = begin;
  *size = (size_t)(r->at - begin);
  return true;
}

bool json_end(struct json_reader *r) {
  if (r->message)
    return false;
  if (r->value_due)
    return json_fail(r, "a value was left unread");
  if (r->depth > 0)
    return json_fail(r, "a container was left open");
  r->at = after_blanks(r->at, r->end);
  return r->at == r->end || json_fail(r, "text after the end of the value");
}
