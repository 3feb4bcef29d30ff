/* libmicrohttpd's response of a reply. Used on the loop thread. */
#ifndef SERVER_HTTP_HTTP_RESPONSE_H
#define SERVER_HTTP_HTTP_RESPONSE_H

#include "server/http/http.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct MHD_Response;

/* MHD_ContentReaderCallback: reads a body that comes bit by bit. */
typedef ssize_t (*http_response_reader)(void *context, uint64_t position, char *bytes, size_t size);

/* Takes the reply's body. closes: the connection ends after it. reader: with its context it reads
 * the body, a stream's or another, instead; NULL: the reply has it. The response is the caller's,
 * to be given to MHD_destroy_response; NULL without memory, be it for a header. */
struct MHD_Response *http_response(struct http_reply *reply, const char *request_id, bool closes,
                                   http_response_reader reader, void *context);

/* Adds the fields by which a browser lets a page of another origin read the answer (the Fetch
 * standard's CORS protocol). false: without memory. */
bool http_response_share(struct MHD_Response *response, const char *origin);

#endif
