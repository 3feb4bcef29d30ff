/* Constants of dynamics in eV, Angstrom, fs, u, K and GPa. They are those of CODATA 2014, which
 * ASE's ase.units takes. */
#ifndef CORE_DYNAMICS_UNITS_H
#define CORE_DYNAMICS_UNITS_H

#define UNITS_E 1.6021766208e-19  /* C */
#define UNITS_K 1.38064852e-23    /* J/K */
#define UNITS_AMU 1.660539040e-27 /* kg */

/* Boltzmann's constant, eV/K. */
#define UNITS_KB (UNITS_K / UNITS_E)

/* 1 u in eV fs^2 / Angstrom^2, which make forces in eV/Angstrom accelerations in Angstrom/fs^2. */
#define UNITS_MASS (UNITS_AMU / UNITS_E * 1e10)

/* 1 GPa in eV/Angstrom^3. */
#define UNITS_GPA (1e-21 / UNITS_E)

#endif
