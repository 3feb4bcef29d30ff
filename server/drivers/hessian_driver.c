#include "server/drivers/hessian_driver.h"

#include "core/base/arena.h"
#include "server/codec/properties.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Atoms that are asked for at once, unless a structure has more. */
#define ATOMS_AT_ONCE 8192

static size_t count_of(const struct hessian_driver *h) {
  const size_t n_atoms = h->request->items[h->index].structure.n_atoms;
  const size_t wanted = irrep_hessian_wanted(h->hessian), fit = ATOMS_AT_ONCE / n_atoms;
  const size_t n = h->looks ? 1 : wanted < h->most ? wanted : h->most;
  return fit < 1 ? 1 : fit < n ? fit : n;
}

static bool fill_item(const struct hessian_driver *h, size_t which, struct request *request) {
  const struct irrep_structure *structure = &h->request->items[h->index].structure;
  const size_t n_atoms = structure->n_atoms;
  int32_t *numbers = request_alloc(request, n_atoms, sizeof *numbers);
  double *positions = request_alloc(request, n_atoms, 3 * sizeof *positions);
  struct irrep_structure *displaced = &request->items[which].structure;
  if (!numbers || !positions)
    return false;
  memcpy(numbers, structure->numbers, n_atoms * sizeof *numbers);
  if (h->looks)
    memcpy(positions, structure->positions, n_atoms * 3 * sizeof *positions);
  else
    irrep_hessian_positions(h->hessian, which, positions);
  *displaced = *structure;
  displaced->numbers = numbers;
  displaced->positions = positions;
  return true;
}

/* As the request says, but for its structures, in double precision. */
static bool hessian_request(const struct driver *driver, struct request *request) {
  const struct hessian_driver *h = (const struct hessian_driver *)driver;
  const size_t n = count_of(h);
  *request = *h->request;
  request->items = NULL;
  request->n_items = 0;
  request->bytes = 0;
  request->bytes_max = 0;
  request->blocks = NULL;
  request->properties = PROPERTY(FORCES);
  request->has_precision = true;
  request->precision = IRREP_FLOAT64;
  if (!request_make_items(request, n))
    return false;
  for (size_t i = 0; i < n; i++)
    if (!fill_item(h, i, request))
      return false;
  return true;
}

/* It takes as many as it has asked for: the results are in the order of what was wanted. */
static enum driver_next hessian_answer(struct driver *driver, const struct irrep_result *results) {
  struct hessian_driver *h = (struct hessian_driver *)driver;
  struct irrep_error error;
  const size_t n = count_of(h);
  if (h->looks) {
    h->looks = false;
    h->n_edges = results[0].n_edges;
    return DRIVER_ENDS;
  }
  for (size_t i = 0; i < n; i++)
    if (irrep_hessian_tell(h->hessian, results[i].forces, &error) != IRREP_OK) {
      snprintf(driver->fault, sizeof driver->fault, "%s", error.detail);
      return DRIVER_FAULT;
    }
  return irrep_hessian_wanted(h->hessian) > 0 ? DRIVER_ASKS : DRIVER_ENDS;
}

static void hessian_refuse(struct driver *driver, const struct problem *problem) {
  (void)driver, (void)problem; /* the owner hears of it */
}

static void free_driver(struct driver *driver) {
  hessian_driver_free((struct hessian_driver *)driver);
}

static const struct driver_kind hessian_kind = {
    .name = "hessian",
    .request = hessian_request,
    .answer = hessian_answer,
    .refuse = hessian_refuse,
    .free = free_driver,
};

struct hessian_driver *hessian_driver_new(const struct request *request, size_t index,
                                          const char *model, size_t most, bool looks,
                                          struct irrep_error *error) {
  struct irrep_hessian *hessian;
  if (irrep_hessian_new(&request->items[index].structure, 0.0, &hessian, error) != IRREP_OK)
    return NULL;
  struct hessian_driver *h = calloc(1, sizeof *h);
  if (!h) {
    irrep_hessian_free(hessian);
    irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for the Hessian");
    return NULL;
  }
  *h = (struct hessian_driver){.driver = {.kind = &hessian_kind},
                               .request = request,
                               .index = index,
                               .most = most,
                               .looks = looks,
                               .hessian = hessian};
  snprintf(h->driver.model, sizeof h->driver.model, "%s", model);
  return h;
}

void hessian_driver_free(struct hessian_driver *h) {
  if (h)
    irrep_hessian_free(h->hessian);
  free(h);
}

/* Finding the modes takes the matrix twice over. */
size_t hessian_driver_bytes(size_t n_atoms) {
  const size_t n = size_mul(3, n_atoms), numbers = size_add(size_mul(size_mul(3, n), n), 8 * n);
  return n > SIZE_MAX / 8
             ? SIZE_MAX
             : size_add(irrep_hessian_bytes(n_atoms), size_mul(numbers, sizeof(double)));
}

bool hessian_driver_find(struct hessian_driver *h, bool own_products,
                         struct hessian_numbers *numbers, struct irrep_error *error) {
  const struct request_item *item = &h->request->items[h->index];
  const size_t n = 3 * item->structure.n_atoms;
  const double *masses = item->motion ? item->motion->masses : NULL;
  struct irrep_modes found = IRREP_MODES_INIT;
  double *block = malloc((n + n * n) * sizeof *block); /* n is bounded by the core */
  found.own_products = own_products;
  if (!block)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for normal modes"), false;
  if (irrep_normal_modes(&item->structure, masses, irrep_hessian_values(h->hessian), block,
                         block + n, &found, error) != IRREP_OK) {
    free(block);
    return false;
  }
  *numbers = (struct hessian_numbers){.n_atoms = item->structure.n_atoms,
                                      .hessian = h->hessian,
                                      .frequencies = block,
                                      .modes = block + n,
                                      .zero_point_energy = found.zero_point_energy,
                                      .n_rigid = found.n_rigid};
  h->hessian = NULL;
  return true;
}
