#include "tests/unit/support_kernels.h"

#define LAYERS_MAX 3

/* An MLP, the embeddings of some edges, and the weights also as plain matrices. */
struct trial {
  struct filter op;
  struct filter_layer layers[LAYERS_MAX];
  size_t n_edges, n_basis, columns; /* columns: padded */
  uint32_t pairs[EDGE_TILE];        /* of species */
  struct reals dense[LAYERS_MAX], bias[LAYERS_MAX];
  struct reals weights, embedding, out, derivative, scratch;
};

struct options {
  size_t n_layers, sizes[LAYERS_MAX + 1];
  enum activation activation;
  bool bias, envelope;
  size_t n_pairs; /* 0: one first matrix for all */
};

static const struct options cases[] = {
    {1, {8, 16}, ACTIVATION_SILU, false, false, 0},
    {1, {1, 5}, ACTIVATION_SILU, true, true, 0},
    {2, {8, 5, 48}, ACTIVATION_SSP, true, false, 0},
    {3, {5, 64, 17, 128}, ACTIVATION_SILU, false, true, 0},
    {3, {10, 16, 33, 5}, ACTIVATION_TANH, true, true, 0},
    {1, {6, 33}, ACTIVATION_SILU, false, true, 4},
    {3, {7, 17, 20, 40}, ACTIVATION_SILU, false, false, 9},
};
#define N_CASES (sizeof cases / sizeof *cases)

static const size_t edge_counts[] = {1, 31, 33, EDGE_TILE};

static void trial_init(struct trial *trial, const struct kernels *kernels, size_t c,
                       size_t n_edges) {
  struct rng rng = {c * 1000 + n_edges};
  const struct options *options = &cases[c];
  *trial = (struct trial){.n_edges = n_edges, .n_basis = options->sizes[0]};
  double *weights = doubles_new(40000);
  size_t n = 32; /* nothing begins at 0 */
  for (size_t k = 0; k < options->n_layers; k++) {
    const size_t rows = options->sizes[k], columns = options->sizes[k + 1];
    const size_t padded = padded_to_lanes(columns), first = n;
    const size_t n_matrices = k == 0 && options->n_pairs ? options->n_pairs : 1;
    trial->dense[k] = reals_random(kernels, &rng, n_matrices * rows * columns);
    trial->bias[k] = reals_random(kernels, &rng, columns);
    for (size_t m = 0; m < n_matrices; m++, n += rows * padded)
      pack_panels(rows, columns, trial->dense[k].exact + m * rows * columns, weights + n);
    trial->layers[k] = (struct filter_layer){
        .matrix = {rows, columns, first, 0}, .has_bias = options->bias, .bias = n};
    memcpy(weights + n, trial->bias[k].exact, columns * sizeof(double));
    n += padded;
    if (n_matrices > 1)
      trial->op.pair_stride = rows * padded;
    if (k + 1 < options->n_layers && padded > trial->op.width)
      trial->op.width = padded;
    trial->columns = padded;
  }
  assert_true(n < 40000);
  trial->weights = reals_of(kernels, n, weights);
  free(weights);
  for (size_t e = 0; e < EDGE_TILE; e++)
    trial->pairs[e] = options->n_pairs ? (uint32_t)rng_below(&rng, options->n_pairs) : 0;
  trial->op.n_layers = options->n_layers;
  trial->op.layers = trial->layers;
  trial->op.activation = options->activation;
  trial->op.envelope = options->envelope;
  trial->embedding = reals_random(kernels, &rng, n_edges * 2 * (trial->n_basis + 1));
  trial->out = reals_random(kernels, &rng, n_edges * trial->columns);
  trial->derivative = reals_random(kernels, &rng, n_edges * trial->columns);
  const size_t width = trial->op.width > IRREP_LANES ? trial->op.width : IRREP_LANES;
  trial->scratch = reals_random(kernels, &rng, 4 * EDGE_TILE * width);
}

static void trial_fini(struct trial *trial) {
  for (size_t k = 0; k < LAYERS_MAX; k++) {
    reals_free(&trial->dense[k]);
    reals_free(&trial->bias[k]);
  }
  reals_free(&trial->weights);
  reals_free(&trial->embedding);
  reals_free(&trial->out);
  reals_free(&trial->derivative);
  reals_free(&trial->scratch);
}

/* Kernels do not look at pairs where all have one matrix. */
static const uint32_t *pairs_of(const struct trial *trial) {
  return trial->op.pair_stride ? trial->pairs : NULL;
}

static void run_filter(struct trial *trial, bool derivative) {
  trial->out.kernels->filter(&trial->op, trial->n_edges, trial->weights.data, pairs_of(trial),
                             trial->embedding.data, trial->out.data,
                             derivative ? trial->derivative.data : NULL, trial->scratch.data);
  reals_read(&trial->out);
  reals_read(&trial->derivative);
}

static double act(enum activation kind, double x, double *slope) {
  const double s = 1.0 / (1.0 + exp(-x));
  switch (kind) {
  case ACTIVATION_TANH:
    *slope = 1.0 / (cosh(x) * cosh(x));
    return tanh(x);
  case ACTIVATION_SSP:
    *slope = s;
    return log1p(exp(x)) - log(2.0);
  default:
    *slope = s + x * s * (1.0 - s);
    return x * s;
  }
}

/* A layer's sums with the sizes of their terms, for values and derivatives. */
struct sums {
  double y[128], dy[128], size[128], dsize[128];
};

static void layer_sums(const struct trial *trial, size_t k, uint32_t pair, const struct sums *in,
                       struct sums *out) {
  const struct matrix *matrix = &trial->layers[k].matrix;
  const double *dense =
      trial->dense[k].exact + (k == 0 ? pair * matrix->rows * matrix->columns : 0);
  for (size_t o = 0; o < matrix->columns; o++) {
    out->y[o] = trial->layers[k].has_bias ? trial->bias[k].exact[o] : 0.0;
    out->size[o] = fabs(out->y[o]);
    out->dy[o] = out->dsize[o] = 0.0;
    for (size_t i = 0; i < matrix->rows; i++) {
      const double w = dense[i * matrix->columns + o];
      out->y[o] += in->y[i] * w;
      out->dy[o] += in->dy[i] * w;
      out->size[o] += in->size[i] * fabs(w);
      out->dsize[o] += in->dsize[i] * fabs(w);
    }
  }
}

/* One edge's filter and its derivative: the plain MLP of model_format.h, differentiated by the
 * chain rule, times the envelope. */
static void filter_edge(const struct trial *trial, uint32_t pair, const double *embedding,
                        double *out, double *dout, double *size, double *dsize) {
  const size_t n_basis = trial->n_basis, last = trial->op.n_layers - 1;
  struct sums in, s;
  for (size_t i = 0; i < n_basis; i++) {
    in.y[i] = embedding[i];
    in.dy[i] = embedding[n_basis + 1 + i];
    in.size[i] = fabs(in.y[i]);
    in.dsize[i] = fabs(in.dy[i]);
  }
  for (size_t k = 0; k <= last; k++) {
    layer_sums(trial, k, pair, &in, &s);
    for (size_t o = 0; k < last && o < trial->layers[k].matrix.columns; o++) {
      double slope;
      in.y[o] = act(trial->op.activation, s.y[o], &slope);
      in.dy[o] = slope * s.dy[o];
      in.size[o] = s.size[o] + 1.0;
      /* Activations bend by less than 1 for each 1 of the argument, whose error is in size. */
      in.dsize[o] = 1.1 * s.dsize[o] + (s.size[o] + 1.0) * fabs(s.dy[o]);
    }
  }
  const double f = trial->op.envelope ? embedding[n_basis] : 1.0;
  const double df = trial->op.envelope ? embedding[2 * n_basis + 1] : 0.0;
  for (size_t o = 0; o < trial->layers[last].matrix.columns; o++) {
    out[o] = s.y[o] * f;
    dout[o] = s.dy[o] * f + s.y[o] * df;
    size[o] = s.size[o] * fabs(f);
    dsize[o] = s.dsize[o] * fabs(f) + s.size[o] * fabs(df);
  }
}

/* Along a chain of layers each sum of up to 66 terms is off by as many half epsilons of its size,
 * here and in the reference, and an activation by 4. */
#define EPSILONS 220

static void check_case(const struct kernels *kernels, size_t c, size_t n_edges) {
  struct trial trial;
  trial_init(&trial, kernels, c, n_edges);
  const size_t columns = trial.columns, n = n_edges * columns;
  double *expected = doubles_new(n), *slope = doubles_new(n);
  double *size = doubles_new(n), *slope_size = doubles_new(n);
  for (size_t e = 0; e < n_edges; e++)
    filter_edge(&trial, trial.pairs[e], trial.embedding.exact + e * 2 * (trial.n_basis + 1),
                expected + e * columns, slope + e * columns, size + e * columns,
                slope_size + e * columns);
  run_filter(&trial, true);
  /* Padding has the size 0, so it must be exactly zero. */
  assert_within(trial.out.exact, expected, size, n, EPSILONS * epsilon_of(kernels));
  assert_within(trial.derivative.exact, slope, slope_size, n, EPSILONS * epsilon_of(kernels));
  free(expected);
  free(slope);
  free(size);
  free(slope_size);
  trial_fini(&trial);
}

static void check_cases(const struct kernels *kernels) {
  for (size_t c = 0; c < N_CASES; c++)
    for (size_t i = 0; i < sizeof edge_counts / sizeof *edge_counts; i++)
      check_case(kernels, c, edge_counts[i]);
}

static void test_equals_plain_mlp(void **state) {
  (void)state;
  for_each_table(check_cases);
}

/* An edge has the bits that it has alone, with and without the derivative. */
static void check_edges(const struct kernels *kernels) {
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial all, one;
    trial_init(&all, kernels, c, EDGE_TILE);
    trial_init(&one, kernels, c, EDGE_TILE);
    one.n_edges = 1;
    run_filter(&all, true);
    const size_t columns = all.columns, radial = 2 * (all.n_basis + 1);
    for (size_t e = 0; e < EDGE_TILE; e++) {
      memcpy(one.embedding.data, real_at(&all.embedding, e * radial), radial * kernels->real_size);
      one.pairs[0] = all.pairs[e];
      run_filter(&one, true);
      assert_same_bits(&one.out, 0, &all.out, e * columns, columns);
      assert_same_bits(&one.derivative, 0, &all.derivative, e * columns, columns);
      memset(one.out.data, 0, columns * kernels->real_size);
      run_filter(&one, false);
      assert_same_bits(&one.out, 0, &all.out, e * columns, columns);
    }
    trial_fini(&all);
    trial_fini(&one);
  }
}

static void test_edges_are_independent(void **state) {
  (void)state;
  for_each_table(check_edges);
}

/* <g, filter(embedding + t derivative)> as a function of t, in float64. */
struct objective {
  struct trial *trial;
  const double *start, *grad_out;
};

static double objective(const double *t, void *context) {
  const struct objective *o = context;
  const size_t width = o->trial->n_basis + 1;
  double *embedding = o->trial->embedding.data;
  for (size_t e = 0; e < o->trial->n_edges; e++)
    for (size_t i = 0; i < width; i++)
      embedding[2 * e * width + i] =
          o->start[2 * e * width + i] + t[e] * o->start[(2 * e + 1) * width + i];
  run_filter(o->trial, false);
  return dot(o->trial->out.n, o->trial->out.exact, o->grad_out);
}

static void test_derivative_is_the_slope(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    enum { n_edges = 3 };
    trial_init(&trial, kernels, c, n_edges);
    struct reals grad_out = reals_random(kernels, &(struct rng){c}, trial.out.n);
    double gradient[n_edges], zero[n_edges] = {0};
    run_filter(&trial, true);
    for (size_t e = 0; e < n_edges; e++)
      gradient[e] = dot(trial.columns, trial.derivative.exact + e * trial.columns,
                        grad_out.exact + e * trial.columns);
    struct objective context = {&trial, trial.embedding.exact, grad_out.exact};
    /* Embeddings of size 1 through random weights: fifth derivatives up to some 1e5. */
    assert_gradient(objective, &context, n_edges, zero, gradient, 1e-4, 1e-9);
    reals_free(&grad_out);
    trial_fini(&trial);
  }
}

static void check_contraction(const struct kernels *kernels) {
  struct rng rng = {8};
  enum { n = 5, columns = 48 };
  struct reals slopes = reals_random(kernels, &rng, n * columns);
  struct reals grad = reals_random(kernels, &rng, n * columns);
  double sums[n], expected[n];
  for (size_t e = 0; e < n; e++) {
    sums[e] = (double)e;
    expected[e] = sums[e] + dot(columns, slopes.exact + e * columns, grad.exact + e * columns);
  }
  kernels->filter_adjoint(n, columns, slopes.data, grad.data, sums);
  assert_all_close(sums, expected, n, columns * epsilon_of(kernels), 0.0);
  reals_free(&slopes);
  reals_free(&grad);
}

static void test_adjoint_contracts(void **state) {
  (void)state;
  for_each_table(check_contraction);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equals_plain_mlp),
      cmocka_unit_test(test_edges_are_independent),
      cmocka_unit_test(test_derivative_is_the_slope),
      cmocka_unit_test(test_adjoint_contracts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
