#include "server/codec/codec_head.h"

#include "server/base/suggest.h"

#include <stdio.h>
#include <string.h>

static const char due[] = "the name of a head is due, of 1 to 63 bytes";

void codec_head_read_text(const char *text, const char *pointer, struct request_head *head,
                          struct codec_fault *fault) {
  *head = (struct request_head){.is_given = true, .pointer = pointer};
  if (text[0] == '\0' || strlen(text) >= sizeof head->name)
    codec_fault_set(fault, PROBLEM_WRONG_VALUE, due, "%s", pointer);
  else
    snprintf(head->name, sizeof head->name, "%s", text);
}

void codec_head_read(struct json_reader *json, const char *pointer, struct request_head *head,
                     struct codec_fault *fault) {
  char word[CODEC_WORD_MAX];
  if (codec_word(json, word))
    codec_head_read_text(word, pointer, head, fault);
  else
    codec_fault_set(fault, PROBLEM_WRONG_TYPE, due, "%s", pointer);
}

/* The names of heads as "a, b, c", as many as there is room for. */
static const char *list_of(const struct irrep_card *card, char *list, size_t size) {
  static const char rest[] = ", ..";
  size_t used = 0;
  list[0] = '\0';
  for (size_t i = 0; i < card->n_heads; i++) {
    const size_t n = strlen(card->heads[i]) + (i ? 2 : 0);
    const bool fits = used + n + (i + 1 < card->n_heads ? sizeof rest : 1) <= size;
    snprintf(list + used, size - used, "%s%s", fits && i ? ", " : "", fits ? card->heads[i] : rest);
    if (!fits)
      break;
    used += n;
  }
  return list;
}

static bool unknown(const struct request_head *head, const struct irrep_card *card,
                    const char *model, struct problem *problem) {
  char list[160], hint[96] = "";
  const char *near = suggest(head->name, card->heads, card->n_heads);
  if (near)
    snprintf(hint, sizeof hint, "; did you mean \"%s\"?", near);
  problem_of_kind(problem, PROBLEM_UNKNOWN_HEAD, head->pointer ? head->pointer : "",
                  card->n_heads > 0 ? "\"%.40s\" is no head of %.40s%s Its heads: %s"
                                    : "\"%.40s\" is no head of %.40s, which has none by name%s%s",
                  head->name, model, card->n_heads > 0 && !near ? "." : hint,
                  list_of(card, list, sizeof list));
  return false;
}

bool codec_head_choose(const struct request_head *head, const struct irrep_card *card,
                       const char *name, size_t *index, struct problem *problem) {
  char list[160];
  if (!head->is_given) {
    *index = card->default_head;
    if (*index != IRREP_HEAD_NONE)
      return true;
    problem_of_kind(problem, PROBLEM_MISSING_HEAD, "#/head",
                    "%.40s has several heads and no default: name one by \"head\": %s", name,
                    list_of(card, list, sizeof list));
    return false;
  }
  for (*index = 0; *index < card->n_heads; ++*index)
    if (strcmp(card->heads[*index], head->name) == 0)
      return true;
  return unknown(head, card, name, problem);
}
