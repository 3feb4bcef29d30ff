/* A short basis of the lattice that the periodic rows of a cell span, so that a search goes through
 * few images whatever cell describes a crystal. Rows of open axes are zero, and stay out of it. */
#ifndef CORE_GRAPH_LATTICE_H
#define CORE_GRAPH_LATTICE_H

#include <stdbool.h>
#include <stddef.h>

struct lattice {
  double cell[3][3]; /* rows, Angstrom */
  double of[3][3];   /* integers, cell = of . the cell as given; of determinant 1 or -1 */
  double off[3];     /* bounds the rounding of each row, Angstrom */
  bool is_given;     /* the cell as given, bit for bit */
};

/* The lattice of a checked cell: as it is given, unless a search within `reach` (Angstrom) would
 * look at twice as many images as by a reduced basis.
 *
 * The reduction is the greedy one of Semaev (CaLC 2001, LNCS 2146, 181) and of Nguyen and Stehle
 * (ACM Trans. Algorithms 5, 46 (2009)): Minkowski's in up to three dimensions. Thread-safe. */
void lattice_shorten(const double cell[3][3], const bool pbc[3], double reach,
                     struct lattice *lattice);

/* A shift along the rows of the lattice as one along those of the cell that was given. */
static inline void lattice_shift(const struct lattice *lattice, double shift[3]) {
  const double s[3] = {shift[0], shift[1], shift[2]};
  for (size_t j = 0; j < 3; j++)
    shift[j] = s[0] * lattice->of[0][j] + s[1] * lattice->of[1][j] + s[2] * lattice->of[2][j];
}

/* What a row's height allows: periods along each periodic axis within reach; 0 along open ones. */
void lattice_periods(const double cell[3][3], const bool pbc[3], double reach, double periods[3]);

/* The images of a cell that a search around one atom looks at, about: more than are within reach
 * where the cell is skewed, however large it is. */
double lattice_rows(const double cell[3][3], const bool pbc[3], double reach);

/* No fewer edges than these has any structure of n_atoms in the lattice: those of each atom with
 * its own images and, where all axes are periodic, with those of every other. */
double lattice_edges_min(const struct lattice *lattice, const bool pbc[3], size_t n_atoms,
                         double r_max);

#endif
