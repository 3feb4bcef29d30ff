// DFT-D3 for the atoms of one rank and the ghosts around them (irrep/dispersion.h).
// SPDX-License-Identifier: GPL-2.0-only
#ifndef CLIENTS_LAMMPS_IRREP_DISPERSION_H
#define CLIENTS_LAMMPS_IRREP_DISPERSION_H

#include "irrep_memory.h"

#include <irrep/dispersion.h>
#include <string>
#include <vector>

class IrrepDispersion {
public:
  IrrepDispersion() = default;
  IrrepDispersion(const IrrepDispersion &) = delete;
  IrrepDispersion &operator=(const IrrepDispersion &) = delete;
  ~IrrepDispersion();

  // Takes one of pair_style's keywords with its value; false: it is none of dispersion. What is
  // wrong with the value is said in `wrong`, which is empty otherwise.
  bool take_word(const std::string &word, const std::string &value, std::string &wrong);

  // Checks the keywords together; returns what is wrong, or an empty text.
  std::string check();

  bool is_wanted() const {
    return is_wanted_;
  }
  // The file of reference data that the input names, or an empty text.
  const std::string &data_path() const {
    return data_path_;
  }
  // Of pairs and of coordination numbers, Angstrom.
  double cutoff() const;

  // Reads the bytes of the file.
  enum irrep_status load(const std::vector<char> &bytes, struct irrep_error &why);

  // Adds energies [n_local], forces [n_atoms][3], virials [n_atoms][3][3] (or NULL) and the virial
  // and energy of a result. Throws std::bad_alloc.
  //   numbers, positions  [n_atoms] the local atoms first
  enum irrep_status add(const struct irrep_evaluate_options &options,
                        const std::vector<int32_t> &numbers, const double *const *x,
                        const std::vector<int> &atom_of, size_t n_local, bool virials,
                        struct irrep_result &sum, struct irrep_error &why);

  double memory_usage() const;

private:
  bool is_wanted_ = false, has_functional_ = false, has_cutoffs_ = false;
  std::string functional_ = "pbe", data_path_;
  struct irrep_dispersion_options options_ = IRREP_DISPERSION_OPTIONS_INIT;
  struct irrep_dispersion *data_ = nullptr;
  struct irrep_term *term_ = nullptr;
  std::vector<double> positions_, energies_, forces_, virials_;
  IrrepMemory arena_;
};

#endif
