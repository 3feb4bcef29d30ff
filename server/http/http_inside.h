/* The inside of an HTTP server, for its files, each of which calls those before it: http_wake.c
 * (when the library runs), http_line.c (who waits for memory), http_decode.c (coded bodies),
 * http_stream.c (streams), http_encode.c (coded answers), http_answer.c (answers), http_heads.c
 * (what the library reads), http_end.c (the end), http.c (requests, connections and the server's
 * life). Used on the loop thread. */
#ifndef SERVER_HTTP_HTTP_INSIDE_H
#define SERVER_HTTP_HTTP_INSIDE_H

#include "server/http/decoder.h"
#include "server/http/encoder.h"
#include "server/http/http.h"
#include "server/http/http_body.h"
#include "server/http/http_judge.h"
#include "server/http/peer.h"
#include "server/http/quirks.h"
#include "server/http/wire.h"

#include <microhttpd.h>

#define ACCEPT_SIZE 1024
#define LINGER_MS 1000 /* how long a refused request is still read, so that the answer arrives */

/* Where a request stands. */
enum stage {
  STAGE_RECEIVING,
  STAGE_IN_LINE,   /* its body waits for memory, and the connection is suspended */
  STAGE_HANDLED,   /* the handler has it and has not replied */
  STAGE_WAITING,   /* as before, and the connection is suspended */
  STAGE_REPLIED,   /* a response is there for libmicrohttpd */
  STAGE_STREAMING, /* libmicrohttpd reads the stream of its response */
  STAGE_LINGERING, /* answered past libmicrohttpd: what still comes is thrown away */
  STAGE_GONE
};

struct connection {
  struct http_server *server;
  struct MHD_Connection *mhd;
  struct peer *peer;
  char name[PEER_NAME_SIZE]; /* of the peer */
  bool local;
  struct exchange *exchange; /* NULL between requests */
  struct connection *next, **link;
  struct wire wire;
  struct wire_request request; /* whose head was refused */
  uint64_t n_begun;            /* heads that the library has told of */
  bool refused;                /* answered at a head that it has never seen */
  bool client_ended;           /* it sends no more */
  bool client_gone;            /* it reads no more */
};

struct exchange {
  struct http_exchange public;
  struct connection *connection;
  enum stage stage;
  int status;
  struct MHD_Response *response;
  struct http_stream stream; /* of the response, until it is closed */
  bool is_paused;            /* nothing of it to read: the connection is suspended */
  bool is_probed;          /* the client has ended its side: a blank line tells whether it reads */
  size_t answer_bytes;     /* of the response, in the ledger until they have left */
  enum http_coding coding; /* of the body */
  struct http_decoder *decoder; /* of a coded body; NULL: it comes as it is */
  size_t coded_size;            /* bytes of it that the decoder has taken */
  struct coded_answer *coded;   /* of a coded answer, http_encode.c; NULL: it goes as it is */
  uint64_t turn;                /* in which bytes were coded last, and what it may code then */
  size_t turn_left;
  struct exchange *next_in_line;
  uint64_t line_ms; /* when it stood there first; 0: never */
  struct http_body body;
  uint64_t begun_ns;
  struct http_facts facts;
  char path[HTTP_PATH_SIZE], accept[ACCEPT_SIZE], accept_encoding[ACCEPT_SIZE];
  char request_id[HTTP_REQUEST_ID_SIZE], traceparent[HTTP_TRACEPARENT_SIZE];
};

struct http_server {
  struct http_options options;
  uv_loop_t *loop;
  void (*run)(struct http_server *server); /* lets the library look at its connections */
  struct MHD_Daemon *mhd;
  uv_poll_t poll;
  uv_timer_t timer, grace;
  uv_idle_t idle; /* in the next turn of the loop the library runs */
  int handles_open;
  struct connection *connections;
  size_t n_connections, n_exchanges;
  uint64_t turn;   /* counts the library's runs */
  size_t n_coding; /* exchanges whose bodies or answers are coded */
  struct http_budget budget;
  struct ledger_waiter waiter;
  struct exchange *line, **line_end; /* http_line.c: those that wait for memory */
  struct exchange *favoured;         /* which goes on while they wait; NULL: nobody */
  bool draining;
  bool ending;       /* new connections are refused, those that wait are accepted */
  bool accepts_none; /* none waits any more, and the listening socket is closed */
  bool grace_over;   /* connections without a request are closed */
  bool runs_again; /* a connection has ended: at its limit the library accepts in its next run only
                    */
  struct quirks_filter filter;
  struct connection **by_fd; /* [n_fds] */
  size_t n_fds;
  void (*quiet)(void *context);
  void *quiet_context;
  uint64_t id_prefix, id_next;
};

/* When the library runs, by http_wake.c: in so many milliseconds; 0: in the next turn of the loop.
 */
void http_run_in(struct http_server *server, uint64_t milliseconds);

/* Resumes a suspended connection; the library looks at it when it runs next. */
void http_resume(struct connection *connection);

/* The line of those whose bodies wait for memory, by http_line.c: each goes on in its turn, and one
 * always does. A body that does not find room in the time for a request is refused. */
void http_line_init(struct http_server *server);

/* Makes room for more bytes of a body that is being received; LATER too while others stand in line.
 */
enum http_room http_line_make_room(struct exchange *x, size_t more);

/* Makes room for what a body's decoder holds, in all. */
enum http_room http_line_make_beside(struct exchange *x, size_t bytes);

/* Suspends the connection until there is room. */
void http_line_wait(struct exchange *x);

/* To be called when a body has come to its end, or nobody waits for it any more: out of the line,
 * if it stands there. The connection stays suspended then. */
void http_line_leave(struct exchange *x);

/* Resumes those for whom there is room now; whether there are any. */
bool http_line_run(struct http_server *server);

/* The bytes that a coded body or answer may become in this turn of the loop, of which `bytes` are
 * taken; 0: wait for the next one. By http_wake.c. */
size_t http_turn_left(struct exchange *x);
void http_turn_take(struct exchange *x, size_t bytes);

/* Suspends the connection until the next turn of the loop. */
void http_turn_wait(struct connection *connection);

/* Coded bodies, by http_decode.c. */
enum http_taken {
  HTTP_TAKEN,         /* as much as there is */
  HTTP_TAKEN_LATER,   /* the connection is suspended; the rest is to come again */
  HTTP_TAKEN_LARGE,   /* the body is too large */
  HTTP_TAKEN_DAMAGED, /* http_decode_problem says how */
  HTTP_TAKEN_NO_MEMORY
};

/* Takes bytes [size] of a coded body; `left` says how many are to come again. At its end without
 * any, until all is taken. */
enum http_taken http_decode(struct exchange *x, const char *bytes, size_t size, size_t *left);

/* What is wrong with a coded body that is damaged, or has ended in the middle. */
void http_decode_problem(const struct exchange *x, struct problem *problem);

/* The exchange needs its decoder no more. */
void http_decode_end(struct exchange *x);

/* Streams, by http_stream.c. What the library calls for the bytes of a response, and a route when
 * there are some. */
ssize_t http_stream_read(void *context, uint64_t position, char *bytes, size_t size);
void http_stream_wake(struct http_exchange *exchange);

/* There is nothing of a stream to be read: the connection is suspended until it wakes. */
void http_stream_pause(struct exchange *x);

/* The next bytes of a stream, as its read gives them, or the blank line of a probe. */
size_t http_stream_next(struct exchange *x, char *bytes, size_t size);

/* The client has ended its side: sends a blank line, to find out whether it still reads. */
void http_stream_probe(struct exchange *x);

/* Breaks off the stream that an exchange is answered with: what the client has is not whole, and it
 * sees that. */
void http_stream_break(struct exchange *x);

/* The exchange ends, and with it its stream, if it has one. */
void http_stream_close(struct exchange *x);

/* Coded answers, by http_encode.c. The coding that a reply goes out in. */
enum http_coding http_encode_choose(const struct exchange *x, const struct http_reply *reply);

/* Begins a coded answer. false: without memory. */
bool http_encode_begin(struct exchange *x, enum http_coding coding);

/* Takes a reply's body, or reads its stream, for an answer that was begun; the response says so.
 * NULL without memory. */
struct MHD_Response *http_encode_response(struct exchange *x, struct http_reply *reply,
                                          bool closes);

/* Whether another Accept-Encoding could have had another answer. */
bool http_encode_varies(const struct exchange *x, const struct http_reply *reply);

/* The exchange ends, and with it its coded answer, if it has one. */
void http_encode_end(struct exchange *x);

/* Answers, by http_answer.c: that of a route (http_exchange.send). */
void http_answer(struct http_exchange *exchange, struct http_reply *reply);

/* Hands the library the response that is there. The client is to take it in time; those who take
 * nothing of it for a while the library ends by itself. */
enum MHD_Result http_answer_queue(struct exchange *x);

/* Whether a body follows the head of a request. */
bool http_body_comes(const struct exchange *x);

/* Refuses a request at its header fields; the connection is closed after it. */
enum MHD_Result http_refuse_head(struct exchange *x, const struct problem *problem,
                                 const char *reason);

/* Refuses a request whose body is still to come, and reads on for a moment: closing at once would
 * reset the connection, and the client might never see the answer. */
void http_refuse_unread(struct exchange *x, const struct problem *problem, const char *reason);

/* Answers a request that the library is still reading, or has not seen, when it takes no response;
 * the connection says nothing after that. origin: as http_format_problem takes it. */
void http_answer_unread(struct connection *connection, const char *path, const char *request_id,
                        const struct problem *problem, const char *origin);

/* Heads, by http_heads.c. The filter through which the library reads: each connection's bytes go
 * through its wire. */
void http_heads_init(struct http_server *server);
void http_heads_fini(struct http_server *server);

/* Puts a connection under its descriptor, and takes it away. False without memory. */
bool http_heads_watch(struct connection *connection, int fd);
void http_heads_forget(struct connection *connection, int fd);

/* Refuses what the wire has stopped at, once all that came before it is answered. To be called
 * when the library has begun or completed a request. */
void http_heads_refuse(struct connection *connection);

/* An id for a request that brought none. */
void http_make_request_id(struct http_server *server, char id[HTTP_REQUEST_ID_SIZE]);

/* The end, by http_end.c. To be called whenever the library has run: goes on with it, and tells who
 * asked for it when it is reached. */
void http_end_run(struct http_server *server);

/* Whether connections are closed when they have been answered, whatever the answer said. */
bool http_end_is_due(const struct http_server *server);

/* Closes the listening socket. */
void http_end_accepting(struct http_server *server);

#endif
