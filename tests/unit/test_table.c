#include "core/cpu/kernels/table.h"
#include "tests/unit/support_kernels.h"

static void check_name(const struct kernels *kernels) {
  assert_int_equal(kernels->real_size, kernels->precision == IRREP_FLOAT32 ? 4 : 8);
  assert_true(strlen(kernels->isa) >= 2);
}

static void test_tables_say_what_they_are(void **state) {
  (void)state;
  for_each_table(check_name);
#define CHECK(bits, type, name)                                                                    \
  assert_string_equal(kernels_f##bits##_##name.isa, #name);                                        \
  assert_int_equal(kernels_f##bits##_##name.real_size, sizeof(type));
  EACH_COPY(CHECK)
#undef CHECK
}

/* Every member is there: each is a pointer, so none may be all zero bytes. */
static void check_pointers(const void *members, size_t bytes) {
  for (size_t i = 0; i < bytes / sizeof(void (*)(void)); i++) {
    void (*member)(void);
    memcpy(&member, (const unsigned char *)members + i * sizeof member, sizeof member);
    assert_true(member != NULL);
  }
}

/* Kernels of dispersion, the last member, are in the tables of float64 alone. */
static void check_members(const struct kernels *kernels) {
  const size_t first = offsetof(struct kernels, from_double);
  const size_t last = offsetof(struct kernels, dispersion);
  assert_int_equal(last + sizeof kernels->dispersion, sizeof *kernels);
  check_pointers((const unsigned char *)kernels + first, last - first);
  assert_int_equal(kernels->dispersion != NULL, kernels->precision == IRREP_FLOAT64);
  if (kernels->dispersion)
    check_pointers(kernels->dispersion, sizeof *kernels->dispersion);
}

static void test_tables_are_complete(void **state) {
  (void)state;
  for_each_table(check_members);
}

/* Rounded to the nearest, as the compiler rounds. */
static void check_from_double(const struct kernels *kernels) {
  const double values[] = {0.0, -0.0, 1.0 / 3.0, 1e-30, -16777217.0, 1e300, INFINITY, -2.5};
  struct reals reals = reals_of(kernels, 8, values);
  const bool narrow = kernels->precision == IRREP_FLOAT32;
  for (size_t i = 0; i < 8; i++)
    assert_true(reals.exact[i] == (narrow ? (double)(float)values[i] : values[i]));
  assert_true(signbit(reals.exact[1]));
  reals_free(&reals);
}

static void test_from_double(void **state) {
  (void)state;
  for_each_table(check_from_double);
}

static void check_reversed_harmonics(const struct kernels *kernels) {
  static const uint32_t edges[] = {2, 0, 2};
  enum { n = 3, l_max = 2, row = 9 };
  struct rng rng = {4};
  struct reals harmonics = reals_random(kernels, &rng, n * row), out = reals_zero(kernels, n * row);
  kernels->reversed_harmonics(n, l_max, edges, harmonics.data, out.data);
  reals_read(&out);
  for (size_t e = 0; e < n; e++)
    for (size_t h = 0; h < row; h++)
      assert_true(out.exact[e * row + h] ==
                  (h >= 1 && h < 4 ? -1 : 1) * harmonics.exact[edges[e] * row + h]);
  reals_free(&harmonics);
  reals_free(&out);
}

static void test_reversed_harmonics(void **state) {
  (void)state;
  for_each_table(check_reversed_harmonics);
}

#define N_SPECIES 3

static void check_embedding(const struct kernels *kernels) {
  static const uint32_t species[] = {2, 0, 1, 1, 2};
  enum { rows = 5, dim = 48 };
  struct rng rng = {3};
  struct reals table = reals_random(kernels, &rng, N_SPECIES * dim);
  struct reals out = reals_random(kernels, &rng, rows * dim);
  kernels->embedding(rows, dim, species, table.data, out.data);
  for (size_t r = 0; r < rows; r++)
    assert_same_bits(&out, r * dim, &table, species[r] * dim, dim);
  reals_free(&table);
  reals_free(&out);
}

static void test_embedding(void **state) {
  (void)state;
  for_each_table(check_embedding);
}

static const double scale[N_SPECIES] = {1.5, -0.25, 3.0};

struct rows {
  size_t n, dim;
  uint32_t species[33];
  struct reals weights, x;
};

static struct rows rows_new(const struct kernels *kernels, size_t n, size_t dim) {
  struct rng rng = {n * dim};
  struct rows rows = {.n = n, .dim = dim};
  for (size_t r = 0; r < n; r++)
    rows.species[r] = (uint32_t)rng_below(&rng, N_SPECIES);
  rows.weights = reals_random(kernels, &rng, dim);
  rows.x = reals_random(kernels, &rng, n * dim);
  return rows;
}

static void rows_free(struct rows *rows) {
  reals_free(&rows->weights);
  reals_free(&rows->x);
}

/* A sum of dim products, lane by lane: off by at most as many half epsilons, here and there. Each
 * row alone has the same bits. */
static void check_readout(const struct kernels *kernels) {
  static const size_t dims[] = {16, 48, 128}, counts[] = {1, 31, 33};
  for (size_t i = 0; i < 9; i++) {
    struct rows rows = rows_new(kernels, counts[i / 3], dims[i % 3]);
    double energies[33], expected[33], size[33], alone[33];
    for (size_t r = 0; r < rows.n; r++) {
      energies[r] = expected[r] = alone[r] = size[r] = (double)r;
      for (size_t k = 0; k < rows.dim; k++) {
        const double term =
            scale[rows.species[r]] * rows.weights.exact[k] * rows.x.exact[r * rows.dim + k];
        expected[r] += term;
        size[r] += fabs(term);
      }
    }
    kernels->readout(rows.n, rows.dim, rows.species, rows.weights.data, scale, rows.x.data,
                     energies);
    assert_within(energies, expected, size, rows.n, (double)rows.dim * epsilon_of(kernels));
    for (size_t r = 0; r < rows.n; r++)
      kernels->readout(1, rows.dim, rows.species + r, rows.weights.data, scale,
                       real_at(&rows.x, r * rows.dim), alone + r);
    assert_memory_equal(alone, energies, rows.n * sizeof *alone);
    rows_free(&rows);
  }
}

static void test_readout(void **state) {
  (void)state;
  for_each_table(check_readout);
}

/* One product and one sum. */
static void check_readout_adjoint(const struct kernels *kernels) {
  for (int accumulate = 0; accumulate < 2; accumulate++) {
    struct rows rows = rows_new(kernels, 33, 48);
    struct reals grad = reals_of(kernels, rows.x.n, rows.x.exact);
    double *expected = doubles_new(grad.n);
    for (size_t i = 0; i < grad.n; i++)
      expected[i] = scale[rows.species[i / rows.dim]] * rows.weights.exact[i % rows.dim] +
                    (accumulate ? rows.x.exact[i] : 0.0);
    kernels->readout_adjoint(rows.n, rows.dim, rows.species, rows.weights.data, scale, grad.data,
                             accumulate);
    reals_read(&grad);
    assert_all_close(grad.exact, expected, grad.n, 4 * epsilon_of(kernels), 0.0);
    free(expected);
    reals_free(&grad);
    rows_free(&rows);
  }
}

static void test_readout_adjoint(void **state) {
  (void)state;
  for_each_table(check_readout_adjoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tables_say_what_they_are),
      cmocka_unit_test(test_tables_are_complete),
      cmocka_unit_test(test_from_double),
      cmocka_unit_test(test_reversed_harmonics),
      cmocka_unit_test(test_embedding),
      cmocka_unit_test(test_readout),
      cmocka_unit_test(test_readout_adjoint),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
