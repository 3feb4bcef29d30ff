/* The reference data of dispersion, from the folder of models: dftd3.params.safetensors. Who uses
 * them holds them, so that others may take their place meanwhile. Holding and dropping are the loop
 * thread's; what is held stays the same, for any thread. */
#ifndef SERVER_MODELS_DISPERSION_DATA_H
#define SERVER_MODELS_DISPERSION_DATA_H

#include "irrep/dispersion.h"
#include "irrep/status.h"

#include <stddef.h>

#define DISPERSION_DATA_FILE "dftd3.params.safetensors"

struct dispersion_data {
  /* Read-only */
  struct irrep_dispersion *data; /* NULL: there are none, and error says why */
  struct irrep_error error;
  size_t n_holders; /* private */
};

/* Reads them, held once by the caller; NULL without memory. A damaged file is logged; none is no
 * fault. */
struct dispersion_data *dispersion_data_new(const char *folder);

/* Reads them again into what `held` holds. Where the file is damaged or cannot be read, the
 * folder has gone, or there is no memory, those that were there stay, which is logged. */
void dispersion_data_reload(const char *folder, struct dispersion_data **held);

/* Another holder's; NULL is passed on. */
struct dispersion_data *dispersion_data_hold(struct dispersion_data *dispersion);

/* One holder's no more; freed with the last one. NULL is allowed. */
void dispersion_data_drop(struct dispersion_data *dispersion);

#endif
