/* Convolution over edges j -> i (Thomas et al. 2018; Batzner et al. 2022, eq. 5 and 6):
 *
 *   out[i][m3][c] += f[e][c] * sum over m1, m2 of C[m1][m2][m3] Y[e][m2] x[j][m1][c]
 *
 * for each path (l1, l2, l3) of 2l+1 components, with x [n_atoms][x_dim], Y [n_edges][(l_max +
 * 1)^2], f [n_edges][n_columns] and out [n_rows][out_dim]. A tile's edges go through one path after
 * the other, so that its filters, which may come from a table, and its part of the features stay in
 * the near caches. The couplings t = C Y are worked out first, for a block of edges at once; what
 * is left for a channel is a small matrix product of t with x. In the adjoint, gathered by sender
 * along reversed edges, grad x = f t grad out, grad f = x t grad out, and grad Y = C (x f grad
 * out), summed over channels. */
#include "core/cpu/kernels/convolution.h"

#include "core/cpu/kernels/filter_table.h"
#include "core/cpu/kernels/lane_sums.h"
#include "core/e3/spherical_harmonics.h"
#include "irrep/conventions.h"

#include <string.h>

#define DIM_MAX (2 * IRREP_L_MAX + 1)

/* Edges that go through a path together: what they share of a receiver stays in registers. */
#define BLOCK IRREP_LANES

/* Vectors with one edge in each lane. */
#define BLOCK_VECTORS (BLOCK / VECTOR_LANES)

/* Where the edges of a block read and write. */
struct block {
  size_t n;
  const real *filter[BLOCK], *x[BLOCK];
  real *out[BLOCK];
};

/* The harmonics of a tile's edges, those of odd degrees times `sign`: y [harmonics][MESSAGE_TILE],
 * zero behind the last edge. */
static void transpose(int l_max, size_t n_edges, const real *harmonics, real sign, real *y) {
  const size_t n_harmonics = HARMONICS(l_max);
  const size_t end = (n_edges + BLOCK - 1) / BLOCK * BLOCK;
  for (int l = 0; l <= l_max; l++)
    for (size_t h = (size_t)(l * l); h < (size_t)((l + 1) * (l + 1)); h++) {
      real *row = y + h * MESSAGE_TILE;
      for (size_t e = 0; e < n_edges; e++)
        row[e] = (l % 2 ? sign : 1) * harmonics[e * n_harmonics + h];
      for (size_t e = n_edges; e < end; e++)
        row[e] = 0;
    }
}

static size_t pairs_of(const struct path *path) {
  return (size_t)(2 * path->l1 + 1) * (size_t)(2 * path->l3 + 1);
}

/* t[pair] = sum over m2 of C(m1,m2,m3) Y[m2]: what a path of each edge of a block does to each
 * channel. y [harmonics][MESSAGE_TILE] from the block's first edge on; t [pairs][BLOCK]. */
static void couple(const struct convolution *op, const struct path *path, const real *weights,
                   const real *y, real *t) {
  const real *c = weights + op->by_pair.values;
  const uint32_t *first = op->by_pair.first + path->first_pair;
  for (size_t pair = 0; pair < pairs_of(path); pair++)
    for (size_t v = 0; v < BLOCK_VECTORS; v++) {
      vec sum = {0};
      for (size_t i = first[pair]; i < first[pair + 1]; i++)
        sum += c[i] * vec_load(y + op->by_pair.column[i] * MESSAGE_TILE + v * VECTOR_LANES);
      vec_store(t + pair * BLOCK + v * VECTOR_LANES, sum);
    }
}

/* The adjoint: gt [BLOCK][pairs], gradients by t of n_edges, in lanes that are still to be summed;
 * added to grad_y [harmonics][MESSAGE_TILE]. */
static void couple_adjoint(const struct convolution *op, const struct path *path, size_t n_edges,
                           const real *weights, const vec *gt, real *grad_y) {
  const real *c = weights + op->by_pair.values;
  const uint32_t *first = op->by_pair.first + path->first_pair;
  const size_t n_pairs = pairs_of(path);
  for (size_t pair = 0; pair < n_pairs; pair++)
    for (size_t e = 0; e < n_edges && first[pair] < first[pair + 1]; e += VECTOR_LANES) {
      const vec sum = lane_sums(gt + e * n_pairs + pair, n_pairs);
      for (size_t i = first[pair]; i < first[pair + 1]; i++) {
        real *g = grad_y + op->by_pair.column[i] * MESSAGE_TILE + e;
        vec_store(g, vec_load(g) + c[i] * sum);
      }
    }
}

/* The filters of the paths first .. end - 1 for a tile's edges: [n_edges] rows of `stride` reals.
 */
struct strip {
  size_t first, end;
  const real *values, *derivatives;
  size_t stride;
};

/* Paths that are read together: up to STRIP_COLUMNS that follow each other, or a single one. */
static size_t end_of_strip(const struct convolution *op, size_t first) {
  const struct path *path = &op->paths[first];
  const size_t begin = path->filter_column;
  size_t end = first + 1;
  for (; end < op->n_paths; end++, path++)
    if (path[1].filter_column != path->filter_column + path->channels ||
        path[1].filter_column + path[1].channels - begin > STRIP_COLUMNS)
      break;
  return end;
}

static struct strip strip_of(const struct convolution *op, size_t first, size_t n_edges,
                             const struct message_filters *filters, const uint8_t *order,
                             bool derivatives) {
  const size_t column = op->paths[first].filter_column;
  struct strip strip = {.first = first, .end = first + 1, .stride = op->n_columns};
  if (filters->values) {
    strip.values = (const real *)filters->values + column;
    strip.derivatives = derivatives ? (const real *)filters->derivatives + column : NULL;
    return strip;
  }
  strip.end = end_of_strip(op, first);
  const struct path *last = &op->paths[strip.end - 1];
  strip.stride = last->filter_column + last->channels - column;
  real *values = filters->strip, *slopes = derivatives ? values + n_edges * strip.stride : NULL;
  KERNEL(filter_columns)
  (&filters->reads, n_edges, order, op->n_columns, column, strip.stride, values, slopes,
   strip.stride);
  strip.values = values;
  strip.derivatives = slopes;
  return strip;
}

/* Where the filters of an edge for one of a strip's paths begin. */
static size_t place_in(const struct strip *strip, const struct convolution *op,
                       const struct path *path, size_t edge) {
  return edge * strip->stride + path->filter_column - op->paths[strip->first].filter_column;
}

static void order_of(const struct convolution *op, size_t n_edges,
                     const struct message_filters *filters, uint8_t order[MESSAGE_TILE]) {
  if (!filters->values)
    KERNEL(filter_order)(&filters->reads, n_edges, op->n_columns, order);
}

/* Vectors of channels whose sums fit the registers together: they share the loads of t. */
#define WIDTH_MAX 4
#if VECTOR_BYTES == 64
#define WIDTH(n3) ((n3) <= 3 ? 4 : (n3) <= 7 ? 2 : 1)
#else
#define WIDTH(n3) ((n3) <= 1 ? 4 : (n3) <= 5 ? 2 : 1)
#endif

/* Some channels of the edges first .. end - 1 of a block, which have one receiver. Of a path by
 * harmonic 0 (diagonal), t is zero but where m1 = m3. */
static inline __attribute__((always_inline)) void gather(const size_t n1, const size_t n3,
                                                         const size_t width, const bool diagonal,
                                                         const struct path *path,
                                                         const struct block *block, size_t first,
                                                         size_t end, const real *t, size_t c) {
  real *out = block->out[first] + c;
  vec sum[WIDTH_MAX][DIM_MAX] = {0};
#pragma GCC unroll 4
  for (size_t v = 0; v < width; v++)
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      sum[v][m3] = vec_load(out + m3 * path->out_stride + v * VECTOR_LANES);
  for (size_t e = first; e < end; e++) {
    const real *filter = block->filter[e] + c;
    const real *x = block->x[e] + c;
    vec w[WIDTH_MAX] = {0};
#pragma GCC unroll 4
    for (size_t v = 0; v < width; v++)
      w[v] = vec_load(filter + v * VECTOR_LANES);
#pragma GCC unroll 13
    for (size_t m1 = 0; m1 < n1; m1++) {
      vec wx[WIDTH_MAX] = {0};
#pragma GCC unroll 4
      for (size_t v = 0; v < width; v++)
        wx[v] = w[v] * vec_load(x + m1 * path->x_stride + v * VECTOR_LANES);
#pragma GCC unroll 13
      for (size_t m3 = 0; m3 < n3; m3++) {
        if (diagonal && m3 != m1)
          continue;
        const real coupling = t[(m1 * n3 + m3) * BLOCK + e];
#pragma GCC unroll 4
        for (size_t v = 0; v < width; v++)
          sum[v][m3] += coupling * wx[v];
      }
    }
  }
#pragma GCC unroll 4
  for (size_t v = 0; v < width; v++)
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      vec_store(out + m3 * path->out_stride + v * VECTOR_LANES, sum[v][m3]);
}

/* n1 and n3 are constants at the calls for common degrees, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void
path_forward(const size_t n1, const size_t n3, const struct path *path, const struct block *block,
             size_t first, size_t end, const real *t) {
  const size_t together = WIDTH(n3) * VECTOR_LANES;
  size_t c = 0;
  if (n1 == n3 && path->l2 == 0) {
    for (; c + together <= path->channels; c += together)
      gather(n1, n3, WIDTH(n3), true, path, block, first, end, t, c);
    for (; c < path->channels; c += VECTOR_LANES)
      gather(n1, n3, 1, true, path, block, first, end, t, c);
    return;
  }
  for (; c + together <= path->channels; c += together)
    gather(n1, n3, WIDTH(n3), false, path, block, first, end, t, c);
  for (; c < path->channels; c += VECTOR_LANES)
    gather(n1, n3, 1, false, path, block, first, end, t, c);
}

/* Pairs of components whose sums over channels fit the registers beside the rest. */
#define TOGETHER_MAX (VECTOR_BYTES == 64 ? 21 : 9)

/* Whether those of a path do, if its degrees are constants. */
#define TOGETHER(n1, n3) (__builtin_constant_p((n1) * (n3)) && (n1) * (n3) <= TOGETHER_MAX)

/* What the adjoint of one edge reads and writes, at a path. */
struct adjoint_edge {
  const real *t; /* [pairs][BLOCK] */
  const real *filter, *derivative, *x, *gout;
  real *gx; /* or NULL */
  vec *gt;  /* [pairs] */
};

/* Gradients of one path of one edge by x (added to gx, if wanted), by the filter, contracted with
 * its derivative (added to *radial), and with_t by t, left in lanes: gt[m1][m3] = sum over channels
 * of x[m1] filter gout[m3]. */
static inline __attribute__((always_inline)) void
scatter(const size_t n1, const size_t n3, const bool diagonal, const bool with_t,
        const struct path *path, const struct adjoint_edge *edge, vec *radial) {
  vec gt[TOGETHER_MAX] = {0}, sum = *radial;
  for (size_t c = 0; c < path->channels; c += VECTOR_LANES) {
    const vec w = vec_load(edge->filter + c);
    vec g[DIM_MAX] = {0}, gw = {0};
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      g[m3] = vec_load(edge->gout + m3 * path->out_stride + c);
#pragma GCC unroll 13
    for (size_t m1 = 0; m1 < n1; m1++) {
      const vec x = vec_load(edge->x + m1 * path->x_stride + c), wx = w * x;
      vec h = {0};
#pragma GCC unroll 13
      for (size_t m3 = 0; m3 < n3; m3++) {
        if (diagonal && m3 != m1)
          continue;
        h += edge->t[(m1 * n3 + m3) * BLOCK] * g[m3];
        if (with_t)
          gt[m1 * n3 + m3] += wx * g[m3];
      }
      if (edge->gx) {
        real *gx = edge->gx + m1 * path->x_stride + c;
        vec_store(gx, vec_load(gx) + w * h);
      }
      gw += x * h;
    }
    sum += gw * vec_load(edge->derivative + c);
  }
  if (with_t)
#pragma GCC unroll 13
    for (size_t m1 = 0; m1 < n1; m1++)
#pragma GCC unroll 13
      for (size_t m3 = 0; m3 < n3; m3++)
        edge->gt[m1 * n3 + m3] = gt[m1 * n3 + m3];
  *radial = sum;
}

/* The gradient by t alone, one component m1 after the other. */
static inline __attribute__((always_inline)) void scatter_t(const size_t n1, const size_t n3,
                                                            const struct path *path,
                                                            const struct adjoint_edge *edge) {
  for (size_t m1 = 0; m1 < n1; m1++) {
    vec sum[DIM_MAX] = {0};
    for (size_t c = 0; c < path->channels; c += VECTOR_LANES) {
      const vec wx = vec_load(edge->filter + c) * vec_load(edge->x + m1 * path->x_stride + c);
#pragma GCC unroll 13
      for (size_t m3 = 0; m3 < n3; m3++)
        sum[m3] += wx * vec_load(edge->gout + m3 * path->out_stride + c);
    }
#pragma GCC unroll 13
    for (size_t m3 = 0; m3 < n3; m3++)
      edge->gt[m1 * n3 + m3] = sum[m3];
  }
}

/* Harmonic 0 does not depend on the edge: of a path by it the gradient by t is not wanted. */
static inline __attribute__((always_inline)) void path_adjoint(const size_t n1, const size_t n3,
                                                               const struct path *path,
                                                               const struct adjoint_edge *edge,
                                                               vec *radial) {
  if (path->l2 == 0) {
    scatter(n1, n1, true, false, path, edge, radial);
  } else if (TOGETHER(n1, n3)) {
    scatter(n1, n3, false, true, path, edge, radial);
  } else {
    scatter(n1, n3, false, false, path, edge, radial);
    scatter_t(n1, n3, path, edge);
  }
}

/* Calls KIND with the path's degrees as constants where both are at most 3. */
#define BY_DEGREES_OF(l3_constant, KIND, path, ...)                                                \
  switch ((path)->l1) {                                                                            \
  case 0:                                                                                          \
    KIND(1, 2 * (l3_constant) + 1, path, __VA_ARGS__);                                             \
    break;                                                                                         \
  case 1:                                                                                          \
    KIND(3, 2 * (l3_constant) + 1, path, __VA_ARGS__);                                             \
    break;                                                                                         \
  case 2:                                                                                          \
    KIND(5, 2 * (l3_constant) + 1, path, __VA_ARGS__);                                             \
    break;                                                                                         \
  case 3:                                                                                          \
    KIND(7, 2 * (l3_constant) + 1, path, __VA_ARGS__);                                             \
    break;                                                                                         \
  default:                                                                                         \
    KIND((size_t)(2 * (path)->l1 + 1), 2 * (l3_constant) + 1, path, __VA_ARGS__);                  \
  }

#define BY_DEGREES(KIND, path, ...)                                                                \
  switch ((path)->l3) {                                                                            \
  case 0:                                                                                          \
    BY_DEGREES_OF(0, KIND, path, __VA_ARGS__) break;                                               \
  case 1:                                                                                          \
    BY_DEGREES_OF(1, KIND, path, __VA_ARGS__) break;                                               \
  case 2:                                                                                          \
    BY_DEGREES_OF(2, KIND, path, __VA_ARGS__) break;                                               \
  case 3:                                                                                          \
    BY_DEGREES_OF(3, KIND, path, __VA_ARGS__) break;                                               \
  default:                                                                                         \
    KIND((size_t)(2 * (path)->l1 + 1), (size_t)(2 * (path)->l3 + 1), path, __VA_ARGS__);           \
  }

/* What the edges of a tile share. */
struct tile {
  const struct convolution *op;
  size_t n_edges, first_row;
  const uint32_t *senders, *receivers;
  const real *weights, *x;
  real *y;    /* [harmonics][MESSAGE_TILE] */
  real *t;    /* [pairs of all paths][BLOCK] */
  real *rest; /* of the scratch */
};

static struct tile tile_of(const struct convolution *op, size_t n_edges, const real *weights,
                           const uint32_t *senders, const uint32_t *receivers, size_t first_row,
                           const real *x, real *scratch) {
  struct tile tile = {.op = op,
                      .n_edges = n_edges,
                      .first_row = first_row,
                      .senders = senders,
                      .receivers = receivers,
                      .weights = weights,
                      .x = x,
                      .y = scratch};
  tile.t = tile.y + HARMONICS(op->l_max) * MESSAGE_TILE;
  tile.rest = tile.t + op->by_pair.n_rows * BLOCK;
  return tile;
}

/* Edges first .. end - 1 of a block through one path. */
static void block_forward(const struct tile *tile, const struct path *path,
                          const struct block *block, size_t first, size_t end) {
  const real *t = tile->t + path->first_pair * BLOCK;
  for (size_t next; first < end; first = next) {
    for (next = first + 1; next < end && block->out[next] == block->out[first];)
      next++;
    BY_DEGREES(path_forward, path, block, first, next, t)
  }
}

/* Edge e is the i-th of a block, at a path. */
static void place_edge(const struct tile *tile, const struct path *path, size_t e,
                       const struct strip *strip, real *out, size_t i, struct block *block) {
  block->filter[i] = strip->values + place_in(strip, tile->op, path, e);
  block->x[i] = tile->x + tile->senders[e] * tile->op->x_dim + path->x_offset;
  block->out[i] =
      out + (tile->receivers[e] - tile->first_row) * tile->op->out_dim + path->out_offset;
}

/* The block from edge e on, at a path. */
static struct block block_of(const struct tile *tile, const struct path *path, size_t e,
                             const struct strip *strip, real *out) {
  struct block block = {.n = tile->n_edges - e < BLOCK ? tile->n_edges - e : BLOCK};
  for (size_t i = 0; i < block.n; i++)
    place_edge(tile, path, e + i, strip, out, i, &block);
  return block;
}

/* Where several paths add to an output, its sums go edge by edge, and path by path within. */
static void forward_summed(const struct tile *tile, const struct message_filters *filters,
                           real *out) {
  const struct convolution *op = tile->op;
  struct block block = {.n = 1};
  for (size_t e = 0; e < tile->n_edges; e++)
    for (size_t p = 0; p < op->n_paths; p++) {
      const struct path *path = &op->paths[p];
      const size_t first = e / BLOCK * BLOCK;
      const struct strip strip = strip_of(op, p, tile->n_edges, filters, NULL, false);
      place_edge(tile, path, e, &strip, out, e - first, &block);
      if (e == first)
        couple(op, path, tile->weights, tile->y + e, tile->t + path->first_pair * BLOCK);
      block_forward(tile, path, &block, e - first, e - first + 1);
    }
}

void KERNEL(convolution)(const struct convolution *op, size_t n_edges, const void *weights,
                         const uint32_t *senders, const uint32_t *receivers, size_t first_row,
                         const void *harmonics, const struct message_filters *filters,
                         const void *x, void *out, void *scratch) {
  const struct tile tile = tile_of(op, n_edges, weights, senders, receivers, first_row, x, scratch);
  uint8_t order[MESSAGE_TILE];
  transpose(op->l_max, n_edges, harmonics, 1, tile.y);
  order_of(op, n_edges, filters, order);
  if (op->summed) {
    forward_summed(&tile, filters, out);
    return;
  }
  for (size_t p = 0; p < op->n_paths;) {
    const struct strip strip = strip_of(op, p, n_edges, filters, order, false);
    for (; p < strip.end; p++)
      for (size_t e = 0; e < n_edges; e += BLOCK) {
        const struct path *path = &op->paths[p];
        const struct block block = block_of(&tile, path, e, &strip, out);
        couple(op, path, tile.weights, tile.y + e, tile.t + path->first_pair * BLOCK);
        block_forward(&tile, path, &block, 0, block.n);
      }
  }
}

/* What the adjoint of a tile writes besides. */
struct gradients {
  const real *out;
  real *x;     /* or NULL */
  real *y;     /* [harmonics][MESSAGE_TILE] */
  vec *radial; /* [n_edges], in lanes that are still to be summed */
  vec *t;      /* [BLOCK][pairs of a path] */
};

static struct gradients gradients_of(const struct tile *tile, const real *grad_out, real *grad_x) {
  const size_t n_harmonics = HARMONICS(tile->op->l_max);
  struct gradients g = {.out = grad_out, .x = grad_x, .y = tile->rest};
  g.radial = (vec *)(g.y + n_harmonics * MESSAGE_TILE);
  g.t = g.radial + MESSAGE_TILE;
  memset(g.y, 0, n_harmonics * MESSAGE_TILE * sizeof(real));
  memset(g.radial, 0, (tile->n_edges + BLOCK - 1) / BLOCK * BLOCK * sizeof *g.radial);
  return g;
}

/* The block from edge `first` on, at a path. */
static void block_adjoint(const struct tile *tile, const struct path *path, size_t first,
                          const struct strip *strip, const struct gradients *g) {
  const struct convolution *op = tile->op;
  const size_t n = tile->n_edges - first < BLOCK ? tile->n_edges - first : BLOCK;
  couple(op, path, tile->weights, tile->y + first, tile->t);
  for (size_t i = 0; i < n; i++) {
    const size_t e = first + i, receiver = tile->receivers[e];
    const struct adjoint_edge edge = {
        .t = tile->t + i,
        .filter = strip->values + place_in(strip, op, path, e),
        .derivative = strip->derivatives + place_in(strip, op, path, e),
        .x = tile->x + receiver * op->x_dim + path->x_offset,
        .gout = g->out + tile->senders[e] * op->out_dim + path->out_offset,
        .gx = g->x ? g->x + (receiver - tile->first_row) * op->x_dim + path->x_offset : NULL,
        .gt = g->t + i * pairs_of(path)};
    BY_DEGREES(path_adjoint, path, &edge, &g->radial[e])
  }
  if (path->l2 > 0)
    couple_adjoint(op, path, n, tile->weights, g->t, g->y + first);
}

/* Adds a tile's gradients, its edges' as they were given, to the caller's. */
static void add_gradients(const struct tile *tile, const struct gradients *g,
                          double *grad_harmonics, double *grad_distance) {
  const size_t n_harmonics = HARMONICS(tile->op->l_max);
  for (size_t first = 0; first < tile->n_edges; first += VECTOR_LANES) {
    const vec radial = lane_sums(g->radial + first, 1);
    for (size_t e = first; e < tile->n_edges && e < first + VECTOR_LANES; e++)
      grad_distance[e] += (double)radial[e - first];
  }
  for (size_t e = 0; e < tile->n_edges; e++)
    for (int l = 1; l <= tile->op->l_max; l++)
      for (size_t h = (size_t)(l * l); h < (size_t)((l + 1) * (l + 1)); h++)
        grad_harmonics[e * n_harmonics + h] +=
            (l % 2 ? -1.0 : 1.0) * (double)g->y[h * MESSAGE_TILE + e];
}

void KERNEL(convolution_adjoint)(const struct convolution *op, size_t n_edges, const void *weights,
                                 const uint32_t *senders, const uint32_t *receivers,
                                 size_t first_row, const void *harmonics,
                                 const struct message_filters *filters, const void *x,
                                 const void *grad_out, void *grad_x, double *grad_harmonics,
                                 double *grad_distance, void *scratch) {
  const struct tile tile = tile_of(op, n_edges, weights, senders, receivers, first_row, x, scratch);
  const struct gradients g = gradients_of(&tile, grad_out, grad_x);
  uint8_t order[MESSAGE_TILE];
  transpose(op->l_max, n_edges, harmonics, -1, tile.y);
  order_of(op, n_edges, filters, order);
  for (size_t p = 0; p < op->n_paths;) {
    const struct strip strip = strip_of(op, p, n_edges, filters, order, true);
    for (; p < strip.end; p++)
      for (size_t e = 0; e < n_edges; e += BLOCK)
        block_adjoint(&tile, &op->paths[p], e, &strip, &g);
  }
  add_gradients(&tile, &g, grad_harmonics, grad_distance);
}
