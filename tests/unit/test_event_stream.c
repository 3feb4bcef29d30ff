#define _GNU_SOURCE /* mkdtemp */
#include "server/routes/event_stream.h"
#include "tests/unit/fake_served.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define PAIR "{\"numbers\":[14,1],\"positions\":[[0.5,0.25,0],[0,0.5,-0.5]]}"

#define DYNAMICS(steps) "{\"ensemble\":\"nve\",\"timestep\":0.1,\"every\":1,\"steps\":" steps "}"

/* An exchange, and what has been read of the stream that answered it. */
struct reading {
  struct http_exchange exchange; /* first */
  struct http_stream stream;
  int status;
  size_t n_wakes;
  struct text got;
  bool ended;
};

static void take_reply(struct http_exchange *exchange, struct http_reply *reply) {
  struct reading *r = (struct reading *)exchange;
  assert_int_equal(r->status, 0);
  r->status = reply->status;
  r->stream = reply->stream;
  free(reply->body);
}

static void note_wake(struct http_exchange *exchange) {
  ((struct reading *)exchange)->n_wakes++;
}

static void begin(struct run_pool *pool, struct reading *r, enum trajectory_kind kind,
                  const char *options) {
  char body[1024];
  snprintf(body, sizeof body, "{\"structures\":[" PAIR "," PAIR "],\"%s\":%s}",
           trajectory_kind_name(kind), options);
  *r = (struct reading){.exchange = {.path = "/v1/models/m/relax",
                                     .request_id = "id-1",
                                     .client = "x",
                                     .send = take_reply,
                                     .wake = note_wake}};
  r->exchange.body = r->exchange.body_memory = strdup(body);
  r->exchange.size = strlen(body);
  struct run_call call = {.kind = kind, .model = FAKE_MODEL, .client = "x"};
  event_stream_begin(pool, &r->exchange, &call);
}

/* Reads at most so many bytes at a time, of what there is. */
static void read_on(struct reading *r, size_t size) {
  char bytes[4096];
  for (size_t n; !r->ended && (n = r->stream.read(r->stream.context, bytes, size)) > 0;)
    if (n == HTTP_STREAM_END)
      r->ended = true;
    else
      text_add(&r->got, bytes, n);
}

static void close_stream(struct reading *r) {
  r->stream.closed(r->stream.context);
  text_fini(&r->got);
}

static struct run_pool pool_of(struct fake_served *fake) {
  fake->config.max_steps = 1000000;
  return (struct run_pool){.loop = &fake->loop,
                           .config = &fake->config,
                           .predictor = fake->predictor,
                           .metrics = fake->metrics};
}

static size_t count(const struct text *text, const char *word) {
  size_t n = 0;
  for (size_t i = 0; i + strlen(word) <= text->size; i++)
    n += memcmp(text->bytes + i, word, strlen(word)) == 0;
  return n;
}

static int set_up(void **state) {
  struct fake_served *fake = malloc(sizeof *fake);
  *state = fake;
  return fake && fake_served_init(fake) ? 0 : -1;
}

static int tear_down(void **state) {
  const bool clean = fake_served_fini(*state);
  free(*state);
  return clean ? 0 : -1;
}

static void test_lines(void **state) {
  struct run_pool pool = pool_of(*state);
  struct reading r;
  begin(&pool, &r, TRAJECTORY_RELAX, "{\"fmax\":0.01,\"optimizer\":\"fire\",\"trajectory\":5}");
  WAIT_FOR(pool.loop, r.status != 0);
  assert_int_equal(r.status, 200);
  assert_null(r.exchange.gone);
  while (!r.ended) {
    WAIT_FOR(pool.loop, r.n_wakes > 0);
    r.n_wakes = 0;
    read_on(&r, 37);
  }
  assert_int_equal(count(&r.got, "{\"event\":\"converged\""), 2);
  assert_true(count(&r.got, "{\"event\":\"frame\"") >= 4);
  assert_int_equal(
      count(
          &r.got,
          "{\"event\":\"end\",\"state\":\"done\",\"structures\":2,\"converged\":2,\"failed\":0}\n"),
      1);
  assert_int_equal(r.got.bytes[r.got.size - 1], '\n');
  close_stream(&r);
  assert_int_equal(pool.n_runs, 0);
}

/* Without a reader the run stands still; it goes on with one, and loses nothing. */
static void test_slow_reader(void **state) {
  struct run_pool pool = pool_of(*state);
  struct reading r;
  begin(&pool, &r, TRAJECTORY_MD, DYNAMICS("2000"));
  WAIT_FOR(pool.loop, r.status != 0);
  for (double steps = -1; steps < fake_served_metric(*state, "irrepd_trajectory_steps_total");) {
    steps = fake_served_metric(*state, "irrepd_trajectory_steps_total");
    for (int i = 0; i < 200; i++)
      wait_turn(pool.loop, time(NULL), "standing still");
  }
  assert_true(fake_served_metric(*state, "irrepd_trajectory_steps_total") < 3000);
  const time_t begun = time(NULL);
  while (!r.ended) {
    read_on(&r, 4096);
    wait_turn(pool.loop, begun, "the end");
  }
  assert_int_equal(count(&r.got, "{\"event\":\"frame\""), 2 * 2001);
  close_stream(&r);
}

static void test_refused(void **state) {
  struct run_pool pool = pool_of(*state);
  struct reading r;
  begin(&pool, &r, TRAJECTORY_RELAX, "{\"fmax\":-1}");
  WAIT_FOR(pool.loop, r.status != 0);
  assert_int_equal(r.status, 422);
  assert_null(r.stream.read);
  assert_int_equal(pool.n_runs, 0);
}

/* The client leaves before there is an answer, or while it comes. */
static void test_clients_that_leave(void **state) {
  struct run_pool pool = pool_of(*state);
  struct reading r;
  begin(&pool, &r, TRAJECTORY_RELAX, "{\"trajectory\":1}");
  r.exchange.gone(r.exchange.gone_context);
  assert_int_equal(r.status, 0);
  begin(&pool, &r, TRAJECTORY_MD, DYNAMICS("100000"));
  WAIT_FOR(pool.loop, r.n_wakes > 20);
  close_stream(&r);
  WAIT_FOR(pool.loop, pool.n_runs == 0);
  WAIT_FOR(pool.loop, predictor_stats(pool.predictor).batches_running == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_lines, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_slow_reader, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_clients_that_leave, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
