/* The second derivatives of an atom that springs hold. */
#ifndef TESTS_UNIT_SUPPORT_HESSIAN_H
#define TESTS_UNIT_SUPPORT_HESSIAN_H

#include "server/codec/hessian_outputs.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STIFFNESS 2.5

/* Of one atom, with made-up modes; hessian_numbers_fini frees them. */
static inline struct hessian_numbers springs(void) {
  static const int32_t number = 8;
  static const double positions[3] = {0.1, 0.2, 0.3};
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  struct hessian_numbers numbers = {.n_atoms = 1, .zero_point_energy = 0.5, .n_rigid = 3};
  structure.n_atoms = 1;
  structure.numbers = &number;
  structure.positions = positions;
  if (irrep_hessian_new(&structure, 0.01, &numbers.hessian, NULL) != IRREP_OK)
    return numbers;
  while (irrep_hessian_wanted(numbers.hessian) > 0) {
    double x[3];
    irrep_hessian_positions(numbers.hessian, 0, x);
    for (size_t i = 0; i < 3; i++)
      x[i] *= -STIFFNESS;
    irrep_hessian_tell(numbers.hessian, x, NULL);
  }
  numbers.frequencies = malloc(12 * sizeof *numbers.frequencies);
  for (size_t i = 0; numbers.frequencies && i < 12; i++)
    numbers.frequencies[i] = (double)i;
  numbers.modes = numbers.frequencies + 3;
  return numbers;
}

#endif
