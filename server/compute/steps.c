#include "server/compute/steps.h"

#include "core/base/arena.h"
#include "irrep/conventions.h"
#include "server/models/moving_graph.h"
#include "server/models/plan_sum.h"

#include <uv.h>

static struct prediction *prediction_of(const struct batch *batch, size_t i) {
  return batch->entries[i]->owner;
}

/* Whether all ask on, with nothing to tell; each steps in any case. */
static bool step_all(const struct batch *batch, struct arrays *arrays) {
  bool ask = true;
  for (size_t i = 0; i < batch->n_entries; i++) {
    const struct prediction *p = prediction_of(batch, i);
    const bool asks =
        p->stepper && p->error.status == IRREP_OK &&
        p->stepper->step(p->stepper, p->numbers, p->term ? &p->dispersion_energy : NULL,
                         &arrays->structures[i]);
    ask = ask && asks;
  }
  return ask;
}

static bool is_time(const struct computing *computing) {
  const struct batch *batch = computing->batch;
  const struct compute *compute = computing->compute;
  const uint64_t now_ns = uv_hrtime();
  if (!compute->workers || workers_are_wanted(compute->workers) || atomic_load(&batch->cancelled) ||
      now_ns - batch->began_ns >= STEPS_SLICE_NS)
    return false;
  for (size_t i = 0; i < batch->n_entries; i++)
    if (batch->entries[i]->deadline_ns <= now_ns)
      return false;
  return true;
}

/* What the arena has beside the scratch of helpers. */
static size_t bytes_left(const struct computing *computing) {
  const struct batch *batch = computing->batch;
  const size_t each = compute_helper_bytes(computing->compute, batch->model, batch->precision);
  const size_t bytes = computing->bytes / IRREP_ALIGNMENT * IRREP_ALIGNMENT;
  const size_t helpers = size_mul(each, batch->n_helpers);
  return bytes > helpers ? bytes - helpers : 0;
}

/* Has the graphs of all be those of what they ask for. */
static bool plan_all(const struct computing *computing, struct arrays *arrays) {
  const struct batch *batch = computing->batch;
  const struct compute *compute = computing->compute;
  struct irrep_plan sum = IRREP_PLAN_INIT;
  size_t extra_bytes = 0;
  for (size_t i = 0; i < batch->n_entries; i++) {
    const struct prediction *p = prediction_of(batch, i);
    struct irrep_plan plan = IRREP_PLAN_INIT;
    if (!p->moving || !moving_graph_plan(p->moving, compute->graphs, batch->model->model,
                                         &arrays->structures[i], p->max_edges, &plan, p->graph))
      return false;
    arrays->graphs[i] = p->graph->graph;
    plan_add(&sum, &plan);
    extra_bytes = size_add(extra_bytes, p->entry.extra_bytes);
  }
  arrays->all_graphs = true;
  return size_add(compute->evaluator->bytes(batch->model->model, batch->precision, &sum),
                  extra_bytes) <= bytes_left(computing);
}

/* What has been computed before counts with the batch. */
static void begin_round(const struct computing *computing, struct arrays *arrays) {
  struct batch *batch = computing->batch;
  batch->n_rounds++;
  for (size_t i = 0; i < batch->n_entries; i++) {
    struct prediction *p = prediction_of(batch, i);
    p->n_earlier++;
    p->n_earlier_edges += p->n_edges;
  }
  for (size_t i = 0; i < arrays->n_additions; i++)
    arrays->additions[i].structure = &arrays->structures[arrays->additions[i].index];
}

bool steps_go_on(const struct computing *computing, struct arrays *arrays) {
  struct batch *batch = computing->batch;
  if (!step_all(batch, arrays) || !is_time(computing))
    return false;
  const uint64_t begun_ns = uv_hrtime();
  const bool planned = plan_all(computing, arrays);
  batch->plan_ns += uv_hrtime() - begun_ns;
  if (planned)
    begin_round(computing, arrays);
  return planned;
}
