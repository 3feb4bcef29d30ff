/* Runs each kernel once on a fixed shape, whole models on a molecule, and the neighbour search;
 * budget.py compares the instructions with budgets.json.
 *
 *   valgrind --tool=callgrind build/bench/budget float32 v3
 *
 * makes each run a part of callgrind's output that carries the kernel's name.
 *
 *   build/bench/budget float32 v4 steps
 *
 * counts by itself, as valgrind knows no AVX-512: one trap for each instruction, so shapes are a
 * quarter as long, the molecule is small, and there is no search.
 *
 * The models are those of build/models/ in the working directory. Without arguments it prints its
 * compiler. */
#include "core/graph/neighbours.h"
#include "irrep/graph.h"
#include "irrep/model.h"
#include "tests/unit/support_convolution.h"
#include "tests/unit/support_tensor_product.h"
#include "tests/unit/support_tensor_square.h"

#include <signal.h>
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
  size_t rows, edges; /* at most ROWS and EDGES */
};

#if defined(__x86_64__)
static volatile size_t steps;
static bool stepping;

static void on_step(int signal) {
  (void)signal;
  steps++;
}

/* Sets or clears the processor's trap flag. */
static __attribute__((noinline)) void trap(bool on) {
  if (on)
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "cc", "memory");
  else
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "cc", "memory");
}

static void step(void) {
  struct sigaction action = {.sa_handler = on_step};
  stepping = sigaction(SIGTRAP, &action, NULL) == 0;
}
#else
static const bool stepping;
static size_t steps;
static void trap(bool on) {
  (void)on;
}
static void step(void) {
}
#endif

/* Instructions between the two belong to the kernel. */
static void begin(void) {
  CALLGRIND_ZERO_STATS;
  steps = 0;
  if (stepping)
    trap(true);
}

static void end(const char *name) {
  if (stepping)
    trap(false);
  CALLGRIND_DUMP_STATS_AT(name);
  if (stepping)
    printf("%zu %s\n", steps, name);
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
  struct reals weights = random_reals(b, 2 * 128 * 128), x = random_reals(b, b->rows * 384);
  struct reals y = reals_zero(k, b->rows * 384);
  uint32_t species[ROWS] = {0};
  begin();
  k->linear(&op, b->rows, species, weights.data, x.data, y.data, false);
  end("gemm (linear)");
  begin();
  k->linear_adjoint(&op, b->rows, species, weights.data, x.data, y.data, false);
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
  struct reals x = random_reals(b, b->rows * 576), y = reals_zero(k, b->rows * 480);
  struct reals grad = reals_zero(k, b->rows * 576);
  begin();
  k->gate(&op, b->rows, x.data, y.data);
  end("gate");
  begin();
  k->gate_adjoint(&op, b->rows, x.data, y.data, grad.data, false);
  end("gate_adjoint");
  reals_free(&x), reals_free(&y), reals_free(&grad);
}

/* The second layer of MACE-MP-0 medium; one receiver. */
static void run_convolution(struct bench *b) {
  const struct kernels *k = b->kernels;
  struct test_convolution *c = convolution_apart("128x0e+128x1e", 3, "128x0e+128x1e+128x2e+128x3e");
  const size_t h = HARMONICS(3), n = c->op.n_columns;
  struct reals weights = reals_of(k, c->n_weights, c->weights);
  struct reals filters = random_reals(b, b->edges * n), slopes = random_reals(b, b->edges * n);
  struct reals harmonics = random_reals(b, b->edges * h);
  struct reals x = random_reals(b, b->edges * c->op.x_dim);
  struct reals out = reals_zero(k, b->edges * c->op.out_dim);
  struct reals grad_x = reals_zero(k, b->edges * c->op.x_dim);
  struct reals scratch = reals_zero(k, convolution_scratch(&c->op));
  double *grad_harmonics = doubles_new(b->edges * h), *grad_distance = doubles_new(b->edges);
  uint32_t senders[EDGES], receivers[EDGES] = {0};
  for (uint32_t e = 0; e < b->edges; e++)
    senders[e] = e;
  const struct message_filters given = {.values = filters.data, .derivatives = slopes.data};
  begin();
  k->convolution(&c->op, b->edges, weights.data, senders, receivers, 0, harmonics.data, &given,
                 x.data, out.data, scratch.data);
  end("convolution");
  begin();
  k->convolution_adjoint(&c->op, b->edges, weights.data, senders, receivers, 0, harmonics.data,
                         &given, x.data, out.data, grad_x.data, grad_harmonics, grad_distance,
                         scratch.data);
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
  struct reals powers = random_reals(b, b->edges * 2 * TABLE_ROWS);
  struct reals x = random_reals(b, b->edges * dim), grad = random_reals(b, b->edges * dim);
  struct reals out = reals_zero(k, dim);
  double *grad_distance = doubles_new(b->edges);
  uint32_t senders[EDGES], receivers[EDGES] = {0}, first[EDGES];
  for (uint32_t e = 0; e < b->edges; e++) {
    senders[e] = e;
    first[e] = e * 5 % 4 * TABLE_ROWS;
  }
  const struct filter_reads filters = {table.data, first, TABLE_ROWS, powers.data};
  begin();
  k->scalar_convolution(&filters, b->edges, dim, senders, receivers, 0, x.data, out.data);
  end("scalar_convolution");
  begin();
  k->scalar_convolution_adjoint(&filters, b->edges, dim, senders, receivers, 0, x.data, grad.data,
                                out.data, grad_distance);
  end("scalar_convolution_adjoint");
  reals_free(&table), reals_free(&powers), reals_free(&x), reals_free(&grad), reals_free(&out);
  free(grad_distance);
}

static void run_filter_table(struct bench *b) {
  const size_t columns = 640;
  struct reals table = random_reals(b, 4 * TABLE_ROWS * columns);
  struct reals weights = random_reals(b, b->edges * 2 * TABLE_ROWS);
  struct reals out = reals_zero(b->kernels, b->edges * columns);
  struct reals slope = reals_zero(b->kernels, b->edges * columns);
  uint32_t first[EDGES];
  for (uint32_t e = 0; e < b->edges; e++)
    first[e] = e * 5 % 4 * TABLE_ROWS;
  begin();
  b->kernels->filter_table(b->edges, columns, TABLE_ROWS, table.data, first, weights.data, out.data,
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
  struct reals weights = random_reals(b, n * CHANNELS), x = random_reals(b, b->rows * op.in_dim);
  struct reals y = reals_zero(k, b->rows * op.out_dim), grad = reals_zero(k, b->rows * op.in_dim);
  begin();
  k->product(&op, b->rows, species, weights.data, x.data, y.data);
  end("product");
  begin();
  k->product_adjoint(&op, b->rows, species, weights.data, x.data, y.data, grad.data, false);
  end("product_adjoint");
  reals_free(&weights), reals_free(&x), reals_free(&y), reals_free(&grad);
}

/* Nequix's normalisation of SevenNet's features. */
static void run_norm(struct bench *b) {
  const struct kernels *k = b->kernels;
  const struct norm op = {.dim = 480, .gains = 0, .shares = 480, .epsilon = 1e-6};
  struct reals weights = random_reals(b, 2 * 480), x = random_reals(b, b->rows * 480);
  struct reals y = reals_zero(k, b->rows * 480), grad = reals_zero(k, b->rows * 480);
  begin();
  k->norm(&op, b->rows, weights.data, x.data, y.data);
  end("norm");
  begin();
  k->norm_adjoint(&op, b->rows, weights.data, x.data, y.data, grad.data, false);
  end("norm_adjoint");
  reals_free(&weights), reals_free(&x), reals_free(&y), reals_free(&grad);
}

/* Couplings at random, of degrees up to 2. */
static void run_tensor_square(struct bench *b) {
  static struct test_tensor_square p;
  const struct kernels *k = b->kernels;
  tensor_square_init(&p, SELF_COMPONENTS, 64);
  const size_t in = p.op.in_dim, out = p.op.out_dim;
  struct reals weights = reals_of(k, p.n_terms, p.values), x = random_reals(b, b->rows * in);
  struct reals y = reals_zero(k, b->rows * out), grad = reals_zero(k, b->rows * in);
  begin();
  k->tensor_square(&p.op, b->rows, weights.data, x.data, y.data);
  end("tensor_square");
  begin();
  k->tensor_square_adjoint(&p.op, b->rows, weights.data, x.data, y.data, grad.data, false);
  end("tensor_square_adjoint");
  reals_free(&weights), reals_free(&x), reals_free(&y), reals_free(&grad);
}

/* Terms at random, of degrees up to 2; two receivers. */
static void run_tensor_product(struct bench *b) {
  static struct test_tensor_product p;
  const struct kernels *k = b->kernels;
  tensor_product_init(&p, 32);
  uint32_t receivers[EDGES];
  for (size_t e = 0; e < b->edges; e++)
    receivers[e] = e >= b->edges / 2;
  struct reals weights = random_reals(b, p.n_terms * 32),
               x = random_reals(b, b->edges * p.op.in_dim);
  struct reals sums = random_reals(b, 2 * p.op.sums_dim);
  struct reals y = reals_zero(k, b->edges * p.op.out_dim),
               grad = reals_zero(k, b->edges * p.op.in_dim);
  struct reals grad_sums = reals_zero(k, 2 * p.op.sums_dim);
  struct reals scratch = reals_zero(k, 2 * p.op.n_pairs * IRREP_LANES);
  begin();
  k->tensor_product(&p.op, b->edges, receivers, 0, weights.data, x.data, sums.data, y.data,
                    scratch.data);
  end("tensor_product");
  begin();
  k->tensor_product_adjoint(&p.op, b->edges, receivers, 0, weights.data, x.data, sums.data, y.data,
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
  struct reals harmonics = random_reals(b, b->edges * h), x = random_reals(b, b->edges * op.in_dim);
  struct reals sums = reals_zero(k, 2 * h * 32), grad = reals_zero(k, b->edges * op.in_dim);
  double factors[EDGES], *grad_harmonics = doubles_new(b->edges * h);
  uint32_t rows[EDGES];
  for (size_t e = 0; e < b->edges; e++) {
    rows[e] = e >= b->edges / 2;
    factors[e] = 0.5;
  }
  begin();
  k->weighted_harmonics(&op, b->edges, rows, factors, harmonics.data, x.data, sums.data);
  end("weighted_harmonics");
  begin();
  k->weighted_harmonics_adjoint(&op, b->edges, rows, factors, harmonics.data, x.data, sums.data,
                                grad.data, false, grad_harmonics);
  end("weighted_harmonics_adjoint");
  reals_free(&harmonics), reals_free(&x), reals_free(&sums), reals_free(&grad);
  free(grad_harmonics);
}

/* And the division of 128 reals a row by it. */
static void run_density(struct bench *b) {
  const struct kernels *k = b->kernels;
  struct reals filters = random_reals(b, b->edges * IRREP_LANES),
               x = random_reals(b, b->rows * 128);
  struct reals y = reals_zero(k, b->rows * 128), grad = reals_zero(k, b->rows * 128);
  double sums[ROWS], grad_sums[ROWS] = {0}, *grad_distance = doubles_new(b->edges);
  uint32_t receivers[EDGES] = {0};
  for (size_t r = 0; r < b->rows; r++)
    sums[r] = 2.0;
  begin();
  k->density(b->edges, IRREP_LANES, receivers, 0, filters.data, sums);
  k->divide(b->rows, 128, sums, x.data, y.data);
  end("density");
  begin();
  k->divide_adjoint(b->rows, 128, sums, x.data, y.data, grad.data, false, grad_sums);
  k->density_adjoint(b->edges, IRREP_LANES, receivers, 0, filters.data, grad_sums, grad_distance);
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

#define MOLECULE 9

/* Ethanol or, where counting takes long, water; Angstrom. */
static struct irrep_structure molecule(void) {
  static const int32_t numbers[MOLECULE] = {6, 6, 8, 1, 1, 1, 1, 1, 1}, water[] = {8, 1, 1};
  static const double positions[MOLECULE][3] = {
      {1.168, -0.382, 0.0}, {0.0, 0.560, 0.0},       {-1.190, -0.214, 0.0},
      {-1.946, 0.381, 0.0}, {0.042, 1.205, 0.886},   {0.042, 1.205, -0.886},
      {2.116, 0.144, 0.0},  {1.128, -1.020, -0.886}, {1.128, -1.020, 0.886}};
  static const double of_water[3][3] = {{0, 0, 0.119}, {0, 0.763, -0.477}, {0, -0.763, -0.477}};
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  s.n_atoms = stepping ? 3 : MOLECULE;
  s.numbers = stepping ? water : numbers;
  s.positions = stepping ? of_water[0] : positions[0];
  return s;
}

static struct irrep_model *load(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "build/models/%s.safetensors", name);
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) {
    fprintf(stderr, "budget: %s cannot be read: make models\n", path);
    exit(3);
  }
  const size_t size = (size_t)ftell(file);
  void *data = aligned_new(size);
  rewind(file);
  struct irrep_model *model;
  const bool loaded =
      fread(data, 1, size, file) == size && irrep_model_load(data, size, &model, NULL) == IRREP_OK;
  fclose(file);
  free(data);
  return loaded ? model : NULL;
}

/* Energy and forces, of edges that are known; the first evaluation makes what its species need. */
static void run_model(struct bench *b, const char *name) {
  struct irrep_model *model = load(name);
  const enum irrep_precision precision = b->kernels->precision;
  const struct irrep_structure structure = molecule();
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_graph *graph;
  double forces[3 * MOLECULE];
  struct irrep_result result = {.struct_size = sizeof result, .forces = forces};
  const struct irrep_evaluate_options options = {.struct_size = sizeof options,
                                                 .precision = precision};
  if (!model || irrep_model_prepare(model, precision, NULL) != IRREP_OK ||
      irrep_model_graph(model, &structure, SIZE_MAX, SIZE_MAX, &plan, &graph, NULL) != IRREP_OK)
    abort();
  const struct irrep_graph *const graphs[1] = {graph};
  const size_t bytes = irrep_model_bytes(model, precision, &plan);
  void *arena = aligned_new(bytes);
  char title[64];
  snprintf(title, sizeof title, "model %s", name);
  for (int warm = 0; warm < 2; warm++) {
    if (warm)
      begin();
    const enum irrep_status status =
        irrep_model_evaluate_graphs(model, &options, graphs, 1, arena, bytes, &result, NULL);
    if (warm)
      end(title);
    if (status != IRREP_OK || result.status != IRREP_OK)
      abort();
  }
  free(arena);
  irrep_graph_free(graph);
  irrep_model_free(model);
}

static void run_models(struct bench *b) {
  static const char *const names[] = {"allegro-small", "mace-small", "nequip-small", "schnet-small",
                                      "so3net-small"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    run_model(b, names[i]);
}

int main(int argc, char **argv) {
  const bool counts = argc == 4 && strcmp(argv[3], "steps") == 0;
  if (argc != 3 && !counts) {
    printf("%s %d\n", COMPILER, COMPILER_MAJOR);
    return 0;
  }
  struct bench b = {
      .kernels = kernels_for(strcmp(argv[1], "float64") ? IRREP_FLOAT32 : IRREP_FLOAT64, argv[2]),
      .rng = {7},
      .rows = counts ? ROWS / 4 : ROWS,
      .edges = counts ? EDGES / 4 : EDGES};
  if (!b.kernels) {
    fprintf(stderr, "budget: this processor lacks %s\n", argv[2]);
    return 3;
  }
  if (counts)
    step();
  run_linear(&b);
  run_gate(&b);
  run_convolution(&b);
  run_scalar_convolution(&b);
  run_filter_table(&b);
  run_product(&b);
  run_norm(&b);
  run_tensor_square(&b);
  run_tensor_product(&b);
  run_weighted_harmonics(&b);
  run_density(&b);
  run_models(&b);
  if (!counts)
    run_neighbours(&b);
  return 0;
}
