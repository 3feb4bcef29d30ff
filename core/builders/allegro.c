/* Allegro: Musaelian et al., Nature Communications 14, 579 (2023). Hyperparameters and tensors:
 * irrep/model_format.h.
 *
 * Features live on edges. Each layer: weights of the edge's harmonics -> their sum over the
 * receiver's edges, its environment -> tensor product with the edge's tensor features -> latent MLP
 * of all scalars so far -> scalars, and weights for the next layer. Edges' energies add up. */
#include "core/builders/models.h"
#include "core/e3/spherical_harmonics.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <stdio.h>

struct allegro {
  size_t n_scalars, n_tensors;
  size_t scalars_width, tensors_width; /* padded */
  size_t n_degrees;                    /* l_max + 1 */
  const double *environment_scale;
  struct scalars scalars[IRREP_MODEL_LAYERS_MAX + 1]; /* x_0, x_1, .. */
  size_t n_features;                                  /* of those, so far */
};

/* A row of scalars and, `sets` times, weights of harmonics, degree by degree. */
static bool row_of(struct build *build, const struct allegro *allegro, size_t sets,
                   struct layout *layout) {
  size_t mul[1 + 2 * (IRREP_L_MAX + 1)] = {allegro->n_scalars};
  const size_t n = 1 + sets * allegro->n_degrees;
  for (size_t i = 1; i < n; i++)
    mul[i] = allegro->n_tensors;
  *layout = (struct layout){0};
  return layout_append(build, layout, (struct irrep){0, 1}, mul, n);
}

static void add_scalars(struct allegro *allegro, size_t tensor, size_t dim) {
  allegro->scalars[allegro->n_features++] = (struct scalars){tensor, dim, 0, allegro->n_scalars};
}

/* x_0, and weights of V_0 and w_0 behind it. */
static bool build_two_body(struct build *build, struct allegro *allegro, size_t *tensor,
                           struct layout *layout) {
  struct card_object card;
  struct filter filter = {0};
  if (card_object(&build->model, "two_body", &card, build->error) != IRREP_OK ||
      !row_of(build, allegro, 2, layout) ||
      !build_pair_filter(build, "two_body", &card, layout->entry[0].mul, layout->entry[0].place,
                         layout->dim, &filter) ||
      !build_edge_tensor(build, layout->dim, tensor))
    return false;
  struct op *op = program_op(build->program, OP_TWO_BODY, PROGRAM_NONE, *tensor);
  if (!op)
    return build_give_up(build);
  op->message.filter = filter;
  op->message.convolution.n_columns = layout->dim;
  add_scalars(allegro, *tensor, layout->dim);
  return true;
}

/* Harmonics weighted by what lies in a row of `dim` reals behind the scalars and `skip` sets of
 * weights; for each edge, or summed. */
static bool append_harmonics(struct build *build, const struct allegro *allegro, enum op_id id,
                             size_t in, size_t dim, size_t skip, size_t out) {
  struct op *op = program_op(build->program, id, in, out);
  if (!op)
    return build_give_up(build);
  op->harmonics.weighted = (struct weighted_harmonics){
      .l_max = build->program->l_max,
      .in_dim = dim,
      .in_offset = allegro->scalars_width + skip * allegro->n_degrees * allegro->tensors_width,
      .channels = allegro->tensors_width};
  op->harmonics.scale = allegro->environment_scale;
  return true;
}

/* V_0 */
static bool build_tensors(struct build *build, const struct allegro *allegro, size_t two_body,
                          size_t dim, size_t *tensor, struct layout *layout) {
  *layout = (struct layout){0};
  for (int l = 0; l <= build->program->l_max; l++)
    if (!layout_append(build, layout, (struct irrep){l, l % 2 ? -1 : 1}, &allegro->n_tensors, 1))
      return false;
  return build_edge_tensor(build, layout->dim, tensor) &&
         append_harmonics(build, allegro, OP_HARMONICS, two_body, dim, 0, *tensor);
}

static bool read_irreps(struct build *build, const struct card_object *card,
                        const struct allegro *allegro, struct layout *layout) {
  struct irreps irreps;
  if (!build_irreps(build, card, "irreps_out", &irreps) ||
      !layout_of_irreps(build, &irreps, layout))
    return false;
  bool equal = layout_find(layout, (struct irrep){0, 1}) != NULL;
  for (size_t i = 0; i < layout->n; i++)
    equal = equal && layout->entry[i].mul == allegro->n_tensors;
  if (!equal)
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, card->where,
               "irreps_out must have 0e, and num_tensors channels of each irrep");
  return equal;
}

/* The latent MLP of all scalars so far and of those of the tensor product. */
static bool build_latent(struct build *build, struct allegro *allegro, const char *name,
                         const struct card_object *layer, size_t tensors,
                         const struct layout *tensors_layout, bool last, size_t *tensor,
                         size_t *dim) {
  struct card_object card;
  struct layout row;
  struct scalars in[IRREP_MODEL_LAYERS_MAX + 1];
  const struct layout_entry *scalars = layout_find(tensors_layout, (struct irrep){0, 1});
  for (size_t i = 0; i < allegro->n_features; i++)
    in[i] = allegro->scalars[i];
  in[allegro->n_features] =
      (struct scalars){tensors, tensors_layout->dim, scalars->offset, allegro->n_tensors};
  if (card_object(layer, "latent", &card, build->error) != IRREP_OK ||
      !row_of(build, allegro, last ? 0 : 1, &row) ||
      !build_edge_mlp(build, name, &card, in, allegro->n_features + 1, &row.entry[0], tensor))
    return false;
  *dim = row.dim;
  add_scalars(allegro, *tensor, row.dim);
  return true;
}

/* What one layer hands to the next. */
struct features {
  size_t tensors; /* V_t */
  struct layout layout;
  size_t weights, dim, skip; /* of w_t: a tensor, its row, and sets of weights before */
};

static bool build_layer(struct build *build, struct allegro *allegro, size_t t, bool last,
                        const struct card_object *card, struct features *features) {
  static const char *const keys[] = {"irreps_out", "latent", NULL};
  char name[64];
  struct layout layout;
  size_t tensors;
  const size_t harmonics = HARMONICS(build->program->l_max);
  const size_t environment = program_tensor(build->program, harmonics * allegro->tensors_width);
  if (build_no_memory(build) || card_only(card, keys, build->error) != IRREP_OK ||
      !read_irreps(build, card, allegro, &layout) ||
      !append_harmonics(build, allegro, OP_ENVIRONMENT, features->weights, features->dim,
                        features->skip, environment) ||
      !build_edge_tensor(build, layout.dim, &tensors))
    return false;
  snprintf(name, sizeof name, "layers.%zu.product", t);
  if (!build_tensor_product(build, name, features->tensors, &features->layout, environment, tensors,
                            &layout))
    return false;
  features->tensors = tensors;
  features->layout = layout;
  features->skip = 0;
  snprintf(name, sizeof name, "layers.%zu.latent", t);
  return build_latent(build, allegro, name, card, tensors, &layout, last, &features->weights,
                      &features->dim);
}

static bool read_model(struct build *build, struct allegro *allegro) {
  static const char *const keys[] = {"l_max",  "num_scalars", "num_tensors",    "two_body",
                                     "layers", "readout",     "pair_repulsion", NULL};
  size_t l_max;
  if (card_only(&build->model, keys, build->error) != IRREP_OK ||
      card_size(&build->model, "l_max", 0, IRREP_L_MAX, &l_max, build->error) != IRREP_OK ||
      card_size(&build->model, "num_scalars", 1, 4096, &allegro->n_scalars, build->error) !=
          IRREP_OK ||
      card_size(&build->model, "num_tensors", 1, 4096, &allegro->n_tensors, build->error) !=
          IRREP_OK)
    return false;
  build->program->l_max = (int)l_max;
  allegro->n_degrees = l_max + 1;
  allegro->scalars_width = padded(allegro->n_scalars);
  allegro->tensors_width = padded(allegro->n_tensors);
  allegro->environment_scale =
      build_keep(build, "environment_scale", 1, &build->program->n_species);
  return allegro->environment_scale != NULL;
}

/* The scalars of an edge, layer by layer, are what its energy is read from. */
static bool describe_scalars(struct build *build, const struct allegro *allegro) {
  struct layout layout = {0};
  if (!layout_append(build, &layout, (struct irrep){0, 1}, &allegro->n_scalars, 1))
    return false;
  for (size_t i = 0; i < allegro->n_features; i++)
    if (!build_descriptors(build, allegro->scalars[i].tensor, &layout))
      return false;
  return true;
}

bool allegro_build(struct build *build) {
  struct card_object layers[IRREP_MODEL_LAYERS_MAX], readout;
  struct allegro allegro = {0};
  struct features features = {.skip = 1};
  struct layout two_body;
  size_t n_layers;
  const double *scale;
  double *shift;
  if (!read_model(build, &allegro) ||
      card_objects(&build->model, "layers", IRREP_MODEL_LAYERS_MAX, layers, &n_layers,
                   build->error) != IRREP_OK ||
      card_object(&build->model, "readout", &readout, build->error) != IRREP_OK ||
      !build_scale_and_shift(build, &scale, &shift) ||
      !build_two_body(build, &allegro, &features.weights, &two_body) ||
      !build_tensors(build, &allegro, features.weights, two_body.dim, &features.tensors,
                     &features.layout))
    return false;
  features.dim = two_body.dim;
  for (size_t t = 0; t < n_layers; t++)
    if (!build_layer(build, &allegro, t, t + 1 == n_layers, &layers[t], &features))
      return false;
  return describe_scalars(build, &allegro) &&
         build_edge_energy(build, "readout", &readout, allegro.scalars, allegro.n_features,
                           scale) &&
         build_pair_repulsion(build);
}
