#include "core/api/gather.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* Last: cmocka.h needs the headers above. */
#include <cmocka.h>

#define N_ATOMS 3
#define N_EDGES 4

static const double cubic[3][3] = {{2, 0, 0}, {0, 4, 0}, {0, 0, 5}}; /* 40 Angstrom^3 */
static const double tiny[3][3] = {{0.1, 0, 0}, {0, 0.1, 0}, {0, 0, 0.1}};

/* Atoms 1 to 3 and edges 1 to 4 of a batch are a structure; what lies before is another's. */
struct fixture {
  struct batch batch;
  struct batch_span span;
  double energies[1 + N_ATOMS], vectors[3 * (1 + N_EDGES)], gradient[3 * (1 + N_EDGES)];
  uint32_t senders[1 + N_EDGES], receivers[1 + N_EDGES];
  double forces[3 * N_ATOMS];
};

static struct fixture *new_fixture(void) {
  static const uint32_t senders[] = {0, 2, 1, 3, 1}, receivers[] = {0, 1, 2, 2, 1};
  static struct fixture f;
  memset(&f, 0, sizeof f);
  for (size_t i = 0; i < 1 + N_ATOMS; i++)
    f.energies[i] = (double)i + 0.5;
  for (size_t e = 0; e < 3 * (1 + N_EDGES); e++) {
    f.vectors[e] = sin(3.0 * (double)e + 1);
    f.gradient[e] = cos(7.0 * (double)e);
  }
  memcpy(f.senders, senders, sizeof senders);
  memcpy(f.receivers, receivers, sizeof receivers);
  f.span = (struct batch_span){
      .first_atom = 1, .n_atoms = N_ATOMS, .n_local = N_ATOMS, .first_edge = 1, .n_edges = N_EDGES};
  f.batch = (struct batch){.senders = f.senders, .receivers = f.receivers, .vectors = f.vectors};
  return &f;
}

static struct gather_part part_of(const struct fixture *f, double share) {
  return (struct gather_part){.batch = &f->batch,
                              .span = &f->span,
                              .energies = f->energies,
                              .gradient = f->gradient,
                              .share = share};
}

static void gather_parts(const struct gather_part *parts, size_t n, const double cell[3][3],
                         const bool pbc[3], bool gradients, struct irrep_result *result) {
  struct gathering gathering;
  gather_begin(&gathering, N_ATOMS, N_ATOMS, gradients, result);
  for (size_t i = 0; i < n; i++)
    gather_add(&gathering, &parts[i]);
  gather_end(&gathering, cell, pbc);
}

static void gather(const struct fixture *f, const double cell[3][3], const bool pbc[3],
                   double share, bool gradients, struct irrep_result *result) {
  const struct gather_part part = part_of(f, share);
  gather_parts(&part, 1, cell, pbc, gradients, result);
}

static struct irrep_result gathered(struct fixture *f, const bool pbc[3], double share) {
  struct irrep_result result = {.struct_size = sizeof(struct irrep_result), .forces = f->forces};
  gather(f, cubic, pbc, share, true, &result);
  return result;
}

static void test_energy_alone(void **state) {
  (void)state;
  struct fixture *f = new_fixture();
  double energies[N_ATOMS];
  struct irrep_result result = {
      .struct_size = sizeof(struct irrep_result), .energies = energies, .virial = {{7.0}}};
  gather(f, cubic, (bool[3]){true, true, true}, 0.5, true, &result);
  assert_true(result.energy == 0.5 * (1.5 + 2.5 + 3.5) && energies[2] == 1.75);
  assert_true(result.status == IRREP_OK && !result.has_stress && result.virial[0][0] == 7.0);
  /* A batch without gradients has no forces to give. */
  result.forces = f->forces;
  gather(f, cubic, (bool[3]){true, true, true}, 0.5, false, &result);
  assert_true(result.status == IRREP_OK && !result.has_stress && result.virial[0][0] == 7.0);
}

static void test_forces_and_virial(void **state) {
  (void)state;
  struct fixture *f = new_fixture();
  const struct irrep_result result = gathered(f, (bool[3]){true, true, true}, 2.0);
  assert_true(result.status == IRREP_OK && result.has_stress);
  for (size_t a = 0; a < 3; a++) {
    const double *g = f->gradient + a;
    assert_true(fabs(f->forces[a] - 2 * (-g[3] + g[6])) < 1e-15);
    assert_true(fabs(f->forces[3 + a] - 2 * (g[3] - g[6] - g[9])) < 1e-15);
    assert_true(fabs(f->forces[6 + a] - 2 * g[9]) < 1e-15);
    for (size_t b = 0; b < 3; b++) {
      double sum = 0.0;
      for (size_t e = 1; e <= N_EDGES; e++)
        sum += f->vectors[3 * e + a] * f->gradient[3 * e + b] +
               f->vectors[3 * e + b] * f->gradient[3 * e + a];
      assert_true(fabs(result.virial[a][b] + sum) < 1e-14);
      assert_true(result.virial[a][b] == result.virial[b][a]);
      assert_true(fabs(result.stress[a][b] * 40 - sum) < 1e-13);
    }
  }
}

/* Two periodic axes have no volume: a virial, and no stress. */
static void test_stress_needs_three_periodic_axes(void **state) {
  (void)state;
  struct fixture *f = new_fixture();
  const struct irrep_result whole = gathered(f, (bool[3]){true, true, true}, 1.0);
  for (unsigned periodic = 0; periodic < 7; periodic++) {
    const bool pbc[3] = {periodic & 1, periodic & 2, periodic & 4};
    const struct irrep_result result = gathered(f, pbc, 1.0);
    assert_int_equal(result.status, IRREP_OK);
    assert_false(result.has_stress);
    assert_memory_equal(result.virial, whole.virial, sizeof whole.virial);
  }
}

/* Half of each edge's part to its receiver, half to its sender, whatever else is wanted. */
static void test_stresses(void **state) {
  (void)state;
  struct fixture *f = new_fixture();
  double parts[N_ATOMS][3][3] = {{{0.0}}}, stresses[9 * N_ATOMS];
  for (size_t e = 1; e <= N_EDGES; e++)
    for (size_t k = 0; k < 9; k++) {
      const double *v = f->vectors + 3 * e, *g = f->gradient + 3 * e;
      const double half = (v[k / 3] * g[k % 3] + v[k % 3] * g[k / 3]) / 2; /* share is 2 */
      parts[f->receivers[e] - 1][k / 3][k % 3] += half;
      parts[f->senders[e] - 1][k / 3][k % 3] += half;
    }
  for (unsigned flags = 0; flags < 4; flags++) {
    const bool periodic = flags & 1, pbc[3] = {true, periodic, true};
    struct irrep_result result = {.struct_size = sizeof(struct irrep_result),
                                  .forces = flags & 2 ? f->forces : NULL,
                                  .stresses = stresses};
    gather(f, cubic, pbc, 2.0, true, &result);
    assert_int_equal(result.status, IRREP_OK);
    assert_int_equal(result.has_stress, periodic);
    for (size_t k = 0; k < 9; k++) {
      double sum = 0.0;
      for (size_t i = 0; i < N_ATOMS; i++) {
        const double expected = parts[i][k / 3][k % 3] / (periodic ? 40 : -1);
        assert_true(fabs(stresses[9 * i + k] - expected) < 1e-14);
        assert_true(stresses[9 * i + k] == stresses[9 * i + 3 * (k % 3) + k / 3]);
        sum += stresses[9 * i + k];
      }
      const double whole = (periodic ? result.stress : result.virial)[k / 3][k % 3];
      assert_true(fabs(sum - whole) < 1e-14);
    }
  }
}

static void expect_not_finite(struct fixture *f) {
  static const bool every[3] = {true, true, true}, none[3] = {false, false, false};
  assert_int_equal(gathered(f, every, 1.0).status, IRREP_RESULT_NOT_FINITE);
  assert_int_equal(gathered(f, none, 1.0).status, IRREP_RESULT_NOT_FINITE);
}

static void test_not_finite(void **state) {
  (void)state;
  struct fixture *f = new_fixture();
  f->energies[2] = (double)NAN;
  expect_not_finite(f);
  f = new_fixture();
  f->gradient[5] = (double)INFINITY;
  expect_not_finite(f);
  /* Forces are finite here, and their product with a long edge is not. */
  f = new_fixture();
  f->gradient[5] = 1e300;
  f->vectors[5] = 1e9;
  expect_not_finite(f);
  for (size_t i = 0; i < 3 * N_ATOMS; i++)
    assert_true(isfinite(f->forces[i]));
  /* Parts that are not finite may cancel in the whole. */
  f = new_fixture();
  double stresses[9 * N_ATOMS];
  for (size_t k = 0; k < 3; k++) {
    f->gradient[3 + k] = 1e308;
    f->gradient[6 + k] = -1e308;
    f->vectors[3 + k] = f->vectors[6 + k] = 0.5;
    f->gradient[12 + k] = 0;
  }
  f->receivers[2] = f->senders[2] = 2; /* the second edge is of another atom with its image */
  f->receivers[1] = f->senders[1] = 1;
  struct irrep_result result = {.struct_size = sizeof(struct irrep_result), .stresses = stresses};
  gather(f, tiny, (bool[3]){true, true, true}, 1.0, true, &result);
  assert_int_equal(result.status, IRREP_RESULT_NOT_FINITE);
  result = (struct irrep_result){.struct_size = sizeof(struct irrep_result), .forces = f->forces};
  gather(f, tiny, (bool[3]){true, true, true}, 1.0, true, &result);
  assert_int_equal(result.status, IRREP_OK);
  /* A structure beside one that has no numbers has its own. */
  f = new_fixture();
  f->energies[0] = f->gradient[0] = (double)NAN;
  assert_int_equal(gathered(f, (bool[3]){true, true, true}, 1.0).status, IRREP_OK);
}

/* A second part, with slopes, in another place of another batch: everything adds up. */
static void test_two_parts(void **state) {
  (void)state;
  static const bool every[3] = {true, true, true};
  static uint32_t senders[] = {1, 0}, receivers[] = {0, 2};
  static const double vectors[] = {0.6, 0, 0.8, 0, -2, 0}, energies[] = {0.25, 0.5, 1.0};
  static const double slopes[] = {3.0, 5.0};
  /* The slopes as gradients. */
  static const double gradient[] = {1.8, 0, 2.4, 0, -5, 0};
  const struct batch batch = {.senders = senders, .receivers = receivers, .vectors = vectors};
  const struct batch_span span = {.n_atoms = N_ATOMS, .n_local = N_ATOMS, .n_edges = 2};
  struct fixture *f = new_fixture();
  double both[3][13 * N_ATOMS], *sum = both[2];
  struct irrep_result results[3];
  for (size_t i = 0; i < 3; i++) {
    const struct gather_part parts[] = {part_of(f, 0.5),
                                        {.batch = &batch,
                                         .span = &span,
                                         .energies = energies,
                                         .gradient = i == 1 ? gradient : NULL,
                                         .slopes = slopes,
                                         .share = 1.0}};
    results[i] = (struct irrep_result){.struct_size = sizeof results[i],
                                       .energies = both[i],
                                       .forces = both[i] + N_ATOMS,
                                       .stresses = both[i] + 4 * (size_t)N_ATOMS};
    gather_parts(&parts[i % 2], i < 2 ? 1 : 2, cubic, every, true, &results[i]);
    assert_int_equal(results[i].status, IRREP_OK);
  }
  assert_true(results[1].energy == 1.75 && results[2].energy == 3.75 + 1.75);
  for (size_t i = 0; i < sizeof both[0] / sizeof both[0][0]; i++)
    assert_true(fabs(sum[i] - (both[0][i] + both[1][i])) < 1e-14);
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++) {
      const double virial = results[0].virial[a][b] + results[1].virial[a][b];
      const double stress = results[0].stress[a][b] + results[1].stress[a][b];
      assert_true(fabs(results[2].virial[a][b] - virial) < 1e-14);
      assert_true(fabs(results[2].stress[a][b] - stress) < 1e-15);
    }
}

/* A part of atoms on top: forces, strains and energies as they are. */
static void test_part_of_atoms(void **state) {
  (void)state;
  static const bool every[3] = {true, true, true};
  static const double energies[N_ATOMS] = {1, 2, 4};
  double forces[3 * N_ATOMS], strains[9 * N_ATOMS], stresses[2][9 * N_ATOMS];
  double all[2][3 * N_ATOMS], by_atom[N_ATOMS];
  struct fixture *f = new_fixture();
  for (size_t i = 0; i < N_ATOMS; i++)
    for (size_t k = 0; k < 9; k++) {
      strains[9 * i + k] = (double)i + (double)(k / 3) + (double)(k % 3);
      forces[3 * i + k % 3] = 10.0 * (double)i + (double)(k % 3);
    }
  const struct gather_part part = part_of(f, 1.0);
  const struct gather_atoms atoms = {energies, forces, strains};
  struct irrep_result results[2];
  for (size_t i = 0; i < 2; i++) {
    struct gathering gathering;
    results[i] = (struct irrep_result){.struct_size = sizeof results[i],
                                       .energies = by_atom,
                                       .forces = all[i],
                                       .stresses = stresses[i]};
    gather_begin(&gathering, N_ATOMS, N_ATOMS, true, &results[i]);
    gather_add(&gathering, &part);
    if (i > 0)
      assert_true(gather_add_atoms(&gathering, &atoms) == 7.0);
    gather_end(&gathering, cubic, every);
    assert_int_equal(results[i].status, IRREP_OK);
  }
  assert_true(results[1].energy == results[0].energy + 7.0 && by_atom[2] == 3.5 + 4.0);
  for (size_t i = 0; i < 3 * N_ATOMS; i++)
    assert_true(fabs(all[1][i] - all[0][i] - forces[i]) < 1e-14);
  for (size_t i = 0; i < 9 * N_ATOMS; i++)
    assert_true(fabs(stresses[1][i] - stresses[0][i] - strains[i] / 40) < 1e-15);
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++) {
      const double sum = 3.0 + 3.0 * (double)(a + b);
      assert_true(fabs(results[0].virial[a][b] - results[1].virial[a][b] - sum) < 1e-13);
      assert_true(fabs(results[1].stress[a][b] - results[0].stress[a][b] - sum / 40) < 1e-15);
    }
  /* Without gradients its forces are not looked at. */
  struct gathering gathering;
  const struct gather_atoms energy_alone = {energies, NULL, NULL};
  gather_begin(&gathering, N_ATOMS, N_ATOMS, false, &results[0]);
  assert_true(gather_add_atoms(&gathering, &energy_alone) == 7.0);
  gather_end(&gathering, cubic, every);
  assert_true(results[0].energy == 7.0 && !results[0].has_stress);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_energy_alone),
      cmocka_unit_test(test_forces_and_virial),
      cmocka_unit_test(test_stress_needs_three_periodic_axes),
      cmocka_unit_test(test_stresses),
      cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_two_parts),
      cmocka_unit_test(test_part_of_atoms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
