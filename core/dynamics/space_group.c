/* Space groups by spglib (A. Togo, K. Shinohara and I. Tanaka, Sci. Technol. Adv. Mater. Methods 4,
 * 2384822 (2024)). A structure is made symmetric as ASE's ase.spacegroup.symmetrize does it: first
 * the cell, which becomes the idealised standard cell in the orientation and setting that it had,
 * then the positions, which become those of the idealised standard cell next to them.
 *
 * Matrices of spglib have lattice vectors as columns; it runs no threads for so few atoms. */
#include "core/base/arena.h"
#include "core/dynamics/matrix3.h"
#include "core/dynamics/symmetry.h"

#include <math.h>
#include <spglib.h>
#include <stdlib.h>
#include <string.h>

#define MOVED_MAX 10.0  /* times symprec: more means that cell and group do not fit */
#define SAME_PLACE 1e-5 /* fractional: no second atom is as near */

struct crystal {
  size_t n_atoms;
  const int32_t *numbers;
  double (*cell)[3];
  double *positions;
  double symprec;
  /* Scratch */
  int *types;
  double (*scaled)[3];
};

static enum irrep_status no_group(struct irrep_error *error, const char *words) {
  return irrep_fail(error, IRREP_BAD_ARGUMENT, "symmetry",
                    "No space group was found for this structure: %s. Another symprec may help",
                    words);
}

/* Fractional coordinates, in [0, 1). */
static bool scale(struct crystal *crystal) {
  matrix3 inverse;
  if (!matrix3_inverse(crystal->cell, inverse))
    return false;
  for (size_t i = 0; i < crystal->n_atoms; i++) {
    const double *r = crystal->positions + 3 * i;
    crystal->types[i] = crystal->numbers[i];
    for (size_t j = 0; j < 3; j++) {
      const double s = r[0] * inverse[0][j] + r[1] * inverse[1][j] + r[2] * inverse[2][j];
      crystal->scaled[i][j] = s - floor(s);
    }
  }
  return true;
}

/* NULL: none is found. */
static SpglibDataset *dataset_of(struct crystal *crystal) {
  matrix3 lattice;
  if (!scale(crystal))
    return NULL;
  matrix3_transpose(crystal->cell, lattice);
  SpglibDataset *dataset = spg_get_dataset(lattice, crystal->scaled, crystal->types,
                                           (int)crystal->n_atoms, crystal->symprec);
  if (dataset && (dataset->n_operations < 1 || dataset->n_atoms != (int)crystal->n_atoms)) {
    spg_free_dataset(dataset);
    return NULL;
  }
  return dataset;
}

/* The positions of atoms whose cell becomes another one. */
static bool set_cell(struct crystal *crystal, const double cell[3][3]) {
  matrix3 inverse, map;
  if (!matrix3_inverse(crystal->cell, inverse))
    return false;
  matrix3_multiply(inverse, cell, map);
  for (size_t i = 0; i < crystal->n_atoms; i++) {
    double *r = crystal->positions + 3 * i;
    const double x = r[0], y = r[1], z = r[2];
    for (size_t j = 0; j < 3; j++)
      r[j] = x * map[0][j] + y * map[1][j] + z * map[2][j];
  }
  memcpy(crystal->cell, cell, sizeof(matrix3));
  return true;
}

static enum irrep_status symmetrise_cell(struct crystal *crystal, struct irrep_error *error) {
  SpglibDataset *dataset = dataset_of(crystal);
  matrix3 standard, transposed, turned, cell;
  if (!dataset)
    return no_group(error, "spglib finds none");
  matrix3_transpose(dataset->std_lattice, standard);
  matrix3_transpose(dataset->transformation_matrix, transposed);
  matrix3_multiply(transposed, standard, turned);
  matrix3_multiply(turned, dataset->std_rotation_matrix, cell);
  spg_free_dataset(dataset);
  for (size_t i = 0; i < 9; i++)
    if (!(fabs((&cell[0][0])[i] - crystal->cell[i / 3][i % 3]) <= MOVED_MAX * crystal->symprec))
      return no_group(error, "that of spglib has another cell");
  return set_cell(crystal, cell) ? IRREP_OK : no_group(error, "its cell has no volume");
}

static size_t index_of(const int *values, size_t n, int value) {
  size_t i = 0;
  while (i < n && values[i] != value)
    i++;
  return i;
}

/* Each atom goes to the position next to it that the standard cell and the primitive lattice give.
 */
static bool place_atoms(struct crystal *crystal, const SpglibDataset *dataset,
                        const double standard[3][3], const double primitive[3][3]) {
  const size_t n = crystal->n_atoms, n_standard = (size_t)dataset->n_std_atoms;
  matrix3 inverse;
  double offset[3] = {0};
  const size_t first = index_of(dataset->mapping_to_primitive, n, 0);
  const size_t first_standard = index_of(dataset->std_mapping_to_primitive, n_standard, 0);
  if (first == n || first_standard == n_standard || !matrix3_inverse(primitive, inverse))
    return false;
  for (size_t i = 0; i <= n; i++) { /* the atom that both begin with comes first */
    const size_t atom = i == 0 ? first : i - 1;
    const size_t at = i == 0 ? first_standard
                             : index_of(dataset->std_mapping_to_primitive, n_standard,
                                        dataset->mapping_to_primitive[atom]);
    if (at == n_standard)
      return false;
    const double *s = dataset->std_positions[at];
    double *r = crystal->positions + 3 * atom, away[3], cells[3];
    for (size_t j = 0; j < 3; j++) {
      away[j] = s[0] * standard[0][j] + s[1] * standard[1][j] + s[2] * standard[2][j] - r[j];
      offset[j] = i == 0 ? -away[j] : offset[j];
      away[j] += offset[j];
    }
    for (size_t j = 0; j < 3; j++)
      cells[j] = rint(away[0] * inverse[0][j] + away[1] * inverse[1][j] + away[2] * inverse[2][j]);
    for (size_t j = 0; j < 3; j++) {
      away[j] -=
          cells[0] * primitive[0][j] + cells[1] * primitive[1][j] + cells[2] * primitive[2][j];
      if (!(fabs(away[j]) <= MOVED_MAX * crystal->symprec))
        return false;
      r[j] += i == 0 ? 0 : away[j];
    }
  }
  return true;
}

/* A primitive lattice in the orientation of the standard one. */
static bool primitive_of(struct crystal *crystal, double primitive[3][3]) {
  matrix3 lattice;
  matrix3_transpose(crystal->cell, lattice);
  if (spg_find_primitive(lattice, crystal->scaled, crystal->types, (int)crystal->n_atoms,
                         crystal->symprec) < 1)
    return false;
  matrix3_transpose(lattice, primitive);
  return true;
}

static enum irrep_status symmetrise_positions(struct crystal *crystal, struct irrep_error *error) {
  SpglibDataset *dataset = dataset_of(crystal);
  matrix3 lattice, standard, primitive, turned;
  if (!dataset)
    return no_group(error, "spglib finds none once its cell is ideal");
  bool done = primitive_of(crystal, lattice);
  if (done) {
    matrix3_multiply(lattice, dataset->std_rotation_matrix, primitive);
    matrix3_transpose(dataset->std_lattice, turned);
    matrix3_multiply(turned, dataset->std_rotation_matrix, standard);
    done = place_atoms(crystal, dataset, standard, primitive);
  }
  spg_free_dataset(dataset);
  return done ? IRREP_OK : no_group(error, "its atoms are not where that of spglib has them");
}

/* The atom next to where an operation takes atom i, modulo the lattice. */
static size_t image_of(const struct crystal *crystal, size_t i, const int rotation[3][3],
                       const double translation[3]) {
  const double *s = crystal->scaled[i];
  double image[3], least = HUGE_VAL;
  size_t nearest = 0;
  for (size_t a = 0; a < 3; a++)
    image[a] =
        rotation[a][0] * s[0] + rotation[a][1] * s[1] + rotation[a][2] * s[2] + translation[a];
  for (size_t j = 0; j < crystal->n_atoms && least > SAME_PLACE * SAME_PLACE; j++) {
    double square = 0;
    for (size_t a = 0; a < 3; a++) {
      double away = crystal->scaled[j][a] - image[a];
      away -= rint(away);
      square += away * away;
    }
    nearest = square < least ? j : nearest;
    least = square < least ? square : least;
  }
  return nearest;
}

/* Whether an operation's map is a permutation among atoms of one element; seen [n_atoms]. */
static bool is_permutation(const struct crystal *crystal, const uint32_t *map, int *seen) {
  memset(seen, 0, crystal->n_atoms * sizeof *seen);
  for (size_t i = 0; i < crystal->n_atoms; i++) {
    if (seen[map[i]]++ || crystal->numbers[i] != crystal->numbers[map[i]])
      return false;
  }
  return true;
}

static enum irrep_status fill_maps(struct crystal *crystal, const SpglibDataset *dataset,
                                   struct symmetry *symmetry, struct irrep_error *error) {
  const size_t n = crystal->n_atoms, n_operations = (size_t)dataset->n_operations;
  if (n_operations > SYMMETRY_MAPS_MAX / n)
    return irrep_fail(error, IRREP_TOO_LARGE, "symmetry",
                      "%zu operations on %zu atoms are too many: give a smaller cell of this "
                      "crystal",
                      n_operations, n);
  if (!symmetry_init(symmetry, n_operations, n))
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for the symmetry");
  for (size_t k = 0; k < n_operations; k++) {
    uint32_t *map = symmetry->maps + k * n;
    for (size_t a = 0; a < 9; a++)
      symmetry->rotations[9 * k + a] = dataset->rotations[k][a / 3][a % 3];
    for (size_t i = 0; i < n; i++)
      map[i] = (uint32_t)image_of(crystal, i, dataset->rotations[k], dataset->translations[k]);
    if (!is_permutation(crystal, map, crystal->types)) {
      symmetry_fini(symmetry);
      return no_group(error, "an operation of that of spglib does not map it on itself");
    }
  }
  return IRREP_OK;
}

static enum irrep_status find_operations(struct crystal *crystal, struct symmetry *symmetry,
                                         struct irrep_error *error) {
  SpglibDataset *dataset = dataset_of(crystal);
  if (!dataset)
    return no_group(error, "spglib finds none once it is symmetric");
  const enum irrep_status status = fill_maps(crystal, dataset, symmetry, error);
  spg_free_dataset(dataset);
  return status;
}

enum irrep_status symmetry_find(size_t n_atoms, const int32_t *numbers, double cell[3][3],
                                double *positions, double symprec, struct symmetry *symmetry,
                                struct irrep_error *error) {
  struct crystal crystal = {.n_atoms = n_atoms,
                            .numbers = numbers,
                            .cell = cell,
                            .positions = positions,
                            .symprec = symprec,
                            .types = calloc(n_atoms, sizeof *crystal.types),
                            .scaled = calloc(n_atoms, sizeof *crystal.scaled)};
  enum irrep_status status = IRREP_NO_MEMORY;
  if (crystal.types && crystal.scaled)
    status = symmetrise_cell(&crystal, error);
  else
    (void)irrep_fail(error, status, "", "not enough memory for the symmetry");
  if (status == IRREP_OK)
    status = symmetrise_positions(&crystal, error);
  if (status == IRREP_OK)
    status = find_operations(&crystal, symmetry, error);
  free(crystal.types);
  free(crystal.scaled);
  return status;
}
