#include "irrepd_client.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS 60
#define TIMEOUT 600L /* seconds of one attempt */
#define ANSWER_MAX ((size_t)1 << 30)

struct irrepd_client {
  CURL *curl;
  struct curl_slist *headers;
  char *precision;
  locale_t plain; /* numbers with a point, whatever the program's locale has */
  bool has_answered;
  char url[1024];
};

struct text {
  char *data;
  size_t size, capacity;
  bool failed;
};

static void append(struct text *text, const char *data, size_t size) {
  if (text->failed || size > ANSWER_MAX - text->size) {
    text->failed = true;
    return;
  }
  if (text->size + size + 1 > text->capacity) {
    const size_t capacity = 2 * (text->size + size + 1);
    char *grown = realloc(text->data, capacity);
    if (!grown) {
      text->failed = true;
      return;
    }
    text->data = grown;
    text->capacity = capacity;
  }
  memcpy(text->data + text->size, data, size);
  text->size += size;
  text->data[text->size] = '\0';
}

static void append_string(struct text *text, const char *string) {
  append(text, string, strlen(string));
}

/* [a,b,c],[a,b,c],... with digits that give the same doubles back. */
static void append_rows(struct text *text, const double *rows, size_t n_rows) {
  char line[96];
  for (size_t i = 0; i < n_rows; i++) {
    const int length = snprintf(line, sizeof line, "%s[%.17g,%.17g,%.17g]", i > 0 ? "," : "",
                                rows[3 * i], rows[3 * i + 1], rows[3 * i + 2]);
    append(text, line, (size_t)length);
  }
}

static void write_request(struct text *text, const struct irrepd_client *client,
                          const struct irrepd_structure *s) {
  char number[16];
  append_string(text, "{\"structures\":[{\"numbers\":[");
  for (size_t i = 0; i < s->n_atoms; i++) {
    const int length = snprintf(number, sizeof number, "%s%d", i > 0 ? "," : "", s->numbers[i]);
    append(text, number, (size_t)length);
  }
  append_string(text, "],\"positions\":[");
  append_rows(text, s->positions, s->n_atoms);
  append_string(text, "]");
  if (s->cell != NULL) {
    append_string(text, ",\"cell\":[");
    append_rows(text, s->cell, 3);
    append_string(text, "]");
  }
  append_string(text, ",\"pbc\":[");
  for (int k = 0; k < 3; k++) {
    append_string(text, k > 0 ? "," : "");
    append_string(text, s->pbc[k] ? "true" : "false");
  }
  append_string(text, "]}],\"properties\":[\"energy\",\"forces\",\"stress\",\"virial\"]");
  if (client->precision != NULL) {
    append_string(text, ",\"precision\":\"");
    append_string(text, client->precision);
    append_string(text, "\"");
  }
  append_string(text, "}");
}

/* cJSON reads what is too large for a number as infinity. */
static bool is_number(const cJSON *value) {
  return cJSON_IsNumber(value) && isfinite(value->valuedouble);
}

static bool read_rows(const cJSON *rows, size_t n_rows, double *values) {
  if (!cJSON_IsArray(rows) || (size_t)cJSON_GetArraySize(rows) != n_rows)
    return false;
  const cJSON *row, *value;
  cJSON_ArrayForEach(row, rows) {
    if (!cJSON_IsArray(row) || cJSON_GetArraySize(row) != 3)
      return false;
    cJSON_ArrayForEach(value, row) {
      if (!is_number(value))
        return false;
      if (values != NULL)
        *values++ = value->valuedouble;
    }
  }
  return true;
}

static bool read_result(const char *text, size_t n_atoms, struct irrepd_result *result) {
  cJSON *answer = cJSON_Parse(text);
  const cJSON *entry = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(answer, "results"), 0);
  const cJSON *energy = cJSON_GetObjectItemCaseSensitive(entry, "energy");
  const cJSON *forces = cJSON_GetObjectItemCaseSensitive(entry, "forces");
  const cJSON *stress = cJSON_GetObjectItemCaseSensitive(entry, "stress");
  const cJSON *virial = cJSON_GetObjectItemCaseSensitive(entry, "virial");
  bool ok =
      is_number(energy) && read_rows(forces, n_atoms, NULL) && read_rows(virial, 3, result->virial);
  result->has_stress = ok && cJSON_IsArray(stress);
  ok = ok && (!result->has_stress || read_rows(stress, 3, result->stress));
  if (ok) {
    result->energy = energy->valuedouble;
    read_rows(forces, n_atoms, result->forces);
  }
  cJSON_Delete(answer);
  return ok;
}

static void read_problem(const char *text, struct irrepd_result *result) {
  cJSON *problem = cJSON_Parse(text);
  const char *detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(problem, "detail"));
  snprintf(result->message, sizeof result->message, "%s", detail != NULL ? detail : "refused");
  cJSON_Delete(problem);
}

/* Where a redirection leads, which is not followed: the key is for the address that was given. */
static void read_redirection(struct irrepd_client *client, struct irrepd_result *result) {
  const char *location = NULL;
  curl_easy_getinfo(client->curl, CURLINFO_REDIRECT_URL, &location);
  snprintf(result->message, sizeof result->message,
           "%.80s redirects to %.120s: name that as the URL", client->url,
           location != NULL ? location : "nowhere");
}

static size_t receive(char *data, size_t size, size_t count, void *context) {
  struct text *answer = context;
  append(answer, data, size * count);
  return answer->failed ? 0 : size * count;
}

/* One attempt; *status is that of HTTP, or -1. Whether to ask again after *pause seconds: the
 * daemon is busy, or has answered before and cannot be reached, as while it is started anew. */
static bool post(struct irrepd_client *client, const struct text *request, struct text *answer,
                 int *status, curl_off_t *pause, struct irrepd_result *result) {
  answer->size = 0;
  *status = -1;
  *pause = 1;
  curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, request->data);
  curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size);
  curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, answer);
  const CURLcode code = curl_easy_perform(client->curl);
  if (code != CURLE_OK || answer->size == 0) {
    snprintf(result->message, sizeof result->message, "%.120s: %s", client->url,
             code != CURLE_OK ? curl_easy_strerror(code) : "an empty answer");
    return client->has_answered && code != CURLE_OPERATION_TIMEDOUT && code != CURLE_WRITE_ERROR;
  }
  long code_of_http = 0;
  curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &code_of_http);
  curl_easy_getinfo(client->curl, CURLINFO_RETRY_AFTER, pause);
  client->has_answered = true;
  *status = (int)code_of_http;
  return *status == 503 || *status == 429;
}

static int ask(struct irrepd_client *client, const struct text *request, struct text *answer,
               struct irrepd_result *result) {
  int status;
  curl_off_t pause;
  for (int i = 1; post(client, request, answer, &status, &pause, result) && i < ATTEMPTS; i++)
    sleep(pause < 1 ? 1 : pause > 60 ? 60 : (unsigned)pause);
  return status;
}

static bool is_finite(const struct irrepd_structure *s) {
  for (size_t i = 0; i < 3 * s->n_atoms; i++)
    if (!isfinite(s->positions[i]))
      return false;
  for (size_t i = 0; s->cell != NULL && i < 9; i++)
    if (!isfinite(s->cell[i]))
      return false;
  return true;
}

int irrepd_predict(struct irrepd_client *client, const struct irrepd_structure *structure,
                   struct irrepd_result *result) {
  struct text request = {0}, answer = {0};
  int status = -1;
  result->message[0] = '\0';
  if (!is_finite(structure)) {
    snprintf(result->message, sizeof result->message, "positions and cell must be finite");
    return -1;
  }
  const locale_t before = uselocale(client->plain);
  write_request(&request, client, structure);
  if (request.failed) {
    snprintf(result->message, sizeof result->message, "no memory for the request");
    goto done;
  }
  status = ask(client, &request, &answer, result);
  if (status == 200 && read_result(answer.data, structure->n_atoms, result)) {
    status = 0;
  } else if (status == 200) {
    snprintf(result->message, sizeof result->message, "the answer is not as expected");
    status = -1;
  } else if (status >= 300 && status < 400) {
    read_redirection(client, result);
  } else if (status > 0) {
    read_problem(answer.data, result);
  }
done:
  uselocale(before);
  free(request.data);
  free(answer.data);
  return status;
}

static bool add_header(struct irrepd_client *client, const char *line) {
  struct curl_slist *longer = curl_slist_append(client->headers, line);
  if (!longer)
    return false;
  client->headers = longer;
  return true;
}

static bool set_up(struct irrepd_client *client, const char *url, const char *model,
                   const char *key) {
  const bool is_unix = strncmp(url, "unix:/", 6) == 0;
  if (!is_unix && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
    return false;
  char *name = curl_easy_escape(client->curl, model, 0);
  const int length = snprintf(client->url, sizeof client->url, "%s/v1/models/%s/predict",
                              is_unix ? "http://localhost" : url, name != NULL ? name : "");
  curl_free(name);
  char line[512] = "";
  if (key != NULL &&
      snprintf(line, sizeof line, "Authorization: Bearer %s", key) >= (int)sizeof line)
    return false;
  if (length < 0 || (size_t)length >= sizeof client->url ||
      !add_header(client, "Content-Type: application/json") || !add_header(client, "Expect:") ||
      (key != NULL && !add_header(client, line)))
    return false;
  if (is_unix)
    curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, url + 5);
  curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
  curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, TIMEOUT);
  return curl_easy_setopt(client->curl, CURLOPT_URL, client->url) == CURLE_OK;
}

struct irrepd_client *irrepd_client_new(const char *url, const char *model, const char *precision,
                                        const char *key) {
  struct irrepd_client *client = calloc(1, sizeof *client);
  if (!client)
    return NULL;
  client->curl = curl_easy_init();
  client->precision = precision != NULL ? strdup(precision) : NULL;
  client->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!client->curl || client->plain == (locale_t)0 || (precision != NULL && !client->precision) ||
      !set_up(client, url, model, key)) {
    irrepd_client_free(client);
    return NULL;
  }
  return client;
}

bool irrepd_client_trust(struct irrepd_client *client, const char *ca_file) {
  return curl_easy_setopt(client->curl, CURLOPT_CAINFO, ca_file) == CURLE_OK;
}

void irrepd_client_free(struct irrepd_client *client) {
  if (!client)
    return;
  curl_slist_free_all(client->headers);
  curl_easy_cleanup(client->curl);
  if (client->plain != (locale_t)0)
    freelocale(client->plain);
  free(client->precision);
  free(client);
}
