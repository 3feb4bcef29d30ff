/* A model as a short list of operations over feature arrays, and its memory plan.
 *
 * A builder (core/builders/) appends tensors and operations in the order of the forward pass and
 * then calls program_compile. The evaluator runs the list forward and its adjoints backward.
 * Operations between two convolutions touch one atom at a time: such a stretch, a stage, is run
 * tile by tile over the atoms, and only what later stages or adjoints need is kept for all atoms.
 *
 * A local program has tensors with a row for each edge (Allegro). None of its operations reads rows
 * of other atoms, so forward pass and adjoints of a tile run back to back, and nothing is kept for
 * all atoms or edges. A tile is cut into runs of whole atoms with EDGE_TILE edges or so. Arrays
 * hold EDGE_ROWS edges; an atom with more is gone through in parts, once for each sum over its
 * edges that must be complete before the next (local.c). The arrays of a local program share their
 * places by the operations between which they are needed. */
#ifndef CORE_PROGRAM_PROGRAM_H
#define CORE_PROGRAM_PROGRAM_H

#include "core/e3/irreps.h"
#include "core/nn/radial.h"
#include "core/program/ops.h"
#include "core/program/parameters.h"
#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Where an array of features or of their gradients lives: rows of all atoms, or of a tile only. */
struct storage {
  bool global;   /* all atoms */
  size_t offset; /* in reals for each atom (global), or for each row of the tile */
};

/* A feature array, one row an atom or an edge. */
struct tensor {
  size_t dim;    /* reals of a row */
  bool of_edges; /* one row an edge; set by the builder */
  bool fixed;    /* a row depends on the species alone: nobody asks for its gradient; set by
                    program_compile */
  struct storage features, gradient;
};

struct op {
  enum op_id id;
  size_t in, out;       /* tensors, where the kind of operation has them */
  size_t sums;          /* a second input, of atoms, where it has one */
  bool accumulate;      /* adds to out, which an earlier operation has written */
  bool grad_accumulate; /* the adjoint adds to the gradient of in; set by program_compile */
  bool grad_unused;     /* in is fixed, and its gradient is not written; likewise */
  union {
    struct {
      size_t table; /* weights [n_species][dim of out] */
    } embedding;
    struct linear linear;
    struct gate gate;
    struct product product;
    struct tensor_square tensor_square;
    struct {
      struct convolution convolution; /* of a density, n_columns alone */
      struct filter filter;
      double offset, scale; /* of a density: out = in / (offset + scale * density) */
    } message;
    struct {
      struct weighted_harmonics weighted;
      const double *scale; /* [n_species] of the receiver; of an environment */
    } harmonics;
    struct tensor_product tensor_product;
    struct {
      size_t weights;      /* [dim of in] */
      const double *scale; /* [n_species] eV */
    } readout;
  };
};

/* Whether the adjoint of an operation of a compiled program has anything to do. */
static inline bool op_has_adjoint(const struct op *op) {
  const struct op_traits *traits = &op_traits[op->id];
  return traits->has_adjoint && !(traits->by_row && op->grad_unused);
}

/* Operations [first, end); only the first may read neighbours. */
struct stage {
  size_t first, end;
};

/* Weights [n_species][stride] at an offset, written species by species when the element first
 * occurs: most of the elements of a universal model never do. */
struct species_weights {
  size_t offset, stride;
  /* Writes the zeroed weights of one species. Thread-safe. */
  void (*fill)(const void *context, size_t species, double *weights);
  const void *context;
};

/* The fields are read by everybody and written by program_* only, but for the first group, which
 * the builder sets. Everything reachable is owned by the program. */
struct program {
  struct radial radial;
  int l_max;            /* harmonics of the edges */
  bool solid_harmonics; /* those of degree l are multiplied by r^l */
  size_t n_species;
  double *shift; /* [n_species] eV, of isolated atoms: a term beside the program (core/terms/) */
  bool mean;     /* energies are over the number of their structure's atoms */

  size_t n_tensors, n_ops, n_stages;
  struct tensor *tensors;
  struct op *ops;
  struct stage *stages;

  bool local;    /* has tensors of edges; one stage then */
  bool directed; /* an edge and its reverse have different filters */

  size_t n_weights; /* reals */
  double *weights;  /* as built, but for those by species; each precision has its own copy later */
  size_t n_species_weights;
  struct species_weights *species_weights; /* in the order of their offsets */

  size_t global_reals; /* for each atom: features and gradients of all atoms */
  size_t tile_reals;   /* for each row of a tile */
  size_t edge_reals;   /* for each edge of a tile; 0 unless the program is local */
  size_t columns_max;  /* reals of the widest filter */
  size_t width_max;    /* reals of the widest hidden filter layer */
  size_t pairs_max;    /* of a convolution or tensor product */

  struct owned *owned, *scratch;
  size_t owned_bytes;
  bool no_memory; /* an allocation has failed; sticks */
};

#define PROGRAM_NONE ((size_t)-1)

void program_init(struct program *program);
void program_fini(struct program *program);

/* Zeroed memory that lives as long as the program; NULL (and no_memory) on failure. */
void *program_take(struct program *program, size_t count, size_t size);

/* The same until program_compile. */
void *program_take_scratch(struct program *program, size_t count, size_t size);

/* count zeroed reals in the weights, at an aligned offset. PROGRAM_NONE on failure; the pointer
 * program->weights + offset is valid until the next call. */
size_t program_weights(struct program *program, size_t count);

/* The weights of all species, [n_species][count], of which `fill` writes one; its context lives as
 * long as the program. Returns their offset, PROGRAM_NONE on failure, and the stride between
 * species. */
size_t program_species_weights(struct program *program, size_t count,
                               void (*fill)(const void *context, size_t species, double *weights),
                               const void *context, size_t *stride);

/* A matrix in matrix_reals zeroed reals at an offset, packed twice: as is and transposed. */
struct matrix matrix_from(size_t rows, size_t columns, size_t offset);
size_t matrix_reals(size_t rows, size_t columns);
void matrix_put(const struct matrix *matrix, size_t row, size_t column, double value,
                double *weights);

/* Packs dense [rows][columns] into the weights. The source may not lie in them. */
struct matrix program_matrix(struct program *program, size_t rows, size_t columns,
                             const double *dense);

/* A new tensor of dim reals a row (a multiple of IRREP_LANES); PROGRAM_NONE on failure. */
size_t program_tensor(struct program *program, size_t dim);

/* Appends an operation, zeroed but for its id and tensors; NULL on failure. The pointer is valid
 * until the next call. */
struct op *program_op(struct program *program, enum op_id id, size_t in, size_t out);

/* Cuts the list into stages, orders the adjoints, and plans the memory.
 * NO_MEMORY, or BAD_MODEL_FILE for a tensor that is used before it is written or never used. */
enum irrep_status program_compile(struct program *program, struct irrep_error *error);

/* The memory plan, the last step of program_compile: which arrays are kept for all atoms, and
 * where, from the spans of time in which they are needed. */
enum irrep_status program_plan_storage(struct program *program);

#endif
