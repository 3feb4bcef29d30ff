#include "tests/unit/support_kernels.h"

#define SPECIES 3
#define MONOMIALS_MAX 4096
#define NODES_MAX 1024

/* One monomial of the trees below, for the plain sum. */
struct monomial {
  size_t output, n_variables, variables[PRODUCT_CORRELATION_MAX], coefficient;
};

/* Trees in which some monomials lead further and some do not. */
struct trial {
  struct rng rng;
  size_t n_variables, n_outputs, channels, order, rows;
  struct product op;
  struct product_output outputs[3];
  struct product_node nodes[NODES_MAX];
  uint8_t leaves[MONOMIALS_MAX];
  struct monomial monomials[MONOMIALS_MAX];
  size_t n_monomials, n_nodes, n_leaves, n_coefficients;
  size_t in_offset[32];
  uint32_t species[40];
  struct reals weights, x, grad_out, before;
};

static const struct {
  size_t n_variables, n_outputs, channels, order;
  bool shared;
} cases[] = {
    {1, 1, 16, 1, false}, {4, 3, 16, 2, false},  {9, 2, 48, 3, false},
    {5, 1, 32, 4, true},  {16, 1, 16, 3, false},
};
#define N_CASES (sizeof cases / sizeof *cases)

static void add_monomial(struct trial *t, size_t output, size_t depth, const size_t *variables) {
  struct monomial *m = &t->monomials[t->n_monomials++];
  assert_true(t->n_monomials < MONOMIALS_MAX);
  *m = (struct monomial){output, depth, {0}, t->n_coefficients++};
  for (size_t i = 0; i < depth && i < PRODUCT_CORRELATION_MAX; i++)
    m->variables[i] = variables[i];
}

/* The node of variables[0..depth); a random half of what could lead further ends here. */
static void add_node(struct trial *t, size_t output, size_t depth, size_t *variables) {
  struct product_node *node = &t->nodes[t->n_nodes++];
  bool further[32] = {false};
  assert_true(t->n_nodes < NODES_MAX);
  node->depth = (uint8_t)depth;
  node->variable = depth ? (uint8_t)variables[depth - 1] : 0;
  add_monomial(t, output, depth, variables);
  for (size_t v = depth ? variables[depth - 1] : 0; v < t->n_variables; v++) {
    variables[depth] = v;
    further[v] =
        depth + 1 < t->order && depth + 1 < PRODUCT_CORRELATION_MAX && rng_next(&t->rng) < 0.0;
    if (further[v])
      continue;
    t->leaves[t->n_leaves++] = (uint8_t)v;
    add_monomial(t, output, depth + 1, variables);
    node->n_leaves++;
  }
  for (size_t v = 0; v < t->n_variables; v++)
    if (further[v]) {
      variables[depth] = v;
      add_node(t, output, depth + 1, variables);
    }
}

static void trial_init(struct trial *t, const struct kernels *kernels, size_t c, size_t rows) {
  *t = (struct trial){.rng = {c + 1},
                      .n_variables = cases[c].n_variables,
                      .n_outputs = cases[c].n_outputs,
                      .channels = cases[c].channels,
                      .order = cases[c].order,
                      .rows = rows};
  for (size_t o = 0; o < t->n_outputs; o++) {
    size_t variables[PRODUCT_CORRELATION_MAX + 1];
    t->outputs[o] = (struct product_output){.out_offset = (t->n_outputs - 1 - o) * t->channels,
                                            .first_node = t->n_nodes,
                                            .first_leaf = t->n_leaves,
                                            .first_coefficient = t->n_coefficients};
    add_node(t, o, 0, variables);
    t->outputs[o].n_nodes = t->n_nodes - t->outputs[o].first_node;
  }
  for (size_t i = 0; i < t->n_variables; i++)
    t->in_offset[i] = (t->n_variables - 1 - i) * t->channels;
  for (size_t r = 0; r < rows; r++)
    t->species[r] = (uint32_t)rng_below(&t->rng, SPECIES);
  const size_t stride = t->n_coefficients * t->channels;
  t->op = (struct product){.in_dim = t->n_variables * t->channels,
                           .out_dim = t->n_outputs * t->channels,
                           .channels = t->channels,
                           .n_variables = t->n_variables,
                           .in_offset = t->in_offset,
                           .n_outputs = t->n_outputs,
                           .outputs = t->outputs,
                           .nodes = t->nodes,
                           .leaves = t->leaves,
                           .n_coefficients = t->n_coefficients,
                           .weights = 16,
                           .species_stride = cases[c].shared ? 0 : stride};
  t->weights = reals_random(kernels, &t->rng, 16 + SPECIES * stride);
  t->x = reals_random(kernels, &t->rng, rows * t->op.in_dim);
  t->before = reals_random(kernels, &t->rng, rows * t->op.in_dim);
  t->grad_out = reals_random(kernels, &t->rng, rows * t->op.out_dim);
}

static void trial_fini(struct trial *t) {
  reals_free(&t->weights);
  reals_free(&t->x);
  reals_free(&t->before);
  reals_free(&t->grad_out);
}

static double coefficient(const struct trial *t, size_t row, size_t channel,
                          const struct monomial *m) {
  const size_t block = channel / IRREP_LANES * t->n_coefficients + m->coefficient;
  return t->weights.exact[16 + t->species[row] * t->op.species_stride + block * IRREP_LANES +
                          channel % IRREP_LANES];
}

/* Sums over the monomials, and for each sum the sum of its terms' sizes. */
static void plain(const struct trial *t, double *out, double *out_size, double *grad,
                  double *grad_size) {
  for (size_t r = 0; r < t->rows; r++)
    for (size_t c = 0; c < t->channels; c++) {
      const size_t x = r * t->op.in_dim + c;
      for (size_t i = 0; i < t->n_monomials; i++) {
        const struct monomial *m = &t->monomials[i];
        const size_t y = r * t->op.out_dim + t->outputs[m->output].out_offset + c;
        double product = coefficient(t, r, c, m);
        for (size_t j = 0; j < m->n_variables; j++) {
          double others = coefficient(t, r, c, m) * t->grad_out.exact[y];
          for (size_t k = 0; k < m->n_variables; k++)
            if (k != j)
              others *= t->x.exact[x + t->in_offset[m->variables[k]]];
          grad[x + t->in_offset[m->variables[j]]] += others;
          grad_size[x + t->in_offset[m->variables[j]]] += fabs(others);
          product *= t->x.exact[x + t->in_offset[m->variables[j]]];
        }
        out[y] += product;
        out_size[y] += fabs(product);
      }
    }
}

static void check_case(const struct kernels *kernels, size_t c, size_t rows) {
  static struct trial t;
  trial_init(&t, kernels, c, rows);
  const size_t n_in = t.x.n, n_out = t.grad_out.n;
  double *sums = doubles_new(2 * (n_in + n_out));
  double *out = sums, *out_size = out + n_out, *grad = out_size + n_out, *grad_size = grad + n_in;
  plain(&t, out, out_size, grad, grad_size);
  struct reals y = reals_random(kernels, &t.rng, n_out), gx = reals_random(kernels, &t.rng, n_in);
  struct reals added = reals_of(kernels, n_in, t.before.exact);
  kernels->product(&t.op, rows, t.species, t.weights.data, t.x.data, y.data);
  kernels->product_adjoint(&t.op, rows, t.species, t.weights.data, t.x.data, t.grad_out.data,
                           gx.data, false);
  kernels->product_adjoint(&t.op, rows, t.species, t.weights.data, t.x.data, t.grad_out.data,
                           added.data, true);
  reals_read(&y);
  reals_read(&gx);
  reals_read(&added);
  /* Horner's scheme rounds twice a level, and sums rarely lose more than a few of their roundings:
   * within 16 epsilons of the terms' sizes. */
  const double factor = 16 * epsilon_of(kernels);
  assert_within(y.exact, out, out_size, n_out, factor);
  assert_within(gx.exact, grad, grad_size, n_in, factor);
  for (size_t i = 0; i < n_in; i++) {
    grad[i] += t.before.exact[i];
    grad_size[i] += fabs(t.before.exact[i]);
  }
  assert_within(added.exact, grad, grad_size, n_in, factor);
  free(sums);
  reals_free(&y);
  reals_free(&gx);
  reals_free(&added);
  trial_fini(&t);
}

static void check_cases(const struct kernels *kernels) {
  for (size_t c = 0; c < N_CASES; c++) {
    check_case(kernels, c, 1);
    check_case(kernels, c, 7);
  }
}

static void test_both_directions_equal_sums_of_monomials(void **state) {
  (void)state;
  for_each_table(check_cases);
}

static void check_rows(const struct kernels *kernels) {
  static struct trial t;
  trial_init(&t, kernels, 2, 33);
  const size_t in = t.op.in_dim, out = t.op.out_dim;
  struct reals y = reals_zero(kernels, 33 * out), alone = reals_zero(kernels, out);
  struct reals gx = reals_zero(kernels, 33 * in), grad_alone = reals_zero(kernels, in);
  kernels->product(&t.op, 33, t.species, t.weights.data, t.x.data, y.data);
  kernels->product_adjoint(&t.op, 33, t.species, t.weights.data, t.x.data, t.grad_out.data, gx.data,
                           false);
  for (size_t r = 0; r < 33; r++) {
    kernels->product(&t.op, 1, t.species + r, t.weights.data, real_at(&t.x, r * in), alone.data);
    kernels->product_adjoint(&t.op, 1, t.species + r, t.weights.data, real_at(&t.x, r * in),
                             real_at(&t.grad_out, r * out), grad_alone.data, false);
    assert_same_bits(&y, r * out, &alone, 0, out);
    assert_same_bits(&gx, r * in, &grad_alone, 0, in);
  }
  reals_free(&y);
  reals_free(&alone);
  reals_free(&gx);
  reals_free(&grad_alone);
  trial_fini(&t);
}

static void test_rows_are_independent(void **state) {
  (void)state;
  for_each_table(check_rows);
}

static double objective(const double *x, void *context) {
  const struct trial *t = context;
  struct reals out = reals_zero(t->x.kernels, t->grad_out.n);
  out.kernels->product(&t->op, t->rows, t->species, t->weights.data, x, out.data);
  reals_read(&out);
  const double value = dot(out.n, out.exact, t->grad_out.exact);
  reals_free(&out);
  return value;
}

/* Polynomials of fourth order: five points give their slopes exactly, but for rounding over h. */
static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  for (size_t c = 0; c < N_CASES; c++) {
    static struct trial t;
    trial_init(&t, kernels, c, 2);
    struct reals grad = reals_zero(kernels, t.x.n);
    kernels->product_adjoint(&t.op, 2, t.species, t.weights.data, t.x.data, t.grad_out.data,
                             grad.data, false);
    reals_read(&grad);
    assert_gradient(objective, &t, t.x.n, t.x.exact, grad.exact, 1e-2, 1e-12);
    reals_free(&grad);
    trial_fini(&t);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_sums_of_monomials),
      cmocka_unit_test(test_rows_are_independent),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
