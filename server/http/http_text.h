/* The rules of HTTP/1.1 text that irrepd checks itself, without sockets: request targets, header
 * fields, framing, media types. Every function is thread-safe. */
#ifndef SERVER_HTTP_HTTP_TEXT_H
#define SERVER_HTTP_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest request id, with its NUL. */
#define HTTP_REQUEST_ID_SIZE 129

/* Most header fields of one request. */
#define HTTP_FIELDS_MAX 100

/* Decodes the path of a request target (origin or absolute form, no query) into path [size], NUL
 * included. false when it is no path: other bytes than visible ASCII, a malformed escape, an
 * escaped slash, NUL or control character, or too long. */
bool http_path_decode(const char *target, char *path, size_t size);

/* Whether text is 1 to 128 characters of [A-Za-z0-9._:/+=@-]. */
bool http_request_id_valid(const char *text);

/* The method as a label of metrics; "other" for those that are hardly known. */
const char *http_method_label(const char *method);

/* Longest W3C traceparent that is passed on, with its NUL. */
#define HTTP_TRACEPARENT_SIZE 56

/* Whether text is a traceparent of version 00 (W3C Trace Context, 3.2): lower-case hexadecimal
 * version, trace id, parent id and flags, neither id all zero. */
bool http_traceparent_valid(const char *text);

/* Whether a Content-Type value is the media type `type` (e.g. "application/json"), of whatever
 * parameters. */
bool http_media_type_is(const char *content_type, const char *type);

/* Whether an Accept value (NULL: no such field) admits "type/subtype": the most specific range
 * that matches decides, by a weight above zero (RFC 9110, 12.5.1). */
bool http_accepts(const char *accept, const char *type, const char *subtype);

/* Appends a field's value to a list [size] of comma-separated values that begins empty; a list that
 * would become too long admits everything. */
void http_accept_add(char *list, size_t size, const char *value);

/* Whether a Host value is an address, localhost, or a name without a dot, with or without a port:
 * what no name server outside can have given out. */
bool http_host_is_near(const char *host);

/* The bytes of visible ASCII that text [size] begins with. */
size_t http_visible_size(const char *text, size_t size);

/* What the header fields say about the length of the body; starts as all zero. */
struct http_framing {
  const char *fault;       /* static: why the request must be refused, or NULL */
  size_t fields;           /* header fields seen */
  size_t hosts;            /* Host fields */
  bool has_length;         /* one Content-Length */
  bool chunked;            /* one Transfer-Encoding: chunked */
  bool expects_continue;   /* Expect: 100-continue */
  uint64_t content_length; /* bytes */
};

/* Takes the next header field into account. */
void http_framing_field(struct http_framing *framing, const char *name, const char *value);

/* The verdict after the last field: why the request must be refused (static text), or NULL. Refused
 * is whatever two parsers could read in two ways (RFC 9112, 6.3 and 11.2): repeated or malformed
 * Content-Length, Transfer-Encoding other than one "chunked", both of them, either in HTTP/1.0 or
 * below in the case of Transfer-Encoding, names that are no tokens, control characters in values,
 * and in HTTP/1.1 anything but one Host, or one that is none. */
const char *http_framing_verdict(const struct http_framing *framing, bool http_1_1);

#endif
