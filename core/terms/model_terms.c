#include "core/terms/model_terms.h"

#include "core/terms/repulsion.h"

static void add_isolated_atoms(const struct program *program, const struct workspace *workspace) {
  const struct batch *batch = &workspace->batch;
  for (size_t i = 0; i < batch->n_local; i++) {
    const size_t head = batch->heads ? batch->heads[i] : 0;
    workspace->energies[i] += program->shift[head * program->n_species + batch->species[i]];
  }
}

/* Slopes are there before the network adds its own, on which its adjoint is the last step; energies
 * are added in the order of their size, the largest last. */
enum irrep_status model_terms_evaluate(const struct model_terms *terms, struct workspace *workspace,
                                       bool gradients, const struct crew *crew) {
  struct evaluation evaluation;
  struct term_place repulsion = {.term = terms->repulsion,
                                 .batch = &workspace->batch,
                                 .energies = workspace->energies,
                                 .slopes = gradients ? workspace->grad_distance : NULL};
  const size_t n = terms->repulsion ? 1 : 0;
  program_begin(&evaluation, terms->network, workspace, crew, gradients);
  const bool done = term_pass(&repulsion, n, REPULSION_SLOPES, crew) &&
                    program_forward(&evaluation) &&
                    term_pass(&repulsion, n, REPULSION_ENERGIES, crew);
  if (!done)
    return IRREP_CANCELLED;
  add_isolated_atoms(terms->network->program, workspace);
  if (gradients && !program_backward(&evaluation))
    return IRREP_CANCELLED;
  return crew_is_cancelled(crew) ? IRREP_CANCELLED : IRREP_OK;
}
