// Symbols of elements.
// SPDX-License-Identifier: GPL-2.0-only
#ifndef CLIENTS_LAMMPS_IRREP_ELEMENTS_H
#define CLIENTS_LAMMPS_IRREP_ELEMENTS_H

#include <cstring>

static const char *const irrep_symbols[] = {
    "X",  "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si",
    "P",  "S",  "Cl", "Ar", "K",  "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu",
    "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",  "Zr", "Nb", "Mo", "Tc", "Ru",
    "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr",
    "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W",
    "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac",
    "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf",
    "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
};
static const int irrep_n_symbols = sizeof irrep_symbols / sizeof irrep_symbols[0];

// The atomic number, or 0 for what is no element.
inline int irrep_element_number(const char *symbol) {
  int number = irrep_n_symbols - 1;
  while (number > 0 && std::strcmp(irrep_symbols[number], symbol) != 0)
    number--;
  return number;
}

inline const char *irrep_element_symbol(int number) {
  return irrep_symbols[number > 0 && number < irrep_n_symbols ? number : 0];
}

#endif
