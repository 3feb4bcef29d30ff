#include "core/dynamics/archive.h"
#include "tests/unit/support_relax.h"

static struct irrep_relax_options options_of(int optimizer, int cell) {
  struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  options.optimizer = (enum irrep_optimizer)optimizer;
  options.cell = (enum irrep_relax_cell)cell;
  options.fmax = 1e-4;
  options.max_steps = 60;
  options.memory = optimizer == IRREP_OPTIMIZER_LBFGS ? 7 : 0;
  return options;
}

struct saved {
  unsigned char *bytes;
  size_t size;
};

static struct saved save(const struct irrep_relax *relax) {
  struct saved saved = {.size = irrep_relax_save_size(relax)};
  saved.bytes = malloc(saved.size);
  assert_non_null(saved.bytes);
  irrep_relax_save(relax, saved.bytes);
  return saved;
}

static struct irrep_relax *restore(struct saved saved) {
  struct irrep_relax *relax;
  struct irrep_error error;
  if (irrep_relax_restore(saved.bytes, saved.size, &relax, &error) != IRREP_OK)
    fail_msg("%s: %s", error.field, error.detail);
  return relax;
}

/* Every optimizer and cell: saved and restored before each evaluation, and once ended, with other
 * options that leave traces: fixed atoms, a pressure, a mask. */
static void test_the_same_bits(void **state) {
  (void)state;
  const bool mask[9] = {true, true, false, true, true, false, false, false, true};
  const uint32_t fixed[1] = {3};
  for (int optimizer = IRREP_OPTIMIZER_LBFGS; optimizer <= IRREP_OPTIMIZER_FIRE2; optimizer++)
    for (int cell = IRREP_RELAX_CELL_FIXED; cell <= IRREP_RELAX_CELL_FULL; cell++) {
      struct springs springs;
      struct irrep_relax_options options = options_of(optimizer, cell);
      springs_init(&springs, 9);
      options.fixed = fixed;
      options.n_fixed = 1;
      if (cell == IRREP_RELAX_CELL_FULL) {
        options.mask = mask;
        options.pressure = -2;
      }
      struct irrep_relax *whole = relax_new(&options, &springs.structure);
      struct irrep_relax *parts = relax_new(&options, &springs.structure);
      enum irrep_relax_state end;
      do {
        struct saved saved = save(parts);
        irrep_relax_free(parts);
        parts = restore(saved);
        free(saved.bytes);
        end = relax_once(whole);
        assert_int_equal(relax_once(parts), end);
        struct saved a = save(whole), b = save(parts);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.bytes, b.bytes, a.size);
        free(a.bytes);
        free(b.bytes);
      } while (end == IRREP_RELAX_RUNNING);
      assert_true(relax_progress(whole).n_steps > 10);
      assert_memory_equal(relax_asked(whole).positions, relax_asked(parts).positions,
                          3 * SPRING_ATOMS * sizeof(double));
      irrep_relax_free(whole);
      irrep_relax_free(parts);
    }
}

/* Three atoms in a row along z, of which the outer two are alike: turns about z and mirrors. */
static void test_symmetry_is_saved(void **state) {
  (void)state;
  struct springs springs;
  struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_FIRE2, IRREP_RELAX_CELL_FULL);
  const double positions[9] = {0, 0, 1, 0, 0, 2.3, 0, 0, 3.6};
  springs_init(&springs, 9);
  springs.structure.n_atoms = 3;
  memcpy(springs.positions, positions, sizeof positions);
  memset(springs.structure.cell, 0, sizeof springs.structure.cell);
  springs.structure.cell[0][0] = springs.structure.cell[1][1] = 2;
  springs.structure.cell[2][2] = 7;
  options.symmetry = true;
  options.max_steps = 15;
  struct irrep_relax *whole = relax_new(&options, &springs.structure), *parts;
  struct saved saved = save(whole);
  parts = restore(saved);
  free(saved.bytes);
  assert_int_equal(relax_to_the_end(whole), relax_to_the_end(parts));
  const struct irrep_structure a = relax_asked(whole), b = relax_asked(parts);
  assert_memory_equal(a.positions, b.positions, sizeof positions);
  assert_memory_equal(a.cell, b.cell, sizeof a.cell);
  assert_true(fabs(a.cell[0][0] - a.cell[1][1]) < 1e-14 && a.cell[0][0] < 1.99);
  assert_true(fabs(a.positions[5] * 2 - a.positions[2] - a.positions[8]) < 1e-13);
  irrep_relax_free(whole);
  irrep_relax_free(parts);
}

static struct saved some_saved(void) {
  struct springs springs;
  struct irrep_relax_options options = options_of(IRREP_OPTIMIZER_LBFGS, IRREP_RELAX_CELL_FULL);
  springs_init(&springs, 9);
  struct irrep_relax *relax = relax_new(&options, &springs.structure);
  for (int i = 0; i < 4; i++)
    relax_once(relax);
  struct saved saved = save(relax);
  irrep_relax_free(relax);
  return saved;
}

static void assert_refused(const unsigned char *bytes, size_t size) {
  struct irrep_relax *relax;
  struct irrep_error error = {0};
  unsigned char *copy = malloc(size + 1); /* so that reading beyond it is seen */
  assert_non_null(copy);
  memcpy(copy, bytes, size);
  copy = realloc(copy, size ? size : 1);
  assert_non_null(copy);
  assert_int_not_equal(irrep_relax_restore(copy, size, &relax, &error), IRREP_OK);
  assert_null(relax);
  assert_true(error.detail[0] != '\0');
  free(copy);
}

static void test_cut_short(void **state) {
  (void)state;
  struct saved saved = some_saved();
  for (size_t size = 0; size < saved.size; size += 1 + size / 50)
    assert_refused(saved.bytes, size);
  free(saved.bytes);
}

static void test_any_bit_turned(void **state) {
  (void)state;
  struct saved saved = some_saved();
  for (size_t i = 0; i < saved.size; i++) {
    saved.bytes[i] ^= (unsigned char)(1u << (i % 8));
    assert_refused(saved.bytes, saved.size);
    saved.bytes[i] ^= (unsigned char)(1u << (i % 8));
  }
  free(saved.bytes);
}

/* With a checksum that agrees: no crash, and nothing that cannot be told afterwards. */
static void test_any_byte_forged(void **state) {
  (void)state;
  const unsigned char values[4] = {0, 0xff, 0x7f, 2};
  struct saved saved = some_saved();
  size_t n_accepted = 0;
  for (size_t i = 0; i < saved.size - 8; i++)
    for (size_t k = 0; k < 4; k++) {
      const unsigned char before = saved.bytes[i];
      struct irrep_relax *relax;
      saved.bytes[i] = values[k];
      uint64_t checksum = archive_checksum(saved.bytes, saved.size - 8);
      struct archive end = archive_writing(saved.bytes + saved.size - 8, 8);
      archive_u64(&end, &checksum);
      if (irrep_relax_restore(saved.bytes, saved.size, &relax, NULL) == IRREP_OK) {
        const struct irrep_structure asked = relax_asked(relax);
        const struct evaluation e = evaluate_springs(&asked);
        enum irrep_relax_state got;
        (void)irrep_relax_tell(relax, e.energy, e.forces, e.stress, &got, NULL);
        (void)irrep_relax_tell(relax, e.energy, e.forces, e.stress, &got, NULL);
        irrep_relax_free(relax);
        n_accepted++;
      }
      saved.bytes[i] = before;
    }
  assert_true(n_accepted > saved.size); /* most bytes are those of doubles */
  free(saved.bytes);
}

static void test_another_version(void **state) {
  (void)state;
  struct saved saved = some_saved();
  struct irrep_relax *relax;
  struct irrep_error error;
  saved.bytes[8] = 9;
  assert_int_equal(irrep_relax_restore(saved.bytes, saved.size, &relax, &error),
                   IRREP_BAD_ARGUMENT);
  assert_non_null(strstr(error.detail, "version 9"));
  free(saved.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_same_bits),   cmocka_unit_test(test_cut_short),
      cmocka_unit_test(test_any_bit_turned),  cmocka_unit_test(test_any_byte_forged),
      cmocka_unit_test(test_another_version), cmocka_unit_test(test_symmetry_is_saved),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
