/* GFLOP/s of the core's GEMM kernel and of OpenBLAS on one thread, in turns, by CPU time, on the
 * shapes that models have: a line "PRECISION ISA ROWS K COLUMNS OWN OPENBLAS" for each, after one
 * that names OpenBLAS and the processor that it takes this one for. */
#include "core/base/dense.h"
#include "core/cpu/dispatch.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Multiply-adds of a measurement, and the best of so many. */
#define WORK 2e7
#define ROUNDS 15

static double cpu_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *zeros(size_t bytes) {
  void *memory = aligned_alloc(IRREP_ALIGNMENT, (bytes / IRREP_ALIGNMENT + 1) * IRREP_ALIGNMENT);
  return memory ? memset(memory, 0, bytes) : NULL;
}

struct shape {
  size_t rows, k, columns;
};

/* What a product reads and writes. */
struct trial {
  const struct kernels *kernels;
  struct shape shape;
  void *weights, *in, *out;
};

/* A linear map of scalars is one GEMM. */
static void by_kernel(const struct trial *trial) {
  const size_t k = trial->shape.k, n = trial->shape.columns;
  const struct linear_block block = {
      .n_m = 1, .in_stride = k, .out_stride = n, .matrix = {k, n, 0, k * n}};
  const struct linear op = {.in_dim = k,
                            .out_dim = n,
                            .n_blocks = 1,
                            .blocks = &block,
                            .covers_in = true,
                            .covers_out = true};
  trial->kernels->linear(&op, trial->shape.rows, NULL, trial->weights, trial->in, trial->out,
                         false);
}

static void by_openblas(const struct trial *trial) {
  const int rows = (int)trial->shape.rows, k = (int)trial->shape.k, n = (int)trial->shape.columns;
  if (trial->kernels->precision == IRREP_FLOAT32)
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, n, k, 1.0F, trial->in, k,
                trial->weights, n, 0.0F, trial->out, n);
  else
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, n, k, 1.0, trial->in, k,
                trial->weights, n, 0.0, trial->out, n);
}

static double seconds_of(void (*product)(const struct trial *trial), const struct trial *trial) {
  const double each = (double)(trial->shape.rows * trial->shape.k * trial->shape.columns);
  const int repeats = (int)(WORK / each) + 1;
  const double start = cpu_seconds();
  for (int i = 0; i < repeats; i++)
    product(trial);
  return (cpu_seconds() - start) / repeats;
}

static bool measure(const struct kernels *kernels, struct shape shape) {
  const size_t real = kernels->real_size;
  const struct trial trial = {kernels, shape, zeros(2 * shape.k * shape.columns * real),
                              zeros(shape.rows * shape.k * real),
                              zeros(shape.rows * shape.columns * real)};
  const bool taken = trial.weights && trial.in && trial.out;
  double own = 1e300, openblas = 1e300;
  for (int round = 0; taken && round < ROUNDS; round++) {
    const double a = seconds_of(by_kernel, &trial), b = seconds_of(by_openblas, &trial);
    own = a < own ? a : own;
    openblas = b < openblas ? b : openblas;
  }
  const double work = 2e-9 * (double)(shape.rows * shape.k * shape.columns);
  printf("%s %s %zu %zu %zu %.1f %.1f\n",
         kernels->precision == IRREP_FLOAT32 ? "float32" : "float64", kernels->isa, shape.rows,
         shape.k, shape.columns, work / own, work / openblas);
  free(trial.weights), free(trial.in), free(trial.out);
  return taken;
}

int main(void) {
  /* Radial networks on 64 edges (their layers, the last for MACE and SevenNet), tables made of more
   * at a time, linear maps and readouts of a tile, one atom, an embedding folded for all elements.
   */
  static const struct shape shapes[] = {
      {64, 8, 64},      {64, 64, 64},  {64, 64, 640},  {64, 64, 1280}, {1024, 64, 64},
      {1024, 64, 1280}, {32, 64, 64},  {32, 128, 128}, {32, 256, 256}, {32, 128, 512},
      {32, 512, 128},   {8, 128, 128}, {1, 128, 128},  {89, 128, 128}};
  char name[64];
  bool taken = true;
  dense_use_one_thread();
  dense_name(&dense_openblas, name, sizeof name);
  puts(name);
  for (int p = 0; p < 2; p++) {
    const struct kernels *kernels = kernels_for(p ? IRREP_FLOAT64 : IRREP_FLOAT32, NULL);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
      taken = measure(kernels, shapes[i]) && taken;
  }
  return taken ? EXIT_SUCCESS : EXIT_FAILURE;
}
