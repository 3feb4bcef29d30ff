#include "server/codec/hessian_outputs.h"

#include "core/base/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[N_HESSIAN_OUTPUTS] = {
    [HESSIAN_MATRIX] = "hessian",  [HESSIAN_FREQUENCIES] = "frequencies",
    [HESSIAN_MODES] = "modes",     [HESSIAN_ZERO_POINT_ENERGY] = "zero_point_energy",
    [HESSIAN_STEP] = "step",       [HESSIAN_ASYMMETRY] = "asymmetry",
    [HESSIAN_N_RIGID] = "n_rigid", [HESSIAN_ANALYTIC] = "analytic",
};

const char *hessian_output_name(enum hessian_output output) {
  return names[output];
}

bool hessian_output_is_whole(enum hessian_output output) {
  return output == HESSIAN_N_RIGID || output == HESSIAN_ANALYTIC;
}

/* Rows that are told have no step. */
static bool is_analytic(const struct hessian_numbers *numbers) {
  return irrep_hessian_step(numbers->hessian) == 0.0;
}

enum hessian_output hessian_output_find(const char *name) {
  size_t i = 0;
  while (i < N_HESSIAN_OUTPUTS && strcmp(names[i], name) != 0)
    i++;
  return (enum hessian_output)i;
}

void hessian_numbers_fini(struct hessian_numbers *numbers) {
  irrep_hessian_free(numbers->hessian);
  free(numbers->frequencies);
  *numbers = (struct hessian_numbers){0};
}

size_t hessian_output_count(enum hessian_output output, size_t n_atoms) {
  const size_t n = size_mul(3, n_atoms);
  if (output == HESSIAN_MATRIX || output == HESSIAN_MODES)
    return size_mul(n, n);
  return output == HESSIAN_FREQUENCIES ? n : 1;
}

const double *hessian_output_values(enum hessian_output output,
                                    const struct hessian_numbers *numbers, double *one) {
  switch (output) {
  case HESSIAN_MATRIX:
    return irrep_hessian_values(numbers->hessian);
  case HESSIAN_FREQUENCIES:
    return numbers->frequencies;
  case HESSIAN_MODES:
    return numbers->modes;
  case HESSIAN_ZERO_POINT_ENERGY:
    *one = numbers->zero_point_energy;
    break;
  case HESSIAN_STEP:
    *one = is_analytic(numbers) ? (double)NAN : irrep_hessian_step(numbers->hessian);
    break;
  case HESSIAN_ASYMMETRY:
    *one = irrep_hessian_asymmetry(numbers->hessian);
    break;
  case HESSIAN_N_RIGID:
    *one = (double)numbers->n_rigid;
    break;
  case HESSIAN_ANALYTIC:
  case N_HESSIAN_OUTPUTS:
    *one = is_analytic(numbers);
    break;
  }
  return one;
}
