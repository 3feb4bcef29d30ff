#include "core/cpu/outgoing.h"
#include "tests/unit/support_program.h"

static const struct program_options all_options[] = {{1, false, false, false},
                                                     {2, false, true, false},
                                                     {3, true, false, false},
                                                     {2, true, true, false},
                                                     {2, false, true, true}};
#define N_OPTIONS (sizeof all_options / sizeof *all_options)

/* The edges of a batch by their sender, as irrep_graph_view sorts them. */
struct sorted {
  uint32_t *first, *edges;
  double *gradient; /* [n_edges][3] */
};

static struct sorted sort_by_sender(const struct batch *batch) {
  struct sorted s = {aligned_new((batch->n_atoms + 1) * sizeof(uint32_t)),
                     aligned_new(batch->n_edges * sizeof(uint32_t)),
                     doubles_new(3 * batch->n_edges)};
  size_t n = 0;
  for (size_t i = 0; i < batch->n_atoms; i++) {
    for (size_t e = 0; e < batch->n_edges; e++)
      if (batch->senders[e] == i)
        s.edges[n++] = (uint32_t)e;
    s.first[i + 1] = (uint32_t)n;
  }
  return s;
}

/* Makes the workspace that of a view: without gradients by harmonics, and with room for those by
 * vectors beside the harmonics. */
static void become_view(struct workspace *w, struct sorted *s) {
  *s = sort_by_sender(&w->batch);
  w->batch.first_out = s->first;
  w->batch.out_edges = s->edges;
  w->grad_harmonics = NULL;
  w->gradient = s->gradient;
}

static void sorted_free(struct sorted *s) {
  free(s->first);
  free(s->edges);
  free(s->gradient);
}

static size_t reverse_of(const struct batch *batch, size_t e) {
  const double *v = batch->vectors + 3 * e;
  for (size_t k = 0; k < batch->n_edges; k++) {
    const double *w = batch->vectors + 3 * k;
    if (batch->senders[k] == batch->receivers[e] && batch->receivers[k] == batch->senders[e] &&
        w[0] == -v[0] && w[1] == -v[1] && w[2] == -v[2])
      return k;
  }
  fail_msg("edge %zu has no reverse", e);
  return 0;
}

static void evaluate(struct test_run *run) {
  assert_int_equal(program_evaluate(&run->executable, &run->workspace, true, NULL, NULL), IRREP_OK);
}

/* On a list that has all reverses the gathered adjoint gives each edge's gradient to its reverse,
 * and this one to the edge itself. Energies have the same bits. */
static void check(const struct kernels *kernels) {
  struct irrep_structure atoms = atoms_new(70, true, 1);
  const double tolerance = kernels->precision == IRREP_FLOAT64 ? 1e-13 : 2e-6;
  for (size_t i = 0; i < N_OPTIONS; i++) {
    struct program program;
    test_program_init(&program, all_options[i]);
    struct test_run run = test_run_new(&program, kernels, &atoms, 1);
    struct workspace *w = &run.workspace;
    const size_t n = w->batch.n_edges;
    struct sorted sorted;
    evaluate(&run);
    double *energies = doubles_new(w->batch.n_atoms), *gathered = doubles_new(3 * n), most = 0;
    memcpy(energies, w->energies, w->batch.n_atoms * sizeof(double));
    memcpy(gathered, w->gradient, 3 * n * sizeof(double));
    become_view(w, &sorted);
    evaluate(&run);
    assert_memory_equal(w->energies, energies, w->batch.n_atoms * sizeof(double));
    for (size_t k = 0; k < 3 * n; k++)
      most = fmax(most, fabs(gathered[k]));
    assert_true(most > 1e-3);
    for (size_t e = 0; e < n; e++) {
      const size_t reverse = reverse_of(&w->batch, e);
      for (size_t k = 0; k < 3; k++)
        if (!(fabs(w->gradient[3 * e + k] + gathered[3 * reverse + k]) <= tolerance * most))
          fail_msg("edge %zu: %.17g and %.17g", e, w->gradient[3 * e + k],
                   -gathered[3 * reverse + k]);
    }
    free(energies);
    free(gathered);
    sorted_free(&sorted);
    test_run_free(&run);
    program_fini(&program);
  }
  atoms_free(&atoms);
}

static void test_same_gradients_as_gathered_along_reverses(void **state) {
  (void)state;
  for_each_table(check);
}

/* Without some edges, whose reverses stay: the gradient is that of the energy all the same. */
struct objective {
  struct test_run *run;
};

static double energy_of(const double *vectors, void *context) {
  struct test_run *run = ((struct objective *)context)->run;
  struct workspace *w = &run->workspace;
  memcpy(w->batch.own.vectors, vectors, 3 * w->batch.n_edges * sizeof(double));
  assert_int_equal(program_evaluate(&run->executable, w, false, NULL, NULL), IRREP_OK);
  double energy = 0;
  for (size_t i = 0; i < w->batch.n_atoms; i++)
    energy += w->energies[i];
  return energy;
}

/* Removes every third edge from the batch's own lists. */
static void thin_out(struct batch *batch) {
  size_t n = 0, e = 0;
  for (size_t i = 0; i < batch->n_atoms; i++) {
    const size_t end = batch->first_edge[i + 1];
    for (; e < end; e++) {
      if (e % 3 == 2)
        continue;
      batch->own.senders[n] = batch->senders[e];
      batch->receivers[n] = batch->receivers[e];
      memcpy(batch->own.vectors + 3 * n, batch->vectors + 3 * e, 3 * sizeof(double));
      n++;
    }
    batch->own.first_edge[i + 1] = (uint32_t)n;
  }
  batch->n_edges = n;
}

static void test_gradient_without_reverses_by_finite_differences(void **state) {
  (void)state;
  struct irrep_structure atoms = atoms_new(20, true, 6);
  for (size_t i = 0; i < N_OPTIONS; i++) {
    struct program program;
    test_program_init(&program, all_options[i]);
    struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT64, NULL), &atoms, 1);
    struct workspace *w = &run.workspace;
    struct objective objective = {&run};
    thin_out(&w->batch);
    struct sorted sorted;
    become_view(w, &sorted);
    evaluate(&run);
    const size_t n = 3 * w->batch.n_edges;
    double *vectors = doubles_new(n), *gradient = doubles_new(n);
    memcpy(vectors, w->batch.vectors, n * sizeof(double));
    memcpy(gradient, w->gradient, n * sizeof(double));
    assert_gradient(energy_of, &objective, n, vectors, gradient, 1e-3, 1e-8);
    free(vectors);
    free(gradient);
    sorted_free(&sorted);
    test_run_free(&run);
    program_fini(&program);
  }
  atoms_free(&atoms);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_gradients_as_gathered_along_reverses),
      cmocka_unit_test(test_gradient_without_reverses_by_finite_differences),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
