#include "core/cpu/dispatch.h"

#include "core/cpu/kernels/table.h"

#include <string.h>

#if defined(__x86_64__)
#define PLAIN_ISA "v2"
#else
#define PLAIN_ISA "base"
#endif

struct candidate {
  const struct kernels *tables[2]; /* by precision */
  bool supported;
};

#if defined(__x86_64__)
/* The features of the x86-64-v3 and v4 levels, by name: not every compiler knows the levels. */
static bool has_v3(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool has_v4(void) {
#if defined(IRREP_WITHOUT_V4) /* make bench ISA=v3 */
  return false;
#else
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
#endif
}
#endif

const struct kernels *kernels_for(enum irrep_precision precision, const char *isa) {
#if defined(__x86_64__)
  const struct candidate candidates[] = {
      {{&kernels_f32_v4, &kernels_f64_v4}, has_v4()},
      {{&kernels_f32_v3, &kernels_f64_v3}, has_v3()},
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

const struct kernels *kernels_plain(enum irrep_precision precision) {
  return kernels_for(precision, PLAIN_ISA);
}
