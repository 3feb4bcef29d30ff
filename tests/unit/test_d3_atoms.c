#include "core/dispersion/d3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* Two atoms, whose slots are the other way round: oxygen, of two references, and hydrogen, of one.
 */
struct fixture {
  struct irrep_dispersion *data;
  struct d3_parameters parameters;
  struct d3 d3;
  uint32_t index[2];
  uint8_t species[2];
  double weights[2 * DISPERSION_REFERENCES], forces[6], strains[18];
};

static void fixture_init(struct fixture *f) {
  memset(f, 0, sizeof *f);
  f->data = calloc(1, sizeof *f->data);
  assert_non_null(f->data);
  f->data->n_references[1] = 1;
  f->data->n_references[8] = 2;
  f->data->c6[8][1][0][0] = 3;
  f->data->c6[8][1][1][0] = 5;
  f->data->c6[8][8][0][1] = 7;
  f->data->c6[8][8][1][0] = 11;
  f->parameters.data = f->data;
  f->index[0] = 1;
  f->species[0] = 1;
  f->weights[0] = 0.25; /* of the first slot's references, which lie two apart */
  f->weights[2] = 0.5;
  f->d3 = (struct d3){.parameters = &f->parameters,
                      .sums = {.forces = f->forces, .strains = f->strains},
                      .cells = {.n_atoms = 2,
                                .n_species = 2,
                                .numbers = {1, 8},
                                .index = f->index,
                                .species = f->species}};
}

static void test_c6(void **state) {
  (void)state;
  struct fixture f;
  double c6[DISPERSION_REFERENCES];
  fixture_init(&f);
  d3_c6(&f.d3, 0, 0, f.weights, c6); /* with hydrogen's reference */
  assert_true(c6[0] == 0.25 * 3 + 0.5 * 5);
  for (size_t b = 1; b < DISPERSION_REFERENCES; b++)
    assert_true(c6[b] == 0);
  d3_c6(&f.d3, 0, 1, f.weights, c6); /* with both of oxygen's */
  assert_true(c6[0] == 0.5 * 11 && c6[1] == 0.25 * 7);
  free(f.data);
}

/* To the atom's row, the virial as a symmetric matrix of the other sign. */
static void test_gradients(void **state) {
  (void)state;
  static const double matrix[9] = {1, 6, 5, 6, 2, 4, 5, 4, 3};
  const struct dispersion_sums sums = {.force = {1, 2, 3}, .virial = {1, 2, 3, 4, 5, 6}};
  struct fixture f;
  fixture_init(&f);
  f.forces[3] = 10;
  d3_add_gradients(&f.d3, 0, &sums);
  assert_true(f.forces[3] == 11 && f.forces[4] == 2 && f.forces[5] == 3);
  for (size_t k = 0; k < 9; k++)
    assert_true(f.strains[9 + k] == -matrix[k] && f.strains[k] == 0);
  assert_true(f.forces[0] == 0 && f.forces[1] == 0 && f.forces[2] == 0);
  f.d3.sums.forces = NULL; /* not wanted: nothing is written */
  d3_add_gradients(&f.d3, 0, &sums);
  assert_true(f.forces[3] == 11 && f.strains[9] == -1);
  free(f.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_c6),
      cmocka_unit_test(test_gradients),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
