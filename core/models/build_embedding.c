/* The embedding by species. */
#include "core/models/build.h"

#include <string.h>

bool build_embedding(struct build *build, size_t *value, struct layout *layout) {
  struct irreps irreps;
  if (!build_irreps(build, &build->model, "irreps_embedding", &irreps) ||
      !layout_of_irreps(build, &irreps, layout) || !build_value(build, layout, value))
    return false;
  if (layout->n != 1 || layout->entry[0].ir.l != 0) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model/irreps_embedding",
               "the embedding must be scalars of one parity");
    return false;
  }
  const size_t n_species = build->program->n_species, mul = layout->entry[0].mul;
  const size_t shape[2] = {n_species, mul};
  const double *file = build_read(build, "embedding.weight", 2, shape);
  const size_t table = program_weights(build->program, n_species * layout->dim);
  struct op *op = program_op(build->program, &op_embedding, PROGRAM_NONE, *value);
  if (!file || build_no_memory(build))
    return false;
  for (size_t s = 0; s < n_species; s++)
    memcpy(build->program->weights + table + s * layout->dim, file + s * mul, mul * sizeof *file);
  op->embedding.table = table;
  return true;
}
