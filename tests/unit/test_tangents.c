#include "core/cpu/tangent_ops.h"
#include "core/cpu/tangents.h"
#include "core/nn/radial_second.h"
#include "tests/unit/support_repulsion.h"
#include "tests/unit/support_tangent.h"

static void test_layers(void **state) {
  (void)state;
  for (size_t n_layers = 1; n_layers <= 3; n_layers++) {
    struct program program = {0};
    test_program_init(&program,
                      (struct program_options){.n_layers = n_layers, .envelope = n_layers == 2});
    check_hessian(&program);
  }
}

static void test_every_operation_of_atoms_has_tangents(void **state) {
  (void)state;
  for (enum op_id id = 0; id < N_OPS; id++)
    if (tangent_ops[id])
      assert_true(tangent_ops[id]->forward && tangent_ops[id]->adjoint);
  struct program program = {0};
  test_program_init(&program, (struct program_options){.n_layers = 2, .solid_harmonics = true});
  assert_false(tangents_supports(&program));
  program.solid_harmonics = false;
  assert_true(tangents_supports(&program));
  program.directed = true;
  assert_false(tangents_supports(&program));
  program.directed = false;
  program.local = true;
  assert_false(tangents_supports(&program));
  program.local = false;
  program.ops[0].id = OP_TWO_BODY;
  assert_false(tangents_supports(&program));
  program.ops[0].id = OP_EMBEDDING;
  program_fini(&program);
}

static void test_nothing_lies_in_the_place_of_something_else(void **state) {
  (void)state;
  struct program program = {0};
  struct unfolded unfolded;
  test_program_init(&program, (struct program_options){.n_layers = 3});
  unfolded.tensors = aligned_new(program.n_tensors * sizeof *unfolded.tensors);
  unfolded_make(&unfolded, &program);
  size_t next = 0;
  for (size_t v = 0; v < program.n_tensors; v++) {
    const struct tensor *tensor = &unfolded.program.tensors[v];
    assert_int_equal(tensor->dim, program.tensors[v].dim);
    assert_true(tensor->features.global && tensor->gradient.global);
    assert_int_equal(tensor->features.offset, next);
    assert_int_equal(tensor->gradient.offset, next + tensor->dim);
    next += 2 * tensor->dim;
  }
  assert_int_equal(unfolded.program.global_reals, next);
  free(unfolded.tensors);
  program_fini(&program);
}

/* Slopes and second derivatives of a repulsion come in as those of edges; then the rows have more
 * than without by what differences of the repulsion's gradient give. */
static void test_with_a_repulsion(void **state) {
  (void)state;
  struct program program = {0};
  struct irrep_structure atoms = atoms_new(8, false, 7);
  struct tangent_test test;
  double with[24], without[24];
  test_program_init(&program, (struct program_options){.n_layers = 1});
  tangent_test_init(&test, &program, &atoms);
  const struct batch *batch = &test.tangents.base.batch;
  double *slopes = doubles_new(batch->n_edges), *second = doubles_new(batch->n_edges);
  for (size_t e = 0; e < batch->n_edges; e++) {
    const double *v = batch->vectors + 3 * e, r = sqrt(dot(3, v, v));
    const uint32_t to = batch->species[batch->receivers[e]];
    const uint32_t from = batch->species[batch->senders[e]];
    double energy;
    pair_repulsion(&test_repulsion, to, from, r, &energy, &slopes[e]);
    second[e] = pair_repulsion_second(&test_repulsion, to, from, r);
  }
  for (size_t axis = 0; axis < 3; axis++) {
    tangents_prepare(&test.tangents, NULL, NULL);
    tangents_row(&test.tangents, 1, axis, without);
    tangents_prepare(&test.tangents, slopes, second);
    tangents_row(&test.tangents, 1, axis, with);
    double expected[24] = {0.0}, most = 0.0;
    for (size_t e = 0; e < batch->n_edges; e++) {
      const double *v = batch->vectors + 3 * e, r = sqrt(dot(3, v, v));
      const size_t i = batch->receivers[e], j = batch->senders[e];
      const double sign = i == 1 ? 1.0 : j == 1 ? -1.0 : 0.0;
      for (size_t k = 0; k < 3; k++) {
        const double along = v[k] * v[axis] / (r * r);
        const double g = sign * (second[e] * along + slopes[e] / r * ((k == axis) - along));
        expected[3 * i + k] += g;
        expected[3 * j + k] -= g;
      }
    }
    for (size_t k = 0; k < 24; k++) {
      assert_true(fabs(with[k] - without[k] - expected[k]) < 1e-9);
      most = fmax(most, fabs(expected[k]));
    }
    assert_true(most > 1e-3);
  }
  free(slopes);
  free(second);
  tangent_test_free(&test);
  atoms_free(&atoms);
  program_fini(&program);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layers),
      cmocka_unit_test(test_every_operation_of_atoms_has_tangents),
      cmocka_unit_test(test_nothing_lies_in_the_place_of_something_else),
      cmocka_unit_test(test_with_a_repulsion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
