/* The reference data of DFT-D3, by atomic number: read from dftd3.params.safetensors, whose tensors
 * are F64 and hold published numbers as they were published:
 *
 *   covalent_radii  [95]             Angstrom; P. Pyykko and M. Atsumi, Chem. Eur. J. 15, 186
 * (2009) r4_over_r2      [95]             bohr^2: <r^4> / <r^2> r0              [95, 95] Angstrom:
 * radii of zero damping reference_cn    [95, 5]          coordination numbers of each element's
 * references, -1 where there are fewer c6              [95, 95, 5, 5]   hartree bohr^6, of a pair
 * of references
 *
 * Row 0 is zero. The metadata's entry "irrepd" is a JSON object with "format" 1, "parameters"
 * "dftd3", and what is known of "source", "license", "citation". */
#ifndef CORE_DISPERSION_REFERENCE_DATA_H
#define CORE_DISPERSION_REFERENCE_DATA_H

#include "core/cpu/kernels/kernels.h"
#include "irrep/dispersion.h"
#include "irrep/status.h"

#include <stddef.h>

#define REFERENCE_NUMBERS 95 /* atomic numbers 1 to 94 */

struct irrep_dispersion {
  double cn_radius[REFERENCE_NUMBERS];             /* Angstrom: 4/3 of the covalent radius */
  double q[REFERENCE_NUMBERS];                     /* bohr: C8 / C6 = 3 q_i q_j */
  double r0[REFERENCE_NUMBERS][REFERENCE_NUMBERS]; /* Angstrom */
  size_t n_references[REFERENCE_NUMBERS];          /* 1 to DISPERSION_REFERENCES; 0: no data */
  double cn[REFERENCE_NUMBERS][DISPERSION_REFERENCES];
  double c6[REFERENCE_NUMBERS][REFERENCE_NUMBERS][DISPERSION_REFERENCES]
           [DISPERSION_REFERENCES]; /* eV Angstrom^6 */
};

/* Reads and checks the file. As irrep_dispersion_load. */
enum irrep_status reference_data_read(const void *bytes, size_t n_bytes,
                                      struct irrep_dispersion *data, struct irrep_error *error);

/* The weights of the references of an element at a coordination number, and their derivatives by
 * it; zero behind the last. Grimme et al. 2010, eq. 16, as it separates into two factors. */
void reference_weights(const struct irrep_dispersion *data, size_t number, double cn,
                       double weights[DISPERSION_REFERENCES], double slopes[DISPERSION_REFERENCES]);

#endif
