// Registers the pair style irrep: `plugin load irrepplugin.so`.
// SPDX-License-Identifier: GPL-2.0-only
#include "lammpsplugin.h"
#include "pair_irrep.h"
// What `lmp -h` names, and LAMMPS compares: not all packages of LAMMPS carry its version.h.
#ifndef LAMMPS_VERSION
#error "define LAMMPS_VERSION, as make lammps does"
#endif

static LAMMPS_NS::Pair *create(LAMMPS_NS::LAMMPS *lmp) {
  return new LAMMPS_NS::PairIrrep(lmp);
}

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle,
                                                                         void *regfunc) {
  lammpsplugin_t plugin;
  plugin.version = LAMMPS_VERSION;
  plugin.style = "pair";
  plugin.name = "irrep";
  plugin.info = "equivariant interatomic potentials: pair_style irrep";
  plugin.author = "the irrepd authors";
  plugin.creator.v1 = reinterpret_cast<lammpsplugin_factory1 *>(&create);
  plugin.handle = handle;
  reinterpret_cast<lammpsplugin_regfunc>(regfunc)(&plugin, lmp);
}
