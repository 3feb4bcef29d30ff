#include "tests/unit/support_build.h"

static const struct irrep scalar = {0, 1}, vector = {1, -1};

/* Five scalars in two groups, then two vectors. */
static void features(struct build_trial *trial, struct layout *layout, bool with_vectors) {
  static const size_t two = 2, groups[] = {3, 2};
  *layout = (struct layout){0};
  assert_true(layout_append(&trial->build, layout, scalar, groups, 2));
  if (with_vectors)
    assert_true(layout_append(&trial->build, layout, vector, &two, 1));
}

static void start(struct build_trial *trial, const char *card, size_t n_hidden) {
  struct writer writer = {.rng = {12}};
  if (n_hidden > 0) {
    writer_add(&writer, "dipole.vectors.weight", 2, (const size_t[]){2, n_hidden}, 1.0);
    writer_add(&writer, "dipole.gates.weight", 2, (const size_t[]){5, n_hidden}, 1.0);
    writer_add(&writer, "dipole.weight", 1, &n_hidden, 1.0);
  } else {
    writer_add(&writer, "dipole.weight", 1, (const size_t[]){2}, 1.0);
  }
  build_trial_init(trial, &writer, card);
}

static bool build(struct build_trial *trial, bool with_vectors) {
  struct card_object card;
  struct layout layout;
  features(trial, &layout, with_vectors);
  assert_int_equal(card_object(&trial->build.model, "dipole", &card, trial->build.error), IRREP_OK);
  return build_dipole(&trial->build, "dipole", &card, 7, &layout);
}

static void test_linear(void **state) {
  (void)state;
  struct build_trial trial;
  struct rng rng = {12};
  start(&trial, "{\"model\":{\"dipole\":{}}}", 0);
  assert_false(trial.program.has_dipole);
  assert_true(build(&trial, true));
  assert_true(trial.program.has_dipole);
  assert_int_equal(trial.program.n_ops, 1);
  const struct op *op = &trial.program.ops[0];
  assert_int_equal(op->id, OP_DIPOLE);
  assert_int_equal(op->in, 7);
  assert_int_equal(op->dipole.n_hidden, 0);
  assert_int_equal(op->dipole.n_vectors, 2);
  assert_int_equal(op->dipole.vector_offset, 32);
  assert_int_equal(op->dipole.vector_stride, 16);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(op->dipole.vector_place[i], i);
    assert_true(op->dipole.vectors[i] == rng_next(&rng));
  }
  build_trial_fini(&trial);
}

static void test_hidden(void **state) {
  (void)state;
  struct build_trial trial;
  start(&trial, "{\"model\":{\"dipole\":{\"hidden\":3,\"activation\":\"silu\",\"scale\":1.5}}}", 3);
  assert_true(build(&trial, true));
  const struct dipole_readout *d = &trial.program.ops[0].dipole;
  assert_true(d->n_hidden == 3 && d->n_scalars == 5 && d->scale == 1.5);
  assert_int_equal(d->activation, ACTIVATION_SILU);
  assert_true(d->vectors && d->gates && d->weights);
  build_trial_fini(&trial);
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *card;
    size_t n_hidden;
    bool with_vectors;
  } cases[] = {
      {"{\"model\":{\"dipole\":{}}}", 0, false},
      {"{\"model\":{\"dipole\":{}}}", 3, true}, /* the tensor has another size */
      {"{\"model\":{\"dipole\":{\"other\":1}}}", 0, true},
      {"{\"model\":{\"dipole\":{\"hidden\":0}}}", 0, true},
      {"{\"model\":{\"dipole\":{\"hidden\":3}}}", 3, true},
      {"{\"model\":{\"dipole\":{\"hidden\":2,\"activation\":\"silu\",\"scale\":1}}}", 3, true},
      {"{\"model\":{\"dipole\":{\"hidden\":3,\"activation\":\"gelu\",\"scale\":1}}}", 3, true},
      {"{\"model\":{\"dipole\":{\"hidden\":3,\"activation\":\"silu\",\"scale\":1e9}}}", 3, true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    start(&trial, cases[i].card, cases[i].n_hidden);
    assert_false(build(&trial, cases[i].with_vectors));
    assert_false(trial.program.has_dipole);
    build_trial_fini(&trial);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_linear),
      cmocka_unit_test(test_hidden),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
