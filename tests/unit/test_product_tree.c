#include "core/builders/product_tree.h"
#include "tests/unit/support_build.h"

#define VALUES(...) ((const double[]){__VA_ARGS__})

static const struct product_bounds bounds = {.n_components = 2, .n_variables = 3, .n_paths = 2};

static void start(struct program *program, struct product_tree *tree) {
  program_init(program);
  *tree = (struct product_tree){0};
  assert_true(product_tree_take(tree, program, 8, 2));
}

/* Component 0: 2 a + 3 a b + 5 b b (two paths); component 1: 7 a a b. */
static void test_monomials(void **state) {
  (void)state;
  struct program program;
  struct product_tree tree;
  struct product_output outputs[2];
  start(&program, &tree);
  assert_null(product_tree_add(&tree, VALUES(0, 0, 0, 2), 1, 1, &bounds));
  assert_null(
      product_tree_add(&tree, VALUES(0, 1, 1, 1, 4, 0, 0, 1, 0, 3, 0, 1, 1, 0, 1), 3, 2, &bounds));
  assert_null(product_tree_add(&tree, VALUES(1, 0, 0, 1, 1, 7), 1, 3, &bounds));
  product_tree_grow(&tree, 0, 2, outputs);
  assert_int_equal(tree.n_terms, 5);
  /* The root, and a and b, which monomials of two begin with. */
  assert_int_equal(outputs[0].n_nodes, 3);
  assert_int_equal(tree.nodes[0].depth, 0);
  assert_true(tree.nodes[1].depth == 1 && tree.nodes[1].variable == 0);
  assert_true(tree.nodes[1].n_leaves == 1 && tree.leaves[0] == 1); /* a b */
  assert_true(tree.nodes[2].depth == 1 && tree.nodes[2].variable == 1);
  assert_true(tree.nodes[2].n_leaves == 1 && tree.leaves[1] == 1); /* b b */
  /* In the order of nodes and their leaves: 1, a, a b, b, b b. */
  static const size_t n_terms[] = {0, 1, 1, 0, 2};
  static const double values[] = {0, 2, 3, 0, 5};
  for (size_t q = 0; q < 5; q++) {
    const struct coefficient *coefficient = &tree.coefficients[q];
    double sum = 0.0;
    for (size_t i = 0; i < coefficient->n_terms; i++)
      sum += tree.terms[coefficient->first_term + i].value;
    assert_int_equal(coefficient->n_terms, n_terms[q]);
    assert_true(sum == values[q]);
  }
  /* 1, a, a a, and of the last the leaf b. */
  assert_int_equal(outputs[1].first_node, 3);
  assert_int_equal(outputs[1].first_leaf, 2);
  assert_int_equal(outputs[1].first_coefficient, 5);
  assert_int_equal(outputs[1].n_nodes, 3);
  assert_int_equal(tree.n_coefficients, 9);
  assert_true(tree.nodes[5].depth == 2 && tree.nodes[5].n_leaves == 1 && tree.leaves[2] == 1);
  program_fini(&program);
}

static void test_refuses(void **state) {
  (void)state;
  static const double rows[][5] = {{2, 0, 0, 0, 1}, {0, 0, 0, 2, 1},   {0, 0, 3, 0, 1},
                                   {0, 1, 0, 0, 1}, {0, 0, 0.5, 0, 1}, {-1, 0, 0, 0, 1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct program program;
    struct product_tree tree;
    start(&program, &tree);
    assert_non_null(product_tree_add(&tree, rows[i], 1, 2, &bounds));
    program_fini(&program);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_monomials),
      cmocka_unit_test(test_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
