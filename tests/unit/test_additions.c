#include "core/api/additions.h"
#include "core/nn/pair_repulsion.h"
#include "core/terms/repulsion.h"
#include "tests/unit/support_model.h"

/* Two kinds of terms: repulsion, over a graph of a cutoff of its own, and springs between all atoms
 * of a structure, which is not periodic to them. */

#define REPULSION_CUTOFF 2.9

static struct species_map map_of(bool with_oxygen) {
  struct species_map map;
  memset(map.of, -1, sizeof map.of);
  map.of[1] = 0;
  map.of[8] = with_oxygen ? 1 : -1;
  return map;
}

static const struct pair_repulsion pair = {.n_species = 2,
                                           .n_terms = 1,
                                           .coefficients = (const double[]){1.0},
                                           .exponents = (const double[]){0.7},
                                           .factor = (const double[]){3.0, 4.0, 4.0, 6.0},
                                           .length = (const double[]){0.6, 0.5, 0.5, 0.4},
                                           .r_max = (const double[]){2.9, 2.5, 2.5, 1.9},
                                           .p = 6.0};

static size_t spring_tasks(const struct term_place *place, size_t pass) {
  (void)pass;
  return place->structure->n_atoms;
}

static void spring_task(const struct term_place *place, size_t pass, size_t i) {
  const double k = *(const double *)place->term->parameters;
  const struct irrep_structure *s = place->structure;
  assert_int_equal(pass, 0);
  ((double *)place->scratch)[i] = k;
  for (size_t j = 0; j < s->n_atoms; j++) {
    double d[3];
    for (size_t a = 0; a < 3; a++)
      d[a] = s->positions[3 * i + a] - s->positions[3 * j + a];
    place->energies[i] += 0.25 * k * dot(3, d, d);
    for (size_t a = 0; a < 3 && place->forces; a++) {
      place->forces[3 * i + a] -= k * d[a];
      for (size_t b = 0; b < 3; b++)
        place->strains[9 * i + 3 * a + b] += 0.5 * k * d[a] * d[b];
    }
  }
}

static size_t spring_bytes(const void *parameters, size_t n_atoms, size_t n_edges) {
  (void)parameters, (void)n_edges;
  return size_mul(n_atoms, sizeof(double));
}

/* Springs that push are refused at the end. */
static enum irrep_status spring_finish(const struct term_place *place) {
  return ((const double *)place->scratch)[0] < 0 ? IRREP_TOO_LARGE : IRREP_OK;
}

static const struct term_kind spring_kind = {.name = "springs",
                                             .n_passes = 1,
                                             .scratch_bytes = spring_bytes,
                                             .n_tasks = spring_tasks,
                                             .task = spring_task,
                                             .finish = spring_finish};

static size_t n_freed;

static void count_free(struct irrep_term *term) {
  (void)term;
  n_freed++;
}

struct fixture {
  struct irrep_model *model;
  struct species_map map, hydrogen;
  double stiffness, pushing;
  struct irrep_term repulsion, springs, broken, narrow;
};

static struct fixture *fixture_new(void) {
  static struct fixture f;
  f = (struct fixture){.model = plain_model(),
                       .map = map_of(true),
                       .hydrogen = map_of(false),
                       .stiffness = 0.3,
                       .pushing = -1.0};
  f.repulsion = (struct irrep_term){{&repulsion_kind, &pair, REPULSION_CUTOFF, &f.map}, count_free};
  f.springs = (struct irrep_term){{&spring_kind, &f.stiffness, 0, &f.map}, count_free};
  f.broken = (struct irrep_term){{&spring_kind, &f.pushing, 0, &f.map}, count_free};
  f.narrow = (struct irrep_term){{&spring_kind, &f.stiffness, 0, &f.hydrogen}, count_free};
  return &f;
}

/* Up to four clusters with what they are to give, and their additions. */
struct batch_of {
  size_t n, n_additions, n_edges[4];
  struct cluster clusters[4];
  double stresses[4][9 * CLUSTER_MAX];
  struct irrep_addition additions[8];
  struct irrep_result results[4];
};

static void add_cluster(struct batch_of *b, size_t n_atoms, bool periodic) {
  b->clusters[b->n++] = cluster_new(n_atoms, periodic);
}

static struct irrep_addition *add(struct batch_of *b, size_t index, const struct irrep_term *term) {
  struct irrep_addition *addition = &b->additions[b->n_additions++];
  *addition = (struct irrep_addition)IRREP_ADDITION_INIT;
  addition->index = index;
  addition->term = term;
  if (term && irrep_term_takes_graph(term)) {
    const struct irrep_structure s = structure_of(&b->clusters[index]);
    struct irrep_graph *graph;
    assert_int_equal(irrep_graph_build(&s, irrep_term_cutoff(term), 0, SIZE_MAX, &graph, NULL),
                     IRREP_OK);
    addition->graph = graph;
  }
  return addition;
}

static void free_graphs(struct batch_of *b) {
  for (size_t i = 0; i < b->n_additions; i++)
    irrep_graph_free((struct irrep_graph *)(uintptr_t)b->additions[i].graph);
}

static size_t bytes_of(const struct fixture *f, const struct batch_of *b) {
  struct irrep_plan sum = IRREP_PLAN_INIT;
  for (size_t s = 0; s < b->n; s++) {
    const struct irrep_structure structure = structure_of(&b->clusters[s]);
    struct irrep_plan plan = IRREP_PLAN_INIT;
    assert_int_equal(irrep_model_plan(f->model, &structure, SIZE_MAX, &plan, NULL), IRREP_OK);
    sum.n_structures++;
    sum.n_atoms += plan.n_atoms;
    sum.n_edges += plan.n_edges;
  }
  size_t bytes = irrep_model_bytes(f->model, IRREP_FLOAT64, &sum);
  for (size_t i = 0; i < b->n_additions; i++) {
    const struct irrep_addition *a = &b->additions[i];
    if (a->term && a->index < b->n)
      bytes += irrep_term_bytes(a->term, b->clusters[a->index].n_atoms,
                                a->graph ? irrep_graph_contents(a->graph)->n_edges : 0);
  }
  return bytes;
}

static enum irrep_status evaluate_in(const struct fixture *f, struct batch_of *b, size_t bytes,
                                     bool gradients, struct irrep_error *error) {
  const struct irrep_evaluate_options options = {.struct_size = sizeof options,
                                                 .precision = IRREP_FLOAT64,
                                                 .additions = b->additions,
                                                 .n_additions = b->n_additions};
  struct irrep_structure structures[4];
  for (size_t s = 0; s < b->n; s++) {
    structures[s] = structure_of(&b->clusters[s]);
    b->results[s] = (struct irrep_result)IRREP_RESULT_INIT;
    b->results[s].energies = b->clusters[s].energies;
    b->results[s].forces = gradients ? b->clusters[s].forces : NULL;
    b->results[s].stresses = gradients ? b->stresses[s] : NULL;
  }
  void *arena = aligned_new(bytes);
  memset(arena, 0xff, bytes);
  const enum irrep_status status =
      irrep_model_evaluate(f->model, &options, structures, b->n, arena, bytes, b->results, error);
  free(arena);
  return status;
}

static void evaluate(const struct fixture *f, struct batch_of *b, bool gradients) {
  struct irrep_error error = {0};
  if (evaluate_in(f, b, bytes_of(f, b), gradients, &error) != IRREP_OK)
    fail_msg("%s: %s", error.field, error.detail);
}

/* One cluster with some of the terms. */
static struct batch_of *alone(const struct fixture *f, size_t n_atoms, bool periodic,
                              bool repulsion, bool springs) {
  struct batch_of *b = aligned_new(sizeof *b);
  memset(b, 0, sizeof *b);
  add_cluster(b, n_atoms, periodic);
  if (repulsion)
    add(b, 0, &f->repulsion);
  if (springs)
    add(b, 0, &f->springs);
  return b;
}

static void batch_free(struct batch_of *b) {
  free_graphs(b);
  free(b);
}

/* Each number of the sum is that of the model, plus those of the terms. */
static void test_adds_up(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  struct batch_of *b[4]; /* none, repulsion, springs, both */
  for (size_t i = 0; i < 4; i++) {
    b[i] = alone(f, 7, true, i & 1, i & 2);
    evaluate(f, b[i], true);
    assert_int_equal(b[i]->results[0].status, IRREP_OK);
    assert_true(b[i]->results[0].has_stress);
    assert_int_equal(b[i]->results[0].n_edges, b[0]->results[0].n_edges);
  }
  const double *const e[] = {b[0]->clusters[0].energies, b[1]->clusters[0].energies,
                             b[2]->clusters[0].energies, b[3]->clusters[0].energies};
  const double repulsion = b[1]->additions[0].energy, springs = b[2]->additions[0].energy;
  assert_true(repulsion > 0.1 && springs > 0.1);
  assert_true(b[3]->additions[0].energy == repulsion && b[3]->additions[1].energy == springs);
  const double total = b[0]->results[0].energy + repulsion + springs;
  assert_true(fabs(b[3]->results[0].energy - total) < 1e-12);
  for (size_t i = 0; i < 7; i++)
    assert_true(fabs(e[3][i] - (e[1][i] + e[2][i] - e[0][i])) < 1e-12);
  for (size_t i = 0; i < 21; i++) {
    const double by_parts =
        b[1]->clusters[0].forces[i] + b[2]->clusters[0].forces[i] - b[0]->clusters[0].forces[i];
    assert_true(fabs(b[3]->clusters[0].forces[i] - by_parts) < 1e-11);
  }
  for (size_t k = 0; k < 9; k++) {
    const struct irrep_result *r = &b[3]->results[0];
    double sum = 0;
    for (size_t i = 0; i < 7; i++)
      sum += b[3]->stresses[0][9 * i + k];
    assert_true(fabs(sum - r->stress[k / 3][k % 3]) < 1e-12);
    const double by_parts = b[1]->results[0].virial[k / 3][k % 3] +
                            b[2]->results[0].virial[k / 3][k % 3] -
                            b[0]->results[0].virial[k / 3][k % 3];
    assert_true(fabs(r->virial[k / 3][k % 3] - by_parts) < 1e-11);
  }
  for (size_t i = 0; i < 4; i++)
    batch_free(b[i]);
  irrep_model_free(f->model);
}

/* Structures of a batch with different terms have the bits that each has alone. */
static void test_batch(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  struct batch_of *all = aligned_new(sizeof *all);
  for (int gradients = 0; gradients < 2; gradients++) {
    memset(all, 0, sizeof *all);
    static const size_t sizes[] = {5, 8, 3, 6};
    for (size_t s = 0; s < 4; s++)
      add_cluster(all, sizes[s], s % 2 == 0);
    add(all, 1, &f->springs);
    add(all, 2, &f->repulsion);
    add(all, 2, &f->springs);
    add(all, 3, &f->repulsion);
    evaluate(f, all, gradients);
    for (size_t s = 0; s < 4; s++) {
      struct batch_of *one = alone(f, sizes[s], s % 2 == 0, s >= 2, s == 1 || s == 2);
      evaluate(f, one, gradients);
      assert_int_equal(all->results[s].status, IRREP_OK);
      assert_true(all->results[s].energy == one->results[0].energy);
      assert_memory_equal(all->clusters[s].energies, one->clusters[0].energies,
                          sizes[s] * sizeof(double));
      if (gradients) {
        assert_memory_equal(all->clusters[s].forces, one->clusters[0].forces,
                            3 * sizes[s] * sizeof(double));
        assert_memory_equal(all->stresses[s], one->stresses[0], 9 * sizes[s] * sizeof(double));
        assert_memory_equal(all->results[s].virial, one->results[0].virial,
                            sizeof one->results[0].virial);
      }
      batch_free(one);
    }
    free_graphs(all);
  }
  free(all);
  irrep_model_free(f->model);
}

struct place {
  const struct fixture *f;
  struct cluster cluster;
};

static double energy_at(const double *positions, void *context) {
  const struct place *place = context;
  struct batch_of *b =
      alone(place->f, place->cluster.n_atoms, place->cluster.periodic, false, true);
  memcpy(b->clusters[0].positions, positions, 3 * place->cluster.n_atoms * sizeof(double));
  add(b, 0, &place->f->repulsion);
  evaluate(place->f, b, false);
  const double energy = b->results[0].energy;
  batch_free(b);
  return energy;
}

static void test_forces_by_finite_differences(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  for (int periodic = 0; periodic < 2; periodic++) {
    struct batch_of *b = alone(f, 6, periodic, true, true);
    struct place place = {f, b->clusters[0]};
    double gradient[18];
    evaluate(f, b, true);
    for (size_t i = 0; i < 18; i++)
      gradient[i] = -b->clusters[0].forces[i];
    assert_gradient(energy_at, &place, 18, b->clusters[0].positions, gradient, 1e-4, 1e-8);
    batch_free(b);
  }
  irrep_model_free(f->model);
}

/* One structure's trouble with a term is its own. */
static void test_refused_by_a_term(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  struct batch_of *b = alone(f, 4, false, false, false), *plain = alone(f, 4, false, false, false);
  for (size_t i = 0; i < 2; i++) {
    add_cluster(b, 4, false);
    add_cluster(plain, 4, false);
  }
  add(b, 0, &f->narrow);  /* which does not know oxygen */
  add(b, 0, &f->springs); /* is left out, too */
  add(b, 1, &f->broken);
  add(b, 2, &f->springs);
  evaluate(f, b, true);
  evaluate(f, plain, true);
  assert_int_equal(b->results[0].status, IRREP_UNKNOWN_ELEMENT);
  assert_int_equal(b->results[1].status, IRREP_TOO_LARGE);
  assert_int_equal(b->results[2].status, IRREP_OK);
  const double sum = plain->results[2].energy + b->additions[3].energy;
  assert_true(b->additions[3].energy > 0 && fabs(b->results[2].energy - sum) < 1e-12);
  batch_free(b);
  batch_free(plain);
  irrep_model_free(f->model);
}

/* What was counted suffices, and less is said to be too little. */
static void test_arena(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  struct batch_of *b = alone(f, 8, true, true, true);
  const size_t enough = bytes_of(f, b);
  for (size_t bytes = 0; bytes < enough; bytes += 256) {
    struct irrep_error error = {0};
    const enum irrep_status status = evaluate_in(f, b, bytes, true, &error);
    if (bytes + irrep_term_bytes(&f->springs, 8, 0) < enough) /* counting has some to spare */
      assert_int_equal(status, IRREP_NO_MEMORY);
    assert_true(status == IRREP_OK || status == IRREP_NO_MEMORY);
  }
  assert_int_equal(evaluate_in(f, b, enough, true, NULL), IRREP_OK);
  assert_true(irrep_term_bytes(&f->springs, SIZE_MAX, 0) == SIZE_MAX);
  assert_true(irrep_term_bytes(&f->repulsion, 1, SIZE_MAX / 4) == SIZE_MAX);
  size_t before = 0;
  for (size_t n = 0; n < 1000; n += 37) {
    const size_t bytes = irrep_term_bytes(&f->repulsion, n, 3 * n);
    assert_true(bytes >= before && irrep_term_bytes(&f->repulsion, n, 3 * n + 9) >= bytes);
    before = bytes;
  }
  batch_free(b);
  irrep_model_free(f->model);
}

static void expect_refusal(const struct fixture *f, struct batch_of *b, const char *field) {
  struct irrep_error error = {0};
  assert_int_equal(evaluate_in(f, b, 1 << 20, true, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, field);
  batch_free(b);
}

static void test_bad_arguments(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  struct batch_of *b = alone(f, 4, true, true, true);
  b->additions[1].term = NULL;
  expect_refusal(f, b, "additions/1");
  b = alone(f, 4, true, true, true);
  b->additions[1].index = 1; /* beyond the batch */
  expect_refusal(f, b, "additions/1");
  b = alone(f, 4, true, false, false);
  add_cluster(b, 4, true);
  add(b, 1, &f->springs);
  add(b, 0, &f->springs); /* out of order */
  expect_refusal(f, b, "additions/1");
  b = alone(f, 4, true, true, false);
  irrep_graph_free((struct irrep_graph *)(uintptr_t)b->additions[0].graph);
  b->additions[0].graph = NULL;
  expect_refusal(f, b, "additions/0");
  b = alone(f, 4, true, true, false);
  f->repulsion.term.cutoff = 2.8;
  expect_refusal(f, b, "additions/0");
  f->repulsion.term.cutoff = REPULSION_CUTOFF;
  b = alone(f, 4, true, true, false);
  b->clusters[0].numbers[1] = 8; /* no longer what the graph has */
  expect_refusal(f, b, "additions/0");
  b = alone(f, 4, true, true, false);
  b->clusters[0].n_atoms = 3;
  expect_refusal(f, b, "additions/0");
  b = alone(f, 4, true, true, false);
  b->additions[0].struct_size = 3;
  expect_refusal(f, b, "struct_size");
  b = alone(f, 4, true, false, true);
  struct cluster other = cluster_new(5, true);
  struct irrep_structure five = structure_of(&other);
  b->additions[0].structure = &five;
  expect_refusal(f, b, "additions/0");
  b = alone(f, 4, true, false, true);
  other = cluster_new(4, true);
  five = structure_of(&other);
  five.struct_size = 1;
  b->additions[0].structure = &five;
  expect_refusal(f, b, "struct_size");
  irrep_model_free(f->model);
}

/* Of graphs: the structure comes with the term, and the terms see what the model sees. */
static enum irrep_status evaluate_graph(const struct fixture *f, const struct irrep_graph *graph,
                                        struct irrep_addition *additions, size_t n,
                                        const struct irrep_exchange *exchange,
                                        struct irrep_result *result, struct irrep_error *error) {
  const struct irrep_evaluate_options options = {.struct_size = sizeof options,
                                                 .precision = IRREP_FLOAT64,
                                                 .exchange = exchange,
                                                 .additions = additions,
                                                 .n_additions = n};
  void *arena = aligned_new(1 << 20);
  const enum irrep_status status =
      irrep_model_evaluate_graphs(f->model, &options, &graph, 1, arena, 1 << 20, result, error);
  free(arena);
  return status;
}

static void test_graphs(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  struct batch_of *b = alone(f, 6, true, true, true);
  const struct irrep_structure s = structure_of(&b->clusters[0]);
  struct irrep_graph *graph;
  struct irrep_plan plan = IRREP_PLAN_INIT;
  double forces[18];
  struct irrep_result result = IRREP_RESULT_INIT;
  struct irrep_error error = {0};
  result.forces = forces;
  evaluate(f, b, true);
  assert_int_equal(irrep_model_graph(f->model, &s, SIZE_MAX, SIZE_MAX, &plan, &graph, NULL),
                   IRREP_OK);
  assert_int_equal(evaluate_graph(f, graph, b->additions, 2, NULL, &result, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "additions/1"); /* springs go by a structure */
  b->additions[1].structure = &s;
  assert_int_equal(evaluate_graph(f, graph, b->additions, 2, NULL, &result, NULL), IRREP_OK);
  assert_true(result.energy == b->results[0].energy);
  assert_memory_equal(forces, b->clusters[0].forces, sizeof forces);
  assert_memory_equal(result.stress, b->results[0].stress, sizeof result.stress);
  /* The term's graph as a part of the model's, whose cutoff is larger. */
  const struct irrep_graph *found = b->additions[0].graph;
  struct irrep_graph *part;
  assert_int_equal(irrep_graph_within(graph, REPULSION_CUTOFF, &part, NULL), IRREP_OK);
  b->additions[0].graph = part;
  assert_int_equal(evaluate_graph(f, graph, b->additions, 2, NULL, &result, NULL), IRREP_OK);
  assert_true(result.energy == b->results[0].energy);
  assert_memory_equal(forces, b->clusters[0].forces, sizeof forces);
  b->additions[0].graph = found;
  irrep_graph_free(part);
  irrep_graph_free(graph);
  batch_free(b);
  irrep_model_free(f->model);
}

static int no_rows(void *context, void *rows, size_t width, size_t real_size, bool forward) {
  (void)rows, (void)width, (void)real_size, (void)forward;
  ++*(size_t *)context;
  return 0;
}

static struct term_rows ask_energies(const struct term_place *place, size_t pass) {
  return pass == 0 ? (struct term_rows){place->energies, 1, true} : (struct term_rows){0};
}

/* A view of a hydrogen atom's edge with a ghost, of a cutoff that is both the model's and the
 * term's. */
static struct irrep_graph *view_of(const int32_t numbers[2]) {
  static const double vectors[] = {0, 0, -1.1};
  static const uint32_t first_edge[] = {0, 1}, senders[] = {1};
  const struct irrep_graph_arrays arrays = {sizeof arrays, 4.0,        1,       2,       1,
                                            numbers,       first_edge, senders, vectors, 0};
  struct irrep_graph *view;
  assert_int_equal(irrep_graph_view(&arrays, &view, NULL), IRREP_OK);
  return view;
}

static const int32_t numbers_of_view[] = {8, 1}, other_numbers[] = {8, 6};

static void test_view(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  struct irrep_graph *view = view_of(numbers_of_view);
  size_t n_calls = 0;
  const struct irrep_exchange exchange = {sizeof exchange, &n_calls, no_rows};
  struct irrep_addition addition = IRREP_ADDITION_INIT;
  double forces[2][6], energy, slope;
  struct irrep_result results[] = {IRREP_RESULT_INIT, IRREP_RESULT_INIT};
  results[0].forces = forces[0];
  results[1].forces = forces[1];
  addition.term = &f->repulsion;
  addition.graph = view;
  assert_int_equal(evaluate_graph(f, view, NULL, 0, &exchange, &results[0], NULL), IRREP_OK);
  const size_t n_before = n_calls;
  assert_int_equal(evaluate_graph(f, view, &addition, 1, &exchange, &results[1], NULL), IRREP_OK);
  assert_int_equal(n_calls, 2 * n_before);
  pair_repulsion(&pair, 1, 0, 1.1, &energy, &slope);
  assert_true(addition.energy == energy && energy > 0);
  assert_true(fabs(results[1].energy - results[0].energy - energy) < 1e-13);
  for (size_t i = 0; i < 2; i++)
    assert_true(fabs(forces[1][3 * i + 2] - forces[0][3 * i + 2] - (i ? -slope : slope)) < 1e-12);
  irrep_graph_free(view);
  irrep_model_free(f->model);
}

/* A kind that exchanges: it is asked for, and the call needs one. */
static void test_view_with_exchanges(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  struct irrep_graph *view = view_of(numbers_of_view);
  size_t n_calls = 0;
  const struct irrep_exchange exchange = {sizeof exchange, &n_calls, no_rows};
  struct irrep_addition addition = IRREP_ADDITION_INIT;
  struct irrep_error error = {0};
  double forces[6];
  struct irrep_result result = IRREP_RESULT_INIT;
  result.forces = forces;
  assert_int_equal(evaluate_graph(f, view, NULL, 0, &exchange, &result, NULL), IRREP_OK);
  const size_t n_before = n_calls;
  const struct term_kind talkative = {.name = "talkative",
                                      .takes_graph = true,
                                      .n_passes = 2,
                                      .n_tasks = repulsion_kind.n_tasks,
                                      .task = repulsion_kind.task,
                                      .exchanged = ask_energies};
  struct irrep_term asking = {{&talkative, &pair, REPULSION_CUTOFF, &f->map}, count_free};
  addition.term = &asking;
  addition.graph = view;
  n_calls = 0;
  assert_int_equal(evaluate_graph(f, view, &addition, 1, &exchange, &result, NULL), IRREP_OK);
  assert_int_equal(n_calls, n_before + 1);
  assert_int_equal(evaluate_graph(f, view, &addition, 1, NULL, &result, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "exchange");
  irrep_graph_free(view);
  irrep_model_free(f->model);
}

/* Refused before anything is exchanged. */
static void test_view_refused(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  struct irrep_graph *view = view_of(numbers_of_view), *strange = view_of(other_numbers);
  size_t n_calls = 0;
  const struct irrep_exchange exchange = {sizeof exchange, &n_calls, no_rows};
  struct irrep_addition addition = IRREP_ADDITION_INIT;
  struct irrep_error error = {0};
  struct irrep_result result = IRREP_RESULT_INIT;
  addition.term = &f->repulsion;
  addition.graph = strange;
  assert_int_equal(evaluate_graph(f, view, &addition, 1, &exchange, &result, &error),
                   IRREP_BAD_ARGUMENT);
  f->repulsion.term.map = &f->hydrogen;
  addition.graph = view;
  assert_int_equal(evaluate_graph(f, view, &addition, 1, &exchange, &result, &error),
                   IRREP_UNKNOWN_ELEMENT);
  assert_string_equal(error.field, "numbers/0");
  assert_int_equal(n_calls, 0);
  irrep_graph_free(view);
  irrep_graph_free(strange);
  irrep_model_free(f->model);
}

static void test_term_calls(void **state) {
  (void)state;
  struct fixture *f = fixture_new();
  n_freed = 0;
  irrep_term_free(&f->springs);
  irrep_term_free(NULL);
  assert_int_equal(n_freed, 1);
  assert_true(irrep_term_takes_graph(&f->repulsion) && !irrep_term_takes_graph(&f->springs));
  assert_true(irrep_term_cutoff(&f->repulsion) == REPULSION_CUTOFF);
  irrep_model_free(f->model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_adds_up),
      cmocka_unit_test(test_batch),
      cmocka_unit_test(test_forces_by_finite_differences),
      cmocka_unit_test(test_refused_by_a_term),
      cmocka_unit_test(test_arena),
      cmocka_unit_test(test_bad_arguments),
      cmocka_unit_test(test_graphs),
      cmocka_unit_test(test_view),
      cmocka_unit_test(test_view_with_exchanges),
      cmocka_unit_test(test_view_refused),
      cmocka_unit_test(test_term_calls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
