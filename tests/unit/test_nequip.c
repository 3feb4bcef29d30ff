#include "tests/unit/support_model.h"

static const struct tiny_choices all_choices[] = {
    {.layers = {"4x0e"}},
    {.l_max = 1, .layers = {"3x0e+2x1e", "4x0e"}, .filter_hidden = 5},
    {.l_max = 2,
     .layers = {"3x0e+2x1e+1x2e", "2x0e+2x2e", "3x0e"},
     .self_connection = "species",
     .cutoff = "{\"name\":\"xplor\",\"r_on\":2.5}",
     .readout_hidden = 4},
    {.l_max = 2,
     .alternating_parity = true,
     .layers = {"2x0e+2x1o+1x2e", "2x0o+2x0e+1x1e+2x1o+1x2o", "3x0e"},
     .self_connection = "none",
     .biases = true,
     .filter_hidden = 4,
     .readout_hidden = 3},
    {.l_max = 1, /* the third layer has no 0e: its gates are odd, their activation even */
     .alternating_parity = true,
     .embedding = "4x0e",
     .layers = {"4x0e+6x1o", "4x0e+4x1e+6x1o", "4x0o+6x1o", "3x0e"},
     .cutoff = "{\"name\":\"cosine\"}"},
    {.l_max = 3,
     .solid = true,
     .layers = {"2x0e+1x1e+1x3e", "17x0e"},
     .self_connection = "species",
     .biases = true},
    {.l_max = 2,
     .alternating_parity = true,
     .layers = {"3x0e+2x1o+1x2e", "2x0e+2x1o", "4x0e"},
     .filter_hidden = 4,
     .norm = true},
};
#define N_CHOICES (sizeof all_choices / sizeof *all_choices)

/* The energy as a function of positions, or of a strain [3][3] of positions and cell. */
struct objective {
  const struct irrep_model *model;
  const struct cluster *cluster;
  bool exact_filters;
};

static double energy_of_positions(const double *positions, void *context) {
  const struct objective *o = context;
  struct cluster c = *o->cluster;
  memcpy(c.positions, positions, 3 * c.n_atoms * sizeof(double));
  return cluster_evaluate(o->model, &c, IRREP_FLOAT64, o->exact_filters);
}

/* out = (1 + strain) v */
static void strained(const double *strain, const double *v, double *out) {
  for (size_t a = 0; a < 3; a++)
    out[a] = v[a] + dot(3, strain + 3 * a, v);
}

static double energy_of_strain(const double *strain, void *context) {
  const struct objective *o = context;
  struct cluster c = *o->cluster;
  for (size_t i = 0; i < c.n_atoms; i++)
    strained(strain, o->cluster->positions + 3 * i, c.positions + 3 * i);
  for (size_t k = 0; k < 3; k++)
    strained(strain, o->cluster->cell[k], c.cell[k]);
  return cluster_evaluate(o->model, &c, IRREP_FLOAT64, o->exact_filters);
}

static double volume(const double (*c)[3]) {
  return fabs(c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) -
              c[0][1] * (c[1][0] * c[2][2] - c[1][2] * c[2][0]) +
              c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0]));
}

static void check_derivatives(const struct irrep_model *model, bool periodic, bool exact_filters) {
  struct cluster c = cluster_new(6, periodic);
  struct objective context = {model, &c, exact_filters};
  double gradient[3 * CLUSTER_MAX], strain[9] = {0}, strain_gradient[9];
  cluster_evaluate(model, &c, IRREP_FLOAT64, exact_filters);
  for (size_t i = 0; i < 3 * c.n_atoms; i++)
    gradient[i] = -c.forces[i];
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++) {
      strain_gradient[3 * a + b] = -c.result.virial[a][b];
      assert_true(c.result.virial[a][b] == c.result.virial[b][a]);
      if (periodic)
        assert_true(fabs(c.result.stress[a][b] * volume((const double(*)[3])c.cell) +
                         c.result.virial[a][b]) < 1e-12);
    }
  assert_int_equal(c.result.has_stress, periodic);
  /* Energies of some 10 eV over steps of 3e-4; cutoffs have kinks in third derivatives. */
  assert_gradient(energy_of_positions, &context, 3 * c.n_atoms, c.positions, gradient, 3e-4, 1e-8);
  assert_gradient(energy_of_strain, &context, 9, strain, strain_gradient, 1e-4, 1e-8);
  /* A test of numbers that are all zero would prove nothing. */
  assert_true(dot(3 * c.n_atoms, gradient, gradient) > 1e-8);
  assert_true(dot(9, strain_gradient, strain_gradient) > 1e-8);
}

static void test_forces_and_stress_are_the_slopes_of_the_energy(void **state) {
  (void)state;
  for (size_t i = 0; i < N_CHOICES; i++) {
    struct irrep_model *model = tiny_model(&all_choices[i]);
    for (int periodic = 0; periodic < 2; periodic++)
      for (int exact = 0; exact < 2; exact++)
        check_derivatives(model, periodic, exact);
    irrep_model_free(model);
  }
}

/* Turns (or mirrors) positions and cell. */
static void turn(struct cluster *c, const double (*r)[3]) {
  struct cluster copy = *c;
  for (size_t i = 0; i < c->n_atoms; i++)
    for (size_t a = 0; a < 3; a++)
      c->positions[3 * i + a] = dot(3, r[a], copy.positions + 3 * i);
  for (size_t k = 0; k < 3; k++)
    for (size_t a = 0; a < 3; a++)
      c->cell[k][a] = dot(3, r[a], copy.cell[k]);
}

static void check_turned(const struct irrep_model *model, const double (*r)[3]) {
  struct cluster c = cluster_new(7, true), turned = c;
  turn(&turned, r);
  cluster_evaluate(model, &c, IRREP_FLOAT64, true);
  cluster_evaluate(model, &turned, IRREP_FLOAT64, true);
  assert_all_close(turned.energies, c.energies, c.n_atoms, 1e-11, 1e-11);
  for (size_t i = 0; i < c.n_atoms; i++) {
    double expected[3];
    for (size_t a = 0; a < 3; a++)
      expected[a] = dot(3, r[a], c.forces + 3 * i);
    assert_all_close(turned.forces + 3 * i, expected, 3, 1e-10, 1e-10);
  }
}

/* A rotation with exact numbers about no special axis. */
static const double rotation[3][3] = {{0.6, -0.64, 0.48}, {0.8, 0.48, -0.36}, {0.0, 0.6, 0.8}};
static const double mirrored[3][3] = {{0.6, -0.64, -0.48}, {0.8, 0.48, 0.36}, {0.0, 0.6, -0.8}};

static void test_rotations(void **state) {
  (void)state;
  for (size_t i = 0; i < N_CHOICES; i++) {
    struct irrep_model *model = tiny_model(&all_choices[i]);
    check_turned(model, rotation);
    irrep_model_free(model);
  }
}

static void test_reflections_of_models_with_parity(void **state) {
  (void)state;
  size_t n_checked = 0;
  for (size_t i = 0; i < N_CHOICES; i++) {
    if (!all_choices[i].alternating_parity)
      continue;
    struct irrep_model *model = tiny_model(&all_choices[i]);
    check_turned(model, mirrored);
    irrep_model_free(model);
    n_checked++;
  }
  assert_true(n_checked >= 2);
}

/* Atoms in another order, moved by lattice vectors and all together. */
static void test_order_and_translation(void **state) {
  (void)state;
  struct irrep_model *model = tiny_model(&all_choices[2]);
  struct cluster c = cluster_new(7, true), moved = c;
  for (size_t i = 0; i < 7; i++) {
    const size_t from = (3 * i + 2) % 7;
    moved.numbers[i] = c.numbers[from];
    for (size_t k = 0; k < 3; k++)
      moved.positions[3 * i + k] = c.positions[3 * from + k] + 0.7 + (double)i * c.cell[1][k];
  }
  cluster_evaluate(model, &c, IRREP_FLOAT64, false);
  cluster_evaluate(model, &moved, IRREP_FLOAT64, false);
  for (size_t i = 0; i < 7; i++) {
    const size_t from = (3 * i + 2) % 7;
    assert_all_close(&moved.energies[i], &c.energies[from], 1, 1e-11, 1e-11);
    assert_all_close(moved.forces + 3 * i, c.forces + 3 * from, 3, 1e-10, 1e-10);
  }
  irrep_model_free(model);
}

static void test_float32_is_near(void **state) {
  (void)state;
  for (size_t i = 0; i < N_CHOICES; i++) {
    struct irrep_model *model = tiny_model(&all_choices[i]);
    struct cluster exact = cluster_new(8, true), narrow = exact;
    cluster_evaluate(model, &exact, IRREP_FLOAT64, true);
    cluster_evaluate(model, &narrow, IRREP_FLOAT32, true);
    assert_all_close(narrow.energies, exact.energies, 8, 2e-4, 2e-5);
    assert_all_close(narrow.forces, exact.forces, 24, 2e-3, 2e-4);
    irrep_model_free(model);
  }
}

/* The formulas of irrep/model_format.h, written out for two layers by plain loops */

#define N_ATOMS 5

struct formula {
  struct writer *writer;
  double r[N_ATOMS][N_ATOMS], to[N_ATOMS][N_ATOMS][3]; /* distance and direction i to j */
};

static double weight(const struct formula *f, const char *name, size_t i) {
  return writer_find(f->writer, name)->values[i];
}

static double silu(double x) {
  return x / (1.0 + exp(-x));
}

/* One column of a filter without hidden layers, zero beyond r_max. */
static double filter_at(const struct formula *f, const char *name, size_t columns, size_t column,
                        size_t i, size_t j) {
  const double r = f->r[i][j], u = r / 3.2;
  double sum = 0.0;
  if (i == j || u >= 1.0)
    return 0.0;
  for (size_t k = 0; k < 3; k++)
    sum += 0.79 * sin(weight(f, "radial.frequencies", k) * r) / r *
           weight(f, name, k * columns + column);
  return sum * (1.0 - 28.0 * pow(u, 6) + 48.0 * pow(u, 7) - 21.0 * pow(u, 8));
}

/* out[o] += sum over i of in[i] W[i][o] */
static void apply(const struct formula *f, const char *name, size_t n_in, size_t n_out,
                  const double *in, size_t in_stride, double *out, size_t out_stride) {
  for (size_t o = 0; o < n_out; o++)
    for (size_t i = 0; i < n_in; i++)
      out[o * out_stride] += in[i * in_stride] * weight(f, name, i * n_out + o);
}

/* Layer 0: 3x0e to 2x0e+2x1e. Harmonics of degree 1 are sqrt(3) times the direction from the
 * receiver to the sender, and C(0, m, m) = 1. */
static void first_layer(const struct formula *f, const double (*x)[3], double (*s)[2],
                        double (*v)[2][3]) {
  double up[N_ATOMS][3] = {{0}};
  for (size_t i = 0; i < N_ATOMS; i++)
    apply(f, "layers.0.linear_up.0e.weight", 3, 3, x[i], 1, up[i], 1);
  for (size_t i = 0; i < N_ATOMS; i++) {
    double m0[3] = {0}, m1[3][3] = {{0}}, gate[4] = {0}, vectors[2][3] = {{0}};
    for (size_t j = 0; j < N_ATOMS; j++)
      for (size_t c = 0; c < 3; c++) {
        m0[c] += up[j][c] * filter_at(f, "layers.0.filter.0.weight", 6, c, i, j);
        for (size_t k = 0; k < 3; k++)
          m1[c][k] += up[j][c] * sqrt(3.0) * f->to[i][j][k] *
                      filter_at(f, "layers.0.filter.0.weight", 6, 3 + c, i, j);
      }
    apply(f, "layers.0.linear_down.0e.weight", 3, 4, m0, 1, gate, 1);
    apply(f, "layers.0.self_connection.0e.weight", 3, 4, x[i], 1, gate, 1);
    for (size_t k = 0; k < 3; k++)
      apply(f, "layers.0.linear_down.1e.weight", 3, 2, &m1[0][k], 3, &vectors[0][k], 3);
    for (size_t c = 0; c < 2; c++) {
      s[i][c] = 1.6 * silu(gate[c]);
      for (size_t k = 0; k < 3; k++)
        v[i][c][k] = 1.7 * silu(gate[2 + c]) * vectors[c][k];
    }
  }
}

/* Layer 1: to 4x0e, by the paths 0 x 0 and 1 x 1, C(m, m, 0) = 1 / sqrt(3); then the readout. */
static void second_layer(const struct formula *f, double (*s)[2], double (*v)[2][3],
                         double *energies, const size_t *species) {
  double up[N_ATOMS][2] = {{0}}, up1[N_ATOMS][2][3] = {{{0}}};
  for (size_t i = 0; i < N_ATOMS; i++) {
    apply(f, "layers.1.linear_up.0e.weight", 2, 2, s[i], 1, up[i], 1);
    for (size_t k = 0; k < 3; k++)
      apply(f, "layers.1.linear_up.1e.weight", 2, 2, &v[i][0][k], 3, &up1[i][0][k], 3);
  }
  for (size_t i = 0; i < N_ATOMS; i++) {
    double m[4] = {0}, gate[4] = {0}, e = 0.0;
    for (size_t j = 0; j < N_ATOMS; j++)
      for (size_t c = 0; c < 2; c++) {
        m[c] += up[j][c] * filter_at(f, "layers.1.filter.0.weight", 4, c, i, j);
        m[2 + c] += dot(3, up1[j][c], f->to[i][j]) *
                    filter_at(f, "layers.1.filter.0.weight", 4, 2 + c, i, j);
      }
    apply(f, "layers.1.linear_down.0e.weight", 4, 4, m, 1, gate, 1);
    apply(f, "layers.1.self_connection.0e.weight", 2, 4, s[i], 1, gate, 1);
    for (size_t c = 0; c < 4; c++)
      e += 1.6 * silu(gate[c]) * weight(f, "readout.0.weight", c);
    energies[i] = weight(f, "scale", species[i]) * e + weight(f, "shift", species[i]);
  }
}

static void test_formulas_of_the_format(void **state) {
  (void)state;
  const struct tiny_choices choices = {.l_max = 1, .layers = {"2x0e+2x1e", "4x0e"}};
  struct tiny tiny = tiny_new(&choices);
  struct irrep_model *model = tiny_model(&choices);
  struct cluster c = cluster_new(N_ATOMS, false);
  struct formula f = {.writer = &tiny.writer};
  double x[N_ATOMS][3], s[N_ATOMS][2], v[N_ATOMS][2][3], expected[N_ATOMS];
  size_t species[N_ATOMS];
  for (size_t i = 0; i < N_ATOMS; i++) {
    species[i] = c.numbers[i] == 8;
    for (size_t k = 0; k < 3; k++)
      x[i][k] = weight(&f, "embedding.weight", 3 * species[i] + k);
    for (size_t j = 0; j < N_ATOMS; j++) {
      for (size_t k = 0; k < 3; k++)
        f.to[i][j][k] = c.positions[3 * j + k] - c.positions[3 * i + k];
      f.r[i][j] = sqrt(dot(3, f.to[i][j], f.to[i][j]));
      for (size_t k = 0; k < 3 && i != j; k++)
        f.to[i][j][k] /= f.r[i][j];
    }
  }
  first_layer(&f, (const double(*)[3])x, s, v);
  second_layer(&f, s, v, expected, species);
  cluster_evaluate(model, &c, IRREP_FLOAT64, true);
  assert_all_close(c.energies, expected, N_ATOMS, 1e-12, 1e-12);
  irrep_model_free(model);
  tiny_free(&tiny);
}

/* What is refused */

static const struct tiny_choices plain = {
    .l_max = 1, .layers = {"3x0e+2x1e", "4x0e"}, .filter_hidden = 5, .readout_hidden = 4};

#define BAD IRREP_BAD_MODEL_FILE
#define UNSUPPORTED IRREP_UNSUPPORTED_MODEL
#define FIRST_OUT "\"irreps_out\":\"3x0e+2x1e\""
#define FIRST_MID "\"irreps_mid\":\"3x0e+3x1e\""

static void test_refuses_cards(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {"\"l_max\":1,", "", BAD, "model/l_max"},
      {"\"l_max\":1", "\"l_max\":7", BAD, "model/l_max"},
      {"\"l_max\":1", "\"l_max\":1.5", BAD, "model/l_max"},
      {"\"l_max\":1", "\"L_max\":1", UNSUPPORTED, "model/L_max"},
      {"\"l_max\":1", "\"l_max\":1,\"l_max\":1", BAD, "model/l_max"},
      {"\"edge_parity\":\"even\",", "", BAD, "model/edge_parity"},
      {"\"even\"", "\"odd\"", UNSUPPORTED, "model/edge_parity"},
      {"\"unit\"", "\"gas\"", UNSUPPORTED, "model/edge_harmonics"},
      {"\"unit\"", "3", BAD, "model/edge_harmonics"},
      {"\"layers\":[", "\"layers\":[5,", BAD, "model/layers"},
      {"\"layers\":[", "\"layers\":[{},", BAD, "model/layers/0/self_connection"},
      {FIRST_OUT, "\"irreps_out\":\"\"", BAD, "model/layers/0/irreps_out"},
      {FIRST_OUT, "\"irreps_out\":\"3x0x\"", BAD, "model/layers/0/irreps_out"},
      {FIRST_OUT, "\"irreps_out\":\"3x0e+1x0e+2x1e\"", UNSUPPORTED, "model"},
      {FIRST_OUT, "\"irreps_out\":\"70000x0e\"", BAD, "model/layers/0/irreps_out"},
      {FIRST_OUT, "\"irreps_out\":\"65536x0e+2x1e\"", UNSUPPORTED, "model"},
      {FIRST_MID, "\"irreps_mid\":5", BAD, "model/layers/0/irreps_mid"},
      {FIRST_MID, "\"irreps_mid\":\"2x0e+3x1e\"", BAD, "model/layers"},
      {FIRST_MID, "\"irreps_mid\":\"3x0e+3x1e+1x2e\"", BAD, "model/layers"},
      {FIRST_MID, "\"irreps_mid\":\"3x0e+3x1e+1x0e\"", UNSUPPORTED, "model"},
      {FIRST_MID ",\"self_connection\":\"linear\"", FIRST_MID ",\"self_connection\":\"skip\"",
       UNSUPPORTED, "model/layers/0/self_connection"},
      {FIRST_MID, FIRST_MID ",\"dropout\":0.5", UNSUPPORTED, "model/layers/0/dropout"},
      {"\"readout\":", "\"extra\":", UNSUPPORTED, "model/extra"},
  };
  assert_refusals(&plain, refusals, sizeof refusals / sizeof *refusals);
}

/* The second layer has no gated features, so its gate stands alone in the card. */
static void test_refuses_gates(void **state) {
  (void)state;
  static const struct tiny_choices one_layer = {.l_max = 1, .layers = {"4x0e"}};
  static const struct refusal refusals[] = {
      {"\"gate\":{", "\"gates\":{", UNSUPPORTED, "model/layers/0/gates"},
      {"\"gate\":{", "\"gate\":{\"norm\":1,", UNSUPPORTED, "model/layers/0/gate/norm"},
      {"\"scalars\":{\"0e\"", "\"scalars\":{\"1e\"", UNSUPPORTED, "model/layers/0/gate/scalars/1e"},
      {"\"scalars\":{", "\"scalars\":{\"0e\":{},", BAD, "model/layers/0/gate/scalars/0e"},
      {"\"scale\":1.6", "\"scale\":1e7", BAD, "model/layers/0/gate/scalars/0e/scale"},
      {"\"silu\",\"scale\":1.6", "\"relu\",\"scale\":1.6", UNSUPPORTED,
       "model/layers/0/gate/scalars/0e/activation"},
      {",\"scale\":1.6", "", BAD, "model/layers/0/gate/scalars/0e/scale"},
      {"\"scale\":1.6", "\"scale\":1.6,\"shift\":0", UNSUPPORTED,
       "model/layers/0/gate/scalars/0e/shift"},
  };
  assert_refusals(&one_layer, refusals, sizeof refusals / sizeof *refusals);
}

static void test_refuses_gated_features_without_scalars(void **state) {
  (void)state;
  static const struct tiny_choices choices = {.l_max = 1, .layers = {"2x1e", "3x0e"}};
  struct tiny tiny = tiny_new(&choices);
  assert_tiny_refused(&tiny, UNSUPPORTED, "model/layers/0");
}

static void test_bounds_the_layers(void **state) {
  (void)state;
  struct tiny tiny = tiny_new(&plain);
  tiny_replace(&tiny, "\"layers\":[", "\"layers\":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},");
  assert_tiny_refused(&tiny, BAD, "model/layers");
}

static void test_needs_every_tensor(void **state) {
  (void)state;
  struct tiny tiny = tiny_new(&plain);
  for (size_t i = 0; i < tiny.writer.n; i++)
    assert_tensor_is_needed(&plain, tiny.writer.tensors[i].name);
  assert_true(tiny.writer.n > 15);
  tiny_free(&tiny);
}

static void test_refuses_tensors_without_meaning(void **state) {
  (void)state;
  static const char *const names[] = {"layers.2.linear_up.0e.weight",
                                      "layers.0.linear_up.2e.weight",
                                      "layers.0.linear_up.1e.bias",
                                      "layers.0.filter.2.bias",
                                      "layers.0.filter.bias",
                                      "readout.2.bias",
                                      "x"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct tiny tiny = tiny_new(&plain);
    writer_add(&tiny.writer, names[i], 1, (const size_t[]){1}, 1.0);
    assert_tiny_refused(&tiny, UNSUPPORTED, names[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forces_and_stress_are_the_slopes_of_the_energy),
      cmocka_unit_test(test_rotations),
      cmocka_unit_test(test_reflections_of_models_with_parity),
      cmocka_unit_test(test_order_and_translation),
      cmocka_unit_test(test_float32_is_near),
      cmocka_unit_test(test_formulas_of_the_format),
      cmocka_unit_test(test_refuses_cards),
      cmocka_unit_test(test_refuses_gates),
      cmocka_unit_test(test_refuses_gated_features_without_scalars),
      cmocka_unit_test(test_bounds_the_layers),
      cmocka_unit_test(test_needs_every_tensor),
      cmocka_unit_test(test_refuses_tensors_without_meaning),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
