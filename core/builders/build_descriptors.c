/* What is given of a model's features to who asks for descriptors. */
#include "core/base/arena.h"
#include "core/builders/build.h"

#include <stdio.h>
#include <string.h>

#define IRREP_TEXT_MAX 32 /* "4096x6e+" */

/* Appends the irreps of a layer to the text of all. */
static bool append_text(struct build *build, const struct layout *layout) {
  struct program *program = build->program;
  const char *before = program->descriptor_irreps ? program->descriptor_irreps : "";
  const size_t size = strlen(before) + 2 + layout->n * IRREP_TEXT_MAX;
  char *text = program_take(program, size, 1);
  if (!text)
    return build_give_up(build);
  size_t n = (size_t)snprintf(text, size, "%s%s", before, *before ? " " : "");
  for (size_t i = 0; i < layout->n && n < size; i++) {
    const struct layout_entry *entry = &layout->entry[i];
    n += (size_t)snprintf(text + n, size - n, "%s%zux%d%c", i > 0 ? "+" : "", entry->mul,
                          entry->ir.l, entry->ir.parity > 0 ? 'e' : 'o');
  }
  program->descriptor_irreps = text;
  return true;
}

bool build_descriptors(struct build *build, size_t tensor, const struct layout *layout) {
  struct program *program = build->program;
  struct described_irrep *irreps = program_take(program, layout->n, sizeof *irreps);
  struct op *op = program_op(program, OP_DESCRIPTORS, tensor, PROGRAM_NONE);
  if (!irreps || !op)
    return build_give_up(build);
  for (size_t i = 0; i < layout->n; i++) {
    const struct layout_entry *entry = &layout->entry[i];
    const size_t n_m = (size_t)(2 * entry->ir.l + 1);
    irreps[i] = (struct described_irrep){.n_m = n_m,
                                         .n_channels = entry->mul,
                                         .in_offset = entry->offset,
                                         .in_stride = entry->width,
                                         .place = entry->place,
                                         .is_invariant = entry->ir.l == 0 && entry->ir.parity > 0,
                                         .column = program->n_descriptors_l,
                                         .invariant_column = program->n_descriptors};
    program->n_descriptors_l += n_m * entry->mul;
    program->n_descriptors += irreps[i].is_invariant ? entry->mul : 0;
  }
  op->descriptors = (struct descriptors){layout->n, irreps};
  return append_text(build, layout);
}
