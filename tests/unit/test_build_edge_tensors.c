#include "tests/unit/support_build.h"

#include <float.h>

#define CHANNELS 18
#define N_BASIS 3

/* Two species, three radial functions. */
static bool build_it(struct build_trial *trial, const char *card, struct writer *kept,
                     struct layout *layout, size_t *out) {
  struct writer writer = {.rng = {5}};
  struct irreps irreps = {0};
  struct card_object embedding;
  writer_add(&writer, "embedding.receiver", 2, (const size_t[]){2, CHANNELS}, 1.0);
  writer_add(&writer, "embedding.sender", 2, (const size_t[]){2, CHANNELS}, 1.0);
  writer_add(&writer, "embedding.filter.0.weight", 2, (const size_t[]){N_BASIS, 3 * CHANNELS}, 1.0);
  writer_add(&writer, "embedding.filter.0.bias", 1, (const size_t[]){3 * CHANNELS}, 1.0);
  for (size_t i = 0; i < writer.n; i++) {
    writer_add(kept, writer.tensors[i].name, 1, &writer.tensors[i].count, 1.0);
    memcpy(writer_find(kept, writer.tensors[i].name)->values, writer.tensors[i].values,
           writer.tensors[i].count * sizeof(double));
  }
  build_trial_init(trial, &writer, card);
  trial->program.l_max = 2;
  trial->program.radial.n_basis = N_BASIS;
  trial->program.radial.envelope = true;
  for (int l = 0; l <= 2; l++)
    irreps_append(&irreps, (struct irrep){l, l % 2 ? -1 : 1}, CHANNELS);
  assert_int_equal(card_object(&trial->build.model, "embedding", &embedding, NULL), IRREP_OK);
  return build_edge_tensors(&trial->build, &embedding, &irreps, out, layout);
}

static const char *const good =
    "{\"model\":{\"embedding\":{\"filter\":{\"hidden\":[],\"activation\":\"identity\"}}}}";

static const struct op *op_of(const struct program *program, enum op_id id, size_t nth) {
  for (size_t i = 0; i < program->n_ops; i++)
    if (program->ops[i].id == id && nth-- == 0)
      return &program->ops[i];
  fail_msg("no operation %d", (int)id);
  return NULL;
}

/* The map of the radial sums by the receiver's species: of each radial function its weight, and of
 * 1 the bias, times the embedding. */
static void test_receivers(void **state) {
  (void)state;
  struct build_trial trial;
  struct writer kept = {0};
  struct layout layout;
  size_t out;
  assert_true(build_it(&trial, good, &kept, &layout, &out));
  fill_species(&trial.program);
  const struct op *op = op_of(&trial.program, OP_LINEAR, 0);
  assert_true(op->out == out && op->accumulate && op->linear.n_blocks == 3);
  const double *weight = writer_find(&kept, "embedding.filter.0.weight")->values;
  const double *bias = writer_find(&kept, "embedding.filter.0.bias")->values;
  const double *receiver = writer_find(&kept, "embedding.receiver")->values;
  for (size_t l = 0; l < 3; l++)
    for (size_t s = 0; s < 2; s++)
      for (size_t k = 0; k <= N_BASIS; k++)
        for (size_t c = 0; c < CHANNELS; c++) {
          const struct linear_block *block = &op->linear.blocks[l];
          struct matrix matrix = block->matrix;
          matrix.packed += s * block->species_stride;
          matrix.packed_transpose += s * block->species_stride;
          const size_t column = l * CHANNELS + c;
          const double factor = k < N_BASIS ? weight[k * 3 * CHANNELS + column] : bias[column];
          assert_true(matrix_at(&trial.program, &matrix, k, c) ==
                      factor * receiver[s * CHANNELS + c]);
        }
  build_trial_fini(&trial);
  writer_free(&kept);
}

/* The first convolution has the radial functions and 1 as filters, once for each degree. */
static void test_radial_sums(void **state) {
  (void)state;
  struct build_trial trial;
  struct writer kept = {0};
  struct layout layout;
  size_t out;
  assert_true(build_it(&trial, good, &kept, &layout, &out));
  const struct op *op = op_of(&trial.program, OP_CONVOLUTION, 0);
  const struct filter *filter = &op->message.filter;
  assert_true(filter->n_layers == 1 && filter->envelope && filter->layers->has_bias);
  assert_int_equal(op->message.convolution.n_columns, 3 * IRREP_LANES);
  assert_int_equal(op->message.convolution.n_paths, 3);
  for (size_t l = 0; l < 3; l++)
    for (size_t c = 0; c < IRREP_LANES; c++) {
      const size_t column = l * IRREP_LANES + c;
      for (size_t k = 0; k < N_BASIS; k++)
        assert_true(matrix_at(&trial.program, &filter->layers->matrix, k, column) == (c == k));
      assert_true(trial.program.weights[filter->layers->bias + column] == (c == N_BASIS));
    }
  const struct op *ones = op_of(&trial.program, OP_EMBEDDING, 0);
  for (size_t i = 0; i < 2 * IRREP_LANES; i++)
    assert_true(trial.program.weights[ones->embedding.table + i] == (i % IRREP_LANES <= N_BASIS));
  build_trial_fini(&trial);
  writer_free(&kept);
}

/* The second has the sender's part of the embedding as features. */
static void test_senders(void **state) {
  (void)state;
  struct build_trial trial;
  struct writer kept = {0};
  struct layout layout;
  size_t out;
  assert_true(build_it(&trial, good, &kept, &layout, &out));
  const struct op *op = op_of(&trial.program, OP_CONVOLUTION, 1);
  const struct op *senders = op_of(&trial.program, OP_EMBEDDING, 1);
  assert_true(op->out == out && op->in == senders->out && op->message.convolution.n_paths == 3);
  const double *file = writer_find(&kept, "embedding.sender")->values;
  for (size_t s = 0; s < 2; s++)
    for (size_t c = 0; c < CHANNELS; c++)
      assert_true(trial.program.weights[senders->embedding.table + s * 32 + c] ==
                  file[s * CHANNELS + c]);
  build_trial_fini(&trial);
  writer_free(&kept);
}

static void test_refusals(void **state) {
  (void)state;
  static const struct {
    const char *card, *field;
    enum irrep_status status;
  } cases[] = {
      {"{\"model\":{\"embedding\":{\"filter\":{\"hidden\":[8],\"activation\":\"silu\"}}}}",
       "model/embedding/filter/hidden", IRREP_UNSUPPORTED_MODEL},
      {"{\"model\":{\"embedding\":{}}}", "model/embedding/filter", IRREP_BAD_MODEL_FILE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct build_trial trial;
    struct writer kept = {0};
    struct layout layout;
    size_t out;
    assert_false(build_it(&trial, cases[i].card, &kept, &layout, &out));
    assert_build_error(&trial, cases[i].status, cases[i].field);
    build_trial_fini(&trial);
    writer_free(&kept);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_receivers),
      cmocka_unit_test(test_radial_sums),
      cmocka_unit_test(test_senders),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
