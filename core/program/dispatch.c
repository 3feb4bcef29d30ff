#include "core/program/dispatch.h"

#include "core/kernels/table.h"

#include <string.h>

struct candidate {
  const struct kernels *tables[2]; /* by precision */
  bool supported;
};

const struct kernels *kernels_for(enum irrep_precision precision, const char *isa) {
#if defined(__x86_64__)
  const struct candidate candidates[] = {
      {{&kernels_f32_v4, &kernels_f64_v4}, __builtin_cpu_supports("x86-64-v4") != 0},
      {{&kernels_f32_v3, &kernels_f64_v3}, __builtin_cpu_supports("x86-64-v3") != 0},
      {{&kernels_f32_v2, &kernels_f64_v2}, true},
  };
#else
  const struct candidate candidates[] = {{{&kernels_f32_base, &kernels_f64_base}, true}};
#endif
  for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
    const struct kernels *table = candidates[i].tables[precision == IRREP_FLOAT64];
    if (candidates[i].supported && (!isa || strcmp(isa, table->isa) == 0))
      return table;
  }
  return NULL;
}
