#include "core/cpu/local.h"

#include "core/cpu/op_descriptors.h"
#include "core/e3/spherical_harmonics.h"

#include <string.h>

/* Sums over edges, and their gradients, begin at zero. */
static void clear_sums(const struct run *run) {
  const struct program *program = run->program;
  for (size_t v = 0; v < program->n_tensors; v++) {
    if (program->tensors[v].of_edges)
      continue;
    const size_t bytes = run->n_rows * program->tensors[v].dim * run->kernels->real_size;
    memset(run_features(run, v), 0, bytes);
    memset(run_gradient(run, v), 0, bytes);
  }
  descriptors_clear(run);
}

static void backward(const struct run *run, size_t end) {
  for (size_t i = run->program->n_ops; i-- > end;) {
    const struct op *op = &run->program->ops[i];
    if (op_has_adjoint(op))
      run_adjoint(run, op);
  }
}

/* All edges of some atoms at once. */
static void evaluate_together(const struct run *run, bool gradients) {
  clear_sums(run);
  for (size_t i = 0; i < run->program->n_ops; i++)
    run_forward(run, &run->program->ops[i]);
  if (gradients)
    backward(run, 0);
}

/* The operations before `end` on some edges, but for sums: those are complete. */
static void forward_between_sums(const struct run *run, size_t end) {
  for (size_t i = 0; i < end; i++) {
    const struct op *op = &run->program->ops[i];
    if (!op_traits[op->id].sums_edges)
      run_forward(run, op);
  }
}

/* One part of an atom's edges, or false after the last. */
static bool next_part(const struct run *atom, struct run *part) {
  const size_t end = atom->first_edge + atom->n_edges;
  part->first_edge += part->n_edges;
  part->n_edges = end - part->first_edge < EDGE_ROWS ? end - part->first_edge : EDGE_ROWS;
  return part->n_edges > 0;
}

static struct run before_first_part(const struct run *atom) {
  struct run part = *atom;
  part.n_edges = 0;
  return part;
}

/* The sum of one operation over all edges of an atom, the sums before it being complete. */
static void sum_parts(const struct run *atom, size_t sum) {
  const struct op *op = &atom->program->ops[sum];
  for (struct run part = before_first_part(atom); next_part(atom, &part);) {
    forward_between_sums(&part, sum);
    run_forward(&part, op);
  }
}

/* The gradient of a sum, those of later sums being complete: adjoints back to operation `end`, just
 * behind that sum. What is added to the edges' gradients on the way is not complete, and goes. */
static void gradient_of_sum(const struct run *atom, size_t end, size_t sum) {
  const struct workspace *w = atom->workspace;
  const size_t harmonics = HARMONICS(atom->program->l_max);
  double slopes[EDGE_ROWS];
  for (struct run part = before_first_part(atom); next_part(atom, &part);) {
    double *grad_harmonics = w->grad_harmonics + part.first_edge * harmonics;
    double *grad_distance = w->grad_distance + part.first_edge;
    part.collects = sum;
    memcpy(slopes, grad_distance, part.n_edges * sizeof *slopes);
    forward_between_sums(&part, atom->program->n_ops);
    backward(&part, end);
    memcpy(grad_distance, slopes, part.n_edges * sizeof *slopes);
    memset(grad_harmonics, 0, part.n_edges * harmonics * sizeof *grad_harmonics);
  }
}

/* The atom's energy and, if wanted, the gradients of its edges, those of sums being complete. */
static void last_pass(const struct run *atom, bool gradients) {
  for (struct run part = before_first_part(atom); next_part(atom, &part);) {
    part.collects = COLLECTS_NONE;
    forward_between_sums(&part, atom->program->n_ops);
    if (gradients)
      backward(&part, 0);
  }
}

/* An atom with more edges than arrays have room for. Every pass computes anew what it needs. */
static void evaluate_in_parts(const struct run *atom, bool gradients) {
  const struct program *program = atom->program;
  double *energy = &atom->workspace->energies[atom->first_row];
  const double before = *energy;
  clear_sums(atom);
  for (size_t i = 0; i < program->n_ops; i++)
    if (op_traits[program->ops[i].id].sums_edges)
      sum_parts(atom, i);
  for (size_t i = program->n_ops; gradients && i-- > 0;)
    if (op_traits[program->ops[i].id].sums_edges)
      gradient_of_sum(atom, i + 1, program->ops[i].out);
  *energy = before; /* each pass has added it, and descriptors */
  descriptors_clear(atom);
  last_pass(atom, gradients);
}

void local_evaluate(const struct run *run, bool gradients) {
  const uint32_t *first_edge = run->workspace->batch.first_edge;
  const size_t end = run->first_row + run->n_rows;
  struct run atoms = *run;
  for (size_t first = run->first_row; first < end; first += atoms.n_rows) {
    size_t last = first + 1;
    while (last < end && first_edge[last + 1] - first_edge[first] <= EDGE_TILE)
      last++;
    atoms.first_row = first;
    atoms.n_rows = last - first;
    atoms.first_edge = first_edge[first];
    atoms.n_edges = first_edge[last] - first_edge[first];
    if (atoms.n_edges <= EDGE_ROWS)
      evaluate_together(&atoms, gradients);
    else
      evaluate_in_parts(&atoms, gradients);
  }
}
