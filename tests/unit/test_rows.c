#include "core/cpu/run.h"
#include "tests/unit/support_local.h"

/* Rows of all atoms begin at the tile's first; those of a tile where its memory begins. */
static void check_places(const struct kernels *kernels) {
  struct program program;
  test_program_init(&program, (struct program_options){.n_layers = 2});
  struct irrep_structure atoms = atoms_new(70, true, 1);
  struct test_run test = test_run_new(&program, kernels, &atoms, 1);
  const struct run run = tile_of(&test, 37, 20);
  const size_t real = kernels->real_size, n_atoms = test.workspace.batch.n_atoms;
  size_t n_global = 0;
  for (size_t v = 0; v < program.n_tensors; v++) {
    const struct tensor *t = &program.tensors[v];
    const struct storage *storages[] = {&t->features, &t->gradient};
    unsigned char *const rows[] = {run_features(&run, v), run_gradient(&run, v)};
    unsigned char *const all[] = {run_all_features(&run, v), run_all_gradients(&run, v)};
    assert_int_equal(run_rows(&run, v), 20);
    for (size_t k = 0; k < 2; k++) {
      const size_t offset = storages[k]->offset * real;
      unsigned char *global = test.workspace.global, *tile = test.workspace.scratch.tile;
      n_global += storages[k]->global;
      if (storages[k]->global) {
        assert_ptr_equal(all[k], global + offset * n_atoms);
        assert_ptr_equal(rows[k], all[k] + 37 * t->dim * real);
      } else {
        assert_ptr_equal(rows[k], tile + offset * ATOM_TILE);
      }
    }
  }
  assert_true(n_global > 0 && n_global < 2 * program.n_tensors);
  assert_ptr_equal(run_weights(&run, 8), (unsigned char *)test.weights.data + 8 * real);
  assert_ptr_equal(run_species(&run), test.workspace.batch.species + 37);
  test_run_free(&test);
  atoms_free(&atoms);
  program_fini(&program);
}

static void test_places(void **state) {
  (void)state;
  for_each_table(check_places);
}

/* Arrays that have rows for ghosts come first, with those of all atoms; the others have no more
 * than local atoms. */
static void check_ghosts(const struct kernels *kernels) {
  struct program program;
  test_program_init(&program, (struct program_options){.n_layers = 3});
  struct irrep_structure atoms = atoms_new(70, true, 1);
  struct test_run test = test_run_new(&program, kernels, &atoms, 1);
  test.workspace.batch.n_local = 50;
  const struct run run = tile_of(&test, 0, 20);
  size_t n_first = 0, n_others = 0;
  for (size_t v = 0; v < program.n_tensors; v++) {
    const struct tensor *t = &program.tensors[v];
    const unsigned char *rows = run_all_features(&run, v), *start = test.workspace.global;
    if (!t->features.global)
      continue;
    const size_t before = (size_t)(rows - start) / kernels->real_size;
    const size_t ghosts = program.ghost_reals;
    *(t->of_ghosts ? &n_first : &n_others) += 1;
    assert_true(!t->of_ghosts || t->features.offset + t->dim <= ghosts);
    assert_int_equal(before, t->features.offset <= ghosts ? t->features.offset * 70
                                                          : t->features.offset * 50 + ghosts * 20);
  }
  assert_true(n_first > 0 && n_others > 0);
  assert_true(program.ghost_reals < program.global_reals);
  test_run_free(&test);
  atoms_free(&atoms);
  program_fini(&program);
}

static void test_ghosts(void **state) {
  (void)state;
  for_each_table(check_ghosts);
}

/* Of a local program all is a tile's, and some rows are those of edges. */
static void check_edges(const struct kernels *kernels) {
  struct program program;
  local_program_init(&program);
  struct irrep_structure atoms = atoms_new(30, true, 1);
  struct test_run test = test_run_new(&program, kernels, &atoms, 1);
  const struct run run = tile_of(&test, 7, 5);
  for (size_t v = 0; v < program.n_tensors; v++) {
    const struct tensor *t = &program.tensors[v];
    const size_t rows = t->of_edges ? EDGE_ROWS : ATOM_TILE;
    unsigned char *base = t->of_edges ? run.scratch->edges : run.scratch->tile;
    assert_int_equal(run_rows(&run, v), t->of_edges ? run.n_edges : 5);
    assert_ptr_equal(run_features(&run, v), base + t->features.offset * rows * kernels->real_size);
    assert_ptr_equal(run_gradient(&run, v), base + t->gradient.offset * rows * kernels->real_size);
  }
  test_run_free(&test);
  atoms_free(&atoms);
  program_fini(&program);
}

static void test_edges(void **state) {
  (void)state;
  for_each_table(check_edges);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_places),
      cmocka_unit_test(test_ghosts),
      cmocka_unit_test(test_edges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
