/* Answers as the C client reads them: numbers of the right count, all finite, or none; and the
 * words of problems. */
/* Its readers are its own. */
#include "clients/c/irrepd_client.c" /* NOLINT(bugprone-suspicious-include) */

#include <stdbool.h>
#include <stdint.h>

#define ATOMS_MAX 4

static void require(bool condition) {
  if (!condition)
    abort();
}

static bool all_finite(const double *values, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(values[i]))
      return false;
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  const size_t n_atoms = 1 + data[0] % ATOMS_MAX;
  double *forces = calloc(3 * n_atoms, sizeof *forces); /* of exactly its size */
  char *text = malloc(size);
  struct irrepd_result result = {.forces = forces};
  require(forces && text);
  memcpy(text, data + 1, size - 1);
  text[size - 1] = '\0';
  if (read_result(text, n_atoms, &result))
    require(isfinite(result.energy) && all_finite(forces, 3 * n_atoms) &&
            all_finite(result.virial, 9) && (!result.has_stress || all_finite(result.stress, 9)));
  read_problem(text, &result);
  require(memchr(result.message, '\0', sizeof result.message));
  free(text);
  free(forces);
  return 0;
}
