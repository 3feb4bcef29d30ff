#include "core/e3/spherical_harmonics.h"
#include "core/e3/wigner.h"
#include "tests/unit/support_build.h"

#define L_MAX 2
#define LAYER "{\"model\":{\"filter\":{\"hidden\":[],\"activation\":\"silu\"}}}"

/* 3x0e+2x1o by harmonics of alternating parity up to 2 to 0e, 1o and 2e: the paths of
 * model_format.h's order. */
static const struct {
  int l1, l2, l3;
  size_t mul;
} expected[] = {{0, 0, 0, 3}, {0, 1, 1, 3}, {0, 2, 2, 3}, {1, 0, 1, 2},
                {1, 1, 0, 2}, {1, 1, 2, 2}, {1, 2, 1, 2}};
#define N_PATHS (sizeof expected / sizeof *expected)
#define N_COLUMNS 17

static void start(struct build_trial *trial, struct layout *from) {
  static const size_t three = 3, two = 2;
  struct writer writer = {.rng = {14}};
  writer_add(&writer, "f.0.weight", 2, (const size_t[]){4, N_COLUMNS}, 1.0);
  build_trial_init(trial, &writer, LAYER);
  trial->program.l_max = L_MAX;
  trial->program.radial.n_basis = 4;
  *from = (struct layout){0};
  assert_true(layout_append(&trial->build, from, (struct irrep){0, 1}, &three, 1));
  assert_true(layout_append(&trial->build, from, (struct irrep){1, -1}, &two, 1));
}

static bool build(struct build_trial *trial, const struct layout *from, const char *mid,
                  bool alternating_parity, bool to_sender, struct layout *to) {
  struct irreps irreps;
  size_t out;
  assert_int_equal(irreps_parse(mid, &irreps, NULL), IRREP_OK);
  const struct convolution_card card = {"f", &trial->build.model, &irreps,
                                        .alternating_parity = alternating_parity,
                                        .to_sender = to_sender};
  return build_convolution(&trial->build, &card, 5, from, &out, to);
}

/* The coefficient between a pair (m1, m3) of a path and a harmonic. */
static double coupling(const struct program *program, const struct sparse *sparse, size_t row,
                       size_t column) {
  double sum = 0.0;
  for (size_t i = sparse->first[row]; i < sparse->first[row + 1]; i++)
    sum += sparse->column[i] == column ? program->weights[sparse->values + i] : 0.0;
  return sum;
}

static void check_couplings(const struct program *program, const struct convolution *c, size_t p,
                            bool to_sender) {
  static struct coupling_term terms[COUPLING_TERMS_MAX];
  const struct path *path = &c->paths[p];
  const size_t n1 = (size_t)(2 * path->l1 + 1), n3 = (size_t)(2 * path->l3 + 1);
  size_t n_terms;
  double c_of[5 * 5 * 9] = {0};
  assert_int_equal(coupling_terms(path->l1, path->l2, path->l3, terms, &n_terms), IRREP_OK);
  for (size_t i = 0; i < n_terms; i++) {
    const size_t pair = (size_t)terms[i].m1 * n3 + (size_t)terms[i].m3;
    c_of[pair * HARMONICS(L_MAX) + (size_t)(path->l2 * path->l2 + terms[i].m2)] =
        terms[i].c * (to_sender && path->l2 % 2 ? -1.0 : 1.0);
  }
  for (size_t pair = 0; pair < n1 * n3; pair++)
    for (size_t h = 0; h < HARMONICS(L_MAX); h++) {
      const double value = c_of[pair * HARMONICS(L_MAX) + h];
      assert_true(coupling(program, &c->by_pair, path->first_pair + pair, h) == value);
    }
}

static void check_convolution(bool to_sender) {
  struct build_trial trial;
  struct layout from, to;
  struct rng rng = {14};
  start(&trial, &from);
  assert_true(build(&trial, &from, "5x0e+7x1o+5x2e", true, to_sender, &to));
  const struct op *op = &trial.program.ops[0];
  const struct convolution *c = &op->message.convolution;
  assert_int_equal(op->id, OP_CONVOLUTION);
  assert_int_equal(op->in, 5);
  assert_int_equal(trial.program.tensors[op->out].dim, to.dim);
  assert_true(c->n_paths == N_PATHS && c->l_max == L_MAX);
  assert_true(c->x_dim == from.dim && c->out_dim == to.dim);
  assert_int_equal(c->n_columns, N_PATHS * IRREP_LANES);
  size_t channel[3] = {0}; /* of each irrep of mid, which are in the order of their degrees */
  for (size_t p = 0; p < N_PATHS; p++) {
    const struct path *path = &c->paths[p];
    const struct layout_entry *x = &from.entry[expected[p].l1], *y = &to.entry[expected[p].l3];
    assert_true(path->l1 == expected[p].l1 && path->l2 == expected[p].l2 &&
                path->l3 == expected[p].l3);
    assert_true(path->channels == IRREP_LANES && path->filter_column == p * IRREP_LANES);
    assert_true(path->x_offset == x->offset && path->x_stride == x->width);
    assert_int_equal(path->out_offset, y->offset + y->place[channel[path->l3]]);
    assert_int_equal(path->out_stride, y->width);
    channel[path->l3] += expected[p].mul;
    check_couplings(&trial.program, c, p, to_sender);
  }
  const struct matrix *matrix = &op->message.filter.layers[0].matrix;
  for (size_t k = 0; k < 4; k++)
    for (size_t p = 0; p < N_PATHS; p++)
      for (size_t i = 0; i < IRREP_LANES; i++)
        assert_true(matrix_at(&trial.program, matrix, k, p * IRREP_LANES + i) ==
                    (i < expected[p].mul ? rng_next(&rng) : 0.0));
  build_trial_fini(&trial);
}

static void test_paths_in_the_formats_order(void **state) {
  (void)state;
  check_convolution(false);
  check_convolution(true);
}

/* With even harmonics 1o stays odd and 0e even: other paths. */
static void test_even_harmonics(void **state) {
  (void)state;
  struct build_trial trial;
  struct layout from, to;
  start(&trial, &from);
  assert_false(build(&trial, &from, "5x0e+7x1o+5x2e", false, true, &to));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "model/layers");
  /* 0e x (0e, 1e, 2e) and 1o x (0e, 1e, 2e) to 1o. */
  assert_false(build(&trial, &from, "3x0e+3x1e+6x1o", false, true, &to));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "f.0.weight");
  build_trial_fini(&trial);
}

/* Scalars that meet nothing but the constant harmonic. */
static void test_scalar_convolutions_are_known(void **state) {
  (void)state;
  static const size_t five = 5;
  static const struct {
    int l_max;
    const char *mid;
    bool scalar;
  } cases[] = {{0, "5x0e", true}, {1, "5x0e", true}, {1, "5x0e+5x1o", false}, {1, "5x1o", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    struct layout from = {0}, to;
    struct writer writer = {.rng = {14}};
    const size_t columns = strchr(cases[i].mid, '+') ? 10 : 5;
    writer_add(&writer, "f.0.weight", 2, (const size_t[]){4, columns}, 1.0);
    build_trial_init(&trial, &writer, LAYER);
    trial.program.l_max = cases[i].l_max;
    trial.program.radial.n_basis = 4;
    assert_true(layout_append(&trial.build, &from, (struct irrep){0, 1}, &five, 1));
    assert_true(build(&trial, &from, cases[i].mid, true, false, &to));
    assert_int_equal(trial.program.ops[0].message.convolution.scalar, cases[i].scalar);
    build_trial_fini(&trial);
  }
}

static void test_refuses(void **state) {
  (void)state;
  static const struct {
    const char *mid;
    enum irrep_status status;
    const char *field;
  } cases[] = {
      {"4x0e+7x1o+5x2e", IRREP_BAD_MODEL_FILE, "model/layers"},
      {"5x0e+7x1o+5x2e+1x4e", IRREP_BAD_MODEL_FILE, "model/layers"},
      {"5x0e+7x1o+5x2e+5x0e", IRREP_UNSUPPORTED_MODEL, "model"},
      {"5x0e+7x1o", IRREP_BAD_MODEL_FILE, "f.0.weight"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    struct layout from, to;
    start(&trial, &from);
    assert_false(build(&trial, &from, cases[i].mid, true, true, &to));
    assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
  }
}

static void test_bounds_paths_and_columns(void **state) {
  (void)state;
  struct build_trial trial;
  struct layout from, to;
  static const size_t many = 23000;
  start(&trial, &from);
  struct layout wide = {0};
  assert_true(layout_append(&trial.build, &wide, (struct irrep){0, 1}, &many, 1));
  assert_false(build(&trial, &wide, "23000x0e+23000x1o+23000x2e", true, true, &to));
  assert_build_error(&trial, IRREP_UNSUPPORTED_MODEL, "f");
  /* Degrees up to 6 with both parities and all harmonics: far more than 256 paths. */
  struct layout all = {0};
  char mid[256] = "";
  for (int l = 0; l <= IRREP_L_MAX; l++)
    for (int parity = -1; parity <= 1; parity += 2) {
      const size_t used = strlen(mid);
      assert_true(layout_append(&trial.build, &all, (struct irrep){l, parity}, &(size_t){1}, 1));
      (void)snprintf(mid + used, sizeof mid - used, "%s1x%d%c", used ? "+" : "", l,
                     parity > 0 ? 'e' : 'o');
    }
  trial.program.l_max = IRREP_L_MAX;
  assert_false(build(&trial, &all, mid, true, true, &to));
  assert_build_error(&trial, IRREP_UNSUPPORTED_MODEL, "model/layers");
  build_trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths_in_the_formats_order),    cmocka_unit_test(test_even_harmonics),
      cmocka_unit_test(test_scalar_convolutions_are_known), cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_bounds_paths_and_columns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
