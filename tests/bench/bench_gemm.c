/* GFLOP/s of the core's GEMM kernel, by CPU time, on tiles as the models have them. */
#include "core/cpu/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS 32
#define REPEATS 200
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

/* A linear map of scalars is one GEMM. */
static int measure(const struct kernels *kernels, size_t k, size_t n) {
  const struct linear_block block = {
      .n_m = 1, .in_stride = k, .out_stride = n, .matrix = {k, n, 0, k * n}};
  const struct linear op = {.in_dim = k,
                            .out_dim = n,
                            .n_blocks = 1,
                            .blocks = &block,
                            .covers_in = true,
                            .covers_out = true};
  uint32_t species[ROWS] = {0};
  void *weights = zeros(2 * k * n * kernels->real_size), *in = zeros(ROWS * k * kernels->real_size);
  void *out = zeros(ROWS * n * kernels->real_size);
  double best = 1e300;
  for (int round = 0; weights && in && out && round < ROUNDS; round++) {
    const double start = cpu_seconds();
    for (int i = 0; i < REPEATS; i++)
      kernels->linear(&op, ROWS, species, weights, in, out, false);
    const double seconds = (cpu_seconds() - start) / REPEATS;
    best = seconds < best ? seconds : best;
  }
  const int failed = !(weights && in && out);
  printf("%s %s %zu %zu %.2f\n", kernels->precision == IRREP_FLOAT32 ? "float32" : "float64",
         kernels->isa, k, n, 2e-9 * ROWS * (double)(k * n) / best);
  free(weights), free(in), free(out);
  return failed;
}

int main(void) {
  int failed = 0;
  for (int p = 0; p < 2; p++) {
    const struct kernels *kernels = kernels_for(p ? IRREP_FLOAT64 : IRREP_FLOAT32, NULL);
    failed |= measure(kernels, 64, 64) | measure(kernels, 128, 128) | measure(kernels, 256, 256);
  }
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
