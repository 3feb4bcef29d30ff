/* The header fields that routes look at, of which a request has one. Thread-safe on distinct
 * exchanges. */
#ifndef SERVER_HTTP_HTTP_FIELDS_H
#define SERVER_HTTP_HTTP_FIELDS_H

#include "server/http/http.h"

/* Keeps value, which lives as long as the exchange, as the field of this name; "" when there is one
 * already: two parsers could take either. false: the exchange has no such field. */
bool http_fields_keep(struct http_exchange *exchange, const char *name, const char *value);

#endif
