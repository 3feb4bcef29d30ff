#include "server/routes/example.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool has_element(const struct irrep_card *card, int32_t number) {
  for (size_t i = 0; i < card->n_elements; i++)
    if (card->atomic_numbers[i] == number)
      return true;
  return false;
}

static int format_structure(char *text, size_t size, const struct irrep_card *card) {
  if (has_element(card, 14))
    return snprintf(text, size,
                    "\"numbers\":[14,14],\"positions\":[[0,0,0],[1.3575,1.3575,1.3575]],"
                    "\"cell\":[[0,2.715,2.715],[2.715,0,2.715],[2.715,2.715,0]]");
  if (has_element(card, 1) && has_element(card, 8))
    return snprintf(text, size,
                    "\"numbers\":[8,1,1],"
                    "\"positions\":[[0,0,0],[0.96,0,0],[-0.24,0.93,0]]");
  const int number = card->n_elements == 0 ? 0 : (int)card->atomic_numbers[0];
  return snprintf(text, size, "\"numbers\":[%d,%d],\"positions\":[[0,0,0],[2,0,0]]", number,
                  number);
}

/* What curl is told about where the server is, in single quotes where a path needs them. The names
 * in a certificate are not known here, and the command is for the daemon's own machine: -k. */
static int format_target(char *text, size_t size, const char *url) {
  if (strncmp(url, "unix:", 5) != 0)
    return snprintf(text, size, strncmp(url, "https:", 6) == 0 ? "-k %s" : "%s", url);
  if (strchr(url, '\'') != NULL)
    return -1; /* not to be quoted for a shell */
  return snprintf(text, size, "--unix-socket '%s' http://localhost", url + 5);
}

size_t example_command(char *text, size_t size, const char *url, const char *model,
                       const struct irrep_card *card, bool with_keys) {
  char structure[256], target[400];
  if (format_structure(structure, sizeof structure, card) < 0 ||
      format_target(target, sizeof target, url) < 0)
    return 0;
  const int n = snprintf(text, size,
                         "curl -s %s/v1/models/%s/predict -H 'Content-Type: application/json' "
                         "%s-d '{\"structures\":[{%s}]}'",
                         target, model,
                         with_keys ? "-H \"Authorization: Bearer $IRREPD_KEY\" " : "", structure);
  return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
