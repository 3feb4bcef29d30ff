/* The calls of irrep/dispersion.h: what they refuse, and that they add. */
#include "irrep/dispersion.h"
#include "tests/unit/support_dispersion.h"

static const struct irrep_evaluate_options alone = IRREP_EVALUATE_OPTIONS_INIT;

static void assert_refused(const struct irrep_dispersion_options *options, const char *field) {
  struct irrep_error error;
  assert_int_equal(irrep_dispersion_check(options, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, field);
  assert_true(error.detail[0] != '\0');
}

static void test_options(void **state) {
  (void)state;
  const struct irrep_dispersion_options good = IRREP_DISPERSION_OPTIONS_INIT;
  struct irrep_dispersion_options o = good;
  assert_int_equal(irrep_dispersion_check(&good, NULL), IRREP_OK);
  const struct {
    double *number;
    const char *field;
  } numbers[] = {{&o.cutoff, "cutoff"},   {&o.cn_cutoff, "cn_cutoff"},
                 {&o.width, "width"},     {&o.parameters.s6, "s6"},

                 {&o.parameters.b, "a2"}, {&o.three_body_cutoff, "three_body_cutoff"}};
  const double bad[] = {-1, NAN, INFINITY, 1e4};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
      o = good;
      o.three_body = true;
      *numbers[i].number = bad[k];
      assert_refused(&o, numbers[i].field);
    }
  o = good;
  o.width = o.cn_cutoff = 3;
  assert_refused(&o, "width");
  o = good;
  o.parameters.a = -0.0952; /* SSB */
  assert_int_equal(irrep_dispersion_check(&o, NULL), IRREP_OK);
  o.parameters.a = 1e4;
  assert_refused(&o, "a1");
  o = good;
  o.parameters.s8 = NAN;
  assert_refused(&o, "s8");
  o.parameters.s8 = -1.957;
  assert_int_equal(irrep_dispersion_check(&o, NULL), IRREP_OK);
  o.damping = IRREP_D3ZERO;
  o.parameters.a = -1;
  assert_refused(&o, "rs6");
  o = good;
  o.damping = (enum irrep_damping)7;
  assert_refused(&o, "damping");
  o = good;
  o.struct_size = 0;
  assert_refused(&o, "struct_size");
}

static void test_structures(void **state) {
  (void)state;
  struct irrep_dispersion *data = dispersion_new();
  const struct irrep_dispersion_options options = short_options(IRREP_D3BJ);
  struct dispersion_sample sample;
  struct irrep_error error;
  struct irrep_term *term;
  struct irrep_result result = IRREP_RESULT_INIT;
  dispersion_sample(&sample);
  assert_int_equal(irrep_dispersion_elements(data, sample.numbers, N_SAMPLE, &error), IRREP_OK);
  assert_int_equal(irrep_dispersion_term(data, &options, &term, &error), IRREP_OK);
  assert_true(irrep_term_cutoff(term) == options.cutoff && !irrep_term_takes_graph(term));
  const size_t bytes = irrep_term_bytes(term, N_SAMPLE, 0);
  assert_true(bytes < irrep_term_bytes(term, 10 * N_SAMPLE, 0));
  assert_int_equal(irrep_term_bytes(term, SIZE_MAX / 2, 0), SIZE_MAX);
  unsigned char *arena = aligned_new(bytes);
  const int32_t bad[] = {0, 95, -3, 1000};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sample.numbers[3] = bad[i];
    assert_int_equal(irrep_dispersion_elements(data, sample.numbers, N_SAMPLE, &error),
                     IRREP_UNKNOWN_ELEMENT);
    assert_string_equal(error.field, "numbers/3");
    assert_int_equal(
        irrep_dispersion_evaluate(term, &alone, &sample.structure, arena, bytes, &result, &error),
        IRREP_OK);
    assert_int_equal(result.status, IRREP_UNKNOWN_ELEMENT);
  }
  sample.numbers[3] = 8;
  sample.positions[4] = NAN;
  assert_int_equal(
      irrep_dispersion_evaluate(term, &alone, &sample.structure, arena, bytes, &result, &error),
      IRREP_OK);
  assert_int_equal(result.status, IRREP_NOT_FINITE);
  sample.positions[4] = 0.5;
  assert_int_equal(
      irrep_dispersion_evaluate(term, &alone, &sample.structure, arena, 640, &result, &error),
      IRREP_NO_MEMORY);
  assert_int_equal(
      irrep_dispersion_evaluate(term, &alone, &sample.structure, arena + 8, 640, &result, &error),
      IRREP_BAD_ARGUMENT);
  irrep_term_free(term);
  free(arena);
  irrep_dispersion_free(data);
  irrep_dispersion_free(NULL);
}

/* Parts */

#define N_PART (N_SAMPLE * N_IMAGES)

/* The sample as one process has it: every image that may matter is a ghost. */
struct part {
  struct irrep_structure structure;
  int32_t numbers[N_PART];
  double positions[3 * N_PART];
  size_t owners[N_PART], n_calls;
  struct irrep_exchange exchange;
};

static int exchange_rows(void *context, void *rows, size_t width, size_t real_size, bool forward) {
  struct part *part = context;
  double *numbers = rows;
  assert_true(forward && width == 1 && real_size == sizeof(double));
  part->n_calls++;
  for (size_t i = N_SAMPLE; i < part->structure.n_atoms; i++)
    numbers[i] = numbers[part->owners[i]];
  return 0;
}

static void part_init(struct part *part, const struct dispersion_sample *sample) {
  const struct plain plain = {.s = &sample->structure};
  size_t n = 0;
  *part = (struct part){.structure = IRREP_STRUCTURE_INIT};
  /* An image lies where atom 0 does, less the vector from the one to the other. */
  for (int ghosts = 0; ghosts < 2; ghosts++)
    for (size_t image = 0; image < N_IMAGES; image++)
      for (size_t j = 0; j < N_SAMPLE; j++) {
        double d[3];
        if ((image != N_IMAGES / 2) != ghosts)
          continue;
        plain_vector(&plain, 0, j, image, d);
        part->numbers[n] = sample->numbers[j];
        part->owners[n] = j;
        for (size_t k = 0; k < 3; k++)
          part->positions[3 * n + k] = sample->positions[k] - d[k];
        n++;
      }
  assert_int_equal(n, N_PART);
  part->structure.n_atoms = n;
  part->structure.numbers = part->numbers;
  part->structure.positions = part->positions;
  part->exchange = (struct irrep_exchange){sizeof part->exchange, part, exchange_rows};
}

static void check_part(const struct irrep_dispersion *data, enum irrep_damping damping,
                       bool three_body) {
  static struct part part;
  static double forces[3 * N_PART], stresses[9 * N_PART];
  struct irrep_dispersion_options options = short_options(damping);
  struct irrep_evaluate_options evaluate = alone;
  struct irrep_result result = IRREP_RESULT_INIT;
  struct dispersion_answer whole;
  struct dispersion_sample sample;
  struct irrep_term *term;
  double energies[N_SAMPLE];
  options.three_body = three_body;
  dispersion_sample(&sample);
  dispersion_answer(data, &options, &sample.structure, &alone, &whole);
  part_init(&part, &sample);
  assert_int_equal(irrep_dispersion_term(data, &options, &term, NULL), IRREP_OK);
  const size_t bytes = irrep_term_bytes(term, N_PART, 0);
  void *arena = aligned_new(bytes);
  memset(arena, 0xff, bytes);
  evaluate.exchange = &part.exchange;
  result.energies = energies;
  result.forces = forces;
  result.stresses = stresses;
  assert_int_equal(irrep_dispersion_evaluate_part(term, &evaluate, &part.structure, N_SAMPLE, arena,
                                                  bytes, &result, NULL),
                   IRREP_OK);
  assert_int_equal(result.status, IRREP_OK);
  assert_int_equal(part.n_calls, 2);
  assert_false(result.has_stress);
  assert_all_close(&result.energy, &whole.result.energy, 1, 0, 1e-13);
  assert_all_close(energies, whole.energies, N_SAMPLE, 0, 1e-12);
  assert_all_close(forces, whole.forces, 3 * N_SAMPLE, 1e-13, 1e-11);
  assert_all_close(stresses, whole.stresses, 9 * N_SAMPLE, 1e-13, 1e-11);
  assert_all_close(result.virial[0], whole.result.virial[0], 9, 1e-13, 1e-11);
  for (size_t i = 3 * N_SAMPLE; i < 3 * (size_t)N_PART; i++)
    assert_true(forces[i] == 0);
  /* The energy alone needs no slopes. */
  part.n_calls = 0;
  result.forces = result.stresses = NULL;
  assert_int_equal(irrep_dispersion_evaluate_part(term, &evaluate, &part.structure, N_SAMPLE, arena,
                                                  bytes, &result, NULL),
                   IRREP_OK);
  assert_int_equal(part.n_calls, 1);
  assert_all_close(&result.energy, &whole.result.energy, 1, 0, 1e-13);
  irrep_term_free(term);
  free(arena);
}

static void test_parts(void **state) {
  (void)state;
  struct irrep_dispersion *data = dispersion_new();
  for (int three_body = 0; three_body < 2; three_body++) {
    check_part(data, IRREP_D3BJ, three_body);
    check_part(data, IRREP_D3ZERO, three_body);
  }
  irrep_dispersion_free(data);
}

/* What is no part of a structure; and a process without atoms, which takes part in exchanges. */
static void test_odd_parts(void **state) {
  (void)state;
  static struct part part;
  struct irrep_dispersion *data = dispersion_new();
  const struct irrep_dispersion_options options = short_options(IRREP_D3BJ);
  struct irrep_evaluate_options evaluate = alone;
  struct dispersion_sample sample;
  struct irrep_error error;
  struct irrep_term *term;
  double force[3];
  struct irrep_result result = IRREP_RESULT_INIT;
  dispersion_sample(&sample);
  part_init(&part, &sample);
  assert_int_equal(irrep_dispersion_term(data, &options, &term, &error), IRREP_OK);
  const size_t bytes = irrep_term_bytes(term, N_PART, 0);
  void *arena = aligned_new(bytes);
  const struct {
    size_t n_local;
    bool exchange, periodic;
    int32_t last;
    enum irrep_status status;
    const char *field;
  } odd[] = {{N_PART + 1, true, false, 8, IRREP_BAD_ARGUMENT, "n_local"},
             {N_SAMPLE, false, false, 8, IRREP_BAD_ARGUMENT, "exchange"},
             {N_SAMPLE, true, true, 8, IRREP_BAD_ARGUMENT, "pbc"},
             {N_SAMPLE, true, false, 95, IRREP_UNKNOWN_ELEMENT, "numbers/342"}};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    evaluate.exchange = odd[i].exchange ? &part.exchange : NULL;
    part.structure.pbc[1] = odd[i].periodic;
    part.numbers[N_PART - 1] = odd[i].last;
    assert_int_equal(irrep_dispersion_evaluate_part(term, &evaluate, &part.structure,
                                                    odd[i].n_local, arena, bytes, &result, &error),
                     odd[i].status);
    assert_string_equal(error.field, odd[i].field);
    assert_int_equal(part.n_calls, 0);
  }
  part.structure = (struct irrep_structure)IRREP_STRUCTURE_INIT;
  result.forces = force;
  evaluate.exchange = &part.exchange;
  assert_int_equal(irrep_dispersion_evaluate_part(term, &evaluate, &part.structure, 0, arena, bytes,
                                                  &result, &error),
                   IRREP_OK);
  assert_int_equal(result.status, IRREP_OK);
  assert_true(result.energy == 0 && result.virial[0][0] == 0);
  assert_int_equal(part.n_calls, 2);
  irrep_term_free(term);
  free(arena);
  irrep_dispersion_free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_options), cmocka_unit_test(test_structures),
      cmocka_unit_test(test_parts), cmocka_unit_test(test_odd_parts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
