#include "tests/unit/support_kernels.h"

#define N_ATOMS 6
#define N_PAIRS 19
#define EDGES_MAX (2 * N_PAIRS)
#define N_ROWS 8
#define N_INTERVALS 5
#define SLOPE 1.7 /* of the place in an interval, by distance */
#define BEYOND 4  /* the pair that is beyond its cutoff */

/* Edges of a symmetric graph, sorted by receiver and then by sender, some from an atom's own image.
 * Atom 3 has none. An edge and its reverse are the same pair and have the same filter. */
struct trial {
  size_t dim, n_edges;
  uint32_t senders[EDGES_MAX], receivers[EDGES_MAX], pair[EDGES_MAX], first_rows[EDGES_MAX];
  double place[N_PAIRS]; /* in its interval, -1 .. 1 */
  struct reals table, powers, x, grad_out;
};

static const size_t dims[] = {16, 48, 128, 144};

/* The edges that each receiver has from each sender, in order. */
static void list_edges(struct trial *trial, uint32_t ends[N_PAIRS][2]) {
  for (uint32_t receiver = 0; receiver < N_ATOMS; receiver++)
    for (uint32_t sender = 0; sender < N_ATOMS; sender++)
      for (uint32_t p = 0; p < N_PAIRS; p++)
        for (int way = 0; way < 2; way++)
          if (ends[p][way] == receiver && ends[p][1 - way] == sender) {
            trial->receivers[trial->n_edges] = receiver;
            trial->senders[trial->n_edges] = sender;
            trial->first_rows[trial->n_edges] = p % N_INTERVALS * N_ROWS;
            trial->pair[trial->n_edges++] = p;
          }
  assert_int_equal(trial->n_edges, EDGES_MAX);
}

static void write_powers(const struct trial *trial, const double *place, double *powers) {
  for (size_t e = 0; e < trial->n_edges; e++) {
    double *value = powers + e * 2 * N_ROWS, *slope = value + N_ROWS;
    const double t = place[trial->pair[e]];
    for (size_t k = 0; k < N_ROWS && trial->pair[e] != BEYOND; k++) {
      value[k] = k ? t * value[k - 1] : 1.0;
      slope[k] = k ? (double)k * SLOPE * value[k - 1] : 0.0;
    }
  }
}

static struct reals powers_at(const struct kernels *kernels, const struct trial *trial,
                              const double *place) {
  double *powers = doubles_new(trial->n_edges * 2 * N_ROWS);
  write_powers(trial, place, powers);
  const struct reals reals = reals_of(kernels, trial->n_edges * 2 * N_ROWS, powers);
  free(powers);
  return reals;
}

static void trial_init(struct trial *trial, const struct kernels *kernels, size_t dim) {
  struct rng rng = {dim};
  uint32_t ends[N_PAIRS][2];
  *trial = (struct trial){.dim = dim};
  for (size_t p = 0; p < N_PAIRS; p++) {
    for (int way = 0; way < 2; way++) {
      const uint32_t atom = (uint32_t)rng_below(&rng, N_ATOMS - 1);
      ends[p][way] = atom + (atom >= 3);
    }
    if (p < 3)
      ends[p][1] = ends[p][0];
    trial->place[p] = rng_next(&rng);
  }
  list_edges(trial, ends);
  trial->table = reals_random(kernels, &rng, N_INTERVALS * N_ROWS * dim);
  trial->powers = powers_at(kernels, trial, trial->place);
  trial->x = reals_random(kernels, &rng, N_ATOMS * dim);
  trial->grad_out = reals_random(kernels, &rng, N_ATOMS * dim);
}

static void trial_fini(struct trial *trial) {
  reals_free(&trial->table);
  reals_free(&trial->powers);
  reals_free(&trial->x);
  reals_free(&trial->grad_out);
}

static struct filter_reads reads_from(const struct trial *trial, const struct reals *powers,
                                      size_t edge) {
  return (struct filter_reads){trial->table.data, trial->first_rows + edge, N_ROWS,
                               real_at(powers, edge * 2 * N_ROWS)};
}

/* Edges [first, end) into the rows of out, of which the first is atom first_row. */
static void forward(const struct trial *trial, size_t first, size_t end, size_t first_row,
                    void *out) {
  const struct filter_reads reads = reads_from(trial, &trial->powers, first);
  trial->x.kernels->scalar_convolution(&reads, end - first, trial->dim, trial->senders + first,
                                       trial->receivers + first, first_row, trial->x.data, out);
}

static void adjoint(const struct trial *trial, size_t first, size_t end, size_t first_row,
                    void *grad_x, double *grad_distance) {
  const struct filter_reads reads = reads_from(trial, &trial->powers, first);
  trial->x.kernels->scalar_convolution_adjoint(
      &reads, end - first, trial->dim, trial->senders + first, trial->receivers + first, first_row,
      trial->x.data, trial->grad_out.data, grad_x, grad_distance + first);
}

/* An edge's filter (or its derivative by distance) at a channel, and the sum of its terms' sizes.
 */
static double filter_at(const struct trial *trial, size_t e, size_t c, bool derivative,
                        double *size) {
  const double *powers = trial->powers.exact + (2 * e + derivative) * N_ROWS;
  double sum = 0.0;
  *size = 0.0;
  for (size_t k = 0; k < N_ROWS; k++) {
    const double term = powers[k] * trial->table.exact[(trial->first_rows[e] + k) * trial->dim + c];
    sum += term;
    *size += fabs(term);
  }
  return sum;
}

/* sums[receiver] = sum of filter rows[sender]. */
static void sum_plainly(const struct trial *trial, const double *rows, double *sums,
                        double *sizes) {
  for (size_t e = 0; e < trial->n_edges; e++)
    for (size_t c = 0; c < trial->dim; c++) {
      const size_t at = trial->receivers[e] * trial->dim + c;
      const double x = rows[trial->senders[e] * trial->dim + c];
      double size;
      sums[at] += filter_at(trial, e, c, false, &size) * x;
      sizes[at] += size * fabs(x);
    }
}

/* Two roundings for each power, the product, and the edges of an atom one after the other. */
#define SUM_EPSILONS (2 * N_ROWS + 1 + EDGES_MAX)

static void check_sums(const struct trial *trial, const double *rows, struct reals *found) {
  double *sums = doubles_new(found->n), *sizes = doubles_new(found->n);
  sum_plainly(trial, rows, sums, sizes);
  reals_read(found);
  assert_within(found->exact, sums, sizes, found->n, SUM_EPSILONS * epsilon_of(found->kernels));
  free(sums);
  free(sizes);
}

static void check_forward(const struct kernels *kernels) {
  for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
    struct trial trial;
    trial_init(&trial, kernels, dims[i]);
    struct reals out = reals_zero(kernels, trial.x.n);
    forward(&trial, 0, trial.n_edges, 0, out.data);
    check_sums(&trial, trial.x.exact, &out);
    reals_free(&out);
    trial_fini(&trial);
  }
}

static void test_forward_equals_plain_sums(void **state) {
  (void)state;
  for_each_table(check_forward);
}

/* An edge to an atom from one before it has nothing; its reverse has the gradient of both. */
static void check_distances(const struct trial *trial, const double *found) {
  const double epsilon = epsilon_of(trial->x.kernels);
  const double *x = trial->x.exact, *g = trial->grad_out.exact;
  for (size_t e = 0; e < trial->n_edges; e++) {
    const size_t i = trial->receivers[e], j = trial->senders[e];
    double sum = 0.0, sizes = 0.0, size;
    for (size_t c = 0; c < trial->dim && j >= i; c++) {
      const size_t own = i * trial->dim + c, other = j * trial->dim + c;
      const double both = i == j ? x[own] * g[own] : x[own] * g[other] + x[other] * g[own];
      sum += filter_at(trial, e, c, true, &size) * both;
      sizes += size * (fabs(x[own] * g[other]) + fabs(x[other] * g[own]));
    }
    assert_within(&found[e], &sum, &sizes, 1, (double)(2 * N_ROWS + 4 + trial->dim) * epsilon);
  }
}

static void check_adjoint(const struct kernels *kernels) {
  for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
    struct trial trial;
    trial_init(&trial, kernels, dims[i]);
    struct reals grad_x = reals_zero(kernels, trial.x.n);
    double *grad_distance = doubles_new(EDGES_MAX), *alone = doubles_new(EDGES_MAX);
    adjoint(&trial, 0, trial.n_edges, 0, grad_x.data, grad_distance);
    check_sums(&trial, trial.grad_out.exact, &grad_x);
    check_distances(&trial, grad_distance);
    adjoint(&trial, 0, trial.n_edges, 0, NULL, alone);
    assert_memory_equal(alone, grad_distance, EDGES_MAX * sizeof *alone);
    reals_free(&grad_x);
    free(grad_distance);
    free(alone);
    trial_fini(&trial);
  }
}

static void test_adjoint_equals_plain_sums(void **state) {
  (void)state;
  for_each_table(check_adjoint);
}

/* What is there before is added to, and a tile of receivers has the bits that it has in the whole.
 */
static void check_tiles(const struct kernels *kernels) {
  for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
    struct trial trial;
    struct rng rng = {5};
    trial_init(&trial, kernels, dims[i]);
    struct reals before = reals_random(kernels, &rng, trial.x.n);
    struct reals whole = reals_of(kernels, before.n, before.exact);
    struct reals whole_x = reals_of(kernels, before.n, before.exact);
    struct reals tile = reals_of(kernels, before.n, before.exact);
    struct reals tile_x = reals_of(kernels, before.n, before.exact);
    double whole_distance[EDGES_MAX] = {0}, distance[EDGES_MAX] = {0};
    forward(&trial, 0, trial.n_edges, 0, whole.data);
    adjoint(&trial, 0, trial.n_edges, 0, whole_x.data, whole_distance);
    for (size_t first = 0, end; first < trial.n_edges; first = end) {
      const size_t row = trial.receivers[first];
      for (end = first; end < trial.n_edges && trial.receivers[end] <= row + 1;)
        end++;
      forward(&trial, first, end, row, real_at(&tile, row * trial.dim));
      adjoint(&trial, first, end, row, real_at(&tile_x, row * trial.dim), distance);
    }
    assert_same_bits(&whole, 0, &tile, 0, whole.n);
    assert_same_bits(&whole_x, 0, &tile_x, 0, whole.n);
    assert_same_bits(&whole, 3 * trial.dim, &before, 3 * trial.dim, trial.dim);
    assert_memory_equal(distance, whole_distance, sizeof distance);
    struct reals *const owned[] = {&before, &whole, &whole_x, &tile, &tile_x};
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++)
      reals_free(owned[k]);
    trial_fini(&trial);
  }
}

static void test_tiles(void **state) {
  (void)state;
  for_each_table(check_tiles);
}

/* <grad_out, convolution> as a function of x and of the distances of the pairs. */
static double objective(const double *variables, void *context) {
  const struct trial *trial = context;
  const struct kernels *kernels = trial->x.kernels;
  double place[N_PAIRS];
  for (size_t p = 0; p < N_PAIRS; p++)
    place[p] = trial->place[p] + SLOPE * variables[trial->x.n + p];
  struct reals powers = powers_at(kernels, trial, place);
  struct reals x = reals_of(kernels, trial->x.n, variables), out = reals_zero(kernels, trial->x.n);
  const struct filter_reads reads = reads_from(trial, &powers, 0);
  kernels->scalar_convolution(&reads, trial->n_edges, trial->dim, trial->senders, trial->receivers,
                              0, x.data, out.data);
  reals_read(&out);
  const double value = dot(out.n, out.exact, trial->grad_out.exact);
  reals_free(&powers);
  reals_free(&x);
  reals_free(&out);
  return value;
}

static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  struct trial trial;
  trial_init(&trial, kernels, 16);
  const size_t n = trial.x.n + N_PAIRS;
  double *variables = doubles_new(n), *gradient = doubles_new(n), distance[EDGES_MAX] = {0};
  struct reals grad_x = reals_zero(kernels, trial.x.n);
  memcpy(variables, trial.x.exact, trial.x.n * sizeof(double));
  adjoint(&trial, 0, trial.n_edges, 0, grad_x.data, distance);
  reals_read(&grad_x);
  memcpy(gradient, grad_x.exact, trial.x.n * sizeof(double));
  for (size_t e = 0; e < trial.n_edges; e++)
    gradient[trial.x.n + trial.pair[e]] += distance[e];
  assert_gradient(objective, &trial, n, variables, gradient, 1e-3, 1e-9);
  reals_free(&grad_x);
  free(variables);
  free(gradient);
  trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_plain_sums),
      cmocka_unit_test(test_adjoint_equals_plain_sums),
      cmocka_unit_test(test_tiles),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
