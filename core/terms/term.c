#include "core/terms/term.h"

size_t term_scratch_bytes(const struct term *term, size_t n_atoms, size_t n_edges) {
  const struct term_kind *kind = term->kind;
  return kind->scratch_bytes ? kind->scratch_bytes(term->parameters, n_atoms, n_edges) : 0;
}

/* The tasks of all places are numbered one after the other. */
struct pass {
  const struct term_place *places;
  size_t n, pass;
  const struct crew *crew;
};

/* The place of a task: the first that ends behind it. */
static size_t place_of(const struct pass *pass, size_t task) {
  size_t low = 0, high = pass->n - 1;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (pass->places[middle].end_task > task)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

static void do_task(void *context, size_t thread, size_t index) {
  const struct pass *pass = context;
  if (crew_is_cancelled(pass->crew))
    return;
  const size_t i = place_of(pass, index);
  const struct term_place *place = &pass->places[i];
  const struct term_kind *kind = place->term->kind;
  crew_note(pass->crew, thread, NULL, false);
  kind->task(place, pass->pass, index - (i > 0 ? pass->places[i - 1].end_task : 0));
  crew_note(pass->crew, thread, kind->name, false);
}

static bool exchange_rows(const struct term_place *place, size_t pass, const struct crew *crew) {
  const struct term_kind *kind = place->term->kind;
  const struct irrep_exchange *exchange = crew->exchange;
  if (!exchange || !kind->exchanged || pass >= kind->n_passes)
    return true;
  const struct term_rows rows = kind->exchanged(place, pass);
  return !rows.rows || exchange->rows(exchange->context, rows.rows, rows.width, sizeof *rows.rows,
                                      rows.forward) == 0;
}

bool term_pass(struct term_place *places, size_t n, size_t pass, const struct crew *crew) {
  struct pass of_all = {places, n, pass, crew};
  size_t n_tasks = 0;
  for (size_t i = 0; i < n; i++) {
    const struct term_kind *kind = places[i].term->kind;
    if (!exchange_rows(&places[i], pass, crew))
      return false;
    n_tasks += pass < kind->n_passes ? kind->n_tasks(&places[i], pass) : 0;
    places[i].end_task = n_tasks;
  }
  crew_share(crew, do_task, &of_all, n_tasks);
  return true;
}

bool term_evaluate(struct term_place *places, size_t n, const struct crew *crew) {
  size_t n_passes = 0;
  for (size_t i = 0; i < n; i++)
    if (places[i].term->kind->n_passes > n_passes)
      n_passes = places[i].term->kind->n_passes;
  for (size_t pass = 0; pass < n_passes; pass++)
    if (!term_pass(places, n, pass, crew))
      return false;
  return true;
}
