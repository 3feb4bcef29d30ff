#include "server/routes/event_stream.h"

#include "core/base/json_writer.h"
#include "server/routes/routes.h"
#include "server/runs/run_memory.h"

#include <stdlib.h>
#include <string.h>

/* With so many bytes unread the run stands still, and goes on when fewer are left. */
#define FULL ((size_t)256 << 10)
#define LOW ((size_t)64 << 10)

struct event_stream {
  struct http_exchange *exchange;
  struct run *run;
  struct run_pool *pool;
  size_t held;     /* of the pool */
  struct text out; /* of which n_read bytes have been read */
  size_t n_read;
  bool is_answered, is_held, has_ended;
};

static void free_stream(struct event_stream *s) {
  run_free(s->run);
  run_memory_hold(s->pool, &s->held, 0);
  text_fini(&s->out);
  free(s);
}

static size_t unread(const struct event_stream *s) {
  return s->out.size - s->n_read;
}

/* HTTP's side */

static size_t read_stream(void *context, char *bytes, size_t size) {
  struct event_stream *s = context;
  const size_t n = unread(s) < size ? unread(s) : size;
  if (n == 0)
    return s->has_ended ? HTTP_STREAM_END : 0;
  memcpy(bytes, s->out.bytes + s->n_read, n);
  s->n_read += n;
  if (s->n_read > LOW || unread(s) == 0) {
    memmove(s->out.bytes, s->out.bytes + s->n_read, unread(s));
    s->out.size = unread(s);
    s->n_read = 0;
  }
  if (s->is_held && unread(s) < LOW) {
    s->is_held = false;
    run_go(s->run);
  }
  return n;
}

static void on_closed(void *context) {
  struct event_stream *s = context;
  if (!s->has_ended)
    metrics_request_cancelled(s->pool->metrics, "disconnect");
  free_stream(s);
}

static void on_gone(void *context) {
  on_closed(context);
}

/* The run's side */

static void on_begun(void *context, const struct problem *problem) {
  struct event_stream *s = context;
  s->exchange->gone = NULL;
  if (problem) {
    const struct problem found = *problem;
    http_reply_problem(s->exchange, &found, NULL);
    free_stream(s);
    return;
  }
  struct http_reply reply = {
      .status = 200, .content_type = "application/x-ndjson", .stream = {read_stream, on_closed, s}};
  s->is_answered = true;
  http_reply(s->exchange, &reply);
}

/* Without memory nothing more is said: a line must not be missing in the middle. */
static void end_stream(struct event_stream *s) {
  s->has_ended = true;
  if (s->is_answered)
    http_wake(s->exchange);
}

static void on_event(void *context, const struct run_event *event) {
  struct event_stream *s = context;
  text_add(&s->out, event->line ? event->line : "", event->size);
  text_puts(&s->out, "\n");
  run_memory_hold(s->pool, &s->held, s->out.capacity);
  if (!s->is_held && (unread(s) > FULL || s->out.failed)) {
    s->is_held = true;
    run_hold(s->run, false);
  }
  if (s->out.failed)
    end_stream(s);
  else
    http_wake(s->exchange);
}

static void on_quiet(void *context) {
  (void)context;
}

static void on_ended(void *context, const struct problem *problem) {
  struct event_stream *s = context;
  const struct run_progress progress = run_progress(s->run);
  struct json_writer w = json_writer_over(&s->out);
  json_open_object(&w, NULL);
  json_put_string(&w, "event", problem ? "error" : "end");
  json_put_string(&w, "state", problem ? "failed" : "done"); /* as that of a job */
  if (problem)
    problem_put(&w, "error", problem);
  json_put_size(&w, "structures", progress.n_structures);
  json_put_size(&w, "converged", progress.n_converged);
  json_put_size(&w, "failed", progress.n_failed);
  json_close_object(&w);
  text_puts(&s->out, "\n");
  end_stream(s);
}

void event_stream_begin(struct run_pool *pool, struct http_exchange *exchange,
                        struct run_call *call) {
  struct event_stream *s = calloc(1, sizeof *s);
  if (!s) {
    reply_no_memory(exchange);
    return;
  }
  *s = (struct event_stream){.exchange = exchange, .pool = pool};
  call->form = TRAJECTORY_EVENTS;
  call->owner = (struct run_owner){on_begun, on_event, on_quiet, on_ended, NULL, s};
  call->body = http_take_body(exchange);
  call->size = exchange->size;
  exchange->gone = on_gone;
  exchange->gone_context = s;
  s->run = run_new(pool, call);
  if (s->run)
    return;
  free(s);
  reply_no_memory(exchange);
}
