/* What arrives on a connection, judged before the HTTP library reads it.
 *
 * Libraries take more for a request than RFC 9112 does: lines ended by a bare LF, folded lines,
 * NULs, signs before a length. A proxy in front may read those in another way, and the library
 * answers some of them itself, in its own words. So a scanner goes through the bytes first and
 * holds back each head until it is complete: what is not plain and certain never reaches the
 * library. Bytes of bodies are counted, not looked at. Knows no socket. Not thread-safe; one
 * thread's. */
#ifndef SERVER_HTTP_WIRE_H
#define SERVER_HTTP_WIRE_H

#include "server/http/http_judge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Why a connection is refused. */
enum wire_fault_kind {
  WIRE_FINE,
  WIRE_MALFORMED, /* 400 */
  WIRE_TARGET,    /* 414: no end of the request line within HTTP_HEADERS_MAX */
  WIRE_HEADERS,   /* 431: no end of the head within that */
  WIRE_VERSION,   /* 505 */
};

struct wire_fault {
  enum wire_fault_kind kind;
  const char *words; /* static; of WIRE_MALFORMED */
};

enum wire_state {
  WIRE_HEAD,
  WIRE_BODY,       /* `left` bytes of a body of known length */
  WIRE_CHUNK_SIZE, /* a line with the size of a chunk */
  WIRE_CHUNK,      /* `left` bytes of a chunk */
  WIRE_CHUNK_END,  /* CRLF behind a chunk */
  WIRE_TRAILER,    /* lines behind the last chunk, to an empty one */
  WIRE_REFUSED,    /* nothing is passed on any more */
};

/* The request whose head was read last, as far as it could be read. */
struct wire_request {
  char method[16]; /* "" when there was none */
  char path[HTTP_PATH_SIZE];
  char request_id[HTTP_REQUEST_ID_SIZE];
};

struct wire {
  enum wire_state state;
  struct wire_fault fault; /* once REFUSED */
  bool in_body;            /* it lies in the body of the last head that was passed on */
  uint64_t left;
  size_t trailer_size;        /* bytes of trailers so far */
  uint64_t n_heads;           /* heads that were passed on */
  char *held;                 /* [WIRE_HELD_MAX] or NULL; bytes that were read and not yet given: */
  size_t begin, passed, used; /* given up to begin, judged up to passed, read up to used */
};

/* A head, and what of the next one comes with it. */
#define WIRE_HELD_MAX (HTTP_HEADERS_MAX + 1024)

void wire_init(struct wire *wire);
void wire_fini(struct wire *wire);

/* Reads bytes as recv does: more than 0; 0 at the end; -1 with errno. */
typedef ssize_t (*wire_read)(void *context, void *bytes, size_t size);

/* Gives the library what it may see, up to size bytes, like recv. Fewer only when all that has come
 * was read, for the library waits for more to come then. A refused connection gives what the read
 * function says when nothing has come, and what comes is thrown away. request is filled when the
 * connection is refused. */
ssize_t wire_receive(struct wire *wire, wire_read read, void *context, void *bytes, size_t size,
                     struct wire_request *request);

/* Fills the problem of a fault and returns the reason for metrics_http_rejected. */
const char *wire_problem(const struct wire_fault *fault, struct problem *problem);

#endif
