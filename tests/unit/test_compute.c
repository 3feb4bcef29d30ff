#include "server/compute/compute.h"
#include "server/compute/profile.h"
#include "tests/unit/fake_evaluator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define N 3

static const int32_t numbers[] = {14, 1, 14};
static const double positions[] = {0.5, 0, 0, 1, 2, 3, 4, 5, 6};
static const double bad_positions[] = {666, 0, 0};

static const struct compute compute = {.evaluator = &fake_evaluator};

/* A batch of three structures of 1, 2 and 3 atoms. */
struct fixture {
  struct loaded_model loaded;
  struct irrep_structure structures[N];
  struct prediction predictions[N];
  struct answer_text texts[2]; /* the first structure is of one request, the others of another */
  struct batch *batch;
  void *arena;
};

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f)
    return -1;
  *state = f;
  f->loaded.model = fake_model();
  f->batch = calloc(1, sizeof *f->batch + N * sizeof(struct entry *));
  f->arena = aligned_alloc(IRREP_ALIGNMENT, 16384);
  if (!f->loaded.model || !f->batch || !f->arena)
    return -1;
  f->batch->model = &f->loaded;
  f->batch->n_entries = N;
  for (size_t i = 0; i < N; i++) {
    f->structures[i] = (struct irrep_structure){.struct_size = sizeof(struct irrep_structure),
                                                .n_atoms = i + 1,
                                                .numbers = numbers,
                                                .positions = positions};
    struct prediction *p = &f->predictions[i];
    *p = (struct prediction){.properties = PROPERTY(ENERGY)};
    p->entry.structure = &f->structures[i];
    p->entry.owner = p;
    p->answer = &f->texts[i > 0];
    p->answer->n_structures++;
    p->answer->n_atoms += i + 1;
    f->batch->entries[i] = &p->entry;
  }
  f->batch->work.arena_bytes = 6 * FAKE_ATOM_BYTES + 8;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  int violations = atomic_load(&f->loaded.model->violations);
  text_fini(&f->texts[0].text);
  text_fini(&f->texts[1].text);
  free(f->batch);
  free(f->arena);
  fake_free(f->loaded.model);
  free(f);
  return violations;
}

static void expect_answer(const struct prediction *p, const char *wanted) {
  assert_int_equal(p->error.status, IRREP_OK);
  assert_true(p->answer_at + p->answer_size <= p->answer->text.size);
  assert_int_equal(p->answer_size, 1 + strlen(wanted));
  const char *element = p->answer->text.bytes + p->answer_at;
  assert_true(element[0] == ',' && memcmp(element + 1, wanted, strlen(wanted)) == 0);
}

/* Structures that want different things share a batch. */
static void test_answers(void **state) {
  struct fixture *f = *state;
  f->predictions[0].properties = PROPERTY(FORCES) | PROPERTY(ENERGIES);
  f->predictions[0].id = "first";
  f->predictions[2].properties = PROPERTY(FORCES);
  compute_batch(f->batch, &compute, f->arena, 16384);
  expect_answer(&f->predictions[0],
                "{\"id\":\"first\",\"status\":\"ok\",\"forces\":[[-0.5,-0,-0]],\"energies\":[14],"
                "\"n_edges\":0}");
  expect_answer(&f->predictions[1], "{\"status\":\"ok\",\"energy\":16.5,\"n_edges\":2}");
  expect_answer(&f->predictions[2],
                "{\"status\":\"ok\",\"forces\":[[-0.5,-0,-0],[-1,-2,-3],[-4,-5,-6]],"
                "\"n_edges\":6}");
  assert_int_equal(f->predictions[2].n_edges, 6);
  assert_int_equal(f->predictions[1].answer_at, 0);
  assert_int_equal(f->predictions[2].answer_at, f->predictions[1].answer_size);
  assert_int_equal(f->texts[0].text.size, f->predictions[0].answer_size);
  assert_true(f->batch->began_ns > 0);
}

/* Who has no memory for a text is told so; the others go on. */
static void test_one_without_a_text(void **state) {
  struct fixture *f = *state;
  f->predictions[0].answer = NULL;
  compute_batch(f->batch, &compute, f->arena, 16384);
  assert_int_equal(f->predictions[0].error.status, IRREP_NO_MEMORY);
  expect_answer(&f->predictions[1], "{\"status\":\"ok\",\"energy\":16.5,\"n_edges\":2}");
}

static void test_one_without_numbers(void **state) {
  struct fixture *f = *state;
  f->structures[0].positions = bad_positions;
  compute_batch(f->batch, &compute, f->arena, 16384);
  assert_int_equal(f->predictions[0].error.status, IRREP_RESULT_NOT_FINITE);
  assert_int_equal(f->texts[0].text.size, 0);
  expect_answer(&f->predictions[1], "{\"status\":\"ok\",\"energy\":16.5,\"n_edges\":2}");
}

/* Graphs are evaluated where each structure has one, and given up in any case. */
static void test_graphs(void **state) {
  struct fixture *f = *state;
  struct graph_store store;
  struct kept_graph kept[N];
  const struct compute keeping = {.evaluator = &fake_evaluator, .graphs = &store};
  graph_store_init(&store, &fake_evaluator, 1 << 20);
  for (size_t n_graphs = N; n_graphs >= N - 1; n_graphs--) {
    struct irrep_plan plan = IRREP_PLAN_INIT;
    memset(kept, 0, sizeof kept);
    for (size_t i = 0; i < N; i++) {
      f->predictions[i].graph = &kept[i];
      if (i < n_graphs)
        assert_int_equal(graph_store_plan(&store, f->loaded.model, &f->structures[i], SIZE_MAX,
                                          &plan, &kept[i], NULL),
                         IRREP_OK);
    }
    compute_batch(f->batch, &keeping, f->arena, 16384);
    for (size_t i = 0; i < N; i++) {
      assert_null(kept[i].graph);
      assert_int_equal(f->predictions[i].n_edges, i * (i + 1));
    }
    assert_int_equal(graph_store_bytes(&store), 0);
    assert_int_equal(atomic_load(&f->loaded.model->by_graphs), 1); /* only of the first batch */
  }
  assert_int_equal(atomic_load(&f->loaded.model->evaluations), 2);
}

/* A model of doubtful kernels is evaluated by plain ones and without tables, and a profile is made
 * when one is wanted. */
static void test_options(void **state) {
  struct fixture *f = *state;
  const struct compute profiling = {.evaluator = &fake_evaluator, .profiles = true};
  compute_batch(f->batch, &compute, f->arena, 16384);
  assert_int_equal(atomic_load(&f->loaded.model->plain), 0);
  assert_int_equal(atomic_load(&f->loaded.model->prepared), 1 << IRREP_FLOAT32);
  assert_null(f->batch->profile);
  f->loaded.plain_kernels = true;
  f->batch->precision = IRREP_FLOAT64;
  f->batch->work.arena_bytes *= 2;
  compute_batch(f->batch, &profiling, f->arena, 16384);
  assert_int_equal(atomic_load(&f->loaded.model->plain), 1);
  assert_int_equal(atomic_load(&f->loaded.model->prepared), 1 << IRREP_FLOAT32);
  assert_non_null(f->batch->profile);
  profile_free(f->batch->profile);
}

static void expect_all(const struct fixture *f, enum irrep_status status) {
  for (size_t i = 0; i < N; i++) {
    assert_int_equal(f->predictions[i].error.status, status);
    assert_int_equal(f->predictions[i].answer->text.size, 0);
  }
}

/* Without the arena that was planned nothing is evaluated. */
static void test_no_arena(void **state) {
  struct fixture *f = *state;
  compute_batch(f->batch, &compute, NULL, 0);
  expect_all(f, IRREP_NO_MEMORY);
  assert_int_equal(atomic_load(&f->loaded.model->evaluations), 0);
}

static enum irrep_status prepare_without_memory(const struct irrep_model *model,
                                                enum irrep_precision precision,
                                                struct irrep_error *error) {
  (void)model, (void)precision;
  return irrep_fail(error, IRREP_NO_MEMORY, "", "no memory for tables");
}

static void test_no_memory_for_tables(void **state) {
  struct fixture *f = *state;
  struct evaluator evaluator = fake_evaluator;
  evaluator.prepare = prepare_without_memory;
  const struct compute failing = {.evaluator = &evaluator};
  compute_batch(f->batch, &failing, f->arena, 16384);
  expect_all(f, IRREP_NO_MEMORY);
  assert_string_equal(f->predictions[0].error.detail, "no memory for tables");
  assert_int_equal(atomic_load(&f->loaded.model->evaluations), 0);
}

static void test_cancelled(void **state) {
  struct fixture *f = *state;
  atomic_store(&f->batch->cancelled, true);
  compute_batch(f->batch, &compute, f->arena, 16384);
  expect_all(f, IRREP_CANCELLED);
}

/* What evaluate says of the batch is said of each structure. */
static void test_failed_batch(void **state) {
  struct fixture *f = *state;
  f->batch->work.arena_bytes = 100;
  compute_batch(f->batch, &compute, f->arena, 100);
  expect_all(f, IRREP_NO_MEMORY);
  assert_string_equal(f->predictions[1].error.detail, "the arena is too small");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(test_answers),
      TEST(test_one_without_numbers),
      TEST(test_one_without_a_text),
      TEST(test_no_arena),
      TEST(test_no_memory_for_tables),
      TEST(test_cancelled),
      TEST(test_failed_batch),
      TEST(test_options),
      TEST(test_graphs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
