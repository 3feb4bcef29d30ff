#include "core/base/json.h"
#include "irrep/model.h"
#include "server/base/elements.h"
#include "server/routes/routes.h"

#include <string.h>

static void put_elements(struct json_writer *w, const struct irrep_card *card) {
  json_open_array(w, "elements");
  for (size_t i = 0; i < card->n_elements; i++)
    json_put_string(w, NULL, element_symbol(card->atomic_numbers[i]));
  json_close_array(w);
  json_open_array(w, "atomic_numbers");
  for (size_t i = 0; i < card->n_elements; i++)
    json_put_integer(w, NULL, card->atomic_numbers[i]);
  json_close_array(w);
}

/* What the model file says for people, as it says it: JSON that was checked when it was loaded. */
static void put_provenance(struct json_writer *w, const struct irrep_card *card) {
  static const char *const names[] = {"description", "source",      "license",       "citation",
                                      "training",    "modality",    "sha256_source", "dispersion",
                                      "heads",       "default_head"};
  enum { N_NAMES = sizeof names / sizeof *names };
  const char *values[N_NAMES] = {NULL};
  size_t sizes[N_NAMES] = {0};
  char key[32];
  struct json_reader json = json_reader_over(card->metadata, card->metadata_size);
  json_object_begin(&json);
  while (json_object_next_cut(&json, key, sizeof key)) {
    size_t i = 0;
    while (i < N_NAMES && (strcmp(names[i], key) != 0 || values[i] != NULL))
      i++;
    if (i == N_NAMES)
      json_skip(&json);
    else
      json_raw(&json, &values[i], &sizes[i]);
  }
  for (size_t i = 0; i < N_NAMES; i++)
    if (values[i] != NULL)
      json_put_raw(w, names[i], values[i], sizes[i]);
}

static void put_card(struct json_writer *w, const struct served_model *served) {
  const struct irrep_card *card = registry_card(served);
  json_put_size(w, "bytes", registry_model_bytes(served));
  json_put_string(w, "architecture", card->architecture);
  if (card->variant[0] != '\0')
    json_put_string(w, "variant", card->variant);
  json_put_string(w, "precision", card->precision == IRREP_FLOAT64 ? "float64" : "float32");
  json_put_double(w, "r_max", card->r_max);
  put_elements(w, card);
  if (card->n_descriptors_l > 0) {
    json_open_object(w, "descriptors");
    json_put_size(w, "columns", card->n_descriptors);
    json_put_size(w, "columns_l", card->n_descriptors_l);
    json_put_string(w, "irreps", card->descriptor_irreps);
    json_close_object(w);
  }
  if (card->has_dipole)
    json_put_bool(w, "dipole", true);
  put_provenance(w, card);
}

static void put_model(struct json_writer *w, const struct served_model *served) {
  json_open_object(w, NULL);
  json_put_string(w, "name", served->name);
  json_put_string(w, "state", model_state_name(served->state));
  if (served->sha256[0] != '\0')
    json_put_string(w, "sha256", served->sha256);
  json_put_size(w, "file_bytes", served->file_bytes);
  if (served->pinned)
    json_put_bool(w, "pinned", true);
  if (served->state == MODEL_FAILED) {
    json_open_object(w, "error");
    json_put_string(w, "title", irrep_status_message(served->error.status));
    json_put_string(w, "detail", served->error.detail);
    json_close_object(w);
  }
  if (served->model != NULL)
    put_card(w, served);
  json_close_object(w);
}

void reply_model_card(struct http_exchange *exchange, const struct served_model *served) {
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  put_model(&w, served);
  reply_json(exchange, 200, &text);
}

void route_models(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  struct text text = {0};
  struct json_writer w = json_writer_over(&text);
  json_open_object(&w, NULL);
  json_open_array(&w, "models");
  for (size_t i = 0; i < registry_count(services->registry); i++)
    put_model(&w, registry_at(services->registry, i));
  json_close_array(&w);
  json_close_object(&w);
  reply_json(exchange, 200, &text);
}

void route_model(struct services *services, struct http_exchange *exchange, const char *model) {
  const struct served_model *served = registry_find(services->registry, model);
  if (!served)
    reply_unknown_model(services, exchange, model);
  else
    reply_model_card(exchange, served);
}
