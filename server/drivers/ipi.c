/* The engine's side of the i-PI protocol (Kapil et al., Comput. Phys. Commun. 236, 214 (2019)), as
 * i-PI 3 and ASE speak it. */
#include "server/drivers/ipi_parser.h"
#include "server/drivers/parameters.h"
#include "server/drivers/protocol.h"
#include "server/drivers/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What comes behind the numbers of a structure: i-PI takes a blank for nothing, ASE fails on an
 * empty text. */
#define EXTRAS " "

enum state { NEEDINIT, READY, HAVEDATA };

struct ipi {
  struct protocol protocol; /* first */
  struct ipi_parser parser;
  enum state state;
  struct species species;
  bool has_precision;
  enum irrep_precision precision;
  struct request_head head;
  size_t max_atoms, max_structures;
  struct atomic_units units;
  struct text data; /* what GETFORCE is answered with, in state HAVEDATA */
};

static void ipi_free(struct driver *driver) {
  struct ipi *ipi = (struct ipi *)driver;
  ipi_parser_fini(&ipi->parser);
  species_fini(&ipi->species);
  text_fini(&ipi->data);
  text_fini(&ipi->protocol.out);
  free(ipi);
}

static const struct driver_kind ipi_driver;

static struct protocol *ipi_new(const struct protocol_settings *settings) {
  struct ipi *ipi = calloc(1, sizeof *ipi);
  if (!ipi)
    return NULL;
  struct protocol *protocol = &ipi->protocol;
  protocol->kind = &protocol_ipi;
  protocol->driver.kind = &ipi_driver;
  snprintf(protocol->driver.model, sizeof protocol->driver.model, "%s", settings->model);
  ipi->units = units_of_ase;
  ipi->has_precision = settings->has_precision;
  ipi->precision = settings->precision;
  ipi->head = settings->head;
  ipi->max_atoms = settings->max_atoms;
  ipi->max_structures = settings->max_structures;
  ipi->parser.max_atoms = settings->max_atoms;
  ipi->parser.batch_size = 1;
  species_share(&ipi->species, settings->species);
  ipi->parser.n_atoms = ipi->species.n_atoms;
  return protocol;
}

static enum driver_next fault(struct ipi *ipi, const char *why) {
  snprintf(ipi->protocol.driver.fault, sizeof ipi->protocol.driver.fault, "%s", why);
  return DRIVER_FAULT;
}

/* Initialisation */

static bool same_atoms(const struct species *a, const struct species *b) {
  return a->n_atoms == b->n_atoms &&
         memcmp(a->numbers, b->numbers, a->n_atoms * sizeof *a->numbers) == 0;
}

/* Takes what i-PI's parameters say over what was known before, but never other atoms. Returns NULL,
 * or what is wrong. */
static const char *apply(struct ipi *ipi, struct parameters *p) {
  if (p->species.n_atoms > 0 && ipi->species.n_atoms > 0 && !same_atoms(&p->species, &ipi->species))
    return "the species of INIT are not those that were registered";
  if (p->batch_size > ipi->max_structures)
    return "a batch_size beyond the limit of structures";
  if (p->model[0] != '\0')
    memcpy(ipi->protocol.driver.model, p->model, sizeof p->model);
  if (p->has_precision) {
    ipi->has_precision = true;
    ipi->precision = p->precision;
  }
  if (p->head.is_given)
    ipi->head = p->head;
  if (p->species.has_pbc) {
    ipi->species.has_pbc = true;
    memcpy(ipi->species.pbc, p->species.pbc, sizeof p->species.pbc);
  }
  if (ipi->species.n_atoms == 0) {
    ipi->species.numbers = p->species.numbers;
    ipi->species.n_atoms = p->species.n_atoms;
    ipi->species.capacity = p->species.capacity;
    p->species.numbers = NULL;
  }
  /* ASE's text is a single zero byte. */
  if (p->given)
    ipi->units = units_of_ipi;
  ipi->parser.n_atoms = ipi->species.n_atoms;
  ipi->parser.batch_size = p->batch_size;
  return NULL;
}

static enum driver_next initialise(struct ipi *ipi) {
  struct parameters parameters = {0};
  struct irrep_error error;
  if (ipi->state == HAVEDATA)
    return fault(ipi, "INIT before GETFORCE");
  if (parameters_read(ipi->parser.init, ipi->parser.init_size, ipi->max_atoms, &parameters,
                      &error) != IRREP_OK)
    return fault(ipi, error.detail);
  const char *wrong = apply(ipi, &parameters);
  parameters_fini(&parameters);
  if (wrong != NULL)
    return fault(ipi, wrong);
  ipi->state = READY;
  return DRIVER_WAITS;
}

/* Messages */

static enum driver_next begin_structures(struct ipi *ipi) {
  if (ipi->state == HAVEDATA)
    return fault(ipi, "POSDATA before GETFORCE");
  if (ipi->protocol.driver.model[0] == '\0')
    return fault(ipi, "POSDATA before anything has said which model is meant");
  ipi->protocol.owes = true;
  return DRIVER_ASKS;
}

static enum driver_next hand_over(struct ipi *ipi) {
  if (ipi->state != HAVEDATA)
    return fault(ipi, "GETFORCE before POSDATA");
  text_add(&ipi->protocol.out, ipi->data.bytes, ipi->data.size);
  ipi->data.size = 0;
  ipi->state = READY;
  ipi->protocol.owes = false;
  return DRIVER_WAITS;
}

static enum driver_next take(struct ipi *ipi, enum ipi_message message) {
  static const char *const names[] = {"NEEDINIT    ", "READY       ", "HAVEDATA    "};
  switch (message) {
  case IPI_STATUS:
    text_add(&ipi->protocol.out, names[ipi->state], IPI_HEADER_SIZE);
    return DRIVER_WAITS;
  case IPI_INIT:
    return initialise(ipi);
  case IPI_POSDATA:
    return begin_structures(ipi);
  case IPI_GETFORCE:
    return hand_over(ipi);
  case IPI_EXIT:
    return DRIVER_ENDS;
  case IPI_BAD:
    return fault(ipi, ipi->parser.reader.fault);
  case IPI_MORE:
    break;
  }
  return DRIVER_WAITS;
}

static enum driver_next ipi_feed(struct protocol *protocol, const unsigned char *bytes, size_t size,
                                 size_t *used) {
  struct ipi *ipi = (struct ipi *)protocol;
  enum driver_next event = DRIVER_WAITS;
  *used = 0;
  while (event == DRIVER_WAITS && *used < size && protocol->out.size < PROTOCOL_OUT_ENOUGH) {
    size_t n = 0;
    const enum ipi_message message = ipi_parser_feed(&ipi->parser, bytes + *used, size - *used, &n);
    *used += n;
    protocol->n_messages += message != IPI_MORE;
    event = take(ipi, message);
  }
  protocol->in_message = ipi_parser_in_message(&ipi->parser);
  if (event == DRIVER_WAITS && protocol->out.failed)
    event = fault(ipi, "no memory for an answer");
  return event;
}

/* Structures */

/* Periodic along every lattice vector that is not zero, unless it was said. */
static void fill_cell(const struct ipi *ipi, const double *h, struct irrep_structure *s) {
  for (size_t i = 0; i < 3; i++) {
    bool is_vector = false;
    for (size_t k = 0; k < 3; k++) {
      s->cell[i][k] = h[3 * k + i] * ipi->units.length;
      is_vector = is_vector || s->cell[i][k] != 0;
    }
    s->pbc[i] = ipi->species.has_pbc ? ipi->species.pbc[i] : is_vector;
  }
}

static bool ipi_request(const struct driver *driver, struct request *request) {
  const struct ipi *ipi = (const struct ipi *)driver;
  const size_t n_atoms = ipi->species.n_atoms, n = ipi->parser.batch_size;
  int32_t *numbers = request_alloc(request, n_atoms, sizeof *numbers);
  double *positions = request_alloc(request, n * n_atoms, 3 * sizeof *positions);
  if (!numbers || !positions || !request_make_items(request, n))
    return false;
  memcpy(numbers, ipi->species.numbers, n_atoms * sizeof *numbers);
  for (size_t i = 0; i < 3 * n * n_atoms; i++)
    positions[i] = ipi->parser.positions[i] * ipi->units.length;
  for (size_t i = 0; i < n; i++) {
    struct irrep_structure *s = &request->items[i].structure;
    s->n_atoms = n_atoms;
    s->numbers = numbers;
    s->positions = positions + 3 * i * n_atoms;
    fill_cell(ipi, ipi->parser.cells + 18 * i, s);
  }
  request->properties = PROPERTY(FORCES);
  request->has_precision = ipi->has_precision;
  request->precision = ipi->precision;
  request->head = ipi->head;
  return true;
}

/* Appends n numbers times a factor. false: one is not finite. */
static bool put(struct text *text, const double *numbers, size_t n, double factor) {
  bool finite = true;
  for (size_t i = 0; i < n; i++) {
    const double number = numbers[i] * factor;
    finite = finite && isfinite(number);
    text_add(text, (const char *)&number, sizeof number);
  }
  return finite;
}

static enum driver_next ipi_answer(struct driver *driver, const struct irrep_result *results) {
  struct ipi *ipi = (struct ipi *)driver;
  const size_t n = ipi->parser.batch_size, n_atoms = ipi->species.n_atoms;
  const double per_energy = 1 / ipi->units.energy;
  const double per_force = ipi->units.length / ipi->units.energy;
  const int32_t count = (int32_t)n_atoms, length = sizeof EXTRAS - 1;
  struct text *data = &ipi->data;
  bool finite = true;
  text_add(data, "FORCEREADY  ", IPI_HEADER_SIZE);
  for (size_t i = 0; i < n; i++)
    finite &= put(data, &results[i].energy, 1, per_energy);
  text_add(data, (const char *)&count, sizeof count);
  for (size_t i = 0; i < n; i++)
    finite &= put(data, results[i].forces, 3 * n_atoms, per_force);
  for (size_t i = 0; i < n; i++)
    finite &= put(data, &results[i].virial[0][0], 9, per_energy);
  for (size_t i = 0; i < n; i++) {
    text_add(data, (const char *)&length, sizeof length);
    text_puts(data, EXTRAS);
  }
  if (!finite || data->failed)
    return fault(ipi, data->failed ? "no memory for the answer" : "a number that is not finite");
  ipi->state = HAVEDATA;
  return DRIVER_WAITS;
}

/* The protocol has no word for failure. */
static void ipi_refuse(struct driver *driver, const struct problem *problem) {
  (void)driver, (void)problem;
}

static const struct driver_kind ipi_driver = {.name = "ipi",
                                              .request = ipi_request,
                                              .answer = ipi_answer,
                                              .refuse = ipi_refuse,
                                              .free = ipi_free};

const struct protocol_kind protocol_ipi = {.name = "ipi", .new = ipi_new, .feed = ipi_feed};
