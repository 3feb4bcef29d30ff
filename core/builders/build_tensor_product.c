/* The tensor product of edges with the sums of their receivers: paths and couplings. */
#include "core/builders/build.h"
#include "core/e3/wigner.h"
#include "irrep/conventions.h"

#include <stdio.h>
#include <stdlib.h>

#define PATHS_MAX 512

struct path_entry {
  const struct layout_entry *in, *out;
  int l; /* of the sums */
};

/* One coupling coefficient; components count the (2l+1) of each irrep, one after the other. */
struct term {
  uint32_t in, component, out, path;
  double c;
};

/* The paths in the file's order. */
static bool list_paths(struct build *build, const struct layout *from, const struct layout *to,
                       struct path_entry *paths, size_t *n_paths) {
  size_t n = 0;
  for (size_t o = 0; o < to->n; o++)
    for (size_t i = 0; i < from->n; i++)
      for (int l = 0; l <= build->program->l_max; l++) {
        const struct irrep harmonic = {l, l % 2 ? -1 : 1};
        if (!irrep_in_product(to->entry[o].ir, from->entry[i].ir, harmonic))
          continue;
        if (n == PATHS_MAX) {
          irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model/layers",
                     "a tensor product with more than %d paths", PATHS_MAX);
          return false;
        }
        paths[n++] = (struct path_entry){&from->entry[i], &to->entry[o], l};
      }
  *n_paths = n;
  return true;
}

static uint32_t component_of(const struct layout_entry *entry, int m) {
  return (uint32_t)(entry->offset / entry->width) + (uint32_t)m;
}

static int order_terms(const void *a, const void *b) {
  const struct term *x = a, *y = b;
  const uint32_t left[] = {x->out, x->in, x->component}, right[] = {y->out, y->in, y->component};
  for (size_t i = 0; i < 3; i++)
    if (left[i] != right[i])
      return left[i] < right[i] ? -1 : 1;
  return 0;
}

/* The couplings of all paths, sorted by output, input, and component of the sums. */
static struct term *list_terms(struct build *build, const struct path_entry *paths, size_t n_paths,
                               size_t *n_terms) {
  struct coupling_term *couplings =
      program_take_scratch(build->program, COUPLING_TERMS_MAX, sizeof *couplings);
  struct term *terms = NULL;
  for (int pass = 0; couplings && pass < 2; pass++) {
    size_t total = 0;
    for (size_t p = 0; p < n_paths; p++) {
      const struct path_entry *path = &paths[p];
      size_t n;
      if (coupling_terms(path->in->ir.l, path->l, path->out->ir.l, couplings, &n) != IRREP_OK)
        return NULL;
      for (size_t i = 0; terms && i < n; i++)
        terms[total + i] =
            (struct term){.in = component_of(path->in, couplings[i].m1),
                          .component = (uint32_t)(path->l * path->l + couplings[i].m2),
                          .out = component_of(path->out, couplings[i].m3),
                          .path = (uint32_t)p,
                          .c = couplings[i].c};
      total += n;
    }
    *n_terms = total;
    if (pass == 0)
      terms = program_take_scratch(build->program, total, sizeof *terms);
    if (!terms)
      break;
  }
  if (!terms)
    return build_no_memory(build), NULL;
  qsort(terms, *n_terms, sizeof *terms, order_terms);
  return terms;
}

/* Coefficients times weights, panel by panel. */
static size_t put_weights(struct program *program, const struct term *terms, size_t n_terms,
                          const double *file, size_t mul) {
  const size_t n_panels = (mul + IRREP_LANES - 1) / IRREP_LANES;
  const size_t offset = program_weights(program, n_panels * n_terms * IRREP_LANES);
  for (size_t c = 0; c < mul && offset != PROGRAM_NONE; c++)
    for (size_t t = 0; t < n_terms; t++)
      program->weights[offset + (c / IRREP_LANES * n_terms + t) * IRREP_LANES + c % IRREP_LANES] =
          terms[t].c * file[terms[t].path * mul + c];
  return offset;
}

static bool put_pairs(struct build *build, const struct term *terms, size_t n_terms,
                      struct tensor_product *product) {
  struct component_pair *pairs = program_take(build->program, n_terms, sizeof *pairs);
  uint32_t *first = program_take(build->program, n_terms + 1, sizeof *first);
  uint32_t *component = program_take(build->program, n_terms, sizeof *component);
  if (!pairs || !first || !component)
    return build_give_up(build);
  size_t n = 0;
  for (size_t t = 0; t < n_terms; t++) {
    component[t] = terms[t].component;
    if (t == 0 || terms[t].in != terms[t - 1].in || terms[t].out != terms[t - 1].out) {
      first[n] = (uint32_t)t;
      pairs[n++] = (struct component_pair){terms[t].in, terms[t].out};
    }
  }
  first[n] = (uint32_t)n_terms;
  product->n_pairs = n;
  product->pairs = pairs;
  product->first = first;
  product->component = component;
  return true;
}

bool build_tensor_product(struct build *build, const char *name, size_t in,
                          const struct layout *from, size_t sums, size_t out,
                          const struct layout *to) {
  struct program *program = build->program;
  struct path_entry paths[PATHS_MAX];
  const size_t mul = to->entry[0].mul;
  struct tensor_product product = {.in_dim = from->dim,
                                   .sums_dim = program->tensors[sums].dim,
                                   .out_dim = to->dim,
                                   .channels = to->entry[0].width};
  size_t n_paths, n_terms;
  if (!list_paths(build, from, to, paths, &n_paths))
    return false;
  char tensor[TENSOR_NAME_MAX];
  snprintf(tensor, sizeof tensor, "%.90s.weight", name);
  const size_t shape[2] = {n_paths, mul};
  const double *file = build_read(build, tensor, 2, shape);
  const struct term *terms = file ? list_terms(build, paths, n_paths, &n_terms) : NULL;
  if (!terms || !put_pairs(build, terms, n_terms, &product))
    return false;
  product.weights = put_weights(program, terms, n_terms, file, mul);
  struct op *op = program_op(program, OP_TENSOR_PRODUCT, in, out);
  if (build_no_memory(build))
    return false;
  op->sums = sums;
  op->tensor_product = product;
  return true;
}
