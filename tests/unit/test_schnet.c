#include "tests/unit/support_schnetpack.h"

/* The formulas of irrep/model_format.h, word for word, on a writer's tensors. */
struct plain {
  struct writer *writer;
  const struct cluster *cluster;
};

static const struct writer_tensor *tensor(const struct plain *plain, const char *prefix,
                                          const char *name) {
  char full[128];
  (void)snprintf(full, sizeof full, "%s%s", prefix, name);
  return writer_find(plain->writer, full);
}

/* out = in W + bias */
static void affine(const struct writer_tensor *weight, const double *bias, const double *in,
                   double *out) {
  for (size_t o = 0; o < weight->shape[1]; o++) {
    out[o] = bias ? bias[o] : 0.0;
    for (size_t i = 0; i < weight->shape[0]; i++)
      out[o] += in[i] * weight->values[i * weight->shape[1] + o];
  }
}

static double ssp(double x) {
  return log(1.0 + exp(x)) - log(2.0);
}

static void filter_at(const struct plain *plain, const char *prefix, double r, double *filter) {
  double basis[SCHNETPACK_BASIS], hidden[6];
  const double u = r / SCHNETPACK_R_MAX;
  for (size_t k = 0; k < SCHNETPACK_BASIS; k++)
    basis[k] = exp(tensor(plain, "radial.", "coefficients")->values[k] *
                   pow(r - tensor(plain, "radial.", "centers")->values[k], 2));
  affine(tensor(plain, prefix, "filter.0.weight"), tensor(plain, prefix, "filter.0.bias")->values,
         basis, hidden);
  for (size_t i = 0; i < 6; i++)
    hidden[i] = ssp(hidden[i]);
  affine(tensor(plain, prefix, "filter.1.weight"), tensor(plain, prefix, "filter.1.bias")->values,
         hidden, filter);
  for (size_t i = 0; i < 7; i++)
    filter[i] *= exp(1.0 - 1.0 / (1.0 - u * u));
}

static void plain_layer(const struct plain *plain, const char *prefix, double (*x)[5]) {
  const struct cluster *c = plain->cluster;
  double up[CLUSTER_MAX][7], mid[CLUSTER_MAX][7] = {{0}}, filter[7];
  for (size_t i = 0; i < c->n_atoms; i++)
    affine(tensor(plain, prefix, "linear_up.0e.weight"), NULL, x[i], up[i]);
  for (size_t i = 0; i < c->n_atoms; i++)
    for (size_t j = 0; j < c->n_atoms; j++) {
      double squared = 0.0;
      for (size_t k = 0; k < 3; k++)
        squared += pow(c->positions[3 * i + k] - c->positions[3 * j + k], 2);
      if (i == j || !(sqrt(squared) < SCHNETPACK_R_MAX))
        continue;
      filter_at(plain, prefix, sqrt(squared), filter);
      for (size_t k = 0; k < 7; k++)
        mid[i][k] += up[j][k] * filter[k];
    }
  for (size_t i = 0; i < c->n_atoms; i++) {
    double down[5], out[5];
    affine(tensor(plain, prefix, "linear_down.0e.weight"),
           tensor(plain, prefix, "linear_down.bias")->values, mid[i], down);
    for (size_t k = 0; k < 5; k++)
      down[k] = ssp(down[k]);
    affine(tensor(plain, prefix, "linear_out.0e.weight"),
           tensor(plain, prefix, "linear_out.bias")->values, down, out);
    for (size_t k = 0; k < 5; k++)
      x[i][k] += out[k];
  }
}

/* Energies of a cluster that is not periodic. */
static void plain_energies(const struct plain *plain, size_t n_layers, double *energies) {
  double x[CLUSTER_MAX][5];
  for (size_t i = 0; i < plain->cluster->n_atoms; i++) {
    const size_t species = plain->cluster->numbers[i] == 8;
    memcpy(x[i], tensor(plain, "", "embedding.weight")->values + 5 * species, sizeof x[i]);
  }
  for (size_t t = 0; t < n_layers; t++)
    plain_layer(plain, t ? "layers.1." : "layers.0.", x);
  for (size_t i = 0; i < plain->cluster->n_atoms; i++) {
    const size_t species = plain->cluster->numbers[i] == 8;
    double hidden[3], y;
    affine(tensor(plain, "readout.", "0.weight"), tensor(plain, "readout.", "0.bias")->values, x[i],
           hidden);
    for (size_t k = 0; k < 3; k++)
      hidden[k] /= 1.0 + exp(-hidden[k]);
    affine(tensor(plain, "readout.", "1.weight"), tensor(plain, "readout.", "1.bias")->values,
           hidden, &y);
    energies[i] = tensor(plain, "", "scale")->values[species] * y +
                  tensor(plain, "", "shift")->values[species];
  }
}

static void test_energies_are_those_of_the_formulas(void **state) {
  (void)state;
  for (size_t n_layers = 1; n_layers <= 2; n_layers++)
    for (size_t n_atoms = 1; n_atoms <= CLUSTER_MAX; n_atoms++) {
      struct tiny tiny = schnet_new(n_layers);
      struct cluster c = cluster_new(n_atoms, false);
      double expected[CLUSTER_MAX];
      plain_energies(&(struct plain){&tiny.writer, &c}, n_layers, expected);
      struct irrep_model *model = tiny_loaded(&tiny);
      cluster_evaluate(model, &c, IRREP_FLOAT64, true);
      assert_all_close(c.energies, expected, n_atoms, 1e-13, 1e-13);
      irrep_model_free(model);
    }
}

static void test_forces_are_the_slopes_of_the_energy(void **state) {
  (void)state;
  struct tiny tiny = schnet_new(2);
  struct irrep_model *model = tiny_loaded(&tiny);
  assert_forces_are_slopes(model, false);
  assert_forces_are_slopes(model, true);
  irrep_model_free(model);
}

/* Energy, forces and stress of an average atom. */
static void test_a_mean_is_the_sum_over_the_number_of_atoms(void **state) {
  (void)state;
  struct tiny sum = schnet_new(1), mean = schnet_new(1);
  tiny_replace(&mean, "\"aggregation\":\"sum\"", "\"aggregation\":\"mean\"");
  struct irrep_model *models[] = {tiny_loaded(&sum), tiny_loaded(&mean)};
  struct cluster a = cluster_new(5, true), b = cluster_new(5, true);
  const double energy = cluster_evaluate(models[0], &a, IRREP_FLOAT64, true);
  assert_true(fabs(cluster_evaluate(models[1], &b, IRREP_FLOAT64, true) - energy / 5) < 1e-13);
  for (size_t i = 0; i < 15; i++)
    assert_true(fabs(b.forces[i] - a.forces[i] / 5) < 1e-13);
  for (size_t i = 0; i < 9; i++)
    assert_true(fabs(b.result.stress[i / 3][i % 3] - a.result.stress[i / 3][i % 3] / 5) < 1e-13);
  irrep_model_free(models[0]);
  irrep_model_free(models[1]);
}

static void test_bad_cards_are_refused(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {"\"irreps_mid\":\"7x0e\"", "\"irreps_mid\":\"7x1o\"", IRREP_UNSUPPORTED_MODEL,
       "model/layers"},
      {"\"irreps_mid\":\"7x0e\"", "\"irreps_mid\":\"8x0e\"", IRREP_BAD_MODEL_FILE,
       "layers.0.linear_up.0e.weight"},
      {"\"activation\":\"ssp\",\"filter\"", "\"activation\":\"cube\",\"filter\"",
       IRREP_UNSUPPORTED_MODEL, "model/layers/0/activation"},
      {"\"5x0e\"", "\"5x0e+1x1o\"", IRREP_UNSUPPORTED_MODEL, "model/irreps_embedding"},
      {"\"aggregation\":\"sum\"", "\"aggregation\":\"max\"", IRREP_UNSUPPORTED_MODEL,
       "model/aggregation"},
      {"\"aggregation\":\"sum\"", "\"shared\":\"sum\"", IRREP_UNSUPPORTED_MODEL, "model/shared"},
  };
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    struct tiny tiny = schnet_new(1);
    tiny_replace(&tiny, refusals[i].from, refusals[i].to);
    assert_tiny_refused(&tiny, refusals[i].status, refusals[i].field);
  }
}

static void test_each_tensor_is_needed(void **state) {
  (void)state;
  static const char *const names[] = {
      "layers.0.linear_up.0e.weight", "layers.0.linear_down.0e.weight",
      "layers.0.linear_out.0e.weight", "layers.0.filter.1.weight", "radial.centers"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct tiny tiny = schnet_new(1);
    writer_drop(&tiny.writer, names[i]);
    assert_tiny_refused(&tiny, IRREP_BAD_MODEL_FILE, names[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_energies_are_those_of_the_formulas),
      cmocka_unit_test(test_forces_are_the_slopes_of_the_energy),
      cmocka_unit_test(test_a_mean_is_the_sum_over_the_number_of_atoms),
      cmocka_unit_test(test_bad_cards_are_refused),
      cmocka_unit_test(test_each_tensor_is_needed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
