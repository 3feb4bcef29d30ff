/* What the builders of all architectures share: from the file's tensors, by name, to operations
 * with padded and packed weights. */
#ifndef CORE_BUILDERS_BUILD_H
#define CORE_BUILDERS_BUILD_H

#include "core/base/dense.h"
#include "core/e3/irreps.h"
#include "core/nn/pair_repulsion.h"
#include "core/program/card.h"
#include "core/program/model_file.h"
#include "core/program/program.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

/* A model being built. Calls that return false have filled the error; a builder then gives up. */
struct build {
  struct program *program;
  struct model_file *file;
  struct card_object card;              /* the whole card */
  struct card_object model;             /* its "model" */
  struct pair_repulsion pair_repulsion; /* beside the network; n_terms 0: the model has none. The
                                           tables are the program's */
  const struct dense *dense;            /* what folds weights */
  struct irrep_error *error;
};

/* One irrep of a feature row: (2l+1) * width reals at offset, of which the file's channel i is
 * place[i]. Channels that come in groups (the paths of a convolution, the gates of an entry) have
 * each group start at a multiple of IRREP_LANES. */
struct layout_entry {
  struct irrep ir;
  size_t mul, width, offset;
  size_t *place; /* [mul] */
};

/* Channels with their padding. */
static inline size_t padded(size_t channels) {
  return (channels + IRREP_LANES - 1) / IRREP_LANES * IRREP_LANES;
}

/* How the features that the file calls by their irreps lie in a row. Each irrep occurs once. */
struct layout {
  size_t n, dim;
  struct layout_entry entry[IRREPS_MAX];
};

/* Appends one irrep with channels in groups; mul [n_groups]. */
bool layout_append(struct build *build, struct layout *layout, struct irrep ir, const size_t *mul,
                   size_t n_groups);

/* The layout of plain irreps. Refuses an irrep that occurs twice. */
bool layout_of_irreps(struct build *build, const struct irreps *irreps, struct layout *layout);

/* The entry of an irrep, or NULL. */
const struct layout_entry *layout_find(const struct layout *layout, struct irrep ir);

/* Reads and parses irreps at a key of an object of the card. */
bool build_irreps(struct build *build, const struct card_object *object, const char *key,
                  struct irreps *irreps);

/* Reads the name of an activation at "activation". */
bool build_activation(struct build *build, const struct card_object *object,
                      enum activation *activation);

/* Appends an activation of all channels of a tensor, from one tensor to another of the same dim. */
bool build_activated(struct build *build, enum activation activation, size_t in, size_t out);

/* Appends a tensor with a layout. */
bool build_tensor(struct build *build, const struct layout *layout, size_t *tensor);

/* Appends the addition of a part of one tensor to a part of another that has been written. */
bool build_add(struct build *build, size_t in, size_t out, struct add add);

/* Appends the irreps-wise linear map NAME of model_format.h. */
bool build_linear(struct build *build, const char *name, size_t in, const struct layout *from,
                  size_t out, const struct layout *to, bool by_species, bool accumulate);

/* Reads the MLP NAME, with this card, as a filter from the radial embedding to n_columns padded
 * columns, of which the file's column i is place[i]. */
bool build_filter(struct build *build, const char *name, const struct card_object *card,
                  size_t n_file_columns, const size_t *place, size_t n_columns,
                  struct filter *filter);

/* The same with a first weight for each pair of species: [n_species][n_species][num_basis][..]. */
bool build_pair_filter(struct build *build, const char *name, const struct card_object *card,
                       size_t n_file_columns, const size_t *place, size_t n_columns,
                       struct filter *filter);

/* Appends the embedding: scalars of "irreps_embedding" from "embedding.weight" [n_species][mul],
 * and "embedding.head_bias" [n_heads][mul] where it is there. */
bool build_embedding(struct build *build, size_t *tensor, struct layout *layout);

/* Appends the operation that gives each species its row of doubles [n_species][layout's dim]. */
bool build_species_rows(struct build *build, const struct layout *layout, const double *rows,
                        size_t tensor);

/* The embedding as numbers, [n_species][dim of its layout], that live until program_compile. */
bool build_embedding_table(struct build *build, struct layout *layout, const double **table);

/* Appends the linear map NAME, without bias, of an embedding given as numbers: as a function of the
 * species it is computed now. */
bool build_linear_embedding(struct build *build, const char *name, const double *table,
                            const struct layout *from, size_t out, const struct layout *to,
                            bool by_species);

/* A convolution as the file gives it (model_format.h, "Convolution"). */
struct convolution_card {
  const char *filter;              /* the name of its MLP */
  const struct card_object *layer; /* has the "filter" */
  const struct irreps *irreps_mid;
  bool alternating_parity; /* harmonics have parity (-1)^l; otherwise all are even */
  bool to_sender;       /* harmonics are taken at the direction from the receiver to the sender */
  bool summed;          /* paths to one irrep add up, filter columns go by harmonic (SO3Net) */
  bool twin;            /* the output row has room for as much again */
  bool radial;          /* by harmonic 0 alone: features are weighed and summed */
  enum activation last; /* of the filter, after its last layer too; 0: none */
  const struct filter *given; /* in place of the file's, its columns path by path, each padded */
};

/* Appends the convolution of a tensor and gives its output's layout. */
bool build_convolution(struct build *build, const struct convolution_card *card, size_t in,
                       const struct layout *from, size_t *out, struct layout *to);

/* Appends a convolution along paths of the caller's choice to a tensor of this layout. The paths
 * have their degrees, channels (not padded) and places; columns of the filter go path by path. */
bool build_convolution_along(struct build *build, const struct convolution_card *card,
                             struct path *paths, size_t n_paths, size_t in,
                             const struct layout *from, size_t out, const struct layout *to);

/* The layout of a gate's input ("Gate" in model_format.h): the entries of irreps_out, of which the
 * scalars of gate_ir are followed by the gates. */
bool gate_input_layout(struct build *build, const struct irreps *irreps_out, struct irrep *gate_ir,
                       struct layout *layout);

/* Appends the "gate" of a layer's card. */
bool build_equivariant_gate(struct build *build, const struct card_object *layer,
                            const struct irreps *irreps_out, size_t in, const struct layout *from,
                            struct irrep gate_ir, size_t *out, struct layout *to);

/* Appends the layer normalisation of the scalars of a tensor, which are all of its row, by the
 * tensor NAME [2][mul]: gains, then offsets; the tensor is replaced. */
bool build_layer_norm(struct build *build, const char *name, size_t *tensor,
                      const struct layout *layout);

/* Appends the "norm" of a layer's card, with the tensors NAME.IR.gain; the tensor is replaced. */
bool build_norm(struct build *build, const char *name, const struct card_object *layer,
                size_t *tensor, const struct layout *layout);

/* Appends the division of a tensor by the "density" of a layer's card; the tensor is replaced. */
bool build_density(struct build *build, const char *name, const struct card_object *layer,
                   size_t *tensor, const struct layout *layout);

/* A product basis as the file gives it (model_format.h, "Product basis"). */
struct product_card {
  const char *name;                 /* of its tensors */
  const struct card_object *irreps; /* one for each irrep of the output */
  bool by_species;                  /* the weights */
};

/* Appends the product basis of a tensor. */
bool build_product(struct build *build, const struct product_card *card, size_t in,
                   const struct layout *from, size_t out, const struct layout *to);

/* The sign between the coupling coefficients of conventions.h and those of SO3Net, which follow
 * Condon and Shortley's, for l1 + l2 + l3 even. */
double so3net_sign(int l1, int l2, int l3);

/* Appends the tensor square of a tensor, whose row holds the irreps of `from` twice
 * (model_format.h, "Tensor square"). */
bool build_tensor_square(struct build *build, size_t in, const struct layout *from, size_t out,
                         const struct layout *to);

/* Where the components of a layout lie, in the order of harmonics: [n], in reals; NULL without
 * memory. */
size_t *build_component_offsets(struct build *build, const struct layout *layout, size_t *n);

/* Appends a tensor square of which all is said but the couplings: [n_components][n_components]
 * [n_components], of a, of b and of the output. */
bool build_square(struct build *build, struct tensor_square product, const double *couplings,
                  size_t in, size_t out);

/* Appends the first features of TensorNet: sums over edges of embeddings of pairs of species times
 * filters times harmonics, in irreps of equal channels 0e, 1o and 2e ("embedding" of
 * model_format.h, "tensornet"). */
bool build_edge_tensors(struct build *build, const struct card_object *embedding,
                        const struct irreps *irreps, size_t *out, struct layout *layout);

/* Operations of TensorNet on 3x3 matrices, which are told by their components in the
 * irreps 0e, 1o and 2e (build_matrices.c):
 *   product  M Y + Y M of two matrices, M in the row and Y `from->dim / 2` reals behind it
 *   square   D + D D
 *   norms    the squared norms of a row's irreps: their sum or, `apart`, of each irrep by itself,
 *            in scalars that are groups of one channel after the other */
bool build_matrix_product(struct build *build, size_t in, const struct layout *from, size_t out,
                          const struct layout *to);
bool build_matrix_square(struct build *build, size_t in, size_t out, const struct layout *layout);
bool build_squared_norms(struct build *build, size_t in, const struct layout *from, bool apart,
                         size_t *out, struct layout *to);

/* Reads "aggregation" of the model, if there. */
bool build_aggregation(struct build *build);

/* Reads "scale" and "shift" [n_heads][n_species]; the shift becomes the program's. */
bool build_scale_and_shift(struct build *build, const double **scale, double **shift);

/* Appends an energy: scale[species] times the MLP NAME of the scalars (0e) of a tensor, of each
 * head by itself; its last bias goes to the shift. A model may have any number of them. */
bool build_energy(struct build *build, const char *mlp, const struct card_object *card, size_t in,
                  const struct layout *layout, const double *scale, double *shift);

/* Appends the MLP "readout" of the scalars (0e) of a tensor, with the tensors "scale" and "shift".
 */
bool build_readout(struct build *build, size_t in, const struct layout *layout);

/* An MLP's card: "hidden" and "activation" of the object at a key. */
struct mlp_card {
  size_t hidden[IRREP_MODEL_LAYERS_MAX], n_hidden;
  enum activation activation;
};

bool build_mlp_card(struct build *build, const struct card_object *object, const char *key,
                    struct mlp_card *mlp);

/* Appends the hidden layers of an MLP of scalars, each the linear map "NAME.i" and an activation;
 * tensor and layout are replaced. */
bool build_hidden_maps(struct build *build, const char *name, const struct mlp_card *mlp,
                       size_t *tensor, struct layout *layout);

/* The last operation, a linear map, leaves room in its output's rows, which is zero. */
void build_leave_room(struct build *build);

/* Appends the energy scale[species] * value * sigmoid(gate) of two MLPs in linear maps,
 * "readout.value" and "readout.gate", with the card at a key of the model, of all scalars of a
 * tensor; reads "scale" and "shift". */
bool build_gated_readout(struct build *build, const char *key, size_t in,
                         const struct layout *layout);

/* Appends the rows of a tensor, of atoms or of edges, to what is given as descriptors: a layer's
 * features, as readouts are about to read them. Those of edges are summed over an atom's edges. */
bool build_descriptors(struct build *build, size_t tensor, const struct layout *layout);

/* Appends a dipole NAME of the vectors (1o) and scalars (0e) of a tensor of atoms, with this card.
 * A model may have any number of them, which add up. */
bool build_dipole(struct build *build, const char *name, const struct card_object *card, size_t in,
                  const struct layout *layout);

/* Channels of scalars somewhere in the rows of a tensor. */
struct scalars {
  size_t tensor, dim, offset, mul;
};

/* A tensor of edges of dim reals a row. */
bool build_edge_tensor(struct build *build, size_t dim, size_t *tensor);

/* Appends the MLP NAME, with this card, of the scalars of several tensors of edges, put together.
 *   in   [n_in]; replaced by the last hidden layer, if there is one
 *   to   one irrep, the place of the output's columns */
bool build_edge_mlp(struct build *build, const char *name, const struct card_object *card,
                    struct scalars *in, size_t n_in, const struct layout_entry *to, size_t *out);

/* The same with one output: the energy of each edge times scale [n_species] of its receiver. */
bool build_edge_energy(struct build *build, const char *name, const struct card_object *card,
                       struct scalars *in, size_t n_in, const double *scale);

/* Appends the tensor product of a tensor of edges, with irreps of U channels each, and the
 * receivers' sums of harmonics of degrees 0..l_max, U channels each (model_format.h, "allegro"). */
bool build_tensor_product(struct build *build, const char *name, size_t in,
                          const struct layout *from, size_t sums, size_t out,
                          const struct layout *to);

/* Reads the "pair_repulsion" of the "model" object, if it has one. */
bool build_pair_repulsion(struct build *build);

/* Fills program->radial and reads the tensors of its basis. */
bool build_radial(struct build *build, double r_max);

/* Reads tensor NAME of this shape into memory that lives until program_compile, or as long as the
 * program. */
double *build_read(struct build *build, const char *name, size_t n_dims, const size_t *shape);
double *build_keep(struct build *build, const char *name, size_t n_dims, const size_t *shape);

/* The same of a tensor that is by head where the model has heads: [n_heads] then comes before its
 * shape, of at most 3 dimensions. */
double *build_read_by_head(struct build *build, const char *name, size_t n_dims,
                           const size_t *shape);
double *build_keep_by_head(struct build *build, const char *name, size_t n_dims,
                           const size_t *shape);

/* The heads that there are numbers for: 1 where the model has none by name. */
static inline size_t build_heads(const struct build *build) {
  return build->program->n_heads > 0 ? build->program->n_heads : 1;
}

/* Whether memory has run out; then says so. */
bool build_no_memory(struct build *build);

/* For calls that give up: says that memory has run out, if so. Always false. */
static inline bool build_give_up(struct build *build) {
  build_no_memory(build);
  return false;
}

#endif
