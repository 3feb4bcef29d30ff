#include "core/program/program.h"
#include "tests/unit/support_program.h"

static void assert_zero(const void *memory, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    assert_int_equal(((const unsigned char *)memory)[i], 0);
}

static void test_weights_grow(void **state) {
  (void)state;
  struct program program;
  program_init(&program);
  size_t end = 0;
  for (size_t n = 1; n < 200; n += 13) {
    const size_t offset = program_weights(&program, n);
    assert_int_equal(offset % IRREP_LANES, 0);
    assert_true(offset >= end && program.n_weights >= offset + n);
    assert_zero(program.weights + offset, (program.n_weights - offset) * sizeof(double));
    for (size_t i = 0; i < n; i++)
      program.weights[offset + i] = (double)n;
    end = offset + n;
  }
  assert_true(program.weights[0] == 1.0 && program.weights[end - 1] != 0.0);
  program_fini(&program);
}

static void assert_packed(const struct program *program, const struct matrix *matrix,
                          const double *dense) {
  const size_t rows = matrix->rows, columns = matrix->columns;
  double *transposed = doubles_new(rows * columns);
  for (size_t i = 0; i < rows * columns; i++)
    transposed[i % columns * rows + i / columns] = dense[i];
  const size_t sizes[] = {rows * padded_to_lanes(columns), columns * padded_to_lanes(rows)};
  double *expected = doubles_new(sizes[0]), *expected_transposed = doubles_new(sizes[1]);
  pack_panels(rows, columns, dense, expected);
  pack_panels(columns, rows, transposed, expected_transposed);
  assert_memory_equal(program->weights + matrix->packed, expected, sizes[0] * sizeof(double));
  assert_memory_equal(program->weights + matrix->packed_transpose, expected_transposed,
                      sizes[1] * sizeof(double));
  free(transposed);
  free(expected);
  free(expected_transposed);
}

static void test_matrices_are_packed_twice(void **state) {
  (void)state;
  static const size_t sizes[][2] = {{1, 1}, {16, 16}, {5, 33}, {33, 5}, {17, 48}};
  enum { n = sizeof sizes / sizeof *sizes };
  struct program program;
  struct rng rng = {1};
  struct matrix matrices[n];
  double *dense[n];
  program_init(&program);
  for (size_t i = 0; i < n; i++) {
    dense[i] = doubles_new(sizes[i][0] * sizes[i][1]);
    rng_fill(&rng, sizes[i][0] * sizes[i][1], dense[i]);
    matrices[i] = program_matrix(&program, sizes[i][0], sizes[i][1], dense[i]);
  }
  for (size_t i = 0; i < n; i++) {
    assert_packed(&program, &matrices[i], dense[i]);
    free(dense[i]);
  }
  program_fini(&program);
}

static void assert_fails(struct program *program, enum irrep_status status) {
  struct irrep_error error = {0};
  assert_int_equal(program_compile(program, &error), status);
  assert_int_equal(error.status, status);
  assert_true(strlen(error.detail) > 10);
  program_fini(program);
}

/* Sizes that overflow are a lack of memory, which sticks. */
static void test_memory_failures_stick(void **state) {
  (void)state;
  static const size_t huge[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 14, SIZE_MAX / 8, SIZE_MAX / 2};
  const double one = 1.0;
  for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
    for (int call = 0; call < 4; call++) {
      struct program program;
      program_init(&program);
      if (call == 0)
        assert_null(program_take(&program, huge[i], 8));
      else if (call == 1)
        assert_true(program_weights(&program, huge[i]) == PROGRAM_NONE);
      else if (call == 2)
        program_matrix(&program, huge[i], huge[i], &one);
      else
        program_matrix(&program, 1, huge[i], &one);
      assert_true(program.no_memory);
      assert_non_null(program_take(&program, 1, 8));
      assert_true(program_weights(&program, 8) != PROGRAM_NONE);
      assert_true(program.no_memory);
      assert_fails(&program, IRREP_NO_MEMORY);
    }
}

static void test_values_and_operations_are_numbered(void **state) {
  (void)state;
  struct program program;
  program_init(&program);
  for (size_t i = 0; i < 70; i++) {
    assert_int_equal(program_tensor(&program, 16 * (i + 1)), i);
    struct op *op = program_op(&program, OP_GATE, i, i + 1);
    assert_ptr_equal(op, &program.ops[i]);
    assert_int_equal(op->id, OP_GATE);
    assert_int_equal(op->in, i);
    assert_int_equal(op->out, i + 1);
    assert_false(op->accumulate);
    assert_zero(&op->linear, sizeof op->linear);
  }
  for (size_t i = 0; i < 70; i++)
    assert_int_equal(program.tensors[i].dim, 16 * (i + 1));
  assert_int_equal(program.n_ops, 70);
  program_fini(&program);
}

static void test_stages_begin_at_convolutions(void **state) {
  (void)state;
  struct program program;
  test_program_init(&program, (struct program_options){.n_layers = 3});
  size_t n_convolutions = 0, at = 0;
  for (size_t s = 0; s < program.n_stages; s++) {
    assert_int_equal(program.stages[s].first, at);
    at = program.stages[s].end;
    assert_true(at > program.stages[s].first);
    for (size_t i = program.stages[s].first; i < at; i++) {
      const bool convolution = program.ops[i].id == OP_CONVOLUTION;
      n_convolutions += convolution;
      assert_int_equal(convolution, s > 0 && i == program.stages[s].first);
    }
  }
  assert_int_equal(at, program.n_ops);
  assert_int_equal(n_convolutions, 3);
  assert_int_equal(program.n_stages, 4);
  program_fini(&program);
}

static void test_widest_filters(void **state) {
  (void)state;
  struct program program;
  test_program_init(&program, (struct program_options){.n_layers = 2});
  size_t columns = 0, width = 0;
  for (size_t i = 0; i < program.n_ops; i++)
    if (program.ops[i].id == OP_CONVOLUTION) {
      const size_t n = program.ops[i].message.convolution.n_columns;
      columns = n > columns ? n : columns;
      width = program.ops[i].message.filter.width;
    }
  assert_int_equal(program.columns_max, columns);
  assert_int_equal(program.width_max, width);
  program_fini(&program);
}

/* Backwards, the first operation that reaches a value's gradient writes it, the others add. */
static void test_adjoints_write_once_and_then_add(void **state) {
  (void)state;
  struct program program;
  test_program_init(&program, (struct program_options){.n_layers = 3});
  bool written[64] = {false};
  for (size_t i = program.n_ops; i-- > 0;) {
    const struct op *op = &program.ops[i];
    if (op_traits[op->id].has_out)
      assert_true(written[op->out]);
    if (!op_traits[op->id].has_in)
      continue;
    assert_int_equal(op->grad_accumulate, written[op->in]);
    written[op->in] = true;
  }
  program_fini(&program);
}

/* A program of empty operations, each {id, in, out, accumulate}. */
struct step {
  enum op_id id;
  size_t in, out;
  bool accumulate;
};

static struct program program_of(const struct step *steps, size_t n, size_t n_values) {
  struct program program;
  program_init(&program);
  for (size_t i = 0; i < n_values; i++)
    assert_int_equal(program_tensor(&program, IRREP_LANES), i);
  for (size_t i = 0; i < n; i++)
    program_op(&program, steps[i].id, steps[i].in, steps[i].out)->accumulate = steps[i].accumulate;
  return program;
}

#define NONE PROGRAM_NONE
#define EMBED(out)                                                                                 \
  { OP_EMBEDDING, NONE, out, false }
#define MAP(in, out)                                                                               \
  { OP_LINEAR, in, out, false }
#define ADD(in, out)                                                                               \
  { OP_LINEAR, in, out, true }
#define CONVOLVE(in, out)                                                                          \
  { OP_CONVOLUTION, in, out, false }
#define READ(in)                                                                                   \
  { OP_READOUT, in, NONE, false }

/* What depends on the species alone has no gradient, whatever it is made by; nor is it sent through
 * the operations that made it. */
static void test_gradients_of_what_is_fixed(void **state) {
  (void)state;
  static const struct step steps[] = {
      EMBED(0),       EMBED(1),       ADD(0, 1), /* fixed: made of the first row by row */
      MAP(1, 2),      CONVOLVE(2, 3), MAP(0, 4), ADD(3, 4), /* the sum of fixed and not */
      CONVOLVE(4, 5), READ(5),        READ(1),
  };
  static const bool is_fixed[] = {true, true, true, false, false, false};
  static const bool is_unused[] = {false, false, true, true, true, true, false, false, false, true};
  const size_t n = sizeof steps / sizeof *steps;
  struct program program = program_of(steps, n, 6);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  for (size_t v = 0; v < 6; v++)
    assert_int_equal(program.tensors[v].fixed, is_fixed[v]);
  for (size_t i = 0; i < n; i++) {
    const bool convolution = steps[i].id == OP_CONVOLUTION;
    assert_int_equal(program.ops[i].grad_unused, is_unused[i]);
    assert_int_equal(op_has_adjoint(&program.ops[i]),
                     steps[i].id != OP_EMBEDDING && (convolution || !is_unused[i]));
  }
  program_fini(&program);
  /* In a whole network: the first layer's messages, and the self-connection beside them. */
  test_program_init(&program, (struct program_options){.n_layers = 3});
  size_t n_unused = 0;
  for (size_t i = 0; i < program.n_ops; i++)
    n_unused += program.ops[i].grad_unused;
  assert_int_equal(n_unused, 3);
  program_fini(&program);
}

static void test_accepts_chains(void **state) {
  (void)state;
  static const struct step chains[][5] = {
      {EMBED(0), READ(0), READ(0), READ(0), READ(0)},
      {EMBED(0), MAP(0, 1), ADD(0, 1), ADD(0, 1), READ(1)},
      {EMBED(0), MAP(0, 1), MAP(0, 2), READ(2), READ(1)},
  };
  for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
    struct program program = program_of(chains[i], 5, 3);
    assert_int_equal(program_compile(&program, NULL), IRREP_OK);
    program_fini(&program);
  }
}

static void test_refuses_what_is_no_chain(void **state) {
  (void)state;
  static const struct step chains[][4] = {
      {MAP(0, 1), EMBED(0), READ(1), READ(0)},    /* used before it is written */
      {EMBED(0), MAP(0, 1), MAP(0, 1), READ(1)},  /* written twice */
      {EMBED(0), ADD(0, 1), READ(1), READ(0)},    /* added to before it is written */
      {EMBED(0), MAP(0, 1), MAP(0, 2), READ(1)},  /* never used */
      {EMBED(0), READ(0), READ(0), MAP(0, 1)},    /* never used */
      {EMBED(0), MAP(0, 3), READ(0), READ(0)},    /* no such value */
      {EMBED(0), MAP(0, NONE), READ(0), READ(0)}, /* no value */
      {EMBED(0), MAP(NONE, 1), READ(1), READ(0)}, /* no value */
      {EMBED(0), MAP(0, 0), READ(0), READ(0)},    /* onto itself */
      {EMBED(0), {OP_EMBEDDING, NONE, 0, true}, READ(1), READ(0)}, /* 1 is never written */
  };
  for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
    struct program program = program_of(chains[i], 4, 3);
    assert_fails(&program, IRREP_BAD_MODEL_FILE);
  }
}

static void test_fini_leaves_an_empty_program(void **state) {
  (void)state;
  struct program program;
  test_program_init(&program, (struct program_options){.n_layers = 2});
  program_fini(&program);
  assert_zero(&program, sizeof program);
  program_fini(&program);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_weights_grow),
      cmocka_unit_test(test_matrices_are_packed_twice),
      cmocka_unit_test(test_memory_failures_stick),
      cmocka_unit_test(test_values_and_operations_are_numbered),
      cmocka_unit_test(test_stages_begin_at_convolutions),
      cmocka_unit_test(test_widest_filters),
      cmocka_unit_test(test_adjoints_write_once_and_then_add),
      cmocka_unit_test(test_gradients_of_what_is_fixed),
      cmocka_unit_test(test_accepts_chains),
      cmocka_unit_test(test_refuses_what_is_no_chain),
      cmocka_unit_test(test_fini_leaves_an_empty_program),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
