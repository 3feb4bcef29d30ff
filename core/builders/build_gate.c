/* Activations, and gates: scalars of the same row that multiply its other features. */
#include "core/builders/build.h"

bool build_activated(struct build *build, enum activation activation, size_t in, size_t out) {
  const size_t dim = build->program->tensors[in].dim;
  struct gate_entry *entry = program_take(build->program, 1, sizeof *entry);
  struct op *op = program_op(build->program, OP_GATE, in, out);
  if (!entry || !op)
    return build_give_up(build);
  *entry = (struct gate_entry){.n_m = 1,
                               .channels = dim,
                               .in_stride = dim,
                               .out_stride = dim,
                               .activation = activation,
                               .scale = 1.0};
  op->gate = (struct gate){dim, dim, 1, entry};
  return true;
}

bool gate_input_layout(struct build *build, const struct irreps *irreps_out, struct irrep *gate_ir,
                       struct layout *layout) {
  const bool even = irreps_find(irreps_out, (struct irrep){0, 1}) < irreps_out->n;
  *gate_ir = (struct irrep){0, even ? 1 : -1};
  *layout = (struct layout){0};
  for (size_t i = 0; i < irreps_out->n; i++) {
    size_t mul[IRREPS_MAX + 1] = {irreps_out->entry[i].mul}, n_groups = 1;
    if (irrep_equal(irreps_out->entry[i].ir, *gate_ir))
      for (size_t j = 0; j < irreps_out->n; j++)
        if (irreps_out->entry[j].ir.l > 0)
          mul[n_groups++] = irreps_out->entry[j].mul;
    if (!layout_append(build, layout, irreps_out->entry[i].ir, mul, n_groups))
      return false;
  }
  return true;
}

static bool read_gate_entry(struct build *build, const struct card_object *gate, const char *which,
                            struct irrep ir, struct gate_entry *entry) {
  static const char *const irreps[] = {"0e", "0o", NULL};
  static const char *const keys[] = {"activation", "scale", NULL};
  struct card_object group, activation;
  const char key[3] = {(char)('0' + ir.l), ir.parity > 0 ? 'e' : 'o', 0};
  return card_object(gate, which, &group, build->error) == IRREP_OK &&
         card_only(&group, irreps, build->error) == IRREP_OK &&
         card_object(&group, key, &activation, build->error) == IRREP_OK &&
         card_only(&activation, keys, build->error) == IRREP_OK &&
         build_activation(build, &activation, &entry->activation) &&
         card_number(&activation, "scale", -1e6, 1e6, &entry->scale, build->error) == IRREP_OK;
}

bool build_equivariant_gate(struct build *build, const struct card_object *layer,
                            const struct irreps *irreps_out, size_t in, const struct layout *from,
                            struct irrep gate_ir, size_t *out, struct layout *to) {
  static const char *const keys[] = {"scalars", "gates", NULL};
  struct card_object card;
  struct gate_entry *entries = program_take(build->program, from->n, sizeof *entries);
  if (!entries || !layout_of_irreps(build, irreps_out, to) || !build_tensor(build, to, out) ||
      card_object(layer, "gate", &card, build->error) != IRREP_OK ||
      card_only(&card, keys, build->error) != IRREP_OK)
    return build_give_up(build);
  const struct layout_entry *gates = layout_find(from, gate_ir);
  size_t gate = gates ? to->entry[gates - from->entry].mul : 0; /* the next gate's channel */
  for (size_t i = 0; i < to->n; i++) {
    const struct layout_entry *x = &from->entry[i], *y = &to->entry[i];
    entries[i] = (struct gate_entry){.gated = y->ir.l > 0,
                                     .n_m = (size_t)(2 * y->ir.l + 1),
                                     .channels = y->width,
                                     .in_offset = x->offset,
                                     .in_stride = x->width,
                                     .out_offset = y->offset,
                                     .out_stride = y->width};
    if (!entries[i].gated) {
      if (!read_gate_entry(build, &card, "scalars", y->ir, &entries[i]))
        return false;
      continue;
    }
    if (!gates) {
      irrep_fail(build->error, IRREP_UNSUPPORTED_MODEL, layer->where,
                 "a layer with gated features but without scalars");
      return false;
    }
    if (!read_gate_entry(build, &card, "gates", gate_ir, &entries[i]))
      return false;
    entries[i].gate_offset = gates->offset + gates->place[gate];
    gate += y->mul;
  }
  struct op *op = program_op(build->program, OP_GATE, in, *out);
  if (!op)
    return build_give_up(build);
  op->gate = (struct gate){from->dim, to->dim, to->n, entries};
  return true;
}
