/* A model: loaded once from the bytes of a model file, then shared by any number of threads.
 *
 *   irrep_model_load             once
 *   irrep_model_graph            each structure
 *   irrep_model_bytes            for a batch of them: the memory that the next call needs
 *   irrep_model_evaluate_graphs  that batch
 *
 * irrep_model_plan and irrep_model_evaluate do the same where no graphs are to be kept: each finds
 * the edges anew. */
#ifndef IRREP_MODEL_H
#define IRREP_MODEL_H

#include "irrep/graph.h"
#include "irrep/result.h"
#include "irrep/status.h"
#include "irrep/structure.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct irrep_model; /* the same to its users from loading on */

enum irrep_precision { IRREP_FLOAT32, IRREP_FLOAT64 };

/* What is known of a model. Owned by the model. */
struct irrep_model_card {
  const char *architecture;      /* "nequip", ... */
  const char *variant;           /* "sevennet", or "" */
  const int32_t *atomic_numbers; /* [n_elements] in the model's own order */
  size_t n_elements;
  double r_max; /* Angstrom */
  enum irrep_precision
      precision; /* the one its authors trained and ship it in; the default of evaluation */
  size_t bytes;  /* memory of the loaded model, once each of its elements has occurred in that
                    precision */
  const char
      *metadata; /* the file's "irrepd" entry: a JSON object, [metadata_size], NUL-terminated */
  size_t metadata_size;
};

/* Size of one structure or, summed, of a batch. */
struct irrep_plan {
  size_t n_structures;
  size_t n_atoms;
  size_t n_edges; /* directed */
};

/* Threads that help with one evaluation: the caller's own, for the library starts none. Tiles of
 * atoms are shared out among them; numbers have the same bits for any number of threads. */
struct irrep_team {
  size_t n_helpers;     /* threads besides the caller of irrep_model_evaluate */
  void *const *scratch; /* [n_helpers] of irrep_model_helper_bytes, aligned to IRREP_ALIGNMENT */

  /* Calls task(context, thread, index) once for each index below n_tasks, from the caller (thread
   * 0) and from helpers (threads 1 to n_helpers), at most one call at a time for each thread, and
   * returns when all are done. */
  void (*run)(struct irrep_team *team, void (*task)(void *context, size_t thread, size_t index),
              void *context, size_t n_tasks);
};

/* What an evaluation spends its time on, for who has a clock: the library has none. */
struct irrep_profile {
  /* Called by a thread (0: the caller of irrep_model_evaluate, 1 to n_helpers: helpers) when it has
   * done a piece of an operation, forward or the adjoint: the time since its last call belongs to
   * that. operation is static; NULL: the time belongs to nothing. Called at the same time by
   * different threads. */
  void (*note)(struct irrep_profile *profile, size_t thread, const char *operation, bool adjoint);
};

struct irrep_evaluate_options {
  enum irrep_precision precision;
  const atomic_int *cancelled; /* NULL, or a flag that another thread may set: evaluation then ends
                                  early, CANCELLED */
  struct irrep_team *team;     /* NULL: the calling thread alone */
  bool exact_filters;          /* compute radial networks for each edge, as in the precision that is
                                  not the card's, instead of reading tables made at load */
  bool plain_kernels; /* use the kernels for the least processor that is supported, not the best for
                         this one */
  struct irrep_profile *profile; /* NULL: nobody asks */
};

/* Loads a model from the bytes of a model file (model_format.h). The bytes are copied as needed and
 * may go afterwards. On OK *model is owned by the caller (irrep_model_free); otherwise it is NULL.
 * Every offset, shape, dtype and count is checked before use. BAD_MODEL_FILE, UNSUPPORTED_MODEL,
 * NO_MEMORY. Thread-safe. */
enum irrep_status irrep_model_load(const void *bytes, size_t n_bytes, struct irrep_model **model,
                                   struct irrep_error *error);

/* Where the bytes of a model file come from, in pieces. */
struct irrep_model_source {
  size_t n_bytes; /* of the whole file */

  /* Copies n bytes from an offset on; offset + n <= n_bytes. false: they cannot be read, or there
   * are fewer by now. */
  bool (*read)(void *context, size_t offset, size_t n, void *bytes);
  void *context;
};

/* The same, from a file that is not in memory as a whole: the header is read and checked against
 * n_bytes first, then each tensor that the card gives a meaning, in pieces. read is called on the
 * calling thread, and not afterwards. BAD_MODEL_FILE also where it fails. Thread-safe. */
enum irrep_status irrep_model_load_from(const struct irrep_model_source *source,
                                        struct irrep_model **model, struct irrep_error *error);

/* Frees a model; NULL is allowed. No evaluation may be under way. */
void irrep_model_free(struct irrep_model *model);

/* The card of a model. Thread-safe. */
const struct irrep_model_card *irrep_model_card(const struct irrep_model *model);

/* Checks a structure against a model and counts its edges: the time is linear in atoms and edges,
 * scratch memory is taken from the heap and given back. max_edges bounds the count (SIZE_MAX: no
 * bound). NO_ATOMS, NOT_FINITE, UNKNOWN_ELEMENT, SINGULAR_CELL, ATOMS_OVERLAP, TOO_LARGE,
 * NO_MEMORY; error->field names the field and index. Thread-safe. */
enum irrep_status irrep_model_plan(const struct irrep_model *model,
                                   const struct irrep_structure *structure, size_t max_edges,
                                   struct irrep_plan *plan, struct irrep_error *error);

/* Checks a structure against a model, counts its edges as irrep_model_plan does, and keeps them in
 * a graph of the model's cutoff, unless that would take more than max_bytes on the way: then *graph
 * is NULL on OK. The caller owns the graph (irrep_graph_free). What irrep_model_plan returns.
 * Thread-safe. */
enum irrep_status irrep_model_graph(const struct irrep_model *model,
                                    const struct irrep_structure *structure, size_t max_edges,
                                    size_t max_bytes, struct irrep_plan *plan,
                                    struct irrep_graph **graph, struct irrep_error *error);

/* The size of a graph. Thread-safe. */
struct irrep_plan irrep_graph_plan(const struct irrep_graph *graph);

/* The arena bytes that evaluating a batch of the given sums needs, of structures or graphs;
 * SIZE_MAX where that overflows. Monotonic in every field of the plan. Thread-safe. */
size_t irrep_model_bytes(const struct irrep_model *model, enum irrep_precision precision,
                         const struct irrep_plan *batch);

/* The scratch that each helper of a team needs. Thread-safe. */
size_t irrep_model_helper_bytes(const struct irrep_model *model, enum irrep_precision precision);

/* Evaluates a small crystal of the model's elements by the kernels chosen for this processor and by
 * the plain ones, without tables, and compares: *deviation is the largest difference of energy and
 * forces, in units of what rounding and tables explain. Above 1 the model should be evaluated with
 * plain_kernels and exact_filters. Takes memory from the heap and gives it back. What plan and
 * evaluate return. Thread-safe. */
enum irrep_status irrep_model_self_check(const struct irrep_model *model,
                                         enum irrep_precision precision, double *deviation,
                                         struct irrep_error *error);

/* Evaluates a batch of structures, each of which irrep_model_plan has accepted.
 *   structures  [n_structures]
 *   arena       [arena_bytes] aligned to IRREP_ALIGNMENT; irrep_model_bytes of the plans' sum
 *   results     [n_structures]; their status is OK, RESULT_NOT_FINITE, or what plan would have said
 *
 * Allocates nothing and locks nothing, but where an element of the model occurs for the first time:
 * its weights are made then. A structure's numbers have the same bits whatever else is in the
 * batch. OK, NO_MEMORY (arena too small), BAD_ARGUMENT, CANCELLED (no result is meaningful).
 * Thread-safe on distinct arenas. */
enum irrep_status irrep_model_evaluate(const struct irrep_model *model,
                                       const struct irrep_evaluate_options *options,
                                       const struct irrep_structure *structures,
                                       size_t n_structures, void *arena, size_t arena_bytes,
                                       struct irrep_result *results, struct irrep_error *error);

/* Evaluates a batch of graphs, each of the model's cutoff: nothing is searched for, and the numbers
 * have the bits that irrep_model_evaluate gives for the structures.
 *   graphs   [n_graphs]
 *   results  [n_graphs]; their status is OK, RESULT_NOT_FINITE, UNKNOWN_ELEMENT or TOO_LARGE (no
 *            room in a batch of 2^32 atoms or edges)
 *
 * For the rest, irrep_model_evaluate. BAD_ARGUMENT also for a graph of another cutoff. */
enum irrep_status irrep_model_evaluate_graphs(const struct irrep_model *model,
                                              const struct irrep_evaluate_options *options,
                                              const struct irrep_graph *const *graphs,
                                              size_t n_graphs, void *arena, size_t arena_bytes,
                                              struct irrep_result *results,
                                              struct irrep_error *error);

#endif
