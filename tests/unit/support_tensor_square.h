/* A tensor square with random couplings between the components of "20x0e+20x1o+20x2e" and its twin.
 * Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_TENSOR_SQUARE_H
#define TESTS_UNIT_SUPPORT_TENSOR_SQUARE_H

#include "tests/unit/support_kernels.h"

#define SELF_COMPONENTS 9
#define SELF_PAIRS (SELF_COMPONENTS * SELF_COMPONENTS)
#define SELF_TERMS_MAX (SELF_PAIRS * SELF_COMPONENTS)

struct test_tensor_square {
  struct tensor_square op;
  size_t in_offset[SELF_COMPONENTS], out_offset[SELF_COMPONENTS];
  struct square_pair pairs[SELF_PAIRS];
  uint32_t first[SELF_PAIRS + 1], column[SELF_TERMS_MAX];
  double values[SELF_TERMS_MAX];
  size_t n_terms;
};

/* Rows of n_outputs components, and of SELF_COMPONENTS twice, of `channels` reals each. */
static inline void tensor_square_init(struct test_tensor_square *p, size_t n_outputs,
                                      size_t channels) {
  struct rng rng = {n_outputs};
  *p = (struct test_tensor_square){
      .op = {.in_dim = 2 * SELF_COMPONENTS * channels,
             .out_dim = n_outputs * channels,
             .channels = channels,
             .n_components = SELF_COMPONENTS,
             .n_outputs = n_outputs,
             .adds_first = true,
             .twin = SELF_COMPONENTS * channels},
  };
  for (size_t i = 0; i < SELF_COMPONENTS; i++)
    p->in_offset[i] = p->out_offset[i] = i * channels;
  for (size_t i = 0; i < SELF_PAIRS; i++) {
    if (rng_next(&rng) < -0.5)
      continue;
    const size_t before = p->n_terms;
    for (size_t k = 0; k < n_outputs; k++)
      if (rng_next(&rng) < -0.2) {
        p->column[p->n_terms] = (uint32_t)k;
        p->values[p->n_terms++] = rng_next(&rng);
      }
    if (p->n_terms == before)
      continue;
    p->pairs[p->op.couplings.n_rows] =
        (struct square_pair){(uint16_t)(i / SELF_COMPONENTS), (uint16_t)(i % SELF_COMPONENTS)};
    p->first[p->op.couplings.n_rows++] = (uint32_t)before;
  }
  p->first[p->op.couplings.n_rows] = (uint32_t)p->n_terms;
  p->op.in_offset = p->in_offset;
  p->op.out_offset = p->out_offset;
  p->op.pairs = p->pairs;
  p->op.couplings.first = p->first;
  p->op.couplings.column = p->column;
}

#endif
