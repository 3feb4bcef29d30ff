/* A strict check of JSON text that costs no memory, made before a tree is built of it. */
#ifndef SERVER_JSON_SCAN_H
#define SERVER_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Deepest nesting accepted, and the bytes of the longest number (cJSON reads no longer ones). */
#define JSON_SCAN_DEPTH_MAX 16
#define JSON_SCAN_NUMBER_MAX 63

struct json_scan {
  const char *message; /* static text of what is wrong, NULL when nothing is */
  size_t position;     /* of what is wrong, in bytes from the start */
  size_t n_non_finite; /* words NaN, Infinity and -Infinity, which many writers put for numbers */
};

/* Whether text [size] is one JSON value (RFC 8259) of at most max_values scalars and containers.
 * Refused beyond the RFC: nesting deeper than JSON_SCAN_DEPTH_MAX, numbers longer than
 * JSON_SCAN_NUMBER_MAX, a byte order mark, U+0000 and single surrogates in strings, what is not
 * UTF-8. Accepted beyond it: the words counted in n_non_finite. Linear in size, allocates nothing,
 * does not recurse. Thread-safe. */
bool json_scan(const char *text, size_t size, size_t max_values, struct json_scan *scan);

/* Overwrites those words in a scanned text with the number 9e9 and blanks: a JSON number of their
 * length that no field of the API accepts, so that they are refused where they stand. */
void json_scan_mask(char *text, size_t size);

#endif
