/* Activations with two derivatives, in double: what kernels/activations.h gives, and one more. */
#ifndef CORE_CPU_ACTIVATION_SECOND_H
#define CORE_CPU_ACTIVATION_SECOND_H

#include "core/program/parameters.h"

struct activation_jet {
  double value, first, second;
};

/* a(x), a'(x) and a''(x). Of the absolute value the derivatives at 0 are 0. Thread-safe. */
struct activation_jet activation_second(enum activation kind, double x);

#endif
