#include "core/cpu/filter_second.h"
#include "core/nn/radial_second.h"
#include "tests/unit/support_tangent.h"

/* A filter with everything that one may have. */
static struct filter put_rich_filter(struct program *program, struct rng *rng, bool norm,
                                     bool by_pair) {
  struct filter_layer *layers = program_take(program, 3, sizeof *layers);
  const size_t rows = program->radial.n_basis;
  layers[0].matrix = put_matrix(program, rng, rows, 24);
  size_t stride = 0;
  for (size_t k = 1; by_pair && k < TEST_SPECIES * TEST_SPECIES; k++) {
    const struct matrix next = put_matrix(program, rng, rows, 24);
    stride = k == 1 ? next.packed - layers[0].matrix.packed : stride;
  }
  for (size_t k = 0; k < 2; k++) {
    layers[k].has_bias = true;
    layers[k].bias = put_weights(program, rng, TEST_SPECIES * TEST_SPECIES * 32, 0.5);
    layers[k].has_norm = norm;
    layers[k].norm = put_weights(program, rng, 64, 1.0);
  }
  layers[1].matrix = put_matrix(program, rng, 24, 24);
  layers[2].matrix = put_matrix(program, rng, 24, 32);
  return (struct filter){.n_layers = 3,
                         .layers = layers,
                         .activation = ACTIVATION_SILU,
                         .last = by_pair ? ACTIVATION_TANH : ACTIVATION_IDENTITY,
                         .width = 32,
                         .pair_stride = stride,
                         .bias_stride = by_pair ? 32 : 0,
                         .envelope = program->radial.envelope};
}

/* The kernel's filters and their derivatives. */
static void by_kernel(const struct program *program, const struct filter *filter, uint32_t pair,
                      double r, double *values, double *first) {
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  struct reals weights = reals_of(kernels, program->n_weights, program->weights);
  struct reals scratch = reals_zero(kernels, 4 * EDGE_TILE * filter->width);
  double *embedding = doubles_new(2 * RADIAL_WIDTH(&program->radial));
  radial_embedding(&program->radial, 0, r, embedding, embedding + RADIAL_WIDTH(&program->radial));
  kernels->filter(filter, 1, weights.data, &pair, embedding, values, first, scratch.data);
  free(embedding);
  reals_free(&weights);
  reals_free(&scratch);
}

static void check(bool envelope, bool norm, bool by_pair) {
  struct program program = {0};
  struct rng rng = {9};
  const double h = 1e-3;
  test_program_begin(&program, (struct program_options){.envelope = envelope});
  const struct filter filter = put_rich_filter(&program, &rng, norm, by_pair);
  const size_t n = RADIAL_WIDTH(&program.radial);
  double *embedding = doubles_new(3 * n), *scratch = doubles_new(filter_second_scratch(&filter));
  double *found = doubles_new(3 * 32), *kernel = doubles_new(5 * 2 * 32);
  for (uint32_t pair = 0; pair < (by_pair ? 4 : 1); pair++)
    for (double r = 0.61; r < 2.9; r += 0.13) {
      double *const out[3] = {found, found + 32, found + 64};
      radial_embedding(&program.radial, 0, r, embedding, embedding + n);
      radial_second(&program.radial, 0, r, embedding + 2 * n);
      filter_second(&filter, program.weights, pair, embedding, 32, out, scratch);
      for (size_t s = 0; s < 5; s++)
        by_kernel(&program, &filter, pair, r + ((double)s - 2) * h, kernel + 64 * s,
                  kernel + 64 * s + 32);
      for (size_t i = 0; i < 32; i++) {
        const double *d = kernel + 32 + i;
        const double second = (d[0] - 8 * d[64] + 8 * d[192] - d[256]) / (12 * h);
        assert_true(fabs(out[0][i] - kernel[128 + i]) < 1e-12);
        assert_true(fabs(out[1][i] - kernel[160 + i]) < 1e-11);
        if (!(fabs(out[2][i] - second) < 2e-7 * (1 + fabs(second))))
          fail_msg("pair %u at %g, %zu: %g is not %g", pair, r, i, out[2][i], second);
      }
    }
  free(embedding);
  free(scratch);
  free(found);
  free(kernel);
  program_fini(&program);
}

static void test_second_derivatives(void **state) {
  (void)state;
  check(false, false, false);
  check(true, false, false);
  check(false, true, false);
  check(true, true, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_second_derivatives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
