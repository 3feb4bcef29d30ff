/* What a client asks for: checked structures, in memory of the request's own. */
#ifndef SERVER_CODEC_REQUEST_H
#define SERVER_CODEC_REQUEST_H

#include "irrep/model.h"
#include "server/base/problem.h"
#include "server/codec/codec_committee.h"
#include "server/codec/codec_dispersion.h"
#include "server/codec/codec_head.h"
#include "server/codec/properties.h"
#include "server/models/bounds.h"
#include "server/models/evaluator.h"
#include "server/models/graph_store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct codec_limits {
  size_t max_structures; /* of a request */
  size_t max_atoms;      /* of a structure */
  bool motion;           /* structures may have a request_motion */
  bool of_hessian;       /* second derivatives are asked for: a request may name a method */
};

/* How second derivatives are computed: by tangents where they can be, or as a request says. */
enum request_method { METHOD_ANY, METHOD_ANALYTIC, METHOD_DIFFERENCES, N_METHODS };

/* "analytic" and "differences", by number; METHOD_ANY has no name. */
extern const char *const request_methods[N_METHODS];

enum request_priority { PRIORITY_INTERACTIVE, PRIORITY_BULK };

/* What atoms have besides their places, for those who move them. */
struct request_motion {
  const double *velocities; /* [n_atoms][3] Angstrom/fs; NULL: none were given */
  const double *masses;     /* [n_atoms] u; NULL: none were given */
  const uint32_t *fixed;    /* [n_fixed] indices of atoms that do not move */
  size_t n_fixed;
};

struct request_item {
  const char *id; /* NULL: none was given */
  struct irrep_structure structure;
  struct irrep_plan plan;              /* after request_plan */
  size_t members_bytes;                /* likewise: of arena, that the largest member takes */
  struct kept_graph graph;             /* likewise; whoever plans gives it up before request_fini */
  struct moving_graph *moving;         /* of one that is moved step by step, held; NULL: none */
  const struct request_motion *motion; /* NULL: nothing was given */
  struct problem *problem;             /* what is wrong with this structure; NULL: nothing */
};

#define REQUEST_ITEM_EMPTY                                                                         \
  { .structure = IRREP_STRUCTURE_INIT, .plan = IRREP_PLAN_INIT }

/* Zero-initialised it is empty. Used by one thread at a time. */
struct request {
  struct request_item *items; /* [n_items] */
  size_t n_items;
  uint32_t properties; /* a set of properties.h */
  bool has_precision;
  enum irrep_precision precision; /* when has_precision */
  bool has_deadline;
  double deadline_ms; /* from the arrival of the request, when has_deadline */
  bool has_priority;  /* one was named; otherwise it is interactive */
  enum request_priority priority;
  struct request_dispersion dispersion;
  struct request_head head;
  struct request_committee committee;
  enum request_method method;   /* of a Hessian */
  size_t bytes;                 /* that it holds; read-only */
  size_t bytes_max;             /* that it may hold; 0: no bound */
  struct request_block *blocks; /* private */
};

void request_fini(struct request *request);

/* count * size zeroed bytes that live as long as the request; NULL without memory. */
void *request_alloc(struct request *request, size_t count, size_t size);

/* Makes an array of old_size bytes one of `size` bytes, in place where nothing was taken behind it;
 * what is added is not zeroed. array NULL and old_size 0: a new one. NULL without memory: then the
 * array is as it was. */
void *request_resize(struct request *request, void *array, size_t old_size, size_t size);

/* Makes n items, their structures and plans still empty. false: there is no memory. */
bool request_make_items(struct request *request, size_t n);

/* The problem of an item, to be filled; NULL without memory. The first one stays: then this is
 * where a later one may be written and is forgotten. */
struct problem *request_fault(struct request *request, size_t index);

enum request_planned { REQUEST_PLANNED, REQUEST_IS_LONG, REQUEST_NO_MEMORY };

/* A model that structures are evaluated with beside the first one, which plans them. */
struct request_member {
  const char *name;
  const struct irrep_model *model;
  enum irrep_precision precision;
};

/* What structures are planned for. */
struct request_planner {
  const struct evaluator *evaluator;
  struct graph_store *graphs; /* where their graphs are kept; NULL: nowhere */
  const struct irrep_model *model;
  enum irrep_precision precision;
  struct bounds bounds;
  const struct irrep_dispersion *dispersion; /* the data of `term` */
  const struct irrep_term *term;             /* that structures have beside the model; or NULL */
  const struct request_member *members;      /* [n_members] of a committee */
  size_t n_members;
  bool whole;              /* see below */
  const atomic_bool *gone; /* planning ends early when this becomes true; or NULL */
};

/* Plans every structure without a problem from *next on, which it advances, and gives those that
 * the model cannot take one. IS_LONG: before they have more than max_edges edges together; the rest
 * is still to be planned. whole: a structure is planned whatever its edges, if less than max_edges
 * has been spent before; atoms and structures cost as well, and what the core refused after a
 * search costs all that is left; otherwise an eighth. Thread-safe on distinct requests. */
enum request_planned request_plan(struct request *request, const struct request_planner *planner,
                                  size_t max_edges, size_t *next);

#endif
