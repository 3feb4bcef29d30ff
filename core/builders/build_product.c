/* The product basis: from coupling tables and weights to one polynomial a component and species. */
#include "core/base/arena.h"
#include "core/builders/build.h"
#include "core/builders/product_tree.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

#define COEFFICIENTS_MAX ((size_t)1 << 28) /* of all channels and species */

/* What the weights of a species are made of: coefficients [first[e], first[e + 1]) belong to irrep
 * e. */
struct product_source {
  size_t n_irreps, channels, n_coefficients;
  const struct product_irrep *irreps;
  size_t first[IRREPS_MAX + 1];
  const struct term *terms;
  const struct coefficient *coefficients;
};

/* The product basis of one layer while it is built. */
struct product_build {
  struct build *build;
  const char *name;
  struct product_tree tree;
};

static bool refuse(const struct product_build *p, const char *why) {
  irrep_fail(p->build->error, IRREP_BAD_MODEL_FILE, p->name, "%s", why);
  return false;
}

/* One irrep of the output: its tables, weights and place. */
struct product_irrep {
  size_t n_correlations, n_paths[PRODUCT_CORRELATION_MAX], n_terms[PRODUCT_CORRELATION_MAX];
  const double *tables[PRODUCT_CORRELATION_MAX];
  const double *weights[PRODUCT_CORRELATION_MAX]; /* [n_species or 1][n_paths][channels] */
};

static bool read_irrep(struct build *build, const char *name, const struct card_object *card,
                       struct irrep ir, size_t n_weights, size_t channels,
                       struct product_irrep *irrep) {
  static const char *const keys[] = {"n_paths", "n_terms", NULL};
  size_t n;
  if (card_only(card, keys, build->error) != IRREP_OK ||
      card_sizes(card, "n_paths", 0, 65536, PRODUCT_CORRELATION_MAX, irrep->n_paths,
                 &irrep->n_correlations, build->error) != IRREP_OK ||
      card_sizes(card, "n_terms", 0, (size_t)1 << 24, PRODUCT_CORRELATION_MAX, irrep->n_terms, &n,
                 build->error) != IRREP_OK)
    return false;
  if (n != irrep->n_correlations) {
    irrep_fail(build->error, IRREP_BAD_MODEL_FILE, name,
               "n_paths and n_terms are not of one length");
    return false;
  }
  for (size_t c = 0; c < n; c++) {
    char tensor[TENSOR_NAME_MAX];
    const size_t table[2] = {irrep->n_terms[c], c + 4};
    const size_t weights[3] = {n_weights, irrep->n_paths[c], channels};
    if (irrep->n_terms[c] == 0)
      continue;
    snprintf(tensor, sizeof tensor, "%.80s.%d%c.%zu.coupling", name, ir.l,
             ir.parity > 0 ? 'e' : 'o', c + 1);
    irrep->tables[c] = build_read(build, tensor, 2, table);
    snprintf(tensor, sizeof tensor, "%.80s.%d%c.%zu.weight", name, ir.l, ir.parity > 0 ? 'e' : 'o',
             c + 1);
    irrep->weights[c] = irrep->tables[c] ? build_keep(build, tensor, 3, weights) : NULL;
    if (!irrep->weights[c])
      return false;
  }
  return true;
}

/* The trees of an irrep's components; their terms stay until the weights are made. */
static bool add_irrep(struct product_build *p, const struct product_irrep *irrep, struct irrep ir,
                      size_t n_variables, const struct layout_entry *entry,
                      struct product_output *outputs) {
  const size_t first = p->tree.n_terms, n_components = (size_t)(2 * ir.l + 1);
  for (size_t c = 0; c < irrep->n_correlations; c++) {
    const struct product_bounds bounds = {n_components, n_variables, irrep->n_paths[c]};
    const char *why =
        product_tree_add(&p->tree, irrep->tables[c], irrep->n_terms[c], c + 1, &bounds);
    if (why)
      return refuse(p, why);
  }
  product_tree_grow(&p->tree, first, n_components, outputs);
  for (size_t m = 0; m < n_components; m++)
    outputs[m].out_offset = entry->offset + m * entry->width;
  return true;
}

/* The coefficients of one irrep and species for all channels, to their places. */
static void fill_irrep(const struct product_source *p, size_t e, size_t species, double *weights) {
  const struct product_irrep *irrep = &p->irreps[e];
  const size_t channels = p->channels;
  for (size_t q = p->first[e]; q < p->first[e + 1]; q++)
    for (size_t i = 0; i < p->coefficients[q].n_terms; i++) {
      const struct term *term = &p->terms[p->coefficients[q].first_term + i];
      const size_t nu = term->correlation - 1u;
      const double *w = irrep->weights[nu] + (species * irrep->n_paths[nu] + term->path) * channels;
      for (size_t c = 0; c < channels; c++)
        weights[(c / IRREP_LANES * p->n_coefficients + q) * IRREP_LANES + c % IRREP_LANES] +=
            term->value * w[c];
    }
}

static void fill_weights(const void *context, size_t species, double *weights) {
  const struct product_source *source = context;
  for (size_t e = 0; e < source->n_irreps; e++)
    fill_irrep(source, e, species, weights);
}

/* The variables: the components of the input in the order of its irreps. */
static bool take_variables(struct build *build, const struct layout *from, const char *name,
                           struct product *product) {
  size_t n = 0, *offsets = program_take(build->program, PRODUCT_VARIABLES_MAX, sizeof *offsets);
  if (!offsets)
    return build_give_up(build);
  product->channels = from->n ? from->entry[0].width : 0;
  for (size_t e = 0; e < from->n; e++)
    for (size_t m = 0; m < (size_t)(2 * from->entry[e].ir.l + 1); m++) {
      if (n == PRODUCT_VARIABLES_MAX || from->entry[e].mul != from->entry[0].mul) {
        irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, name,
                   "a product basis of more than %d components, or of unequal channels",
                   PRODUCT_VARIABLES_MAX);
        return false;
      }
      offsets[n++] = from->entry[e].offset + m * from->entry[e].width;
    }
  product->in_offset = offsets;
  product->n_variables = n;
  return true;
}

/* All of the output's irreps, read and made into trees. */
static bool grow_trees(struct product_build *p, const struct product_card *card,
                       const struct layout *from, const struct layout *to,
                       struct product_irrep *irreps, struct product *product, size_t *first) {
  struct build *build = p->build;
  const size_t n_weights = card->by_species ? build->program->n_species : 1;
  const size_t mul = from->n ? from->entry[0].mul : 0;
  size_t n_terms = 0, n_components = 0;
  for (size_t e = 0; e < to->n; e++) {
    if (to->entry[e].mul != mul)
      return refuse(p, "a product basis whose output has other channels than its input");
    if (!read_irrep(build, p->name, &card->irreps[e], to->entry[e].ir, n_weights, mul, &irreps[e]))
      return false;
    n_components += (size_t)(2 * to->entry[e].ir.l + 1);
    for (size_t c = 0; c < irreps[e].n_correlations; c++)
      n_terms = size_add(n_terms, irreps[e].n_terms[c]);
  }
  struct product_output *outputs = program_take(build->program, n_components + 1, sizeof *outputs);
  if (!outputs || !product_tree_take(&p->tree, build->program, n_terms, n_components))
    return build_give_up(build);
  for (size_t e = 0; e < to->n; e++) {
    if (!add_irrep(p, &irreps[e], to->entry[e].ir, product->n_variables, &to->entry[e],
                   outputs + product->n_outputs))
      return false;
    product->n_outputs += (size_t)(2 * to->entry[e].ir.l + 1);
    first[e + 1] = p->tree.n_coefficients;
  }
  product->outputs = outputs;
  product->nodes = p->tree.nodes;
  product->leaves = p->tree.leaves;
  product->n_coefficients = p->tree.n_coefficients;
  return true;
}

/* The weights of all species or, where they do not depend on it, of none. */
static bool put_weights(struct product_build *p, bool by_species,
                        const struct product_source *source, struct product *product) {
  struct program *program = p->build->program;
  const size_t count = size_mul(product->channels, p->tree.n_coefficients);
  if (size_mul(count, by_species ? program->n_species : 1) > COEFFICIENTS_MAX) {
    irrep_fail(p->build->error, IRREP_UNSUPPORTED_MODEL, p->name,
               "a product basis of more than %zu coefficients", COEFFICIENTS_MAX);
    return false;
  }
  product->weights = by_species ? program_species_weights(program, count, fill_weights, source,
                                                          &product->species_stride)
                                : program_weights(program, count);
  if (build_no_memory(p->build))
    return false;
  if (!by_species)
    fill_weights(source, 0, program->weights + product->weights);
  return true;
}

bool build_product(struct build *build, const struct product_card *card, size_t in,
                   const struct layout *from, size_t out, const struct layout *to) {
  struct product product = {.in_dim = from->dim, .out_dim = to->dim};
  struct product_build p = {.build = build, .name = card->name};
  struct product_source *source = program_take(build->program, 1, sizeof *source);
  struct product_irrep *irreps = program_take(build->program, IRREPS_MAX, sizeof *irreps);
  if (!source || !irreps)
    return build_give_up(build);
  if (!take_variables(build, from, card->name, &product) ||
      !grow_trees(&p, card, from, to, irreps, &product, source->first))
    return false;
  source->n_irreps = to->n;
  source->channels = from->n ? from->entry[0].mul : 0;
  source->n_coefficients = p.tree.n_coefficients;
  source->irreps = irreps;
  source->terms = p.tree.terms;
  source->coefficients = p.tree.coefficients;
  if (!put_weights(&p, card->by_species, source, &product))
    return false;
  struct op *op = program_op(build->program, OP_PRODUCT, in, out);
  if (!op)
    return build_give_up(build);
  op->product = product;
  return true;
}
