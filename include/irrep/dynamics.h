/* Relaxation and molecular dynamics: state machines that ask for forces and are told them, for
 * programs that evaluate models themselves. */
#ifndef IRREP_DYNAMICS_H
#define IRREP_DYNAMICS_H

#include "irrep/md.h"
#include "irrep/relax.h"

#endif
