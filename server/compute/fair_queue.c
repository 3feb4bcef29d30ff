#include "server/compute/fair_queue.h"

#include "server/compute/scheduler.h"
#include "server/models/plan_sum.h"

static void ring_append(struct fair_queue *queue, struct flow *flow) {
  struct flow *turn = queue->turn;
  if (!turn) {
    flow->next = flow->previous = flow;
    queue->turn = flow;
    return;
  }
  flow->next = turn;
  flow->previous = turn->previous;
  turn->previous->next = flow;
  turn->previous = flow;
}

static void ring_unlink(struct fair_queue *queue, struct flow *flow) {
  if (queue->turn == flow)
    queue->turn = flow->next == flow ? NULL : flow->next;
  flow->previous->next = flow->next;
  flow->next->previous = flow->previous;
  flow->previous = flow->next = NULL;
}

void fair_append(struct fair_queue *queue, struct entry *entry) {
  struct flow *flow = entry->flow;
  entry->next = entry->flow_next = NULL;
  entry->previous = queue->last;
  *(queue->last ? &queue->last->next : &queue->first) = entry;
  queue->last = entry;
  entry->flow_previous = flow->last;
  *(flow->last ? &flow->last->flow_next : &flow->first) = entry;
  flow->last = entry;
  plan_add(&flow->waiting, &entry->plan);
  flow->waiting_seconds += entry->extra_seconds;
  if (!flow->next)
    ring_append(queue, flow);
}

void fair_unlink(struct fair_queue *queue, struct entry *entry) {
  struct flow *flow = entry->flow;
  *(entry->previous ? &entry->previous->next : &queue->first) = entry->next;
  *(entry->next ? &entry->next->previous : &queue->last) = entry->previous;
  *(entry->flow_previous ? &entry->flow_previous->flow_next : &flow->first) = entry->flow_next;
  *(entry->flow_next ? &entry->flow_next->flow_previous : &flow->last) = entry->flow_previous;
  plan_subtract(&flow->waiting, &entry->plan);
  flow->waiting_seconds = flow->first ? flow->waiting_seconds - entry->extra_seconds : 0.0;
  if (!flow->first)
    ring_unlink(queue, flow);
}

struct entry *fair_head(const struct fair_queue *queue) {
  return queue->turn ? queue->turn->first : NULL;
}

struct entry *fair_take(struct fair_queue *queue) {
  struct entry *entry = fair_head(queue);
  if (entry)
    queue->turn = queue->turn->next;
  return entry;
}

struct fair_walk fair_walk_begin(const struct fair_queue *queue) {
  struct flow *turn = queue->turn, *flow = turn;
  if (!turn)
    return (struct fair_walk){NULL};
  do {
    flow->at = flow->first;
    flow->after = flow->next;
    flow = flow->next;
  } while (flow != turn);
  return (struct fair_walk){turn->previous};
}

struct entry *fair_walk_next(struct fair_walk *walk) {
  if (!walk->before)
    return NULL;
  struct flow *flow = walk->before->after;
  struct entry *entry = flow->at;
  flow->at = entry->flow_next;
  if (flow->at)
    walk->before = flow;
  else if (walk->before == flow)
    walk->before = NULL;
  else
    walk->before->after = flow->after;
  return entry;
}
