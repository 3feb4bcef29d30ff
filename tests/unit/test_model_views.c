/* Graphs over a caller's list, with ghosts: irrep_graph_view and irrep_model_evaluate_graphs. */
#include "irrep/graph.h"
#include "tests/unit/support_model.h"

#define EDGES_MAX 2000
#define GHOSTS_MAX EDGES_MAX

/* A cluster as a part with ghosts of its own atoms, as one process has under periodic boundaries:
 * each edge for itself has a ghost where it crosses the cell, or where `all`. */
struct part {
  struct irrep_graph_arrays arrays;
  int32_t numbers[CLUSTER_MAX + GHOSTS_MAX];
  size_t owners[GHOSTS_MAX];
  uint32_t first_edge[CLUSTER_MAX + 1], senders[EDGES_MAX];
  double vectors[3 * EDGES_MAX];
  struct irrep_exchange exchange;
  size_t n_forward, n_backward;
  int fails_at; /* the call that fails, from 1 on */
};

static int exchange_rows(void *context, void *rows, size_t width, size_t real_size, bool forward) {
  struct part *part = context;
  *(forward ? &part->n_forward : &part->n_backward) += 1;
  if ((int)(part->n_forward + part->n_backward) == part->fails_at)
    return -1;
  for (size_t g = part->arrays.n_local; g < part->arrays.n_atoms; g++) {
    const size_t owner = part->owners[g - part->arrays.n_local];
    for (size_t k = 0; k < width; k++)
      if (real_size == sizeof(float) && forward)
        ((float *)rows)[g * width + k] = ((float *)rows)[owner * width + k];
      else if (real_size == sizeof(float))
        ((float *)rows)[owner * width + k] += ((float *)rows)[g * width + k];
      else if (forward)
        ((double *)rows)[g * width + k] = ((double *)rows)[owner * width + k];
      else
        ((double *)rows)[owner * width + k] += ((double *)rows)[g * width + k];
  }
  return 0;
}

static void part_init(struct part *part, const struct irrep_model *model, const struct cluster *c,
                      bool all) {
  const struct irrep_structure s = structure_of(c);
  struct irrep_graph *graph;
  struct irrep_plan plan = IRREP_PLAN_INIT;
  *part = (struct part){0};
  assert_int_equal(irrep_model_graph(model, &s, EDGES_MAX, SIZE_MAX, &plan, &graph, NULL),
                   IRREP_OK);
  part->arrays = *irrep_graph_contents(graph);
  memcpy(part->numbers, part->arrays.numbers, c->n_atoms * sizeof *part->numbers);
  memcpy(part->first_edge, part->arrays.first_edge, (c->n_atoms + 1) * sizeof(uint32_t));
  memcpy(part->vectors, part->arrays.vectors, 3 * plan.n_edges * sizeof(double));
  for (size_t i = 0; i < c->n_atoms; i++)
    for (size_t e = part->first_edge[i]; e < part->first_edge[i + 1]; e++) {
      const size_t sender = part->arrays.senders[e];
      bool crosses = false;
      for (size_t k = 0; k < 3; k++)
        crosses = crosses || part->vectors[3 * e + k] !=
                                 c->positions[3 * i + k] - c->positions[3 * sender + k];
      part->senders[e] = (uint32_t)(crosses || all ? part->arrays.n_atoms : sender);
      if (!crosses && !all)
        continue;
      part->owners[part->arrays.n_atoms - c->n_atoms] = sender;
      part->numbers[part->arrays.n_atoms++] = c->numbers[sender];
    }
  irrep_graph_free(graph);
  part->arrays.numbers = part->numbers;
  part->arrays.first_edge = part->first_edge;
  part->arrays.senders = part->senders;
  part->arrays.vectors = part->vectors;
  part->exchange = (struct irrep_exchange){sizeof part->exchange, part, exchange_rows};
}

/* Of three layers, of which the last two read what has to be exchanged. */
static struct irrep_model *deep_model(void) {
  return tiny_model(
      &(struct tiny_choices){.l_max = 1, .layers = {"3x0e+2x1e", "3x0e+2x1e", "4x0e"}});
}

static struct irrep_graph *view_of(const struct part *part) {
  struct irrep_graph *graph;
  assert_int_equal(irrep_graph_view(&part->arrays, &graph, NULL), IRREP_OK);
  return graph;
}

static enum irrep_status evaluate(const struct irrep_model *model, const struct part *part,
                                  const struct irrep_evaluate_options *options,
                                  struct irrep_result *result, struct irrep_error *error) {
  struct irrep_graph *graph = view_of(part);
  const struct irrep_graph *const graphs[] = {graph};
  struct irrep_plan plan = IRREP_PLAN_INIT;
  assert_int_equal(irrep_graph_plan(graph, &plan, NULL), IRREP_OK);
  const size_t bytes = irrep_model_bytes_for(model, options, &plan);
  assert_true(bytes <= irrep_model_bytes(model, options->precision, &plan));
  void *arena = aligned_new(bytes);
  memset(arena, 0xff, bytes);
  const enum irrep_status status =
      irrep_model_evaluate_graphs(model, options, graphs, 1, arena, bytes, result, error);
  free(arena);
  irrep_graph_free(graph);
  return status;
}

/* Numbers of the whole structure, once what ghosts have is added to their atoms. */
static void check(enum irrep_precision precision, bool all, size_t n_atoms) {
  const double tolerance = precision == IRREP_FLOAT64 ? 1e-13 : 1e-5;
  struct irrep_model *model = deep_model();
  struct cluster c = cluster_new(n_atoms, true);
  struct part *part = aligned_new(sizeof *part);
  const struct irrep_evaluate_options options = {.struct_size =
                                                     sizeof(struct irrep_evaluate_options),
                                                 .precision = precision,
                                                 .exchange = &part->exchange};
  double *forces = doubles_new(3 * (CLUSTER_MAX + GHOSTS_MAX)), energies[CLUSTER_MAX];
  struct irrep_result result = {
      .struct_size = sizeof(struct irrep_result), .forces = forces, .energies = energies};
  part_init(part, model, &c, all);
  assert_true(part->arrays.n_atoms > part->arrays.n_local);
  cluster_evaluate(model, &c, precision, false);
  assert_int_equal(evaluate(model, part, &options, &result, NULL), IRREP_OK);
  assert_int_equal(result.status, IRREP_OK);
  assert_int_equal(result.n_edges, c.result.n_edges);
  assert_int_equal(part->n_forward, 2);
  assert_int_equal(part->n_backward, 2);
  for (size_t g = 0; g < part->arrays.n_atoms - n_atoms; g++)
    for (size_t k = 0; k < 3; k++)
      forces[3 * part->owners[g] + k] += forces[3 * (n_atoms + g) + k];
  double most = 0;
  for (size_t i = 0; i < 3 * n_atoms; i++)
    most = fmax(most, fabs(c.forces[i]));
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++)
      most = fmax(most, fabs(c.result.virial[a][b]));
  assert_memory_equal(energies, c.energies, n_atoms * sizeof(double));
  assert_all_close(forces, c.forces, 3 * n_atoms, tolerance * most, 0);
  assert_all_close(result.virial[0], c.result.virial[0], 9, tolerance * most, 0);
  assert_false(result.has_stress);
  free(forces);
  free(part);
  irrep_model_free(model);
}

static void test_ghosts_of_its_own_atoms(void **state) {
  (void)state;
  for (size_t n_atoms = 1; n_atoms <= CLUSTER_MAX; n_atoms += 3)
    for (int all = 0; all < 2; all++) {
      check(IRREP_FLOAT64, all, n_atoms);
      check(IRREP_FLOAT32, all, n_atoms);
    }
}

/* Edges beyond the cutoff change nothing: their filters and all that follows are zero. */
static void test_edges_beyond_the_cutoff(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster c = cluster_new(6, true);
  struct part *part = aligned_new(sizeof *part), *longer = aligned_new(sizeof *part);
  double *forces[2] = {doubles_new(3 * (CLUSTER_MAX + GHOSTS_MAX)),
                       doubles_new(3 * (CLUSTER_MAX + GHOSTS_MAX))};
  struct irrep_result results[2] = {
      {.struct_size = sizeof(struct irrep_result), .forces = forces[0]},
      {.struct_size = sizeof(struct irrep_result), .forces = forces[1]}};
  const double r_max = irrep_model_card(model)->r_max;
  part_init(part, model, &c, false);
  part_init(longer, model, &c, false);
  /* After each edge one from the same sender, as long as the cutoff or longer. */
  const size_t n_edges = part->arrays.n_edges;
  for (size_t e = n_edges; e-- > 0;) {
    const double *v = part->vectors + 3 * e;
    const double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    for (size_t k = 0; k < 3; k++) {
      longer->vectors[6 * e + k] = v[k];
      longer->vectors[6 * e + 3 + k] = e % 2 ? v[k] * 1.5 * r_max / length : k == 2 ? r_max : 0;
    }
    longer->senders[2 * e] = longer->senders[2 * e + 1] = part->senders[e];
  }
  for (size_t i = 0; i <= c.n_atoms; i++)
    longer->first_edge[i] *= 2;
  longer->arrays.n_edges = 2 * n_edges;
  longer->arrays.cutoff = 2 * r_max;
  for (size_t i = 0; i < 2; i++) {
    struct part *p = i ? longer : part;
    const struct irrep_evaluate_options options = {.struct_size =
                                                       sizeof(struct irrep_evaluate_options),
                                                   .precision = IRREP_FLOAT64,
                                                   .exchange = &p->exchange};
    assert_int_equal(evaluate(model, p, &options, &results[i], NULL), IRREP_OK);
    assert_int_equal(results[i].status, IRREP_OK);
  }
  assert_true(results[0].energy == results[1].energy);
  assert_all_close(forces[1], forces[0], 3 * part->arrays.n_atoms, 1e-14, 1e-13);
  for (size_t i = 0; i < 2; i++)
    free(forces[i]);
  free(part);
  free(longer);
  irrep_model_free(model);
}

/* A process without atoms takes part in the exchanges. */
static void test_no_atoms(void **state) {
  (void)state;
  static const uint32_t none[1] = {0};
  struct irrep_model *model = deep_model();
  struct part *part = aligned_new(sizeof *part);
  const struct irrep_evaluate_options options = {.struct_size =
                                                     sizeof(struct irrep_evaluate_options),
                                                 .precision = IRREP_FLOAT64,
                                                 .exchange = &part->exchange};
  double force[3] = {7, 7, 7};
  for (size_t n_ghosts = 0; n_ghosts < 2; n_ghosts++) {
    struct irrep_result result = {.struct_size = sizeof(struct irrep_result), .forces = force};
    *part = (struct part){.arrays = {.struct_size = sizeof part->arrays,
                                     .cutoff = irrep_model_card(model)->r_max,
                                     .n_atoms = n_ghosts,
                                     .n_total = 5,
                                     .numbers = part->numbers,
                                     .first_edge = none},
                          .exchange = {sizeof part->exchange, part, exchange_rows}};
    part->numbers[0] = 1;
    assert_int_equal(evaluate(model, part, &options, &result, NULL), IRREP_OK);
    assert_int_equal(result.status, IRREP_OK);
    assert_true(result.energy == 0 && result.virial[0][0] == 0);
    assert_int_equal(part->n_forward, 2);
    assert_int_equal(part->n_backward, 2);
    for (size_t k = 0; k < 3; k++)
      assert_true(force[k] == (n_ghosts ? 0 : 7));
  }
  free(part);
  irrep_model_free(model);
}

static bool always(void *context) {
  (void)context;
  return true;
}

/* Cancelled, a process goes on exchanging, so that others need not wait for it; where an exchange
 * fails it is the last. */
static void test_ending_early(void **state) {
  (void)state;
  struct irrep_model *model = deep_model();
  struct cluster c = cluster_new(4, true);
  struct part *part = aligned_new(sizeof *part);
  double *forces = doubles_new(3 * (CLUSTER_MAX + GHOSTS_MAX));
  struct irrep_evaluate_options options = {.struct_size = sizeof options,
                                           .precision = IRREP_FLOAT64,
                                           .cancelled = always,
                                           .exchange = &part->exchange};
  struct irrep_result result = {.struct_size = sizeof(struct irrep_result), .forces = forces};
  part_init(part, model, &c, false);
  assert_int_equal(evaluate(model, part, &options, &result, NULL), IRREP_CANCELLED);
  assert_int_equal(part->n_forward, 2);
  assert_int_equal(part->n_backward, 2);
  options.cancelled = NULL;
  for (int fails_at = 1; fails_at <= 5; fails_at++) {
    part->n_forward = part->n_backward = 0;
    part->fails_at = fails_at;
    assert_int_equal(evaluate(model, part, &options, &result, NULL),
                     fails_at <= 4 ? IRREP_CANCELLED : IRREP_OK);
    assert_int_equal(part->n_forward + part->n_backward, fails_at <= 4 ? fails_at : 4);
  }
  free(forces);
  free(part);
  irrep_model_free(model);
}

/* What is planned: ghosts take less than other atoms, and a view's edges less than those that are
 * found. */
static void test_plans(void **state) {
  (void)state;
  struct irrep_model *model = deep_model();
  struct cluster c = cluster_new(6, true);
  struct part *part = aligned_new(sizeof *part);
  const struct irrep_evaluate_options single = IRREP_EVALUATE_OPTIONS_INIT;
  struct irrep_evaluate_options options = single;
  part_init(part, model, &c, true);
  struct irrep_graph *graph = view_of(part);
  struct irrep_plan plan = IRREP_PLAN_INIT;
  assert_int_equal(irrep_graph_plan(graph, &plan, NULL), IRREP_OK);
  assert_int_equal(plan.n_atoms, part->arrays.n_atoms);
  assert_int_equal(plan.n_ghosts, part->arrays.n_atoms - 6);
  assert_int_equal(plan.n_edges, part->arrays.n_edges);
  assert_int_equal(plan.n_view_edges, plan.n_edges);
  struct irrep_plan no_ghosts = plan, no_view = plan, odd = plan;
  no_ghosts.n_ghosts = no_view.n_view_edges = 0;
  for (int precision = 0; precision < 2; precision++) {
    size_t most = 0;
    options.precision = precision ? IRREP_FLOAT64 : IRREP_FLOAT32;
    for (int exact = 0; exact < 2; exact++) {
      options.exact_filters = exact;
      const size_t bytes = irrep_model_bytes_for(model, &options, &plan);
      assert_true(bytes < irrep_model_bytes_for(model, &options, &no_ghosts));
      assert_true(bytes < irrep_model_bytes_for(model, &options, &no_view));
      most = bytes > most ? bytes : most;
    }
    assert_int_equal(most, irrep_model_bytes(model, options.precision, &plan));
  }
  odd.n_ghosts = odd.n_atoms + 1;
  assert_true(irrep_model_bytes(model, IRREP_FLOAT32, &odd) == SIZE_MAX);
  odd = plan;
  odd.n_view_edges = odd.n_edges + 1;
  assert_true(irrep_model_bytes_for(model, &single, &odd) == SIZE_MAX);
  options.struct_size = 0;
  assert_true(irrep_model_bytes_for(model, &options, &plan) == SIZE_MAX);
  irrep_graph_free(graph);
  free(part);
  irrep_model_free(model);
}

static void refused(const struct irrep_model *model, const struct part *part,
                    const struct irrep_evaluate_options *options, enum irrep_status status,
                    const char *field) {
  struct irrep_error error = {0};
  struct irrep_result result = IRREP_RESULT_INIT;
  assert_int_equal(evaluate(model, part, options, &result, &error), status);
  assert_int_equal(error.status, status);
  assert_string_equal(error.field, field);
  assert_int_equal(part->n_forward + part->n_backward, 0);
}

static void test_refusals(void **state) {
  (void)state;
  struct irrep_model *model = plain_model();
  struct cluster c = cluster_new(4, true);
  struct part *part = aligned_new(sizeof *part);
  struct irrep_evaluate_options options = {.struct_size = sizeof(struct irrep_evaluate_options),
                                           .precision = IRREP_FLOAT64,
                                           .exchange = &part->exchange};
  part_init(part, model, &c, false);
  part->numbers[part->arrays.n_atoms - 1] = 6;
  char last[32];
  snprintf(last, sizeof last, "numbers/%zu", part->arrays.n_atoms - 1);
  refused(model, part, &options, IRREP_UNKNOWN_ELEMENT, last);
  part_init(part, model, &c, false);
  part->vectors[7] = (double)NAN;
  refused(model, part, &options, IRREP_NOT_FINITE, "vectors/2");
  part->vectors[6] = part->vectors[7] = part->vectors[8] = 1e-5;
  refused(model, part, &options, IRREP_ATOMS_OVERLAP, "vectors/2");
  part_init(part, model, &c, false);
  part->arrays.cutoff = nextafter(part->arrays.cutoff, 0);
  refused(model, part, &options, IRREP_BAD_ARGUMENT, "graphs");
  part_init(part, model, &c, false);
  options.exchange = NULL;
  refused(model, part, &options, IRREP_BAD_ARGUMENT, "exchange");
  /* Views are evaluated alone, and exchanges are for a single graph. */
  options.exchange = &part->exchange;
  const struct irrep_structure s = structure_of(&c);
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_graph *built, *view = view_of(part);
  assert_int_equal(irrep_model_graph(model, &s, SIZE_MAX, SIZE_MAX, &plan, &built, NULL), IRREP_OK);
  const struct irrep_graph *const with_view[] = {built, view}, *const without[] = {built, built};
  struct irrep_result results[2] = {IRREP_RESULT_INIT, IRREP_RESULT_INIT};
  struct irrep_error error;
  void *arena = aligned_new(1 << 20);
  assert_int_equal(
      irrep_model_evaluate_graphs(model, &options, with_view, 2, arena, 1 << 20, results, &error),
      IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "graphs");
  assert_int_equal(
      irrep_model_evaluate_graphs(model, &options, without, 2, arena, 1 << 20, results, &error),
      IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "exchange");
  assert_int_equal(irrep_model_evaluate(model, &options, &s, 1, arena, 1 << 20, results, &error),
                   IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "exchange");
  free(arena);
  irrep_graph_free(built);
  irrep_graph_free(view);
  free(part);
  irrep_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ghosts_of_its_own_atoms),
      cmocka_unit_test(test_edges_beyond_the_cutoff),
      cmocka_unit_test(test_no_atoms),
      cmocka_unit_test(test_ending_early),
      cmocka_unit_test(test_plans),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
