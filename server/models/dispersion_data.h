/* The reference data of dispersion, from the folder of models: dftd3.params.safetensors. */
#ifndef SERVER_MODELS_DISPERSION_DATA_H
#define SERVER_MODELS_DISPERSION_DATA_H

#include "irrep/dispersion.h"
#include "irrep/status.h"

#define DISPERSION_DATA_FILE "dftd3.params.safetensors"

struct dispersion_data {
  struct irrep_dispersion *data; /* NULL: there are none, and error says why */
  struct irrep_error error;
};

/* Reads them. A damaged file is logged; none is no fault. */
void dispersion_data_read(const char *folder, struct dispersion_data *dispersion);

void dispersion_data_fini(struct dispersion_data *dispersion);

#endif
