/* The radial embedding: basis, cutoff, transform of distances. */
#include "core/builders/build.h"
#include "irrep/model_format.h"

static bool read_coefficients(struct build *build, const char *name, const struct radial *radial,
                              double *values) {
  return model_file_read(build->file, name, 1, &radial->n_basis, values, build->error) == IRREP_OK;
}

static bool read_basis(struct build *build, const struct card_object *object,
                       struct radial *radial) {
  static const char *const keys[][4] = {[RADIAL_BESSEL] = {"name", "num_basis", "prefactor"},
                                        [RADIAL_GAUSSIAN] = {"name", "num_basis"},
                                        [RADIAL_CHEBYSHEV] = {"name", "num_basis"},
                                        [RADIAL_SPLINE] = {"name", "num_basis", "span"}};
  static const char *const names[] = {[RADIAL_BESSEL] = "bessel",
                                      [RADIAL_GAUSSIAN] = "gaussian",
                                      [RADIAL_CHEBYSHEV] = "chebyshev",
                                      [RADIAL_SPLINE] = "spline",
                                      NULL};
  struct card_object basis;
  size_t name;
  if (card_object(object, "basis", &basis, build->error) != IRREP_OK ||
      card_choice(&basis, "name", names, &name, build->error) != IRREP_OK ||
      card_only(&basis, keys[name], build->error) != IRREP_OK ||
      card_size(&basis, "num_basis", 1, RADIAL_BASIS_MAX, &radial->n_basis, build->error) !=
          IRREP_OK)
    return false;
  radial->basis = (enum radial_basis)name;
  if (radial->basis == RADIAL_GAUSSIAN)
    return read_coefficients(build, "radial.centers", radial, radial->centers) &&
           read_coefficients(build, "radial.coefficients", radial, radial->coefficients);
  if (radial->basis == RADIAL_CHEBYSHEV)
    return true;
  if (radial->basis == RADIAL_SPLINE)
    return card_size(&basis, "span", 0, radial->n_basis, &radial->span, build->error) == IRREP_OK;
  return card_number(&basis, "prefactor", -1e6, 1e6, &radial->prefactor, build->error) ==
             IRREP_OK &&
         read_coefficients(build, "radial.frequencies", radial, radial->frequencies);
}

static bool read_cutoff(struct build *build, const struct card_object *object,
                        struct radial *radial) {
  static const char *const keys[][3] = {[CUTOFF_POLYNOMIAL] = {"name", "p"},
                                        [CUTOFF_XPLOR] = {"name", "r_on"},
                                        [CUTOFF_COSINE] = {"name"},
                                        [CUTOFF_MOLLIFIER] = {"name"},
                                        [CUTOFF_NONE] = {"name"}};
  static const char *const names[] = {
      [CUTOFF_POLYNOMIAL] = "polynomial", [CUTOFF_XPLOR] = "xplor", [CUTOFF_COSINE] = "cosine",
      [CUTOFF_MOLLIFIER] = "mollifier",   [CUTOFF_NONE] = "none",   NULL};
  struct card_object cutoff;
  size_t name;
  if (card_object(object, "cutoff", &cutoff, build->error) != IRREP_OK ||
      card_choice(&cutoff, "name", names, &name, build->error) != IRREP_OK ||
      card_only(&cutoff, keys[name], build->error) != IRREP_OK)
    return false;
  radial->cutoff = (enum radial_cutoff)name;
  if (radial->cutoff == CUTOFF_POLYNOMIAL)
    return card_number(&cutoff, "p", 2.0, 100.0, &radial->p, build->error) == IRREP_OK;
  if (radial->cutoff == CUTOFF_NONE && radial->basis != RADIAL_SPLINE) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "radial/cutoff",
               "the cutoff \"none\" goes with the basis \"spline\" only");
    return false;
  }
  if (radial->cutoff == CUTOFF_XPLOR)
    return card_number(&cutoff, "r_on", 0.0, 0.999 * radial->r_max, &radial->r_on, build->error) ==
           IRREP_OK;
  return true;
}

/* Lengths of pairs must be the same both ways: an edge and its reverse share their filter. */
static bool read_pairs(struct build *build, struct radial *radial) {
  const size_t n = build->program->n_species, shape[2] = {n, n};
  const double *r0 = build_keep(build, "radial.r0", 2, shape);
  if (!r0)
    return false;
  for (size_t i = 0; i < n * n; i++)
    if (!(r0[i] >= 1e-3 && r0[i] <= 100.0) || r0[i] != r0[i % n * n + i / n]) {
      irrep_fail(build->error, IRREP_BAD_MODEL_FILE, "radial.r0",
                 "the lengths of pairs are not symmetric, or not within 0.001 to 100 Angstrom");
      return false;
    }
  radial->n_species = n;
  radial->r0 = r0;
  return true;
}

/* Cutoffs of pairs, by receiver and sender. */
static bool read_pair_cutoffs(struct build *build, struct radial *radial) {
  const size_t n = build->program->n_species, shape[2] = {n, n};
  if (!model_file_has(build->file, "radial.r_max"))
    return true;
  double *stretch = build_keep(build, "radial.r_max", 2, shape);
  if (!stretch)
    return false;
  radial->stretch_both_ways = true;
  for (size_t i = 0; i < n * n; i++)
    if (stretch[i] != stretch[i % n * n + i / n])
      radial->stretch_both_ways = false;
  for (size_t i = 0; i < n * n; i++) {
    if (!(stretch[i] >= 1e-3 && stretch[i] <= radial->r_max)) {
      irrep_fail(build->error, IRREP_BAD_MODEL_FILE, "radial.r_max",
                 "a pair's cutoff is not within 0.001 Angstrom to the model's r_max");
      return false;
    }
    stretch[i] = radial->r_max / stretch[i];
  }
  radial->stretch = stretch;
  return true;
}

static bool read_transform(struct build *build, const struct card_object *object,
                           struct radial *radial) {
  static const char *const keys[][5] = {[TRANSFORM_NONE] = {"name"},
                                        [TRANSFORM_AGNESI] = {"name", "a", "q", "p"},
                                        [TRANSFORM_SOFT] = {"name", "alpha"}};
  static const char *const names[] = {
      [TRANSFORM_NONE] = "none", [TRANSFORM_AGNESI] = "agnesi", [TRANSFORM_SOFT] = "soft", NULL};
  struct card_object card;
  size_t name;
  if (card_object(object, "transform", &card, build->error) != IRREP_OK ||
      card_choice(&card, "name", names, &name, build->error) != IRREP_OK ||
      card_only(&card, keys[name], build->error) != IRREP_OK)
    return false;
  radial->transform = (enum radial_transform)name;
  if (radial->transform == TRANSFORM_NONE)
    return true;
  if (radial->transform == TRANSFORM_SOFT)
    return card_number(&card, "alpha", 1e-3, 1e3, &radial->alpha, build->error) == IRREP_OK &&
           read_pairs(build, radial);
  return card_number(&card, "a", 0.0, 1e3, &radial->a, build->error) == IRREP_OK &&
         card_number(&card, "q", -100.0, 100.0, &radial->q, build->error) == IRREP_OK &&
         card_number(&card, "p", -100.0, 100.0, &radial->transform_p, build->error) == IRREP_OK &&
         read_pairs(build, radial);
}

bool build_radial(struct build *build, double r_max) {
  static const char *const keys[] = {"basis", "transform", "cutoff", "envelope", NULL};
  static const char *const envelopes[] = {"basis", "filter", NULL};
  struct card_object object;
  struct radial *radial = &build->program->radial;
  size_t envelope = 0;
  radial->r_max = r_max;
  if (card_object(&build->card, "radial", &object, build->error) != IRREP_OK ||
      card_only(&object, keys, build->error) != IRREP_OK ||
      (card_has(&object, "envelope") &&
       card_choice(&object, "envelope", envelopes, &envelope, build->error) != IRREP_OK))
    return false;
  radial->envelope = envelope == 1;
  return read_basis(build, &object, radial) && read_cutoff(build, &object, radial) &&
         read_pair_cutoffs(build, radial) &&
         (!card_has(&object, "transform") || read_transform(build, &object, radial));
}
