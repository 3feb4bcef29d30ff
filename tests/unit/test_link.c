#define _GNU_SOURCE /* accept4, mkdtemp */
#include "server/codec/request.h"
#include "server/drivers/link.h"
#include "server/drivers/units.h"
#include "tests/unit/fake_served.h"
#include "tests/unit/support_driver.h"
#include "tests/unit/support_peer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define ANSWER_SIZE (12 + 8 + 4 + 48 + 72 + 4 + 1)

static const double cell[] = {18, 0, 0, 0, 18, 0, 0, 0, 18};
static const double positions[] = {1, 0, 0, 2, 0, 0};

struct fixture {
  struct fake_served served;
  struct peer_server peer;
  struct socket_spec spec;
  struct link *link;
  size_t n_changed;
};

static void on_changed(void *context, struct link *link) {
  struct fixture *f = context;
  (void)link;
  f->n_changed++;
}

static void start_link(struct fixture *f) {
  const struct link_options options = {.loop = &f->served.loop,
                                       .config = &f->served.config,
                                       .registry = f->served.registry,
                                       .predictor = f->served.predictor,
                                       .spec = &f->spec,
                                       .id = 1,
                                       .changed = on_changed,
                                       .context = f};
  f->link = link_new(&options);
  assert_non_null(f->link);
  assert_int_equal(link_state(f->link), LINK_WAITING);
}

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  *state = f;
  if (!f || !fake_served_init(&f->served) || !peer_listen(&f->peer, &f->served.loop, true))
    return -1;
  f->served.config.request_timeout_ms = 30000;
  f->spec = (struct socket_spec){
      .protocol = &protocol_ipi, .address = f->peer.address, .model = FAKE_MODEL, .connections = 1};
  const bool added = species_add(&f->spec.species, 14, 1, 2) && //
                     species_add(&f->spec.species, 1, 1, 2);
  return added ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  link_free(f->link);
  socket_spec_fini(&f->spec);
  peer_hang_up(&f->peer);
  peer_stop_listening(&f->peer);
  atomic_store(&f->served.model->hold, 0);
  for (const time_t begun = time(NULL); predictor_stats(f->served.predictor).batches_running > 0;)
    if (!peer_turn(&f->peer, begun))
      return -1;
  const bool clean = fake_served_fini(&f->served);
  free(f);
  return clean ? 0 : -1;
}

static void wait_for_state(struct fixture *f, enum link_state wanted) {
  for (const time_t begun = time(NULL); link_state(f->link) != wanted;)
    if (!peer_turn(&f->peer, begun))
      fail_msg("%s, not %s", link_state_name(link_state(f->link)), link_state_name(wanted));
}

static void expect_header(struct fixture *f, const char *wanted) {
  char header[13] = "";
  assert_true(peer_receive(&f->peer, header, 12));
  assert_string_equal(header, wanted);
}

static void send_text(struct fixture *f, struct text *text) {
  assert_true(peer_send(&f->peer, text->bytes, text->size));
  text_fini(text);
}

static void open_both(struct fixture *f) {
  start_link(f);
  assert_true(peer_accept(&f->peer));
  wait_for_state(f, LINK_CONNECTED);
}

static void send_structure(struct fixture *f) {
  struct text text = {0};
  put_posdata(&text, cell, 2, positions);
  put_header(&text, "GETFORCE");
  send_text(f, &text);
}

static void expect_answer(struct fixture *f) {
  char answer[ANSWER_SIZE];
  assert_true(peer_receive(&f->peer, answer, sizeof answer));
  assert_memory_equal(answer, "FORCEREADY  ", 12);
  const double energy = (15 + 3 * units_of_ase.length) / units_of_ase.energy;
  assert_true(fabs(double_at(answer + 12) - energy) < 1e-15);
}

static void expect_reason(const struct fixture *f, const char *words) {
  if (!strstr(link_reason(f->link), words))
    fail_msg("\"%s\", not \"%s\"", link_reason(f->link), words);
}

static void test_steps(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  open_both(f);
  for (int i = 0; i < 3; i++)
    put_header(&text, "STATUS");
  send_text(f, &text);
  for (int i = 0; i < 3; i++)
    expect_header(f, "NEEDINIT    ");
  for (int i = 0; i < 3; i++) {
    send_structure(f);
    expect_answer(f);
  }
  assert_int_equal(link_structures(f->link), 3);
  assert_true(
      fake_served_metric(
          &f->served, "irrepd_inference_structures_total{model=\"silicon\",outcome=\"ok\"}") == 3);
  peer_hang_up(&f->peer);
  wait_for_state(f, LINK_CLOSED);
  expect_reason(f, "the driver has closed the connection");
  assert_false(link_failed(f->link));
  assert_true(f->n_changed >= 3);
}

static void test_one_byte_at_a_time(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  open_both(f);
  put_posdata(&text, cell, 2, positions);
  put_header(&text, "GETFORCE");
  for (size_t i = 0; i < text.size; i++) {
    assert_true(peer_send(&f->peer, text.bytes + i, 1));
    uv_run(&f->served.loop, UV_RUN_NOWAIT);
  }
  expect_answer(f);
  text_fini(&text);
}

static void test_exit(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  open_both(f);
  put_header(&text, "EXIT");
  send_text(f, &text);
  assert_true(peer_ended(&f->peer));
  assert_int_equal(link_state(f->link), LINK_CLOSED);
  expect_reason(f, "the driver has ended");
}

/* The status after POSDATA is answered when the numbers are there. */
static void test_status_while_computing(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  open_both(f);
  atomic_store(&f->served.model->hold, 1);
  put_posdata(&text, cell, 2, positions);
  put_header(&text, "STATUS");
  send_text(f, &text);
  for (const time_t begun = time(NULL); !link_is_computing(f->link);)
    assert_true(peer_turn(&f->peer, begun));
  for (int i = 0; i < 50; i++)
    peer_turn(&f->peer, time(NULL));
  char byte;
  assert_int_equal(recv(f->peer.fd, &byte, 1, 0), -1);
  atomic_store(&f->served.model->hold, 0);
  expect_header(f, "HAVEDATA    ");
  put_header(&text, "GETFORCE");
  send_text(f, &text);
  expect_answer(f);
}

static void expect_closed(struct fixture *f, struct text *text, const char *words) {
  open_both(f);
  send_text(f, text);
  assert_true(peer_ended(&f->peer));
  assert_int_equal(link_state(f->link), LINK_CLOSED);
  assert_true(link_failed(f->link));
  expect_reason(f, words);
}

static void test_unknown_header(void **state) {
  struct text text = {0};
  put_header(&text, "HELLO");
  expect_closed(*state, &text, "unknown header \"HELLO       \"");
}

static void test_number_of_atoms(void **state) {
  struct text text = {0};
  put_posdata(&text, cell, 3, cell);
  expect_closed(*state, &text, "POSDATA of 3 atoms, where 2 are known");
}

static void test_unknown_element(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  assert_true(species_renumber(&f->spec.species, (const int32_t[]){14, 8}));
  put_posdata(&text, cell, 2, positions);
  expect_closed(f, &text, "atom 1 has the number 8");
}

static void test_unknown_model(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  strcpy(f->spec.model, "gold");
  put_posdata(&text, cell, 2, positions);
  expect_closed(f, &text, "\"gold\"");
}

static void test_silence(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  f->served.config.request_timeout_ms = 30;
  text_puts(&text, "STAT");
  expect_closed(f, &text, "silent in the middle of a message");
}

/* The answers that it does not take are followed by a structure. */
static void test_answers_that_are_not_taken(void **state) {
  enum { N_ATOMS = 500 };
  static const double far[3 * N_ATOMS];
  static int32_t silicon[N_ATOMS];
  struct fixture *f = *state;
  struct text text = {0};
  char greeting[20];
  const int32_t n_atoms = N_ATOMS;
  for (size_t i = 0; i < N_ATOMS; i++)
    silicon[i] = 14;
  f->served.config.request_timeout_ms = 50;
  f->spec.protocol = &protocol_mdi;
  open_both(f);
  put_greeting(&text);
  put_command(&text, ">NATOMS");
  put_mdi(&text, 1, 1, &n_atoms, sizeof n_atoms);
  put_command(&text, ">ELEMENTS");
  put_mdi(&text, 1, N_ATOMS, silicon, sizeof silicon);
  put_command(&text, ">COORDS");
  put_mdi(&text, 2, 3 * N_ATOMS, far, sizeof far);
  send_text(f, &text);
  assert_true(peer_receive(&f->peer, greeting, sizeof greeting));
  for (int i = 0; i < 20; i++) {
    for (int k = 0; k < 5; k++)
      put_command(&text, "<COORDS");
    put_command(&text, ">CELL");
    put_mdi(&text, 2, 9, far, 9 * sizeof *far);
    put_command(&text, "<ENERGY");
  }
  send_text(f, &text);
  wait_for_state(f, LINK_CLOSED);
  expect_reason(f, "does not take its answer");
}

/* Between messages a driver may be silent for as long as it likes. */
static void test_patience(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  f->served.config.request_timeout_ms = 5;
  open_both(f);
  for (int i = 0; i < 3; i++) {
    for (int k = 0; k < 100; k++)
      peer_turn(&f->peer, time(NULL));
    put_header(&text, "STATUS");
    send_text(f, &text);
    expect_header(f, "NEEDINIT    ");
  }
  assert_int_equal(link_state(f->link), LINK_CONNECTED);
}

/* The structures of a driver that has gone are not computed. */
static void test_gone_while_computing(void **state) {
  struct fixture *f = *state;
  open_both(f);
  atomic_store(&f->served.model->hold, 1);
  send_structure(f);
  for (const time_t begun = time(NULL); !link_is_computing(f->link);)
    assert_true(peer_turn(&f->peer, begun));
  peer_hang_up(&f->peer);
  wait_for_state(f, LINK_CLOSED);
  expect_reason(f, "while its structures were computed");
  assert_true(fake_served_metric(&f->served,
                                 "irrepd_requests_cancelled_total{reason=\"disconnect\"}") == 1);
}

static void test_gone_in_a_message(void **state) {
  struct fixture *f = *state;
  open_both(f);
  assert_true(peer_send(&f->peer, "POSDATA     ", 12));
  peer_hang_up(&f->peer);
  wait_for_state(f, LINK_CLOSED);
  expect_reason(f, "in the middle of a message");
}

/* One that reconnects does so, also when nobody has listened for a while. */
static void test_again(void **state) {
  struct fixture *f = *state;
  f->spec.reconnects = true;
  open_both(f);
  send_structure(f);
  expect_answer(f);
  peer_hang_up(&f->peer);
  wait_for_state(f, LINK_WAITING);
  assert_true(peer_accept(&f->peer));
  wait_for_state(f, LINK_CONNECTED);
  send_structure(f);
  expect_answer(f);
  peer_hang_up(&f->peer);
  peer_stop_listening(&f->peer);
  for (const time_t begun = time(NULL); !strstr(link_reason(f->link), "no such file");)
    assert_true(peer_turn(&f->peer, begun));
  wait_for_state(f, LINK_WAITING);
  assert_int_equal(link_structures(f->link), 2);
}

/* A program that does not come, or goes without a structure, is asked again after pauses that grow;
 * one that had its numbers, after a short one. */
static void test_pauses(void **state) {
  struct fixture *f = *state;
  f->spec.reconnects = true;
  open_both(f);
  assert_int_equal(link_pause_ms(f->link), 0);
  peer_hang_up(&f->peer);
  wait_for_state(f, LINK_WAITING);
  assert_int_equal(link_pause_ms(f->link), 100);
  peer_stop_listening(&f->peer);
  for (const time_t begun = time(NULL); link_pause_ms(f->link) < 400;)
    assert_true(peer_turn(&f->peer, begun));
  assert_int_equal(link_pause_ms(f->link), 400);
  assert_true(peer_listen(&f->peer, &f->served.loop, true));
  f->spec.address = f->peer.address;
  assert_true(peer_accept(&f->peer));
  wait_for_state(f, LINK_CONNECTED);
  peer_hang_up(&f->peer);
  wait_for_state(f, LINK_WAITING);
  assert_int_equal(link_pause_ms(f->link), 800);
  assert_true(peer_accept(&f->peer));
  wait_for_state(f, LINK_CONNECTED);
  send_structure(f);
  expect_answer(f);
  peer_hang_up(&f->peer);
  wait_for_state(f, LINK_WAITING);
  assert_int_equal(link_pause_ms(f->link), 100);
}

static void on_other(void *context, const struct problem *problem,
                     const struct irrep_result *results, const double *dispersion_energies,
                     const struct deviation *deviations) {
  (void)dispersion_energies, (void)deviations;
  (void)results;
  assert_null(problem);
  ++*(size_t *)context;
}

/* One structure of somebody else, which waits or is computed. */
static void occupy(struct fixture *f, size_t *n_done) {
  struct request request = {0};
  assert_true(request_make_items(&request, 1));
  int32_t *number = request_alloc(&request, 1, sizeof *number);
  double *position = request_alloc(&request, 3, sizeof *position);
  *number = 14;
  request.items->structure.n_atoms = 1;
  request.items->structure.numbers = number;
  request.items->structure.positions = position;
  const struct predict_submission submission = {
      .model = FAKE_MODEL, .request = &request, .submitted = on_other, .context = n_done};
  assert_non_null(predict_submit(f->served.predictor, &submission));
  for (int i = 0; i < 50; i++)
    peer_turn(&f->peer, time(NULL));
}

/* A queue that is full now is waited for. */
static void test_full_queue(void **state) {
  struct fixture *f = *state;
  size_t n_done = 0;
  f->served.config.max_queue = 1;
  predictor_limits_changed(f->served.predictor);
  open_both(f);
  atomic_store(&f->served.model->hold, 1);
  for (int i = 0; i < 3; i++)
    occupy(f, &n_done);
  assert_int_equal(predictor_stats(f->served.predictor).queued_structures, 1);
  send_structure(f);
  for (int i = 0; i < 100; i++)
    peer_turn(&f->peer, time(NULL));
  assert_true(link_is_computing(f->link));
  assert_int_equal(predictor_stats(f->served.predictor).queued_structures, 1);
  atomic_store(&f->served.model->hold, 0);
  expect_answer(f);
  assert_int_equal(n_done, 3);
}

/* One that can never take all of a batch is not. */
static void test_more_than_the_queue_holds(void **state) {
  struct fixture *f = *state;
  f->served.config.max_queue = 1;
  predictor_limits_changed(f->served.predictor);
  open_both(f);
  struct text text = {0};
  put_init(&text, 0, "batch_size : 2", 14);
  send_text(f, &text);
  put_header(&text, "POSDATA");
  put_int(&text, 2);
  for (int i = 0; i < 4; i++)
    put_numbers(&text, cell, 9);
  for (int i = 0; i < 2; i++)
    put_numbers(&text, positions, 6);
  send_text(f, &text);
  assert_true(peer_ended(&f->peer));
  expect_reason(f, "more structures than the queue holds");
}

static void test_drain_of_idle(void **state) {
  struct fixture *f = *state;
  f->spec.reconnects = true;
  open_both(f);
  link_drain(f->link);
  assert_int_equal(link_state(f->link), LINK_CLOSED);
  assert_true(peer_ended(&f->peer));
}

static void test_drain_of_waiting(void **state) {
  struct fixture *f = *state;
  f->spec.reconnects = true;
  start_link(f);
  link_drain(f->link);
  assert_int_equal(link_state(f->link), LINK_CLOSED);
}

/* What has been asked for is still handed over. */
static void test_drain_while_computing(void **state) {
  struct fixture *f = *state;
  struct text text = {0};
  f->spec.reconnects = true;
  open_both(f);
  atomic_store(&f->served.model->hold, 1);
  put_posdata(&text, cell, 2, positions);
  put_header(&text, "STATUS");
  send_text(f, &text);
  for (const time_t begun = time(NULL); !link_is_computing(f->link);)
    assert_true(peer_turn(&f->peer, begun));
  link_drain(f->link);
  atomic_store(&f->served.model->hold, 0);
  expect_header(f, "HAVEDATA    ");
  assert_int_equal(link_state(f->link), LINK_CONNECTED);
  put_header(&text, "GETFORCE");
  send_text(f, &text);
  expect_answer(f);
  assert_true(peer_ended(&f->peer));
  assert_int_equal(link_state(f->link), LINK_CLOSED);
}

static void test_close_while_computing(void **state) {
  struct fixture *f = *state;
  open_both(f);
  atomic_store(&f->served.model->hold, 1);
  send_structure(f);
  for (const time_t begun = time(NULL); !link_is_computing(f->link);)
    assert_true(peer_turn(&f->peer, begun));
  link_close(f->link);
  assert_int_equal(link_state(f->link), LINK_CLOSED);
  assert_true(peer_ended(&f->peer));
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_steps),
      TEST(test_one_byte_at_a_time),
      TEST(test_exit),
      TEST(test_status_while_computing),
      TEST(test_unknown_header),
      TEST(test_number_of_atoms),
      TEST(test_unknown_element),
      TEST(test_unknown_model),
      TEST(test_silence),
      TEST(test_answers_that_are_not_taken),
      TEST(test_patience),
      TEST(test_gone_while_computing),
      TEST(test_gone_in_a_message),
      TEST(test_again),
      TEST(test_pauses),
      TEST(test_full_queue),
      TEST(test_more_than_the_queue_holds),
      TEST(test_drain_of_idle),
      TEST(test_drain_of_waiting),
      TEST(test_drain_while_computing),
      TEST(test_close_while_computing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
