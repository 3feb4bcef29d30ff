/* The real type, vector type and name suffix that a kernel file is compiled for.
 *
 * Each file of core/cpu/kernels/ is compiled once for every precision and instruction set: the
 * build defines IRREP_REAL_BITS (32 or 64) and IRREP_ISA (v2, v3, v4 on x86-64, base elsewhere),
 * and the compiler's -march agrees with it. KERNEL(name) gives each copy its own names. */
#ifndef CORE_BASE_REAL_H
#define CORE_BASE_REAL_H

#include <stddef.h>

#if IRREP_REAL_BITS == 32
typedef float real;
#elif IRREP_REAL_BITS == 64
typedef double real;
#else
#error "IRREP_REAL_BITS must be 32 or 64"
#endif

#define KERNEL_PASTE(name, bits, isa) name##_f##bits##_##isa
#define KERNEL_EXPAND(name, bits, isa) KERNEL_PASTE(name, bits, isa)
#define KERNEL(name) KERNEL_EXPAND(name, IRREP_REAL_BITS, IRREP_ISA)

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

/* Reals of one vector register: divides IRREP_LANES. */
#define VECTOR_LANES (VECTOR_BYTES / (IRREP_REAL_BITS / 8))

/* Loads and stores through a pointer to vec need VECTOR_BYTES of alignment. */
typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));

static inline vec vec_load(const real *p) {
  return *(const vec *)__builtin_assume_aligned(p, VECTOR_BYTES);
}

static inline void vec_store(real *p, vec v) {
  *(vec *)__builtin_assume_aligned(p, VECTOR_BYTES) = v;
}

/* The sum of the lanes, as a tree of halves: the order is part of the result's bits. */
static inline real vec_sum(vec v) {
  real lanes[VECTOR_LANES];
  __builtin_memcpy(lanes, &v, sizeof v);
#pragma GCC unroll 4
  for (size_t half = VECTOR_LANES / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (size_t i = 0; i < half; i++)
      lanes[i] += lanes[i + half];
  return lanes[0];
}

#endif
