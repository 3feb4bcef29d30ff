#include "core/terms/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* A kind of two passes over chains of atoms: the first writes each atom's number of edges into the
 * scratch, the second adds to its energy the numbers of all atoms that it has edges from. The
 * parameter is what they are multiplied by. One task an atom. */
static size_t chain_bytes(const void *parameters, size_t n_atoms, size_t n_edges) {
  (void)parameters, (void)n_edges;
  return n_atoms * sizeof(double);
}

static size_t chain_tasks(const struct term_place *place, size_t pass) {
  (void)pass;
  return place->batch->n_local;
}

static void chain_task(const struct term_place *place, size_t pass, size_t index) {
  const uint32_t *first_edge = place->batch->first_edge;
  double *counts = place->scratch;
  if (pass == 0)
    counts[index] = (double)(first_edge[index + 1] - first_edge[index]);
  for (size_t e = first_edge[index]; pass == 1 && e < first_edge[index + 1]; e++)
    place->energies[index] +=
        *(const double *)place->term->parameters * counts[place->batch->senders[e]];
}

static struct term_rows chain_exchanged(const struct term_place *place, size_t pass) {
  return pass == 1 ? (struct term_rows){place->scratch, 1, true} : (struct term_rows){0};
}

static const struct term_kind chain_kind = {.name = "chain",
                                            .n_passes = 2,
                                            .scratch_bytes = chain_bytes,
                                            .n_tasks = chain_tasks,
                                            .task = chain_task,
                                            .exchanged = chain_exchanged};

/* Another kind, of one pass and one task: it adds 100 to the first atom. */
static size_t one_task(const struct term_place *place, size_t pass) {
  (void)place, (void)pass;
  return 1;
}

static void add_hundred(const struct term_place *place, size_t pass, size_t index) {
  assert_true(pass == 0 && index == 0);
  place->energies[0] += 100.0;
}

static const struct term_kind short_kind = {
    .name = "short", .n_passes = 1, .n_tasks = one_task, .task = add_hundred};

#define ROOM 8

/* A chain of n atoms, each with an edge from its neighbours. */
struct chain {
  struct batch batch;
  uint32_t first_edge[ROOM + 1], senders[2 * ROOM];
  double energies[ROOM], counts[ROOM];
};

static void chain_init(struct chain *chain, uint32_t n) {
  memset(chain, 0, sizeof *chain);
  uint32_t edges = 0;
  for (uint32_t i = 0; i < n; i++) {
    chain->first_edge[i] = edges;
    if (i > 0)
      chain->senders[edges++] = i - 1;
    if (i + 1 < n)
      chain->senders[edges++] = i + 1;
  }
  chain->first_edge[n] = edges;
  chain->batch = (struct batch){.n_structures = 1,
                                .n_atoms = n,
                                .n_local = n,
                                .n_edges = edges,
                                .first_edge = chain->first_edge,
                                .senders = chain->senders};
}

static struct term_place place_in(struct chain *chain, const struct term *term) {
  return (struct term_place){
      .term = term, .batch = &chain->batch, .energies = chain->energies, .scratch = chain->counts};
}

static const double factors[] = {1.0, 10.0};
static const struct term unit = {.kind = &chain_kind, .parameters = &factors[0]};
static const struct term ten = {.kind = &chain_kind, .parameters = &factors[1]};
static const struct term brief = {.kind = &short_kind};

/* Last task first, threads in turn. */
static void run_backwards(void *n_threads, void (*task)(void *context, size_t thread, size_t index),
                          void *context, size_t n_tasks) {
  for (size_t i = n_tasks; i-- > 0;)
    task(context, i % *(size_t *)n_threads, i);
}

/* Terms of several kinds at places of their own, one without tasks among them: each pass is over
 * before the next one begins, in whatever order the tasks are done. */
static void test_places(void **state) {
  (void)state;
  size_t n_threads = 2;
  const struct irrep_team team = {
      .struct_size = sizeof team, .n_helpers = 1, .context = &n_threads, .run = run_backwards};
  const struct crew crews[] = {{0}, {.team = &team}};
  for (size_t k = 0; k < 2; k++) {
    struct chain chains[5];
    struct term_place places[5];
    const struct term *const terms[] = {&unit, &brief, &unit, &ten, &unit};
    const uint32_t sizes[] = {3, 2, 0, 4, 1};
    for (size_t i = 0; i < 5; i++) {
      chain_init(&chains[i], sizes[i]);
      places[i] = place_in(&chains[i], terms[i]);
    }
    assert_true(term_evaluate(places, 5, &crews[k]));
    static const double expected[5][4] = {{2, 2, 2}, {100, 0}, {0}, {20, 30, 30, 20}, {0}};
    for (size_t i = 0; i < 5; i++)
      for (size_t a = 0; a < sizes[i]; a++)
        assert_true(chains[i].energies[a] == expected[i][a]);
  }
}

/* Two terms may share a place's sums: one after the other. */
static void test_one_place_after_another(void **state) {
  (void)state;
  const struct crew crew = {0};
  struct chain chain;
  chain_init(&chain, 2);
  struct term_place first = place_in(&chain, &unit), second = place_in(&chain, &brief);
  assert_true(term_evaluate(&first, 1, &crew));
  assert_true(term_evaluate(&second, 1, &crew));
  assert_true(chain.energies[0] == 101.0 && chain.energies[1] == 1.0);
  assert_true(term_evaluate(NULL, 0, &crew));
}

static void test_scratch_bytes(void **state) {
  (void)state;
  assert_int_equal(term_scratch_bytes(&unit, 5, 9), 5 * sizeof(double));
  assert_int_equal(term_scratch_bytes(&brief, 5, 9), 0);
}

struct asked {
  size_t n_calls, width, real_size;
  const void *rows;
  bool forward;
  int answer;
};

static int exchange_rows(void *context, void *rows, size_t width, size_t real_size, bool forward) {
  struct asked *asked = context;
  *asked = (struct asked){asked->n_calls + 1, width, real_size, rows, forward, asked->answer};
  ((double *)rows)[2] = 50.0; /* the ghost's */
  return asked->answer;
}

/* A ghost's row is another's matter, and comes before the pass that reads it. */
static void test_exchange(void **state) {
  (void)state;
  struct asked asked = {0};
  const struct irrep_exchange exchange = {sizeof exchange, &asked, exchange_rows};
  const struct crew crew = {.exchange = &exchange};
  struct chain chain;
  chain_init(&chain, 3);
  chain.batch.n_local = 2;
  struct term_place place = place_in(&chain, &unit);
  assert_true(term_evaluate(&place, 1, &crew));
  assert_true(asked.n_calls == 1 && asked.width == 1 && asked.real_size == sizeof(double));
  assert_true(asked.forward && asked.rows == chain.counts);
  assert_true(chain.energies[0] == 2.0 && chain.energies[1] == 51.0 && chain.energies[2] == 0.0);
  /* One that fails ends it. */
  chain_init(&chain, 3);
  place = place_in(&chain, &unit);
  asked.answer = 1;
  assert_false(term_evaluate(&place, 1, &crew));
  assert_true(chain.energies[0] == 0.0);
  /* A kind that exchanges nothing does not ask. */
  place = place_in(&chain, &brief);
  assert_true(term_evaluate(&place, 1, &crew));
  assert_int_equal(asked.n_calls, 2);
}

static bool yes(void *context) {
  (void)context;
  return true;
}

/* Tasks are left out; exchanges are not: other processes wait for them. */
static void test_cancelled(void **state) {
  (void)state;
  struct asked asked = {0};
  const struct irrep_exchange exchange = {sizeof exchange, &asked, exchange_rows};
  const struct cancelling cancelling = {yes, NULL};
  const struct crew crew = {.cancelling = &cancelling, .exchange = &exchange};
  struct chain chain;
  chain_init(&chain, 3);
  struct term_place place = place_in(&chain, &unit);
  assert_true(term_evaluate(&place, 1, &crew));
  assert_true(chain.energies[0] == 0.0 && asked.n_calls == 1);
}

static void count_note(void *context, size_t thread, const char *operation, bool adjoint) {
  (void)thread, (void)adjoint;
  *(size_t *)context += operation && strcmp(operation, "chain") == 0;
}

static void test_notes(void **state) {
  (void)state;
  size_t n = 0;
  const struct irrep_profile profile = {
      .struct_size = sizeof profile, .context = &n, .note = count_note};
  const struct crew crew = {.profile = &profile};
  struct chain chain;
  chain_init(&chain, 3);
  struct term_place place = place_in(&chain, &unit);
  assert_true(term_evaluate(&place, 1, &crew));
  assert_int_equal(n, 6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_places),        cmocka_unit_test(test_one_place_after_another),
      cmocka_unit_test(test_scratch_bytes), cmocka_unit_test(test_exchange),
      cmocka_unit_test(test_cancelled),     cmocka_unit_test(test_notes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
