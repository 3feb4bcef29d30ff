/* The public face of the core: irrep/model.h. */
#include "irrep/model.h"

#include "core/base/arena.h"
#include "core/graph/batch.h"
#include "core/graph/neighbours.h"
#include "core/models/models.h"
#include "core/program/dispatch.h"
#include "core/program/evaluate.h"
#include "core/program/model_file.h"
#include "core/program/weights.h"
#include "irrep/conventions.h"
#include "irrep/model_format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct irrep_model {
  struct program program;
  struct species_map map;
  const struct kernels *kernels[2]; /* by precision */
  struct weights weights[2];        /* by precision */
  struct filter_tables tables;      /* for the model's own precision */
  struct irrep_model_card card;
  int32_t atomic_numbers[IRREP_MODEL_SPECIES_MAX];
  char architecture[16], variant[32];
  char *metadata;
};

static const struct {
  const char *name;
  bool (*build)(struct build *build);
} architectures[] = {{"allegro", allegro_build},
                     {"mace", mace_build},
                     {"nequip", nequip_build},
                     {"schnet", schnet_build},
                     {"so3net", so3net_build}};

#define N_ARCHITECTURES (sizeof architectures / sizeof *architectures)

static bool read_species(struct irrep_model *model, struct build *build) {
  size_t numbers[IRREP_MODEL_SPECIES_MAX], n;
  memset(model->map.of, -1, sizeof model->map.of);
  if (card_sizes(&build->card, "atomic_numbers", 1, IRREP_NUMBER_MAX, IRREP_MODEL_SPECIES_MAX,
                 numbers, &n, build->error) != IRREP_OK)
    return false;
  for (size_t s = 0; s < n; s++) {
    if (model->map.of[numbers[s]] >= 0) {
      irrep_fail(build->error, IRREP_BAD_MODEL_FILE, "atomic_numbers", "%zu occurs twice",
                 numbers[s]);
      return false;
    }
    model->map.of[numbers[s]] = (int16_t)s;
    model->atomic_numbers[s] = (int32_t)numbers[s];
  }
  if (n == 0) {
    irrep_fail(build->error, IRREP_BAD_MODEL_FILE, "atomic_numbers", "the model has no elements");
    return false;
  }
  model->program.n_species = n;
  return true;
}

static bool read_units(struct build *build) {
  static const char *const keys[] = {"length", "energy", NULL};
  static const char *const lengths[] = {"Angstrom", NULL}, *const energies[] = {"eV", NULL};
  struct card_object units;
  size_t index;
  return card_object(&build->card, "units", &units, build->error) == IRREP_OK &&
         card_only(&units, keys, build->error) == IRREP_OK &&
         card_choice(&units, "length", lengths, &index, build->error) == IRREP_OK &&
         card_choice(&units, "energy", energies, &index, build->error) == IRREP_OK;
}

static bool build_model(struct irrep_model *model, struct build *build) {
  static const char *const precisions[] = {"float32", "float64", NULL};
  static const char *const keys[] = {
      "format",  "architecture", "variant",  "atomic_numbers", "r_max",       "precision",
      "units",   "radial",       "model",    "name",           "description", "source",
      "license", "citation",     "training", "sha256_source",  "modality",    NULL};
  const char *names[N_ARCHITECTURES + 1] = {NULL};
  size_t format, architecture, precision;
  double r_max;
  for (size_t i = 0; i < N_ARCHITECTURES; i++)
    names[i] = architectures[i].name;
  const struct card_object *card = &build->card;
  if (card_only(card, keys, build->error) != IRREP_OK ||
      card_size(card, "format", 1, IRREP_MODEL_FORMAT, &format, build->error) != IRREP_OK ||
      card_choice(card, "architecture", names, &architecture, build->error) != IRREP_OK ||
      card_choice(card, "precision", precisions, &precision, build->error) != IRREP_OK ||
      card_number(card, "r_max", 1e-3, 100.0, &r_max, build->error) != IRREP_OK ||
      card_object(card, "model", &build->model, build->error) != IRREP_OK ||
      (card_has(card, "variant") && card_string(card, "variant", model->variant,
                                                sizeof model->variant, build->error) != IRREP_OK) ||
      !read_units(build) || !read_species(model, build) || !build_radial(build, r_max) ||
      !architectures[architecture].build(build))
    return false;
  snprintf(model->architecture, sizeof model->architecture, "%s", names[architecture]);
  model->card.r_max = r_max;
  model->card.precision = precision == 0 ? IRREP_FLOAT32 : IRREP_FLOAT64;
  return program_finish(&model->program, build->error) == IRREP_OK &&
         model_file_all_used(build->file, build->error) == IRREP_OK;
}

/* The weights in both precisions, and the tables of the filters in the model's own: evaluation in
 * the other precision is for comparisons, and exact. The doubles of the builder go. */
static bool convert_weights(struct irrep_model *model, struct irrep_error *error) {
  struct program *program = &model->program;
  for (int p = 0; p < 2; p++) {
    const struct kernels *kernels = kernels_for(p ? IRREP_FLOAT64 : IRREP_FLOAT32, NULL);
    model->kernels[p] = kernels;
    if (weights_init(&model->weights[p], program, kernels) != IRREP_OK) {
      irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for the weights");
      return false;
    }
    model->card.bytes += weights_bytes(program, kernels);
  }
  free(program->weights);
  program->weights = NULL;
  const enum irrep_precision own = model->card.precision;
  model->card.bytes += program->owned_bytes + weights_species_bytes(program, model->kernels[own]);
  if (filter_tables_make(program, model->weights[IRREP_FLOAT64].data, model->kernels[own],
                         &model->tables) != IRREP_OK) {
    irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for the filter tables");
    return false;
  }
  model->card.bytes += model->tables.bytes;
  return true;
}

/* What evaluation runs on. */
static struct executable executable_of(const struct irrep_model *model,
                                       enum irrep_precision precision, bool exact_filters,
                                       bool plain) {
  const bool tabulated = precision == model->card.precision && model->tables.n_terms > 0;
  return (struct executable){
      .program = &model->program,
      .kernels = plain ? kernels_plain(precision) : model->kernels[precision],
      .weights = model->weights[precision].data,
      .tables = tabulated && !exact_filters ? &model->tables : NULL,
  };
}

static void fill_card(struct irrep_model *model, struct model_file *file) {
  model->metadata = file->card;
  file->card = NULL;
  model->card.architecture = model->architecture;
  model->card.variant = model->variant;
  model->card.atomic_numbers = model->atomic_numbers;
  model->card.n_elements = model->program.n_species;
  model->card.metadata = model->metadata;
  model->card.metadata_size = file->card_size;
  model->card.bytes += sizeof *model + file->card_size;
}

enum irrep_status irrep_model_load(const void *bytes, size_t n_bytes, struct irrep_model **out,
                                   struct irrep_error *error) {
  struct irrep_error local;
  struct irrep_error *why = error ? error : &local;
  struct model_file file;
  *out = NULL;
  enum irrep_status status = model_file_open(bytes, n_bytes, &file, why);
  if (status != IRREP_OK)
    return status;
  struct irrep_model *model = calloc(1, sizeof *model);
  struct build build = {.file = &file, .error = why};
  if (!model) {
    status = irrep_fail(why, IRREP_NO_MEMORY, "", "not enough memory for the model");
    goto done;
  }
  program_init(&model->program);
  build.program = &model->program;
  status = card_open(file.card, file.card_size, &build.card, why);
  if (status == IRREP_OK && (!build_model(model, &build) || !convert_weights(model, why)))
    status = why->status;
  if (status == IRREP_OK) {
    fill_card(model, &file);
    *out = model;
    model = NULL;
  }
done:
  irrep_model_free(model);
  model_file_close(&file);
  return status;
}

void irrep_model_free(struct irrep_model *model) {
  if (!model)
    return;
  program_fini(&model->program);
  filter_tables_fini(&model->tables);
  weights_fini(&model->weights[0]);
  weights_fini(&model->weights[1]);
  free(model->metadata);
  free(model);
}

const struct irrep_model_card *irrep_model_card(const struct irrep_model *model) {
  return &model->card;
}

enum irrep_status irrep_model_plan(const struct irrep_model *model,
                                   const struct irrep_structure *structure, size_t max_edges,
                                   struct irrep_plan *plan, struct irrep_error *error) {
  const double r_max = model->card.r_max;
  enum irrep_status status = batch_check(&model->map, structure, error);
  if (status != IRREP_OK)
    return status;
  const size_t bytes = neighbours_scratch_bytes(structure, r_max);
  void *scratch = NULL;
  if (bytes < SIZE_MAX - IRREP_ALIGNMENT)
    scratch = aligned_alloc(IRREP_ALIGNMENT,
                            (bytes + IRREP_ALIGNMENT - 1) / IRREP_ALIGNMENT * IRREP_ALIGNMENT);
  if (!scratch)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory to count %zu atoms' edges",
                      structure->n_atoms);
  /* Edges are numbered by 32 bits. */
  const size_t bound = max_edges < UINT32_MAX ? max_edges : UINT32_MAX;
  *plan = (struct irrep_plan){.n_structures = 1, .n_atoms = structure->n_atoms};
  status = neighbours_count(structure, r_max, bound, scratch, &plan->n_edges, error);
  free(scratch);
  return status;
}

size_t irrep_model_bytes(const struct irrep_model *model, enum irrep_precision precision,
                         const struct irrep_plan *batch) {
  size_t bytes = 0;
  for (int exact = 0; exact < 2; exact++) {
    const struct executable executable = executable_of(model, precision, exact, false);
    struct workspace workspace;
    struct arena arena = arena_counting();
    batch_take_spans(&workspace.batch, &arena, batch->n_structures);
    workspace_take(&workspace, &executable, &arena, batch);
    if (arena.failed)
      return SIZE_MAX;
    bytes = arena.used > bytes ? arena.used : bytes;
  }
  return bytes;
}

size_t irrep_model_helper_bytes(const struct irrep_model *model, enum irrep_precision precision) {
  const struct executable executable = executable_of(model, precision, true, false);
  struct scratch scratch;
  struct arena arena = arena_counting();
  scratch_take(&scratch, &executable, &arena);
  return arena.failed ? SIZE_MAX : arena.used;
}

/* Energy, forces, virial and stress of one structure from the workspace. The edge vector is the
 * receiver's position less the sender's, so dE/dvector pulls the receiver back and pushes the
 * sender on; a strain changes it by strain . vector. Energies and gradients are multiplied by
 * share. */
static void gather(const struct workspace *workspace, const struct irrep_structure *structure,
                   const struct batch_span *span, double share, bool gradients,
                   struct irrep_result *result) {
  const struct batch *batch = &workspace->batch;
  double energy = 0.0;
  for (size_t i = 0; i < span->n_atoms; i++) {
    const double e = share * workspace->energies[span->first_atom + i];
    energy += e;
    if (result->energies)
      result->energies[i] = e;
  }
  result->energy = energy;
  result->has_stress = false;
  bool finite = isfinite(energy);
  if (result->forces && gradients) {
    double strain[3][3] = {{0.0}};
    memset(result->forces, 0, span->n_atoms * 3 * sizeof(double));
    for (size_t e = span->first_edge; e < span->first_edge + span->n_edges; e++) {
      const double *gradient = workspace->gradient + 3 * e, *v = batch->vectors + 3 * e;
      const double g[3] = {share * gradient[0], share * gradient[1], share * gradient[2]};
      double *receiver = result->forces + 3 * (batch->receivers[e] - span->first_atom);
      double *sender = result->forces + 3 * (batch->senders[e] - span->first_atom);
      for (size_t a = 0; a < 3; a++) {
        receiver[a] -= g[a];
        sender[a] += g[a];
        for (size_t b = 0; b < 3; b++)
          strain[a][b] += 0.5 * (v[a] * g[b] + v[b] * g[a]);
      }
    }
    const double(*c)[3] = structure->cell;
    const double volume = fabs(c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) -
                               c[0][1] * (c[1][0] * c[2][2] - c[1][2] * c[2][0]) +
                               c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0]));
    result->has_stress = structure->pbc[0] && structure->pbc[1] && structure->pbc[2];
    for (size_t a = 0; a < 3; a++)
      for (size_t b = 0; b < 3; b++) {
        result->virial[a][b] = -strain[a][b];
        result->stress[a][b] = result->has_stress ? strain[a][b] / volume : 0.0;
        finite = finite && isfinite(result->stress[a][b]) && isfinite(strain[a][b]);
      }
    for (size_t i = 0; i < 3 * span->n_atoms; i++)
      finite = finite && isfinite(result->forces[i]);
  }
  if (!finite)
    result->status = IRREP_RESULT_NOT_FINITE;
}

/* The graph of the batch, and room for everything else: the edges are counted with the rest of the
 * arena as scratch, then all arrays are taken at their exact sizes. */
static enum irrep_status prepare(const struct irrep_model *model,
                                 const struct executable *executable,
                                 const struct irrep_structure *structures, size_t n_structures,
                                 struct arena *arena, struct workspace *workspace,
                                 struct irrep_result *results) {
  const double r_max = model->card.r_max;
  batch_take_spans(&workspace->batch, arena, n_structures);
  if (arena->failed)
    return IRREP_NO_MEMORY;
  const struct irrep_plan size =
      batch_measure(&model->map, r_max, structures, n_structures, arena->base + arena->used,
                    arena->size - arena->used, workspace->batch.spans, results);
  for (size_t s = 0; s < n_structures; s++)
    if (results[s].status == IRREP_NO_MEMORY)
      return IRREP_NO_MEMORY;
  workspace_take(workspace, executable, arena, &size);
  if (arena->failed)
    return IRREP_NO_MEMORY;
  batch_fill(&workspace->batch, &model->map, r_max, structures, workspace->whole, results);
  return IRREP_OK;
}

/* The weights of the batch's elements, of which some may occur for the first time. What is written
 * is the model's own matter: to its users it stays as it was loaded. */
static enum irrep_status need_weights(const struct irrep_model *model,
                                      enum irrep_precision precision, const struct batch *batch) {
  struct weights *weights = &((struct irrep_model *)model)->weights[precision];
  return weights_need(weights, &model->program, model->kernels[precision], batch->n_atoms,
                      batch->species);
}

static void note(const struct irrep_evaluate_options *options, const char *operation) {
  if (options->profile)
    options->profile->note(options->profile, 0, operation, false);
}

enum irrep_status irrep_model_evaluate(const struct irrep_model *model,
                                       const struct irrep_evaluate_options *options,
                                       const struct irrep_structure *structures,
                                       size_t n_structures, void *arena_base, size_t arena_bytes,
                                       struct irrep_result *results, struct irrep_error *error) {
  struct executable executable =
      executable_of(model, options->precision, options->exact_filters, options->plain_kernels);
  executable.profile = options->profile;
  struct workspace workspace;
  if ((uintptr_t)arena_base % IRREP_ALIGNMENT != 0)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "arena", "the arena must be aligned to %d bytes",
                      IRREP_ALIGNMENT);
  if (options->team && options->team->n_helpers > IRREP_HELPERS_MAX)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "team", "a team has at most %d helpers",
                      IRREP_HELPERS_MAX);
  struct arena arena = arena_over(arena_base, arena_bytes);
  note(options, NULL);
  if (prepare(model, &executable, structures, n_structures, &arena, &workspace, results) !=
      IRREP_OK)
    return irrep_fail(error, IRREP_NO_MEMORY, "arena", "the arena is smaller than planned");
  note(options, "neighbours");
  if (need_weights(model, options->precision, &workspace.batch) != IRREP_OK)
    return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for an element's weights");
  bool gradients = false;
  for (size_t s = 0; s < n_structures; s++)
    gradients = gradients || results[s].forces;
  const enum irrep_status status =
      program_evaluate(&executable, &workspace, gradients, options->cancelled, options->team);
  if (status != IRREP_OK)
    return irrep_fail(error, status, "", "cancelled");
  note(options, NULL);
  for (size_t s = 0; s < n_structures; s++) {
    const struct batch_span *span = &workspace.batch.spans[s];
    if (results[s].status != IRREP_OK)
      continue;
    const double share = model->program.mean ? 1.0 / (double)span->n_atoms : 1.0;
    gather(&workspace, &structures[s], span, share, gradients, &results[s]);
  }
  note(options, "gather");
  return IRREP_OK;
}
