#include "core/e3/spherical_harmonics.h"
#include "core/e3/wigner.h"
#include "tests/unit/support_allegro.h"

#define EDGES_MAX 512 /* of an atom */
#define FEATURES_MAX ((ALLEGRO_LAYERS_MAX + 1) * ALLEGRO_SCALARS)
#define COMPONENTS_MAX 18 /* of tensor features */
#define COLUMNS_MAX 64

static const struct allegro_choices models[] = {
    {.l_max = 0},
    {.l_max = 1},
    {.l_max = 2, .irreps = {"2x0e+2x1o+2x2e"}},
    {.l_max = 1, .irreps = {"2x0e", "2x0e+2x1o"}}, /* pairs of one input with two outputs */
    {.l_max = 2, .irreps = {"2x0e+2x1e+2x1o+2x2e+2x2o", "2x0e+2x2e+2x1o"}},
};
#define N_MODELS (sizeof models / sizeof *models)

/* The formulas of irrep/model_format.h, word for word, on a writer's tensors: all edges that one
 * atom receives. */
struct plain {
  struct writer *writer;
  const struct allegro_choices *choices;
  size_t n_edges;
  uint32_t receiver, senders[EDGES_MAX]; /* species */
  double vectors[EDGES_MAX][3];
  double scalars[EDGES_MAX][FEATURES_MAX]; /* x_0, x_1, .. one after the other */
  double tensors[EDGES_MAX][COMPONENTS_MAX][ALLEGRO_TENSORS];
  double weights[EDGES_MAX][COLUMNS_MAX]; /* w_t */
  struct irreps irreps;
};

static double r_max_of(const struct allegro_choices *choices) {
  return choices->r_max > 0 ? choices->r_max : 3.2;
}

static const struct writer_tensor *tensor(const struct plain *plain, const char *prefix,
                                          const char *name) {
  char full[128];
  (void)snprintf(full, sizeof full, "%s%s", prefix, name);
  return writer_find(plain->writer, full);
}

/* Of one hidden layer; the first weight begins at `first`. */
static void mlp(const struct plain *plain, const char *prefix, const char *name, size_t first,
                size_t n_in, const double *in, double *out) {
  char text[64];
  double hidden[8];
  (void)snprintf(text, sizeof text, "%s.0.weight", name);
  const struct writer_tensor *w = tensor(plain, prefix, text);
  const size_t n_hidden = w->shape[w->n_dims - 1];
  for (size_t k = 0; k < n_hidden; k++) {
    double sum = 0.0;
    for (size_t i = 0; i < n_in; i++)
      sum += in[i] * w->values[first + i * n_hidden + k];
    hidden[k] = sum / (1.0 + exp(-sum));
  }
  (void)snprintf(text, sizeof text, "%s.1.weight", name);
  w = tensor(plain, prefix, text);
  for (size_t o = 0; o < w->shape[1]; o++) {
    out[o] = 0.0;
    for (size_t k = 0; k < n_hidden; k++)
      out[o] += hidden[k] * w->values[k * w->shape[1] + o];
  }
}

static void harmonics_of(const struct plain *plain, size_t e, double *y) {
  /* Of the given direction: the other one must give the same. */
  spherical_harmonics(plain->choices->l_max, 1, plain->vectors[e], y);
}

static int degree_of(size_t h) {
  int l = 0;
  while (HARMONICS(l) <= h)
    l++;
  return l;
}

static void two_body(struct plain *plain, size_t e) {
  const double *v = plain->vectors[e], r = sqrt(dot(3, v, v));
  const double u = r / r_max_of(plain->choices);
  double basis[3], out[COLUMNS_MAX], y[HARMONICS(IRREP_L_MAX)];
  for (size_t k = 0; k < 3; k++)
    basis[k] = 0.8 * sin(tensor(plain, "radial.", "frequencies")->values[k] * r) / r *
               (1 - 28 * pow(u, 6) + 48 * pow(u, 7) - 21 * pow(u, 8));
  mlp(plain, "", "two_body", (plain->receiver * 2 + plain->senders[e]) * 12, 3, basis, out);
  memcpy(plain->scalars[e], out, ALLEGRO_SCALARS * sizeof *out);
  const double *first = out + ALLEGRO_SCALARS;
  const size_t n = (size_t)(plain->choices->l_max + 1) * ALLEGRO_TENSORS;
  memcpy(plain->weights[e], first + n, n * sizeof *out);
  harmonics_of(plain, e, y);
  for (size_t h = 0; h < HARMONICS(plain->choices->l_max); h++)
    for (size_t c = 0; c < ALLEGRO_TENSORS; c++)
      plain->tensors[e][h][c] = first[(size_t)degree_of(h) * ALLEGRO_TENSORS + c] * y[h];
}

static void environment(const struct plain *plain, double (*env)[ALLEGRO_TENSORS]) {
  const double scale = tensor(plain, "", "environment_scale")->values[plain->receiver];
  for (size_t h = 0; h < HARMONICS(plain->choices->l_max); h++)
    for (size_t c = 0; c < ALLEGRO_TENSORS; c++) {
      env[h][c] = 0.0;
      for (size_t e = 0; e < plain->n_edges; e++) {
        double y[HARMONICS(IRREP_L_MAX)];
        harmonics_of(plain, e, y);
        env[h][c] += scale * plain->weights[e][(size_t)degree_of(h) * ALLEGRO_TENSORS + c] * y[h];
      }
    }
}

static size_t start_of(const struct irreps *irreps, size_t entry) {
  size_t start = 0;
  for (size_t i = 0; i < entry; i++)
    start += (size_t)(2 * irreps->entry[i].ir.l + 1);
  return start;
}

static void tensor_product(struct plain *plain, const char *prefix, const struct irreps *to,
                           const double (*env)[ALLEGRO_TENSORS]) {
  static struct coupling_term terms[COUPLING_TERMS_MAX];
  static double out[EDGES_MAX][COMPONENTS_MAX][ALLEGRO_TENSORS];
  const double *weight = tensor(plain, prefix, "product.weight")->values;
  memset(out, 0, sizeof out);
  for (size_t o = 0; o < to->n; o++)
    for (size_t i = 0; i < plain->irreps.n; i++)
      for (int l = 0; l <= plain->choices->l_max; l++) {
        const struct irrep target = to->entry[o].ir, source = plain->irreps.entry[i].ir;
        size_t n;
        if (!irrep_in_product(target, source, (struct irrep){l, l % 2 ? -1 : 1}))
          continue;
        assert_int_equal(coupling_terms(source.l, l, target.l, terms, &n), IRREP_OK);
        for (size_t e = 0; e < plain->n_edges; e++)
          for (size_t k = 0; k < n; k++)
            for (size_t c = 0; c < ALLEGRO_TENSORS; c++)
              out[e][start_of(to, o) + (size_t)terms[k].m3][c] +=
                  weight[c] * terms[k].c *
                  plain->tensors[e][start_of(&plain->irreps, i) + (size_t)terms[k].m1][c] *
                  env[l * l + terms[k].m2][c];
        weight += ALLEGRO_TENSORS;
      }
  memcpy(plain->tensors, out, sizeof out);
  plain->irreps = *to;
}

static void layer(struct plain *plain, size_t t) {
  const char *text = plain->choices->irreps[t];
  const struct irreps to = irreps_of(text ? text : "2x0e");
  const size_t scalars = start_of(&to, irreps_find(&to, (struct irrep){0, 1}));
  const size_t n = (t + 1) * ALLEGRO_SCALARS;
  double env[HARMONICS(IRREP_L_MAX)][ALLEGRO_TENSORS];
  char prefix[32];
  (void)snprintf(prefix, sizeof prefix, "layers.%zu.", t);
  environment(plain, env);
  tensor_product(plain, prefix, &to, env);
  for (size_t e = 0; e < plain->n_edges; e++) {
    double in[FEATURES_MAX + ALLEGRO_TENSORS], out[COLUMNS_MAX];
    memcpy(in, plain->scalars[e], n * sizeof *in);
    memcpy(in + n, plain->tensors[e][scalars], ALLEGRO_TENSORS * sizeof *in);
    mlp(plain, prefix, "latent", 0, n + ALLEGRO_TENSORS, in, out);
    memcpy(plain->scalars[e] + n, out, ALLEGRO_SCALARS * sizeof *out);
    if (text)
      memcpy(plain->weights[e], out + ALLEGRO_SCALARS,
             (size_t)(plain->choices->l_max + 1) * ALLEGRO_TENSORS * sizeof *out);
  }
}

static double energy(struct plain *plain) {
  size_t t = 0;
  double sum = 0.0;
  plain->irreps = allegro_harmonics(plain->choices->l_max);
  for (size_t e = 0; e < plain->n_edges; e++)
    two_body(plain, e);
  do
    layer(plain, t);
  while (plain->choices->irreps[t++]);
  for (size_t e = 0; e < plain->n_edges; e++) {
    double y;
    mlp(plain, "", "readout", 0, (t + 1) * ALLEGRO_SCALARS, plain->scalars[e], &y);
    sum += y;
  }
  return tensor(plain, "", "scale")->values[plain->receiver] * sum +
         tensor(plain, "", "shift")->values[plain->receiver];
}

/* All periodic images that are near enough, from the sender to the atom. */
static void find_edges(struct plain *plain, const struct cluster *c, size_t atom) {
  const double r_max = r_max_of(plain->choices);
  const int reach = c->periodic ? 4 : 0;
  plain->n_edges = 0;
  plain->receiver = c->numbers[atom] == 8;
  for (size_t j = 0; j < c->n_atoms; j++)
    for (int k = 0; k < (2 * reach + 1) * (2 * reach + 1) * (2 * reach + 1); k++) {
      const int n = 2 * reach + 1;
      const double shift[3] = {k % n - reach, k / n % n - reach, k / n / n - reach};
      double v[3];
      for (size_t a = 0; a < 3; a++)
        v[a] = c->positions[3 * atom + a] - c->positions[3 * j + a] + shift[0] * c->cell[0][a] +
               shift[1] * c->cell[1][a] + shift[2] * c->cell[2][a];
      const double r = sqrt(dot(3, v, v));
      if (r < 1e-9 || !(r < r_max))
        continue;
      assert_true(plain->n_edges < EDGES_MAX);
      memcpy(plain->vectors[plain->n_edges], v, sizeof v);
      plain->senders[plain->n_edges++] = c->numbers[j] == 8;
    }
}

static void check_energies(const struct allegro_choices *choices, size_t n_atoms, bool periodic,
                           size_t more_edges_than) {
  static struct plain plain;
  struct tiny tiny = allegro_new(choices);
  struct cluster c = cluster_new(n_atoms, periodic);
  double expected[CLUSTER_MAX];
  plain.writer = &tiny.writer;
  plain.choices = choices;
  for (size_t i = 0; i < n_atoms; i++) {
    find_edges(&plain, &c, i);
    assert_true(plain.n_edges >= more_edges_than);
    expected[i] = energy(&plain);
  }
  struct irrep_model *model = tiny_loaded(&tiny);
  cluster_evaluate(model, &c, IRREP_FLOAT64, true);
  assert_all_close(c.energies, expected, n_atoms, 2e-13, 2e-13);
  irrep_model_free(model);
}

static void test_energies_are_those_of_the_formulas(void **state) {
  (void)state;
  for (size_t m = 0; m < N_MODELS; m++)
    for (size_t n_atoms = 1; n_atoms <= CLUSTER_MAX; n_atoms += 3) {
      check_energies(&models[m], n_atoms, false, 0);
      check_energies(&models[m], n_atoms, true, 1);
    }
}

/* More edges than arrays of edges have room for. */
static void test_atoms_with_many_edges(void **state) {
  (void)state;
  const struct allegro_choices far = {
      .l_max = 1, .r_max = 6.6, .irreps = {"2x0e+2x1o", "2x0e+2x1e+2x1o"}};
  check_energies(&far, CLUSTER_MAX, true, 257);
}

static void test_forces_are_the_slopes_of_the_energy(void **state) {
  (void)state;
  for (size_t m = 0; m < N_MODELS; m++) {
    struct tiny tiny = allegro_new(&models[m]);
    struct irrep_model *model = tiny_loaded(&tiny);
    assert_forces_are_slopes(model, false);
    assert_forces_are_slopes(model, true);
    irrep_model_free(model);
  }
}

/* Tables for each pair of species are as good as the networks. */
static void test_tables(void **state) {
  (void)state;
  struct tiny tiny = allegro_new(&models[2]);
  struct irrep_model *model = tiny_loaded(&tiny);
  struct cluster exact = cluster_new(7, true), tabulated = cluster_new(7, true);
  cluster_evaluate(model, &exact, IRREP_FLOAT64, true);
  cluster_evaluate(model, &tabulated, IRREP_FLOAT64, false);
  assert_true(memcmp(exact.energies, tabulated.energies, 7 * sizeof(double)) != 0);
  assert_all_close(tabulated.energies, exact.energies, 7, 1e-9, 1e-9);
  assert_all_close(tabulated.forces, exact.forces, 21, 1e-8, 1e-8);
  irrep_model_free(model);
}

static void test_bad_cards_are_refused(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {"\"2x0e+2x1o+2x2e\"", "\"2x1o+2x2e\"", IRREP_UNSUPPORTED_MODEL, "model/layers/0"},
      {"\"2x0e+2x1o+2x2e\"", "\"2x0e+3x1o+2x2e\"", IRREP_UNSUPPORTED_MODEL, "model/layers/0"},
      {"\"2x0e+2x1o+2x2e\"", "\"2x0e+2x1o+2x1o\"", IRREP_UNSUPPORTED_MODEL, "model"},
      {"\"2x0e+2x1o+2x2e\"", "\"2x0e+2x1o+2x3o\"", IRREP_BAD_MODEL_FILE, "layers.0.product.weight"},
      {"\"num_scalars\":3", "\"num_scalars\":4", IRREP_BAD_MODEL_FILE, "two_body.1.weight"},
      {"\"num_tensors\":2", "\"num_tensors\":0", IRREP_BAD_MODEL_FILE, "model/num_tensors"},
      {"\"l_max\":2", "\"l_max\":7", IRREP_BAD_MODEL_FILE, "model/l_max"},
      {"\"l_max\":2", "\"lmax\":2", IRREP_UNSUPPORTED_MODEL, "model/lmax"},
      {"\"polynomial\",\"p\":6", "\"none\"", IRREP_UNSUPPORTED_MODEL, "radial/cutoff"},
  };
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    struct tiny tiny = allegro_new(&models[2]);
    tiny_replace(&tiny, refusals[i].from, refusals[i].to);
    assert_tiny_refused(&tiny, refusals[i].status, refusals[i].field);
  }
}

/* A model without layers reads nothing of its two-body features but the scalars. */
static void test_layers_are_needed(void **state) {
  (void)state;
  struct tiny tiny = allegro_new(&models[1]);
  tiny_replace(&tiny,
               "{\"irreps_out\":\"2x0e\",\"latent\":{\"hidden\":[5],\"activation\":\"silu\"}}", "");
  struct irrep_model *model;
  assert_int_not_equal(tiny_load(&tiny, &model, NULL), IRREP_OK);
  tiny_free(&tiny);
}

static void test_each_tensor_is_needed(void **state) {
  (void)state;
  static const char *const names[] = {"two_body.0.weight",        "two_body.1.weight",
                                      "environment_scale",        "layers.0.product.weight",
                                      "layers.0.latent.0.weight", "layers.1.latent.1.weight",
                                      "readout.0.weight",         "readout.1.weight"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct tiny tiny = allegro_new(&models[2]);
    writer_drop(&tiny.writer, names[i]);
    assert_tiny_refused(&tiny, IRREP_BAD_MODEL_FILE, names[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_energies_are_those_of_the_formulas),
      cmocka_unit_test(test_atoms_with_many_edges),
      cmocka_unit_test(test_forces_are_the_slopes_of_the_energy),
      cmocka_unit_test(test_tables),
      cmocka_unit_test(test_bad_cards_are_refused),
      cmocka_unit_test(test_layers_are_needed),
      cmocka_unit_test(test_each_tensor_is_needed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
