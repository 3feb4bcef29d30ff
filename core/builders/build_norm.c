/* The normalisation of a layer's features by the size of all of them, and of scalars by their
 * moments. */
#include "core/builders/build.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

/* The gains of one irrep, and the share that the square of each of its components has in the sum:
 * nequix takes the mean over irreps and components, over 2l+1 once more, of sums over channels. */
static bool put_entry(struct build *build, const char *name, const struct layout *layout,
                      const struct layout_entry *entry, const struct norm *norm) {
  char tensor[TENSOR_NAME_MAX];
  const size_t n_m = (size_t)(2 * entry->ir.l + 1);
  snprintf(tensor, sizeof tensor, "%.90s.%d%c.gain", name, entry->ir.l,
           entry->ir.parity > 0 ? 'e' : 'o');
  const double *file = build_read(build, tensor, 1, &entry->mul);
  if (!file)
    return false;
  double *weights = build->program->weights;
  for (size_t m = 0; m < n_m; m++)
    for (size_t i = 0; i < entry->mul; i++) {
      const size_t at = entry->offset + m * entry->width + entry->place[i];
      weights[norm->gains + at] = file[i];
      weights[norm->shares + at] = 1.0 / ((double)layout->n * (double)(n_m * n_m));
    }
  return true;
}

bool build_norm(struct build *build, const char *name, const struct card_object *layer,
                size_t *tensor, const struct layout *layout) {
  static const char *const keys[] = {"epsilon", NULL};
  struct card_object card;
  struct norm norm = {.dim = layout->dim};
  size_t out;
  if (card_object(layer, "norm", &card, build->error) != IRREP_OK ||
      card_only(&card, keys, build->error) != IRREP_OK ||
      card_number(&card, "epsilon", IRREP_MODEL_EPSILON_MIN, 1.0, &norm.epsilon, build->error) !=
          IRREP_OK ||
      !build_tensor(build, layout, &out))
    return false;
  norm.gains = program_weights(build->program, layout->dim);
  norm.shares = program_weights(build->program, layout->dim);
  if (build_no_memory(build))
    return false;
  for (size_t i = 0; i < layout->n; i++)
    if (!put_entry(build, name, layout, &layout->entry[i], &norm))
      return false;
  struct op *op = program_op(build->program, OP_NORM, *tensor, out);
  if (!op)
    return build_give_up(build);
  op->norm = norm;
  *tensor = out;
  return true;
}

bool build_layer_norm(struct build *build, const char *name, size_t *tensor,
                      const struct layout *layout) {
  struct program *program = build->program;
  const struct layout_entry *scalars = &layout->entry[0];
  const size_t n = scalars->mul, shape[2] = {2, n};
  struct layer_norm norm = {.dim = layout->dim, .epsilon = 1e-5};
  size_t out;
  const double *file = build_read(build, name, 2, shape);
  if (!file || !build_tensor(build, layout, &out))
    return false;
  norm.gains = program_weights(program, layout->dim);
  norm.offsets = program_weights(program, layout->dim);
  norm.shares = program_weights(program, layout->dim);
  if (build_no_memory(build))
    return false;
  for (size_t i = 0; i < n; i++) {
    const size_t at = scalars->offset + scalars->place[i];
    program->weights[norm.gains + at] = file[i];
    program->weights[norm.offsets + at] = file[n + i];
    program->weights[norm.shares + at] = 1.0 / (double)n;
  }
  struct op *op = program_op(program, OP_LAYER_NORM, *tensor, out);
  if (!op)
    return build_give_up(build);
  op->layer_norm = norm;
  *tensor = out;
  return true;
}
