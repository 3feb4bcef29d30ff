#include "server/codec/answer_arrays.h"

#include "server/base/problem.h"

#include <math.h>

static const double *energy_of(const struct irrep_result *result) {
  return &result->energy;
}

static const double *forces_of(const struct irrep_result *result) {
  return result->forces;
}

static const double *stress_of(const struct irrep_result *result) {
  return result->has_stress ? result->stress[0] : NULL;
}

static const double *energies_of(const struct irrep_result *result) {
  return result->energies;
}

const struct answer_array answer_arrays[ANSWER_ARRAYS] = {
    {"energy", PROPERTY_ENERGY, false, 1, "]", energy_of},
    {"forces", PROPERTY_FORCES, true, 3, ",3]", forces_of},
    {"stress", PROPERTY_STRESS, false, 9, ",3,3]", stress_of},
    {"energies", PROPERTY_ENERGIES, true, 1, "]", energies_of},
};

size_t answer_array_rows(const struct answer_array *array, const struct request *request) {
  size_t n_atoms = 0;
  for (size_t i = 0; i < request->n_items; i++)
    n_atoms += request->items[i].structure.n_atoms;
  return array->by_atom ? n_atoms : request->n_items;
}

const double *answer_array_of(const struct answer_array *array, const struct request *request,
                              const struct irrep_result *results, size_t index, size_t *n) {
  const struct request_item *item = &request->items[index];
  *n = array->columns * (array->by_atom ? item->structure.n_atoms : 1);
  return item->problem ? NULL : array->source(&results[index]);
}

void answer_array_put(struct text *text, const struct answer_array *array,
                      const struct request *request, const struct irrep_result *results) {
  const double nothing = (double)NAN;
  for (size_t i = 0; i < request->n_items; i++) {
    size_t n = 0;
    const double *numbers = answer_array_of(array, request, results, i, &n);
    if (numbers)
      text_add(text, (const char *)numbers, n * sizeof *numbers);
    for (size_t k = 0; !numbers && k < n; k++)
      text_add(text, (const char *)&nothing, sizeof nothing);
  }
}

int32_t answer_status(const struct request *request, size_t index) {
  const struct problem *problem = request->items[index].problem;
  return problem ? problem->status : 0;
}

void answer_status_put(struct text *text, const struct request *request) {
  for (size_t i = 0; i < request->n_items; i++) {
    const int32_t status = answer_status(request, i);
    text_add(text, (const char *)&status, sizeof status);
  }
}
