#include "server/base/pieces.h"
#include "server/http/http_inside.h"
#include "server/http/http_response.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a stream that are read at a time. */
#define BLOCK ((size_t)16 << 10)

struct coded_answer {
  enum http_coding coding;
  struct http_encoder *encoder;
  struct http_reply reply; /* whose body, or pieces, are coded; a stream is the exchange's */
  struct piece body;       /* the one of a reply without pieces */
  const char *in;          /* [n_in] to be coded next */
  size_t n_in, n_pieces;   /* pieces that have been begun */
  size_t piece_left;       /* of the last of them, behind in */
  enum encoding what;
  bool holds; /* the encoder has taken bytes since the last flush */
  bool has_ended;
  char block[BLOCK]; /* of a stream */
};

/* Floats of binary answers are random bits for the most part: of 480 kB both codings leave more
 * than 93 %. */
static bool is_text(const struct http_reply *reply) {
  static const char *const binary[] = {"application/x-safetensors", "application/octet-stream"};
  for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
    if (!reply->content_type || strcmp(reply->content_type, binary[i]) == 0)
      return false;
  return true;
}

bool http_encode_varies(const struct exchange *x, const struct http_reply *reply) {
  const size_t above = x->connection->server->options.compress_above;
  return x->coded || reply->status == 304 ||
         (is_text(reply) && (reply->stream.read || reply->size > above));
}

enum http_coding http_encode_choose(const struct exchange *x, const struct http_reply *reply) {
  const struct http_codings codings = http_codings_of(x->public.accept_encoding);
  if (codings.preferred == CODING_IDENTITY || (reply->size == 0 && !reply->stream.read))
    return CODING_IDENTITY;
  if (!codings.identity)
    return codings.preferred;
  const size_t bytes = http_encoder_bytes(codings.preferred);
  const size_t left = ledger_left(x->connection->server->budget.ledger, LEDGER_REQUESTS, bytes);
  return http_encode_varies(x, reply) && bytes <= left ? codings.preferred : CODING_IDENTITY;
}

bool http_encode_begin(struct exchange *x, enum http_coding coding) {
  struct coded_answer *c = calloc(1, sizeof *c);
  if (!c)
    return false;
  c->coding = coding;
  c->encoder = http_encoder_new(coding);
  if (!c->encoder) {
    free(c);
    return false;
  }
  x->coded = c;
  x->connection->server->n_coding++;
  return true;
}

void http_encode_end(struct exchange *x) {
  struct coded_answer *c = x->coded;
  if (!c)
    return;
  http_encoder_free(c->encoder);
  free(c->reply.body);
  pieces_free(c->reply.pieces);
  free(c);
  x->coded = NULL;
  x->connection->server->n_coding--;
}

/* The next bytes of a body, at most so many. */
static enum encoding refill_from_body(struct coded_answer *c, size_t most) {
  const struct pieces *pieces = c->reply.pieces;
  const size_t n_all = pieces ? pieces->n_items : 1;
  if (c->piece_left == 0 && c->n_pieces == n_all)
    return ENCODING_END;
  if (c->piece_left == 0) {
    const struct piece piece = pieces ? pieces->items[c->n_pieces] : c->body;
    c->in = piece.bytes;
    c->piece_left = piece.size;
    c->n_pieces++;
  }
  c->n_in = c->piece_left < most ? c->piece_left : most;
  c->piece_left -= c->n_in;
  return ENCODING_ON;
}

/* The same of a stream; its end and its pauses are the encoder's. */
static enum encoding refill_from_stream(struct exchange *x, struct coded_answer *c, size_t most) {
  const size_t n = http_stream_next(x, c->block, most < BLOCK ? most : BLOCK);
  if (n == HTTP_STREAM_END)
    return ENCODING_END;
  c->in = c->block;
  c->n_in = n;
  return n > 0 ? ENCODING_ON : ENCODING_FLUSH;
}

/* Whether there is something to do now: input, or a flush, or the end. */
static bool refill(struct exchange *x, struct coded_answer *c, size_t most) {
  c->what = x->stream.read ? refill_from_stream(x, c, most) : refill_from_body(c, most);
  if (c->what != ENCODING_FLUSH || c->holds)
    return true;
  c->what = ENCODING_ON;
  return false;
}

/* Codes once into out [room]; adds to made. false: without memory. */
static bool code_once(struct exchange *x, struct coded_answer *c, char *out, size_t room,
                      size_t *made) {
  size_t n_used, n_made;
  bool is_done;
  if (!http_encoder_step(c->encoder, c->what, c->in, c->n_in, &n_used, out, room, &n_made,
                         &is_done))
    return false;
  c->in += n_used;
  c->n_in -= n_used;
  c->holds = c->holds || n_used > 0;
  *made += n_made;
  http_turn_take(x, n_used);
  if (is_done) {
    c->has_ended = c->what == ENCODING_END;
    c->holds = c->holds && c->what == ENCODING_ON;
    c->what = ENCODING_ON;
  }
  return true;
}

/* MHD_ContentReaderCallback: what is flushed goes out at once, so that each event of a stream
 * arrives when it was told. */
static ssize_t read_coded(void *context, uint64_t position, char *bytes, size_t size) {
  struct exchange *x = context;
  struct coded_answer *c = x->coded;
  size_t made = 0;
  (void)position;
  if (x->stage != STAGE_STREAMING && x->stage != STAGE_REPLIED)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  while (made < size && !c->has_ended) {
    if (c->n_in == 0 && c->what == ENCODING_ON) {
      const size_t turn = http_turn_left(x);
      const bool goes_on = turn > 0 && refill(x, c, turn);
      if (!goes_on && made == 0 && turn == 0)
        http_turn_wait(x->connection);
      else if (!goes_on && made == 0)
        http_stream_pause(x);
      if (!goes_on)
        return (ssize_t)made;
    }
    if (!code_once(x, c, bytes + made, size - made, &made))
      return MHD_CONTENT_READER_END_WITH_ERROR;
  }
  return made > 0 ? (ssize_t)made : MHD_CONTENT_READER_END_OF_STREAM;
}

struct MHD_Response *http_encode_response(struct exchange *x, struct http_reply *reply,
                                          bool closes) {
  struct coded_answer *c = x->coded;
  struct http_reply head = *reply;
  c->reply = *reply;
  c->body = (struct piece){reply->body, reply->size};
  head.body = NULL;
  head.pieces = NULL;
  struct MHD_Response *response = http_response(&head, x->request_id, closes, read_coded, x);
  if (!response ||
      MHD_add_response_header(response, "Content-Encoding", http_coding_name(c->coding)) == MHD_YES)
    return response;
  MHD_destroy_response(response);
  return NULL;
}
