/* The table of outputs: irrep/outputs.h. A new output is a field of struct irrep_result, an index
 * and a row here. */
#include "irrep/outputs.h"

#include "core/base/arena.h"

#include <string.h>

struct row {
  struct irrep_output output;
  size_t offset; /* of its field in struct irrep_result: doubles, or by atom a pointer to them */

  /* Of the model's own number of columns in struct irrep_result and struct irrep_card. */
  size_t columns_in_result, columns_in_card;

  /* Of a flag in either, that says whether there is one; 0: there always is. */
  size_t flag_in_result, flag_in_card;
};

#define BIT(index) ((uint32_t)1 << (index))
#define SCALAR .irreps = "0e", .n_dims = 0, .columns = 1
#define VECTOR .irreps = "1o", .n_dims = 1, .dims = {3}, .columns = 3
#define SYMMETRIC .irreps = "0e+2e", .n_dims = 2, .dims = {3, 3}, .columns = 9
#define ROW(index_, field, ...)                                                                    \
  [index_] = {.output = {.name = #field, .bit = BIT(index_), __VA_ARGS__},                         \
              .offset = offsetof(struct irrep_result, field)}

/* A row for each atom, of a number of columns that a field n_NAME says. */
#define OF_MODEL(index_, field, ...)                                                               \
  [index_] = {.output = {.name = #field,                                                           \
                         .bit = BIT(index_),                                                       \
                         .unit = "1",                                                              \
                         .by_atom = true,                                                          \
                         .n_dims = 1,                                                              \
                         __VA_ARGS__},                                                             \
              .offset = offsetof(struct irrep_result, field),                                      \
              .columns_in_result = offsetof(struct irrep_result, n_##field),                       \
              .columns_in_card = offsetof(struct irrep_card, n_##field)}

/* Of the structure, where a field has_NAME says that there is one. */
#define OF_SOME(index_, field, ...)                                                                \
  [index_] = {.output = {.name = #field, .bit = BIT(index_), __VA_ARGS__},                         \
              .offset = offsetof(struct irrep_result, field),                                      \
              .flag_in_result = offsetof(struct irrep_result, has_##field),                        \
              .flag_in_card = offsetof(struct irrep_card, has_##field)}

static const struct row rows[] = {
    ROW(IRREP_OUTPUT_ENERGY, energy, .unit = "eV", SCALAR, .is_default = true),
    ROW(IRREP_OUTPUT_FORCES, forces, .unit = "eV/Angstrom", .by_atom = true, VECTOR,
        .of_gradient = true, .is_default = true),
    ROW(IRREP_OUTPUT_STRESS, stress, .unit = "eV/Angstrom^3", SYMMETRIC, .of_gradient = true,
        .needs_volume = true, .is_default = true),
    ROW(IRREP_OUTPUT_ENERGIES, energies, .unit = "eV", .by_atom = true, SCALAR),
    ROW(IRREP_OUTPUT_VIRIAL, virial, .unit = "eV", SYMMETRIC, .of_gradient = true),
    ROW(IRREP_OUTPUT_STRESSES, stresses, .unit = "eV/Angstrom^3, or eV where stress is null",
        .by_atom = true, SYMMETRIC, .of_gradient = true),
    OF_MODEL(IRREP_OUTPUT_DESCRIPTORS, descriptors, .irreps = "0e"),
    OF_MODEL(IRREP_OUTPUT_DESCRIPTORS_L, descriptors_l, .irreps = ""),
    OF_SOME(IRREP_OUTPUT_DIPOLE, dipole, .unit = "e*Angstrom", VECTOR),
};

enum { N_ROWS = sizeof rows / sizeof *rows };

const struct irrep_output *irrep_output_at(size_t index) {
  return index < N_ROWS ? &rows[index].output : NULL;
}

const struct irrep_output *irrep_output_find(const char *name, size_t size) {
  for (size_t i = 0; i < N_ROWS; i++)
    if (strlen(rows[i].output.name) == size && memcmp(rows[i].output.name, name, size) == 0)
      return &rows[i].output;
  return NULL;
}

static const struct row *row_of(const struct irrep_output *output) {
  size_t i = 0;
  while (i + 1 < N_ROWS && rows[i].output.bit != output->bit)
    i++;
  return &rows[i];
}

/* Whether a caller's result, which may be of an older version, has the field of a row. */
static bool has_field(const struct irrep_result *result, const struct row *row) {
  const size_t size = row->output.by_atom ? sizeof(double *) : row->output.columns * sizeof(double);
  return result->struct_size >= row->offset + size;
}

static bool flag_at(const void *fields, size_t offset) {
  bool flag;
  memcpy(&flag, (const char *)fields + offset, sizeof flag);
  return flag;
}

static size_t number_at(const void *fields, size_t offset) {
  size_t number;
  memcpy(&number, (const char *)fields + offset, sizeof number);
  return number;
}

bool irrep_output_is_of(const struct irrep_output *output, const struct irrep_card *card) {
  const struct row *row = row_of(output);
  return row->flag_in_card == 0 || flag_at(card, row->flag_in_card);
}

size_t irrep_output_columns(const struct irrep_output *output, const struct irrep_card *card) {
  if (output->columns > 0)
    return output->columns;
  return card ? number_at(card, row_of(output)->columns_in_card) : 0;
}

size_t irrep_output_columns_in(const struct irrep_output *output,
                               const struct irrep_result *result) {
  const struct row *row = row_of(output);
  if (output->columns > 0)
    return output->columns;
  return has_field(result, row) ? number_at(result, row->columns_in_result) : 0;
}

const double *irrep_output_values(const struct irrep_output *output,
                                  const struct irrep_result *result) {
  const struct row *row = row_of(output);
  const char *field = (const char *)result + row->offset;
  const double *values = (const double *)(const void *)field;
  if (!has_field(result, row))
    return NULL;
  if (output->by_atom)
    memcpy(&values, field, sizeof values);
  if (row->flag_in_result > 0 && !flag_at(result, row->flag_in_result))
    return NULL;
  return output->needs_volume && !result->has_stress ? NULL : values;
}

size_t irrep_outputs_place(uint32_t wanted, const struct irrep_card *card, size_t n_atoms,
                           double *storage, struct irrep_result *result) {
  size_t used = 0;
  /* What comes of the gradient is computed where forces are wanted. */
  for (size_t i = 0; i < N_ROWS; i++)
    if (rows[i].output.of_gradient && (wanted & rows[i].output.bit))
      wanted |= BIT(IRREP_OUTPUT_FORCES);
  for (size_t i = 0; i < N_ROWS; i++) {
    const struct irrep_output *output = &rows[i].output;
    if (!output->by_atom)
      continue;
    const size_t columns = irrep_output_columns(output, card);
    double *values = NULL;
    if ((wanted & output->bit) && columns > 0) {
      values = storage ? storage + used : NULL;
      used = size_add(used, size_mul(n_atoms, columns));
    }
    if (!result || !has_field(result, &rows[i]))
      continue;
    memcpy((char *)result + rows[i].offset, &values, sizeof values);
    if (output->columns == 0)
      memcpy((char *)result + rows[i].columns_in_result, &columns, sizeof columns);
  }
  return used;
}
