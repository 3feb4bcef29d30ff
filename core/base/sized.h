/* Structs that callers fill, of any version: "Versions" in irrep/conventions.h. Inside the core
 * they are of this version only. */
#ifndef CORE_BASE_SIZED_H
#define CORE_BASE_SIZED_H

#include "irrep/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Sizes above it are taken for memory that was not initialised, and are not read. */
#define SIZED_MAX 4096

/* A struct of this version, and how short it may be: as it was in the first version that had it. */
struct sized {
  size_t size, oldest;
};

/* Up to a field and with it. */
#define SIZED_TO(type, field) (offsetof(struct type, field) + sizeof((struct type){0}.field))

/* The struct that existed up to the given field when it was published. */
#define SIZED(type, last_field) ((struct sized){sizeof(struct type), SIZED_TO(type, last_field)})

#define SIZED_STRUCTURE SIZED(irrep_structure, cell)
#define SIZED_RESULT SIZED(irrep_result, n_edges)
#define SIZED_PLAN SIZED(irrep_plan, n_edges)
#define SIZED_SOURCE SIZED(irrep_model_source, read)
#define SIZED_TEAM SIZED(irrep_team, run)
#define SIZED_PROFILE SIZED(irrep_profile, note)
#define SIZED_EXCHANGE SIZED(irrep_exchange, rows)
#define SIZED_ARRAYS SIZED(irrep_graph_arrays, vectors)
#define SIZED_ADDITION SIZED(irrep_addition, energy)
#define SIZED_RELAX_OPTIONS SIZED(irrep_relax_options, damping)
#define SIZED_RELAX_PROGRESS SIZED(irrep_relax_progress, wants_stress)
#define SIZED_DISPERSION SIZED(irrep_dispersion_options, three_body_cutoff)
#define SIZED_OPTIONS SIZED(irrep_evaluate_options, plain_kernels)
#define SIZED_MODES SIZED(irrep_modes, own_products)
#define SIZED_MD_OPTIONS SIZED(irrep_md_options, move_max)
#define SIZED_MD_ATOMS SIZED(irrep_md_atoms, n_fixed)
#define SIZED_MD_FRAME SIZED(irrep_md_frame, degrees_of_freedom)

/* Copies a caller's struct into one of this version, with zeros where it has nothing; struct_size
 * becomes that of this version. false: it is too short, or has something that this version does not
 * know. */
bool sized_read(struct sized sized, const void *theirs, void *ours);

/* Copies what fits back; the caller's struct_size stays. */
void sized_write(struct sized sized, const void *ours, void *theirs);

/* Says that sized_read has refused a struct, which its macro would have initialised. */
enum irrep_status sized_fail(struct irrep_error *error, const char *name, const char *init);

/* The element of a caller's array: elements lie struct_size of the first apart. */
const void *sized_at(const void *array, size_t index);

/* sized_read of an array [n], of which every element has the struct_size of the first. */
bool sized_read_array(struct sized sized, const void *theirs, size_t n, void *ours);

/* sized_write of an array [n]. */
void sized_write_array(struct sized sized, const void *ours, size_t n, void *theirs);

#endif
