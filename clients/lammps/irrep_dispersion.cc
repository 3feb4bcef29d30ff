// SPDX-License-Identifier: GPL-2.0-only
#include "irrep_dispersion.h"

#include <algorithm>
#include <cstdlib>

IrrepDispersion::~IrrepDispersion() {
  irrep_term_free(term_);
  irrep_dispersion_free(data_);
}

static bool read_length(const std::string &value, double &length) {
  char *end = nullptr;
  length = std::strtod(value.c_str(), &end);
  return end != value.c_str() && *end == 0;
}

bool IrrepDispersion::take_word(const std::string &word, const std::string &value,
                                std::string &wrong) {
  wrong.clear();
  if (word == "dispersion") {
    is_wanted_ = true;
    options_.damping = value == "d3zero" ? IRREP_D3ZERO : IRREP_D3BJ;
    if (value != "d3bj" && value != "d3zero")
      wrong = "dispersion " + value + ": it can be d3bj or d3zero";
  } else if (word == "functional") {
    has_functional_ = true;
    functional_ = value;
  } else if (word == "d3_cutoff" || word == "cn_cutoff") {
    has_cutoffs_ = true;
    if (!read_length(value, word == "d3_cutoff" ? options_.cutoff : options_.cn_cutoff))
      wrong = word + " " + value + ": a length in Angstrom is due";
  } else if (word == "d3_data") {
    data_path_ = value;
  } else {
    return false;
  }
  return true;
}

std::string IrrepDispersion::check() {
  if (!is_wanted_)
    return has_functional_ || has_cutoffs_ || !data_path_.empty()
               ? "functional, d3_cutoff, cn_cutoff and d3_data belong to dispersion, which is not "
                 "asked for"
               : "";
  const struct irrep_functional *found =
      irrep_functional_find(options_.damping, functional_.data(), functional_.size());
  if (!found)
    return "there are no parameters of this dispersion for the functional " + functional_;
  options_.parameters = found->parameters;
  struct irrep_error why;
  return irrep_dispersion_check(&options_, &why) == IRREP_OK ? "" : why.detail;
}

double IrrepDispersion::cutoff() const {
  return std::max(options_.cutoff, options_.cn_cutoff);
}

enum irrep_status IrrepDispersion::load(const std::vector<char> &bytes, struct irrep_error &why) {
  irrep_term_free(term_);
  irrep_dispersion_free(data_);
  term_ = nullptr;
  data_ = nullptr;
  const enum irrep_status status = irrep_dispersion_load(bytes.data(), bytes.size(), &data_, &why);
  return status == IRREP_OK ? irrep_dispersion_term(data_, &options_, &term_, &why) : status;
}

enum irrep_status IrrepDispersion::add(const struct irrep_evaluate_options &options,
                                       const std::vector<int32_t> &numbers, const double *const *x,
                                       const std::vector<int> &atom_of, size_t n_local,
                                       bool virials, struct irrep_result &sum,
                                       struct irrep_error &why) {
  const size_t n_atoms = numbers.size();
  irrep_fit(positions_, 3 * n_atoms);
  irrep_fit(energies_, n_local);
  irrep_fit(forces_, 3 * n_atoms);
  irrep_fit(virials_, virials ? 9 * n_atoms : 0);
  arena_.need(irrep_term_bytes(term_, n_atoms, 0));
  for (size_t row = 0; row < n_atoms; row++)
    std::copy(x[atom_of[row]], x[atom_of[row]] + 3, &positions_[3 * row]);
  struct irrep_structure structure = IRREP_STRUCTURE_INIT;
  structure.n_atoms = n_atoms;
  structure.numbers = numbers.data();
  structure.positions = positions_.data();
  struct irrep_result part = IRREP_RESULT_INIT;
  part.energies = energies_.data();
  part.forces = forces_.data();
  part.stresses = virials ? virials_.data() : nullptr;
  const enum irrep_status status = irrep_dispersion_evaluate_part(
      term_, &options, &structure, n_local, arena_.data(), arena_.size(), &part, &why);
  if (status != IRREP_OK)
    return status;
  sum.status = part.status;
  sum.energy += part.energy;
  for (size_t i = 0; i < n_local; i++)
    sum.energies[i] += energies_[i];
  for (size_t i = 0; i < 3 * n_local; i++)
    sum.forces[i] += forces_[i];
  for (size_t i = 0; virials && i < 9 * n_local; i++)
    sum.stresses[i] += virials_[i];
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++)
      sum.virial[a][b] += part.virial[a][b];
  return IRREP_OK;
}

double IrrepDispersion::memory_usage() const {
  const size_t doubles =
      positions_.capacity() + energies_.capacity() + forces_.capacity() + virials_.capacity();
  return static_cast<double>(arena_.size() + doubles * sizeof(double));
}
