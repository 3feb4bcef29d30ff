/* The tensor square: its pairs of components and their couplings. */
#include "core/builders/build.h"
#include "core/e3/spherical_harmonics.h"
#include "core/e3/wigner.h"
#include "irrep/conventions.h"

#define COMPONENTS_MAX HARMONICS(IRREP_L_MAX)

/* <l1 0 l2 0 | l3 0> has the sign (-1)^((l1+l2-l3)/2) where it does not vanish, and e3nn's
 * coefficient of these components is positive there. */
double so3net_sign(int l1, int l2, int l3) {
  return (l1 + l2 - l3) / 2 % 2 ? -1.0 : 1.0;
}

/* C [pairs a * n + b][m3] as dense rows of n outputs. */
static bool list_couplings(struct build *build, const struct layout *from, const struct layout *to,
                           size_t n, double *dense) {
  struct coupling_term *terms =
      program_take_scratch(build->program, COUPLING_TERMS_MAX, sizeof *terms);
  if (!terms)
    return build_give_up(build);
  for (size_t i = 0; i < from->n; i++)
    for (size_t j = 0; j < from->n; j++)
      for (size_t k = 0; k < to->n; k++) {
        const struct irrep a = from->entry[i].ir, b = from->entry[j].ir, c = to->entry[k].ir;
        size_t n_terms;
        if (!irrep_in_product(c, a, b))
          continue;
        if (coupling_terms(a.l, b.l, c.l, terms, &n_terms) != IRREP_OK)
          return false;
        for (size_t t = 0; t < n_terms; t++) {
          const size_t m1 = (size_t)(a.l * a.l + terms[t].m1);
          const size_t m2 = (size_t)(b.l * b.l + terms[t].m2);
          const size_t m3 = (size_t)(c.l * c.l + terms[t].m3);
          dense[(m1 * n + m2) * n + m3] = terms[t].c * so3net_sign(a.l, b.l, c.l);
        }
      }
  return true;
}

/* The pairs with couplings, and these as a sparse matrix. */
static bool make_pairs(struct build *build, size_t n, const double *dense,
                       struct tensor_square *product) {
  struct program *program = build->program;
  size_t n_values = 0;
  for (size_t i = 0; i < n * n * n; i++)
    n_values += dense[i] != 0.0;
  struct square_pair *pairs = program_take(program, n * n, sizeof *pairs);
  uint32_t *first = program_take(program, n * n + 1, sizeof *first);
  uint32_t *column = program_take(program, n_values + 1, sizeof *column);
  struct sparse *couplings = &product->couplings;
  couplings->values = program_weights(program, n_values + 1);
  if (build_no_memory(build))
    return false;
  n_values = 0;
  for (size_t m1 = 0, p = 0; m1 < n; m1++)
    for (size_t m2 = 0; m2 < n; m2++, p++) {
      const uint32_t before = (uint32_t)n_values;
      for (size_t m3 = 0; m3 < n; m3++)
        if (dense[p * n + m3] != 0.0) {
          program->weights[couplings->values + n_values] = dense[p * n + m3];
          column[n_values++] = (uint32_t)m3;
        }
      if (n_values == before)
        continue;
      pairs[couplings->n_rows] = (struct square_pair){(uint16_t)m1, (uint16_t)m2};
      first[couplings->n_rows++] = before;
    }
  first[couplings->n_rows] = (uint32_t)n_values;
  couplings->first = first;
  couplings->column = column;
  product->pairs = pairs;
  return true;
}

bool build_square(struct build *build, struct tensor_square product, const double *couplings,
                  size_t in, size_t out) {
  if (!make_pairs(build, product.n_components, couplings, &product))
    return false;
  struct op *op = program_op(build->program, OP_TENSOR_SQUARE, in, out);
  if (!op)
    return build_give_up(build);
  op->tensor_square = product;
  return true;
}

size_t *build_component_offsets(struct build *build, const struct layout *layout, size_t *n) {
  size_t *offsets = program_take(build->program, COMPONENTS_MAX, sizeof *offsets);
  *n = 0;
  for (size_t i = 0; offsets && i < layout->n; i++)
    for (int m = 0; m < 2 * layout->entry[i].ir.l + 1; m++)
      offsets[(*n)++] = layout->entry[i].offset + (size_t)m * layout->entry[i].width;
  return offsets;
}

bool build_tensor_square(struct build *build, size_t in, const struct layout *from, size_t out,
                         const struct layout *to) {
  struct tensor_square product = {.in_dim = from->dim,
                                  .out_dim = to->dim,
                                  .channels = from->entry[0].width,
                                  .adds_first = true,
                                  .twin = from->dim / 2};
  product.in_offset = build_component_offsets(build, from, &product.n_components);
  product.out_offset = build_component_offsets(build, to, &product.n_outputs);
  const size_t n = product.n_components;
  double *dense = program_take_scratch(build->program, n * n * n, sizeof *dense);
  return !build_no_memory(build) && list_couplings(build, from, to, n, dense) &&
         build_square(build, product, dense, in, out);
}
