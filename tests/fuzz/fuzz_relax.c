/* A saved relaxation with some of its bytes replaced and its checksum made right again: what is
 * restored can be told things, saved and restored once more.
 *
 * Input: optimizer and cell, steps before it is saved, then three bytes for each change: where
 * (low, high), and what. */
#include "core/dynamics/archive.h"
#include "irrep/relax.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_ATOMS 2
#define CHECKSUM_BYTES 8
#define EVALUATIONS 3

static void require(bool condition) {
  if (!condition)
    abort();
}

/* Tells what springs to a lattice point would: something finite, of any structure. */
static enum irrep_status tell(struct irrep_relax *relax, enum irrep_relax_state *state) {
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  require(irrep_relax_ask(relax, &s, NULL) == IRREP_OK && s.n_atoms > 0);
  double *forces = malloc(3 * s.n_atoms * sizeof *forces), stress[3][3];
  require(forces != NULL);
  for (size_t i = 0; i < 3 * s.n_atoms; i++)
    forces[i] = -fmod(s.positions[i], 7.0);
  for (size_t i = 0; i < 9; i++)
    (&stress[0][0])[i] = i % 4 == 0 ? 2e-3 : 1e-3;
  const enum irrep_status status = irrep_relax_tell(relax, 1.0, forces, stress, state, NULL);
  free(forces);
  return status;
}

static struct irrep_relax *begin(uint8_t choice, uint8_t n_steps) {
  static const int32_t numbers[N_ATOMS] = {14, 8};
  static const double positions[3 * N_ATOMS] = {0.1, 0.0, 0.0, 1.0, 1.5, 1.5};
  static const double cell[3][3] = {{3, 0, 0}, {0, 3, 0}, {0, 0, 3.5}};
  struct irrep_structure s = IRREP_STRUCTURE_INIT;
  struct irrep_relax_options options = IRREP_RELAX_OPTIONS_INIT;
  enum irrep_relax_state state = IRREP_RELAX_RUNNING;
  struct irrep_relax *relax;
  s.n_atoms = N_ATOMS;
  s.numbers = numbers;
  s.positions = positions;
  memcpy(s.cell, cell, sizeof cell);
  for (size_t k = 0; k < 3; k++)
    s.pbc[k] = true;
  options.optimizer = (enum irrep_optimizer)(choice % 4);
  options.cell = (enum irrep_relax_cell)(choice / 4 % 4);
  options.symmetry = choice / 16 % 2 == 1;
  options.max_steps = 8;
  require(irrep_relax_new(&options, &s, &relax, NULL) == IRREP_OK);
  for (uint8_t i = 0; i < n_steps && state == IRREP_RELAX_RUNNING; i++)
    if (tell(relax, &state) != IRREP_OK)
      break;
  return relax;
}

static unsigned char *save(const struct irrep_relax *relax, size_t *size) {
  *size = irrep_relax_save_size(relax);
  unsigned char *bytes = malloc(*size);
  require(bytes != NULL);
  irrep_relax_save(relax, bytes);
  return bytes;
}

static void seal(unsigned char *bytes, size_t size) {
  uint64_t checksum = archive_checksum(bytes, size - CHECKSUM_BYTES);
  struct archive end = archive_writing(bytes + size - CHECKSUM_BYTES, CHECKSUM_BYTES);
  archive_u64(&end, &checksum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2)
    return 0;
  struct irrep_relax *relax = begin(data[0], data[1] % 10), *again;
  size_t n_bytes;
  unsigned char *bytes = save(relax, &n_bytes);
  irrep_relax_free(relax);
  for (size_t i = 2; i + 3 <= size; i += 3)
    bytes[(data[i] + 256u * data[i + 1]) % (n_bytes - CHECKSUM_BYTES)] = data[i + 2];
  seal(bytes, n_bytes);
  if (irrep_relax_restore(bytes, n_bytes, &relax, NULL) == IRREP_OK) {
    enum irrep_relax_state state = IRREP_RELAX_RUNNING;
    for (int i = 0; i < EVALUATIONS && state == IRREP_RELAX_RUNNING; i++)
      if (tell(relax, &state) != IRREP_OK)
        break;
    size_t n_saved;
    unsigned char *saved = save(relax, &n_saved);
    if (irrep_relax_restore(saved, n_saved, &again, NULL) == IRREP_OK) {
      size_t n_again;
      unsigned char *twice = save(again, &n_again);
      require(n_again == n_saved && memcmp(twice, saved, n_saved) == 0);
      irrep_relax_free(again);
      free(twice);
    }
    free(saved);
  }
  irrep_relax_free(relax);
  free(bytes);
  return 0;
}
