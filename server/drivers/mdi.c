/* An engine of the MolSSI Driver Interface (Barnes et al., Comput. Phys. Commun. 261, 107688
 * (2021)), as its library of version 1.4 speaks it over TCP.
 *
 * A structure is computed when the driver first asks for a number of it. */
#include "server/drivers/mdi_parser.h"
#include "server/drivers/protocol.h"
#include "server/drivers/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE "@DEFAULT"
#define ENGINE_NAME "irrepd"

static const int32_t version[] = {1, 4, 40};

/* What it answers an unanswerable command with. */
#define MDI_ERROR 1

struct mdi {
  struct protocol protocol; /* first */
  struct mdi_parser parser;
  struct species species; /* n_atoms from >NATOMS, numbers 0 until >ELEMENTS */
  bool has_precision;
  enum irrep_precision precision;
  struct request_head head;
  size_t max_atoms;
  double *positions;        /* [n_atoms][3] bohr; NULL until >COORDS */
  double cell[3][3];        /* bohr, rows are lattice vectors */
  bool is_computed;         /* the numbers below are those of the structure */
  double energy, stress[9]; /* hartree, hartree/bohr^3 with MDI's sign */
  bool has_stress;
  double *forces;                    /* [n_atoms][3] hartree/bohr */
  const struct mdi_command *pending; /* is answered when they are computed */
};

enum action { ANSWER, COMPUTE, RECEIVE, LEAVE };

struct mdi_command {
  const char *name;
  enum action action;
  enum mdi_datatype datatype; /* of the data that follow, in either direction */
  size_t count, per_atom;     /* count + per_atom * n_atoms values */
  bool is_listed;             /* in <COMMANDS: not those of every engine */
  /* ANSWER and COMPUTE: writes the answer. RECEIVE: takes parser.data. Returns NULL, or what is
   * wrong. */
  const char *(*run)(struct mdi *mdi, const struct mdi_command *command);
};

/* Sending */

static void put_header(struct mdi *mdi, int32_t error, enum mdi_datatype datatype, size_t count) {
  const int32_t header[] = {error, 0, (int32_t)datatype, (int32_t)count};
  text_add(&mdi->protocol.out, (const char *)header, sizeof header);
}

static void put_doubles(struct mdi *mdi, const double *numbers, size_t count) {
  put_header(mdi, 0, MDI_DOUBLE, count);
  text_add(&mdi->protocol.out, (const char *)numbers, count * sizeof *numbers);
}

static void put_ints(struct mdi *mdi, const int32_t *numbers, size_t count) {
  put_header(mdi, 0, MDI_INT, count);
  text_add(&mdi->protocol.out, (const char *)numbers, count * sizeof *numbers);
}

/* Text padded to a length. */
static void put_padded(struct text *text, const char *string, size_t length, char padding) {
  const size_t n = strlen(string) < length ? strlen(string) : length;
  text_add(text, string, n);
  for (size_t i = n; i < length; i++)
    text_add(text, &padding, 1);
}

static void put_name(struct mdi *mdi, const char *name, size_t length) {
  put_header(mdi, 0, MDI_CHAR, length);
  put_padded(&mdi->protocol.out, name, length, '\0');
}

/* What is known of the structure */

static void forget(struct mdi *mdi) {
  mdi->is_computed = false;
}

static const char *set_n_atoms(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  const int32_t n = *(const int32_t *)mdi->parser.data;
  if (n < 1 || (size_t)n > mdi->max_atoms)
    return "a number of atoms outside the limits";
  forget(mdi);
  if ((size_t)n == mdi->species.n_atoms)
    return NULL;
  free(mdi->positions);
  mdi->positions = NULL;
  mdi->species.n_atoms = 0;
  return species_add(&mdi->species, 0, (size_t)n, mdi->max_atoms) ? NULL
                                                                  : "no memory for the atoms";
}

static const char *set_elements(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  forget(mdi);
  return species_renumber(&mdi->species, mdi->parser.data) ? NULL : "no memory for the elements";
}

static const char *set_positions(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  free(mdi->positions);
  mdi->positions = mdi->parser.data; /* taken */
  mdi->parser.data = NULL;
  mdi->parser.data_size = 0;
  forget(mdi);
  return NULL;
}

static const char *set_cell(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  memcpy(mdi->cell, mdi->parser.data, sizeof mdi->cell);
  forget(mdi);
  return NULL;
}

/* Energies and forces do not depend on where the cell's corner lies. */
static const char *set_displacement(struct mdi *mdi, const struct mdi_command *command) {
  (void)mdi, (void)command;
  return NULL;
}

/* Answers */

static const char *get_name(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_name(mdi, ENGINE_NAME, mdi->parser.name_length);
  return NULL;
}

static const char *get_version(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_ints(mdi, version, 3);
  return NULL;
}

static const char *get_node(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_name(mdi, NODE, mdi->parser.command_length);
  return NULL;
}

static const char *get_n_atoms(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  const int32_t n = (int32_t)mdi->species.n_atoms;
  put_ints(mdi, &n, 1);
  return NULL;
}

static const char *get_elements(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_ints(mdi, mdi->species.numbers, mdi->species.n_atoms);
  return NULL;
}

static const char *get_positions(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  if (!mdi->positions)
    return "<COORDS before >COORDS";
  put_doubles(mdi, mdi->positions, 3 * mdi->species.n_atoms);
  return NULL;
}

static const char *get_cell(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_doubles(mdi, &mdi->cell[0][0], 9);
  return NULL;
}

static const char *get_energy(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_doubles(mdi, &mdi->energy, 1);
  return NULL;
}

static const char *get_forces(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_doubles(mdi, mdi->forces, 3 * mdi->species.n_atoms);
  return NULL;
}

static const char *get_stress(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  if (!mdi->has_stress)
    return "<STRESS of a structure that is not periodic along all axes";
  put_doubles(mdi, mdi->stress, 9);
  return NULL;
}

static const char *get_n_nodes(struct mdi *mdi, const struct mdi_command *command);
static const char *get_n_commands(struct mdi *mdi, const struct mdi_command *command);
static const char *get_n_callbacks(struct mdi *mdi, const struct mdi_command *command);
static const char *get_nodes(struct mdi *mdi, const struct mdi_command *command);
static const char *get_commands(struct mdi *mdi, const struct mdi_command *command);
static const char *get_callbacks(struct mdi *mdi, const struct mdi_command *command);

static const struct mdi_command commands[] = {
    {"<@", ANSWER, 0, 0, 0, true, get_node},
    {"<CELL", ANSWER, 0, 0, 0, true, get_cell},
    {"<COORDS", ANSWER, 0, 0, 0, true, get_positions},
    {"<ELEMENTS", ANSWER, 0, 0, 0, true, get_elements},
    {"<ENERGY", COMPUTE, 0, 0, 0, true, get_energy},
    {"<FORCES", COMPUTE, 0, 0, 0, true, get_forces},
    {"<NATOMS", ANSWER, 0, 0, 0, true, get_n_atoms},
    {"<PE", COMPUTE, 0, 0, 0, true, get_energy},
    {"<STRESS", COMPUTE, 0, 0, 0, true, get_stress},
    {">CELL", RECEIVE, MDI_DOUBLE, 9, 0, true, set_cell},
    {">CELL_DISPL", RECEIVE, MDI_DOUBLE, 3, 0, true, set_displacement},
    {">COORDS", RECEIVE, MDI_DOUBLE, 0, 3, true, set_positions},
    {">ELEMENTS", RECEIVE, MDI_INT, 0, 1, true, set_elements},
    {">NATOMS", RECEIVE, MDI_INT, 1, 0, true, set_n_atoms},
    {"EXIT", LEAVE, 0, 0, 0, true, NULL},
    {"<NAME", ANSWER, 0, 0, 0, false, get_name},
    {"<VERSION", ANSWER, 0, 0, 0, false, get_version},
    {"<NNODES", ANSWER, 0, 0, 0, false, get_n_nodes},
    {"<NODES", ANSWER, 0, 0, 0, false, get_nodes},
    {"<NCOMMANDS", ANSWER, 0, 0, 0, false, get_n_commands},
    {"<COMMANDS", ANSWER, 0, 0, 0, false, get_commands},
    {"<NCALLBACKS", ANSWER, 0, 0, 0, false, get_n_callbacks},
    {"<CALLBACKS", ANSWER, 0, 0, 0, false, get_callbacks},
};

#define N_COMMANDS (sizeof commands / sizeof *commands)

static size_t n_listed(void) {
  size_t n = 0;
  for (size_t i = 0; i < N_COMMANDS; i++)
    n += commands[i].is_listed;
  return n;
}

static const char *get_n_nodes(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_ints(mdi, &(const int32_t){1}, 1);
  return NULL;
}

static const char *get_n_commands(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_ints(mdi, &(const int32_t){(int32_t)n_listed()}, 1);
  return NULL;
}

static const char *get_n_callbacks(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_ints(mdi, &(const int32_t){0}, 1);
  return NULL;
}

/* Lists are slots of a padded name and a separator: "," between them, ";" behind a node's last. */
static void put_slot(struct mdi *mdi, const char *name, char separator) {
  put_padded(&mdi->protocol.out, name, mdi->parser.command_length, ' ');
  text_add(&mdi->protocol.out, &separator, 1);
}

static const char *get_nodes(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_header(mdi, 0, MDI_CHAR, mdi->parser.command_length + 1);
  put_slot(mdi, NODE, ',');
  return NULL;
}

static const char *get_callbacks(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  put_header(mdi, 0, MDI_CHAR, mdi->parser.command_length + 1);
  put_slot(mdi, NODE, ';');
  return NULL;
}

static const char *get_commands(struct mdi *mdi, const struct mdi_command *command) {
  (void)command;
  size_t left = n_listed();
  put_header(mdi, 0, MDI_CHAR, (left + 1) * (mdi->parser.command_length + 1));
  put_slot(mdi, NODE, ',');
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (commands[i].is_listed)
      put_slot(mdi, commands[i].name, --left > 0 ? ',' : ';');
  return NULL;
}

/* Life */

static void mdi_free(struct driver *driver) {
  struct mdi *mdi = (struct mdi *)driver;
  mdi_parser_fini(&mdi->parser);
  species_fini(&mdi->species);
  text_fini(&mdi->protocol.out);
  free(mdi->positions);
  free(mdi->forces);
  free(mdi);
}

static const struct driver_kind mdi_driver;

static struct protocol *mdi_new(const struct protocol_settings *settings) {
  static const int32_t lengths[] = {MDI_TEXT_MAX, MDI_TEXT_MAX};
  struct mdi *mdi = calloc(1, sizeof *mdi);
  if (!mdi)
    return NULL;
  struct protocol *protocol = &mdi->protocol;
  protocol->kind = &protocol_mdi;
  protocol->driver.kind = &mdi_driver;
  snprintf(protocol->driver.model, sizeof protocol->driver.model, "%s", settings->model);
  mdi->has_precision = settings->has_precision;
  mdi->precision = settings->precision;
  mdi->head = settings->head;
  mdi->max_atoms = settings->max_atoms;
  text_add(&protocol->out, (const char *)version, sizeof version);
  text_add(&protocol->out, (const char *)lengths, sizeof lengths);
  species_share(&mdi->species, settings->species);
  if (protocol->out.failed) {
    mdi_free(&protocol->driver);
    return NULL;
  }
  return protocol;
}

static enum driver_next fault(struct mdi *mdi, const char *why) {
  snprintf(mdi->protocol.driver.fault, sizeof mdi->protocol.driver.fault, "%s", why);
  return DRIVER_FAULT;
}

/* Commands */

static const struct mdi_command *find(const char *name) {
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (strcmp(commands[i].name, name) == 0)
      return &commands[i];
  return NULL;
}

static enum driver_next run(struct mdi *mdi, const struct mdi_command *command) {
  const char *wrong = command->run(mdi, command);
  if (!wrong)
    return DRIVER_WAITS;
  if (command->action != RECEIVE)
    put_header(mdi, MDI_ERROR, MDI_CHAR, 0);
  return fault(mdi, wrong);
}

static enum driver_next compute(struct mdi *mdi, const struct mdi_command *command) {
  if (mdi->is_computed)
    return run(mdi, command);
  if (mdi->species.n_atoms == 0 || !mdi->positions) {
    put_header(mdi, MDI_ERROR, MDI_CHAR, 0);
    return fault(mdi, "a number is asked for before >NATOMS, >ELEMENTS and >COORDS");
  }
  mdi->pending = command;
  mdi->protocol.owes = true;
  return DRIVER_ASKS;
}

static enum driver_next take_command(struct mdi *mdi) {
  const struct mdi_command *command = find(mdi->parser.command);
  char why[MDI_TEXT_MAX];
  if (!command) {
    snprintf(why, sizeof why, "unknown command %.60s", mdi->parser.command);
    put_header(mdi, MDI_ERROR, MDI_CHAR, 0);
    return fault(mdi, why);
  }
  const size_t count = command->count + command->per_atom * mdi->species.n_atoms;
  switch (command->action) {
  case ANSWER:
    return run(mdi, command);
  case COMPUTE:
    return compute(mdi, command);
  case RECEIVE:
    if (count == 0)
      return fault(mdi, "data of atoms before >NATOMS");
    mdi_parser_expect(&mdi->parser, command->datatype, count);
    return DRIVER_WAITS;
  case LEAVE:
    break;
  }
  return DRIVER_ENDS;
}

static enum driver_next mdi_feed(struct protocol *protocol, const unsigned char *bytes, size_t size,
                                 size_t *used) {
  struct mdi *mdi = (struct mdi *)protocol;
  enum driver_next event = DRIVER_WAITS;
  *used = 0;
  while (event == DRIVER_WAITS && *used < size && protocol->out.size < PROTOCOL_OUT_ENOUGH) {
    size_t n = 0;
    const enum mdi_message message = mdi_parser_feed(&mdi->parser, bytes + *used, size - *used, &n);
    *used += n;
    protocol->n_messages += message != MDI_MORE;
    if (message == MDI_COMMAND)
      event = take_command(mdi);
    else if (message == MDI_DATA)
      event = run(mdi, find(mdi->parser.command));
    else if (message == MDI_BAD)
      event = fault(mdi, mdi->parser.reader.fault);
  }
  protocol->in_message = mdi_parser_in_message(&mdi->parser);
  if (event == DRIVER_WAITS && protocol->out.failed)
    event = fault(mdi, "no memory for an answer");
  return event;
}

/* Structures */

/* Periodic along every lattice vector that is not zero, unless it was said. */
static void fill_cell(const struct mdi *mdi, struct irrep_structure *s) {
  for (size_t i = 0; i < 3; i++) {
    bool is_vector = false;
    for (size_t k = 0; k < 3; k++) {
      s->cell[i][k] = mdi->cell[i][k] * units_of_mdi.length;
      is_vector = is_vector || s->cell[i][k] != 0;
    }
    s->pbc[i] = mdi->species.has_pbc ? mdi->species.pbc[i] : is_vector;
  }
}

static bool mdi_request(const struct driver *driver, struct request *request) {
  const struct mdi *mdi = (const struct mdi *)driver;
  const size_t n_atoms = mdi->species.n_atoms;
  int32_t *numbers = request_alloc(request, n_atoms, sizeof *numbers);
  double *positions = request_alloc(request, n_atoms, 3 * sizeof *positions);
  if (!numbers || !positions || !request_make_items(request, 1))
    return false;
  memcpy(numbers, mdi->species.numbers, n_atoms * sizeof *numbers);
  for (size_t i = 0; i < 3 * n_atoms; i++)
    positions[i] = mdi->positions[i] * units_of_mdi.length;
  struct irrep_structure *s = &request->items[0].structure;
  s->n_atoms = n_atoms;
  s->numbers = numbers;
  s->positions = positions;
  fill_cell(mdi, s);
  request->properties = PROPERTY(FORCES);
  request->has_precision = mdi->has_precision;
  request->precision = mdi->precision;
  request->head = mdi->head;
  return true;
}

static bool scale(double *out, const double *in, size_t n, double factor) {
  bool finite = true;
  for (size_t i = 0; i < n; i++) {
    out[i] = in[i] * factor;
    finite = finite && isfinite(out[i]);
  }
  return finite;
}

static enum driver_next mdi_answer(struct driver *driver, const struct irrep_result *results) {
  struct mdi *mdi = (struct mdi *)driver;
  const struct atomic_units u = units_of_mdi;
  const size_t n = 3 * mdi->species.n_atoms;
  double *forces = realloc(mdi->forces, n * sizeof *forces);
  mdi->forces = forces != NULL ? forces : mdi->forces;
  mdi->protocol.owes = false;
  bool good = forces != NULL && scale(&mdi->energy, &results->energy, 1, 1 / u.energy) &&
              scale(forces, results->forces, n, u.length / u.energy);
  mdi->has_stress = results->has_stress;
  if (good && results->has_stress)
    good =
        scale(mdi->stress, &results->stress[0][0], 9, -u.length * u.length * u.length / u.energy);
  if (!good) {
    put_header(mdi, MDI_ERROR, MDI_CHAR, 0);
    return fault(mdi, forces ? "a number that is not finite" : "no memory for the answer");
  }
  mdi->is_computed = true;
  return run(mdi, mdi->pending);
}

static void mdi_refuse(struct driver *driver, const struct problem *problem) {
  (void)problem;
  put_header((struct mdi *)driver, MDI_ERROR, MDI_CHAR, 0);
}

static const struct driver_kind mdi_driver = {.name = "mdi",
                                              .request = mdi_request,
                                              .answer = mdi_answer,
                                              .refuse = mdi_refuse,
                                              .free = mdi_free};

const struct protocol_kind protocol_mdi = {.name = "mdi", .new = mdi_new, .feed = mdi_feed};
