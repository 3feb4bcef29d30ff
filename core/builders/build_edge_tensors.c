/* The first features of TensorNet (Simeon and de Fabritiis 2023, arXiv:2306.06482, eq. 8): over the
 * edges of an atom the sum of Z f(r) Y, of which Z = receiver[s] + sender[s'] is an embedding of
 * the pair of species and f linear in the radial basis.
 *
 * The sender's part is a convolution. The receiver's is a factor of the sum of f(r) Y, and that a
 * map of the few sums of the radial functions themselves times Y, whatever the channels. */
#include "core/base/arena.h"
#include "core/builders/build.h"
#include "irrep/model_format.h"

#include <stdio.h>
#include <string.h>

#define N_DEGREES 3

/* The filter's weight and, behind its rows as one more, its bias: [n_basis + 1][3 * channels]. */
struct radial_map {
  const double *weights, *receiver; /* the latter [n_species][channels] */
  size_t n_rows, channels;
  const struct layout_entry *from, *to;
  int l;
};

static bool read_map(struct build *build, size_t channels, struct radial_map *map) {
  const size_t n_basis = build->program->radial.n_basis, columns = N_DEGREES * channels;
  const size_t shape[2] = {n_basis, columns}, rows[2] = {build->program->n_species, channels};
  double *weights = program_take(build->program, size_mul(n_basis + 1, columns), sizeof *weights);
  const double *file = weights ? build_read(build, "embedding.filter.0.weight", 2, shape) : NULL;
  if (!file)
    return build_give_up(build);
  memcpy(weights, file, n_basis * columns * sizeof *file);
  if (model_file_has(build->file, "embedding.filter.0.bias")) {
    file = build_read(build, "embedding.filter.0.bias", 1, &columns);
    if (!file)
      return false;
    memcpy(weights + n_basis * columns, file, columns * sizeof *file);
  }
  *map = (struct radial_map){.weights = weights,
                             .receiver = build_keep(build, "embedding.receiver", 2, rows),
                             .n_rows = n_basis + 1,
                             .channels = channels};
  return map->receiver != NULL;
}

/* Radial function k, times the receiver's part of the embedding, to the channels of one degree. */
static void fill_species(const void *context, size_t species, double *weights) {
  const struct radial_map *map = context;
  const struct matrix matrix = matrix_from(map->from->width, map->to->width, 0);
  const size_t first = (size_t)map->l * map->channels, stride = N_DEGREES * map->channels;
  for (size_t k = 0; k < map->n_rows; k++)
    for (size_t c = 0; c < map->channels; c++)
      matrix_put(&matrix, map->from->place[k], map->to->place[c],
                 map->weights[k * stride + first + c] * map->receiver[species * map->channels + c],
                 weights);
}

/* The filter whose columns are the radial functions and 1, once for each degree. */
static bool radial_filter(struct build *build, size_t n_rows, struct filter *filter) {
  struct program *program = build->program;
  const size_t width = padded(n_rows), columns = N_DEGREES * width, n_basis = n_rows - 1;
  struct filter_layer *layer = program_take(program, 1, sizeof *layer);
  double *dense = program_take_scratch(program, size_mul(n_basis, columns), sizeof *dense);
  if (!layer || !dense)
    return build_give_up(build);
  for (size_t k = 0; k < n_basis; k++)
    for (size_t l = 0; l < N_DEGREES; l++)
      dense[k * columns + l * width + k] = 1.0;
  layer->matrix = program_matrix(program, n_basis, columns, dense);
  layer->has_bias = true;
  layer->bias = program_weights(program, columns);
  if (build_no_memory(build))
    return false;
  for (size_t l = 0; l < N_DEGREES; l++)
    program->weights[layer->bias + l * width + n_basis] = 1.0;
  *filter = (struct filter){.n_layers = 1,
                            .layers = layer,
                            .envelope = program->radial.envelope || program->radial.stretch};
  return true;
}

/* Appends the sums over edges of Y times each radial function and 1. */
static bool build_radial_sums(struct build *build, size_t n_rows, size_t *sums,
                              struct layout *layout) {
  struct layout ones_layout = {0};
  struct filter filter;
  struct irreps irreps = {0};
  size_t ones;
  for (int l = 0; l < N_DEGREES; l++)
    if (!irreps_append(&irreps, (struct irrep){l, l % 2 ? -1 : 1}, n_rows))
      return false;
  if (!layout_append(build, &ones_layout, (struct irrep){0, 1}, &n_rows, 1) ||
      !build_tensor(build, &ones_layout, &ones))
    return false;
  const size_t n_species = build->program->n_species;
  double *rows = program_take_scratch(build->program, n_species * ones_layout.dim, sizeof *rows);
  if (!rows)
    return build_give_up(build);
  for (size_t s = 0; s < n_species; s++)
    for (size_t k = 0; k < n_rows; k++)
      rows[s * ones_layout.dim + k] = 1.0;
  const struct convolution_card card = {
      .irreps_mid = &irreps, .alternating_parity = true, .to_sender = true, .given = &filter};
  return build_species_rows(build, &ones_layout, rows, ones) &&
         radial_filter(build, n_rows, &filter) &&
         build_convolution(build, &card, ones, &ones_layout, sums, layout);
}

/* Appends the convolution of the sender's part. */
static bool build_senders(struct build *build, const struct card_object *embedding,
                          const struct irreps *irreps, size_t *out, struct layout *layout) {
  const size_t channels = irreps->entry[0].mul, n_species = build->program->n_species;
  const size_t shape[2] = {n_species, channels};
  struct layout from = {0};
  size_t senders;
  if (!layout_append(build, &from, (struct irrep){0, 1}, &channels, 1) ||
      !build_tensor(build, &from, &senders))
    return false;
  const double *file = build_read(build, "embedding.sender", 2, shape);
  double *rows =
      file ? program_take_scratch(build->program, size_mul(n_species, from.dim), sizeof *rows)
           : NULL;
  if (!rows)
    return build_give_up(build);
  for (size_t s = 0; s < n_species; s++)
    memcpy(rows + s * from.dim, file + s * channels, channels * sizeof *file);
  const struct convolution_card card = {.filter = "embedding.filter",
                                        .layer = embedding,
                                        .irreps_mid = irreps,
                                        .alternating_parity = true,
                                        .to_sender = true};
  return build_species_rows(build, &from, rows, senders) &&
         build_convolution(build, &card, senders, &from, out, layout);
}

/* Adds the map of radial sums, by the receiver's species. */
static bool add_receivers(struct build *build, const struct radial_map *map, size_t sums,
                          const struct layout *from, size_t out, const struct layout *to) {
  struct program *program = build->program;
  struct linear_block *blocks = program_take(program, N_DEGREES, sizeof *blocks);
  struct radial_map *maps = program_take(program, N_DEGREES, sizeof *maps);
  struct layout_entry *entries = program_take(program, 2 * N_DEGREES, sizeof *entries);
  if (!blocks || !maps || !entries)
    return build_give_up(build);
  for (size_t l = 0; l < N_DEGREES; l++) {
    const struct layout_entry *x = &from->entry[l], *y = &to->entry[l];
    entries[2 * l] = *x;
    entries[2 * l + 1] = *y;
    maps[l] = *map;
    maps[l].from = &entries[2 * l];
    maps[l].to = &entries[2 * l + 1];
    maps[l].l = (int)l;
    size_t stride;
    const size_t offset = program_species_weights(program, matrix_reals(x->width, y->width),
                                                  fill_species, &maps[l], &stride);
    if (build_no_memory(build))
      return false;
    blocks[l] = (struct linear_block){.n_m = 2 * l + 1,
                                      .in_offset = x->offset,
                                      .in_stride = x->width,
                                      .out_offset = y->offset,
                                      .out_stride = y->width,
                                      .matrix = matrix_from(x->width, y->width, offset),
                                      .species_stride = stride};
  }
  struct op *op = program_op(program, OP_LINEAR, sums, out);
  if (!op)
    return build_give_up(build);
  op->accumulate = true;
  op->linear = (struct linear){.in_dim = from->dim,
                               .out_dim = to->dim,
                               .n_blocks = N_DEGREES,
                               .blocks = blocks,
                               .covers_in = true,
                               .covers_out = true};
  return true;
}

/* What follows relies on it. */
static bool check_linear(struct build *build, const struct card_object *embedding) {
  struct card_object filter;
  size_t hidden[1], n_hidden;
  if (card_object(embedding, "filter", &filter, build->error) != IRREP_OK)
    return false;
  if (card_sizes(&filter, "hidden", 1, 1, 0, hidden, &n_hidden, build->error) == IRREP_OK)
    return true;
  irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, card_place(&filter, "hidden").text,
             "the filter of the embedding is linear in the radial basis: \"hidden\" must be []");
  return false;
}

bool build_edge_tensors(struct build *build, const struct card_object *embedding,
                        const struct irreps *irreps, size_t *out, struct layout *layout) {
  struct radial_map map;
  struct layout sums_layout;
  size_t sums;
  return check_linear(build, embedding) && read_map(build, irreps->entry[0].mul, &map) &&
         build_radial_sums(build, map.n_rows, &sums, &sums_layout) &&
         build_senders(build, embedding, irreps, out, layout) &&
         add_receivers(build, &map, sums, &sums_layout, *out, layout);
}
