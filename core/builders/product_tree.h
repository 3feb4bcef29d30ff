/* The rows of coupling tables, sorted into one tree of monomials for each component of the output.
 */
#ifndef CORE_BUILDERS_PRODUCT_TREE_H
#define CORE_BUILDERS_PRODUCT_TREE_H

#include "core/program/program.h"

/* One row of a coupling table. The key sorts terms by component and monomial, a monomial before
 * those that continue it; variables count from 1, and 0 ends them. */
struct term {
  unsigned char key[1 + PRODUCT_CORRELATION_MAX + 1];
  unsigned char correlation;
  uint32_t path;
  double value;
};

/* A coefficient is the sum over its terms of value times weight. */
struct coefficient {
  size_t first_term, n_terms;
};

/* Arrays are sized by the number of terms and belong to the program. */
struct product_tree {
  size_t n_terms, n_nodes, n_leaves, n_coefficients;
  struct term *terms;
  struct product_node *nodes;
  uint8_t *leaves;
  struct coefficient *coefficients;
};

/* What the numbers of a table's rows must be below. */
struct product_bounds {
  size_t n_components, n_variables, n_paths;
};

/* Makes room for the trees of n_components components and n_terms terms in all. */
bool product_tree_take(struct product_tree *tree, struct program *program, size_t n_terms,
                       size_t n_components);

/* Adds the n rows [correlation + 3] of one table: component, variables in ascending order, path,
 * value. Returns NULL, or what is wrong with them. */
const char *product_tree_add(struct product_tree *tree, const double *rows, size_t n,
                             size_t correlation, const struct product_bounds *bounds);

/* Sorts the terms from `first` on, the rows of one irrep, and makes their components' trees.
 *   outputs  [n_components]; all but out_offset is written */
void product_tree_grow(struct product_tree *tree, size_t first, size_t n_components,
                       struct product_output *outputs);

#endif
