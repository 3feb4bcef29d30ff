/* Dipoles of atoms, of their vectors (1o), or of these times gates that their scalars open. */
#include "core/base/arena.h"
#include "core/builders/build.h"

#include <stdio.h>

#define HIDDEN_MAX 4096
#define SCALE_MAX 1e3

static const struct irrep scalar = {0, 1}, vector = {1, -1};

static bool is_known(struct build *build, enum activation activation) {
  if (activation == ACTIVATION_IDENTITY || activation == ACTIVATION_SILU ||
      activation == ACTIVATION_TANH || activation == ACTIVATION_SIGMOID)
    return true;
  irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "activation",
             "the gates of a dipole are opened by identity, silu, tanh or sigmoid");
  return false;
}

/* The weights of hidden channels and what opens them. */
static bool read_hidden(struct build *build, const char *name, const struct card_object *card,
                        struct dipole_readout *d) {
  char tensor[TENSOR_NAME_MAX];
  const size_t of_vectors[] = {d->n_vectors, d->n_hidden};
  const size_t of_scalars[] = {d->n_scalars, d->n_hidden};
  if (!build_activation(build, card, &d->activation) || !is_known(build, d->activation) ||
      card_number(card, "scale", -SCALE_MAX, SCALE_MAX, &d->scale, build->error) != IRREP_OK)
    return false;
  snprintf(tensor, sizeof tensor, "%.90s.vectors.weight", name);
  d->vectors = build_keep(build, tensor, 2, of_vectors);
  snprintf(tensor, sizeof tensor, "%.90s.gates.weight", name);
  d->gates = d->vectors ? build_keep(build, tensor, 2, of_scalars) : NULL;
  snprintf(tensor, sizeof tensor, "%.90s.weight", name);
  d->weights = d->gates ? build_keep(build, tensor, 1, &d->n_hidden) : NULL;
  return d->weights != NULL;
}

static bool read_linear(struct build *build, const char *name, struct dipole_readout *d) {
  char tensor[TENSOR_NAME_MAX];
  snprintf(tensor, sizeof tensor, "%.90s.weight", name);
  d->vectors = build_keep(build, tensor, 1, &d->n_vectors);
  return d->vectors != NULL;
}

/* Where the channels of an irrep lie; the places are copied, as the layout goes. */
static const size_t *places_of(struct build *build, const struct layout_entry *entry) {
  size_t *places = program_take(build->program, entry->mul, sizeof *places);
  for (size_t i = 0; places && i < entry->mul; i++)
    places[i] = entry->place[i];
  return places;
}

bool build_dipole(struct build *build, const char *name, const struct card_object *card, size_t in,
                  const struct layout *layout) {
  static const char *const keys[] = {"hidden", "activation", "scale", NULL};
  const struct layout_entry *scalars = layout_find(layout, scalar);
  const struct layout_entry *vectors = layout_find(layout, vector);
  struct dipole_readout d = {0};
  if (card_only(card, keys, build->error) != IRREP_OK)
    return false;
  if (!scalars || !vectors) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "model",
               "features without scalars (0e) or vectors (1o) to read a dipole from");
    return false;
  }
  d.n_vectors = vectors->mul;
  d.n_scalars = scalars->mul;
  d.vector_offset = vectors->offset;
  d.vector_stride = vectors->width;
  d.scalar_offset = scalars->offset;
  d.vector_place = places_of(build, vectors);
  d.scalar_place = places_of(build, scalars);
  if (card_has(card, "hidden") &&
      card_size(card, "hidden", 1, HIDDEN_MAX, &d.n_hidden, build->error) != IRREP_OK)
    return false;
  if (!(d.n_hidden > 0 ? read_hidden(build, name, card, &d) : read_linear(build, name, &d)))
    return false;
  struct op *op = program_op(build->program, OP_DIPOLE, in, PROGRAM_NONE);
  if (!op || build_no_memory(build))
    return build_give_up(build);
  op->dipole = d;
  build->program->has_dipole = true;
  return true;
}
