#include "server/base/config.h"

#include "core/base/json.h"
#include "irrep/version.h"
#include "server/base/origins.h"
#include "server/os/machine.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_FILE_MAX (1u << 20)
#define CONFIG_VALUES_MAX 4096
#define ENVIRONMENT_NAME_MAX 64

enum option_type {
  OPTION_TEXT,
  OPTION_LIST, /* text; may be given several times, joined by semicolons */
  OPTION_COUNT,
  OPTION_BYTES,
  OPTION_SWITCH,
  OPTION_ACTION
};

struct option {
  const char *name;
  const char *argument; /* as --help shows it; "" for switches and actions */
  enum option_type type;
  const char *fallback;
  size_t offset; /* in struct config */
  size_t min, max;
  const char *help;
};

#define FIELD(name) offsetof(struct config, name)

static const struct option options[] = {
    {"models", "DIR", OPTION_TEXT, "models", FIELD(models_dir), 1, 4095,
     "serve every *.safetensors model in DIR under its stem"},
    {"on-demand", "", OPTION_SWITCH, "false", FIELD(on_demand), 0, 0,
     "load models when they are asked for; at start only those that are pinned"},
    {"model-budget", "BYTES", OPTION_BYTES, "0", FIELD(model_budget), 0, SIZE_MAX / 4,
     "models in memory; beyond, the least recently used is unloaded; 0: no bound"},
    {"keep-alive", "SECONDS", OPTION_COUNT, "0", FIELD(keep_alive_s), 0, 1u << 30,
     "unload models that nobody has used for so long; 0: never"},
    {"pin", "NAMES", OPTION_TEXT, "", FIELD(pins), 0, 4095,
     "models, separated by commas, that are never unloaded for room or idleness"},
    {"listen", "ADDRESS", OPTION_TEXT, "127.0.0.1:8421", FIELD(listen), 1, 1023,
     "HOST:PORT, [V6]:PORT or unix:PATH; port 0 picks a free one and prints it"},
    {"allow-remote", "", OPTION_SWITCH, "false", FIELD(allow_remote), 0, 0,
     "listen beyond loopback, for anyone who reaches the port"},
    {"keys", "FILE", OPTION_TEXT, "", FIELD(keys), 0, 4095,
     "API keys: lines of NAME SCOPES SHA256, scopes predict, admin or both; see irrepd(1)"},
    {"cors-origins", "ORIGINS", OPTION_TEXT, "", FIELD(cors_origins), 0, 4095,
     "pages of these origins may ask, like https://lab.example, separated by commas"},
    {"user", "NAME", OPTION_TEXT, "", FIELD(user), 0, 255,
     "become this user once the address is taken; keys, certificate and models are read as it"},
    {"tls-cert", "FILE", OPTION_TEXT, "", FIELD(tls_cert), 0, 4095,
     "serve HTTPS with this certificate, and the chain behind it, in PEM; needs --tls-key"},
    {"tls-key", "FILE", OPTION_TEXT, "", FIELD(tls_key), 0, 4095,
     "the certificate's key, in PEM, readable by its owner and group only"},
    {"workers", "N", OPTION_COUNT, "0", FIELD(workers), 0, 4096,
     "evaluating threads; 0: one for each core that the process or its container may use"},
    {"memory-budget", "BYTES", OPTION_BYTES, "2G", FIELD(memory_budget), 1u << 20, SIZE_MAX / 4,
     "planned bytes of all batches under way; at most half of the memory that the process and its "
     "models leave of the machine's or container's"},
    {"max-batch-bytes", "BYTES", OPTION_BYTES, "256M", FIELD(max_batch_bytes), 1u << 16,
     SIZE_MAX / 4, "planned bytes of one batch"},
    {"max-delay-us", "N", OPTION_COUNT, "2000", FIELD(max_delay_us), 0, 10000000,
     "microseconds that a batch may wait for more while a worker is idle"},
    {"max-queue", "N", OPTION_COUNT, "16384", FIELD(max_queue), 1, 1u << 24,
     "structures waiting, over all models; beyond: 503"},
    {"max-queue-client", "N", OPTION_COUNT, "0", FIELD(max_queue_client), 0, 1u << 24,
     "structures of one client waiting; beyond: 429; 0: three quarters of max-queue"},
    {"max-queue-atoms", "N", OPTION_COUNT, "0", FIELD(max_queue_atoms), 0, SIZE_MAX / 4,
     "atoms of all structures waiting; beyond: 503; 0: no bound"},
    {"max-batch-ms", "N", OPTION_COUNT, "250", FIELD(max_batch_ms), 0, 86400000,
     "milliseconds that a batch of several may take, as measured; 0: no bound"},
    {"exact-filters", "", OPTION_SWITCH, "false", FIELD(exact_filters), 0, 0,
     "compute the radial networks for each edge instead of reading tables"},
    {"profile", "", OPTION_SWITCH, "false", FIELD(profile), 0, 0,
     "take the time of each operation, for /metrics, /v1/status and a table in the log at the end"},
    {"max-body-bytes", "BYTES", OPTION_BYTES, "64M", FIELD(max_body_bytes), 1024, 1u << 30,
     "body of one request; beyond: 413; unless told, at most a 32nd of the memory"},
    {"compress-above", "BYTES", OPTION_BYTES, "16K", FIELD(compress_above), 0, SIZE_MAX / 4,
     "answers of more bytes are compressed (gzip, zstd) for clients that accept it"},
    {"max-receiving-bytes", "BYTES", OPTION_BYTES, "512M", FIELD(max_receiving_bytes), 1024,
     SIZE_MAX / 4,
     "bodies being received or waiting to be read, of all connections; others wait as long as a "
     "request may take, then 503; four times as much is for what is read of them and for answers; "
     "at most a quarter of the memory that batches leave, and the rest"},
    {"max-structures", "N", OPTION_COUNT, "4096", FIELD(max_structures), 1, 1u << 20,
     "structures of one request; beyond: 422"},
    {"max-atoms", "N", OPTION_COUNT, "1000000", FIELD(max_atoms), 1, 100000000,
     "atoms of one structure; beyond: 422"},
    {"max-steps", "N", OPTION_COUNT, "10000000", FIELD(max_steps), 1, (size_t)1 << 40,
     "steps of one structure's relaxation or dynamics; beyond: 422"},
    {"jobs", "DIR", OPTION_TEXT, "", FIELD(jobs), 0, 4000,
     "keep jobs in DIR, where they outlive the daemon; otherwise in memory"},
    {"jobs-bytes", "BYTES", OPTION_BYTES, "10G", FIELD(jobs_bytes), 1u << 16, SIZE_MAX / 4,
     "all files of DIR; beyond, jobs stand still; of jobs in memory max-receiving-bytes"},
    {"jobs-age", "SECONDS", OPTION_COUNT, "604800", FIELD(jobs_age_s), 0, 1u << 30,
     "jobs that have ended are forgotten after so long; 0: never"},
    {"max-jobs", "N", OPTION_COUNT, "1024", FIELD(max_jobs), 0, 1u << 20,
     "jobs, with those that have ended, which give way in memory; beyond: 503"},
    {"max-jobs-client", "N", OPTION_COUNT, "64", FIELD(max_jobs_client), 1, 1u << 20,
     "jobs of one client that have not ended; beyond: 429"},
    {"max-connections", "N", OPTION_COUNT, "1024", FIELD(max_connections), 1, 65536,
     "connections at a time; more wait to be accepted"},
    {"max-connections-address", "N", OPTION_COUNT, "0", FIELD(max_connections_address), 0, 65536,
     "connections of one IP address at a time; more are closed at once; 0: no bound"},
    {"request-timeout-ms", "N", OPTION_COUNT, "30000", FIELD(request_timeout_ms), 10, 86400000,
     "milliseconds to receive the headers of a request, and its body; beyond: 408"},
    {"drain-timeout-ms", "N", OPTION_COUNT, "30000", FIELD(drain_timeout_ms), 0, 86400000,
     "milliseconds that a stop waits for requests under way"},
    {"drain-delay-ms", "N", OPTION_COUNT, "0", FIELD(drain_delay_ms), 0, 86400000,
     "milliseconds at a stop in which new requests are still taken while /v1/health/ready says "
     "503, "
     "so that load balancers look elsewhere first"},
    {"log-requests", "", OPTION_SWITCH, "false", FIELD(log_requests), 0, 0,
     "log a line for each request answered"},
    {"ipi", "ADDRESS,model=NAME", OPTION_LIST, "", FIELD(ipi), 0, 65535,
     "connect as an i-PI engine to unix:NAME or HOST:PORT; also ,structure=FILE ,species=FORMULA "
     ",pbc=TTF ,precision=NAME ,head=NAME ,connections=K; several: repeat it, or separate by "
     "semicolons"},
    {"mdi", "HOST:PORT,model=NAME", OPTION_LIST, "", FIELD(mdi), 0, 65535,
     "connect as an MDI engine; options as for --ipi"},
    {"socket-allow", "HOSTS", OPTION_TEXT, "", FIELD(socket_allow), 0, 4095,
     "hosts (HOST or HOST:PORT, commas between; * for all) that POST /v1/sockets may name beyond "
     "loopback"},
    {"config", "FILE", OPTION_ACTION, "", 0, 1, 4095,
     "read flags from a JSON object, e.g. {\"max-queue\": 100, \"memory-budget\": \"4G\"}"},
    {"check-config", "", OPTION_SWITCH, "false", FIELD(check_only), 0, 0,
     "check flags, address and models folder, and exit"},
    {"healthcheck", "URL", OPTION_ACTION, "", 0, 1, 1023,
     "ask the daemon at http(s)://HOST:PORT or unix:PATH whether it is ready, and exit with 0 if "
     "so"},
    {"version", "", OPTION_ACTION, "", 0, 0, 0, "print the version and exit"},
    {"help", "", OPTION_ACTION, "", 0, 0, 0, "print this and exit"},
};

#define N_OPTIONS (sizeof options / sizeof *options)

static const struct option *option_find(const char *name, size_t length) {
  for (size_t i = 0; i < N_OPTIONS; i++)
    if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0)
      return &options[i];
  return NULL;
}

static bool is_action(const struct option *option, const char *name) {
  return option->type == OPTION_ACTION && strcmp(option->name, name) == 0;
}

static int complain(const struct option *option, const char *value, const char *origin) {
  fprintf(stderr, "irrepd: --%s takes ", option->name);
  switch (option->type) {
  case OPTION_COUNT:
    fprintf(stderr, "a whole number from %zu to %zu", option->min, option->max);
    break;
  case OPTION_BYTES:
    fprintf(stderr, "bytes from %zu to %zu, with a suffix K, M or G if wanted", option->min,
            option->max);
    break;
  case OPTION_SWITCH:
    fputs("true or false", stderr);
    break;
  default:
    fprintf(stderr, "%s, %zu to %zu bytes", option->argument, option->min, option->max);
  }
  fprintf(stderr, "; %s gives \"%.80s\"\n", origin, value);
  return 2;
}

static bool parse_size(const char *text, bool suffixes, size_t *number) {
  size_t n = 0;
  if (*text < '0' || *text > '9')
    return false;
  for (; *text >= '0' && *text <= '9'; text++)
    if (__builtin_mul_overflow(n, (size_t)10, &n) ||
        __builtin_add_overflow(n, (size_t)(*text - '0'), &n))
      return false;
  if (suffixes && *text != '\0') {
    const char *units = "KMGkmg";
    const char *unit = strchr(units, *text++);
    if (!unit || __builtin_mul_overflow(n, (size_t)1 << 10 * ((unit - units) % 3 + 1), &n))
      return false;
  }
  *number = n;
  return *text == '\0';
}

static bool parse_switch(const char *text, bool *truth) {
  *truth = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
  return *truth || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static int option_set(struct config *config, const struct option *option, const char *value,
                      const char *origin) {
  char *field = (char *)config + option->offset;
  if (option->type == OPTION_SWITCH)
    return parse_switch(value, (bool *)(void *)field) ? 0 : complain(option, value, origin);
  if (option->type == OPTION_TEXT || option->type == OPTION_LIST) {
    const size_t length = strlen(value);
    if (length < option->min || length > option->max)
      return complain(option, value, origin);
    char **text = (char **)(void *)field;
    free(*text);
    *text = strdup(value);
    if (!*text)
      fputs("irrepd: no memory\n", stderr);
    return *text ? 0 : 2;
  }
  size_t number = 0;
  if (!parse_size(value, option->type == OPTION_BYTES, &number) || number < option->min ||
      number > option->max)
    return complain(option, value, origin);
  *(size_t *)(void *)field = number;
  return 0;
}

static void print_help(void) {
  puts("irrepd serves equivariant interatomic potentials over HTTP.\n\n"
       "usage: irrepd [--models DIR] [--listen ADDRESS] [flags]\n\n"
       "Every flag can also be given as IRREPD_FLAG_NAME in the environment or in a JSON --config\n"
       "file: flag over environment over file.\n");
  for (size_t i = 0; i < N_OPTIONS; i++) {
    const struct option *o = &options[i];
    char left[64];
    snprintf(left, sizeof left, "--%s %s", o->name, o->argument);
    printf("  %-28s %s", left, o->help);
    if (o->fallback[0] != '\0')
      printf(" [%s]", o->fallback);
    putchar('\n');
  }
}

struct argument {
  const struct option *option;
  const char *value;
};

/* Reads argv[*i] and its value, and moves *i on. Returns 0, or 2 after a complaint. */
static int argument_next(int argc, char **argv, int *i, struct argument *argument) {
  const char *text = argv[(*i)++];
  if (strcmp(text, "-h") == 0)
    text = "--help";
  if (strncmp(text, "--", 2) != 0) {
    fprintf(stderr, "irrepd: \"%.80s\" is not a flag; --help lists them\n", text);
    return 2;
  }
  const size_t length = strcspn(text + 2, "=");
  const struct option *option = option_find(text + 2, length);
  if (!option) {
    fprintf(stderr, "irrepd: unknown flag \"%.80s\"; --help lists them\n", text);
    return 2;
  }
  argument->option = option;
  const bool assigned = text[2 + length] == '=';
  if (assigned)
    argument->value = text + 2 + length + 1;
  else if (option->argument[0] == '\0')
    argument->value = "true";
  else if (*i < argc)
    argument->value = argv[(*i)++];
  else {
    fprintf(stderr, "irrepd: --%s needs a value: --%s %s\n", option->name, option->name,
            option->argument);
    return 2;
  }
  return 0;
}

/* What must be known before anything else: --help, --version, --healthcheck and the file. */
static int scan_arguments(struct config *config, int argc, char **argv, const char **file) {
  for (int i = 1; i < argc;) {
    struct argument argument;
    if (argument_next(argc, argv, &i, &argument) != 0)
      return 2;
    if (is_action(argument.option, "help")) {
      print_help();
      return 1;
    }
    if (is_action(argument.option, "version")) {
      puts("irrepd " IRREP_VERSION);
      return 1;
    }
    if (is_action(argument.option, "healthcheck"))
      config->healthcheck = argument.value;
    if (is_action(argument.option, "config"))
      *file = argument.value;
  }
  return 0;
}

/* A list of the command line takes the place of one from elsewhere, and its items are joined. */
static int append_item(struct config *config, const struct option *option, const char *value,
                       bool *begun) {
  const char *origin = "the command line";
  char **text = (char **)(void *)((char *)config + option->offset);
  if (!*begun) {
    *begun = true;
    return option_set(config, option, value, origin);
  }
  const size_t size = strlen(*text) + 1 + strlen(value) + 1;
  char *joined = malloc(size);
  if (!joined) {
    fputs("irrepd: no memory\n", stderr);
    return 2;
  }
  snprintf(joined, size, "%s;%s", *text, value);
  const int result = option_set(config, option, joined, origin);
  free(joined);
  return result;
}

static int apply_arguments(struct config *config, int argc, char **argv) {
  bool begun[N_OPTIONS] = {false};
  for (int i = 1; i < argc;) {
    struct argument argument;
    if (argument_next(argc, argv, &i, &argument) != 0)
      return 2;
    const struct option *option = argument.option;
    int result = 0;
    if (option->type == OPTION_LIST)
      result = append_item(config, option, argument.value, &begun[option - options]);
    else if (option->type != OPTION_ACTION)
      result = option_set(config, option, argument.value, "the command line");
    if (result != 0)
      return result;
  }
  return 0;
}

static const char *environment_of(const struct option *option, char name[ENVIRONMENT_NAME_MAX]) {
  snprintf(name, ENVIRONMENT_NAME_MAX, "IRREPD_%s", option->name);
  for (char *c = name; *c != '\0'; c++)
    *c = *c == '-' ? '_' : (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
  const char *value = getenv(name);
  return value != NULL && *value != '\0' ? value : NULL; /* empty is unset, as compose passes it */
}

static int apply_environment(struct config *config) {
  for (size_t i = 0; i < N_OPTIONS; i++) {
    char name[ENVIRONMENT_NAME_MAX];
    const char *value = environment_of(&options[i], name);
    if (value != NULL && options[i].type != OPTION_ACTION &&
        option_set(config, &options[i], value, name) != 0)
      return 2;
  }
  return 0;
}

static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  char *text = !file ? NULL : malloc(CONFIG_FILE_MAX + 1);
  const char *wrong = !file ? strerror(errno) : !text ? "no memory" : NULL;
  if (!wrong) {
    *size = fread(text, 1, CONFIG_FILE_MAX + 1, file);
    if (ferror(file))
      wrong = "cannot be read";
    else if (*size > CONFIG_FILE_MAX)
      wrong = "is larger than 1 MiB";
    else
      text[*size] = '\0';
  }
  if (file != NULL)
    fclose(file);
  if (!wrong)
    return text;
  fprintf(stderr, "irrepd: --config %s: %s\n", path, wrong);
  free(text);
  return NULL;
}

static int apply_member(struct config *config, const cJSON *member, const char *path) {
  const struct option *option = option_find(member->string, strlen(member->string));
  if (!option || option->type == OPTION_ACTION) {
    fprintf(stderr, "irrepd: --config %s: unknown key \"%.80s\"\n", path, member->string);
    return 2;
  }
  for (const cJSON *other = member->next; other != NULL; other = other->next)
    if (strcmp(other->string, member->string) == 0) {
      fprintf(stderr, "irrepd: --config %s: key \"%s\" appears twice\n", path, option->name);
      return 2;
    }
  char number[32];
  if (cJSON_IsBool(member))
    return option_set(config, option, cJSON_IsTrue(member) ? "true" : "false", path);
  if (cJSON_IsString(member))
    return option_set(config, option, member->valuestring, path);
  if (cJSON_IsNumber(member)) {
    const double value = member->valuedouble;
    const bool whole = value >= 0 && value <= 9007199254740992.0 && value == (double)(long)value;
    snprintf(number, sizeof number, whole ? "%.0f" : "%g", value);
    return option_set(config, option, number, path);
  }
  return complain(option, "a value of another type", path);
}

/* The tree of a text, checked before to be JSON of a bounded depth and number of values; NULL after
 * a complaint. */
static cJSON *parse_file(const char *text, size_t size, const char *path) {
  struct json_reader check = json_reader_over(text, size);
  check.values_left = CONFIG_VALUES_MAX;
  if (!json_skip(&check) || !json_end(&check)) {
    fprintf(stderr, "irrepd: --config %s: not JSON, at byte %zu: %s\n", path, check.position,
            check.message);
    return NULL;
  }
  cJSON *root = cJSON_ParseWithLength(text, size);
  if (cJSON_IsObject(root))
    return root;
  fprintf(stderr, "irrepd: --config %s: %s\n", path,
          !root ? "no memory, or a number of too many digits" : "not a JSON object");
  cJSON_Delete(root);
  return NULL;
}

static int apply_file(struct config *config, const char *path) {
  size_t size = 0;
  char *text = read_file(path, &size);
  if (!text)
    return 2;
  cJSON *root = parse_file(text, size, path);
  int failed = root ? 0 : 2;
  if (root != NULL)
    for (const cJSON *member = root->child; member != NULL && failed == 0; member = member->next)
      failed = apply_member(config, member, path);
  cJSON_Delete(root);
  free(text);
  return failed;
}

/* Defaults suit a machine that serves nothing else; a small one, or a container, has less. How the
 * parts share it is the ledger's to say (ledger.h), whatever the flags are. */
static void fit_defaults(struct config *config) {
  const size_t memory = config->memory = machine_memory("");
  if (config->memory_budget > memory / 2)
    config->memory_budget = memory / 2;
  if (config->max_receiving_bytes > memory / 8)
    config->max_receiving_bytes = memory / 8;
  if (config->max_body_bytes > memory / 32) /* some 8 times of which its structures may take */
    config->max_body_bytes = memory / 32;
}

static int check_origins(const struct config *config) {
  if (origins_are_valid(config->cors_origins))
    return 0;
  fprintf(
      stderr,
      "irrepd: --cors-origins takes origins as browsers write them, like https://lab.example or "
      "http://127.0.0.1:8000, separated by commas; it has \"%.80s\"\n",
      config->cors_origins);
  return 2;
}

/* What makes sense together only. */
static int check_pairs(const struct config *config) {
  if ((config->tls_cert[0] == '\0') == (config->tls_key[0] == '\0'))
    return 0;
  fputs("irrepd: --tls-cert and --tls-key are given together, or none of them\n", stderr);
  return 2;
}

int config_load(struct config *config, int argc, char **argv) {
  memset(config, 0, sizeof *config);
  char name[ENVIRONMENT_NAME_MAX];
  const char *file = environment_of(option_find("config", 6), name);
  int result = scan_arguments(config, argc, argv, &file);
  for (size_t i = 0; i < N_OPTIONS && result == 0; i++)
    if (options[i].type != OPTION_ACTION)
      result = option_set(config, &options[i], options[i].fallback, "the default");
  if (result == 0)
    fit_defaults(config);
  if (result == 0 && file != NULL)
    result = apply_file(config, file);
  if (result == 0)
    result = apply_environment(config);
  if (result == 0)
    result = apply_arguments(config, argc, argv);
  if (result == 0)
    result = check_pairs(config);
  if (result == 0)
    result = check_origins(config);
  if (result != 0) {
    config_free(config);
    return result;
  }
  if (config->max_batch_bytes > config->memory_budget)
    config->max_batch_bytes = config->memory_budget;
  if (config->max_receiving_bytes < config->max_body_bytes)
    config->max_receiving_bytes = config->max_body_bytes;
  return 0;
}

/* Read at start only. */
static bool is_fixed(const struct option *option) {
  static const char *const names[] = {
      "on-demand",          "allow-remote",    "workers",
      "exact-filters",      "max-connections", "max-connections-address",
      "request-timeout-ms", "profile",         "check-config"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(option->name, names[i]) == 0)
      return true;
  const bool is_text = option->type == OPTION_TEXT || option->type == OPTION_LIST;
  return option->type == OPTION_ACTION || (is_text && strcmp(option->name, "pin") != 0);
}

static size_t size_of(const struct option *option) {
  switch (option->type) {
  case OPTION_TEXT:
  case OPTION_LIST:
    return sizeof(char *);
  case OPTION_SWITCH:
    return sizeof(bool);
  default:
    return sizeof(size_t);
  }
}

int config_reload(struct config *config, int argc, char **argv) {
  struct config fresh;
  const int result = config_load(&fresh, argc, argv);
  if (result != 0)
    return result;
  for (size_t i = 0; i < N_OPTIONS; i++) {
    char *mine = (char *)config + options[i].offset, *theirs = (char *)&fresh + options[i].offset;
    const size_t n = size_of(&options[i]);
    char kept[sizeof(size_t)];
    if (is_fixed(&options[i]))
      continue;
    memcpy(kept, mine, n); /* exchanged, so that a text that is replaced goes with `fresh` */
    memcpy(mine, theirs, n);
    memcpy(theirs, kept, n);
  }
  config_free(&fresh);
  return 0;
}

void config_free(struct config *config) {
  free(config->models_dir);
  free(config->listen);
  free(config->pins);
  free(config->ipi);
  free(config->mdi);
  free(config->socket_allow);
  free(config->cors_origins);
  free(config->keys);
  free(config->jobs);
  free(config->tls_cert);
  free(config->tls_key);
  free(config->user);
  memset(config, 0, sizeof *config);
}
