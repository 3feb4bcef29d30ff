#include "server/http/http_inside.h"

/* Bytes that are decoded between two looks at the bounds. */
#define STEP ((size_t)16 << 10)

void http_decode_end(struct exchange *x) {
  if (!x->decoder)
    return;
  http_decoder_free(x->decoder);
  x->decoder = NULL;
  x->connection->server->n_coding--;
}

void http_decode_problem(const struct exchange *x, struct problem *problem) {
  const char *fault = http_decoder_fault(x->decoder), *name = http_coding_name(x->coding);
  problem_set(problem, 400, "malformed-encoding", "malformed content encoding", "",
              "The body is no whole stream of Content-Encoding: %s: %s.", name,
              fault ? fault : "it ends before the stream does");
}

static enum http_taken taken(enum http_room room) {
  switch (room) {
  case HTTP_ROOM:
    return HTTP_TAKEN;
  case HTTP_ROOM_LATER:
    return HTTP_TAKEN_LATER;
  case HTTP_ROOM_NEVER:
    return HTTP_TAKEN_LARGE;
  case HTTP_ROOM_NO_MEMORY:
    break;
  }
  return HTTP_TAKEN_NO_MEMORY;
}

/* One step of the decoder into a room, which may be too small for what is to be made. */
struct step {
  const char *bytes;
  size_t size, used, made;
  bool goes_on; /* there may be more to be done */
};

static enum decoding decode_into(struct exchange *x, struct step *step, char *out, size_t room) {
  return http_decoder_step(x->decoder, step->bytes, step->size, &step->used, out, room,
                           &step->made);
}

/* The body is as large as it may be: whether the stream has no more bytes. */
static enum decoding decode_rest(struct exchange *x, struct step *step, bool *is_large) {
  char byte;
  const enum decoding found = decode_into(x, step, &byte, 1);
  *is_large = step->made > 0;
  step->made = 0;
  return found;
}

/* Decodes into the body, for which there is room. */
static enum decoding decode_more(struct exchange *x, struct step *step) {
  struct http_body *body = &x->body;
  const size_t turn = http_turn_left(x), free = body->capacity - body->size;
  const size_t room = free < turn ? free : turn;
  const enum decoding found =
      decode_into(x, step, body->bytes + body->size, room < STEP ? room : STEP);
  body->size += step->made;
  http_turn_take(x, step->made);
  return found;
}

/* Lets the decoder hold what it wants. */
static enum http_taken grant(struct exchange *x) {
  const size_t wants = http_decoder_wants(x->decoder);
  const enum http_room room = http_line_make_beside(x, wants);
  if (room == HTTP_ROOM)
    http_decoder_grant(x->decoder, wants);
  return room == HTTP_ROOM_NEVER ? HTTP_TAKEN_NO_MEMORY : taken(room);
}

/* Decodes once. */
static enum http_taken decode_once(struct exchange *x, struct step *step) {
  enum decoding found;
  bool is_large = false;
  step->used = step->made = 0;
  const enum http_room room =
      x->body.size < x->body.capacity ? HTTP_ROOM : http_line_make_room(x, 1);
  if (room == HTTP_ROOM_NEVER)
    found = decode_rest(x, step, &is_large);
  else if (room == HTTP_ROOM)
    found = decode_more(x, step);
  else
    return taken(room);
  step->goes_on = step->used > 0 || step->made > 0 || found == DECODING_WANTS;
  if (is_large)
    return HTTP_TAKEN_LARGE;
  switch (found) {
  case DECODING_ON:
    return HTTP_TAKEN;
  case DECODING_WANTS:
    return grant(x);
  case DECODING_DAMAGED:
    return HTTP_TAKEN_DAMAGED;
  case DECODING_NO_MEMORY:
    break;
  }
  return HTTP_TAKEN_NO_MEMORY;
}

/* The bytes as they came are bounded too: a stream may be long and hold nothing. */
static bool is_long(struct exchange *x, size_t size) {
  x->coded_size += size;
  return x->coded_size > http_body_most(&x->connection->server->budget);
}

/* It is not the client who is slow, as long as there is something to be decoded. */
static void wait_for_turn(struct exchange *x) {
  struct connection *connection = x->connection;
  peer_deadline(connection->peer, connection->server->options.request_timeout_ms);
  http_turn_wait(connection);
}

enum http_taken http_decode(struct exchange *x, const char *bytes, size_t size, size_t *left) {
  struct step step = {.bytes = bytes, .size = size, .goes_on = true};
  enum http_taken found = HTTP_TAKEN;
  while (step.goes_on && found == HTTP_TAKEN) {
    const bool has_turn = http_turn_left(x) > 0;
    found = has_turn ? decode_once(x, &step) : HTTP_TAKEN_LATER;
    if (found == HTTP_TAKEN && is_long(x, step.used))
      found = HTTP_TAKEN_LARGE;
    if (found == HTTP_TAKEN) {
      step.bytes += step.used;
      step.size -= step.used;
    } else if (found == HTTP_TAKEN_LATER && size > 0 && step.size == 0) {
      found = HTTP_TAKEN; /* what the decoder holds comes with what follows */
      break;
    } else if (found == HTTP_TAKEN_LATER && has_turn) {
      http_line_wait(x);
    } else if (found == HTTP_TAKEN_LATER) {
      wait_for_turn(x);
    }
  }
  *left = step.size;
  return found;
}
