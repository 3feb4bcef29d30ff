/* The convolution of scalars with filters from a table (SchNet's cfconv; Schuett et al. 2017):
 *
 *   out[i][c] += sum over edges j -> i of f_c(r) x[j][c]
 *   f_c(r) = sum over k of T[first_row + k][c] t^k
 *
 * x [n_atoms][dim], out [n_rows][dim]. The filters never lie in memory: Horner's scheme at each
 * edge. */
#include "core/cpu/kernels/scalar_convolution.h"

#include <stdbool.h>

/* Vectors of channels that are gone through together: their polynomials, slopes and sums stay in
 * registers. */
#define WIDTH (VECTOR_BYTES == 64 ? 8 : 4)

/* The rows of the table that an edge reads, at some channels. */
struct reading {
  const real *rows;
  size_t n_rows, stride;
  real t, t_slope; /* the place in the interval, and its derivative by distance */
  bool within;     /* the cutoff; otherwise the filter is zero */
};

static inline struct reading read_edge(const struct filter_reads *filters, size_t edge,
                                       size_t dim) {
  const real *weights = (const real *)filters->weights + edge * 2 * filters->n_rows;
  return (struct reading){.rows = (const real *)filters->table + filters->first_rows[edge] * dim,
                          .n_rows = filters->n_rows,
                          .stride = dim,
                          .t = weights[1],
                          .t_slope = weights[filters->n_rows + 1],
                          .within = weights[0] != 0};
}

/* Horner's scheme, highest power first, for the value and, unless NULL, the derivative by t. */
static inline __attribute__((always_inline)) void
polynomial(const size_t width, const struct reading *reading, size_t c, vec *value, vec *slope) {
  const real *row = reading->rows + (reading->n_rows - 1) * reading->stride + c;
#pragma GCC unroll 8
  for (size_t v = 0; v < width; v++) {
    value[v] = vec_load(row + v * VECTOR_LANES);
    if (slope)
      slope[v] = (vec){0};
  }
  for (size_t k = reading->n_rows - 1; k-- > 0;) {
    row -= reading->stride;
#pragma GCC unroll 8
    for (size_t v = 0; v < width; v++) {
      if (slope)
        slope[v] = slope[v] * reading->t + value[v];
      value[v] = value[v] * reading->t + vec_load(row + v * VECTOR_LANES);
    }
  }
}

/* Edges first .. end-1, of one receiver. */
struct edges {
  const struct filter_reads *filters;
  const uint32_t *senders;
  size_t first, end, dim;
};

/* Some channels of one receiver. */
static inline __attribute__((always_inline)) void
gather(const size_t width, const struct edges *edges, size_t c, const real *x, real *out) {
  vec sum[WIDTH] = {0};
#pragma GCC unroll 8
  for (size_t v = 0; v < width; v++)
    sum[v] = vec_load(out + c + v * VECTOR_LANES);
  for (size_t e = edges->first; e < edges->end; e++) {
    const struct reading reading = read_edge(edges->filters, e, edges->dim);
    const real *x_row = x + edges->senders[e] * edges->dim + c;
    vec w[WIDTH];
    if (!reading.within)
      continue;
    polynomial(width, &reading, c, w, NULL);
#pragma GCC unroll 8
    for (size_t v = 0; v < width; v++)
      sum[v] += w[v] * vec_load(x_row + v * VECTOR_LANES);
  }
#pragma GCC unroll 8
  for (size_t v = 0; v < width; v++)
    vec_store(out + c + v * VECTOR_LANES, sum[v]);
}

static size_t end_of_receiver(const uint32_t *receivers, size_t first, size_t n_edges) {
  size_t end = first + 1;
  while (end < n_edges && receivers[end] == receivers[first])
    end++;
  return end;
}

void KERNEL(scalar_convolution)(const struct filter_reads *filters, size_t n_edges, size_t dim,
                                const uint32_t *senders, const uint32_t *receivers,
                                size_t first_row, const void *x, void *out) {
  struct edges edges = {.filters = filters, .senders = senders, .dim = dim};
  for (; edges.first < n_edges; edges.first = edges.end) {
    real *out_row = (real *)out + (receivers[edges.first] - first_row) * dim;
    edges.end = end_of_receiver(receivers, edges.first, n_edges);
    size_t c = 0;
    for (; c + WIDTH * VECTOR_LANES <= dim; c += WIDTH * VECTOR_LANES)
      gather(WIDTH, &edges, c, x, out_row);
    for (; c < dim; c += VECTOR_LANES)
      gather(1, &edges, c, x, out_row);
  }
}

/* What the edges of one receiver share. */
struct adjoint_rows {
  const real *x, *grad_out;         /* of all atoms */
  const real *own_x, *own_grad_out; /* the receiver's */
  real *grad_x;                     /* the receiver's, or NULL */
  uint32_t receiver;
};

/* Some channels of the edges that come from atoms behind the receiver, each for its reverse too as
 * far as the gradient by distance goes. */
static inline __attribute__((always_inline)) void gather_both(const size_t width,
                                                              const struct edges *edges, size_t c,
                                                              const struct adjoint_rows *rows,
                                                              double *grad_distance) {
  vec sum[WIDTH] = {0};
#pragma GCC unroll 8
  for (size_t v = 0; v < width; v++)
    if (rows->grad_x)
      sum[v] = vec_load(rows->grad_x + c + v * VECTOR_LANES);
  for (size_t e = edges->first; e < edges->end; e++) {
    const struct reading reading = read_edge(edges->filters, e, edges->dim);
    const size_t at = edges->senders[e] * edges->dim + c;
    vec w[WIDTH], dw[WIDTH], radial = {0};
    if (!reading.within)
      continue;
    polynomial(width, &reading, c, w, dw);
#pragma GCC unroll 8
    for (size_t v = 0; v < width; v++) {
      const size_t i = v * VECTOR_LANES;
      const vec g = vec_load(rows->grad_out + at + i);
      radial += dw[v] * (vec_load(rows->own_x + c + i) * g +
                         vec_load(rows->x + at + i) * vec_load(rows->own_grad_out + c + i));
      if (rows->grad_x)
        sum[v] += w[v] * g;
    }
    const real share = edges->senders[e] == rows->receiver ? (real)0.5 : 1;
    grad_distance[e] += (double)(share * reading.t_slope * vec_sum(radial));
  }
#pragma GCC unroll 8
  for (size_t v = 0; v < width; v++)
    if (rows->grad_x)
      vec_store(rows->grad_x + c + v * VECTOR_LANES, sum[v]);
}

/* Edges before `behind` come from atoms before the receiver. */
static inline __attribute__((always_inline)) void
gather_adjoint(const size_t width, struct edges edges, size_t behind, size_t c,
               const struct adjoint_rows *rows, double *grad_distance) {
  const size_t end = edges.end;
  edges.end = behind;
  if (rows->grad_x)
    gather(width, &edges, c, rows->grad_out, rows->grad_x);
  edges.first = behind;
  edges.end = end;
  gather_both(width, &edges, c, rows, grad_distance);
}

void KERNEL(scalar_convolution_adjoint)(const struct filter_reads *filters, size_t n_edges,
                                        size_t dim, const uint32_t *senders,
                                        const uint32_t *receivers, size_t first_row, const void *x,
                                        const void *grad_out, void *grad_x, double *grad_distance) {
  struct edges edges = {.filters = filters, .senders = senders, .dim = dim};
  for (; edges.first < n_edges; edges.first = edges.end) {
    const uint32_t receiver = receivers[edges.first];
    edges.end = end_of_receiver(receivers, edges.first, n_edges);
    size_t behind = edges.first;
    while (behind < edges.end && senders[behind] < receiver)
      behind++;
    const struct adjoint_rows rows = {
        .x = x,
        .grad_out = grad_out,
        .own_x = (const real *)x + receiver * dim,
        .own_grad_out = (const real *)grad_out + receiver * dim,
        .grad_x = grad_x ? (real *)grad_x + (receiver - first_row) * dim : NULL,
        .receiver = receiver};
    size_t c = 0;
    for (; c + WIDTH * VECTOR_LANES <= dim; c += WIDTH * VECTOR_LANES)
      gather_adjoint(WIDTH, edges, behind, c, &rows, grad_distance);
    for (; c < dim; c += VECTOR_LANES)
      gather_adjoint(1, edges, behind, c, &rows, grad_distance);
  }
}
