/* What each operation of a model takes, against what this processor can do: time, operations and
 * bytes counted by hand for each kernel, and their shares of the rate of the core's own product of
 * matrices and of that at which tables are read from the second-level cache.
 *
 *   build/bench/operations MODEL SIDE float32|float64
 *
 * evaluates silicon of SIDE^3 cells of 8 atoms, with energy and forces, on one thread. Counts are
 * those of one atom:
 *
 * - multiply-adds, two operations each. A convolution's edge: its filters from a table of K rows
 *   (K a column; for the derivative as many again), the couplings C Y, and at each path and channel
 *   w x and n1 n3 products with t (adjoint: those, as many for the gradient by t, and three by n1
 *   for the gradients by x and the filter). Diagonal paths (l2 = 0) have n1 products.
 * - bytes that come from behind the first-level cache: rows of tables, as if no two edges shared
 *   them; a convolution's filters, written and read again; rows of senders; what a linear map
 *   reads, writes and has as weights, once a tile; the coefficients of a product basis.
 */
#include "core/api/loaded.h"
#include "core/cpu/dispatch.h"
#include "core/cpu/evaluate.h"
#include "irrep/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 25
#define OPERATIONS_MAX 64
#define SITES 8

/* CPU time, which other load moves least. */
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *take(size_t bytes) {
  void *memory = aligned_alloc(IRREP_ALIGNMENT, (bytes / IRREP_ALIGNMENT + 1) * IRREP_ALIGNMENT);
  if (!memory) {
    fputs("no memory\n", stderr);
    exit(1);
  }
  return memset(memory, 0, bytes);
}

/* Rates */

/* Operations a second of the core's product of 64 rows by 128 x 128. */
static double product_rate(const struct kernels *kernels) {
  enum { ROWS = 64, N = 128, TIMES = 200 };
  const struct linear_block block = {
      .n_m = 1, .in_stride = N, .out_stride = N, .matrix = {N, N, 0, N * N}};
  const struct linear op = {.in_dim = N,
                            .out_dim = N,
                            .n_blocks = 1,
                            .blocks = &block,
                            .covers_in = true,
                            .covers_out = true};
  void *weights = take(2 * N * N * kernels->real_size), *in = take(ROWS * N * kernels->real_size);
  void *out = take(ROWS * N * kernels->real_size);
  double best = 1e300;
  for (int round = 0; round < ROUNDS; round++) {
    const double start = now();
    for (int i = 0; i < TIMES; i++)
      kernels->linear(&op, ROWS, NULL, weights, in, out, false);
    const double seconds = (now() - start) / TIMES;
    best = seconds < best ? seconds : best;
  }
  free(weights), free(in), free(out);
  return 2.0 * ROWS * N * N / best;
}

/* Bytes a second at which values are read of n_tables tables of n_edges intervals, 8 rows each:
 * one product a number, and a sum for 8. */
static double reading_rate(const struct kernels *kernels, size_t n_edges, size_t n_tables) {
  enum { TERMS = 8 };
  const size_t columns = 960 / kernels->real_size, row = columns * kernels->real_size;
  const size_t bytes = n_edges * TERMS * row, times = ((size_t)32 << 20) / (bytes * n_tables) + 1;
  unsigned char *tables = take(n_tables * bytes);
  void *out = take(n_edges * row), *weights = take(n_edges * 2 * TERMS * kernels->real_size);
  uint32_t first[EDGE_TILE];
  for (size_t e = 0; e < n_edges; e++)
    first[e] = (uint32_t)(e * TERMS);
  double best = 1e300;
  for (int round = 0; round < ROUNDS; round++) {
    const double start = now();
    for (size_t i = 0; i < times; i++)
      for (size_t t = 0; t < n_tables; t++)
        kernels->filter_table(n_edges, columns, TERMS, tables + t * bytes, first, weights, out,
                              NULL);
    const double seconds = (now() - start) / (double)times;
    best = seconds < best ? seconds : best;
  }
  free(tables), free(out), free(weights);
  return (double)(n_tables * bytes) / best;
}

/* Counts */

/* Of one atom, forward and in the adjoint. */
struct count {
  double fma[2], reals[2];
};

static size_t couplings_of(const struct convolution *op, size_t p) {
  const size_t first = op->paths[p].first_pair;
  const size_t n = (size_t)(2 * op->paths[p].l1 + 1) * (size_t)(2 * op->paths[p].l3 + 1);
  return op->by_pair.first[first + n] - op->by_pair.first[first];
}

/* Filters of scalars never lie in memory; every second edge has both directions' gradients by
 * distance. */
static struct count count_scalars(double edges, double dim, double terms) {
  return (struct count){{edges * dim * terms, edges * dim * (1.5 * terms + 1.0)},
                        {edges * dim * (terms + 1.0), edges * dim * (terms + 1.5)}};
}

static struct count count_convolution(const struct convolution *op, double edges, double terms,
                                      bool with_x) {
  const double columns = (double)op->n_columns;
  struct count c = {
      {terms * columns, 2.0 * terms * columns},
      {(terms + 2.0) * columns + (double)op->x_dim, (terms + 4.0) * columns + (double)op->out_dim}};
  for (size_t p = 0; p < op->n_paths; p++) {
    const struct path *path = &op->paths[p];
    const double n1 = 2.0 * path->l1 + 1.0, n3 = 2.0 * path->l3 + 1.0;
    const double products = path->l2 == 0 ? n1 : n1 * n3, channels = (double)path->channels;
    c.fma[0] += channels * (n1 + products) + (double)couplings_of(op, p);
    c.fma[1] += channels * ((with_x ? 3.0 : 2.0) * n1 + products + (path->l2 ? n1 * n3 : 0.0) + 1) +
                2.0 * (double)couplings_of(op, p);
  }
  for (int i = 0; i < 2; i++)
    c.fma[i] *= edges, c.reals[i] *= edges;
  return c;
}

static struct count count_linear(const struct linear *op, double rows, double tile) {
  double fma = 0, weights = 0;
  for (size_t b = 0; b < op->n_blocks; b++) {
    const double size = (double)(op->blocks[b].matrix.rows * op->blocks[b].matrix.columns);
    fma += (double)op->blocks[b].n_m * size;
    weights += size;
  }
  const double reals = (double)(op->in_dim + op->out_dim) + weights / tile;
  return (struct count){{rows * fma, rows * fma}, {rows * reals, rows * reals}};
}

static struct count count_product(const struct product *op) {
  const double channels = (double)op->channels, n = (double)op->n_coefficients;
  double nodes = 0;
  for (size_t o = 0; o < op->n_outputs; o++)
    nodes += (double)op->outputs[o].n_nodes - 1.0;
  const double leaves = n - nodes - (double)op->n_outputs;
  return (struct count){{channels * (nodes + leaves), channels * (3.0 * nodes + 2.0 * leaves)},
                        {channels * n, channels * n}};
}

static struct count count_square(const struct tensor_square *op) {
  const double n = (double)op->couplings.first[op->couplings.n_rows], c = (double)op->channels;
  const double pairs = (double)op->couplings.n_rows;
  return (struct count){{c * (pairs + n), c * (n + 2.0 * pairs)}, {0, 0}};
}

static struct count count_tensor_product(const struct tensor_product *op, double edges) {
  const double c = (double)op->channels, pairs = (double)op->n_pairs;
  const double terms = (double)op->first[op->n_pairs];
  const double reals = (double)(op->in_dim + op->out_dim);
  return (struct count){{c * (edges * pairs + terms), 2.0 * c * (edges * pairs + terms)},
                        {edges * reals, 2.0 * edges * reals}};
}

static struct count count_of(const struct irrep_model *model, const struct op *op, double edges,
                             double terms) {
  const struct program *program = &model->program;
  const bool of_edges = op->in < program->n_tensors && program->tensors[op->in].of_edges;
  switch (op->id) {
  case OP_CONVOLUTION:
    return op->message.convolution.scalar && !program->directed
               ? count_scalars(edges, (double)op->message.convolution.x_dim, terms)
               : count_convolution(&op->message.convolution, edges, terms, !op->grad_unused);
  case OP_LINEAR:
    return count_linear(&op->linear, of_edges ? edges : 1.0, of_edges ? EDGE_TILE : ATOM_TILE);
  case OP_PRODUCT:
    return count_product(&op->product);
  case OP_TENSOR_SQUARE:
    return count_square(&op->tensor_square);
  case OP_TENSOR_PRODUCT:
    return count_tensor_product(&op->tensor_product, edges);
  default:
    return (struct count){{0, 0}, {0, 0}};
  }
}

/* Times */

struct row {
  const char *name;
  bool adjoint;
  double best, now; /* seconds */
  struct count count;
};

struct clock {
  double last;
  size_t n;
  struct row rows[OPERATIONS_MAX];
};

static struct row *row_of(struct clock *clock, const char *name, bool adjoint) {
  for (size_t i = 0; i < clock->n; i++)
    if (strcmp(clock->rows[i].name, name) == 0 && clock->rows[i].adjoint == adjoint)
      return &clock->rows[i];
  if (clock->n == OPERATIONS_MAX)
    exit(1);
  clock->rows[clock->n] = (struct row){.name = name, .adjoint = adjoint, .best = 1e300};
  return &clock->rows[clock->n++];
}

static void note(void *context, size_t thread, const char *operation, bool adjoint) {
  struct clock *clock = context;
  (void)thread;
  row_of(clock, operation ? operation : "between", adjoint)->now += now() - clock->last;
  clock->last = now();
}

/* Silicon, each atom a little off its site. */
static void silicon(size_t side, struct irrep_structure *s, double *positions, int32_t *numbers) {
  static const double a = 5.431, at[SITES][3] = {{0, 0, 0},       {0, .5, .5},     {.5, 0, .5},
                                                 {.5, .5, 0},     {.25, .25, .25}, {.25, .75, .75},
                                                 {.75, .25, .75}, {.75, .75, .25}};
  s->n_atoms = SITES * side * side * side;
  s->numbers = numbers;
  s->positions = positions;
  uint32_t random = 1;
  for (size_t i = 0; i < s->n_atoms; i++) {
    const size_t cell = i / SITES;
    const size_t corner[3] = {cell / side / side, cell / side % side, cell % side};
    numbers[i] = 14;
    for (size_t k = 0; k < 3; k++) {
      random = random * 1664525U + 1013904223U;
      positions[3 * i + k] =
          a * ((double)corner[k] + at[i % SITES][k]) + 0.1 * ((double)random * 0x1p-32 - 0.5);
    }
  }
  for (size_t k = 0; k < 3; k++) {
    s->pbc[k] = true;
    s->cell[k][k] = a * (double)side;
  }
}

static void check(enum irrep_status status, const struct irrep_error *error) {
  if (status != IRREP_OK) {
    fprintf(stderr, "%s: %s\n", irrep_status_name(status), error->detail);
    exit(1);
  }
}

static struct irrep_model *load(const char *path) {
  struct irrep_error error = {0};
  struct irrep_model *model;
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) {
    fprintf(stderr, "%s cannot be read\n", path);
    exit(1);
  }
  const size_t size = (size_t)ftell(file);
  void *data = take(size + 1);
  rewind(file);
  if (fread(data, 1, size, file) != size)
    exit(1);
  fclose(file);
  check(irrep_model_load(data, size, &model, &error), &error);
  free(data);
  return model;
}

/* Fills the clock's rows with the least time of each. Returns the edges of an atom. */
static double measure(const struct irrep_model *model, size_t side, enum irrep_precision precision,
                      struct clock *clock) {
  const size_t n = SITES * side * side * side;
  struct irrep_error error = {0};
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  struct irrep_plan plan = IRREP_PLAN_INIT;
  struct irrep_result result = {.struct_size = sizeof result, .forces = take(24 * n)};
  struct irrep_graph *graph;
  silicon(side, &structure, take(24 * n), take(4 * n));
  check(irrep_model_graph(model, &structure, SIZE_MAX, SIZE_MAX, &plan, &graph, &error), &error);
  const size_t bytes = irrep_model_bytes(model, precision, &plan);
  void *arena = take(bytes);
  const struct irrep_profile profile = {sizeof profile, clock, note};
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof options, .precision = precision, .profile = &profile};
  for (int round = 0; round <= ROUNDS; round++) {
    for (size_t i = 0; i < clock->n; i++)
      clock->rows[i].now = 0;
    clock->last = now();
    const struct irrep_graph *graphs[1] = {graph};
    check(irrep_model_evaluate_graphs(model, &options, graphs, 1, arena, bytes, &result, &error),
          &error);
    for (size_t i = 0; i < clock->n && round > 0; i++)
      if (clock->rows[i].now < clock->rows[i].best)
        clock->rows[i].best = clock->rows[i].now;
  }
  return (double)plan.n_edges / (double)n;
}

static int by_time(const void *a, const void *b) {
  const double x = ((const struct row *)a)->best, y = ((const struct row *)b)->best;
  return (x < y) - (x > y);
}

static void print_row(const struct row *row, double n_atoms, double total, size_t real,
                      double product, double reading) {
  const double seconds = row->best / n_atoms;
  const double flop = 2.0 * row->count.fma[row->adjoint];
  const double bytes = (double)real * row->count.reals[row->adjoint];
  printf("| %s%s | %.2f | %.0f %% |", row->name, row->adjoint ? ", adjoint" : "", 1e6 * seconds,
         100.0 * row->best / total);
  if (flop > 0)
    printf(" %.3f | %.0f %% |", 1e-6 * flop, 100.0 * flop / seconds / product);
  else
    printf(" | |");
  if (bytes > 0)
    printf(" %.0f | %.0f %% |\n", 1e-3 * bytes, 100.0 * bytes / seconds / reading);
  else
    printf(" | |\n");
}

int main(int n_arguments, char **arguments) {
  static struct clock clock;
  if (n_arguments != 4)
    return 2;
  const struct irrep_model *model = load(arguments[1]);
  const size_t side = strtoul(arguments[2], NULL, 10);
  const enum irrep_precision precision =
      strcmp(arguments[3], "float64") == 0 ? IRREP_FLOAT64 : IRREP_FLOAT32;
  const struct kernels *kernels = model->kernels[precision];
  if (side < 1 || side > 20)
    return 2;
  const double edges = measure(model, side, precision, &clock);
  const struct filter_tables *tables = tables_once_get(&model->tables[precision]);
  for (size_t i = 0; tables && i < model->program.n_ops; i++)
    for (int adjoint = 0; adjoint < 2; adjoint++) {
      const struct op *op = &model->program.ops[i];
      const struct count c = count_of(model, op, edges, (double)tables->n_terms);
      struct row *row = row_of(&clock, op_traits[op->id].name, adjoint);
      row->count.fma[adjoint] += c.fma[adjoint];
      row->count.reals[adjoint] += c.reals[adjoint];
    }
  const double product = product_rate(kernels), l2 = reading_rate(kernels, EDGE_TILE, 1);
  double total = 0, n_atoms = (double)(SITES * side * side * side);
  for (size_t i = 0; i < clock.n; i++)
    total += clock.rows[i].best < 1e300 ? clock.rows[i].best : 0;
  printf("%s, %.0f atoms of Si, %.1f edges an atom, %s, %s: %.1f us an atom. Products of matrices "
         "%.0f GFLOP/s; reading tables from L1 %.0f, L2 %.0f, memory %.0f GB/s; the model has %.1f "
         "MB\n\n",
         model->card.architecture, n_atoms, edges, arguments[3], kernels->isa,
         1e6 * total / n_atoms, 1e-9 * product, 1e-9 * reading_rate(kernels, 2, 1), 1e-9 * l2,
         1e-9 * reading_rate(kernels, EDGE_TILE, 256), tables ? 1e-6 * (double)tables->bytes : 0.0);
  printf("| operation | us | share | MFLOP | of the product's rate | kB | of reading L2 |\n"
         "|---|---|---|---|---|---|---|\n");
  qsort(clock.rows, clock.n, sizeof *clock.rows, by_time);
  for (size_t i = 0; i < clock.n; i++)
    if (clock.rows[i].best < 1e300 && clock.rows[i].best > 0.01 * total)
      print_row(&clock.rows[i], n_atoms, total, kernels->real_size, product, l2);
  return 0;
}
