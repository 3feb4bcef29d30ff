/* DFT-D3 for tests: reference data that are made up, structures, and the energy by plain sums over
 * pairs, triples and images. Include it last: it includes cmocka.h. */
#ifndef TESTS_UNIT_SUPPORT_DISPERSION_H
#define TESTS_UNIT_SUPPORT_DISPERSION_H

#include "core/cpu/dispatch.h"
#include "core/dispersion/reference_data.h"
#include "irrep/dispersion.h"
#include "tests/unit/support_model_file.h"

#define DISPERSION_CARD "{\"format\": 1, \"parameters\": \"dftd3\"}"
#define N_NUMBERS REFERENCE_NUMBERS
#define N_REFS DISPERSION_REFERENCES

/* Tensors of elements with 1 to 5 references, C6 positive and symmetric. */
static inline void dispersion_tensors(struct writer *writer) {
  const size_t shape[4] = {N_NUMBERS, N_NUMBERS, N_REFS, N_REFS}, rows[2] = {N_NUMBERS, N_REFS};
  *writer = (struct writer){.rng = {7}};
  double *radii = writer_add(writer, "covalent_radii", 1, shape, 0)->values;
  double *r4 = writer_add(writer, "r4_over_r2", 1, shape, 0)->values;
  double *r0 = writer_add(writer, "r0", 2, shape, 0)->values;
  double *cn = writer_add(writer, "reference_cn", 2, rows, 0)->values;
  double *c6 = writer_add(writer, "c6", 4, shape, 0)->values;
  for (size_t z = 1; z < N_NUMBERS; z++) {
    const size_t n = 1 + z % N_REFS;
    radii[z] = 0.5 + 0.005 * (double)z;
    r4[z] = 5 + 0.1 * (double)z;
    for (size_t a = 0; a < N_REFS; a++)
      cn[z * N_REFS + a] = a < n ? (double)a + 0.01 * (double)z : -1;
  }
  for (size_t z = 1; z < N_NUMBERS; z++)
    for (size_t y = 1; y < N_NUMBERS; y++) {
      r0[z * N_NUMBERS + y] = 2 + 0.01 * (double)(z + y);
      for (size_t a = 0; a <= z % N_REFS; a++)
        for (size_t b = 0; b <= y % N_REFS; b++)
          c6[((z * N_NUMBERS + y) * N_REFS + a) * N_REFS + b] =
              (double)(20 + z + y) / (1 + 0.2 * (double)(a + b) + 0.03 * (double)(a * b));
    }
}

static inline struct irrep_dispersion *dispersion_new(void) {
  struct writer writer;
  struct irrep_dispersion *data;
  struct irrep_error error;
  size_t size;
  dispersion_tensors(&writer);
  unsigned char *bytes = writer_file(&writer, DISPERSION_CARD, &size);
  assert_int_equal(irrep_dispersion_load(bytes, size, &data, &error), IRREP_OK);
  free(bytes);
  writer_free(&writer);
  return data;
}

/* Options that end within a few Angstrom, smoothly. */
static inline struct irrep_dispersion_options short_options(enum irrep_damping damping) {
  struct irrep_dispersion_options options = IRREP_DISPERSION_OPTIONS_INIT;
  options.damping = damping;
  if (damping == IRREP_D3ZERO)
    options.parameters = (struct irrep_damping_parameters){1, 0.722, 1.217, 1};
  options.cutoff = 7.5;
  options.cn_cutoff = 6;
  options.width = 0.8;
  options.three_body_cutoff = 5;
  return options;
}

/* Seven atoms of three species in a sheared cell with periodic axes 0 and 2. */
#define N_SAMPLE 7

struct dispersion_sample {
  int32_t numbers[N_SAMPLE];
  double positions[3 * N_SAMPLE];
  struct irrep_structure structure;
};

static inline void dispersion_sample(struct dispersion_sample *sample) {
  static const int32_t numbers[N_SAMPLE] = {8, 1, 14, 8, 1, 1, 8};
  struct rng rng = {3};
  *sample = (struct dispersion_sample){.structure = IRREP_STRUCTURE_INIT};
  memcpy(sample->numbers, numbers, sizeof numbers);
  for (size_t i = 0; i < N_SAMPLE; i++) {
    const size_t row = i / 2 % 2, layer = i / 4;
    const double at[3] = {(double)(i % 2) * 2.1, (double)row * 1.9, (double)layer * 2.3};
    for (size_t k = 0; k < 3; k++)
      sample->positions[3 * i + k] = at[k] + 0.2 * rng_next(&rng) + (k == 0 && i == 3 ? 4.4 : 0);
  }
  sample->structure.n_atoms = N_SAMPLE;
  sample->structure.numbers = sample->numbers;
  sample->structure.positions = sample->positions;
  sample->structure.pbc[0] = sample->structure.pbc[2] = true;
  const double cell[3][3] = {{4.4, 0.3, 0}, {0, 0, 0}, {0.7, 0, 4.9}};
  memcpy(sample->structure.cell, cell, sizeof cell);
}

/* Plain sums */

struct plain {
  const struct irrep_dispersion *data;
  const struct irrep_dispersion_options *options;
  const struct irrep_structure *s;
  double weights[N_SAMPLE][N_REFS];
};

#define IMAGES 3 /* either way along a periodic axis; enough for short_options */
#define N_IMAGES ((2 * IMAGES + 1) * (2 * IMAGES + 1))

/* The vector to atom i from an image of atom j. */
static inline void plain_vector(const struct plain *p, size_t i, size_t j, size_t image,
                                double d[3]) {
  const size_t row = image / (2 * IMAGES + 1);
  const double n0 = (double)row - IMAGES;
  const double n2 = (double)(image % (2 * IMAGES + 1)) - IMAGES;
  for (size_t k = 0; k < 3; k++)
    d[k] = p->s->positions[3 * i + k] - p->s->positions[3 * j + k] - n0 * p->s->cell[0][k] -
           n2 * p->s->cell[2][k];
}

static inline double plain_switch(const struct plain *p, double r, double cutoff) {
  const double x = (cutoff - r) / p->options->width;
  return r >= cutoff ? 0 : x >= 1 ? 1 : x * x * x * (10 - 15 * x + 6 * x * x);
}

static inline double plain_c6(const struct plain *p, size_t i, size_t j) {
  double sum = 0;
  for (size_t a = 0; a < N_REFS; a++)
    for (size_t b = 0; b < N_REFS; b++)
      sum += p->weights[i][a] * p->weights[j][b] *
             p->data->c6[p->s->numbers[i]][p->s->numbers[j]][a][b];
  return sum;
}

static inline void plain_weights(struct plain *p) {
  for (size_t i = 0; i < p->s->n_atoms; i++) {
    const size_t z = (size_t)p->s->numbers[i];
    double cn = 0, sum = 0, d[3];
    for (size_t j = 0; j < p->s->n_atoms; j++)
      for (size_t image = 0; image < N_IMAGES; image++) {
        plain_vector(p, i, j, image, d);
        const double r = sqrt(dot(3, d, d));
        const double radius = p->data->cn_radius[z] + p->data->cn_radius[p->s->numbers[j]];
        if (r > 0)
          cn += plain_switch(p, r, p->options->cn_cutoff) / (1 + exp(-16 * (radius / r - 1)));
      }
    for (size_t a = 0; a < N_REFS; a++) {
      const double off = cn - p->data->cn[z][a];
      p->weights[i][a] = a < p->data->n_references[z] ? exp(-4 * off * off) : 0;
      sum += p->weights[i][a];
    }
    for (size_t a = 0; a < N_REFS; a++)
      p->weights[i][a] /= sum;
  }
}

static inline double plain_pair(const struct plain *p, size_t i, size_t j, double r) {
  const size_t z = (size_t)p->s->numbers[i], y = (size_t)p->s->numbers[j];
  const struct irrep_damping_parameters *of = &p->options->parameters;
  const double ratio = 3 * p->data->q[z] * p->data->q[y], bohr2 = IRREP_BOHR * IRREP_BOHR;
  double e6, e8;
  if (p->options->damping == IRREP_D3BJ) {
    const double radius = (of->a * sqrt(ratio) + of->b) * IRREP_BOHR;
    e6 = 1 / (pow(r, 6) + pow(radius, 6));
    e8 = 1 / (pow(r, 8) + pow(radius, 8));
  } else {
    const double r0 = p->data->r0[z][y];
    e6 = 1 / (pow(r, 6) * (1 + 6 * pow(of->a * r0 / r, 14)));
    e8 = 1 / (pow(r, 8) * (1 + 6 * pow(of->b * r0 / r, 16)));
  }
  return -plain_c6(p, i, j) * (of->s6 * e6 + of->s8 * ratio * bohr2 * e8) *
         plain_switch(p, r, p->options->cutoff);
}

/* The energy of atoms i, j, k with sides d_ij, d_ik. */
static inline double plain_triple(const struct plain *p, size_t i, size_t j, size_t k,
                                  const double a[3], const double b[3]) {
  const double c[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]};
  const double ra = sqrt(dot(3, a, a)), rb = sqrt(dot(3, b, b)), rc = sqrt(dot(3, c, c));
  const double cutoff = p->options->three_body_cutoff, product = ra * rb * rc;
  if (!(product > 0))
    return 0;
  const double c9 = sqrt(plain_c6(p, i, j) * plain_c6(p, i, k) * plain_c6(p, j, k) / IRREP_HARTREE);
  const int32_t *z = p->s->numbers;
  const double radii =
      pow(4.0 / 3, 3) * p->data->r0[z[i]][z[j]] * p->data->r0[z[i]][z[k]] * p->data->r0[z[j]][z[k]];
  const double cosines =
      dot(3, a, b) / (ra * rb) * (-dot(3, a, c) / (ra * rc)) * (dot(3, b, c) / (rb * rc));
  return c9 * (3 * cosines + 1) / pow(product, 3) / (1 + 6 * pow(radii / product, 16.0 / 3)) *
         plain_switch(p, ra, cutoff) * plain_switch(p, rb, cutoff) * plain_switch(p, rc, cutoff);
}

static inline double plain_triples_of(const struct plain *p, size_t i) {
  double sum = 0, a[3], b[3];
  const size_t n = p->s->n_atoms * N_IMAGES;
  for (size_t m = 0; m < n; m++) {
    plain_vector(p, i, m / N_IMAGES, m % N_IMAGES, a);
    if (dot(3, a, a) >= pow(p->options->three_body_cutoff, 2))
      continue;
    for (size_t l = m + 1; l < n; l++) {
      plain_vector(p, i, l / N_IMAGES, l % N_IMAGES, b);
      sum += plain_triple(p, i, m / N_IMAGES, l / N_IMAGES, a, b);
    }
  }
  return sum;
}

/* Energies of atoms [n_atoms], and their sum. At most N_SAMPLE atoms, axis 1 open, width above 0.
 */
static inline double plain_energies(const struct irrep_dispersion *data,
                                    const struct irrep_dispersion_options *options,
                                    const struct irrep_structure *structure, double *energies) {
  struct plain p = {.data = data, .options = options, .s = structure};
  double sum = 0, d[3];
  plain_weights(&p);
  for (size_t i = 0; i < structure->n_atoms; i++) {
    energies[i] = options->three_body ? plain_triples_of(&p, i) / 3 : 0;
    for (size_t j = 0; j < structure->n_atoms; j++)
      for (size_t image = 0; image < N_IMAGES; image++) {
        plain_vector(&p, i, j, image, d);
        const double r = sqrt(dot(3, d, d));
        if (r > 0)
          energies[i] += 0.5 * plain_pair(&p, i, j, r);
      }
    sum += energies[i];
  }
  return sum;
}

/* Evaluation by the library */

struct dispersion_answer {
  struct irrep_result result;
  double energies[N_SAMPLE], forces[3 * N_SAMPLE], stresses[9 * N_SAMPLE];
};

static inline void dispersion_answer(const struct irrep_dispersion *data,
                                     const struct irrep_dispersion_options *options,
                                     const struct irrep_structure *structure,
                                     const struct irrep_evaluate_options *evaluate,
                                     struct dispersion_answer *answer) {
  struct irrep_error error;
  struct irrep_term *term;
  assert_int_equal(irrep_dispersion_term(data, options, &term, &error), IRREP_OK);
  const size_t bytes = irrep_term_bytes(term, structure->n_atoms, 0);
  void *arena = aligned_new(bytes);
  memset(arena, 0xff, bytes);
  *answer = (struct dispersion_answer){.result = IRREP_RESULT_INIT};
  answer->result.energies = answer->energies;
  answer->result.forces = answer->forces;
  answer->result.stresses = answer->stresses;
  if (irrep_dispersion_evaluate(term, evaluate, structure, arena, bytes, &answer->result, &error) !=
      IRREP_OK)
    fail_msg("%s", error.detail);
  assert_int_equal(answer->result.status, IRREP_OK);
  irrep_term_free(term);
  free(arena);
}

#endif
