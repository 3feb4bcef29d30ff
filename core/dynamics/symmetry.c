#include "core/dynamics/symmetry.h"

#include "core/base/arena.h"
#include "core/dynamics/matrix3.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINT_OPERATIONS_MAX 48

bool symmetry_init(struct symmetry *symmetry, size_t n_operations, size_t n_atoms) {
  *symmetry = (struct symmetry){.n_operations = n_operations, .n_atoms = n_atoms};
  symmetry->rotations = calloc(n_operations, 9 * sizeof *symmetry->rotations);
  symmetry->maps = calloc(size_mul(n_operations, n_atoms), sizeof *symmetry->maps);
  if (symmetry->rotations && symmetry->maps)
    return true;
  symmetry_fini(symmetry);
  return false;
}

void symmetry_fini(struct symmetry *symmetry) {
  free(symmetry->rotations);
  free(symmetry->maps);
  *symmetry = (struct symmetry){0};
}

size_t symmetry_bytes_max(size_t n_atoms) {
  const size_t most = size_mul(POINT_OPERATIONS_MAX, n_atoms), maps = size_mul(most, n_atoms);
  return size_add(size_mul(most, 9 * sizeof(int32_t)),
                  (maps < SYMMETRY_MAPS_MAX ? maps : SYMMETRY_MAPS_MAX) * sizeof(uint32_t));
}

/* out = row m */
static void row_times(const double row[3], const double m[3][3], double out[3]) {
  const double x = row[0], y = row[1], z = row[2];
  for (size_t j = 0; j < 3; j++)
    out[j] = x * m[0][j] + y * m[1][j] + z * m[2][j];
}

static void rotation_of(const struct symmetry *symmetry, size_t operation, double out[3][3]) {
  for (size_t i = 0; i < 9; i++)
    (&out[0][0])[i] = symmetry->rotations[9 * operation + i];
}

void symmetry_vectors(const struct symmetry *symmetry, const double cell[3][3], double *vectors,
                      double *scratch) {
  const size_t n = symmetry->n_atoms;
  matrix3 inverse, rotation, transposed;
  if (symmetry->n_operations == 0 || !matrix3_inverse(cell, inverse))
    return;
  for (size_t i = 0; i < n; i++)
    row_times(vectors + 3 * i, inverse, vectors + 3 * i);
  memset(scratch, 0, 3 * n * sizeof *scratch);
  for (size_t k = 0; k < symmetry->n_operations; k++) {
    const uint32_t *map = symmetry->maps + k * n;
    rotation_of(symmetry, k, rotation);
    matrix3_transpose(rotation, transposed);
    for (size_t i = 0; i < n; i++) {
      double turned[3];
      row_times(vectors + 3 * i, transposed, turned);
      for (size_t a = 0; a < 3; a++)
        scratch[3 * (size_t)map[i] + a] += turned[a];
    }
  }
  for (size_t i = 0; i < 3 * n; i++)
    scratch[i] /= (double)symmetry->n_operations;
  for (size_t i = 0; i < n; i++)
    row_times(scratch + 3 * i, cell, vectors + 3 * i);
}

/* out = a b a^T */
static void sandwich(const double a[3][3], const double b[3][3], double out[3][3]) {
  matrix3 ab, transposed;
  matrix3_multiply(a, b, ab);
  matrix3_transpose(a, transposed);
  matrix3_multiply(ab, transposed, out);
}

void symmetry_tensor(const struct symmetry *symmetry, const double cell[3][3],
                     double tensor[3][3]) {
  matrix3 inverse, scaled, rotation, transposed, turned, sum = {{0}};
  if (symmetry->n_operations == 0 || !matrix3_inverse(cell, inverse))
    return;
  sandwich(cell, tensor, scaled);
  for (size_t k = 0; k < symmetry->n_operations; k++) {
    rotation_of(symmetry, k, rotation);
    matrix3_transpose(rotation, transposed);
    sandwich(transposed, scaled, turned);
    for (size_t i = 0; i < 9; i++)
      (&sum[0][0])[i] += (&turned[0][0])[i];
  }
  for (size_t i = 0; i < 9; i++)
    (&sum[0][0])[i] /= (double)symmetry->n_operations;
  sandwich(inverse, sum, tensor);
}

bool symmetry_keeps(const struct symmetry *symmetry, const unsigned char *is_fixed, size_t *atom) {
  for (size_t k = 0; k < symmetry->n_operations; k++)
    for (size_t i = 0; i < symmetry->n_atoms; i++)
      if (is_fixed[i] != is_fixed[symmetry->maps[k * symmetry->n_atoms + i]]) {
        *atom = is_fixed[i] ? i : symmetry->maps[k * symmetry->n_atoms + i];
        return false;
      }
  return true;
}

bool symmetry_keeps_mask(const struct symmetry *symmetry, const double cell[3][3],
                         const bool mask[3][3]) {
  for (size_t i = 0; i < 3; i++)
    for (size_t j = i; j < 3; j++) {
      matrix3 strain = {{0}};
      strain[i][j] = strain[j][i] = mask[i][j] ? 1 : 0;
      symmetry_tensor(symmetry, cell, strain);
      for (size_t a = 0; a < 9; a++)
        if (!(&mask[0][0])[a] && fabs((&strain[0][0])[a]) > 1e-6)
          return false;
    }
  return true;
}

void symmetry_archive(struct symmetry *symmetry, size_t n_atoms, struct archive *archive) {
  size_t n = symmetry->n_operations;
  archive_size(archive, &n);
  if (n == 0 || archive->failed)
    return;
  if (archive->mode == ARCHIVE_READ) {
    const size_t left = archive->size - archive->used;
    archive->failed |= n > left / 36 || size_mul(n, n_atoms) > left / 4 ||
                       n * n_atoms > SYMMETRY_MAPS_MAX || !symmetry_init(symmetry, n, n_atoms);
    if (archive->failed)
      return;
  }
  archive_i32s(archive, symmetry->rotations, 9 * n);
  archive_u32s(archive, symmetry->maps, n * n_atoms);
  for (size_t i = 0; archive->mode == ARCHIVE_READ && i < n * n_atoms; i++)
    archive->failed |= symmetry->maps[i] >= n_atoms;
  if (archive->failed && archive->mode == ARCHIVE_READ)
    symmetry_fini(symmetry);
}
