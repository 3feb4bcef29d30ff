/* Any bytes as a structure file that tells a driver's species. */
#include "server/drivers/template.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define ATOMS_MAX 1000

static void require(bool condition) {
  if (!condition)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct species species = {0};
  struct irrep_error error = {0};
  if (template_read((const char *)data, size, ATOMS_MAX, &species, &error) == IRREP_OK) {
    require(species.n_atoms >= 1 && species.n_atoms <= ATOMS_MAX);
    for (size_t i = 0; i < species.n_atoms; i++)
      require(species.numbers[i] >= 1 && species.numbers[i] <= 118);
  } else {
    require(species.n_atoms == 0 && error.detail[0] != '\0');
  }
  species_fini(&species);
  return 0;
}
