/* A program: a model as a list of operations over tensors, with a plan of its memory. It is data;
 * core/cpu/ runs it.
 *
 * A builder (core/builders/) appends tensors and operations in the order of the forward pass, then
 * calls program_compile. An evaluator runs the list forward, and the adjoints of its operations
 * backward.
 *
 * Between two operations that read the rows of neighbours, each operation touches one atom at a
 * time. Such a stretch is a stage: the evaluator runs it tile by tile over the atoms, and keeps for
 * all atoms only what later stages or adjoints read.
 *
 * A program with a tensor of edges is a local one (Allegro). No operation of it reads the rows of
 * another atom, so the evaluator runs the forward pass and the adjoints of a tile back to back, and
 * keeps nothing for all atoms or edges (core/cpu/local.c). Its tensors share their places by the
 * operations between which they are needed. */
#ifndef CORE_PROGRAM_PROGRAM_H
#define CORE_PROGRAM_PROGRAM_H

#include "core/e3/irreps.h"
#include "core/nn/radial.h"
#include "core/program/ops.h"
#include "core/program/parameters.h"
#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Where an array lies: in the memory for all atoms (global) or in that of a tile. Each of them is
 * divided into arrays [rows][dim], and the array at `offset` begins offset * rows reals behind the
 * start, with the rows of all local atoms, or as many as a tile has at most. Global arrays that
 * have rows for ghosts come first, below ghost_reals of the program: each of these reals has room
 * for all atoms, ghosts included. */
struct storage {
  bool global;
  size_t offset; /* reals a row */
};

/* Features, a row for each atom or each edge, and the gradient of the energy by them. */
struct tensor {
  size_t dim;     /* reals of a row, a multiple of IRREP_LANES */
  bool of_edges;  /* the builder says that it has a row for each edge */
  bool fixed;     /* program_compile finds that a row depends on the atom's species alone: its
                     gradient is of no use */
  bool of_ghosts; /* likewise, that its features have rows for ghosts: a convolution reads them or,
                     where they are fixed, what is made of them */
  struct storage features, gradient;
};

/* An operation, with the parameters of its kind (parameters.h). Weights are offsets into those of
 * the program, in reals. */
struct op {
  enum op_id id;
  size_t in, out;       /* indices of tensors; PROGRAM_NONE where the kind has none */
  size_t sums;          /* the tensor of atoms that it also reads, where the kind has_sums */
  bool accumulate;      /* it adds to out, which an earlier operation has written */
  bool grad_accumulate; /* its adjoint adds to the gradient of in, which that of a later operation
                           has written; program_compile sets it */
  bool grad_unused;     /* its adjoint writes no gradient of in, which is fixed; likewise */
  bool by_head;         /* it differs by the atom's head; a kind that is by_row only */
  size_t head_stride;   /* reals between the weights of successive heads; 0: one for all */
  union {
    struct {
      size_t table; /* weights [n_species][dim of out]: the row of each species */
    } embedding;
    struct linear linear;
    struct gate gate;
    struct norm norm;
    struct vector_norm vector_norm;
    struct layer_norm layer_norm;
    struct matrix_norm matrix_norm;
    struct add add;
    struct product product;
    struct tensor_square tensor_square;
    struct {
      struct convolution convolution; /* a density, a two-body feature: n_columns alone */
      struct filter filter;           /* of the edges, n_columns wide */
      double offset, scale; /* a density: out = in / (offset + scale * sum of the filters) */
    } message;
    struct {
      struct weighted_harmonics weighted;
      const double *scale; /* an environment: [n_species] multiplies the receiver's sum */
    } harmonics;
    struct tensor_product tensor_product;
    struct {
      size_t weights;      /* [dim of in] */
      const double *scale; /* [n_heads][n_species] eV: energy += scale * weights . in */
    } readout;
    struct descriptors descriptors;
    struct dipole_readout dipole;
  };
};

/* Returns whether the adjoint of an operation of a compiled program has anything to do. */
static inline bool op_has_adjoint(const struct op *op) {
  const struct op_traits *traits = &op_traits[op->id];
  return traits->has_adjoint && !(traits->by_row && op->grad_unused);
}

/* The operations first .. end - 1, of which only the first may read the rows of neighbours. */
struct stage {
  size_t first, end;
};

/* Weights [n_species][stride] that lie at an offset of the program's. An evaluator writes those of
 * a species when an atom of it first occurs: most elements of a universal model never do. */
struct species_weights {
  size_t offset, stride; /* reals */

  /* Writes the weights [stride] of one species, which are zero. Thread-safe. */
  void (*fill)(const void *context, size_t species, double *weights);
  const void *context; /* lives as long as the program */
};

/* The builder writes the first group of fields, program_* the others; everybody reads them. The
 * program owns all that they point to. Once compiled it is not written any more, and any number of
 * threads may run it. */
struct program {
  struct radial radial;
  int l_max;            /* edges have harmonics of degrees 0 .. l_max */
  bool solid_harmonics; /* those of degree l are multiplied by the edge's length to the l */
  size_t n_species;
  size_t n_heads;  /* 0: the model has no heads, and what is by head has one row */
  double *shift;   /* [n_heads][n_species] eV, energies of isolated atoms: a term beside the program
                      (core/terms/model_terms.h), which no operation adds */
  bool has_dipole; /* it has operations OP_DIPOLE, of tensors of atoms */
  bool mean;       /* a structure's energy is the mean over its atoms, not the sum */

  /* The features that its readouts read, as they are given to who wants them (OP_DESCRIPTORS). */
  size_t n_descriptors, n_descriptors_l; /* columns: of the invariant ones, of all */
  char *descriptor_irreps; /* "8x0e+8x1o 8x0e", layer by layer, all of them; NULL: there are none */

  size_t n_tensors, n_ops, n_stages;
  struct tensor *tensors; /* [n_tensors] */
  struct op *ops;         /* [n_ops] in the order of the forward pass */
  struct stage *stages;   /* [n_stages] which follow each other and cover all operations */

  bool local;    /* it has tensors of edges, and one stage */
  bool directed; /* an edge and its reverse have different filters */

  size_t n_weights; /* reals */
  double *weights; /* [n_weights] as built, but for species_weights; an evaluator has a copy in each
                      precision, and the loader frees this one */
  size_t n_species_weights;
  struct species_weights *species_weights; /* [n_species_weights] by ascending offset */

  /* How much memory an evaluator needs, in reals. */
  size_t global_reals;   /* for each local atom: the features and gradients that are kept for all */
  size_t ghost_reals;    /* for each ghost: the first ghost_reals of these */
  size_t tile_reals;     /* for each row of a tile of atoms */
  size_t edge_reals;     /* for each row of a tile of edges; 0 unless the program is local */
  size_t columns_max;    /* columns of the widest filter */
  size_t width_max;      /* of the widest hidden layer of a filter */
  size_t pairs_max;      /* pairs of components of the largest convolution or tensor product */
  size_t path_pairs_max; /* of the largest path of a convolution; 0 without one */
  size_t path_channels_max; /* channels of the widest path, padded */

  struct owned *owned, *scratch; /* memory: until program_fini, and until program_compile */
  size_t owned_bytes;            /* of the former */
  bool no_memory;                /* an allocation has failed; it stays true */
};

/* The reals before the global array at an offset, or of all where it is global_reals: those of each
 * local atom and, below ghost_reals, of each ghost. SIZE_MAX on overflow. */
size_t program_global_reals(const struct program *program, size_t offset, size_t n_local,
                            size_t n_ghosts);

/* No tensor; no offset, where a call has failed. */
#define PROGRAM_NONE ((size_t)-1)

/* Makes an empty program, for program_fini to free what it gets. */
void program_init(struct program *program);

/* Frees what a program owns; it is empty then. */
void program_fini(struct program *program);

/* Returns count * size zeroed bytes that the program owns; NULL, with no_memory set, where there
 * are not so many. */
void *program_take(struct program *program, size_t count, size_t size);

/* Likewise, but program_compile frees them. */
void *program_take_scratch(struct program *program, size_t count, size_t size);

/* Appends count zeroed weights. Returns their offset, a multiple of IRREP_LANES; PROGRAM_NONE
 * without memory. The address program->weights + offset is good until the next weights are
 * appended.
 */
size_t program_weights(struct program *program, size_t count);

/* Appends weights [n_species][*stride], of which `fill` writes the first `count` of one species.
 * Returns their offset, PROGRAM_NONE without memory, and writes the stride, which is count rounded
 * up to a multiple of IRREP_LANES. The context lives as long as the program. */
size_t program_species_weights(struct program *program, size_t count,
                               void (*fill)(const void *context, size_t species, double *weights),
                               const void *context, size_t *stride);

/* A matrix [rows][columns] is packed twice, as it is and transposed, in matrix_reals weights.
 * matrix_from says where they lie from an offset on; matrix_put writes one element into both, whose
 * weights were zero. */
struct matrix matrix_from(size_t rows, size_t columns, size_t offset);
size_t matrix_reals(size_t rows, size_t columns);
void matrix_put(const struct matrix *matrix, size_t row, size_t column, double value,
                double *weights);

/* Appends a matrix with the elements of dense [rows][columns], which do not lie in the weights. */
struct matrix program_matrix(struct program *program, size_t rows, size_t columns,
                             const double *dense);

/* Appends a tensor with rows of dim reals, a multiple of IRREP_LANES. Returns its index,
 * PROGRAM_NONE without memory. */
size_t program_tensor(struct program *program, size_t dim);

/* Appends an operation, zero but for its id and tensors. Returns its address, which is good until
 * the next one is appended; NULL without memory. */
struct op *program_op(struct program *program, enum op_id id, size_t in, size_t out);

/* Cuts the list into stages, orders the adjoints, and plans the memory. NO_MEMORY, also where an
 * earlier call has failed; BAD_MODEL_FILE where an operation reads a tensor before one writes it,
 * or none reads it, or a program with tensors of edges reads the rows of neighbours. */
enum irrep_status program_compile(struct program *program, struct irrep_error *error);

/* The last step of program_compile: gives each array its storage, by the times at which it is
 * needed (storage.c), and writes the sums of reals. NO_MEMORY. */
enum irrep_status program_plan_storage(struct program *program);

#endif
