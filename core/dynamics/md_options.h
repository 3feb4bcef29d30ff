/* The options of a trajectory, checked. */
#ifndef CORE_DYNAMICS_MD_OPTIONS_H
#define CORE_DYNAMICS_MD_OPTIONS_H

#include "irrep/md.h"

/* Reads options of any version and puts in what zeros stand for. Options that say nothing in their
 * ensemble have to be zero. BAD_ARGUMENT, with the option as field. Options that have been read are
 * accepted again, and do not change. */
enum irrep_status md_options_read(const struct irrep_md_options *theirs,
                                  struct irrep_md_options *options, struct irrep_error *error);

#endif
