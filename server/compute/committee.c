#include "server/compute/committee.h"

#include "irrep/outputs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Predictions of a batch that are evaluated together by one member. */
struct group {
  size_t n;
  struct prediction **predictions; /* [n] */
  struct irrep_result **means;     /* [n] their results so far */
};

static const struct committee_model *member_of(const struct prediction *p, size_t round) {
  return p->committee && round < p->committee->n && p->error.status == IRREP_OK
             ? &p->committee->members[round]
             : NULL;
}

static bool same_model(const struct committee_model *a, const struct committee_model *b) {
  return a && b && a->loaded == b->loaded && a->precision == b->precision;
}

/* Moves means by one more sample, the count-th, and adds its squared deviation to a sum. */
static double move_means(double *means, const double *sample, size_t n, size_t count) {
  double squares = 0.0;
  for (size_t i = 0; i < n; i++) {
    const double before = sample[i] - means[i];
    means[i] += before / (double)count;
    squares += before * (sample[i] - means[i]);
  }
  return squares;
}

/* Doubles of a result that may be written: a prediction's own. */
static double *values_of(const struct irrep_output *output, struct irrep_result *result) {
  return (double *)(uintptr_t)irrep_output_values(output, result);
}

static void move_forces(double *means, const double *sample, size_t n_atoms, size_t count,
                        double *squares) {
  for (size_t i = 0; i < n_atoms; i++) {
    const double moved = move_means(means + 3 * i, sample + 3 * i, 3, count);
    if (squares)
      squares[i] += moved;
  }
}

/* Takes the result of a member into that of its prediction. */
static void take(struct prediction *p, struct irrep_result *mean, struct irrep_result *sample,
                 size_t count) {
  const size_t n_atoms = p->entry.structure->n_atoms;
  struct deviation *deviation = p->deviation;
  const struct irrep_output *output;
  for (size_t i = 0; (output = irrep_output_at(i)); i++) {
    double *means = values_of(output, mean), *values = values_of(output, sample);
    if (!means || !values)
      continue;
    if (i == IRREP_OUTPUT_FORCES)
      move_forces(means, values, n_atoms, count, deviation->forces);
    else if (i == IRREP_OUTPUT_STRESS)
      for (size_t k = 0; k < 9; k++)
        deviation->stress[k / 3][k % 3] += move_means(means + k, values + k, 1, count);
    else if (i == IRREP_OUTPUT_ENERGY)
      deviation->energy += move_means(means, values, 1, count);
    else
      move_means(means, values, output->by_atom ? n_atoms * output->columns : output->columns,
                 count);
  }
}

static void fail(struct prediction *p, const struct committee_model *member,
                 const struct irrep_error *error) {
  irrep_fail(&p->error, error->status, "", "the committee's member %.64s: %.180s",
             member->loaded->served->name, error->detail);
}

static void take_results(const struct group *group, size_t round, struct arrays *arrays) {
  for (size_t i = 0; i < group->n; i++) {
    struct prediction *p = group->predictions[i];
    const struct committee_model *member = &p->committee->members[round];
    struct irrep_result *result = &arrays->results[i];
    struct irrep_error error;
    if (result->status == IRREP_OK) {
      take(p, group->means[i], result, round + 2);
      continue;
    }
    irrep_fail(&error, result->status, "", "evaluation ended with: %s",
               irrep_status_message(result->status));
    fail(p, member, &error);
  }
}

/* Graphs have the cutoff of the batch's own model. */
static void choose_inputs(const struct computing *computing, const struct committee_model *member,
                          const struct group *group, size_t round, struct arrays *arrays) {
  const struct evaluator *evaluator = computing->compute->evaluator;
  const double cutoff = evaluator->card(computing->batch->model->model)->r_max;
  if (evaluator->card(member->loaded->model)->r_max != cutoff)
    arrays->all_graphs = false;
  for (size_t i = 0; i < group->n; i++)
    arrays->heads[i] = group->predictions[i]->committee->members[round].head;
}

static void evaluate_group(const struct computing *computing, const struct group *group,
                           size_t round) {
  const struct committee_model *member = &group->predictions[0]->committee->members[round];
  const struct computed_model model = {member->loaded, member->precision, false};
  struct irrep_error error = {.status = IRREP_OK};
  struct arrays arrays = {0};
  if (arrays_new(&arrays, group->predictions, group->n,
                 computing->compute->evaluator->card(member->loaded->model), false)) {
    choose_inputs(computing, member, group, round, &arrays);
    error.status = compute_evaluate(computing, &model, &arrays, &error);
  } else {
    irrep_fail(&error, IRREP_NO_MEMORY, "", "no memory for its results");
  }
  for (size_t i = 0; error.status != IRREP_OK && i < group->n; i++)
    fail(group->predictions[i], member, &error);
  if (error.status == IRREP_OK)
    take_results(group, round, &arrays);
  arrays_free(&arrays);
}

/* The members with one number: those of the same model are evaluated together. */
static void evaluate_round(const struct computing *computing, struct arrays *arrays, size_t round,
                           struct group *group, bool *done) {
  const struct batch *batch = computing->batch;
  for (size_t i = 0; i < batch->n_entries; i++)
    done[i] = !member_of(batch->entries[i]->owner, round) || arrays->results[i].status != IRREP_OK;
  for (size_t i = 0; i < batch->n_entries; i++) {
    const struct committee_model *member = member_of(batch->entries[i]->owner, round);
    if (done[i])
      continue;
    group->n = 0;
    for (size_t k = i; k < batch->n_entries; k++) {
      struct prediction *p = batch->entries[k]->owner;
      if (done[k] || !same_model(member, member_of(p, round)))
        continue;
      done[k] = true;
      group->means[group->n] = &arrays->results[k];
      group->predictions[group->n++] = p;
    }
    evaluate_group(computing, group, round);
  }
}

static void begin(struct prediction *p, const struct irrep_result *result) {
  struct deviation *deviation = p->deviation;
  for (size_t i = 0; deviation->forces && i < p->entry.structure->n_atoms; i++)
    deviation->forces[i] = 0.0;
  *deviation = (struct deviation){.forces = deviation->forces, .has_stress = result->has_stress};
}

static void end(struct prediction *p) {
  struct deviation *deviation = p->deviation;
  const double n = (double)(1 + p->committee->n);
  deviation->energy = sqrt(deviation->energy / n);
  for (size_t i = 0; deviation->forces && i < p->entry.structure->n_atoms; i++) {
    deviation->forces[i] = sqrt(deviation->forces[i] / (3.0 * n));
    deviation->forces_max = fmax(deviation->forces_max, deviation->forces[i]);
  }
  for (size_t k = 0; k < 9; k++)
    deviation->stress[k / 3][k % 3] = sqrt(deviation->stress[k / 3][k % 3] / n);
}

static void fail_all(const struct batch *batch) {
  for (size_t i = 0; i < batch->n_entries; i++) {
    struct prediction *p = batch->entries[i]->owner;
    if (p->committee)
      irrep_fail(&p->error, IRREP_NO_MEMORY, "", "no memory for the committee");
  }
}

void committee_evaluate(const struct computing *computing, struct arrays *arrays) {
  const struct batch *batch = computing->batch;
  const size_t n = batch->n_entries;
  size_t n_rounds = 0;
  for (size_t i = 0; i < n; i++) {
    struct prediction *p = batch->entries[i]->owner;
    if (p->committee)
      begin(p, &arrays->results[i]);
    if (p->committee && p->committee->n > n_rounds)
      n_rounds = p->committee->n;
  }
  if (n_rounds == 0)
    return;
  struct group group = {.predictions = calloc(n, sizeof(struct prediction *)),
                        .means = calloc(n, sizeof(struct irrep_result *))};
  bool *done = calloc(n, sizeof *done);
  if (!group.predictions || !group.means || !done)
    fail_all(batch);
  for (size_t round = 0; group.predictions && group.means && done && round < n_rounds; round++)
    evaluate_round(computing, arrays, round, &group, done);
  for (size_t i = 0; i < n; i++) {
    struct prediction *p = batch->entries[i]->owner;
    if (p->committee && p->error.status == IRREP_OK)
      end(p);
  }
  free(group.predictions);
  free(group.means);
  free(done);
}
