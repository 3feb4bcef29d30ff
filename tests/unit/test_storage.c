/* The memory plan against a simulation: everything that an evaluation writes is marked with the
 * array that it belongs to, and everything that it reads has to bear the mark of its own. */
#include "core/program/program.h"
#include "tests/unit/support_local.h"

/* Atoms of the simulation, each a tile of its own. */
#define N_LOCAL 3
#define N_GHOSTS 2
#define N_ROWS (N_LOCAL + N_GHOSTS)

/* Arrays are numbered: features, then gradients. */
struct simulation {
  const struct program *program;
  size_t *global, *tile; /* [] for each IRREP_LANES reals, the array that was last written there,
                            from 1 on; 0: none */
};

static const struct storage *storage_of(const struct program *program, size_t array) {
  const size_t n = program->n_tensors;
  return array < n ? &program->tensors[array].features : &program->tensors[array - n].gradient;
}

/* The marks of a row. */
static size_t *marks_of(const struct simulation *s, size_t array, size_t row, size_t *n) {
  const struct storage *storage = storage_of(s->program, array);
  const size_t dim = s->program->tensors[array % s->program->n_tensors].dim;
  *n = dim / IRREP_LANES;
  assert_int_equal(storage->offset % IRREP_LANES, 0);
  if (!storage->global) {
    assert_true(storage->offset + dim <= s->program->tile_reals);
    return s->tile + storage->offset / IRREP_LANES;
  }
  const size_t first = program_global_reals(s->program, storage->offset, N_LOCAL, N_GHOSTS);
  const size_t end = program_global_reals(s->program, s->program->global_reals, N_LOCAL, N_GHOSTS);
  assert_true(first + (row + 1) * dim <= end);
  return s->global + first / IRREP_LANES + row * *n;
}

static void mark(const struct simulation *s, size_t array, size_t row) {
  size_t n, *marks = marks_of(s, array, row, &n);
  for (size_t i = 0; i < n; i++)
    marks[i] = array + 1;
}

static void find(const struct simulation *s, size_t array, size_t row) {
  size_t n;
  const size_t *marks = marks_of(s, array, row, &n);
  for (size_t i = 0; i < n; i++)
    if (marks[i] != array + 1)
      fail_msg("array %zu of row %zu is read where array %zu lies", array, row, marks[i]);
}

/* A tile begins with nothing in its memory. */
static void begin_tile(const struct simulation *s) {
  memset(s->tile, 0, s->program->tile_reals / IRREP_LANES * sizeof *s->tile);
}

static void forward(const struct simulation *s, const struct op *op, size_t row) {
  const struct op_traits *traits = &op_traits[op->id];
  if (traits->reads_neighbours)
    for (size_t other = 0; other < N_ROWS; other++)
      find(s, op->in, other);
  else if (traits->has_in)
    find(s, op->in, row);
  if (op->accumulate)
    find(s, op->out, row);
  if (traits->has_out)
    mark(s, op->out, row);
}

static void adjoint(const struct simulation *s, const struct op *op, size_t row) {
  const size_t n = s->program->n_tensors;
  const struct op_traits *traits = &op_traits[op->id];
  if (traits->has_out && !traits->reads_neighbours)
    find(s, n + op->out, row);
  for (size_t other = 0; other < N_ROWS && traits->reads_neighbours; other++) {
    find(s, op->in, other);
    if (other < N_LOCAL)
      find(s, n + op->out, other);
  }
  if (traits->keeps_in && !traits->reads_neighbours)
    find(s, op->in, row);
  if (!traits->has_in || op->grad_unused)
    return;
  if (op->grad_accumulate && row < N_LOCAL)
    find(s, n + op->in, row);
  mark(s, n + op->in, row);
}

/* The rows of ghosts: exchanged or, where the species says them, computed by what leads to them. */
static void fetch(const struct simulation *s, const struct stage *stage) {
  const struct op *reader = &s->program->ops[stage->first];
  if (!op_traits[reader->id].reads_neighbours)
    return;
  for (size_t ghost = N_LOCAL; ghost < N_ROWS; ghost++) {
    begin_tile(s);
    for (size_t i = 0; i < stage->first && reader->grad_unused; i++) {
      const struct op *op = &s->program->ops[i];
      if (op_traits[op->id].has_out && s->program->tensors[op->out].fixed &&
          s->program->tensors[op->out].of_ghosts)
        forward(s, op, ghost);
    }
    if (!reader->grad_unused)
      mark(s, reader->in, ghost);
  }
}

static void simulate(const struct simulation *s) {
  const struct program *program = s->program;
  for (size_t k = 0; k < program->n_stages; k++) {
    fetch(s, &program->stages[k]);
    for (size_t row = 0; row < N_LOCAL; row++) {
      begin_tile(s);
      for (size_t i = program->stages[k].first; i < program->stages[k].end; i++)
        forward(s, &program->ops[i], row);
    }
  }
  for (size_t k = program->n_stages; k-- > 0;)
    for (int neighbours = 0; neighbours < 2; neighbours++)
      for (size_t row = 0; row < (neighbours ? N_ROWS : N_LOCAL); row++) {
        begin_tile(s);
        for (size_t i = program->stages[k].end; i-- > program->stages[k].first;)
          if (op_has_adjoint(&program->ops[i]) &&
              op_traits[program->ops[i].id].reads_neighbours == neighbours)
            adjoint(s, &program->ops[i], row);
      }
}

static void check_plan(const struct program *program) {
  const size_t reals =
      program_global_reals(program, program->global_reals, N_LOCAL, N_GHOSTS) + program->tile_reals;
  size_t *marks = calloc(reals / IRREP_LANES + 1, sizeof *marks);
  assert_non_null(marks);
  const struct simulation s = {program, marks + program->tile_reals / IRREP_LANES, marks};
  assert_true(program->ghost_reals <= program->global_reals);
  simulate(&s);
  free(marks);
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
  assert_int_equal(program.ghost_reals, 64);       /* of these the former */
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
  assert_int_equal(program.tile_reals, 32 + 48); /* of an operation's two */
  check_plan(&program);
  program_fini(&program);
}

/* What is read for the last time in a tile gives its rows to what is written there then, if that is
 * as wide: the gradient of a message takes the place of the features that are made of it. */
static void test_rows_are_taken_over(void **state) {
  (void)state;
  for (size_t dim = 32; dim <= 48; dim += 16) {
    struct program program;
    struct rng rng = {1};
    test_program_begin(&program, (struct program_options){0});
    const size_t first = put_embedding(&program, &rng, 16), message = program_tensor(&program, 32),
                 mixed = program_tensor(&program, dim), last = program_tensor(&program, 16);
    program_op(&program, OP_CONVOLUTION, first, message);
    program_op(&program, OP_LINEAR, message, mixed);
    program_op(&program, OP_GATE, mixed, last);
    put_readout(&program, &rng, last);
    assert_int_equal(program_compile(&program, NULL), IRREP_OK);
    assert_int_equal(program.global_reals, dim == 32 ? 16 + 32 : 16 + 48 + 32);
    assert_int_equal(program.ghost_reals, 16);
    if (dim == 32)
      assert_int_equal(program.tensors[mixed].features.offset,
                       program.tensors[message].gradient.offset);
    check_plan(&program);
    program_fini(&program);
  }
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
      cmocka_unit_test(test_rows_are_taken_over),
      cmocka_unit_test(test_random_programs),
      cmocka_unit_test(test_local_programs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
