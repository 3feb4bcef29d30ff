/* irrep/dispersion.h. */
#include "core/api/gather.h"
#include "core/api/options.h"
#include "core/base/arena.h"
#include "core/base/sized.h"
#include "core/cpu/dispatch.h"
#include "core/dispersion/reference_data.h"
#include "core/graph/batch.h"
#include "core/terms/dispersion_term.h"
#include "irrep/conventions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Scales and radii beyond this are refused. */
#define PARAMETER_MAX 1e3

enum irrep_status irrep_dispersion_load(const void *bytes, size_t n_bytes,
                                        struct irrep_dispersion **data, struct irrep_error *error) {
  *data = malloc(sizeof **data);
  if (!*data)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for reference data");
  const enum irrep_status status = reference_data_read(bytes, n_bytes, *data, error);
  if (status != IRREP_OK) {
    free(*data);
    *data = NULL;
  }
  return status;
}

void irrep_dispersion_free(struct irrep_dispersion *data) {
  free(data);
}

/* Options */

static enum irrep_status check_cutoff(const char *name, double cutoff, double width,
                                      struct irrep_error *error) {
  if (!(cutoff > 0 && cutoff <= IRREP_DISPERSION_CUTOFF_MAX))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, name,
                      "%s is %g; above 0 and up to %g Angstrom is accepted", name, cutoff,
                      IRREP_DISPERSION_CUTOFF_MAX);
  if (!(width < cutoff))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "width",
                      "width is %g Angstrom; less than %s, %g, is accepted", width, name, cutoff);
  return IRREP_OK;
}

static enum irrep_status check_parameters(const struct irrep_dispersion_options *options,
                                          struct irrep_error *error) {
  const struct irrep_damping_parameters *p = &options->parameters;
  const bool zero = options->damping == IRREP_D3ZERO;
  const struct {
    const char *name;
    double value, low;
  } numbers[] = {{"s6", p->s6, 0},
                 /* These two are negative for some functionals. */
                 {"s8", p->s8, -PARAMETER_MAX},
                 {zero ? "rs6" : "a1", p->a, zero ? 0 : -PARAMETER_MAX},
                 {zero ? "rs8" : "a2", p->b, 0}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (!(numbers[i].value >= numbers[i].low && numbers[i].value <= PARAMETER_MAX))
      return irrep_fail(error, IRREP_BAD_ARGUMENT, numbers[i].name,
                        "%s is %g; %g to %g is accepted", numbers[i].name, numbers[i].value,
                        numbers[i].low, PARAMETER_MAX);
  return IRREP_OK;
}

static enum irrep_status read_options(const struct irrep_dispersion_options *theirs,
                                      struct irrep_dispersion_options *options,
                                      struct irrep_error *error) {
  if (!sized_read(SIZED_DISPERSION, theirs, options))
    return sized_fail(error, "irrep_dispersion_options", "IRREP_DISPERSION_OPTIONS_INIT");
  if (options->damping != IRREP_D3BJ && options->damping != IRREP_D3ZERO)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "damping", "no damping has the number %d",
                      (int)options->damping);
  if (!(options->width >= 0))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "width", "width is %g; it cannot be negative",
                      options->width);
  enum irrep_status status = check_parameters(options, error);
  if (status == IRREP_OK)
    status = check_cutoff("cutoff", options->cutoff, options->width, error);
  if (status == IRREP_OK)
    status = check_cutoff("cn_cutoff", options->cn_cutoff, options->width, error);
  if (status == IRREP_OK && options->three_body)
    status = check_cutoff("three_body_cutoff", options->three_body_cutoff, options->width, error);
  return status;
}

enum irrep_status irrep_dispersion_check(const struct irrep_dispersion_options *options,
                                         struct irrep_error *error) {
  struct irrep_dispersion_options own;
  return read_options(options, &own, error);
}

enum irrep_status irrep_dispersion_elements(const struct irrep_dispersion *data,
                                            const int32_t *numbers, size_t n_atoms,
                                            struct irrep_error *error) {
  char field[32];
  for (size_t i = 0; i < n_atoms; i++) {
    const int32_t z = numbers[i];
    if (z >= 1 && z < REFERENCE_NUMBERS && data->n_references[z] > 0)
      continue;
    snprintf(field, sizeof field, "numbers/%zu", i);
    return irrep_fail(error, IRREP_UNKNOWN_ELEMENT, field,
                      "Atom %zu has the atomic number %d, for which DFT-D3 has no data; 1 to %d "
                      "are accepted",
                      i, (int)z, REFERENCE_NUMBERS - 1);
  }
  return IRREP_OK;
}

/* The term */

struct dispersion_term {
  struct irrep_term term;
  struct d3_parameters parameters;
  struct species_map map;
};

static void free_term(struct irrep_term *term) {
  free(term);
}

enum irrep_status irrep_dispersion_term(const struct irrep_dispersion *data,
                                        const struct irrep_dispersion_options *options,
                                        struct irrep_term **term, struct irrep_error *error) {
  struct irrep_dispersion_options own;
  *term = NULL;
  const enum irrep_status status = read_options(options, &own, error);
  if (status != IRREP_OK)
    return status;
  struct dispersion_term *made = malloc(sizeof *made);
  if (!made)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for a term");
  made->parameters = (struct d3_parameters){
      .data = data, .options = own, .kernels = kernels_for(IRREP_FLOAT64, NULL)->dispersion};
  dispersion_map(data, &made->map);
  made->term = (struct irrep_term){.term = {.kind = &dispersion_kind,
                                            .parameters = &made->parameters,
                                            .cutoff = own.cutoff,
                                            .map = &made->map},
                                   .free = free_term};
  *term = &made->term;
  return IRREP_OK;
}

/* By itself */

/* Everything that was given, in structs of this version. */
struct call {
  struct options options;
  struct irrep_structure structure;
  struct irrep_result result;
};

static enum irrep_status read_call(const struct irrep_term *term,
                                   const struct irrep_evaluate_options *evaluate,
                                   const struct irrep_structure *structure,
                                   const struct irrep_result *result, const void *arena,
                                   struct call *call, struct irrep_error *error) {
  if (term->term.kind != &dispersion_kind)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "term", "the term is not one of dispersion");
  if ((uintptr_t)arena % IRREP_ALIGNMENT != 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "arena", "the arena must be aligned to %d bytes",
                      IRREP_ALIGNMENT);
  const enum irrep_status status = options_read(evaluate, &call->options, error);
  if (status != IRREP_OK)
    return status;
  if (!sized_read(SIZED_STRUCTURE, structure, &call->structure))
    return sized_fail(error, "irrep_structure", "IRREP_STRUCTURE_INIT");
  if (!sized_read(SIZED_RESULT, result, &call->result))
    return sized_fail(error, "irrep_result", "IRREP_RESULT_INIT");
  return IRREP_OK;
}

/* Takes what the term adds to; false: the arena is too small. */
static bool take_place(struct term_place *place, size_t n_atoms, bool gradients,
                       struct arena *arena) {
  place->energies = arena_take(arena, n_atoms, sizeof(double));
  place->forces = arena_take(arena, size_mul(n_atoms, 3), sizeof(double));
  place->strains = arena_take(arena, size_mul(n_atoms, 9), sizeof(double));
  place->scratch = arena_take(arena, term_scratch_bytes(place->term, n_atoms, 0), 1);
  if (arena->failed)
    return false;
  memset(place->energies, 0, n_atoms * sizeof(double));
  memset(place->forces, 0, 3 * n_atoms * sizeof(double));
  memset(place->strains, 0, 9 * n_atoms * sizeof(double));
  if (!gradients)
    place->forces = place->strains = NULL;
  return true;
}

static void gather_place(const struct term_place *place, bool gradients,
                         struct irrep_result *result) {
  const struct irrep_structure *structure = place->structure;
  const struct gather_atoms atoms = {place->energies, place->forces, place->strains};
  struct gathering gathering;
  gather_begin(&gathering, structure->n_atoms, place->n_local, gradients, result);
  gather_add_atoms(&gathering, &atoms);
  gather_end(&gathering, structure->cell, structure->pbc);
}

/* What has been read, at a place whose structure, is_part and n_local are set. */
static enum irrep_status evaluate(const struct irrep_term *term, const struct crew *crew,
                                  struct term_place *place, struct arena *arena,
                                  struct irrep_result *result, struct irrep_error *error) {
  const bool gradients = gather_wants_gradients(result);
  place->term = &term->term;
  if (!take_place(place, place->structure->n_atoms, gradients, arena))
    return irrep_fail(error, IRREP_NO_MEMORY, "arena", "the arena is smaller than planned");
  if (!term_evaluate(place, 1, crew) || crew_is_cancelled(crew))
    return irrep_fail(error, IRREP_CANCELLED, "", "cancelled");
  result->status = dispersion_kind.finish(place);
  if (result->status == IRREP_OK)
    gather_place(place, gradients, result);
  return IRREP_OK;
}

enum irrep_status irrep_dispersion_evaluate(const struct irrep_term *term,
                                            const struct irrep_evaluate_options *evaluate_options,
                                            const struct irrep_structure *structure,
                                            void *arena_base, size_t arena_bytes,
                                            struct irrep_result *result,
                                            struct irrep_error *error) {
  struct call call = {.result = IRREP_RESULT_INIT};
  enum irrep_status status =
      read_call(term, evaluate_options, structure, result, arena_base, &call, error);
  if (status != IRREP_OK)
    return status;
  struct term_place place = {.structure = &call.structure, .n_local = call.structure.n_atoms};
  const struct crew crew = options_crew(&call.options);
  struct arena arena = arena_over(arena_base, arena_bytes);
  call.result.n_edges = 0;
  call.result.status = batch_check(term->term.map, &call.structure, NULL);
  if (call.result.status == IRREP_OK)
    status = evaluate(term, &crew, &place, &arena, &call.result, error);
  if (status == IRREP_OK)
    sized_write(SIZED_RESULT, &call.result, result);
  return status;
}

/* A process may have no atoms at all. */
static enum irrep_status check_part(const struct irrep_term *term, const struct call *call,
                                    size_t n_local, struct irrep_error *error) {
  const struct irrep_structure *s = &call->structure;
  if (n_local > s->n_atoms)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "n_local", "%zu local atoms of %zu atoms", n_local,
                      s->n_atoms);
  if (s->pbc[0] || s->pbc[1] || s->pbc[2])
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "pbc",
                      "a part of a structure has open axes: periodic images are ghosts");
  if (n_local < s->n_atoms && !call->options.given.exchange)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "exchange",
                      "there are ghosts, whose coordination numbers need an exchange");
  return s->n_atoms > 0 ? batch_check(term->term.map, s, error) : IRREP_OK;
}

enum irrep_status irrep_dispersion_evaluate_part(
    const struct irrep_term *term, const struct irrep_evaluate_options *evaluate_options,
    const struct irrep_structure *structure, size_t n_local, void *arena_base, size_t arena_bytes,
    struct irrep_result *result, struct irrep_error *error) {
  struct call call = {.result = IRREP_RESULT_INIT};
  enum irrep_status status =
      read_call(term, evaluate_options, structure, result, arena_base, &call, error);
  if (status == IRREP_OK)
    status = check_part(term, &call, n_local, error);
  if (status != IRREP_OK)
    return status;
  struct term_place place = {.structure = &call.structure, .is_part = true, .n_local = n_local};
  const struct crew crew = options_crew(&call.options);
  struct arena arena = arena_over(arena_base, arena_bytes);
  call.result.n_edges = 0;
  call.result.status = IRREP_OK;
  status = evaluate(term, &crew, &place, &arena, &call.result, error);
  if (status == IRREP_OK)
    sized_write(SIZED_RESULT, &call.result, result);
  return status;
}
