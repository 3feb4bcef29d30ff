/* The embedding by species, and linear maps of it, which are embeddings again. */
#include "core/base/arena.h"
#include "core/builders/build.h"

#include <stdio.h>
#include <string.h>

/* Appends the operation that gives each species its row of doubles [n_species][layout's dim]. */
static bool put_table(struct build *build, const struct layout *layout, const double *rows,
                      size_t tensor) {
  const size_t n = build->program->n_species * layout->dim;
  const size_t table = program_weights(build->program, n);
  struct op *op = program_op(build->program, OP_EMBEDDING, PROGRAM_NONE, tensor);
  if (build_no_memory(build))
    return false;
  memcpy(build->program->weights + table, rows, n * sizeof *rows);
  op->embedding.table = table;
  return true;
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

bool build_embedding(struct build *build, size_t *tensor, struct layout *layout) {
  const double *table;
  return build_embedding_table(build, layout, &table) && build_tensor(build, layout, tensor) &&
         put_table(build, layout, table, *tensor);
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

/* Adds the map of one row, [from's dim] to [to's dim]; weights [mul of x][mul of y] is scratch. */
static bool map_row(struct build *build, const struct embedding_map *map, size_t species,
                    const double *row, double *weights, double *out) {
  const struct layout_entry *x = map->x, *y = map->y;
  const bool by_species = map->n_dims == 3;
  if (model_file_read_rows(build->file, map->tensor, map->n_dims, map->shape,
                           by_species ? species : 0, by_species ? 1 : x->mul, weights,
                           build->error) != IRREP_OK)
    return false;
  for (size_t i = 0; i < x->mul; i++)
    for (size_t o = 0; o < y->mul; o++)
      out[y->offset + y->place[o]] += row[x->place[i]] * weights[i * y->mul + o];
  return true;
}

/* Adds the map of all rows, [n_species][from's dim] to [n_species][to's dim]. */
static bool map_rows(struct build *build, const struct embedding_map *map, const double *table,
                     size_t from_dim, double *rows, size_t to_dim) {
  /* Before memory is taken: a card may claim more than its file holds. */
  if (model_file_check(build->file, map->tensor, map->n_dims, map->shape, build->error) != IRREP_OK)
    return false;
  double *weights =
      program_take_scratch(build->program, size_mul(map->x->mul, map->y->mul), sizeof *weights);
  if (!weights)
    return build_give_up(build);
  for (size_t s = 0; s < build->program->n_species; s++)
    if (!map_row(build, map, s, table + s * from_dim, weights, rows + s * to_dim))
      return false;
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
  return put_table(build, to, rows, out);
}
