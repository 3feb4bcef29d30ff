#include "irrep/model.h"
#include "tests/unit/plans.h"
#include "tests/unit/support_model.h"

static const struct tiny_choices plain = {.l_max = 1, .layers = {"3x0e+2x1e", "4x0e"}};

static void test_plan_counts(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster c = cluster_new(8, true);
  struct irrep_structure s = structure_of(&c);
  struct irrep_plan plan = IRREP_PLAN_INIT;
  assert_int_equal(irrep_model_plan(model, &s, SIZE_MAX, &plan, NULL), IRREP_OK);
  assert_int_equal(plan.n_structures, 1);
  assert_int_equal(plan.n_atoms, 8);
  /* A sphere of 3.2 A about each atom holds some of the 8 atoms of each of the 30 A^3 cells. */
  assert_true(plan.n_edges > 8 * 20 && plan.n_edges < 8 * 60 && plan.n_edges % 2 == 0);
  const size_t n_edges = plan.n_edges;
  assert_int_equal(irrep_model_plan(model, &s, n_edges, &plan, NULL), IRREP_OK);
  struct irrep_error error = {0};
  assert_int_equal(irrep_model_plan(model, &s, n_edges - 1, &plan, &error), IRREP_TOO_LARGE);
  assert_int_equal(error.status, IRREP_TOO_LARGE);
  cluster_evaluate(model, &c, IRREP_FLOAT64, false);
  assert_int_equal(c.result.n_edges, n_edges);
  irrep_model_free(model);
}

static void assert_plan_refuses(const struct irrep_model *model, const struct cluster *c,
                                enum irrep_status status, const char *field) {
  const struct irrep_structure s = structure_of(c);
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_error error = {0};
  assert_int_equal(irrep_model_plan(model, &s, SIZE_MAX, &plan, &error), status);
  assert_string_equal(error.field, field);
  assert_int_equal(irrep_model_plan(model, &s, SIZE_MAX, &plan, NULL), status);
}

static void test_plan_refuses(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster c = cluster_new(4, true);
  c.numbers[2] = 6;
  assert_plan_refuses(model, &c, IRREP_UNKNOWN_ELEMENT, "numbers/2");
  c = cluster_new(4, true);
  c.positions[5] = NAN;
  assert_plan_refuses(model, &c, IRREP_NOT_FINITE, "positions/1/2");
  c = cluster_new(4, true);
  memcpy(c.cell[2], c.cell[1], sizeof c.cell[2]);
  assert_plan_refuses(model, &c, IRREP_SINGULAR_CELL, "cell");
  c = cluster_new(0, false);
  assert_plan_refuses(model, &c, IRREP_NO_ATOMS, "numbers");
  irrep_model_free(model);
}

/* Monotonic in every field, and SIZE_MAX where it overflows. */
static void test_bytes(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  for (int p = 0; p < 2; p++) {
    const enum irrep_precision precision = p ? IRREP_FLOAT64 : IRREP_FLOAT32;
    size_t before = 0;
    for (size_t n = 0; n < 5000; n += 41) {
      const struct irrep_plan plans[] = {PLAN(n, n, n), PLAN(n + 1, n, n), PLAN(n, n + 1, n),
                                         PLAN(n, n, n + 1)};
      const size_t bytes = irrep_model_bytes(model, precision, &plans[0]);
      assert_true(bytes >= before);
      for (size_t i = 1; i < 4; i++)
        assert_true(irrep_model_bytes(model, precision, &plans[i]) >= bytes);
      before = bytes;
    }
    const struct irrep_plan huge[] = {PLAN(SIZE_MAX, 1, 1), PLAN(1, SIZE_MAX, 1),
                                      PLAN(1, 1, SIZE_MAX), PLAN(1, SIZE_MAX / 100, 1),
                                      PLAN(1, 1, SIZE_MAX / 30)};
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
      assert_true(irrep_model_bytes(model, precision, &huge[i]) == SIZE_MAX);
  }
  irrep_model_free(model);
}

/* In an arena that is smaller than planned, evaluation says so; it does not blame a structure. */
static void assert_arenas_too_small(const struct irrep_model *model,
                                    const struct irrep_structure *s) {
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = IRREP_FLOAT64};
  struct irrep_plan plan = IRREP_PLAN_INIT;
  irrep_model_plan(model, s, SIZE_MAX, &plan, NULL);
  const size_t enough = irrep_model_bytes(model, IRREP_FLOAT64, &plan);
  for (size_t bytes = 0; bytes < enough; bytes += 640 + bytes / 3) {
    struct irrep_error error = {0};
    void *arena = aligned_new(bytes);
    struct irrep_result result = IRREP_RESULT_INIT;
    const enum irrep_status status =
        irrep_model_evaluate(model, &options, s, 1, arena, bytes, &result, &error);
    if (status != IRREP_NO_MEMORY || error.status != IRREP_NO_MEMORY)
      fail_msg("%zu of %zu bytes: %s", bytes, enough, irrep_status_name(status));
    free(arena);
  }
}

static void test_small_arenas(void **state) {
  (void)state;
  enum { many = 8000 };
  struct irrep_model *model = plain_model();
  struct cluster c = cluster_new(8, true);
  const struct irrep_structure few = structure_of(&c);
  assert_arenas_too_small(model, &few);
  /* Atoms far apart: the neighbour list's scratch is the largest part. */
  int32_t *numbers = aligned_new(many * sizeof *numbers);
  double *positions = doubles_new(3 * (size_t)many);
  for (size_t i = 0; i < many; i++) {
    numbers[i] = 1;
    positions[3 * i] = 10.0 * (double)i;
  }
  const struct irrep_structure s = {.struct_size = sizeof(struct irrep_structure),
                                    .n_atoms = many,
                                    .numbers = numbers,
                                    .positions = positions};
  assert_arenas_too_small(model, &s);
  free(numbers);
  free(positions);
  irrep_model_free(model);
}

static void test_bad_arguments(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster c = cluster_new(2, false);
  const struct irrep_structure s = structure_of(&c);
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = IRREP_FLOAT64};
  struct irrep_error error = {0};
  unsigned char *arena = aligned_new(1 << 20);
  assert_int_equal(
      irrep_model_evaluate(model, &options, &s, 1, arena + 32, (1 << 20) - 32, &c.result, &error),
      IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "arena");
  assert_int_equal(irrep_model_evaluate(model, &options, &s, 1, NULL, 0, &c.result, &error),
                   IRREP_NO_MEMORY);
  free(arena);
  irrep_model_free(model);
}

/* Structures of a batch, the bad ones with the status that plan gives them, have their own bits. */
static void check_batch(enum irrep_precision precision) {
  struct irrep_model *model = plain_model();
  enum { n = 6 };
  struct cluster c[n] = {cluster_new(5, true),  cluster_new(1, false), cluster_new(4, true),
                         cluster_new(8, false), cluster_new(3, true),  cluster_new(7, true)};
  struct irrep_structure s[n];
  struct irrep_result results[n];
  double energies[n][CLUSTER_MAX], forces[n][3 * CLUSTER_MAX];
  c[2].numbers[1] = 6;
  c[4].positions[1] = INFINITY;
  for (size_t i = 0; i < n; i++) {
    s[i] = structure_of(&c[i]);
    results[i] = (struct irrep_result){
        .struct_size = sizeof(struct irrep_result), .energies = energies[i], .forces = forces[i]};
  }
  const size_t bytes = 1 << 20;
  void *arena = aligned_new(bytes);
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = precision};
  assert_int_equal(irrep_model_evaluate(model, &options, s, n, arena, bytes, results, NULL),
                   IRREP_OK);
  free(arena);
  for (size_t i = 0; i < n; i++) {
    const enum irrep_status expected = i == 2   ? IRREP_UNKNOWN_ELEMENT
                                       : i == 4 ? IRREP_NOT_FINITE
                                                : IRREP_OK;
    assert_int_equal(results[i].status, expected);
    if (expected != IRREP_OK)
      continue;
    cluster_evaluate(model, &c[i], precision, false);
    assert_memory_equal(&results[i].energy, &c[i].result.energy, sizeof(double));
    assert_memory_equal(energies[i], c[i].energies, c[i].n_atoms * sizeof(double));
    assert_memory_equal(forces[i], c[i].forces, 3 * c[i].n_atoms * sizeof(double));
    assert_memory_equal(results[i].virial, c[i].result.virial, sizeof results[i].virial);
    assert_int_equal(results[i].has_stress, c[i].periodic);
  }
  irrep_model_free(model);
}

static void test_no_such_precision(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  const enum irrep_precision half = (enum irrep_precision)2;
  const struct irrep_plan plan = PLAN(1, 2, 2);
  assert_true(irrep_model_bytes(model, half, &plan) == SIZE_MAX);
  assert_true(irrep_model_helper_bytes(model, half) == SIZE_MAX);
  irrep_model_free(model);
}

/* A program of another version: its structs are longer, and its options end early. */
struct later_structure {
  struct irrep_structure known;
  const double *charges;
};

struct later_result {
  struct irrep_result known;
  double *dipoles;
};

static void test_other_versions(void **state) {
  (void)state;
  enum { n = 3 };
  struct irrep_model *model = plain_model();
  struct cluster c[n];
  struct later_structure s[n] = {0};
  struct later_result results[n] = {0};
  double expected[n], forces[n][3 * CLUSTER_MAX], unknown = 1.0;
  struct irrep_plan sum = IRREP_PLAN_INIT;
  for (size_t i = 0; i < n; i++) {
    c[i] = cluster_new(3 + i, i == 1);
    expected[i] = cluster_evaluate(model, &c[i], IRREP_FLOAT64, false);
    s[i].known = structure_of(&c[i]);
    s[i].known.struct_size = sizeof s[i];
    results[i].known.struct_size = sizeof results[i];
    results[i].known.forces = forces[i];
    struct irrep_plan plan = IRREP_PLAN_INIT;
    assert_int_equal(irrep_model_plan(model, &s[i].known, SIZE_MAX, &plan, NULL), IRREP_OK);
    sum.n_structures++;
    sum.n_atoms += plan.n_atoms;
    sum.n_edges += plan.n_edges;
  }
  struct irrep_evaluate_options options;
  memset(&options, 0xff, sizeof options);
  options.struct_size = offsetof(struct irrep_evaluate_options, plain_kernels) + sizeof(bool);
  options.precision = IRREP_FLOAT64;
  options.exact_filters = options.plain_kernels = false;
  const size_t bytes = irrep_model_bytes(model, IRREP_FLOAT64, &sum);
  void *arena = aligned_new(bytes);
  struct irrep_error error = {0};
  assert_int_equal(irrep_model_evaluate(model, &options, &s[0].known, n, arena, bytes,
                                        &results[0].known, &error),
                   IRREP_OK);
  for (size_t i = 0; i < n; i++) {
    assert_true(results[i].known.status == IRREP_OK && results[i].known.energy == expected[i]);
    assert_memory_equal(forces[i], c[i].forces, 3 * (3 + i) * sizeof(double));
    assert_null(results[i].dipoles);
  }
  /* What this version does not know is not passed over in silence. */
  results[2].dipoles = &unknown;
  assert_int_equal(irrep_model_evaluate(model, &options, &s[0].known, n, arena, bytes,
                                        &results[0].known, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "struct_size");
  results[2].dipoles = NULL;
  s[1].charges = &unknown;
  assert_int_equal(irrep_model_evaluate(model, &options, &s[0].known, n, arena, bytes,
                                        &results[0].known, &error),
                   IRREP_BAD_ARGUMENT);
  struct irrep_plan plan = IRREP_PLAN_INIT, no_size = {0};
  assert_int_equal(irrep_model_plan(model, &s[1].known, SIZE_MAX, &plan, &error),
                   IRREP_BAD_ARGUMENT);
  assert_int_equal(irrep_model_plan(model, &s[0].known, SIZE_MAX, &no_size, &error),
                   IRREP_BAD_ARGUMENT);
  assert_true(irrep_model_bytes(model, IRREP_FLOAT64, &no_size) == SIZE_MAX);
  free(arena);
  irrep_model_free(model);
}

static void test_batch_gives_the_bits_of_each_alone(void **state) {
  (void)state;
  check_batch(IRREP_FLOAT32);
  check_batch(IRREP_FLOAT64);
}

#define N_GRAPHS 5
#define UNKNOWN 2 /* of an element that the model does not know */

/* Clusters, their graphs and what these give. */
struct graphs {
  struct irrep_model *model;
  enum irrep_precision precision;
  struct cluster clusters[N_GRAPHS];
  struct irrep_graph *graphs[N_GRAPHS];
  struct irrep_result results[N_GRAPHS];
  double energies[N_GRAPHS][CLUSTER_MAX], forces[N_GRAPHS][3 * CLUSTER_MAX];
  struct irrep_plan sum;
};

/* Plans are the same by way of the structure and of the graph. */
static void plan_graph(struct graphs *g, size_t i) {
  const struct irrep_structure s = structure_of(&g->clusters[i]);
  struct irrep_plan plan = IRREP_PLAN_INIT, again = IRREP_PLAN_INIT;
  g->results[i] = (struct irrep_result){.struct_size = sizeof(struct irrep_result),
                                        .energies = g->energies[i],
                                        .forces = g->forces[i]};
  g->sum.n_structures++;
  const enum irrep_status status =
      irrep_model_graph(g->model, &s, SIZE_MAX, SIZE_MAX, &plan, &g->graphs[i], NULL);
  if (i == UNKNOWN) {
    assert_int_equal(status, IRREP_UNKNOWN_ELEMENT);
    assert_null(g->graphs[i]);
    assert_int_equal(
        irrep_graph_build(&s, irrep_model_card(g->model)->r_max, 0, SIZE_MAX, &g->graphs[i], NULL),
        IRREP_OK);
    return;
  }
  assert_int_equal(status, IRREP_OK);
  assert_int_equal(irrep_model_plan(g->model, &s, SIZE_MAX, &again, NULL), IRREP_OK);
  assert_memory_equal(&plan, &again, sizeof plan);
  again = (struct irrep_plan)IRREP_PLAN_INIT;
  assert_int_equal(irrep_graph_plan(g->graphs[i], &again, NULL), IRREP_OK);
  assert_memory_equal(&plan, &again, sizeof plan);
  g->sum.n_atoms += plan.n_atoms;
  g->sum.n_edges += plan.n_edges;
}

/* Compares what a graph has given with its structure evaluated alone, and forgets it. */
static void check_graph(struct graphs *g, size_t i) {
  struct cluster *c = &g->clusters[i];
  const struct irrep_result *result = &g->results[i];
  if (i == UNKNOWN) {
    assert_int_equal(result->status, IRREP_UNKNOWN_ELEMENT);
    return;
  }
  cluster_evaluate(g->model, c, g->precision, false);
  assert_int_equal(result->status, IRREP_OK);
  assert_int_equal(result->n_edges, c->result.n_edges);
  assert_memory_equal(&result->energy, &c->result.energy, sizeof(double));
  assert_memory_equal(g->energies[i], c->energies, c->n_atoms * sizeof(double));
  assert_memory_equal(g->forces[i], c->forces, 3 * c->n_atoms * sizeof(double));
  assert_memory_equal(result->virial, c->result.virial, sizeof result->virial);
  assert_memory_equal(result->stress, c->result.stress, sizeof result->stress);
  assert_int_equal(result->has_stress, c->periodic);
  memset(g->energies[i], 0, sizeof g->energies[i]);
  memset(g->forces[i], 0, sizeof g->forces[i]);
}

/* Graphs, one of which has an element that the model does not know, together and alone. */
static void check_graphs(enum irrep_precision precision) {
  struct graphs g = {
      .model = plain_model(),
      .precision = precision,
      .clusters = {cluster_new(5, true), cluster_new(1, false), cluster_new(4, true),
                   cluster_new(8, false), cluster_new(7, true)},
      .sum = IRREP_PLAN_INIT,
  };
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = precision};
  g.clusters[UNKNOWN].numbers[1] = 6;
  for (size_t i = 0; i < N_GRAPHS; i++)
    plan_graph(&g, i);
  const struct irrep_graph *const *all = (const struct irrep_graph *const *)g.graphs;
  const size_t bytes = irrep_model_bytes(g.model, precision, &g.sum);
  void *arena = aligned_new(bytes);
  for (size_t alone = 0; alone < 2; alone++)
    for (size_t i = 0; i < (alone ? N_GRAPHS : 1); i++) {
      const size_t n = alone ? 1 : N_GRAPHS;
      memset(arena, 0xff, bytes);
      assert_int_equal(irrep_model_evaluate_graphs(g.model, &options, all + i, n, arena, bytes,
                                                   g.results + i, NULL),
                       IRREP_OK);
      for (size_t k = i; k < i + n; k++)
        check_graph(&g, k);
    }
  free(arena);
  for (size_t i = 0; i < N_GRAPHS; i++)
    irrep_graph_free(g.graphs[i]);
  irrep_model_free(g.model);
}

static void test_graphs_give_the_bits_of_structures(void **state) {
  (void)state;
  check_graphs(IRREP_FLOAT32);
  check_graphs(IRREP_FLOAT64);
}

static void test_graphs_that_do_not_fit(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster c = cluster_new(8, true);
  const struct irrep_structure s = structure_of(&c);
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = IRREP_FLOAT64};
  const double r_max = irrep_model_card(model)->r_max;
  struct irrep_error error = {0};
  struct irrep_graph *graph;
  struct irrep_plan plan = IRREP_PLAN_INIT;
  /* Too many bytes: counted all the same. */
  assert_int_equal(irrep_model_graph(model, &s, SIZE_MAX, 100, &plan, &graph, &error), IRREP_OK);
  assert_null(graph);
  assert_int_equal(plan.n_atoms, 8);
  assert_int_equal(irrep_model_graph(model, &s, plan.n_edges - 1, 100, &plan, &graph, &error),
                   IRREP_TOO_LARGE);
  assert_null(graph);
  /* Another cutoff */
  const double wrong[] = {nextafter(r_max, 0), nextafter(r_max, 100)};
  void *arena = aligned_new(1 << 20);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(irrep_graph_build(&s, wrong[i], 0, SIZE_MAX, &graph, NULL), IRREP_OK);
    const struct irrep_graph *const all[] = {graph};
    assert_int_equal(
        irrep_model_evaluate_graphs(model, &options, all, 1, arena, 1 << 20, &c.result, &error),
        IRREP_BAD_ARGUMENT);
    assert_string_equal(error.field, "graphs");
    irrep_graph_free(graph);
  }
  free(arena);
  /* Small arenas */
  assert_int_equal(irrep_model_graph(model, &s, SIZE_MAX, SIZE_MAX, &plan, &graph, NULL), IRREP_OK);
  const struct irrep_graph *const twice[] = {graph, graph};
  for (size_t bytes = 0; bytes < 100000; bytes += 640 + bytes / 3) {
    arena = aligned_new(bytes);
    struct irrep_result results[2] = {IRREP_RESULT_INIT, IRREP_RESULT_INIT};
    assert_int_equal(
        irrep_model_evaluate_graphs(model, &options, twice, 2, arena, bytes, results, &error),
        IRREP_NO_MEMORY);
    free(arena);
  }
  irrep_graph_free(graph);
  irrep_model_free(model);
}

/* Only what is asked for is written. */
static void test_wanted_results(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster c = cluster_new(6, true);
  const struct irrep_structure s = structure_of(&c);
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = IRREP_FLOAT64};
  const double energy = cluster_evaluate(model, &c, IRREP_FLOAT64, false);
  double sum = 0.0;
  for (size_t i = 0; i < 6; i++)
    sum += c.energies[i];
  assert_true(sum == energy);
  struct irrep_result result = {.struct_size = sizeof(struct irrep_result), .virial = {{7.0}}};
  evaluate_all(model, &options, &s, 1, &result);
  assert_true(result.energy == energy && !result.has_stress && result.virial[0][0] == 7.0);
  struct irrep_result two[2] = {IRREP_RESULT_INIT, IRREP_RESULT_INIT};
  two[1].forces = c.forces;
  const struct irrep_structure both[2] = {s, s};
  evaluate_all(model, &options, both, 2, two);
  assert_true(two[0].energy == energy && !two[0].has_stress);
  assert_true(two[1].energy == energy && two[1].has_stress);
  irrep_model_free(model);
}

static void test_nothing(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = IRREP_FLOAT32};
  evaluate_all(model, &options, NULL, 0, NULL);
  irrep_model_free(model);
}

static bool read_flag(void *flag) {
  return *(const bool *)flag;
}

static void test_cancelled(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster c = cluster_new(6, true);
  const struct irrep_structure s = structure_of(&c);
  bool flag = true;
  const struct irrep_evaluate_options options = {.struct_size =
                                                     sizeof(struct irrep_evaluate_options),
                                                 .precision = IRREP_FLOAT64,
                                                 .cancelled = read_flag,
                                                 .cancel_context = &flag};
  struct irrep_error error = {0};
  const size_t bytes = 1 << 20;
  void *arena = aligned_new(bytes);
  assert_int_equal(irrep_model_evaluate(model, &options, &s, 1, arena, bytes, &c.result, &error),
                   IRREP_CANCELLED);
  assert_int_equal(error.status, IRREP_CANCELLED);
  free(arena);
  irrep_model_free(model);
}

/* Weights so large that the energy overflows: that structure says so, no other does. */
static void test_result_that_is_not_finite(void **state) {
  (void)state;
  struct tiny tiny = tiny_new(&plain);
  struct irrep_model *model;
  writer_find(&tiny.writer, "scale")->values[1] = 1e308; /* oxygen */
  writer_find(&tiny.writer, "readout.0.weight")->values[0] = 1e300;
  assert_int_equal(tiny_load(&tiny, &model, NULL), IRREP_OK);
  struct cluster bad = cluster_new(4, false), good = bad;
  for (size_t i = 0; i < 4; i++)
    good.numbers[i] = 1;
  const struct irrep_structure s[] = {structure_of(&bad), structure_of(&good)};
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof(struct irrep_evaluate_options), .precision = IRREP_FLOAT64};
  struct irrep_result results[2] = {IRREP_RESULT_INIT, IRREP_RESULT_INIT};
  results[0].forces = bad.forces;
  results[1].forces = good.forces;
  evaluate_all(model, &options, s, 2, results);
  assert_int_equal(results[0].status, IRREP_RESULT_NOT_FINITE);
  assert_int_equal(results[1].status, IRREP_OK);
  assert_true(isfinite(results[1].energy));
  irrep_model_free(model);
  tiny_free(&tiny);
}

/* Tables of the filters against the filters: the bound that filter_tables.c promises leaves
 * energies of some eV the same to 1e-8. */
static void test_tables_are_near_the_filters(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster exact = cluster_new(8, true), tabulated = exact;
  cluster_evaluate(model, &exact, IRREP_FLOAT64, true);
  cluster_evaluate(model, &tabulated, IRREP_FLOAT64, false);
  assert_all_close(tabulated.energies, exact.energies, 8, 1e-8, 1e-8);
  assert_all_close(tabulated.forces, exact.forces, 24, 1e-7, 1e-7);
  assert_memory_not_equal(tabulated.forces, exact.forces, sizeof exact.forces);
  irrep_model_free(model);
}

/* In the precision that is not the card's, tables are made when they are first needed: the memory
 * is counted from then on, plans suffice before and after, and the bits are the same. */
static void test_tables_in_the_other_precision(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  const enum irrep_precision own = irrep_model_card(model)->precision;
  const enum irrep_precision other = own == IRREP_FLOAT32 ? IRREP_FLOAT64 : IRREP_FLOAT32;
  const size_t bytes = irrep_model_card(model)->bytes;
  const struct irrep_plan plan = PLAN(1, 100, 1000);
  const size_t planned = irrep_model_bytes(model, other, &plan);
  const size_t helper = irrep_model_helper_bytes(model, other);
  double deviation;
  struct irrep_error error;
  struct cluster exact = cluster_new(8, true), first = exact, second = exact;
  cluster_evaluate(model, &exact, other, true);
  assert_int_equal(irrep_model_self_check(model, other, &deviation, &error), IRREP_OK);
  assert_int_equal(irrep_model_prepare(model, own, &error), IRREP_OK);
  assert_int_equal(irrep_model_resident_bytes(model), bytes);
  cluster_evaluate(model, &first, other, false);
  assert_true(irrep_model_resident_bytes(model) > bytes);
  assert_true(irrep_model_bytes(model, other, &plan) <= planned);
  assert_true(irrep_model_helper_bytes(model, other) <= helper);
  assert_int_equal(irrep_model_prepare(model, other, &error), IRREP_OK);
  cluster_evaluate(model, &second, other, false);
  assert_memory_equal(first.energies, second.energies, sizeof first.energies);
  assert_memory_equal(first.forces, second.forces, sizeof first.forces);
  assert_all_close(first.energies, exact.energies, 8, 1e-5, 1e-5);
  assert_all_close(first.forces, exact.forces, 24, 1e-4, 1e-4);
  assert_memory_not_equal(first.forces, exact.forces, sizeof exact.forces);
  assert_int_equal(irrep_model_card(model)->bytes, bytes);
  assert_int_equal(irrep_model_prepare(model, (enum irrep_precision)2, &error), IRREP_BAD_ARGUMENT);
  irrep_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plan_counts),
      cmocka_unit_test(test_plan_refuses),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_small_arenas),
      cmocka_unit_test(test_bad_arguments),
      cmocka_unit_test(test_no_such_precision),
      cmocka_unit_test(test_other_versions),
      cmocka_unit_test(test_batch_gives_the_bits_of_each_alone),
      cmocka_unit_test(test_graphs_give_the_bits_of_structures),
      cmocka_unit_test(test_graphs_that_do_not_fit),
      cmocka_unit_test(test_wanted_results),
      cmocka_unit_test(test_nothing),
      cmocka_unit_test(test_cancelled),
      cmocka_unit_test(test_result_that_is_not_finite),
      cmocka_unit_test(test_tables_are_near_the_filters),
      cmocka_unit_test(test_tables_in_the_other_precision),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
