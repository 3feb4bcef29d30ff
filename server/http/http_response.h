/* libmicrohttpd's response of a reply. Used on the loop thread. */
#ifndef SERVER_HTTP_HTTP_RESPONSE_H
#define SERVER_HTTP_HTTP_RESPONSE_H

#include "server/http/http.h"

struct MHD_Response;

/* Takes the reply's body. closes: the connection ends after it. The response is the caller's, to be
 * given to MHD_destroy_response; NULL without memory, be it for a header. */
struct MHD_Response *http_response(struct http_reply *reply, const char *request_id, bool closes);

#endif
