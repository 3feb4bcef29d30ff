/* The screened repulsion of pairs. */
#include "core/builders/build.h"

/* A table by species of receiver and sender, of positive numbers, or one for each head. */
static const double *read_table(struct build *build, const char *name, bool by_head) {
  const size_t n = build->program->n_species, shape[2] = {n, n};
  const size_t n_tables = by_head ? build_heads(build) : 1;
  const double *table =
      by_head ? build_keep_by_head(build, name, 2, shape) : build_keep(build, name, 2, shape);
  for (size_t i = 0; table && i < n_tables * n * n; i++)
    if (!(table[i] > 0.0)) {
      irrep_fail(build->error, IRREP_BAD_MODEL_FILE, name, "a number that is not positive");
      return NULL;
    }
  return table;
}

bool build_pair_repulsion(struct build *build) {
  static const char *const keys[] = {"num_terms", "p", NULL};
  struct card_object card;
  struct pair_repulsion pair = {.n_species = build->program->n_species};
  if (!card_has(&build->model, "pair_repulsion"))
    return true;
  if (card_object(&build->model, "pair_repulsion", &card, build->error) != IRREP_OK ||
      card_only(&card, keys, build->error) != IRREP_OK ||
      card_number(&card, "p", 2.0, 100.0, &pair.p, build->error) != IRREP_OK ||
      card_size(&card, "num_terms", 1, PAIR_TERMS_MAX, &pair.n_terms, build->error) != IRREP_OK)
    return false;
  pair.coefficients = build_keep(build, "pair_repulsion.coefficients", 1, &pair.n_terms);
  pair.exponents =
      pair.coefficients ? build_keep(build, "pair_repulsion.exponents", 1, &pair.n_terms) : NULL;
  pair.factor = pair.exponents ? read_table(build, "pair_repulsion.factor", true) : NULL;
  pair.length = pair.factor ? read_table(build, "pair_repulsion.length", false) : NULL;
  pair.r_max = pair.length ? read_table(build, "pair_repulsion.r_max", false) : NULL;
  if (!pair.r_max)
    return false;
  build->pair_repulsion = pair;
  return true;
}
