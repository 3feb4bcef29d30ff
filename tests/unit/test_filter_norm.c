/* What filters have besides the plain MLP of test_filter.c: biases by pair of species, layer
 * normalisation, and an activation at the end. */
#include "tests/unit/support_kernels.h"

#define BASIS 5
#define HIDDEN 20 /* padded to 32 */
#define COLUMNS 3 /* padded to 16 */
#define PAIRS 4
#define EDGES 7
#define SIZE 4096

struct trial {
  struct filter op;
  struct filter_layer layers[2];
  double w1[BASIS][HIDDEN], bias[PAIRS][HIDDEN], norm[2][HIDDEN], w2[HIDDEN][COLUMNS], b2[COLUMNS];
  double packed[SIZE];
  uint32_t pairs[EDGES];
};

static void fill(struct rng *rng, size_t n, double *x, double scale) {
  rng_fill(rng, n, x);
  for (size_t i = 0; i < n; i++)
    x[i] *= scale;
}

static void trial_init(struct trial *t) {
  struct rng rng = {3};
  *t = (struct trial){0};
  fill(&rng, BASIS * HIDDEN, &t->w1[0][0], 1.0);
  fill(&rng, PAIRS * HIDDEN, &t->bias[0][0], 1.0);
  fill(&rng, 2 * HIDDEN, &t->norm[0][0], 1.0);
  fill(&rng, HIDDEN * COLUMNS, &t->w2[0][0], 0.3);
  fill(&rng, COLUMNS, t->b2, 1.0);
  size_t n = 16; /* nothing begins at 0 */
  t->layers[0] =
      (struct filter_layer){.matrix = {BASIS, HIDDEN, n, 0}, .has_bias = true, .has_norm = true};
  pack_panels(BASIS, HIDDEN, &t->w1[0][0], t->packed + n);
  n += BASIS * 32;
  t->layers[0].bias = n;
  for (size_t p = 0; p < PAIRS; p++, n += 32)
    memcpy(t->packed + n, t->bias[p], sizeof t->bias[p]);
  t->layers[0].norm = n;
  for (size_t i = 0; i < 2; i++, n += 32)
    memcpy(t->packed + n, t->norm[i], sizeof t->norm[i]);
  t->layers[1] = (struct filter_layer){.matrix = {HIDDEN, COLUMNS, n, 0}, .has_bias = true};
  pack_panels(HIDDEN, COLUMNS, &t->w2[0][0], t->packed + n);
  n += HIDDEN * 16;
  t->layers[1].bias = n;
  memcpy(t->packed + n, t->b2, sizeof t->b2);
  assert_true(n + 16 <= SIZE);
  t->op = (struct filter){.n_layers = 2,
                          .layers = t->layers,
                          .activation = ACTIVATION_SILU,
                          .last = ACTIVATION_TANH_SQUARE,
                          .width = 32,
                          .bias_stride = 32,
                          .envelope = true};
  for (size_t e = 0; e < EDGES; e++)
    t->pairs[e] = (uint32_t)((e * 3 + 1) % PAIRS);
}

/* The filter of one edge by the formulas of model_format.h; basis [BASIS], then the envelope. */
static void plain(const struct trial *t, uint32_t pair, const double *basis, double *out) {
  double y[HIDDEN], mean = 0.0, variance = 0.0;
  for (size_t o = 0; o < HIDDEN; o++) {
    y[o] = t->bias[pair][o];
    for (size_t i = 0; i < BASIS; i++)
      y[o] += basis[i] * t->w1[i][o];
    mean += y[o] / HIDDEN;
  }
  for (size_t o = 0; o < HIDDEN; o++)
    variance += (y[o] - mean) * (y[o] - mean) / HIDDEN;
  for (size_t o = 0; o < HIDDEN; o++) {
    const double x = (y[o] - mean) / sqrt(variance + 1e-5) * t->norm[0][o] + t->norm[1][o];
    y[o] = x / (1.0 + exp(-x));
  }
  for (size_t o = 0; o < COLUMNS; o++) {
    double x = t->b2[o];
    for (size_t i = 0; i < HIDDEN; i++)
      x += y[i] * t->w2[i][o];
    out[o] = tanh(x * x) * basis[BASIS];
  }
}

/* The filter at embedding + s * derivative, for the slope at s = 0. */
static double along(const struct trial *t, size_t e, const double *embedding, double s, size_t o) {
  double basis[BASIS + 1], out[COLUMNS];
  const double *at = embedding + e * 2 * (BASIS + 1);
  for (size_t i = 0; i <= BASIS; i++)
    basis[i] = at[i] + s * at[BASIS + 1 + i];
  plain(t, t->pairs[e], basis, out);
  return out[o];
}

static void check(const struct kernels *kernels) {
  struct trial t;
  struct rng rng = {8};
  trial_init(&t);
  struct reals weights = reals_of(kernels, SIZE, t.packed);
  struct reals embedding = reals_random(kernels, &rng, EDGES * 2 * (BASIS + 1));
  struct reals out = reals_zero(kernels, EDGES * 16), slope = reals_zero(kernels, EDGES * 16);
  struct reals alone = reals_zero(kernels, EDGES * 16);
  struct reals scratch = reals_zero(kernels, (size_t)4 * EDGE_TILE * 32);
  kernels->filter(&t.op, EDGES, weights.data, t.pairs, embedding.data, out.data, slope.data,
                  scratch.data);
  kernels->filter(&t.op, EDGES, weights.data, t.pairs, embedding.data, alone.data, NULL,
                  scratch.data);
  reals_read(&out);
  reals_read(&slope);
  /* Sums of twenty terms of size 1, through slopes of size 3; weights are rounded beforehand. */
  const double value_bound = 1e3 * epsilon_of(kernels), slope_bound = 1e4 * epsilon_of(kernels);
  for (size_t e = 0; e < EDGES; e++)
    for (size_t o = 0; o < COLUMNS; o++) {
      const double h = 1e-3, *at = embedding.exact;
      const double expected = along(&t, e, at, 0.0, o);
      const double difference = (along(&t, e, at, -2 * h, o) - 8 * along(&t, e, at, -h, o) +
                                 8 * along(&t, e, at, h, o) - along(&t, e, at, 2 * h, o)) /
                                (12 * h);
      assert_all_close(&out.exact[e * 16 + o], &expected, 1, value_bound, value_bound);
      assert_all_close(&slope.exact[e * 16 + o], &difference, 1, slope_bound + 1e-7, slope_bound);
    }
  assert_same_bits(&out, 0, &alone, 0, EDGES * 16);
  reals_free(&weights);
  reals_free(&embedding);
  reals_free(&out);
  reals_free(&slope);
  reals_free(&alone);
  reals_free(&scratch);
}

static void test_equals_formulas_and_differences(void **state) {
  (void)state;
  for_each_table(check);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_formulas_and_differences)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
