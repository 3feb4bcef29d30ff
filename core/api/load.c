/* From the bytes of a model file to a model: irrep_model_load and irrep_model_load_from of
 * irrep/model.h. */
#include "core/api/loaded.h"
#include "core/api/options.h"
#include "core/base/sized.h"
#include "core/builders/models.h"
#include "core/cpu/dispatch.h"
#include "core/program/model_file.h"
#include "core/terms/repulsion.h"
#include "irrep/conventions.h"
#include "irrep/dispersion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  bool (*build)(struct build *build);
  bool takes_heads;
} architectures[] = {{"allegro", allegro_build, false},    {"mace", mace_build, true},
                     {"nequip", nequip_build, true},       {"painn", painn_build, false},
                     {"schnet", schnet_build, false},      {"so3net", so3net_build, false},
                     {"tensornet", tensornet_build, false}};

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

/* What the model goes with; only whoever adds dispersion reads it. */
static bool check_dispersion(struct build *build) {
  static const char *const keys[] = {"method", "functional", NULL};
  static const char *const methods[] = {"d3bj", "d3zero", NULL};
  struct card_object dispersion;
  char functional[64];
  size_t method;
  if (!card_has(&build->card, "dispersion"))
    return true;
  if (card_object(&build->card, "dispersion", &dispersion, build->error) != IRREP_OK ||
      card_only(&dispersion, keys, build->error) != IRREP_OK ||
      card_choice(&dispersion, "method", methods, &method, build->error) != IRREP_OK ||
      card_string(&dispersion, "functional", functional, sizeof functional, build->error) !=
          IRREP_OK)
    return false;
  if (irrep_functional_find(method == 0 ? IRREP_D3BJ : IRREP_D3ZERO, functional,
                            strlen(functional)))
    return true;
  irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "dispersion/functional",
             "no functional \"%.40s\" has parameters for %s", functional, methods[method]);
  return false;
}

static bool read_heads(struct irrep_model *model, struct build *build, bool takes_heads) {
  const struct card_object *card = &build->card;
  size_t n_heads = 0, default_head = 0;
  if (!card_has(card, "heads") && !card_has(card, "default_head"))
    return true;
  if (!takes_heads) {
    irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, "heads",
               "models of this architecture have no heads");
    return false;
  }
  if (card_names(card, "heads", IRREP_MODEL_HEADS_MAX, IRREP_MODEL_HEAD_NAME_MAX,
                 model->head_names[0], &n_heads, build->error) != IRREP_OK)
    return false;
  for (size_t i = 0; i < n_heads; i++)
    model->heads[i] = model->head_names[i];
  if (card_has(card, "default_head") &&
      card_choice(card, "default_head", model->heads, &default_head, build->error) != IRREP_OK)
    return false;
  model->program.n_heads = n_heads;
  model->card.default_head =
      n_heads == 1 || card_has(card, "default_head") ? default_head : IRREP_HEAD_NONE;
  return true;
}

static bool build_model(struct irrep_model *model, struct build *build) {
  static const char *const precisions[] = {"float32", "float64", NULL};
  static const char *const keys[] = {
      "format",  "architecture", "variant",  "atomic_numbers", "r_max",       "precision",
      "units",   "radial",       "model",    "name",           "description", "source",
      "license", "citation",     "training", "sha256_source",  "modality",    "dispersion",
      "heads",   "default_head", NULL};
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
      !check_dispersion(build) || !read_units(build) || !read_species(model, build) ||
      !read_heads(model, build, architectures[architecture].takes_heads) ||
      !build_radial(build, r_max) || !architectures[architecture].build(build))
    return false;
  snprintf(model->architecture, sizeof model->architecture, "%s", names[architecture]);
  model->card.r_max = r_max;
  model->has_repulsion = build->pair_repulsion.n_terms > 0;
  model->pair_repulsion = build->pair_repulsion;
  model->repulsion = (struct term){.kind = &repulsion_kind,
                                   .parameters = &model->pair_repulsion,
                                   .cutoff = r_max,
                                   .map = &model->map};
  model->card.precision = precision == 0 ? IRREP_FLOAT32 : IRREP_FLOAT64;
  return program_compile(&model->program, build->error) == IRREP_OK &&
         model_file_all_used(build->file, build->error) == IRREP_OK;
}

enum irrep_status loaded_need_tables(const struct irrep_model *model,
                                     enum irrep_precision precision, struct irrep_error *error) {
  struct tables_once *once = &((struct irrep_model *)model)->tables[precision];
  if (tables_once_need(once, &model->program, model->weights[IRREP_FLOAT64].data,
                       model->kernels[precision]) == IRREP_OK)
    return IRREP_OK;
  return irrep_fail(error, IRREP_NO_MEMORY, "", "not enough memory for the filter tables");
}

enum irrep_status irrep_model_prepare(const struct irrep_model *model,
                                      enum irrep_precision precision, struct irrep_error *error) {
  if (!options_is_precision(precision))
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "precision",
                      "the precision is float32 or float64");
  return loaded_need_tables(model, precision, error);
}

size_t irrep_model_resident_bytes(const struct irrep_model *model) {
  const int other = model->card.precision == IRREP_FLOAT32 ? IRREP_FLOAT64 : IRREP_FLOAT32;
  const struct tables_once *once = &model->tables[other];
  size_t bytes = model->card.bytes;
  if (tables_once_is_made(once))
    bytes += once->tables.bytes + weights_species_bytes(&model->program, model->kernels[other]);
  return bytes;
}

/* The weights in both precisions, and the tables of the filters in the model's own: those in the
 * other follow when they are needed. The doubles of the builder go. */
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
  if (loaded_need_tables(model, own, error) != IRREP_OK)
    return false;
  model->card.bytes += model->tables[own].tables.bytes;
  return true;
}

static void fill_card(struct irrep_model *model, struct model_file *file) {
  model->metadata = file->card;
  file->card = NULL;
  model->card.architecture = model->architecture;
  model->card.variant = model->variant;
  model->card.atomic_numbers = model->atomic_numbers;
  model->card.n_elements = model->program.n_species;
  model->card.heads = model->heads;
  model->card.n_heads = model->program.n_heads;
  model->card.blas = model->blas;
  model->card.n_descriptors = model->program.n_descriptors;
  model->card.n_descriptors_l = model->program.n_descriptors_l;
  model->card.has_dipole = model->program.has_dipole;
  model->card.descriptor_irreps =
      model->program.descriptor_irreps ? model->program.descriptor_irreps : "";
  model->card.metadata = model->metadata;
  model->card.metadata_size = file->card_size;
  model->card.bytes += sizeof *model + file->card_size;
}

enum irrep_status irrep_model_load(const void *bytes, size_t n_bytes, struct irrep_model **out,
                                   struct irrep_error *error) {
  const struct irrep_model_source source = model_file_source(bytes, n_bytes);
  return irrep_model_load_from(&source, out, error);
}

enum irrep_status irrep_model_load_from(const struct irrep_model_source *source,
                                        struct irrep_model **out, struct irrep_error *error) {
  struct irrep_error local;
  struct irrep_error *why = error ? error : &local;
  struct irrep_model_source own;
  struct model_file file;
  *out = NULL;
  if (!sized_read(SIZED_SOURCE, source, &own))
    return sized_fail(error, "irrep_model_source", "IRREP_MODEL_SOURCE_INIT");
  if (!own.read)
    return irrep_fail(error, IRREP_BAD_ARGUMENT, "read", "a source needs read");
  enum irrep_status status = model_file_open(&own, &file, why);
  if (status != IRREP_OK)
    return status;
  struct irrep_model *model = calloc(1, sizeof *model);
  struct build build = {.file = &file, .error = why, .dense = dense_choose(!own.own_products)};
  if (!model) {
    status = irrep_fail(why, IRREP_NO_MEMORY, "", "not enough memory for the model");
    goto done;
  }
  program_init(&model->program);
  tables_once_init(&model->tables[0]);
  tables_once_init(&model->tables[1]);
  build.program = &model->program;
  status = card_open(file.card, file.card_size, &build.card, why);
  if (status == IRREP_OK && (!build_model(model, &build) || !convert_weights(model, why)))
    status = why->status;
  if (status == IRREP_OK) {
    dense_name(build.dense, model->blas, sizeof model->blas);
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
  tables_once_fini(&model->tables[0]);
  tables_once_fini(&model->tables[1]);
  weights_fini(&model->weights[0]);
  weights_fini(&model->weights[1]);
  free(model->metadata);
  free(model);
}

const struct irrep_card *irrep_model_card(const struct irrep_model *model) {
  return &model->card;
}

size_t irrep_model_find_head(const struct irrep_model *model, const char *name, size_t size) {
  for (size_t i = 0; i < model->card.n_heads; i++)
    if (strlen(model->heads[i]) == size && memcmp(model->heads[i], name, size) == 0)
      return i;
  return IRREP_HEAD_NONE;
}
