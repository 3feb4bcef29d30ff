/* The numbers of a Hessian's answer, as binary answers name them: flat arrays over all structures.
 */
#ifndef SERVER_CODEC_HESSIAN_OUTPUTS_H
#define SERVER_CODEC_HESSIAN_OUTPUTS_H

#include "irrep/hessian.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hessian_output {
  HESSIAN_MATRIX,            /* [3N][3N] eV/Angstrom^2 */
  HESSIAN_FREQUENCIES,       /* [3N] 1/cm */
  HESSIAN_MODES,             /* [3N][N][3] */
  HESSIAN_ZERO_POINT_ENERGY, /* eV */
  HESSIAN_STEP,              /* Angstrom; NaN where it is analytic */
  HESSIAN_ASYMMETRY,         /* eV/Angstrom^2 */
  HESSIAN_N_RIGID,           /* INT32, as is */
  HESSIAN_ANALYTIC,          /* 1, or 0 of differences */
  N_HESSIAN_OUTPUTS
};

/* Its name; static. */
const char *hessian_output_name(enum hessian_output output);

/* Whether it is of whole numbers. */
bool hessian_output_is_whole(enum hessian_output output);

/* The output of a name; N_HESSIAN_OUTPUTS: there is none. */
enum hessian_output hessian_output_find(const char *name);

/* Their names, separated by commas; static. */
#define HESSIAN_OUTPUTS_LIST                                                                       \
  "hessian, frequencies, modes, zero_point_energy, step, asymmetry, n_rigid, analytic"

/* What is known of a structure's second derivatives. */
struct hessian_numbers {
  size_t n_atoms;
  struct irrep_hessian *hessian; /* whose matrix is answered; owned */
  double *frequencies, *modes;   /* one block from the heap, at frequencies; owned */
  double zero_point_energy;
  size_t n_rigid;
};

/* Frees what it owns; zeroed ones are allowed. */
void hessian_numbers_fini(struct hessian_numbers *numbers);

/* The numbers of an output that a structure of n_atoms has; SIZE_MAX where that overflows. */
size_t hessian_output_count(enum hessian_output output, size_t n_atoms);

/* The doubles [hessian_output_count] of an output; *one is where a single number is put. */
const double *hessian_output_values(enum hessian_output output,
                                    const struct hessian_numbers *numbers, double *one);

#endif
