/* The energy and forces of a water molecule, and of a silicon crystal with its stress.
 *
 *   ./example http://127.0.0.1:8421 sevennet-0
 *   ./example https://HOST:8421 sevennet-0 CA.pem */
#include "irrepd_client.h"

#include <stdio.h>

static int show(struct irrepd_client *client, const char *name, const struct irrepd_structure *s) {
  double forces[8 * 3] = {0};
  struct irrepd_result result = {.forces = forces};
  const int status = irrepd_predict(client, s, &result);
  if (status != 0) {
    fprintf(stderr, "%s: %d: %s\n", name, status, result.message);
    return 1;
  }
  printf("%s energy %.10f eV\n", name, result.energy);
  for (size_t i = 0; i < s->n_atoms; i++)
    printf("%s force %.10f %.10f %.10f eV/Angstrom\n", name, forces[3 * i], forces[3 * i + 1],
           forces[3 * i + 2]);
  if (result.has_stress)
    printf("%s stress %.10f eV/Angstrom^3 along x\n", name, result.stress[0]);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) {
    fprintf(stderr, "usage: %s URL MODEL [CA_FILE]\n", argv[0]);
    return 2;
  }
  struct irrepd_client *client = irrepd_client_new(argv[1], argv[2], "float64", NULL);
  if (!client || (argc == 4 && !irrepd_client_trust(client, argv[3]))) {
    fprintf(stderr, "no client for %s\n", argv[1]);
    return 2;
  }
  const int water_numbers[] = {8, 1, 1}, silicon_numbers[] = {14, 14};
  const double water_positions[] = {0, 0, 0, 0.96, 0, 0, -0.24, 0.93, 0};
  const double silicon_positions[] = {0, 0, 0, 1.4, 1.3, 1.3};
  const double cell[] = {0, 2.715, 2.715, 2.715, 0, 2.715, 2.715, 2.715, 0};
  const struct irrepd_structure water = {
      .n_atoms = 3, .numbers = water_numbers, .positions = water_positions};
  const struct irrepd_structure silicon = {.n_atoms = 2,
                                           .numbers = silicon_numbers,
                                           .positions = silicon_positions,
                                           .cell = cell,
                                           .pbc = {true, true, true}};
  const int failed = show(client, "water", &water) + show(client, "silicon", &silicon);
  irrepd_client_free(client);
  return failed > 0;
}
