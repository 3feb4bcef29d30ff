/* Trajectories of any options, saved, damaged where the input says and signed again, restored and
 * told numbers of the input. What is shown is finite, whatever was told.
 *
 * Input: the kind of the trajectory (4 bytes), then commands: 'w' place(2) value(1) writes a byte,
 * 't' number(8) tells a force, 's' saves and restores. */
#include "core/dynamics/archive.h"
#include "irrep/md.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_ATOMS 3

struct input {
  const uint8_t *data;
  size_t size;
};

static void require(bool condition) {
  if (!condition)
    abort();
}

static uint64_t take(struct input *input, size_t n) {
  uint64_t value = 0;
  for (size_t i = 0; i < n && input->size > 0; i++, input->data++, input->size--)
    value |= (uint64_t)*input->data << (8 * i);
  return value;
}

static struct irrep_md *begin(struct input *input) {
  static const int32_t numbers[N_ATOMS] = {18, 1, 8};
  static const double positions[3 * N_ATOMS] = {0, 0, 0, 3, 0, 0, 0, 3, 1};
  static const uint32_t fixed[1] = {1};
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  struct irrep_md_options options = IRREP_MD_OPTIONS_INIT;
  struct irrep_md_atoms atoms = IRREP_MD_ATOMS_INIT;
  struct irrep_md *md;
  const uint64_t kind = take(input, 4);
  structure.n_atoms = N_ATOMS;
  structure.numbers = numbers;
  structure.positions = positions;
  for (size_t k = 0; k < 3; k++) {
    structure.pbc[k] = !(kind >> k & 1);
    structure.cell[k][k] = 8;
  }
  options.ensemble = (enum irrep_md_ensemble)(kind >> 3 & 3);
  options.thermostat = (enum irrep_md_thermostat)(kind >> 5 & 3);
  options.barostat = (enum irrep_md_barostat)(kind >> 7 & 3);
  options.coupling = (enum irrep_md_coupling)(kind >> 9 & 3);
  options.drift = (enum irrep_md_drift)(kind >> 11 & 3);
  options.timestep = (double)(kind >> 16 & 0xff);
  options.n_steps = kind >> 24;
  options.temperature = 300;
  atoms.fixed = fixed;
  atoms.n_fixed = kind >> 13 & 1;
  irrep_md_new(&options, &structure, &atoms, &md, NULL);
  return md;
}

static void sign(unsigned char *bytes, size_t size) {
  const uint64_t checksum = archive_checksum(bytes, size - 8);
  for (size_t i = 0; i < 8; i++)
    bytes[size - 8 + i] = (unsigned char)(checksum >> (8 * i));
}

/* The trajectory that is restored, or NULL; md is gone. */
static struct irrep_md *again(struct irrep_md *md, const struct input *writes) {
  struct input input = *writes;
  const size_t size = irrep_md_bytes(md);
  unsigned char *bytes = malloc(size);
  require(bytes != NULL);
  irrep_md_save(md, bytes);
  irrep_md_free(md);
  while (input.size >= 4 && input.data[0] == 'w') {
    take(&input, 1);
    const size_t place = (size_t)take(&input, 2) % size;
    bytes[place] = (unsigned char)take(&input, 1);
  }
  sign(bytes, size);
  irrep_md_restore(bytes, size, &md, NULL);
  require(writes->data != input.data || md != NULL); /* what nobody damaged is accepted */
  free(bytes);
  return md;
}

static void look(const struct irrep_md *md) {
  struct irrep_md_frame frame = IRREP_MD_FRAME_INIT;
  if (irrep_md_completed(md, &frame, NULL) != IRREP_OK)
    return;
  for (size_t i = 0; i < 3 * frame.n_atoms; i++)
    require(isfinite(frame.positions[i]) && isfinite(frame.velocities[i]));
  if (irrep_md_failure(md))
    require(memchr(irrep_md_failure(md)->detail, '\0', 256) != NULL);
}

static void tell(struct irrep_md *md, uint64_t bits) {
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  double forces[3 * N_ATOMS], stress[9], number;
  memcpy(&number, &bits, sizeof number);
  if (irrep_md_ask(md, &structure) != IRREP_MD_RUNNING)
    return;
  require(structure.n_atoms == N_ATOMS);
  for (size_t i = 0; i < 3 * N_ATOMS; i++) {
    require(isfinite(structure.positions[i]));
    forces[i] = i == bits % (3 * N_ATOMS) ? number : 0;
  }
  for (size_t k = 0; k < 9; k++)
    stress[k] = k % 4 == 0 ? number * 1e-3 : 0;
  irrep_md_tell(md, number, forces, stress);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  struct irrep_md *md = begin(&input);
  while (md && input.size > 0) {
    const uint64_t command = take(&input, 1);
    if (command == 't')
      tell(md, take(&input, 8));
    else if (command == 's')
      md = again(md, &input);
    if (md)
      look(md);
  }
  irrep_md_free(md);
  return 0;
}
