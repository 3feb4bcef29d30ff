#include "server/http/http_response.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

/* Nothing for NULL. False without memory. */
static bool add(struct MHD_Response *response, const char *name, const char *value) {
  return value == NULL || MHD_add_response_header(response, name, value) == MHD_YES;
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

struct MHD_Response *http_response(struct http_reply *reply, const char *request_id, bool closes) {
  struct MHD_Response *response =
      reply->body == NULL
          ? MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT)
          : MHD_create_response_from_buffer(reply->size, reply->body, MHD_RESPMEM_MUST_FREE);
  if (response == NULL) {
    free(reply->body);
    return NULL;
  }
  const size_t retry_after_s = reply->retry_after_s > 0 ? (size_t)reply->retry_after_s : 0;
  if (add(response, "Content-Type", reply->content_type) &&
      add(response, "Cache-Control",
          reply->cache_control == NULL ? "no-store" : reply->cache_control) &&
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
