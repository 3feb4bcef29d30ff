/* Dense matrices of doubles, row by row: products and eigenproblems of what is large and not
 * computed for each edge or atom: embeddings folded at load, normal modes.
 *
 * Either OpenBLAS computes, or plain loops: OpenBLAS picks its kernels by the name of the
 * processor, and on one that it does not know they may be slow, wrong or end the process. Numbers
 * of the two, and of OpenBLAS on different processors, differ by rounding. So does a row with the
 * number of rows beside it, which is why evaluation has a product of its own
 * (core/cpu/kernels/gemm.h).
 *
 * All calls are thread-safe on distinct outputs; OpenBLAS does one at a time. */
#ifndef CORE_BASE_DENSE_H
#define CORE_BASE_DENSE_H

#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Rows, columns and terms of a sum at most; rows of an eigenproblem at most. */
#define DENSE_PRODUCT_MAX 2000000000
#define DENSE_EIGEN_MAX 30000

/* out (+)= a b.
 *   a    [n_rows][n_inner]
 *   b    [n_inner][n_columns]
 *   out  [n_rows][n_columns]; none of the two */
struct dense_product {
  size_t n_rows, n_columns, n_inner;
  const double *a, *b;
  double *out;
  bool accumulate;
};

/* Who computes. */
struct dense {
  void (*product)(const struct dense_product *product);

  /* matrix [n][n]: its lower triangle is read; then row i is the eigenvector of values[i]. OK;
   * NO_MEMORY; NOT_FINITE: the iteration does not converge. */
  enum irrep_status (*symmetric_eigen)(size_t n, double *matrix, double *values);
};

extern const struct dense dense_own, dense_openblas;

/* OpenBLAS, if it is wanted, has one thread and computes right here, else the plain loops; never
 * NULL. Takes a fraction of a millisecond. On a processor that it takes for another the process may
 * end: whoever can, tries in a process of its own. */
const struct dense *dense_choose(bool openblas);

/* From here on OpenBLAS computes on the calling thread alone, in the whole process: for the program
 * that owns it. */
void dense_use_one_thread(void);

/* Whether products and eigenvectors of small matrices come out right. */
bool dense_is_right(const struct dense *dense);

/* Writes who computes, e.g. "OpenBLAS 0.3.21 Haswell" (for which processor) or "own". */
void dense_name(const struct dense *dense, char *name, size_t size);

/* Computes a product. OK; TOO_LARGE: a size above DENSE_PRODUCT_MAX. */
enum irrep_status dense_product(const struct dense *dense, const struct dense_product *product);

/* Finds the eigenvalues, in ascending order, and eigenvectors of a symmetric matrix.
 *   matrix  [n][n], of which the lower triangle is read; then row i is the eigenvector of
 * values[i], of length 1, whose largest component (the first of such) is positive values  [n] OK;
 * TOO_LARGE: n above DENSE_EIGEN_MAX; NOT_FINITE: an element is not, or the numbers are so large
 * that there is no result; NO_MEMORY. */
enum irrep_status dense_symmetric_eigen(const struct dense *dense, size_t n, double *matrix,
                                        double *values);

#endif
