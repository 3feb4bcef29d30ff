/* Ghosts: atoms of a graph whose energy is another's matter. Their features are fetched before a
 * convolution reads them, and the gradients by these are sent home after its adjoint. */
#ifndef CORE_CPU_GHOSTS_H
#define CORE_CPU_GHOSTS_H

#include "core/cpu/run.h"

/* Whether evaluating a program over a graph with ghosts takes an exchange. */
bool ghosts_need_exchange(const struct program *program);

/* Writes the rows of ghosts that a stage reads: those that depend on the species alone here, others
 * by an exchange, which is called whether there are ghosts or not. run: of no tile. false: the
 * exchange has failed. */
bool ghosts_fetch(const struct run *run, const struct stage *stage,
                  const struct irrep_exchange *exchange);

/* Sends the gradients by these rows home. */
bool ghosts_send_home(const struct run *run, const struct stage *stage,
                      const struct irrep_exchange *exchange);

#endif
