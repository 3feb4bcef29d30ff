/* The public face of core/e3: irrep/e3.h. */
#include "irrep/e3.h"

#include "core/e3/irreps.h"
#include "core/e3/spherical_harmonics.h"
#include "core/e3/wigner.h"
#include "irrep/model_format.h"

#include <math.h>
#include <string.h>

static enum irrep_status write_irreps(const struct irreps *irreps, char *out, size_t size,
                                      struct irrep_error *error) {
  if (irreps_format(irreps, out, size) >= size)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "size", "the irreps are longer than %zu bytes",
                      size);
  return IRREP_OK;
}

enum irrep_status irrep_irreps_dim(const char *irreps, size_t *dim, struct irrep_error *error) {
  struct irreps parsed;
  const enum irrep_status status = irreps_parse(irreps, &parsed, error);
  if (status == IRREP_OK)
    *dim = irreps_unpadded_dim(&parsed);
  return status;
}

enum irrep_status irrep_irreps_simplify(const char *irreps, char *out, size_t size,
                                        struct irrep_error *error) {
  struct irreps parsed;
  const enum irrep_status status = irreps_parse(irreps, &parsed, error);
  if (status != IRREP_OK)
    return status;
  irreps_simplify(&parsed);
  return write_irreps(&parsed, out, size, error);
}

/* Both factors, and their product simplified. */
struct product {
  struct irreps a, b, out;
};

static struct irrep coupled(const struct irreps_entry *a, const struct irreps_entry *b, int l) {
  return (struct irrep){l, a->ir.parity * b->ir.parity};
}

static enum irrep_status add_channels(struct irreps *out, struct irrep ir, size_t mul,
                                      struct irrep_error *error) {
  const size_t at = irreps_find(out, ir);
  const size_t before = at < out->n ? out->entry[at].mul : 0;
  if (mul > IRREP_MODEL_CHANNELS_MAX || before + mul > IRREP_MODEL_CHANNELS_MAX)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "b", "a product of more than %d channels",
                      IRREP_MODEL_CHANNELS_MAX);
  if (at < out->n)
    out->entry[at].mul += mul;
  else
    irreps_append(out, ir, mul);
  return IRREP_OK;
}

static enum irrep_status make_product(const char *a, const char *b, struct product *product,
                                      struct irrep_error *error) {
  enum irrep_status status = irreps_parse(a, &product->a, error);
  if (status == IRREP_OK)
    status = irreps_parse(b, &product->b, error);
  product->out = (struct irreps){0};
  for (size_t i = 0; status == IRREP_OK && i < product->a.n; i++)
    for (size_t j = 0; status == IRREP_OK && j < product->b.n; j++) {
      const struct irreps_entry *x = &product->a.entry[i], *y = &product->b.entry[j];
      const int lowest = x->ir.l > y->ir.l ? x->ir.l - y->ir.l : y->ir.l - x->ir.l;
      const int highest = x->ir.l + y->ir.l;
      if (highest > IRREP_L_MAX)
        return irrep_fail(error, IRREP_BAD_ARGUMENT, "b", "a product of degree %d; at most %d",
                          highest, IRREP_L_MAX);
      for (int l = lowest; status == IRREP_OK && l <= highest; l++)
        status = add_channels(&product->out, coupled(x, y, l), x->mul * y->mul, error);
    }
  irreps_simplify(&product->out);
  return status;
}

enum irrep_status irrep_irreps_product(const char *a, const char *b, char *out, size_t size,
                                       struct irrep_error *error) {
  struct product product;
  const enum irrep_status status = make_product(a, b, &product, error);
  return status == IRREP_OK ? write_irreps(&product.out, out, size, error) : status;
}

/* Where the entries of irreps begin in an unpadded row. */
static void find_offsets(const struct irreps *irreps, size_t *offsets) {
  size_t offset = 0;
  for (size_t e = 0; e < irreps->n; e++) {
    offsets[e] = offset;
    offset += irreps->entry[e].mul * (size_t)(2 * irreps->entry[e].ir.l + 1);
  }
}

/* One path for one row: out [mul of a][mul of b][2 * l3 + 1]. */
static void multiply(const struct irreps_entry *a, const struct irreps_entry *b, int l3,
                     const struct coupling_term *terms, size_t n_terms, const double *x,
                     const double *y, double *out) {
  const size_t n1 = (size_t)(2 * a->ir.l + 1), n2 = (size_t)(2 * b->ir.l + 1);
  const size_t n3 = (size_t)(2 * l3 + 1);
  for (size_t u = 0; u < a->mul; u++)
    for (size_t v = 0; v < b->mul; v++, out += n3) {
      memset(out, 0, n3 * sizeof *out);
      for (size_t t = 0; t < n_terms; t++)
        out[terms[t].m3] +=
            terms[t].c * x[u * n1 + (size_t)terms[t].m1] * y[v * n2 + (size_t)terms[t].m2];
    }
}

enum irrep_status irrep_tensor_product(const char *a, const char *b, size_t n, const double *x,
                                       const double *y, double *out, struct irrep_error *error) {
  struct product p;
  struct coupling_term terms[COUPLING_TERMS_MAX];
  size_t offsets_a[IRREPS_MAX], offsets_b[IRREPS_MAX], next[IRREPS_MAX], n_terms;
  enum irrep_status status = make_product(a, b, &p, error);
  if (status != IRREP_OK)
    return status;
  const size_t dim_a = irreps_unpadded_dim(&p.a), dim_b = irreps_unpadded_dim(&p.b);
  const size_t dim = irreps_unpadded_dim(&p.out);
  find_offsets(&p.a, offsets_a);
  find_offsets(&p.b, offsets_b);
  find_offsets(&p.out, next);
  for (size_t i = 0; i < p.a.n; i++)
    for (size_t j = 0; j < p.b.n; j++) {
      const struct irreps_entry *left = &p.a.entry[i], *right = &p.b.entry[j];
      for (int l = 0; l <= IRREP_L_MAX; l++) {
        const struct irrep ir = coupled(left, right, l);
        if (!irrep_in_product(ir, left->ir, right->ir))
          continue;
        status = coupling_terms(left->ir.l, right->ir.l, l, terms, &n_terms);
        if (status != IRREP_OK)
          return status;
        const size_t at = irreps_find(&p.out, ir);
        for (size_t row = 0; row < n; row++)
          multiply(left, right, l, terms, n_terms, x + row * dim_a + offsets_a[i],
                   y + row * dim_b + offsets_b[j], out + row * dim + next[at]);
        next[at] += left->mul * right->mul * (size_t)(2 * l + 1);
      }
    }
  return IRREP_OK;
}

/* A matrix without its inversion; the sign of the determinant. */
static double proper_part(const double *m, double *rotation) {
  const double determinant = m[0] * (m[4] * m[8] - m[5] * m[7]) -
                             m[1] * (m[3] * m[8] - m[5] * m[6]) +
                             m[2] * (m[3] * m[7] - m[4] * m[6]);
  const double sign = determinant < 0.0 ? -1.0 : 1.0;
  for (size_t i = 0; i < 9; i++)
    rotation[i] = sign * m[i];
  return sign;
}

enum irrep_status irrep_rotate(const char *irreps, const double *matrix, size_t n, const double *x,
                               double *out, struct irrep_error *error) {
  struct irreps parsed;
  double rotation[9], d[WIGNER_DIM_MAX * WIGNER_DIM_MAX];
  size_t offsets[IRREPS_MAX];
  enum irrep_status status = irreps_parse(irreps, &parsed, error);
  if (status != IRREP_OK)
    return status;
  const double inversion = proper_part(matrix, rotation);
  status =
      irrep_wigner_d(0, rotation, d, error); /* refuses a matrix also where nothing is turned */
  if (status != IRREP_OK)
    return status;
  const size_t dim = irreps_unpadded_dim(&parsed);
  find_offsets(&parsed, offsets);
  for (size_t e = 0; e < parsed.n; e++) {
    const struct irreps_entry *entry = &parsed.entry[e];
    const size_t n_m = (size_t)(2 * entry->ir.l + 1);
    const double sign = inversion < 0.0 ? entry->ir.parity : 1.0;
    status = irrep_wigner_d(entry->ir.l, rotation, d, error);
    if (status != IRREP_OK)
      return status;
    for (size_t i = 0; i < n * entry->mul; i++) {
      const size_t begin = i / entry->mul * dim + offsets[e] + i % entry->mul * n_m;
      for (size_t m = 0; m < n_m; m++) {
        double sum = 0.0;
        for (size_t k = 0; k < n_m; k++)
          sum += d[m * n_m + k] * x[begin + k];
        out[begin + m] = sign * sum;
      }
    }
  }
  return IRREP_OK;
}

enum irrep_status irrep_wigner_d(int l, const double *rotation, double *d,
                                 struct irrep_error *error) {
  double rows[3][3];
  memcpy(rows, rotation, sizeof rows);
  if (wigner_d(l, (const double(*)[3])rows, d) == IRREP_OK)
    return IRREP_OK;
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "rotation",
                    "a matrix that is not orthogonal, or a degree outside 0..%d", IRREP_L_MAX);
}

enum irrep_status irrep_wigner_3j(int l1, int l2, int l3, double *w3j, struct irrep_error *error) {
  if (wigner_3j(l1, l2, l3, w3j) == IRREP_OK)
    return IRREP_OK;
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "l3",
                    "degrees %d, %d, %d: each from 0 to %d, and a triangle", l1, l2, l3,
                    IRREP_L_MAX);
}

static bool has_direction(const double v[3]) {
  const bool zero = v[0] == 0.0 && v[1] == 0.0 && v[2] == 0.0;
  return isfinite(v[0]) && isfinite(v[1]) && isfinite(v[2]) && !zero;
}

enum irrep_status irrep_spherical_harmonics(int l_max, size_t n, const double *vectors, double *y,
                                            struct irrep_error *error) {
  if (l_max < 0 || l_max > IRREP_L_MAX)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "l_max", "degree %d; at most %d", l_max,
                      IRREP_L_MAX);
  for (size_t i = 0; i < n; i++)
    if (!has_direction(vectors + 3 * i))
      return irrep_fail(error, IRREP_BAD_ARGUMENT, "vectors", "vector %zu has no direction", i);
  spherical_harmonics(l_max, n, vectors, y);
  return IRREP_OK;
}
