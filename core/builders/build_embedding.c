/* The embedding by species, and linear maps of it, which are embeddings again. */
#include "core/base/arena.h"
#include "core/builders/build.h"
#include "irrep/model_format.h"

#include <stdio.h>
#include <string.h>

/* Appends the operation that gives each species its row of doubles [n_species][layout's dim], or of
 * those of its head [n_heads][n_species][dim]. */
static bool put_table(struct build *build, const struct layout *layout, const double *rows,
                      size_t n_heads, size_t tensor) {
  const size_t stride = build->program->n_species * layout->dim, n = n_heads * stride;
  const size_t table = program_weights(build->program, n);
  struct op *op = program_op(build->program, OP_EMBEDDING, PROGRAM_NONE, tensor);
  if (build_no_memory(build))
    return false;
  memcpy(build->program->weights + table, rows, n * sizeof *rows);
  op->by_head = n_heads > 1;
  op->head_stride = n_heads > 1 ? stride : 0;
  op->embedding.table = table;
  return true;
}

bool build_species_rows(struct build *build, const struct layout *layout, const double *rows,
                        size_t tensor) {
  return put_table(build, layout, rows, 1, tensor);
}

bool build_embedding_table(struct build *build, struct layout *layout, const double **table) {
  struct irreps irreps;
  if (!build_irreps(build, &build->model, "irreps_embedding", &irreps) ||
      !layout_of_irreps(build, &irreps, layout))
    return false;
  if (layout->n != 1 || layout->entry[0].ir.l != 0) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model/irreps_embedding",
               "the embedding must be scalars of one parity");
    return false;
  }
  const size_t n_species = build->program->n_species, mul = layout->entry[0].mul;
  const size_t shape[2] = {n_species, mul};
  const double *file = build_read(build, "embedding.weight", 2, shape);
  double *rows = program_take_scratch(build->program, n_species * layout->dim, sizeof *rows);
  if (!file || !rows)
    return build_give_up(build);
  for (size_t s = 0; s < n_species; s++)
    memcpy(rows + s * layout->dim, file + s * mul, mul * sizeof *file);
  *table = rows;
  return true;
}

/* The rows of each head, [n_heads][n_species][dim]: the species' plus the head's. NULL: the build
 * has failed. */
static const double *add_heads(struct build *build, const struct layout *layout,
                               const double *table) {
  const struct layout_entry *entry = &layout->entry[0];
  const size_t n_species = build->program->n_species, n_heads = build_heads(build);
  const size_t n = size_mul(n_heads, size_mul(n_species, layout->dim));
  if (n > IRREP_MODEL_EMBEDDING_MAX) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "embedding.head_bias",
               "an embedding by head of more than %u numbers", IRREP_MODEL_EMBEDDING_MAX);
    return NULL;
  }
  const double *file = build_read_by_head(build, "embedding.head_bias", 1, &entry->mul);
  double *rows = file ? program_take_scratch(build->program, n, sizeof *rows) : NULL;
  if (!rows) {
    build_no_memory(build);
    return NULL;
  }
  for (size_t h = 0; h < n_heads; h++)
    for (size_t s = 0; s < n_species; s++)
      for (size_t i = 0; i < entry->mul; i++) {
        const size_t place = s * layout->dim + entry->place[i];
        rows[h * n_species * layout->dim + place] = table[place] + file[h * entry->mul + i];
      }
  return rows;
}

bool build_embedding(struct build *build, size_t *tensor, struct layout *layout) {
  const double *table;
  if (!build_embedding_table(build, layout, &table) || !build_tensor(build, layout, tensor))
    return false;
  const bool by_head =
      build->program->n_heads > 0 && model_file_has(build->file, "embedding.head_bias");
  if (by_head)
    table = add_heads(build, layout, table);
  return table && put_table(build, layout, table, by_head ? build_heads(build) : 1, *tensor);
}

/* The tensor of a linear map of an embedding, [mul of x][mul of y] or one for each species; read
 * species by species, for it may be the largest of all. */
struct embedding_map {
  char tensor[TENSOR_NAME_MAX];
  const struct layout_entry *x, *y;
  size_t n_dims, shape[3];
};

static struct embedding_map map_of(const struct build *build, const char *name,
                                   const struct layout_entry *x, const struct layout_entry *y,
                                   bool by_species) {
  struct embedding_map map = {.x = x, .y = y, .n_dims = by_species ? 3 : 2};
  size_t *shape = map.shape;
  if (by_species)
    *shape++ = build->program->n_species;
  shape[0] = x->mul;
  shape[1] = y->mul;
  snprintf(map.tensor, sizeof map.tensor, "%.90s.0%c.weight", name, x->ir.parity > 0 ? 'e' : 'o');
  return map;
}

/* The channels of rows [n_rows] of a layout in the file's order, and back: [n_rows][mul]. */
static void gather_channels(const struct layout_entry *x, const double *rows, size_t n_rows,
                            size_t dim, double *channels) {
  for (size_t r = 0; r < n_rows; r++)
    for (size_t i = 0; i < x->mul; i++)
      channels[r * x->mul + i] = rows[r * dim + x->place[i]];
}

static void scatter_channels(const struct layout_entry *y, const double *channels, size_t n_rows,
                             size_t dim, double *rows) {
  for (size_t r = 0; r < n_rows; r++)
    for (size_t i = 0; i < y->mul; i++)
      rows[r * dim + y->offset + y->place[i]] = channels[r * y->mul + i];
}

/* Memory for a map: all species' channels before and after it, and one matrix. */
struct map_rows {
  double *in, *out,
      *weights; /* [n_species][mul of x], [n_species][mul of y], [mul of x][mul of y] */
};

static bool take_map_rows(struct build *build, const struct embedding_map *map,
                          struct map_rows *rows) {
  struct program *program = build->program;
  const size_t n_species = program->n_species, real = sizeof(double);
  rows->in = program_take_scratch(program, size_mul(n_species, map->x->mul), real);
  rows->out = program_take_scratch(program, size_mul(n_species, map->y->mul), real);
  rows->weights = program_take_scratch(program, size_mul(map->x->mul, map->y->mul), real);
  return (rows->in && rows->out && rows->weights) || build_give_up(build);
}

/* Maps some rows by one matrix, which begins at a row of the file's tensor. */
static bool map_some(struct build *build, const struct embedding_map *map, size_t tensor_row,
                     size_t n_tensor_rows, size_t first, size_t n_rows,
                     const struct map_rows *rows) {
  if (model_file_read_rows(build->file, map->tensor, map->n_dims, map->shape, tensor_row,
                           n_tensor_rows, rows->weights, build->error) != IRREP_OK)
    return false;
  const size_t x = map->x->mul, y = map->y->mul;
  const struct dense_product product = {.n_rows = n_rows,
                                        .n_columns = y,
                                        .n_inner = x,
                                        .a = rows->in + first * x,
                                        .b = rows->weights,
                                        .out = rows->out + first * y};
  return dense_product(build->dense, &product) == IRREP_OK;
}

/* Maps all rows, [n_species][from's dim] to [n_species][to's dim]. */
static bool map_rows(struct build *build, const struct embedding_map *map, const double *table,
                     size_t from_dim, double *out, size_t to_dim) {
  struct map_rows rows;
  const size_t n_species = build->program->n_species;
  /* Before memory is taken: a card may claim more than its file holds. */
  if (model_file_check(build->file, map->tensor, map->n_dims, map->shape, build->error) !=
          IRREP_OK ||
      !take_map_rows(build, map, &rows))
    return false;
  gather_channels(map->x, table, n_species, from_dim, rows.in);
  if (map->n_dims == 2 && !map_some(build, map, 0, map->x->mul, 0, n_species, &rows))
    return false;
  for (size_t s = 0; s < n_species && map->n_dims == 3; s++)
    if (!map_some(build, map, s, 1, s, 1, &rows))
      return false;
  scatter_channels(map->y, rows.out, n_species, to_dim, out);
  return true;
}

bool build_linear_embedding(struct build *build, const char *name, const double *table,
                            const struct layout *from, size_t out, const struct layout *to,
                            bool by_species) {
  const struct layout_entry *x = &from->entry[0], *y = layout_find(to, x->ir);
  double *rows = program_take_scratch(build->program, size_mul(build->program->n_species, to->dim),
                                      sizeof *rows);
  if (!rows)
    return build_give_up(build);
  if (y) {
    const struct embedding_map map = map_of(build, name, x, y, by_species);
    if (!map_rows(build, &map, table, from->dim, rows, to->dim))
      return false;
  }
  return put_table(build, to, rows, 1, out);
}
