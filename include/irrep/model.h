/* A model: loaded once from the bytes of a model file, then shared by any number of threads.
 *
 *   irrep_model_load             reads the model, once
 *   irrep_model_graph            checks a structure and finds its edges
 *   irrep_model_bytes            says how much memory a batch needs
 *   irrep_model_evaluate_graphs  computes the batch
 *
 * irrep_model_plan and irrep_model_evaluate do the same where no graphs are to be kept: each finds
 * the edges anew.
 *
 * The library starts no threads, keeps no global state and reads no files, clocks or environment.
 * (OpenBLAS, which it is linked with, reads OPENBLAS_CORETYPE and the like when a program starts.)
 * A call that fails returns a status other than OK and fills the caller's error. */
#ifndef IRREP_MODEL_H
#define IRREP_MODEL_H

#include "irrep/graph.h"
#include "irrep/result.h"
#include "irrep/status.h"
#include "irrep/structure.h"
#include "irrep/term.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A model that has been loaded. It is opaque, and computes the same until irrep_model_free. */
struct irrep_model;

/* What features, weights and filters are computed in. Energies, forces and what comes of them are
 * summed in double in either case. */
enum irrep_precision { IRREP_FLOAT32, IRREP_FLOAT64 };

/* Says what is known of a model, which owns the card and all that it points to. The library writes
 * it; later versions add fields at its end. */
struct irrep_card {
  const char *architecture;       /* "nequip", "mace", ...; never NULL */
  const char *variant;            /* "sevennet", or "" */
  const int32_t *atomic_numbers;  /* [n_elements] in the model's own order */
  size_t n_elements;              /* at least 1 */
  double r_max;                   /* Angstrom: edges are closer than this */
  enum irrep_precision precision; /* its authors trained and ship it in this one */
  size_t bytes; /* it takes this much memory, once each of its elements has occurred in an
                   evaluation in that precision; see irrep_model_resident_bytes */
  const char
      *metadata; /* [metadata_size] the file's entry "irrepd", a JSON object; a NUL follows */
  size_t metadata_size;
  const char *blas; /* what multiplied matrices when the model was loaded: "OpenBLAS 0.3.21 Haswell"
                       with the processor that it takes this one for, or "own": the plain loops of
                       the library, where OpenBLAS computes wrong or has several threads */
  const char *const *heads; /* [n_heads] names of the heads, UTF-8 */
  size_t n_heads;           /* 0: the model has no heads by name */
  size_t default_head;      /* the head of a structure that none is named for; IRREP_HEAD_NONE: it
                               has to be named. 0 where n_heads is */
  size_t n_descriptors, n_descriptors_l; /* columns of the outputs of these names: the invariant
                                            features, and all, that readouts read */
  const char *descriptor_irreps;         /* of descriptors_l: "8x0e+8x1o 8x0e", layer by layer */
  bool has_dipole;                       /* results have dipoles */
};

/* No head. */
#define IRREP_HEAD_NONE SIZE_MAX

/* Tells the size of one structure or, field by field, the sum over the structures of a batch. The
 * caller owns it, and adds plans up. */
struct irrep_plan {
  size_t struct_size; /* sizeof(struct irrep_plan); see "Versions" in conventions.h */
  size_t n_structures;
  size_t n_atoms;
  size_t n_edges; /* directed, within r_max */

  /* A struct may end before these. */
  size_t n_ghosts;     /* of the atoms */
  size_t n_view_edges; /* of the edges: those of a view (irrep_graph_view), whose lists are read
                          where they are */
};

/* The sum over no structures. */
#define IRREP_PLAN_INIT                                                                            \
  { sizeof(struct irrep_plan), 0, 0, 0, 0, 0 }

/* Names the caller's threads that help with one evaluation. The library divides the work into
 * tasks, which the threads share; results have the same bits for any number of them. The caller
 * owns the team, which outlives the evaluation. */
struct irrep_team {
  size_t struct_size;   /* sizeof(struct irrep_team); see "Versions" in conventions.h */
  size_t n_helpers;     /* threads besides the one that calls irrep_model_evaluate; at most
                           IRREP_HELPERS_MAX */
  void *const *scratch; /* [n_helpers] blocks of irrep_model_helper_bytes, each aligned to
                           IRREP_ALIGNMENT, for the library to write in */
  void *context;        /* what `run` is given first */

  /* Calls task(task_context, thread, index) once for each index below n_tasks and returns when all
   * are done. The caller of irrep_model_evaluate is thread 0, helpers are threads 1 to n_helpers; a
   * thread does one task at a time. The order is free, and helpers may do nothing at all. */
  void (*run)(void *context, void (*task)(void *task_context, size_t thread, size_t index),
              void *task_context, size_t n_tasks);
};

/* A team without helpers. */
#define IRREP_TEAM_INIT                                                                            \
  { sizeof(struct irrep_team), 0, NULL, NULL, NULL }

/* Measures what an evaluation spends its time on, by the caller's clock. The caller owns the
 * profile, which outlives the evaluation. */
struct irrep_profile {
  size_t struct_size; /* sizeof(struct irrep_profile); see "Versions" in conventions.h */
  void *context;      /* what `note` is given first */

  /* A thread (0 is the caller of irrep_model_evaluate, 1 to n_helpers are helpers) calls it when it
   * has done a piece of an operation, or of its adjoint: the time since this thread's last call
   * belongs to that operation, or to none where operation is NULL. The text is static. Several
   * threads call it at the same time. */
  void (*note)(void *context, size_t thread, const char *operation, bool adjoint);
};

/* `note` is to be set. */
#define IRREP_PROFILE_INIT                                                                         \
  { sizeof(struct irrep_profile), NULL, NULL }

/* Lets the processes that a structure is divided among (graph.h) tell each other the features of
 * ghosts and the gradients by them. The caller owns the exchange, which outlives the evaluation. */
struct irrep_exchange {
  size_t struct_size; /* sizeof(struct irrep_exchange); see "Versions" in conventions.h */
  void *context;      /* what `rows` is given first */

  /* The thread that called irrep_model_evaluate_graphs calls it, with an array [n_atoms][width] of
   * the graph's local atoms and then its ghosts; the elements are reals of real_size bytes (4:
   * float, 8: double). It either fills the rows of ghosts with those of the atoms that they are
   * copies of (forward), or adds the rows of ghosts to those of these atoms (not forward).
   *
   * The number of calls and their arguments depend on the model, the precision and on whether
   * forces or stresses are wanted; all processes have to agree on these. It is called where a graph
   * has no atoms or ghosts, and after cancelling, too. It returns 0, or anything else where it has
   * failed: then the evaluation ends as CANCELLED, without another call. */
  int (*rows)(void *context, void *rows, size_t width, size_t real_size, bool forward);
};

/* `rows` is to be set. */
#define IRREP_EXCHANGE_INIT                                                                        \
  { sizeof(struct irrep_exchange), NULL, NULL }

/* Says how to evaluate. The caller owns it, and what it points to, for the time of the call. */
struct irrep_evaluate_options {
  size_t struct_size; /* sizeof(struct irrep_evaluate_options); see "Versions" in conventions.h. A
                         struct may end after plain_kernels */
  enum irrep_precision precision;
  bool exact_filters; /* computes radial networks for each edge instead of reading tables: those of
                         the card's precision are made at load, the others when an evaluation in
                         that precision first needs them (irrep_model_prepare) */
  bool plain_kernels; /* takes the kernels for the least processor that is supported, not the best
                         ones for this processor */

  /* NULL, or whether the evaluation shall end early, as CANCELLED. All threads of the evaluation
   * call it, at the same time, before each tile of atoms; once true it stays true. It must not wait
   * and must read what other threads write as an atomic. */
  bool (*cancelled)(void *context);
  void *cancel_context; /* what `cancelled` is given */

  const struct irrep_team *team;       /* NULL: the calling thread works alone */
  const struct irrep_profile *profile; /* NULL: nothing is measured */

  const struct irrep_exchange *exchange; /* NULL: there is none; only with a single graph */

  /* [n_additions] terms beside the model's own, in the order of their structures; the energy of
   * each is written. Results are those of the sum. */
  struct irrep_addition *additions;
  size_t n_additions;

  /* [n_structures] or [n_graphs]: the index of each one's head among the card's heads, 0 of a model
   * without. NULL: all have the card's default_head. */
  const size_t *heads;
};

/* Evaluates in single precision, on the calling thread. */
#define IRREP_EVALUATE_OPTIONS_INIT                                                                \
  {                                                                                                \
    sizeof(struct irrep_evaluate_options), IRREP_FLOAT32, false, false, NULL, NULL, NULL, NULL,    \
        NULL, NULL, 0, NULL                                                                        \
  }

/* Loads a model from the bytes of a model file (model_format.h), every offset, shape, dtype and
 * count of which it checks before use.
 *
 *   bytes  [n_bytes] of any alignment; the caller may free them when the call returns
 *   model  set to the model, which the caller owns (irrep_model_free), or to NULL on failure
 *
 * OK; BAD_MODEL_FILE: the file is damaged; UNSUPPORTED_MODEL: it asks for what this version does
 * not have; NO_MEMORY. error->field names the entry or tensor. Thread-safe. */
enum irrep_status irrep_model_load(const void *bytes, size_t n_bytes, struct irrep_model **model,
                                   struct irrep_error *error);

/* Gives the bytes of a model file in pieces. The caller owns it for the time of the call. */
struct irrep_model_source {
  size_t struct_size; /* sizeof(struct irrep_model_source); see "Versions" in conventions.h */
  size_t n_bytes;     /* of the whole file */
  void *context;      /* what `read` is given first */

  /* Copies n bytes from an offset on, with offset + n <= n_bytes, and returns true; or returns
   * false: they cannot be read, or there are fewer by now. */
  bool (*read)(void *context, size_t offset, size_t n, void *bytes);

  /* Other than 0: the library never calls OpenBLAS, as for processors that this does not know,
   * where a call may end the process. (No bool: a struct has no padding at its end.) A struct may
   * end before it. */
  size_t own_products;
};

/* `n_bytes` and `read` are to be set. */
#define IRREP_MODEL_SOURCE_INIT                                                                    \
  { sizeof(struct irrep_model_source), 0, NULL, NULL, 0 }

/* Loads a model as irrep_model_load does, from a file that is not in memory as a whole: reads the
 * header first and checks it against n_bytes, then reads each tensor that the card gives a meaning,
 * in pieces. Calls `read` on the calling thread, and not afterwards. BAD_MODEL_FILE also where that
 * fails; BAD_ARGUMENT: a struct_size, or no `read`. Thread-safe. */
enum irrep_status irrep_model_load_from(const struct irrep_model_source *source,
                                        struct irrep_model **model, struct irrep_error *error);

/* Makes what the first evaluation in a precision would make: tables of filters, in up to some
 * seconds. Another thread that needs the same waits for it. OK; BAD_ARGUMENT: the precision;
 * NO_MEMORY. Thread-safe. */
enum irrep_status irrep_model_prepare(const struct irrep_model *model,
                                      enum irrep_precision precision, struct irrep_error *error);

/* Returns card->bytes and, when there are tables in the other precision, what this adds to them: of
 * tables at most 256 MiB. Thread-safe. */
size_t irrep_model_resident_bytes(const struct irrep_model *model);

/* Frees a model and its card; does nothing for NULL. The caller makes sure that no other call on
 * the model is under way. */
void irrep_model_free(struct irrep_model *model);

/* Returns the card, which lives as long as the model; never NULL. Thread-safe. */
const struct irrep_card *irrep_model_card(const struct irrep_model *model);

/* Returns the index of the head of a name [size], which need not end in NUL, among those of a
 * model; IRREP_HEAD_NONE where it has no such head. Thread-safe. */
size_t irrep_model_find_head(const struct irrep_model *model, const char *name, size_t size);

/* Checks a structure against a model and counts its edges, in time linear in atoms and edges.
 *
 *   structure  one structure
 *   max_edges  the most edges that are counted; SIZE_MAX: no bound of the caller's
 *   plan       struct_size is the caller's; the rest is written on OK
 *
 * OK; NO_ATOMS; NOT_FINITE: a coordinate or a cell entry is not finite or above IRREP_LENGTH_MAX;
 * UNKNOWN_ELEMENT; SINGULAR_CELL; ATOMS_OVERLAP: a pair is closer than IRREP_DISTANCE_MIN;
 * TOO_LARGE: more than max_edges or 2^32 - 1 edges; BAD_ARGUMENT: a struct_size; NO_MEMORY.
 * error->field names the field and the index of the atom, e.g. "numbers/3".
 *
 * Takes scratch memory from the heap and gives it back. Thread-safe. */
enum irrep_status irrep_model_plan(const struct irrep_model *model,
                                   const struct irrep_structure *structure, size_t max_edges,
                                   struct irrep_plan *plan, struct irrep_error *error);

/* Checks a structure against a model, counts its edges as irrep_model_plan does, and keeps them in
 * a graph of the model's cutoff.
 *
 *   max_bytes  the most memory that the graph and finding it may take; where that does not suffice
 *              or there is less, *graph is NULL on OK
 *   graph      set to the graph, which the caller owns (irrep_graph_free), or to NULL
 *
 * For the rest, see irrep_model_plan. */
enum irrep_status irrep_model_graph(const struct irrep_model *model,
                                    const struct irrep_structure *structure, size_t max_edges,
                                    size_t max_bytes, struct irrep_plan *plan,
                                    struct irrep_graph **graph, struct irrep_error *error);

/* Writes the size of a graph into a plan, whose struct_size is the caller's. OK; BAD_ARGUMENT: the
 * struct_size. Thread-safe. */
enum irrep_status irrep_graph_plan(const struct irrep_graph *graph, struct irrep_plan *plan,
                                   struct irrep_error *error);

/* Returns the bytes of arena that evaluating a batch of structures or graphs needs, whose plans
 * have the given sum; SIZE_MAX where that number overflows, or the precision or the plan's
 * struct_size is refused. More structures, atoms or edges never need less. Thread-safe. */
size_t irrep_model_bytes(const struct irrep_model *model, enum irrep_precision precision,
                         const struct irrep_plan *batch);

/* Returns the bytes that an evaluation with some options needs, of which the precision and
 * exact_filters count; irrep_model_bytes is the most for either exact_filters. SIZE_MAX also where
 * the options are refused. Thread-safe. */
size_t irrep_model_bytes_for(const struct irrep_model *model,
                             const struct irrep_evaluate_options *options,
                             const struct irrep_plan *batch);

/* Returns the bytes of scratch that each helper of a team needs; SIZE_MAX where that number
 * overflows or the precision is refused. Thread-safe. */
size_t irrep_model_helper_bytes(const struct irrep_model *model, enum irrep_precision precision);

/* Evaluates a small crystal of the model's elements twice, by the kernels chosen for this processor
 * with tables and by the plain kernels without, and compares the two.
 *
 *   deviation  set to the largest difference of energy and forces, in units of what rounding and
 *              tables explain; infinite where one of the two has no numbers. Above 1 the caller
 *              should evaluate with plain_kernels and exact_filters
 *
 * OK, and what irrep_model_plan and irrep_model_evaluate return. Takes memory from the heap and
 * gives it back. Thread-safe. */
enum irrep_status irrep_model_self_check(const struct irrep_model *model,
                                         enum irrep_precision precision, double *deviation,
                                         struct irrep_error *error);

/* Evaluates a batch of structures, each of which irrep_model_plan has accepted.
 *
 *   options      how
 *   structures   [n_structures]
 *   arena        [arena_bytes] aligned to IRREP_ALIGNMENT, for the library to write in;
 *                irrep_model_bytes of the sum of the plans, and irrep_term_bytes of additions
 *   results      [n_structures] of the caller's; on OK each has a status of its own: OK,
 *                RESULT_NOT_FINITE, or what irrep_model_plan says of the structure, or
 *                UNKNOWN_ELEMENT or another status of an added term
 *
 * OK: the results are written; NO_MEMORY: the arena is too small, or there is no memory for the
 * weights of an element that occurs for the first time; BAD_ARGUMENT: an arena that is not aligned,
 * an option, team, profile, addition, head or struct_size that is not as described, or no heads
 * where the model has several and no default; CANCELLED. Without OK no result means anything.
 *
 * The numbers of a structure have the same bits whatever else is in the batch and however many
 * threads help. Nothing is allocated or locked, except in the first evaluation in the precision
 * that is not the card's, which makes tables (irrep_model_prepare), and where an element of the
 * model occurs for the first time in a precision: its weights are made then. Thread-safe on
 * distinct arenas and results.
 */
enum irrep_status irrep_model_evaluate(const struct irrep_model *model,
                                       const struct irrep_evaluate_options *options,
                                       const struct irrep_structure *structures,
                                       size_t n_structures, void *arena, size_t arena_bytes,
                                       struct irrep_result *results, struct irrep_error *error);

/* Evaluates a batch of graphs: searches for nothing, and gives the bits that irrep_model_evaluate
 * gives for the structures that the graphs were built from.
 *
 *   graphs   [n_graphs] of the model's cutoff; a view may have a larger one, and is evaluated alone
 *   results  [n_graphs] of the caller's; on OK each has a status of its own: OK,
 *            RESULT_NOT_FINITE, UNKNOWN_ELEMENT, or TOO_LARGE where there is no room in a batch of
 *            2^32 - 1 atoms or edges
 *
 * The energy of a view (irrep_graph_view) is that of its local atoms, as are its energies
 * [n_local]. Forces [n_atoms][3], stresses [n_atoms][3][3] (eV), virial and the number of edges are
 * what its own edges give, so that those of all parts of a structure add up to the whole's. It has
 * no stress. The order of its atoms and edges changes the numbers by rounding alone. With ghosts, a
 * model that passes messages needs options->exchange.
 *
 * For the rest, see irrep_model_evaluate. BAD_ARGUMENT also for a graph of another cutoff, several
 * graphs with a view among them or with an exchange, and ghosts without an exchange. Of a view the
 * call itself returns UNKNOWN_ELEMENT ("numbers/ATOM"), NOT_FINITE and ATOMS_OVERLAP
 * ("vectors/EDGE"). Nothing has been exchanged then, nor with NO_MEMORY. */
enum irrep_status irrep_model_evaluate_graphs(const struct irrep_model *model,
                                              const struct irrep_evaluate_options *options,
                                              const struct irrep_graph *const *graphs,
                                              size_t n_graphs, void *arena, size_t arena_bytes,
                                              struct irrep_result *results,
                                              struct irrep_error *error);

#ifdef __cplusplus
}
#endif

#endif
