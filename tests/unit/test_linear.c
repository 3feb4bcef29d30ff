#include "tests/unit/support_kernels.h"

#define N_SPECIES 3
#define BLOCKS_MAX 8

/* A linear map between two irreps, its weights, and the same weights as plain matrices. */
struct map {
  struct irreps in, out;
  struct linear op;
  struct linear_block blocks[BLOCKS_MAX];
  size_t in_entry[BLOCKS_MAX], out_entry[BLOCKS_MAX];
  struct reals dense[N_SPECIES][BLOCKS_MAX]; /* [mul_in][mul_out] */
  struct reals bias;                         /* [padded mul of the biased entry] */
  struct reals weights;
};

struct options {
  const char *in, *out;
  bool by_species, bias;
};

static const struct options cases[] = {
    {"16x0e", "16x0e", false, false},
    {"1x0e", "5x0e", false, true},
    {"5x0e+16x1o+1x2e", "48x0e+5x1o+33x2e", false, true},
    {"128x0e+5x1e", "5x1e+128x0e", true, false},
    {"5x0o+17x3o+1x4e", "16x0e+5x0o+2x4e", false,
     true}, /* 3o goes nowhere, 0e comes from nowhere */
    {"5x0e+2x2e", "17x0e+3x1e+2x2e", true, true},
    {"3x1e", "3x2e", false, false}, /* nothing meets */
    {"2x5o+1x6e", "1x6e+3x5o", true, false},
};
#define N_CASES (sizeof cases / sizeof *cases)

/* Panels of a matrix and of its transpose, one after the other. */
static size_t packed_size(size_t rows, size_t columns) {
  return rows * padded_to_lanes(columns) + columns * padded_to_lanes(rows);
}

static void put_matrix(const struct reals *dense, size_t rows, size_t columns, double *packed) {
  double *transposed = doubles_new(rows * columns);
  for (size_t i = 0; i < rows; i++)
    for (size_t o = 0; o < columns; o++)
      transposed[o * rows + i] = dense->exact[i * columns + o];
  pack_panels(rows, columns, dense->exact, packed);
  pack_panels(columns, rows, transposed, packed + rows * padded_to_lanes(columns));
  free(transposed);
}

static void add_block(struct map *map, size_t i, size_t o, bool by_species, size_t *n_weights) {
  const struct irreps_entry *x = &map->in.entry[i], *y = &map->out.entry[o];
  const size_t b = map->op.n_blocks++;
  map->in_entry[b] = i;
  map->out_entry[b] = o;
  map->blocks[b] = (struct linear_block){
      .n_m = (size_t)(2 * x->ir.l + 1),
      .in_offset = x->offset,
      .in_stride = x->mul_padded,
      .out_offset = y->offset,
      .out_stride = y->mul_padded,
      .matrix = {x->mul, y->mul, *n_weights, *n_weights + x->mul * y->mul_padded},
      .species_stride = by_species ? packed_size(x->mul, y->mul) : 0,
  };
  *n_weights += (by_species ? N_SPECIES : 1) * packed_size(x->mul, y->mul);
}

static void map_init(struct map *map, const struct kernels *kernels,
                     const struct options *options) {
  struct rng rng = {strlen(options->in) * 31 + strlen(options->out)};
  *map = (struct map){.in = irreps_of(options->in), .out = irreps_of(options->out)};
  size_t n_weights = 16; /* nothing begins at 0 */
  for (size_t i = 0; i < map->in.n; i++) {
    const size_t o = irreps_find(&map->out, map->in.entry[i].ir);
    if (o < map->out.n)
      add_block(map, i, o, options->by_species, &n_weights);
  }
  const struct irreps_entry *biased = &map->out.entry[0];
  double *weights = doubles_new(n_weights + biased->mul_padded);
  for (size_t b = 0; b < map->op.n_blocks; b++) {
    const struct linear_block *block = &map->blocks[b];
    for (size_t s = 0; s < (options->by_species ? N_SPECIES : 1); s++) {
      map->dense[s][b] = reals_random(kernels, &rng, block->matrix.rows * block->matrix.columns);
      put_matrix(&map->dense[s][b], block->matrix.rows, block->matrix.columns,
                 weights + block->matrix.packed + s * block->species_stride);
    }
  }
  map->bias = reals_random(kernels, &rng, biased->mul_padded);
  memset(map->bias.exact + biased->mul, 0, (biased->mul_padded - biased->mul) * sizeof(double));
  memcpy(weights + n_weights, map->bias.exact, biased->mul_padded * sizeof(double));
  map->op.in_dim = map->in.dim;
  map->op.out_dim = map->out.dim;
  map->op.blocks = map->blocks;
  map->op.covers_in = map->op.n_blocks == map->in.n;
  map->op.covers_out = map->op.n_blocks == map->out.n;
  map->op.has_bias = options->bias;
  map->op.bias = n_weights;
  map->op.bias_offset = biased->offset;
  map->op.bias_size = biased->mul_padded;
  map->weights = reals_of(kernels, n_weights + biased->mul_padded, weights);
  free(weights);
}

static void map_fini(struct map *map) {
  for (size_t s = 0; s < N_SPECIES; s++)
    for (size_t b = 0; b < BLOCKS_MAX; b++)
      reals_free(&map->dense[s][b]);
  reals_free(&map->bias);
  reals_free(&map->weights);
}

/* Adds the products of one row in either direction; size gets the sums of their absolutes. */
static void add_row(const struct map *map, size_t species, bool transposed, const double *from,
                    double *to, double *size) {
  for (size_t b = 0; b < map->op.n_blocks; b++) {
    const struct irreps_entry *x = &map->in.entry[map->in_entry[b]];
    const struct irreps_entry *y = &map->out.entry[map->out_entry[b]];
    const double *w = map->dense[map->blocks[b].species_stride ? species : 0][b].exact;
    for (size_t m = 0; m < (size_t)(2 * x->ir.l + 1); m++)
      for (size_t i = 0; i < x->mul; i++)
        for (size_t o = 0; o < y->mul; o++) {
          const size_t in = x->offset + m * x->mul_padded + i;
          const size_t out = y->offset + m * y->mul_padded + o;
          const double term = w[i * y->mul + o] * from[transposed ? out : in];
          to[transposed ? in : out] += term;
          size[transposed ? in : out] += fabs(term);
        }
  }
}

static void add_bias(const struct map *map, double *to, double *size) {
  for (size_t i = 0; map->op.has_bias && i < map->op.bias_size; i++) {
    to[map->op.bias_offset + i] += map->bias.exact[i];
    size[map->op.bias_offset + i] += fabs(map->bias.exact[i]);
  }
}

/* Rows of random species, a map, its input and an array that it writes or adds to. */
struct trial {
  struct map map;
  uint32_t species[33];
  struct reals x, before;
};

static void trial_init(struct trial *trial, const struct kernels *kernels, size_t c, size_t rows,
                       bool transposed) {
  struct rng rng = {c * 100 + rows};
  map_init(&trial->map, kernels, &cases[c]);
  const struct irreps *from = transposed ? &trial->map.out : &trial->map.in;
  const struct irreps *to = transposed ? &trial->map.in : &trial->map.out;
  for (size_t r = 0; r < rows; r++)
    trial->species[r] = (uint32_t)rng_below(&rng, N_SPECIES);
  trial->x = rows_random(kernels, &rng, from, rows);
  trial->before = rows_random(kernels, &rng, to, rows);
}

static void trial_fini(struct trial *trial) {
  map_fini(&trial->map);
  reals_free(&trial->x);
  reals_free(&trial->before);
}

static void apply(const struct trial *trial, size_t first, size_t rows, bool transposed,
                  bool accumulate, struct reals *out) {
  const struct linear *op = &trial->map.op;
  const size_t from = transposed ? op->out_dim : op->in_dim;
  const size_t to = transposed ? op->in_dim : op->out_dim;
  const struct kernels *kernels = out->kernels;
  (transposed ? kernels->linear_adjoint : kernels->linear)(
      op, rows, trial->species + first, trial->map.weights.data, real_at(&trial->x, first * from),
      real_at(out, first * to), accumulate);
}

/* A sum of n terms, here and in the reference, is off by at most n half epsilons of its size each;
 * no sum has more than 128 channels, what was there before, and a bias. */
static void check_case(const struct kernels *kernels, size_t c, size_t rows, bool transposed,
                       bool accumulate) {
  struct trial trial;
  trial_init(&trial, kernels, c, rows, transposed);
  struct map *map = &trial.map;
  const struct irreps *to = transposed ? &map->in : &map->out;
  const size_t from_dim = transposed ? map->out.dim : map->in.dim;
  double *expected = doubles_new(rows * to->dim), *size = doubles_new(rows * to->dim);
  for (size_t i = 0; accumulate && i < rows * to->dim; i++) {
    expected[i] = trial.before.exact[i];
    size[i] = fabs(expected[i]);
  }
  for (size_t r = 0; r < rows; r++) {
    add_row(map, trial.species[r], transposed, trial.x.exact + r * from_dim, expected + r * to->dim,
            size + r * to->dim);
    if (!transposed)
      add_bias(map, expected + r * to->dim, size + r * to->dim);
  }
  struct reals out = reals_of(kernels, trial.before.n, trial.before.exact);
  apply(&trial, 0, rows, transposed, accumulate, &out);
  reals_read(&out);
  assert_within(out.exact, expected, size, out.n, 131 * epsilon_of(kernels));
  assert_padding_is_zero(&out, to);
  free(expected);
  free(size);
  reals_free(&out);
  trial_fini(&trial);
}

static void check_cases(const struct kernels *kernels) {
  static const size_t rows[] = {1, 31, 32, 33};
  for (size_t c = 0; c < N_CASES; c++)
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
      for (int flags = 0; flags < 4; flags++)
        check_case(kernels, c, rows[r], flags & 1, flags & 2);
}

static void test_both_directions_equal_loops(void **state) {
  (void)state;
  for_each_table(check_cases);
}

static void check_rows(const struct kernels *kernels) {
  for (size_t c = 0; c < N_CASES; c++)
    for (int transposed = 0; transposed < 2; transposed++) {
      struct trial trial;
      trial_init(&trial, kernels, c, 33, transposed);
      struct reals whole = reals_of(kernels, trial.before.n, trial.before.exact);
      struct reals parts = reals_of(kernels, trial.before.n, trial.before.exact);
      apply(&trial, 0, 33, transposed, true, &whole);
      for (size_t first = 0, n = 1; first < 33; first += n, n = n * 2 < 33 - first - n ? n * 2 : 1)
        apply(&trial, first, n, transposed, true, &parts);
      assert_same_bits(&whole, 0, &parts, 0, whole.n);
      reals_free(&whole);
      reals_free(&parts);
      trial_fini(&trial);
    }
}

static void test_rows_are_independent(void **state) {
  (void)state;
  for_each_table(check_rows);
}

/* <grad_out, linear(x)> of one row in float64. */
struct objective {
  struct trial *trial;
  struct reals *grad_out;
};

static double objective(const double *x, void *context) {
  struct objective *o = context;
  struct reals out = reals_zero(o->grad_out->kernels, o->grad_out->n);
  memcpy(o->trial->x.data, x, o->trial->x.n * sizeof(double));
  apply(o->trial, 0, 1, false, false, &out);
  reals_read(&out);
  const double value = dot(out.n, out.exact, o->grad_out->exact);
  reals_free(&out);
  return value;
}

/* Finite differences of a linear function have no error but rounding: 1e-14 over the step. */
static void test_adjoint_is_the_gradient(void **state) {
  (void)state;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  for (size_t c = 0; c < N_CASES; c++) {
    struct trial trial;
    trial_init(&trial, kernels, c, 1, false);
    struct reals grad_in = reals_zero(kernels, trial.x.n);
    const struct linear *op = &trial.map.op;
    kernels->linear_adjoint(op, 1, trial.species, trial.map.weights.data, trial.before.data,
                            grad_in.data, false);
    reals_read(&grad_in);
    struct objective context = {&trial, &trial.before};
    double *x = doubles_new(trial.x.n);
    memcpy(x, trial.x.exact, trial.x.n * sizeof(double));
    /* Padding is no input: its gradient is zero, whatever the direction. */
    assert_padding_is_zero(&grad_in, &trial.map.in);
    assert_gradient(objective, &context, trial.x.n, x, grad_in.exact, 0.1, 1e-13);
    free(x);
    reals_free(&grad_in);
    trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_directions_equal_loops),
      cmocka_unit_test(test_rows_are_independent),
      cmocka_unit_test(test_adjoint_is_the_gradient),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
