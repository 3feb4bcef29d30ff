/* A tensor product with random terms between components. Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_TENSOR_PRODUCT_H
#define TESTS_UNIT_SUPPORT_TENSOR_PRODUCT_H

#include "tests/unit/support_kernels.h"

#define PRODUCT_IN 9
#define PRODUCT_SUMS 9
#define PRODUCT_OUT 4
#define PRODUCT_TERMS_MAX (PRODUCT_IN * PRODUCT_SUMS * PRODUCT_OUT)

struct test_tensor_product {
  struct tensor_product op;
  struct component_pair pairs[PRODUCT_IN * PRODUCT_OUT];
  uint32_t first[PRODUCT_IN * PRODUCT_OUT + 1], component[PRODUCT_TERMS_MAX];
  size_t n_terms;
};

/* Some of all pairs, some of all terms; component PRODUCT_OUT - 1 of the output has none. */
static inline void tensor_product_init(struct test_tensor_product *p, size_t channels) {
  struct rng rng = {channels};
  *p = (struct test_tensor_product){.op = {.in_dim = PRODUCT_IN * channels,
                                           .sums_dim = PRODUCT_SUMS * channels,
                                           .out_dim = PRODUCT_OUT * channels,
                                           .channels = channels}};
  for (uint32_t out = 0; out < PRODUCT_OUT - 1; out++)
    for (uint32_t in = 0; in < PRODUCT_IN; in++) {
      const size_t before = p->n_terms;
      for (uint32_t j = 0; j < PRODUCT_SUMS; j++)
        if (rng_next(&rng) < -0.5)
          p->component[p->n_terms++] = j;
      if (p->n_terms == before)
        continue;
      p->pairs[p->op.n_pairs] = (struct component_pair){in, out};
      p->first[p->op.n_pairs++] = (uint32_t)before;
    }
  p->first[p->op.n_pairs] = (uint32_t)p->n_terms;
  p->op.pairs = p->pairs;
  p->op.first = p->first;
  p->op.component = p->component;
}

#endif
