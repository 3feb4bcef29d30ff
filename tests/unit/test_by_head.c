/* A model of several heads against models that have one of them each: the same bits. */
#include "tests/unit/support_model.h"

#define HEADS 3

static const struct tiny_choices choices = {
    .l_max = 1, .biases = true, .layers = {"3x0e+2x1e", "4x0e"}, .readout_hidden = 5};

#define NAMES "\"heads\":[\"pbe\",\"r2scan\",\"off\"],"

/* Tensors that are by head, and biases that may be. */
static const char *const by_head[] = {"scale",
                                      "shift",
                                      "readout.0.weight",
                                      "readout.0.bias",
                                      "readout.1.weight",
                                      "readout.1.bias",
                                      "pair_repulsion.factor"};
static const char *const linears[] = {"layers.0.linear_up", "layers.1.linear_down"};

enum { N_BY_HEAD = sizeof by_head / sizeof *by_head, N_LINEARS = sizeof linears / sizeof *linears };

/* Positive numbers, as tables of pair repulsion have. */
static void add_positive(struct tiny *tiny, const char *name, size_t n_dims, const size_t *shape) {
  struct writer_tensor *tensor = writer_add(&tiny->writer, name, n_dims, shape, 1.0);
  for (size_t i = 0; i < tensor->count; i++)
    tensor->values[i] = 1.0 + fabs(tensor->values[i]);
}

static struct tiny with_repulsion(void) {
  static const size_t pairs[] = {2, 2}, two = 2;
  struct tiny tiny = tiny_new(&choices);
  tiny_replace(&tiny, "\"readout\":", "\"pair_repulsion\":{\"num_terms\":2,\"p\":6},\"readout\":");
  add_positive(&tiny, "pair_repulsion.coefficients", 1, &two);
  add_positive(&tiny, "pair_repulsion.exponents", 1, &two);
  add_positive(&tiny, "pair_repulsion.factor", 2, pairs);
  add_positive(&tiny, "pair_repulsion.length", 2, pairs);
  add_positive(&tiny, "pair_repulsion.r_max", 2, pairs);
  return tiny;
}

/* The numbers of one head, or of all: each head's are the first one's, times a number. */
static void set_heads(struct tiny *tiny, const char *name, const char *as, size_t head, bool all) {
  struct writer_tensor *old = writer_find(&tiny->writer, name);
  const size_t count = old->count, n_dims = old->n_dims;
  double *values = doubles_new(count);
  memcpy(values, old->values, count * sizeof *values);
  size_t shape[4] = {HEADS};
  memcpy(shape + 1, old->shape, n_dims * sizeof *shape);
  writer_drop(&tiny->writer, name);
  double *out = writer_add(&tiny->writer, as, n_dims + all, shape + !all, 1.0)->values;
  for (size_t h = all ? 0 : head; h < (all ? HEADS : head + 1); h++)
    for (size_t i = 0; i < count; i++)
      *out++ = values[i] * (1.0 + 0.3 * (double)h);
  free(values);
}

static double embedding_bias(size_t head, size_t channel) {
  return 0.25 * (double)(head + 1) - 0.1 * (double)channel;
}

static void set_embedding(struct tiny *tiny, size_t head, bool all) {
  static const size_t shape[] = {HEADS, 3};
  double *rows = writer_find(&tiny->writer, "embedding.weight")->values;
  for (size_t i = 0; i < 2 * 3 && !all; i++)
    rows[i] += embedding_bias(head, i % 3);
  if (!all)
    return;
  double *biases = writer_add(&tiny->writer, "embedding.head_bias", 2, shape, 1.0)->values;
  for (size_t i = 0; i < HEADS * 3; i++)
    biases[i] = embedding_bias(i / 3, i % 3);
}

/* A file of all heads, or of one without a name. */
static struct tiny file_of(size_t head, bool all) {
  struct tiny tiny = with_repulsion();
  char name[64];
  for (size_t i = 0; i < N_BY_HEAD; i++)
    set_heads(&tiny, by_head[i], by_head[i], head, all);
  for (size_t i = 0; i < N_LINEARS; i++) {
    char bias[64];
    (void)snprintf(bias, sizeof bias, "%s.bias", linears[i]);
    (void)snprintf(name, sizeof name, "%s.%s", linears[i], all ? "head_bias" : "bias");
    set_heads(&tiny, bias, name, head, all);
  }
  set_embedding(&tiny, head, all);
  if (all)
    tiny_replace(&tiny, "\"format\":1,", "\"format\":1," NAMES);
  return tiny;
}

static struct irrep_model *loaded(struct tiny tiny) {
  struct irrep_model *model = NULL;
  struct irrep_error error = {0};
  if (tiny_load(&tiny, &model, &error) != IRREP_OK)
    fail_msg("%s: %s (%s)", error.field, error.detail, tiny.card.at);
  tiny_free(&tiny);
  return model;
}

/* Clusters of several sizes, so that tiles hold atoms of several heads. */
#define CLUSTERS 24

struct trial {
  struct cluster clusters[CLUSTERS];
  struct irrep_structure structures[CLUSTERS];
  struct irrep_result results[CLUSTERS];
  size_t heads[CLUSTERS];
};

static struct trial *trial_new(void) {
  struct trial *trial = calloc(1, sizeof *trial);
  assert_non_null(trial);
  for (size_t i = 0; i < CLUSTERS; i++) {
    struct cluster *c = &trial->clusters[i];
    *c = cluster_new(1 + i % CLUSTER_MAX, i % 2 == 1);
    trial->structures[i] = structure_of(c);
    trial->heads[i] = i * 5 % HEADS;
    trial->results[i] = (struct irrep_result)IRREP_RESULT_INIT;
    trial->results[i].energies = c->energies;
    trial->results[i].forces = c->forces;
  }
  return trial;
}

static void same_bits(const struct cluster *a, const struct irrep_result *of_a,
                      const struct cluster *b) {
  assert_memory_equal(&of_a->energy, &b->result.energy, sizeof(double));
  assert_memory_equal(a->energies, b->energies, a->n_atoms * sizeof(double));
  assert_memory_equal(a->forces, b->forces, 3 * a->n_atoms * sizeof(double));
  assert_memory_equal(of_a->virial, b->result.virial, sizeof b->result.virial);
}

static void test_each_head_is_the_model_of_it(void **state) {
  (void)state;
  struct irrep_model *all = loaded(file_of(0, true)), *alone[HEADS];
  for (size_t h = 0; h < HEADS; h++)
    alone[h] = loaded(file_of(h, false));
  for (int p = 0; p < 2; p++) {
    const enum irrep_precision precision = p ? IRREP_FLOAT64 : IRREP_FLOAT32;
    struct trial *trial = trial_new();
    const struct irrep_evaluate_options options = {
        .struct_size = sizeof options, .precision = precision, .heads = trial->heads};
    evaluate_all(all, &options, trial->structures, CLUSTERS, trial->results);
    double energies[HEADS];
    for (size_t i = 0; i < CLUSTERS; i++) {
      struct cluster c = cluster_new(1 + i % CLUSTER_MAX, i % 2 == 1);
      cluster_evaluate(alone[trial->heads[i]], &c, precision, false);
      same_bits(&trial->clusters[i], &trial->results[i], &c);
    }
    for (size_t h = 0; h < HEADS; h++) {
      struct cluster c = cluster_new(6, true);
      energies[h] = cluster_evaluate(alone[h], &c, precision, false);
    }
    assert_true(fabs(energies[0] - energies[1]) > 1e-3 && fabs(energies[1] - energies[2]) > 1e-3);
    free(trial);
  }
  for (size_t h = 0; h < HEADS; h++)
    irrep_model_free(alone[h]);
  irrep_model_free(all);
}

static void test_card(void **state) {
  (void)state;
  struct irrep_model *model = loaded(file_of(0, true)), *plain = loaded(file_of(0, false));
  const struct irrep_card *card = irrep_model_card(model);
  assert_int_equal(card->n_heads, HEADS);
  assert_string_equal(card->heads[0], "pbe");
  assert_string_equal(card->heads[2], "off");
  assert_true(card->default_head == IRREP_HEAD_NONE);
  assert_int_equal(irrep_model_find_head(model, "r2scan!", 6), 1);
  assert_true(irrep_model_find_head(model, "r2sca", 5) == IRREP_HEAD_NONE);
  assert_true(irrep_model_card(plain)->n_heads == 0 && irrep_model_card(plain)->default_head == 0);
  assert_true(irrep_model_find_head(plain, "pbe", 3) == IRREP_HEAD_NONE);
  irrep_model_free(model);
  irrep_model_free(plain);
}

/* Evaluates one cluster with a head, or none. */
static enum irrep_status evaluate_with(const struct irrep_model *model, const size_t *head,
                                       struct cluster *c, struct irrep_error *error) {
  const struct irrep_structure structure = structure_of(c);
  struct irrep_plan plan = IRREP_PLAN_INIT;
  irrep_model_plan(model, &structure, SIZE_MAX, &plan, NULL);
  const struct irrep_evaluate_options options = {
      .struct_size = sizeof options, .precision = IRREP_FLOAT64, .heads = head};
  const size_t bytes = irrep_model_bytes(model, IRREP_FLOAT64, &plan);
  void *arena = aligned_new(bytes);
  c->result = (struct irrep_result)IRREP_RESULT_INIT;
  const enum irrep_status status =
      irrep_model_evaluate(model, &options, &structure, 1, arena, bytes, &c->result, error);
  free(arena);
  return status;
}

static void test_default(void **state) {
  (void)state;
  struct tiny tiny = file_of(0, true);
  const size_t heads[] = {0, 1, HEADS, IRREP_HEAD_NONE};
  struct irrep_error error = {0};
  struct cluster c = cluster_new(5, true);
  struct irrep_model *without = loaded(file_of(0, true));
  assert_int_equal(evaluate_with(without, NULL, &c, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "heads");
  for (size_t i = 2; i < 4; i++) {
    assert_int_equal(evaluate_with(without, &heads[i], &c, &error), IRREP_BAD_ARGUMENT);
    assert_string_equal(error.field, "heads");
  }
  tiny_replace(&tiny, NAMES, NAMES "\"default_head\":\"r2scan\",");
  struct irrep_model *model = loaded(tiny);
  double energies[3];
  assert_int_equal(irrep_model_card(model)->default_head, 1);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(evaluate_with(model, i < 2 ? &heads[i] : NULL, &c, &error), IRREP_OK);
    energies[i] = c.result.energy;
  }
  assert_true(energies[2] == energies[1] && energies[2] != energies[0]);
  double deviation = 2.0;
  assert_int_equal(irrep_model_self_check(without, IRREP_FLOAT64, &deviation, &error), IRREP_OK);
  assert_true(deviation < 1.0);
  irrep_model_free(model);
  irrep_model_free(without);
}

static void test_refuses(void **state) {
  (void)state;
  static const struct refusal refusals[] = {
      {NAMES, "\"heads\":[\"a\",\"b\"],", IRREP_BAD_MODEL_FILE, "embedding.head_bias"},
      {NAMES, "", IRREP_BAD_MODEL_FILE, "scale"},
      {NAMES, "\"heads\":[],", IRREP_BAD_MODEL_FILE, "heads"},
      {NAMES, "\"heads\":[\"a\",\"b\",\"a\"],", IRREP_BAD_MODEL_FILE, "heads"},
      {NAMES, "\"heads\":[\"a\",\"\",\"c\"],", IRREP_BAD_MODEL_FILE, "heads"},
      {NAMES, "\"heads\":[\"a\",\"b\\n\",\"c\"],", IRREP_BAD_MODEL_FILE, "heads"},
      {NAMES, "\"heads\":[\"a\",3,\"c\"],", IRREP_BAD_MODEL_FILE, "heads"},
      {NAMES, "\"heads\":\"a\",", IRREP_BAD_MODEL_FILE, "heads"},
      {NAMES, NAMES "\"default_head\":\"b\",", IRREP_UNSUPPORTED_MODEL, "default_head"},
      {NAMES, NAMES "\"default_head\":1,", IRREP_BAD_MODEL_FILE, "default_head"},
      {NAMES, "\"default_head\":\"pbe\",", IRREP_BAD_MODEL_FILE, "heads"},
      {NAMES,
       "\"heads\":[\"0123456789012345678901234567890123456789012345678901234567890123\",\"b\","
       "\"c\"],",
       IRREP_BAD_MODEL_FILE, "heads"},
  };
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    struct tiny tiny = file_of(0, true);
    tiny_replace(&tiny, refusals[i].from, refusals[i].to);
    assert_tiny_refused(&tiny, refusals[i].status, refusals[i].field);
  }
  static const char *const other[] = {"allegro", "painn", "schnet", "so3net"};
  for (size_t i = 0; i < 4; i++) {
    struct tiny tiny = file_of(0, true);
    char text[64];
    (void)snprintf(text, sizeof text, "\"architecture\":\"%s\"", other[i]);
    tiny_replace(&tiny, "\"architecture\":\"nequip\"", text);
    assert_tiny_refused(&tiny, IRREP_UNSUPPORTED_MODEL, "heads");
  }
  /* Biases of heads, in a model that has none. */
  struct tiny tiny = file_of(0, false);
  set_embedding(&tiny, 0, true);
  assert_tiny_refused(&tiny, IRREP_UNSUPPORTED_MODEL, "embedding.head_bias");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_head_is_the_model_of_it),
      cmocka_unit_test(test_card),
      cmocka_unit_test(test_default),
      cmocka_unit_test(test_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
