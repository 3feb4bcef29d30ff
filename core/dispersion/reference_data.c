#include "core/dispersion/reference_data.h"

#include "core/program/card.h"
#include "core/program/model_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_FORMAT 1
#define N REFERENCE_NUMBERS
#define R DISPERSION_REFERENCES

/* The radii are turned into bohr by the constant that simple-dftd3 has (CODATA 2018), positions by
 * ase.units'. */
#define BOHR_OF_RADII 0.529177210903
#define RADII (IRREP_BOHR / BOHR_OF_RADII)

/* Steepness of the weights. */
#define STEEPNESS 4.0

static enum irrep_status bad(struct irrep_error *error, const char *field, const char *detail) {
  return irrep_fail(error, IRREP_BAD_MODEL_FILE, field, "%s", detail);
}

static enum irrep_status check_card(const struct model_file *file, struct irrep_error *error) {
  static const char *const keys[] = {"format",   "parameters",  "source", "license",
                                     "citation", "description", NULL};
  static const char *const kinds[] = {"dftd3", NULL};
  struct card_object card;
  size_t format, kind;
  enum irrep_status status = card_open(file->card, file->card_size, &card, error);
  if (status == IRREP_OK)
    status = card_only(&card, keys, error);
  if (status == IRREP_OK)
    status = card_choice(&card, "parameters", kinds, &kind, error);
  if (status == IRREP_OK)
    status = card_size(&card, "format", 1, FILE_FORMAT, &format, error);
  return status;
}

/* The tensors as they are in the file. */
struct raw {
  double radii[N], r4_over_r2[N], r0[N][N], cn[N][R], c6[N][N][R][R];
};

static enum irrep_status read_tensors(struct model_file *file, struct raw *raw,
                                      struct irrep_error *error) {
  const struct {
    const char *name;
    size_t n_dims, shape[4];
    double *out;
  } tensors[] = {{"covalent_radii", 1, {N}, raw->radii},
                 {"r4_over_r2", 1, {N}, raw->r4_over_r2},
                 {"r0", 2, {N, N}, raw->r0[0]},
                 {"reference_cn", 2, {N, R}, raw->cn[0]},
                 {"c6", 4, {N, N, R, R}, raw->c6[0][0][0]}};
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
    const enum irrep_status status = model_file_read(file, tensors[i].name, tensors[i].n_dims,
                                                     tensors[i].shape, tensors[i].out, error);
    if (status != IRREP_OK)
      return status;
  }
  return model_file_all_used(file, error);
}

/* The references of an element come first in its row. */
static bool take_element(const struct raw *raw, size_t z, struct irrep_dispersion *data) {
  size_t n = 0;
  while (n < R && raw->cn[z][n] >= 0)
    data->cn[z][n] = raw->cn[z][n], n++;
  for (size_t a = n; a < R; a++)
    if (raw->cn[z][a] != -1)
      return false;
  data->n_references[z] = n;
  data->cn_radius[z] = 4.0 / 3.0 * raw->radii[z] * RADII;
  data->q[z] = sqrt(0.5 * raw->r4_over_r2[z] * sqrt((double)z));
  return n > 0 && raw->radii[z] > 0 && raw->r4_over_r2[z] > 0;
}

/* C6 is positive and the same either way. */
static bool take_pair(const struct raw *raw, size_t z, size_t y, struct irrep_dispersion *data) {
  const double bohr2 = IRREP_BOHR * IRREP_BOHR;
  const double unit = IRREP_HARTREE * bohr2 * bohr2 * bohr2;
  for (size_t a = 0; a < data->n_references[z]; a++)
    for (size_t b = 0; b < data->n_references[y]; b++) {
      const double c6 = raw->c6[z][y][a][b];
      if (!(c6 > 0) || c6 != raw->c6[y][z][b][a])
        return false;
      data->c6[z][y][a][b] = unit * c6;
    }
  data->r0[z][y] = raw->r0[z][y] * RADII;
  return raw->r0[z][y] > 0 && raw->r0[z][y] == raw->r0[y][z];
}

static enum irrep_status convert(const struct raw *raw, struct irrep_dispersion *data,
                                 struct irrep_error *error) {
  memset(data, 0, sizeof *data);
  for (size_t z = 1; z < N; z++)
    if (!take_element(raw, z, data))
      return bad(error, "reference_cn",
                 "an element has no positive radii or a gap among its references");
  for (size_t z = 1; z < N; z++)
    for (size_t y = 1; y < N; y++)
      if (!take_pair(raw, z, y, data))
        return bad(error, "c6", "coefficients and radii of pairs must be positive and symmetric");
  return IRREP_OK;
}

enum irrep_status reference_data_read(const void *bytes, size_t n_bytes,
                                      struct irrep_dispersion *data, struct irrep_error *error) {
  const struct irrep_model_source source = model_file_source(bytes, n_bytes);
  struct model_file file;
  struct raw *raw = malloc(sizeof *raw);
  if (!raw)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for reference data");
  enum irrep_status status = model_file_open(&source, &file, error);
  if (status == IRREP_OK) {
    status = check_card(&file, error);
    if (status == IRREP_OK)
      status = read_tensors(&file, raw, error);
    if (status == IRREP_OK)
      status = convert(raw, data, error);
    model_file_close(&file);
  }
  free(raw);
  return status;
}

/* The largest exponent is taken out, so that some weight is always there. */
void reference_weights(const struct irrep_dispersion *data, size_t number, double cn,
                       double weights[DISPERSION_REFERENCES],
                       double slopes[DISPERSION_REFERENCES]) {
  const size_t n = data->n_references[number];
  const double *reference = data->cn[number];
  double largest = -HUGE_VAL, sum = 0, mean = 0;
  for (size_t a = 0; a < R; a++)
    weights[a] = slopes[a] = 0;
  for (size_t a = 0; a < n; a++) {
    const double d = reference[a] - cn;
    largest = fmax(largest, -STEEPNESS * d * d);
  }
  for (size_t a = 0; a < n; a++) {
    const double d = reference[a] - cn;
    weights[a] = exp(-STEEPNESS * d * d - largest);
    sum += weights[a];
  }
  for (size_t a = 0; a < n; a++) {
    weights[a] /= sum;
    mean += weights[a] * 2 * STEEPNESS * (reference[a] - cn);
  }
  for (size_t a = 0; a < n; a++)
    slopes[a] = weights[a] * (2 * STEEPNESS * (reference[a] - cn) - mean);
}
