/* The events of a run as a stream of lines (application/x-ndjson), as fast as its client reads: a
 * run whose client is slow stands still, and holds up nobody else. Used on the loop thread. */
#ifndef SERVER_ROUTES_EVENT_STREAM_H
#define SERVER_ROUTES_EVENT_STREAM_H

#include "server/http/http.h"
#include "server/runs/run.h"

/* Begins a run of the exchange's body, and answers with its events; with a problem if it cannot be
 * begun. The call's body, owner and form are filled in here. The run ends when its client leaves.
 */
void event_stream_begin(struct run_pool *pool, struct http_exchange *exchange,
                        struct run_call *call);

#endif
