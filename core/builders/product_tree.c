#include "core/builders/product_tree.h"

#include "core/base/arena.h"

#include <stdlib.h>
#include <string.h>

bool product_tree_take(struct product_tree *tree, struct program *program, size_t n_terms,
                       size_t n_components) {
  /* Each term makes at most one leaf and a node for each variable but its last. */
  const size_t n_nodes =
      size_add(size_mul(n_terms, PRODUCT_CORRELATION_MAX - 1), size_add(n_components, 1));
  tree->terms = program_take(program, n_terms + 1, sizeof *tree->terms);
  tree->nodes = program_take(program, n_nodes, sizeof *tree->nodes);
  tree->leaves = program_take(program, n_terms + 1, 1);
  tree->coefficients =
      program_take(program, size_add(n_nodes, n_terms), sizeof *tree->coefficients);
  return !program->no_memory;
}

static bool integer_in(double x, size_t end, size_t *tensor) {
  if (!(x >= 0.0 && x < (double)end))
    return false;
  *tensor = (size_t)x;
  return (double)*tensor == x;
}

const char *product_tree_add(struct product_tree *tree, const double *rows, size_t n,
                             size_t correlation, const struct product_bounds *bounds) {
  for (size_t i = 0; i < n; i++, rows += correlation + 3) {
    struct term *term = &tree->terms[tree->n_terms++];
    size_t component, path, previous = 0;
    *term =
        (struct term){.correlation = (unsigned char)correlation, .value = rows[correlation + 2]};
    if (!integer_in(rows[0], bounds->n_components, &component) ||
        !integer_in(rows[correlation + 1], bounds->n_paths, &path))
      return "a coupling with a component or path that does not exist";
    term->key[0] = (unsigned char)component;
    term->path = (uint32_t)path;
    for (size_t j = 0; j < correlation; j++) {
      size_t variable;
      if (!integer_in(rows[1 + j], bounds->n_variables, &variable) || variable < previous)
        return "a coupling of variables that do not exist or do not ascend";
      term->key[1 + j] = (unsigned char)(variable + 1);
      previous = variable;
    }
  }
  return NULL;
}

static int compare_terms(const void *a, const void *b) {
  const struct term *x = a, *y = b;
  const int order = memcmp(x->key, y->key, sizeof x->key);
  return order ? order : (x->path > y->path) - (x->path < y->path);
}

static void add_coefficient(struct product_tree *tree, size_t first, size_t end) {
  tree->coefficients[tree->n_coefficients++] = (struct coefficient){first, end - first};
}

/* The end of the terms from `first` on that share their first `depth` variables. */
static size_t group_end(const struct product_tree *tree, size_t first, size_t end, size_t depth) {
  size_t i = first + 1;
  while (i < end && memcmp(tree->terms[i].key, tree->terms[first].key, 1 + depth) == 0)
    i++;
  return i;
}

/* Appends the node of the monomial that all terms of [first, end) begin with, and what is below. */
static void add_node(struct product_tree *tree, size_t first, size_t end, size_t depth) {
  struct product_node *node = &tree->nodes[tree->n_nodes++];
  size_t own = first;
  while (own < end && tree->terms[own].correlation == depth)
    own++;
  node->depth = (uint8_t)depth;
  node->variable = depth ? (uint8_t)(tree->terms[first].key[depth] - 1) : 0;
  add_coefficient(tree, first, own);
  for (size_t i = own, next; depth < PRODUCT_CORRELATION_MAX && i < end; i = next) {
    next = group_end(tree, i, end, depth + 1);
    if (tree->terms[next - 1].correlation > depth + 1)
      continue;
    tree->leaves[tree->n_leaves++] = (uint8_t)(tree->terms[i].key[1 + depth] - 1);
    add_coefficient(tree, i, next);
    node->n_leaves++;
  }
  for (size_t i = own, next; depth < PRODUCT_CORRELATION_MAX && i < end; i = next) {
    next = group_end(tree, i, end, depth + 1);
    if (tree->terms[next - 1].correlation > depth + 1)
      add_node(tree, i, next, depth + 1);
  }
}

void product_tree_grow(struct product_tree *tree, size_t first, size_t n_components,
                       struct product_output *outputs) {
  qsort(tree->terms + first, tree->n_terms - first, sizeof *tree->terms, compare_terms);
  for (size_t m = 0, i = first; m < n_components; m++) {
    size_t end = i;
    while (end < tree->n_terms && tree->terms[end].key[0] == m)
      end++;
    outputs[m] = (struct product_output){.first_node = tree->n_nodes,
                                         .first_leaf = tree->n_leaves,
                                         .first_coefficient = tree->n_coefficients};
    add_node(tree, i, end, 0);
    outputs[m].n_nodes = tree->n_nodes - outputs[m].first_node;
    i = end;
  }
}
