#include "server/http/http_inside.h"

static void resume(struct exchange *x) {
  const bool paused = x->is_paused;
  x->is_paused = false;
  if (paused)
    http_resume(x->connection);
}

void http_stream_pause(struct exchange *x) {
  x->is_paused = true;
  MHD_suspend_connection(x->connection->mhd);
}

size_t http_stream_next(struct exchange *x, char *bytes, size_t size) {
  if (!x->is_probed || size == 0)
    return x->stream.read(x->stream.context, bytes, size);
  x->is_probed = false;
  bytes[0] = '\n';
  return 1;
}

ssize_t http_stream_read(void *context, uint64_t position, char *bytes, size_t size) {
  struct exchange *x = context;
  (void)position;
  if (x->stage != STAGE_STREAMING)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  const size_t n = http_stream_next(x, bytes, size);
  if (n == HTTP_STREAM_END)
    return MHD_CONTENT_READER_END_OF_STREAM;
  if (n == 0)
    http_stream_pause(x);
  return (ssize_t)n;
}

void http_stream_wake(struct http_exchange *exchange) {
  resume((struct exchange *)exchange);
}

/* Who has closed its socket answers by a reset. */
void http_stream_probe(struct exchange *x) {
  x->is_probed = true;
  resume(x);
}

void http_stream_break(struct exchange *x) {
  x->stage = STAGE_GONE;
  if (x->is_paused)
    resume(x);
  else
    peer_hang_up(x->connection->peer);
}

void http_stream_close(struct exchange *x) {
  if (x->stream.closed)
    x->stream.closed(x->stream.context);
}
