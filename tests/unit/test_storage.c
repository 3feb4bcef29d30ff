/* The memory plan against brute force: the times of every access are listed, and any two arrays
 * that live at one time must not share memory. */
#include "core/program/program.h"
#include "tests/unit/support_local.h"

#define TIMES_MAX 80

/* An array of features or gradients, with the times at which an operation touches it. */
struct array {
  size_t dim;
  const struct storage *storage;
  bool touched[TIMES_MAX];
};

struct plan {
  size_t n_times, n_arrays;
  struct array arrays[2 * 64]; /* features, then gradients */
};

static void touch(struct plan *plan, size_t array, size_t time) {
  assert_true(time < plan->n_times);
  plan->arrays[array].touched[time] = true;
}

static size_t stage_of(const struct program *program, size_t op) {
  for (size_t s = 0; s < program->n_stages; s++)
    if (op >= program->stages[s].first && op < program->stages[s].end)
      return s;
  fail_msg("operation %zu is in no stage", op);
  return 0;
}

/* Time s is the forward pass of stage s. Then, stage by stage from the last: the adjoints that are
 * local, and that of the convolution. */
static struct plan plan_of(const struct program *program) {
  const size_t n = program->n_tensors, stages = program->n_stages;
  struct plan plan = {.n_times = 3 * stages, .n_arrays = 2 * n};
  assert_true(plan.n_times <= TIMES_MAX && n <= 64);
  for (size_t v = 0; v < n; v++) {
    plan.arrays[v] =
        (struct array){.dim = program->tensors[v].dim, .storage = &program->tensors[v].features};
    plan.arrays[n + v] =
        (struct array){.dim = program->tensors[v].dim, .storage = &program->tensors[v].gradient};
  }
  for (size_t i = 0; i < program->n_ops; i++) {
    const struct op *op = &program->ops[i];
    const size_t stage = stage_of(program, i);
    const size_t adjoint =
        stages + 2 * (stages - 1 - stage) + (op_traits[op->id].reads_neighbours ? 1 : 0);
    if (op_traits[op->id].has_in) {
      touch(&plan, op->in, stage);
      if (!op->grad_unused)
        touch(&plan, n + op->in, adjoint);
      if (op_traits[op->id].keeps_in && op_has_adjoint(op))
        touch(&plan, op->in, adjoint);
    }
    if (op_traits[op->id].has_out) {
      touch(&plan, op->out, stage);
      if (op_has_adjoint(op))
        touch(&plan, n + op->out, adjoint);
    }
  }
  return plan;
}

/* First and last time; false when there is none. */
static bool life(const struct plan *plan, const struct array *array, size_t *first, size_t *last) {
  bool alive = false;
  for (size_t t = 0; t < plan->n_times; t++) {
    if (!array->touched[t])
      continue;
    *first = alive ? *first : t;
    *last = t;
    alive = true;
  }
  return alive;
}

static bool meet(const struct array *a, const struct array *b) {
  return a->storage->offset < b->storage->offset + b->dim &&
         b->storage->offset < a->storage->offset + a->dim;
}

static void check_pair(const struct plan *plan, size_t i, size_t j) {
  const struct array *a = &plan->arrays[i], *b = &plan->arrays[j];
  size_t a_first = 0, a_last = 0, b_first = 0, b_last = 0;
  if (!life(plan, a, &a_first, &a_last) || !life(plan, b, &b_first, &b_last) ||
      a->storage->global != b->storage->global)
    return;
  if (a_first <= b_last && b_first <= a_last && meet(a, b))
    fail_msg("arrays %zu and %zu share memory at one time", i, j);
}

static void check_plan(const struct program *program) {
  const struct plan plan = plan_of(program);
  for (size_t i = 0; i < plan.n_arrays; i++) {
    const struct array *array = &plan.arrays[i];
    size_t first = 0, last = 0;
    if (!life(&plan, array, &first, &last))
      continue;
    assert_int_equal(array->storage->global, first != last);
    assert_int_equal(array->storage->offset % IRREP_LANES, 0);
    assert_true(array->storage->offset + array->dim <=
                (array->storage->global ? program->global_reals : program->tile_reals));
    for (size_t j = 0; j < i; j++)
      check_pair(&plan, i, j);
  }
}

static size_t sum_of_dims(const struct program *program) {
  size_t sum = 0;
  for (size_t v = 0; v < program->n_tensors; v++)
    sum += 2 * program->tensors[v].dim;
  return sum;
}

static void test_small_programs(void **state) {
  (void)state;
  for (size_t layers = 1; layers <= 5; layers++) {
    struct program program;
    test_program_init(&program, (struct program_options){.n_layers = layers});
    check_plan(&program);
    /* Sharing pays: the plan is smaller than a place for each array. */
    assert_true(program.global_reals + program.tile_reals < sum_of_dims(&program));
    program_fini(&program);
  }
}

/* What neighbours read is kept for all atoms: the features into a convolution and the gradient of
 * what comes out. */
static void test_convolutions_find_all_atoms(void **state) {
  (void)state;
  struct program program;
  size_t n_found = 0;
  test_program_init(&program, (struct program_options){.n_layers = 3});
  for (size_t i = 0; i < program.n_ops; i++) {
    const struct op *op = &program.ops[i];
    if (op->id != OP_CONVOLUTION)
      continue;
    assert_true(program.tensors[op->in].features.global);
    assert_true(program.tensors[op->out].gradient.global);
    n_found++;
  }
  assert_int_equal(n_found, 3);
  program_fini(&program);
}

/* A gradient that nobody asks for has no place, nor has that of what it is made of. */
static void test_fixed_values_have_no_gradient(void **state) {
  (void)state;
  struct program program;
  struct rng rng = {1};
  test_program_begin(&program, (struct program_options){0});
  const size_t first = put_embedding(&program, &rng, 32), in = program_tensor(&program, 64),
               out = program_tensor(&program, 16);
  program_op(&program, OP_GATE, first, in);
  program_op(&program, OP_CONVOLUTION, in, out);
  put_readout(&program, &rng, out);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  assert_true(program.ops[1].grad_unused && program.ops[2].grad_unused);
  assert_int_equal(program.global_reals, 64 + 16); /* features of in, gradient of out */
  assert_int_equal(program.tile_reals, 32);        /* features of first, then of out */
  check_plan(&program);
  program_fini(&program);
}

/* A value that lives in one stage only needs no more than a tile. */
static void test_local_values_stay_in_the_tile(void **state) {
  (void)state;
  struct program program;
  struct rng rng = {1};
  test_program_begin(&program, (struct program_options){0});
  const size_t first = put_embedding(&program, &rng, 16), message = program_tensor(&program, 16),
               second = program_tensor(&program, 32), third = program_tensor(&program, 48);
  program_op(&program, OP_CONVOLUTION, first, message);
  program_op(&program, OP_LINEAR, message, second);
  program_op(&program, OP_LINEAR, second, third);
  put_readout(&program, &rng, third);
  assert_int_equal(program_compile(&program, NULL), IRREP_OK);
  /* What neighbours read, and the gradient by what they have read. */
  assert_int_equal(program.global_reals, 16 + 16);
  for (size_t v = second; v <= third; v++)
    assert_false(program.tensors[v].features.global || program.tensors[v].gradient.global);
  assert_int_equal(program.tile_reals, 16 + 32 + 48);
  check_plan(&program);
  program_fini(&program);
}

/* Operations that read any earlier value and write a new one or add to one that nobody has read
 * yet; all that is left over is read out. */
static void random_program(struct program *program, uint64_t seed) {
  static const enum op_id types[] = {OP_LINEAR, OP_LINEAR, OP_GATE, OP_CONVOLUTION};
  struct rng rng = {seed};
  bool used[64] = {false};
  test_program_begin(program, (struct program_options){0});
  put_embedding(program, &rng, 16);
  const size_t n = 2 + rng_below(&rng, 20);
  for (size_t i = 0; i < n; i++) {
    const enum op_id id = types[rng_below(&rng, 4)];
    const size_t in = rng_below(&rng, program->n_tensors),
                 old = rng_below(&rng, program->n_tensors);
    const bool add = id == OP_LINEAR && old > in && !used[old] && rng_below(&rng, 2);
    const size_t new = add ? old : program_tensor(program, IRREP_LANES * (1 + rng_below(&rng, 5)));
    program_op(program, id, in, new)->accumulate = add;
    used[in] = true;
  }
  for (size_t v = 0; v < program->n_tensors; v++)
    if (!used[v])
      program_op(program, OP_READOUT, v, PROGRAM_NONE);
}

static void test_random_programs(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 400; seed++) {
    struct program program;
    random_program(&program, seed);
    assert_int_equal(program_compile(&program, NULL), IRREP_OK);
    check_plan(&program);
    program_fini(&program);
  }
}

static bool uses(const struct program *program, size_t value, bool gradient, size_t op,
                 bool backward) {
  const struct op *o = &program->ops[op];
  const struct op_traits *traits = &op_traits[o->id];
  const bool in = traits->has_in && o->in == value, out = traits->has_out && o->out == value;
  if (gradient == backward)
    return in || (out && (!backward || traits->has_adjoint));
  return !gradient && in && traits->keeps_in;
}

/* The first and last time of an array: operations forward, then backward. */
static bool local_life(const struct program *program, size_t value, bool gradient, size_t *first,
                       size_t *last) {
  bool alive = false;
  for (size_t t = 0; t < 2 * program->n_ops; t++) {
    const bool backward = t >= program->n_ops;
    const size_t op = backward ? 2 * program->n_ops - 1 - t : t;
    if (!uses(program, value, gradient, op, backward))
      continue;
    *first = alive ? *first : t;
    *last = t;
    alive = true;
  }
  return alive;
}

static const struct storage *storage_of(const struct program *program, size_t array) {
  const size_t n = program->n_tensors;
  return array < n ? &program->tensors[array].features : &program->tensors[array - n].gradient;
}

static void check_local_pair(const struct program *program, size_t a, size_t b) {
  const size_t n = program->n_tensors;
  const struct tensor *x = &program->tensors[a % n], *y = &program->tensors[b % n];
  size_t a_first = 0, a_last = 0, b_first = 0, b_last = 0;
  if (x->of_edges != y->of_edges || !local_life(program, a % n, a >= n, &a_first, &a_last) ||
      !local_life(program, b % n, b >= n, &b_first, &b_last))
    return;
  const struct storage *p = storage_of(program, a), *q = storage_of(program, b);
  const bool meet = p->offset < q->offset + y->dim && q->offset < p->offset + x->dim;
  /* Sums are kept from pass to pass over the edges. */
  if (meet && (!x->of_edges || (a_first <= b_last && b_first <= a_last)))
    fail_msg("arrays %zu and %zu share memory at one time", a, b);
}

/* Nothing is kept for all atoms; arrays of edges share memory. */
static void test_local_programs(void **state) {
  (void)state;
  struct program program;
  local_program_init(&program);
  size_t edge_dims = 0;
  assert_int_equal(program.global_reals, 0);
  for (size_t a = 0; a < 2 * program.n_tensors; a++) {
    const struct tensor *value = &program.tensors[a % program.n_tensors];
    const struct storage *storage = storage_of(&program, a);
    assert_false(storage->global);
    assert_int_equal(storage->offset % IRREP_LANES, 0);
    assert_true(storage->offset + value->dim <=
                (value->of_edges ? program.edge_reals : program.tile_reals));
    edge_dims += value->of_edges ? value->dim : 0;
    for (size_t b = 0; b < a; b++)
      check_local_pair(&program, a, b);
  }
  assert_true(program.edge_reals < edge_dims);
  program_fini(&program);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small_programs),
      cmocka_unit_test(test_convolutions_find_all_atoms),
      cmocka_unit_test(test_fixed_values_have_no_gradient),
      cmocka_unit_test(test_local_values_stay_in_the_tile),
      cmocka_unit_test(test_random_programs),
      cmocka_unit_test(test_local_programs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
