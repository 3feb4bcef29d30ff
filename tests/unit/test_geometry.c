#include "core/cpu/geometry.h"
#include "tests/unit/support_program.h"

static const struct program_options all_options[] = {
    {1, false, false, false}, {1, true, false, false}, {1, false, true, false}};
#define N_OPTIONS (sizeof all_options / sizeof *all_options)

static double length_of(const double *v) {
  return sqrt(dot(3, v, v));
}

/* Harmonics of one vector in the program's manner. */
static void harmonics_of(const struct program *program, const double *v, double *y) {
  spherical_harmonics(program->l_max, 1, v, y);
  for (int l = 0; program->solid_harmonics && l <= program->l_max; l++)
    for (int i = l * l; i < (l + 1) * (l + 1); i++)
      y[i] *= pow(length_of(v), l);
}

/* Doubles of reals in a workspace. */
static double *read_reals(const struct kernels *kernels, const void *data, size_t n) {
  double *values = doubles_new(n);
  for (size_t i = 0; i < n; i++)
    values[i] = kernels->precision == IRREP_FLOAT32 ? (double)((const float *)data)[i]
                                                    : ((const double *)data)[i];
  return values;
}

/* Worked out in double and rounded once. */
static void check_forward(const struct kernels *kernels) {
  struct irrep_structure atoms = atoms_new(40, true, 1);
  for (size_t i = 0; i < N_OPTIONS; i++) {
    struct program program;
    test_program_init(&program, all_options[i]);
    struct test_run run = test_run_new(&program, kernels, &atoms, 1);
    const struct batch *batch = &run.workspace.batch;
    const size_t n_y = HARMONICS(program.l_max), width = RADIAL_WIDTH(&program.radial);
    assert_true(batch->n_edges > EDGE_TILE && batch->n_edges % EDGE_TILE != 0);
    /* In two parts, the second not at a multiple of the tile. */
    geometry_forward(&run.executable, &run.workspace, 0, 100);
    geometry_forward(&run.executable, &run.workspace, 100, batch->n_edges - 100);
    double *y = read_reals(kernels, run.workspace.harmonics, batch->n_edges * n_y);
    double *embedding = read_reals(kernels, run.workspace.embedding, batch->n_edges * 2 * width);
    for (size_t e = 0; e < batch->n_edges; e++) {
      const double *v = batch->vectors + 3 * e;
      double expected[HARMONICS(IRREP_L_MAX)], radial[2 * RADIAL_WIDTH_MAX];
      harmonics_of(&program, v, expected);
      assert_all_close(y + e * n_y, expected, n_y, 1e-14, epsilon_of(kernels));
      radial_embedding(&program.radial, 0, length_of(v), radial, radial + width);
      assert_all_close(embedding + e * 2 * width, radial, 2 * width, 1e-13, epsilon_of(kernels));
    }
    free(y);
    free(embedding);
    test_run_free(&run);
    program_fini(&program);
  }
  atoms_free(&atoms);
}

/* The embedding that an edge between two species has at a distance. */
static void expected_embedding(const struct program *program, uint32_t receiver, uint32_t sender,
                               double r, double *numbers) {
  const size_t width = RADIAL_WIDTH(&program->radial);
  const double stretch = program->radial.stretch[receiver * TEST_SPECIES + sender];
  memset(numbers, 0, 2 * width * sizeof *numbers);
  if (r * stretch >= TEST_R_MAX)
    return;
  radial_embedding(&program->radial, 0, r * stretch, numbers, numbers + width);
  for (size_t i = width; i < 2 * width; i++)
    numbers[i] *= stretch;
}

/* Pairs with cutoffs of their own see stretched distances, either way another. */
static void check_pair_cutoffs(const struct kernels *kernels) {
  struct irrep_structure atoms = atoms_new(40, true, 1);
  struct program program;
  test_program_init(&program, (struct program_options){1, false, true, true});
  struct test_run run = test_run_new(&program, kernels, &atoms, 1);
  const struct workspace *w = &run.workspace;
  const size_t n = w->batch.n_edges, width = RADIAL_WIDTH(&program.radial);
  geometry_forward(&run.executable, &run.workspace, 0, n);
  double *given = read_reals(kernels, w->embedding, n * 2 * width);
  double *reversed = read_reals(kernels, w->reverse_embedding, n * 2 * width);
  size_t beyond = 0;
  for (size_t e = 0; e < n; e++) {
    const uint32_t receiver = w->batch.species[w->batch.receivers[e]];
    const uint32_t sender = w->batch.species[w->batch.senders[e]];
    const double r = length_of(w->batch.vectors + 3 * e);
    double expected[2 * RADIAL_WIDTH_MAX];
    expected_embedding(&program, receiver, sender, r, expected);
    assert_all_close(given + e * 2 * width, expected, 2 * width, 1e-13, epsilon_of(kernels));
    beyond += expected[width - 1] == 0.0;
    expected_embedding(&program, sender, receiver, r, expected);
    assert_all_close(reversed + e * 2 * width, expected, 2 * width, 1e-13, epsilon_of(kernels));
  }
  assert_true(beyond > 0 && beyond < n);
  free(given);
  free(reversed);
  test_run_free(&run);
  program_fini(&program);
  atoms_free(&atoms);
}

static void test_pair_cutoffs(void **state) {
  (void)state;
  for_each_table(check_pair_cutoffs);
}

static void test_forward(void **state) {
  (void)state;
  for_each_table(check_forward);
}

/* <grad_harmonics, harmonics(vectors)> + <grad_distance, lengths of vectors> */
struct objective {
  const struct program *program;
  size_t n_edges;
  const double *grad_harmonics, *grad_distance;
};

static double objective(const double *vectors, void *context) {
  const struct objective *o = context;
  const size_t n_y = HARMONICS(o->program->l_max);
  double value = 0.0;
  for (size_t e = 0; e < o->n_edges; e++) {
    double y[HARMONICS(IRREP_L_MAX)];
    harmonics_of(o->program, vectors + 3 * e, y);
    value += dot(n_y, o->grad_harmonics + e * n_y, y);
    value += o->grad_distance[e] * length_of(vectors + 3 * e);
  }
  return value;
}

static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  struct irrep_structure atoms = atoms_new(40, true, 2);
  for (size_t i = 0; i < N_OPTIONS; i++) {
    struct program program;
    struct rng rng = {i};
    test_program_init(&program, all_options[i]);
    struct test_run run = test_run_new(&program, kernels_for(IRREP_FLOAT32, NULL), &atoms, 1);
    struct workspace *w = &run.workspace;
    const size_t n = w->batch.n_edges, n_y = n * HARMONICS(program.l_max);
    double *grad_harmonics = doubles_new(n_y), *grad_distance = doubles_new(n);
    rng_fill(&rng, n_y, grad_harmonics);
    rng_fill(&rng, n, grad_distance);
    memcpy(w->grad_harmonics, grad_harmonics, n_y * sizeof(double));
    memcpy(w->grad_distance, grad_distance, n * sizeof(double));
    geometry_adjoint(&program, w, 0, 101);
    geometry_adjoint(&program, w, 101, n - 101);
    struct objective context = {&program, n, grad_harmonics, grad_distance};
    assert_gradient(objective, &context, 3 * n, w->batch.vectors, w->gradient, 1e-3, 1e-10);
    free(grad_harmonics);
    free(grad_distance);
    test_run_free(&run);
    program_fini(&program);
  }
  atoms_free(&atoms);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward),
      cmocka_unit_test(test_pair_cutoffs),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
