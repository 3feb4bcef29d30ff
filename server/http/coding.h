/* Content codings (RFC 9110, 8.4): which there are, and which of them an answer takes. Without
 * memory of its own; thread-safe. */
#ifndef SERVER_HTTP_CODING_H
#define SERVER_HTTP_CODING_H

#include <stdbool.h>

enum http_coding {
  CODING_IDENTITY, /* bytes as they are */
  CODING_GZIP,     /* RFC 1952 */
  CODING_ZSTD,     /* RFC 8878, with the windows of RFC 9659 */
  CODING_UNKNOWN
};

/* What a request's Content-Encoding may be, for its answer's Accept-Encoding. */
#define HTTP_CODINGS "gzip, zstd"

/* The coding of a Content-Encoding value; NULL: there is no such field. More than one coding is
 * CODING_UNKNOWN. */
enum http_coding http_coding_of(const char *content_encoding);

/* The name in Content-Encoding. */
const char *http_coding_name(enum http_coding coding);

/* What an Accept-Encoding value allows (RFC 9110, 12.5.3). */
struct http_codings {
  enum http_coding preferred; /* CODING_IDENTITY: no other is wanted, or identity more than those */
  bool identity;              /* it may be sent as it is */
};

/* NULL: there is no such field. With neither a preferred coding nor identity nothing is acceptable.
 * Of equal weights zstd goes before gzip. */
struct http_codings http_codings_of(const char *accept_encoding);

#endif
