#include "server/http/http_response.h"

#include "server/base/pieces.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

/* The library lists pieces in a connection's own memory, which the header fields share. */
#define PIECES_MAX 256

/* The bytes that a stream is asked for at a time, at most. */
#define STREAM_BLOCK ((size_t)16 << 10)

_Static_assert(offsetof(struct piece, bytes) == offsetof(struct MHD_IoVec, iov_base) &&
                   offsetof(struct piece, size) == offsetof(struct MHD_IoVec, iov_len) &&
                   sizeof(struct piece) == sizeof(struct MHD_IoVec),
               "pieces are vectors of libmicrohttpd");

/* Nothing for NULL. False without memory. */
static bool add(struct MHD_Response *response, const char *name, const char *value) {
  return !value || MHD_add_response_header(response, name, value) == MHD_YES;
}

/* Nothing for 0. */
static bool add_number(struct MHD_Response *response, const char *name, size_t number) {
  char text[24];
  snprintf(text, sizeof text, "%zu", number);
  return add(response, name, number > 0 ? text : NULL);
}

static bool add_fields(struct MHD_Response *response, const struct http_reply *reply) {
  for (size_t i = 0; i < reply->n_fields; i++)
    if (!add(response, reply->fields[i].name, reply->fields[i].value))
      return false;
  return true;
}

static void free_pieces(void *pieces) {
  pieces_free(pieces);
}

/* Joins pieces of which the library would not find room for the list. false: without memory. */
static bool join_many(struct http_reply *reply) {
  if (!reply->pieces || reply->pieces->n_items <= PIECES_MAX)
    return true;
  reply->body = pieces_join(reply->pieces);
  pieces_free(reply->pieces);
  reply->pieces = NULL;
  return reply->body != NULL;
}

static struct MHD_Response *create(struct http_reply *reply, http_response_reader reader,
                                   void *context) {
  if (reader)
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, reader, context, NULL);
  if (!join_many(reply))
    return NULL;
  if (reply->pieces != NULL)
    return MHD_create_response_from_iovec((const struct MHD_IoVec *)reply->pieces->items,
                                          (unsigned)reply->pieces->n_items, free_pieces,
                                          reply->pieces);
  if (reply->body != NULL)
    return MHD_create_response_from_buffer(reply->size, reply->body, MHD_RESPMEM_MUST_FREE);
  return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
}

struct MHD_Response *http_response(struct http_reply *reply, const char *request_id, bool closes,
                                   http_response_reader reader, void *context) {
  struct MHD_Response *response = create(reply, reader, context);
  if (!response) {
    free(reply->body);
    pieces_free(reply->pieces);
    return NULL;
  }
  const size_t retry_after_s = reply->retry_after_s > 0 ? (size_t)reply->retry_after_s : 0;
  if (add(response, "Content-Type", reply->content_type) &&
      add(response, "Cache-Control", !reply->cache_control ? "no-store" : reply->cache_control) &&
      add(response, "X-Request-Id", request_id) &&
      add_number(response, "Retry-After", retry_after_s) &&
      add_number(response, "Inference-Header-Content-Length", reply->inference_header_size) &&
      add(response, "Allow", reply->allow) &&
      add(response, "WWW-Authenticate", reply->status == 401 ? "Bearer" : NULL) &&
      add(response, "Connection", closes ? "close" : NULL) && add_fields(response, reply))
    return response;
  MHD_destroy_response(response);
  return NULL;
}

bool http_response_share(struct MHD_Response *response, const char *origin) {
  return add(response, "Access-Control-Allow-Origin", origin) &&
         add(response, "Access-Control-Expose-Headers",
             "X-Request-Id, Retry-After, Location, Preference-Applied, "
             "Inference-Header-Content-Length");
}
