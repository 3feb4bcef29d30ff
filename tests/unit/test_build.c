#include "irrep/model_format.h"
#include "tests/unit/support_build.h"

static const struct irrep scalar = {0, 1}, vector = {1, -1};

static void start(struct build_trial *trial, const char *card) {
  struct writer writer = {0};
  build_trial_init(trial, &writer, card);
}

/* Groups of channels begin at multiples of the lanes, entries one after the other. */
static void test_layout_places_groups(void **state) {
  (void)state;
  static const size_t groups[] = {3, 20, 16};
  struct build_trial trial;
  struct layout layout = {0};
  start(&trial, "{\"model\":{}}");
  assert_true(layout_append(&trial.build, &layout, scalar, groups, 3));
  assert_true(layout_append(&trial.build, &layout, vector, groups, 1));
  assert_int_equal(layout.n, 2);
  assert_int_equal(layout.entry[0].mul, 39);
  assert_int_equal(layout.entry[0].width, 16 + 32 + 16);
  assert_int_equal(layout.entry[1].offset, 64);
  assert_int_equal(layout.entry[1].width, 16);
  assert_int_equal(layout.dim, 64 + 3 * 16);
  for (size_t i = 0; i < 39; i++)
    assert_int_equal(layout.entry[0].place[i], i < 3 ? i : i < 23 ? 16 + (i - 3) : 48 + (i - 23));
  assert_ptr_equal(layout_find(&layout, vector), &layout.entry[1]);
  assert_null(layout_find(&layout, (struct irrep){1, 1}));
  build_trial_fini(&trial);
}

static void test_layout_refuses(void **state) {
  (void)state;
  static const size_t groups[] = {65536, 1};
  struct build_trial trial;
  struct layout layout = {0};
  start(&trial, "{\"model\":{}}");
  assert_false(layout_append(&trial.build, &layout, scalar, groups, 2));
  assert_build_error(&trial, IRREP_UNSUPPORTED_MODEL, "model");
  assert_true(layout_append(&trial.build, &layout, scalar, groups, 1));
  assert_false(layout_append(&trial.build, &layout, scalar, groups, 1));
  struct layout many = {0};
  for (int i = 0; i < IRREPS_MAX; i++)
    assert_true(layout_append(&trial.build, &many, (struct irrep){i, 1}, groups + 1, 1));
  assert_false(layout_append(&trial.build, &many, vector, groups + 1, 1));
  build_trial_fini(&trial);
}

/* A few bytes of a card must not claim rows, and so tables and tiles, of any size. */
static void test_layout_bounds_the_row(void **state) {
  (void)state;
  static const size_t most = 65536, one = 1;
  struct build_trial trial;
  struct layout layout = {0};
  start(&trial, "{\"model\":{}}");
  assert_true(layout_append(&trial.build, &layout, scalar, &most, 1));
  assert_true(layout_append(&trial.build, &layout, vector, &most, 1));
  assert_int_equal(layout.dim, IRREP_MODEL_ROW_MAX);
  assert_false(layout_append(&trial.build, &layout, (struct irrep){0, -1}, &one, 1));
  assert_build_error(&trial, IRREP_UNSUPPORTED_MODEL, "model");
  assert_int_equal(layout.n, 2);
  build_trial_fini(&trial);
}

static void test_layout_of_irreps(void **state) {
  (void)state;
  struct build_trial trial;
  struct irreps irreps;
  struct layout layout;
  start(&trial, "{\"model\":{}}");
  irreps_parse("5x0e+17x1o", &irreps, NULL);
  assert_true(layout_of_irreps(&trial.build, &irreps, &layout));
  assert_int_equal(layout.dim, irreps.dim);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(layout.entry[i].offset, irreps.entry[i].offset);
    assert_int_equal(layout.entry[i].width, irreps.entry[i].mul_padded);
  }
  irreps_parse("5x0e+1x1o+1x0e", &irreps, NULL);
  assert_false(layout_of_irreps(&trial.build, &irreps, &layout));
  assert_build_error(&trial, IRREP_UNSUPPORTED_MODEL, "model");
  build_trial_fini(&trial);
}

static void test_irreps_and_activations(void **state) {
  (void)state;
  static const char *const names[] = {"identity", "silu", "tanh", "ssp",     "sigmoid",
                                      "abs",      "gelu", "mish", "softplus"};
  struct build_trial trial;
  struct irreps irreps;
  enum activation activation;
  start(&trial, "{\"model\":{\"a\":\"2x0e + 1o\",\"b\":\"\",\"c\":\"2x7e\",\"d\":5,"
                "\"activation\":\"relu\"}}");
  assert_true(build_irreps(&trial.build, &trial.build.model, "a", &irreps));
  assert_int_equal(irreps.n, 2);
  assert_false(build_irreps(&trial.build, &trial.build.model, "b", &irreps));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "model/b");
  assert_false(build_irreps(&trial.build, &trial.build.model, "c", &irreps));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "model/c");
  assert_false(build_irreps(&trial.build, &trial.build.model, "d", &irreps));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "model/d");
  assert_false(build_activation(&trial.build, &trial.build.model, &activation));
  assert_build_error(&trial, IRREP_UNSUPPORTED_MODEL, "model/activation");
  build_trial_fini(&trial);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char card[64];
    (void)snprintf(card, sizeof card, "{\"model\":{\"activation\":\"%s\"}}", names[i]);
    start(&trial, card);
    assert_true(build_activation(&trial.build, &trial.build.model, &activation));
    assert_int_equal(activation, i);
    build_trial_fini(&trial);
  }
}

static void test_read(void **state) {
  (void)state;
  struct writer writer = {.rng = {5}};
  struct build_trial trial;
  double expected[6];
  const size_t shape[] = {2, 3}, huge[] = {(size_t)1 << 40, (size_t)1 << 40};
  rng_fill(&(struct rng){5}, 6, expected);
  writer_add(&writer, "x", 2, shape, 1.0);
  build_trial_init(&trial, &writer, "{\"model\":{}}");
  const double *values = build_read(&trial.build, "x", 2, shape);
  assert_non_null(values);
  assert_memory_equal(values, expected, sizeof expected);
  assert_null(build_read(&trial.build, "y", 2, shape));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "y");
  assert_null(build_read(&trial.build, "x", 2, huge));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "x");
  assert_false(build_no_memory(&trial.build));
  trial.program.no_memory = true;
  assert_true(build_no_memory(&trial.build));
  assert_build_error(&trial, IRREP_NO_MEMORY, "");
  build_trial_fini(&trial);
}

static const size_t in_groups[] = {2, 3}, out_groups[] = {4, 1, 2};

/* Scalars in groups on both sides, vectors in one, and on each side an irrep that the other lacks.
 */
static void linear_layouts(struct build_trial *trial, struct layout *from, struct layout *to) {
  static const size_t two = 2, seventeen = 17;
  *from = *to = (struct layout){0};
  assert_true(layout_append(&trial->build, from, scalar, in_groups, 2) &&
              layout_append(&trial->build, from, (struct irrep){2, 1}, &two, 1) &&
              layout_append(&trial->build, from, vector, &two, 1) &&
              layout_append(&trial->build, to, vector, &seventeen, 1) &&
              layout_append(&trial->build, to, scalar, out_groups, 3) &&
              layout_append(&trial->build, to, (struct irrep){3, 1}, &two, 1));
}

/* Element [i][o] of the file stands at the layouts' places, everything else is zero. */
static void check_block(const struct program *program, const struct linear_block *block,
                        size_t species, const struct layout_entry *from,
                        const struct layout_entry *to, const double *file) {
  struct matrix matrix = block->matrix;
  matrix.packed += species * block->species_stride;
  matrix.packed_transpose += species * block->species_stride;
  double sum = 0.0, file_sum = 0.0;
  for (size_t i = 0; i < from->mul; i++)
    for (size_t o = 0; o < to->mul; o++) {
      const double expected = file[(species * from->mul + i) * to->mul + o];
      assert_true(matrix_at(program, &matrix, from->place[i], to->place[o]) == expected);
      file_sum += fabs(expected);
    }
  for (size_t i = 0; i < matrix.rows; i++)
    for (size_t o = 0; o < matrix.columns; o++)
      sum += fabs(matrix_at(program, &matrix, i, o));
  assert_true(fabs(sum - file_sum) < 1e-12);
  assert_int_equal(block->in_offset, from->offset);
  assert_int_equal(block->in_stride, from->width);
  assert_int_equal(block->out_offset, to->offset);
  assert_int_equal(block->out_stride, to->width);
  assert_int_equal(block->n_m, 2 * from->ir.l + 1);
}

static void check_linear(bool by_species) {
  struct writer writer = {.rng = {6}};
  struct build_trial trial;
  struct layout from, to;
  const size_t shapes[2][3] = {{2, 5, 7}, {2, 2, 17}};
  writer_add(&writer, "map.0e.weight", by_species ? 3 : 2, shapes[0] + !by_species, 1.0);
  writer_add(&writer, "map.1o.weight", by_species ? 3 : 2, shapes[1] + !by_species, 1.0);
  double *scalars = kept_values(&writer, "map.0e.weight");
  double *vectors = kept_values(&writer, "map.1o.weight");
  writer_add(&writer, "map.bias", 1, (const size_t[]){7}, 1.0);
  double *bias = kept_values(&writer, "map.bias");
  build_trial_init(&trial, &writer, "{\"model\":{}}");
  linear_layouts(&trial, &from, &to);
  assert_true(build_linear(&trial.build, "map", 4, &from, 9, &to, by_species, true));
  const struct op *op = &trial.program.ops[0];
  assert_int_equal(op->id, OP_LINEAR);
  assert_true(op->in == 4 && op->out == 9 && op->accumulate);
  assert_int_equal(op->linear.n_blocks, 2);
  fill_species(&trial.program);
  assert_true(op->linear.in_dim == from.dim && op->linear.out_dim == to.dim);
  assert_false(op->linear.covers_in || op->linear.covers_out);
  for (size_t s = 0; s < (by_species ? 2 : 1); s++) {
    check_block(&trial.program, &op->linear.blocks[0], s, &from.entry[0], &to.entry[1], scalars);
    check_block(&trial.program, &op->linear.blocks[1], s, &from.entry[2], &to.entry[0], vectors);
  }
  assert_int_equal(op->linear.blocks[0].species_stride != 0, by_species);
  assert_true(op->linear.has_bias);
  assert_int_equal(op->linear.bias_offset, to.entry[1].offset);
  assert_int_equal(op->linear.bias_size, to.entry[1].width);
  for (size_t i = 0; i < 7; i++)
    assert_true(trial.program.weights[op->linear.bias + to.entry[1].place[i]] == bias[i]);
  assert_int_equal(model_file_all_used(&trial.file, NULL), IRREP_OK);
  free(scalars);
  free(vectors);
  free(bias);
  build_trial_fini(&trial);
}

static void test_linear(void **state) {
  (void)state;
  check_linear(false);
  check_linear(true);
}

static void test_linear_names_what_is_missing(void **state) {
  (void)state;
  struct writer writer = {.rng = {6}};
  struct build_trial trial;
  struct layout from, to;
  writer_add(&writer, "map.0e.weight", 2, (const size_t[]){5, 7}, 1.0);
  build_trial_init(&trial, &writer, "{\"model\":{}}");
  linear_layouts(&trial, &from, &to);
  assert_false(build_linear(&trial.build, "map", 0, &from, 1, &to, false, false));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "map.1o.weight");
  assert_false(build_linear(&trial.build, "map", 0, &from, 1, &to, true, false));
  assert_build_error(&trial, IRREP_BAD_MODEL_FILE, "map.0e.weight");
  build_trial_fini(&trial);
}

static void test_value(void **state) {
  (void)state;
  struct build_trial trial;
  struct layout from, to;
  size_t value = 99;
  start(&trial, "{\"model\":{}}");
  linear_layouts(&trial, &from, &to);
  assert_true(build_tensor(&trial.build, &to, &value));
  assert_int_equal(value, 0);
  assert_int_equal(trial.program.tensors[0].dim, to.dim);
  build_trial_fini(&trial);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layout_places_groups),
      cmocka_unit_test(test_layout_refuses),
      cmocka_unit_test(test_layout_bounds_the_row),
      cmocka_unit_test(test_layout_of_irreps),
      cmocka_unit_test(test_irreps_and_activations),
      cmocka_unit_test(test_read),
      cmocka_unit_test(test_linear),
      cmocka_unit_test(test_linear_names_what_is_missing),
      cmocka_unit_test(test_value),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
