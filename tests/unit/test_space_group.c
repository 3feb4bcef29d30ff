#include "core/dynamics/matrix3.h"
#include "core/dynamics/symmetry.h"
#include "tests/unit/support_arrays.h"

#define ATOMS_MAX 1024

/* A face-centred cubic crystal of n x n x n cubic cells, distorted by up to `noise`. */
struct crystal {
  size_t n_atoms;
  int32_t numbers[ATOMS_MAX];
  double positions[3 * ATOMS_MAX], cell[3][3];
};

static void crystal_init(struct crystal *c, size_t n, double noise, uint64_t seed) {
  static const double sites[4][3] = {{0, 0, 0}, {0, .5, .5}, {.5, 0, .5}, {.5, .5, 0}};
  struct rng rng = {seed};
  *c = (struct crystal){0};
  for (size_t i = 0; i < 9; i++)
    (&c->cell[0][0])[i] = (i % 4 == 0 ? 3.6 * (double)n : 0) + noise * rng_next(&rng);
  for (size_t i = 0; i < n * n * n; i++)
    for (size_t k = 0; k < 4; k++) {
      const size_t at[3] = {i % n, i / n % n, i / n / n};
      for (size_t a = 0; a < 3; a++)
        c->positions[3 * c->n_atoms + a] =
            3.6 * ((double)at[a] + sites[k][a]) + noise * rng_next(&rng);
      c->numbers[c->n_atoms++] = 29;
    }
}

static enum irrep_status find(struct crystal *c, double symprec, struct symmetry *symmetry,
                              struct irrep_error *error) {
  *symmetry = (struct symmetry){0};
  return symmetry_find(c->n_atoms, c->numbers, c->cell, c->positions, symprec, symmetry, error);
}

/* The distorted crystal becomes the ideal one in about the same place, with all its operations. */
static void test_made_symmetric(void **state) {
  (void)state;
  for (size_t n = 1; n <= 2; n++) {
    static struct crystal c, before;
    struct symmetry symmetry;
    crystal_init(&c, n, 1e-3, n);
    before = c;
    assert_int_equal(find(&c, 0.02, &symmetry, NULL), IRREP_OK);
    assert_int_equal(symmetry.n_operations, 192 * n * n * n);
    assert_all_close(c.positions, before.positions, 3 * c.n_atoms, 0.02, 0);
    assert_all_close(&c.cell[0][0], &before.cell[0][0], 9, 0.02, 0);
    /* Lattice vectors are of one length and at right angles, and each atom is at a centre of
     * inversion: the average of any vectors is zero. */
    for (size_t i = 0; i < 3; i++)
      for (size_t j = 0; j < 3; j++)
        assert_true(fabs(dot(3, c.cell[i], c.cell[j]) -
                         (i == j ? dot(3, c.cell[0], c.cell[0]) : 0)) < 1e-10);
    struct rng rng = {5};
    double vectors[96], scratch[96];
    rng_fill(&rng, 3 * c.n_atoms, vectors);
    symmetry_vectors(&symmetry, c.cell, vectors, scratch);
    for (size_t i = 0; i < 3 * c.n_atoms; i++)
      assert_true(fabs(vectors[i]) < 1e-14);
    symmetry_fini(&symmetry);
  }
}

/* A structure without symmetry has the identity alone, and stays. */
static void test_no_symmetry(void **state) {
  (void)state;
  static struct crystal c, before;
  struct symmetry symmetry;
  crystal_init(&c, 1, 0.3, 7);
  before = c;
  assert_int_equal(find(&c, 0.01, &symmetry, NULL), IRREP_OK);
  assert_int_equal(symmetry.n_operations, 1);
  assert_all_close(c.positions, before.positions, 3 * c.n_atoms, 1e-9, 0);
  symmetry_fini(&symmetry);
}

/* Elements count. */
static void test_elements(void **state) {
  (void)state;
  static struct crystal c;
  struct symmetry symmetry;
  crystal_init(&c, 1, 0, 1);
  c.numbers[0] = 79;
  assert_int_equal(find(&c, 0.01, &symmetry, NULL), IRREP_OK);
  assert_int_equal(symmetry.n_operations, 48);
  for (size_t k = 0; k < 48; k++)
    assert_int_equal(symmetry.maps[4 * k], 0);
  symmetry_fini(&symmetry);
}

static void test_refused(void **state) {
  (void)state;
  static struct crystal c;
  struct symmetry symmetry;
  struct irrep_error error;
  crystal_init(&c, 1, 0, 1);
  memcpy(c.positions, c.positions + 3, 3 * sizeof(double)); /* on top of each other */
  assert_int_equal(find(&c, 0.01, &symmetry, &error), IRREP_BAD_ARGUMENT);
  assert_string_equal(error.field, "symmetry");
  assert_null(symmetry.maps);
  crystal_init(&c, 5, 0, 1);
  assert_int_equal(find(&c, 0.01, &symmetry, &error), IRREP_TOO_LARGE);
  assert_null(symmetry.maps);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_made_symmetric),
      cmocka_unit_test(test_no_symmetry),
      cmocka_unit_test(test_elements),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
