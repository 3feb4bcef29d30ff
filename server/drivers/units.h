/* Atomic units in eV and Angstrom, as each driver program has them: with its own constants, what it
 * shows in its units are the numbers of the model. */
#ifndef SERVER_DRIVERS_UNITS_H
#define SERVER_DRIVERS_UNITS_H

struct atomic_units {
  double length; /* a bohr in Angstrom */
  double energy; /* a hartree in eV */
};

/* ase.units of ASE 3.29 (CODATA 2014, derived from other constants). */
static const struct atomic_units units_of_ase = {0.5291772105638411, 27.211386024367243};

/* ipi/utils/units.py of i-PI 3.3. */
static const struct atomic_units units_of_ipi = {1 / 1.8897261, 1 / 0.036749326};

/* physconst.h of MDI 1.4 (CODATA 2014): its energies are quotients of those in joule. */
static const struct atomic_units units_of_mdi = {0.52917721067, 4.359744650E-18 / 1.6021766208E-19};

#endif
