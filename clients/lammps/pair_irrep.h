// The pair style irrep: energies and forces of an equivariant model, over any number of ranks.
//
//   pair_style irrep [precision single|double|model] [threads N] [head NAME]
//                    [dispersion d3bj|d3zero] [functional NAME] [d3_cutoff A] [cn_cutoff A]
//                    [d3_data FILE]
//   pair_coeff * * model.safetensors Si O        (an element or NULL for each atom type)
//
// A rank evaluates the graph of its own atoms, whose senders are own atoms and ghosts within one
// cutoff, whatever the number of layers: between layers LAMMPS' communication brings the features
// of ghosts, and takes home the gradients that ghosts have collected (struct irrep_exchange of
// irrep/model.h).
//
// SPDX-License-Identifier: GPL-2.0-only
#ifndef CLIENTS_LAMMPS_PAIR_IRREP_H
#define CLIENTS_LAMMPS_PAIR_IRREP_H

#include "irrep_dispersion.h"
#include "irrep_memory.h"
#include "irrep_team.h"
#include "pair.h"

#include <cstdint>
#include <irrep/model.h>
#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class PairIrrep : public Pair {
public:
  explicit PairIrrep(class LAMMPS *lmp);
  PairIrrep(const PairIrrep &) = delete;
  PairIrrep &operator=(const PairIrrep &) = delete;
  ~PairIrrep() override;

  void settings(int n_words, char **words) override;
  void coeff(int n_words, char **words) override;
  void init_style() override;
  double init_one(int type, int other) override;
  void compute(int eflag, int vflag) override;
  void finish() override;
  double memory_usage() override;

  int pack_forward_comm(int n, int *list, double *buffer, int pbc_flag, int *pbc) override;
  void unpack_forward_comm(int n, int first, double *buffer) override;
  int pack_reverse_comm(int n, int first, double *buffer) override;
  void unpack_reverse_comm(int n, int *list, double *buffer) override;

private:
  // What is being communicated: some columns of an array of the graph's atoms.
  struct Rows {
    char *data;
    size_t width, real_size; // reals in a row, bytes in a real
    size_t first, n;         // the columns of this pass
  };

  void load(const char *path);
  void find_head();
  void load_dispersion(const char *model_path);
  std::vector<char> read(const char *path, const char *what);
  void map_types(int n_words, char **words);
  void check_neighbours();
  void number_atoms();
  void find_edges();
  void evaluate();
  void add_dispersion();
  void add_forces();
  void add_tallies();
  void fail(const char *what, const struct irrep_error &error);
  std::string atoms_of(const struct irrep_error &error) const;
  enum irrep_precision precision() const;

  static int exchange(void *context, void *rows, size_t width, size_t real_size, bool forward);
  bool communicate(void *rows, size_t width, size_t real_size, bool forward);
  size_t row_of(int atom) const {
    return row_[static_cast<size_t>(atom)];
  }
  char *at(size_t row) const {
    return rows_.data + (row * rows_.width + rows_.first) * rows_.real_size;
  }
  size_t packed() const; // doubles that hold the columns of an atom

  std::string precision_word_ = "model", head_word_;
  size_t head_ = 0; // of the model's heads
  IrrepTeam team_;
  std::unique_ptr<IrrepDispersion> dispersion_ = std::make_unique<IrrepDispersion>();
  struct irrep_model *model_ = nullptr;
  double scale_ = 1.0;             // LAMMPS' unit of energy in an eV
  std::vector<int32_t> number_of_; // [ntypes + 1] atomic number, or 0: no atom of this model

  // The graph of this step. Its first n_local_ atoms are this rank's.
  size_t n_local_ = 0, n_total_ = 0;
  std::vector<uint32_t> row_;    // [nlocal + nghost] place of an atom in the graph, or NOWHERE
  std::vector<int> atom_of_;     // [n_atoms] the inverse
  std::vector<int32_t> numbers_; // [n_atoms]
  std::vector<uint32_t> first_edge_, senders_;
  std::vector<double> vectors_, energies_, forces_, virials_;
  size_t graph_bytes_ = 0; // of the last view
  IrrepMemory arena_;
  struct irrep_result result_ = IRREP_RESULT_INIT;
  Rows rows_ = {nullptr, 0, 0, 0, 0};

  // Since the last finish().
  double sent_ = 0.0; // bytes that this rank has packed for others' ghosts and its own
  double seconds_ = 0.0, waited_ = 0.0; // in compute(), and of that in communication
  bigint n_steps_ = 0;
};

} // namespace LAMMPS_NS

#endif
