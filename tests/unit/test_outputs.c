#include "irrep/e3.h"
#include "irrep/outputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

/* Symmetric tensors have nine columns and six free components. */
static size_t components(const struct irrep_output *output) {
  return strcmp(output->irreps, "0e+2e") == 0 ? 6 : output->columns > 0 ? output->columns : 1;
}

static void test_rows_are_consistent(void **state) {
  (void)state;
  const struct irrep_output *output;
  size_t n = 0;
  for (; (output = irrep_output_at(n)); n++) {
    size_t columns = 1, dim = 0;
    assert_true(output->n_dims <= IRREP_OUTPUT_DIMS_MAX);
    for (size_t k = 0; k < output->n_dims; k++)
      columns *= output->dims[k];
    assert_int_equal(output->columns, columns);
    assert_true(columns > 0 || (output->n_dims == 1 && output->by_atom));
    assert_int_equal(output->bit, (uint32_t)1 << n);
    assert_true(output->unit && *output->unit);
    assert_int_equal(irrep_irreps_dim(output->irreps, &dim, NULL), IRREP_OK);
    assert_int_equal(*output->irreps ? components(output) : 0, dim);
    assert_ptr_equal(irrep_output_find(output->name, strlen(output->name)), output);
  }
  assert_true(n > 3 && n < 31);
  assert_null(irrep_output_at(n + 1));
}

static void test_find_takes_whole_names(void **state) {
  (void)state;
  assert_ptr_equal(irrep_output_find("forces,energy", 6), irrep_output_at(IRREP_OUTPUT_FORCES));
  assert_null(irrep_output_find("force", 5));
  assert_null(irrep_output_find("forcess", 7));
  assert_null(irrep_output_find("", 0));
}

static const double *values(enum irrep_output_index index, const struct irrep_result *result) {
  return irrep_output_values(irrep_output_at(index), result);
}

static void test_values_are_the_fields(void **state) {
  (void)state;
  double forces[3], energies[1], stresses[9];
  struct irrep_result r = {.struct_size = sizeof(struct irrep_result),
                           .forces = forces,
                           .energies = energies,
                           .stresses = stresses,
                           .has_stress = true};
  assert_ptr_equal(values(IRREP_OUTPUT_ENERGY, &r), &r.energy);
  assert_ptr_equal(values(IRREP_OUTPUT_FORCES, &r), forces);
  assert_ptr_equal(values(IRREP_OUTPUT_STRESS, &r), r.stress);
  assert_ptr_equal(values(IRREP_OUTPUT_ENERGIES, &r), energies);
  assert_ptr_equal(values(IRREP_OUTPUT_VIRIAL, &r), r.virial);
  assert_ptr_equal(values(IRREP_OUTPUT_STRESSES, &r), stresses);
  r.has_stress = false;
  assert_null(values(IRREP_OUTPUT_STRESS, &r));
  assert_ptr_equal(values(IRREP_OUTPUT_VIRIAL, &r), r.virial);
  assert_ptr_equal(values(IRREP_OUTPUT_STRESSES, &r), stresses);
  r.stresses = NULL;
  assert_null(values(IRREP_OUTPUT_STRESSES, &r));
}

#define BIT(name) ((uint32_t)1 << IRREP_OUTPUT_##name)

static void test_place(void **state) {
  (void)state;
  double storage[20];
  struct irrep_result result = {.struct_size = sizeof(struct irrep_result), .energies = storage};
  assert_int_equal(irrep_outputs_place(BIT(FORCES) | BIT(ENERGIES), NULL, 5, NULL, NULL), 20);
  assert_int_equal(irrep_outputs_place(BIT(ENERGY), NULL, 5, storage, &result), 0);
  assert_true(!result.forces && !result.energies);
  /* Stress and virial come with forces. */
  assert_int_equal(irrep_outputs_place(BIT(STRESS), NULL, 5, storage, &result), 15);
  assert_ptr_equal(result.forces, storage);
  assert_true(!result.energies && !result.stresses);
  assert_int_equal(irrep_outputs_place(BIT(VIRIAL), NULL, 5, NULL, NULL), 15);
  assert_int_equal(irrep_outputs_place(BIT(STRESSES), NULL, 1, storage, &result), 12);
  assert_ptr_equal(result.stresses, storage + 3);
  assert_int_equal(irrep_outputs_place(BIT(FORCES) | BIT(ENERGIES), NULL, 5, storage, &result), 20);
  assert_ptr_equal(result.forces, storage);
  assert_ptr_equal(result.energies, storage + 15);
  assert_true(irrep_outputs_place(BIT(FORCES), NULL, SIZE_MAX / 2, NULL, NULL) == SIZE_MAX);
}

/* The columns are the model's; without its card there is nothing to place. */
static void test_place_of_the_models_width(void **state) {
  (void)state;
  const struct irrep_card card = {.n_descriptors = 3, .n_descriptors_l = 7};
  const uint32_t both = BIT(DESCRIPTORS) | BIT(DESCRIPTORS_L);
  const struct irrep_output *all = irrep_output_at(IRREP_OUTPUT_DESCRIPTORS_L);
  double storage[20];
  struct irrep_result result = IRREP_RESULT_INIT;
  assert_int_equal(irrep_output_columns(all, &card), 7);
  assert_int_equal(irrep_output_columns(all, NULL), 0);
  assert_int_equal(irrep_output_columns(irrep_output_at(IRREP_OUTPUT_STRESSES), NULL), 9);
  assert_int_equal(irrep_outputs_place(both, &card, 2, NULL, NULL), 20);
  assert_int_equal(irrep_outputs_place(both, &card, 2, storage, &result), 20);
  assert_ptr_equal(result.descriptors, storage);
  assert_ptr_equal(values(IRREP_OUTPUT_DESCRIPTORS_L, &result), storage + 6);
  assert_int_equal(irrep_output_columns_in(all, &result), 7);
  assert_int_equal(irrep_outputs_place(both, NULL, 2, storage, &result), 0);
  assert_null(values(IRREP_OUTPUT_DESCRIPTORS_L, &result));
  assert_int_equal(irrep_output_columns_in(all, &result), 0);
  result.struct_size = offsetof(struct irrep_result, n_descriptors);
  assert_int_equal(irrep_outputs_place(both, &card, 2, storage, &result), 20);
  assert_int_equal(irrep_output_columns_in(all, &result), 0);
  assert_true(irrep_outputs_place(both, &card, SIZE_MAX / 4, NULL, NULL) == SIZE_MAX);
}

/* What only some models give: a card says whether, and a result whether it is there. */
static void test_of_some_models(void **state) {
  (void)state;
  const struct irrep_output *dipole = irrep_output_at(IRREP_OUTPUT_DIPOLE);
  const struct irrep_card with = {.has_dipole = true}, without = {.has_dipole = false};
  struct irrep_result result = IRREP_RESULT_INIT;
  assert_true(irrep_output_is_of(dipole, &with) && !irrep_output_is_of(dipole, &without));
  assert_true(irrep_output_is_of(irrep_output_at(IRREP_OUTPUT_FORCES), &without));
  assert_null(values(IRREP_OUTPUT_DIPOLE, &result));
  result.has_dipole = true;
  assert_ptr_equal(values(IRREP_OUTPUT_DIPOLE, &result), result.dipole);
  result.struct_size = offsetof(struct irrep_result, has_dipole);
  assert_null(values(IRREP_OUTPUT_DIPOLE, &result));
}

/* A result of an older version is read and written up to its end only. */
static void test_shorter_results(void **state) {
  (void)state;
  double storage[20];
  struct irrep_result result = {.struct_size = offsetof(struct irrep_result, stresses),
                                .stresses = storage + 1};
  assert_int_equal(irrep_outputs_place(BIT(STRESSES) | BIT(FORCES), NULL, 1, storage, &result), 12);
  assert_ptr_equal(result.forces, storage);
  assert_ptr_equal(result.stresses, storage + 1);
  assert_null(values(IRREP_OUTPUT_STRESSES, &result));
  assert_null(values(IRREP_OUTPUT_VIRIAL, &result));
  assert_ptr_equal(values(IRREP_OUTPUT_FORCES, &result), storage);
  result.struct_size += sizeof(double *);
  assert_ptr_equal(values(IRREP_OUTPUT_STRESSES, &result), storage + 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_are_consistent),
      cmocka_unit_test(test_find_takes_whole_names),
      cmocka_unit_test(test_values_are_the_fields),
      cmocka_unit_test(test_place),
      cmocka_unit_test(test_of_some_models),
      cmocka_unit_test(test_shorter_results),
      cmocka_unit_test(test_place_of_the_models_width),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
