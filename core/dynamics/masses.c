#include "core/dynamics/masses.h"

#include "irrep/conventions.h"
#include "irrep/md.h"

#include <inttypes.h>
#include <stdio.h>

/* Standard atomic weights: Meija et al., Pure Appl. Chem. 88, 265 (2016), conventional values where
 * they are ranges; of elements without stable isotopes the mass of one that lives long. ASE has the
 * same as atomic_masses_iupac2016. */
static const double masses[IRREP_NUMBER_MAX + 1] = {
    0.0,       1.008,        4.002602,  6.94,        9.0121831, 10.81,      12.011,    14.007,
    15.999,    18.998403163, 20.1797,   22.98976928, 24.305,    26.9815385, 28.085,    30.973761998,
    32.06,     35.45,        39.948,    39.0983,     40.078,    44.955908,  47.867,    50.9415,
    51.9961,   54.938044,    55.845,    58.933194,   58.6934,   63.546,     65.38,     69.723,
    72.63,     74.921595,    78.971,    79.904,      83.798,    85.4678,    87.62,     88.90584,
    91.224,    92.90637,     95.95,     97.90721,    101.07,    102.9055,   106.42,    107.8682,
    112.414,   114.818,      118.71,    121.76,      127.6,     126.90447,  131.293,   132.90545196,
    137.327,   138.90547,    140.116,   140.90766,   144.242,   144.91276,  150.36,    151.964,
    157.25,    158.92535,    162.5,     164.93033,   167.259,   168.93422,  173.054,   174.9668,
    178.49,    180.94788,    183.84,    186.207,     190.23,    192.217,    195.084,   196.966569,
    200.592,   204.38,       207.2,     208.9804,    208.98243, 209.98715,  222.01758, 223.01974,
    226.02541, 227.02775,    232.0377,  231.03588,   238.02891, 237.04817,  244.06421, 243.06138,
    247.07035, 247.07031,    251.07959, 252.083,     257.09511, 258.09843,  259.101,   262.11,
    267.122,   268.126,      271.134,   270.133,     269.1338,  278.156,    281.165,   281.166,
    285.177,   286.182,      289.19,    289.194,     293.204,   293.208,    294.214,
};

double irrep_atomic_mass(int32_t number) {
  return number > 0 && number <= IRREP_NUMBER_MAX ? masses[number] : 0;
}

static enum irrep_status bad_mass(size_t atom, double mass, struct irrep_error *error) {
  char field[64];
  snprintf(field, sizeof field, "masses/%zu", atom);
  return irrep_fail(error, IRREP_BAD_ARGUMENT, field,
                    "A mass must be above 0 and at most %g u; this one is %g", MASS_MAX, mass);
}

static enum irrep_status no_mass(size_t atom, int32_t number, struct irrep_error *error) {
  char field[64];
  snprintf(field, sizeof field, "numbers/%zu", atom);
  return irrep_fail(error, IRREP_UNKNOWN_ELEMENT, field,
                    "No element has the number %" PRId32
                    "; numbers are 1 to %d, or masses are given",
                    number, IRREP_NUMBER_MAX);
}

enum irrep_status masses_of(size_t n_atoms, const int32_t *numbers, const double *given,
                            double *out, struct irrep_error *error) {
  for (size_t i = 0; i < n_atoms; i++) {
    const double mass = given ? given[i] : irrep_atomic_mass(numbers[i]);
    if (given && !(mass > 0 && mass <= MASS_MAX))
      return bad_mass(i, mass, error);
    if (!given && mass == 0)
      return no_mass(i, numbers[i], error);
    out[i] = mass;
  }
  return IRREP_OK;
}
