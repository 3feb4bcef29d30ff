#include "tests/unit/support_convolution.h"

#define N_ATOMS 5

/* Edges sorted by receiver, some atoms with many, one with none, and everything that lies on them.
 * An edge is paired with its reverse nowhere: the kernels never look. */
struct trial {
  struct test_convolution *c;
  size_t n_edges, n_harmonics;
  uint32_t senders[80], receivers[80];
  struct reals y, filters, derivatives, x, grad_out, weights, scratch;
};

static const struct {
  const char *x, *out;
  int l_max;
  size_t n_edges;
  bool apart; /* each path has an output of its own */
} cases[] = {
    {"16x0e", "16x0e", 0, 33, false},
    {"1x0e+5x1e", "1x0e+5x0e+1x1e+5x1e", 1, 64, false},
    {"48x0e+48x1e+48x2e", "48x0e+48x1e+48x2e", 2, 31, false},
    {"48x0e+48x1e+48x2e", "48x0e+48x1e+48x2e", 2, 78, true},
    {"128x0e+128x1e", "128x0e+128x1e+128x2e+128x3e", 3, 37, true},
    {"80x3e", "80x3e+80x0e", 3, 20, true},
    {"128x1o+5x3o", "128x1e+5x3e+128x2o", 3, 7, false},
    {"5x4e+1x3e", "5x4e+1x2e+5x1e+5x0e", 4, 32, false},
    {"5x2e+16x3e", "5x6e+16x5o+5x4o", 4, 5, true},
    {"1x6e+5x5e", "1x6e+5x5e+5x1e", 6, 3, false},
};
#define N_CASES (sizeof cases / sizeof *cases)

static struct reals filter_random(const struct kernels *kernels, struct rng *rng,
                                  const struct test_convolution *c, size_t n_edges) {
  double *values = doubles_new(n_edges * c->op.n_columns);
  for (size_t i = 0; i < n_edges * c->op.n_columns; i++)
    values[i] = column_is_channel(c, i % c->op.n_columns) ? rng_next(rng) : 0.0;
  const struct reals filter = reals_of(kernels, n_edges * c->op.n_columns, values);
  free(values);
  return filter;
}

static void trial_init(struct trial *trial, const struct kernels *kernels, size_t c) {
  struct rng rng = {c + 1};
  const size_t n = cases[c].n_edges;
  *trial = (struct trial){.n_edges = n, .n_harmonics = HARMONICS(cases[c].l_max)};
  trial->c = (cases[c].apart ? convolution_apart : convolution_new)(cases[c].x, cases[c].l_max,
                                                                    cases[c].out);
  assert_true(trial->c->op.n_paths > 0);
  for (size_t e = 0; e < n; e++) {
    const size_t receiver = e * N_ATOMS / n;
    trial->receivers[e] = (uint32_t)(receiver == 2 ? 3 : receiver);
    trial->senders[e] = (uint32_t)rng_below(&rng, N_ATOMS);
  }
  double *vectors = doubles_new(3 * n), *y = doubles_new(n * trial->n_harmonics);
  rng_fill(&rng, 3 * n, vectors);
  spherical_harmonics(cases[c].l_max, n, vectors, y);
  trial->y = reals_of(kernels, n * trial->n_harmonics, y);
  free(vectors);
  free(y);
  trial->filters = filter_random(kernels, &rng, trial->c, n);
  trial->derivatives = filter_random(kernels, &rng, trial->c, n);
  trial->x = rows_random(kernels, &rng, &trial->c->x, N_ATOMS);
  trial->grad_out = rows_random(kernels, &rng, &trial->c->out, N_ATOMS);
  trial->weights = reals_of(kernels, trial->c->n_weights, trial->c->weights);
  trial->scratch = reals_random(kernels, &rng, convolution_scratch(&trial->c->op));
}

static void trial_fini(struct trial *trial) {
  convolution_free(trial->c);
  reals_free(&trial->y);
  reals_free(&trial->filters);
  reals_free(&trial->derivatives);
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
  reals_free(&trial->weights);
  reals_free(&trial->scratch);
}

/* Runs the edges [first, end) into the rows of out, of which the first is atom first_row. */
static void forward(const struct trial *trial, size_t first, size_t end, size_t first_row,
                    struct reals *out) {
  const struct convolution *op = &trial->c->op;
  const struct message_filters filters = {.values =
                                              real_at(&trial->filters, first * op->n_columns)};
  out->kernels->convolution(op, end - first, trial->weights.data, trial->senders + first,
                            trial->receivers + first, first_row,
                            real_at(&trial->y, first * trial->n_harmonics), &filters, trial->x.data,
                            out->data, trial->scratch.data);
}

/* What the adjoint writes, each with what was there before and the sizes of the terms. */
struct gradients {
  struct reals x;
  double *y, *distance;
};

static struct gradients gradients_new(const struct kernels *kernels, const struct trial *trial) {
  struct rng rng = {99};
  struct gradients g = {.x = rows_random(kernels, &rng, &trial->c->x, N_ATOMS),
                        .y = doubles_new(trial->n_edges * trial->n_harmonics),
                        .distance = doubles_new(trial->n_edges)};
  rng_fill(&rng, trial->n_edges * trial->n_harmonics, g.y);
  rng_fill(&rng, trial->n_edges, g.distance);
  return g;
}

static void gradients_free(struct gradients *g) {
  reals_free(&g->x);
  free(g->y);
  free(g->distance);
}

static void adjoint(const struct trial *trial, size_t first, size_t end, struct gradients *g) {
  const struct convolution *op = &trial->c->op;
  const size_t columns = first * op->n_columns, harmonics = first * trial->n_harmonics;
  const struct message_filters filters = {.values = real_at(&trial->filters, columns),
                                          .derivatives = real_at(&trial->derivatives, columns)};
  g->x.kernels->convolution_adjoint(op, end - first, trial->weights.data, trial->senders + first,
                                    trial->receivers + first, 0, real_at(&trial->y, harmonics),
                                    &filters, trial->x.data, trial->grad_out.data, g->x.data,
                                    g->y + harmonics, g->distance + first, trial->scratch.data);
}

/* Calls f for each term of the sum that one edge adds: C times the four factors' places. */
struct term {
  double c;
  size_t edge, x, y, column, out; /* places in one row each */
  int l2;
};

static void each_term(const struct trial *trial, void (*f)(const struct term *, void *context),
                      void *context) {
  for (size_t e = 0; e < trial->n_edges; e++)
    for (size_t i = 0; i < trial->c->n_terms; i++) {
      const struct coupling_term *t = &trial->c->terms[i].term;
      const struct path *path = &trial->c->paths[trial->c->terms[i].path];
      for (size_t c = 0; c < trial->c->mul[trial->c->terms[i].path]; c++)
        f(&(struct term){t->c, e, path->x_offset + (size_t)t->m1 * path->x_stride + c,
                         (size_t)(path->l2 * path->l2 + t->m2), path->filter_column + c,
                         path->out_offset + (size_t)t->m3 * path->out_stride + c, path->l2},
          context);
    }
}

/* The plain sums, beside the sums of the sizes of their terms. */
struct sums {
  const struct trial *trial;
  double *out, *out_size;
  double *x, *x_size, *y, *y_size, *distance, *distance_size;
};

static void add(double *sum, double *size, double term) {
  *sum += term;
  *size += fabs(term);
}

static void forward_term(const struct term *t, void *context) {
  const struct sums *s = context;
  const struct trial *trial = s->trial;
  const struct convolution *op = &trial->c->op;
  const size_t out = trial->receivers[t->edge] * op->out_dim + t->out;
  add(&s->out[out], &s->out_size[out],
      t->c * trial->x.exact[trial->senders[t->edge] * op->x_dim + t->x] *
          trial->y.exact[t->edge * trial->n_harmonics + t->y] *
          trial->filters.exact[t->edge * op->n_columns + t->column]);
}

/* Of the reverse edge, from receiver to sender, with harmonics (-1)^l times the given ones. */
static void adjoint_term(const struct term *t, void *context) {
  const struct sums *s = context;
  const struct trial *trial = s->trial;
  const struct convolution *op = &trial->c->op;
  const size_t x_at = trial->receivers[t->edge] * op->x_dim + t->x;
  const size_t y_at = t->edge * trial->n_harmonics + t->y;
  const double x = trial->x.exact[x_at], y = trial->y.exact[y_at];
  const double c = t->l2 % 2 ? -t->c : t->c;
  const double g = trial->grad_out.exact[trial->senders[t->edge] * op->out_dim + t->out];
  const double f = trial->filters.exact[t->edge * op->n_columns + t->column];
  const double df = trial->derivatives.exact[t->edge * op->n_columns + t->column];
  add(&s->x[x_at], &s->x_size[x_at], c * y * f * g);
  if (t->y > 0) /* harmonic 0 is a constant */
    add(&s->y[y_at], &s->y_size[y_at], c * x * f * g);
  add(&s->distance[t->edge], &s->distance_size[t->edge], c * x * y * df * g);
}

static struct reals rows_before(const struct kernels *kernels, const struct trial *trial) {
  return rows_random(kernels, &(struct rng){5}, &trial->c->out, N_ATOMS);
}

/* An element of out is a sum over edges, of which an atom has at most 26, over up to 5 paths, up to
 * 13 of m1 and of m2 each. Rounding of such nested sums is bounded by their depth, not by their
 * number of terms: m1, m2, the three products, and the edges and paths one after the other. */
#define FORWARD_EPSILONS (13 + 13 + 3 + 26 * 5)

static void check_forward(const struct kernels *kernels) {
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    trial_init(&trial, kernels, c);
    struct reals out = rows_before(kernels, &trial);
    struct sums s = {.trial = &trial, .out = doubles_new(out.n), .out_size = doubles_new(out.n)};
    for (size_t i = 0; i < out.n; i++)
      add(&s.out[i], &s.out_size[i], out.exact[i]);
    each_term(&trial, forward_term, &s);
    forward(&trial, 0, trial.n_edges, 0, &out);
    reals_read(&out);
    assert_within(out.exact, s.out, s.out_size, out.n, FORWARD_EPSILONS * epsilon_of(kernels));
    assert_padding_is_zero(&out, &trial.c->out);
    free(s.out);
    free(s.out_size);
    reals_free(&out);
    trial_fini(&trial);
  }
}

static void test_forward_equals_sum_over_terms(void **state) {
  (void)state;
  for_each_table(check_forward);
}

/* As above, and sums over up to 128 channels of which the kernel keeps one for each lane. */
#define ADJOINT_EPSILONS (FORWARD_EPSILONS + 128)

static void check_adjoint(const struct kernels *kernels) {
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    trial_init(&trial, kernels, c);
    struct gradients g = gradients_new(kernels, &trial);
    const size_t n_y = trial.n_edges * trial.n_harmonics, n = trial.n_edges;
    struct sums s = {&trial,
                     NULL,
                     NULL,
                     doubles_new(g.x.n),
                     doubles_new(g.x.n),
                     doubles_new(n_y),
                     doubles_new(n_y),
                     doubles_new(n),
                     doubles_new(n)};
    for (size_t i = 0; i < g.x.n; i++)
      add(&s.x[i], &s.x_size[i], g.x.exact[i]);
    for (size_t i = 0; i < n_y; i++)
      add(&s.y[i], &s.y_size[i], g.y[i]);
    for (size_t i = 0; i < n; i++)
      add(&s.distance[i], &s.distance_size[i], g.distance[i]);
    each_term(&trial, adjoint_term, &s);
    adjoint(&trial, 0, n, &g);
    reals_read(&g.x);
    const double tolerance = ADJOINT_EPSILONS * epsilon_of(kernels);
    assert_within(g.x.exact, s.x, s.x_size, g.x.n, tolerance);
    assert_within(g.y, s.y, s.y_size, n_y, tolerance);
    assert_within(g.distance, s.distance, s.distance_size, n, tolerance);
    assert_padding_is_zero(&g.x, &trial.c->x);
    double *const owned[] = {s.x, s.x_size, s.y, s.y_size, s.distance, s.distance_size};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
      free(owned[i]);
    gradients_free(&g);
    trial_fini(&trial);
  }
}

static void test_adjoint_equals_sum_over_terms(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

/* The other gradients do not depend on whether that by x is wanted. */
static void check_without_x(const struct trial *trial, const struct gradients *all) {
  struct gradients some = gradients_new(all->x.kernels, trial);
  void *const grad_x = some.x.data;
  some.x.data = NULL;
  adjoint(trial, 0, trial->n_edges, &some);
  assert_memory_equal(some.y, all->y, trial->n_edges * trial->n_harmonics * sizeof(double));
  assert_memory_equal(some.distance, all->distance, trial->n_edges * sizeof(double));
  some.x.data = grad_x;
  gradients_free(&some);
}

/* The end of `step` edges from `first` on, or of the receiver that they end in. */
static size_t end_of_part(const struct trial *trial, size_t first, size_t step) {
  size_t end = first + step < trial->n_edges ? first + step : trial->n_edges;
  while (end < trial->n_edges && trial->receivers[end] == trial->receivers[end - 1])
    end++;
  return end;
}

/* Wherever the list of edges is cut, every result has the same bits; in the adjoint, where it is
 * cut between receivers. */
static void check_cuts(const struct kernels *kernels) {
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    trial_init(&trial, kernels, c);
    struct reals whole = rows_before(kernels, &trial);
    struct gradients all = gradients_new(kernels, &trial);
    forward(&trial, 0, trial.n_edges, 0, &whole);
    adjoint(&trial, 0, trial.n_edges, &all);
    check_without_x(&trial, &all);
    for (size_t step = 1; step < trial.n_edges; step = 2 * step + 1) {
      struct reals parts = rows_before(kernels, &trial);
      struct gradients some = gradients_new(kernels, &trial);
      for (size_t e = 0; e < trial.n_edges; e += step)
        forward(&trial, e, e + step < trial.n_edges ? e + step : trial.n_edges, 0, &parts);
      for (size_t e = 0, end; e < trial.n_edges; e = end) {
        end = end_of_part(&trial, e, step);
        adjoint(&trial, e, end, &some);
      }
      assert_same_bits(&parts, 0, &whole, 0, whole.n);
      assert_same_bits(&some.x, 0, &all.x, 0, all.x.n);
      assert_memory_equal(some.y, all.y, trial.n_edges * trial.n_harmonics * sizeof(double));
      assert_memory_equal(some.distance, all.distance, trial.n_edges * sizeof(double));
      reals_free(&parts);
      gradients_free(&some);
    }
    reals_free(&whole);
    gradients_free(&all);
    trial_fini(&trial);
  }
}

static void test_edges_may_be_cut(void **state) {
  (void)state;
  for_each_table(check_cuts);
}

/* A tile of receivers that begins later gets the rows that it has in the whole. */
static void check_rows(const struct kernels *kernels) {
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    trial_init(&trial, kernels, c);
    const size_t dim = trial.c->op.out_dim;
    struct reals whole = reals_zero(kernels, N_ATOMS * dim);
    forward(&trial, 0, trial.n_edges, 0, &whole);
    size_t cut = 0;
    while (trial.receivers[cut] < 3)
      cut++;
    struct reals tile = reals_zero(kernels, (N_ATOMS - 3) * dim);
    forward(&trial, cut, trial.n_edges, 3, &tile);
    assert_same_bits(&tile, 0, &whole, 3 * dim, tile.n);
    reals_free(&tile);
    reals_free(&whole);
    trial_fini(&trial);
  }
}

/* Filters from a table give the bits of those that were read before. */
static void check_tables(const struct kernels *kernels) {
  enum { ROWS = 8, INTERVALS = 5 };
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    trial_init(&trial, kernels, c);
    const struct convolution *op = &trial.c->op;
    const size_t n = trial.n_edges, columns = op->n_columns;
    struct rng rng = {3};
    struct reals table = filter_random(kernels, &rng, trial.c, ROWS * INTERVALS);
    struct reals powers = reals_random(kernels, &rng, n * 2 * ROWS);
    struct reals strip = reals_zero(kernels, 2 * n * (columns + STRIP_COLUMNS));
    uint32_t first[80];
    for (size_t e = 0; e < n; e++)
      first[e] = (uint32_t)rng_below(&rng, INTERVALS) * ROWS;
    kernels->filter_table(n, columns, ROWS, table.data, first, powers.data, trial.filters.data,
                          trial.derivatives.data);
    struct reals whole = rows_before(kernels, &trial), out = rows_before(kernels, &trial);
    struct gradients all = gradients_new(kernels, &trial), g = gradients_new(kernels, &trial);
    forward(&trial, 0, n, 0, &whole);
    adjoint(&trial, 0, n, &all);
    const struct message_filters read = {.reads = {table.data, first, ROWS, powers.data},
                                         .strip = strip.data};
    if (!op->summed) {
      kernels->convolution(op, n, trial.weights.data, trial.senders, trial.receivers, 0,
                           trial.y.data, &read, trial.x.data, out.data, trial.scratch.data);
      assert_same_bits(&out, 0, &whole, 0, whole.n);
    }
    kernels->convolution_adjoint(op, n, trial.weights.data, trial.senders, trial.receivers, 0,
                                 trial.y.data, &read, trial.x.data, trial.grad_out.data, g.x.data,
                                 g.y, g.distance, trial.scratch.data);
    assert_same_bits(&g.x, 0, &all.x, 0, all.x.n);
    assert_memory_equal(g.y, all.y, n * trial.n_harmonics * sizeof(double));
    assert_memory_equal(g.distance, all.distance, n * sizeof(double));
    struct reals *const owned[] = {&table, &powers, &strip, &whole, &out};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
      reals_free(owned[i]);
    gradients_free(&all);
    gradients_free(&g);
    trial_fini(&trial);
  }
}

static void test_filters_may_be_read(void **state) {
  (void)state;
  for_each_table(check_tables);
}

static void test_rows_are_independent(void **state) {
  (void)state;
  for_each_table(check_rows);
}

/* The edges' order by sender, the receiver of the reverse edge. */
static void order_reversed(const struct trial *trial, size_t *order) {
  size_t n = 0;
  for (uint32_t atom = 0; atom < N_ATOMS; atom++)
    for (size_t e = 0; e < trial->n_edges; e++)
      if (trial->senders[e] == atom)
        order[n++] = e;
}

/* <grad_out, convolution> along the reverse edges in float64, as a function of x, of the given
 * harmonics but the constant one, and of the distances, which move the filters by their
 * derivatives. */
static double objective(const double *variables, void *context) {
  const struct trial *trial = context;
  const struct kernels *kernels = trial->x.kernels;
  const struct convolution *op = &trial->c->op;
  const size_t n_y = trial->n_harmonics, columns = op->n_columns;
  const double *given = variables + trial->x.n, *distance = given + trial->n_edges * n_y;
  size_t order[80];
  uint32_t senders[80], receivers[80];
  double *y = doubles_new(trial->y.n), *filters = doubles_new(trial->filters.n);
  order_reversed(trial, order);
  for (size_t k = 0; k < trial->n_edges; k++) {
    const size_t e = order[k];
    senders[k] = trial->receivers[e];
    receivers[k] = trial->senders[e];
    y[k * n_y] = trial->y.exact[e * n_y];
    for (size_t i = 1; i < n_y; i++)
      y[k * n_y + i] = ((int)sqrt((double)i) % 2 ? -1.0 : 1.0) * given[e * n_y + i];
    for (size_t i = 0; i < columns; i++)
      filters[k * columns + i] = trial->filters.exact[e * columns + i] +
                                 distance[e] * trial->derivatives.exact[e * columns + i];
  }
  struct reals x = reals_of(kernels, trial->x.n, variables);
  struct reals out = reals_zero(kernels, trial->grad_out.n);
  kernels->convolution(op, trial->n_edges, trial->weights.data, senders, receivers, 0, y,
                       &(struct message_filters){.values = filters}, x.data, out.data,
                       trial->scratch.data);
  reals_read(&out);
  const double value = dot(out.n, out.exact, trial->grad_out.exact);
  reals_free(&x);
  reals_free(&out);
  free(y);
  free(filters);
  return value;
}

/* The objective is linear in each of the three, so five points have no error but rounding. */
static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    trial_init(&trial, kernels, c);
    const size_t n_x = trial.x.n, n_y = trial.y.n, n = n_x + n_y + trial.n_edges;
    double *variables = doubles_new(n), *gradient = doubles_new(n);
    struct gradients g = {reals_zero(kernels, n_x), gradient + n_x, gradient + n_x + n_y};
    memcpy(variables, trial.x.exact, n_x * sizeof(double));
    memcpy(variables + n_x, trial.y.exact, n_y * sizeof(double));
    adjoint(&trial, 0, trial.n_edges, &g);
    reals_read(&g.x);
    memcpy(gradient, g.x.exact, n_x * sizeof(double));
    assert_gradient(objective, &trial, n, variables, gradient, 0.01, 1e-11);
    reals_free(&g.x);
    free(variables);
    free(gradient);
    trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_sum_over_terms),
      cmocka_unit_test(test_adjoint_equals_sum_over_terms),
      cmocka_unit_test(test_edges_may_be_cut),
      cmocka_unit_test(test_rows_are_independent),
      cmocka_unit_test(test_filters_may_be_read),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
