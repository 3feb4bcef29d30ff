/* The options of an evaluation as this version has them. */
#ifndef CORE_API_OPTIONS_H
#define CORE_API_OPTIONS_H

#include "core/cpu/crew.h"
#include "irrep/model.h"

/* What a caller's options say, of any version, with copies of what they point to. It points into
 * itself: it stays where it was made. */
struct options {
  struct irrep_evaluate_options given;
  struct irrep_team team;
  struct irrep_profile profile;
  struct irrep_exchange exchange;
  struct cancelling cancelling;
};

bool options_is_precision(enum irrep_precision precision);

/* BAD_ARGUMENT: a struct_size, a precision that there is not, or a team, profile or exchange that
 * lacks something. */
enum irrep_status options_read(const struct irrep_evaluate_options *theirs, struct options *options,
                               struct irrep_error *error);

/* Who takes part in the evaluation; points into the options. */
struct crew options_crew(const struct options *options);

#endif
