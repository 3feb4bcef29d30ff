#include "core/api/loaded.h"
#include "core/api/self_check.h"
#include "core/cpu/dispatch.h"
#include "tests/unit/support_model.h"

#define TOLERANCE 1e-3

#define LAYERS                                                                                     \
  {                                                                                                \
    .l_max = 1, .layers = { "5x0e+3x1o", "4x0e" }                                                  \
  }

static const struct tiny_choices layered = LAYERS;

static double compare(double energy, double force) {
  double ours[] = {1.0, -2.0, 3.0, 0.0, 0.0, 40.0}, theirs[6];
  memcpy(theirs, ours, sizeof theirs);
  theirs[1] += force;
  const struct irrep_result a = {
      .struct_size = sizeof(struct irrep_result), .energy = -8.0, .forces = ours};
  const struct irrep_result b = {
      .struct_size = sizeof(struct irrep_result), .energy = -8.0 + energy, .forces = theirs};
  return self_check_compare(&a, &b, 2, TOLERANCE);
}

/* Differences count relative to the largest force and to the energy. */
static void test_compare(void **state) {
  (void)state;
  assert_true(compare(0.0, 0.0) == 0.0);
  assert_float_equal(compare(0.01, 0.0), 1.0, 1e-9);
  assert_float_equal(compare(-0.02, 0.0), 2.0, 1e-9);
  assert_float_equal(compare(0.0, 0.04), 1.0, 1e-9);
  assert_float_equal(compare(0.01, -0.12), 3.0, 1e-9);
}

static void test_compare_not_finite(void **state) {
  (void)state;
  double forces[3] = {0};
  const struct irrep_result good = {.struct_size = sizeof(struct irrep_result), .forces = forces};
  const struct irrep_result bad = {.struct_size = sizeof(struct irrep_result),
                                   .status = IRREP_RESULT_NOT_FINITE,
                                   .forces = forces};
  assert_true(isinf(self_check_compare(&good, &bad, 1, TOLERANCE)));
  assert_true(isinf(self_check_compare(&bad, &good, 1, TOLERANCE)));
  assert_true(self_check_compare(&bad, &bad, 1, TOLERANCE) == 0.0);
}

/* The kernels of this processor are right, with much room: a wrong one would not hide in it. */
static void test_models(void **state) {
  (void)state;
  static const struct tiny_choices choices[] = {
      LAYERS, {.precision = "float32", .l_max = 2, .filter_hidden = 8, .layers = {"4x0e+2x1o"}}};
  for (size_t i = 0; i < 2; i++) {
    struct irrep_model *model = tiny_model(&choices[i]);
    for (int p = 0; p < 2; p++) {
      struct irrep_error error = {0};
      double deviation = -1.0;
      assert_int_equal(
          irrep_model_self_check(model, p ? IRREP_FLOAT64 : IRREP_FLOAT32, &deviation, &error),
          IRREP_OK);
      assert_true(deviation >= 0.0 && deviation < 0.1);
    }
    irrep_model_free(model);
  }
}

/* Kernels that are wrong in one number of a tile's last row. */
static const struct kernels *right;

static void spoil(void *rows, size_t index) {
  if (right->precision == IRREP_FLOAT64)
    ((double *)rows)[index] += 0.1;
  else
    ((float *)rows)[index] += 0.1f;
}

static void wrong_gate(const struct gate *op, size_t n_rows, const void *in, void *out) {
  right->gate(op, n_rows, in, out);
  spoil(out, (n_rows - 1) * op->out_dim);
}

static void wrong_gate_adjoint(const struct gate *op, size_t n_rows, const void *in,
                               const void *grad_out, void *grad_in, bool accumulate) {
  right->gate_adjoint(op, n_rows, in, grad_out, grad_in, accumulate);
  spoil(grad_in, (n_rows - 1) * op->in_dim);
}

static void test_wrong_kernels_are_found(void **state) {
  (void)state;
  struct irrep_model *model = tiny_model(&layered);
  for (int i = 0; i < 4; i++) {
    const enum irrep_precision precision = i % 2 ? IRREP_FLOAT64 : IRREP_FLOAT32;
    double deviation = 0.0;
    right = kernels_for(precision, NULL);
    struct kernels wrong = *right;
    if (i < 2)
      wrong.gate = wrong_gate;
    else
      wrong.gate_adjoint = wrong_gate_adjoint;
    model->kernels[precision] = &wrong;
    assert_int_equal(irrep_model_self_check(model, precision, &deviation, NULL), IRREP_OK);
    assert_true(deviation > 1.0);
    model->kernels[precision] = right;
  }
  irrep_model_free(model);
}

/* Plain kernels give the same numbers but for rounding, and the same twice. */
static void test_plain_kernels(void **state) {
  (void)state;
  struct irrep_model *model = tiny_model(&layered);
  struct cluster cluster = cluster_new(5, true);
  const struct irrep_structure structure = structure_of(&cluster);
  double forces[3][15];
  struct irrep_result results[3];
  for (size_t i = 0; i < 3; i++) {
    const struct irrep_evaluate_options options = {.struct_size =
                                                       sizeof(struct irrep_evaluate_options),
                                                   .precision = IRREP_FLOAT64,
                                                   .exact_filters = true,
                                                   .plain_kernels = i > 0};
    results[i] =
        (struct irrep_result){.struct_size = sizeof(struct irrep_result), .forces = forces[i]};
    evaluate_all(model, &options, &structure, 1, &results[i]);
  }
  assert_memory_equal(forces[1], forces[2], sizeof forces[1]);
  assert_true(results[1].energy == results[2].energy);
  assert_true(self_check_compare(&results[0], &results[1], 5, 1e-12) < 1.0);
  irrep_model_free(model);
}

/* Every call of note, by thread 0. */
struct notes {
  size_t n_forward, n_adjoint, n_begun, n_neighbours, n_convolutions;
};

static void note(void *context, size_t thread, const char *operation, bool adjoint) {
  struct notes *notes = context;
  assert_int_equal(thread, 0);
  if (!operation) {
    notes->n_begun++;
    return;
  }
  notes->n_neighbours += strcmp(operation, "neighbours") == 0;
  notes->n_convolutions += strcmp(operation, "convolution") == 0;
  *(adjoint ? &notes->n_adjoint : &notes->n_forward) += 1;
}

/* A profile hears of every operation, and changes no bit. */
static void test_profile(void **state) {
  (void)state;
  struct irrep_model *model = tiny_model(&layered);
  struct cluster cluster = cluster_new(6, false);
  const struct irrep_structure structure = structure_of(&cluster);
  struct notes notes = {0};
  const struct irrep_profile profile = {
      .struct_size = sizeof profile, .context = &notes, .note = note};
  double forces[2][18];
  struct irrep_result results[2];
  for (size_t i = 0; i < 2; i++) {
    const struct irrep_evaluate_options options = {.struct_size =
                                                       sizeof(struct irrep_evaluate_options),
                                                   .precision = IRREP_FLOAT64,
                                                   .profile = i ? &profile : NULL};
    results[i] =
        (struct irrep_result){.struct_size = sizeof(struct irrep_result), .forces = forces[i]};
    evaluate_all(model, &options, &structure, 1, &results[i]);
  }
  assert_memory_equal(forces[0], forces[1], sizeof forces[0]);
  assert_int_equal(notes.n_neighbours, 1);
  assert_true(notes.n_convolutions >= 2);
  assert_true(notes.n_forward > notes.n_adjoint && notes.n_adjoint > 3);
  assert_true(notes.n_begun >= 3);
  irrep_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_compare),       cmocka_unit_test(test_compare_not_finite),
      cmocka_unit_test(test_models),        cmocka_unit_test(test_wrong_kernels_are_found),
      cmocka_unit_test(test_plain_kernels), cmocka_unit_test(test_profile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
