/* A strict check of JSON text that costs no memory, made before a tree is built of it. */
#ifndef SERVER_CODEC_JSON_SCAN_H
#define SERVER_CODEC_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Deepest nesting accepted, and the bytes of the longest number that cJSON reads. */
#define JSON_SCAN_DEPTH_MAX 16
#define JSON_SCAN_NUMBER_MAX 63

struct json_scan {
  const char *message; /* static text of what is wrong, NULL when nothing is */
  size_t position;     /* of what is wrong, in bytes from the start */
  bool too_many;       /* what is wrong is that there are more than max_values */
  size_t n_masked;     /* words NaN, Infinity and -Infinity, which many writers put for numbers, and
                          numbers longer than JSON_SCAN_NUMBER_MAX: see json_scan_mask */
};

/* Whether text [size] is one JSON value (RFC 8259) of at most max_values scalars and containers.
 * Refused beyond the RFC: nesting deeper than JSON_SCAN_DEPTH_MAX, a byte order mark, U+0000 and
 * single surrogates in strings, what is not UTF-8. Accepted beyond it: the words counted in
 * n_masked. Linear in size, allocates nothing, does not recurse. Thread-safe. */
bool json_scan(const char *text, size_t size, size_t max_values, struct json_scan *scan);

/* Rewrites what n_masked counts in a scanned text, text[size] being NUL, so that cJSON reads it. A
 * long number becomes the shorter text of the double that it stands for, and blanks; a word, or a
 * number beyond all doubles, becomes 9e9, which no field of the API accepts, so that it is refused
 * where it stands. */
void json_scan_mask(char *text, size_t size);

#endif
