/* The body of a request while it arrives: bounded for itself, and by the part of the memory that
 * bodies may take together (ledger.h). Used on the loop thread. */
#ifndef SERVER_HTTP_HTTP_BODY_H
#define SERVER_HTTP_HTTP_BODY_H

#include "server/base/ledger.h"
#include "server/base/problem.h"

#include <stdbool.h>
#include <stddef.h>

/* So much of each body belongs to its connection, and is always there. */
#define HTTP_BODY_FIRST ((size_t)16 << 10)

struct http_budget {
  size_t max_body_bytes; /* of one body */
  struct ledger *ledger;
};

/* Zero-initialised it is empty. */
struct http_body {
  char *bytes; /* [size], NULL while empty */
  size_t size, capacity;
  size_t beside; /* what its decoder holds: in the ledger with it */
};

/* The most bytes that a body may have. */
size_t http_body_most(const struct http_budget *budget);

enum http_room {
  HTTP_ROOM,           /* there is room */
  HTTP_ROOM_LATER,     /* when others have given memory back */
  HTTP_ROOM_NEVER,     /* the body is too large */
  HTTP_ROOM_NO_MEMORY, /* the system gives none */
};

/* Makes room for `more` bytes behind those that are there. expected: the length that was announced,
 * SIZE_MAX when none was. is_favoured: it may take what is kept for the one that goes on while all
 * others wait, so that one body at least always gets to its end. */
enum http_room http_body_make_room(struct http_body *body, struct http_budget *budget,
                                   size_t expected, size_t more, bool is_favoured);

/* Makes room for `bytes` beside the body, in all: what its decoder holds. */
enum http_room http_body_make_beside(struct http_body *body, struct http_budget *budget,
                                     size_t bytes, bool is_favoured);

/* Appends bytes [size], for which there is room. */
void http_body_append(struct http_body *body, const char *bytes, size_t size);

/* Gives memory beyond the size back, as far as the system takes it, and that of a decoder, which
 * has gone. */
void http_body_trim(struct http_body *body, struct http_budget *budget);

/* Frees the bytes and gives them back; the body is empty then. */
void http_body_drop(struct http_body *body, struct http_budget *budget);

#endif
