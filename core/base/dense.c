#include "core/base/dense.h"

#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LAPACK in OpenBLAS: column by column, as Fortran has it. Lengths of texts come last. */
void dsyevd_(const char *jobz, const char *uplo, const blasint *n, double *a, const blasint *lda,
             double *w, double *work, const blasint *lwork, blasint *iwork, const blasint *liwork,
             blasint *info, size_t jobz_length, size_t uplo_length);

/* OpenBLAS */

/* OpenBLAS without threads of its own, as Debian has it, gives two calls at a time the same buffer:
 * both come out wrong. It is state of the process, and so is this. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void openblas_product(const struct dense_product *p) {
  const blasint rows = (blasint)p->n_rows, columns = (blasint)p->n_columns;
  const blasint inner = (blasint)p->n_inner;
  pthread_mutex_lock(&one_at_a_time);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, columns, inner, 1.0, p->a, inner,
              p->b, columns, p->accumulate ? 1.0 : 0.0, p->out, columns);
  pthread_mutex_unlock(&one_at_a_time);
}

/* Our lower triangle is Fortran's upper one, and its columns of eigenvectors are our rows. */
static enum irrep_status openblas_symmetric_eigen(size_t n, double *matrix, double *values) {
  const blasint order = (blasint)n, lwork = 1 + 6 * order + 2 * order * order;
  const blasint liwork = 3 + 5 * order;
  double *work = malloc((size_t)lwork * sizeof *work);
  blasint *iwork = malloc((size_t)liwork * sizeof *iwork), info = -1;
  const bool taken = work && iwork;
  if (taken) {
    pthread_mutex_lock(&one_at_a_time);
    dsyevd_("V", "U", &order, matrix, &order, values, work, &lwork, iwork, &liwork, &info, 1, 1);
    pthread_mutex_unlock(&one_at_a_time);
  }
  free(work);
  free(iwork);
  return info == 0 ? IRREP_OK : taken ? IRREP_NOT_FINITE : IRREP_NO_MEMORY;
}

const struct dense dense_openblas = {openblas_product, openblas_symmetric_eigen};

/* Plain loops */

static void own_product(const struct dense_product *p) {
  for (size_t r = 0; r < p->n_rows; r++) {
    double *out = p->out + r * p->n_columns;
    if (!p->accumulate)
      memset(out, 0, p->n_columns * sizeof *out);
    for (size_t k = 0; k < p->n_inner; k++)
      for (size_t c = 0; c < p->n_columns; c++)
        out[c] += p->a[r * p->n_inner + k] * p->b[k * p->n_columns + c];
  }
}

/* Turns rows i and j of an array by an angle. */
static void turn(double *rows, size_t n, size_t i, size_t j, double cosine, double sine) {
  double *x = rows + i * n, *y = rows + j * n;
  for (size_t k = 0; k < n; k++) {
    const double a = x[k], b = y[k];
    x[k] = cosine * a - sine * b;
    y[k] = sine * a + cosine * b;
  }
}

/* One of Jacobi's rotations: it makes the element (i, j) of a symmetric matrix zero (Golub and Van
 * Loan, Matrix Computations, section 8.5). The rows of `vectors` turn along. */
static void rotate(double *a, double *vectors, size_t n, size_t i, size_t j) {
  const double theta = (a[j * n + j] - a[i * n + i]) / (2.0 * a[i * n + j]);
  const double tangent = copysign(1.0, theta) / (fabs(theta) + sqrt(theta * theta + 1.0));
  const double cosine = 1.0 / sqrt(tangent * tangent + 1.0), sine = tangent * cosine;
  turn(a, n, i, j, cosine, sine);
  for (size_t k = 0; k < n; k++) {
    const double x = a[k * n + i], y = a[k * n + j];
    a[k * n + i] = cosine * x - sine * y;
    a[k * n + j] = sine * x + cosine * y;
  }
  a[i * n + j] = a[j * n + i] = 0.0;
  turn(vectors, n, i, j, cosine, sine);
}

/* Sweeps until all that is off the diagonal is lost in rounding. */
static bool sweep(double *a, double *vectors, size_t n) {
  for (int sweeps = 0; sweeps < 60; sweeps++) {
    bool changed = false;
    for (size_t i = 0; i < n; i++)
      for (size_t j = i + 1; j < n; j++) {
        const double scale = fabs(a[i * n + i]) + fabs(a[j * n + j]);
        if (fabs(a[i * n + j]) <= 0x1p-60 * scale || fabs(a[i * n + j]) < 0x1p-1000)
          continue;
        rotate(a, vectors, n, i, j);
        changed = true;
      }
    if (!changed)
      return true;
  }
  return false;
}

static void swap_rows(double *vectors, size_t n, size_t i, size_t j) {
  for (size_t k = 0; k < n && i != j; k++) {
    const double x = vectors[i * n + k];
    vectors[i * n + k] = vectors[j * n + k];
    vectors[j * n + k] = x;
  }
}

/* By ascending eigenvalue. */
static void order(double *vectors, double *values, size_t n) {
  for (size_t i = 0; i < n; i++) {
    size_t least = i;
    for (size_t j = i + 1; j < n; j++)
      if (values[j] < values[least])
        least = j;
    const double value = values[i];
    values[i] = values[least];
    values[least] = value;
    swap_rows(vectors, n, i, least);
  }
}

static enum irrep_status own_symmetric_eigen(size_t n, double *matrix, double *values) {
  double *a = malloc(n * n * sizeof *a);
  if (!a)
    return IRREP_NO_MEMORY;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++)
      a[i * n + j] = a[j * n + i] = matrix[i * n + j];
  memset(matrix, 0, n * n * sizeof *matrix);
  for (size_t i = 0; i < n; i++)
    matrix[i * n + i] = 1.0;
  const bool converged = sweep(a, matrix, n);
  for (size_t i = 0; i < n; i++)
    values[i] = a[i * n + i];
  free(a);
  order(matrix, values, n);
  return converged ? IRREP_OK : IRREP_NOT_FINITE;
}

const struct dense dense_own = {own_product, own_symmetric_eigen};

/* Checking. Sizes are beyond one block of any kernel, and no multiple of what it does at a time. */
#define TRIAL 43
#define TRIAL_ROWS 37
#define TRIAL_INNER 67

static double trial_number(size_t i) {
  return (double)(i * 2654435761u % 1000003u) / 500001.5 - 1.0;
}

static bool product_is_right(const struct dense *dense, double *memory) {
  double *a = memory, *b = a + TRIAL_ROWS * TRIAL_INNER, *out = b + TRIAL_INNER * TRIAL;
  double *wanted = out + TRIAL_ROWS * TRIAL;
  for (size_t i = 0; i < TRIAL_ROWS * TRIAL_INNER; i++)
    a[i] = trial_number(i);
  for (size_t i = 0; i < TRIAL_INNER * TRIAL; i++)
    b[i] = trial_number(i + 7777);
  struct dense_product trial = {TRIAL_ROWS, TRIAL, TRIAL_INNER, a, b, out, false};
  dense->product(&trial);
  trial.accumulate = true;
  dense->product(&trial);
  trial.out = wanted;
  trial.accumulate = false;
  own_product(&trial);
  for (size_t i = 0; i < TRIAL_ROWS * TRIAL; i++)
    if (!(fabs(out[i] - 2.0 * wanted[i]) < 1e-11))
      return false;
  return true;
}

/* Each row v of the matrix that comes back has A v = value v and length 1, and values ascend. */
static bool eigen_is_right(const struct dense *dense, double *memory) {
  double *a = memory, *v = a + TRIAL * TRIAL, *values = v + TRIAL * TRIAL;
  for (size_t i = 0; i < TRIAL; i++)
    for (size_t j = 0; j <= i; j++)
      v[i * TRIAL + j] = a[i * TRIAL + j] = a[j * TRIAL + i] = trial_number(i * TRIAL + j);
  if (dense->symmetric_eigen(TRIAL, v, values) != IRREP_OK)
    return false;
  for (size_t i = 0; i < TRIAL; i++) {
    double length = 0.0, error = 0.0;
    for (size_t j = 0; j < TRIAL; j++) {
      double sum = -values[i] * v[i * TRIAL + j];
      for (size_t k = 0; k < TRIAL; k++)
        sum += a[j * TRIAL + k] * v[i * TRIAL + k];
      error += fabs(sum);
      length += v[i * TRIAL + j] * v[i * TRIAL + j];
    }
    if (!(error < 1e-10) || !(fabs(length - 1.0) < 1e-12) ||
        (i > 0 && !(values[i] >= values[i - 1])))
      return false;
  }
  return true;
}

bool dense_is_right(const struct dense *dense) {
  const size_t n = (TRIAL_ROWS + TRIAL) * TRIAL_INNER + 2 * TRIAL * TRIAL + TRIAL;
  double *memory = malloc(n * sizeof *memory);
  const bool right = memory && product_is_right(dense, memory) && eigen_is_right(dense, memory);
  free(memory);
  return right;
}

const struct dense *dense_choose(bool openblas) {
  /* How many threads compute may change a product's bits. */
  const bool alone = openblas_get_parallel() == 0 || openblas_get_num_threads() == 1;
  return openblas && alone && dense_is_right(&dense_openblas) ? &dense_openblas : &dense_own;
}

void dense_use_one_thread(void) {
  if (openblas_get_parallel() != 0)
    openblas_set_num_threads(1);
}

void dense_name(const struct dense *dense, char *name, size_t size) {
  if (dense != &dense_openblas) {
    snprintf(name, size, "own");
    return;
  }
  /* The first two words: the name and the version. */
  const char *config = openblas_get_config();
  size_t n = strcspn(config, " ");
  n += strspn(config + n, " ");
  n += strcspn(config + n, " ");
  snprintf(name, size, "%.*s %s", (int)n, config, openblas_get_corename());
}

/* Calls */

enum irrep_status dense_product(const struct dense *dense, const struct dense_product *product) {
  const size_t most = DENSE_PRODUCT_MAX;
  if (product->n_rows > most || product->n_columns > most || product->n_inner > most)
    return IRREP_TOO_LARGE;
  if (product->n_rows == 0 || product->n_columns == 0)
    return IRREP_OK;
  if (product->n_inner > 0)
    dense->product(product);
  else if (!product->accumulate)
    memset(product->out, 0, product->n_rows * product->n_columns * sizeof *product->out);
  return IRREP_OK;
}

static void orient(double *row, size_t n) {
  size_t largest = 0;
  for (size_t i = 1; i < n; i++)
    if (fabs(row[i]) > fabs(row[largest]))
      largest = i;
  for (size_t i = 0; i < n && row[largest] < 0.0; i++)
    if (i != largest)
      row[i] = -row[i];
  row[largest] = fabs(row[largest]);
}

enum irrep_status dense_symmetric_eigen(const struct dense *dense, size_t n, double *matrix,
                                        double *values) {
  if (n > DENSE_EIGEN_MAX)
    return IRREP_TOO_LARGE;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++)
      if (!isfinite(matrix[i * n + j]))
        return IRREP_NOT_FINITE;
  const enum irrep_status status = n > 0 ? dense->symmetric_eigen(n, matrix, values) : IRREP_OK;
  for (size_t i = 0; i < n && status == IRREP_OK; i++)
    orient(matrix + i * n, n);
  return status;
}
