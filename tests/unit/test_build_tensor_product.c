#include "core/e3/spherical_harmonics.h"
#include "core/e3/wigner.h"
#include "tests/unit/support_build.h"

#define L_MAX 2
#define MUL 18 /* two panels */

static const struct irrep from_irreps[] = {{0, 1}, {1, -1}, {2, 1}};
static const struct irrep to_irreps[] = {{0, 1}, {1, 1}, {2, 1}};

/* In the order of model_format.h: (l3, l1, l2). */
static const int expected[][3] = {{0, 0, 0}, {0, 1, 1}, {0, 2, 2}, {1, 1, 1}, {1, 2, 2},
                                  {2, 0, 2}, {2, 1, 1}, {2, 2, 0}, {2, 2, 2}};
#define N_PATHS (sizeof expected / sizeof *expected)

static void layout_init(struct build_trial *trial, const struct irrep *irreps, size_t n,
                        struct layout *layout) {
  const size_t mul = MUL;
  *layout = (struct layout){0};
  for (size_t i = 0; i < n; i++)
    assert_true(layout_append(&trial->build, layout, irreps[i], &mul, 1));
}

static void start(struct build_trial *trial, struct writer *writer, struct layout *from,
                  struct layout *to, size_t *values) {
  build_trial_init(trial, writer, "{\"model\":{}}");
  trial->program.l_max = L_MAX;
  layout_init(trial, from_irreps, 3, from);
  layout_init(trial, to_irreps, 3, to);
  assert_true(build_edge_tensor(&trial->build, from->dim, &values[0]));
  values[1] = program_tensor(&trial->program, HARMONICS(L_MAX) * to->entry[0].width);
  assert_true(build_edge_tensor(&trial->build, to->dim, &values[2]));
}

static size_t component(const struct layout *layout, int l, int m) {
  size_t start = (size_t)m;
  for (size_t i = 0; i < layout->n && layout->entry[i].ir.l != l; i++)
    start += (size_t)(2 * layout->entry[i].ir.l + 1);
  return start;
}

/* What multiplies in x sums for channel c, by the operation's lists. */
static double coefficient(const struct program *program, const struct tensor_product *op, size_t in,
                          size_t sums, size_t out, size_t c) {
  const size_t n_terms = op->first[op->n_pairs];
  double sum = 0.0;
  for (size_t p = 0; p < op->n_pairs; p++)
    for (size_t t = op->first[p]; t < op->first[p + 1]; t++)
      if (op->pairs[p].in == in && op->pairs[p].out == out && op->component[t] == sums)
        sum += program->weights[op->weights + (c / IRREP_LANES * n_terms + t) * IRREP_LANES +
                                c % IRREP_LANES];
  return sum;
}

static void check_path(const struct build_trial *trial, const struct layout *from,
                       const struct layout *to, size_t p, const double *weight) {
  static struct coupling_term terms[COUPLING_TERMS_MAX];
  const int l3 = expected[p][0], l1 = expected[p][1], l2 = expected[p][2];
  double c_of[5][5][5] = {{{0}}};
  size_t n;
  assert_int_equal(coupling_terms(l1, l2, l3, terms, &n), IRREP_OK);
  for (size_t i = 0; i < n; i++)
    c_of[terms[i].m1][terms[i].m2][terms[i].m3] = terms[i].c;
  for (int m1 = 0; m1 < 2 * l1 + 1; m1++)
    for (int m2 = 0; m2 < 2 * l2 + 1; m2++)
      for (int m3 = 0; m3 < 2 * l3 + 1; m3++)
        for (size_t c = 0; c < 2 * IRREP_LANES; c++)
          assert_true(coefficient(&trial->program, &trial->program.ops[0].tensor_product,
                                  component(from, l1, m1), (size_t)(l2 * l2 + m2),
                                  component(to, l3, m3),
                                  c) == (c < MUL ? c_of[m1][m2][m3] * weight[p * MUL + c] : 0.0));
}

static void test_paths_in_the_formats_order(void **state) {
  (void)state;
  struct build_trial trial;
  struct layout from, to;
  struct writer writer = {.rng = {4}};
  size_t values[3];
  writer_add(&writer, "p.weight", 2, (const size_t[]){N_PATHS, MUL}, 1.0);
  double *weight = kept_values(&writer, "p.weight");
  start(&trial, &writer, &from, &to, values);
  assert_true(build_tensor_product(&trial.build, "p", values[0], &from, values[1], values[2], &to));
  const struct op *op = trial.program.ops;
  const struct tensor_product *product = &op->tensor_product;
  assert_int_equal(op->id, OP_TENSOR_PRODUCT);
  assert_true(op->in == values[0] && op->sums == values[1] && op->out == values[2]);
  assert_true(product->in_dim == from.dim && product->out_dim == to.dim);
  assert_int_equal(product->sums_dim, trial.program.tensors[values[1]].dim);
  assert_int_equal(product->channels, 2 * IRREP_LANES);
  for (size_t p = 1; p < product->n_pairs; p++)
    assert_true(product->pairs[p - 1].out <= product->pairs[p].out);
  for (size_t p = 0; p < N_PATHS; p++)
    check_path(&trial, &from, &to, p, weight);
  free(weight);
  build_trial_fini(&trial);
}

static void test_weights_must_fit(void **state) {
  (void)state;
  static const size_t shapes[][2] = {{N_PATHS + 1, MUL}, {N_PATHS, MUL - 1}};
  for (size_t i = 0; i < 2; i++) {
    struct build_trial trial;
    struct layout from, to;
    struct writer writer = {.rng = {4}};
    size_t values[3];
    writer_add(&writer, "p.weight", 2, shapes[i], 1.0);
    start(&trial, &writer, &from, &to, values);
    assert_false(
        build_tensor_product(&trial.build, "p", values[0], &from, values[1], values[2], &to));
    assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "p.weight");
    build_trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths_in_the_formats_order),
      cmocka_unit_test(test_weights_must_fit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
