/* Runs each kernel once on a fixed shape, and the neighbour search, for callgrind: budget.py
 * compares the instructions with budgets.json. Each run is a part of callgrind's output that
 * carries the kernel's name.
 *
 *   valgrind --tool=callgrind build/bench/budget float32 v3
 *
 * Without arguments it prints its compiler. */
#include "core/graph/neighbours.h"
#include "irrep/graph.h"
#include "tests/unit/support_convolution.h"
#include "tests/unit/support_tensor_product.h"
#include "tests/unit/support_tensor_square.h"

#include <stdio.h>
#include <valgrind/callgrind.h>

#if defined(__clang__)
#define COMPILER "clang"
#define COMPILER_MAJOR __clang_major__
#else
#define COMPILER "gcc"
#define COMPILER_MAJOR __GNUC__
#endif

#define ROWS 32
#define EDGES 48
#define TABLE_ROWS 8

struct bench {
  const struct kernels *kernels;
  struct rng rng;
};

/* Instructions between the two belong to the kernel. */
static void begin(void) {
  CALLGRIND_ZERO_STATS;
}

static void end(const char *name) {
  CALLGRIND_DUMP_STATS_AT(name);
}

static struct reals random_reals(struct bench *b, size_t n) {
  return reals_random(b->kernels, &b->rng, n);
}

/* 128 channels to 128 of degree 1. */
static void run_linear(struct bench *b) {
  const struct kernels *k = b->kernels;
  struct linear_block block = {
      .n_m = 3,
      .in_stride = 128,
      .out_stride = 128,
      .matrix = {.rows = 128, .columns = 128, .packed = 0, .packed_transpose = 128 * 128}};
  struct linear op = {.in_dim = 384,
                      .out_dim = 384,
                      .n_blocks = 1,
                      .blocks = &block,
                      .covers_in = true,
                      .covers_out = true};
  struct reals weights = random_reals(b, 2 * 128 * 128), x = random_reals(b, ROWS * 384);
  struct reals y = reals_zero(k, ROWS * 384);
  uint32_t species[ROWS] = {0};
  begin();
  k->linear(&op, ROWS, species, weights.data, x.data, y.data, false);
  end("gemm (linear)");
  begin();
  k->linear_adjoint(&op, ROWS, species, weights.data, x.data, y.data, false);
  end("gemm (linear_adjoint)");
  reals_free(&weights), reals_free(&x), reals_free(&y);
}

/* SevenNet's gate of 128 scalars and of vectors and tensors with gates of their own. */
static void run_gate(struct bench *b) {
  const struct kernels *k = b->kernels;
  const struct gate_entry entries[] = {
      {false, 1, 128, 0, 128, 0, 0, 128, ACTIVATION_SILU, 1.7},
      {true, 3, 64, 224, 64, 128, 128, 64, ACTIVATION_SILU, 1.7},
      {true, 5, 32, 416, 32, 192, 320, 32, ACTIVATION_SILU, 1.7},
  };
  const struct gate op = {.in_dim = 576, .out_dim = 480, .n_entries = 3, .entries = entries};
  struct reals x = random_reals(b, ROWS * 576), y = reals_zero(k, ROWS * 480);
  struct reals grad = reals_zero(k, ROWS * 576);
  begin();
  k->gate(&op, ROWS, x.data, y.data);
  end("gate");
  begin();
  k->gate_adjoint(&op, ROWS, x.data, y.data, grad.data, false);
  end("gate_adjoint");
  reals_free(&x), reals_free(&y), reals_free(&grad);
}

/* The second layer of MACE-MP-0 medium; one receiver. */
static void run_convolution(struct bench *b) {
  const struct kernels *k = b->kernels;
  struct test_convolution *c = convolution_new("128x0e+128x1e", 3, "128x0e+128x1e+128x2e+128x3e");
  const size_t h = HARMONICS(3), n = c->op.n_columns;
  struct reals weights = reals_of(k, c->n_weights, c->weights);
  struct reals filters = random_reals(b, EDGES * n), slopes = random_reals(b, EDGES * n);
  struct reals harmonics = random_reals(b, EDGES * h);
  struct reals x = random_reals(b, EDGES * c->op.x_dim);
  struct reals out = reals_zero(k, EDGES * c->op.out_dim);
  struct reals grad_x = reals_zero(k, EDGES * c->op.x_dim);
  struct reals scratch = reals_zero(k, convolution_scratch(c));
  double *grad_harmonics = doubles_new(EDGES * h), *grad_distance = doubles_new(EDGES);
  uint32_t senders[EDGES], receivers[EDGES] = {0};
  for (uint32_t e = 0; e < EDGES; e++)
    senders[e] = e;
  begin();
  k->convolution(&c->op, EDGES, weights.data, senders, receivers, 0, harmonics.data, filters.data,
                 x.data, out.data, scratch.data);
  end("convolution");
  begin();
  k->convolution_adjoint(&c->op, EDGES, weights.data, senders, receivers, 0, harmonics.data,
                         filters.data, slopes.data, x.data, out.data, grad_x.data, grad_harmonics,
                         grad_distance, scratch.data);
  end("convolution_adjoint");
  reals_free(&weights), reals_free(&filters), reals_free(&slopes), reals_free(&harmonics);
  reals_free(&x), reals_free(&out), reals_free(&grad_x), reals_free(&scratch);
  free(grad_harmonics), free(grad_distance);
  convolution_free(c);
}

/* SchNet's layer of 128 channels; one receiver of atoms behind it. */
static void run_scalar_convolution(struct bench *b) {
  const struct kernels *k = b->kernels;
  const size_t dim = 128;
  struct reals table = random_reals(b, 4 * TABLE_ROWS * dim);
  struct reals powers = random_reals(b, EDGES * 2 * TABLE_ROWS);
  struct reals x = random_reals(b, EDGES * dim), grad = random_reals(b, EDGES * dim);
  struct reals out = reals_zero(k, dim);
  double *grad_distance = doubles_new(EDGES);
  uint32_t senders[EDGES], receivers[EDGES] = {0}, first[EDGES];
  for (uint32_t e = 0; e < EDGES; e++) {
    senders[e] = e;
    first[e] = e * 5 % 4 * TABLE_ROWS;
  }
  const struct filter_reads filters = {table.data, first, TABLE_ROWS, powers.data};
  begin();
  k->scalar_convolution(&filters, EDGES, dim, senders, receivers, 0, x.data, out.data);
  end("scalar_convolution");
  begin();
  k->scalar_convolution_adjoint(&filters, EDGES, dim, senders, receivers, 0, x.data, grad.data,
                                out.data, grad_distance);
  end("scalar_convolution_adjoint");
  reals_free(&table), reals_free(&powers), reals_free(&x), reals_free(&grad), reals_free(&out);
  free(grad_distance);
}

static void run_filter_table(struct bench *b) {
  const size_t columns = 640;
  struct reals table = random_reals(b, 4 * TABLE_ROWS * columns);
  struct reals weights = random_reals(b, EDGES * 2 * TABLE_ROWS);
  struct reals out = reals_zero(b->kernels, EDGES * columns);
  struct reals slope = reals_zero(b->kernels, EDGES * columns);
  uint32_t first[EDGES];
  for (uint32_t e = 0; e < EDGES; e++)
    first[e] = e * 5 % 4 * TABLE_ROWS;
  begin();
  b->kernels->filter_table(EDGES, columns, TABLE_ROWS, table.data, first, weights.data, out.data,
                           slope.data);
  end("filter_table");
  reals_free(&table), reals_free(&weights), reals_free(&out), reals_free(&slope);
}

#define VARIABLES 9
#define CHANNELS 128

struct tree {
  struct product_node nodes[128];
  uint8_t leaves[512];
  size_t n_nodes, n_leaves;
};

/* Every monomial of up to three variables: nodes for those of two, leaves for the last. */
static void grow(struct tree *tree, uint8_t depth, uint8_t variable) {
  struct product_node *node = &tree->nodes[tree->n_nodes++];
  *node = (struct product_node){depth, variable, depth == 2 ? (uint16_t)(VARIABLES - variable) : 0};
  for (uint8_t v = variable; v < VARIABLES; v++)
    if (depth == 2)
      tree->leaves[tree->n_leaves++] = v;
    else
      grow(tree, (uint8_t)(depth + 1), v);
}

static void run_product(struct bench *b) {
  static struct tree tree;
  const struct kernels *k = b->kernels;
  size_t in_offset[VARIABLES];
  uint32_t species[ROWS] = {0};
  for (size_t i = 0; i < VARIABLES; i++)
    in_offset[i] = i * CHANNELS;
  grow(&tree, 0, 0);
  const struct product_output output = {.n_nodes = tree.n_nodes};
  const size_t n = tree.n_nodes + tree.n_leaves;
  const struct product op = {.in_dim = VARIABLES * CHANNELS,
                             .out_dim = CHANNELS,
                             .channels = CHANNELS,
                             .n_variables = VARIABLES,
                             .in_offset = in_offset,
                             .n_outputs = 1,
                             .outputs = &output,
                             .nodes = tree.nodes,
                             .leaves = tree.leaves,
                             .n_coefficients = n,
                             .species_stride = n * CHANNELS};
  struct reals weights = random_reals(b, n * CHANNELS), x = random_reals(b, ROWS * op.in_dim);
  struct reals y = reals_zero(k, ROWS * op.out_dim), grad = reals_zero(k, ROWS * op.in_dim);
  begin();
  k->product(&op, ROWS, species, weights.data, x.data, y.data);
  end("product");
  begin();
  k->product_adjoint(&op, ROWS, species, weights.data, x.data, y.data, grad.data, false);
  end("product_adjoint");
  reals_free(&weights), reals_free(&x), reals_free(&y), reals_free(&grad);
}

/* Couplings at random, of degrees up to 2. */
static void run_tensor_square(struct bench *b) {
  static struct test_tensor_square p;
  const struct kernels *k = b->kernels;
  tensor_square_init(&p, SELF_COMPONENTS, 64);
  const size_t in = p.op.in_dim, out = p.op.out_dim;
  struct reals weights = reals_of(k, p.n_terms, p.values), x = random_reals(b, ROWS * in);
  struct reals y = reals_zero(k, ROWS * out), grad = reals_zero(k, ROWS * in);
  begin();
  k->tensor_square(&p.op, ROWS, weights.data, x.data, y.data);
  end("tensor_square");
  begin();
  k->tensor_square_adjoint(&p.op, ROWS, weights.data, x.data, y.data, grad.data, false);
  end("tensor_square_adjoint");
  reals_free(&weights), reals_free(&x), reals_free(&y), reals_free(&grad);
}

/* Terms at random, of degrees up to 2; two receivers. */
static void run_tensor_product(struct bench *b) {
  static struct test_tensor_product p;
  const struct kernels *k = b->kernels;
  tensor_product_init(&p, 32);
  uint32_t receivers[EDGES];
  for (size_t e = 0; e < EDGES; e++)
    receivers[e] = e >= EDGES / 2;
  struct reals weights = random_reals(b, p.n_terms * 32), x = random_reals(b, EDGES * p.op.in_dim);
  struct reals sums = random_reals(b, 2 * p.op.sums_dim);
  struct reals y = reals_zero(k, EDGES * p.op.out_dim), grad = reals_zero(k, EDGES * p.op.in_dim);
  struct reals grad_sums = reals_zero(k, 2 * p.op.sums_dim);
  struct reals scratch = reals_zero(k, 2 * p.op.n_pairs * IRREP_LANES);
  begin();
  k->tensor_product(&p.op, EDGES, receivers, 0, weights.data, x.data, sums.data, y.data,
                    scratch.data);
  end("tensor_product");
  begin();
  k->tensor_product_adjoint(&p.op, EDGES, receivers, 0, weights.data, x.data, sums.data, y.data,
                            grad.data, false, grad_sums.data, scratch.data);
  end("tensor_product_adjoint");
  reals_free(&weights), reals_free(&x), reals_free(&sums), reals_free(&y), reals_free(&grad);
  reals_free(&grad_sums), reals_free(&scratch);
}

/* Degrees up to 2 with 32 scalars each, summed over the edges of two receivers. */
static void run_weighted_harmonics(struct bench *b) {
  const struct kernels *k = b->kernels;
  const struct weighted_harmonics op = {.l_max = 2, .in_dim = 96, .channels = 32};
  const size_t h = HARMONICS(2);
  struct reals harmonics = random_reals(b, EDGES * h), x = random_reals(b, EDGES * op.in_dim);
  struct reals sums = reals_zero(k, 2 * h * 32), grad = reals_zero(k, EDGES * op.in_dim);
  double factors[EDGES], *grad_harmonics = doubles_new(EDGES * h);
  uint32_t rows[EDGES];
  for (size_t e = 0; e < EDGES; e++) {
    rows[e] = e >= EDGES / 2;
    factors[e] = 0.5;
  }
  begin();
  k->weighted_harmonics(&op, EDGES, rows, factors, harmonics.data, x.data, sums.data);
  end("weighted_harmonics");
  begin();
  k->weighted_harmonics_adjoint(&op, EDGES, rows, factors, harmonics.data, x.data, sums.data,
                                grad.data, false, grad_harmonics);
  end("weighted_harmonics_adjoint");
  reals_free(&harmonics), reals_free(&x), reals_free(&sums), reals_free(&grad);
  free(grad_harmonics);
}

/* And the division of 128 reals a row by it. */
static void run_density(struct bench *b) {
  const struct kernels *k = b->kernels;
  struct reals filters = random_reals(b, EDGES * IRREP_LANES), x = random_reals(b, ROWS * 128);
  struct reals y = reals_zero(k, ROWS * 128), grad = reals_zero(k, ROWS * 128);
  double sums[ROWS], grad_sums[ROWS] = {0}, *grad_distance = doubles_new(EDGES);
  uint32_t receivers[EDGES] = {0};
  for (size_t r = 0; r < ROWS; r++)
    sums[r] = 2.0;
  begin();
  k->density(EDGES, IRREP_LANES, receivers, 0, filters.data, sums);
  k->divide(ROWS, 128, sums, x.data, y.data);
  end("density");
  begin();
  k->divide_adjoint(ROWS, 128, sums, x.data, y.data, grad.data, false, grad_sums);
  k->density_adjoint(EDGES, IRREP_LANES, receivers, 0, filters.data, grad_sums, grad_distance);
  end("density_adjoint");
  reals_free(&filters), reals_free(&x), reals_free(&y), reals_free(&grad);
  free(grad_distance);
}

#define SIDE 4
#define SITES 8
#define ATOMS (SITES * SIDE * SIDE * SIDE)

/* Silicon, each atom a little off its site. */
static struct irrep_structure silicon(struct bench *b, double *positions, int32_t *numbers) {
  static const double a = 5.431, at[SITES][3] = {{0, 0, 0},       {0, .5, .5},     {.5, 0, .5},
                                                 {.5, .5, 0},     {.25, .25, .25}, {.25, .75, .75},
                                                 {.75, .25, .75}, {.75, .75, .25}};
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  s.n_atoms = ATOMS;
  s.numbers = numbers;
  s.positions = positions;
  for (size_t i = 0; i < ATOMS; i++) {
    const size_t cell = i / SITES;
    const double corner[3] = {(double)(cell / SIDE / SIDE), (double)(cell / SIDE % SIDE),
                              (double)(cell % SIDE)};
    numbers[i] = 14;
    for (size_t k = 0; k < 3; k++)
      positions[3 * i + k] = a * (corner[k] + at[i % SITES][k]) + 0.03 * rng_next(&b->rng);
  }
  for (size_t k = 0; k < 3; k++) {
    s.cell[k][k] = SIDE * a;
    s.pbc[k] = true;
  }
  return s;
}

/* A search that counts, one that lists, and the part of a list within a smaller cutoff. */
static void run_neighbours(struct bench *b) {
  static double positions[3 * ATOMS];
  static int32_t numbers[ATOMS];
  const struct irrep_structure s = silicon(b, positions, numbers);
  void *scratch = aligned_new(neighbours_scratch_bytes(&s, 6));
  struct irrep_graph *graph, *part;
  size_t n_edges = 0;
  begin();
  neighbours_find(&s, 6, SIZE_MAX, scratch, NULL, &n_edges, NULL);
  end("neighbours (counted)");
  begin();
  irrep_graph_build(&s, 6, 0, SIZE_MAX, &graph, NULL);
  end("neighbours (listed)");
  begin();
  irrep_graph_build(&s, 4.5, 0, SIZE_MAX, &part, NULL);
  end("neighbours (listed, 4.5)");
  irrep_graph_free(part);
  begin();
  irrep_graph_within(graph, 4.5, &part, NULL);
  end("neighbours (within 4.5)");
  irrep_graph_free(part);
  irrep_graph_free(graph);
  free(scratch);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    printf("%s %d\n", COMPILER, COMPILER_MAJOR);
    return 0;
  }
  struct bench b = {
      kernels_for(strcmp(argv[1], "float64") ? IRREP_FLOAT32 : IRREP_FLOAT64, argv[2]), {7}};
  if (!b.kernels) {
    fprintf(stderr, "budget: this processor lacks %s\n", argv[2]);
    return 3;
  }
  run_linear(&b);
  run_gate(&b);
  run_convolution(&b);
  run_scalar_convolution(&b);
  run_filter_table(&b);
  run_product(&b);
  run_tensor_square(&b);
  run_tensor_product(&b);
  run_weighted_harmonics(&b);
  run_density(&b);
  run_neighbours(&b);
  return 0;
}
