/* Any text as the value of --ipi or --mdi, as a formula, as parameters and as an address. What is
 * taken is within its bounds, and names what can be connected to. */
#include "server/drivers/parameters.h"
#include "server/drivers/spec.h"
#include "server/os/address.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ATOMS_MAX 1000

static void require(bool condition) {
  if (!condition)
    abort();
}

static void check_species(const struct species *species) {
  require(species->n_atoms <= ATOMS_MAX);
  for (size_t i = 0; i < species->n_atoms; i++)
    require(species->numbers[i] >= 1 && species->numbers[i] <= 118);
}

static void check_address(const struct socket_address *address) {
  require(address->unix_path[0] != '\0' || address->host[0] != '\0');
  require(memchr(address->unix_path, '\0', sizeof address->unix_path) != NULL);
  require(address->unix_path[0] != '\0' || address->port[0] != '\0');
}

static void try_spec(const char *text, size_t size) {
  struct socket_spec spec = {0};
  struct irrep_error error = {0};
  if (socket_spec_read(&protocol_ipi, text, size, ATOMS_MAX, &spec, &error) != IRREP_OK) {
    require(error.detail[0] != '\0' && spec.species.n_atoms == 0);
    return;
  }
  check_species(&spec.species);
  check_address(&spec.address);
  require(spec.connections >= 1 && spec.model[0] != '\0');
  require(memchr(spec.model, '\0', sizeof spec.model) != NULL);
  socket_spec_fini(&spec);
}

static void try_parts(const char *text, size_t size) {
  struct species species = {0};
  struct parameters parameters = {0};
  struct socket_address address;
  struct irrep_error error = {0};
  if (species_of_formula(text, size, ATOMS_MAX, &species, &error) == IRREP_OK) {
    check_species(&species);
    require(species.n_atoms > 0);
  }
  species_fini(&species);
  if (parameters_read(text, size, ATOMS_MAX, &parameters, &error) == IRREP_OK) {
    check_species(&parameters.species);
    require(parameters.batch_size >= 1);
  }
  parameters_fini(&parameters);
  if (address_read(text, &address, &error) == IRREP_OK) {
    check_address(&address);
    address_permit(&address, "a,b:1,*");
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Files are not the fuzzer's to choose. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  require(text != NULL);
  memcpy(text, data, size);
  text[size] = '\0';
  if (!strstr(text, "structure"))
    try_spec(text, strlen(text));
  try_parts(text, strlen(text));
  free(text);
  return 0;
}
