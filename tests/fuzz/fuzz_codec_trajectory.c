/* Reads any bytes as the body of relax or md, JSON or binary, as the first byte says. What is
 * accepted must be within the limits, and a state machine must take its options. */
#include "irrep/conventions.h"
#include "server/codec/codec_trajectory.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct trajectory_limits limits = {.codec = {.max_structures = 4, .max_atoms = 16},
                                                .max_steps = 1000};

static void require(bool condition) {
  if (!condition)
    abort();
}

static void check_motion(const struct request_motion *motion, size_t n_atoms) {
  require(motion->n_fixed <= n_atoms);
  for (size_t i = 0; i < motion->n_fixed; i++)
    require(motion->fixed[i] < n_atoms);
  for (size_t i = 0; motion->velocities && i < 3 * n_atoms; i++)
    require(fabs(motion->velocities[i]) <= IRREP_LENGTH_MAX);
  for (size_t i = 0; motion->masses && i < n_atoms; i++)
    require(motion->masses[i] > 0 && motion->masses[i] <= IRREP_LENGTH_MAX);
}

static void check_item(const struct request_item *item) {
  const struct irrep_structure *s = &item->structure;
  if (item->problem) {
    require(item->problem->status == 422);
    return;
  }
  require(s->n_atoms >= 1 && s->n_atoms <= limits.codec.max_atoms);
  for (size_t i = 0; i < s->n_atoms; i++)
    require(s->numbers[i] >= 1 && s->numbers[i] <= IRREP_NUMBER_MAX);
  for (size_t i = 0; i < 3 * s->n_atoms; i++)
    require(fabs(s->positions[i]) <= IRREP_LENGTH_MAX);
  if (item->motion)
    check_motion(item->motion, s->n_atoms);
}

/* An option that no structure can be moved by is refused with the body. */
static void check_spec(const struct trajectory_spec *spec) {
  static const int32_t numbers[2] = {14, 14};
  static const double positions[6] = {0, 0, 0, 2.4, 0, 0}, cell[3][3] = {{8}, {0, 8}, {0, 0, 8}};
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  struct irrep_relax_options options = spec->relax;
  struct irrep_relax *relax = NULL;
  struct irrep_md *md = NULL;
  require(trajectory_spec_steps(spec) <= limits.max_steps);
  s.n_atoms = 2;
  s.numbers = numbers;
  s.positions = positions;
  memcpy(s.cell, cell, sizeof cell);
  for (size_t k = 0; k < 3; k++)
    s.pbc[k] = true;
  options.mask = spec->has_mask ? spec->mask : NULL;
  const enum irrep_status status = spec->kind == TRAJECTORY_RELAX
                                       ? irrep_relax_new(&options, &s, &relax, NULL)
                                       : irrep_md_new(&spec->md, &s, NULL, &md, NULL);
  require(status != IRREP_BAD_ARGUMENT);
  irrep_relax_free(relax);
  irrep_md_free(md);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct request request = {0};
  struct problem problem = {0};
  struct trajectory_spec spec;
  if (size == 0)
    return 0;
  const enum trajectory_kind kind = data[0] & 1 ? TRAJECTORY_MD : TRAJECTORY_RELAX;
  const enum trajectory_format format = data[0] & 2 ? TRAJECTORY_SAFETENSORS : TRAJECTORY_JSON;
  if (codec_trajectory_read((const char *)data + 1, size - 1, format, kind, &limits, &request,
                            &spec, &problem)) {
    require(request.n_items >= 1 && request.n_items <= limits.codec.max_structures);
    for (size_t i = 0; i < request.n_items; i++)
      check_item(&request.items[i]);
    check_spec(&spec);
  } else {
    require(problem.status == 400 || problem.status == 413 || problem.status == 422);
  }
  request_fini(&request);
  return 0;
}
