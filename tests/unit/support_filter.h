/* A program of one filter, for tests of its tables. Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_FILTER_H
#define TESTS_UNIT_SUPPORT_FILTER_H

#include "core/program/program.h"
#include "tests/unit/support_kernels.h"

#define BASIS 8
#define HIDDEN 16
#define COLUMNS 32

/* A program of one convolution, of which only the filter matters here. */
struct trial {
  struct program program;
  struct filter_layer layers[2];
  void *weights;
};

static inline void trial_init(struct trial *trial, enum radial_cutoff cutoff) {
  struct rng rng = {11};
  struct program *program = &trial->program;
  double dense[HIDDEN * COLUMNS];
  program_init(program);
  program->radial = (struct radial){
      .n_basis = BASIS, .prefactor = 0.4, .cutoff = cutoff, .r_max = 5.0, .r_on = 4.5, .p = 6.0};
  for (size_t k = 0; k < BASIS; k++)
    program->radial.frequencies[k] = 3.14159 * (double)(k + 1) / 5.0;
  rng_fill(&rng, BASIS * HIDDEN, dense);
  trial->layers[0] = (struct filter_layer){.matrix = program_matrix(program, BASIS, HIDDEN, dense)};
  rng_fill(&rng, HIDDEN * COLUMNS, dense);
  trial->layers[1] =
      (struct filter_layer){.matrix = program_matrix(program, HIDDEN, COLUMNS, dense)};
  struct op *op = program_op(program, OP_CONVOLUTION, 0, 0);
  op->message.convolution.n_columns = COLUMNS;
  op->message.filter = (struct filter){
      .n_layers = 2, .layers = trial->layers, .activation = ACTIVATION_SILU, .width = HIDDEN};
  program->columns_max = COLUMNS;
  program->width_max = HIDDEN;
  const struct kernels *kernels = kernels_for(IRREP_FLOAT64, NULL);
  trial->weights = aligned_new(program->n_weights * sizeof(double));
  kernels->from_double(program->n_weights, program->weights, trial->weights);
}

static inline void trial_fini(struct trial *trial) {
  program_fini(&trial->program);
  free(trial->weights);
}

#endif
