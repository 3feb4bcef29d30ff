#include "irrep/model.h"
#include "server/base/elements.h"
#include "server/routes/routes.h"

#include <cjson/cJSON.h>

static void add_elements(cJSON *root, const struct irrep_model_card *card) {
  cJSON *elements = cJSON_AddArrayToObject(root, "elements");
  cJSON *numbers = cJSON_AddArrayToObject(root, "atomic_numbers");
  for (size_t i = 0; i < card->n_elements; i++) {
    const int32_t number = card->atomic_numbers[i];
    tree_append(elements, cJSON_CreateString(element_symbol(number)));
    tree_append(numbers, cJSON_CreateNumber(number));
  }
}

/* What the model file says for people. */
static void add_provenance(cJSON *root, const struct irrep_model_card *card) {
  static const char *const names[] = {"description", "source",   "license",      "citation",
                                      "training",    "modality", "sha256_source"};
  cJSON *metadata = cJSON_ParseWithLength(card->metadata, card->metadata_size);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(metadata, names[i]);
    cJSON *copy = item == NULL ? NULL : cJSON_Duplicate(item, 1);
    if (copy != NULL && !cJSON_AddItemToObject(root, names[i], copy))
      cJSON_Delete(copy);
  }
  cJSON_Delete(metadata);
}

cJSON *model_card_json(const struct served_model *served) {
  cJSON *root = cJSON_CreateObject();
  cJSON_AddStringToObject(root, "name", served->name);
  cJSON_AddStringToObject(root, "state", model_state_name(served->state));
  if (served->sha256[0] != '\0')
    cJSON_AddStringToObject(root, "sha256", served->sha256);
  cJSON_AddNumberToObject(root, "file_bytes", (double)served->file_bytes);
  if (served->pinned)
    cJSON_AddTrueToObject(root, "pinned");
  if (served->state == MODEL_FAILED) {
    cJSON *error = cJSON_AddObjectToObject(root, "error");
    cJSON_AddStringToObject(error, "title", irrep_status_title(served->error.status));
    cJSON_AddStringToObject(error, "detail", served->error.detail);
  }
  if (served->model == NULL)
    return root;
  const struct irrep_model_card *card = registry_card(served);
  cJSON_AddNumberToObject(root, "bytes", (double)card->bytes);
  cJSON_AddStringToObject(root, "architecture", card->architecture);
  if (card->variant[0] != '\0')
    cJSON_AddStringToObject(root, "variant", card->variant);
  cJSON_AddStringToObject(root, "precision",
                          card->precision == IRREP_FLOAT64 ? "float64" : "float32");
  cJSON_AddNumberToObject(root, "r_max", card->r_max);
  add_elements(root, card);
  add_provenance(root, card);
  return root;
}

void route_models(struct services *services, struct http_exchange *exchange, const char *model) {
  (void)model;
  cJSON *root = cJSON_CreateObject();
  cJSON *models = cJSON_AddArrayToObject(root, "models");
  for (size_t i = 0; i < registry_count(services->registry); i++)
    tree_append(models, model_card_json(registry_at(services->registry, i)));
  reply_json(exchange, 200, root);
}

void route_model(struct services *services, struct http_exchange *exchange, const char *model) {
  const struct served_model *served = registry_find(services->registry, model);
  if (served == NULL)
    reply_unknown_model(exchange, model);
  else
    reply_json(exchange, 200, model_card_json(served));
}
