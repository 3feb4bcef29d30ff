/* Memory that a program owns, in blocks that are freed together. */
#ifndef CORE_PROGRAM_OWNED_H
#define CORE_PROGRAM_OWNED_H

#include "core/program/program.h"

/* Frees every block of a list, which is empty then. */
void owned_free_all(struct owned **list);

#endif
